//! Two stacks under every impairment, alone and together: both streams are checked byte by byte,
//! and both ends must say that the connection closed in order.

mod common;

use common::{PROFILES, Profile, Scenario};
use netloom_sim::{ChannelStats, Link, Sim, kbit, mbit, ms, secs, us};

/// Runs a transfer with every memory profile at either end, both IP versions, both media, and
/// several sizes; `saw` tells from a link's numbers whether the impairment was there.
fn everywhere(link: impl Fn(Link) -> Link, saw: impl Fn(&ChannelStats) -> u64) {
    let mut seed = 0;
    for v6 in [false, true] {
        for ip in [false, true] {
            let base = if ip { Link::new().ip() } else { Link::new() };
            let link = link(base.delay(ms(10)));
            let mut seen = 0;
            for client in PROFILES {
                for server in PROFILES {
                    for (up, down) in [(1, 0), (60_000, 60_000), (150_000, 20_000)] {
                        seed += 1;
                        let mut scenario = Scenario::new(seed, link.clone());
                        scenario.v6 = v6;
                        scenario.client.profile = client;
                        scenario.client.bytes = up;
                        scenario.server.profile = server;
                        scenario.server.bytes = down;
                        let world = scenario.check();
                        let (forward, backward) = world.link_stats(scenario.link(&world));
                        seen += saw(&forward) + saw(&backward);
                    }
                }
            }
            assert!(seen > 0, "the impairment never happened");
        }
    }
}

#[test]
fn a_perfect_link() {
    everywhere(|link| link, |stats| u64::from(stats.lost == 0));
}

#[test]
fn loss() {
    everywhere(|link| link.loss(0.05), |stats| stats.lost);
}

#[test]
fn reordering_by_one() {
    everywhere(|link| link.reorder(0.1), |stats| stats.reordered);
}

#[test]
fn reordering_by_many() {
    everywhere(
        |link| link.reorder(0.1).reorder_by(12, ms(40)),
        |stats| stats.reordered,
    );
}

#[test]
fn duplication() {
    everywhere(|link| link.duplicate(0.2), |stats| stats.duplicated);
}

#[test]
fn every_frame_twice() {
    everywhere(|link| link.duplicate(1.0), |stats| stats.duplicated);
}

#[test]
fn corruption() {
    everywhere(|link| link.corrupt(0.05), |stats| stats.corrupted);
}

#[test]
fn jitter() {
    everywhere(|link| link.jitter(ms(80)), |stats| stats.delivered);
}

#[test]
fn a_slow_link_with_a_short_queue() {
    everywhere(|link| link.rate(mbit(2)).queue(6), |stats| stats.queue_full);
}

#[test]
fn a_queue_of_bytes() {
    everywhere(
        |link| link.rate(mbit(5)).queue_bytes(9_000),
        |stats| stats.queue_full,
    );
}

#[test]
fn a_device_that_is_often_full() {
    everywhere(
        |link| link.rate(mbit(1)).device_ring(1),
        |stats| u64::from(stats.queue_full == 0),
    );
}

#[test]
fn a_long_fat_path() {
    everywhere(
        |link| link.rate(mbit(100)).delay(ms(300)),
        |stats| stats.delivered,
    );
}

#[test]
fn a_thin_path() {
    everywhere(
        |link| link.rate(kbit(64)).delay(ms(200)).queue(20),
        |stats| stats.delivered,
    );
}

#[test]
fn the_smallest_mtu_of_ipv6() {
    everywhere(|link| link.mtu(1280).loss(0.01), |stats| stats.lost);
}

#[test]
fn a_large_mtu() {
    everywhere(|link| link.mtu(9_000).loss(0.01), |stats| stats.lost);
}

#[test]
fn an_outage_in_the_middle() {
    let start = Sim::START;
    everywhere(
        |link| {
            link.rate(mbit(1))
                .outage(start + ms(200), start + ms(2_700))
                .outage(start + secs(4), start + secs(5))
        },
        |stats| stats.down,
    );
}

#[test]
fn loss_of_one_direction_only() {
    everywhere(
        |link| link.forward(|path| path.loss(0.1)),
        |stats| stats.lost,
    );
    everywhere(
        |link| link.backward(|path| path.loss(0.1)),
        |stats| stats.lost,
    );
}

#[test]
fn everything_together() {
    everywhere(
        |link| {
            link.rate(mbit(4))
                .delay(ms(25))
                .jitter(ms(10))
                .queue(30)
                .device_ring(4)
                .loss(0.02)
                .reorder(0.05)
                .reorder_by(3, ms(20))
                .duplicate(0.05)
                .corrupt(0.02)
                .mtu(1400)
        },
        |stats| stats.lost.min(stats.corrupted).min(stats.duplicated),
    );
}

#[test]
fn readers_that_let_the_window_close() {
    for (seed, profile) in PROFILES.into_iter().enumerate() {
        let mut scenario = Scenario::new(seed as u64, Link::new().delay(ms(20)).loss(0.03));
        scenario.client.profile = profile;
        scenario.server.profile = profile;
        scenario.server.slow_start = secs(10);
        scenario.server.read = 700;
        scenario.server.pause = us(3_000);
        scenario.client.slow_start = secs(20);
        scenario.check();
    }
}

/// Ten megabytes, so that windows, cwnd and both sequence spaces move far.
#[test]
fn a_long_transfer() {
    let link = Link::new().rate(mbit(50)).delay(ms(50)).loss(0.01);
    let mut scenario = Scenario::new(1, link);
    scenario.client.profile = Profile::Heap;
    scenario.client.bytes = 10 << 20;
    scenario.check();
}
