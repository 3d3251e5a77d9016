//! Answers remembered: entries of any length one behind the other in a fixed number of octets,
//! the oldest first. A newcomer for which there is no room displaces the oldest.
//!
//! ```text
//! length 2 | what 1 | type 2 | stored 8 | expires 8 | name | packed records
//! ```

use netloom_stack::driver::Instant;
use netloom_wire::dns::{Name, NameView, RecordType};

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// There are these records; `complete` unless some did not fit.
    Records { complete: bool },
    /// There are none of this type.
    NoData,
    /// There is no such name.
    NoName,
}

/// An entry that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) known: Known,
    /// Seconds since it was stored.
    pub(super) age: u32,
    pub(super) packed: &'a [u8],
}

const HEAD: usize = 21;

const RECORDS: u8 = 0;
const NO_DATA: u8 = 1;
const NO_NAME: u8 = 2;
const CUT: u8 = 0x40;
/// It was put there by the program and stays.
const PINNED: u8 = 0x80;

/// The memory of a resolver.
#[derive(Debug)]
pub(super) struct Cache<'m> {
    pub(super) memory: &'m mut [u8],
    pub(super) used: &'m mut usize,
}

struct Entry<'a> {
    what: u8,
    kind: RecordType,
    stored: Instant,
    expires: Instant,
    name: NameView<'a>,
    packed: &'a [u8],
    len: usize,
}

fn entry(octets: &[u8]) -> Option<Entry<'_>> {
    let head: &[u8; HEAD] = octets.first_chunk()?;
    let [l, n, what, k, i, s @ .., e1, e2, e3, e4, e5, e6, e7, e8] = *head;
    let len = usize::from(u16::from_be_bytes([l, n]));
    let rest = octets.get(HEAD..len)?;
    let (name, end) = NameView::parse(rest, 0).ok()?;
    let expires = u64::from_be_bytes([e1, e2, e3, e4, e5, e6, e7, e8]);
    Some(Entry {
        what,
        kind: RecordType(u16::from_be_bytes([k, i])),
        stored: Instant::from_micros(u64::from_be_bytes(s)),
        expires: Instant::from_micros(expires),
        name,
        packed: rest.get(end..)?,
        len,
    })
}

impl Cache<'_> {
    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = self.memory.get(..*self.used).unwrap_or_default();
        core::iter::from_fn(move || {
            let found = entry(rest)?;
            rest = rest.get(found.len..)?;
            Some(found)
        })
    }

    /// What is known of a name and type now.
    pub(super) fn get(&self, now: Instant, name: &Name, kind: RecordType) -> Option<Hit<'_>> {
        let view = name.view();
        let same = |e: &Entry<'_>| e.expires > now && e.name == view;
        let found = self
            .entries()
            .find(|e| same(e) && (e.kind == kind || e.what & !PINNED == NO_NAME))?;
        Some(Hit {
            known: match found.what & !(PINNED | CUT) {
                NO_DATA => Known::NoData,
                NO_NAME => Known::NoName,
                _ => Known::Records {
                    complete: found.what & CUT == 0,
                },
            },
            age: if found.what & PINNED != 0 {
                0
            } else {
                seconds(now.micros_since(found.stored))
            },
            packed: found.packed,
        })
    }

    /// Whether the program gave this name addresses.
    pub(super) fn is_pinned(&self, name: &Name) -> bool {
        let view = name.view();
        self.entries()
            .any(|e| e.what & PINNED != 0 && e.name == view)
    }

    /// Remembers what is known of a name and type for some seconds. If it cannot fit, it is not
    /// remembered.
    pub(super) fn put(
        &mut self,
        now: Instant,
        name: &Name,
        kind: RecordType,
        known: Known,
        ttl: u32,
        packed: &[u8],
    ) {
        if ttl == 0 {
            return;
        }
        let what = match known {
            Known::Records { complete: true } => RECORDS,
            Known::Records { complete: false } => RECORDS | CUT,
            Known::NoData => NO_DATA,
            Known::NoName => NO_NAME,
        };
        let expires = now.plus_micros(u64::from(ttl).saturating_mul(1_000_000));
        let _ = self.store(now, name, kind, what, expires, packed);
    }

    /// Remembers addresses for good. Says whether there was room.
    pub(super) fn pin(
        &mut self,
        now: Instant,
        name: &Name,
        kind: RecordType,
        packed: &[u8],
    ) -> bool {
        self.store(now, name, kind, PINNED, Instant::FAR_FUTURE, packed)
    }

    /// Forgets what the program said of a name.
    pub(super) fn unpin(&mut self, name: &Name) {
        let view = name.view();
        self.retain(|e| e.what & PINNED == 0 || e.name != view);
    }

    /// Forgets all but what the program said.
    pub(super) fn clear(&mut self) {
        self.retain(|e| e.what & PINNED != 0);
    }

    fn store(
        &mut self,
        now: Instant,
        name: &Name,
        kind: RecordType,
        what: u8,
        expires: Instant,
        packed: &[u8],
    ) -> bool {
        let name_octets = name.as_octets();
        let len = HEAD
            .saturating_add(name_octets.len())
            .saturating_add(packed.len());
        let Ok(len_field) = u16::try_from(len) else {
            return false;
        };
        let view = name.view();
        let pinned: usize = self
            .entries()
            .filter(|e| e.what & PINNED != 0)
            .map(|e| e.len)
            .sum();
        if len > self.memory.len().saturating_sub(pinned) {
            return false;
        }
        self.retain(|e| {
            let same = e.name == view && (e.kind == kind || e.what & !PINNED == NO_NAME);
            e.expires > now && (!same || e.what & PINNED != 0)
        });
        let free = self.memory.len().saturating_sub(*self.used);
        let mut wanted = len.saturating_sub(free);
        self.retain(|e| {
            if wanted == 0 || e.what & PINNED != 0 {
                return true;
            }
            wanted = wanted.saturating_sub(e.len);
            false
        });
        let at = *self.used;
        let end = at.saturating_add(len);
        let Some(place) = self.memory.get_mut(at..end) else {
            return false;
        };
        let mut place = place.iter_mut();
        let fields = len_field
            .to_be_bytes()
            .into_iter()
            .chain([what])
            .chain(kind.0.to_be_bytes())
            .chain(now.as_micros().to_be_bytes())
            .chain(expires.as_micros().to_be_bytes())
            .chain(name_octets.iter().copied())
            .chain(packed.iter().copied());
        for (place, octet) in place.by_ref().zip(fields) {
            *place = octet;
        }
        *self.used = end;
        true
    }

    /// Keeps the entries for which `keep` says so, in order.
    fn retain(&mut self, mut keep: impl FnMut(&Entry<'_>) -> bool) {
        let (mut from, mut to) = (0_usize, 0_usize);
        while from < *self.used {
            let Some(found) = self.memory.get(from..*self.used).and_then(entry) else {
                break;
            };
            let len = found.len;
            let end = from.saturating_add(len);
            if keep(&found) {
                if to < from && end <= self.memory.len() {
                    // `to + len` is below `end`: both lie within.
                    self.memory.copy_within(from..end, to);
                }
                to = to.saturating_add(len);
            }
            from = end;
        }
        *self.used = to;
    }
}

/// Whole seconds, saturating.
fn seconds(micros: u64) -> u32 {
    u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
