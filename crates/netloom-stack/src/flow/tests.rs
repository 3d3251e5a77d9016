//! Flows on lent memory alone, with and without a heap beside it.

use std::boxed::Box;
use std::vec;
use std::vec::Vec;

use netloom_driver::{FrameQueue, Instant, RxMeta};

use crate::flow::{FlowConfig, FlowHandler, FlowId, FlowStorage, FlowTuple, Flows, Open, Taken};
use crate::{CloseReason, Config, IfaceId, Seed, Stack, Storage};

#[derive(Default)]
struct Seen {
    hold: bool,
    ids: Vec<FlowId>,
    data: Vec<u8>,
    echoes: Vec<(FlowId, u16)>,
    finished: usize,
    closed: Vec<CloseReason>,
}

impl FlowHandler for Seen {
    fn opening(&mut self, id: FlowId, _: &FlowTuple) -> Open {
        self.ids.push(id);
        if self.hold { Open::Hold } else { Open::Accept }
    }
    fn data(&mut self, _: FlowId, data: &[u8]) -> Taken {
        self.data.extend_from_slice(data);
        Taken::all(data)
    }
    fn echo(&mut self, id: FlowId, sequence: u16, _: &[u8]) {
        self.echoes.push((id, sequence));
    }
    fn peer_finished(&mut self, _: FlowId) {
        self.finished += 1;
    }
    fn closed(&mut self, _: FlowId, why: CloseReason) {
        self.closed.push(why);
    }
}

struct World {
    now: Instant,
    client: Stack,
    flows: Flows,
    seen: Seen,
}

impl World {
    fn new() -> World {
        let config = Config::ip()
            .address("10.0.0.1/24".parse().unwrap())
            .gateway("10.0.0.254".parse().unwrap());
        let storage = Box::leak(Box::new(Storage::<2, 1, 1, 2048, 2048>::new()));
        let flows = Box::leak(Box::new(FlowStorage::<4, 2, 2, 2048, 2048>::new()));
        World {
            now: Instant::from_secs(1),
            client: Stack::new(config, storage, Seed::from([1; 32])),
            flows: Flows::new(FlowConfig::default(), flows, Seed::from([2; 32])),
            seen: Seen::default(),
        }
    }

    fn settle(&mut self) {
        loop {
            let (mut there, mut back) = (FrameQueue::default(), FrameQueue::default());
            let _ = self.client.transmit(self.now, IfaceId::FIRST, &mut there);
            let _ = self.flows.packets_out(self.now, &mut back, &mut self.seen);
            if there.frames.is_empty() && back.frames.is_empty() {
                return;
            }
            for packet in there.frames {
                self.flows.packet_in(self.now, &packet, &mut self.seen);
            }
            for packet in back.frames {
                let meta = RxMeta::default();
                self.client
                    .receive(self.now, IfaceId::FIRST, &packet, &meta);
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now.plus_micros(seconds * 1_000_000);
        while self.now < end {
            self.settle();
            let next = [self.client.next_deadline(), self.flows.next_deadline()];
            let next = next.into_iter().flatten().min().unwrap_or(end);
            self.now = next.max(self.now.plus_micros(1)).min(end);
        }
        self.settle();
    }
}

#[test]
fn a_connection_on_lent_memory() {
    let mut world = World::new();
    let far = "203.0.113.9:80".parse().unwrap();
    let handle = world.client.tcp_connect(far).unwrap();
    world.settle();
    let [id] = world.seen.ids[..] else { panic!() };
    assert_eq!(world.client.tcp_write(handle, &[7; 1000]), Ok(1000));
    world.settle();
    assert_eq!(world.seen.data, [7; 1000]);
    let rest = world.flows.data_in(world.now, id, &[8; 3000]).unwrap();
    assert_eq!(rest.len(), 3000 - 2048);
    world.settle();
    let mut buffer = [0; 4096];
    assert_eq!(world.client.tcp_read(handle, &mut buffer), Ok(2048));
    world.client.tcp_close(handle).unwrap();
    world.settle();
    assert_eq!(world.seen.finished, 1);
    world.flows.finish(world.now, id).unwrap();
    world.settle();
    assert_eq!(world.seen.closed, [CloseReason::Finished]);
    assert!(world.flows.is_empty());
}

#[test]
fn times_pass_on_lent_memory() {
    let mut world = World::new();
    world.seen.hold = true;
    let far = "203.0.113.9:80".parse().unwrap();
    let handle = world.client.tcp_connect(far).unwrap();
    world.pass(31);
    assert_eq!(world.seen.closed, [CloseReason::PeerNeverAppeared]);
    assert_eq!(
        world.client.tcp_close_reason(handle),
        Ok(Some(CloseReason::Refused))
    );
    world.seen.hold = false;
    let socket = world.client.udp_bind(5000).unwrap();
    world.client.udp_send_to(socket, b"datagram", far).unwrap();
    world.pass(299);
    assert_eq!(
        (world.flows.len(), &world.seen.data[..]),
        (1, &b"datagram"[..])
    );
    world.pass(2);
    assert_eq!(world.seen.closed[1], CloseReason::IdleTimedOut);
    assert!(world.flows.is_empty());
}

/// A request as ping sends it.
fn ping() -> Vec<u8> {
    let mut request = vec![
        0x45, 0, 0, 32, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 203, 0, 113, 9, 8, 0, 0, 0, 0, 5, 0,
        9, 1, 2, 3, 4,
    ];
    let sum = netloom_wire::checksum::Sum::new()
        .add(&request[20..])
        .finish();
    request[22..24].copy_from_slice(&sum.to_be_bytes());
    let sum = netloom_wire::checksum::Sum::new()
        .add(&request[..20])
        .finish();
    request[10..12].copy_from_slice(&sum.to_be_bytes());
    request
}

#[test]
fn echoes_on_lent_memory() {
    let mut world = World::new();
    world.flows.packet_in(world.now, &ping(), &mut world.seen);
    let [(id, 9)] = world.seen.echoes[..] else {
        panic!("{:?}", world.seen.echoes)
    };
    world
        .flows
        .echo_reply(world.now, id, 9, &[1, 2, 3, 4])
        .unwrap();
    let mut wire = FrameQueue::default();
    let _ = world
        .flows
        .packets_out(world.now, &mut wire, &mut world.seen);
    let reply = &wire.frames[0];
    assert_eq!(reply[12..20], [203, 0, 113, 9, 10, 0, 0, 1]);
    assert_eq!(
        netloom_wire::checksum::Sum::new()
            .add(&reply[20..])
            .finish(),
        0
    );
    assert_eq!(
        (reply[20], &reply[24..]),
        (0, &[0, 5, 0, 9, 1, 2, 3, 4][..])
    );
}

#[cfg(feature = "alloc")]
#[test]
fn the_index_forgets_an_echo_flow_whose_socket_is_closed() {
    use crate::flow::FlowSocket;

    let config = FlowConfig::default();
    let mut stack = Stack::for_flows(&config, Seed::from([2; 32])).unwrap();
    let now = Instant::from_secs(1);
    for _ in 0..3 {
        stack.receive(now, IfaceId::FIRST, &ping(), &RxMeta::default());
        let Some(crate::Event::FlowOpening(id)) = stack.poll_event() else {
            panic!()
        };
        assert_eq!(stack.demux.len(), 1);
        stack.flow_accept(id).unwrap();
        let Ok(FlowSocket::Echo(socket)) = stack.flow_socket(id) else {
            panic!()
        };
        stack.udp_close(socket).unwrap();
        assert_eq!(stack.demux.len(), 0);
        while stack.poll_event().is_some() {}
    }
}
