//! Servers, the search list, and what else can be set.

use core::net::SocketAddr;
use core::time::Duration;

use netloom_wire::WireError;
use netloom_wire::dns::Name;

/// Servers at most; resolv.conf has three.
pub const MAX_SERVERS: usize = 4;

/// Octets of all names of the search list together, as resolv.conf bounds it.
const SEARCH_OCTETS: usize = 256;

/// Whom to ask, and how. Capacities are the [`Resolver`](super::Resolver)'s own parameters.
#[derive(Debug, Clone)]
pub struct Config {
    servers: [Option<SocketAddr>; MAX_SERVERS],
    search: SearchList,
    /// Names with at least this many dots are asked as they stand before the search list is gone
    /// through, others after; 0..=15, 1 at first (resolv.conf's `ndots`).
    pub ndots: u8,
    /// How long a server may take in the first round; twice as long in every further one. 2 s at
    /// first. TCP may take twice as long.
    pub timeout: Duration,
    /// How often each server is asked at most; 2 at first (resolv.conf's `attempts`).
    pub rounds: u8,
    /// Octets of the longest reply over UDP, 512..=4096; 1232 at first, which no path of today
    /// fragments. The resolver's message buffer bounds it too.
    pub payload: u16,
    /// Seconds an answer is kept at most; a day at first.
    pub max_ttl: u32,
    /// Seconds a negative answer is kept at most; three hours at first (RFC 2308 §5).
    pub max_negative_ttl: u32,
    /// Whether letters are sent in random case. Servers must return them as they were; one that
    /// does not costs a retry, and is asked without.
    pub random_case: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

impl Config {
    /// No servers yet, and the defaults.
    #[must_use]
    pub const fn new() -> Config {
        Config {
            servers: [None; MAX_SERVERS],
            search: SearchList::EMPTY,
            ndots: 1,
            timeout: Duration::from_secs(2),
            rounds: 2,
            payload: 1232,
            max_ttl: 86_400,
            max_negative_ttl: 10_800,
            random_case: true,
        }
    }

    /// Adds a server, asked after those before it. Beyond [`MAX_SERVERS`] it is left out, as
    /// resolv.conf's are.
    #[must_use]
    pub fn server(mut self, server: SocketAddr) -> Config {
        self.add_server(server);
        self
    }

    pub(super) fn add_server(&mut self, server: SocketAddr) {
        if let Some(free) = self.servers.iter_mut().find(|known| known.is_none()) {
            *free = Some(server);
        }
    }

    pub(super) fn clear_servers(&mut self) {
        self.servers = [None; MAX_SERVERS];
    }

    /// Adds a domain to the search list.
    ///
    /// # Errors
    /// [`WireError::BadName`] for the root; [`WireError::BufferTooSmall`] beyond 256 octets in
    /// all.
    pub fn search(mut self, domain: &Name) -> Result<Config, WireError> {
        self.search.add(domain)?;
        Ok(self)
    }

    pub(super) fn set_search(&mut self, domains: &[Name]) -> Result<(), WireError> {
        let mut search = SearchList::EMPTY;
        for domain in domains {
            search.add(domain)?;
        }
        self.search = search;
        Ok(())
    }

    /// The servers, in order.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.servers.iter().flatten().copied()
    }

    /// The search list.
    pub fn search_list(&self) -> impl Iterator<Item = Name> + '_ {
        self.search.iter()
    }

    pub(super) fn timeout_micros(&self, round: u32) -> u64 {
        let base = u64::try_from(self.timeout.as_micros()).unwrap_or(u64::MAX);
        base.max(1_000).saturating_mul(1 << round.min(6))
    }

    /// The `index`th name to try for `asked`; `None`: there are no more.
    pub(super) fn candidate(&self, asked: &Name, absolute: bool, index: u8) -> Candidate {
        let dots = asked.label_count().saturating_sub(1);
        let index = usize::from(index);
        if absolute || asked.view().is_root() {
            return if index == 0 {
                Candidate::Name(*asked)
            } else {
                Candidate::NoMore
            };
        }
        let domains = self.search.iter().count();
        let as_it_stands = if dots >= usize::from(self.ndots) {
            0
        } else {
            domains
        };
        if index == as_it_stands {
            return Candidate::Name(*asked);
        }
        let searched = if index > as_it_stands {
            index.saturating_sub(1)
        } else {
            index
        };
        match self.search.iter().nth(searched) {
            None => Candidate::NoMore,
            Some(domain) => match asked.below(&domain.view()) {
                Ok(name) => Candidate::Name(name),
                Err(_) => Candidate::TooLong,
            },
        }
    }
}

/// A name to try.
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap, and it lives for one call"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Candidate {
    Name(Name),
    /// There is none at this place, but others may follow.
    TooLong,
    NoMore,
}

/// Names one behind the other, as octets.
#[derive(Clone)]
struct SearchList {
    len: u16,
    octets: [u8; SEARCH_OCTETS],
}

impl SearchList {
    const EMPTY: SearchList = SearchList {
        len: 0,
        octets: [0; SEARCH_OCTETS],
    };

    fn add(&mut self, domain: &Name) -> Result<(), WireError> {
        if domain.view().is_root() {
            return Err(WireError::BadName);
        }
        let octets = domain.as_octets();
        let at = usize::from(self.len);
        let end = at.saturating_add(octets.len());
        let place = self.octets.get_mut(at..end);
        super::answer::copy(place.ok_or(WireError::BufferTooSmall)?, octets);
        self.len = u16::try_from(end).unwrap_or(self.len);
        Ok(())
    }

    fn iter(&self) -> impl Iterator<Item = Name> + '_ {
        let mut rest = self.octets.get(..usize::from(self.len)).unwrap_or_default();
        core::iter::from_fn(move || {
            let name = Name::from_octets(rest).ok()?;
            rest = rest.get(name.as_octets().len()..)?;
            Some(name)
        })
    }
}

impl core::fmt::Debug for SearchList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
