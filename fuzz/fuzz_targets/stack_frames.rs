//! Frames, time and calls in any order on a stack.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netloom_fuzz::stack_frames::run(data));
