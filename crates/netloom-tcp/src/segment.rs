//! A segment that arrived.

use netloom_wire::tcp_options::{find, kind};
use netloom_wire::{TcpFlags, TcpView, Timestamps, WireError};

use crate::{SeqNum, TIMESTAMPS};

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
    /// The timestamps among the options.
    pub timestamps: Option<Timestamps>,
    /// The options as they came, checked: those of a SYN, and SACK, are read where they count.
    pub options: &'a [u8],
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
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
            //# A TCP implementation MUST be able to receive a TCP Option in any
            //# segment (MUST-5).
            timestamps: if TIMESTAMPS {
                Timestamps::find(view.options_bytes())?
            } else {
                None
            },
            options: view.options_bytes(),
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

    /// Whether it carries no option but timestamps, as far as its length tells.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.options.len() == if self.timestamps.is_some() { 12 } else { 0 }
    }

    /// The data of the last option of a kind; `None`: there is none.
    pub(crate) fn option(&self, kind: u8) -> Option<&'a [u8]> {
        find(self.options, kind).unwrap_or(None)
    }

    /// The data of its SACK option: 8 octets a block (RFC 2018 §3).
    #[inline]
    pub(crate) fn sack(&self) -> &'a [u8] {
        if self.is_plain() {
            return &[];
        }
        self.option(kind::SACK).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn has(&self, flags: TcpFlags) -> bool {
        self.flags.contains(flags)
    }
}
