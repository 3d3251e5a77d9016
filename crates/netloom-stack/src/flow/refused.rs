//! Refused flows: counted, and remembered with what their peers were told.

use netloom_tcp::CloseReason;

use crate::counters::count;
use crate::error::Error;
use crate::flow::table::Phase;
use crate::flow::{FlowId, FlowProtocol, Refusal, Unreachable};
#[cfg(feature = "inspect")]
use crate::inspect::DeadProtocol;
use crate::list::Kind;
use crate::log::note;
use crate::stack::Stack;
use crate::tuple::Tuple;

impl Stack {
    /// A flow was refused; `None`: as nobody decided upon it.
    pub(super) fn flow_refused(
        &mut self,
        protocol: FlowProtocol,
        tuple: &Tuple,
        refusal: Option<Refusal>,
    ) {
        match protocol {
            FlowProtocol::Tcp => count!(self, tcp_flows_refused),
            FlowProtocol::Udp => count!(self, udp_flows_refused),
            FlowProtocol::Echo => count!(self, icmp_flows_refused),
        }
        let reason = refusal.map_or(CloseReason::PeerNeverAppeared, |r| told_by(protocol, r));
        note!(debug, "flow refused: {}", reason.message());
        #[cfg(feature = "inspect")]
        {
            let protocol = match protocol {
                FlowProtocol::Tcp => DeadProtocol::Tcp,
                FlowProtocol::Udp => DeadProtocol::Udp,
                FlowProtocol::Echo => DeadProtocol::Echo,
            };
            let now = self.clock.now;
            self.dead
                .remember_refused(protocol, tuple, now, reason, refusal);
        }
        let _ = (tuple, reason);
    }

    /// The same of one that is a UDP slot.
    pub(super) fn flow_datagrams_refused(&mut self, index: u32, refusal: Option<Refusal>) {
        let Some(slot) = self.tables.udp.get(index) else {
            return;
        };
        let (tuple, echo) = (slot.tuple, slot.echo);
        let protocol = if echo {
            FlowProtocol::Echo
        } else {
            FlowProtocol::Udp
        };
        self.flow_refused(protocol, &tuple, refusal);
    }

    /// Tells the peer of a UDP or echo flow that it is refused after all, though it was accepted.
    /// Its handle is the caller's to close still.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] for a TCP flow, or one that is held:
    /// [`Stack::flow_refuse`] is for those.
    pub fn flow_tell_refusal(&mut self, id: FlowId, refusal: Refusal) -> Result<(), Error> {
        let slot = self.flow(id)?;
        let at = slot.at;
        if slot.phase != Phase::Open || at.kind() != Some(Kind::Udp) {
            return Err(Error::InvalidArgument);
        }
        self.tell_datagrams(at.index(), refusal);
        self.flow_datagrams_refused(at.index(), Some(refusal));
        Ok(())
    }

    /// Tells who sends datagrams or echo requests what its refusal calls for.
    pub(super) fn tell_datagrams(&mut self, index: u32, refusal: Refusal) {
        let what = match refusal {
            Refusal::Rst => self.as_if_closed(index),
            Refusal::Icmp(what) => what,
            Refusal::Drop => return,
        };
        self.quote_datagram(index, what);
    }
}

/// What a peer makes of a refusal.
fn told_by(protocol: FlowProtocol, refusal: Refusal) -> CloseReason {
    match (refusal, protocol) {
        (Refusal::Rst, FlowProtocol::Tcp) => CloseReason::Refused,
        (Refusal::Rst, FlowProtocol::Udp) | (Refusal::Icmp(Unreachable::Port), _) => {
            CloseReason::PortUnreachable
        }
        (Refusal::Rst, FlowProtocol::Echo)
        | (Refusal::Icmp(Unreachable::Host | Unreachable::Prohibited), _) => {
            CloseReason::HostUnreachable
        }
        (Refusal::Icmp(Unreachable::Network), _) => CloseReason::NetworkUnreachable,
        (Refusal::Drop, _) => CloseReason::Aborted,
    }
}
