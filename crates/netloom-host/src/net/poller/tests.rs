use super::*;

const NOW: Instant = Instant::from_secs(100);
const WAIT: Interest = Interest {
    readable: true,
    writable: false,
    retry_at: None,
};

/// A poller whose driver thread sleeps at the device.
fn thread_asleep(polling: Polling) -> Poller {
    let mut poller = Poller::new(polling);
    assert_eq!(poller.step(), Step::Drive);
    poller.sleep(None, WAIT);
    poller
}

#[test]
fn one_thread_takes_the_role_and_keeps_it_while_it_comes_back() {
    let mut poller = thread_asleep(Polling::Adaptive);
    // The thread must let go of the device, once.
    assert_eq!(poller.take(1, NOW), Some(true));
    assert_eq!(poller.step(), Step::Rest(None));
    poller.sleep(None, WAIT);
    assert_eq!(poller.sleeper(), Some(Holder::Caller));
    poller.wake_caller();
    // It rests for good, so somebody must say that it is to look again.
    assert!(poller.give_up(NOW));
    assert_eq!(poller.step(), Step::Rest(Some(GRACE)));
    for _ in 0..3 {
        assert_eq!(poller.take(1, NOW), Some(false));
        assert!(!poller.give_up(NOW));
    }
    assert_eq!(poller.step(), Step::Rest(Some(GRACE)));
    // It did not come back: the thread takes over.
    assert_eq!(poller.step(), Step::Drive);
}

#[test]
fn nobody_takes_it_from_a_caller() {
    let mut poller = thread_asleep(Polling::Adaptive);
    assert!(poller.take(1, NOW).is_some());
    assert_eq!(poller.take(2, NOW), None);
    poller.sleep(None, WAIT);
    assert_eq!(poller.take(2, NOW), None);
}

#[test]
fn several_threads_leave_it_to_the_driver_thread_for_a_while() {
    let mut poller = thread_asleep(Polling::Adaptive);
    poller.concerns(1, NOW);
    assert!(poller.take(1, NOW).is_some());
    poller.concerns(2, NOW);
    // The other thread cannot wait until the first is back.
    assert!(poller.give_up(NOW));
    assert_eq!(poller.take(1, NOW), None, "the thread is wanted");
    assert_eq!(poller.step(), Step::Drive);
    assert_eq!(poller.take(2, NOW), None, "both converse");
    let later = NOW + MIXED;
    assert_eq!(poller.take(1, later), None, "the last news was the other's");
    assert!(poller.take(2, later).is_some());
}

#[test]
fn a_thread_that_is_to_have_it_always_has_it() {
    let mut poller = thread_asleep(Polling::Thread);
    assert_eq!(poller.take(1, NOW), None);
}

#[test]
fn a_sleeper_is_woken_for_what_it_does_not_know() {
    let mut poller = thread_asleep(Polling::Adaptive);
    assert_eq!(poller.surprised(None, WAIT), None);
    assert_eq!(poller.surprised(Some(NOW), WAIT), Some(Holder::Thread));
    assert_eq!(
        poller.surprised(None, Interest::default()),
        Some(Holder::Thread)
    );
    assert!(poller.take(1, NOW).is_some());
    assert_eq!(poller.surprised(Some(NOW), WAIT), None, "it is awake");
    poller.sleep(Some(NOW), WAIT);
    assert_eq!(poller.surprised(Some(NOW + GRACE), WAIT), None);
    let earlier = Instant::from_secs(99);
    assert_eq!(poller.surprised(Some(earlier), WAIT), Some(Holder::Caller));
}

#[test]
fn work_without_anybody_at_the_device_calls_the_thread() {
    let mut poller = thread_asleep(Polling::Adaptive);
    assert!(poller.take(1, NOW).is_some());
    assert_eq!(poller.awaken(), None);
    assert!(poller.give_up(NOW) || poller.awaken().is_some());
    assert_eq!(poller.awaken(), Some(Holder::Thread));
    assert_eq!(poller.step(), Step::Drive);
}
