//! Percent-encoding (RFC 3986 §2.1), undone and made.

use core::fmt;

#[cfg(test)]
mod tests;

/// A `%` without two hexadecimal digits behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPercent;

impl fmt::Display for BadPercent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a `%` has no two hexadecimal digits behind it")
    }
}

impl core::error::Error for BadPercent {}

/// Text that may be percent-encoded, as it was received. Nothing is copied until it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded<'b> {
    bytes: &'b [u8],
    /// A plus sign stands for a space, as in forms.
    is_form: bool,
}

impl<'b> Encoded<'b> {
    /// A part of a path: only what stands behind `%` is encoded.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            is_form: false,
        }
    }

    /// A name or value of a form: a plus sign stands for a space too.
    #[must_use]
    pub const fn form(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            is_form: true,
        }
    }

    /// The octets as they were received.
    #[must_use]
    pub const fn as_received(self) -> &'b [u8] {
        self.bytes
    }

    /// The octets that are meant, one after the other. After an error there are no more.
    pub fn decoded(self) -> impl Iterator<Item = Result<u8, BadPercent>> + use<'b> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            let (&byte, tail) = rest.split_first()?;
            rest = tail;
            Some(Ok(match byte {
                b'+' if self.is_form => b' ',
                b'%' => {
                    let Some((high, low, tail)) = two_digits(tail) else {
                        rest = &[];
                        return Some(Err(BadPercent));
                    };
                    rest = tail;
                    (high << 4) | low
                }
                byte => byte,
            }))
        })
    }

    /// Decodes to the front of `buffer`. The decoded text is no longer than what was received.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] has them.
    pub fn decode(self, buffer: &mut [u8]) -> Result<&[u8], DecodeError> {
        let mut len = 0_usize;
        for byte in self.decoded() {
            let byte = byte.map_err(|BadPercent| DecodeError::Percent)?;
            *buffer.get_mut(len).ok_or(DecodeError::Full)? = byte;
            len = len.saturating_add(1);
        }
        Ok(buffer.get(..len).unwrap_or_default())
    }

    /// Decodes to the front of `buffer`, where UTF-8 is expected.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] has them.
    pub fn decode_str(self, buffer: &mut [u8]) -> Result<&str, DecodeError> {
        core::str::from_utf8(self.decode(buffer)?).map_err(|_| DecodeError::Utf8)
    }

    /// Whether these octets are meant.
    #[must_use]
    pub fn is(self, expected: &[u8]) -> bool {
        self.decoded().eq(expected.iter().map(|&byte| Ok(byte)))
    }

    /// The number that is meant, if it is one in decimal digits.
    #[must_use]
    pub fn number(self) -> Option<u64> {
        let mut sum = None;
        for byte in self.decoded() {
            let digit = (byte.ok()? as char).to_digit(10)?;
            let before: u64 = sum.unwrap_or(0);
            sum = Some(before.checked_mul(10)?.checked_add(u64::from(digit))?);
        }
        sum
    }
}

/// Why text was not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeError {
    /// A `%` has no two hexadecimal digits behind it.
    Percent,
    /// The buffer is too small.
    Full,
    /// It is no UTF-8.
    Utf8,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent => BadPercent.fmt(f),
            Self::Full => f.write_str("the decoded text does not fit the buffer"),
            Self::Utf8 => f.write_str("the decoded text is no UTF-8"),
        }
    }
}

impl core::error::Error for DecodeError {}

fn two_digits(bytes: &[u8]) -> Option<(u8, u8, &[u8])> {
    let [high, low, rest @ ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| {
        let digit = (byte as char).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    Some((digit(*high)?, digit(*low)?, rest))
}

/// Shows octets percent-encoded, all but the unreserved ones of RFC 3986 §2.3, so that the result
/// stands for itself in a path, in a query, in HTML and in a field.
#[derive(Debug, Clone, Copy)]
pub struct PercentEncoded<'b>(pub &'b [u8]);

impl fmt::Display for PercentEncoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while !rest.is_empty() {
            let plain = rest.iter().position(|&b| !is_unreserved(b));
            let (head, tail) = rest
                .split_at_checked(plain.unwrap_or(rest.len()))
                .unwrap_or_default();
            f.write_str(core::str::from_utf8(head).unwrap_or_default())?;
            rest = match tail.split_first() {
                Some((byte, tail)) => {
                    write!(f, "%{byte:02X}")?;
                    tail
                }
                None => &[],
            };
        }
        Ok(())
    }
}

const fn is_unreserved(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~')
}
