//! What a server gives, and to whom.

use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;

use netloom_wire::{Cidr, MacAddr};

use super::binding::ClientKey;
use crate::dhcp::identity::ClientId;
use crate::dhcp::{INFINITE, is_host};

/// What a server gives, and how.
///
/// It makes sense if every pool's addresses are of its network and neither its first nor its last
/// one, every pool has a lease time above 0 between its bounds, every reserved address is of some
/// pool's network, and no two reservations have the same address.
#[derive(Debug, Clone, Copy)]
pub struct ServerConfig<'a> {
    /// The networks, each with the addresses that anybody may have. Several of one network are used
    /// in their order.
    pub pools: &'a [Pool<'a>],
    /// Addresses kept for certain clients.
    pub reservations: &'a [Reservation],
    /// It knows all there is to know of these networks: it refuses addresses it knows nothing of,
    /// so that clients that moved here ask for a new one at once.
    pub authoritative: bool,
    /// How long to look whether somebody has an address before it is offered; zero does not look.
    /// On the server's own link ARP asks, in networks behind relay agents ICMP echo.
    pub conflict_check: Duration,
    /// How long an offer stands.
    pub offer_time: Duration,
    /// How long an address is given to nobody after a client declined it, or somebody was found to
    /// have it.
    pub quarantine: Duration,
    /// The address clients know the server by; `None`: the interface's own.
    pub server_identifier: Option<Ipv4Addr>,
}

impl Default for ServerConfig<'_> {
    fn default() -> Self {
        ServerConfig {
            pools: &[],
            reservations: &[],
            authoritative: false,
            conflict_check: Duration::from_millis(500),
            offer_time: Duration::from_secs(60),
            quarantine: Duration::from_secs(3600),
            server_identifier: None,
        }
    }
}

/// A range of addresses of one network, and what comes with them.
#[derive(Debug, Clone, Copy)]
pub struct Pool<'a> {
    /// The network; its mask is told to clients.
    pub network: Cidr,
    /// The first address given away.
    pub first: Ipv4Addr,
    /// The last one.
    pub last: Ipv4Addr,
    /// How long addresses are given for.
    pub lease_time: LeaseTime,
    /// Options for those who ask for them, by code: routers, DNS servers and whatever else. The
    /// mask, the times and identifiers are the server's own to tell.
    pub options: &'a [(u8, &'a [u8])],
}

impl Pool<'_> {
    /// Whether an address is in the range.
    pub(super) fn contains(&self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }

    /// How many addresses there are in the range.
    pub(super) fn size(&self) -> u32 {
        u32::from(self.last)
            .saturating_sub(u32::from(self.first))
            .saturating_add(1)
    }

    /// The address `n` places behind the first, from the beginning again behind the last.
    pub(super) fn address(&self, n: u32) -> Ipv4Addr {
        let place = n.checked_rem(self.size()).unwrap_or(0);
        Ipv4Addr::from(u32::from(self.first).saturating_add(place))
    }

    fn check(&self) -> Result<(), BadConfig> {
        let Pool {
            network,
            first,
            last,
            lease_time,
            options: _,
        } = *self;
        if !can_have(&network, first) || !can_have(&network, last) || last < first {
            return Err(BadConfig::Pool {
                network,
                first,
                last,
            });
        }
        let LeaseTime { least, usual, most } = lease_time;
        if least == 0 || !(least..=most).contains(&usual) {
            return Err(BadConfig::LeaseTime(lease_time));
        }
        Ok(())
    }
}

/// Seconds addresses are given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTime {
    /// The shortest a client can ask for.
    pub least: u32,
    /// What one that does not ask gets.
    pub usual: u32,
    /// The longest one can ask for.
    pub most: u32,
}

impl LeaseTime {
    /// One time for everybody.
    #[must_use]
    pub const fn of(seconds: u32) -> LeaseTime {
        LeaseTime {
            least: seconds,
            usual: seconds,
            most: seconds,
        }
    }

    /// What a client gets that asks for this.
    pub(super) fn given(&self, asked: Option<u32>) -> u32 {
        asked.map_or(self.usual, |asked| asked.clamp(self.least, self.most))
    }
}

impl Default for LeaseTime {
    /// An hour; from two minutes to a day for those who ask.
    fn default() -> LeaseTime {
        LeaseTime {
            least: 120,
            usual: 3600,
            most: 86_400,
        }
    }
}

/// An address kept for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reservation {
    /// The client.
    pub who: Who,
    /// Its address: of the network of some pool, in its range or not.
    pub address: Ipv4Addr,
}

/// A client, as a reservation names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// By the identifier it sends.
    Id(ClientId),
    /// By its interface, whatever identifier it sends.
    Mac(MacAddr),
}

impl Who {
    pub(super) fn is(&self, client: &ClientKey, mac: Option<MacAddr>) -> bool {
        match self {
            Who::Id(id) => client.id() == Some(id.as_bytes()),
            Who::Mac(known) => mac == Some(*known),
        }
    }
}

impl ServerConfig<'_> {
    /// Whether it makes sense: a [`Server`](super::Server) begins with no other.
    ///
    /// # Errors
    /// The first thing in it that does not.
    pub fn check(&self) -> Result<(), BadConfig> {
        if self.pools.is_empty() {
            return Err(BadConfig::NoPool);
        }
        for pool in self.pools {
            pool.check()?;
        }
        for (index, &Reservation { who: _, address }) in self.reservations.iter().enumerate() {
            let mut pools = self.pools.iter();
            if !pools.any(|pool| can_have(&pool.network, address)) {
                return Err(BadConfig::Reservation(address));
            }
            let mut before = self.reservations.iter().take(index);
            if before.any(|other| other.address == address) {
                return Err(BadConfig::ReservedTwice(address));
            }
        }
        Ok(())
    }
}

/// What of a [`ServerConfig`] makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadConfig {
    /// There is no pool.
    NoPool,
    /// A pool's first or last address cannot be a host's of its network, or the last is before the
    /// first.
    Pool {
        /// Its network.
        network: Cidr,
        /// Its first address.
        first: Ipv4Addr,
        /// Its last address.
        last: Ipv4Addr,
    },
    /// A pool's lease time is 0 or not between its bounds.
    LeaseTime(LeaseTime),
    /// This reserved address cannot be a host's of any pool's network.
    Reservation(Ipv4Addr),
    /// Two reservations have this address.
    ReservedTwice(Ipv4Addr),
}

impl fmt::Display for BadConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadConfig::NoPool => f.write_str("there is no pool"),
            BadConfig::Pool {
                network,
                first,
                last,
            } => {
                let (net, prefix) = (network.network(), network.prefix);
                write!(
                    f,
                    "not all of {first}-{last} can be hosts of {net}/{prefix}"
                )
            }
            BadConfig::LeaseTime(LeaseTime { least, usual, most }) => {
                write!(
                    f,
                    "a lease of {usual} s is 0 or not within {least}-{most} s"
                )
            }
            BadConfig::Reservation(address) => {
                write!(f, "{address} cannot be a host of any pool's network")
            }
            BadConfig::ReservedTwice(address) => write!(f, "{address} is reserved twice"),
        }
    }
}

impl core::error::Error for BadConfig {}

/// Whether a host of a network can have an address.
fn can_have(network: &Cidr, address: Ipv4Addr) -> bool {
    let addr = address.into();
    let edge =
        network.prefix < 31 && (network.network() == addr || network.broadcast() == Some(addr));
    is_host(address) && network.contains(&addr) && !edge
}

/// The end of a lease by the store's clock.
pub(super) fn end_of_lease(now: u64, seconds: u32) -> u64 {
    if seconds == INFINITE {
        u64::MAX
    } else {
        now.saturating_add(u64::from(seconds))
    }
}
