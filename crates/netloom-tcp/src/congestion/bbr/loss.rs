//! The short-term model: what congestion leaves for now (draft §5.5.10), and the way back from a
//! recovery that was a mistake (§5.5.11).

use super::{Ack, BETA, BbrState, BbrWindow, INFINITY, LOSS_THRESH, Lost, State, percent};
use crate::rate::Rate;

impl BbrState {
    /// NoteLoss, of `size` octets.
    pub(super) fn note_loss(&mut self, window: &mut BbrWindow, delivered: u32, size: u32) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = delivered;
            self.loss_round_from = (self.delivery.lost.wrapping_sub(size), delivered);
            self.save_state_upon_loss(window);
        }
        self.is_loss_in_round = true;
    }

    /// A record is taken as lost (HandleLostPacket).
    pub(crate) fn on_lost(&mut self, window: &mut BbrWindow, ack: &Ack, lost: &Lost) {
        self.note_loss(window, ack.delivered, lost.size);
        if !lost.adjacent {
            self.loss_ranges = self.loss_ranges.saturating_add(1);
        }
        self.adapt_to_lost_packet(window, ack, lost);
    }

    /// SaveStateUponLoss.
    fn save_state_upon_loss(&mut self, window: &mut BbrWindow) {
        window.save_cwnd();
        self.undo_state = None;
        self.undo_bw_shortterm = self.bw_shortterm;
        self.undo_inflight_shortterm = self.inflight_shortterm;
        self.undo_inflight_longterm = self.inflight_longterm;
    }

    /// HandleSpuriousLossDetection.
    pub(super) fn handle_spurious_loss_detection(&mut self, window: &mut BbrWindow, ack: &Ack) {
        window.restore_cwnd();
        self.is_loss_in_round = false;
        self.reset_full_bw();
        self.bw_shortterm = self.bw_shortterm.max(self.undo_bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo_inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo_inflight_longterm);
        let was = self.undo_state.take().filter(|was| *was != self.state);
        if was == Some(State::Startup) {
            self.full_bw_reached = false;
            if self.state != State::ProbeRtt {
                self.enter_startup();
            }
        } else if was == Some(State::ProbeBwUp) && self.state != State::ProbeRtt {
            self.start_probe_bw_refill(ack);
        }
    }

    /// UpdateLatestDeliverySignals.
    pub(super) fn update_latest_delivery_signals(&mut self, ack: &Ack) {
        self.loss_round_start = false;
        let Some(rs) = ack.rs else {
            return;
        };
        self.bw_latest = self.bw_latest.max(rs.delivery_rate);
        self.inflight_latest = self.inflight_latest.max(rs.delivered);
        if rs.prior_delivered.wrapping_sub(self.loss_round_delivered) as i32 >= 0 {
            self.loss_round_delivered = ack.delivered;
            self.loss_round_start = true;
        }
    }

    /// Whether the loss round that ends lost more than BBR.LossThresh. As much as that is what the
    /// path is meant to be driven to (draft §3.2). The draft has a round that lost anything at all
    /// lower the short-term model; where losses come by chance each would, until a path that loses
    /// one percent is left a quarter empty on average.
    fn is_round_lossy(&self, ack: &Ack) -> bool {
        let (lost, delivered) = self.loss_round_from;
        let lost = self.delivery.lost.wrapping_sub(lost);
        let delivered = ack.delivered.wrapping_sub(delivered);
        lost > percent(delivered.saturating_add(lost), LOSS_THRESH) || self.is_marked_in_round
    }

    /// AdvanceLatestDeliverySignals.
    pub(super) fn advance_latest_delivery_signals(&mut self, ack: &Ack) {
        if let (true, Some(rs)) = (self.loss_round_start, ack.rs) {
            self.bw_latest = rs.delivery_rate;
            self.inflight_latest = rs.delivered;
        }
    }

    /// ResetCongestionSignals.
    pub(super) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = Rate::ZERO;
        self.inflight_latest = 0;
    }

    /// UpdateCongestionSignals.
    pub(super) fn update_congestion_signals(&mut self, window: &BbrWindow, ack: &Ack) {
        self.update_max_bw(ack);
        if !self.loss_round_start {
            return;
        }
        // AdaptLowerBoundsFromCongestion, once a round.
        if !self.is_probing_bw() && self.is_loss_in_round && self.is_round_lossy(ack) {
            self.init_lower_bounds(window);
            self.loss_lower_bounds();
        }
        self.is_loss_in_round = false;
        self.is_marked_in_round = false;
    }

    /// InitLowerBounds.
    fn init_lower_bounds(&mut self, window: &BbrWindow) {
        if self.bw_shortterm == Rate::MAX {
            self.bw_shortterm = self.max_bw();
        }
        if self.inflight_shortterm == INFINITY {
            self.inflight_shortterm = window.cwnd;
        }
    }

    /// LossLowerBounds.
    fn loss_lower_bounds(&mut self) {
        self.bw_shortterm = self.bw_latest.max(self.bw_shortterm.percent(BETA));
        self.inflight_shortterm = self
            .inflight_latest
            .max(percent(self.inflight_shortterm, BETA));
    }

    /// ResetShortTermModel.
    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = Rate::MAX;
        self.inflight_shortterm = INFINITY;
    }

    /// BoundBWForModel.
    pub(super) fn bound_bw_for_model(&mut self) {
        self.bw = self.max_bw().min(self.bw_shortterm);
    }
}
