use std::vec::Vec;

use netloom_driver::{FrameQueue, RxMeta};
use netloom_tcp::CloseReason;

use super::*;
use crate::{Config, Limits, Seed};

/// Two stacks, 10.0.0.1 and 10.0.0.2, and the time.
struct World {
    a: Stack,
    b: Stack,
    millis: u64,
}

impl World {
    fn new() -> World {
        let stack = |address: &str| {
            let config = Config::ip().address(address.parse().unwrap());
            Stack::with_heap(config, Limits::default(), Seed::for_tests(7))
        };
        World {
            a: stack("10.0.0.1/24"),
            b: stack("10.0.0.2/24"),
            millis: 1000,
        }
    }

    /// One turn of each; what `a` sends is lost if `lost`.
    fn turn(&mut self, lost: bool) {
        self.millis += 1;
        let now = Instant::from_millis(self.millis);
        let mut wire = FrameQueue::default();
        let _ = self.a.transmit(now, IfaceId::FIRST, &mut wire);
        for frame in wire.frames.drain(..).filter(|_| !lost) {
            self.b
                .receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
        let _ = self.b.transmit(now, IfaceId::FIRST, &mut wire);
        for frame in wire.frames.drain(..) {
            self.a
                .receive(now, IfaceId::FIRST, &frame, &RxMeta::default());
        }
    }

    fn turns(&mut self, count: usize) {
        for _ in 0..count {
            self.turn(false);
        }
    }
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_connection_is_seen_from_syn_to_time_wait_and_its_end() {
    let mut world = World::new();
    world.a.remember_dead(4);
    let listener = world.b.tcp_listen(80).unwrap();
    let client = world.a.tcp_connect(at("10.0.0.2:80")).unwrap();
    let local = world.a.tcp_local_addr(client).unwrap();
    let only = |stack: &Stack| {
        let mut all = stack.inspect().connections(0);
        let (place, view) = all.next().unwrap();
        assert!(all.next().is_none());
        assert!(stack.inspect().connections(place + 1).next().is_none());
        view
    };
    // The SYN is lost: it will be repeated.
    world.turn(true);
    let view = only(&world.a);
    assert_eq!((view.local, view.remote), (local, at("10.0.0.2:80")));
    assert_eq!(view.info.state, State::SynSent);
    let waiting = view.waiting.unwrap();
    assert_eq!(waiting.timer, SocketTimer::Retransmit);
    assert!((1..=1000).contains(&waiting.left) && waiting.tries == 0);
    world.millis += 1000;
    // SYN, and the SYN-ACK it calls for.
    world.turn(false);
    let (_, entry) = world.b.inspect().half_open(0).next().unwrap();
    assert_eq!((entry.local, entry.remote), (at("10.0.0.2:80"), local));
    assert_eq!(entry.waiting.timer, SocketTimer::Retransmit);
    assert!((900..=1000).contains(&entry.waiting.left), "{entry:?}");
    world.turns(1);
    assert_eq!(only(&world.b).holder, Holder::Listener);
    let (_, listening) = world.b.inspect().listeners(0).next().unwrap();
    assert_eq!(listening.backlog.to_accept, 1);
    assert!(listening.both_versions && listening.local == at("[::]:80"));
    let server = world.b.tcp_accept(listener).unwrap().unwrap();
    assert_eq!(only(&world.b).holder, Holder::Program);

    world.a.tcp_write(client, b"hello").unwrap();
    world.turn(true);
    let view = only(&world.a);
    assert_eq!((view.info.state, view.send_queue), (State::Established, 5));
    assert_eq!(view.waiting.unwrap().timer, SocketTimer::Retransmit);
    assert_eq!(
        view.congestion,
        world.a.tcp_settings(client).unwrap().congestion
    );
    world.millis += 3000;
    world.turns(2);
    assert_eq!(only(&world.b).recv_queue, 5);
    assert_eq!(only(&world.a).waiting, None);

    world.a.tcp_close(client).unwrap();
    world.turns(1);
    assert_eq!(only(&world.a).holder, Holder::Nobody);
    assert_eq!(only(&world.a).info.state, State::FinWait2);
    world.b.tcp_read(server, &mut [0; 8]).unwrap();
    world.b.tcp_close(server).unwrap();
    world.turns(3);
    assert_eq!(world.a.inspect().connections(0).count(), 0);
    assert_eq!(world.b.inspect().connections(0).count(), 0);
    let (_, entry) = world.a.inspect().time_wait(0).next().unwrap();
    assert_eq!((entry.local, entry.remote), (local, at("10.0.0.2:80")));
    assert_eq!(entry.waiting.timer, SocketTimer::Close);
    let dead: Vec<_> = world.a.inspect().dead().collect();
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].local, dead[0].reason),
        (local, CloseReason::Finished)
    );
    assert!(dead[0].retransmissions > 0 && dead[0].srtt > 0);
    assert!(
        world.b.inspect().dead().next().is_none(),
        "nobody asked it to"
    );
    // The rest of TIME-WAIT is what the tunable says.
    let left = entry.waiting.left;
    world.millis += 10_000;
    world.turns(1);
    let (_, entry) = world.a.inspect().time_wait(0).next().unwrap();
    assert!(entry.waiting.left.abs_diff(left - 10_000) <= 8);
}

#[test]
fn the_last_dead_are_remembered_latest_first() {
    let mut world = World::new();
    world.a.remember_dead(3);
    for port in 1..=5 {
        let client = world.a.tcp_connect(([10, 0, 0, 2], port).into()).unwrap();
        world.turns(2);
        world.a.tcp_close(client).unwrap();
    }
    let ports =
        |stack: &Stack| -> Vec<u16> { stack.inspect().dead().map(|d| d.remote.port()).collect() };
    assert_eq!(ports(&world.a), [5, 4, 3]);
    let refused = |d: DeadView| d.reason == CloseReason::Refused;
    assert!(world.a.inspect().dead().all(refused));
    world.a.remember_dead(2);
    assert_eq!(ports(&world.a), [5, 4]);
    world.a.remember_dead(0);
    assert_eq!(ports(&world.a), []);
}

#[test]
fn a_held_connection_is_seen_closed() {
    let mut world = World::new();
    let client = world.a.tcp_connect(at("10.0.0.2:1")).unwrap();
    world.turns(2);
    let (_, view) = world.a.inspect().connections(0).next().unwrap();
    assert_eq!(view.info.state, State::Closed);
    assert_eq!(view.info.close_reason, Some(CloseReason::Refused));
    assert_eq!((view.holder, view.waiting), (Holder::Program, None));
    world.a.tcp_close(client).unwrap();
    assert!(world.a.inspect().connections(0).next().is_none());
}

#[test]
fn sockets_interfaces_and_routes_are_seen() {
    let mut world = World::new();
    world
        .a
        .add_address(IfaceId::FIRST, "fd00::1/64".parse().unwrap())
        .unwrap();
    world.a.add_gateway(IfaceId::FIRST, [10, 0, 0, 9]).unwrap();
    let any = world.a.udp_bind(53).unwrap();
    let one = world.a.udp_bind(at("10.0.0.1:54")).unwrap();
    let v4 = world.a.udp_bind(at("0.0.0.0:55")).unwrap();
    world.a.udp_connect(one, at("10.0.0.2:7")).unwrap();
    world.a.udp_send(one, b"four").unwrap();
    let seen: Vec<_> = world.a.inspect().udp(0).map(|(_, view)| view).collect();
    assert_eq!(seen.len(), 3);
    assert!(seen[0].both_versions && seen[0].local == at("[::]:53"));
    assert_eq!(seen[1].remote, Some(at("10.0.0.2:7")));
    assert!(seen[1].send_queue >= 4 && seen[0].send_queue == 0);
    assert!(!seen[2].both_versions && seen[2].local == at("0.0.0.0:55"));
    for socket in [any, one, v4] {
        world.a.udp_close(socket).unwrap();
    }
    assert_eq!(world.a.inspect().udp(0).count(), 0);
    let listener = world.a.tcp_listen(at("[fd00::1]:80")).unwrap();
    let (_, listening) = world.a.inspect().listeners(0).next().unwrap();
    assert_eq!(
        (listening.local, listening.both_versions),
        (at("[fd00::1]:80"), false)
    );
    world.a.tcp_close_listener(listener).unwrap();
    assert_eq!(world.a.inspect().listeners(0).count(), 0);
    let interfaces: Vec<_> = world.a.inspect().interfaces().collect();
    assert_eq!((interfaces[0].mac, interfaces[0].mtu), (None, 1500));
    assert!(interfaces[1].loopback);
    assert!(world.a.inspect().routes().iter().any(Route::is_default));
    assert!(world.a.inspect().addresses().len() >= 2);
}

#[cfg(feature = "ethernet")]
#[test]
fn neighbors_are_seen() {
    let mac = netloom_wire::MacAddr([2, 0, 0, 0, 0, 1]);
    let config = Config::ethernet(mac).address("10.0.0.1/24".parse().unwrap());
    let mut stack = Stack::with_heap(config, Limits::default(), Seed::for_tests(7));
    let other = netloom_wire::MacAddr([2, 0, 0, 0, 0, 2]);
    stack
        .add_neighbor(IfaceId::FIRST, [10, 0, 0, 2], other)
        .unwrap();
    let seen: Vec<_> = stack.inspect().neighbors().collect();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].mac, seen[0].state),
        (Some(other.0), NeighborState::Static)
    );
    assert_eq!(
        stack.inspect().interfaces().next().unwrap().mac,
        Some(mac.0)
    );
}
