use std::time::Duration;

use super::*;
use crate::device::Waiter;

fn send(end: &mut LinkEnd, frame: &[u8]) -> Result<(), Full> {
    end.sink()
        .frame(frame.len(), &TxMeta::default(), &mut |out| {
            out.copy_from_slice(frame)
        })
}

fn receive(end: &mut LinkEnd) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    end.receive(&mut |frame, _| frames.push(frame.to_vec()));
    frames
}

fn rings(end: &LinkEnd) -> bool {
    let ready = Waiter::new().unwrap().wait(&[end], Some(Duration::ZERO));
    ready.unwrap().devices == 1
}

#[test]
fn frames_arrive_in_order_whatever_their_size() {
    let (mut a, mut b) = LinkEnd::pair(1500).unwrap();
    for round in 0..3_u8 {
        send(&mut a, &[round; 60]).unwrap();
        send(&mut a, &[round; 1514]).unwrap();
        assert_eq!(receive(&mut b), [vec![round; 60], vec![round; 1514]]);
    }
    assert_eq!(receive(&mut a), Vec::<Vec<u8>>::new());
}

#[test]
fn a_flush_wakes_the_other_end_once() {
    let (mut a, mut b) = LinkEnd::pair(1500).unwrap();
    send(&mut a, &[1; 60]).unwrap();
    assert!(!rings(&b), "the turn is not over");
    a.flush();
    assert!(rings(&b) && !rings(&a));
    receive(&mut b);
    assert!(!rings(&b));
}

#[test]
fn a_full_queue_refuses_and_tells_when_there_is_room() {
    let (mut a, mut b) = LinkEnd::pair(1500).unwrap();
    for _ in 0..CAPACITY {
        send(&mut a, &[1; 60]).unwrap();
    }
    let mut filled = false;
    let refused = a
        .sink()
        .frame(60, &TxMeta::default(), &mut |_| filled = true);
    assert_eq!((refused, filled), (Err(Full), false));
    assert!(rings(&b), "a refusal announces what is queued");
    let mut received = 0;
    while !rings(&a) {
        let batch = receive(&mut b).len();
        assert!(batch > 0, "drained, and the sender was not told");
        received += batch;
    }
    assert!(received >= CAPACITY / 2);
    send(&mut a, &[1; 60]).unwrap();
}

#[test]
fn what_is_left_after_a_batch_rings_again() {
    let (mut a, mut b) = LinkEnd::pair(1500).unwrap();
    for _ in 0..=BATCH {
        send(&mut a, &[1; 60]).unwrap();
    }
    a.flush();
    assert_eq!(receive(&mut b).len(), BATCH);
    assert!(rings(&b));
    assert_eq!(receive(&mut b).len(), 1);
    assert!(!rings(&b));
}

#[test]
fn a_dropped_end_leaves_a_cable_to_nowhere() {
    let (mut a, b) = LinkEnd::pair(1500).unwrap();
    assert_eq!(a.link(), LinkState::Up);
    drop(b);
    assert_eq!(a.link(), LinkState::Down);
    for _ in 0..2 * CAPACITY {
        send(&mut a, &[1; 60]).unwrap();
    }
    assert_eq!(a.counters().tx_dropped, 2 * CAPACITY as u64);
}

#[test]
fn a_full_queue_to_nowhere_is_empty_again() {
    let (mut a, b) = LinkEnd::pair(1500).unwrap();
    while send(&mut a, &[1; 60]).is_ok() {}
    drop(b);
    assert!(rings(&a), "it is to try again");
    assert_eq!(send(&mut a, &[1; 60]), Ok(()));
    assert_eq!(a.counters().tx_dropped, 1);
}

#[test]
fn the_smallest_mtu() {
    assert!(LinkEnd::pair(67).is_err());
    assert!(LinkEnd::pair(68).is_ok());
}
