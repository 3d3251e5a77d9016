//! How large a segment the path carries, found out by segments: packetisation-layer path MTU
//! discovery (RFC 8899, and RFC 4821 §7 for TCP), for paths whose ICMP errors are swallowed.
//!
//! Sizes are of options and payload, as `path_mss` is. What is sent has `low` at most, the PLPMTU;
//! now and then a segment of new data is larger: a probe. When it is acknowledged, `low` is its
//! size; when it and nothing else is lost, three times, `high` is less. Nothing is searched
//! (`low` is 0) until it is asked for from the beginning, or until data is lost again and again,
//! which may be because of its size: a black hole.

use netloom_wire::TcpFlags;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::records::LOST;
use crate::recovery::{Marks, Phase};
use crate::{Connection, Env, Io, Plan, PlanKind, SeqNum};

/// The state of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathSearch {
    /// The octet after the probe in flight.
    end: SeqNum,
    /// When a probe was last sent, or the search began, on the millisecond clock.
    at: u32,
    /// PLPMTU: what the path is known to carry; 0: nothing is searched.
    pub(crate) low: u16,
    /// What it may carry.
    high: u16,
    /// PROBED_SIZE: the size of the probe in flight; 0: there is none.
    size: u16,
    /// PROBE_COUNT: probes of this size that were lost.
    lost: u8,
}

/// So many probes of a size are lost before the path is taken not to carry it.
//= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.2
//# The default value of MAX_PROBES is 3.
const MAX_PROBES: u8 = 3;

/// No probe is sent with a window of fewer segments: what one that is lost takes with it could not
/// be told from congestion (RFC 4821 §7.4).
const LEAST_WINDOW: u32 = 11;

impl PathSearch {
    pub(crate) const EMPTY: PathSearch = PathSearch {
        end: SeqNum(0),
        at: 0,
        low: 0,
        high: 0,
        size: 0,
        lost: 0,
    };

    /// What may be sent of what the path is said to carry.
    #[inline]
    pub(crate) fn limit(&self, said: u16) -> u16 {
        if self.low == 0 {
            said
        } else {
            said.min(self.low)
        }
    }
}

impl Connection {
    /// Octets of options on each segment.
    fn option_octets(&self) -> u16 {
        if self.flags.has(Flags::TIMESTAMPS) {
            12
        } else {
            0
        }
    }

    /// What the path and the peer are said to take.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# A DPLPMTUD sender is RECOMMENDED to utilize
    //# information about the maximum size of packet that can be
    //# transmitted by the sender on the local link (e.g., the local link
    //# MTU).
    fn said_limit(&self) -> u16 {
        self.peer_mss.min(self.path_mss)
    }

    /// What the path was found to carry, in octets of options and payload, if that is less than
    /// it is said to; `None` also while that is searched.
    //= https://www.rfc-editor.org/rfc/rfc9040#section-6.3
    //# Caching sendMSS and
    //# PMTU is trivial; reported values are cached (PMTU at the IP layer),
    //# and the most recent values are used.
    pub fn plpmtu(&self, env: &Env<'_>) -> Option<u16> {
        let PathSearch { low, high, .. } = self.search;
        let known = high < low.saturating_add(env.tunables.probe_threshold.max(1));
        (low != 0 && known && low < self.said_limit()).then_some(low)
    }

    /// The handshake is complete.
    pub(crate) fn begin_path_search(&mut self, env: &Env<'_>) {
        if env.tunables.mtu_probing > 1 {
            self.search_from(env, env.tunables.base_mss);
        }
    }

    /// Searches from segments with so much payload on.
    fn search_from(&mut self, env: &Env<'_>, payload: u16) {
        let said = self.said_limit();
        self.forget_path_probe();
        self.search = PathSearch {
            at: env.now_ms,
            low: payload.saturating_add(self.option_octets()).min(said),
            high: said,
            ..PathSearch::EMPTY
        };
        self.update_mss();
    }

    /// The size of the next probe, if one is due.
    pub(crate) fn next_probe_size(&self, env: &Env<'_>) -> Option<u16> {
        let PathSearch {
            at,
            low,
            high,
            size,
            ..
        } = self.search;
        let said = self.said_limit();
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
        //# The PMTU_RAISE_TIMER is configured to the period a
        //# sender will continue to use the current PLPMTU, after which it
        //# reenters the Search Phase.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# It is RECOMMENDED that methods are robust to path
        //# changes that could have occurred since the path characteristics
        //# were last confirmed and to the possibility of inconsistent path
        //# information being received.
        let raised = env.since(at) >= env.tunables.probe_interval;
        let high = if raised { said } else { high.min(said) };
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
        //# When an acknowledged PL is used, this timer MUST
        //# NOT be used.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.2
        //# When used with an
        //# acknowledged PL (e.g., SCTP), DPLPMTUD SHOULD NOT continue to
        //# generate PLPMTU probes in this state.
        let least = low.saturating_add(env.tunables.probe_threshold.max(1));
        if size != 0 || high < least {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.2
        //# Implementations SHOULD select the set of probe packet sizes to
        //# maximize the gain in PLPMTU from each search step.
        // Mostly the path carries what it is said to: that is tried first.
        if high == said {
            return Some(high);
        }
        Some(low.saturating_add(high.saturating_sub(low).div_ceil(2)))
    }

    /// Makes a probe of a plan for new data, if one is due, and if there is enough behind it to
    /// tell its loss soon.
    #[cold]
    pub(crate) fn plan_path_probe(&self, env: &Env<'_>, io: &Io<'_>, unsent: u32, plan: &mut Plan) {
        let Some(size) = self.next_probe_size(env) else {
            return;
        };
        let payload = size.saturating_sub(self.option_octets());
        let mss = u32::from(self.mss);
        let behind = u32::from(env.tunables.dupack_threshold).saturating_add(1);
        let needed = u32::from(payload).saturating_add(mss.saturating_mul(behind));
        let cwnd = self.congestion.cwnd();
        if self.phase != Phase::Open
            || self.sacked > 0
            || plan.sack_blocks > 0
            || unsent <= needed
            || self.usable_window() < needed
            || cwnd < mss.saturating_mul(LEAST_WINDOW)
            || cwnd.saturating_sub(self.pipe()) < u32::from(payload)
            // Without a record of its own its loss could not be told.
            || self.records.is_full(io.records)
        {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# The network interface below the PL is REQUIRED to
        //# provide a way to transmit a probe packet that is larger than the
        //# PLPMTU.
        plan.kind = PlanKind::PathProbe;
        plan.mss = payload;
        plan.len = u32::from(payload);
        plan.flags = plan.flags.without(TcpFlags::PSH | TcpFlags::FIN);
    }

    /// A probe was sent.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# When the
    //# transmission of probe packets is not controlled by the congestion
    //# controller, the interval between probe packets MUST be at least
    //# one RTT.
    // The next one is not sent before this one is acknowledged or lost.
    pub(crate) fn sent_path_probe(&mut self, env: &Env<'_>, plan: &Plan) {
        let size = plan.mss.saturating_add(self.option_octets());
        self.search.size = size;
        self.search.high = self.search.high.max(size);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
        //# Probe messages sent by a PL MUST contain enough information to
        //# uniquely identify the probe within the Maximum Segment Lifetime
        //# (e.g., including a unique identifier from the PL or the DPLPMTUD
        //# implementation), while being robust to reordering and replay of probe
        //# response and PTB messages.
        self.search.end = plan.seq.plus(plan.len);
        self.search.at = env.now_ms;
        self.marks.set(Marks::PATH_PROBE);
    }

    /// SND.UNA has moved: whether over a probe.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# An update to the
    //# PLPMTU (or MPS) MUST NOT increase the congestion window measured
    //# in bytes [RFC4821].
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# The destination PL endpoint is REQUIRED to
    //# provide a feedback method that indicates to the DPLPMTUD sender
    //# when a probe packet has been received by the destination PL
    //# endpoint.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# The feedback mechanism is REQUIRED
    //# to be robust to the possibility that packets could be
    //# significantly delayed or duplicated along a network path.
    pub(crate) fn judge_path_probe(&mut self) {
        if self.marks.has(Marks::PATH_PROBE) && self.snd_una.ge(self.search.end) {
            self.search.low = self.search.size;
            self.search.lost = 0;
            self.forget_path_probe();
            self.update_mss();
        }
    }

    /// No probe is in flight any more.
    pub(crate) fn forget_path_probe(&mut self) {
        self.search.size = 0;
        self.marks.clear(Marks::PATH_PROBE);
    }

    /// Something is lost, and no loss was known before. If it is a probe and nothing else, it is
    /// to be sent again, and that is all.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //# Loss of a probe packet SHOULD NOT be treated as an
    //# indication of congestion and SHOULD NOT trigger a congestion
    //# control reaction [RFC4821] because this could result in
    //# unnecessary reduction of the sending rate.
    pub(crate) fn only_probe_lost(&mut self, io: &mut Io<'_>) -> bool {
        if !self.marks.has(Marks::PATH_PROBE) {
            return false;
        }
        let end = self.search.end;
        let live = self.records.live(io.records);
        let mut others = live.iter().filter(|record| record.end != end);
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# The PL is REQUIRED to be
        //# robust in the case where probe packets are lost due to other
        //# reasons (including link transmission error, congestion).
        if others.any(|record| record.is(LOST)) {
            // It tells nothing of the size (RFC 4821 §7.6.2).
            self.forget_path_probe();
            return false;
        }
        if !live
            .iter()
            .any(|record| record.end == end && record.mss > self.mss)
        {
            self.forget_path_probe();
            return false;
        }
        self.path_probe_lost();
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# A method is REQUIRED to be robust to the
        //# possibility that a flow encounters reordering or that the traffic
        //# (including probe packets) is divided over more than one network
        //# path.
        // If it is only late, what acknowledges it is not taken for an answer any more.
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# If a probe packet
        //# contains user data requiring retransmission in case of loss, the
        //# PL (or layers above) is REQUIRED to arrange any retransmission
        //# and/or repair of any resulting loss.
        // What is lost is sent again in segments that the path is known to carry.
        self.retransmit_oversized(io);
        true
    }

    /// Whether what is at SND.UNA is a probe.
    pub(crate) fn front_is_probe(&self, io: &Io<'_>) -> bool {
        let front = self.records.live(io.records).first();
        self.marks.has(Marks::PATH_PROBE) && front.is_some_and(|front| front.end == self.search.end)
    }

    /// A probe was lost, or that is all that is known of it.
    pub(crate) fn path_probe_lost(&mut self) {
        if !self.marks.has(Marks::PATH_PROBE) {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc8899#section-8
        //# The
        //# design of a PLPMTUD implementation SHOULD consider how to mitigate
        //# the effects of varying path information.
        self.search.lost = self.search.lost.saturating_add(1);
        if self.search.lost >= MAX_PROBES {
            self.search.high = self.search.size.saturating_sub(1);
            self.search.lost = 0;
        }
        self.forget_path_probe();
    }

    /// The path is said to carry less: a probe that is larger has its answer. Says whether there
    /// is one: it is lost, its loss tells nothing of congestion, and until what is sent again in its
    /// place has come through there is no other.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //# To avoid excessive load, the interval between individual probe
    //# packets MUST be at least one RTT, and the interval between rounds of
    //# probing is determined by the PMTU_RAISE_TIMER.
    pub(crate) fn path_is_said_to_carry_less(&mut self) -> bool {
        let refused = self.search.size > self.path_mss;
        if refused {
            self.search.lost = 0;
            self.forget_path_probe();
        }
        refused
    }

    /// The retransmission timer has expired again: after so many times that something is wrong
    /// with the path (R1), less is sent at once, and what the path carries is searched.
    ///
    /// Where much is lost by chance, as often happens to segments of any size. What every path is
    /// expected to carry being lost again and again too, though some came through since less was
    /// sent, it is not for its size: what was sent before is sent again.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.3
    //# When the method detects that the current PLPMTU is not supported,
    //# DPLPMTUD sets a lower PLPMTU and a lower MPS.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.3
    //# A DPLPMTUD method MUST
    //# NOT rely solely on this method.
    pub(crate) fn suspect_black_hole(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        let tunables = env.tunables;
        let patience = tunables.retries1.max(1);
        if tunables.mtu_probing == 0 || self.retries < patience {
            return;
        }
        let searched = self.search.low != 0;
        let payload = if searched {
            self.search.low.saturating_sub(self.option_octets())
        } else {
            self.mss
        };
        // RFC 4821 section 7.7: to what a search begins with, and by halves if nothing comes through
        // even then.
        let less = if payload > tunables.base_mss {
            tunables.base_mss
        } else if !searched {
            return;
        } else if self.retries == patience {
            self.leave_small_segments(env);
            return;
        } else {
            (payload >> 1)
                .max(tunables.mtu_probe_floor)
                .max(tunables.min_snd_mss)
        };
        let before = self.mss;
        self.search_from(env, less);
        if self.mss < before {
            // The loss window is one segment, and segments are smaller now.
            let window = self.congestion.cwnd().min(u32::from(self.mss));
            self.congestion.set_cwnd(window);
            self.retransmit_oversized(io);
        }
    }

    /// Segments as large as the path is said to carry, unless it is known to carry less, or was
    /// never asked.
    fn leave_small_segments(&mut self, env: &Env<'_>) {
        if env.tunables.mtu_probing > 1 || self.search.high < self.said_limit() {
            return;
        }
        self.forget_path_probe();
        self.search = PathSearch::EMPTY;
        self.update_mss();
        // RFC 5681 section 3.1: the loss window is one full-sized segment.
        let window = self.congestion.cwnd().max(u32::from(self.mss));
        self.congestion.set_cwnd(window);
    }
}
