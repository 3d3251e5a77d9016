//! Any segment in every state of a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netloom_fuzz::segment_state::run(data));
