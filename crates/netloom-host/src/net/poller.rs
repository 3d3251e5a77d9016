//! Who waits for the device: a role that a blocked caller may take from the driver thread.
//!
//! A caller that polls the device itself has its answer one thread switch earlier. That pays while
//! one thread alone converses; as soon as others wait as well, the frames of all of them would
//! depend on when that thread comes back to the device, so then the driver thread has the role.
//!
//! A caller leaves the role vacant when its call returns, because it will probably be back in a
//! moment; the driver thread looks whether it was, and takes the role back if not.

use std::time::Duration;

use netloom_driver::Instant;

use crate::device::Interest;

/// Who waits for the device on behalf of all sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Polling {
    /// A blocked call does, while its thread is the only one that converses; otherwise the driver
    /// thread.
    #[default]
    Adaptive,
    /// Always the driver thread.
    Thread,
}

/// How long the role may stay vacant before the driver thread looks; twice that before it takes
/// it. What arrives meanwhile waits.
pub(super) const GRACE: Duration = Duration::from_millis(1);

/// After news of two threads' sockets in turn, callers leave the role to the driver thread for
/// this long.
const MIXED: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    Thread,
    Caller,
}

#[derive(Debug, Clone, Copy)]
enum Role {
    /// Nobody has it: the driver thread will look after it.
    Vacant,
    /// Somebody has it and will look at everything before he sleeps.
    Awake(Holder),
    /// Somebody sleeps until this time, or until the device has what he waits for.
    Asleep {
        holder: Holder,
        until: Option<Instant>,
        interest: Interest,
    },
}

/// The role, and what decides who takes it.
#[derive(Debug)]
pub(super) struct Poller {
    polling: Polling,
    role: Role,
    /// How often a caller has given the role up.
    uses: u64,
    /// That number when the driver thread last looked.
    seen: u64,
    /// The driver thread sleeps until it is woken.
    rests: bool,
    /// The driver thread is to take the role as soon as it is free.
    wanted: bool,
    /// The thread for whose socket there was news last; 0: nobody's yet.
    last_concerned: u64,
    /// Until when several threads count as conversing.
    mixed_until: Instant,
}

/// What the driver thread does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It has the role.
    Drive,
    /// A caller has it: look again when woken, or after this time.
    Rest(Option<Duration>),
}

impl Poller {
    pub(super) fn new(polling: Polling) -> Poller {
        Poller {
            polling,
            role: Role::Awake(Holder::Thread),
            uses: 0,
            seen: 0,
            rests: false,
            wanted: false,
            last_concerned: 0,
            mixed_until: Instant::ZERO,
        }
    }

    /// There is news for a socket at which `thread` waits.
    pub(super) fn concerns(&mut self, thread: u64, now: Instant) {
        if self.last_concerned != thread {
            if self.last_concerned != 0 {
                self.mixed_until = now + MIXED;
            }
            self.last_concerned = thread;
        }
    }

    /// A caller is about to wait: whether it takes the role. Says also whether the driver thread
    /// must be woken, to let go of the device.
    pub(super) fn take(&mut self, thread: u64, now: Instant) -> Option<bool> {
        let alone =
            now >= self.mixed_until && (self.last_concerned == thread || self.last_concerned == 0);
        if self.polling == Polling::Thread || self.wanted || !alone {
            return None;
        }
        let disturb = match self.role {
            Role::Vacant => false,
            // It sees on its own that the role has gone.
            Role::Awake(Holder::Thread) => false,
            Role::Asleep {
                holder: Holder::Thread,
                ..
            } => true,
            Role::Awake(Holder::Caller)
            | Role::Asleep {
                holder: Holder::Caller,
                ..
            } => return None,
        };
        self.role = Role::Awake(Holder::Caller);
        Some(disturb)
    }

    /// The caller that had the role returns to its program. Says whether the driver thread must be
    /// woken, because it would not look by itself, or others cannot wait.
    pub(super) fn give_up(&mut self, now: Instant) -> bool {
        self.role = Role::Vacant;
        self.uses += 1;
        if now < self.mixed_until {
            self.wanted = true;
        }
        self.wanted || std::mem::take(&mut self.rests)
    }

    /// Has the driver thread take the role as soon as it is free; it is to be woken.
    pub(super) fn call_thread(&mut self) {
        self.wanted = true;
    }

    /// What the driver thread, which is awake, does next.
    pub(super) fn step(&mut self) -> Step {
        let unused = self.seen == self.uses;
        self.seen = self.uses;
        match self.role {
            Role::Awake(Holder::Thread)
            | Role::Asleep {
                holder: Holder::Thread,
                ..
            } => {}
            Role::Vacant if self.wanted || unused => {}
            Role::Vacant => return Step::Rest(Some(GRACE)),
            Role::Awake(Holder::Caller)
            | Role::Asleep {
                holder: Holder::Caller,
                ..
            } => {
                self.rests = unused;
                return Step::Rest((!unused).then_some(GRACE));
            }
        }
        self.wanted = false;
        self.rests = false;
        self.role = Role::Awake(Holder::Thread);
        Step::Drive
    }

    /// The holder sleeps.
    pub(super) fn sleep(&mut self, until: Option<Instant>, interest: Interest) {
        if let Role::Awake(holder) = self.role {
            self.role = Role::Asleep {
                holder,
                until,
                interest,
            };
        }
    }

    /// The caller that had the role is awake again.
    pub(super) fn wake_caller(&mut self) {
        self.role = Role::Awake(Holder::Caller);
    }

    /// Who sleeps at the device.
    pub(super) fn sleeper(&self) -> Option<Holder> {
        match self.role {
            Role::Asleep { holder, .. } => Some(holder),
            Role::Vacant | Role::Awake(_) => None,
        }
    }

    /// Whom to wake because there is work for who polls the device: nobody if he is awake. If the
    /// role is vacant, the driver thread is to take it.
    pub(super) fn awaken(&mut self) -> Option<Holder> {
        match self.role {
            Role::Asleep { holder, .. } => Some(holder),
            Role::Awake(_) => None,
            Role::Vacant => {
                self.wanted = true;
                Some(Holder::Thread)
            }
        }
    }

    /// Whom to wake because something is due at `due`, or the device is to be polled for
    /// `interest`, and the sleeper does not know.
    pub(super) fn surprised(&self, due: Option<Instant>, interest: Interest) -> Option<Holder> {
        let Role::Asleep {
            holder,
            until,
            interest: known,
        } = self.role
        else {
            return None;
        };
        let earlier = due.is_some_and(|due| until.is_none_or(|until| due < until));
        (earlier || interest != known).then_some(holder)
    }
}

#[cfg(test)]
mod tests;
