//! Socket addresses and buffers between C and Rust.

use std::ffi::c_void;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netloom_sim::drill::Errno;

/// Reads an address.
///
/// # Safety
/// `addr` is null or points to `len` readable bytes.
pub(super) unsafe fn read(
    addr: *const libc::sockaddr,
    len: libc::socklen_t,
) -> Result<SocketAddr, Errno> {
    if addr.is_null() || (len as usize) < size_of::<libc::sa_family_t>() {
        return Err(Errno::EINVAL);
    }
    // SAFETY: there are enough bytes for the family; nothing is said of alignment.
    let family = unsafe { addr.cast::<libc::sa_family_t>().read_unaligned() };
    match i32::from(family) {
        libc::AF_INET if len as usize >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: there are enough bytes, and any are a valid structure of integers.
            let v4 = unsafe { addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Ok(SocketAddr::new(ip.into(), u16::from_be(v4.sin_port)))
        }
        libc::AF_INET6 if len as usize >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above.
            let v6 = unsafe { addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Ok(SocketAddr::new(ip.into(), u16::from_be(v6.sin6_port)))
        }
        libc::AF_INET | libc::AF_INET6 => Err(Errno::EINVAL),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Writes an address, cut to the room there is, and its true length.
///
/// # Safety
/// `addr` and `len` are null, or `len` points to a length and `addr` to as many writable bytes.
pub(super) unsafe fn write(from: SocketAddr, addr: *mut libc::sockaddr, len: *mut libc::socklen_t) {
    if addr.is_null() || len.is_null() {
        return;
    }
    let bytes = bytes_of(from);
    // SAFETY: `len` is not null and points to a length.
    let room = unsafe { len.read() } as usize;
    // SAFETY: at most `room` bytes are written, and there are as many.
    unsafe { copy(&bytes, addr.cast(), room) };
    // SAFETY: as for reading it.
    unsafe { len.write(bytes.len() as libc::socklen_t) };
}

/// A `sockaddr_in` or `sockaddr_in6`, byte for byte.
fn bytes_of(from: SocketAddr) -> Vec<u8> {
    let port = from.port().to_be_bytes();
    let mut bytes = Vec::new();
    match from.ip() {
        IpAddr::V4(ip) => {
            bytes.extend((libc::AF_INET as libc::sa_family_t).to_ne_bytes());
            bytes.extend(port);
            bytes.extend(ip.octets());
            bytes.resize(size_of::<libc::sockaddr_in>(), 0);
        }
        IpAddr::V6(ip) => {
            bytes.extend((libc::AF_INET6 as libc::sa_family_t).to_ne_bytes());
            bytes.extend(port);
            bytes.extend([0; 4]);
            bytes.extend(ip.octets());
            bytes.resize(size_of::<libc::sockaddr_in6>(), 0);
        }
    }
    bytes
}

/// Copies as much as fits.
///
/// # Safety
/// `to` points to `room` writable bytes, or is null.
pub(super) unsafe fn copy(bytes: &[u8], to: *mut c_void, room: usize) {
    if to.is_null() {
        return;
    }
    let len = bytes.len().min(room);
    // SAFETY: `len` bytes are readable here and writable there, and memory of C's is not ours.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.cast::<u8>(), len) };
}

/// The bytes of a buffer.
///
/// # Safety
/// `from` points to `len` readable bytes, or is null.
pub(super) unsafe fn bytes(from: *const c_void, len: usize) -> Vec<u8> {
    if from.is_null() {
        return Vec::new();
    }
    // SAFETY: there are `len` readable bytes.
    unsafe { std::slice::from_raw_parts(from.cast::<u8>(), len) }.to_vec()
}

/// The buffers of a vector: where each begins, and how long it is.
///
/// # Safety
/// `vector` points to `count` entries, or is null.
pub(super) unsafe fn buffers(
    vector: *const libc::iovec,
    count: usize,
) -> Vec<(*mut c_void, usize)> {
    if vector.is_null() {
        return Vec::new();
    }
    // SAFETY: there are `count` entries.
    let entries = unsafe { std::slice::from_raw_parts(vector, count) };
    entries
        .iter()
        .map(|entry| (entry.iov_base, entry.iov_len))
        .collect()
}
