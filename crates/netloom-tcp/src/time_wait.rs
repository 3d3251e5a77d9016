//! TIME-WAIT as an entry without buffers (RFC 9293 §3.10.7.4, RFC 1337, RFC 6191).

use netloom_wire::{TcpFlags, TcpOptionWords, Timestamps};

use crate::flags::Flags;
use crate::syn_received::answer_turn;
use crate::{Connection, Discard, Env, Reply, Segment, SeqNum, TIMESTAMPS};

/// All that must be remembered of a connection in TIME-WAIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct TimeWaitState {
    pub(crate) snd_nxt: SeqNum,
    pub(crate) rcv_nxt: SeqNum,
    pub(crate) ts_recent: u32,
    /// The window field of our last segment.
    pub(crate) window: u16,
    pub(crate) timestamps: bool,
    /// The turn of the answer limit in which a segment without data or FIN was last answered,
    /// + 1 and in 7 bits; 0: none was.
    pub(crate) answered: u8,
}

const _: () = assert!(size_of::<TimeWaitState>() <= 16);

/// MAX.SND.WND, of which there is no room to keep the true one: the largest window there can be.
const MAX_SND_WND: u32 = 65_535 << 14;

/// What a segment for a TIME-WAIT entry calls for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disposition {
    /// Nothing.
    Drop(Discard),
    /// Send this acknowledgment.
    Ack {
        /// The acknowledgment.
        reply: Reply,
        /// Whether the 2 MSL timer starts again: it was the peer's FIN.
        restart: bool,
    },
    /// A new incarnation may begin: treat the segment as if for the listener, and choose an ISS
    /// of at least `min_iss`.
    Reopen {
        /// Beyond every sequence number the old incarnation used.
        min_iss: SeqNum,
    },
}

impl TimeWaitState {
    /// No entry: all bytes zero.
    pub const EMPTY: TimeWaitState = TimeWaitState {
        snd_nxt: SeqNum(0),
        rcv_nxt: SeqNum(0),
        ts_recent: 0,
        window: 0,
        timestamps: false,
        answered: 0,
    };

    /// What is left of a connection in TIME-WAIT.
    pub(crate) fn of(connection: &Connection) -> TimeWaitState {
        TimeWaitState {
            snd_nxt: connection.snd_nxt,
            rcv_nxt: connection.rcv_nxt,
            ts_recent: connection.ts_recent,
            window: connection.window_to_offer().0,
            timestamps: connection.flags.has(Flags::TIMESTAMPS),
            answered: 0,
        }
    }

    /// SND.NXT: what our next segment would carry.
    pub const fn snd_nxt(&self) -> SeqNum {
        self.snd_nxt
    }

    /// RCV.NXT: what the peer's next segment would carry.
    pub const fn rcv_nxt(&self) -> SeqNum {
        self.rcv_nxt
    }

    /// Judges a segment for the entry. `ts_offset` is the connection's.
    pub fn receive(&mut self, env: &Env<'_>, segment: &Segment<'_>, ts_offset: u32) -> Disposition {
        // RFC 1337 §3 (F1): a RST must not end TIME-WAIT early.
        if segment.has(TcpFlags::RST) {
            return Disposition::Drop(Discard::BadRst);
        }
        let value = match (TIMESTAMPS && self.timestamps, segment.timestamps) {
            (true, Some(timestamps)) => Some(SeqNum(timestamps.value)),
            (true, None) | (false, Some(_) | None) => None,
        };
        if segment.has(TcpFlags::SYN) {
            //= https://www.rfc-editor.org/rfc/rfc6191#section-2
            //# If TCP Timestamps would be enabled for the new incarnation of
            //# the connection, honor the incoming connection request (creating
            //# a connection in the SYN-RECEIVED state).
            let first_timestamps = !self.timestamps
                && TIMESTAMPS
                && env.tunables.timestamps
                && segment.timestamps.is_some();
            let reopens = first_timestamps || self.may_reopen(segment.seq, value);
            if !segment.has(TcpFlags::ACK) && reopens {
                // RFC 9293 §3.6.1 wants the new ISS larger than any used before; an old
                // duplicate in flight may be as far ahead as a whole unscaled window.
                return Disposition::Reopen {
                    min_iss: self.snd_nxt + 65_537,
                };
            }
            return self.answer(env, segment, ts_offset, Discard::ChallengedSyn, false);
        }
        if value.is_some_and(|value| value.lt(SeqNum(self.ts_recent))) {
            return self.answer(env, segment, ts_offset, Discard::Paws, false);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# The only thing that can arrive in this state is a
        //# retransmission of the remote FIN.  Acknowledge it, and
        //# restart the 2 MSL timeout.
        if segment.has(TcpFlags::FIN) && segment.seq + segment.len() == self.rcv_nxt {
            return self.answer(env, segment, ts_offset, Discard::Duplicate, true);
        }
        if segment.has(TcpFlags::FIN) || !self.is_acceptable(segment) {
            return self.answer(env, segment, ts_offset, Discard::OutOfWindow, false);
        }
        if !segment.has(TcpFlags::ACK) {
            return Disposition::Drop(Discard::NoAck);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# The new state variable
        //# MAX.SND.WND is defined as the largest window that the local
        //# sender has ever received from its peer (subject to window
        //# scaling) or may be hard-coded to a maximum permissible
        //# window value.
        // All that we sent is acknowledged: SND.UNA is SND.NXT.
        if segment.ack.gt(self.snd_nxt) || segment.ack.lt(self.snd_nxt.minus(MAX_SND_WND)) {
            return self.answer(env, segment, ts_offset, Discard::BadAck, false);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# This should not occur since a FIN has been received from the
        //# remote side.  Ignore the segment text.
        Disposition::Drop(Discard::Duplicate)
    }

    /// The acceptability test (RFC 9293 §3.4). The scale of the window is forgotten: of a scaled one
    /// only the beginning counts, and what lies further is answered.
    fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        if segment.seq == self.rcv_nxt {
            return true;
        }
        if segment.seq.lt(self.rcv_nxt) {
            return (segment.seq + segment.len()).gt(self.rcv_nxt);
        }
        segment.seq.since(self.rcv_nxt) < u32::from(self.window)
    }

    /// RFC 6191 §2 and RFC 9293 §3.6.1: whether a SYN can only be from a new incarnation.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
    //# This algorithm for reducing TIME-WAIT is a Best
    //# Current Practice that SHOULD be implemented since Timestamp Options
    //# are commonly used, and using them to reduce TIME-WAIT provides
    //# benefits for busy Internet servers (SHLD-4).
    //= https://www.rfc-editor.org/rfc/rfc6191#section-2
    //# Processing of SYN segments received for connections in the TIME-WAIT
    //# state SHOULD occur as follows:
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
    //# However, it MAY accept a new SYN from the remote TCP endpoint to
    //# reopen the connection directly from TIME-WAIT state (MAY-2), if it:
    fn may_reopen(&self, seq: SeqNum, value: Option<SeqNum>) -> bool {
        let newer_seq = seq.gt(self.rcv_nxt);
        match value {
            Some(value) => {
                let recent = SeqNum(self.ts_recent);
                value.gt(recent) || (value == recent && newer_seq)
            }
            None => newer_seq,
        }
    }

    fn answer(
        &mut self,
        env: &Env<'_>,
        segment: &Segment<'_>,
        ts_offset: u32,
        why: Discard,
        restart: bool,
    ) -> Disposition {
        if let Some(turn) = answer_turn(env) {
            let turn = (turn & 0x7f) as u8 + 1;
            if self.answered == turn && !segment.has(TcpFlags::FIN) && segment.payload.is_empty() {
                return Disposition::Drop(why);
            }
            self.answered = turn;
        }
        let timestamps = (TIMESTAMPS && self.timestamps).then(|| Timestamps {
            value: env.now_ms.wrapping_add(ts_offset),
            echo: self.ts_recent,
        });
        let mut options = TcpOptionWords::new();
        options.push_timestamps(false, timestamps);
        Disposition::Ack {
            reply: Reply {
                seq: self.snd_nxt,
                ack: self.rcv_nxt,
                flags: TcpFlags::ACK,
                window: self.window,
                options,
            },
            restart,
        }
    }
}
