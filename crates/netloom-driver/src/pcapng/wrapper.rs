//! A device that is recorded.

use alloc::string::String;

use super::{Interface, LinkType, Output, Packet, Writer};
use crate::{Direction, Driver, FrameSink, Full, Instant, LinkState, RxMeta, TxCaps, TxMeta};

/// A device whose frames are written to a capture, both ways.
///
/// Frames carry the time that [`set_now`](Pcapng::set_now) told last. With offloads, a frame is
/// recorded as the stack handed it over: a super-segment in one piece, a checksum that the
/// device finishes unfinished, as other captures on a host show them.
#[derive(Debug)]
pub struct Pcapng<D, O: Output> {
    device: D,
    /// What the device's sink said when it was last lent, which takes `&mut`.
    caps: TxCaps,
    now: Instant,
    comment: Option<String>,
    recording: Recording<O>,
}

#[derive(Debug)]
struct Recording<O: Output> {
    writer: Writer<O>,
    interface: Interface,
    failed: Option<O::Error>,
}

impl<O: Output> Recording<O> {
    fn record(&mut self, at: Instant, direction: Direction, frame: &[u8], comment: Option<String>) {
        if self.failed.is_some() {
            return;
        }
        let mut packet = Packet::new(self.interface, at, direction);
        if let Some(comment) = &comment {
            packet = packet.comment(comment);
        }
        self.failed = self.writer.packet(&packet, frame).err();
    }
}

impl<D: Driver, O: Output> Pcapng<D, O> {
    /// Records a device as an interface called `name`.
    ///
    /// # Errors
    /// The output's, of the capture's first blocks.
    pub fn new(mut device: D, link: LinkType, name: &str, out: O) -> Result<Self, O::Error> {
        let mut writer = Writer::new(out)?;
        let interface = writer.interface(link, name)?;
        Ok(Pcapng {
            caps: device.sink().caps(),
            device,
            now: Instant::ZERO,
            comment: None,
            recording: Recording {
                writer,
                interface,
                failed: None,
            },
        })
    }

    /// The time of the frames from now on (see [`Packet::new`] for its origin).
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Comments the next frame, of either direction.
    pub fn comment(&mut self, comment: impl Into<String>) {
        self.comment = Some(comment.into());
    }

    /// The error that ended the recording, if one did. The device works on.
    pub fn failed(&self) -> Option<&O::Error> {
        self.recording.failed.as_ref()
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device, to change it.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Takes the wrapper off: the device and the capture.
    pub fn into_inner(self) -> (D, O) {
        (self.device, self.recording.writer.into_inner())
    }
}

impl<D: Driver, O: Output> FrameSink for Pcapng<D, O> {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let (now, recording, comment) = (self.now, &mut self.recording, &mut self.comment);
        self.device.sink().frame(len, meta, &mut |out| {
            fill(out);
            recording.record(now, Direction::Outbound, out, comment.take());
        })
    }

    fn flush(&mut self) {
        self.device.sink().flush();
    }
}

impl<D: Driver, O: Output> Driver for Pcapng<D, O> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let (now, recording, comment) = (self.now, &mut self.recording, &mut self.comment);
        self.device.receive(&mut |frame, meta| {
            recording.record(now, Direction::Inbound, frame, comment.take());
            each(frame, meta);
        })
    }

    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        let (now, recording, comment) = (self.now, &mut self.recording, &mut self.comment);
        self.device.receive_answering(&mut |frame, meta| {
            recording.record(now, Direction::Inbound, frame, comment.take());
            let len = each(frame, meta);
            if let Some(answer @ [_, ..]) = frame.get(..len) {
                recording.record(now, Direction::Outbound, answer, comment.take());
            }
            len
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
