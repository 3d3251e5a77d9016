//! A TUN interface without vnet headers, as tokio reads and writes it: what stacks are given that
//! bring no device of their own.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

/// The interface's MTU, as the kernel makes it.
pub(crate) const MTU: u16 = 1500;

/// An interface that exists while this does.
pub(crate) struct Tun(File);

/// The same for tasks.
pub(crate) struct AsyncTun(AsyncFd<File>);

impl Tun {
    pub(crate) fn create(name: &str) -> io::Result<Tun> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open("/dev/net/tun")?;
        // SAFETY: an `ifreq` is plain data, for which zeros are valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes().take(15)) {
            *place = byte as libc::c_char;
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        // SAFETY: the kernel reads and writes one `ifreq`, which outlives the call.
        let result = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Tun(file))
    }

    /// To be called in a runtime.
    pub(crate) fn into_async(self) -> io::Result<AsyncTun> {
        // SAFETY: the file is owned by what is registered, and open until that is dropped.
        let registered = unsafe { AsyncFd::register(self.0) };
        Ok(AsyncTun(registered?))
    }
}

impl AsyncTun {
    pub(crate) async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = |mut file: &File| file.read(buffer);
        self.0.async_io(Interest::READABLE, read).await
    }

    pub(crate) async fn send(&self, packet: &[u8]) -> io::Result<usize> {
        let write = |mut file: &File| file.write(packet);
        self.0.async_io(Interest::WRITABLE, write).await
    }
}

impl AsyncRead for AsyncTun {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(cx))?;
            let place = buffer.initialize_unfilled();
            match guard.try_io(|fd| fd.get_ref().read(place)) {
                Ok(Ok(len)) => {
                    buffer.advance(len);
                    return Poll::Ready(Ok(()));
                }
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for AsyncTun {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        packet: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(cx))?;
            match guard.try_io(|fd| fd.get_ref().write(packet)) {
                Ok(result) => return Poll::Ready(result),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
