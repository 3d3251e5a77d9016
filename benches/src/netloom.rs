//! netloom, in its heap profile with its default settings but for the buffers.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::tcp::ListenOptions;
use netloom_stack::wire::{Cidr, MacAddr};
use netloom_stack::{
    Config, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack, TcpHandle,
};

use crate::pair::{Pair, Side};
use crate::wire::{Link, Wire};

const IFACE: IfaceId = IfaceId::FIRST;
/// One client address has 28 232 ephemeral ports for each of these.
const PORTS: core::ops::Range<u16> = 80..120;
/// Connections opened to a port before the next is taken.
const PER_PORT: usize = 25_000;

/// Two netloom stacks.
pub(crate) struct Netloom {
    now: Instant,
    client: Stack,
    server: Stack,
    listeners: Vec<ListenerHandle>,
    to_client: Wire,
    to_server: Wire,
    opened: usize,
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

fn stack(link: Link, number: u8, buffer: usize) -> Stack {
    let interface = if link.ethernet {
        InterfaceConfig::ethernet(MacAddr([2, 0, 0, 0, 0, number]))
    } else {
        InterfaceConfig::ip()
    };
    let cidr: Cidr = format!("{}/24", address(number))
        .parse()
        .expect("an address with its prefix");
    let mut config = Config::new(interface.mtu(link.mtu as u16)).address(cidr);
    config.tunables.tcp_rmem = buffer as u32;
    config.tunables.tcp_wmem = buffer as u32;
    // They have the length that smoltcp's have: they do not grow.
    config.tunables.tcp.rcv_buf_max = buffer as u32;
    config.tunables.tcp_wmem_max = buffer as u32;
    Stack::with_heap(config, Limits::default(), Seed::from([number; 32]))
}

impl Netloom {
    /// Which listener the next connection goes to.
    fn turn(&self) -> usize {
        self.opened / PER_PORT % self.listeners.len()
    }

    fn side(&mut self, side: Side) -> &mut Stack {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn open_one(&mut self) -> (TcpHandle, TcpHandle) {
        let turn = self.turn();
        self.opened += 1;
        let remote = SocketAddr::new(IpAddr::V4(address(2)), PORTS.start + turn as u16);
        let conn = self
            .client
            .tcp_connect(remote)
            .expect("a port and a slot are free");
        self.carry(Side::Client);
        self.carry(Side::Server);
        self.carry(Side::Client);
        let mut accepted = self.server.tcp_accept(self.listeners[turn]);
        // The first time, on Ethernet, addresses are resolved before.
        for _ in 0..10 {
            if accepted == Ok(None) {
                self.carry(Side::Server);
                self.carry(Side::Client);
                accepted = self.server.tcp_accept(self.listeners[turn]);
            }
        }
        let accepted = accepted
            .expect("the listener is open")
            .expect("the handshake completed");
        (conn, accepted)
    }

    /// The sending stack, to look at.
    pub(crate) fn client(&self) -> &Stack {
        &self.client
    }
}

impl Pair for Netloom {
    type Conn = TcpHandle;
    const NAME: &'static str = "netloom";

    fn new(link: Link, buffer: usize, slots: usize) -> Netloom {
        let mut server = stack(link, 2, buffer);
        let backlog = ListenOptions {
            backlog: 1024,
            ..ListenOptions::default()
        };
        let listeners = PORTS
            .map(|port| server.tcp_listen_with(port.into(), backlog))
            .collect::<Result<_, _>>()
            .expect("the ports are free");
        let mut pair = Netloom {
            now: Instant::from_secs(1),
            client: stack(link, 1, buffer),
            server,
            listeners,
            to_client: Wire::new(link, slots),
            to_server: Wire::new(link, slots),
            opened: 0,
        };
        // Duplicate address detection, where there is any.
        for _ in 0..10 {
            pair.pass(500_000);
            pair.carry(Side::Client);
            pair.carry(Side::Server);
        }
        pair
    }

    fn open(&mut self, count: usize) -> Vec<(TcpHandle, TcpHandle)> {
        (0..count).map(|_| self.open_one()).collect()
    }

    fn connect_and_close(&mut self) {
        let (client, server) = self.open_one();
        self.client.tcp_close(client).expect("the handle is good");
        self.carry(Side::Client);
        self.server.tcp_close(server).expect("the handle is good");
        self.carry(Side::Server);
        self.carry(Side::Client);
    }

    #[inline]
    fn write(&mut self, side: Side, conn: TcpHandle, data: &[u8]) -> usize {
        self.side(side).tcp_write(conn, data).unwrap_or(0)
    }

    #[inline]
    fn read(&mut self, side: Side, conn: TcpHandle, buffer: &mut [u8]) -> usize {
        self.side(side).tcp_read(conn, buffer).unwrap_or(0)
    }

    #[inline]
    fn write_in_place(&mut self, side: Side, conn: TcpHandle, byte: u8) -> usize {
        self.side(side)
            .tcp_write_with(conn, usize::MAX, |space| {
                space.fill(byte);
                space.len()
            })
            .unwrap_or(0)
    }

    #[inline]
    fn read_in_place(&mut self, side: Side, conn: TcpHandle) -> usize {
        self.side(side)
            .tcp_read_with(conn, |first, second| {
                core::hint::black_box((first, second));
                first.len() + second.len()
            })
            .unwrap_or(0)
    }

    #[inline]
    fn carry(&mut self, from: Side) {
        let (sender, receiver, wire) = match from {
            Side::Client => (&mut self.client, &mut self.server, &mut self.to_server),
            Side::Server => (&mut self.server, &mut self.client, &mut self.to_client),
        };
        let _ = sender.transmit(self.now, IFACE, wire);
        while let Some(frame) = wire.take() {
            receiver.receive(self.now, IFACE, frame, &RxMeta::default());
        }
        while receiver.poll_event().is_some() {}
    }

    fn pass(&mut self, micros: u64) {
        self.now = self.now.plus_micros(micros);
    }

    fn frames(&self) -> u64 {
        self.to_client.frames + self.to_server.frames
    }
}
