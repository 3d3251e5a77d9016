//! Once buffers, sockets and entries were there, having them again takes nothing from the heap.
#![cfg(feature = "alloc")]

#[cfg(all(
    feature = "tcp",
    feature = "ipv4",
    feature = "ipv6",
    feature = "ethernet"
))]
mod common;

use netloom_driver::Instant;
use netloom_stack::index::Index;
use netloom_stack::list::{Kind, Ref};
use netloom_stack::memory::{Item, Pool, Slab};
use netloom_stack::timers::{TimerLinks, TimerNodes, Wheel};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator while `work` runs.
fn calls(work: impl FnOnce()) -> usize {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// Runs `work` once to warm up and again a hundred times, in which nothing may be allocated.
fn assert_steady(mut work: impl FnMut()) {
    assert!(
        calls(&mut work) > 0,
        "the first time should allocate, or the count is wrong"
    );
    assert_eq!(calls(|| (0..100).for_each(|_| work())), 0);
}

#[test]
fn buffers() {
    let mut pool = Pool::<u8>::new(64 << 20);
    let mut held = Vec::with_capacity(64);
    assert_steady(|| {
        for size in [300, 4096, 65536, 1000] {
            for _ in 0..8 {
                held.push(pool.take(size).expect("the budget is ample"));
            }
        }
        held.drain(..).for_each(|block| pool.give(block));
    });
}

/// An item of a slab that is a timer's owner too.
#[derive(Default)]
struct Socket {
    link: u32,
    timer: TimerLinks,
}

impl Item for Socket {
    const EMPTY: Socket = Socket {
        link: 0,
        timer: TimerLinks::EMPTY,
    };
    fn free_link(&mut self) -> &mut u32 {
        &mut self.link
    }
}

struct Sockets(Slab<Socket>);

impl TimerNodes for Sockets {
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        Some(&mut self.0.get_mut(index)?.timer)
    }
}

#[test]
fn sockets_and_their_timers() {
    let mut sockets = Sockets(Slab::heap(1000));
    let mut wheel = Wheel::heap();
    let mut now = Instant::ZERO;
    assert_steady(|| {
        for delay in 0..1000 {
            let index = sockets.0.insert().expect("there is room");
            wheel.arm(&mut sockets, index, now.plus_micros(delay * 1001));
        }
        now = now.plus_micros(1_000_000);
        while let Some(index) = wheel.expire(&mut sockets, now) {
            assert!(sockets.0.remove(index));
        }
        assert!(sockets.0.is_empty());
    });
}

#[test]
fn entries_that_come_and_go() {
    let mut index = Index::heap(10_000);
    let hash = |number: u32| u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for number in 0..6000 {
        index
            .insert(hash(number), Ref::new(Kind::Connection, number))
            .expect("there is room");
    }
    let mut next = 0;
    // The same number of entries, each for a while: what grew stays.
    let churn = |index: &mut Index, next: &mut u32| {
        for _ in 0..1000 {
            let number = *next % 6000;
            assert!(index.remove(hash(number), Ref::new(Kind::Connection, number)));
            index
                .insert(hash(number), Ref::new(Kind::Connection, number))
                .expect("room");
            *next += 1;
        }
    };
    assert_eq!(
        calls(|| (0..100).for_each(|_| churn(&mut index, &mut next))),
        0
    );
}

/// A hundred thousand segments over two stacks, once their memory is taken.
#[cfg(all(
    feature = "tcp",
    feature = "ipv4",
    feature = "ipv6",
    feature = "ethernet"
))]
#[test]
fn a_connection_in_full_flow() {
    use common::{IF, Profile, stack};
    use netloom_driver::{FrameSink, Full, RxMeta, TxCaps, TxMeta};

    /// Frames in memory taken once.
    struct Ring {
        frames: Vec<([u8; 1600], usize)>,
        used: usize,
    }
    impl FrameSink for Ring {
        fn caps(&self) -> TxCaps {
            TxCaps::plain(1500)
        }
        fn frame(
            &mut self,
            len: usize,
            _: &TxMeta,
            fill: &mut dyn FnMut(&mut [u8]),
        ) -> Result<(), Full> {
            let (frame, used) = self.frames.get_mut(self.used).ok_or(Full)?;
            fill(&mut frame[..len]);
            *used = len;
            self.used += 1;
            Ok(())
        }
    }
    let ring = || Ring {
        frames: vec![([0; 1600], 0); 64],
        used: 0,
    };
    for address in ["10.0.0.2", "fd00::2"] {
        let (mut a, mut b) = (stack(Profile::Heap, true, 1), stack(Profile::Heap, true, 2));
        let (mut to_a, mut to_b) = (ring(), ring());
        let mut now = Instant::from_secs(1);
        let listener = b.tcp_listen(80).unwrap();
        let to = std::net::SocketAddr::new(address.parse().unwrap(), 80);
        let client = a.tcp_connect(to).unwrap();
        let mut server = None;
        let data = [7; 16_384];
        let mut buffer = [0; 65_536];
        let mut turn = || {
            while a.tcp_write(client, &data).is_ok() {}
            let _ = a.transmit(now, IF, &mut to_b);
            for (frame, len) in &to_b.frames[..to_b.used] {
                b.receive(now, IF, &frame[..*len], &RxMeta::default());
            }
            to_b.used = 0;
            if server.is_none() {
                server = b.tcp_accept(listener).unwrap();
            }
            if let Some(server) = server {
                while let Ok(1..) = b.tcp_read(server, &mut buffer) {}
            }
            let _ = b.transmit(now, IF, &mut to_a);
            for (frame, len) in &to_a.frames[..to_a.used] {
                a.receive(now, IF, &frame[..*len], &RxMeta::default());
            }
            to_a.used = 0;
            while a.poll_event().is_some() || b.poll_event().is_some() {}
            now = now.plus_micros(500);
            a.counters().tcp_segments_sent
        };
        while turn() < 20_000 {}
        let mut last = 0;
        let allocated = calls(|| {
            while last < 120_000 {
                last = turn();
            }
        });
        assert_eq!(allocated, 0);
    }
}
