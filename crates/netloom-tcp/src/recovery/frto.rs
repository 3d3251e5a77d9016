//! F-RTO (RFC 5682): after a retransmission timeout only the first segment is sent again, and what
//! the next two acknowledgments say tells whether the timeout was a mistake. With SACK it is the
//! enhanced version (§3), without it the basic one (§2).
//!
//! [`Phase::Probation`] is step 2, [`Phase::Trial`] step 3.

use super::Phase;
use super::rack::Marks;
use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::{LOST, SACKED};
use crate::{Connection, Env, Io, SeqNum};

impl Connection {
    /// Step 1, when the retransmission timer expired outside of any recovery; `false`: there is
    /// nothing to tell.
    //= https://www.rfc-editor.org/rfc/rfc5682#section-2.1
    //# A TCP sender implementing the basic F-RTO algorithm MUST take the
    //# following steps after the retransmission timer expires.
    //= https://www.rfc-editor.org/rfc/rfc5682#section-3.1
    //# If the sender applies the SACK-enhanced
    //# F-RTO algorithm, it MUST follow the steps below.
    //= https://www.rfc-editor.org/rfc/rfc5682#section-3.1
    //# This algorithm
    //# SHOULD NOT be applied if the TCP sender is already in loss recovery
    //# when a retransmission timeout occurs.
    //= https://www.rfc-editor.org/rfc/rfc5682#section-2.1
    //# If the sender implements some loss recovery algorithm other
    //# than Reno or NewReno [FHG04], the F-RTO algorithm SHOULD NOT be
    //# entered when earlier fast recovery is underway.
    pub(crate) fn begin_probation(&mut self, io: &mut Io<'_>) -> bool {
        let front = self.records.live(io.records).first();
        if front.is_none_or(|front| front.is(SACKED)) {
            return false;
        }
        self.phase = Phase::Probation;
        self.recover = self.snd_nxt;
        self.flags.set(Flags::RECOVERED);
        self.dup_acks = 0;
        self.forget_duplicates();
        self.lose_first(io);
        self.recount(io);
        true
    }

    /// SND.UNA has moved in step 2 or 3.
    pub(crate) fn judge_timeout_by_ack(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        let mss = u32::from(self.mss);
        match self.phase {
            Phase::Probation if self.snd_una.ge(self.recover) => self.end_loss(env),
            Phase::Probation => {
                self.recover = self.snd_nxt;
                let new = self.unsent() > 0 && self.usable_window() > 0;
                // What was retransmitted must be acknowledged, all of it.
                if new && self.lost == 0 && self.records.has_room(io.records) {
                    self.phase = Phase::Trial;
                    self.flags.clear(Flags::RETRANSMIT_NOW);
                    // Two new segments.
                    let two = self.pipe().saturating_add(mss.saturating_mul(2));
                    self.congestion.set_cwnd(two);
                } else {
                    self.lose_rest(io, self.recover);
                }
            }
            // Without SACK whatever moves SND.UNA tells of what was sent before.
            Phase::Trial if self.flags.has(Flags::SACK) && self.snd_una.gt(self.recover) => {
                self.congestion.set_cwnd(mss.saturating_mul(3));
                self.end_loss(env);
            }
            Phase::Trial => self.excuse_timeout(io),
            Phase::Open | Phase::Recovery | Phase::Loss | Phase::Reduced | Phase::Resent => {}
        }
    }

    /// A duplicate acknowledgment in step 2 or 3; with SACK one that reports something new.
    //= https://www.rfc-editor.org/rfc/rfc5682#section-2.1
    //# The TCP sender SHOULD ignore such segments and wait for a segment that
    //# either acknowledges new data or is a duplicate acknowledgment.
    pub(crate) fn judge_timeout_by_duplicate(&mut self, io: &mut Io<'_>) {
        let mss = u32::from(self.mss);
        match self.phase {
            // With SACK the acknowledgment of what was retransmitted is waited for.
            Phase::Probation => {
                if !self.flags.has(Flags::SACK) {
                    // What was just sent again is not lost with the rest.
                    let again = self.lost == 0;
                    self.lose_rest(io, self.recover);
                    if again {
                        let front = self.records.live_mut(io.records).first_mut();
                        front.into_iter().for_each(|front| front.unmark(LOST));
                        self.recount(io);
                    }
                }
            }
            Phase::Trial => {
                let beyond = self
                    .highest_sacked(io)
                    .is_some_and(|highest| highest.gt(self.recover));
                if self.flags.has(Flags::SACK) && !beyond {
                    self.excuse_timeout(io);
                } else {
                    self.congestion.set_cwnd(mss.saturating_mul(3));
                    self.lose_rest(io, self.recover);
                }
            }
            Phase::Open | Phase::Recovery | Phase::Loss | Phase::Reduced | Phase::Resent => {}
        }
    }

    /// The timeout was a mistake: nothing is lost, and the window is as before.
    fn excuse_timeout(&mut self, io: &mut Io<'_>) {
        self.recover = self.snd_una;
        if self.marks.has(Marks::UNDOABLE) {
            self.undo(io);
        } else {
            self.phase = Phase::Open;
        }
    }

    /// The timeout was none: what was sent before it, up to `end`, is lost.
    pub(crate) fn lose_rest(&mut self, io: &mut Io<'_>, end: SeqNum) {
        self.phase = Phase::Loss;
        for record in self.records.live_mut(io.records) {
            if record.end.le(end) && !record.is(SACKED) {
                record.mark(LOST);
            }
        }
        self.flags.put(
            Flags::FIN_LOST,
            self.flags.has(Flags::FIN_SENT) && self.snd_nxt.le(end),
        );
        self.rtx_nxt = self.snd_una;
        self.recount(io);
    }

    /// RACK_mark_losses_on_RTO: the first segment is lost, and what was sent long enough ago.
    pub(crate) fn lose_by_time(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        self.lose_first(io);
        let wait = self
            .rack
            .rtt
            .max(self.rtt.srtt())
            .saturating_add(self.reordering_window(env, io));
        let now = env.micros();
        for record in self.records.live_mut(io.records) {
            let old = super::rack::after(record.sent.wrapping_add(wait), now) <= 0;
            if old && !record.is(SACKED) {
                record.mark(LOST);
            }
        }
        self.recount(io);
    }
}
