//! Messages and time to a DHCP client and a DHCP server.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| netloom_fuzz::dhcp::run(data));
