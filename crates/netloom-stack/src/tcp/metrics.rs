//! What connections learn of a path, kept for those that come after (RFC 9040 §6).
//!
//! The cache of destinations keeps it, bounded and for an hour. What a short path has to say is not
//! worth its place there: the retransmission timeout has a least value anyway.

use crate::destination::{DestinationTunables, PathMetrics};
use crate::output::header_len;
use crate::stack::Stack;
use netloom_wire::tcp::HEADER_LEN;

/// The least round trip worth keeping, in microseconds.
const WORTH_KEEPING: u32 = 1_000;

impl Stack {
    /// A connection ends: what it has learnt is kept.
    #[inline]
    pub(crate) fn keep_metrics(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(learnt) = slot.conn.path_metrics(&env) else {
            return;
        };
        let telling = learnt.reordering || learnt.ecn_failed;
        if self.tunables.tcp_no_metrics_save || !(learnt.srtt >= WORTH_KEEPING || telling) {
            return;
        }
        self.keep(index, &learnt);
    }

    #[cold]
    fn keep(&mut self, index: u32, learnt: &netloom_tcp::PathMetrics) {
        let Some(slot) = self.tables.connections.get(index) else {
            return;
        };
        let (dst, iface, now) = (slot.tuple.remote, slot.iface, self.clock.now);
        #[cfg(feature = "plpmtud")]
        let found = slot.conn.plpmtu(&self.clock.env(&self.tunables.tcp, 0));
        #[cfg(feature = "plpmtud")]
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# Such methods MUST be robust to the wide variety of underlying
        //# network forwarding behaviors.
        // It is never more than the link carries, and forgotten after ten minutes; a connection that
        // begins with it finds out for itself if it is too much.
        if let Some(found) = found {
            let headers = (header_len(&dst) as u16).saturating_add(HEADER_LEN as u16);
            self.lower_pmtu(&dst, iface, u32::from(found.saturating_add(headers)));
        }
        let _ = (iface, header_len(&dst), HEADER_LEN);
        let ssthresh = if self.tunables.tcp_no_ssthresh_metrics_save {
            0
        } else {
            learnt.ssthresh
        };
        let metrics = PathMetrics {
            srtt: learnt.srtt,
            rttvar: learnt.rttvar,
            ssthresh,
            reordering: learnt.reordering,
            ecn_failed: learnt.ecn_failed,
        };
        let tunables = DestinationTunables::DEFAULT;
        self.destinations
            .record_metrics(now, &dst, metrics, &tunables);
    }

    /// A connection was established: it begins with what is known of its path.
    #[inline]
    pub(crate) fn adopt_metrics(&mut self, index: u32) {
        if !self.destinations.is_empty() {
            self.adopt(index);
        }
    }

    #[cold]
    fn adopt(&mut self, index: u32) {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let Some(known) = self
            .destinations
            .metrics(self.clock.now, &slot.tuple.remote)
        else {
            return;
        };
        let metrics = netloom_tcp::PathMetrics {
            srtt: known.srtt,
            rttvar: known.rttvar,
            ssthresh: known.ssthresh,
            reordering: known.reordering,
            ecn_failed: known.ecn_failed,
        };
        let env = self.clock.env(&self.tunables.tcp, 0);
        slot.conn.adopt_metrics(&env, &metrics);
    }

    /// A connection is being opened from this side.
    #[cfg(feature = "active-open")]
    #[inline]
    pub(crate) fn avoid_what_fails(&mut self, index: u32) {
        if self.tunables.tcp.ecn != 1 || self.destinations.is_empty() {
            return;
        }
        let Some(slot) = self.tables.connections.get_mut(index) else {
            return;
        };
        let known = self
            .destinations
            .metrics(self.clock.now, &slot.tuple.remote);
        if known.is_some_and(|known| known.ecn_failed) {
            slot.conn.avoid_ecn();
        }
    }
}
