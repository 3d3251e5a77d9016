//! The long-term model: the largest rate and the largest volume the path takes (draft §5.3.3.9,
//! §5.5.3 to §5.5.6).

use super::{
    Ack, AckPhase, BETA, BbrState, BbrWindow, HEADROOM, INFINITY, LOSS_THRESH, Lost, MIN_PIPE_CWND,
    State, percent,
};
use crate::rate::Rate;

/// Doublings of the growth of inflight_longterm in a probe.
const LARGEST_SLOPE: u8 = 30;

impl BbrState {
    /// UpdateMaxBw, with UpdateRound before it.
    pub(super) fn update_max_bw(&mut self, ack: &Ack) {
        self.update_round(ack);
        let Some(rs) = ack.rs else {
            return;
        };
        if rs.delivery_rate >= self.max_bw() || !rs.is_app_limited {
            let [_, now] = &mut self.max_bw_filter;
            *now = rs.delivery_rate.max(*now);
        }
    }

    /// AdvanceMaxBwFilter: a cycle is over; one without any sample does not count.
    fn advance_max_bw_filter(&mut self) {
        let [_, now] = self.max_bw_filter;
        if now > Rate::ZERO {
            self.max_bw_filter = [now, Rate::ZERO];
        }
    }

    /// UpdateRound.
    fn update_round(&mut self, ack: &Ack) {
        self.round_start = ack.rs.is_some_and(|rs| {
            rs.prior_delivered.wrapping_sub(self.next_round_delivered) as i32 >= 0
        });
        if self.round_start {
            self.start_round(ack.delivered);
            self.round_count = self.round_count.wrapping_add(1);
            self.rounds_since_probe_up = self.rounds_since_probe_up.saturating_add(1);
            let [before, this] = &mut self.cwnd_limited;
            *before = core::mem::take(this);
        }
    }

    /// StartRound.
    pub(super) fn start_round(&mut self, delivered: u32) {
        self.next_round_delivered = delivered;
    }

    /// C.is_cwnd_limited: the window was full at some time in the last round.
    pub(super) fn is_cwnd_limited(&self) -> bool {
        let [before, this] = self.cwnd_limited;
        before || this
    }

    /// TargetInflight.
    pub(super) fn target_inflight(&self, window: &BbrWindow) -> u32 {
        self.bdp(window).min(window.cwnd)
    }

    /// InflightWithHeadroom.
    pub(super) fn inflight_with_headroom(&self, mss: u32) -> u32 {
        if self.inflight_longterm == INFINITY {
            return INFINITY;
        }
        let headroom = percent(self.inflight_longterm, HEADROOM).max(mss);
        self.inflight_longterm
            .saturating_sub(headroom)
            .max(mss.saturating_mul(MIN_PIPE_CWND))
    }

    /// RaiseInflightLongtermSlope.
    pub(super) fn raise_inflight_longterm_slope(&mut self, window: &BbrWindow, mss: u32) {
        let per = window.cwnd >> self.bw_probe_up_rounds;
        self.bw_probe_up_rounds = self.bw_probe_up_rounds.saturating_add(1).min(LARGEST_SLOPE);
        self.probe_up_acked_per_inc = per.max(mss).max(1);
    }

    /// ProbeInflightLongtermUpward.
    fn probe_inflight_longterm_upward(&mut self, window: &BbrWindow, ack: &Ack) {
        if !self.is_cwnd_limited() || window.cwnd < self.inflight_longterm {
            // It is not used: no need to have more of it.
            return;
        }
        self.bw_probe_up_acked = self.bw_probe_up_acked.saturating_add(ack.newly_acked);
        let per = self.probe_up_acked_per_inc.max(1);
        if let Some(delta) = self.bw_probe_up_acked.checked_div(per) {
            self.bw_probe_up_acked = self
                .bw_probe_up_acked
                .saturating_sub(delta.saturating_mul(per));
            self.inflight_longterm = self
                .inflight_longterm
                .saturating_add(delta.saturating_mul(ack.mss));
        }
        if self.round_start {
            self.raise_inflight_longterm_slope(window, ack.mss);
        }
    }

    /// AdaptLongTermModel; `true`: it decided on a transition.
    pub(super) fn adapt_long_term_model(&mut self, window: &BbrWindow, ack: &Ack) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round_start {
            // Samples of the probe begin to come in.
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round_start {
            // They have ended.
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            let app_limited = ack.rs.is_none_or(|rs| rs.is_app_limited);
            if self.is_in_probe_bw() && !app_limited {
                self.advance_max_bw_filter();
            }
            let again = self.prev_probe_precautionary && !self.prev_probe_too_high;
            if self.is_in_probe_bw() && again {
                self.start_probe_bw_refill(ack);
                return true;
            }
        }
        let tx_in_flight = ack.rs.and_then(|rs| rs.tx_in_flight);
        if self.inflight_longterm != INFINITY && !self.is_inflight_too_high(ack) {
            // The rate of loss is safe.
            if let Some(tx_in_flight) = tx_in_flight {
                self.inflight_longterm = self.inflight_longterm.max(tx_in_flight);
            }
            if self.state == State::ProbeBwUp {
                self.probe_inflight_longterm_upward(window, ack);
            }
        }
        false
    }

    /// IsInflightTooHigh, of what an acknowledgment tells.
    pub(super) fn is_inflight_too_high(&self, ack: &Ack) -> bool {
        ack.rs.is_some_and(|rs| {
            // What was in flight when something was sent again has arrived since, or is lost.
            let tx_in_flight = rs
                .tx_in_flight
                .unwrap_or(rs.delivered.saturating_add(rs.lost));
            is_too_high(rs.lost, tx_in_flight, ack.sack)
        })
    }

    /// HandleLostPacket, after NoteLoss.
    pub(super) fn adapt_to_lost_packet(&mut self, window: &BbrWindow, ack: &Ack, lost: &Lost) {
        if !self.is_bw_probe_sample || !is_too_high(lost.lost, lost.tx_in_flight, ack.sack) {
            return;
        }
        // HandleInflightTooHigh.
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !lost.is_app_limited {
            self.inflight_longterm =
                inflight_at_loss(lost).max(percent(self.target_inflight(window), BETA));
        }
        if self.state == State::ProbeBwUp {
            self.undo_state = Some(State::ProbeBwUp);
            self.start_probe_bw_down(ack);
        }
    }
}

/// Whether the loss of `lost` octets says that `tx_in_flight` were too many.
fn is_too_high(lost: u32, tx_in_flight: u32, sack: bool) -> bool {
    lost > percent(tx_in_flight, LOSS_THRESH) || (lost > 0 && !sack)
}

/// InflightAtLoss: what was in flight when losses crossed the threshold, somewhere within what was
/// sent in one piece.
pub(super) fn inflight_at_loss(lost: &Lost) -> u32 {
    let inflight_prev = lost.tx_in_flight.saturating_sub(lost.size);
    let lost_prev = lost.lost.saturating_sub(lost.size);
    // (LossThresh * inflight_prev - lost_prev) / (1 - LossThresh)
    let allowed = u64::from(inflight_prev).saturating_mul(u64::from(LOSS_THRESH));
    let had = u64::from(lost_prev).saturating_mul(100);
    let prefix = allowed.saturating_sub(had) / u64::from(100u32.saturating_sub(LOSS_THRESH));
    inflight_prev.saturating_add(u32::try_from(prefix).unwrap_or(u32::MAX))
}
