//! Socket options: kept until there is a connection to set them on.

use std::time::Duration;

use netloom_stack::tcp::TcpSettings;
use netloom_stack::{Error, Keepalive, Stack, TcpHandle, Tunables};

use crate::drill::errno::Errno;
use crate::drill::names::*;

/// What was set on a socket; `None` is the stack's default.
#[derive(Debug, Clone, Default)]
pub(super) struct SocketOptions {
    pub(super) reuse_addr: bool,
    pub(super) reuse_port: bool,
    pub(super) broadcast: bool,
    pub(super) nodelay: Option<bool>,
    pub(super) keepalive: bool,
    /// Seconds.
    pub(super) keep_idle: Option<u32>,
    /// Seconds.
    pub(super) keep_interval: Option<u32>,
    pub(super) keep_count: Option<u8>,
    /// Milliseconds; 0 is the stack's default.
    pub(super) user_timeout: u32,
    /// Seconds, if lingering is on.
    pub(super) linger: Option<u32>,
    pub(super) send_buffer: Option<u32>,
    pub(super) receive_buffer: Option<u32>,
    pub(super) tos: u8,
    pub(super) ttl: Option<u8>,
    /// Whether soft errors are told.
    pub(super) recv_error: bool,
    /// The congestion control algorithm.
    pub(super) congestion: Option<String>,
    /// Octets a second; all bits set is no bound.
    pub(super) max_pacing_rate: Option<u32>,
    /// How many unconfirmed fast opens a listener has at most; 0: none.
    pub(super) fast_open: u16,
}

/// The octets of an algorithm's name (Linux: `TCP_CA_NAME_MAX`).
const LONGEST_NAME: usize = 16;

/// An option whose value is an integer, read or written.
fn integer(value: &[u8]) -> Result<i32, Errno> {
    let bytes = value.get(..4).and_then(|bytes| bytes.try_into().ok());
    bytes.map(i32::from_ne_bytes).ok_or(Errno::EINVAL)
}

fn unsigned(value: &[u8]) -> Result<u32, Errno> {
    u32::try_from(integer(value)?).map_err(|_| Errno::EINVAL)
}

fn byte(value: &[u8]) -> Result<u8, Errno> {
    u8::try_from(integer(value)?).map_err(|_| Errno::EINVAL)
}

impl SocketOptions {
    /// Keeps an option.
    pub(super) fn set(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), Errno> {
        match (level, name) {
            (SOL_SOCKET, SO_REUSEADDR) => self.reuse_addr = integer(value)? != 0,
            (SOL_SOCKET, SO_REUSEPORT) => self.reuse_port = integer(value)? != 0,
            (SOL_SOCKET, SO_BROADCAST) => self.broadcast = integer(value)? != 0,
            (SOL_SOCKET, SO_KEEPALIVE) => self.keepalive = integer(value)? != 0,
            (SOL_SOCKET, SO_SNDBUF) => self.send_buffer = Some(unsigned(value)?),
            (SOL_SOCKET, SO_RCVBUF) => self.receive_buffer = Some(unsigned(value)?),
            (SOL_SOCKET, SO_MAX_PACING_RATE) => {
                self.max_pacing_rate = Some(integer(value)? as u32);
            }
            (SOL_SOCKET, SO_LINGER) => {
                let on = integer(value)? != 0;
                let seconds = unsigned(value.get(4..).unwrap_or_default())?;
                self.linger = on.then_some(seconds);
            }
            (IPPROTO_TCP, TCP_NODELAY) => self.nodelay = Some(integer(value)? != 0),
            (IPPROTO_TCP, TCP_KEEPIDLE) => self.keep_idle = Some(unsigned(value)?),
            (IPPROTO_TCP, TCP_KEEPINTVL) => self.keep_interval = Some(unsigned(value)?),
            (IPPROTO_TCP, TCP_KEEPCNT) => self.keep_count = Some(byte(value)?),
            (IPPROTO_TCP, TCP_USER_TIMEOUT) => self.user_timeout = unsigned(value)?,
            (IPPROTO_TCP, TCP_FASTOPEN) => {
                self.fast_open = u16::try_from(integer(value)?).map_err(|_| Errno::EINVAL)?;
            }
            (IPPROTO_TCP, TCP_CONGESTION) => {
                let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
                let name = std::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
                self.congestion = Some(name.to_owned());
            }
            (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => self.tos = byte(value)?,
            (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => {
                self.recv_error = integer(value)? != 0;
            }
            (IPPROTO_IP, IP_TTL) | (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => {
                self.ttl = Some(
                    byte(value)
                        .ok()
                        .filter(|ttl| *ttl > 0)
                        .ok_or(Errno::EINVAL)?,
                );
            }
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    /// An option's bytes.
    pub(super) fn get(&self, level: i32, name: i32, tunables: &Tunables) -> Result<Vec<u8>, Errno> {
        let seconds = |millis: u32| millis / 1_000;
        let tcp = &tunables.tcp;
        let value: u32 = match (level, name) {
            (SOL_SOCKET, SO_REUSEADDR) => self.reuse_addr.into(),
            (SOL_SOCKET, SO_REUSEPORT) => self.reuse_port.into(),
            (SOL_SOCKET, SO_BROADCAST) => self.broadcast.into(),
            (SOL_SOCKET, SO_KEEPALIVE) => self.keepalive.into(),
            (SOL_SOCKET, SO_MAX_PACING_RATE) => self.max_pacing_rate.unwrap_or(u32::MAX),
            (SOL_SOCKET, SO_SNDBUF) => self.send_buffer.unwrap_or(tunables.tcp_wmem),
            (SOL_SOCKET, SO_RCVBUF) => self.receive_buffer.unwrap_or(tunables.tcp_rmem),
            (SOL_SOCKET, SO_LINGER) => {
                let on = u32::from(self.linger.is_some());
                let seconds = self.linger.unwrap_or(0);
                return Ok([on.to_ne_bytes(), seconds.to_ne_bytes()].concat());
            }
            (IPPROTO_TCP, TCP_NODELAY) => self.nodelay.unwrap_or(!tcp.nagle).into(),
            (IPPROTO_TCP, TCP_KEEPIDLE) => self.keep_idle.unwrap_or(seconds(tcp.keepalive_time)),
            (IPPROTO_TCP, TCP_KEEPINTVL) => {
                self.keep_interval.unwrap_or(seconds(tcp.keepalive_intvl))
            }
            (IPPROTO_TCP, TCP_KEEPCNT) => self.keep_count.unwrap_or(tcp.keepalive_probes).into(),
            (IPPROTO_TCP, TCP_USER_TIMEOUT) => self.user_timeout,
            (IPPROTO_TCP, TCP_FASTOPEN) => self.fast_open.into(),
            (IPPROTO_TCP, TCP_CONGESTION) => {
                let mut name = self.congestion.clone().unwrap_or_default().into_bytes();
                name.resize(LONGEST_NAME, 0);
                return Ok(name);
            }
            (IPPROTO_IP, IP_TOS) | (IPPROTO_IPV6, IPV6_TCLASS) => self.tos.into(),
            (IPPROTO_IP, IP_RECVERR) | (IPPROTO_IPV6, IPV6_RECVERR) => self.recv_error.into(),
            (IPPROTO_IP, IP_TTL) | (IPPROTO_IPV6, IPV6_UNICAST_HOPS) => {
                self.ttl.unwrap_or(tunables.ip_default_ttl).into()
            }
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(value.to_ne_bytes().to_vec())
    }

    /// The options as a connection has them; what it does not know of stays as it was set.
    pub(super) fn of_connection(&self, settings: &TcpSettings) -> SocketOptions {
        let seconds = |micros: u64| u32::try_from(micros / 1_000_000).ok();
        let mut options = self.clone();
        options.nodelay = Some(settings.nodelay);
        if let Some(keepalive) = settings.keepalive {
            options.keep_idle = seconds(keepalive.idle);
            options.keep_interval = seconds(keepalive.interval);
            options.keep_count = Some(keepalive.count);
        }
        options.user_timeout = settings.user_timeout.map_or(0, |timeout| {
            u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)
        });
        options.linger = settings
            .linger
            .map(|linger| u32::try_from(linger.as_secs()).unwrap_or(u32::MAX));
        options.congestion = Some(settings.congestion.to_owned());
        options
    }

    /// Sets on a connection whatever was set on its socket.
    pub(super) fn apply(&self, stack: &mut Stack, handle: TcpHandle) -> Result<(), Error> {
        if let Some(nodelay) = self.nodelay {
            stack.tcp_set_nodelay(handle, nodelay)?;
        }
        stack.tcp_set_keepalive(handle, self.keepalive(stack.tunables()))?;
        if self.user_timeout != 0 {
            let timeout = Duration::from_millis(self.user_timeout.into());
            stack.tcp_set_user_timeout(handle, Some(timeout))?;
        }
        if let Some(name) = &self.congestion {
            stack.tcp_set_congestion(handle, name)?;
        }
        if let Some(octets) = self.max_pacing_rate {
            let bound = (octets != u32::MAX).then_some(octets.into());
            stack.tcp_set_max_pacing_rate(handle, bound)?;
        }
        let linger = self
            .linger
            .map(|seconds| Duration::from_secs(seconds.into()));
        stack.tcp_set_linger(handle, linger)?;
        if let Some(bytes) = self.send_buffer {
            stack.tcp_set_send_buffer(handle, bytes)?;
        }
        if let Some(bytes) = self.receive_buffer {
            stack.tcp_set_receive_buffer(handle, bytes)?;
        }
        stack.tcp_set_dscp(handle, self.tos >> 2)?;
        if let Some(ttl) = self.ttl {
            stack.tcp_set_ttl(handle, ttl)?;
        }
        Ok(())
    }

    fn keepalive(&self, tunables: &Tunables) -> Option<Keepalive> {
        let tcp = &tunables.tcp;
        let micros = |millis: u32| u64::from(millis) * 1_000;
        let seconds = |seconds: u32| u64::from(seconds) * 1_000_000;
        self.keepalive.then(|| Keepalive {
            idle: self.keep_idle.map_or(micros(tcp.keepalive_time), seconds),
            interval: self
                .keep_interval
                .map_or(micros(tcp.keepalive_intvl), seconds),
            count: self.keep_count.unwrap_or(tcp.keepalive_probes),
        })
    }
}
