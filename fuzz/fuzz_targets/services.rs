//! The resolver and NTP on whatever replies.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netloom_fuzz::services::run(data));
