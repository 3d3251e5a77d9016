//! netloom on a host: devices, and what it takes to wait for them.
//!
//! * [`device::Tap`], [`device::Tun`]: a virtual interface whose other end is the kernel's.
//! * [`device::PacketSocket`]: the frames of an existing interface (`AF_PACKET`).
//! * [`device::Replay`]: a capture as a device; [`capture::Reader`] reads one.
//! * [`dhcp::FileStore`]: what a DHCP server gave away, kept in a file.
//! * [`device::KernelEnd`]: addresses, MTU and state of an interface's kernel side.
//! * `tokio` (feature `tokio`): the same sockets for tokio, and flows: everybody's connections as
//!   streams.
//! * [`device::Waiter`]: sleep until a device, another thread or a deadline needs attention.
//!
//! Every device is a [`netloom_driver::Driver`], so the stack knows none of them. Devices exist
//! on Linux only; elsewhere the crate compiles without them.
//!
//! # A loop over one device
//!
//! ```no_run
//! # #[cfg(target_os = "linux")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use netloom_driver::Driver;
//! use netloom_host::device::{Device, Tap, Waiter};
//!
//! let mut tap = Tap::create("netloom0")?;
//! tap.kernel_end()?.address("10.71.0.1".parse()?, 24)?.up()?;
//! let mut waiter = Waiter::new()?;
//! while tap.fault().is_none() {
//!     waiter.wait(&[&tap], None)?;
//!     while tap.receive(&mut |frame, _meta| println!("{} bytes", frame.len())) > 0 {}
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(target_os = "linux"))]
//! # fn main() {}
//! ```
#![deny(unsafe_code)]

pub mod capture;
#[cfg(feature = "control")]
pub mod control;
#[cfg(target_os = "linux")]
pub mod device;
pub mod dhcp;
#[cfg(target_os = "linux")]
pub mod net;
#[cfg(all(target_os = "linux", feature = "tokio"))]
pub use net::tokio;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "the one module that talks to the kernel")]
mod sys;
