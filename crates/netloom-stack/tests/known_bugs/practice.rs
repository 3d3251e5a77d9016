//! `w..`: the page of practice on TCP sockets.

use crate::common::trace::{Conn, PEER_PORT, PORT, every, tcp};
use crate::open;
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error, State};

#[test]
fn w01_nothing_to_read_is_not_the_end() {
    every(|mut net| {
        let conn = open(&mut net);
        let mut buffer = [0; 8];
        for _ in 0..3 {
            assert_eq!(
                net.stack.tcp_read(conn.handle, &mut buffer),
                Err(Error::WouldBlock)
            );
        }
        net.send(conn.tcp("P.").data(b"data"));
        assert_eq!(net.stack.tcp_read(conn.handle, &mut buffer), Ok(4));
    });
}

#[test]
fn w03_the_end_an_error_and_nothing_yet_are_three_answers() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let ended = net.accepted(listener, PEER_PORT);
        let broken = net.accepted(listener, PEER_PORT + 1);
        let open = net.accepted(listener, PEER_PORT + 2);
        net.send(ended.tcp("F."));
        net.out.clear();
        net.send(broken.tcp("R"));
        let mut buffer = [0; 8];
        let mut read = |conn: &Conn| net.stack.tcp_read(conn.handle, &mut buffer);
        assert_eq!(read(&ended), Ok(0));
        assert_eq!(read(&broken), Err(Error::Closed(CloseReason::PeerReset)));
        assert_eq!(read(&open), Err(Error::WouldBlock));
    });
}

#[test]
fn w05_an_attempt_to_connect_can_be_bounded() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        let limit = core::time::Duration::from_secs(5);
        net.stack.tcp_set_user_timeout(handle, Some(limit)).unwrap();
        net.pass_ms(4_900);
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynSent));
        net.pass_ms(300);
        assert_eq!(net.stack.tcp_state(handle), Ok(State::Closed));
        assert_eq!(
            net.stack.tcp_close_reason(handle),
            Ok(Some(CloseReason::UserTimedOut))
        );
    });
}

#[test]
fn w06_errors_have_types() {
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let syn = net.expect(tcp("S"));
        let ack = syn.tcp.seq.wrapping_add(1);
        net.send(tcp("R.").ack(ack).port(syn.tcp.src_port));
        assert_eq!(
            net.stack.tcp_read(handle, &mut [0; 4]),
            Err(Error::Closed(CloseReason::Refused))
        );
        net.stack.tcp_close(handle).unwrap();
        let conn = open(&mut net);
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        assert_eq!(
            net.stack.tcp_write(conn.handle, b"x"),
            Err(Error::SendAfterShutdown)
        );
    });
}
