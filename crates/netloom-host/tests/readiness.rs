//! Waiting for many sockets: by the stack's own poll and sets, by poll(2) and epoll(7), and by mio.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Poll, Token};
use netloom_host::device::LinkEnd;
use netloom_host::net::{Interest, Net, PollEntry, Polling, TcpStream};
use netloom_stack::CloseReason;
use nix::time::{ClockId, clock_gettime};

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));
/// How long to wait for what must not come.
const SHORT: Option<Duration> = Some(Duration::from_millis(20));

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

/// Both sides of one socket, as [`Net::poll`] finds them.
fn ready(net: &Net, stream: &TcpStream, timeout: Option<Duration>) -> (bool, bool) {
    let both = Interest::READABLE | Interest::WRITABLE;
    let mut entries = [PollEntry::new(stream, both)];
    net.poll(&mut entries, timeout).unwrap();
    let ready = entries[0].ready();
    (ready.readable, ready.writable)
}

#[test]
fn polling_finds_what_is_ready() {
    let (a, b) = pair();
    let (mut client, mut server) = connected(&a, &b);
    assert_eq!(ready(&a, &client, PATIENCE), (false, true));
    server.write_all(b"x").unwrap();
    let readable = || {
        let mut entries = [PollEntry::new(&client, Interest::READABLE)];
        (a.poll(&mut entries, PATIENCE).unwrap(), entries[0].ready())
    };
    let (count, found) = readable();
    assert!(count == 1 && found.readable && !found.writable && !found.closed);
    assert_eq!(client.read(&mut [0; 8]).unwrap(), 1);
    let mut entries = [PollEntry::new(&client, Interest::READABLE)];
    let start = Instant::now();
    assert_eq!(a.poll(&mut entries, SHORT).unwrap(), 0);
    assert!(start.elapsed() >= SHORT.unwrap());
    server.shutdown(Shutdown::Write).unwrap();
    a.poll(&mut entries, PATIENCE).unwrap();
    assert!(entries[0].ready().readable && entries[0].ready().read_closed);
    server.abort().unwrap();
    let mut end = [PollEntry::new(&client, Interest::default())];
    assert_eq!(a.poll(&mut end, PATIENCE).unwrap(), 1);
    assert!(end[0].ready().closed);
    assert_eq!(client.close_reason(), Some(CloseReason::PeerReset));
}

#[test]
fn polling_waits_for_any_of_many() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let socket = b.udp_bind("10.0.0.2:9").unwrap();
    let (_client, server) = connected(&a, &b);
    let mut entries = [
        PollEntry::new(&listener, Interest::READABLE),
        PollEntry::new(&socket, Interest::READABLE),
        PollEntry::new(&server, Interest::READABLE),
    ];
    assert_eq!(b.poll(&mut entries, Some(Duration::ZERO)).unwrap(), 0);
    let sender = a.udp_bind("10.0.0.1:0").unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            sender.send_to(b"x", "10.0.0.2:9")
        });
        assert_eq!(b.poll(&mut entries, PATIENCE).unwrap(), 1);
    });
    assert!(entries[1].ready().readable && !entries[0].ready().readable);
    let _connection = a.tcp_connect("10.0.0.2:80").unwrap();
    while b.poll(&mut entries, PATIENCE).unwrap() < 2 {}
    assert!(entries[0].ready().readable);
    let foreign = a.poll(&mut entries, None).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_set_tells_of_each_socket_once() {
    let (a, b) = pair();
    let (mut client, mut server) = connected(&a, &b);
    let set = b.poll_set();
    assert_eq!(set.wait(Some(Duration::ZERO)).unwrap(), None);
    // What is ready already is told at once.
    set.arm(&server, Interest::WRITABLE, 1).unwrap();
    let (token, ready) = set.wait(PATIENCE).unwrap().unwrap();
    assert!(token == 1 && ready.writable && !ready.readable);
    assert_eq!(set.wait(Some(Duration::ZERO)).unwrap(), None);
    set.arm(&server, Interest::READABLE, 2).unwrap();
    let start = Instant::now();
    assert_eq!(set.wait(SHORT).unwrap(), None);
    assert!(start.elapsed() >= SHORT.unwrap());
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(20));
            client.write_all(b"x").unwrap();
        });
        let (token, ready) = set.wait(PATIENCE).unwrap().unwrap();
        assert!(token == 2 && ready.readable);
    });
    assert_eq!(set.wait(Some(Duration::ZERO)).unwrap(), None, "told twice");
    assert_eq!(server.read(&mut [0; 8]).unwrap(), 1);
    // What is armed anew forgets what it was armed with.
    set.arm(&server, Interest::READABLE, 3).unwrap();
    set.arm(&server, Interest::default(), 4).unwrap();
    client.abort().unwrap();
    let (token, ready) = set.wait(PATIENCE).unwrap().unwrap();
    assert!(token == 4 && ready.closed);
    assert_eq!(set.wait(Some(Duration::ZERO)).unwrap(), None);
    let foreign = set.arm(&client, Interest::READABLE, 5).unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_set_forgets_what_is_disarmed_or_dropped() {
    let (a, b) = pair();
    let (client, server) = connected(&a, &b);
    let set = a.poll_set();
    assert!(!set.disarm(&client));
    set.arm(&client, Interest::READABLE, 1).unwrap();
    assert!(set.disarm(&client) && !set.disarm(&client));
    set.arm(&client, Interest::WRITABLE, 2).unwrap();
    assert!(!set.disarm(&client), "its token waits to be taken");
    assert_eq!(set.wait(PATIENCE).unwrap().unwrap().0, 2);
    set.arm(&client, Interest::READABLE, 3).unwrap();
    drop((client, server));
    assert_eq!(set.wait(SHORT).unwrap(), None);
}

/// What a row of calls makes due leaves together; who waits in the middle of it is not kept from
/// what he waits for.
#[test]
fn what_is_held_leaves_before_its_thread_waits() {
    let (a, b) = pair();
    let listener = a.tcp_listen("10.0.0.1:80").unwrap();
    let pairs = [connected(&a, &b), connected(&a, &b), connected(&a, &b)];
    let set = a.poll_set();
    let in_a_row = || {
        for (stream, _) in &pairs {
            set.arm(stream, Interest::WRITABLE, 1).unwrap();
        }
        set.wait(PATIENCE).unwrap().unwrap();
    };
    let start = Instant::now();
    let rest = || while set.wait(Some(Duration::ZERO)).unwrap().is_some() {};
    for _ in 0..20 {
        // The stack's own other end: all of it happens while the thread is about to wait.
        in_a_row();
        let address = "10.0.0.1:80".parse().unwrap();
        let near = a.tcp_connect_timeout(&address, PATIENCE.unwrap()).unwrap();
        near.set_read_timeout(PATIENCE).unwrap();
        let (far, _) = listener.accept().unwrap();
        rest();
        in_a_row();
        (&far).write_all(b"x").unwrap();
        assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
        rest();
        in_a_row();
        (&far).write_all(b"y").unwrap();
        let mut entries = [PollEntry::new(&near, Interest::READABLE)];
        assert_eq!(a.poll(&mut entries, PATIENCE).unwrap(), 1);
        rest();
    }
    let took = start.elapsed();
    assert!(
        took < PATIENCE.unwrap(),
        "a wait has ended by its time only"
    );
    // And without any more calls of the thread that holds it.
    in_a_row();
    (&pairs[0].0).write_all(b"z").unwrap();
    pairs[0].1.set_read_timeout(PATIENCE).unwrap();
    assert_eq!((&pairs[0].1).read(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn threads_that_share_a_set_do_not_meet_at_a_socket() {
    const CLIENTS: u64 = 200;
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let set = b.poll_set();
    let told = std::sync::Mutex::new(Vec::new());
    let pairs: Vec<_> = (0..CLIENTS)
        .map(|token| {
            let client = a.tcp_connect("10.0.0.2:80").unwrap();
            let server = listener.accept().unwrap().0;
            set.arm(&server, Interest::READABLE, token).unwrap();
            (client, server)
        })
        .collect();
    let start = Instant::now();
    let is_over =
        || told.lock().unwrap().len() >= CLIENTS as usize || start.elapsed() > PATIENCE.unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over() {
                    if let Some((token, ready)) = set.wait(SHORT).unwrap() {
                        assert!(ready.readable);
                        told.lock().unwrap().push(token);
                    }
                }
            });
        }
        for (client, _) in &pairs {
            (&mut &*client).write_all(b"x").unwrap();
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_unstable();
    assert_eq!(told, Vec::from_iter(0..CLIENTS));
}

/// Waits with poll(2) on a socket's descriptor; says whether it is readable, writable, hung up.
fn polled(socket: &impl AsRawFd, timeout: Option<Duration>) -> (bool, bool, bool) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::BorrowedFd;
    // SAFETY: the socket outlives the call.
    #[expect(unsafe_code, reason = "raw descriptors are what is tested")]
    let fd = unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
    let mut entry = [PollFd::new(fd, PollFlags::POLLIN | PollFlags::POLLOUT)];
    let timeout = PollTimeout::try_from(timeout.unwrap()).unwrap();
    poll(&mut entry, timeout).unwrap();
    let found = entry[0].revents().unwrap();
    (
        found.contains(PollFlags::POLLIN),
        found.contains(PollFlags::POLLOUT),
        found.contains(PollFlags::POLLHUP),
    )
}

/// Polls until the answer is this one: what changes does so when the other side's frames come.
fn becomes(socket: &impl AsRawFd, expected: (bool, bool, bool)) {
    let start = Instant::now();
    while polled(socket, Some(Duration::ZERO)) != expected {
        assert!(start.elapsed() < PATIENCE.unwrap(), "never {expected:?}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_descriptor_shows_what_can_be_done() {
    let (a, b) = pair();
    let (mut client, mut server) = connected(&a, &b);
    becomes(&client, (false, true, false));
    server.write_all(b"xy").unwrap();
    becomes(&client, (true, true, false));
    // It stays so while a byte is left.
    client.read_exact(&mut [0]).unwrap();
    assert_eq!(polled(&client, SHORT), (true, true, false));
    client.read_exact(&mut [0]).unwrap();
    becomes(&client, (false, true, false));
    // Nobody reads: there is no room in the end.
    client.set_nonblocking(true).unwrap();
    let start = Instant::now();
    loop {
        // Buffers grow as they fill: there may be room once more.
        while client.write(&[0; 65536]).is_ok() {}
        if polled(&client, Some(Duration::ZERO)) == (false, false, false) {
            break;
        }
        assert!(start.elapsed() < PATIENCE.unwrap(), "it is never full");
        thread::sleep(Duration::from_millis(1));
    }
    thread::scope(|scope| {
        scope.spawn(|| std::io::copy(&mut server.try_clone().unwrap(), &mut std::io::sink()));
        becomes(&client, (false, true, false));
        client.shutdown(Shutdown::Write).unwrap();
    });
    drop(server);
    becomes(&client, (true, true, true));
}

#[test]
fn a_descriptor_of_a_listener_and_of_a_datagram_socket() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let socket = b.udp_bind("10.0.0.2:9").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(!polled(&listener, SHORT).0 && !polled(&socket, SHORT).0);
    let _client = a.tcp_connect("10.0.0.2:80").unwrap();
    assert!(polled(&listener, PATIENCE).0);
    listener.accept().unwrap();
    assert!(!polled(&listener, SHORT).0);
    let sender = a.udp_bind("10.0.0.1:0").unwrap();
    sender.send_to(b"x", "10.0.0.2:9").unwrap();
    becomes(&socket, (true, true, false));
    socket.recv(&mut [0; 4]).unwrap();
    becomes(&socket, (false, true, false));
    // Clones are one socket.
    assert_eq!(socket.as_raw_fd(), socket.try_clone().unwrap().as_raw_fd());
}

#[test]
fn a_connection_opens_in_the_background() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let to = listener.local_addr().unwrap();
    let mut stream = a.tcp_socket().unwrap().connect_nonblocking(&to).unwrap();
    assert_eq!(ready(&a, &stream, PATIENCE), (false, true));
    assert!(stream.take_error().unwrap().is_none());
    stream.write_all(b"open").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0; 4]).unwrap();

    let closed = "10.0.0.2:81".parse().unwrap();
    let refused = a
        .tcp_socket()
        .unwrap()
        .connect_nonblocking(&closed)
        .unwrap();
    let mut entries = [PollEntry::new(&refused, Interest::WRITABLE)];
    a.poll(&mut entries, PATIENCE).unwrap();
    assert!(entries[0].ready().writable && entries[0].ready().closed);
    let error = refused.take_error().unwrap().unwrap();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(polled(&refused, PATIENCE), (true, true, true));
}

/// One connection of the echo server below.
struct Echo {
    stream: TcpStream,
    /// What was read and not written back.
    waiting: Vec<u8>,
    finished: bool,
}

impl Echo {
    /// Does everything that can be done, as edge-triggered readiness demands. Says whether the
    /// connection goes on.
    fn advance(&mut self) -> bool {
        let mut buffer = [0; 4096];
        loop {
            while !self.waiting.is_empty() {
                match self.stream.write(&self.waiting) {
                    Ok(n) => drop(self.waiting.drain(..n)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                    Err(error) => panic!("{error}"),
                }
            }
            if self.finished {
                return false;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => self.finished = true,
                Ok(n) => self.waiting.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// mio waits for edges: one that is missed is a connection that hangs.
#[test]
fn mio_serves_many_connections() {
    const CLIENTS: usize = 40;
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:7").unwrap();
    listener.set_nonblocking(true).unwrap();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|i| {
            let a = a.clone();
            thread::spawn(move || {
                let stream = a.tcp_connect("10.0.0.2:7").unwrap();
                let sent: Vec<u8> = (0..20_000 + i * 5000).map(|n| (n * 7 + i) as u8).collect();
                thread::scope(|scope| {
                    scope.spawn(|| {
                        (&stream).write_all(&sent).unwrap();
                        stream.shutdown(Shutdown::Write).unwrap();
                    });
                    let mut received = Vec::new();
                    (&stream).read_to_end(&mut received).unwrap();
                    assert!(received == sent, "{} of {}", received.len(), sent.len());
                });
            })
        })
        .collect();
    let mut poll = Poll::new().unwrap();
    let both = mio::Interest::READABLE | mio::Interest::WRITABLE;
    let fd = listener.as_raw_fd();
    let registry = poll.registry();
    registry
        .register(&mut SourceFd(&fd), Token(0), mio::Interest::READABLE)
        .unwrap();
    let mut connections = HashMap::new();
    let (mut next, mut done) = (1, 0);
    let mut events = Events::with_capacity(64);
    while done < CLIENTS {
        poll.poll(&mut events, PATIENCE).unwrap();
        assert!(!events.is_empty(), "{done} of {CLIENTS} are served");
        let mut ready: Vec<usize> = events.iter().map(|event| event.token().0).collect();
        if ready.contains(&0) {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).unwrap();
                let fd = stream.as_raw_fd();
                let registry = poll.registry();
                registry
                    .register(&mut SourceFd(&fd), Token(next), both)
                    .unwrap();
                let echo = Echo {
                    stream,
                    waiting: Vec::new(),
                    finished: false,
                };
                connections.insert(next, echo);
                ready.push(next);
                next += 1;
            }
        }
        for token in ready {
            let Some(echo) = connections.get_mut(&token) else {
                continue;
            };
            if !echo.advance() {
                let fd = echo.stream.as_raw_fd();
                poll.registry().deregister(&mut SourceFd(&fd)).unwrap();
                connections.remove(&token);
                done += 1;
            }
        }
    }
    for client in clients {
        client.join().unwrap();
    }
}

/// Who waits while somebody else polls the device sleeps, and wakes in time, with a descriptor as
/// without.
#[test]
fn a_socket_with_a_descriptor_waits_asleep() {
    let (a, _b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").polling(Polling::Thread).start();
    let socket = a.unwrap().udp_bind("10.0.0.1:9").unwrap();
    assert!(!polled(&socket, SHORT).0);
    let wait = Duration::from_millis(300);
    socket.set_read_timeout(Some(wait)).unwrap();
    let (told, outcome) = mpsc::channel();
    thread::spawn(move || {
        let received = socket.recv(&mut [0; 1]).map_err(|error| error.kind());
        // The time of this thread alone, however busy the machine is.
        let used = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
        told.send((received, Duration::from(used)))
    });
    let (received, used) = outcome
        .recv_timeout(PATIENCE.unwrap())
        .expect("it waits beyond its time");
    assert_eq!(received, Err(ErrorKind::WouldBlock));
    assert!(used < wait / 2, "it spins: {used:?}");
}
