//! What a packet socket's mapped rings (`TPACKET_V2`) save: raw frames over a veth pair, taken one
//! by one with recv(2) and out of a ring, and given one by one with send(2) and through a ring. No
//! stack takes part: this is the most that a device could gain.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::{KernelEnd, create_veth_pair};
use nix::time::{ClockId, clock_gettime};

use netloom_bench_device::peer::pin;
use netloom_bench_device::{PEER_CORE, STATION_CORE};

const NEAR: &str = "nlr0";
const FAR: &str = "nlr1";
const SLOT: usize = 2048;
const SLOTS: usize = 512;
/// Frames put in the ring before the kernel is told.
const BURST: usize = 64;
/// How long one run takes.
const LASTING: Duration = Duration::from_millis(300);
/// Where a frame stands in a slot, and what the kernel expects there.
const HEADER: usize = size_of::<libc::tpacket2_hdr>();
const TX_AT: usize = HEADER.next_multiple_of(16);

/// How frames pass between the program and the socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Calls,
    Ring,
}

/// Prints the processor time a frame takes each way.
pub(crate) fn compare(runs: usize) {
    println!("| raw frames over veth | one call each | a mapped ring | calls / ring |");
    println!("|---|---|---|---|");
    for len in [60, 1514] {
        for (name, run) in [
            ("received", received as fn(Way, usize) -> f64),
            ("sent", sent),
        ] {
            let (mut calls, mut ring) = (Vec::new(), Vec::new());
            for _ in 0..runs {
                calls.push(run(Way::Calls, len));
                ring.push(run(Way::Ring, len));
            }
            let (calls, ring) = (median(calls), median(ring));
            println!(
                "| {len} bytes, {name}: processor time a frame | {calls:.0} ns | {ring:.0} ns | {:.2} |",
                calls / ring
            );
        }
    }
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Processor time of this thread, in nanoseconds, while frames are received; by frame.
fn received(way: Way, len: usize) -> f64 {
    let pair = VethPair::new();
    let over = AtomicBool::new(false);
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            pin(PEER_CORE);
            let socket = pair.socket(NEAR);
            let frame = frame(len);
            while !over.load(Ordering::Relaxed) {
                let _ = send(&socket, &frame);
            }
        });
        pin(STATION_CORE);
        let socket = pair.socket(FAR);
        let ring = (way == Way::Ring).then(|| Ring::new(&socket, libc::PACKET_RX_RING));
        let start = Instant::now();
        let before = cpu_time();
        let mut frames = 0_u64;
        let mut at = 0;
        let mut buffer = [0; SLOT];
        while start.elapsed() < LASTING {
            match &ring {
                None => match receive(&socket, &mut buffer) {
                    Ok(_) => frames += 1,
                    Err(_) => wait(&socket, libc::POLLIN),
                },
                Some(ring) => {
                    if ring.status(at) & libc::TP_STATUS_USER == 0 {
                        wait(&socket, libc::POLLIN);
                        continue;
                    }
                    // The frame would be read here; the kernel's copy is what costs.
                    std::hint::black_box(ring.byte(at, HEADER));
                    ring.set_status(at, libc::TP_STATUS_KERNEL);
                    at = (at + 1) % SLOTS;
                    frames += 1;
                }
            }
        }
        let spent = cpu_time() - before;
        over.store(true, Ordering::Relaxed);
        spent.as_nanos() as f64 / frames.max(1) as f64
    });
    drop(pair);
    found
}

/// Processor time of this thread, in nanoseconds, while frames are sent to nobody; by frame.
fn sent(way: Way, len: usize) -> f64 {
    let pair = VethPair::new();
    pin(STATION_CORE);
    let socket = pair.socket(NEAR);
    let ring = (way == Way::Ring).then(|| Ring::new(&socket, libc::PACKET_TX_RING));
    let frame = frame(len);
    let start = Instant::now();
    let before = cpu_time();
    let mut frames = 0_u64;
    let mut at = 0;
    while start.elapsed() < LASTING {
        let Some(ring) = &ring else {
            if send(&socket, &frame).is_ok() {
                frames += 1;
            }
            continue;
        };
        let mut put = 0;
        while put < BURST && ring.status(at) == libc::TP_STATUS_AVAILABLE {
            ring.put(at, &frame);
            ring.set_status(at, libc::TP_STATUS_SEND_REQUEST);
            at = (at + 1) % SLOTS;
            put += 1;
        }
        frames += put as u64;
        if send(&socket, &[]).is_err() && put == 0 {
            wait(&socket, libc::POLLOUT);
        }
    }
    let spent = cpu_time() - before;
    drop(pair);
    spent.as_nanos() as f64 / frames.max(1) as f64
}

/// A frame of the local experimental EtherType.
fn frame(len: usize) -> Vec<u8> {
    let mut frame = vec![0x5A; len];
    frame[..14].copy_from_slice(&[
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x88, 0xb5,
    ]);
    frame
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .expect("the clock is there")
        .into()
}

/// A pair of interfaces without addresses.
struct VethPair;

impl VethPair {
    fn new() -> VethPair {
        create_veth_pair(NEAR, FAR).expect("a pair");
        for name in [NEAR, FAR] {
            KernelEnd::of(name)
                .and_then(|mut end| end.up().map(|_| ()))
                .expect("the interface");
        }
        // The carrier is noticed by a kernel thread, some time after both ends are up.
        thread::sleep(Duration::from_millis(50));
        VethPair
    }

    /// A packet socket on one end that does not block.
    fn socket(&self, name: &str) -> OwnedFd {
        let protocol = 0x88b5_u16.to_be();
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: plain numbers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, i32::from(protocol)) };
        assert!(fd >= 0, "a packet socket: {}", io::Error::last_os_error());
        // SAFETY: it was just made, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let index = nix::net::if_::if_nametoindex(name).expect("the interface");
        // SAFETY: all zeros are an address of no family.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol;
        address.sll_ifindex = index as i32;
        // SAFETY: the pointer and the length are the address's.
        let bound = unsafe {
            libc::bind(
                fd,
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        assert_eq!(bound, 0, "bind: {}", io::Error::last_os_error());
        socket
    }
}

impl Drop for VethPair {
    fn drop(&mut self) {
        crate::ip(&format!("link delete {NEAR}"));
    }
}

fn send(socket: &OwnedFd, frame: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are the slice's.
    let sent = unsafe { libc::send(socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and the length are the slice's.
    let got = unsafe {
        libc::recv(
            socket.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            0,
        )
    };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

fn wait(socket: &OwnedFd, events: i16) {
    let mut entry = libc::pollfd {
        fd: socket.as_raw_fd(),
        events,
        revents: 0,
    };
    // SAFETY: one entry, which lives through the call.
    unsafe { libc::poll(&raw mut entry, 1, 10) };
}

/// A ring of the kernel's, mapped.
struct Ring {
    memory: *mut u8,
}

impl Ring {
    const LEN: usize = SLOT * SLOTS;

    fn new(socket: &OwnedFd, which: i32) -> Ring {
        let fd = socket.as_raw_fd();
        let set = |option, value: *const libc::c_void, len: usize| {
            // SAFETY: the callers' pointers and lengths are those of their values.
            let set = unsafe { libc::setsockopt(fd, libc::SOL_PACKET, option, value, len as u32) };
            assert_eq!(set, 0, "a ring: {}", io::Error::last_os_error());
        };
        let version = libc::tpacket_versions::TPACKET_V2 as i32;
        set(
            libc::PACKET_VERSION,
            (&raw const version).cast(),
            size_of_val(&version),
        );
        let request = libc::tpacket_req {
            tp_block_size: (SLOT * 8) as u32,
            tp_block_nr: (SLOTS / 8) as u32,
            tp_frame_size: SLOT as u32,
            tp_frame_nr: SLOTS as u32,
        };
        set(which, (&raw const request).cast(), size_of_val(&request));
        // SAFETY: a new mapping wherever the kernel likes.
        let memory = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                Ring::LEN,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd,
                0,
            )
        };
        assert_ne!(
            memory,
            libc::MAP_FAILED,
            "mmap: {}",
            io::Error::last_os_error()
        );
        Ring {
            memory: memory.cast(),
        }
    }

    fn slot(&self, index: usize) -> *mut u8 {
        assert!(index < SLOTS);
        // SAFETY: within the mapping.
        unsafe { self.memory.add(index * SLOT) }
    }

    fn status(&self, index: usize) -> u32 {
        let status = self.slot(index).cast::<u32>();
        // SAFETY: the first word of a slot is its status; the kernel changes it meanwhile.
        let status = unsafe { status.read_volatile() };
        std::sync::atomic::fence(Ordering::Acquire);
        status
    }

    fn set_status(&self, index: usize, value: u32) {
        std::sync::atomic::fence(Ordering::Release);
        // SAFETY: as above.
        unsafe { self.slot(index).cast::<u32>().write_volatile(value) };
    }

    fn byte(&self, index: usize, at: usize) -> u8 {
        assert!(at < SLOT);
        // SAFETY: within the slot, which is the program's by its status.
        unsafe { self.slot(index).add(at).read_volatile() }
    }

    /// Writes a frame and its length into a slot that is the program's.
    fn put(&self, index: usize, frame: &[u8]) {
        assert!(frame.len() <= SLOT - TX_AT);
        let slot = self.slot(index);
        // SAFETY: the header begins the slot; the frame fits behind it. The slot is the program's.
        unsafe {
            (*slot.cast::<libc::tpacket2_hdr>()).tp_len = frame.len() as u32;
            std::ptr::copy_nonoverlapping(frame.as_ptr(), slot.add(TX_AT), frame.len());
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is this ring's, and nobody else refers to it.
        unsafe { libc::munmap(self.memory.cast(), Ring::LEN) };
    }
}
