//! The network device, the clock, and what a stack has none of.

use std::ffi::{c_int, c_void};

use netloom_sim::drill::Errno;

use super::Data;
use crate::sys::{address, engine, fail, result};

pub(in crate::sys) unsafe extern "C" fn netdev_send(
    data: Data,
    packet: *const c_void,
    len: usize,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer, and a packet of that length.
    let (engine, packet) = unsafe { (engine(data), address::bytes(packet, len)) };
    engine.inject(&packet);
    0
}

pub(in crate::sys) unsafe extern "C" fn netdev_receive(
    data: Data,
    buffer: *mut c_void,
    len: *mut usize,
    time: *mut i64,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    // SAFETY: both point to integers of the tool's, or are null.
    let (len, time) = unsafe { (len.as_mut(), time.as_mut()) };
    let (Some(len), Some(time)) = (len, time) else {
        return fail(Errno::EFAULT);
    };
    match engine.next_packet() {
        Ok(Some((at, packet))) => {
            // SAFETY: the buffer is writable for `len` bytes, and no more are written.
            unsafe { address::copy(&packet, buffer, *len) };
            *len = (*len).min(packet.len());
            *time = at as i64;
        }
        Ok(None) => *len = 0,
        Err(what) => {
            eprintln!("netloom: a broken packet was sent: {what}");
            return fail(Errno::EINVAL);
        }
    }
    0
}

pub(in crate::sys) unsafe extern "C" fn usleep(data: Data, micros: libc::useconds_t) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    unsafe { engine(data) }.sleep(micros.into());
    0
}

pub(in crate::sys) unsafe extern "C" fn gettimeofday(
    data: Data,
    time: *mut libc::timeval,
    _zone: *mut c_void,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer; the time is null or its own.
    let (engine, time) = unsafe { (engine(data), time.as_mut()) };
    let now = engine.time_of_day();
    if let Some(time) = time {
        time.tv_sec = (now / 1_000_000) as libc::time_t;
        time.tv_usec = (now % 1_000_000) as libc::suseconds_t;
    }
    0
}

pub(in crate::sys) unsafe extern "C" fn pipe(_data: Data, _fds: *mut c_int) -> c_int {
    fail(Errno::EOPNOTSUPP)
}

pub(in crate::sys) unsafe extern "C" fn splice(
    _data: Data,
    _from: c_int,
    _from_offset: *mut libc::loff_t,
    _to: c_int,
    _to_offset: *mut libc::loff_t,
    _len: usize,
    _flags: libc::c_uint,
) -> isize {
    result(Err(Errno::EOPNOTSUPP))
}
