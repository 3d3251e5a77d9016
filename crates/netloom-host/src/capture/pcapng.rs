//! The newer format: sections of blocks, each with its length on both sides.

use std::io::{self, Read};
use std::ops::Range;
use std::time::Duration;

use netloom_driver::Direction;

use super::{LinkType, Order, Packet, damaged, read_body, read_head};

/// The type of the block that begins a section, the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

const INTERFACE_DESCRIPTION: u32 = 1;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const OPT_END: u16 = 0;
const OPT_COMMENT: u16 = 1;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;
const EPB_FLAGS: u16 = 2;

/// Interfaces of a section that are remembered: a file that describes more is damaged.
const MAX_INTERFACES: usize = 1 << 16;

/// The section that is being read.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: LinkType,
    /// Bytes kept of each frame; 0: all.
    snap_len: u32,
    /// Units of time in a second.
    resolution: u128,
    /// Seconds to be added to each time.
    offset: i64,
}

/// A [`Packet`] whose frame is in the body of its block.
struct Found {
    at: Duration,
    link: LinkType,
    direction: Option<Direction>,
    wire_len: usize,
    frame: Range<usize>,
    interface: u32,
    comment: Option<Range<usize>>,
}

impl Pcapng {
    /// Reads the rest of the block that begins the first section.
    pub(super) fn begin(input: &mut impl Read) -> io::Result<Pcapng> {
        let mut pcapng = Pcapng {
            order: Order::Little,
            interfaces: Vec::new(),
        };
        let mut len = [0; 4];
        input.read_exact(&mut len)?;
        pcapng.section(input, len, &mut Vec::new())?;
        Ok(pcapng)
    }

    /// Reads the rest of a section's header, behind its type and its length.
    fn section(
        &mut self,
        input: &mut impl Read,
        len: [u8; 4],
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let mut magic = [0; 4];
        input.read_exact(&mut magic)?;
        self.order = [Order::Little, Order::Big]
            .into_iter()
            .find(|order| order.u32(&magic, 0) == Some(BYTE_ORDER_MAGIC))
            .ok_or_else(|| damaged("a section of the capture has an unknown byte order"))?;
        self.interfaces.clear();
        read_body(input, buffer, self.body_len(len, 12)?)
    }

    /// Bytes left of a block of which `done` were read.
    fn body_len(&self, len: [u8; 4], done: usize) -> io::Result<usize> {
        let len = self.order.u32(&len, 0).unwrap_or_default() as usize;
        if len % 4 != 0 || len < done + 4 {
            return Err(damaged("a block of the capture has an impossible length"));
        }
        Ok(len - done)
    }

    /// The next frame.
    pub(super) fn next<'b>(
        &mut self,
        input: &mut impl Read,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<Option<Packet<'b>>> {
        let found = loop {
            let mut head = [0; 8];
            if !read_head(input, &mut head)? {
                return Ok(None);
            }
            let (kind, len) = (
                [head[0], head[1], head[2], head[3]],
                [head[4], head[5], head[6], head[7]],
            );
            if kind == SECTION_HEADER {
                self.section(input, len, buffer)?;
                continue;
            }
            read_body(input, buffer, self.body_len(len, 8)?)?;
            // The length is repeated at the end.
            let body = &buffer[..buffer.len() - 4];
            match self.order.u32(&kind, 0) {
                Some(INTERFACE_DESCRIPTION) => {
                    if self.interfaces.len() >= MAX_INTERFACES {
                        return Err(damaged("the capture describes too many interfaces"));
                    }
                    let interface = self.interface(body);
                    let cut = || damaged("the description of an interface is cut short");
                    self.interfaces.push(interface.ok_or_else(cut)?);
                }
                Some(ENHANCED_PACKET) => break self.enhanced(body),
                Some(SIMPLE_PACKET) => break self.simple(body),
                // There are many kinds of blocks, made to be passed over.
                _ => {}
            }
        };
        let found = found.ok_or_else(|| damaged("a packet block is cut short"))?;
        Ok(Some(Packet {
            at: found.at,
            link: found.link,
            direction: found.direction,
            wire_len: found.wire_len,
            frame: &buffer[found.frame],
            interface: found.interface,
            comment: found
                .comment
                .and_then(|comment| std::str::from_utf8(buffer.get(comment)?).ok()),
        }))
    }

    fn interface(&self, body: &[u8]) -> Option<Interface> {
        let mut interface = Interface {
            link: LinkType::of(self.order.u16(body, 0)?),
            snap_len: self.order.u32(body, 4)?,
            resolution: 1_000_000,
            offset: 0,
        };
        body.get(8..)?;
        self.options(body, 8, |code, _, value| match (code, value) {
            (IF_TSRESOL, &[power, ..]) => {
                // Negative powers of two or ten; beyond what 64 bits count is nonsense.
                let power_of_two = power & 0x80 != 0;
                let power = u32::from(power & 0x7f);
                let resolution = if power_of_two { 2_u128 } else { 10 };
                interface.resolution = resolution.saturating_pow(power.min(63)).max(1);
            }
            (IF_TSOFFSET, value) => {
                interface.offset = self.order.u64(value, 0).unwrap_or_default() as i64;
            }
            _ => {}
        });
        Some(interface)
    }

    /// What an enhanced packet block says.
    fn enhanced(&self, body: &[u8]) -> Option<Found> {
        const FRAME: usize = 20;
        let word = |at| self.order.u32(body, at);
        let number = word(0)?;
        let interface = self.interfaces.get(number as usize)?;
        let units = u128::from(word(4)?) << 32 | u128::from(word(8)?);
        let (len, wire_len) = (word(12)? as usize, word(16)? as usize);
        let frame = FRAME..FRAME.checked_add(len)?;
        body.get(frame.clone())?;
        let mut direction = None;
        let mut comment = None;
        let options = FRAME.checked_add(len.checked_next_multiple_of(4)?)?;
        self.options(body, options, |code, place, value| {
            if code == EPB_FLAGS {
                direction = match self.order.u32(value, 0).map(|flags| flags & 3) {
                    Some(1) => Some(Direction::Inbound),
                    Some(2) => Some(Direction::Outbound),
                    _ => None,
                };
            } else if code == OPT_COMMENT && comment.is_none() {
                comment = Some(place);
            }
        });
        Some(Found {
            at: interface.time(units),
            link: interface.link,
            direction,
            wire_len,
            frame,
            interface: number,
            comment,
        })
    }

    /// What a simple packet block says: it belongs to the first interface and has no time.
    fn simple(&self, body: &[u8]) -> Option<Found> {
        const FRAME: usize = 4;
        let interface = self.interfaces.first()?;
        let wire_len = self.order.u32(body, 0)? as usize;
        let kept = match interface.snap_len {
            0 => wire_len,
            most => wire_len.min(most as usize),
        };
        let frame = FRAME..FRAME.checked_add(kept)?;
        body.get(frame.clone())?;
        Some(Found {
            at: Duration::ZERO,
            link: interface.link,
            direction: None,
            wire_len,
            frame,
            interface: 0,
            comment: None,
        })
    }

    /// Calls `each` with every option of a body from `at` on: its code, where its value stands,
    /// and the value.
    fn options(&self, body: &[u8], mut at: usize, mut each: impl FnMut(u16, Range<usize>, &[u8])) {
        while let (Some(code), Some(len)) = (self.order.u16(body, at), self.order.u16(body, at + 2))
        {
            let place = at + 4..at + 4 + usize::from(len);
            let Some(value) = body.get(place.clone()).filter(|_| code != OPT_END) else {
                return;
            };
            at = place.start + usize::from(len).next_multiple_of(4);
            each(code, place, value);
        }
    }
}

impl Interface {
    /// Units of time as a duration since 1970; zero for what lies before.
    fn time(&self, units: u128) -> Duration {
        // At most 2^64 units, so that nanoseconds fit.
        let nanos = units.saturating_mul(1_000_000_000) / self.resolution;
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let time = Duration::from_nanos(nanos);
        let offset = Duration::from_secs(self.offset.unsigned_abs());
        if self.offset < 0 {
            time.saturating_sub(offset)
        } else {
            time.saturating_add(offset)
        }
    }
}
