//! A conversation, and its halves.

use std::fmt;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use netloom_stack::CloseReason;

use super::super::error::{Error, from_io};
use super::super::parking::Side;
use super::super::tcp_stream::TcpStream;
use super::presence::Token;

/// Bytes of one item of the stream at most.
const ITEM: usize = 64 << 10;

/// What the halves share.
#[derive(Debug)]
struct Inner {
    stream: TcpStream,
    token: Option<Token>,
}

impl Inner {
    fn depart(&self) {
        if let Some(token) = &self.token {
            token.depart(|| self.stream.close_reason());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.depart();
    }
}

/// A conversation: a [`Sink`] of what to say and a [`Stream`] of what was said.
///
/// Made by [`Net::channel_connect`](crate::net::Net::channel_connect), or the stream of a
/// [`ChannelListener`](super::ChannelListener). TCP carries octets, not messages: what was sent in one
/// piece may come in several, and the other way round.
///
/// The stream's end is the other side's goodbye, or the connection's end:
/// [`close_reason`](TcpChannel::close_reason) tells. Dropping the channel says goodbye too.
#[derive(Debug)]
#[doc(alias = "tcp-channel")]
pub struct TcpChannel {
    sender: ChannelSender,
    receiver: ChannelReceiver,
}

/// The half of a [`TcpChannel`] that speaks. Dropping it says goodbye (FIN); what was not
/// [flushed](futures_sink::Sink::poll_flush) is lost, which is at most one item.
pub struct ChannelSender {
    inner: Arc<Inner>,
    /// What the stack has not taken yet.
    item: Bytes,
    finished: bool,
}

/// The half of a [`TcpChannel`] that listens. What arrives after it was dropped is discarded.
pub struct ChannelReceiver {
    inner: Arc<Inner>,
    ended: bool,
}

impl TcpChannel {
    pub(super) fn new(stream: TcpStream, token: Option<Token>) -> TcpChannel {
        let inner = Arc::new(Inner { stream, token });
        TcpChannel {
            sender: ChannelSender {
                inner: Arc::clone(&inner),
                item: Bytes::new(),
                finished: false,
            },
            receiver: ChannelReceiver {
                inner,
                ended: false,
            },
        }
    }

    /// Its two halves, each with an end of its own.
    pub fn split(self) -> (ChannelSender, ChannelReceiver) {
        (self.sender, self.receiver)
    }

    /// Whom it is with.
    pub fn peer_addr(&self) -> SocketAddr {
        self.sender.inner.stream.ends().1
    }

    /// This side's end.
    pub fn local_addr(&self) -> SocketAddr {
        self.sender.inner.stream.ends().0
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.sender.inner.stream.close_reason()
    }

    /// The connection under it, for its options.
    pub fn stream(&self) -> &TcpStream {
        &self.sender.inner.stream
    }
}

impl ChannelSender {
    /// Whom it speaks to.
    pub fn peer_addr(&self) -> SocketAddr {
        self.inner.stream.ends().1
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.inner.stream.close_reason()
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.item.is_empty() {
            let socket = self.inner.stream.socket();
            let item = &self.item;
            let written = socket.poll_call(cx, Side::Write, |engine, handle| {
                engine.tcp_write(handle, item)
            });
            match ready!(written) {
                Ok(n) => self.item.advance(n),
                Err(error) => {
                    self.item.clear();
                    return Poll::Ready(Err(from_io(error)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Resets the connection, for both halves.
    pub(super) fn abort(&self) {
        // One that is over already needs no reset.
        let _ = self.inner.stream.abort();
    }

    fn finish(&mut self) -> Result<(), Error> {
        if self.finished {
            return Ok(());
        }
        self.finished = true;
        self.inner.stream.shutdown(Shutdown::Write).map_err(from_io)
    }
}

impl Sink<Bytes> for ChannelSender {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_write_out(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<(), Error> {
        if self.finished {
            return Err(netloom_stack::Error::SendAfterShutdown.into());
        }
        self.item = item;
        Ok(())
    }

    /// What was sent is handed over to the stack; only an answer tells that it has arrived.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_write_out(cx)
    }

    /// Says goodbye behind what was sent.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_write_out(cx))?;
        Poll::Ready(self.finish())
    }
}

impl Drop for ChannelSender {
    fn drop(&mut self) {
        // If the connection has ended, there is nobody to say goodbye to.
        let _ = self.finish();
    }
}

impl fmt::Debug for ChannelSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelSender")
            .field(&self.inner.stream)
            .finish()
    }
}

impl ChannelReceiver {
    /// Whom it listens to.
    pub fn peer_addr(&self) -> SocketAddr {
        self.inner.stream.ends().1
    }

    /// Why the connection ended; `None` while it has not.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.inner.stream.close_reason()
    }
}

impl Stream for ChannelReceiver {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let socket = self.inner.stream.socket();
        let said = socket.poll_call(cx, Side::Read, |engine, handle| {
            let mut item = Bytes::new();
            engine.stack.tcp_read_with(handle, |first, second| {
                let second = &second[..second.len().min(ITEM.saturating_sub(first.len()))];
                let first = &first[..first.len().min(ITEM)];
                item = [first, second].concat().into();
                item.len()
            })?;
            Ok(item)
        });
        match ready!(said) {
            Ok(item) if !item.is_empty() => Poll::Ready(Some(item)),
            Ok(_) | Err(_) => {
                self.ended = true;
                self.inner.depart();
                Poll::Ready(None)
            }
        }
    }
}

impl FusedStream for ChannelReceiver {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl Drop for ChannelReceiver {
    fn drop(&mut self) {
        // The other half may go on; a connection that is over anyway is beyond caring.
        if !self.ended && Arc::strong_count(&self.inner) > 1 {
            let _ = self.inner.stream.shutdown(Shutdown::Read);
        }
    }
}

impl fmt::Debug for ChannelReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelReceiver")
            .field(&self.inner.stream)
            .finish()
    }
}

impl Sink<Bytes> for TcpChannel {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.sender).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Bytes) -> Result<(), Error> {
        Pin::new(&mut self.sender).start_send(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.sender).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.sender).poll_close(cx)
    }
}

impl Stream for TcpChannel {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        Pin::new(&mut self.receiver).poll_next(cx)
    }
}

impl FusedStream for TcpChannel {
    fn is_terminated(&self) -> bool {
        self.receiver.ended
    }
}
