//! Hash tables that grow and split alone: extendible hashing.
//!
//! The upper bits of a tag choose, by way of the directory, one table of at most 4096 entries.
//! A full table grows by a quarter; one that cannot grow is split in two by the next bit, and
//! neither concerns the other tables. Only the directory, of 4 bytes a table, is doubled as a whole.

use netloom_wire::hint::cold_path;

use super::IndexFull;
use super::table::{Entry, HOME_BITS, MAX_SIZE, Table};
use crate::list::Ref;
use crate::memory::Mem;
use alloc::vec::Vec;

/// The size of the smallest table.
const MIN_SIZE: u32 = 16;

/// The upper bits of a tag that can choose a table: those that do not choose the place in it.
const MAX_DEPTH: u32 = 32 - HOME_BITS;

/// The tables of an index.
#[derive(Debug)]
pub(super) struct Directory {
    /// 2^`depth` numbers of tables, one for each value of the upper `depth` bits of a tag. Empty
    /// until the first insertion.
    numbers: Vec<u32>,
    depth: u32,
    tables: Vec<Table>,
    /// Entries that insertions wrote anew in growing or splitting tables.
    #[cfg(test)]
    pub(super) moved: u64,
}

impl Directory {
    pub(super) const fn new() -> Directory {
        Directory {
            numbers: Vec::new(),
            depth: 0,
            tables: Vec::new(),
            #[cfg(test)]
            moved: 0,
        }
    }

    /// The table of this tag.
    #[inline]
    pub(super) fn table(&self, tag: u32) -> Option<&Table> {
        self.tables.get(self.number(tag)?)
    }

    /// The table of this tag.
    pub(super) fn table_mut(&mut self, tag: u32) -> Option<&mut Table> {
        let number = self.number(tag)?;
        self.tables.get_mut(number)
    }

    #[inline]
    fn number(&self, tag: u32) -> Option<usize> {
        let prefix = tag.checked_shr(32 - self.depth).unwrap_or(0);
        self.numbers
            .get(prefix as usize)
            .map(|number| *number as usize)
    }

    /// Adds an entry to the `total` there are.
    pub(super) fn insert(&mut self, entry: Entry, total: u32) -> Result<(), IndexFull> {
        if self.numbers.is_empty() {
            self.begin()?;
        }
        let number = self.number(entry.tag()).ok_or(IndexFull)?;
        let table = self.tables.get_mut(number).ok_or(IndexFull)?;
        if table.len() < table.limit() {
            return table.insert(entry);
        }
        self.insert_in_full(entry, number, total)
    }

    /// Adds an entry to the table called `number`, which is full.
    #[cold]
    #[inline(never)]
    fn insert_in_full(&mut self, entry: Entry, number: usize, total: u32) -> Result<(), IndexFull> {
        let table = self.tables.get_mut(number).ok_or(IndexFull)?;
        #[cfg(test)]
        {
            self.moved += u64::from(table.len());
        }
        if table.size() < MAX_SIZE {
            *table = resized(table, grown(table.size()))?;
        } else {
            self.split(entry.tag(), number, total)?;
        }
        // After one split there is room, unless the tags of all entries begin alike: hashes under a
        // secret key do not.
        self.table_mut(entry.tag()).ok_or(IndexFull)?.insert(entry)
    }

    /// Removes an entry. False if there is none.
    pub(super) fn remove(&mut self, tag: u32, r: Ref) -> bool {
        let Some(table) = self.table_mut(tag) else {
            return false;
        };
        if !table.remove(tag, r) {
            return false;
        }
        // Memory goes back once three quarters are free; a heap without room for the smaller table
        // just leaves the larger.
        let (size, len) = (table.size(), table.len());
        if size > MIN_SIZE && len < size / 4 {
            cold_path();
            if let Ok(smaller) = resized(table, size_for(len)) {
                *table = smaller;
            }
        }
        true
    }

    /// Memory held, in bytes.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let entries: u32 = self.tables.iter().map(Table::size).sum();
        entries as usize * size_of::<Entry>()
            + self.tables.capacity() * size_of::<Table>()
            + self.numbers.capacity() * size_of::<u32>()
    }

    /// Makes the first table.
    #[cold]
    #[inline(never)]
    fn begin(&mut self) -> Result<(), IndexFull> {
        let table = with_size(MIN_SIZE)?;
        self.tables.try_reserve(1).map_err(|_| IndexFull)?;
        self.numbers.try_reserve(1).map_err(|_| IndexFull)?;
        self.tables.push(table);
        self.numbers.push(0);
        Ok(())
    }

    /// Splits the table called `number`, to which `tag` belongs, by the next bit of the tags.
    fn split(&mut self, tag: u32, number: usize, total: u32) -> Result<(), IndexFull> {
        let old = self.tables.get(number).ok_or(IndexFull)?;
        let depth = old.depth + 1;
        // Tables fill evenly, so the directory need not be much deeper than the average asks for.
        let enough = (total / (MAX_SIZE / 2))
            .checked_ilog2()
            .map_or(0, |bits| bits + 1)
            + 2;
        if depth > MAX_DEPTH.min(enough) {
            return Err(IndexFull);
        }
        let is_upper = |entry: &Entry| entry.tag() >> (32 - depth) & 1 == 1;
        let upper_len = old.iter().filter(is_upper).count() as u32;
        let mut lower = with_size(size_for(old.len() - upper_len))?;
        let mut upper = with_size(size_for(upper_len))?;
        for entry in old.iter() {
            if is_upper(&entry) {
                upper.insert(entry)?
            } else {
                lower.insert(entry)?
            }
        }
        lower.depth = depth;
        upper.depth = depth;
        self.tables.try_reserve(1).map_err(|_| IndexFull)?;
        if depth > self.depth {
            self.double()?;
        }
        let upper_number = self.tables.len() as u32;
        *self.tables.get_mut(number).ok_or(IndexFull)? = lower;
        self.tables.push(upper);
        // The upper half of the table's part of the directory.
        let span = 1usize << (self.depth - depth);
        let first = ((tag >> (32 - depth) | 1) as usize) * span;
        for entry in self.numbers.iter_mut().skip(first).take(span) {
            *entry = upper_number;
        }
        Ok(())
    }

    /// Makes the directory twice as fine.
    fn double(&mut self) -> Result<(), IndexFull> {
        let mut finer = Vec::new();
        finer
            .try_reserve_exact(self.numbers.len() * 2)
            .map_err(|_| IndexFull)?;
        finer.extend(self.numbers.iter().flat_map(|number| [*number; 2]));
        self.numbers = finer;
        self.depth += 1;
        Ok(())
    }
}

/// The next size up: twice while that is little, then a quarter more, for tables half empty would
/// cost more than moving entries a little more often.
fn grown(size: u32) -> u32 {
    let more = if size < 512 { size } else { size / 4 };
    (size + more).min(MAX_SIZE)
}

/// A size in which `len` entries fill about three quarters.
fn size_for(len: u32) -> u32 {
    let size = len + len / 3 + 1;
    size.next_multiple_of(MIN_SIZE).min(MAX_SIZE)
}

fn with_size(size: u32) -> Result<Table, IndexFull> {
    let mut entries = Vec::new();
    entries
        .try_reserve_exact(size as usize)
        .map_err(|_| IndexFull)?;
    entries.resize(size as usize, Entry::EMPTY);
    Ok(Table::new(Mem::Heap(entries.into_boxed_slice())))
}

/// The same entries in a table of another size.
fn resized(table: &Table, size: u32) -> Result<Table, IndexFull> {
    let mut new = with_size(size)?;
    new.depth = table.depth;
    for entry in table.iter() {
        new.insert(entry)?;
    }
    Ok(new)
}
