//! Loss recovery: when data is taken as lost, and what that does to the congestion window.
//!
//! One frame for peers with and without SACK: a scoreboard over the records says what has left
//! the network, and what may be sent is the congestion window less what has not (the pipe of
//! RFC 6675). Without SACK each duplicate acknowledgment counts for one segment that left, and
//! [`newreno`] says which segment is lost; with SACK, [`sack`] does.

#[cfg(feature = "rack")]
mod frto;
#[cfg(feature = "fast-retransmit")]
mod newreno;
#[cfg(feature = "rack")]
mod prr;
#[cfg(feature = "rack")]
mod rack;
#[cfg(feature = "fast-retransmit")]
mod sack;
#[cfg(not(feature = "fast-retransmit"))]
mod timeout;
#[cfg(feature = "rack")]
mod tlp;
#[cfg(feature = "rack")]
mod undo;

#[cfg(feature = "rack")]
pub(crate) use prr::Prr;
#[cfg(feature = "bbr")]
pub(crate) use rack::Before;
#[cfg(feature = "bbr")]
pub(crate) use rack::sent_after;
#[cfg(feature = "rack")]
pub(crate) use rack::{Marks, Rack};
#[cfg(not(feature = "fast-retransmit"))]
pub(crate) use timeout::RecordTable;

#[cfg(feature = "fast-retransmit")]
use crate::SeqNum;
use crate::congestion::{Acked, Controller};
use crate::flags::Flags;
#[cfg(feature = "fast-retransmit")]
use crate::records::{LOST, SACKED};
use crate::{Connection, Env, Io};

/// Whether and how a loss is being repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing is known to be lost.
    #[default]
    Open = 0,
    /// Fast recovery, until `recover` is acknowledged.
    Recovery,
    /// The retransmission timer expired: everything is sent again, in slow start, until
    /// `recover` is acknowledged.
    Loss,
    /// The retransmission timer expired, and it is not known yet whether rightly: only what was at
    /// SND.UNA is sent again (F-RTO, RFC 5682, step 2).
    #[cfg(feature = "rack")]
    Probation,
    /// The same, with new segments on their way whose acknowledgment will tell (step 3).
    #[cfg(feature = "rack")]
    Trial,
    /// The window was reduced because the network is congested, and nothing is known to be lost:
    /// until `recover` is acknowledged.
    #[cfg(feature = "rack")]
    Reduced,
    /// Part of what is in flight is sent again though the network is not known to be congested:
    /// it was too large for the path, or the peer's window was closed. What is lost beside it, or
    /// again, is a loss as in [`Phase::Open`].
    #[cfg(feature = "rack")]
    Resent,
}

/// Probes of all kinds.
#[cfg(feature = "plpmtud")]
const PROBES: Marks = Marks::PROBED.with(Marks::PROBE_DUE).with(Marks::PATH_PROBE);
#[cfg(all(feature = "rack", not(feature = "plpmtud")))]
const PROBES: Marks = Marks::PROBED.with(Marks::PROBE_DUE);

/// An acknowledgment that moved SND.UNA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewAck {
    /// By how many octets.
    pub(crate) octets: u32,
    /// FlightSize before it.
    pub(crate) flight: u32,
    /// The most of them that had left in one piece: a segment, or a super-segment.
    #[cfg(feature = "fast-retransmit")]
    pub(crate) unit: u32,
    /// The round trip it measured, in microseconds; 0: none.
    #[cfg(feature = "cubic")]
    pub(crate) rtt: u32,
}

impl Connection {
    /// SND.UNA has moved.
    pub(crate) fn on_new_ack(&mut self, env: &Env<'_>, io: &mut Io<'_>, ack: &NewAck) {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# If the incoming ACK is a cumulative acknowledgment, the TCP MUST reset
        //# DupAcks to zero.
        self.dup_acks = 0;
        #[cfg(feature = "rack")]
        if self.marks.any(PROBES) {
            #[cfg(feature = "plpmtud")]
            self.judge_path_probe();
            self.marks.clear(Marks::PROBE_DUE);
            self.judge_probe(self.snd_una, false);
        }
        if self.phase == Phase::Open {
            #[cfg(feature = "fast-retransmit")]
            {
                self.forget_duplicates();
                self.forget_recovery();
            }
            self.grow(env, ack, false);
            return;
        }
        self.on_ack_in_recovery(env, io, ack);
    }

    //= https://www.rfc-editor.org/rfc/rfc6675#section-5
    //# Once a TCP is in the loss recovery phase, the following procedure MUST
    //# be used for each arriving ACK:
    fn on_ack_in_recovery(&mut self, env: &Env<'_>, io: &mut Io<'_>, ack: &NewAck) {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
        //# In addition, a new recovery phase (as described in Section 5) MUST NOT
        //# be initiated until HighACK is greater than or equal to the new value
        //# of RecoveryPoint.
        let complete = self.snd_una.ge(self.recover);
        #[cfg(feature = "rack")]
        match self.phase {
            Phase::Probation | Phase::Trial => {
                self.grow(env, ack, true);
                self.recount(io);
                self.judge_timeout_by_ack(env, io);
                return;
            }
            Phase::Reduced => {
                self.forget_duplicates();
                if complete {
                    self.phase = Phase::Open;
                }
                return;
            }
            Phase::Recovery if self.uses_rack(env) => {
                self.recount(io);
                if complete {
                    self.end_reduction();
                    self.end_loss(env);
                    if self.lost > 0 {
                        self.enter_rack_recovery(
                            env,
                            io,
                            self.flight().saturating_sub(self.sacked),
                        );
                    }
                }
                return;
            }
            Phase::Open | Phase::Recovery | Phase::Loss | Phase::Resent => {}
        }
        // An acknowledgment of what was sent again covers much that had arrived long before: the
        // window grows by a segment for it, after a timeout or not.
        let inflated = self.phase == Phase::Recovery;
        if !inflated {
            self.grow(env, ack, true);
        }
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# (A) An incoming cumulative ACK for a sequence number greater than
        //# RecoveryPoint signals the end of loss recovery, and the loss recovery
        //# phase MUST be terminated.
        if complete {
            self.end_loss(env);
        } else if inflated {
            #[cfg(feature = "fast-retransmit")]
            self.on_partial_ack(io, ack.octets);
        }
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# (B) Upon receipt of an ACK that does not cover RecoveryPoint, the
        //# following actions MUST be taken:
        self.recount(io);
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //# Loss in two successive windows of data, or the loss of a
        //# retransmission, should be taken as two indications of congestion and,
        //# therefore, cwnd (and ssthresh) MUST be lowered twice in this case.
        #[cfg(feature = "fast-retransmit")]
        if complete && self.lost > 0 {
            // Lost after the recovery that ends here had begun: a new event.
            #[cfg(feature = "rack")]
            if self.uses_rack(env) {
                self.enter_rack_recovery(env, io, self.flight().saturating_sub(self.sacked));
                return;
            }
            self.enter_recovery(env, io);
        }
    }

    /// What was to be repaired is repaired.
    //= https://www.rfc-editor.org/rfc/rfc6675#section-5
    //# Any information contained in the scoreboard for sequence numbers
    //# greater than the new value of HighACK SHOULD NOT be cleared when
    //# leaving the loss recovery phase.
    fn end_loss(&mut self, env: &Env<'_>) {
        #[cfg(feature = "rack")]
        {
            self.narrow_reordering_window();
            self.end_undo(env);
        }
        #[cfg(not(feature = "rack"))]
        let _ = env;
        self.phase = Phase::Open;
        self.flags.clear(Flags::RETRANSMIT_NOW);
        #[cfg(feature = "fast-retransmit")]
        self.forget_duplicates();
    }

    /// Has the congestion window grow, as far as it was used: that is asked before everything is
    /// gathered that growth depends on.
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn grow(&mut self, env: &Env<'_>, ack: &NewAck, after_timeout: bool) {
        if self.congestion.is_unused(ack.flight) {
            if self.congestion.on_unused(env.now_ms) {
                self.give_up_unused(env);
            }
        } else {
            self.grow_used(env, ack, after_timeout);
        }
    }

    /// The window was unused for minutes: part of it is given up, as all of it is after an idle time.
    #[cold]
    fn give_up_unused(&mut self, env: &Env<'_>) {
        #[cfg(feature = "cubic")]
        if crate::SLOW_START_AFTER_IDLE && env.tunables.slow_start_after_idle {
            let least = self.restart_window(env);
            self.congestion.on_long_unused(least);
        }
        #[cfg(not(feature = "cubic"))]
        let _ = env;
    }

    fn grow_used(&mut self, env: &Env<'_>, ack: &NewAck, after_timeout: bool) {
        #[cfg(not(feature = "cubic"))]
        let _ = env;
        let mss = u32::from(self.mss);
        self.congestion.on_ack(&Acked {
            octets: ack.octets,
            flight: ack.flight,
            mss,
            #[cfg(feature = "fast-retransmit")]
            unit: ack.unit,
            after_timeout,
            #[cfg(feature = "cubic")]
            prior_cwnd: self.prior_cwnd,
            #[cfg(feature = "cubic")]
            now_ms: env.now_ms,
            #[cfg(feature = "cubic")]
            rtt: ack.rtt,
            #[cfg(feature = "cubic")]
            srtt: self.rtt.srtt(),
            #[cfg(feature = "cubic")]
            una: self.snd_una,
            #[cfg(feature = "cubic")]
            nxt: self.snd_nxt,
        });
    }

    /// Before a reduction: what the window is, should it have been a mistake.
    #[inline]
    pub(crate) fn remember_window(&mut self) {
        #[cfg(any(feature = "cubic", feature = "rack"))]
        {
            self.prior_cwnd = self.congestion.cwnd();
        }
        #[cfg(feature = "rack")]
        self.remember_threshold();
    }

    #[cfg(feature = "fast-retransmit")]
    /// An acknowledgment below `recover` in fast recovery: what is at SND.UNA now was sent
    /// before recovery began, and is missing too.
    fn on_partial_ack(&mut self, io: &mut Io<'_>, octets: u32) {
        //= https://www.rfc-editor.org/rfc/rfc6582#section-3.2
        //# If this ACK does *not* acknowledge all of the data up to and
        //# including recover, then this is a partial ACK.
        self.deflate(octets);
        self.lose_front(io);
    }

    #[cfg(feature = "fast-retransmit")]
    /// Fast recovery begins.
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
    //# The TCP sender SHOULD use the "fast retransmit" algorithm to detect
    //# and repair loss, based on incoming duplicate ACKs.
    pub(crate) fn enter_recovery(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        #[cfg(feature = "plpmtud")]
        if self.front_is_probe(io) && self.only_probe_lost(io) {
            return;
        }
        self.begin_recovery(env, io);
        self.lose_front(io);
        self.recount(io);
    }

    #[cfg(feature = "fast-retransmit")]
    fn begin_recovery(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# RecoveryPoint = HighData
        self.recover = self.snd_nxt;
        self.flags.set(Flags::RECOVERED);
        // What is sent again is so in segments of another size: what acknowledges it tells nothing of
        // a probe's.
        #[cfg(feature = "plpmtud")]
        self.forget_path_probe();
        #[cfg(feature = "rack")]
        let reduced = self.phase == Phase::Reduced;
        #[cfg(not(feature = "rack"))]
        let reduced = false;
        self.phase = Phase::Recovery;
        self.rtx_nxt = self.snd_una;
        if reduced {
            // Once a window is enough (RFC 3168 §6.1.2).
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5.1
        //# However,
        //# the congestion control algorithms present in the de facto standard
        //# TCP implementations MUST be preserved [Stevens94].
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.3
        //# Second, until all lost segments in the window of data in question are
        //# repaired, the number of segments transmitted in each RTT MUST be no
        //# more than half the number of outstanding segments when the loss was
        //# detected.
        self.remember_window();
        #[cfg(feature = "rack")]
        self.begin_undo(env, io);
        #[cfg(not(feature = "rack"))]
        let _ = (env, io);
        self.congestion.on_loss(self.flight(), u32::from(self.mss));
    }

    #[cfg(feature = "fast-retransmit")]
    /// The segment at SND.UNA is lost: it goes out next, whatever the congestion window says.
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
    //# The lost segment starting at SND.UNA MUST be retransmitted and
    //# cwnd set to ssthresh plus 3*SMSS.
    fn lose_front(&mut self, io: &mut Io<'_>) {
        if self.records.len() == 0 {
            self.flags
                .put(Flags::FIN_LOST, self.flags.has(Flags::FIN_SENT));
            return;
        }
        let front = self.records.live(io.records).first();
        if front.is_some_and(|front| front.retransmissions == 0) {
            self.lose_first(io);
        }
    }

    #[cfg(feature = "fast-retransmit")]
    /// The segment at SND.UNA is lost, if it carries text.
    pub(crate) fn lose_first(&mut self, io: &mut Io<'_>) {
        let Some(front) = self.records.live(io.records).first() else {
            return;
        };
        let (end, mss) = (front.end, u32::from(front.mss));
        if front.is(SACKED) {
            return;
        }
        // Of a super-segment only the first segment; if there is no room to cut it, all of it.
        if end.saturating_since(self.snd_una) > mss {
            self.records.cut(io.records, 0, self.snd_una.plus(mss));
        }
        if let Some(front) = self.records.live_mut(io.records).first_mut() {
            front.mark(LOST);
        }
        self.rtx_nxt = self.snd_una;
        self.flags.set(Flags::RETRANSMIT_NOW);
    }

    /// The retransmission timer expired with data in flight: all of it is taken as lost.
    pub(crate) fn on_retransmission_timeout(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        #[cfg(feature = "rack")]
        let open = match self.phase {
            Phase::Open | Phase::Reduced => true,
            Phase::Recovery | Phase::Loss | Phase::Probation | Phase::Trial | Phase::Resent => {
                false
            }
        };
        // What has been sent again by this timer before reduces nothing more (RFC 5681 §3.1).
        let first = self.retries == 0;
        #[cfg(feature = "rack")]
        if self.phase == Phase::Recovery && self.uses_rack(env) {
            // The window of the moment is what proportional rate reduction lets out; what is reduced
            // again is what it was to come to.
            self.end_reduction();
        }
        if first {
            self.remember_window();
            #[cfg(feature = "rack")]
            self.begin_undo(env, io);
        }
        self.congestion
            .on_rto(self.flight(), u32::from(self.mss), first);
        //= https://www.rfc-editor.org/rfc/rfc6582#section-3.2
        //# After a retransmit timeout, record the highest sequence number
        //# transmitted in the variable recover, and exit the fast recovery
        //# procedure if applicable.
        #[cfg(feature = "rack")]
        {
            self.begin_delivery();
            self.marks.clear(Marks::PROBED.with(Marks::PROBE_DUE));
            #[cfg(feature = "plpmtud")]
            self.path_probe_lost();
            //= https://www.rfc-editor.org/rfc/rfc5682#section-2.1
            //# If the retransmission timer expires again during the execution of the
            //# F-RTO algorithm, the TCP sender MUST re-start the algorithm processing
            //# from step 1.
            //= https://www.rfc-editor.org/rfc/rfc5682#section-3.1
            //# If the retransmission timer expires again during the execution of the
            //# SACK-enhanced F-RTO algorithm, the TCP sender MUST re-start the
            //# algorithm processing from step 1.
            if open && env.tunables.frto && self.begin_probation(io) {
                return;
            }
            let front = self.records.live(io.records).first();
            if self.uses_rack(env) && front.is_some_and(|front| !front.is(SACKED)) {
                self.begin_loss();
                self.lose_by_time(env, io);
                return;
            }
        }
        #[cfg(not(feature = "rack"))]
        let _ = env;
        self.lose_all(io);
    }

    //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
    //# If an RTO occurs during loss recovery as specified in this document,
    //# RecoveryPoint MUST be set to HighData.
    //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
    //# Further, the new value of RecoveryPoint MUST be preserved and the loss
    //# recovery algorithm outlined in this document MUST be terminated.
    fn begin_loss(&mut self) {
        self.phase = Phase::Loss;
        self.recover = self.snd_nxt;
        self.flags.set(Flags::RECOVERED.with(Flags::RETRANSMIT_NOW));
        self.flags
            .put(Flags::FIN_LOST, self.flags.has(Flags::FIN_SENT));
        self.dup_acks = 0;
        #[cfg(feature = "rack")]
        self.forget_probes();
        #[cfg(feature = "fast-retransmit")]
        self.forget_duplicates();
        self.rtx_nxt = self.snd_una;
    }

    #[cfg(feature = "rack")]
    /// All that is in flight is sent again, or some of it without a loss: what acknowledges it tells
    /// nothing of probes.
    fn forget_probes(&mut self) {
        self.marks.clear(Marks::PROBED.with(Marks::PROBE_DUE));
        #[cfg(feature = "plpmtud")]
        self.forget_path_probe();
    }

    #[cfg(feature = "fast-retransmit")]
    /// Everything in flight is to be sent again, in order.
    //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
    //# Further, a SACK TCP sender SHOULD utilize all SACK information made
    //# available during the loss recovery following an RTO.
    pub(crate) fn lose_all(&mut self, io: &mut Io<'_>) {
        self.begin_loss();
        // The peer must not have dropped what it reported; if the front is marked, it has
        // (RFC 2018 §8).
        let live = self.records.live_mut(io.records);
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5.1
        //# Because the data receiver
        //# is allowed to discard SACKed data, when a retransmit timeout occurs
        //# the data sender MUST ignore prior SACK information in determining
        //# which data to retransmit.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5
        //# After a retransmit timeout the data sender SHOULD turn off all of the
        //# SACKed bits, since the timeout might indicate that the data receiver
        //# has reneged.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-5
        //# The data sender MUST retransmit the segment at the left
        //# edge of the window after a retransmit timeout, whether or not the
        //# SACKed bit is on for that segment.
        let reneged = live.first().is_some_and(|front| front.is(SACKED));
        for record in live {
            if reneged {
                record.unmark(SACKED);
            }
            if !record.is(SACKED) {
                record.mark(LOST);
            }
        }
        self.recount(io);
    }

    #[cfg(feature = "fast-retransmit")]
    /// The path carries less than before: what is in flight in larger segments is lost, without
    /// congestion.
    pub(crate) fn retransmit_oversized(&mut self, io: &mut Io<'_>) {
        let mut any = false;
        for record in self.records.live_mut(io.records) {
            if record.mss > self.mss && !record.is(SACKED) {
                record.mark(LOST);
                any = true;
            }
        }
        if any {
            self.phase = self.resending();
            self.recover = self.snd_nxt;
            self.flags.set(Flags::RECOVERED.with(Flags::RETRANSMIT_NOW));
            #[cfg(feature = "rack")]
            {
                self.forget_probes();
                // That it was needless says nothing of the last reduction.
                self.marks.clear(Marks::UNDOABLE);
            }
            self.rtx_nxt = self.snd_una;
            self.recount(io);
        }
    }

    /// The phase in which what is in flight is sent again, without congestion: none is forgotten that
    /// was known before.
    pub(crate) fn resending(&self) -> Phase {
        #[cfg(feature = "rack")]
        match self.phase {
            Phase::Open | Phase::Reduced | Phase::Resent => return Phase::Resent,
            Phase::Recovery | Phase::Loss | Phase::Probation | Phase::Trial => {}
        }
        Phase::Loss
    }

    #[cfg(feature = "fast-retransmit")]
    /// Sums up `lost` and, with SACK, `sacked` from the records.
    //= https://www.rfc-editor.org/rfc/rfc6675#section-4
    //# This routine traverses the sequence space from HighACK to HighData and
    //# MUST set the "pipe" variable to an estimate of the number of octets
    //# that are currently in transit between the TCP sender and the TCP
    //# receiver.
    pub(crate) fn recount(&mut self, io: &Io<'_>) {
        let mut lost = 0u32;
        let mut sacked = 0u32;
        let mut start = self.snd_una;
        for record in self.records.live(io.records) {
            if record.is(SACKED) {
                sacked = sacked.saturating_add(record.end.saturating_since(start));
            } else if record.is(LOST) {
                let from = self.retransmitted_to(start, record.end);
                lost = lost.saturating_add(record.end.saturating_since(from));
            }
            start = record.end;
        }
        self.lost = lost;
        if self.flags.has(Flags::SACK) {
            self.sacked = sacked;
        } else {
            self.sacked = self.sacked.min(self.flight().saturating_sub(lost));
        }
    }

    #[cfg(feature = "fast-retransmit")]
    /// How far a lost record `[start, end)` has been retransmitted.
    //= https://www.rfc-editor.org/rfc/rfc2018#section-8
    //# Since the data receiver may later discard data reported in a SACK
    //# option, the sender MUST NOT discard data before it is acknowledged by
    //# the Acknowledgment Number field in the TCP header.
    pub(crate) fn retransmitted_to(&self, start: SeqNum, end: SeqNum) -> SeqNum {
        if self.rtx_nxt.gt(start) && self.rtx_nxt.lt(end) {
            self.rtx_nxt
        } else {
            start
        }
    }
}

#[cfg(test)]
#[cfg(feature = "fast-retransmit")]
pub(crate) mod tests;
