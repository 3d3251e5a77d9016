//! How the driver reaches the chip's registers: memory-mapped, or a model of the chip in a test.

use crate::regs::Register;

/// 32-bit access to the chip's registers. Reading may have side effects (it takes a word from a
/// FIFO), so every call is one access to the chip, in program order.
pub trait Bus {
    /// Reads a register.
    fn read(&self, register: Register) -> u32;
    /// Writes a register.
    fn write(&self, register: Register, value: u32);
}

pub use mmio::Mmio;

mod mmio {
    #![expect(
        unsafe_code,
        reason = "a device register is an address and nothing else; the promise that it is the chip's is made once, in Mmio::new"
    )]

    use super::{Bus, Register};

    /// The registers mapped into memory from `BASE` on, 32 bits wide.
    #[derive(Debug)]
    pub struct Mmio<const BASE: usize>(());

    impl<const BASE: usize> Mmio<BASE> {
        /// Claims the registers.
        ///
        /// # Safety
        /// The 256 bytes from `BASE`, a multiple of 4, are the registers of a LAN9118 and mapped
        /// as device memory, and nothing else uses them while the value exists.
        pub const unsafe fn new() -> Self {
            Mmio(())
        }
    }

    impl<const BASE: usize> Bus for Mmio<BASE> {
        #[inline(always)]
        fn read(&self, register: Register) -> u32 {
            let address = (BASE + register.offset()) as *const u32;
            // SAFETY: `new` promised 256 bytes of registers at BASE, a multiple of 4, and every
            // `Register` is a multiple of 4 below 256. Device memory holds no Rust object that
            // could be aliased.
            unsafe { address.read_volatile() }
        }

        #[inline(always)]
        fn write(&self, register: Register, value: u32) {
            let address = (BASE + register.offset()) as *mut u32;
            // SAFETY: as in `read`.
            unsafe { address.write_volatile(value) }
        }
    }
}
