//! What a capture shows of one direction of a TCP connection: what was sent and when, what was
//! acknowledged, how much was under way, how long answers took.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};

use netloom::capture::{LinkType, Packet, Reader};
use netloom::wire::{Frame, TcpFlags, TcpOption, TcpView};

/// Moments of a connection that are remembered at most: a capture that has more is drawn to there.
const MOST: usize = 4_000_000;

/// One direction of a connection, as it passed one interface.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trace {
    /// Who sends the data.
    pub(super) from: SocketAddr,
    /// Who acknowledges it.
    pub(super) to: SocketAddr,
    /// Octets of payload, repetitions included.
    pub(super) octets: u64,
    pub(super) segments: Vec<Sent>,
    pub(super) acks: Vec<Ack>,
    /// Octets sent and not acknowledged, after each change, by time.
    pub(super) flight: Vec<(f64, f64)>,
    /// Congestion windows in octets that remarks in the capture tell (`cwnd 14480`), by time.
    pub(super) cwnd: Vec<(f64, f64)>,
    /// Round trips in milliseconds, by time.
    pub(super) rtt: Vec<(f64, f64)>,
    /// Smoothed round trips in milliseconds that remarks tell (`srtt 100312 us`), by time.
    pub(super) srtt: Vec<(f64, f64)>,
    /// The capture shows acknowledgments as they were sent, not as they arrived: no round trip can
    /// be measured.
    pub(super) far_acks: bool,
}

/// A segment with payload, SYN or FIN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sent {
    /// Seconds since the capture's first segment of the connection.
    pub(super) at: f64,
    /// Its first octet, counted from the connection's first one.
    pub(super) seq: f64,
    /// Its octets.
    pub(super) len: f64,
    /// All of it was sent before.
    pub(super) again: bool,
    /// A remark says that it was lost.
    pub(super) lost: bool,
}

/// An acknowledgment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ack {
    pub(super) at: f64,
    /// The octet that is awaited next.
    pub(super) ack: f64,
    /// The end of the window that it offers.
    pub(super) edge: f64,
    /// What else has arrived.
    pub(super) sacked: Vec<(f64, f64)>,
}

/// A connection: its ends, the lower one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Ends(SocketAddr, SocketAddr);

/// A frame of a connection.
#[derive(Debug, Clone)]
struct Seen {
    at: f64,
    interface: u32,
    /// Sent by the lower end.
    forth: bool,
    seq: u32,
    ack: Option<u32>,
    window: u16,
    /// Payload, SYN and FIN.
    len: u32,
    syn: bool,
    scale: Option<u8>,
    sacked: Vec<(u32, u32)>,
    lost: bool,
    cwnd: Option<f64>,
    srtt: Option<f64>,
}

/// Reads a capture; returns the directions of its connections that carry data, those that carry
/// most first.
pub(super) fn read(input: impl Read) -> io::Result<Vec<Trace>> {
    let mut connections: BTreeMap<Ends, Vec<Seen>> = BTreeMap::new();
    let mut reader = Reader::new(input)?;
    let mut count = 0;
    while let Some(packet) = reader.next()? {
        if count == MOST {
            break;
        }
        if let Some((ends, seen)) = look(&packet) {
            connections.entry(ends).or_default().push(seen);
            count += 1;
        }
    }
    let mut traces = Vec::new();
    for (ends, seen) in connections {
        for forth in [true, false] {
            traces.extend(trace(ends, &seen, forth));
        }
    }
    traces.sort_by_key(|trace| std::cmp::Reverse(trace.octets));
    Ok(traces)
}

/// What a frame says of a connection; `None` if it is no TCP segment.
fn look(packet: &Packet<'_>) -> Option<(Ends, Seen)> {
    let frame = Frame::new(packet.frame);
    let (src, dst, tcp): (IpAddr, IpAddr, TcpView<'_>) = match packet.link {
        LinkType::Ethernet => {
            let frame = frame.ethernet().ok()?;
            match frame.ipv4() {
                Ok(ip) => (ip.src().into(), ip.dst().into(), ip.tcp().ok()?),
                Err(_) => {
                    let ip = frame.ipv6().ok()?;
                    (ip.src().into(), ip.dst().into(), ip.tcp().ok()?)
                }
            }
        }
        LinkType::Ip => match frame.ipv4() {
            Ok(ip) => (ip.src().into(), ip.dst().into(), ip.tcp().ok()?),
            Err(_) => {
                let ip = frame.ipv6().ok()?;
                (ip.src().into(), ip.dst().into(), ip.tcp().ok()?)
            }
        },
        _ => return None,
    };
    let from = SocketAddr::new(src, tcp.src_port());
    let to = SocketAddr::new(dst, tcp.dst_port());
    let forth = from <= to;
    let ends = if forth {
        Ends(from, to)
    } else {
        Ends(to, from)
    };
    let flags = tcp.flags();
    let mut scale = None;
    let mut sacked = Vec::new();
    for option in tcp.options().flatten() {
        match option {
            TcpOption::WindowScale(shift) => scale = Some(shift.min(14)),
            TcpOption::Sack(blocks) => sacked = blocks.iter().collect(),
            _ => {}
        }
    }
    let comment = packet.comment.unwrap_or_default();
    let seen = Seen {
        at: packet.at.as_secs_f64(),
        interface: packet.interface,
        forth,
        seq: tcp.seq(),
        ack: flags.contains(TcpFlags::ACK).then(|| tcp.ack()),
        window: tcp.window(),
        len: tcp.sequence_len(),
        syn: flags.syn(),
        scale,
        sacked,
        lost: comment.contains("lost") && !comment.contains("as lost")
            || comment.ends_with("(lost)"),
        cwnd: number_after(comment, "cwnd "),
        srtt: number_after(comment, "srtt ").map(|micros| micros / 1000.0),
    };
    Some((ends, seen))
}

/// The number that follows a word in a remark.
fn number_after(comment: &str, word: &str) -> Option<f64> {
    let (_, rest) = comment.split_once(word)?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Sequence numbers as distances from the first one, however often they wrap.
#[derive(Debug, Clone, Copy)]
struct Unwrap {
    first: u32,
    last: i64,
}

impl Unwrap {
    /// The number closest to the last one that is this one modulo 2^32.
    fn of(&mut self, seq: u32) -> i64 {
        let near = self.first.wrapping_add(self.last as u32);
        let at = self.last + i64::from(seq.wrapping_sub(near) as i32);
        self.last = self.last.max(at);
        at
    }
}

/// One direction of a connection; `None` if it carries nothing.
fn trace(ends: Ends, seen: &[Seen], forth: bool) -> Option<Trace> {
    let data = |s: &&Seen| s.forth == forth && s.len > 0;
    let octets = seen.iter().filter(data).map(|s| u64::from(s.len)).sum();
    let only_ends = |s: &Seen| s.len <= 1;
    if seen.iter().filter(data).all(only_ends) {
        return None;
    }
    // A segment may have been captured where it was sent and where it arrived. The first one's
    // interface is the sender's, and so is every other's with its first appearance there.
    let interface = seen.iter().find(data)?.interface;
    let here = |s: &Seen, ours: bool| s.forth == ours && s.interface == interface;
    let far_acks = !seen.iter().any(|s| here(s, !forth));
    let scale_of = |ours| seen.iter().find(|s| s.forth == ours && s.syn)?.scale;
    let shift = match (scale_of(forth), scale_of(!forth)) {
        (Some(_), Some(shift)) => shift,
        _ => 0,
    };
    let start = seen.iter().map(|s| s.at).fold(f64::INFINITY, f64::min);
    let first = seen.iter().find(data)?.seq;
    let mut numbers = Unwrap { first, last: 0 };
    let mut trace = Trace {
        from: if forth { ends.0 } else { ends.1 },
        to: if forth { ends.1 } else { ends.0 },
        octets,
        segments: Vec::new(),
        acks: Vec::new(),
        flight: Vec::new(),
        cwnd: Vec::new(),
        rtt: Vec::new(),
        srtt: Vec::new(),
        far_acks,
    };
    let (mut snd_nxt, mut snd_una) = (0_i64, 0_i64);
    // When what ends there was sent, if only once.
    let mut sent_at: BTreeMap<i64, Option<f64>> = BTreeMap::new();
    for s in seen {
        let at = s.at - start;
        if here(s, forth) {
            trace.cwnd.extend(s.cwnd.map(|cwnd| (at, cwnd)));
            trace.srtt.extend(s.srtt.map(|srtt| (at, srtt)));
        }
        if here(s, forth) && s.len > 0 {
            let seq = numbers.of(s.seq);
            let end = seq + i64::from(s.len);
            let again = end <= snd_nxt;
            trace.segments.push(Sent {
                at,
                seq: seq as f64,
                len: f64::from(s.len),
                again,
                lost: s.lost,
            });
            if again {
                for (_, when) in sent_at.range_mut(seq + 1..) {
                    *when = None;
                }
            } else {
                sent_at.insert(end, Some(at));
            }
            snd_nxt = snd_nxt.max(end);
        } else if here(s, !forth) || (far_acks && s.forth != forth) {
            let Some(ack) = s.ack else { continue };
            let mut numbers = numbers;
            let ack = numbers.of(ack);
            let window = i64::from(s.window) << if s.syn { 0 } else { shift };
            trace.acks.push(Ack {
                at,
                ack: ack as f64,
                edge: (ack + window) as f64,
                sacked: s
                    .sacked
                    .iter()
                    .map(|&(left, right)| (numbers.of(left) as f64, numbers.of(right) as f64))
                    .collect(),
            });
            if ack > snd_una {
                snd_una = ack;
                let rest = sent_at.split_off(&(ack + 1));
                let newest = std::mem::replace(&mut sent_at, rest).pop_last();
                if let (Some((_, Some(sent))), false) = (newest, far_acks) {
                    trace.rtt.push((at, (at - sent) * 1000.0));
                }
            }
        } else {
            continue;
        }
        trace.flight.push((at, (snd_nxt - snd_una).max(0) as f64));
    }
    Some(trace)
}

#[cfg(test)]
mod tests;
