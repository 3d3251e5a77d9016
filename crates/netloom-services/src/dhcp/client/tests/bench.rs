//! A client on a stack, a clock that the test turns, and a server that says what the test has it
//! say.

use std::boxed::Box;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::string::String;
use std::vec::Vec;

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::{Config, Limits, Seed, Stack, Storage};
use netloom_wire::dhcpv4::{Dhcpv4Repr, Dhcpv4View, Hardware, MessageType, code};
use netloom_wire::{ArpOperation, ArpRepr, MacAddr};

pub(super) use crate::dhcp::testing::{IF, Sent};
use crate::dhcp::testing::{Stations, Told, transmit};

use super::super::*;

pub(super) const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub(super) const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub(super) const OFFERED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

pub(super) struct Bench {
    pub(super) stack: Stack,
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) sent: VecDeque<Sent>,
    pub(super) arp: VecDeque<(Instant, ArpRepr)>,
    pub(super) events: VecDeque<Event>,
}

impl Bench {
    pub(super) fn heap(request: Request<'_>) -> Bench {
        let config = Config::ethernet(MAC);
        Bench::over(
            Stack::with_heap(config, Limits::default(), Seed::from([7; 32])),
            request,
        )
    }

    pub(super) fn seeded(request: Request<'_>, seed: u8) -> Bench {
        let config = Config::ethernet(MAC);
        Bench::over(
            Stack::with_heap(config, Limits::default(), Seed::from([seed; 32])),
            request,
        )
    }

    pub(super) fn lent(request: Request<'_>) -> Bench {
        let storage = Box::leak(Box::new(Storage::<1, 1, 1, 1024, 1024>::new()));
        Bench::over(
            Stack::new(Config::ethernet(MAC), storage, Seed::from([7; 32])),
            request,
        )
    }

    fn over(mut stack: Stack, request: Request<'_>) -> Bench {
        let mut client = Client::new(&mut stack).unwrap();
        client.begin(request);
        let mut bench = Bench {
            stack,
            client,
            now: Instant::from_secs(100),
            sent: VecDeque::new(),
            arp: VecDeque::new(),
            events: VecDeque::new(),
        };
        bench.turn();
        bench
    }

    /// One turn of a program's loop.
    pub(super) fn turn(&mut self) {
        self.stack.advance(self.now);
        for _ in 0..20 {
            while let Some(event) = self.client.poll(&mut self.stack) {
                self.events.push_back(event);
            }
            let told = transmit(&mut self.stack, self.now);
            while self.stack.poll_event().is_some() {}
            if told.is_empty() && self.stack.next_deadline().is_none_or(|due| due > self.now) {
                return;
            }
            for told in told {
                self.note(told);
            }
        }
        panic!("the client never rests: {:?}", self.client);
    }

    fn note(&mut self, told: Told) {
        match told {
            Told::Arp(arp) => self.arp.push_back((self.now, arp)),
            Told::Dhcp(sent) => {
                assert_eq!((sent.src_port, sent.port), (68, 67));
                assert!(sent.bytes.len() >= 300);
                self.sent.push_back(sent);
            }
            Told::Icmp(..) | Told::Other => {}
        }
    }

    /// Lets time pass, as far as the deadlines say, up to `until`.
    pub(super) fn run_until(&mut self, until: Instant) {
        loop {
            match self.stack.next_deadline() {
                Some(due) if due <= until => {
                    self.now = self.now.max(due);
                    self.turn();
                }
                Some(_) | None => break,
            }
        }
        self.now = until;
        self.turn();
    }

    pub(super) fn run_for(&mut self, secs: u64) {
        self.run_until(self.now.plus_micros(secs * 1_000_000));
    }

    /// The next message, after however long it takes.
    pub(super) fn next(&mut self) -> Sent {
        for _ in 0..10_000 {
            if let Some(message) = self.sent.pop_front() {
                return message;
            }
            let due = self.stack.next_deadline().expect("nothing is due any more");
            self.now = self.now.max(due);
            self.turn();
        }
        panic!("no message ever");
    }

    /// The next message, which is of this kind.
    pub(super) fn expect(&mut self, kind: MessageType) -> Sent {
        let message = self.next();
        assert_eq!(message.kind(), kind, "{:?}", message.view());
        message
    }

    pub(super) fn silent(&mut self, secs: u64) {
        self.run_for(secs);
        assert!(self.sent.is_empty(), "{:?}", self.sent[0].view());
    }

    pub(super) fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(super) fn receive(&mut self, frame: &[u8]) {
        self.stack.receive(self.now, IF, frame, &RxMeta::default());
        self.turn();
    }

    /// A server says this, as unicast or broadcast.
    pub(super) fn say(&mut self, message: &[u8], unicast: bool) {
        let frame = datagram(message, unicast, SERVER);
        self.receive(&frame);
    }

    /// ARP from another station.
    pub(super) fn arp_from(&mut self, mac: MacAddr, sender: Ipv4Addr, target: Ipv4Addr) {
        let frame = arp(ArpOperation::Request, mac, sender, target);
        self.receive(&frame);
    }

    /// Answers every ARP request for the server.
    pub(super) fn server_answers_arp(&mut self) {
        let asked = self
            .arp
            .iter()
            .any(|(_, arp)| arp.target_ip == SERVER.into() && !arp.sender_ip.is_unspecified());
        if asked {
            self.arp.clear();
            let own = self.client.lease().unwrap().ip();
            let frame = arp(ArpOperation::Reply, OTHER, SERVER, own);
            self.receive(&frame);
        }
    }

    /// The counters are these, those of what was sent left aside.
    #[track_caller]
    pub(super) fn assert_got(&self, expected: ClientCounters) {
        let counters = *self.client.counters();
        let got = ClientCounters {
            discovers: 0,
            requests: 0,
            declines: 0,
            releases: 0,
            informs: 0,
            ..counters
        };
        assert_eq!(got, expected);
    }

    /// From nothing to BOUND.
    pub(super) fn bound(request: Request<'_>, reply: &Reply) -> Bench {
        let mut bench = Bench::heap(request);
        bench.bind(reply);
        bench
    }

    pub(super) fn bind(&mut self, reply: &Reply) {
        let discover = self.expect(MessageType::Discover);
        self.say(&reply.offer(&discover), true);
        let request = self.expect(MessageType::Request);
        self.say(&reply.ack(&request), true);
        while self.client.state() == State::Checking {
            let due = self.stack.next_deadline().unwrap();
            self.now = self.now.max(due);
            self.turn();
        }
        assert_eq!(self.client.state(), State::Bound);
        assert!(matches!(self.event(), Some(Event::Acquired { .. })));
    }
}

/// What a server's replies say.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) address: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    pub(super) seconds: u32,
    pub(super) options: Vec<(u8, Vec<u8>)>,
    /// Left out of what is otherwise always told.
    pub(super) without: Vec<u8>,
}

impl Default for Reply {
    fn default() -> Reply {
        Reply {
            address: OFFERED,
            server: SERVER,
            seconds: 3600,
            options: Vec::new(),
            without: Vec::new(),
        }
    }
}

impl Reply {
    pub(super) fn with(mut self, code: u8, data: &[u8]) -> Reply {
        self.options.push((code, data.to_vec()));
        self
    }

    pub(super) fn to(&self, kind: MessageType, asked: &Sent) -> Vec<u8> {
        let view = asked.view();
        let header = Dhcpv4Repr {
            yiaddr: match kind {
                MessageType::Nak => Ipv4Addr::UNSPECIFIED,
                _ => self.address,
            },
            // The boot server's: never to be taken for the DHCP server's.
            siaddr: Ipv4Addr::new(10, 0, 0, 99),
            ..Dhcpv4Repr::reply_to(&view)
        };
        let mut buffer = [0; 1000];
        let mut writer = header.emit(&mut buffer).unwrap();
        let mut put = |code: u8, data: &[u8]| {
            if !self.without.contains(&code) && self.options.iter().all(|(c, _)| *c != code) {
                writer.put(code, data);
            }
        };
        put(code::MESSAGE_TYPE, &[kind.into()]);
        put(code::SERVER_IDENTIFIER, &self.server.octets());
        if kind != MessageType::Nak {
            put(code::LEASE_TIME, &self.seconds.to_be_bytes());
            put(code::SUBNET_MASK, &[255, 255, 255, 0]);
            put(code::ROUTER, &SERVER.octets());
        }
        for (code, data) in &self.options {
            writer.put(*code, data);
        }
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }

    pub(super) fn offer(&self, asked: &Sent) -> Vec<u8> {
        self.to(MessageType::Offer, asked)
    }

    pub(super) fn ack(&self, asked: &Sent) -> Vec<u8> {
        self.to(MessageType::Ack, asked)
    }

    pub(super) fn nak(&self, asked: &Sent) -> Vec<u8> {
        self.to(MessageType::Nak, asked)
    }
}

pub(super) fn arp(
    operation: ArpOperation,
    mac: MacAddr,
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> Vec<u8> {
    let to = MacAddr::BROADCAST;
    Stations { to, from: mac }.arp(operation, sender, target)
}

/// A server's message in a frame: to the address it gives, or to all.
pub(super) fn datagram(message: &[u8], unicast: bool, from: Ipv4Addr) -> Vec<u8> {
    let (to, dst) = match Dhcpv4View::new(message) {
        Ok(view) if unicast && !view.yiaddr().is_unspecified() => (MAC, view.yiaddr()),
        _ => (MacAddr::BROADCAST, Ipv4Addr::BROADCAST),
    };
    Stations { to, from: OTHER }.datagram((from, 67), (dst, 68), message)
}

pub(super) fn shown(event: Option<Event>) -> String {
    event.map_or_else(String::new, |event| std::format!("{event}"))
}

pub(super) fn hardware() -> Hardware {
    Hardware::ethernet(MAC.0)
}
