//! Who has come and gone.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use netloom_stack::CloseReason;

/// Events kept for who has not taken them; the oldest go first.
const MOST: usize = 4096;

/// Somebody came, or has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A conversation has begun: it was claimed.
    Appeared {
        /// With whom.
        peer: SocketAddr,
        /// At which of our addresses.
        local: SocketAddr,
    },
    /// A conversation is over: the other side's goodbye or the connection's end was read, or this
    /// side has dropped its channel.
    Departed {
        /// With whom.
        peer: SocketAddr,
        /// At which of our addresses.
        local: SocketAddr,
        /// Why the connection ended; `None` if it has not, or not yet.
        reason: Option<CloseReason>,
    },
    /// So many events were not taken in time and are lost.
    Missed(u64),
}

#[derive(Debug, Default)]
struct Events {
    queue: VecDeque<Presence>,
    missed: u64,
    task: Option<Waker>,
    /// Nobody tells any more.
    over: bool,
}

#[derive(Debug, Default)]
struct Subscriber(Mutex<Events>);

impl Subscriber {
    fn lock(&self) -> MutexGuard<'_, Events> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Events)) {
        let mut events = self.lock();
        change(&mut events);
        let task = events.task.take();
        drop(events);
        if let Some(task) = task {
            task.wake();
        }
    }

    fn tell(&self, event: Presence) {
        self.change(|events| {
            if events.queue.len() >= MOST {
                events.queue.pop_front();
                events.missed += 1;
            }
            events.queue.push_back(event);
        });
    }
}

/// Tells everybody who wants to know; over when the listener and all of its channels are gone.
#[derive(Debug, Default)]
pub(super) struct Hub {
    subscribers: Mutex<Vec<Weak<Subscriber>>>,
}

impl Hub {
    fn tell(&self, event: Presence) {
        let mut subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| match subscriber.upgrade() {
            Some(subscriber) => {
                subscriber.tell(event);
                true
            }
            None => false,
        });
    }

    pub(super) fn subscribe(&self) -> PresenceStream {
        let subscriber = Arc::new(Subscriber::default());
        let mut subscribers = self
            .subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        subscribers.push(Arc::downgrade(&subscriber));
        PresenceStream { subscriber }
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let subscribers = self.subscribers.get_mut();
        for subscriber in subscribers.unwrap_or_else(PoisonError::into_inner) {
            if let Some(subscriber) = subscriber.upgrade() {
                subscriber.change(|events| events.over = true);
            }
        }
    }
}

/// One conversation's presence: told once that it began, and once that it is over.
#[derive(Debug)]
pub(super) struct Token {
    hub: Arc<Hub>,
    peer: SocketAddr,
    local: SocketAddr,
    departed: std::sync::atomic::AtomicBool,
}

impl Token {
    pub(super) fn appear(hub: &Arc<Hub>, peer: SocketAddr, local: SocketAddr) -> Token {
        hub.tell(Presence::Appeared { peer, local });
        Token {
            hub: Arc::clone(hub),
            peer,
            local,
            departed: false.into(),
        }
    }

    pub(super) fn depart(&self, reason: impl FnOnce() -> Option<CloseReason>) {
        if !self
            .departed
            .swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            let Token { peer, local, .. } = *self;
            let reason = reason();
            self.hub.tell(Presence::Departed {
                peer,
                local,
                reason,
            });
        }
    }
}

/// Who comes and goes, as it happens: see
/// [`ChannelListener::presence`](super::ChannelListener::presence). Ends when the listener and all
/// of its channels are gone.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct PresenceStream {
    subscriber: Arc<Subscriber>,
}

impl Stream for PresenceStream {
    type Item = Presence;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Presence>> {
        let mut events = self.subscriber.lock();
        if events.missed > 0 {
            return Poll::Ready(Some(Presence::Missed(std::mem::take(&mut events.missed))));
        }
        match events.queue.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if events.over => Poll::Ready(None),
            None => {
                events.task = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}
