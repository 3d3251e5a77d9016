#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use alloc::vec::Vec;

use super::{DelayLine, Dice, Impair, Impairments};
use crate::test_device::{TestDevice, receive, send};
use crate::{Driver, Instant};

const HALF: u32 = 500_000;
const ALWAYS: u32 = 1_000_000;

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

/// Frame `n`, recognisable.
fn frame(n: u8) -> Vec<u8> {
    alloc::vec![n; 40]
}

/// What the device gets of `count` frames sent a millisecond apart, and of all time after.
fn outbound(impairments: Impairments, seed: u64, count: u8) -> Vec<Vec<u8>> {
    let mut impaired = Impair::new(TestDevice::new(), seed, Impairments::NONE, impairments);
    for n in 0..count {
        impaired.set_now(at(u64::from(n) * 1_000));
        send(&mut impaired, &frame(n)).unwrap();
        impaired.sink().flush();
    }
    while let Some(due) = impaired.next_due() {
        impaired.set_now(due);
        impaired.sink().flush();
    }
    impaired.into_inner().sent
}

#[test]
fn a_perfect_path_changes_nothing() {
    let frames: Vec<_> = (0..200).map(frame).collect();
    assert_eq!(outbound(Impairments::NONE, 1, 200), frames);
}

#[test]
fn the_same_seed_gives_the_same_fates() {
    let bad = Impairments {
        loss: HALF,
        duplicate: HALF,
        corrupt: HALF,
        reorder: HALF,
        reorder_by: 3,
        jitter: 5_000,
        ..Impairments::NONE
    };
    assert_eq!(outbound(bad, 1, 200), outbound(bad, 1, 200));
    assert_ne!(outbound(bad, 1, 200), outbound(bad, 2, 200));
}

#[test]
fn loss_is_as_frequent_as_asked_for() {
    let bad = Impairments {
        loss: 100_000,
        ..Impairments::NONE
    };
    let arrived: usize = (0..100).map(|seed| outbound(bad, seed, 200).len()).sum();
    // 20 000 frames, a tenth lost: 18 000 give or take seven standard deviations.
    assert!((17_700..=18_300).contains(&arrived), "{arrived}");
    let mut impaired = Impair::new(TestDevice::new(), 1, Impairments::NONE, bad);
    (0..100).for_each(|n| send(&mut impaired, &frame(n)).unwrap());
    let (inbound_lost, outbound_lost) = impaired.lost();
    impaired.sink().flush();
    assert_eq!(impaired.get_ref().sent.len() as u64 + outbound_lost, 100);
    assert_eq!(inbound_lost, 0);
}

#[test]
fn what_is_answered_in_place_is_impaired_both_ways() {
    let late = |delay| Impairments {
        delay,
        ..Impairments::NONE
    };
    let mut device = TestDevice::new();
    device.incoming.push_back(frame(1));
    let mut impaired = Impair::new(device, 1, late(1_000), late(2_000));
    let mut answer = |frame: &mut [u8], _: &_| {
        frame.fill(2);
        30
    };
    impaired.set_now(at(0));
    assert_eq!(impaired.receive_answering(&mut answer), Some(0));
    impaired.set_now(at(1_000));
    assert_eq!(impaired.receive_answering(&mut answer), Some(1));
    assert!(impaired.get_ref().sent.is_empty());
    impaired.set_now(at(3_000));
    assert_eq!(impaired.receive_answering(&mut answer), Some(0));
    assert_eq!(impaired.get_ref().sent, [alloc::vec![2; 30]]);
}

#[test]
fn a_duplicate_is_the_same_frame_again() {
    let bad = Impairments {
        duplicate: ALWAYS,
        ..Impairments::NONE
    };
    let sent = outbound(bad, 1, 50);
    assert_eq!(sent.len(), 100);
    assert!(
        sent.chunks(2)
            .enumerate()
            .all(|(n, pair)| { pair.iter().all(|copy| *copy == frame(n as u8)) })
    );
}

#[test]
fn corruption_is_one_bit_anywhere() {
    let bad = Impairments {
        corrupt: ALWAYS,
        ..Impairments::NONE
    };
    let mut bits = [false; 40 * 8];
    for seed in 0..40 {
        for (n, sent) in outbound(bad, seed, 200).iter().enumerate() {
            let flipped: Vec<usize> = (0..sent.len() * 8)
                .filter(|bit| (sent[bit / 8] ^ n as u8) & (0x80 >> (bit % 8)) != 0)
                .collect();
            assert_eq!(flipped.len(), 1);
            bits[flipped[0]] = true;
        }
    }
    assert_eq!(bits, [true; 40 * 8], "every bit is hit at times");
}

#[test]
fn a_reordered_frame_is_overtaken_by_as_many_as_asked_for() {
    let mut line = DelayLine::new();
    line.push(1, at(10), 2, 1_000);
    for n in 2..6 {
        line.push(n, at(10 + n), 0, 1_000);
    }
    assert_eq!(line.next_due(), Some(at(12)));
    let order: Vec<u64> = core::iter::from_fn(|| line.pop(at(100))).collect();
    assert_eq!(order, [2, 3, 1, 4, 5]);
    assert!(line.is_empty());
}

#[test]
fn a_reordered_frame_waits_only_so_long() {
    let mut line = DelayLine::new();
    line.push('a', at(10), 5, 100);
    line.push('b', at(10), 0, 100);
    line.push('c', at(500), 0, 100);
    assert_eq!(line.pop(at(10)), Some('b'));
    assert_eq!((line.next_due(), line.len()), (Some(at(110)), 2));
    assert_eq!(line.pop(at(109)), None);
    assert_eq!(line.pop(at(600)), Some('a'));
    assert_eq!(line.pop(at(600)), Some('c'));
    assert_eq!(line.pop(at(600)), None);
}

#[test]
fn delays_keep_the_order() {
    let bad = Impairments {
        delay: 2_000,
        jitter: 50_000,
        ..Impairments::NONE
    };
    let frames: Vec<_> = (0..100).map(frame).collect();
    assert_eq!(outbound(bad, 3, 100), frames);
}

#[test]
fn a_delayed_frame_arrives_at_its_time_in_either_direction() {
    let slow = Impairments {
        delay: 700,
        ..Impairments::NONE
    };
    let mut device = TestDevice::new();
    device.incoming.push_back(frame(1));
    let mut impaired = Impair::new(device, 1, slow, slow);
    impaired.set_now(at(100));
    send(&mut impaired, &frame(2)).unwrap();
    assert!(receive(&mut impaired).is_empty());
    assert_eq!(impaired.next_due(), Some(at(800)));
    impaired.set_now(at(799));
    assert!(receive(&mut impaired).is_empty());
    // Time does not go back.
    impaired.set_now(at(800));
    impaired.set_now(at(3));
    assert_eq!(receive(&mut impaired), [frame(1)]);
    assert_eq!(impaired.get_ref().sent, [frame(2)]);
    assert_eq!(impaired.next_due(), None);
}

#[test]
fn a_full_device_gets_the_frame_later() {
    let mut device = TestDevice::new();
    device.room = 1;
    let mut impaired = Impair::new(device, 1, Impairments::NONE, Impairments::NONE);
    send(&mut impaired, &frame(1)).unwrap();
    send(&mut impaired, &frame(2)).unwrap();
    impaired.sink().flush();
    assert_eq!(impaired.get_ref().sent, [frame(1)]);
    assert!(send(&mut impaired, &frame(3)).is_err(), "one waits already");
    impaired.get_mut().room = 10;
    assert!(impaired.next_due().is_some());
    send(&mut impaired, &frame(3)).unwrap();
    impaired.sink().flush();
    assert_eq!(impaired.into_inner().sent, [frame(1), frame(2), frame(3)]);
}

#[test]
fn offloads_are_not_announced() {
    let mut impaired = Impair::new(TestDevice::new(), 1, Impairments::NONE, Impairments::NONE);
    let caps = impaired.sink().caps();
    assert_eq!((caps.mtu, caps.checksum, caps.gso_max), (1400, false, 0));
}

#[test]
fn changing_one_impairment_leaves_the_other_draws_alone() {
    let (mut a, mut b) = (Dice::new(5), Dice::new(5));
    let bad = Impairments {
        loss: HALF,
        ..Impairments::NONE
    };
    let worse = Impairments {
        duplicate: HALF,
        corrupt: HALF,
        jitter: 100,
        ..bad
    };
    for _ in 0..1_000 {
        assert_eq!(a.fate(&bad).lost, b.fate(&worse).lost);
    }
}
