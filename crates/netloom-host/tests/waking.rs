//! Who waits is woken when there is something to do, by whoever does it; who is told that something is
//! ready does not find it otherwise; and what wakers do harms nobody.
#![cfg(target_os = "linux")]

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use common::{Need, PATIENCE, in_namespace, run};
use netloom_host::device::{LinkEnd, Tap};
use netloom_host::net::{Interest, Net, PollEntry, TcpStream};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// How long to wait for what must come where something else would come later.
const AT_ONCE: Duration = Duration::from_secs(3);

fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").start();
    let b = b.address("10.0.0.2/24").start();
    (a.unwrap(), b.unwrap())
}

fn connected(a: &Net, b: &Net) -> (TcpStream, TcpStream) {
    let listener = b.tcp_listen("10.0.0.2:0").unwrap();
    let client = a.tcp_connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Runs it on a thread; panics if it takes longer than `PATIENCE`.
fn in_time<T: Send + 'static>(what: &str, f: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(PATIENCE)
        .unwrap_or_else(|e| panic!("{what}: {e}"))
}

fn shows(fd: &impl AsFd, flags: PollFlags, wait: u16) -> bool {
    let mut entry = [PollFd::new(fd.as_fd(), flags)];
    poll(&mut entry, PollTimeout::from(wait)).unwrap() > 0
}

/// Writes until nothing has gone for a while.
fn fill(mut stream: &TcpStream) {
    let mut idle = 0;
    while idle < 20 {
        idle = match stream.write(&[0; 65_536]) {
            Ok(written) => {
                assert!(written > 0);
                0
            }
            Err(_) => idle + 1,
        };
        thread::sleep(Duration::from_millis(u64::from(idle > 0) * 5));
    }
}

/// A writer waits for room in a full queue; somebody gives the queue more room.
#[test]
fn more_room_in_the_send_queue_wakes_its_writer() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a
        .address("10.0.0.1/24")
        .tunable("tcp_rto_min_us", 1_000_000);
    let (a, b) = (
        a.start().unwrap(),
        b.address("10.0.0.2/24").start().unwrap(),
    );
    let (client, _server) = connected(&a, &b);
    client.set_send_buffer_size(100_000).unwrap();
    client.set_nonblocking(true).unwrap();
    // The peer never reads: until its window is full, and our queue.
    fill(&client);
    client.set_nonblocking(false).unwrap();
    let set = a.poll_set();
    set.arm(&client, Interest::WRITABLE, 7).unwrap();
    assert!(set.wait(Some(Duration::ZERO)).unwrap().is_none());
    let other = client.try_clone().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send((&other).write(&[1; 1000]).map_err(|e| e.kind())));
    // The peer's full window was asked for after 1, 3 and 7 seconds, and will be after 15: no answer
    // wakes anybody meanwhile.
    thread::sleep(Duration::from_secs(8));
    client.set_send_buffer_size(10_000_000).unwrap();
    let by_set = set.wait(Some(AT_ONCE)).unwrap();
    let by_writer = told.recv_timeout(AT_ONCE);
    // It was possible all the time.
    client.set_nonblocking(true).unwrap();
    assert!((&client).write(&[1; 1000]).is_ok());
    assert!(
        by_set.is_some() && by_writer.is_ok(),
        "{by_set:?} {by_writer:?}"
    );
}

/// What ICMP says of a datagram is not told to a socket that is not connected: so it is nothing to
/// wake for either, else a program that receives when it is told to does not come back.
#[test]
fn an_error_that_is_not_told_is_not_ready() {
    let (a, _b) = pair();
    let socket = a.udp_bind("10.0.0.1:5000").unwrap();
    socket.send_to(b"x", "10.0.0.2:9").unwrap();
    let mut entries = [PollEntry::new(&socket, Interest::READABLE)];
    let count = a
        .poll(&mut entries, Some(Duration::from_millis(500)))
        .unwrap();
    let ready = entries[0].ready();
    let epoll = shows(&socket, PollFlags::POLLIN, 0);
    let got = in_time_or_none(Duration::from_secs(1), move || {
        socket.recv_from(&mut [0; 8]).map_err(|e| e.kind())
    });
    assert!(
        (count, epoll) == (0, false) || got.is_some(),
        "told {ready:?}, epoll {epoll}, and receiving waits"
    );
}

fn in_time_or_none<T: Send + 'static>(
    limit: Duration,
    f: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(f()));
    told.recv_timeout(limit).ok()
}

/// Whatever is tried once the device is gone fails at once, so its descriptor says "ready",
/// whenever it was asked for.
#[test]
fn descriptors_asked_for_after_the_end() {
    let name = "descriptors_asked_for_after_the_end";
    in_namespace(name, &[Need::Tun, Need::Program("ip")], || {
        let tap = Tap::create("rev0").unwrap();
        let net = tap
            .address("10.71.0.2/24")
            .kernel_address("10.71.0.1/24")
            .start()
            .unwrap();
        let listener = net.tcp_listen("10.71.0.2:80").unwrap();
        let early = net.tcp_listen("10.71.0.2:81").unwrap();
        let socket = net.udp_bind("10.71.0.2:82").unwrap();
        assert!(!shows(&early, PollFlags::POLLIN, 0));
        run("ip link del rev0");
        assert!(shows(&early, PollFlags::POLLIN, 20_000), "the early one");
        assert!(listener.accept().is_err());
        assert!(socket.recv_from(&mut [0; 8]).is_err());
        let late = net.udp_bind("10.71.0.2:83");
        let found = (
            shows(&listener, PollFlags::POLLIN, 20_000),
            shows(&socket, PollFlags::POLLIN, 20_000),
            late.map(|late| shows(&late, PollFlags::POLLIN, 20_000))
                .ok(),
        );
        assert!(found.0 && found.1, "{found:?}");
    });
}

/// After its read half was ended a stream reads its end at once, and says so.
#[test]
fn a_half_that_was_ended_is_ready() {
    let (a, b) = pair();
    let (client, _server) = connected(&a, &b);
    assert!(!shows(&client, PollFlags::POLLIN, 0));
    let set = a.poll_set();
    set.arm(&client, Interest::READABLE, 1).unwrap();
    client.shutdown(Shutdown::Read).unwrap();
    assert_eq!((&client).read(&mut [0; 4]).unwrap(), 0);
    let epoll = shows(&client, PollFlags::POLLIN, 20_000);
    let by_set = set.wait(Some(PATIENCE)).unwrap();
    assert!(epoll && by_set.is_some(), "{epoll} {by_set:?}");
    let (client, _server) = connected(&a, &b);
    client.set_nonblocking(true).unwrap();
    fill(&client);
    assert!(!shows(&client, PollFlags::POLLOUT, 0));
    set.arm(&client, Interest::WRITABLE, 2).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        (&client).write(&[1]).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let epoll = shows(&client, PollFlags::POLLOUT, 20_000);
    let by_set = set.wait(Some(PATIENCE)).unwrap();
    assert!(epoll && by_set.is_some(), "{epoll} {by_set:?}");
}

/// All memory for buffers is taken: who waits to write on a connection whose queue is empty goes on
/// when there is some again, and is not told of room meanwhile.
#[test]
fn writers_without_memory_wait_and_go_on() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let limits = netloom_stack::Limits {
        buffers: 1 << 18,
        ..netloom_stack::Limits::default()
    };
    let a = a.address("10.0.0.1/24").limits(limits).start().unwrap();
    let b = b.address("10.0.0.2/24").start().unwrap();
    let mut greedy = Vec::new();
    let (poor, _server) = connected(&a, &b);
    for _ in 0..8 {
        let (client, server) = connected(&a, &b);
        client.set_nonblocking(true).unwrap();
        server.set_recv_buffer_size(2000).unwrap();
        client.set_send_buffer_size(1 << 20).unwrap();
        fill(&client);
        greedy.push((client, server));
    }
    poor.set_nonblocking(true).unwrap();
    let first = (&poor).write(b"x").map_err(|e| e.kind());
    assert_eq!(first, Err(ErrorKind::WouldBlock), "{:?}", a.usage());
    let set = a.poll_set();
    let mut told_in_vain = 0;
    for _ in 0..100 {
        set.arm(&poor, Interest::WRITABLE, 1).unwrap();
        if set.wait(Some(Duration::from_millis(1))).unwrap().is_some() {
            match (&poor).write(b"x") {
                Err(e) if e.kind() == ErrorKind::WouldBlock => told_in_vain += 1,
                _ => {}
            }
        }
    }
    poor.set_nonblocking(false).unwrap();
    let writer = poor.try_clone().unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send((&writer).write(b"y").map_err(|e| e.kind())));
    thread::sleep(Duration::from_millis(100));
    assert!(told.try_recv().is_err(), "there is memory again?");
    for (client, _) in &greedy {
        client.abort().unwrap();
    }
    drop(greedy);
    let went_on = told.recv_timeout(PATIENCE);
    assert!(told_in_vain < 50, "{told_in_vain} of 100");
    assert_eq!(went_on, Ok(Ok(1)));
}

#[cfg(feature = "tokio")]
mod tasks {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake};

    /// A task of an executor like that of the async book: what is left of it goes with its last
    /// waker, and being woken when the executor is gone drops it.
    struct Task<T>(Mutex<Option<T>>, AtomicBool);

    impl<T: Send> Wake for Task<T> {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::SeqCst);
            // The executor is gone: so is the future.
            let future = self.0.lock().unwrap().take();
            drop(future);
        }
    }

    fn udp(net: &Net, at: &str) -> netloom_host::tokio::UdpSocket {
        net.udp_bind(at).unwrap().into()
    }

    /// The last waker of a task goes with the socket it was left at, and takes the task's sockets
    /// with it.
    #[test]
    fn a_waker_dropped_with_a_socket_may_drop_sockets() {
        in_time("the lock was held", || {
            let (a, _b) = pair();
            let one = udp(&a, "10.0.0.1:1000");
            let two = udp(&a, "10.0.0.1:2000");
            let task = Arc::new(Task(Mutex::new(Some(two)), AtomicBool::new(false)));
            let waker = task.into();
            let mut buffer = [0; 8];
            let mut buffer = tokio::io::ReadBuf::new(&mut buffer);
            let pending = one.poll_recv(&mut Context::from_waker(&waker), &mut buffer);
            assert!(pending.is_pending());
            drop(waker);
            drop(one);
        });
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("an executor at its end");
        }
    }

    /// One waker that panics ends neither the stack nor the conversations of others.
    #[test]
    fn a_waker_that_panics_harms_nobody_else() {
        let (a, b) = pair();
        let (client, mut server) = connected(&a, &b);
        let one = udp(&a, "10.0.0.1:1000");
        let waker = Arc::new(Panics).into();
        let mut buffer = [0; 8];
        let mut buffer = tokio::io::ReadBuf::new(&mut buffer);
        let pending = one.poll_recv(&mut Context::from_waker(&waker), &mut buffer);
        assert!(pending.is_pending());
        let waking = b.udp_bind("10.0.0.2:1000").unwrap();
        waking.send_to(b"wake", "10.0.0.1:1000").unwrap();
        // Until the panic would have ended the driver, which a quick answer would overtake.
        thread::sleep(Duration::from_secs(2));
        server.write_all(b"on").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut got = [0; 2];
        let read = (&client).read_exact(&mut got).map_err(|e| e.to_string());
        assert_eq!(read, Ok(()));
    }

    /// A task that is woken by the driver's thread and ends there, with the last handles.
    #[test]
    fn the_last_handle_may_go_on_the_drivers_thread() {
        let (a, b) = pair();
        let (mut client, mut server) = connected(&a, &b);
        client.set_send_buffer_size(1_000_000).unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        let one = udp(&a, "10.0.0.1:1000");
        client.write_all(&vec![1; 500_000]).unwrap();
        let mut buffer = [0; 8];
        let mut buffer = tokio::io::ReadBuf::new(&mut buffer);
        let one = Arc::new(one);
        let task = Arc::new(Task(
            Mutex::new(Some((a, client, Arc::clone(&one)))),
            AtomicBool::new(false),
        ));
        let waker = Arc::clone(&task).into();
        let pending = one.poll_recv(&mut Context::from_waker(&waker), &mut buffer);
        assert!(pending.is_pending());
        drop((waker, one));
        let waking = b.udp_bind("10.0.0.2:1000").unwrap();
        waking.send_to(b"wake", "10.0.0.1:1000").unwrap();
        let start = Instant::now();
        while !task.1.load(Ordering::SeqCst) {
            assert!(start.elapsed() < PATIENCE, "never woken");
            thread::sleep(Duration::from_millis(1));
        }
        let mut got = Vec::new();
        let end = server.read_to_end(&mut got).map_err(|e| e.kind());
        assert_eq!((end, got.len()), (Ok(500_000), 500_000));
    }
}

/// A runtime without a clock cannot drive a stack: that is told when it is to.
#[cfg(feature = "tokio")]
#[test]
fn a_runtime_without_time_is_refused() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let (a, _b) = LinkEnd::pair(1500).unwrap();
    let handle = runtime.handle().clone();
    let net = std::panic::catch_unwind(move || a.address("10.0.0.1/24").start_on(&handle));
    let Ok(Ok(net)) = net else { return };
    let net = net.tokio();
    let end = runtime.block_on(async { net.tcp_connect("10.0.0.7:9").await.map(drop) });
    panic!("it was started, and then: {end:?}");
}
