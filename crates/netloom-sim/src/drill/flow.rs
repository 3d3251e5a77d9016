//! A connection as a script sees it: which numbers of the script stand for which on the wire.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::ast::{Packet, Payload, Tcp, TcpOption};
use super::flags;
use super::live;

/// What a flow carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

/// A connection, or a pair of UDP ports.
///
/// Segments with SYN have the script's numbers; those of all others count from the first SYN of
/// the end whose numbers they are, which has number 0 then. That holds as long as the flow
/// does: a later SYN of another connection between the same ports changes nothing about it.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) transport: Transport,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// A program of the stack's side connects.
    connects: bool,
    /// The stack's first initial sequence number: in the script, on the wire.
    local_isn: Option<(u32, u32)>,
    /// The remote end's first initial sequence number in the script.
    remote_isn: Option<u32>,
    /// How far the wire's numbers of the remote end are ahead of the script's.
    remote_ahead: u32,
    /// The numbers that the streams of the connection that is open begin at, on the wire.
    local_start: Option<u32>,
    remote_start: Option<u32>,
    /// The number of the newest SYN without ACK that arrived, on the wire.
    last_syn: u32,
    /// A new connection begins: the next SYN of the stack brings a new number.
    new_isn: bool,
    /// The stack has acknowledged the remote end's SYN, so that the number stands.
    remote_isn_stands: bool,
    /// The stack has sent timestamps, whether the script named them or not.
    stamps: bool,
    /// The stack's first timestamp: in the script, on the wire.
    first_timestamp: Option<(u32, u32)>,
    /// Every timestamp of the stack's that the script names, and which it was on the wire.
    timestamps: HashMap<u32, u32>,
    /// What programs wrote into the connection.
    pub(crate) written: Vec<u8>,
    /// How much programs read out of it.
    pub(crate) read: usize,
}

/// The byte at a place of the stream towards the stack: no two neighbouring kilobytes are alike.
pub(crate) fn remote_byte(at: usize) -> u8 {
    ((at as u32).wrapping_mul(0x9e37_79b1) >> 24) as u8
}

/// The byte at a place of the stream that programs write.
pub(crate) fn local_byte(at: usize) -> u8 {
    !remote_byte(at)
}

impl Flow {
    pub(crate) fn new(
        transport: Transport,
        local: SocketAddr,
        remote: SocketAddr,
        remote_ahead: u32,
    ) -> Flow {
        Flow {
            transport,
            local,
            remote,
            connects: false,
            local_isn: None,
            remote_isn: None,
            remote_ahead,
            local_start: None,
            remote_start: None,
            last_syn: 0,
            new_isn: true,
            remote_isn_stands: false,
            stamps: false,
            first_timestamp: None,
            timestamps: HashMap::new(),
            written: Vec::new(),
            read: 0,
        }
    }

    /// A program connects: all numbers are new.
    pub(crate) fn reopen(&mut self) {
        let ahead = self.remote_ahead;
        *self = Flow::new(self.transport, self.local, self.remote, ahead);
        self.connects = true;
    }

    /// The stack's initial sequence number on the wire, once known.
    pub(crate) fn live_isn(&self) -> Option<u32> {
        self.local_start
    }

    /// How far the wire's numbers of the stack are ahead of the script's, in segments with SYN
    /// and in others.
    fn local_offset(&self, syn: bool) -> u32 {
        match self.local_isn {
            None => 0,
            Some((script, live)) if syn => live.wrapping_sub(script),
            Some((_, live)) => live,
        }
    }

    /// The same for the remote end.
    fn remote_offset(&self, syn: bool) -> u32 {
        match self.remote_isn {
            Some(isn) if !syn => isn.wrapping_add(self.remote_ahead),
            Some(_) | None => self.remote_ahead,
        }
    }

    /// A number of the stack's in a segment with these flags, from the script to the wire.
    pub(crate) fn local_to_live(&self, seq: u32, flags: u16) -> u32 {
        seq.wrapping_add(self.local_offset(flags & flags::SYN != 0))
    }

    /// A number of the stack's in a segment with these flags, from the wire to the script.
    pub(crate) fn local_to_script(&self, seq: u32, flags: u16) -> u32 {
        seq.wrapping_sub(self.local_offset(flags & flags::SYN != 0))
    }

    /// A number of the remote end's in a segment with these flags, from the script to the wire.
    pub(crate) fn remote_to_live(&self, seq: u32, flags: u16) -> u32 {
        seq.wrapping_add(self.remote_offset(flags & flags::SYN != 0))
    }

    /// A number of the remote end's in a segment with these flags, from the wire to the script.
    pub(crate) fn remote_to_script(&self, seq: u32, flags: u16) -> u32 {
        seq.wrapping_sub(self.remote_offset(flags & flags::SYN != 0))
    }

    /// The timestamp of the stack's that a segment of the script echoes, on the wire.
    ///
    /// # Errors
    /// The stack uses timestamps, but the script does not say that it sent this one.
    fn echoed(&self, val: u32, interpolate: bool) -> Result<u32, String> {
        if let Some(live) = self.timestamps.get(&val) {
            return Ok(*live);
        }
        match self.first_timestamp {
            // The stack uses none: the remote end makes this one up.
            None if !self.stamps => Ok(val),
            Some((script, live)) if interpolate => Ok(val.wrapping_sub(script).wrapping_add(live)),
            Some(_) | None => Err(format!(
                "`ecr {val}` echoes a timestamp that netloom is not said to have sent"
            )),
        }
    }

    /// Whether a timestamp of the stack has been seen.
    pub(crate) fn has_timestamp(&self) -> bool {
        self.first_timestamp.is_some()
    }

    /// A timestamp of the stack's clock, from the wire to the script.
    pub(crate) fn timestamp_to_script(&self, val: u32) -> u32 {
        let first = self.first_timestamp;
        first.map_or(val, |(script, live)| {
            val.wrapping_sub(live).wrapping_add(script)
        })
    }

    /// The data of an arriving segment, from its number on the wire.
    fn remote_data(&self, seq: u32, flags: u16, len: u16) -> Vec<u8> {
        let after_syn = u32::from(flags & flags::SYN == 0);
        let start = self.remote_start.unwrap_or(self.remote_ahead);
        let from = seq.wrapping_sub(start).wrapping_sub(after_syn) as usize;
        (0..usize::from(len))
            .map(|i| remote_byte(from.wrapping_add(i)))
            .collect()
    }

    /// The place in the stack's stream where a segment's data begins, by its number on the wire.
    fn local_place(&self, seq: u32, flags: u16) -> Option<usize> {
        let after_syn = u32::from(flags & flags::SYN == 0);
        let start = self.local_start?;
        Some(seq.wrapping_sub(start).wrapping_sub(after_syn) as usize)
    }

    /// A segment of the script, as it arrives on the wire. `interpolate`: timestamps that it
    /// echoes may lie between those that were sent.
    ///
    /// # Errors
    /// What about the segment makes no sense.
    pub(crate) fn arriving(&mut self, tcp: &Tcp, interpolate: bool) -> Result<live::Tcp, String> {
        let (syn, ack) = (tcp.flags & flags::SYN != 0, tcp.flags & flags::ACK != 0);
        if !self.connects || syn && ack {
            self.remote_isn.get_or_insert(tcp.seq);
        }
        let seq = self.remote_to_live(tcp.seq, tcp.flags);
        if syn {
            let another = self.remote_start.is_some_and(|isn| isn != seq);
            if !self.remote_isn_stands {
                self.remote_start = Some(seq);
            } else if another && !ack {
                self.new_isn = true;
            }
            if !ack {
                self.last_syn = seq;
            }
        }
        let mut options = Vec::new();
        for option in tcp.options.iter().flatten() {
            options.push(match option {
                TcpOption::Sack(blocks) => {
                    let edges = |&(left, right): &(u32, u32)| {
                        (
                            self.local_to_live(left, tcp.flags),
                            self.local_to_live(right, tcp.flags),
                        )
                    };
                    TcpOption::Sack(blocks.iter().map(edges).collect())
                }
                TcpOption::Timestamps { val, ecr } => TcpOption::Timestamps {
                    val: *val,
                    ecr: if ack {
                        self.echoed(*ecr, interpolate)?
                    } else {
                        *ecr
                    },
                },
                other => other.clone(),
            });
        }
        let acked = tcp.ack.unwrap_or(0);
        Ok(live::Tcp {
            src_port: self.remote.port(),
            dst_port: self.local.port(),
            seq,
            ack: if ack {
                self.local_to_live(acked, tcp.flags)
            } else {
                acked
            },
            flags: tcp.flags,
            window: tcp.window.unwrap_or(0),
            urgent: tcp.urgent.unwrap_or(0),
            options,
            data: self.remote_data(seq, tcp.flags, tcp.len),
        })
    }

    /// Learns from a segment of the stack that is about to be compared with the script's.
    pub(crate) fn learn(&mut self, expected: &Packet, sent: &live::Tcp) {
        let Payload::Tcp(tcp) = &expected.payload else {
            return;
        };
        if tcp.flags & sent.flags & flags::SYN != 0 {
            self.local_isn.get_or_insert((tcp.seq, sent.seq));
            if self.new_isn {
                if self.local_start.is_some() {
                    self.remote_isn_stands = false;
                    self.remote_start = Some(self.last_syn);
                    self.written.clear();
                    self.read = 0;
                }
                self.local_start = Some(sent.seq);
                self.new_isn = false;
            }
        }
        if sent.flags & flags::ACK != 0 && sent.flags & flags::RST == 0 {
            self.remote_isn_stands = true;
        }
        let scripted = tcp.options.iter().flatten().find_map(timestamp_of);
        let live = sent.options.iter().find_map(timestamp_of);
        self.stamps |= live.is_some();
        if let (Some(script), Some(live)) = (scripted, live) {
            self.first_timestamp.get_or_insert((script, live));
            self.timestamps.insert(script, live);
        }
    }

    /// Which byte of a segment's data is not what the program wrote: its place in the stream.
    pub(crate) fn wrong_byte(&self, sent: &live::Tcp) -> Option<usize> {
        let from = self.local_place(sent.seq, sent.flags)?;
        let places = sent
            .data
            .iter()
            .enumerate()
            .map(|(i, byte)| (from + i, byte));
        // A keep-alive or a window probe may bring a byte from before the window: never one that
        // was not written.
        let mut wrong = places.filter(|(place, byte)| self.written.get(*place) != Some(*byte));
        wrong.next().map(|(place, _)| place)
    }
}

pub(crate) fn timestamp_of(option: &TcpOption) -> Option<u32> {
    match option {
        TcpOption::Timestamps { val, .. } => Some(*val),
        _ => None,
    }
}
