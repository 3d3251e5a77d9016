//! Flows as sockets: held and announced by events, then used like any other socket.

use netloom_tcp::CloseReason;

use crate::error::Error;
use crate::event::{Event, IfaceId, TcpHandle, UdpHandle};
use crate::flow::config::millis;
use crate::flow::table::Phase;
use crate::flow::{FlowConfig, FlowId};
use crate::list::Kind;
use crate::route::Route;
use crate::stack::Stack;
use netloom_wire::{Addr, Cidr};

/// What an accepted flow is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowSocket {
    /// A connection: every `tcp_*` call works on it, and [`Stack::tcp_close`] gives it back.
    Tcp(TcpHandle),
    /// A connected UDP socket: every `udp_*` call works on it, and [`Stack::udp_close`] gives it
    /// back. It ends with [`CloseReason::IdleTimedOut`] when it is not used.
    Udp(UdpHandle),
    /// Echo requests: [`Stack::udp_recv`] takes one, with its sequence number where a datagram has
    /// its remote port; [`Stack::flow_echo_reply`] answers it.
    Echo(UdpHandle),
}

impl Stack {
    /// A stack on the heap whose one interface takes everybody's packets, within the budget and
    /// the limits of `config`: see [`Stack::accept_flows`].
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "alloc")]
    pub fn for_flows(config: &FlowConfig, seed: crate::rand::Seed) -> Result<Stack, Error> {
        let mut stack = Stack::with_heap(config.stack(), config.limits(), seed);
        stack.accept_flows(IfaceId::FIRST, config)?;
        stack.set_flow_budget(config.memory_budget);
        Ok(stack)
    }

    /// Has an interface take packets for every unicast address, of both versions; what belongs to no socket opens a flow. Flows are held, and announced by
    /// [`Event::FlowOpening`].
    ///
    /// The stack's other uses go on: what comes for an address of its own is for its sockets
    /// alone, and a listener or socket on every address comes before flows. On Ethernet peers are
    /// taken to be on the link, and send to an address of the stack's own as their router.
    /// The tunable `tcp_rmem_max` is 0 from now on: no receive buffer grows.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`]; [`Error::InvalidArgument`] for the loopback interface, or if
    /// another one does so already; [`Error::CapacityExhausted`] for no room for two routes.
    pub fn accept_flows(&mut self, iface: IfaceId, config: &FlowConfig) -> Result<(), Error> {
        let interface = self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        if interface.loopback || self.flows.is_open() {
            return Err(Error::InvalidArgument);
        }
        let on_link = |addr| Route::on_link(Cidr { addr, prefix: 0 }, iface.0);
        self.add_route(on_link(Addr::V4_UNSPECIFIED))?;
        #[cfg(feature = "ipv6")]
        self.add_route(on_link(Addr::UNSPECIFIED))?;
        self.recent.forget();
        self.flows.iface = iface.0.wrapping_add(1);
        self.flows.timeouts = config.timeouts;
        self.tunables.tcp.half_closed_timeout = millis(config.timeouts.half_closed);
        // Windows are credit here, which a large scale would round.
        self.tunables.tcp.rcv_buf_max = 0;
        Ok(())
    }

    /// Whether what comes for an address on an interface may open a flow.
    #[inline]
    pub(crate) fn is_flows(&self, iface: u8, addr: &Addr) -> bool {
        self.flows.takes_all(iface) && !self.addresses.is_local(addr)
    }

    /// Bounds the memory that flows, and all else of the stack's, take from the heap.
    #[cfg(feature = "alloc")]
    pub fn set_flow_budget(&mut self, bytes: usize) {
        self.flows.budget = bytes;
        self.tables.packets.prepare();
        self.share_budget();
    }

    /// The next news of flows, for who holds them as sockets.
    pub(crate) fn flow_event(&mut self) -> Option<Event> {
        self.feed_hungry_flows();
        while let Some(id) = self.take_flow_news() {
            let Ok(slot) = self.flow(id) else { continue };
            return Some(match slot.phase {
                Phase::Held => Event::FlowOpening(id),
                Phase::Opening | Phase::Open => Event::FlowReady(id),
                Phase::Over | Phase::Free => {
                    let reason = slot.reason.unwrap_or(CloseReason::Aborted);
                    self.flow_forget(id);
                    Event::FlowClosed(id, reason)
                }
            });
        }
        None
    }

    /// Tells the peer of a UDP or echo flow, held or open, that something is unreachable, and
    /// changes nothing else.
    ///
    /// # Errors
    /// [`Error::StaleHandle`]; [`Error::InvalidArgument`] for a TCP flow.
    pub fn flow_tell(&mut self, id: FlowId, what: crate::flow::Unreachable) -> Result<(), Error> {
        let at = self.flow(id)?.at;
        if at.kind() != Some(Kind::Udp) {
            return Err(Error::InvalidArgument);
        }
        self.quote_datagram(at.index(), what);
        Ok(())
    }

    /// What an accepted flow has become. Its handle is the caller's to close, once.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] while its handshake is under way, or it is held;
    /// [`Error::Closed`] if it ended before; [`Error::StaleHandle`].
    pub fn flow_socket(&self, id: FlowId) -> Result<FlowSocket, Error> {
        let flow = self.flow(id)?;
        let index = flow.at.index();
        match (flow.phase, flow.at.kind()) {
            (Phase::Over, _) => Err(Error::Closed(flow.reason.unwrap_or(CloseReason::Aborted))),
            (Phase::Open, Some(Kind::Connection)) => {
                let slot = self.tables.connections.get(index);
                let generation = slot.ok_or(Error::StaleHandle)?.generation;
                Ok(FlowSocket::Tcp(TcpHandle { index, generation }))
            }
            (Phase::Open, Some(Kind::Udp)) => {
                let slot = self.tables.udp.get(index).ok_or(Error::StaleHandle)?;
                let handle = slot.handle(index);
                Ok(if slot.echo {
                    FlowSocket::Echo(handle)
                } else {
                    FlowSocket::Udp(handle)
                })
            }
            (Phase::Free | Phase::Held | Phase::Opening | Phase::Open, _) => Err(Error::WouldBlock),
        }
    }
}
