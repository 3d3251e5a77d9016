//! The one predicate: what a connection does next. Nothing here changes anything.

use netloom_wire::{TcpFlags, TcpOptionWords, Timestamps};

use crate::congestion::{Controller, initial_window};
use crate::flags::Flags;
use crate::ranges;
#[cfg(feature = "fast-retransmit")]
use crate::records::{LOST, SACKED};
#[cfg(feature = "rack")]
use crate::recovery::Marks;
use crate::recovery::Phase;
use crate::syn_received::syn_window;
use crate::{
    ACTIVE_OPEN, Connection, Env, Io, Next, OFFLOAD, OUT_OF_ORDER, Plan, PlanKind, SACK,
    SLOW_START_AFTER_IDLE, SeqNum, State, Timer,
};

/// SACK blocks are left out of data segments when less than this would be left of them.
const LEAST_PAYLOAD: u16 = 64;

impl Connection {
    /// What the connection does next. Changes nothing: ask again whenever something has
    /// happened, and after each plan that was sent.
    pub fn next(&self, env: &Env<'_>, io: &Io<'_>) -> Next {
        let next = self.find_next(env, io);
        #[cfg(all(target_pointer_width = "64", feature = "fast-retransmit"))]
        debug_assert!(self.next_bare().is_none_or(|bare| next == Next::Send(bare)));
        next
    }

    #[inline(always)]
    fn find_next(&self, env: &Env<'_>, io: &Io<'_>) -> Next {
        if self.close_reason.is_some() && !self.flags.has(Flags::RESET_OWED) {
            return Next::Wait(None);
        }
        let wait = self.wait(env);
        if wait == 0 {
            if let Some(timer) = self.due_timer(env) {
                return Next::Fire(timer);
            }
        }
        // What is sent where there is nothing else to say; each kind of segment differs a little.
        let mut plan = self.plain_ack(self.window_to_offer().0, self.sack_blocks(false));
        if self.choose(env, io, &mut plan) {
            #[cfg(feature = "rack")]
            self.ecn_flags(&mut plan);
            Next::Send(plan)
        } else if self.wants_persist_timer(io) {
            Next::Fire(Timer::Persist)
        } else if self.wants_keepalive_timer() {
            Next::Fire(Timer::KeepAlive)
        } else {
            let until = env.moment(wait);
            #[cfg(feature = "bbr")]
            let until = self.until_departure(env, io, until);
            Next::Wait(until)
        }
    }

    /// Makes the segment to be sent of a plain acknowledgment; `false` if there is none.
    fn choose(&self, env: &Env<'_>, io: &Io<'_>, plan: &mut Plan) -> bool {
        #[cfg(feature = "fastopen")]
        const FIRST: Flags = Flags::RESET_OWED.with(Flags::SYN_OWED);
        #[cfg(not(feature = "fastopen"))]
        const FIRST: Flags = Flags::RESET_OWED;
        if self.flags.any(FIRST) {
            #[cfg(feature = "fastopen")]
            if !self.flags.has(Flags::RESET_OWED) {
                self.plan_syn(plan);
                return true;
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.5
            //# <SEQ=SND.NXT><CTL=RST>
            plan.kind = PlanKind::Reset;
            plan.flags = TcpFlags::RST | TcpFlags::ACK;
            plan.window = 0;
            plan.sack_blocks = 0;
            return true;
        }
        match self.state {
            State::Closed | State::Listen => return false,
            State::SynSent | State::SynReceived => {
                if ACTIVE_OPEN && self.flags.has(Flags::SYN_OWED) {
                    self.plan_syn(plan);
                    return true;
                }
                if self.state == State::SynSent {
                    return false;
                }
            }
            State::TimeWait => {}
            State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck => {
                if OUT_OF_ORDER && self.dup_acks_owed > 0 {
                    plan.kind = PlanKind::DuplicateAck;
                    return true;
                }
                if self.plan_text(env, io, plan) {
                    return true;
                }
                if self
                    .flags
                    .any(Flags::PROBE_OWED.with(Flags::KEEPALIVE_OWED))
                {
                    self.plan_probe(plan);
                    return true;
                }
            }
        }
        self.flags.has(Flags::ACK_NOW) || self.owes_window_update()
    }

    /// Text or FIN: first what is lost, then what is new, then what is merely suspected (NextSeg
    /// rule 3, RFC 6675 §4).
    fn plan_text(&self, env: &Env<'_>, io: &Io<'_>, plan: &mut Plan) -> bool {
        #[cfg(feature = "rack")]
        if self.marks.has(Marks::PROBE_DUE) && self.plan_loss_probe(io, plan) {
            return true;
        }
        #[cfg(feature = "bbr")]
        if self.is_held_back(env, io) && !self.flags.has(Flags::RETRANSMIT_NOW) {
            // What carries no text does not wait.
            return self.unsent() == 0
                && self.lost == 0
                && (self.plan_retransmission(env, io, true, plan) || self.plan_new(env, io, plan));
        }
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# NextSeg () MUST return the sequence number range of the next segment
        //# that is to be transmitted, per the following rules:
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# (1) If there exists a smallest unSACKed sequence number 'S2' that
        //# meets the following three criteria for determining loss, the sequence
        //# range of one segment of up to SMSS octets starting with S2 MUST be
        //# returned.
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# (2) If no sequence number 'S2' per rule (1) exists but there exists
        //# available unsent data and the receiver's advertised window allows, the
        //# sequence range of one segment of up to SMSS octets of previously
        //# unsent data starting with sequence number HighData+1 MUST be returned.
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# (3) If the conditions for rules (1) and (2) fail, but there exists an
        //# unSACKed sequence number 'S3' that meets the criteria for detecting
        //# loss given in steps (1.a) and (1.b) above (specifically excluding step
        //# (1.c)), then one segment of up to SMSS octets starting with S3 SHOULD
        //# be returned.
        //= https://www.rfc-editor.org/rfc/rfc6675#section-4
        //# (5) If the conditions for each of (1), (2), (3), and (4) are not met,
        //# then NextSeg () MUST indicate failure, and no segment is returned.
        self.plan_retransmission(env, io, true, plan)
            || self.plan_new(env, io, plan)
            || (SACK
                && self.phase == Phase::Recovery
                && self.sacked > 0
                && !self.finds_losses_by_time(env)
                && self.plan_retransmission(env, io, false, plan))
    }

    /// Whether RACK says what is lost: then nothing is sent again on mere suspicion.
    //= https://www.rfc-editor.org/rfc/rfc8985#section-9.2
    //# Therefore, the algorithm [RFC6675]
    //# MUST NOT be used with RACK-TLP; instead, a modified recovery
    //# algorithm that carefully addresses such a case is needed.
    #[inline]
    fn finds_losses_by_time(&self, env: &Env<'_>) -> bool {
        #[cfg(feature = "rack")]
        return self.uses_rack(env);
        #[cfg(not(feature = "rack"))]
        {
            let _ = env;
            false
        }
    }

    /// The options of a planned segment. The same on every segment cut from a super-segment.
    pub fn options(&self, env: &Env<'_>, io: &Io<'_>, plan: &Plan) -> TcpOptionWords {
        let mut options = TcpOptionWords::new();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.2
        //# This field may be
        //# sent in the initial connection request (i.e., in segments with the
        //# SYN control bit set) and MUST NOT be sent in other segments (MUST-
        //# 65).
        let syn = ACTIVE_OPEN && plan.kind == PlanKind::Syn;
        if syn {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
            //# TCP implementations SHOULD send an MSS Option in every SYN segment
            //# when its receive MSS differs from the default 536 for IPv4 or 1220
            //# for IPv6 (SHLD-5), and MAY send it always (MAY-3).
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
            //# TCP endpoints MUST implement both sending and receiving the MSS
            //# Option (MUST-14).
            options.push_mss(self.our_mss);
        }
        let timestamps = self.timestamps(env);
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //# Once TSopt has been successfully negotiated, that is both <SYN> and
        //# <SYN,ACK> contain TSopt, the TSopt MUST be sent in every non-<RST>
        //# segment for the duration of the connection, and SHOULD be sent in an
        //# <RST> segment (see Section 5.2 for details).
        //= https://www.rfc-editor.org/rfc/rfc2018#section-2
        //# It MUST NOT be sent on non-SYN segments.
        //= https://www.rfc-editor.org/rfc/rfc7323#section-5.2
        //# If an <RST> is being generated
        //# because of a user abort, and Snd.TS.OK is set, then a Timestamps
        //# option SHOULD be included in the <RST>.
        options.push_timestamps(syn && self.flags.has(Flags::SACK), timestamps);
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
        //# Thus, a TCP that is prepared to scale windows SHOULD send the option,
        //# even if its own scale factor is 1 and the exponent 0.
        if syn && self.flags.has(Flags::SCALING) {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
            //# o  The Window Scale option MUST be sent with shift.cnt = R, where R
            //# is the value that the TCP would like to use for its receive
            //# window.
            options.push_window_scale(self.rcv_shift());
        }
        #[cfg(feature = "fastopen")]
        if syn {
            self.push_cookie(&mut options);
        }
        if SACK && plan.sack_blocks > 0 {
            self.push_sack(io, &mut options, plan.sack_blocks);
        }
        options
    }

    /// The timestamps of the next segment, if it carries any.
    #[inline]
    pub fn timestamps(&self, env: &Env<'_>) -> Option<Timestamps> {
        self.flags.has(Flags::TIMESTAMPS).then(|| Timestamps {
            value: env.now_ms.wrapping_add(self.ts_offset),
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# If
            //# the ACK bit is not set in the outgoing TCP header, the sender of that
            //# segment SHOULD set the TSecr field to zero.
            //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
            //# When the ACK bit is set
            //# in an outgoing segment, the sender MUST echo a recently received
            //# TSval sent by the remote TCP in the TSval field of a Timestamps
            //# option.
            echo: self.ts_recent,
        })
    }

    /// How many SACK blocks the next segment carries.
    pub(crate) fn sack_blocks(&self, has_text: bool) -> u8 {
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //# If the data receiver generates SACK
        //# options under any circumstance, it SHOULD generate them under all
        //# permitted circumstances.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //# If sent at all, SACK options SHOULD be included in all ACKs which do
        //# not ACK the highest sequence number in the data receiver's queue.
        let dsack = u16::from(self.flags.has(Flags::DSACK));
        let blocks = self.range_count.saturating_add(dsack);
        if blocks == 0
            //= https://www.rfc-editor.org/rfc/rfc2018#section-4
            //# If the data receiver has not received a
            //# SACK-Permitted option for a given connection, it MUST NOT send SACK
            //# options on that connection.
            || !self.flags.has(Flags::SACK)
            || (has_text && self.mss < LEAST_PAYLOAD.wrapping_mul(2))
        {
            return 0;
        }
        let most = if self.flags.has(Flags::TIMESTAMPS) {
            3
        } else {
            4
        };
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //# * The data receiver SHOULD include as many distinct SACK blocks as
        //# possible in the SACK option.
        blocks.min(most) as u8
    }

    #[cold]
    fn push_sack(&self, io: &Io<'_>, options: &mut TcpOptionWords, mut blocks: u8) {
        options.push_sack(blocks);
        if self.flags.has(Flags::DSACK) {
            //= https://www.rfc-editor.org/rfc/rfc2883#section-4
            //# (1) A D-SACK block is only used to report a duplicate contiguous
            //# sequence of data received by the receiver in the most recent packet.
            options.push(self.dsack.0);
            options.push(self.dsack.plus(u32::from(self.dsack_len)).0);
            blocks = blocks.saturating_sub(1);
        }
        ranges::report(io.ranges, options, blocks);
    }

    pub(crate) fn plan_syn(&self, plan: &mut Plan) {
        plan.kind = PlanKind::Syn;
        plan.seq = self.iss;
        plan.flags = TcpFlags::SYN | TcpFlags::ACK;
        // Text that came with the peer's SYN takes room already.
        plan.window = syn_window(self.rcv_buf.saturating_sub(self.rx.len));
        plan.mss = self.our_mss;
        plan.sack_blocks = 0;
        if self.state == State::SynSent {
            #[cfg(feature = "rack")]
            {
                plan.flags = self.syn_flags();
            }
            #[cfg(not(feature = "rack"))]
            {
                plan.flags = TcpFlags::SYN;
            }
            plan.ack = SeqNum(0);
            #[cfg(feature = "fastopen")]
            {
                plan.len = self.syn_text();
            }
        }
    }

    /// The next text or FIN that is to be sent again. `lost_only`: what is taken as lost; else
    /// also what is merely suspected.
    fn plan_retransmission(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        lost_only: bool,
        plan: &mut Plan,
    ) -> bool {
        if lost_only && self.lost == 0 {
            if self.flags.has(Flags::FIN_LOST) {
                plan_fin(plan, self.data_end());
                return true;
            }
            return false;
        }
        if self.snd_wnd == 0 {
            return false;
        }
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# (C.1) The scoreboard MUST be queried via NextSeg () for the sequence
        //# number range of the next segment to transmit (if any), and the given
        //# segment sent.
        let Some((start, end)) = self.next_to_retransmit(io, lost_only) else {
            return false;
        };
        let (sack_blocks, payload) = self.text_size();
        let mss = u32::from(payload);
        let forced = self.flags.has(Flags::RETRANSMIT_NOW);
        //= https://www.rfc-editor.org/rfc/rfc6675#section-5
        //# (C) If cwnd - pipe >= 1 SMSS, the sender SHOULD transmit one or more
        //# segments as follows:
        let mut room = self.congestion.cwnd().saturating_sub(self.pipe());
        if forced {
            room = room.max(mss);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //# If this happens, the sender SHOULD NOT send new data (SHLD-15), but
        //# SHOULD retransmit normally the old unacknowledged data between
        //# SND.UNA and SND.UNA+SND.WND (SHLD-16).
        let window = self.snd_una.plus(self.snd_wnd).saturating_since(start);
        let whole = end.since(start);
        let mut len = whole.min(window).min(self.largest(env, io, mss));
        if len > room {
            if room < mss {
                return false;
            }
            len = room;
        }
        if len > mss {
            len = whole_segments(len, mss, whole);
        }
        if len == 0 {
            return false;
        }
        plan.kind = PlanKind::Retransmission;
        plan.seq = start;
        plan.sack_blocks = sack_blocks;
        plan.mss = payload;
        plan.len = len;
        self.finish_text(plan, self.flags.has(Flags::FIN_SENT));
        true
    }

    #[cfg(feature = "fast-retransmit")]
    //= https://www.rfc-editor.org/rfc/rfc6675#section-5.1
    //# In this case, a TCP sender SHOULD use this SACK information when
    //# determining what data should be sent in each segment following an RTO.
    fn next_to_retransmit(&self, io: &Io<'_>, lost_only: bool) -> Option<(SeqNum, SeqNum)> {
        let limit = if lost_only {
            self.data_end()
        } else {
            self.highest_sacked(io)?
        };
        let mut start = self.snd_una;
        for record in self.records.live(io.records) {
            if start.ge(limit) {
                return None;
            }
            let eligible = if lost_only {
                record.is(LOST)
            } else {
                !record.is(SACKED) && record.retransmissions == 0
            };
            if eligible {
                return Some((self.retransmitted_to(start, record.end), record.end));
            }
            start = record.end;
        }
        None
    }

    /// The codepoint of explicit congestion notification for the IP header of a planned segment: 2,
    /// ECT(0), on new data where both ends have agreed on it, else 0 (RFC 3168 §6.1.2).
    #[inline]
    pub fn ecn_codepoint(&self, plan: &Plan) -> u8 {
        #[cfg(feature = "rack")]
        //= https://www.rfc-editor.org/rfc/rfc3168#section-6.1.2
        //# When only one ECT codepoint
        //# is needed by a sender for all packets sent on a TCP connection,
        //# ECT(0) SHOULD be used.
        //= https://www.rfc-editor.org/rfc/rfc3168#section-5
        //# Protocols and senders that only require a single ECT codepoint SHOULD
        //# use ECT(0).
        return if self.sends_ect(plan) { 2 } else { 0 };
        #[cfg(not(feature = "rack"))]
        {
            let _ = plan;
            0
        }
    }

    /// SACK blocks beside text, and the text of a full-sized segment that carries them.
    fn text_size(&self) -> (u8, u16) {
        let blocks = self.sack_blocks(true);
        let options = match blocks {
            0 => return (0, self.mss),
            n => 4u16.wrapping_add(u16::from(n) << 3),
        };
        (blocks, self.mss.saturating_sub(options).max(1))
    }

    /// Where text lies; PSH and FIN on text that ends the queue; URG where urgent data lies ahead.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
    //# The transmitter SHOULD collapse successive bits when it
    //# packetizes data, to send the largest possible segment (SHLD-27).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
    //# When an application
    //# issues a series of SEND calls without setting the PUSH flag, the TCP
    //# implementation MAY aggregate the data internally without sending it
    //# (MAY-16).
    pub(crate) fn finish_text(&self, plan: &mut Plan, fin: bool) {
        plan.offset = plan.seq.saturating_since(self.data_una());
        if plan.offset.saturating_add(plan.len) >= self.tx.len {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
            //# MUST set the PSH bit
            //# in the last buffered segment (i.e., when there is no more queued data
            //# to be sent) (MUST-61).
            plan.flags |= TcpFlags::PSH;
            if fin {
                plan.flags |= TcpFlags::FIN;
            }
        }
        if self.flags.has(Flags::URGENT_OUT) && self.snd_up.gt(plan.seq) {
            plan.flags |= TcpFlags::URG;
            plan.urgent = self.snd_up.since(plan.seq).min(0xffff) as u16;
        }
    }

    /// New text, or the first FIN: Nagle, silly-window avoidance, congestion window.
    fn plan_new(&self, env: &Env<'_>, io: &Io<'_>, plan: &mut Plan) -> bool {
        let fin = self.flags.has(Flags::FIN_QUEUED) && !self.flags.has(Flags::FIN_SENT);
        let unsent = self.unsent();
        if unsent == 0 {
            if fin {
                plan_fin(plan, self.snd_nxt);
            }
            return fin;
        }
        if !self.records.has_room(io.records) {
            return false;
        }
        let (sack_blocks, mss) = self.text_size();
        let Some(len) = self.sendable(env, io, unsent, u32::from(mss), fin) else {
            return false;
        };
        plan.kind = PlanKind::Data;
        plan.seq = self.data_end();
        plan.sack_blocks = sack_blocks;
        plan.mss = mss;
        plan.len = len;
        self.finish_text(plan, fin);
        #[cfg(feature = "plpmtud")]
        if self.search.low != 0 {
            self.plan_path_probe(env, io, unsent, plan);
        }
        true
    }

    /// How much of `unsent` octets may be sent now, if any, in segments of `mss`.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
    //# However, a TCP implementation SHOULD send
    //# a maximum-sized segment whenever possible (SHLD-28) to improve
    //# performance (see Section 3.8.6.2.1).
    fn sendable(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        unsent: u32,
        mss: u32,
        fin: bool,
    ) -> Option<u32> {
        let flight = self.flight();
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //# 3)  The initial transmission MUST be within the window announced by
        //# the most recent <ACK>.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-2
        //# At any given time, a TCP MUST NOT send
        //# data with a sequence number higher than the sum of the highest
        //# acknowledged sequence number and the minimum of cwnd and rwnd.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //# When previously unsent data is available and the new value of
        //# cwnd and the receiver's advertised window allow, a TCP SHOULD
        //# send 1*SMSS bytes of previously unsent data.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3
        //# In some situations, it may be
        //# beneficial for a TCP sender to be more conservative than the
        //# algorithms allow; however, a TCP MUST NOT be more aggressive than the
        //# following algorithms allow (that is, MUST NOT send data when the
        //# value of cwnd computed by the following algorithms would not allow
        //# the data to be sent).
        //= https://www.rfc-editor.org/rfc/rfc9406#section-3
        //# At any given time, a TCP MUST NOT send data with a sequence number
        //# higher than the sum of the highest acknowledged sequence number and
        //# the minimum of the cwnd and rwnd.
        let usable = self.usable_window();
        let cwnd = self.cwnd_now(env);
        let room = cwnd.saturating_sub(self.pipe());
        let allowed = usable.min(room);
        let most = self.largest(env, io, mss);
        let len = unsent.min(allowed).min(most);
        if len == 0 {
            return None;
        }
        if len == unsent {
            let tail = if len < mss {
                len
            } else if OFFLOAD {
                len.checked_rem(mss).unwrap_or(0)
            } else {
                0
            };
            if tail == 0 || !self.nagle_holds(fin) {
                return Some(len);
            }
            return (len > tail).then(|| len.wrapping_sub(tail));
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.1
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# sender (MUST-38).
        if len < mss {
            // Less than a segment, and not the end of the queue: only if nothing else would
            // ever bring an acknowledgment.
            let half = len >= self.max_snd_wnd >> 1 || room < usable;
            return (flight == 0 && (half || self.flags.has(Flags::OVERRIDE))).then_some(len);
        }
        let len = whole_segments(len, mss, unsent);
        // A super-segment cut short by the window would be followed by ever shorter ones: wait
        // for the acknowledgment that is coming.
        let short = most > mss && len < most.min(unsent);
        let window = cwnd.min(self.snd_wnd);
        if short && flight > 0 && allowed < window / 3 {
            return None;
        }
        Some(len)
    }

    /// The Nagle algorithm in Minshall's form: a short segment waits while another short one is
    /// unacknowledged.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
    //# A TCP implementation SHOULD implement the Nagle algorithm to coalesce
    //# short segments (SHLD-7).
    #[inline]
    pub(crate) fn nagle_holds(&self, fin: bool) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
        //# If there is
        //# unacknowledged data (i.e., SND.NXT > SND.UNA), then the sending TCP
        //# endpoint buffers all user data (regardless of the PSH bit) until the
        //# outstanding data has been acknowledged or until the TCP endpoint can
        //# send a full-sized segment (Eff.snd.MSS bytes).
        // SND.SML stays where it is while only full-sized segments are sent: it must be in flight,
        // not merely ahead, or gigabytes later the last octets would be held for ever.
        !fin && !self.flags.has(Flags::NODELAY)
            && self.snd_sml.gt(self.snd_una)
            && self.snd_sml.le(self.snd_nxt)
    }

    /// The largest payload of one plan.
    #[inline]
    fn largest(&self, env: &Env<'_>, io: &Io<'_>, mss: u32) -> u32 {
        #[cfg(feature = "bbr")]
        if env.gso_max > mss {
            return env.gso_max.min(self.quantum(io, mss)).max(mss);
        }
        let _ = io;
        if OFFLOAD { env.gso_max.max(mss) } else { mss }
    }

    /// The congestion window, or the restart window after an idle time.
    pub(crate) fn cwnd_now(&self, env: &Env<'_>) -> u32 {
        let cwnd = self.congestion.cwnd();
        if self.flight() == 0 && self.is_idle(env) {
            cwnd.min(self.restart_window(env))
        } else {
            cwnd
        }
    }

    /// Whether nothing was sent for longer than a retransmission timeout.
    #[inline]
    pub(crate) fn is_idle(&self, env: &Env<'_>) -> bool {
        if !SLOW_START_AFTER_IDLE {
            return false;
        }
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.1
        //# Therefore, a TCP SHOULD set cwnd to no more than RW before beginning
        //# transmission if the TCP has not sent data in an interval exceeding
        //# the retransmission timeout.
        #[cfg(feature = "cubic")]
        if !env.tunables.slow_start_after_idle {
            return false;
        }
        let since = env.since(self.last_sent_ms);
        // No timeout is less than a tick: mostly it need not be worked out.
        // A model of the path says itself what to do after an idle time.
        since > 1 && since > self.rto(env) && !self.congestion.is_model()
    }

    pub(crate) fn restart_window(&self, env: &Env<'_>) -> u32 {
        initial_window(env.tunables.initial_window, self.mss)
    }

    // The receiver's side of what goes out.

    /// The window field of the next segment, and the right edge it stands for.
    ///
    /// The edge moves only in steps worth telling (silly-window avoidance), and never left. Where
    /// the scale cannot express the promised window it is rounded up as long as the buffer has
    /// the room; only then down, by less than one unit (RFC 7323 §2.4), and the promise is kept.
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
    //# A TCP implementation MAY keep its offered receive window closed
    //# indefinitely (MAY-8).
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn window_to_offer(&self) -> (u16, SeqNum) {
        let promised = self.rcv_adv.saturating_since(self.rcv_nxt);
        let free = self.rcv_buf.saturating_sub(self.rx.len);
        let unit = (1u32 << self.rcv_shift()).wrapping_sub(1);
        let whole = free & !unit;
        let window = if whole >= promised.saturating_add(self.window_step()) {
            whole
        } else {
            let up = promised.saturating_add(unit) & !unit;
            if up <= free { up } else { promised }
        };
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
        //# o  The window field (SEG.WND) of every outgoing segment, with the
        //# exception of <SYN> segments, MUST be right-shifted by
        //# Rcv.Wind.Shift bits:
        let field = (window >> self.rcv_shift()).min(0xffff);
        (field as u16, self.rcv_nxt.plus(field << self.rcv_shift()))
    }

    /// By how much the right edge must move for the peer to be told.
    #[inline]
    fn window_step(&self) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.2
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# receiver (MUST-39).
        (self.rcv_buf >> 1).min(u32::from(self.our_mss)).max(1)
    }

    /// Whether the user has read enough for a window update of its own: the edge can move by a
    /// step, and the peer may be running out of window.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub fn owes_window_update(&self) -> bool {
        let promised = self.rcv_adv.saturating_since(self.rcv_nxt);
        // What the field cannot express is no window.
        let largest = self.rcv_buf.min(0xffff << self.rcv_shift());
        if promised > largest >> 1 || !self.is_receiving() {
            return false;
        }
        // What a SYN could not promise in 16 bits goes with the first acknowledgment of data.
        if self.rcv_nxt == self.irs.plus(1) {
            return false;
        }
        #[cfg(feature = "fastopen")]
        if self.is_unconfirmed() {
            return false;
        }
        let (_, edge) = self.window_to_offer();
        edge.saturating_since(self.rcv_adv) >= self.window_step()
    }
}

/// A FIN alone.
pub(crate) fn plan_fin(plan: &mut Plan, seq: SeqNum) {
    plan.kind = PlanKind::Fin;
    plan.seq = seq;
    plan.flags |= TcpFlags::FIN;
}

/// `len` octets of a stretch of `whole`, a segment or more, in whole segments unless it is the end.
fn whole_segments(len: u32, mss: u32, whole: u32) -> u32 {
    // Without super-segments it is one segment.
    if len == whole || !OFFLOAD {
        len
    } else {
        len.wrapping_sub(len.checked_rem(mss).unwrap_or(0))
    }
}

#[cfg(all(test, feature = "fast-retransmit"))]
mod tests;
