//! From a device to a running stack.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netloom_services::dhcp::Client;
use netloom_services::dns::{Config as DnsConfig, Name};
use netloom_stack::wire::{Addr, Cidr, MacAddr};
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack, Tunables};

use super::clock::Clock;
use super::dhcp::Names;
use super::dns::Dns;
use super::error::{invalid, to_io};
use super::poller::Polling;
use super::runtime::Running;
use super::{Dhcp, Net, ToAddr, ToCidr};
use crate::device::{Device, KernelEnd, LinkEnd, Medium, PacketSocket, Tap, Tun};
use crate::sys;

/// A stack about to run on a device. What is wrong with an argument is told by
/// [`Builder::start`].
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    device: Box<dyn DebugDevice>,
    addresses: Vec<Cidr>,
    gateways: Vec<Addr>,
    kernel_addresses: Vec<Cidr>,
    tunables: Tunables,
    limits: Limits,
    polling: Polling,
    dns: Option<DnsConfig>,
    hosts: Vec<(Name, Vec<IpAddr>)>,
    dhcp: Option<Dhcp>,
    #[cfg(feature = "control")]
    control: crate::control::Control,
    mistake: Option<io::Error>,
}

/// A device that can be shown in a [`Builder`]'s debug output.
trait DebugDevice: Device + std::fmt::Debug {
    fn into_device(self: Box<Self>) -> Box<dyn Device>;
}

impl<D: Device + std::fmt::Debug + 'static> DebugDevice for D {
    fn into_device(self: Box<Self>) -> Box<dyn Device> {
        self
    }
}

impl Builder {
    pub(super) fn new(device: impl Device + std::fmt::Debug + 'static) -> Builder {
        Builder {
            device: Box::new(device),
            addresses: Vec::new(),
            gateways: Vec::new(),
            kernel_addresses: Vec::new(),
            tunables: Tunables::default(),
            limits: Limits::default(),
            polling: Polling::default(),
            dns: None,
            hosts: Vec::new(),
            dhcp: None,
            #[cfg(feature = "control")]
            control: crate::control::Control::Off,
            mistake: None,
        }
    }

    fn keep<T>(&mut self, value: io::Result<T>) -> Option<T> {
        value
            .map_err(|error| {
                self.mistake.get_or_insert(error);
            })
            .ok()
    }

    /// Gives the stack an address, with its prefix: `"10.71.0.2/24"`. As often as there are
    /// addresses; on Ethernet the stack makes an IPv6 link-local one by itself.
    pub fn address(mut self, address: impl ToCidr) -> Builder {
        let cidr = self.keep(address.to_cidr());
        self.addresses.extend(cidr);
        self
    }

    /// Names the router for what is not on the link, one for each IP version.
    pub fn gateway(mut self, router: impl ToAddr) -> Builder {
        let router = self.keep(router.to_addr());
        self.gateways.extend(router);
        self
    }

    /// Names a DNS server, at port 53; as often as there are servers, four at most. With it names
    /// can stand where addresses do: `net.tcp_connect("example.org:80")`.
    pub fn dns(mut self, server: impl ToAddr) -> Builder {
        if let Some(server) = self.keep(server.to_addr()) {
            let server = SocketAddr::new(server.into(), netloom_stack::wire::dns::PORT);
            self.dns = Some(self.dns.unwrap_or_default().server(server));
        }
        self
    }

    /// Completes names by this domain; as often as there are domains.
    pub fn dns_search(mut self, domain: &str) -> Builder {
        let config = self.dns.clone().unwrap_or_default();
        let domain: Result<Name, _> = domain.parse();
        let config = domain
            .and_then(|domain| config.search(&domain))
            .map_err(|_| invalid("a search list is of domain names, 256 octets in all"));
        self.dns = self.keep(config).or(self.dns);
        self
    }

    /// Replaces everything about DNS: servers, search list, times.
    pub fn dns_config(mut self, config: DnsConfig) -> Builder {
        self.dns = Some(config);
        self
    }

    /// Gives a name an address, as `/etc/hosts` does: no server is asked about it. As often as it
    /// has addresses.
    pub fn host(mut self, name: &str, addr: impl ToAddr) -> Builder {
        let addr = self.keep(addr.to_addr());
        let name = name
            .parse::<Name>()
            .map_err(|_| invalid("a host has a domain name"));
        if let (Some(name), Some(addr)) = (self.keep(name), addr) {
            match self.hosts.iter_mut().find(|(known, _)| *known == name) {
                Some((_, addrs)) => addrs.push(addr.into()),
                None => self.hosts.push((name, vec![addr.into()])),
            }
        }
        self
    }

    /// Gives the kernel's end of the device an address and brings it up, for TAP and TUN
    /// devices. Needs `CAP_NET_ADMIN`. See [`KernelEnd`] for more than that.
    pub fn kernel_address(mut self, address: impl ToCidr) -> Builder {
        let cidr = self.keep(address.to_cidr());
        self.kernel_addresses.extend(cidr);
        self
    }

    /// Sets a tunable by its name, such as `tcp_rmem`.
    pub fn tunable(mut self, name: &str, value: u64) -> Builder {
        let set = self.tunables.set(name, value).map_err(to_io);
        self.keep(set);
        self
    }

    /// Sets a tunable by its name to what a text says: a number, or a name, as for
    /// `tcp_congestion_control`.
    pub fn tunable_named(mut self, name: &str, text: &str) -> Builder {
        let set = self.tunables.set_named(name, text).map_err(to_io);
        self.keep(set);
        self
    }

    /// Replaces all tunables.
    pub fn tunables(mut self, tunables: Tunables) -> Builder {
        self.tunables = tunables;
        self
    }

    /// Bounds what the stack takes from the heap.
    pub fn limits(mut self, limits: Limits) -> Builder {
        self.limits = limits;
        self
    }

    /// Decides who waits for the device.
    pub fn polling(mut self, polling: Polling) -> Builder {
        self.polling = polling;
        self
    }

    /// Has the stack find its IPv4 address, routes and MTU by itself, and keep them, and the DNS
    /// servers and the search domain too, unless servers are named by [`Builder::dns`] or later:
    /// [`Builder::start`] returns when there is an address. For Ethernet devices.
    pub fn dhcp(self) -> Builder {
        self.dhcp_with(Dhcp::default())
    }

    /// [`Builder::dhcp`] with wishes.
    pub fn dhcp_with(mut self, dhcp: Dhcp) -> Builder {
        self.dhcp = Some(dhcp);
        self
    }

    /// Lets other programs of the same user ask about the stack, and tune it: see
    /// [`control`](crate::control). It then remembers the last 1,024 connections that ended.
    #[cfg(feature = "control")]
    pub fn control(mut self, control: crate::control::Control) -> Builder {
        self.control = control;
        self
    }

    /// Starts the stack, with a thread that drives the device. It runs until the [`Net`], its
    /// clones and all sockets are gone.
    ///
    /// # Errors
    /// What was wrong with an argument ([`io::ErrorKind::InvalidInput`]); what the kernel says of
    /// its own end; no descriptor, thread or randomness left; with [`Builder::dhcp`],
    /// [`io::ErrorKind::TimedOut`] if no server gave an address in time.
    pub fn start(self) -> io::Result<Net> {
        let Built {
            stack,
            device,
            polling,
            beside,
        } = self.build()?;
        let running = Running::start(stack, device, Clock::new(), polling)?;
        beside.join(running, true)
    }

    /// Starts the stack, with a task of a tokio runtime that drives the device. It runs until the
    /// [`Net`], its clones and all sockets are gone, and what was written is delivered, or until
    /// the runtime ends.
    ///
    /// Nothing waits for the task when the last of them is dropped, nor for the address that
    /// [`Builder::dhcp`] is to find: [`Net::dhcp_lease`] tells. Sockets that block wait for it
    /// like any others; a runtime of one thread must not be blocked by one.
    ///
    /// # Errors
    /// As [`Builder::start`]; [`io::ErrorKind::Unsupported`] for a device that epoll(7) does not
    /// know.
    #[cfg(feature = "tokio")]
    pub fn start_on(self, runtime: &::tokio::runtime::Handle) -> io::Result<Net> {
        let Built {
            stack,
            device,
            beside,
            ..
        } = self.build()?;
        beside.join(super::tokio::start_on(runtime, stack, device)?, false)
    }

    /// [`Builder::start_on`] of a stack that takes packets for every address, too: what comes for
    /// its own addresses is for its sockets, all else opens flows. `config` decides on the flows'
    /// memory and times; the device and the tunables are this builder's.
    ///
    /// # Errors
    /// As [`Builder::start_on`].
    #[cfg(feature = "tokio")]
    pub fn start_flows_on(
        mut self,
        runtime: &::tokio::runtime::Handle,
        config: &super::tokio::FlowConfig,
    ) -> io::Result<(Net, super::tokio::FlowListener)> {
        self.limits = config.limits();
        let Built {
            mut stack,
            device,
            beside,
            ..
        } = self.build()?;
        stack.accept_flows(IfaceId::FIRST, config).map_err(to_io)?;
        stack.set_flow_budget(config.memory_budget);
        let net = beside.join(super::tokio::start_on(runtime, stack, device)?, false)?;
        let flows = super::tokio::FlowListener::of(&net.running);
        Ok((net, flows))
    }

    fn build(self) -> io::Result<Built> {
        let Builder {
            device,
            addresses,
            gateways,
            kernel_addresses,
            tunables,
            limits,
            polling,
            dns,
            hosts,
            dhcp,
            #[cfg(feature = "control")]
            control,
            mistake,
        } = self;
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        let mut device = device.into_device();
        if !kernel_addresses.is_empty() {
            let mut end = KernelEnd::of(device.name())?;
            for Cidr { addr, prefix } in kernel_addresses {
                end.address(addr.into(), prefix)?;
            }
            end.up()?;
            device.refresh()?;
        }
        let mut seed = [0; 32];
        sys::random_bytes(&mut seed)?;
        let mut config = match device.medium() {
            Medium::Ethernet { mac } => Config::ethernet(MacAddr(mac)),
            Medium::Ip => Config::ip(),
        }
        .mtu(device.mtu());
        config.tunables = tunables;
        let mut stack = Stack::with_heap(config, limits, Seed::from(seed));
        for address in addresses {
            stack.add_address(IfaceId::FIRST, address).map_err(to_io)?;
        }
        for router in gateways {
            stack.add_gateway(IfaceId::FIRST, router).map_err(to_io)?;
        }
        let names_told = dns.is_some();
        let dns = match dns {
            None if hosts.is_empty() => None,
            config => {
                // Its own seed: what is seen of the stack's numbers must not tell of it.
                sys::random_bytes(&mut seed)?;
                let mut dns = Dns::new(config.unwrap_or_default(), Seed::from(seed));
                for (name, addrs) in hosts {
                    let added = dns.resolver.add_host(&name, &addrs);
                    added.map_err(|_| invalid("there is no room for so many hosts"))?;
                }
                Some(dns)
            }
        };
        let dhcp = match dhcp {
            Some(wanted) => {
                let client = wanted.client(&mut stack).map_err(to_io)?;
                let names = if names_told {
                    Names::Program
                } else {
                    sys::random_bytes(&mut seed)?;
                    Names::Lease(Some(Seed::from(seed)))
                };
                Some((client, wanted.timeout, names))
            }
            None => None,
        };
        Ok(Built {
            stack,
            polling,
            beside: Beside {
                dns,
                dhcp,
                #[cfg(feature = "control")]
                control,
                #[cfg(feature = "control")]
                name: device.name().to_owned(),
            },
            device,
        })
    }
}

/// What a builder makes: a stack for a device, and what runs beside it.
struct Built {
    stack: Stack,
    device: Box<dyn Device>,
    polling: Polling,
    beside: Beside,
}

/// What a running stack is given once it runs.
struct Beside {
    dns: Option<Dns>,
    /// The client, how long to wait, and who says whom to ask about names.
    dhcp: Option<(Client, Duration, Names)>,
    #[cfg(feature = "control")]
    control: crate::control::Control,
    #[cfg(feature = "control")]
    name: String,
}

impl Beside {
    /// Gives it to the stack. `waits`: until DHCP has found an address.
    #[cfg_attr(not(feature = "control"), expect(unused_mut))]
    fn join(self, mut running: Running, waits: bool) -> io::Result<Net> {
        let Beside {
            dns,
            dhcp,
            #[cfg(feature = "control")]
            control,
            #[cfg(feature = "control")]
            name,
        } = self;
        #[cfg(feature = "control")]
        running.open_control(&control, &name)?;
        running.shared().look(|engine| engine.services.dns = dns);
        let net = Net::new(running);
        if let Some((client, timeout, names)) = dhcp {
            let timeout = if waits { timeout } else { Duration::ZERO };
            net.begin_dhcp(client, timeout, names)?;
        }
        Ok(net)
    }
}

/// The builder's methods on the devices themselves, for the common case of one line.
macro_rules! start_from {
    ($($device:ty),+) => {$(
        impl $device {
            /// Begins a stack on this device with an address: see [`Builder::address`].
            pub fn address(self, address: impl ToCidr) -> Builder {
                Builder::new(self).address(address)
            }

            /// Begins a stack on this device that finds its address by itself: see
            /// [`Builder::dhcp`].
            pub fn dhcp(self) -> Builder {
                Builder::new(self).dhcp()
            }

            /// Begins a stack on this device with a router: see [`Builder::gateway`].
            pub fn gateway(self, router: impl ToAddr) -> Builder {
                Builder::new(self).gateway(router)
            }

            /// Begins a stack on this device with an address for the kernel's end: see
            /// [`Builder::kernel_address`].
            pub fn kernel_address(self, address: impl ToCidr) -> Builder {
                Builder::new(self).kernel_address(address)
            }

            /// Starts a stack on this device: see [`Builder::start`].
            ///
            /// # Errors
            /// As [`Builder::start`].
            pub fn start(self) -> io::Result<Net> {
                Builder::new(self).start()
            }

            /// Starts a stack on this device, driven by a task: see [`Builder::start_on`].
            ///
            /// # Errors
            /// As [`Builder::start_on`].
            #[cfg(feature = "tokio")]
            pub fn start_on(self, runtime: &::tokio::runtime::Handle) -> io::Result<Net> {
                Builder::new(self).start_on(runtime)
            }
        }
    )+};
}
start_from!(Tap, Tun, PacketSocket, LinkEnd);
