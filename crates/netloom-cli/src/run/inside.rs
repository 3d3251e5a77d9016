//! The process in the namespace: it lays the cable, passes its end out, and becomes the command.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use netloom::PacketSocket;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::names::Names;
use super::{InsideArgs, child, namespace};
use crate::failure::Failure;

impl InsideArgs {
    /// Enters the namespace, passes the cable's end to `netloom run`, waits until that is ready,
    /// and becomes the command.
    ///
    /// # Errors
    ///
    /// The system allows no namespace, or the command cannot be run.
    pub fn run(&self) -> Result<(), Failure> {
        let lost = |error| Failure::new(format!("cannot speak with `netloom run`: {error}"));
        let mut parent = UnixStream::connect(&self.at).map_err(lost)?;
        namespace::enter()?;
        let cable = namespace::lay_cable().map_err(|error| {
            Failure::new(format!("cannot lay a cable into the namespace: {error}"))
        })?;
        let put = Names::of_host().map_or(Ok(()), |names| {
            names.put(&self.at.with_file_name("resolv.conf"))
        });
        if let Err(error) = put {
            // Much can be done without names.
            let what = "names cannot be looked up in there";
            let _ = writeln!(
                io::stderr(),
                "netloom: {what}: no resolv.conf of its own: {error}"
            );
        }
        send(&parent, &cable).map_err(lost)?;
        drop(cable);
        // It answers when there is somebody at the other end.
        parent.read_exact(&mut [0]).map_err(lost)?;
        drop(parent);
        let Some((program, arguments)) = self.command.split_first() else {
            return Err(Failure::usage("name a command"));
        };
        let error = Command::new(program).args(arguments).exec();
        Err(child::cannot_start(program, &error))
    }
}

fn send(to: &UnixStream, cable: &PacketSocket) -> io::Result<()> {
    let descriptors = [cable.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(
        to,
        &[IoSlice::new(b"c")],
        &mut ancillary,
        SendFlags::empty(),
    )?;
    Ok(())
}

/// Where `netloom run` waits for the process in the namespace.
#[derive(Debug)]
pub(super) struct Rendezvous {
    folder: PathBuf,
    listener: UnixListener,
}

impl Rendezvous {
    /// A socket in a folder that nobody else may enter.
    pub(super) fn new() -> io::Result<Rendezvous> {
        let nanos = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.subsec_nanos());
        let name = format!("netloom-run-{}-{nanos}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        let path = folder.join("socket");
        let listener = UnixListener::bind(&path).inspect_err(|_| {
            let _ = fs::remove_dir(&folder);
        })?;
        let rendezvous = Rendezvous { folder, listener };
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        rendezvous.listener.set_nonblocking(true)?;
        Ok(rendezvous)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// The process that came, if one did.
    pub(super) fn take(&self) -> io::Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                Ok(Some(stream))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Rendezvous {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Rendezvous {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

fn remove(folder: &Path) {
    let _ = fs::remove_file(folder.join("socket"));
    let _ = fs::remove_dir(folder);
}

/// The cable's end that the process in the namespace sends; `None` if it has ended instead.
pub(super) fn receive(from: &UnixStream) -> io::Result<Option<OwnedFd>> {
    let mut byte = [0];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(
        from,
        &mut [IoSliceMut::new(&mut byte)],
        &mut ancillary,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let descriptor = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(descriptor)
}
