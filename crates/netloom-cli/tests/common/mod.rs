//! A running `netloom serve`, ended when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program on a free port of the loopback.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Running {
    pub(crate) fn serving(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netloom"))
            .args(["serve", "--port", "0"])
            .arg(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, address) = line
            .trim()
            .rsplit_once("http://")
            .expect("it says where it listens");
        Self {
            child,
            address: address.trim_end_matches('/').to_owned(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
