//! The tasks that wait for a socket.

use std::io;
use std::task::{Context, Poll, Waker};

use netloom_stack::Error as StackError;

use super::engine::Engine;
use super::error::to_io;
use super::parking::Side;
use super::places::SocketId;
use super::runtime::Shared;
use super::socket::Socket;

/// Tasks on one side of a socket that are remembered at most. Futures that were dropped leave
/// theirs behind; when there are too many, all are woken and those who still wait come again.
const MOST: usize = 32;

/// The tasks that wait for a socket, by side.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    read: Vec<Waker>,
    write: Vec<Waker>,
}

impl Tasks {
    /// Has a task woken with the next news.
    pub(super) fn add(&mut self, side: Side, task: &Waker, wakes: &mut Vec<Waker>) {
        let tasks = match side {
            Side::Read => &mut self.read,
            Side::Write => &mut self.write,
        };
        if tasks.iter().any(|known| known.will_wake(task)) {
            return;
        }
        if tasks.len() >= MOST {
            wakes.append(tasks);
        }
        tasks.push(task.clone());
    }

    /// Whether any task waits.
    pub(super) fn is_awaited(&self) -> bool {
        !self.read.is_empty() || !self.write.is_empty()
    }

    /// There is news for these sides.
    pub(super) fn wake(&mut self, read: bool, write: bool, wakes: &mut Vec<Waker>) {
        if read {
            wakes.append(&mut self.read);
        }
        if write {
            wakes.append(&mut self.write);
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
