//! When acknowledgments go out, and what they do when they come in.

use netloom_tcp::{Discard, News};

use crate::script::*;

conversation! {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
    //= type=test
    //# A TCP endpoint SHOULD implement a delayed ACK (SHLD-18), but an ACK
    //# should not be excessively delayed; in particular, the delay MUST be
    //# less than 0.5 seconds (MUST-40).
    must_40_delayed_ack(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, len: 10);
        h.quiet();
        assert_eq!(h.sleep_until_deadline(), millis(40));
        sends!(h, ".", ack: 11);
        h.quiet();
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.tunables.delayed_ack = u32::MAX;
        }));
        recv!(h, "P.", seq: 1, len: 10);
        assert!(h.sleep_until_deadline() < 500_000);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
    //= type=test
    //# An ACK SHOULD be generated for at
    //# least every second full-sized segment or 2*RMSS bytes of new data
    //# (where RMSS is the MSS specified by the TCP endpoint receiving the
    //# segments to be acknowledged, or the default value if not specified)
    //# (SHLD-19).
    shld_19_every_second_segment(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let mut acks = 0;
        for i in 0..10 {
            recv!(h, ".", seq: 1 + i * 1000, len: 1000);
            acks += h.emit_all().len();
        }
        assert_eq!(acks, 5);
    }

    a_merged_frame_is_acknowledged_at_once(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, ".", seq: 1, len: 3000, count: 3);
        sends!(h, ".", ack: 3001);
    }

    the_first_segments_are_acknowledged_at_once(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.tunables.quick_acks = 3;
        }));
        for i in 0..3 {
            recv!(h, "P.", seq: 1 + i * 10, len: 10);
            sends!(h, ".", ack: 11 + i * 10);
        }
        recv!(h, "P.", seq: 31, len: 10);
        h.quiet();
        h.c.set_quickack();
        sends!(h, ".", ack: 41);
    }

    an_exchange_of_requests_and_answers_stops_being_quick(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.tunables.quick_acks = 16;
        }));
        recv!(h, "P.", seq: 1, len: 10);
        h.write(10);
        sends!(h, "P.", seq: 1, ack: 11, len: 10);
        recv!(h, "P.", seq: 11, ack: 11, len: 10);
        h.quiet();
    }

    filling_part_of_a_gap_is_acknowledged_at_once(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
        }));
        recv!(h, ".", seq: 501, len: 10);
        sends!(h, ".", ack: 1, sack: vec![(501, 511)]);
        recv!(h, ".", seq: 1, len: 100);
        sends!(h, ".", ack: 101, sack: vec![(501, 511)]);
    }

    an_answer_carries_the_acknowledgment(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, len: 10);
        h.write(20);
        sends!(h, "P.", seq: 1, ack: 11, len: 20);
        h.quiet();
        assert!(h.sleep_until_deadline() > millis(40), "only the retransmission timer runs");
    }

    old_acks_are_ignored(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(3000);
        h.emit_all();
        recv!(h, ".", ack: 2001);
        assert!(h.last.news.contains(News::WRITABLE | News::PATH_CONFIRMED));
        let out = recv!(h, ".", ack: 1001);
        assert_eq!((out.discard, h.info().unacked), (None, 1000));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
    //= type=test
    //# All incoming segments
    //# whose ACK value doesn't satisfy the above condition MUST be
    //# discarded and an ACK sent back.
    txt_9_10_ack_outside_the_range(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(1000);
        h.emit_all();
        let out = recv!(h, "P.", seq: 1, ack: 1002, len: 10);
        assert_eq!(out.discard, Some(Discard::BadAck));
        sends!(h, ".", seq: 1001, ack: 1);
        // As far back as the largest window is old, further is forged.
        h.sleep(seconds(1));
        let old = 1u32.wrapping_sub(60_000);
        assert_eq!(recv!(h, "P.", seq: 1, ack: old, len: 10).discard, None);
        let forged = 1u32.wrapping_sub(60_001);
        assert_eq!(recv!(h, "P.", seq: 11, ack: forged, len: 10).discard, Some(Discard::BadAck));
        assert_eq!(h.c.readable_bytes(), 10);
    }

    timestamps_and_paws(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        recv!(h, "P.", seq: 1, len: 10, ts: Some((7_010, 0)));
        h.sleep(millis(40));
        let seg = sends!(h, ".", ack: 11);
        assert_eq!(seg.ts.unwrap().1, 7_010);
        assert_eq!(seg.ts.unwrap().0, (h.now / 1000) as u32 + 0x1000);
        // Older: dropped and answered.
        let out = recv!(h, "P.", seq: 11, len: 10, ts: Some((7_009, 0)));
        assert_eq!(out.discard, Some(Discard::Paws));
        sends!(h, ".", ack: 11);
        // None at all: dropped silently.
        let out = recv!(h, "P.", seq: 11, len: 10);
        assert_eq!(out.discard, Some(Discard::Paws));
        h.quiet();
        // RST is not subject to it.
        recv!(h, "R", seq: 11, ts: Some((1, 0)));
        assert_eq!(h.state(), netloom_tcp::State::Closed);
    }

    paws_wraps_and_ages(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        recv!(h, "P.", seq: 1, len: 10, ts: Some((0x7fff_ffff, 0)));
        recv!(h, "P.", seq: 11, len: 10, ts: Some((0xffff_fff0, 0)));
        h.emit_all();
        h.sleep(millis(40));
        h.emit_all();
        recv!(h, "P.", seq: 21, len: 10, ts: Some((0xffff_fff1, 0)));
        h.sleep(millis(40));
        h.emit_all();
        let out = recv!(h, "P.", seq: 31, len: 10, ts: Some((5, 0)));
        assert_eq!(out.discard, None, "5 is later than 0xfffffff1");
        // RFC 7323 §5.5: after 24 days without a word TS.Recent means nothing.
        h.emit_all();
        h.sleep(seconds(25 * 24 * 3600));
        h.emit_all();
        let out = recv!(h, "P.", seq: 41, len: 10, ts: Some((0x8000_0000, 0)));
        assert_eq!(out.discard, None);
    }

    ts_recent_is_not_moved_by_what_lies_ahead(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        recv!(h, ".", seq: 1001, len: 10, ts: Some((8_000, 0)));
        let seg = h.emit();
        assert_eq!(seg.ts.unwrap().1, 7_000);
        recv!(h, ".", seq: 1, len: 1000, ts: Some((7_500, 0)));
        let seg = h.emit();
        assert_eq!(seg.ts.unwrap().1, 7_500);
    }

    challenge_acks_are_limited(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let mut sent = 0;
        for i in 0..1000 {
            recv!(h, "R", seq: 2 + i);
            sent += h.emit_all().len();
            h.sleep(millis(1));
        }
        assert_eq!(sent, 2);
        assert_eq!(h.state(), netloom_tcp::State::Established);
    }
}
