use std::cell::Cell;
use std::time::{Duration, Instant};

use netloom_driver::Full;

use super::{MAX_ATTEMPTS, Offered, RETRY_DELAY, TxCounts, TxSlot};

thread_local! {
    static START: Instant = Instant::now();
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock that moves only when told to.
fn now() -> Instant {
    START.with(|s| *s) + ELAPSED.get()
}

/// A kernel that gives the answers it is told to, and notes what it took.
struct Kernel {
    answers: Vec<Offered>,
    taken: Vec<Vec<u8>>,
    asked: usize,
}

impl Kernel {
    fn new(answers: &[Offered]) -> Kernel {
        Kernel {
            answers: answers.to_vec(),
            taken: Vec::new(),
            asked: 0,
        }
    }

    fn offer(&mut self, bytes: &[u8]) -> Offered {
        let answer = self
            .answers
            .get(self.asked)
            .copied()
            .unwrap_or(Offered::Sent);
        self.asked += 1;
        if answer == Offered::Sent {
            self.taken.push(bytes.to_vec());
        }
        answer
    }
}

fn send(slot: &mut TxSlot, kernel: &mut Kernel, frame: &[u8]) -> Result<(), Full> {
    send_behind(&[], slot, kernel, frame)
}

fn send_behind(
    header: &[u8],
    slot: &mut TxSlot,
    kernel: &mut Kernel,
    frame: &[u8],
) -> Result<(), Full> {
    let mut filled = 0;
    let result = slot.send(
        header,
        frame.len(),
        &mut |buffer| {
            filled += 1;
            buffer.copy_from_slice(frame);
        },
        &mut |bytes| kernel.offer(bytes),
    );
    assert_eq!(
        filled,
        usize::from(result.is_ok()),
        "fill runs once for Ok, never for Full"
    );
    result
}

#[test]
fn a_willing_kernel_gets_each_frame_behind_its_header() {
    let (mut slot, mut kernel) = (TxSlot::with_clock(now), Kernel::new(&[]));
    send_behind(b"h1", &mut slot, &mut kernel, b"long frame").unwrap();
    send_behind(b"", &mut slot, &mut kernel, b"bare").unwrap();
    send_behind(b"h2", &mut slot, &mut kernel, b"short").unwrap();
    assert_eq!(
        kernel.taken,
        [b"h1long frame".as_slice(), b"bare", b"h2short"]
    );
    assert_eq!(
        slot.counts(),
        TxCounts {
            sent: 3,
            dropped: 0,
            deferred: 0
        }
    );
}

#[test]
fn a_frame_that_would_block_counts_as_sent_and_goes_first() {
    use Offered::{Sent, WouldBlock};
    let mut slot = TxSlot::with_clock(now);
    let mut kernel = Kernel::new(&[WouldBlock, WouldBlock, Sent, Sent]);
    send(&mut slot, &mut kernel, b"one").unwrap();
    assert!(slot.wants_writable());
    assert_eq!(slot.retry_at(), None);
    assert_eq!(send(&mut slot, &mut kernel, b"two"), Err(Full));
    send(&mut slot, &mut kernel, b"two").unwrap();
    assert_eq!(kernel.taken, [b"one", b"two"]);
    assert!(!slot.wants_writable());
    assert_eq!(
        slot.counts(),
        TxCounts {
            sent: 2,
            dropped: 0,
            deferred: 2
        }
    );
}

#[test]
fn a_full_queue_is_not_asked_again_before_its_time() {
    use Offered::{NoBuffers, Sent};
    let mut slot = TxSlot::with_clock(now);
    let mut kernel = Kernel::new(&[NoBuffers, Sent]);
    send(&mut slot, &mut kernel, b"one").unwrap();
    assert!(
        !slot.wants_writable(),
        "poll(2) would say at once that it is writable"
    );
    assert_eq!(slot.retry_at(), Some(now() + RETRY_DELAY));
    for _ in 0..10 {
        assert_eq!(send(&mut slot, &mut kernel, b"two"), Err(Full));
    }
    assert_eq!(kernel.asked, 1);
    ELAPSED.set(ELAPSED.get() + RETRY_DELAY);
    send(&mut slot, &mut kernel, b"two").unwrap();
    assert_eq!(kernel.taken, [b"one", b"two"]);
}

#[test]
fn a_queue_that_never_drains_costs_its_frames_but_does_not_stop_the_sink() {
    let mut slot = TxSlot::with_clock(now);
    let mut kernel = Kernel::new(&[Offered::NoBuffers; MAX_ATTEMPTS as usize]);
    send(&mut slot, &mut kernel, b"one").unwrap();
    for left in (0..MAX_ATTEMPTS - 1).rev() {
        ELAPSED.set(ELAPSED.get() + RETRY_DELAY);
        let waits = slot.retry(&mut |bytes| kernel.offer(bytes)).is_err();
        assert_eq!(waits, left > 0);
    }
    assert_eq!(slot.counts().dropped, 1);
    send(&mut slot, &mut kernel, b"two").unwrap();
    assert_eq!(kernel.taken, [b"two"]);
}

#[test]
fn a_refused_frame_is_dropped_and_counted() {
    let (mut slot, mut kernel) = (TxSlot::with_clock(now), Kernel::new(&[Offered::Dropped]));
    send(&mut slot, &mut kernel, b"one").unwrap();
    send(&mut slot, &mut kernel, b"two").unwrap();
    assert_eq!(kernel.taken, [b"two"]);
    assert_eq!(
        slot.counts(),
        TxCounts {
            sent: 1,
            dropped: 1,
            deferred: 0
        }
    );
}

#[test]
fn a_frame_abandoned_with_its_device_is_counted() {
    let (mut slot, mut kernel) = (TxSlot::with_clock(now), Kernel::new(&[Offered::WouldBlock]));
    send(&mut slot, &mut kernel, b"one").unwrap();
    slot.abandon();
    slot.abandon();
    assert!(!slot.wants_writable());
    assert_eq!(
        slot.counts(),
        TxCounts {
            sent: 0,
            dropped: 1,
            deferred: 1
        }
    );
}

#[test]
fn a_frame_longer_than_any_is_full_and_allocates_nothing() {
    let (mut slot, mut kernel) = (TxSlot::with_clock(now), Kernel::new(&[]));
    let result = slot.send(&[], usize::MAX, &mut |_| unreachable!(), &mut |b| {
        kernel.offer(b)
    });
    assert_eq!(result, Err(Full));
}

/// What [`TxSlot::gather`] offers, in one piece.
fn gather(
    slot: &mut TxSlot,
    kernel: &mut Kernel,
    payload: (&[u8], &[u8]),
) -> (Result<(), Full>, usize) {
    let mut pieces = 0;
    let result = slot.gather(
        b"h",
        4,
        &mut |head| head.copy_from_slice(b"head"),
        payload,
        &mut |frame| {
            pieces = frame.iter().filter(|piece| !piece.is_empty()).count();
            kernel.offer(&frame.concat())
        },
    );
    (result, pieces)
}

#[test]
fn a_long_payload_is_offered_where_it_stands_and_a_short_one_in_one_piece() {
    let (mut slot, mut kernel) = (TxSlot::with_clock(now), Kernel::new(&[]));
    let long = [7; 4000];
    assert_eq!(
        gather(&mut slot, &mut kernel, (&long, b"tail")),
        (Ok(()), 3)
    );
    assert_eq!(gather(&mut slot, &mut kernel, (b"bo", b"dy")), (Ok(()), 1));
    assert_eq!(
        kernel.taken[0],
        [b"hhead".as_slice(), &long, b"tail"].concat()
    );
    assert_eq!(kernel.taken[1], b"hheadbody");
    assert_eq!(slot.counts().sent, 2);
}

#[test]
fn a_payload_the_kernel_does_not_take_is_kept_whole() {
    use Offered::{NoBuffers, Sent, WouldBlock};
    let mut slot = TxSlot::with_clock(now);
    let mut kernel = Kernel::new(&[WouldBlock, NoBuffers, Sent]);
    let mut long = vec![7; 4000];
    assert_eq!(gather(&mut slot, &mut kernel, (&long, b"tail")).0, Ok(()));
    let expected = [b"hhead".as_slice(), &long, b"tail"].concat();
    // The ring it stood in may be written over.
    long.fill(0);
    assert_eq!(gather(&mut slot, &mut kernel, (b"next", b"")).0, Err(Full));
    ELAPSED.set(ELAPSED.get() + RETRY_DELAY);
    assert_eq!(gather(&mut slot, &mut kernel, (b"next", b"")).0, Ok(()));
    assert_eq!(kernel.taken, [expected, b"hheadnext".to_vec()]);
}
