//! Faults of the systems behind this project.

use netloom_tcp::{CloseReason, Discard, End, Next, State, closed, listen, syn_received};

use crate::script::*;

conversation! {
    m01_rst_needs_the_exact_sequence_number(at) {
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# Instead, implementations SHOULD implement the following steps in
        //# place of those specified in [RFC0793] (as listed above).
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# 2) If the RST bit is set and the sequence number exactly matches the
        //# next expected sequence number (RCV.NXT), then TCP MUST reset the
        //# connection.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# 3) If the RST bit is set and the sequence number does not exactly
        //# match the next expected sequence value, yet is within the current
        //# receive window (RCV.NXT < SEG.SEQ < RCV.NXT+RCV.WND), TCP MUST
        //# send an acknowledgment (challenge ACK):
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# After sending the challenge ACK, TCP MUST drop the unacceptable
        //# segment and stop processing the incoming packet further.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# In all other cases, where
        //# the SEQ-field does not match and is outside the window, the receiver
        //# MUST silently discard the segment.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# After sending the challenge ACK, TCP endpoints MUST drop
        //# the unacceptable segment and stop processing the incoming
        //# packet further.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# If the RST bit is set and the sequence number does not
        //# exactly match the next expected sequence value, yet is
        //# within the current receive window, TCP endpoints MUST send
        //# an acknowledgment (challenge ACK):
        let mut h = Host::client(Setup::with(|s| at(s)));
        let out = recv!(h, "R", seq: 2);
        assert_eq!(out.discard, Some(Discard::ChallengedRst));
        sends!(h, ".", seq: 1, ack: 1);
        let out = recv!(h, "R", seq: 30_000);
        assert_eq!(out.discard, Some(Discard::BadRst));
        h.quiet();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# If the RST bit is set and the sequence number exactly
        //# matches the next expected sequence number (RCV.NXT), then
        //# TCP endpoints MUST reset the connection in the manner
        //# prescribed below according to the connection state.
        recv!(h, "R", seq: 1);
        assert_eq!(h.end, Some(End::Closed(CloseReason::PeerReset)));
    }

    m02_old_and_future_acks(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(3000);
        h.emit_all();
        recv!(h, ".", ack: 2001);
        recv!(h, ".", ack: 1);
        assert_eq!(h.info().unacked, 1000);
        let out = recv!(h, ".", ack: 3002);
        assert_eq!(out.discard, Some(Discard::BadAck));
        sends!(h, ".", ack: 1);
    }

    m03_fin_only_in_order_and_once(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "F.", seq: 11);
        assert_eq!(h.state(), State::Established);
        recv!(h, ".", seq: 1, len: 10);
        assert_eq!(h.state(), State::CloseWait);
        h.emit_all();
        recv!(h, "F.", seq: 11);
        assert_eq!(h.info().rcv_nxt.0.wrapping_sub(h.setup.irs), 12);
    }

    m04_overlapping_segments_are_trimmed(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, ".", seq: 1, len: 10);
        recv!(h, ".", seq: 6, len: 10);
        h.read(15);
    }

    m07_old_segments_do_not_move_the_window(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, len: 10, win: 5000);
        recv!(h, "P.", seq: 11, len: 10, win: 9000);
        recv!(h, ".", seq: 15, len: 16, win: 7000);
        recv!(h, ".", seq: 20, len: 16, win: 9000);
        recv!(h, "P.", seq: 16, len: 30, win: 100);
        assert_eq!(h.info().snd_wnd, 9000);
    }

    m08_s22_reset_for_a_segment_without_connection(at) {
        let h = Host::connecting(Setup::with(|s| at(s)));
        let reset = |seg: Seg| h.build(&seg, closed::reset_for).map(|r| h.describe_reply(&r.into()));
        let r = reset(Seg { flags: "P.".into(), seq: 7, ack: 9, len: 5, ..Seg::default() }).unwrap();
        assert_eq!((r.flags.as_str(), r.seq), ("R", 9));
        let raw = |seg: Seg| h.build(&seg, closed::reset_for).unwrap();
        let r = raw(Seg { flags: "FP".into(), seq: 7, len: 5, ..Seg::default() });
        assert_eq!((r.seq.0, r.ack.0), (0, h.setup.irs.wrapping_add(13)));
        assert_eq!(r.flags, flags("R."));
        let r = raw(Seg { flags: "S".into(), seq: 0, ..Seg::default() });
        assert_eq!(r.ack.0, h.setup.irs.wrapping_add(1));
        assert_eq!(reset(Seg { flags: "R.".into(), ..Seg::default() }), None);
    }

    m09_s15_a_zero_window_is_probed(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 0;
        }));
        h.write(10);
        h.quiet();
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1, len: 1);
    }

    m10_fin_closes_one_direction(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "F.", seq: 1);
        h.write(10);
        sends!(h, "P.", seq: 1, ack: 2, len: 10);
    }

    s01_fin_wait_1_ignores_ack_of_data(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(100);
        sends!(h, "P.", seq: 1, len: 100);
        h.close();
        sends!(h, "F.", seq: 101);
        recv!(h, ".", ack: 101);
        assert_eq!(h.state(), State::FinWait1);
        recv!(h, ".", ack: 102);
        assert_eq!(h.state(), State::FinWait2);
    }

    s02_closing_waits_for_the_ack_of_fin(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(100);
        h.emit_all();
        h.close();
        sends!(h, "F.", seq: 101);
        recv!(h, "F.", seq: 1, ack: 1);
        assert_eq!(h.state(), State::Closing);
        sends!(h, ".", ack: 2);
        recv!(h, ".", seq: 2, ack: 101);
        assert_eq!((h.state(), h.end), (State::Closing, None));
        recv!(h, ".", seq: 2, ack: 102);
        assert!(matches!(h.end, Some(End::TimeWait(_))));
    }

    s04_an_unacceptable_segment_is_answered_and_harmless(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# If an incoming segment is not acceptable, an acknowledgment
        //# should be sent in reply (unless the RST bit is set, if so
        //# drop the segment and return):
        let mut h = Host::client(Setup::with(|s| at(s)));
        let before = h.info();
        recv!(h, "P.", seq: 50_000, len: 10);
        sends!(h, ".", seq: 1, ack: 1, len: 0);
        assert_eq!(h.info(), before);
        recv!(h, "P.", seq: 1, len: 10);
        h.read(10);
    }

    s06_rst_returns_a_syn_entry_to_listen(at) {
        let h = Host::connecting(Setup::with(|s| at(s)));
        let mut entry = h.half_open();
        let rst = Seg { flags: "R".into(), seq: 1, ..Seg::default() };
        assert_eq!(h.entry_receive(&mut entry, &rst), syn_received::Disposition::Gone);
    }

    s07_fin_wait_2_takes_data_and_acks(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.shutdown_write();
        sends!(h, "F.", seq: 1);
        recv!(h, ".", ack: 2);
        recv!(h, "P.", seq: 1001, ack: 2, len: 1000);
        sends!(h, ".", seq: 2, ack: 1);
        recv!(h, "P.", seq: 1, ack: 2, len: 1000);
        h.read(2000);
        assert_eq!(h.state(), State::FinWait2);
    }

    s08_syn_on_an_established_connection(at) {
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //= type=test
        //# Instead, the handling of the SYN in the synchronized state SHOULD be
        //# performed as follows:
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //= type=test
        //# After sending the acknowledgment, TCP MUST drop the unacceptable
        //# segment and stop processing further.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# RFC 5961 recommends that in
        //# these synchronized states, if the SYN bit is set,
        //# irrespective of the sequence number, TCP endpoints MUST send
        //# a "challenge ACK" to the remote peer:
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# After sending the acknowledgment, TCP implementations MUST
        //# drop the unacceptable segment and stop processing further.
        let mut h = Host::client(Setup::with(|s| at(s)));
        let out = recv!(h, "S", seq: 0, mss: Some(500));
        assert_eq!(out.discard, Some(Discard::ChallengedSyn));
        sends!(h, ".", seq: 1, ack: 1);
        recv!(h, "S", seq: 0);
        h.quiet();
        assert_eq!(h.state(), State::Established);
    }

    s09_a_lost_tail_is_sent_again(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(1500);
        h.emit_all();
        recv!(h, ".", ack: 1001);
        h.sleep_until_deadline();
        sends!(h, "P.", seq: 1001, len: 500);
    }

    s10_a_lost_syn_is_sent_again(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        assert_eq!(h.sleep_until_deadline(), seconds(1));
        sends!(h, "S", seq: 0);
    }

    s11_data_is_sent_again_after_close(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(500);
        h.close();
        sends!(h, "FP.", seq: 1, len: 500);
        h.sleep_until_deadline();
        sends!(h, "FP.", seq: 1, len: 500);
        recv!(h, ".", ack: 502);
        assert_eq!(h.state(), State::FinWait2);
    }

    s13_close_sends_what_was_written(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(25_000);
        h.close();
        let mut una = 1;
        while h.state() == State::FinWait1 {
            for seg in h.emit_all() {
                una = seg.seq + seg.len + u32::from(seg.flags.contains('F'));
            }
            recv!(h, ".", ack: una);
        }
        assert_eq!(una, 25_002);
    }

    s15_reading_tells_the_peer(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 2000;
        }));
        recv!(h, ".", seq: 1, len: 2000);
        sends!(h, ".", ack: 2001, win: 0);
        h.read(2000);
        sends!(h, ".", ack: 2001, win: 2000);
    }

    s16_an_ecn_syn_is_a_syn(at) {
        let h = Host::connecting(Setup::with(|s| at(s)));
        let syn = Seg { flags: "SEW".into(), ..h.peer_syn() };
        match h.build(&syn, listen::receive) {
            listen::Disposition::Syn(offer) => assert!(offer.ecn),
            other => panic!("{other:?}"),
        }
        for (bad, why) in [("SF", Discard::BadFlags), ("SR", Discard::BadRst)] {
            let seg = Seg { flags: bad.into(), ..h.peer_syn() };
            assert_eq!(h.build(&seg, listen::receive), listen::Disposition::Drop(why));
        }
    }

    s17_keepalives_of_the_peer_are_answered(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, len: 10);
        h.sleep(millis(40));
        sends!(h, ".", ack: 11);
        for len in [0, 1] {
            for _ in 0..3 {
                h.sleep(seconds(75));
                recv!(h, ".", seq: 10, len: len);
                sends!(h, ".", seq: 1, ack: 11, len: 0);
                h.quiet();
            }
        }
    }

    s18_last_ack_waits_for_the_ack_of_fin(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "F.", seq: 1);
        h.write(100);
        h.close();
        sends!(h, "FP.", seq: 1, len: 100);
        recv!(h, ".", seq: 2, ack: 1);
        recv!(h, ".", seq: 2, ack: 101);
        assert_eq!((h.state(), h.end), (State::LastAck, None));
        recv!(h, ".", seq: 2, ack: 102);
        assert_eq!(h.end, Some(End::Closed(CloseReason::Finished)));
    }

    s19_data_and_fin_with_the_ack_of_the_handshake(at) {
        let setup = Setup::with(|s| at(s));
        let mut h = Host::connecting(setup);
        let entry = h.half_open();
        let params = h.params();
        h.c = with!(&mut h, |_c, env, _io| {
            netloom_tcp::Connection::from_half_open(&params, &entry, &env)
        });
        recv!(h, "FP.", seq: 1, ack: 1, len: 10);
        assert!(h.last.established() && h.last.readable() && h.last.peer_finished());
        assert_eq!(h.state(), State::CloseWait);
        h.read(10);
        sends!(h, ".", seq: 1, ack: 12);
    }

    deadlines_are_reported_where_they_are_decided(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.emit_all();
        let at = with!(&mut h, |c, env, _io| c.deadline(&env));
        assert_eq!(h.next(), Next::Wait(at));
    }
}
