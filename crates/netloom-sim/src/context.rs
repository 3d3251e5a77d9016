//! What a program finds around it: its host, the clock, and other programs.

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use netloom_driver::Instant;
use netloom_stack::{ListenerHandle, TcpHandle, UdpHandle};

use crate::error::Error;
use crate::executor::{Task, TaskResult, submit};
use crate::link::LinkId;
use crate::network::Network;

/// A host of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub(crate) usize);

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "host{}", self.0)
    }
}

/// What a program waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Time(Instant),
    Accept(ListenerHandle),
    Connect(TcpHandle),
    Read(TcpHandle),
    Write(TcpHandle),
    End(TcpHandle),
    Receive(UdpHandle),
    Send(UdpHandle),
    Program(usize),
}

/// The program that is being polled.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) network: Weak<RefCell<Network>>,
    pub(crate) host: HostId,
    pub(crate) task: usize,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// Makes a program the current one until dropped.
pub(crate) struct Entered(Option<Current>);

impl Entered {
    pub(crate) fn new(current: Current) -> Entered {
        Entered(CURRENT.replace(Some(current)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

/// The current program.
///
/// # Panics
/// Outside of a program: sockets and sleeps belong to a world.
pub(crate) fn current() -> Current {
    CURRENT
        .with_borrow(Clone::clone)
        .expect("called from a program that Sim::spawn runs")
}

impl Current {
    /// Calls with the network.
    pub(crate) fn with<R>(&self, call: impl FnOnce(&mut Network) -> R) -> Result<R, Error> {
        let network = self.network.upgrade().ok_or(Error::WorldGone)?;
        let mut network = network.borrow_mut();
        Ok(call(&mut network))
    }

    fn network(&self) -> Rc<RefCell<Network>> {
        self.network
            .upgrade()
            .expect("programs end before their world")
    }
}

/// The time on the world's clock.
///
/// # Panics
/// Outside of a program of a world.
pub fn now() -> Instant {
    current().network().borrow().now()
}

/// The host the current program runs on.
///
/// # Panics
/// Outside of a program of a world.
pub fn this_host() -> HostId {
    current().host
}

/// Takes a link down (what is on it is lost) or up.
///
/// # Panics
/// Outside of a program of a world.
pub fn set_link(link: LinkId, up: bool) {
    current().network().borrow_mut().set_link(link, up);
}

/// Runs another program on the same host. Dropping the [`Task`] lets it run on.
///
/// # Panics
/// Outside of a program of a world.
pub fn spawn<F>(program: F) -> Task<F::Output>
where
    F: Future + 'static,
    F::Output: TaskResult + 'static,
{
    let current = current();
    submit(&current.network(), current.host, program, false)
}

/// Waits on the world's clock. Costs no time outside of the world.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// Waits until a time on the world's clock.
pub async fn sleep_until(at: Instant) {
    poll_fn(|cx| {
        let current = current();
        let network = current.network();
        let mut network = network.borrow_mut();
        if network.now() >= at {
            return Poll::Ready(());
        }
        network.wake_at(at, cx.waker());
        network.waits_for(current.task, Wait::Time(at));
        Poll::Pending
    })
    .await;
}

/// Lets other programs run first.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs two futures at once, as one program, until both are done.
pub async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut left, mut right) = (None, None);
    poll_fn(move |cx: &mut Context<'_>| {
        if left.is_none() {
            if let Poll::Ready(value) = a.as_mut().poll(cx) {
                left = Some(value);
            }
        }
        if right.is_none() {
            if let Poll::Ready(value) = b.as_mut().poll(cx) {
                right = Some(value);
            }
        }
        match (left.take(), right.take()) {
            (Some(left), Some(right)) => Poll::Ready((left, right)),
            (l, r) => {
                (left, right) = (l, r);
                Poll::Pending
            }
        }
    })
    .await
}

/// The time was over before the future was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time is over")
    }
}

impl std::error::Error for Elapsed {}

/// Runs a future for so long on the world's clock at most.
///
/// # Errors
/// [`Elapsed`]; the future is dropped then.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    let (mut future, mut timer) = (pin!(future), pin!(sleep(limit)));
    poll_fn(|cx| {
        if let Poll::Ready(value) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(value));
        }
        timer.as_mut().poll(cx).map(|()| Err(Elapsed))
    })
    .await
}
