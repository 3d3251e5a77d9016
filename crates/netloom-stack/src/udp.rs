//! UDP (RFC 768): sockets, datagrams in and out.

mod bind;
#[cfg(feature = "flows")]
mod flow;
#[cfg(feature = "alloc")]
pub(crate) mod groups;
mod input;
mod output;
pub mod queue;
mod socket;

pub use bind::UdpBind;
pub use queue::Received;
pub use socket::{UdpMessage, UdpSettings};
pub(crate) use socket::{UdpSlot, UdpState};
