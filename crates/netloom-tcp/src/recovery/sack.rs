//! The SACK scoreboard (RFC 2018 §5, RFC 6675): what the peer says it has, and what is lost.

use netloom_wire::TcpFlags;

use super::Phase;
use crate::flags::Flags;
#[cfg(feature = "rack")]
use crate::records::Record;
use crate::records::{LOST, SACKED};
use crate::{Connection, Env, Io, Segment, SeqNum};

impl Connection {
    /// Marks what the segment's SACK blocks report. `true` if they reported something new.
    //= https://www.rfc-editor.org/rfc/rfc6675#section-4
    //# For the purposes of the algorithm defined in this document, the
    //# scoreboard SHOULD implement the following functions:
    pub(crate) fn receive_sack(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
    ) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# Upon the receipt of any ACK containing SACK information, the
        //# scoreboard MUST be updated via the Update () routine.
        // Also of one that was overtaken: what it reports is still so.
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
        //# As described in Sections 4 and 5, Update () SHOULD continue to be used
        //# appropriately upon receipt of ACKs.
        if !self.flags.has(Flags::SACK) || !segment.flags.contains(TcpFlags::ACK) {
            return false;
        }
        let mut news = false;
        let mut blocks = segment.sack();
        #[cfg(feature = "rack")]
        let delivery = {
            if !blocks.is_empty() {
                self.note_dsack(env, io, segment);
                self.begin_delivery();
            }
            Delivery {
                env,
                fack: self.before_ack(io).fack(),
            }
        };
        #[cfg(not(feature = "rack"))]
        let delivery = {
            let _ = env;
            Delivery(core::marker::PhantomData)
        };
        while let Some((block, rest)) = blocks.split_first_chunk::<8>() {
            blocks = rest;
            let [a, b, c, d, e, f, g, h] = *block;
            let left = SeqNum(u32::from_be_bytes([a, b, c, d]));
            let right = SeqNum(u32::from_be_bytes([e, f, g, h]));
            // A block is believed only if it lies in what is in flight, beyond a gap. Up to
            // SND.UNA lie old blocks and D-SACK (RFC 2883), above SND.NXT lies.
            let sane = left.lt(right)
                && left.gt(segment.ack)
                && left.gt(self.snd_una)
                && right.le(self.snd_nxt);
            if sane {
                news |= self.mark_sacked(&delivery, io, left, right.min(self.data_end()));
            }
        }
        if news {
            self.recount(io);
        }
        news
    }

    /// Where the first record begins that ends beyond an octet in flight, and which one it is. They
    /// lie in order; a table of a few is gone through.
    #[inline]
    fn record_beyond(&self, io: &Io<'_>, octet: SeqNum) -> (SeqNum, usize) {
        if !cfg!(target_pointer_width = "64") {
            return (self.snd_una, 0);
        }
        let live = self.records.live(io.records);
        let i = live.partition_point(|record| record.end.le(octet));
        let before = i.checked_sub(1).and_then(|before| live.get(before));
        (before.map_or(self.snd_una, |record| record.end), i)
    }

    /// Marks the whole segments within `[left, right)`. Records are cut where a block ends
    /// inside one; if there is no room to cut, that detail is ignored.
    fn mark_sacked(
        &mut self,
        delivery: &Delivery<'_>,
        io: &mut Io<'_>,
        left: SeqNum,
        right: SeqNum,
    ) -> bool {
        let mut news = false;
        let (mut start, mut i) = self.record_beyond(io, left);
        while let Some(&record) = self.records.live(io.records).get(i) {
            if start.ge(right) {
                break;
            }
            let mut end = record.end;
            if end.gt(left) && !record.is(SACKED) {
                let from = up_to_segment(start, left.max(start), record.mss);
                let to = if right.ge(end) {
                    end
                } else {
                    down_to_segment(start, right, record.mss)
                };
                if from.lt(to) {
                    let at = if from == start { to } else { from };
                    if at == end || self.records.cut(io.records, i, at) {
                        // What lies before `from` stays as it is; the rest comes next.
                        end = at;
                        if from == start {
                            news = true;
                            self.delivered = self.delivered.wrapping_add(to.since(from));
                            if let Some(record) = self.records.live_mut(io.records).get_mut(i) {
                                //= https://www.rfc-editor.org/rfc/rfc2018#section-5
                                //# When receiving an ACK containing a SACK option, the data sender
                                //# SHOULD record the selective acknowledgment for future reference.
                                record.mark(SACKED);
                                record.unmark(LOST);
                                #[cfg(feature = "rack")]
                                {
                                    let record = *record;
                                    self.sacked_first(delivery, &record);
                                    #[cfg(feature = "bbr")]
                                    self.watch_sacked(io, &record);
                                }
                                #[cfg(not(feature = "rack"))]
                                let _ = delivery;
                            }
                        }
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
        // What is lost already counts too, unless that was without congestion.
        #[cfg(feature = "rack")]
        let resent = self.phase == Phase::Resent;
        #[cfg(not(feature = "rack"))]
        let resent = false;
        let mut any_lost = false;
        let mut rest = self.records.live_mut(io.records);
        while let Some((record, before)) = rest.split_last_mut() {
            rest = before;
            let start = rest.last().map_or(self.snd_una, |before| before.end);
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
                any_lost = true;
            }
            any_lost |= record.is(LOST) && !resent;
        }
        let repeated = self.sacked > 0 && u32::from(self.dup_acks) >= threshold;
        #[cfg(feature = "rack")]
        let open = matches!(self.phase, Phase::Open | Phase::Reduced | Phase::Resent);
        #[cfg(not(feature = "rack"))]
        let open = self.phase == Phase::Open;
        if open && (any_lost || (repeated && !resent)) {
            self.enter_recovery(env, io);
        } else {
            self.recount(io);
        }
    }

    /// The octet after the highest one the peer has reported, if any.
    pub(crate) fn highest_sacked(&self, io: &Io<'_>) -> Option<SeqNum> {
        self.records
            .live(io.records)
            .iter()
            .rfind(|record| record.is(SACKED))
            .map(|record| record.end)
    }
}

/// What a selective acknowledgment tells beside its blocks.
#[cfg(feature = "rack")]
struct Delivery<'a> {
    env: &'a Env<'a>,
    /// RACK.fack before it.
    fack: SeqNum,
}

/// Nothing is done with it.
#[cfg(not(feature = "rack"))]
struct Delivery<'a>(core::marker::PhantomData<&'a ()>);

#[cfg(feature = "rack")]
impl Connection {
    /// A record is reported for the first time. As long as there is a gap the peer echoes what came
    /// before it (RFC 7323 §4.3): that tells nothing of the record.
    fn sacked_first(&mut self, delivery: &Delivery<'_>, record: &Record) {
        let Delivery { env, fack } = *delivery;
        self.record_delivered(env, record, None, fack);
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
