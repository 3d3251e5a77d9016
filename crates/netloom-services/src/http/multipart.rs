//! Forms as `multipart/form-data` (RFC 7578, RFC 2046 §5.1), in whatever pieces the body arrives.

use super::fields::{Field, Fields, Quotable, parameters, trim_ows};
use super::status::{Refusal, Status};

#[cfg(test)]
mod tests;

/// Octets of a boundary at most (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// What stands before a boundary, and belongs to the delimiter.
const BEFORE: &[u8] = b"\r\n--";

/// The octets of [`BEFORE`] that may be missing: the end of a line, before the first delimiter and
/// behind the empty line that ends a part's head.
const LINE_END: usize = 2;

/// Octets of white space behind a boundary at most.
const MAX_PADDING: u8 = 64;

const MALFORMED: Refusal = Refusal::bad("the multipart body is malformed");

/// Takes a multipart body apart, whatever pieces it arrives in. Only the heads of the parts are
/// kept, in a lent buffer.
///
/// ```
/// use netloom_services::http::{Multipart, Piece};
///
/// let body = b"--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nhello\r\n--b--\r\n";
/// let mut buffer = [0; 256];
/// let mut parts = Multipart::new(b"multipart/form-data; boundary=b", &mut buffer)?;
/// let (mut at, mut content) = (0, Vec::<u8>::new());
/// while at < body.len() {
///     let (taken, piece) = parts.take(&body[at..])?;
///     at += taken;
///     match piece {
///         Piece::Part(part) => assert!(part.name().is_some_and(|name| name.is(b"f"))),
///         Piece::Data(data) => content.extend(data),
///         Piece::Nothing | Piece::End => {}
///     }
/// }
/// assert!(parts.is_done() && content == b"hello");
/// # Ok::<(), netloom_services::http::Refusal>(())
/// ```
#[derive(Debug)]
pub struct Multipart<'b> {
    /// Line end, two dashes and the boundary.
    delimiter: [u8; BEFORE.len() + LONGEST_BOUNDARY],
    delimiter_len: usize,
    /// The head of the part that was begun last.
    head: &'b mut [u8],
    head_len: usize,
    state: State,
    /// Octets of the delimiter that have been seen, and how many of them were only assumed.
    matched: usize,
    assumed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, where octets mean nothing.
    Preamble,
    /// Behind a boundary.
    Boundary,
    /// Behind a boundary and one dash.
    Dash,
    /// In the white space behind a boundary.
    Padding(u8),
    /// Behind the CR there.
    BoundaryLf,
    /// In the head of a part.
    Head,
    /// In the content of a part.
    Data,
    /// Behind the last delimiter, where octets mean nothing.
    Epilogue,
}

/// What some octets of a multipart body were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'p> {
    /// Nothing that could be handed out.
    Nothing,
    /// The head of a part. What had begun before is complete.
    Part(Part<'p>),
    /// Content of the part that was begun last.
    Data(&'p [u8]),
    /// The body is complete.
    End,
}

/// The head of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'p>(Fields<'p>);

impl<'p> Part<'p> {
    /// All fields of the head.
    #[must_use]
    pub fn fields(&self) -> Fields<'p> {
        self.0
    }

    /// The name of the form's field.
    #[must_use]
    pub fn name(&self) -> Option<Quotable<'p>> {
        self.disposition("name")
    }

    /// The name of the file, if the part is one. Whoever stores it looks at it first: it may be a
    /// path, or no name a system knows.
    #[must_use]
    pub fn file_name(&self) -> Option<Quotable<'p>> {
        self.disposition("filename")
    }

    /// The media type, if it is said.
    #[must_use]
    pub fn content_type(&self) -> Option<&'p [u8]> {
        self.0.single("Content-Type")
    }

    fn disposition(&self, name: &str) -> Option<Quotable<'p>> {
        let value = self.0.single("Content-Disposition")?;
        let kind = value.split(|&b| b == b';').next().map(trim_ows)?;
        if !kind.eq_ignore_ascii_case(b"form-data") {
            return None;
        }
        parameters(value)
            .find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'p>> + Clone + use<'p> {
        self.0.iter()
    }
}

impl<'b> Multipart<'b> {
    /// For a body with this `Content-Type`. The head of each part goes to `buffer`, and must fit.
    ///
    /// # Errors
    ///
    /// 415 for another type than `multipart/form-data`, 400 without a good boundary.
    pub fn new(content_type: &[u8], buffer: &'b mut [u8]) -> Result<Self, Refusal> {
        let kind = content_type.split(|&b| b == b';').next().map(trim_ows);
        if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case(b"multipart/form-data")) {
            let why = "the form is to be sent as multipart/form-data";
            return Err(Refusal::new(Status::UNSUPPORTED_MEDIA_TYPE, why));
        }
        let boundary = parameters(content_type)
            .find(|(key, _)| key.eq_ignore_ascii_case(b"boundary"))
            .map(|(_, value)| value)
            .ok_or(Refusal::bad("the multipart body has no boundary"))?;
        let mut delimiter = [0; BEFORE.len() + LONGEST_BOUNDARY];
        let mut delimiter_len = 0_usize;
        for byte in BEFORE.iter().copied().chain(boundary.bytes()) {
            let place = delimiter.get_mut(delimiter_len);
            *place.ok_or(Refusal::bad("the boundary is too long"))? = byte;
            delimiter_len = delimiter_len.saturating_add(1);
        }
        let boundary = delimiter
            .get(BEFORE.len()..delimiter_len)
            .unwrap_or_default();
        if boundary.is_empty() || !boundary.iter().all(|&b| is_boundary_byte(b)) {
            return Err(Refusal::bad("the boundary holds an octet none may hold"));
        }
        Ok(Self {
            delimiter,
            delimiter_len,
            head: buffer,
            head_len: 0,
            state: State::Preamble,
            // The first delimiter stands at the start of a line too.
            matched: LINE_END,
            assumed: LINE_END,
        })
    }

    /// Whether the last delimiter has been seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Epilogue
    }

    /// Takes octets from the front of `bytes`, and says how many, and what they were. To be called
    /// until nothing is left of `bytes`.
    ///
    /// # Errors
    ///
    /// 400 for what is malformed, 431 for a part whose head does not fit the buffer.
    pub fn take<'p>(&'p mut self, bytes: &'p [u8]) -> Result<(usize, Piece<'p>), Refusal> {
        let (taken, found) = self.advance(bytes)?;
        let piece = match found {
            Found::Nothing => Piece::Nothing,
            Found::Part => Piece::Part(self.part()?),
            Found::Given(from) => Piece::Data(bytes.get(from..taken).unwrap_or_default()),
            Found::Withheld(from, to) => {
                Piece::Data(self.delimiter.get(from..to).unwrap_or_default())
            }
            Found::End => Piece::End,
        };
        Ok((taken, piece))
    }

    /// Takes octets up to the first that can be handed out.
    fn advance(&mut self, bytes: &[u8]) -> Result<(usize, Found), Refusal> {
        let mut taken = 0_usize;
        while let Some(&byte) = bytes.get(taken) {
            match self.state {
                State::Preamble | State::Data => {
                    let is_content = self.state == State::Data;
                    let (count, found) = self.scan(bytes.get(taken..).unwrap_or_default());
                    let before = taken;
                    taken = taken.saturating_add(count);
                    match found {
                        Scanned::Given if is_content => return Ok((taken, Found::Given(before))),
                        Scanned::Withheld(from, to) if is_content && from < to => {
                            return Ok((taken, Found::Withheld(from, to)));
                        }
                        Scanned::Given | Scanned::Withheld(..) | Scanned::Undecided => {}
                    }
                }
                State::Epilogue => return Ok((bytes.len(), Found::Nothing)),
                State::Boundary
                | State::Dash
                | State::Padding(_)
                | State::BoundaryLf
                | State::Head => {
                    taken = taken.saturating_add(1);
                    if self.step(byte)? {
                        return Ok((
                            taken,
                            match self.state {
                                State::Epilogue => Found::End,
                                _ => Found::Part,
                            },
                        ));
                    }
                }
            }
        }
        Ok((taken, Found::Nothing))
    }

    /// Looks for the delimiter in `bytes`, and says how many octets were looked at.
    ///
    /// The delimiter's first octet stands nowhere else in it, so what looked like its beginning and
    /// was none holds no other beginning.
    fn scan(&mut self, bytes: &[u8]) -> (usize, Scanned) {
        if self.matched == 0 {
            let plain = bytes.iter().position(|&b| b == b'\r');
            let plain = plain.unwrap_or(bytes.len());
            if plain > 0 {
                return (plain, Scanned::Given);
            }
        }
        let mut count = 0_usize;
        for &byte in bytes {
            if self.delimiter.get(self.matched) != Some(&byte) {
                let withheld = Scanned::Withheld(self.assumed, self.matched);
                (self.matched, self.assumed) = (0, 0);
                return (count, withheld);
            }
            count = count.saturating_add(1);
            self.matched = self.matched.saturating_add(1);
            if self.matched == self.delimiter_len {
                self.state = State::Boundary;
                break;
            }
        }
        (count, Scanned::Undecided)
    }

    /// One octet behind a boundary or in a head. Says whether a head or the body is complete.
    fn step(&mut self, byte: u8) -> Result<bool, Refusal> {
        self.state = match (self.state, byte) {
            (State::Boundary, b'-') => State::Dash,
            (State::Dash, b'-') => {
                self.state = State::Epilogue;
                return Ok(true);
            }
            (State::Boundary, b' ' | b'\t') => State::Padding(1),
            (State::Padding(count), b' ' | b'\t') if count < MAX_PADDING => {
                State::Padding(count.saturating_add(1))
            }
            (State::Boundary | State::Padding(_), b'\r') => State::BoundaryLf,
            (State::BoundaryLf, b'\n') => {
                self.head_len = 0;
                State::Head
            }
            (State::Head, byte) => {
                let why = "the head of a part is too large";
                let full = Refusal::new(Status::REQUEST_HEADER_FIELDS_TOO_LARGE, why);
                *self.head.get_mut(self.head_len).ok_or(full)? = byte;
                self.head_len = self.head_len.saturating_add(1);
                let head = self.head.get(..self.head_len).unwrap_or_default();
                let is_complete = head == b"\r\n" || head.ends_with(b"\r\n\r\n");
                if is_complete {
                    self.state = State::Data;
                    // The empty line may be that of the delimiter: then there is no content.
                    (self.matched, self.assumed) = (LINE_END, LINE_END);
                }
                return Ok(is_complete);
            }
            (
                State::Boundary
                | State::Dash
                | State::Padding(_)
                | State::BoundaryLf
                | State::Preamble
                | State::Data
                | State::Epilogue,
                _,
            ) => return Err(MALFORMED),
        };
        Ok(false)
    }

    /// The part whose head is complete.
    fn part(&self) -> Result<Part<'_>, Refusal> {
        let lines = self.head_len.saturating_sub(LINE_END);
        let block = self.head.get(..lines).unwrap_or_default();
        Ok(Part(Fields::check(block, usize::MAX)?))
    }
}

/// What [`Multipart::advance`] came upon.
enum Found {
    Nothing,
    /// The head of a part is complete.
    Part,
    /// The octets from there on are content.
    Given(usize),
    /// These octets of the delimiter, which were seen before, are content.
    Withheld(usize, usize),
    End,
}

/// What was found of octets that are content or a delimiter.
enum Scanned {
    /// They are content.
    Given,
    /// These octets of the delimiter, which were seen before, are content.
    Withheld(usize, usize),
    /// They may be a delimiter, or are one.
    Undecided,
}

/// `bcharsnospace`, and the space, which may not be the last one (RFC 2046 §5.1.1).
const fn is_boundary_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'\'' | b'(' | b')' | b'+' | b'_'
        | b',' | b'-' | b'.' | b'/' | b':' | b'=' | b'?' | b' ')
}
