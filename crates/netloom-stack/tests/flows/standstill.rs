//! Flows on which nothing moves any more, and those beside them.

use netloom_stack::flow::{FlowConfig, FlowId, Open};
use netloom_stack::{TcpHandle, Tunables};

use crate::common::Profile;
use crate::world::{World, client, pattern};

fn world(budget: usize) -> World {
    let tunables = Tunables {
        tcp_rmem: 256 << 10,
        tcp_wmem: 256 << 10,
        ..Tunables::default()
    };
    let config = FlowConfig::default()
        .memory_budget(budget)
        .tunables(tunables);
    let mut world = World::with(Profile::Heap, config);
    // Its clients promise little: what they do not read is not with them.
    world.client = client(Tunables {
        tcp_rmem: 4096,
        ..Tunables::default()
    });
    world
}

/// A flow whose handler takes nothing any more, of all that its client sends.
fn stall_upwards(world: &mut World) -> (TcpHandle, FlowId) {
    let (handle, id) = world.open("203.0.113.9:80");
    world.seen.spurned.insert(id);
    let _ = world.client.tcp_write(handle, &pattern(300_000)).unwrap();
    world.settle();
    (handle, id)
}

/// A flow whose client reads nothing any more, of all that it is sent.
fn stall_downwards(world: &mut World) -> (TcpHandle, FlowId) {
    let (handle, id) = world.open("203.0.113.9:80");
    let sent = pattern(300_000);
    let rest = world.flows.data_in(world.now, id, &sent).unwrap();
    assert!(rest.len() < sent.len(), "it found no memory at all");
    world.settle();
    (handle, id)
}

/// Sends something each way on a flow, and sees all of it arrive.
fn converse(world: &mut World, handle: TcpHandle, id: FlowId, len: usize) {
    let sent = pattern(len);
    let known = world.seen.bytes(id).len();
    let (mut up, mut down, mut got) = (0, 0, Vec::new());
    for _ in 0..2000 {
        if let Ok(n) = world.client.tcp_write(handle, &sent[up..]) {
            up += n;
        }
        if down < len {
            let rest = world.flows.data_in(world.now, id, &sent[down..]).unwrap();
            down = len - rest.len();
        }
        world.pass(0.02);
        got.extend(world.read(handle));
        if got.len() == len && world.seen.bytes(id).len() == known + len {
            break;
        }
    }
    assert_eq!((got.len(), world.seen.bytes(id).len()), (len, known + len));
    assert!(got == sent && world.seen.bytes(id)[known..] == sent[..]);
}

/// One asks, and is answered once its flow, which is held first, is accepted.
fn ask(world: &mut World, port: u16) {
    let socket = world.client.udp_bind(port).unwrap();
    let far = "203.0.113.9:53".parse().unwrap();
    world.seen.answer = Open::Hold;
    world
        .client
        .udp_send_to(socket, b"who is it?", far)
        .unwrap();
    world.settle();
    let (id, _) = *world.seen.openings.last().unwrap();
    world.flows.accept(world.now, id).unwrap();
    world.settle();
    assert_eq!(world.seen.bytes(id), b"who is it?");
    let rest = world.flows.data_in(world.now, id, b"it is me").unwrap();
    assert!(rest.is_empty());
    world.settle();
    let mut buffer = [0; 100];
    let received = world.client.udp_recv(socket, &mut buffer).unwrap();
    assert_eq!(&buffer[..received.copied], b"it is me");
    world.seen.answer = Open::Accept;
}

fn beside(budget: usize, count: u16, stall: fn(&mut World) -> (TcpHandle, FlowId)) {
    let mut world = world(budget);
    let old = world.open("203.0.113.9:80");
    for n in 0..count {
        stall(&mut world);
        assert!(world.flows.memory_in_use() <= budget);
        if n % 50 == 0 {
            world.pass(1.0);
            ask(&mut world, 5000 + n);
        }
    }
    world.pass(5.0);
    assert!(world.flows.memory_in_use() <= budget);
    converse(&mut world, old.0, old.1, 100_000);
    let new = world.open("203.0.113.9:443");
    converse(&mut world, new.0, new.1, 100_000);
    ask(&mut world, 4000);
    assert!(world.flows.memory_in_use() <= budget);
}

#[test]
fn clients_that_do_not_read_leave_room_for_others() {
    beside(8 << 20, 500, stall_downwards);
}

#[test]
fn handlers_that_take_nothing_leave_room_for_others() {
    beside(8 << 20, 700, stall_upwards);
}

#[test]
fn a_small_budget_leaves_everybody_something() {
    // More flows than there are small rings for: each has the smallest, and goes on with it.
    beside(1 << 20, 150, stall_downwards);
}

#[test]
fn the_first_that_stand_still_have_as_much_as_they_may() {
    let mut world = world(64 << 20);
    for _ in 0..16 {
        let (_, id) = world.open("203.0.113.9:80");
        let sent = pattern(256 << 10);
        let rest = world.flows.data_in(world.now, id, &sent).unwrap();
        assert!(rest.is_empty(), "{}", rest.len());
    }
}

#[test]
fn a_flow_that_found_no_memory_is_called_when_there_is_some() {
    let mut world = world(1 << 20);
    let (handle, id) = world.open("203.0.113.9:80");
    let used = world.flows.memory_in_use();
    world.flows.stack_mut().set_flow_budget(used);
    let sent = pattern(4000);
    let rest = world.flows.data_in(world.now, id, &sent).unwrap();
    assert_eq!(rest.len(), sent.len());
    world.pass(1.0);
    assert!(world.seen.writable.is_empty());
    world.flows.stack_mut().set_flow_budget(1 << 20);
    world.settle();
    assert_eq!(world.seen.writable.len(), 1);
    converse(&mut world, handle, id, 4000);
}
