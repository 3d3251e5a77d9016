//! Frames between the chip's FIFOs and the frame memory.

use netloom_driver::{FrameSink, Full, TxCaps, TxMeta};

use crate::{Bus, FRAME_MEMORY, Lan9118, regs};

/// The transmit FIFOs' share of the chip's 16 KiB, in KiB: 512 bytes of statuses and 4 608 of
/// data, three full frames.
pub(crate) const TX_SHARE: u32 = 5;

/// Bytes of the frame check sequence at a received frame's end.
const FCS: usize = 4;

/// Bytes of the two command words in front of every transmitted frame.
const COMMANDS: usize = 8;

/// Room for the longest frame with its commands, in the units of [`regs::FIFO_INT`].
pub(crate) const FULL_FRAME_UNITS: u32 = (FRAME_MEMORY + COMMANDS).div_ceil(64) as u32;

/// The same in bytes.
pub(crate) const FULL_FRAME: usize = FULL_FRAME_UNITS as usize * 64;

/// The words that so many bytes fill. No frame is so long that this wraps.
fn words(bytes: usize) -> usize {
    bytes.wrapping_add(3) / 4
}

impl<B: Bus> Lan9118<'_, B> {
    /// Moves the oldest good frame into the memory and returns its length, `None` if there is none;
    /// damaged and oversized ones before it are dropped and counted ([`crate::Lost`]).
    pub(crate) fn next_frame(&mut self) -> Option<usize> {
        // No more than what waits now, so that a flood of bad frames ends.
        (0..self.statuses_waiting()).find_map(|_| self.take_frame())
    }

    /// [`next_frame`](Self::next_frame) if an answer to it could be sent at once.
    pub(crate) fn next_answerable(&mut self) -> Option<usize> {
        self.take_statuses();
        if self.room() < FULL_FRAME {
            return None;
        }
        self.next_frame()
    }

    /// Sends the frame of `len` bytes that stands in the memory, for which there is room.
    pub(crate) fn send(&self, len: usize) {
        let bytes = len as u32;
        let bus = &self.bus;
        bus.write(
            regs::TX_DATA_FIFO,
            regs::FIRST_SEGMENT | regs::LAST_SEGMENT | bytes,
        );
        bus.write(regs::TX_DATA_FIFO, bytes);
        for word in self.memory.0.chunks_exact(4).take(words(len)) {
            if let Some(bytes) = word.first_chunk() {
                bus.write(regs::TX_DATA_FIFO, u32::from_le_bytes(*bytes));
            }
        }
    }

    /// Moves the oldest frame into the memory and returns its length without the FCS; `None` if
    /// it was dropped.
    fn take_frame(&mut self) -> Option<usize> {
        let status = self.bus.read(regs::RX_STATUS_FIFO);
        let with_fcs = (status >> regs::RX_LENGTH_SHIFT & regs::RX_LENGTH_MASK) as usize;
        for index in 0..words(with_fcs) {
            let word = self.bus.read(regs::RX_DATA_FIFO);
            if let Some(place) = self.memory.0.get_mut(index * 4..index * 4 + 4) {
                place.copy_from_slice(&word.to_le_bytes());
            }
        }
        if status & regs::ERROR_SUMMARY != 0 || with_fcs < FCS {
            self.lost.receive_errors = self.lost.receive_errors.wrapping_add(1);
            return None;
        }
        if with_fcs > FRAME_MEMORY {
            self.lost.too_long = self.lost.too_long.wrapping_add(1);
            return None;
        }
        Some(with_fcs - FCS)
    }

    fn statuses_waiting(&self) -> u32 {
        self.bus.read(regs::RX_FIFO_INF) >> 16 & 0xff
    }

    pub(crate) fn frames_waiting(&self) -> bool {
        self.statuses_waiting() != 0
    }

    /// Bytes free in the transmit FIFO.
    pub(crate) fn room(&self) -> usize {
        (self.bus.read(regs::TX_FIFO_INF) & 0xffff) as usize
    }

    /// Takes the statuses of transmitted frames, without which their FIFO fills and transmission
    /// stops.
    fn take_statuses(&mut self) {
        for _ in 0..self.bus.read(regs::TX_FIFO_INF) >> 16 & 0xff {
            if self.bus.read(regs::TX_STATUS_FIFO) & regs::ERROR_SUMMARY != 0 {
                self.lost.transmit_errors = self.lost.transmit_errors.wrapping_add(1);
            }
        }
    }

    fn set_blocked(&mut self, blocked: bool) {
        if self.blocked != blocked {
            self.blocked = blocked;
            self.enable_interrupts();
        }
    }
}

impl<B: Bus> FrameSink for Lan9118<'_, B> {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(1500)
    }

    /// The chip pads short frames and appends the FCS. A frame longer than [`FRAME_MEMORY`],
    /// which [`FrameSink::caps`] rules out, is refused like one without room.
    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        self.take_statuses();
        if self.room() < words(len) * 4 + COMMANDS {
            self.set_blocked(true);
            return Err(Full);
        }
        fill(self.memory.0.get_mut(..len).ok_or(Full)?);
        self.send(len);
        self.set_blocked(false);
        Ok(())
    }
}
