//! A device whose frames are told of in lines, recorded in a capture, or both.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use netloom::device::{Counters, Device, DeviceError, Interest, Medium, Recording};
use netloom::driver::pcapng::{Interface, LinkType};
use netloom::driver::{Direction, Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};
use netloom::wire::describe;

use super::Capture;

/// What is to be done with frames.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    tell: bool,
    recording: Option<(Recording, PathBuf)>,
}

impl Watch {
    /// Tells of frames if `tell`, and records them in the file, if one is named.
    ///
    /// # Errors
    ///
    /// The file cannot be made.
    pub(crate) fn open(tell: bool, file: Option<&Path>) -> io::Result<Watch> {
        let begin = |path: &Path| Recording::create(path).map(|made| (made, path.to_owned()));
        Ok(Watch {
            tell,
            recording: file.map(begin).transpose()?,
        })
    }

    /// Whether nothing is to be done.
    pub(crate) fn is_idle(&self) -> bool {
        !self.tell && self.recording.is_none()
    }

    /// The capture, for its end, to which the device does not see.
    pub(crate) fn capture(&self) -> Capture {
        Capture::new(self.recording.clone())
    }
}

/// A device under watch. A super-segment is one frame, as it is for the stack, and a checksum that
/// the kernel finishes is not finished yet.
#[derive(Debug)]
pub(crate) struct Watched<D> {
    device: D,
    /// What the device's sink said when it was last lent, which takes `&mut`.
    caps: TxCaps,
    eye: Eye,
}

/// What sees the frames.
struct Eye {
    tell: bool,
    recording: Option<(Recording, Interface)>,
    is_ethernet: bool,
    began: Instant,
}

impl std::fmt::Debug for Eye {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Eye").finish_non_exhaustive()
    }
}

impl Eye {
    fn see(&mut self, direction: Direction, frame: &[u8]) {
        if self.tell {
            let at = self.began.elapsed();
            let way = match direction {
                Direction::Inbound => "in ",
                Direction::Outbound => "out",
            };
            let (seconds, micros) = (at.as_secs(), at.subsec_micros());
            let line = if self.is_ethernet {
                format!(
                    "{seconds}.{micros:06} {way} {}\n",
                    describe::Ethernet(frame)
                )
            } else {
                format!("{seconds}.{micros:06} {way} {}\n", describe::Ip(frame))
            };
            // One write a line, so that lines of different threads do not mix.
            let _ = io::stderr().write_all(line.as_bytes());
        }
        let Some((recording, interface)) = &self.recording else {
            return;
        };
        if let Err(error) = recording.packet(*interface, direction, frame) {
            let _ = writeln!(io::stderr(), "netloom: the capture ends here: {error}");
            self.recording = None;
        }
    }
}

impl<D: Device> Watched<D> {
    /// Watches a device.
    ///
    /// # Errors
    ///
    /// The capture cannot be written.
    pub(crate) fn new(mut device: D, watch: Watch) -> io::Result<Watched<D>> {
        let (is_ethernet, link) = match device.medium() {
            Medium::Ethernet { .. } => (true, LinkType::Ethernet),
            _ => (false, LinkType::Ip),
        };
        let begin = |(recording, _): (Recording, PathBuf)| {
            let interface = recording.interface(link, device.name())?;
            Ok::<_, io::Error>((recording, interface))
        };
        let recording = watch.recording.map(begin).transpose()?;
        Ok(Watched {
            caps: device.sink().caps(),
            device,
            eye: Eye {
                tell: watch.tell,
                recording,
                is_ethernet,
                began: Instant::now(),
            },
        })
    }
}

impl<D: Device> FrameSink for Watched<D> {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let eye = &mut self.eye;
        self.device.sink().frame(len, meta, &mut |bytes| {
            fill(bytes);
            eye.see(Direction::Outbound, bytes);
        })
    }

    fn flush(&mut self) {
        self.device.sink().flush();
    }
}

impl<D: Device> Driver for Watched<D> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let eye = &mut self.eye;
        self.device.receive(&mut |frame, meta| {
            eye.see(Direction::Inbound, frame);
            each(frame, meta);
        })
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.caps = self.device.sink().caps();
        self
    }

    fn link(&self) -> LinkState {
        self.device.link()
    }

    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        self.device.set_multicast(groups);
    }
}

impl<D: Device> AsFd for Watched<D> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl<D: Device> Device for Watched<D> {
    fn name(&self) -> &str {
        self.device.name()
    }

    fn medium(&self) -> Medium {
        self.device.medium()
    }

    fn mtu(&self) -> u16 {
        self.device.mtu()
    }

    fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.device.changes()
    }

    fn refresh(&mut self) -> Result<(), DeviceError> {
        self.device.refresh()
    }

    fn interest(&self) -> Interest {
        self.device.interest()
    }

    fn fault(&self) -> Option<DeviceError> {
        self.device.fault()
    }

    fn counters(&mut self) -> Counters {
        self.device.counters()
    }
}
