//! Kernels: a network namespace each, in which there is nothing but one end of the link.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::{Offload, Tun};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, setsockopt, socket, sockopt,
};

use crate::emulator::{address, station};

/// What must be said to a kernel, so that only its congestion control and recovery are measured:
/// buffers that may grow beyond every path here, and nothing remembered of an earlier run.
const SYSCTLS: &[(&str, &str)] = &[
    ("net/ipv4/tcp_rmem", "4096 131072 268435456"),
    ("net/ipv4/tcp_wmem", "4096 16384 268435456"),
    ("net/ipv4/tcp_no_metrics_save", "1"),
    ("net/ipv6/conf/all/disable_ipv6", "1"),
];
const PORT: u16 = 5001;

type Work = Box<dyn FnOnce() + Send>;

/// A thread in a namespace of its own.
pub(crate) struct Kernel {
    work: Sender<Work>,
}

impl Kernel {
    /// A new kernel and the end of the link that it has, with the address of station `n`.
    pub(crate) fn new(n: u8) -> io::Result<(Kernel, Tun)> {
        let (work, inbox) = channel::<Work>();
        thread::spawn(move || {
            for work in inbox {
                work();
            }
        });
        let kernel = Kernel { work };
        let tun = kernel.call(move || end(n))?;
        Ok((kernel, tun))
    }

    /// Has the kernel's thread do something, and waits for it.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (answer, answers) = channel();
        let work = move || {
            let _ = answer.send(what());
        };
        let gone = || io::Error::other("the kernel's thread has ended");
        self.work.send(Box::new(work)).map_err(|_| gone())?;
        answers.recv().map_err(|_| gone())?
    }

    /// Takes in whatever connects, and counts its octets by address and port.
    pub(crate) fn receive(&self, stop: &Arc<AtomicBool>) -> io::Result<Arc<Receiver>> {
        let receiver = Arc::new(Receiver::default());
        let (counts, stop) = (receiver.clone(), stop.clone());
        self.call(move || {
            let listener = TcpListener::bind((address(2), PORT))?;
            thread::spawn(move || {
                while let Ok((stream, from)) = listener.accept() {
                    let (counts, stop) = (counts.clone(), stop.clone());
                    thread::spawn(move || counts.count(stream, from, &stop));
                }
            });
            Ok(())
        })?;
        Ok(receiver)
    }

    /// Sends to the receiver with a congestion control until told to stop; returns when connected.
    pub(crate) fn send(&self, congestion: &'static str, stop: &Arc<AtomicBool>) -> io::Result<()> {
        let stop = stop.clone();
        self.call(move || {
            let mut stream = connect(congestion)?;
            stream.set_write_timeout(Some(Duration::from_millis(500)))?;
            thread::spawn(move || {
                let chunk = vec![0x5a; 1 << 17];
                while !stop.load(Ordering::Relaxed) {
                    // A timeout is no end.
                    let _ = stream.write(&chunk);
                }
            });
            Ok(())
        })
    }

    /// What `ss -ti` tells of the connections that send.
    pub(crate) fn statistics(&self) -> io::Result<Vec<Statistics>> {
        self.call(|| {
            let output = Command::new("ss")
                .args(["-Htin", "state", "established"])
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(text.lines().filter_map(Statistics::of).collect())
        })
    }
}

/// Connects with the congestion control already chosen: the kernel's default may be BBR, and a
/// connection that began with it stays paced, whatever is chosen afterwards.
fn connect(congestion: &str) -> io::Result<TcpStream> {
    let socket = socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    setsockopt(&socket, sockopt::TcpCongestion, &congestion.into())?;
    let to = SockaddrIn::from(SocketAddrV4::new(station(2), PORT));
    nix::sys::socket::connect(socket.as_raw_fd(), &to)?;
    Ok(TcpStream::from(socket))
}

/// Makes the calling thread's namespace, and the end in it.
fn end(n: u8) -> io::Result<Tun> {
    unshare(CloneFlags::CLONE_NEWNET)?;
    for (name, value) in SYSCTLS {
        std::fs::write(format!("/proc/sys/{name}"), value)?;
    }
    let name = format!("path{n}");
    let tun = Tun::create(&name).map_err(io::Error::other)?;
    // Frames are to be as long as the path's, each with its own checksum.
    let tun = tun.with_offload(Offload::None).map_err(io::Error::other)?;
    let mut end = tun.kernel_end().map_err(io::Error::other)?;
    end.address(address(n), 24)
        .and_then(|end| end.up())
        .map_err(io::Error::other)?;
    // Nothing is to be lost before the link.
    let queue = ["link", "set", &name, "txqueuelen", "60000"];
    if !Command::new("ip").args(queue).status()?.success() {
        return Err(io::Error::other("ip cannot lengthen the queue"));
    }
    Ok(tun)
}

/// What has arrived.
#[derive(Default)]
pub(crate) struct Receiver {
    flows: std::sync::Mutex<Vec<(SocketAddr, Arc<AtomicU64>)>>,
}

impl Receiver {
    fn count(&self, mut stream: TcpStream, from: SocketAddr, stop: &AtomicBool) {
        let count = Arc::new(AtomicU64::new(0));
        self.flows
            .lock()
            .expect("nobody panics with it")
            .push((from, count.clone()));
        let mut buffer = vec![0; 1 << 18];
        while let (Ok(n @ 1..), false) = (stream.read(&mut buffer), stop.load(Ordering::Relaxed)) {
            count.fetch_add(n as u64, Ordering::Relaxed);
        }
    }

    /// Octets so far, and who sent them.
    pub(crate) fn octets(&self) -> Vec<(IpAddr, u64)> {
        let flows = self.flows.lock().expect("nobody panics with it");
        flows
            .iter()
            .map(|(from, count)| (from.ip(), count.load(Ordering::Relaxed)))
            .collect()
    }

    /// Waits for so many flows.
    pub(crate) fn wait_for(&self, flows: usize) -> io::Result<()> {
        let end = Instant::now() + Duration::from_secs(20);
        while self.octets().len() < flows {
            if Instant::now() > end {
                return Err(io::Error::other("a flow never connected"));
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// A line of `ss -ti`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    /// The line.
    pub(crate) line: String,
    /// Segments sent again.
    pub(crate) retransmissions: u64,
}

impl Statistics {
    fn of(line: &str) -> Option<Statistics> {
        line.contains("cwnd:").then(|| Statistics {
            line: line.trim().to_owned(),
            retransmissions: line
                .split_once(" retrans:")
                .and_then(|(_, rest)| rest.split_once('/'))
                .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
                .unwrap_or(0),
        })
    }

    /// Whether the connection has this congestion control.
    pub(crate) fn uses(&self, congestion: &str) -> bool {
        self.line.split_whitespace().any(|word| word == congestion)
    }
}
