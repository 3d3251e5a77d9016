//! A future for each conversation.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream::FuturesUnordered;

use super::listener::ChannelListener;
use super::presence::PresenceStream;
use super::tcp_channel::TcpChannel;

/// All conversations of a listener, served: see [`Net::channel_serve`](crate::net::Net::channel_serve).
///
/// A future that is done when the device has failed and the last conversation is over.
#[must_use = "futures do nothing unless polled"]
pub struct Serve<T, F> {
    listener: ChannelListener,
    talk: T,
    under_way: FuturesUnordered<F>,
    closed: bool,
}

impl<T, F> fmt::Debug for Serve<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}

impl<T, F> Serve<T, F> {
    pub(super) fn new(listener: ChannelListener, talk: T) -> Serve<T, F> {
        Serve {
            listener,
            talk,
            under_way: FuturesUnordered::new(),
            closed: false,
        }
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.local_addr()
    }

    /// Who comes and goes from now on.
    pub fn presence(&self) -> PresenceStream {
        self.listener.presence()
    }
}

// Conversations are pinned in a place of their own each, and `talk` is only called.
impl<T, F> Unpin for Serve<T, F> {}

impl<T, F> Future for Serve<T, F>
where
    T: FnMut(TcpChannel) -> F,
    F: Future<Output = ()>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        while !this.closed {
            match Pin::new(&mut this.listener).poll_next(cx) {
                Poll::Ready(Some(channel)) => this.under_way.push((this.talk)(channel)),
                Poll::Ready(None) => this.closed = true,
                Poll::Pending => break,
            }
        }
        loop {
            match Pin::new(&mut this.under_way).poll_next(cx) {
                Poll::Ready(Some(())) => {}
                Poll::Ready(None) if this.closed => return Poll::Ready(()),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}
