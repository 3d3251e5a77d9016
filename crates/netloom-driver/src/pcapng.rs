//! Captures in pcapng (draft-ietf-opsawg-pcapng), as Wireshark and tcpdump read them.
//!
//! [`Writer`] writes the blocks: a section header, a description of each interface, an enhanced
//! packet block for each frame, with its direction and, if one is given, a comment. [`Pcapng`]
//! wears a device and writes what goes through it.
//!
//! ```
//! use netloom_driver::pcapng::{LinkType, Packet, Writer};
//! use netloom_driver::{Direction, Instant};
//!
//! let mut capture = Writer::new(Vec::new()).unwrap();
//! let tun = capture.interface(LinkType::Ip, "tun0").unwrap();
//! let packet = Packet::new(tun, Instant::from_millis(5), Direction::Outbound);
//! capture.packet(&packet.comment("the first"), &[0x45, 0, 0, 20]).unwrap();
//! let file: Vec<u8> = capture.into_inner();
//! # assert_eq!(file.len() % 4, 0);
//! ```

#[cfg(test)]
mod tests;
mod wrapper;

use alloc::vec::Vec;
use core::convert::Infallible;

use crate::{Direction, Instant};

pub use wrapper::Pcapng;

/// Where a capture is written: a vector, or with the feature `std` a `StdOutput`.
pub trait Output {
    /// What can go wrong.
    type Error: core::fmt::Debug;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// Whatever the output says.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl Output for Vec<u8> {
    type Error = Infallible;

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

impl<O: Output + ?Sized> Output for &mut O {
    type Error = O::Error;

    fn put(&mut self, bytes: &[u8]) -> Result<(), O::Error> {
        (**self).put(bytes)
    }
}

/// Anything that is `std::io::Write`, as an [`Output`]. Wrap files in a `BufWriter`.
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct StdOutput<W>(pub W);

#[cfg(feature = "std")]
impl<W: std::io::Write> Output for StdOutput<W> {
    type Error = std::io::Error;

    fn put(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// What the frames of an interface begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkType {
    /// Ethernet II frames (LINKTYPE_ETHERNET, 1).
    Ethernet,
    /// IP packets of either version (LINKTYPE_RAW, 101).
    Ip,
}

impl LinkType {
    const fn number(self) -> u16 {
        match self {
            LinkType::Ethernet => 1,
            LinkType::Ip => 101,
        }
    }
}

/// An interface of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interface(u32);

/// What is said of a frame.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    interface: Interface,
    at: Instant,
    direction: Direction,
    comment: Option<&'a str>,
}

impl<'a> Packet<'a> {
    /// A frame of an interface. Times are microseconds since 1970-01-01 UTC in the file: a
    /// program whose clock starts elsewhere adds the difference, or lives in 1970.
    pub const fn new(interface: Interface, at: Instant, direction: Direction) -> Packet<'a> {
        Packet {
            interface,
            at,
            direction,
            comment: None,
        }
    }

    /// The same with a comment, which Wireshark shows beside the packet.
    #[must_use]
    pub const fn comment(mut self, comment: &'a str) -> Packet<'a> {
        self.comment = Some(comment);
        self
    }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const IF_NAME: u16 = 2;
const EPB_FLAGS: u16 = 2;

/// Writes a capture, block by block.
#[derive(Debug)]
pub struct Writer<O> {
    out: O,
    interfaces: u32,
}

impl<O: Output> Writer<O> {
    /// Begins a capture.
    ///
    /// # Errors
    /// The output's.
    pub fn new(mut out: O) -> Result<Writer<O>, O::Error> {
        words(&mut out, &[SECTION_HEADER, 28, BYTE_ORDER_MAGIC])?;
        out.put(&1_u16.to_le_bytes())?;
        out.put(&0_u16.to_le_bytes())?;
        // The section's length is not known: -1.
        words(&mut out, &[u32::MAX, u32::MAX, 28])?;
        Ok(Writer { out, interfaces: 0 })
    }

    /// Describes an interface. Names longer than 65 535 bytes are left out.
    ///
    /// # Errors
    /// The output's.
    pub fn interface(&mut self, link: LinkType, name: &str) -> Result<Interface, O::Error> {
        let options = option_len(name.len()) + 4;
        let total = length(20 + options);
        words(&mut self.out, &[INTERFACE_DESCRIPTION, total])?;
        self.out.put(&link.number().to_le_bytes())?;
        self.out.put(&[0, 0])?;
        // No limit to what is kept of a frame.
        words(&mut self.out, &[0])?;
        self.option(IF_NAME, name.as_bytes())?;
        self.option(OPT_END, &[])?;
        words(&mut self.out, &[total])?;
        let interface = Interface(self.interfaces);
        self.interfaces = self.interfaces.wrapping_add(1);
        Ok(interface)
    }

    /// Writes a frame. Comments longer than 65 535 bytes are left out.
    ///
    /// # Errors
    /// The output's.
    pub fn packet(&mut self, packet: &Packet<'_>, frame: &[u8]) -> Result<(), O::Error> {
        let comment = packet.comment.unwrap_or_default();
        let options = option_len(4) + option_len(comment.len()) + 4;
        let total = length(32 + padded(frame.len()) + options);
        let micros = packet.at.as_micros();
        let len = length(frame.len());
        words(
            &mut self.out,
            &[
                ENHANCED_PACKET,
                total,
                packet.interface.0,
                (micros >> 32) as u32,
                micros as u32,
                len,
                len,
            ],
        )?;
        self.padded(frame)?;
        let direction: u32 = match packet.direction {
            Direction::Inbound => 1,
            Direction::Outbound => 2,
        };
        self.option(EPB_FLAGS, &direction.to_le_bytes())?;
        self.option(OPT_COMMENT, comment.as_bytes())?;
        self.option(OPT_END, &[])?;
        words(&mut self.out, &[total])
    }

    /// What was written, if the output is something that can be looked at.
    pub fn get_ref(&self) -> &O {
        &self.out
    }

    /// The output, to flush it: what else is written to it is in the way of the next block.
    pub fn get_mut(&mut self) -> &mut O {
        &mut self.out
    }

    /// The output, all blocks written.
    pub fn into_inner(self) -> O {
        self.out
    }

    /// One option; an empty one (but the end of options) and one that is too long are left out.
    fn option(&mut self, code: u16, value: &[u8]) -> Result<(), O::Error> {
        let Ok(len) = u16::try_from(value.len()) else {
            return Ok(());
        };
        if len == 0 && code != OPT_END {
            return Ok(());
        }
        self.out.put(&code.to_le_bytes())?;
        self.out.put(&len.to_le_bytes())?;
        self.padded(value)
    }

    /// Bytes, filled up to a multiple of four.
    fn padded(&mut self, bytes: &[u8]) -> Result<(), O::Error> {
        self.out.put(bytes)?;
        let fill = padded(bytes.len()) - bytes.len();
        self.out.put([0; 3].get(..fill).unwrap_or_default())
    }
}

fn words<O: Output>(out: &mut O, words: &[u32]) -> Result<(), O::Error> {
    words
        .iter()
        .try_for_each(|word| out.put(&word.to_le_bytes()))
}

/// A length rounded up to a multiple of four.
const fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// The length of an option whose value has `len` bytes; 0 if it is left out.
const fn option_len(len: usize) -> usize {
    if len == 0 || len > u16::MAX as usize {
        0
    } else {
        4 + padded(len)
    }
}

/// A length as the file holds it. No frame is anywhere near 4 GiB.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
