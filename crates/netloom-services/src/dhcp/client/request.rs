//! What a program asks of a client.

use core::net::Ipv4Addr;
use core::time::Duration;

use netloom_wire::{Cidr, MacAddr};

use crate::dhcp::acd::ConflictCheck;
use crate::dhcp::fixed::Text;
use crate::dhcp::identity::ClientId;

/// What to ask servers for, and how. The default asks for any address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "RequestConfig")]
pub struct Request<'a> {
    /// An address that would be welcome: servers may give it or another.
    #[doc(alias = "RequestedAddr")]
    pub requested_address: Option<Ipv4Addr>,
    /// An address this client had before, in a lease that has not ended: asked for at once
    /// (INIT-REBOOT), without a look at other offers. If nobody answers within 12 seconds, or a server
    /// refuses, the client looks for servers.
    pub remembered_address: Option<Ipv4Addr>,
    /// Seconds the lease should last; the server decides.
    pub lease_time: Option<u32>,
    /// The transaction id of the first exchange; else it is random, as those that follow are.
    #[doc(alias = "Xid")]
    pub xid: Option<u32>,
    /// The host's name, for servers that tell DNS; at most 63 bytes, else it is left out.
    #[doc(alias = "Hostname")]
    pub hostname: &'a str,
    /// The host's full name (RFC 4702); at most 128 bytes. With it the host name is not sent
    /// (RFC 4702 §3.1).
    pub fqdn: &'a str,
    /// What kind of client it is, at most 32 bytes (RFC 2132 §9.13).
    pub vendor_class: &'a str,
    /// Who the client is; `None`: [`ClientId::duid`] of its MAC.
    pub client_id: Option<ClientId>,
    /// Which of several offers is taken.
    pub offers: OfferPolicy,
    /// How an address is checked before it is used.
    pub conflict_check: ConflictCheck,
    /// What to do for want of a lease.
    pub fallback: Fallback,
    /// When to do that, counted from the beginning and from the loss of a lease. The client goes on
    /// asking all the while.
    pub fallback_after: Duration,
    /// Asks servers to broadcast their replies, for networks that lose those to an address nobody
    /// answers for yet.
    pub broadcast: bool,
    /// Waits for a random time up to this before it begins: for many hosts that start together
    /// (RFC 2131 §4.4.1 has up to ten seconds).
    pub start_delay: Duration,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Request {
            requested_address: None,
            remembered_address: None,
            lease_time: None,
            xid: None,
            hostname: "",
            fqdn: "",
            vendor_class: "",
            client_id: None,
            offers: OfferPolicy::First,
            conflict_check: ConflictCheck::Full,
            fallback: Fallback::None,
            // As long as three DISCOVERs wait for an answer: 4, 8 and 16 seconds.
            fallback_after: Duration::from_secs(28),
            broadcast: false,
            start_delay: Duration::ZERO,
        }
    }
}

/// Which of several offers is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OfferPolicy {
    /// The first that can be used.
    #[default]
    First,
    /// The best of those that come within this time after the first: that of the address asked
    /// for, else that of the longest lease, else the first.
    BestWithin(Duration),
}

/// What to do for want of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fallback {
    /// Nothing.
    #[default]
    None,
    /// Take a link-local address (RFC 3927), until there is a lease.
    LinkLocal,
    /// Take this address and router, until there is a lease.
    Static(Cidr, Option<Ipv4Addr>),
}

/// A request, kept.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) lease_time: Option<u32>,
    pub(super) hostname: Text<63>,
    pub(super) fqdn: Text<128>,
    pub(super) vendor_class: Text<32>,
    pub(super) client_id: ClientId,
    pub(super) offers: OfferPolicy,
    pub(super) conflict_check: ConflictCheck,
    pub(super) fallback: Fallback,
    pub(super) fallback_after: Duration,
    pub(super) broadcast: bool,
    pub(super) start_delay: Duration,
}

impl Settings {
    pub(super) fn new(request: &Request<'_>, mac: MacAddr) -> Settings {
        let Request {
            // These are of one exchange, not of the client.
            requested_address: _,
            remembered_address: _,
            xid: _,
            lease_time,
            hostname,
            fqdn,
            vendor_class,
            client_id,
            offers,
            conflict_check,
            fallback,
            fallback_after,
            broadcast,
            start_delay,
        } = *request;
        Settings {
            lease_time,
            hostname: Text::new(hostname).unwrap_or(Text::EMPTY),
            fqdn: Text::new(fqdn).unwrap_or(Text::EMPTY),
            vendor_class: Text::new(vendor_class).unwrap_or(Text::EMPTY),
            client_id: client_id.unwrap_or(ClientId::duid(mac)),
            offers,
            conflict_check,
            fallback,
            fallback_after,
            broadcast,
            start_delay,
        }
    }
}
