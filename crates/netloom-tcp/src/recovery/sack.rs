//! The SACK scoreboard (RFC 2018 §5, RFC 6675): what the peer says it has, and what is lost.

use netloom_wire::TcpFlags;

use super::Phase;
use crate::flags::Flags;
use crate::records::{LOST, SACKED};
use crate::{Connection, Env, Io, Segment, SeqNum};

impl Connection {
    /// Marks what the segment's SACK blocks report. `true` if they reported something new.
    pub(crate) fn receive_sack(&mut self, io: &mut Io<'_>, segment: &Segment<'_>) -> bool {
        if !self.flags.has(Flags::SACK)
            || segment.options.sack.is_empty()
            || !segment.flags.contains(TcpFlags::ACK)
            || segment.ack.lt(self.snd_una)
        {
            return false;
        }
        let mut news = false;
        for (left, right) in segment.options.sack.iter() {
            let (left, right) = (SeqNum(left), SeqNum(right));
            // A block is believed only if it lies in what is in flight, beyond a gap. Up to
            // SND.UNA lie old blocks and D-SACK (RFC 2883), above SND.NXT lies.
            let sane = left.lt(right)
                && left.gt(segment.ack)
                && left.gt(self.snd_una)
                && right.le(self.snd_nxt);
            if sane {
                news |= self.mark_sacked(io, left, right.min(self.data_end()));
            }
        }
        if news {
            self.recount(io);
        }
        news
    }

    /// Marks the whole segments within `[left, right)`. Records are cut where a block ends
    /// inside one; if there is no room to cut, that detail is ignored.
    fn mark_sacked(&mut self, io: &mut Io<'_>, left: SeqNum, right: SeqNum) -> bool {
        let mut news = false;
        let mut start = self.snd_una;
        let mut i = 0;
        while let Some(&record) = self.records.get(io.records, i) {
            let end = record.end;
            if start.ge(right) {
                break;
            }
            if end.gt(left) && !record.is(SACKED) {
                let from = up_to_segment(start, left.max(start), record.mss);
                let to = if right.ge(end) {
                    end
                } else {
                    down_to_segment(start, right, record.mss)
                };
                if from.lt(to) {
                    if from != start && self.records.cut(io.records, i, from) {
                        // Go on with the second part.
                        start = from;
                        i = i.saturating_add(1);
                        continue;
                    }
                    let fits = from == start && (to == end || self.records.cut(io.records, i, to));
                    if fits {
                        news = true;
                        let octets = to.since(from);
                        self.delivered = self.delivered.wrapping_add(octets);
                        if let Some(record) = self.records.get_mut(io.records, i) {
                            record.mark(SACKED);
                            record.unmark(LOST);
                        }
                        start = to;
                        i = i.saturating_add(1);
                        continue;
                    }
                }
            }
            start = end;
            i = i.saturating_add(1);
        }
        news
    }

    /// After new SACK information: marks what is lost by now (IsLost, RFC 6675 §4), and begins
    /// fast recovery if the front is.
    pub(crate) fn detect_loss(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        let threshold = u32::from(env.tunables.dupack_threshold.max(2));
        let octets_needed = (threshold.saturating_sub(1)).saturating_mul(u32::from(self.mss));
        let mut octets = 0u32;
        let mut blocks = 0u32;
        let mut in_block = false;
        let mut any_lost = false;
        for i in (0..self.records.len()).rev() {
            let start = self.records.start(io.records, i, self.snd_una);
            let Some(record) = self.records.get_mut(io.records, i) else {
                break;
            };
            if record.is(SACKED) {
                octets = octets.saturating_add(record.end.saturating_since(start));
                blocks = blocks.saturating_add(u32::from(!in_block));
                in_block = true;
                continue;
            }
            in_block = false;
            //= https://www.rfc-editor.org/rfc/rfc6675#section-4
            //# The routine returns
            //# true when either DupThresh discontiguous SACKed sequences have
            //# arrived above 'SeqNum' or more than (DupThresh - 1) * SMSS bytes
            //# with sequence numbers greater than 'SeqNum' have been SACKed.
            let lost = octets > octets_needed || blocks >= threshold;
            if lost && !record.is(LOST) && record.retransmissions == 0 {
                record.mark(LOST);
                self.rtx_nxt = self.rtx_nxt.min(start);
            }
            any_lost |= record.is(LOST);
        }
        let repeated = self.sacked > 0 && u32::from(self.dup_acks) >= threshold;
        if self.phase == Phase::Open && (any_lost || repeated) {
            self.enter_recovery(io);
        } else {
            self.recount(io);
        }
    }

    /// The octet after the highest one the peer has reported, if any.
    pub(crate) fn highest_sacked(&self, io: &Io<'_>) -> Option<SeqNum> {
        (0..self.records.len())
            .rev()
            .filter_map(|i| self.records.get(io.records, i))
            .find(|record| record.is(SACKED))
            .map(|record| record.end)
    }
}

/// `at`, moved up to where a segment of the record that starts at `start` begins.
fn up_to_segment(start: SeqNum, at: SeqNum, mss: u16) -> SeqNum {
    let mss = u32::from(mss.max(1));
    match at.since(start).wrapping_rem(mss) {
        0 => at,
        within => at.plus(mss.wrapping_sub(within)),
    }
}

/// `at`, moved down to where a segment of the record that starts at `start` begins.
fn down_to_segment(start: SeqNum, at: SeqNum, mss: u16) -> SeqNum {
    at.minus(at.since(start).wrapping_rem(u32::from(mss.max(1))))
}
