//! `netloom demo`: what the stack does, in a few seconds and without any rights.
//!
//! | file | what is in it |
//! |---|---|
//! | `world` | two stacks on a bad path and a virtual clock: a handshake told, a transfer checked |
//! | `narrator` | the frames in words, on the terminal and as comments in the capture |
//! | `page` | the transfer as a picture, with words |
//! | `kernel` | the kernel's own TCP talks to netloom, in a network namespace (Linux) |
//! | `content` | what is transferred, and its SHA-256 |

mod content;
#[cfg(target_os = "linux")]
mod kernel;
mod narrator;
mod page;
mod world;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use crate::failure::Failure;

/// Show a handshake, 10 MB over a bad path, and the kernel's TCP talking to netloom.
///
/// The first part runs on a virtual clock, so its minute takes less than a second, and on every
/// system the same. The second part runs where Linux lets you make a network namespace.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom demo                    both parts; writes demo.pcapng and demo.html
  netloom demo --seed 8           other losses, other initial sequence numbers
  netloom demo --pcap /tmp/a.pcapng")]
pub struct DemoArgs {
    /// Chooses what is lost, and everything random in the stacks
    #[arg(long, value_name = "NUMBER", default_value_t = 7)]
    seed: u64,

    /// Where to write the packets of the first part
    #[arg(long, value_name = "FILE", default_value = "demo.pcapng")]
    pcap: PathBuf,

    /// Where to draw them: sequence numbers, windows and round trips over time
    #[arg(long, value_name = "FILE", default_value = "demo.html")]
    html: PathBuf,

    /// Run only the part with the kernel, in this process.
    #[arg(long, hide = true)]
    kernel: bool,
}

impl Default for DemoArgs {
    /// As without any arguments.
    fn default() -> DemoArgs {
        DemoArgs {
            seed: 7,
            pcap: PathBuf::from("demo.pcapng"),
            html: PathBuf::from("demo.html"),
            kernel: false,
        }
    }
}

impl DemoArgs {
    /// Runs the demonstration.
    ///
    /// # Errors
    ///
    /// Something arrived damaged or not at all, or the capture cannot be written.
    pub fn run(&self) -> Result<(), Failure> {
        #[cfg(target_os = "linux")]
        if self.kernel {
            return kernel::run_here();
        }
        let start = Instant::now();
        let pcapng = world::run(self.seed)?;
        let path = self.pcap.display();
        fs::write(&self.pcap, &pcapng).map_err(|error| {
            Failure::new(format!(
                "cannot write `{path}`: {error}: name another place with --pcap"
            ))
        })?;
        say(&format!(
            "wrote {path}: every packet, with comments: wireshark {path}, tshark -r {path}"
        ));
        page::write(&self.html, &pcapng)?;
        say(&format!(
            "wrote {}: the transfer as a picture",
            self.html.display()
        ));
        say("");
        #[cfg(target_os = "linux")]
        kernel::run_in_namespace()?;
        say(&format!(
            "That took {:.1} s. Next:\n\
             \x20 netloom serve               then: curl http://127.0.0.1:8080/\n\
             \x20 sudo netloom serve --tap    then: ping 10.71.0.2; curl http://10.71.0.2/\n\
             \x20 netloom --help",
            start.elapsed().as_secs_f64()
        ));
        Ok(())
    }
}

/// Standard output may be closed; the exit code still tells how it went.
fn say(what: &str) {
    let _ = writeln!(io::stdout(), "{what}");
}
