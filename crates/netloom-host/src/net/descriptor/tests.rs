use std::time::Duration;

use super::*;
use crate::sys::{PollFd, poll};

/// What poll(2) says of a descriptor: readable, writable, hung up.
fn polled(descriptor: &Descriptor) -> (bool, bool) {
    let ask = |readable, writable| {
        let mut entry = [PollFd::new(descriptor.as_fd(), readable, writable)];
        poll(&mut entry, Some(Duration::ZERO)).unwrap() > 0
    };
    (ask(true, false), ask(false, true))
}

#[test]
fn every_level_shows_and_goes_again() {
    let descriptor = Descriptor::new().unwrap();
    assert_eq!(polled(&descriptor), (false, true));
    let mut serial = 0;
    for _ in 0..3 {
        for (readable, writable) in [(true, true), (true, false), (false, false), (false, true)] {
            serial += 1;
            let level = Level {
                readable,
                writable,
                ..Level::default()
            };
            descriptor.show(level, serial);
            assert_eq!(polled(&descriptor), (readable, writable));
        }
    }
}

#[test]
fn the_latest_order_counts() {
    let descriptor = Descriptor::new().unwrap();
    let readable = Level {
        readable: true,
        writable: true,
        ..Level::default()
    };
    descriptor.show(readable, 2);
    descriptor.show(Level::default(), 1);
    assert_eq!(polled(&descriptor), (true, true));
}

#[test]
fn the_end_stays() {
    let descriptor = Descriptor::new().unwrap();
    let closed = Level {
        readable: true,
        writable: true,
        read_closed: true,
        closed: true,
    };
    descriptor.show(closed, 1);
    assert_eq!(polled(&descriptor), (true, true));
    // Hang-up shows whatever is asked for.
    let mut entry = [PollFd::new(descriptor.as_fd(), false, false)];
    assert_eq!(poll(&mut entry, Some(Duration::ZERO)).unwrap(), 1);
}
