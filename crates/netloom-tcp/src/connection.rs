//! The connection: its variables, and the settings a user may change.

use core::mem::offset_of;

use crate::congestion::{Congestion, Controller};
use crate::flags::Flags;
#[cfg(feature = "plpmtud")]
use crate::path_search::PathSearch;
#[cfg(feature = "fast-retransmit")]
use crate::records::RecordTable;
use crate::recovery::Phase;
#[cfg(not(feature = "fast-retransmit"))]
use crate::recovery::RecordTable;
#[cfg(feature = "rack")]
use crate::recovery::{Marks, Prr, Rack};
use crate::ring::Ring;
use crate::rtt::RttEstimator;
use crate::timers::LONGEST_WAIT;
use crate::{
    ACTIVE_OPEN, CloseReason, DISCARDS, Discard, FAST_RETRANSMIT, IcmpError, Io, News, Outcome,
    SeqNum, State, WINDOW_SCALE,
};

#[cfg(feature = "keepalive")]
use crate::Keepalive;

/// One TCP connection. See the [crate's documentation](crate) for how to drive it.
///
/// What the transfer of data in order touches most comes first, in 128 octets: single octets,
/// pairs, then words, because instructions of small machines reach the farther the wider.
#[derive(Debug, Clone, PartialEq)]
#[repr(C)]
pub struct Connection {
    pub(crate) state: State,
    pub(crate) phase: Phase,
    /// Snd.Wind.Shift: by how much the peer's windows are scaled.
    pub(crate) snd_wscale: u8,
    /// Rcv.Wind.Shift: by how much ours are.
    pub(crate) rcv_wscale: u8,
    pub(crate) flags: Flags,
    /// What the call in progress did; nothing between calls.
    pub(crate) outcome: Outcome,
    /// Duplicate acknowledgments still owed to a peer without SACK.
    pub(crate) dup_acks_owed: u8,
    /// Segments still to be acknowledged at once.
    pub(crate) quick_acks: u8,
    /// Duplicate acknowledgments received since the last new one.
    pub(crate) dup_acks: u8,
    /// Retransmissions of what is at SND.UNA.
    pub(crate) retries: u8,
    /// How often the timeout is doubled.
    pub(crate) backoff: u8,
    /// Unanswered keep-alive probes.
    pub(crate) probes: u8,
    pub(crate) close_reason: Option<CloseReason>,
    pub(crate) soft_error_seen: Option<IcmpError>,
    /// Eff.snd.MSS: payload of a full-sized segment that carries no SACK blocks.
    pub(crate) mss: u16,
    /// The largest segment seen from the peer: what "full-sized" means for delayed ACKs.
    pub(crate) rcv_mss: u16,
    pub(crate) records: RecordTable,
    pub(crate) range_count: u16,
    /// The MSS option we sent.
    pub(crate) our_mss: u16,

    // Receive sequence variables (RFC 9293 §3.3.1).
    pub(crate) rcv_nxt: SeqNum,
    /// RCV.NXT + RCV.WND: the right edge of the window, as far as it was ever promised.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
    //# 1)  The receiver MUST honor, as in window, any segment that would
    //# have been in window for any <ACK> sent by the receiver.
    //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
    //# 2)  When window scaling is in effect, the receiver SHOULD track the
    //# actual maximum window sequence number (which is likely to be
    //# greater than the window announced by the most recent <ACK>, if
    //# more than one segment has arrived since the application consumed
    //# any data in the receive buffer).
    pub(crate) rcv_adv: SeqNum,
    /// Last.ACK.sent (RFC 7323 §4.3).
    pub(crate) last_ack_sent: SeqNum,
    /// TS.Recent (RFC 7323 §4.3).
    pub(crate) ts_recent: u32,
    /// RCV.BUFF: what the window may promise at most.
    pub(crate) rcv_buf: u32,
    pub(crate) rx: Ring,

    // Send sequence variables (RFC 9293 §3.3.1).
    pub(crate) snd_una: SeqNum,
    pub(crate) snd_nxt: SeqNum,
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //# It is RECOMMENDED that implementations will
    //# reserve 32-bit fields for the send and receive window sizes in the
    //# connection record and do all window computations with 32 bits (REC-
    //# 1).
    pub(crate) snd_wnd: u32,
    pub(crate) snd_wl1: SeqNum,
    pub(crate) snd_wl2: SeqNum,
    pub(crate) tx: Ring,
    /// Octets in flight that the peer holds out of order: reported by SACK, or one MSS for each
    /// duplicate acknowledgment.
    pub(crate) sacked: u32,
    /// Octets in flight taken as lost and not yet retransmitted.
    pub(crate) lost: u32,
    /// The end of the last segment sent that was less than full-sized (Minshall's SND.SML).
    pub(crate) snd_sml: SeqNum,
    /// Retransmission or persist timer, on the millisecond clock; zero: off, as with all
    /// deadlines.
    pub(crate) rtx_deadline: u32,
    /// Delayed-acknowledgment timer.
    pub(crate) ack_deadline: u32,
    /// When the wait for what is at SND.UNA began; zero: nothing is waited for.
    pub(crate) una_since: u32,
    /// When a segment was last accepted, on the millisecond clock.
    pub(crate) last_received_ms: u32,

    // Beyond two cache lines.
    /// When data was last sent, on the millisecond clock.
    pub(crate) last_sent_ms: u32,
    pub(crate) max_snd_wnd: u32,
    pub(crate) congestion: Congestion,
    /// The congestion window before it was last reduced; 0: it never was.
    #[cfg(any(feature = "cubic", feature = "rack"))]
    pub(crate) prior_cwnd: u32,
    /// ssthresh before it was last reduced.
    #[cfg(feature = "rack")]
    pub(crate) prior_ssthresh: u32,
    #[cfg(feature = "rack")]
    pub(crate) prr: Prr,
    #[cfg(feature = "rack")]
    pub(crate) rack: Rack,
    /// Octets delivered to the peer, wrapping.
    pub(crate) delivered: u32,
    pub(crate) rtt: RttEstimator,
    /// When the round trip began in which it is measured what the user reads, on the
    /// millisecond clock.
    #[cfg(feature = "autotune")]
    pub(crate) round_ms: u32,
    /// How far the user had read then.
    #[cfg(feature = "autotune")]
    pub(crate) round_read: SeqNum,
    pub(crate) keepalive_deadline: u32,
    /// FIN-WAIT-2 without user, linger, half-closed.
    pub(crate) close_deadline: u32,
    // These four are in milliseconds.
    pub(crate) user_timeout: u32,
    pub(crate) keepalive_idle: u32,
    pub(crate) keepalive_interval: u32,
    pub(crate) linger: u32,
    pub(crate) ts_offset: u32,
    pub(crate) iss: SeqNum,
    pub(crate) irs: SeqNum,
    /// When our SYN was last sent, in microseconds, wrapping; once the connection is established,
    /// RACK.xmit_ts.
    pub(crate) xmit_ts: u32,
    /// The end of the segment whose round trip is measured, sent at `xmit_ts`; up to SND.UNA:
    /// there is none.
    #[cfg(not(feature = "fast-retransmit"))]
    pub(crate) timed: SeqNum,
    /// `recover` of RFC 6582, RecoveryPoint of RFC 6675.
    pub(crate) recover: SeqNum,
    /// HighRxt of RFC 6675, as the octet after: how far this recovery has retransmitted.
    pub(crate) rtx_nxt: SeqNum,
    /// Where the peer's FIN is, if it is known and beyond a gap.
    pub(crate) rcv_fin: SeqNum,
    /// The octet after the last one received, while there are ranges.
    pub(crate) rcv_high: SeqNum,
    /// RCV.UP: the octet after the peer's urgent data.
    pub(crate) rcv_up: SeqNum,
    /// SND.UP: the octet after our urgent data. While there is none, the moment by which it is judged
    /// whether a reduction was a mistake.
    pub(crate) snd_up: SeqNum,
    /// Where duplicate data begins that is to be reported in the next acknowledgment (RFC 2883).
    pub(crate) dsack: SeqNum,
    /// How long it is.
    pub(crate) dsack_len: u16,
    /// Where SND.UNA was at the last reduction, as [`Connection::round`] tells it.
    #[cfg(feature = "rack")]
    pub(crate) undo_from: u16,
    /// When the last challenge ACK was sent, on the millisecond clock.
    pub(crate) challenged_ms: u32,
    pub(crate) total_retransmissions: u32,
    /// The MSS option of the peer, or the default.
    pub(crate) peer_mss: u16,
    /// Options and payload the path carries.
    pub(crate) path_mss: u16,
    /// What is known of the sizes the path carries.
    #[cfg(feature = "plpmtud")]
    pub(crate) search: PathSearch,
    pub(crate) keepalive_count: u8,
    /// RACK.reo_wnd_persist plus one; 0: the peer never reported a duplicate.
    #[cfg(feature = "rack")]
    pub(crate) reo_wnd_persist: u8,
    #[cfg(feature = "rack")]
    pub(crate) marks: Marks,
}

const _: () = {
    assert!(size_of::<Connection>() <= 316);
    assert!(offset_of!(Connection, last_received_ms) + size_of::<u32>() <= 128);
};

/// The least MSS believed of a path.
const MIN_PATH_MSS: u16 = 48;

/// Milliseconds from microseconds, rounded up, at most half the range of the clock.
fn millis(micros: u64) -> u32 {
    u32::try_from(micros.div_ceil(1_000)).map_or(LONGEST_WAIT, |ms| ms.min(LONGEST_WAIT))
}

impl Connection {
    /// No connection: all bytes zero, state CLOSED.
    pub const EMPTY: Connection = Connection {
        state: State::Closed,
        phase: Phase::Open,
        snd_wscale: 0,
        rcv_wscale: 0,
        flags: Flags::NONE,
        outcome: Outcome::NOTHING,
        rcv_nxt: SeqNum(0),
        rcv_adv: SeqNum(0),
        last_ack_sent: SeqNum(0),
        ts_recent: 0,
        rcv_buf: 0,
        rx: Ring::EMPTY,
        snd_una: SeqNum(0),
        snd_nxt: SeqNum(0),
        snd_wnd: 0,
        snd_wl1: SeqNum(0),
        snd_wl2: SeqNum(0),
        max_snd_wnd: 0,
        tx: Ring::EMPTY,
        records: RecordTable::EMPTY,
        range_count: 0,
        mss: 0,
        congestion: Congestion::EMPTY,
        #[cfg(any(feature = "cubic", feature = "rack"))]
        prior_cwnd: 0,
        sacked: 0,
        lost: 0,
        rcv_mss: 0,
        dup_acks_owed: 0,
        quick_acks: 0,
        delivered: 0,
        last_received_ms: 0,
        snd_sml: SeqNum(0),
        rtx_deadline: 0,
        ack_deadline: 0,
        una_since: 0,
        rtt: RttEstimator::EMPTY,
        last_sent_ms: 0,
        #[cfg(feature = "autotune")]
        round_ms: 0,
        #[cfg(feature = "autotune")]
        round_read: SeqNum(0),
        keepalive_deadline: 0,
        close_deadline: 0,
        user_timeout: 0,
        keepalive_idle: 0,
        keepalive_interval: 0,
        linger: 0,
        ts_offset: 0,
        iss: SeqNum(0),
        irs: SeqNum(0),
        recover: SeqNum(0),
        rtx_nxt: SeqNum(0),
        rcv_fin: SeqNum(0),
        rcv_high: SeqNum(0),
        rcv_up: SeqNum(0),
        snd_up: SeqNum(0),
        dsack: SeqNum(0),
        dsack_len: 0,
        #[cfg(feature = "rack")]
        undo_from: 0,
        challenged_ms: 0,
        total_retransmissions: 0,
        peer_mss: 0,
        path_mss: 0,
        our_mss: 0,
        xmit_ts: 0,
        #[cfg(not(feature = "fast-retransmit"))]
        timed: SeqNum(0),
        dup_acks: 0,
        retries: 0,
        backoff: 0,
        probes: 0,
        #[cfg(feature = "plpmtud")]
        search: PathSearch::EMPTY,
        keepalive_count: 0,
        #[cfg(feature = "rack")]
        reo_wnd_persist: 0,
        #[cfg(feature = "rack")]
        marks: Marks::NONE,
        #[cfg(feature = "rack")]
        prior_ssthresh: 0,
        #[cfg(feature = "rack")]
        prr: Prr::EMPTY,
        #[cfg(feature = "rack")]
        rack: Rack::EMPTY,
        close_reason: None,
        soft_error_seen: None,
    };

    /// The state.
    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the connection ended, once it has.
    #[inline]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.close_reason
    }

    /// Whether nobody owns the connection any more: [`Connection::close`] was called.
    #[inline]
    pub fn is_orphan(&self) -> bool {
        self.flags.has(Flags::ORPHAN)
    }

    /// Snd.Wind.Shift.
    #[inline]
    pub(crate) fn snd_shift(&self) -> u8 {
        if WINDOW_SCALE { self.snd_wscale } else { 0 }
    }

    /// Rcv.Wind.Shift.
    #[inline]
    pub(crate) fn rcv_shift(&self) -> u8 {
        if WINDOW_SCALE { self.rcv_wscale } else { 0 }
    }

    /// Changes what the window may promise. What was promised stays promised: the right edge
    /// never moves left. Beyond 65 535 octets times the agreed scale it has no effect.
    pub fn set_rcv_buf(&mut self, rcv_buf: u32) {
        self.rcv_buf = rcv_buf;
    }

    /// The congestion window, in octets.
    #[inline]
    pub fn cwnd(&self) -> u32 {
        self.congestion.cwnd()
    }

    /// How many octets of options and payload the path carries, as last set.
    #[inline]
    pub fn path_mss(&self) -> u16 {
        self.path_mss
    }

    /// Changes how many octets of options and payload the path carries (path MTU discovery:
    /// the path MTU less 40 for IPv4, 60 for IPv6). What is in flight in larger segments is
    /// retransmitted at once, without a penalty to the congestion window (RFC 8201 §5.4).
    pub fn set_path_mss(&mut self, io: &mut Io<'_>, path_mss: u16) {
        self.path_mss = path_mss.max(MIN_PATH_MSS);
        let before = self.mss;
        #[cfg(feature = "plpmtud")]
        let refused = self.path_is_said_to_carry_less();
        #[cfg(not(feature = "plpmtud"))]
        let refused = false;
        self.update_mss();
        if self.mss < before || refused {
            self.retransmit_oversized(io);
        }
    }

    /// Eff.snd.MSS (RFC 9293 §3.7.1).
    pub(crate) fn update_mss(&mut self) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //# The maximum size of a segment that a TCP endpoint really sends, the
        //# "effective send MSS", MUST be the smaller (MUST-16) of the send MSS
        //# (that reflects the available reassembly buffer size at the remote
        //# host, the EMTU_R [19]) and the largest transmission size permitted by
        //# the IP layer (EMTU_S [19]):
        let options = if self.flags.has(Flags::TIMESTAMPS) {
            12
        } else {
            0
        };
        //= https://www.rfc-editor.org/rfc/rfc8899#section-5
        //# A PL MUST
        //# adjust the MPS indicated by DPLPMTUD to account for any additional
        //# overhead introduced by the PL.
        let limit = self.peer_mss.min(self.path_mss);
        #[cfg(feature = "plpmtud")]
        //= https://www.rfc-editor.org/rfc/rfc8899#section-3
        //# A PL MUST NOT send a datagram (other than a probe
        //# packet) with a size at the PL that is larger than the current
        //# PLPMTU.
        let limit = self.search.limit(limit);
        self.mss = limit.saturating_sub(options).max(1);
    }

    /// Switches the Nagle algorithm off or on.
    pub fn set_nodelay(&mut self, nodelay: bool) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
        //# However, there MUST be a way for an application
        //# to disable the Nagle algorithm on an individual connection (MUST-17).
        self.flags.put(Flags::NODELAY, nodelay);
    }

    /// Switches keep-alives on or off. Ask [`Connection::next`] afterwards: it starts the timer.
    #[cfg(feature = "keepalive")]
    pub fn set_keepalive(&mut self, keepalive: Option<Keepalive>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# If
        //# keep-alives are included, the application MUST be able to turn them
        //# on or off for each TCP connection (MUST-24), and they MUST default to
        //# off (MUST-25).
        self.flags
            .clear(Flags::KEEPALIVE.with(Flags::KEEPALIVE_OWED));
        self.keepalive_deadline = 0;
        self.probes = 0;
        if let Some(Keepalive {
            idle,
            interval,
            count,
        }) = keepalive
        {
            self.flags.set(Flags::KEEPALIVE);
            self.keepalive_idle = millis(idle).max(1_000);
            self.keepalive_interval = millis(interval).max(1_000);
            self.keepalive_count = count.max(2);
        }
    }

    /// Sets this connection's own user timeout in microseconds (R2, also for the handshake);
    /// 0: for ever; `None`: the tunable's. Whole milliseconds count, 24 days at most.
    #[cfg(feature = "user-timeout")]
    pub fn set_user_timeout(&mut self, timeout: Option<u64>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.3
        //# An application MUST (MUST-21) be able to set the value for R2
        //# for a particular connection.
        self.flags.put(Flags::OWN_USER_TIMEOUT, timeout.is_some());
        self.user_timeout = millis(timeout.unwrap_or(0));
    }

    /// How long `close` may leave data unacknowledged, in microseconds: `None` for as long as it
    /// takes, `Some(0)` to abort instead of closing. Whole milliseconds count, 24 days at most.
    #[cfg(feature = "linger")]
    pub fn set_linger(&mut self, linger: Option<u64>) {
        self.flags.put(Flags::LINGER, linger.is_some());
        self.linger = millis(linger.unwrap_or(0));
    }

    /// Acknowledges the next 16 segments, and what is waiting to be acknowledged, at once.
    pub fn set_quickack(&mut self) {
        self.quick_acks = 16;
        if self.ack_deadline != 0 {
            self.flags.set(Flags::ACK_NOW);
        }
    }

    /// The last soft ICMP error, which is forgotten by asking.
    pub fn take_soft_error(&mut self) -> Option<IcmpError> {
        self.soft_error_seen.take()
    }

    /// Adds to what the call in progress did.
    #[inline]
    pub(crate) fn report(&mut self, news: News) {
        self.outcome.news.insert(news.told());
    }

    /// The segment, or part of it, is not used.
    #[inline]
    pub(crate) fn discard(&mut self, why: Discard) {
        if DISCARDS || why.is_of_text() {
            self.outcome.discard = Some(why);
        }
    }

    /// What the call did that ends here.
    #[inline]
    pub(crate) fn take_outcome(&mut self) -> Outcome {
        core::mem::replace(&mut self.outcome, Outcome::NOTHING)
    }

    // The quantities the RFCs reason with.

    /// FlightSize (RFC 5681 §2): sequence space sent and not acknowledged.
    #[inline]
    pub(crate) fn flight(&self) -> u32 {
        self.snd_nxt.since(self.snd_una)
    }

    /// Pipe (RFC 6675 §2): octets thought to be in the network.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn pipe(&self) -> u32 {
        let left = if FAST_RETRANSMIT { self.sacked } else { 0 };
        self.flight().saturating_sub(left).saturating_sub(self.lost)
    }

    /// SND.NXT less our FIN: the octet after the last data octet that was sent.
    #[inline]
    pub(crate) fn data_end(&self) -> SeqNum {
        self.snd_nxt
            .minus(u32::from(self.flags.has(Flags::FIN_SENT)))
    }

    /// The sequence number of the first octet in the send ring.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn data_una(&self) -> SeqNum {
        match self.state {
            // Without an active open nothing is written before the handshake is complete.
            State::Closed | State::Listen | State::SynSent | State::SynReceived if ACTIVE_OPEN => {
                self.iss.plus(1)
            }
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait
            | State::Closing
            | State::LastAck
            | State::TimeWait => self.snd_una,
        }
    }

    /// Octets in the send ring that were sent.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn sent_data(&self) -> u32 {
        self.data_end().saturating_since(self.data_una())
    }

    /// Octets in the send ring that were never sent.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn unsent(&self) -> u32 {
        self.tx.len.saturating_sub(self.sent_data())
    }

    /// The usable window: SND.UNA + SND.WND - SND.NXT, 0 if that is negative.
    #[inline]
    pub(crate) fn usable_window(&self) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //# However, a sending TCP peer MUST
        //# be robust against window shrinking, which may cause the "usable
        //# window" (see Section 3.8.6.2.1) to become negative (MUST-34).
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //# Implementations MUST ensure that they handle a shrinking
        //# window, as specified in Section 4.2.2.16 of [RFC1122].
        self.snd_wnd.saturating_sub(self.flight())
    }

    /// Whether our FIN was sent and acknowledged.
    #[inline]
    pub(crate) fn fin_acked(&self) -> bool {
        self.flags.has(Flags::FIN_SENT) && self.snd_una == self.snd_nxt
    }
}
