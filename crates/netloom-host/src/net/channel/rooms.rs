//! Connections that wait to be claimed, each for a limited time.

use std::collections::VecDeque;
use std::time::Duration;

use netloom_driver::Instant;
use netloom_stack::{CloseReason, ListenerHandle, Stack, TcpHandle};

use super::ChannelConfig;

/// The waiting rooms of all channel listeners, in the engine.
#[derive(Debug, Default)]
pub(in super::super) struct Rooms {
    rooms: Vec<Room>,
}

/// The connections of one listener, in the order in which they came: so do their times end.
#[derive(Debug)]
struct Room {
    listener: ListenerHandle,
    patience: Duration,
    limit: usize,
    waiting: VecDeque<(TcpHandle, Instant)>,
}

impl Rooms {
    /// Opens a room: what has come already is taken in.
    pub(super) fn open(
        &mut self,
        listener: ListenerHandle,
        config: &ChannelConfig,
        stack: &mut Stack,
    ) {
        self.rooms.push(Room {
            listener,
            patience: config.relay_peer_wait_time,
            limit: usize::from(config.backlog),
            waiting: VecDeque::new(),
        });
        self.take_in(listener, stack);
    }

    fn room(&mut self, listener: ListenerHandle) -> Option<&mut Room> {
        self.rooms.iter_mut().find(|room| room.listener == listener)
    }

    /// Takes in what a listener has to be accepted; those for whom there is no place wait in the
    /// stack. Does nothing for listeners without a room.
    pub(in super::super) fn take_in(&mut self, listener: ListenerHandle, stack: &mut Stack) {
        let Some(room) = self.room(listener) else {
            return;
        };
        while room.waiting.len() < room.limit {
            let Ok(Some(connection)) = stack.tcp_accept(listener) else {
                return;
            };
            let until = stack.now() + room.patience;
            room.waiting.push_back((connection, until));
        }
    }

    /// The connection that has waited longest.
    pub(super) fn claim(
        &mut self,
        listener: ListenerHandle,
        stack: &mut Stack,
    ) -> Option<TcpHandle> {
        let (claimed, _) = self.room(listener)?.waiting.pop_front()?;
        self.take_in(listener, stack);
        Some(claimed)
    }

    /// When the first has waited too long.
    pub(in super::super) fn next_due(&self) -> Option<Instant> {
        let first = |room: &Room| room.waiting.front().map(|(_, until)| *until);
        self.rooms.iter().filter_map(first).min()
    }

    /// Ends those that have waited too long.
    pub(in super::super) fn send_away(&mut self, stack: &mut Stack, now: Instant) {
        for index in 0..self.rooms.len() {
            let room = &mut self.rooms[index];
            let mut any = false;
            while let Some(&(connection, until)) = room.waiting.front() {
                if until > now {
                    break;
                }
                room.waiting.pop_front();
                turn_away(stack, connection, CloseReason::PeerNeverAppeared);
                any = true;
            }
            let listener = room.listener;
            if any {
                self.take_in(listener, stack);
            }
        }
    }

    /// Closes a listener's room, if it has one, before the listener.
    pub(in super::super) fn close(&mut self, listener: ListenerHandle, stack: &mut Stack) {
        let Some(index) = self.rooms.iter().position(|room| room.listener == listener) else {
            return;
        };
        for (connection, _) in self.rooms.swap_remove(index).waiting {
            turn_away(stack, connection, CloseReason::ListenerClosed);
        }
    }
}

fn turn_away(stack: &mut Stack, connection: TcpHandle, reason: CloseReason) {
    // The handle is the room's alone, so it is not stale.
    let _ = stack.tcp_abort_because(connection, reason);
    let _ = stack.tcp_close(connection);
}
