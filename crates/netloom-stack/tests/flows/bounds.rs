//! One budget for all flows.

use netloom_stack::flow::{FlowConfig, FlowId};
use netloom_stack::{State, Tunables};

use crate::common::Profile;
use crate::world::{World, pattern};

/// A world whose flows may take `budget` bytes, with many that are open.
fn crowd(budget: usize, count: usize) -> (World, Vec<(netloom_stack::TcpHandle, FlowId)>) {
    let tunables = Tunables {
        tcp_rmem: 256 << 10,
        tcp_wmem: 256 << 10,
        ..Tunables::default()
    };
    let config = FlowConfig::default()
        .memory_budget(budget)
        .tunables(tunables);
    let mut world = World::with(Profile::Heap, config);
    let flows = (0..count).map(|_| world.open("203.0.113.9:80")).collect();
    (world, flows)
}

#[test]
fn handlers_that_take_nothing_fill_the_budget_and_no_more() {
    const BUDGET: usize = 1 << 20;
    let (mut world, flows) = crowd(BUDGET, 64);
    world.seen.appetite = 0;
    let sent = pattern(100_000);
    for (handle, _) in &flows {
        assert_eq!(world.client.tcp_write(*handle, &sent), Ok(sent.len()));
    }
    for _ in 0..20 {
        world.pass(0.5);
        assert!(world.flows.memory_in_use() <= BUDGET);
    }
    assert!(
        world.flows.memory_in_use() > BUDGET / 2,
        "it is made use of"
    );
    // Nothing was lost by it: all of it comes as it is taken.
    world.seen.appetite = usize::MAX;
    for (_, id) in &flows {
        world.flows.credit(world.now, *id, 0).unwrap();
    }
    for _ in 0..600 {
        world.pass(1.0);
        assert!(world.flows.memory_in_use() <= BUDGET);
        if flows
            .iter()
            .all(|(_, id)| world.seen.bytes(*id).len() == sent.len())
        {
            break;
        }
    }
    for (_, id) in &flows {
        assert_eq!(world.seen.bytes(*id), sent);
    }
}

#[test]
fn clients_that_never_read_fill_the_budget_and_no_more() {
    const BUDGET: usize = 1 << 20;
    let (mut world, flows) = crowd(BUDGET, 64);
    for (handle, _) in &flows {
        world.client.tcp_set_receive_buffer(*handle, 2048).unwrap();
    }
    let sent = pattern(100_000);
    let mut at = vec![0; flows.len()];
    for ((_, id), at) in flows.iter().zip(&mut at) {
        let rest = world.flows.data_in(world.now, *id, &sent).unwrap();
        *at = sent.len() - rest.len();
        assert!(world.flows.memory_in_use() <= BUDGET);
    }
    assert!(!at.contains(&0), "somebody found no memory at all");
    let mut got = vec![Vec::new(); flows.len()];
    for _ in 0..2000 {
        world.pass(0.2);
        assert!(world.flows.memory_in_use() <= BUDGET);
        for ((handle, _), got) in flows.iter().zip(&mut got) {
            got.extend(world.read(*handle));
        }
        // Those whose data was not all taken are called when there is memory.
        for (called, _) in std::mem::take(&mut world.seen.writable) {
            let n = flows.iter().position(|(_, id)| *id == called).unwrap();
            let rest = world
                .flows
                .data_in(world.now, called, &sent[at[n]..])
                .unwrap();
            at[n] = sent.len() - rest.len();
        }
        if got.iter().all(|got| got.len() == sent.len()) {
            break;
        }
    }
    for got in &got {
        assert_eq!(got.len(), sent.len());
        assert_eq!(*got, sent);
    }
}

#[test]
fn the_budget_bounds_the_flows_themselves() {
    const BUDGET: usize = 64 << 10;
    let config = FlowConfig::default().memory_budget(BUDGET);
    let mut world = World::with(Profile::Heap, config);
    let mut connected = Vec::new();
    for _ in 0..500 {
        let handle = world.connect("203.0.113.9:80");
        if world.client.tcp_state(handle) == Ok(State::Established) {
            connected.push(handle);
        }
        assert!(world.flows.memory_in_use() <= BUDGET);
    }
    assert!((50..200).contains(&connected.len()), "{}", connected.len());
    // One goes, one comes.
    world.client.tcp_abort(connected[0]).unwrap();
    world.settle();
    world.pass(3.0);
    let now = (world.flows.len(), world.seen.closed.len());
    assert!(now.1 >= 1 && now.0 >= connected.len() - 1, "{now:?}");
}

#[test]
fn datagrams_and_streams_share_it() {
    const BUDGET: usize = 1 << 20;
    let config = FlowConfig::default().memory_budget(BUDGET);
    let mut world = World::with(Profile::Heap, config);
    world.seen.answer = netloom_stack::flow::Open::Hold;
    // Each held flow keeps a queue, as far as there is memory for one.
    for port in 1000..1100 {
        let socket = world.client.udp_bind(port).unwrap();
        let far = "203.0.113.9:53".parse().unwrap();
        world.client.udp_send_to(socket, &[0; 1000], far).unwrap();
        world.settle();
        assert!(world.flows.memory_in_use() <= BUDGET);
    }
    assert!(world.flows.len() > 4);
    // Their time over, all of it is there again.
    world.pass(31.0);
    assert_eq!(world.flows.len(), 0);
    world.seen.answer = netloom_stack::flow::Open::Accept;
    world.seen.appetite = 0;
    let (handle, _) = world.open("203.0.113.9:80");
    let _ = world.client.tcp_write(handle, &pattern(400_000)).unwrap();
    world.pass(2.0);
    assert!(world.flows.memory_in_use() <= BUDGET);
    let unacked = world.client.tcp_unacked(handle).unwrap();
    assert!(unacked < 300_000, "{unacked}");
}

#[test]
fn text_that_finds_neither_a_taker_nor_memory_comes_again() {
    let mut world = World::new(Profile::Heap);
    world.seen.appetite = 500;
    let (handle, id) = world.open("203.0.113.9:80");
    let used = world.flows.memory_in_use();
    world.flows.stack_mut().set_flow_budget(used);
    let sent = pattern(4000);
    assert_eq!(world.client.tcp_write(handle, &sent), Ok(sent.len()));
    world.pass(0.5);
    assert_eq!(world.seen.bytes(id), &sent[..500]);
    assert!(world.client.tcp_unacked(handle).unwrap() >= 3500);
    assert!(world.flows.memory_in_use() <= used);
    world.flows.stack_mut().set_flow_budget(1 << 20);
    world.seen.appetite = usize::MAX;
    world.pass(10.0);
    assert_eq!(world.seen.bytes(id), sent);
}

#[test]
fn memory_that_entries_leave_behind_is_counted() {
    const BUDGET: usize = 1 << 20;
    let config = FlowConfig::default().memory_budget(BUDGET);
    let mut world = World::with(Profile::Heap, config);
    let connections: Vec<_> = (0..600).map(|_| world.open("203.0.113.9:80").0).collect();
    let most = world.flows.memory_in_use();
    assert!(most > 300_000, "{most}");
    for handle in connections {
        world.client.tcp_abort(handle).unwrap();
        world.client.tcp_close(handle).unwrap();
    }
    world.settle();
    assert_eq!(world.flows.len(), 0);
    let left = world.flows.memory_in_use();
    assert!(left >= most / 10 * 9, "{left} of {most}");
    // Flows of another kind take what is left, and when they are gone there are connections again.
    world.seen.answer = netloom_stack::flow::Open::Hold;
    let far = "203.0.113.9:53".parse().unwrap();
    let sockets: Vec<_> = (0..2_000)
        .map(|port| {
            let socket = world.client.udp_bind(10_000 + port).unwrap();
            world.client.udp_send_to(socket, &[0; 100], far).unwrap();
            world.settle();
            assert!(world.flows.memory_in_use() <= BUDGET);
            socket
        })
        .collect();
    for socket in sockets {
        world.client.udp_close(socket).unwrap();
    }
    world.pass(31.0);
    assert_eq!(world.flows.len(), 0);
    world.seen.answer = netloom_stack::flow::Open::Accept;
    let (handle, id) = world.open("203.0.113.9:80");
    let sent = pattern(50_000);
    assert_eq!(world.client.tcp_write(handle, &sent), Ok(sent.len()));
    world.pass(5.0);
    assert_eq!(world.seen.bytes(id), sent);
}

#[test]
fn no_flood_of_one_kind_shuts_out_the_others_for_good() {
    const BUDGET: usize = 1 << 20;
    let config = FlowConfig::default().memory_budget(BUDGET);
    let mut world = World::with(Profile::Heap, config);
    // Thousands of each at once: more than there is memory for.
    let far = "203.0.113.9:53".parse().unwrap();
    for _ in 0..2 {
        let sockets: Vec<_> = (0..5_000)
            .map(|port| {
                let socket = world.client.udp_bind(10_000 + port).unwrap();
                world.client.udp_send_to(socket, b"?", far).unwrap();
                world.settle();
                socket
            })
            .collect();
        assert!(world.flows.memory_in_use() <= BUDGET);
        for socket in sockets {
            world.client.udp_close(socket).unwrap();
        }
        world.pass(301.0);
        assert_eq!(world.flows.len(), 0);
        world.seen.openings.clear();
        let connections: Vec<_> = (0..2_000)
            .map(|_| world.connect("203.0.113.9:80"))
            .collect();
        assert!(world.flows.memory_in_use() <= BUDGET);
        let state = |handle| world.client.tcp_state(handle);
        let open = connections
            .iter()
            .filter(|handle| state(**handle) == Ok(State::Established));
        assert!(open.count() > 400);
        for handle in connections {
            world.client.tcp_abort(handle).unwrap();
            world.client.tcp_close(handle).unwrap();
        }
        world.pass(1.0);
        assert_eq!(world.flows.len(), 0);
    }
}

#[test]
fn what_waits_to_be_sent_is_counted() {
    let mut world = World::with(Profile::Heap, FlowConfig::default().memory_budget(4 << 20));
    world.seen.answer = netloom_stack::flow::Open::Refuse(netloom_stack::flow::Refusal::Rst);
    let before = world.flows.memory_in_use();
    for _ in 0..500 {
        world
            .client
            .tcp_connect("203.0.113.9:80".parse().unwrap())
            .unwrap();
    }
    let _ = world
        .client
        .transmit(world.now, crate::world::IF, &mut world.to_flows);
    for packet in std::mem::take(&mut world.to_flows.frames) {
        world.flows.packet_in(world.now, &packet, &mut world.seen);
    }
    let grown = world.flows.memory_in_use() - before;
    assert!(grown > 500 * 128, "{grown}");
    world.settle();
}
