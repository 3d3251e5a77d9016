//! SYN cookies (RFC 4987 §3.6): a listener whose SYN queue is full keeps nothing of a handshake and
//! has the peer remember it.

use netloom_tcp::{HalfOpen, Segment, SynOffer, syn_cookie};
use netloom_wire::TcpFlags;

use crate::counters::{DropReason, count};
use crate::list::Ref;
use crate::log::note;
use crate::stack::Stack;
use crate::tuple::Tuple;

/// Seconds for which cookies are taken after the last one was sent.
const COOKIE_LIFE: u32 = 128;

impl Stack {
    /// Answers a SYN without keeping anything (RFC 4987 §3.6).
    pub(super) fn send_cookie(&mut self, tuple: &Tuple, iface: u8, offer: &SynOffer) {
        let step = self.cookie_step();
        let hash = self.keys.cookie(tuple, step);
        let default = if tuple.remote.is_v4() { 536 } else { 1220 };
        let iss = syn_cookie::encode(step, hash, offer.irs, offer.mss.unwrap_or(default));
        let mut kept = *offer;
        if offer.timestamps.is_none() || !self.tunables.tcp.timestamps {
            // Without timestamps there is nowhere to keep what was offered.
            kept.window_scale = None;
            kept.sack = false;
        }
        // There is nowhere to keep that ECN was asked for.
        kept.ecn = false;
        let half = HalfOpen::new(iss, &kept, &self.tunables.tcp);
        let ts_offset = self.ts_offset(tuple);
        let (mss, rcv_buf) = self.announced(tuple, iface);
        let now_ms = self.clock.now_ms;
        let stamp = syn_cookie::encode_timestamp(now_ms, offer);
        let reply = half.syn_ack(
            &self.clock.env(&self.tunables.tcp, 0),
            stamp.wrapping_sub(now_ms).wrapping_add(ts_offset),
            mss,
            rcv_buf,
        );
        self.send_reply(tuple, Some(iface), &reply);
        note!(
            trace,
            "tcp port {}: the SYN queue is full, a cookie is sent",
            tuple.local_port
        );
        self.tcp.syn.last_cookie = Some(self.seconds());
        count!(self, tcp_syn_cookies_sent);
    }

    /// Seconds, wrapping: from the millisecond clock, without a 64-bit division.
    fn seconds(&self) -> u32 {
        self.clock.now_ms / 1_000
    }

    fn cookie_step(&self) -> u32 {
        self.seconds() / syn_cookie::STEP_SECONDS
    }

    /// An ACK for a listener: perhaps a cookie comes back. `None` if not.
    pub(super) fn cookie_input(
        &mut self,
        listener: u32,
        tuple: &Tuple,
        iface: u8,
        segment: &Segment<'_>,
    ) -> Option<Result<(), DropReason>> {
        // Only while cookies may be out: at other times nobody can guess their way in.
        let recent = self
            .tcp
            .syn
            .last_cookie
            .is_some_and(|last| self.seconds().wrapping_sub(last) <= COOKIE_LIFE);
        if !recent || segment.flags.intersects(TcpFlags::SYN.with(TcpFlags::RST)) {
            return None;
        }
        let ts_offset = self.ts_offset(tuple);
        let timestamps = segment
            .timestamps
            .map(|t| (t.value, t.echo.wrapping_sub(ts_offset)));
        let keys = &self.keys;
        let Some(half) = syn_cookie::decode(
            self.cookie_step(),
            &|step| keys.cookie(tuple, step),
            segment.seq,
            segment.ack,
            timestamps,
            &self.tunables.tcp,
        ) else {
            // Perhaps what follows on a cookie that was overtaken: a reset would end a
            // connection that its next repetition completes.
            return Some(Err(DropReason::TcpBadCookie));
        };
        // What cannot be taken now is not refused: the peer repeats it.
        let result = self.complete(listener, Ref::NONE, tuple, iface, &half, segment);
        if result.is_ok() {
            count!(self, tcp_syn_cookies_accepted);
        }
        Some(result)
    }
}
