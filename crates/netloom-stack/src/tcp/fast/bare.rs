//! Segments out that open and close a connection, and carry no text.

use netloom_driver::{FrameSink, Full, TxCaps};
use netloom_tcp::{Env, Plan, PlanKind};
use netloom_wire::hint::cold_path;
use netloom_wire::plain::PlainRepr;

use crate::counters::{Layer, count};
use crate::list::{Kind, Ref};
use crate::output::LinkHeader;
use crate::stack::{Sent, Stack};
use crate::tcp::fast::{PlainTurn, write_plain};
use crate::tcp::output::write;
use crate::tcp::slot::TcpSlot;
use crate::waiting::On;

impl Stack {
    /// [`plain_turn`](Stack::plain_turn) of a connection whose next segment is a bare one; `link` is
    /// that of its segments.
    #[cold]
    #[inline(never)]
    pub(super) fn bare_turn(
        &mut self,
        iface: u8,
        index: u32,
        link: LinkHeader,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
        sent: &mut Sent,
    ) -> PlainTurn {
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return PlainTurn::Other;
        };
        let Some(plan) = slot.conn.next_bare() else {
            cold_path();
            return PlainTurn::Other;
        };
        let env = self.clock.env(&self.tunables.tcp, 0);
        if slot.write_bare(&env, &plan, &link, caps, sink).is_err() {
            cold_path();
            return PlainTurn::Full;
        }
        sent.frames = sent.frames.wrapping_add(1);
        self.counters.receive(Layer::Output);
        self.counters.deliver(Layer::Output);
        count!(self, tcp_segments_sent);
        let outcome = slot.conn.sent_bare(&env, &plan);
        if outcome.owes_frame() {
            cold_path();
            return PlainTurn::Other;
        }
        let until = slot.conn.deadline_bare(&env);
        let arms = !outcome.ended() && slot.settle(until, &mut self.tcp.buffers, env.now);
        let left = self
            .interfaces
            .get_mut(usize::from(iface))
            .is_some_and(|interface| {
                let item = Ref::new(Kind::Connection, index);
                interface.owing.end_with(&mut slot.links, item)
            });
        if !left {
            cold_path();
            self.take_first(On::owing(iface));
        }
        if arms {
            self.arm(index, until);
        }
        self.apply(index, &outcome);
        PlainTurn::Done
    }
}

impl TcpSlot {
    /// Writes a bare segment into a device.
    #[inline]
    fn write_bare(
        &mut self,
        env: &Env<'_>,
        plan: &Plan,
        link: &LinkHeader,
        caps: &TxCaps,
        sink: &mut dyn FrameSink,
    ) -> Result<(), Full> {
        let (ip, ports) = (self.ip_header(), self.tuple.ports());
        if plan.kind != PlanKind::Syn && !caps.checksum {
            if let (Some(src), Some(dst), Some(options)) = (
                ip.src.v4_octets(),
                ip.dst.v4_octets(),
                self.conn.timestamps(env),
            ) {
                let plain = PlainRepr {
                    src,
                    dst,
                    ttl: ip.ttl,
                    tos: ip.tos,
                    ports,
                    seq: plan.seq.0,
                    ack: plan.ack.0,
                    flags: plan.flags,
                    window: plan.window,
                    options,
                };
                return write_plain(&plain, (&[], &[]), link, sink);
            }
        }
        let (conn, io) = (&self.conn, self.buffers.io());
        write(ip, ports, conn, &io, env, plan, link, caps, sink)
    }
}
