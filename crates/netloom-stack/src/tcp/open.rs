//! Connections opened from this side.

use core::net::{IpAddr, SocketAddr};

use netloom_tcp::Connection;
use netloom_wire::Addr;

use crate::demux::TCP;
use crate::error::Error;
use crate::event::TcpHandle;
use crate::keys::Purpose;
use crate::list::{Kind, Ref};
use crate::port_alloc::PortAllocator;
use crate::stack::Stack;
use crate::tcp::slot::{Flags, TcpSlot};
use crate::tunables::Tunables;
use crate::tuple::Tuple;
use crate::version::{addr_of, scope_of};

/// From where to connect: everything that is left open, the stack chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectFrom {
    /// The local address.
    pub addr: Option<IpAddr>,
    /// The local port; 0 chooses one (RFC 6056).
    pub port: u16,
}

impl From<SocketAddr> for ConnectFrom {
    /// An unspecified address and port 0 are left open.
    fn from(local: SocketAddr) -> ConnectFrom {
        ConnectFrom {
            addr: (!local.ip().is_unspecified()).then_some(local.ip()),
            port: local.port(),
        }
    }
}

impl Stack {
    /// Begins to connect. The handle is good at once: an event tells when the handshake is
    /// complete or has failed, and data may be written before.
    ///
    /// # Errors
    /// As [`tcp_connect_from`](Stack::tcp_connect_from).
    pub fn tcp_connect(&mut self, remote: SocketAddr) -> Result<TcpHandle, Error> {
        self.tcp_connect_from(ConnectFrom::default(), remote)
    }

    /// Begins to connect from a chosen address, port, or both.
    ///
    /// # Errors
    /// [`Error::InvalidRemote`] for a remote that is no unicast address or port 0;
    /// [`Error::NoRoute`]; [`Error::NoSourceAddress`]; [`Error::AddressNotAvailable`] for a
    /// local address that is not this stack's; [`Error::AddressInUse`] if both ends are in use
    /// together already; [`Error::PortsExhausted`]; [`Error::CapacityExhausted`];
    /// [`Error::OutOfMemory`].
    pub fn tcp_connect_from(
        &mut self,
        from: impl Into<ConnectFrom>,
        remote: SocketAddr,
    ) -> Result<TcpHandle, Error> {
        self.open(from.into(), remote)
    }

    fn open(&mut self, from: ConnectFrom, remote: SocketAddr) -> Result<TcpHandle, Error> {
        let dst = addr_of(remote.ip()).ok_or(Error::InvalidRemote)?;
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
        //# A TCP implementation MUST reject as an error a local OPEN call for an
        //# invalid remote IP address (e.g., a broadcast or multicast address)
        //# (MUST-46).
        if !dst.is_unicast() || dst.is_unspecified() || remote.port() == 0 {
            return Err(Error::InvalidRemote);
        }
        let (iface, next_hop) = self.route(&dst, scope_of(&remote)).ok_or(Error::NoRoute)?;
        if dst.is_v4() && self.addresses.is_broadcast_for(iface, &dst) {
            return Err(Error::InvalidRemote);
        }
        let src = match from.addr {
            Some(addr) => {
                let addr = addr_of(addr).ok_or(Error::AddressNotAvailable)?;
                if !self.addresses.is_local(&addr) && !addr.is_loopback() {
                    return Err(Error::AddressNotAvailable);
                }
                addr
            }
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
            //# If an application on a multihomed host does not specify the local IP
            //# address when actively opening a TCP connection, then the TCP
            //# implementation MUST ask the IP layer to select a local IP address
            //# before sending the (first) SYN (MUST-44).
            None => self
                .source_for(&dst, iface, &next_hop)
                .ok_or(Error::NoSourceAddress)?,
        };
        if src.is_v4() != dst.is_v4() {
            return Err(Error::AddressNotAvailable);
        }
        let port = match from.port {
            0 => self.pick_tcp_port(&src, &dst, remote.port(), iface)?,
            port => port,
        };
        let tuple = Tuple::new((src, port), (dst, remote.port()), iface);
        if self.tuple_in_use(&tuple) {
            return Err(Error::AddressInUse);
        }
        let index = self
            .tables
            .connections
            .insert()
            .ok_or(Error::CapacityExhausted)?;
        let item = Ref::new(Kind::Connection, index);
        if !self.demux.insert(&self.keys, TCP, &tuple, item) {
            self.tables.connections.remove(index);
            return Err(Error::OutOfMemory);
        }
        let iss = self.isn(&tuple);
        let params = self.open_params(&tuple, iface, iss);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let slot = self
            .tables
            .connections
            .get_mut(index)
            .ok_or(Error::CapacityExhausted)?;
        slot.conn = Connection::connect(&params, &env);
        slot.open(&tuple, iface, &self.tunables);
        slot.flags.set(Flags::OWNED);
        let handle = TcpHandle {
            index,
            generation: slot.generation,
        };
        let opens = &mut self.counters.tcp_active_opens;
        *opens = opens.wrapping_add(1);
        self.owe(iface, item);
        Ok(handle)
    }

    fn tuple_in_use(&mut self, tuple: &Tuple) -> bool {
        self.demux
            .find(&self.keys, &self.tables, TCP, tuple)
            .is_some()
    }

    /// An ephemeral port (RFC 6056 §3.3.4) that is free towards this remote end.
    fn pick_tcp_port(
        &mut self,
        src: &Addr,
        dst: &Addr,
        remote_port: u16,
        iface: u8,
    ) -> Result<u16, Error> {
        let with = |port| Tuple::new((*src, port), (*dst, remote_port), iface);
        let (offset, table) = self.keys.secrets(Purpose::Port, &with(0));
        let mut ports = core::mem::replace(&mut self.tcp.ports, PortAllocator::EMPTY);
        let picked = ports.pick(offset, table, |port| self.tuple_in_use(&with(port)));
        self.tcp.ports = ports;
        picked.ok_or(Error::PortsExhausted)
    }
}

impl TcpSlot {
    /// Takes a slot into use for a connection whose state is set already.
    pub(crate) fn open(&mut self, tuple: &Tuple, iface: u8, tunables: &Tunables) {
        self.tuple = *tuple;
        self.iface = iface;
        self.ttl = tunables.ip_default_ttl;
        self.tx_limit = tunables.tcp_wmem;
        self.flags.set(Flags::LIVE);
        self.flags.set(Flags::INDEXED);
    }
}
