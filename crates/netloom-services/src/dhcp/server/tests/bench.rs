//! A server on a stack, a clock that the test turns, and clients that say what the test has them
//! say.

use std::boxed::Box;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::vec;
use std::vec::Vec;

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::{Config, Limits, Seed, Stack, Storage};
use netloom_wire::dhcpv4::{Dhcpv4Repr, Hardware, MessageType, code};
use netloom_wire::{ArpOperation, EtherType, Ipv4Repr, MacAddr, Sum, protocol};

pub(super) use crate::dhcp::testing::{IF, Sent};
use crate::dhcp::testing::{Stations, Told, transmit};

use super::super::*;

pub(super) const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const OWN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 0xfe]);

pub(super) const fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

pub(super) const fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 1, n])
}

/// 10.0.0.100 to 10.0.0.103, with some options.
pub(super) fn pool() -> Pool<'static> {
    Pool {
        network: "10.0.0.0/24".parse().unwrap(),
        first: ip(100),
        last: ip(103),
        lease_time: LeaseTime {
            least: 60,
            usual: 600,
            most: 6000,
        },
        options: &[
            (code::ROUTER, &[10, 0, 0, 1]),
            (code::DNS_SERVER, &[10, 0, 0, 53, 10, 0, 0, 54]),
            (code::DOMAIN_NAME, b"example.org"),
        ],
    }
}

/// A network behind a relay agent.
pub(super) fn far_pool() -> Pool<'static> {
    Pool {
        network: "10.9.0.0/24".parse().unwrap(),
        first: Ipv4Addr::new(10, 9, 0, 100),
        last: Ipv4Addr::new(10, 9, 0, 101),
        options: &[(code::ROUTER, &[10, 9, 0, 1])],
        ..pool()
    }
}

pub(super) fn config(pools: Vec<Pool<'static>>) -> ServerConfig<'static> {
    ServerConfig {
        pools: Box::leak(pools.into_boxed_slice()),
        conflict_check: core::time::Duration::ZERO,
        ..ServerConfig::default()
    }
}

/// A store that can be told to fail.
#[derive(Debug, Default, Clone)]
pub(super) struct Fickle {
    pub(super) inner: MemoryStore<16>,
    pub(super) fails: bool,
}

impl Store for Fickle {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        self.inner.by_address(address)
    }
    fn by_client(&self, client: &ClientKey, network: &netloom_wire::Cidr) -> Option<Binding> {
        self.inner.by_client(client, network)
    }
    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError> {
        if self.fails {
            return Err(StoreError::Failed);
        }
        self.inner.put(binding, now)
    }
    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        self.inner.for_each(each);
    }
}

pub(super) struct Bench {
    pub(super) stack: Stack,
    pub(super) server: Server<'static, Fickle>,
    pub(super) now: Instant,
    pub(super) sent: VecDeque<Sent>,
    pub(super) probes: Vec<Ipv4Addr>,
    /// Echo requests: to whom, and what.
    pub(super) echoes: Vec<(Ipv4Addr, Vec<u8>)>,
    pub(super) events: VecDeque<ServerEvent>,
}

impl Bench {
    pub(super) fn new(config: ServerConfig<'static>) -> Bench {
        Bench::with_store(config, Fickle::default(), 1_000_000)
    }

    pub(super) fn with_store(config: ServerConfig<'static>, store: Fickle, epoch: u64) -> Bench {
        let setup = Config::ethernet(OWN_MAC).address("10.0.0.1/24".parse().unwrap());
        let stack = Stack::with_heap(setup, Limits::default(), Seed::from([7; 32]));
        Bench::over(stack, config, store, epoch)
    }

    pub(super) fn lent(config: ServerConfig<'static>) -> Bench {
        let setup = Config::ethernet(OWN_MAC).address("10.0.0.1/24".parse().unwrap());
        let storage = Box::leak(Box::new(Storage::<1, 1, 1, 1024, 1024>::new()));
        let stack = Stack::new(setup, storage, Seed::from([7; 32]));
        Bench::over(stack, config, Fickle::default(), 1_000_000)
    }

    fn over(mut stack: Stack, config: ServerConfig<'static>, store: Fickle, epoch: u64) -> Bench {
        let pending = Box::leak(vec![Pending::FREE; 4].into_boxed_slice());
        let server = Server::new(&mut stack, IF, config, store, pending, epoch).unwrap();
        // The relay agent, and a router to the network behind it.
        stack.add_neighbor(IF, ip(9), mac(9)).unwrap();
        let far = "10.9.0.0/24".parse().unwrap();
        stack
            .add_route(netloom_stack::route::Route::via(far, ip(9).into(), 0))
            .unwrap();
        Bench {
            stack,
            server,
            now: Instant::from_secs(100),
            sent: VecDeque::new(),
            probes: Vec::new(),
            echoes: Vec::new(),
            events: VecDeque::new(),
        }
    }

    pub(super) fn turn(&mut self) {
        self.stack.advance(self.now);
        for _ in 0..50 {
            while let Some(event) = self.server.poll(&mut self.stack) {
                self.events.push_back(event);
            }
            let told = transmit(&mut self.stack, self.now);
            if told.is_empty() && self.stack.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            for told in told {
                self.note(told);
            }
        }
        panic!("the server never rests: {:?}", self.server);
    }

    fn note(&mut self, told: Told) {
        match told {
            Told::Arp(arp) if arp.sender_ip.is_unspecified() => {
                let target = arp.target_ip.v4_octets().unwrap();
                self.probes.push(target.into());
            }
            Told::Dhcp(sent) => {
                assert_eq!((sent.src_port, sent.src), (67, OWN.into()));
                self.sent.push_back(sent);
            }
            Told::Icmp(to, message) => self.echoes.push((to, message)),
            Told::Arp(_) | Told::Other => {}
        }
    }

    pub(super) fn run_for(&mut self, millis: u64) {
        let until = self.now.plus_micros(millis * 1000);
        while let Some(due) = self.stack.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.turn();
        }
        self.now = until;
        self.turn();
    }

    /// A client says this; the replies.
    pub(super) fn ask(&mut self, asked: &Asked) -> Vec<Sent> {
        let frame = asked.frame();
        self.receive(&frame);
        self.sent.drain(..).collect()
    }

    /// One reply.
    pub(super) fn one(&mut self, asked: &Asked) -> Sent {
        let mut replies = self.ask(asked);
        assert_eq!(replies.len(), 1, "{:?}", self.events);
        replies.remove(0)
    }

    /// No reply.
    pub(super) fn none(&mut self, asked: &Asked) {
        let replies = self.ask(asked);
        assert!(replies.is_empty(), "{:?}", replies[0].view());
    }

    pub(super) fn receive(&mut self, frame: &[u8]) {
        self.stack.receive(self.now, IF, frame, &RxMeta::default());
        self.turn();
    }

    pub(super) fn arp_from(&mut self, mac: MacAddr, sender: Ipv4Addr) {
        let stations = Stations {
            to: OWN_MAC,
            from: mac,
        };
        let frame = stations.arp(ArpOperation::Reply, sender, Ipv4Addr::UNSPECIFIED);
        self.receive(&frame);
    }

    /// A host answers an echo request of the server's.
    pub(super) fn echo_from(&mut self, host: Ipv4Addr, request: &[u8]) {
        let mut message = request.to_vec();
        message[0] = 0;
        message[2..4].fill(0);
        let sum = Sum::new().add(&message).finish();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        let mut packet = vec![0; 20 + message.len()];
        let (src, dst) = (host.into(), OWN.into());
        let repr = Ipv4Repr::new(src, dst, protocol::ICMP, message.len() as u16);
        repr.emit(&mut packet).unwrap().copy_from_slice(&message);
        let stations = Stations {
            to: OWN_MAC,
            from: mac(9),
        };
        let frame = stations.frame(EtherType::IPV4, &packet);
        self.receive(&frame);
    }

    /// DISCOVER, OFFER, REQUEST, ACK: the address given.
    pub(super) fn lease(&mut self, n: u8) -> Ipv4Addr {
        let offer = self.one(&Asked::discover(n));
        assert_eq!(offer.kind(), MessageType::Offer);
        let address = offer.view().yiaddr();
        let ack = self.one(&Asked::selecting(n, address));
        assert_eq!(
            (ack.kind(), ack.view().yiaddr()),
            (MessageType::Ack, address)
        );
        address
    }

    #[track_caller]
    pub(super) fn assert_counters(&self, expected: ServerCounters) {
        assert_eq!(*self.server.counters(), expected);
    }

    pub(super) fn event(&mut self) -> Option<ServerEvent> {
        self.events.pop_front()
    }
}

/// What a client says.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) n: u8,
    pub(super) header: Dhcpv4Repr,
    pub(super) options: Vec<(u8, Vec<u8>)>,
    pub(super) src: Ipv4Addr,
    pub(super) dst: Ipv4Addr,
}

impl Asked {
    pub(super) fn new(n: u8, kind: MessageType) -> Asked {
        Asked {
            n,
            header: Dhcpv4Repr {
                xid: 0x100 + u32::from(n),
                hardware: Hardware::ethernet(mac(n).0),
                ..Dhcpv4Repr::request()
            },
            options: vec![(code::MESSAGE_TYPE, vec![kind.into()])],
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::BROADCAST,
        }
    }

    pub(super) fn discover(n: u8) -> Asked {
        Asked::new(n, MessageType::Discover)
    }

    pub(super) fn selecting(n: u8, address: Ipv4Addr) -> Asked {
        Asked::new(n, MessageType::Request)
            .with(code::REQUESTED_ADDRESS, &address.octets())
            .with(code::SERVER_IDENTIFIER, &OWN.octets())
    }

    pub(super) fn rebooting(n: u8, address: Ipv4Addr) -> Asked {
        Asked::new(n, MessageType::Request).with(code::REQUESTED_ADDRESS, &address.octets())
    }

    pub(super) fn renewing(n: u8, address: Ipv4Addr) -> Asked {
        let mut asked = Asked::new(n, MessageType::Request);
        asked.header.ciaddr = address;
        asked.src = address;
        asked.dst = OWN;
        asked
    }

    pub(super) fn release(n: u8, address: Ipv4Addr) -> Asked {
        let mut asked =
            Asked::new(n, MessageType::Release).with(code::SERVER_IDENTIFIER, &OWN.octets());
        asked.header.ciaddr = address;
        asked.src = address;
        asked.dst = OWN;
        asked
    }

    pub(super) fn decline(n: u8, address: Ipv4Addr) -> Asked {
        Asked::new(n, MessageType::Decline)
            .with(code::REQUESTED_ADDRESS, &address.octets())
            .with(code::SERVER_IDENTIFIER, &OWN.octets())
    }

    pub(super) fn with(mut self, code: u8, data: &[u8]) -> Asked {
        self.options.retain(|(known, _)| *known != code);
        self.options.push((code, data.to_vec()));
        self
    }

    /// Through the relay agent of the far network.
    pub(super) fn relayed(mut self) -> Asked {
        self.header.giaddr = Ipv4Addr::new(10, 9, 0, 1);
        self.header.hops = 1;
        self.src = Ipv4Addr::new(10, 9, 0, 1);
        self.dst = OWN;
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut buffer = [0; 1400];
        let mut writer = self.header.emit(&mut buffer).unwrap();
        for (code, data) in &self.options {
            writer.put(*code, data);
        }
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }

    pub(super) fn frame(&self) -> Vec<u8> {
        datagram(mac(self.n), self.src, self.dst, &self.bytes())
    }
}

pub(super) fn datagram(from: MacAddr, src: Ipv4Addr, dst: Ipv4Addr, message: &[u8]) -> Vec<u8> {
    let to = if dst.is_broadcast() {
        MacAddr::BROADCAST
    } else {
        OWN_MAC
    };
    Stations { to, from }.datagram((src, 68), (dst, 67), message)
}
