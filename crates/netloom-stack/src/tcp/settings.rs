//! What the user of a connection has set, read back; and the settings chosen by name.

use core::time::Duration;

use netloom_tcp::{CongestionControl, Keepalive};

use crate::error::Error;
use crate::event::TcpHandle;
use crate::stack::Stack;

/// What is set of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpSettings {
    /// Whether the Nagle algorithm is off ([`Stack::tcp_set_nodelay`]).
    pub nodelay: bool,
    /// Keep-alive; `None`: off ([`Stack::tcp_set_keepalive`]).
    pub keepalive: Option<Keepalive>,
    /// The connection's own user timeout, zero for ever; `None`: the tunable's
    /// ([`Stack::tcp_set_user_timeout`]).
    pub user_timeout: Option<Duration>,
    /// How long an owner-less connection may take ([`Stack::tcp_set_linger`]).
    pub linger: Option<Duration>,
    /// TTL or hop limit of what is sent ([`Stack::tcp_set_ttl`]).
    pub ttl: u8,
    /// Differentiated Services codepoint of what is sent ([`Stack::tcp_set_dscp`]).
    pub dscp: u8,
    /// The bound of the send queue, in bytes ([`Stack::tcp_set_send_buffer`]).
    pub send_buffer: u32,
    /// What the window may promise, in bytes ([`Stack::tcp_set_receive_buffer`]).
    pub receive_buffer: u32,
    /// The congestion control algorithm ([`Stack::tcp_set_congestion`]).
    pub congestion: &'static str,
}

impl Stack {
    /// What is set of a connection. Keep-alive is off once it has ended.
    ///
    /// # Errors
    /// [`Error::StaleHandle`].
    pub fn tcp_settings(&self, handle: TcpHandle) -> Result<TcpSettings, Error> {
        let slot = self.connection(handle)?;
        let set = slot.conn.settings();
        Ok(TcpSettings {
            nodelay: set.nodelay,
            keepalive: set.keepalive,
            user_timeout: set.user_timeout.map(Duration::from_micros),
            linger: set.linger.map(Duration::from_micros),
            ttl: slot.ttl,
            dscp: slot.tos >> 2,
            send_buffer: slot.buffers.tx_most() as u32,
            receive_buffer: set.rcv_buf,
            congestion: set.congestion.name(),
        })
    }

    /// Chooses the congestion control algorithm by its name, as Linux's `TCP_CONGESTION` has it.
    ///
    /// # Errors
    /// [`Error::NoSuchCongestionControl`], whose text names those there are; [`Error::OutOfMemory`],
    /// if there is none for BBR; [`Error::StaleHandle`].
    pub fn tcp_set_congestion(&mut self, handle: TcpHandle, name: &str) -> Result<(), Error> {
        let algorithm = CongestionControl::from_name(name)?;
        self.connection(handle)?;
        #[cfg(feature = "bbr")]
        if algorithm == CongestionControl::Bbr {
            self.take_path(handle)?;
        }
        self.connection_mut(handle)?.conn.set_congestion(algorithm);
        Ok(())
    }

    /// Has a connection send at no more than so many octets of payload a second, evenly: as Linux's
    /// `SO_MAX_PACING_RATE`. `None`: no bound; who was paced once stays paced, at the rate of the
    /// congestion control.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::StaleHandle`].
    #[cfg(feature = "bbr")]
    pub fn tcp_set_max_pacing_rate(
        &mut self,
        handle: TcpHandle,
        octets: Option<u64>,
    ) -> Result<(), Error> {
        self.take_path(handle)?;
        let slot = self.connection_mut(handle)?;
        if let Some(path) = slot.buffers.io().path {
            path.set_max_pacing_rate(octets);
            slot.conn.set_paced();
        }
        Ok(())
    }

    /// Sees to it that the connection can remember its path.
    #[cfg(feature = "bbr")]
    fn take_path(&mut self, handle: TcpHandle) -> Result<(), Error> {
        self.connection(handle)?;
        let slot = self.tables.connections.get_mut(handle.index);
        let slot = slot.ok_or(Error::StaleHandle)?;
        if self.tcp.buffers.ensure_path(&mut slot.buffers) {
            Ok(())
        } else {
            Err(Error::OutOfMemory)
        }
    }
}
