use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the threads of a test are told to do, one order after the other.
enum Order {
    /// Wait as for a client, once that is said, until the other end is gone.
    Wait(Sender<()>, Receiver<()>),
    Panic,
}

struct Test {
    crew: Arc<Crew>,
    orders: Sender<Order>,
}

impl Test {
    fn counts(&self) -> (usize, usize) {
        let counts = self.crew.counts();
        (counts.serving, counts.spare)
    }

    /// Until so many serve and so many are spare.
    fn settles(&self, expected: (usize, usize)) {
        let start = std::time::Instant::now();
        while self.counts() != expected {
            let counts = self.counts();
            assert!(
                start.elapsed() < PATIENCE,
                "{counts:?} and not {expected:?}"
            );
            std::thread::yield_now();
        }
    }

    /// Has one thread wait for a client until what this returns is dropped.
    fn wait(&self) -> Sender<()> {
        let (says, begun) = channel();
        let (end, waits) = channel();
        self.orders.send(Order::Wait(says, waits)).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
        end
    }
}

fn crew(limit: usize, wanted: usize) -> Test {
    let (orders, taken) = channel();
    let taken = Arc::new(Mutex::new(taken));
    let member: Arc<OnceLock<Weak<Crew>>> = Arc::default();
    let known = Arc::clone(&member);
    let work = move || -> Box<dyn FnOnce() + Send> {
        let (known, taken) = (Arc::clone(&known), Arc::clone(&taken));
        Box::new(move || serve(&known.get().unwrap().upgrade().unwrap(), &taken))
    };
    let crew = Crew::with_spare_time(limit, wanted, 60 * PATIENCE, work);
    member.set(Arc::downgrade(&crew)).unwrap();
    assert!(crew.fill());
    Test { crew, orders }
}

fn serve(crew: &Arc<Crew>, orders: &Mutex<Receiver<Order>>) {
    let mut member = crew.join();
    while member.stays() {
        let order = orders.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match order {
            Ok(Order::Wait(says, until)) => {
                crew.begins_to_wait();
                says.send(()).unwrap();
                let _ = until.recv();
                crew.has_waited();
            }
            // Resuming unwinds like a panic, without a message in the test's output.
            Ok(Order::Panic) => std::panic::resume_unwind(Box::new(())),
            Err(_) => crew.end(),
        }
    }
}

#[test]
fn whoever_waits_is_replaced_and_then_spare() {
    let test = crew(10, 2);
    test.settles((2, 0));
    let (first, second) = (test.wait(), test.wait());
    let third = test.wait();
    drop(first);
    drop(second);
    drop(third);
    // Three were replaced, and are too many once they have waited. Each learns of it when it serves
    // again; the two that serve may be any.
    test.settles((2, 3));
    // The next that waits calls a spare one.
    let fourth = test.wait();
    test.settles((2, 2));
    drop(fourth);
    test.settles((2, 3));
}

#[test]
fn there_are_no_more_threads_than_may_be() {
    let test = crew(3, 2);
    let waits = [test.wait(), test.wait(), test.wait()];
    // All there may be wait: nobody serves.
    test.settles((0, 0));
    assert!(!test.crew.fill());
    drop(waits);
    test.settles((2, 1));
}

#[test]
fn a_panic_ends_one_thread_and_it_is_replaced() {
    // It is replaced although there may be no other thread meanwhile.
    let test = crew(1, 1);
    for _ in 0..10 {
        test.orders.send(Order::Panic).unwrap();
    }
    let wait = test.wait();
    test.settles((0, 0));
    drop(wait);
    test.settles((1, 0));
}

#[test]
fn all_end_when_nothing_is_left_to_do() {
    let Test { crew, orders } = crew(10, 2);
    let weak = Arc::downgrade(&crew);
    drop(orders);
    drop(crew);
    let start = std::time::Instant::now();
    while weak.strong_count() > 0 {
        assert!(start.elapsed() < PATIENCE, "a thread goes on");
        std::thread::yield_now();
    }
}

#[test]
fn who_waits_is_needed_if_nobody_serves() {
    let test = crew(2, 1);
    let first = test.wait();
    // Another serves in its place.
    assert!(!test.crew.is_needed());
    let second = test.wait();
    test.settles((0, 0));
    // One is needed, not both.
    assert!(test.crew.is_needed());
    assert!(!test.crew.is_needed());
    drop((first, second));
}
