//! `netloom serve`: the command line.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use super::{Limits, Root, Server};

/// Serve a folder over HTTP.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom serve                          this folder at http://127.0.0.1:8080/
  netloom serve --port 0 -v ~/public     that folder at a free port, a line for each request
  netloom serve --bind 0.0.0.0           for every host that reaches this one")]
pub struct ServeArgs {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,

    /// Address and port to listen on, in one
    #[arg(long, value_name = "ADDR:PORT", conflicts_with_all = ["bind", "port"])]
    listen: Option<SocketAddr>,

    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,

    /// Port to listen on; 0 for any free one
    #[arg(long, short, value_name = "PORT", default_value_t = 8080)]
    port: u16,

    /// Write a line for each request to standard error
    #[arg(long, short)]
    verbose: bool,
}

/// Why the server cannot run, in one line that says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl ServeArgs {
    /// Serves until the process ends.
    ///
    /// # Errors
    ///
    /// The folder cannot be opened, the address cannot be listened on, or no more connections
    /// come.
    pub fn run(&self) -> Result<(), Failure> {
        let root = Root::open(&self.folder).map_err(|error| self.folder_failure(&error))?;
        let address = self.listen.unwrap_or(SocketAddr::new(self.bind, self.port));
        let listener =
            TcpListener::bind(address).map_err(|error| listen_failure(address, &error))?;
        let address = listener.local_addr().unwrap_or(address);
        // Standard output may be closed; that is no reason not to serve.
        let _ = writeln!(
            io::stdout(),
            "serving {} at http://{address}/",
            root.path().display()
        );
        let mut server = Server::new(root, Limits::default());
        if self.verbose {
            server = server.with_log(|record| {
                // One write a line, so that lines of different threads do not mix.
                let _ = io::stderr().write_all(format!("{record}\n").as_bytes());
            });
        }
        server
            .serve(&listener)
            .map_err(|error| Failure(format!("no more connections at {address}: {error}")))
    }

    fn folder_failure(&self, error: &io::Error) -> Failure {
        let folder = self.folder.display();
        Failure(match error.kind() {
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

fn listen_failure(address: SocketAddr, error: &io::Error) -> Failure {
    Failure(match error.kind() {
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
