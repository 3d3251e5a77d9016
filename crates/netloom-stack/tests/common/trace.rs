//! A stack under test and the wire it hangs on: packets in, packets out, as in a packet trace.
//!
//! ```text
//! net.send(tcp("S").seq(100).mss(1460));
//! let syn_ack = net.expect(tcp("S.").ack(101));
//! ```
//!
//! Whatever comes out is checked for what holds of every packet: lengths, checksums, hop limit,
//! a source address of its own; and after every call the counters must balance.

use std::collections::VecDeque;

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::tcp::ListenOptions;
use netloom_stack::wire::checksum;
use netloom_stack::wire::{
    Addr, ArpOperation, ArpRepr, EtherType, EthernetView, Icmpv4View, Icmpv6View, Ipv4View,
    Ipv6View, MacAddr, NdpMessage, TcpRepr, TcpView, UdpView, describe, protocol,
};
use netloom_stack::{Config, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack};
use netloom_stack::{TcpHandle, Tunables};

pub use super::packets::*;
use super::{Profile, Queue};

pub const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
pub const PEER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
/// Ports of both ends where a test does not say otherwise.
pub const PEER_PORT: u16 = 40_000;
pub const PORT: u16 = 80;
/// The peer's first sequence number.
pub const IRS: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Ip,
    Ethernet,
}

/// The kinds of stack a test runs over.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub profile: Profile,
    pub v6: bool,
    pub link: Link,
}

impl Setup {
    /// Bytes in front of an IP packet.
    pub fn link_len(&self) -> usize {
        match self.link {
            Link::Ip => 0,
            Link::Ethernet => 14,
        }
    }
}

pub const V4: Setup = Setup {
    profile: Profile::Heap,
    v6: false,
    link: Link::Ip,
};
pub const V6: Setup = Setup { v6: true, ..V4 };

/// Both versions over both kinds of memory and both kinds of link.
pub fn every(mut test: impl FnMut(Net)) {
    for profile in [Profile::Heap, Profile::Lent] {
        for link in [Link::Ip, Link::Ethernet] {
            for v6 in [false, true] {
                let setup = Setup { profile, v6, link };
                // Shown if the test fails.
                println!("--- {setup:?}");
                test(Net::new(setup));
            }
        }
    }
}

/// [`every`] on Ethernet only.
pub fn every_ethernet(mut test: impl FnMut(Net)) {
    every(|net| {
        if net.setup.link == Link::Ethernet {
            test(net);
        }
    });
}

/// A connection as the peer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Conn {
    pub peer_port: u16,
    pub port: u16,
    /// What the peer sends next.
    pub seq: u32,
    /// What the peer expects next.
    pub ack: u32,
    pub handle: TcpHandle,
}

impl Conn {
    /// A segment of the peer that is exactly due.
    pub fn tcp(&self, flags: &str) -> Tcp {
        tcp(flags)
            .seq(self.seq)
            .ack(self.ack)
            .peer_port(self.peer_port)
            .port(self.port)
    }

    /// A segment of the stack that is exactly due.
    pub fn reply(&self, flags: &str) -> Tcp {
        self.tcp(flags).seq(self.ack).ack(self.seq)
    }
}

/// A stack under test.
pub struct Net {
    pub setup: Setup,
    pub stack: Stack,
    pub now: Instant,
    pub queue: Queue,
    pub out: VecDeque<Packet>,
    /// The last frames as they came, for tests of single bytes.
    pub raw: Vec<Vec<u8>>,
    /// Whose addresses the harness answers ARP and ND for.
    pub alive: Vec<(Addr, MacAddr)>,
    /// Whether those answers are seen by the test.
    pub show_resolution: bool,
    pub us: Addr,
    pub peer: Addr,
    /// Keep going when a packet's source is not an address of the stack (it was removed).
    pub any_source: bool,
}

pub const IF: IfaceId = IfaceId::FIRST;

impl Net {
    pub fn new(setup: Setup) -> Net {
        Net::with(setup, |_| {})
    }

    pub fn with(setup: Setup, tune: impl FnOnce(&mut Tunables)) -> Net {
        Net::build(setup, Limits::default(), tune)
    }

    pub fn build(setup: Setup, limits: Limits, tune: impl FnOnce(&mut Tunables)) -> Net {
        let interface = match setup.link {
            Link::Ip => InterfaceConfig::ip(),
            Link::Ethernet => InterfaceConfig::ethernet(OUR_MAC),
        };
        let mut config = Config::new(interface)
            .address(cidr("10.0.0.1/24"))
            .address(cidr("fd00::1/64"))
            .gateway(addr("10.0.0.254"))
            .gateway(addr("fd00::fe"));
        tune(&mut config.tunables);
        let seed = Seed::from([7; 32]);
        let stack = match setup.profile {
            Profile::Heap => Stack::with_heap(config, limits, seed),
            Profile::Lent => {
                let storage = netloom_stack::Storage::<8, 4, 4, 8192, 8192>::new();
                Stack::new(config, Box::leak(Box::new(storage)), seed)
            }
        };
        let (us, peer) = if setup.v6 {
            (addr("fd00::1"), addr("fd00::9"))
        } else {
            (addr("10.0.0.1"), addr("10.0.0.9"))
        };
        let gateway = MacAddr([2, 0, 0, 0, 0, 0xfe]);
        let mut net = Net {
            setup,
            stack,
            now: Instant::from_secs(1),
            queue: Queue::new(),
            out: VecDeque::new(),
            raw: Vec::new(),
            alive: vec![
                (addr("10.0.0.9"), PEER_MAC),
                (addr("fd00::9"), PEER_MAC),
                (addr("10.0.0.254"), gateway),
                (addr("fd00::fe"), gateway),
            ],
            show_resolution: false,
            us,
            peer,
            any_source: false,
        };
        net.pump();
        net
    }

    pub fn v6(&self) -> bool {
        self.setup.v6
    }

    /// `a` over IPv4, `b` over IPv6.
    pub fn pick<T>(&self, a: T, b: T) -> T {
        if self.v6() { b } else { a }
    }

    pub fn socket(&self, ip: Addr, port: u16) -> std::net::SocketAddr {
        std::net::SocketAddr::new(ip.into(), port)
    }

    pub fn peer_at(&self, port: u16) -> std::net::SocketAddr {
        self.socket(self.peer, port)
    }

    // ---- in ----

    /// A frame, as the device received it.
    pub fn frame(&mut self, frame: &[u8]) {
        self.stack.receive(self.now, IF, frame, &RxMeta::default());
        self.balance();
    }

    /// An IP packet, from the peer's station to ours.
    pub fn ip(&mut self, packet: &[u8]) {
        self.ip_to(OUR_MAC, packet);
    }

    pub fn ip_to(&mut self, dst: MacAddr, packet: &[u8]) {
        let frame = self.frame_of(dst, packet);
        self.frame(&frame);
    }

    /// An IPv4 packet, whatever version the test is about.
    pub fn v4_frame(&mut self, dst: MacAddr, packet: &[u8]) {
        let frame = ethernet(dst, PEER_MAC, EtherType::IPV4, packet);
        self.frame(&frame);
        self.pump();
    }

    pub fn frame_of(&self, dst: MacAddr, packet: &[u8]) -> Vec<u8> {
        match self.setup.link {
            Link::Ip => packet.to_vec(),
            Link::Ethernet => {
                let ethertype = match packet.first().map(|b| b >> 4) {
                    Some(6) => EtherType::IPV6,
                    _ => EtherType::IPV4,
                };
                ethernet(dst, PEER_MAC, ethertype, packet)
            }
        }
    }

    /// A segment arrives; what it calls for is sent.
    pub fn send(&mut self, segment: Tcp) {
        self.queue_segment(segment);
        self.pump();
    }

    /// A segment arrives, and the stack is not asked to send anything yet.
    pub fn queue_segment(&mut self, segment: Tcp) {
        let packet = self.packet_of(&segment);
        self.ip(&packet);
    }

    pub fn packet_of(&self, segment: &Tcp) -> Vec<u8> {
        let src = segment.src.unwrap_or(self.peer);
        let dst = segment.dst.unwrap_or(self.us);
        let repr = TcpRepr {
            src_port: segment.peer_port.unwrap_or(PEER_PORT),
            dst_port: segment.port.unwrap_or(PORT),
            seq: segment.seq.unwrap_or(IRS),
            ack: segment.ack.unwrap_or(0),
            flags: segment.flags,
            window: segment.win.unwrap_or(65_535),
            urgent: segment.urg.unwrap_or(0),
            options: segment.options.unwrap_or_default(),
        };
        let mut bytes = vec![0; repr.header_len()];
        repr.emit(&mut bytes).unwrap();
        if let Some(options) = &segment.raw_options {
            bytes.truncate(20);
            bytes.extend_from_slice(options);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes[12] = ((bytes.len() / 4) << 4) as u8 | bytes[12] & 0x0f;
        }
        bytes.extend_from_slice(&segment.data);
        let sum = checksum::pseudo_header(&src, &dst, protocol::TCP, bytes.len() as u32);
        let sum = sum.add(&bytes).finish() ^ u16::from(segment.corrupt);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        ip_packet(src, dst, protocol::TCP, 64, segment.tos, &bytes)
    }

    /// A datagram of the peer to one of our ports arrives.
    pub fn send_udp(&mut self, peer_port: u16, port: u16, data: &[u8]) {
        let packet = udp_packet((self.peer, peer_port), (self.us, port), data);
        self.ip(&packet);
        self.pump();
    }

    /// An ICMP message of somebody's arrives.
    pub fn send_icmp(&mut self, src: Addr, kind: u8, code: u8, rest: [u8; 4], body: &[u8]) {
        let packet = icmp_packet(src, self.us, 64, kind, code, rest, body);
        self.ip(&packet);
        self.pump();
    }

    // ---- out ----

    pub fn balance(&self) {
        self.stack.counters().balance().unwrap();
    }

    /// Has the stack send what it owes now.
    pub fn pump(&mut self) {
        for _ in 0..100 {
            let _ = self.stack.transmit(self.now, IF, &mut self.queue);
            self.balance();
            if self.queue.frames.is_empty() {
                return;
            }
            for frame in std::mem::take(&mut self.queue.frames) {
                self.take(&frame);
            }
        }
        panic!("the stack sends without end");
    }

    fn take(&mut self, frame: &[u8]) {
        self.raw.push(frame.to_vec());
        let packet = self.parse(frame);
        let Some(packet) = packet else { return };
        self.out.push_back(packet);
    }

    /// The answer to a question for a station, if the harness gives it.
    fn resolve(&mut self, target: Addr, reply: impl FnOnce(MacAddr) -> Vec<u8>) -> bool {
        let Some((_, mac)) = self.alive.iter().find(|(addr, _)| *addr == target) else {
            return false;
        };
        let frame = reply(*mac);
        self.frame(&frame);
        !self.show_resolution
    }

    fn parse(&mut self, frame: &[u8]) -> Option<Packet> {
        let (bytes, mac) = match self.setup.link {
            Link::Ip => (frame.to_vec(), None),
            Link::Ethernet => {
                let view = EthernetView::new(frame).unwrap();
                assert_eq!(view.src(), OUR_MAC);
                if view.ethertype() == EtherType::ARP {
                    let arp = ArpRepr::parse(&view.arp().unwrap());
                    let dst = view.dst();
                    if arp.operation == ArpOperation::Request && !arp.sender_ip.is_unspecified() {
                        let answered = self.resolve(arp.target_ip, |mac| {
                            arp_frame(OUR_MAC, mac, &arp.reply(mac))
                        });
                        if answered {
                            return None;
                        }
                    }
                    return Some(Packet::Arp { dst, arp });
                }
                (view.payload().to_vec(), Some(view.dst()))
            }
        };
        let (ip, proto, body) = self.parse_ip(&bytes, mac);
        match proto {
            protocol::TCP => {
                let view = TcpView::new(&body).unwrap();
                assert!(view.checksum_valid(&ip.src, &ip.dst), "TCP checksum");
                let tcp = TcpRepr::parse(&view).unwrap();
                if let (Some(mac), false) = (ip.mac, tcp.flags.rst()) {
                    assert!(mac.is_unicast());
                }
                let data = view.payload().to_vec();
                Some(Packet::Tcp(Segment { ip, tcp, data }))
            }
            protocol::UDP => {
                let view = UdpView::new(&body).unwrap();
                assert!(view.checksum_valid(&ip.src, &ip.dst), "UDP checksum");
                assert_ne!(view.checksum(), 0, "a checksum is always made");
                Some(Packet::Udp(Datagram {
                    src_port: view.src_port(),
                    dst_port: view.dst_port(),
                    data: view.payload().to_vec(),
                    ip,
                }))
            }
            protocol::ICMP => {
                let view = Icmpv4View::new(&body).unwrap();
                assert!(view.checksum_valid(), "ICMP checksum");
                Some(Packet::Icmp(Icmp {
                    kind: view.kind(),
                    code: view.code(),
                    rest: view.rest_of_header(),
                    body: view.body().to_vec(),
                    ip,
                }))
            }
            protocol::ICMPV6 => {
                let view = Icmpv6View::new(&body).unwrap();
                assert!(view.checksum_valid(&ip.src, &ip.dst), "ICMPv6 checksum");
                if let Ok(nd) = view.ndp() {
                    nd.check(&ip.src, &ip.dst, ip.ttl).unwrap();
                    if let NdpMessage::NeighborSolicitation { target } = nd.message() {
                        let (src, us) = (target, ip.src);
                        let answered =
                            self.resolve(target, |mac| advertisement(src, us, mac, true, true));
                        if answered {
                            return None;
                        }
                    }
                }
                Some(Packet::Icmp(Icmp {
                    kind: view.kind(),
                    code: view.code(),
                    rest: view.rest_of_header(),
                    body: view.body().to_vec(),
                    ip,
                }))
            }
            other => panic!("protocol {other} sent"),
        }
    }

    fn parse_ip(&self, bytes: &[u8], mac: Option<MacAddr>) -> (Ip, u8, Vec<u8>) {
        let (ip, proto, body) = match bytes[0] >> 4 {
            4 => {
                let view = Ipv4View::new(bytes).unwrap();
                assert!(view.checksum_valid(), "IPv4 header checksum");
                assert_eq!(usize::from(view.total_len()), bytes.len());
                let ip = Ip {
                    src: view.src(),
                    dst: view.dst(),
                    ttl: view.ttl(),
                    tos: view.tos(),
                    mac,
                    ident: u32::from(view.ident()),
                };
                (ip, view.protocol(), view.payload().to_vec())
            }
            _ => {
                let view = Ipv6View::new(bytes).unwrap();
                let ip = Ip {
                    src: view.src(),
                    dst: view.dst(),
                    ttl: view.hop_limit(),
                    tos: view.traffic_class(),
                    mac,
                    ident: view.flow_label(),
                };
                (ip, view.next_header(), view.payload().to_vec())
            }
        };
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.7
        //= type=test
        //# A host MUST NOT send a datagram with a Time-to-Live (TTL)
        //# value of zero.
        assert_ne!(ip.ttl, 0);
        assert!(bytes.len() <= 1500, "longer than the MTU");
        let own = ip.src.is_unspecified() || self.stack.is_local(ip.src);
        assert!(own || self.any_source, "sent from {:?}", ip.src);
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.6
        //= type=test
        //# When a host sends a datagram to a link-layer broadcast address,
        //# the IP destination address MUST be a legal IP broadcast or IP
        //# multicast address.
        if let Some(mac) = ip.mac {
            let group = !ip.dst.is_unicast() || ip.dst.octets16()[15] == 255;
            assert!(mac.is_unicast() || group, "{ip:?}");
        }
        (ip, proto, body)
    }

    pub fn pop(&mut self) -> Option<Packet> {
        self.out.pop_front()
    }

    /// The next packet, a segment.
    pub fn segment(&mut self) -> Segment {
        match self.pop() {
            Some(Packet::Tcp(segment)) => segment,
            other => panic!("a segment was due, not {other:?}"),
        }
    }

    pub fn datagram(&mut self) -> Datagram {
        match self.pop() {
            Some(Packet::Udp(datagram)) => datagram,
            other => panic!("a datagram was due, not {other:?}"),
        }
    }

    pub fn icmp(&mut self) -> Icmp {
        match self.pop() {
            Some(Packet::Icmp(icmp)) => icmp,
            other => panic!("an ICMP message was due, not {other:?}"),
        }
    }

    /// The next packet is this segment.
    #[track_caller]
    pub fn expect(&mut self, due: Tcp) -> Segment {
        let Some(packet) = self.pop() else {
            panic!("{due:?} was due, nothing came");
        };
        let Packet::Tcp(got) = packet else {
            panic!("{due:?} was due, not {packet:?}");
        };
        assert_eq!(got.tcp.flags, due.flags, "flags of {got:?}");
        assert_eq!(got.ip.dst, due.src.unwrap_or(self.peer), "{got:?}");
        assert_eq!(got.ip.src, due.dst.unwrap_or(self.us), "{got:?}");
        assert_eq!(
            (got.tcp.dst_port, got.tcp.src_port),
            (
                due.peer_port.unwrap_or(PEER_PORT),
                due.port.unwrap_or(got.tcp.src_port)
            ),
            "{got:?}"
        );
        if let Some(seq) = due.seq {
            assert_eq!(got.tcp.seq, seq, "sequence number of {got:?}");
        }
        if let Some(ack) = due.ack {
            assert_eq!(got.tcp.ack, ack, "acknowledgment of {got:?}");
        }
        if let Some(win) = due.win {
            assert_eq!(got.tcp.window, win, "window of {got:?}");
        }
        if let Some(urg) = due.urg {
            assert_eq!(got.tcp.urgent, urg, "urgent pointer of {got:?}");
        }
        if let Some(options) = due.options {
            assert_eq!(got.tcp.options, options);
        }
        assert!(
            got.data == due.data,
            "{} bytes of data were due, not {}",
            due.data.len(),
            got.data.len()
        );
        got
    }

    /// Nothing (more) came out.
    #[track_caller]
    pub fn silent(&mut self) {
        self.pump();
        if let Some(packet) = self.out.front() {
            panic!("nothing was due, not {packet:?}");
        }
    }

    /// Lets time pass, the stack being called whenever it asked for it.
    pub fn pass(&mut self, micros: u64) {
        let end = self.now.plus_micros(micros);
        loop {
            self.pump();
            match self.stack.next_deadline() {
                Some(due) if due <= end => {
                    // A deadline that stays where it is would be a busy loop.
                    self.now = due.max(self.now.plus_micros(1)).min(end);
                    if self.now == end {
                        break;
                    }
                }
                _ => break,
            }
        }
        self.now = end;
        self.pump();
    }

    pub fn pass_ms(&mut self, millis: u64) {
        self.pass(millis * 1_000);
    }

    pub fn pass_s(&mut self, seconds: u64) {
        self.pass(seconds * 1_000_000);
    }

    /// Everything that came out, as text.
    pub fn dump(&self) {
        for frame in &self.raw {
            match self.setup.link {
                Link::Ip => println!("{}", describe::Ip(frame)),
                Link::Ethernet => println!("{:#}", describe::Ethernet(frame)),
            }
        }
    }

    // ---- connections ----

    pub fn listen(&mut self, port: u16) -> ListenerHandle {
        self.stack.tcp_listen(port).unwrap()
    }

    pub fn listen_with(&mut self, port: u16, backlog: u16) -> ListenerHandle {
        let options = ListenOptions {
            backlog,
            ..ListenOptions::default()
        };
        self.stack.tcp_listen_with(port.into(), options).unwrap()
    }

    /// The peer opens a connection to [`PORT`] and it is accepted. No options but MSS.
    pub fn accepted(&mut self, listener: ListenerHandle, peer_port: u16) -> Conn {
        self.send(tcp("S").peer_port(peer_port).mss(1460));
        let syn_ack = self.expect(tcp("S.").ack(IRS + 1).peer_port(peer_port));
        let (seq, ack) = (IRS + 1, syn_ack.tcp.seq.wrapping_add(1));
        self.send(tcp(".").seq(seq).ack(ack).peer_port(peer_port));
        let handle = self.stack.tcp_accept(listener).unwrap().unwrap();
        self.silent();
        Conn {
            peer_port,
            port: PORT,
            seq,
            ack,
            handle,
        }
    }

    /// The stack opens a connection to the peer's [`PEER_PORT`].
    pub fn connected(&mut self) -> Conn {
        let to = self.peer_at(PEER_PORT);
        let handle = self.stack.tcp_connect(to).unwrap();
        self.pump();
        let syn = self.expect(tcp("S"));
        let conn = Conn {
            peer_port: PEER_PORT,
            port: syn.tcp.src_port,
            seq: IRS,
            ack: syn.tcp.seq.wrapping_add(1),
            handle,
        };
        self.send(conn.tcp("S.").mss(1460));
        let conn = Conn {
            seq: IRS + 1,
            ..conn
        };
        self.expect(conn.reply("."));
        self.silent();
        conn
    }

    pub fn write(&mut self, conn: &Conn, data: &[u8]) {
        assert_eq!(self.stack.tcp_write(conn.handle, data), Ok(data.len()));
        self.pump();
    }

    pub fn read(&mut self, conn: &Conn) -> Vec<u8> {
        let mut data = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = self.stack.tcp_read(conn.handle, &mut buffer) {
            data.extend_from_slice(&buffer[..n]);
        }
        self.pump();
        data
    }

    /// An ICMP error that quotes a packet of the stack's arrives from a router.
    pub fn icmp_about(&mut self, kind: (u8, u8), rest: u32, quoted: &[u8]) {
        let router = self.pick(addr("10.0.0.254"), addr("fd00::fe"));
        self.send_icmp(router, kind.0, kind.1, rest.to_be_bytes(), quoted);
    }
}
