//! Calls that make, change and end sockets.

use std::ffi::{c_int, c_void};

use netloom_sim::drill::{Errno, Fd, Subject};

use super::{Data, install, on, wait_on};
use crate::engine::Reply;
use crate::sys::{Engine, address, engine, fail, result};

pub(in crate::sys) unsafe extern "C" fn socket(
    data: Data,
    domain: c_int,
    kind: c_int,
    protocol: c_int,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let made = engine.now(|host| host.socket(domain, kind, protocol));
    install(engine, made)
}

pub(in crate::sys) unsafe extern "C" fn bind(
    data: Data,
    fd: c_int,
    addr: *const libc::sockaddr,
    len: libc::socklen_t,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    // SAFETY: the pointer and length are those of `bind(2)`.
    let at = unsafe { address::read(addr, len) };
    on(engine, fd, |host, fd| host.bind(fd, at?).map(|()| 0))
}

pub(in crate::sys) unsafe extern "C" fn listen(data: Data, fd: c_int, backlog: c_int) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    on(engine, fd, |host, fd| host.listen(fd, backlog).map(|()| 0))
}

pub(in crate::sys) unsafe extern "C" fn accept(
    data: Data,
    fd: c_int,
    addr: *mut libc::sockaddr,
    len: *mut libc::socklen_t,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let reply = wait_on(engine, fd, 0, |host, fd| match host.accept(fd, 0) {
        Ok((fd, from)) => Reply {
            from: Some(from),
            ..Ok(i64::from(fd)).into()
        },
        Err(error) => Err(error).into(),
    });
    if let Some(from) = reply.from {
        // SAFETY: the pointers are those of `accept(2)`.
        unsafe { address::write(from, addr, len) };
    }
    install(engine, reply.value.map(|fd| fd as Fd))
}

pub(in crate::sys) unsafe extern "C" fn connect(
    data: Data,
    fd: c_int,
    addr: *const libc::sockaddr,
    len: libc::socklen_t,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    // SAFETY: the pointer and length are those of `connect(2)`.
    let to = match unsafe { address::read(addr, len) } {
        Ok(to) => to,
        Err(error) => return fail(error),
    };
    let reply = wait_on(engine, fd, 0, move |host, fd| {
        host.connect(fd, to).map(|()| 0).into()
    });
    result(reply.value) as c_int
}

pub(in crate::sys) unsafe extern "C" fn fcntl(
    data: Data,
    fd: c_int,
    command: c_int,
    argument: usize,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    on(engine, fd, |host, fd| {
        host.fcntl(fd, command, argument as i32).map(i64::from)
    })
}

pub(in crate::sys) unsafe extern "C" fn ioctl(
    data: Data,
    fd: c_int,
    request: libc::c_ulong,
    argument: usize,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let argument = argument as *mut c_int;
    // SAFETY: requests on sockets take null or a pointer to an integer.
    let mut value = unsafe { argument.as_ref() }.copied().unwrap_or(0);
    let code = on(engine, fd, |host, fd| {
        host.ioctl(fd, request as i32, &mut value).map(|()| 0)
    });
    // SAFETY: as above, and writable.
    if let (0, Some(place)) = (code, unsafe { argument.as_mut() }) {
        *place = value;
    }
    code
}

pub(in crate::sys) unsafe extern "C" fn close(data: Data, fd: c_int) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let code = on(engine, fd, |host, fd| host.close(fd).map(|()| 0));
    if code == 0 {
        engine.forget(fd);
        // SAFETY: the number was opened for this descriptor and belongs to nothing else.
        unsafe { libc::close(fd) };
    }
    code
}

pub(in crate::sys) unsafe extern "C" fn shutdown(data: Data, fd: c_int, how: c_int) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    on(engine, fd, |host, fd| host.shutdown(fd, how).map(|()| 0))
}

pub(in crate::sys) unsafe extern "C" fn getsockopt(
    data: Data,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut libc::socklen_t,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer, and pointers as for `getsockopt(2)`.
    unsafe { option_of(engine(data), fd, level, name, value, len) }
}

/// `getsockopt` on a descriptor of the engine.
///
/// # Safety
/// `len` is null or points to a length, and `value` to as many writable bytes.
pub(in crate::sys) unsafe fn option_of(
    engine: &Engine,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut libc::socklen_t,
) -> c_int {
    /// What Linux knows of memory: nothing here.
    const SO_MEMINFO: c_int = 55;
    let Some(fd) = engine.fd(fd) else {
        return fail(Errno::EBADF);
    };
    // SAFETY: null, or a length that nobody else uses during the call.
    let Some(len) = (unsafe { len.as_mut() }) else {
        return fail(Errno::EFAULT);
    };
    let bytes = match (level, name) {
        (libc::SOL_SOCKET, SO_MEMINFO) => Ok(vec![0; 36]),
        _ => engine.now(|host| host.getsockopt(fd, level, name)),
    };
    match bytes {
        Ok(bytes) => {
            // SAFETY: `value` is writable for `len` bytes, and no more are written.
            unsafe { address::copy(&bytes, value, *len as usize) };
            *len = (*len).min(bytes.len() as libc::socklen_t);
            0
        }
        Err(error) => fail(error),
    }
}

pub(in crate::sys) unsafe extern "C" fn setsockopt(
    data: Data,
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: libc::socklen_t,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer; the value is that of `setsockopt(2)`.
    let (engine, value) = unsafe { (engine(data), address::bytes(value, len as usize)) };
    on(engine, fd, |host, fd| {
        host.setsockopt(fd, level, name, &value).map(|()| 0)
    })
}
