//! Whom to connect to, by name: names are kept, and asked for again each time.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netloom_services::dns::interleave;

use super::Net;
use super::dial::Target;

/// A host and a port, the host by its name or its address.
///
/// Text is `host:port`, `10.0.0.1:80` or `[fd00::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Remote {
    text: String,
}

impl From<&str> for Remote {
    fn from(text: &str) -> Remote {
        Remote {
            text: text.to_owned(),
        }
    }
}

impl From<String> for Remote {
    fn from(text: String) -> Remote {
        Remote { text }
    }
}

impl From<&String> for Remote {
    fn from(text: &String) -> Remote {
        Remote::from(text.as_str())
    }
}

impl From<SocketAddr> for Remote {
    fn from(addr: SocketAddr) -> Remote {
        Remote {
            text: addr.to_string(),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Turns host names into addresses, for what connects by name on a [`Net`]; see
/// [`Net::with_resolver`].
///
/// It is asked each time, so it may keep answers for as long as they are good. A function of the
/// same arguments is one.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, the best first. `net` is who asks: the question may go out through
    /// it. The answer should be there within `timeout`.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] if there is no such name; [`io::ErrorKind::TimedOut`].
    fn resolve(&self, net: &Net, host: &str, timeout: Duration) -> io::Result<Vec<IpAddr>>;
}

impl<F> Resolve for F
where
    F: Fn(&Net, &str, Duration) -> io::Result<Vec<IpAddr>> + Send + Sync,
{
    fn resolve(&self, net: &Net, host: &str, timeout: Duration) -> io::Result<Vec<IpAddr>> {
        self(net, host, timeout)
    }
}

impl Remote {
    /// The addresses it has now, in the order in which to try them; never empty.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for text that cannot be meant; what the net's resolver
    /// says; [`io::ErrorKind::NotFound`] if it knows no address.
    pub fn resolve(&self, net: &Net, timeout: Duration) -> io::Result<Vec<SocketAddr>> {
        if let Ok(addr) = self.text.parse() {
            return Ok(vec![addr]);
        }
        let (host, port) = self.parts()?;
        let addrs = match net.resolver() {
            Some(resolver) => resolver.resolve(net, host, timeout)?,
            None if net.has_dns() => net.lookup_host(host)?,
            None => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "`{host}` is a name, and this stack has nobody to ask: name a DNS server \
                         (Builder::dns) or give it a resolver of your own (Net::with_resolver), or \
                         write an address like 10.0.0.1:{port}"
                    ),
                ));
            }
        };
        if addrs.is_empty() {
            let message = format!("`{host}` has no address");
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        }
        let addrs = addrs.into_iter().map(|ip| SocketAddr::new(ip, port));
        let mut addrs: Vec<_> = addrs.collect();
        interleave(&mut addrs);
        Ok(addrs)
    }

    /// Whom to connect to: the name itself where the stack's own resolver is asked, so that the
    /// addresses of one version need not wait for those of the other.
    pub(super) fn target(&self, net: &Net, timeout: Duration) -> io::Result<Target> {
        let is_name = self.text.parse::<SocketAddr>().is_err();
        if is_name && net.resolver().is_none() && net.has_dns() {
            let (host, port) = self.parts()?;
            return Ok(Target::Name(host.to_owned(), port));
        }
        self.resolve(net, timeout).map(Target::Addresses)
    }

    /// Host and port of text that is no address.
    fn parts(&self) -> io::Result<(&str, u16)> {
        self.text
            .rsplit_once(':')
            .filter(|(host, _)| is_host_name(host))
            .and_then(|(host, port)| Some((host, port.parse().ok()?)))
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!(
                        "`{}` is not a host and a port: write it like plc.example:502, \
                         10.0.0.1:502 or [fd00::1]:502",
                        self.text
                    ),
                )
            })
    }
}

/// Whether it could be a name: labels of 1 to 63 bytes, 253 in all (RFC 1035 §2.3.4), of letters,
/// digits, hyphens and, as many have them, underscores.
fn is_host_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let letter = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    let label = |l: &str| (1..=63).contains(&l.len()) && l.bytes().all(letter);
    host.len() <= 253 && host.split('.').all(label)
}

#[cfg(test)]
mod tests;
