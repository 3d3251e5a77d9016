//! A server asked by clients that say what the test has them say.

mod bench;
mod giving;
mod hostile;
mod looking;
mod refusing;
mod replies;
