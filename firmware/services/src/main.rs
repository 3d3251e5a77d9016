//! What each service costs on a microcontroller, measured by `services.sh`: this program, built
//! without any and with each.
//!
//! Without services it uses the stack's sockets in every way that they do ([`base`]), so that what a
//! service adds is its own. Each service does what it is there for; what it finds out goes where the
//! compiler cannot see that nobody wants it. It is built and weighed, not run: `images` has what runs.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod base;
#[cfg(feature = "dhcp-client")]
mod dhcp_client;
#[cfg(feature = "dhcp-server")]
mod dhcp_server;
#[cfg(feature = "dns")]
mod dns;
#[cfg(feature = "http-client")]
mod http_client;
#[cfg(feature = "http-server")]
mod http_server;
#[cfg(feature = "ntp-client")]
mod ntp_client;
#[cfg(feature = "ntp-server")]
mod ntp_server;

use base::Base;
use mps2_an385::{Board, FrameMemory, entry};
use netloom_stack::driver::Instant;
use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, IfaceId, Seed, Stack, Storage};
use static_cell::ConstStaticCell;

/// Sockets of the base, and of each service.
const UDP: usize = 1
    + cfg!(feature = "dhcp-client") as usize
    + cfg!(feature = "dhcp-server") as usize
    + cfg!(feature = "dns") as usize
    + cfg!(feature = "ntp-client") as usize
    + cfg!(feature = "ntp-server") as usize;
const TCP: usize = base::CONNECTIONS
    + cfg!(feature = "dns") as usize
    + cfg!(feature = "http-server") as usize
    + cfg!(feature = "http-client") as usize;
const LISTENERS: usize = 1 + cfg!(feature = "http-server") as usize;

static FRAME: ConstStaticCell<FrameMemory> = ConstStaticCell::new(FrameMemory::new());
static NET: ConstStaticCell<Storage<TCP, LISTENERS, UDP, 1024, 1024>> =
    ConstStaticCell::new(Storage::new());

#[entry]
fn main() -> ! {
    let Some(mut board) = Board::take(FRAME.take()) else {
        panic!("the board is taken once");
    };
    if board.start([2, 0, 0, 0, 3, 0x85]).is_err() {
        panic!("the board does not start");
    }
    let mut config = Config::ethernet(MacAddr(board.ethernet.address()));
    if let Some(address) = Cidr::new(Addr::v4([10, 71, 0, 2]), 24) {
        config = config.address(address);
    }
    let mut stack = Stack::new(config, NET.take(), Seed::from(board.seed()));
    let mut base = Base::start(&mut stack);
    #[cfg(feature = "dhcp-client")]
    let mut dhcp_client = dhcp_client::Service::start(&mut stack);
    #[cfg(feature = "dhcp-server")]
    let mut dhcp_server = dhcp_server::Service::start(&mut stack);
    #[cfg(feature = "dns")]
    let mut dns = dns::Service::start(Seed::from(board.seed()));
    #[cfg(feature = "ntp-client")]
    let mut ntp_client = ntp_client::Service::start(Seed::from(board.seed()));
    #[cfg(feature = "ntp-server")]
    let mut ntp_server = ntp_server::Service::start(&mut stack);
    #[cfg(feature = "http-server")]
    let mut http_server = http_server::Service::start(&mut stack);
    #[cfg(feature = "http-client")]
    let mut http_client = http_client::Service::start(&mut stack);
    loop {
        stack.receive_all(board.now(), IfaceId::FIRST, &mut board.ethernet);
        base.turn(&mut stack);
        #[cfg(feature = "dhcp-client")]
        dhcp_client.turn(&mut stack);
        #[cfg(feature = "dhcp-server")]
        dhcp_server.turn(&mut stack);
        #[cfg(feature = "dns")]
        dns.turn(&mut stack);
        #[cfg(feature = "ntp-client")]
        ntp_client.turn(&mut stack);
        #[cfg(feature = "ntp-server")]
        ntp_server.turn(&mut stack);
        #[cfg(feature = "http-server")]
        http_server.turn(&mut stack);
        #[cfg(feature = "http-client")]
        http_client.turn(&mut stack);
        let _ = stack.transmit_to(board.now(), IfaceId::FIRST, &mut board.ethernet);
        board.idle_until(stack.next_deadline().unwrap_or(Instant::FAR_FUTURE));
    }
}
