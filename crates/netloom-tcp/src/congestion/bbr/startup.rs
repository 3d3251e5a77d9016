//! Startup and Drain (draft §5.3.1, §5.3.2), and the estimator that says that the pipe is full.

use super::{Ack, BbrState, BbrWindow, State};
use crate::rate::Rate;

/// BBR.StartupFullLossCnt: stretches lost in a round.
const STARTUP_FULL_LOSS_CNT: u8 = 6;
/// Growth of the rate, in hundredths, that says that the pipe is not full.
const GROWTH: u32 = 125;
/// Rounds without it that say that it is.
const FULL_BW_ROUNDS: u8 = 3;
/// Rounds after which Drain is over, whatever is in flight.
const DRAIN_ROUNDS: u32 = 3;

impl BbrState {
    /// EnterStartup.
    pub(super) fn enter_startup(&mut self) {
        self.state = State::Startup;
    }

    /// ResetFullBW.
    pub(super) fn reset_full_bw(&mut self) {
        self.full_bw = Rate::ZERO;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// CheckFullBWReached.
    pub(super) fn check_full_bw_reached(&mut self, ack: &Ack) {
        let Some(rs) = ack.rs else {
            return;
        };
        if self.full_bw_now || !self.round_start || rs.is_app_limited {
            return;
        }
        if rs.delivery_rate >= self.full_bw.percent(GROWTH) {
            self.reset_full_bw();
            self.full_bw = rs.delivery_rate;
            return;
        }
        self.full_bw_count = self.full_bw_count.saturating_add(1);
        self.full_bw_now = self.full_bw_count >= FULL_BW_ROUNDS;
        if self.full_bw_now {
            self.full_bw_reached = true;
        }
    }

    /// CheckStartupDone.
    pub(super) fn check_startup_done(&mut self, window: &mut BbrWindow, ack: &Ack) {
        self.check_startup_high_loss(window, ack);
        if self.state == State::Startup && self.full_bw_reached {
            self.enter_drain(window);
        }
        if self.loss_round_start {
            self.loss_ranges = 0;
        }
    }

    /// CheckStartupHighLoss.
    fn check_startup_high_loss(&mut self, window: &BbrWindow, ack: &Ack) {
        if self.state != State::Startup || self.full_bw_reached || !ack.in_recovery {
            return;
        }
        let full = if ack.sack {
            self.loss_round_start
                && self.loss_ranges >= STARTUP_FULL_LOSS_CNT
                && self.is_inflight_too_high(ack)
        } else {
            self.loss_ranges > 0
        };
        if full {
            self.undo_state = Some(State::Startup);
            self.full_bw_reached = true;
            self.inflight_longterm = self.bdp(window).max(self.inflight_latest);
        }
    }

    /// EnterDrain.
    fn enter_drain(&mut self, window: &mut BbrWindow) {
        self.state = State::Drain;
        self.drain_start_round = self.round_count;
        window.ssthresh = self.bdp(window);
    }

    /// CheckDrainDone.
    pub(super) fn check_drain_done(&mut self, ack: &Ack) {
        if self.state != State::Drain {
            return;
        }
        let rounds = self.round_count.wrapping_sub(self.drain_start_round);
        if ack.inflight <= self.inflight(self.bw, ack) || rounds > DRAIN_ROUNDS {
            // EnterProbeBW.
            self.start_probe_bw_down(ack);
        }
    }
}
