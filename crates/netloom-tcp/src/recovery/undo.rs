//! Reductions that were a mistake: what was taken as lost had only been late. The peer says so by
//! echoing a timestamp from before the retransmission (the Eifel detection of RFC 3522), or by
//! reporting that everything retransmitted arrived twice (RFC 2883, RFC 3708).

use super::Phase;
use super::rack::Marks;
use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::{LOST, Record};
use crate::{Connection, Env, Io};

/// The least round trip, in microseconds, over which timestamps in milliseconds tell a
/// retransmission from what was sent before it.
const TELLING: u32 = 4_000;

impl Connection {
    /// Before a reduction: what there would be to go back to.
    pub(crate) fn begin_undo(&mut self) {
        self.prior_ssthresh = self.congestion.ssthresh();
        self.rack.undo_retrans = 0;
        self.marks.set(Marks::UNDOABLE);
        if self.marks.has(Marks::ECN) {
            // Whatever the window is reduced for, the peer learns of it (RFC 3168 §6.1.2).
            self.marks.set(Marks::CWR_OWED);
        }
    }

    /// Segments were retransmitted, `len` octets of them.
    pub(crate) fn note_retransmission(&mut self, len: u32) {
        let segments = u8::try_from(len.div_ceil(u32::from(self.mss.max(1))));
        let sum = segments
            .ok()
            .and_then(|n| self.rack.undo_retrans.checked_add(n));
        match sum {
            Some(more) => self.rack.undo_retrans = more,
            // More than can be counted: nothing will say that all were needless.
            None => self.marks.clear(Marks::UNDOABLE),
        }
    }

    /// A retransmitted record is acknowledged: whether by what was sent first.
    pub(crate) fn note_original(&mut self, env: &Env<'_>, record: &Record, echo: Option<u32>) {
        let since = env.micros().wrapping_sub(record.sent);
        let echoed = echo.and_then(|echo| self.echoed_rtt(env, echo));
        // The clock of timestamps ticks in milliseconds: older by more than one.
        let Some(echoed) = echoed else {
            return;
        };
        if echoed > since.saturating_add(1_000) {
            self.marks.set(Marks::ARRIVED_BEFORE);
        } else if self.rtt.min() > TELLING {
            // It was needed.
            self.marks.clear(Marks::UNDOABLE);
        }
    }

    /// Retransmissions of `len` octets were needless.
    pub(crate) fn note_duplicate(&mut self, len: u32) {
        if self.marks.has(Marks::UNDOABLE) && self.rack.undo_retrans > 0 {
            let segments = len.div_ceil(u32::from(self.mss.max(1))).min(255) as u8;
            self.rack.undo_retrans = self.rack.undo_retrans.saturating_sub(segments);
            if self.rack.undo_retrans == 0 {
                self.marks.set(Marks::ARRIVED_BEFORE);
            }
        }
    }

    /// Takes the last reduction back, if the acknowledgment says that it was a mistake.
    pub(crate) fn judge_undo(&mut self, io: &mut Io<'_>) {
        if self.marks.has(Marks::ARRIVED_BEFORE.with(Marks::UNDOABLE)) {
            if self.phase == Phase::Recovery || self.phase == Phase::Open {
                // Taken as lost because of what was sent later and came earlier: without this a
                // reordering window that is too small would keep the reordering from being seen
                // (RFC 8985 §6.2, step 4).
                self.marks.set(Marks::REORDERING_SEEN);
            }
            self.undo(io);
        }
    }

    /// Takes the last reduction back.
    pub(crate) fn undo(&mut self, io: &mut Io<'_>) {
        self.marks.clear(Marks::UNDOABLE);
        if matches!(self.phase, Phase::Probation | Phase::Trial) && !self.congestion.is_model() {
            // F-RTO lets two segments out beyond all that is in flight. That is no window that has
            // grown beyond the one before, which would stay as it is.
            self.congestion.set_cwnd(u32::from(self.mss));
        }
        self.congestion
            .on_undo(self.prior_cwnd, self.prior_ssthresh);
        if self.phase != Phase::Open {
            self.phase = Phase::Open;
            self.narrow_reordering_window();
        }
        for record in self.records.live_mut(io.records) {
            record.unmark(LOST);
        }
        self.recount(io);
        self.backoff = 0;
        self.retries = 0;
        self.flags
            .clear(Flags::RETRANSMIT_NOW.with(Flags::FIN_LOST));
    }
}
