//! Intrusive doubly linked lists whose members may be of different kinds.
//!
//! What owes a frame, what owes its user news, what waits for a neighbour: each is a [`List`] of
//! [`Ref`]s, and nobody scans all sockets. The links lie in the members ([`Links`]), so a list
//! needs no memory of its own, and every operation takes constant time.

use netloom_wire::hint::cold_path;

#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests;

/// What a [`Ref`] refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A TCP connection.
    Connection = 1,
    /// A SYN entry: a connection in SYN-RECEIVED, without buffers.
    HalfOpen = 2,
    /// A connection in TIME-WAIT, without buffers.
    TimeWait = 3,
    /// A UDP socket or flow.
    Udp = 4,
    /// A queued packet.
    Packet = 5,
    /// A TCP listener.
    Listener = 6,
    /// A flow of ICMP echo messages.
    Echo = 7,
}

impl Kind {
    /// Every kind.
    #[cfg(not(feature = "alloc"))]
    pub(crate) const WAITING: &[Kind] = &[
        Kind::Connection,
        Kind::HalfOpen,
        #[cfg(feature = "udp")]
        Kind::Udp,
        #[cfg(feature = "hold")]
        Kind::Packet,
        Kind::Listener,
    ];

    const fn from_bits(bits: u32) -> Option<Kind> {
        Some(match bits {
            1 => Kind::Connection,
            2 => Kind::HalfOpen,
            3 => Kind::TimeWait,
            4 => Kind::Udp,
            5 => Kind::Packet,
            6 => Kind::Listener,
            7 => Kind::Echo,
            _ => return None,
        })
    }
}

/// An item of the stack: its kind and its index in that kind's slab, in 32 bits; or nothing.
///
/// A `Ref` says where an item is, not that it still lives: it is for use inside the stack, which
/// unlinks an item before it frees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ref(u32);

impl Ref {
    /// No item. All bits zero.
    pub const NONE: Ref = Ref(0);
    /// Indices are below this.
    pub const MAX_INDEX: u32 = Self::INDEX_MASK;

    const INDEX_BITS: u32 = 28;
    const INDEX_MASK: u32 = (1 << Self::INDEX_BITS) - 1;

    /// The item of `kind` at `index`, of which 28 bits count.
    #[inline]
    pub const fn new(kind: Kind, index: u32) -> Ref {
        Ref((kind as u32) << Self::INDEX_BITS | index & Self::INDEX_MASK)
    }

    /// The kind; `None` for [`Ref::NONE`].
    #[inline]
    pub const fn kind(self) -> Option<Kind> {
        // Three bits hold every kind: that leaves nothing to check.
        Kind::from_bits(self.0 >> Self::INDEX_BITS & 7)
    }

    /// The index in the slab of its kind; 0 for [`Ref::NONE`].
    #[inline]
    pub const fn index(self) -> u32 {
        self.0 & Self::INDEX_MASK
    }

    /// The item of the same kind at the index after this one's.
    #[cfg(not(feature = "alloc"))]
    pub(crate) const fn next(self) -> Ref {
        Ref(self.0.wrapping_add(1))
    }

    /// Whether this is [`Ref::NONE`].
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether this is an item.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 != 0
    }
}

impl core::fmt::Debug for Ref {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.kind() {
            Some(kind) => write!(f, "{kind:?}({})", self.index()),
            None => f.write_str("none"),
        }
    }
}

/// A member's place on a list. 12 bytes, all zero when it is on none.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Links {
    next: Ref,
    prev: Ref,
    /// [`LINKED`], and which list in the other bits.
    on: u16,
    /// The owner's, whether the member is on a list or not: the time it was put there, say.
    pub tag: u16,
}

/// Set in [`Links::on`] while the member is on a list.
#[cfg(feature = "alloc")]
const LINKED: u16 = 1 << 15;

#[cfg(feature = "alloc")]
impl Links {
    /// On no list. All bytes zero.
    pub const EMPTY: Links = Links {
        next: Ref::NONE,
        prev: Ref::NONE,
        on: 0,
        tag: 0,
    };

    /// Whether the member is on a list.
    #[inline]
    pub const fn is_linked(&self) -> bool {
        self.on & LINKED != 0
    }

    /// Which list the member is on, in numbers of the owner's choice; 0 is none. Leaving a list
    /// sets it to 0.
    #[inline]
    pub const fn list(&self) -> u16 {
        self.on & !LINKED
    }

    /// Says which list the member was just put on: 15 bits count. Nothing happens to one that
    /// is on none.
    #[inline]
    pub fn set_list(&mut self, list: u16) {
        if self.is_linked() {
            self.on = LINKED | list;
        }
    }

    /// The member after this one.
    #[inline]
    pub const fn next(&self) -> Ref {
        self.next
    }

    /// For a slab's free list while the member is not in use.
    pub(crate) fn raw(&mut self) -> &mut u32 {
        &mut self.next.0
    }
}

/// Where a member waits, and since when. 12 bytes, all zero when it is on no list.
#[cfg(not(feature = "alloc"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Links {
    since: u32,
    on: u32,
    /// The owner's, whether the member is on a list or not: the time it was put there, say.
    pub tag: u16,
}

#[cfg(not(feature = "alloc"))]
impl Links {
    /// On no list. All bytes zero.
    pub const EMPTY: Links = Links {
        since: 0,
        on: 0,
        tag: 0,
    };

    /// Puts the member on a list, whose name is not 0.
    pub(crate) fn put(&mut self, list: u32, since: u32) {
        self.on = list;
        self.since = since;
    }

    /// Takes the member off its list.
    pub(crate) fn clear(&mut self) {
        self.on = 0;
    }

    /// Whether the member is on a list.
    pub const fn is_linked(&self) -> bool {
        self.on != 0
    }

    /// Which list the member is on; 0 is none.
    pub const fn list(&self) -> u32 {
        self.on
    }

    /// When the member was put on its list, by a count of its owner's, of 31 bits.
    pub(crate) const fn since(&self) -> u32 {
        self.since
    }
}

/// Where lists find the links of their members.
#[cfg(feature = "alloc")]
pub trait Nodes {
    /// The links of `r`; `None` if there is no such item.
    fn links(&mut self, r: Ref) -> Option<&mut Links>;
}

/// A list of items, in the order they were put on it. 8 bytes, all zero when empty.
///
/// A member is on one list at a time (per [`Links`]). What cannot be done, as putting an item on a
/// list that is on one already, or that does not exist, is not done, and said so.
#[cfg(feature = "alloc")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct List {
    head: Ref,
    tail: Ref,
}

#[cfg(feature = "alloc")]
impl List {
    /// A list of nothing. All bytes zero.
    pub const EMPTY: List = List {
        head: Ref::NONE,
        tail: Ref::NONE,
    };

    /// Whether nothing is on the list.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// The first member, or [`Ref::NONE`].
    #[inline]
    pub const fn front(&self) -> Ref {
        self.head
    }

    /// The last member, or [`Ref::NONE`].
    #[inline]
    pub const fn back(&self) -> Ref {
        self.tail
    }

    /// Moves all members out and leaves the list empty.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> List {
        core::mem::take(self)
    }

    /// Puts `r` at the end. False if it is on a list already or does not exist.
    #[inline]
    pub fn push_back<N: Nodes + ?Sized>(&mut self, nodes: &mut N, r: Ref) -> bool {
        self.push_back_as(nodes, r, 0)
    }

    /// [`push_back`](List::push_back) that also says which list this is, as
    /// [`Links::set_list`] does.
    pub fn push_back_as<N: Nodes + ?Sized>(&mut self, nodes: &mut N, r: Ref, list: u16) -> bool {
        if !link(nodes, r, self.tail, Ref::NONE, list) {
            return false;
        }
        let last = if self.tail.is_none() {
            None
        } else {
            nodes.links(self.tail)
        };
        match last {
            Some(last) => last.next = r,
            None => self.head = r,
        }
        self.tail = r;
        true
    }

    /// [`push_back_as`](List::push_back_as) for who has the links of `r` at hand: one look at the
    /// member is enough if the list is empty. True if `r` is on a list now, as it may have been
    /// before; false, and nothing is changed, if it has to be linked to another member.
    #[inline]
    pub fn begin_with(&mut self, links: &mut Links, r: Ref, list: u16) -> bool {
        if links.is_linked() {
            return true;
        }
        if !self.is_empty() || r.is_none() {
            return false;
        }
        links.next = Ref::NONE;
        links.prev = Ref::NONE;
        links.on = LINKED | list;
        *self = List { head: r, tail: r };
        true
    }

    /// [`pop_front`](List::pop_front) for who has the links of `r` at hand, which is the only
    /// member. False, and nothing is changed, if it is not.
    #[inline]
    pub fn end_with(&mut self, links: &mut Links, r: Ref) -> bool {
        if self.head != r || self.tail != r || r.is_none() {
            return false;
        }
        *links = Links {
            tag: links.tag,
            ..Links::EMPTY
        };
        *self = List::EMPTY;
        true
    }

    /// Puts `r` at the front. False if it is on a list already or does not exist.
    pub fn push_front<N: Nodes + ?Sized>(&mut self, nodes: &mut N, r: Ref) -> bool {
        if !link(nodes, r, Ref::NONE, self.head, 0) {
            return false;
        }
        match nodes.links(self.head) {
            Some(first) => first.prev = r,
            None => self.tail = r,
        }
        self.head = r;
        true
    }

    /// Takes the first member off the list; [`Ref::NONE`] becomes `None`.
    #[inline]
    pub fn pop_front<N: Nodes + ?Sized>(&mut self, nodes: &mut N) -> Option<Ref> {
        // Most lists that are asked are empty.
        if self.is_empty() {
            return None;
        }
        self.pop_first(nodes)
    }

    fn pop_first<N: Nodes + ?Sized>(&mut self, nodes: &mut N) -> Option<Ref> {
        let r = self.head;
        let Some(links) = nodes.links(r).filter(|links| links.is_linked()) else {
            cold_path();
            // The first member was freed while on the list: then the others cannot be reached
            // either, and an empty list is the one that cannot loop.
            *self = List::EMPTY;
            return None;
        };
        let next = links.next;
        *links = Links {
            tag: links.tag,
            ..Links::EMPTY
        };
        self.head = next;
        if next.is_none() {
            self.tail = Ref::NONE;
        } else if let Some(links) = nodes.links(next) {
            links.prev = Ref::NONE;
        }
        Some(r)
    }

    /// Takes `r` off the list. False, and nothing changes, if it is on no list, does not exist, or
    /// is the end of another list. Which list a member is on [`Links::list`] can say.
    pub fn remove<N: Nodes + ?Sized>(&mut self, nodes: &mut N, r: Ref) -> bool {
        if r.is_none() {
            return false;
        }
        let Some(links) = nodes.links(r) else {
            cold_path();
            return false;
        };
        let Links {
            next,
            prev,
            on,
            tag,
        } = *links;
        if on & LINKED == 0 || prev.is_none() && self.head != r || next.is_none() && self.tail != r
        {
            cold_path();
            return false;
        }
        *links = Links {
            tag,
            ..Links::EMPTY
        };
        if prev.is_none() {
            self.head = next;
        } else if let Some(before) = nodes.links(prev) {
            before.next = next;
        }
        if next.is_none() {
            self.tail = prev;
        } else if let Some(after) = nodes.links(next) {
            after.prev = prev;
        }
        true
    }

    /// Moves all members of `other` to the end of this list, in their order; `other` is empty
    /// afterwards. Constant time, hence [`Links::list`] of what moved stays as it was.
    pub fn append<N: Nodes + ?Sized>(&mut self, nodes: &mut N, other: &mut List) {
        let other = other.take();
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            *self = other;
            return;
        }
        if let Some(last) = nodes.links(self.tail) {
            last.next = other.head;
        }
        if let Some(first) = nodes.links(other.head) {
            first.prev = self.tail;
        }
        self.tail = other.tail;
    }
}

/// Makes the links of `r`, if it exists and is on no list, say that it stands between two others
/// on `list`.
#[cfg(feature = "alloc")]
#[inline]
fn link<N: Nodes + ?Sized>(nodes: &mut N, r: Ref, prev: Ref, next: Ref, list: u16) -> bool {
    if r.is_none() {
        cold_path();
        return false;
    }
    let Some(links) = nodes.links(r) else {
        cold_path();
        return false;
    };
    if links.is_linked() {
        cold_path();
        return false;
    }
    links.next = next;
    links.prev = prev;
    links.on = LINKED | list;
    true
}
