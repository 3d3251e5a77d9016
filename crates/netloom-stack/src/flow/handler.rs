//! What a program decides about flows, and is told of them.

use crate::error::Error;
use crate::flow::{FlowId, FlowTuple};
use netloom_tcp::CloseReason;

/// What becomes of a flow that wants to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// It is opened: a SYN is answered, a datagram delivered.
    Accept,
    /// It is not.
    Refuse(Refusal),
    /// Nothing is answered yet, and what the peer repeats is absorbed. The program decides with
    /// [`Flows::accept`](crate::flow::Flows::accept) or
    /// [`Flows::refuse`](crate::flow::Flows::refuse), within
    /// [`FlowTimeouts::hold`](crate::flow::FlowTimeouts::hold).
    Hold,
}

/// How a flow is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// As a closed port does: a reset for TCP, ICMP Port Unreachable for UDP; an echo is told that
    /// its host is unreachable.
    Rst,
    /// By an ICMP error, within the limit on those.
    Icmp(Unreachable),
    /// In silence.
    Drop,
}

/// What an ICMP error says is unreachable (RFC 792, RFC 4443 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreachable {
    /// The network: no route leads there.
    Network,
    /// The host does not answer.
    Host,
    /// The port.
    Port,
    /// Communication is administratively prohibited.
    Prohibited,
}

/// What a handler did with data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Taken {
    /// How many bytes it took, from the front. The rest is kept by the flow and closes its window;
    /// it is lent again with what comes next, or after
    /// [`Flows::credit`](crate::flow::Flows::credit). Of a datagram all or nothing is taken: one
    /// that is not taken whole is dropped.
    pub bytes: usize,
    /// How many of these the window gets back at once. The program owes the others, and gives
    /// them back by [`Flows::credit`](crate::flow::Flows::credit) when it has passed them on.
    /// At most `bytes`. Means nothing for datagrams.
    pub credit: usize,
}

impl Taken {
    /// Everything, and the window gets it back.
    pub const fn all(data: &[u8]) -> Taken {
        Taken {
            bytes: data.len(),
            credit: data.len(),
        }
    }

    /// Nothing.
    pub const NOTHING: Taken = Taken {
        bytes: 0,
        credit: 0,
    };
}

/// What is done with flows: the program's side of [`Flows`](crate::flow::Flows).
///
/// Called from within `Flows`' methods, so it cannot call those; it notes what it wants to do and
/// does it afterwards.
pub trait FlowHandler {
    /// A flow wants to open. Called once for each; accepted by default.
    fn opening(&mut self, id: FlowId, tuple: &FlowTuple) -> Open {
        let _ = (id, tuple);
        Open::Accept
    }

    /// Data of a TCP flow in order, or a datagram of a UDP flow, lent where it lies.
    fn data(&mut self, id: FlowId, data: &[u8]) -> Taken;

    /// An echo request of an echo flow, with its sequence number and data;
    /// [`Flows::echo_reply`](crate::flow::Flows::echo_reply) answers it.
    fn echo(&mut self, id: FlowId, sequence: u16, data: &[u8]) {
        let _ = (id, sequence, data);
    }

    /// A flow that did not take all of some data has room for `room` bytes again.
    fn writable(&mut self, id: FlowId, room: usize) {
        let _ = (id, room);
    }

    /// The peer of a TCP flow has finished sending, and all of it was taken. The other direction
    /// goes on.
    fn peer_finished(&mut self, id: FlowId) {
        let _ = id;
    }

    /// An ICMP error quotes a packet of the flow, which goes on: TCP decides for itself
    /// ([`Error::HostUnreachable`]), and whether UDP does is the program's to say.
    fn error(&mut self, id: FlowId, error: Error) {
        let _ = (id, error);
    }

    /// A flow is over, and its id means nothing any more. Called once for every flow that was
    /// accepted or held, but for those the program has refused.
    fn closed(&mut self, id: FlowId, why: CloseReason) {
        let _ = (id, why);
    }
}
