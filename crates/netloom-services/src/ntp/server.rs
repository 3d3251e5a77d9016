//! Answers to clients, and who gets none.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use netloom_stack::driver::Instant;
use netloom_stack::udp::{Received, UdpMessage};
use netloom_stack::{Error, Stack, UdpHandle};
use netloom_wire::ntp::{
    HEADER_LEN, LeapIndicator, MAX_STRATUM, NtpMode, NtpRepr, NtpShort, NtpTimestamp, NtpView,
    ReferenceId,
};

use super::drift;

/// What a server says of the clock whose time it gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceClock {
    /// Whether a leap second is near, or the clock not synchronized.
    pub leap: LeapIndicator,
    /// How far it is from a reference clock, 1..=15: 1 has one; what is set by another server has
    /// one more than that. Anything else is unsynchronized.
    pub stratum: u8,
    /// What it resolves, as a power of two seconds.
    pub precision: i8,
    /// Where it has its time from.
    pub reference_id: ReferenceId,
    /// From it to the reference clock and back, in nanoseconds.
    pub root_delay: u64,
    /// How much it may have erred when it was last set, in nanoseconds.
    pub root_dispersion: u64,
    /// When it was last set, since 1970; `None`: it is right by itself, and always just set.
    pub reference_time: Option<Duration>,
}

impl ReferenceClock {
    /// A clock that is good enough where there is no better one, as chrony's `local stratum 10`
    /// is.
    #[must_use]
    pub const fn local() -> ReferenceClock {
        ReferenceClock {
            leap: LeapIndicator::None,
            stratum: 10,
            precision: -20,
            reference_id: ReferenceId::LOCL,
            root_delay: 0,
            root_dispersion: 0,
            reference_time: None,
        }
    }
}

/// How often a client may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Requests a client may make at once; 16 at first, at least 1.
    pub burst: u8,
    /// Time after which it may make another; 1 s at first. Zero: no limit.
    pub interval: Duration,
}

impl Default for ServerLimits {
    fn default() -> ServerLimits {
        ServerLimits {
            burst: 16,
            interval: Duration::from_secs(1),
        }
    }
}

/// What became of messages; the counters wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounters {
    /// Requests answered with the time.
    pub answered: u32,
    /// Requests that came too often, and were answered with a kiss.
    pub kissed: u32,
    /// Requests that came too often, and were dropped.
    pub limited: u32,
    /// Dropped: no request of a client's.
    pub invalid: u32,
    /// Replies that could not be sent.
    pub unsent: u32,
}

/// Somebody who asks.
#[derive(Debug, Clone, Copy)]
struct Asker {
    addr: IpAddr,
    /// Requests it may still make, and since when.
    credit: u8,
    since: Instant,
    seen: Instant,
    kissed: bool,
}

const NOBODY: Asker = Asker {
    addr: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    credit: 0,
    since: Instant::ZERO,
    seen: Instant::ZERO,
    kissed: false,
};

/// Requests answered in one poll at most, so that others get their turn in a flood.
const BATCH: usize = 64;

/// A server, which remembers its last `CLIENTS` clients to limit how often they ask. It answers
/// requests and nothing else, never with more octets than it was sent.
#[derive(Debug)]
pub struct Server<const CLIENTS: usize> {
    socket: UdpHandle,
    limits: ServerLimits,
    clients: [Asker; CLIENTS],
    counters: ServerCounters,
}

fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}

impl<const CLIENTS: usize> Server<CLIENTS> {
    /// Opens a server at a port, usually [`PORT`](super::PORT), on every address.
    ///
    /// # Errors
    /// As [`Stack::udp_bind`].
    pub fn new(stack: &mut Stack, port: u16, limits: ServerLimits) -> Result<Self, Error> {
        Ok(Server {
            socket: stack.udp_bind(port)?,
            limits,
            clients: [NOBODY; CLIENTS],
            counters: ServerCounters::default(),
        })
    }

    /// Answers what has come, up to 64 requests; `time` is that of the clock, since 1970. To be
    /// called when the stack has news. Says whether there may be more.
    pub fn poll(&mut self, stack: &mut Stack, time: Duration, clock: &ReferenceClock) -> bool {
        // What lies behind the header is not looked at.
        let mut buffer = [0; HEADER_LEN];
        for _ in 0..BATCH {
            match stack.udp_recv(self.socket, &mut buffer) {
                Ok(received) => {
                    let message = buffer.get(..received.copied).unwrap_or_default();
                    self.answer(stack, message, &received, time, clock);
                }
                Err(Error::WouldBlock) => return false,
                // What ICMP says of a reply is the client's loss.
                Err(_) => {}
            }
        }
        true
    }

    /// What became of messages.
    #[must_use]
    pub fn counters(&self) -> &ServerCounters {
        &self.counters
    }

    /// Closes it.
    pub fn end(self, stack: &mut Stack) {
        let _ = stack.udp_close(self.socket);
    }

    fn answer(
        &mut self,
        stack: &mut Stack,
        message: &[u8],
        received: &Received,
        time: Duration,
        clock: &ReferenceClock,
    ) {
        let request = NtpView::new(message).map(|view| NtpRepr::parse(&view));
        let Some(request) = request.ok().filter(|r| r.mode == NtpMode::Client) else {
            count(&mut self.counters.invalid);
            return;
        };
        let from = IpAddr::from(received.meta.remote);
        let reply = match self.admit(from, stack.now()) {
            Admitted::Yes => {
                count(&mut self.counters.answered);
                reply(&request, time, clock)
            }
            Admitted::Kiss => {
                count(&mut self.counters.kissed);
                NtpRepr {
                    leap: LeapIndicator::Unsynchronized,
                    stratum: 0,
                    reference_id: ReferenceId::RATE,
                    // What it says is that it says nothing: no times.
                    receive: request.transmit,
                    transmit: request.transmit,
                    reference: NtpTimestamp::default(),
                    ..reply(&request, time, clock)
                }
            }
            Admitted::No => {
                count(&mut self.counters.limited);
                return;
            }
        };
        let mut buffer = [0; HEADER_LEN];
        // The buffer is as long as the header, and the version is the request's.
        let _ = reply.emit(&mut buffer);
        // From the address it was sent to: no other reply would be believed.
        let local = IpAddr::from(received.meta.local);
        let message = UdpMessage {
            to: Some(SocketAddr::new(from, received.meta.remote_port)),
            from: (!local.is_unspecified() && stack.is_local(received.meta.local)).then_some(local),
        };
        if stack
            .udp_send_message(self.socket, &message, &buffer)
            .is_err()
        {
            count(&mut self.counters.unsent);
        }
    }

    /// Whether a client may be answered now.
    fn admit(&mut self, from: IpAddr, now: Instant) -> Admitted {
        let ServerLimits { burst, interval } = self.limits;
        let interval = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        if interval == 0 {
            return Admitted::Yes;
        }
        let known = self.clients.iter().position(|c| c.addr == from);
        let place = match known {
            Some(index) => self.clients.get_mut(index),
            // Whoever has not asked for the longest time is forgotten.
            None => self.clients.iter_mut().min_by_key(|client| client.seen),
        };
        let Some(client) = place else {
            return Admitted::Yes;
        };
        if known.is_none() {
            *client = Asker {
                addr: from,
                credit: burst.max(1),
                since: now,
                ..NOBODY
            };
        }
        client.seen = now;
        let earned = now.micros_since(client.since) / interval;
        if earned > 0 {
            let credit = u64::from(client.credit).saturating_add(earned);
            client.credit = u8::try_from(credit).unwrap_or(u8::MAX).min(burst.max(1));
            client.since = now;
        }
        match client.credit.checked_sub(1) {
            Some(left) => {
                client.credit = left;
                client.kissed = false;
                Admitted::Yes
            }
            None if client.kissed => Admitted::No,
            None => {
                client.kissed = true;
                Admitted::Kiss
            }
        }
    }
}

enum Admitted {
    Yes,
    Kiss,
    No,
}

fn reply(request: &NtpRepr, time: Duration, clock: &ReferenceClock) -> NtpRepr {
    let now = NtpTimestamp::from_unix(time);
    let reference = clock.reference_time.unwrap_or(time);
    let age = time.saturating_sub(reference);
    let age = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
    let is_synchronized =
        (1..MAX_STRATUM).contains(&clock.stratum) && clock.leap != LeapIndicator::Unsynchronized;
    NtpRepr {
        leap: if is_synchronized {
            clock.leap
        } else {
            LeapIndicator::Unsynchronized
        },
        version: request.version,
        mode: NtpMode::Server,
        stratum: if is_synchronized { clock.stratum } else { 0 },
        poll: request.poll,
        precision: clock.precision,
        root_delay: NtpShort::from_nanos(clock.root_delay),
        root_dispersion: NtpShort::from_nanos(clock.root_dispersion.saturating_add(drift(age))),
        reference_id: if is_synchronized {
            clock.reference_id
        } else {
            ReferenceId::INIT
        },
        reference: NtpTimestamp::from_unix(reference),
        origin: request.transmit,
        receive: now,
        transmit: now,
    }
}
