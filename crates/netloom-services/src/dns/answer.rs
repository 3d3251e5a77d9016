//! Records as they are kept: their data uncompressed, one behind the other.
//!
//! ```text
//! canonical name | { type 2 | ttl 4 | length 2 | data } ...
//! ```

use core::net::IpAddr;

use netloom_wire::dns::{Name, NameView, Rdata, Record, RecordType};

/// Copies as much as fits.
pub(super) fn copy(to: &mut [u8], from: &[u8]) {
    for (place, octet) in to.iter_mut().zip(from) {
        *place = *octet;
    }
}

/// The answer to a query, borrowed from the resolver.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    packed: &'a [u8],
    age: u32,
    complete: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(packed: &'a [u8], age: u32, complete: bool) -> Answer<'a> {
        Answer {
            packed,
            age,
            complete,
        }
    }

    /// The name the records are of: the one asked for, or where its aliases lead.
    #[must_use]
    pub fn canonical_name(&self) -> Name {
        Name::from_octets(self.packed).unwrap_or(Name::ROOT)
    }

    /// The records.
    pub fn records(&self) -> impl Iterator<Item = AnswerRecord<'a>> + use<'a> {
        let age = self.age;
        let start = NameView::parse(self.packed, 0).map_or(self.packed.len(), |(_, end)| end);
        let packed = self.packed;
        let mut at = start;
        core::iter::from_fn(move || {
            let head: &[u8; HEAD] = packed.get(at..)?.first_chunk()?;
            let [k, i, a, b, c, d, l, n] = *head;
            let kind = RecordType(u16::from_be_bytes([k, i]));
            let start = at.checked_add(HEAD)?;
            let end = start.checked_add(usize::from(u16::from_be_bytes([l, n])))?;
            at = end;
            // Names must be found at their offset in what was packed.
            let data = Rdata::parse(packed, start, end, kind).ok()?;
            Some(AnswerRecord {
                kind,
                ttl: u32::from_be_bytes([a, b, c, d]).saturating_sub(age),
                data,
            })
        })
    }

    /// The addresses among the records.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<'a> {
        self.records().filter_map(|record| match record.data {
            Rdata::A(addr) => Some(IpAddr::V4(addr)),
            Rdata::Aaaa(addr) => Some(IpAddr::V6(addr)),
            _ => None,
        })
    }

    /// Whether these are all records there are: not if they did not fit.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// A record of an [`Answer`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerRecord<'a> {
    /// Its type.
    pub kind: RecordType,
    /// Seconds for which it may be used from now on.
    pub ttl: u32,
    /// Its data.
    pub data: Rdata<'a>,
}

const HEAD: usize = 8;

/// Packs records into a buffer.
pub(super) struct Packer<'b> {
    buffer: &'b mut [u8],
    len: usize,
    /// Something did not fit.
    pub(super) short: bool,
    pub(super) records: u16,
}

impl<'b> Packer<'b> {
    pub(super) fn new(buffer: &'b mut [u8], canonical: &NameView<'_>) -> Packer<'b> {
        let mut packer = Packer {
            buffer,
            len: 0,
            short: false,
            records: 0,
        };
        packer.short = !packer.put(canonical.to_name().as_octets());
        packer
    }

    /// Octets in use.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends a record, unless one did not fit already.
    pub(super) fn record(&mut self, record: &Record<'_>, ttl: u32) {
        if self.short {
            return;
        }
        let before = self.len;
        if self.try_record(record, ttl) {
            self.records = self.records.saturating_add(1);
        } else {
            self.len = before;
            self.short = true;
        }
    }

    fn try_record(&mut self, record: &Record<'_>, ttl: u32) -> bool {
        let [k, i] = record.kind.0.to_be_bytes();
        let [a, b, c, d] = ttl.to_be_bytes();
        if !self.put(&[k, i, a, b, c, d, 0, 0]) {
            return false;
        }
        let start = self.len;
        if !self.data(&record.data) {
            return false;
        }
        let Ok(len) = u16::try_from(self.len.saturating_sub(start)) else {
            return false;
        };
        if let Some(place) = self.buffer.get_mut(start.saturating_sub(2)..) {
            copy(place, &len.to_be_bytes());
        }
        true
    }

    fn data(&mut self, data: &Rdata<'_>) -> bool {
        match data {
            Rdata::A(addr) => self.put(&addr.octets()),
            Rdata::Aaaa(addr) => self.put(&addr.octets()),
            Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => self.name(name),
            Rdata::Mx(mx) => self.put(&mx.preference.to_be_bytes()) && self.name(&mx.exchange),
            Rdata::Srv(srv) => {
                [srv.priority, srv.weight, srv.port]
                    .iter()
                    .all(|number| self.put(&number.to_be_bytes()))
                    && self.name(&srv.target)
            }
            Rdata::Txt(txt) => self.put(txt.as_octets()),
            Rdata::Soa(soa) => {
                self.name(&soa.primary)
                    && self.name(&soa.mailbox)
                    && [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum]
                        .iter()
                        .all(|number| self.put(&number.to_be_bytes()))
            }
            Rdata::Other(data) => self.put(data),
            // It is no record (RFC 6891 §6.1.1), and is not kept.
            Rdata::Opt(_) => false,
        }
    }

    fn name(&mut self, name: &NameView<'_>) -> bool {
        self.put(name.to_name().as_octets())
    }

    fn put(&mut self, octets: &[u8]) -> bool {
        let end = self.len.saturating_add(octets.len());
        let Some(place) = self.buffer.get_mut(self.len..end) else {
            return false;
        };
        copy(place, octets);
        self.len = end;
        true
    }
}
