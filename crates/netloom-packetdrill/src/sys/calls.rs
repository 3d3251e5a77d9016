//! The functions of the table.
//!
//! Each has the contract of the call it is named after, with the engine's pointer in front:
//! pointers are null or point to what the call of that name says.

pub(super) mod data;
pub(super) mod device;
pub(super) mod sockets;
pub(super) mod waiting;

use std::ffi::{c_int, c_void};
use std::sync::Arc;

use netloom_sim::drill::names::MSG_DONTWAIT;
use netloom_sim::drill::{Errno, Fd, NetloomHost, Subject};

use super::{Engine, fail, result};
use crate::engine::Reply;

type Data = *mut c_void;

pub(super) unsafe extern "C" fn free(data: Data) {
    if !data.is_null() {
        // SAFETY: it came from `Arc::into_raw`, and the tool frees it once.
        drop(unsafe { Arc::from_raw(data.cast::<Engine>()) });
    }
}

/// A descriptor of the kernel's, so that no other file gets the number.
fn placeholder() -> Result<c_int, Errno> {
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR) };
    if fd < 0 { Err(Errno::EMFILE) } else { Ok(fd) }
}

/// Gives a new descriptor of the host a number of the kernel's.
fn install(engine: &Engine, made: Result<Fd, Errno>) -> c_int {
    let installed = made.and_then(|fd| {
        let kernel = placeholder()?;
        engine.install(kernel, fd);
        Ok(kernel)
    });
    installed.unwrap_or_else(fail)
}

/// Makes a call that never waits on a descriptor.
fn on(
    engine: &Engine,
    fd: c_int,
    call: impl FnOnce(&mut NetloomHost, Fd) -> Result<i64, Errno>,
) -> c_int {
    let value = match engine.fd(fd) {
        Some(fd) => engine.now(|host| call(host, fd)),
        None => Err(Errno::EBADF),
    };
    result(value) as c_int
}

/// Makes a call on a descriptor that waits while it answers one of `again` and may.
fn wait_on(
    engine: &Engine,
    fd: c_int,
    flags: c_int,
    mut call: impl FnMut(&mut NetloomHost, Fd) -> Reply + Send + 'static,
) -> Reply {
    let Some(fd) = engine.fd(fd) else {
        return Err(Errno::EBADF).into();
    };
    engine.call(
        None,
        Box::new(move |host, _| {
            let waits = host.is_blocking(fd) && flags & MSG_DONTWAIT == 0;
            let reply = call(host, fd);
            let again = matches!(
                reply.value,
                Err(Errno::EAGAIN | Errno::EINPROGRESS | Errno::EALREADY)
            );
            (!(waits && again)).then_some(reply)
        }),
    )
}
