//! Retransmission, R1 and R2, keep-alives, user timeout.

use netloom_tcp::{CloseReason, End, Keepalive, News, Next, PlanKind, State};

use crate::script::*;

conversation! {
    rto_backs_off_and_gives_up_at_r2(at) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-1
        //= type=test
        //# However, a TCP MUST NOT be more aggressive than the following
        //# algorithms allow.
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //= type=test
        //# (5.5) The host MUST set RTO <- RTO * 2 ("back off the timer").
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //= type=test
        //# The value of R2 SHOULD correspond to at
        //# least 100 seconds (SHLD-11).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        sends!(h, "P.", seq: 1, len: 10);
        let start = h.now;
        let mut waits = Vec::new();
        loop {
            waits.push(h.sleep_until_deadline());
            h.next();
            if h.end.is_some() {
                break;
            }
            sends!(h, "P.", seq: 1, len: 10);
        }
        for pair in waits[..waits.len() - 2].windows(2) {
            assert_eq!(pair[1], (pair[0] * 2).min(seconds(120)));
        }
        assert_eq!(h.now - start, seconds(300));
        assert_eq!(h.end, Some(End::Closed(CloseReason::RetransmissionTimedOut)));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
    //= type=test
    //# When the number of transmissions of the same segment reaches or
    //# exceeds threshold R1, pass negative advice (see Section 3.3.1.4
    //# of [19]) to the IP layer, to trigger dead-gateway diagnosis.
    must_20_r1(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //= type=test
        //# The following
        //# procedure MUST be used to handle excessive retransmissions of data
        //# segments (MUST-20):
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //= type=test
        //# (e)  TCP implementations SHOULD inform the application of the
        //# delivery problem (unless such information has been disabled by
        //# the application; see the "Asynchronous Reports" section
        //# (Section 3.9.1.8)), when R1 is reached and before R2 (SHLD-9).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //= type=test
        //# The value of R1 SHOULD correspond to at least 3 retransmissions, at
        //# the current RTO (SHLD-10).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.emit_all();
        for i in 1..=3 {
            assert!(!h.news.contains(News::NEGATIVE_ADVICE), "after {i}");
            h.sleep_until_deadline();
            h.emit_all();
        }
        assert!(h.news.contains(News::NEGATIVE_ADVICE | News::SOFT_ERROR));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
    //= type=test
    //# An application MUST (MUST-21) be able to set the value for R2
    //# for a particular connection.
    must_21_own_user_timeout(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_user_timeout(Some(seconds(5)));
        h.write(10);
        h.emit_all();
        let start = h.now;
        while h.end.is_none() {
            h.sleep_until_deadline();
            h.emit_all();
        }
        assert_eq!(h.now - start, seconds(5));
        assert_eq!(h.end, Some(End::Closed(CloseReason::UserTimedOut)));
        // For ever.
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_user_timeout(Some(0));
        h.write(10);
        for _ in 0..200 {
            h.emit_all();
            h.sleep_until_deadline();
        }
        assert_eq!(h.end, None);
    }

    must_18_karn(at) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-3
        //= type=test
        //# TCP MUST use Karn's algorithm [KP87] for taking RTT samples.
        //= https://www.rfc-editor.org/rfc/rfc6298#section-3
        //= type=test
        //# That
        //# is, RTT samples MUST NOT be made using segments that were
        //# retransmitted (and thus for which it is ambiguous whether the reply
        //# was for the first instance of the packet or a later instance).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1
        //= type=test
        //# The RTO MUST be computed according to the algorithm in [10],
        //# including Karn's algorithm for taking RTT samples (MUST-18).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(1000);
        h.emit_all();
        h.sleep(millis(100));
        recv!(h, ".", ack: 1001);
        //= https://www.rfc-editor.org/rfc/rfc6298#section-3
        //= type=test
        //# A TCP implementation MUST take at
        //# least one RTT measurement per RTT (unless that is not possible per
        //# Karn's algorithm).
        // The handshake took no time: an eighth of 100 ms.
        assert!(h.info().srtt.abs_diff(12_500) <= 1, "{}", h.info().srtt);
        let before = (h.info().srtt, h.info().rttvar);
        h.write(1000);
        h.emit_all();
        h.sleep_until_deadline();
        h.emit_all();
        h.sleep(millis(50));
        recv!(h, ".", ack: 2001);
        assert_eq!((h.info().srtt, h.info().rttvar), before, "ambiguous");
        assert_eq!(h.info().backoff, 1, "stays until something is measured");
        h.write(1000);
        h.emit_all();
        h.sleep(millis(100));
        recv!(h, ".", ack: 3001);
        assert_eq!(h.info().backoff, 0);
    }

    timestamps_measure_retransmissions(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-4.1
        //= type=test
        //# Values of this
        //# clock MUST be at least approximately proportional to real time, in
        //# order to measure actual RTT.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        h.write(100);
        h.emit_all();
        h.sleep_until_deadline();
        let seg = h.emit();
        h.sleep(millis(80));
        recv!(h, ".", ack: 101, ts: Some((8_000, seg.ts.unwrap().0)));
        assert_eq!(h.info().backoff, 0);
        assert!(h.info().srtt >= 10_000, "{}", h.info().srtt);
    }

    an_echo_older_than_the_retransmission_is_no_round_trip(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        h.write(100);
        let original = h.emit();
        let before = (h.info().srtt, h.info().rttvar);
        // It arrived, and its acknowledgment was lost; the repetition is a duplicate to the peer.
        h.sleep_until_deadline();
        h.emit();
        h.sleep(millis(80));
        recv!(h, ".", ack: 101, ts: Some((8_000, original.ts.unwrap().0)));
        assert_eq!((h.info().srtt, h.info().rttvar), before);
    }

    the_timer_restarts_when_new_data_is_acknowledged(at) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //= type=test
        //# An implementation MUST manage the retransmission timer(s) in such a
        //# way that a segment is never retransmitted too early, i.e., less than
        //# one RTO after the previous transmission of that segment.
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //= type=test
        //# The following is the RECOMMENDED algorithm for managing the
        //# retransmission timer:
        // Where nothing is unusual, and where something is.
        for read_shut in [false, true] {
            let mut h = Host::client(Setup::with(|s| at(s)));
            if read_shut {
                h.c.shutdown_read();
            }
            h.write(2000);
            h.emit_all();
            h.sleep(millis(150));
            recv!(h, ".", ack: 1001);
            assert_eq!(h.sleep_until_deadline(), u64::from(h.info().rto));
            sends!(h, "P.", seq: 1001, len: 1000);
            recv!(h, ".", ack: 2001);
            assert_eq!(h.next(), Next::Wait(None));
        }
    }

    must_24_25_26_28_keepalive(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# Implementers MAY include "keep-alives" in their TCP implementations
        //# (MAY-5), although this practice is not universally accepted.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# If
        //# keep-alives are included, the application MUST be able to turn them
        //# on or off for each TCP connection (MUST-24), and they MUST default to
        //# off (MUST-25).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# Keep-alive packets MUST only be sent when no sent data is
        //# outstanding, and no data or acknowledgment packets have been received
        //# for the connection within an interval (MUST-26).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# This interval MUST
        //# be configurable (MUST-27) and MUST default to no less than two hours
        //# (MUST-28).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# An implementation SHOULD send a keep-alive segment with no data
        //# (SHLD-12); however, it MAY be configurable to send a keep-alive
        //# segment containing one garbage octet (MAY-6), for compatibility with
        //# erroneous TCP implementations.
        let mut h = Host::client(Setup::with(|s| at(s)));
        assert_eq!(h.next(), Next::Wait(None), "off by default");
        let t = h.setup.tunables.clone();
        assert!(t.keepalive_time >= 2 * 3_600_000);
        h.c.set_keepalive(Some(Keepalive {
            idle: millis(t.keepalive_time.into()),
            interval: millis(t.keepalive_intvl.into()),
            count: t.keepalive_probes,
        }));
        assert_eq!(h.sleep_until_deadline(), seconds(7200));
        let probe = sends!(h, ".", seq: 0, ack: 1, len: 0);
        assert_eq!(probe.kind, Some(PlanKind::KeepAlive));
        recv!(h, ".", seq: 1, ack: 1);
        h.sleep_until_deadline();
        h.quiet();
        assert!(h.sleep_until_deadline() > seconds(7000));
        sends!(h, ".", seq: 0);
        h.c.set_keepalive(None);
        assert_eq!(h.next(), Next::Wait(None));
    }

    must_29_keepalive_gives_up_only_after_several_probes(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //= type=test
        //# Consequently, if a
        //# keep-alive mechanism is implemented it MUST NOT interpret failure to
        //# respond to any specific probe as a dead connection (MUST-29).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_keepalive(Some(Keepalive { idle: seconds(10), interval: seconds(2), count: 3 }));
        h.sleep_until_deadline();
        for _ in 0..3 {
            sends!(h, ".", seq: 0, len: 0);
            assert_eq!(h.sleep_until_deadline(), seconds(2));
        }
        sends!(h, "R.", seq: 1);
        assert_eq!(h.end, Some(End::Closed(CloseReason::KeepAliveTimedOut)));
    }

    must_26_no_keepalive_while_data_is_outstanding(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_keepalive(Some(Keepalive { idle: seconds(1), interval: seconds(1), count: 2 }));
        h.quiet();
        h.write(10);
        h.emit_all();
        for _ in 0..10 {
            h.sleep(seconds(1));
            for seg in h.emit_all() {
                assert_eq!(seg.kind, Some(PlanKind::Retransmission));
            }
        }
    }

    received_data_puts_keepalive_off(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_keepalive(Some(Keepalive { idle: seconds(10), interval: seconds(1), count: 2 }));
        h.quiet();
        h.sleep(seconds(9));
        recv!(h, "P.", seq: 1, len: 1);
        h.sleep(seconds(1));
        h.emit_all();
        assert_eq!(h.sleep_until_deadline(), seconds(9));
        sends!(h, ".", seq: 0);
    }

    firing_too_early_does_nothing(at) {
        use netloom_tcp::Timer;
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.emit_all();
        let before = h.c.clone();
        for timer in [Timer::Retransmit, Timer::Persist, Timer::User, Timer::Close] {
            h.fire(timer);
        }
        assert_eq!(h.c, before);
        assert_eq!(h.state(), State::Established);
    }
}
