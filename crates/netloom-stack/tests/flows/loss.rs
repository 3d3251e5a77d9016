//! A bad path between a client and the flows: no byte lost, doubled or out of order.

use netloom_stack::flow::FlowConfig;
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Tunables};

use crate::common::{Profile, Random};
use crate::world::{Weather, World, everywhere, pattern};

#[test]
fn streams_arrive_whole_both_ways() {
    let seeds = std::env::var("NETLOOM_SEEDS").map_or(8, |n| n.parse().unwrap());
    everywhere(|profile, far| {
        for seed in 0..seeds {
            transfer(profile, far, seed);
        }
    });
}

fn transfer(profile: Profile, far: &str, seed: u64) {
    let tunables = Tunables {
        tcp_rmem: 8192,
        tcp_wmem: 8192,
        ..Tunables::default()
    };
    let mut world = World::with(profile, FlowConfig::default().tunables(tunables));
    world.random = Random(seed);
    let handle = world.client.tcp_connect(far.parse().unwrap()).unwrap();
    world.weather = Weather {
        loss: 8,
        repeat: 3,
        swap: 10,
    };
    // A handler of changing appetite, that gives credit late.
    world.seen.credits = seed % 2 == 0;
    world.seen.appetite = 0;
    let (up, down) = (pattern(40_000), pattern(50_000));
    let (mut written, mut passed_on) = (0, 0);
    let mut credited = 0;
    let mut got = Vec::new();
    let mut finished = [false; 2];
    for _ in 0..20_000 {
        if written < up.len() {
            let end = up.len().min(written + 3000);
            written += world
                .client
                .tcp_write(handle, &up[written..end])
                .unwrap_or(0);
        } else if !finished[0] {
            finished[0] = world.client.tcp_shutdown(handle, How::Write).is_ok();
        }
        world.seen.appetite += world.random.below(2000);
        if let Some((id, _)) = world.seen.openings.last().copied() {
            let taken = world.seen.bytes(id).len();
            if world.seen.credits {
                let _ = world.flows.credit(world.now, id, 0);
            } else {
                let _ = world.flows.credit(world.now, id, taken - credited);
                credited = taken;
            }
            if passed_on < down.len() {
                if let Ok(rest) = world.flows.data_in(world.now, id, &down[passed_on..]) {
                    passed_on = down.len() - rest.len();
                }
            } else if !finished[1] {
                finished[1] = world.flows.finish(world.now, id).is_ok();
            }
        }
        world.pass(0.02);
        got.extend(world.read(handle));
        if !world.seen.closed.is_empty() {
            break;
        }
    }
    let id = world.seen.id();
    assert_eq!(world.seen.bytes(id), up, "seed {seed}");
    assert_eq!(got, down, "seed {seed}");
    assert_eq!(world.seen.finished, [id]);
    assert_eq!(
        world.seen.closed,
        [(id, CloseReason::Finished)],
        "seed {seed}"
    );
    assert_eq!(world.flows.len(), 0);
}
