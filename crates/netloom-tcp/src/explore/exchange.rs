//! What the ends send each other, judged on its way out and on its way in.

use std::format;

use netloom_wire::{TcpFlags, Timestamps};

use super::step::Model;
use super::world::{Fault, ISS, Life, Packet, RING, RTO, World, io, octet};
use crate::{
    CloseReason, Connection, End, Env, HalfOpen, Io, News, Next, Outcome, Plan, PlanKind, Reply,
    Segment, Timer, closed, listen, syn_received, time_wait,
};

impl Model {
    /// The program writes what there is room for, and the connection sends what it may.
    pub(super) fn transmit(&self, world: &mut World, i: usize) -> Result<(), Fault> {
        for _ in 0..64 {
            let host = &mut world.hosts[i];
            let env = Env::at(host.clock, &self.tunables);
            let Life::Live(connection) = &mut host.life else {
                return Ok(());
            };
            let mut io = io!(host, self.rules.window);
            while host.written < self.rules.data[i]
                && connection.write(&mut io, &[octet(i, u32::from(host.written))]) == 1
            {
                host.written += 1;
            }
            match connection.next(&env, &io) {
                Next::Wait(deadline) => {
                    let stuck = deadline.is_some_and(|at| at <= host.clock);
                    if stuck || connection.deadline(&env) != deadline {
                        return Err(format!("end {i} waits for {deadline:?}: {connection:?}"));
                    }
                    return Ok(());
                }
                Next::Fire(timer) => {
                    if timer == Timer::User {
                        return Err(format!("end {i}: a user timeout, and none is set"));
                    }
                    let out = connection.fire(&env, &mut io, timer);
                    self.outcome(world, i, &out)?;
                }
                Next::Send(plan) => self.send(world, i, &plan)?,
            }
        }
        Err(format!("end {i} never stops sending"))
    }

    fn send(&self, world: &mut World, i: usize, plan: &Plan) -> Result<(), Fault> {
        let peer_edge = world.hosts[1 - i].edge;
        let host = &mut world.hosts[i];
        let env = Env::at(host.clock, &self.tunables);
        let Life::Live(connection) = &mut host.life else {
            return Ok(());
        };
        let mut io = io!(host, self.rules.window);
        let (a, b) = plan.payload(connection, &io);
        let first = plan.seq.since(ISS[i].plus(1));
        for (n, found) in (0..).zip(a.iter().chain(b)) {
            if *found != octet(i, first.wrapping_add(n)) {
                return Err(format!("end {i} sends {found} in {plan:?}"));
            }
        }
        if (a.len() + b.len()) as u32 != plan.len || plan.len > u32::from(self.rules.mss) {
            return Err(format!("end {i} sends a wrong length: {plan:?}"));
        }
        let end = plan.seq.plus(plan.len);
        if plan.len > 0 && end.gt(peer_edge) && plan.kind != PlanKind::WindowProbe {
            return Err(format!(
                "end {i} sends beyond the window ({peer_edge}): {plan:?}"
            ));
        }
        if plan.flags.contains(TcpFlags::ACK) && !plan.flags.contains(TcpFlags::RST) {
            let edge = plan.ack.plus(u32::from(plan.window));
            // The FIN takes no room in the buffer.
            let fin = u32::from(connection.flags.has(crate::flags::Flags::FIN_RECEIVED));
            if edge.plus(fin).lt(host.edge) {
                return Err(format!(
                    "end {i}'s window moves left from {}: {plan:?}",
                    host.edge
                ));
            }
            host.edge = host.edge.max(edge);
        }
        let options = connection.options(&env, &io, plan);
        let packet = Packet::new(
            plan.seq,
            plan.ack,
            plan.flags,
            plan.window,
            plan.len,
            &options,
        )?;
        let out = connection.sent(&env, &mut io, plan);
        world.queue[1 - i].push(packet);
        self.outcome(world, i, &out)
    }

    pub(super) fn reply(&self, world: &mut World, i: usize, reply: &Reply) -> Result<(), Fault> {
        if reply.flags.contains(TcpFlags::ACK) && !reply.flags.contains(TcpFlags::RST) {
            let host = &mut world.hosts[i];
            host.edge = host.edge.max(reply.ack.plus(u32::from(reply.window)));
        }
        let packet = Packet::new(
            reply.seq,
            reply.ack,
            reply.flags,
            reply.window,
            0,
            &reply.options,
        )?;
        world.queue[1 - i].push(packet);
        Ok(())
    }

    pub(super) fn deliver(
        &self,
        world: &mut World,
        to: usize,
        packet: &Packet,
    ) -> Result<(), Fault> {
        let first = packet.seq.since(ISS[1 - to].plus(1));
        let mut text = [0; RING];
        for (n, place) in (0..).zip(text.iter_mut()) {
            *place = octet(1 - to, first.wrapping_add(n));
        }
        let options = &packet.options[..usize::from(packet.options_len)];
        let timestamps =
            Timestamps::find(options).map_err(|error| format!("{packet:?}: {error:?}"))?;
        let segment = Segment {
            seq: packet.seq,
            ack: packet.ack,
            flags: TcpFlags(packet.flags),
            window: packet.window,
            urgent: 0,
            timestamps,
            options,
            payload: &text[..usize::from(packet.len)],
            count: 1,
            ce: false,
        };
        // Without duplicates and delays what arrives is the last that was sent.
        let spent = &self.rules.budget;
        let newest = world.budget.duplicates == spent.duplicates
            && world.budget.delays == spent.delays
            && packet.flags & TcpFlags::RST.0 == 0;
        let p = self.rules.params(to);
        let host = &mut world.hosts[to];
        let env = Env::at(host.clock, &self.tunables);
        match &mut host.life {
            Life::Listening => match listen::receive(&segment) {
                listen::Disposition::Drop(_) => {}
                listen::Disposition::Reset(reset) => self.reply(world, to, &reset.into())?,
                listen::Disposition::Syn(offer) => {
                    let entry = HalfOpen::new(p.iss, &offer, &self.tunables);
                    let reply = entry.syn_ack(&env, p.ts_offset, p.mss, p.rcv_buf);
                    let at = host.clock.plus_micros(1_000 * u64::from(RTO));
                    host.life = Life::HalfOpen(entry, at);
                    self.reply(world, to, &reply)?;
                }
            },
            Life::HalfOpen(entry, _) => {
                use syn_received::Disposition;
                match entry.receive(&env, &segment, p.ts_offset, p.rcv_buf) {
                    Disposition::Drop(_) => {}
                    Disposition::SynAck => {
                        let reply = entry.syn_ack(&env, p.ts_offset, p.mss, p.rcv_buf);
                        self.reply(world, to, &reply)?;
                    }
                    Disposition::Ack(reply) => self.reply(world, to, &reply)?,
                    Disposition::Reset(reset) => self.reply(world, to, &reset.into())?,
                    Disposition::Gone => host.life = Life::Listening,
                    Disposition::Established => {
                        host.life = Life::Live(Connection::from_half_open(&p, entry, &env));
                        return self.deliver(world, to, packet);
                    }
                }
            }
            Life::Live(connection) => {
                let need = connection.rx_need(&segment);
                if need > self.rules.window {
                    return Err(format!("{packet:?} needs {need} octets of {connection:?}"));
                }
                let mut io = io!(host, self.rules.window);
                // A retransmission that acknowledges nothing more is taken for an old segment.
                let newest = newest
                    && (packet.seq.ge(connection.snd_wl1) || packet.ack.gt(connection.snd_wl2));
                let out = connection.receive(&env, &mut io, &segment);
                if newest && out.discard.is_none() && connection.state().is_synchronized() {
                    let edge = connection.snd_una.plus(connection.snd_wnd);
                    if edge != packet.ack.plus(u32::from(packet.window)) && !out.ended() {
                        return Err(format!("end {to} takes {edge} for the edge of {packet:?}"));
                    }
                }
                if !connection.owes_frame() && !out.ended() {
                    if let Next::Send(plan) = connection.next(&env, &io) {
                        return Err(format!("end {to} said it owed nothing, and owes {plan:?}"));
                    }
                }
                self.outcome(world, to, &out)?;
                if let Some(reset) = closed::reset_for(&segment).filter(|_| out.resets()) {
                    self.reply(world, to, &reset.into())?;
                }
            }
            Life::TimeWait(state) => match state.receive(&env, &segment, p.ts_offset) {
                time_wait::Disposition::Drop(_) => {}
                time_wait::Disposition::Ack { reply, .. } => self.reply(world, to, &reply)?,
                time_wait::Disposition::Reopen { .. } => {
                    return Err(format!("TIME-WAIT takes {packet:?} for a new connection"));
                }
            },
            Life::Gone => {
                if let Some(reset) = closed::reset_for(&segment) {
                    self.reply(world, to, &reset.into())?;
                }
            }
        }
        Ok(())
    }

    /// Takes in what a call did, and judges it.
    fn outcome(&self, world: &mut World, i: usize, out: &Outcome) -> Result<(), Fault> {
        let sent = world.hosts[1 - i].written;
        let closed = world.hosts[1 - i].closed;
        if out.news.contains(News::PEER_FINISHED) {
            let host = &mut world.hosts[i];
            let unread = match &host.life {
                Life::Live(connection) => connection.readable_bytes(),
                Life::Listening | Life::HalfOpen(..) | Life::TimeWait(_) | Life::Gone => 0,
            };
            if !closed || usize::from(host.read) + unread != usize::from(sent) {
                return Err(format!(
                    "end {i} saw the end after {} of {sent} octets",
                    usize::from(host.read) + unread
                ));
            }
            host.got_fin = true;
        }
        let end = match &world.hosts[i].life {
            Life::Live(connection) => connection.ended(),
            Life::Listening | Life::HalfOpen(..) | Life::TimeWait(_) | Life::Gone => None,
        };
        if end.is_some() != out.ended() {
            return Err(format!("end {i} says {out:?} and has {end:?}"));
        }
        let Some(end) = end else { return Ok(()) };
        while self.read_octet(world, i)? {}
        let both = world.hosts[0].got_fin && world.hosts[1].got_fin;
        world.hosts[i].life = match end {
            End::TimeWait(state) if both => Life::TimeWait(state),
            End::Closed(CloseReason::Finished) if both => Life::Gone,
            End::TimeWait(_) | End::Closed(_) => {
                return Err(format!("end {i} ended without a reason: {end:?}"));
            }
        };
        Ok(())
    }
}
