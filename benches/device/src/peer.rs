//! The kernel's side of each measurement: its own sockets, the same for every station.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, SockaddrIn, recv, setsockopt, socket, sockopt,
};
use nix::unistd::{Pid, gettid};

use crate::station::{STATION, Service};

/// Not measured: slow start, and caches.
const WARM_UP: Duration = Duration::from_millis(200);

/// How the kernel's side behaves.
#[derive(Debug, Clone)]
pub struct Peer {
    /// For how long it is measured.
    pub lasting: Duration,
    /// Its congestion control. BBR paces; CUBIC now and then takes the rhythm of a link without
    /// delay for a sign of congestion and ends slow start early, which Reno does not.
    pub congestion: OsString,
}

/// What one run found.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Bytes, or round trips, a second.
    pub rate: f64,
    /// The same for each second that a core worked: for bulk the station's alone, for round trips
    /// both ends together. What else the machine does hardly disturbs this.
    pub work_rate: f64,
    /// The median round trip; zero for bulk.
    pub p50: Duration,
}

/// The processor time of a thread.
#[derive(Debug, Clone, Copy)]
pub struct Work(Pid);

impl Work {
    /// That of one thread of this process.
    pub const fn of(thread: Pid) -> Work {
        Work(thread)
    }

    fn so_far(self) -> Duration {
        let path = format!("/proc/self/task/{}/schedstat", self.0);
        let text = std::fs::read_to_string(path).expect("the thread lives");
        let nanos = text.split(' ').next().and_then(|n| n.parse().ok());
        Duration::from_nanos(nanos.expect("a number of nanoseconds"))
    }
}

/// A measurement under way: wall-clock time and processor time.
struct Window<'w> {
    start: Instant,
    work: &'w [Work],
    before: Duration,
}

impl<'w> Window<'w> {
    fn open(work: &'w [Work]) -> Window<'w> {
        Window {
            before: work.iter().map(|w| w.so_far()).sum(),
            start: Instant::now(),
            work,
        }
    }

    fn close(&self, done: usize, p50: Duration) -> Measured {
        let elapsed = self.start.elapsed();
        let after: Duration = self.work.iter().map(|w| w.so_far()).sum();
        Measured {
            rate: done as f64 / elapsed.as_secs_f64(),
            work_rate: done as f64 / (after - self.before).as_secs_f64(),
            p50,
        }
    }
}

/// Keeps the calling thread on one core.
pub fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core).expect("a core's number");
    sched_setaffinity(Pid::from_raw(0), &set).expect("the core exists");
}

/// Uses a station's service for as long as `lasting`.
pub fn measure(service: Service, peer: &Peer, station: Work) -> Measured {
    let lasting = peer.lasting;
    let address = SocketAddrV4::new(STATION.into(), service.port());
    let stream = connect(address, peer);
    match service {
        Service::Echo => round_trips(stream, lasting, &[station, Work::of(gettid())]),
        Service::Discard => send(stream, lasting, &[station]),
        Service::Generate => receive(&stream, lasting, &[station]),
    }
}

/// Connects with the congestion control already chosen: the kernel's default may be BBR, and a
/// connection that began with it stays paced, whatever is chosen afterwards.
fn connect(address: SocketAddrV4, peer: &Peer) -> TcpStream {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )
    .expect("a descriptor is free");
    setsockopt(&socket, sockopt::TcpCongestion, &peer.congestion.clone())
        .expect("the kernel has it");
    let to = SockaddrIn::from(address);
    nix::sys::socket::connect(socket.as_raw_fd(), &to).expect("the station answers");
    TcpStream::from(socket)
}

fn send(mut stream: TcpStream, lasting: Duration, work: &[Work]) -> Measured {
    let chunk = vec![0x5a; 1 << 18];
    let mut until = Instant::now() + WARM_UP;
    while Instant::now() < until {
        stream.write_all(&chunk).expect("the station reads on");
    }
    let window = Window::open(work);
    until = window.start + lasting;
    let mut bytes = 0;
    while Instant::now() < until {
        stream.write_all(&chunk).expect("the station reads on");
        bytes += chunk.len();
    }
    window.close(bytes, Duration::ZERO)
}

/// Receives without copying out of the kernel: the reader is not what is measured.
fn receive(stream: &TcpStream, lasting: Duration, work: &[Work]) -> Measured {
    let mut chunk = vec![0; 1 << 20];
    let mut discard = || {
        let len = recv(stream.as_raw_fd(), &mut chunk, MsgFlags::MSG_TRUNC);
        len.expect("the station sends on")
    };
    let mut until = Instant::now() + WARM_UP;
    while Instant::now() < until {
        discard();
    }
    let window = Window::open(work);
    until = window.start + lasting;
    let mut bytes = 0;
    while Instant::now() < until {
        bytes += discard();
    }
    window.close(bytes, Duration::ZERO)
}

fn round_trips(mut stream: TcpStream, lasting: Duration, work: &[Work]) -> Measured {
    stream.set_nodelay(true).expect("it is open");
    let mut times = Vec::with_capacity(1 << 20);
    let mut once = || {
        let start = Instant::now();
        let mut byte = [7];
        stream.write_all(&byte).expect("the station is there");
        stream.read_exact(&mut byte).expect("it answers");
        start.elapsed()
    };
    let until = Instant::now() + WARM_UP;
    while Instant::now() < until {
        once();
    }
    let window = Window::open(work);
    while window.start.elapsed() < lasting {
        times.push(once());
    }
    let measured = window.close(times.len(), Duration::ZERO);
    times.sort_unstable();
    Measured {
        p50: times[times.len() / 2],
        ..measured
    }
}
