//! A connection's yes-or-no facts in one word.

use crate::{ACTIVE_OPEN, KEEPALIVE, LINGER, SACK, TIMESTAMPS, USER_TIMEOUT, WINDOW_SCALE};

/// A set of facts; the constants name them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flags(u32);

impl Flags {
    pub(crate) const NONE: Flags = Flags(0);
    /// Timestamps are offered (before the handshake is complete) or in use (after).
    //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
    //# The TCP SHOULD remember
    //# this state by setting a flag, referred to as Snd.TS.OK, to one.
    pub(crate) const TIMESTAMPS: Flags = Flags(1);
    /// Selective acknowledgments are offered or in use.
    pub(crate) const SACK: Flags = Flags(1 << 1);
    /// Window scaling is offered or in use.
    pub(crate) const SCALING: Flags = Flags(1 << 2);
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5
    //# Note that a TCP implementation MUST keep track of whether a
    //# connection has reached SYN-RECEIVED state as the result of a passive
    //# OPEN or an active OPEN (MUST-11).
    /// The connection began with an active OPEN.
    pub(crate) const ACTIVE: Flags = Flags(1 << 3);
    /// The connection runs over IPv6.
    pub(crate) const V6: Flags = Flags(1 << 4);
    /// A SYN or SYN-ACK is to be sent, for the first time or again.
    pub(crate) const SYN_OWED: Flags = Flags(1 << 5);
    /// An acknowledgment is to be sent now.
    pub(crate) const ACK_NOW: Flags = Flags(1 << 6);
    /// The user has closed the sending direction: FIN follows the queued data.
    pub(crate) const FIN_QUEUED: Flags = Flags(1 << 7);
    /// FIN has been sent: SND.NXT counts it.
    pub(crate) const FIN_SENT: Flags = Flags(1 << 8);
    /// FIN is to be sent again.
    pub(crate) const FIN_LOST: Flags = Flags(1 << 9);
    /// The peer's FIN is known to be at `rcv_fin`, beyond a gap.
    pub(crate) const FIN_AHEAD: Flags = Flags(1 << 10);
    /// The peer's FIN was received in order.
    pub(crate) const FIN_RECEIVED: Flags = Flags(1 << 11);
    /// A RST is to be sent: the connection was aborted.
    pub(crate) const RESET_OWED: Flags = Flags(1 << 12);
    /// The user has closed both directions and is gone.
    pub(crate) const ORPHAN: Flags = Flags(1 << 13);
    /// The user has shut down reading.
    pub(crate) const READ_SHUT: Flags = Flags(1 << 14);
    /// The Nagle algorithm is off.
    pub(crate) const NODELAY: Flags = Flags(1 << 15);
    /// Keep-alives are on.
    pub(crate) const KEEPALIVE: Flags = Flags(1 << 16);
    /// A keep-alive probe is to be sent.
    pub(crate) const KEEPALIVE_OWED: Flags = Flags(1 << 17);
    /// A zero-window probe is to be sent.
    pub(crate) const PROBE_OWED: Flags = Flags(1 << 18);
    /// The octet at SND.NXT went out as a zero-window probe: the peer may acknowledge it.
    pub(crate) const PROBED: Flags = Flags(1 << 19);
    /// Silly-window avoidance has held data long enough: send what the window takes.
    pub(crate) const OVERRIDE: Flags = Flags(1 << 20);
    /// The next retransmission goes out whatever the congestion window says.
    pub(crate) const RETRANSMIT_NOW: Flags = Flags(1 << 21);
    /// `dsack` holds duplicate data to be reported (RFC 2883).
    pub(crate) const DSACK: Flags = Flags(1 << 22);
    /// `rcv_up` is meaningful.
    pub(crate) const URGENT_IN: Flags = Flags(1 << 23);
    /// `snd_up` is meaningful.
    pub(crate) const URGENT_OUT: Flags = Flags(1 << 24);
    /// `challenged_ms` is meaningful.
    pub(crate) const CHALLENGED: Flags = Flags(1 << 25);
    /// `close` waits no longer than `linger`.
    pub(crate) const LINGER: Flags = Flags(1 << 26);
    /// The linger timer runs.
    pub(crate) const LINGERING: Flags = Flags(1 << 27);
    /// The connection has its own user timeout.
    pub(crate) const OWN_USER_TIMEOUT: Flags = Flags(1 << 28);
    /// The handshake took more than one SYN.
    pub(crate) const SYN_REPEATED: Flags = Flags(1 << 29);
    /// `recover` is meaningful.
    pub(crate) const RECOVERED: Flags = Flags(1 << 30);
    /// The fast path is never taken: everything that happens is looked at, because sending is
    /// paced, or the path modelled. Tests set it to have the slow path.
    #[cfg(any(feature = "bbr", target_pointer_width = "64"))]
    pub(crate) const WATCHED: Flags = Flags(1 << 31);

    /// All but facts of features that are left out. Those never hold, and the compiler knows it, so
    /// what depends on them is left out with them.
    const PRESENT: u32 = !(absent(TIMESTAMPS, Flags::TIMESTAMPS)
        | absent(SACK, Flags::SACK.with(Flags::DSACK))
        | absent(WINDOW_SCALE, Flags::SCALING)
        | absent(ACTIVE_OPEN, Flags::ACTIVE)
        | absent(KEEPALIVE, Flags::KEEPALIVE.with(Flags::KEEPALIVE_OWED))
        | absent(USER_TIMEOUT, Flags::OWN_USER_TIMEOUT)
        | absent(LINGER, Flags::LINGER.with(Flags::LINGERING)));

    /// Whether all of `other` hold.
    #[inline]
    pub(crate) const fn has(self, other: Flags) -> bool {
        other.0 & Flags::PRESENT == other.0 && self.0 & other.0 == other.0
    }

    /// Whether any of `other` holds.
    #[inline]
    pub(crate) const fn any(self, other: Flags) -> bool {
        self.0 & other.0 & Flags::PRESENT != 0
    }

    #[inline]
    pub(crate) const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    #[inline]
    pub(crate) fn set(&mut self, other: Flags) {
        self.0 |= other.0 & Flags::PRESENT;
    }

    #[inline]
    pub(crate) fn clear(&mut self, other: Flags) {
        self.0 &= !(other.0 & Flags::PRESENT);
    }

    #[inline]
    pub(crate) fn put(&mut self, other: Flags, value: bool) {
        if value {
            self.set(other);
        } else {
            self.clear(other);
        }
    }
}

const fn absent(feature: bool, flags: Flags) -> u32 {
    if feature { 0 } else { flags.0 }
}

impl core::fmt::Debug for Flags {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
