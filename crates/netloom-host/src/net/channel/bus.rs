//! All conversations as one stream of messages, each with where it comes from and where it goes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Nothing more will be heard of a conversation.
    Departed {
        /// This side's end.
        here: Endpoint,
        /// The other side.
        peer: Address,
        /// Why the connection ended; `None` if it has not: only the other side has said goodbye, and
        /// listens on. This side may still speak, and says goodbye by [`Bus::finish`].
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
    waiting: VecDeque<Bytes>,
    /// How many octets they are.
    octets: usize,
    /// Goodbye is said behind what waits, and nothing more is taken.
    finished: bool,
    /// Its port is nobody else's as long.
    _port: Option<Port>,
}

/// All conversations of a program as one: a [`Stream`] of [`BusEvent`], a [`Sink`] of
/// [`ChannelMessage`].
///
/// The stream ends when the bus does not listen, all other sides have said goodbye, and everything
/// that the bus had taken is said.
///
/// The two directions of a conversation end each by itself: the other side's goodbye is
/// [`BusEvent::Departed`], this side's is [`Bus::finish`]. A conversation that is never finished is
/// kept until its connection ends.
///
/// A message for a conversation that is over is dropped: its end was told, or will be in a moment.
/// When the other sides take too little, the bus takes no more: the slowest of them sets the pace,
/// unless [`Bus::reset_slow`] says how far behind one may be.
pub struct Bus {
    net: Net,
    ports: PortAllocator,
    sources: SelectAll<Source>,
    voices: BTreeMap<Key, Voice>,
    /// Whose voices have something to say.
    speaking: BTreeSet<Key>,
    pending: usize,
    /// Octets that may wait for one other side.
    behind: Option<usize>,
    /// For somebody more waits.
    slow: bool,
    last_handle: u64,
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus")
            .field("conversations", &self.len())
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
            behind: None,
            slow: false,
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

    /// Lets nobody wait for the slowest: of another side that takes so little that more than so many
    /// octets wait for it, the conversation is reset instead, and ends with
    /// [`CloseReason::Aborted`]. What waits is forgotten.
    ///
    /// All others together then hold up to as many octets each. It must be more than what may be
    /// said at once.
    pub fn reset_slow(&mut self, octets: usize) {
        self.behind = Some(octets);
        self.slow = true;
    }

    /// Says goodbye behind what was said already, and takes nothing more for this conversation. What
    /// the other side still says is told.
    ///
    /// What waits goes out while the bus is polled, as sink or as stream: dropping the bus loses it.
    pub fn finish(&mut self, here: impl Into<Endpoint>, peer: Address) {
        let key = (here.into(), peer);
        if self.speaking.contains(&key) {
            if let Some(voice) = self.voices.get_mut(&key) {
                voice.finished = true;
            }
        } else {
            self.silence(&key);
        }
    }

    /// Resets a conversation: what waits is forgotten, and the other side is told. It ends with
    /// [`CloseReason::Aborted`].
    pub fn abort(&mut self, here: impl Into<Endpoint>, peer: Address) {
        if let Some(voice) = self.silence(&(here.into(), peer)) {
            voice.sender.abort();
        }
    }

    /// How many conversations this side has not finished.
    pub fn len(&self) -> usize {
        self.voices.values().filter(|v| !v.finished).count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, key: Key, channel: TcpChannel, port: Option<Port>) {
        let (sender, receiver) = channel.split();
        let voice = Voice {
            sender,
            waiting: VecDeque::new(),
            octets: 0,
            finished: false,
            _port: port,
        };
        // Between the same two ends there was one before, whose connection is over.
        self.silence(&key);
        self.voices.insert(key, voice);
        self.sources.push(Source::Conversation(key, receiver));
    }

    /// Takes a voice away, and what it still had to say.
    fn silence(&mut self, key: &Key) -> Option<Voice> {
        self.speaking.remove(key);
        let voice = self.voices.remove(key)?;
        self.pending -= voice.waiting.len();
        Some(voice)
    }

    /// Says what can be said; ready when nothing is left.
    fn poll_speak(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (mut silent, mut slow) = (Vec::new(), Vec::new());
        self.speaking.retain(|key| {
            let Some(voice) = self.voices.get_mut(key) else {
                return false;
            };
            let (said, all) = voice.speak(cx);
            self.pending -= said;
            match all {
                Poll::Pending => {
                    if self.behind.is_some_and(|most| voice.octets > most) {
                        slow.push(*key);
                    }
                    true
                }
                Poll::Ready(all) => {
                    // The end of a connection is told by the stream.
                    if all.is_err() || voice.finished {
                        silent.push(*key);
                    }
                    false
                }
            }
        });
        for key in silent {
            self.silence(&key);
        }
        for (here, peer) in slow {
            self.abort(here, peer);
        }
        self.slow = false;
        if self.speaking.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Voice {
    /// Says what can be said, and tells how many messages that were; ready when nothing is left.
    fn speak(&mut self, cx: &mut Context<'_>) -> (usize, Poll<Result<(), Error>>) {
        let mut said = 0;
        loop {
            match Pin::new(&mut self.sender).poll_ready(cx) {
                Poll::Ready(Ok(())) => {}
                other => return (said, other),
            }
            let Some(item) = self.waiting.pop_front() else {
                return (said, Poll::Ready(Ok(())));
            };
            said += 1;
            self.octets -= item.len();
            if let Err(error) = Pin::new(&mut self.sender).start_send(item) {
                return (said, Poll::Ready(Err(error)));
            }
        }
    }
}

impl Stream for Bus {
    type Item = BusEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BusEvent>> {
        let this = &mut *self;
        // A program that only listens must not keep others from hearing what it said before.
        let all_said = this.poll_speak(cx);
        let Some(news) = ready!(Pin::new(&mut this.sources).poll_next(cx)) else {
            // Nobody is left to be heard: but what was taken is to be said.
            return all_said.map(|()| None);
        };
        Poll::Ready(Some(match news {
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
                // After a mere goodbye the other side listens on.
                if reason.is_some() {
                    this.silence(&key);
                }
                BusEvent::Departed { here, peer, reason }
            }
        }))
    }
}

impl Sink<ChannelMessage> for Bus {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let full = self.behind.is_none() && self.pending >= PENDING;
        if full || self.slow {
            let _ = self.poll_speak(cx);
        }
        // Where nobody is waited for, who is too slow is gone by now.
        if self.behind.is_some() || self.pending < PENDING {
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
        let this = &mut *self;
        if let Some(voice) = this.voices.get_mut(&key).filter(|v| !v.finished) {
            voice.octets += message.subpacket.len();
            voice.waiting.push_back(message.subpacket);
            this.pending += 1;
            this.slow |= this.behind.is_some_and(|most| voice.octets > most);
            this.speaking.insert(key);
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
