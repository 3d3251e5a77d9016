use std::io::ErrorKind;

use super::*;
use crate::capture::Reader;

/// A file in memory that is full after so many bytes.
#[derive(Clone)]
struct Memory {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl Memory {
    fn of(room: usize) -> Memory {
        Memory {
            bytes: Arc::default(),
            room,
        }
    }

    /// The lengths of the frames in it.
    fn frames(&self) -> Vec<usize> {
        let bytes = self.bytes.lock().unwrap().clone();
        let mut reader = Reader::new(bytes.as_slice()).unwrap();
        let mut frames = Vec::new();
        while let Some(packet) = reader.next().unwrap() {
            frames.push(packet.frame.len());
        }
        frames
    }
}

impl Write for Memory {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let mut bytes = self.bytes.lock().unwrap();
        let room = self.room - bytes.len();
        if room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let len = data.len().min(room);
        bytes.extend_from_slice(&data[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn record(recording: &Recording, len: usize) -> io::Result<()> {
    let interface = recording.interface(LinkType::Ip, "test")?;
    recording.packet(interface, Direction::Outbound, &vec![0x45; len])
}

#[test]
fn what_is_finished_is_whole_while_somebody_else_has_it() {
    let file = Memory::of(usize::MAX);
    let recording = Recording::new(file.clone()).unwrap();
    let device = recording.clone();
    let interface = device.interface(LinkType::Ip, "test").unwrap();
    let packet = |len: usize| device.packet(interface, Direction::Inbound, &vec![0x45; len]);
    packet(20).unwrap();
    packet(30).unwrap();
    assert!(file.bytes.lock().unwrap().is_empty(), "it is buffered");
    recording.finish().unwrap();
    assert_eq!(file.frames(), [20, 30]);
    // The device goes on, and records nothing more.
    packet(40).unwrap();
    assert_eq!(
        device.interface(LinkType::Ip, "late").unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    recording.finish().unwrap();
    drop((device, recording));
    assert_eq!(file.frames(), [20, 30]);
}

#[test]
fn the_end_that_could_not_be_written_is_told() {
    let recording = Recording::new(Memory::of(100)).unwrap();
    record(&recording, 100).unwrap();
    assert_eq!(
        recording.finish().unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    // For ever.
    assert_eq!(
        recording.finish().unwrap_err().kind(),
        ErrorKind::StorageFull
    );
}

#[test]
fn a_failure_in_the_middle_is_told_there_once_and_at_the_end() {
    let file = Memory::of(100);
    let recording = Recording::new(file.clone()).unwrap();
    let interface = recording.interface(LinkType::Ip, "test").unwrap();
    let packet = || recording.packet(interface, Direction::Inbound, &[0x45; 10_000]);
    let failed = packet().unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::StorageFull);
    packet().unwrap();
    assert_eq!(
        recording.finish().unwrap_err().kind(),
        ErrorKind::StorageFull
    );
    assert_eq!(file.bytes.lock().unwrap().len(), 100);
}

#[test]
fn a_capture_is_whole_in_the_middle() {
    let file = Memory::of(usize::MAX);
    let recording = Recording::new(file.clone()).unwrap();
    record(&recording, 20).unwrap();
    let (flushed, frames) = recording.whole_while(|| file.frames());
    flushed.unwrap();
    assert_eq!(frames, [20]);
    record(&recording, 30).unwrap();
    recording.finish().unwrap();
    assert_eq!(file.frames(), [20, 30]);
}

#[test]
fn an_error_of_the_system_stays_what_it_is() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let recording = Recording::new(full).unwrap();
    record(&recording, 20).unwrap();
    for _ in 0..2 {
        let error = recording.finish().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    }
}
