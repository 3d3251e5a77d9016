//! Addresses as programs write them: text, `std::net` types, pairs; and names with a port, which
//! are looked up elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use netloom_services::dns::{Name, split_host_port};
use netloom_stack::wire::{Addr, Cidr};

/// What can be turned into socket addresses: numbers without asking anybody, names by asking the
/// DNS servers of this stack.
///
/// Text is numeric, `10.0.0.1:80`, `[fd00::1]:80`, or a name, `example.org:80`. Where no DNS server
/// was named ([`Builder::dns`](super::Builder::dns)), a name is an error rather than a question to
/// the kernel's resolver, which knows another network than this one.
pub trait ToSocketAddrs {
    /// The addresses, in the order in which to try them; never empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for anything that is not an address and a port.
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>>;

    /// The name and the port it is instead, if it is that.
    fn name_and_port(&self) -> Option<(&str, u16)> {
        None
    }
}

fn invalid(what: &str, text: &str, example: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("`{text}` is not {what}: write it like {example}"),
    )
}

macro_rules! one_address {
    ($($ty:ty),+) => {$(
        impl ToSocketAddrs for $ty {
            fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)])
            }
        }
    )+};
}
one_address!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl ToSocketAddrs for str {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.parse()
            .map(|addr| vec![addr])
            .map_err(|_| invalid("an address and a port", self, "10.0.0.1:80 or [fd00::1]:80"))
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        split_host_port(self).filter(|(host, _)| host.parse::<IpAddr>().is_err())
    }
}

impl ToSocketAddrs for String {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        self.as_str().name_and_port()
    }
}

impl ToSocketAddrs for (&str, u16) {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        let addr: IpAddr = self
            .0
            .parse()
            .map_err(|_| invalid("an address", self.0, "10.0.0.1 or fd00::1"))?;
        Ok(vec![SocketAddr::new(addr, self.1)])
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        let is_name = self.0.parse::<IpAddr>().is_err() && self.0.parse::<Name>().is_ok();
        is_name.then_some(*self)
    }
}

impl ToSocketAddrs for (String, u16) {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (self.0.as_str(), self.1).to_socket_addrs()
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        let is_name = self.0.parse::<IpAddr>().is_err() && self.0.parse::<Name>().is_ok();
        is_name.then_some((self.0.as_str(), self.1))
    }
}

impl ToSocketAddrs for [SocketAddr] {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        if self.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no address was given",
            ));
        }
        Ok(self.to_vec())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_socket_addrs(&self) -> io::Result<Vec<SocketAddr>> {
        (**self).to_socket_addrs()
    }

    fn name_and_port(&self) -> Option<(&str, u16)> {
        (**self).name_and_port()
    }
}

/// Tries an action with each address until one succeeds; the last error if none does.
pub(super) fn first_that<T>(
    addrs: impl ToSocketAddrs,
    mut action: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for addr in addrs.to_socket_addrs()? {
        match action(addr) {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no address was given")))
}

/// What can be turned into an address with its prefix: `"10.71.0.2/24"`, a [`Cidr`].
pub trait ToCidr {
    /// The address and its prefix.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if it is neither.
    fn to_cidr(&self) -> io::Result<Cidr>;
}

impl ToCidr for Cidr {
    fn to_cidr(&self) -> io::Result<Cidr> {
        Ok(*self)
    }
}

impl ToCidr for str {
    fn to_cidr(&self) -> io::Result<Cidr> {
        self.parse().map_err(|_| {
            invalid(
                "an address with its prefix",
                self,
                "10.71.0.2/24 or fd71::2/64",
            )
        })
    }
}

impl<T: ToCidr + ?Sized> ToCidr for &T {
    fn to_cidr(&self) -> io::Result<Cidr> {
        (**self).to_cidr()
    }
}

/// What can be turned into an IP address: numeric text, an [`IpAddr`], an [`Addr`].
pub trait ToAddr {
    /// The address.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if it is none.
    fn to_addr(&self) -> io::Result<Addr>;
}

impl ToAddr for Addr {
    fn to_addr(&self) -> io::Result<Addr> {
        Ok(*self)
    }
}

impl ToAddr for IpAddr {
    fn to_addr(&self) -> io::Result<Addr> {
        Ok((*self).into())
    }
}

impl ToAddr for str {
    fn to_addr(&self) -> io::Result<Addr> {
        self.parse()
            .map_err(|_| invalid("an address", self, "10.71.0.1 or fd71::1"))
    }
}

impl<T: ToAddr + ?Sized> ToAddr for &T {
    fn to_addr(&self) -> io::Result<Addr> {
        (**self).to_addr()
    }
}

#[cfg(test)]
mod tests;
