//! A device that carries less than the interface was told.

mod common;

use common::{IF, Profile, Queue, stack};
use netloom_stack::driver::{Instant, RxMeta, TxCaps};
use netloom_stack::wire::{Addr, Icmpv4Repr, Ipv4Repr, protocol};
use netloom_stack::{DropReason, Layer, TcpHandle};

/// An echo request with 1000 bytes from 10.0.0.2 to 10.0.0.1.
fn echo_request() -> Vec<u8> {
    let data = [0x42; 1000];
    let message = Icmpv4Repr::EchoRequest {
        ident: 1,
        seq: 1,
        data: &data,
    };
    let mut packet = vec![0; 20 + message.len()];
    let (src, dst) = (Addr::v4([10, 0, 0, 2]), Addr::v4([10, 0, 0, 1]));
    let header = Ipv4Repr::new(src, dst, protocol::ICMP, message.len() as u16);
    message.emit(header.emit(&mut packet).unwrap()).unwrap();
    packet
}

#[test]
fn an_answer_that_no_longer_fits_the_device_is_dropped_and_counted() {
    for (mtu, sent, dropped) in [(1500, 1, 0), (1028, 1, 0), (1027, 0, 1)] {
        let mut stack = stack(Profile::Heap, false, 1);
        let now = Instant::from_secs(1);
        stack.receive(now, IF, &echo_request(), &RxMeta::default());
        // The device changed its mind in between.
        let mut device = Queue::new();
        device.caps = TxCaps::plain(mtu);
        let turn = stack.transmit(now, IF, &mut device);
        assert_eq!((turn.frames, device.frames.len()), (sent, sent), "{mtu}");
        assert_eq!(stack.counters().dropped(DropReason::TooBig), dropped);
        assert_eq!(stack.counters().held(Layer::Output), 0);
        stack.counters().balance().unwrap();
    }
}

#[test]
fn a_connections_segments_fit_the_device_as_it_is_now() {
    for address in ["10.0.0.2:80", "[fd00::2]:80"] {
        let mut pair = common::Pair::new(Profile::Heap, false);
        pair.to_b.caps = TxCaps::plain(1400);
        let listener = pair.b.tcp_listen(80).unwrap();
        let client = pair.a.tcp_connect(address.parse().unwrap()).unwrap();
        pair.settle();
        let server = pair.b.tcp_accept(listener).unwrap().unwrap();
        pair.a.tcp_write(client, &[7; 5_000]).unwrap();
        let _ = pair.a.transmit(pair.now, IF, &mut pair.to_b);
        assert_eq!(pair.to_b.frames.iter().map(Vec::len).max(), Some(1400));
        pair.settle();
        // It shrinks while data is in flight.
        pair.to_b.caps = TxCaps::plain(1280);
        pair.a.tcp_write(client, &[8; 5_000]).unwrap();
        let _ = pair.a.transmit(pair.now, IF, &mut pair.to_b);
        assert_eq!(pair.to_b.frames.iter().map(Vec::len).max(), Some(1280));
        pair.settle();
        pair.pass(1_000_000);
        assert_eq!(pair.b.tcp_readable(server), Ok(10_000));
    }
}

/// The longest packet with which 5000 bytes leave.
fn longest(pair: &mut common::Pair, ends: [TcpHandle; 2]) -> Option<usize> {
    let [client, server] = ends;
    assert_eq!(pair.a.tcp_write(client, &[7; 5_000]), Ok(5_000));
    let _ = pair.a.transmit(pair.now, IF, &mut pair.to_b);
    let longest = pair.to_b.frames.iter().map(Vec::len).max();
    pair.settle();
    pair.pass(1_000_000);
    assert_eq!(pair.b.tcp_read(server, &mut [0; 6_000]), Ok(5_000));
    longest
}

#[test]
fn a_connections_segments_grow_with_device_and_interface() {
    for profile in [Profile::Heap, Profile::Lent] {
        for address in ["10.0.0.2:80", "[fd00::2]:80"] {
            let mut pair = common::Pair::new(profile, false);
            let listener = pair.b.tcp_listen(80).unwrap();
            let client = pair.a.tcp_connect(address.parse().unwrap()).unwrap();
            pair.settle();
            let ends = [client, pair.b.tcp_accept(listener).unwrap().unwrap()];
            assert_eq!(longest(&mut pair, ends), Some(1500));
            for (device, interface, fits) in [
                (1300, 1500, 1300),
                (1400, 1500, 1400),
                (1400, 1280, 1280),
                (1500, 1280, 1280),
                (1500, 1500, 1500),
                // The peer takes no more.
                (9000, 9000, 1500),
            ] {
                pair.to_b.caps = TxCaps::plain(device);
                pair.a.set_interface_mtu(IF, interface).unwrap();
                assert_eq!(longest(&mut pair, ends), Some(fits), "{address}");
            }
        }
    }
}
