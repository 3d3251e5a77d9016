use netloom_wire::TcpFlags;
use std::vec;
use std::vec::Vec;

use crate::testing::{self, Bench};
use crate::{Segment, SeqNum};

const ISS: SeqNum = SeqNum(1000);
const IRS: SeqNum = SeqNum(u32::MAX - 20);
const NEXT: SeqNum = SeqNum(u32::MAX - 19);

fn segment(seq: SeqNum, flags: TcpFlags, payload: &[u8]) -> Segment<'_> {
    testing::segment(seq, ISS.plus(1), flags, payload)
}

/// With a window of 100 octets and a ring of 64.
fn open() -> Bench {
    let mut bench = Bench::open(ISS, IRS, 100, 1000);
    bench.rx.truncate(64);
    bench
}

impl Bench {
    fn receive(&mut self, segment: &Segment<'_>, placed: bool) {
        let _ = self.with(|conn, env, io| {
            io.placed = placed;
            conn.receive(env, io, segment)
        });
    }

    fn place(&mut self, text: &[u8]) {
        let (first, second) = self.conn.rx_space(&mut self.rx, text.len());
        assert_eq!(first.len() + second.len(), text.len());
        let (one, two) = text.split_at(first.len());
        first.copy_from_slice(one);
        second.copy_from_slice(two);
    }

    fn read(&mut self) -> Vec<u8> {
        let mut text = vec![0; 200];
        let len = self.with(|conn, _, io| conn.read(io, &mut text));
        text.truncate(len);
        text
    }

    fn belongs_next(&self, segment: &Segment<'_>) -> bool {
        self.conn.belongs_next(&self.rx, segment)
    }
}

#[test]
fn text_is_taken_from_where_it_stands() {
    let mut bench = open();
    let mut next = NEXT;
    // Round the ring, and round sequence space.
    for text in [&[1u8; 40], &[2; 40]] {
        bench.place(text);
        // What the segment has in its text's stead means nothing.
        let stale = segment(next, TcpFlags::ACK | TcpFlags::PSH, &[0xee; 40]);
        assert!(bench.belongs_next(&stale));
        bench.receive(&stale, true);
        next = next.plus(40);
        assert_eq!(bench.conn.rcv_nxt, next);
        bench.place(&[9; 8]);
        bench.receive(&segment(next, TcpFlags::ACK, &[0xee; 8]), true);
        next = next.plus(8);
        let read = bench.read();
        assert_eq!((&read[..40], &read[40..]), (&text[..], &[9; 8][..]));
    }
}

#[test]
fn only_what_is_wholly_next_stands_there() {
    let bench = open();
    assert!(bench.belongs_next(&segment(NEXT, TcpFlags::ACK, b"text")));
    for (seq, flags, len) in [
        (NEXT.plus(1), TcpFlags::ACK, 4),
        (NEXT.minus(1), TcpFlags::ACK, 4),
        (NEXT, TcpFlags::ACK | TcpFlags::FIN, 4),
        (NEXT, TcpFlags::ACK | TcpFlags::URG, 4),
        (NEXT, TcpFlags::ACK | TcpFlags::SYN, 4),
        (NEXT, TcpFlags::RST, 4),
        // The window would let it in, the ring has no room.
        (NEXT, TcpFlags::ACK, 65),
        (NEXT, TcpFlags::ACK, 101),
    ] {
        let text = [0; 128];
        assert!(
            !bench.belongs_next(&segment(seq, flags, &text[..len])),
            "{seq:?} {flags:?} {len}"
        );
    }
}

#[test]
fn no_place_is_free_where_text_lies_beyond_a_gap() {
    let mut bench = open();
    assert_eq!(bench.conn.placeable(), 100);
    bench.receive(&segment(NEXT.plus(10), TcpFlags::ACK, b"beyond"), false);
    assert_eq!(bench.conn.placeable(), 0);
    bench.receive(&segment(NEXT, TcpFlags::ACK, b"up to that"), false);
    assert_eq!(bench.conn.placeable(), 84);
    assert_eq!(bench.read(), b"up to thatbeyond");
}

#[test]
fn no_place_is_free_where_nothing_is_stored() {
    let mut bench = open();
    bench.receive(&segment(NEXT, TcpFlags::ACK | TcpFlags::FIN, b"end"), false);
    assert_eq!(bench.conn.placeable(), 0);
    let mut bench = open();
    bench.conn.shutdown_read();
    assert_eq!(bench.conn.placeable(), 0);
}
