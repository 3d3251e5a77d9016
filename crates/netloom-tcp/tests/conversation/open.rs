//! Opening, and what can go wrong with it (RFC 9293 §3.5).

use netloom_tcp::{
    CloseReason, Connection, Discard, End, HalfOpen, IcmpError, SeqNum, State, listen, syn_received,
};

use crate::script::*;

conversation! {
    figure_6_active_side(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //= type=test
        //# Thus, a TCP that is prepared to scale windows SHOULD send the option,
        //# even if its own scale factor is 1 and the exponent 0.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# If
        //# the ACK bit is not set in the outgoing TCP header, the sender of that
        //# segment SHOULD set the TSecr field to zero.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        assert_eq!(h.state(), State::SynSent);
        sends!(h, "S", seq: 0, mss: Some(1000), win: 20_000, sackok: true, ws: Some(0));
        h.quiet();
        recv!(h, "S.", seq: 0, ack: 1, mss: Some(1000));
        assert_eq!(h.state(), State::Established);
        assert!(h.last.established());
        sends!(h, ".", seq: 1, ack: 1, len: 0);
        h.quiet();
        h.write(10);
        sends!(h, "P.", seq: 1, ack: 1, len: 10);
    }

    figure_6_passive_side(at) {
        let mut h = Host::server(Setup::with(|s| at(s)));
        h.quiet();
        recv!(h, "P.", seq: 1, ack: 1, len: 10);
        h.read(10);
    }

    data_may_ride_on_the_last_ack_of_the_handshake(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
        //= type=test
        //# Data or controls that were queued for
        //# transmission MAY be included.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.write(100);
        h.quiet();
        recv!(h, "S.", seq: 0, ack: 1, mss: Some(1000));
        sends!(h, "P.", seq: 1, ack: 1, len: 100);
        h.quiet();
    }

    data_with_the_syn_ack_is_taken(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.recv(Seg { len: 5, flags: "SP.".into(), ack: 1, ..h.peer_syn() });
        // The script's octets are numbered from the SYN.
        assert_eq!(h.c.readable_bytes(), 5);
        sends!(h, ".", seq: 1, ack: 6);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5
    //= type=test
    //# A TCP implementation MUST support simultaneous open attempts (MUST-
    //# 10).
    must_10_figure_7_simultaneous_open(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.recv(h.peer_syn());
        assert_eq!(h.state(), State::SynReceived);
        sends!(h, "S.", seq: 0, ack: 1, mss: Some(1000));
        h.recv(Seg { flags: "S.".into(), ack: 1, ..h.peer_syn() });
        assert_eq!(h.state(), State::Established);
        h.quiet();
        recv!(h, "P.", seq: 1, ack: 1, len: 10);
        h.read(10);
    }

    must_10_simultaneous_open_repeats_its_syn_ack(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.recv(h.peer_syn());
        sends!(h, "S.", seq: 0, ack: 1);
        h.recv(h.peer_syn());
        sends!(h, "S.", seq: 0, ack: 1);
        h.sleep(seconds(1));
        sends!(h, "S.", seq: 0, ack: 1);
        recv!(h, ".", seq: 1, ack: 1);
        assert_eq!(h.state(), State::Established);
    }

    a_syn_ack_that_was_not_sent_yet_is_not_sent_once_the_connection_is_open(at) {
        // The device was full. What came with the acknowledgment of our SYN takes room meanwhile.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.recv(h.peer_syn());
        assert_eq!(h.state(), State::SynReceived);
        recv!(h, "P.", seq: 1, ack: 1, len: 1000);
        assert_eq!(h.state(), State::Established);
        h.quiet();
        h.sleep(seconds(1));
        sends!(h, ".", seq: 1, ack: 1001, win: 19_000);
        h.quiet();
    }

    figure_8_old_duplicate_syn(at) {
        // The listener's side: a SYN that is old, its SYN-ACK refused by RST, then the new SYN.
        let h = Host::connecting(Setup::with(|s| at(s)));
        let mut entry = h.half_open();
        let reset = Seg { flags: "R".into(), seq: 1, ..Seg::default() };
        assert_eq!(h.entry_receive(&mut entry, &reset), syn_received::Disposition::Gone);
        // The connecting side: an acknowledgment of something else is answered by RST.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        let out = h.recv(Seg { flags: "S.".into(), ack: 91, ..h.peer_syn() });
        let reply = h.describe_reply(&out.reset.unwrap().into());
        assert_eq!((reply.flags.as_str(), reply.seq), ("R", 91));
        assert_eq!(h.state(), State::SynSent);
        h.recv(Seg { flags: "S.".into(), ack: 1, ..h.peer_syn() });
        assert_eq!(h.state(), State::Established);
    }

    figure_9_half_open_discovery(at) {
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //= type=test
        //# Upon receipt of a valid RST, the local TCP
        //# endpoint MUST terminate its connection.
        // A crashed, B is established: B answers the SYN with its numbers, A resets it.
        let mut b = Host::client(Setup::with(|s| at(s)));
        let out = recv!(b, "S", seq: 400, ack: 0);
        assert_eq!(out.discard, Some(Discard::ChallengedSyn));
        sends!(b, ".", seq: 1, ack: 1);
        recv!(b, "R", seq: 1);
        assert_eq!(b.end, Some(End::Closed(CloseReason::PeerReset)));
        let mut a = Host::connecting(Setup::with(|s| at(s)));
        sends!(a, "S", seq: 0);
        let out = recv!(a, ".", seq: 300, ack: 100);
        let reset = a.describe_reply(&out.reset.unwrap().into());
        assert_eq!((reset.flags.as_str(), reset.seq), ("R", 100));
        assert_eq!(a.state(), State::SynSent);
        h_repeats_its_syn(&mut a);
    }

    what_a_syn_echoes_is_ignored(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //= type=test
        //# When the ACK bit is not set, the receiver MUST ignore the value of
        //# the TSecr field.
        let h = Host::connecting(Setup::with(|s| at(s)));
        let of = |echo| {
            let syn = Seg { ts: Some((7_000, echo)), ..h.peer_syn() };
            h.build(&syn, listen::receive)
        };
        assert!(matches!(of(0), listen::Disposition::Syn(_)));
        assert_eq!(of(0), of(0x1234_5678));
    }

    figure_11_old_duplicate_syn_on_two_passive_sockets(at) {
        let h = Host::connecting(Setup::with(|s| at(s)));
        let syn_ack = Seg { flags: "S.".into(), ack: 1, ..h.peer_syn() };
        match h.build(&syn_ack, listen::receive) {
            listen::Disposition::Reset(reply) => {
                let reply = h.describe_reply(&reply.into());
                assert_eq!((reply.flags.as_str(), reply.seq), ("R", 1));
            }
            other => panic!("{other:?}"),
        }
    }

    refused(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
        //= type=test
        //# A TCP
        //# implementation that supports the mitigation described in RFC
        //# 5961 SHOULD first check that the sequence number exactly
        //# matches RCV.NXT prior to executing the action in the next
        //# paragraph.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        recv!(h, "R.", seq: 0, ack: 1);
        assert_eq!(h.end, Some(End::Closed(CloseReason::Refused)));
        assert_eq!(h.state(), State::Closed);
        h.quiet();
    }

    reset_without_our_ack_does_not_refuse(at) {
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //= type=test
        //# In all
        //# other cases the receiver MUST silently discard the segment.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        let out = recv!(h, "R", seq: 0);
        assert_eq!(out.discard, Some(Discard::BadRst));
        let out = recv!(h, "R.", seq: 0, ack: 2);
        assert_eq!((out.discard, out.reset), (Some(Discard::BadAck), None));
        let out = recv!(h, ".", seq: 0, ack: 1);
        assert_eq!(out.discard, Some(Discard::NotSyn));
        assert_eq!(h.state(), State::SynSent);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
    //= type=test
    //# In particular, R2 for a SYN segment MUST be set large
    //# enough to provide retransmission of the segment for at least 3
    //# minutes (MUST-23).
    must_23_syn_is_retransmitted_for_three_minutes(at) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-2
        //= type=test
        //# (2.1) Until a round-trip time (RTT) measurement has been made for a
        //# segment sent between the sender and receiver, the sender SHOULD
        //# set RTO <- 1 second, though the "backing off" on repeated
        //# retransmission discussed in (5.5) still applies.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        let start = h.now;
        sends!(h, "S", seq: 0);
        let mut waits = Vec::new();
        loop {
            waits.push(h.sleep_until_deadline() / 1_000_000);
            h.next();
            if h.end.is_some() {
                break;
            }
            sends!(h, "S", seq: 0, mss: Some(1000));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 120]);
        assert!(h.now - start >= seconds(180));
        assert_eq!(h.end, Some(End::Closed(CloseReason::HandshakeTimedOut)));
    }

    must_22_r1_of_a_syn_is_told(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //= type=test
        //# SYN retransmissions MUST be handled in the
        //# general way just described for data retransmissions, including
        //# notification of the application layer.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        for _ in 0..3 {
            h.sleep_until_deadline();
            sends!(h, "S", seq: 0);
        }
        assert!(h.news.contains(netloom_tcp::News::NEGATIVE_ADVICE));
    }

    icmp_errors_while_connecting(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        let iss = SeqNum(h.setup.iss);
        // RFC 5927: not in flight.
        let out = h.c.icmp_error(IcmpError::PortUnreachable, iss + 1);
        assert!(!out.ended());
        // Soft errors do not end it.
        let out = h.c.icmp_error(IcmpError::HostUnreachable, iss);
        assert!(out.soft_error());
        assert_eq!(h.state(), State::SynSent);
        assert_eq!(h.c.take_soft_error(), Some(IcmpError::HostUnreachable));
        let out = h.c.icmp_error(IcmpError::PortUnreachable, iss);
        assert!(out.ended());
        assert_eq!(h.c.ended(), Some(End::Closed(CloseReason::PortUnreachable)));
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
    //= type=test
    //# Since these Unreachable messages indicate soft error conditions, a
    //# TCP implementation MUST NOT abort the connection (MUST-56), and it
    //# SHOULD make the information available to the application (SHLD-25).
    must_56_icmp_errors_do_not_end_an_established_connection(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        sends!(h, "P.", seq: 1, len: 10);
        let una = SeqNum(h.setup.iss) + 1;
        for error in [
            IcmpError::NetworkUnreachable,
            IcmpError::HostUnreachable,
            IcmpError::SourceRouteFailed,
            IcmpError::TimeExceeded,
            IcmpError::ParameterProblem,
            IcmpError::ProtocolUnreachable,
            IcmpError::PortUnreachable,
        ] {
            let out = h.c.icmp_error(error, una);
            assert!(out.soft_error() && !out.ended());
            assert_eq!(h.c.take_soft_error(), Some(error));
        }
        assert_eq!(h.c.icmp_error(IcmpError::PortUnreachable, una + 10).news, Default::default());
        assert_eq!(h.state(), State::Established);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
    //= type=test
    //# If an MSS Option is not received at connection setup, TCP
    //# implementations MUST assume a default send MSS of 536 (576 - 40) for
    //# IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
    must_15_default_send_mss(at) {
        for (is_v6, mss) in [(false, 536), (true, 1220)] {
            let mut h = Host::client(Setup::with(|s| {
                at(s);
                s.peer_mss = None;
                s.is_v6 = is_v6;
            }));
            h.write(2000);
            sends!(h, ".", seq: 1, len: mss);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
    //= type=test
    //# The maximum size of a segment that a TCP endpoint really sends, the
    //# "effective send MSS", MUST be the smaller (MUST-16) of the send MSS
    //# (that reflects the available reassembly buffer size at the remote
    //# host, the EMTU_R [19]) and the largest transmission size permitted by
    //# the IP layer (EMTU_S [19]):
    must_16_effective_send_mss(at) {
        for (peer, path, ts, mss) in
            [(1000, 1460, false, 1000), (1460, 900, false, 900), (1460, 1460, true, 1448)]
        {
            let mut h = Host::client(Setup::with(|s| {
                at(s);
                s.peer_mss = Some(peer);
                s.path_mss = path;
                s.peer_ts = ts;
            }));
            h.write(4000);
            sends!(h, ".", seq: 1, len: mss);
        }
    }

    must_65_mss_only_on_syn(at) {
        //= https://www.rfc-editor.org/rfc/rfc2018#section-2
        //= type=test
        //# It MUST NOT be sent on non-SYN segments.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.2
        //= type=test
        //# This field may be
        //# sent in the initial connection request (i.e., in segments with the
        //# SYN control bit set) and MUST NOT be sent in other segments (MUST-
        //# 65).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //= type=test
        //# TCP endpoints MUST implement both sending and receiving the MSS
        //# Option (MUST-14).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //= type=test
        //# TCP implementations SHOULD send an MSS Option in every SYN segment
        //# when its receive MSS differs from the default 536 for IPv4 or 1220
        //# for IPv6 (SHLD-5), and MAY send it always (MAY-3).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(3000);
        h.c.shutdown_write();
        for seg in h.emit_all() {
            assert_eq!((seg.mss, seg.ws, seg.sackok), (None, None, false));
        }
    }

    window_scale_above_14_is_14(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_scale = Some(200);
        }));
        recv!(h, ".", seq: 1, ack: 1, win: 0xffff);
        h.write(1);
        sends!(h, "P.", seq: 1);
        recv!(h, ".", seq: 1, ack: 2, win: 0xffff);
        assert_eq!(h.info().snd_wnd, 0xffff << 14);
        assert_eq!(h.info().snd_wscale, Some(14));
    }

    the_window_of_a_syn_is_never_scaled(at) {
        let h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_scale = Some(7);
            s.peer_window = 500;
        }));
        let mut h = h;
        assert_eq!(h.info().snd_wnd, 500);
        recv!(h, "P.", seq: 1, ack: 1, win: 500, len: 1);
        assert_eq!(h.info().snd_wnd, 500 << 7);
    }

    a_lost_syn_gives_the_3_second_timeout_and_one_segment(at) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-5
        //= type=test
        //# (5.7) If the timer expires awaiting the ACK of a SYN segment and the
        //# TCP implementation is using an RTO less than 3 seconds, the RTO
        //# MUST be re-initialized to 3 seconds when data transmission
        //# begins (i.e., after the three-way handshake completes).
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.sleep(seconds(1));
        sends!(h, "S", seq: 0);
        h.sleep(seconds(2));
        sends!(h, "S", seq: 0);
        h.recv(Seg { flags: "S.".into(), ack: 1, ..h.peer_syn() });
        h.write(5000);
        sends!(h, ".", seq: 1, len: 1000);
        h.quiet();
        assert_eq!(h.sleep_until_deadline(), seconds(3));
    }

    closing_before_the_handshake_is_over(at) {
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.close();
        assert_eq!(h.end, Some(End::Closed(CloseReason::Aborted)));
        h.quiet();
        // Half-closing waits for it.
        let mut h = Host::connecting(Setup::with(|s| at(s)));
        sends!(h, "S", seq: 0);
        h.write(10);
        h.c.shutdown_write();
        h.recv(Seg { flags: "S.".into(), ack: 1, ..h.peer_syn() });
        assert_eq!(h.state(), State::FinWait1);
        sends!(h, "FP.", seq: 1, ack: 1, len: 10);
    }

    half_open_entry_answers(at) {
        use syn_received::Disposition;
        let h = Host::connecting(Setup::with(|s| at(s)));
        let mut entry = h.half_open();
        assert_eq!(h.entry_receive(&mut entry, &h.peer_syn()), Disposition::SynAck);
        // An unacceptable acknowledgment.
        let bad = Seg { ack: 7, ..Seg::default() };
        match h.entry_receive(&mut entry, &bad) {
            Disposition::Reset(reply) => {
                let reply = h.describe_reply(&reply.into());
                assert_eq!((reply.flags.as_str(), reply.seq), ("R", 7));
            }
            other => panic!("{other:?}"),
        }
        // A RST in the window but not at its edge; one outside.
        let near = Seg { flags: "R".into(), seq: 2, ..Seg::default() };
        assert!(matches!(h.entry_receive(&mut entry, &near), Disposition::Ack(_)));
        let far = Seg { flags: "R".into(), seq: 100_000, ..Seg::default() };
        assert_eq!(h.entry_receive(&mut entry, &far), Disposition::Drop(Discard::BadRst));
        // Data outside the window.
        let far = Seg { seq: 100_000, len: 1, ..Seg::default() };
        assert!(matches!(h.entry_receive(&mut entry, &far), Disposition::Ack(_)));
        let no_ack = Seg { flags: "P".into(), len: 1, ..Seg::default() };
        assert_eq!(h.entry_receive(&mut entry, &no_ack), Disposition::Drop(Discard::NoAck));
        assert_eq!(h.entry_receive(&mut entry, &Seg::default()), Disposition::Established);
    }

    syn_ack_of_an_entry_answers_what_was_offered(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //= type=test
        //# This option is an offer, not a promise; both sides MUST send Window
        //# Scale options in their <SYN> segments to enable window scaling in
        //# either direction.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# o  If a TCP receives a <SYN> segment containing a Window Scale
        //# option, it SHOULD send its own Window Scale option in the
        //# <SYN,ACK> segment.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //= type=test
        //# o  Upon receiving a <SYN> segment with a Window Scale option
        //# containing shift.cnt = S, a TCP MUST set Snd.Wind.Shift to S and
        //# MUST set Rcv.Wind.Shift to R; otherwise, it MUST set both
        //# Snd.Wind.Shift and Rcv.Wind.Shift to zero.
        let h = Host::connecting(Setup::with(|s| {
            at(s);
            s.rx = 200_000;
            s.peer_scale = Some(3);
            s.peer_sack = true;
            s.peer_ts = true;
        }));
        let entry = h.half_open();
        let env = netloom_tcp::Env::at(netloom_driver::Instant::from_secs(3), &h.setup.tunables);
        let reply = h.describe_reply(&entry.syn_ack(&env, 5, 1000, 200_000));
        assert_eq!((reply.flags.as_str(), reply.seq, reply.ack), ("S.", 0, 1));
        assert_eq!((reply.mss, reply.ws, reply.sackok), (Some(1000), Some(2), true));
        assert_eq!(reply.ts, Some((3_005, 7_000)));
        assert_eq!(reply.win, 0xffff);
        // Its owner may have the room of its timestamp: it is as it was once that is back.
        let mut lent = entry;
        let timestamp = lent.lend_room(77);
        assert_eq!((timestamp, lent.lodger(), entry.lodger()), (7_000, 77, 0));
        assert_eq!(lent.with_timestamp(timestamp), entry);
        let bare = HalfOpen::new(
            SeqNum(1),
            &listen::SynOffer {
                irs: SeqNum(1),
                mss: None,
                window_scale: None,
                sack: false,
                timestamps: None,
                ecn: false,
                window: 0,
            },
            &h.setup.tunables,
        );
        let reply = h.describe_reply(&bare.syn_ack(&env, 5, 1000, 200_000));
        assert_eq!((reply.mss, reply.ws, reply.sackok, reply.ts), (Some(1000), None, false, None));
    }

    ts_recent_of_a_syn_entry_is_not_outdated(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //= type=test
        //# If the PAWS algorithm is used, the following processing MUST be
        //# performed on all incoming segments for a synchronized connection.
        // The clock has run for longer than TS.Recent counts, the connection has not.
        let mut h = Host::half_opened_at(
            seconds(24 * 24 * 3600 + 1000),
            Setup::with(|s| {
                at(s);
                s.peer_ts = true;
            }),
        );
        recv!(h, ".", ts: Some((6_999, 0)));
        assert_eq!((h.last.discard, h.state()), (Some(Discard::Paws), State::SynReceived));
        recv!(h, ".", ts: Some((7_000, 0)));
        assert_eq!((h.last.discard, h.state()), (None, State::Established));
    }
}

fn h_repeats_its_syn(h: &mut Host) {
    h.sleep(seconds(1));
    sends!(h, "S", seq: 0);
}

#[test]
fn the_empty_connection_is_all_zero_and_does_nothing() {
    let mut h = Host::connecting(Setup::with(|_| {}));
    h.c = Connection::EMPTY;
    h.quiet();
    let out = recv!(h, "S", seq: 0);
    assert_eq!(out.discard, Some(Discard::Closed));
    h.close();
    assert_eq!(h.end, None);
}
