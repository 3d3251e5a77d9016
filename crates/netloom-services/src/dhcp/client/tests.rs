//! A client against a server that says what the test has it say.

mod bench;
mod config;
mod fallback;
mod hostile;
mod keeping;
mod obtaining;
