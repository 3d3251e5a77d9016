//! Exchanges with a server, their times, kisses of death.

use core::net::SocketAddr;
use core::time::Duration;

use netloom_stack::driver::Instant;
use netloom_stack::rand::Rng;
use netloom_stack::{Error, Seed, Stack, UdpHandle};
use netloom_wire::ntp::{
    LeapIndicator, MAX_STRATUM, NtpMode, NtpRepr, NtpTimestamp, NtpView, ReferenceId,
};

use super::filter::{ClockFilter, Filtered, Sample, aged};
use super::{MAX_DISPERSION, drift, resolution};

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientConfig {
    /// Whom it asks.
    pub server: SocketAddr,
    /// Exchanges it begins with; 1 to 8, at first 4.
    pub burst: u8,
    /// Time between them; 2 s at first (RFC 5905's BTIME). Public servers want no less.
    pub burst_interval: Duration,
    /// Time between exchanges after that, as a power of two seconds: at first 6 (64 s), and up
    /// to 10 (17 min) while all goes well.
    pub min_poll: u8,
    /// See `min_poll`; at most 17 (36 h).
    pub max_poll: u8,
    /// What this clock resolves, as a power of two seconds: -20 at first, a microsecond.
    pub precision: i8,
}

impl ClientConfig {
    /// The defaults.
    #[must_use]
    pub const fn new(server: SocketAddr) -> ClientConfig {
        ClientConfig {
            server,
            burst: 4,
            burst_interval: Duration::from_secs(2),
            min_poll: 6,
            max_poll: 10,
            precision: -20,
        }
    }
}

/// What became of messages; the counters wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCounters {
    /// Requests sent.
    pub sent: u32,
    /// Requests nobody answered before the next.
    pub lost: u32,
    /// Replies that were taken.
    pub taken: u32,
    /// Dropped: no reply to what was asked last, or one more to it.
    pub bogus: u32,
    /// Dropped: no message of NTP, not from a server, or its times contradict each other.
    pub invalid: u32,
    /// Dropped: the server has no time itself, or is too far from one that has.
    pub unsynchronized: u32,
    /// Kisses of death.
    pub kisses: u32,
    /// Exchanges during which this clock was set.
    pub stepped: u32,
    /// What ICMP or the stack said against it.
    pub unreachable: u32,
}

/// What has happened to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// An exchange is complete; [`Client::estimate`] may be better than before.
    Sample(Sample),
    /// The server was silent, or cannot be reached; it is asked again.
    Lost(Option<Error>),
    /// The server has no time.
    Unsynchronized,
    /// The server wants to be asked less often, and will be.
    Slower,
    /// The server wants to be asked no more, and will not be: DENY or RSTR.
    Refused(ReferenceId),
}

/// What is known of the server's time. Spans are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// By how much this clock is behind the server's; negative if it is ahead.
    pub offset: i64,
    /// The round trip of the exchange this is from.
    pub delay: u64,
    /// How much the clocks may have erred during that exchange and since.
    pub dispersion: u64,
    /// How much exchanges differ.
    pub jitter: u64,
    /// The peer dispersion of RFC 5905 §10: it falls below 1 s with the fourth exchange.
    pub peer_dispersion: u64,
    /// From the server to its reference clock and back.
    pub root_delay: u64,
    /// How much the server may err.
    pub root_dispersion: u64,
    /// How far the server is from a reference clock; 1 has one.
    pub stratum: u8,
    /// Whether a leap second is near.
    pub leap: LeapIndicator,
    /// Where the server has its time from.
    pub reference_id: ReferenceId,
    /// Exchanges this rests on.
    pub samples: u8,
}

impl Estimate {
    /// How wrong the offset can be, if nobody lies: half of all delays, and all dispersions.
    #[must_use]
    pub fn error(&self) -> u64 {
        (self.root_delay.saturating_add(self.delay) / 2)
            .saturating_add(self.root_dispersion)
            .saturating_add(self.dispersion)
            .saturating_add(self.jitter)
    }

    /// The root synchronization distance of RFC 5905 §11.2.1, which takes few exchanges for bad
    /// ones; below 1 s (MAXDIST) the server is fit for use.
    #[must_use]
    pub fn root_distance(&self) -> u64 {
        const MIN_DISPERSION: u64 = 5_000_000;
        let delays = self.root_delay.saturating_add(self.delay);
        (delays.max(MIN_DISPERSION) / 2)
            .saturating_add(self.root_dispersion)
            .saturating_add(self.peer_dispersion)
            .saturating_add(self.jitter)
    }

    /// The time by this clock, put right.
    #[must_use]
    pub fn corrected(&self, time: Duration) -> Duration {
        let by = Duration::from_nanos(self.offset.unsigned_abs());
        if self.offset < 0 {
            time.saturating_sub(by)
        } else {
            time.saturating_add(by)
        }
    }
}

/// A request that is out.
#[derive(Debug, Clone, Copy)]
struct Request {
    /// What its transmit timestamp said: noise, for nobody is to know this clock, and nobody to
    /// answer without having seen it.
    nonce: NtpTimestamp,
    /// When it was sent, by this clock.
    sent: Duration,
    sent_at: Instant,
}

/// What the last good reply said of its server.
#[derive(Debug, Clone, Copy)]
struct ServerInfo {
    root_delay: u64,
    root_dispersion: u64,
    stratum: u8,
    leap: LeapIndicator,
    reference_id: ReferenceId,
    at: Instant,
}

/// A client of one server.
#[derive(Debug)]
#[doc(alias = "NTP")]
pub struct Client {
    config: ClientConfig,
    rng: Rng,
    socket: Option<UdpHandle>,
    request: Option<Request>,
    burst_left: u8,
    /// The poll exponent, and how many exchanges in a row were good.
    poll: u8,
    good: u8,
    /// A bit a poll, the newest lowest: whether it was answered.
    reach: u8,
    /// Polls in a row that brought nothing.
    silent: u8,
    due: Option<Instant>,
    filter: ClockFilter,
    info: Option<ServerInfo>,
    refused: Option<ReferenceId>,
    counters: ClientCounters,
}

/// MAXPOLL.
const MAX_POLL: u8 = 17;

fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

impl Client {
    /// A client that begins with its first [`poll`](Self::poll). The seed must be secret, and its
    /// own.
    #[must_use]
    pub fn new(config: ClientConfig, seed: Seed) -> Client {
        let config = ClientConfig {
            burst: config.burst.clamp(1, 8),
            max_poll: config.max_poll.min(MAX_POLL),
            min_poll: config.min_poll.min(config.max_poll.min(MAX_POLL)),
            ..config
        };
        Client {
            rng: Rng::new(&seed),
            socket: None,
            request: None,
            burst_left: config.burst,
            poll: config.min_poll,
            good: 0,
            reach: 0,
            silent: 0,
            due: None,
            filter: ClockFilter::new(),
            info: None,
            refused: None,
            counters: ClientCounters::default(),
            config,
        }
    }

    /// Takes what has come, and sends what is due; `time` is that of this clock, since 1970. To
    /// be called when the stack has news, and again while it returns something: its timers cover
    /// the client's.
    pub fn poll(&mut self, stack: &mut Stack, time: Duration) -> Option<Update> {
        if self.refused.is_some() {
            return None;
        }
        if let Some(update) = self.receive(stack, time) {
            return Some(update);
        }
        if self.due.is_some_and(|due| stack.now() < due) {
            return None;
        }
        let lost = self.request.take().is_some();
        if lost {
            count(&mut self.counters.lost);
            self.missed();
        }
        let sent = self.send(stack, time);
        self.schedule(stack);
        match sent {
            Ok(()) => lost.then_some(Update::Lost(None)),
            Err(error) => {
                self.request = None;
                count(&mut self.counters.unreachable);
                Some(Update::Lost(Some(error)))
            }
        }
    }

    /// Gives its socket back.
    pub fn end(&mut self, stack: &mut Stack) {
        if let Some(socket) = self.socket.take() {
            let _ = stack.udp_close(socket);
        }
        self.request = None;
    }

    /// Whether the exchanges it began with are over, answered or not.
    #[must_use]
    pub fn burst_is_over(&self) -> bool {
        self.burst_left == 0 && self.request.is_none()
    }

    /// The kiss that ended it, if one did.
    #[must_use]
    pub fn refused(&self) -> Option<ReferenceId> {
        self.refused
    }

    /// What became of its messages.
    #[must_use]
    pub fn counters(&self) -> &ClientCounters {
        &self.counters
    }

    /// The time to the next exchange, as a power of two seconds.
    #[must_use]
    pub fn poll_exponent(&self) -> u8 {
        self.poll
    }

    /// The clock filter, with the samples it has.
    #[must_use]
    pub fn filter(&self) -> &ClockFilter {
        &self.filter
    }

    /// What is known of the server's time now.
    #[must_use]
    pub fn estimate(&self, now: Instant) -> Option<Estimate> {
        let info = self.info?;
        let Filtered {
            best,
            dispersion,
            jitter,
        } = self.filter.filtered(now)?;
        Some(Estimate {
            offset: best.offset,
            delay: best.delay,
            dispersion: aged(&best, now),
            jitter: jitter.max(resolution(self.config.precision)),
            peer_dispersion: dispersion,
            root_delay: info.root_delay,
            root_dispersion: info
                .root_dispersion
                .saturating_add(drift(now.micros_since(info.at))),
            stratum: info.stratum,
            leap: info.leap,
            reference_id: info.reference_id,
            samples: u8::try_from(self.filter.samples().count()).unwrap_or(u8::MAX),
        })
    }

    fn receive(&mut self, stack: &mut Stack, time: Duration) -> Option<Update> {
        let socket = self.socket?;
        let mut buffer = [0; 512];
        loop {
            let len = match stack.udp_recv(socket, &mut buffer) {
                Ok(received) => received.copied,
                Err(Error::WouldBlock) => return None,
                Err(error) => {
                    // What ICMP says of a request need not be true; the next is sent in its time.
                    count(&mut self.counters.unreachable);
                    return Some(Update::Lost(Some(error)));
                }
            };
            let message = buffer.get(..len).unwrap_or_default();
            if let Some(update) = self.judge(stack, message, time) {
                return Some(update);
            }
        }
    }

    /// Takes a message of the server's. `None`: it was dropped.
    fn judge(&mut self, stack: &mut Stack, message: &[u8], time: Duration) -> Option<Update> {
        let Ok(view) = NtpView::new(message) else {
            count(&mut self.counters.invalid);
            return None;
        };
        if view.mode() != NtpMode::Server {
            count(&mut self.counters.invalid);
            return None;
        }
        // RFC 5905 §8: a reply whose origin timestamp is not the transmit timestamp of the last
        // request is bogus, and one that comes again is too. Kisses must pass this as well, or
        // anybody could deny anybody the time.
        let Some(request) = self.request.filter(|r| r.nonce == view.origin()) else {
            count(&mut self.counters.bogus);
            return None;
        };
        let reply = NtpRepr::parse(&view);
        self.request = None;
        if let Some(kiss) = reply.kiss() {
            return self.kissed(stack, kiss);
        }
        let root_delay = reply.root_delay.as_nanos();
        let root_dispersion = reply.root_dispersion.as_nanos();
        let distance = (root_delay / 2).saturating_add(root_dispersion);
        if reply.leap == LeapIndicator::Unsynchronized
            || reply.stratum >= MAX_STRATUM
            || distance >= MAX_DISPERSION
        {
            count(&mut self.counters.unsynchronized);
            self.missed();
            return Some(Update::Unsynchronized);
        }
        let Some(sample) = self.sample(&reply, &request, stack.now(), time) else {
            self.missed();
            return Some(Update::Lost(None));
        };
        count(&mut self.counters.taken);
        self.reach |= 1;
        self.silent = 0;
        self.answered(stack);
        self.info = Some(ServerInfo {
            root_delay,
            root_dispersion,
            stratum: reply.stratum,
            leap: reply.leap,
            reference_id: reply.reference_id,
            at: stack.now(),
        });
        let _ = self.filter.add(sample);
        Some(Update::Sample(sample))
    }

    /// What an exchange shows; `None` if its times make no sense.
    fn sample(
        &mut self,
        reply: &NtpRepr,
        request: &Request,
        now: Instant,
        time: Duration,
    ) -> Option<Sample> {
        let t1 = NtpTimestamp::from_unix(request.sent);
        let (t2, t3) = (reply.receive, reply.transmit);
        let t4 = NtpTimestamp::from_unix(time);
        let served = t3.nanos_since(t2);
        let is_sound = t2.is_known()
            && t3.is_known()
            && served >= 0
            && (!reply.reference.is_known() || t3.nanos_since(reply.reference) >= 0);
        if !is_sound {
            count(&mut self.counters.invalid);
            return None;
        }
        // If this clock and the stack's disagree on how long it took, one of them was set
        // meanwhile. The stack's stands still between calls, which may be some milliseconds.
        let passed = t4.nanos_since(t1);
        let micros = now.micros_since(request.sent_at);
        let by_stack = i64::try_from(micros.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let slack = 100_000_000;
        if passed < 0 || passed.abs_diff(by_stack) > slack {
            count(&mut self.counters.stepped);
            return None;
        }
        //= https://www.rfc-editor.org/rfc/rfc5905#section-8
        //# theta = T(B) - T(A) = 1/2 * [(T2-T1) + (T3-T4)]
        let there = t2.nanos_since(t1);
        let back = t3.nanos_since(t4);
        let offset = there.saturating_add(back) / 2;
        let own = resolution(self.config.precision);
        // A server that is fast beside this clock can seem to take longer than the round trip.
        let delay = passed.saturating_sub(served);
        let delay = u64::try_from(delay).unwrap_or(0).max(own);
        //= https://www.rfc-editor.org/rfc/rfc5905#section-9.2
        //# epsilon(t_0) = r.rho + s.rho + PHI * (T4-T1)
        let dispersion = resolution(reply.precision)
            .saturating_add(own)
            .saturating_add(drift(passed.unsigned_abs() / 1_000));
        Some(Sample {
            offset,
            delay,
            dispersion,
            at: now,
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
    //# Recipients of kiss codes MUST inspect them and, in the
    //# following cases, take these actions:
    fn kissed(&mut self, stack: &mut Stack, kiss: ReferenceId) -> Option<Update> {
        count(&mut self.counters.kisses);
        match kiss {
            //= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
            //# a.  For kiss codes DENY and RSTR, the client MUST demobilize any
            //# associations to that server and stop sending packets to that
            //# server;
            ReferenceId::DENY | ReferenceId::RSTR => {
                self.refused = Some(kiss);
                self.end(stack);
                Some(Update::Refused(kiss))
            }
            //= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
            //# b.  For kiss code RATE, the client MUST immediately reduce its
            //# polling interval to that server and continue to reduce it each
            //# time it receives a RATE kiss code.
            ReferenceId::RATE => {
                self.burst_left = 0;
                self.good = 0;
                self.poll = self.poll.saturating_add(1).min(MAX_POLL);
                self.schedule(stack);
                Some(Update::Slower)
            }
            //= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
            //# d.  Other than the above conditions, KoD packets have no protocol
            //# significance and are discarded after inspection.
            _ => {
                self.missed();
                Some(Update::Unsynchronized)
            }
        }
    }

    /// An exchange was good.
    fn answered(&mut self, stack: &mut Stack) {
        if self.burst_left > 0 || self.poll >= self.config.max_poll {
            return;
        }
        self.good = self.good.saturating_add(1);
        if self.good >= 8 {
            self.good = 0;
            self.poll = self.poll.saturating_add(1);
            self.schedule(stack);
        }
    }

    /// A poll brought nothing.
    fn missed(&mut self) {
        self.good = 0;
        //= https://www.rfc-editor.org/rfc/rfc5905#section-10
        //# If the three low-order bits of the reach register are zero,
        //# indicating three poll intervals have expired with no valid packets
        //# received, the poll process calls the clock filter algorithm with a
        //# dummy tuple just as if the tuple had arrived from the network.
        if self.reach & 7 == 0 && self.counters.taken > 0 {
            self.filter.add_nothing();
        }
        // A server that has been away for eight polls is asked less often.
        self.silent = self.silent.saturating_add(1);
        if self.silent >= 8 && self.burst_left == 0 {
            self.poll = self
                .poll
                .saturating_add(1)
                .min(self.config.max_poll.max(self.poll));
        }
    }

    fn send(&mut self, stack: &mut Stack, time: Duration) -> Result<(), Error> {
        let socket = match self.socket {
            Some(socket) => socket,
            None => {
                let socket = stack.udp_bind(0)?;
                // Kept before anything can fail: its timer is needed either way.
                self.socket = Some(socket);
                socket
            }
        };
        if stack.udp_peer_addr(socket).is_err() {
            stack.udp_connect(socket, self.config.server)?;
        }
        let nonce = loop {
            let nonce = NtpTimestamp(self.rng.next_u64());
            if nonce.is_known() {
                break nonce;
            }
        };
        let mut message = [0; netloom_wire::ntp::HEADER_LEN];
        // The buffer is as long as the header.
        let _ = NtpRepr::request(nonce).emit(&mut message);
        stack.udp_send(socket, &message)?;
        self.reach <<= 1;
        self.burst_left = self.burst_left.saturating_sub(1);
        self.request = Some(Request {
            nonce,
            sent: time,
            sent_at: stack.now(),
        });
        count(&mut self.counters.sent);
        Ok(())
    }

    /// Sets the time of the next request.
    fn schedule(&mut self, stack: &mut Stack) {
        let wait = if self.burst_left > 0 {
            u64::try_from(self.config.burst_interval.as_micros()).unwrap_or(u64::MAX)
        } else {
            // Not all clients of a server in the same second.
            let poll = 1_000_000_u64 << self.poll.min(MAX_POLL);
            let spread = u32::try_from(poll / 16).unwrap_or(u32::MAX);
            poll.saturating_add(u64::from(self.rng.below(spread)))
        };
        let due = stack.now().plus_micros(wait.max(1_000));
        self.due = Some(due);
        if let Some(socket) = self.socket {
            let _ = stack.udp_wake_at(socket, Some(due));
        }
    }
}
