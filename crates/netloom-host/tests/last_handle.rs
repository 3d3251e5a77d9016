//! What ends with the last handle. By itself in its process: it counts threads.
#![cfg(target_os = "linux")]

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::LinkEnd;

/// Threads that drive a stack.
fn drivers() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
    names
        .flatten()
        .filter(|name| name.starts_with("netloom link"))
        .count()
}

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// "Within a second", on a machine that is busy.
const SOON: Duration = Duration::from_secs(5);

/// Waits until there are so many drivers: a thread names itself once it runs, and is listed for a
/// moment after it was joined.
fn drivers_become(number: usize) {
    let start = Instant::now();
    while drivers() != number {
        assert!(start.elapsed() < PATIENCE, "there are {}", drivers());
        thread::sleep(Duration::from_millis(1));
    }
}

/// A program whose last handle goes while its peer is silent still ends in time.
#[test]
fn the_last_handle_ends_everything_within_a_second() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").start().unwrap();
    let b = b.address("10.0.0.2/24").start().unwrap();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    let _server = listener.accept().unwrap();
    // More than the other side takes while nobody reads: it can never be delivered.
    client.set_nonblocking(true).unwrap();
    while client.write(&[0; 65536]).is_ok() {}
    drivers_become(2);
    let start = Instant::now();
    drop((a, client));
    let took = start.elapsed();
    // It takes 0.9 s. More is allowed because other programs take the processors too, and less than
    // any time a stack might linger for by mistake.
    assert!(took < SOON, "{took:?}");
    drivers_become(1);
}
