//! What measurements over devices share: the station's services, the kernel's side of them, the
//! fake that is the device's limit, and how both sides are run and shown.

pub mod fake;
pub mod peer;
pub mod station;
pub mod vnet;

use std::process::Command;
use std::sync::mpsc;
use std::thread;

use nix::unistd::gettid;
use peer::{Measured, Peer, Work, measure, pin};
use station::{Service, Stop};

/// Where the kernel's side runs, and in request/response everything.
pub const PEER_CORE: usize = 1;
/// Where the station runs in bulk transfers.
pub const STATION_CORE: usize = 0;

/// One run of a station, which is at its device's far end already.
pub fn once(run: impl FnOnce(&Stop) + Send, service: Service, peer: &Peer) -> Measured {
    let stop = Stop::default();
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let spawn = thread::Builder::new().name("station".to_owned());
        let stop = &stop;
        let station = spawn.spawn_scoped(scope, move || {
            tell.send(gettid()).expect("somebody waits");
            pin(match service {
                Service::Echo => PEER_CORE,
                Service::Discard | Service::Generate => STATION_CORE,
            });
            run(stop);
        });
        station.expect("a thread can be made");
        let station = Work::of(told.recv().expect("the station starts"));
        let other = scope.spawn(move || {
            pin(PEER_CORE);
            measure(service, peer, station)
        });
        let measured = other.join();
        stop.tell();
        measured.expect("the measurement ends")
    })
}

/// Runs `ip` of iproute2.
pub fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    assert!(status.is_ok_and(|s| s.success()), "ip {arguments} failed");
}

/// The run in the middle.
pub fn median(runs: &[Measured]) -> Measured {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    runs[runs.len() / 2]
}

/// A rate as text: of bulk in bytes, of round trips with their median time.
pub fn show(measured: Measured) -> String {
    if measured.p50.is_zero() {
        format!("{:.2} GB/s", measured.rate / 1e9)
    } else {
        format!(
            "{:.2} µs, {:.1} k/s",
            measured.p50.as_secs_f64() * 1e6,
            measured.rate / 1e3
        )
    }
}
