//! One query: from name to name of the search list and along aliases, from server to server, from
//! UDP to TCP.

mod exchange;

use core::net::IpAddr;

use netloom_stack::driver::Instant;
use netloom_stack::rand::Rng;
use netloom_stack::{Error, Stack, TcpHandle, UdpHandle};
use netloom_wire::dns::{Name, Rdata, Record, RecordType, class, rcode};

use super::answer::{Packer, copy};
use super::cache::{Cache, Known};
use super::config::{Candidate, Config, MAX_SERVERS};
use super::counters::{Counters, count};
use super::failure::Failure;
use super::health::Health;
use super::response::Meaning;
use super::special::{Special, special};

/// How a query ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Records {
        len: usize,
        age: u32,
        complete: bool,
    },
    Failed(Failure),
}

/// What a query is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody's.
    Free,
    /// Looks in memory, then asks, unless another query asks the same.
    Begin,
    /// A message is out over UDP.
    Udp,
    /// A connection is open or opening.
    Tcp,
    Done(Outcome),
}

/// What all queries work with.
pub(super) struct Context<'a> {
    pub(super) config: &'a Config,
    pub(super) cache: Cache<'a>,
    pub(super) rng: &'a mut Rng,
    pub(super) counters: &'a mut Counters,
    pub(super) health: &'a mut Health,
    /// Where messages are read.
    pub(super) message: &'a mut [u8],
}

/// A query's place.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) generation: u32,
    pub(super) state: State,
    /// What the program wants to know.
    asked: Name,
    pub(super) kind: RecordType,
    /// The search list is not for it.
    absolute: bool,
    /// Which name of the search list is being asked.
    candidate: u8,
    /// What is being asked, in the case it was sent in.
    question: Name,
    aliases: u8,
    /// Some name of the search list exists, without such a record.
    exists: bool,
    /// The last failure of a server for a name of the search list.
    failed: Option<Failure>,
    edns: bool,
    /// The letters of the question that is out were drawn.
    cased: bool,
    /// No reply has come in letters that were not sent.
    keeps_case: bool,
    order: [u8; MAX_SERVERS],
    servers: u8,
    /// Messages sent to ask the question, over UDP.
    attempt: u8,
    /// The server being asked.
    server: u8,
    id: u16,
    socket: Option<UdpHandle>,
    connection: Option<TcpHandle>,
    /// Octets of the query that are sent over TCP so far.
    written: u16,
    due: Instant,
}

impl Slot {
    pub(super) const FREE: Slot = Slot {
        generation: 0,
        state: State::Free,
        asked: Name::ROOT,
        kind: RecordType::A,
        absolute: false,
        candidate: 0,
        question: Name::ROOT,
        aliases: 0,
        exists: false,
        failed: None,
        edns: true,
        cased: true,
        keeps_case: true,
        order: [0; MAX_SERVERS],
        servers: 0,
        attempt: 0,
        server: 0,
        id: 0,
        socket: None,
        connection: None,
        written: 0,
        due: Instant::ZERO,
    };

    /// Takes the place for a query. What it is about to do is found out by the first step.
    pub(super) fn begin(&mut self, asked: Name, kind: RecordType, absolute: bool) {
        *self = Slot {
            generation: self.generation.wrapping_add(1),
            state: State::Begin,
            asked,
            kind,
            absolute,
            ..Slot::FREE
        };
    }

    /// Gives back sockets and place.
    pub(super) fn end(&mut self, stack: &mut Stack) {
        self.close(stack);
        self.state = State::Free;
    }

    /// Whether it has this question out.
    pub(super) fn is_asking(&self, name: &Name, kind: RecordType) -> bool {
        matches!(self.state, State::Udp | State::Tcp) && self.kind == kind && self.question == *name
    }

    pub(super) fn is_out(&self) -> bool {
        matches!(self.state, State::Udp | State::Tcp)
    }

    fn close(&mut self, stack: &mut Stack) {
        if let Some(socket) = self.socket.take() {
            let _ = stack.udp_close(socket);
        }
        self.hang_up(stack);
    }

    fn hang_up(&mut self, stack: &mut Stack) {
        if let Some(connection) = self.connection.take() {
            // Whatever else it sends is of no use, and must not hold up a FIN.
            let _ = stack.tcp_read_with(connection, |a, b| a.len().saturating_add(b.len()));
            let _ = stack.tcp_close(connection);
        }
    }

    fn done(&mut self, stack: &mut Stack, outcome: Outcome) {
        self.close(stack);
        self.state = State::Done(outcome);
    }

    fn fail(&mut self, stack: &mut Stack, failure: Failure) {
        self.done(stack, Outcome::Failed(failure));
    }

    /// An answer that needs nobody.
    pub(super) fn special(&mut self, stack: &mut Stack, known: Special, answer: &mut [u8]) {
        match known {
            Special::NoData => self.fail(stack, Failure::NoSuchRecord),
            Special::NoName => self.fail(stack, Failure::NoSuchName),
            Special::Address(addr) => {
                let (asked, kind) = (self.asked, self.kind);
                match pack_addresses(answer, &asked, kind, &[addr]) {
                    Some(len) => self.done(
                        stack,
                        Outcome::Records {
                            len,
                            age: 0,
                            complete: true,
                        },
                    ),
                    None => self.fail(stack, Failure::TooLong),
                }
            }
        }
    }

    /// Goes on as far as it can. `busy` tells whether another query has a question out;
    /// `others_out` whether any has.
    pub(super) fn step(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
        busy: &dyn Fn(&Name, RecordType) -> bool,
        others_out: bool,
    ) {
        // Every turn uses up a candidate, an alias, an attempt or a message that was received.
        loop {
            match self.state {
                State::Free | State::Done(_) => return,
                State::Begin => {
                    if !self.first(context, stack, answer, busy, others_out) {
                        return;
                    }
                }
                State::Udp => {
                    if !self.receive(context, stack, answer) {
                        return;
                    }
                }
                State::Tcp => {
                    if !self.read(context, stack, answer) {
                        return;
                    }
                }
            }
        }
    }

    /// Looks in memory, then asks. Says whether there is more to do.
    fn first(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
        busy: &dyn Fn(&Name, RecordType) -> bool,
        others_out: bool,
    ) -> bool {
        if self.aliases == 0 {
            let (mut candidate, config) = (self.candidate, context.config);
            // What the program said of a name goes before the search list, and so does what is
            // nobody's to ask: completed, it would leak.
            let name = if candidate == 0
                && (context.cache.is_pinned(&self.asked)
                    || special(&self.asked, self.kind).is_some())
            {
                self.absolute = true;
                self.asked
            } else {
                loop {
                    match config.candidate(&self.asked, self.absolute, candidate) {
                        Candidate::Name(name) => break name,
                        Candidate::TooLong => candidate = candidate.saturating_add(1),
                        Candidate::NoMore => {
                            let failure = self.failed.unwrap_or(if self.exists {
                                Failure::NoSuchRecord
                            } else {
                                Failure::NoSuchName
                            });
                            self.fail(stack, failure);
                            return false;
                        }
                    }
                }
            };
            self.candidate = candidate;
            self.question = name;
        }
        if let Some(known) = special(&self.question, self.kind) {
            count(&mut context.counters.from_memory);
            match known {
                Special::NoName => self.negative(false),
                Special::NoData => self.negative(true),
                Special::Address(_) => self.special(stack, known, answer),
            }
            return true;
        }
        if self.recall(context, stack, answer) {
            count(&mut context.counters.from_memory);
            return true;
        }
        // RFC 5452 §5: equal questions that are out at once make a forger's luck likelier.
        if busy(&self.question, self.kind) {
            return false;
        }
        (self.order, self.servers) = context.health.order(context.config, stack.now());
        if self.servers == 0 {
            self.fail(stack, Failure::NoServers);
            return false;
        }
        self.attempt = 0;
        self.edns = true;
        self.cased = context.config.random_case;
        self.keeps_case = true;
        match self.send(context, stack) {
            Ok(()) => true,
            // Sockets will be free again.
            Err(Error::CapacityExhausted) if others_out => false,
            Err(error) => self.next_server(context, stack, Failure::Unreachable(error)),
        }
    }

    /// Answers from what is remembered. Says whether that was possible.
    fn recall(&mut self, context: &mut Context<'_>, stack: &mut Stack, answer: &mut [u8]) -> bool {
        let now = stack.now();
        let Some(hit) = context.cache.get(now, &self.question, self.kind) else {
            if context.cache.is_pinned(&self.question)
                && matches!(self.kind, RecordType::A | RecordType::AAAA)
            {
                self.negative(true);
                return true;
            }
            return false;
        };
        match hit.known {
            Known::NoData => self.negative(true),
            Known::NoName => self.negative(false),
            Known::Records { complete } => {
                let (len, age) = (hit.packed.len(), hit.age);
                let Some(place) = answer.get_mut(..len) else {
                    return false;
                };
                copy(place, hit.packed);
                self.done(stack, Outcome::Records { len, age, complete });
            }
        }
        true
    }

    /// There is nothing of this name: on to the next of the search list.
    fn negative(&mut self, exists: bool) {
        self.exists |= exists;
        self.state = State::Begin;
        if self.aliases > 0 {
            // Aliases lead away from the search list.
            self.aliases = 0;
            self.absolute = true;
            self.exists = exists;
            self.candidate = 0;
        }
        self.candidate = self.candidate.saturating_add(1);
    }

    /// Does what a reply calls for.
    fn apply(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        answer: &mut [u8],
        meaning: Meaning,
        knows_edns: bool,
    ) -> bool {
        let now = stack.now();
        context.health.answered(self.server);
        match meaning {
            Meaning::Records { len, ttl, complete } => {
                let ttl = ttl.min(context.config.max_ttl);
                let packed = answer.get(..len).unwrap_or_default();
                let known = Known::Records { complete };
                context
                    .cache
                    .put(now, &self.question, self.kind, known, ttl, packed);
                let age = 0;
                self.done(stack, Outcome::Records { len, age, complete });
                false
            }
            Meaning::NoData { ttl } | Meaning::NoName { ttl } => {
                let exists = matches!(meaning, Meaning::NoData { .. });
                let known = if exists { Known::NoData } else { Known::NoName };
                let ttl = ttl.min(context.config.max_negative_ttl);
                context
                    .cache
                    .put(now, &self.question, self.kind, known, ttl, &[]);
                self.close(stack);
                self.negative(exists);
                true
            }
            Meaning::Alias { target, aliases } => {
                // Back where it began: there is no need to go round until it is too far.
                let first = context
                    .config
                    .candidate(&self.asked, self.absolute, self.candidate);
                if first == Candidate::Name(target) {
                    self.fail(stack, Failure::TooManyAliases);
                    return false;
                }
                self.close(stack);
                self.question = target;
                self.aliases = aliases;
                self.state = State::Begin;
                true
            }
            Meaning::TooManyAliases => {
                self.fail(stack, Failure::TooManyAliases);
                false
            }
            Meaning::TooLong => {
                self.fail(stack, Failure::TooLong);
                false
            }
            Meaning::Failed(code) => {
                // RFC 6891 §7: a server that does not know EDNS says so with one of these.
                let unknown = matches!(
                    code,
                    rcode::FORMAT_ERROR | rcode::NOT_IMPLEMENTED | rcode::BAD_VERSION
                );
                if self.edns && unknown && (!knows_edns || code == rcode::BAD_VERSION) {
                    self.edns = false;
                    return match self.send(context, stack) {
                        Ok(()) => true,
                        Err(error) => self.next_server(context, stack, Failure::Unreachable(error)),
                    };
                }
                count(&mut context.counters.server_failures);
                self.next_server(context, stack, Failure::ServerFailed(code))
            }
        }
    }

    /// Gives up the server being asked, for this time. Says whether there is more to do.
    fn next_server(
        &mut self,
        context: &mut Context<'_>,
        stack: &mut Stack,
        mut why: Failure,
    ) -> bool {
        loop {
            self.attempt = self.attempt.saturating_add(1);
            let rounds = context.config.rounds.clamp(1, 8);
            if self.attempt >= self.servers.saturating_mul(rounds) {
                break;
            }
            match self.send(context, stack) {
                Ok(()) => return true,
                Err(error) => why = Failure::Unreachable(error),
            }
        }
        self.close(stack);
        if matches!(why, Failure::ServerFailed(_)) && self.aliases == 0 {
            // The next name of the search list may be another server's to fail.
            self.failed = Some(why);
            self.state = State::Begin;
            self.candidate = self.candidate.saturating_add(1);
            return true;
        }
        self.fail(stack, why);
        false
    }
}

/// Packs addresses as records; those of another version than `kind` are left out. `None` if there
/// are none or they do not fit.
pub(super) fn pack_addresses(
    out: &mut [u8],
    name: &Name,
    kind: RecordType,
    addrs: &[IpAddr],
) -> Option<usize> {
    let view = name.view();
    let mut packer = Packer::new(out, &view);
    for addr in addrs {
        let (own, data) = match addr {
            IpAddr::V4(addr) => (RecordType::A, Rdata::A(*addr)),
            IpAddr::V6(addr) => (RecordType::AAAA, Rdata::Aaaa(*addr)),
        };
        if own == kind {
            let record = Record {
                name: view,
                kind,
                class: class::IN,
                ttl: 0,
                data,
            };
            packer.record(&record, 0);
        }
    }
    (!packer.short && packer.records > 0).then(|| packer.len())
}
