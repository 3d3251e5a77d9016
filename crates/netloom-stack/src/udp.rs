//! UDP (RFC 768): sockets, datagrams in and out.

mod input;
mod output;
pub mod queue;
mod socket;

pub use queue::Received;
pub use socket::{UdpBind, UdpMessage};
pub(crate) use socket::{UdpSlot, UdpState};
