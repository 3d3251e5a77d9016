//! A stack, and in any order: frames of bytes, frames built with care, time, calls, full devices.
//!
//! Built segments are placed relative to what the stack last sent to the same peer, so that a
//! short input gets through a handshake and far beyond.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::VecDeque;

use arbitrary::Unstructured;
use netloom_stack::driver::{FrameSink, Full, Instant, RxChecksum, RxMeta, TxCaps, TxMeta};
use netloom_stack::tcp::{How, ListenOptions};
use netloom_stack::{
    Config, Event, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack, Storage,
    TcpHandle, UdpHandle,
};
use netloom_wire::{
    Addr, ArpOperation, ArpRepr, EtherType, EthernetRepr, EthernetView, Icmpv4Repr, Icmpv6Repr,
    IpView, Ipv4Repr, Ipv6Repr, MacAddr, SackBlocks, Sum, TcpFlags, TcpOptions, TcpRepr,
    Timestamps, UdpRepr, protocol,
};

const IFACE: IfaceId = IfaceId::FIRST;
const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const PORTS: [u16; 4] = [80, 81, 5000, 5001];

/// Runs one script.
pub fn run(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let _ = script(&mut u);
}

fn script(u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let choice: u8 = u.arbitrary()?;
    let ethernet = choice & 1 == 0;
    if choice & 2 == 0 {
        let limits = Limits {
            connections: 64,
            half_open: 8,
            time_wait: 8,
            buffers: 1 << 20,
            packets: 1 << 12,
            loopback: 1 << 14,
            ..Limits::default()
        };
        let stack = Stack::with_heap(config(ethernet), limits, Seed::from([7; 32]));
        return World::new(stack, ethernet).play(u);
    }
    // Lent memory must live as long as the program; a fuzzer cannot leak that much.
    let storage = Box::into_raw(Box::new(Storage::<4, 2, 2, 2048, 2048>::new()));
    // SAFETY: the box is valid and nobody else has it. The stack, the only one who keeps the
    // reference, is dropped before the box is.
    let lent = unsafe { &mut *storage };
    let mut world = World::new(
        Stack::new(config(ethernet), lent, Seed::from([7; 32])),
        ethernet,
    );
    let played = world.play(u);
    drop(world);
    // SAFETY: made by `Box::into_raw` above; the reference died with the stack.
    drop(unsafe { Box::from_raw(storage) });
    played
}

fn config(ethernet: bool) -> Config {
    let interface = if ethernet {
        InterfaceConfig::ethernet(OUR_MAC)
    } else {
        InterfaceConfig::ip()
    };
    let mut config = Config::new(interface)
        .address("10.0.0.1/24".parse().expect("an address"))
        .address("fd00::1/64".parse().expect("an address"))
        .gateway(Addr::v4([10, 0, 0, 2]));
    config.tunables.tcp_rmem = 8192;
    config.tunables.tcp_wmem = 8192;
    config
}

/// The device: keeps the last frames, and has room for so many more.
struct Device {
    frames: VecDeque<Vec<u8>>,
    room: usize,
    caps: TxCaps,
}

impl FrameSink for Device {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        assert!(meta.checksum.is_none() || self.caps.checksum);
        assert!(meta.gso.is_none() || self.caps.gso_max > 0);
        let most = match meta.gso {
            Some(_) => self.caps.gso_max as usize,
            None => usize::from(self.caps.mtu),
        };
        assert!(len <= most + 14, "{len} bytes for an MTU of {most}");
        if self.room == 0 {
            return Err(Full);
        }
        self.room -= 1;
        let mut frame = vec![0xAA; len];
        fill(&mut frame);
        self.frames.push_back(frame);
        if self.frames.len() > 64 {
            self.frames.pop_front();
        }
        Ok(())
    }
}

/// What the stack last said to a peer.
#[derive(Clone, Copy)]
struct Flow {
    local: u16,
    remote: u16,
    v6: bool,
    /// The sequence number the stack will use next.
    nxt: u32,
    /// What it acknowledged last.
    ack: u32,
    tsval: u32,
}

struct World {
    stack: Stack,
    now: Instant,
    device: Device,
    ethernet: bool,
    flows: Vec<Flow>,
    conns: Vec<TcpHandle>,
    listeners: Vec<ListenerHandle>,
    sockets: Vec<UdpHandle>,
}

impl World {
    fn new(stack: Stack, ethernet: bool) -> World {
        World {
            stack,
            now: Instant::from_secs(100),
            device: Device {
                frames: VecDeque::new(),
                room: usize::MAX,
                caps: TxCaps::plain(1500),
            },
            ethernet,
            flows: Vec::new(),
            conns: Vec::new(),
            listeners: Vec::new(),
            sockets: Vec::new(),
        }
    }

    fn play(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if u.ratio(3, 4)? {
            self.listen(u)?;
        }
        let mut steps = 0;
        while !u.is_empty() && steps < 300 {
            steps += 1;
            match u.int_in_range(0..=15u8)? {
                0 => {
                    let len = u.int_in_range(0..=200)?;
                    let frame = u.bytes(len.min(u.len()))?.to_vec();
                    self.receive(&frame, u)?;
                }
                1 => {
                    let (v6, protocol) = (u.arbitrary()?, u.arbitrary()?);
                    let len = u.int_in_range(0..=100)?;
                    let payload = u.bytes(len.min(u.len()))?.to_vec();
                    self.packet(u, v6, protocol, &payload)?;
                }
                2..=6 => self.segment(u)?,
                7 => self.datagram(u)?,
                8 => self.icmp(u)?,
                9 => self.link(u)?,
                10 => self.echo_back(u)?,
                11 => self.pass(u)?,
                12 | 13 => self.call(u)?,
                14 => self.device_changes(u)?,
                _ => self.transmit(),
            }
            self.check();
        }
        // Whatever happened, it can all be ended.
        self.device.room = usize::MAX;
        for conn in core::mem::take(&mut self.conns) {
            let _ = self.stack.tcp_abort(conn);
            let _ = self.stack.tcp_close(conn);
        }
        self.settle();
        self.check();
        Ok(())
    }

    fn check(&mut self) {
        if let Err(imbalance) = self.stack.counters().balance() {
            panic!("{imbalance:?}");
        }
        let _ = self.stack.next_deadline();
        for turn in 0.. {
            assert!(turn < 10_000, "events without end");
            match self.stack.poll_event() {
                None => break,
                Some(Event::Acceptable(listener)) => {
                    if let Ok(Some(conn)) = self.stack.tcp_accept(listener) {
                        self.conns.push(conn);
                    }
                }
                Some(Event::Tcp(conn, ready)) => {
                    assert_eq!(
                        self.stack.tcp_readiness(conn).map(|r| r.closed),
                        Ok(ready.closed)
                    );
                }
                Some(_) => {}
            }
        }
    }

    fn transmit(&mut self) {
        let sent = self.stack.transmit(self.now, IFACE, &mut self.device);
        assert!(sent.frames < 5_000, "a turn that does not end");
        assert!(!sent.blocked || self.device.room == 0);
        let new = sent.frames.min(64).min(self.device.frames.len());
        let first = self.device.frames.len() - new;
        for frame in self.device.frames.iter().skip(first) {
            remember(&mut self.flows, frame, self.ethernet);
        }
    }

    /// Lets the stack do all it owes now: it must come to an end, and then wait for later.
    fn settle(&mut self) {
        for turn in 0.. {
            assert!(
                turn < 100,
                "due again and again: {:?}",
                self.stack.next_deadline()
            );
            self.transmit();
            match self.stack.next_deadline() {
                Some(at) if at <= self.now => {}
                _ => break,
            }
        }
    }

    fn receive(&mut self, frame: &[u8], u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let meta = match u.int_in_range(0..=15u8)? {
            0 => RxMeta {
                checksum: RxChecksum::Verified,
                gso_size: u.arbitrary()?,
            },
            _ => RxMeta::default(),
        };
        self.stack.receive(self.now, IFACE, frame, &meta);
        Ok(())
    }

    /// An IP packet to the stack, with a valid header.
    fn packet(
        &mut self,
        u: &mut Unstructured<'_>,
        v6: bool,
        protocol: u8,
        payload: &[u8],
    ) -> arbitrary::Result<()> {
        let (src, dst) = addresses(u, v6)?;
        self.wrap(u, src, dst, protocol, payload)
    }

    fn wrap(
        &mut self,
        u: &mut Unstructured<'_>,
        src: Addr,
        dst: Addr,
        protocol: u8,
        payload: &[u8],
    ) -> arbitrary::Result<()> {
        let mut packet = vec![0; 40 + payload.len()];
        let header = if dst.is_v4() {
            let mut repr = Ipv4Repr::new(src, dst, protocol, payload.len() as u16);
            if u.ratio(1, 16)? {
                repr.ttl = u.arbitrary()?;
                repr.tos = u.arbitrary()?;
                repr.more_fragments = u.arbitrary()?;
                repr.fragment_offset = u.arbitrary::<u16>()? & !7;
                repr.dont_fragment = false;
            } else if u.ratio(1, 16)? {
                repr.ttl = 255;
            }
            repr.emit(&mut packet).expect("it fits").len()
        } else {
            let mut repr = Ipv6Repr::new(src, dst, protocol, payload.len() as u16);
            if protocol == protocol::ICMPV6 || u.ratio(1, 16)? {
                repr.hop_limit = 255;
            }
            repr.emit(&mut packet).expect("it fits").len()
        };
        let header = packet.len() - header;
        packet.truncate(header + payload.len());
        packet[header..].copy_from_slice(payload);
        if !self.ethernet {
            return self.receive(&packet, u);
        }
        let mut frame = vec![0; 14 + packet.len()];
        let repr = EthernetRepr {
            dst: if u.ratio(1, 16)? {
                MacAddr([0xff; 6])
            } else {
                OUR_MAC
            },
            src: PEER_MAC,
            ethertype: if dst.is_v4() {
                EtherType::IPV4
            } else {
                EtherType::IPV6
            },
            vlan: None,
        };
        repr.emit(&mut frame).expect("it fits");
        frame[14..].copy_from_slice(&packet);
        self.receive(&frame, u)
    }

    /// A TCP segment with a valid checksum, relative to what the stack said last.
    fn segment(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let new = self.flows.is_empty() || u.ratio(1, 4)?;
        let flow = if new {
            Flow {
                local: PORTS[u.choose_index(PORTS.len())?],
                remote: 1000 + u16::from(u.arbitrary::<u8>()? & 15),
                v6: u.arbitrary()?,
                nxt: 0,
                ack: 5_000,
                tsval: 0,
            }
        } else {
            self.flows[u.choose_index(self.flows.len())?]
        };
        let flags = match u.int_in_range(0..=7u8)? {
            _ if new && u.ratio(7, 8)? => TcpFlags::SYN,
            0 => TcpFlags(u.int_in_range(0..=0x1ffu16)?),
            1 => TcpFlags::RST | TcpFlags::ACK,
            2 => TcpFlags::FIN | TcpFlags::ACK,
            3 => TcpFlags::SYN | TcpFlags::ACK,
            _ => TcpFlags::ACK,
        };
        let mut options = TcpOptions::default();
        if flags.contains(TcpFlags::SYN) {
            options.mss = u.arbitrary()?;
            options.window_scale = if u.arbitrary()? {
                Some(u.int_in_range(0..=14)?)
            } else {
                None
            };
            options.sack_permitted = u.arbitrary()?;
        } else if u.ratio(1, 4)? {
            let mut sack = SackBlocks::default();
            let left = flow.nxt.wrapping_add(delta(u)?);
            let _ = sack.push(left, left.wrapping_add(delta(u)?));
            options.sack = sack;
        }
        if u.ratio(3, 4)? {
            options.timestamps = Some(Timestamps {
                value: (self.now.as_micros() / 1000) as u32,
                echo: flow.tsval,
            });
        }
        let len = match u.int_in_range(0..=3u8)? {
            0 => u.int_in_range(0..=1400usize)?,
            1 => 1,
            _ => 0,
        };
        let repr = TcpRepr {
            src_port: flow.remote,
            dst_port: flow.local,
            seq: flow.ack.wrapping_add(delta(u)?),
            ack: flow.nxt.wrapping_add(delta(u)?),
            flags,
            window: u.arbitrary()?,
            urgent: if u.ratio(1, 16)? { u.arbitrary()? } else { 0 },
            options,
        };
        let (src, dst) = if u.ratio(15, 16)? {
            (peer(flow.v6), ours(flow.v6))
        } else {
            addresses(u, flow.v6)?
        };
        let mut segment = vec![0x5A; repr.header_len() + len];
        if repr.emit(&mut segment).is_err() {
            return Ok(());
        }
        let header = repr.header_len();
        let sum = Sum::new().add(&segment[header..]);
        let sum = netloom_wire::tcp::checksum(&src, &dst, &segment[..header], len, sum);
        netloom_wire::tcp::set_checksum(&mut segment, sum);
        self.wrap(u, src, dst, protocol::TCP, &segment)
    }

    fn datagram(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let v6 = u.arbitrary()?;
        let (src, dst) = addresses(u, v6)?;
        let payload = vec![0x42; u.int_in_range(0..=600)?];
        let repr = UdpRepr {
            src_port: u.arbitrary()?,
            dst_port: PORTS[u.choose_index(PORTS.len())?],
            payload_len: payload.len() as u16,
        };
        let mut datagram = vec![0; 8];
        repr.emit(&mut datagram).expect("it fits");
        datagram.extend_from_slice(&payload);
        let sum = repr.checksum(&src, &dst, Sum::new().add(&payload));
        netloom_wire::udp::set_checksum(&mut datagram, sum);
        self.wrap(u, src, dst, protocol::UDP, &datagram)
    }

    /// An echo request, an error about something the stack sent, or anything else.
    fn icmp(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let v6 = u.arbitrary()?;
        let (src, dst) = addresses(u, v6)?;
        let quoted = match self.device.frames.len() {
            0 => Vec::new(),
            n => {
                let frame = &self.device.frames[u.choose_index(n)?];
                let start = if self.ethernet {
                    14.min(frame.len())
                } else {
                    0
                };
                frame[start..frame.len().min(start + 128)].to_vec()
            }
        };
        let body: Vec<u8> = match u.int_in_range(0..=3u8)? {
            0 => u.bytes(u.len().min(32))?.to_vec(),
            _ => quoted,
        };
        let rest = [0, 0, u.arbitrary()?, u.arbitrary()?];
        let mut message = vec![u.arbitrary::<u8>()?, u.int_in_range(0..=7)?, 0, 0];
        if u.ratio(1, 2)? {
            message[0] = if v6 {
                [1, 2, 3, 4, 128][u.choose_index(5)?]
            } else {
                [3, 11, 12, 8, 5][u.choose_index(5)?]
            };
        }
        message.extend_from_slice(&rest);
        message.extend_from_slice(&body);
        if v6 {
            if let Ok(view) = netloom_wire::Icmpv6View::new(&message) {
                let message = Icmpv6Repr::parse(&view).to_vec(&src, &dst);
                return self.wrap(u, src, dst, protocol::ICMPV6, &message);
            }
        } else if let Ok(view) = netloom_wire::Icmpv4View::new(&message) {
            let message = Icmpv4Repr::parse(&view).to_vec();
            return self.wrap(u, src, dst, protocol::ICMP, &message);
        }
        Ok(())
    }

    /// ARP and neighbour discovery.
    fn link(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if u.arbitrary()? {
            // Neighbour solicitation or advertisement, with one option.
            let (src, dst) = (peer(true), ours(true));
            let target = if u.arbitrary()? { src } else { dst };
            let mut message = vec![u.int_in_range(134..=136)?, 0, 0, 0];
            message.extend_from_slice(&[u.arbitrary::<u8>()? & 0xe0, 0, 0, 0]);
            message.extend_from_slice(&target.v6_octets().expect("IPv6"));
            message.extend_from_slice(&[u.int_in_range(1..=2u8)?, u.int_in_range(0..=2u8)?]);
            message.extend_from_slice(&PEER_MAC.0);
            let view = netloom_wire::Icmpv6View::new(&message).expect("long enough");
            let message = Icmpv6Repr::parse(&view).to_vec(&src, &dst);
            return self.wrap(u, src, dst, protocol::ICMPV6, &message);
        }
        if !self.ethernet {
            return Ok(());
        }
        let any = |u: &mut Unstructured<'_>| addresses(u, false).map(|pair| pair.0);
        let repr = ArpRepr {
            operation: if u.arbitrary()? {
                ArpOperation::Request
            } else {
                ArpOperation::Reply
            },
            sender_mac: PEER_MAC,
            sender_ip: any(u)?,
            target_mac: OUR_MAC,
            target_ip: if u.ratio(3, 4)? { ours(false) } else { any(u)? },
        };
        let mut frame = vec![0; 42];
        let link = EthernetRepr {
            dst: OUR_MAC,
            src: PEER_MAC,
            ethertype: EtherType::ARP,
            vlan: None,
        };
        repr.emit(link.emit(&mut frame).expect("it fits"))
            .expect("it fits");
        self.receive(&frame, u)
    }

    /// Something the stack sent comes back to it, perhaps with a byte changed.
    fn echo_back(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        if self.device.frames.is_empty() {
            return Ok(());
        }
        let mut frame = self.device.frames[u.choose_index(self.device.frames.len())?].clone();
        if self.ethernet && frame.len() >= 14 {
            frame[..6].copy_from_slice(&OUR_MAC.0);
        }
        if u.arbitrary()? && !frame.is_empty() {
            let at = u.choose_index(frame.len())?;
            frame[at] = u.arbitrary()?;
        }
        self.receive(&frame, u)
    }

    fn pass(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        self.now = match u.int_in_range(0..=3u8)? {
            0 => self.now.plus_micros(u64::from(u.arbitrary::<u32>()?)),
            1 => self.now.plus_micros(u64::from(u.arbitrary::<u16>()?)),
            _ => self
                .stack
                .next_deadline()
                .map_or(self.now, |at| at.max(self.now)),
        };
        if self.device.room > 64 {
            self.settle();
        } else {
            self.transmit();
        }
        Ok(())
    }

    fn listen(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let options = ListenOptions {
            backlog: u.int_in_range(0..=4)?,
            reuse_port: u.arbitrary()?,
            ..ListenOptions::default()
        };
        let port = PORTS[u.choose_index(2)?];
        if let Ok(listener) = self.stack.tcp_listen_with(port.into(), options) {
            self.listeners.push(listener);
        }
        Ok(())
    }

    fn call(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        let what = u.int_in_range(0..=23u8)?;
        match what {
            0 => return self.listen(u),
            1 | 2 => {
                let to = remote(u)?;
                if let Ok(conn) = self.stack.tcp_connect(to) {
                    self.conns.push(conn);
                }
            }
            3 => {
                if let Ok(socket) = self.stack.udp_bind(PORTS[u.choose_index(PORTS.len())?]) {
                    self.sockets.push(socket);
                }
            }
            4 => {
                let cidr = if u.arbitrary()? {
                    "10.0.0.9/24"
                } else {
                    "fd00::9/64"
                };
                let cidr: netloom_wire::Cidr = cidr.parse().expect("an address");
                let _ = self.stack.add_address(IFACE, cidr);
            }
            5 => {
                let v6 = u.arbitrary()?;
                let addr = if u.ratio(1, 4)? {
                    ours(v6)
                } else {
                    addresses(u, v6)?.1
                };
                let _ = self.stack.remove_address(IFACE, addr);
            }
            6 => {
                if let Some(listener) = pick(u, &self.listeners)? {
                    let _ = self.stack.tcp_close_listener(listener);
                }
            }
            7 => {
                if let Some(listener) = pick(u, &self.listeners)? {
                    if let Ok(Some(conn)) = self.stack.tcp_accept(listener) {
                        self.conns.push(conn);
                    }
                }
            }
            8..=12 => {
                let Some(socket) = pick(u, &self.sockets)? else {
                    return Ok(());
                };
                let mut buffer = [0; 700];
                match what {
                    8 => drop(self.stack.udp_send_to(
                        socket,
                        &buffer[..u.int_in_range(0..=700)?],
                        remote(u)?,
                    )),
                    9 => drop(self.stack.udp_recv(socket, &mut buffer)),
                    10 => drop(self.stack.udp_connect(socket, remote(u)?)),
                    11 => {
                        let at = self.now.plus_micros(u64::from(u.arbitrary::<u16>()?));
                        let _ = self.stack.udp_wake_at(socket, Some(at));
                    }
                    _ => drop(self.stack.udp_close(socket)),
                }
            }
            _ => {
                let Some(conn) = pick(u, &self.conns)? else {
                    return Ok(());
                };
                return self.tcp_call(u, what, conn);
            }
        }
        Ok(())
    }

    fn tcp_call(
        &mut self,
        u: &mut Unstructured<'_>,
        what: u8,
        conn: TcpHandle,
    ) -> arbitrary::Result<()> {
        match what {
            13 | 14 => {
                let data = vec![0x33; u.int_in_range(0..=5000)?];
                if let Ok(n) = self.stack.tcp_write(conn, &data) {
                    assert!(n <= data.len());
                }
            }
            15 | 16 => {
                let mut buffer = vec![0; u.int_in_range(0..=5000)?];
                let readable = self.stack.tcp_readable(conn);
                if let Ok(n) = self.stack.tcp_read(conn, &mut buffer) {
                    assert_eq!(readable.map(|r| r.min(buffer.len())), Ok(n));
                    assert!(
                        buffer[..n].iter().all(|b| *b == 0x5A || *b == 0x33),
                        "old memory"
                    );
                }
            }
            17 => {
                let how = [How::Read, How::Write, How::Both][u.choose_index(3)?];
                let _ = self.stack.tcp_shutdown(conn, how);
            }
            18 => drop(self.stack.tcp_close(conn)),
            19 => drop(self.stack.tcp_abort(conn)),
            20 => {
                let most = u.arbitrary::<u16>()?;
                let _ = self.stack.tcp_write_with(conn, usize::from(most), |space| {
                    space.fill(0x33);
                    space.len()
                });
            }
            21 => {
                let most = usize::from(u.arbitrary::<u16>()?);
                let _ = self
                    .stack
                    .tcp_read_with(conn, |a, b| (a.len() + b.len()).min(most));
            }
            22 => {
                let _ = self.stack.tcp_set_receive_buffer(conn, u.arbitrary()?);
                let _ = self.stack.tcp_set_send_buffer(conn, u.arbitrary()?);
                let _ = self.stack.tcp_set_nodelay(conn, u.arbitrary()?);
            }
            _ => {
                let _ = self.stack.tcp_info(conn);
                let _ = self.stack.tcp_state(conn);
                let _ = self.stack.tcp_close_reason(conn);
                let _ = self.stack.tcp_peer_addr(conn);
            }
        }
        Ok(())
    }

    fn device_changes(&mut self, u: &mut Unstructured<'_>) -> arbitrary::Result<()> {
        self.device.room = match u.int_in_range(0..=3u8)? {
            0 => 0,
            1 => u.int_in_range(0..=3)?,
            _ => usize::MAX,
        };
        if u.ratio(1, 4)? {
            self.device.caps = TxCaps {
                mtu: 1500,
                checksum: u.arbitrary()?,
                gso_max: if u.arbitrary()? { 65_535 } else { 0 },
            };
        }
        Ok(())
    }
}

/// Notes what a frame the stack sent tells of its connection.
fn remember(flows: &mut Vec<Flow>, frame: &[u8], ethernet: bool) {
    let ip = if ethernet {
        EthernetView::new(frame).and_then(|view| view.ip())
    } else {
        IpView::new(frame)
    };
    let Ok(ip) = ip else { return };
    let Ok(tcp) = ip.tcp() else { return };
    let v6 = ip.dst().is_v6();
    let repr = TcpRepr::parse(&tcp).ok();
    let flow = Flow {
        local: tcp.src_port(),
        remote: tcp.dst_port(),
        v6,
        nxt: tcp.seq().wrapping_add(tcp.sequence_len()),
        ack: tcp.ack(),
        tsval: repr
            .and_then(|r| r.options.timestamps)
            .map_or(0, |t| t.value),
    };
    let same = |f: &&mut Flow| (f.local, f.remote, f.v6) == (flow.local, flow.remote, v6);
    match flows.iter_mut().find(same) {
        Some(known) => *known = flow,
        None => {
            if flows.len() > 31 {
                flows.remove(0);
            }
            flows.push(flow);
        }
    }
}

fn ours(v6: bool) -> Addr {
    if v6 {
        Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    } else {
        Addr::v4([10, 0, 0, 1])
    }
}

fn peer(v6: bool) -> Addr {
    if v6 {
        Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2])
    } else {
        Addr::v4([10, 0, 0, 2])
    }
}

/// Mostly from the peer to us; sometimes from and to what has a meaning of its own.
fn addresses(u: &mut Unstructured<'_>, v6: bool) -> arbitrary::Result<(Addr, Addr)> {
    let any = |u: &mut Unstructured<'_>, usual: Addr| -> arbitrary::Result<Addr> {
        if u.ratio(7, 8)? {
            return Ok(usual);
        }
        Ok(if v6 {
            let mut octets = [0; 16];
            octets[15] = u.arbitrary()?;
            octets[0] = [0xfd, 0xfe, 0xff, 0][u.choose_index(4)?];
            octets[1] = [0, 0x80, 0x02, 0x0e][u.choose_index(4)?];
            Addr::v6(octets)
        } else {
            let last = u.arbitrary()?;
            let special = [
                [10, 0, 0, last],
                [10, 0, 0, 255],
                [255, 255, 255, 255],
                [224, 0, 0, last],
                [127, 0, 0, 1],
                [0, 0, 0, 0],
                [192, 0, 2, last],
            ];
            Addr::v4(special[u.choose_index(special.len())?])
        })
    };
    Ok((any(u, peer(v6))?, any(u, ours(v6))?))
}

fn remote(u: &mut Unstructured<'_>) -> arbitrary::Result<SocketAddr> {
    let port = match u.int_in_range(0..=3u8)? {
        0 => PORTS[u.choose_index(PORTS.len())?],
        _ => 1000 + u16::from(u.arbitrary::<u8>()? & 15),
    };
    let addr = match u.int_in_range(0..=7u8)? {
        0 => IpAddr::V4(Ipv4Addr::LOCALHOST),
        1 => IpAddr::V6(Ipv6Addr::LOCALHOST),
        2 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        3 => IpAddr::V4(Ipv4Addr::new(10, 0, 0, u.arbitrary()?)),
        4 | 5 => IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2)),
        _ => IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    };
    Ok(SocketAddr::new(addr, port))
}

/// Mostly none, sometimes small, sometimes anything.
fn delta(u: &mut Unstructured<'_>) -> arbitrary::Result<u32> {
    Ok(match u.int_in_range(0..=7u8)? {
        0 => u.arbitrary()?,
        1 => u32::from(u.arbitrary::<u16>()?),
        2 => u32::from(u.arbitrary::<u8>()?),
        3 => u32::from(u.arbitrary::<u8>()?).wrapping_neg(),
        _ => 0,
    })
}

/// One of them, old ones too: their handles must be errors, not more.
fn pick<T: Copy>(u: &mut Unstructured<'_>, from: &[T]) -> arbitrary::Result<Option<T>> {
    if from.is_empty() {
        return Ok(None);
    }
    Ok(Some(from[u.choose_index(from.len())?]))
}
