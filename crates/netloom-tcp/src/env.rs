//! What a connection is told from outside on every call: time, tunables, storage.

use netloom_driver::Instant;

use crate::{Range, Record, SeqNum, Tunables, TunablesRef, tunables_ref};

/// The circumstances of a call. Time is an argument: a connection has no clock of its own.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    /// Now. Never earlier than in a previous call.
    pub now: Instant,
    /// The timestamp clock (RFC 7323 §5.4): milliseconds, wrapping, in step with `now`.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
    //# It MUST tick at least once for each 2^31 bytes sent.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
    //# In fact,
    //# in order to be useful to the sender for round-trip timing, the
    //# clock SHOULD tick at least once per window's worth of data, and
    //# even with the window extension defined in Section 2.2, 2^31
    //# bytes must be at least two windows.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.4
    //# The recycling time of the timestamp clock MUST be greater than
    //# MSL seconds.
    pub now_ms: u32,
    /// The stack's settings.
    pub tunables: TunablesRef<'a>,
    /// The largest payload one [`Plan`](crate::Plan) may carry, in octets, where the device
    /// cuts super-segments; 0: one MSS.
    pub gso_max: u32,
}

impl<'a> Env<'a> {
    /// An environment without segmentation offload, whose millisecond clock is derived from
    /// `now` with a 64-bit division: for tests and for callers that do not care.
    pub fn at(now: Instant, tunables: &'a Tunables) -> Env<'a> {
        Env {
            now,
            now_ms: (now.as_micros() / 1_000) as u32,
            tunables: tunables_ref(tunables),
            gso_max: 0,
        }
    }
}

/// A connection's storage, and nothing but storage: heads, lengths and counts live in the
/// [`Connection`](crate::Connection), so any of these may be swapped for a larger slice with
/// the same live contents between calls.
///
/// Any of them may be empty. What cannot be stored is refused, never lost silently: received
/// data is dropped and counted, a write takes 0 octets, sending waits.
#[derive(Debug)]
pub struct Io<'a> {
    /// The receive ring: data in order, then data that arrived out of order in its place.
    pub rx: &'a mut [u8],
    /// The send ring: data from SND.UNA on, sent or not.
    pub tx: &'a mut [u8],
    /// What was sent and is not acknowledged.
    pub records: &'a mut [Record],
    /// What arrived out of order.
    pub ranges: &'a mut [Range],
    /// What a connection that is paced, or whose path is modelled, remembers beside: the same from
    /// when [`Connection::wants_path`](crate::Connection::wants_path) first says so for as long as
    /// the connection lives. Without it nothing is paced, and in place of BBR the default congestion
    /// control is used.
    #[cfg(feature = "bbr")]
    pub path: Option<&'a mut crate::PathState>,
    /// Whether the text of the segment that is received stands in `rx` already, where it belongs:
    /// only if [`Connection::belongs_next`](crate::Connection::belongs_next) says so.
    #[cfg(feature = "gather")]
    pub placed: bool,
}

impl<'a> Io<'a> {
    /// Storage without memory for the path.
    #[inline]
    pub fn new(
        rx: &'a mut [u8],
        tx: &'a mut [u8],
        records: &'a mut [Record],
        ranges: &'a mut [Range],
    ) -> Io<'a> {
        Io {
            rx,
            tx,
            records,
            ranges,
            #[cfg(feature = "bbr")]
            path: None,
            #[cfg(feature = "gather")]
            placed: false,
        }
    }

    /// Whether the text of the segment that is received stands in the ring already.
    #[inline]
    pub(crate) fn is_placed(&self) -> bool {
        #[cfg(feature = "gather")]
        return self.placed;
        #[cfg(not(feature = "gather"))]
        false
    }
}

/// What the caller chooses when a connection is opened, actively or passively.
#[derive(Debug, Clone, Copy)]
pub struct OpenParams {
    /// The initial send sequence number (RFC 6528).
    pub iss: SeqNum,
    /// Added to [`Env::now_ms`] in our timestamps: a keyed hash of the addresses and ports.
    pub ts_offset: u32,
    /// The MSS to advertise: what can be received, less 40 (IPv4) or 60 (IPv6) octets of fixed
    /// headers (RFC 9293 §3.7.1).
    pub mss: u16,
    /// How many octets of TCP options and payload the path carries in one segment now.
    pub path_mss: u16,
    /// What the window may promise at most, in octets: the receive buffer's limit.
    pub rcv_buf: u32,
    /// Whether the connection runs over IPv6: decides the MSS assumed of a peer that names none.
    pub is_v6: bool,
    /// Whether the Nagle algorithm is off from the start.
    pub nodelay: bool,
}

impl Default for OpenParams {
    /// Ethernet, IPv4, a 64 KiB receive buffer. The ISS and the timestamp offset are 0, which
    /// only a test may leave as they are.
    fn default() -> OpenParams {
        OpenParams {
            iss: SeqNum(0),
            ts_offset: 0,
            mss: 1460,
            path_mss: 1460,
            rcv_buf: 65_536,
            is_v6: false,
            nodelay: false,
        }
    }
}

/// Keep-alive settings of one connection (RFC 9293 §3.8.4). All times are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// How long the connection must be idle before the first probe. At least 1 s.
    pub idle: u64,
    /// The time between probes. At least 1 s.
    pub interval: u64,
    /// How many unanswered probes end the connection. At least 2 (MUST-29).
    pub count: u8,
}
