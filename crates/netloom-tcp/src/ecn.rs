//! Explicit congestion notification (RFC 3168): the network marks what it would otherwise drop; the
//! receiver echoes the mark until the sender says that it has slowed down.

use netloom_wire::TcpFlags;

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::recovery::{Marks, Phase};
use crate::{Connection, Env, Plan, PlanKind, Segment};

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.2
//# A TCP endpoint SHOULD implement ECN as described in RFC 3168 (SHLD-
//# 8).
impl Connection {
    /// Whether the segment is to leave with ECT(0) in its IP header.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# * A host MUST NOT set ECT on data packets unless it has sent at
    //# least one ECN-setup SYN or ECN-setup SYN-ACK packet, and has
    //# received at least one ECN-setup SYN or ECN-setup SYN-ACK packet,
    //# and has sent no non-ECN-setup SYN or non-ECN-setup SYN-ACK
    //# packet.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# * A host MUST NOT set ECT on SYN or SYN-ACK packets.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.4
    //# For the current generation of TCP congestion control algorithms, pure
    //# acknowledgement packets (e.g., packets that do not contain any
    //# accompanying data) MUST be sent with the not-ECT codepoint.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.5
    //# This document specifies ECN-capable TCP implementations MUST NOT set
    //# either ECT codepoint (ECT(0) or ECT(1)) in the IP header for
    //# retransmitted data packets, and that the TCP data receiver SHOULD
    //# ignore the ECN field on arriving data packets that are outside of the
    //# receiver's current window.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.6
    //# Therefore, the TCP data sender MUST NOT set either an ECT codepoint
    //# or the CWR bit on window probe packets.
    #[inline]
    //= https://www.rfc-editor.org/rfc/rfc3168#section-5.2
    //# To ensure the reliable delivery of the congestion indication of the CE
    //# codepoint, an ECT codepoint MUST NOT be set in a packet unless the
    //# loss of that packet in the network would be detected by the end nodes
    //# and interpreted as an indication of congestion.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-5.2
    //# We believe that this aspect is still the subject of research, so this
    //# document specifies that at this time, "pure" ACK packets MUST NOT
    //# indicate ECN-Capability.
    pub(crate) fn sends_ect(&self, plan: &Plan) -> bool {
        self.marks.has(Marks::ECN) && plan.kind == PlanKind::Data
    }

    /// The SYN asks for ECN, unless it is repeated: something on the path may drop such SYNs.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# * A host that is not willing to use ECN on a TCP connection SHOULD
    //# clear both the ECE and CWR flags in all non-ECN-setup SYN and/or
    //# SYN-ACK packets that it sends to indicate this unwillingness.
    pub(crate) fn syn_flags(&self) -> TcpFlags {
        if self.marks.has(Marks::ECN) && self.retries == 0 {
            TcpFlags::SYN | TcpFlags::ECE | TcpFlags::CWR
        } else {
            TcpFlags::SYN
        }
    }

    /// The answer to our SYN: whether it agrees.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# If a host has received at least one non-ECN-setup SYN or non-ECN-setup
    //# SYN-ACK packet, then it SHOULD NOT set ECT on data packets.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# Receivers MUST correctly handle all forms of the non-ECN-setup SYN and
    //# SYN-ACK packets.
    pub(crate) fn agree_on_ecn(&mut self, segment: &Segment<'_>) {
        let agreed = segment.has(TcpFlags::ACK | TcpFlags::ECE)
            && !segment.has(TcpFlags::CWR)
            && self.retries == 0;
        if !agreed {
            self.marks.clear(Marks::ECN);
        }
    }

    /// What of ECN goes on a segment; for new data also that the window was reduced.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
    //# Thus, the
    //# CWR bit in the TCP header SHOULD NOT be set on retransmitted packets.
    #[inline]
    pub(crate) fn ecn_flags(&self, plan: &mut Plan) {
        const OWED: Marks = Marks::ECE_OWED.with(Marks::CWR_OWED);
        if !self.marks.any(OWED) || plan.flags.intersects(TcpFlags::SYN | TcpFlags::RST) {
            return;
        }
        if self.marks.has(Marks::ECE_OWED) {
            plan.flags |= TcpFlags::ECE;
        }
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
        //# When the TCP data sender is ready to set the CWR bit after reducing
        //# the congestion window, it SHOULD set the CWR bit only on the first
        //# new data packet that it transmits.
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
        //# * If a host ever sets the ECT codepoint on a data packet, then that
        //# host MUST correctly set/clear the CWR TCP bit on all subsequent
        //# packets in the connection.
        if self.marks.has(Marks::CWR_OWED) && plan.kind == PlanKind::Data {
            plan.flags |= TcpFlags::CWR;
            // A super-segment would carry it on each of its parts.
            plan.shorten(u32::from(plan.mss));
        }
    }

    /// Acceptable text arrived: its mark, and whether the peer has heard ours.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.5
    //# To prevent such a denial-of-service attack, we
    //# specify that a legitimate TCP data sender MUST NOT set an ECT
    //# codepoint on retransmitted data packets, and that the TCP data
    //# receiver SHOULD ignore the CE codepoint on out-of-window packets.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.1
    //# * If a host has sent at least one ECN-setup SYN or ECN-setup SYN- ACK
    //# packet, and has received no non-ECN-setup SYN or non-ECN- setup
    //# SYN-ACK packet, then if that host receives TCP data packets with ECT
    //# and CE codepoints set in the IP header, then that host MUST process
    //# these packets as specified for an ECN- capable connection.
    pub(crate) fn receive_mark(&mut self, segment: &Segment<'_>) {
        if !self.marks.has(Marks::ECN) {
            return;
        }
        if segment.has(TcpFlags::CWR) {
            self.marks.clear(Marks::ECE_OWED);
        }
        if segment.ce {
            self.marks.set(Marks::ECE_OWED);
        }
    }

    /// An acceptable acknowledgment, before it is taken in: whether it echoes a mark. `true` if
    /// that closes a window that was one segment already: see [`Connection::hold`].
    pub(crate) fn receive_echo(&mut self, segment: &Segment<'_>) -> bool {
        if !self.marks.has(Marks::ECN)
            || !segment.has(TcpFlags::ECE)
            || self.flight() == 0
            || segment.ack.lt(self.snd_una)
        {
            return false;
        }
        // RFC 4015 §3.4: a reduction that congestion has confirmed stays.
        self.marks.clear(Marks::UNDOABLE);
        let ready = match self.phase {
            Phase::Open | Phase::Resent => true,
            // Once a window is enough.
            Phase::Reduced => segment.ack.gt(self.recover),
            Phase::Recovery | Phase::Loss | Phase::Probation | Phase::Trial => false,
        };
        if !ready {
            return false;
        }
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
        //# The sending
        //# TCP SHOULD NOT increase the congestion window in response to the
        //# receipt of an ECN-Echo ACK packet.
        let mss = u32::from(self.mss);
        // One segment fits, and perhaps a part of another, which does not leave.
        let least = self.congestion.cwnd() < mss.saturating_mul(2);
        self.remember_window();
        self.marks.clear(Marks::PROBED);
        //= https://www.rfc-editor.org/rfc/rfc3168#section-5
        //# Upon the receipt by an ECN-Capable transport of a single CE packet,
        //# the congestion control algorithms followed at the end-systems MUST be
        //# essentially the same as the congestion control response to a *single*
        //# dropped packet.
        self.congestion.on_ecn(self.flight(), mss);
        if least {
            self.congestion.set_cwnd(0);
        }
        if self.phase == Phase::Resent {
            // What is sent again goes on being so, with a window that is reduced now.
            self.phase = Phase::Loss;
            return least;
        }
        self.phase = Phase::Reduced;
        self.recover = self.snd_nxt;
        // It is where the reduction ends, and no recovery's any more (RFC 6582 §3.2).
        self.flags.clear(Flags::RECOVERED);
        least
    }

    /// Whether the window is closed until the retransmission timer expires: it is 0 then, as it
    /// never is otherwise.
    pub(crate) fn is_held(&self) -> bool {
        self.congestion.cwnd() == 0
    }

    /// An acknowledgment was taken in. `echo`: it has just closed the window.
    ///
    /// A window of one segment cannot be halved. What comes next waits for the retransmission
    /// timer instead, which then must run also where nothing is in flight.
    pub(crate) fn hold(&mut self, env: &Env<'_>, echo: bool) {
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
        //# Therefore, the sending TCP MUST reset the
        //# retransmit timer on receiving the ECN-Echo packet when the congestion
        //# window is one.
        //= https://www.rfc-editor.org/rfc/rfc9438#section-4.6
        //# If congestion events indicated by ECN-Echo ACKs persist, a sender with
        //# a _cwnd_ of 1 SMSS MUST reduce its sending rate even further.
        if echo || (self.is_held() && self.rtx_deadline == 0) {
            self.arm_retransmission(env);
        }
    }

    /// The retransmission timer has expired with nothing in flight.
    //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
    //# The sending TCP will then be able to send a new
    //# packet only when the retransmit timer expires.
    pub(crate) fn release(&mut self) {
        if self.is_held() {
            self.congestion.set_cwnd(u32::from(self.mss));
        }
    }
}
