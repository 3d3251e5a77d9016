//! Board support for Arm's MPS2 with the AN385 FPGA image: a Cortex-M3 at 25 MHz with a LAN9220
//! (a LAN9118 to software). QEMU emulates it as `mps2-an385`.
//!
//! [`Board::take`] starts the clock, [`Board::start`] the network controller; [`Board::idle_until`] sleeps
//! until a frame or a deadline. No interrupt handler touches the controller: its line is
//! enabled only while the processor sleeps with interrupts masked, where it ends the sleep
//! without running anything.
#![no_std]
#![deny(unsafe_code)]

mod clock;
mod mem;
mod panic;
mod seed;
mod vectors;

pub use clock::Clock;
pub use cortex_m_rt::entry;
pub use lan9118::{FrameMemory, InitError};

use cortex_m::interrupt;
use cortex_m::peripheral::NVIC;
use lan9118::{Lan9118, Mmio};
use netloom_driver::Instant;
use vectors::Interrupt;

/// The network controller of this board.
pub type Ethernet = Lan9118<'static, Mmio<0x4020_0000>>;

/// The board, started.
#[derive(Debug)]
pub struct Board {
    /// The network controller.
    pub ethernet: Ethernet,
    /// The time since [`Board::take`].
    pub clock: Clock,
}

impl Board {
    /// Takes the board, and starts its clock. The controller is to be
    /// [started](Board::start) where the board stays.
    ///
    /// `None` if the board was taken before.
    pub fn take(memory: &'static mut FrameMemory) -> Option<Board> {
        let core = cortex_m::Peripherals::take()?;
        let clock = Clock::start(core.SYST);
        #[expect(unsafe_code, reason = "the registers' address is this board's to know")]
        // SAFETY: the AN385 maps the controller's registers here (AN385, table 3-1), and
        // `Peripherals::take` above succeeds once, so nothing else holds them.
        let registers = unsafe { Mmio::new() };
        let ethernet = Lan9118::stopped(registers, memory);
        Some(Board { ethernet, clock })
    }

    /// Starts the network controller. `fallback` becomes its address where it has none of its own.
    ///
    /// # Errors
    /// What [`Lan9118::begin`] says.
    pub fn start(&mut self, fallback: [u8; 6]) -> Result<(), InitError> {
        self.ethernet.begin(fallback)
    }

    /// The time since [`Board::take`].
    pub fn now(&mut self) -> Instant {
        self.clock.now()
    }

    /// 32 bytes that differ from start to start: **weak entropy**.
    ///
    /// The AN385 has no random number generator, so this uses what it has. The processor and the
    /// network controller run from two crystals; how their clocks lie to each other at a given
    /// instruction drifts and jitters from start to start. The link-layer address keeps boards
    /// apart that jitter alike.
    ///
    /// Sequence numbers and ports differ then between starts and between boards; that does not
    /// withstand somebody who can start the same board again and again and measure it, and nobody
    /// has measured how many bits it yields on the real board. In QEMU both clocks are the host's
    /// and the jitter is that of the emulator's speed; with `-icount` there is none, and every run
    /// has the same seed. A product takes its seed from a hardware generator instead.
    pub fn seed(&self) -> [u8; 32] {
        seed::gather(&self.ethernet)
    }

    /// Sleeps until a frame has arrived, a transmitter that was full has room, the link has
    /// changed, or `deadline` has come, to the millisecond.
    pub fn idle_until(&mut self, deadline: Instant) {
        while !interrupt::free(|_| self.sleep_once(deadline)) {
            // Here the clock's interrupt runs, if that is what ended the sleep.
        }
    }

    /// One sleep, with interrupts masked so that nothing can slip in between the look and the
    /// sleep. True if there was no reason to sleep.
    fn sleep_once(&mut self, deadline: Instant) -> bool {
        let link_changed = self.ethernet.acknowledge();
        NVIC::unpend(Interrupt::Ethernet);
        // A frame that arrived before this look is seen by it; one that arrives after raises
        // the line anew, and the sleep ends at once.
        if link_changed || self.ethernet.has_work() || self.clock.now() >= deadline {
            return true;
        }
        #[expect(
            unsafe_code,
            reason = "unmasking can break a critical section based on masks"
        )]
        // SAFETY: nothing in this crate relies on the line being masked but the absence of a
        // handler, and PRIMASK, set by `interrupt::free`, keeps any from running until the line
        // is masked again below.
        unsafe {
            NVIC::unmask(Interrupt::Ethernet);
        }
        // Not WFE: emulators busy-wait on it.
        cortex_m::asm::wfi();
        NVIC::mask(Interrupt::Ethernet);
        false
    }
}
