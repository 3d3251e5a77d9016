//! What can be wrong with bytes from the wire, or with a buffer given to `emit`.

use core::fmt;

/// Why bytes are not the header they were taken for, or why a header cannot be written.
///
/// One byte, `Copy`: a receive path counts it under a drop reason and goes on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes end before the header does, or before the length the header claims.
    Truncated,
    /// The buffer given to `emit` is shorter than what is to be written.
    BufferTooSmall,
    /// The IP version field is not the expected one.
    BadVersion,
    /// A header length field is below the minimum or past the end (IHL, TCP data offset).
    BadHeaderLength,
    /// A total or payload length field contradicts the header, the buffer or its own limit.
    BadTotalLength,
    /// The checksum does not verify.
    BadChecksum,
    /// An option's length is zero, too short, too long, or wrong for its kind.
    BadOption,
    /// The next layer is not the one asked for.
    BadProtocol,
    /// An address of the wrong IP version, or one that must not stand in this field.
    BadAddress,
    /// ARP for something other than IPv4 over Ethernet.
    BadHardwareType,
    /// A type or code the message does not have.
    BadCode,
    /// The IP hop limit is not what the message demands (255 for Neighbor Discovery).
    BadHopLimit,
    /// The packet is a fragment, so its transport header cannot be read alone.
    Fragment,
    /// More VLAN tags or extension headers than this stack follows.
    TooManyHeaders,
    /// A domain name that breaks the rules: labels, length, or pointers that lead nowhere.
    BadName,
}

impl WireError {
    /// The cause in a few lower-case words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::BufferTooSmall => "buffer too small",
            Self::BadVersion => "wrong IP version",
            Self::BadHeaderLength => "bad header length",
            Self::BadTotalLength => "bad total length",
            Self::BadChecksum => "bad checksum",
            Self::BadOption => "bad option",
            Self::BadProtocol => "another protocol than asked for",
            Self::BadAddress => "bad address",
            Self::BadHardwareType => "not IPv4 over Ethernet",
            Self::BadCode => "bad type or code",
            Self::BadHopLimit => "bad hop limit",
            Self::Fragment => "a fragment",
            Self::TooManyHeaders => "too many headers",
            Self::BadName => "bad domain name",
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for WireError {}
