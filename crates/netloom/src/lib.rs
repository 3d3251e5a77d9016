//! A TCP/IP stack outside the kernel: for firmware, VPNs and proxies, and programs on a host.
#![cfg_attr(not(any(feature = "host", feature = "sim")), no_std)]
#![forbid(unsafe_code)]

pub use netloom_driver as driver;
pub use netloom_stack as stack;
#[cfg(feature = "tcp")]
pub use netloom_tcp as tcp;
pub use netloom_wire as wire;

#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::device;
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::device::{LinkEnd, PacketSocket, Tap, Tun};
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::net::{self, Net, TcpListener, TcpStream, UdpSocket};
#[cfg(feature = "sim")]
pub use netloom_sim as sim;
