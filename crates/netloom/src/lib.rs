//! A TCP/IP stack outside the kernel: for firmware, VPNs and proxies, and programs on a host.
//!
//! One protocol engine serves all three. It is driven, not run: bytes and time go in, bytes and
//! deadlines come out. What differs is who drives it.
//!
//! # The stack itself
//!
//! No runtime, no device, no clock: [`receive`](stack::Stack::receive),
//! [`transmit`](stack::Stack::transmit), [`next_deadline`](stack::Stack::next_deadline) and
//! [`poll_event`](stack::Stack::poll_event) are the whole of it. Here are two stacks, and two
//! queues of frames between them.
//!
//! ```
//! use netloom::driver::{FrameQueue, Instant, RxMeta};
//! use netloom::stack::{Config, Error, IfaceId, Limits, Seed, Stack};
//!
//! fn stack(address: &str) -> Stack {
//!     let config = Config::ip().address(address.parse().unwrap());
//!     Stack::with_heap(config, Limits::default(), Seed::for_tests(7)) // a secret, in earnest
//! }
//!
//! let (mut a, mut b) = (stack("10.0.0.1/24"), stack("10.0.0.2/24"));
//! let (mut to_a, mut to_b) = (FrameQueue::default(), FrameQueue::default());
//! let listener = b.tcp_listen(7)?;
//! let client = a.tcp_connect(([10, 0, 0, 2], 7).into())?;
//! a.tcp_write(client, b"hello")?;
//! for millis in 1000..1004 {
//!     let now = Instant::from_millis(millis);
//!     let _ = a.transmit(now, IfaceId::FIRST, &mut to_b);
//!     for frame in to_b.frames.drain(..) { b.receive(now, IfaceId::FIRST, &frame, &RxMeta::default()); }
//!     let _ = b.transmit(now, IfaceId::FIRST, &mut to_a);
//!     for frame in to_a.frames.drain(..) { a.receive(now, IfaceId::FIRST, &frame, &RxMeta::default()); }
//! }
//! let server = b.tcp_accept(listener)?.unwrap();
//! let mut buffer = [0; 16];
//! assert_eq!(b.tcp_read(server, &mut buffer)?, 5);
//! # Ok::<(), Error>(())
//! ```
//!
//! Firmware does the same with memory it lends ([`stack::Storage`]) instead of the heap.
//!
//! # A server on a host
//!
#![cfg_attr(
    all(feature = "host", target_os = "linux"),
    doc = "A [`Net`] is a stack that runs on a device of the host, with sockets like those of `std::net`:"
)]
#![cfg_attr(
    not(all(feature = "host", target_os = "linux")),
    doc = "With the feature `host`, on Linux, a `Net` is a stack that runs on a device of the host:"
)]
//!
#![cfg_attr(all(feature = "host", target_os = "linux"), doc = "```no_run")]
#![cfg_attr(not(all(feature = "host", target_os = "linux")), doc = "```ignore")]
//! use std::io::Write;
//!
//! # fn main() -> std::io::Result<()> {
//! let net = netloom::Tap::create("netloom0")?
//!     .address("10.71.0.2/24")
//!     .kernel_address("10.71.0.1/24")
//!     .start()?;
//! for stream in net.tcp_listen("0.0.0.0:80")?.incoming() {
//!     let mut stream = stream?;
//!     std::thread::spawn(move || stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello\n"));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Services
//!
//! With the feature `host`, on Linux, a running stack has DHCP, DNS and NTP with it. Firmware has them
//! from the crate `netloom-services`, which needs no heap, and everybody has HTTP from there.
//! `docs/services.md` has programs, defaults and limits.
//!
//! | service | here | in `netloom-services` |
//! |---|---|---|
//! | an address from DHCP | `net::Builder::dhcp`, `Net::dhcp_lease` | `dhcp::Client` |
//! | a DHCP server | `Net::dhcp_serve`, with what is in `dhcp` | `dhcp::Server` |
//! | names | `net::Builder::dns`, `Net::lookup_host`, `Net::dns_query` | `dns::Resolver`, `dns::Connector` |
//! | the time | `Net::ntp_client`, `Net::ntp_server` | `ntp::Client`, `ntp::Server` |
//! | HTTP/1.1 | | `http::Client`, `http::Session`, `http::Server` |
//!
//! # A test under a bad network
//!
//! With the feature `sim` a program runs on a virtual network and a virtual clock: deterministic,
//! without rights, in milliseconds.
//!
#![cfg_attr(feature = "sim", doc = "```")]
#![cfg_attr(not(feature = "sim"), doc = "```ignore")]
//! use netloom::sim::{Error, Link, Sim, TcpListener, TcpStream, ms};
//!
//! async fn server() -> Result<(), Error> {
//!     let (stream, _) = TcpListener::bind(80)?.accept().await?;
//!     stream.write_all(&[7; 100_000]).await
//! }
//!
//! async fn client(server: std::net::SocketAddr) -> Result<(), Error> {
//!     let received = TcpStream::connect(server).await?.read_to_end().await?;
//!     assert_eq!(received, [7; 100_000]);
//!     Ok(())
//! }
//!
//! let mut world = Sim::with_seed(7);
//! let (a, b) = world.link(Link::new().delay(ms(50)).loss(0.02));
//! let at = (world.ipv4(a), 80).into();
//! world.spawn(a, server());
//! world.spawn(b, client(at));
//! # world.failure_file(None);
//! world.run_until_idle().unwrap(); // a failure prints the seed and writes failure.pcapng
//! ```
//!
//! # Headers
//!
//! Views on bytes, without a stack: each step checks a length once, none copies.
//!
//! ```
//! # fn port(bytes: &[u8]) -> Result<u16, netloom::wire::WireError> {
//! use netloom::wire::Frame;
//! let tcp = Frame::new(bytes).ethernet()?.ipv4()?.tcp()?;
//! # Ok(tcp.dst_port()) }
//! # assert!(port(&[]).is_err());
//! ```
//!
//! # The crates behind this one
//!
//! | module | crate | what it is |
//! |---|---|---|
//! | [`wire`] | `netloom-wire` | bytes to typed headers and back |
//! | [`driver`] | `netloom-driver` | the contract of a device: [`Driver`](driver::Driver), [`FrameSink`](driver::FrameSink) |
//! | `tcp` | `netloom-tcp` | one TCP connection, a pure state machine |
//! | [`stack`] | `netloom-stack` | links, neighbours, IP, ICMP, UDP, sockets, timers |
//! | `device`, `net`, `capture` | `netloom-host` | devices of a Linux host; a running stack and its sockets; captures read |
//! | `dhcp` | `netloom-host`, `netloom-services` | what DHCP clients and servers are made of, and files of leases |
//! | `tokio` | `netloom-host` | sockets for tokio, and everybody's connections as streams (feature `tokio`) |
//! | `channel` | `netloom-host` | conversations as streams and sinks (feature `channel`) |
//! | `control` | `netloom-host` | running stacks, asked and tuned by other programs (feature `control`) |
//! | `http` | `netloom-services` | HTTP/1.1, server and client, over any byte stream (feature `http`, with `host`) |
//! | `sim` | `netloom-sim` | a deterministic virtual network |
//!
//! Without default features the crate is `no_std` and uses no heap.
#![cfg_attr(not(any(feature = "host", feature = "sim")), no_std)]
#![forbid(unsafe_code)]

pub use netloom_driver as driver;
#[doc(alias = "PortStack")]
#[doc(alias = "L3L4Build")]
pub use netloom_stack as stack;
#[cfg(feature = "tcp")]
pub use netloom_tcp as tcp;
pub use netloom_wire as wire;

#[cfg(feature = "host")]
pub use netloom_host::capture;
#[cfg(feature = "control")]
pub use netloom_host::control;
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::device;
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::device::{LinkEnd, PacketSocket, Tap, Tun};
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::dhcp;
#[cfg(all(feature = "channel", target_os = "linux"))]
pub use netloom_host::net::channel;
#[cfg(all(feature = "host", target_os = "linux"))]
pub use netloom_host::net::{
    self, EchoSocket, Net, TcpConnection, TcpListener, TcpStream, UdpSocket,
};
#[cfg(all(feature = "tokio", target_os = "linux"))]
pub use netloom_host::tokio;
#[cfg(feature = "http")]
pub use netloom_services::http;
#[cfg(feature = "sim")]
pub use netloom_sim as sim;
