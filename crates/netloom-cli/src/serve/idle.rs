//! The connections that nobody serves now, and until when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use crate::stream::Timed;

#[cfg(test)]
mod tests;

/// A connection, where it stands, and until when it may.
#[derive(Debug)]
pub(super) struct Parked<C> {
    pub(super) connection: Timed<C>,
    pub(super) peer: SocketAddr,
    pub(super) stage: Stage,
    pub(super) deadline: Instant,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A request.
    Request,
    /// Its client's end: so many octets are read away until then.
    End(usize),
}

/// The connections that wait, by token and by time. A token is never used again, and later ones are
/// greater: in their order they have begun to wait.
#[derive(Debug)]
pub(super) struct Idle<C> {
    parked: BTreeMap<u64, Parked<C>>,
    deadlines: BTreeSet<(Instant, u64)>,
    last: u64,
}

impl<C> Default for Idle<C> {
    fn default() -> Self {
        Self {
            parked: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            last: 0,
        }
    }
}

impl<C> Idle<C> {
    /// Keeps a connection; returns its token, never 0.
    pub(super) fn park(&mut self, parked: Parked<C>) -> u64 {
        self.last += 1;
        self.deadlines.insert((parked.deadline, self.last));
        self.parked.insert(self.last, parked);
        self.last
    }

    /// Gives a connection back, unless it is gone already.
    pub(super) fn take(&mut self, token: u64) -> Option<Parked<C>> {
        let parked = self.parked.remove(&token)?;
        self.deadlines.remove(&(parked.deadline, token));
        Some(parked)
    }

    /// Gives back the connection whose time is over first, if it is by `now`.
    pub(super) fn take_expired(&mut self, now: Instant) -> Option<Parked<C>> {
        let &(deadline, token) = self.deadlines.first()?;
        if now < deadline {
            return None;
        }
        self.take(token)
    }

    /// Gives back the connection that has waited longest of those that `may_go`, of which the first
    /// `most` are asked.
    pub(super) fn take_longest(
        &mut self,
        most: usize,
        mut may_go: impl FnMut(&Parked<C>) -> bool,
    ) -> Option<Parked<C>> {
        let mut longest = self.parked.iter().take(most);
        let (&token, _) = longest.find(|(_, parked)| may_go(parked))?;
        self.take(token)
    }

    /// When the first one's time is over.
    pub(super) fn first_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }
}
