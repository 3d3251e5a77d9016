//! What RACK-TLP (RFC 8985), F-RTO (RFC 5682) and proportional rate reduction (RFC 6937) leave to
//! what comes after them.

use netloom_tcp::{CongestionControl, PlanKind, Timer};

use crate::script::*;

/// So many segments in flight of a connection that finds losses by time.
fn in_flight(at: &dyn Fn(&mut Setup), segments: u8, change: impl FnOnce(&mut Setup)) -> Host {
    let mut h = Host::client(Setup::with(|s| {
        at(s);
        s.peer_sack = true;
        s.tunables.recovery = true;
        s.tunables.initial_window = segments;
        s.peer_scale = Some(2);
        change(s);
    }));
    h.write(90_000);
    h.sleep(millis(10));
    assert_eq!(h.emit_all().len(), usize::from(segments));
    h
}

/// A connection that agreed on ECN.
fn with_ecn(at: &dyn Fn(&mut Setup), sack: bool) -> Host {
    let mut h = Host::connecting(Setup::with(|s| {
        at(s);
        s.tunables.ecn = 1;
        s.peer_sack = sack;
    }));
    sends!(h, "SEW", seq: 0);
    let syn = h.peer_syn();
    h.recv(Seg {
        flags: "S.E".into(),
        ack: 1,
        ..syn
    });
    sends!(h, ".", seq: 1);
    h
}

conversation! {
    what_is_lost_when_a_timeout_is_repaired_is_a_new_loss(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# Loss in two successive windows of data, or
        //# the loss of a retransmission, should be taken as two indications of
        //# congestion and, therefore, cwnd (and ssthresh) MUST be lowered twice
        //# in this case.
        let mut h = in_flight(at, 40, |_| {});
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1, len: 1000);
        for segment in 1..=39 {
            h.sleep(millis(10));
            recv!(h, ".", ack: segment * 1000 + 1);
            h.emit_all();
        }
        // Of what was sent since, 40001 is lost; nothing is sent before the timeout is repaired.
        h.sleep(millis(10));
        recv!(h, ".", ack: 39_001, sack: vec![(41_001, 44_001)]);
        // 39001 too: what was sent again long before what is reported.
        assert_eq!(h.info().lost, 2000);
        let flight = h.info().snd_nxt.0.wrapping_sub(h.setup.iss) - 40_001;
        assert!(flight > 15_000, "{flight}");
        recv!(h, ".", ack: 40_001, sack: vec![(41_001, 44_001)]);
        assert_eq!(h.info().ssthresh, flight / 2);
        sends!(h, ".", seq: 40_001, len: 1000);
        // The pipe is more than ssthresh: no more than that.
        h.quiet();
    }

    a_timeout_in_recovery_halves_what_the_recovery_left(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //= type=test
        //# Loss in two successive windows of data, or
        //# the loss of a retransmission, should be taken as two indications of
        //# congestion and, therefore, cwnd (and ssthresh) MUST be lowered twice
        //# in this case.
        let mut h = in_flight(at, 20, |_| {});
        h.sleep(millis(10));
        recv!(h, ".", ack: 1, sack: vec![(17_001, 20_001)]);
        assert_eq!(h.info().ssthresh, 10_000);
        // Nothing but what was just let out is in the network.
        assert_eq!(h.emit_all().len(), 3);
        h.sleep_until_deadline();
        h.fire(Timer::Retransmit);
        assert_eq!((h.info().cwnd, h.info().ssthresh), (1000, 5000));
    }

    a_timeout_that_was_a_mistake_leaves_the_window_as_it_was(at) {
        for algorithm in CongestionControl::ALL.iter().copied() {
            if algorithm.name() == "bbr" {
                continue;
            }
            // A round trip of 100 ms.
            let mut h = Host::connecting(Setup::with(|s| {
                at(s);
                s.peer_sack = true;
                s.tunables.recovery = true;
                s.tunables.congestion_control = algorithm;
                s.tunables.frto = true;
            }));
            sends!(h, "S", seq: 0);
            h.sleep(millis(100));
            let syn = h.peer_syn();
            h.recv(Seg { flags: "S.".into(), ack: 1, ..syn });
            sends!(h, ".", seq: 1);
            h.write(30_000);
            assert_eq!(h.emit_all().len(), 10);
            h.sleep_until_deadline();
            sends!(h, ".", seq: 1, len: 1000);
            h.sleep(millis(100));
            recv!(h, ".", ack: 2001);
            assert_eq!(h.emit_all().len(), 2);
            h.sleep(millis(10));
            recv!(h, ".", ack: 4001);
            assert_eq!(
                (h.info().cwnd, h.info().ssthresh),
                (10_000, u32::MAX),
                "{algorithm:?}"
            );
        }
    }

    a_loss_probe_says_nothing_of_what_a_closed_window_refused(at) {
        let mut h = probed(at);
        recv!(h, ".", ack: 1, win: 0);
        h.sleep_until_deadline();
        assert_eq!(h.emit().kind, Some(PlanKind::WindowProbe));
        recv!(h, ".", ack: 1, win: 60_000);
        all_arrives(&mut h);
    }

    a_loss_probe_says_nothing_of_what_was_too_large(at) {
        let mut h = probed(at);
        with!(&mut h, |c, _env, io| c.set_path_mss(&mut io, 500));
        all_arrives(&mut h);
    }

    what_was_too_large_takes_no_older_reduction_back(at) {
        let mut h = in_flight(at, 10, |s| s.peer_ts = true);
        let len = u32::from(h.info().snd_mss);
        let sent_at = |h: &mut Host| (h.now / 1000) as u32 + 0x1000;
        h.sleep(millis(10));
        let echo = sent_at(&mut h) - 10;
        let ts = Some((7_001, echo));
        recv!(h, ".", ack: 1, ts: ts, sack: vec![(1 + len, 1 + 4 * len)]);
        h.emit_all();
        h.sleep(millis(10));
        let nxt = h.info().snd_nxt.0.wrapping_sub(h.setup.iss);
        let ts = Some((7_002, sent_at(&mut h) - 10));
        recv!(h, ".", ack: nxt, ts: ts);
        let echo = sent_at(&mut h);
        let cwnd = h.info().cwnd;
        assert_eq!(cwnd, 5 * len);
        assert_eq!(h.emit_all().len(), 5);
        // The path is said to carry less, but what was sent arrives.
        h.sleep(millis(50));
        with!(&mut h, |c, _env, io| c.set_path_mss(&mut io, 512));
        assert_eq!(h.emit().len, 500);
        h.emit_all();
        h.sleep(millis(1));
        recv!(h, ".", ack: nxt + 500, ts: Some((7_003, echo)));
        assert!(h.info().cwnd <= cwnd + len, "{} {cwnd}", h.info().cwnd);
    }

    a_loss_after_a_mark_is_repaired_without_a_second_reduction(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# The TCP sender SHOULD use the "fast retransmit" algorithm to detect
        //# and repair loss, based on incoming duplicate ACKs.
        for sack in [false, true] {
            let mut h = with_ecn(at, sack);
            h.write(30_000);
            assert_eq!(h.emit_all().len(), 10);
            recv!(h, ".E", ack: 1001);
            assert_eq!((h.info().cwnd, h.info().ssthresh), (5000, 5000));
            h.quiet();
            for i in 1..=3 {
                h.quiet();
                let block = (2001, 2001 + 1000 * i);
                recv!(h, ".", ack: 1001, sack: if sack { vec![block] } else { vec![] });
            }
            sends!(h, ".", seq: 1001, len: 1000);
            assert_eq!((h.info().cwnd, h.info().ssthresh), (5000, 5000));
        }
    }
}

/// Five segments in flight, and the last of them again as a loss probe.
fn probed(at: &dyn Fn(&mut Setup)) -> Host {
    let mut h = Host::client(Setup::with(|s| {
        at(s);
        s.peer_sack = true;
        s.tunables.recovery = true;
        s.tunables.early_retrans = true;
    }));
    h.write(5000);
    assert_eq!(h.emit_all().len(), 5);
    h.sleep_until_deadline();
    let probe = h.emit();
    assert_eq!(
        (probe.seq, probe.kind),
        (4001, Some(PlanKind::Retransmission))
    );
    h
}

/// What is in flight is sent again, and more, and arrives: no loss is known.
fn all_arrives(h: &mut Host) {
    assert!(h.emit_all().len() >= 5);
    h.write(1000);
    h.emit_all();
    h.sleep(millis(10));
    recv!(h, ".", ack: 6001);
    assert_eq!(h.info().unacked, 0);
    assert_eq!(h.info().ssthresh, u32::MAX);
}
