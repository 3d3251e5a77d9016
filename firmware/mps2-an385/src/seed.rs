//! A seed on a board without a random number generator: see [`crate::Board::seed`].

use cortex_m::peripheral::SYST;

use crate::Ethernet;

/// Looks at both clocks for each byte of the seed: a few bits each of drift and jitter.
const LOOKS: u32 = 16;

/// Folds clock drift and the link-layer address into a seed. Takes less than a millisecond.
// Once at start: a function of its own gives its registers back.
#[inline(never)]
pub(crate) fn gather(ethernet: &Ethernet) -> [u8; 32] {
    let mut word = 0u32;
    for own in ethernet.address() {
        word = word.rotate_left(5) ^ u32::from(own);
    }
    let mut seed = [0; 32];
    for byte in &mut seed {
        for _ in 0..LOOKS {
            // An odd rotation: every look reaches every bit.
            let look = ethernet.free_run().rotate_left(16) ^ SYST::get_current();
            word = word.rotate_left(7).wrapping_add(look);
        }
        *byte = (word ^ word >> 16) as u8;
    }
    seed
}
