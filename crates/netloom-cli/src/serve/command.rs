//! `netloom serve`: the command line.

use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;

use netloom::Net;

use super::{Limits, Root, Server, Uploads};
use crate::device::{self, DeviceArgs, Watch};
use crate::failure::Failure;
use crate::proxy::raise_limit;
use crate::relay;
use crate::size::parse_size;

/// The server's port on the relay's link, where nobody else sees it, and by default on a device.
const HTTP_PORT: u16 = 80;

/// The kernel's port by default: one that needs no rights.
const RELAY_PORT: u16 = 8080;

/// Connections that the kernel keeps until they are accepted, as far as `net.core.somaxconn` lets it.
const BACKLOG: i32 = 4096;

/// Serve a folder over HTTP, on netloom.
///
/// Without rights the kernel accepts the connections, and each is carried over netloom's own TCP,
/// IP and Ethernet to the server: both ends are netloom. With --tap, --tun or --interface the
/// server has an address of its own on that device, which the kernel and others reach like any
/// other host's.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom serve                          this folder at http://127.0.0.1:8080/
  netloom serve --port 0 -v ~/public     that folder at a free port, a line for each request
  netloom serve --listen 0.0.0.0:8080    for every host that reaches this one
  netloom serve --upload incoming        curl -T FILE http://127.0.0.1:8080/ puts it there
  sudo netloom serve --tap               this folder at http://10.71.0.2/ and http://[fd71::2]/
  sudo netloom serve --interface veth1 --address 192.0.2.2/24")]
pub struct ServeArgs {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Address and port to listen on, in one
    #[arg(long, value_name = "ADDR:PORT",
          conflicts_with_all = ["bind", "port", "tap", "tun", "interface"])]
    listen: Option<SocketAddr>,

    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST),
          conflicts_with_all = ["tap", "tun", "interface"])]
    bind: IpAddr,

    /// Port to listen on, 0 for any free one [default: 8080, on a device 80]
    #[arg(long, short, value_name = "PORT")]
    port: Option<u16>,

    /// Store files that clients send with PUT in this folder, which need not be the one served. A
    /// name changes only once the content is complete and on the disk
    #[arg(long, value_name = "DIR")]
    upload: Option<PathBuf>,

    /// The most octets of one such file: 64K, 256M, 1G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = parse_size,
          requires = "upload")]
    upload_limit: u64,

    /// Write a line for each request to standard error
    #[arg(long, short)]
    verbose: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl ServeArgs {
    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// The folder cannot be opened, the address cannot be listened on, the device cannot be made,
    /// or no more connections come.
    pub fn run(&self) -> Result<(), Failure> {
        let open = |folder: &Path, what: &str| {
            Root::open(folder).map_err(|error| folder_failure(folder, what, &error))
        };
        let root = open(&self.folder, "serve")?;
        let uploads = self.upload.as_deref();
        let uploads = uploads.map(|folder| open(folder, "store uploads in"));
        let uploads = uploads.transpose()?;
        let uploads = uploads.map(|root| Uploads::new(root, self.upload_limit));
        let otherwise = ", or leave out the device, which needs no rights";
        if let Some(net) = self.device.start(Watch::default(), otherwise)? {
            return self.run_on_device(root, uploads, &net);
        }
        if self.device.has_addresses() {
            let what = "addresses are those of a device: add --tap, --tun or --interface: \
                        see `netloom serve --help`";
            return Err(Failure::usage(what));
        }
        self.run_behind_relay(root, uploads)
    }

    /// Serves at addresses of our own on a device.
    fn run_on_device(
        &self,
        root: Root,
        uploads: Option<Uploads>,
        net: &Net,
    ) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::new(error.to_string());
        let port = self.port.unwrap_or(HTTP_PORT);
        let listener = net
            .tcp_listen((Ipv6Addr::UNSPECIFIED, port))
            .map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        // The first address last: it is what a reader's eye falls on.
        let addresses = self.device.addresses();
        let own = addresses.iter().rev().map(|cidr| cidr.addr.into());
        let leased = net.dhcp_lease().map(|lease| lease.ip().into());
        let urls: Vec<_> = own.chain(leased).map(|ip| url(ip, port)).collect();
        let root_path = root.path().display().to_string();
        say(&format!("serving {root_path} at {}", urls.join(" and ")));
        self.server(root, uploads)
            .serve(net, listener)
            .map_err(|error| {
                let remedy = if device::is_fault(&error) {
                    ": start again once it is there"
                } else {
                    ""
                };
                Failure::new(format!("no more connections: {error}{remedy}"))
            })
    }

    /// Serves connections the kernel accepts, each carried over netloom.
    fn run_behind_relay(&self, root: Root, uploads: Option<Uploads>) -> Result<(), Failure> {
        // A descriptor for each connection, and one for each file.
        raise_limit();
        let port = self.port.unwrap_or(RELAY_PORT);
        let address = self.listen.unwrap_or(SocketAddr::new(self.bind, port));
        let kernel = TcpListener::bind(address).map_err(|error| listen_failure(address, &error))?;
        // std's 128 is less than what a crowd opens before it is accepted: the SYNs beyond it are lost, and
        // come again after a second.
        rustix::net::listen(&kernel, BACKLOG)
            .map_err(|error| listen_failure(address, &error.into()))?;
        let address = kernel.local_addr().unwrap_or(address);
        let failed = |error: io::Error| Failure::new(format!("cannot start netloom: {error}"));
        let (near, far) = relay::link(Watch::default()).map_err(failed)?;
        let server = SocketAddr::new(IpAddr::V4(relay::FAR_V4), HTTP_PORT);
        let listener = far.tcp_listen(server).map_err(failed)?;
        say(&format!(
            "serving {} at {}\n\
             the kernel ends at {address}: from there netloom carries each connection over its \
             own TCP, IP and Ethernet to {server}, both ends netloom",
            root.path().display(),
            url(address.ip(), address.port()),
        ));
        let http = self.server(root, uploads);
        thread::Builder::new()
            .name("accept".into())
            // The stack outlives every connection, so it has always more to give.
            .spawn(move || http.serve(&far, listener))
            .map_err(failed)?;
        relay::run(&kernel, &near, server)
            .map_err(|error| Failure::new(format!("no more connections at {address}: {error}")))
    }

    fn server(&self, root: Root, uploads: Option<Uploads>) -> Server {
        let mut server = Server::new(root, Limits::default());
        if let Some(uploads) = uploads {
            server = server.with_uploads(uploads);
        }
        if !self.verbose {
            return server;
        }
        server.with_log(|record| {
            // One write a line, so that lines of different threads do not mix.
            let _ = io::stderr().write_all(format!("{record}\n").as_bytes());
        })
    }
}

fn folder_failure(folder: &Path, what: &str, error: &io::Error) -> Failure {
    let other = error.to_string();
    let why = match error.kind() {
        ErrorKind::NotFound => "no such folder: make it, or name another one",
        ErrorKind::NotADirectory => "not a folder: name the folder the file is in",
        ErrorKind::PermissionDenied => "permission denied: run as a user who may read it",
        _ => &other,
    };
    Failure::new(format!("cannot {what} `{}`: {why}", folder.display()))
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
