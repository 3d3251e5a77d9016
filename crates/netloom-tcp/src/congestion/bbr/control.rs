//! What follows from the model: the pacing rate and the window (draft §5.6), with the allowance
//! for acknowledgments that come in lumps (§5.5.9).

use super::{
    Ack, BbrState, BbrWindow, INFINITY, MIN_PIPE_CWND, PACING_MARGIN_PERCENT, STARTUP_PACING_GAIN,
    State, percent,
};
use crate::pacing::Pacer;
use crate::rate::Rate;

/// Half of BBR.ExtraAckedFilterLen: the filter has two halves.
const EXTRA_ACKED_ROUNDS: u8 = 5;
/// The round trip taken where none is known, in microseconds.
const NOMINAL_RTT: u32 = 1_000;
/// Quanta that both ends need to have under way (BBR.offload_budget).
const OFFLOAD_QUANTA: u32 = 3;

impl BbrState {
    /// InitPacingRate.
    pub(super) fn init_pacing_rate(&mut self, pacer: &mut Pacer, srtt: u32) {
        self.has_seen_rtt = srtt > 0;
        let rtt = if srtt > 0 { srtt } else { NOMINAL_RTT };
        let nominal = Rate::of(self.initial_cwnd, rtt);
        pacer.set_rate(nominal.percent(STARTUP_PACING_GAIN));
    }

    /// SetPacingRateWithGain.
    pub(super) fn set_pacing_rate_with_gain(&self, pacer: &mut Pacer, gain: u32) {
        let rate = self
            .bw
            .percent(gain)
            .percent(100u32.saturating_sub(PACING_MARGIN_PERCENT));
        if rate > Rate::ZERO {
            // Until the pipe is full it only rises.
            let least = if self.full_bw_reached {
                Rate::ZERO
            } else {
                pacer.rate()
            };
            pacer.set_rate(rate.max(least));
        }
    }

    /// UpdateACKAggregation.
    pub(super) fn update_ack_aggregation(&mut self, window: &BbrWindow, ack: &Ack) {
        let interval = ack.now.wrapping_sub(self.extra_acked_interval_start);
        let mut expected = self.bw.over(interval);
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_interval_start = ack.now;
            expected = 0;
        }
        self.extra_acked_delivered = self.extra_acked_delivered.saturating_add(ack.newly_acked);
        let extra = self
            .extra_acked_delivered
            .saturating_sub(expected)
            .min(window.cwnd);
        if self.round_start {
            self.extra_acked_rounds = self.extra_acked_rounds.saturating_add(1);
            let rounds = if self.full_bw_reached {
                EXTRA_ACKED_ROUNDS
            } else {
                1
            };
            if self.extra_acked_rounds >= rounds {
                let [_, last] = self.extra_acked_filter;
                let before = if self.full_bw_reached { last } else { 0 };
                self.extra_acked_filter = [before, 0];
                self.extra_acked_rounds = 0;
            }
        }
        let [_, last] = &mut self.extra_acked_filter;
        *last = extra.max(*last);
    }

    /// BBR.extra_acked.
    fn extra_acked(&self) -> u32 {
        let [before, last] = self.extra_acked_filter;
        before.max(last)
    }

    /// BDPMultiple, of a rate.
    fn bdp_multiple(&self, bw: Rate, gain: u32) -> u32 {
        if self.min_rtt == INFINITY {
            return self.initial_cwnd;
        }
        percent(bw.over(self.min_rtt), gain)
    }

    /// BBR.bdp; before anything is known, the window.
    pub(super) fn bdp(&self, window: &BbrWindow) -> u32 {
        if self.bw == Rate::ZERO {
            return window.cwnd;
        }
        self.bdp_multiple(self.bw, 100)
    }

    /// QuantizationBudget.
    fn quantized(&self, inflight_cap: u32, mss: u32, quantum: u32) -> u32 {
        let offload_budget = quantum.saturating_mul(OFFLOAD_QUANTA);
        let cap = inflight_cap
            .max(offload_budget)
            .max(mss.saturating_mul(MIN_PIPE_CWND));
        if self.state == State::ProbeBwUp {
            cap.saturating_add(mss.saturating_mul(2))
        } else {
            cap
        }
    }

    /// Inflight, with a gain of one.
    pub(super) fn inflight(&self, bw: Rate, ack: &Ack) -> u32 {
        self.quantized(self.bdp_multiple(bw, 100), ack.mss, ack.quantum)
    }

    /// UpdateMaxInflight.
    fn max_inflight(&self, pacer: &Pacer, mss: u32) -> u32 {
        let cap = self
            .bdp_multiple(self.bw, self.cwnd_gain())
            .saturating_add(self.extra_acked());
        self.quantized(cap, mss, pacer.quantum(mss))
    }

    /// SetCwnd.
    pub(super) fn set_cwnd(&mut self, window: &mut BbrWindow, pacer: &Pacer, ack: &Ack) {
        let max_inflight = self.max_inflight(pacer, ack.mss);
        let grown = window.cwnd.saturating_add(ack.newly_acked);
        if self.full_bw_reached {
            window.cwnd = grown.min(max_inflight);
        } else if window.cwnd < max_inflight || ack.delivered < self.initial_cwnd {
            window.cwnd = grown;
        }
        window.cwnd = window.cwnd.max(ack.mss.saturating_mul(MIN_PIPE_CWND));
        if self.state == State::ProbeRtt {
            // BoundCwndForProbeRTT.
            window.cwnd = window.cwnd.min(self.probe_rtt_cwnd(window, ack.mss));
        }
        self.bound_cwnd_for_model(window, ack.mss);
    }

    /// BoundCwndForModel.
    fn bound_cwnd_for_model(&self, window: &mut BbrWindow, mss: u32) {
        let cap = match self.state {
            State::ProbeBwDown | State::ProbeBwRefill | State::ProbeBwUp => self.inflight_longterm,
            State::ProbeRtt | State::ProbeBwCruise => self.inflight_with_headroom(mss),
            State::Startup | State::Drain => INFINITY,
        };
        let cap = cap
            .min(self.inflight_shortterm)
            .max(mss.saturating_mul(MIN_PIPE_CWND));
        window.cwnd = window.cwnd.min(cap);
    }
}
