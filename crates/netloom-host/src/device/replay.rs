//! A capture as a device.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use netloom_driver::pcapng;
use netloom_driver::{Direction, Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

use super::{BATCH, Counters, Device, DeviceError, Interest, Medium, Recording};
use crate::capture::{LinkType, Reader};
use crate::sys;

#[cfg(test)]
mod tests;

/// How fast a capture is replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pace {
    /// As it was recorded: the time between two frames is that between their timestamps.
    #[default]
    AsRecorded,
    /// As fast as frames are asked for.
    AsFastAsPossible,
}

/// The MTU of the link in a capture, where it does not matter: nothing that is sent arrives.
const MTU: u16 = 1500;

type Input = Reader<Box<dyn Read + Send>>;

/// A device that receives the frames of a pcapng or pcap file.
///
/// Frames the capture marks as sent by its host are passed over, as are those of another link type
/// than the first frame's; frames that were cut when they were captured are dropped and counted in
/// [`Counters::rx_dropped`]. At the end of the file the link is down and nothing more comes.
///
/// What the stack sends is counted, and written to another capture if one is given
/// ([`Replay::record_to`]).
///
/// ```no_run
/// use netloom_host::device::{Pace, Replay};
/// use netloom_host::net::Net;
///
/// # fn main() -> std::io::Result<()> {
/// let replay = Replay::open("trouble.pcapng")?
///     .with_mac([2, 0, 0, 0, 0, 1])
///     .with_pace(Pace::AsFastAsPossible);
/// let net = Net::builder(replay).address("10.0.0.1/24").start()?;
/// # Ok(())
/// # }
/// ```
pub struct Replay {
    name: String,
    input: Option<Input>,
    link: LinkType,
    mac: [u8; 6],
    meta: RxMeta,
    pace: Pace,
    /// When the first frame was due here, and its own time.
    start: Option<(Instant, Duration)>,
    /// The frame that comes next, and its own time.
    next: Option<Duration>,
    frame: Vec<u8>,
    recording: Option<(Recording, pcapng::Interface)>,
    failed: Option<io::Error>,
    tx: Vec<u8>,
    counters: Counters,
    /// Never ready: the device is waited for by its time alone.
    fd: OwnedFd,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay")
            .field("name", &self.name)
            .field("link", &self.link)
            .field("pace", &self.pace)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Replay {
    /// Replays a file. Its first frame comes when the device is first asked for one.
    ///
    /// # Errors
    /// [`DeviceError::Os`] if the file cannot be read or is no capture;
    /// [`DeviceError::WrongKind`] if its frames are neither Ethernet nor IP.
    pub fn open(path: impl AsRef<Path>) -> Result<Replay, DeviceError> {
        let name = path.as_ref().display().to_string();
        let file = File::open(path).map_err(|source| read_error(&name, source))?;
        Replay::new(&name, BufReader::new(file))
    }

    /// Replays what is read from anywhere; `name` is what the device is called.
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn new(name: &str, input: impl Read + Send + 'static) -> Result<Replay, DeviceError> {
        let input: Box<dyn Read + Send> = Box::new(input);
        let failed = |source| read_error(name, source);
        let mut replay = Replay {
            name: name.to_owned(),
            input: Some(Reader::new(input).map_err(failed)?),
            link: LinkType::Ip,
            mac: [2, 0, 0, 0, 0, 1],
            meta: RxMeta::default(),
            pace: Pace::default(),
            start: None,
            next: None,
            frame: Vec::new(),
            recording: None,
            failed: None,
            tx: Vec::new(),
            counters: Counters::default(),
            fd: sys::event_fd().map_err(failed)?,
        };
        replay.advance(true);
        if let Some(error) = replay.failed.take() {
            return Err(failed(error));
        }
        match replay.link {
            LinkType::Ethernet | LinkType::Ip => Ok(replay),
            LinkType::Other(_) => Err(DeviceError::WrongKind {
                name: name.to_owned(),
                expected: "a capture of Ethernet frames or bare IP packets",
            }),
        }
    }

    /// The same with the MAC this program's station has, which should be that of the station the
    /// frames were for. 02:00:00:00:00:01 otherwise.
    #[must_use]
    pub fn with_mac(mut self, mac: [u8; 6]) -> Replay {
        self.mac = mac;
        self
    }

    /// The same at another pace.
    #[must_use]
    pub fn with_pace(mut self, pace: Pace) -> Replay {
        self.pace = pace;
        self
    }

    /// The same with transport checksums taken as good: those of frames captured at their own
    /// sender were left to its network card and are wrong in the file.
    #[must_use]
    pub fn trusting_checksums(mut self) -> Replay {
        self.meta = RxMeta::VERIFIED;
        self
    }

    /// Writes what the stack sends to a capture (pcapng), with the time of day. Whoever wants to know
    /// that all of it was written takes [`recording`](Replay::recording) before the stack starts, and
    /// finishes it when the stack has ended.
    ///
    /// # Errors
    /// [`DeviceError::Os`] if the file cannot be made.
    pub fn record_to(mut self, path: impl AsRef<Path>) -> Result<Replay, DeviceError> {
        let name = path.as_ref().display().to_string();
        let failed = |source| DeviceError::Os {
            action: format!("write {name}"),
            source,
        };
        let recording = Recording::create(path).map_err(failed)?;
        let link = match self.medium() {
            Medium::Ethernet { .. } => pcapng::LinkType::Ethernet,
            Medium::Ip => pcapng::LinkType::Ip,
        };
        let interface = recording.interface(link, &self.name).map_err(failed)?;
        self.recording = Some((recording, interface));
        Ok(self)
    }

    /// The capture of what the stack sends, if there is to be one.
    pub fn recording(&self) -> Option<Recording> {
        let (recording, _) = self.recording.as_ref()?;
        Some(recording.clone())
    }

    /// Whether all frames have been received.
    pub fn is_finished(&self) -> bool {
        self.next.is_none()
    }

    /// Why the capture ended early, or what is sent is no longer recorded: a damaged file, a full
    /// disk. The device works on.
    pub fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// Finds the next frame that is to be received. The `first` decides the link type.
    fn advance(&mut self, first: bool) {
        self.next = None;
        while let Some(input) = &mut self.input {
            let packet = match input.next() {
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.input = None;
                    return;
                }
                Err(error) => {
                    self.failed.get_or_insert(error);
                    self.input = None;
                    return;
                }
            };
            if packet.direction == Some(Direction::Outbound) {
                continue;
            }
            if first {
                self.link = packet.link;
            } else if packet.link != self.link {
                continue;
            }
            if packet.frame.len() < packet.wire_len {
                self.counters.rx_dropped += 1;
                continue;
            }
            self.frame.clear();
            self.frame.extend_from_slice(packet.frame);
            self.next = Some(packet.at);
            return;
        }
    }

    /// When the next frame is due here; `now` if at once.
    fn due(&self, now: Instant) -> Option<Instant> {
        let at = self.next?;
        match (self.pace, self.start) {
            (Pace::AsRecorded, Some((start, first))) => {
                // Timestamps that go back do not turn back time; those that no clock can count
                // come at once.
                let due = start.checked_add(at.saturating_sub(first));
                Some(due.unwrap_or(start))
            }
            _ => Some(now),
        }
    }

    fn record(&mut self, len: usize) {
        let Some((recording, interface)) = &self.recording else {
            return;
        };
        let recorded = recording.packet(*interface, Direction::Outbound, &self.tx[..len]);
        if let Err(error) = recorded {
            self.failed.get_or_insert(error);
        }
    }
}

fn read_error(name: &str, source: io::Error) -> DeviceError {
    DeviceError::Os {
        action: format!("read {name}"),
        source,
    }
}

impl Driver for Replay {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let now = Instant::now();
        let mut count = 0;
        while count < BATCH && self.due(now).is_some_and(|due| due <= now) {
            if let (None, Some(at)) = (self.start, self.next) {
                self.start = Some((now, at));
            }
            self.counters.rx_frames += 1;
            count += 1;
            each(&self.frame, &self.meta);
            self.advance(false);
        }
        count
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        if self.is_finished() {
            LinkState::Down
        } else {
            LinkState::Up
        }
    }
}

impl FrameSink for Replay {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(MTU)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if self.tx.len() < len {
            self.tx.resize(len, 0);
        }
        fill(&mut self.tx[..len]);
        self.counters.tx_frames += 1;
        self.record(len);
        Ok(())
    }
}

impl AsFd for Replay {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Device for Replay {
    fn name(&self) -> &str {
        &self.name
    }

    fn medium(&self) -> Medium {
        match self.link {
            LinkType::Ethernet => Medium::Ethernet { mac: self.mac },
            LinkType::Ip | LinkType::Other(_) => Medium::Ip,
        }
    }

    fn mtu(&self) -> u16 {
        MTU
    }

    fn refresh(&mut self) -> Result<(), DeviceError> {
        Ok(())
    }

    fn interest(&self) -> Interest {
        Interest {
            retry_at: self.due(Instant::now()),
            ..Interest::default()
        }
    }

    fn fault(&self) -> Option<DeviceError> {
        None
    }

    fn counters(&mut self) -> Counters {
        self.counters
    }
}
