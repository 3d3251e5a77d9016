//! Keep-alives (RFC 9293 §3.8.4), and the segments of all probes.

use netloom_driver::Instant;

use crate::flags::Flags;
use crate::{CloseReason, Connection, Env, Io, Outcome, Plan, PlanKind};

impl Connection {
    /// Whether the keep-alive timer should run and does not.
    #[inline]
    pub(crate) fn wants_keepalive_timer(&self) -> bool {
        self.flags.has(Flags::KEEPALIVE)
            && self.keepalive_deadline == Instant::ZERO
            && self.state.is_synchronized()
    }

    pub(crate) fn on_keepalive_timer(&mut self, env: &Env<'_>, out: &mut Outcome) {
        if !self.flags.has(Flags::KEEPALIVE) {
            self.keepalive_deadline = Instant::ZERO;
            return;
        }
        let idle_ms = env.now_ms.wrapping_sub(self.last_received_ms);
        let idle = u64::from(idle_ms).saturating_mul(1_000);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# Keep-alive packets MUST only be sent when no sent data is
        //# outstanding, and no data or acknowledgment packets have been received
        //# for the connection within an interval (MUST-26).
        if self.flight() > 0 || self.unsent() > 0 {
            self.probes = 0;
            self.keepalive_deadline = env.now.plus_micros(self.keepalive_idle);
            return;
        }
        if idle < self.keepalive_idle {
            let rest = self.keepalive_idle.saturating_sub(idle);
            self.keepalive_deadline = env.now.plus_micros(rest);
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# Consequently, if a
        //# keep-alive mechanism is implemented it MUST NOT interpret failure to
        //# respond to any specific probe as a dead connection (MUST-29).
        if self.probes >= self.keepalive_count {
            self.reset(CloseReason::KeepAliveTimedOut);
            out.owes_frame = true;
            return;
        }
        self.probes = self.probes.saturating_add(1);
        self.flags.set(Flags::KEEPALIVE_OWED);
        self.keepalive_deadline = env.now.plus_micros(self.keepalive_interval);
    }

    /// The zero-window or keep-alive probe that is owed.
    pub(crate) fn plan_probe(&self, env: &Env<'_>, io: &Io<'_>) -> Plan {
        if self.flags.has(Flags::PROBE_OWED) && self.tx.len > 0 {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
            //# The sending TCP peer must regularly transmit at least one octet of
            //# new data (if available), or retransmit to the receiving TCP peer even
            //# if the send window is zero, in order to "probe" the window.
            return self.segment(env, io, PlanKind::WindowProbe, self.snd_una, 1);
        }
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# An implementation SHOULD send a keep-alive segment with no data
        //# (SHLD-12);
        let kind = if self.flags.has(Flags::PROBE_OWED) {
            PlanKind::WindowProbe
        } else {
            PlanKind::KeepAlive
        };
        self.segment(env, io, kind, self.snd_nxt.minus(1), 0)
    }
}
