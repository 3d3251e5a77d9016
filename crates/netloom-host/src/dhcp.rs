//! What a DHCP server on a host needs beside the protocol: a place for its leases, in a file or on
//! the heap.
//!
//! The client and the server themselves are [`netloom_services::dhcp`], and run in a
#![cfg_attr(
    target_os = "linux",
    doc = "[`Net`](crate::net::Net): [`Builder::dhcp`](crate::net::Builder::dhcp), [`Net::dhcp_serve`](crate::net::Net::dhcp_serve)."
)]
#![cfg_attr(not(target_os = "linux"), doc = "`Net`, on Linux.")]

mod file_store;
mod heap_store;

pub use file_store::FileStore;
pub use heap_store::HeapStore;
pub use netloom_services::dhcp::*;
