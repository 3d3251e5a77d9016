//! `netloom get`: fetch a file over HTTP, on netloom.
//!
//! | file | what is in it |
//! |---|---|
//! | `exchange` | one request and its answer, on a connection that may serve the next one too |
//! | `route` | how a server is reached: over a device, or relayed by the kernel |
//! | `target` | where the content goes, and from where on it is missing |

mod exchange;
mod route;
mod target;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netloom_services::http::{Class, Status, Url, UrlError};

use crate::device::{self, DeviceArgs, Watch, WatchArgs};
use crate::failure::Failure;
use crate::size::parse_seconds;
use exchange::{Answer, ClientError, Exchanges};
use route::Route;
use target::Target;

/// The server cannot be reached: nobody answers, or it refuses.
const NOT_CONNECTED: u8 = 4;
/// The connection failed, ended or fell silent within the answer.
const INTERRUPTED: u8 = 5;
/// The answer is no HTTP.
const NOT_HTTP: u8 = 6;
/// The server does not have it, or does not give it (4xx).
const REFUSED: u8 = 7;
/// The server failed (5xx).
const SERVER_FAILED: u8 = 8;
/// Redirections lead nowhere: too many, or to another scheme.
const NOWHERE: u8 = 9;

/// Fetch a file over HTTP, on netloom.
///
/// With --tap, --tun or --interface everything is netloom's: ARP or neighbour discovery, IP, TCP,
/// HTTP. Without a device netloom's TCP and IP go as far as this process, and the kernel carries
/// the connection on from there: that needs no rights, and names are the kernel's to look up.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom get http://127.0.0.1:8080/file           to standard output
  netloom get -v --pcap get.pcapng http://127.0.0.1:8080/ -o page.html
  netloom get -c http://127.0.0.1:8080/large -o large        go on where the file ends
  sudo netloom get --tap http://10.71.0.1:8080/file          from a server of the kernel's
  sudo netloom get --interface veth1 --address 192.0.2.2/24 --gateway 192.0.2.1 \\
       --dns 192.0.2.53 http://example.org/
  sudo netloom get -v --interface veth1 --dhcp http://example.org/    all by itself

Exit codes:
  0  fetched                      5  the connection failed or fell silent
  1  the device, a file           6  the answer is no HTTP
  2  the command line             7  the server refuses (4xx)
  4  the server is not reached    8  the server failed (5xx)
  9  redirections lead nowhere, or to https")]
pub struct GetArgs {
    /// What to fetch: http://HOST[:PORT]/PATH
    #[arg(value_name = "URL")]
    url: String,

    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Write to a file with the name at the end of the URL
    #[arg(long, short = 'O', conflicts_with = "output")]
    remote_name: bool,

    /// Go on where the file ends, if the server can
    #[arg(long = "continue", short = 'c')]
    resume: bool,

    /// Redirections followed at most
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    max_redirects: u32,

    /// How long connecting may take, and how long the server may be silent
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_seconds)]
    timeout: Duration,

    /// The address of a name; several are possible. Others are looked up by --dns or --dhcp
    #[arg(long, value_name = "NAME=ADDR", value_parser = parse_name)]
    resolve: Vec<(String, IpAddr)>,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    device: DeviceArgs,
}

fn parse_name(text: &str) -> Result<(String, IpAddr), String> {
    let mistake = || "it is a name and its address: example.org=198.51.100.7".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(mistake)?;
    let address = address.parse().map_err(|_| mistake())?;
    Ok((name.to_owned(), address))
}

impl GetArgs {
    /// Fetches.
    ///
    /// # Errors
    ///
    /// What stands in the way, with an exit code for its kind: see the command's help.
    pub fn run(&self) -> Result<(), Failure> {
        let url = Url::parse(&self.url).map_err(|error| {
            let failure = Failure::usage(error.to_string());
            match error {
                UrlError::Https => failure.with_exit_code(NOWHERE),
                UrlError::Scheme
                | UrlError::Userinfo
                | UrlError::Host
                | UrlError::Octet
                | UrlError::Full => failure,
            }
        })?;
        let mut target = Target::open(self.file(&url)?, self.resume)?;
        if self.device.has_addresses() && !self.device.is_given() {
            let what = "addresses are those of a device: add --tap, --tun or --interface";
            return Err(Failure::usage(what));
        }
        let watch = self.watch.open()?;
        let capture = watch.capture();
        // Before there are threads: they inherit what is held back.
        capture.survive_signals()?;
        capture.end(self.fetch_watched(watch, &url, &mut target))
    }

    /// Fetches over what the options name.
    fn fetch_watched(
        &self,
        watch: Watch,
        url: &Url<'_>,
        target: &mut Target,
    ) -> Result<(), Failure> {
        let otherwise = ", or leave out the device, which needs no rights";
        let route = if self.device.is_given() {
            let net = self.device.start(watch, otherwise)?;
            net.map(Route::Device)
        } else {
            Some(Route::relay(watch).map_err(|error| Failure::new(error.to_string()))?)
        };
        let route = route.ok_or_else(|| Failure::usage("name a device"))?;
        let begun = Instant::now();
        let octets = self.fetch(&route, url, target)?;
        if target.is_file() || self.watch.is_verbose() {
            let seconds = begun.elapsed().as_secs_f64();
            let rate = octets as f64 * 8.0 / seconds / 1e6;
            say(&format!(
                "{octets} octets in {seconds:.2} s, {rate:.0} Mbit/s"
            ));
        }
        Ok(())
    }

    /// The file to write, if it is one.
    fn file(&self, url: &Url<'_>) -> Result<Option<PathBuf>, Failure> {
        if self.resume && self.output.is_none() && !self.remote_name {
            return Err(Failure::usage(
                "only a file can be continued: name it with --output FILE",
            ));
        }
        if !self.remote_name {
            return Ok(self.output.clone());
        }
        match url.file_name() {
            "" | "." | ".." => Err(Failure::usage(
                "the URL does not end in a name: name a file with --output FILE",
            )),
            name => Ok(Some(PathBuf::from(name))),
        }
    }

    /// Follows redirections to the content. Returns how many octets it has received.
    fn fetch(&self, route: &Route, url: &Url<'_>, target: &mut Target) -> Result<u64, Failure> {
        let (mut rx, mut tx) = exchange::buffers();
        let mut exchanges = Exchanges::new(&mut rx, &mut tx, self.timeout);
        let mut at = url.to_string();
        for _ in 0..=self.max_redirects {
            let url = Url::parse(&at).map_err(|error| Failure::usage(error.to_string()))?;
            let connect = || {
                route
                    .connect(&url, &self.resolve, self.timeout)
                    .map_err(|what| Failure::new(what).with_exit_code(NOT_CONNECTED))
            };
            let answer = exchanges
                .get(&url, target.len(), connect)?
                .map_err(|error| failure(&url, error))?;
            if self.watch.is_verbose() {
                say(&format!(
                    "{url}: {} {}",
                    answer.status.code(),
                    answer.reason
                ));
            }
            if let Some(location) = &answer.location {
                at = exchanges
                    .redirected(&url)
                    .map_err(|error| redirection_failure(&url, location, error))?;
                continue;
            }
            return match answer.status {
                Status::RANGE_NOT_SATISFIABLE if target.is_complete(answer.range.as_ref()) => Ok(0),
                Status::OK | Status::NON_AUTHORITATIVE_INFORMATION | Status::PARTIAL_CONTENT => {
                    target.begin(&answer)?;
                    let mut octets = 0;
                    exchanges
                        .content(|piece| {
                            octets += piece.len() as u64;
                            target.write(piece)
                        })
                        .and_then(|()| target.finish().map_err(ClientError::Sink))
                        .map_err(|error| failure(&url, error))?;
                    Ok(octets)
                }
                _ => Err(refusal(&url, &answer)),
            };
        }
        let most = self.max_redirects;
        let what = format!("{at}: more than {most} redirections: allow more with --max-redirects");
        Err(Failure::new(what).with_exit_code(NOWHERE))
    }
}

fn redirection_failure(url: &Url<'_>, location: &str, error: UrlError) -> Failure {
    let shown = location.escape_debug();
    let what = format!("{url}: redirected to {shown}: {error}");
    Failure::new(what).with_exit_code(NOWHERE)
}

fn refusal(url: &Url<'_>, answer: &Answer) -> Failure {
    let (code, reason) = (answer.status.code(), &answer.reason);
    let what = format!("{url}: the server answers {code} {reason}");
    Failure::new(what.trim_end()).with_exit_code(match answer.status.class() {
        Class::ServerError => SERVER_FAILED,
        Class::Redirection => NOWHERE,
        Class::Success => NOT_HTTP,
        Class::Informational | Class::ClientError | Class::Other => REFUSED,
    })
}

fn failure(url: &Url<'_>, error: ClientError) -> Failure {
    match error {
        ClientError::Protocol(why) => Failure::new(format!(
            "{url}: the answer is not HTTP as it should be: {why}"
        ))
        .with_exit_code(NOT_HTTP),
        ClientError::Ended => Failure::new(format!(
            "{url}: the connection ended within the answer: go on with --continue"
        ))
        .with_exit_code(INTERRUPTED),
        ClientError::TimedOut => Failure::new(format!(
            "{url}: the server is silent: go on with --continue, or wait longer with --timeout"
        ))
        .with_exit_code(INTERRUPTED),
        ClientError::Lost(error) if device::is_fault(&error) => {
            Failure::new(format!("{url}: {error}: go on with --continue"))
        }
        ClientError::Lost(error) => Failure::new(format!("{url}: the connection failed: {error}"))
            .with_exit_code(INTERRUPTED),
        ClientError::Sink(error) => Failure::new(format!("cannot write what was fetched: {error}")),
        ClientError::Request(error) => Failure::usage(format!("{url}: {error}")),
    }
}

/// What is no content goes to standard error.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "{what}");
}
