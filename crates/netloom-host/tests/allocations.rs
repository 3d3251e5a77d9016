//! In a steady state neither devices nor sockets ask for memory, whatever is sent and received.
#![cfg(target_os = "linux")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::{Need, in_namespace};
use netloom_host::device::{Offload, Tap};
use netloom_host::net;

/// The system's allocator, counting the calls of all threads.
struct Counting;

static CALLS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it is; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CHUNK: usize = 1 << 16;

/// Moves `chunks` from one end to the other.
fn transfer(mut from: impl Write + Send, mut to: impl Read, chunks: usize, buffers: &mut [u8]) {
    let (out, back) = buffers.split_at_mut(CHUNK);
    thread::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..chunks {
                from.write_all(out).expect("the other end reads");
            }
        });
        let mut left = chunks * CHUNK;
        while left > 0 {
            let most = left.min(CHUNK);
            left -= to.read(&mut back[..most]).expect("the other end writes");
        }
    });
}

fn converse(mut one: impl Read + Write, mut other: impl Read + Write, times: usize) {
    let mut byte = [0];
    for _ in 0..times {
        one.write_all(&[1]).expect("it is open");
        other.read_exact(&mut byte).expect("it comes");
        other.write_all(&[2]).expect("it is open");
        one.read_exact(&mut byte).expect("it comes");
    }
}

/// The calls of the allocator `work` causes.
fn calls(work: impl FnOnce()) -> usize {
    let before = CALLS.load(Ordering::Relaxed);
    work();
    CALLS.load(Ordering::Relaxed) - before
}

fn check(ours: &net::TcpStream, theirs: &TcpStream, offload: Offload) {
    let mut buffers = vec![0; 2 * CHUNK];
    let mut bulk = |chunks| {
        transfer(ours, theirs, chunks, &mut buffers);
        transfer(theirs, ours, chunks, &mut buffers);
    };
    bulk(400);
    // What spawning two threads takes is in both.
    let few = calls(|| bulk(1));
    let many = calls(|| bulk(800));
    let segments = 2 * 800 * CHUNK / 1448;
    // Where a queue or a pool grows a last time is a matter of timing.
    assert!(
        many < few + 50,
        "{offload:?}: {many} calls for {segments} segments, {few} for next to none"
    );
    converse(ours, theirs, 100);
    let calls = calls(|| converse(ours, theirs, 5_000));
    assert!(calls < 50, "{offload:?}: {calls} calls in 5000 round trips");
}

#[test]
fn a_steady_state_allocates_nothing() {
    in_namespace("a_steady_state_allocates_nothing", &[Need::Tun], || {
        for offload in [Offload::Segmentation, Offload::None] {
            let tap = Tap::create("nla%d").expect("a TAP interface");
            let tap = tap.with_offload(offload).expect("the kernel has it");
            let net = tap
                .address("10.71.0.2/24")
                .kernel_address("10.71.0.1/24")
                .start()
                .expect("a running stack");
            let listener = TcpListener::bind("10.71.0.1:0").expect("an address of the kernel's");
            let address = listener.local_addr().expect("it is bound");
            let ours = net.tcp_connect(address).expect("the kernel listens");
            let (theirs, _) = listener.accept().expect("the handshake is over");
            theirs.set_nodelay(true).expect("it is open");
            ours.set_nodelay(true).expect("it is open");
            check(&ours, &theirs, offload);
        }
    });
}
