//! The sixth, seventh and eighth step: URG, the text, FIN. In order, out of order, twice, or
//! too much.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::ranges::{self, Insert};
use crate::{CloseReason, Connection, Discard, Env, Io, News, Outcome, Segment, SeqNum, State};

/// Duplicate acknowledgments owed at most: more tell a sender nothing.
const MOST_DUPLICATE_ACKS: u8 = 32;

/// A stretch of text after trimming.
struct Text<'a> {
    seq: SeqNum,
    data: &'a [u8],
}

impl Connection {
    /// Whether the peer may still send text and FIN.
    pub(crate) fn is_receiving(&self) -> bool {
        match self.state {
            State::Established | State::FinWait1 | State::FinWait2 => true,
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => false,
        }
    }

    /// URG: moves RCV.UP and nothing else, whatever the pointer says.
    pub(crate) fn receive_urgent(&mut self, segment: &Segment<'_>, out: &mut Outcome) {
        if !segment.has(TcpFlags::URG) || !self.is_receiving() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //# The urgent pointer MUST point to the sequence number of the octet
        //# following the urgent data (MUST-62).
        let pointer = segment.seq + u32::from(segment.urgent);
        let unread = self.rcv_nxt.minus(self.rx.len);
        let advances = if self.flags.has(Flags::URGENT_IN) && self.rcv_up.gt(unread) {
            pointer.gt(self.rcv_up)
        } else {
            pointer.gt(unread)
        };
        if advances {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
            //# A TCP implementation MUST (MUST-32) inform the application layer
            //# asynchronously whenever it receives an urgent pointer and there was
            //# previously no pending urgent data, or whenever the urgent pointer
            //# advances in the data stream.
            self.rcv_up = pointer;
            self.flags.set(Flags::URGENT_IN);
            out.news.insert(News::URGENT);
        }
    }

    /// The text.
    pub(crate) fn receive_text(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
        out: &mut Outcome,
    ) {
        if segment.payload.is_empty() {
            return;
        }
        if !self.is_receiving() {
            out.discard = Some(Discard::AfterFin);
            return;
        }
        let text = Text {
            seq: segment.seq,
            data: segment.payload,
        };
        let Some(text) = self.trim(text, out) else {
            return;
        };
        if self.flags.has(Flags::ORPHAN) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
            //# If such a host issues a CLOSE call while received data is still
            //# pending in the TCP connection, or if new data is received after CLOSE
            //# is called, its TCP implementation SHOULD send a RST to show that data
            //# was lost (SHLD-3).
            self.reset(CloseReason::DataAfterClose);
            out.discard = Some(Discard::AfterFin);
            return;
        }
        let Some(text) = self.fit(io, text, out) else {
            return;
        };
        self.measure_peer(segment);
        if text.seq == self.rcv_nxt {
            self.accept_in_order(env, io, &text, segment.count, out);
        } else {
            self.accept_out_of_order(io, &text, segment.count, out);
        }
    }

    /// Cuts off what was received before, what lies beyond the peer's FIN, and what lies beyond
    /// the window.
    fn trim<'a>(&mut self, text: Text<'a>, out: &mut Outcome) -> Option<Text<'a>> {
        let Text { mut seq, mut data } = text;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If a segment's
        //# contents straddle the boundary between old and new, only the
        //# new parts are processed.
        let old = self.rcv_nxt.saturating_since(seq) as usize;
        if old > 0 {
            let known = old.min(data.len());
            self.report_duplicate(seq, seq + known as u32);
            self.flags.set(Flags::ACK_NOW);
            data = data.get(known..).unwrap_or(&[]);
            if data.is_empty() {
                out.discard = Some(Discard::Duplicate);
                return None;
            }
            seq = self.rcv_nxt;
        }
        let mut edge = self.rcv_adv;
        let mut why = Discard::WindowFull;
        if self.flags.has(Flags::FIN_AHEAD) && self.rcv_fin.lt(edge) {
            edge = self.rcv_fin;
            why = Discard::AfterFin;
        }
        let room = edge.saturating_since(seq) as usize;
        self.clip(Text { seq, data }, room, why, out)
    }

    /// Cuts off what the ring has no memory for.
    fn fit<'a>(&mut self, io: &Io<'_>, text: Text<'a>, out: &mut Outcome) -> Option<Text<'a>> {
        if self.flags.has(Flags::READ_SHUT) {
            return Some(text);
        }
        let before = text.seq.since(self.rcv_nxt) as usize;
        let room = self.rx.room(io.rx.len()).saturating_sub(before);
        self.clip(text, room, Discard::NoMemory, out)
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn clip<'a>(
        &mut self,
        text: Text<'a>,
        room: usize,
        why: Discard,
        out: &mut Outcome,
    ) -> Option<Text<'a>> {
        let Text { seq, data } = text;
        if data.len() <= room {
            return Some(Text { seq, data });
        }
        out.discard = Some(why);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
        //# When the receiving TCP peer has a zero window and a segment arrives,
        //# it must still send an acknowledgment showing its next expected
        //# sequence number and current window (zero).
        self.flags.set(Flags::ACK_NOW);
        let data = data.get(..room).unwrap_or(&[]);
        (!data.is_empty()).then_some(Text { seq, data })
    }

    /// Remembers how large the peer's segments are.
    fn measure_peer(&mut self, segment: &Segment<'_>) {
        let mut size = segment.payload.len() as u32;
        if segment.count > 1 {
            size = size.wrapping_div(u32::from(segment.count));
        }
        if size > u32::from(self.rcv_mss) {
            self.rcv_mss = size.min(u32::from(self.our_mss)).max(1) as u16;
        }
    }

    fn accept_in_order(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        text: &Text<'_>,
        count: u16,
        out: &mut Outcome,
    ) {
        let len = text.data.len() as u32;
        let discards = self.flags.has(Flags::READ_SHUT);
        if !discards {
            self.rx.place(io.rx, self.rx.len as usize, text.data);
        }
        let mut reached = self.rcv_nxt + len;
        if self.range_count > 0 {
            reached = ranges::absorb(io.ranges, &mut self.range_count, reached);
            // RFC 5681 §4.2: at once, when a segment fills all or part of a gap.
            self.flags.set(Flags::ACK_NOW);
        }
        if discards {
            out.discard = Some(Discard::ReadShutDown);
        } else {
            self.rx.len = self.rx.len.wrapping_add(reached.since(self.rcv_nxt));
            out.news.insert(News::READABLE);
        }
        self.rcv_nxt = reached;
        self.schedule_ack(env, count);
    }

    fn accept_out_of_order(
        &mut self,
        io: &mut Io<'_>,
        text: &Text<'_>,
        count: u16,
        out: &mut Outcome,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# Segments with higher
        //# beginning sequence numbers SHOULD be held for later
        //# processing (SHLD-31).
        let end = text.seq + text.data.len() as u32;
        let first = self.range_count == 0;
        match ranges::insert(io.ranges, &mut self.range_count, text.seq, end) {
            Insert::Done => {
                self.rcv_high = if first { end } else { self.rcv_high.max(end) };
                if !self.flags.has(Flags::READ_SHUT) {
                    let before = text.seq.since(self.rcv_nxt).wrapping_add(self.rx.len);
                    self.rx.place(io.rx, before as usize, text.data);
                }
            }
            Insert::Known => {
                self.report_duplicate(text.seq, end);
                out.discard = Some(Discard::Duplicate);
            }
            Insert::Full => out.discard = Some(Discard::RangesFull),
        }
        // RFC 5681 §4.2: an immediate duplicate ACK; one for each segment where no SACK tells
        // the peer how many arrived.
        if self.flags.has(Flags::SACK) {
            self.flags.set(Flags::ACK_NOW);
        } else {
            let owed = u16::from(self.dup_acks_owed).saturating_add(count.max(1));
            self.dup_acks_owed = owed.min(u16::from(MOST_DUPLICATE_ACKS)) as u8;
        }
    }

    /// FIN: takes effect at RCV.NXT only, once; one that is beyond a gap is remembered.
    pub(crate) fn receive_fin(&mut self, env: &Env<'_>, segment: &Segment<'_>, out: &mut Outcome) {
        if segment.has(TcpFlags::FIN) && self.is_receiving() {
            let at = segment.seq + segment.payload.len() as u32;
            let whole = match out.discard {
                None | Some(Discard::Duplicate | Discard::ReadShutDown) => true,
                Some(_) => false,
            };
            if whole && at.ge(self.rcv_nxt) && !self.flags.has(Flags::FIN_AHEAD) {
                self.rcv_fin = at;
                self.flags.set(Flags::FIN_AHEAD);
            }
        }
        if !self.flags.has(Flags::FIN_AHEAD) {
            return;
        }
        if self.rcv_nxt == self.rcv_fin {
            self.accept_fin(env, out);
        } else if self.rcv_nxt.gt(self.rcv_fin) {
            // Ranges went beyond it: it was no FIN of this stream.
            self.flags.clear(Flags::FIN_AHEAD);
        } else if segment.payload.is_empty() && segment.has(TcpFlags::FIN) {
            // Beyond a gap, and alone: nothing else has asked for an acknowledgment yet.
            self.flags.set(Flags::ACK_NOW);
        }
    }

    fn accept_fin(&mut self, env: &Env<'_>, out: &mut Outcome) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the FIN bit is set, signal the user "connection closing" and
        //# return any pending RECEIVEs with same message, advance RCV.NXT
        //# over the FIN, and send an acknowledgment for the FIN.
        self.rcv_nxt += 1;
        self.rcv_adv = self.rcv_adv.max(self.rcv_nxt);
        self.range_count = 0;
        self.flags.clear(Flags::FIN_AHEAD);
        self.flags.set(Flags::FIN_RECEIVED.with(Flags::ACK_NOW));
        out.news.insert(News::PEER_FINISHED | News::READABLE);
        match self.state {
            State::Established => {
                self.state = State::CloseWait;
                self.start_half_closed(env);
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# If our FIN has been ACKed (perhaps in this segment), then
            //# enter TIME-WAIT, start the time-wait timer, turn off the
            //# other timers; otherwise, enter the CLOSING state.
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.enter_time_wait(out),
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => {}
        }
    }

    /// Remembers `[left, right)` to be reported as a duplicate (RFC 2883 §4), if the peer
    /// understands it. The first one since the last acknowledgment is kept.
    pub(crate) fn report_duplicate(&mut self, left: SeqNum, right: SeqNum) {
        if self.flags.has(Flags::SACK) && !self.flags.has(Flags::DSACK) && right.gt(left) {
            self.dsack = (left, right);
            self.flags.set(Flags::DSACK);
        }
    }

    /// Text in order is to be acknowledged: when?
    fn schedule_ack(&mut self, env: &Env<'_>, count: u16) {
        let pending = self.rcv_nxt.since(self.last_ack_sent);
        if self.quick_acks > 0 {
            self.quick_acks = self.quick_acks.saturating_sub(count.clamp(1, 255) as u8);
            self.flags.set(Flags::ACK_NOW);
        } else if pending > u32::from(self.rcv_mss) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
            //# An ACK SHOULD be generated for at
            //# least every second full-sized segment or 2*RMSS bytes of new data
            //# (where RMSS is the MSS specified by the TCP endpoint receiving the
            //# segments to be acknowledged, or the default value if not specified)
            //# (SHLD-19).
            self.flags.set(Flags::ACK_NOW);
        } else if self.ack_deadline == Instant::ZERO {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
            //# A TCP endpoint SHOULD implement a delayed ACK (SHLD-18), but an ACK
            //# should not be excessively delayed; in particular, the delay MUST be
            //# less than 0.5 seconds (MUST-40).
            let delay = env.tunables.delayed_ack.min(499_999);
            self.ack_deadline = env.now.plus_micros(u64::from(delay));
            if delay == 0 {
                self.flags.set(Flags::ACK_NOW);
            }
        }
    }
}
