//! Reductions that were a mistake: what was taken as lost had only been late. The peer says so by
//! echoing a timestamp from before the retransmission (the Eifel detection of RFC 3522), or by
//! reporting that everything retransmitted arrived twice (RFC 2883, RFC 3708).
//!
//! One moment of the millisecond clock goes with it, kept where SND.UP would be: while urgent data
//! is on its way, neither way of telling is taken. During the repair it is when something was first
//! sent again, RetransmitTS of RFC 3522; afterwards, when the repair was complete.

use super::Phase;
use super::rack::Marks;
use crate::acknowledge::LONGEST_ECHO;
use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::{LOST, REPAIRED, SACKED};
use crate::{Connection, Env, Io, Segment, SeqNum};

/// The least round trip, in microseconds, over which timestamps in milliseconds tell a
/// retransmission from what was sent before it.
const TELLING: u32 = 4_000;

/// So many repetitions are not counted: nothing will say that all were needless.
const UNCOUNTED: u8 = u8::MAX;

impl Connection {
    /// Before a reduction: what there would be to go back to. Until [`Connection::begin_undo`] there
    /// is no going back.
    pub(crate) fn remember_threshold(&mut self) {
        self.prior_ssthresh = self.congestion.ssthresh();
        self.marks.clear(Marks::UNDOABLE);
        if self.marks.has(Marks::ECN) {
            // Whatever the window is reduced for, the peer learns of it (RFC 3168 §6.1.2).
            self.marks.set(Marks::CWR_OWED);
        }
    }

    /// Something is taken as lost: it may turn out that it was only late.
    //= https://www.rfc-editor.org/rfc/rfc3522#section-3.2
    //# The Eifel detection algorithm MUST NOT be reinitiated after
    //# loss recovery has already started.
    pub(crate) fn begin_undo(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        // What was sent again before, a probe too, may arrive twice as well; and an echo tells
        // something only if it is older than that.
        let (now, mut age, mut out) = (env.micros(), None, 0u8);
        let (mut start, mss) = (self.snd_una, u32::from(self.mss));
        for record in self.records.live_mut(io.records) {
            if record.retransmissions > 0 {
                age = age.max(Some(now.wrapping_sub(record.sent)));
                out = out.saturating_add(segments(record.end.saturating_since(start), mss));
            }
            record.unmark(REPAIRED);
            start = record.end;
        }
        self.rack.undo_retrans = out;
        self.undo_from = self.round(self.snd_una);
        self.set_undo_moment(age.map_or(0, |age| before(env, age.div_ceil(1_000))));
        self.marks.set(Marks::UNDOABLE);
        // What the acknowledgment being processed says was said of an earlier reduction.
        self.marks.clear(Marks::ARRIVED_BEFORE);
    }

    /// When something was first sent again, or the repair was complete; 0: nothing was.
    fn undo_moment(&self) -> u32 {
        self.snd_up.0
    }

    fn set_undo_moment(&mut self, moment: u32) {
        if !self.flags.has(Flags::URGENT_OUT) {
            self.snd_up = SeqNum(moment);
        }
    }

    /// Whether it is asked if the last reduction was a mistake: it may be taken back, and something
    /// was sent again.
    fn is_in_doubt(&self) -> bool {
        self.marks.has(Marks::UNDOABLE)
            && !self.flags.has(Flags::URGENT_OUT)
            && self.undo_moment() != 0
    }

    /// Whether what was lost is being repaired: the moment is RetransmitTS.
    fn is_repairing(&self) -> bool {
        match self.phase {
            Phase::Recovery | Phase::Loss | Phase::Probation | Phase::Trial => true,
            Phase::Open | Phase::Reduced | Phase::Resent => false,
        }
    }

    /// Segments were retransmitted, `len` octets of them.
    //= https://www.rfc-editor.org/rfc/rfc3522#section-3.2
    //# A TCP sender must ensure that RetransmitTS does not get
    //# overwritten as loss recovery progresses, e.g., in case of
    //# a second timeout and subsequent second retransmit of the
    //# same octet.
    pub(crate) fn note_retransmission(&mut self, env: &Env<'_>, len: u32) {
        if !self.marks.has(Marks::UNDOABLE) {
            return;
        }
        let more = segments(len, u32::from(self.mss));
        self.rack.undo_retrans = self.rack.undo_retrans.saturating_add(more);
        if self.undo_moment() == 0 {
            self.set_undo_moment(env.now_ms.max(1));
        }
    }

    /// What was lost is repaired. What was sent again may be reported as a duplicate for a round trip
    /// more.
    pub(crate) fn end_undo(&mut self, env: &Env<'_>) {
        if self.is_in_doubt() {
            self.set_undo_moment(env.now_ms.max(1));
        } else {
            self.marks.clear(Marks::UNDOABLE);
        }
    }

    /// The segment acknowledges something that was retransmitted: whether by what was sent first.
    pub(crate) fn note_original(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        if !self.is_in_doubt() || !self.is_repairing() {
            return;
        }
        let echo = segment.timestamps.map(|timestamps| timestamps.echo);
        let Some(echoed) = echo.and_then(|echo| self.echoed_rtt(env, echo)) else {
            return;
        };
        let since = env.since(self.undo_moment());
        if since >= LONGEST_ECHO {
            // No echo is believed to be older, or it has been settled that none counts.
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc3522#section-3.2
        //# (4)     If the value of the Timestamp Echo Reply field of the
        //# acceptable ACK's Timestamps option is smaller than the
        //# value of RetransmitTS, then proceed to step (5),
        // An echo of this very millisecond counts as one old.
        if echoed <= since.max(1).saturating_mul(1_000) {
            if self.rtt.min() > TELLING {
                // It was needed.
                self.marks.clear(Marks::UNDOABLE);
            }
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc3522#section-3.2
        //# (5)     If the acceptable ACK carries a DSACK option [RFC2883],
        //# then proceed to step (DONE),
        //= https://www.rfc-editor.org/rfc/rfc3522#section-3.2
        //# else if during the lifetime of the TCP connection the TCP
        //# sender has previously received an ACK with a DSACK option,
        //# or the acceptable ACK does not acknowledge all outstanding
        //# data, then proceed to step (6),
        // Where all acknowledgments were lost, what is sent again has an old echo too.
        let telling = self.has_reported_duplicates() || segment.ack.lt(self.snd_nxt);
        if telling && self.duplicate(segment).is_none() {
            self.marks.set(Marks::ARRIVED_BEFORE);
        } else {
            // No echo will be older. Duplicates that are reported still count.
            self.set_undo_moment(before(env, LONGEST_ECHO));
        }
    }

    /// `[left, right)` is reported to have arrived twice.
    pub(crate) fn note_duplicate(
        &mut self,
        env: &Env<'_>,
        io: &Io<'_>,
        left: SeqNum,
        right: SeqNum,
    ) {
        let out = self.rack.undo_retrans;
        if !self.is_in_doubt() || out == 0 || out == UNCOUNTED {
            return;
        }
        if !self.is_repairing() && env.since(self.undo_moment()) > self.longest_round_trip() {
            // What was sent again has arrived long since, or will not.
            self.marks.clear(Marks::UNDOABLE);
            return;
        }
        if !self.may_be_repeated(io, left, right) {
            // The network makes duplicates too.
            return;
        }
        let reported = segments(right.since(left), u32::from(self.mss));
        self.rack.undo_retrans = out.saturating_sub(reported);
        if self.rack.undo_retrans == 0 {
            self.marks.set(Marks::ARRIVED_BEFORE);
        }
    }

    /// The longest that a round trip is thought to take, in milliseconds.
    fn longest_round_trip(&self) -> u32 {
        let micros = self.rtt.rttvar().saturating_mul(4);
        let micros = micros.saturating_add(self.rtt.srtt());
        micros.div_ceil(1_000).saturating_add(1)
    }

    /// Whether some of `[left, right)` was sent again since the last reduction, or was in flight a
    /// second time then; of what is acknowledged only its place is known.
    fn may_be_repeated(&self, io: &Io<'_>, left: SeqNum, right: SeqNum) -> bool {
        if right.le(self.snd_una) {
            let beyond = self.round(left).wrapping_sub(self.undo_from) < 0x8000;
            return beyond && right.le(self.recover);
        }
        let mut start = self.snd_una;
        for record in self.records.live(io.records) {
            if record.retransmissions > 0 && record.end.gt(left) && start.lt(right) {
                return true;
            }
            start = record.end;
        }
        false
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
            // Of the rest it is not known yet: that one was late does not say that none was lost.
            let live = self.records.live(io.records);
            if !live
                .iter()
                .any(|record| record.is(REPAIRED) && !record.is(SACKED))
            {
                self.undo(io);
            }
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

/// How many segments `len` octets are.
fn segments(len: u32, mss: u32) -> u8 {
    len.div_ceil(mss.max(1)).min(u32::from(UNCOUNTED)) as u8
}

/// The moment so many milliseconds ago; zero is none.
fn before(env: &Env<'_>, millis: u32) -> u32 {
    env.now_ms.wrapping_sub(millis).max(1)
}
