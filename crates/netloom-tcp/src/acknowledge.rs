//! The fifth step: what an acknowledgment does to the sender's side.

#[cfg(feature = "fast-retransmit")]
use netloom_wire::TcpFlags;

use crate::flags::Flags;
#[cfg(feature = "fast-retransmit")]
use crate::records::SACKED;
use crate::recovery::NewAck;
#[cfg(feature = "rack")]
use crate::recovery::{Marks, Phase};
use crate::{CloseReason, Connection, Discard, Env, Io, News, Segment, SeqNum, State};

/// No echoed timestamp is believed to be older, in milliseconds.
pub(crate) const LONGEST_ECHO: u32 = 1 << 18;

/// What the millisecond clock may be off by, in microseconds.
const CLOCK_TICK: u32 = 1_000;

impl Connection {
    /// RFC 9293 §3.10.7.4, with RFC 5961 §5: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
    pub(crate) fn is_ack_acceptable(&self, ack: SeqNum) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# TCP stacks that implement RFC
        //# 5961 MUST add an input check that the ACK value is
        //# acceptable only if it is in the range of ((SND.UNA -
        //# MAX.SND.WND) =< SEG.ACK =< SND.NXT).
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() && ack.le(self.iss) {
            // Before our SYN there was nothing to be acknowledged.
            return false;
        }
        let limit = self.snd_nxt.plus(u32::from(self.flags.has(Flags::PROBED)));
        let oldest = self.max_snd_wnd.min(i32::MAX as u32);
        //= https://www.rfc-editor.org/rfc/rfc5961#section-5.2
        //# TCP stacks
        //# that implement this mitigation MUST add an additional input check to
        //# any incoming segment.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# o  RFC 5961 [9], Section 5 describes a potential blind data
        //# injection attack, and mitigation that implementations MAY
        //# choose to include (MAY-12).
        ack.le(limit) && ack.ge(self.snd_una.minus(oldest))
    }

    /// Processes the ACK field in a synchronized state. `false`: the segment is to be dropped.
    pub(crate) fn receive_ack(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
    ) -> bool {
        let ack = segment.ack;
        //= https://www.rfc-editor.org/rfc/rfc5961#section-5.2
        //# All incoming segments whose ACK value doesn't satisfy the
        //# above condition MUST be discarded and an ACK sent back.
        if !self.is_ack_acceptable(ack) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# All incoming segments
            //# whose ACK value doesn't satisfy the above condition MUST be
            //# discarded and an ACK sent back.
            self.challenge(env);
            self.discard(Discard::BadAck);
            return false;
        }
        self.heard(env);
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() {
            self.confirm(io);
        }
        if ack.gt(self.snd_nxt) {
            // The peer took the octet of a zero-window probe: it counts as sent from now on.
            self.snd_nxt = ack;
        }
        #[cfg(feature = "fast-retransmit")]
        let repeats = self.is_duplicate(segment);
        #[cfg(feature = "rack")]
        let held = self.receive_echo(segment);
        #[cfg(feature = "rack")]
        let before = self.before_ack(io);
        #[cfg(feature = "bbr")]
        self.watch_ack_begin(io, segment);
        #[cfg(feature = "rack")]
        if ack.gt(self.snd_una) && (self.phase != Phase::Open || self.sacked > 0) {
            self.records_delivered(env, io, segment);
        }
        #[cfg(feature = "fast-retransmit")]
        let sacked_more = self.receive_sack(env, io, segment);
        if ack.ge(self.snd_una) {
            self.update_window(env, io, segment);
        }
        let new = ack.gt(self.snd_una);
        if new {
            let echo = segment.timestamps.map(|timestamps| timestamps.echo);
            self.advance(env, io, ack, echo);
        }
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# Note that a sender using SACK [RFC2018] MUST NOT send
        //# new data unless the incoming duplicate acknowledgment contains
        //# new SACK information.
        #[cfg(feature = "fast-retransmit")]
        if !new && (sacked_more || repeats) {
            self.on_duplicate_ack(env, io);
        }
        #[cfg(feature = "rack")]
        let by_time = self.rack_after_ack(env, io, segment, &before);
        #[cfg(all(feature = "fast-retransmit", not(feature = "rack")))]
        let by_time = false;
        #[cfg(feature = "fast-retransmit")]
        if sacked_more && !by_time {
            self.detect_loss(env, io);
        }
        #[cfg(feature = "rack")]
        self.hold(env, held);
        #[cfg(feature = "bbr")]
        self.watch_ack_end(env, io, &before);
        self.settle_persist(env);
        if self.fin_acked() {
            self.on_fin_acked(env);
        }
        true
    }

    #[cfg(feature = "fast-retransmit")]
    /// RFC 5681 §2: whether the segment is a duplicate acknowledgment, for a peer without SACK.
    /// With a closed window it answers a probe.
    fn is_duplicate(&self, segment: &Segment<'_>) -> bool {
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() {
            // It is the first to acknowledge our SYN-ACK.
            return false;
        }
        segment.ack == self.snd_una
            && self.flight() > 0
            && segment.payload.is_empty()
            && segment.window != 0
            && !segment.has(TcpFlags::FIN)
            && u32::from(segment.window) << self.snd_shift() == self.snd_wnd
            && !self.flags.has(Flags::SACK)
    }

    /// Takes over the peer's window, unless the segment is older than the one that set it.
    pub(crate) fn update_window(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If SND.UNA =< SEG.ACK =< SND.NXT, the send window should
        //# be updated.  If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ
        //# and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND, set
        //# SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK.
        // A segment that acknowledges more is newer too, even if it is a retransmission: without
        // its window the one before would count from what it acknowledges.
        let newer = self.snd_wl1.lt(segment.seq)
            || (self.snd_wl1 == segment.seq && self.snd_wl2.le(segment.ack))
            || self.snd_wl2.lt(segment.ack);
        if newer {
            let before = self.snd_wnd;
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
            //# A Window Scale option in a segment
            //# without a SYN bit MUST be ignored.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
            //# o  The window field (SEG.WND) in the header of every incoming
            //# segment, with the exception of <SYN> segments, MUST be left-
            //# shifted by Snd.Wind.Shift bits before updating SND.WND:
            self.snd_wnd = u32::from(segment.window) << self.snd_shift();
            self.max_snd_wnd = self.max_snd_wnd.max(self.snd_wnd);
            self.snd_wl1 = segment.seq;
            self.snd_wl2 = segment.ack;
            if before == 0 && self.snd_wnd > 0 {
                self.on_window_opened(env, io);
            }
        }
        if self.snd_wnd == 0 {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
            //# As long as the receiving TCP peer continues to
            //# send acknowledgments in response to the probe segments, the sending
            //# TCP peer MUST allow the connection to stay open (MUST-37).
            // Time counts again from the next probe on.
            self.una_since = 0;
        }
    }

    /// SND.UNA moves up to `ack`, which lies in (SND.UNA, SND.NXT].
    pub(crate) fn advance(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        ack: SeqNum,
        echo: Option<u32>,
    ) {
        let flight = self.flight();
        let octets = ack.since(self.snd_una);
        let fin = self.flags.has(Flags::FIN_SENT) && ack == self.snd_nxt;
        let data = octets.saturating_sub(u32::from(fin));
        #[cfg(feature = "fast-retransmit")]
        let unit = self.largest_acknowledged(io, ack);
        let sample = self.drop_acknowledged(env, io, ack, echo);
        self.snd_una = ack;
        self.retire_urgent_out();
        self.rtx_nxt = self.rtx_nxt.max(ack);
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# Note: SACK information is advisory and therefore SACKed data MUST NOT
        //# be removed from the TCP's retransmission buffer until the data is
        //# cumulatively acknowledged [RFC2018].
        self.tx.consume(io.tx.len(), data);
        self.tx.rewind();

        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.1
        //# The RTO MUST be computed according to the algorithm in [10],
        //# including Karn's algorithm for taking RTT samples (MUST-18).
        if let Some(sample) = sample {
            self.rtt.sample(sample, env.now_ms);
            #[cfg(feature = "rack")]
            self.measured(sample);
            // RFC 6298 §5: the timeout stays backed off until a round trip is measured.
            //= https://www.rfc-editor.org/rfc/rfc8961#section-4
            //# The backoff SHOULD be removed after
            //# either (a) the subsequent successful transmission of non-
            //# retransmitted data, or (b) an RTO passes without detecting
            //# additional losses.
            self.backoff = 0;
        }
        self.retries = 0;
        self.flags.clear(Flags::PROBED);
        let ack = NewAck {
            octets,
            flight,
            #[cfg(feature = "fast-retransmit")]
            unit,
            #[cfg(feature = "cubic")]
            rtt: sample.unwrap_or(0),
        };
        self.on_new_ack(env, io, &ack);
        if self.flight() > 0 {
            self.una_since = env.now_ms.max(1);
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# When an ACK is received that acknowledges new data, restart the
            //# retransmission timer so that it will expire after RTO seconds
            //# (for the current value of RTO).
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# An implementation MUST manage the retransmission timer(s) in such a
            //# way that a segment is never retransmitted too early, i.e., less than
            //# one RTO after the previous transmission of that segment.
            #[cfg(feature = "rack")]
            self.arm_probe(env);
            #[cfg(not(feature = "rack"))]
            self.arm_retransmission(env);
        } else {
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# When all outstanding data has been acknowledged, turn off the
            //# retransmission timer.
            self.una_since = 0;
            self.rtx_deadline = 0;
            #[cfg(feature = "rack")]
            self.marks.clear(Marks::TIMERS);
        }
        self.report(News::PATH_CONFIRMED);
        if data > 0 {
            self.report(News::WRITABLE);
        }
    }

    #[cfg(feature = "fast-retransmit")]
    /// The octets of the largest record that `ack` covers.
    fn largest_acknowledged(&self, io: &Io<'_>, ack: SeqNum) -> u32 {
        let mut start = self.snd_una;
        let mut largest = 0;
        for record in self.records.live(io.records) {
            if record.end.gt(ack) {
                break;
            }
            largest = largest.max(record.end.since(start));
            start = record.end;
        }
        largest
    }

    #[cfg(feature = "fast-retransmit")]
    /// Removes the records `ack` covers; returns a round-trip time if they give one.
    fn drop_acknowledged(
        &mut self,
        env: &Env<'_>,
        io: &Io<'_>,
        ack: SeqNum,
        echo: Option<u32>,
    ) -> Option<u32> {
        let mut start = self.snd_una;
        let mut sample = None;
        // How long ago the newest retransmission among what is acknowledged was sent.
        let mut retransmitted: Option<u32> = None;
        let mut done = 0;
        for record in self.records.live(io.records) {
            let end = record.end.min(ack);
            let octets = end.saturating_since(start);
            if record.is(SACKED) {
                self.sacked = self.sacked.saturating_sub(octets);
            } else {
                self.delivered = self.delivered.wrapping_add(octets);
            }
            //= https://www.rfc-editor.org/rfc/rfc6298#section-3
            //# RTT samples MUST NOT be made using segments that were
            //# retransmitted (and thus for which it is ambiguous whether the reply
            //# was for the first instance of the packet or a later instance).
            let age = env.micros().wrapping_sub(record.sent);
            //= https://www.rfc-editor.org/rfc/rfc6298#section-3
            //# TCP MUST use Karn's algorithm [KP87] for taking RTT samples.
            //= https://www.rfc-editor.org/rfc/rfc8961#section-4
            //# (d)  An RTO mechanism MUST NOT use ambiguous FT samples.
            if record.retransmissions > 0 {
                retransmitted = Some(retransmitted.map_or(age, |newest| newest.min(age)));
            }
            if record.end.gt(ack) {
                break;
            }
            if retransmitted.is_none() && !record.is(SACKED) && record.is_timed() {
                //= https://www.rfc-editor.org/rfc/rfc6298#section-3
                //# A TCP implementation MUST take at
                //# least one RTT measurement per RTT (unless that is not possible per
                //# Karn's algorithm).
                //= https://www.rfc-editor.org/rfc/rfc8961#section-4
                //# (b)  FT observations SHOULD be taken and incorporated into the
                //# RTO at least once per RTT or as frequently as data is
                //# exchanged in cases where that happens less frequently than
                //# once per RTT.
                sample = Some(age);
            }
            start = end;
            done = u16::saturating_add(done, 1);
        }
        self.records.drop_front(done);
        if let Some(age) = retransmitted {
            // A timestamp tells the first instance from a later one (RFC 7323 §4): if the echo
            // is older than the retransmission, all arrived before it and only the
            // acknowledgment was lost. That is no round trip but a timeout's length, and
            // measuring it would lengthen the next timeout by as much.
            sample = echo
                .and_then(|echo| self.echoed_rtt(env, echo))
                .filter(|sample| *sample <= age.saturating_add(CLOCK_TICK));
        }
        sample
    }

    /// The round trip that an echoed timestamp tells, in microseconds.
    pub(crate) fn echoed_rtt(&self, env: &Env<'_>, echo: u32) -> Option<u32> {
        if !self.flags.has(Flags::TIMESTAMPS) {
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc7323#section-4.1
        //# Values of this
        //# clock MUST be at least approximately proportional to real time, in
        //# order to measure actual RTT.
        let elapsed = env.now_ms.wrapping_add(self.ts_offset).wrapping_sub(echo);
        (elapsed < LONGEST_ECHO).then(|| elapsed.max(1).saturating_mul(1_000))
    }

    /// Our FIN is acknowledged.
    #[inline]
    pub(crate) fn on_fin_acked(&mut self, env: &Env<'_>) {
        match self.state {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# In addition to the processing for the ESTABLISHED state,
            //# if the FIN segment is now acknowledged, then enter FIN-
            //# WAIT-2 and continue processing in that state.
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.report(News::SEND_FINISHED);
                self.start_fin_wait_2(env);
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# In addition to the processing for the ESTABLISHED state,
            //# if the ACK acknowledges our FIN, then enter the TIME-WAIT
            //# state; otherwise, ignore the segment.
            State::Closing => {
                self.report(News::SEND_FINISHED);
                self.enter_time_wait();
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If our FIN is now
            //# acknowledged, delete the TCB, enter the CLOSED state, and
            //# return.
            State::LastAck => {
                self.report(News::SEND_FINISHED);
                self.end(CloseReason::Finished);
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait2
            | State::CloseWait
            | State::TimeWait => {}
        }
    }
}
