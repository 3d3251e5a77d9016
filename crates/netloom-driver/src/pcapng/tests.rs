#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "tests"
)]

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use std::eprintln;

use super::{LinkType, Output, Packet, Pcapng, Writer};
use crate::test_device::{TestDevice, receive, send};
use crate::{Direction, Driver, Instant};

/// A block as a reader that knows only the specification sees it.
#[derive(Debug, PartialEq)]
struct Block {
    kind: u32,
    body: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap())
}

fn blocks(file: &[u8]) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let len = word(file, at + 4) as usize;
        assert!(len >= 12 && len % 4 == 0, "a block is whole words");
        assert_eq!(
            word(file, at + len - 4) as usize,
            len,
            "the length stands at both ends"
        );
        blocks.push(Block {
            kind: word(file, at),
            body: file[at + 8..at + len - 4].to_vec(),
        });
        at += len;
    }
    blocks
}

fn options(mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut options = Vec::new();
    loop {
        let (code, len) = (half(bytes, 0), usize::from(half(bytes, 2)));
        if code == 0 {
            assert_eq!((len, bytes.len()), (0, 4), "the end is the end");
            return options;
        }
        options.push((code, bytes[4..4 + len].to_vec()));
        bytes = &bytes[4 + len.next_multiple_of(4)..];
    }
}

fn sample() -> Vec<u8> {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let eth = writer.interface(LinkType::Ethernet, "eth0").unwrap();
    let tun = writer.interface(LinkType::Ip, "tun").unwrap();
    let late = Instant::from_micros((7 << 32) + 5);
    let first = Packet::new(eth, Instant::from_micros(1), Direction::Inbound);
    writer.packet(&first, &[0xee; 61]).unwrap();
    let second = Packet::new(tun, late, Direction::Outbound).comment("five!");
    writer.packet(&second, &[0x45; 20]).unwrap();
    writer.packet(&first, &[]).unwrap();
    writer.into_inner()
}

#[test]
fn blocks_are_what_the_specification_says() {
    let blocks = blocks(&sample());
    let kinds: Vec<u32> = blocks.iter().map(|block| block.kind).collect();
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 1, 6, 6, 6]);
    let section = &blocks[0].body;
    assert_eq!(word(section, 0), 0x1a2b_3c4d);
    assert_eq!((half(section, 4), half(section, 6)), (1, 0));
    assert_eq!(section[8..], [0xff; 8], "the section's length is not known");
    assert_eq!(
        (half(&blocks[1].body, 0), half(&blocks[2].body, 0)),
        (1, 101)
    );
    assert_eq!(word(&blocks[1].body, 4), 0, "frames are kept whole");
    assert_eq!(options(&blocks[1].body[8..]), [(2, b"eth0".to_vec())]);
    let first = &blocks[3].body;
    assert_eq!((word(first, 0), word(first, 4), word(first, 8)), (0, 0, 1));
    assert_eq!((word(first, 12), word(first, 16)), (61, 61));
    assert_eq!(first[20..81], [0xee; 61]);
    assert_eq!(first[81..84], [0; 3], "padding is zero");
    assert_eq!(options(&first[84..]), [(2, [1, 0, 0, 0].to_vec())]);
    let second = &blocks[4].body;
    assert_eq!(
        (word(second, 0), word(second, 4), word(second, 8)),
        (1, 7, 5)
    );
    assert_eq!(
        options(&second[40..]),
        [(2, [2, 0, 0, 0].to_vec()), (1, b"five!".to_vec())]
    );
    assert_eq!(word(&blocks[5].body, 12), 0);
}

/// Wireshark's own reader, where it is installed.
#[test]
fn tshark_reads_it() {
    let mut device = TestDevice::new();
    device.incoming.push_back(udp(1));
    let mut wrapped = Pcapng::new(device, LinkType::Ip, "tun7", Vec::new()).unwrap();
    wrapped.set_now(Instant::from_micros(1_500_000));
    wrapped.comment("a question");
    receive(&mut wrapped);
    wrapped.set_now(Instant::from_micros(1_500_250));
    send(&mut wrapped, &udp(2)).unwrap();
    let (_, file) = wrapped.into_inner();
    let path = std::env::temp_dir().join(alloc::format!("netloom-{}.pcapng", std::process::id()));
    std::fs::write(&path, file).unwrap();
    let ran = std::process::Command::new("tshark")
        .args([
            "-r",
            path.to_str().unwrap(),
            "-T",
            "fields",
            "-E",
            "separator=|",
        ])
        .args(["-e", "frame.time_epoch", "-e", "frame.interface_name"])
        .args(["-e", "frame.packet_flags_direction", "-e", "udp.srcport"])
        .args(["-e", "frame.comment", "-e", "_ws.malformed"])
        .output();
    std::fs::remove_file(&path).unwrap();
    let Ok(output) = ran else {
        eprintln!("SKIPPED: tshark is not installed");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('|').collect()).collect();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(lines.len(), 2, "{text}");
    let direction = |field: &str| {
        field
            .trim_start_matches("0x")
            .trim_start_matches('0')
            .to_string()
    };
    assert_eq!(lines[0][0], "1.500000000");
    assert_eq!((lines[0][1], lines[0][3]), ("tun7", "1"));
    assert_eq!((lines[0][4], lines[0][5]), ("a question", ""));
    assert_eq!(direction(lines[0][2]), "1");
    assert_eq!(lines[1][0], "1.500250000");
    assert_eq!((direction(lines[1][2]), lines[1][4]), ("2".to_string(), ""));
}

/// A datagram of 4 bytes from a port.
fn udp(port: u8) -> Vec<u8> {
    let mut packet = alloc::vec![
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0, port, 0, 99, 0, 12,
        0, 0,
    ];
    packet.extend_from_slice(b"abcd");
    packet
}

#[test]
fn frames_pass_unchanged_and_refused_ones_are_not_recorded() {
    let mut device = TestDevice::new();
    device.room = 1;
    let mut file = Vec::new();
    let mut wrapped = Pcapng::new(device, LinkType::Ip, "tun0", &mut file).unwrap();
    assert_eq!(wrapped.sink().caps().gso_max, 65_535);
    send(&mut wrapped, &udp(1)).unwrap();
    assert!(send(&mut wrapped, &udp(2)).is_err());
    assert_eq!(wrapped.get_ref().sent, [udp(1)]);
    assert!(wrapped.failed().is_none());
    drop(wrapped);
    assert_eq!(
        blocks(&file).iter().filter(|block| block.kind == 6).count(),
        1
    );
}

#[test]
fn answers_from_where_their_frames_came_in_are_recorded() {
    let mut device = TestDevice::new();
    device.incoming.push_back(udp(1));
    let mut file = Vec::new();
    let mut wrapped = Pcapng::new(device, LinkType::Ip, "tun0", &mut file).unwrap();
    assert_eq!(wrapped.receive_answering(&mut |frame, _| frame.len()), None);
    wrapped.get_mut().answers = true;
    let mut take = |frame: &mut [u8], _: &_| {
        frame[21] = 2;
        frame.len()
    };
    assert_eq!(wrapped.receive_answering(&mut take), Some(1));
    assert_eq!(wrapped.get_ref().sent, [udp(2)]);
    drop(wrapped);
    let recorded: Vec<_> = blocks(&file)
        .into_iter()
        .filter(|block| block.kind == 6)
        .map(|block| block.body[20..52].to_vec())
        .collect();
    assert_eq!(recorded, [udp(1), udp(2)]);
}

/// An output that has had enough after so many bytes.
#[derive(Debug)]
struct Short(usize);

impl Output for Short {
    type Error = &'static str;

    fn put(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or("the disk is full")?;
        Ok(())
    }
}

#[test]
fn the_device_works_on_when_the_recording_fails() {
    let mut wrapped = Pcapng::new(TestDevice::new(), LinkType::Ip, "", Short(100)).unwrap();
    for i in 0..5 {
        send(&mut wrapped, &udp(i)).unwrap();
    }
    assert_eq!(wrapped.failed(), Some(&"the disk is full"));
    assert_eq!(wrapped.get_mut().sent.len(), 5);
}

#[cfg(feature = "std")]
#[test]
fn anything_that_can_be_written_to_takes_a_capture() {
    let mut writer = Writer::new(super::StdOutput(Vec::new())).unwrap();
    writer.interface(LinkType::Ip, "x").unwrap();
    assert_eq!(blocks(&writer.into_inner().0).len(), 2);
}
