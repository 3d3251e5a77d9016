//! SYN-RECEIVED as a SYN entry: a connection request that holds no buffers (RFC 9293 §3.10.7.4).

use netloom_wire::hint::cold_path;
use netloom_wire::{TcpFlags, TcpOptionWords, Timestamps};

use crate::listen::SynOffer;
use crate::{
    Discard, Env, MAX_WINDOW_SCALE, Reply, Reset, Segment, SeqNum, Tunables, WINDOW_SCALE,
};

/// A passive open in SYN-RECEIVED: everything a SYN-ACK and the connection that follows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct HalfOpen {
    pub(crate) iss: SeqNum,
    pub(crate) irs: SeqNum,
    pub(crate) ts_recent: u32,
    /// The peer's MSS option; 0: none.
    pub(crate) mss: u16,
    pub(crate) bits: u16,
}

// Beside the tuple and the links of the stack, 64 octets in all.
const _: () = assert!(size_of::<HalfOpen>() <= 16);

/// Four bits: the peer's window scale plus one; 0: it offered none.
const SCALE_MASK: u16 = 0x000f;
#[cfg(feature = "rack")]
const ECN: u16 = 1 << 4;
const SACK: u16 = 1 << 5;
const TIMESTAMPS: u16 = 1 << 6;
const ANSWERED: u16 = 1 << 7;
/// Three bits: retransmissions of the SYN-ACK.
const RETRIES_SHIFT: u16 = 8;
const RETRIES_MASK: u16 = 0x7 << RETRIES_SHIFT;
/// `ts_recent` is a number of the owner's: [`HalfOpen::lend_room`].
const LENT: u16 = 1 << 11;
/// Four bits: the turn of the answer limit in which a segment without data was last answered.
const TURN_SHIFT: u16 = 12;

/// What a segment for a SYN entry calls for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disposition {
    /// Nothing.
    Drop(Discard),
    /// The SYN came again: repeat the SYN-ACK.
    SynAck,
    /// Send this acknowledgment: the segment was unacceptable.
    Ack(Reply),
    /// Send this RST: the acknowledgment was bad.
    Reset(Reset),
    /// Forget the entry: back to LISTEN.
    Gone,
    /// The handshake is complete: make a connection with
    /// [`Connection::from_half_open`](crate::Connection::from_half_open) and give it this segment.
    Established,
}

impl HalfOpen {
    /// No entry: all bytes zero.
    pub const EMPTY: HalfOpen = HalfOpen {
        iss: SeqNum(0),
        irs: SeqNum(0),
        ts_recent: 0,
        mss: 0,
        bits: 0,
    };

    /// An entry for `offer`, with what of it the tunables accept.
    pub fn new(iss: SeqNum, offer: &SynOffer, tunables: &Tunables) -> HalfOpen {
        let mut bits = 0;
        if let (Some(scale), true) = (offer.window_scale, WINDOW_SCALE && tunables.window_scaling) {
            bits |= u16::from(scale.min(MAX_WINDOW_SCALE)).wrapping_add(1);
        }
        if crate::SACK && offer.sack && tunables.sack {
            bits |= SACK;
        }
        #[cfg(feature = "rack")]
        if offer.ecn && tunables.ecn != 0 {
            bits |= ECN;
        }
        let mut ts_recent = 0;
        if let (Some(value), true) = (offer.timestamps, crate::TIMESTAMPS && tunables.timestamps) {
            bits |= TIMESTAMPS;
            ts_recent = value;
        }
        HalfOpen {
            iss,
            irs: offer.irs,
            ts_recent,
            mss: offer.mss.unwrap_or(0),
            bits,
        }
    }

    /// Lends its owner the room of the timestamp for a number other than 0, and returns the
    /// timestamp, which the owner keeps elsewhere. Until it is back
    /// ([`with_timestamp`](HalfOpen::with_timestamp)) nothing may be asked that a timestamp is
    /// needed for: [`receive`](HalfOpen::receive), [`syn_ack`](HalfOpen::syn_ack), a connection.
    pub const fn lend_room(&mut self, number: u32) -> u32 {
        self.bits |= LENT;
        core::mem::replace(&mut self.ts_recent, number)
    }

    /// The number that the owner put in the room lent; 0: none was lent.
    pub const fn lodger(&self) -> u32 {
        if self.bits & LENT == 0 {
            0
        } else {
            self.ts_recent
        }
    }

    /// The entry with its timestamp back.
    #[must_use]
    pub const fn with_timestamp(mut self, timestamp: u32) -> HalfOpen {
        self.bits &= !LENT;
        self.ts_recent = timestamp;
        self
    }

    /// Our initial sequence number.
    pub const fn iss(&self) -> SeqNum {
        self.iss
    }

    /// The peer's initial sequence number.
    pub const fn irs(&self) -> SeqNum {
        self.irs
    }

    /// The peer's MSS option, if it sent one.
    pub const fn peer_mss(&self) -> Option<u16> {
        if self.mss == 0 { None } else { Some(self.mss) }
    }

    /// The peer's window scale, if scaling was agreed.
    pub const fn window_scale(&self) -> Option<u8> {
        match (self.bits & if WINDOW_SCALE { SCALE_MASK } else { 0 }).checked_sub(1) {
            None => None,
            Some(scale) => Some(scale as u8),
        }
    }

    /// Whether selective acknowledgments were agreed.
    pub const fn sack(&self) -> bool {
        crate::SACK && self.bits & SACK != 0
    }

    /// Whether ECN was agreed.
    #[cfg(feature = "rack")]
    pub const fn ecn(&self) -> bool {
        self.bits & ECN != 0
    }

    /// SYN and ACK, and that ECN is agreed, if it is.
    fn flags(&self) -> TcpFlags {
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
        //# Otherwise, it MUST NOT send an
        //# ECN-setup SYN-ACK packet.
        #[cfg(feature = "rack")]
        if self.ecn() {
            return TcpFlags::SYN | TcpFlags::ACK | TcpFlags::ECE;
        }
        TcpFlags::SYN | TcpFlags::ACK
    }

    /// Whether timestamps were agreed.
    pub const fn timestamps(&self) -> bool {
        crate::TIMESTAMPS && self.bits & TIMESTAMPS != 0
    }

    /// The SYN asked for a Fast Open cookie: the first SYN-ACK is to carry one.
    #[cfg(feature = "fastopen")]
    pub fn ask_for_cookie(&mut self) {
        // As if it had been answered in turn 1, but for that it was not answered.
        self.bits |= 1 << TURN_SHIFT;
    }

    /// Whether the next SYN-ACK is to carry a Fast Open cookie.
    #[cfg(feature = "fastopen")]
    pub const fn asks_for_cookie(&self) -> bool {
        self.bits & ANSWERED == 0 && self.bits >> TURN_SHIFT != 0 && self.retries() == 0
    }

    /// How often the SYN-ACK was retransmitted because nobody answered; 7: as often or more.
    pub const fn retries(&self) -> u8 {
        ((self.bits & RETRIES_MASK) >> RETRIES_SHIFT) as u8
    }

    /// Counts a retransmission of the SYN-ACK by its timer.
    pub fn count_retry(&mut self) {
        if self.bits & RETRIES_MASK != RETRIES_MASK {
            self.bits = self.bits.wrapping_add(1 << RETRIES_SHIFT);
        }
    }

    /// The SYN-ACK. `ts_offset`, `mss` and `rcv_buf` must be those that the connection will be
    /// opened with: see [`OpenParams`](crate::OpenParams).
    pub fn syn_ack(&self, env: &Env<'_>, ts_offset: u32, mss: u16, rcv_buf: u32) -> Reply {
        let mut options = TcpOptionWords::new();
        options.push_mss(mss);
        options.push_timestamps(self.sack(), self.our_timestamps(env, ts_offset));
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //# If a TCP receives a <SYN> segment containing a
        //# Window Scale option, it SHOULD send its own Window Scale option in
        //# the <SYN,ACK> segment.
        if self.window_scale().is_some() {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
            //# o  The Window Scale option MUST be sent with shift.cnt = R, where R
            //# is the value that the TCP would like to use for its receive
            //# window.
            options.push_window_scale(env.tunables.window_scale(rcv_buf));
        }
        Reply {
            seq: self.iss,
            ack: self.irs + 1,
            flags: self.flags(),
            window: syn_window(rcv_buf),
            options,
        }
    }

    fn our_timestamps(&self, env: &Env<'_>, ts_offset: u32) -> Option<Timestamps> {
        self.timestamps().then_some(Timestamps {
            value: env.now_ms.wrapping_add(ts_offset),
            echo: self.ts_recent,
        })
    }

    /// Judges a segment for the entry. `ts_offset` and `rcv_buf` as in
    /// [`OpenParams`](crate::OpenParams).
    pub fn receive(
        &mut self,
        env: &Env<'_>,
        segment: &Segment<'_>,
        ts_offset: u32,
        rcv_buf: u32,
    ) -> Disposition {
        let rcv_nxt = self.irs + 1;
        // The SYN that made this entry, again: our SYN-ACK was lost.
        if segment.has(TcpFlags::SYN) && !segment.has(TcpFlags::ACK) && segment.seq == self.irs {
            cold_path();
            if segment.has(TcpFlags::RST) {
                return Disposition::Drop(Discard::BadRst);
            }
            //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
            //# If a host has received at least one non-ECN-setup SYN
            //# or non-ECN-setup SYN-ACK packet, then it SHOULD NOT set ECT on
            //# data packets.
            // Its sender gave up asking: it is answered as it asks now (section 6.1.1.1).
            #[cfg(feature = "rack")]
            if !(segment.has(TcpFlags::ECE) && segment.has(TcpFlags::CWR)) {
                self.bits &= !ECN;
            }
            return Disposition::SynAck;
        }
        if self.timestamps() && !segment.has(TcpFlags::RST) {
            match segment.timestamps {
                //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
                //# Also, PAWS processing MUST take precedence over the regular TCP
                //# acceptability check (Section 3.3 in [RFC0793]), which is performed
                //# after verification of the received Timestamps option:
                Some(timestamps) if SeqNum(timestamps.value).lt(SeqNum(self.ts_recent)) => {
                    cold_path();
                    return self.acknowledge(env, segment, ts_offset, rcv_buf, Discard::Paws);
                }
                Some(_) | None => {}
            }
        }
        let window = u32::from(syn_window(rcv_buf));
        // A RST must be in the window; an acknowledgment may lie at its edge.
        let edge = u32::from(!segment.has(TcpFlags::RST));
        let distance = segment.seq.distance(rcv_nxt);
        let end = segment.seq + segment.len();
        let acceptable = (distance >= 0 && segment.seq.lt(rcv_nxt + window + edge))
            || (distance < 0 && end.gt(rcv_nxt));
        if !acceptable {
            cold_path();
            return if segment.has(TcpFlags::RST) {
                Disposition::Drop(Discard::BadRst)
            } else {
                self.acknowledge(env, segment, ts_offset, rcv_buf, Discard::OutOfWindow)
            };
        }
        if segment.has(TcpFlags::RST) {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If this connection was initiated with a passive OPEN
            //# (i.e., came from the LISTEN state), then return this
            //# connection to LISTEN state and return.
            return if distance == 0 {
                Disposition::Gone
            } else {
                self.acknowledge(env, segment, ts_offset, rcv_buf, Discard::ChallengedRst)
            };
        }
        if segment.has(TcpFlags::SYN) {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the connection was initiated with a passive OPEN, then
            //# return this connection to the LISTEN state and return.
            return Disposition::Gone;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# if the ACK bit is off, drop the segment and return
        if !segment.has(TcpFlags::ACK) {
            cold_path();
            return Disposition::Drop(Discard::NoAck);
        }
        if segment.ack == self.iss + 1 {
            return Disposition::Established;
        }
        cold_path();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the segment acknowledgment is not acceptable, form a
        //# reset segment
        Disposition::Reset(crate::closed::reset_of(segment))
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, unless one went out a moment ago.
    #[cold]
    fn acknowledge(
        &mut self,
        env: &Env<'_>,
        segment: &Segment<'_>,
        ts_offset: u32,
        rcv_buf: u32,
        why: Discard,
    ) -> Disposition {
        if let Some(turn) = answer_turn(env) {
            let turn = (turn as u16) << TURN_SHIFT;
            let answered = ANSWERED | turn;
            const MASK: u16 = ANSWERED | 0xf << TURN_SHIFT;
            if self.bits & MASK == answered && segment.payload.is_empty() {
                return Disposition::Drop(why);
            }
            self.bits = self.bits & !MASK | answered;
        }
        let mut options = TcpOptionWords::new();
        options.push_timestamps(false, self.our_timestamps(env, ts_offset));
        Disposition::Ack(Reply {
            seq: self.iss + 1,
            ack: self.irs + 1,
            flags: TcpFlags::ACK,
            window: syn_window(rcv_buf),
            options,
        })
    }
}

/// Which turn of the answer limit it is: an entry without room for a time answers one segment
/// without data a turn. `None`: there is no limit.
pub(crate) fn answer_turn(env: &Env<'_>) -> Option<u32> {
    env.now_ms.checked_div(env.tunables.challenge_ack_interval)
}

/// The window field of a SYN or SYN-ACK, which is never scaled: saturated, not truncated.
pub(crate) fn syn_window(rcv_buf: u32) -> u16 {
    //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
    //# The window field in a segment where the SYN bit is set (i.e., a <SYN>
    //# or <SYN,ACK>) MUST NOT be scaled.
    u16::try_from(rcv_buf).unwrap_or(u16::MAX)
}
