//! Two stacks on one wire: handshake, data both ways, close, over every medium, version and
//! kind of memory.
mod common;

use common::{Pair, Profile};
use netloom_stack::{CloseReason, Error, State};

fn every(mut test: impl FnMut(Pair, &str)) {
    for profile in [Profile::Heap, Profile::Lent] {
        for ethernet in [false, true] {
            for address in ["10.0.0.2", "fd00::2"] {
                test(Pair::new(profile, ethernet), address);
            }
        }
    }
}

fn socket(address: &str, port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address.parse().unwrap(), port)
}

#[test]
fn handshake_data_and_close() {
    every(|mut pair, address| {
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(socket(address, 80)).unwrap();
        pair.settle();
        assert_eq!(pair.a.tcp_state(client), Ok(State::Established));
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(pair.b.tcp_state(server), Ok(State::Established));
        assert_eq!(pair.a.tcp_write(client, b"hello"), Ok(5));
        pair.settle();
        let mut buffer = [0; 16];
        assert_eq!(pair.b.tcp_read(server, &mut buffer), Ok(5));
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(pair.b.tcp_read(server, &mut buffer), Err(Error::WouldBlock));
        pair.b.tcp_close(server).unwrap();
        pair.settle();
        assert_eq!(pair.a.tcp_state(client), Ok(State::CloseWait));
        assert_eq!(pair.a.tcp_read(client, &mut buffer), Ok(0));
        pair.a
            .tcp_shutdown(client, netloom_stack::tcp::How::Write)
            .unwrap();
        pair.settle();
        assert_eq!(pair.a.tcp_state(client), Ok(State::Closed));
        assert_eq!(
            pair.a.tcp_close_reason(client),
            Ok(Some(CloseReason::Finished))
        );
        pair.a.tcp_close(client).unwrap();
        assert_eq!(pair.a.tcp_state(client), Err(Error::StaleHandle));
        pair.pass(300_000_000);
        pair.b.tcp_close_listener(listener).unwrap();
    });
}

#[test]
fn a_megabyte_each_way() {
    every(|mut pair, address| {
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(socket(address, 80)).unwrap();
        pair.settle();
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        let data: Vec<u8> = (0..1_000_000_u32).map(|i| ((i * 31) >> 3) as u8).collect();
        let (mut sent_a, mut sent_b) = (0, 0);
        let (mut got_a, mut got_b) = (Vec::new(), Vec::new());
        let mut buffer = vec![0; 10_000];
        let mut rounds = 0;
        while got_a.len() < data.len() || got_b.len() < data.len() {
            if let Ok(n) = pair.a.tcp_write(client, &data[sent_a..]) {
                sent_a += n;
            }
            if let Ok(n) = pair.b.tcp_write(server, &data[sent_b..]) {
                sent_b += n;
            }
            pair.step(1_000_000);
            while let Ok(n @ 1..) = pair.a.tcp_read(client, &mut buffer) {
                got_a.extend_from_slice(&buffer[..n]);
            }
            while let Ok(n @ 1..) = pair.b.tcp_read(server, &mut buffer) {
                got_b.extend_from_slice(&buffer[..n]);
            }
            rounds += 1;
            assert!(rounds < 10_000, "{} {}", got_a.len(), got_b.len());
        }
        assert!(got_a == data && got_b == data);
    });
}

#[test]
fn port_zero_listens_on_a_free_port() {
    every(|mut pair, address| {
        let first = pair.b.tcp_listen(0).unwrap();
        let second = pair.b.tcp_listen(0).unwrap();
        let port = pair.b.tcp_listener_addr(first).unwrap().port();
        assert_ne!(port, 0);
        assert_ne!(port, pair.b.tcp_listener_addr(second).unwrap().port());
        let client = pair.a.tcp_connect(socket(address, port)).unwrap();
        pair.settle();
        assert_eq!(pair.a.tcp_state(client), Ok(State::Established));
    });
}

#[test]
fn a_closed_connection_is_unfinished_until_its_fin_is_acknowledged() {
    every(|mut pair, address| {
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(socket(address, 80)).unwrap();
        pair.settle();
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(pair.a.tcp_write(client, b"bye"), Ok(3));
        assert!(pair.a.has_work(common::IF));
        assert_eq!(pair.a.tcp_unfinished(), 0, "it has an owner");
        pair.a.tcp_close(client).unwrap();
        assert_eq!(pair.a.tcp_unfinished(), 1);
        pair.settle();
        assert!(!pair.a.has_work(common::IF));
        assert_eq!(pair.a.tcp_unfinished(), 0, "the peer has all of it");
        pair.b.tcp_close(server).unwrap();
        pair.settle();
    });
}

#[test]
fn whoever_has_shut_down_reading_reads_the_end() {
    every(|mut pair, address| {
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(socket(address, 80)).unwrap();
        pair.settle();
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        assert!(!pair.b.tcp_readiness(server).unwrap().readable);
        pair.b
            .tcp_shutdown(server, netloom_stack::tcp::How::Read)
            .unwrap();
        assert!(pair.b.tcp_readiness(server).unwrap().readable);
        assert_eq!(pair.b.tcp_read(server, &mut [0; 8]), Ok(0));
        pair.a.tcp_write(client, b"discarded").unwrap();
        pair.settle();
        assert_eq!(pair.b.tcp_read(server, &mut [0; 8]), Ok(0));
        assert_eq!(pair.b.tcp_write(server, b"still open"), Ok(10));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
//= type=test
//# The TCP implementation MUST (MUST-33)
//# provide a way for the application to learn how much urgent data
//# remains to be read from the connection, or at least to determine
//# whether more urgent data remains to be read [19].
#[test]
fn urgent_data_is_told_and_counted() {
    every(|mut pair, address| {
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(socket(address, 80)).unwrap();
        pair.settle();
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(pair.a.tcp_write_urgent(client, b"now"), Ok(3));
        assert_eq!(pair.a.tcp_write(client, b"later"), Ok(5));
        pair.settle();
        assert_eq!(pair.b.tcp_urgent(server), Ok(3));
        let mut buffer = [0; 16];
        assert_eq!(pair.b.tcp_read(server, &mut buffer[..2]), Ok(2));
        assert_eq!(pair.b.tcp_urgent(server), Ok(1));
        assert_eq!(pair.b.tcp_read(server, &mut buffer), Ok(6), "in line");
        assert_eq!(pair.b.tcp_urgent(server), Ok(0));
        assert_eq!(&buffer[..6], b"wlater");
    });
}
