//! `netloom run -- CMD`: a command whose network is netloom, without rights.
//!
//! The command gets a network namespace of its own, with one cable: the kernel at its end, netloom
//! behind the other. Nothing of the host changes: no file, no interface, no route. Where the host's
//! resolver is at a loopback address, the command sees another `/etc/resolv.conf`.
//!
//! Two processes: this one stays outside, where the host's sockets are, and starts itself again; that
//! one enters the namespaces, lays the cable, passes its end out, and becomes the command.
//!
//! | file | what is in it |
//! |---|---|
//! | `namespace` | entering the namespaces, as the user one was; the cable |
//! | `names` | whom the command asks about names |
//! | `inside` | the process in the namespace, and where the two meet |
//! | `child` | the command: its signals, its exit code |

mod child;
mod inside;
mod names;
pub(crate) mod namespace;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::thread;

use netloom::Net;

use crate::failure::Failure;
use crate::proxy::{Outside, carry, raise_limit, runtime};
use crate::serve::{Limits, Root, Server};
use crate::signals::Interrupts;
use inside::Rendezvous;
use names::Names;
use namespace::{HOST, SERVER, SERVER_V6};

/// The port of the services' HTTP server.
const HTTP_PORT: u16 = 80;

/// Run a command whose network is netloom: no rights are needed.
///
/// The command runs as you, in a network namespace of its own. There is nothing but netloom in it:
/// at 10.71.0.2 and fd71::2 it answers pings and serves a folder over HTTP; 10.71.0.3 and fd71::3
/// are this host (its 127.0.0.1 and ::1); everything else, TCP, UDP and pings, is ended by netloom
/// and carried on by this host's sockets. Names are looked up where this host looks them up. Signals are passed on, and the exit code is the command's.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom run -- curl http://10.71.0.2/
  netloom run -- curl https://www.example.org/
  netloom run -- ping -c 3 fd71::2
  netloom run --serve ~/public -- sh          a shell in there; `exit` ends it

Exit codes: the command's; 128 and the signal's number if a signal ended it; 126 if it cannot be
run; 127 if there is none; 1 if there can be no namespace; 2 if the command line makes no sense.")]
pub struct RunArgs {
    /// The folder to serve at http://10.71.0.2/
    #[arg(long, value_name = "DIR", default_value = ".")]
    serve: PathBuf,

    /// The command and its arguments
    #[arg(
        value_name = "CMD",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<std::ffi::OsString>,
}

impl RunArgs {
    /// Runs the command to its end; returns its exit code.
    ///
    /// # Errors
    ///
    /// The system allows no namespace, the folder cannot be served, or the command cannot be run.
    pub fn run(&self) -> Result<u8, Failure> {
        // One for each of the addresses it is served at.
        let roots = [self.root()?, self.root()?];
        let interrupts = Interrupts::hold()
            .map_err(|error| Failure::new(format!("cannot wait for signals: {error}")))?;
        raise_limit();
        let cannot = |what: &str, error| Failure::new(format!("cannot {what}: {error}"));
        let rendezvous = Rendezvous::new()
            .map_err(|error| cannot("make a folder for temporary files", error))?;
        let child = child::start_inside(&rendezvous.path(), &self.command, &interrupts)?;
        let (mut child, met) = child::meet(child, &rendezvous, &interrupts)?;
        // Without it there is no command either: the exit code says why.
        if let Some((mut inside, cable)) = met {
            let runtime = runtime()?;
            let started = start(roots, cable, &runtime);
            if started.is_err() {
                let _ = child.kill();
            }
            let net = started?;
            inside
                .write_all(b"g")
                .map_err(|error| cannot("start the command", error))?;
            drop((inside, rendezvous));
            let code = child::finish(child, &interrupts);
            runtime.shutdown_background();
            drop(net);
            return code;
        }
        child::finish(child, &interrupts)
    }
}

impl RunArgs {
    /// The folder to serve.
    fn root(&self) -> Result<Root, Failure> {
        Root::open(&self.serve).map_err(|error| {
            let folder = self.serve.display();
            Failure::new(format!(
                "cannot serve `{folder}`: {error}: name another folder with --serve"
            ))
        })
    }
}

/// Starts netloom behind the cable: the HTTP server, and everything else by this host's sockets.
fn start(
    roots: [Root; 2],
    cable: OwnedFd,
    runtime: &tokio::runtime::Runtime,
) -> Result<Net, Failure> {
    let cannot = |what: &str, error| Failure::new(format!("cannot {what}: {error}"));
    let (net, flows) = namespace::start(cable, runtime.handle())
        .map_err(|error| cannot("use the cable into the namespace", error))?;
    let addresses = [IpAddr::V4(SERVER), IpAddr::V6(SERVER_V6)];
    for (at, root) in addresses.into_iter().zip(roots) {
        let listener = net
            .tcp_listen((at, HTTP_PORT))
            .map_err(|error| cannot(&format!("listen at {at}"), error))?;
        let server = Server::new(root, Limits::default());
        let stack = net.clone();
        thread::Builder::new()
            .name("accept".into())
            // It ends with the program.
            .spawn(move || server.serve(&stack, listener))
            .map_err(|error| cannot("start a thread", error))?;
    }
    let mut host = vec![
        (HOST[0], IpAddr::V4(Ipv4Addr::LOCALHOST)),
        (HOST[1], IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    host.extend(Names::of_host().into_iter().flat_map(|n| n.stand_for));
    let outside = Outside::default().with_host(host);
    runtime.spawn(carry(flows, outside, false));
    Ok(net)
}

/// What `netloom run` starts in the namespace: not for people.
#[derive(Debug, Clone, clap::Args)]
pub struct InsideArgs {
    /// Where `netloom run` waits.
    #[arg(long)]
    at: PathBuf,

    /// The command and its arguments.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<std::ffi::OsString>,
}
