//! The older format: one header, then frames.

use std::io::{self, Read};
use std::time::Duration;

use super::{LinkType, Order, Packet, damaged, read_body, read_head};

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;

/// Bytes of the file's header behind its magic number, and of a frame's.
const FILE_HEADER: usize = 20;
const FRAME_HEADER: usize = 16;

/// What the header of the file says.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    link: LinkType,
    /// Nanoseconds in a unit of the fraction of a second.
    unit: u32,
}

impl Pcap {
    /// Reads the rest of the header.
    pub(super) fn begin(magic: [u8; 4], input: &mut impl Read) -> io::Result<Pcap> {
        let known = [Order::Little, Order::Big].into_iter().find_map(|order| {
            match order.u32(&magic, 0)? {
                MICROSECONDS => Some((order, 1_000)),
                NANOSECONDS => Some((order, 1)),
                _ => None,
            }
        });
        let (order, unit) = known.ok_or_else(|| damaged("this is neither pcapng nor pcap"))?;
        let mut header = [0; FILE_HEADER];
        input.read_exact(&mut header)?;
        // The upper half of the word tells of frame check sequences.
        let link = order.u32(&header, 16).unwrap_or_default() as u16;
        Ok(Pcap {
            order,
            link: LinkType::of(link),
            unit,
        })
    }

    /// The next frame.
    pub(super) fn next<'b>(
        &mut self,
        input: &mut impl Read,
        buffer: &'b mut Vec<u8>,
    ) -> io::Result<Option<Packet<'b>>> {
        let mut header = [0; FRAME_HEADER];
        if !read_head(input, &mut header)? {
            return Ok(None);
        }
        let word = |at| self.order.u32(&header, at).unwrap_or_default();
        read_body(input, buffer, word(8) as usize)?;
        let fraction = Duration::from_nanos(u64::from(word(4)) * u64::from(self.unit));
        Ok(Some(Packet {
            at: Duration::from_secs(word(0).into()) + fraction,
            link: self.link,
            direction: None,
            wire_len: word(12) as usize,
            frame: buffer,
            interface: 0,
            comment: None,
        }))
    }
}
