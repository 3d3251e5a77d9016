//! Several ranges in one response: `multipart/byteranges` (RFC 9110 §14.6), made as it is sent.

use core::fmt::{self, Write};

use super::range::{ByteRange, ContentRange, Ranges};

#[cfg(test)]
mod tests;

/// The content of a 206 (Partial Content) response to a request for several ranges, each a part
/// behind fields of its own.
///
/// It is never there as a whole: [`fill`](ByteRanges::fill) writes any stretch of it, reading what it
/// needs of the representation.
///
/// ```
/// use netloom_services::http::{ByteRanges, Ranges, Selection};
///
/// let file = [b'f'; 2000];
/// let Selection::Ranges(ranges) = Ranges::<4>::select(b"bytes=0-1,500-503", 2000) else {
///     unreachable!("two ranges that the file has");
/// };
/// // A program takes the boundary from its source of randomness.
/// let parts = ByteRanges::new(ranges, 2000, "text/plain", [7, 9]);
/// let mut content = [0; 512];
/// let len = parts.fill(0, &mut content, |at, room| {
///     room.copy_from_slice(&file[at as usize..][..room.len()]);
///     Ok::<_, core::convert::Infallible>(room.len())
/// });
/// assert_eq!(len, Ok(parts.len() as usize));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRanges<'t, const N: usize> {
    ranges: Ranges<N>,
    size: u64,
    content_type: &'t str,
    boundary: Boundary,
    len: u64,
}

/// A line that stands in no representation, because nobody knows it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Boundary([u64; 2]);

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [high, low] = self.0;
        write!(f, "{high:016x}{low:016x}")
    }
}

/// What stands one behind the other.
enum Piece {
    /// What stands before the part with this number, and its range.
    Head(usize, ByteRange),
    /// Octets of the representation.
    Octets(ByteRange),
    /// What stands behind the last part.
    End,
}

impl<'t, const N: usize> ByteRanges<'t, N> {
    /// These ranges of a representation of `size` octets that is of the type `content_type`; none is
    /// told if that is empty. `boundary` is random, for every response anew: whoever can guess it can
    /// put something into the representation that ends a part before its end.
    #[must_use]
    pub fn new(ranges: Ranges<N>, size: u64, content_type: &'t str, boundary: [u64; 2]) -> Self {
        let mut this = Self {
            ranges,
            size,
            content_type,
            boundary: Boundary(boundary),
            len: 0,
        };
        let lengths = this.pieces().map(|piece| this.piece_len(&piece));
        this.len = lengths.fold(0, u64::saturating_add);
        this
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //# If multiple parts are being transferred, the server generating the
    //# 206 response MUST generate "multipart/byteranges" content, as defined
    //# in Section 14.6, and a Content-Type header field containing the
    //# "multipart/byteranges" media type and its required boundary
    //# parameter.
    /// The value of the response's `Content-Type`. It has no `Content-Range`: its parts do.
    pub fn content_type(&self) -> impl fmt::Display + use<N> {
        struct ContentType(Boundary);
        impl fmt::Display for ContentType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "multipart/byteranges; boundary={}", self.0)
            }
        }
        ContentType(self.boundary)
    }

    /// Octets of the whole content: the response's `Content-Length`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Writes the content from `offset` on into `room`, as much as there is room for, and says how
    /// much that was; 0 at its end. `read` puts octets of the representation, from a place on, into
    /// the room it is given, which is not empty, and says how many; fewer than there is room for end
    /// the stretch.
    ///
    /// # Errors
    ///
    /// That of `read`.
    pub fn fill<E>(
        &self,
        offset: u64,
        room: &mut [u8],
        mut read: impl FnMut(u64, &mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let (mut filled, mut start) = (0_usize, 0_u64);
        for piece in self.pieces() {
            let end = start.saturating_add(self.piece_len(&piece));
            let at = offset.saturating_add(filled as u64);
            let left = end.saturating_sub(at);
            let within = at.saturating_sub(start);
            start = end;
            let space = room.get_mut(filled..).unwrap_or_default();
            let len = usize::try_from(left).map_or(space.len(), |left| left.min(space.len()));
            let Some(space) = space.get_mut(..len).filter(|space| !space.is_empty()) else {
                continue;
            };
            let written = match piece {
                Piece::Octets(range) => read(range.first.saturating_add(within), space)?.min(len),
                Piece::Head(..) | Piece::End => {
                    let mut window = Window {
                        skip: usize::try_from(within).unwrap_or(usize::MAX),
                        space,
                    };
                    // A window takes everything, whether it shows it or not.
                    let _ = self.write_text(&piece, &mut window);
                    len
                }
            };
            filled = filled.saturating_add(written);
            if written < len {
                break;
            }
        }
        Ok(filled)
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> + use<'_, 't, N> {
        let parts = self.ranges.as_slice().iter().enumerate();
        parts
            .flat_map(|(n, &range)| [Piece::Head(n, range), Piece::Octets(range)])
            .chain([Piece::End])
    }

    fn piece_len(&self, piece: &Piece) -> u64 {
        if let Piece::Octets(range) = piece {
            return range.len();
        }
        let mut length = Length(0);
        // Counting does not fail.
        let _ = self.write_text(piece, &mut length);
        length.0
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //# Within the header area of each body part in the multipart content,
    //# the server MUST generate a Content-Range header field corresponding
    //# to the range being enclosed in that body part.
    //= https://www.rfc-editor.org/rfc/rfc9110#section-15.3.7.2
    //# If the selected representation would have had a Content-Type header field in a 200
    //# (OK) response, the server SHOULD generate that same Content-Type
    //# header field in the header area of each body part.
    fn write_text(&self, piece: &Piece, to: &mut impl Write) -> fmt::Result {
        let boundary = self.boundary;
        match *piece {
            Piece::Octets(_) => Ok(()),
            Piece::End => write!(to, "\r\n--{boundary}--\r\n"),
            Piece::Head(n, range) => {
                let line_end = if n == 0 { "" } else { "\r\n" };
                write!(to, "{line_end}--{boundary}\r\n")?;
                if !self.content_type.is_empty() {
                    write!(to, "Content-Type: {}\r\n", self.content_type)?;
                }
                let range = ContentRange::of(range, self.size);
                write!(to, "Content-Range: {range}\r\n\r\n")
            }
        }
    }
}

/// Counts octets.
struct Length(u64);

impl Write for Length {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len() as u64);
        Ok(())
    }
}

/// The part of a text that begins `skip` octets behind its beginning and is as long as there is
/// space.
struct Window<'s> {
    skip: usize,
    space: &'s mut [u8],
}

impl Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let shown = text.as_bytes().get(self.skip..).unwrap_or_default();
        self.skip = self.skip.saturating_sub(text.len());
        let len = shown.len().min(self.space.len());
        let (now, later) = core::mem::take(&mut self.space)
            .split_at_mut_checked(len)
            .unwrap_or_default();
        now.copy_from_slice(shown.get(..len).unwrap_or_default());
        self.space = later;
        Ok(())
    }
}
