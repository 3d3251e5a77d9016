//! Flows: packets of anybody's in, data out; data in, packets out. What proxies, VPN ends and
//! user-mode networks are made of.
//!
//! Flows are not another stack: an interface takes packets for every unicast address, and what
//! belongs to nothing yet opens a *flow*, a TCP connection, a UDP conversation or a series of
//! ICMP echoes, in the same tables, with the same connections, as the sockets.
//!
//! There are two ways to hold them:
//!
//! * [`Flows`] with a [`FlowHandler`]: the stack calls the program. Text that arrives in order is
//!   lent from the frame it came in; no copy is made. Without a heap too.
//! * [`Stack::accept_flows`](crate::Stack::accept_flows): every flow is held and announced by an
//!   [`Event`](crate::Event), and once accepted is a socket like any other.
//!
//! ```
//! # #[cfg(all(feature = "alloc", feature = "ipv4"))] {
//! use netloom_stack::flow::{FlowConfig, FlowHandler, FlowId, Flows, Taken};
//! use netloom_stack::Seed;
//!
//! /// Sends everything back.
//! #[derive(Default)]
//! struct Echo(Vec<(FlowId, Vec<u8>)>);
//! impl FlowHandler for Echo {
//!     fn data(&mut self, id: FlowId, data: &[u8]) -> Taken {
//!         self.0.push((id, data.to_vec()));
//!         // The window gets its room back when the data has left again.
//!         Taken { bytes: data.len(), credit: 0 }
//!     }
//! }
//!
//! let mut flows = Flows::with_heap(FlowConfig::default().memory_budget(16 << 20), Seed::from([7; 32]));
//! let mut echo = Echo::default();
//! # let (now, packet): (_, &[u8]) = (netloom_stack::driver::Instant::from_secs(1), &[]);
//! flows.packet_in(now, packet, &mut echo);
//! for (id, data) in &mut echo.0 {
//!     let Ok(rest) = flows.data_in(now, *id, data) else { continue };
//!     let taken = data.len() - rest.len();
//!     let _ = flows.credit(now, *id, taken);
//!     data.drain(..taken);
//! }
//! # }
//! ```
//!
//! # Bounds
//!
//! One budget covers all that grows with flows: their entries, their buffers, what waits to be
//! sent ([`FlowConfig::memory_budget`]). Entries keep the memory they have once taken for those to
//! come: connections take half of the budget at most, all other entries a quarter. What finds no
//! room is dropped and counted, and its sender repeats it. A flow whose reader is slow closes its
//! window. Timeouts ([`FlowTimeouts`]) end what nobody uses any more.
//!
//! Flows on which nothing moves any more do not shut out the others. Three eighths of the budget
//! are not for large rings (the send and receive buffers of connections):
//!
//! * An eighth is kept for entries, so that newcomers are answered.
//! * An eighth is kept for the queues of datagrams, which are empty again as soon as they are read.
//! * An eighth is kept for small rings, of 4 KiB. And each connection is pledged a ring of 1 KiB and 256 bytes
//!   for its records, which are put by when it is made (an eighth of the budget at
//!   most): with that it goes on, if slowly, whatever the others do.
//!
//! Of the rest a ring takes a sixteenth of what is left there when it grows, or a quarter if it is
//! no longer than 128 KiB: one has as much as its window, and many that stand still come ever
//! closer to their share and never use it up.

mod budget;
mod calls;
mod config;
mod echo;
mod flows;
mod handler;
mod news;
mod open;
mod refuse;
mod refused;
mod socket;
mod storage;
mod table;
mod tcp;
mod timeouts;
mod udp;

#[cfg(test)]
mod tests;

pub use config::{FlowConfig, FlowTimeouts};
pub use flows::{Flows, Rest};
pub use handler::{FlowHandler, Open, Refusal, Taken, Unreachable};
pub use socket::FlowSocket;
pub use storage::FlowStorage;
pub use table::{FlowId, FlowProtocol, FlowState, FlowTuple};

pub(crate) use calls::FlowCalls;
pub(crate) use table::{FlowBook, FlowSlot};
