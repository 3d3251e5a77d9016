//! DNS messages (RFC 1035 §4, RFC 6891).
//!
//! | file | what is in it |
//! |---|---|
//! | `name` | names as text, as octets, and compressed within a message |
//! | `record` | resource records and their data |
//! | `emit` | messages written into a caller's buffer |

mod emit;
mod name;
mod record;

pub use emit::DnsWriter;
pub use name::{Labels, MAX_LABEL, MAX_NAME, Name, NameView};
pub use record::{Edns, Mx, Rdata, Record, RecordType, Soa, Srv, Txt};

use crate::WireError;
use crate::bytes::Fields;

/// Identifier, flags and four counts: 12 bytes.
pub const HEADER_LEN: usize = 12;

/// The port of DNS servers, UDP and TCP.
pub const PORT: u16 = 53;

/// Record classes.
pub mod class {
    /// The Internet.
    pub const IN: u16 = 1;
}

/// Response codes (RFC 1035 §4.1.1, RFC 6891 §9).
pub mod rcode {
    /// No error.
    pub const NO_ERROR: u16 = 0;
    /// The server could not read the query.
    pub const FORMAT_ERROR: u16 = 1;
    /// The server failed.
    pub const SERVER_FAILURE: u16 = 2;
    /// The name does not exist (NXDOMAIN).
    pub const NAME_ERROR: u16 = 3;
    /// The server does not do this kind of query.
    pub const NOT_IMPLEMENTED: u16 = 4;
    /// The server does not want to.
    pub const REFUSED: u16 = 5;
    /// A version of EDNS the server does not know.
    pub const BAD_VERSION: u16 = 16;
}

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const AD: u16 = 0x0020;
const CD: u16 = 0x0010;

/// The fixed part of a message without its counts.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DnsHeader {
    /// What the answer to a query repeats.
    pub id: u16,
    /// QR: an answer, not a query.
    pub response: bool,
    /// 0..=15; 0 is a standard query.
    pub opcode: u8,
    /// AA: the server speaks for the zone.
    pub authoritative: bool,
    /// TC: the message was cut to fit.
    pub truncated: bool,
    /// RD: the server is asked to follow up.
    pub recursion_desired: bool,
    /// RA: the server follows up.
    pub recursion_available: bool,
    /// AD: the data was authenticated (RFC 4035).
    pub authentic_data: bool,
    /// CD: the asker checks authenticity itself (RFC 4035).
    pub checking_disabled: bool,
    /// The lower four bits of the response code.
    pub rcode: u8,
}

impl DnsHeader {
    fn parse(header: &[u8; HEADER_LEN]) -> Self {
        let flags = header.u16_at::<2>();
        Self {
            id: header.u16_at::<0>(),
            response: flags & QR != 0,
            opcode: (flags >> 11) as u8 & 0x0f,
            authoritative: flags & AA != 0,
            truncated: flags & TC != 0,
            recursion_desired: flags & RD != 0,
            recursion_available: flags & RA != 0,
            authentic_data: flags & AD != 0,
            checking_disabled: flags & CD != 0,
            rcode: flags as u8 & 0x0f,
        }
    }

    fn flags(&self) -> u16 {
        let bit = |set: bool, bit: u16| if set { bit } else { 0 };
        bit(self.response, QR)
            | u16::from(self.opcode & 0x0f) << 11
            | bit(self.authoritative, AA)
            | bit(self.truncated, TC)
            | bit(self.recursion_desired, RD)
            | bit(self.recursion_available, RA)
            | bit(self.authentic_data, AD)
            | bit(self.checking_disabled, CD)
            | u16::from(self.rcode & 0x0f)
    }
}

/// What is asked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: NameView<'a>,
    /// The type asked for.
    pub kind: RecordType,
    /// The class asked for.
    pub class: u16,
}

/// The three sections of records.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Section {
    /// What answers the question.
    Answer,
    /// Who is in charge.
    Authority,
    /// What may be of use beside.
    Additional,
}

/// A message whose every name and record was checked once.
///
/// The work of a check is bounded by the message's length times 255.
#[derive(Copy, Clone, Debug)]
pub struct DnsView<'a> {
    message: &'a [u8],
    header: DnsHeader,
    /// Where the records of the three sections begin and the last ends.
    sections: [usize; 4],
    questions: u16,
    cut: bool,
}

impl<'a> DnsView<'a> {
    /// Checks a message: every name, every length, every record of a known type. A message that
    /// says it was truncated may end anywhere behind its questions, and has the records before
    /// that point. Bytes behind the last record are left out.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated), [`BadName`](WireError::BadName),
    /// [`BadTotalLength`](WireError::BadTotalLength) for record data that contradicts its length,
    /// [`BadOption`](WireError::BadOption) for OPT records out of place or more than one.
    pub fn new(message: &'a [u8]) -> Result<Self, WireError> {
        Self::check(message, false)
    }

    /// [`new`](Self::new) for the beginning of a message, of which the rest is not at hand:
    /// it has the records that are complete, and [`is_cut`](Self::is_cut) tells whether some are
    /// missing.
    ///
    /// # Errors
    /// As [`new`](Self::new), for header and questions.
    pub fn of_beginning(message: &'a [u8]) -> Result<Self, WireError> {
        Self::check(message, true)
    }

    fn check(message: &'a [u8], may_end: bool) -> Result<Self, WireError> {
        // Lengths on TCP have 16 bits, and pointers reach 14.
        let message = message.get(..65_535).unwrap_or(message);
        let header = message.first_chunk().ok_or(WireError::Truncated)?;
        let counts = [
            header.u16_at::<4>(),
            header.u16_at::<6>(),
            header.u16_at::<8>(),
            header.u16_at::<10>(),
        ];
        let [questions, counts @ ..] = counts;
        let header = DnsHeader::parse(header);
        let may_end = may_end || header.truncated;
        let mut at = HEADER_LEN;
        for _ in 0..questions {
            (_, at) = question(message, at)?;
        }
        let mut sections = [at; 4];
        let mut opts = 0;
        let mut cut = false;
        'sections: for (index, count) in counts.into_iter().enumerate() {
            for _ in 0..count {
                match Record::parse(message, at) {
                    Ok((record, next)) => {
                        if record.kind == RecordType::OPT {
                            //= https://www.rfc-editor.org/rfc/rfc6891#section-6.1.1
                            //# If a query message with more than one
                            //# OPT RR is received, a FORMERR (RCODE=1) MUST be returned.
                            opts += 1;
                            if opts > 1 || index != 2 || !record.name.is_root() {
                                return Err(WireError::BadOption);
                            }
                        }
                        at = next;
                    }
                    Err(_) if may_end => {
                        cut = true;
                        if let Some(rest) = sections.get_mut(index + 1..) {
                            rest.fill(at);
                        }
                        break 'sections;
                    }
                    Err(error) => return Err(error),
                }
            }
            if let Some(rest) = sections.get_mut(index + 1..) {
                rest.fill(at);
            }
        }
        Ok(Self {
            message,
            header,
            sections,
            questions,
            cut,
        })
    }

    /// The fixed part.
    #[must_use]
    pub const fn header(&self) -> &DnsHeader {
        &self.header
    }

    /// The response code, with the upper bits of an OPT record if there is one.
    #[must_use]
    pub fn rcode(&self) -> u16 {
        let upper = self.edns().map_or(0, |edns| edns.extended_rcode);
        u16::from(upper) << 4 | u16::from(self.header.rcode)
    }

    /// How many questions there are.
    #[must_use]
    pub const fn question_count(&self) -> u16 {
        self.questions
    }

    /// The first question; there is one in every message of today.
    #[must_use]
    pub fn question(&self) -> Option<Question<'a>> {
        if self.questions == 0 {
            return None;
        }
        question(self.message, HEADER_LEN).ok().map(|(q, _)| q)
    }

    /// Whether records are missing at the end.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The records of a section.
    #[must_use]
    pub fn records(&self, section: Section) -> Records<'a> {
        let [answers, authorities, additionals, end] = self.sections;
        let (at, end) = match section {
            Section::Answer => (answers, authorities),
            Section::Authority => (authorities, additionals),
            Section::Additional => (additionals, end),
        };
        Records {
            message: self.message,
            at,
            end,
        }
    }

    /// The records that answer the question.
    #[must_use]
    pub fn answers(&self) -> Records<'a> {
        self.records(Section::Answer)
    }

    /// What the sender says about itself by EDNS.
    #[must_use]
    pub fn edns(&self) -> Option<Edns<'a>> {
        self.records(Section::Additional)
            .find_map(|record| match record.data {
                Rdata::Opt(edns) => Some(edns),
                _ => None,
            })
    }
}

fn question(message: &[u8], at: usize) -> Result<(Question<'_>, usize), WireError> {
    let (name, at) = NameView::parse(message, at)?;
    let fixed: &[u8; 4] = message
        .get(at..)
        .and_then(<[u8]>::first_chunk)
        .ok_or(WireError::Truncated)?;
    let question = Question {
        name,
        kind: RecordType(fixed.u16_at::<0>()),
        class: fixed.u16_at::<2>(),
    };
    Ok((question, at + 4))
}

/// The records of a section, one by one.
#[derive(Copy, Clone, Debug)]
pub struct Records<'a> {
    message: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.at >= self.end {
            return None;
        }
        // It was checked: this cannot fail.
        let (record, next) = Record::parse(self.message, self.at).ok()?;
        self.at = next;
        Some(record)
    }
}

#[cfg(test)]
mod tests;
