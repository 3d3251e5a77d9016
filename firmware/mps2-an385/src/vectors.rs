//! The interrupt vectors: of the AN385's 32 external interrupts those up to the last that is ever
//! enabled. A table for the 240 a Cortex-M3 could have, cortex-m-rt's default, costs 904 bytes of
//! flash more.
#![expect(
    unsafe_code,
    reason = "the table is placed by symbol and section name, and holds a linker symbol"
)]

use cortex_m::interrupt::InterruptNumber;

/// External interrupts in use (AN385, table 3-9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Interrupt {
    Ethernet = 13,
}

// SAFETY: the number is below 32, fixed, and the chip's.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

unsafe extern "C" {
    /// cortex-m-rt's handler of whatever has none: it stops.
    fn DefaultHandler();
}

/// cortex-m-rt's linker script puts this behind the core's own 16 vectors. No external
/// interrupt ever runs a handler here: see [`crate::Board::idle_until`].
// SAFETY: the name and the section are those that cortex-m-rt's link.x asks for, and the entries
// are functions of the type the core calls.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [unsafe extern "C" fn(); Interrupt::Ethernet as usize + 1] =
    [DefaultHandler; Interrupt::Ethernet as usize + 1];
