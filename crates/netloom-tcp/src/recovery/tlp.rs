//! Tail loss probes (RFC 8985 §7): when acknowledgments are overdue, one segment is sent whose
//! acknowledgment tells what is missing, long before a retransmission timeout would.

use super::Phase;
use super::rack::Marks;
use crate::congestion::Controller;
use crate::flags::Flags;
use crate::transmit::plan_fin;
use crate::{Connection, Env, Io, Plan, PlanKind, SeqNum};

/// TLP.max_ack_delay, in milliseconds: how long other systems delay an acknowledgment at most.
const MAX_ACK_DELAY: u32 = 200;

/// The PTO without a round trip, in milliseconds.
//= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
//# Second, when there is no SRTT estimate available, the PTO SHOULD be 1
//# second.
const PTO_WITHOUT_SRTT: u32 = 1_000;

impl Connection {
    /// Starts the PTO where a probe may be sent, else the retransmission timer: after an
    /// acknowledgment of new data, or new data.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
    //# The sender SHOULD start or
    //# restart a loss probe PTO timer after transmitting new data (that was
    //# not itself a loss probe) or upon receiving an ACK that cumulatively
    //# acknowledges new data unless it is already in fast recovery, RTO
    //# recovery, or segments have been SACKed (i.e., RACK.segs_sacked is not
    //# zero).
    #[cfg_attr(target_pointer_width = "64", inline)]
    pub(crate) fn arm_probe(&mut self, env: &Env<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# When the PTO timer expires, the sender MUST check whether both of the
        //# following conditions are met before sending a loss probe:
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# If either one of these two conditions is not met, then the sender
        //# MUST skip sending a loss probe and MUST proceed to re-arm the RTO
        //# timer, as specified at the end of this section.
        // They cannot come to be met before the PTO expires: it is not started, but the RTO timer is.
        const BUSY: Marks = Marks::PROBED.with(Marks::UNMEASURED).with(Marks::PROBE_DUE);
        self.marks.clear(Marks::REO_TIMER.with(Marks::PTO_TIMER));
        let rto = self.rto(env);
        if !env.tunables.early_retrans
            || !self.uses_rack(env)
            || self.phase != Phase::Open
            || self.sacked > 0
            || self.snd_wnd == 0
            || self.marks.any(BUSY)
            || !self.state.is_synchronized()
        {
            self.rtx_deadline = env.after(rto);
            return;
        }
        let pto = self.probe_timeout();
        // TCP_RTO_expiration: one RTO after the wait for what is at SND.UNA began.
        let left = env.until(self.una_since.wrapping_add(rto).max(1));
        self.rtx_deadline = env.after(pto.min(left).max(1));
        self.marks.set(Marks::PTO_TIMER);
    }

    /// TLP_calc_PTO, in milliseconds.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.2
    //# Summarizing these considerations in pseudocode form, a sender SHOULD
    //# use the following logic to select the duration of a PTO:
    #[inline]
    fn probe_timeout(&self) -> u32 {
        let srtt = self.rtt.srtt();
        if srtt == 0 {
            return PTO_WITHOUT_SRTT;
        }
        let pto = srtt.saturating_mul(2).div_ceil(1_000);
        if self.flight() <= u32::from(self.mss) {
            pto.saturating_add(MAX_ACK_DELAY)
        } else {
            pto
        }
    }

    /// Something is missing: what runs is no PTO any more.
    pub(crate) fn settle_probe_timer(&mut self, env: &Env<'_>) {
        if self.marks.has(Marks::PTO_TIMER) {
            self.marks.clear(Marks::PTO_TIMER);
            if self.flight() > 0 {
                self.arm_retransmission(env);
            }
        }
    }

    /// The PTO has expired.
    pub(crate) fn begin_probe(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        if !self.marks.any(Marks::PROBED.with(Marks::UNMEASURED)) && self.phase == Phase::Open {
            self.marks.set(Marks::PROBE_DUE);
            if self.new_probe(io).is_none() {
                self.cut_last_segment(io);
            }
        }
        // From now, if the probe has to wait for the device; else from when it is sent.
        self.arm_retransmission(env);
    }

    /// The last segment gets a record of its own, if there is room for it.
    fn cut_last_segment(&mut self, io: &mut Io<'_>) {
        let (Some(start), Some(i)) = (self.last_segment(io), self.records.len().checked_sub(1))
        else {
            return;
        };
        let live = self.records.live(io.records);
        let before = i.checked_sub(1).and_then(|i| live.get(i));
        let from = before.map_or(self.snd_una, |record| record.end);
        if start.gt(from) {
            self.records.cut(io.records, i, start);
        }
    }

    /// Where the highest-sequence segment sent so far begins, if it carries text.
    fn last_segment(&self, io: &Io<'_>) -> Option<SeqNum> {
        let live = self.records.live(io.records);
        let (last, before) = live.split_last()?;
        let from = before.last().map_or(self.snd_una, |record| record.end);
        let mss = u32::from(last.mss.min(self.mss).max(1));
        let len = last.end.saturating_since(from);
        let tail = match len.wrapping_rem(mss) {
            0 => mss,
            rest => rest,
        };
        Some(last.end.minus(tail.min(len)))
    }

    /// The length of a probe of data never sent before, if there is any that the window takes.
    fn new_probe(&self, io: &Io<'_>) -> Option<u32> {
        let len = self
            .unsent()
            .min(u32::from(self.mss))
            .min(self.usable_window());
        (len > 0 && self.records.has_room(io.records)).then_some(len)
    }

    /// The loss probe: new data, else the last segment again.
    pub(crate) fn plan_loss_probe(&self, io: &Io<'_>, plan: &mut Plan) -> bool {
        plan.sack_blocks = 0;
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# If both conditions are met, then the sender SHOULD transmit a
        //# previously unsent data segment, if one exists and the receive window
        //# allows, and increment the FlightSize accordingly.
        if let Some(len) = self.new_probe(io) {
            plan.kind = PlanKind::Data;
            plan.seq = self.data_end();
            plan.len = len;
            self.finish_text(plan, self.flags.has(Flags::FIN_QUEUED));
            return true;
        }
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# If such an unsent segment is not available, then the sender SHOULD
        //# retransmit the highest-sequence segment sent so far and set
        //# TLP.is_retrans to true.
        let Some(start) = self.last_segment(io) else {
            if self.flags.has(Flags::FIN_SENT) {
                plan_fin(plan, self.data_end());
                return true;
            }
            return false;
        };
        plan.kind = PlanKind::Retransmission;
        plan.seq = start;
        plan.len = self.data_end().saturating_since(start);
        self.finish_text(plan, self.flags.has(Flags::FIN_SENT));
        true
    }

    /// The probe was sent.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
    //# The sender MUST follow the RACK transmission procedures in the "Upon
    //# Transmitting a Data Segment" section upon sending either a
    //# retransmission or a new data loss probe.
    pub(crate) fn sent_loss_probe(&mut self, env: &Env<'_>, kind: PlanKind) {
        self.marks
            .clear(Marks::PROBE_DUE.with(Marks::PROBE_IS_RETRANS));
        self.marks.set(Marks::PROBED.with(Marks::UNMEASURED));
        if kind != PlanKind::Data {
            self.marks.set(Marks::PROBE_IS_RETRANS);
        }
        self.recover = self.snd_nxt;
        self.marks.clear(Marks::PTO_TIMER);
        //= https://www.rfc-editor.org/rfc/rfc8985#section-7.3
        //# After attempting to send a loss probe, regardless of whether a loss
        //# probe was sent, the sender MUST re-arm the RTO timer, not the PTO
        //# timer, if the FlightSize is not zero.
        self.arm_retransmission(env);
    }

    /// Case 1 of TLP_process_ack: an acknowledgment reports a duplicate that ends at `right`. If
    /// that is the probe's end, both it and what it repeated have arrived.
    pub(crate) fn note_probe_duplicate(&mut self, ack: SeqNum, right: SeqNum) {
        if self.marks.has(Marks::PROBED) && right == self.recover && ack.ge(right) {
            self.marks.clear(Marks::PROBED);
        }
    }

    /// The rest of TLP_process_ack, for an acknowledgment of `ack`; `plain`: without data and SACK
    /// blocks, and it acknowledges nothing new.
    pub(crate) fn judge_probe(&mut self, ack: SeqNum, plain: bool) {
        if !self.marks.has(Marks::PROBED) || ack.lt(self.recover) {
            return;
        }
        if !self.marks.has(Marks::PROBE_IS_RETRANS) || plain {
            self.marks.clear(Marks::PROBED);
        } else if ack.gt(self.recover) {
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
            //# If the TLP
            //# sender does not receive such an indication, then it MUST assume that
            //# the original data segment, the TLP retransmission, or a corresponding
            //# ACK was lost for congestion control purposes.
            //= https://www.rfc-editor.org/rfc/rfc8985#section-7.4.2
            //# The sender then
            //# SHOULD invoke a congestion control response equivalent to a fast
            //# recovery.
            self.marks.clear(Marks::PROBED);
            self.remember_window();
            let flight = self.congestion.cwnd();
            self.congestion.on_loss(flight, u32::from(self.mss));
            if self.congestion.is_model() {
                // Which segment it was is not known: it counts as a mark of the network's does.
                self.congestion.on_ecn(flight, u32::from(self.mss));
            }
        }
    }
}
