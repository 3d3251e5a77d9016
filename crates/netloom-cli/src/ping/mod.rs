//! `netloom ping`: echo requests from netloom, and what comes back.

mod statistics;

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use netloom::EchoSocket;
use netloom::net::EchoReply;
use netloom::stack::icmp::EchoError;

use crate::device::{DeviceArgs, Watch, WatchArgs};
use crate::failure::Failure;
use crate::signals::Interrupts;
use crate::size::parse_seconds;
use statistics::{Statistics, millis};

/// Octets of the ICMP header, and of the largest data behind it in an IP packet.
const ICMP_HEADER: usize = 8;
const MAX_DATA: u32 = 65_535 - 20 - 8;

/// How long to sleep at most before looking whether somebody wants an end.
const ATTENTION: Duration = Duration::from_millis(100);

/// Send echo requests from netloom, and time the replies.
///
/// It needs a device: --tap, --tun or --interface. The other end may be the kernel, another host,
/// or another netloom.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  sudo netloom ping --tap 10.71.0.1              the kernel, at the other end of a TAP device
  sudo netloom ping --tap -c 3 fd71::1
  sudo netloom ping --interface veth1 --address 192.0.2.2/24 192.0.2.1

Exit codes: 0 if there was a reply, else 1, and if the capture is not whole; 2 for a command line that makes no sense.")]
pub struct PingArgs {
    /// Whom to ask
    #[arg(value_name = "ADDRESS")]
    target: IpAddr,

    /// Stop after this many requests [default: when interrupted]
    #[arg(long, short, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Time between requests
    #[arg(long, short, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,

    /// Octets of data in a request
    #[arg(long, short, value_name = "OCTETS", default_value_t = 56,
          value_parser = clap::value_parser!(u32).range(..=i64::from(MAX_DATA)))]
    size: u32,

    /// TTL or hop limit of the requests
    #[arg(long, short, value_name = "HOPS", value_parser = clap::value_parser!(u8).range(1..))]
    ttl: Option<u8>,

    /// How long to wait for the last replies
    #[arg(long, short = 'W', value_name = "SECONDS", default_value = "10",
          value_parser = parse_seconds)]
    timeout: Duration,

    /// Print nothing but the first and the last lines
    #[arg(long, short)]
    quiet: bool,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

impl PingArgs {
    /// Pings until the count is reached or somebody interrupts it.
    ///
    /// # Errors
    ///
    /// There was no reply, the device cannot be made, or no request can be sent.
    pub fn run(&self) -> Result<(), Failure> {
        // Before there are threads: they inherit what is held back.
        let interrupts = Interrupts::hold()
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        if !self.device.is_given() {
            return Err(Failure::usage(
                "ping needs a device: add --tap, --tun or --interface (as root), \
                 or try `netloom run -- ping 10.71.0.2`, which needs no rights",
            ));
        }
        let watch = self.watch.open()?;
        let capture = watch.capture();
        capture.end(self.ping(watch, &interrupts))
    }

    fn ping(&self, watch: Watch, interrupts: &Interrupts) -> Result<(), Failure> {
        let net = self
            .device
            .start(watch, ", or try `netloom run -- ping 10.71.0.2`")?
            .ok_or_else(|| Failure::usage("name a device"))?;
        let cannot = |error: io::Error| {
            let remedy = match error.kind() {
                ErrorKind::NetworkUnreachable => ": name a router with --gateway",
                _ => "",
            };
            Failure::new(format!("cannot ping {}: {error}{remedy}", self.target))
        };
        let echo = net.echo_open().map_err(cannot)?;
        let header = if self.target.is_ipv4() { 20 } else { 40 };
        say(&format!(
            "PING {} ({}) {}({}) bytes of data.",
            self.target,
            self.target,
            self.size,
            self.size as usize + ICMP_HEADER + header,
        ));
        let mut session = Session::new(self, &echo);
        session.run(interrupts).map_err(cannot)?;
        let Session {
            statistics, began, ..
        } = session;
        say(&format!(
            "\n{}",
            statistics.report(&self.target.to_string(), began.elapsed())
        ));
        if statistics.received == 0 {
            return Err(Failure::new(format!("{} does not answer", self.target)));
        }
        Ok(())
    }
}

/// Pinging one address.
struct Session<'a> {
    args: &'a PingArgs,
    echo: &'a EchoSocket,
    data: Vec<u8>,
    /// When requests without a reply were sent.
    pending: HashMap<u16, Instant>,
    statistics: Statistics,
    began: Instant,
}

impl<'a> Session<'a> {
    fn new(args: &'a PingArgs, echo: &'a EchoSocket) -> Session<'a> {
        Session {
            args,
            echo,
            // As ping fills it: the numbers from 0 on.
            data: (0..args.size).map(|n| n as u8).collect(),
            pending: HashMap::new(),
            statistics: Statistics::default(),
            began: Instant::now(),
        }
    }

    /// Sends and receives until all is said.
    fn run(&mut self, interrupts: &Interrupts) -> io::Result<()> {
        let mut next = self.began;
        loop {
            let now = Instant::now();
            let may_send = self
                .args
                .count
                .is_none_or(|count| self.statistics.transmitted < count);
            if interrupts.has_come() || (!may_send && self.pending.is_empty()) {
                return Ok(());
            }
            if may_send && now >= next {
                self.send()?;
                next = (next + self.args.interval).max(now);
                continue;
            }
            let last = self.pending.values().max().copied();
            let end = last.map_or(now, |sent| sent + self.args.timeout);
            if !may_send && now >= end {
                return Ok(());
            }
            let until = if may_send { next } else { end };
            self.receive(until.saturating_duration_since(now).min(ATTENTION))?;
        }
    }

    fn send(&mut self) -> io::Result<()> {
        // Sequence numbers go round.
        let sequence = (self.statistics.transmitted as u16).wrapping_add(1);
        let PingArgs { target, ttl, .. } = self.args;
        let sent = self.echo.send_to(*target, sequence, *ttl, &self.data)?;
        self.statistics.transmitted += 1;
        self.pending.insert(sequence, sent);
        Ok(())
    }

    /// Takes the next reply, if one comes in this time.
    fn receive(&mut self, time: Duration) -> io::Result<()> {
        self.echo
            .set_read_timeout(Some(time.max(Duration::from_micros(1))))?;
        let mut data = vec![0; self.data.len()];
        match self.echo.recv(&mut data) {
            Ok(reply) => self.tell(&reply, &data),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn tell(&mut self, reply: &EchoReply, data: &[u8]) {
        let EchoReply {
            from,
            sequence,
            hop_limit,
            len,
            ..
        } = reply;
        let sent = self.pending.remove(sequence);
        let line = match (reply.error, sent) {
            (Some(error), _) => {
                self.statistics.errors += 1;
                format!("From {from} icmp_seq={sequence} {}", words(error))
            }
            (None, None) => {
                self.statistics.duplicates += 1;
                let len = len + ICMP_HEADER;
                format!("{len} bytes from {from}: icmp_seq={sequence} ttl={hop_limit} (DUP!)")
            }
            (None, Some(sent)) => {
                let time = reply.at.saturating_duration_since(sent);
                self.statistics.received += 1;
                self.statistics.add(time);
                let damage = if data == self.data && *len == data.len() {
                    ""
                } else {
                    " (other data than was sent)"
                };
                format!(
                    "{} bytes from {from}: icmp_seq={sequence} ttl={hop_limit} \
                     time={:.3} ms{damage}",
                    len + ICMP_HEADER,
                    millis(time),
                )
            }
        };
        if !self.args.quiet {
            say(&line);
        }
    }
}

/// An error as ping puts it.
fn words(error: EchoError) -> String {
    match error {
        EchoError::NetworkUnreachable => "Destination Net Unreachable".to_owned(),
        EchoError::HostUnreachable => "Destination Host Unreachable".to_owned(),
        EchoError::ProtocolUnreachable => "Destination Protocol Unreachable".to_owned(),
        EchoError::PortUnreachable => "Destination Port Unreachable".to_owned(),
        EchoError::Prohibited => "Packet filtered".to_owned(),
        EchoError::PacketTooBig(mtu) => format!("Frag needed (mtu = {mtu})"),
        EchoError::TimeExceeded => "Time to live exceeded".to_owned(),
        EchoError::ParameterProblem => "Parameter problem".to_owned(),
        // The enum may grow in a compatible release of its crate.
        other => format!("{other:?}"),
    }
}

/// Standard output may be closed; the exit code still tells how it went.
fn say(what: &str) {
    let _ = writeln!(io::stdout(), "{what}");
}
