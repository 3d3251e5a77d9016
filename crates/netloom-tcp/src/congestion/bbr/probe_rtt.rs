//! ProbeRTT (draft §5.3.4): now and then so little is in flight that the round trip of the empty
//! path shows.

use super::{Ack, AckPhase, BbrState, BbrWindow, MIN_PIPE_CWND, Notes, SECOND, State, percent};

/// BBR.ProbeRTTInterval.
const PROBE_RTT_INTERVAL: u32 = 5 * SECOND;
/// BBR.MinRTTFilterLen.
const MIN_RTT_FILTER_LEN: u32 = 10 * SECOND;
/// BBR.ProbeRTTDuration.
const PROBE_RTT_DURATION: u32 = SECOND / 5;
/// BBR.ProbeRTTCwndGain.
const PROBE_RTT_CWND_GAIN: u32 = 50;

impl BbrState {
    /// UpdateMinRTT.
    pub(super) fn update_min_rtt(&mut self, ack: &Ack) {
        self.probe_rtt_expired =
            ack.now.wrapping_sub(self.probe_rtt_min_stamp) > PROBE_RTT_INTERVAL;
        if let Some(rtt) = ack.rs.and_then(|rs| rs.rtt) {
            if rtt < self.probe_rtt_min_delay || self.probe_rtt_expired {
                self.probe_rtt_min_delay = rtt;
                self.probe_rtt_min_stamp = ack.now;
            }
        }
        let expired = ack.now.wrapping_sub(self.min_rtt_stamp) > MIN_RTT_FILTER_LEN;
        if self.probe_rtt_min_delay < self.min_rtt || expired {
            self.min_rtt = self.probe_rtt_min_delay;
            self.min_rtt_stamp = self.probe_rtt_min_stamp;
        }
    }

    /// CheckProbeRTT.
    pub(super) fn check_probe_rtt(&mut self, window: &mut BbrWindow, ack: &Ack) {
        if self.state != State::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            // EnterProbeRTT.
            window.save_cwnd();
            self.state = State::ProbeRtt;
            window.notes.set(Notes::IN_PROBE_RTT);
            self.probe_rtt_since = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round(ack.delivered);
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(window, ack);
        }
        if ack.rs.is_some_and(|rs| rs.delivered > 0) {
            self.idle_restart = false;
        }
    }

    /// HandleProbeRTT.
    fn handle_probe_rtt(&mut self, window: &mut BbrWindow, ack: &Ack) {
        // Rates that are low on purpose do not count.
        self.delivery.mark_app_limited(ack.delivered, ack.inflight);
        if self.probe_rtt_since.is_none() {
            if ack.inflight <= self.probe_rtt_cwnd(window, ack.mss) {
                self.probe_rtt_since = Some(ack.now);
                self.probe_rtt_round_done = false;
                self.start_round(ack.delivered);
            }
            return;
        }
        if self.round_start {
            self.probe_rtt_round_done = true;
        }
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(window, ack);
        }
    }

    /// CheckProbeRTTDone.
    pub(super) fn check_probe_rtt_done(&mut self, window: &mut BbrWindow, ack: &Ack) {
        let done = self
            .probe_rtt_since
            .is_some_and(|since| ack.now.wrapping_sub(since) > PROBE_RTT_DURATION);
        if done {
            self.probe_rtt_min_stamp = ack.now;
            window.restore_cwnd();
            window.notes.take(Notes::IN_PROBE_RTT);
            self.exit_probe_rtt(ack);
        }
    }

    /// ExitProbeRTT.
    fn exit_probe_rtt(&mut self, ack: &Ack) {
        self.reset_short_term_model();
        if self.full_bw_reached {
            self.start_probe_bw_down(ack);
            self.start_probe_bw_cruise();
        } else {
            self.enter_startup();
        }
    }

    /// ProbeRTTCwnd.
    pub(super) fn probe_rtt_cwnd(&self, window: &BbrWindow, mss: u32) -> u32 {
        percent(self.bdp(window), PROBE_RTT_CWND_GAIN).max(mss.saturating_mul(MIN_PIPE_CWND))
    }
}
