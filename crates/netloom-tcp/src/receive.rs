//! SEGMENT ARRIVES (RFC 9293 §3.10.7): the order of checks. `fast.rs` has the way around them.

use netloom_wire::TcpFlags;
use netloom_wire::hint::cold_path;

use crate::flags::Flags;
use crate::syn_received::syn_window;
use crate::{
    ACTIVE_OPEN, CloseReason, Connection, Discard, Env, FAST_RETRANSMIT, Io, KEEPALIVE, News, Next,
    OUT_OF_ORDER, Outcome, Segment, SeqNum, State,
};

/// TS.Recent is outdated when nothing was received for 24 days (RFC 7323 §5.5), in milliseconds.
const TS_RECENT_AGE: u32 = 24 * 24 * 3600 * 1000;

impl Connection {
    /// A segment arrived.
    ///
    /// Several may be given before [`Connection::next`] is asked, and should be: they are then
    /// acknowledged together. So the outcome does not say [`News::OWES_FRAME`]:
    /// [`Connection::owes_frame`] does.
    pub fn receive(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) -> Outcome {
        #[cfg(all(target_pointer_width = "64", feature = "fast-retransmit"))]
        if !segment.has(TcpFlags::SYN) {
            if let Some(news) = self.receive_plain(env, io, segment, || true) {
                debug_assert!(self.owes_frame() || !matches!(self.next(env, io), Next::Send(_)));
                return Outcome {
                    news,
                    discard: None,
                };
            }
            if let Some(outcome) = self.receive_bare(env, segment) {
                debug_assert!(self.owes_frame() || !matches!(self.next(env, io), Next::Send(_)));
                return outcome;
            }
        }
        self.receive_any(env, io, segment)
    }

    /// [`Connection::receive`] of whatever segment.
    #[cfg_attr(not(target_pointer_width = "64"), inline(always))]
    fn receive_any(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) -> Outcome {
        match self.state {
            State::SynSent if ACTIVE_OPEN => self.receive_in_syn_sent(env, io, segment),
            State::Closed | State::Listen | State::SynSent => {
                cold_path();
                self.discard(Discard::Closed);
            }
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.receive_checked(env, io, segment),
        }
        debug_assert!(self.owes_frame() || !matches!(self.next(env, io), Next::Send(_)));
        self.take_outcome()
    }

    /// The checks in the RFC's order, for SYN-RECEIVED and the synchronized states.
    fn receive_checked(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) {
        let trimmed;
        let mut segment = segment;
        #[cfg(feature = "fastopen")]
        if self.repeats_fast_syn(segment) {
            cold_path();
            self.flags.set(Flags::SYN_OWED);
            self.retries = self.retries.max(1);
            self.discard(Discard::Duplicate);
            return;
        }
        if ACTIVE_OPEN
            && self.state == State::SynReceived
            && segment.has(TcpFlags::SYN)
            && segment.seq == self.irs
            && !segment.has(TcpFlags::RST)
        {
            // The peer's SYN again. With an acknowledgment it is the other half of a
            // simultaneous open (RFC 9293 figure 7); without, our SYN-ACK was lost.
            if !segment.has(TcpFlags::ACK) {
                self.flags.set(Flags::SYN_OWED);
                self.discard(Discard::Duplicate);
                return;
            }
            trimmed = without_syn(segment);
            segment = &trimmed;
        }

        if let Some(why) = self.check_timestamps(env, segment) {
            cold_path();
            self.discard(why);
            return;
        }
        // First: the sequence number.
        if !self.is_acceptable(segment) {
            cold_path();
            self.reject(env, segment);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5.3
        //# TCP implementations SHOULD allow a received RST segment to include
        //# data (SHLD-2).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4
        //# A TCP receiver MUST process the RST and URG
        //# fields of all incoming segments, even when the receive window is zero
        //# (MUST-66).
        // Second: RST.
        if segment.has(TcpFlags::RST) {
            cold_path();
            self.receive_reset(env, segment);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //# 1) If the SYN bit is set, irrespective of the sequence number, TCP
        //# MUST send an ACK (also referred to as challenge ACK) to the remote
        //# peer:
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //# After sending the acknowledgment, TCP MUST drop the unacceptable
        //# segment and stop processing further.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //# Instead, the handling of the SYN in the synchronized state SHOULD be
        //# performed as follows:
        // Fourth: SYN. (There is no third: security compartments are extinct.)
        if segment.has(TcpFlags::SYN) {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# RFC 5961 recommends that in
            //# these synchronized states, if the SYN bit is set,
            //# irrespective of the sequence number, TCP endpoints MUST send
            //# a "challenge ACK" to the remote peer:
            self.challenge(env);
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# After sending the acknowledgment, TCP implementations MUST
            //# drop the unacceptable segment and stop processing further.
            self.discard(Discard::ChallengedSyn);
            return;
        }
        // Fifth: ACK.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# if the ACK bit is off, drop the segment and return
        if !segment.has(TcpFlags::ACK) {
            cold_path();
            self.discard(Discard::NoAck);
            return;
        }
        if self.state == State::SynReceived {
            if segment.ack != self.iss.plus(1) {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
                //# If the segment acknowledgment is not acceptable, form a
                //# reset segment
                self.discard(Discard::BadAck);
                self.report(News::RESET);
                return;
            }
            self.heard(env);
            self.complete_handshake(env, segment);
        } else if !self.receive_ack(env, io, segment) {
            return;
        }
        if self.close_reason.is_some() {
            return;
        }
        self.update_ts_recent(segment);
        // Sixth, seventh, eighth: URG, the text, FIN.
        self.receive_urgent(segment);
        self.receive_text(env, io, segment);
        self.receive_fin(env, segment);
    }

    /// SYN-RECEIVED, and our SYN is acknowledged.
    pub(crate) fn complete_handshake(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        let echo = segment.timestamps.map(|timestamps| timestamps.echo);
        self.measure_handshake(env, echo);
        self.establish(env);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED
        //# state and continue processing with the variables below
        //# set to:
        self.snd_wnd = u32::from(segment.window) << self.snd_shift();
        self.max_snd_wnd = self.snd_wnd;
        self.snd_wl1 = segment.seq;
        self.snd_wl2 = segment.ack;
    }

    /// The round trip of our SYN.
    pub(crate) fn measure_handshake(&mut self, env: &Env<'_>, echo: Option<u32>) {
        if ACTIVE_OPEN && self.flags.has(Flags::ACTIVE) && !self.flags.has(Flags::SYN_REPEATED) {
            self.rtt
                .sample(env.micros().wrapping_sub(self.xmit_ts), env.now_ms);
        } else if let Some(sample) = echo.and_then(|echo| self.echoed_rtt(env, echo)) {
            self.rtt.sample(sample, env.now_ms);
        }
    }

    /// A segment of this connection was accepted.
    #[inline]
    pub(crate) fn heard(&mut self, env: &Env<'_>) {
        self.last_received_ms = env.now_ms;
        if KEEPALIVE {
            self.probes = 0;
        }
    }

    /// PAWS (RFC 7323 §5): why the segment is too old, if it is.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
    //# If the PAWS algorithm is used, the following processing MUST be
    //# performed on all incoming segments for a synchronized connection.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
    //# It is important to note that the timestamp MUST be checked only when
    //# a segment first arrives at the receiver, regardless of whether it is
    //# in sequence or it must be queued for later delivery.
    fn check_timestamps(&mut self, env: &Env<'_>, segment: &Segment<'_>) -> Option<Discard> {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //# Also, PAWS processing MUST take precedence over the regular TCP
        //# acceptability check (Section 3.3 in [RFC0793]), which is performed
        //# after verification of the received Timestamps option:
        if !self.flags.has(Flags::TIMESTAMPS) || segment.has(TcpFlags::RST) {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# If a TSopt is received on a connection where TSopt was not negotiated
            //# in the initial three-way handshake, the TSopt MUST be ignored and the
            //# packet processed normally.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
            //# When an <RST> segment is
            //# received, it MUST NOT be subjected to the PAWS check by verifying an
            //# acceptable value in SEG.TSval, and information from the Timestamps
            //# option MUST NOT be used to update connection state information.
            return None;
        }
        let Some(timestamps) = segment.timestamps else {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# If a non-<RST> segment is received without a TSopt, a
            //# TCP SHOULD silently drop the segment.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# A TCP MUST NOT abort a TCP connection because any
            //# segment lacks an expected TSopt.
            return Some(Discard::Paws);
        };
        let outdated = env.now_ms.wrapping_sub(self.last_received_ms) > TS_RECENT_AGE;
        if SeqNum(timestamps.value).lt(SeqNum(self.ts_recent)) && !outdated {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
            //# Send an acknowledgment in reply as specified in Section 3.9
            //# of [RFC0793], page 69, and drop the segment.
            self.acknowledge_unacceptable(env, segment);
            return Some(Discard::Paws);
        }
        None
    }

    pub(crate) fn update_ts_recent(&mut self, segment: &Segment<'_>) {
        if !self.flags.has(Flags::TIMESTAMPS) {
            return;
        }
        if let Some(timestamps) = segment.timestamps {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
            //# If:
            //# SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent
            //# then SEG.TSval is copied to TS.Recent; otherwise, it is
            //# ignored.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# The exact rules on which TSval MUST be echoed are given in
            //# Section 4.3.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
            //# Thus,
            //# when delayed ACKs are in use, the receiver SHOULD reply with the
            //# TSval field from the earliest unacknowledged segment.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
            //# An <ACK> for an out-of-order segment
            //# SHOULD, therefore, contain the timestamp from the most recent
            //# segment that advanced RCV.NXT.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
            //# Thus, the timestamp from the
            //# latest segment (which filled the hole) MUST be echoed.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
            //# The choice of incoming timestamps to be saved for this comparison
            //# MUST guarantee a value that is monotonically non-decreasing.
            if segment.seq.le(self.last_ack_sent) {
                self.ts_recent = timestamps.value;
            }
        }
    }

    /// The acceptability test (RFC 9293 §3.4, table 5), with what appendix A.2 says of it: a
    /// segment without data may lie at the window's edge, and one octet beyond a closed window,
    /// where a peer that probes our window while we probe its window has its SND.NXT. A RST must be
    /// in the window.
    fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        let mut window = self.rcv_adv.saturating_since(self.rcv_nxt);
        let distance = segment.seq.distance(self.rcv_nxt);
        if distance < 0 {
            return (segment.seq + segment.len()).gt(self.rcv_nxt);
        }
        let distance = distance.unsigned_abs();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the RCV.WND is zero, no segments will be acceptable, but
        //# special allowance should be made to accept valid ACKs, URGs,
        //# and RSTs.
        if segment.payload.is_empty() && !segment.has(TcpFlags::RST) {
            window = window.max(1).wrapping_add(1);
        }
        distance == 0 || distance < window
    }

    fn reject(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        let old = segment.seq.lt(self.rcv_nxt);
        self.discard(if old {
            Discard::Duplicate
        } else {
            Discard::OutOfWindow
        });
        if segment.has(TcpFlags::RST) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the RST bit is set and the sequence number is outside
            //# the current receive window, silently drop the segment.
            //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
            //# In all other cases, where
            //# the SEQ-field does not match and is outside the window, the receiver
            //# MUST silently discard the segment.
            self.discard(Discard::BadRst);
            return;
        }
        if segment.has(TcpFlags::SYN) {
            self.discard(Discard::ChallengedSyn);
            self.challenge(env);
            return;
        }
        if old && !segment.payload.is_empty() {
            self.report_duplicate(segment.seq, segment.seq + segment.payload.len() as u32);
        }
        self.acknowledge_unacceptable(env, segment);
    }

    fn receive_reset(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        if segment.seq != self.rcv_nxt {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the RST bit is set and the sequence number does not
            //# exactly match the next expected sequence value, yet is
            //# within the current receive window, TCP endpoints MUST send
            //# an acknowledgment (challenge ACK):
            self.challenge(env);
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# After sending the challenge ACK, TCP endpoints MUST drop
            //# the unacceptable segment and stop processing the incoming
            //# packet further.
            //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
            //# 3) If the RST bit is set and the sequence number does not exactly
            //# match the next expected sequence value, yet is within the current
            //# receive window (RCV.NXT < SEG.SEQ < RCV.NXT+RCV.WND), TCP MUST
            //# send an acknowledgment (challenge ACK):
            //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
            //# After sending the challenge ACK, TCP MUST drop the unacceptable
            //# segment and stop processing the incoming packet further.
            self.discard(Discard::ChallengedRst);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the RST bit is set and the sequence number exactly
        //# matches the next expected sequence number (RCV.NXT), then
        //# TCP endpoints MUST reset the connection in the manner
        //# prescribed below according to the connection state.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //# 2) If the RST bit is set and the sequence number exactly matches the
        //# next expected sequence number (RCV.NXT), then TCP MUST reset the
        //# connection.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-4.2
        //# Upon receipt of a valid RST, the local TCP
        //# endpoint MUST terminate its connection.
        //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
        //# Instead, implementations SHOULD implement the following steps in
        //# place of those specified in [RFC0793] (as listed above).
        let reason = match self.state {
            State::SynReceived if ACTIVE_OPEN && self.flags.has(Flags::ACTIVE) => {
                CloseReason::Refused
            }
            // RFC 1337 §3 (F1).
            State::TimeWait => {
                self.discard(Discard::BadRst);
                return;
            }
            // Both FINs were exchanged: nothing is lost by it.
            State::Closing | State::LastAck if self.flight() <= 1 => CloseReason::Finished,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => CloseReason::PeerReset,
        };
        self.end(reason);
    }

    /// Owes the answer to an unacceptable segment: at once if it carries data or FIN, which the
    /// peer must learn of; else within the limit, so that two ends that find each other
    /// unacceptable do not answer each other for ever.
    pub(crate) fn acknowledge_unacceptable(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If an incoming segment is not acceptable, an acknowledgment
        //# should be sent in reply (unless the RST bit is set, if so
        //# drop the segment and return):
        if segment.is_empty() {
            self.challenge(env);
        } else {
            self.flags.set(Flags::ACK_NOW);
        }
    }

    /// Owes a challenge ACK, unless one was owed a moment ago (RFC 5961 §7). The limit is this
    /// connection's alone: a shared one would tell one peer of another.
    #[cold]
    #[inline(never)]
    //= https://www.rfc-editor.org/rfc/rfc5961#section-7
    //# An implementation SHOULD include an ACK throttling mechanism to be
    //# conservative.
    pub(crate) fn challenge(&mut self, env: &Env<'_>) {
        let since = env.now_ms.wrapping_sub(self.challenged_ms);
        if self.flags.has(Flags::CHALLENGED) && since < env.tunables.challenge_ack_interval {
            return;
        }
        self.flags.set(Flags::CHALLENGED.with(Flags::ACK_NOW));
        self.challenged_ms = env.now_ms;
    }

    /// The receive ring's capacity that `segment` needs in order to be stored, if its sequence
    /// number and acknowledgment are acceptable; else 0. Changes nothing: with it, memory can be
    /// found before [`Connection::receive`], and only for segments that are this connection's.
    pub fn rx_need(&self, segment: &Segment<'_>) -> usize {
        let receiving = match self.state {
            State::SynReceived | State::Established | State::FinWait1 | State::FinWait2 => true,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => false,
        };
        let flags = segment.flags;
        if ACTIVE_OPEN
            && !self.state.is_synchronized()
            && flags.contains(TcpFlags::SYN | TcpFlags::ACK)
            && segment.ack == self.snd_nxt
        {
            // Text on the SYN-ACK, of which the window of our SYN let in no more.
            return segment
                .payload
                .len()
                .min(usize::from(syn_window(self.rcv_buf)));
        }
        if !receiving
            || segment.payload.is_empty()
            || self.flags.any(Flags::READ_SHUT.with(Flags::ORPHAN))
            || !flags.contains(TcpFlags::ACK)
            || flags.intersects(TcpFlags::SYN | TcpFlags::RST)
            || !self.is_ack_acceptable(segment.ack)
            || !self.is_acceptable(segment)
        {
            return 0;
        }
        let end = (segment.seq + segment.payload.len() as u32).min(self.rcv_adv);
        match end.saturating_since(self.rcv_nxt) {
            0 => 0,
            beyond => self.rx.len.saturating_add(beyond) as usize,
        }
    }

    /// Whether a receive ring of `capacity` octets takes `segment` as it is, because its text, if
    /// any, is the next in order: then [`Connection::rx_need`] does not have to be asked.
    #[inline]
    pub fn rx_fits(&self, segment: &Segment<'_>, capacity: usize) -> bool {
        // Small machines ask always: for them the code is dearer than the time.
        if !cfg!(target_pointer_width = "64") {
            return false;
        }
        let len = segment.payload.len();
        len == 0 || (segment.seq == self.rcv_nxt && len <= self.rx.room(capacity))
    }

    /// Whether [`Connection::next`] may be `Send` now: never `false` when it would be. Cheaper than
    /// asking it.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn owes_frame(&self) -> bool {
        const OWING: Flags = Flags::SYN_OWED
            .with(Flags::ACK_NOW)
            .with(Flags::FIN_LOST)
            .with(Flags::RESET_OWED)
            .with(Flags::KEEPALIVE_OWED)
            .with(Flags::PROBE_OWED)
            .with(Flags::RETRANSMIT_NOW);
        self.flags.any(OWING)
            || self.owes_loss_probe()
            || (OUT_OF_ORDER && self.dup_acks_owed > 0)
            || self.lost > 0
            || (FAST_RETRANSMIT && self.sacked > 0)
            || (self.unsent() > 0 && self.may_send_more())
            || (self.flags.has(Flags::FIN_QUEUED) && !self.flags.has(Flags::FIN_SENT))
            || self.owes_window_update()
    }

    #[inline]
    fn owes_loss_probe(&self) -> bool {
        #[cfg(feature = "rack")]
        return self.marks.has(crate::recovery::Marks::PROBE_DUE);
        #[cfg(not(feature = "rack"))]
        false
    }

    #[inline]
    fn may_send_more(&self) -> bool {
        use crate::congestion::Controller;
        self.usable_window() > 0 && self.congestion.cwnd() > self.pipe()
    }
}

/// The part of a segment that lies behind its SYN.
pub(crate) fn without_syn<'a>(segment: &Segment<'a>) -> Segment<'a> {
    Segment {
        seq: segment.seq.plus(1),
        flags: segment.flags.without(TcpFlags::SYN),
        ..*segment
    }
}
