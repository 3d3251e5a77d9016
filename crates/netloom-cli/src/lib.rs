//! The parts of the `netloom` program, as a library so that they can be tested and reused.

#![forbid(unsafe_code)]

pub mod demo;
pub mod failure;
#[cfg(unix)]
pub mod serve;
