//! How a run is set up: from the options of the script and the wishes of whoever runs it.

use std::net::IpAddr;

use netloom_stack::{Error, Tunables};

use super::ast::{Script, ScriptOption};
use super::error::{Position, SyntaxError};

/// The version of IP a script runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What whoever runs a script decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// The version of IP; `None` leaves it to the script: its `--ip_version=`, the one that it is
    /// only for, or IPv4.
    pub ip_version: Option<IpVersion>,
    /// Have the stack choose this initial sequence number for the first connection, by starting
    /// its clock accordingly.
    pub local_isn: Option<u32>,
    /// How far the remote end's sequence numbers are ahead of those in the script, modulo 2^32.
    pub remote_ahead: u32,
}

/// A run, set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The version of IP.
    pub ip_version: IpVersion,
    /// The stack's address.
    pub local_ip: IpAddr,
    /// The length of its prefix.
    pub prefix_len: u8,
    /// The router.
    pub gateway_ip: IpAddr,
    /// Where packets come from and go to.
    pub remote_ip: IpAddr,
    /// The port that `bind(fd, ..., ...)` binds to.
    pub bind_port: u16,
    /// The remote port that `connect(fd, ..., ...)` connects to.
    pub connect_port: u16,
    /// The interface's MTU, bytes.
    pub mtu: u16,
    /// The largest packet that the interface cuts into segments itself, bytes; 0: it does not.
    pub gso: u32,
    /// How far from its time a packet or the return of a call may be, µs.
    pub tolerance: u64,
    /// The period of the stack's timestamp clock, µs, if timestamps are to be checked against
    /// the time.
    pub ts_tick: Option<u64>,
    /// Timestamps that arriving segments echo may lie between those that were sent.
    pub interpolates: bool,
    /// Tunables of the stack.
    pub tunables: Vec<(String, String)>,
    /// What all secrets come from.
    pub seed: u64,
    /// How far the stack's clock is ahead, µs.
    pub clock_ahead: u64,
    /// [`RunOptions::remote_ahead`].
    pub remote_ahead: u32,
    /// What MTUs of the run are larger than those in the script, which is written for the other
    /// version, bytes.
    pub mtu_difference: u16,
}

/// packetdrill's own default.
const TOLERANCE: u64 = 4_000;
/// What an IPv6 header is longer than an IPv4 header: with this much more MTU, segments have the
/// same size over both.
const V6_HEADER_MORE: u16 = 20;

/// What a script may be written for: netloom as it is, or what the RFCs of TCP's base say without
/// what came later: Reno's window, losses found as RFC 6675 and RFC 6582 do, plain timeouts.
const PROFILES: &[(&str, &[(&str, &str)])] = &[
    ("default", &[]),
    (
        "rfc5681",
        &[
            ("tcp_congestion_control", "reno"),
            ("tcp_recovery", "0"),
            ("tcp_early_retrans", "0"),
            ("tcp_frto", "0"),
        ],
    ),
];

impl Settings {
    /// The settings of a script.
    ///
    /// # Errors
    /// An option that does not exist or makes no sense, with its place.
    pub fn new(script: &Script, run: &RunOptions) -> Result<Settings, SyntaxError> {
        let mut named = None;
        for option in &script.options {
            if option.name == "ip_version" {
                named = match option.value.as_str() {
                    "ipv4" => Some(IpVersion::V4),
                    "ipv6" => Some(IpVersion::V6),
                    _ => return wrong(option, "`ipv4` or `ipv6`"),
                };
            }
        }
        // Sizes are those of IPv4 in a script that does not name its version, `only=` or not.
        let scripted = named.unwrap_or(IpVersion::V4);
        let version = run.ip_version.or(named).or(script.only());
        let version = version.unwrap_or(IpVersion::V4);
        let mut settings = Settings::defaults(version);
        settings.remote_ahead = run.remote_ahead;
        if scripted == IpVersion::V4 && version == IpVersion::V6 {
            settings.mtu_difference = V6_HEADER_MORE;
        }
        settings.mtu += settings.mtu_difference;
        for option in &script.options {
            settings.option(option, scripted == version)?;
        }
        for directive in &script.directives {
            settings.directive(directive)?;
        }
        Ok(settings)
    }

    /// The settings of a stack under test that another tool drives: words separated by blanks or
    /// commas, each a tunable (`tcp_sack=0`) or an option of scripts (`--mtu=1400`).
    ///
    /// # Errors
    /// A word that means nothing.
    pub fn from_flags(flags: &str) -> Result<Settings, SyntaxError> {
        let mut script = Script {
            options: Vec::new(),
            directives: Vec::new(),
            events: Vec::new(),
        };
        let words = flags.split(|c: char| c == ',' || c.is_whitespace());
        for word in words.filter(|word| !word.is_empty()) {
            let (option, word) = match word.strip_prefix("--") {
                Some(rest) => (true, rest),
                None => (false, word),
            };
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let said = ScriptOption {
                at: Position { line: 1, column: 1 },
                name: name.to_owned(),
                value: value.to_owned(),
            };
            if option {
                script.options.push(said);
            } else {
                script.directives.push(said);
            }
        }
        Settings::new(&script, &RunOptions::default())
    }

    fn defaults(ip_version: IpVersion) -> Settings {
        let (local, gateway, remote, prefix_len) = match ip_version {
            IpVersion::V4 => (
                [192, 168, 0, 1].into(),
                [192, 168, 0, 2].into(),
                [192, 0, 2, 1].into(),
                16,
            ),
            IpVersion::V6 => (
                IpAddr::from([0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 1]),
                IpAddr::from([0xfd3d, 0x0a0b, 0x17d6, 0, 0, 0, 0, 2]),
                IpAddr::from([0xfd3d, 0xfa7b, 0xd17d, 0, 0, 0, 0, 1]),
                64,
            ),
        };
        Settings {
            ip_version,
            local_ip: local,
            prefix_len,
            gateway_ip: gateway,
            remote_ip: remote,
            bind_port: 8080,
            connect_port: 8080,
            mtu: 1500,
            gso: 0,
            tolerance: TOLERANCE,
            ts_tick: None,
            interpolates: false,
            tunables: Vec::new(),
            seed: 0,
            clock_ahead: 0,
            remote_ahead: 0,
            mtu_difference: 0,
        }
    }

    /// Whether this run is over IPv6.
    pub fn is_v6(&self) -> bool {
        self.ip_version == IpVersion::V6
    }

    /// Takes an option over. `same_version`: the run is over the version the script is written
    /// for, so that its addresses hold.
    fn option(&mut self, option: &ScriptOption, same_version: bool) -> Result<(), SyntaxError> {
        match option.name.as_str() {
            "ip_version" => {}
            "local_ip" | "local_ipv4" | "local_ipv6" => {
                let version = option.name.strip_prefix("local_");
                if let Some((addr, len)) = self.address(option, version, same_version)? {
                    self.local_ip = addr;
                    self.prefix_len = len.unwrap_or(self.prefix_len);
                }
            }
            "remote_ip" | "remote_ipv4" | "remote_ipv6" => {
                let version = option.name.strip_prefix("remote_");
                if let Some((addr, _)) = self.address(option, version, same_version)? {
                    self.remote_ip = addr;
                }
            }
            "gateway_ip" => {
                if let Some((addr, _)) = self.address(option, Some("ip"), same_version)? {
                    self.gateway_ip = addr;
                }
            }
            "netmask_ip" => {
                let Ok(mask) = option.value.parse::<std::net::Ipv4Addr>() else {
                    return wrong(option, "an IPv4 netmask");
                };
                let mask = u32::from(mask);
                if mask.leading_ones() + mask.trailing_zeros() != 32 {
                    return wrong(option, "an IPv4 netmask");
                }
                if !self.is_v6() {
                    self.prefix_len = mask.leading_ones() as u8;
                }
            }
            "bind_port" => self.bind_port = number(option, 1)?,
            "connect_port" => self.connect_port = number(option, 1)?,
            "mtu" => {
                self.mtu = number::<u16>(option, 68)?.saturating_add(self.mtu_difference);
            }
            "tolerance_usecs" => self.tolerance = number(option, 0)?,
            "tcp_ts_tick_usecs" => {
                let tick = number(option, 0)?;
                self.ts_tick = (tick > 0).then_some(tick);
            }
            "tcp_ts_ecr_scaled" => self.interpolates = true,
            "init_scripts" | "code_command" | "code_format" | "so_filename" | "so_flags" => {
                return Err(SyntaxError::new(
                    option.at,
                    format!(
                        "`--{}` would run a program or read a file: a script cannot",
                        option.name
                    ),
                ));
            }
            // These say how the original tool works, not what a script means.
            "verbose" | "debug" | "dry_run" | "speed" | "non_fatal" | "send_omit_free"
            | "is_anyip" | "define" | "tolerance_percent" => {}
            name => {
                return Err(SyntaxError::new(
                    option.at,
                    format!("the option `--{name}` is not known"),
                ));
            }
        }
        Ok(())
    }

    /// An address and its prefix, if it is of the run's version.
    fn address(
        &self,
        option: &ScriptOption,
        named: Option<&str>,
        same_version: bool,
    ) -> Result<Option<(IpAddr, Option<u8>)>, SyntaxError> {
        let (addr, prefix) = match option.value.split_once('/') {
            Some((addr, prefix)) => (addr, Some(prefix)),
            None => (option.value.as_str(), None),
        };
        let Ok(addr) = addr.parse::<IpAddr>() else {
            return wrong(option, "an address");
        };
        let prefix = match prefix.map(str::parse::<u8>) {
            None => None,
            Some(Ok(len)) => Some(len),
            Some(Err(_)) => return wrong(option, "an address and the length of its prefix"),
        };
        let named_version = matches!(named, Some("ipv4" | "ipv6"));
        let fits = addr.is_ipv6() == self.is_v6();
        if !fits && same_version && !named_version {
            return wrong(option, "an address of the script's version of IP");
        }
        Ok(fits.then_some((addr, prefix)))
    }

    /// Takes a `// netloom:` comment over.
    fn directive(&mut self, directive: &ScriptOption) -> Result<(), SyntaxError> {
        match directive.name.as_str() {
            "only" => match directive.value.as_str() {
                "ipv4" | "ipv6" => Ok(()),
                _ => wrong(directive, "`only=ipv4` or `only=ipv6`"),
            },
            "no" => match directive.value.as_str() {
                "wrap" | "packetdrill" => Ok(()),
                _ => wrong(directive, "`no=wrap` or `no=packetdrill`"),
            },
            "profile" => match PROFILES.iter().find(|(name, _)| *name == directive.value) {
                Some((_, tunables)) => {
                    let set = tunables.iter();
                    let set = set.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
                    self.tunables.extend(set);
                    Ok(())
                }
                None => wrong(directive, "`profile=default` or `profile=rfc5681`"),
            },
            "gso" => {
                self.gso = number(directive, 0)?;
                Ok(())
            }
            "seed" => {
                self.seed = number(directive, 0)?;
                Ok(())
            }
            name => {
                let mut tunables = Tunables::default();
                let set = tunables.set_named(name, &directive.value);
                set.map_err(|error| {
                    let text = match error {
                        Error::NoSuchTunable => format!("`{name}` is no tunable of netloom"),
                        other => format!("{name}={}: {other}", directive.value),
                    };
                    SyntaxError::new(directive.at, text)
                })?;
                self.tunables
                    .push((name.to_owned(), directive.value.clone()));
                Ok(())
            }
        }
    }
}

impl Script {
    /// The one version of IP that the script is about (`// netloom: only=...`).
    fn only(&self) -> Option<IpVersion> {
        let only = self.directives.iter().find(|d| d.name == "only")?;
        match only.value.as_str() {
            "ipv4" => Some(IpVersion::V4),
            "ipv6" => Some(IpVersion::V6),
            _ => None,
        }
    }

    /// Whether the script means to run over a version of IP (`// netloom: only=...`).
    pub fn runs_over(&self, version: IpVersion) -> bool {
        self.only().is_none_or(|only| only == version)
    }

    /// Whether the script means to run with sequence numbers that wrap (not `// netloom:
    /// no=wrap`).
    pub fn runs_at_the_wrap(&self) -> bool {
        !self
            .directives
            .iter()
            .any(|d| d.name == "no" && d.value == "wrap")
    }
}

fn wrong<T>(option: &ScriptOption, expected: &str) -> Result<T, SyntaxError> {
    Err(SyntaxError::new(
        option.at,
        format!("{}={}: expected {expected}", option.name, option.value),
    ))
}

fn number<T: std::str::FromStr + PartialOrd>(
    option: &ScriptOption,
    least: T,
) -> Result<T, SyntaxError> {
    match option.value.parse::<T>() {
        Ok(value) if value >= least => Ok(value),
        Ok(_) | Err(_) => wrong(option, "a whole number in range"),
    }
}
