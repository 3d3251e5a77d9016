//! Packets as they are on the wire, built and read here and not by the stack's own code: an error
//! there would cancel out.

mod build;
mod checksum;
pub(crate) mod options;
mod read;

use std::net::IpAddr;

use super::ast::{Gre, MplsLabel, TcpOption};

pub(crate) use build::build;
pub(crate) use read::{read, read_quoted};

/// Numbers of protocols.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6: u8 = 41;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const ICMPV6: u8 = 58;
}

/// EtherTypes in a GRE header.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const MPLS: u16 = 0x8847;
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Headers around it, outermost first.
    pub(crate) outer: Vec<Outer>,
    pub(crate) ip: Ip,
    pub(crate) body: Body,
}

/// A header around a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outer {
    Ip(Ip),
    Gre(Gre),
    Mpls(Vec<MplsLabel>),
}

/// An IP header, of the version of its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ip {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) flow_label: u32,
    /// Whether IPv4's don't-fragment bit is set.
    pub(crate) dont_fragment: bool,
}

impl Ip {
    pub(crate) fn is_v6(&self) -> bool {
        self.src.is_ipv6()
    }
}

/// What an IP packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    Other { protocol: u8, data: Vec<u8> },
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tcp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    /// The flags with AE as 0x100.
    pub(crate) flags: u16,
    pub(crate) window: u16,
    pub(crate) urgent: u16,
    pub(crate) options: Vec<TcpOption>,
    pub(crate) data: Vec<u8>,
}

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Udp {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) data: Vec<u8>,
}

/// An ICMP message of either version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Icmp {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// The four bytes after the checksum.
    pub(crate) rest: [u8; 4],
    pub(crate) data: Vec<u8>,
}

/// The beginning of a packet that an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QuotedPacket {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// TCP's sequence number; 0 for others.
    pub(crate) seq: u32,
}
