//! What a panic does: the machine stops where a debugger finds it. No message: formatting one
//! would cost more flash than the network stack's checksum code.

use core::panic::PanicInfo;

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cortex_m::interrupt::disable();
    loop {
        cortex_m::asm::wfi();
    }
}
