//! What the fuzz targets do, as functions of the input, so that a test can run them without a
//! fuzzer too. Each panics if netloom breaks a promise.

pub mod dhcp;
pub mod http;
pub mod segment_state;
pub mod services;
pub mod stack_frames;
pub mod wire;
