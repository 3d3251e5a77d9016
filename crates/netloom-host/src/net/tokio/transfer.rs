//! Connections and their halves, as tokio reads and writes them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::split::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use super::stream::TcpStream;

/// What is a [`TcpStream`], or derefs to one, reads as it does.
macro_rules! reads {
    ($($half:ty),+) => {$(
        impl AsyncRead for $half {
            /// Cancel safe: if it is not ready, nothing was read.
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                self.poll_read_into(cx, buffer)
            }
        }
    )+};
}
reads!(TcpStream, ReadHalf<'_>, OwnedReadHalf);

/// And writes as it does.
macro_rules! writes {
    ($($half:ty),+) => {$(
        impl AsyncWrite for $half {
            /// Cancel safe: if it is not ready, nothing was written.
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_from(cx, data)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                data: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                self.poll_write_vectored_from(cx, data)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            /// Nothing is held back here: what was written is on its way.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Sends FIN behind what was written.
            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.finish())
            }
        }
    )+};
}
writes!(TcpStream, WriteHalf<'_>, OwnedWriteHalf);
