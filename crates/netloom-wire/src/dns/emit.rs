//! Messages written into a caller's buffer.

use crate::WireError;
use crate::bytes::copy;
use crate::dns::Section;
use crate::dns::{DnsHeader, Edns, HEADER_LEN, NameView, Question, Rdata, Record, RecordType};

/// Places of names that later ones can point to.
const PLACES: usize = 32;

/// Writes a message, section by section, and compresses its names.
///
/// A call that fails has written nothing: what stands before it is a message still, which
/// [`truncate`](Self::truncate) marks as cut.
///
/// ```
/// # use netloom_wire::dns::*;
/// let mut buffer = [0; 512];
/// let header = DnsHeader { id: 7, recursion_desired: true, ..DnsHeader::default() };
/// let name: Name = "example.org".parse()?;
/// let mut message = DnsWriter::new(&mut buffer, &header)?;
/// message.question(&Question { name: name.view(), kind: RecordType::A, class: class::IN })?;
/// message.edns(&Edns::new(1232))?;
/// let len = message.len();
/// let view = DnsView::new(&buffer[..len])?;
/// assert_eq!(view.question().map(|q| q.kind), Some(RecordType::A));
/// # Ok::<(), netloom_wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct DnsWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
    /// Questions, answers, authorities, additionals.
    counts: [u16; 4],
    places: [u16; PLACES],
    place_count: usize,
}

impl<'b> DnsWriter<'b> {
    /// Begins a message. Of a buffer longer than 65 535 bytes only that much is used.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall) below 12 bytes.
    pub fn new(buffer: &'b mut [u8], header: &DnsHeader) -> Result<Self, WireError> {
        let most = buffer.len().min(65_535);
        let buffer = buffer.get_mut(..most).ok_or(WireError::BufferTooSmall)?;
        let place: &mut [u8; HEADER_LEN] =
            buffer.first_chunk_mut().ok_or(WireError::BufferTooSmall)?;
        let [i, d] = header.id.to_be_bytes();
        let [f, g] = header.flags().to_be_bytes();
        *place = [i, d, f, g, 0, 0, 0, 0, 0, 0, 0, 0];
        Ok(Self {
            buffer,
            len: HEADER_LEN,
            counts: [0; 4],
            places: [0; PLACES],
            place_count: 0,
        })
    }

    /// Octets written so far.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "there is always the header")]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// The message as it stands.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Sets TC: something did not fit.
    pub fn truncate(&mut self) {
        if let Some(flags) = self.buffer.get_mut(2) {
            *flags |= (super::TC >> 8) as u8;
        }
    }

    /// Appends a question. Questions come before all records.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall); [`BadTotalLength`](WireError::BadTotalLength)
    /// behind a record, and beyond 65 535.
    pub fn question(&mut self, question: &Question<'_>) -> Result<(), WireError> {
        self.item(0, |out| {
            out.name(&question.name, true)?;
            out.put(&question.kind.0.to_be_bytes())?;
            out.put(&question.class.to_be_bytes())
        })
    }

    /// Appends a record to a section. Sections come in order.
    ///
    /// # Errors
    /// As [`question`](Self::question), behind a record of a later section.
    pub fn record(&mut self, section: Section, record: &Record<'_>) -> Result<(), WireError> {
        let section = match section {
            Section::Answer => 1,
            Section::Authority => 2,
            Section::Additional => 3,
        };
        self.item(section, |out| {
            out.name(&record.name, true)?;
            out.put(&record.kind.0.to_be_bytes())?;
            out.put(&record.class.to_be_bytes())?;
            out.put(&record.ttl.to_be_bytes())?;
            let at = out.len;
            out.put(&[0; 2])?;
            out.data(&record.data)?;
            let len = u16::try_from(out.len - at - 2).map_err(|_| WireError::BadTotalLength)?;
            if let Some(place) = out.buffer.get_mut(at..) {
                copy(place, &len.to_be_bytes());
            }
            Ok(())
        })
    }

    /// Appends an OPT record.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn edns(&mut self, edns: &Edns<'_>) -> Result<(), WireError> {
        self.record(
            Section::Additional,
            &Record {
                name: crate::dns::Name::ROOT.view(),
                kind: RecordType::OPT,
                class: edns.payload,
                ttl: edns.ttl(),
                data: Rdata::Opt(*edns),
            },
        )
    }

    /// Writes one item of a section, or nothing.
    fn item(
        &mut self,
        section: usize,
        write: impl FnOnce(&mut Self) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let later = self.counts.iter().skip(section + 1).any(|count| *count > 0);
        let count = self.counts.get(section).copied().unwrap_or(u16::MAX);
        if later || count == u16::MAX {
            return Err(WireError::BadTotalLength);
        }
        let (len, places) = (self.len, self.place_count);
        if let Err(error) = write(self) {
            (self.len, self.place_count) = (len, places);
            return Err(error);
        }
        let count = count + 1;
        if let Some(kept) = self.counts.get_mut(section) {
            *kept = count;
        }
        if let Some(place) = self.buffer.get_mut(4 + 2 * section..) {
            copy(place, &count.to_be_bytes());
        }
        Ok(())
    }

    fn put(&mut self, octets: &[u8]) -> Result<(), WireError> {
        let end = self.len + octets.len();
        let place = self
            .buffer
            .get_mut(self.len..end)
            .ok_or(WireError::BufferTooSmall)?;
        copy(place, octets);
        self.len = end;
        Ok(())
    }

    fn data(&mut self, data: &Rdata<'_>) -> Result<(), WireError> {
        match data {
            Rdata::A(addr) => self.put(&addr.octets()),
            Rdata::Aaaa(addr) => self.put(&addr.octets()),
            Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => self.name(name, true),
            Rdata::Mx(mx) => {
                self.put(&mx.preference.to_be_bytes())?;
                self.name(&mx.exchange, true)
            }
            Rdata::Srv(srv) => {
                for number in [srv.priority, srv.weight, srv.port] {
                    self.put(&number.to_be_bytes())?;
                }
                // RFC 2782: "name compression is not to be used for this field."
                self.name(&srv.target, false)
            }
            Rdata::Txt(txt) => self.put(txt.as_octets()),
            Rdata::Soa(soa) => {
                self.name(&soa.primary, true)?;
                self.name(&soa.mailbox, true)?;
                [soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum]
                    .iter()
                    .try_for_each(|number| self.put(&number.to_be_bytes()))
            }
            Rdata::Opt(edns) => self.put(edns.options_octets()),
            Rdata::Other(data) => self.put(data),
        }
    }

    /// Writes a name: as much of it as no earlier one ends with, and a pointer to that.
    fn name(&mut self, name: &NameView<'_>, compress: bool) -> Result<(), WireError> {
        let mut labels = name.labels();
        loop {
            let rest = labels.clone();
            let Some(label) = labels.next() else {
                return self.put(&[0]);
            };
            if compress {
                if let Some(place) = self.earlier(rest) {
                    return self.put(&(place | 0xc000).to_be_bytes());
                }
            }
            if self.len < 0x4000 {
                if let Some(free) = self.places.get_mut(self.place_count) {
                    *free = self.len as u16;
                    self.place_count += 1;
                }
            }
            self.put(&[label.len() as u8])?;
            self.put(label)?;
        }
    }

    /// Where these labels, to the end, stand already with the same case of letters.
    fn earlier(&self, labels: super::Labels<'_>) -> Option<u16> {
        let places = self.places.get(..self.place_count)?;
        places.iter().copied().find(|place| {
            NameView::parse(self.as_octets(), usize::from(*place))
                .is_ok_and(|(known, _)| known.labels().eq(labels.clone()))
        })
    }
}
