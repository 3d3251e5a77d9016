//! Where a connection's bytes, records and ranges lie: lent once, or taken and given back.

#[cfg(feature = "alloc")]
use alloc::boxed::Box;

#[cfg(feature = "bbr")]
use netloom_tcp::PathState;
use netloom_tcp::{Connection, Io, Range, Record};
#[cfg(feature = "alloc")]
use netloom_wire::hint::cold_path;

#[cfg(feature = "alloc")]
use crate::memory::pool::Pool;
#[cfg(all(feature = "flows", feature = "alloc"))]
use shares::{Pledge, SMALL, Shares};

/// The memory of one connection.
pub(crate) struct Buffers {
    storage: Storage,
    /// The largest the send ring may grow to.
    pub(crate) tx_limit: u32,
    /// Whether the program has set the length of the receive buffer: it is not tuned then.
    #[cfg(feature = "autotune")]
    pub(crate) rx_is_set: bool,
    /// The same of the send buffer.
    #[cfg(feature = "autotune")]
    pub(crate) tx_is_set: bool,
    #[cfg(feature = "alloc")]
    habit: Habit,
}

/// Where it is. One for all four of its parts: each would have to say it otherwise.
enum Storage {
    /// Nowhere.
    None,
    /// Given away by the program for ever.
    Lent(Io<'static>),
    /// On the heap; what is not there is empty, which takes nothing.
    #[cfg(feature = "alloc")]
    Heap(Taken),
}

/// What a connection has taken from the pools.
#[cfg(feature = "alloc")]
#[derive(Default)]
struct Taken {
    rx: Box<[u8]>,
    tx: Box<[u8]>,
    records: Box<[Record]>,
    ranges: Box<[Range]>,
    /// There is one or none. Few connections have it: those that are paced.
    #[cfg(feature = "bbr")]
    path: Option<Box<[PathState; 1]>>,
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
        storage: Storage::None,
        tx_limit: 0,
        #[cfg(feature = "autotune")]
        rx_is_set: false,
        #[cfg(feature = "autotune")]
        tx_is_set: false,
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
        self.storage = Storage::Lent(Io::new(rx, tx, records, ranges));
    }

    /// Lends memory for what a paced connection remembers of its path, after the rest.
    #[cfg(feature = "bbr")]
    pub(crate) fn lend_path(&mut self, path: &'static mut PathState) {
        if let Storage::Lent(io) = &mut self.storage {
            io.path = Some(path);
        }
    }

    /// What a paced connection remembers of its path.
    #[cfg(feature = "bbr")]
    pub(crate) fn path(&self) -> Option<&PathState> {
        match &self.storage {
            Storage::None => None,
            Storage::Lent(io) => io.path.as_deref(),
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => {
                let [path] = &**taken.path.as_ref()?;
                Some(path)
            }
        }
    }

    /// Another connection begins with the same memory.
    pub(crate) fn forget(&mut self) {
        #[cfg(feature = "alloc")]
        {
            self.habit = Habit::NONE;
        }
        #[cfg(feature = "autotune")]
        {
            self.rx_is_set = false;
            self.tx_is_set = false;
        }
        #[cfg(feature = "bbr")]
        if let Some(path) = self.io().path {
            *path = PathState::EMPTY;
        }
    }

    /// Octets of the receive ring.
    #[inline]
    pub(crate) fn rx_len(&self) -> usize {
        match &self.storage {
            Storage::None => 0,
            Storage::Lent(io) => io.rx.len(),
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => taken.rx.len(),
        }
    }

    /// Octets of the send ring.
    #[inline]
    fn tx_len(&self) -> usize {
        match &self.storage {
            Storage::None => 0,
            Storage::Lent(io) => io.tx.len(),
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => taken.tx.len(),
        }
    }

    /// The most octets the send ring can hold: of a lent one, what was lent.
    pub(crate) fn tx_most(&self) -> usize {
        let limit = self.tx_limit as usize;
        match &self.storage {
            Storage::Lent(io) => limit.min(io.tx.len()),
            _ => limit,
        }
    }

    /// Records there is room for.
    #[inline]
    fn record_room(&self) -> usize {
        match &self.storage {
            Storage::None => 0,
            Storage::Lent(io) => io.records.len(),
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => taken.records.len(),
        }
    }

    /// Ranges there is room for.
    fn range_room(&self) -> usize {
        match &self.storage {
            Storage::None => 0,
            Storage::Lent(io) => io.ranges.len(),
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => taken.ranges.len(),
        }
    }

    /// The storage a call on the connection works with.
    // Whoever needs one of the four alone is not to look at the others.
    #[cfg_attr(target_pointer_width = "64", inline(always))]
    #[cfg_attr(not(target_pointer_width = "64"), inline)]
    pub(crate) fn io(&mut self) -> Io<'_> {
        match &mut self.storage {
            Storage::None => Io::new(&mut [], &mut [], &mut [], &mut []),
            Storage::Lent(lent) => {
                #[cfg(feature = "alloc")]
                cold_path();
                #[cfg(feature = "fast-retransmit")]
                let records = &mut *lent.records;
                #[cfg(not(feature = "fast-retransmit"))]
                let records = &mut [];
                #[cfg(feature = "out-of-order")]
                let ranges = &mut *lent.ranges;
                #[cfg(not(feature = "out-of-order"))]
                let ranges = &mut [];
                let io = Io::new(lent.rx, lent.tx, records, ranges);
                #[cfg(feature = "bbr")]
                let io = Io {
                    path: lent.path.as_deref_mut(),
                    ..io
                };
                io
            }
            #[cfg(feature = "alloc")]
            Storage::Heap(taken) => {
                let io = Io::new(
                    &mut taken.rx,
                    &mut taken.tx,
                    &mut taken.records,
                    &mut taken.ranges,
                );
                #[cfg(feature = "bbr")]
                let io = Io {
                    path: taken.path.as_deref_mut().map(|[path]| path),
                    ..io
                };
                io
            }
        }
    }

    /// What was taken from the heap, to take more; `None` if the program lent what there is.
    #[cfg(feature = "alloc")]
    fn taken(&mut self) -> Option<&mut Taken> {
        if let Storage::None = self.storage {
            self.storage = Storage::Heap(Taken::default());
        }
        match &mut self.storage {
            Storage::Heap(taken) => Some(taken),
            Storage::None | Storage::Lent(_) => None,
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
    /// Bytes of what paced connections remember of their paths.
    #[cfg(feature = "bbr")]
    paths: usize,
    budget: usize,
    #[cfg(feature = "flows")]
    shares: Shares,
}

/// The least and the most ranges a connection on the heap has. With the least, a peer that loses
/// every other segment of a 64 KiB window is within it.
#[cfg(feature = "alloc")]
const HEAP_RANGES: (usize, usize) = (32, 4096);
/// What lies out of order must be worth so many octets a range, before there are more of them:
/// else single octets would make work.
#[cfg(feature = "alloc")]
const WORTH_A_RANGE: usize = 256;
/// The least and the most records a connection on the heap has.
#[cfg(feature = "alloc")]
const HEAP_RECORDS: (usize, usize) = (32, 32768);
/// What is in flight must be worth so many octets a record, before there are more than a few
/// thousand: a peer that has small segments sent would have all of them looked at.
#[cfg(feature = "alloc")]
const WORTH_A_RECORD: usize = 1024;
#[cfg(feature = "alloc")]
const CHEAP_RECORDS: usize = 8192;

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
                #[cfg(feature = "bbr")]
                paths: 0,
                budget,
                #[cfg(feature = "flows")]
                shares: Shares::WHOLE,
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

    /// Bytes in use, records and ranges included.
    #[cfg(feature = "flows")]
    pub(crate) fn used(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            return heap.bytes.in_use()
                + heap.records.in_use()
                + heap.ranges.in_use()
                + heap.paths();
        }
        0
    }

    /// [`used`](BufferPool::used), and what is kept to be used again.
    #[cfg(feature = "flows")]
    pub(crate) fn held(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            let idle = heap.bytes.idle() + heap.records.idle() + heap.ranges.idle();
            return self.used() + idle;
        }
        0
    }

    /// Gives back what is kept to be used again.
    #[cfg(feature = "flows")]
    pub(crate) fn trim(&mut self) {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &mut self.heap {
            heap.bytes.trim();
            heap.records.trim();
            heap.ranges.trim();
        }
    }

    /// Says how far the memory of connections may grow: to `small` bytes, of which large rings
    /// leave `kept`, and no more than that is pledged.
    #[cfg(feature = "flows")]
    pub(crate) fn set_shares(&mut self, small: usize, kept: usize, connections: u32) {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &mut self.heap {
            heap.shares.small = small;
            heap.shares.large = small.saturating_sub(kept);
            heap.shares.pledges = kept;
            heap.shares.connections = connections as usize;
            // What is pledged is not for what arrives out of order.
            let most = small.saturating_sub(heap.spoken_for());
            let ranges = heap.ranges.in_use().saturating_add(most);
            heap.ranges.set_budget(heap.ranges.budget().min(ranges));
        }
        #[cfg(not(feature = "alloc"))]
        let _ = (small, kept, connections);
    }

    /// Bytes pledged to so many connections that they do not hold yet.
    #[cfg(feature = "flows")]
    pub(crate) fn pledged(&self, connections: u32) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            return heap.shares.pledged(connections as usize);
        }
        #[cfg(not(feature = "alloc"))]
        let _ = connections;
        0
    }

    /// How many small rings there is memory for.
    #[cfg(feature = "flows")]
    pub(crate) fn small_rings_left(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            let left = heap.shares.small.saturating_sub(heap.spoken_for());
            return left / SMALL;
        }
        usize::MAX
    }

    /// Changes how many bytes may be held in all, records and ranges included.
    #[cfg(feature = "flows")]
    pub(crate) fn set_budget(&mut self, budget: usize) {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &mut self.heap {
            let held = |used: usize, idle: usize| used.saturating_add(idle);
            let bytes = held(heap.bytes.in_use(), heap.bytes.idle());
            let records = held(heap.records.in_use(), heap.records.idle());
            let ranges = held(heap.ranges.in_use(), heap.ranges.idle());
            heap.bytes
                .set_budget(budget.saturating_sub(records).saturating_sub(ranges));
            heap.records
                .set_budget(budget.saturating_sub(bytes).saturating_sub(ranges));
            heap.ranges
                .set_budget(budget.saturating_sub(bytes).saturating_sub(records));
        }
        let _ = budget;
    }

    /// Bytes of buffers in use.
    pub(crate) fn in_use(&self) -> usize {
        #[cfg(feature = "alloc")]
        if let Some(heap) = &self.heap {
            return heap.bytes.in_use();
        }
        0
    }

    /// Sees to it that a connection that is paced can remember its path. Says whether it can.
    #[cfg(feature = "bbr")]
    pub(crate) fn ensure_path(&mut self, buffers: &mut Buffers) -> bool {
        #[cfg(feature = "alloc")]
        if let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) {
            return heap.ensure_path(taken);
        }
        buffers.path().is_some()
    }

    /// Makes the receive ring at least `need` bytes long. Says whether it is.
    #[inline]
    pub(crate) fn ensure_rx(
        &mut self,
        conn: &mut Connection,
        buffers: &mut Buffers,
        need: usize,
    ) -> bool {
        need <= buffers.rx_len() || self.grow_rx(conn, buffers, need)
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_rx(&mut self, conn: &mut Connection, buffers: &mut Buffers, need: usize) -> bool {
        let habit = buffers.habit;
        let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) else {
            return false;
        };
        let have = taken.rx.len();
        let plenty = if have > 0 {
            // Doubling keeps the cost of growing in proportion to what is received.
            have.saturating_mul(2)
        } else if heap.bytes.in_use() > heap.budget / 2 {
            0
        } else {
            habit.len()
        };
        let Some(mut new) = heap.take_ring(taken, have, need.max(plenty)) else {
            return false;
        };
        let len = new.len();
        conn.move_rx(&taken.rx, &mut new);
        heap.bytes.give(core::mem::replace(&mut taken.rx, new));
        if have > 0 {
            buffers.habit.grew(len);
        }
        // Of what does not fit its beginning does.
        len >= need
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_rx(&mut self, _: &mut Connection, _: &mut Buffers, _: usize) -> bool {
        false
    }

    /// Sees to it that what arrives out of order can be remembered. Says whether it can.
    #[inline]
    pub(crate) fn ensure_ranges(&mut self, conn: &mut Connection, buffers: &mut Buffers) -> bool {
        if !cfg!(feature = "out-of-order") {
            return true;
        }
        let room = buffers.range_room();
        if room == 0 {
            return self.take_ranges(buffers);
        }
        if conn.range_count() >= room {
            self.grow_ranges(conn, buffers);
        }
        true
    }

    /// More ranges for a peer whose segments are large and whose losses are many.
    #[cfg(feature = "alloc")]
    #[cold]
    fn grow_ranges(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        let beyond = conn.rx_extent().saturating_sub(conn.readable_bytes());
        let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) else {
            return;
        };
        let have = taken.ranges.len();
        if have >= HEAP_RANGES.1 || beyond < have.saturating_mul(WORTH_A_RANGE) {
            return;
        }
        let Some(mut new) = heap.ranges.take(have.saturating_mul(2)) else {
            return;
        };
        conn.move_ranges(&taken.ranges, &mut new);
        heap.ranges.give(core::mem::replace(&mut taken.ranges, new));
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_ranges(&mut self, _: &mut Connection, _: &mut Buffers) {}

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn take_ranges(&mut self, buffers: &mut Buffers) -> bool {
        let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) else {
            return false;
        };
        let Some(ranges) = heap.ranges.take(HEAP_RANGES.0) else {
            return false;
        };
        taken.ranges = ranges;
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
        let have = buffers.tx_len();
        if want <= have {
            return have;
        }
        self.grow_tx(conn, buffers, want);
        buffers.tx_len()
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_tx(&mut self, conn: &mut Connection, buffers: &mut Buffers, want: usize) {
        let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) else {
            return;
        };
        let have = taken.tx.len();
        let Some(mut new) = heap.take_ring(taken, have, want) else {
            return;
        };
        conn.move_tx(&taken.tx, &mut new);
        heap.bytes.give(core::mem::replace(&mut taken.tx, new));
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_tx(&mut self, _: &mut Connection, _: &mut Buffers, _: usize) {}

    /// Makes room for one more record of what was sent, if the bound and memory allow.
    #[inline]
    pub(crate) fn ensure_records(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        let most = Record::most(buffers.record_room());
        if cfg!(feature = "fast-retransmit") && conn.record_count() >= most {
            self.grow_records(conn, buffers);
        }
    }

    #[cfg(feature = "alloc")]
    #[inline(never)]
    fn grow_records(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        let (Some(heap), Some(taken)) = (&mut self.heap, buffers.taken()) else {
            return;
        };
        let have = taken.records.len();
        let flight = conn.unacked_bytes();
        let worth = have < CHEAP_RECORDS || flight >= have.saturating_mul(WORTH_A_RECORD);
        if have >= HEAP_RECORDS.1 || !worth {
            return;
        }
        let want = have.saturating_mul(2).max(HEAP_RECORDS.0);
        let Some(mut new) = heap.take_records(have, want) else {
            return;
        };
        conn.move_records(&taken.records, &mut new);
        heap.records
            .give(core::mem::replace(&mut taken.records, new));
    }

    #[cfg(not(feature = "alloc"))]
    fn grow_records(&mut self, _: &mut Connection, _: &mut Buffers) {}

    /// Takes back a receive ring into which nothing came.
    #[cfg(all(feature = "alloc", feature = "gather", target_pointer_width = "64"))]
    pub(crate) fn give_back_unused(&mut self, conn: &Connection, buffers: &mut Buffers) {
        let (Some(heap), Storage::Heap(taken)) = (&mut self.heap, &mut buffers.storage) else {
            return;
        };
        if !taken.rx.is_empty() && conn.rx_extent() == 0 {
            // It says nothing of how long a ring is needed.
            heap.reclaim_rx(taken, &mut Habit { ..buffers.habit });
        }
    }

    /// Takes back what the connection has drained.
    #[inline]
    pub(crate) fn reclaim(&mut self, conn: &mut Connection, buffers: &mut Buffers) {
        #[cfg(feature = "alloc")]
        if let (Some(heap), Storage::Heap(taken)) = (&mut self.heap, &mut buffers.storage) {
            if !taken.rx.is_empty() && conn.rx_extent() == 0 {
                heap.reclaim_rx(taken, &mut buffers.habit);
            }
            if !(taken.tx.is_empty() && taken.records.is_empty()) && conn.tx_extent() == 0 {
                heap.reclaim_tx(taken);
            }
        }
        #[cfg(not(feature = "alloc"))]
        let _ = (conn, buffers);
    }

    /// Takes everything back, whatever it holds.
    pub(crate) fn reclaim_all(&mut self, buffers: &mut Buffers) {
        #[cfg(feature = "alloc")]
        if let (Some(heap), Storage::Heap(taken)) = (&mut self.heap, &mut buffers.storage) {
            heap.reclaim_rx(taken, &mut buffers.habit);
            heap.reclaim_tx(taken);
            #[cfg(feature = "bbr")]
            if taken.path.take().is_some() {
                heap.paths = heap.paths.saturating_sub(size_of::<PathState>());
            }
        }
        #[cfg(not(feature = "alloc"))]
        let _ = buffers;
    }
}

#[cfg(feature = "alloc")]
impl Heap {
    /// Bytes of what paced connections remember of their paths.
    #[cfg(feature = "flows")]
    fn paths(&self) -> usize {
        #[cfg(feature = "bbr")]
        return self.paths;
        #[cfg(not(feature = "bbr"))]
        0
    }

    #[cfg(feature = "bbr")]
    fn ensure_path(&mut self, taken: &mut Taken) -> bool {
        let more = self.paths.saturating_add(size_of::<PathState>());
        #[cfg(feature = "flows")]
        if self.spoken_for().saturating_add(size_of::<PathState>()) > self.shares.small {
            return taken.path.is_some();
        }
        if taken.path.is_none() && more <= self.budget / 8 {
            let mut place = alloc::vec::Vec::new();
            if place.try_reserve_exact(1).is_ok() {
                place.push(PathState::EMPTY);
                taken.path = place.into_boxed_slice().try_into().ok();
                self.paths = more;
            }
        }
        taken.path.is_some()
    }

    /// A ring of `want` bytes, or as long as it may be, if that is longer than it was.
    fn take_ring(&mut self, taken: &Taken, have: usize, want: usize) -> Option<Box<[u8]>> {
        #[cfg(feature = "flows")]
        {
            let pledge = (!taken.holds()).then_some(Pledge::Ring);
            let len = self.longest(pledge, Pool::<u8>::block_len(want)?)?;
            let ring = (len > have).then(|| self.bytes.take(len))??;
            self.shares.grant(pledge);
            Some(ring)
        }
        #[cfg(not(feature = "flows"))]
        {
            let _ = (taken, have);
            self.bytes.take(want)
        }
    }

    /// Room for `want` records, or for as many as may be, if they are more than there were.
    fn take_records(&mut self, have: usize, want: usize) -> Option<Box<[Record]>> {
        #[cfg(feature = "flows")]
        {
            let pledge = (have == 0).then_some(Pledge::Records);
            let bytes = Pool::<Record>::block_len(want)?.saturating_mul(size_of::<Record>());
            let len = self.longest(pledge, bytes)? / size_of::<Record>();
            let records = (len > have).then(|| self.records.take(len))??;
            self.shares.grant(pledge);
            Some(records)
        }
        #[cfg(not(feature = "flows"))]
        {
            let _ = have;
            self.records.take(want)
        }
    }

    fn reclaim_rx(&mut self, taken: &mut Taken, habit: &mut Habit) {
        if !taken.rx.is_empty() {
            self.bytes.give(core::mem::take(&mut taken.rx));
            habit.drained();
            #[cfg(feature = "flows")]
            self.gave_ring(taken);
        }
        self.ranges.give(core::mem::take(&mut taken.ranges));
    }

    fn reclaim_tx(&mut self, taken: &mut Taken) {
        if !taken.tx.is_empty() {
            self.bytes.give(core::mem::take(&mut taken.tx));
            #[cfg(feature = "flows")]
            self.gave_ring(taken);
        }
        #[cfg(feature = "flows")]
        if !taken.records.is_empty() {
            self.shares.gave(Pledge::Records);
        }
        self.records.give(core::mem::take(&mut taken.records));
    }
}

#[cfg(all(feature = "flows", feature = "alloc"))]
mod shares;
#[cfg(test)]
#[cfg(feature = "alloc")]
mod tests;
