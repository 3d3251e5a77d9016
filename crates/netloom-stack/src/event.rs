//! What the stack tells its user: handles and readiness.

use core::fmt;

/// An interface of the stack. Interfaces are numbered from 0 in the order they were added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct IfaceId(pub(crate) u8);

impl IfaceId {
    /// The first interface that was added: the only one of most programs.
    pub const FIRST: IfaceId = IfaceId(0);

    /// The interface's number.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for IfaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "if{}", self.0)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Carries a generation: once closed, it is an error everywhere, never a panic and
        /// never somebody else's.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name {
            pub(crate) index: u32,
            pub(crate) generation: u32,
        }

        impl $name {
            /// A number that no other live handle of this kind shares, for tables of the
            /// program's own. Small numbers are reused.
            pub const fn index(self) -> usize {
                self.index as usize
            }
        }
    };
}

handle! {
    /// A TCP connection of a stack.
    TcpHandle
}
handle! {
    /// A TCP listener of a stack.
    ListenerHandle
}
handle! {
    /// A UDP socket of a stack.
    UdpHandle
}
#[cfg(feature = "echo")]
handle! {
    /// An echo socket of a stack.
    EchoHandle
}

/// What can be done with a socket now, without waiting.
///
/// Readiness is a level: it says what holds at the moment the event is taken, however many
/// things happened before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Data, the end of the stream, or the connection's end can be read.
    pub readable: bool,
    /// There is room to write, or writing would report that this side or the connection has ended.
    pub writable: bool,
    /// The handshake is complete (TCP).
    pub connected: bool,
    /// The peer has finished sending (TCP); unread data may remain.
    pub peer_finished: bool,
    /// The connection is over (TCP); its reason can be asked for, unread data remains readable.
    pub closed: bool,
    /// A soft error or an ICMP error waits to be taken.
    pub error: bool,
    /// Urgent data was announced (TCP, RFC 9293 §3.8.5).
    pub urgent: bool,
    /// The wake-up time that was asked for has come (UDP).
    pub woken: bool,
}

/// Something a user of the stack may want to act upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection's readiness changed.
    Tcp(TcpHandle, Readiness),
    /// A listener has at least one connection to accept.
    Acceptable(ListenerHandle),
    /// A UDP socket's readiness changed.
    Udp(UdpHandle, Readiness),
    /// Another station said something of an address that [`Stack::arp_watch`] was told to watch,
    /// or answered [`Stack::echo_probe`]: [`Stack::arp_claim_heard`] tells what,
    /// [`Stack::echo_probe_answered`] whether. There may be more such addresses than this one.
    ///
    /// [`Stack::arp_watch`]: crate::Stack::arp_watch
    /// [`Stack::arp_claim_heard`]: crate::Stack::arp_claim_heard
    /// [`Stack::echo_probe`]: crate::Stack::echo_probe
    /// [`Stack::echo_probe_answered`]: crate::Stack::echo_probe_answered
    #[cfg(feature = "acd")]
    AddressClaimed(IfaceId, netloom_wire::Addr),
    /// An echo socket's readiness changed.
    #[cfg(feature = "echo")]
    Echo(EchoHandle, Readiness),
    /// A flow wants to open, and is held: [`Stack::flow_accept`](crate::Stack::flow_accept) or
    /// [`Stack::flow_refuse`](crate::Stack::flow_refuse) decides.
    #[cfg(feature = "flows")]
    FlowOpening(crate::flow::FlowId),
    /// An accepted flow is open: [`Stack::flow_socket`](crate::Stack::flow_socket) says what it is.
    #[cfg(feature = "flows")]
    FlowReady(crate::flow::FlowId),
    /// A flow ended before it was open.
    #[cfg(feature = "flows")]
    FlowClosed(crate::flow::FlowId, netloom_tcp::CloseReason),
}
