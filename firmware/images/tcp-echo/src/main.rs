//! Answers ping and echoes TCP on port 7, two connections at a time, in memory declared below.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use mps2_an385::{Board, FrameMemory, entry};
use netloom_stack::driver::Instant;
use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, Error, IfaceId, ListenerHandle, Seed, Stack, Storage, TcpHandle};
use static_cell::ConstStaticCell;

// ADDRESS, PREFIX and GATEWAY, chosen when the image is built: see build.rs.
include!(concat!(env!("OUT_DIR"), "/address.rs"));

/// The echo service's (RFC 862).
const PORT: u16 = 7;

/// Echoed at the same time; others wait to be accepted.
const CONNECTIONS: usize = 2;

/// Locally administered; for a controller without an address in an EEPROM.
const FALLBACK_ADDRESS: [u8; 6] = [0x02, 0x00, 0x00, 0x00, 0x03, 0x85];

static FRAME: ConstStaticCell<FrameMemory> = ConstStaticCell::new(FrameMemory::new());
static NET: ConstStaticCell<Storage<CONNECTIONS, 1, 0, 1024, 1024>> =
    ConstStaticCell::new(Storage::new());

#[entry]
fn main() -> ! {
    let Ok(mut board) = Board::take(FRAME.take(), FALLBACK_ADDRESS) else {
        panic!("the board does not start");
    };
    let mut config = Config::ethernet(MacAddr(board.ethernet.address())).gateway(Addr::v4(GATEWAY));
    if let Some(address) = Cidr::new(Addr::v4(ADDRESS), PREFIX) {
        config = config.address(address);
    }
    let mut stack = Stack::new(config, NET.take(), Seed::from(board.seed()));
    let Ok(listener) = stack.tcp_listen(PORT) else {
        panic!("a new stack has room for a listener");
    };
    let mut connections = [None; CONNECTIONS];
    loop {
        stack.receive_all(board.now(), IfaceId::FIRST, &mut board.ethernet);
        for connection in &mut connections {
            serve(&mut stack, listener, connection);
        }
        // A full transmitter ends the sleep when it has room again.
        let _ = stack.transmit_to(board.now(), IfaceId::FIRST, &mut board.ethernet);
        board.idle_until(stack.next_deadline().unwrap_or(Instant::FAR_FUTURE));
    }
}

/// Accepts a connection if there is none, and echoes what it has received.
fn serve(stack: &mut Stack, listener: ListenerHandle, connection: &mut Option<TcpHandle>) {
    if connection.is_none() {
        *connection = stack.tcp_accept(listener).unwrap_or(None);
    }
    let Some(handle) = *connection else { return };
    match echo(stack, handle) {
        Err(Error::WouldBlock) => {}
        // The peer has finished, or is lost. What it has not got yet is sent all the same.
        Ok(()) | Err(_) => {
            let _ = stack.tcp_close(handle);
            *connection = None;
        }
    }
}

/// Echoes to the end of what the peer sends. [`Error::WouldBlock`]: to be called again.
fn echo(stack: &mut Stack, handle: TcpHandle) -> Result<(), Error> {
    let mut buffer = [0; 128];
    loop {
        let read = stack.tcp_peek(handle, 0, &mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        let written = stack.tcp_write(handle, buffer.get(..read).unwrap_or_default())?;
        stack.tcp_read_with(handle, |_, _| written)?;
    }
}
