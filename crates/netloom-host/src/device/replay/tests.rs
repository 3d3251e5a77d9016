use std::io::Cursor;
use std::time::{Duration, Instant};

use netloom_driver::pcapng::{LinkType, Packet, Writer};
use netloom_driver::{Direction, Driver, Instant as Stamp, LinkState, RxChecksum, TxMeta};

use super::{Pace, Replay};
use crate::capture::Reader;
use crate::device::{Device, DeviceError, Medium, Waiter};

/// Frames at these milliseconds, each of one byte, its number.
fn capture(link: LinkType, millis: &[u64]) -> Cursor<Vec<u8>> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let interface = writer.interface(link, "test").unwrap();
    for (&at, number) in millis.iter().zip(0..) {
        let at = Stamp::from_millis(at);
        // Every other one was sent by the recorded station.
        for direction in [Direction::Inbound, Direction::Outbound] {
            let packet = Packet::new(interface, at, direction);
            writer.packet(&packet, &[number]).unwrap();
        }
    }
    Cursor::new(writer.into_inner())
}

fn receive(replay: &mut Replay) -> Vec<u8> {
    let mut frames = Vec::new();
    replay.receive(&mut |frame, _| frames.extend_from_slice(frame));
    frames
}

#[test]
fn as_fast_as_possible_is_a_batch_at_a_time() {
    let file = capture(LinkType::Ip, &[1000; 100]);
    let mut replay = Replay::new("file", file)
        .unwrap()
        .with_pace(Pace::AsFastAsPossible);
    assert_eq!(
        (replay.medium(), replay.link()),
        (Medium::Ip, LinkState::Up)
    );
    let mut frames = receive(&mut replay);
    assert_eq!(frames.len(), super::BATCH);
    frames.extend(receive(&mut replay));
    assert!(frames.into_iter().eq(0..100));
    assert!(receive(&mut replay).is_empty());
    assert!(replay.is_finished() && replay.failed().is_none());
    assert_eq!(replay.link(), LinkState::Down);
    assert_eq!(replay.interest().retry_at, None);
    assert_eq!(replay.counters().rx_frames, 100);
}

#[test]
fn at_its_own_pace_each_frame_has_its_time() {
    let file = capture(LinkType::Ethernet, &[5000, 5000, 5030, 5010, 5060]);
    let mut replay = Replay::new("file", file).unwrap().with_mac([2; 6]);
    assert_eq!(replay.medium(), Medium::Ethernet { mac: [2; 6] });
    let mut waiter = Waiter::new().unwrap();
    let start = Instant::now();
    let mut arrived = Vec::new();
    while !replay.is_finished() {
        waiter.wait(&[&replay], None).unwrap();
        for number in receive(&mut replay) {
            arrived.push((number, start.elapsed()));
        }
    }
    let numbers: Vec<u8> = arrived.iter().map(|&(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    for (&(_, at), least) in arrived.iter().zip([0, 0, 30, 30, 60]) {
        assert!(at >= Duration::from_millis(least), "{at:?}");
    }
}

#[test]
fn what_is_sent_is_recorded() {
    let path = std::env::temp_dir().join(format!("netloom-replay-{}", std::process::id()));
    let mut replay = Replay::new("file", capture(LinkType::Ip, &[0]))
        .unwrap()
        .record_to(&path)
        .unwrap();
    for frame in [b"first".as_slice(), b"2nd"] {
        let sink = replay.sink();
        let fill = &mut |out: &mut [u8]| out.copy_from_slice(frame);
        sink.frame(frame.len(), &TxMeta::default(), fill).unwrap();
    }
    assert_eq!(replay.counters().tx_frames, 2);
    drop(replay);
    let file = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut reader = Reader::new(file.as_slice()).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().frame, b"first");
    let second = reader.next().unwrap().unwrap();
    assert_eq!(
        (second.frame, second.direction),
        (b"2nd".as_slice(), Some(Direction::Outbound))
    );
    assert!(second.at > Duration::from_secs(1_700_000_000));
    assert!(reader.next().unwrap().is_none());
}

#[test]
fn cut_frames_are_counted_and_a_damaged_end_is_told() {
    let mut file = capture(LinkType::Ip, &[0, 0]).into_inner();
    // The first frame claims to have been longer on the wire.
    let packet = 28 + 32;
    file[packet + 24..packet + 28].copy_from_slice(&9_u32.to_le_bytes());
    file.truncate(file.len() - 4);
    let mut replay = Replay::new("file", Cursor::new(file)).unwrap();
    assert_eq!(receive(&mut replay), [1]);
    assert!(replay.is_finished() && replay.failed().is_some());
    assert_eq!(replay.counters().rx_dropped, 1);
}

#[test]
fn checksums_are_trusted_only_if_asked() {
    for (trusting, expected) in [
        (false, RxChecksum::Unverified),
        (true, RxChecksum::Verified),
    ] {
        let mut replay = Replay::new("file", capture(LinkType::Ip, &[0])).unwrap();
        if trusting {
            replay = replay.trusting_checksums();
        }
        replay.receive(&mut |_, meta| assert_eq!(meta.checksum, expected));
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    let error = Replay::new("notes.txt", Cursor::new(b"dear diary, today I".to_vec()));
    let text = error.unwrap_err().to_string();
    assert_eq!(
        text,
        "cannot read notes.txt: this is neither pcapng nor pcap"
    );
    let missing = Replay::open("/nowhere.pcapng").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    // Link type 147 of a classic pcap.
    let mut other: Vec<u8> = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 147, 0, 0, 1, 1]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    other.push(0);
    let error = Replay::new("other", Cursor::new(other)).unwrap_err();
    assert!(matches!(error, DeviceError::WrongKind { .. }), "{error}");
}

#[test]
fn what_could_not_be_recorded_is_told_by_the_recording() {
    let mut replay = Replay::new("file", capture(LinkType::Ip, &[0])).unwrap();
    assert!(replay.recording().is_none());
    replay = replay.record_to("/dev/full").unwrap();
    let recording = replay.recording().unwrap();
    let sink = replay.sink();
    sink.frame(5, &TxMeta::default(), &mut |out| {
        out.copy_from_slice(b"first")
    })
    .unwrap();
    drop(replay);
    let error = recording.finish().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}
