//! NTP messages (RFC 5905 §§6, 7.3).
//!
//! A [`NtpView`] borrows a message; an [`NtpRepr`] is one to be written. Extension fields and
//! authenticators behind the 48 bytes of the header are not read.

mod time;

pub use time::{NtpShort, NtpTimestamp};

use core::fmt;

use crate::WireError;
use crate::bytes::Fields;

/// The header: 48 bytes.
pub const HEADER_LEN: usize = 48;

/// The port of NTP servers, UDP.
pub const PORT: u16 = 123;

/// The version of RFC 5905.
pub const VERSION: u8 = 4;

/// The stratum of a clock that is not synchronized; 0 stands for it in messages.
pub const MAX_STRATUM: u8 = 16;

/// A warning of a leap second at the end of the month's last day.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum LeapIndicator {
    /// None.
    #[default]
    None,
    /// The last minute has 61 seconds.
    Insert,
    /// The last minute has 59 seconds.
    Delete,
    /// The clock is not synchronized.
    Unsynchronized,
}

impl LeapIndicator {
    const fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Insert,
            2 => Self::Delete,
            _ => Self::Unsynchronized,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Insert => 1,
            Self::Delete => 2,
            Self::Unsynchronized => 3,
        }
    }
}

/// What the sender of a message is to its receiver.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum NtpMode {
    /// 0: reserved.
    Reserved,
    /// 1: a peer that seeks out its peers.
    SymmetricActive,
    /// 2: a peer that was sought out.
    SymmetricPassive,
    /// 3: a client.
    Client,
    /// 4: a server.
    Server,
    /// 5: a server that speaks to all.
    Broadcast,
    /// 6: control messages, whose format is another.
    Control,
    /// 7: private use.
    Private,
}

impl NtpMode {
    const fn of(bits: u8) -> Self {
        match bits & 7 {
            0 => Self::Reserved,
            1 => Self::SymmetricActive,
            2 => Self::SymmetricPassive,
            3 => Self::Client,
            4 => Self::Server,
            5 => Self::Broadcast,
            6 => Self::Control,
            _ => Self::Private,
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Reserved => 0,
            Self::SymmetricActive => 1,
            Self::SymmetricPassive => 2,
            Self::Client => 3,
            Self::Server => 4,
            Self::Broadcast => 5,
            Self::Control => 6,
            Self::Private => 7,
        }
    }
}

/// Four octets that say where a server has its time from: an address, a hash of one, a name of a
/// clock (stratum 1), or a kiss code (stratum 0).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct ReferenceId(pub [u8; 4]);

impl ReferenceId {
    /// "Go away": the client must stop (RFC 5905 §7.4).
    pub const DENY: ReferenceId = ReferenceId(*b"DENY");
    /// "Not for you": the client must stop.
    pub const RSTR: ReferenceId = ReferenceId(*b"RSTR");
    /// "Slower": the client must ask less often.
    pub const RATE: ReferenceId = ReferenceId(*b"RATE");
    /// The server has no time yet.
    pub const INIT: ReferenceId = ReferenceId(*b"INIT");
    /// An undisciplined clock that is good enough where there is no better one.
    pub const LOCL: ReferenceId = ReferenceId(*b"LOCL");
}

/// As text if it is that, else as an address.
impl fmt::Display for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len = self.0.iter().position(|o| *o == 0).unwrap_or(4);
        let (text, rest) = self.0.split_at_checked(len).unwrap_or((&[], &[]));
        let is_text = !text.is_empty()
            && text.iter().all(u8::is_ascii_graphic)
            && rest.iter().all(|o| *o == 0);
        if is_text {
            return text.iter().try_for_each(|o| write!(f, "{}", *o as char));
        }
        write!(f, "{}", core::net::Ipv4Addr::from(self.0))
    }
}

impl fmt::Debug for ReferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message with its whole header.
#[derive(Copy, Clone, Debug)]
pub struct NtpView<'a> {
    header: &'a [u8; HEADER_LEN],
    rest: &'a [u8],
}

impl<'a> NtpView<'a> {
    /// Checks the length and the version: 1 to 4 have this header.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) below 48 bytes, [`BadVersion`](WireError::BadVersion).
    pub fn new(message: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = message.split_first_chunk().ok_or(WireError::Truncated)?;
        let view = Self { header, rest };
        match view.version() {
            1..=4 => Ok(view),
            _ => Err(WireError::BadVersion),
        }
    }

    /// The leap indicator.
    #[must_use]
    pub fn leap(&self) -> LeapIndicator {
        LeapIndicator::of(self.header.u8_at::<0>() >> 6)
    }

    /// The version, 1..=4.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.header.u8_at::<0>() >> 3 & 7
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> NtpMode {
        NtpMode::of(self.header.u8_at::<0>())
    }

    /// The transmit timestamp of the message this one answers.
    #[must_use]
    pub fn origin(&self) -> NtpTimestamp {
        NtpTimestamp::from_octets(*self.header.array_at::<24, 8>())
    }

    /// What follows the header: extension fields, a key identifier, a digest.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// The header of a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct NtpRepr {
    /// The leap indicator.
    pub leap: LeapIndicator,
    /// 1..=4.
    pub version: u8,
    /// The mode.
    pub mode: NtpMode,
    /// Distance to a reference clock: 1 has one, up to 15; 0 is unknown, or a kiss-o'-death.
    pub stratum: u8,
    /// The longest time between messages, as a power of two seconds.
    pub poll: i8,
    /// What the sender's clock resolves, as a power of two seconds.
    pub precision: i8,
    /// Round-trip delay to the reference clock.
    pub root_delay: NtpShort,
    /// Dispersion to the reference clock.
    pub root_dispersion: NtpShort,
    /// Where the sender has its time from.
    pub reference_id: ReferenceId,
    /// When the sender's clock was last set.
    pub reference: NtpTimestamp,
    /// The transmit timestamp of the message this one answers.
    pub origin: NtpTimestamp,
    /// When that message arrived.
    pub receive: NtpTimestamp,
    /// When this message was sent.
    pub transmit: NtpTimestamp,
}

impl NtpRepr {
    /// A client's message, in which all is zero but the transmit timestamp.
    #[must_use]
    pub const fn request(transmit: NtpTimestamp) -> Self {
        Self {
            leap: LeapIndicator::None,
            version: VERSION,
            mode: NtpMode::Client,
            stratum: 0,
            poll: 0,
            precision: 0,
            root_delay: NtpShort(0),
            root_dispersion: NtpShort(0),
            reference_id: ReferenceId([0; 4]),
            reference: NtpTimestamp(0),
            origin: NtpTimestamp(0),
            receive: NtpTimestamp(0),
            transmit,
        }
    }

    /// The header of a received message.
    #[must_use]
    pub fn parse(view: &NtpView<'_>) -> Self {
        let header = view.header;
        Self {
            leap: view.leap(),
            version: view.version(),
            mode: view.mode(),
            stratum: header.u8_at::<1>(),
            poll: header.u8_at::<2>() as i8,
            precision: header.u8_at::<3>() as i8,
            root_delay: NtpShort(header.u32_at::<4>()),
            root_dispersion: NtpShort(header.u32_at::<8>()),
            reference_id: ReferenceId(*header.array_at::<12, 4>()),
            reference: NtpTimestamp::from_octets(*header.array_at::<16, 8>()),
            origin: view.origin(),
            receive: NtpTimestamp::from_octets(*header.array_at::<32, 8>()),
            transmit: NtpTimestamp::from_octets(*header.array_at::<40, 8>()),
        }
    }

    /// Writes the header; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall) below 48 bytes,
    /// [`BadVersion`](WireError::BadVersion) outside 1..=4.
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        if !(1..=4).contains(&self.version) {
            return Err(WireError::BadVersion);
        }
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        header.put::<0, 4>([
            self.leap.bits() << 6 | self.version << 3 | self.mode.bits(),
            self.stratum,
            self.poll as u8,
            self.precision as u8,
        ]);
        header.put_u32::<4>(self.root_delay.0);
        header.put_u32::<8>(self.root_dispersion.0);
        header.put::<12, 4>(self.reference_id.0);
        header.put::<16, 8>(self.reference.to_octets());
        header.put::<24, 8>(self.origin.to_octets());
        header.put::<32, 8>(self.receive.to_octets());
        header.put::<40, 8>(self.transmit.to_octets());
        Ok(rest)
    }

    /// The kiss code of a kiss-o'-death: a server's message of stratum 0.
    #[must_use]
    pub fn kiss(&self) -> Option<ReferenceId> {
        (self.mode == NtpMode::Server && self.stratum == 0).then_some(self.reference_id)
    }
}

#[cfg(test)]
mod tests;
