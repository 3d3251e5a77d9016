//! smoltcp 0.14 with CUBIC and its other settings as they come.
//!
//! It has no SYN queue, no TIME-WAIT table and no list of what is ready: a server keeps one
//! listening socket, with its buffers, for each connection to come, and a socket in TIME-WAIT is
//! a whole one.

use std::collections::VecDeque;

use smoltcp::iface::{
    Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet,
};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpAddress, IpCidr};

use crate::pair::{Pair, Side};
use crate::wire::{Link, Wire};

/// Two smoltcp interfaces with their sockets.
pub(crate) struct Smoltcp {
    now: Instant,
    link: Link,
    buffer: usize,
    client: Interface,
    server: Interface,
    client_sockets: SocketSet<'static>,
    server_sockets: SocketSet<'static>,
    to_client: Wire,
    to_server: Wire,
    opened: usize,
    kept: Option<(SocketHandle, SocketHandle)>,
    /// The client's sockets in TIME-WAIT, the oldest first.
    waiting: VecDeque<SocketHandle>,
}

/// One end of the wire, as a device.
struct Port<'a> {
    link: Link,
    rx: &'a mut Wire,
    tx: &'a mut Wire,
}

struct Rx<'a>(&'a [u8]);
struct Tx<'a>(&'a mut Wire);

impl RxToken for Rx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    #[inline]
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        self.0.put(len, f)
    }
}

impl Device for Port<'_> {
    type RxToken<'a>
        = Rx<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Tx<'a>
    where
        Self: 'a;

    #[inline]
    fn receive(&mut self, _now: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        if self.tx.is_full() {
            return None;
        }
        Some((Rx(self.rx.take()?), Tx(self.tx)))
    }

    #[inline]
    fn transmit(&mut self, _now: Instant) -> Option<Tx<'_>> {
        if self.tx.is_full() {
            return None;
        }
        Some(Tx(self.tx))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = if self.link.ethernet {
            Medium::Ethernet
        } else {
            Medium::Ip
        };
        caps.max_transmission_unit = self.link.frame();
        caps
    }
}

fn interface(port: &mut Port<'_>, number: u8) -> Interface {
    let hardware = if port.link.ethernet {
        HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, number]))
    } else {
        HardwareAddress::Ip
    };
    let mut config = Config::new(hardware);
    config.random_seed = u64::from(number);
    let mut interface = Interface::new(config, port, Instant::ZERO);
    interface.update_ip_addrs(|addresses| {
        addresses
            .push(IpCidr::new(IpAddress::v4(10, 0, 0, number), 24))
            .expect("there is room for an address");
    });
    interface
}

/// A fresh socket with buffers of its own.
fn socket(buffer: usize) -> Socket<'static> {
    let mut socket = Socket::new(
        SocketBuffer::new(vec![0; buffer]),
        SocketBuffer::new(vec![0; buffer]),
    );
    socket.set_congestion_control(CongestionControl::Cubic);
    socket
}

impl Smoltcp {
    fn socket(&mut self, side: Side, handle: SocketHandle) -> &mut Socket<'static> {
        match side {
            Side::Client => self.client_sockets.get_mut(handle),
            Side::Server => self.server_sockets.get_mut(handle),
        }
    }

    /// Starts a handshake between two closed sockets.
    fn start(&mut self, client: SocketHandle, server: SocketHandle) {
        // 50 000 local ports for each remote one.
        let local = 10_000 + (self.opened % 50_000) as u16;
        let port = 80 + (self.opened / 50_000 % 1000) as u16;
        self.opened += 1;
        self.server_sockets
            .get_mut::<Socket>(server)
            .listen(port)
            .expect("the socket is closed");
        self.client_sockets
            .get_mut::<Socket>(client)
            .connect(
                self.client.context(),
                (IpAddress::v4(10, 0, 0, 2), port),
                local,
            )
            .expect("the socket is closed");
    }

    fn settle(&mut self) {
        loop {
            let before = self.frames();
            self.carry(Side::Client);
            self.carry(Side::Server);
            if self.frames() == before {
                return;
            }
        }
    }

    /// The same work with two sockets that are used again for every connection, which keeps
    /// their buffers. TIME-WAIT is over when it starts.
    pub(crate) fn connect_and_close_kept(&mut self) {
        let buffer = self.buffer;
        let (client, server) = match self.kept {
            Some(kept) => kept,
            None => (
                self.client_sockets.add(socket(buffer)),
                self.server_sockets.add(socket(buffer)),
            ),
        };
        self.kept = Some((client, server));
        self.start(client, server);
        self.finish(client, server);
        self.pass(11_000_000);
        self.carry(Side::Client);
    }

    /// The same work with the client's socket left in TIME-WAIT for the ten seconds that smoltcp
    /// keeps it, as RFC 9293 section 3.6.1 asks of the end that closes first.
    pub(crate) fn connect_and_close_waiting(&mut self) {
        let client = self.client_sockets.add(socket(self.buffer));
        let server = self.server_sockets.add(socket(self.buffer));
        self.start(client, server);
        self.finish(client, server);
        self.server_sockets.remove(server);
        self.waiting.push_back(client);
        while let Some(first) = self.waiting.front() {
            if self.client_sockets.get::<Socket>(*first).state() == State::TimeWait {
                break;
            }
            self.client_sockets.remove(*first);
            self.waiting.pop_front();
        }
    }

    fn finish(&mut self, client: SocketHandle, server: SocketHandle) {
        self.carry(Side::Client);
        self.carry(Side::Server);
        self.carry(Side::Client);
        self.socket(Side::Client, client).close();
        self.carry(Side::Client);
        self.socket(Side::Server, server).close();
        self.carry(Side::Server);
        self.carry(Side::Client);
        assert!(
            !self.socket(Side::Server, server).is_open(),
            "the connection closes"
        );
    }
}

impl Pair for Smoltcp {
    type Conn = SocketHandle;
    const NAME: &'static str = "smoltcp";

    fn new(link: Link, buffer: usize, slots: usize) -> Smoltcp {
        let mut to_client = Wire::new(link, slots);
        let mut to_server = Wire::new(link, slots);
        let client = interface(
            &mut Port {
                link,
                rx: &mut to_client,
                tx: &mut to_server,
            },
            1,
        );
        let server = interface(
            &mut Port {
                link,
                rx: &mut to_server,
                tx: &mut to_client,
            },
            2,
        );
        Smoltcp {
            now: Instant::from_secs(1),
            link,
            buffer,
            client,
            server,
            client_sockets: SocketSet::new(Vec::new()),
            server_sockets: SocketSet::new(Vec::new()),
            to_client,
            to_server,
            opened: 0,
            kept: None,
            waiting: VecDeque::new(),
        }
    }

    fn open(&mut self, count: usize) -> Vec<(SocketHandle, SocketHandle)> {
        let buffer = self.buffer;
        // All at once: every frame and every poll looks at every socket.
        let connections: Vec<_> = (0..count)
            .map(|_| {
                let client = self.client_sockets.add(socket(buffer));
                let server = self.server_sockets.add(socket(buffer));
                self.start(client, server);
                (client, server)
            })
            .collect();
        self.settle();
        // The first one's SYN may have waited for an address to be resolved.
        for _ in 0..5 {
            self.pass(1_100_000);
            self.settle();
        }
        for (client, server) in &connections {
            assert!(self.socket(Side::Client, *client).may_send());
            assert!(self.socket(Side::Server, *server).may_send());
        }
        connections
    }

    fn connect_and_close(&mut self) {
        let client = self.client_sockets.add(socket(self.buffer));
        let server = self.server_sockets.add(socket(self.buffer));
        self.start(client, server);
        self.finish(client, server);
        // The client's is in TIME-WAIT, which this cuts short.
        self.client_sockets.remove(client);
        self.server_sockets.remove(server);
    }

    #[inline]
    fn write(&mut self, side: Side, conn: SocketHandle, data: &[u8]) -> usize {
        self.socket(side, conn).send_slice(data).unwrap_or(0)
    }

    #[inline]
    fn read(&mut self, side: Side, conn: SocketHandle, buffer: &mut [u8]) -> usize {
        self.socket(side, conn).recv_slice(buffer).unwrap_or(0)
    }

    #[inline]
    fn write_in_place(&mut self, side: Side, conn: SocketHandle, byte: u8) -> usize {
        self.socket(side, conn)
            .send(|space| {
                space.fill(byte);
                (space.len(), space.len())
            })
            .unwrap_or(0)
    }

    #[inline]
    fn read_in_place(&mut self, side: Side, conn: SocketHandle) -> usize {
        self.socket(side, conn)
            .recv(|data| {
                core::hint::black_box(&data);
                (data.len(), data.len())
            })
            .unwrap_or(0)
    }

    #[inline]
    fn carry(&mut self, from: Side) {
        let Smoltcp {
            now,
            link,
            client,
            server,
            client_sockets,
            server_sockets,
            to_client,
            to_server,
            ..
        } = self;
        let (sender, sockets, receiver, others, there, back) = match from {
            Side::Client => (
                client,
                client_sockets,
                server,
                server_sockets,
                to_server,
                to_client,
            ),
            Side::Server => (
                server,
                server_sockets,
                client,
                client_sockets,
                to_client,
                to_server,
            ),
        };
        let mut port = Port {
            link: *link,
            rx: back,
            tx: there,
        };
        while sender.poll_egress(*now, &mut port, sockets) == PollResult::SocketStateChanged {}
        let mut port = Port {
            link: *link,
            rx: port.tx,
            tx: port.rx,
        };
        while receiver.poll_ingress_single(*now, &mut port, others) != PollIngressSingleResult::None
        {
        }
    }

    fn pass(&mut self, micros: u64) {
        self.now += smoltcp::time::Duration::from_micros(micros);
    }

    fn frames(&self) -> u64 {
        self.to_client.frames + self.to_server.frames
    }
}
