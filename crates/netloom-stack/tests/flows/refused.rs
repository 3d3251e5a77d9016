//! A flow that is refused is counted, and remembered with what its peer was told.

use netloom_stack::flow::{Open, Refusal, Unreachable};
use netloom_stack::icmp::EchoRequest;
use netloom_stack::{CloseReason, Stack};

use crate::common::Profile;
use crate::world::{World, everywhere};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    Tcp,
    Udp,
    Echo,
}

const ASKS: [Ask; 3] = [Ask::Tcp, Ask::Udp, Ask::Echo];

const REFUSALS: [Refusal; 6] = [
    Refusal::Rst,
    Refusal::Icmp(Unreachable::Network),
    Refusal::Icmp(Unreachable::Host),
    Refusal::Icmp(Unreachable::Port),
    Refusal::Icmp(Unreachable::Prohibited),
    Refusal::Drop,
];

/// What the list of the dead is to say of a refusal.
fn reason(ask: Ask, refusal: Refusal) -> CloseReason {
    match (refusal, ask) {
        (Refusal::Rst, Ask::Tcp) => CloseReason::Refused,
        (Refusal::Rst, Ask::Udp) | (Refusal::Icmp(Unreachable::Port), _) => {
            CloseReason::PortUnreachable
        }
        (Refusal::Icmp(Unreachable::Network), _) => CloseReason::NetworkUnreachable,
        (Refusal::Rst, Ask::Echo) | (Refusal::Icmp(_), _) => CloseReason::HostUnreachable,
        (Refusal::Drop, _) => CloseReason::Aborted,
    }
}

impl Ask {
    /// The client asks for a flow.
    fn ask(self, world: &mut World, far: &str) {
        let to: std::net::SocketAddr = far.parse().unwrap();
        match self {
            Ask::Tcp => drop(world.client.tcp_connect(to).unwrap()),
            Ask::Udp => {
                let socket = world.client.udp_bind(0).unwrap();
                world.client.udp_send_to(socket, b"ask", to).unwrap();
            }
            Ask::Echo => {
                let ping = world.client.echo_open().unwrap();
                let request = EchoRequest::new(to.ip(), 1);
                world.client.echo_send(ping, &request, b"ask").unwrap();
            }
        }
        world.settle();
    }

    /// Flows refused by the counters: of this protocol alone.
    fn refused(self, stack: &Stack) -> usize {
        let counters = stack.counters();
        counters.balance().unwrap();
        let of = [
            counters.tcp_flows_refused,
            counters.udp_flows_refused,
            counters.icmp_flows_refused,
        ];
        assert_eq!(of.iter().sum::<usize>(), of[self as usize], "{self:?}");
        of[self as usize]
    }
}

/// The list of the dead has one, which says this.
#[cfg(feature = "inspect")]
fn one_is_dead(stack: &Stack, ask: Ask, far: &str, reason: CloseReason, refusal: Option<Refusal>) {
    use netloom_stack::inspect::DeadProtocol;
    let dead: Vec<_> = stack.inspect().dead().collect();
    let [dead] = dead[..] else {
        panic!("{ask:?} {refusal:?}: {dead:?}")
    };
    let protocol = match ask {
        Ask::Tcp => DeadProtocol::Tcp,
        Ask::Udp => DeadProtocol::Udp,
        Ask::Echo => DeadProtocol::Echo,
    };
    assert_eq!(
        (dead.protocol, dead.reason, dead.refusal),
        (protocol, reason, refusal)
    );
    let far: std::net::SocketAddr = far.parse().unwrap();
    assert_eq!(dead.local.ip(), far.ip());
    assert_eq!(
        dead.message().contains("refused"),
        refusal.is_some(),
        "{}",
        dead.message()
    );
}

#[cfg(not(feature = "inspect"))]
fn one_is_dead(_: &Stack, _: Ask, _: &str, _: CloseReason, _: Option<Refusal>) {}

fn world(profile: Profile, answer: Open) -> World {
    let mut world = World::new(profile);
    world.seen.answer = answer;
    #[cfg(feature = "inspect")]
    world.flows.stack_mut().remember_dead(8);
    world
}

#[test]
fn a_held_flow_that_is_refused_is_counted_and_remembered() {
    everywhere(|profile, far| {
        for (ask, refusal) in ASKS.into_iter().flat_map(|a| REFUSALS.map(|r| (a, r))) {
            let mut world = world(profile, Open::Hold);
            ask.ask(&mut world, far);
            assert_eq!(ask.refused(world.flows.stack()), 0);
            let id = world.seen.id();
            world.flows.refuse(world.now, id, refusal).unwrap();
            assert_eq!(ask.refused(world.flows.stack()), 1, "{ask:?} {refusal:?}");
            let stack = world.flows.stack();
            one_is_dead(stack, ask, far, reason(ask, refusal), Some(refusal));
        }
    });
}

#[test]
fn a_flow_that_is_refused_at_once_is_counted_and_remembered_alike() {
    everywhere(|profile, far| {
        for (ask, refusal) in ASKS.into_iter().flat_map(|a| REFUSALS.map(|r| (a, r))) {
            let mut world = world(profile, Open::Refuse(refusal));
            ask.ask(&mut world, far);
            let stack = world.flows.stack();
            assert_eq!(ask.refused(stack), 1, "{ask:?} {refusal:?}");
            one_is_dead(stack, ask, far, reason(ask, refusal), Some(refusal));
        }
    });
}

#[test]
fn a_flow_that_nobody_decides_upon_is_counted_and_remembered() {
    everywhere(|profile, far| {
        for ask in ASKS {
            let mut world = world(profile, Open::Hold);
            ask.ask(&mut world, far);
            world.seen.answer = Open::Accept;
            world.pass(31.0);
            let stack = world.flows.stack();
            assert_eq!(ask.refused(stack), 1, "{ask:?}");
            one_is_dead(stack, ask, far, CloseReason::PeerNeverAppeared, None);
        }
    });
}

#[test]
fn a_held_flow_that_is_aborted_is_counted_and_remembered() {
    everywhere(|profile, far| {
        for ask in ASKS {
            let mut world = world(profile, Open::Hold);
            ask.ask(&mut world, far);
            world.flows.abort(world.now, world.seen.id()).unwrap();
            let stack = world.flows.stack();
            assert_eq!(ask.refused(stack), 1, "{ask:?}");
            // A connection that is aborted is reset, anything else is silence.
            let refusal = match ask {
                Ask::Tcp => Refusal::Rst,
                Ask::Udp | Ask::Echo => Refusal::Drop,
            };
            one_is_dead(stack, ask, far, reason(ask, refusal), Some(refusal));
        }
    });
}

#[test]
fn a_flow_that_is_accepted_is_not_counted() {
    everywhere(|profile, far| {
        for ask in ASKS {
            let mut world = world(profile, Open::Hold);
            ask.ask(&mut world, far);
            world.flows.accept(world.now, world.seen.id()).unwrap();
            world.settle();
            world.flows.abort(world.now, world.seen.id()).unwrap();
            world.settle();
            assert_eq!(ask.refused(world.flows.stack()), 0, "{ask:?}");
        }
    });
}

/// As sockets, datagrams are accepted before anybody knows whether they can be carried on.
#[test]
fn an_accepted_datagram_flow_can_still_be_said_to_be_refused() {
    for (ask, far) in [
        (Ask::Udp, "203.0.113.9:80"),
        (Ask::Echo, "[2001:db8::9]:80"),
    ] {
        let mut world = world(Profile::Heap, Open::Accept);
        ask.ask(&mut world, far);
        let id = world.seen.id();
        let stack = world.flows.stack_mut();
        let refusal = Refusal::Icmp(Unreachable::Host);
        stack.flow_tell_refusal(id, refusal).unwrap();
        assert_eq!(ask.refused(stack), 1);
        one_is_dead(stack, ask, far, CloseReason::HostUnreachable, Some(refusal));
        assert!(stack.flow_state(id).is_ok(), "it is the caller's to close");
    }
}
