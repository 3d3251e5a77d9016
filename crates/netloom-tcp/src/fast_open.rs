//! TCP Fast Open (RFC 7413): text on the SYN.
//!
//! Cookies are the caller's: here they are octets that go on the first SYN or SYN-ACK and come
//! out of one. They lie, until that is sent, where recovery keeps its state later.
//!
//! A side that opens actively sends the text of its SYN once. What the SYN-ACK does not acknowledge
//! counts as never sent, and so goes out as new text.
//!
//! A side that opens passively is ESTABLISHED as soon as the SYN is accepted, so that it can answer at
//! once; *unconfirmed* is such a connection until something of the peer's acknowledges the SYN-ACK,
//! which till then is what the retransmission timer repeats.

use netloom_wire::tcp_options::kind;
use netloom_wire::{FastOpenCookie, TcpFlags, TcpOptionWords};

use crate::congestion::Controller;
use crate::flags::Flags;
use crate::receive::without_syn;
use crate::recovery::{Marks, Phase, Prr};
use crate::{CloseReason, Connection, Env, HalfOpen, Io, News, OpenParams, Outcome, Segment};
use crate::{SeqNum, State};

/// That there is an option to be sent, beside the length of its cookie.
const PRESENT: u32 = 1 << 8;

/// Octets of options on a SYN at most.
const OPTIONS: u16 = 40;

impl Segment<'_> {
    /// The cookie of its Fast Open option, empty for a request; `None`: there is no such option,
    /// or it is of no legal length.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
    //# Options with invalid Length values or without the SYN flag set MUST
    //# be ignored.
    pub fn fast_open(&self) -> Option<FastOpenCookie> {
        if !self.has(TcpFlags::SYN) {
            return None;
        }
        match self.option(kind::FAST_OPEN)? {
            [] => Some(FastOpenCookie::REQUEST),
            cookie => FastOpenCookie::new(cookie),
        }
    }

    /// Whether it has an MSS option.
    pub fn tells_mss(&self) -> bool {
        self.option(kind::MSS).is_some()
    }
}

impl Connection {
    /// An open of this side, whose SYN is still to be sent, is a fast one: the SYN carries
    /// `cookie`, or asks for one; and text, of what is written by then, if the peer's MSS option
    /// was last `mss` octets; 0: none.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
    //# Otherwise, include the Fast Open option with the cookie of the
    //# server.  Include any data up to the cached server MSS or
    //# default 536 bytes.
    pub fn open_fast_to(&mut self, cookie: Option<&FastOpenCookie>, mss: u16) {
        if self.state != State::SynSent || !self.flags.has(Flags::SYN_OWED) {
            return;
        }
        // Nothing else is known of the peer's MSS yet.
        self.peer_mss = mss.min(self.path_mss).saturating_sub(OPTIONS);
        self.keep_cookie(cookie);
    }

    /// Text that goes with the SYN.
    pub(crate) fn syn_text(&self) -> u32 {
        //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
        //# To deal with network or servers dropping SYN packets with payload or
        //# unknown options, when the SYN timer fires, the client SHOULD
        //# retransmit a SYN packet without data and Fast Open options.
        if self.snd_nxt == self.iss {
            self.tx.len.min(u32::from(self.peer_mss))
        } else {
            0
        }
    }

    /// The SYN of an active open is acknowledged up to `ack`: what of its text is not counts as
    /// never sent.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
    //# The client SHOULD retransmit
    //# any unacknowledged data in the first ACK packet in step 2.
    pub(crate) fn take_syn_text_ack(&mut self, io: &Io<'_>, ack: SeqNum) {
        let taken = ack.saturating_since(self.snd_una).min(self.tx.len);
        self.tx.consume(io.tx.len(), taken);
        let una = self.snd_una.plus(taken);
        self.snd_una = una;
        self.retire_urgent_out();
        self.snd_nxt = una;
        self.snd_sml = una;
        self.recover = una;
        self.rtx_nxt = una;
    }

    /// How many octets of text the SYN-ACK acknowledged whose number this is; of a connection
    /// that has just been established.
    pub fn syn_text_taken(&self, ack: SeqNum) -> u32 {
        ack.saturating_since(self.iss.plus(1))
    }

    /// Whether our SYN had to be repeated.
    pub fn syn_was_repeated(&self) -> bool {
        self.flags.has(Flags::SYN_REPEATED)
    }

    /// Whether it was opened from this side.
    pub fn is_active_open(&self) -> bool {
        self.flags.has(Flags::ACTIVE)
    }

    /// The peer's MSS option, or the default, in octets.
    pub fn peer_mss(&self) -> u16 {
        self.peer_mss
    }

    fn keep_cookie(&mut self, cookie: Option<&FastOpenCookie>) {
        let Some(cookie) = cookie.map(FastOpenCookie::as_slice) else {
            return;
        };
        let mut bytes = [0; FastOpenCookie::MAX_LEN];
        if let Some(place) = bytes.get_mut(..cookie.len()) {
            place.copy_from_slice(cookie);
        }
        let [a, b, c, d] = words(bytes);
        self.prr = Prr {
            delivered: a,
            out: b,
            recover_fs: c,
        };
        self.prior_cwnd = d;
        self.prior_ssthresh = PRESENT | cookie.len() as u32;
    }

    /// Puts the cookie among the options of the first SYN or SYN-ACK.
    pub(crate) fn push_cookie(&self, options: &mut TcpOptionWords) {
        if self.prior_ssthresh & PRESENT == 0 {
            return;
        }
        let Prr {
            delivered,
            out,
            recover_fs,
        } = self.prr;
        let mut bytes = [0; FastOpenCookie::MAX_LEN];
        for (place, word) in
            bytes
                .chunks_exact_mut(4)
                .zip([delivered, out, recover_fs, self.prior_cwnd])
        {
            place.copy_from_slice(&word.to_be_bytes());
        }
        let len = (self.prior_ssthresh & 0xff) as usize;
        let cookie = match len {
            0 => Some(FastOpenCookie::REQUEST),
            len => FastOpenCookie::new(bytes.get(..len).unwrap_or_default()),
        };
        if let Some(cookie) = cookie {
            let _ = options.push_fast_open(&cookie);
        }
    }

    /// A SYN or SYN-ACK was sent: those that repeat it carry no cookie.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.1
    //# We
    //# RECOMMEND both the client and the server to retransmit SYN and SYN-
    //# ACK packets without the cookie options on timeouts.
    pub(crate) fn forget_cookie(&mut self) {
        if self.prior_ssthresh & PRESENT != 0 {
            self.prr = Prr::EMPTY;
            self.prior_cwnd = 0;
            self.prior_ssthresh = 0;
        }
    }

    /// A passive open, of a connection that is [`EMPTY`](Connection::EMPTY), by a SYN whose cookie
    /// was good: takes in its text. `fresh`: the cookie that the SYN-ACK is to carry.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
    //# If the FastOpened flag is set, the
    //# server MUST follow [RFC5681] (based on [RFC3390]) to set the
    //# initial congestion window for sending more data packets.
    pub fn open_fast_from(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        params: &OpenParams,
        entry: &HalfOpen,
        segment: &Segment<'_>,
        fresh: Option<&FastOpenCookie>,
    ) -> Outcome {
        self.open_passively(params, entry, env);
        self.marks.clear(Marks::ECN);
        self.establish(env);
        let _ = self.take_outcome();
        self.snd_wnd = u32::from(segment.window);
        self.max_snd_wnd = self.snd_wnd;
        self.snd_wl1 = segment.seq;
        self.snd_wl2 = self.iss;
        // What the peer answers is looked at closely, until it confirms the connection.
        self.phase = Phase::Reduced;
        self.recover = self.snd_nxt;
        self.flags.set(Flags::SYN_OWED);
        self.keep_cookie(fresh);
        self.receive_text(env, io, &without_syn(segment));
        self.flags.clear(Flags::ACK_NOW);
        self.ack_deadline = 0;
        self.take_outcome()
    }

    /// Whether nothing has acknowledged our SYN-ACK yet.
    #[inline]
    pub(crate) fn is_unconfirmed(&self) -> bool {
        // Once it is confirmed both are ISS again after each four gigabytes.
        self.snd_wl2 == self.iss
            && self.snd_una != self.iss
            && !self.flags.has(Flags::ACTIVE)
            && self.state.is_synchronized()
    }

    /// The SYN of an unconfirmed connection came again: whether this segment is it.
    pub(crate) fn repeats_fast_syn(&self, segment: &Segment<'_>) -> bool {
        self.is_unconfirmed()
            && segment.has(TcpFlags::SYN)
            && !segment.has(TcpFlags::ACK)
            && !segment.has(TcpFlags::RST)
            && segment.seq == self.irs
    }

    /// Something acknowledges our SYN-ACK.
    pub(crate) fn confirm(&mut self, io: &mut Io<'_>) {
        if self.phase == Phase::Reduced {
            // Nothing was reduced: a loss is to do that.
            self.phase = Phase::Open;
        }
        //= https://www.rfc-editor.org/rfc/rfc6928#section-2
        //# For this reason, it is RECOMMENDED that implementations refrain from
        //# resetting the initial window to 1 segment, unless there have been
        //# more than one SYN or SYN/ACK retransmissions or true loss detection
        //# has been made.
        if self.retries > 1 {
            let window = self.congestion.cwnd().min(u32::from(self.mss));
            self.congestion.set_cwnd(window);
        }
        if self.retries > 0 && self.records.len() > 0 {
            // The peer knew of no connection when this was sent.
            self.lose_all(io);
        }
        self.retries = 0;
        self.backoff = 0;
        self.flags.clear(Flags::SYN_OWED);
        self.report(News::ESTABLISHED);
    }

    /// The retransmission timer of an unconfirmed connection has expired.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.2.2
    //# If the SYN-ACK timer fires, the server SHOULD retransmit a SYN-ACK
    //# segment with neither data nor Fast Open options for compatibility
    //# reasons.
    pub(crate) fn repeat_fast_syn_ack(&mut self, env: &Env<'_>) {
        self.marks.clear(Marks::TIMERS.with(Marks::PROBE_DUE));
        if self.retries >= env.tunables.synack_retries {
            self.end(CloseReason::HandshakeTimedOut);
            return;
        }
        self.retries = self.retries.saturating_add(1);
        self.backoff = self.backoff.saturating_add(1);
        self.total_retransmissions = self.total_retransmissions.wrapping_add(1);
        self.flags.set(Flags::SYN_OWED);
        self.arm_retransmission(env);
    }
}

/// The octets of a cookie as four words.
fn words(bytes: [u8; FastOpenCookie::MAX_LEN]) -> [u32; 4] {
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
        *word = u32::from_be_bytes(chunk.try_into().unwrap_or_default());
    }
    words
}

#[cfg(test)]
mod tests;
