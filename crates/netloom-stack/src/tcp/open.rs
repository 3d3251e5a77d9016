//! Connections opened from this side.

use core::net::{IpAddr, SocketAddr};

use netloom_wire::Addr;

use crate::counters::count;
use crate::demux::TCP;
use crate::error::Error;
use crate::event::TcpHandle;
use crate::keys::Purpose;
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tcp::slot::Flags;
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
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
    //# The optional "local IP address" parameter MUST be supported to allow
    //# the specification of the local IP address (MUST-43).
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
        let route = self.route_again(&dst, scope_of(&remote));
        let (iface, next_hop) = route.ok_or(Error::NoRoute)?;
        if dst.is_v4() && self.addresses.is_broadcast_for(iface, &dst) {
            return Err(Error::InvalidRemote);
        }
        let src = match from.addr {
            Some(addr) => {
                let addr = addr_of(addr).ok_or(Error::AddressNotAvailable)?;
                if !self.speaks_for(&addr) && !addr.is_loopback() {
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
                .source_again(&dst, iface, &next_hop)
                .ok_or(Error::NoSourceAddress)?,
        };
        if src.is_v4() != dst.is_v4() {
            return Err(Error::AddressNotAvailable);
        }
        let with = |port| Tuple::new((src, port), (dst, remote.port()), iface);
        let tuple = match from.port {
            0 => with(self.pick_tcp_port(&src, &dst, remote.port(), iface)?),
            port if self.tuple_in_use(&with(port)) => return Err(Error::AddressInUse),
            port => with(port),
        };
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
        slot.conn.open_actively(&params, &env);
        slot.open(&tuple, iface, &self.tunables, &mut self.tcp.buffers);
        slot.flags.set(Flags::OWNED);
        let handle = TcpHandle {
            index,
            generation: slot.generation,
        };
        #[cfg(feature = "metrics")]
        self.avoid_what_fails(index);
        count!(self, tcp_active_opens);
        self.owe_connection(iface, index);
        Ok(handle)
    }

    fn tuple_in_use(&mut self, tuple: &Tuple) -> bool {
        self.demux
            .find(&self.keys, &self.tables, TCP, tuple)
            .is_some()
    }

    /// The two hashes of RFC 6056 §3.3.4 of a tuple without local port. Who connects mostly does so
    /// again to the same place.
    #[cfg(feature = "alloc")]
    fn port_secrets(&mut self, tuple: &Tuple) -> (u32, u32) {
        if self.tcp.port_secrets_of != *tuple {
            self.tcp.port_secrets = self.keys.secrets(Purpose::Port, tuple);
            self.tcp.port_secrets_of = *tuple;
        }
        self.tcp.port_secrets
    }

    /// The two hashes of RFC 6056 §3.3.4 of a tuple without local port.
    #[cfg(not(feature = "alloc"))]
    fn port_secrets(&mut self, tuple: &Tuple) -> (u32, u32) {
        self.keys.secrets(Purpose::Port, tuple)
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
        let (offset, table) = self.port_secrets(&with(0));
        // To oneself, never from the port that is connected to: nobody but the connection itself
        // would answer, as in a simultaneous open.
        let itself = |port| src == dst && port == remote_port;
        let Stack {
            tcp,
            demux,
            keys,
            tables,
            ..
        } = self;
        let mut in_use =
            |port| itself(port) || demux.find(keys, tables, TCP, &with(port)).is_some();
        let picked = tcp.ports.pick(offset, table, &mut in_use);
        picked.ok_or(Error::PortsExhausted)
    }
}
