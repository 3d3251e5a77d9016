//! Names of interfaces, as the kernel takes them.

use std::fmt;

use super::DeviceError;

/// A name that fits the kernel's 16 bytes with its closing NUL, in UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct InterfaceName {
    bytes: [u8; 16],
    len: usize,
}

impl InterfaceName {
    /// No name: where the kernel is to fill one in.
    pub(crate) const EMPTY: InterfaceName = InterfaceName {
        bytes: [0; 16],
        len: 0,
    };

    /// Accepts what the kernel accepts (`dev_valid_name`); `%d` passes, as tun devices number
    /// themselves by it.
    pub(crate) fn new(name: &str) -> Result<InterfaceName, DeviceError> {
        let invalid = || DeviceError::InvalidName {
            name: name.to_owned(),
        };
        let forbidden =
            |b: u8| b == b'/' || b == b':' || b == 0 || b == 0x0b || b.is_ascii_whitespace();
        if name.is_empty() || name == "." || name == ".." || name.bytes().any(forbidden) {
            return Err(invalid());
        }
        let mut bytes = [0; 16];
        // The last byte stays NUL.
        bytes[..15]
            .get_mut(..name.len())
            .ok_or_else(invalid)?
            .copy_from_slice(name.as_bytes());
        Ok(InterfaceName {
            bytes,
            len: name.len(),
        })
    }

    /// What the kernel stored. It allows names that are not UTF-8; of such a name only the part
    /// before the first strange byte is kept, for display.
    pub(crate) fn from_kernel(bytes: [u8; 16]) -> InterfaceName {
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(15);
        let len = match std::str::from_utf8(&bytes[..end]) {
            Ok(name) => name.len(),
            Err(error) => error.valid_up_to(),
        };
        InterfaceName { bytes, len }
    }

    /// The bytes the kernel takes.
    pub(crate) fn as_bytes_with_nul(&self) -> &[u8; 16] {
        &self.bytes
    }

    /// The name as text.
    pub(crate) fn as_str(&self) -> &str {
        self.bytes
            .get(..self.len)
            .and_then(|b| std::str::from_utf8(b).ok())
            .unwrap_or_default()
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests;
