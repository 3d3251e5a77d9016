use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use netloom_driver::{Driver, FrameSink, RxMeta};

use super::{Readiness, Waiter};
use crate::device::{Counters, Device, DeviceError, Interest, Medium};

/// A device in name only: a socket to wait for, and an interest to be set.
struct Fake {
    socket: UnixDatagram,
    interest: Interest,
}

impl Driver for Fake {
    fn receive(&mut self, _: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        unreachable!("waiting drives nothing")
    }
    fn sink(&mut self) -> &mut dyn FrameSink {
        unreachable!("waiting sends nothing")
    }
}

impl AsFd for Fake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Device for Fake {
    fn name(&self) -> &str {
        "fake"
    }
    fn medium(&self) -> Medium {
        Medium::Ip
    }
    fn mtu(&self) -> u16 {
        1500
    }
    fn refresh(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }
    fn interest(&self) -> Interest {
        self.interest
    }
    fn fault(&self) -> Option<DeviceError> {
        None
    }
    fn counters(&mut self) -> Counters {
        Counters::default()
    }
}

const READ: Interest = Interest {
    readable: true,
    writable: false,
    retry_at: None,
};
const WRITE: Interest = Interest {
    readable: true,
    writable: true,
    retry_at: None,
};

fn fake(interest: Interest) -> (Fake, UnixDatagram) {
    let (socket, peer) = UnixDatagram::pair().unwrap();
    (Fake { socket, interest }, peer)
}

#[test]
fn the_timeout_passes_in_full() {
    let (device, _peer) = fake(READ);
    let start = Instant::now();
    let timeout = Duration::from_micros(2_500);
    let ready = Waiter::new()
        .unwrap()
        .wait(&[&device], Some(timeout))
        .unwrap();
    assert_eq!(ready, Readiness::default());
    assert!(start.elapsed() >= timeout);
}

#[test]
fn a_wake_before_the_sleep_is_not_lost_and_counts_once() {
    let mut waiter = Waiter::new().unwrap();
    let waker = waiter.waker();
    waker.wake();
    waker.clone().wake();
    assert!(waiter.wait(&[], None).unwrap().woken);
    assert!(!waiter.wait(&[], Some(Duration::ZERO)).unwrap().woken);
}

#[test]
fn another_thread_ends_an_endless_sleep() {
    let mut waiter = Waiter::new().unwrap();
    let waker = std::task::Waker::from(Arc::new(waiter.waker()));
    let other = thread::spawn(move || waker.wake());
    assert!(waiter.wait(&[], Some(Duration::MAX)).unwrap().woken);
    other.join().unwrap();
}

#[test]
fn the_device_that_is_ready_is_named() {
    let (quiet, _quiet_peer) = fake(READ);
    let (busy, peer) = fake(READ);
    peer.send(b"frame").unwrap();
    let mut waiter = Waiter::new().unwrap();
    let ready = waiter.wait(&[&quiet, &busy], None).unwrap();
    assert_eq!(
        ready,
        Readiness {
            woken: false,
            devices: 1
        }
    );
    assert!(!waiter.is_ready(0));
    assert!(waiter.is_ready(1));
    assert!(!waiter.is_ready(2), "no such device");
}

#[test]
fn a_waiting_frame_is_waited_for() {
    let (device, _peer) = fake(WRITE);
    assert_eq!(
        Waiter::new()
            .unwrap()
            .wait(&[&device], None)
            .unwrap()
            .devices,
        1
    );
}

#[test]
fn a_failed_device_cannot_keep_its_reader_awake() {
    let (device, peer) = fake(Interest::default());
    drop(peer); // from here on poll(2) reports a hang-up, were it asked
    let ready = Waiter::new()
        .unwrap()
        .wait(&[&device], Some(Duration::from_millis(1)))
        .unwrap();
    assert_eq!(ready, Readiness::default());
}

#[test]
fn a_retry_ends_the_sleep_and_marks_its_device() {
    let time = Instant::now() + Duration::from_millis(2);
    let (device, _peer) = fake(Interest {
        retry_at: Some(time),
        ..READ
    });
    let mut waiter = Waiter::new().unwrap();
    let ready = waiter.wait(&[&device], None).unwrap();
    assert_eq!(
        ready,
        Readiness {
            woken: false,
            devices: 1
        }
    );
    assert!(Instant::now() >= time);
}
