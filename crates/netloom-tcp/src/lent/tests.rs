use netloom_driver::Instant;
use netloom_wire::TcpFlags;
use proptest::prelude::*;
use std::vec;
use std::vec::Vec;

use crate::{
    CloseReason, Connection, Discard, Env, HalfOpen, Io, OpenParams, Range, Record, Segment,
    SeqNum, State, SynOffer, Tunables,
};

const IRS: SeqNum = SeqNum(u32::MAX - 20);

struct Bench {
    conn: Connection,
    rx: Vec<u8>,
    tunables: Tunables,
}

fn segment<'a>(seq: SeqNum, flags: TcpFlags, payload: &'a [u8]) -> Segment<'a> {
    Segment {
        seq,
        ack: SeqNum(1001),
        flags,
        window: 1000,
        urgent: 0,
        timestamps: None,
        options: &[],
        payload,
        count: 1,
        ce: false,
    }
}

impl Bench {
    /// A connection that is open, with a window of `rcv_buf` octets and a ring as long.
    fn new(rcv_buf: u32) -> Bench {
        let tunables = Tunables::DEFAULT;
        let env = Env::at(Instant::from_secs(5), &tunables);
        let offer = SynOffer {
            irs: IRS,
            mss: Some(100),
            window_scale: None,
            sack: false,
            timestamps: None,
            ecn: false,
            window: 1000,
        };
        let half = HalfOpen::new(SeqNum(1000), &offer, &tunables);
        let params = OpenParams {
            iss: SeqNum(1000),
            rcv_buf,
            ..OpenParams::default()
        };
        let mut bench = Bench {
            conn: Connection::from_half_open(&params, &half, &env),
            rx: vec![0; rcv_buf as usize],
            tunables: tunables.clone(),
        };
        let ack = segment(IRS.plus(1), TcpFlags::ACK, &[]);
        let _ = bench.with(|conn, env, io| conn.receive(env, io, &ack));
        assert_eq!(bench.conn.state(), State::Established);
        bench
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Connection, &Env<'_>, &mut Io<'_>) -> T) -> T {
        let env = Env::at(Instant::from_secs(6), &self.tunables);
        let ranges = &mut [Range::EMPTY; 4];
        let mut io = Io::new(&mut self.rx, &mut [], &mut [Record::EMPTY; 0], ranges);
        call(&mut self.conn, &env, &mut io)
    }
}

proptest! {
    /// Text that is lent and kept leaves the connection as if it had gone into the ring.
    #[test]
    fn lent_and_kept_is_received(
        back in 0u32..8,
        len in 1usize..80,
        fin in any::<bool>(),
        window in 10u32..90,
    ) {
        let (mut lent, mut plain) = (Bench::new(window), Bench::new(window));
        let payload: Vec<u8> = (0..len as u8).collect();
        let flags = if fin { TcpFlags::ACK | TcpFlags::FIN } else { TcpFlags::ACK };
        let segment = segment(IRS.plus(1).minus(back), flags, &payload);
        let whole = len as u32 <= window + back;
        prop_assert_eq!(lent.conn.lends(&segment), whole);
        prop_assume!(whole);
        let (outcome, text) = lent.with(|conn, env, io| conn.receive_lent(env, io, &segment));
        let expected = plain.with(|conn, env, io| conn.receive(env, io, &segment));
        prop_assert_eq!(outcome.discard.is_some(), expected.discard.is_some());
        prop_assert_eq!(text.len(), plain.conn.readable_bytes());
        let kept = lent.with(|conn, _, io| conn.keep(io, text));
        prop_assert!(kept);
        let (ring, whole) = (
            lent.with(|conn, _, io| conn.rx_slices(io).0.to_vec()),
            plain.with(|conn, _, io| conn.rx_slices(io).0.to_vec()),
        );
        prop_assert_eq!(&ring, text);
        prop_assert_eq!(ring, whole);
        prop_assert_eq!(&lent.conn, &plain.conn);
    }

    /// Text that is given back comes again, and nothing was acknowledged meanwhile.
    #[test]
    fn what_is_retracted_comes_again(len in 1usize..80, n in 1usize..80) {
        let n = n.min(len);
        let mut bench = Bench::new(100);
        let payload: Vec<u8> = (0..len as u8).collect();
        let whole = segment(IRS.plus(1), TcpFlags::ACK, &payload);
        let (_, text) = bench.with(|conn, env, io| conn.receive_lent(env, io, &whole));
        prop_assert_eq!(text, &payload[..]);
        bench.conn.retract(n);
        prop_assert_eq!(bench.conn.rcv_nxt, IRS.plus(1 + (len - n) as u32));
        let (_, text) = bench.with(|conn, env, io| conn.receive_lent(env, io, &whole));
        prop_assert_eq!(text, &payload[len - n..]);
    }
}

#[test]
fn nothing_is_lent_that_is_not_next() {
    let bench = Bench::new(100);
    let ahead = segment(IRS.plus(2), TcpFlags::ACK, b"x");
    assert!(!bench.conn.lends(&ahead));
    let empty = segment(IRS.plus(1), TcpFlags::ACK, b"");
    assert!(!bench.conn.lends(&empty));
}

#[test]
fn an_unacceptable_segment_lends_nothing() {
    let mut bench = Bench::new(100);
    let mut bad = segment(IRS.plus(1), TcpFlags::ACK, b"text");
    bad.ack = SeqNum(5000);
    let (outcome, text) = bench.with(|conn, env, io| conn.receive_lent(env, io, &bad));
    assert_eq!((outcome.discard, text), (Some(Discard::BadAck), &[][..]));
    let reset = segment(IRS.plus(1), TcpFlags::RST, b"text");
    let (_, text) = bench.with(|conn, env, io| conn.receive_lent(env, io, &reset));
    assert_eq!(text, b"");
    assert_eq!(bench.conn.close_reason(), Some(CloseReason::PeerReset));
}

#[test]
fn text_before_a_fin_is_not_retracted() {
    let mut bench = Bench::new(100);
    let last = segment(IRS.plus(1), TcpFlags::ACK | TcpFlags::FIN, b"end");
    let (_, text) = bench.with(|conn, env, io| conn.receive_lent(env, io, &last));
    assert_eq!(text, b"end");
    bench.conn.retract(3);
    assert_eq!(bench.conn.rcv_nxt, IRS.plus(5));
    assert!(bench.with(|conn, _, io| conn.keep(io, text)));
    assert!(!bench.conn.peer_finished());
}

#[test]
fn idle_counts_from_whatever_was_last() {
    let mut bench = Bench::new(100);
    assert_eq!(bench.with(|conn, env, _| conn.idle_ms(env)), 0);
    let late = Env::at(Instant::from_secs(16), &bench.tunables);
    assert_eq!(bench.conn.idle_ms(&late), 10_000);
}
