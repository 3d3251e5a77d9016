//! A segment that arrived.

use netloom_wire::{TcpFlags, TcpOptions, TcpView, WireError};

use crate::SeqNum;

/// A received segment, checked by its parser and by nobody else: the connection trusts none of
/// its values.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; meaningless unless `flags` has ACK.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as it came, unscaled.
    pub window: u16,
    /// The urgent pointer field as it came.
    pub urgent: u16,
    /// Options.
    pub options: TcpOptions,
    /// The text.
    pub payload: &'a [u8],
    /// How many segments of the wire were merged into this one; at least 1.
    pub count: u16,
    /// Whether the IP header said Congestion Experienced (RFC 3168).
    pub ce: bool,
}

impl<'a> Segment<'a> {
    /// Reads a header whose length and checksum have been verified. `count` is the number of
    /// wire segments merged into the frame.
    ///
    /// # Errors
    /// [`WireError::BadOption`] if an option's length is impossible.
    #[inline]
    pub fn parse(view: &TcpView<'a>, count: u16) -> Result<Segment<'a>, WireError> {
        Ok(Segment {
            seq: SeqNum(view.seq()),
            ack: SeqNum(view.ack()),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            options: TcpOptions::parse(view.options_bytes())?,
            payload: view.payload(),
            count: if count == 0 { 1 } else { count },
            ce: false,
        })
    }

    /// SEG.LEN: the octets of sequence space it occupies, SYN and FIN included.
    #[inline]
    pub fn len(&self) -> u32 {
        (self.payload.len() as u32)
            .wrapping_add(u32::from(self.flags.contains(TcpFlags::SYN)))
            .wrapping_add(u32::from(self.flags.contains(TcpFlags::FIN)))
    }

    /// Whether it occupies no sequence space.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn has(&self, flags: TcpFlags) -> bool {
        self.flags.contains(flags)
    }
}
