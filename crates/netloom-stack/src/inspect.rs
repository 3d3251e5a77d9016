//! A stack seen from outside: everything it holds, for `ss` and its like.
//!
//! Looking changes nothing. Tables are read by place, so that a program with a lock around its
//! stack can look at a million connections a few hundred at a time: each list begins at a place and
//! gives each item's own, to go on behind it. What comes or goes in between may be missed or seen;
//! what stays is seen once.
//!
//! ```
//! # #[cfg(all(feature = "ipv4", feature = "inspect"))] {
//! use netloom_stack::{Config, Limits, Seed, Stack};
//!
//! let config = Config::ip().address("10.0.0.1/24".parse().unwrap());
//! let mut stack = Stack::with_heap(config, Limits::default(), Seed::from([7; 32]));
//! let _web = stack.tcp_listen(80)?;
//! let listening: Vec<u16> = stack.inspect().listeners(0).map(|(_, l)| l.local.port()).collect();
//! assert_eq!(listening, [80]);
//! # }
//! # Ok::<(), netloom_stack::Error>(())
//! ```

use core::net::SocketAddr;

use netloom_driver::Instant;
use netloom_tcp::{State, TcpInfo, Timer};
use netloom_wire::Addr;

use crate::address::InterfaceAddress;
use crate::event::IfaceId;
use crate::neighbor::NeighborState;
use crate::route::Route;
use crate::stack::Stack;
use crate::tcp::{Backlog, Flags};
use crate::tuple::Tuple;
use crate::version::Version;

mod dead;
#[cfg(test)]
mod tests;

pub(crate) use dead::Dead;
pub use dead::{DeadProtocol, DeadView};

/// What something waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which timer runs.
    pub timer: SocketTimer,
    /// How long until it fires, in milliseconds.
    pub left: u32,
    /// How often it has fired without an answer.
    pub tries: u8,
}

/// The timers that Linux's `/proc/net/tcp` tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketTimer {
    /// Retransmission.
    Retransmit,
    /// Keep-alive.
    KeepAlive,
    /// The end of TIME-WAIT, of FIN-WAIT-2, of the linger time, or of a half-closed connection.
    Close,
    /// Zero-window probes.
    Persist,
}

/// Who holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A program has a handle.
    Program,
    /// Nobody yet: it waits to be accepted.
    Listener,
    /// Nobody any more: it finishes on its own.
    Nobody,
}

/// A connection, from SYN-SENT on to its end, and beyond while a program holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionView {
    /// The local end.
    pub local: SocketAddr,
    /// The remote end.
    pub remote: SocketAddr,
    /// The interface its frames last left by.
    pub iface: IfaceId,
    /// Who holds it.
    pub holder: Holder,
    /// Octets that can be read.
    pub recv_queue: usize,
    /// Octets written and not acknowledged.
    pub send_queue: usize,
    /// What it waits for, if a timer runs.
    pub waiting: Option<Waiting>,
    /// Everything else; the state among it.
    pub info: TcpInfo,
    /// The name of its congestion control algorithm.
    pub congestion: &'static str,
}

/// A connection in SYN-RECEIVED or TIME-WAIT, of which little is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryView {
    /// The local end.
    pub local: SocketAddr,
    /// The remote end.
    pub remote: SocketAddr,
    /// What it waits for.
    pub waiting: Waiting,
}

/// A listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerView {
    /// Where it listens.
    pub local: SocketAddr,
    /// It takes both versions; `local` is `[::]` then.
    pub both_versions: bool,
    /// How full its queues are.
    pub backlog: Backlog,
}

/// A UDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UdpView {
    /// Where it is bound.
    pub local: SocketAddr,
    /// It takes both versions; `local` is `[::]` then.
    pub both_versions: bool,
    /// The other end, if it is connected.
    pub remote: Option<SocketAddr>,
    /// Octets of memory that datagrams to be received take, as Linux counts them: more than they are
    /// long.
    pub recv_queue: usize,
    /// Octets of memory that datagrams to be sent take.
    pub send_queue: usize,
}

/// A neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeighborView {
    /// Its address.
    pub addr: Addr,
    /// The interface it is on.
    pub iface: IfaceId,
    /// Its link-layer address, if it is known.
    pub mac: Option<[u8; 6]>,
    /// Its state.
    pub state: NeighborState,
    /// It is a router.
    pub router: bool,
}

/// An interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InterfaceView {
    /// Which.
    pub id: IfaceId,
    /// Its link-layer address; `None` without a link layer.
    pub mac: Option<[u8; 6]>,
    /// The largest IP packet, in bytes.
    pub mtu: u16,
    /// It leads back to this stack.
    pub loopback: bool,
}

/// A stack that is looked at: see [`Stack::inspect`].
#[derive(Debug, Clone, Copy)]
pub struct Inspect<'s> {
    stack: &'s Stack,
}

impl Stack {
    /// Everything the stack holds, to be looked at.
    pub fn inspect(&self) -> Inspect<'_> {
        Inspect { stack: self }
    }
}

impl<'s> Inspect<'s> {
    /// The stack's time.
    pub fn now(&self) -> Instant {
        self.stack.clock.now
    }

    /// Connections from place `from` on, but for those in SYN-RECEIVED and TIME-WAIT that are kept
    /// as entries only.
    pub fn connections(self, from: u32) -> impl Iterator<Item = (u32, ConnectionView)> + use<'s> {
        let Inspect { stack } = self;
        let slots = &stack.tables.connections;
        (from..slots.high_water()).filter_map(move |index| {
            let slot = slots.get(index).filter(|s| s.flags.has(Flags::LIVE))?;
            let env = stack.clock.env(&stack.tunables.tcp, 0);
            let ended = slot.flags.has(Flags::ENDED);
            let (local, remote) = ends(&slot.tuple);
            let mut info = slot.conn.info(&env);
            #[cfg(feature = "bbr")]
            if let Some(path) = slot.buffers.path() {
                path.tell(&mut info);
            }
            if ended {
                info.state = State::Closed;
                info.close_reason = slot.reason;
            }
            let waiting = slot.conn.running_timer(&env).filter(|_| !ended);
            let view = ConnectionView {
                local,
                remote,
                iface: IfaceId(slot.iface),
                holder: if slot.flags.has(Flags::OWNED) {
                    Holder::Program
                } else if slot.listener() != 0 {
                    Holder::Listener
                } else {
                    Holder::Nobody
                },
                recv_queue: slot.conn.readable_bytes(),
                send_queue: slot.conn.tx_extent(),
                waiting: waiting.map(|running| Waiting {
                    timer: match running.timer {
                        Timer::Persist => SocketTimer::Persist,
                        Timer::KeepAlive => SocketTimer::KeepAlive,
                        Timer::Close | Timer::User => SocketTimer::Close,
                        Timer::Retransmit | Timer::DelayedAck => SocketTimer::Retransmit,
                    },
                    left: running.left,
                    tries: running.tries,
                }),
                info,
                congestion: slot.conn.settings().congestion.name(),
            };
            Some((index, view))
        })
    }

    /// Connections in SYN-RECEIVED from place `from` on.
    pub fn half_open(self, from: u32) -> impl Iterator<Item = (u32, EntryView)> + use<'s> {
        let Inspect { stack } = self;
        let entries = &stack.tables.half_open;
        (from..entries.high_water()).filter_map(move |index| {
            let entry = entries.get(index).filter(|e| e.tuple != Tuple::EMPTY)?;
            let tries = entry.half.retries();
            let ticks = stack.ticks_left(entry.links.tag, stack.syn_ack_wait(tries));
            let waiting = Waiting {
                timer: SocketTimer::Retransmit,
                left: u32::from(ticks) * 4,
                tries,
            };
            Some((index, entry_view(&entry.tuple, waiting)))
        })
    }

    /// Connections in TIME-WAIT from place `from` on.
    pub fn time_wait(self, from: u32) -> impl Iterator<Item = (u32, EntryView)> + use<'s> {
        let Inspect { stack } = self;
        let entries = &stack.tables.time_wait;
        (from..entries.high_water()).filter_map(move |index| {
            let entry = entries.get(index).filter(|e| e.tuple != Tuple::EMPTY)?;
            let ticks = stack.ticks_left(entry.links.tag, stack.time_wait_ticks());
            let waiting = Waiting {
                timer: SocketTimer::Close,
                left: u32::from(ticks) * 4,
                tries: 0,
            };
            Some((index, entry_view(&entry.tuple, waiting)))
        })
    }

    /// Listeners from place `from` on.
    pub fn listeners(self, from: u32) -> impl Iterator<Item = (u32, ListenerView)> + use<'s> {
        let stack = self.stack;
        let listeners = &stack.tables.listeners;
        (from..listeners.high_water()).filter_map(move |index| {
            let listener = listeners.get(index).filter(|l| l.live)?;
            let view = ListenerView {
                local: local_end(&listener.key),
                both_versions: takes_both(&listener.key),
                backlog: stack.backlog(index)?,
            };
            Some((index, view))
        })
    }

    /// UDP sockets from place `from` on.
    pub fn udp(self, from: u32) -> impl Iterator<Item = (u32, UdpView)> + use<'s> {
        let slots = &self.stack.tables.udp;
        (from..slots.high_water()).filter_map(move |index| {
            let slot = slots.get(index).filter(|s| s.live)?;
            let connected = slot.is_connected();
            let view = UdpView {
                local: local_end(&slot.tuple),
                both_versions: !connected && takes_both(&slot.tuple),
                remote: connected.then(|| ends(&slot.tuple).1),
                recv_queue: slot.rx.bytes(),
                send_queue: slot.tx.bytes(),
            };
            Some((index, view))
        })
    }

    /// Neighbours; without the feature `ethernet` there are none.
    pub fn neighbors(self) -> impl Iterator<Item = NeighborView> + use<'s> {
        let Inspect { stack } = self;
        let state =
            move |n: &crate::neighbor::Neighbor| n.state(stack.clock.now, &stack.neighbor_tunables);
        let known = stack.neighbors.iter();
        known.map(move |neighbor| NeighborView {
            addr: *neighbor.addr(),
            iface: IfaceId(neighbor.iface()),
            mac: neighbor.mac().map(|mac| mac.0),
            state: state(neighbor),
            router: neighbor.is_router(),
        })
    }

    /// Interfaces.
    pub fn interfaces(self) -> impl Iterator<Item = InterfaceView> + use<'s> {
        let numbered = (0..=u8::MAX).zip(self.stack.interfaces.iter());
        numbered
            .filter(|(_, i)| i.in_use)
            .map(|(id, interface)| InterfaceView {
                id: IfaceId(id),
                #[cfg(feature = "ethernet")]
                mac: interface.ethernet.then_some(interface.mac.0),
                #[cfg(not(feature = "ethernet"))]
                mac: None,
                mtu: interface.mtu,
                loopback: interface.loopback,
            })
    }

    /// Addresses of all interfaces.
    pub fn addresses(self) -> &'s [InterfaceAddress] {
        self.stack.addresses()
    }

    /// Routes, the most specific first.
    pub fn routes(self) -> &'s [Route] {
        self.stack.routes()
    }
}

/// Both ends, with the interface of link-local addresses as their scope.
fn ends(tuple: &Tuple) -> (SocketAddr, SocketAddr) {
    let scope = tuple.scope().map_or(0, |iface| u32::from(iface) + 1);
    let end = |addr: Addr, port| {
        let mut end = SocketAddr::new(addr.into(), port);
        if let SocketAddr::V6(end) = &mut end {
            end.set_scope_id(scope);
        }
        end
    };
    (
        end(tuple.local(), tuple.local_port),
        end(tuple.remote, tuple.remote_port),
    )
}

fn local_end(tuple: &Tuple) -> SocketAddr {
    ends(tuple).0
}

/// Whether the key is that of all addresses of both versions.
fn takes_both(key: &Tuple) -> bool {
    key.local().is_unspecified()
        && !key.local().is_v4()
        && key.remote_port & 0xff == Version::Any as u16
}

fn entry_view(tuple: &Tuple, waiting: Waiting) -> EntryView {
    let (local, remote) = ends(tuple);
    EntryView {
        local,
        remote,
        waiting,
    }
}
