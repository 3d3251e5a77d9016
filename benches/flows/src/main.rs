//! Measures netloom's flows over a TUN interface beside ipstack and netstack-smoltcp, which make
//! tokio streams of everybody's connections too, and beside a program that only fakes TCP: the
//! device's own limit. The kernel's own sockets are the other end. `docs/performance.md` tells how
//! to read it.
//!
//! ```text
//! cargo run --release -p netloom-bench-flows                     everything; as root
//! cargo run --release -p netloom-bench-flows -- --only in        rows whose name contains "in"
//! cargo run --release -p netloom-bench-flows -- --runs 3 --millis 200
//! cargo run --release -p netloom-bench-flows -- --make netloom   one station, for a profiler
//! ```
//!
//! It makes a network namespace of its own and leaves nothing behind. Every station runs on a
//! runtime of one worker, with one core to itself.

mod ipstack;
mod netloom;
mod netstack;
mod service;
mod tun;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use netloom_bench_device::peer::{Measured, Peer};
use netloom_bench_device::station::{KERNEL, Service, Stop};
use netloom_bench_device::{fake, ip, median, once, show};
use netloom_host::device::{Offload, Tun};
use nix::sched::{CloneFlags, unshare};

/// Runs a station behind an interface until it is told to stop.
#[derive(Clone, Copy)]
enum Make {
    /// What uses netloom's device, with offloads if it may.
    Ours(fn(Tun, &Stop)),
    /// What reads and writes bare packets.
    Theirs(fn(tun::Tun, &Stop)),
}

/// In the order of the table's columns.
const MAKES: [(&str, Make); 4] = [
    ("netloom", Make::Ours(netloom::run)),
    ("ipstack", Make::Theirs(ipstack::run)),
    ("netstack-smoltcp", Make::Theirs(netstack::run)),
    ("fake", Make::Ours(fake::run_tun)),
];

struct Options {
    make: Option<Make>,
    only: String,
    runs: usize,
    peer: Peer,
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: netloom-bench-flows [--make netloom|ipstack|netstack-smoltcp|fake] [--only NAME] [--runs N] [--millis N] [--congestion NAME]"
        );
        return ExitCode::from(2);
    };
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        eprintln!("cannot make a network namespace: {error}: run as root");
        return ExitCode::FAILURE;
    }
    println!(
        "| over TUN, MTU 1500 | netloom | ipstack | netstack-smoltcp | the fake | to ipstack | to netstack-smoltcp | to the fake |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for offload in [Offload::None, Offload::Segmentation] {
        for (service, name) in [(Service::Generate, "out"), (Service::Discard, "in")] {
            let how = match offload {
                Offload::Segmentation => ", netloom and the fake with vnet headers",
                Offload::Checksum | Offload::None => "",
            };
            let row = format!("{name}{how}");
            if row.contains(&options.only) {
                compare(&row, service, offload, &options);
            }
        }
    }
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut options = Options {
        make: None,
        only: String::new(),
        runs: 5,
        peer: Peer {
            lasting: Duration::from_millis(500),
            congestion: "cubic".into(),
        },
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--make" => {
                let name = args.next()?;
                let (_, make) = MAKES.iter().find(|(known, _)| *known == name)?;
                options.make = Some(*make);
            }
            "--only" => options.only = args.next()?,
            "--runs" => options.runs = args.next()?.parse().ok().filter(|&n| n > 0)?,
            "--congestion" => options.peer.congestion = args.next()?.into(),
            "--millis" => options.peer.lasting = Duration::from_millis(args.next()?.parse().ok()?),
            _ => return None,
        }
    }
    Some(options)
}

/// One row: all makes in turn, so that what disturbs one disturbs the others.
fn compare(row: &str, service: Service, offload: Offload, options: &Options) {
    if let Some(make) = options.make {
        let found = one(make, service, offload, &options.peer);
        println!("| {row} | {} |", show(found));
        return;
    }
    let mut results = [const { Vec::new() }; MAKES.len()];
    for _ in 0..options.runs {
        for (&(_, make), results) in MAKES.iter().zip(&mut results) {
            results.push(one(make, service, offload, &options.peer));
        }
    }
    let [ours, ipstack, netstack, fake] = results.map(|runs| median(&runs));
    println!(
        "| {row} | {} | {} | {} | {} | {:.1} | {:.2} | {:.2} |",
        show(ours),
        show(ipstack),
        show(netstack),
        show(fake),
        ours.rate / ipstack.rate,
        ours.rate / netstack.rate,
        ours.rate / fake.rate,
    );
}

/// One run of one station on an interface of its own.
fn one(make: Make, service: Service, offload: Offload, peer: &Peer) -> Measured {
    // A name of its own: the last one's tasks may be a moment longer in ending.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = &format!("nlf{}", COUNT.fetch_add(1, Ordering::Relaxed));
    match make {
        Make::Ours(run) => {
            let tun = Tun::create(name).and_then(|tun| tun.with_offload(offload));
            let tun = tun.expect("a TUN interface");
            address(name);
            once(|stop| run(tun, stop), service, peer)
        }
        Make::Theirs(run) => {
            let tun = tun::Tun::create(name).expect("a TUN interface");
            address(name);
            once(|stop| run(tun, stop), service, peer)
        }
    }
}

/// Gives the kernel's end its address.
fn address(name: &str) {
    let kernel = Ipv4Addr::from(KERNEL);
    ip(&format!("address add {kernel} dev {name}"));
    ip(&format!("link set {name} up"));
    // Whatever is left of the last one's route makes way.
    ip(&format!(
        "route replace 10.71.0.0/24 dev {name} src {kernel}"
    ));
}
