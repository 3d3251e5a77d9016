//! The end of what `--pcap` asked for.

use std::io::{self, Write};
use std::path::PathBuf;

use netloom::device::Recording;

use crate::failure::Failure;
use crate::signals::Interrupts;

/// The capture a command writes, if it writes one; the device writes it too.
#[derive(Debug)]
pub(crate) struct Capture(Option<(Recording, PathBuf)>);

impl Capture {
    pub(super) fn new(recording: Option<(Recording, PathBuf)>) -> Capture {
        Capture(recording)
    }

    /// Writes the rest, now that the device is gone. What the command was `done` with comes first; of
    /// the capture too is told if it is not whole, and then nothing is well.
    ///
    /// # Errors
    ///
    /// Why the command could not do what it was told, or that some of the capture is missing.
    pub(crate) fn end<T>(&self, done: Result<T, Failure>) -> Result<T, Failure> {
        let ended = self.finish();
        match (done, ended) {
            (Err(first), Err(missing)) => {
                let _ = writeln!(io::stderr(), "netloom: {missing}");
                Err(first)
            }
            (done, ended) => ended.and(done),
        }
    }

    fn finish(&self) -> Result<(), Failure> {
        let Some((recording, path)) = &self.0 else {
            return Ok(());
        };
        recording.finish().map_err(|error| {
            let path = path.display();
            Failure::new(format!(
                "the capture `{path}` is not whole: {error}: name another place with --pcap"
            ))
        })
    }

    /// Has signals that end the program leave a whole capture. To be called while there is but one
    /// thread.
    ///
    /// # Errors
    ///
    /// No descriptor or thread is left.
    pub(crate) fn survive_signals(&self) -> Result<(), Failure> {
        let Some((recording, _)) = &self.0 else {
            return Ok(());
        };
        let recording = recording.clone();
        Interrupts::hold()
            .and_then(|interrupts| {
                interrupts.on_each(move |pass_on| {
                    // Whoever was to hear whether all was written is about to be gone.
                    let (_written, ()) = recording.whole_while(pass_on);
                })
            })
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use netloom::driver::Direction;
    use netloom::driver::pcapng::LinkType;

    use super::*;

    fn capture_in(file: &str) -> Capture {
        let recording = Recording::create(file).unwrap();
        let interface = recording.interface(LinkType::Ip, "test").unwrap();
        let frame = [0x45; 20];
        recording
            .packet(interface, Direction::Inbound, &frame)
            .unwrap();
        Capture::new(Some((recording, file.into())))
    }

    #[test]
    fn an_end_that_is_missing_is_a_failure_of_its_own() {
        let failure = capture_in("/dev/full").end(Ok(())).unwrap_err();
        assert_eq!(failure.exit_code(), 1);
        let text = failure.to_string();
        assert!(
            text.starts_with("the capture `/dev/full` is not whole: "),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }

    #[test]
    fn what_the_command_failed_with_comes_first() {
        let refused = Failure::new("refused").with_exit_code(7);
        let failure = capture_in("/dev/full").end::<()>(Err(refused.clone()));
        assert_eq!(failure, Err(refused.clone()));
        assert_eq!(
            capture_in("/dev/null").end::<()>(Err(refused.clone())),
            Err(refused)
        );
        assert_eq!(capture_in("/dev/null").end(Ok(1)), Ok(1));
        assert_eq!(Capture::new(None).end(Ok(1)), Ok(1));
    }
}
