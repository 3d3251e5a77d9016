//! UDP and echo flows.

use netloom_stack::flow::{FlowProtocol, FlowState, FlowTuple, Open, Refusal, Unreachable};
use netloom_stack::icmp::{EchoError, EchoRequest};
use netloom_stack::{CloseReason, Error};

use crate::common::Profile;
use crate::common::packets::{addr, icmp_packet};
use crate::world::{World, everywhere};

#[test]
fn datagrams_go_both_ways() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let socket = world.client.udp_bind(5000).unwrap();
        let far = far.parse().unwrap();
        for text in [&b"one"[..], b"two"] {
            world.client.udp_send_to(socket, text, far).unwrap();
            world.settle();
        }
        let id = world.seen.id();
        assert_eq!(world.flows.state(id), Ok(FlowState::Udp));
        assert_eq!(world.flows.tuple(id).unwrap().destination(), far);
        assert_eq!(world.seen.bytes(id), b"onetwo");
        assert!(
            world
                .flows
                .data_in(world.now, id, b"back")
                .unwrap()
                .is_empty()
        );
        world.settle();
        let mut buffer = [0; 16];
        let got = world.client.udp_recv(socket, &mut buffer).unwrap();
        assert_eq!((got.copied, &buffer[..4]), (4, &b"back"[..]));
        assert_eq!(got.meta.remote, far.ip().into());
        let long = vec![0; 2000];
        assert_eq!(
            world.flows.data_in(world.now, id, &long).unwrap_err(),
            Error::MessageTooLong
        );
        world.flows.finish(world.now, id).unwrap();
        world.settle();
        assert_eq!(world.seen.closed, [(id, CloseReason::Finished)]);
    });
}

#[test]
fn a_refused_datagram_is_told_so() {
    everywhere(|profile, far| {
        for (refusal, error) in [
            (Refusal::Rst, Some(Error::PortUnreachable)),
            (
                Refusal::Icmp(Unreachable::Host),
                Some(Error::HostUnreachable),
            ),
            (Refusal::Drop, None),
        ] {
            for held in [false, true] {
                let mut world = World::new(profile);
                world.seen.answer = if held {
                    Open::Hold
                } else {
                    Open::Refuse(refusal)
                };
                let socket = world.client.udp_bind(5000).unwrap();
                let far = far.parse().unwrap();
                world.client.udp_connect(socket, far).unwrap();
                world.client.udp_send(socket, b"hello?").unwrap();
                world.settle();
                if held {
                    let id = world.seen.id();
                    world.flows.refuse(world.now, id, refusal).unwrap();
                    world.settle();
                }
                assert_eq!(world.client.udp_take_error(socket), Ok(error));
                assert!(world.flows.is_empty() && world.seen.closed.is_empty());
            }
        }
    });
}

#[test]
fn what_came_while_a_flow_was_held_is_delivered_in_order() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Hold;
        let socket = world.client.udp_bind(5000).unwrap();
        let far = far.parse().unwrap();
        for text in [&b"a"[..], b"bc", b"def"] {
            world.client.udp_send_to(socket, text, far).unwrap();
        }
        world.settle();
        let id = world.seen.id();
        assert_eq!(world.seen.bytes(id), b"");
        let before = world.flows.memory_in_use();
        world.flows.accept(world.now, id).unwrap();
        world.settle();
        assert_eq!(world.seen.bytes(id), b"abcdef");
        if profile == Profile::Heap {
            assert!(world.flows.stack().usage().udp == 1 && before > 0);
        }
    });
}

#[test]
fn an_icmp_error_reaches_the_flow_it_quotes() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let socket = world.client.udp_bind(5000).unwrap();
        let far = far.parse().unwrap();
        world.client.udp_send_to(socket, b"one", far).unwrap();
        world.settle();
        let id = world.seen.id();
        world.client.udp_close(socket).unwrap();
        let _ = world.flows.data_in(world.now, id, b"gone?").unwrap();
        world.settle();
        assert_eq!(world.seen.errors, [(id, Error::PortUnreachable)]);
        // Nobody is told of what nobody sent.
        let other = FlowTuple {
            protocol: FlowProtocol::Udp,
            local: far,
            remote: if far.is_ipv4() {
                "10.0.0.1:1".parse().unwrap()
            } else {
                "[fd00::1]:1".parse().unwrap()
            },
        };
        let other = world.flows.open(world.now, &other).unwrap();
        let _ = world.flows.data_in(world.now, other, b"closed").unwrap();
        world.settle();
        assert_eq!(world.seen.errors.len(), 2);
        assert_eq!(world.seen.errors[1], (other, Error::PortUnreachable));
    });
}

#[test]
fn an_icmp_error_reaches_a_connection_only_if_it_is_in_flight() {
    let mut world = World::new(Profile::Heap);
    let (handle, id) = world.open("203.0.113.9:80");
    let peer = world.client.tcp_local_addr(handle).unwrap();
    let _ = world.flows.data_in(world.now, id, b"text").unwrap();
    let _ = world
        .flows
        .packets_out(world.now, &mut world.to_client, &mut world.seen);
    let sent = world.to_client.frames.pop_back().unwrap();
    let error = |quoted: &[u8]| {
        icmp_packet(
            addr("198.51.100.1"),
            addr("203.0.113.9"),
            64,
            3,
            1,
            [0; 4],
            quoted,
        )
    };
    let mut forged = sent[..28].to_vec();
    forged[24..28].copy_from_slice(&[1, 2, 3, 4]);
    world
        .flows
        .packet_in(world.now, &error(&forged), &mut world.seen);
    assert!(world.seen.errors.is_empty());
    world
        .flows
        .packet_in(world.now, &error(&sent[..28]), &mut world.seen);
    assert_eq!(world.seen.errors, [(id, Error::HostUnreachable)]);
    assert_eq!(peer.port(), world.flows.tuple(id).unwrap().source().port());
    assert!(world.seen.closed.is_empty(), "a soft error ends nothing");
}

fn ping(world: &mut World, far: &str, sequence: u16, data: &[u8]) -> netloom_stack::EchoHandle {
    let to: std::net::SocketAddr = far.parse().unwrap();
    let socket = world.client.echo_open().unwrap();
    let request = EchoRequest::new(to.ip(), sequence);
    world.client.echo_send(socket, &request, data).unwrap();
    world.settle();
    socket
}

#[test]
fn echoes_are_handed_on_and_answered() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let socket = ping(&mut world, far, 7, b"are you there");
        let id = world.seen.id();
        assert_eq!(world.seen.echoes, [(id, 7, b"are you there".to_vec())]);
        assert_eq!(world.flows.state(id), Ok(FlowState::Echo));
        let tuple = world.flows.tuple(id).unwrap();
        assert_eq!(tuple.protocol, FlowProtocol::Echo);
        assert_eq!(tuple.destination().port(), 0);
        world
            .flows
            .echo_reply(world.now, id, 7, b"are you there")
            .unwrap();
        world.settle();
        let mut buffer = [0; 32];
        let reply = world.client.echo_recv(socket, &mut buffer).unwrap();
        assert_eq!((reply.sequence, reply.len, reply.error), (7, 13, None));
        let far: std::net::SocketAddr = far.parse().unwrap();
        assert_eq!(reply.from, far.ip());
        assert_eq!(
            world.flows.data_in(world.now, id, b"x").unwrap_err(),
            Error::InvalidArgument
        );
        world.pass(61.0);
        assert_eq!(world.seen.closed, [(id, CloseReason::IdleTimedOut)]);
    });
}

#[test]
fn echoes_can_be_held_and_refused() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        world.seen.answer = Open::Hold;
        let socket = ping(&mut world, far, 3, b"data");
        let id = world.seen.id();
        world
            .flows
            .refuse(world.now, id, Refusal::Icmp(Unreachable::Host))
            .unwrap();
        world.settle();
        let mut buffer = [0; 32];
        let reply = world.client.echo_recv(socket, &mut buffer).unwrap();
        assert_eq!(reply.error, Some(EchoError::HostUnreachable));
        let socket = ping(&mut world, far, 4, b"data");
        let id = world.seen.openings[1].0;
        world.flows.accept(world.now, id).unwrap();
        world.settle();
        assert_eq!(world.seen.echoes, [(id, 4, b"data".to_vec())]);
        world.flows.echo_reply(world.now, id, 4, b"data").unwrap();
        world.settle();
        assert!(world.client.echo_recv(socket, &mut buffer).is_ok());
    });
}

#[test]
fn an_echo_that_is_refused_as_a_closed_port_is_told_that_its_host_is_unreachable() {
    everywhere(|profile, far| {
        let mut buffer = [0; 32];
        for (answer, decided) in [
            (Open::Refuse(Refusal::Rst), false),
            (Open::Hold, true),
            // Nobody decides.
            (Open::Hold, false),
        ] {
            let mut world = World::new(profile);
            world.seen.answer = answer;
            let socket = ping(&mut world, far, 3, b"data");
            let id = world.seen.id();
            if decided {
                world.flows.refuse(world.now, id, Refusal::Rst).unwrap();
            }
            world.pass(31.0);
            let reply = world.client.echo_recv(socket, &mut buffer).unwrap();
            let told = (reply.sequence, reply.error);
            assert_eq!(told, (3, Some(EchoError::HostUnreachable)));
        }
    });
}

#[test]
fn a_datagram_that_finds_no_room_is_called_for() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let socket = world.client.udp_bind(5000).unwrap();
        let far = far.parse().unwrap();
        world.client.udp_send_to(socket, b"one", far).unwrap();
        world.settle();
        let id = world.seen.id();
        let full = (0..100_000)
            .find(|_| {
                let rest = world.flows.data_in(world.now, id, &[7; 1000]).unwrap();
                assert!(rest.is_empty() || rest.len() == 1000, "all or nothing");
                !rest.is_empty()
            })
            .unwrap();
        assert!(full > 0 && world.seen.writable.is_empty());
        world.settle();
        let [(called, room)] = world.seen.writable[..] else {
            panic!("{:?}", world.seen.writable)
        };
        assert!(called == id && room >= 1000);
    });
}
