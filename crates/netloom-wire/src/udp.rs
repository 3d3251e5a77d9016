//! UDP (RFC 768).

use crate::addr::Addr;
use crate::bytes::Fields;
use crate::checksum::{Sum, pseudo_header};
use crate::{WireError, protocol};

/// Ports, length and checksum: 8 bytes.
pub const HEADER_LEN: usize = 8;

/// A UDP datagram whose length agrees with the buffer.
#[derive(Copy, Clone, Debug)]
pub struct UdpView<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> UdpView<'a> {
    /// Checks the length field: at least the header, at most the buffer. Bytes after it are left
    /// out.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) below 8 bytes,
    /// [`BadTotalLength`](WireError::BadTotalLength).
    #[inline]
    pub fn new(datagram: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = datagram.split_first_chunk().ok_or(WireError::Truncated)?;
        // RFC 768: "Length is the length in octets of this user datagram including this header and
        // the data. (This means the minimum value of the length is eight.)"
        let len = usize::from(header.u16_at::<4>());
        let payload = len
            .checked_sub(HEADER_LEN)
            .and_then(|len| rest.get(..len))
            .ok_or(WireError::BadTotalLength)?;
        Ok(Self { header, payload })
    }

    /// Source port; 0 if the sender wants no answer.
    #[inline]
    #[must_use]
    pub fn src_port(&self) -> u16 {
        self.header.u16_at::<0>()
    }

    /// Destination port.
    #[inline]
    #[must_use]
    pub fn dst_port(&self) -> u16 {
        self.header.u16_at::<2>()
    }

    /// The length field: header and payload, in bytes.
    #[inline]
    #[must_use]
    #[allow(
        clippy::len_without_is_empty,
        reason = "a datagram has at least its header"
    )]
    pub fn len(&self) -> u16 {
        self.header.u16_at::<4>()
    }

    /// The checksum field; 0 if the sender made none.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        self.header.u16_at::<6>()
    }

    /// Whether header and payload are intact, or carry no checksum where that is allowed.
    #[inline]
    #[must_use]
    pub fn checksum_valid(&self, src: &Addr, dst: &Addr) -> bool {
        if self.checksum() == 0 {
            //= https://www.rfc-editor.org/rfc/rfc8200#section-8.1
            //# IPv6 receivers must discard UDP packets containing a zero checksum
            //# and should log the error.
            return dst.is_v4();
        }
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
        //# If a UDP datagram is received with a checksum that is non-
        //# zero and invalid, UDP MUST silently discard the datagram.
        pseudo_header(src, dst, protocol::UDP, u32::from(self.len()))
            .add(self.header)
            .add(self.payload)
            .is_valid()
    }

    /// The data.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// A UDP header to be written.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct UdpRepr {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Bytes of data, 0..=65527.
    pub payload_len: u16,
}

impl UdpRepr {
    /// The header of a received datagram.
    #[must_use]
    pub fn parse(view: &UdpView<'_>) -> Self {
        Self {
            src_port: view.src_port(),
            dst_port: view.dst_port(),
            payload_len: view.payload.len() as u16,
        }
    }

    /// Writes the header with a zero checksum; returns what follows it. The caller, who has the
    /// payload's sum from [`copy_and_sum`](crate::checksum::copy_and_sum), completes it with
    /// [`checksum`](Self::checksum) and [`set_checksum`].
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall);
    /// [`BadTotalLength`](WireError::BadTotalLength) if the length does not fit 16 bits.
    #[inline]
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let len = self
            .payload_len
            .checked_add(HEADER_LEN as u16)
            .ok_or(WireError::BadTotalLength)?;
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        header.put_u16::<0>(self.src_port);
        header.put_u16::<2>(self.dst_port);
        header.put_u16::<4>(len);
        header.put_u16::<6>(0);
        Ok(rest)
    }

    /// The checksum of this header before a payload that sums to `payload`; never 0.
    #[inline]
    #[must_use]
    pub fn checksum(&self, src: &Addr, dst: &Addr, payload: Sum) -> u16 {
        let len = self.payload_len.wrapping_add(HEADER_LEN as u16);
        non_zero(
            pseudo_header(src, dst, protocol::UDP, u32::from(len))
                .add_u16(self.src_port)
                .add_u16(self.dst_port)
                .add_u16(len)
                .combine(payload)
                .finish(),
        )
    }
}

/// What to store for a computed checksum: 0 would say that there is none.
#[inline]
#[must_use]
pub const fn non_zero(checksum: u16) -> u16 {
    // RFC 768: "If the computed checksum is zero, it is transmitted as all ones (the equivalent in
    // one's complement arithmetic)."
    if checksum == 0 { 0xffff } else { checksum }
}

/// Stores the checksum in a header written by [`UdpRepr::emit`]. Does nothing to a buffer
/// shorter than a header.
#[inline]
pub fn set_checksum(datagram: &mut [u8], checksum: u16) {
    if let Some(header) = datagram.first_chunk_mut::<HEADER_LEN>() {
        header.put_u16::<6>(checksum);
    }
}

#[cfg(test)]
mod tests;
