//! A deterministic virtual network: hosts that run netloom's stack, bad links between them, and
//! a clock that only moves from one event to the next.
//!
//! ```
//! use netloom_sim::{Error, Link, Sim, TcpListener, TcpStream, mbit, ms};
//! use std::net::{Ipv4Addr, SocketAddr};
//!
//! async fn server() -> Result<(), Error> {
//!     let (stream, _) = TcpListener::bind(80)?.accept().await?;
//!     let question = stream.read_to_end().await?;
//!     stream.write_all(&question).await
//! }
//!
//! async fn client(server: SocketAddr) -> Result<(), Error> {
//!     let stream = TcpStream::connect(server).await?;
//!     stream.write_all(b"hello").await?;
//!     stream.finish()?;
//!     assert_eq!(stream.read_to_end().await?, b"hello");
//!     Ok(())
//! }
//!
//! let mut world = Sim::with_seed(7);
//! let (a, b) = world.link(Link::new().rate(mbit(10)).delay(ms(50)).loss(0.02).mtu(1400));
//! let at = SocketAddr::new(world.ipv4(a), 80);
//! world.spawn(a, server());
//! world.spawn(b, client(at));
//! world.run_until_idle().unwrap(); // a failure prints the seed and writes failure.pcapng
//! # let _ = Ipv4Addr::LOCALHOST;
//! ```
//!
//! * **packetdrill scripts** run against a single host: [`drill`].
//! * **Programs are plain futures** on the world's clock: [`TcpListener`], [`TcpStream`],
//!   [`UdpSocket`], [`sleep`], [`now`], [`spawn`](fn@spawn). They run when the world [steps](Sim::step).
//! * **Stacks can be held by hand**: [`Sim::stack_mut`] and [`Sim::step`].
//! * **Everything comes from one seed**: the hosts' secrets, the links' fates. The same program
//!   with the same seed sends the same bytes at the same times.
//! * **Nothing gets lost unseen**: after every step, at every layer of every host and on every
//!   link, packets in = delivered + dropped + held, or the run fails.
//! * **Paths are measured** by [`Bulk`] transfers over a [`Bottleneck`].
//! * **Nothing hangs**: a world in which nothing can happen any more while programs wait ends
//!   with a [`Failure`] that says what each of them waits for.
#![forbid(unsafe_code)]

mod bulk;
mod capture;
mod channel;
mod context;
pub mod drill;
mod error;
mod executor;
mod failure;
mod host;
mod link;
mod network;
mod sim;
mod switch;
mod tcp;
mod udp;
mod units;
mod wire;

pub use bulk::{Bottleneck, Bulk, BulkReport, Flow, FlowReport, Sample, fairness};
pub use capture::{Capture, Seen, Verdict};
pub use context::{
    Elapsed, HostId, join, now, set_link, sleep, sleep_until, spawn, this_host, timeout, yield_now,
};
pub use error::Error;
pub use executor::{Task, TaskResult};
pub use failure::{Cause, Failure, Waiting};
pub use host::HostSetup;
pub use link::{Link, LinkId, Medium, Path};
pub use sim::Sim;
pub use tcp::{TcpListener, TcpStream};
pub use udp::UdpSocket;
pub use units::{Rate, gbit, kbit, mbit, ms, secs, us};
pub use wire::{ChannelStats, Wire};

pub use netloom_driver::{Direction, Instant};
pub use netloom_stack as stack;
pub use netloom_stack::CloseReason;
