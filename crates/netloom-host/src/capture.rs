//! Reading captures: pcapng (draft-ietf-opsawg-pcapng) and pcap (draft-ietf-opsawg-pcap), of
//! either byte order, as Wireshark and tcpdump write them.
//!
//! ```
//! use netloom_host::capture::{LinkType, Reader};
//!
//! # use netloom_driver::{Direction, Instant, pcapng};
//! # let mut capture = pcapng::Writer::new(Vec::new()).unwrap();
//! # let tun = capture.interface(pcapng::LinkType::Ip, "tun0").unwrap();
//! # let packet = pcapng::Packet::new(tun, Instant::from_millis(5), Direction::Inbound);
//! # capture.packet(&packet, &[0x45, 0, 0, 20]).unwrap();
//! # let file = capture.into_inner();
//! let mut reader = Reader::new(file.as_slice())?;
//! while let Some(packet) = reader.next()? {
//!     println!("{:?} {} bytes", packet.at, packet.frame.len());
//!     assert_eq!(packet.link, LinkType::Ip);
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, Read};
use std::time::Duration;

use netloom_driver::Direction;

mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;

/// The longest frame or block that is read, in bytes: a file that claims more is damaged.
const MAX_LEN: usize = 1 << 24;

/// What the frames of an interface begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LinkType {
    /// An Ethernet header (LINKTYPE_ETHERNET).
    Ethernet,
    /// An IP header of either version (LINKTYPE_RAW, LINKTYPE_IPV4, LINKTYPE_IPV6).
    Ip,
    /// Something else, by its number in the registry of link types.
    Other(u16),
}

impl LinkType {
    fn of(number: u16) -> LinkType {
        match number {
            1 => LinkType::Ethernet,
            // 12 and 14: what some systems wrote for LINKTYPE_RAW before it had a number.
            12 | 14 | 101 | 228 | 229 => LinkType::Ip,
            other => LinkType::Other(other),
        }
    }
}

/// A frame of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// When it passed, since 1970-01-01 UTC; zero where the file does not say.
    pub at: Duration,
    /// What it begins with.
    pub link: LinkType,
    /// Which way it went, where the file says.
    pub direction: Option<Direction>,
    /// Its length on the wire, in bytes.
    pub wire_len: usize,
    /// Its bytes: fewer than `wire_len` if the capture was cut.
    pub frame: &'a [u8],
    /// The interface it passed, by its number in the capture; 0 where there is but one.
    pub interface: u32,
    /// What somebody wrote beside it; the first remark if there are several.
    pub comment: Option<&'a str>,
}

/// Reads a capture, frame by frame, from anything that can be read; wrap files in a `BufReader`.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    format: Format,
    /// The frame or block read last.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum Format {
    Pcap(pcap::Pcap),
    Pcapng(pcapng::Pcapng),
}

/// How integers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        })
    }

    fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    fn u64(self, bytes: &[u8], at: usize) -> Option<u64> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(match self {
            Order::Little => u64::from_le_bytes(bytes),
            Order::Big => u64::from_be_bytes(bytes),
        })
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// The input's; [`io::ErrorKind::InvalidData`] if it is no capture.
    pub fn new(mut input: R) -> io::Result<Reader<R>> {
        let mut magic = [0; 4];
        input.read_exact(&mut magic)?;
        let format = if magic == pcapng::SECTION_HEADER {
            Format::Pcapng(pcapng::Pcapng::begin(&mut input)?)
        } else {
            Format::Pcap(pcap::Pcap::begin(magic, &mut input)?)
        };
        Ok(Reader {
            input,
            format,
            buffer: Vec::new(),
        })
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// The input's; [`io::ErrorKind::InvalidData`] if the file is damaged, and
    /// [`io::ErrorKind::UnexpectedEof`] if its end is missing.
    #[expect(
        clippy::should_implement_trait,
        reason = "a frame is lent until the next is read, which an Iterator cannot say"
    )]
    pub fn next(&mut self) -> io::Result<Option<Packet<'_>>> {
        match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input, &mut self.buffer),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input, &mut self.buffer),
        }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// Fills `head`; `false` if the input ends before its first byte.
fn read_head(input: &mut impl Read, head: &mut [u8]) -> io::Result<bool> {
    let mut filled = 0;
    while filled < head.len() {
        match input.read(&mut head[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => filled += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Replaces what is in the buffer by the next `len` bytes.
fn read_body(input: &mut impl Read, buffer: &mut Vec<u8>, len: usize) -> io::Result<()> {
    if len > MAX_LEN {
        return Err(damaged(
            "a frame or block of the capture is longer than any can be",
        ));
    }
    buffer.resize(len, 0);
    input.read_exact(buffer)
}
