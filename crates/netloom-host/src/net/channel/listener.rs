//! Who takes conversations up.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use netloom_stack::Error as StackError;

use super::super::error::{Error, from_io};
use super::super::parking::Side;
use super::super::socket::Socket;
use super::super::tcp_listener::TcpListener;
use super::super::tcp_stream::TcpStream;
use super::super::{ListenOptions, Net};
use super::ChannelConfig;
use super::presence::{Hub, PresenceStream, Token};
use super::tcp_channel::TcpChannel;

/// A [`Stream`] of conversations that others begin: see [`Net::channel_listen`].
///
/// It ends only when the device has failed. Dropping it refuses newcomers; conversations that were
/// taken up go on.
#[derive(Debug)]
#[doc(alias = "tcp-listener")]
#[must_use = "streams do nothing unless polled"]
pub struct ChannelListener {
    listener: TcpListener,
    hub: Arc<Hub>,
}

impl ChannelListener {
    pub(super) fn open(
        net: &Net,
        at: &[SocketAddr],
        config: ChannelConfig,
    ) -> Result<ChannelListener, Error> {
        let options = ListenOptions {
            backlog: config.backlog,
            ..ListenOptions::default()
        };
        let listener = net.tcp_listen_with(at, options).map_err(from_io)?;
        let opened = listener.socket().with_engine(|engine, handle| {
            engine.rooms.open(handle, &config, &mut engine.stack);
            Ok(())
        });
        opened.map_err(from_io)?;
        Ok(ChannelListener {
            listener,
            hub: Arc::default(),
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.listener.addr()
    }

    /// Who comes and goes from now on, among those whose conversations were taken up here.
    pub fn presence(&self) -> PresenceStream {
        self.hub.subscribe()
    }
}

impl Stream for ChannelListener {
    type Item = TcpChannel;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<TcpChannel>> {
        let socket = self.listener.socket();
        let claimed = ready!(socket.poll_call(cx, Side::Read, |engine, listener| {
            let claimed = engine.rooms.claim(listener, &mut engine.stack);
            let tcp = claimed.ok_or(StackError::WouldBlock)?;
            let peer = engine.stack.tcp_peer_addr(tcp)?;
            let local = engine.stack.tcp_local_addr(tcp)?;
            Ok(((tcp, engine.add(tcp)), local, peer))
        }));
        Poll::Ready(match claimed {
            Ok((made, local, peer)) => {
                let stream = TcpStream::new(Socket::new(socket.running(), made), local, peer);
                let token = Token::appear(&self.hub, peer, local);
                Some(TcpChannel::new(stream, Some(token)))
            }
            // The device has failed: nobody comes any more.
            Err(_) => None,
        })
    }
}
