//! A lossy path, with the retransmission timer alone.

use netloom_wire::TcpFlags;
use std::vec;
use std::vec::Vec;

use crate::testing::{self, Bench};
use crate::{Next, Plan, SeqNum, Timer};

const ISS: SeqNum = SeqNum(0xffff_ff00);
const IRS: SeqNum = SeqNum(0x7fff_ff00);
const RTT: u64 = 100_000;

/// The peer takes segments of 100 octets.
fn open() -> Bench {
    Bench::open(ISS, IRS, 1_000, 4_000)
}

impl Bench {
    fn write(&mut self, len: usize) {
        let written = self.with(|c, _, io| c.write(io, &vec![7; len]));
        assert_eq!(written, len);
    }

    /// The peer has everything up to `octets` of the stream.
    fn acknowledge(&mut self, octets: u32) {
        let mut segment = testing::segment(IRS + 1, ISS + 1 + octets, TcpFlags::ACK, &[]);
        segment.window = 4_000;
        let _ = self.with(|c, env, io| c.receive(env, io, &segment));
    }

    /// What goes out now, as where in the stream it begins and how long it is.
    fn send(&mut self) -> Vec<(u32, u32)> {
        let mut sent = Vec::new();
        while let Next::Send(plan) = self.with(|c, env, io| c.next(env, io)) {
            let Plan { seq, len, .. } = plan;
            sent.push((seq.since(ISS + 1), len));
            let _ = self.with(|c, env, io| c.sent(env, io, &plan));
        }
        sent
    }

    fn sleep(&mut self, micros: u64) {
        self.now = self.now.plus_micros(micros);
    }

    /// Sleeps until the retransmission timer fires; returns how long that was, in microseconds.
    fn time_out(&mut self) -> u64 {
        let before = self.now;
        match self.with(|c, env, io| c.next(env, io)) {
            Next::Wait(Some(until)) => self.now = until,
            other => panic!("{other:?}"),
        }
        let next = self.with(|c, env, io| c.next(env, io));
        assert_eq!(next, Next::Fire(Timer::Retransmit));
        let _ = self.with(|c, env, io| c.fire(env, io, Timer::Retransmit));
        self.now.micros_since(before)
    }

    fn srtt(&mut self) -> u32 {
        self.with(|c, env, _| c.info(env).srtt)
    }
}

#[test]
fn a_timeout_sends_all_again_from_the_front() {
    let mut sender = open();
    sender.write(400);
    assert_eq!(
        sender.send(),
        [(0, 100), (100, 100), (200, 100), (300, 100)]
    );
    sender.time_out();
    // RFC 5681 §3.1: the loss window is one segment.
    assert_eq!(sender.send(), [(0, 100)]);
    // The second had arrived: what is known to be there is not sent again.
    sender.acknowledge(200);
    assert_eq!(sender.send(), [(200, 100), (300, 100)]);
    sender.acknowledge(400);
    assert_eq!(sender.send(), []);
    assert_eq!(sender.with(|c, env, io| c.next(env, io)), Next::Wait(None));
}

#[test]
fn new_text_follows_what_was_lost() {
    let mut sender = open();
    sender.write(200);
    assert_eq!(sender.send(), [(0, 100), (100, 100)]);
    sender.time_out();
    sender.write(100);
    assert_eq!(sender.send(), [(0, 100)]);
    sender.acknowledge(100);
    assert_eq!(sender.send(), [(100, 100), (200, 100)]);
    // The timeout took nothing of the third as lost.
    sender.acknowledge(200);
    assert_eq!(sender.send(), []);
}

//= https://www.rfc-editor.org/rfc/rfc6298#section-3
//= type=test
//# TCP MUST use Karn's algorithm [KP87] for taking RTT samples.
#[test]
fn only_what_was_sent_once_is_measured() {
    let mut sender = open();
    sender.write(300);
    assert_eq!(sender.send(), [(0, 100), (100, 100), (200, 100)]);
    sender.sleep(RTT);
    sender.acknowledge(100);
    assert_eq!(u64::from(sender.srtt()), RTT);
    let first = sender.time_out();
    assert_eq!(sender.send(), [(100, 100)]);
    // RFC 6298 §5.5: backed off.
    let second = sender.time_out();
    assert!(second >= first + first / 2, "{first} {second}");
    assert_eq!(sender.send(), [(100, 100)]);
    sender.sleep(3 * RTT);
    sender.acknowledge(300);
    assert_eq!(u64::from(sender.srtt()), RTT, "ambiguous");
    // The next text is new: it is measured, and ends the back-off.
    sender.write(100);
    assert_eq!(sender.send(), [(300, 100)]);
    sender.sleep(RTT);
    sender.acknowledge(400);
    assert_eq!(u64::from(sender.srtt()), RTT);
    sender.write(100);
    assert_eq!(sender.send(), [(400, 100)]);
    let third = sender.time_out();
    assert!(third <= first, "{first} {third}");
}

#[test]
fn segments_too_large_for_the_path_go_out_again_smaller() {
    let mut sender = open();
    sender.write(200);
    assert_eq!(sender.send(), [(0, 100), (100, 100)]);
    sender.with(|c, _, io| c.set_path_mss(io, 80));
    assert_eq!(sender.send(), [(0, 80), (80, 80), (160, 40)]);
}
