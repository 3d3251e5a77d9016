use netloom::driver::{Direction, Instant, pcapng};

use super::*;

const US: ([u8; 4], u16) = ([10, 0, 0, 1], 1000);
const PEER: ([u8; 4], u16) = ([10, 0, 0, 2], 2000);

/// An IP packet with a TCP segment, its fields as RFC 791 and RFC 9293 lay them out.
fn segment(
    (from, to): (([u8; 4], u16), ([u8; 4], u16)),
    (seq, ack): (u32, u32),
    flags: u8,
    options: &[u8],
    len: usize,
) -> Vec<u8> {
    let header = 20 + options.len();
    let mut packet = vec![0x45, 0];
    packet.extend(((20 + header + len) as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(from.0);
    packet.extend(to.0);
    packet.extend(from.1.to_be_bytes());
    packet.extend(to.1.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([(header as u8 / 4) << 4, flags]);
    packet.extend(1000_u16.to_be_bytes());
    packet.extend([0, 0, 0, 0]);
    packet.extend(options);
    packet.resize(packet.len() + len, 0);
    packet
}

/// A capture of packets: when in milliseconds, whether it was sent here, a remark, and the packet.
fn capture(packets: &[(u64, bool, &str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = pcapng::Writer::new(Vec::new()).unwrap();
    let interface = writer.interface(pcapng::LinkType::Ip, "tun0").unwrap();
    for (millis, ours, remark, bytes) in packets {
        let direction = if *ours {
            Direction::Outbound
        } else {
            Direction::Inbound
        };
        let packet = pcapng::Packet::new(interface, Instant::from_millis(*millis), direction);
        let packet = if remark.is_empty() {
            packet
        } else {
            packet.comment(remark)
        };
        writer.packet(&packet, bytes).unwrap();
    }
    writer.into_inner()
}

const ACK: u8 = 0x10;
const OUT: (([u8; 4], u16), ([u8; 4], u16)) = (US, PEER);
const IN: (([u8; 4], u16), ([u8; 4], u16)) = (PEER, US);

/// A sequence number just before it wraps.
const FIRST: u32 = u32::MAX - 99;

#[test]
fn what_was_sent_lost_sent_again_and_acknowledged() {
    let file = capture(&[
        (0, true, "", segment(OUT, (FIRST, 1), ACK, &[], 100)),
        (1, true, "lost", segment(OUT, (0, 1), ACK, &[], 100)),
        (
            2,
            true,
            "cwnd 4000, srtt 51000 us",
            segment(OUT, (100, 1), ACK, &[], 100),
        ),
        (50, false, "", segment(IN, (1, 0), ACK, &[], 0)),
        // SACK of the third: kind 5, one block.
        (
            52,
            false,
            "",
            segment(
                IN,
                (1, 0),
                ACK,
                &[1, 1, 5, 10, 0, 0, 0, 100, 0, 0, 0, 200],
                0,
            ),
        ),
        (
            60,
            true,
            "sent again: taken as lost",
            segment(OUT, (0, 1), ACK, &[], 100),
        ),
        (110, false, "", segment(IN, (1, 200), ACK, &[], 0)),
    ]);
    let traces = read(file.as_slice()).unwrap();
    let [trace] = traces.as_slice() else {
        panic!("the other direction carries nothing: {traces:?}");
    };
    assert_eq!(trace.from, "10.0.0.1:1000".parse().unwrap());
    assert_eq!(trace.to, "10.0.0.2:2000".parse().unwrap());
    assert_eq!(trace.octets, 400);
    assert!(!trace.far_acks);
    let sent: Vec<_> = trace
        .segments
        .iter()
        .map(|s| (s.at, s.seq, s.len, s.again, s.lost))
        .collect();
    assert_eq!(
        sent,
        [
            (0.0, 0.0, 100.0, false, false),
            (0.001, 100.0, 100.0, false, true),
            (0.002, 200.0, 100.0, false, false),
            (0.06, 100.0, 100.0, true, false),
        ]
    );
    let acked: Vec<_> = trace.acks.iter().map(|a| (a.ack, a.edge)).collect();
    assert_eq!(acked, [(100.0, 1100.0), (100.0, 1100.0), (300.0, 1300.0)]);
    assert_eq!(trace.acks[1].sacked, [(200.0, 300.0)]);
    assert_eq!(trace.cwnd, [(0.002, 4000.0)]);
    assert_eq!(trace.srtt, [(0.002, 51.0)]);
    // The last acknowledgment is for what was sent twice, and measures nothing (Karn).
    assert_eq!(trace.rtt, [(0.05, 50.0)]);
    let flight: Vec<f64> = trace.flight.iter().map(|(_, octets)| *octets).collect();
    assert_eq!(flight, [100.0, 200.0, 300.0, 200.0, 200.0, 200.0, 0.0]);
}

#[test]
fn windows_are_scaled_as_the_handshake_says() {
    let scale = |shift| vec![1, 3, 3, shift];
    let file = capture(&[
        (0, true, "", segment(OUT, (FIRST, 0), 2, &scale(7), 0)),
        (
            1,
            false,
            "",
            segment(IN, (0, FIRST + 1), 0x12, &scale(3), 0),
        ),
        (2, true, "", segment(OUT, (FIRST + 1, 1), ACK, &[], 10)),
        (3, false, "", segment(IN, (1, FIRST + 11), ACK, &[], 0)),
    ]);
    let traces = read(file.as_slice()).unwrap();
    let edges: Vec<f64> = traces[0].acks.iter().map(|a| a.edge).collect();
    assert_eq!(edges, [1001.0, 11.0 + 8000.0]);
}

#[test]
fn what_is_no_capture_says_so() {
    let error = read(b"a letter from home".as_slice()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let whole = capture(&[(0, true, "", segment(OUT, (0, 1), ACK, &[], 5))]);
    assert!(read(&whole[..whole.len() - 3]).is_err());
    assert!(read(capture(&[]).as_slice()).unwrap().is_empty());
    // A frame that is no TCP segment is passed over.
    let other = capture(&[(0, true, "", vec![0x45; 19]), (1, true, "", vec![])]);
    assert!(read(other.as_slice()).unwrap().is_empty());
}
