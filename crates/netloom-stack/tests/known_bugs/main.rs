//! The bugs of the systems before this one, each by its number: what they did wrong, done right.
//!
//! `s..`, `m..`, `l..` and `w..` number them by the system they were found in, which has a file
//! here. Those about memory, rings and handles are in `known_bugs_rows.rs`.
#![cfg(all(
    feature = "tcp",
    feature = "ethernet",
    feature = "ipv4",
    feature = "ipv6"
))]
#[path = "../common/mod.rs"]
mod common;
mod l3l4kit;
mod minimart;
mod practice;
mod seqs;

use crate::common::trace::{Conn, Net, PEER_PORT, PORT};
use netloom_stack::tcp::How;
use netloom_stack::{CloseReason, Count, DropReason, State};

fn state(net: &Net, conn: &Conn) -> State {
    net.stack.tcp_state(conn.handle).unwrap()
}

fn reason(net: &Net, conn: &Conn) -> Option<CloseReason> {
    net.stack.tcp_close_reason(conn.handle).unwrap()
}

fn dropped(net: &Net, reason: DropReason) -> Count {
    net.stack.counters().dropped(reason)
}

/// A connection that a peer opened.
fn open(net: &mut Net) -> Conn {
    let listener = net.listen(PORT);
    net.accepted(listener, PEER_PORT)
}

/// This side closes for writing; the FIN is out.
fn shut(net: &mut Net, conn: &mut Conn) {
    net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
    net.pump();
    net.expect(conn.reply("F."));
}
