//! Queries begun, polled, taken.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use netloom_stack::rand::Rng;
use netloom_stack::{Seed, Stack};
use netloom_wire::WireError;
use netloom_wire::dns::{Name, RecordType};

use super::answer::Answer;
use super::cache::Cache;
use super::config::Config;
use super::counters::{Counters, count};
use super::failure::Failure;
use super::health::Health;
use super::query::{Context, Outcome, Slot, State, pack_addresses};
use super::special::numeric;

/// A query under way. It names its place until [`Resolver::end`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Query {
    index: u16,
    generation: u32,
}

/// Why a query was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeginError {
    /// The text is no domain name, or longer than one can be.
    BadName,
    /// As many queries are under way as there is room for.
    TooMany,
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BeginError::BadName => "it is no domain name",
            BeginError::TooMany => "too many names are being looked up",
        })
    }
}

impl core::error::Error for BeginError {}

/// A stub resolver: `QUERIES` queries at once, answers of `ANSWER` octets each, a cache of `CACHE`
/// octets in all, messages of up to `MESSAGE` octets.
///
/// An address takes 12 octets of an answer or 24, the name it is of its own length + 1. A cached
/// answer takes 22 octets more, and the name twice. `MESSAGE` bounds what comes in one piece over
/// UDP (at least 512, better 1232) and over TCP, where 65 535 is the most; of longer messages the
/// beginning is used. Each query under way has one UDP socket of the stack, and over TCP a
/// connection too.
///
/// Its size is a constant, and it never takes a byte beside it.
#[doc(alias = "getaddrinfo")]
pub struct Resolver<
    const QUERIES: usize,
    const ANSWER: usize,
    const CACHE: usize,
    const MESSAGE: usize,
> {
    config: Config,
    rng: Rng,
    counters: Counters,
    health: Health,
    slots: [Slot; QUERIES],
    answers: [[u8; ANSWER]; QUERIES],
    cache: [u8; CACHE],
    cache_used: usize,
    message: [u8; MESSAGE],
}

impl<const QUERIES: usize, const ANSWER: usize, const CACHE: usize, const MESSAGE: usize> fmt::Debug
    for Resolver<QUERIES, ANSWER, CACHE, MESSAGE>
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("config", &self.config)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl<const QUERIES: usize, const ANSWER: usize, const CACHE: usize, const MESSAGE: usize>
    Resolver<QUERIES, ANSWER, CACHE, MESSAGE>
{
    /// A resolver that knows nothing yet. The seed must be secret and its own, not the stack's:
    /// ids and letters follow from it.
    #[must_use]
    pub fn new(config: Config, seed: Seed) -> Self {
        Resolver {
            config,
            rng: Rng::new(&seed),
            counters: Counters::default(),
            health: Health::GOOD,
            slots: [const { Slot::FREE }; QUERIES],
            answers: [[0; ANSWER]; QUERIES],
            cache: [0; CACHE],
            cache_used: 0,
            message: [0; MESSAGE],
        }
    }

    /// Begins to look up a name. One that ends in a dot stands for itself; others may be completed
    /// by the search list. A numeric address is its own answer.
    ///
    /// Answers from memory are there at once.
    ///
    /// # Errors
    /// [`BeginError::BadName`], [`BeginError::TooMany`].
    pub fn begin(
        &mut self,
        stack: &mut Stack,
        name: &str,
        kind: RecordType,
    ) -> Result<Query, BeginError> {
        if let Some(known) = numeric(name, kind) {
            let query = self.place(Name::ROOT, kind, true)?;
            count(&mut self.counters.from_memory);
            let index = usize::from(query.index);
            let (slot, answer) = (self.slots.get_mut(index), self.answers.get_mut(index));
            if let (Some(slot), Some(answer)) = (slot, answer) {
                slot.special(stack, known, answer);
            }
            return Ok(query);
        }
        let parsed: Name = name.parse().map_err(|_| BeginError::BadName)?;
        // A dot behind a backslash belongs to the label: the last label is then not empty.
        let is_absolute = name.ends_with('.') && !ends_escaped(name);
        self.begin_name(stack, &parsed, kind, is_absolute)
    }

    /// [`begin`](Self::begin) with a name that is one already; the search list is for those that
    /// are not `absolute`.
    ///
    /// # Errors
    /// [`BeginError::TooMany`].
    pub fn begin_name(
        &mut self,
        stack: &mut Stack,
        name: &Name,
        kind: RecordType,
        absolute: bool,
    ) -> Result<Query, BeginError> {
        let query = self.place(*name, kind, absolute)?;
        self.step(stack, usize::from(query.index));
        Ok(query)
    }

    /// Begins to look up the names of an address (PTR).
    ///
    /// # Errors
    /// [`BeginError::TooMany`].
    pub fn begin_reverse(&mut self, stack: &mut Stack, addr: IpAddr) -> Result<Query, BeginError> {
        self.begin_name(stack, &Name::reverse(addr), RecordType::PTR, true)
    }

    fn place(&mut self, name: Name, kind: RecordType, absolute: bool) -> Result<Query, BeginError> {
        let mut slots = (0_u16..).zip(&mut self.slots);
        let (index, slot) = slots
            .find(|(_, slot)| slot.state == State::Free)
            .ok_or(BeginError::TooMany)?;
        slot.begin(name, kind, absolute);
        Ok(Query {
            index,
            generation: slot.generation,
        })
    }

    /// Takes what has come, and does what is due. To be called when the stack has news: its
    /// timers cover this resolver's, so whatever [`Stack::next_deadline`] says is enough. Says
    /// whether a query has been answered by it.
    pub fn poll(&mut self, stack: &mut Stack) -> bool {
        let mut answered = false;
        // One that has its answer may be what another waits for.
        for _ in 0..2 {
            for index in 0..QUERIES {
                let is_done = |slot: &Slot| matches!(slot.state, State::Done(_));
                let before = self.slots.get(index).is_some_and(is_done);
                self.step(stack, index);
                answered |= !before && self.slots.get(index).is_some_and(is_done);
            }
        }
        answered
    }

    fn step(&mut self, stack: &mut Stack, index: usize) {
        let Some((before, rest)) = self.slots.split_at_mut_checked(index) else {
            return;
        };
        let (Some((slot, after)), Some(answer)) =
            (rest.split_first_mut(), self.answers.get_mut(index))
        else {
            return;
        };
        let others = || before.iter().chain(after.iter());
        let busy = |name: &Name, kind| others().any(|other| other.is_asking(name, kind));
        let others_out = others().any(Slot::is_out);
        let mut context = Context {
            config: &self.config,
            cache: Cache {
                memory: &mut self.cache,
                used: &mut self.cache_used,
            },
            rng: &mut self.rng,
            counters: &mut self.counters,
            health: &mut self.health,
            message: &mut self.message,
        };
        slot.step(&mut context, stack, answer, &busy, others_out);
    }

    /// The answer to a query, or why there is none; `None` while it is being looked up, and for a
    /// query that was ended.
    pub fn answer(&self, query: Query) -> Option<Result<Answer<'_>, Failure>> {
        let index = usize::from(query.index);
        let slot = self.slots.get(index)?;
        match slot.state {
            State::Done(outcome) if slot.generation == query.generation => Some(match outcome {
                Outcome::Failed(failure) => Err(failure),
                Outcome::Records { len, age, complete } => {
                    let packed = self.answers.get(index)?.get(..len)?;
                    Ok(Answer::new(packed, age, complete))
                }
            }),
            State::Done(_) | State::Free | State::Begin | State::Udp | State::Tcp => None,
        }
    }

    /// Ends a query, answered or not, and gives its place back.
    pub fn end(&mut self, stack: &mut Stack, query: Query) {
        let slot = self.slots.get_mut(usize::from(query.index));
        if let Some(slot) = slot.filter(|slot| slot.generation == query.generation) {
            slot.end(stack);
        }
        // Another may have waited for its answer: it asks itself now.
        self.poll(stack);
    }

    /// How many queries are under way or not ended yet.
    #[must_use]
    pub fn query_count(&self) -> usize {
        self.slots
            .iter()
            .filter(|slot| slot.state != State::Free)
            .count()
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is set.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Replaces the servers, for queries that have not been answered yet too. Beyond
    /// [`MAX_SERVERS`](super::MAX_SERVERS) they are left out. What is remembered stays: see
    /// [`clear`](Self::clear).
    pub fn set_servers(&mut self, servers: &[SocketAddr]) {
        self.config.clear_servers();
        for server in servers {
            self.config.add_server(*server);
        }
        self.health = Health::GOOD;
    }

    /// Replaces the search list.
    ///
    /// # Errors
    /// As [`Config::search`]; nothing has changed then.
    pub fn set_search(&mut self, domains: &[Name]) -> Result<(), WireError> {
        self.config.set_search(domains)
    }

    /// Forgets what servers said: after a change to another network. Addresses given by
    /// [`add_host`](Self::add_host) stay.
    pub fn clear(&mut self) {
        self.cache().clear();
    }

    /// Gives a name these addresses, as `/etc/hosts` does, in place of those it was given before.
    /// Servers are not asked about addresses of that name any more.
    ///
    /// # Errors
    /// [`WireError::BufferTooSmall`] if the cache, or an answer, has no room for them.
    pub fn add_host(&mut self, name: &Name, addrs: &[IpAddr]) -> Result<(), WireError> {
        self.remove_host(name);
        for kind in [RecordType::A, RecordType::AAAA] {
            if !addrs
                .iter()
                .any(|addr| addr.is_ipv4() == (kind == RecordType::A))
            {
                continue;
            }
            // Packed where messages are read: nothing is read now.
            let mut cache = Cache {
                memory: &mut self.cache,
                used: &mut self.cache_used,
            };
            let packed = pack_addresses(&mut self.message, name, kind, addrs)
                .and_then(|len| self.message.get(..len))
                .filter(|packed| packed.len() <= ANSWER);
            let pinned = packed.is_some_and(|packed| {
                let start = netloom_stack::driver::Instant::ZERO;
                cache.pin(start, name, kind, packed)
            });
            if !pinned {
                self.remove_host(name);
                return Err(WireError::BufferTooSmall);
            }
        }
        Ok(())
    }

    /// Takes back the addresses given to a name.
    pub fn remove_host(&mut self, name: &Name) {
        self.cache().unpin(name);
    }

    fn cache(&mut self) -> Cache<'_> {
        Cache {
            memory: &mut self.cache,
            used: &mut self.cache_used,
        }
    }
}

/// Whether the last character is escaped by an odd number of backslashes before it.
fn ends_escaped(text: &str) -> bool {
    let before = text
        .as_bytes()
        .split_last()
        .map_or(&[][..], |(_, rest)| rest);
    let slashes = before.iter().rev().take_while(|o| **o == b'\\').count();
    slashes % 2 == 1
}
