//! What was seen on the links: a capture, and somebody who looks on.

use std::fmt;

use netloom_driver::pcapng::{Interface, Packet, Writer};
use netloom_driver::{Direction, Instant};
use netloom_wire::describe;

use crate::channel::Channel;
use crate::context::HostId;
use crate::link::Medium;
use crate::network::Node;

/// Which frames are captured. Every interface of every host is one of the capture's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Capture {
    /// None.
    Off,
    /// Every frame once, as its sender sent it, with a comment if something befalls it.
    #[default]
    Sent,
    /// What one host sends and receives, as a capture on that host would show it.
    Host(HostId),
}

/// What the link did with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is on its way.
    Sent {
        /// A copy is on its way too.
        duplicated: bool,
        /// The bit that was flipped, counted from the frame's first.
        flipped_bit: Option<usize>,
        /// How many later frames overtake it.
        overtaken_by: u16,
    },
    /// It was lost by chance or by a filter.
    Lost,
    /// The queue was full.
    QueueFull,
    /// It was larger than the MTU.
    TooBig,
    /// The link was down.
    Down,
}

impl Verdict {
    /// On its way, and nothing else to say.
    pub const PLAIN: Verdict = Verdict::Sent {
        duplicated: false,
        flipped_bit: None,
        overtaken_by: 0,
    };
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Sent {
                duplicated,
                flipped_bit,
                overtaken_by,
            } => {
                f.write_str("sent")?;
                if *duplicated {
                    f.write_str(", duplicated")?;
                }
                if let Some(bit) = flipped_bit {
                    write!(f, ", bit {bit} flipped")?;
                }
                if *overtaken_by > 0 {
                    write!(f, ", overtaken by {overtaken_by}")?;
                }
                Ok(())
            }
            Verdict::Lost => f.write_str("lost"),
            Verdict::QueueFull => f.write_str("dropped: the queue is full"),
            Verdict::TooBig => f.write_str("dropped: larger than the MTU"),
            Verdict::Down => f.write_str("dropped: the link is down"),
        }
    }
}

/// A frame that somebody looks at. `{}` is a line as tcpdump writes it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// When.
    pub at: Instant,
    /// The host that sends or receives it.
    pub host: HostId,
    /// Whether the host sends it.
    pub direction: Direction,
    /// What the frame begins with.
    pub medium: Medium,
    /// Its bytes, as sent or as received.
    pub frame: &'a [u8],
    /// What the link does with it; [`Verdict::PLAIN`] for a received one.
    pub verdict: Verdict,
}

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.medium {
            Medium::Ethernet => fmt::Display::fmt(&describe::Ethernet(self.frame), f),
            Medium::Ip => fmt::Display::fmt(&describe::Ip(self.frame), f),
        }
    }
}

/// Looks at frames; what it returns becomes the frame's comment in the capture.
pub(crate) type Observer = Box<dyn FnMut(&Seen<'_>) -> Option<String>>;

/// Writes the capture.
pub(crate) struct Recorder {
    pub(crate) what: Capture,
    pub(crate) observer: Option<Observer>,
    /// Nothing is added to a capture of this many bytes.
    pub(crate) limit: usize,
    writer: Writer<Vec<u8>>,
    /// The capture's interfaces: host, interface number, and theirs in the file.
    interfaces: Vec<(HostId, usize, Interface)>,
}

impl Recorder {
    pub(crate) fn new() -> Recorder {
        let Ok(writer) = Writer::new(Vec::new());
        Recorder {
            what: Capture::default(),
            observer: None,
            limit: 256 << 20,
            writer,
            interfaces: Vec::new(),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.writer.get_ref()
    }

    pub(crate) fn add_interface(&mut self, host: HostId, port: usize, medium: Medium) {
        let name = format!("{host}.{port}");
        let Ok(interface) = self.writer.interface(medium.link_type(), &name);
        self.interfaces.push((host, port, interface));
    }

    /// Whether a frame sent from there is looked at.
    pub(crate) fn wants_sent(&self, from: Node) -> bool {
        match from {
            Node::Host { host, .. } => {
                self.observer.is_some()
                    || match self.what {
                        Capture::Off => false,
                        Capture::Sent => true,
                        Capture::Host(only) => only == host,
                    }
            }
            Node::Switch { .. } => false,
        }
    }

    /// A host sent a frame.
    pub(crate) fn sent(&mut self, at: Instant, channel: &Channel, frame: &[u8], verdict: Verdict) {
        let Node::Host { host, port } = channel.from else {
            return;
        };
        let seen = Seen {
            at,
            host,
            direction: Direction::Outbound,
            medium: channel.wire.medium,
            frame,
            verdict,
        };
        let comment = self.observer.as_mut().and_then(|look| look(&seen));
        let wanted = match self.what {
            Capture::Off => false,
            Capture::Sent => true,
            Capture::Host(only) => only == host,
        };
        if !wanted {
            return;
        }
        let verdict = (verdict != Verdict::PLAIN).then(|| verdict.to_string());
        let comment = match (comment, verdict) {
            (Some(comment), Some(verdict)) => Some(format!("{comment} ({verdict})")),
            (comment, verdict) => comment.or(verdict),
        };
        self.write(&seen, port, comment.as_deref());
    }

    /// A host received a frame.
    pub(crate) fn received(
        &mut self,
        at: Instant,
        (host, port): (HostId, usize),
        medium: Medium,
        frame: &[u8],
    ) {
        if self.observer.is_none() && self.what != Capture::Host(host) {
            return;
        }
        let seen = Seen {
            at,
            host,
            direction: Direction::Inbound,
            medium,
            frame,
            verdict: Verdict::PLAIN,
        };
        let comment = self.observer.as_mut().and_then(|look| look(&seen));
        if self.what == Capture::Host(host) {
            self.write(&seen, port, comment.as_deref());
        }
    }

    fn write(&mut self, seen: &Seen<'_>, port: usize, comment: Option<&str>) {
        let interface = self
            .interfaces
            .iter()
            .find(|(host, number, _)| *host == seen.host && *number == port);
        let Some((_, _, interface)) = interface else {
            return;
        };
        if self.bytes().len() >= self.limit {
            return;
        }
        let mut packet = Packet::new(*interface, seen.at, seen.direction);
        if let Some(comment) = comment {
            packet = packet.comment(comment);
        }
        let Ok(()) = self.writer.packet(&packet, seen.frame);
    }
}
