//! `netloom dhcp`: an address from a DHCP server, and what came with it.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use netloom::Net;
use netloom::dhcp::{ClientCounters, ConflictCheck, Event, Fallback, INFINITE, Lease, OfferPolicy};
use netloom::net::Dhcp;

use crate::device::{self, DeviceArgs, Watch, WatchArgs};
use crate::failure::Failure;
use crate::signals::Interrupts;
use crate::size::parse_seconds;

/// How long to sleep at most before looking whether somebody wants an end.
const ATTENTION: Duration = Duration::from_millis(100);
/// No server answers, and the address in use is of netloom's own choice.
const FALLBACK: u8 = 4;

/// What came first.
enum First {
    Lease,
    Fallback,
}

/// Get an address from a DHCP server, and show what came with it.
///
/// It needs an Ethernet device: --tap or --interface. The lease stays with the server when the
/// program ends, unless it is given back with --release.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo netloom dhcp --interface veth1
  sudo netloom dhcp --tap --hostname loom --hold         renews it until interrupted
  sudo netloom dhcp --interface veth1 --remembered 192.0.2.7 --quick
  sudo netloom dhcp --interface veth1 --link-local --timeout 60

Exit codes: 0 an address was given; 1 the device or the capture failed; 2 a command line that makes no sense;
3 no server gave one in time, or before it was interrupted; 4 with --link-local: none, and the link-local address is in use.")]
pub struct DhcpArgs {
    /// An address that would be welcome
    #[arg(long, value_name = "ADDR")]
    request: Option<Ipv4Addr>,

    /// An address it had before, asked for without a look at other offers
    #[arg(long, value_name = "ADDR")]
    remembered: Option<Ipv4Addr>,

    /// How long the lease should last; the server decides
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    lease_time: Option<u32>,

    /// The name servers are told
    #[arg(long, value_name = "NAME", default_value = "")]
    hostname: String,

    /// The full name servers are told, in place of the host name
    #[arg(long, value_name = "NAME", default_value = "")]
    fqdn: String,

    /// Take the best of the offers that come in this time, not the first
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    collect: Option<Duration>,

    /// Look for another user of the address for half a second, not several (RFC 5227)
    #[arg(long)]
    quick: bool,

    /// Ask servers to broadcast their replies
    #[arg(long)]
    broadcast: bool,

    /// Take a link-local address (RFC 3927) for want of a lease, after 28 seconds
    #[arg(long)]
    link_local: bool,

    /// How long to wait for an address
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    timeout: Duration,

    /// Keep the address, and tell what changes, until interrupted
    #[arg(long)]
    hold: bool,

    /// Give the address back in the end
    #[arg(long)]
    release: bool,

    /// Say at the end what became of messages
    #[arg(long)]
    stats: bool,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

impl DhcpArgs {
    /// Gets an address.
    ///
    /// # Errors
    ///
    /// There is none, or the device cannot be made.
    pub fn run(&self) -> Result<(), Failure> {
        // Before there are threads: they inherit what is held back.
        let interrupts = Interrupts::hold()
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        let watch = self.watch.open()?;
        let capture = watch.capture();
        capture.end(self.lease_on_device(watch, &interrupts))
    }

    fn lease_on_device(&self, watch: Watch, interrupts: &Interrupts) -> Result<(), Failure> {
        let net = self
            .device
            .for_dhcp()
            .start_with(watch, "", |builder| builder.dhcp_with(self.wishes()))?
            .ok_or_else(|| {
                Failure::usage("dhcp needs an Ethernet device: add --tap or --interface")
            })?;
        let done = self.lease_from(&net, interrupts);
        if let Some(counters) = net.dhcp_counters().filter(|_| self.stats) {
            say(&summary(&counters));
        }
        done
    }

    /// Gets an address, and does with it what the options say.
    fn lease_from(&self, net: &Net, interrupts: &Interrupts) -> Result<(), Failure> {
        let failed = |error: io::Error| {
            if device::is_fault(&error) {
                Failure::new(format!("the device failed: {error}"))
            } else {
                Failure::new(error.to_string())
            }
        };
        let leased = match self.first_address(net, interrupts)? {
            Some(First::Lease) => true,
            Some(First::Fallback) => false,
            None => {
                let what = "interrupted before there was an address";
                return Err(Failure::new(what).with_exit_code(device::NO_LEASE));
            }
        };
        while self.hold && !interrupts.has_come() {
            self.tell(net, ATTENTION).map_err(failed)?;
        }
        if self.release && net.dhcp_lease().is_some() {
            net.dhcp_release().map_err(failed)?;
            say("given back");
        }
        if !leased && !self.hold {
            let what = "no DHCP server answers: the address is of netloom's own choice";
            return Err(Failure::new(what).with_exit_code(FALLBACK));
        }
        Ok(())
    }

    /// Waits for the first address, and tells of everything on the way to it. `None` if it is
    /// interrupted before.
    fn first_address(&self, net: &Net, interrupts: &Interrupts) -> Result<Option<First>, Failure> {
        let deadline = Instant::now() + self.timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = net.dhcp_event(left.min(ATTENTION));
            match event.map_err(|error| Failure::new(error.to_string()))? {
                Some(Event::Acquired { .. }) => {
                    if let Some(lease) = net.dhcp_lease() {
                        show(&lease);
                    }
                    return Ok(Some(First::Lease));
                }
                Some(event) => {
                    say(&event.to_string());
                    if let Event::FallbackInUse(_) = event {
                        return Ok(Some(First::Fallback));
                    }
                }
                None if interrupts.has_come() => return Ok(None),
                None if left.is_zero() => {
                    let what = format!("no DHCP server gave an address in {:?}", self.timeout);
                    return Err(Failure::new(what).with_exit_code(device::NO_LEASE));
                }
                None => {}
            }
        }
    }

    fn wishes(&self) -> Dhcp {
        Dhcp {
            timeout: Duration::ZERO,
            requested_address: self.request,
            remembered_address: self.remembered,
            lease_time: self.lease_time,
            hostname: self.hostname.clone(),
            fqdn: self.fqdn.clone(),
            vendor_class: "netloom".to_owned(),
            offers: self
                .collect
                .map_or(OfferPolicy::First, OfferPolicy::BestWithin),
            conflict_check: if self.quick {
                ConflictCheck::Quick
            } else {
                ConflictCheck::Full
            },
            fallback: if self.link_local {
                Fallback::LinkLocal
            } else {
                Fallback::None
            },
            broadcast: self.broadcast,
            ..Dhcp::default()
        }
    }

    /// Tells what has changed, waiting for it as long as `timeout`.
    fn tell(&self, net: &Net, timeout: Duration) -> io::Result<()> {
        let mut wait = timeout;
        while let Some(event) = net.dhcp_event(wait)? {
            say(&event.to_string());
            if let (Event::Acquired { .. } | Event::Changed { .. }, Some(lease)) =
                (event, net.dhcp_lease())
            {
                show(&lease);
            }
            wait = Duration::ZERO;
        }
        Ok(())
    }
}

/// Shows a lease, one thing a line.
fn show(lease: &Lease) {
    let mut lines = vec![
        format!("address  {}", lease.address),
        format!("server   {}", lease.server),
    ];
    lines.push(if lease.seconds == INFINITE {
        "lease    for ever".to_owned()
    } else {
        let seconds = |at: netloom::driver::Instant| at.micros_since(lease.since) / 1_000_000;
        format!(
            "lease    {} s: renewed after {} s, at any server after {} s",
            lease.seconds,
            seconds(lease.renew_at),
            seconds(lease.rebind_at)
        )
    });
    for route in lease.routes.iter() {
        lines.push(if route.router.is_unspecified() {
            format!("route    {} on the link", route.dst)
        } else {
            format!("route    {} via {}", route.dst, route.router)
        });
    }
    lines.extend(lease.dns.iter().map(|addr| format!("dns      {addr}")));
    lines.extend(lease.ntp.iter().map(|addr| format!("ntp      {addr}")));
    if !lease.domain.is_empty() {
        lines.push(format!("domain   {}", lease.domain));
    }
    if !lease.hostname.is_empty() {
        lines.push(format!("name     {}", lease.hostname));
    }
    lines.extend(lease.mtu.map(|mtu| format!("mtu      {mtu}")));
    say(&lines.join("\n"));
}

/// What became of messages, in a line.
fn summary(counters: &ClientCounters) -> String {
    format!(
        "; sent {} discovers, {} requests, {} declines, {} releases, {} not sent; \
         took {} offers, {} acks, {} naks; dropped {} malformed, {} for others, \
         {} unexpected, {} of servers not asked, {} unusable, {} lesser offers",
        counters.discovers,
        counters.requests,
        counters.declines,
        counters.releases,
        counters.unsent,
        counters.offers,
        counters.acks,
        counters.naks,
        counters.malformed.wrapping_add(counters.cut),
        counters
            .wrong_xid
            .wrapping_add(counters.wrong_hardware)
            .wrapping_add(counters.wrong_id),
        counters.unexpected,
        counters.foreign,
        counters.unusable,
        counters.passed_over,
    )
}

/// Standard output may be closed; the exit code still tells how it went.
fn say(what: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{what}");
    let _ = out.flush();
}
