//! Domain names: as text, as octets, and compressed within a message (RFC 1035 §§3.1, 4.1.4).

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::IpAddr;
use core::str::FromStr;

use crate::WireError;
use crate::bytes::copy;
use crate::dns::HEADER_LEN;

//= https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4
//# labels          63 octets or less
//#
//# names           255 octets or less
/// Octets of a label at most.
pub const MAX_LABEL: usize = 63;
/// Octets of a name at most, length octets and the root's zero included.
pub const MAX_NAME: usize = 255;

/// Pointers followed in one name at most. A name has at most 127 labels, and a sender has no use
/// for a pointer to a pointer.
const MAX_POINTERS: u32 = 127;

/// A name within a message, which may be compressed, or within octets of its own. It was checked:
/// labels of at most 63 octets, 255 in all, pointers that lead backwards.
///
/// Names are equal if they differ in the case of ASCII letters only (RFC 4343).
#[derive(Copy, Clone)]
pub struct NameView<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> NameView<'a> {
    /// The name at an offset of a message, and where it ends there.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated); [`BadName`](WireError::BadName) for a label type that
    /// is not in use, more than 255 octets, or a pointer that does not lead to an earlier name:
    /// one that leads forward, to itself, or into the header.
    //= https://www.rfc-editor.org/rfc/rfc1035#section-4.1.4
    //# In this scheme, an
    //# entire domain name or a list of labels at the end of a domain name is
    //# replaced with a pointer to a prior occurance of the same name.
    pub fn parse(message: &'a [u8], at: usize) -> Result<(Self, usize), WireError> {
        let name = Self { message, at };
        let (mut at, mut lowest) = (at, at);
        let mut end = None;
        let (mut octets, mut pointers) = (1, 0);
        loop {
            let len = *message.get(at).ok_or(WireError::Truncated)?;
            match len {
                0 => return Ok((name, end.unwrap_or(at + 1))),
                1..=0x3f => {
                    let len = 1 + usize::from(len);
                    octets += len;
                    if octets > MAX_NAME {
                        return Err(WireError::BadName);
                    }
                    at += len;
                }
                0x40..=0xbf => return Err(WireError::BadName),
                0xc0.. => {
                    let low = *message.get(at + 1).ok_or(WireError::Truncated)?;
                    end.get_or_insert(at + 2);
                    at = usize::from(len & 0x3f) << 8 | usize::from(low);
                    pointers += 1;
                    // Always further back than everything seen: there is no way round.
                    if at >= lowest || at < HEADER_LEN || pointers > MAX_POINTERS {
                        return Err(WireError::BadName);
                    }
                    lowest = at;
                }
            }
        }
    }

    /// The labels, from the leftmost to the one below the root.
    #[must_use]
    pub const fn labels(&self) -> Labels<'a> {
        Labels {
            message: self.message,
            at: self.at,
            left: MAX_NAME + MAX_POINTERS as usize,
        }
    }

    /// Whether it is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.labels().next().is_none()
    }

    /// Whether both have the same octets, the case of letters included.
    #[must_use]
    pub fn is_identical(&self, other: &NameView<'_>) -> bool {
        self.labels().eq(other.labels())
    }

    /// Whether it is `zone` or lies below it.
    #[must_use]
    pub fn is_within(&self, zone: &NameView<'_>) -> bool {
        let (own, zone_labels) = (self.labels().count(), zone.labels().count());
        own.checked_sub(zone_labels)
            .is_some_and(|below| same(self.labels().skip(below), zone.labels()))
    }

    /// A copy of its own.
    #[must_use]
    pub fn to_name(&self) -> Name {
        let mut name = Name::ROOT;
        for label in self.labels() {
            // It was checked: this cannot fail.
            if name.push(label).is_err() {
                break;
            }
        }
        name
    }

    /// Octets it takes uncompressed, 1..=255.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "the root has one octet")]
    pub fn len(&self) -> usize {
        self.labels().fold(1, |len, label| len + 1 + label.len())
    }
}

fn same<'a, 'b>(
    mut a: impl Iterator<Item = &'a [u8]>,
    mut b: impl Iterator<Item = &'b [u8]>,
) -> bool {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(x), Some(y)) if x.eq_ignore_ascii_case(y) => {}
            _ => return false,
        }
    }
}

impl PartialEq<NameView<'_>> for NameView<'_> {
    fn eq(&self, other: &NameView<'_>) -> bool {
        same(self.labels(), other.labels())
    }
}

impl Eq for NameView<'_> {}

impl PartialEq<Name> for NameView<'_> {
    fn eq(&self, other: &Name) -> bool {
        *self == other.view()
    }
}

/// As in master files (RFC 1035 §5.1): dots and backslashes within labels, blanks and what cannot
/// be printed are escaped, so no octet of a name can pass for something else. The final dot is
/// left out, except of the root.
impl fmt::Display for NameView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        if self.is_root() {
            return f.write_char('.');
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
                        write!(f, "\\{}", octet as char)?;
                    }
                    0x21..=0x7e => f.write_char(octet as char)?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for NameView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The labels of a name.
#[derive(Clone, Debug)]
pub struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// Steps left: more than any name that was checked has.
    left: usize,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            self.left = self.left.checked_sub(1)?;
            let len = *self.message.get(self.at)?;
            match len {
                0 => return None,
                1..=0x3f => {
                    let start = self.at + 1;
                    let end = start + usize::from(len);
                    self.at = end;
                    return self.message.get(start..end);
                }
                0x40..=0xbf => return None,
                0xc0.. => {
                    let low = *self.message.get(self.at + 1)?;
                    self.at = usize::from(len & 0x3f) << 8 | usize::from(low);
                }
            }
        }
    }
}

/// A name with octets of its own: 256 bytes, `Copy`, no heap.
///
/// ```
/// # use netloom_wire::dns::Name;
/// let name: Name = "www.example.org".parse()?;
/// assert_eq!(name, "WWW.Example.org.".parse()?);
/// assert!(name.view().is_within(&"example.org".parse::<Name>()?.view()));
/// # Ok::<(), netloom_wire::WireError>(())
/// ```
#[derive(Copy, Clone)]
pub struct Name {
    /// Octets in use, the final zero included.
    len: u8,
    octets: [u8; MAX_NAME],
}

impl Name {
    /// The root.
    pub const ROOT: Name = Name {
        len: 1,
        octets: [0; MAX_NAME],
    };

    /// The name as uncompressed octets.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[0])
    }

    /// A view of it, for comparing, printing and reading labels.
    #[must_use]
    pub fn view(&self) -> NameView<'_> {
        NameView {
            message: self.as_octets(),
            at: 0,
        }
    }

    /// A name from uncompressed octets, of which it takes as many as it has.
    ///
    /// # Errors
    /// As [`NameView::parse`]; [`BadName`](WireError::BadName) for a pointer.
    pub fn from_octets(octets: &[u8]) -> Result<Name, WireError> {
        // A pointer would lead into the header of a message there is none of.
        let (view, _) = NameView::parse(octets.get(..MAX_NAME).unwrap_or(octets), 0)?;
        Ok(view.to_name())
    }

    /// Appends a label on the right, above the root.
    ///
    /// # Errors
    /// [`BadName`](WireError::BadName) for a label of none or more than 63 octets, or a name that
    /// would be longer than 255. Nothing has changed then.
    pub fn push(&mut self, label: &[u8]) -> Result<(), WireError> {
        let at = usize::from(self.len) - 1;
        let len = u8::try_from(label.len()).map_err(|_| WireError::BadName)?;
        let new_len = u8::try_from(usize::from(self.len) + 1 + label.len())
            .map_err(|_| WireError::BadName)?;
        if label.is_empty() || label.len() > MAX_LABEL {
            return Err(WireError::BadName);
        }
        if let Some([first, rest @ ..]) = self.octets.get_mut(at..) {
            *first = len;
            copy(rest, label);
        }
        if let Some(last) = self.octets.get_mut(usize::from(new_len) - 1) {
            *last = 0;
        }
        self.len = new_len;
        Ok(())
    }

    /// This name below another.
    ///
    /// # Errors
    /// [`BadName`](WireError::BadName) if that is longer than 255 octets.
    pub fn below(&self, parent: &NameView<'_>) -> Result<Name, WireError> {
        let mut name = *self;
        for label in parent.labels() {
            name.push(label)?;
        }
        Ok(name)
    }

    /// How many labels it has.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.view().labels().count()
    }

    /// The same name with each ASCII letter in upper case where `upper` says so: a few more bits
    /// that a forger would have to guess.
    #[must_use]
    pub fn with_case(&self, mut upper: impl FnMut() -> bool) -> Name {
        let mut name = *self;
        let mut at = 0;
        while let Some(&len) = name.octets.get(at).filter(|len| **len != 0) {
            let end = at + 1 + usize::from(len);
            for octet in name.octets.get_mut(at + 1..end).unwrap_or_default() {
                if octet.is_ascii_alphabetic() {
                    *octet = if upper() {
                        octet.to_ascii_uppercase()
                    } else {
                        octet.to_ascii_lowercase()
                    };
                }
            }
            at = end;
        }
        name
    }

    /// The name under which PTR records of an address are: `1.2.0.192.in-addr.arpa`, or 32
    /// nibbles below `ip6.arpa` (RFC 1035 §3.5, RFC 3596 §2.5).
    #[must_use]
    pub fn reverse(addr: IpAddr) -> Name {
        let mut name = Name::ROOT;
        let mut add = |label: &[u8]| {
            // 34 labels of one octet and two short ones always fit.
            let _ = name.push(label);
        };
        match addr {
            IpAddr::V4(addr) => {
                for octet in addr.octets().iter().rev() {
                    let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|d| b'0' + d);
                    let zeros = digits.iter().take(2).take_while(|d| **d == b'0').count();
                    add(digits.get(zeros..).unwrap_or(&digits));
                }
                add(b"in-addr");
            }
            IpAddr::V6(addr) => {
                let hex = |nibble: u8| {
                    let letter = nibble.wrapping_sub(10);
                    [if nibble < 10 {
                        b'0' + nibble
                    } else {
                        b'a' + letter
                    }]
                };
                for octet in addr.octets().iter().rev() {
                    add(&hex(octet & 0x0f));
                    add(&hex(octet >> 4));
                }
                add(b"ip6");
            }
        }
        add(b"arpa");
        name
    }
}

/// From text as in master files: labels between dots, a final dot or none, `\.` and `\046` for a
/// dot within a label. Letters outside ASCII are refused: such names are asked for in their ASCII
/// form (`xn--`, RFC 5890).
impl FromStr for Name {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Name, WireError> {
        let mut name = Name::ROOT;
        if text == "." {
            return Ok(name);
        }
        let (mut label, mut len) = ([0; MAX_LABEL], 0);
        let mut octets = text.bytes().peekable();
        while let Some(octet) = octets.next() {
            let octet = match octet {
                b'.' => {
                    name.push(label.get(..len).ok_or(WireError::BadName)?)?;
                    len = 0;
                    continue;
                }
                b'\\' => escaped(&mut octets)?,
                0x21..=0x7e => octet,
                _ => return Err(WireError::BadName),
            };
            *label.get_mut(len).ok_or(WireError::BadName)? = octet;
            len += 1;
        }
        if len > 0 {
            name.push(label.get(..len).ok_or(WireError::BadName)?)?;
        }
        if name.len == 1 {
            return Err(WireError::BadName);
        }
        Ok(name)
    }
}

/// What a backslash stands before: three decimal digits, or one octet itself.
fn escaped(octets: &mut core::iter::Peekable<core::str::Bytes<'_>>) -> Result<u8, WireError> {
    let first = octets.next().ok_or(WireError::BadName)?;
    if !first.is_ascii_digit() {
        return Some(first)
            .filter(|octet| (0x20..=0x7e).contains(octet))
            .ok_or(WireError::BadName);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit);
        value = value * 10 + u16::from(digit.ok_or(WireError::BadName)? - b'0');
    }
    u8::try_from(value).map_err(|_| WireError::BadName)
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.view() == other.view()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_octets() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl From<NameView<'_>> for Name {
    fn from(view: NameView<'_>) -> Name {
        view.to_name()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.view(), f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.view(), f)
    }
}

#[cfg(test)]
mod tests;
