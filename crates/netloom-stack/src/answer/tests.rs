use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use netloom_driver::{FrameQueue, Instant, RxMeta};
use netloom_wire::arp::{ArpOperation, ArpRepr};
use netloom_wire::checksum::Sum;
use netloom_wire::{
    Addr, EtherType, EthernetRepr, Frame, Ipv4Repr, MacAddr, TcpFlags, TcpHeader, TcpOptionWords,
    protocol,
};

use crate::{Config, IfaceId, Seed, Stack, Storage};

const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const THEIRS: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const US: Addr = Addr::v4([10, 0, 0, 1]);
const PEER: Addr = Addr::v4([10, 0, 0, 2]);
const NOW: Instant = Instant::from_secs(1);

fn stack() -> Stack {
    let config = Config::ethernet(OURS).address("10.0.0.1/24".parse().unwrap());
    let storage = Box::leak(Box::new(Storage::<2, 1, 0, 1024, 1024>::new()));
    Stack::new(config, storage, Seed::from([1; 32]))
}

/// A frame from the peer.
fn frame(ethertype: EtherType, packet: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14 + packet.len()];
    let header = EthernetRepr {
        dst: OURS,
        src: THEIRS,
        ethertype,
        vlan: None,
    };
    header.emit(&mut frame).unwrap().copy_from_slice(packet);
    frame
}

/// An IPv4 packet from the peer with that many bytes of options, all of them no operation.
fn ipv4(protocol: u8, options: usize, payload: &[u8]) -> Vec<u8> {
    let len = options + payload.len();
    let mut packet = vec![0; 20 + len];
    let header = Ipv4Repr::new(PEER, US, protocol, len as u16);
    header.emit(&mut packet).unwrap();
    packet[0] += (options / 4) as u8;
    packet[20..20 + options].fill(1);
    packet[20 + options..].copy_from_slice(payload);
    packet[10..12].fill(0);
    let sum = Sum::new().add(&packet[..20 + options]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// What a frame is answered by, at once; nothing is left to be sent.
fn answer(stack: &mut Stack, mut frame: Vec<u8>) -> Vec<u8> {
    let meta = RxMeta::default();
    let len = stack.receive_answering(NOW, IfaceId::FIRST, &mut frame, &meta);
    frame.truncate(len);
    let mut wire = FrameQueue::default();
    let _ = stack.transmit(NOW, IfaceId::FIRST, &mut wire);
    assert!(wire.frames.is_empty());
    if len > 0 {
        assert_eq!((&frame[..6], &frame[6..12]), (&THEIRS.0[..], &OURS.0[..]));
    }
    frame
}

fn echo(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 1, 2, 3, 4];
    message.extend_from_slice(data);
    let sum = Sum::new().add(&message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

#[test]
fn echo_requests_are_answered_with_their_data_and_without_their_options() {
    let mut stack = stack();
    let data: Vec<u8> = (0..=255).cycle().take(1400).collect();
    for (options, len) in [(0, 0), (0, 1), (4, 56), (40, 0), (40, 3), (40, 1400)] {
        let request = ipv4(protocol::ICMP, options, &echo(8, &data[..len]));
        let reply = answer(&mut stack, frame(EtherType::IPV4, &request));
        let header = Frame::new(&reply[14..]).ipv4().unwrap();
        assert!(header.checksum_valid());
        assert_eq!((header.src(), header.dst()), (US, PEER));
        assert_eq!(header.header_len(), 20);
        assert_eq!(header.payload(), echo(0, &data[..len]));
    }
}

#[test]
fn arp_requests_are_answered() {
    let mut stack = stack();
    let request = ArpRepr {
        operation: ArpOperation::Request,
        sender_mac: THEIRS,
        sender_ip: PEER,
        target_mac: MacAddr::UNSPECIFIED,
        target_ip: US,
    };
    let mut packet = [0; 28];
    request.emit(&mut packet).unwrap();
    let reply = answer(&mut stack, frame(EtherType::ARP, &packet));
    request.reply(OURS).emit(&mut packet).unwrap();
    assert_eq!(reply[12..], frame(EtherType::ARP, &packet)[12..]);
    // Who asks for another is not answered.
    let other = ArpRepr {
        target_ip: Addr::v4([10, 0, 0, 3]),
        ..request
    };
    other.emit(&mut packet).unwrap();
    assert!(answer(&mut stack, frame(EtherType::ARP, &packet)).is_empty());
}

/// A segment from the peer for a port nobody listens on.
fn segment(flags: TcpFlags, text: &[u8]) -> Vec<u8> {
    let header = TcpHeader {
        src_port: 4000,
        dst_port: 9,
        seq: 100,
        ack: 7,
        flags,
        window: 1000,
        urgent: 0,
    };
    let mut bytes = vec![0; 20 + text.len()];
    let (_, rest) = header.emit(&TcpOptionWords::new(), &mut bytes).unwrap();
    rest.copy_from_slice(text);
    let len = bytes.len() as u32;
    let sum = netloom_wire::checksum::pseudo_header(&PEER, &US, protocol::TCP, len).add(&bytes);
    netloom_wire::tcp::set_checksum(&mut bytes, sum.finish());
    ipv4(protocol::TCP, 0, &bytes)
}

#[test]
fn segments_without_a_connection_are_answered_by_a_reset() {
    let mut stack = stack();
    let syn = segment(TcpFlags::SYN, b"");
    let reply = answer(&mut stack, frame(EtherType::IPV4, &syn));
    assert_eq!(reply.len(), 14 + 40);
    let packet = Frame::new(&reply[14..]).ipv4().unwrap();
    let reset = packet.tcp().unwrap();
    assert!(packet.checksum_valid() && reset.checksum_valid(&US, &PEER));
    assert_eq!((packet.src(), packet.dst()), (US, PEER));
    assert_eq!((reset.src_port(), reset.dst_port()), (9, 4000));
    assert_eq!((reset.seq(), reset.ack()), (0, 101));
    assert_eq!(reset.flags(), TcpFlags::RST | TcpFlags::ACK);

    let text = segment(
        TcpFlags::ACK,
        b"more than the answer is long, so that it is cut",
    );
    let reply = answer(&mut stack, frame(EtherType::IPV4, &text));
    assert_eq!(reply.len(), 14 + 40);
    let packet = Frame::new(&reply[14..]).ipv4().unwrap();
    assert_eq!(packet.tcp().unwrap().seq(), 7);
    assert!(
        answer(
            &mut stack,
            frame(EtherType::IPV4, &segment(TcpFlags::RST, b""))
        )
        .is_empty()
    );
}

/// Where a frame may not be written over the answers wait for the next turn to send.
#[test]
#[cfg(feature = "hold")]
fn answers_to_frames_that_stay_wait() {
    let mut stack = stack();
    let request = ipv4(protocol::ICMP, 8, &echo(8, b"data"));
    for packet in [request, segment(TcpFlags::SYN, b"")] {
        let frame = frame(EtherType::IPV4, &packet);
        stack.add_neighbor(IfaceId::FIRST, PEER, THEIRS).unwrap();
        stack.receive(NOW, IfaceId::FIRST, &frame, &RxMeta::default());
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(NOW, IfaceId::FIRST, &mut wire);
        assert_eq!(wire.frames.len(), 1);
        let answered = answer(&mut stack, frame);
        assert_eq!(wire.frames[0], answered);
    }
}

/// The SYN of a peer without options, 40 bytes on a link without addresses.
#[cfg(feature = "syn-cookies")]
fn bare_syn(src_port: u16, dst_port: u16) -> Vec<u8> {
    let mut packet = segment(TcpFlags::SYN, b"");
    packet[20..22].copy_from_slice(&src_port.to_be_bytes());
    packet[22..24].copy_from_slice(&dst_port.to_be_bytes());
    packet[36..38].fill(0);
    let len = (packet.len() - 20) as u32;
    let sum = netloom_wire::checksum::pseudo_header(&PEER, &US, protocol::TCP, len)
        .add(&packet[20..])
        .finish();
    netloom_wire::tcp::set_checksum(&mut packet[20..], sum);
    packet
}

/// A SYN cookie offers an MSS: it is longer than a SYN without options, whose frame cannot hold it.
/// `Driver::receive_answering`: "whose length it returns, at most the frame's own".
#[test]
#[cfg(feature = "syn-cookies")]
fn a_cookie_is_no_longer_than_the_frame_it_is_made_of() {
    for ethernet in [false, true] {
        let config = if ethernet {
            Config::ethernet(OURS)
        } else {
            Config::ip()
        };
        let config = config.address("10.0.0.1/24".parse().unwrap());
        let storage = Box::leak(Box::new(Storage::<2, 1, 0, 1024, 1024>::new()));
        let mut stack = Stack::new(config, storage, Seed::from([1; 32]));
        stack.tcp_listen(7).unwrap();
        for port in 4000..4003 {
            let syn = bare_syn(port, 7);
            let mut frame = if ethernet {
                frame(EtherType::IPV4, &syn)
            } else {
                syn.clone()
            };
            let whole = frame.len();
            let len = stack.receive_answering(NOW, IfaceId::FIRST, &mut frame, &RxMeta::default());
            assert!(
                len <= whole,
                "an answer of {len} bytes in a frame of {whole}"
            );
            if len > 0 {
                let link = if ethernet { 14 } else { 0 };
                let answer = Frame::new(&frame[link..len]).ipv4().unwrap();
                assert_eq!((answer.src(), answer.dst()), (US, PEER));
            }
        }
    }
}

/// What an acknowledgment of a handshake tells, our initial sequence number, is for the station
/// that the peer's address belongs to: another that only borrows the address is not to learn it.
/// Here the program has even said for good which station that is.
#[test]
fn our_sequence_number_goes_to_the_peers_station_alone() {
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 3]);
    let mut stack = stack();
    stack.add_neighbor(IfaceId::FIRST, PEER, THEIRS).unwrap();
    stack.tcp_listen(9).unwrap();
    let meta = RxMeta::default();
    let from_other = |packet: &[u8]| {
        let mut frame = frame(EtherType::IPV4, packet);
        frame[6..12].copy_from_slice(&OTHER.0);
        frame
    };
    // In the peer's name: its SYN-ACK goes to the peer, and OTHER does not see it.
    let mut syn = from_other(&segment(TcpFlags::SYN, b""));
    let len = stack.receive_answering(NOW, IfaceId::FIRST, &mut syn, &meta);
    assert_eq!(len, 0);
    let mut wire = FrameQueue::default();
    let _ = stack.transmit(NOW, IfaceId::FIRST, &mut wire);
    assert_eq!(wire.frames[0][..6], THEIRS.0);
    let syn_ack = Frame::new(&wire.frames[0][14..]).ipv4().unwrap();
    let iss = syn_ack.tcp().unwrap().seq();
    // A segment that is not acceptable (SEG.SEQ 100 is the SYN's) is acknowledged.
    let mut old = from_other(&segment(TcpFlags::ACK, b""));
    let len = stack.receive_answering(NOW, IfaceId::FIRST, &mut old, &meta);
    old.truncate(len);
    if len > 0 && old[..6] == OTHER.0 {
        let told = Frame::new(&old[14..]).ipv4().unwrap();
        let told = told.tcp().unwrap().seq();
        assert_ne!(told, iss.wrapping_add(1), "the whole of what is secret");
    }
}

/// `neighbor.rs`: entries "that were never used (a flood of solicitations) [...] are the first to be
/// evicted and are replaced by one another, so that neighbours in use stay".
#[test]
#[cfg(not(feature = "nud"))]
fn a_flood_of_requests_costs_no_neighbour_in_use_its_place() {
    let mut stack = stack();
    stack.tcp_listen(9).unwrap();
    let meta = RxMeta::default();
    let mut ask = |stack: &mut Stack, now, ip: Addr, mac: MacAddr| {
        let request = ArpRepr {
            operation: ArpOperation::Request,
            sender_mac: mac,
            sender_ip: ip,
            target_mac: MacAddr::UNSPECIFIED,
            target_ip: US,
        };
        let mut packet = [0; 28];
        request.emit(&mut packet).unwrap();
        let mut frame = frame(EtherType::ARP, &packet);
        stack.receive_answering(now, IfaceId::FIRST, &mut frame, &meta)
    };
    assert_eq!(ask(&mut stack, NOW, PEER, THEIRS), 42);
    // It is sent to: a SYN-ACK.
    let now = NOW.plus_micros(3_000_000);
    let mut syn = frame(EtherType::IPV4, &segment(TcpFlags::SYN, b""));
    stack.receive_answering(now, IfaceId::FIRST, &mut syn, &meta);
    let mut wire = FrameQueue::default();
    let _ = stack.transmit(now, IfaceId::FIRST, &mut wire);
    assert_eq!(wire.frames[0][..6], THEIRS.0);
    for last in 11..15 {
        let mac = MacAddr([2, 0, 0, 0, 0, last]);
        ask(&mut stack, now, Addr::v4([10, 0, 0, last]), mac);
    }
    let known = |n: &crate::neighbor::Neighbor| *n.addr() == PEER && n.mac().is_some();
    assert!(stack.neighbors().any(known));
}

/// A segment between any two addresses and ports, without options, as a bare IPv4 packet.
fn bare(src: Addr, dst: Addr, src_port: u16, header: TcpHeader, text: &[u8]) -> Vec<u8> {
    let header = TcpHeader { src_port, ..header };
    let mut bytes = vec![0; 20 + text.len()];
    let (_, rest) = header.emit(&TcpOptionWords::new(), &mut bytes).unwrap();
    rest.copy_from_slice(text);
    let len = bytes.len() as u32;
    let sum = netloom_wire::checksum::pseudo_header(&src, &dst, protocol::TCP, len).add(&bytes);
    netloom_wire::tcp::set_checksum(&mut bytes, sum.finish());
    let mut packet = vec![0; 20];
    Ipv4Repr::new(src, dst, protocol::TCP, bytes.len() as u16)
        .emit(&mut packet)
        .unwrap();
    packet.extend_from_slice(&bytes);
    packet
}

/// A connection that ends by a segment gives its place back, and waits nowhere any more: who takes
/// the place next is on no list, least of all on that of another interface.
///
/// This holds on 64 bits. On 32 bits `taken_in_by` (tcp/input.rs) lists the place after it was freed.
#[test]
fn a_place_that_was_given_back_is_on_no_list() {
    let config = Config::ip().address("10.0.0.1/24".parse().unwrap());
    let storage = Box::leak(Box::new(Storage::<1, 1, 0, 1024, 1024>::new()));
    let mut stack = Stack::new(config, storage, Seed::from([1; 32]));
    let second = stack.add_interface(crate::InterfaceConfig::ip()).unwrap();
    stack
        .add_address(second, "10.0.1.1/24".parse().unwrap())
        .unwrap();
    stack.tcp_listen(9).unwrap();
    let text = b"text";
    // Two handshakes, one after the other: the first connection is reset by its peer at once.
    for (iface, us, peer) in [
        (IfaceId::FIRST, US, PEER),
        (second, Addr::v4([10, 0, 1, 1]), Addr::v4([10, 0, 1, 2])),
    ] {
        let header = TcpHeader {
            src_port: 0,
            dst_port: 9,
            seq: 100,
            ack: 0,
            flags: TcpFlags::SYN,
            window: 1000,
            urgent: 0,
        };
        let mut receive = |stack: &mut Stack, header, text: &[u8]| {
            let mut packet = bare(peer, us, 4000, header, text);
            stack.receive_answering(NOW, iface, &mut packet, &RxMeta::default())
        };
        assert_eq!(receive(&mut stack, header, b""), 0);
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(NOW, iface, &mut wire);
        let syn_ack = Frame::new(&wire.frames[0]).ipv4().unwrap();
        let ack = TcpHeader {
            seq: 101,
            ack: syn_ack.tcp().unwrap().seq().wrapping_add(1),
            flags: TcpFlags::ACK,
            ..header
        };
        assert_eq!(receive(&mut stack, ack, text), 0);
        if iface == second {
            break;
        }
        let _ = stack.transmit(NOW, iface, &mut wire);
        let reset = TcpHeader {
            seq: 101 + text.len() as u32,
            flags: TcpFlags::RST,
            ..ack
        };
        assert_eq!(receive(&mut stack, reset, b""), 0);
        assert_eq!(stack.tables.connections.len(), 0);
    }
    // The text of the second is acknowledged, whatever the first interface does.
    let mut wire = FrameQueue::default();
    let _ = stack.transmit(NOW, second, &mut wire);
    assert_eq!(wire.frames.len(), 1);
}
