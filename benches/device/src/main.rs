//! Measures netloom over a TAP interface beside smoltcp on the same interface, and beside a
//! program that only fakes TCP: the device's own limit; and over a veth pair beside the kernel.
//! The kernel's own sockets are the other end. `docs/performance.md` tells how to read it.
//!
//! ```text
//! cargo run --release -p netloom-bench-device                    everything; as root
//! cargo run --release -p netloom-bench-device -- --only in       rows whose name contains "in"
//! cargo run --release -p netloom-bench-device -- --runs 3 --millis 200
//! cargo run --release -p netloom-bench-device -- --congestion reno   of the kernel's side
//! cargo run --release -p netloom-bench-device -- --make netloom  one station, for a profiler
//! cargo run --release -p netloom-bench-device -- --rings    what a packet socket's mapped rings could save
//! ```
//!
//! It makes a network namespace of its own and leaves nothing behind.

mod netloom;
mod rings;
mod smoltcp;
mod veth;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::time::Duration;

use netloom_bench_device::peer::{Measured, Peer};
use netloom_bench_device::station::{KERNEL, Run, Service};
use netloom_bench_device::{fake, ip, median, once, show};
use netloom_host::device::{Offload, Tap};
use nix::sched::{CloneFlags, unshare};

struct Options {
    make: Option<Run>,
    only: String,
    runs: usize,
    rings: bool,
    peer: Peer,
}

/// In the order of the table's columns.
const MAKES: [(&str, Run); 4] = [
    ("netloom", netloom::run),
    ("smoltcp", smoltcp::run),
    ("fake", fake::run),
    ("waiting-fake", fake::run_waiting),
];

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!(
            "usage: netloom-bench-device [--make netloom|smoltcp|fake|waiting-fake] [--only NAME] [--runs N] [--millis N] [--congestion NAME] [--rings]"
        );
        return ExitCode::from(2);
    };
    if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
        eprintln!("cannot make a network namespace: {error}: run as root");
        return ExitCode::FAILURE;
    }
    if options.rings {
        rings::compare(options.runs);
        return ExitCode::SUCCESS;
    }
    println!(
        "| over TAP, MTU 1500 | netloom | smoltcp | the fake | the fake, waiting | to smoltcp | to the fake | by work, \
         to smoltcp | to the fake |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for offload in [Offload::Segmentation, Offload::None] {
        for (service, name) in [
            (Service::Generate, "bulk out"),
            (Service::Discard, "bulk in"),
            (Service::Echo, "1 B request/response, one core"),
        ] {
            let how = match offload {
                Offload::Segmentation => "with offloads",
                Offload::Checksum | Offload::None => "without",
            };
            let row = format!("{name}, {how}");
            if row.contains(&options.only) {
                over_tap(&row, service, offload, &options);
            }
        }
    }
    if veth::ROW.contains(&options.only) {
        veth::compare(options.runs, &options.peer);
    }
    ExitCode::SUCCESS
}

fn options() -> Option<Options> {
    let mut options = Options {
        make: None,
        only: String::new(),
        runs: 5,
        rings: false,
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
                let (_, run) = MAKES.iter().find(|(known, _)| *known == name)?;
                options.make = Some(*run);
            }
            "--rings" => options.rings = true,
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
fn over_tap(row: &str, service: Service, offload: Offload, options: &Options) {
    if let Some(run) = options.make {
        let found = one(run, service, offload, &options.peer);
        println!("| {row} | {} |", show(found));
        return;
    }
    let mut results = [const { Vec::new() }; MAKES.len()];
    for _ in 0..options.runs {
        for (&(_, run), results) in MAKES.iter().zip(&mut results) {
            results.push(one(run, service, offload, &options.peer));
        }
    }
    let [ours, smoltcp, fake, waiting] = results.map(|runs| median(&runs));
    let ratio = |other: Measured| match service {
        // Of times less is better, and the ratio says by how much ours is longer.
        Service::Echo => ours.p50.as_secs_f64() / other.p50.as_secs_f64(),
        Service::Discard | Service::Generate => ours.rate / other.rate,
    };
    println!(
        "| {row} | {} | {} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} |",
        show(ours),
        show(smoltcp),
        show(fake),
        show(waiting),
        ratio(smoltcp),
        ratio(fake),
        ours.work_rate / smoltcp.work_rate,
        ours.work_rate / fake.work_rate,
    );
}

/// One run of one station on an interface of its own.
fn one(run: Run, service: Service, offload: Offload, peer: &Peer) -> Measured {
    let tap = Tap::create("nlb%d")
        .and_then(|tap| tap.with_offload(offload))
        .expect("a TAP interface");
    let name = "nlb0";
    let mut kernel = tap.kernel_end().expect("the kernel's end");
    kernel
        .address(Ipv4Addr::from(KERNEL).into(), 24)
        .and_then(|kernel| kernel.up())
        .expect("an address");
    if offload == Offload::Segmentation {
        // For smoltcp, which would not make a segment longer than the kernel's MSS.
        let route = format!("route change 10.71.0.0/24 dev {name} src 10.71.0.1 advmss 65495");
        ip(&route);
    }
    once(|stop| run(tap, stop), service, peer)
}
