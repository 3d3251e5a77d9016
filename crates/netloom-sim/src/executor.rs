//! Runs programs: one thread, in the order in which they were woken.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::context::{Current, Entered, HostId, Wait, current};
use crate::network::Network;

/// What a program may return: nothing, something, or a result, whose error fails the run.
pub trait TaskResult {
    /// The error that fails the run.
    fn failure(&self) -> Option<String> {
        None
    }
}

macro_rules! plain_results {
    ($($ty:ty),+) => { $(impl TaskResult for $ty {})+ };
}

plain_results!(
    (),
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i32,
    i64,
    String,
    Vec<u8>
);

impl<T, E: Display> TaskResult for Result<T, E> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

impl<T> TaskResult for Option<T> {}

struct Shared<T> {
    output: Option<T>,
    done: bool,
    waker: Option<Waker>,
}

/// A program that was spawned. Awaiting it inside the world gives what it returned; outside,
/// [`take`](Task::take) does once it is done.
pub struct Task<T> {
    id: usize,
    shared: Rc<RefCell<Shared<T>>>,
}

impl<T> std::fmt::Debug for Task<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("done", &self.is_done())
            .finish()
    }
}

impl<T> Task<T> {
    /// Whether the program has ended.
    pub fn is_done(&self) -> bool {
        self.shared.borrow().done
    }

    /// What the program returned, once.
    pub fn take(&self) -> Option<T> {
        self.shared.borrow_mut().output.take()
    }
}

impl<T> Future for Task<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let mut shared = self.shared.borrow_mut();
        if let Some(output) = shared.output.take() {
            return Poll::Ready(output);
        }
        assert!(!shared.done, "a program's output was taken before");
        shared.waker = Some(cx.waker().clone());
        let current = current();
        let _ = current.with(|network| network.waits_for(current.task, Wait::Program(self.id)));
        Poll::Pending
    }
}

/// A program that was spawned and has not been polled yet.
pub(crate) struct Submitted {
    id: usize,
    host: HostId,
    background: bool,
    future: Pin<Box<dyn Future<Output = ()>>>,
}

/// Hands a program over to the executor, which takes it up in its next turn.
pub(crate) fn submit<F>(
    network: &Rc<RefCell<Network>>,
    host: HostId,
    program: F,
    background: bool,
) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: TaskResult + 'static,
{
    let shared = Rc::new(RefCell::new(Shared {
        output: None,
        done: false,
        waker: None,
    }));
    let id = network.borrow_mut().next_task();
    let result = shared.clone();
    let failures = Rc::downgrade(network);
    let future = Box::pin(async move {
        let output = program.await;
        if let (Some(error), Some(network)) = (output.failure(), failures.upgrade()) {
            network.borrow_mut().program_failed(host, id, error);
        }
        let mut shared = result.borrow_mut();
        shared.output = Some(output);
        shared.done = true;
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    });
    network.borrow_mut().submitted.push(Submitted {
        id,
        host,
        background,
        future,
    });
    Task { id, shared }
}

type Ready = Arc<Mutex<VecDeque<usize>>>;

struct TaskWaker {
    slot: usize,
    queued: AtomicBool,
    ready: Ready,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            ready.push_back(self.slot);
        }
    }
}

struct Slot {
    submitted: Submitted,
    notify: Arc<TaskWaker>,
    waker: Waker,
}

/// The programs of a world.
#[derive(Default)]
pub(crate) struct Executor {
    slots: Vec<Option<Slot>>,
    ready: Ready,
}

impl Executor {
    /// Polls every program that was woken, and those they wake; says whether there was any.
    /// `limit` bounds the polls: what is woken beyond it waits for the next turn.
    pub(crate) fn run(&mut self, network: &Rc<RefCell<Network>>, limit: usize) -> bool {
        let mut ran = false;
        for _ in 0..limit {
            self.take_up(network);
            let next = {
                let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
                ready.pop_front()
            };
            let Some(next) = next else {
                break;
            };
            ran = true;
            self.poll(next, network);
        }
        ran
    }

    fn take_up(&mut self, network: &Rc<RefCell<Network>>) {
        let submitted = std::mem::take(&mut network.borrow_mut().submitted);
        for submitted in submitted {
            let notify = Arc::new(TaskWaker {
                slot: self.slots.len(),
                queued: AtomicBool::new(false),
                ready: self.ready.clone(),
            });
            notify.wake_by_ref();
            self.slots.push(Some(Slot {
                submitted,
                waker: Waker::from(notify.clone()),
                notify,
            }));
        }
    }

    fn poll(&mut self, index: usize, network: &Rc<RefCell<Network>>) {
        let Some(slot) = self.slots.get_mut(index).and_then(Option::as_mut) else {
            return;
        };
        slot.notify.queued.store(false, Ordering::Relaxed);
        network.borrow_mut().runs(slot.submitted.id);
        let _entered = Entered::new(Current {
            network: Rc::downgrade(network),
            host: slot.submitted.host,
            task: slot.submitted.id,
        });
        let mut cx = Context::from_waker(&slot.waker);
        if slot.submitted.future.as_mut().poll(&mut cx).is_ready() {
            self.slots[index] = None;
        }
    }

    /// Programs that have not ended and are waited for: their hosts and numbers.
    pub(crate) fn pending(&self) -> impl Iterator<Item = (HostId, usize)> + '_ {
        self.slots
            .iter()
            .flatten()
            .filter(|slot| !slot.submitted.background)
            .map(|slot| (slot.submitted.host, slot.submitted.id))
    }
}
