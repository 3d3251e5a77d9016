//! The table of functions that packetdrill calls, in its order.

use std::ffi::{c_int, c_void};

use super::calls::{self, data, device, sockets, waiting};

type Data = *mut c_void;

/// packetdrill's `struct packetdrill_interface`. The variadic members take one argument more than
/// is named in C: the platforms' calling conventions pass it in the same place.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the calls of the same names")]
pub struct Interface {
    /// The first argument of every function.
    pub userdata: Data,
    pub free: unsafe extern "C" fn(Data),
    pub socket: unsafe extern "C" fn(Data, c_int, c_int, c_int) -> c_int,
    pub bind: unsafe extern "C" fn(Data, c_int, *const libc::sockaddr, libc::socklen_t) -> c_int,
    pub listen: unsafe extern "C" fn(Data, c_int, c_int) -> c_int,
    pub accept:
        unsafe extern "C" fn(Data, c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
    pub connect: unsafe extern "C" fn(Data, c_int, *const libc::sockaddr, libc::socklen_t) -> c_int,
    pub read: unsafe extern "C" fn(Data, c_int, *mut c_void, usize) -> isize,
    pub readv: unsafe extern "C" fn(Data, c_int, *const libc::iovec, c_int) -> isize,
    pub recv: unsafe extern "C" fn(Data, c_int, *mut c_void, usize, c_int) -> isize,
    pub recvfrom: unsafe extern "C" fn(
        Data,
        c_int,
        *mut c_void,
        usize,
        c_int,
        *mut libc::sockaddr,
        *mut libc::socklen_t,
    ) -> isize,
    pub recvmsg: unsafe extern "C" fn(Data, c_int, *mut libc::msghdr, c_int) -> isize,
    pub write: unsafe extern "C" fn(Data, c_int, *const c_void, usize) -> isize,
    pub writev: unsafe extern "C" fn(Data, c_int, *const libc::iovec, c_int) -> isize,
    pub send: unsafe extern "C" fn(Data, c_int, *const c_void, usize, c_int) -> isize,
    pub sendto: unsafe extern "C" fn(
        Data,
        c_int,
        *const c_void,
        usize,
        c_int,
        *const libc::sockaddr,
        libc::socklen_t,
    ) -> isize,
    pub sendmsg: unsafe extern "C" fn(Data, c_int, *const libc::msghdr, c_int) -> isize,
    pub fcntl: unsafe extern "C" fn(Data, c_int, c_int, usize) -> c_int,
    pub ioctl: unsafe extern "C" fn(Data, c_int, libc::c_ulong, usize) -> c_int,
    pub close: unsafe extern "C" fn(Data, c_int) -> c_int,
    pub shutdown: unsafe extern "C" fn(Data, c_int, c_int) -> c_int,
    pub getsockopt:
        unsafe extern "C" fn(Data, c_int, c_int, c_int, *mut c_void, *mut libc::socklen_t) -> c_int,
    pub setsockopt:
        unsafe extern "C" fn(Data, c_int, c_int, c_int, *const c_void, libc::socklen_t) -> c_int,
    pub poll: unsafe extern "C" fn(Data, *mut libc::pollfd, libc::nfds_t, c_int) -> c_int,
    pub netdev_send: unsafe extern "C" fn(Data, *const c_void, usize) -> c_int,
    pub netdev_receive: unsafe extern "C" fn(Data, *mut c_void, *mut usize, *mut i64) -> c_int,
    pub usleep: unsafe extern "C" fn(Data, libc::useconds_t) -> c_int,
    pub gettimeofday: unsafe extern "C" fn(Data, *mut libc::timeval, *mut c_void) -> c_int,
    pub epoll_create: unsafe extern "C" fn(Data, c_int) -> c_int,
    pub epoll_ctl: unsafe extern "C" fn(Data, c_int, c_int, c_int, *mut libc::epoll_event) -> c_int,
    pub epoll_wait:
        unsafe extern "C" fn(Data, c_int, *mut libc::epoll_event, c_int, c_int) -> c_int,
    pub pipe: unsafe extern "C" fn(Data, *mut c_int) -> c_int,
    pub splice: unsafe extern "C" fn(
        Data,
        c_int,
        *mut libc::loff_t,
        c_int,
        *mut libc::loff_t,
        usize,
        libc::c_uint,
    ) -> isize,
}

const _: () = assert!(
    size_of::<Interface>() == 33 * size_of::<usize>(),
    "packetdrill's table has 33 words"
);

impl Interface {
    pub(super) fn new(userdata: Data) -> Interface {
        Interface {
            userdata,
            free: calls::free,
            socket: sockets::socket,
            bind: sockets::bind,
            listen: sockets::listen,
            accept: sockets::accept,
            connect: sockets::connect,
            read: data::read,
            readv: data::readv,
            recv: data::recv,
            recvfrom: data::recvfrom,
            recvmsg: data::recvmsg,
            write: data::write,
            writev: data::writev,
            send: data::send,
            sendto: data::sendto,
            sendmsg: data::sendmsg,
            fcntl: sockets::fcntl,
            ioctl: sockets::ioctl,
            close: sockets::close,
            shutdown: sockets::shutdown,
            getsockopt: sockets::getsockopt,
            setsockopt: sockets::setsockopt,
            poll: waiting::poll,
            netdev_send: device::netdev_send,
            netdev_receive: device::netdev_receive,
            usleep: device::usleep,
            gettimeofday: device::gettimeofday,
            epoll_create: waiting::epoll_create,
            epoll_ctl: waiting::epoll_ctl,
            epoll_wait: waiting::epoll_wait,
            pipe: device::pipe,
            splice: device::splice,
        }
    }
}
