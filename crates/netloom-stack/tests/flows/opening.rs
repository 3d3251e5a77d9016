//! A flow wants to open: accepted, refused, held.

use netloom_stack::flow::{FlowProtocol, FlowState, FlowTuple, Open, Refusal, Unreachable};
use netloom_stack::{CloseReason, Error, State};

use crate::common::Profile;
use crate::world::{IF, World, everywhere};

#[test]
fn the_handler_learns_who_speaks_with_whom() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        let tuple = world.flows.tuple(id).unwrap();
        assert_eq!(tuple.destination(), far.parse().unwrap());
        assert_eq!(tuple.source(), world.client.tcp_local_addr(handle).unwrap());
        assert_eq!(
            world.flows.state(id),
            Ok(FlowState::Tcp(State::Established))
        );
        assert_eq!(world.flows.len(), 1);
    });
}

#[test]
fn the_answer_to_a_syn_echoes_its_timestamp() {
    for answer in [Open::Accept, Open::Hold] {
        everywhere(|profile, far| {
            let mut world = World::new(profile);
            world.seen.answer = answer;
            world.client.tcp_connect(far.parse().unwrap()).unwrap();
            let _ = world.client.transmit(world.now, IF, &mut world.to_flows);
            let syn = world.to_flows.frames.pop_front().unwrap();
            world.flows.packet_in(world.now, &syn, &mut world.seen);
            if answer == Open::Hold {
                world.flows.accept(world.now, world.seen.id()).unwrap();
            }
            let (to_client, seen) = (&mut world.to_client, &mut world.seen);
            let _ = world.flows.packets_out(world.now, to_client, seen);
            let syn_ack = world.to_client.frames.pop_front().unwrap();
            // MSS and SACK-permitted come first, of 4 and 2 octets.
            let options = if far.starts_with('[') { 60 } else { 40 };
            let (value, echo) = (options + 8, options + 12);
            assert_eq!(syn_ack[echo..echo + 4], syn[value..value + 4]);
            assert_ne!(syn[value..value + 4], [0; 4]);
        });
    }
}

#[test]
fn a_refused_flow_is_refused_as_a_closed_port_refuses() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Refuse(Refusal::Rst);
        let handle = world.connect(far);
        assert_eq!(
            world.client.tcp_close_reason(handle),
            Ok(Some(CloseReason::Refused))
        );
        assert!(world.flows.is_empty() && world.seen.closed.is_empty());
    });
}

#[test]
fn an_unreachable_flow_is_unreachable() {
    for (what, reason) in [
        (Unreachable::Network, None),
        (Unreachable::Host, None),
        (Unreachable::Port, Some(CloseReason::PortUnreachable)),
        (Unreachable::Prohibited, Some(CloseReason::HostUnreachable)),
    ] {
        everywhere(|profile, far| {
            let mut world = World::new(profile);
            world.seen.answer = Open::Refuse(Refusal::Icmp(what));
            let handle = world.connect(far);
            // A hard error ends the attempt, a soft one is noted (RFC 9293 §3.9.2.2).
            match reason {
                Some(reason) => {
                    assert_eq!(world.client.tcp_close_reason(handle), Ok(Some(reason)));
                }
                None => {
                    let soft = world.client.tcp_take_soft_error(handle);
                    assert_eq!(soft, Ok(true), "{what:?} {far} {profile:?}");
                }
            }
            assert!(world.flows.is_empty());
        });
    }
}

#[test]
fn a_dropped_flow_is_silence() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Refuse(Refusal::Drop);
        let handle = world.connect(far);
        world.pass(4.0);
        assert_eq!(world.client.tcp_state(handle), Ok(State::SynSent));
        assert!(world.seen.openings.len() >= 2, "each SYN asks again");
        assert!(world.flows.is_empty());
    });
}

#[test]
fn a_held_flow_is_answered_when_it_is_accepted() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Hold;
        let handle = world.connect(far);
        // The client repeats its SYN meanwhile: absorbed.
        world.pass(8.0);
        let id = world.seen.id();
        assert_eq!(world.flows.state(id), Ok(FlowState::Held));
        assert_eq!(world.client.tcp_state(handle), Ok(State::SynSent));
        world.flows.accept(world.now, id).unwrap();
        world.settle();
        assert!(world.client.tcp_readiness(handle).unwrap().connected);
        assert_eq!(
            world.flows.accept(world.now, id),
            Err(Error::InvalidArgument)
        );
        let refused = world.flows.refuse(world.now, id, Refusal::Rst);
        assert_eq!(refused, Err(Error::InvalidArgument));
    });
}

#[test]
fn a_held_flow_can_be_refused() {
    everywhere(|profile, far| {
        for (refusal, reason) in [
            (Refusal::Rst, CloseReason::Refused),
            (
                Refusal::Icmp(Unreachable::Port),
                CloseReason::PortUnreachable,
            ),
        ] {
            let mut world = World::new(profile);
            world.seen.answer = Open::Hold;
            let handle = world.connect(far);
            let id = world.seen.id();
            world.flows.refuse(world.now, id, refusal).unwrap();
            world.settle();
            assert_eq!(world.client.tcp_close_reason(handle), Ok(Some(reason)));
            assert_eq!(world.flows.state(id), Err(Error::StaleHandle));
            assert!(world.seen.closed.is_empty() && world.flows.is_empty());
        }
    });
}

#[test]
fn a_client_that_begins_anew_is_held_with_its_new_number() {
    let mut world = World::new(Profile::Heap);
    world.seen.answer = Open::Hold;
    let from: std::net::SocketAddr = "10.0.0.1:4000".parse().unwrap();
    let far = "203.0.113.9:80".parse().unwrap();
    let first = world.client.tcp_connect_from(from, far).unwrap();
    world.settle();
    // Given up in silence: SYN-SENT ends without a segment.
    world.client.tcp_close(first).unwrap();
    world.pass(2.0);
    let second = world.client.tcp_connect_from(from, far).unwrap();
    world.settle();
    let id = world.seen.id();
    world.flows.accept(world.now, id).unwrap();
    world.settle();
    assert!(world.client.tcp_readiness(second).unwrap().connected);
}

#[test]
fn flows_open_from_this_side_in_anybodys_name() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let far: std::net::SocketAddr = far.parse().unwrap();
        let listener = world.client.tcp_listen(7000).unwrap();
        let peer = if far.is_ipv4() {
            "10.0.0.1:7000"
        } else {
            "[fd00::1]:7000"
        };
        let tuple = FlowTuple {
            protocol: FlowProtocol::Tcp,
            local: far,
            remote: peer.parse().unwrap(),
        };
        let id = world.flows.open(world.now, &tuple).unwrap();
        assert!(world.flows.open(world.now, &tuple).is_err(), "it is there");
        world.settle();
        let accepted = world.client.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(world.client.tcp_peer_addr(accepted), Ok(far));
        let rest = world.flows.data_in(world.now, id, b"news").unwrap();
        assert!(rest.is_empty());
        world.settle();
        assert_eq!(world.read(accepted), b"news");
        let echo = FlowTuple {
            protocol: FlowProtocol::Echo,
            ..tuple
        };
        assert_eq!(
            world.flows.open(world.now, &echo),
            Err(Error::InvalidArgument)
        );
    });
}

#[test]
fn a_segment_without_a_flow_is_reset() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.flows.abort(world.now, id).unwrap();
        // The reset is lost, and the client goes on talking.
        let _ = world
            .flows
            .packets_out(world.now, &mut world.to_client, &mut world.seen);
        world.to_client.frames.clear();
        assert_eq!(world.seen.closed, [(id, CloseReason::Aborted)]);
        world.client.tcp_write(handle, b"anybody there?").unwrap();
        world.settle();
        assert_eq!(
            world.client.tcp_close_reason(handle),
            Ok(Some(CloseReason::PeerReset))
        );
    });
}
