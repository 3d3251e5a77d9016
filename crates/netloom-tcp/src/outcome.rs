//! What a call did: the caller's part of the work.

use netloom_wire::{TcpFlags, TcpOptionWords};

use crate::{CloseReason, EVENTS, SeqNum, TimeWaitState};

/// News for the user or the IP layer: a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct News(u16);

impl News {
    /// Nothing.
    pub const NONE: News = News(0);
    /// New data can be read, in order.
    pub const READABLE: News = News(1);
    /// Room has come free in the send ring.
    pub const WRITABLE: News = News(1 << 1);
    /// The connection has just become ESTABLISHED.
    pub const ESTABLISHED: News = News(1 << 2);
    /// The peer's FIN has been received: end of file once everything is read.
    pub const PEER_FINISHED: News = News(1 << 3);
    /// The peer's urgent pointer appeared or advanced (RFC 9293 §3.8.5).
    pub const URGENT: News = News(1 << 4);
    /// A soft error: R1 was reached, or ICMP reported one (RFC 9293 §3.9.1.8).
    pub const SOFT_ERROR: News = News(1 << 5);
    /// R1 was reached: tell IP to look for another way (RFC 9293 §3.8.3 (b)).
    pub const NEGATIVE_ADVICE: News = News(1 << 6);
    /// The path works in both directions: the peer acknowledged something new (a hint for
    /// neighbour reachability, RFC 4861 §7.3.1).
    pub const PATH_CONFIRMED: News = News(1 << 7);
    /// Everything we sent, FIN included, is acknowledged: the user's close is done.
    pub const SEND_FINISHED: News = News(1 << 8);
    /// The connection may have a segment to send: without it,
    /// [`Connection::next`](crate::Connection::next) would not be `Send` now. Told by all calls but
    /// [`Connection::receive`](crate::Connection::receive).
    pub const OWES_FRAME: News = News(1 << 9);
    /// The connection has just ended: see [`Connection::ended`](crate::Connection::ended). Its
    /// unread data can still be read.
    pub const ENDED: News = News(1 << 10);
    /// The segment is to be answered with [`closed::reset_for`](crate::closed::reset_for).
    pub const RESET: News = News(1 << 11);
    /// A round trip is over in which it was measured what the user reads: see
    /// [`Connection::tune_rcv_buf`](crate::Connection::tune_rcv_buf).
    #[cfg(feature = "autotune")]
    pub const ROUND_OVER: News = News(1 << 12);

    /// What concerns the user.
    pub const USER: News = News::READABLE
        .with(News::WRITABLE)
        .with(News::ESTABLISHED)
        .with(News::PEER_FINISHED)
        .with(News::URGENT)
        .with(News::SOFT_ERROR);

    /// What there is no feature to tell is left out, and the compiler sees it.
    #[inline]
    pub(crate) const fn told(self) -> News {
        if EVENTS {
            return self;
        }
        let of_stream = News::READABLE
            .with(News::WRITABLE)
            .with(News::PEER_FINISHED)
            .with(News::SEND_FINISHED);
        News(self.0 & !of_stream.0)
    }

    /// These bits and those of `other`; `|` that works in constants.
    #[inline]
    #[must_use]
    pub const fn with(self, other: News) -> News {
        News(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    #[inline]
    pub const fn contains(self, other: News) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    #[inline]
    pub const fn intersects(self, other: News) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether no bit is set.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Sets all bits of `other`.
    #[inline]
    pub fn insert(&mut self, other: News) {
        self.0 |= other.0;
    }
}

impl core::ops::BitOr for News {
    type Output = News;
    fn bitor(self, other: News) -> News {
        News(self.0 | other.0)
    }
}

impl core::fmt::Debug for News {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const NAMES: &[(News, &str)] = &[
            (News::READABLE, "readable"),
            (News::WRITABLE, "writable"),
            (News::ESTABLISHED, "established"),
            (News::PEER_FINISHED, "peer-finished"),
            (News::URGENT, "urgent"),
            (News::SOFT_ERROR, "soft-error"),
            (News::NEGATIVE_ADVICE, "negative-advice"),
            (News::PATH_CONFIRMED, "path-confirmed"),
            (News::SEND_FINISHED, "send-finished"),
            (News::OWES_FRAME, "owes-frame"),
            (News::ENDED, "ended"),
            (News::RESET, "reset"),
            #[cfg(feature = "autotune")]
            (News::ROUND_OVER, "round-over"),
        ];
        let mut set = f.debug_set();
        for (bit, name) in NAMES {
            if self.contains(*bit) {
                set.entry(&format_args!("{name}"));
            }
        }
        set.finish()
    }
}

/// How a connection left the table of live connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It entered TIME-WAIT and owes nothing: this is all that must be remembered of it.
    TimeWait(TimeWaitState),
    /// It is gone.
    Closed(CloseReason),
}

/// Why a segment, or part of one, was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum Discard {
    /// Everything in it had been received before.
    Duplicate = 1,
    /// It lies outside the receive window.
    OutOfWindow,
    /// Its timestamp is older than one already seen (RFC 7323 §5).
    Paws,
    /// It acknowledges what was never sent, or something too old (RFC 5961 §5).
    BadAck,
    /// It carries no acknowledgment where one is required.
    NoAck,
    /// It is neither a SYN nor a RST, in a state that waits for one.
    NotSyn,
    /// Its flags contradict each other, such as SYN with FIN or RST.
    BadFlags,
    /// Its data, or the rest of it, lies beyond the window that was offered.
    WindowFull,
    /// No ring memory was there to hold its data.
    NoMemory,
    /// The list of out-of-order ranges is full.
    RangesFull,
    /// A RST in the window but not at its edge: answered with a challenge ACK (RFC 5961 §3).
    ChallengedRst,
    /// A SYN on a synchronized connection: answered with a challenge ACK (RFC 5961 §4).
    ChallengedSyn,
    /// A RST that cannot be for this connection.
    BadRst,
    /// Data beyond the peer's own FIN.
    AfterFin,
    /// Data for a user who has shut down reading.
    ReadShutDown,
    /// The connection no longer takes segments.
    Closed,
}

impl Discard {
    /// Whether text was refused: a FIN behind it has not arrived then.
    pub(crate) const fn is_of_text(self) -> bool {
        matches!(
            self,
            Discard::WindowFull | Discard::NoMemory | Discard::RangesFull | Discard::AfterFin
        )
    }
}

/// A segment without data that depends on no connection: a RST, a SYN-ACK from a SYN entry, an
/// ACK from TIME-WAIT.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reply {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; 0 unless `flags` has ACK.
    pub ack: SeqNum,
    /// Control bits.
    pub flags: TcpFlags,
    /// The window field as it goes on the wire.
    pub window: u16,
    /// Options.
    pub options: TcpOptionWords,
}

/// A RST to send in answer to a segment, outside the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// SEG.SEQ.
    pub seq: SeqNum,
    /// SEG.ACK; 0 unless `flags` has ACK.
    pub ack: SeqNum,
    /// RST, perhaps with ACK.
    pub flags: TcpFlags,
}

impl From<Reset> for Reply {
    fn from(reset: Reset) -> Reply {
        Reply {
            seq: reset.seq,
            ack: reset.ack,
            flags: reset.flags,
            window: 0,
            options: TcpOptionWords::new(),
        }
    }
}

/// What a call did.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// News for the user, the IP layer and the caller.
    pub news: News,
    /// The segment, or part of it, was dropped, and why.
    pub discard: Option<Discard>,
}

impl Outcome {
    /// The same without the news that the connection is established: of one whose owner knows.
    pub fn known(mut self) -> Outcome {
        self.news.0 &= !News::ESTABLISHED.0;
        self
    }

    /// Nothing happened.
    pub(crate) const NOTHING: Outcome = Outcome {
        news: News::NONE,
        discard: None,
    };

    /// `false` only if [`Connection::next`](crate::Connection::next) would not be `Send` now.
    #[inline]
    pub const fn owes_frame(&self) -> bool {
        self.news.contains(News::OWES_FRAME)
    }

    /// The connection has just ended: see [`Connection::ended`](crate::Connection::ended).
    #[inline]
    pub const fn ended(&self) -> bool {
        self.news.contains(News::ENDED)
    }

    /// The segment is to be answered with [`closed::reset_for`](crate::closed::reset_for).
    #[inline]
    pub const fn resets(&self) -> bool {
        self.news.contains(News::RESET)
    }

    /// New data can be read.
    #[inline]
    pub const fn readable(&self) -> bool {
        self.news.contains(News::READABLE)
    }

    /// Room has come free in the send ring.
    #[inline]
    pub const fn writable(&self) -> bool {
        self.news.contains(News::WRITABLE)
    }

    /// The connection has just become ESTABLISHED.
    #[inline]
    pub const fn established(&self) -> bool {
        self.news.contains(News::ESTABLISHED)
    }

    /// The peer's FIN has been received.
    #[inline]
    pub const fn peer_finished(&self) -> bool {
        self.news.contains(News::PEER_FINISHED)
    }

    /// The urgent pointer appeared or advanced.
    #[inline]
    pub const fn urgent(&self) -> bool {
        self.news.contains(News::URGENT)
    }

    /// A soft error is to be reported.
    #[inline]
    pub const fn soft_error(&self) -> bool {
        self.news.contains(News::SOFT_ERROR)
    }
}
