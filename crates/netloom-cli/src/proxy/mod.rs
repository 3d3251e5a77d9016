//! `netloom proxy`: everybody's TCP, UDP and pings, carried on by this host's sockets.
//!
//! | file | what is in it |
//! |---|---|
//! | `outside` | this host's sockets: where they lead, and by which interface |
//! | `tcp`, `udp`, `echo` | one flow of each kind, carried on |
//! | `failed` | why flows are refused, said |
//! | `scratch`, `lost` | what they share: a buffer a thread, and what they could not pass on |

mod echo;
mod failed;
mod lost;
mod outside;
mod scratch;
mod tcp;
mod udp;

use std::io::Write;
use std::net::IpAddr;

use netloom::Tun;
use netloom::control::Control;
use netloom::device::{Device, DeviceError, Offload};
use netloom::stack::DropReason;
use netloom::tokio::{Flow, FlowConfig, FlowListener};
use netloom::wire::Cidr;
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;
use failed::Failures;
pub(crate) use outside::Outside;

/// What flows may take, unless an option says otherwise, in MiB.
const MEMORY: usize = 64;

/// What a relay takes beside its flow, with its socket: for each so many bytes of the budget there
/// may be a flow of each protocol.
const RELAY: usize = 4096;

/// Carry everybody's TCP, UDP and pings on by this host's sockets.
///
/// Whatever the kernel routes into the TUN interface is taken in, whoever sent it and wherever it
/// leads: netloom ends the connection and begins another one to the same destination with a socket
/// of this host's. A connection that is refused there is refused here; an unreachable one is
/// unreachable. Pings are carried on as pings. Fragments are not put together, and none are made:
/// datagrams and pings that are longer than a packet on either interface are lost.
///
/// Its own sockets must not be routed into the interface again: route what comes from others there
/// (`ip rule add iif eth1 lookup 100`), or name the way out with --out.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom proxy --tun tun0 --kernel-address 10.9.0.1/24
  netloom proxy --tun tun0 --route 198.51.100.0/24 --out eth0

Exit codes: 0 when it is told to end (SIGINT, SIGTERM); 1 if the device cannot be made or is
removed; 2 if the command line makes no sense.")]
pub struct ProxyArgs {
    /// The TUN interface, made if it is not there: needs root or CAP_NET_ADMIN
    #[arg(long, value_name = "NAME")]
    tun: String,

    /// An address for the kernel's end of the interface; several are possible
    #[arg(long, value_name = "ADDR/LEN", value_parser = parse_cidr)]
    kernel_address: Vec<Cidr>,

    /// What the kernel is to route into the interface; several are possible
    #[arg(long, value_name = "ADDR/LEN", value_parser = parse_cidr)]
    route: Vec<Cidr>,

    /// The interface this host's sockets leave by
    #[arg(long, value_name = "INTERFACE")]
    out: Option<String>,

    /// Bytes that flows may take, in MiB; for each 4 KiB there may be a flow of each protocol
    #[arg(long, value_name = "MIB", default_value_t = MEMORY)]
    memory: usize,

    /// The largest IP packet on the interface, in bytes
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(1280..))]
    mtu: Option<u16>,

    /// What the kernel does for netloom: `none`, `checksum`, or `segmentation` too
    #[arg(long, value_name = "WHAT", default_value = "segmentation", hide_default_value = true,
          value_parser = crate::device::parse_offload)]
    offload: Offload,

    /// Say every second how many flows there are, what they take, and what was dropped; and why
    /// flows are refused
    #[arg(short, long)]
    verbose: bool,
}

/// Packets that may wait for the proxy in the kernel: at 200 Mbit/s, half a second's.
const QUEUE: u32 = 8192;

fn parse_cidr(text: &str) -> Result<Cidr, String> {
    text.parse()
        .map_err(|_| "write it like 10.9.0.1/24 or fd09::1/64".to_owned())
}

impl ProxyArgs {
    /// Carries flows until it is told to end.
    ///
    /// # Errors
    ///
    /// The device cannot be made or configured, or is removed.
    pub fn run(&self) -> Result<(), Failure> {
        raise_limit();
        let tun = self.device().map_err(|error| match error {
            DeviceError::PermissionDenied { action, .. } => Failure::new(format!(
                "cannot {action}: permission denied: run as root, or use `netloom run`, which \
                 needs no rights"
            )),
            error => Failure::new(error.to_string()),
        })?;
        let runtime = runtime()?;
        runtime.block_on(self.serve(tun))
    }

    /// The interface, with addresses and routes as they were asked for.
    fn device(&self) -> Result<Tun, DeviceError> {
        let mut tun = Tun::create(&self.tun)?.with_offload(self.offload)?;
        let mut kernel = tun.kernel_end()?;
        kernel.queue(QUEUE)?;
        if let Some(mtu) = self.mtu {
            kernel.mtu(mtu)?;
        }
        for Cidr { addr, prefix } in &self.kernel_address {
            kernel.address(IpAddr::from(*addr), *prefix)?;
        }
        kernel.up()?;
        for Cidr { addr, prefix } in &self.route {
            kernel.route(IpAddr::from(*addr), *prefix, None)?;
        }
        tun.refresh()?;
        Ok(tun)
    }

    async fn serve(&self, tun: Tun) -> Result<(), Failure> {
        let memory = self.memory.saturating_mul(1 << 20);
        let most = FlowConfig::default().flows;
        let flows = u32::try_from(memory / RELAY).map_or(most, |flows| flows.min(most));
        let config = FlowConfig::default().memory_budget(memory).flows(flows);
        let cannot = |what: &str, error| Failure::new(format!("cannot {what}: {error}"));
        // Those who carry are to be seen as those who serve are.
        let flows = FlowListener::with_control(tun, config, &Control::IfPossible)
            .map_err(|error| cannot("take flows", error))?;
        let outside = Outside::by(self.out.as_deref());
        let ask = |kind| signal(kind).map_err(|error| cannot("wait for signals", error));
        let mut ends = (ask(SignalKind::interrupt())?, ask(SignalKind::terminate())?);
        say(&format!("carrying on what comes by {}", self.tun));
        let told = async {
            tokio::select! {
                _ = ends.0.recv() => {}
                _ = ends.1.recv() => {}
            }
        };
        tokio::select! {
            () = told => Ok(()),
            () = carry(flows, outside, self.verbose) => {
                Err(Failure::new(format!("{} is gone", self.tun)))
            }
        }
    }
}

/// A runtime for all of it.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format!("cannot start threads: {error}")))
}

/// Every flow needs a socket: as many as the system lets this user have.
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // With fewer, flows beyond are refused.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Carries flows on until there is no device any more.
pub(crate) async fn carry(mut flows: FlowListener, outside: Outside, verbose: bool) {
    let mut tick = tokio::time::interval(std::time::Duration::from_secs(1));
    let mut most = 0;
    let failures = Failures::new(verbose);
    loop {
        let flow = tokio::select! {
            flow = flows.accept() => flow,
            _ = tick.tick(), if verbose => {
                let memory = flows.memory_in_use();
                most = most.max(memory);
                say(&format!(
                    "{} flows, {} KiB, at most {} KiB{}",
                    flows.flow_count(),
                    memory >> 10,
                    most >> 10,
                    dropped(&flows),
                ));
                continue;
            }
        };
        let (outside, failures) = (outside.clone(), failures.clone());
        match flow {
            None => return,
            Some(Flow::Tcp(syn)) => drop(tokio::spawn(tcp::carry(syn, outside, failures))),
            Some(Flow::Udp(flow)) => drop(tokio::spawn(udp::carry(flow, outside, failures))),
            Some(Flow::Echo(flow)) => drop(tokio::spawn(echo::carry(flow, outside, failures))),
        }
    }
}

/// What was dropped and refused so far, by reason.
fn dropped(flows: &FlowListener) -> String {
    let counters = flows.counters();
    let refused = [
        ("tcp-flows-refused", counters.tcp_flows_refused),
        ("udp-flows-refused", counters.udp_flows_refused),
        ("icmp-flows-refused", counters.icmp_flows_refused),
    ];
    let of_relays = [("too-long-for-the-client", lost::count())];
    DropReason::ALL
        .iter()
        .map(|reason| (reason.name(), counters.dropped(*reason)))
        .chain(refused)
        .chain(of_relays)
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("; {name} {count}"))
        .collect()
}

fn say(what: &str) {
    // Nobody is left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "netloom: {what}");
}
