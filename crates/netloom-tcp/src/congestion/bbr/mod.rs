//! BBR, version 3 (draft-ietf-ccwg-bbr-06): a model of the path, its bandwidth and its round trip,
//! instead of an answer to each loss.
//!
//! The window itself is in the connection ([`BbrWindow`]), where transmission looks at it. The
//! model ([`BbrState`]) is too large for that and is lent, to connections that use it. Both are
//! brought up to date when an acknowledgment has been taken in, by [`BbrState::on_ack`].
//!
//! Names are the draft's. Windows are octets, times microseconds on a clock that wraps, gains
//! hundredths.

mod control;
mod long_term;
mod loss;
mod probe_bw;
mod probe_rtt;
mod startup;

use super::{Acked, Controller};
use crate::BbrInfo;
use crate::delivery::{DeliveryRate, RateSample};
use crate::pacing::Pacer;
use crate::rate::Rate;

// draft-ietf-ccwg-bbr-06 §2.8 and §2.9.
/// BBR.StartupPacingGain.
const STARTUP_PACING_GAIN: u32 = 277;
/// BBR.DrainPacingGain.
const DRAIN_PACING_GAIN: u32 = 50;
/// BBR.DefaultCwndGain.
const DEFAULT_CWND_GAIN: u32 = 200;
/// BBR.PacingMarginPercent.
const PACING_MARGIN_PERCENT: u32 = 1;
/// BBR.LossThresh, in hundredths.
const LOSS_THRESH: u32 = 2;
/// BBR.Beta.
const BETA: u32 = 70;
/// BBR.Headroom.
const HEADROOM: u32 = 15;
/// BBR.MinPipeCwnd, in segments.
const MIN_PIPE_CWND: u32 = 4;

/// No bound.
const INFINITY: u32 = u32::MAX;

const SECOND: u32 = 1_000_000;

/// So many hundredths of something.
fn percent(of: u32, percent: u32) -> u32 {
    let part = u64::from(of).saturating_mul(u64::from(percent)) / 100;
    u32::try_from(part).unwrap_or(u32::MAX)
}

/// BBR.state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Startup = 0,
    Drain,
    ProbeBwDown,
    ProbeBwCruise,
    ProbeBwRefill,
    ProbeBwUp,
    ProbeRtt,
}

/// BBR.ack_phase: what the acknowledgments that arrive now answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum AckPhase {
    Init = 0,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// Yes-or-no facts of the window; the constants name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Notes(u8);

impl Notes {
    const NONE: Notes = Notes(0);
    /// Loss recovery is under way.
    const IN_RECOVERY: Notes = Notes(1);
    /// BBR.state is ProbeRTT.
    const IN_PROBE_RTT: Notes = Notes(1 << 1);
    // What has happened since the model was brought up to date:
    /// The network has marked what it would otherwise have dropped.
    const MARKED: Notes = Notes(1 << 2);
    /// A recovery was a mistake.
    const SPURIOUS: Notes = Notes(1 << 3);
    /// The retransmission timer has expired.
    const TIMEOUT: Notes = Notes(1 << 4);

    fn has(self, note: Notes) -> bool {
        self.0 & note.0 != 0
    }

    fn set(&mut self, note: Notes) {
        self.0 |= note.0;
    }

    /// Whether it was set; it is not any more.
    fn take(&mut self, note: Notes) -> bool {
        let had = self.has(note);
        self.0 &= !note.0;
        had
    }
}

/// What of BBR is in the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct BbrWindow {
    /// C.cwnd.
    cwnd: u32,
    /// BBR.prior_cwnd: the last window that was known to be good.
    prior_cwnd: u32,
    /// What was in flight when the pipe was first full; it decides nothing.
    ssthresh: u32,
    notes: Notes,
}

// As much as fits beside what tells the algorithms apart.
const _: () = assert!(size_of::<BbrWindow>() <= 16);

impl BbrWindow {
    pub(crate) fn new(cwnd: u32) -> BbrWindow {
        BbrWindow {
            cwnd,
            prior_cwnd: 0,
            ssthresh: u32::MAX,
            notes: Notes::NONE,
        }
    }

    /// SaveCwnd.
    fn save_cwnd(&mut self) {
        let low = self.notes.has(Notes::IN_RECOVERY) || self.notes.has(Notes::IN_PROBE_RTT);
        self.prior_cwnd = if low {
            self.prior_cwnd.max(self.cwnd)
        } else {
            self.cwnd
        };
    }

    /// RestoreCwnd.
    fn restore_cwnd(&mut self) {
        self.cwnd = self.cwnd.max(self.prior_cwnd);
    }
}

/// The window only notes what happens: what it means is for the model to say.
impl Controller for BbrWindow {
    #[inline]
    fn cwnd(&self) -> u32 {
        self.cwnd
    }

    #[inline]
    fn ssthresh(&self) -> u32 {
        self.ssthresh
    }

    fn on_ack(&mut self, _: &Acked) {}

    /// OnEnterFastRecovery.
    fn on_loss(&mut self, _: u32, _: u32) {
        self.save_cwnd();
        self.notes.set(Notes::IN_RECOVERY);
    }

    /// OnEnterRTO; what is still in flight is added when that is known.
    fn on_rto(&mut self, _: u32, mss: u32, _: bool) {
        self.save_cwnd();
        self.notes.set(Notes::IN_RECOVERY);
        self.notes.set(Notes::TIMEOUT);
        self.cwnd = mss;
    }

    fn on_idle(&mut self, _: u32) {}

    /// A mark counts as a loss does (RFC 3168 §5, draft §3.7).
    fn on_ecn(&mut self, _: u32, _: u32) {
        self.notes.set(Notes::MARKED);
    }

    fn on_undo(&mut self, _: u32, _: u32) {
        self.notes.set(Notes::SPURIOUS);
    }

    fn set_cwnd(&mut self, cwnd: u32) {
        self.cwnd = cwnd;
    }
}

/// What an acknowledgment, or the end of a timer, is for the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ack {
    /// Now, in microseconds.
    pub(crate) now: u32,
    /// C.SMSS.
    pub(crate) mss: u32,
    /// C.send_quantum.
    pub(crate) quantum: u32,
    /// C.delivered.
    pub(crate) delivered: u32,
    /// C.inflight, after it.
    pub(crate) inflight: u32,
    /// RS.newly_acked.
    pub(crate) newly_acked: u32,
    /// SRTT; 0: no round trip was measured yet.
    pub(crate) srtt: u32,
    /// The peer reports what arrived out of order (C.has_selective_acks).
    pub(crate) sack: bool,
    /// Loss recovery is under way.
    pub(crate) in_recovery: bool,
    /// What of it tells a rate.
    pub(crate) rs: Option<RateSample>,
}

impl Ack {
    /// RS.delivery_rate.
    fn rate(&self) -> Rate {
        self.rs.map_or(Rate::ZERO, |rs| rs.delivery_rate)
    }
}

/// A record that is taken as lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost {
    /// Its octets.
    pub(crate) size: u32,
    /// P.tx_in_flight.
    pub(crate) tx_in_flight: u32,
    /// RS.lost: what was taken as lost since it was sent, itself included.
    pub(crate) lost: u32,
    /// P.is_app_limited.
    pub(crate) is_app_limited: bool,
    /// Whether what lies before it in the sequence space was lost with it.
    pub(crate) adjacent: bool,
}

/// What BBR remembers of the path of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BbrState {
    /// Delivery rate estimation.
    pub(crate) delivery: DeliveryRate,

    // State machine.
    is_initialized: bool,
    state: State,
    ack_phase: AckPhase,
    /// BBR.undo_state, of which there is None, Startup, and ProbeBW_UP.
    undo_state: Option<State>,
    cycle_stamp: u32,
    bw_probe_wait: u32,
    rounds_since_probe_up: u8,
    is_bw_probe_sample: bool,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,
    bw_probe_up_rounds: u8,
    bw_probe_up_acked: u32,
    probe_up_acked_per_inc: u32,
    drain_start_round: u32,

    // Rounds.
    next_round_delivered: u32,
    round_count: u32,
    round_start: bool,
    loss_round_delivered: u32,
    loss_round_start: bool,
    is_loss_in_round: bool,
    /// The network has marked what it would otherwise have dropped, or what was lost is unknown.
    is_marked_in_round: bool,
    /// C.lost and C.delivered when the round's first loss was found.
    loss_round_from: (u32, u32),
    /// Discontiguous stretches lost in the round.
    loss_ranges: u8,
    /// C.is_cwnd_limited in this round and in the one before.
    cwnd_limited: [bool; 2],

    // Rates.
    /// BBR.max_bw_filter: of the ProbeBW cycle before, and of this one.
    max_bw_filter: [Rate; 2],
    /// BBR.bw.
    bw: Rate,
    bw_latest: Rate,
    bw_shortterm: Rate,
    undo_bw_shortterm: Rate,
    full_bw: Rate,
    full_bw_count: u8,
    full_bw_now: bool,
    full_bw_reached: bool,

    // Volumes.
    initial_cwnd: u32,
    inflight_latest: u32,
    inflight_shortterm: u32,
    inflight_longterm: u32,
    undo_inflight_shortterm: u32,
    undo_inflight_longterm: u32,
    extra_acked_interval_start: u32,
    extra_acked_delivered: u32,
    /// BBR.extra_acked_filter: of rounds before, and of the last ones, so many of them.
    extra_acked_filter: [u32; 2],
    extra_acked_rounds: u8,

    // Round trips.
    /// BBR.min_rtt; infinite before the first.
    min_rtt: u32,
    min_rtt_stamp: u32,
    probe_rtt_min_delay: u32,
    probe_rtt_min_stamp: u32,
    probe_rtt_expired: bool,
    /// Since when so little is in flight as ProbeRTT wants; `None`: it is not yet.
    probe_rtt_since: Option<u32>,
    probe_rtt_round_done: bool,
    idle_restart: bool,
    /// The pacing rate was set from a round trip.
    has_seen_rtt: bool,

    /// What is random is drawn from this.
    dice: u32,
}

impl BbrState {
    /// Nothing: a connection that uses it sets it up.
    pub(crate) const EMPTY: BbrState = BbrState {
        delivery: DeliveryRate::EMPTY,
        is_initialized: false,
        state: State::Startup,
        ack_phase: AckPhase::Init,
        undo_state: None,
        cycle_stamp: 0,
        bw_probe_wait: 0,
        rounds_since_probe_up: 0,
        is_bw_probe_sample: false,
        prev_probe_too_high: false,
        prev_probe_precautionary: false,
        bw_probe_up_rounds: 0,
        bw_probe_up_acked: 0,
        probe_up_acked_per_inc: INFINITY,
        drain_start_round: 0,
        next_round_delivered: 0,
        round_count: 0,
        round_start: false,
        loss_round_delivered: 0,
        loss_round_start: false,
        is_loss_in_round: false,
        is_marked_in_round: false,
        loss_round_from: (0, 0),
        loss_ranges: 0,
        cwnd_limited: [false; 2],
        max_bw_filter: [Rate::ZERO; 2],
        bw: Rate::ZERO,
        bw_latest: Rate::ZERO,
        bw_shortterm: Rate::MAX,
        undo_bw_shortterm: Rate::ZERO,
        full_bw: Rate::ZERO,
        full_bw_count: 0,
        full_bw_now: false,
        full_bw_reached: false,
        initial_cwnd: 0,
        inflight_latest: 0,
        inflight_shortterm: INFINITY,
        inflight_longterm: INFINITY,
        undo_inflight_shortterm: 0,
        undo_inflight_longterm: 0,
        extra_acked_interval_start: 0,
        extra_acked_delivered: 0,
        extra_acked_filter: [0; 2],
        extra_acked_rounds: 0,
        min_rtt: INFINITY,
        min_rtt_stamp: 0,
        probe_rtt_min_delay: INFINITY,
        probe_rtt_min_stamp: 0,
        probe_rtt_expired: false,
        probe_rtt_since: None,
        probe_rtt_round_done: false,
        idle_restart: false,
        has_seen_rtt: false,
        dice: 0,
    };

    /// Sets it up, if it is not (OnInit). `seed` is anything that differs between connections.
    pub(crate) fn begin(
        &mut self,
        window: &BbrWindow,
        pacer: &mut Pacer,
        now: u32,
        (srtt, delivered, seed): (u32, u32, u32),
    ) {
        if self.is_initialized {
            return;
        }
        *self = BbrState {
            is_initialized: true,
            initial_cwnd: window.cwnd,
            min_rtt: if srtt == 0 { INFINITY } else { srtt },
            min_rtt_stamp: now,
            probe_rtt_min_delay: if srtt == 0 { INFINITY } else { srtt },
            probe_rtt_min_stamp: now,
            next_round_delivered: delivered,
            loss_round_delivered: delivered,
            dice: seed | 1,
            ..BbrState::EMPTY
        };
        // What is written first is limited by its having been written only now.
        self.delivery.mark_app_limited(delivered, 1);
        self.init_pacing_rate(pacer, srtt);
    }

    /// What is known of the path, once it is in use.
    pub(crate) fn info(&self) -> Option<BbrInfo> {
        let state = match self.state {
            State::Startup => "Startup",
            State::Drain => "Drain",
            State::ProbeBwDown => "ProbeBW_DOWN",
            State::ProbeBwCruise => "ProbeBW_CRUISE",
            State::ProbeBwRefill => "ProbeBW_REFILL",
            State::ProbeBwUp => "ProbeBW_UP",
            State::ProbeRtt => "ProbeRTT",
        };
        self.is_initialized.then(|| BbrInfo {
            state,
            bw: self.bw.to_per_second(),
            min_rtt: if self.min_rtt == INFINITY {
                0
            } else {
                self.min_rtt
            },
            pacing_gain: self.pacing_gain(),
            cwnd_gain: self.cwnd_gain(),
            inflight_longterm: (self.inflight_longterm != INFINITY)
                .then_some(self.inflight_longterm),
        })
    }

    /// A number below `below`.
    fn roll(&mut self, below: u32) -> u32 {
        // Marsaglia's xorshift; never zero.
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 17;
        self.dice ^= self.dice << 5;
        self.dice.checked_rem(below).unwrap_or(0)
    }

    /// BBR.max_bw.
    fn max_bw(&self) -> Rate {
        let [before, now] = self.max_bw_filter;
        before.max(now)
    }

    /// IsInAProbeBWState.
    fn is_in_probe_bw(&self) -> bool {
        match self.state {
            State::ProbeBwDown | State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeBwUp => {
                true
            }
            State::Startup | State::Drain | State::ProbeRtt => false,
        }
    }

    /// IsProbingBW.
    fn is_probing_bw(&self) -> bool {
        match self.state {
            State::Startup | State::ProbeBwRefill | State::ProbeBwUp => true,
            State::Drain | State::ProbeBwDown | State::ProbeBwCruise | State::ProbeRtt => false,
        }
    }

    /// BBR.pacing_gain (draft §5.6.1).
    fn pacing_gain(&self) -> u32 {
        match self.state {
            State::Startup => STARTUP_PACING_GAIN,
            State::Drain => DRAIN_PACING_GAIN,
            State::ProbeBwDown => 90,
            State::ProbeBwCruise | State::ProbeBwRefill | State::ProbeRtt => 100,
            State::ProbeBwUp => 125,
        }
    }

    /// BBR.cwnd_gain (draft §5.6.1).
    fn cwnd_gain(&self) -> u32 {
        match self.state {
            State::Startup
            | State::Drain
            | State::ProbeBwDown
            | State::ProbeBwCruise
            | State::ProbeBwRefill => DEFAULT_CWND_GAIN,
            State::ProbeBwUp => 225,
            State::ProbeRtt => 50,
        }
    }

    /// Something of `len` octets is about to have left, `pipe_before` octets being in flight
    /// before it (OnTransmit and OnPacketSent).
    pub(crate) fn on_sent(
        &mut self,
        window: &mut BbrWindow,
        pacer: &mut Pacer,
        ack: &Ack,
        pipe_before: u32,
    ) {
        if pipe_before == 0 && self.delivery.is_app_limited() {
            self.restart_from_idle(window, pacer, ack);
        }
        let apart = ack.srtt;
        self.delivery
            .on_sent(ack.now, ack.delivered, pipe_before, apart);
        let room = window.cwnd.saturating_sub(ack.inflight);
        if room < pacer.quantum(ack.mss) {
            let [_, this] = &mut self.cwnd_limited;
            *this = true;
        }
    }

    /// HandleRestartFromIdle.
    fn restart_from_idle(&mut self, window: &mut BbrWindow, pacer: &mut Pacer, ack: &Ack) {
        self.idle_restart = true;
        self.extra_acked_interval_start = ack.now;
        self.extra_acked_delivered = 0;
        if self.is_in_probe_bw() {
            self.set_pacing_rate_with_gain(pacer, 100);
        } else if self.state == State::ProbeRtt {
            self.check_probe_rtt_done(window, ack);
        }
    }

    /// An acknowledgment has been taken in (UpdateOnACK).
    pub(crate) fn on_ack(&mut self, window: &mut BbrWindow, pacer: &mut Pacer, ack: &Ack) {
        self.hear_events(window, ack);
        // UpdateModelAndState.
        self.update_latest_delivery_signals(ack);
        self.update_congestion_signals(window, ack);
        self.update_ack_aggregation(window, ack);
        self.check_full_bw_reached(ack);
        self.check_startup_done(window, ack);
        self.check_drain_done(ack);
        self.update_probe_bw_cycle_phase(window, ack);
        self.update_min_rtt(ack);
        self.check_probe_rtt(window, ack);
        self.advance_latest_delivery_signals(ack);
        self.bound_bw_for_model();
        // UpdateControlParameters; the quantum follows from the rate.
        if !self.has_seen_rtt && ack.srtt > 0 {
            self.init_pacing_rate(pacer, ack.srtt);
        }
        self.set_pacing_rate_with_gain(pacer, self.pacing_gain());
        self.set_cwnd(window, pacer, ack);
    }

    /// What the acknowledgment being processed tells of the rate (GenerateRateSample).
    pub(crate) fn rate_sample(
        &mut self,
        now: u32,
        delivered: u32,
        newly_acked: u32,
        first: crate::SeqNum,
    ) -> Option<RateSample> {
        let min_rtt = if self.min_rtt == INFINITY {
            0
        } else {
            self.min_rtt
        };
        self.delivery
            .sample(now, delivered, newly_acked > 0, min_rtt, first)
    }

    /// What has happened since the last acknowledgment, or with this one.
    fn hear_events(&mut self, window: &mut BbrWindow, ack: &Ack) {
        if window.notes.take(Notes::MARKED) {
            self.note_loss(window, ack.delivered, 0);
            self.is_marked_in_round = true;
        }
        if window.notes.take(Notes::SPURIOUS) {
            self.handle_spurious_loss_detection(window, ack);
        }
        if !ack.in_recovery && window.notes.take(Notes::IN_RECOVERY) {
            window.restore_cwnd();
        }
    }

    /// The retransmission timer has expired and what is lost is known: `inflight` octets are not.
    pub(crate) fn on_timeout(&mut self, window: &mut BbrWindow, ack: &Ack) {
        if window.notes.take(Notes::TIMEOUT) {
            self.note_loss(window, ack.delivered, 0);
            window.cwnd = ack.inflight.saturating_add(ack.mss);
        }
    }
}

#[cfg(test)]
mod tests;
