//! TCP flows: data, credit and windows, finishing.

use netloom_stack::flow::{FlowConfig, FlowState};
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error, State, Tunables};

use crate::common::Profile;
use crate::world::{IF, World, everywhere, pattern};

#[test]
fn data_goes_both_ways() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.client.tcp_write(handle, b"question").unwrap();
        world.settle();
        assert_eq!(world.seen.bytes(id), b"question");
        let rest = world.flows.data_in(world.now, id, b"answer").unwrap();
        assert!(rest.is_empty());
        world.settle();
        assert_eq!(world.read(handle), b"answer");
    });
}

#[test]
fn text_in_order_is_lent_from_the_packet() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        let before = world.flows.memory_in_use();
        for _ in 0..10 {
            world.client.tcp_write(handle, &pattern(1000)).unwrap();
            let _ = world.client.transmit(world.now, IF, &mut world.to_flows);
            for packet in std::mem::take(&mut world.to_flows.frames) {
                let inside = packet.as_ptr() as usize..packet.as_ptr() as usize + packet.len();
                let before = world.seen.bytes(id).len();
                world.flows.packet_in(world.now, &packet, &mut world.seen);
                if world.seen.bytes(id).len() > before {
                    let (at, len) = world.seen.last;
                    assert!(inside.contains(&at) && at + len == inside.end);
                }
            }
            world.settle();
        }
        assert_eq!(world.seen.bytes(id).len(), 10_000);
        assert_eq!(world.flows.memory_in_use(), before, "no buffer was taken");
    });
}

#[test]
fn a_handler_that_owes_credit_closes_the_window() {
    everywhere(|profile, far| {
        let tunables = Tunables {
            tcp_rmem: 8192,
            ..Tunables::default()
        };
        let mut world = World::with(profile, FlowConfig::default().tunables(tunables));
        world.seen.credits = false;
        let (handle, id) = world.open(far);
        let sent = pattern(20_000);
        assert_eq!(world.client.tcp_write(handle, &sent), Ok(20_000));
        world.pass(0.4);
        assert_eq!(world.seen.bytes(id).len(), 8192, "a window, and no more");
        // What it gives back is what comes.
        world.flows.credit(world.now, id, 5000).unwrap();
        world.pass(0.4);
        assert_eq!(world.seen.bytes(id).len(), 13_192);
        // More than it owes gives no more than the window.
        world.flows.credit(world.now, id, usize::MAX).unwrap();
        world.pass(0.4);
        assert_eq!(world.seen.bytes(id), sent);
    });
}

#[test]
fn what_is_not_taken_is_lent_again() {
    everywhere(|profile, far| {
        let tunables = Tunables {
            tcp_rmem: 8192,
            ..Tunables::default()
        };
        let mut world = World::with(profile, FlowConfig::default().tunables(tunables));
        world.seen.appetite = 100;
        let (handle, id) = world.open(far);
        let sent = pattern(30_000);
        assert_eq!(world.client.tcp_write(handle, &sent), Ok(30_000));
        world.pass(0.4);
        assert_eq!(world.seen.bytes(id).len(), 100);
        assert!(world.client.tcp_unacked(handle).unwrap() > 30_000 - 8192 - 200);
        while world.seen.bytes(id).len() < sent.len() {
            world.seen.appetite += 3000;
            world.flows.credit(world.now, id, 0).unwrap();
            world.pass(0.4);
        }
        assert_eq!(world.seen.bytes(id), sent);
        world.client.tcp_shutdown(handle, How::Write).unwrap();
        world.settle();
        assert_eq!(world.seen.finished, [id]);
    });
}

#[test]
fn the_end_of_the_stream_waits_for_what_was_not_taken() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.appetite = 0;
        let (handle, id) = world.open(far);
        world.client.tcp_write(handle, b"last words").unwrap();
        world.client.tcp_shutdown(handle, How::Write).unwrap();
        world.settle();
        world.flows.finish(world.now, id).unwrap();
        world.pass(1.0);
        // Both sides have finished; the text is still the handler's to take.
        assert!(world.seen.finished.is_empty() && world.seen.closed.is_empty());
        world.seen.appetite = usize::MAX;
        world.flows.credit(world.now, id, 0).unwrap();
        world.settle();
        assert_eq!(world.seen.bytes(id), b"last words");
        assert_eq!(world.seen.finished, [id]);
        assert_eq!(world.seen.closed, [(id, CloseReason::Finished)]);
        assert_eq!(world.flows.state(id), Err(Error::StaleHandle));
    });
}

#[test]
fn each_direction_finishes_by_itself() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.flows.finish(world.now, id).unwrap();
        world.settle();
        let mut buffer = [0; 8];
        assert_eq!(world.client.tcp_read(handle, &mut buffer), Ok(0));
        assert_eq!(
            world.flows.data_in(world.now, id, b"x").unwrap_err(),
            Error::SendAfterShutdown
        );
        world.client.tcp_write(handle, b"more").unwrap();
        world.settle();
        assert_eq!(world.seen.bytes(id), b"more");
        assert_eq!(world.flows.state(id), Ok(FlowState::Tcp(State::FinWait2)));
        world.client.tcp_close(handle).unwrap();
        world.settle();
        assert_eq!(world.seen.closed, [(id, CloseReason::Finished)]);
        assert!(world.flows.is_empty());
    });
}

#[test]
fn what_does_not_fit_is_returned_and_called_for() {
    everywhere(|profile, far| {
        let tunables = Tunables {
            tcp_wmem: 8192,
            ..Tunables::default()
        };
        let mut world = World::with(profile, FlowConfig::default().tunables(tunables));
        let (handle, id) = world.open(far);
        let sent = pattern(100_000);
        let mut at = 0;
        let mut got = Vec::new();
        for _ in 0..1000 {
            let rest = world.flows.data_in(world.now, id, &sent[at..]).unwrap();
            let taken = sent.len() - at - rest.len();
            assert!(taken <= 8192);
            at += taken;
            if at == sent.len() {
                break;
            }
            world.seen.writable.clear();
            world.pass(0.05);
            got.extend(world.read(handle));
            let (called, room) = world.seen.writable[0];
            assert!(called == id && room >= 8192 / 3);
        }
        world.flows.finish(world.now, id).unwrap();
        world.pass(0.5);
        got.extend(world.read(handle));
        assert_eq!(got, sent);
    });
}

#[test]
fn data_for_a_flow_that_is_not_open_waits_until_it_is() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = netloom_stack::flow::Open::Hold;
        let handle = world.connect(far);
        let id = world.seen.id();
        let rest = world.flows.data_in(world.now, id, b"early").unwrap();
        assert_eq!(&*rest, b"early");
        world.flows.accept(world.now, id).unwrap();
        world.settle();
        assert_eq!(world.seen.writable.len(), 1);
        let _ = world.flows.data_in(world.now, id, b"early").unwrap();
        world.settle();
        assert_eq!(world.read(handle), b"early");
    });
}

#[test]
fn a_reset_reaches_the_handler() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.client.tcp_abort(handle).unwrap();
        world.settle();
        assert_eq!(world.seen.closed, [(id, CloseReason::PeerReset)]);
        assert_eq!(
            world.flows.data_in(world.now, id, b"x").unwrap_err(),
            Error::StaleHandle
        );
    });
}

#[test]
fn a_merged_segment_is_lent_whole() {
    use netloom_stack::driver::RxMeta;
    let mut world = World::new(Profile::Heap);
    let (handle, id) = world.open("203.0.113.9:80");
    world.to_flows.caps.gso_max = 65_535;
    world.to_flows.caps.checksum = false;
    let sent = pattern(30_000);
    for _ in 0..20 {
        let unsent = &sent[..];
        if world.seen.bytes(id).is_empty() {
            let _ = world.client.tcp_write(handle, unsent).unwrap();
        }
        let _ = world.client.transmit(world.now, IF, &mut world.to_flows);
        for packet in std::mem::take(&mut world.to_flows.frames) {
            let meta = RxMeta {
                gso_size: if packet.len() > 1500 { 1448 } else { 0 },
                ..RxMeta::default()
            };
            world
                .flows
                .packet_in_with(world.now, &packet, &meta, &mut world.seen);
        }
        world.pass(0.05);
    }
    assert_eq!(world.seen.bytes(id), sent);
}
