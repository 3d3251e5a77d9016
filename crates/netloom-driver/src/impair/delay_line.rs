//! Frames on their way: in order, except for those held back to be overtaken.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::Instant;

/// Items that are due at a time. Items keep their order whatever their times are; only an item
/// that is to be overtaken waits for later ones.
#[derive(Debug)]
pub struct DelayLine<T> {
    moving: VecDeque<(Instant, T)>,
    held: Vec<Held<T>>,
    /// The time of the last item in `moving` so far: the next is due no earlier.
    last: Instant,
}

#[derive(Debug)]
struct Held<T> {
    item: T,
    left: u16,
    until: Instant,
}

impl<T> DelayLine<T> {
    /// Nothing on its way.
    pub const fn new() -> DelayLine<T> {
        DelayLine {
            moving: VecDeque::new(),
            held: Vec::new(),
            last: Instant::ZERO,
        }
    }

    /// Takes in an item that is due at `due`. If `overtaken_by` is not 0, it arrives right after
    /// as many later items, or `wait` microseconds after `due` if there are none.
    pub fn push(&mut self, item: T, due: Instant, overtaken_by: u16, wait: u64) {
        if overtaken_by > 0 {
            self.held.push(Held {
                item,
                left: overtaken_by,
                until: due.plus_micros(wait),
            });
            return;
        }
        self.last = self.last.max(due);
        self.moving.push_back((self.last, item));
        for held in &mut self.held {
            held.left = held.left.saturating_sub(1);
        }
        while let Some(at) = self.held.iter().position(|held| held.left == 0) {
            let held = self.held.remove(at);
            self.moving.push_back((self.last, held.item));
        }
    }

    /// When the next item is due.
    pub fn next_due(&self) -> Option<Instant> {
        let moving = self.moving.front().map(|(due, _)| *due);
        let held = self.held.iter().map(|held| held.until).min();
        [moving, held].into_iter().flatten().min()
    }

    /// Takes out the next item that is due at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<T> {
        let moving = self.moving.front().map(|(due, _)| *due);
        let waited = self
            .held
            .iter()
            .enumerate()
            .min_by_key(|(_, held)| held.until)
            .map(|(at, held)| (at, held.until))
            .filter(|(_, until)| *until <= now && moving.is_none_or(|due| *until < due));
        if let Some((at, _)) = waited {
            return Some(self.held.remove(at).item);
        }
        moving.filter(|due| *due <= now)?;
        self.moving.pop_front().map(|(_, item)| item)
    }

    /// How many items are on their way.
    pub fn len(&self) -> usize {
        self.moving.len() + self.held.len()
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.moving.is_empty() && self.held.is_empty()
    }
}

impl<T> Default for DelayLine<T> {
    fn default() -> DelayLine<T> {
        DelayLine::new()
    }
}
