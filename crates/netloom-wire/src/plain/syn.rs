//! The headers that nearly every SYN and SYN-ACK over IPv4 has: those of a plain segment, but for the
//! options, which are an MSS, SACK permitted, timestamps and a window scale in the order of Linux and
//! of [`TcpOptions::words`](crate::TcpOptions::words), and nothing behind them.

use crate::bytes::Fields;
use crate::checksum::Sum;
use crate::plain::{FIXED_LEN, VERSION_IHL};
use crate::tcp_options::customary_syn;
use crate::{Addr, TcpFlags, Timestamps, ipv4, protocol};

/// Words of options.
pub const OPTIONS: usize = 5;

/// Both headers, with the options.
pub const HEADERS_LEN: usize = FIXED_LEN + 4 * OPTIONS;

/// A data offset of ten words, SYN, and no other bit; ACK is left out of it.
const CONTROL: u16 = 0xa000 | TcpFlags::SYN.0;

/// A packet known to be such a SYN. Neither checksum is verified.
#[derive(Copy, Clone, Debug)]
pub struct SynView<'a> {
    headers: &'a [u8; HEADERS_LEN],
}

impl<'a> SynView<'a> {
    /// The packet, if it is such a SYN. Octets after the total length are left out.
    #[inline(always)]
    #[must_use]
    pub fn new(packet: &'a [u8]) -> Option<SynView<'a>> {
        let headers = packet.first_chunk::<HEADERS_LEN>()?;
        // All but DF makes it a fragment, or is reserved.
        let usual = headers.u8_at::<0>() == VERSION_IHL
            && headers.u16_at::<2>() == HEADERS_LEN as u16
            && headers.u16_at::<6>() & !ipv4::DONT_FRAGMENT == 0
            && headers.u8_at::<9>() == protocol::TCP
            && headers.u16_at::<32>() & !TcpFlags::ACK.0 == CONTROL
            && customary_syn(headers.array_at::<40, 20>()).is_some();
        usual.then_some(SynView { headers })
    }

    /// The sender's address.
    #[inline(always)]
    #[must_use]
    pub fn src(&self) -> Addr {
        Addr::v4(*self.headers.array_at::<12, 4>())
    }

    /// The receiver's address.
    #[inline(always)]
    #[must_use]
    pub fn dst(&self) -> Addr {
        Addr::v4(*self.headers.array_at::<16, 4>())
    }

    /// Explicit congestion notification, 0..=3 (RFC 3168 §5).
    #[inline(always)]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        self.headers.u8_at::<1>() & 3
    }

    /// The receiver's port in the upper half, the sender's in the lower.
    #[inline(always)]
    #[must_use]
    pub fn ports(&self) -> u32 {
        self.headers.u32_at::<20>().rotate_left(16)
    }

    /// Sequence number of the SYN.
    #[inline(always)]
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.headers.u32_at::<24>()
    }

    /// Acknowledgment number; counts only with [`TcpFlags::ACK`].
    #[inline(always)]
    #[must_use]
    pub fn ack(&self) -> u32 {
        self.headers.u32_at::<28>()
    }

    /// SYN, perhaps with ACK.
    #[inline(always)]
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags(self.headers.u16_at::<32>() & (TcpFlags::SYN.0 | TcpFlags::ACK.0))
    }

    /// The window field, which is not scaled.
    #[inline(always)]
    #[must_use]
    pub fn window(&self) -> u16 {
        self.headers.u16_at::<34>()
    }

    /// The urgent pointer, which does not count: URG is not set.
    #[inline(always)]
    #[must_use]
    pub fn urgent(&self) -> u16 {
        self.headers.u16_at::<38>()
    }

    /// The options, as bytes.
    #[inline(always)]
    #[must_use]
    pub fn options_bytes(&self) -> &'a [u8] {
        self.headers.array_at::<40, 20>()
    }

    /// The timestamps.
    #[inline(always)]
    #[must_use]
    pub fn timestamps(&self) -> Timestamps {
        Timestamps {
            value: self.headers.u32_at::<48>(),
            echo: self.headers.u32_at::<52>(),
        }
    }

    /// Whether the IP header is intact, as its checksum tells.
    #[inline(always)]
    #[must_use]
    pub fn header_intact(&self) -> bool {
        Sum::of_chunk(self.headers.array_at::<0, 20>()).is_valid()
    }

    /// Whether the segment is intact, as its checksum tells, given that the IP header is.
    #[inline(always)]
    #[must_use]
    pub fn segment_intact(&self) -> bool {
        // The pseudo-header, its addresses where they lie.
        Sum::of_chunk(self.headers.array_at::<12, 48>())
            .add_u32(const { (HEADERS_LEN - ipv4::HEADER_LEN) as u32 + protocol::TCP as u32 })
            .is_valid()
    }
}

#[cfg(test)]
mod tests;
