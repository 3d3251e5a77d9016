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
        let mut h = ten_in_flight(at, false);
        // Limited transmit: each of the first two lets one new segment go (RFC 3042).
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 10_001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 11_001, len: 1000);
        h.quiet();
        assert_eq!(h.info().cwnd, 10_000);
        // The third: fast retransmit; ssthresh is half of the 12 in flight.
        recv!(h, ".", ack: 1);
        let seg = sends!(h, ".", seq: 1, len: 1000);
        assert_eq!(seg.kind, Some(PlanKind::Retransmission));
        assert_eq!((h.info().cwnd, h.info().ssthresh), (6000, 6000));
        h.quiet();
        // Nine segments had left; three more duplicates bring the pipe down to 6.
        for _ in 0..3 {
            recv!(h, ".", ack: 1);
            h.quiet();
        }
        recv!(h, ".", ack: 1);
        sends!(h, ".", seq: 12_001, len: 1000);
        // Full acknowledgment.
        recv!(h, ".", ack: 13_001);
        assert_eq!(h.info().cwnd, 6000);
        assert_eq!(h.emit_all().len(), 6);
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
        // 1, 4 and 6 of ten are lost.
        let mut h = ten_in_flight(at, true);
        recv!(h, ".", ack: 1, sack: vec![(1001, 2001)]);
        sends!(h, ".", seq: 10_001, len: 1000);
        recv!(h, ".", ack: 1, sack: vec![(1001, 3001)]);
        sends!(h, ".", seq: 11_001, len: 1000);
        h.quiet();
        recv!(h, ".", ack: 1, sack: vec![(4001, 5001), (1001, 3001)]);
        sends!(h, ".", seq: 1, len: 1000);
        assert_eq!((h.info().cwnd, h.info().sacked), (6000, 3000));
        h.quiet();
        recv!(h, ".", ack: 1, sack: vec![(6001, 7001), (4001, 5001), (1001, 3001)]);
        recv!(h, ".", ack: 1, sack: vec![(6001, 8001), (4001, 5001), (1001, 3001)]);
        // 3001..4001 has more than two segments above it: lost. The pipe is 12-5-1 = 6.
        assert_eq!(h.info().lost, 1000);
        recv!(h, ".", ack: 1, sack: vec![(6001, 9001), (4001, 5001), (1001, 3001)]);
        let again: Vec<u32> = h.emit_all().iter().map(|seg| seg.seq).collect();
        assert_eq!(again, [3001, 5001]);
        recv!(h, ".", ack: 3001, sack: vec![(6001, 12_001), (4001, 5001)]);
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

    forged_sack_blocks_are_ignored(at) {
        let mut h = ten_in_flight(at, true);
        for block in [(0, 1), (1, 1001), (10_001, 11_001), (5001, 4001), (5001, 5001), (9001, 20_001)] {
            recv!(h, ".", ack: 1, sack: vec![block]);
            assert_eq!(h.info().sacked, 0, "{block:?}");
        }
    }

    a_reneging_peer_is_survived(at) {
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
