//! What an idle connection costs, and what the steady state allocates.

use std::process::Command;

use crate::counting;
use crate::netloom::Netloom;
use crate::pair::{Pair, Side};
use crate::smoltcp::Smoltcp;
use crate::wire::Link;
use crate::work::{BUFFER, Bulk, Payload};

/// The argument that makes this program a child that only holds connections.
pub(crate) const CHILD: &str = "--hold";

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("the second number is the resident size");
    pages * 4096
}

/// Holds `count` idle connections of the stack `name` and prints how many resident bytes each
/// end of each takes. Every one has carried a byte each way, so that its buffers were used and
/// drained.
pub(crate) fn child(name: &str, count: usize) {
    match name {
        Netloom::NAME => hold::<Netloom>(count, BUFFER),
        // Buffers always there, of the size this work needs: 1 byte.
        _ => hold::<Smoltcp>(count, 1),
    }
}

fn hold<P: Pair>(count: usize, buffer: usize) {
    let mut pair = P::new(Link::ip(1500), buffer, 64.max(2 * count.min(20_000)));
    // What is made once is there before.
    let mut connections = pair.open(1);
    connections.reserve_exact(count);
    let before = resident();
    let list = count * size_of::<(P::Conn, P::Conn)>();
    connections.append(&mut pair.open(count));
    for (client, server) in &connections {
        let mut byte = [0];
        assert_eq!(pair.write(Side::Client, *client, b"?"), 1);
        pair.carry(Side::Client);
        assert_eq!(pair.read(Side::Server, *server, &mut byte), 1);
        assert_eq!(pair.write(Side::Server, *server, b"!"), 1);
        pair.carry(Side::Server);
        assert_eq!(pair.read(Side::Client, *client, &mut byte), 1);
        pair.pass(10);
    }
    // The last delayed acknowledgements.
    pair.pass(1_000_000);
    pair.carry(Side::Client);
    pair.carry(Side::Server);
    let bytes = resident() - before - list;
    println!("{}", bytes / (2 * count));
}

/// Resident bytes of one end of an idle connection, measured in a fresh process.
pub(crate) fn per_idle_connection(name: &str, count: usize) -> usize {
    let output = Command::new(std::env::current_exe().expect("this program has a path"))
        .args([CHILD, name, &count.to_string()])
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("{name}: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Blocks allocated while at least `segments` segments are sent and received, and how many they
/// were.
pub(crate) fn allocations_in_bulk(segments: u64) -> (u64, u64) {
    let mut bulk = Bulk::<Netloom>::new(Link::ip(1500), Payload::Copied);
    let sent = |bulk: &Bulk<Netloom>| bulk.pair().client().counters().tcp_segments_sent as u64;
    let (first, before) = (sent(&bulk), counting::allocations());
    while sent(&bulk) - first < segments {
        let _ = bulk.run(8 << 20);
    }
    (counting::allocations() - before, sent(&bulk) - first)
}
