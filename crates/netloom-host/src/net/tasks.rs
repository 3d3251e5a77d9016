//! The tasks that wait for a socket.

use std::io;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use netloom_driver::Instant;
use netloom_stack::Error as StackError;

use super::engine::Engine;
use super::error::to_io;
use super::parking::Side;
use super::places::SocketId;
use super::runtime::Shared;
use super::socket::Socket;

#[cfg(test)]
mod tests;

/// Tasks on one side of a socket that are remembered at first. Futures that were dropped leave
/// theirs behind; when there are too many, all are woken and those who still wait come again.
const FEW: usize = 32;

/// Those who still wait come again within this time. Lists that are full that soon are full of
/// them: the next is to be longer, or they would wake each other for ever.
const AGAIN: Duration = Duration::from_secs(1);

/// The tasks that wait for a socket, by side.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    read: List,
    write: List,
}

/// The tasks of one side.
#[derive(Debug)]
struct List {
    tasks: Vec<Waker>,
    /// How many are remembered at most.
    most: usize,
    /// When there were too many the last time.
    full_at: Instant,
}

impl Default for List {
    fn default() -> List {
        List {
            tasks: Vec::new(),
            most: FEW,
            full_at: Instant::ZERO,
        }
    }
}

impl List {
    fn add(&mut self, task: &Waker, now: Instant, wakes: &mut Vec<Waker>) {
        if self.tasks.iter().any(|known| known.will_wake(task)) {
            return;
        }
        if self.tasks.len() >= self.most {
            wakes.append(&mut self.tasks);
            let soon = now.saturating_duration_since(self.full_at) < AGAIN;
            self.most = if soon {
                self.most.saturating_mul(2)
            } else {
                FEW
            };
            self.full_at = now;
        }
        self.tasks.push(task.clone());
    }
}

impl Tasks {
    /// Has a task woken with the next news.
    pub(super) fn add(&mut self, side: Side, task: &Waker, now: Instant, wakes: &mut Vec<Waker>) {
        let list = match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
        };
        list.add(task, now, wakes);
    }

    /// Whether any task waits.
    pub(super) fn is_awaited(&self) -> bool {
        !self.read.tasks.is_empty() || !self.write.tasks.is_empty()
    }

    /// There is news for these sides.
    pub(super) fn wake(&mut self, read: bool, write: bool, wakes: &mut Vec<Waker>) {
        if read {
            wakes.append(&mut self.read.tasks);
        }
        if write {
            wakes.append(&mut self.write.tasks);
        }
    }
}

impl Shared {
    /// Calls the engine; if it has to wait, has the task woken when it may go on.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        wait: impl FnOnce(&mut Engine, &Waker),
        call: impl FnOnce(&mut Engine) -> Result<T, StackError>,
    ) -> Poll<io::Result<T>> {
        let mut engine = self.lock();
        engine.advance();
        let result = match call(&mut engine) {
            // What came before the fault can still be read; nothing comes after it.
            Err(StackError::WouldBlock) => match engine.fault() {
                Some(fault) => Poll::Ready(Err(fault.into())),
                None => {
                    wait(&mut engine, cx.waker());
                    Poll::Pending
                }
            },
            result => Poll::Ready(result.map_err(to_io)),
        };
        self.unlock(engine);
        result
    }
}

impl<H: Into<SocketId> + Copy> Socket<H> {
    /// Calls the engine about this socket; if it has to wait, has the task woken with the next
    /// news of that side.
    pub(super) fn poll_call<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        call: impl FnOnce(&mut Engine, H) -> Result<T, StackError>,
    ) -> Poll<io::Result<T>> {
        let socket = self.id();
        self.running().shared().poll(
            cx,
            |engine, task| engine.watch_task(socket, side, task),
            |engine| {
                let result = call(engine, self.handle());
                engine.refresh(socket);
                result
            },
        )
    }

    /// Calls the engine about this socket without waiting.
    #[cfg(feature = "tokio")]
    pub(super) fn try_call<T>(
        &self,
        call: impl FnOnce(&mut Engine, H) -> Result<T, StackError>,
    ) -> io::Result<T> {
        self.with_engine(call)
    }
}
