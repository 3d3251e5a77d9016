//! Where a chain of views begins: bytes as a device delivered them.

use crate::addr::Addr;
use crate::ethernet::EthernetView;
use crate::{TcpView, UdpView, WireError};

/// Bytes from a device, not looked at yet. Each step down checks a length once; none copies.
///
/// ```
/// # #[cfg(feature = "ipv4")]
/// # fn port(bytes: &[u8]) -> Result<u16, netloom_wire::WireError> {
/// use netloom_wire::Frame;
/// let tcp = Frame::new(bytes).ethernet()?.ipv4()?.tcp()?;
/// # Ok(tcp.dst_port()) }
/// # #[cfg(feature = "ipv4")]
/// # assert!(port(&[]).is_err());
/// ```
#[derive(Copy, Clone, Debug)]
#[doc(alias = "Buffer")]
pub struct Frame<'a> {
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// A frame or packet of any kind.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// As an Ethernet frame (TAP, AF_PACKET, a NIC).
    ///
    /// # Errors
    /// Those of [`EthernetView::new`].
    #[inline]
    pub fn ethernet(self) -> Result<EthernetView<'a>, WireError> {
        EthernetView::new(self.bytes)
    }

    /// As an IP packet (TUN, a tunnel), of the version its first four bits name.
    ///
    /// # Errors
    /// [`BadVersion`](WireError::BadVersion), else those of the version's view.
    #[inline]
    pub fn ip(self) -> Result<IpView<'a>, WireError> {
        IpView::new(self.bytes)
    }

    /// As an IPv4 packet.
    ///
    /// # Errors
    /// Those of [`Ipv4View::new`](crate::Ipv4View::new).
    #[cfg(feature = "ipv4")]
    #[inline]
    pub fn ipv4(self) -> Result<crate::Ipv4View<'a>, WireError> {
        crate::Ipv4View::new(self.bytes)
    }

    /// As an IPv6 packet.
    ///
    /// # Errors
    /// Those of [`Ipv6View::new`](crate::Ipv6View::new).
    #[cfg(feature = "ipv6")]
    #[inline]
    pub fn ipv6(self) -> Result<crate::Ipv6View<'a>, WireError> {
        crate::Ipv6View::new(self.bytes)
    }
}

/// An IP packet of either version.
#[derive(Copy, Clone, Debug)]
pub enum IpView<'a> {
    /// IPv4.
    #[cfg(feature = "ipv4")]
    V4(crate::Ipv4View<'a>),
    /// IPv6.
    #[cfg(feature = "ipv6")]
    V6(crate::Ipv6View<'a>),
    /// Neither version is compiled in: no value of this kind is ever made.
    #[cfg(not(any(feature = "ipv4", feature = "ipv6")))]
    None(core::convert::Infallible, core::marker::PhantomData<&'a ()>),
}

/// Evaluates to the same expression on whichever version a packet is.
macro_rules! either {
    ($ip:expr, $view:ident => $body:expr) => {
        match $ip {
            #[cfg(feature = "ipv4")]
            IpView::V4($view) => $body,
            #[cfg(feature = "ipv6")]
            IpView::V6($view) => $body,
            #[cfg(not(any(feature = "ipv4", feature = "ipv6")))]
            IpView::None(never, _) => match *never {},
        }
    };
}

impl<'a> IpView<'a> {
    /// A packet of the version its first four bits name.
    ///
    /// # Errors
    /// [`BadVersion`](WireError::BadVersion), [`Truncated`](WireError::Truncated) if empty, else
    /// those of the version's view.
    #[inline]
    pub fn new(packet: &'a [u8]) -> Result<Self, WireError> {
        match packet.first().ok_or(WireError::Truncated)? >> 4 {
            #[cfg(feature = "ipv4")]
            4 => crate::Ipv4View::new(packet).map(Self::V4),
            #[cfg(feature = "ipv6")]
            6 => crate::Ipv6View::new(packet).map(Self::V6),
            _ => Err(WireError::BadVersion),
        }
    }

    /// The sender.
    #[inline]
    #[must_use]
    pub fn src(&self) -> Addr {
        either!(self, ip => ip.src())
    }

    /// The destination.
    #[inline]
    #[must_use]
    pub fn dst(&self) -> Addr {
        either!(self, ip => ip.dst())
    }

    /// TTL or hop limit.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        match self {
            #[cfg(feature = "ipv4")]
            Self::V4(ip) => ip.ttl(),
            #[cfg(feature = "ipv6")]
            Self::V6(ip) => ip.hop_limit(),
            #[cfg(not(any(feature = "ipv4", feature = "ipv6")))]
            Self::None(never, _) => match *never {},
        }
    }

    /// The explicit congestion notification field, 0..=3 (RFC 3168 §5).
    #[inline]
    #[must_use]
    pub fn ecn(&self) -> u8 {
        either!(self, ip => ip.ecn())
    }

    /// Its TCP segment.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), else those of
    /// [`TcpView::new`].
    #[inline]
    pub fn tcp(&self) -> Result<TcpView<'a>, WireError> {
        either!(self, ip => ip.tcp())
    }

    /// Its UDP datagram.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol), [`Fragment`](WireError::Fragment), else those of
    /// [`UdpView::new`].
    #[inline]
    pub fn udp(&self) -> Result<UdpView<'a>, WireError> {
        either!(self, ip => ip.udp())
    }
}
