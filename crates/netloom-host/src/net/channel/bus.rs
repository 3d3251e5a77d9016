//! All conversations as one stream of messages, each with where it comes from and where it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;
use futures_util::stream::SelectAll;
use netloom_stack::CloseReason;

use super::super::Net;
use super::super::error::{Error, from_io};
use super::super::remote::Remote;
use super::ToListenAddr;
use super::listener::ChannelListener;
use super::ports::{Port, PortAllocator};
use super::tcp_channel::{ChannelReceiver, ChannelSender, TcpChannel};

/// Messages that wait to be sent at most, before the bus takes no more.
const PENDING: usize = 1024;

/// The other end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "tcp-address")]
pub struct Address(pub SocketAddr);

/// This side's end of a conversation that it began: a name for a port that was allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "tcp-handle")]
pub struct Handle(u64);

/// This side's end of the conversations that others began: a port that is listened at.
#[doc(alias = "tcp-listener")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listener {
    /// The port.
    pub port: u16,
}

/// An end of a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// The other side's.
    Address(Address),
    /// This side's, which began it.
    Handle(Handle),
    /// This side's, which listens.
    Listener(Listener),
}

impl From<Address> for Endpoint {
    fn from(address: Address) -> Endpoint {
        Endpoint::Address(address)
    }
}

impl From<Handle> for Endpoint {
    fn from(handle: Handle) -> Endpoint {
        Endpoint::Handle(handle)
    }
}

impl From<Listener> for Endpoint {
    fn from(listener: Listener) -> Endpoint {
        Endpoint::Listener(listener)
    }
}

/// A part of a conversation, on its way from one end to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelMessage {
    /// Who says it.
    pub source: Endpoint,
    /// To whom.
    pub destination: Endpoint,
    /// What: some octets of the stream, in order.
    pub subpacket: Bytes,
}

impl ChannelMessage {
    /// The answer to this message.
    #[must_use]
    pub fn reply(&self, subpacket: impl Into<Bytes>) -> ChannelMessage {
        ChannelMessage {
            source: self.destination,
            destination: self.source,
            subpacket: subpacket.into(),
        }
    }
}

/// What a [`Bus`] tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// A conversation has begun.
    Appeared {
        /// This side's end.
        here: Endpoint,
        /// The other side.
        peer: Address,
    },
    /// Something was said.
    Message(ChannelMessage),
    /// A conversation is over.
    Departed {
        /// This side's end.
        here: Endpoint,
        /// The other side.
        peer: Address,
        /// Why the connection ended; `None` if it has not: only the other side has said goodbye.
        reason: Option<CloseReason>,
    },
}

/// Which conversation: this side's end, and the other.
type Key = (Endpoint, Address);

/// What comes of one conversation or one listener.
enum Source {
    Conversation(Key, ChannelReceiver),
    Listener(Listener, ChannelListener),
    Over,
}

enum News {
    Newcomer(Key, Box<TcpChannel>),
    Said(Key, Bytes),
    End(Key, Option<CloseReason>),
}

impl Stream for Source {
    type Item = News;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<News>> {
        let (news, over) = match &mut *self {
            Source::Over => (None, false),
            Source::Conversation(key, receiver) => {
                match ready!(Pin::new(&mut *receiver).poll_next(cx)) {
                    Some(said) => (Some(News::Said(*key, said)), false),
                    None => (Some(News::End(*key, receiver.close_reason())), true),
                }
            }
            Source::Listener(here, listener) => {
                let channel = ready!(Pin::new(listener).poll_next(cx));
                let newcomer = channel.map(|channel| {
                    let key = (Endpoint::Listener(*here), Address(channel.peer_addr()));
                    News::Newcomer(key, Box::new(channel))
                });
                (newcomer, false)
            }
        };
        if over {
            *self = Source::Over;
        }
        Poll::Ready(news)
    }
}

/// This side of a conversation: what is to be said.
struct Voice {
    sender: ChannelSender,
    waiting: std::collections::VecDeque<Bytes>,
    /// Its port is nobody else's as long.
    _port: Option<Port>,
}

/// All conversations of a program as one: a [`Stream`] of [`BusEvent`], a [`Sink`] of
/// [`ChannelMessage`].
///
/// The stream ends when the bus neither listens nor has a conversation.
///
/// A message for a conversation that is over is dropped: its end was told, or will be in a moment.
/// When the other sides take too little, the bus takes no more: the slowest of them sets the pace.
pub struct Bus {
    net: Net,
    ports: PortAllocator,
    sources: SelectAll<Source>,
    voices: BTreeMap<Key, Voice>,
    /// Whose voices have something to say.
    speaking: BTreeSet<Key>,
    pending: usize,
    last_handle: u64,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("conversations", &self.voices.len())
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl Bus {
    /// A bus without conversations.
    pub fn new(net: &Net) -> Bus {
        Bus {
            net: net.clone(),
            ports: PortAllocator::new(net),
            sources: SelectAll::new(),
            voices: BTreeMap::new(),
            speaking: BTreeSet::new(),
            pending: 0,
            last_handle: 0,
        }
    }

    /// Takes up the conversations that others begin at a place.
    ///
    /// # Errors
    /// As [`Net::channel_listen`].
    pub fn listen(&mut self, at: impl ToListenAddr) -> Result<Listener, Error> {
        let listener = self.net.channel_listen(at)?;
        let port = listener.local_addr().port();
        self.sources
            .push(Source::Listener(Listener { port }, listener));
        Ok(Listener { port })
    }

    /// Begins a conversation, from a port that nobody uses.
    ///
    /// # Errors
    /// As [`Net::channel_connect`]; no port is left.
    pub async fn connect(&mut self, to: impl Into<Remote>) -> Result<(Handle, Address), Error> {
        let port = self.ports.allocate().map_err(from_io)?;
        let local = SocketAddr::from(([0, 0, 0, 0], port.number()));
        let socket = self.net.tcp_socket().and_then(|socket| socket.bind(local));
        let socket = socket.map_err(from_io)?;
        let channel = self.net.channel_connect_with(&socket, to).await?;
        self.last_handle += 1;
        let (handle, peer) = (Handle(self.last_handle), Address(channel.peer_addr()));
        self.add((handle.into(), peer), channel, Some(port));
        Ok((handle, peer))
    }

    /// Says goodbye behind what was said already. What the other side still says is told.
    pub fn finish(&mut self, here: impl Into<Endpoint>, peer: Address) {
        let key = (here.into(), peer);
        if let Some(voice) = self.voices.remove(&key) {
            self.forget(&key, &voice);
        }
    }

    /// How many conversations this side has not finished.
    pub fn len(&self) -> usize {
        self.voices.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.voices.is_empty()
    }

    fn add(&mut self, key: Key, channel: TcpChannel, port: Option<Port>) {
        let (sender, receiver) = channel.split();
        let voice = Voice {
            sender,
            waiting: std::collections::VecDeque::new(),
            _port: port,
        };
        self.voices.insert(key, voice);
        self.sources.push(Source::Conversation(key, receiver));
    }

    fn forget(&mut self, key: &Key, voice: &Voice) {
        self.speaking.remove(key);
        self.pending -= voice.waiting.len();
    }

    /// Says what can be said; ready when nothing is left.
    fn poll_speak(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut lost = Vec::new();
        self.speaking.retain(|key| {
            let Some(voice) = self.voices.get_mut(key) else {
                return false;
            };
            loop {
                match Pin::new(&mut voice.sender).poll_ready(cx) {
                    Poll::Pending => return true,
                    Poll::Ready(Err(_)) => {
                        lost.push(*key);
                        return false;
                    }
                    Poll::Ready(Ok(())) => {}
                }
                let Some(item) = voice.waiting.pop_front() else {
                    return false;
                };
                self.pending -= 1;
                if Pin::new(&mut voice.sender).start_send(item).is_err() {
                    lost.push(*key);
                    return false;
                }
            }
        });
        // The stream tells of their end.
        for key in lost {
            if let Some(voice) = self.voices.remove(&key) {
                self.pending -= voice.waiting.len();
            }
        }
        if self.speaking.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Stream for Bus {
    type Item = BusEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BusEvent>> {
        let this = &mut *self;
        // A program that only listens must not keep others from hearing what it said before.
        let _ = this.poll_speak(cx);
        let news = ready!(Pin::new(&mut this.sources).poll_next(cx));
        Poll::Ready(news.map(|news| match news {
            News::Newcomer(key @ (here, peer), channel) => {
                this.add(key, *channel, None);
                BusEvent::Appeared { here, peer }
            }
            News::Said((here, peer), subpacket) => BusEvent::Message(ChannelMessage {
                source: peer.into(),
                destination: here,
                subpacket,
            }),
            News::End(key @ (here, peer), reason) => {
                if let Some(voice) = this.voices.remove(&key) {
                    this.forget(&key, &voice);
                }
                BusEvent::Departed { here, peer, reason }
            }
        }))
    }
}

impl Sink<ChannelMessage> for Bus {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.pending >= PENDING {
            let _ = self.poll_speak(cx);
        }
        if self.pending < PENDING {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn start_send(mut self: Pin<&mut Self>, message: ChannelMessage) -> Result<(), Error> {
        let Endpoint::Address(peer) = message.destination else {
            // Only the other side can be spoken to.
            return Err(netloom_stack::Error::InvalidRemote.into());
        };
        let key = (message.source, peer);
        if let Some(voice) = self.voices.get_mut(&key) {
            voice.waiting.push_back(message.subpacket);
            self.pending += 1;
            self.speaking.insert(key);
        }
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_speak(cx).map(Ok)
    }

    /// Says goodbye everywhere, behind what was said.
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_speak(cx));
        self.voices.clear();
        Poll::Ready(Ok(()))
    }
}
