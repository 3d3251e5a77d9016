//! What a client tells its program.

use core::fmt;
use core::net::Ipv4Addr;

use netloom_stack::Error;
use netloom_wire::{Cidr, MacAddr};

/// Something has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is an address, and it is in use: all it came with is in
    /// [`Client::lease`](super::Client::lease).
    Acquired {
        /// The address and its prefix.
        address: Cidr,
        /// The server.
        server: Ipv4Addr,
        /// Seconds it was given for; [`INFINITE`](crate::dhcp::INFINITE) has no end.
        seconds: u32,
    },
    /// The lease goes on as it was.
    Renewed {
        /// The server.
        server: Ipv4Addr,
        /// Seconds from now.
        seconds: u32,
    },
    /// The lease goes on, and something else has changed: routes, servers, names.
    Changed {
        /// The server.
        server: Ipv4Addr,
        /// Seconds from now.
        seconds: u32,
    },
    /// The address is no longer in use.
    Lost(Loss),
    /// A server refused: the client starts again.
    Refused {
        /// The server.
        server: Ipv4Addr,
    },
    /// Another station has the address that was given or tried: it was declined.
    Conflict {
        /// The address.
        address: Ipv4Addr,
        /// The station.
        mac: MacAddr,
    },
    /// No server answers; the client goes on asking.
    TimedOut,
    /// For want of a lease an address of the client's own choice, or the static one, is in use.
    FallbackInUse(Cidr),
    /// It no longer is.
    FallbackLost(Cidr),
    /// INFORM was answered: see [`Client::lease`](super::Client::lease).
    Informed {
        /// The server.
        server: Ipv4Addr,
    },
    /// The stack could not take the address over: it is leased, and not in use.
    NotApplied(Error),
}

/// Why an address is no longer in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// No server gave more time.
    Expired,
    /// A server said no.
    Refused,
    /// Another station took it.
    Conflict,
    /// The server gave another address.
    Replaced,
    /// The program gave it back.
    Released,
    /// The program stopped the client.
    Stopped,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Loss::Expired => "the lease has expired",
            Loss::Refused => "the server refused to renew it",
            Loss::Conflict => "another station uses it",
            Loss::Replaced => "another takes its place",
            Loss::Released => "given back",
            Loss::Stopped => "the client was stopped",
        })
    }
}

/// Seconds of a lease, in words.
pub(super) struct Span(pub(super) u32);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            crate::dhcp::INFINITE => f.write_str("for ever"),
            seconds => write!(f, "for {seconds} s"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Acquired {
                address,
                server,
                seconds,
            } => write!(f, "{address} from {server} {}", Span(*seconds)),
            Event::Renewed { server, seconds } => {
                write!(f, "renewed by {server} {}", Span(*seconds))
            }
            Event::Changed { server, seconds } => {
                write!(f, "renewed, with changes, by {server} {}", Span(*seconds))
            }
            Event::Lost(loss) => write!(f, "address lost: {loss}"),
            Event::Refused { server } => write!(f, "{server} refused: starting again"),
            Event::Conflict { address, mac } => write!(f, "{mac} has {address} already: declined"),
            Event::TimedOut => f.write_str("no server answers"),
            Event::FallbackInUse(address) => write!(f, "{address} for want of a lease"),
            Event::FallbackLost(address) => write!(f, "{address} is not used any more"),
            Event::Informed { server } => write!(f, "informed by {server}"),
            Event::NotApplied(error) => write!(f, "the address cannot be used: {error}"),
        }
    }
}
