use std::vec::Vec;

use super::{CHECKPOINTS, DeliveryRate, in_flight_at};
use crate::SeqNum;
use crate::rate::Rate;
use crate::records::{APP_LIMITED, Record};

const FIRST: SeqNum = SeqNum(1);
/// Octets of a record.
const LEN: u32 = 1_000;
const SRTT: u32 = 100_000;

/// The `n`-th record from 0 on, sent at a time when so much had been delivered.
fn record(n: u32, sent: u32, delivered: u32) -> Record {
    Record {
        end: FIRST.plus((n + 1) * LEN),
        sent,
        delivered,
        ..Record::EMPTY
    }
}

#[test]
fn a_rate_is_what_was_delivered_by_the_time_it_took() {
    // Ten at once at 0, acknowledged one each millisecond from 100 ms on.
    let mut rate = DeliveryRate::EMPTY;
    for n in 0..10 {
        rate.on_sent(1_000_000, 0, n * LEN, SRTT);
    }
    for n in 0..10 {
        let (now, delivered) = (1_100_000 + n * 1_000, (n + 1) * LEN);
        rate.on_delivered(&record(n, 1_000_000, 0));
        let sample = rate.sample(now, delivered, true, 0, FIRST).unwrap();
        assert_eq!(
            sample.delivery_rate,
            Rate::of(delivered, 100_000 + n * 1_000)
        );
        assert_eq!((sample.delivered, sample.prior_delivered), (delivered, 0));
        assert_eq!(sample.rtt, Some(100_000 + n * 1_000));
        assert_eq!(sample.tx_in_flight, Some(delivered));
    }
}

#[test]
fn nothing_arrives_faster_than_it_is_sent() {
    // One each 10 ms; an aggregate of acknowledgments brings them all at once. From the first one's
    // arrival on 9 arrive within no time, but were sent within 90 ms.
    let mut rate = DeliveryRate::EMPTY;
    for n in 0..10 {
        rate.on_sent(1_000_000 + n * 10_000, 0, n * LEN, SRTT);
    }
    for n in 0..10 {
        rate.on_delivered(&record(n, 1_000_000 + n * 10_000, 0));
    }
    let sample = rate.sample(1_100_000, 10 * LEN, true, 0, FIRST).unwrap();
    // By the acknowledgment 100 ms; by sending 90: the longer.
    assert_eq!(sample.delivery_rate, Rate::of(10 * LEN, 100_000));
    // The next flight, sent over 100 ms from then on, comes back at once after 10 ms.
    for n in 10..20 {
        rate.on_sent(
            1_100_000 + (n - 9) * 10_000,
            10 * LEN,
            (n - 10) * LEN + 1,
            SRTT,
        );
    }
    for n in 10..20 {
        rate.on_delivered(&record(n, 1_100_000 + (n - 9) * 10_000, 10 * LEN));
    }
    let sample = rate.sample(1_200_001, 20 * LEN, true, 0, FIRST).unwrap();
    // The last before was sent at 1.09 s, this one at 1.2 s.
    assert_eq!(sample.delivery_rate, Rate::of(10 * LEN, 110_000));
}

#[test]
fn an_interval_below_the_least_round_trip_tells_nothing() {
    let mut rate = DeliveryRate::EMPTY;
    rate.on_sent(1_000_000, 0, 0, SRTT);
    // Sent again: it may be the first one that arrived.
    let mut again = record(0, 1_000_000, 0);
    again.retransmissions = 1;
    rate.on_delivered(&again);
    let sample = rate.sample(1_050_000, LEN, true, 60_000, FIRST).unwrap();
    assert_eq!(sample.delivery_rate, Rate::ZERO);
    // What was sent once measures a round trip: a new least one.
    rate.on_sent(1_050_000, LEN, 0, SRTT);
    rate.on_delivered(&record(1, 1_050_000, LEN));
    let sample = rate.sample(1_100_000, 2 * LEN, true, 60_000, FIRST);
    assert_eq!(sample.unwrap().delivery_rate, Rate::of(LEN, 50_000));
}

#[test]
fn what_the_application_limits_is_marked_until_it_is_delivered() {
    let mut rate = DeliveryRate::EMPTY;
    rate.on_sent(1_000_000, 0, 0, SRTT);
    rate.mark_app_limited(0, LEN);
    assert!(rate.is_app_limited());
    // The bubble is what is in flight: until more than that is delivered.
    rate.on_delivered(&record(0, 1_000_000, 0));
    rate.sample(1_100_000, LEN, true, 0, FIRST).unwrap();
    assert!(rate.is_app_limited());
    let mut limited = record(1, 1_100_000, LEN);
    limited.mark(APP_LIMITED);
    rate.on_sent(1_100_000, LEN, 0, SRTT);
    rate.on_delivered(&limited);
    let sample = rate.sample(1_200_000, 2 * LEN, true, 0, FIRST).unwrap();
    assert!(sample.is_app_limited);
    assert!(!rate.is_app_limited());
}

#[test]
fn what_was_sent_last_tells_the_rate_in_whatever_order_it_is_reported() {
    let mut rate = DeliveryRate::EMPTY;
    rate.on_sent(1_000_000, 0, 0, SRTT);
    rate.on_sent(1_010_000, 0, LEN, SRTT);
    rate.on_delivered(&record(1, 1_010_000, 0));
    rate.on_delivered(&record(0, 1_000_000, 0));
    let sample = rate.sample(1_110_000, 2 * LEN, true, 0, FIRST).unwrap();
    assert_eq!(sample.rtt, Some(100_000));
    // What was sent again has no round trip of its own.
    let mut again = record(2, 1_110_000, 2 * LEN);
    again.retransmissions = 1;
    rate.on_sent(1_110_000, 2 * LEN, 0, SRTT);
    rate.on_delivered(&again);
    let sample = rate.sample(1_210_000, 3 * LEN, true, 0, FIRST).unwrap();
    assert_eq!((sample.rtt, sample.tx_in_flight), (None, None));
    assert_eq!(sample.delivery_rate, Rate::of(LEN, 100_000));
}

#[test]
fn checkpoints_are_a_tenth_of_a_round_trip_apart_and_bounded() {
    // An acknowledgment each 10 µs, and something sent after each: 1000 octets in 10 µs.
    let mut rate = DeliveryRate::EMPTY;
    let mut sent = Vec::new();
    for n in 0..60_000u32 {
        let now = 1_000_000 + n * 10;
        // In flight is what was sent in the last 100 ms.
        let arrived = n.saturating_sub(10_000);
        if n > 10_000 {
            let (at, delivered) = sent[arrived as usize - 1];
            rate.on_delivered(&record(arrived - 1, at, delivered));
            let sample = rate.sample(now, arrived * LEN, true, 0, FIRST).unwrap();
            // What was sent in the first two round trips is measured from when it began.
            if n > 30_000 {
                let expected = Rate::of(LEN, 10).to_per_second();
                let told = sample.delivery_rate.to_per_second();
                assert!(told.abs_diff(expected) * 1_000 < expected, "{n}: {told}");
            }
        }
        sent.push((now, arrived * LEN));
        rate.on_sent(now, arrived * LEN, (n - arrived) * LEN, SRTT);
        assert!(usize::from(rate.len) <= CHECKPOINTS);
    }
    // Three round trips' worth.
    let oldest = rate.checkpoints[rate.place(0)].delivered_time;
    assert!(1_599_990 - oldest >= 300_000, "{oldest}");
}

#[test]
fn what_is_in_flight_follows_from_the_place() {
    // 50 octets sent, 20 of them delivered by then.
    assert_eq!(in_flight_at(FIRST.plus(50), 20, FIRST), 30);
    let high = SeqNum(u32::MAX - 10);
    assert_eq!(in_flight_at(high.plus(50), 20, high), 30);
    // A peer that had reported what it then forgot.
    assert_eq!(in_flight_at(FIRST.plus(50), 60, FIRST), 0);
}

#[test]
fn a_record_older_than_all_checkpoints_tells_no_rate() {
    let mut rate = DeliveryRate::EMPTY;
    rate.on_sent(1_000_000, 0, 0, SRTT);
    for n in 1..=CHECKPOINTS as u32 {
        let now = 1_000_000 + n * 50_000;
        rate.on_delivered(&record(n, now - 1, 0));
        let _ = rate.sample(now, n * LEN, true, 0, FIRST);
        rate.on_sent(now, n * LEN, LEN, SRTT);
    }
    rate.on_delivered(&record(0, 1_000_000, 0));
    let sample = rate.sample(9_000_000, 40 * LEN, true, 0, FIRST).unwrap();
    assert_eq!(sample.delivery_rate, Rate::ZERO);
    assert_eq!(sample.delivered, 40 * LEN);
}

#[test]
fn what_was_sent_at_an_unknown_time_tells_nothing() {
    let mut memory = [Record::EMPTY; 2];
    let mut table = crate::records::RecordTable::EMPTY;
    for n in 0..3 {
        table.push(&mut memory, record(n, 1_000_000 + n * 40_000, 0));
    }
    table.drop_front(1);
    assert!(table.cut(&mut memory, 0, FIRST.plus(2 * LEN)));
    let [part, end] = table.live(&memory) else {
        panic!("two records");
    };
    let mut rate = DeliveryRate::EMPTY;
    rate.on_sent(1_000_000, 0, 0, SRTT);
    rate.on_delivered(part);
    assert_eq!(rate.sample(1_100_000, 2 * LEN, true, 0, FIRST), None);
    rate.on_delivered(end);
    let sample = rate.sample(1_180_000, 3 * LEN, true, 0, FIRST).unwrap();
    assert_eq!(sample.rtt, Some(100_000));
}
