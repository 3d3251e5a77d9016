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
