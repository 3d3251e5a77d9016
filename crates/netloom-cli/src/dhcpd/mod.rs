//! `netloom dhcpd`: a DHCP server on netloom.
//!
//! | file | what is in it |
//! |---|---|
//! | `options` | pools, reservations and options as the command line has them |

mod options;

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use netloom::Net;
use netloom::dhcp::{BadConfig, FileStore, HeapStore, Reservation, ServerConfig, ServerCounters};

use crate::device::{self, DeviceArgs, Watch, WatchArgs};
use crate::failure::Failure;
use crate::signals::Interrupts;
use crate::size::parse_seconds;
use options::{RawOption, RawPool, parse_option, parse_pool, parse_reservation, parse_told_server};

/// How long to sleep at most before looking whether somebody wants an end.
const ATTENTION: Duration = Duration::from_millis(100);

/// Give addresses to others: a DHCP server on netloom.
///
/// It needs an Ethernet device with an address: --tap or --interface. With --lease-file it knows
/// after any end what it gave away.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo netloom dhcpd --interface veth1 --address 192.0.2.1/24 --pool 192.0.2.100-192.0.2.199 \\
       --router 192.0.2.1 --dns 192.0.2.1 --lease-file /var/lib/netloom/leases
  sudo netloom dhcpd --tap --pool 10.71.0.100-10.71.0.200 --reserve 02:00:00:00:00:07=10.71.0.7
  sudo netloom dhcpd --interface veth1 --address 192.0.2.1/24 --gateway 192.0.2.254 \\
       --pool 198.51.100.0/24:198.51.100.10-198.51.100.99     a network behind a relay agent

Exit codes: 0 when interrupted; 1 the device or the file failed; 2 a command line that makes no
sense.",
    // The device's option of this name, of which clients are told here.
    mut_arg("dns", |dns| dns
        .help("A DNS server, of which clients are told")
        .help_heading(None)
        .value_name("ADDR")
        .value_parser(parse_told_server)))]
pub struct DhcpdArgs {
    /// Addresses given away, and before a colon their network, if it is not that of an --address;
    /// several are possible
    #[arg(long, value_name = "[NETWORK:]FIRST-LAST", required = true, value_parser = parse_pool)]
    pool: Vec<RawPool>,

    /// An address kept for a client: by its MAC, or by its identifier in hexadecimal (id:01ab..)
    #[arg(long, value_name = "WHO=ADDR", value_parser = parse_reservation)]
    reserve: Vec<Reservation>,

    /// How long addresses are given for
    #[arg(long, value_name = "SECONDS", default_value_t = 3600,
          value_parser = clap::value_parser!(u32).range(1..))]
    lease_time: u32,

    /// The longest lease a client can ask for [default: that of --lease-time]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    max_lease_time: Option<u32>,

    /// A router, told in the networks it is in
    #[arg(long, value_name = "ADDR")]
    router: Vec<Ipv4Addr>,

    /// An NTP server
    #[arg(long, value_name = "ADDR")]
    ntp: Vec<Ipv4Addr>,

    /// The domain of the clients
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,

    /// The MTU of the clients' interfaces
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u16).range(68..))]
    mtu: Option<u16>,

    /// Any other option: its code, and its content as addresses, as "text", or in hexadecimal
    #[arg(long, value_name = "CODE=VALUE", value_parser = parse_option)]
    option: Vec<RawOption>,

    /// Keep what is given away in this file
    #[arg(long, value_name = "FILE")]
    lease_file: Option<PathBuf>,

    /// How long to look whether somebody has an address before it is offered
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = parse_seconds)]
    check: Duration,

    /// Offer addresses without a look whether somebody has them
    #[arg(long, conflicts_with = "check")]
    no_check: bool,

    /// How long an address somebody else was found to have is given to nobody
    #[arg(long, value_name = "SECONDS", default_value = "3600", value_parser = parse_seconds)]
    quarantine: Duration,

    /// There are other servers here: say nothing of addresses this one knows nothing of
    #[arg(long)]
    not_authoritative: bool,

    /// Clients that can ask at once
    #[arg(long, value_name = "COUNT", default_value_t = 512,
          value_parser = clap::value_parser!(u16).range(1..))]
    clients: u16,

    /// Say at the end what became of messages
    #[arg(long)]
    stats: bool,

    /// Print nothing of what happens
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

impl DhcpdArgs {
    /// Serves until it is interrupted.
    ///
    /// # Errors
    ///
    /// The device or the file of leases cannot be had; the device failed.
    pub fn run(&self) -> Result<(), Failure> {
        // Before there are threads: they inherit what is held back.
        let interrupts = Interrupts::hold()
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        let config = self.config()?;
        let leases = self.lease_file.as_ref().map(|path| {
            FileStore::open(path).map_err(|error| {
                let path = path.display();
                Failure::new(match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        format!("another server has the leases in `{path}`: name another file")
                    }
                    _ => format!("cannot keep leases in `{path}`: {error}"),
                })
            })
        });
        let leases = leases.transpose()?;
        let watch = self.watch.open()?;
        let capture = watch.capture();
        capture.end(self.serve_on_device(watch, config, leases, &interrupts))
    }

    fn serve_on_device(
        &self,
        watch: Watch,
        config: ServerConfig<'static>,
        leases: Option<FileStore>,
        interrupts: &Interrupts,
    ) -> Result<(), Failure> {
        let net = self.device.start(watch, "")?.ok_or_else(|| {
            Failure::usage("dhcpd needs an Ethernet device: add --tap or --interface")
        })?;
        self.serve(&net, config, leases)
            .map_err(|error| Failure::new(format!("cannot serve: {error}")))?;
        let failed = |error: io::Error| {
            if device::is_fault(&error) {
                Failure::new(format!("the device failed: {error}"))
            } else {
                Failure::new(error.to_string())
            }
        };
        while !interrupts.has_come() {
            if let Some(event) = net.dhcp_server_event(ATTENTION).map_err(failed)? {
                self.say(&event.to_string());
            }
        }
        if let Some(counters) = net.dhcp_server_counters().filter(|_| self.stats) {
            say(&summary(&counters));
        }
        Ok(())
    }

    fn serve(
        &self,
        net: &Net,
        config: ServerConfig<'static>,
        leases: Option<FileStore>,
    ) -> io::Result<()> {
        let clients = usize::from(self.clients);
        match leases {
            Some(store) => {
                let known = store.len();
                if store.skipped() > 0 {
                    self.say(&format!(
                        "{} lines of leases make no sense",
                        store.skipped()
                    ));
                }
                net.dhcp_serve(config, store, clients)?;
                self.say(&format!("serving; {known} leases known"));
            }
            None => {
                net.dhcp_serve(config, HeapStore::new(), clients)?;
                self.say("serving; leases end with the program");
            }
        }
        Ok(())
    }

    /// The configuration, for as long as the program runs.
    fn config(&self) -> Result<ServerConfig<'static>, Failure> {
        let networks = self.device.addresses();
        let mut pools = Vec::new();
        for raw in &self.pool {
            pools.push(self.pool_of(raw, &networks)?);
        }
        let config = ServerConfig {
            pools: pools.leak(),
            reservations: self.reserve.clone().leak(),
            authoritative: !self.not_authoritative,
            conflict_check: if self.no_check {
                Duration::ZERO
            } else {
                self.check
            },
            quarantine: self.quarantine,
            ..ServerConfig::default()
        };
        config.check().map_err(|bad| {
            let option = match bad {
                BadConfig::NoPool | BadConfig::Pool { .. } | BadConfig::LeaseTime(_) => "--pool",
                BadConfig::Reservation(_) | BadConfig::ReservedTwice(_) => "--reserve",
            };
            Failure::usage(format!("{option}: {bad}: see `netloom dhcpd --help`"))
        })?;
        Ok(config)
    }

    fn say(&self, what: &str) {
        if !self.quiet {
            say(what);
        }
    }
}

/// Standard output may be closed.
fn say(what: &str) {
    let mut out = io::stdout();
    let _ = writeln!(out, "{what}");
    let _ = out.flush();
}

/// What became of messages, in a line.
fn summary(counters: &ServerCounters) -> String {
    let silent = [
        ("too many at once", counters.no_place),
        ("no address left", counters.exhausted),
        ("no pool", counters.no_network),
        ("another server's", counters.other_server),
        ("unknown", counters.unknown),
        ("incomplete", counters.incomplete),
        ("asked again too soon", counters.repeated),
        ("lease not kept", counters.store_failed),
        ("reply not sent", counters.unsent),
    ];
    let silent: Vec<String> = silent
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(why, count)| format!("{count} {why}"))
        .collect();
    format!(
        "; got {} discovers, {} requests, {} declines, {} releases, {} informs, {} of all relayed; \
         sent {} offers, {} acks, {} naks; {} dropped; not answered: {}",
        counters.discovers,
        counters.requests,
        counters.declines,
        counters.releases,
        counters.informs,
        counters.relayed,
        counters.offers,
        counters.acks,
        counters.naks,
        counters.dropped(),
        if silent.is_empty() {
            "none".to_owned()
        } else {
            silent.join(", ")
        },
    )
}
