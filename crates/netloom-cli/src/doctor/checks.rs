//! What is looked at, one thing after the other.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use netloom::Tap;
use netloom::device::{DeviceError, Offload};

use crate::failure::Failure;
use crate::run::namespace;

/// The receive buffer packet sockets ask for, in octets: `net.core.rmem_max` cuts it.
const RECEIVE_BUFFER: u64 = 4 << 20;
/// Descriptors that a server of a thousand connections needs, with room to spare.
const OPEN_FILES: u64 = 4096;
/// Bits in capability sets (capabilities(7)).
const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;

/// What to do where there is no tun driver, and where it may not be used.
const LOAD_TUN: &str = "sudo modprobe tun; in a container, give it the device /dev/net/tun";
const OPEN_TUN: &str = "sudo chmod 0666 /dev/net/tun, or run as root";

/// One thing that was looked at.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: &'static str,
    /// What it is good for.
    pub(super) serves: &'static str,
    /// `netloom run` cannot do without it.
    pub(super) is_needed: bool,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
pub(super) enum Outcome {
    Yes,
    No {
        why: String,
        /// What changes it: a command, where there is one.
        fix: String,
    },
}

impl Check {
    /// Whether it is missing and needed.
    pub(super) fn is_in_the_way(&self) -> bool {
        self.is_needed && matches!(self.outcome, Outcome::No { .. })
    }
}

/// Looks at everything.
pub(super) fn all() -> Vec<Check> {
    let check = |name, serves, is_needed, outcome| Check {
        name,
        serves,
        is_needed,
        outcome,
    };
    vec![
        check(
            "namespaces",
            "netloom run: a network of its own, without rights",
            true,
            in_a_child("--try-run"),
        ),
        check("tun", "--tap, --tun: /dev/net/tun", false, tun()),
        check(
            "offload",
            "--tap, --tun: the kernel sums and cuts segments",
            false,
            in_a_child("--try-offload"),
        ),
        check(
            "net-admin",
            "--tap, --tun: making and configuring interfaces",
            false,
            capability(CAP_NET_ADMIN, "CAP_NET_ADMIN", "cap_net_admin"),
        ),
        check(
            "net-raw",
            "--interface: packet sockets",
            false,
            capability(CAP_NET_RAW, "CAP_NET_RAW", "cap_net_raw"),
        ),
        check("ipv6", "addresses of IP version 6", false, ipv6()),
        check(
            "receive-buffer",
            "--interface: bursts are not lost",
            false,
            receive_buffer(),
        ),
        check(
            "open-files",
            "serve: a thousand connections at once",
            false,
            open_files(),
        ),
    ]
}

/// Makes the namespaces and the cable of `netloom run` in this process.
///
/// # Errors
///
/// What stands in the way.
pub(super) fn try_run() -> Result<(), Failure> {
    namespace::enter()?;
    namespace::connect()
        .map(drop)
        .map_err(|error| Failure::new(format!("no cable can be laid into a namespace: {error}")))
}

/// Makes a TAP interface with `IFF_VNET_HDR` in a namespace of its own, and has the kernel take over
/// all it can (`TUNSETOFFLOAD`).
///
/// # Errors
///
/// What stands in the way, and after a colon what to do.
pub(super) fn try_offload() -> Result<(), Failure> {
    namespace::enter()?;
    let tap = Tap::create("netloom%d").map_err(|error| {
        Failure::new(match error {
            DeviceError::PermissionDenied { action, .. } => {
                format!("no permission to {action}: {OPEN_TUN}")
            }
            DeviceError::Unsupported { what } => format!("there is no {what}: {LOAD_TUN}"),
            error => format!(
                "no TAP interface with IFF_VNET_HDR can be made, {}: see what \
                 `sudo ip tuntap add netloom0 mode tap vnet_hdr` says",
                error.kind()
            ),
        })
    })?;
    let left = match tap.offload() {
        Offload::Segmentation => return Ok(()),
        Offload::Checksum => "segmentation",
        Offload::None => "checksums and segmentation",
    };
    Err(Failure::new(format!(
        "this kernel leaves {left} to netloom: use one whose tun driver takes TUN_F_CSUM, \
         TUN_F_TSO4 and TUN_F_TSO6"
    )))
}

/// In a process of its own: there is no way back out of a namespace.
fn in_a_child(what: &str) -> Outcome {
    let tried = env::current_exe().and_then(|program| {
        Command::new(program)
            .args(["doctor", what])
            .stdin(Stdio::null())
            .output()
    });
    match tried {
        Ok(output) if output.status.success() => Outcome::Yes,
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            let text = text.trim().trim_start_matches("netloom: ");
            let (why, fix) = text.split_once(": ").unwrap_or((text, "run as root"));
            Outcome::No {
                why: why.to_owned(),
                fix: fix.to_owned(),
            }
        }
        Err(error) => Outcome::No {
            why: format!("this program cannot be run again: {error}"),
            fix: "make its file readable and executable".to_owned(),
        },
    }
}

fn tun() -> Outcome {
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    let Err(error) = opened else {
        return Outcome::Yes;
    };
    Outcome::No {
        why: format!("it cannot be opened: {error}"),
        fix: match error.kind() {
            ErrorKind::NotFound => LOAD_TUN.to_owned(),
            _ => OPEN_TUN.to_owned(),
        },
    }
}

fn capability(bit: u32, name: &str, setcap: &str) -> Outcome {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = line.and_then(|line| u64::from_str_radix(line.trim(), 16).ok());
    if set.is_some_and(|set| set >> bit & 1 == 1) {
        return Outcome::Yes;
    }
    let program = env::current_exe().unwrap_or_else(|_| "netloom".into());
    Outcome::No {
        why: format!("this process has no {name}"),
        fix: format!(
            "run as root, or: sudo setcap {setcap}+ep {}",
            program.display()
        ),
    }
}

fn ipv6() -> Outcome {
    match setting("net/ipv6/conf/all/disable_ipv6").as_deref() {
        Some("0") => Outcome::Yes,
        Some(_) => Outcome::No {
            why: "it is switched off".to_owned(),
            fix: "sudo sysctl -w net.ipv6.conf.all.disable_ipv6=0".to_owned(),
        },
        None => Outcome::No {
            why: "the kernel runs without it".to_owned(),
            fix: "boot without ipv6.disable=1".to_owned(),
        },
    }
}

fn receive_buffer() -> Outcome {
    let most: Option<u64> = setting("net/core/rmem_max").and_then(|text| text.parse().ok());
    match most {
        Some(most) if most >= RECEIVE_BUFFER => Outcome::Yes,
        Some(most) => Outcome::No {
            why: format!("net.core.rmem_max is {most}"),
            fix: format!("sudo sysctl -w net.core.rmem_max={RECEIVE_BUFFER}"),
        },
        // A network namespace does not show it; it is the host's.
        None => Outcome::Yes,
    }
}

fn open_files() -> Outcome {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    match soft {
        Some("unlimited") | None => Outcome::Yes,
        Some(soft) if soft.parse().is_ok_and(|soft: u64| soft >= OPEN_FILES) => Outcome::Yes,
        Some(soft) => Outcome::No {
            why: format!("a process may have {soft} files open"),
            fix: format!("ulimit -n {OPEN_FILES}"),
        },
    }
}

fn setting(name: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
    Some(text.trim().to_owned())
}
