//! The server on a stack, and a client on another, with queues of frames between them.

use std::string::String;
use std::vec::Vec;

use netloom_stack::driver::{FrameQueue, RxMeta};
use netloom_stack::{Config, IfaceId, Limits, ListenerHandle, Seed};

use super::super::{Client, Method, Reply, Request, Status, Url};
use super::*;

struct Hello;

impl Handler for Hello {
    fn handle(&mut self, request: &Request<'_>, content: &[u8], reply: Reply<'_, '_>) {
        let sent = match request.path() {
            b"/" => reply.text(Status::OK, "text/plain", "hello"),
            b"/echo" => reply.send(Status::OK, super::super::Content::Bytes(content), |h| h),
            _ => reply.status(Status::NOT_FOUND),
        };
        sent.unwrap();
    }
}

/// Two stacks, a server with two places on one of them.
struct World<'m> {
    now: Instant,
    near: Stack,
    far: Stack,
    listener: ListenerHandle,
    server: Server<'m, 2>,
    resets: usize,
}

impl<'m> World<'m> {
    fn new(memory: &'m mut [[u8; 600]; 6]) -> Self {
        let stack = |address: &str, seed| {
            let config = Config::ip().address(address.parse().unwrap());
            Stack::with_heap(config, Limits::default(), Seed::for_tests(seed))
        };
        let (near, mut far) = (stack("10.0.0.1/24", 7), stack("10.0.0.2/24", 8));
        let listener = far.tcp_listen(80).unwrap();
        let [a, b, c, d, e, f] = memory;
        let buffers = |rx: &'m mut [u8; 600], tx: &'m mut [u8; 600], content: &'m mut [u8; 600]| {
            Buffers { rx, tx, content }
        };
        Self {
            now: Instant::from_secs(1),
            near,
            far,
            listener,
            server: Server::new([buffers(a, b, c), buffers(d, e, f)], Timeouts::default()),
            resets: 0,
        }
    }

    /// A millisecond passes.
    fn turn(&mut self) {
        self.now = self.now.plus_micros(1_000);
        let mut queue = FrameQueue::default();
        let _ = self.near.transmit(self.now, IfaceId::FIRST, &mut queue);
        for frame in queue.frames.drain(..) {
            self.far
                .receive(self.now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
        while self.server.has_room() {
            let Ok(Some(conn)) = self.far.tcp_accept(self.listener) else {
                break;
            };
            self.server.start(self.now, &mut self.far, conn);
        }
        self.server.poll(self.now, None, &mut self.far, &mut Hello);
        let _ = self.far.transmit(self.now, IfaceId::FIRST, &mut queue);
        for frame in queue.frames.drain(..) {
            // The flags of TCP behind an IPv4 header without options.
            self.resets += usize::from(frame[33] & 4 != 0);
            self.near
                .receive(self.now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
    }

    fn connect(&mut self) -> TcpHandle {
        let conn = self.near.tcp_connect(([10, 0, 0, 2], 80).into()).unwrap();
        (0..3).for_each(|_| self.turn());
        conn
    }

    /// Whatever has arrived.
    fn read(&mut self, conn: TcpHandle) -> (String, bool) {
        let (mut text, mut buffer) = (String::new(), [0; 500]);
        loop {
            match self.near.tcp_read(conn, &mut buffer) {
                Ok(0) => return (text, true),
                Ok(len) => text.push_str(core::str::from_utf8(&buffer[..len]).unwrap()),
                Err(_) => return (text, false),
            }
        }
    }
}

#[test]
fn a_client_on_another_stack() {
    let mut memory = [[0; 600]; 6];
    let mut world = World::new(&mut memory);
    let conn = world.connect();
    let (mut rx, mut tx) = ([0; 300], [0; 300]);
    let mut client = Client::with_buffers(&mut rx, &mut tx);
    for (path, method, content) in [
        ("http://h/", Method::Get, &b"hello"[..]),
        ("http://h/echo", Method::Put, b"content"),
        ("http://h/none", Method::Get, b"Not Found"),
    ] {
        let url = Url::parse(path).unwrap();
        let head = client.request(method, &url);
        if method == Method::Put {
            head.content_length(content.len() as u64).finish().unwrap();
            client.output().push(content);
        } else {
            head.finish().unwrap();
        }
        let mut received = Vec::<u8>::new();
        for turn in 0.. {
            assert!(turn < 20, "{path}");
            let mut stream = Connection::new(&mut world.near, conn);
            if client.receive(&mut stream).is_ok() {
                while let Ok(Some(piece)) = client.read_body(&mut stream) {
                    received.extend(piece);
                }
                break;
            }
            world.turn();
        }
        assert_eq!(received, content);
        assert!(client.finish(), "{path}");
    }
    assert_eq!(world.server.connections(), 1);
    world.near.tcp_close(conn).unwrap();
    (0..5).for_each(|_| world.turn());
    assert_eq!((world.server.connections(), world.resets), (0, 0));
    assert_eq!(world.server.next_deadline(), None);
    assert_eq!(
        world.server.counters(),
        Counters {
            connections: 1,
            requests: 3,
            successes: 2,
            client_errors: 1,
            ..Counters::ZERO
        }
    );
}

//= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
//= type=test
//# To avoid the TCP reset problem, servers typically close a connection
//# in stages.  First, the server performs a half-close by closing only
//# the write side of the read/write connection.
#[test]
fn a_refusal_is_not_lost_to_a_reset() {
    let mut memory = [[0; 600]; 6];
    let mut world = World::new(&mut memory);
    let conn = world.connect();
    let head = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n";
    world.near.tcp_write(conn, head).unwrap();
    for _ in 0..20 {
        let _ = world.near.tcp_write(conn, &[b'x'; 2000]);
        world.turn();
    }
    let (text, is_ended) = world.read(conn);
    assert!(text.starts_with("HTTP/1.1 413 ") && is_ended, "{text}");
    assert_eq!((world.resets, world.server.connections()), (0, 1));
    world.near.tcp_close(conn).unwrap();
    (0..20).for_each(|_| world.turn());
    assert_eq!((world.resets, world.server.connections()), (0, 0));
    assert_eq!(
        world.server.counters(),
        Counters {
            connections: 1,
            client_errors: 1,
            large: 1,
            ..Counters::ZERO
        }
    );
}

#[test]
fn clients_that_take_their_time() {
    let mut memory = [[0; 600]; 6];
    let mut world = World::new(&mut memory);
    let (silent, slow) = (world.connect(), world.connect());
    assert!(!world.server.has_room());
    world.near.tcp_write(slow, b"GET / HT").unwrap();
    world.turn();
    let deadline = world.server.next_deadline().unwrap();
    assert!(deadline > world.now);
    // More octets give it no more time.
    world.now = world.now.plus_micros(9_000_000);
    world.near.tcp_write(slow, b"TP").unwrap();
    (0..2).for_each(|_| world.turn());
    assert_eq!(world.server.connections(), 2);
    world.now = world.now.plus_micros(1_100_000);
    (0..3).for_each(|_| world.turn());
    let (text, is_ended) = world.read(slow);
    assert!(text.starts_with("HTTP/1.1 408 ") && is_ended, "{text}");
    // A connection begins with a request, or ends.
    assert_eq!(world.server.connections(), 1);
    let (text, _) = world.read(silent);
    assert_eq!(text, "");
    // Who closes nothing is let go after a while.
    world.now = world.now.plus_micros(2_100_000);
    world.turn();
    assert_eq!(world.server.connections(), 0);
    // A third one finds room again.
    let third = world.connect();
    world
        .near
        .tcp_write(third, b"GET / HTTP/1.0\r\n\r\n")
        .unwrap();
    (0..3).for_each(|_| world.turn());
    assert!(world.read(third).0.ends_with("hello"));
    // Between two requests there is more time than for one.
    let fourth = world.connect();
    world
        .near
        .tcp_write(fourth, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        .unwrap();
    (0..3).for_each(|_| world.turn());
    world.now = world.now.plus_micros(29_000_000);
    world.turn();
    assert_eq!(world.server.connections(), 1);
    world.now = world.now.plus_micros(1_100_000);
    world.turn();
    assert_eq!(world.server.connections(), 0);
    assert_eq!(
        world.server.counters(),
        Counters {
            connections: 4,
            // The silent one, two that did not close their side, one between two requests.
            timed_out: 4,
            requests: 2,
            successes: 2,
            client_errors: 1,
            late: 1,
            ..Counters::ZERO
        }
    );
}

#[test]
fn connections_that_find_no_place_or_are_reset_are_counted() {
    let mut memory = [[0; 600]; 6];
    let mut world = World::new(&mut memory);
    let (first, second) = (world.connect(), world.connect());
    // A program that does not ask for room.
    let _third = world.connect();
    let conn = world.far.tcp_accept(world.listener).unwrap().unwrap();
    world.server.start(world.now, &mut world.far, conn);
    let reset = |world: &mut World<'_>, conn| {
        world.near.tcp_abort(conn).unwrap();
        (0..3).for_each(|_| world.turn());
    };
    // One resets before it asked anything, one when all has been said.
    reset(&mut world, first);
    world
        .near
        .tcp_write(second, b"GET / HTTP/1.0\r\n\r\n")
        .unwrap();
    (0..3).for_each(|_| world.turn());
    assert_eq!(world.server.connections(), 1);
    reset(&mut world, second);
    assert_eq!(world.server.connections(), 0);
    assert_eq!(
        world.server.counters(),
        Counters {
            connections: 2,
            no_room: 1,
            failed: 2,
            requests: 1,
            successes: 1,
            ..Counters::ZERO
        }
    );
}
