//! A byte ring over storage that lives elsewhere.
//!
//! Capacities are any number, so positions wrap by compare and subtract, never by division.

/// Where the live bytes of a ring are. The storage is passed to each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ring {
    /// Index of the first live byte; less than the capacity (0 if that is 0).
    pub(crate) head: u32,
    /// Live bytes from `head` on.
    pub(crate) len: u32,
}

/// Whether it is asked first if bytes wrap: rarely, and an empty copy is a call too. Small machines
/// save the question.
const ASKS_WHETHER_IT_WRAPS: bool = cfg!(target_pointer_width = "64");

/// `head + offset` in a ring of `capacity` bytes, for `head < capacity` and `offset <= capacity`.
fn wrap(head: usize, offset: usize, capacity: usize) -> usize {
    let at = head.wrapping_add(offset);
    if at >= capacity {
        at.wrapping_sub(capacity)
    } else {
        at
    }
}

impl Ring {
    pub(crate) const EMPTY: Ring = Ring { head: 0, len: 0 };

    /// Bytes that can still be appended.
    #[inline]
    pub(crate) fn room(&self, capacity: usize) -> usize {
        capacity.saturating_sub(self.len as usize)
    }

    /// The `len` bytes that start `offset` bytes after the head, live or not, in two pieces.
    /// Shorter when that is more than the ring holds.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn slices<'a>(
        &self,
        memory: &'a [u8],
        offset: usize,
        len: usize,
    ) -> (&'a [u8], &'a [u8]) {
        let capacity = memory.len();
        let len = len.min(capacity.saturating_sub(offset));
        let start = wrap(self.head as usize, offset, capacity);
        let first = len.min(capacity.wrapping_sub(start));
        (
            memory.get(start..start.wrapping_add(first)).unwrap_or(&[]),
            memory.get(..len.wrapping_sub(first)).unwrap_or(&[]),
        )
    }

    /// Like [`Ring::slices`], to write into.
    pub(crate) fn slices_mut<'a>(
        &self,
        memory: &'a mut [u8],
        offset: usize,
        len: usize,
    ) -> (&'a mut [u8], &'a mut [u8]) {
        let capacity = memory.len();
        let len = len.min(capacity.saturating_sub(offset));
        let start = wrap(self.head as usize, offset, capacity);
        let first = len.min(capacity.wrapping_sub(start));
        let (low, high) = memory.split_at_mut(start.min(capacity));
        (
            high.get_mut(..first).unwrap_or_default(),
            low.get_mut(..len.wrapping_sub(first)).unwrap_or_default(),
        )
    }

    /// Writes `data` at `offset` bytes after the head and returns how much fitted. Does not
    /// make it live.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn place(&self, memory: &mut [u8], offset: usize, data: &[u8]) -> usize {
        if ASKS_WHETHER_IT_WRAPS && data.len() <= memory.len().saturating_sub(offset) {
            let start = wrap(self.head as usize, offset, memory.len());
            if let Some(space) = memory.get_mut(start..start.wrapping_add(data.len())) {
                space.copy_from_slice(data);
                return data.len();
            }
        }
        self.place_pieces(memory, offset, data)
    }

    /// [`Ring::place`] of what wraps, or does not fit.
    fn place_pieces(&self, memory: &mut [u8], offset: usize, data: &[u8]) -> usize {
        let (a, b) = self.slices_mut(memory, offset, data.len());
        let total = a.len().wrapping_add(b.len());
        if let Some(from) = data.get(..a.len()) {
            a.copy_from_slice(from);
        }
        if let Some(from) = data.get(a.len()..total) {
            b.copy_from_slice(from);
        }
        total
    }

    /// Copies live bytes from `offset` on into `out`; returns how many.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn copy_out(&self, memory: &[u8], offset: usize, out: &mut [u8]) -> usize {
        let len = out.len().min((self.len as usize).saturating_sub(offset));
        if ASKS_WHETHER_IT_WRAPS {
            let start = wrap(self.head as usize, offset, memory.len());
            let piece = memory.get(start..start.wrapping_add(len));
            if let (Some(piece), Some(out)) = (piece, out.get_mut(..len)) {
                out.copy_from_slice(piece);
                return len;
            }
        }
        self.copy_pieces(memory, offset, len, out)
    }

    /// [`Ring::copy_out`] of `len` bytes that wrap.
    fn copy_pieces(&self, memory: &[u8], offset: usize, len: usize, out: &mut [u8]) -> usize {
        let (a, b) = self.slices(memory, offset, len);
        let total = a.len().wrapping_add(b.len());
        if let Some(to) = out.get_mut(..a.len()) {
            to.copy_from_slice(a);
        }
        if let Some(to) = out.get_mut(a.len()..a.len().wrapping_add(b.len())) {
            to.copy_from_slice(b);
        }
        total
    }

    /// Drops `n` live bytes from the front.
    #[inline]
    pub(crate) fn consume(&mut self, capacity: usize, n: u32) {
        let n = n.min(self.len);
        self.len = self.len.wrapping_sub(n);
        self.head = wrap(self.head as usize, n as usize, capacity) as u32;
    }

    /// A ring without live bytes starts again at index 0: what comes next lies in one piece, and in
    /// memory that the processor's cache still has. Not to be called while bytes were placed
    /// beyond the live ones. Small machines have no such cache.
    #[inline]
    pub(crate) fn rewind(&mut self) {
        if cfg!(target_pointer_width = "64") && self.len == 0 {
            self.head = 0;
        }
    }

    /// Copies the first `extent` bytes from the head on to the start of other memory, and
    /// starts there.
    pub(crate) fn relocate(&mut self, from: &[u8], to: &mut [u8], extent: usize) {
        let (a, b) = self.slices(from, 0, extent);
        if let Some(first) = to.get_mut(..a.len()) {
            first.copy_from_slice(a);
        }
        if let Some(second) = to.get_mut(a.len()..a.len().saturating_add(b.len())) {
            second.copy_from_slice(b);
        }
        self.head = 0;
    }
}

#[cfg(test)]
mod tests;
