//! Tests of the runner itself: what it refuses, what it notices, and that nothing upsets it.

mod calls;
mod language;
mod notices;
mod robust;
mod wire;

use super::{RunOptions, Script};

/// The verdict on a script: nothing, or what is wrong.
fn verdict(text: &str) -> Result<(), String> {
    let script = Script::parse(text).map_err(|error| error.to_string())?;
    let result = script.run(&RunOptions::default());
    result.map_err(|failure| failure.to_string())
}

/// A connection to a listener, for scripts to go on from: descriptor 4.
const ACCEPTED: &str = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460>
+0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
";

/// The verdict on what follows [`ACCEPTED`].
fn after_accept(text: &str) -> Result<(), String> {
    verdict(&format!("{ACCEPTED}{text}"))
}
