//! TCP headers (RFC 9293 §3.1).

use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign};

use crate::addr::Addr;
use crate::bytes::Fields;
use crate::checksum::{Sum, pseudo_header};
use crate::tcp_options::{TcpOptionIter, TcpOptionWords, TcpOptions};
use crate::{WireError, protocol};

/// A header without options: 20 bytes.
pub const HEADER_LEN: usize = 20;
/// The longest header: the data offset is four bits of 32-bit words.
pub const MAX_HEADER_LEN: usize = 60;

/// The nine control bits (RFC 9293 §3.1, RFC 3168, and AE of RFC 9768).
#[derive(Copy, Clone, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u16);

impl TcpFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// No more data from the sender.
    pub const FIN: Self = Self(0x001);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x002);
    /// Reset the connection.
    pub const RST: Self = Self(0x004);
    /// Push what was received to the application.
    pub const PSH: Self = Self(0x008);
    /// The acknowledgment field counts.
    pub const ACK: Self = Self(0x010);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x020);
    /// ECN echo (RFC 3168 §6.1).
    pub const ECE: Self = Self(0x040);
    /// Congestion window reduced (RFC 3168 §6.1).
    pub const CWR: Self = Self(0x080);
    /// Accurate ECN; once the nonce sum, NS.
    #[doc(alias = "NS")]
    pub const AE: Self = Self(0x100);

    /// All nine.
    const ALL: u16 = 0x1ff;

    /// Whether every flag of `other` is set.
    #[inline]
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any flag of `other` is set.
    #[inline]
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These flags and those of `other`; `|` that works in constants.
    #[inline]
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These flags but those of `other`.
    #[inline]
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// SYN, FIN, RST: the flags that make a segment more than data and acknowledgment.
    #[inline]
    #[must_use]
    pub const fn syn(self) -> bool {
        self.contains(Self::SYN)
    }

    /// Whether FIN is set.
    #[inline]
    #[must_use]
    pub const fn fin(self) -> bool {
        self.contains(Self::FIN)
    }

    /// Whether RST is set.
    #[inline]
    #[must_use]
    pub const fn rst(self) -> bool {
        self.contains(Self::RST)
    }

    /// Whether ACK is set.
    #[inline]
    #[must_use]
    pub const fn ack(self) -> bool {
        self.contains(Self::ACK)
    }

    /// The sequence numbers the flags themselves take: one each for SYN and FIN.
    #[inline]
    #[must_use]
    pub const fn sequence_len(self) -> u32 {
        self.syn() as u32 + self.fin() as u32
    }
}

impl BitOr for TcpFlags {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for TcpFlags {
    #[inline]
    fn bitor_assign(&mut self, other: Self) {
        *self = self.with(other);
    }
}

impl BitAnd for TcpFlags {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Display for TcpFlags {
    /// As tcpdump writes them: `S`, `S.`, `P.`, `F.`, `.`, `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LETTERS: [(TcpFlags, &str); 9] = [
            (TcpFlags::FIN, "F"),
            (TcpFlags::SYN, "S"),
            (TcpFlags::RST, "R"),
            (TcpFlags::PSH, "P"),
            (TcpFlags::ACK, "."),
            (TcpFlags::URG, "U"),
            (TcpFlags::ECE, "E"),
            (TcpFlags::CWR, "W"),
            (TcpFlags::AE, "e"),
        ];
        if self.0 & Self::ALL == 0 {
            return f.write_str("none");
        }
        LETTERS
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .try_for_each(|(_, letter)| f.write_str(letter))
    }
}

impl fmt::Debug for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{self}]")
    }
}

/// A TCP segment whose header is known to be there.
#[derive(Copy, Clone, Debug)]
pub struct TcpView<'a> {
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    payload: &'a [u8],
    /// All three in one piece.
    segment: &'a [u8],
}

impl<'a> TcpView<'a> {
    /// Checks that the data offset is at least 5 words and within the segment.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) below 20 bytes,
    /// [`BadHeaderLength`](WireError::BadHeaderLength). The checksum is not verified: see
    /// [`checksum_valid`](Self::checksum_valid).
    #[inline]
    pub fn new(segment: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = segment.split_first_chunk().ok_or(WireError::Truncated)?;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //# The number of 32-bit words in the TCP header.
        let offset = usize::from(header.u16_at::<12>() >> 12) * 4;
        let (options, payload) = offset
            .checked_sub(HEADER_LEN)
            .and_then(|len| rest.split_at_checked(len))
            .ok_or(WireError::BadHeaderLength)?;
        Ok(Self {
            header,
            options,
            payload,
            segment,
        })
    }

    /// Source port.
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

    /// Sequence number of the first byte, or of the SYN.
    #[inline]
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.header.u32_at::<4>()
    }

    /// Acknowledgment number; counts only with [`TcpFlags::ACK`].
    #[inline]
    #[must_use]
    pub fn ack(&self) -> u32 {
        self.header.u32_at::<8>()
    }

    /// The nine control bits. The three reserved ones are left out.
    #[inline]
    #[must_use]
    pub fn flags(&self) -> TcpFlags {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //# Must be zero in generated segments and must
        //# be ignored in received segments if the corresponding future
        //# features are not implemented by the sending or receiving host.
        TcpFlags(self.header.u16_at::<12>() & TcpFlags::ALL)
    }

    /// The window field, not scaled.
    #[inline]
    #[must_use]
    pub fn window(&self) -> u16 {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //# The window size MUST be treated as an unsigned number, or else
        //# large window sizes will appear like negative windows and TCP will
        //# not work (MUST-1).
        self.header.u16_at::<14>()
    }

    /// The checksum field.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        self.header.u16_at::<16>()
    }

    /// The urgent pointer; counts only with [`TcpFlags::URG`].
    #[inline]
    #[must_use]
    pub fn urgent(&self) -> u16 {
        self.header.u16_at::<18>()
    }

    /// Header bytes, options included: 20..=60.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// The options, as bytes.
    #[inline]
    #[must_use]
    pub const fn options_bytes(&self) -> &'a [u8] {
        self.options
    }

    /// The options, one by one, unknown ones too.
    #[inline]
    #[must_use]
    pub const fn options(&self) -> TcpOptionIter<'a> {
        TcpOptionIter::new(self.options)
    }

    /// The data.
    #[inline]
    #[must_use]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The sequence numbers the segment takes: its data, its SYN and its FIN (SEG.LEN).
    #[inline]
    #[must_use]
    pub fn sequence_len(&self) -> u32 {
        self.payload.len() as u32 + self.flags().sequence_len()
    }

    /// Whether the segment is intact.
    #[inline]
    #[must_use]
    pub fn checksum_valid(&self, src: &Addr, dst: &Addr) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //# The TCP checksum is never optional.  The sender MUST generate it
        //# (MUST-2) and the receiver MUST check it (MUST-3).
        pseudo_header(src, dst, protocol::TCP, self.segment.len() as u32)
            .add(self.segment)
            .is_valid()
    }
}

/// A TCP header to be written.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpRepr {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first byte, or of the SYN.
    pub seq: u32,
    /// Acknowledgment number; write 0 without [`TcpFlags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field, already scaled down.
    pub window: u16,
    /// Urgent pointer; 0 without [`TcpFlags::URG`].
    pub urgent: u16,
    /// Options known to this stack.
    pub options: TcpOptions,
}

impl TcpRepr {
    /// The header of a received segment. Options unknown to [`TcpOptions`] stay with the view.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption).
    pub fn parse(view: &TcpView<'_>) -> Result<Self, WireError> {
        Ok(Self {
            src_port: view.src_port(),
            dst_port: view.dst_port(),
            seq: view.seq(),
            ack: view.ack(),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            options: TcpOptions::parse(view.options_bytes())?,
        })
    }

    /// Bytes the header takes, options and their padding included.
    #[inline]
    #[must_use]
    pub fn header_len(&self) -> usize {
        HEADER_LEN + self.options.len()
    }

    /// Writes the header with a zero checksum; returns what follows it. The caller, who has the
    /// payload's sum from [`copy_and_sum`](crate::checksum::copy_and_sum), completes it with
    /// [`checksum`] and [`set_checksum`].
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall); [`BadOption`](WireError::BadOption) if the
    /// options take more than 40 bytes.
    #[inline]
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<&'b mut [u8], WireError> {
        let header = TcpHeader {
            src_port: self.src_port,
            dst_port: self.dst_port,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            urgent: self.urgent,
        };
        header
            .emit(&self.options.words()?, buf)
            .map(|(_, rest)| rest)
    }
}

/// The fixed part of a header to be written: [`TcpRepr`] but its options.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first byte, or of the SYN.
    pub seq: u32,
    /// Acknowledgment number; write 0 without [`TcpFlags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field, already scaled down.
    pub window: u16,
    /// Urgent pointer; 0 without [`TcpFlags::URG`].
    pub urgent: u16,
}

impl TcpHeader {
    /// Writes the header and its options with a zero checksum; returns the sum of what it wrote,
    /// and what follows. See [`TcpRepr::emit`].
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall).
    #[inline]
    pub fn emit<'b>(
        &self,
        options: &TcpOptionWords,
        buf: &'b mut [u8],
    ) -> Result<(Sum, &'b mut [u8]), WireError> {
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        let (place, rest) = rest
            .split_at_mut_checked(options.len())
            .ok_or(WireError::BufferTooSmall)?;
        let sum = options.emit(place)?;
        let len = (HEADER_LEN + options.len()) as u32 / 4;
        let ports = u32::from(self.src_port) << 16 | u32::from(self.dst_port);
        let flags = u32::from(self.flags.0 & TcpFlags::ALL) << 16;
        let control = len << 28 | flags | u32::from(self.window);
        header.put_u32::<0>(ports);
        header.put_u32::<4>(self.seq);
        header.put_u32::<8>(self.ack);
        header.put_u32::<12>(control);
        header.put_u32::<16>(u32::from(self.urgent));
        // Small machines sum what they wrote.
        if !cfg!(target_pointer_width = "64") {
            return Ok((Sum::new().add(header).combine(sum), rest));
        }
        let words = [ports, self.seq, self.ack, control, u32::from(self.urgent)];
        let total = words.iter().map(|word| u64::from(*word)).sum();
        Ok((Sum::of_words(total).combine(sum), rest))
    }
}

/// The checksum of a segment whose header (checksum field zero) is `header` and whose payload, of
/// `payload_len` bytes, sums to `payload`.
#[inline]
#[must_use]
pub fn checksum(src: &Addr, dst: &Addr, header: &[u8], payload_len: usize, payload: Sum) -> u16 {
    let len = header.len() + payload_len;
    pseudo_header(src, dst, protocol::TCP, len as u32)
        .add(header)
        .combine(payload)
        .finish()
}

/// Stores the checksum in a header written by [`TcpRepr::emit`]. Does nothing to a buffer shorter
/// than a header.
#[inline]
pub fn set_checksum(segment: &mut [u8], checksum: u16) {
    if let Some(header) = segment.first_chunk_mut::<HEADER_LEN>() {
        header.put_u16::<16>(checksum);
    }
}

#[cfg(test)]
mod tests;
