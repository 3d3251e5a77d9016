//! How a server is reached.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use netloom::Net;
use netloom_services::http::Url;

use crate::device::Watch;
use crate::relay;

/// Over what connections are made.
#[derive(Debug)]
pub(super) enum Route {
    /// netloom's device.
    Device(Net),
    /// A link in memory, behind which the kernel carries connections on.
    Relay { near: Net, far: Net },
}

impl Route {
    /// A link in memory, of which the near end is watched.
    ///
    /// # Errors
    ///
    /// No descriptor, thread or randomness is left.
    pub(super) fn relay(watch: Watch) -> io::Result<Route> {
        let (near, far) = relay::link(watch)?;
        Ok(Route::Relay { near, far })
    }

    /// Connects to the host of a URL. The error is a sentence.
    pub(super) fn connect(
        &self,
        url: &Url<'_>,
        names: &[(String, IpAddr)],
        timeout: Duration,
    ) -> Result<netloom::TcpStream, String> {
        let named = names.iter().find(|(name, _)| name == url.host());
        let ip = named.map(|(_, ip)| *ip).or_else(|| url.ip());
        match self {
            Route::Device(net) => {
                let Some(ip) = ip else {
                    return by_name(net, url, timeout);
                };
                let to = SocketAddr::new(ip, url.port());
                net.tcp_connect_timeout(&to, timeout)
                    .map_err(|error| format!("cannot connect to {to}: {error}"))
            }
            Route::Relay { near, far } => {
                let kernel = kernel_connection(url, ip, timeout)?;
                carried(near, far, kernel, url.port(), timeout)
                    .map_err(|error| format!("cannot connect to the relay: {error}"))
            }
        }
    }
}

/// A connection to a host that is a name, by netloom's own resolver.
fn by_name(net: &Net, url: &Url, timeout: Duration) -> Result<netloom::TcpStream, String> {
    let host = url.host();
    if net.dns_counters().is_none() {
        return Err(format!(
            "{host}: it is a name, and no DNS server is known: name one with --dns, or give the \
             address with --resolve {host}=ADDR"
        ));
    }
    let socket = net.tcp_socket().map_err(|error| error.to_string())?;
    socket
        .user_timeout(Some(timeout))
        .connect((host, url.port()))
        .map_err(|error| format!("cannot connect to {host}: {error}"))
}

/// The kernel's connection to the host of a URL, at the first of its addresses that answers.
fn kernel_connection(
    url: &Url<'_>,
    ip: Option<IpAddr>,
    timeout: Duration,
) -> Result<TcpStream, String> {
    let host = url.host();
    let addresses: Vec<SocketAddr> = match ip {
        Some(ip) => vec![SocketAddr::new(ip, url.port())],
        None => (host, url.port())
            .to_socket_addrs()
            .map_err(|error| format!("{host}: no address is known for this name: {error}"))?
            .collect(),
    };
    let mut last = format!("{host}: no address is known for this name");
    for to in addresses {
        match TcpStream::connect_timeout(&to, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = format!("cannot connect to {to}: {error}"),
        }
    }
    Err(last)
}

/// A connection over netloom whose far end the kernel's connection carries on.
fn carried(
    near: &Net,
    far: &Net,
    kernel: TcpStream,
    port: u16,
    timeout: Duration,
) -> io::Result<netloom::TcpStream> {
    // The port the server has, so that what is told of packets reads well; the one before may
    // still be in use.
    let at = |port| SocketAddr::new(IpAddr::V4(relay::FAR_V4), port);
    let listener = far
        .tcp_listen(at(port))
        .or_else(|_| far.tcp_listen(at(0)))?;
    let stand_in = listener.local_addr()?;
    thread::Builder::new().name("relay".into()).spawn(move || {
        if let Ok((netloom, _)) = listener.accept() {
            relay::join(&kernel, &netloom);
        }
    })?;
    near.tcp_connect_timeout(&stand_in, timeout)
}
