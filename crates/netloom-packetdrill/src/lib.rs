//! netloom as the stack under test of the original packetdrill: an independent judge, with a parser
//! and an opinion of its own.
//!
//! ```text
//! packetdrill --so_filename=libnetloom_packetdrill.so --so_flags='tcp_sack=0' script.pkt
//! ```
//!
//! The library exports what the tool looks for, `packetdrill_interface_init`, and
//! `getsockopt`, so that a tool that was preloaded with it (`LD_PRELOAD`) reads `TCP_INFO` from
//! netloom too. `--so_flags` are words separated by blanks or commas: tunables by name
//! (`tcp_sack=0`), and the options of scripts with their dashes (`--ip_version=ipv6`,
//! `--local_ip=192.168.0.1/16`, `--mtu=1400`).
//!
//! Time is the stack's own: it passes when the tool sleeps or waits for a packet, and not
//! otherwise. Calls that wait come from a thread of their own; whoever moves the clock takes their
//! effect at the very moment they can go on.
#![cfg(target_os = "linux")]

mod engine;
mod sys;

pub use sys::{Interface, packetdrill_interface_init};
