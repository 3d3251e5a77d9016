//! A device that carries less than the interface was told.

mod common;

use common::{IF, Profile, Queue, stack};
use netloom_stack::driver::{Instant, RxMeta, TxCaps};
use netloom_stack::wire::{Addr, Icmpv4Repr, Ipv4Repr, protocol};
use netloom_stack::{DropReason, Layer};

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
