//! Flows that this side opens, in anybody's name.

use netloom_tcp::CloseReason;

use crate::demux::UDP;
use crate::error::Error;
use crate::flow::table::Phase;
use crate::flow::{FlowId, FlowProtocol, FlowTuple, Refusal};
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tcp::ConnectFrom;
use crate::tuple::Tuple;
use crate::version::{addr_of, scope_of};

impl Stack {
    /// Opens a flow from any local address to a peer on the flows' interface. Port 0 at the local
    /// end of a TCP flow has the stack choose one. A TCP flow may be written to at once.
    ///
    /// # Errors
    /// [`Error::InvalidRemote`] for a remote that is no unicast address, or port 0;
    /// [`Error::AddressNotAvailable`] for a local address that cannot be a host's, or is of another
    /// version; [`Error::InvalidArgument`] for an echo flow, which only peers open;
    /// [`Error::AddressInUse`], [`Error::PortsExhausted`], [`Error::CapacityExhausted`],
    /// [`Error::OutOfMemory`].
    pub fn flow_open(&mut self, tuple: &FlowTuple) -> Result<FlowId, Error> {
        if !self.flows.is_open() {
            return Err(Error::NoSuchInterface);
        }
        self.share_budget();
        let local = addr_of(tuple.local.ip()).ok_or(Error::AddressNotAvailable)?;
        let remote = addr_of(tuple.remote.ip()).ok_or(Error::InvalidRemote)?;
        if !remote.is_unicast() || remote.is_unspecified() || tuple.remote.port() == 0 {
            return Err(Error::InvalidRemote);
        }
        let of_one_kind = local.is_v4() == remote.is_v4();
        if !local.is_unicast() || local.is_unspecified() || local.is_loopback() || !of_one_kind {
            return Err(Error::AddressNotAvailable);
        }
        match tuple.protocol {
            FlowProtocol::Tcp => self.open_tcp_flow(tuple),
            FlowProtocol::Udp => {
                if tuple.local.port() == 0 {
                    return Err(Error::InvalidArgument);
                }
                let iface = scope_of(&tuple.remote).unwrap_or(self.flow_iface());
                let tuple = Tuple::new(
                    (local, tuple.local.port()),
                    (remote, tuple.remote.port()),
                    iface,
                );
                let taken = self.demux.find(&self.keys, &self.tables, UDP, &tuple);
                if taken.is_some() {
                    return Err(Error::AddressInUse);
                }
                let id = self
                    .flow_udp_slot(UDP, &tuple, iface)
                    .ok_or(Error::CapacityExhausted)?;
                self.accept_flow_datagrams(id);
                Ok(id)
            }
            FlowProtocol::Echo => Err(Error::InvalidArgument),
        }
    }

    fn open_tcp_flow(&mut self, tuple: &FlowTuple) -> Result<FlowId, Error> {
        if !self.has_room_for_connection() {
            return Err(Error::CapacityExhausted);
        }
        // Its place is found first: a connection without a flow would be nobody's.
        let id = self
            .flow_new(Ref::NONE, Phase::Opening)
            .ok_or(Error::CapacityExhausted)?;
        let handle = match self.tcp_connect_from(ConnectFrom::from(tuple.local), tuple.remote) {
            Ok(handle) => handle,
            Err(error) => {
                self.flow_forget(id);
                return Err(error);
            }
        };
        let mut window = 0;
        if let Some(slot) = self.tables.connections.get_mut(handle.index) {
            slot.set_flow(id.place());
            window = slot.conn.settings().rcv_buf;
        }
        self.flow_is_connected(id, Ref::new(Kind::Connection, handle.index), window);
        Ok(id)
    }

    /// Ends a flow at once: TCP by a reset, UDP and echoes in silence. Its handler is told
    /// [`CloseReason::Aborted`].
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn flow_abort(&mut self, id: FlowId) -> Result<(), Error> {
        let at = self.flow(id)?.at;
        match at.kind() {
            Some(Kind::HalfOpen) => {
                if self.flow(id)?.phase == Phase::Held {
                    self.abort_held_syn(at.index(), Some(Refusal::Rst));
                } else {
                    self.abort_flow_syn(at.index());
                }
                self.flow_over(id, CloseReason::Aborted);
            }
            Some(Kind::Connection) => {
                self.abort_flow_connection(at.index(), CloseReason::Aborted);
                let slot = self.flow_mut(id)?;
                slot.flags.set(super::table::FlowFlags::GIVEN_UP);
            }
            Some(Kind::Udp) => {
                if self.flow(id)?.phase == Phase::Held {
                    self.flow_datagrams_refused(at.index(), Some(Refusal::Drop));
                }
                self.close_udp_slot(at.index());
                self.flow_over(id, CloseReason::Aborted);
            }
            Some(Kind::TimeWait | Kind::Packet | Kind::Listener | Kind::Echo) | None => {}
        }
        Ok(())
    }
}
