//! The work that is measured.

use std::hint::black_box;
use std::time::Instant;

use crate::pair::{Pair, Side};
use crate::wire::Link;

/// The size of each buffer of a connection, in bytes.
pub(crate) const BUFFER: usize = 65536;
/// What the virtual clock moves on by each turn, in microseconds: about what a turn takes.
const TURN: u64 = 10;

/// What a piece of work came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    /// Units done: bytes, exchanges, connections.
    pub(crate) units: f64,
    /// Frames sent by both stacks.
    pub(crate) frames: f64,
    /// Seconds on the stopwatch.
    pub(crate) seconds: f64,
}

impl Measured {
    /// Units a second.
    pub(crate) fn rate(&self) -> f64 {
        self.units / self.seconds
    }

    /// Nanoseconds a frame, sending and receiving it.
    pub(crate) fn frame_ns(&self) -> f64 {
        self.seconds * 1e9 / self.frames
    }
}

/// Runs `work`, which says how many units it did, on the stopwatch.
fn measure<P: Pair>(pair: &mut P, work: impl FnOnce(&mut P) -> u64) -> Measured {
    let before = pair.frames();
    let start = Instant::now();
    let units = work(pair);
    let seconds = start.elapsed().as_secs_f64();
    Measured {
        units: units as f64,
        frames: (pair.frames() - before) as f64,
        seconds,
    }
}

/// How the application moves payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Copied from the application's buffer and into it.
    Copied,
    /// Written and looked at where the stack keeps it.
    InPlace,
}

/// One connection that carries bytes one way as fast as it can.
pub(crate) struct Bulk<P: Pair> {
    pair: P,
    conn: (P::Conn, P::Conn),
    payload: Payload,
    app: Vec<u8>,
}

impl<P: Pair> Bulk<P> {
    pub(crate) fn new(link: Link, payload: Payload) -> Bulk<P> {
        let mut pair = P::new(link, BUFFER, 256);
        let conn = pair.open(1)[0];
        let mut bulk = Bulk {
            pair,
            conn,
            payload,
            app: vec![0x5A; 16384],
        };
        // Past slow start.
        bulk.send(4 << 20);
        bulk
    }

    /// Sends `bytes` bytes.
    pub(crate) fn run(&mut self, bytes: u64) -> Measured {
        let Bulk {
            pair,
            conn,
            payload,
            app,
        } = self;
        measure(pair, |pair| transfer(pair, *conn, *payload, app, bytes))
    }

    fn send(&mut self, bytes: u64) {
        let _ = self.run(bytes);
    }

    /// The stacks, to look at.
    pub(crate) fn pair(&self) -> &P {
        &self.pair
    }
}

fn transfer<P: Pair>(
    pair: &mut P,
    (client, server): (P::Conn, P::Conn),
    payload: Payload,
    app: &mut [u8],
    bytes: u64,
) -> u64 {
    let mut received = 0;
    let mut idle = 0;
    while received < bytes {
        let before = received;
        loop {
            let n = match payload {
                Payload::Copied => pair.write(Side::Client, client, black_box(app)),
                Payload::InPlace => pair.write_in_place(Side::Client, client, received as u8),
            };
            if n == 0 {
                break;
            }
        }
        pair.carry(Side::Client);
        loop {
            let n = match payload {
                Payload::Copied => pair.read(Side::Server, server, app),
                Payload::InPlace => pair.read_in_place(Side::Server, server),
            };
            if n == 0 {
                break;
            }
            received += n as u64;
        }
        black_box(&mut *app);
        pair.carry(Side::Server);
        if received == before {
            // Only a timer helps: a delayed acknowledgement, a probe.
            idle += 1;
            assert!(idle < 10_000, "{}: the transfer stands still", P::NAME);
            pair.pass(5_000);
        } else {
            pair.pass(TURN);
        }
    }
    received
}

/// One byte there, one byte back, on one connection, while others are idle.
pub(crate) struct Exchange<P: Pair> {
    pair: P,
    conn: (P::Conn, P::Conn),
}

impl<P: Pair> Exchange<P> {
    /// With `idle` connections beside the active one; `buffer` is the size of each buffer of
    /// each.
    pub(crate) fn new(link: Link, idle: usize, buffer: usize) -> Exchange<P> {
        let mut pair = P::new(link, buffer, 64.max(2 * (idle + 1)).min(65536));
        let connections = pair.open(idle + 1);
        // Neither the first nor the last.
        let conn = connections[idle / 2];
        let mut exchange = Exchange { pair, conn };
        exchange.exchange(100);
        exchange
    }

    fn exchange(&mut self, count: u64) {
        let _ = self.run(count);
    }

    /// Does `count` exchanges.
    pub(crate) fn run(&mut self, count: u64) -> Measured {
        let (client, server) = self.conn;
        measure(&mut self.pair, |pair| {
            let mut byte = [0];
            for turn in 0..count {
                assert_eq!(pair.write(Side::Client, client, &[turn as u8]), 1);
                pair.carry(Side::Client);
                assert_eq!(pair.read(Side::Server, server, &mut byte), 1);
                assert_eq!(pair.write(Side::Server, server, &byte), 1);
                pair.carry(Side::Server);
                assert_eq!(pair.read(Side::Client, client, &mut byte), 1);
                assert_eq!(byte[0], turn as u8);
                pair.pass(TURN);
            }
            count
        })
    }
}

/// Connections that are opened and closed, one after the other.
pub(crate) struct Connects<P: Pair> {
    pair: P,
    each: fn(&mut P),
}

/// What the virtual clock moves on by each connection, in microseconds, so that the client's
/// 28 232 ephemeral ports outlast 60 seconds of TIME-WAIT.
const CONNECT_TURN: u64 = 3_000;

impl<P: Pair> Connects<P> {
    pub(crate) fn new(link: Link, buffer: usize, warm: u64, each: fn(&mut P)) -> Connects<P> {
        let mut connects = Connects {
            pair: P::new(link, buffer, 64),
            each,
        };
        let _ = connects.run(warm);
        connects
    }

    /// Opens and closes `count` connections.
    pub(crate) fn run(&mut self, count: u64) -> Measured {
        let each = self.each;
        measure(&mut self.pair, |pair| {
            for _ in 0..count {
                each(pair);
                pair.pass(CONNECT_TURN);
            }
            count
        })
    }
}
