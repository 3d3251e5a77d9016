//! The body of a message: its content in whatever pieces it arrives (RFC 9112 §6 and §7.1).

use super::fields::{is_field_byte, is_token_byte};
use super::framing::Framing;
use super::status::Refusal;

#[cfg(test)]
mod tests;

/// Octets of chunk sizes, extensions and trailer fields taken in one body before any content, and
/// for each octet of content: a sender may well make chunks of one octet.
const CHUNK_OVERHEAD: u64 = 16 * 1024;
const OVERHEAD_PER_OCTET: u64 = 8;

/// Takes one body apart, whatever pieces it arrives in. Chunk extensions and trailer fields are
/// checked and left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoder {
    state: State,
    /// Octets of content that may still come.
    allowed: u64,
    /// Octets around the content that may still come.
    overhead: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// So many octets, then the end.
    Plain(u64),
    /// All octets there are.
    Endless,
    /// In the digits of a chunk size, of which `digits` says whether there was one.
    Size {
        size: u64,
        digits: bool,
    },
    /// In the extensions after a chunk size.
    Extension {
        size: u64,
        at: Extension,
    },
    /// After the CR of the line with the chunk size.
    SizeLf {
        size: u64,
    },
    Data(u64),
    DataCr,
    DataLf,
    /// At the start of a line of the trailer section.
    TrailerStart,
    TrailerName,
    TrailerValue,
    /// After a CR in the trailer section: of the line that ends it, or of another.
    TrailerLf {
        is_last: bool,
    },
    Done,
}

/// Where in `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extension {
    /// In the white space before a semicolon or the end of the line.
    Before,
    /// After a semicolon, before the name.
    Semicolon,
    Name,
    /// In the white space after a name.
    AfterName,
    /// After the equals sign, before the value.
    Equals,
    Value,
    Quoted,
    /// After a backslash in a quoted value.
    Escaped,
    /// After the quote that ends a value.
    QuotedEnd,
}

impl Decoder {
    /// A body framed as `framing`, of at most `limit` octets of content.
    ///
    /// # Errors
    ///
    /// 413 if it says that it is larger.
    pub fn new(framing: Framing, limit: u64) -> Result<Self, Refusal> {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) if length > limit => return Err(Refusal::too_large()),
            Framing::Length(length) => State::Plain(length),
            Framing::Chunked => State::Size {
                size: 0,
                digits: false,
            },
            Framing::UntilClose => State::Endless,
        };
        Ok(Self {
            state,
            allowed: limit,
            overhead: CHUNK_OVERHEAD,
        })
    }

    /// A body of no octets.
    pub(super) const fn done() -> Self {
        Self {
            state: State::Done,
            allowed: 0,
            overhead: 0,
        }
    }

    /// Whether the body has ended.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the body may end because its connection does.
    #[must_use]
    pub fn may_end(&self) -> bool {
        matches!(self.state, State::Done | State::Endless)
    }

    /// The connection has ended, and with it a body that only this ends.
    pub(super) fn end(&mut self) {
        self.state = State::Done;
    }

    /// Takes what belongs to the body from the front of `bytes` and returns how many octets those
    /// are, and which of them are a piece of content. To be called until the body is done or
    /// nothing is left of `bytes`.
    ///
    /// # Errors
    ///
    /// The body is too large (413) or its chunks are malformed (400); the connection cannot go on
    /// then.
    pub fn take<'b>(&mut self, bytes: &'b [u8]) -> Result<(usize, &'b [u8]), Refusal> {
        let mut taken = 0_usize;
        while let Some(&byte) = bytes.get(taken).filter(|_| !self.is_done()) {
            // Content goes by in one step, framing octet by octet.
            let left = match self.state {
                State::Plain(left) | State::Data(left) => left,
                State::Endless => self.allowed,
                State::Size { .. }
                | State::Extension { .. }
                | State::SizeLf { .. }
                | State::DataCr
                | State::DataLf
                | State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLf { .. }
                | State::Done => {
                    self.state = self.step(byte)?;
                    self.overhead = self.overhead.checked_sub(1).ok_or(Refusal::too_large())?;
                    taken = taken.saturating_add(1);
                    continue;
                }
            };
            let rest = bytes.get(taken..).unwrap_or_default();
            let step = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            if step == 0 {
                return Err(Refusal::too_large());
            }
            let piece = rest.get(..step).unwrap_or_default();
            self.pass(left, step as u64);
            return Ok((taken.saturating_add(step), piece));
        }
        Ok((taken, &[]))
    }

    /// Lets `step` of the `left` octets of content go by.
    fn pass(&mut self, left: u64, step: u64) {
        let allowance = step.saturating_mul(OVERHEAD_PER_OCTET);
        self.overhead = self.overhead.saturating_add(allowance);
        let left = left.saturating_sub(step);
        self.state = match (self.state, left) {
            (State::Endless, _) => {
                self.allowed = left;
                State::Endless
            }
            (State::Plain(_), 0) => State::Done,
            (State::Plain(_), left) => State::Plain(left),
            (_, 0) => State::DataCr,
            (_, left) => State::Data(left),
        };
    }

    //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
    //# A recipient MUST be able to parse and decode the chunked transfer
    //# coding.
    fn step(&mut self, byte: u8) -> Result<State, Refusal> {
        const MALFORMED: Refusal = Refusal::bad("the chunked body is malformed");
        Ok(match (self.state, byte) {
            (State::Size { size, .. }, digit) if digit.is_ascii_hexdigit() => {
                //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1
                //# Therefore, recipients MUST
                //# anticipate potentially large hexadecimal numerals and prevent parsing
                //# errors due to integer conversion overflows or precision loss due to
                //# integer representation.
                let digit = u64::from((digit as char).to_digit(16).unwrap_or(0));
                let size = size.checked_mul(16).ok_or(Refusal::too_large())? | digit;
                State::Size { size, digits: true }
            }
            (State::Size { digits: false, .. }, _) => return Err(MALFORMED),
            (State::Size { size, .. }, b'\r') => State::SizeLf { size },
            (State::Size { size, .. }, byte) => {
                let at = Extension::Before.step(byte).ok_or(MALFORMED)?;
                State::Extension { size, at }
            }
            (State::Extension { size, at }, b'\r') if at.may_end() => State::SizeLf { size },
            //= https://www.rfc-editor.org/rfc/rfc9112#section-7.1.1
            //# A recipient MUST ignore unrecognized chunk extensions.
            (State::Extension { size, at }, byte) => {
                let at = at.step(byte).ok_or(MALFORMED)?;
                State::Extension { size, at }
            }
            (State::SizeLf { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { size }, b'\n') => {
                let allowed = self.allowed.checked_sub(size);
                self.allowed = allowed.ok_or(Refusal::too_large())?;
                State::Data(size)
            }
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => State::Size {
                size: 0,
                digits: false,
            },
            (State::TrailerStart, b'\r') => State::TrailerLf { is_last: true },
            (State::TrailerStart | State::TrailerName, byte) if is_token_byte(byte) => {
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLf { is_last: false },
            (State::TrailerValue, byte) if is_field_byte(byte) => State::TrailerValue,
            (State::TrailerLf { is_last: true }, b'\n') => State::Done,
            (State::TrailerLf { is_last: false }, b'\n') => State::TrailerStart,
            (
                State::SizeLf { .. }
                | State::DataCr
                | State::DataLf
                | State::TrailerStart
                | State::TrailerName
                | State::TrailerValue
                | State::TrailerLf { .. },
                _,
            ) => return Err(MALFORMED),
            // `take` handles these.
            (state @ (State::Plain(_) | State::Endless | State::Data(_) | State::Done), _) => state,
        })
    }
}

impl Extension {
    /// Where the next octet leads; `None` if it may not stand there.
    fn step(self, byte: u8) -> Option<Self> {
        let is_space = matches!(byte, b' ' | b'\t');
        Some(match (self, byte) {
            (Self::Before | Self::AfterName, b';') => Self::Semicolon,
            (Self::Name | Self::Value | Self::QuotedEnd, b';') => Self::Semicolon,
            (Self::Name | Self::AfterName, b'=') => Self::Equals,
            (Self::Quoted, b'"') => Self::QuotedEnd,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted | Self::Escaped, byte) if is_field_byte(byte) => Self::Quoted,
            (Self::Equals, b'"') => Self::Quoted,
            // White space around the signs is bad, and to be borne (BWS); so is that before the end
            // of the line, with which some senders fill up their sizes.
            (Self::Before | Self::Semicolon | Self::AfterName | Self::Equals, _) if is_space => {
                self
            }
            (Self::Name, _) if is_space => Self::AfterName,
            (Self::Value | Self::QuotedEnd, _) if is_space => Self::Before,
            (Self::Semicolon | Self::Name, byte) if is_token_byte(byte) => Self::Name,
            (Self::Equals | Self::Value, byte) if is_token_byte(byte) => Self::Value,
            (
                Self::Before
                | Self::Semicolon
                | Self::Name
                | Self::AfterName
                | Self::Equals
                | Self::Value
                | Self::Quoted
                | Self::Escaped
                | Self::QuotedEnd,
                _,
            ) => return None,
        })
    }

    /// Whether the line may end here.
    fn may_end(self) -> bool {
        match self {
            Self::Before | Self::Name | Self::AfterName | Self::Value | Self::QuotedEnd => true,
            Self::Semicolon | Self::Equals | Self::Quoted | Self::Escaped => false,
        }
    }
}
