//! Frames in words: on the terminal while the connection opens and closes, and as comments in
//! the capture.

use std::cell::Cell;
use std::rc::Rc;

use netloom::driver::Direction;
use netloom::sim::{HostId, Seen};
use netloom::wire::{ArpOperation, Frame, TcpView};

/// Frames told on the terminal before the transfer is left to itself.
const TOLD: usize = 7;

/// How the sender judges the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The congestion window, in octets.
    pub(super) cwnd: u32,
    /// The smoothed round trip, in microseconds.
    pub(super) srtt: u32,
}

/// Tells of frames as their senders send them.
#[derive(Debug)]
pub(super) struct Narrator {
    client: HostId,
    /// How the server judges the path, as it last said, and as was last told.
    window: Rc<Cell<Option<Window>>>,
    window_told: Option<Window>,
    told: usize,
    /// The handshake is complete.
    is_open: bool,
    /// The highest sequence number each side has sent, the client's first.
    sent_up_to: [Option<u32>; 2],
}

impl Narrator {
    /// A narrator who calls `client` the client, and the other host the server.
    pub(super) fn new(client: HostId, window: Rc<Cell<Option<Window>>>) -> Narrator {
        Narrator {
            client,
            window,
            window_told: None,
            told: 0,
            is_open: false,
            sent_up_to: [None; 2],
        }
    }

    /// Looks at a frame. Returns what the capture says of it, if there is something to say, and
    /// prints the first ones.
    pub(super) fn see(&mut self, seen: &Seen<'_>) -> Option<String> {
        if seen.direction != Direction::Outbound {
            return None;
        }
        let side = usize::from(seen.host != self.client);
        let meaning = match segment(seen.frame) {
            Some(tcp) => self.meaning_of(side, &tcp),
            None => arp(seen.frame),
        };
        let meaning = match (meaning, self.judgement(side)) {
            (Some(meaning), Some(window)) => Some(format!("{meaning}; {window}")),
            (meaning, window) => meaning.or(window),
        };
        if self.told < TOLD {
            self.told += 1;
            let sender = ["client", "server"][side];
            let millis = seen.at.as_micros() as f64 / 1000.0;
            super::say(&format!("  {millis:9.3} ms  {sender}  {seen}"));
            if let Some(meaning) = &meaning {
                super::say(&format!("                        {meaning}"));
            }
            if self.told == TOLD {
                super::say("  ...");
            }
        }
        meaning
    }

    /// What the server's judgement of the path is, if that is news.
    fn judgement(&mut self, side: usize) -> Option<String> {
        let now = self.window.get();
        if side == 0 || now == self.window_told {
            return None;
        }
        self.window_told = now;
        now.map(|window| format!("cwnd {}, srtt {} us", window.cwnd, window.srtt))
    }

    fn meaning_of(&mut self, side: usize, tcp: &TcpView<'_>) -> Option<String> {
        let flags = tcp.flags();
        let len = tcp.payload().len() as u32;
        let end = tcp
            .seq()
            .wrapping_add(len)
            .wrapping_add(u32::from(flags.syn()) + u32::from(flags.fin()));
        let before = self.sent_up_to[side];
        let is_new = before.is_none_or(|before| (end.wrapping_sub(before) as i32) > 0);
        if is_new {
            self.sent_up_to[side] = Some(end);
        }
        let words = if flags.rst() {
            "the connection is reset"
        } else if flags.syn() && flags.ack() {
            "accepts: its own initial sequence number, and what it can do"
        } else if flags.syn() {
            "asks to connect: an initial sequence number nobody can guess (RFC 6528), \
             and what it can do: MSS, window scale, timestamps, SACK"
        } else if (len > 0 || flags.fin()) && !is_new {
            "sent again: taken as lost"
        } else if flags.fin() {
            "has nothing more to send"
        } else if side == 0 && !self.is_open {
            self.is_open = true;
            "acknowledges: the connection is open"
        } else {
            return None;
        };
        Some(words.to_owned())
    }
}

/// What an ARP packet is for.
fn arp(frame: &[u8]) -> Option<String> {
    let arp = Frame::new(frame).ethernet().ok()?.arp().ok()?;
    match arp.operation() {
        ArpOperation::Request => {
            Some("asks who has the address: nothing can be sent before that is known".to_owned())
        }
        ArpOperation::Reply => Some("answers with its Ethernet address".to_owned()),
        ArpOperation::Other(_) => None,
    }
}

/// The TCP segment in an Ethernet frame.
fn segment(frame: &[u8]) -> Option<TcpView<'_>> {
    Frame::new(frame).ethernet().ok()?.ipv4().ok()?.tcp().ok()
}
