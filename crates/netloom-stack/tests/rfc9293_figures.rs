//! The exchanges of RFC 9293's figures 6 to 13, packet by packet: the stack plays each side in
//! turn, the test plays the other.
#![cfg(all(
    feature = "tcp",
    feature = "ethernet",
    feature = "ipv4",
    feature = "ipv6"
))]
mod common;

use common::trace::{Conn, IRS, Net, PEER_PORT, PORT, every, tcp};
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error, State};

/// 2 MSL with the default tunables.
const TIME_WAIT_S: u64 = 60;

fn state(net: &Net, conn: &Conn) -> State {
    net.stack.tcp_state(conn.handle).unwrap()
}

#[test]
fn figure_6_basic_handshake_as_tcp_a() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynSent));
        let port = syn.tcp.src_port;
        let next = syn.tcp.seq.wrapping_add(1);
        net.send(tcp("S.").seq(300).ack(next).port(port));
        net.expect(tcp(".").seq(next).ack(301));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Established));
        // Line 5: the next segment with data has the same sequence number as the ACK.
        net.stack.tcp_write(handle, b"data").unwrap();
        net.pump();
        net.expect(tcp("P.").seq(next).ack(301).data(b"data"));
        net.silent();
    });
}

#[test]
fn figure_6_basic_handshake_as_tcp_b() {
    every(|mut net| {
        let listener = net.listen(PORT);
        net.send(tcp("S").seq(100));
        let syn_ack = net.expect(tcp("S.").ack(101));
        assert_eq!(net.stack.tcp_accept(listener), Ok(None), "SYN-RECEIVED");
        let next = syn_ack.tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(101).ack(next));
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Established));
        net.send(tcp("P.").seq(101).ack(next).data(b"data"));
        net.expect(tcp(".").seq(next).ack(105));
        net.silent();
    });
}

#[test]
fn figure_7_simultaneous_connection_synchronization() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        let (port, iss) = (syn.tcp.src_port, syn.tcp.seq);
        net.send(tcp("S").seq(300).port(port));
        // Line 5: SEQ=100, ACK=301, SYN and ACK.
        net.expect(tcp("S.").seq(iss).ack(301));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynReceived));
        net.send(tcp("S.").seq(300).ack(iss.wrapping_add(1)).port(port));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Established));
        net.out.clear();
        net.stack.tcp_write(handle, b"x").unwrap();
        net.pump();
        net.expect(tcp("P.").seq(iss.wrapping_add(1)).ack(301).data(b"x"));
    });
}

#[test]
fn figure_8_recovery_from_an_old_duplicate_syn_as_tcp_b() {
    every(|mut net| {
        let listener = net.listen(PORT);
        // Line 3: an old duplicate SYN.
        net.send(tcp("S").seq(90));
        let syn_ack = net.expect(tcp("S.").ack(91));
        // Line 5: TCP A rejects it.
        net.send(tcp("R").seq(91));
        net.silent();
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        // Line 6: the real one.
        net.send(tcp("S").seq(100));
        let second = net.expect(tcp("S.").ack(101));
        net.send(tcp(".").seq(101).ack(second.tcp.seq.wrapping_add(1)));
        assert!(net.stack.tcp_accept(listener).unwrap().is_some());
        let _ = syn_ack;
    });
}

#[test]
fn figure_8_recovery_from_an_old_duplicate_syn_as_tcp_a() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        let (port, iss) = (syn.tcp.src_port, syn.tcp.seq);
        // Line 4: the answer to an old SYN of ours, ISS - 10.
        let old = iss.wrapping_sub(9);
        net.send(tcp("S.").seq(300).ack(old).port(port));
        net.expect(tcp("R").seq(old));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynSent));
        net.send(tcp("S.").seq(400).ack(iss.wrapping_add(1)).port(port));
        net.expect(tcp(".").seq(iss.wrapping_add(1)).ack(401));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Established));
    });
}

#[test]
fn figure_9_half_open_connection_discovery_as_the_crashed_tcp_a() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        let port = syn.tcp.src_port;
        // Line 4: TCP B, still established, acknowledges something else: SEQ=300, ACK=100.
        let stale = syn.tcp.seq.wrapping_sub(1_000);
        net.send(tcp(".").seq(300).ack(stale).port(port));
        // Line 5: the reset; TCP A stays in SYN-SENT and its SYN is repeated.
        net.expect(tcp("R").seq(stale));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynSent));
        net.pass_ms(1_100);
        net.expect(tcp("S").seq(syn.tcp.seq));
    });
}

#[test]
fn figure_9_half_open_connection_discovery_as_tcp_b() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        // Line 3: the peer has crashed and opens anew.
        net.send(tcp("S").seq(400));
        // Line 4: it is told what would be due.
        net.expect(conn.reply("."));
        assert_eq!(state(&net, &conn), State::Established);
        // Line 5: its reset ends the old connection.
        net.send(tcp("R").seq(conn.seq));
        assert_eq!(state(&net, &conn), State::Closed);
        assert_eq!(
            net.stack.tcp_close_reason(conn.handle),
            Ok(Some(CloseReason::PeerReset))
        );
        // Line 7: the SYN again, and a new connection.
        net.send(tcp("S").seq(400));
        net.expect(tcp("S.").ack(401));
    });
}

#[test]
fn figure_10_active_side_causes_half_open_connection_discovery() {
    every(|mut net| {
        // TCP A: it has crashed, nobody listens, and gets data for the old connection.
        net.send(tcp("P.").seq(300).ack(100).data(b"data of 10"));
        net.expect(tcp("R").seq(100));
        net.silent();
    });
    every(|mut net| {
        // TCP B: it sends data and is reset.
        let conn = net.connected();
        net.write(&conn, b"data of 10");
        net.expect(conn.reply("P.").data(b"data of 10"));
        net.send(tcp("R").seq(conn.seq).port(conn.port));
        assert_eq!(state(&net, &conn), State::Closed);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6
        //= type=test
        //# the local application MUST be informed whether it closed normally or
        //# was aborted (MUST-12).
        let mut buffer = [0; 8];
        assert_eq!(
            net.stack.tcp_read(conn.handle, &mut buffer),
            Err(Error::Closed(CloseReason::PeerReset))
        );
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.5
//= type=test
//# Note that a TCP implementation MUST keep track of whether a connection
//# has reached SYN-RECEIVED state as the result of a passive OPEN or an
//# active OPEN (MUST-11).
#[test]
fn figure_11_old_duplicate_syn_initiates_a_reset_on_two_passive_sockets() {
    every(|mut net| {
        let listener = net.listen(PORT);
        net.send(tcp("S").seq(600));
        let syn_ack = net.expect(tcp("S.").ack(601));
        // Line 4: the other passive socket resets; line 5: back to LISTEN.
        net.send(tcp("R").seq(601));
        net.silent();
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        // An ACK to the handshake that is gone is reset, as in LISTEN.
        let ack = syn_ack.tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(601).ack(ack));
        net.expect(tcp("R").seq(ack));
        net.send(tcp("S").seq(700));
        net.expect(tcp("S.").ack(701));
    });
    every(|mut net| {
        // The passive socket whose SYN-ACK answers an old duplicate SYN: an unexpected SYN-ACK.
        net.listen(PORT);
        net.send(tcp("S.").seq(900).ack(500));
        net.expect(tcp("R").seq(500));
        net.silent();
    });
    every(|mut net| {
        // SYN-RECEIVED that came from an active OPEN: the user is told, and that is the end.
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let port = net.expect(tcp("S")).tcp.src_port;
        net.send(tcp("S").seq(300).port(port));
        net.expect(tcp("S.").ack(301));
        net.send(tcp("R").seq(301).port(port));
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Closed));
        assert_eq!(
            net.stack.tcp_close_reason(handle),
            Ok(Some(CloseReason::Refused))
        );
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
//= type=test
//# When a connection is closed actively, it MUST linger in the TIME-WAIT
//# state for a time 2xMSL (Maximum Segment Lifetime) (MUST-13).
#[test]
fn figure_12_normal_close_sequence_as_tcp_a() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let mut conn = net.accepted(listener, PEER_PORT);
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        assert_eq!(state(&net, &conn), State::FinWait1);
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        assert_eq!(state(&net, &conn), State::FinWait2);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        assert_eq!(
            net.stack.tcp_close_reason(conn.handle),
            Ok(Some(CloseReason::Finished))
        );
        // TIME-WAIT: the peer's FIN again is acknowledged again, and 2 MSL begin anew.
        net.pass_s(TIME_WAIT_S - 1);
        net.send(conn.tcp("F.").seq(conn.seq - 1));
        net.expect(conn.reply("."));
        net.pass_s(TIME_WAIT_S - 1);
        net.send(conn.tcp("F.").seq(conn.seq - 1));
        net.expect(conn.reply("."));
        // A RST does not end it early (RFC 1337).
        net.send(conn.tcp("R"));
        net.send(conn.tcp("F.").seq(conn.seq - 1));
        net.expect(conn.reply("."));
        // After 2 MSL nothing is left.
        net.pass_s(TIME_WAIT_S + 1);
        net.send(conn.tcp("F.").seq(conn.seq - 1));
        let gone = net.segment();
        assert!(gone.tcp.flags.rst() || gone.tcp.seq == conn.ack, "{gone:?}");
        assert!(gone.tcp.flags.rst());
    });
}

#[test]
fn figure_12_normal_close_sequence_as_tcp_b() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let mut conn = net.accepted(listener, PEER_PORT);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        assert_eq!(state(&net, &conn), State::CloseWait);
        assert_eq!(net.stack.tcp_read(conn.handle, &mut [0; 8]), Ok(0));
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        assert_eq!(state(&net, &conn), State::LastAck);
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        assert_eq!(state(&net, &conn), State::Closed);
        net.silent();
        // No TIME-WAIT on this side: the tuple is free at once.
        net.send(conn.tcp("."));
        net.expect(tcp("R").seq(conn.ack));
    });
}

#[test]
fn figure_13_simultaneous_close_sequence() {
    every(|mut net| {
        let mut conn = net.connected();
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        // Line 2: the peer's FIN crosses ours.
        net.send(conn.tcp("F."));
        conn.seq += 1;
        conn.ack = conn.ack.wrapping_add(1);
        assert_eq!(state(&net, &conn), State::Closing);
        net.expect(conn.reply("."));
        // Line 3: its acknowledgment.
        net.send(conn.tcp("."));
        assert_eq!(
            net.stack.tcp_close_reason(conn.handle),
            Ok(Some(CloseReason::Finished))
        );
        net.silent();
        // Line 4: TIME-WAIT, 2 MSL.
        net.pass_s(TIME_WAIT_S - 1);
        net.send(conn.tcp("F.").seq(IRS + 1));
        net.expect(conn.reply("."));
        net.pass_s(TIME_WAIT_S + 1);
        net.send(conn.tcp("F.").seq(IRS + 1));
        net.expect(tcp("R").seq(conn.ack));
    });
}
