//! Dials that failed, said: all with -v, as far as anybody can read; those at a limit of this
//! machine's own always, as the proxy is at its limit then.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

use super::say;

/// Lines a second about limits of this machine's own.
const OWN_LINES: usize = 1;

/// Lines a second about all else.
const OTHER_LINES: usize = 20;

/// Says why flows are refused.
#[derive(Debug, Clone)]
pub(super) struct Failures {
    /// Those that are this machine's own.
    own: Arc<Told>,
    /// The others, with -v.
    others: Option<Arc<Told>>,
}

impl Failures {
    pub(super) fn new(verbose: bool) -> Failures {
        Failures {
            own: Arc::new(Told::at_most(OWN_LINES)),
            others: verbose.then(|| Arc::new(Told::at_most(OTHER_LINES))),
        }
    }

    /// A flow is refused, as what was to carry it on failed.
    pub(super) fn tell(&self, flow: &str, from: SocketAddr, to: SocketAddr, error: &io::Error) {
        let told = match &self.others {
            _ if is_own(error) => &self.own,
            Some(others) => others,
            None => return,
        };
        let why = why(error);
        if told.count(&why) {
            say(&format!("{flow} from {from} to {to} refused: {why}"));
        }
        told.watch();
    }
}

/// Whether this machine has run out of something.
fn is_own(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(
        errno,
        Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS)
    )
}

/// What is wrong, and where there is a limit to raise, which.
fn why(error: &io::Error) -> String {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE) => format!("{error}: every flow needs one, see `ulimit -n`"),
        Some(Errno::ENFILE) => format!("{error}: every flow needs one, see `sysctl fs.file-max`"),
        _ => error.to_string(),
    }
}

/// What is said within a second: some lines at once, and at its end how many more there were.
#[derive(Debug)]
struct Told {
    most: usize,
    second: Mutex<Second>,
}

#[derive(Debug, Default)]
struct Second {
    /// Somebody waits for its end.
    watched: bool,
    /// Lines that were said in it.
    said: usize,
    /// Failures beyond, and why the last one was.
    more: usize,
    last: String,
}

impl Told {
    fn at_most(most: usize) -> Told {
        Told {
            most,
            second: Mutex::default(),
        }
    }

    /// One more: whether a line may be said of it.
    fn count(&self, why: &str) -> bool {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if second.said < self.most {
            second.said += 1;
            return true;
        }
        second.more += 1;
        why.clone_into(&mut second.last);
        false
    }

    /// The second is over: the line that is left to say, which is one of the next second's. A
    /// second of silence is the last.
    fn over(&self) -> ControlFlow<(), Option<String>> {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        let last = mem::take(&mut *second);
        if last.said == 0 {
            return ControlFlow::Break(());
        }
        second.watched = true;
        if last.more == 0 {
            return ControlFlow::Continue(None);
        }
        second.said = 1;
        ControlFlow::Continue(Some(format!("{} more refused: {}", last.more, last.last)))
    }

    /// Has somebody wait for the end of the second, if nobody does.
    fn watch(self: &Arc<Told>) {
        let mut second = self.second.lock().unwrap_or_else(PoisonError::into_inner);
        if mem::replace(&mut second.watched, true) {
            return;
        }
        let told = Arc::clone(self);
        tokio::spawn(async move {
            let second = Duration::from_secs(1);
            tokio::time::sleep(second).await;
            while let ControlFlow::Continue(line) = told.over() {
                if let Some(line) = line {
                    say(&line);
                }
                tokio::time::sleep(second).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_lines_and_says_how_many_more_there_were() {
        let told = Told::at_most(2);
        let line = |line: &str| ControlFlow::Continue(Some(line.to_owned()));
        let said = (0..10).filter(|n| told.count(&format!("the {n}th")));
        assert_eq!(said.count(), 2);
        assert_eq!(told.over(), line("8 more refused: the 9th"));
        // That line was one of the next second's.
        assert!(told.count("a"));
        assert!(!told.count("b"));
        assert_eq!(told.over(), line("1 more refused: b"));
        // A second of silence, and nobody waits any more.
        assert_eq!(told.over(), ControlFlow::Continue(None));
        assert_eq!(told.over(), ControlFlow::Break(()));
        assert!(told.count("c"));
    }

    #[test]
    fn only_what_this_machine_has_run_out_of_is_its_own() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno as i32);
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ENOBUFS] {
            assert!(is_own(&error(errno)), "{errno}");
        }
        for errno in [Errno::ECONNREFUSED, Errno::ENETUNREACH, Errno::EACCES] {
            assert!(!is_own(&error(errno)), "{errno}");
        }
        assert!(!is_own(&io::ErrorKind::TimedOut.into()));
        assert!(why(&error(Errno::EMFILE)).contains("ulimit -n"));
    }
}
