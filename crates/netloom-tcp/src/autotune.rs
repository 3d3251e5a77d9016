//! How large a receive window and how much text to send the path needs: dynamic right-sizing.
//!
//! What the user reads in a round trip is what the path carries and the user can take; a window
//! of twice that lets a sender in slow start double it. A round trip is found without a clock
//! where there are timestamps: what the peer echoes says that it has seen something that was sent
//! after the round began.

use crate::flags::Flags;
use crate::{Connection, Env, News, Segment, SeqNum};

/// The window is given so many times what was read in a round trip, so that it need not grow
/// with each one.
const TIMES: u32 = 4;

impl Connection {
    /// Text in order has arrived, more than a segment since the last acknowledgment.
    pub(crate) fn measure_reading(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        if self.round_is_over(env, segment) {
            self.report(News::ROUND_OVER);
        }
    }

    /// Whether a round trip has passed since the round began.
    fn round_is_over(&self, env: &Env<'_>, segment: &Segment<'_>) -> bool {
        match segment.timestamps {
            Some(timestamps) if self.flags.has(Flags::TIMESTAMPS) => {
                let echoed = SeqNum(timestamps.echo.wrapping_sub(self.ts_offset));
                echoed.gt(SeqNum(self.round_ms))
            }
            Some(_) | None => {
                let srtt = self.rtt.srtt();
                srtt > 0 && env.since(self.round_ms) > srtt.div_ceil(1_000)
            }
        }
    }

    /// Octets the user has read since the round began.
    fn read_in_round(&self) -> u32 {
        let read = self.rcv_nxt.minus(self.rx.len);
        read.saturating_since(self.round_read)
    }

    /// Has the window grow if it is less than twice what the user read in the round trip that is
    /// over, and is the answer to [`News::ROUND_OVER`]. `most`: how many octets it may promise,
    /// also if it is more now; `None`: it stays as it is.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
    //# A TCP receiver SHOULD NOT shrink the window, i.e., move the right
    //# window edge to the left (SHLD-14).
    // What was promised stays promised: see `window_to_offer`.
    pub fn tune_rcv_buf(&mut self, env: &Env<'_>, most: Option<u32>) {
        if let Some(most) = most {
            let read = self.read_in_round();
            if read > self.rcv_buf >> 1 {
                self.rcv_buf = self.rcv_buf.max(read.saturating_mul(TIMES));
            }
            // What the field cannot express is no window.
            self.rcv_buf = self.rcv_buf.min(most).min(0xffff << self.rcv_wscale);
        }
        self.round_ms = env.now_ms;
        self.round_read = self.rcv_nxt.minus(self.rx.len);
    }
}

impl Connection {
    /// How much text to send the path can make use of, in octets: twice the congestion window, what
    /// is in flight and what follows it when that is acknowledged; less if round trips take more
    /// than twice the least one. Then what is in flight waits in a queue or with the receiver, and
    /// more of it would only wait longer: where nothing is lost the congestion window alone says
    /// nothing of that.
    pub fn useful_text(&self) -> u32 {
        let twice = self.cwnd().saturating_mul(2);
        let (least, now) = (u64::from(self.rtt.min()), u64::from(self.rtt.srtt()));
        if least.saturating_mul(2) >= now {
            return twice;
        }
        let shorter = u64::from(twice).saturating_mul(least.saturating_mul(2));
        u32::try_from(shorter.checked_div(now).unwrap_or(0)).unwrap_or(twice)
    }
}

#[cfg(test)]
mod tests;
