//! What a link is like: the same in both directions unless said otherwise.

use std::time::Duration;

use netloom_driver::Instant;
use netloom_driver::impair::Impairments;
use netloom_driver::pcapng::LinkType;

use crate::units::{Rate, micros, ppm};

/// A link of a world, to take it down and up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkId(pub(crate) usize);

/// What a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Medium {
    /// Ethernet II frames: hosts have MAC addresses and resolve each other's with ARP and ND.
    #[default]
    Ethernet,
    /// Bare IP packets.
    Ip,
}

impl Medium {
    pub(crate) fn link_type(self) -> LinkType {
        match self {
            Medium::Ethernet => LinkType::Ethernet,
            Medium::Ip => LinkType::Ip,
        }
    }

    /// Bytes in front of the IP packet.
    pub(crate) fn header_len(self) -> usize {
        match self {
            Medium::Ethernet => 14,
            Medium::Ip => 0,
        }
    }
}

/// One direction of a link.
#[derive(Debug, Clone)]
pub struct Path {
    pub(crate) impairments: Impairments,
    pub(crate) rate: Option<Rate>,
    pub(crate) queue_packets: usize,
    pub(crate) queue_bytes: usize,
    pub(crate) device_ring: Option<usize>,
    pub(crate) outages: Vec<(Instant, Instant)>,
    pub(crate) seed: Option<u64>,
}

impl Default for Path {
    /// A perfect path with a queue of 1000 frames, should a rate fill it.
    fn default() -> Path {
        Path {
            impairments: Impairments::NONE,
            rate: None,
            queue_packets: 1_000,
            queue_bytes: usize::MAX,
            device_ring: None,
            outages: Vec::new(),
            seed: None,
        }
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),+) $body:expr;)+) => {
        impl Path {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $($arg: $ty),+) -> Path {
                let set: fn(&mut Path, $($ty),+) = $body;
                set(&mut self, $($arg),+);
                self
            })+
        }

        impl Link {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(mut self, $($arg: $ty),+) -> Link {
                self.forward = self.forward.$name($($arg),+);
                self.backward = self.backward.$name($($arg),+);
                self
            })+
        }
    };
}

settings! {
    /// How fast frames leave. No limit at first.
    rate(rate: Rate) |path, rate| path.rate = Some(rate);
    /// How long every frame takes, beside the time its bits take.
    delay(delay: Duration) |path, delay| path.impairments.delay = micros(delay);
    /// More time, drawn for each frame from 0 to this. Frames keep their order.
    jitter(jitter: Duration) |path, jitter| path.impairments.jitter = micros(jitter);
    /// How many frames wait for their turn at most, the one being sent included; what comes
    /// then is dropped. 1000 at first.
    queue(packets: usize) |path, packets| path.queue_packets = packets.max(1);
    /// How many bytes wait for their turn at most; a frame always finds room in an empty queue.
    queue_bytes(bytes: usize) |path, bytes| path.queue_bytes = bytes;
    /// How many frames the host's device takes before it says that it is full; the stack keeps
    /// the rest. No limit at first. Only means something with a rate.
    device_ring(frames: usize) |path, frames| path.device_ring = Some(frames.max(1));
    /// The part of frames that is lost, 0 to 1.
    loss(probability: f64) |path, probability| path.impairments.loss = ppm(probability);
    /// The part of frames that arrives twice, 0 to 1.
    duplicate(probability: f64) |path, probability| path.impairments.duplicate = ppm(probability);
    /// The part of frames in which one bit is flipped, anywhere in the frame, 0 to 1.
    corrupt(probability: f64) |path, probability| path.impairments.corrupt = ppm(probability);
    /// The part of frames that later ones overtake, 0 to 1.
    reorder(probability: f64) |path, probability| path.impairments.reorder = ppm(probability);
    /// How many later frames overtake a reordered one (1 at first), and how long it waits for
    /// them at most (20 ms at first).
    reorder_by(places: u16, wait: Duration) |path, places, wait| {
        path.impairments.reorder_by = places;
        path.impairments.reorder_wait = micros(wait);
    };
    /// What the fates of its frames are drawn from, whatever the world's seed is: the fate of the
    /// n-th frame is the same in every world, and on a [`Wire`](crate::Wire) alone.
    seed(seed: u64) |path, seed| path.seed = Some(seed);
    /// Frames that leave or arrive in this time, counted from the clock's origin, are lost.
    outage(from: Instant, until: Instant) |path, from, until| path.outages.push((from, until));
}

/// A link: Ethernet with an MTU of 1500 bytes and two perfect directions, until more is said.
#[derive(Debug, Clone)]
pub struct Link {
    pub(crate) medium: Medium,
    pub(crate) mtu: u16,
    pub(crate) forward: Path,
    pub(crate) backward: Path,
}

impl Link {
    /// A perfect link.
    pub fn new() -> Link {
        Link {
            medium: Medium::Ethernet,
            mtu: 1500,
            forward: Path::default(),
            backward: Path::default(),
        }
    }

    /// The same without Ethernet: bare IP packets.
    #[must_use]
    pub fn ip(self) -> Link {
        self.medium(Medium::Ip)
    }

    /// What the link carries.
    #[must_use]
    pub fn medium(mut self, medium: Medium) -> Link {
        self.medium = medium;
        self
    }

    /// The largest IP packet, in bytes: at least 1280 where IPv6 is used, at least 68 elsewhere.
    #[must_use]
    pub fn mtu(mut self, mtu: u16) -> Link {
        self.mtu = mtu;
        self
    }

    /// Changes the direction from the first host to the second; towards the switch, on a link
    /// to one.
    #[must_use]
    pub fn forward(mut self, change: impl FnOnce(Path) -> Path) -> Link {
        self.forward = change(self.forward);
        self
    }

    /// Changes the direction from the second host to the first.
    #[must_use]
    pub fn backward(mut self, change: impl FnOnce(Path) -> Path) -> Link {
        self.backward = change(self.backward);
        self
    }
}

impl Default for Link {
    fn default() -> Link {
        Link::new()
    }
}
