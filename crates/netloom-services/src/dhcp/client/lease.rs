//! What a server gave.

use core::fmt;
use core::net::Ipv4Addr;

use netloom_stack::driver::Instant;
use netloom_wire::dhcpv4::{ClasslessRoute, Dhcpv4View, code};
use netloom_wire::{Addr, Cidr};

use super::event::Span;
use crate::dhcp::fixed::{List, Text};
use crate::dhcp::{INFINITE, SECOND, is_host};

/// Routes of a lease that are kept.
pub const MAX_ROUTES: usize = 8;
/// Servers of each kind that are kept.
const MAX_SERVERS: usize = 4;
/// The smallest MTU believed: every host takes datagrams of that size (RFC 791). Less would only
/// make the network slow.
const MIN_MTU: u16 = 576;

/// An address, and what came with it. Lists keep the first entries, which are the best.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lease {
    /// The address with its prefix.
    pub address: Cidr,
    /// The server that gave it.
    pub server: Ipv4Addr,
    /// Seconds it was given for; [`INFINITE`] has no end; 0 if INFORM brought this.
    pub seconds: u32,
    /// When it was asked for: the lease counts from there.
    pub since: Instant,
    /// T1: when the client asks its server for more time.
    pub renew_at: Instant,
    /// T2: when it asks any server.
    pub rebind_at: Instant,
    /// When it ends.
    pub expires_at: Instant,
    /// Routes: those of option 121, or else the default routers as such.
    pub routes: List<ClasslessRoute, MAX_ROUTES>,
    /// DNS servers.
    pub dns: List<Ipv4Addr, MAX_SERVERS>,
    /// NTP servers.
    pub ntp: List<Ipv4Addr, MAX_SERVERS>,
    /// The domain names are looked up in; empty if none was told, or one that is no name.
    pub domain: Text<128>,
    /// The name the server gave this host; empty if none.
    pub hostname: Text<63>,
    /// The MTU of the interface; `None` if none was told, or less than 576.
    pub mtu: Option<u16>,
}

impl Lease {
    /// Reads an ACK. `None` if it gives no address that a host could use.
    pub(super) fn parse(
        view: &Dhcpv4View<'_>,
        server: Ipv4Addr,
        asked_at: Instant,
        random: u32,
    ) -> Option<Lease> {
        let seconds = view.option(code::LEASE_TIME)?.u32().filter(|n| *n > 0)?;
        let address = address(view, view.yiaddr())?;
        let mut lease = Lease::parameters(view, address, server, asked_at);
        lease.seconds = seconds;
        lease.set_times(view, random);
        Some(lease)
    }

    /// Reads the ACK to an INFORM of a host with this address.
    pub(super) fn informed(
        view: &Dhcpv4View<'_>,
        own: Ipv4Addr,
        server: Ipv4Addr,
        asked_at: Instant,
    ) -> Option<Lease> {
        let address = address(view, own)?;
        Some(Lease::parameters(view, address, server, asked_at))
    }

    fn parameters(view: &Dhcpv4View<'_>, address: Cidr, server: Ipv4Addr, since: Instant) -> Lease {
        let servers = |code| {
            let mut list = List::new(Ipv4Addr::UNSPECIFIED);
            let told = view.option(code).into_iter().flat_map(|o| o.addrs());
            list.extend(told.filter(|addr| is_host(*addr)));
            list
        };
        Lease {
            address,
            server,
            seconds: 0,
            since,
            renew_at: Instant::FAR_FUTURE,
            rebind_at: Instant::FAR_FUTURE,
            expires_at: Instant::FAR_FUTURE,
            routes: routes(view),
            dns: servers(code::DNS_SERVER),
            ntp: servers(code::NTP_SERVER),
            domain: view
                .option(code::DOMAIN_NAME)
                .and_then(Text::name)
                .unwrap_or(Text::EMPTY),
            hostname: view
                .option(code::HOST_NAME)
                .and_then(Text::name)
                .unwrap_or(Text::EMPTY),
            mtu: view
                .option(code::INTERFACE_MTU)
                .and_then(|option| option.u16())
                .filter(|mtu| *mtu >= MIN_MTU),
        }
    }

    /// T1, T2 and the end (RFC 2131 §4.4.5).
    fn set_times(&mut self, view: &Dhcpv4View<'_>, random: u32) {
        if self.seconds == INFINITE {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.1
        //# The client records the lease expiration time
        //# as the sum of the time at which the original request was sent and the
        //# duration of the lease from the DHCPACK message.
        let whole = u64::from(self.seconds).saturating_mul(SECOND);
        let told = |code| {
            let seconds = view.option(code)?.u32()?;
            Some(u64::from(seconds).saturating_mul(SECOND))
        };
        let rebind = told(code::REBINDING_TIME).filter(|t2| *t2 > 0 && *t2 < whole);
        let limit = rebind.unwrap_or(whole);
        let renew = told(code::RENEWAL_TIME).filter(|t1| *t1 > 0 && *t1 < limit);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
        //# T1 defaults to
        //# (0.5 * duration_of_lease).  T2 defaults to (0.875 *
        //# duration_of_lease).  Times T1 and T2 SHOULD be chosen with some
        //# random "fuzz" around a fixed value, to avoid synchronization of
        //# client reacquisition.
        let rebind = rebind.unwrap_or(whole.saturating_sub(whole >> 3));
        let half = whole >> 1;
        let default = if half < rebind { half } else { rebind >> 1 };
        let renew = renew.unwrap_or(default);
        // Up to a 64th of the lease, earlier rather than later; and up to a 32nd of T1, which may
        // be short beside the lease.
        let most = (whole >> 6).min(renew >> 5);
        let fuzz = (most * u64::from(random >> 16)) >> 16;
        let renew = renew.saturating_sub(fuzz);
        let rebind = rebind.saturating_sub(fuzz).max(renew);
        self.renew_at = self.since.plus_micros(renew);
        self.rebind_at = self.since.plus_micros(rebind);
        self.expires_at = self.since.plus_micros(whole);
    }

    /// The address alone.
    pub fn ip(&self) -> Ipv4Addr {
        v4(&self.address.addr)
    }

    /// Default routers, best first.
    pub fn routers(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let default = self.routes.iter().filter(|route| route.dst.prefix == 0);
        default.map(|route| route.router)
    }

    /// Whether it differs from another in more than its times.
    pub(super) fn differs_from(&self, other: &Lease) -> bool {
        let Lease {
            address,
            server: _,
            seconds: _,
            since: _,
            renew_at: _,
            rebind_at: _,
            expires_at: _,
            routes,
            dns,
            ntp,
            domain,
            hostname,
            mtu,
        } = self;
        *address != other.address
            || *routes != other.routes
            || *dns != other.dns
            || *ntp != other.ntp
            || *domain != other.domain
            || *hostname != other.hostname
            || *mtu != other.mtu
    }
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} from {} {}",
            self.address,
            self.server,
            Span(self.seconds)
        )
    }
}

/// An IPv4 address that is one for sure.
pub(super) fn v4(addr: &Addr) -> Ipv4Addr {
    addr.v4_octets()
        .map_or(Ipv4Addr::UNSPECIFIED, Ipv4Addr::from)
}

/// The address with the mask the server told, if a host can have it.
pub(super) fn address(view: &Dhcpv4View<'_>, addr: Ipv4Addr) -> Option<Cidr> {
    if !is_host(addr) {
        return None;
    }
    let prefix = match view.option(code::SUBNET_MASK) {
        Some(mask) => {
            let mask = u32::from(mask.addr()?);
            // Ones, then zeros; and a network of at least this one host.
            let prefix = mask.leading_ones();
            (mask.count_ones() == prefix && prefix > 0).then_some(prefix as u8)?
        }
        // As BOOTP clients do: the class of the address.
        None => match addr.octets() {
            [0..=127, ..] => 8,
            [128..=191, ..] => 16,
            [192..=255, ..] => 24,
        },
    };
    let cidr = Cidr::new(addr.into(), prefix)?;
    let edge = cidr.broadcast() == Some(cidr.addr) || (prefix < 31 && cidr.network() == cidr.addr);
    (!edge).then_some(cidr)
}

fn routes(view: &Dhcpv4View<'_>) -> List<ClasslessRoute, MAX_ROUTES> {
    let mut routes = List::new(ClasslessRoute {
        dst: Cidr {
            addr: Addr::V4_UNSPECIFIED,
            prefix: 0,
        },
        router: Ipv4Addr::UNSPECIFIED,
    });
    //= https://www.rfc-editor.org/rfc/rfc3442
    //# If the DHCP server returns both a Classless Static Routes option and
    //# a Router option, the DHCP client MUST ignore the Router option.
    //= https://www.rfc-editor.org/rfc/rfc3442
    //# Similarly, if the DHCP server returns both a Classless Static Routes
    //# option and a Static Routes option, the DHCP client MUST ignore the
    //# Static Routes option.
    if let Some(option) = view.option(code::CLASSLESS_ROUTES) {
        let known = option.classless_routes();
        routes.extend(known.filter(|r| r.router.is_unspecified() || is_host(r.router)));
        return routes;
    }
    let routers = view.option(code::ROUTER).into_iter();
    let routers = routers.flat_map(|option| option.addrs());
    routes.extend(
        routers
            .filter(|router| is_host(*router))
            .map(|router| ClasslessRoute {
                dst: Cidr {
                    addr: Addr::V4_UNSPECIFIED,
                    prefix: 0,
                },
                router,
            }),
    );
    routes
}
