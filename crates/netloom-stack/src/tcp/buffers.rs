//! Where a connection's bytes, records and ranges lie: lent once, or taken and given back.

use netloom_tcp::{Connection, Io, Range, Record};

use crate::memory::mem::Mem;
#[cfg(feature = "alloc")]
use crate::memory::pool::Pool;

/// The memory of one connection.
pub(crate) struct Buffers {
    rx: Mem<u8>,
    tx: Mem<u8>,
    records: Mem<Record>,
    ranges: Mem<Range>,
    #[cfg(feature = "alloc")]
    habit: Habit,
}

/// How long a receive ring the connection needs between two times that it is drained, so that a
/// new one has that length at once and is not copied while it grows.
#[cfg(feature = "alloc")]
#[derive(Clone, Copy)]
struct Habit {
    /// The length, as a power of two.
    log2: u8,
    /// How often it was enough since it changed.
    enough: u8,
}

#[cfg(feature = "alloc")]
impl Habit {
    const NONE: Habit = Habit { log2: 0, enough: 0 };
    /// How often a length must have been enough before half of it is tried.
    const PATIENCE: u8 = 16;

    /// Bytes to begin with.
    fn len(self) -> usize {
        1usize.checked_shl(self.log2.into()).unwrap_or(usize::MAX)
    }

    /// A ring had to grow to `len` bytes.
    fn grew(&mut self, len: usize) {
        self.log2 = len.checked_ilog2().map_or(0, |log2| log2 as u8);
        self.enough = 0;
    }

    /// A ring was drained.
    fn drained(&mut self) {
        self.enough = self.enough.saturating_add(1);
        if self.enough > Habit::PATIENCE {
            self.log2 = self.log2.saturating_sub(1);
            self.enough = 0;
        }
    }
}

impl Buffers {
    pub(crate) const EMPTY: Buffers = Buffers {
        rx: Mem::None,
        tx: Mem::None,
        records: Mem::None,
        ranges: Mem::None,
        #[cfg(feature = "alloc")]
        habit: Habit::NONE,
    };

    pub(crate) fn lend(
        &mut self,
        rx: &'static mut [u8],
        tx: &'static mut [u8],
        records: &'static mut [Record],
        ranges: &'static mut [Range],
    ) {
        self.rx = Mem::Lent(rx);
        self.tx = Mem::Lent(tx);
        self.records = Mem::Lent(records);
        self.ranges = Mem::Lent(ranges);
    }

    /// Another connection begins with the same memory.
    pub(crate) fn forget(&mut self) {
        #[cfg(feature = "alloc")]
        {
            self.habit = Habit::NONE;
        }
    }

    /// Octets of the receive ring.
    #[inline]
    pub(crate) fn rx_len(&self) -> usize {
        self.rx.len()
    }

    /// The storage a call on the connection works with.
    #[inline]
    pub(crate) fn io(&mut self) -> Io<'_> {
        Io {
            rx: &mut self.rx,
            tx: &mut self.tx,
            records: &mut self.records,
            ranges: &mut self.ranges,
        }
    }
}

/// Where connections get their memory from.
pub(crate) struct BufferPool {
    #[cfg(feature = "alloc")]
    heap: Option<Heap>,
    /// Bytes of each lent receive ring; 0 on the heap.
    lent_rx: u32,
}

#[cfg(feature = "alloc")]
struct Heap {
    bytes: Pool<u8>,
    records: Pool<Record>,
    ranges: Pool<Range>,
    budget: usize,
}

/// Ranges a connection on the heap can hold: a SACK peer that loses every other segment of a
/// 64 KiB window is within it.
#[cfg(feature = "alloc")]
const HEAP_RANGES: usize = 32;
/// The least and the most records a connection on the heap has.
#[cfg(feature = "alloc")]
const HEAP_RECORDS: (usize, usize) = (32, 1024);

impl BufferPool {
    /// Everything is lent: there is nothing to take.
    pub(crate) const fn lent(rx: u32) -> BufferPool {
        BufferPool {
            #[cfg(feature = "alloc")]
            heap: None,
            lent_rx: rx,
        }
    }

    /// Bytes of each lent receive ring: what a window can promise; 0 on the heap.
    pub(crate) fn lent_rx(&self) -> u32 {
        self.lent_rx
    }

    /// Buffers come from the heap, `budget` bytes of them at most.
    #[cfg(feature = "alloc")]
    pub(crate) fn heap(budget: usize) -> BufferPool {
        BufferPool {
            heap: Some(Heap {
                bytes: Pool::new(budget),
                records: Pool::new(budget / 8),
                ranges: Pool::new(budget / 8),
                budget,
            }),
            lent_rx: 0,
        }
    }

    /// Whether more than half of the budget is in use: new connections promise less then.
    pub(crate) fn under_pressure(&self) -> bool {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            return heap.bytes.in_use() > heap.budget / 2;
        }
        false
    }

    /// Bytes of buffers in use.
    pub(crate) fn in_use(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            return heap.bytes.in_use();
        }
        0
    }

    /// Makes the receive ring at least `need` bytes long. Says whether it is.
    #[inline]
    pub(crate) fn ensure_rx(
        &mut self,
        conn: &mut Connection,
        buffers: &mut Buffers,
        need: usize,
    ) -> bool {
        need <= buffers.rx.len() || self.grow_rx(conn, buffers, need)
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_rx(&mut self, conn: &mut Connection, buffers: &mut Buffers, need: usize) -> bool {
        let Some(heap) = &mut self.heap else {
            return false;
        };
        let plenty = if !buffers.rx.is_none() {
            // Doubling keeps the cost of growing in proportion to what is received.
            buffers.rx.len().saturating_mul(2)
        } else if heap.bytes.in_use() > heap.budget / 2 {
            0
        } else {
            buffers.habit.len()
        };
        let Some(mut new) = heap.bytes.take(need.max(plenty)) else {
            return false;
        };
        if !buffers.rx.is_none() {
            buffers.habit.grew(new.len());
        }
        conn.move_rx(&buffers.rx, &mut new);
        if let Mem::Heap(old) = core::mem::replace(&mut buffers.rx, Mem::Heap(new)) {
            heap.bytes.give(old);
        }
        true
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_rx(&mut self, _: &mut Connection, _: &mut Buffers, _: usize) -> bool {
        false
    }

    /// Sees to it that what arrives out of order can be remembered. Says whether it can.
    #[inline]
    pub(crate) fn ensure_ranges(&mut self, buffers: &mut Buffers) -> bool {
        !buffers.ranges.is_none() || self.take_ranges(buffers)
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn take_ranges(&mut self, buffers: &mut Buffers) -> bool {
        let Some(ranges) = self
            .heap
            .as_mut()
            .and_then(|heap| heap.ranges.take(HEAP_RANGES))
        else {
            return false;
        };
        buffers.ranges = Mem::Heap(ranges);
        true
    }

    #[cfg(not(feature = "alloc"))]
    fn take_ranges(&mut self, _: &mut Buffers) -> bool {
        false
    }

    /// Makes the send ring hold `want` bytes if memory allows. Says how many it holds.
    #[inline]
    pub(crate) fn ensure_tx(
        &mut self,
        conn: &mut Connection,
        buffers: &mut Buffers,
        want: usize,
    ) -> usize {
        if want > buffers.tx.len() {
            self.grow_tx(conn, buffers, want);
        }
        buffers.tx.len()
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_tx(&mut self, conn: &mut Connection, buffers: &mut Buffers, want: usize) {
        let Some(heap) = &mut self.heap else {
            return;
        };
        let Some(mut new) = heap.bytes.take(want) else {
            return;
        };
        conn.move_tx(&buffers.tx, &mut new);
        if let Mem::Heap(old) = core::mem::replace(&mut buffers.tx, Mem::Heap(new)) {
            heap.bytes.give(old);
        }
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_tx(&mut self, _: &mut Connection, _: &mut Buffers, _: usize) {}

    /// Makes room for one more record of what was sent, if the bound and memory allow.
    #[inline]
    pub(crate) fn ensure_records(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        if conn.record_count() >= buffers.records.len() {
            self.grow_records(conn, buffers);
        }
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_records(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        let Some(heap) = &mut self.heap else {
            return;
        };
        let have = buffers.records.len();
        if have >= HEAP_RECORDS.1 {
            return;
        }
        let Some(mut new) = heap
            .records
            .take(have.saturating_mul(2).max(HEAP_RECORDS.0))
        else {
            return;
        };
        conn.move_records(&buffers.records, &mut new);
        if let Mem::Heap(old) = core::mem::replace(&mut buffers.records, Mem::Heap(new)) {
            heap.records.give(old);
        }
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_records(&mut self, _: &mut Connection, _: &mut Buffers) {}

    /// Takes back what the connection has drained.
    #[inline]
    pub(crate) fn reclaim(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &mut self.heap {
            if !buffers.rx.is_none() && conn.rx_extent() == 0 {
                heap.reclaim_rx(buffers);
            }
            if !(buffers.tx.is_none() && buffers.records.is_none()) && conn.tx_extent() == 0 {
                heap.reclaim_tx(buffers);
            }
        }
        #[cfg(not(feature = "alloc"))]
        let _ = (conn, buffers);
    }

    /// Takes everything back, whatever it holds.
    pub(crate) fn reclaim_all(&mut self, buffers: &mut Buffers) {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &mut self.heap {
            heap.reclaim_rx(buffers);
            heap.reclaim_tx(buffers);
        }
        #[cfg(not(feature = "alloc"))]
        let _ = buffers;
    }
}

#[cfg(feature = "alloc")]
impl Heap {
    fn reclaim_rx(&mut self, buffers: &mut Buffers) {
        if let Mem::Heap(rx) = core::mem::take(&mut buffers.rx) {
            self.bytes.give(rx);
            buffers.habit.drained();
        }
        if let Mem::Heap(ranges) = core::mem::take(&mut buffers.ranges) {
            self.ranges.give(ranges);
        }
    }

    fn reclaim_tx(&mut self, buffers: &mut Buffers) {
        if let Mem::Heap(tx) = core::mem::take(&mut buffers.tx) {
            self.bytes.give(tx);
        }
        if let Mem::Heap(records) = core::mem::take(&mut buffers.records) {
            self.records.give(records);
        }
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests;
