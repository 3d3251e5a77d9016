//! A running `netloom serve`, ended when dropped.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program on a free port of the loopback.
#[derive(Debug)]
#[allow(dead_code, reason = "each test binary uses its own part")]
pub(crate) struct Running {
    child: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

#[allow(dead_code, reason = "each test binary uses its own part")]
impl Running {
    pub(crate) fn serving(folder: &Path) -> Self {
        Self::serving_with(folder, &[])
    }

    /// The same with further options.
    pub(crate) fn serving_with(folder: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netloom"));
        command
            .args(["serve", "--port", "0"])
            .args(options)
            .arg(folder);
        Self::started(command)
    }

    /// Its process: that of the command it was started by.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What a command is that ends in running the program.
    pub(crate) fn started(mut command: Command) -> Self {
        let mut child = command
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
