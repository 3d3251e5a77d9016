//! Listeners: queues, sharing, precedence, closing.
#![cfg(all(
    feature = "tcp",
    feature = "ethernet",
    feature = "ipv4",
    feature = "ipv6"
))]
mod common;

use common::trace::{IF, IRS, Net, PEER_PORT, PORT, addr, cidr, every, tcp};
use netloom_stack::tcp::{Backlog, How, ListenOptions};
use netloom_stack::{CloseReason, Error, Event, State};

const SHARED: ListenOptions = ListenOptions {
    backlog: 16,
    reuse_port: true,
    #[cfg(feature = "fastopen")]
    fast_open: 0,
};

/// A handshake of the peer's, which nobody accepts yet.
fn handshake(net: &mut Net, peer_port: u16) -> u32 {
    net.send(tcp("S").peer_port(peer_port));
    let ack = net.segment().tcp.seq.wrapping_add(1);
    net.send(tcp(".").seq(IRS + 1).ack(ack).peer_port(peer_port));
    ack
}

#[test]
fn the_backlog_is_visible_and_bounds_both_queues() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 2);
        let backlog = |net: &Net| net.stack.tcp_backlog(listener).unwrap();
        net.send(tcp("S").peer_port(1));
        assert_eq!(
            backlog(&net),
            Backlog {
                half_open: 1,
                to_accept: 0,
                limit: 2
            }
        );
        net.send(tcp("R").seq(IRS + 1).peer_port(1));
        net.out.clear();
        handshake(&mut net, 2);
        handshake(&mut net, 3);
        assert_eq!(backlog(&net).to_accept, 2);
        net.silent();
        // No more are begun while nobody accepts: the client repeats its SYN.
        net.send(tcp("S").peer_port(4));
        net.silent();
        assert!(net.stack.tcp_accept(listener).unwrap().is_some());
        net.pass_s(1);
        net.send(tcp("S").peer_port(4));
        net.expect(tcp("S.").peer_port(4));
    });
}

#[test]
fn a_handshake_that_completes_while_the_queue_is_full_is_not_lost() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 1);
        net.send(tcp("S").peer_port(1));
        let first = net.segment().tcp.seq.wrapping_add(1);
        // A second one begins by a cookie while the first is half open.
        net.send(tcp("S").peer_port(2));
        let second = net.segment().tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(IRS + 1).ack(first).peer_port(1));
        net.send(tcp(".").seq(IRS + 1).ack(second).peer_port(2));
        net.silent();
        assert!(net.stack.tcp_accept(listener).unwrap().is_some());
        // Its data brings it up again.
        let data = tcp("P.").seq(IRS + 1).ack(second).peer_port(2);
        net.send(data.data(b"hello"));
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(net.stack.tcp_readable(handle), Ok(5));
    });
}

#[test]
fn connections_are_accepted_in_the_order_of_their_handshakes() {
    every(|mut net| {
        let listener = net.listen(PORT);
        for port in [5, 3, 4] {
            handshake(&mut net, port);
        }
        assert_eq!(net.stack.poll_event(), Some(Event::Acceptable(listener)));
        assert_eq!(net.stack.poll_event(), None);
        for port in [5, 3, 4] {
            let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
            assert_eq!(net.stack.tcp_peer_addr(handle).unwrap().port(), port);
        }
        assert_eq!(net.stack.tcp_accept(listener), Ok(None));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
//= type=test
//# Every passive OPEN call either creates a new connection record in
//# LISTEN state, or it returns an error; it MUST NOT affect any
//# previously created connection record (MUST-41).
#[test]
fn a_second_listener_fails_and_disturbs_nobody() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        assert_eq!(net.stack.tcp_listen(PORT), Err(Error::AddressInUse));
        let any = net.socket(net.pick(addr("0.0.0.0"), addr("::")), PORT);
        assert_eq!(net.stack.tcp_listen(any), Err(Error::AddressInUse));
        net.send(conn.tcp("P.").data(b"data"));
        assert_eq!(net.read(&conn), b"data");
        net.out.clear();
        net.accepted(listener, PEER_PORT + 1);
        // A listener may go and another come: the connection stays.
        net.stack.tcp_close_listener(listener).unwrap();
        net.listen(PORT);
        assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Established));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
//= type=test
//# A TCP implementation that supports multiple concurrent connections MUST
//# provide an OPEN call that will functionally allow an application to
//# LISTEN on a port while a connection block with the same local port is
//# in SYN-SENT or SYN-RECEIVED state (MUST-42).
#[test]
fn listening_on_the_port_of_a_connection_that_opens_is_allowed() {
    every(|mut net| {
        let from = net.socket(net.us, PORT);
        let to = net.peer_at(PEER_PORT);
        let opening = net.stack.tcp_connect_from(from, to).unwrap();
        net.pump();
        net.expect(tcp("S").port(PORT));
        let listener = net.listen(PORT);
        net.accepted(listener, PEER_PORT + 1);
        assert_eq!(net.stack.tcp_state(opening), Ok(State::SynSent));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
//= type=test
//# The optional "local IP address" parameter MUST be supported to allow
//# the specification of the local IP address (MUST-43).
#[test]
fn an_address_comes_before_every_address() {
    every(|mut net| {
        let second = net.pick("10.0.0.3/24", "fd00::3/64");
        net.stack.add_address(IF, cidr(second)).unwrap();
        let second = cidr(second).addr;
        let everywhere = net.listen(PORT);
        let here = net.stack.tcp_listen(net.socket(net.us, PORT)).unwrap();
        handshake(&mut net, 7);
        assert!(net.stack.tcp_accept(here).unwrap().is_some());
        assert_eq!(net.stack.tcp_accept(everywhere), Ok(None));
        net.send(tcp("S").to(second).peer_port(7));
        let ack = net.segment().tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(IRS + 1).ack(ack).to(second).peer_port(7));
        let handle = net.stack.tcp_accept(everywhere).unwrap().unwrap();
        let local = net.stack.tcp_local_addr(handle).unwrap();
        assert_eq!(local, net.socket(second, PORT));
        let foreign = net.socket(net.peer, PORT);
        assert_eq!(
            net.stack.tcp_listen(foreign),
            Err(Error::AddressNotAvailable)
        );
    });
}

#[test]
fn a_version_comes_before_both() {
    every(|mut net| {
        let own = net.socket(net.pick(addr("0.0.0.0"), addr("::")), PORT);
        let other = net.socket(net.pick(addr("::"), addr("0.0.0.0")), PORT);
        let own = net.stack.tcp_listen(own).unwrap();
        let other = net.stack.tcp_listen(other).unwrap();
        handshake(&mut net, 7);
        assert_eq!(net.stack.tcp_accept(other), Ok(None));
        assert!(net.stack.tcp_accept(own).unwrap().is_some());
    });
}

#[test]
fn listeners_that_share_a_port_share_its_connections() {
    every(|mut net| {
        let sharers: Vec<_> = (0..3)
            .map(|_| net.stack.tcp_listen_with(PORT.into(), SHARED).unwrap())
            .collect();
        assert_eq!(net.stack.tcp_listen(PORT), Err(Error::AddressInUse));
        let mut counts = [0; 3];
        for n in 0..120 {
            let peer_port = 1_000 + n;
            let ack = handshake(&mut net, peer_port);
            let mut taken = 0;
            for (count, listener) in counts.iter_mut().zip(&sharers) {
                if let Some(handle) = net.stack.tcp_accept(*listener).unwrap() {
                    *count += 1;
                    taken += 1;
                    net.stack.tcp_abort(handle).unwrap();
                    net.stack.tcp_close(handle).unwrap();
                }
            }
            assert_eq!(taken, 1);
            net.pump();
            net.expect(tcp("R.").seq(ack).peer_port(peer_port));
        }
        assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
        // One after the other goes, from the middle, the front and the end.
        for gone in [1, 0, 2] {
            net.stack.tcp_close_listener(sharers[gone]).unwrap();
            net.send(tcp("S").peer_port(9));
            let answer = net.segment();
            assert_eq!(answer.tcp.flags.rst(), gone == 2);
            net.send(tcp("R").seq(IRS + 1).peer_port(9));
        }
    });
}

#[test]
fn closing_a_listener_resets_what_nobody_accepted() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let accepted = net.accepted(listener, PEER_PORT);
        let ack = handshake(&mut net, 2);
        net.send(tcp("S").peer_port(3));
        let half = net.segment().tcp.seq.wrapping_add(1);
        net.stack.tcp_close_listener(listener).unwrap();
        net.pump();
        net.expect(tcp("R.").seq(ack).peer_port(2));
        // The handshake that was under way is refused as it completes.
        net.send(tcp(".").seq(IRS + 1).ack(half).peer_port(3));
        net.expect(tcp("R").seq(half).peer_port(3));
        assert_eq!(net.stack.tcp_state(accepted.handle), Ok(State::Established));
        net.silent();
        let again = net.listen(PORT);
        assert_eq!(net.stack.tcp_backlog(again).unwrap().half_open, 0);
        net.accepted(again, 4);
    });
}

#[test]
fn handshakes_are_counted_where_they_will_be_accepted() {
    every(|mut net| {
        // Another listener takes the address while a handshake of the first is under way.
        let everywhere = net.listen(PORT);
        net.send(tcp("S").peer_port(1));
        net.send(tcp("S").peer_port(2));
        let here = net.stack.tcp_listen(net.socket(net.us, PORT)).unwrap();
        net.send(tcp("R").seq(IRS + 1).peer_port(1));
        assert_eq!(net.stack.tcp_backlog(everywhere).unwrap().half_open, 0);
        assert_eq!(net.stack.tcp_backlog(here).unwrap().half_open, 1);
        net.send(tcp("S").peer_port(3));
        assert_eq!(net.stack.tcp_backlog(here).unwrap().half_open, 2);
        net.stack.tcp_close_listener(here).unwrap();
        assert_eq!(net.stack.tcp_backlog(everywhere).unwrap().half_open, 2);
        net.pass_s(200);
        assert_eq!(net.stack.tcp_backlog(everywhere).unwrap().half_open, 0);
    });
}

#[test]
fn a_peer_that_resets_before_accept_leaves_the_queue() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let _ = handshake(&mut net, 1);
        handshake(&mut net, 2);
        net.send(tcp("R").seq(IRS + 1).peer_port(1));
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().to_accept, 1);
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(net.stack.tcp_peer_addr(handle).unwrap().port(), 2);
        assert_eq!(net.stack.tcp_accept(listener), Ok(None));
    });
}

#[test]
fn ephemeral_ports_run_out_as_an_error_and_come_back() {
    every(|net| {
        let mut net = Net::with(net.setup, |tunables| {
            tunables.ip_local_port_first = 50_000;
            tunables.ip_local_port_last = 50_003;
        });
        let to = net.peer_at(PEER_PORT);
        let mut handles = Vec::new();
        for _ in 0..4 {
            handles.push(net.stack.tcp_connect(to).unwrap());
        }
        let mut ports: Vec<_> = handles
            .iter()
            .map(|h| net.stack.tcp_local_addr(*h).unwrap().port())
            .collect();
        ports.sort_unstable();
        assert_eq!(ports, [50_000, 50_001, 50_002, 50_003]);
        assert_eq!(net.stack.tcp_connect(to), Err(Error::PortsExhausted));
        // Towards another peer they are free.
        let other = net.stack.tcp_connect(net.peer_at(1)).unwrap();
        net.stack.tcp_close(other).unwrap();
        net.stack.tcp_abort(handles[1]).unwrap();
        assert_eq!(
            net.stack.tcp_close_reason(handles[1]),
            Ok(Some(CloseReason::Aborted))
        );
        assert!(net.stack.tcp_connect(to).is_ok());
    });
}

/// A connection from a port of one's own to the same port would be a simultaneous open with itself,
/// and the listener there would never hear of it.
#[test]
fn a_connection_to_oneself_does_not_come_from_the_port_it_goes_to() {
    every(|net| {
        let mut net = Net::with(net.setup, |tunables| {
            tunables.ip_local_port_first = 50_000;
            tunables.ip_local_port_last = 50_001;
        });
        let us = net.us;
        let to = net.socket(us, 50_000);
        let handle = net.stack.tcp_connect(to).unwrap();
        assert_eq!(net.stack.tcp_local_addr(handle).unwrap().port(), 50_001);
        assert_eq!(net.stack.tcp_connect(to), Err(Error::PortsExhausted));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
//= type=test
//# When a connection is closed actively, it MUST linger in the TIME-WAIT
//# state for a time 2xMSL (Maximum Segment Lifetime) (MUST-13).
#[test]
fn a_time_wait_stays_until_there_is_room_for_its_successor() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 1);
        let mut conn = net.accepted(listener, PEER_PORT);
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        net.stack.tcp_close(conn.handle).unwrap();
        let again = tcp("S").seq(conn.seq + 1_000);
        // No room among those that wait to be accepted.
        handshake(&mut net, 2);
        net.send(again.clone());
        net.silent();
        assert_eq!(net.stack.usage().time_wait, 1);
        // None among the handshakes: no cookie has an initial sequence number beyond the old ones.
        net.stack.tcp_accept(listener).unwrap().unwrap();
        net.send(tcp("S").peer_port(3));
        net.expect(tcp("S.").peer_port(3));
        net.send(again.clone());
        net.silent();
        assert_eq!(net.stack.usage().time_wait, 1);
        net.send(tcp("R").seq(IRS + 1).peer_port(3));
        net.send(again);
        let iss = net.expect(tcp("S.").ack(conn.seq + 1_001)).tcp.seq;
        assert!(iss.wrapping_sub(conn.ack) as i32 > 65_535);
        assert_eq!(net.stack.usage().time_wait, 0);
    });
}

#[test]
fn sharers_that_come_after_one_has_gone_share_too() {
    every(|mut net| {
        let listen = |net: &mut Net| net.stack.tcp_listen_with(PORT.into(), SHARED).unwrap();
        let mut sharers: Vec<_> = (0..3).map(|_| listen(&mut net)).collect();
        let mut peer_port = 1_000;
        // The first goes and its place is taken again; then those go that came before it.
        for gone in [0, 0, 1] {
            net.stack.tcp_close_listener(sharers.remove(gone)).unwrap();
            for come in [false, true] {
                if come {
                    sharers.push(listen(&mut net));
                }
                let mut counts = vec![0; sharers.len()];
                for _ in 0..60 {
                    peer_port += 1;
                    let ack = handshake(&mut net, peer_port);
                    for (count, listener) in counts.iter_mut().zip(&sharers) {
                        if let Some(handle) = net.stack.tcp_accept(*listener).unwrap() {
                            *count += 1;
                            net.stack.tcp_abort(handle).unwrap();
                            net.stack.tcp_close(handle).unwrap();
                        }
                    }
                    net.pump();
                    net.expect(tcp("R.").seq(ack).peer_port(peer_port));
                }
                assert_eq!(counts.iter().sum::<i32>(), 60);
                assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
            }
        }
    });
}

#[test]
fn a_full_send_buffer_is_not_writable_however_long_it_is() {
    // Lent memory may be less than the tunable says that a send buffer has.
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        let is_writable = |net: &Net| net.stack.tcp_readiness(conn.handle).unwrap().writable;
        assert!(is_writable(&net));
        let mut taken = 0;
        while let Ok(n) = net.stack.tcp_write(conn.handle, &[0; 1_000]) {
            taken += n;
        }
        assert!(!is_writable(&net));
        let settings = net.stack.tcp_settings(conn.handle).unwrap();
        assert_eq!(settings.send_buffer as usize, taken);
    });
}

#[test]
fn who_may_not_write_any_more_need_not_wait_to_hear_so() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        net.stack.tcp_set_send_buffer(conn.handle, 4_000).unwrap();
        while net.stack.tcp_write(conn.handle, &[0; 1_000]).is_ok() {}
        let is_writable = |net: &Net| net.stack.tcp_readiness(conn.handle).unwrap().writable;
        assert!(!is_writable(&net));
        assert_eq!(net.stack.tcp_can_write(conn.handle), Ok(true));
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        assert!(is_writable(&net));
        assert_eq!(net.stack.tcp_can_write(conn.handle), Ok(false));
        assert_eq!(
            net.stack.tcp_write(conn.handle, b"more"),
            Err(Error::SendAfterShutdown)
        );
        // Before there is a connection there is nothing to write to.
        let opening = net.stack.tcp_connect(net.peer_at(1)).unwrap();
        assert!(!net.stack.tcp_readiness(opening).unwrap().writable);
    });
}
