//! Neighbor Unreachability Detection (RFC 4861 §7.3): when to ask, when to give up.

use netloom_driver::Instant;
use netloom_wire::Addr;

use super::cache::{Queue, millis, queue_of};
use super::{Action, NUD, NeighborCache, NeighborId, NeighborState, NeighborTunables};

impl NeighborCache {
    /// The upper layer has seen that what it sent arrives (RFC 4861 §7.3.1): a new
    /// acknowledgment, for instance.
    #[inline]
    pub fn confirm(&mut self, now: Instant, iface: u8, addr: &Addr) {
        if !NUD {
            return;
        }
        let Some(index) = self.entries.find(iface, addr) else {
            return;
        };
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# The one exception is that upper-layer advice
        //# has no effect on entries in the INCOMPLETE state (e.g., for which no
        //# link-layer address is cached).
        match entry.state {
            NeighborState::Reachable => entry.confirmed = now,
            NeighborState::Stale | NeighborState::Delay | NeighborState::Probe => {
                self.change(index, |entry| {
                    entry.state = NeighborState::Reachable;
                    entry.confirmed = now;
                });
            }
            NeighborState::Free
            | NeighborState::Incomplete
            | NeighborState::Static
            | NeighborState::Failed => {}
        }
    }

    /// The upper layer gets no answer through this neighbour (RFC 1122 §2.3.2.1 (4),
    /// RFC 9293 §3.8.3 R1): it is probed as soon as the rate allows. What it is sent meanwhile
    /// still goes to the known address.
    pub fn suspect(&mut self, now: Instant, iface: u8, addr: &Addr) {
        if !NUD {
            return;
        }
        let Some(index) = self.entries.lookup(iface, addr) else {
            return;
        };
        let Some(entry) = self.entries.get(index) else {
            return;
        };
        match entry.state {
            NeighborState::Reachable | NeighborState::Stale | NeighborState::Delay => {
                self.change(index, |entry| {
                    entry.state = NeighborState::Probe;
                    entry.probes = 0;
                    entry.deadline = now.max(entry.quiet_until);
                });
            }
            NeighborState::Free
            | NeighborState::Incomplete
            | NeighborState::Probe
            | NeighborState::Static
            | NeighborState::Failed => {}
        }
    }

    /// The next thing that is due at `now`, on any interface; `None` when nothing is.
    pub fn poll(&mut self, now: Instant, tunables: &NeighborTunables) -> Option<Action> {
        self.poll_where(now, tunables, None)
    }

    /// [`poll`](Self::poll) of one interface, for a stack that sends on one at a time.
    pub fn poll_iface(
        &mut self,
        now: Instant,
        iface: u8,
        tunables: &NeighborTunables,
    ) -> Option<Action> {
        self.poll_where(now, tunables, Some(iface))
    }

    fn poll_where(
        &mut self,
        now: Instant,
        tunables: &NeighborTunables,
        iface: Option<u8>,
    ) -> Option<Action> {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# If the entry is still in
        //# the DELAY state when the timer expires, the entry's state changes to
        //# PROBE.
        while NUD {
            let Some(index) = self.first_due(Queue::Delayed, now, iface) else {
                break;
            };
            self.change(index, |entry| {
                entry.state = NeighborState::Probe;
                entry.probes = 0;
                entry.deadline = now.max(entry.quiet_until);
            });
        }
        let index = self.first_due(Queue::Soliciting, now, iface)?;
        let id = NeighborId(self.entries.id(index));
        let entry = self.entries.get(index)?;
        let (iface, addr) = (entry.iface, entry.addr);
        let unicast = if NUD { entry.mac() } else { None };
        let most = match unicast {
            Some(_) => tunables.max_unicast_solicit,
            None => tunables.max_multicast_solicit,
        };
        if entry.probes < most {
            self.change(index, |entry| {
                entry.probes += 1;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
                //# A node MUST NOT send Neighbor Solicitations to the
                //# same neighbor more frequently than once every RetransTimer
                //# milliseconds.
                entry.deadline = now.plus_micros(millis(tunables.retrans_timer));
                entry.quiet_until = entry.deadline;
            });
            return Some(Action::Solicit {
                iface,
                addr,
                unicast,
                id,
            });
        }
        if unicast.is_none() || entry.is_waited_for() {
            self.change(index, |entry| entry.state = NeighborState::Failed);
            return Some(Action::Failed { id });
        }
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.3.3
        //# If no response is
        //# received after waiting RetransTimer milliseconds after sending the
        //# MAX_UNICAST_SOLICIT solicitations, retransmissions cease and the
        //# entry SHOULD be deleted.
        let router = entry.router;
        self.delete(index);
        Some(Action::Expired {
            iface,
            addr,
            router,
        })
    }

    /// The solicitation that [`poll`](Self::poll) asked for could not be sent, the device
    /// having no room: it is due again, and was not counted. To be called before anything else.
    pub fn not_sent(&mut self, id: NeighborId, now: Instant) {
        // Where nothing is verified it is asked for still.
        let index = if NUD {
            self.entries.index(id.0)
        } else {
            Some(id.index())
        };
        let Some(index) = index else {
            return;
        };
        if !NUD || self.entries.get(index).and_then(queue_of) == Some(Queue::Soliciting) {
            self.change(index, |entry| {
                entry.probes = entry.probes.saturating_sub(1);
                entry.deadline = now;
                entry.quiet_until = now;
            });
        }
    }
}
