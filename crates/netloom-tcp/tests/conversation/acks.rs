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
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# The delayed ACK algorithm specified in [RFC1122] SHOULD be used by a
        //# TCP receiver.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# When using delayed ACKs, a TCP receiver MUST NOT
        //# excessively delay acknowledgments.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# Specifically, an ACK SHOULD be
        //# generated for at least every second full-sized segment, and MUST be
        //# generated within 500 ms of the arrival of the first unacknowledged
        //# packet.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# Finally, we repeat that an ACK MUST NOT be delayed for more than 500
        //# ms waiting on a second full-sized segment to arrive.
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
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# In addition, a TCP receiver
        //# SHOULD send an immediate ACK when the incoming segment fills in all
        //# or part of a gap in the sequence space.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# To
        //# provide feedback to senders recovering from losses, the receiver
        //# SHOULD send an immediate ACK when it receives a data segment that
        //# fills in all or part of a gap in the sequence space.
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
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# o  RFC 5961 [9], Section 5 describes a potential blind data
        //# injection attack, and mitigation that implementations MAY
        //# choose to include (MAY-12).
        //= https://www.rfc-editor.org/rfc/rfc5961#section-5.2
        //= type=test
        //# TCP stacks
        //# that implement this mitigation MUST add an additional input check to
        //# any incoming segment.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-5.2
        //= type=test
        //# All incoming segments whose ACK value doesn't satisfy the
        //# above condition MUST be discarded and an ACK sent back.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# TCP stacks that implement RFC
        //# 5961 MUST add an input check that the ACK value is
        //# acceptable only if it is in the range of ((SND.UNA -
        //# MAX.SND.WND) =< SEG.ACK =< SND.NXT).
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
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# When the ACK bit is set
        //# in an outgoing segment, the sender MUST echo a recently received
        //# TSval sent by the remote TCP in the TSval field of a Timestamps
        //# option.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# Once TSopt has been successfully negotiated, that is both <SYN> and
        //# <SYN,ACK> contain TSopt, the TSopt MUST be sent in every non-<RST>
        //# segment for the duration of the connection, and SHOULD be sent in an
        //# <RST> segment (see Section 5.2 for details).
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# The TCP SHOULD remember
        //# this state by setting a flag, referred to as Snd.TS.OK, to one.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# non-<RST> segment is received without a TSopt, a TCP SHOULD silently
        //# drop the segment.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# A TCP MUST NOT abort a TCP connection because any
        //# segment lacks an expected TSopt.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
        //= type=test
        //# Thus,
        //# when delayed ACKs are in use, the receiver SHOULD reply with the
        //# TSval field from the earliest unacknowledged segment.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
        //= type=test
        //# The choice of incoming timestamps to be saved for this comparison
        //# MUST guarantee a value that is monotonically non-decreasing.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //= type=test
        //# If the PAWS algorithm is used, the following processing MUST be
        //# performed on all incoming segments for a synchronized connection.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //= type=test
        //# Also, PAWS processing MUST take precedence over the regular TCP
        //# acceptability check (Section 3.3 in [RFC0793]), which is performed
        //# after verification of the received Timestamps option:
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //= type=test
        //# A TCP implementation MUST be able to receive a TCP Option in any
        //# segment (MUST-5).
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
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
        //= type=test
        //# It MUST tick at least once for each 2^31 bytes sent.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
        //= type=test
        //# In fact,
        //# in order to be useful to the sender for round-trip timing, the
        //# clock SHOULD tick at least once per window's worth of data, and
        //# even with the window extension defined in Section 2.2, 2^31
        //# bytes must be at least two windows.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
        //= type=test
        //# The recycling time of the timestamp clock MUST be greater than
        //# MSL seconds.
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
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# The exact rules on which TSval MUST be echoed are given in
        //# Section 4.3.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
        //= type=test
        //# An <ACK> for an out-of-order segment
        //# SHOULD, therefore, contain the timestamp from the most recent
        //# segment that advanced RCV.NXT.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //= type=test
        //# It is important to note that the timestamp MUST be checked only when
        //# a segment first arrives at the receiver, regardless of whether it is
        //# in sequence or it must be queued for later delivery.
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
        //= https://www.rfc-editor.org/rfc/rfc5961#section-7
        //= type=test
        //# 2) The values for both the time and number of ACKs SHOULD be tunable
        //# by the system administrator to accommodate different perceived
        //# levels of threat and/or system resources.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-7
        //= type=test
        //# The time limit SHOULD be tunable to help timeout brute force attacks
        //# faster than a potential legitimate flood of RSTs.
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

conversation! {
    timestamps_that_were_not_agreed_are_ignored(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# If a TSopt is received
        //# on a connection where TSopt was not negotiated in the initial three-
        //# way handshake, the TSopt MUST be ignored and the packet processed
        //# normally.
        let mut h = Host::client(Setup::with(|s| at(s)));
        for (seq, value) in [(1, 9_000), (11, 1)] {
            let out = recv!(h, "P.", seq: seq, len: 10, ts: Some((value, 77)));
            assert_eq!(out.discard, None);
        }
        h.sleep(millis(40));
        assert_eq!(sends!(h, ".", ack: 21).ts, None);
        assert_eq!(h.c.readable_bytes(), 20);
    }

    the_segment_that_fills_a_hole_is_echoed(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
        //= type=test
        //# Thus, the timestamp from the latest segment (which
        //# filled the hole) MUST be echoed.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        recv!(h, "P.", seq: 11, len: 10, ts: Some((7_020, 0)));
        assert_eq!(sends!(h, ".", ack: 1).ts.unwrap().1, 7_000, "of the last in order");
        recv!(h, "P.", seq: 1, len: 10, ts: Some((7_030, 0)));
        assert_eq!(sends!(h, ".", ack: 21).ts.unwrap().1, 7_030);
    }

    a_reset_is_not_judged_by_its_timestamp(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
        //= type=test
        //# When an <RST> segment is
        //# received, it MUST NOT be subjected to the PAWS check by verifying an
        //# acceptable value in SEG.TSval, and information from the Timestamps
        //# option MUST NOT be used to update connection state information.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        // In the window, not at its edge: challenged, and its timestamp is not taken over.
        recv!(h, "R", seq: 2, ts: Some((9_000, 0)));
        assert_eq!(sends!(h, ".", ack: 1).ts.unwrap().1, 7_000);
        recv!(h, "R", seq: 1, ts: Some((1, 0)));
        assert_eq!(h.state(), netloom_tcp::State::Closed);
    }

    an_abort_carries_timestamps(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
        //= type=test
        //# If an <RST> is being
        //# generated because of a user abort, and Snd.TS.OK is set, then a
        //# Timestamps option SHOULD be included in the <RST>.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        let _ = h.c.abort();
        assert_eq!(sends!(h, "R.", seq: 1).ts.unwrap().1, 7_000);
    }

    windows_are_scaled_by_what_the_syn_said(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# The window field (SEG.WND) in the header of every incoming
        //# segment, with the exception of <SYN> segments, MUST be left-
        //# shifted by Snd.Wind.Shift bits before updating SND.WND:
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_scale = Some(3);
        }));
        h.write(1);
        h.emit_all();
        recv!(h, ".", ack: 2, win: 1000);
        assert_eq!(h.info().snd_wnd, 8000);
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //= type=test
        //# A Window Scale option in a segment
        //# without a SYN bit MUST be ignored.
        recv!(h, ".", ack: 2, win: 1000, ws: Some(1));
        assert_eq!(h.info().snd_wnd, 8000);
    }

    windows_are_not_scaled_unless_both_agree(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //= type=test
        //# This option is an offer, not a promise; both sides
        //# MUST send Window Scale options in their <SYN> segments to enable
        //# window scaling in either direction.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# otherwise, it MUST set both
        //# Snd.Wind.Shift and Rcv.Wind.Shift to zero.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1_000_000;
            s.peer_scale = None;
        }));
        h.write(1);
        h.emit_all();
        recv!(h, "P.", seq: 1, len: 1000, ack: 2, win: 5_000);
        recv!(h, "P.", seq: 1001, len: 1000, ack: 2, win: 5_000);
        sends!(h, ".", ack: 2001, win: 0xffff);
        assert_eq!(h.info().snd_wnd, 5_000);
    }

    our_scale_is_fourteen_at_most(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# Thus, the shift count MUST be limited to
        //# 14 (which allows windows of 2^30 = 1 GiB).
        let mut h = Host::connecting(Setup::with(|s| {
            at(s);
            s.tunables.rcv_buf_max = u32::MAX;
            s.tunables.max_window_scale = 20;
        }));
        assert_eq!(sends!(h, "S", seq: 0).ws, Some(14));
    }

    text_beyond_the_window_is_not_reported_as_a_duplicate(at) {
        //= https://www.rfc-editor.org/rfc/rfc2883#section-4
        //= type=test
        //# (1) A D-SACK block is only used to report a duplicate contiguous
        //# sequence of data received by the receiver in the most recent packet.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
        }));
        recv!(h, ".", seq: 20_001, len: 1000);
        sends!(h, ".", ack: 1, len: 0, sack: vec![]);
        h.quiet();
    }

    an_acknowledgment_of_everything_owes_nothing(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.emit_all();
        recv!(h, ".", ack: 11);
        assert!(!h.c.owes_frame());
        h.quiet();
    }
}
