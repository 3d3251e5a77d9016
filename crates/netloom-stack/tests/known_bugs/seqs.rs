//! `s..`: seqs and lneto.

use crate::common::trace::{
    IRS, Net, PEER_MAC, PEER_PORT, PORT, Packet, V4, addr, every, every_ethernet, tcp,
};
use crate::{dropped, open, reason, shut, state};
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, DropReason, Error, Stack, State};

#[test]
fn s01_fin_wait_1_ignores_ack_of_data() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.write(&conn, b"data");
        net.expect(conn.reply("P.").data(b"data"));
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        conn.ack = conn.ack.wrapping_add(4);
        net.expect(conn.reply("F."));
        // Of the data alone.
        net.send(conn.tcp("."));
        assert_eq!(state(&net, &conn), State::FinWait1);
        // FIN of the peer without an ACK of ours: CLOSING; with it: TIME-WAIT.
        net.send(conn.tcp("F."));
        assert_eq!(state(&net, &conn), State::Closing);
        conn.seq += 1;
        net.out.clear();
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        assert_eq!(reason(&net, &conn), Some(CloseReason::Finished));
    });
    every(|mut net| {
        let mut conn = open(&mut net);
        shut(&mut net, &mut conn);
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        assert_eq!(reason(&net, &conn), Some(CloseReason::Finished));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# In addition to the processing for the ESTABLISHED state, if
//# the ACK acknowledges our FIN, then enter the TIME-WAIT
//# state; otherwise, ignore the segment.
#[test]
fn s02_closing_waits_for_the_ack_of_its_fin() {
    every(|mut net| {
        let mut conn = open(&mut net);
        shut(&mut net, &mut conn);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply(".").seq(conn.ack.wrapping_add(1)));
        for _ in 0..3 {
            net.send(conn.tcp("."));
            assert_eq!(state(&net, &conn), State::Closing);
        }
        net.send(conn.tcp(".").ack(conn.ack.wrapping_add(1)));
        assert_eq!(state(&net, &conn), State::Closed);
    });
}

#[test]
fn s04_one_rejected_segment_wedges_nothing() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        let other = net.accepted(listener, PEER_PORT + 1);
        // Far outside the window: answered, dropped, forgotten.
        net.send(
            conn.tcp("P.")
                .seq(conn.seq.wrapping_add(1 << 30))
                .data(b"?"),
        );
        net.expect(conn.reply("."));
        for conn in [conn, other] {
            net.send(conn.tcp("P.").data(b"good"));
            net.expect(conn.reply(".").ack(conn.seq + 4));
            assert_eq!(net.read(&conn), b"good");
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
//= type=test
//# In particular, R2 for a SYN segment MUST be set large
//# enough to provide retransmission of the segment for at least 3 minutes
//# (MUST-23).
#[test]
fn s04_syn_received_is_timed_and_its_slot_freed() {
    every(|mut net| {
        let listener = net.listen(PORT);
        net.send(tcp("S"));
        let first = net.expect(tcp("S."));
        // 1, 2, 4, 8, 16 seconds after one another, and then no more.
        for wait in [1, 2, 4, 8, 16] {
            let begun = net.now;
            while net.out.is_empty() {
                net.pass_ms(4);
            }
            let waited = net.now.micros_since(begun) / 1_000;
            assert!(
                (wait * 1_000..wait * 1_000 + 12).contains(&waited),
                "{waited} ms"
            );
            net.expect(tcp("S.").seq(first.tcp.seq));
            net.silent();
            assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 1);
        }
        net.pass_s(33);
        net.silent();
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        assert_eq!(net.stack.counters().tcp_half_open_timed_out, 1);
        assert_eq!(net.stack.next_deadline(), None);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# If this connection was initiated with a passive OPEN
//# (i.e., came from the LISTEN state), then return this
//# connection to LISTEN state and return.
#[test]
fn s06_reset_in_syn_received_frees_the_slot() {
    every(|mut net| {
        let listener = net.listen(PORT);
        for port in 0..100 {
            let peer_port = PEER_PORT + port;
            net.send(tcp("S").peer_port(peer_port));
            net.expect(tcp("S.").peer_port(peer_port));
            net.send(tcp("R").seq(IRS + 1).peer_port(peer_port));
            net.silent();
            assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        }
        net.accepted(listener, PEER_PORT);
    });
}

#[test]
fn s07_fin_wait_2_accepts_data_and_window() {
    every(|mut net| {
        let mut conn = open(&mut net);
        shut(&mut net, &mut conn);
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        assert_eq!(state(&net, &conn), State::FinWait2);
        // Out of order first.
        net.send(conn.tcp("P.").seq(conn.seq + 4).data(b"late"));
        net.expect(conn.reply("."));
        net.send(conn.tcp("P.").data(b"soon"));
        conn.seq += 8;
        net.expect(conn.reply("."));
        assert_eq!(net.read(&conn), b"soonlate");
        net.send(conn.tcp(".").win(100));
        assert_eq!(state(&net, &conn), State::FinWait2);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
//= type=test
//# If such a host issues a
//# CLOSE call while received data is still pending in the TCP
//# connection, or if new data is received after CLOSE is called, its TCP
//# implementation SHOULD send a RST to show that data was lost (SHLD-3).
#[test]
fn s07_data_after_a_full_close_is_reset() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.stack.tcp_close(conn.handle).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        net.send(conn.tcp("P.").data(b"more"));
        let reset = net.segment();
        assert!(reset.tcp.flags.rst());
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
//= type=test
//# If the SYN bit is set, irrespective of the sequence number, TCP
//# MUST send an ACK (also referred to as challenge ACK) to the remote
//# peer:
#[test]
fn s08_a_syn_in_a_synchronized_state_is_challenged_at_a_limited_rate() {
    every(|mut net| {
        let conn = open(&mut net);
        for seq in [IRS, conn.seq, conn.seq + 5, conn.seq.wrapping_sub(1 << 30)] {
            net.pass_ms(600);
            net.send(conn.tcp("S").seq(seq));
            net.expect(conn.reply("."));
        }
        net.pass_ms(600);
        for _ in 0..1_000 {
            net.send(conn.tcp("S"));
        }
        net.expect(conn.reply("."));
        net.silent();
        assert_eq!(state(&net, &conn), State::Established);
        assert_eq!(dropped(&net, DropReason::TcpChallengedSyn), 1_004);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
//= type=test
//# A TCP receiver SHOULD NOT shrink the window, i.e., move the right
//# window edge to the left (SHLD-14).  However, a sending TCP peer MUST
//# be robust against window shrinking, which may cause the "usable
//# window" (see Section 3.8.6.2.1) to become negative (MUST-34).
#[test]
fn s08_a_window_that_shrinks_below_what_is_in_flight_is_survived() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.write(&conn, &[1; 4_000]);
        let mut sent = 0;
        while let Some(Packet::Tcp(segment)) = net.pop() {
            sent += segment.data.len() as u32;
        }
        assert_eq!(sent, 4_000);
        conn.ack = conn.ack.wrapping_add(1_000);
        net.send(conn.tcp(".").win(100));
        net.write(&conn, &[2; 100]);
        net.silent();
        // Opened again, everything arrives.
        conn.ack = conn.ack.wrapping_add(3_000);
        net.send(conn.tcp(".").win(50_000));
        net.expect(conn.reply("P.").data(&[2; 100]));
    });
}

#[test]
fn s09_a_single_loss_does_not_stall() {
    every(|mut net| {
        // The tail of what was written.
        let mut conn = open(&mut net);
        net.write(&conn, b"tail");
        net.expect(conn.reply("P.").data(b"tail"));
        net.pass_ms(1_100);
        net.expect(conn.reply("P.").data(b"tail"));
        conn.ack = conn.ack.wrapping_add(4);
        net.send(conn.tcp("."));
        // The FIN.
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        net.pass_ms(2_100);
        net.expect(conn.reply("F."));
    });
}

#[test]
fn s10_a_lost_syn_is_repeated_and_given_up_after_three_minutes_or_more() {
    every(|mut net| {
        let begun = net.now;
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        for wait in [1, 2, 4, 8, 16, 32, 64] {
            net.pass_s(wait);
            let again = net.expect(tcp("S").seq(syn.tcp.seq));
            assert_eq!(again.tcp.src_port, syn.tcp.src_port);
            net.silent();
        }
        while net.stack.tcp_state(handle).unwrap() != State::Closed {
            net.pass_s(1);
            net.silent();
            assert!(net.now.micros_since(begun) < 600_000_000);
        }
        assert!(net.now.micros_since(begun) >= 180_000_000);
        assert_eq!(
            net.stack.tcp_close_reason(handle),
            Ok(Some(CloseReason::HandshakeTimedOut))
        );
    });
}

#[test]
fn s11_the_last_data_is_retransmitted_in_fin_wait_1() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.stack.tcp_write(conn.handle, b"last words").unwrap();
        net.stack.tcp_close(conn.handle).unwrap();
        net.pump();
        let first = net.segment();
        assert_eq!(first.data, b"last words");
        net.out.clear();
        net.pass_ms(1_100);
        let again = net.segment();
        assert_eq!(
            (again.tcp.seq, &again.data[..]),
            (conn.ack, &b"last words"[..])
        );
        conn.ack = conn.ack.wrapping_add(11);
        net.out.clear();
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
    });
}

//= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
//= type=test
//# The window field in a segment where the SYN bit is set (i.e., a <SYN>
//# or <SYN,ACK>) MUST NOT be scaled.
#[test]
fn s12_the_window_of_a_syn_saturates() {
    for v6 in [false, true] {
        for buffer in [65_535_u32, 65_536, 65_537, 131_072, 1 << 20, (1 << 24) + 3] {
            let setup = crate::common::trace::Setup { v6, ..V4 };
            let mut net = Net::with(setup, |tunables| tunables.tcp_rmem = buffer);
            net.listen(PORT);
            net.send(tcp("S").mss(1460).wscale(7));
            net.expect(tcp("S.").win(65_535));
            net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
            net.pump();
            net.expect(tcp("S").win(65_535));
        }
    }
}

#[test]
fn s13_close_sends_what_is_queued_and_reads_come_before_the_end() {
    every(|mut net| {
        let mut conn = open(&mut net);
        // Ten segments at once, then close, before the stack had a turn.
        let data: Vec<u8> = (0..8_000).map(|i| i as u8).collect();
        assert_eq!(net.stack.tcp_write(conn.handle, &data), Ok(8_000));
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.send(conn.tcp("F.").data(b"and goodbye"));
        conn.seq += 12;
        let mut got = Vec::new();
        let mut finished = false;
        while let Some(Packet::Tcp(segment)) = net.pop() {
            assert_eq!(segment.tcp.seq, conn.ack.wrapping_add(got.len() as u32));
            got.extend_from_slice(&segment.data);
            finished |= segment.tcp.flags.fin();
            assert_eq!(segment.tcp.ack, conn.seq);
        }
        assert!(got == data && finished);
        // The peer's data is still there, its end after it.
        let mut buffer = [0; 64];
        assert_eq!(net.stack.tcp_read(conn.handle, &mut buffer), Ok(11));
        assert_eq!(net.stack.tcp_read(conn.handle, &mut buffer), Ok(0));
        conn.ack = conn.ack.wrapping_add(8_001);
        net.send(conn.tcp("."));
        assert_eq!(reason(&net, &conn), Some(CloseReason::Finished));
        assert_eq!(net.stack.tcp_read(conn.handle, &mut buffer), Ok(0));
    });
}

#[test]
fn s14_a_syn_ack_goes_to_the_peers_station_not_the_gateways() {
    every_ethernet(|mut net| {
        net.listen(PORT);
        net.send(tcp("S"));
        assert_eq!(net.expect(tcp("S.")).ip.mac, Some(PEER_MAC));
        // From beyond the link it goes to the gateway's, whoever's station it came from.
        let far = net.pick(addr("192.0.2.1"), addr("2001:db8::1"));
        net.send(tcp("S").from(far));
        let answer = net.expect(tcp("S.").from(far));
        assert_eq!(answer.ip.mac.unwrap().0[5], 0xfe);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
//= type=test
//# The sending TCP peer must regularly transmit at least one octet of
//# new data (if available), or retransmit to the receiving TCP peer even
//# if the send window is zero, in order to "probe" the window.
#[test]
fn s15_a_zero_window_is_probed_and_its_update_found() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.send(conn.tcp(".").win(0));
        net.write(&conn, b"waiting");
        net.silent();
        // Exponential, and for as long as it takes: the peer answers.
        let mut last = net.now;
        let mut waits = Vec::new();
        for _ in 0..12 {
            while net.out.is_empty() {
                net.pass_ms(50);
                assert!(net.now.micros_since(last) < 200_000_000, "never probed");
            }
            waits.push(net.now.micros_since(last));
            last = net.now;
            let probe = net.segment();
            assert!(probe.data.len() <= 1, "{probe:?}");
            net.send(conn.tcp(".").win(0));
        }
        assert!(waits[0] <= 1_100_000, "{waits:?}");
        assert!(waits.windows(2).all(|w| w[1] + 100_000 >= w[0]));
        assert!(waits.last().unwrap() >= &60_000_000, "{waits:?}");
        assert_eq!(state(&net, &conn), State::Established);
        net.send(conn.tcp(".").win(1_000));
        net.expect(conn.reply("P.").data(b"waiting"));
        conn.ack = conn.ack.wrapping_add(7);
        net.send(conn.tcp("."));
    });
}

#[test]
fn s15_reading_advertises_the_window_again() {
    every(|mut net| {
        let mut conn = open(&mut net);
        // Fill the receive buffer.
        let mut window = None;
        loop {
            let len = window.map_or(1_400, |w: u32| w.min(1_400)) as usize;
            if len == 0 {
                break;
            }
            net.send(conn.tcp("P.").data(&vec![3; len]));
            conn.seq += len as u32;
            // Or a delayed acknowledgment.
            net.pass_ms(50);
            let ack = net.segment();
            assert_eq!(ack.tcp.ack, conn.seq);
            window = Some(u32::from(ack.tcp.window));
        }
        net.send(conn.tcp("P.").data(b"!"));
        net.expect(conn.reply(".").win(0));
        // An octet at a time makes no silly window; reading all of it opens it at once.
        let mut one = [0];
        assert_eq!(net.stack.tcp_read(conn.handle, &mut one), Ok(1));
        net.silent();
        assert!(!net.read(&conn).is_empty());
        let mut last = net.segment();
        while let Some(Packet::Tcp(segment)) = net.pop() {
            last = segment;
        }
        assert!(last.tcp.window > 2_000, "{last:?}");
    });
}

//= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
//= type=test
//# If a host has received an ECN-setup SYN packet, then it MAY send an
//# ECN-setup SYN-ACK packet.
#[test]
fn s16_an_ecn_setup_syn_is_a_syn() {
    every(|mut net| {
        let listener = net.listen(PORT);
        net.send(tcp("SEW").mss(1460));
        let syn_ack = net.segment();
        assert!(syn_ack.tcp.flags.syn() && syn_ack.tcp.flags.ack());
        let ack = syn_ack.tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(IRS + 1).ack(ack));
        assert!(net.stack.tcp_accept(listener).unwrap().is_some());
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# If an incoming segment is not acceptable, an acknowledgment
//# should be sent in reply (unless the RST bit is set, if so drop
//# the segment and return):
#[test]
fn s17_a_keepalive_probe_is_answered() {
    every(|mut net| {
        let conn = open(&mut net);
        for data in [&b""[..], b"x"] {
            net.pass_s(10);
            net.send(conn.tcp(".").seq(conn.seq - 1).data(data));
            net.expect(conn.reply("."));
        }
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# The only thing that can arrive in this state is an
//# acknowledgment of our FIN.  If our FIN is now acknowledged,
//# delete the TCB, enter the CLOSED state, and return.
#[test]
fn s18_last_ack_ends_by_the_ack_of_its_fin_alone() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        net.stack.tcp_write(conn.handle, b"bye").unwrap();
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.out.clear();
        conn.ack = conn.ack.wrapping_add(3);
        net.send(conn.tcp("."));
        assert_eq!(state(&net, &conn), State::LastAck, "only the data");
        net.send(conn.tcp(".").ack(conn.ack.wrapping_add(1)));
        assert_eq!(state(&net, &conn), State::Closed);
    });
}

#[test]
fn s18_a_listener_is_open_until_it_is_closed() {
    every(|mut net| {
        let listener = net.listen(PORT);
        assert!(net.stack.tcp_close_listener(listener).is_ok());
        assert_eq!(
            net.stack.tcp_close_listener(listener),
            Err(Error::StaleHandle)
        );
        net.send(tcp("S"));
        net.expect(tcp("R.").seq(0).ack(IRS + 1));
        let again = net.listen(PORT);
        net.accepted(again, PEER_PORT);
    });
}

#[test]
fn s19_a_peer_that_sent_and_finished_before_accept_is_not_lost() {
    every(|mut net| {
        let listener = net.listen(PORT);
        net.send(tcp("S"));
        let ack = net.expect(tcp("S.")).tcp.seq.wrapping_add(1);
        // Data on the ACK that completes the handshake, then FIN.
        net.send(tcp("P.").seq(IRS + 1).ack(ack).data(b"request"));
        net.send(tcp("F.").seq(IRS + 8).ack(ack));
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(net.stack.tcp_state(handle), Ok(State::CloseWait));
        let mut buffer = [0; 16];
        assert_eq!(net.stack.tcp_read(handle, &mut buffer), Ok(7));
        assert_eq!(net.stack.tcp_read(handle, &mut buffer), Ok(0));
        net.stack.tcp_write(handle, b"answer").unwrap();
        net.out.clear();
        net.pump();
        let answer = net.segment();
        assert_eq!(answer.data, b"answer");
    });
}

#[test]
fn s22_the_whole_tuple_counts_and_closed_ports_are_reset() {
    every(|mut net| {
        let conn = open(&mut net);
        let stranger = net.pick(addr("10.0.0.8"), addr("fd00::8"));
        net.alive.push((stranger, PEER_MAC));
        // Same ports, another address; same address, other ports.
        net.send(conn.tcp("P.").from(stranger).data(b"evil"));
        net.expect(tcp("R").from(stranger).seq(conn.ack));
        net.send(conn.tcp("P.").peer_port(1).data(b"evil"));
        net.expect(tcp("R").peer_port(1).seq(conn.ack));
        net.send(conn.tcp("P.").port(81).data(b"evil"));
        net.expect(tcp("R").port(81).seq(conn.ack));
        assert_eq!(net.stack.tcp_readable(conn.handle), Ok(0));
        // RFC 9293 §3.5.2, group 1: never a reset for a reset.
        net.send(tcp("R").port(81));
        net.send(tcp("R.").port(81));
        net.silent();
    });
}

#[test]
fn s23_a_stack_can_be_moved_between_threads() {
    fn send<T: Send>() {}
    send::<Stack>();
}
