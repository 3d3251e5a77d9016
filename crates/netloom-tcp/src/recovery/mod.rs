//! Loss recovery: when data is taken as lost, and what that does to the congestion window.
//!
//! One frame for peers with and without SACK: a scoreboard over the records says what has left
//! the network, and what may be sent is the congestion window less what has not (the pipe of
//! RFC 6675). Without SACK each duplicate acknowledgment counts for one segment that left, and
//! [`newreno`] says which segment is lost; with SACK, [`sack`] does.

mod newreno;
mod sack;

use crate::congestion::{Acked, Controller};
use crate::flags::Flags;
use crate::records::{LOST, SACKED};
use crate::{Connection, Env, Io, SeqNum};

/// Whether and how a loss is being repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Nothing is known to be lost.
    #[default]
    Open = 0,
    /// Fast recovery, until `recover` is acknowledged.
    Recovery,
    /// The retransmission timer expired: everything is sent again, in slow start, until
    /// `recover` is acknowledged.
    Loss,
}

/// An acknowledgment that moved SND.UNA.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewAck {
    /// By how many octets.
    pub(crate) octets: u32,
    /// FlightSize before it.
    pub(crate) flight: u32,
}

impl Connection {
    /// SND.UNA has moved.
    pub(crate) fn on_new_ack(&mut self, env: &Env<'_>, io: &mut Io<'_>, ack: &NewAck) {
        self.dup_acks = 0;
        if self.phase == Phase::Open {
            if !self.flags.has(Flags::SACK) {
                self.sacked = 0;
            }
            self.grow(env, ack, false);
            return;
        }
        self.on_ack_in_recovery(env, io, ack);
    }

    fn on_ack_in_recovery(&mut self, env: &Env<'_>, io: &mut Io<'_>, ack: &NewAck) {
        let complete = self.snd_una.ge(self.recover);
        let after_timeout = self.phase == Phase::Loss;
        if after_timeout {
            self.grow(env, ack, true);
        }
        if complete {
            self.phase = Phase::Open;
            self.flags.clear(Flags::RETRANSMIT_NOW);
            self.forget_duplicates();
        } else if !after_timeout {
            self.on_partial_ack(io, ack.octets);
        }
        self.recount(io);
        if complete && self.lost > 0 {
            // Lost after the recovery that ends here had begun: a new event.
            self.enter_recovery(io);
        }
    }

    fn grow(&mut self, env: &Env<'_>, ack: &NewAck, after_timeout: bool) {
        let mss = u32::from(self.mss);
        self.congestion.on_ack(&Acked {
            octets: ack.octets,
            flight: ack.flight,
            mss,
            unit: env.gso_max,
            after_timeout,
        });
    }

    /// An acknowledgment below `recover` in fast recovery: what is at SND.UNA now was sent
    /// before recovery began, and is missing too.
    fn on_partial_ack(&mut self, io: &mut Io<'_>, octets: u32) {
        //= https://www.rfc-editor.org/rfc/rfc6582#section-3.2
        //# If this ACK does *not* acknowledge all of the data up to and
        //# including recover, then this is a partial ACK.
        self.deflate(octets);
        self.lose_front(io);
    }

    /// Fast recovery begins.
    pub(crate) fn enter_recovery(&mut self, io: &mut Io<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# RecoveryPoint = HighData
        self.recover = self.snd_nxt;
        self.flags.set(Flags::RECOVERED);
        self.phase = Phase::Recovery;
        self.congestion.on_loss(self.flight(), u32::from(self.mss));
        self.rtx_nxt = self.snd_una;
        self.lose_front(io);
        self.recount(io);
    }

    /// The segment at SND.UNA is lost: it goes out next, whatever the congestion window says.
    fn lose_front(&mut self, io: &mut Io<'_>) {
        if self.records.len() == 0 {
            self.flags
                .put(Flags::FIN_LOST, self.flags.has(Flags::FIN_SENT));
            return;
        }
        let Some(front) = self.records.get(io.records, 0) else {
            return;
        };
        let (end, mss) = (front.end, u32::from(front.mss));
        if front.is(SACKED) || front.retransmissions > 0 {
            return;
        }
        // Of a super-segment only the first segment; if there is no room to cut it, all of it.
        if end.saturating_since(self.snd_una) > mss {
            self.records.cut(io.records, 0, self.snd_una.plus(mss));
        }
        if let Some(front) = self.records.get_mut(io.records, 0) {
            front.mark(LOST);
        }
        self.rtx_nxt = self.snd_una;
        self.flags.set(Flags::RETRANSMIT_NOW);
    }

    /// The retransmission timer expired with data in flight: all of it is taken as lost.
    pub(crate) fn on_retransmission_timeout(&mut self, io: &mut Io<'_>) {
        let first = self.phase != Phase::Loss || self.retries == 0;
        self.congestion
            .on_rto(self.flight(), u32::from(self.mss), first);
        //= https://www.rfc-editor.org/rfc/rfc6582#section-3.2
        //# After a retransmit timeout, record the highest sequence number
        //# transmitted in the variable recover, and exit the fast recovery
        //# procedure if applicable.
        self.lose_all(io);
    }

    /// Everything in flight is to be sent again, in order.
    pub(crate) fn lose_all(&mut self, io: &mut Io<'_>) {
        self.phase = Phase::Loss;
        self.recover = self.snd_nxt;
        self.flags.set(Flags::RECOVERED.with(Flags::RETRANSMIT_NOW));
        self.flags
            .put(Flags::FIN_LOST, self.flags.has(Flags::FIN_SENT));
        self.dup_acks = 0;
        self.forget_duplicates();
        // The peer must not have dropped what it reported; if the front is marked, it has
        // (RFC 2018 §8).
        let reneged = self
            .records
            .get(io.records, 0)
            .is_some_and(|front| front.is(SACKED));
        for i in 0..self.records.len() {
            if let Some(record) = self.records.get_mut(io.records, i) {
                if reneged {
                    record.unmark(SACKED);
                }
                if !record.is(SACKED) {
                    record.mark(LOST);
                }
            }
        }
        self.rtx_nxt = self.snd_una;
        self.recount(io);
    }

    /// The path carries less than before: what is in flight in larger segments is lost, without
    /// congestion.
    pub(crate) fn retransmit_oversized(&mut self, io: &mut Io<'_>) {
        let mut any = false;
        for i in 0..self.records.len() {
            let mss = self.mss;
            if let Some(record) = self.records.get_mut(io.records, i) {
                if record.mss > mss && !record.is(SACKED) {
                    record.mark(LOST);
                    any = true;
                }
            }
        }
        if any {
            self.phase = Phase::Loss;
            self.recover = self.snd_nxt;
            self.flags.set(Flags::RECOVERED.with(Flags::RETRANSMIT_NOW));
            self.rtx_nxt = self.snd_una;
            self.recount(io);
        }
    }

    /// Sums up `lost` and, with SACK, `sacked` from the records.
    pub(crate) fn recount(&mut self, io: &Io<'_>) {
        let mut lost = 0u32;
        let mut sacked = 0u32;
        let mut start = self.snd_una;
        for i in 0..self.records.len() {
            let Some(record) = self.records.get(io.records, i) else {
                break;
            };
            if record.is(SACKED) {
                sacked = sacked.saturating_add(record.end.saturating_since(start));
            } else if record.is(LOST) {
                let from = self.retransmitted_to(start, record.end);
                lost = lost.saturating_add(record.end.saturating_since(from));
            }
            start = record.end;
        }
        self.lost = lost;
        if self.flags.has(Flags::SACK) {
            self.sacked = sacked;
        } else {
            self.sacked = self.sacked.min(self.flight().saturating_sub(lost));
        }
    }

    /// How far a lost record `[start, end)` has been retransmitted.
    pub(crate) fn retransmitted_to(&self, start: SeqNum, end: SeqNum) -> SeqNum {
        if self.rtx_nxt.gt(start) && self.rtx_nxt.lt(end) {
            self.rtx_nxt
        } else {
            start
        }
    }
}

#[cfg(test)]
mod tests;
