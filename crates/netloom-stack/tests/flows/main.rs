//! Flows: everybody's packets in, data out; data in, packets out. Both versions of IP, both memory
//! profiles.
#![cfg(all(feature = "flows", feature = "alloc"))]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod datagrams;
mod hostile;
mod loss;
mod opening;
mod refused;
mod sockets;
mod standstill;
mod stream;
mod timeouts;
mod world;
