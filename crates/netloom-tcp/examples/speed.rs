//! What the fast path costs: `cargo run --release -p netloom-tcp --example speed`.

use std::hint::black_box;
use std::time::Instant as Clock;

use netloom_driver::Instant;
use netloom_tcp::{
    Connection, Env, Io, Next, OpenParams, Range, Record, Segment, SeqNum, Tunables,
};
use netloom_wire::{TcpFlags, Timestamps};

const ROUNDS: u32 = 2_000_000;
const MSS: u32 = 1448;

struct Bench {
    connection: Connection,
    rx: Vec<u8>,
    tx: Vec<u8>,
    records: Vec<Record>,
    ranges: Vec<Range>,
    tunables: Tunables,
    now: u64,
    gso_max: u32,
}

macro_rules! parts {
    ($bench:expr) => {{
        let Bench {
            connection,
            rx,
            tx,
            records,
            ranges,
            tunables,
            now,
            gso_max,
        } = $bench;
        let env = Env {
            now: Instant::from_micros(*now),
            now_ms: 5,
            tunables,
            gso_max: *gso_max,
        };
        (connection, env, Io::new(rx, tx, records, ranges))
    }};
}

fn ack(seq: u32, ack: u32) -> Segment<'static> {
    Segment {
        seq: SeqNum(seq),
        ack: SeqNum(ack),
        flags: TcpFlags::ACK,
        window: 60_000,
        urgent: 0,
        timestamps: Some(Timestamps { value: 1, echo: 5 }),
        options: &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 5],
        payload: &[],
        count: 1,
        ce: false,
    }
}

fn established(gso_max: u32) -> Bench {
    let tunables = Tunables::default();
    let env = Env::at(Instant::from_secs(1), &tunables);
    let params = OpenParams {
        rcv_buf: 1 << 20,
        ..OpenParams::default()
    };
    let connection = Connection::connect(&params, &env);
    let mut bench = Bench {
        connection,
        rx: vec![0; 1 << 20],
        tx: vec![0; 1 << 20],
        records: vec![Record::EMPTY; 256],
        ranges: vec![Range::EMPTY; 32],
        tunables,
        now: 1_000_000,
        gso_max,
    };
    drain(&mut bench);
    let mut syn_ack = ack(0, 1);
    syn_ack.flags = TcpFlags::SYN | TcpFlags::ACK;
    // MSS 1460, SACK-permitted, timestamps, window scale 7.
    syn_ack.options = &[
        2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 5, 1, 3, 3, 7,
    ];
    let (connection, env, mut io) = parts!(&mut bench);
    let _ = connection.receive(&env, &mut io, &syn_ack);
    drain(&mut bench);
    bench
}

fn drain(bench: &mut Bench) -> u32 {
    let (connection, env, mut io) = parts!(bench);
    let mut sent = 0;
    loop {
        match connection.next(&env, &io) {
            Next::Send(plan) => {
                sent += plan.len;
                let _ = connection.sent(&env, &mut io, black_box(&plan));
            }
            Next::Fire(timer) => {
                let _ = connection.fire(&env, &mut io, timer);
            }
            Next::Wait(_) => return sent,
        }
    }
}

fn report(what: &str, since: Clock, per: u32) {
    println!(
        "{what:<44} {:>7.1} ns",
        since.elapsed().as_nanos() as f64 / f64::from(per)
    );
}

fn main() {
    // Receiving: full segments in order, read at once, acknowledged every second one.
    let mut bench = established(0);
    let payload = [7u8; MSS as usize];
    let mut out = [0u8; MSS as usize];
    let start = Clock::now();
    let mut seq = 1u32;
    for i in 0..ROUNDS {
        let mut segment = ack(seq, 1);
        segment.payload = &payload;
        let (connection, env, mut io) = parts!(&mut bench);
        let outcome = connection.receive(&env, &mut io, black_box(&segment));
        connection.read(&mut io, &mut out);
        if outcome.owes_frame() || i % 2 == 1 {
            drain(&mut bench);
        }
        seq = seq.wrapping_add(MSS);
    }
    report("receive + read + ack/2, 1448 octets", start, ROUNDS);

    // Sending: one full segment, one acknowledgment.
    for (gso, unit) in [(0, MSS), (63_712, 63_712)] {
        let mut bench = established(gso);
        let mut una = 1u32;
        let start = Clock::now();
        for _ in 0..ROUNDS {
            {
                let (connection, _env, io) = parts!(&mut bench);
                connection.tx_commit(&io, unit as usize);
            }
            let sent = drain(&mut bench);
            una = una.wrapping_add(sent);
            let segment = ack(1, una);
            let (connection, env, mut io) = parts!(&mut bench);
            let _ = connection.receive(&env, &mut io, black_box(&segment));
        }
        report(
            &format!("plan + sent + ack received, {unit} octets"),
            start,
            ROUNDS,
        );
    }

    // Pure acknowledgments of a long queue.
    let mut bench = established(0);
    {
        let (connection, _env, io) = parts!(&mut bench);
        connection.tx_commit(&io, 1 << 20);
    }
    let mut una = 1u32;
    let mut acks = 0u32;
    let mut spent = std::time::Duration::ZERO;
    while acks < ROUNDS / 10 {
        let sent = drain(&mut bench);
        let start = Clock::now();
        let mut left = sent;
        while left > 0 {
            let step = left.min(2 * MSS);
            left -= step;
            una = una.wrapping_add(step);
            let segment = ack(1, una);
            let (connection, env, mut io) = parts!(&mut bench);
            let _ = connection.receive(&env, &mut io, black_box(&segment));
            acks += 1;
        }
        spent += start.elapsed();
        let (connection, _env, io) = parts!(&mut bench);
        let room = connection.write_room(&io);
        connection.tx_commit(&io, room);
        if sent == 0 {
            bench.now += 1_000;
        }
    }
    println!(
        "{:<44} {:>7.1} ns",
        "ack of two segments",
        spent.as_nanos() as f64 / f64::from(acks)
    );
}
