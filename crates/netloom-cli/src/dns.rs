//! `netloom dns`: records of a name, asked for by netloom.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use netloom::Net;
use netloom::net::{DnsConfig, DnsFailure, Error, Name, Reason, RecordType};

use crate::device::{DeviceArgs, Watch, WatchArgs, parse_server};
use crate::failure::Failure;
use crate::size::parse_seconds;

/// There is no such name, or it has no such record.
const NOT_FOUND: u8 = 4;
/// No server answers, or none can be reached.
const NO_ANSWER: u8 = 5;
/// Servers answered that they failed, or what they said leads nowhere.
const SERVER_FAILED: u8 = 6;

/// Look up a name, or the name of an address, in DNS.
///
/// netloom asks by itself, over its own UDP and TCP, so it needs a device: --tap, --tun or
/// --interface. Servers are those given by --server; without one the kernel's end of --tap or --tun
/// is asked.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo netloom dns --tap example.org                         its addresses, from 10.71.0.1
  sudo netloom dns --tap --type SRV _sip._udp.example.org
  sudo netloom dns --tap 192.0.2.7                           the name of an address
  sudo netloom dns --interface veth1 --address 192.0.2.2/24 --gateway 192.0.2.1 \\
       --server 198.51.100.53 -v example.org

Exit codes:
  0  found                                   4  there is no such name or record
  1  the device, or the capture              5  no server answers
  2  the command line                        6  the servers failed")]
pub struct DnsArgs {
    /// The name, or an address whose name is wanted; several are asked for one after the other
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,

    /// The type of record: A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, ANY or TYPE123; several are
    /// possible [default: A and AAAA; PTR for an address]
    #[arg(long = "type", short = 't', value_name = "TYPE", value_parser = parse_type)]
    kinds: Vec<RecordType>,

    /// A server, with its port if that is not 53; several are possible, asked in this order. The
    /// same as --dns
    #[arg(long, short, value_name = "ADDR[:PORT]", value_parser = parse_server)]
    server: Vec<SocketAddr>,

    /// A domain that completes names; several are possible
    #[arg(long, value_name = "DOMAIN", value_parser = parse_domain)]
    search: Vec<Name>,

    /// Names with at least so many dots are asked as they stand first
    #[arg(long, value_name = "DOTS", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(..=15))]
    ndots: u8,

    /// How long a server may take at first
    #[arg(long, short = 'W', value_name = "SECONDS", default_value = "2",
          value_parser = parse_seconds)]
    timeout: Duration,

    /// How often each server is asked at most
    #[arg(long, value_name = "COUNT", default_value_t = 2,
          value_parser = clap::value_parser!(u8).range(1..=8))]
    attempts: u8,

    /// Print nothing but the data of the records
    #[arg(long)]
    short: bool,

    /// Say at the end what became of queries and replies
    #[arg(long)]
    stats: bool,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

fn parse_type(text: &str) -> Result<RecordType, String> {
    text.parse()
        .map_err(|_| "it is A, AAAA, CNAME, MX, NS, PTR, SOA, SRV, TXT, ANY or TYPE123".to_owned())
}

fn parse_domain(text: &str) -> Result<Name, String> {
    text.parse()
        .map_err(|_| "it is a domain: example.org".to_owned())
}

impl DnsArgs {
    /// Looks up.
    ///
    /// # Errors
    ///
    /// What stands in the way, with an exit code for its kind: see the command's help. Of several
    /// names the first that failed decides.
    pub fn run(&self) -> Result<(), Failure> {
        if !self.device.is_given() {
            return Err(Failure::usage(
                "dns needs a device: add --tap, --tun or --interface (as root)",
            ));
        }
        let watch = self.watch.open()?;
        let capture = watch.capture();
        // Before there are threads: they inherit what is held back.
        capture.survive_signals()?;
        capture.end(self.look_up_all(watch))
    }

    fn look_up_all(&self, watch: Watch) -> Result<(), Failure> {
        let net = self.start(watch)?;
        let mut first = None;
        for name in &self.names {
            if let Err(failure) = self.look_up(&net, name) {
                first.get_or_insert(failure);
            }
        }
        if self.stats {
            if let Some(counters) = net.dns_counters() {
                print(&format!(
                    "; {} sent, {} retries, {} over TCP, {} from memory, {} spoofed dropped, \
                     {} malformed dropped, {} timeouts, {} server failures",
                    counters.sent,
                    counters.retries,
                    counters.tcp,
                    counters.from_memory,
                    counters.spoofed(),
                    counters.malformed,
                    counters.timeouts,
                    counters.server_failures,
                ))?;
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn start(&self, watch: Watch) -> Result<Net, Failure> {
        let mut config = DnsConfig::new();
        config.ndots = self.ndots;
        config.timeout = self.timeout;
        config.rounds = self.attempts;
        let mut servers = self.server.clone();
        servers.extend(self.device.dns());
        if servers.is_empty() {
            servers.extend(self.device.kernel_ip().map(|ip| SocketAddr::new(ip, 53)));
        }
        if servers.is_empty() && !self.device.asks_dhcp() {
            return Err(Failure::usage("name a DNS server: --server 192.0.2.53"));
        }
        let named = !servers.is_empty();
        for server in servers {
            config = config.server(server);
        }
        for domain in &self.search {
            config = config.search(domain).map_err(|_| {
                Failure::usage("the domains of --search are longer than 256 octets in all")
            })?;
        }
        let started = self
            .device
            .start_with(watch, "", |builder| builder.dns_config(config))?;
        let net = started.ok_or_else(|| Failure::usage("name a device"))?;
        if !named {
            let lease = net.dhcp_lease();
            let told = lease.iter().flat_map(|lease| lease.dns.iter());
            let servers: Vec<_> = told.map(|ip| SocketAddr::from((*ip, 53))).collect();
            if servers.is_empty() {
                let what = "the DHCP server tells of no DNS server: name one with --server";
                return Err(Failure::usage(what));
            }
            net.set_dns_servers(&servers)
                .map_err(|error| Failure::new(error.to_string()))?;
        }
        Ok(net)
    }

    fn look_up(&self, net: &Net, name: &str) -> Result<(), Failure> {
        let addr = name.parse::<IpAddr>().ok();
        let asked = match addr {
            Some(addr) => format!("{}.", Name::reverse(addr)),
            None => name.to_owned(),
        };
        let kinds = match (&self.kinds[..], addr) {
            ([], Some(_)) => &[RecordType::PTR][..],
            ([], None) => &[RecordType::A, RecordType::AAAA],
            (kinds, _) => kinds,
        };
        let mut found = false;
        let mut failure = None;
        for &kind in kinds {
            let begun = Instant::now();
            let lines = net.dns_query(&asked, kind, |answer| {
                let owner = answer.canonical_name();
                let mut lines: Vec<String> = answer
                    .records()
                    .map(|record| {
                        if self.short {
                            record.data.to_string()
                        } else {
                            format!("{owner} {} {} {}", record.ttl, record.kind, record.data)
                        }
                    })
                    .collect();
                if !answer.is_complete() {
                    lines.push("; there are more records than there was room for".to_owned());
                }
                lines
            });
            match lines {
                Ok(lines) => {
                    found = true;
                    for line in lines {
                        print(&line)?;
                    }
                    if self.watch.is_verbose() {
                        let time = begun.elapsed().as_secs_f64() * 1000.0;
                        print(&format!("; {kind} in {time:.1} ms"))?;
                    }
                }
                Err(error) => {
                    failure.get_or_insert_with(|| explain(name, kind, &error));
                }
            }
        }
        // A name with addresses of one version only has what was wanted.
        match failure {
            Some(failure) if !found || !self.kinds.is_empty() => {
                if self.names.len() > 1 {
                    let _ = writeln!(io::stderr(), "netloom: {failure}");
                }
                Err(failure)
            }
            _ => Ok(()),
        }
    }
}

/// Why there is no answer, and what to do about it.
fn explain(name: &str, kind: RecordType, error: &io::Error) -> Failure {
    let Some(Reason::Lookup { failure, .. }) = Error::of(error).map(Error::reason) else {
        let code = match error.kind() {
            ErrorKind::InvalidInput => Failure::USAGE,
            _ => 1,
        };
        return Failure::new(format!("{name}: {error}")).with_exit_code(code);
    };
    let (hint, code) = match failure {
        DnsFailure::NoSuchName => (String::new(), NOT_FOUND),
        DnsFailure::NoSuchRecord => (format!(" ({kind})"), NOT_FOUND),
        DnsFailure::TimedOut => (": name another with --server".to_owned(), NO_ANSWER),
        DnsFailure::Unreachable(_) | DnsFailure::NoServers => (
            ": is there a route to it (--gateway)?".to_owned(),
            NO_ANSWER,
        ),
        _ => (String::new(), SERVER_FAILED),
    };
    Failure::new(format!("{name}: {failure}{hint}")).with_exit_code(code)
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")
        .map_err(|error| Failure::new(format!("cannot write what was found: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_types() {
        for (text, expected) in [
            ("10.71.0.1", "10.71.0.1:53"),
            ("10.71.0.1:5353", "10.71.0.1:5353"),
            ("fd71::1", "[fd71::1]:53"),
            ("[fd71::1]:5353", "[fd71::1]:5353"),
        ] {
            assert_eq!(parse_server(text), Ok(expected.parse().unwrap()));
        }
        for bad in ["", "host", "10.71.0.1:", "10.71.0.1:70000"] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_type("aaaa"), Ok(RecordType::AAAA));
        assert!(parse_type("x").is_err() && parse_domain("a..b").is_err());
    }
}
