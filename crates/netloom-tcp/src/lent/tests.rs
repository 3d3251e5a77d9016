use netloom_wire::TcpFlags;
use proptest::prelude::*;
use std::vec::Vec;

use crate::testing::{self, Bench};
use crate::{CloseReason, Discard, Env, Segment, SeqNum};

const ISS: SeqNum = SeqNum(1000);
const IRS: SeqNum = SeqNum(u32::MAX - 20);

fn segment(seq: SeqNum, flags: TcpFlags, payload: &[u8]) -> Segment<'_> {
    testing::segment(seq, ISS.plus(1), flags, payload)
}

fn open(rcv_buf: u32) -> Bench {
    Bench::open(ISS, IRS, rcv_buf, 1000)
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
        let (mut lent, mut plain) = (open(window), open(window));
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
        let mut bench = open(100);
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
    let bench = open(100);
    let ahead = segment(IRS.plus(2), TcpFlags::ACK, b"x");
    assert!(!bench.conn.lends(&ahead));
    let empty = segment(IRS.plus(1), TcpFlags::ACK, b"");
    assert!(!bench.conn.lends(&empty));
}

#[test]
fn an_unacceptable_segment_lends_nothing() {
    let mut bench = open(100);
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
    let mut bench = open(100);
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
    let mut bench = open(100);
    assert_eq!(bench.with(|conn, env, _| conn.idle_ms(env)), 0);
    let late = Env::at(bench.now.plus_micros(10_000_000), &bench.tunables);
    assert_eq!(bench.conn.idle_ms(&late), 10_000);
}
