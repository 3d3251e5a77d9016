//! SEGMENT ARRIVES (RFC 9293 §3.10.7): the order of checks, and the fast path around them.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::recovery::Phase;
use crate::{CloseReason, Connection, Discard, Env, Io, Outcome, Segment, SeqNum, State, closed};

/// TS.Recent is outdated when nothing was received for 24 days (RFC 7323 §5.5), in milliseconds.
const TS_RECENT_AGE: u32 = 24 * 24 * 3600 * 1000;

impl Connection {
    /// A segment arrived.
    ///
    /// Several may be given before [`Connection::next`] is asked, and should be: they are then
    /// acknowledged together.
    pub fn receive(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) -> Outcome {
        let mut out = Outcome::nothing();
        if self.is_predicted(io, segment) {
            self.receive_predicted(env, io, segment, &mut out);
        } else {
            match self.state {
                State::Closed | State::Listen => out.discard = Some(Discard::Closed),
                State::SynSent => self.receive_in_syn_sent(env, io, segment, &mut out),
                State::SynReceived
                | State::Established
                | State::FinWait1
                | State::FinWait2
                | State::CloseWait
                | State::Closing
                | State::LastAck
                | State::TimeWait => self.receive_checked(env, io, segment, &mut out),
            }
        }
        out.owes_frame = self.owes_frame();
        out
    }

    /// Header prediction: whether every check of the long way would pass without effect. The
    /// segment is the next one in order, or acknowledges something new, and nothing is unusual.
    ///
    /// Small machines go the long way always: for them the code is dearer than the time.
    fn is_predicted(&self, io: &Io<'_>, segment: &Segment<'_>) -> bool {
        if !cfg!(target_pointer_width = "64") {
            return false;
        }
        #[cfg(test)]
        if self.flags.has(Flags::NO_PREDICTION) {
            return false;
        }
        const UNUSUAL: Flags = Flags::READ_SHUT
            .with(Flags::ORPHAN)
            .with(Flags::FIN_AHEAD)
            .with(Flags::PROBED);
        if self.state != State::Established
            || segment.flags.without(TcpFlags::PSH) != TcpFlags::ACK
            || segment.seq != self.rcv_nxt
            || self.flags.any(UNUSUAL)
            || self.phase != Phase::Open
            || self.range_count != 0
            || self.sacked != 0
            || segment.window == 0
            || self.snd_wnd == 0
            || !segment.options.sack.is_empty()
        {
            return false;
        }
        if self.flags.has(Flags::TIMESTAMPS) {
            match segment.options.timestamps {
                Some(timestamps) if SeqNum(timestamps.value).ge(SeqNum(self.ts_recent)) => {}
                Some(_) | None => return false,
            }
        }
        let acked = segment.ack.distance(self.snd_una);
        if acked < 0 || segment.ack.gt(self.snd_nxt) {
            return false;
        }
        let len = segment.payload.len();
        if len == 0 {
            return acked > 0;
        }
        len <= self.rcv_adv.saturating_since(self.rcv_nxt) as usize
            && len <= self.rx.room(io.rx.len())
    }

    fn receive_predicted(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        out: &mut Outcome,
    ) {
        self.heard(env);
        let echo = segment.options.timestamps.map(|timestamps| timestamps.echo);
        self.update_window(env, io, segment);
        if segment.ack != self.snd_una {
            self.advance(env, io, segment.ack, echo, out);
        }
        self.settle_persist(env);
        self.update_ts_recent(segment);
        if !segment.payload.is_empty() {
            self.receive_text(env, io, segment, out);
        }
    }

    /// The checks in the RFC's order, for SYN-RECEIVED and the synchronized states.
    fn receive_checked(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        out: &mut Outcome,
    ) {
        let trimmed;
        let mut segment = segment;
        if self.state == State::SynReceived
            && segment.has(TcpFlags::SYN)
            && segment.seq == self.irs
            && !segment.has(TcpFlags::RST)
        {
            // The peer's SYN again. With an acknowledgment it is the other half of a
            // simultaneous open (RFC 9293 figure 7); without, our SYN-ACK was lost.
            if !segment.has(TcpFlags::ACK) {
                self.flags.set(Flags::SYN_OWED);
                out.discard = Some(Discard::Duplicate);
                return;
            }
            trimmed = without_syn(segment);
            segment = &trimmed;
        }

        if let Some(why) = self.check_timestamps(env, segment) {
            out.discard = Some(why);
            return;
        }
        // First: the sequence number.
        if !self.is_acceptable(segment) {
            self.reject(env, segment, out);
            return;
        }
        // Second: RST.
        if segment.has(TcpFlags::RST) {
            self.receive_reset(env, segment, out);
            return;
        }
        // Fourth: SYN. (There is no third: security compartments are extinct.)
        if segment.has(TcpFlags::SYN) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# RFC 5961 recommends that in
            //# these synchronized states, if the SYN bit is set,
            //# irrespective of the sequence number, TCP endpoints MUST send
            //# a "challenge ACK" to the remote peer:
            self.challenge(env);
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# After sending the acknowledgment, TCP implementations MUST
            //# drop the unacceptable segment and stop processing further.
            out.discard = Some(Discard::ChallengedSyn);
            return;
        }
        // Fifth: ACK.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# if the ACK bit is off, drop the segment and return
        if !segment.has(TcpFlags::ACK) {
            out.discard = Some(Discard::NoAck);
            return;
        }
        if self.state == State::SynReceived {
            if segment.ack != self.iss.plus(1) {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
                //# If the segment acknowledgment is not acceptable, form a
                //# reset segment
                out.discard = Some(Discard::BadAck);
                out.reset = closed::reset_for(segment);
                return;
            }
            self.heard(env);
            self.complete_handshake(env, segment, out);
        } else if !self.receive_ack(env, io, segment, out) {
            return;
        }
        if out.end.is_some() {
            return;
        }
        self.update_ts_recent(segment);
        // Sixth, seventh, eighth: URG, the text, FIN.
        self.receive_urgent(segment, out);
        self.receive_text(env, io, segment, out);
        self.receive_fin(env, segment, out);
    }

    /// SYN-RECEIVED, and our SYN is acknowledged.
    fn complete_handshake(&mut self, env: &Env<'_>, segment: &Segment<'_>, out: &mut Outcome) {
        let echo = segment.options.timestamps.map(|timestamps| timestamps.echo);
        self.measure_handshake(env, echo);
        self.establish(env, out);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED
        //# state and continue processing with the variables below
        //# set to:
        self.snd_wnd = u32::from(segment.window) << self.snd_wscale;
        self.max_snd_wnd = self.snd_wnd;
        self.snd_wl1 = segment.seq;
        self.snd_wl2 = segment.ack;
    }

    /// The round trip of our SYN.
    pub(crate) fn measure_handshake(&mut self, env: &Env<'_>, echo: Option<u32>) {
        if self.flags.has(Flags::ACTIVE) && !self.flags.has(Flags::SYN_REPEATED) {
            self.rtt.sample(env.now.micros_since(self.una_since));
        } else if let Some(sample) = echo.and_then(|echo| self.echoed_rtt(env, echo)) {
            self.rtt.sample(sample);
        }
    }

    /// A segment of this connection was accepted.
    #[inline]
    pub(crate) fn heard(&mut self, env: &Env<'_>) {
        self.last_received_ms = env.now_ms;
        self.probes = 0;
    }

    /// PAWS (RFC 7323 §5): why the segment is too old, if it is.
    fn check_timestamps(&mut self, env: &Env<'_>, segment: &Segment<'_>) -> Option<Discard> {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.3
        //# Also, PAWS processing MUST take precedence over the regular TCP
        //# acceptability check (Section 3.3 in [RFC0793]), which is performed
        //# after verification of the received Timestamps option:
        if !self.flags.has(Flags::TIMESTAMPS) || segment.has(TcpFlags::RST) {
            return None;
        }
        let Some(timestamps) = segment.options.timestamps else {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# If a non-<RST> segment is received without a TSopt, a
            //# TCP SHOULD silently drop the segment.
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

    fn update_ts_recent(&mut self, segment: &Segment<'_>) {
        if !self.flags.has(Flags::TIMESTAMPS) {
            return;
        }
        if let Some(timestamps) = segment.options.timestamps {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-4.3
            //# If:
            //# SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent
            //# then SEG.TSval is copied to TS.Recent; otherwise, it is
            //# ignored.
            if segment.seq.le(self.last_ack_sent) {
                self.ts_recent = timestamps.value;
            }
        }
    }

    /// The acceptability test (RFC 9293 §3.4, table 5), with what appendix A.2 says of it: a
    /// segment without data may lie at the window's edge, and one octet beyond a closed window,
    /// where a peer that probes our window while we probe its window has its SND.NXT.
    fn is_acceptable(&self, segment: &Segment<'_>) -> bool {
        let window = self.rcv_adv.saturating_since(self.rcv_nxt);
        let distance = segment.seq.distance(self.rcv_nxt);
        if distance < 0 {
            return (segment.seq + segment.len()).gt(self.rcv_nxt);
        }
        let distance = distance.unsigned_abs();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the RCV.WND is zero, no segments will be acceptable, but
        //# special allowance should be made to accept valid ACKs, URGs,
        //# and RSTs.
        if distance == 0 {
            true
        } else if segment.payload.is_empty() {
            distance <= window.max(1)
        } else {
            distance < window
        }
    }

    fn reject(&mut self, env: &Env<'_>, segment: &Segment<'_>, out: &mut Outcome) {
        let old = segment.seq.lt(self.rcv_nxt);
        out.discard = Some(if old {
            Discard::Duplicate
        } else {
            Discard::OutOfWindow
        });
        if segment.has(TcpFlags::RST) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the RST bit is set and the sequence number is outside
            //# the current receive window, silently drop the segment.
            out.discard = Some(Discard::BadRst);
            return;
        }
        if segment.has(TcpFlags::SYN) {
            out.discard = Some(Discard::ChallengedSyn);
            self.challenge(env);
            return;
        }
        if old && !segment.payload.is_empty() {
            self.report_duplicate(segment.seq, segment.seq + segment.payload.len() as u32);
        }
        self.acknowledge_unacceptable(env, segment);
    }

    fn receive_reset(&mut self, env: &Env<'_>, segment: &Segment<'_>, out: &mut Outcome) {
        if segment.seq != self.rcv_nxt {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If the RST bit is set and the sequence number does not
            //# exactly match the next expected sequence value, yet is
            //# within the current receive window, TCP endpoints MUST send
            //# an acknowledgment (challenge ACK):
            self.challenge(env);
            out.discard = Some(Discard::ChallengedRst);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the RST bit is set and the sequence number exactly
        //# matches the next expected sequence number (RCV.NXT), then
        //# TCP endpoints MUST reset the connection in the manner
        //# prescribed below according to the connection state.
        let reason = match self.state {
            State::SynReceived if self.flags.has(Flags::ACTIVE) => CloseReason::Refused,
            // RFC 1337 §3 (F1).
            State::TimeWait => {
                out.discard = Some(Discard::BadRst);
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
        self.end(reason, out);
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
    pub(crate) fn challenge(&mut self, env: &Env<'_>) {
        let since = env.now_ms.wrapping_sub(self.challenged_ms);
        if self.flags.has(Flags::CHALLENGED) && since < env.tunables.challenge_ack_interval / 1_000
        {
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
        if let (true, Some(timestamps)) = (
            self.flags.has(Flags::TIMESTAMPS),
            segment.options.timestamps,
        ) {
            if SeqNum(timestamps.value).lt(SeqNum(self.ts_recent)) {
                return 0;
            }
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

    /// Whether [`Connection::next`] may be `Send` now: never `false` when it would be.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn owes_frame(&self) -> bool {
        const OWING: Flags = Flags::SYN_OWED
            .with(Flags::ACK_NOW)
            .with(Flags::FIN_LOST)
            .with(Flags::RESET_OWED)
            .with(Flags::KEEPALIVE_OWED)
            .with(Flags::PROBE_OWED)
            .with(Flags::RETRANSMIT_NOW);
        self.flags.any(OWING)
            || self.dup_acks_owed > 0
            || self.lost > 0
            || self.sacked > 0
            || (self.unsent() > 0 && self.may_send_more())
            || (self.flags.has(Flags::FIN_QUEUED) && !self.flags.has(Flags::FIN_SENT))
            || self.owes_window_update()
    }

    #[inline]
    fn may_send_more(&self) -> bool {
        use crate::congestion::Controller;
        self.usable_window() > 0 && self.congestion.cwnd() > self.pipe()
    }

    /// When something happens without anything from outside: the least of all deadlines.
    /// [`Connection::next`] says the same when it waits.
    pub fn deadline(&self, env: &Env<'_>) -> Option<Instant> {
        self.earliest(env)
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
