//! The options of a connection, read and set, as std's sockets and Linux's socket options have
//! them.

use std::io;
use std::time::Duration;

use netloom_stack::tcp::TcpSettings;

use super::options::{Keepalive, ttl};
use super::tcp_stream::TcpStream;

impl TcpStream {
    fn settings(&self) -> io::Result<TcpSettings> {
        self.socket()
            .look(|stack, handle| stack.tcp_settings(handle))
    }

    /// Sends small writes at once (`true`) or gathers them while data is unacknowledged, which is
    /// the Nagle algorithm (RFC 9293 §3.7.4).
    ///
    /// # Errors
    /// None today.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_nodelay(handle, nodelay))
    }

    /// Whether small writes are sent at once.
    ///
    /// # Errors
    /// None today.
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.settings()?.nodelay)
    }

    /// Sets the TTL or hop limit of what is sent.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] outside 1 to 255.
    pub fn set_ttl(&self, time_to_live: u32) -> io::Result<()> {
        let time_to_live = ttl(time_to_live)?;
        self.socket()
            .call(|stack, handle| stack.tcp_set_ttl(handle, time_to_live))
    }

    /// The TTL or hop limit of what is sent.
    ///
    /// # Errors
    /// None today.
    pub fn ttl(&self) -> io::Result<u32> {
        Ok(self.settings()?.ttl.into())
    }

    /// How long what was written may take to be delivered once the stream is dropped, before the
    /// connection is reset: `None`, at first: as long as it takes; zero: not at all. Dropping
    /// never waits.
    ///
    /// # Errors
    /// None today.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_linger(handle, linger))
    }

    /// How long what was written may take to be delivered once the stream is dropped.
    ///
    /// # Errors
    /// None today.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        Ok(self.settings()?.linger)
    }

    /// Has a silent peer probed; `None`, at first: it is not.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] below the least times and number of probes.
    #[doc(alias = "SO_KEEPALIVE")]
    pub fn set_keepalive(&self, keepalive: Option<Keepalive>) -> io::Result<()> {
        keepalive.map_or(Ok(()), Keepalive::check)?;
        let keepalive = keepalive.map(Keepalive::to_stack);
        self.socket()
            .call(|stack, handle| stack.tcp_set_keepalive(handle, keepalive))
    }

    /// How a silent peer is probed; `None`: not at all, as when the connection has ended.
    ///
    /// # Errors
    /// None today.
    pub fn keepalive(&self) -> io::Result<Option<Keepalive>> {
        Ok(self.settings()?.keepalive.map(Keepalive::of_stack))
    }

    /// How long written data may stay unacknowledged before the connection ends (RFC 9293
    /// §3.8.3); zero: for ever; `None`, at first: as long as the tunable `tcp_user_timeout` says.
    ///
    /// # Errors
    /// None today.
    #[doc(alias = "TCP_USER_TIMEOUT")]
    pub fn set_user_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_user_timeout(handle, timeout))
    }

    /// The connection's own user timeout; `None`: it has none.
    ///
    /// # Errors
    /// None today.
    pub fn user_timeout(&self) -> io::Result<Option<Duration>> {
        Ok(self.settings()?.user_timeout)
    }

    /// Bounds what was written and is not acknowledged, in bytes; at least 1. Unlike Linux, it is
    /// not doubled.
    ///
    /// # Errors
    /// None today.
    #[doc(alias = "SO_SNDBUF")]
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        // Writers may have waited for the room there is now.
        self.socket()
            .disturb(|stack, handle| stack.tcp_set_send_buffer(handle, bytes))
    }

    /// The bound of what was written and is not acknowledged, in bytes.
    ///
    /// # Errors
    /// None today.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        Ok(self.settings()?.send_buffer)
    }

    /// Bounds what the window promises, in bytes. What was promised stays promised.
    ///
    /// # Errors
    /// None today.
    #[doc(alias = "SO_RCVBUF")]
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_receive_buffer(handle, bytes))
    }

    /// What the window may promise, in bytes.
    ///
    /// # Errors
    /// None today.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        Ok(self.settings()?.receive_buffer)
    }

    /// Chooses the congestion control algorithm by its name, as Linux does: `"cubic"`, `"reno"`,
    /// `"bbr"`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is none of that name: its text names those there are.
    #[doc(alias = "TCP_CONGESTION")]
    pub fn set_congestion(&self, name: &str) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_congestion(handle, name))
    }

    /// Sends at no more than so many bytes of payload a second, evenly; `None`: no bound. From then on
    /// the connection is paced, if without a bound, at the rate that its congestion control wants.
    ///
    /// # Errors
    /// [`io::ErrorKind::OutOfMemory`].
    #[doc(alias = "SO_MAX_PACING_RATE")]
    pub fn set_max_pacing_rate(&self, bytes: Option<u64>) -> io::Result<()> {
        self.socket()
            .call(|stack, handle| stack.tcp_set_max_pacing_rate(handle, bytes))
    }

    /// The name of the congestion control algorithm.
    ///
    /// # Errors
    /// None today.
    pub fn congestion(&self) -> io::Result<&'static str> {
        Ok(self.settings()?.congestion)
    }
}
