//! RACK (RFC 8985): what was sent before something that has arrived, and by more than a reordering
//! window, is lost.
//!
//! It reads the records of what was sent and keeps no list of its own: [`Record::sent`] is
//! Segment.xmit_ts, its retransmissions say whether it was ever retransmitted, and a record that is
//! marked as lost counts as not in flight (INFINITE_TS).
//!
//! [`Record::sent`]: crate::Record

use super::Phase;
use crate::flags::Flags;
use crate::records::{LOST, Record, SACKED};
use crate::{Connection, Env, Io, Segment, SeqNum};

/// What RACK-TLP remembers of a connection, beside its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rack {
    /// RACK.end_seq.
    pub(crate) end_seq: SeqNum,
    /// RACK.rtt, in microseconds; 0: none.
    pub(crate) rtt: u32,
    /// RACK.dsack_round, as [`Connection::round`] tells it.
    pub(crate) dsack_round: u16,
    /// RACK.reo_wnd_mult less one.
    pub(crate) reo_wnd_more: u8,
    /// Segments that were sent again, and of which nothing says that it was needless: what was in
    /// flight at the last reduction, and what was sent since. 255: too many to be counted.
    pub(crate) undo_retrans: u8,
}

impl Rack {
    pub(crate) const EMPTY: Rack = Rack {
        end_seq: SeqNum(0),
        rtt: 0,
        dsack_round: 0,
        reo_wnd_more: 0,
        undo_retrans: 0,
    };
}

/// Yes-or-no facts of recovery; the constants name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Marks(u16);

impl Marks {
    pub(crate) const NONE: Marks = Marks(0);
    /// There is a RACK.segment: `xmit_ts` and `end_seq` are meaningful.
    pub(crate) const DELIVERED: Marks = Marks(1);
    /// RACK.reordering_seen.
    pub(crate) const REORDERING_SEEN: Marks = Marks(1 << 1);
    /// RACK.dsack_round is not None.
    pub(crate) const DSACK_ROUND: Marks = Marks(1 << 2);
    /// The acknowledgment being processed reports a duplicate.
    pub(crate) const DSACK_NOW: Marks = Marks(1 << 3);
    /// The timer that runs is RACK's reordering timer.
    pub(crate) const REO_TIMER: Marks = Marks(1 << 4);
    /// The timer that runs is the PTO.
    pub(crate) const PTO_TIMER: Marks = Marks(1 << 5);
    /// A loss probe is to be sent.
    pub(crate) const PROBE_DUE: Marks = Marks(1 << 6);
    /// TLP.end_seq is not None: it is in `recover`, of which there is no other use meanwhile.
    pub(crate) const PROBED: Marks = Marks(1 << 7);
    /// TLP.is_retrans.
    pub(crate) const PROBE_IS_RETRANS: Marks = Marks(1 << 8);
    /// No round trip was measured since the last loss probe.
    pub(crate) const UNMEASURED: Marks = Marks(1 << 9);
    /// The last reduction may turn out to have been a mistake.
    pub(crate) const UNDOABLE: Marks = Marks(1 << 10);
    /// The acknowledgment being processed says that what was retransmitted had arrived before.
    pub(crate) const ARRIVED_BEFORE: Marks = Marks(1 << 11);

    /// ECN is asked for (before the handshake is complete) or in use (after).
    pub(crate) const ECN: Marks = Marks(1 << 12);
    /// A mark is to be echoed, until the peer says that it has slowed down.
    pub(crate) const ECE_OWED: Marks = Marks(1 << 13);
    /// The peer is to be told that the window was reduced.
    pub(crate) const CWR_OWED: Marks = Marks(1 << 14);
    /// A probe of the path's MTU is in flight.
    #[cfg(feature = "plpmtud")]
    pub(crate) const PATH_PROBE: Marks = Marks(1 << 15);

    /// What else than the retransmission timer runs.
    pub(crate) const TIMERS: Marks = Marks::REO_TIMER.with(Marks::PTO_TIMER);

    #[inline]
    pub(crate) const fn has(self, other: Marks) -> bool {
        self.0 & other.0 == other.0
    }

    #[inline]
    pub(crate) const fn any(self, other: Marks) -> bool {
        self.0 & other.0 != 0
    }

    #[inline]
    pub(crate) const fn with(self, other: Marks) -> Marks {
        Marks(self.0 | other.0)
    }

    #[inline]
    pub(crate) fn set(&mut self, other: Marks) {
        self.0 |= other.0;
    }

    #[inline]
    pub(crate) fn clear(&mut self, other: Marks) {
        self.0 &= !other.0;
    }
}

/// What was so before an acknowledgment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before {
    flight: u32,
    sacked: u32,
    delivered: u32,
    una: SeqNum,
    /// RACK.fack.
    fack: SeqNum,
}

impl Before {
    pub(crate) fn fack(&self) -> SeqNum {
        self.fack
    }

    /// Octets delivered of the connection.
    #[cfg(feature = "bbr")]
    pub(crate) fn delivered(&self) -> u32 {
        self.delivered
    }
}

//= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
//# RACK persists using the inflated RACK.reo_wnd for up to 16 loss
//# recoveries, after which it resets RACK.reo_wnd to its starting value,
//# min_RTT / 4.
const PERSIST: u8 = 16;

/// [`Connection::reo_wnd_persist`] when none of them is left.
const RUN_OUT: u8 = 1;

/// Microseconds by which a moment of the wrapping clock lies after another; negative if before.
pub(super) fn after(moment: u32, other: u32) -> i32 {
    moment.wrapping_sub(other) as i32
}

/// RACK_sent_after.
pub(crate) fn sent_after(t1: u32, seq1: SeqNum, t2: u32, seq2: SeqNum) -> bool {
    let later = after(t1, t2);
    later > 0 || (later == 0 && seq1.gt(seq2))
}

impl Connection {
    /// Whether RACK finds what is lost.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-4
    //# 1.  The connection MUST use selective acknowledgment (SACK) options
    //# [RFC2018], and the sender MUST keep SACK scoreboard information
    //# on a per-connection basis ("SACK scoreboard" has the same meaning
    //# here as in [RFC6675], Section 3).
    #[inline]
    //= https://www.rfc-editor.org/rfc/rfc8985#section-1
    //# it is RECOMMENDED as an alternative to that earlier approach.
    pub(crate) fn uses_rack(&self, env: &Env<'_>) -> bool {
        self.flags.has(Flags::SACK) && env.tunables.recovery
    }

    /// What is so before an acknowledgment is processed.
    pub(crate) fn before_ack(&self, io: &Io<'_>) -> Before {
        let fack = if self.sacked > 0 && self.flags.has(Flags::SACK) {
            self.highest_sacked(io).unwrap_or(self.snd_una)
        } else {
            self.snd_una
        };
        Before {
            flight: self.flight(),
            sacked: self.sacked,
            delivered: self.delivered,
            una: self.snd_una,
            fack,
        }
    }

    /// Something about what was sent is to be learned from the segment; nothing was known so far
    /// if nothing is missing.
    pub(crate) fn begin_delivery(&mut self) {
        if self.phase == Phase::Open && self.sacked == 0 {
            // What it was sent at may be half the clock's range ago.
            self.marks.clear(Marks::DELIVERED);
        }
    }

    /// Steps 1 to 3 for a record that is acknowledged for the first time, cumulatively or
    /// selectively.
    pub(crate) fn record_delivered(
        &mut self,
        env: &Env<'_>,
        record: &Record,
        echo: Option<u32>,
        fack: SeqNum,
    ) {
        let rtt = env.micros().wrapping_sub(record.sent);
        if record.retransmissions > 0 {
            // The echo is in milliseconds: what arrived before is older by more than its tick.
            let echoed = echo.and_then(|echo| self.echoed_rtt(env, echo));
            if echoed.is_some_and(|echoed| echoed > rtt.saturating_add(1_000)) {
                return;
            }
            if rtt < self.rtt.min() {
                return;
            }
        } else if record.end.lt(fack) {
            self.marks.set(Marks::REORDERING_SEEN);
        }
        if !record.is_timed() {
            return;
        }
        let newest = !self.marks.has(Marks::DELIVERED)
            || sent_after(record.sent, record.end, self.xmit_ts, self.rack.end_seq);
        //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
        //# For each Segment newly acknowledged, cumulatively or selectively,
        //# in ascending order of Segment.xmit_ts:
        // They come in the order of the blocks: what was sent before one that arrived just now tells
        // nothing after it.
        let newest_is_of_now = env.micros().wrapping_sub(self.xmit_ts) == self.rack.rtt;
        if newest || !newest_is_of_now {
            self.rack.rtt = rtt.max(1);
        }
        if newest {
            self.marks.set(Marks::DELIVERED);
            self.xmit_ts = record.sent;
            self.rack.end_seq = record.end;
        }
    }

    /// A round trip was measured by an acknowledgment of new data.
    #[inline]
    pub(crate) fn measured(&mut self, sample: u32) {
        if self.sacked == 0 {
            self.rack.rtt = sample.max(1);
        }
        self.marks.clear(Marks::UNMEASURED);
    }

    /// The records that the segment is about to remove.
    #[cold]
    pub(crate) fn records_delivered(&mut self, env: &Env<'_>, io: &Io<'_>, segment: &Segment<'_>) {
        let ack = segment.ack;
        let echo = segment.timestamps.map(|timestamps| timestamps.echo);
        let fack = self.before_ack(io).fack;
        self.begin_delivery();
        let table = self.records;
        for record in table.live(io.records) {
            if record.end.gt(ack) {
                break;
            }
            if record.is(SACKED) {
                continue;
            }
            self.record_delivered(env, record, echo, fack);
            if record.retransmissions > 0 {
                self.note_original(env, segment);
            }
        }
    }

    /// Which part of the sequence space a number lies in: exact to a 65 536th of the largest
    /// window.
    pub(super) fn round(&self, seq: SeqNum) -> u16 {
        (seq.0 >> self.snd_wscale.wrapping_add(1)) as u16
    }

    /// The end of RACK_update_reo_wnd for a duplicate reported: once a round trip.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
    //# 2.  The RACK reordering window SHOULD adaptively increase (using the
    //# algorithm in "Step 4: Update RACK reordering window" below) if
    //# the sender receives a Duplicate Selective Acknowledgment (DSACK)
    //# option [RFC2883].
    //= https://www.rfc-editor.org/rfc/rfc8985#section-4
    //# 3.  RACK DSACK-based reordering window adaptation is RECOMMENDED but
    //# is not required.
    fn widen_reordering_window(&mut self) {
        // What is passed is forgotten: parts of the sequence space come again.
        let una = self.round(self.snd_una);
        if una.wrapping_sub(self.rack.dsack_round) < 0x8000 {
            self.marks.clear(Marks::DSACK_ROUND);
        }
        if self.marks.has(Marks::DSACK_NOW) && !self.marks.has(Marks::DSACK_ROUND) {
            self.marks.set(Marks::DSACK_ROUND);
            self.rack.dsack_round = self.round(self.snd_nxt);
            self.rack.reo_wnd_more = self.rack.reo_wnd_more.saturating_add(1);
            self.reo_wnd_persist = RUN_OUT.saturating_add(PERSIST);
        }
    }

    /// A recovery ends.
    pub(crate) fn narrow_reordering_window(&mut self) {
        if self.reo_wnd_persist > RUN_OUT {
            self.reo_wnd_persist = self.reo_wnd_persist.saturating_sub(1);
        }
        if self.reo_wnd_persist <= RUN_OUT {
            self.rack.reo_wnd_more = 0;
        }
    }

    /// Whether the peer has ever reported a duplicate, before the segment being processed.
    pub(super) fn has_reported_duplicates(&self) -> bool {
        self.reo_wnd_persist > 0
    }

    /// RACK.reo_wnd, in microseconds.
    pub(crate) fn reordering_window(&self, env: &Env<'_>, io: &Io<'_>) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
        //# 1.  The reordering window SHOULD be set to zero if no reordering has
        //# been observed on the connection so far, and either (a) three
        //# segments have been SACKed since the last recovery or (b) the
        //# sender is already in fast or RTO recovery.
        if !self.marks.has(Marks::REORDERING_SEEN) {
            let in_recovery = match self.phase {
                Phase::Recovery | Phase::Loss => true,
                Phase::Open | Phase::Probation | Phase::Trial | Phase::Reduced | Phase::Resent => {
                    false
                }
            };
            if in_recovery || self.segments_sacked(io) >= u32::from(env.tunables.dupack_threshold) {
                return 0;
            }
        }
        //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
        //# Otherwise, the
        //# reordering window SHOULD start from a small fraction of the
        //# round-trip time or zero if no round-trip time estimate is
        //# available.
        //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
        //# 3.  The RACK reordering window MUST be bounded, and this bound SHOULD
        //# be SRTT.
        let times = u32::from(self.rack.reo_wnd_more).saturating_add(1);
        (self.rtt.min() >> 2)
            .saturating_mul(times)
            .min(self.rtt.srtt())
    }

    /// RACK.segs_sacked.
    fn segments_sacked(&self, io: &Io<'_>) -> u32 {
        let mut segments = 0u32;
        let mut start = self.snd_una;
        for record in self.records.live(io.records) {
            if record.is(SACKED) {
                let len = record.end.saturating_since(start);
                segments = segments.saturating_add(len.div_ceil(u32::from(record.mss.max(1))));
            }
            start = record.end;
        }
        segments
    }

    /// RACK_detect_loss: marks what is lost by now; says whether anything is newly so, and in how
    /// many microseconds the rest is, should nothing more be heard.
    fn mark_lost(&mut self, env: &Env<'_>, io: &mut Io<'_>) -> (bool, u32) {
        let mut any = false;
        let mut timeout = 0u32;
        // While it is found out whether a timeout was right, that alone says what is lost.
        let on_trial = matches!(self.phase, Phase::Probation | Phase::Trial);
        if !self.marks.has(Marks::DELIVERED) || on_trial {
            return (false, 0);
        }
        let wait = self
            .rack
            .rtt
            .saturating_add(self.reordering_window(env, io));
        let (xmit_ts, end_seq, now) = (self.xmit_ts, self.rack.end_seq, env.micros());
        let mut start = self.snd_una;
        for record in self.records.live_mut(io.records) {
            let waiting = !record.is(SACKED) && !record.is(LOST);
            if waiting && sent_after(xmit_ts, end_seq, record.sent, record.end) {
                let remaining = after(record.sent.wrapping_add(wait), now);
                if remaining <= 0 {
                    record.mark(LOST);
                    any = true;
                    self.rtx_nxt = self.rtx_nxt.min(start);
                } else {
                    timeout = timeout.max(remaining.unsigned_abs());
                }
            }
            start = record.end;
        }
        if any {
            // Nothing of what is lost now counts as sent again.
            self.rtx_nxt = self.snd_una;
        }
        (any, timeout)
    }

    /// RACK_detect_loss_and_arm_timer, and what follows from it.
    pub(crate) fn rack_detect_loss(&mut self, env: &Env<'_>, io: &mut Io<'_>, before: &Before) {
        let (any, timeout) = self.mark_lost(env, io);
        if any {
            self.recount(io);
            let first = matches!(self.phase, Phase::Open | Phase::Reduced | Phase::Resent);
            #[cfg(feature = "plpmtud")]
            let first = first && !self.only_probe_lost(io);
            if first {
                self.enter_rack_recovery(env, io, before.flight.saturating_sub(before.sacked));
            }
        }
        //= https://www.rfc-editor.org/rfc/rfc8985#section-6.2
        //# For timely loss detection, it is RECOMMENDED that the
        //# sender install a reordering timer.
        //= https://www.rfc-editor.org/rfc/rfc8985#section-8
        //# When arming a RACK reordering timer or TLP
        //# PTO timer, the sender SHOULD cancel any other pending timers.
        if timeout > 0 {
            self.rtx_deadline = env.after(timeout.div_ceil(1_000));
            self.marks.clear(Marks::PTO_TIMER);
            self.marks.set(Marks::REO_TIMER);
        } else if self.marks.has(Marks::REO_TIMER) {
            self.marks.clear(Marks::REO_TIMER);
            self.arm_retransmission(env);
        }
    }

    /// Fast recovery begins, `recover_fs` octets being in flight that nobody had reported.
    pub(crate) fn enter_rack_recovery(&mut self, env: &Env<'_>, io: &mut Io<'_>, recover_fs: u32) {
        self.begin_recovery(env, io);
        self.begin_reduction(recover_fs);
        // A loss probe that is under way has told what it could.
        self.marks.clear(Marks::PROBED.with(Marks::PROBE_DUE));
    }

    /// The acknowledgment is taken in: finds what is lost by now, and lets out what it allows;
    /// `false`: that is left to RFC 6675 and RFC 6582.
    pub(crate) fn rack_after_ack(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        before: &Before,
    ) -> bool {
        self.widen_reordering_window();
        let advanced = self.snd_una != before.una;
        if !advanced && self.marks.has(Marks::PROBED) {
            let plain = segment.payload.is_empty() && segment.sack().is_empty();
            self.judge_probe(segment.ack, plain);
        }
        self.judge_undo(io);
        let delivered = self.delivered.wrapping_sub(before.delivered);
        let by_time = self.uses_rack(env);
        if by_time && (self.sacked > 0 || self.phase != Phase::Open) {
            let lost_before = self.lost;
            self.rack_detect_loss(env, io, before);
            if self.phase == Phase::Recovery {
                self.reduce_rate(delivered, advanced && self.lost <= lost_before);
            }
            self.settle_probe_timer(env);
        }
        self.marks
            .clear(Marks::DSACK_NOW.with(Marks::ARRIVED_BEFORE));
        by_time
    }

    /// The reordering timer or the PTO has expired; `false`: it is the retransmission timer.
    pub(crate) fn fire_rack_timer(&mut self, env: &Env<'_>, io: &mut Io<'_>) -> bool {
        if self.marks.has(Marks::REO_TIMER) {
            self.marks.clear(Marks::REO_TIMER);
            self.arm_retransmission(env);
            let before = self.before_ack(io);
            self.rack_detect_loss(env, io, &before);
            if self.phase == Phase::Recovery {
                self.reduce_rate(0, false);
            }
            true
        } else if self.marks.has(Marks::PTO_TIMER) {
            self.marks.clear(Marks::PTO_TIMER);
            self.begin_probe(env, io);
            true
        } else {
            false
        }
    }

    /// What the segment reports as a duplicate (RFC 2883 §4): the first SACK block does, if it lies
    /// below the acknowledgment, or within the second one.
    pub(super) fn duplicate(&self, segment: &Segment<'_>) -> Option<(SeqNum, SeqNum)> {
        let (first, rest) = segment.sack().split_first_chunk::<8>()?;
        let (left, right) = edges(first);
        let within = rest.split_first_chunk::<8>().is_some_and(|(second, _)| {
            let (outer_left, outer_right) = edges(second);
            left.ge(outer_left) && right.le(outer_right)
        });
        // Only what was sent, and not so long ago that it cannot be told from what was not.
        let sane = left.lt(right)
            && right.le(self.snd_nxt)
            && left.ge(self.snd_una.minus(self.max_snd_wnd.min(i32::MAX as u32)));
        (sane && (right.le(segment.ack) || within)).then_some((left, right))
    }

    /// Looks whether the segment reports a duplicate.
    pub(crate) fn note_dsack(&mut self, env: &Env<'_>, io: &Io<'_>, segment: &Segment<'_>) {
        if let Some((left, right)) = self.duplicate(segment) {
            self.marks.set(Marks::DSACK_NOW);
            self.note_probe_duplicate(segment.ack, right);
            self.note_duplicate(env, io, left, right);
        }
    }
}

/// The edges of a SACK block.
pub(super) fn edges(block: &[u8; 8]) -> (SeqNum, SeqNum) {
    let [a, b, c, d, e, f, g, h] = *block;
    (
        SeqNum(u32::from_be_bytes([a, b, c, d])),
        SeqNum(u32::from_be_bytes([e, f, g, h])),
    )
}

#[cfg(test)]
mod tests;
