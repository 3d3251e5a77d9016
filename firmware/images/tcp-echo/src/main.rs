//! Answers ping and echoes TCP on port 7, two connections at a time, in memory declared below.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use echo::Echo;
use mps2_an385::{Board, FrameMemory, entry};
use netloom_stack::driver::Instant;
use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, IfaceId, Seed, Stack, Storage};

// ADDRESS, PREFIX and GATEWAY, chosen when the image is built: see build.rs.
include!(concat!(env!("OUT_DIR"), "/address.rs"));

/// Echoed at the same time; others wait to be accepted.
const CONNECTIONS: usize = 2;

/// Locally administered; for a controller without an address in an EEPROM.
const FALLBACK_ADDRESS: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x03, 0x85];

#[entry]
fn main() -> ! {
    // `entry` lends them for ever: nobody else calls this function.
    static mut FRAME: FrameMemory = FrameMemory::new();
    static mut NET: Storage<CONNECTIONS, 1, 0, 1024, 1024> = Storage::new();

    let Some(mut board) = Board::take(FRAME) else {
        panic!("the board is taken once");
    };
    if board.start(FALLBACK_ADDRESS).is_err() {
        panic!("the board does not start");
    }
    let mut config = Config::ethernet(MacAddr(board.ethernet.address())).gateway(Addr::v4(GATEWAY));
    if let Some(address) = Cidr::new(Addr::v4(ADDRESS), PREFIX) {
        config = config.address(address);
    }
    let mut stack = Stack::new(config, NET, Seed::from(board.seed()));
    let Ok(mut echo) = Echo::<CONNECTIONS>::new(&mut stack) else {
        panic!("a new stack has room for a listener");
    };
    loop {
        stack.receive_all(board.now(), IfaceId::FIRST, &mut board.ethernet);
        echo.serve(&mut stack);
        // A full transmitter ends the sleep when it has room again.
        let _ = stack.transmit_to(board.now(), IfaceId::FIRST, &mut board.ethernet);
        board.idle_until(stack.next_deadline().unwrap_or(Instant::FAR_FUTURE));
    }
}
