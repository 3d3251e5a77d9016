//! Lists without links: every item says which list it waits on, and since when.

use super::On;
use crate::list::{Kind, Ref};
#[cfg(feature = "tcp")]
use crate::memory::slab::Item;
use crate::stack::Stack;
#[cfg(feature = "tcp")]
use crate::tcp::LEVELS;
#[cfg(feature = "tcp")]
use netloom_driver::Instant;

/// As long as that nobody waits: by so many turns earlier is who is put first.
const LONG_AGO: u32 = 1 << 31;

#[cfg(feature = "tcp")]
impl Stack {
    /// A TIME-WAIT is on no list: it is in use, and says since when.
    #[inline]
    pub(crate) fn put_time_wait(&mut self, _: Ref) {}

    /// See [`put_time_wait`](Stack::put_time_wait).
    #[inline]
    pub(crate) fn take_off_time_wait(&mut self, _: Ref) {}

    /// The oldest connection in TIME-WAIT, and how many ticks of 4 ms of it are left;
    /// [`Ref::NONE`] if there is none.
    pub(crate) fn oldest_time_wait(&self) -> (Ref, u16) {
        let mut oldest = (Ref::NONE, u16::MAX);
        for (index, entry) in (0..).zip(self.tables.time_wait.items()) {
            let left = self.ticks_left(entry.links.tag, self.time_wait_ticks());
            if !entry.is_free() && left < oldest.1 {
                oldest = (Ref::new(Kind::TimeWait, index), left);
            }
        }
        oldest
    }

    /// [`put`](Stack::put) of a SYN entry on the list of those that wait, however often their
    /// SYN-ACK was repeated: each says so itself.
    #[inline]
    pub(crate) fn put_handshake(&mut self, _: u8, item: Ref) {
        self.put(On::handshake(0), item);
    }

    /// The handshake whose SYN-ACK is to be repeated next, and in how many ticks of 4 ms;
    /// [`Ref::NONE`] if there is none.
    pub(crate) fn next_handshake(&self) -> (Ref, u16) {
        let mut next = (Ref::NONE, u16::MAX);
        for (index, entry) in (0..).zip(self.tables.half_open.items()) {
            let level = entry.half.retries().min(LEVELS.wrapping_sub(1));
            let left = self.ticks_left(entry.links.tag, self.syn_ack_wait(level));
            if entry.links.list() == On::handshake(0).0 && left < next.1 {
                next = (Ref::new(Kind::HalfOpen, index), left);
            }
        }
        next
    }

    /// Has those connections looked at whose time has come.
    pub(crate) fn fire_connections(&mut self) {
        for index in 0..self.tables.connections.high_water() {
            let Some(slot) = self.tables.connections.get_mut(index) else {
                continue;
            };
            if slot.deadline().is_some_and(|due| due <= self.clock.now) {
                slot.wake_at = Instant::ZERO;
                let iface = slot.iface;
                self.owe(iface, Ref::new(Kind::Connection, index));
            }
        }
    }

    /// [`unlink`](Stack::unlink) of a SYN entry.
    #[inline]
    pub(crate) fn unlink_half_open(&mut self, item: Ref) {
        self.unlink(item);
    }
}

impl Stack {
    /// The first item of a list, which stays there; [`Ref::NONE`] if there is none.
    #[inline(never)]
    pub(crate) fn first(&self, on: On) -> Ref {
        let (mut first, mut longest) = (Ref::NONE, 0);
        for kind in Kind::WAITING {
            let mut item = Ref::new(*kind, 0);
            while let Some(links) = self.tables.links(item, on.is_news()) {
                // The count wraps: what matters is how long ago it was.
                let waited = self.turn.wrapping_sub(links.since());
                if links.list() == on.0 && waited >= longest {
                    (first, longest) = (item, waited);
                }
                item = item.next();
            }
        }
        first
    }

    /// Puts an item at the end of a list. False if it is on one already.
    pub(crate) fn put(&mut self, on: On, item: Ref) -> bool {
        self.turn = self.turn.wrapping_add(1);
        self.put_since(on, item, self.turn)
    }

    /// Puts an item at the front of a list.
    pub(crate) fn put_first(&mut self, on: On, item: Ref) {
        self.put_since(on, item, self.turn.wrapping_sub(LONG_AGO));
    }

    fn put_since(&mut self, on: On, item: Ref, since: u32) -> bool {
        match self.tables.links_mut(item, on.is_news()) {
            Some(links) if !links.is_linked() => {
                links.put(on.0, since);
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes the first item off a list.
    pub(crate) fn take_first(&mut self, on: On) -> Option<Ref> {
        let first = self.first(on);
        self.tables.links_mut(first, on.is_news())?.clear();
        Some(first)
    }

    /// Takes what an interface sends next, and says off which list: its control list, or if that is
    /// empty the list of those who may owe it frames.
    #[inline]
    pub(crate) fn take_next(&mut self, iface: u8) -> Option<(On, Ref)> {
        let control = On::control(iface);
        if let Some(item) = self.take_first(control) {
            return Some((control, item));
        }
        let owing = On::owing(iface);
        self.take_first(owing).map(|item| (owing, item))
    }

    /// Takes an item off a list, if it is there.
    pub(crate) fn take_off(&mut self, on: On, item: Ref) {
        if let Some(links) = self.tables.links_mut(item, on.is_news()) {
            if links.list() == on.0 {
                links.clear();
            }
        }
    }

    /// Takes an item off whatever list it waits on to be sent.
    pub(crate) fn unlink(&mut self, item: Ref) {
        let Some(links) = self.tables.links_mut(item, false) else {
            return;
        };
        #[cfg(feature = "hold")]
        let list = links.list();
        links.clear();
        #[cfg(feature = "hold")]
        if list & On::NEIGHBOR != 0 {
            self.leave_neighbor((list & !On::NEIGHBOR) as u16);
        }
    }
}

#[cfg(test)]
#[cfg(all(feature = "active-open", feature = "hold", feature = "ipv4"))]
mod tests;
