//! SYN-RECEIVED as a SYN entry: a connection request that holds no buffers (RFC 9293 §3.10.7.4).

use netloom_wire::{TcpFlags, TcpOptions, Timestamps};

use crate::listen::SynOffer;
use crate::{Discard, Env, MAX_WINDOW_SCALE, Reply, Reset, Segment, SeqNum, Tunables};

/// A passive open in SYN-RECEIVED: everything a SYN-ACK and the connection that follows need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct HalfOpen {
    pub(crate) iss: SeqNum,
    pub(crate) irs: SeqNum,
    pub(crate) ts_recent: u32,
    /// The peer's MSS option; 0: none.
    pub(crate) mss: u16,
    bits: u16,
}

// Beside the tuple and the links of the stack, 64 octets in all.
const _: () = assert!(size_of::<HalfOpen>() <= 16);

const SCALE_MASK: u16 = 0x000f;
const SCALE_PRESENT: u16 = 1 << 4;
const SACK: u16 = 1 << 5;
const TIMESTAMPS: u16 = 1 << 6;
const ANSWERED: u16 = 1 << 7;
/// Four bits: retransmissions of the SYN-ACK.
const RETRIES_SHIFT: u16 = 8;
const RETRIES_MASK: u16 = 0xf << RETRIES_SHIFT;
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
        if let (Some(scale), true) = (offer.window_scale, tunables.window_scaling) {
            bits |= SCALE_PRESENT | u16::from(scale.min(MAX_WINDOW_SCALE));
        }
        if offer.sack && tunables.sack {
            bits |= SACK;
        }
        let mut ts_recent = 0;
        if let (Some(value), true) = (offer.timestamps, tunables.timestamps) {
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
        if self.bits & SCALE_PRESENT == 0 {
            None
        } else {
            Some((self.bits & SCALE_MASK) as u8)
        }
    }

    /// Whether selective acknowledgments were agreed.
    pub const fn sack(&self) -> bool {
        self.bits & SACK != 0
    }

    /// Whether timestamps were agreed.
    pub const fn timestamps(&self) -> bool {
        self.bits & TIMESTAMPS != 0
    }

    /// How often the SYN-ACK was retransmitted because nobody answered.
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
        let mut options = TcpOptions {
            mss: Some(mss),
            ..TcpOptions::default()
        };
        options.sack_permitted = self.sack();
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //# If a TCP receives a <SYN> segment containing a
        //# Window Scale option, it SHOULD send its own Window Scale option in
        //# the <SYN,ACK> segment.
        options.window_scale = self
            .window_scale()
            .map(|_| env.tunables.window_scale(rcv_buf));
        options.timestamps = self.our_timestamps(env, ts_offset);
        Reply {
            seq: self.iss,
            ack: self.irs + 1,
            flags: TcpFlags::SYN | TcpFlags::ACK,
            window: syn_window(rcv_buf),
            options,
        }
    }

    fn our_timestamps(&self, env: &Env<'_>, ts_offset: u32) -> Option<Timestamps> {
        self.timestamps().then(|| Timestamps {
            value: env.now_ms.wrapping_add(ts_offset),
            echo: self.ts_recent,
        })
    }

    /// Judges a segment for the entry. `ts_offset` and `rcv_buf` as in [`HalfOpen::syn_ack`].
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
            return if segment.has(TcpFlags::RST) {
                Disposition::Drop(Discard::BadRst)
            } else {
                Disposition::SynAck
            };
        }
        if self.timestamps() && !segment.has(TcpFlags::RST) {
            match segment.options.timestamps {
                //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
                //# Also, PAWS processing MUST take precedence over the regular TCP
                //# acceptability check (Section 3.3 in [RFC0793]), which is performed
                //# after verification of the received Timestamps option:
                Some(timestamps) if SeqNum(timestamps.value).lt(SeqNum(self.ts_recent)) => {
                    return self.acknowledge(env, segment, ts_offset, rcv_buf, Discard::Paws);
                }
                Some(_) | None => {}
            }
        }
        let window = u32::from(syn_window(rcv_buf));
        let distance = segment.seq.distance(rcv_nxt);
        let end = segment.seq + segment.len();
        let acceptable = (distance >= 0 && segment.seq.le(rcv_nxt + window))
            || (distance < 0 && end.gt(rcv_nxt));
        if !acceptable {
            return if segment.has(TcpFlags::RST) {
                Disposition::Drop(Discard::BadRst)
            } else {
                self.acknowledge(env, segment, ts_offset, rcv_buf, Discard::OutOfWindow)
            };
        }
        if segment.has(TcpFlags::RST) {
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
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the connection was initiated with a passive OPEN, then
            //# return this connection to the LISTEN state and return.
            return Disposition::Gone;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# if the ACK bit is off, drop the segment and return
        if !segment.has(TcpFlags::ACK) {
            return Disposition::Drop(Discard::NoAck);
        }
        if segment.ack == self.iss + 1 {
            return Disposition::Established;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the segment acknowledgment is not acceptable, form a
        //# reset segment
        match crate::closed::reset_for(segment) {
            Some(reset) => Disposition::Reset(reset),
            None => Disposition::Drop(Discard::BadAck),
        }
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, unless one went out a moment ago.
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
        Disposition::Ack(Reply {
            seq: self.iss + 1,
            ack: self.irs + 1,
            flags: TcpFlags::ACK,
            window: syn_window(rcv_buf),
            options: TcpOptions {
                timestamps: self.our_timestamps(env, ts_offset),
                ..TcpOptions::default()
            },
        })
    }
}

/// Which turn of the answer limit it is: an entry without room for a time answers one segment
/// without data a turn. `None`: there is no limit.
pub(crate) fn answer_turn(env: &Env<'_>) -> Option<u32> {
    env.now_ms
        .checked_div(env.tunables.challenge_ack_interval / 1_000)
}

/// The window field of a SYN or SYN-ACK, which is never scaled: saturated, not truncated.
pub(crate) fn syn_window(rcv_buf: u32) -> u16 {
    //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
    //# The window field in a segment where the SYN bit is set (i.e., a <SYN>
    //# or <SYN,ACK>) MUST NOT be scaled.
    u16::try_from(rcv_buf).unwrap_or(u16::MAX)
}
