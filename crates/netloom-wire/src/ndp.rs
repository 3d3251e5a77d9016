//! Neighbor Discovery messages (RFC 4861 §4): the fixed parts, and the checks every receiver
//! makes. Their options are in [`ndp_options`](crate::ndp_options).

use crate::addr::Addr;
use crate::bytes::{Fields, Writer};
use crate::checksum::Sum;
use crate::icmpv6::{Icmpv6View, kind};
use crate::ndp_options::{NdpOption, NdpOptions};
use crate::{WireError, protocol};

/// The hop limit every Neighbor Discovery packet is sent and received with: nobody off the link
/// can forge it.
pub const HOP_LIMIT: u8 = 255;

/// A Neighbor Discovery message without its options.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum NdpMessage {
    /// Asks routers to advertise at once (§4.1).
    RouterSolicitation,
    /// What a router tells its link (§4.2).
    RouterAdvertisement(RouterAdvertisement),
    /// Who has the target address (§4.3)?
    NeighborSolicitation {
        /// The address in question.
        target: Addr,
    },
    /// The sender has the target address (§4.4).
    NeighborAdvertisement {
        /// R: the sender is a router.
        router: bool,
        /// S: this answers a solicitation.
        solicited: bool,
        /// O: replace a cached link-layer address.
        override_cached: bool,
        /// The address in question.
        target: Addr,
    },
    /// A better first hop for one destination (§4.5).
    Redirect {
        /// The better first hop, or the destination itself if it is on the link.
        target: Addr,
        /// The destination.
        destination: Addr,
    },
}

/// The fixed part of a router advertisement. Zero means "unspecified by this router", but for
/// the lifetime.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouterAdvertisement {
    /// Hop limit for packets sent.
    pub hop_limit: u8,
    /// M: addresses come from DHCPv6.
    pub managed: bool,
    /// O: other configuration comes from DHCPv6.
    pub other_config: bool,
    /// The other bits of the flag byte: preference (RFC 4191) and reserved ones.
    pub more_flags: u8,
    /// Seconds the router serves as a default router; 0 if it does not.
    pub router_lifetime: u16,
    /// Milliseconds a neighbour counts as reachable after a confirmation.
    pub reachable_time: u32,
    /// Milliseconds between solicitations.
    pub retrans_timer: u32,
}

const MANAGED: u8 = 0x80;
const OTHER_CONFIG: u8 = 0x40;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

impl NdpMessage {
    /// The ICMPv6 type.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::RouterSolicitation => kind::ROUTER_SOLICITATION,
            Self::RouterAdvertisement(_) => kind::ROUTER_ADVERTISEMENT,
            Self::NeighborSolicitation { .. } => kind::NEIGHBOR_SOLICITATION,
            Self::NeighborAdvertisement { .. } => kind::NEIGHBOR_ADVERTISEMENT,
            Self::Redirect { .. } => kind::REDIRECT,
        }
    }

    /// Bytes before the options, the ICMPv6 header included.
    #[must_use]
    pub const fn fixed_len(&self) -> usize {
        match self {
            Self::RouterSolicitation => 8,
            Self::RouterAdvertisement(_) => 16,
            Self::NeighborSolicitation { .. } | Self::NeighborAdvertisement { .. } => 24,
            Self::Redirect { .. } => 40,
        }
    }

    /// Bytes of the message with these options.
    #[must_use]
    pub fn len_with(&self, options: &[NdpOption<'_>]) -> usize {
        self.fixed_len() + options.iter().map(NdpOption::len).sum::<usize>()
    }

    /// Writes the ICMPv6 message, its checksum included; returns what follows it.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall);
    /// [`BadOption`](WireError::BadOption) if an option is longer than 2040 bytes.
    pub fn emit<'b>(
        &self,
        options: &[NdpOption<'_>],
        src: &Addr,
        dst: &Addr,
        buf: &'b mut [u8],
    ) -> Result<&'b mut [u8], WireError> {
        let len = self.len_with(options);
        let (message, rest) = buf
            .split_at_mut_checked(len)
            .ok_or(WireError::BufferTooSmall)?;
        let mut out = Writer::new(message);
        out.put(&[self.kind(), 0, 0, 0]);
        match *self {
            Self::RouterSolicitation => out.put_u32(0),
            Self::RouterAdvertisement(RouterAdvertisement {
                hop_limit,
                managed,
                other_config,
                more_flags,
                router_lifetime,
                reachable_time,
                retrans_timer,
            }) => {
                let flags = flag(managed, MANAGED)
                    | flag(other_config, OTHER_CONFIG)
                    | more_flags & !(MANAGED | OTHER_CONFIG);
                out.put(&[hop_limit, flags]);
                out.put_u16(router_lifetime);
                out.put_u32(reachable_time);
                out.put_u32(retrans_timer);
            }
            Self::NeighborSolicitation { target } => {
                out.put_u32(0);
                out.put(&target.octets16());
            }
            Self::NeighborAdvertisement {
                router,
                solicited,
                override_cached,
                target,
            } => {
                let flags = flag(router, ROUTER)
                    | flag(solicited, SOLICITED)
                    | flag(override_cached, OVERRIDE);
                out.put(&[flags, 0, 0, 0]);
                out.put(&target.octets16());
            }
            Self::Redirect {
                target,
                destination,
            } => {
                out.put_u32(0);
                out.put(&target.octets16());
                out.put(&destination.octets16());
            }
        }
        for option in options {
            option.write(&mut out)?;
        }
        out.finish()?;
        let sum = crate::checksum::pseudo_header(src, dst, protocol::ICMPV6, len as u32);
        let checksum = Sum::combine(sum, Sum::new().add(message)).finish();
        if let Some(header) = message.first_chunk_mut::<8>() {
            header.put_u16::<2>(checksum);
        }
        Ok(rest)
    }
}

#[cfg(feature = "alloc")]
impl NdpMessage {
    /// The ICMPv6 message in a `Vec` of its own, its checksum included.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption) if an option is longer than 2040 bytes.
    pub fn to_vec(
        &self,
        options: &[NdpOption<'_>],
        src: &Addr,
        dst: &Addr,
    ) -> Result<alloc::vec::Vec<u8>, WireError> {
        let mut message = alloc::vec![0; self.len_with(options)];
        self.emit(options, src, dst, &mut message)?;
        Ok(message)
    }
}

const fn flag(set: bool, bit: u8) -> u8 {
    if set { bit } else { 0 }
}

/// A Neighbor Discovery message whose length, code and options are sound.
#[derive(Copy, Clone, Debug)]
pub struct NdpView<'a> {
    message: NdpMessage,
    options: &'a [u8],
}

impl<'a> NdpView<'a> {
    /// Checks what the message alone tells: type, code, length and the lengths of its options.
    /// The checksum is [`Icmpv6View::checksum_valid`]'s, the addresses are [`check`](Self::check)'s.
    ///
    /// # Errors
    /// [`BadProtocol`](WireError::BadProtocol) if it is no Neighbor Discovery message,
    /// [`BadCode`](WireError::BadCode), [`Truncated`](WireError::Truncated),
    /// [`BadOption`](WireError::BadOption).
    pub fn new(icmp: &Icmpv6View<'a>) -> Result<Self, WireError> {
        let (message, options) = Self::split(icmp)?;
        if icmp.code() != 0 {
            return Err(WireError::BadCode);
        }
        //= https://www.rfc-editor.org/rfc/rfc4861#section-4.6
        //# The value 0 is invalid.  Nodes MUST
        //# silently discard an ND packet that contains an
        //# option with length zero.
        for option in NdpOptions::new(options) {
            option?;
        }
        Ok(Self { message, options })
    }

    /// The fixed part, and the bytes after it.
    fn split(icmp: &Icmpv6View<'a>) -> Result<(NdpMessage, &'a [u8]), WireError> {
        fn fixed<const N: usize>(body: &[u8]) -> Result<(&[u8; N], &[u8]), WireError> {
            body.split_first_chunk().ok_or(WireError::Truncated)
        }
        let header = &icmp.rest_of_header();
        let flags = header.u8_at::<0>();
        Ok(match icmp.kind() {
            kind::ROUTER_SOLICITATION => (NdpMessage::RouterSolicitation, icmp.body()),
            kind::ROUTER_ADVERTISEMENT => {
                let (body, options) = fixed::<8>(icmp.body())?;
                let flags = header.u8_at::<1>();
                let message = RouterAdvertisement {
                    hop_limit: header.u8_at::<0>(),
                    managed: flags & MANAGED != 0,
                    other_config: flags & OTHER_CONFIG != 0,
                    more_flags: flags & !(MANAGED | OTHER_CONFIG),
                    router_lifetime: header.u16_at::<2>(),
                    reachable_time: body.u32_at::<0>(),
                    retrans_timer: body.u32_at::<4>(),
                };
                (NdpMessage::RouterAdvertisement(message), options)
            }
            kind::NEIGHBOR_SOLICITATION => {
                let (target, options) = fixed(icmp.body())?;
                (
                    NdpMessage::NeighborSolicitation {
                        target: Addr::v6(*target),
                    },
                    options,
                )
            }
            kind::NEIGHBOR_ADVERTISEMENT => {
                let (target, options) = fixed(icmp.body())?;
                let message = NdpMessage::NeighborAdvertisement {
                    router: flags & ROUTER != 0,
                    solicited: flags & SOLICITED != 0,
                    override_cached: flags & OVERRIDE != 0,
                    target: Addr::v6(*target),
                };
                (message, options)
            }
            kind::REDIRECT => {
                let (body, options) = fixed::<32>(icmp.body())?;
                let message = NdpMessage::Redirect {
                    target: Addr::v6(*body.array_at::<0, 16>()),
                    destination: Addr::v6(*body.array_at::<16, 16>()),
                };
                (message, options)
            }
            _ => return Err(WireError::BadProtocol),
        })
    }

    /// The validity checks of RFC 4861 §6.1, §7.1 and §8.1 that need the IP header, but for the
    /// one that needs the routing table (a redirect's sender is the current first hop).
    ///
    /// # Errors
    /// [`BadHopLimit`](WireError::BadHopLimit), [`BadAddress`](WireError::BadAddress),
    /// [`BadOption`](WireError::BadOption) for a source link-layer address that must not be there,
    /// [`BadCode`](WireError::BadCode) for a solicited flag that must not be set.
    pub fn check(&self, src: &Addr, dst: &Addr, hop_limit: u8) -> Result<(), WireError> {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
        //# - The IP Hop Limit field has a value of 255, i.e., the packet
        //# could not possibly have been forwarded by a router.
        if hop_limit != HOP_LIMIT {
            return Err(WireError::BadHopLimit);
        }
        match self.message {
            NdpMessage::RouterSolicitation => self.check_source_option(src),
            //= https://www.rfc-editor.org/rfc/rfc4861#section-6.1.2
            //# - IP Source Address is a link-local address.
            NdpMessage::RouterAdvertisement(_) => address(src.is_link_local()),
            NdpMessage::NeighborSolicitation { target } => {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
                //# - Target Address is not a multicast address.
                address(is_target(&target))?;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
                //# - If the IP source address is the unspecified address, the IP
                //# destination address is a solicited-node multicast address.
                address(!src.is_unspecified() || dst.is_solicited_node())?;
                self.check_source_option(src)
            }
            NdpMessage::NeighborAdvertisement {
                solicited, target, ..
            } => {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.2
                //# - Target Address is not a multicast address.
                address(is_target(&target))?;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.2
                //# - If the IP Destination Address is a multicast address the
                //# Solicited flag is zero.
                if solicited && dst.is_multicast() {
                    return Err(WireError::BadCode);
                }
                Ok(())
            }
            NdpMessage::Redirect {
                target,
                destination,
            } => {
                //= https://www.rfc-editor.org/rfc/rfc4861#section-8.1
                //# - IP Source Address is a link-local address.
                address(src.is_link_local())?;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-8.1
                //# - The ICMP Destination Address field in the redirect message does
                //# not contain a multicast address.
                address(is_target(&destination))?;
                //= https://www.rfc-editor.org/rfc/rfc4861#section-8.1
                //# - The ICMP Target Address is either a link-local address (when
                //# redirected to a router) or the same as the ICMP Destination
                //# Address (when redirected to the on-link destination).
                address(target == destination || target.is_v6() && target.is_link_local())
            }
        }
    }

    fn check_source_option(&self, src: &Addr) -> Result<(), WireError> {
        //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
        //# - If the IP source address is the unspecified address, there is no
        //# source link-layer address option in the message.
        let has_option = self
            .options()
            .any(|option| matches!(option, Ok(NdpOption::SourceLinkLayerAddress(_))));
        if src.is_unspecified() && has_option {
            Err(WireError::BadOption)
        } else {
            Ok(())
        }
    }

    /// The fixed part.
    #[inline]
    #[must_use]
    pub const fn message(&self) -> NdpMessage {
        self.message
    }

    /// The options, one by one; [`new`](Self::new) saw that none is an error.
    #[inline]
    #[must_use]
    pub const fn options(&self) -> NdpOptions<'a> {
        NdpOptions::new(self.options)
    }
}

/// An address that can be asked for: IPv6 (mapped ones do not belong on the wire) and unicast.
fn is_target(addr: &Addr) -> bool {
    addr.is_v6() && !addr.is_multicast()
}

fn address(good: bool) -> Result<(), WireError> {
    if good {
        Ok(())
    } else {
        Err(WireError::BadAddress)
    }
}

#[cfg(test)]
mod tests;
