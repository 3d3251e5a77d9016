//! Loss recovery: traces worked out by hand from RFC 5681, 6582, 2018, 6675 and 3042.

use netloom_tcp::PlanKind;

use crate::script::*;

fn ten_in_flight(at: &dyn Fn(&mut Setup), sack: bool) -> Host {
    let mut h = Host::client(Setup::with(|s| {
        at(s);
        s.peer_sack = sack;
    }));
    h.write(30_000);
    assert_eq!(h.emit_all().len(), 10);
    h
}

conversation! {
    newreno_one_loss(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# The initial value of ssthresh SHOULD be set arbitrarily high (e.g.,
        //# to the size of the largest possible advertised window), but ssthresh
        //# MUST be reduced in response to congestion.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# The TCP sender SHOULD use the "fast retransmit" algorithm to detect
        //# and repair loss, based on incoming duplicate ACKs.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# On the first and second duplicate ACKs received at a sender, a
        //# TCP SHOULD send a segment of previously unsent data per [RFC3042]
        //# provided that the receiver's advertised window allows, the total
        //# FlightSize would remain less than or equal to cwnd plus 2*SMSS,
        //# and that new data is available for transmission.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# Further, the
        //# TCP sender MUST NOT change cwnd to reflect these two segments
        //# [RFC3042].
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# When the third duplicate ACK is received, a TCP MUST set ssthresh
        //# to no more than the value given in equation (4).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# The lost segment starting at SND.UNA MUST be retransmitted and
        //# cwnd set to ssthresh plus 3*SMSS.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# For each additional duplicate ACK received (after the third),
        //# cwnd MUST be incremented by SMSS.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# When previously unsent data is available and the new value of
        //# cwnd and the receiver's advertised window allow, a TCP SHOULD
        //# send 1*SMSS bytes of previously unsent data.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# When the next ACK arrives that acknowledges previously
        //# unacknowledged data, a TCP MUST set cwnd to ssthresh (the value
        //# set in step 2).
        let mut h = ten_in_flight(at, false);
        // Limited transmit: each of the first two lets one new segment go (RFC 3042).
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 10_001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 11_001, len: 1000);
        h.quiet();
        assert_eq!(h.info().cwnd, 10_000);
        // The third: fast retransmit; ssthresh is half of the 10 that were in flight before.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# When [RFC3042] is in use, additional data sent in limited
        //# transmit MUST NOT be included in this calculation.
        recv!(h, ".", ack: 1);
        let seg = sends!(h, ".", seq: 1, len: 1000);
        assert_eq!(seg.kind, Some(PlanKind::Retransmission));
        assert_eq!((h.info().cwnd, h.info().ssthresh), (5000, 5000));
        h.quiet();
        // Eight segments had left; four more duplicates bring the pipe down to 5.
        for _ in 0..4 {
            recv!(h, ".", ack: 1);
            h.quiet();
        }
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 12_001, len: 1000);
        // Full acknowledgment.
        recv!(h, ".", ack: 13_001);
        assert_eq!(h.info().cwnd, 5000);
        assert_eq!(h.emit_all().len(), 5);
    }

    a_lost_retransmission_lowers_the_window_again(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# Loss in two successive windows of data, or
        //# the loss of a retransmission, should be taken as two indications of
        //# congestion and, therefore, cwnd (and ssthresh) MUST be lowered twice
        //# in this case.
        let mut h = ten_in_flight(at, false);
        for _ in 0..3 {
            recv!(h, ".", ack: 1);
            h.emit_all();
        }
        assert_eq!((h.info().cwnd, h.info().ssthresh), (5000, 5000));
        h.quiet();
        h.sleep_until_deadline();
        h.fire(netloom_tcp::Timer::Retransmit);
        assert_eq!((h.info().cwnd, h.info().ssthresh), (1000, 2500));
    }

    newreno_partial_acks(at) {
        // Segments 1 and 4 are lost.
        let mut h = ten_in_flight(at, false);
        for _ in 0..3 {
            recv!(h, ".", ack: 1);
            h.emit_all();
        }
        let cwnd = h.info().cwnd;
        recv!(h, ".", ack: 3001);
        let seg = h.emit();
        assert_eq!((seg.seq, seg.len, seg.kind), (3001, 1000, Some(PlanKind::Retransmission)));
        assert_eq!(h.info().cwnd, cwnd, "no second reduction");
        recv!(h, ".", ack: 12_001);
        assert_eq!(h.info().lost, 0);
        h.emit_all();
    }

    newreno_does_not_start_again_below_recover(at) {
        let mut h = ten_in_flight(at, false);
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1, len: 1000);
        let ssthresh = h.info().ssthresh;
        // The originals had arrived: duplicates of what was sent before the timeout.
        recv!(h, ".", ack: 10_001);
        h.emit_all();
        for _ in 0..5 {
            recv!(h, ".", ack: 10_001);
        }
        assert_eq!(h.info().ssthresh, ssthresh, "no fast retransmit for old duplicates");
    }

    sack_sends_exactly_what_is_missing(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# Note that a sender using SACK [RFC2018] MUST NOT send
        //# new data unless the incoming duplicate acknowledgment contains
        //# new SACK information.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# That is, when the first loss in a window of data is detected,
        //# ssthresh MUST be set to no more than the value given by equation (4).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# Second, until all lost segments in the window of data in question are
        //# repaired, the number of segments transmitted in each RTT MUST be no
        //# more than half the number of outstanding segments when the loss was
        //# detected.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# has been successfully retransmitted, cwnd MUST be set to no more than
        //# ssthresh and congestion avoidance MUST be used to further increase
        //# cwnd.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5.1
        //= type=test
        //# However,
        //# the congestion control algorithms present in the de facto standard
        //# TCP implementations MUST be preserved [Stevens94].
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5
        //= type=test
        //# When receiving an ACK containing a SACK option, the data sender
        //# SHOULD record the selective acknowledgment for future reference.
        // 1, 4 and 6 of ten are lost.
        let mut h = ten_in_flight(at, true);
        recv!(h, ".", ack: 1, sack: vec![(1001, 2001)]);
        sends!(h, ".", seq: 10_001, len: 1000);
        recv!(h, ".", ack: 1, sack: vec![(1001, 3001)]);
        sends!(h, ".", seq: 11_001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 1, sack: vec![(4001, 5001), (1001, 3001)]);
        sends!(h, ".", seq: 1, len: 1000);
        assert_eq!((h.info().cwnd, h.info().sacked), (5000, 3000));
        h.quiet();
        recv!(h, ".", ack: 1, sack: vec![(6001, 7001), (4001, 5001), (1001, 3001)]);
        recv!(h, ".", ack: 1, sack: vec![(6001, 8001), (4001, 5001), (1001, 3001)]);
        // 3001..4001 has more than two segments above it: lost. The pipe is 12-5-1 = 6.
        assert_eq!(h.info().lost, 1000);
        recv!(h, ".", ack: 1, sack: vec![(6001, 9001), (4001, 5001), (1001, 3001)]);
        // So is 5001..6001 now. The pipe is 12-6-2 = 4: one more fits into the window of 5.
        sends!(h, ".", seq: 3001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 3001, sack: vec![(6001, 12_001), (4001, 5001)]);
        sends!(h, ".", seq: 5001, len: 1000);
        for seg in h.emit_all() {
            assert_eq!(seg.kind, Some(PlanKind::Data), "{seg:?}");
        }
        recv!(h, ".", ack: 12_001);
        assert_eq!((h.info().sacked, h.info().lost), (0, 0));
    }

    sack_cuts_super_segments_at_segments(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.gso = 10_000;
            s.peer_sack = true;
        }));
        h.write(10_000);
        sends!(h, "P.", seq: 1, len: 10_000);
        // The third is lost; a block that ends inside a segment reports only the whole ones.
        recv!(h, ".", ack: 2001, sack: vec![(3001, 7501)]);
        assert_eq!(h.info().sacked, 4000);
        sends!(h, ".", seq: 2001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 10_001);
        assert_eq!((h.c.record_count(), h.info().sacked), (0, 0));
    }

    sack_detail_is_ignored_when_the_table_is_full(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.gso = 10_000;
            s.records = 1;
            s.peer_sack = true;
        }));
        h.write(10_000);
        sends!(h, "P.", seq: 1, len: 10_000);
        recv!(h, ".", ack: 1, sack: vec![(3001, 7001)]);
        assert_eq!((h.info().sacked, h.c.record_count()), (0, 1));
        h.sleep_until_deadline();
        let mut una = 1;
        while una < 10_001 {
            for seg in h.emit_all() {
                una = una.max(seg.seq + seg.len);
            }
            recv!(h, ".", ack: una);
        }
        assert_eq!(h.info().unacked, 0);
    }

    a_part_of_a_merged_record_tells_no_round_trip(at) {
        // Three places for five segments: the third record is of three sendings, 40 ms apart.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.records = 3;
            s.peer_sack = true;
        }));
        h.sleep(millis(100));
        h.write(3_000);
        h.emit_all();
        for _ in 0..2 {
            h.sleep(millis(40));
            h.write(1_000);
            h.emit_all();
        }
        assert_eq!(h.c.record_count(), 3);
        h.sleep(millis(20));
        recv!(h, ".", ack: 2001);
        // The first part of it is overtaken by the second, and comes after all.
        h.sleep(millis(30));
        recv!(h, ".", ack: 2001, sack: vec![(3001, 4001)]);
        assert_eq!(h.info().sacked, 1000);
        let known = h.info().srtt;
        recv!(h, ".", ack: 4001);
        assert_eq!(h.info().srtt, known, "of what was sent 90 to 130 ms ago");
        // The end of it is measured: 100 ms.
        h.sleep(millis(50));
        recv!(h, ".", ack: 5001);
        assert!(h.info().srtt > known);
    }

    forged_sack_blocks_are_ignored(at) {
        let mut h = ten_in_flight(at, true);
        for block in [(0, 1), (1, 1001), (10_001, 11_001), (5001, 4001), (5001, 5001), (9001, 20_001)] {
            recv!(h, ".", ack: 1, sack: vec![block]);
            assert_eq!(h.info().sacked, 0, "{block:?}");
        }
    }

    a_reneging_peer_is_survived(at) {
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5.1
        //= type=test
        //# Because the data receiver
        //# is allowed to discard SACKed data, when a retransmit timeout occurs
        //# the data sender MUST ignore prior SACK information in determining
        //# which data to retransmit.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5
        //= type=test
        //# After a retransmit timeout the data sender SHOULD turn off all of the
        //# SACKed bits, since the timeout might indicate that the data receiver
        //# has reneged.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5
        //= type=test
        //# The data sender MUST retransmit the segment at the left
        //# edge of the window after a retransmit timeout, whether or not the
        //# SACKed bit is on for that segment.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-8
        //= type=test
        //# Since the data receiver may later discard data reported in a SACK
        //# option, the sender MUST NOT discard data before it is acknowledged by
        //# the Acknowledgment Number field in the TCP header.
        let mut h = ten_in_flight(at, true);
        recv!(h, ".", ack: 1, sack: vec![(1001, 10_001)]);
        sends!(h, ".", seq: 1, len: 1000);
        h.emit_all();
        // It has dropped what it reported.
        recv!(h, ".", ack: 1001);
        h.emit_all();
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1001, len: 1000);
        let mut una = 2001;
        while una < 30_001 {
            recv!(h, ".", ack: una);
            let sent = h.emit_all();
            let reached = sent.iter().map(|seg| seg.seq + seg.len).max();
            una = reached.unwrap_or(una).max(una + 1).min(30_001);
        }
    }

    timeout_sends_everything_again_in_slow_start(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.2
        //= type=test
        //# A TCP endpoint MUST implement the basic congestion control algorithms
        //# slow start, congestion avoidance, and exponential backoff of RTO to
        //# avoid creating congestion collapse conditions (MUST-19).
        let mut h = ten_in_flight(at, false);
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 1001);
        let seqs: Vec<u32> = h.emit_all().iter().map(|seg| seg.seq).collect();
        assert_eq!(seqs, [1001, 2001]);
        recv!(h, ".", ack: 3001);
        let seqs: Vec<u32> = h.emit_all().iter().map(|seg| seg.seq).collect();
        assert_eq!(seqs, [3001, 4001, 5001]);
        // The receiver had the rest.
        recv!(h, ".", ack: 10_001);
        assert_eq!(h.emit().seq, 10_001);
    }

    shld_ssthresh_is_halved_once_for_repeated_timeouts(at) {
        let mut h = ten_in_flight(at, false);
        h.sleep_until_deadline();
        h.emit_all();
        assert_eq!(h.info().ssthresh, 5000);
        h.sleep_until_deadline();
        h.emit_all();
        assert_eq!(h.info().ssthresh, 5000);
    }

    a_refused_plan_changes_nothing(at) {
        let mut h = ten_in_flight(at, false);
        h.sleep_until_deadline();
        let plan = h.plan();
        let before = h.c.clone();
        for _ in 0..10 {
            assert_eq!(h.plan(), plan);
        }
        assert_eq!(h.c, before);
    }
}
