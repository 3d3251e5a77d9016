//! The socket of an instance, and the threads behind it.

use std::fs;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use super::answer::answer;
use super::folder;
use super::message::{Instance, Line, Question, VERSION};
use crate::net::{Looker, WeakLooker};
use crate::sys;

/// Clients at the same time; more are turned away.
const CLIENTS: u32 = 8;

/// A question's length at most.
const QUESTION: u64 = 4096;

/// How long a client may say nothing, or take nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// An instance's socket. Dropping it removes the socket; clients that are being answered see their
/// answer to the end.
#[derive(Debug)]
pub(crate) struct Server {
    path: PathBuf,
    listener: UnixListener,
}

/// Tells the sockets of one process apart.
static LAST: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Makes the socket, at `path` or where clients look, and answers for as long as the stack
    /// runs.
    pub(crate) fn start(
        looker: WeakLooker,
        device: &str,
        path: Option<&Path>,
    ) -> io::Result<Server> {
        let pid = std::process::id();
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let path = match path {
            Some(path) => path.to_owned(),
            None => folder::private()?.join(format!("{pid}-{number}.sock")),
        };
        let listener = listen(&path, &format!("{pid}-{number}.new"))?;
        let server = Server { path, listener };
        let instance = Arc::new(Instance {
            pid,
            program: program(),
            device: device.to_owned(),
            netloom: env!("CARGO_PKG_VERSION").to_owned(),
            age_ms: 0,
        });
        let listener = server.listener.try_clone()?;
        thread::Builder::new()
            .name("netloom control".into())
            .spawn(move || accept(&listener, &looker, &instance))?;
        Ok(server)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing can be done about either; a socket left behind refuses whoever comes.
        let _ = fs::remove_file(&self.path);
        if let Ok(listener) = self.listener.try_clone() {
            // Linux has accept(2) fail then, which ends the thread.
            let _ = UnixStream::from(OwnedFd::from(listener)).shutdown(Shutdown::Both);
        }
    }
}

/// Listens at a path, which must be free, or left behind by a process that is gone.
///
/// Between bind(2) and listen(2) a socket looks like one that was left behind, and between bind(2)
/// and chmod(2) like anybody's: it is made beside its place, as `draft`, and put there when it is
/// ready.
fn listen(path: &Path, draft: &str) -> io::Result<UnixListener> {
    let draft = path.with_file_name(draft);
    let listener = replacing(&draft, || UnixListener::bind(&draft))?;
    let placed = fs::set_permissions(&draft, fs::Permissions::from_mode(0o600))
        // Unlike a new name, a second one replaces nothing.
        .and_then(|()| replacing(path, || fs::hard_link(&draft, path)));
    // If it stays nobody finds it: it is not named as instances are.
    let _ = fs::remove_file(&draft);
    placed.map(|()| listener)
}

/// Has `make` make something at `path`, in place of what is left over there.
fn replacing<T>(path: &Path, make: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let taken = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::ErrorKind::AddrInUse.into(),
        _ => error,
    };
    match make().map_err(taken) {
        // A process of the same number was here before and is gone.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_left_over(path) => {
            fs::remove_file(path)?;
            make().map_err(taken)
        }
        made => made,
    }
}

/// Whether there is a socket at `path`; a link to one is none.
pub(super) fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

/// Whether a socket at `path` has nobody behind it any more. Linux refuses connections to what is
/// no socket, too.
pub(super) fn is_left_over(path: &Path) -> bool {
    is_socket(path)
        && matches!(UnixStream::connect(path), Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

fn program() -> String {
    let name = std::env::args_os().next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// One client more, for as long as it lives.
struct Guest(Arc<AtomicU32>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn accept(listener: &UnixListener, looker: &WeakLooker, instance: &Arc<Instance>) {
    let clients = Arc::new(AtomicU32::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) if looker.get().is_none() => return,
            // The listener was shut down: nothing comes any more.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(_) => {
                // No descriptor left, for a while.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        // The socket's mode tells others to stay out; it may have been changed.
        if !is_welcome(&stream) {
            continue;
        }
        let guest = Guest(Arc::clone(&clients));
        if clients.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
            let busy = Line::Error("too many are asking at once".to_owned());
            let _ = serde_json::to_writer(&stream, &busy).map(|()| (&stream).write_all(b"\n"));
            continue;
        }
        let (looker, instance) = (looker.clone(), Arc::clone(instance));
        // Without a thread the client sees the end.
        let _ = thread::Builder::new()
            .name("netloom control".into())
            .spawn(move || {
                let _guest = guest;
                let _ = converse(&stream, &looker, &instance);
            });
    }
}

/// Whether a client is of this process's user, or root.
fn is_welcome(stream: &UnixStream) -> bool {
    let user = sys::peer_user(stream.as_fd());
    user.is_ok_and(|user| user == 0 || user == sys::effective_user())
}

/// Answers a client until it goes, or the stack does.
fn converse(stream: &UnixStream, looker: &WeakLooker, instance: &Instance) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut writer = BufWriter::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut reader).take(QUESTION).read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok(());
        }
        let complete = line.last() == Some(&b'\n');
        let mut each = |line: Line| -> io::Result<()> {
            serde_json::to_writer(&mut writer, &line)?;
            writer.write_all(b"\n")
        };
        let Some(looker): Option<Looker> = looker.get() else {
            return Ok(());
        };
        match serde_json::from_slice::<Question>(&line) {
            _ if !complete => each(Line::Error("the question is too long".to_owned()))?,
            Ok(question) if question.version == VERSION => {
                answer(&looker, instance, &question.ask, &mut each)?;
            }
            Ok(question) => each(other_version(question.version))?,
            Err(error) => {
                // Another version may ask what this one cannot read.
                match serde_json::from_slice::<Versioned>(&line) {
                    Ok(Versioned { version }) if version != VERSION => {
                        each(other_version(version))?;
                    }
                    Ok(_) | Err(_) => each(Line::Error(format!("not a question: {error}")))?,
                }
            }
        }
        writer.flush()?;
        if !complete {
            return Ok(());
        }
    }
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: u32,
}

fn other_version(theirs: u32) -> Line {
    Line::Error(format!(
        "this instance speaks version {VERSION} of the protocol, and was asked in version {theirs}"
    ))
}
