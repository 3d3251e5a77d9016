//! Bytes to typed headers and back, without state, clock or heap.
//!
//! Each protocol has a *view* and an owned *representation*:
//!
//! * A view (`TcpView`, ...) borrows the bytes of a packet. Making one checks every length once;
//!   after that an accessor is one load and nothing can fail. Views chain:
//!   `Frame::new(bytes).ethernet()?.ipv4()?.tcp()?`. Making a view verifies no checksum: devices
//!   often did, so `checksum_valid` is a step of its own.
//! * A representation (`TcpRepr`, ...) is a plain struct with `parse(&view)` and `emit(buf)`.
//!   `emit` writes a header and returns what follows it, so that headers chain too.
//!
//! ```
//! # #[cfg(not(feature = "ipv4"))]
//! # fn main() {}
//! # #[cfg(feature = "ipv4")]
//! # fn main() -> Result<(), netloom_wire::WireError> {
//! use netloom_wire::{Addr, Frame, Ipv4Repr, TcpFlags, TcpRepr, checksum, protocol, tcp};
//!
//! let (src, dst) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
//! let data = b"hello";
//! let header = TcpRepr {
//!     src_port: 43210,
//!     dst_port: 80,
//!     seq: 1,
//!     ack: 1,
//!     flags: TcpFlags::PSH | TcpFlags::ACK,
//!     window: 64240,
//!     ..TcpRepr::default()
//! };
//! let segment_len = header.header_len() + data.len();
//! let mut packet = [0; 45];
//! let ip = Ipv4Repr::new(src, dst, protocol::TCP, segment_len as u16);
//!
//! let segment = ip.emit(&mut packet)?;
//! let body = header.emit(segment)?;
//! let sum = checksum::copy_and_sum(body, data, checksum::Sum::new());
//! let checksum = tcp::checksum(&src, &dst, &segment[..header.header_len()], data.len(), sum);
//! tcp::set_checksum(segment, checksum);
//!
//! let tcp = Frame::new(&packet).ipv4()?.tcp()?;
//! assert!(tcp.checksum_valid(&src, &dst));
//! assert_eq!(tcp.payload(), b"hello");
//! # Ok(()) }
//! ```
//!
//! Nothing here panics on any bytes, and every function's work is bounded by the packet's length.
//!
//! # Features
//!
//! * `ipv4`: IPv4, ICMPv4, ARP, DHCPv4. On by default.
//! * `ipv6`: IPv6, extension headers, ICMPv6, Neighbor Discovery. On by default. Without it
//!   [`Addr`] takes 4 bytes, not 16.
//! * `alloc`: ICMP and Neighbor Discovery messages written into a `Vec` of their own.
#![no_std]
#![forbid(unsafe_code)]
#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod addr;
#[cfg(feature = "ipv4")]
pub mod arp;
#[cfg_attr(
    not(all(feature = "ipv4", feature = "ipv6")),
    allow(dead_code, reason = "some widths serve one IP version only")
)]
mod bytes;
pub mod checksum;
pub mod cidr;
pub mod describe;
#[cfg(feature = "ipv4")]
pub mod dhcpv4;
pub mod dns;
mod error;
pub mod ethernet;
#[cfg(feature = "ipv6")]
pub mod extension;
pub mod frame;
#[doc(hidden)]
pub mod hint;
#[cfg(feature = "ipv4")]
pub mod icmpv4;
#[cfg(feature = "ipv6")]
pub mod icmpv6;
#[cfg(feature = "ipv4")]
pub mod ipv4;
#[cfg(feature = "ipv4")]
pub mod ipv4_options;
#[cfg(feature = "ipv6")]
pub mod ipv6;
pub mod mac;
#[cfg(feature = "ipv6")]
pub mod ndp;
#[cfg(feature = "ipv6")]
pub mod ndp_options;
pub mod ntp;
#[cfg(feature = "ipv4")]
pub mod plain;
pub mod protocol;
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
pub mod quoted;
pub mod tcp;
pub mod tcp_options;
pub mod udp;
pub mod vlan;

pub use addr::{Addr, ParseError};
#[cfg(feature = "ipv4")]
pub use arp::{ArpOperation, ArpRepr, ArpView};
pub use checksum::Sum;
pub use cidr::Cidr;
pub use error::WireError;
pub use ethernet::{EtherType, EthernetRepr, EthernetView};
#[cfg(feature = "ipv6")]
pub use extension::{ExtensionError, Fragment, Upper};
pub use frame::{Frame, IpView};
#[cfg(feature = "ipv4")]
pub use icmpv4::{Icmpv4Repr, Icmpv4View};
#[cfg(feature = "ipv6")]
pub use icmpv6::{Icmpv6Repr, Icmpv6View};
#[cfg(feature = "ipv4")]
pub use ipv4::{Ipv4Repr, Ipv4View};
#[cfg(feature = "ipv4")]
pub use ipv4_options::{Ipv4Option, Ipv4Options};
#[cfg(feature = "ipv6")]
pub use ipv6::{Ipv6Repr, Ipv6View};
pub use mac::MacAddr;
#[cfg(feature = "ipv6")]
pub use ndp::{NdpMessage, NdpView, RouterAdvertisement};
#[cfg(feature = "ipv6")]
pub use ndp_options::{NdpOption, NdpOptions, PrefixInformation, RecursiveDnsServers};
#[cfg(any(feature = "ipv4", feature = "ipv6"))]
pub use quoted::Quoted;
pub use tcp::{TcpFlags, TcpHeader, TcpRepr, TcpView};
pub use tcp_options::{
    FastOpenCookie, SackBlocks, TcpOption, TcpOptionIter, TcpOptionWords, TcpOptions, Timestamps,
    UserTimeout,
};
pub use udp::{UdpRepr, UdpView};
pub use vlan::VlanTag;
