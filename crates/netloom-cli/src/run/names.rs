//! Whom the command asks about names.
//!
//! Many hosts have a resolver of their own at a loopback address (systemd-resolved's 127.0.0.53), which
//! in the namespace is nobody's. There the command sees a resolv.conf with addresses that netloom
//! carries to the host's loopback.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use super::namespace::HOST;

/// Where everybody looks for whom to ask.
const PATH: &str = "/etc/resolv.conf";
/// Servers that are asked at most (resolv.conf(5)).
const SERVERS: usize = 3;
/// What stands for the host's resolvers at loopback addresses other than those of [`HOST`].
pub(super) const STUBS: [IpAddr; SERVERS] = [
    IpAddr::V4(Ipv4Addr::new(10, 71, 0, 53)),
    IpAddr::V4(Ipv4Addr::new(10, 71, 0, 54)),
    IpAddr::V4(Ipv4Addr::new(10, 71, 0, 55)),
];

/// What is to be different in the namespace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The resolv.conf in there.
    conf: String,
    /// Addresses in there, and the host's that they stand for.
    pub(super) stand_for: Vec<(IpAddr, IpAddr)>,
}

impl Names {
    /// Reads the host's resolv.conf; `None` if it serves in the namespace as it is.
    pub(super) fn of_host() -> Option<Names> {
        let conf = fs::read(PATH).ok()?;
        Names::of(&String::from_utf8_lossy(&conf))
    }

    fn of(conf: &str) -> Option<Names> {
        let mut names = Names {
            conf: String::new(),
            stand_for: Vec::new(),
        };
        let (mut servers, mut changed) = (0, false);
        for line in conf.lines() {
            let server = server_of(line).filter(|_| servers < SERVERS);
            servers += usize::from(server.is_some());
            match server.and_then(|server| names.inside(server)) {
                Some(inside) => {
                    changed = true;
                    names.conf += &format!("nameserver {inside}\n");
                }
                None => {
                    names.conf += line;
                    names.conf.push('\n');
                }
            }
        }
        if servers == 0 {
            // Then the host itself is asked.
            changed = true;
            names.conf += &format!("nameserver {}\n", HOST[0]);
        }
        changed.then_some(names)
    }

    /// What a server at a loopback address is in the namespace.
    fn inside(&mut self, server: IpAddr) -> Option<IpAddr> {
        let itself = server.is_unspecified() || server.is_loopback();
        let [v4, v6] = HOST;
        match server {
            _ if !itself => None,
            IpAddr::V6(_) => Some(v6),
            IpAddr::V4(at) if at == Ipv4Addr::LOCALHOST || at.is_unspecified() => Some(v4),
            IpAddr::V4(_) => {
                let stub = *STUBS.get(self.stand_for.len())?;
                self.stand_for.push((stub, server));
                Some(stub)
            }
        }
    }

    /// Lets this process and its children see that resolv.conf instead of the host's, in a mount
    /// namespace of their own. `draft` is a file to be made for that, and gone afterwards.
    pub(super) fn put(&self, draft: &Path) -> io::Result<()> {
        fs::write(draft, &self.conf)?;
        let nothing = None::<&str>;
        let put = unshare(CloneFlags::CLONE_NEWNS)
            // What is mounted outside later is seen in here, but not the other way round.
            .and_then(|()| {
                let from_outside = MsFlags::MS_REC | MsFlags::MS_SLAVE;
                mount(nothing, "/", nothing, from_outside, nothing)
            })
            .and_then(|()| mount(Some(draft), PATH, nothing, MsFlags::MS_BIND, nothing));
        // Mounted it lives on.
        let _ = fs::remove_file(draft);
        Ok(put?)
    }
}

/// The server that a line of resolv.conf names.
fn server_of(line: &str) -> Option<IpAddr> {
    let rest = line.strip_prefix("nameserver")?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let server = rest.split_ascii_whitespace().next()?;
    // A link-local one with its interface is one as well.
    server.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(conf: &str) -> Option<(String, Vec<(IpAddr, IpAddr)>)> {
        Names::of(conf).map(|names| (names.conf, names.stand_for))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn servers_elsewhere_are_left_alone() {
        assert_eq!(inside("nameserver 192.0.2.53\nsearch a\n"), None);
        assert_eq!(inside("nameserver 2001:db8::53\n"), None);
        assert_eq!(inside("nameserver fe80::1%eth0\nnameserver ::2\n"), None);
    }

    #[test]
    fn loopback_addresses_are_replaced_and_the_rest_kept() {
        let conf = "# a stub\nnameserver 127.0.0.53\noptions edns0\nsearch a b\n\
                    nameserver 192.0.2.53\nnameserver\t127.9.9.9 # another\n";
        let due = "# a stub\nnameserver 10.71.0.53\noptions edns0\nsearch a b\n\
                   nameserver 192.0.2.53\nnameserver 10.71.0.54\n";
        let stand_for = vec![
            (address("10.71.0.53"), address("127.0.0.53")),
            (address("10.71.0.54"), address("127.9.9.9")),
        ];
        assert_eq!(inside(conf), Some((due.to_owned(), stand_for)));
    }

    #[test]
    fn the_host_has_names_of_its_own() {
        for (server, due) in [
            ("127.0.0.1", "10.71.0.3"),
            ("0.0.0.0", "10.71.0.3"),
            ("::1", "fd71::3"),
            ("::", "fd71::3"),
        ] {
            let due = format!("nameserver {due}\n");
            let conf = format!("nameserver {server}");
            assert_eq!(inside(&conf), Some((due, Vec::new())), "{server}");
        }
        let none = "search a\nnameservers 127.0.0.1\n nameserver 127.0.0.1\n";
        let due = format!("{none}nameserver 10.71.0.3\n");
        assert_eq!(inside(none), Some((due, Vec::new())));
        assert_eq!(
            inside(""),
            Some(("nameserver 10.71.0.3\n".to_owned(), Vec::new()))
        );
    }

    #[test]
    fn those_nobody_asks_are_left_alone() {
        let four = "nameserver 127.0.0.2\n".repeat(4);
        let (conf, stand_for) = inside(&four).unwrap();
        assert!(conf.ends_with("10.71.0.55\nnameserver 127.0.0.2\n"));
        assert_eq!(stand_for.len(), 3);
    }
}
