//! Leases in a file that survives whatever ends the server.
//!
//! The file is a log: one line a change, with a checksum at its end, on the disk before the server
//! speaks of it. What a crash leaves half written has no valid checksum and is passed over. When the
//! file is opened, and when it has grown far beyond what it says, it is written anew beside itself
//! and takes the old one's name in one step.
//!
//! ```text
//! 10.71.0.105 leased 1764453000 client 01ff00000001 hardware 1/020000000001 #8d3f2a11
//! ```

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use netloom_services::dhcp::{Binding, BindingState, ClientKey, Store, StoreError};
use netloom_stack::wire::Cidr;
use netloom_stack::wire::dhcpv4::Hardware;

use super::HeapStore;

/// Lines beyond twice the bindings before the file is written anew.
const SLACK: usize = 1024;
/// What has ended is remembered this long, in seconds, so that clients that come back get their
/// address again.
const MEMORY: u64 = 90 * 24 * 3600;

/// A [`Store`] in a file: what [`put`](Store::put) has answered `Ok` to is there after `kill -9`, and
/// after the power failed as far as the disk keeps what it was told to keep.
#[derive(Debug)]
pub struct FileStore {
    path: PathBuf,
    file: File,
    /// Held as long as this lives: another server has to find another file.
    _lock: File,
    leases: HeapStore,
    lines: usize,
    /// The last line may be half written.
    torn: bool,
    skipped: usize,
}

impl FileStore {
    /// Opens a file of leases, or makes it. Beside it there is a file of its name with `.lock`
    /// behind.
    ///
    /// # Errors
    /// What the file system says; on Linux [`io::ErrorKind::WouldBlock`] if another server has it.
    pub fn open(path: impl AsRef<Path>) -> io::Result<FileStore> {
        let path = path.as_ref().to_path_buf();
        // A file of its own: the leases' is replaced by others of its name.
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(beside(&path, "lock"))?;
        #[cfg(target_os = "linux")]
        crate::sys::lock(std::os::fd::AsFd::as_fd(&lock))?;
        let mut text = Vec::new();
        let file = OpenOptions::new()
            .create(true)
            .read(true)
            .append(true)
            .open(&path)?;
        (&file).read_to_end(&mut text)?;
        let mut store = FileStore {
            path,
            file,
            _lock: lock,
            leases: HeapStore::new(),
            lines: 0,
            torn: false,
            skipped: 0,
        };
        for line in text.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            match parse(line) {
                Some(binding) => store.leases.keep(&binding),
                None => store.skipped += 1,
            }
        }
        store.rewrite()?;
        Ok(store)
    }

    /// Lines that made no sense when the file was opened: at most one after a crash.
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// How many bindings there are.
    pub fn len(&self) -> usize {
        self.leases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// Writes a line; it is on the disk when this returns.
    fn append(&mut self, binding: &Binding) -> io::Result<()> {
        let mut line = String::new();
        if self.torn {
            line.push('\n');
        }
        line.push_str(&text_of(binding));
        self.torn = true;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.torn = false;
        self.lines += 1;
        Ok(())
    }

    /// Writes the file anew, with what it says now and no more.
    fn rewrite(&mut self) -> io::Result<()> {
        let new = beside(&self.path, "new");
        let mut text = String::new();
        let mut bindings: Vec<&Binding> = self.leases.bindings().collect();
        bindings.sort_by_key(|binding| binding.address);
        for binding in bindings {
            text.push_str(&text_of(binding));
        }
        let mut file = File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&new, &self.path)?;
        // The name is of the folder: it is on the disk when that is.
        let folder = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = self.leases.len();
        self.torn = false;
        Ok(())
    }

    /// Forgets what ended long ago.
    fn forget(&mut self, now: u64) {
        let old = |b: &&Binding| b.expires.saturating_add(MEMORY) < now;
        let old: Vec<Binding> = self.leases.bindings().filter(old).copied().collect();
        for binding in old {
            self.leases.forget(&binding);
        }
    }
}

impl Store for FileStore {
    fn by_address(&self, address: Ipv4Addr) -> Option<Binding> {
        self.leases.by_address(address)
    }

    fn by_client(&self, client: &ClientKey, network: &Cidr) -> Option<Binding> {
        self.leases.by_client(client, network)
    }

    fn put(&mut self, binding: &Binding, now: u64) -> Result<(), StoreError> {
        self.append(binding).map_err(|_| StoreError::Failed)?;
        self.leases.keep(binding);
        if self.lines > 2 * self.leases.len() + SLACK {
            self.forget(now);
            // What is there says all of it, if not briefly: trying again can wait.
            let _ = self.rewrite();
        }
        Ok(())
    }

    fn for_each(&self, each: &mut dyn FnMut(&Binding)) {
        self.leases.for_each(each);
    }
}

/// A file beside another.
fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// A line, with its end.
fn text_of(binding: &Binding) -> String {
    let Binding {
        address,
        client,
        hardware,
        state,
        expires,
    } = binding;
    let state = match state {
        BindingState::Leased => "leased",
        BindingState::Released => "released",
        BindingState::Quarantined => "quarantined",
    };
    let mut line = format!("{address} {state} {expires} client ");
    hex(&mut line, client.as_bytes());
    let _ = write!(line, " hardware {}/", hardware.htype);
    hex(&mut line, hardware.as_bytes());
    let sum = crc32fast::hash(line.as_bytes());
    let _ = writeln!(line, " #{sum:08x}");
    line
}

fn hex(text: &mut String, bytes: &[u8]) {
    if bytes.is_empty() {
        text.push('-');
    }
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

/// What a line says; `None` if it says nothing that was written here.
fn parse(line: &[u8]) -> Option<Binding> {
    let line = std::str::from_utf8(line).ok()?;
    let (said, sum) = line.rsplit_once(" #")?;
    if sum.len() != 8 || u32::from_str_radix(sum, 16).ok()? != crc32fast::hash(said.as_bytes()) {
        return None;
    }
    let mut words = said.split(' ');
    let address = words.next()?.parse().ok()?;
    let state = match words.next()? {
        "leased" => BindingState::Leased,
        "released" => BindingState::Released,
        "quarantined" => BindingState::Quarantined,
        _ => return None,
    };
    let expires = words.next()?.parse().ok()?;
    let client = words.nth(1).and_then(unhex)?;
    let (htype, octets) = words.nth(1)?.split_once('/')?;
    let octets = unhex(octets)?;
    let mut hardware = Hardware {
        htype: htype.parse().ok()?,
        hlen: u8::try_from(octets.len()).ok()?,
        chaddr: [0; 16],
    };
    hardware
        .chaddr
        .get_mut(..octets.len())?
        .copy_from_slice(&octets);
    Some(Binding {
        address,
        client: ClientKey::from_bytes(&client)?,
        hardware,
        state,
        expires,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return Some(Vec::new());
    }
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect())
}

#[cfg(test)]
mod tests;
