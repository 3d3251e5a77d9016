//! The connections and flows that ended last, and why.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use netloom_driver::Instant;
use netloom_tcp::CloseReason;

use super::{Inspect, ends};
#[cfg(feature = "flows")]
use crate::flow::{Refusal, Unreachable};
use crate::stack::Stack;
use crate::tcp::TcpSlot;
#[cfg(feature = "flows")]
use crate::tuple::Tuple;

/// What something spoke that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadProtocol {
    /// TCP.
    Tcp,
    /// UDP: a flow that was refused.
    Udp,
    /// ICMP echoes: a flow that was refused. The remote port is their identifier.
    Echo,
}

/// A connection that has ended, or a flow that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadView {
    /// What it spoke.
    pub protocol: DeadProtocol,
    /// The local end.
    pub local: SocketAddr,
    /// The remote end.
    pub remote: SocketAddr,
    /// Why it ended. Of a flow that was refused: what its peer was told, [`CloseReason::Aborted`]
    /// if nothing, [`CloseReason::PeerNeverAppeared`] if nobody decided upon it.
    pub reason: CloseReason,
    /// How it was refused, if it is a flow that was.
    #[cfg(feature = "flows")]
    pub refusal: Option<Refusal>,
    /// When, on the stack's clock.
    pub at: Instant,
    /// Smoothed round-trip time in microseconds; 0: none was measured.
    pub srtt: u32,
    /// Segments sent again.
    pub retransmissions: u32,
}

impl DeadView {
    /// Why it ended, in one plain sentence.
    pub const fn message(&self) -> &'static str {
        #[cfg(feature = "flows")]
        if let Some(refusal) = self.refusal {
            return match (refusal, self.protocol) {
                (Refusal::Rst, DeadProtocol::Tcp) => "the flow was refused by a reset",
                (Refusal::Rst, DeadProtocol::Udp) | (Refusal::Icmp(Unreachable::Port), _) => {
                    "the flow was refused: its port is unreachable"
                }
                (Refusal::Rst, DeadProtocol::Echo) | (Refusal::Icmp(Unreachable::Host), _) => {
                    "the flow was refused: its host is unreachable"
                }
                (Refusal::Icmp(Unreachable::Network), _) => {
                    "the flow was refused: its network is unreachable"
                }
                (Refusal::Icmp(Unreachable::Prohibited), _) => {
                    "the flow was refused: it is prohibited"
                }
                (Refusal::Drop, _) => "the flow was refused in silence",
            };
        }
        self.reason.message()
    }
}

/// The connections and flows that ended last, oldest first.
pub(crate) struct Dead {
    limit: usize,
    last: VecDeque<DeadView>,
}

impl Dead {
    pub(crate) const NONE: Dead = Dead {
        limit: 0,
        last: VecDeque::new(),
    };

    /// A connection has ended.
    #[inline]
    pub(crate) fn remember(&mut self, slot: &TcpSlot, at: Instant, reason: CloseReason) {
        if self.limit == 0 {
            return;
        }
        let (srtt, retransmissions) = slot.conn.history();
        let (local, remote) = ends(&slot.tuple);
        self.push(DeadView {
            protocol: DeadProtocol::Tcp,
            local,
            remote,
            reason,
            #[cfg(feature = "flows")]
            refusal: None,
            at,
            srtt,
            retransmissions,
        });
    }

    /// A flow was refused; `None`: nobody decided upon it.
    #[cfg(feature = "flows")]
    pub(crate) fn remember_refused(
        &mut self,
        protocol: DeadProtocol,
        tuple: &Tuple,
        at: Instant,
        reason: CloseReason,
        refusal: Option<Refusal>,
    ) {
        if self.limit == 0 {
            return;
        }
        let (local, remote) = ends(tuple);
        self.push(DeadView {
            protocol,
            local,
            remote,
            reason,
            refusal,
            at,
            srtt: 0,
            retransmissions: 0,
        });
    }

    fn push(&mut self, view: DeadView) {
        while self.last.len() >= self.limit {
            self.last.pop_front();
        }
        self.last.push_back(view);
    }
}

impl Stack {
    /// Remembers the last `count` connections that ended and flows that were refused, and why; 0,
    /// at first: none. 96 bytes each, taken as they end.
    pub fn remember_dead(&mut self, count: u16) {
        let dead = &mut self.dead;
        dead.limit = usize::from(count);
        let surplus = dead.last.len().saturating_sub(dead.limit);
        dead.last.drain(..surplus);
    }
}

impl<'s> Inspect<'s> {
    /// The connections that ended last, flows that were refused among them, the latest first: as
    /// many as [`Stack::remember_dead`] says.
    pub fn dead(self) -> impl Iterator<Item = DeadView> + use<'s> {
        self.stack.dead.last.iter().rev().copied()
    }
}
