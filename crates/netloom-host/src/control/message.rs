//! Questions and answers.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// A line from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ask {
    /// Who are you? One [`Line::Instance`].
    Instance,
    /// Every TCP and UDP socket, handshake and TIME-WAIT: [`Line::Socket`].
    Sockets,
    /// The connections that ended last, refused flows among them: [`Line::Closed`], the latest first.
    Closed,
    /// Every counter: [`Line::Counter`].
    Counters,
    /// Every tunable: [`Line::Tunable`].
    Tunables,
    /// Change a tunable. One [`Line::Tunable`], with its new value.
    SetTunable {
        /// Its name.
        name: String,
        /// Its new value: a number (in JSON too), or one of its choices.
        #[serde(deserialize_with = "text_or_number")]
        value: String,
    },
    /// Interfaces: [`Line::Interface`].
    Interfaces,
    /// Neighbours: [`Line::Neighbor`].
    Neighbors,
    /// Routes: [`Line::Route`].
    Routes,
}

/// What a text says, or the digits of a number.
fn text_or_number<'de, D: serde::Deserializer<'de>>(input: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Text(String),
        Number(u64),
    }
    Ok(match Either::deserialize(input)? {
        Either::Text(text) => text,
        Either::Number(number) => number.to_string(),
    })
}

/// A line from an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line {
    /// Who it is.
    Instance(Instance),
    /// A socket.
    Socket(Box<Socket>),
    /// A connection that has ended, or a flow that was refused.
    Closed(Closed),
    /// A counter.
    Counter(Counter),
    /// A tunable.
    Tunable(Tunable),
    /// An interface.
    Interface(Interface),
    /// A neighbour.
    Neighbor(Neighbor),
    /// A route.
    Route(Route),
    /// The question could not be answered; nothing follows.
    Error(String),
    /// That was all.
    End,
}

/// Who an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The process.
    pub pid: u32,
    /// Its program's name.
    pub program: String,
    /// The device the stack runs on.
    pub device: String,
    /// The version of netloom.
    pub netloom: String,
    /// How long it has run, in milliseconds.
    pub age_ms: u64,
}

/// The transport protocol of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// The states, by their numbers in Linux's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketState {
    /// ESTABLISHED; a connected UDP socket.
    Established = 1,
    /// SYN-SENT.
    SynSent = 2,
    /// SYN-RECEIVED.
    SynReceived = 3,
    /// FIN-WAIT-1.
    FinWait1 = 4,
    /// FIN-WAIT-2.
    FinWait2 = 5,
    /// TIME-WAIT.
    TimeWait = 6,
    /// CLOSED; a UDP socket that is not connected.
    Closed = 7,
    /// CLOSE-WAIT.
    CloseWait = 8,
    /// LAST-ACK.
    LastAck = 9,
    /// LISTEN.
    Listen = 10,
    /// CLOSING.
    Closing = 11,
}

impl SocketState {
    /// Every state, in the order of the numbers.
    pub const ALL: [SocketState; 11] = [
        SocketState::Established,
        SocketState::SynSent,
        SocketState::SynReceived,
        SocketState::FinWait1,
        SocketState::FinWait2,
        SocketState::TimeWait,
        SocketState::Closed,
        SocketState::CloseWait,
        SocketState::LastAck,
        SocketState::Listen,
        SocketState::Closing,
    ];

    /// The state of a number in Linux's tables. 12 is a SYN entry to Linux (`TCP_NEW_SYN_RECV`).
    pub fn of_number(number: u8) -> Option<SocketState> {
        match number {
            12 => Some(SocketState::SynReceived),
            number => SocketState::ALL
                .into_iter()
                .find(|&state| state as u8 == number),
        }
    }

    /// As `ss` writes it.
    pub fn name(self) -> &'static str {
        match self {
            SocketState::Established => "ESTAB",
            SocketState::SynSent => "SYN-SENT",
            SocketState::SynReceived => "SYN-RECV",
            SocketState::FinWait1 => "FIN-WAIT-1",
            SocketState::FinWait2 => "FIN-WAIT-2",
            SocketState::TimeWait => "TIME-WAIT",
            SocketState::Closed => "UNCONN",
            SocketState::CloseWait => "CLOSE-WAIT",
            SocketState::LastAck => "LAST-ACK",
            SocketState::Listen => "LISTEN",
            SocketState::Closing => "CLOSING",
        }
    }
}

/// A timer's meaning, by its number in Linux's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// Retransmission: `on`.
    Retransmit = 1,
    /// Keep-alive.
    Keepalive = 2,
    /// The end of TIME-WAIT, or of a connection that finishes on its own.
    TimeWait = 3,
    /// Zero-window probes.
    Persist = 4,
}

impl TimerKind {
    /// The timer of a number in Linux's tables.
    pub fn of_number(number: u8) -> Option<TimerKind> {
        Some(match number {
            1 => TimerKind::Retransmit,
            2 => TimerKind::Keepalive,
            3 => TimerKind::TimeWait,
            4 => TimerKind::Persist,
            _ => return None,
        })
    }

    /// As `ss` writes it.
    pub fn name(self) -> &'static str {
        match self {
            TimerKind::Retransmit => "on",
            TimerKind::Keepalive => "keepalive",
            TimerKind::TimeWait => "timewait",
            TimerKind::Persist => "persist",
        }
    }
}

/// A timer that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timer {
    /// Which.
    pub kind: TimerKind,
    /// How long until it fires, in milliseconds.
    pub left_ms: u64,
    /// How often it has fired without an answer.
    pub tries: u32,
}

/// A socket, a handshake, or a connection in TIME-WAIT.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Socket {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its state.
    pub state: SocketState,
    /// The local end.
    pub local: SocketAddr,
    /// The remote end: unspecified, port 0, if there is none.
    pub remote: SocketAddr,
    /// Octets to be read; connections to be accepted of a listener.
    pub recv_queue: u64,
    /// Octets not acknowledged; a listener's limit of connections to be accepted.
    pub send_queue: u64,
    /// The timer that runs.
    pub timer: Option<Timer>,
    /// It takes IPv6 only, where `[::]` would take both versions.
    #[serde(default)]
    pub v6_only: bool,
    /// Whose it is; 0 in instances, where all is their own user's.
    #[serde(default)]
    pub uid: u32,
    /// A number of its own among those that a program holds, else 0: Linux's inode.
    #[serde(default)]
    pub inode: u64,
    /// More about a connection.
    #[serde(default)]
    pub detail: Option<Detail>,
}

/// What `ss -i` tells of a connection. Times are microseconds, sizes octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Detail {
    /// The congestion control algorithm.
    pub congestion: String,
    /// The peer's window scale.
    pub snd_wscale: Option<u8>,
    /// Our window scale.
    pub rcv_wscale: Option<u8>,
    /// Timestamps are in use.
    pub timestamps: bool,
    /// Selective acknowledgments are in use.
    pub sack: bool,
    /// Retransmission timeout.
    pub rto: u32,
    /// How many times it is doubled.
    pub backoff: u8,
    /// Smoothed round-trip time.
    pub srtt: u32,
    /// Its variation.
    pub rttvar: u32,
    /// The least round-trip time.
    pub min_rtt: u32,
    /// What a full segment carries.
    pub mss: u32,
    /// What the path carries.
    pub path_mss: u32,
    /// The MSS that was advertised.
    pub advmss: u32,
    /// Congestion window.
    pub cwnd: u32,
    /// Slow-start threshold.
    pub ssthresh: u32,
    /// The peer's window.
    pub snd_wnd: u32,
    /// Our window.
    pub rcv_wnd: u32,
    /// Sent and not acknowledged.
    pub unacked: u32,
    /// Selectively acknowledged.
    pub sacked: u32,
    /// Taken as lost.
    pub lost: u32,
    /// Queued and never sent.
    pub unsent: u32,
    /// Segments sent again.
    pub retransmissions: u32,
    /// Delivered to the peer, wrapping.
    pub delivered: u32,
}

/// A connection that has ended, or a flow that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// What it spoke: `tcp`, `udp`, or `icmp` for a flow of pings.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// The local end.
    pub local: SocketAddr,
    /// The remote end.
    pub remote: SocketAddr,
    /// Why it ended: the name of a [`CloseReason`](netloom_stack::CloseReason).
    pub reason: String,
    /// The same in words.
    pub message: String,
    /// How long ago, in milliseconds.
    pub ago_ms: u64,
    /// Smoothed round-trip time, in microseconds.
    pub srtt: u32,
    /// Segments sent again.
    pub retransmissions: u32,
}

/// What instances mean that do not name the protocol.
fn tcp() -> String {
    "tcp".to_owned()
}

/// A counter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    /// Its name: `tcp.received`, `drop.tcp-checksum`, `device.rx_frames`, `now.connections`.
    pub name: String,
    /// Its value.
    pub value: u64,
}

/// A tunable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: u64,
    /// The least it takes.
    pub min: u64,
    /// The most it takes.
    pub max: u64,
    /// What it is for.
    pub doc: String,
    /// The names its values have, from 0 on; none if they are numbers and nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

impl Tunable {
    /// Its value as one says it: the name of it, if it has names.
    pub fn said(&self) -> String {
        let place = usize::try_from(self.value).ok();
        let name = place.and_then(|place| self.choices.get(place));
        name.cloned().unwrap_or_else(|| self.value.to_string())
    }
}

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its number.
    pub id: u8,
    /// Its name: the device's for the first, `lo` for the loopback.
    pub name: String,
    /// Its link-layer address.
    pub mac: Option<[u8; 6]>,
    /// The largest IP packet.
    pub mtu: u16,
    /// Its addresses, with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// A neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbor {
    /// Its address.
    pub addr: IpAddr,
    /// The number of the interface it is on.
    pub interface: u8,
    /// Its link-layer address, if it is known.
    pub mac: Option<[u8; 6]>,
    /// Its state, as RFC 4861 names it.
    pub state: String,
    /// It is a router.
    pub router: bool,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network it leads to.
    pub dst: IpAddr,
    /// The length of its prefix.
    pub prefix: u8,
    /// The router; `None`: it is on the link.
    pub via: Option<IpAddr>,
    /// The number of the interface.
    pub interface: u8,
    /// Lower goes first.
    pub metric: u32,
}

#[cfg(test)]
mod tests;
