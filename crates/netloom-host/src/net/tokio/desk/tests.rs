use netloom_driver::{Instant, RxMeta};
use netloom_stack::flow::FlowConfig;
use netloom_stack::{Event, IfaceId, Seed};

use super::*;

const SYN: u8 = 2;
const RST: u8 = 4;

/// A segment from 10.0.0.1 to 203.0.113.9:80 without data.
fn segment(port: u16, sequence: u32, flags: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    packet.extend([10, 0, 0, 1, 203, 0, 113, 9]);
    let sum: u32 = packet
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend([0, 80]);
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet
}

/// Hands over a segment, and to the desk what that opens.
fn receive(desk: &mut Desk, stack: &mut Stack, packet: &[u8]) {
    let now = Instant::from_secs(1);
    stack.receive(now, IfaceId::FIRST, packet, &RxMeta::VERIFIED);
    while let Some(event) = stack.poll_event() {
        if let Event::FlowOpening(id) = event {
            desk.opening(id, stack, &mut Vec::new());
        }
    }
}

/// A proxy that takes no flow for a while, and a peer that opens and resets one after another.
#[test]
fn flows_that_are_over_do_not_pile_up() {
    let mut stack = Stack::for_flows(&FlowConfig::default(), Seed::from([1; 32])).unwrap();
    let mut desk = Desk {
        attended: true,
        ..Desk::default()
    };
    receive(&mut desk, &mut stack, &segment(1, 0, SYN));
    for port in 2..2000 {
        receive(&mut desk, &mut stack, &segment(port, 7, SYN));
        receive(&mut desk, &mut stack, &segment(port, 8, RST));
    }
    assert_eq!(stack.flow_count(), 1);
    assert!(desk.opening.len() < 100, "{} wait", desk.opening.len());
    // Who did not give up is still the first.
    let first = desk.take().unwrap();
    let tuple = stack.flow_tuple(first).unwrap();
    assert_eq!(tuple.source().port(), 1);
}
