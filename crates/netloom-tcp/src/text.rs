//! The sixth, seventh and eighth step: URG, the text, FIN. In order, out of order, twice, or
//! too much.

use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::ranges::{self, Insert, Range};
use crate::{
    CloseReason, Connection, DELAYED_ACK, Discard, Env, Io, News, OUT_OF_ORDER, Segment, SeqNum,
    State,
};

/// Duplicate acknowledgments owed at most: more tell a sender nothing.
const MOST_DUPLICATE_ACKS: u8 = 32;

/// A stretch of text after trimming.
pub(crate) struct Text<'a> {
    pub(crate) seq: SeqNum,
    pub(crate) data: &'a [u8],
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
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
    //# However, TCP implementations MUST still include support for the
    //# urgent mechanism (MUST-30).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
    //# A TCP implementation MUST support a sequence of urgent data of any
    //# length (MUST-31) [19].
    pub(crate) fn receive_urgent(&mut self, segment: &Segment<'_>) {
        if !segment.has(TcpFlags::URG) || !self.is_receiving() {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //# The urgent pointer MUST point to the sequence number of the octet
        //# following the urgent data (MUST-62).
        let pointer = segment.seq + u32::from(segment.urgent);
        let unread = self.rcv_nxt.minus(self.rx.len);
        let known = if self.flags.has(Flags::URGENT_IN) {
            self.rcv_up.max(unread)
        } else {
            unread
        };
        if pointer.gt(known) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
            //# A TCP implementation MUST (MUST-32) inform the application layer
            //# asynchronously whenever it receives an urgent pointer and there was
            //# previously no pending urgent data, or whenever the urgent pointer
            //# advances in the data stream.
            self.rcv_up = pointer;
            self.flags.set(Flags::URGENT_IN);
            self.report(News::URGENT);
        }
    }

    /// The text.
    pub(crate) fn receive_text(&mut self, env: &Env<'_>, io: &mut Io<'_>, segment: &Segment<'_>) {
        if segment.payload.is_empty() {
            return;
        }
        if !self.is_receiving() {
            self.discard(Discard::AfterFin);
            return;
        }
        #[cfg(feature = "rack")]
        self.receive_mark(segment);
        let text = Text {
            seq: segment.seq,
            data: segment.payload,
        };
        let Some(text) = self.trim(text) else {
            return;
        };
        if self.flags.has(Flags::ORPHAN) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
            //# If such a host issues a CLOSE call while received data is still
            //# pending in the TCP connection, or if new data is received after CLOSE
            //# is called, its TCP implementation SHOULD send a RST to show that data
            //# was lost (SHLD-3).
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1
            //# A host MAY implement a "half-duplex" TCP close sequence, so that an
            //# application that has called CLOSE cannot continue to read data from
            //# the connection (MAY-1).
            self.reset(CloseReason::DataAfterClose);
            self.discard(Discard::AfterFin);
            return;
        }
        let Some(text) = self.fit(io, text) else {
            return;
        };
        self.measure_peer(segment);
        if text.seq == self.rcv_nxt {
            self.accept_in_order(env, io, &text, segment);
        } else {
            if OUT_OF_ORDER {
                self.hold_out_of_order(io, &text);
            } else {
                self.discard(Discard::RangesFull);
            }
            self.owe_duplicate_ack(segment.count);
        }
    }

    /// Cuts off what was received before, what lies beyond the peer's FIN, and what lies beyond
    /// the window.
    fn trim<'a>(&mut self, text: Text<'a>) -> Option<Text<'a>> {
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
                self.discard(Discard::Duplicate);
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
        self.clip(data, room, why).map(|data| Text { seq, data })
    }

    /// Cuts off what the ring has no memory for.
    fn fit<'a>(&mut self, io: &Io<'_>, text: Text<'a>) -> Option<Text<'a>> {
        if self.flags.has(Flags::READ_SHUT) {
            return Some(text);
        }
        let before = text.seq.since(self.rcv_nxt) as usize;
        let room = self.rx.room(io.rx.len()).saturating_sub(before);
        self.clip(text.data, room, Discard::NoMemory)
            .map(|data| Text { data, ..text })
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    fn clip<'a>(&mut self, data: &'a [u8], room: usize, why: Discard) -> Option<&'a [u8]> {
        if data.len() <= room {
            return Some(data);
        }
        self.discard(why);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
        //# When the receiving TCP peer has a zero window and a segment arrives,
        //# it must still send an acknowledgment showing its next expected
        //# sequence number and current window (zero).
        self.flags.set(Flags::ACK_NOW);
        let data = data.get(..room).unwrap_or(&[]);
        (!data.is_empty()).then_some(data)
    }

    /// Remembers how large the peer's segments are.
    pub(crate) fn measure_peer(&mut self, segment: &Segment<'_>) {
        // Delayed acknowledgments ask for it, and what buffers grow by.
        if !(DELAYED_ACK || cfg!(any(test, feature = "autotune"))) {
            return;
        }
        let mut size = segment.payload.len() as u32;
        if segment.count > 1 {
            size = size.wrapping_div(u32::from(segment.count));
        }
        if size > u32::from(self.rcv_mss) {
            self.rcv_mss = size.min(u32::from(self.our_mss)).max(1) as u16;
        }
    }

    pub(crate) fn accept_in_order(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        text: &Text<'_>,
        segment: &Segment<'_>,
    ) {
        let len = text.data.len() as u32;
        let discards = self.flags.has(Flags::READ_SHUT);
        if !discards && !io.is_placed() {
            self.rx.place(io.rx, self.rx.len as usize, text.data);
        }
        let mut reached = self.rcv_nxt + len;
        if OUT_OF_ORDER && self.range_count > 0 {
            //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
            //# In addition, a TCP receiver
            //# SHOULD send an immediate ACK when the incoming segment fills in all
            //# or part of a gap in the sequence space.
            //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
            //# To
            //# provide feedback to senders recovering from losses, the receiver
            //# SHOULD send an immediate ACK when it receives a data segment that
            //# fills in all or part of a gap in the sequence space.
            let text = Range {
                left: self.rcv_nxt,
                right: reached,
            };
            reached = ranges::take_out(io.ranges, &mut self.range_count, &text);
            // RFC 5681 §4.2: at once, when a segment fills all or part of a gap.
            self.flags.set(Flags::ACK_NOW);
        }
        if discards {
            self.discard(Discard::ReadShutDown);
            // Only what came before this text: lent, it may be kept.
            self.retire_urgent_in();
        } else {
            self.rx.len = self.rx.len.wrapping_add(reached.since(self.rcv_nxt));
            self.report(News::READABLE);
        }
        self.rcv_nxt = reached;
        self.schedule_ack(env, segment);
    }

    fn hold_out_of_order(&mut self, io: &mut Io<'_>, text: &Text<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# Segments with higher
        //# beginning sequence numbers SHOULD be held for later
        //# processing (SHLD-31).
        let end = text.seq + text.data.len() as u32;
        let first = self.range_count == 0;
        let whole = Range {
            left: text.seq,
            right: end,
        };
        let known = ranges::overlap(io.ranges, self.range_count, &whole);
        self.report_duplicate(known.left, known.right);
        match ranges::insert(io.ranges, &mut self.range_count, text.seq, end) {
            Insert::Done => {
                self.rcv_high = if first { end } else { self.rcv_high.max(end) };
                if !self.flags.has(Flags::READ_SHUT) {
                    let before = text.seq.since(self.rcv_nxt).wrapping_add(self.rx.len);
                    self.rx.place(io.rx, before as usize, text.data);
                }
            }
            Insert::Known => self.discard(Discard::Duplicate),
            Insert::Full => self.discard(Discard::RangesFull),
        }
    }

    /// Owes what a segment beyond a gap asks for.
    fn owe_duplicate_ack(&mut self, count: u16) {
        // RFC 5681 §4.2: an immediate duplicate ACK; one for each segment where no SACK tells
        // the peer how many arrived.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //# The
        //# receiver SHOULD send an ACK for every valid segment that arrives
        //# containing new data, and each of these "duplicate" ACKs SHOULD bear a
        //# SACK option.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# A TCP receiver SHOULD send an immediate duplicate ACK when an out-
        //# of-order segment arrives.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //# Out-of-order data segments SHOULD be acknowledged immediately, in
        //# order to accelerate loss recovery.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //# To trigger the fast retransmit
        //# algorithm, the receiver SHOULD send an immediate duplicate ACK when
        //# it receives a data segment above a gap in the sequence space.
        //= https://www.rfc-editor.org/rfc/rfc6582#section-5
        //# [RFC5681] specifies that "Out-of-order data segments SHOULD be
        //# acknowledged immediately, in order to accelerate loss recovery".
        if !OUT_OF_ORDER || self.flags.has(Flags::SACK) {
            self.flags.set(Flags::ACK_NOW);
        } else {
            //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
            //# A TCP receiver MUST NOT generate more than one ACK for every incoming
            //# segment, other than to update the offered window as the receiving
            //# application consumes new data (see [RFC813] and page 42 of [RFC793]).
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
            //# o  A TCP implementation MAY send an ACK segment acknowledging
            //# RCV.NXT when a valid segment arrives that is in the window
            //# but not at the left window edge (MAY-13).
            let owed = u16::from(self.dup_acks_owed).saturating_add(count.max(1));
            self.dup_acks_owed = owed.min(u16::from(MOST_DUPLICATE_ACKS)) as u8;
        }
    }

    /// FIN: takes effect at RCV.NXT only, once; one that is beyond a gap is remembered.
    pub(crate) fn receive_fin(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        if segment.has(TcpFlags::FIN) && self.is_receiving() {
            let at = segment.seq + segment.payload.len() as u32;
            let whole = match self.outcome.discard {
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
            self.accept_fin(env);
        } else if self.rcv_nxt.gt(self.rcv_fin) {
            // Ranges went beyond it: it was no FIN of this stream.
            self.flags.clear(Flags::FIN_AHEAD);
        } else if segment.payload.is_empty() && segment.has(TcpFlags::FIN) {
            // Beyond a gap, and alone: nothing else has asked for an acknowledgment yet.
            self.flags.set(Flags::ACK_NOW);
        }
    }

    pub(crate) fn accept_fin(&mut self, env: &Env<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //# If the FIN bit is set, signal the user "connection closing" and
        //# return any pending RECEIVEs with same message, advance RCV.NXT
        //# over the FIN, and send an acknowledgment for the FIN.
        self.rcv_nxt += 1;
        self.rcv_adv = self.rcv_adv.max(self.rcv_nxt);
        if OUT_OF_ORDER {
            self.range_count = 0;
        }
        self.flags.clear(Flags::FIN_AHEAD);
        self.flags.set(Flags::FIN_RECEIVED.with(Flags::ACK_NOW));
        self.report(News::PEER_FINISHED | News::READABLE);
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
            State::FinWait2 => self.enter_time_wait(),
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
            self.dsack = left;
            // No segment is longer.
            self.dsack_len = right.since(left).min(0xffff) as u16;
            self.flags.set(Flags::DSACK);
        }
    }

    /// Text in order is to be acknowledged: when?
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
    //# o  In general, the processing of received segments MUST be
    //# implemented to aggregate ACK segments whenever possible
    //# (MUST-58).
    //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
    //# The delayed ACK algorithm specified in [RFC1122] SHOULD be used by a
    //# TCP receiver.
    #[inline]
    pub(crate) fn schedule_ack(&mut self, env: &Env<'_>, segment: &Segment<'_>) {
        if !DELAYED_ACK {
            self.flags.set(Flags::ACK_NOW);
            return;
        }
        let pending = self.rcv_nxt.since(self.last_ack_sent);
        if self.quick_acks > 0 {
            self.quick_acks = self
                .quick_acks
                .saturating_sub(segment.count.clamp(1, 255) as u8);
            self.flags.set(Flags::ACK_NOW);
        } else if pending > u32::from(self.rcv_mss) {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
            //# An ACK SHOULD be generated for at
            //# least every second full-sized segment or 2*RMSS bytes of new data
            //# (where RMSS is the MSS specified by the TCP endpoint receiving the
            //# segments to be acknowledged, or the default value if not specified)
            //# (SHLD-19).
            self.flags.set(Flags::ACK_NOW);
            #[cfg(feature = "autotune")]
            self.measure_reading(env, segment);
        } else if self.ack_deadline == 0 {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.3
            //# A TCP endpoint SHOULD implement a delayed ACK (SHLD-18), but an ACK
            //# should not be excessively delayed; in particular, the delay MUST be
            //# less than 0.5 seconds (MUST-40).
            //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
            //# When using delayed ACKs, a TCP receiver MUST NOT
            //# excessively delay acknowledgments.
            //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
            //# Specifically, an ACK SHOULD be
            //# generated for at least every second full-sized segment, and MUST be
            //# generated within 500 ms of the arrival of the first unacknowledged
            //# packet.
            //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
            //# Finally, we repeat that an ACK MUST NOT be delayed for more than 500
            //# ms waiting on a second full-sized segment to arrive.
            let delay = env.tunables.delayed_ack.min(499);
            self.ack_deadline = env.after(delay);
            if delay == 0 {
                self.flags.set(Flags::ACK_NOW);
            }
        }
    }
}
