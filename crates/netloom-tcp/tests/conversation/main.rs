//! Conversations of one connection with a scripted peer.

mod acks;
mod attacks;
mod close;
#[cfg(feature = "fastopen")]
mod fast_open;
mod known_bugs;
mod loss;
mod open;
mod path_probe;
mod recovery;
mod script;
mod sending;
mod states;
mod text;
mod timers;
mod window;
