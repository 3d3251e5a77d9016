//! Sends every frame back to where it came from, with no stack in between: board, clock and
//! driver alone are the floor under the size of every other image.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use mps2_an385::{Board, FrameMemory, entry};
use netloom_driver::{Driver, Instant};
use static_cell::ConstStaticCell;

static FRAME: ConstStaticCell<FrameMemory> = ConstStaticCell::new(FrameMemory::new());

/// Locally administered; for a controller without an address in an EEPROM.
const FALLBACK_ADDRESS: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x03, 0x85];

#[entry]
fn main() -> ! {
    let Some(mut board) = Board::take(FRAME.take()) else {
        panic!("the board is taken once");
    };
    if board.start(FALLBACK_ADDRESS).is_err() {
        panic!("the board does not start");
    }
    let address = board.ethernet.address();
    loop {
        let _ = board
            .ethernet
            .receive_answering(&mut |frame, _| turn(frame, address));
        board.idle_until(Instant::FAR_FUTURE);
    }
}

/// Addresses the frame to its sender; returns its length.
fn turn(frame: &mut [u8], own: [u8; 6]) -> usize {
    if let Some((destination, rest)) = frame.split_first_chunk_mut::<6>() {
        if let Some(source) = rest.first_chunk_mut::<6>() {
            *destination = *source;
            *source = own;
        }
    }
    frame.len()
}
