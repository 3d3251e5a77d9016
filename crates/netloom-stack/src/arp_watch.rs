//! Addresses somebody may claim: what ARP says of those a program watches (RFC 5227).
//!
//! The stack asks and announces ([`Stack::arp_probe`], [`Stack::arp_announce`]), and hears. When to
//! do what, and what a claim means, is for whoever configures the address to know.

use netloom_wire::{Addr, ArpOperation, ArpView, MacAddr};

use crate::error::Error;
use crate::event::{Event, IfaceId};
use crate::memory::Mem;
use crate::stack::Stack;

/// What another station said of a watched address: see [`Stack::arp_claim_heard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpClaim {
    /// The station.
    pub mac: MacAddr,
    /// It only asks whether anybody has the address, and means to take it if not.
    pub probe: bool,
}

/// A watched address, and what was heard of it.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    in_use: bool,
    iface: u8,
    heard: bool,
    probe: bool,
    /// A host has answered an echo request.
    answered: bool,
    /// Something was heard that no event has told of.
    news: bool,
    mac: MacAddr,
    addr: Addr,
    /// Identifier and sequence number of the echo requests; 0: there were none.
    token: u32,
}

impl Watch {
    /// An unused entry; all-zero bytes.
    pub(crate) const EMPTY: Watch = Watch {
        in_use: false,
        iface: 0,
        heard: false,
        probe: false,
        answered: false,
        news: false,
        mac: MacAddr([0; 6]),
        addr: Addr::UNSPECIFIED,
        token: 0,
    };

    fn is(&self, iface: u8, addr: &Addr) -> bool {
        self.in_use && self.iface == iface && self.addr == *addr
    }
}

/// The addresses watched.
pub(crate) struct Watches {
    entries: Mem<Watch>,
    /// How many are in use: while there are none, nothing is looked at.
    in_use: u16,
    /// One of the entries may have news: while none has, nothing is looked at.
    news: bool,
}

impl Watches {
    pub(crate) const fn lent(entries: &'static mut [Watch]) -> Watches {
        Watches {
            entries: Mem::Lent(entries),
            in_use: 0,
            news: false,
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn heap(capacity: usize) -> Watches {
        Watches {
            entries: Mem::Heap(alloc::vec![Watch::EMPTY; capacity].into_boxed_slice()),
            in_use: 0,
            news: false,
        }
    }

    fn find(&mut self, iface: u8, addr: &Addr) -> Option<&mut Watch> {
        self.entries.iter_mut().find(|watch| watch.is(iface, addr))
    }

    /// The entry of an address, a new one if there is none.
    fn entry(&mut self, iface: u8, addr: &Addr) -> Result<&mut Watch, Error> {
        let known = self.entries.iter().position(|w| w.is(iface, addr));
        let place = known.or_else(|| self.entries.iter().position(|w| !w.in_use));
        let place = place.and_then(|place| self.entries.get_mut(place));
        let watch = place.ok_or(Error::CapacityExhausted)?;
        if known.is_none() {
            *watch = Watch {
                in_use: true,
                iface,
                addr: *addr,
                ..Watch::EMPTY
            };
            self.in_use = self.in_use.saturating_add(1);
        }
        Ok(watch)
    }

    /// Watches an address an echo request is sent to; returns what the request carries, which is
    /// `fresh` for the first.
    pub(crate) fn probe(&mut self, iface: u8, addr: &Addr, fresh: u32) -> Result<u32, Error> {
        let watch = self.entry(iface, addr)?;
        if watch.token == 0 {
            watch.token = fresh;
        }
        Ok(watch.token)
    }

    /// An echo reply came; says whether it answers a request of ours.
    pub(crate) fn answered(&mut self, from: &Addr, token: u32) -> bool {
        let mut entries = self.entries.iter_mut();
        let asked = |w: &&mut Watch| w.in_use && w.addr == *from && w.token == token;
        let Some(watch) = entries.find(asked).filter(|_| token != 0) else {
            return false;
        };
        watch.answered = true;
        watch.news = true;
        self.news = true;
        true
    }

    /// Takes whether a host has answered.
    pub(crate) fn take_answer(&mut self, iface: u8, addr: &Addr) -> bool {
        let watch = self.find(iface, addr);
        watch.is_some_and(|watch| core::mem::take(&mut watch.answered))
    }
}

impl Stack {
    /// Has the stack remember what ARP says of an address, whether it is this stack's or not.
    /// Watching it again changes nothing.
    ///
    /// # Errors
    /// [`Error::NoSuchInterface`] if it is not an Ethernet interface; [`Error::InvalidArgument`]
    /// if the address is not an IPv4 unicast address; [`Error::CapacityExhausted`]: four at once
    /// on lent memory, 64 on the heap.
    pub fn arp_watch(&mut self, iface: IfaceId, addr: impl Into<Addr>) -> Result<(), Error> {
        let addr = addr.into();
        if !addr.is_v4() || !addr.is_unicast() {
            return Err(Error::InvalidArgument);
        }
        self.interface(iface.0)
            .filter(|interface| interface.ethernet)
            .ok_or(Error::NoSuchInterface)?;
        self.arp_watches.entry(iface.0, &addr).map(|_| ())
    }

    /// Forgets an address and what was heard of it.
    pub fn arp_unwatch(&mut self, iface: IfaceId, addr: impl Into<Addr>) {
        if let Some(watch) = self.arp_watches.find(iface.0, &addr.into()) {
            *watch = Watch::EMPTY;
            self.arp_watches.in_use = self.arp_watches.in_use.saturating_sub(1);
        }
    }

    /// Takes what was last heard of a watched address from another station:
    ///
    /// * it uses the address: an ARP packet of whatever kind came from it (RFC 5227 §2.1.1, §2.4);
    /// * it asks for the address without claiming it, as one does who is about to take it
    ///   (§2.1.1).
    ///
    /// The first is not overwritten by the second. [`Event::AddressClaimed`] tells that there is
    /// something to take.
    pub fn arp_claim_heard(&mut self, iface: IfaceId, addr: impl Into<Addr>) -> Option<ArpClaim> {
        let watch = self.arp_watches.find(iface.0, &addr.into())?;
        if !core::mem::take(&mut watch.heard) {
            return None;
        }
        Some(ArpClaim {
            mac: watch.mac,
            probe: watch.probe,
        })
    }

    /// Looks whether a packet of another station claims a watched address.
    pub(crate) fn hear_claim(&mut self, iface: u8, view: &ArpView<'_>) {
        if self.arp_watches.in_use == 0 {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
        //# If during this period, from the beginning of the probing process
        //# until ANNOUNCE_WAIT seconds after the last probe packet is sent, the
        //# host receives any ARP packet (Request *or* Reply) on the interface
        //# where the probe is being performed, where the packet's 'sender IP
        //# address' is the address being probed for, then the host MUST treat
        //# this address as being in use by some other host, and should indicate
        //# to the configuring agent (human operator, DHCP server, etc.) that the
        //# proposed address is not acceptable.
        let sender = view.sender_ip();
        let probe = sender.is_unspecified();
        //= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
        //# In addition, if during this period the host receives any ARP Probe
        //# where the packet's 'target IP address' is the address being probed
        //# for, and the packet's 'sender hardware address' is not the hardware
        //# address of any of the host's interfaces, then the host SHOULD
        //# similarly treat this as an address conflict and signal an error to
        //# the configuring agent as above.
        if probe && view.operation() != ArpOperation::Request {
            return;
        }
        let addr = if probe { view.target_ip() } else { sender };
        let Some(watch) = self.arp_watches.find(iface, &addr) else {
            return;
        };
        if watch.heard && !watch.probe && probe {
            return;
        }
        watch.heard = true;
        watch.probe = probe;
        watch.mac = view.sender_mac();
        watch.news = true;
        self.arp_watches.news = true;
    }

    /// The next watched address with something heard that no event has told of.
    #[cfg(feature = "events")]
    pub(crate) fn claim_event(&mut self) -> Option<Event> {
        if !self.arp_watches.news {
            return None;
        }
        let mut entries = self.arp_watches.entries.iter_mut();
        // What was taken meanwhile is no news any more.
        let Some(watch) = entries.find(|w| w.news && (w.heard || w.answered)) else {
            self.arp_watches.news = false;
            return None;
        };
        watch.news = false;
        Some(Event::AddressClaimed(IfaceId(watch.iface), watch.addr))
    }
}
