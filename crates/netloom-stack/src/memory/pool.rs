//! Buffers in powers of two, recycled under one budget.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

#[cfg(test)]
mod tests;

/// Bytes of the smallest block. Smaller ones would spend more on their bookkeeping than they save.
const MIN_BLOCK_BYTES: usize = 256;

/// Sizes of blocks: powers of two from the smallest on, 8 TiB being the largest on 64 bits.
const CLASSES: usize = 36;

/// Idle memory that is always worth keeping, whatever the budget.
const MIN_IDLE_BYTES: usize = 1 << 20;

/// Blocks of `T` in powers of two, recycled under one budget in bytes.
///
/// [`take`](Pool::take) hands out a block and [`give`](Pool::give) brings it back. A recycled
/// block still holds what its last owner wrote: it is never cleared again, so nobody may read what
/// they did not write. In a steady state nothing is allocated and nothing freed.
///
/// The budget covers blocks in use and idle ones. Of these at most an eighth of the budget or
/// 1 MiB is kept, whichever is more; the rest goes back to the heap as it comes in, so that a burst
/// does not hold its memory for ever.
pub struct Pool<T> {
    /// Idle blocks of each size; class `c` holds blocks of `MIN_LEN << c` elements.
    classes: [Vec<Box<[T]>>; CLASSES],
    budget: usize,
    in_use: usize,
    idle: usize,
}

impl<T: Copy + Default> Pool<T> {
    /// Elements of the smallest block: as many as fill 256 bytes, at least 1, a power of two.
    pub const MIN_LEN: usize = {
        let size = if size_of::<T>() == 0 {
            1
        } else {
            size_of::<T>()
        };
        let len = (MIN_BLOCK_BYTES / size).next_power_of_two();
        if len * size > MIN_BLOCK_BYTES && len > 1 {
            len / 2
        } else {
            len
        }
    };

    /// A pool of at most `budget` bytes. Nothing is allocated yet.
    pub const fn new(budget: usize) -> Pool<T> {
        Pool {
            classes: [const { Vec::new() }; CLASSES],
            budget,
            in_use: 0,
            idle: 0,
        }
    }

    /// A block of at least `min_len` elements: their number rounded up to a power of two, at least
    /// [`MIN_LEN`](Pool::MIN_LEN). Its contents are arbitrary.
    ///
    /// `None` if the budget or the heap is exhausted.
    #[must_use]
    pub fn take(&mut self, min_len: usize) -> Option<Box<[T]>> {
        let len = Self::block_len(min_len)?;
        let class = self.classes.get_mut(Self::class(len)?)?;
        let bytes = len * size_of::<T>();
        let in_use = self.in_use.checked_add(bytes)?;
        // An idle block too: the budget may be less than it was.
        if in_use > self.budget {
            return None;
        }
        if let Some(block) = class.pop() {
            self.idle -= bytes;
            self.in_use = in_use;
            return Some(block);
        }
        self.shrink_idle_to(self.budget - in_use);
        let mut block = Vec::new();
        block.try_reserve_exact(len).ok()?;
        block.resize(len, T::default());
        self.in_use = in_use;
        Some(block.into_boxed_slice())
    }

    /// Brings back a block that [`take`](Pool::take) handed out. A block of a length the pool does
    /// not hand out is not the pool's: it is freed and not counted.
    pub fn give(&mut self, block: Box<[T]>) {
        let len = block.len();
        if Self::block_len(len) != Some(len) {
            return;
        }
        let bytes = len * size_of::<T>();
        self.in_use = self.in_use.saturating_sub(bytes);
        let limit = self.idle_limit();
        if bytes > limit {
            return;
        }
        // The newest block is the one in the cache and of the size in demand: others make room.
        self.shrink_idle_to(limit - bytes);
        let Some(class) = Self::class(len).and_then(|c| self.classes.get_mut(c)) else {
            return;
        };
        if class.try_reserve(1).is_ok() {
            class.push(block);
            self.idle += bytes;
        }
    }

    /// The length of the block that [`take`](Pool::take) hands out for `min_len` elements; `None`
    /// if there is no such block.
    pub fn block_len(min_len: usize) -> Option<usize> {
        let len = min_len.checked_next_power_of_two()?.max(Self::MIN_LEN);
        len.checked_mul(size_of::<T>())?;
        Self::class(len).map(|_| len)
    }

    /// The class of blocks of `len` elements, a power of two of at least `MIN_LEN`.
    fn class(len: usize) -> Option<usize> {
        let class = len
            .trailing_zeros()
            .checked_sub(Self::MIN_LEN.trailing_zeros())? as usize;
        (class < CLASSES).then_some(class)
    }

    /// Frees idle blocks, of the size that holds most first, until `bytes` of them are left.
    fn shrink_idle_to(&mut self, bytes: usize) {
        while self.idle > bytes {
            let largest = self
                .classes
                .iter_mut()
                .enumerate()
                .max_by_key(|(class, blocks)| blocks.len() << class);
            let Some(block) = largest.and_then(|(_, blocks)| blocks.pop()) else {
                return;
            };
            self.idle -= block.len() * size_of::<T>();
        }
    }

    /// Frees every idle block.
    pub fn trim(&mut self) {
        self.shrink_idle_to(0);
        for class in &mut self.classes {
            class.shrink_to_fit();
        }
    }
}

impl<T> Pool<T> {
    /// Changes how many bytes the pool may hold. What it holds beyond stays until it is given
    /// back.
    pub const fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
    }

    /// Bytes the pool may hold, in use and idle together.
    pub const fn budget(&self) -> usize {
        self.budget
    }

    /// Bytes in blocks that were taken and not given back.
    #[inline]
    pub const fn in_use(&self) -> usize {
        self.in_use
    }

    /// Bytes in blocks that wait to be taken.
    #[inline]
    pub const fn idle(&self) -> usize {
        self.idle
    }

    /// Idle bytes that are kept at most.
    pub const fn idle_limit(&self) -> usize {
        let share = self.budget / 8;
        let limit = if share > MIN_IDLE_BYTES {
            share
        } else {
            MIN_IDLE_BYTES
        };
        let room = self.budget.saturating_sub(self.in_use);
        if limit < room { limit } else { room }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("in_use", &self.in_use)
            .field("idle", &self.idle)
            .field("budget", &self.budget)
            .finish()
    }
}
