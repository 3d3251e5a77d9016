//! Driver for the SMSC (now Microchip) LAN9118 family of Ethernet controllers: LAN9115–9118,
//! 9210/9211, 9215–9218, 9220/9221. One chip, one frame buffer, no DMA, no heap.
//!
//! The chip keeps frames in two FIFOs of its own, which the processor reads and writes word by
//! word; this driver needs memory for a single frame, [`FrameMemory`], lent by the program. It
//! serves both directions: [`Driver::receive`] borrows the driver while a received frame is
//! looked at, so no frame can be written meanwhile, except that the frame itself may become its
//! answer ([`Driver::receive_answering`]).
//!
//! Not used: the chip's flow control (pause frames), wake-up frames and power-down.
//!
//! # Sleeping
//!
//! The interrupt line is level-triggered, active high. To sleep without losing a wake-up, with
//! the processor's interrupts masked: [`Lan9118::acknowledge`], clear the interrupt controller's
//! pending bit, and only if [`Lan9118::has_work`] is false wait for an interrupt.
#![no_std]
#![deny(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod bus;
mod fifo;
mod mac;
pub mod regs;

pub use bus::{Bus, Mmio};

use netloom_driver::{Driver, FrameSink, LinkState, RxMeta};
use regs::mac::{HPFILT, RXEN, TXEN};

/// Room for one frame in bytes: 1518 with one 802.1Q tag, and the 4 bytes of the FCS that the
/// chip delivers with it, rounded up to words.
pub const FRAME_MEMORY: usize = 1524;

/// How many frames one call of [`Driver::receive`] hands over at most.
const BATCH: usize = 64;

/// How often a busy bit is looked at before the chip counts as stuck: a management access takes
/// 25 µs, the soft reset 10 µs, loading the EEPROM 1.3 ms; a look takes at least 40 ns.
const PATIENCE: u32 = 200_000;

/// The memory of the frame on its way in or out. All zero when new, so a static stays in `.bss`.
#[derive(Debug)]
#[repr(align(4))]
pub struct FrameMemory([u8; FRAME_MEMORY]);

impl FrameMemory {
    /// Zeroed memory.
    pub const fn new() -> Self {
        FrameMemory([0; FRAME_MEMORY])
    }
}

impl Default for FrameMemory {
    fn default() -> Self {
        Self::new()
    }
}

/// Why the chip could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitError {
    /// [`regs::BYTE_TEST`] does not read its constant: no chip there, or the byte order is wrong.
    NotFound,
    /// [`regs::ID_REV`] names a chip that is not of the family (the identifier found).
    Unsupported(u16),
    /// A busy bit did not clear.
    Stuck,
}

impl core::fmt::Display for InitError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            InitError::NotFound => f.write_str("no LAN9118 answers at this address"),
            InitError::Unsupported(id) => write!(f, "chip {id:#06x} is not of the LAN9118 family"),
            InitError::Stuck => f.write_str("the LAN9118 stays busy"),
        }
    }
}

impl core::error::Error for InitError {}

impl From<mac::Stuck> for InitError {
    fn from(_: mac::Stuck) -> Self {
        InitError::Stuck
    }
}

/// Frames that were lost, by cause. Each wraps at 2³².
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Lost {
    /// Received damaged: wrong FCS, collision, runt.
    pub receive_errors: u32,
    /// Received, but longer than [`FRAME_MEMORY`].
    pub too_long: u32,
    /// Not received, because the chip's receive FIFO was full.
    pub overrun: u32,
    /// Not transmitted: no carrier, too many collisions.
    pub transmit_errors: u32,
}

/// A started chip.
#[derive(Debug)]
pub struct Lan9118<'m, B> {
    bus: B,
    memory: &'m mut FrameMemory,
    address: [u8; 6],
    /// What the MAC's control register holds.
    control: u32,
    link: LinkState,
    /// A frame was refused for want of room, and none accepted since.
    blocked: bool,
    lost: Lost,
}

impl<'m, B: Bus> Lan9118<'m, B> {
    /// Resets the chip and starts it: own address and broadcast pass the filter, no multicast;
    /// the link is negotiated; the interrupt line is configured but nothing enables it in the
    /// interrupt controller. The address is the one in the chip's EEPROM; `fallback` serves
    /// where there is none.
    ///
    /// # Errors
    /// [`InitError`] when there is no such chip, or it does not come up.
    pub fn new(bus: B, memory: &'m mut FrameMemory, fallback: [u8; 6]) -> Result<Self, InitError> {
        let mut chip = Lan9118::stopped(bus, memory);
        chip.begin(fallback)?;
        Ok(chip)
    }

    /// A controller that is still to [begin](Lan9118::begin), where it stands: what is started in
    /// one place and then used in another is copied.
    pub fn stopped(bus: B, memory: &'m mut FrameMemory) -> Self {
        Lan9118 {
            bus,
            memory,
            address: [0; 6],
            control: TXEN | RXEN,
            link: LinkState::Down,
            blocked: false,
            lost: Lost::default(),
        }
    }

    /// Resets and starts the controller. `fallback` becomes its address where it has none of its own.
    ///
    /// # Errors
    /// As [`new`](Lan9118::new).
    pub fn begin(&mut self, fallback: [u8; 6]) -> Result<(), InitError> {
        self.identify()?;
        self.reset()?;
        self.find_address(fallback)?;
        self.start()?;
        Ok(())
    }

    fn identify(&self) -> Result<(), InitError> {
        // A sleeping chip wakes on a write to BYTE_TEST and answers nothing until READY.
        self.bus.write(regs::BYTE_TEST, 0);
        self.wait_for_bits(regs::PMT_CTRL, regs::READY, regs::READY)
            .map_err(|_| InitError::NotFound)?;
        if self.bus.read(regs::BYTE_TEST) != regs::BYTE_TEST_VALUE {
            return Err(InitError::NotFound);
        }
        let id = (self.bus.read(regs::ID_REV) >> 16) as u16;
        match id >> 8 {
            // LAN9115-9118, LAN9215-9218 (0x115a-0x118a), LAN921x and LAN922x.
            0x01 | 0x11 | 0x92 => Ok(()),
            _ => Err(InitError::Unsupported(id)),
        }
    }

    fn reset(&self) -> Result<(), mac::Stuck> {
        self.bus.write(regs::HW_CFG, regs::SRST);
        self.wait_for_bits(regs::HW_CFG, regs::SRST, 0)?;
        self.wait_for_bits(regs::E2P_CMD, regs::EPC_BUSY, 0)
    }

    fn start(&mut self) -> Result<(), mac::Stuck> {
        // 5 KiB of the 16 to transmit: three full frames, and seven to receive.
        self.bus.write(
            regs::HW_CFG,
            regs::SF | (fifo::TX_SHARE << regs::TX_FIF_SZ_SHIFT),
        );
        // Active high and push-pull before anything can be pending: out of reset the line is
        // active low, which a controller expecting the opposite sees as a stuck interrupt.
        self.bus
            .write(regs::IRQ_CFG, regs::IRQ_EN | regs::IRQ_POL | regs::IRQ_TYPE);
        // A received status above level 0, that is every frame; room for a full frame.
        self.bus.write(
            regs::FIFO_INT,
            fifo::FULL_FRAME_UNITS << regs::TX_DATA_LEVEL_SHIFT,
        );
        self.bus.write(regs::INT_STS, u32::MAX);
        self.negotiate()?;
        self.refresh_link()?;
        self.enable_interrupts();
        self.bus.write(regs::RX_CFG, 0);
        self.bus.write(regs::TX_CFG, regs::TX_ON);
        self.write_control()
    }

    /// Frames lost so far. Reads the chip's own counter of overruns, so it asks for `&mut`.
    pub fn lost(&mut self) -> Lost {
        let overrun = self.bus.read(regs::RX_DROP);
        self.lost.overrun = self.lost.overrun.wrapping_add(overrun);
        self.lost
    }

    /// The chip's free-running counter: 25 MHz, modulo 2³², from a crystal of its own.
    pub fn free_run(&self) -> u32 {
        self.bus.read(regs::FREE_RUN)
    }

    /// Takes note of what raised the interrupt line and releases it. True if the link changed.
    pub fn acknowledge(&mut self) -> bool {
        let before = self.link;
        let causes = self.bus.read(regs::INT_STS);
        if causes & regs::PHY_INT != 0 && self.refresh_link().is_err() {
            self.link = LinkState::Down;
        }
        self.bus.write(regs::INT_STS, causes);
        self.link != before
    }

    /// Whether a frame waits to be received, or one that was refused with `Full` has room now.
    pub fn has_work(&self) -> bool {
        self.frames_waiting() || (self.blocked && self.room() >= fifo::FULL_FRAME)
    }

    /// Enables the causes that matter now. Room in the transmit FIFO is the normal state, so it
    /// is a cause only while a refused frame waits for it.
    fn enable_interrupts(&self) {
        let room = if self.blocked { regs::TDFA_INT } else { 0 };
        self.bus
            .write(regs::INT_EN, regs::PHY_INT | regs::RSFL_INT | room);
    }

    fn set_control(&mut self, bit: u32, on: bool) -> Result<(), mac::Stuck> {
        let control = if on {
            self.control | bit
        } else {
            self.control & !bit
        };
        self.control = control;
        self.write_control()
    }
}

impl<B: Bus> Driver for Lan9118<'_, B> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        for frames in 0..BATCH {
            let Some(len) = self.next_frame() else {
                return frames;
            };
            each(
                self.memory.0.get(..len).unwrap_or_default(),
                &RxMeta::default(),
            );
        }
        BATCH
    }

    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        for frames in 0..BATCH {
            let Some(len) = self.next_answerable() else {
                return Some(frames);
            };
            let frame = self.memory.0.get_mut(..len).unwrap_or_default();
            let answer = each(frame, &RxMeta::default());
            if answer > 0 {
                self.send(answer);
            }
        }
        Some(BATCH)
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        self.link
    }

    /// The chip filters by a hash of 64 buckets: frames of a few other groups pass too.
    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        let mut buckets = 0u64;
        for group in groups {
            buckets |= 1 << mac::bucket(group);
        }
        // A chip that stays busy here has lost its link too, which `acknowledge` reports.
        let _ = self
            .set_buckets(buckets)
            .and_then(|()| self.set_control(HPFILT, buckets != 0));
    }
}
