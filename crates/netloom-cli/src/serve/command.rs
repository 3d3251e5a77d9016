//! `netloom serve`: the command line.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::thread;

use netloom::device::DeviceError;
use netloom::{LinkEnd, Net, Tap};

use super::{Limits, Root, Server, relay};
use crate::failure::Failure;

/// The kernel's addresses on the TAP device, and those of the relay's near end.
const NEAR_V4: &str = "10.71.0.1/24";
const NEAR_V6: &str = "fd71::1/64";
/// The server's addresses on netloom.
const SERVER_V4: Ipv4Addr = Ipv4Addr::new(10, 71, 0, 2);
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 2);

/// The IP packets of the relay's link, in octets: Ethernet's.
const RELAY_MTU: u16 = 1500;

/// The server's port on the relay's link, where nobody else sees it, and by default on a TAP
/// device.
const HTTP_PORT: u16 = 80;

/// The kernel's port by default: one that needs no rights.
const RELAY_PORT: u16 = 8080;

/// Serve a folder over HTTP, on netloom.
///
/// Without rights the kernel accepts the connections, and each is carried over netloom's own TCP,
/// IP and Ethernet to the server: both ends are netloom. With --tap the server has an address of
/// its own on a TAP device, which the kernel reaches like any other host.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom serve                          this folder at http://127.0.0.1:8080/
  netloom serve --port 0 -v ~/public     that folder at a free port, a line for each request
  netloom serve --listen 0.0.0.0:8080    for every host that reaches this one
  sudo netloom serve --tap               this folder at http://10.71.0.2/ and http://[fd71::2]/")]
pub struct ServeArgs {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Serve on a TAP device (netloom0 unless named): needs root or CAP_NET_ADMIN
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true,
          default_missing_value = "netloom0", conflicts_with_all = ["listen", "bind"])]
    tap: Option<String>,

    /// Address and port to listen on, in one
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["bind", "port"])]
    listen: Option<SocketAddr>,

    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Port to listen on, 0 for any free one [default: 8080, with --tap 80]
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,

    /// Write a line for each request to standard error
    #[arg(long, short)]
    verbose: bool,
}

impl ServeArgs {
    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// The folder cannot be opened, the address cannot be listened on, the device cannot be made,
    /// or no more connections come.
    pub fn run(&self) -> Result<(), Failure> {
        let root = Root::open(&self.folder).map_err(|error| self.folder_failure(&error))?;
        match &self.tap {
            Some(name) => self.run_on_tap(root, name),
            None => self.run_behind_relay(root),
        }
    }

    /// Serves at addresses of our own on a TAP device.
    fn run_on_tap(&self, root: Root, name: &str) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(error.to_string());
        let net = Tap::create(name)
            .map_err(|error| tap_failure(&error))?
            .kernel_address(NEAR_V4)
            .kernel_address(NEAR_V6)
            .address(format!("{SERVER_V4}/24").as_str())
            .address(format!("{SERVER_V6}/64").as_str())
            .start()
            .map_err(failed)?;
        let port = self.port.unwrap_or(HTTP_PORT);
        let listener = net
            .tcp_listen((Ipv6Addr::UNSPECIFIED, port))
            .map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let [v4, v6] = [IpAddr::V4(SERVER_V4), IpAddr::V6(SERVER_V6)].map(|ip| url(ip, port));
        say(&format!(
            "serving {} at {v6} and {v4}\n\
             on netloom's own TCP/IP; the kernel is its neighbour {NEAR_V4}, {NEAR_V6} on {name}",
            root.path().display()
        ));
        self.server(root)
            .serve(&listener)
            .map_err(|error| Failure::new(format!("no more connections on {name}: {error}")))
    }

    /// Serves connections the kernel accepts, each carried over netloom.
    fn run_behind_relay(&self, root: Root) -> Result<(), Failure> {
        let port = self.port.unwrap_or(RELAY_PORT);
        let address = self.listen.unwrap_or(SocketAddr::new(self.bind, port));
        let kernel = TcpListener::bind(address).map_err(|error| listen_failure(address, &error))?;
        let address = kernel.local_addr().unwrap_or(address);
        let failed = |error: io::Error| Failure::new(format!("cannot start netloom: {error}"));
        let (near, far) = link().map_err(failed)?;
        let server = SocketAddr::new(IpAddr::V4(SERVER_V4), HTTP_PORT);
        let listener = far.tcp_listen(server).map_err(failed)?;
        say(&format!(
            "serving {} at {}\n\
             the kernel ends at {address}: from there netloom carries each connection over its \
             own TCP, IP and Ethernet to {server}, both ends netloom",
            root.path().display(),
            url(address.ip(), address.port()),
        ));
        let http = self.server(root);
        thread::Builder::new()
            .name("accept".into())
            // The stack outlives every connection, so it has always more to give.
            .spawn(move || http.serve(&listener))
            .map_err(failed)?;
        relay::run(&kernel, &near, server)
            .map_err(|error| Failure::new(format!("no more connections at {address}: {error}")))
    }

    fn server(&self, root: Root) -> Server {
        let server = Server::new(root, Limits::default());
        if !self.verbose {
            return server;
        }
        server.with_log(|record| {
            // One write a line, so that lines of different threads do not mix.
            let _ = io::stderr().write_all(format!("{record}\n").as_bytes());
        })
    }

    fn folder_failure(&self, error: &io::Error) -> Failure {
        let folder = self.folder.display();
        Failure::new(match error.kind() {
            ErrorKind::NotFound => {
                format!("cannot serve `{folder}`: no such folder: make it, or name another one")
            }
            ErrorKind::NotADirectory => {
                format!("cannot serve `{folder}`: not a folder: name the folder the file is in")
            }
            ErrorKind::PermissionDenied => {
                format!("cannot serve `{folder}`: permission denied: run as a user who may read it")
            }
            _ => format!("cannot serve `{folder}`: {error}"),
        })
    }
}

/// Two stacks on a link in memory: the relay's end and the server's.
fn link() -> io::Result<(Net, Net)> {
    let (near, far) = LinkEnd::pair(RELAY_MTU)?;
    let near = near.address(NEAR_V4).address(NEAR_V6).start()?;
    let far = far
        .address(format!("{SERVER_V4}/24").as_str())
        .address(format!("{SERVER_V6}/64").as_str())
        .start()?;
    Ok((near, far))
}

/// The URL of a server's root; the port only where it is not HTTP's own.
fn url(ip: IpAddr, port: u16) -> String {
    match (ip, port) {
        (IpAddr::V4(v4), HTTP_PORT) => format!("http://{v4}/"),
        (IpAddr::V6(v6), HTTP_PORT) => format!("http://[{v6}]/"),
        (ip, port) => format!("http://{}/", SocketAddr::new(ip, port)),
    }
}

/// Standard output may be closed; that is no reason not to serve.
fn say(what: &str) {
    let _ = writeln!(io::stdout(), "{what}");
}

fn tap_failure(error: &DeviceError) -> Failure {
    Failure::new(match error {
        DeviceError::PermissionDenied { action, .. } => format!(
            "cannot {action}: permission denied: run as root, or leave out --tap, \
             which needs no rights"
        ),
        error => error.to_string(),
    })
}

fn listen_failure(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "cannot listen on {address}: the port is in use: \
             end the other program or choose another port with --port"
        ),
        ErrorKind::AddrNotAvailable => format!(
            "cannot listen on {address}: this host has no such address: \
             choose one it has with --bind"
        ),
        ErrorKind::PermissionDenied => format!(
            "cannot listen on {address}: permission denied: \
             choose a port of 1024 or above with --port"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    })
}
