//! A seed on a board without a random number generator: see [`crate::Board::seed`].

use cortex_m::peripheral::SYST;

use crate::Ethernet;

/// Looks at both clocks for each word of the seed: a few bits each of drift and jitter.
const LOOKS: u32 = 64;

/// Folds clock drift and the link-layer address into a seed. Takes less than a millisecond.
pub(crate) fn gather(ethernet: &Ethernet) -> [u8; 32] {
    let mut seed = [0; 32];
    let mut word = 0u32;
    for (bytes, own) in seed
        .chunks_exact_mut(4)
        .zip(ethernet.address().into_iter().cycle())
    {
        word = word.rotate_left(8) ^ u32::from(own);
        for _ in 0..LOOKS {
            // An odd rotation: every look reaches every bit.
            let look = ethernet.free_run().rotate_left(16) ^ SYST::get_current();
            word = word.rotate_left(7).wrapping_add(look);
        }
        for (place, byte) in bytes.iter_mut().zip(word.to_le_bytes()) {
            *place = byte;
        }
    }
    seed
}
