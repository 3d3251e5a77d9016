use super::*;
use crate::{Io, Next, OpenParams, SynOffer, Tunables};
use netloom_driver::Instant;
use netloom_wire::{TcpFlags, Timestamps};
use std::vec;
use std::vec::Vec;

const MSS: usize = 1000;
/// How long a round trip is, in milliseconds.
const RTT: u32 = 100;

/// A receiver with a window of 8000 octets whose peer sends a segment of 1000 with every step.
struct Bench {
    conn: Connection,
    tunables: Tunables,
    rx: Vec<u8>,
    now_ms: u32,
    seq: SeqNum,
    timestamps: bool,
}

impl Bench {
    fn new(timestamps: bool) -> Bench {
        let tunables = Tunables {
            rcv_buf_max: 1 << 20,
            quick_acks: 0,
            ..Tunables::DEFAULT
        };
        let offer = SynOffer {
            irs: SeqNum(u32::MAX),
            mss: Some(1012),
            window_scale: Some(5),
            sack: true,
            timestamps: timestamps.then_some(1),
            ecn: false,
            window: 65_535,
        };
        let params = OpenParams {
            iss: SeqNum(99),
            ts_offset: 77,
            rcv_buf: 8_000,
            ..OpenParams::default()
        };
        let entry = crate::HalfOpen::new(SeqNum(99), &offer, &tunables);
        let env = Env::at(Instant::from_micros(1_000_000), &tunables);
        let conn = Connection::from_half_open(&params, &entry, &env);
        let mut bench = Bench {
            conn,
            tunables,
            rx: vec![0; 1 << 20],
            now_ms: 1_000,
            seq: SeqNum(0),
            timestamps,
        };
        bench.arrive(0, 1_000);
        assert_eq!(bench.conn.state(), crate::State::Established);
        bench
    }

    /// A segment arrives whose sender had last seen what was sent at `echo`, in milliseconds.
    fn arrive(&mut self, len: usize, echo: u32) -> News {
        let env = Env::at(
            Instant::from_micros(u64::from(self.now_ms) * 1_000),
            &self.tunables,
        );
        let payload = vec![7; len];
        let segment = Segment {
            seq: self.seq,
            ack: SeqNum(100),
            flags: TcpFlags::ACK,
            window: 65_535,
            urgent: 0,
            timestamps: self.timestamps.then_some(Timestamps {
                value: self.now_ms,
                echo: echo.wrapping_add(77),
            }),
            options: &[],
            payload: &payload,
            count: 1,
            ce: false,
        };
        self.seq += len as u32;
        let mut io = Io::new(&mut self.rx, &mut [], &mut [], &mut []);
        let outcome = self.conn.receive(&env, &mut io, &segment);
        let mut news = outcome.news;
        loop {
            match self.conn.next(&env, &io) {
                Next::Send(plan) => news.insert(self.conn.sent(&env, &mut io, &plan).news),
                Next::Fire(timer) => news.insert(self.conn.fire(&env, &mut io, timer).news),
                Next::Wait(_) => break,
            }
        }
        news
    }

    /// The user reads everything.
    fn read(&mut self) {
        let io = Io::new(&mut self.rx, &mut [], &mut [], &mut []);
        let n = self.conn.readable_bytes();
        self.conn.consume(&io, n);
    }

    /// Tunes the window; returns what it may promise then.
    fn tune(&mut self, most: Option<u32>) -> u32 {
        let env = Env::at(
            Instant::from_micros(u64::from(self.now_ms) * 1_000),
            &self.tunables,
        );
        self.conn.tune_rcv_buf(&env, most);
        self.conn.rcv_buf
    }

    /// Segments that are read at once, without tuning.
    fn rounds_untuned(&mut self, segments: u32) {
        for _ in 0..segments {
            self.now_ms += 10;
            self.arrive(MSS, self.now_ms - RTT);
            self.read();
        }
    }

    /// Segments that arrive evenly over a number of round trips, all of them read at once;
    /// returns what the window may promise at the end.
    fn rounds(&mut self, rounds: u32, each: u32) -> u32 {
        for _ in 0..rounds * each {
            self.now_ms += RTT / each;
            let news = self.arrive(MSS, self.now_ms - RTT);
            self.read();
            if news.contains(News::ROUND_OVER) {
                self.tune(Some(1 << 20));
            }
        }
        self.conn.rcv_buf
    }
}

#[test]
fn what_is_read_in_a_round_trip_is_measured() {
    let mut bench = Bench::new(true);
    // Two segments a round trip: a quarter of the window.
    assert_eq!(bench.rounds(10, 2), 8_000);
    // Ten: more than the window.
    let grown = bench.rounds(5, 10);
    assert!((40_000..=60_000).contains(&grown), "{grown}");
    assert_eq!(bench.rounds(10, 10), grown);
}

#[test]
fn without_timestamps_or_a_round_trip_time_nothing_is_measured() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.rounds(10, 10), 8_000);
    // The time of a round trip from this side's own data does as well.
    bench.conn.rtt.sample(RTT * 1_000, bench.now_ms);
    assert!(bench.rounds(10, 10) > 30_000);
}

#[test]
fn what_nobody_reads_is_no_reason_to_grow() {
    let mut bench = Bench::new(true);
    for _ in 0..7 {
        bench.now_ms += RTT / 2;
        bench.arrive(MSS, bench.now_ms - RTT);
        assert_eq!(bench.tune(Some(1 << 20)), 8_000);
    }
}

#[test]
fn slow_data_is_no_reason_to_grow_however_long_it_lasts() {
    let mut bench = Bench::new(true);
    for _ in 0..200 {
        bench.now_ms += 10 * RTT;
        for _ in 0..2 {
            if bench
                .arrive(MSS, bench.now_ms - RTT)
                .contains(News::ROUND_OVER)
            {
                assert_eq!(bench.tune(Some(1 << 20)), 8_000);
            }
        }
        bench.read();
    }
}

#[test]
fn less_is_promised_from_now_on_and_what_was_stays_promised() {
    let mut bench = Bench::new(true);
    assert!(bench.rounds(5, 10) > 30_000);
    let edge = bench.conn.rcv_adv;
    assert!(edge.since(bench.conn.rcv_nxt) > 30_000);
    assert_eq!(bench.tune(Some(8_000)), 8_000);
    // Nothing is read any more: what comes within the old edge is taken, and the edge stays.
    for _ in 0..20 {
        bench.now_ms += 1;
        bench.arrive(MSS, bench.now_ms - RTT);
        let window = bench.conn.window_to_offer();
        let unit = 1 << bench.conn.rcv_wscale;
        assert!(window.1.plus(unit).gt(edge), "the edge has moved left");
    }
    assert_eq!(bench.conn.readable_bytes(), 20 * MSS);
    // As they are used up, windows come down to what may be promised now.
    bench.read();
    bench.rounds_untuned(40);
    assert!(bench.conn.rcv_adv.since(bench.conn.rcv_nxt) <= 8_000 + MSS as u32);
}

#[test]
fn one_that_is_not_tuned_stays_as_it_is() {
    let mut bench = Bench::new(true);
    for _ in 0..100 {
        bench.now_ms += 10;
        bench.arrive(MSS, bench.now_ms - RTT);
        bench.read();
        assert_eq!(bench.tune(None), 8_000);
    }
}

#[test]
fn text_to_send_is_no_more_than_round_trips_let_it_be_of_use() {
    let mut conn = Bench::new(true).conn;
    let cwnd = conn.cwnd();
    assert!(cwnd > 0);
    conn.rtt = crate::rtt::RttEstimator::EMPTY;
    assert_eq!(conn.useful_text(), 2 * cwnd);
    conn.rtt.sample(1_000, 0);
    assert_eq!(conn.useful_text(), 2 * cwnd);
    // Up to twice the least round trip the congestion window decides, beyond that how much longer
    // they are: SRTT = 10 ms, a fifth.
    for _ in 0..200 {
        conn.rtt.sample(10_000, 0);
    }
    assert!((9_900..=10_000).contains(&conn.rtt.srtt()));
    let part = conn.useful_text();
    assert!(
        (2 * cwnd / 5..=2 * cwnd / 5 + cwnd / 50).contains(&part),
        "{part} of {cwnd}"
    );
}
