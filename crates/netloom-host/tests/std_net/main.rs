//! What `std::net` documents of its sockets, checked on the kernel's and on ours by the same code.
//!
//! Every check says what it observed. The kernel's own sockets, talking to each other over its
//! loopback interface, set the standard; ours must show the same over our loopback interface,
//! between two stacks in memory, and against the kernel over a TAP interface in both directions.
//! Where they are meant to differ, [`differences`] says how and why.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod differences;
mod listener;
mod sockets;
mod stream_end;
mod stream_options;
mod stream_transfer;
mod udp;
mod world;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread;

use common::{Need, in_namespace};
use differences::{DIFFERENCES, Where};
use netloom_host::device::{LinkEnd, Tap};
use netloom_host::net::Net;
use world::{Check, Host, Kernel, Ours, World};

fn checks<C: Host, S: Host>() -> Vec<Check<C, S>> {
    [
        stream_transfer::checks(),
        stream_end::checks(),
        stream_options::checks(),
        listener::checks(),
        udp::checks(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What each check observed, by its name.
type Observed = BTreeMap<&'static str, String>;

/// Runs every check between these hosts, a few at a time: most only wait.
fn observe<C: Host, S: Host>(client: &C, server: &S) -> Observed {
    let checks = checks::<C, S>();
    let chunk = checks.len().div_ceil(4);
    let world = World { client, server };
    thread::scope(|scope| {
        let threads: Vec<_> = checks
            .chunks(chunk)
            .map(|checks| {
                scope.spawn(move || {
                    let observed = checks.iter().map(|check| (check.name, (check.run)(&world)));
                    observed.collect::<Vec<_>>()
                })
            })
            .collect();
        let observed = threads.into_iter().flat_map(|t| t.join().unwrap());
        observed.collect()
    })
}

fn kernel(ip: IpAddr) -> Observed {
    let host = Kernel { ip };
    observe(&host, &host)
}

/// Compares with the kernel, but for what is meant to differ `at` that place.
fn compare(ours: &Observed, kernel: &Observed, at: Where) {
    let mut wrong = Vec::new();
    for (name, expected) in kernel {
        let found = &ours[name];
        let difference = DIFFERENCES.iter().find(|d| d.check == *name);
        let expected = match difference {
            Some(difference) if difference.at.covers(at) => {
                assert_eq!(expected, difference.kernel, "{name}: the kernel's side");
                difference.ours
            }
            Some(_) | None => expected,
        };
        if found != expected {
            wrong.push(format!("{name}: {found} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{at:?}:\n{}", wrong.join("\n"));
}

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[test]
fn there_are_enough_checks_and_no_idle_difference() {
    let names: Vec<_> = checks::<Kernel, Kernel>().iter().map(|c| c.name).collect();
    assert!(names.len() >= 120, "{}", names.len());
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "a name is used twice");
    for difference in DIFFERENCES {
        assert!(names.contains(&difference.check), "{}", difference.check);
        assert_ne!(difference.kernel, difference.ours, "{}", difference.check);
        assert!(difference.why.len() > 20, "{}", difference.check);
    }
}

#[test]
fn over_our_loopback() {
    for ip in [V4, V6] {
        let (end, _far) = LinkEnd::pair(1500).unwrap();
        let net = end.address("10.0.0.1/24").start().unwrap();
        let host = Ours { net, ip };
        compare(&observe(&host, &host), &kernel(ip), Where::OursOnly);
    }
}

#[test]
fn between_two_stacks() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let start = |end: LinkEnd, n: u8| {
        let v4 = format!("10.0.0.{n}/24");
        let v6 = format!("fd00::{n}/64");
        let net = end.address(v4.as_str()).address(v6.as_str()).start();
        net.unwrap()
    };
    let (a, b) = (start(a, 1), start(b, 2));
    let host = |net: &Net, ip: &str| Ours {
        net: net.clone(),
        ip: ip.parse().unwrap(),
    };
    let observed = observe(&host(&a, "10.0.0.1"), &host(&b, "10.0.0.2"));
    compare(&observed, &kernel(V4), Where::OursOnly);
    let observed = observe(&host(&a, "fd00::1"), &host(&b, "fd00::2"));
    compare(&observed, &kernel(V6), Where::OursOnly);
}

/// Runs between a stack on a TAP interface and the kernel's own.
fn over_tap(name: &'static str, run: impl Fn(&Ours, &Kernel) + Send + 'static) {
    in_namespace(name, &[Need::Tun, Need::Program("ip")], move || {
        common::run("ip link set lo up");
        let net = Tap::create("std0")
            .unwrap()
            .address("10.71.0.2/24")
            .address("fd71::2/64")
            .kernel_address("10.71.0.1/24")
            .kernel_address("fd71::1/64")
            .start()
            .unwrap();
        for (ours, kernel) in [("10.71.0.2", "10.71.0.1"), ("fd71::2", "fd71::1")] {
            let ours = Ours {
                net: net.clone(),
                ip: ours.parse().unwrap(),
            };
            let kernel = Kernel {
                ip: kernel.parse().unwrap(),
            };
            run(&ours, &kernel);
        }
    });
}

fn loopback_like(ip: IpAddr) -> IpAddr {
    if ip.is_ipv4() { V4 } else { V6 }
}

#[test]
fn our_client_and_the_kernels_server() {
    over_tap("our_client_and_the_kernels_server", |ours, theirs| {
        let observed = observe(ours, theirs);
        compare(&observed, &kernel(loopback_like(ours.ip)), Where::OurClient);
    });
}

#[test]
fn the_kernels_client_and_our_server() {
    over_tap("the_kernels_client_and_our_server", |ours, theirs| {
        let observed = observe(theirs, ours);
        compare(&observed, &kernel(loopback_like(ours.ip)), Where::OurServer);
    });
}
