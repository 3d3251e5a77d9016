//! The device a command works on, as its options say: `--tap`, `--tun`, `--interface`.
//!
//! | file | what is in it |
//! |---|---|
//! | `addresses` | addresses and MACs as options take them |
//! | `capture` | the end of a capture, of which is told |
//! | `watched` | a device whose frames are told of, recorded, or both |

mod addresses;
mod capture;
mod watched;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use netloom::control::Control;
use netloom::device::{Device, DeviceError, Offload};
use netloom::dhcp::ConflictCheck;
use netloom::net::{self, Builder, Dhcp, DnsConfig, Reason};
use netloom::tcp::CloseReason;
use netloom::wire::{Addr, Cidr};
use netloom::{Net, PacketSocket, Tap, Tun};

use crate::failure::Failure;
use addresses::{parse_addr, parse_cidr};
pub(crate) use addresses::{parse_mac, parse_server};
pub(crate) use capture::Capture;
pub(crate) use watched::{Watch, Watched};

/// The kernel's addresses at its end of a device, unless options say otherwise.
const KERNEL: [&str; 2] = ["10.71.0.1/24", "fd71::1/64"];
/// netloom's.
const OWN: [&str; 2] = ["10.71.0.2/24", "fd71::2/64"];

/// The exit code where no DHCP server gave an address in time.
pub(crate) const NO_LEASE: u8 = 3;

/// Where netloom's frames go, and what its addresses are.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Device")]
pub struct DeviceArgs {
    /// A TAP device (netloom0 unless named): needs root or CAP_NET_ADMIN
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true,
          default_missing_value = "netloom0", conflicts_with_all = ["tun", "interface"])]
    tap: Option<String>,

    /// A TUN device (netloom0 unless named): needs root or CAP_NET_ADMIN
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true,
          default_missing_value = "netloom0", conflicts_with = "interface")]
    tun: Option<String>,

    /// An interface that is there, such as one end of a veth pair: needs root or CAP_NET_RAW
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,

    /// netloom's address and prefix length; several are possible [default: 10.71.0.2/24 and
    /// fd71::2/64; none with --interface]
    #[arg(long, value_name = "ADDR/LEN", value_parser = parse_cidr)]
    address: Vec<Cidr>,

    /// Have a DHCP server tell netloom's IPv4 address, routes and MTU, and DNS servers if none are named
    #[arg(long, conflicts_with_all = ["tun", "address"])]
    dhcp: bool,

    /// The router to all other networks; one for each IP version
    #[arg(long, value_name = "ADDR", value_parser = parse_addr)]
    gateway: Vec<Addr>,

    /// A DNS server, for names in the place of addresses; several are possible, asked in this order
    #[arg(long, value_name = "ADDR[:PORT]", value_parser = parse_server)]
    dns: Vec<SocketAddr>,

    /// The kernel's address at its end of --tap or --tun; several are possible [default:
    /// 10.71.0.1/24 and fd71::1/64, unless --address is given]
    #[arg(long, value_name = "ADDR/LEN", value_parser = parse_cidr, conflicts_with = "interface")]
    kernel_address: Vec<Cidr>,

    /// netloom's MAC [default: a random one; with --interface the interface's]
    #[arg(long, value_name = "MAC", value_parser = parse_mac, conflicts_with = "tun")]
    mac: Option<[u8; 6]>,

    /// What the kernel does for netloom: `none`, `checksum`, or `segmentation` too
    #[arg(long, value_name = "WHAT", default_value = "segmentation", hide_default_value = true,
          value_parser = parse_offload)]
    offload: Option<Offload>,
}

pub(crate) fn parse_offload(text: &str) -> Result<Offload, String> {
    match text {
        "none" => Ok(Offload::None),
        "checksum" => Ok(Offload::Checksum),
        "segmentation" => Ok(Offload::Segmentation),
        _ => Err("it is none, checksum or segmentation".to_owned()),
    }
}

/// A lease that is used as soon as nobody has objected for a moment.
fn quick() -> Dhcp {
    Dhcp {
        conflict_check: ConflictCheck::Quick,
        ..Dhcp::default()
    }
}

impl DeviceArgs {
    /// Whether a device was asked for.
    pub(crate) fn is_given(&self) -> bool {
        self.tap.is_some() || self.tun.is_some() || self.interface.is_some()
    }

    /// Whether options were given that only a device can have.
    pub(crate) fn has_addresses(&self) -> bool {
        !self.address.is_empty()
            || !self.gateway.is_empty()
            || !self.kernel_address.is_empty()
            || !self.dns.is_empty()
            || self.mac.is_some()
            || self.dhcp
    }

    /// Whether a DHCP server tells the address.
    pub(crate) fn asks_dhcp(&self) -> bool {
        self.dhcp
    }

    /// The same, with an address from a DHCP server.
    pub(crate) fn for_dhcp(&self) -> DeviceArgs {
        DeviceArgs {
            dhcp: true,
            ..self.clone()
        }
    }

    /// netloom's addresses.
    pub(crate) fn addresses(&self) -> Vec<Cidr> {
        if self.dhcp {
            Vec::new()
        } else if self.address.is_empty() {
            constants(OWN)
        } else {
            self.address.clone()
        }
    }

    /// Makes the device, and starts a stack on it. `None` if no device was asked for.
    ///
    /// # Errors
    ///
    /// The device cannot be made or configured; the failure says what would help, and ends with
    /// `otherwise`.
    pub(crate) fn start(&self, watch: Watch, otherwise: &str) -> Result<Option<Net>, Failure> {
        self.start_with(watch, otherwise, |builder| builder)
    }

    /// [`start`](Self::start) with more to be said of the stack.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub(crate) fn start_with(
        &self,
        watch: Watch,
        otherwise: &str,
        change: impl FnOnce(Builder) -> Builder,
    ) -> Result<Option<Net>, Failure> {
        let made = |error: DeviceError| match error {
            DeviceError::PermissionDenied { action, .. } => Failure::new(format!(
                "cannot {action}: permission denied: run as root{otherwise}"
            )),
            error @ DeviceError::NoSuchDevice { .. } => {
                Failure::new(format!("{error}: `ip link` lists those there are"))
            }
            error => Failure::new(error.to_string()),
        };
        let started = |builder: io::Result<Builder>| {
            builder
                .map(|builder| {
                    if self.dhcp {
                        builder.dhcp_with(quick())
                    } else {
                        builder
                    }
                })
                .and_then(|builder| change(builder).start())
                .map(Some)
                .map_err(|error| {
                    let failure = Failure::new(error.to_string());
                    // Nothing else that is begun here takes so long.
                    match error.kind() {
                        io::ErrorKind::TimedOut => failure.with_exit_code(NO_LEASE),
                        _ => failure,
                    }
                })
        };
        let offload = self.offload.unwrap_or_default();
        if let Some(name) = &self.tap {
            let mut tap = Tap::create(name)
                .and_then(|tap| tap.with_offload(offload))
                .map_err(made)?;
            if let Some(mac) = self.mac {
                tap = tap.with_mac(mac).map_err(made)?;
            }
            return started(self.builder(tap, watch));
        }
        if let Some(name) = &self.tun {
            if self.dhcp {
                let what = "DHCP needs an Ethernet device: --tap or --interface";
                return Err(Failure::usage(what));
            }
            let tun = Tun::create(name)
                .and_then(|tun| tun.with_offload(offload))
                .map_err(made)?;
            return started(self.builder(tun, watch));
        }
        if let Some(name) = &self.interface {
            if self.address.is_empty() && !self.dhcp {
                let what = "--interface has no address: add --address ADDR/LEN or --dhcp";
                return Err(Failure::usage(what));
            }
            let mut socket = PacketSocket::open(name).map_err(made)?;
            if let Some(mac) = self.mac {
                socket = socket.with_mac(mac).map_err(made)?;
            }
            return started(self.builder(socket.with_offload(offload), watch));
        }
        Ok(None)
    }

    fn builder(
        &self,
        device: impl Device + std::fmt::Debug + 'static,
        watch: Watch,
    ) -> io::Result<Builder> {
        let mut builder = if watch.is_idle() {
            Net::builder(device)
        } else {
            Net::builder(Watched::new(device, watch)?)
        }
        .control(Control::IfPossible);
        for address in self.addresses() {
            builder = builder.address(address);
        }
        for &router in &self.gateway {
            builder = builder.gateway(router);
        }
        if !self.dns.is_empty() {
            let servers = self.dns.iter();
            let config = servers.fold(DnsConfig::new(), |config, at| config.server(*at));
            builder = builder.dns_config(config);
        }
        for address in self.kernel_addresses() {
            builder = builder.kernel_address(address);
        }
        Ok(builder)
    }

    /// The DNS servers.
    pub(crate) fn dns(&self) -> &[SocketAddr] {
        &self.dns
    }

    /// The first address of the kernel's end, if this device has one.
    pub(crate) fn kernel_ip(&self) -> Option<std::net::IpAddr> {
        self.kernel_addresses().first().map(|cidr| cidr.addr.into())
    }

    fn kernel_addresses(&self) -> Vec<Cidr> {
        if self.interface.is_some() || !self.kernel_address.is_empty() || !self.address.is_empty() {
            return self.kernel_address.clone();
        }
        constants(KERNEL)
    }
}

/// Whether a call on a socket failed because the device has, which is final.
pub(crate) fn is_fault(error: &io::Error) -> bool {
    let reason = net::Error::of(error).map(net::Error::reason);
    matches!(
        reason,
        // A connection is told it is closed, whatever else waits hears of the device.
        Some(Reason::Device(_) | Reason::Closed(CloseReason::InterfaceRemoved))
    )
}

/// Addresses that are right as they stand in this file.
fn constants(texts: [&str; 2]) -> Vec<Cidr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// What `-v` and `--pcap` ask for.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Packets")]
pub struct WatchArgs {
    /// Tell of each packet in a line on standard error
    #[arg(long, short)]
    verbose: bool,

    /// Write each packet to a file for Wireshark or tcpdump (pcapng)
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
}

impl WatchArgs {
    /// Whether packets are told of.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Opens what the options ask for.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn open(&self) -> Result<Watch, Failure> {
        Watch::open(self.verbose, self.pcap.as_deref()).map_err(|error| {
            let file = self.pcap.as_deref().unwrap_or("".as_ref()).display();
            Failure::new(format!(
                "cannot write `{file}`: {error}: name another place with --pcap"
            ))
        })
    }
}

#[cfg(test)]
mod tests;
