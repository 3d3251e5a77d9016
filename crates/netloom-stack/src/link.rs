//! Frames in: Ethernet II or bare IP packets.

#[cfg(feature = "alloc")]
use core::cell::Cell;

use netloom_driver::RxMeta;
#[cfg(feature = "ethernet")]
use netloom_wire::{EtherType, EthernetView, MacAddr, WireError};

use crate::counters::{DropReason, Layer};
#[cfg(feature = "alloc")]
use crate::icmp::ReplyInPlace;
use crate::stack::Stack;

/// How a packet arrived: what the layers above the link need to know of it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) iface: u8,
    /// The link-layer destination was a group: whatever is inside must not be answered with a
    /// reset or an ICMP error (RFC 1122 §3.2.2, §4.2.3.10).
    pub(crate) link_group: bool,
    /// Where an echo reply is noted that can be made of the frame itself: `None` if it cannot.
    #[cfg(feature = "alloc")]
    pub(crate) echo: Option<&'a Cell<Option<ReplyInPlace>>>,
    /// The handler of flows, if the packet came to [`Flows`](crate::flow::Flows).
    #[cfg(feature = "flows")]
    pub(crate) flow: Option<&'a dyn crate::flow::FlowCalls>,
    pub(crate) meta: &'a RxMeta,
}

impl Arrival<'_> {
    /// Whether text may be handed to a handler from where it lies.
    #[cfg(all(
        feature = "alloc",
        feature = "tcp",
        feature = "ipv4",
        feature = "fast-retransmit",
        target_pointer_width = "64"
    ))]
    #[inline]
    pub(crate) fn has_flow_handler(&self) -> bool {
        #[cfg(feature = "flows")]
        return self.flow.is_some();
        #[cfg(not(feature = "flows"))]
        false
    }
}

impl Stack {
    /// Takes in a frame; returns once its packet went up, or why it was dropped.
    #[inline]
    pub(crate) fn link_input(
        &mut self,
        iface: u8,
        frame: &[u8],
        meta: &RxMeta,
        #[cfg(feature = "alloc")] echo: Option<&Cell<Option<ReplyInPlace>>>,
    ) -> Result<(), DropReason> {
        let interface = self.interface(iface).ok_or(DropReason::NoInterface)?;
        #[cfg(feature = "ethernet")]
        if interface.ethernet {
            let mac = interface.mac;
            return self.ethernet_input(
                iface,
                mac,
                frame,
                meta,
                #[cfg(feature = "alloc")]
                echo,
            );
        }
        let _ = interface;
        let arrival = Arrival {
            iface,
            link_group: false,
            #[cfg(feature = "alloc")]
            echo,
            #[cfg(feature = "flows")]
            flow: None,
            meta,
        };
        self.ip_input(&arrival, frame);
        Ok(())
    }

    #[cfg(feature = "ethernet")]
    #[inline]
    fn ethernet_input(
        &mut self,
        iface: u8,
        mac: MacAddr,
        frame: &[u8],
        meta: &RxMeta,
        #[cfg(feature = "alloc")] echo: Option<&Cell<Option<ReplyInPlace>>>,
    ) -> Result<(), DropReason> {
        let view = ethernet_view(frame).map_err(|_| DropReason::LinkTruncated)?;
        let dst = view.dst();
        let link_group = dst.is_multicast();
        if !link_group && dst != mac {
            return Err(DropReason::NotForUs);
        }
        if view.src().is_multicast() {
            return Err(DropReason::BadLinkSource);
        }
        // Priority tags (VLAN id 0) are as good as none; other VLANs are interfaces of their
        // own, which this one is not.
        let vlan = if cfg!(feature = "vlan") {
            view.vlan()
        } else {
            None
        };
        if vlan.is_some_and(|tag| tag.id != 0) {
            return Err(DropReason::UnknownVlan);
        }
        #[cfg(not(feature = "alloc"))]
        {
            self.answer.to = view.src();
            #[cfg(feature = "vlan")]
            if vlan.is_some() {
                self.give_up_answer();
            }
        }
        let arrival = Arrival {
            iface,
            link_group,
            // An answer is sent without a tag.
            #[cfg(feature = "alloc")]
            echo: echo.filter(|_| vlan.is_none()),
            #[cfg(feature = "flows")]
            flow: None,
            meta,
        };
        match view.ethertype() {
            #[cfg(feature = "ipv4")]
            EtherType::IPV4 => self.ip_input(&arrival, view.payload()),
            #[cfg(feature = "ipv6")]
            EtherType::IPV6 => self.ip_input(&arrival, view.payload()),
            #[cfg(feature = "ipv4")]
            EtherType::ARP => {
                self.counters.receive(Layer::Arp);
                match self.arp_input(iface, mac, view.payload()) {
                    Ok(()) => self.counters.deliver(Layer::Arp),
                    Err(reason) => self.counters.discard(reason),
                }
            }
            _ => return Err(DropReason::UnknownEthertype),
        }
        Ok(())
    }
}

/// What an Ethernet frame says.
#[cfg(feature = "ethernet")]
#[inline]
pub(crate) fn ethernet_view(frame: &[u8]) -> Result<EthernetView<'_>, WireError> {
    if cfg!(feature = "vlan") {
        EthernetView::new(frame)
    } else {
        EthernetView::untagged(frame)
    }
}
