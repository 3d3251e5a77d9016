use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use super::*;

/// The numbers of the tasks that were woken.
type Woken = Arc<Mutex<VecDeque<usize>>>;

struct Task {
    number: usize,
    woken: Woken,
}

impl Wake for Task {
    fn wake(self: Arc<Task>) {
        self.woken.lock().unwrap().push_back(self.number);
    }
}

fn tasks(count: usize, woken: &Woken) -> Vec<Waker> {
    let task = |number| {
        let woken = Arc::clone(woken);
        Waker::from(Arc::new(Task { number, woken }))
    };
    (0..count).map(task).collect()
}

/// Has whoever was woken come again, until nobody is; says how often one came.
fn settle(list: &mut Tasks, all: &[Waker], woken: &Woken, now: Instant) -> usize {
    let mut times = 0;
    let next = || woken.lock().unwrap().pop_front();
    while let Some(number) = next() {
        times += 1;
        assert!(times < 100 * all.len(), "they wake each other for ever");
        let mut wakes = Vec::new();
        list.add(Side::Read, &all[number], now, &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
    }
    times
}

#[test]
fn however_many_wait_they_come_to_rest() {
    for count in [32, 33, 100, 1000] {
        let woken = Woken::default();
        let all = tasks(count, &woken);
        let mut list = Tasks::default();
        let now = Instant::from_secs(10);
        woken.lock().unwrap().extend(0..count);
        let times = settle(&mut list, &all, &woken, now);
        assert!(times < 4 * count, "{count} came {times} times");
        // News wakes every one of them once, and the list is long enough now.
        let mut wakes = Vec::new();
        list.wake(true, false, &mut wakes);
        assert_eq!(wakes.len(), count);
        wakes.into_iter().for_each(Waker::wake);
        assert_eq!(settle(&mut list, &all, &woken, now), count);
    }
}

#[test]
fn those_that_never_come_again_are_forgotten() {
    let woken = Woken::default();
    let mut list = Tasks::default();
    let mut now = Instant::from_secs(10);
    let mut most = 0;
    for _ in 0..10_000 {
        now = now + Duration::from_millis(50);
        let [task] = &tasks(1, &woken)[..] else {
            panic!("one")
        };
        list.add(Side::Write, task, now, &mut Vec::new());
        most = most.max(list.write.tasks.len());
    }
    assert_eq!(most, FEW);
}
