//! The ProbeBW states (draft §5.3.3): down, cruising, refilling the pipe, and up.

use super::{Ack, AckPhase, BbrState, BbrWindow, INFINITY, SECOND, State};

/// Rounds between two probes at most, for the sake of Reno beside.
const RENO_ROUNDS: u32 = 63;

impl BbrState {
    /// StartProbeBW_DOWN.
    pub(super) fn start_probe_bw_down(&mut self, ack: &Ack) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = INFINITY;
        self.pick_probe_wait();
        self.cycle_stamp = ack.now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round(ack.delivered);
        self.state = State::ProbeBwDown;
    }

    /// StartProbeBW_CRUISE.
    pub(super) fn start_probe_bw_cruise(&mut self) {
        self.state = State::ProbeBwCruise;
    }

    /// StartProbeBW_REFILL.
    pub(super) fn start_probe_bw_refill(&mut self, ack: &Ack) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round(ack.delivered);
        self.state = State::ProbeBwRefill;
    }

    /// StartProbeBW_UP.
    fn start_probe_bw_up(&mut self, window: &BbrWindow, ack: &Ack) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round(ack.delivered);
        self.reset_full_bw();
        self.full_bw = ack.rate();
        self.state = State::ProbeBwUp;
        self.raise_inflight_longterm_slope(window, ack.mss);
    }

    /// UpdateProbeBWCyclePhase.
    pub(super) fn update_probe_bw_cycle_phase(&mut self, window: &BbrWindow, ack: &Ack) {
        if !self.full_bw_reached || ack.newly_acked == 0 {
            return;
        }
        if self.adapt_long_term_model(window, ack) {
            return;
        }
        match self.state {
            State::ProbeBwDown => {
                if !self.is_time_to_probe_bw(window, ack) && self.is_time_to_cruise(ack) {
                    self.start_probe_bw_cruise();
                }
            }
            State::ProbeBwCruise => {
                self.is_time_to_probe_bw(window, ack);
            }
            State::ProbeBwRefill => {
                // After one round of it.
                if self.round_start {
                    self.is_bw_probe_sample = true;
                    self.start_probe_bw_up(window, ack);
                }
            }
            State::ProbeBwUp => {
                if self.is_time_to_go_down(window, ack) {
                    self.prev_probe_too_high = false;
                    self.start_probe_bw_down(ack);
                }
            }
            State::Startup | State::Drain | State::ProbeRtt => {}
        }
    }

    /// IsTimeToProbeBW: refilling begins, if it is.
    fn is_time_to_probe_bw(&mut self, window: &BbrWindow, ack: &Ack) -> bool {
        let elapsed = ack.now.wrapping_sub(self.cycle_stamp) > self.bw_probe_wait;
        let probe = elapsed || self.is_reno_coexistence_probe_time(window, ack.mss);
        if probe {
            self.start_probe_bw_refill(ack);
        }
        probe
    }

    /// PickProbeWait.
    fn pick_probe_wait(&mut self) {
        self.rounds_since_probe_up = self.roll(2) as u8;
        self.bw_probe_wait = self.roll(SECOND).saturating_add(SECOND.saturating_mul(2));
    }

    /// IsRenoCoexistenceProbeTime.
    fn is_reno_coexistence_probe_time(&self, window: &BbrWindow, mss: u32) -> bool {
        let segments = self.target_inflight(window) / mss.max(1);
        u32::from(self.rounds_since_probe_up) >= segments.min(RENO_ROUNDS)
    }

    /// IsTimeToCruise.
    fn is_time_to_cruise(&self, ack: &Ack) -> bool {
        ack.inflight <= self.inflight_with_headroom(ack.mss)
            && ack.inflight <= self.inflight(self.max_bw(), ack)
    }

    /// IsTimeToGoDown.
    fn is_time_to_go_down(&mut self, window: &BbrWindow, ack: &Ack) -> bool {
        // What was in flight when this acknowledgment arrived; inflight_longterm is reached when no
        // segment fits below it any more.
        let reached = ack.inflight.saturating_add(ack.newly_acked);
        if self.prev_probe_too_high && reached.saturating_add(ack.mss) > self.inflight_longterm {
            self.prev_probe_precautionary = true;
            return true;
        }
        if self.is_cwnd_limited() && window.cwnd >= self.inflight_longterm {
            // The rate is bounded by inflight_longterm.
            self.reset_full_bw();
            self.full_bw = ack.rate();
            return false;
        }
        self.full_bw_now
    }
}
