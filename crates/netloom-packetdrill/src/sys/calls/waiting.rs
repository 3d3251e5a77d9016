//! Calls that wait for many descriptors at once.

use std::ffi::c_int;

use netloom_sim::drill::{Errno, Fd, NetloomHost, Subject};

use super::{Data, install, on};
use crate::engine::Reply;
use crate::sys::{engine, fail, result};

/// A timeout in milliseconds as microseconds; negative: none.
fn micros(millis: c_int) -> Option<u64> {
    u64::try_from(millis).ok().map(|millis| millis * 1_000)
}

pub(in crate::sys) unsafe extern "C" fn poll(
    data: Data,
    fds: *mut libc::pollfd,
    count: libc::nfds_t,
    timeout: c_int,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    if fds.is_null() {
        return fail(Errno::EFAULT);
    }
    // SAFETY: `poll(2)` is given `count` entries, which nobody else uses during the call.
    let fds = unsafe { std::slice::from_raw_parts_mut(fds, count as usize) };
    let asked: Vec<(Option<Fd>, i16)> = fds
        .iter()
        .map(|entry| (engine.fd(entry.fd), entry.events))
        .collect();
    let reply = engine.call(
        micros(timeout),
        Box::new(move |host, over| {
            let revents: Vec<i16> = asked
                .iter()
                .map(|(fd, events)| match fd {
                    Some(fd) => host.poll(*fd, *events),
                    None => libc::POLLNVAL,
                })
                .collect();
            let ready = revents.iter().filter(|revents| **revents != 0).count();
            (ready > 0 || over).then(|| Reply {
                data: revents.into_iter().flat_map(i16::to_ne_bytes).collect(),
                ..Ok(ready as i64).into()
            })
        }),
    );
    for (entry, revents) in fds.iter_mut().zip(reply.data.chunks_exact(2)) {
        entry.revents = i16::from_ne_bytes([revents[0], revents[1]]);
    }
    result(reply.value) as c_int
}

pub(in crate::sys) unsafe extern "C" fn epoll_create(data: Data, _size: c_int) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let made = engine.now(NetloomHost::epoll_create);
    install(engine, made)
}

pub(in crate::sys) unsafe extern "C" fn epoll_ctl(
    data: Data,
    epfd: c_int,
    operation: c_int,
    fd: c_int,
    event: *mut libc::epoll_event,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer; the event is null or its own.
    let (engine, event) = unsafe { (engine(data), event.as_ref()) };
    let (events, data) = event.map_or((0, 0), |event| (event.events, event.u64));
    let fd = engine.fd(fd);
    on(engine, epfd, |host, epfd| {
        let fd = fd.ok_or(Errno::EBADF)?;
        host.epoll_ctl(epfd, operation, fd, events, data)
            .map(|()| 0)
    })
}

pub(in crate::sys) unsafe extern "C" fn epoll_wait(
    data: Data,
    epfd: c_int,
    events: *mut libc::epoll_event,
    max: c_int,
    timeout: c_int,
) -> c_int {
    // SAFETY: the tool passes the table's own pointer.
    let engine = unsafe { engine(data) };
    let (Some(epfd), Ok(max)) = (engine.fd(epfd), usize::try_from(max)) else {
        return fail(Errno::EBADF);
    };
    if events.is_null() || max == 0 {
        return fail(Errno::EINVAL);
    }
    let reply = engine.call(
        micros(timeout),
        Box::new(move |host, over| match host.epoll_wait(epfd, max) {
            Ok(ready) if ready.is_empty() && !over => None,
            Ok(ready) => Some(Reply {
                events: ready.clone(),
                ..Ok(ready.len() as i64).into()
            }),
            Err(error) => Some(Err(error).into()),
        }),
    );
    for (place, (ready, data)) in reply.events.iter().enumerate() {
        let event = libc::epoll_event {
            events: *ready,
            u64: *data,
        };
        // SAFETY: `epoll_wait(2)` is given room for `max` events, and no more are reported.
        unsafe { events.add(place).write(event) };
    }
    result(reply.value) as c_int
}
