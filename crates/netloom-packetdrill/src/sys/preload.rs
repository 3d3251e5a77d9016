//! `getsockopt` for the tool's own calls of it: packetdrill reads `TCP_INFO` past its table.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Engine;
use super::calls::sockets::option_of;

/// The engine that was made last.
static ENGINE: Mutex<Weak<Engine>> = Mutex::new(Weak::new());

pub(super) fn remember(engine: &Arc<Engine>) {
    *ENGINE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(engine);
}

/// The C library's `getsockopt`, for descriptors that are not of the stack under test.
///
/// # Safety
/// As `getsockopt(2)`: `len` points to a length and `value` to as many writable bytes.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut libc::socklen_t,
) -> c_int {
    let engine = ENGINE
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .upgrade();
    match engine.filter(|engine| engine.fd(fd).is_some()) {
        // SAFETY: the pointers are the caller's, under the same contract.
        Some(engine) => unsafe { option_of(&engine, fd, level, name, value, len) },
        // SAFETY: the kernel checks what it is given.
        None => unsafe {
            libc::syscall(libc::SYS_getsockopt, fd, level, name, value, len) as c_int
        },
    }
}
