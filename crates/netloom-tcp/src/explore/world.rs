//! What is explored, and a state of it: two ends with their programs, and what is on its way
//! between them.

use std::format;
use std::string::String;
use std::vec::Vec;

use netloom_driver::Instant;
use netloom_wire::{TcpFlags, TcpOptionWords};

use crate::{
    CongestionControl, Connection, HalfOpen, OpenParams, Range, Record, SeqNum, State,
    TimeWaitState, Tunables,
};

/// What is explored: the ends, their data, and how bad the channel may be.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) name: &'static str,
    pub(super) sack: bool,
    /// Payload of a segment at most.
    pub(super) mss: u16,
    /// Octets of receive buffer, and so of window, at each end: at most [`RING`].
    pub(super) window: usize,
    /// Octets each end sends.
    pub(super) data: [u8; 2],
    /// Whether both ends open actively.
    pub(super) simultaneous: bool,
    /// Whether an end may receive several segments before it sends.
    pub(super) batches: bool,
    pub(super) budget: Budget,
}

/// What the channel and the clocks may still do.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct Budget {
    /// Segments lost.
    pub(super) losses: u8,
    /// Segments that arrive a second time, any time later.
    pub(super) duplicates: u8,
    /// Segments overtaken by any number of later ones.
    pub(super) delays: u8,
    /// Retransmission or persist timers that expire while something is on its way in order.
    pub(super) early_timers: u8,
}

/// Room in each ring.
pub(super) const RING: usize = 4;
/// The retransmission timeout in milliseconds, always: SRTT and back-off have no say.
pub(super) const RTO: u32 = 1_000;
/// Where the sequence numbers start: they wrap within the first octets.
pub(super) const ISS: [SeqNum; 2] = [SeqNum(0xffff_fffe), SeqNum(0x7fff_ffff)];

impl Rules {
    pub(super) fn tunables(&self) -> Tunables {
        Tunables {
            rto_initial: RTO,
            rto_min: RTO,
            rto_max: RTO,
            persist_max: RTO,
            user_timeout: 0,
            syn_retries: u8::MAX,
            synack_retries: u8::MAX,
            min_snd_mss: 1,
            timestamps: false,
            sack: self.sack,
            quick_acks: 0,
            dupack_threshold: 2,
            congestion_control: CongestionControl::Reno,
            #[cfg(feature = "rack")]
            recovery: false,
            #[cfg(feature = "rack")]
            early_retrans: false,
            #[cfg(feature = "rack")]
            frto: false,
            ..Tunables::DEFAULT
        }
    }

    pub(super) fn params(&self, i: usize) -> OpenParams {
        OpenParams {
            iss: ISS[i],
            ts_offset: 0,
            mss: self.mss,
            path_mss: self.mss,
            rcv_buf: self.window as u32,
            is_v6: false,
            nodelay: true,
        }
    }
}

/// Octet `n` of the stream that end `i` sends.
pub(super) fn octet(i: usize, n: u32) -> u8 {
    (n as u8).wrapping_mul(7).wrapping_add(1 + 100 * i as u8)
}

/// A segment on its way. Its text follows from its sequence number: that is checked when it is
/// sent.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct Packet {
    pub(super) seq: SeqNum,
    pub(super) ack: SeqNum,
    pub(super) flags: u16,
    pub(super) window: u16,
    pub(super) len: u8,
    /// MSS and SACK-permitted, or two SACK blocks.
    pub(super) options: [u8; 20],
    pub(super) options_len: u8,
}

impl Packet {
    pub(super) fn new(
        seq: SeqNum,
        ack: SeqNum,
        flags: TcpFlags,
        window: u16,
        len: u32,
        words: &TcpOptionWords,
    ) -> Result<Packet, Fault> {
        let mut options = [0; 20];
        words
            .emit(&mut options)
            .map_err(|error| format!("{words:?}: {error:?}"))?;
        Ok(Packet {
            seq,
            ack,
            flags: flags.0,
            window,
            len: len as u8,
            options,
            options_len: words.len() as u8,
        })
    }
}

/// What stands for a connection, over its whole life.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "worlds are copied, not kept by the thousand in this form"
)]
pub(super) enum Life {
    Listening,
    HalfOpen(HalfOpen, Instant),
    Live(Connection),
    TimeWait(TimeWaitState),
    Gone,
}

/// One end with its program.
#[derive(Debug, Clone)]
pub(super) struct Host {
    pub(super) life: Life,
    pub(super) rx: [u8; RING],
    pub(super) tx: [u8; RING],
    pub(super) records: [Record; 3],
    pub(super) ranges: [Range; 2],
    /// Its own clock, which only its own timers move.
    pub(super) clock: Instant,
    /// Octets the program has written and read.
    pub(super) written: u8,
    pub(super) read: u8,
    pub(super) closed: bool,
    /// Whether the peer's FIN was received in order.
    pub(super) got_fin: bool,
    /// The right edge of the window, as the peer may know it.
    pub(super) edge: SeqNum,
    /// Something was received and not answered yet.
    pub(super) pending: bool,
}

/// What must not happen, and did.
pub(super) type Fault = String;

#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) hosts: [Host; 2],
    /// On the way to each end, in order.
    pub(super) queue: [Vec<Packet>; 2],
    /// Overtaken, or to arrive a second time.
    pub(super) late: [Vec<Packet>; 2],
    pub(super) budget: Budget,
}

/// The storage of a host, without borrowing its life.
macro_rules! io {
    ($host:expr, $window:expr) => {
        Io::new(
            &mut $host.rx[..$window],
            &mut $host.tx,
            &mut $host.records,
            &mut $host.ranges,
        )
    };
}
pub(super) use io;

impl World {
    /// The states of both ends, as the RFC calls them.
    pub(super) fn states(&self) -> [State; 2] {
        [0, 1].map(|i| match &self.hosts[i].life {
            Life::Listening => State::Listen,
            Life::HalfOpen(..) => State::SynReceived,
            Life::Live(connection) => connection.state(),
            Life::TimeWait(_) => State::TimeWait,
            Life::Gone => State::Closed,
        })
    }
}
