//! The window we offer, and probing the one we are offered.

use netloom_tcp::{CloseReason, End, PlanKind};

use crate::script::*;

conversation! {
    must_39_the_window_opens_in_steps(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
        //= type=test
        //# A TCP implementation MAY keep its offered receive window closed
        //# indefinitely (MAY-8).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.2
        //= type=test
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# receiver (MUST-39).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 4000;
        }));
        for i in 0..4 {
            recv!(h, ".", seq: 1 + i * 1000, len: 1000);
        }
        sends!(h, ".", ack: 4001, win: 0);
        h.read(500);
        h.quiet();
        h.read(499);
        h.quiet();
        h.read(1);
        sends!(h, ".", ack: 4001, win: 1000);
        h.read(3000);
        sends!(h, ".", ack: 4001, win: 4000);
        h.quiet();
    }

    half_a_small_buffer_is_a_step(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 100;
        }));
        recv!(h, ".", seq: 1, len: 100);
        h.sleep(millis(40));
        sends!(h, ".", ack: 101, win: 0);
        h.read(49);
        h.quiet();
        h.read(1);
        sends!(h, ".", ack: 101, win: 50);
    }

    shld_14_the_edge_never_moves_left(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# 1)  The receiver MUST honor, as in window, any segment that would
        //# have been in window for any <ACK> sent by the receiver.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# 2)  When window scaling is in effect, the receiver SHOULD track the
        //# actual maximum window sequence number (which is likely to be
        //# greater than the window announced by the most recent <ACK>, if
        //# more than one segment has arrived since the application consumed
        //# any data in the receive buffer).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_rcv_buf(5000);
        recv!(h, ".", seq: 1, len: 1000);
        recv!(h, ".", seq: 1001, len: 1000);
        sends!(h, ".", ack: 2001, win: 18_000);
        h.read(2000);
        h.quiet();
        recv!(h, ".", seq: 2001, len: 16_000);
        sends!(h, ".", ack: 18_001, win: 2_000);
        h.read(16_000);
        sends!(h, ".", ack: 18_001, win: 5_000);
    }

    scaled_windows_are_rounded_towards_the_promise(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# o  The Window Scale option MUST be sent with shift.cnt = R, where R
        //# is the value that the TCP would like to use for its receive
        //# window.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# o  The window field (SEG.WND) of every outgoing segment, with the
        //# exception of <SYN> segments, MUST be right-shifted by
        //# Rcv.Wind.Shift bits:
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# 1)  The receiver MUST honor, as in window, any segment that would
        //# have been in window for any <ACK> sent by the receiver.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# 2)  When window scaling is in effect, the receiver SHOULD track the
        //# actual maximum window sequence number (which is likely to be
        //# greater than the window announced by the most recent <ACK>, if
        //# more than one segment has arrived since the application consumed
        //# any data in the receive buffer).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1_000_000;
            s.peer_scale = Some(0);
        }));
        assert_eq!(h.info().rcv_wscale, Some(4));
        let mut edge = 0u64;
        let mut at = 1;
        for n in [1u32, 2, 3, 1000, 17, 999, 1460, 1460, 5] {
            recv!(h, ".", seq: at, len: n);
            at += n;
            h.sleep(millis(40));
            for seg in h.emit_all() {
                let new = u64::from(seg.ack) + (u64::from(seg.win) << 4);
                // RFC 7323 §2.4: less than one unit, once the whole buffer is promised.
                assert!(new + 15 >= edge, "{new} after {edge}");
                edge = edge.max(new);
            }
        }
    }

    scaled_windows_do_not_move_left_while_there_is_room(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1_000_000;
            s.peer_scale = Some(0);
        }));
        recv!(h, ".", seq: 1, len: 1000);
        h.read(1000);
        h.sleep(millis(40));
        let mut edge = 0;
        let mut at = 1001;
        for n in [1u32, 2, 3, 17, 5, 1, 999] {
            recv!(h, ".", seq: at, len: n);
            h.read(n);
            at += n;
            h.sleep(millis(40));
            for seg in h.emit_all() {
                let new = seg.ack + (u32::from(seg.win) << 4);
                assert!(new >= edge, "{new} after {edge}");
                edge = new;
            }
        }
    }

    s12_a_large_buffer_saturates_the_window_of_the_syn(at) {
        let mut h = Host::connecting(Setup::with(|s| {
            at(s);
            s.rx = 70_000;
        }));
        sends!(h, "S", seq: 0, win: 0xffff, ws: Some(1));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
    //= type=test
    //# Probing of zero (offered) windows MUST be supported (MUST-36).
    must_36_shld_29_30_zero_window_probes(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
        //= type=test
        //# The transmitting host SHOULD send the first zero-window probe when a
        //# zero window has existed for the retransmission timeout period (SHLD-
        //# 29) (Section 3.8.1), and SHOULD increase exponentially the interval
        //# between successive probes (SHLD-30).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 1000;
        }));
        h.write(3000);
        sends!(h, ".", seq: 1, len: 1000);
        h.sleep(millis(10));
        recv!(h, ".", ack: 1001, win: 0);
        let rto = u64::from(h.info().rto);
        assert_eq!(h.sleep_until_deadline(), rto);
        let probe = sends!(h, ".", seq: 1001, len: 1);
        assert_eq!(probe.kind, Some(PlanKind::WindowProbe));
        for i in 1..4 {
            recv!(h, ".", ack: 1001, win: 0);
            assert_eq!(h.sleep_until_deadline(), rto << i);
            sends!(h, ".", seq: 1001, len: 1);
        }
        // The window opens.
        recv!(h, ".", ack: 1001, win: 1000);
        sends!(h, ".", seq: 1001, len: 1000);
    }

    a_probe_that_was_taken_counts_as_sent(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 1000;
        }));
        h.write(3000);
        sends!(h, ".", seq: 1, len: 1000);
        recv!(h, ".", ack: 1001, win: 0);
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1001, len: 1);
        recv!(h, ".", ack: 1002, win: 1000);
        sends!(h, ".", seq: 1002, len: 1000);
        // More than the probe was not taken.
        let out = recv!(h, ".", ack: 2003, win: 1000);
        assert_eq!(out.discard, Some(netloom_tcp::Discard::BadAck));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
    //= type=test
    //# As long as the receiving TCP peer continues to
    //# send acknowledgments in response to the probe segments, the sending
    //# TCP peer MUST allow the connection to stay open (MUST-37).
    must_37_a_closed_window_may_stay_closed(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(1000);
        h.emit_all();
        recv!(h, ".", ack: 1001, win: 0);
        h.write(1000);
        for _ in 0..500 {
            h.sleep_until_deadline();
            sends!(h, ".", seq: 1001, len: 1);
            recv!(h, ".", ack: 1001, win: 0);
        }
        assert_eq!(h.end, None);
        // Silence is another thing.
        while h.end.is_none() {
            h.sleep_until_deadline();
            h.emit_all();
        }
        assert_eq!(h.end, Some(End::Closed(CloseReason::RetransmissionTimedOut)));
    }

    must_35_a_window_closed_over_data_in_flight_is_probed(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //= type=test
        //# The sender MAY also
        //# retransmit old data beyond SND.UNA+SND.WND (MAY-7), but SHOULD NOT
        //# time out the connection if data beyond the right window edge is not
        //# acknowledged (SHLD-17).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //= type=test
        //# If the window shrinks to zero, the TCP
        //# implementation MUST probe it in the standard way (described below)
        //# (MUST-35).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(3000);
        h.emit_all();
        recv!(h, ".", ack: 1001, win: 0);
        let cwnd = h.info().cwnd;
        for _ in 0..3 {
            h.sleep_until_deadline();
            sends!(h, ".", seq: 1001, len: 1);
            recv!(h, ".", ack: 1001, win: 0);
        }
        assert_eq!(h.info().cwnd, cwnd, "no congestion is known");
        recv!(h, ".", ack: 1001, win: 10_000);
        sends!(h, ".", seq: 1001, len: 1000);
        sends!(h, "P.", seq: 2001, len: 1000);
    }

    a_write_starts_the_persist_timer(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 0;
        }));
        h.quiet();
        h.write(10);
        h.quiet();
        assert_eq!(h.sleep_until_deadline(), u64::from(h.info().rto));
        sends!(h, ".", seq: 1, len: 1);
    }
}

// A retransmission that acknowledges more than the segment before it brings its window too: else
// the window of that segment would count from the new acknowledgment, and reach too far.
conversation! {
    a_retransmission_that_acknowledges_more_brings_its_window(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 2000;
        }));
        // The peer's first segment is lost, its second one says: 2000.
        recv!(h, ".", seq: 101, len: 100, win: 2000);
        sends!(h, ".", ack: 1);
        h.write(4000);
        sends!(h, ".", seq: 1, len: 1000);
        sends!(h, ".", seq: 1001, len: 1000);
        h.quiet();
        // The first one again, when the peer has taken all and its user has read nothing.
        recv!(h, ".", seq: 1, len: 100, ack: 2001, win: 0);
        sends!(h, ".", seq: 2001, ack: 201, len: 0);
        h.quiet();
    }

    what_may_be_sent_needs_no_timer(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(20_000);
        h.emit_all();
        // Nothing is in flight any more, and the window is open for the rest.
        recv!(h, ".", ack: 10_001);
        assert_eq!(h.deadline(), None);
        sends!(h, ".", seq: 10_001);
    }

    a_window_that_opens_ends_the_persist_timer(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_user_timeout(Some(seconds(5)));
        recv!(h, ".", win: 0);
        h.write(500);
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1, len: 1, kind: Some(PlanKind::WindowProbe));
        recv!(h, ".", win: 400);
        assert!(h.deadline().is_some(), "less than was written");
        recv!(h, ".", win: 600);
        // The device may be blocked for as long as it likes: nothing waits for the peer.
        assert_eq!(h.deadline(), None);
        h.sleep(seconds(60));
        sends!(h, "P.", seq: 1, len: 500);
        assert_eq!(h.end, None);
    }
}
