//! The time from one stack for another, over a link in memory.
#![cfg(target_os = "linux")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::LinkEnd;
use netloom_host::net::{
    Net, NtpClientConfig, NtpServerLimits, NtpUpdate, ReferenceClock, ReferenceId,
};

fn pair() -> (Net, Net) {
    let (near, far) = LinkEnd::pair(1500).unwrap();
    let near = near.address("10.0.0.1/24").address("fd00::1/64");
    let far = far.address("10.0.0.2/24").address("fd00::2/64");
    (near.start().unwrap(), far.start().unwrap())
}

/// Serves until told to end; returns how many were answered.
fn serving(net: &Net, clock: ReferenceClock, stop: &Arc<AtomicBool>) -> thread::JoinHandle<u32> {
    let mut server = net.ntp_server(123, NtpServerLimits::default()).unwrap();
    let stop = Arc::clone(stop);
    thread::spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            server
                .serve(&clock, Some(Duration::from_millis(20)))
                .unwrap();
        }
        server.counters().answered
    })
}

#[test]
fn the_same_clock_is_found_to_be_the_same() {
    let (near, far) = pair();
    let stop = Arc::new(AtomicBool::new(false));
    let server = serving(&far, ReferenceClock::local(), &stop);
    for at in ["10.0.0.2:123", "[fd00::2]:123"] {
        let mut config = NtpClientConfig::new(at.parse().unwrap());
        // A reply later than this is not taken, and of four one must be in time.
        config.burst_interval = Duration::from_millis(200);
        let mut client = near.ntp_client_with(config).unwrap();
        let begun = Instant::now();
        while !client.burst_is_over() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{client:?}");
            client.next_update(Some(Duration::from_secs(5))).unwrap();
        }
        let estimate = client.estimate().expect("an exchange was complete");
        assert_eq!(client.counters().sent, 4);
        assert_eq!(estimate.reference_id, ReferenceId::LOCL);
        // Half of the round trip at most: however slow this machine is, the offset lies within.
        assert!(
            estimate.offset.unsigned_abs() <= estimate.error(),
            "{estimate:?}"
        );
        assert!(
            estimate.offset.unsigned_abs() <= estimate.delay / 2 + 2_000,
            "{estimate:?}"
        );
    }
    stop.store(true, Ordering::Relaxed);
    assert!(server.join().unwrap() >= 8);
    assert_eq!((near.usage().udp, far.usage().udp), (0, 0));
}

#[test]
fn waiting_ends_in_its_time_and_nobody_is_told_of() {
    let (near, _far) = pair();
    let at: SocketAddr = "10.0.0.2:123".parse().unwrap();
    let mut config = NtpClientConfig::new(at);
    // However late we look again, no next question has failed meanwhile.
    config.burst_interval = Duration::from_secs(3600);
    let mut client = near.ntp_client_with(config).unwrap();
    // Nobody is there, and that is said.
    let update = client.next_update(Some(Duration::from_secs(20))).unwrap();
    assert!(
        matches!(update, Some(NtpUpdate::Lost(Some(_)))),
        "{update:?}"
    );
    let begun = Instant::now();
    let update = client.next_update(Some(Duration::from_millis(50))).unwrap();
    assert_eq!(update, None);
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(client.estimate().is_none());
    let error = near.ntp_client("time.example.org:123").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
