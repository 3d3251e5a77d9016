//! The parts of the `netloom` program, as a library so that they can be tested and reused.

#![forbid(unsafe_code)]

#[cfg(target_os = "linux")]
pub mod bench;
pub mod demo;
#[cfg(target_os = "linux")]
pub mod device;
#[cfg(target_os = "linux")]
pub mod dhcp;
#[cfg(target_os = "linux")]
pub mod dhcpd;
#[cfg(target_os = "linux")]
pub mod dns;
#[cfg(target_os = "linux")]
pub mod doctor;
pub mod failure;
#[cfg(target_os = "linux")]
pub mod get;
#[cfg(target_os = "linux")]
mod instances;
#[cfg(target_os = "linux")]
pub mod ntp;
#[cfg(target_os = "linux")]
pub mod ping;
pub mod plot;
#[cfg(target_os = "linux")]
pub mod proxy;
#[cfg(target_os = "linux")]
mod relay;
pub mod replay;
#[cfg(target_os = "linux")]
pub mod run;
#[cfg(target_os = "linux")]
pub mod serve;
#[cfg(target_os = "linux")]
mod signals;
#[cfg(target_os = "linux")]
mod size;
#[cfg(target_os = "linux")]
pub mod ss;
#[cfg(target_os = "linux")]
pub mod stat;
#[cfg(target_os = "linux")]
mod stream;
#[cfg(target_os = "linux")]
pub mod sysctl;
