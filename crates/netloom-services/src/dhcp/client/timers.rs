//! What is due, and when.

use netloom_stack::Stack;
use netloom_stack::driver::Instant;

use super::event::{Event, Loss};
use super::{Client, State};
use crate::dhcp::SECOND;
use crate::dhcp::acd::{Verdict, between};

/// How long the address stays after RELEASE was queued: its server's link-layer address may have to
/// be asked for, from that address.
const RELEASE_GRACE: u64 = SECOND / 2;
/// The shortest time between two REQUESTs of a client that has an address.
const EXTENDING_MIN: u64 = 60 * SECOND;
/// REQUESTs sent for an offer: the last waits 32 seconds, all together 60 (RFC 2131 §3.1).
const REQUESTS: u8 = 4;
/// REQUESTs sent for an address remembered: 12 seconds.
const REBOOTS: u8 = 2;
/// DISCOVERs without an answer before the program is told.
const TELL_AFTER: u8 = 3;
/// Steps of one turn; each ends with a later deadline, so that this is never reached.
const STEPS: usize = 64;

impl Client {
    /// Does everything that is due.
    #[inline(never)]
    pub(super) fn fire(&mut self, stack: &mut Stack) {
        let now = stack.now();
        for _ in 0..STEPS {
            let mut acted = self.watch(stack);
            acted |= self.run_fallback(stack);
            if self.state_deadline() <= now {
                self.step(stack, now);
                acted = true;
            }
            if !acted {
                return;
            }
        }
    }

    /// The earliest time at which there is something to do.
    pub(super) fn deadline(&self) -> Instant {
        self.state_deadline()
            .min(self.acd.deadline())
            .min(self.fallback.deadline())
    }

    /// That of the state, the lease included.
    fn state_deadline(&self) -> Instant {
        let mut due = self.at;
        if self.state == State::Selecting && self.choice.is_some() {
            due = due.min(self.collect_until);
        }
        let Some(lease) = &self.lease else { return due };
        match self.state {
            State::Bound => due = due.min(lease.renew_at),
            State::Renewing => due = due.min(lease.rebind_at),
            State::Informed | State::Stopped => return due,
            State::Init
            | State::Selecting
            | State::Requesting
            | State::InitReboot
            | State::Rebooting
            | State::Checking
            | State::Rebinding
            | State::Informing
            | State::Releasing => {}
        }
        due.min(lease.expires_at)
    }

    /// Looks after the address: in the check before it is used, and afterwards.
    fn watch(&mut self, stack: &mut Stack) -> bool {
        match self.acd.poll(stack, self.iface) {
            None => return false,
            Some(Verdict::Free) => self.bind(stack),
            Some(Verdict::Taken(mac) | Verdict::Lost(mac)) => self.conflict(stack, mac),
        }
        true
    }

    /// The address is checked: it is used from now on.
    fn bind(&mut self, stack: &mut Stack) {
        let Some(lease) = &self.lease else { return };
        let (address, server, seconds) = (lease.address, lease.server, lease.seconds);
        let replaced = self.applied.address().is_some_and(|known| known != address);
        // It makes way first: what it takes back may be what the lease brings.
        self.fallback
            .end_with_word(stack, self.iface, &mut self.events);
        self.fallback.cancel();
        self.acd.watch_again(stack, self.iface);
        let applied = self.applied.apply(stack, self.iface, lease);
        if replaced {
            self.tell(Event::Lost(Loss::Replaced));
        }
        self.wish = Some(super::lease::v4(&address.addr));
        self.state = State::Bound;
        self.at = Instant::FAR_FUTURE;
        match applied {
            Ok(()) => self.tell(Event::Acquired {
                address,
                server,
                seconds,
            }),
            Err(error) => {
                self.tell(Event::NotApplied(error));
                self.fallback.schedule_anew();
            }
        }
    }

    /// Does what the state has due.
    fn step(&mut self, stack: &mut Stack, now: Instant) {
        let ends = match &self.lease {
            Some(lease) if self.state != State::Informed => lease.expires_at,
            Some(_) | None => Instant::FAR_FUTURE,
        };
        if now >= ends {
            self.expire(stack);
            return;
        }
        match self.state {
            State::Init | State::InitReboot if now >= self.at => self.start(stack, now),
            State::Selecting => self.select(stack, now),
            State::Requesting if now >= self.at => {
                if self.backoff.sent() < REQUESTS {
                    self.send_selecting(stack);
                    self.at = now.plus_micros(self.backoff.next(stack));
                } else {
                    self.tell(Event::TimedOut);
                    self.restart_in(stack, 0);
                }
            }
            State::Rebooting if now >= self.at => {
                if self.backoff.sent() < REBOOTS {
                    self.send_rebooting(stack);
                    self.at = now.plus_micros(self.backoff.next(stack));
                } else {
                    self.restart_in(stack, 0);
                }
            }
            State::Bound => {
                self.start_exchange(stack);
                self.state = State::Renewing;
                self.extend(stack, now);
            }
            State::Renewing => {
                if self.lease.as_ref().is_some_and(|l| now >= l.rebind_at) {
                    self.state = State::Rebinding;
                }
                self.extend(stack, now);
            }
            State::Rebinding if now >= self.at => self.extend(stack, now),
            State::Informing if now >= self.at => {
                if self.backoff.sent() == TELL_AFTER {
                    self.tell(Event::TimedOut);
                }
                self.send_inform(stack);
                self.at = now.plus_micros(self.backoff.next(stack));
            }
            State::Releasing if self.at == Instant::ZERO => {
                self.at = now.plus_micros(RELEASE_GRACE);
            }
            State::Releasing if now >= self.at => {
                self.lose(stack, Loss::Released);
                self.released(stack);
            }
            State::Stopped
            | State::Init
            | State::InitReboot
            | State::Requesting
            | State::Rebooting
            | State::Checking
            | State::Rebinding
            | State::Informing
            | State::Informed
            | State::Releasing => {}
        }
    }

    /// The address that was given back has gone.
    fn released(&mut self, stack: &mut Stack) {
        match self.after_release.take() {
            None => self.stop(stack),
            Some(state) => {
                self.state = state;
                self.at = stack.now();
            }
        }
    }

    fn start(&mut self, stack: &mut Stack, now: Instant) {
        // What `begin` set in the past starts now, or a little later if that was asked for.
        let delay = core::mem::take(&mut self.settings.start_delay);
        if !delay.is_zero() {
            let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
            self.at = now.plus_micros(between(stack, 0, micros));
            return;
        }
        self.start_exchange(stack);
        if self.state == State::InitReboot {
            self.state = State::Rebooting;
            self.send_rebooting(stack);
        } else {
            self.state = State::Selecting;
            self.send_discover(stack);
        }
        self.at = now.plus_micros(self.backoff.next(stack));
    }

    fn select(&mut self, stack: &mut Stack, now: Instant) {
        if self.choice.is_some() && now >= self.collect_until {
            self.take_offer(stack);
        } else if now >= self.at {
            if self.backoff.sent() == TELL_AFTER {
                self.tell(Event::TimedOut);
            }
            self.send_discover(stack);
            self.at = now.plus_micros(self.backoff.next(stack));
        }
    }

    /// Asks for more time, and waits half of what is left before it asks again.
    fn extend(&mut self, stack: &mut Stack, now: Instant) {
        let to_all = self.state == State::Rebinding;
        self.send_extending(stack, to_all);
        let Some(lease) = &self.lease else { return };
        let end = if to_all {
            lease.expires_at
        } else {
            lease.rebind_at
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
        //# In both RENEWING and REBINDING states, if the client receives no
        //# response to its DHCPREQUEST message, the client SHOULD wait one-half
        //# of the remaining time until T2 (in RENEWING state) and one-half of
        //# the remaining lease time (in REBINDING state), down to a minimum of
        //# 60 seconds, before retransmitting the DHCPREQUEST message.
        let left = end.micros_since(now);
        self.at = now.plus_micros((left >> 1).max(EXTENDING_MIN));
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
    //# If the lease expires before the client receives a DHCPACK, the client
    //# moves to INIT state, MUST immediately stop any other network
    //# processing and requests network initialization parameters as if the
    //# client were uninitialized.
    fn expire(&mut self, stack: &mut Stack) {
        let looks_already = match self.state {
            State::Init | State::Selecting | State::Requesting => true,
            State::Stopped
            | State::InitReboot
            | State::Rebooting
            | State::Checking
            | State::Bound
            | State::Renewing
            | State::Rebinding
            | State::Informing
            | State::Informed
            | State::Releasing => false,
        };
        let had = self.leased();
        self.lose(stack, Loss::Expired);
        if looks_already {
            return;
        }
        if self.state == State::Releasing {
            self.released(stack);
            return;
        }
        // The address would still be welcome.
        self.wish = had.map(|(own, _)| own);
        self.restart_in(stack, 0);
    }
}
