use std::io::{Read, Write};

use netloom::LinkEnd;
use tempfile::TempDir;

use super::super::{Limits, Root, Uploads};
use super::*;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);
const LARGE: usize = 8 << 20;

/// Limits that no test reaches unless it sets others.
fn limits() -> Limits {
    Limits {
        head_timeout: PATIENCE,
        body_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        write_timeout: PATIENCE,
        short_timeout: PATIENCE,
        linger_timeout: PATIENCE,
        ..Limits::default()
    }
}

/// A server of `small` and `large`, and a net from which it is reached.
struct Served {
    net: Net,
    at: SocketAddr,
    _folder: TempDir,
}

fn serve(limits: Limits) -> Served {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small"), "small").unwrap();
    std::fs::write(folder.path().join("large"), vec![b'x'; LARGE]).unwrap();
    let server = Server::new(Root::open(folder.path()).unwrap(), limits);
    serve_with(server, folder)
}

fn serve_with(server: Server, folder: TempDir) -> Served {
    let (near, far) = LinkEnd::pair(1500).unwrap();
    let net = near.address("10.0.0.1/24").start().unwrap();
    let stack = far.address("10.0.0.2/24").start().unwrap();
    let listener = stack.tcp_listen("10.0.0.2:80").unwrap();
    let at = listener.local_addr().unwrap();
    thread::spawn(move || server.serve(&stack, listener));
    Served {
        net,
        at,
        _folder: folder,
    }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = self.net.tcp_connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

fn ask(stream: &mut TcpStream, name: &str) {
    write!(stream, "GET /{name} HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
}

/// The whole response with the content `small`.
fn small(stream: &mut TcpStream) -> String {
    let (mut response, mut octet) = (Vec::new(), [0]);
    while !response.ends_with(b"\r\n\r\nsmall") {
        assert_eq!(stream.read(&mut octet).unwrap(), 1, "it ended too early");
        response.push(octet[0]);
    }
    String::from_utf8(response).unwrap()
}

#[test]
fn who_says_nothing_holds_no_thread() {
    let served = serve(Limits {
        threads: 1,
        ..limits()
    });
    let silent = Vec::from_iter((0..100).map(|_| served.connect()));
    let mut stream = served.connect();
    for _ in 0..3 {
        ask(&mut stream, "small");
        small(&mut stream);
    }
    drop(silent);
}

#[test]
fn whose_client_is_waited_for_stops_nobody_else() {
    // Nor is it given up while there are threads.
    let served = serve(Limits {
        short_timeout: Duration::from_nanos(1),
        ..limits()
    });
    // One does not read, one has sent half of its head.
    let mut stuck = served.connect();
    ask(&mut stuck, "large");
    let mut slow = served.connect();
    slow.write_all(b"GET /small HT").unwrap();
    let mut stream = served.connect();
    for _ in 0..3 {
        ask(&mut stream, "small");
        small(&mut stream);
    }
    slow.write_all(b"TP/1.1\r\nHost: h\r\n\r\n").unwrap();
    small(&mut slow);
    // All of it comes once it is read, and the connection goes on.
    let (mut left, mut buffer) = (LARGE, [0; 65536]);
    while left > 0 {
        let read = stuck.read(&mut buffer).unwrap();
        assert!(read > 0);
        let content = buffer[..read]
            .iter()
            .filter(|&&octet| octet == b'x')
            .count();
        left -= content;
    }
    ask(&mut stuck, "small");
    small(&mut stuck);
}

/// Fewer threads than there are clients that are slow.
fn scarce() -> Limits {
    Limits {
        threads: 3,
        upload_timeout: PATIENCE,
        short_timeout: SHORT,
        ..limits()
    }
}

const SLOW: usize = 12;

/// Somebody is served, whoever is waited for.
fn someone_is_served(served: &Served) {
    for _ in 0..3 {
        let mut stream = served.connect();
        ask(&mut stream, "small");
        small(&mut stream);
    }
}

/// Whoever had to go is told why, and the others, who send the rest now, are served.
fn some_had_to_go(slow: Vec<TcpStream>, rest: &[u8]) {
    let mut gone = 0;
    for mut stream in slow {
        // It may be closed already.
        let _ = stream.write_all(rest);
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        if response.starts_with("HTTP/1.1 408 ") {
            gone += 1;
        } else {
            assert!(response.starts_with("HTTP/1.1 20"), "{response}");
        }
    }
    assert!(gone > 0);
}

#[test]
fn more_who_do_not_read_than_threads_stop_nobody_else() {
    let served = serve(scarce());
    let stuck = Vec::from_iter((0..SLOW).map(|_| {
        let mut stuck = served.connect();
        ask(&mut stuck, "large");
        stuck
    }));
    someone_is_served(&served);
    drop(stuck);
}

/// Who takes ever so little is as slow as who takes nothing.
#[test]
fn more_who_read_slowly_than_threads_stop_nobody_else() {
    let served = serve(scarce());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stops = Stops(&stop);
        for _ in 0..SLOW {
            let mut slow = served.connect();
            ask(&mut slow, "large");
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && slow.read(&mut [0]).is_ok_and(|n| n > 0) {
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        someone_is_served(&served);
        drop(stops);
    });
}

#[test]
fn more_half_heads_than_threads_stop_nobody_else() {
    let served = serve(scarce());
    let slow = Vec::from_iter((0..SLOW).map(|_| {
        let mut slow = served.connect();
        slow.write_all(b"GET /small HT").unwrap();
        slow
    }));
    someone_is_served(&served);
    some_had_to_go(slow, b"TP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
}

#[test]
fn more_slow_uploads_than_threads_stop_nobody_else() {
    let (folder, uploads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("small"), "small").unwrap();
    let server = Server::new(Root::open(folder.path()).unwrap(), scarce());
    let server = server.with_uploads(Uploads::new(Root::open(uploads.path()).unwrap(), 1 << 20));
    let served = serve_with(server, folder);
    let slow = Vec::from_iter((0..SLOW).map(|n| {
        let mut slow = served.connect();
        write!(
            slow,
            "PUT /{n} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf"
        )
        .unwrap();
        slow
    }));
    someone_is_served(&served);
    some_had_to_go(slow, b" full");
}

/// Stops others when it is dropped, by a panic too.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One request behind the other, without end.
#[test]
fn who_makes_nobody_wait_stops_nobody_else() {
    let served = serve(limits());
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // More of them than there are threads that serve.
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) + 1 {
            let requests = "HEAD /small HTTP/1.1\r\nHost: h\r\n\r\n".repeat(500);
            let mut from = served.connect();
            let mut to = from.try_clone().unwrap();
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    to.write_all(requests.as_bytes()).unwrap();
                }
                to.shutdown(std::net::Shutdown::Write).unwrap();
            });
            scope.spawn(move || io::copy(&mut from, &mut io::sink()).unwrap());
        }
        let stops = Stops(&stop);
        let mut stream = served.connect();
        for _ in 0..20 {
            ask(&mut stream, "small");
            small(&mut stream);
        }
        drop(stops);
    });
}

#[test]
fn a_panic_ends_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small"), "small").unwrap();
    let limits = Limits {
        connections: 2,
        threads: 1,
        ..limits()
    };
    let server = Server::new(Root::open(folder.path()).unwrap(), limits);
    let server = server.with_log(|record| {
        if record.request_line.contains("panic") {
            // Without a message in the test's output.
            std::panic::resume_unwind(Box::new(()));
        }
    });
    let served = serve_with(server, folder);
    for _ in 0..10 {
        let mut stream = served.connect();
        ask(&mut stream, "panic");
        while stream.read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
        let mut stream = served.connect();
        ask(&mut stream, "small");
        small(&mut stream);
    }
}

#[test]
fn who_has_waited_longest_makes_room() {
    // Whatever time each has: newcomers have less than who is kept.
    let served = serve(Limits {
        connections: 3,
        head_timeout: PATIENCE / 2,
        ..limits()
    });
    let mut streams = Vec::from_iter((0..4).map(|_| {
        let mut stream = served.connect();
        ask(&mut stream, "small");
        let response = small(&mut stream);
        assert!(!response.contains("Connection: close"), "{response}");
        stream
    }));
    assert_eq!(streams[0].read(&mut [0]).unwrap(), 0, "closed");
    for stream in &mut streams[1..] {
        ask(stream, "small");
        small(stream);
    }
}

#[test]
fn who_is_served_is_not_pushed_out() {
    let served = serve(Limits {
        connections: 1,
        ..limits()
    });
    let mut first = served.connect();
    ask(&mut first, "large");
    assert_eq!(first.read(&mut [0]).unwrap(), 1);
    // It is being served when the next one comes.
    let mut next = served.connect();
    ask(&mut next, "small");
    next.set_read_timeout(Some(SHORT)).unwrap();
    assert!(next.read(&mut [0]).is_err(), "there was no room");
    next.set_read_timeout(Some(PATIENCE)).unwrap();
    // Once it is served it makes room.
    let mut all = Vec::new();
    first.read_to_end(&mut all).unwrap();
    assert!(all.len() > LARGE && all.ends_with(b"x"));
    small(&mut next);
}

#[test]
fn silence_before_the_first_request_has_its_time() {
    let served = serve(Limits {
        head_timeout: SHORT,
        linger_timeout: SHORT,
        ..limits()
    });
    assert_eq!(served.connect().read(&mut [0]).unwrap(), 0);
}

#[test]
fn silence_between_requests_has_its_time() {
    let served = serve(Limits {
        idle_timeout: SHORT,
        ..limits()
    });
    let mut stream = served.connect();
    ask(&mut stream, "small");
    small(&mut stream);
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}
