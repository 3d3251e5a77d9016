//! Answers made of the frames they answer: on lent memory alone they need no place to wait at.
//!
//! A frame taken in ([`Stack::receive_answering`]) is answered by one packet at most: an ARP reply, an
//! echo reply, a RST or an acknowledgment without a connection. Its headers are written here, and,
//! once the frame is taken in, over those of the frame, which goes back to where it came from.

#[cfg(feature = "tcp")]
use netloom_tcp::Reply;
#[cfg(all(feature = "tcp", feature = "ethernet"))]
use netloom_wire::Addr;
#[cfg(all(feature = "ethernet", feature = "ipv4"))]
use netloom_wire::arp::ArpRepr;
#[cfg(feature = "ethernet")]
use netloom_wire::{MacAddr, ethernet};

use crate::output::IpHeader;
#[cfg(all(feature = "tcp", feature = "ethernet"))]
use crate::output::{Hop, LinkHeader};
#[cfg(feature = "tcp")]
use crate::output::{TransportHeader, transport_checksum};
use crate::stack::{Sent, Stack};
#[cfg(feature = "tcp")]
use crate::tuple::Tuple;

/// The headers of the longest answer: of IP and of TCP, with options.
const MOST: usize = if cfg!(feature = "ipv6") { 40 } else { 20 } + 60;

/// An answer in the making.
pub(crate) struct Answer {
    /// The length of the packet that may be written over; 0: there is none.
    #[cfg(feature = "hold")]
    room: usize,
    /// The station the frame came from, to which the answer goes.
    #[cfg(feature = "ethernet")]
    pub(crate) to: MacAddr,
    /// How much of `head` is used; 0: there is no answer.
    len: usize,
    /// Where the bytes of the frame lie that go back behind that, and how many they are.
    kept: (usize, usize),
    head: [u8; MOST],
}

impl Answer {
    pub(crate) const NONE: Answer = Answer {
        #[cfg(feature = "hold")]
        room: 0,
        #[cfg(feature = "ethernet")]
        to: MacAddr([0; 6]),
        len: 0,
        kept: (0, 0),
        head: [0; MOST],
    };

    /// Whether a packet of this length can be made of the frame. Without a place where packets
    /// wait there is always a frame, and it is long enough.
    fn has_room(&self, len: usize) -> bool {
        #[cfg(feature = "hold")]
        return self.room >= len;
        #[cfg(not(feature = "hold"))]
        {
            let _ = len;
            true
        }
    }
}

/// Bytes of the link header.
#[cfg(feature = "ethernet")]
const LINK: usize = ethernet::HEADER_LEN;
#[cfg(not(feature = "ethernet"))]
const LINK: usize = 0;

impl Stack {
    /// A frame comes that may be written over.
    pub(crate) fn begin_answer(&mut self, iface: u8, frame: &[u8]) {
        self.answer.len = 0;
        #[cfg(feature = "hold")]
        {
            self.answer.room = frame.len().saturating_sub(self.link_len(iface));
        }
        let _ = (iface, frame);
    }

    /// The frame that came may not be written over after all.
    #[cfg(feature = "vlan")]
    pub(crate) fn give_up_answer(&mut self) {
        self.answer.room = 0;
    }

    /// Makes the frame that came the frame of its answer; returns its length, 0 if there is none.
    pub(crate) fn finish_answer(&mut self, iface: u8, frame: &mut [u8]) -> usize {
        #[cfg(feature = "hold")]
        {
            self.answer.room = 0;
        }
        let (len, (from, kept)) = (self.answer.len, self.answer.kept);
        if len == 0 {
            return 0;
        }
        let link = self.link_len(iface);
        let at = link.wrapping_add(len);
        // What an option of IP stood before moves to the front.
        if from != at {
            for offset in 0..kept {
                let byte = frame.get(from.wrapping_add(offset)).copied();
                if let Some(place) = frame.get_mut(at.wrapping_add(offset)) {
                    *place = byte.unwrap_or_default();
                }
            }
        }
        #[cfg(feature = "ethernet")]
        if link > 0 {
            // The type stays: what came is answered by its own kind.
            if let (Some(header), Some(interface)) = (
                frame.first_chunk_mut::<12>(),
                self.interfaces.get(usize::from(iface)),
            ) {
                let (dst, src) = header.split_at_mut(6);
                dst.copy_from_slice(&self.answer.to.0);
                src.copy_from_slice(&interface.mac.0);
            }
        }
        let place = frame.get_mut(link..at).unwrap_or_default();
        for (to, from) in place.iter_mut().zip(&self.answer.head) {
            *to = *from;
        }
        self.count_sent(&mut Sent::default());
        at.wrapping_add(kept)
    }

    fn link_len(&self, iface: u8) -> usize {
        match self.interfaces.get(usize::from(iface)) {
            Some(interface) if interface.ethernet => LINK,
            Some(_) | None => 0,
        }
    }

    /// Answers by an ARP packet. False if that is to wait elsewhere.
    #[cfg(all(feature = "ethernet", feature = "ipv4"))]
    pub(crate) fn answer_arp(&mut self, to: MacAddr, reply: &ArpRepr) -> bool {
        if !self.answer.has_room(netloom_wire::arp::LEN)
            || reply.emit(&mut self.answer.head).is_err()
        {
            return false;
        }
        self.answer.to = to;
        self.answer.len = netloom_wire::arp::LEN;
        self.answer.kept = (0, 0);
        true
    }

    /// Whether the frame came from where packets to this address go.
    #[cfg(all(feature = "tcp", feature = "ethernet"))]
    fn came_from(&mut self, dst: &Addr, scope: Option<u8>) -> bool {
        let Some((iface, next_hop)) = self.route_again(dst, scope) else {
            return false;
        };
        match self.hop(iface, &next_hop) {
            Hop::Ready(LinkHeader::Ethernet { dst, .. }) => dst == self.answer.to,
            Hop::Ready(LinkHeader::None) => true,
            Hop::Wait(_) | Hop::Nowhere(_) => false,
        }
    }

    /// Answers by a segment. False if that is to wait elsewhere.
    #[cfg(feature = "tcp")]
    pub(crate) fn answer_segment(&mut self, ip: &IpHeader, tuple: &Tuple, reply: &Reply) -> bool {
        // All but a RST says a sequence number that is secret, and goes to whom the address belongs, not
        // to whoever borrows it.
        #[cfg(feature = "ethernet")]
        if !reply.flags.rst() && !self.came_from(&ip.dst, tuple.scope()) {
            return false;
        }
        let header = crate::tcp::reply_head(tuple, reply);
        let len = ip.len().wrapping_add(header.len());
        if !self.answer.has_room(len) {
            return false;
        }
        let place = ip.emit(&mut self.answer.head, header.len());
        let place = place.get_mut(..header.len()).unwrap_or_default();
        header.emit(place);
        let sum = transport_checksum(ip, place).finish();
        netloom_wire::tcp::set_checksum(place, sum);
        self.answer.len = len;
        self.answer.kept = (0, 0);
        true
    }

    /// Answers by an ICMP message whose first four bytes are these, and whose others are the `kept`
    /// last ones of the packet that came, of `whole` bytes. False if that is to wait elsewhere.
    #[cfg(any(feature = "ipv4", feature = "ipv6"))]
    pub(crate) fn answer_message(
        &mut self,
        iface: u8,
        ip: &IpHeader,
        head: [u8; 4],
        kept: usize,
        whole: usize,
    ) -> bool {
        let len = ip.len().wrapping_add(head.len());
        if !self.answer.has_room(len.wrapping_add(kept)) {
            return false;
        }
        let place = ip.emit(&mut self.answer.head, head.len().wrapping_add(kept));
        if let Some(place) = place.first_chunk_mut() {
            *place = head;
        }
        let from = self.link_len(iface).wrapping_add(whole).wrapping_sub(kept);
        self.answer.len = len;
        self.answer.kept = (from, kept);
        true
    }
}

#[cfg(test)]
#[cfg(all(feature = "ethernet", feature = "ipv4", feature = "tcp"))]
mod tests;
