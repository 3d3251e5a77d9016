//! Signals, held back and asked for rather than left to end the program.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// What asks a program to end, and what tells that a child has ended.
const HELD: [Signal; 5] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGCHLD,
];

/// How long a signal waits for what is to be done before it ends the program.
const PATIENCE: Duration = Duration::from_secs(1);

/// The signals that ask a program to end, and those of its children.
#[derive(Debug)]
pub(crate) struct Interrupts {
    descriptor: SignalFd,
    held: SigSet,
}

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Came {
    pub(crate) signal: Signal,
    /// A process sent it; the terminal sends to all its processes by itself.
    pub(crate) from_process: bool,
}

impl Interrupts {
    /// Holds these signals back from now on. To be called while there is but one thread: threads
    /// that are there already could still be ended by them.
    ///
    /// # Errors
    ///
    /// No descriptor is left.
    pub(crate) fn hold() -> io::Result<Interrupts> {
        let mut set = SigSet::empty();
        for signal in HELD {
            set.add(signal);
        }
        set.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Interrupts {
            descriptor: SignalFd::with_flags(&set, flags)?,
            held: set,
        })
    }

    /// Calls `start` with the signals let through, for a child to inherit that. One that comes in
    /// this moment ends the program, as it would have before.
    ///
    /// # Errors
    ///
    /// Those of `start`.
    pub(crate) fn let_through<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.held.thread_unblock()?;
        let started = start();
        self.held.thread_block()?;
        started
    }

    /// Has a thread call `each` for every signal that asks the program to end. What it is given does
    /// what the signal would have done, had it not been held back: mostly that ends the program. The
    /// signal does so by itself if `each` has not within a second.
    ///
    /// # Errors
    ///
    /// No thread is left.
    pub(crate) fn on_each(
        self,
        mut each: impl FnMut(&dyn Fn()) + Send + 'static,
    ) -> io::Result<()> {
        let wait = move || {
            loop {
                let mut entry = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
                // It fails if a signal that nobody holds comes; then it is asked once more.
                let _ = poll(&mut entry, PollTimeout::NONE);
                while let Some(came) = self.take() {
                    if came.signal != Signal::SIGCHLD {
                        // What is done before may wait for a file that takes nothing: the signal
                        // does not.
                        let _ = thread::Builder::new().spawn(move || {
                            thread::sleep(PATIENCE);
                            pass_on(came.signal);
                        });
                        each(&|| pass_on(came.signal));
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("signals".into());
        thread.spawn(wait).map(drop)
    }

    /// The next signal that came, if one did.
    pub(crate) fn take(&self) -> Option<Came> {
        let info = self.descriptor.read_signal().ok().flatten()?;
        let signal = i32::try_from(info.ssi_signo).ok()?;
        Some(Came {
            signal: Signal::try_from(signal).ok()?,
            // Codes above zero are the kernel's (sigaction(2)).
            from_process: info.ssi_code <= 0,
        })
    }

    /// Whether one came that asks the program to end. Asking takes it.
    pub(crate) fn has_come(&self) -> bool {
        std::iter::from_fn(|| self.take()).any(|came| came.signal != Signal::SIGCHLD)
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Does what a signal would have done, had it not been held back. Returns if that is nothing, as
/// for one that was ignored when the program was started.
fn pass_on(signal: Signal) {
    let mut set = SigSet::empty();
    set.add(signal);
    // These fail for no signal that is one.
    let _ = set.thread_unblock();
    let _ = raise(signal);
    let _ = set.thread_block();
}
