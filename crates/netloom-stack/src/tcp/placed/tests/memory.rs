//! Memory that is found for text on a guess, and what is guessed at all.

use std::vec;
use std::vec::Vec;

use super::world::{IFACE, Op, World};

/// Memory is found before text comes. Where none comes it is given back.
#[test]
fn no_memory_is_held_for_text_that_does_not_come() {
    let mut world = World::new(true, false, true);
    let mut buffer = vec![0; 300_000];
    for _ in 0..10 {
        world.act(&Op::Write(0, 0, 100_000));
        for side in [0, 1] {
            world.send(side);
            world.deliver(side, 64);
        }
        let _ = world.stacks[1].tcp_read(world.conns[0][1], &mut buffer);
        world.send(1);
        world.deliver(1, 64);
        // The device is asked again, in vain.
        world.deliver(0, 64);
        assert_eq!(world.stacks[1].buffers_in_use(), 0);
    }
    assert!(world.apart > 0);
}

/// One exchange on a connection, up to its last acknowledgment; what came is read.
fn exchange(world: &mut World, conn: usize, len: usize) {
    let mut buffer = vec![0; 300_000];
    world.act(&Op::Write(0, conn, len));
    for _ in 0..4 {
        world.send(0);
        world.deliver(0, 64);
        let _ = world.stacks[1].tcp_read(world.conns[conn][1], &mut buffer);
        world.send(1);
        world.deliver(1, 64);
    }
    // Delayed acknowledgments, and what is quiet after them.
    for _ in 0..4 {
        world.now += 600_000;
        for side in [0, 1] {
            world.send(side);
            world.deliver(side, 64);
        }
    }
}

/// The text that was guessed does not come: the talk goes on in another connection.
#[test]
fn no_memory_is_held_for_a_connection_that_falls_silent() {
    let mut used = [0, 0];
    for (used, pieces) in used.iter_mut().zip([false, true]) {
        let mut world = World::new(true, false, pieces);
        for _ in 0..10 {
            exchange(&mut world, 0, 100_000);
        }
        assert_eq!(world.stacks[1].buffers_in_use(), 0);
        // A conversation in small pieces.
        for _ in 0..10 {
            exchange(&mut world, 1, 100);
        }
        for _ in 0..10 {
            world.now += 60_000_000;
            for side in [0, 1] {
                world.send(side);
                world.deliver(side, 64);
            }
        }
        *used = world.stacks[1].buffers_in_use();
    }
    assert_eq!(used, [0, 0], "whole frames, pieces");
}

/// The same where each connection has its large text in turn.
#[test]
fn no_memory_is_held_for_connections_that_had_their_turn() {
    let mut world = World::new(true, false, true);
    for _ in 0..10 {
        exchange(&mut world, 0, 100_000);
    }
    for _ in 0..10 {
        exchange(&mut world, 1, 100_000);
    }
    for _ in 0..10 {
        world.now += 60_000_000;
        for side in [0, 1] {
            world.send(side);
            world.deliver(side, 64);
        }
    }
    assert_eq!(world.stacks[1].buffers_in_use(), 0);
}

/// A ring that could not become as long as was guessed goes again too.
#[test]
#[cfg(feature = "flows")]
fn no_memory_is_held_where_a_budget_leaves_too_little() {
    let mut table = Vec::new();
    for budget in [
        224 << 10,
        256 << 10,
        320 << 10,
        352 << 10,
        384 << 10,
        448 << 10,
    ] {
        let mut used = [0, 0];
        for (used, pieces) in used.iter_mut().zip([false, true]) {
            let mut world = World::new(false, false, pieces);
            let config = crate::flow::FlowConfig::default().memory_budget(budget);
            world.stacks[1].accept_flows(IFACE, &config).unwrap();
            world.stacks[1].set_flow_budget(budget);
            for _ in 0..20 {
                world.act(&Op::Write(0, 0, 20_000));
                for _ in 0..2 {
                    world.send(0);
                    world.deliver(0, 64);
                    let _ = world.stacks[1].tcp_read(world.conns[0][1], &mut [0; 30_000]);
                    world.send(1);
                    world.deliver(1, 64);
                }
                world.now += 500;
            }
            for _ in 0..10 {
                world.now += 60_000_000;
                for side in [0, 1] {
                    world.send(side);
                    world.deliver(side, 64);
                }
            }
            *used = world.stacks[1].buffers_in_use();
        }
        table.push((budget, used));
    }
    // Bytes in use at the end, of whole frames and of frames in pieces.
    assert!(
        table.iter().all(|(_, [whole, pieces])| pieces <= whole),
        "{table:?}"
    );
}

/// A stack's text to itself says nothing of what its device brings.
#[test]
fn what_came_another_way_is_not_guessed() {
    for v6 in [false, true] {
        let mut world = World::new(true, v6, true);
        for _ in 0..10 {
            world.act(&Op::Local(1, 60_000));
            world.now += 1_000;
        }
        exchange(&mut world, 0, 100);
        let next = world.stacks[1].tcp.placed.next;
        assert!(
            next.is_none(),
            "{v6}: {:?}",
            next.map(|g| (g.index, g.head_len))
        );
    }
}

/// Where nobody has verified checksums no guess can come true, and each would cost two copies.
#[test]
fn nothing_is_guessed_of_a_device_that_verifies_nothing() {
    for v6 in [false, true] {
        let mut world = World::over(false, v6, true, true, 1 << 30);
        let mut read = 0;
        let mut buffer = vec![0; 200_000];
        for _ in 0..100 {
            world.act(&Op::Write(0, 0, 100_000));
            for side in [0, 1] {
                world.send(side);
                world.deliver(side, 64);
            }
            read += world.stacks[1]
                .tcp_read(world.conns[0][1], &mut buffer)
                .unwrap_or(0);
            world.now += 500;
        }
        assert!(read > 2_000_000, "{read}");
        assert_eq!(world.apart, 0, "put back, of {read}; IPv6: {v6}");
    }
}

/// Memory that stayed with a silent connection would be missing to the others.
#[test]
fn text_is_not_refused_for_a_guess() {
    let mut seen = Vec::new();
    for pieces in [false, true] {
        let mut world = World::over(true, false, pieces, false, 260 << 10);
        let mut buffer = vec![0; 300_000];
        for _ in 0..10 {
            world.act(&Op::Write(0, 0, 40_000));
            for _ in 0..3 {
                world.send(0);
                world.deliver(0, 64);
                let _ = world.stacks[1].tcp_read(world.conns[0][1], &mut buffer);
                world.send(1);
                world.deliver(1, 64);
            }
            world.now += 500;
        }
        exchange(&mut world, 1, 100);
        exchange(&mut world, 1, 100);
        exchange(&mut world, 1, 100);
        let held = world.stacks[1].buffers_in_use();
        world.act(&Op::Write(0, 1, 120_000));
        for _ in 0..40 {
            for side in [0, 1] {
                world.send(side);
                world.deliver(side, 64);
            }
            world.now += 50_000;
        }
        let refused = world.stacks[1]
            .counters()
            .dropped(crate::DropReason::TcpNoMemory);
        let len = world.stacks[1].tcp_read(world.conns[1][1], &mut buffer);
        seen.push((held, refused, len));
    }
    assert_eq!(seen[0], seen[1], "held, refused, readable");
}
