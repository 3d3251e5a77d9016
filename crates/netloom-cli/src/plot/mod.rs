//! `netloom plot`: a TCP connection of a capture as a picture.
//!
//! | file | what is in it |
//! |---|---|
//! | `trace` | what a capture shows of a connection |
//! | `chart` | which of that is drawn, and in which colour |
//! | `svg` | lines and strokes over time |

mod chart;
mod svg;
mod trace;

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Draw a TCP connection of a capture: sequence numbers over time, windows, round trips.
///
/// Reads pcapng and pcap files, from netloom, tcpdump or Wireshark; writes SVG, which every browser
/// shows. Remarks in the capture that tell a congestion window (`cwnd 14480`) or a smoothed round
/// trip (`srtt 100312 us`) are drawn too: `netloom demo` writes them. A capture made at the sender
/// shows round trips.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  netloom plot demo.pcapng                  draws demo.svg: the connection that carries most
  netloom plot --list trace.pcap            the connections of a capture
  netloom plot -n 2 -o second.svg trace.pcap")]
pub struct PlotArgs {
    /// The capture
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Where to write the picture; `-`: standard output [default: FILE with .svg for an ending]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Which connection, by its number in the list
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,

    /// Name the connections, those that carry most first, and draw nothing
    #[arg(long)]
    list: bool,
}

/// The file is no capture.
const NO_CAPTURE: u8 = 2;

impl PlotArgs {
    /// Draws the picture.
    ///
    /// # Errors
    ///
    /// The capture cannot be read or holds no such connection; the picture cannot be written.
    pub fn run(&self) -> Result<(), Failure> {
        let name = self.file.display();
        let traces = File::open(&self.file)
            .and_then(|file| trace::read(BufReader::new(file)))
            .map_err(|error| no_capture(&self.file, &error))?;
        if self.list {
            for (number, trace) in (1..).zip(&traces) {
                say(&format!(
                    "{number:3}  {} > {}  {} octets",
                    trace.from, trace.to, trace.octets
                ));
            }
            return Ok(());
        }
        let Some(trace) = traces.get(self.number as usize - 1) else {
            return Err(Failure::new(match traces.len() {
                0 => format!("{name}: no TCP connection in it carries data"),
                many => format!(
                    "{name}: there is no connection {}: it has {many}, see --list",
                    self.number
                ),
            }));
        };
        let picture = chart::svg(trace);
        let output = match &self.output {
            Some(output) if output.as_os_str() == "-" => {
                say(picture.trim_end());
                return Ok(());
            }
            Some(output) => output.clone(),
            None => self.file.with_extension("svg"),
        };
        write(&output, &picture)?;
        say(&format!("wrote {}", output.display()));
        Ok(())
    }
}

/// The picture of the connection that carries most in a capture; `None` if there is none.
///
/// # Errors
///
/// The capture's.
pub(crate) fn picture(capture: impl Read) -> io::Result<Option<String>> {
    Ok(trace::read(capture)?.first().map(chart::svg))
}

fn no_capture(file: &Path, error: &io::Error) -> Failure {
    let what = match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::UnexpectedEof => "the capture is cut short".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(format!("{}: {what}", file.display())).with_exit_code(NO_CAPTURE)
}

/// Writes a picture.
///
/// # Errors
///
/// The file's.
pub(crate) fn write(output: &Path, picture: &str) -> Result<(), Failure> {
    fs::write(output, picture).map_err(|error| {
        Failure::new(format!(
            "cannot write `{}`: {error}: name another place with -o",
            output.display()
        ))
    })
}

/// A reader of standard output that went away is no reason to fail.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

#[cfg(test)]
mod tests;
