//! Keep-alives (RFC 9293 §3.8.4), and the segments of all probes.

use crate::flags::Flags;
use crate::{CloseReason, Connection, Env, Plan, PlanKind};

impl Connection {
    /// Whether the keep-alive timer should run and does not.
    #[inline]
    pub(crate) fn wants_keepalive_timer(&self) -> bool {
        self.flags.has(Flags::KEEPALIVE)
            && self.keepalive_deadline == 0
            && self.state.is_synchronized()
    }

    pub(crate) fn on_keepalive_timer(&mut self, env: &Env<'_>) {
        let idle = env.since(self.last_received_ms);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# Keep-alive packets MUST only be sent when no sent data is
        //# outstanding, and no data or acknowledgment packets have been received
        //# for the connection within an interval (MUST-26).
        let wait = if self.flight() > 0 || self.unsent() > 0 {
            self.probes = 0;
            self.keepalive_idle
        } else if idle < self.keepalive_idle {
            self.keepalive_idle.saturating_sub(idle)
        } else if self.probes < self.keepalive_count {
            self.probes = self.probes.saturating_add(1);
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
            //# Implementers MAY include "keep-alives" in their TCP implementations
            //# (MAY-5), although this practice is not universally accepted.
            self.flags.set(Flags::KEEPALIVE_OWED);
            self.keepalive_interval
        } else {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
            //# Consequently, if a
            //# keep-alive mechanism is implemented it MUST NOT interpret failure to
            //# respond to any specific probe as a dead connection (MUST-29).
            self.reset(CloseReason::KeepAliveTimedOut);
            return;
        };
        self.keepalive_deadline = env.after(wait);
    }

    /// The zero-window or keep-alive probe that is owed.
    pub(crate) fn plan_probe(&self, plan: &mut Plan) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.4
        //# An implementation SHOULD send a keep-alive segment with no data
        //# (SHLD-12);
        plan.seq = self.snd_nxt.minus(1);
        plan.kind = PlanKind::KeepAlive;
        if self.flags.has(Flags::PROBE_OWED) {
            plan.kind = PlanKind::WindowProbe;
            if self.tx.len > 0 {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
                //# The sending TCP peer must regularly transmit at least one octet of
                //# new data (if available), or retransmit to the receiving TCP peer even
                //# if the send window is zero, in order to "probe" the window.
                plan.seq = self.snd_una;
                plan.len = 1;
                plan.sack_blocks = self.sack_blocks(true);
            }
        }
    }
}
