//! `netloom ntp`: how wrong this host's clock is, by a server; or the time for others.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netloom::Net;
use netloom::net::{
    LeapIndicator, NtpClientConfig, NtpEstimate, NtpServerLimits, NtpUpdate, ReferenceClock,
};

use crate::device::{DeviceArgs, Watch, WatchArgs};
use crate::failure::Failure;
use crate::signals::Interrupts;
use crate::size::parse_seconds;

/// The server is not found or does not answer.
const NO_ANSWER: u8 = 4;
/// The server refuses, or has no time itself.
const REFUSED: u8 = 5;

/// The port of NTP servers.
const PORT: u16 = 123;

/// How long to sleep at most before looking whether somebody wants an end.
const ATTENTION: Duration = Duration::from_millis(100);

/// Compare this host's clock with an NTP server's, or be a server.
///
/// netloom asks by itself, over its own UDP, so it needs a device: --tap, --tun or --interface. It
/// prints by how much the clock is to be moved, and how wrong that can be; it moves nothing.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo netloom ntp --tap 10.71.0.1                     the kernel's end: chronyd, ntpd
  sudo netloom ntp --tap --samples 8 -q 10.71.0.1      one line, after eight exchanges
  sudo netloom ntp --tap --dns 10.71.0.1 ntp.example.org
  sudo netloom ntp --tap --serve                       then: chronyd -Q 'server 10.71.0.2 iburst'

Exit codes:
  0  the offset is known          4  the server is not found or does not answer
  1  the device, or the capture   5  the server refuses, or has no time itself
  2  the command line")]
pub struct NtpArgs {
    /// The server: an address, or a name if a DNS server is known by --dns or --dhcp
    #[arg(
        value_name = "HOST",
        required_unless_present = "serve",
        conflicts_with = "serve"
    )]
    host: Option<String>,

    /// The server's port, or the one to serve at
    #[arg(long, short, value_name = "PORT", default_value_t = PORT,
          value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,

    /// Exchanges with the server
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 4,
          value_parser = clap::value_parser!(u8).range(1..=8))]
    samples: u8,

    /// Time between exchanges; public servers want no less than 2 s
    #[arg(long, short, value_name = "SECONDS", default_value = "2", value_parser = parse_seconds)]
    interval: Duration,

    /// Print one line only
    #[arg(long, short)]
    quiet: bool,

    /// Give this host's time to others until interrupted
    #[arg(long)]
    serve: bool,

    /// How far this host is from a reference clock, for --serve: 1 has one
    #[arg(long, value_name = "STRATUM", default_value_t = 10, conflicts_with = "host",
          value_parser = clap::value_parser!(u8).range(1..=15))]
    stratum: u8,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

impl NtpArgs {
    /// Asks, or serves.
    ///
    /// # Errors
    ///
    /// What stands in the way, with an exit code for its kind: see the command's help.
    pub fn run(&self) -> Result<(), Failure> {
        // Before there are threads: they inherit what is held back.
        let interrupts = Interrupts::hold()
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        if !self.device.is_given() {
            return Err(Failure::usage(
                "ntp needs a device: add --tap, --tun or --interface (as root)",
            ));
        }
        let watch = self.watch.open()?;
        let capture = watch.capture();
        capture.end(self.ask_or_serve(watch, &interrupts))
    }

    fn ask_or_serve(&self, watch: Watch, interrupts: &Interrupts) -> Result<(), Failure> {
        let started = self.device.start(watch, "")?;
        let net = started.ok_or_else(|| Failure::usage("name a device"))?;
        match &self.host {
            Some(host) => self.ask(&net, host, interrupts),
            None => self.serve(&net, interrupts),
        }
    }

    fn address(&self, net: &Net, host: &str) -> Result<SocketAddr, Failure> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok(SocketAddr::new(ip, self.port));
        }
        if net.dns_counters().is_none() {
            return Err(Failure::usage(format!(
                "{host} is a name, and no DNS server is known: give its address, or name one with --dns"
            )));
        }
        let found = net
            .lookup_host(host)
            .map_err(|error| Failure::new(error.to_string()).with_exit_code(NO_ANSWER))?;
        let first = found.first().ok_or_else(|| {
            Failure::new(format!("{host}: it has no address")).with_exit_code(NO_ANSWER)
        })?;
        Ok(SocketAddr::new(*first, self.port))
    }

    fn ask(&self, net: &Net, host: &str, interrupts: &Interrupts) -> Result<(), Failure> {
        let server = self.address(net, host)?;
        let mut config = NtpClientConfig::new(server);
        config.burst = self.samples;
        config.burst_interval = self.interval;
        let cannot = |error: io::Error| Failure::new(format!("cannot ask {server}: {error}"));
        let mut client = net.ntp_client_with(config).map_err(cannot)?;
        let mut unsynchronized = false;
        let (mut lost, mut last) = (0, None);
        // The last exchange too may be answered until the next would begin.
        let mut patience = self.interval.max(Duration::from_secs(1));
        while !interrupts.has_come() && !client.burst_is_over() && !patience.is_zero() {
            let update = client.next_update(Some(ATTENTION)).map_err(cannot)?;
            match update {
                None if lost_all(&client, self.samples) => {
                    patience = patience.saturating_sub(ATTENTION);
                }
                None => {}
                Some(NtpUpdate::Sample(_)) if self.quiet => {}
                Some(NtpUpdate::Sample(sample)) => print(&format!(
                    "{host} ({server}): offset {} s, delay {:.6} s",
                    signed(sample.offset),
                    sample.delay as f64 / 1e9,
                ))?,
                Some(NtpUpdate::Refused(kiss)) => {
                    return Err(Failure::new(format!(
                        "{host}: the server refuses ({kiss}): ask another"
                    ))
                    .with_exit_code(REFUSED));
                }
                Some(NtpUpdate::Slower) => {
                    if client.estimate().is_none() {
                        return Err(Failure::new(format!(
                            "{host}: the server wants to be asked less often (RATE): wait a while"
                        ))
                        .with_exit_code(REFUSED));
                    }
                    break;
                }
                Some(NtpUpdate::Unsynchronized) => unsynchronized = true,
                Some(NtpUpdate::Lost(error)) => {
                    lost += 1;
                    last = error.or(last);
                    if last.is_some() && lost >= self.samples {
                        break;
                    }
                }
                Some(_) => {}
            }
        }
        let Some(estimate) = client.estimate() else {
            if unsynchronized {
                let what = format!("{host}: the server has no time itself: ask another");
                return Err(Failure::new(what).with_exit_code(REFUSED));
            }
            let why = match last {
                Some(error) => format!("{error}"),
                None => "no answer".to_owned(),
            };
            return Err(Failure::new(format!("{host}: {why}")).with_exit_code(NO_ANSWER));
        };
        print(&line(host, server, &estimate))
    }

    fn serve(&self, net: &Net, interrupts: &Interrupts) -> Result<(), Failure> {
        let cannot = |error: io::Error| Failure::new(format!("cannot serve the time: {error}"));
        let mut server = net
            .ntp_server(self.port, NtpServerLimits::default())
            .map_err(cannot)?;
        let clock = ReferenceClock {
            stratum: self.stratum,
            ..ReferenceClock::local()
        };
        print(&format!(
            "giving this host's time at port {}, stratum {}",
            self.port, self.stratum
        ))?;
        while !interrupts.has_come() {
            server.serve(&clock, Some(ATTENTION)).map_err(cannot)?;
        }
        let counters = server.counters();
        print(&format!(
            "{} requests answered, {} too many, {} invalid",
            counters.answered,
            counters.kissed + counters.limited,
            counters.invalid,
        ))
    }
}

/// Whether all requests of the burst are out, and only the last reply is being waited for.
fn lost_all(client: &netloom::net::NtpClient, samples: u8) -> bool {
    client.counters().sent >= u32::from(samples)
}

/// The result: what `ntpdig` and `sntp` print, in their order.
fn line(host: &str, server: SocketAddr, estimate: &NtpEstimate) -> String {
    let leap = match estimate.leap {
        LeapIndicator::None => "",
        LeapIndicator::Insert => ", a leap second is to be inserted",
        LeapIndicator::Delete => ", a leap second is to be left out",
        LeapIndicator::Unsynchronized => ", not synchronized",
    };
    format!(
        "{} +/- {:.6} s {host} ({server}) stratum {} from {}, {} of the exchanges{leap}",
        signed(estimate.offset),
        estimate.error() as f64 / 1e9,
        estimate.stratum,
        estimate.reference_id,
        estimate.samples,
    )
}

/// Nanoseconds as seconds, with their sign.
fn signed(nanos: i64) -> String {
    format!("{:+.6}", nanos as f64 / 1e9)
}

fn print(line: &str) -> Result<(), Failure> {
    writeln!(io::stdout(), "{line}")
        .and_then(|()| io::stdout().flush())
        .map_err(|error| Failure::new(format!("cannot write the time: {error}")))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use netloom::LinkEnd;

    use super::*;

    #[test]
    fn offsets_have_signs() {
        assert_eq!(signed(1_500_000), "+0.001500");
        assert_eq!(signed(-3_000_000_000), "-3.000000");
        assert_eq!(signed(0), "+0.000000");
    }

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: NtpArgs,
    }

    /// From --dns, or from a DHCP server: the stack knows.
    #[test]
    fn a_name_is_looked_up_wherever_the_dns_server_came_from() {
        let args = Program::parse_from(["ntp", "--interface", "x", "--dhcp", "clock.test"]).args;
        let (near, far) = LinkEnd::pair(1500).unwrap();
        let net = Net::builder(near)
            .address("10.71.0.1/24")
            .dns("10.71.0.2")
            .start()
            .unwrap();
        let clock = [10, 71, 0, 3].into();
        net.add_host(&"clock.test".parse().unwrap(), &[clock])
            .unwrap();
        let found = args.address(&net, "clock.test");
        assert_eq!(found, Ok(SocketAddr::new(clock, PORT)));
        let without = Net::builder(far).address("10.71.0.2/24").start().unwrap();
        let failure = args.address(&without, "clock.test").unwrap_err();
        assert_eq!(failure.exit_code(), Failure::USAGE);
    }
}
