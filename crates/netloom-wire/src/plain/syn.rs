//! The headers that nearly every SYN and SYN-ACK over IPv4 has: those of a plain segment, but for the
//! options, which are an MSS, SACK permitted, timestamps and a window scale in the order of Linux and
//! of [`TcpOptions::words`](crate::TcpOptions::words), and nothing behind them.

use core::ops::Deref;

use crate::bytes::Fields;
use crate::checksum::Sum;
use crate::plain::{FIXED_LEN, Headers};
use crate::tcp_options::customary_syn;
use crate::{TcpFlags, Timestamps, ipv4, protocol};

/// Words of options.
pub const OPTIONS: usize = 5;

/// Both headers, with the options.
pub const HEADERS_LEN: usize = FIXED_LEN + 4 * OPTIONS;

/// A data offset of ten words, SYN, and no other bit; ACK is left out of it.
const CONTROL: u16 = 0xa000 | TcpFlags::SYN.0;

/// A packet known to be such a SYN. Neither checksum is verified.
#[derive(Copy, Clone, Debug)]
pub struct SynView<'a> {
    headers: Headers<'a, HEADERS_LEN>,
}

impl<'a> Deref for SynView<'a> {
    type Target = Headers<'a, HEADERS_LEN>;

    #[inline(always)]
    fn deref(&self) -> &Headers<'a, HEADERS_LEN> {
        &self.headers
    }
}

impl<'a> SynView<'a> {
    /// The packet, if it is such a SYN. Octets after the total length are left out.
    #[inline(always)]
    #[must_use]
    pub fn new(packet: &'a [u8]) -> Option<SynView<'a>> {
        let headers = Headers(packet.first_chunk::<HEADERS_LEN>()?);
        let usual = headers.are_usual()
            && headers.0.u16_at::<2>() == HEADERS_LEN as u16
            && headers.0.u16_at::<32>() & !TcpFlags::ACK.0 == CONTROL
            && customary_syn(headers.0.array_at::<40, 20>()).is_some();
        usual.then_some(SynView { headers })
    }

    /// SYN, perhaps with ACK.
    #[inline(always)]
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        TcpFlags(self.headers.0.u16_at::<32>() & (TcpFlags::SYN.0 | TcpFlags::ACK.0))
    }

    /// The options, as bytes.
    #[inline(always)]
    #[must_use]
    pub fn options_bytes(&self) -> &'a [u8] {
        self.headers.0.array_at::<40, 20>()
    }

    /// The timestamps.
    #[inline(always)]
    #[must_use]
    pub fn timestamps(&self) -> Timestamps {
        Timestamps {
            value: self.headers.0.u32_at::<48>(),
            echo: self.headers.0.u32_at::<52>(),
        }
    }

    /// Whether the segment is intact, as its checksum tells, given that the IP header is.
    #[inline(always)]
    #[must_use]
    pub fn segment_intact(&self) -> bool {
        // The pseudo-header, its addresses where they lie.
        Sum::of_chunk(self.headers.0.array_at::<12, 48>())
            .add_u32(const { (HEADERS_LEN - ipv4::HEADER_LEN) as u32 + protocol::TCP as u32 })
            .is_valid()
    }
}

#[cfg(test)]
mod tests;
