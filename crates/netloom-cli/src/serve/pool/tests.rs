use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// A job that says that it runs and waits to be let go.
fn start_waiting_job(pool: &Pool) -> (Receiver<()>, Sender<()>) {
    let (says, started) = channel();
    let (go, waits) = channel::<()>();
    pool.run(
        move || {
            says.send(()).unwrap();
            let _ = waits.recv();
        },
        || (),
    );
    (started, go)
}

#[test]
fn no_more_run_than_may() {
    let pool = Arc::new(Pool::new(2));
    let (first_started, first) = start_waiting_job(&pool);
    let (second_started, second) = start_waiting_job(&pool);
    first_started.recv().unwrap();
    second_started.recv().unwrap();
    let (says, third_started) = channel();
    let waiting = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || pool.run(move || says.send(()).unwrap(), || ()))
    };
    assert!(!pool.try_run(|| panic!("a third one runs"), || ()));
    assert!(third_started.try_recv().is_err());
    drop(first);
    third_started.recv().unwrap();
    waiting.join().unwrap();
    drop(second);
}

#[test]
fn a_panic_ends_one_job_and_frees_its_thread() {
    let pool = Pool::new(1);
    for _ in 0..10 {
        // Resuming unwinds like a panic, without a message in the test's output.
        pool.run(|| std::panic::resume_unwind(Box::new(())), || ());
    }
    let (started, go) = start_waiting_job(&pool);
    started.recv().unwrap();
    drop(go);
}

#[test]
fn what_comes_then_finds_the_thread_given_back() {
    let pool = Arc::new(Pool::new(1));
    let (says, done) = channel();
    let again = Arc::clone(&pool);
    let then = move || says.send(again.try_run(|| (), || ())).unwrap();
    assert!(pool.try_run(|| std::panic::resume_unwind(Box::new(())), then));
    assert!(done.recv().unwrap());
}

#[test]
fn every_job_runs_once() {
    let (pool, count) = (Pool::new(7), Arc::new(AtomicUsize::new(0)));
    let (says, done) = channel::<()>();
    for _ in 0..500 {
        let (count, says) = (Arc::clone(&count), says.clone());
        pool.run(
            move || {
                count.fetch_add(1, Ordering::Relaxed);
                drop(says);
            },
            || (),
        );
    }
    drop(says);
    assert!(done.recv().is_err(), "all have ended");
    assert_eq!(count.load(Ordering::Relaxed), 500);
}
