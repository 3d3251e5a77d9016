//! What tests against the real kernel share. Each runs in a network namespace of its own, which
//! ends with the test, so they neither see one another nor the host's network.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::Write;
use std::panic::resume_unwind;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use netloom_driver::{RxMeta, TxMeta};
use netloom_host::device::{Device, Waiter};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};

/// How long to wait for what must come. Only a failing test waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a test cannot do without.
pub(crate) enum Need {
    /// `/dev/net/tun`, readable and writable.
    Tun,
    /// A program of iproute2: `ip` or `tc`.
    Program(&'static str),
}

impl Need {
    fn missing(&self) -> Option<String> {
        match self {
            Need::Tun => {
                let mut options = std::fs::OpenOptions::new();
                let opened = options.read(true).write(true).open("/dev/net/tun");
                opened
                    .err()
                    .map(|e| format!("cannot open /dev/net/tun: {e}"))
            }
            Need::Program(name) => {
                let run = Command::new(name).arg("-V").output();
                run.err().map(|e| format!("cannot run {name}: {e}"))
            }
        }
    }
}

/// Runs `body` on a thread in a new network namespace, or says why it cannot.
pub(crate) fn in_namespace(test: &str, needs: &[Need], body: impl FnOnce() + Send + 'static) {
    let missing = needs.iter().find_map(Need::missing);
    let skipped = missing.or_else(|| {
        let inside = thread::spawn(|| {
            if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
                return Some(format!("cannot make a network namespace: {error}"));
            }
            body();
            None
        });
        inside.join().unwrap_or_else(|panic| resume_unwind(panic))
    });
    if let Some(reason) = skipped {
        // Past the capture of a passing test's output: a skipped test must not look like one
        // that passed.
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
    }
}

/// Runs a program of iproute2 in the thread's namespace and returns what it prints.
pub(crate) fn run(command: &str) -> String {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a command has a name");
    let output = Command::new(program)
        .args(words)
        .output()
        .expect("the program starts");
    assert!(
        output.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes the pair `name0`-`name1`, both ends up and carrying frames, without IPv6 and its chatter.
pub(crate) fn veth_pair(name: &str) -> (String, String) {
    let (a, b) = (format!("{name}0"), format!("{name}1"));
    run(&format!("ip link add {a} type veth peer name {b}"));
    for end in [&a, &b] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{end}/disable_ipv6"), "1");
        run(&format!("ip link set {end} up"));
    }
    carries(&a);
    carries(&b);
    (a, b)
}

/// Waits until an interface that was brought up carries frames. Until a kernel thread has noticed
/// the carrier, what is sent vanishes in the queueing discipline `noop`.
pub(crate) fn carries(interface: &str) {
    eventually("the interface never got a carrier", || {
        let state = run(&format!("ip link show dev {interface}"));
        state.contains("state UP") && !state.contains("qdisc noop ")
    });
}

/// Whether a change of its interface is announced by the device.
pub(crate) fn announced(device: &dyn Device) -> bool {
    let changes = device.changes().expect("it is in this namespace");
    let mut entry = [PollFd::new(changes, PollFlags::POLLIN)];
    poll(&mut entry, PollTimeout::ZERO).expect("poll works") > 0
}

/// Sends one frame and says whether the device took it.
pub(crate) fn send(device: &mut dyn Device, frame: &[u8]) -> bool {
    let sink = device.sink();
    let sent = sink.frame(frame.len(), &TxMeta::default(), &mut |out| {
        out.copy_from_slice(frame)
    });
    sink.flush();
    sent.is_ok()
}

/// Receives until `wanted` accepts a frame, and returns what it makes of it.
pub(crate) fn receive_until<T>(
    device: &mut dyn Device,
    mut wanted: impl FnMut(&[u8], &RxMeta) -> Option<T>,
) -> T {
    let mut waiter = Waiter::new().expect("a waiter");
    let deadline = Instant::now() + PATIENCE;
    let mut found = None;
    loop {
        device.receive(&mut |frame, meta| {
            if found.is_none() {
                found = wanted(frame, meta);
            }
        });
        if let Some(found) = found {
            return found;
        }
        if let Some(fault) = device.fault() {
            panic!("{fault}");
        }
        let left = deadline.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "the frame never came");
        waiter.wait(&[&*device], Some(left)).expect("waiting works");
    }
}

/// Repeats until `done`, giving the kernel time in between.
pub(crate) fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The one's complement sum of `bytes`, folded; 0xffff for data that includes its checksum.
pub(crate) fn sum(bytes: &[u8], start: u32) -> u32 {
    let mut sum = start;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |&b| u32::from(b));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum
}

/// The sum of a pseudo-header: both addresses, protocol and length.
pub(crate) fn pseudo_header(addresses: &[u8], protocol: u8, len: usize) -> u32 {
    sum(addresses, u32::from(protocol) + len as u32)
}

/// An Ethernet frame of the local experimental type 0x88b5, padded to the minimum.
pub(crate) fn experimental_frame(from: [u8; 6], to: [u8; 6], payload: &[u8]) -> Vec<u8> {
    let mut frame = [to.as_slice(), &from, &[0x88, 0xb5], payload].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}
