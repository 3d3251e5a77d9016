//! Lists whose members are linked: constant time, whatever their number.
//!
//! Almost every caller names its list's kind: inlined, finding the list is one load.

use super::On;
#[cfg(all(feature = "tcp", target_pointer_width = "64"))]
use crate::list::Kind;
use crate::list::{Links, List, Nodes, Ref};
#[cfg(feature = "tcp")]
use crate::memory::slab::Slab;
use crate::stack::Stack;
use crate::tables::Tables;
#[cfg(feature = "tcp")]
use crate::tcp::{HalfOpenEntry, TimeWaitEntry};

/// The links of items: those for their users' news, or those for sending.
struct Members<'a, const NEWS: bool>(&'a mut Tables);

impl<const NEWS: bool> Nodes for Members<'_, NEWS> {
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        // Mostly it is a connection's; the others are looked for elsewhere.
        #[cfg(all(feature = "tcp", target_pointer_width = "64"))]
        if r.kind() == Some(Kind::Connection) {
            let slot = self.0.connections.get_mut(r.index())?;
            return Some(if NEWS {
                &mut slot.news
            } else {
                &mut slot.links
            });
        }
        self.0.links_mut(r, NEWS)
    }
}

/// The links of TIME-WAIT entries, which alone wait on the list of their name.
#[cfg(feature = "tcp")]
struct TimeWaits<'a>(&'a mut Slab<TimeWaitEntry>);

#[cfg(feature = "tcp")]
impl Nodes for TimeWaits<'_> {
    #[inline]
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        Some(&mut self.0.get_mut(r.index())?.links)
    }
}

/// The links of SYN entries, which alone wait on the lists of handshakes under way.
#[cfg(feature = "tcp")]
struct Handshakes<'a>(&'a mut Slab<HalfOpenEntry>);

#[cfg(feature = "tcp")]
impl Nodes for Handshakes<'_> {
    #[inline]
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        Some(&mut self.0.get_mut(r.index())?.links)
    }
}

#[cfg(feature = "tcp")]
impl Stack {
    /// [`put`](Stack::put) of a TIME-WAIT on the list of those.
    #[inline]
    pub(crate) fn put_time_wait(&mut self, item: Ref) {
        let entries = &mut TimeWaits(&mut self.tables.time_wait);
        let name = On::TIME_WAIT.name();
        self.tcp.time_wait.push_back_as(entries, item, name);
    }

    /// Takes a TIME-WAIT off the list of those.
    #[inline]
    pub(crate) fn take_off_time_wait(&mut self, item: Ref) {
        let entries = &mut TimeWaits(&mut self.tables.time_wait);
        self.tcp.time_wait.remove(entries, item);
    }

    /// [`put`](Stack::put) of a SYN entry on the list of those whose SYN-ACK was repeated as often.
    #[inline]
    pub(crate) fn put_handshake(&mut self, level: u8, item: Ref) {
        let entries = &mut Handshakes(&mut self.tables.half_open);
        if let Some(list) = self.tcp.syn.levels.get_mut(usize::from(level)) {
            list.push_back_as(entries, item, On::handshake(level).name());
        }
    }

    /// [`unlink`](Stack::unlink) of a SYN entry, which mostly waits for the answer to its SYN-ACK.
    #[inline]
    pub(crate) fn unlink_half_open(&mut self, item: Ref) {
        let entries = &mut Handshakes(&mut self.tables.half_open);
        let on = entries.links(item).map_or(0, |links| links.list());
        let level = u32::from(on).wrapping_sub(On::HANDSHAKE) as usize;
        match self.tcp.syn.levels.get_mut(level) {
            Some(list) => {
                list.remove(entries, item);
            }
            None => self.unlink(item),
        }
    }
}

impl Stack {
    /// A list of what is to be sent, and its members' links.
    #[inline(always)]
    fn sending(&mut self, on: On) -> Option<(&mut List, Members<'_, false>)> {
        let On(name) = on;
        let low = (name & 0xff) as usize;
        let list = match name & !0xff {
            On::CONTROL => &mut self.interfaces.get_mut(low)?.control,
            On::OWING => &mut self.interfaces.get_mut(low)?.owing,
            #[cfg(feature = "tcp")]
            On::HANDSHAKE => self.tcp.syn.levels.get_mut(low)?,
            #[cfg(feature = "tcp")]
            _ if on == On::TIME_WAIT => &mut self.tcp.time_wait,
            _ => {
                let index = name.checked_sub(On::NEIGHBOR)?;
                &mut self.neighbors.at_mut(index as u16)?.waiting
            }
        };
        Some((list, Members(&mut self.tables)))
    }

    /// Has a list of what is for users act with its members.
    #[inline(always)]
    fn with_news<R>(
        &mut self,
        on: On,
        act: impl FnOnce(&mut List, &mut Members<'_, true>) -> R,
    ) -> Option<R> {
        if on == On::EVENTS {
            return Some(act(&mut self.events, &mut Members(&mut self.tables)));
        }
        #[cfg(feature = "tcp")]
        {
            // It lies among the tables of its members: taken out meanwhile.
            let listener = on.0 & !On::NEWS;
            let mut queue = self.tables.listeners.get(listener)?.queue;
            let result = act(&mut queue, &mut Members(&mut self.tables));
            self.tables.listeners.get_mut(listener)?.queue = queue;
            Some(result)
        }
        #[cfg(not(feature = "tcp"))]
        None
    }

    /// Puts an item at the end of a list. False if it is on one already.
    #[inline(always)]
    pub(crate) fn put(&mut self, on: On, item: Ref) -> bool {
        if on.is_news() {
            let put = self.with_news(on, |list, members| list.push_back(members, item));
            return put.unwrap_or(false);
        }
        let name = on.name();
        self.sending(on)
            .is_some_and(|(list, mut members)| list.push_back_as(&mut members, item, name))
    }

    /// Puts an item at the front of a list of what is to be sent.
    pub(crate) fn put_first(&mut self, on: On, item: Ref) {
        if let Some((list, mut members)) = self.sending(on) {
            list.push_front(&mut members, item);
            if let Some(links) = members.links(item) {
                links.set_list(on.name());
            }
        }
    }

    /// Takes the first item off a list.
    #[inline(always)]
    pub(crate) fn take_first(&mut self, on: On) -> Option<Ref> {
        if on == On::EVENTS {
            return self
                .events
                .pop_front(&mut Members::<true>(&mut self.tables));
        }
        if on.is_news() {
            return self.with_news(on, |list, members| list.pop_front(members))?;
        }
        let (list, mut members) = self.sending(on)?;
        list.pop_front(&mut members)
    }

    /// Takes what an interface sends next, and says off which list: its control list, or if that is
    /// empty the list of those who may owe it frames.
    #[inline(always)]
    pub(crate) fn take_next(&mut self, iface: u8) -> Option<(On, Ref)> {
        let interface = self.interfaces.get_mut(usize::from(iface))?;
        let (on, list) = if interface.control.is_empty() {
            (On::owing(iface), &mut interface.owing)
        } else {
            (On::control(iface), &mut interface.control)
        };
        let item = list.pop_front(&mut Members::<false>(&mut self.tables))?;
        Some((on, item))
    }

    /// The first item of a list, which stays there; [`Ref::NONE`] if there is none.
    #[inline(always)]
    pub(crate) fn first(&self, on: On) -> Ref {
        let On(name) = on;
        let low = (name & 0xff) as usize;
        let list = match name & !0xff {
            _ if on == On::EVENTS => Some(&self.events),
            #[cfg(feature = "tcp")]
            _ if on.is_news() => {
                let listener = self.tables.listeners.get(name & !On::NEWS);
                listener.map(|listener| &listener.queue)
            }
            On::CONTROL => self.interfaces.get(low).map(|i| &i.control),
            On::OWING => self.interfaces.get(low).map(|i| &i.owing),
            #[cfg(feature = "tcp")]
            On::HANDSHAKE => self.tcp.syn.levels.get(low),
            #[cfg(feature = "tcp")]
            _ if on == On::TIME_WAIT => Some(&self.tcp.time_wait),
            // Nobody asks who is the first to wait for a neighbour.
            _ => None,
        };
        list.map_or(Ref::NONE, List::front)
    }

    /// Takes an item off a list, if it is there.
    #[inline(always)]
    pub(crate) fn take_off(&mut self, on: On, item: Ref) {
        if on.is_news() {
            self.with_news(on, |list, members| list.remove(members, item));
        } else if let Some((list, mut members)) = self.sending(on) {
            list.remove(&mut members, item);
        }
    }

    /// Takes an item off whatever list it waits on to be sent.
    pub(crate) fn unlink(&mut self, item: Ref) {
        let Some(links) = self.tables.links_mut(item, false) else {
            return;
        };
        let list = u32::from(links.list());
        if list == 0 {
            return;
        }
        self.take_off(On(list), item);
        if list & On::NEIGHBOR != 0 {
            self.leave_neighbor((list & !On::NEIGHBOR) as u16);
        }
    }
}
