//! Packets that must be sent: waiting for them, and judging them and their time.

use super::Runner;
use crate::drill::ast::{Packet, Payload};
use crate::drill::compare;
use crate::drill::describe;
use crate::drill::error::{Mismatch, Position};
use crate::drill::flags;
use crate::drill::flow::{Flow, timestamp_of};
use crate::drill::live::{self, Body};
use crate::drill::settings::Settings;

impl Runner<'_, '_> {
    /// Waits for the packet that must be sent between `from` and `to`.
    pub(super) fn expect_packet(
        &mut self,
        at: Position,
        packet: &Packet,
        from: u64,
        to: u64,
    ) -> Result<(), Mismatch> {
        let tolerance = self.settings.tolerance;
        let Some((sent, bytes)) = self.wait_for_packet(to.saturating_add(tolerance))? else {
            return Err(self.missing(at, packet, from));
        };
        let live = live::read(&bytes).map_err(|what| {
            let message = format!(
                "the stack sent a broken packet: {what}\n  expected: {} > {}",
                describe::time(from),
                describe::expected(packet)
            );
            Mismatch::new(at, message)
        })?;
        self.judge(at, packet, &live, sent, (from, to))?;
        let came = self.show_live(&bytes);
        self.say_at(sent, || format!("> {came}"));
        Ok(())
    }

    /// Lets time pass until a packet is there, `limit` at most.
    fn wait_for_packet(&mut self, limit: u64) -> Result<Option<(u64, Vec<u8>)>, Mismatch> {
        loop {
            if let Some(packet) = self.subject.take_packet() {
                return Ok(Some(packet));
            }
            let Some(next) = self.next_stop().filter(|next| *next <= limit) else {
                return Ok(None);
            };
            let before = self.subject.now();
            self.advance(next)?;
            if let Some(packet) = self.subject.take_packet() {
                return Ok(Some(packet));
            }
            let stuck = next <= before && self.next_stop().is_some_and(|n| n <= before);
            if stuck {
                return Ok(None);
            }
        }
    }

    fn missing(&mut self, at: Position, packet: &Packet, from: u64) -> Mismatch {
        let next = match self.subject.next_deadline() {
            Some(next) => format!("the next timer is due at {}", describe::time(next)),
            None => "no timer is armed".to_owned(),
        };
        Mismatch::new(
            at,
            format!(
                "no packet came\n  expected: {} > {}\n      came: nothing; {next}",
                describe::time(from),
                describe::expected(packet),
            ),
        )
    }

    fn judge(
        &mut self,
        at: Position,
        packet: &Packet,
        live: &live::Packet,
        sent: u64,
        (from, to): (u64, u64),
    ) -> Result<(), Mismatch> {
        let index = self.flow_for(packet);
        let flow = &mut self.flows[index];
        let timestamps_known = flow.has_timestamp();
        if let Body::Tcp(tcp) = &live.body {
            let ours = tcp.src_port == flow.local.port() && tcp.dst_port == flow.remote.port();
            if ours {
                flow.learn(packet, tcp);
            }
        }
        let mut differences = compare::differences(packet, live, flow);
        if timestamps_known {
            differences.extend(wrong_timestamp(packet, live, flow, self.settings));
        }
        let late = if sent > to {
            Some((sent - to, "late"))
        } else {
            None
        };
        let off = late.or((sent < from).then(|| (from.saturating_sub(sent), "early")));
        if let Some((by, which)) = off.filter(|(by, _)| *by > self.settings.tolerance) {
            differences.push(format!(
                "time: it came {} s too {which} (tolerance {} s)",
                describe::time(by),
                describe::time(self.settings.tolerance)
            ));
        }
        if differences.is_empty() {
            return Ok(());
        }
        let when = if from == to {
            describe::time(from)
        } else if to - from >= super::ANY_TIME {
            "*".to_owned()
        } else {
            format!("{}~{}", describe::time(from), describe::time(to))
        };
        let shown = self.flow_of(live).map(|index| &self.flows[index]);
        Err(Mismatch::new(
            at,
            format!(
                "{}\n  expected: {when} > {}\n      came: {} > {}",
                differences.join("; "),
                describe::expected(packet),
                describe::time(sent),
                describe::sent(live, shown)
            ),
        ))
    }
}

/// A timestamp that does not stand where the script says, counted from the first one, if the
/// script has its clock checked.
fn wrong_timestamp(
    expected: &Packet,
    live: &live::Packet,
    flow: &Flow,
    settings: &Settings,
) -> Option<String> {
    let tick = settings.ts_tick?;
    let (Payload::Tcp(tcp), Body::Tcp(sent)) = (&expected.payload, &live.body) else {
        return None;
    };
    if tcp.flags & flags::RST != 0 {
        // A reset may bring back a timestamp that is not of the connection's clock.
        return None;
    }
    let scripted = tcp.options.iter().flatten().find_map(timestamp_of)?;
    let came = flow.timestamp_to_script(sent.options.iter().find_map(timestamp_of)?);
    let off = came.wrapping_sub(scripted).min(scripted.wrapping_sub(came));
    let allowed = settings.tolerance.div_ceil(tick);
    (u64::from(off) > allowed).then(|| format!("TS val: {scripted} expected, {came} came"))
}
