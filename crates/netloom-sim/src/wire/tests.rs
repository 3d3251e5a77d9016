use netloom_driver::{Direction, Instant};

use super::Wire;
use crate::capture::Verdict;
use crate::link::Link;
use crate::units::{mbit, ms};

fn wire(link: &Link) -> Wire {
    Wire::new(link, Direction::Outbound, 1)
}

fn at(micros: u64) -> Instant {
    Instant::from_micros(micros)
}

#[test]
fn frames_leave_one_after_the_other() {
    // 1000 bytes are 8 ms at 1 Mbit/s.
    let mut wire = wire(&Link::new().rate(mbit(1)).delay(ms(1)));
    assert_eq!(wire.offer(at(0), vec![1; 1_000]), Verdict::PLAIN);
    assert_eq!(wire.offer(at(0), vec![2; 500]), Verdict::PLAIN);
    assert_eq!(wire.next_due(), Some(at(9_000)));
    assert_eq!(wire.arrive(at(8_999)), None);
    assert_eq!(wire.arrive(at(9_000)), Some(vec![1; 1_000]));
    assert_eq!(wire.next_due(), Some(at(13_000)));
    // A transmitter that was idle does not save time up.
    assert_eq!(wire.offer(at(50_000), vec![3; 1_000]), Verdict::PLAIN);
    assert_eq!(wire.arrive(at(50_000)), Some(vec![2; 500]));
    assert_eq!(wire.next_due(), Some(at(59_000)));
}

#[test]
fn a_full_queue_drops_what_comes_last() {
    let mut wire = wire(&Link::new().rate(mbit(1)).queue(2).queue_bytes(1_500));
    assert_eq!(wire.offer(at(0), vec![0; 2_000]), Verdict::TooBig);
    assert_eq!(wire.offer(at(0), vec![0; 1_000]), Verdict::PLAIN);
    assert_eq!(wire.offer(at(0), vec![0; 501]), Verdict::QueueFull);
    assert_eq!(wire.offer(at(0), vec![0; 500]), Verdict::PLAIN);
    assert_eq!(wire.offer(at(0), vec![0; 1]), Verdict::QueueFull);
    // The first has left after 8 ms.
    assert_eq!(wire.offer(at(7_999), vec![0; 1]), Verdict::QueueFull);
    assert_eq!(wire.offer(at(8_000), vec![0; 1]), Verdict::PLAIN);
    assert!(wire.is_balanced());
}

#[test]
fn a_link_that_is_down_loses_what_leaves_and_what_arrives() {
    let link = Link::new().delay(ms(10)).outage(at(5_000), at(20_000));
    let mut wire = wire(&link);
    assert_eq!(wire.offer(at(0), vec![1; 60]), Verdict::PLAIN);
    assert_eq!(wire.offer(at(5_000), vec![2; 60]), Verdict::Down);
    assert_eq!(wire.arrive(at(10_000)), None);
    assert_eq!(wire.offer(at(20_000), vec![3; 60]), Verdict::PLAIN);
    assert_eq!(wire.arrive(at(30_000)), Some(vec![3; 60]));
    assert_eq!((wire.stats().down, wire.in_flight()), (2, 0));
    assert!(wire.is_balanced());
}

#[test]
fn a_frame_that_goes_missing_is_noticed() {
    let mut wire = wire(&Link::new().duplicate(1.0).delay(ms(1)));
    wire.offer(at(0), vec![1; 60]);
    assert!(wire.is_balanced());
    assert!(wire.arrive(at(1_000)).is_some());
    assert!(wire.is_balanced());
    wire.line = super::DelayLine::new();
    assert!(!wire.is_balanced(), "the copy is gone");
}
