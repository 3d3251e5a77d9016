//! What a server tells its program.

use core::fmt;
use core::net::Ipv4Addr;

use netloom_wire::MacAddr;
use netloom_wire::dhcpv4::Hardware;

/// Something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerEvent {
    /// An address was offered.
    Offered {
        /// The address.
        address: Ipv4Addr,
        /// The client's interface.
        to: Hardware,
    },
    /// An address was given, or given again.
    Leased {
        /// The address.
        address: Ipv4Addr,
        /// The client's interface.
        to: Hardware,
        /// Seconds.
        seconds: u32,
        /// The client had it already.
        again: bool,
    },
    /// A client was refused the address it asked for.
    Refused {
        /// The address.
        address: Ipv4Addr,
        /// The client's interface.
        to: Hardware,
    },
    /// A client gave its address back.
    Released {
        /// The address.
        address: Ipv4Addr,
        /// The client's interface.
        by: Hardware,
    },
    /// A client says that somebody else has the address it got.
    Declined {
        /// The address.
        address: Ipv4Addr,
        /// The client's interface.
        by: Hardware,
    },
    /// Somebody was found to have an address that was about to be offered.
    InUse {
        /// The address.
        address: Ipv4Addr,
        /// The station that has it; none if it answered from behind a relay agent.
        mac: Option<MacAddr>,
    },
    /// A client with an address of its own was told all else.
    Informed {
        /// The client's address.
        address: Ipv4Addr,
    },
    /// No address is left for a client.
    Exhausted {
        /// The client's interface.
        for_whom: Hardware,
    },
    /// As many clients ask as there are [`Pending`](super::Pending) places: this one was not
    /// answered.
    NoPlace {
        /// The client's interface.
        for_whom: Hardware,
    },
    /// A lease could not be kept, so it was not given.
    StoreFailed,
}

impl fmt::Display for ServerEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerEvent::Offered { address, to } => write!(f, "offered {address} to {to:?}"),
            ServerEvent::Leased {
                address,
                to,
                seconds,
                again,
            } => {
                let what = if *again { "renewed" } else { "leased" };
                write!(f, "{what} {address} to {to:?} for {seconds} s")
            }
            ServerEvent::Refused { address, to } => write!(f, "refused {address} to {to:?}"),
            ServerEvent::Released { address, by } => write!(f, "{by:?} gave {address} back"),
            ServerEvent::Declined { address, by } => {
                write!(f, "{by:?} declined {address}: somebody has it")
            }
            ServerEvent::InUse { address, mac: None } => {
                write!(f, "a host answers at {address}, which was not given to it")
            }
            ServerEvent::InUse {
                address,
                mac: Some(mac),
            } => write!(f, "{mac} has {address}, which was not given to it"),
            ServerEvent::Informed { address } => write!(f, "informed {address}"),
            ServerEvent::Exhausted { for_whom } => write!(f, "no address left for {for_whom:?}"),
            ServerEvent::NoPlace { for_whom } => {
                write!(f, "too many clients ask at once: no answer to {for_whom:?}")
            }
            ServerEvent::StoreFailed => f.write_str("a lease could not be kept"),
        }
    }
}
