//! HyStart++ (RFC 9406): the first slow start ends where the round trip begins to grow, before
//! anything is lost.

use super::Acked;
use crate::SeqNum;

// RFC 9406 §4.3; times are microseconds.
//= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
//# It is RECOMMENDED that a HyStart++ implementation use the following
//# constants:
const MIN_RTT_THRESH: u32 = 4_000;
const MAX_RTT_THRESH: u32 = 16_000;
const MIN_RTT_DIVISOR: u32 = 8;
const N_RTT_SAMPLE: u8 = 8;
//= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
//# The minimum value of CSS_GROWTH_DIVISOR MUST be at least 2.
const CSS_GROWTH_DIVISOR: u32 = 4;
const CSS_ROUNDS: u8 = 5;
/// L, for senders that do not pace.
const L: u32 = 8;

/// The state of the first slow start. Round trips are microseconds; 0 stands for infinity, which no
/// sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct HyStart {
    /// lastRoundMinRTT; in conservative slow start, where nothing needs that, cssBaselineMinRtt.
    last_round_min_rtt: u32,
    current_round_min_rtt: u32,
    window_end: SeqNum,
    rtt_samples: u8,
    /// Rounds of conservative slow start begun; 0: not in it.
    css_rounds: u8,
    /// Whether `window_end` is meaningful.
    in_round: bool,
}

/// What an acknowledgment in slow start leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// The window grows by so many octets.
    By(u32),
    /// The same, and slow start is over: congestion avoidance begins.
    Last(u32),
}

impl HyStart {
    pub(crate) const NEW: HyStart = HyStart {
        last_round_min_rtt: 0,
        current_round_min_rtt: 0,
        window_end: SeqNum(0),
        rtt_samples: 0,
        css_rounds: 0,
        in_round: false,
    };

    /// New data was acknowledged in the first slow start.
    pub(crate) fn on_ack(&mut self, acked: &Acked) -> Growth {
        let limit = acked.segments(L);
        let mut octets = acked.octets.min(limit);
        let css = self.css_rounds > 0;
        if css {
            octets /= CSS_GROWTH_DIVISOR;
        }
        //= https://www.rfc-editor.org/rfc/rfc9406#section-4.3
        //# While all TCP implementations are REQUIRED to take at least one RTT
        //# sample each round, implementations of HyStart++ are RECOMMENDED to
        //# take at least N_RTT_SAMPLE RTT samples.
        if acked.rtt != 0 {
            self.rtt_samples = self.rtt_samples.saturating_add(1);
            if self.current_round_min_rtt == 0 || acked.rtt < self.current_round_min_rtt {
                self.current_round_min_rtt = acked.rtt;
            }
        }
        if self.rtt_samples >= N_RTT_SAMPLE {
            if css {
                // The round trip has fallen again: it was no queue of ours.
                if self.current_round_min_rtt < self.last_round_min_rtt {
                    self.last_round_min_rtt = self.current_round_min_rtt;
                    self.css_rounds = 0;
                }
            } else if self.delay_grew() {
                self.last_round_min_rtt = self.current_round_min_rtt;
                self.css_rounds = 1;
            }
        }
        if !self.in_round || acked.una.ge(self.window_end) {
            self.in_round = true;
            self.window_end = acked.nxt;
            if self.css_rounds == 0 {
                self.last_round_min_rtt = self.current_round_min_rtt;
            }
            self.current_round_min_rtt = 0;
            self.rtt_samples = 0;
            // A partial round counts too (RFC 9406 §4.2).
            if self.css_rounds > 0 {
                if self.css_rounds >= CSS_ROUNDS {
                    return Growth::Last(octets);
                }
                self.css_rounds = self.css_rounds.saturating_add(1);
            }
        }
        Growth::By(octets)
    }

    fn delay_grew(&self) -> bool {
        let last = self.last_round_min_rtt;
        let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
        last != 0 && self.current_round_min_rtt >= last.saturating_add(threshold)
    }
}

#[cfg(test)]
mod tests;
