//! The fifth step: what an acknowledgment does to the sender's side.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::records::SACKED;
use crate::recovery::NewAck;
use crate::{CloseReason, Connection, Discard, Env, Io, News, Outcome, Segment, SeqNum, State};

/// No echoed timestamp is believed to be older, in milliseconds.
const LONGEST_ECHO: u32 = 1 << 18;

/// What the millisecond clock may be off by, in microseconds.
const CLOCK_TICK: u64 = 1_000;

impl Connection {
    /// RFC 9293 §3.10.7.4, with RFC 5961 §5: SND.UNA - MAX.SND.WND =< SEG.ACK =< SND.NXT.
    pub(crate) fn is_ack_acceptable(&self, ack: SeqNum) -> bool {
        let limit = self.snd_nxt.plus(u32::from(self.flags.has(Flags::PROBED)));
        let oldest = self.max_snd_wnd.min(i32::MAX as u32);
        ack.le(limit) && ack.ge(self.snd_una.minus(oldest))
    }

    /// Processes the ACK field in a synchronized state. `false`: the segment is to be dropped.
    pub(crate) fn receive_ack(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        out: &mut Outcome,
    ) -> bool {
        let ack = segment.ack;
        if !self.is_ack_acceptable(ack) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# All incoming segments
            //# whose ACK value doesn't satisfy the above condition MUST be
            //# discarded and an ACK sent back.
            self.challenge(env);
            out.discard = Some(Discard::BadAck);
            return false;
        }
        self.heard(env);
        if ack.gt(self.snd_nxt) {
            // The peer took the octet of a zero-window probe: it counts as sent from now on.
            self.snd_nxt = ack;
        }
        let repeats = self.is_duplicate(segment);
        let sacked_more = self.receive_sack(io, segment);
        if ack.ge(self.snd_una) {
            self.update_window(env, io, segment);
        }
        let new = ack.gt(self.snd_una);
        if new {
            let echo = segment.options.timestamps.map(|timestamps| timestamps.echo);
            self.advance(env, io, ack, echo, out);
        } else if sacked_more || repeats {
            self.on_duplicate_ack(env, io);
        }
        if sacked_more {
            self.detect_loss(env, io);
        }
        self.settle_persist(env);
        if self.fin_acked() {
            self.on_fin_acked(env, out);
        }
        true
    }

    /// RFC 5681 §2: whether the segment is a duplicate acknowledgment, for a peer without SACK.
    /// With a closed window it answers a probe.
    fn is_duplicate(&self, segment: &Segment<'_>) -> bool {
        segment.ack == self.snd_una
            && self.flight() > 0
            && segment.payload.is_empty()
            && segment.window != 0
            && !segment.has(TcpFlags::FIN)
            && u32::from(segment.window) << self.snd_wscale == self.snd_wnd
            && !self.flags.has(Flags::SACK)
    }

    /// Takes over the peer's window, unless the segment is older than the one that set it.
    pub(crate) fn update_window(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If SND.UNA =< SEG.ACK =< SND.NXT, the send window should
        //# be updated.  If (SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ
        //# and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND, set
        //# SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK.
        let newer = self.snd_wl1.lt(segment.seq)
            || (self.snd_wl1 == segment.seq && self.snd_wl2.le(segment.ack));
        if newer {
            let before = self.snd_wnd;
            self.snd_wnd = u32::from(segment.window) << self.snd_wscale;
            self.max_snd_wnd = self.max_snd_wnd.max(self.snd_wnd);
            self.snd_wl1 = segment.seq;
            self.snd_wl2 = segment.ack;
            if before == 0 && self.snd_wnd > 0 {
                self.on_window_opened(env, io);
            }
        }
        if self.snd_wnd == 0 && self.una_since != Instant::ZERO {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
            //# As long as the receiving TCP peer continues to
            //# send acknowledgments in response to the probe segments, the sending
            //# TCP peer MUST allow the connection to stay open (MUST-37).
            self.una_since = env.now;
        }
    }

    /// SND.UNA moves up to `ack`, which lies in (SND.UNA, SND.NXT].
    pub(crate) fn advance(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        ack: SeqNum,
        echo: Option<u32>,
        out: &mut Outcome,
    ) {
        let flight = self.flight();
        let octets = ack.since(self.snd_una);
        let fin = self.flags.has(Flags::FIN_SENT) && ack == self.snd_nxt;
        let data = octets.saturating_sub(u32::from(fin));
        let sample = self.drop_acknowledged(env, io, ack, echo);
        self.snd_una = ack;
        self.rtx_nxt = self.rtx_nxt.max(ack);
        self.tx.consume(io.tx.len(), data);

        if let Some(sample) = sample {
            self.rtt.sample(sample);
            // RFC 6298 §5: the timeout stays backed off until a round trip is measured.
            self.backoff = 0;
        }
        self.retries = 0;
        self.flags.clear(Flags::PROBED);
        self.on_new_ack(env, io, &NewAck { octets, flight });
        if self.flight() > 0 {
            self.una_since = env.now;
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# When an ACK is received that acknowledges new data, restart the
            //# retransmission timer so that it will expire after RTO seconds
            //# (for the current value of RTO).
            self.arm_retransmission(env);
        } else {
            //= https://www.rfc-editor.org/rfc/rfc6298#section-5
            //# When all outstanding data has been acknowledged, turn off the
            //# retransmission timer.
            self.una_since = Instant::ZERO;
            self.rtx_deadline = Instant::ZERO;
        }
        out.news.insert(News::PATH_CONFIRMED);
        if data > 0 {
            out.news.insert(News::WRITABLE);
        }
    }

    /// Removes the records `ack` covers; returns a round-trip time if they give one.
    fn drop_acknowledged(
        &mut self,
        env: &Env<'_>,
        io: &Io<'_>,
        ack: SeqNum,
        echo: Option<u32>,
    ) -> Option<u64> {
        let mut start = self.snd_una;
        let mut sample = None;
        // How long ago the newest retransmission among what is acknowledged was sent.
        let mut retransmitted: Option<u64> = None;
        while let Some(record) = self.records.get(io.records, 0) {
            let done = record.end.le(ack);
            let end = if done { record.end } else { ack };
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
            if record.retransmissions > 0 {
                let age = record.age(env.now);
                retransmitted = Some(retransmitted.map_or(age, |newest| newest.min(age)));
            }
            if !done {
                break;
            }
            if retransmitted.is_none() && !record.is(SACKED) {
                sample = Some(record.age(env.now));
            }
            start = record.end;
            self.records.pop_front(io.records);
        }
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
    pub(crate) fn echoed_rtt(&self, env: &Env<'_>, echo: u32) -> Option<u64> {
        if !self.flags.has(Flags::TIMESTAMPS) {
            return None;
        }
        let elapsed = env.now_ms.wrapping_add(self.ts_offset).wrapping_sub(echo);
        (elapsed < LONGEST_ECHO).then(|| u64::from(elapsed.max(1)).saturating_mul(1_000))
    }

    /// Our FIN is acknowledged.
    fn on_fin_acked(&mut self, env: &Env<'_>, out: &mut Outcome) {
        match self.state {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# In addition to the processing for the ESTABLISHED state,
            //# if the FIN segment is now acknowledged, then enter FIN-
            //# WAIT-2 and continue processing in that state.
            State::FinWait1 => {
                self.state = State::FinWait2;
                out.news.insert(News::SEND_FINISHED);
                self.start_fin_wait_2(env);
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# In addition to the processing for the ESTABLISHED state,
            //# if the ACK acknowledges our FIN, then enter the TIME-WAIT
            //# state; otherwise, ignore the segment.
            State::Closing => {
                out.news.insert(News::SEND_FINISHED);
                self.enter_time_wait(out);
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If our FIN is now
            //# acknowledged, delete the TCB, enter the CLOSED state, and
            //# return.
            State::LastAck => {
                out.news.insert(News::SEND_FINISHED);
                self.end(CloseReason::Finished, out);
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
