//! Flows that nobody uses, completes or decides upon.

use std::time::Duration;

use netloom_stack::flow::{FlowConfig, FlowTimeouts, Open};
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Error};

use crate::common::Profile;
use crate::world::{IF, World, everywhere};

#[test]
fn an_idle_connection_ends_after_two_hours() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.pass(7000.0);
        world.client.tcp_write(handle, b"still here").unwrap();
        world.pass(7000.0);
        // So does what this side says.
        let _ = world.flows.data_in(world.now, id, b"me too").unwrap();
        world.pass(7199.0);
        assert!(world.seen.closed.is_empty());
        world.pass(2.0);
        assert_eq!(world.seen.closed, [(id, CloseReason::IdleTimedOut)]);
        assert_eq!(
            world.client.tcp_close_reason(handle),
            Ok(Some(CloseReason::PeerReset))
        );
        assert!(world.flows.is_empty());
    });
}

#[test]
fn a_half_closed_connection_ends_after_its_own_time() {
    everywhere(|profile, far| {
        for ours in [true, false] {
            let timeouts = FlowTimeouts {
                half_closed: Duration::from_secs(50),
                ..FlowTimeouts::default()
            };
            let mut world = World::with(profile, FlowConfig::default().timeouts(timeouts));
            let (handle, id) = world.open(far);
            if ours {
                world.flows.finish(world.now, id).unwrap();
            } else {
                world.client.tcp_shutdown(handle, How::Write).unwrap();
            }
            world.pass(49.0);
            assert!(world.seen.closed.is_empty());
            world.pass(3.0);
            assert_eq!(world.seen.closed, [(id, CloseReason::HalfClosedTimedOut)]);
        }
    });
}

#[test]
fn a_handshake_that_is_not_completed_ends_after_fifteen_seconds() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let _ = world.client.tcp_connect(far.parse().unwrap()).unwrap();
        let _ = world.client.transmit(world.now, IF, &mut world.to_flows);
        let syn = world.to_flows.frames.pop_front().unwrap();
        world.flows.packet_in(world.now, &syn, &mut world.seen);
        let id = world.seen.id();
        let mut syn_acks = 0;
        let begun = world.now;
        while world.seen.closed.is_empty() {
            let _ = world
                .flows
                .packets_out(world.now, &mut world.to_client, &mut world.seen);
            syn_acks += world.to_client.frames.len();
            world.to_client.frames.clear();
            if let Some(next) = world.flows.next_deadline() {
                world.now = next.max(world.now);
            }
        }
        let took = world.now.micros_since(begun);
        assert!((14_900_000..15_100_000).contains(&took), "{took}");
        assert_eq!(world.seen.closed, [(id, CloseReason::HandshakeTimedOut)]);
        assert_eq!(syn_acks, 4, "at 0, 1, 3 and 7 seconds");
        assert!(world.flows.is_empty());
    });
}

#[test]
fn a_held_flow_is_refused_after_thirty_seconds() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Hold;
        let handle = world.connect(far);
        world.pass(29.5);
        assert!(world.seen.closed.is_empty());
        world.pass(1.0);
        let id = world.seen.id();
        assert_eq!(world.seen.closed, [(id, CloseReason::PeerNeverAppeared)]);
        assert_eq!(
            world.client.tcp_close_reason(handle),
            Ok(Some(CloseReason::Refused))
        );
    });
}

#[test]
fn a_conversation_of_datagrams_ends_after_five_minutes() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let socket = world.client.udp_bind(5000).unwrap();
        let far = far.parse().unwrap();
        world.client.udp_send_to(socket, b"one", far).unwrap();
        world.settle();
        let id = world.seen.id();
        world.pass(250.0);
        let _ = world.flows.data_in(world.now, id, b"two").unwrap();
        world.pass(299.0);
        assert!(world.seen.closed.is_empty());
        world.pass(2.0);
        assert_eq!(world.seen.closed, [(id, CloseReason::IdleTimedOut)]);
        // The next datagram is another flow.
        world.client.udp_send_to(socket, b"three", far).unwrap();
        world.settle();
        assert_eq!(world.seen.openings.len(), 2);
        assert_eq!(
            world.flows.data_in(world.now, id, b"x").unwrap_err(),
            Error::StaleHandle
        );
    });
}

#[test]
fn zero_means_never() {
    let timeouts = FlowTimeouts {
        tcp_idle: Duration::ZERO,
        udp_idle: Duration::ZERO,
        ..FlowTimeouts::default()
    };
    let config = FlowConfig::default().timeouts(timeouts);
    let mut world = World::with(Profile::Heap, config);
    let (_, _) = world.open("203.0.113.9:80");
    let socket = world.client.udp_bind(5000).unwrap();
    let far = "203.0.113.9:53".parse().unwrap();
    world.client.udp_send_to(socket, b"one", far).unwrap();
    world.pass(100_000.0);
    assert!(world.seen.closed.is_empty());
    assert_eq!(world.flows.len(), 2);
}
