//! A hierarchical timing wheel for any number of timers, armed lazily: early allowed, late never.
//!
//! The truth about a deadline lies with the item: the wheel only promises to hand the item out
//! ([`Wheel::expire`]) no later than that. The owner then looks at the true deadline and, if it is
//! still to come, arms the timer again. Two savings follow. Moving a deadline further away, which a
//! connection does with every acknowledgement, does not touch the wheel. And the wheel needs no
//! cascade of its own: an item that was far away is handed out when its coarse slot begins, and
//! goes to a finer one as it is armed again. So every call takes constant time, and a timer is
//! handed out at most nine times, mostly once or twice.
//!
//! # Slots
//!
//! A tick is 16 µs. Level 0 has a slot for each of the 64 ticks of the block the wheel is in, level
//! 1 one for each of the 64 blocks of that size, and so on: seven levels make 2.2 years, and what
//! lies beyond waits in their last slot. A deadline is put on the level of the highest digit, to base
//! 64, in which its tick differs from the wheel's: so all slots of a level come before all of the
//! next, and the earliest is found in one bitmap.
//!
//! What is due within the wheel's own tick stands on a list apart, of which the earliest deadline
//! is known exactly; hence nothing is handed out before its time over and over.

use netloom_wire::hint::cold_path;

use crate::memory::Mem;
use netloom_driver::Instant;

#[cfg(test)]
mod tests;

/// A tick is 2^4 = 16 µs.
const TICK_BITS: u32 = 4;
const LEVEL_BITS: u32 = 6;
const LEVEL_SLOTS: usize = 1 << LEVEL_BITS;
const LEVELS: usize = 7;

/// The last tick of the wheel's span: all digits 63.
const SPAN_MASK: u64 = (1 << (LEVELS as u32 * LEVEL_BITS)) - 1;

/// The two lists for the current tick: one is filled while the other is emptied.
const SOON: [usize; 2] = [LEVELS * LEVEL_SLOTS, LEVELS * LEVEL_SLOTS + 1];

/// The words of memory a wheel needs.
pub const WHEEL_HEADS: usize = LEVELS * LEVEL_SLOTS + 2;

/// An item's place in the wheel. 12 bytes, all zero when it is not armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TimerLinks {
    /// Index + 1 of the next item of the slot.
    next: u32,
    /// Index + 1 of the item before; 0 for the first.
    prev: u32,
    /// The number of the slot + 1.
    slot: u16,
}

impl TimerLinks {
    /// Not armed. All bytes zero.
    pub const EMPTY: TimerLinks = TimerLinks {
        next: 0,
        prev: 0,
        slot: 0,
    };

    /// Whether the item is in a wheel.
    #[inline]
    pub const fn is_armed(&self) -> bool {
        self.slot != 0
    }
}

/// Where a wheel finds the links of the items in it.
pub trait TimerNodes {
    /// The links of the item at `index`; `None` if there is no such item.
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks>;
}

/// The timing wheel. It never reads a clock: time comes with [`expire`](Wheel::expire).
///
/// An item must be disarmed before it is freed.
pub struct Wheel {
    /// The first item of each slot, as index + 1.
    heads: Mem<u32>,
    /// For each level, which slots have items.
    occupied: [u64; LEVELS],
    /// The tick the wheel is in: every slot that begins by then was emptied, or is being emptied.
    tick: u64,
    /// The time of the last `expire`, in µs.
    now: u64,
    /// The slot being emptied, + 1; 0 for none.
    draining: usize,
    /// Which of [`SOON`] is being filled.
    filling: usize,
    /// The earliest deadline on that list, in µs; `u64::MAX` if it is empty.
    soonest: u64,
}

impl Wheel {
    /// A wheel without memory: arming does nothing. For stacks that scan their few sockets.
    pub const fn none() -> Wheel {
        Wheel::new(Mem::none())
    }

    /// A wheel in memory of at least [`WHEEL_HEADS`] words, all zero. With less,
    /// [`is_usable`](Wheel::is_usable) is false and arming does nothing.
    pub const fn new(heads: Mem<u32>) -> Wheel {
        Wheel {
            heads,
            occupied: [0; LEVELS],
            tick: 0,
            now: 0,
            draining: 0,
            filling: 0,
            soonest: u64::MAX,
        }
    }

    /// A wheel with memory from the heap: 1.8 KiB.
    #[cfg(feature = "alloc")]
    pub fn heap() -> Wheel {
        Wheel::new(Mem::Heap(alloc::vec![0; WHEEL_HEADS].into_boxed_slice()))
    }

    /// Whether the wheel has the memory it needs.
    pub fn is_usable(&self) -> bool {
        self.heads.len() >= WHEEL_HEADS
    }

    /// Sees to it that the item is handed out at `deadline` or before.
    ///
    /// Nothing changes if that is so already. [`Instant::FAR_FUTURE`] is no deadline: nothing is
    /// armed, and what was stays.
    pub fn arm<N: TimerNodes + ?Sized>(&mut self, nodes: &mut N, index: u32, deadline: Instant) {
        if deadline == Instant::FAR_FUTURE || !self.is_usable() {
            return;
        }
        let Some(mut links) = nodes.timer(index) else {
            return;
        };
        if let Some(slot) = usize::from(links.slot).checked_sub(1) {
            if self.handed_out_at(slot) <= deadline.as_micros() {
                return;
            }
            cold_path();
            self.disarm(nodes, index);
            match nodes.timer(index) {
                Some(disarmed) => links = disarmed,
                None => return,
            }
        }
        let slot = self.slot_for(deadline.as_micros());
        let first = self.set_head(slot, index + 1);
        *links = TimerLinks {
            next: first,
            prev: 0,
            slot: slot as u16 + 1,
        };
        if let Some(second) = first.checked_sub(1).and_then(|first| nodes.timer(first)) {
            second.prev = index + 1;
        }
    }

    /// Takes the item out of the wheel, if it is there.
    pub fn disarm<N: TimerNodes + ?Sized>(&mut self, nodes: &mut N, index: u32) {
        let Some(links) = nodes.timer(index) else {
            return;
        };
        let TimerLinks { next, prev, slot } = core::mem::take(links);
        let Some(slot) = usize::from(slot).checked_sub(1) else {
            return;
        };
        if let Some(after) = next.checked_sub(1).and_then(|next| nodes.timer(next)) {
            after.prev = prev;
        }
        match prev.checked_sub(1) {
            Some(prev) => {
                if let Some(before) = nodes.timer(prev) {
                    before.next = next;
                }
            }
            None => {
                self.set_head(slot, next);
            }
        }
    }

    /// Takes an item out of the wheel whose slot is due at `now`, and returns its index. Its true
    /// deadline may still be to come: then it is to be armed again.
    ///
    /// `None` means that nothing is due any more. This is reached even if each item handed out is
    /// armed again for a time gone by: what is armed so between two calls waits for the next µs.
    pub fn expire<N: TimerNodes + ?Sized>(&mut self, nodes: &mut N, now: Instant) -> Option<u32> {
        self.now = self.now.max(now.as_micros());
        loop {
            if let Some(slot) = self.draining.checked_sub(1) {
                if let Some(index) = self.pop(nodes, slot) {
                    return Some(index);
                }
                self.draining = 0;
            }
            if !self.advance() {
                return None;
            }
        }
    }

    /// A time by which [`expire`](Wheel::expire) should be called: no later than the earliest
    /// deadline; `None` if nothing is armed. Right after `expire` returned `None` it is later than
    /// that call's `now`.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self
            .draining
            .checked_sub(1)
            .is_some_and(|slot| self.head(slot) != 0)
        {
            return Some(Instant::from_micros(self.tick << TICK_BITS));
        }
        if self.soonest != u64::MAX {
            return Some(Instant::from_micros(self.soonest));
        }
        let (_, begin) = self.first_slot()?;
        Some(Instant::from_micros(begin << TICK_BITS))
    }

    /// Goes on to the next slot that is due, to empty it. False if none is.
    fn advance(&mut self) -> bool {
        let now_tick = self.now >> TICK_BITS;
        // What is on the list for the current tick comes before every slot.
        let due = if self.soonest <= self.now && self.soonest != u64::MAX {
            let slot = SOON.get(self.filling).copied();
            self.filling ^= 1;
            self.soonest = u64::MAX;
            slot
        } else {
            let first = self.first_slot().filter(|(_, begin)| *begin <= now_tick);
            first.map(|(slot, begin)| {
                self.tick = begin;
                self.mark(slot, false);
                slot
            })
        };
        // As near to the present as the next slot allows: what is armed from here on is then
        // placed as exactly as can be.
        let before_next = self.first_slot().map_or(u64::MAX, |(_, begin)| begin - 1);
        self.tick = self.tick.max(now_tick.min(before_next));
        self.draining = due.map_or(0, |slot| slot + 1);
        due.is_some()
    }

    /// The earliest slot with items and the tick at which it begins. The lists for the current
    /// tick and the slot being emptied do not count.
    fn first_slot(&self) -> Option<(usize, u64)> {
        let (level, slots) = self
            .occupied
            .iter()
            .enumerate()
            .find(|(_, slots)| **slots != 0)?;
        let slot = level * LEVEL_SLOTS + slots.trailing_zeros() as usize;
        Some((slot, self.begin(slot)))
    }

    /// The slot for a deadline in µs; notes the deadline if that is in the current tick.
    fn slot_for(&mut self, deadline: u64) -> usize {
        // What lies beyond the span is handed out as that ends.
        let tick = (deadline >> TICK_BITS).min(self.tick | SPAN_MASK);
        if tick <= self.tick {
            return self.soon(deadline);
        }
        let level = (tick ^ self.tick).ilog2() / LEVEL_BITS;
        let digit = (tick >> (level * LEVEL_BITS)) as usize % LEVEL_SLOTS;
        let slot = level as usize * LEVEL_SLOTS + digit;
        // The slot being emptied, a turn of its level later: time has jumped. What is put there now
        // would be handed out in this round, without end.
        if self.draining == slot + 1 {
            cold_path();
            return self.soon(deadline);
        }
        slot
    }

    /// The list for the current tick, for a deadline in it or later.
    fn soon(&mut self, deadline: u64) -> usize {
        // Between two items being handed out nothing may become due at once, or a caller that
        // arms everything for now would never come to an end.
        let earliest = if self.draining != 0 {
            self.now.saturating_add(1)
        } else {
            0
        };
        let end_of_tick = (self.tick + 1) << TICK_BITS;
        self.soonest = self.soonest.min(deadline.min(end_of_tick).max(earliest));
        SOON.get(self.filling).copied().unwrap_or(0)
    }

    /// The tick at which a slot begins.
    fn begin(&self, slot: usize) -> u64 {
        let level = (slot / LEVEL_SLOTS) as u32;
        let digit = (slot % LEVEL_SLOTS) as u64;
        let block = (level + 1) * LEVEL_BITS;
        self.tick >> block << block | digit << (level * LEVEL_BITS)
    }

    /// When what is in this slot is handed out, in µs.
    fn handed_out_at(&self, slot: usize) -> u64 {
        if self.draining == slot + 1 {
            0
        } else if SOON.contains(&slot) {
            self.soonest
        } else {
            self.begin(slot) << TICK_BITS
        }
    }

    fn pop<N: TimerNodes + ?Sized>(&mut self, nodes: &mut N, slot: usize) -> Option<u32> {
        let index = self.head(slot).checked_sub(1)?;
        let armed = nodes
            .timer(index)
            .is_some_and(|links| usize::from(links.slot) == slot + 1);
        if armed {
            self.disarm(nodes, index);
            Some(index)
        } else {
            // It was freed without being disarmed, and what follows it cannot be reached.
            self.set_head(slot, 0);
            None
        }
    }

    #[inline]
    fn head(&self, slot: usize) -> u32 {
        self.heads.get(slot).copied().unwrap_or(0)
    }

    /// Sets a slot's first item, and what is known of the slot's being empty or not; returns what
    /// was first before.
    #[inline]
    fn set_head(&mut self, slot: usize, first: u32) -> u32 {
        let head = self.heads.get_mut(slot);
        let before = head.map_or(0, |head| core::mem::replace(head, first));
        if SOON.get(self.filling) == Some(&slot) {
            if first == 0 {
                self.soonest = u64::MAX;
            }
        } else {
            self.mark(slot, first != 0 && self.draining != slot + 1);
        }
        before
    }

    /// Notes whether a slot of a level has items.
    fn mark(&mut self, slot: usize, occupied: bool) {
        if let Some(slots) = self.occupied.get_mut(slot / LEVEL_SLOTS) {
            let bit = 1 << (slot % LEVEL_SLOTS);
            *slots = if occupied {
                *slots | bit
            } else {
                *slots & !bit
            };
        }
    }
}

impl core::fmt::Debug for Wheel {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Wheel")
            .field("next_deadline", &self.next_deadline())
            .finish()
    }
}
