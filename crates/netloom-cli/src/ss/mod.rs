//! `netloom ss`: the sockets of running instances, or of a file, with the columns of `ss`.
//!
//! | file | what is in it |
//! |---|---|
//! | `table` | columns, and what stands in them |
//! | `services` | names of ports |

mod services;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use netloom::control::proc_net::{ByteOrder, Tables, read, write_all};
use netloom::control::{Ask, Client, Closed, Line, Protocol, Socket, SocketState};

use crate::failure::Failure;
use crate::instances::{Found, InstanceArgs, each};
use services::Services;
use table::{Columns, closed_table, socket_table};

/// List the sockets of running netloom instances, as ss lists the kernel's.
///
/// Without -l or -a it lists what is connected. It asks every instance of this user's, or the one
/// that --instance names.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(after_help = "\
Examples:
  netloom ss -tan                       every TCP socket, numerically
  netloom ss -tio                       connections with their timers and figures
  netloom ss --closed                   the last 1,024 that ended or were refused, and why
  netloom ss --proc /tmp/p && PROC_ROOT=/tmp/p ss -tano
  netloom ss -ano --read /proc/net/tcp  the kernel's, or a file from another machine")]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of ss")]
pub struct SsArgs {
    /// TCP sockets
    #[arg(long, short)]
    tcp: bool,

    /// UDP sockets
    #[arg(long, short)]
    udp: bool,

    /// Only what listens
    #[arg(long, short)]
    listening: bool,

    /// What listens and what is connected
    #[arg(long, short)]
    all: bool,

    /// IPv4 only
    #[arg(short = '4', conflicts_with = "ipv6")]
    ipv4: bool,

    /// IPv6 only
    #[arg(short = '6')]
    ipv6: bool,

    /// Ports as numbers
    #[arg(long, short)]
    numeric: bool,

    /// Timers
    #[arg(long, short)]
    options: bool,

    /// Users and inodes
    #[arg(long, short)]
    extended: bool,

    /// What TCP knows of a connection
    #[arg(long, short)]
    info: bool,

    /// No header
    #[arg(long, short = 'H')]
    no_header: bool,

    /// As JSON
    #[arg(long)]
    json: bool,

    /// The last connections that ended and flows that were refused, and why
    #[arg(long, conflicts_with_all = ["read", "proc"])]
    closed: bool,

    /// Write net/tcp, tcp6, udp, udp6, arp, route, snmp and netstat into this folder as Linux has
    /// them in /proc: PROC_ROOT=DIR ss reads them
    #[arg(long, value_name = "DIR", conflicts_with = "read")]
    proc: Option<PathBuf>,

    /// Decode a file like /proc/net/tcp, tcp6, udp or udp6, from this machine or another
    #[arg(long, value_name = "FILE", conflicts_with = "instance")]
    read: Option<PathBuf>,

    /// The file of --read is from a big-endian machine
    #[arg(long, requires = "read")]
    big_endian: bool,

    #[command(flatten)]
    which: InstanceArgs,
}

impl SsArgs {
    /// Lists what was asked for.
    ///
    /// # Errors
    ///
    /// There is no instance, or it does not answer; a file cannot be read or written.
    pub fn run(&self) -> Result<(), Failure> {
        if let Some(folder) = &self.proc {
            return self.write(folder);
        }
        let text = if let Some(file) = &self.read {
            self.decode(file)?
        } else if self.closed {
            self.closed()?
        } else {
            self.sockets()?
        };
        // Whoever has read enough may go.
        let _ = io::stdout().write_all(text.as_bytes());
        Ok(())
    }

    /// Whether a socket is to be listed, by the rules of ss.
    fn lists(&self, socket: &Socket) -> bool {
        let protocol = match socket.protocol {
            Protocol::Tcp => self.tcp || !self.udp,
            Protocol::Udp => self.udp || !self.tcp,
        };
        let version = match socket.local.is_ipv4() {
            true => !self.ipv6,
            false => !self.ipv4,
        };
        let waits = match socket.protocol {
            Protocol::Tcp => socket.state == SocketState::Listen,
            Protocol::Udp => socket.state == SocketState::Closed,
        };
        let passing = matches!(
            socket.state,
            SocketState::TimeWait | SocketState::SynReceived | SocketState::Closed
        );
        let state = self.all
            || if self.listening {
                waits
            } else {
                !waits && !passing
            };
        protocol && version && state
    }

    fn columns(&self) -> Columns {
        Columns {
            header: !self.no_header,
            // As ss: only where there may be both.
            protocol: self.tcp == self.udp,
            timers: self.options,
            extended: self.extended,
            info: self.info,
            services: if self.numeric {
                Services::default()
            } else {
                Services::of_system()
            },
        }
    }

    fn sockets(&self) -> Result<String, Failure> {
        let mut found = self.which.find()?;
        if self.json {
            let mut all = Vec::new();
            for one in &mut found {
                let sockets = sockets_of(&mut one.client).map_err(|error| one.failed(&error))?;
                let sockets: Vec<_> = sockets.into_iter().filter(|s| self.lists(s)).collect();
                all.push(serde_json::json!({ "instance": one.instance, "sockets": sockets }));
            }
            return Ok(json(&all));
        }
        let mut text = String::new();
        let columns = self.columns();
        each(&mut found, &mut text, |one, text| {
            let sockets = sockets_of(&mut one.client)?;
            let sockets = sockets.iter().filter(|s| self.lists(s));
            *text += &socket_table(sockets, &columns);
            Ok(())
        })?;
        Ok(text)
    }

    fn closed(&self) -> Result<String, Failure> {
        let mut found = self.which.find()?;
        if self.json {
            let mut all = Vec::new();
            for one in &mut found {
                let closed = closed_of(&mut one.client).map_err(|error| one.failed(&error))?;
                all.push(serde_json::json!({ "instance": one.instance, "closed": closed }));
            }
            return Ok(json(&all));
        }
        let mut text = String::new();
        let columns = self.columns();
        each(&mut found, &mut text, |one, text| {
            *text += &closed_table(&closed_of(&mut one.client)?, &columns);
            Ok(())
        })?;
        Ok(text)
    }

    fn decode(&self, file: &Path) -> Result<String, Failure> {
        let name = file.display();
        let text = if file == Path::new("-") {
            io::read_to_string(io::stdin())
        } else {
            fs::read_to_string(file)
        };
        let text = text.map_err(|error| Failure::new(format!("cannot read `{name}`: {error}")))?;
        let order = if self.big_endian {
            ByteOrder::BIG
        } else {
            ByteOrder::LITTLE
        };
        let rows = read(&text, order).map_err(|error| {
            Failure::new(format!("`{name}` is not like /proc/net/tcp: {error}"))
        })?;
        let sockets: Vec<_> = rows.into_iter().map(|row| row.socket).collect();
        let listed = sockets.iter().filter(|s| self.lists(s));
        if self.json {
            return Ok(json(&[
                serde_json::json!({ "sockets": listed.collect::<Vec<_>>() }),
            ]));
        }
        Ok(socket_table(listed, &self.columns()))
    }

    fn write(&self, folder: &Path) -> Result<(), Failure> {
        let mut found = self.which.find_one()?;
        let tables = tables_of(&mut found).map_err(|error| found.failed(&error))?;
        write_all(folder, &tables).map_err(|error| {
            Failure::new(format!("cannot write into `{}`: {error}", folder.display()))
        })
    }
}

fn json(value: &[serde_json::Value]) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

fn sockets_of(client: &mut Client) -> io::Result<Vec<Socket>> {
    client.gather(Ask::Sockets, |line| match line {
        Line::Socket(socket) => Some(*socket),
        _ => None,
    })
}

fn closed_of(client: &mut Client) -> io::Result<Vec<Closed>> {
    client.gather(Ask::Closed, |line| match line {
        Line::Closed(closed) => Some(closed),
        _ => None,
    })
}

fn tables_of(found: &mut Found) -> io::Result<Tables> {
    let client = &mut found.client;
    let sockets = sockets_of(client)?;
    let interfaces = client.gather(Ask::Interfaces, |line| match line {
        Line::Interface(interface) => Some(interface),
        _ => None,
    })?;
    let neighbors = client.gather(Ask::Neighbors, |line| match line {
        Line::Neighbor(neighbor) => Some(neighbor),
        _ => None,
    })?;
    let routes = client.gather(Ask::Routes, |line| match line {
        Line::Route(route) => Some(route),
        _ => None,
    })?;
    let mut numbers = BTreeMap::new();
    for ask in [Ask::Counters, Ask::Tunables] {
        numbers.extend(client.gather(ask, |line| match line {
            Line::Counter(counter) => Some((counter.name, counter.value)),
            Line::Tunable(tunable) => Some((tunable.name, tunable.value)),
            _ => None,
        })?);
    }
    Ok(Tables {
        sockets,
        interfaces,
        neighbors,
        routes,
        numbers,
    })
}
