//! Attack class 23: arithmetic that wraps. The whole of what other tests do, with both initial
//! sequence numbers at 0xFFFF_FFF0, so that the first bytes already cross zero, and further off,
//! so that it happens in the middle.

mod common;

use common::{PROFILES, Scenario};
use netloom_sim::{Link, mbit, ms};

fn at(before: u32, link: &Link) {
    let mut seed = u64::from(before);
    for v6 in [false, true] {
        for profile in PROFILES {
            seed += 1;
            let mut scenario = Scenario::new(seed, link.clone());
            scenario.isn_before_wrap = Some(before);
            scenario.v6 = v6;
            scenario.client.profile = profile;
            scenario.server.profile = profile;
            scenario.check();
        }
    }
}

#[test]
fn class_23_isns_at_ffff_fff0_on_a_perfect_link() {
    at(16, &Link::new().delay(ms(10)));
}

#[test]
fn class_23_isns_at_ffff_fff0_under_every_impairment() {
    let link = Link::new()
        .rate(mbit(5))
        .delay(ms(20))
        .jitter(ms(5))
        .queue(20)
        .loss(0.03)
        .reorder(0.1)
        .reorder_by(4, ms(20))
        .duplicate(0.05)
        .corrupt(0.03);
    for before in [16, 1, 0, 2, 1_460, 40_000] {
        at(before, &link);
    }
}

#[test]
fn class_23_the_sign_bit_of_sequence_numbers_is_nothing_special() {
    let link = Link::new().delay(ms(20)).loss(0.03).reorder(0.1);
    // 2^31 before the wrap: the first bytes cross 0x7fff_ffff -> 0x8000_0000.
    at((1 << 31) + 16, &link);
}

#[test]
fn class_23_a_window_that_is_closed_at_the_wrap() {
    let mut scenario = Scenario::new(9, Link::new().delay(ms(5)));
    scenario.isn_before_wrap = Some(2_049);
    scenario.client.profile = common::Profile::Small;
    scenario.server.profile = common::Profile::Small;
    // 2 048 bytes fill the receiver's buffer: the probe is for the octet at the wrap.
    scenario.server.slow_start = netloom_sim::secs(30);
    scenario.client.slow_start = netloom_sim::secs(40);
    scenario.check();
}
