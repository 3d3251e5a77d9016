//! Calls that move data.

use std::ffi::{c_int, c_void};
use std::net::SocketAddr;

use netloom_sim::drill::names::{MSG_DONTWAIT, MSG_TRUNC};
use netloom_sim::drill::{Errno, Subject};

use super::{Data, wait_on};
use crate::engine::Reply;
use crate::sys::{Engine, address, engine, result};

/// Receives into buffers, as many bytes as they hold together.
///
/// # Safety
/// Every buffer is writable for its length.
unsafe fn receive(
    engine: &Engine,
    fd: c_int,
    buffers: &[(*mut c_void, usize)],
    flags: c_int,
) -> Reply {
    let room: usize = buffers.iter().map(|(_, len)| len).sum();
    let reply = wait_on(engine, fd, flags, move |host, fd| {
        let mut data = vec![0; room];
        match host.receive(fd, &mut data, flags) {
            Ok(received) => {
                data.truncate(received.len);
                let truncated = flags & MSG_TRUNC != 0;
                let len = if truncated {
                    received.full_len
                } else {
                    received.len
                };
                Reply {
                    data,
                    from: received.from,
                    ..Ok(len as i64).into()
                }
            }
            Err(error) => Err(error).into(),
        }
    });
    let mut rest = &reply.data[..];
    for (buffer, len) in buffers {
        let (now, later) = rest.split_at(rest.len().min(*len));
        // SAFETY: the buffer is writable for its length, and no more is written.
        unsafe { address::copy(now, *buffer, *len) };
        rest = later;
    }
    reply
}

pub(in crate::sys) unsafe extern "C" fn read(
    data: Data,
    fd: c_int,
    buffer: *mut c_void,
    len: usize,
) -> isize {
    // SAFETY: the buffer is that of `read(2)`.
    unsafe { recv(data, fd, buffer, len, 0) }
}

pub(in crate::sys) unsafe extern "C" fn readv(
    data: Data,
    fd: c_int,
    vector: *const libc::iovec,
    count: c_int,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the vector is that of `readv(2)`.
    let (engine, buffers) = unsafe {
        (
            engine(data),
            address::buffers(vector, count.max(0) as usize),
        )
    };
    // SAFETY: so are its buffers.
    result(unsafe { receive(engine, fd, &buffers, 0) }.value)
}

pub(in crate::sys) unsafe extern "C" fn recv(
    data: Data,
    fd: c_int,
    buffer: *mut c_void,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the buffer is that of `recv(2)`.
    result(unsafe { receive(engine(data), fd, &[(buffer, len)], flags) }.value)
}

pub(in crate::sys) unsafe extern "C" fn recvfrom(
    data: Data,
    fd: c_int,
    buffer: *mut c_void,
    len: usize,
    flags: c_int,
    addr: *mut libc::sockaddr,
    addr_len: *mut libc::socklen_t,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the buffer is that of `recvfrom(2)`.
    let reply = unsafe { receive(engine(data), fd, &[(buffer, len)], flags) };
    if let Some(from) = reply.from {
        // SAFETY: so are the pointers to the address.
        unsafe { address::write(from, addr, addr_len) };
    }
    result(reply.value)
}

pub(in crate::sys) unsafe extern "C" fn recvmsg(
    data: Data,
    fd: c_int,
    message: *mut libc::msghdr,
    flags: c_int,
) -> isize {
    // SAFETY: null, or the message of `recvmsg(2)`, which nobody else uses during the call.
    let Some(message) = (unsafe { message.as_mut() }) else {
        return result(Err(Errno::EFAULT));
    };
    // SAFETY: the tool passes the table's own pointer; the vector is the message's.
    let (engine, buffers) = unsafe {
        (
            engine(data),
            address::buffers(message.msg_iov, message.msg_iovlen),
        )
    };
    // SAFETY: so are its buffers.
    let reply = unsafe { receive(engine, fd, &buffers, flags) };
    let room: usize = buffers.iter().map(|(_, len)| len).sum();
    if let Some(from) = reply.from {
        // SAFETY: the name is the message's.
        unsafe { address::write(from, message.msg_name.cast(), &mut message.msg_namelen) };
    }
    message.msg_controllen = 0;
    message.msg_flags = match reply.value {
        Ok(len) if len as usize > room => MSG_TRUNC,
        Ok(_) | Err(_) => 0,
    };
    result(reply.value)
}

/// Sends all of the data, waiting for room where the descriptor waits.
fn send_all(
    engine: &Engine,
    fd: c_int,
    data: Vec<u8>,
    flags: c_int,
    to: Option<SocketAddr>,
) -> isize {
    let Some(fd) = engine.fd(fd) else {
        return result(Err(Errno::EBADF));
    };
    let mut done = 0;
    let reply = engine.call(
        None,
        Box::new(move |host, _| {
            let waits = host.is_blocking(fd) && flags & MSG_DONTWAIT == 0;
            match host.send(fd, &data[done..], flags, to) {
                Ok(taken) => {
                    done += taken;
                    let all = done == data.len();
                    (all || !waits).then(|| Ok(done as i64).into())
                }
                Err(Errno::EAGAIN) if waits => None,
                Err(_) if done > 0 => Some(Ok(done as i64).into()),
                Err(error) => Some(Err(error).into()),
            }
        }),
    );
    result(reply.value)
}

pub(in crate::sys) unsafe extern "C" fn write(
    data: Data,
    fd: c_int,
    buffer: *const c_void,
    len: usize,
) -> isize {
    // SAFETY: the buffer is that of `write(2)`.
    unsafe { send(data, fd, buffer, len, 0) }
}

pub(in crate::sys) unsafe extern "C" fn writev(
    data: Data,
    fd: c_int,
    vector: *const libc::iovec,
    count: c_int,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the vector is that of `writev(2)`.
    let (engine, bytes) = unsafe { (engine(data), gather(vector, count.max(0) as usize)) };
    send_all(engine, fd, bytes, 0, None)
}

/// The bytes of all buffers of a vector.
///
/// # Safety
/// The vector has `count` entries, whose buffers are readable.
unsafe fn gather(vector: *const libc::iovec, count: usize) -> Vec<u8> {
    // SAFETY: by the contract.
    let buffers = unsafe { address::buffers(vector, count) };
    let parts = buffers.into_iter().map(|(base, len)| {
        // SAFETY: by the contract.
        unsafe { address::bytes(base, len) }
    });
    parts.flatten().collect()
}

pub(in crate::sys) unsafe extern "C" fn send(
    data: Data,
    fd: c_int,
    buffer: *const c_void,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the buffer is that of `send(2)`.
    let (engine, bytes) = unsafe { (engine(data), address::bytes(buffer, len)) };
    send_all(engine, fd, bytes, flags, None)
}

pub(in crate::sys) unsafe extern "C" fn sendto(
    data: Data,
    fd: c_int,
    buffer: *const c_void,
    len: usize,
    flags: c_int,
    addr: *const libc::sockaddr,
    addr_len: libc::socklen_t,
) -> isize {
    // SAFETY: the tool passes the table's own pointer; the buffer is that of `sendto(2)`.
    let (engine, bytes) = unsafe { (engine(data), address::bytes(buffer, len)) };
    // SAFETY: so is the address.
    match unsafe { destination(addr, addr_len) } {
        Ok(to) => send_all(engine, fd, bytes, flags, to),
        Err(error) => result(Err(error)),
    }
}

/// Where a message goes; nowhere in particular if there is no address.
///
/// # Safety
/// `addr` is null or points to `len` readable bytes.
unsafe fn destination(
    addr: *const libc::sockaddr,
    len: libc::socklen_t,
) -> Result<Option<SocketAddr>, Errno> {
    if addr.is_null() || len == 0 {
        return Ok(None);
    }
    // SAFETY: by the contract.
    unsafe { address::read(addr, len) }.map(Some)
}

pub(in crate::sys) unsafe extern "C" fn sendmsg(
    data: Data,
    fd: c_int,
    message: *const libc::msghdr,
    flags: c_int,
) -> isize {
    // SAFETY: null, or the message of `sendmsg(2)`.
    let Some(message) = (unsafe { message.as_ref() }) else {
        return result(Err(Errno::EFAULT));
    };
    if message.msg_controllen != 0 {
        return result(Err(Errno::EOPNOTSUPP));
    }
    // SAFETY: the tool passes the table's own pointer; the vector is the message's.
    let (engine, bytes) = unsafe { (engine(data), gather(message.msg_iov, message.msg_iovlen)) };
    // SAFETY: so is the name.
    match unsafe { destination(message.msg_name.cast(), message.msg_namelen) } {
        Ok(to) => send_all(engine, fd, bytes, flags, to),
        Err(error) => result(Err(error)),
    }
}
