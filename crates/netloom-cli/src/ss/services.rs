//! Names of ports, as the system has them.

use std::collections::HashMap;
use std::fs;

use netloom::control::Protocol;

/// The names of `/etc/services`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Services {
    names: HashMap<(Protocol, u16), String>,
}

impl Services {
    /// Those of this system; a system without the file has none.
    pub(super) fn of_system() -> Services {
        Services::parse(&fs::read_to_string("/etc/services").unwrap_or_default())
    }

    /// Lines of a name, a port and protocol, and what else there may be.
    pub(super) fn parse(text: &str) -> Services {
        let mut names = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let (Some(name), Some(port)) = (words.next(), words.next()) else {
                continue;
            };
            let Some((port, protocol)) = port.split_once('/') else {
                continue;
            };
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => continue,
            };
            if let Ok(port) = port.parse() {
                // The first name of a port is its own, as for getservbyport(3).
                let _ = names
                    .entry((protocol, port))
                    .or_insert_with(|| name.to_owned());
            }
        }
        Services { names }
    }

    /// What a port is called: `*` for none, its name, or its number.
    pub(super) fn name(&self, protocol: Protocol, port: u16) -> String {
        match port {
            0 => "*".to_owned(),
            port => match self.names.get(&(protocol, port)) {
                Some(name) => name.clone(),
                None => port.to_string(),
            },
        }
    }
}
