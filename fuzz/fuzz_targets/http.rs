//! Every parser, description and emitter on any bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netloom_fuzz::http::run(data));
