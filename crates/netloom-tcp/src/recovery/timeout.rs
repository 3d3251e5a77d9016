//! Loss recovery by the retransmission timer alone: what there is without the feature
//! `fast-retransmit`.
//!
//! No record is kept of what was sent. What a timeout has taken as lost is an interval,
//! `[rtx_nxt, recover)`, sent again from its front; and one segment at a time is timed.

use super::Phase;
use crate::{Connection, Env, Io, Plan, SeqNum};

/// No records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordTable;

impl RecordTable {
    pub(crate) const EMPTY: RecordTable = RecordTable;

    pub(crate) fn len(&self) -> usize {
        0
    }

    pub(crate) fn has_room(&self, _: &[crate::Record]) -> bool {
        true
    }

    pub(crate) fn relocate(&mut self, _: &[crate::Record], _: &mut [crate::Record]) {}
}

impl Connection {
    /// The round trip of the segment that is timed, if `ack` covers it.
    pub(crate) fn drop_acknowledged(
        &mut self,
        env: &Env<'_>,
        _: &Io<'_>,
        ack: SeqNum,
        _: Option<u32>,
    ) -> Option<u32> {
        // Beyond SND.UNA, up to `ack`.
        let timed = self.timed.since(self.snd_una).wrapping_sub(1) < ack.since(self.snd_una);
        timed.then(|| env.micros().wrapping_sub(self.xmit_ts))
    }

    /// New text went out, up to `end`: it is timed if nothing is.
    pub(crate) fn record_sent(&mut self, env: &Env<'_>, _: &mut Io<'_>, _: &Plan, end: SeqNum) {
        //= https://www.rfc-editor.org/rfc/rfc6298#section-3
        //# TCP MUST use Karn's algorithm [KP87] for taking RTT samples.
        if self.phase == Phase::Open && self.timed.le(self.snd_una) {
            self.timed = end;
            self.xmit_ts = env.micros();
        }
    }

    /// Text was sent again, up to `end`.
    pub(crate) fn record_sent_again(&mut self, _: &Env<'_>, _: &mut Io<'_>, _: &Plan, end: SeqNum) {
        self.rtx_nxt = end;
    }

    /// What is to be sent again next.
    pub(crate) fn next_to_retransmit(&self, _: &Io<'_>, _: bool) -> Option<(SeqNum, SeqNum)> {
        Some((self.rtx_nxt, self.rtx_nxt.plus(self.lost)))
    }

    /// Takes all that is in flight as lost.
    pub(crate) fn lose_all(&mut self, io: &mut Io<'_>) {
        self.begin_loss();
        //= https://www.rfc-editor.org/rfc/rfc6298#section-3
        //# RTT samples MUST NOT be made using segments that were
        //# retransmitted (and thus for which it is ambiguous whether the reply
        //# was for the first instance of the packet or a later instance).
        self.timed = self.snd_una;
        self.recount(io);
    }

    /// Segments in flight are larger than the path carries: all that is in flight is sent again.
    pub(crate) fn retransmit_oversized(&mut self, io: &mut Io<'_>) {
        if self.sent_data() > 0 {
            self.lose_all(io);
        }
    }

    /// Sums up `lost`.
    pub(crate) fn recount(&mut self, _: &Io<'_>) {
        let end = self.recover.min(self.data_end());
        self.lost = match self.phase {
            Phase::Loss => end.saturating_since(self.rtx_nxt),
            _ => 0,
        };
    }
}

#[cfg(all(test, not(feature = "timestamps")))]
mod tests;
