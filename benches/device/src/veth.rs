//! Request/response over a veth pair: netloom behind a packet socket on the far end, and the
//! kernel of another network namespace there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use netloom_host::device::{KernelEnd, PacketSocket, create_veth_pair};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;

use crate::netloom;
use netloom_bench_device::peer::{Measured, Peer, Work, measure, pin};
use netloom_bench_device::station::{KERNEL, STATION, Service, Stop};
use netloom_bench_device::{PEER_CORE, ip, median, show};

pub(crate) const ROW: &str = "1 B request/response over veth, one core";

const NEAR: &str = "nlv0";
const FAR: &str = "nlv1";

/// Prints netloom beside the kernel.
pub(crate) fn compare(runs: usize, peer: &Peer) {
    let (mut ours, mut kernels) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(once(peer, serve_netloom));
        kernels.push(once(peer, serve_kernel));
    }
    let (ours, kernel) = (median(&ours), median(&kernels));
    println!();
    println!("| over veth | netloom | kernel | netloom / kernel | by work |");
    println!("|---|---|---|---|---|");
    println!(
        "| {ROW} | {} | {} | {:.2} | {:.2} |",
        show(ours),
        show(kernel),
        ours.rate / kernel.rate,
        ours.work_rate / kernel.work_rate,
    );
}

/// One run, the far end served by `serve` in a namespace of its own.
fn once(peer: &Peer, serve: fn(&Stop, mpsc::Sender<()>)) -> Measured {
    create_veth_pair(NEAR, FAR).expect("a pair");
    let stop = Stop::default();
    let (tell_thread, thread_told) = mpsc::channel();
    let (tell_moved, moved) = mpsc::channel();
    let (tell_ready, ready) = mpsc::channel();
    let measured = thread::scope(|scope| {
        let stop = &stop;
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("a namespace");
            tell_thread.send(gettid()).expect("somebody waits");
            moved.recv().expect("the interface is moved");
            pin(PEER_CORE);
            serve(stop, tell_ready);
        });
        let thread = thread_told.recv().expect("the thread lives");
        ip(&format!("link set {FAR} netns {thread}"));
        tell_moved.send(()).expect("the thread lives");
        let mut near = KernelEnd::of(NEAR).expect("the interface");
        near.address(Ipv4Addr::from(KERNEL).into(), 24)
            .and_then(|near| near.up())
            .expect("an address");
        ready.recv().expect("it serves");
        // The carrier is noticed by a kernel thread, some time after both ends are up.
        thread::sleep(Duration::from_millis(50));
        let other = scope.spawn(move || {
            pin(PEER_CORE);
            measure(Service::Echo, peer, Work::of(thread))
        });
        let measured = other.join();
        stop.tell();
        measured.expect("the measurement ends")
    });
    // The pair goes with the other namespace; here it is gone at once.
    let _ = Command::new("ip").args(["link", "delete", NEAR]).output();
    measured
}

fn serve_netloom(stop: &Stop, ready: mpsc::Sender<()>) {
    KernelEnd::of(FAR)
        .and_then(|mut end| end.up().map(|_| ()))
        .expect("the interface");
    let socket = PacketSocket::open(FAR).expect("a packet socket");
    ready.send(()).expect("somebody waits");
    netloom::run_on(socket, stop);
}

fn serve_kernel(_: &Stop, ready: mpsc::Sender<()>) {
    KernelEnd::of(FAR)
        .and_then(|mut end| {
            end.address(Ipv4Addr::from(STATION).into(), 24)?;
            end.up().map(|_| ())
        })
        .expect("an address");
    let address = (Ipv4Addr::from(STATION), Service::Echo.port());
    let listener = TcpListener::bind(address).expect("a free port");
    ready.send(()).expect("somebody waits");
    let (mut stream, _) = listener.accept().expect("the peer connects");
    stream.set_nodelay(true).expect("it is open");
    let mut bytes = [0; 64];
    while let Ok(len @ 1..) = stream.read(&mut bytes) {
        let _ = stream.write_all(&bytes[..len]);
    }
}
