//! Fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582), for peers without SACK.

use super::Phase;
use crate::flags::Flags;
use crate::{Connection, Env, Io};

impl Connection {
    /// A duplicate acknowledgment, or with SACK one that reported something new without moving
    /// SND.UNA.
    ///
    /// Each lets one segment more into the network: in fast recovery that is the inflation of
    /// RFC 5681 §3.2 (4), before it limited transmit (RFC 3042).
    pub(crate) fn on_duplicate_ack(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# If the incoming ACK is a duplicate acknowledgment per the definition
        //# in Section 2 (regardless of its status as a cumulative
        //# acknowledgment), and the TCP is not currently in loss recovery, the
        //# TCP MUST increase DupAcks by one and take the following steps:
        self.dup_acks = self.dup_acks.saturating_add(1);
        #[cfg(feature = "rack")]
        if matches!(self.phase, Phase::Probation | Phase::Trial) {
            self.judge_timeout_by_duplicate(io);
            return;
        }
        if self.flags.has(Flags::SACK) {
            // `detect_loss` takes it from here.
            return;
        }
        match self.phase {
            Phase::Open => {}
            // What was reduced then is not reduced again; what is lost is lost.
            #[cfg(feature = "rack")]
            Phase::Reduced => {}
            Phase::Recovery => {
                self.inflate();
                return;
            }
            // They answer what was retransmitted needlessly (RFC 6582 §4).
            Phase::Loss => return,
            #[cfg(feature = "rack")]
            Phase::Probation | Phase::Trial | Phase::Resent => return,
        }
        self.inflate();
        if self.dup_acks >= env.tunables.dupack_threshold.max(2) && self.is_new_loss() {
            self.enter_recovery(env, io);
        }
    }

    /// RFC 6582 §3.2 (2): whether the cumulative acknowledgment covers more than `recover`.
    fn is_new_loss(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc6582#section-3.2
        //# If not, the TCP
        //# does not enter fast retransmit and does not reset ssthresh.
        !self.flags.has(Flags::RECOVERED) || self.snd_una.minus(1).ge(self.recover)
    }

    /// SND.UNA has moved, and nothing is being repaired: once it is beyond `recover`, that is not
    /// asked for any more. Gigabytes later it would lie ahead again.
    #[inline(always)]
    pub(crate) fn forget_recovery(&mut self) {
        if self.flags.has(Flags::RECOVERED) && self.is_new_loss() {
            self.flags.clear(Flags::RECOVERED);
        }
    }

    /// One segment more has left the network.
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
    //# On the first and second duplicate ACKs received at a sender, a
    //# TCP SHOULD send a segment of previously unsent data per [RFC3042]
    //# provided that the receiver's advertised window allows, the total
    //# FlightSize would remain less than or equal to cwnd plus 2*SMSS,
    //# and that new data is available for transmission.
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
    //# Further, the
    //# TCP sender MUST NOT change cwnd to reflect these two segments
    //# [RFC3042].
    //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
    //# For each additional duplicate ACK received (after the third),
    //# cwnd MUST be incremented by SMSS.
    fn inflate(&mut self) {
        let mss = u32::from(self.mss);
        let most = self.flight().saturating_sub(mss.max(self.lost));
        self.sacked = self.sacked.saturating_add(mss).min(most);
    }

    /// A partial acknowledgment: what it covers is no longer counted as having left, but for
    /// the segment whose arrival it reports.
    pub(super) fn deflate(&mut self, octets: u32) {
        if !self.flags.has(Flags::SACK) {
            let beyond = octets.saturating_sub(u32::from(self.mss));
            self.sacked = self.sacked.saturating_sub(beyond).min(self.flight());
        }
    }

    /// What duplicate acknowledgments counted is worth nothing any more.
    pub(super) fn forget_duplicates(&mut self) {
        if !self.flags.has(Flags::SACK) {
            self.sacked = 0;
        }
    }
}

#[cfg(test)]
mod tests;
