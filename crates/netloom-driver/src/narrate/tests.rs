#![allow(clippy::unwrap_used, reason = "tests")]

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Framing, Line, Narrate};
use crate::test_device::{TestDevice, receive, send};
use crate::{Direction, Driver, FrameSink, LinkState, TxCaps};

/// An empty UDP datagram from 10.0.0.1:5001 to 10.0.0.2:5002.
const PACKET: [u8; 28] = [
    0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0x89, 0x13, 0x8a, 0,
    8, 0, 0,
];
const LINE: &str = "IP 10.0.0.1.5001 > 10.0.0.2.5002: UDP, length 0";

#[test]
fn both_directions_are_told_and_pass_unchanged() {
    let mut told: Vec<(Direction, String)> = Vec::new();
    let mut device = TestDevice::new();
    device.incoming.push_back(PACKET.to_vec());
    let mut narrated = Narrate::new(&mut device, Framing::Ip, |line: &Line<'_>| {
        told.push((line.direction, line.to_string()));
    });
    assert_eq!(receive(&mut narrated), [PACKET.to_vec()]);
    send(&mut narrated, &PACKET).unwrap();
    narrated.sink().flush();
    narrated.set_multicast(&[[1, 0, 0x5e, 0, 0, 1]]);
    assert_eq!(narrated.link(), LinkState::Down);
    assert_eq!(
        told,
        [
            (Direction::Inbound, LINE.to_string()),
            (Direction::Outbound, LINE.to_string())
        ]
    );
    assert_eq!(device.sent, [PACKET.to_vec()]);
    assert_eq!((device.flushed, device.groups.len()), (1, 1));
}

#[test]
fn a_frame_the_device_refused_is_not_told() {
    let mut told = 0;
    let mut device = TestDevice::new();
    device.room = 0;
    let mut narrated = Narrate::new(device, Framing::Ip, |_: &Line<'_>| told += 1);
    assert!(send(&mut narrated, &PACKET).is_err());
    assert!(narrated.into_inner().sent.is_empty());
    assert_eq!(told, 0);
}

#[test]
fn ethernet_is_left_out_unless_asked_for() {
    let mut frame = alloc::vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    frame.extend_from_slice(&PACKET);
    let mut told = Vec::new();
    let mut narrated = Narrate::new(TestDevice::new(), Framing::Ethernet, |line: &Line<'_>| {
        told.push(alloc::format!("{line}"));
        told.push(alloc::format!("{line:#}"));
    });
    send(&mut narrated, &frame).unwrap();
    drop(narrated);
    assert_eq!(told.first().unwrap(), LINE);
    assert!(
        told.last()
            .unwrap()
            .starts_with("02:00:00:00:00:01 > 02:00:00:00:00:02")
    );
}

#[test]
fn offloads_are_the_devices_own() {
    let mut narrated = Narrate::new(TestDevice::new(), Framing::Ip, |_: &Line<'_>| {});
    let caps = TxCaps {
        mtu: 1400,
        checksum: true,
        gso_max: 65_535,
    };
    assert_eq!(FrameSink::caps(&narrated), caps);
    narrated.get_mut().mtu = 1300;
    assert_eq!(narrated.sink().caps().mtu, 1300);
    assert_eq!(narrated.get_ref().mtu, 1300);
}

/// A stack without packets that wait (netloom-stack without `hold`) takes frames by
/// [`Driver::receive_answering`] alone: through this wrapper it would hear nothing, and not know why.
#[test]
fn a_device_that_answers_still_answers() {
    let mut told: Vec<(Direction, String)> = Vec::new();
    let mut device = TestDevice::new();
    device.answers = true;
    device.incoming.push_back(PACKET.to_vec());
    let mut narrated = Narrate::new(device, Framing::Ip, |line: &Line<'_>| {
        told.push((line.direction, line.to_string()));
    });
    let frames = narrated.receive_answering(&mut |frame, _| frame.len());
    assert_eq!(frames, Some(1));
    assert_eq!(narrated.into_inner().sent, [PACKET.to_vec()]);
    assert_eq!(
        told,
        [
            (Direction::Inbound, LINE.to_string()),
            (Direction::Outbound, LINE.to_string())
        ]
    );
}
