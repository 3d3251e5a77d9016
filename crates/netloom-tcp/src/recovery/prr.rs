//! Proportional rate reduction (RFC 6937, with the safe reduction bound of its successor): in fast
//! recovery each acknowledgment lets out what brings the window down to ssthresh evenly.

use crate::Connection;
use crate::congestion::Controller;

/// The state of one recovery, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prr {
    pub(crate) delivered: u32,
    pub(crate) out: u32,
    pub(crate) recover_fs: u32,
}

impl Prr {
    pub(crate) const EMPTY: Prr = Prr {
        delivered: 0,
        out: 0,
        recover_fs: 0,
    };

    /// How many octets may be sent in answer to an acknowledgment that says that `newly` octets
    /// have arrived; `safe`: it moved SND.UNA and tells of no further loss.
    fn send_count(&mut self, newly: u32, pipe: u32, ssthresh: u32, mss: u32, safe: bool) -> u32 {
        self.delivered = self.delivered.saturating_add(newly);
        let mut count = if pipe > ssthresh {
            // CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out
            let share = u64::from(self.delivered).saturating_mul(u64::from(ssthresh));
            let share = share.div_ceil(u64::from(self.recover_fs.max(1)));
            u32::try_from(share)
                .unwrap_or(u32::MAX)
                .saturating_sub(self.out)
        } else {
            let mut limit = self.delivered.saturating_sub(self.out).max(newly);
            if safe {
                limit = limit.saturating_add(mss);
            }
            limit.min(ssthresh.wrapping_sub(pipe))
        };
        if self.out == 0 {
            // The retransmission that begins recovery.
            count = count.max(mss);
        }
        count
    }
}

impl Connection {
    /// Recovery begins with `recover_fs` octets in flight that nobody reported.
    pub(crate) fn begin_reduction(&mut self, recover_fs: u32) {
        self.prr = Prr {
            delivered: 0,
            out: 0,
            recover_fs,
        };
    }

    /// An acknowledgment in fast recovery.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-9.3
    //# A segment marked
    //# as lost by RACK-TLP MUST NOT be retransmitted until congestion
    //# control deems this appropriate.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-9.3
    //# The Proportional Rate
    //# Reduction (PRR) algorithm [RFC6937] is RECOMMENDED for the specific
    //# congestion control actions taken upon the losses detected by RACK-
    //# TLP.
    pub(crate) fn reduce_rate(&mut self, delivered: u32, safe: bool) {
        if self.congestion.is_model() {
            // What is lost has changed the model, and that the window.
            return;
        }
        let (pipe, ssthresh) = (self.pipe(), self.congestion.ssthresh());
        let mss = u32::from(self.mss);
        let count = self.prr.send_count(delivered, pipe, ssthresh, mss, safe);
        self.congestion.set_cwnd(pipe.saturating_add(count));
    }

    /// Recovery is over.
    pub(crate) fn end_reduction(&mut self) {
        if self.congestion.is_model() {
            return;
        }
        let ssthresh = self.congestion.ssthresh();
        // A model has no threshold to leave to the algorithm that took over from it meanwhile.
        if ssthresh != u32::MAX {
            self.congestion.set_cwnd(ssthresh);
        }
    }
}

#[cfg(test)]
mod tests;
