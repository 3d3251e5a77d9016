//! Closing (RFC 9293 §3.6).

use netloom_driver::Instant;
use netloom_tcp::{
    CloseReason, CongestionControl, Discard, End, Env, News, Reply, SeqNum, State, TimeWaitState,
    time_wait,
};

use crate::script::*;

fn ended_in_time_wait(h: &Host) -> TimeWaitState {
    match h.end {
        Some(End::TimeWait(state)) => state,
        other => panic!("ended as {other:?}"),
    }
}

fn tw_receive(h: &Host, state: &mut TimeWaitState, seg: &Seg) -> time_wait::Disposition {
    let env = Env::at(Instant::from_micros(h.now), &h.setup.tunables);
    h.build(seg, |segment| state.receive(&env, segment, 0x1000))
}

fn answered(disposition: &time_wait::Disposition) -> Option<(Reply, bool)> {
    match *disposition {
        time_wait::Disposition::Ack { reply, restart } => Some((reply, restart)),
        time_wait::Disposition::Drop(_) | time_wait::Disposition::Reopen { .. } => None,
    }
}

conversation! {
    figure_12_active_closer(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        assert_eq!(h.state(), State::FinWait1);
        sends!(h, "F.", seq: 1, ack: 1);
        recv!(h, ".", seq: 1, ack: 2);
        assert_eq!(h.state(), State::FinWait2);
        assert!(h.news.contains(News::SEND_FINISHED));
        recv!(h, "F.", seq: 1, ack: 2);
        assert_eq!(h.end, None, "the acknowledgment is still owed");
        sends!(h, ".", seq: 2, ack: 2);
        let state = ended_in_time_wait(&h);
        assert_eq!(state.snd_nxt(), SeqNum(h.setup.iss) + 2);
        assert_eq!(state.rcv_nxt(), SeqNum(h.setup.irs) + 2);
        assert_eq!(h.c.close_reason(), Some(CloseReason::Finished));
        h.quiet();
    }

    figure_12_passive_closer(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "F.", seq: 1, ack: 1);
        assert!(h.last.peer_finished() && h.c.peer_finished());
        assert_eq!(h.state(), State::CloseWait);
        sends!(h, ".", seq: 1, ack: 2);
        h.close();
        assert_eq!(h.state(), State::LastAck);
        sends!(h, "F.", seq: 1, ack: 2);
        recv!(h, ".", seq: 2, ack: 2);
        assert_eq!(h.end, Some(End::Closed(CloseReason::Finished)));
    }

    figure_13_simultaneous_close(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1, ack: 1);
        recv!(h, "F.", seq: 1, ack: 1);
        assert_eq!(h.state(), State::Closing);
        sends!(h, ".", seq: 2, ack: 2);
        assert_eq!(h.end, None);
        recv!(h, ".", seq: 2, ack: 2);
        ended_in_time_wait(&h);
    }

    fin_and_ack_of_fin_in_one(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1, ack: 1);
        recv!(h, "F.", seq: 1, ack: 2);
        sends!(h, ".", seq: 2, ack: 2);
        ended_in_time_wait(&h);
    }

    half_close_our_side(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.c.shutdown_write();
        assert!(!h.c.can_write());
        sends!(h, "FP.", seq: 1, ack: 1, len: 10);
        recv!(h, ".", seq: 1, ack: 12);
        assert_eq!(h.state(), State::FinWait2);
        for i in 0..5 {
            recv!(h, "P.", seq: 1 + i * 100, ack: 12, len: 100);
            h.read(100);
        }
        h.sleep(millis(40));
        sends!(h, ".", seq: 12, ack: 501);
        recv!(h, "F.", seq: 501, ack: 12);
        assert!(h.c.peer_finished());
        sends!(h, ".", seq: 12, ack: 502);
        ended_in_time_wait(&h);
    }

    half_close_their_side(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "FP.", seq: 1, ack: 1, len: 10);
        assert!(!h.c.peer_finished(), "not before everything is read");
        h.read(10);
        assert!(h.c.peer_finished());
        sends!(h, ".", seq: 1, ack: 12);
        h.write(2000);
        sends!(h, ".", seq: 1, ack: 12, len: 1000);
        sends!(h, "P.", seq: 1001, ack: 12, len: 1000);
        recv!(h, ".", seq: 12, ack: 2001);
        assert_eq!(h.state(), State::CloseWait);
    }

    lost_fin_is_sent_again(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.shutdown_write();
        sends!(h, "F.", seq: 1);
        h.sleep_until_deadline();
        sends!(h, "F.", seq: 1, ack: 1);
        h.sleep_until_deadline();
        sends!(h, "F.", seq: 1, ack: 1);
        recv!(h, ".", seq: 1, ack: 2);
        assert_eq!(h.state(), State::FinWait2);
        h.quiet();
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
    //= type=test
    //# If such a host issues a CLOSE call while received data is still
    //# pending in the TCP connection, or if new data is received after CLOSE
    //# is called, its TCP implementation SHOULD send a RST to show that data
    //# was lost (SHLD-3).
    shld_3_close_with_unread_data_resets(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, ack: 1, len: 10);
        h.close();
        sends!(h, "R.", seq: 1, ack: 11);
        assert_eq!(h.end, Some(End::Closed(CloseReason::ClosedWithUnreadData)));
        h.quiet();
    }

    shld_3_data_after_close_resets(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
        //= type=test
        //# A host MAY implement a "half-duplex" TCP close sequence, so that an
        //# application that has called CLOSE cannot continue to read data from
        //# the connection (MAY-1).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1);
        recv!(h, ".", seq: 1, ack: 2);
        recv!(h, "P.", seq: 1, ack: 2, len: 10);
        sends!(h, "R.", seq: 2);
        assert_eq!(h.end, Some(End::Closed(CloseReason::DataAfterClose)));
    }

    read_shutdown_discards(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, ack: 1, len: 10);
        h.c.shutdown_read();
        assert_eq!(h.c.readable_bytes(), 0);
        let out = recv!(h, "P.", seq: 11, ack: 1, len: 1000);
        assert_eq!(out.discard, Some(Discard::ReadShutDown));
        sends!(h, ".", ack: 1011, win: 20_000);
        recv!(h, "F.", seq: 1011, ack: 1);
        assert_eq!(h.state(), State::CloseWait);
    }

    fin_wait_2_of_an_orphan_is_bounded(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1);
        recv!(h, ".", seq: 1, ack: 2);
        assert_eq!(h.sleep_until_deadline(), seconds(60));
        h.quiet();
        assert_eq!(h.end, Some(End::Closed(CloseReason::FinWait2TimedOut)));
        // With its user there, it waits for ever.
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.shutdown_write();
        sends!(h, "F.", seq: 1);
        recv!(h, ".", seq: 1, ack: 2);
        assert_eq!(h.next(), netloom_tcp::Next::Wait(None));
    }

    half_closed_timeout_counts_silence(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.tunables.half_closed_timeout = 100_000;
        }));
        recv!(h, "F.", seq: 1, ack: 1);
        sends!(h, ".", ack: 2);
        h.sleep(seconds(60));
        recv!(h, ".", seq: 2, ack: 1, win: 50_000);
        assert_eq!(h.sleep_until_deadline(), seconds(40));
        assert_eq!(h.sleep_until_deadline(), seconds(60));
        sends!(h, "R.", seq: 1);
        assert_eq!(h.end, Some(End::Closed(CloseReason::HalfClosedTimedOut)));
    }

    linger(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_linger(Some(0));
        h.write(10);
        h.close();
        sends!(h, "R.", seq: 1);
        assert_eq!(h.end, Some(End::Closed(CloseReason::Aborted)));

        let mut h = Host::client(Setup::with(|s| at(s)));
        h.c.set_linger(Some(millis(150)));
        h.write(10);
        h.close();
        sends!(h, "FP.", seq: 1, len: 10);
        assert_eq!(h.sleep_until_deadline(), millis(150));
        sends!(h, "R.", seq: 12);
        assert_eq!(h.end, Some(End::Closed(CloseReason::LingerTimedOut)));
    }

    abort_in_every_state(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(5000);
        let _ = h.c.abort();
        // A device that is full: nothing happened yet.
        let plan = h.plan();
        assert_eq!(h.plan(), plan);
        sends!(h, "R.", seq: 1, ack: 1, len: 0);
        assert_eq!(h.end, Some(End::Closed(CloseReason::Aborted)));

        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1);
        recv!(h, "F.", seq: 1, ack: 1);
        let out = h.c.abort();
        assert!(out.ended());
        assert_eq!(h.c.ended(), Some(End::Closed(CloseReason::Aborted)));
        h.quiet();
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6
    //= type=test
    //# If the local TCP connection is closed by the
    //# remote side due to a FIN or RST received from the remote side, then
    //# the local application MUST be informed whether it closed normally or
    //# was aborted (MUST-12).
    must_12_fin_and_rst_are_told_apart(at) {
        let mut fin = Host::client(Setup::with(|s| at(s)));
        recv!(fin, "F.", seq: 1, ack: 1);
        assert_eq!((fin.c.peer_finished(), fin.c.close_reason()), (true, None));
        let mut rst = Host::client(Setup::with(|s| at(s)));
        recv!(rst, "R", seq: 1);
        assert_eq!(
            (rst.c.peer_finished(), rst.c.close_reason()),
            (false, Some(CloseReason::PeerReset))
        );
    }

    who_has_closed_is_told(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        assert_eq!((h.c.peer_closed(), h.c.is_orphan()), (false, false));
        recv!(h, "F.", seq: 1, ack: 1);
        assert_eq!((h.c.peer_closed(), h.c.is_orphan()), (true, false));
        h.close();
        assert_eq!((h.c.peer_closed(), h.c.is_orphan()), (true, true));
    }

    congestion_control_is_chosen_by_name(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let reno = CongestionControl::from_name("reno").unwrap();
        h.c.set_congestion(reno);
        assert_eq!(h.c.settings().congestion, reno);
        let unknown = CongestionControl::from_name("no such algorithm").unwrap_err().to_string();
        for name in CongestionControl::NAMES {
            assert!(unknown.contains(name), "{unknown}");
        }
    }

    shld_2_a_reset_may_carry_text(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5.3
        //= type=test
        //# TCP implementations SHOULD allow a received RST segment to include
        //# data (SHLD-2).
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "R.", seq: 1, ack: 1, len: 20);
        assert_eq!(h.c.close_reason(), Some(CloseReason::PeerReset));
        assert_eq!(h.c.readable_bytes(), 0, "it tells of the reset, and is no data");
        h.quiet();
    }

    unread_data_survives_the_end(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "P.", seq: 1, ack: 1, len: 10);
        recv!(h, "R", seq: 11);
        assert_eq!(h.state(), State::Closed);
        h.read(10);
    }

    time_wait_answers(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
        //= type=test
        //# However, it MAY accept a new SYN from the remote TCP endpoint to
        //# reopen the connection directly from TIME-WAIT state (MAY-2), if it:
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.close();
        sends!(h, "F.", seq: 1);
        recv!(h, "F.", seq: 1, ack: 2);
        sends!(h, ".", seq: 2, ack: 2);
        let mut state = ended_in_time_wait(&h);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# The only thing that can arrive in this state is a
        //# retransmission of the remote FIN.  Acknowledge it, and
        //# restart the 2 MSL timeout.
        let fin = Seg { flags: "F.".into(), seq: 1, ack: 2, ..Seg::default() };
        let (reply, restart) = answered(&tw_receive(&h, &mut state, &fin)).unwrap();
        let reply = h.describe_reply(&reply);
        assert_eq!((reply.flags.as_str(), reply.seq, reply.ack, restart), (".", 2, 2, true));
        // RFC 1337: a RST does not end it.
        let rst = Seg { flags: "R".into(), seq: 2, ..Seg::default() };
        assert_eq!(
            tw_receive(&h, &mut state, &rst),
            time_wait::Disposition::Drop(Discard::BadRst)
        );
        // Old data is answered, and does not restart the timer.
        let old = Seg { flags: "P.".into(), seq: 1, ack: 2, len: 1, ..Seg::default() };
        assert_eq!(answered(&tw_receive(&h, &mut state, &old)).map(|a| a.1), Some(false));
        // A SYN beyond what was used reopens; an old one is answered.
        let syn = Seg { seq: 3, ..h.peer_syn() };
        assert!(matches!(tw_receive(&h, &mut state, &syn), time_wait::Disposition::Reopen { .. }));
        let syn = Seg { seq: 2, ..h.peer_syn() };
        h.now += seconds(1);
        assert_eq!(answered(&tw_receive(&h, &mut state, &syn)).map(|a| a.1), Some(false));
        // The answers to segments without data are limited.
        assert_eq!(
            tw_receive(&h, &mut state, &syn),
            time_wait::Disposition::Drop(Discard::ChallengedSyn)
        );
    }

    time_wait_reopens_by_timestamp(at) {
        //= https://www.rfc-editor.org/rfc/rfc6191#section-2
        //= type=test
        //# Processing of SYN segments received for connections in the TIME-WAIT
        //# state SHOULD occur as follows:
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
        //= type=test
        //# This algorithm for reducing TIME-WAIT is a Best
        //# Current Practice that SHOULD be implemented since Timestamp Options
        //# are commonly used, and using them to reduce TIME-WAIT provides
        //# benefits for busy Internet servers (SHLD-4).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_ts = true;
        }));
        h.close();
        sends!(h, "F.", seq: 1);
        recv!(h, "F.", seq: 1, ack: 2, ts: Some((7_500, 0)));
        sends!(h, ".", seq: 2, ack: 2);
        let mut state = ended_in_time_wait(&h);
        let reopens = |state: &mut TimeWaitState, seq: u32, value: u32| {
            let syn = Seg { seq, ts: Some((value, 0)), ..h.peer_syn() };
            matches!(tw_receive(&h, state, &syn), time_wait::Disposition::Reopen { .. })
        };
        // RFC 6191 §2.
        assert!(reopens(&mut state, 0, 7_501), "a later timestamp, whatever the sequence number");
        assert!(reopens(&mut state, 100, 7_500), "the same timestamp, a later sequence number");
        assert!(!reopens(&mut state, 0, 7_500));
        assert!(!reopens(&mut state, 100, 7_499), "an earlier timestamp");
    }

    fin_of_a_peer_with_our_queue_unsent(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 1000;
        }));
        h.write(1500);
        h.c.shutdown_write();
        sends!(h, ".", seq: 1, len: 1000);
        recv!(h, "F.", seq: 1, ack: 1001, win: 0);
        assert_eq!(h.state(), State::Closing);
        sends!(h, ".", seq: 1001, ack: 2);
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1001, len: 1);
        recv!(h, ".", seq: 2, ack: 1001, win: 1000);
        sends!(h, "FP.", seq: 1001, len: 500);
        recv!(h, ".", seq: 2, ack: 1502, win: 1000);
        ended_in_time_wait(&h);
    }
}
