//! tokio's sockets on a stack of our own, and flows as streams: two stacks in this process.
#![cfg(target_os = "linux")]
#![allow(missing_docs, reason = "a test")]

mod flows;
mod sockets;
mod sources;

use std::future::Future;
use std::time::Duration;

use netloom_host::device::LinkEnd;
use netloom_host::tokio::Net;

/// Two stacks on one link, 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2, driven by tasks.
fn pair() -> (Net, Net) {
    let runtime = tokio::runtime::Handle::current();
    let (left, right) = LinkEnd::pair(1500).unwrap();
    let start = |end: LinkEnd, n: u8| {
        end.address(format!("10.0.0.{n}/24").as_str())
            .address(format!("fd00::{n}/64").as_str())
            .start_on(&runtime)
            .unwrap()
            .tokio()
    };
    (start(left, 1), start(right, 2))
}

/// Gives up what takes far too long.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, future).await.expect("in time")
}

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}
