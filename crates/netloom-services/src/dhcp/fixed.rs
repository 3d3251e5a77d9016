//! Lists and texts of bounded length, without a heap.

use core::fmt;
use core::ops::Deref;

/// At most `N` things, in order. A slice, as far as reading goes.
#[derive(Clone, Copy)]
pub struct List<T, const N: usize> {
    items: [T; N],
    len: u8,
}

impl<T: Copy, const N: usize> List<T, N> {
    /// Nothing. `fill` stands where nothing is yet.
    pub(super) const fn new(fill: T) -> Self {
        Self {
            items: [fill; N],
            len: 0,
        }
    }

    /// Appends an item; `false` if there is no room.
    pub(super) fn push(&mut self, item: T) -> bool {
        let Some(place) = self.items.get_mut(usize::from(self.len)) else {
            return false;
        };
        *place = item;
        self.len = self.len.saturating_add(1);
        true
    }

    /// Appends items as long as there is room.
    pub(super) fn extend(&mut self, items: impl IntoIterator<Item = T>) {
        for item in items {
            if !self.push(item) {
                return;
            }
        }
    }

    /// Takes out the first item.
    pub(super) fn take_first(&mut self) -> Option<T> {
        let first = self.first().copied()?;
        self.items.rotate_left(1);
        self.len = self.len.saturating_sub(1);
        Some(first)
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.items.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl<T: PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq, const N: usize> Eq for List<T, N> {}

impl<T: fmt::Debug, const N: usize> fmt::Debug for List<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A text of at most `N` bytes, `N` at most 255.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    bytes: List<u8, N>,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub const EMPTY: Self = Self {
        bytes: List::new(0),
    };

    /// A text; `None` if it is longer than `N` bytes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let mut this = Self::EMPTY;
        text.bytes()
            .all(|byte| this.bytes.push(byte))
            .then_some(this)
    }

    /// A name of hosts or domains from bytes somebody sent: letters, digits, `-`, `_`, `.`. `None`
    /// for anything else: such names end in scripts and files of those who trust them.
    #[cfg(feature = "dhcp-client")]
    pub(super) fn name(bytes: impl IntoIterator<Item = u8>) -> Option<Self> {
        let mut this = Self::EMPTY;
        let mut ended = false;
        for byte in bytes {
            // Some senders count the NUL at the end of the name.
            if byte == 0 {
                ended = true;
                continue;
            }
            let fine = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            if ended || !fine || !this.bytes.push(byte) {
                return None;
            }
        }
        (!this.bytes.is_empty()).then_some(this)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes).unwrap_or_default()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<const N: usize> Eq for Text<N> {}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
