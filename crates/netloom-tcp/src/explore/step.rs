//! One step of a world: of the channel, a clock or a program; and what must hold after each.

use core::mem::take;
use std::format;
use std::vec::Vec;

use netloom_driver::Instant;

use super::world::{Fault, Host, ISS, Life, Packet, RING, RTO, Rules, World, io, octet};
use crate::{Connection, Env, Io, Next, Range, Record, SeqNum, Tunables};

/// A step. What it is done to: an end, or what is on its way to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The oldest segment in order arrives.
    Deliver(usize),
    /// The oldest of the late ones arrives.
    DeliverLate(usize),
    /// The oldest segment in order becomes late: others overtake it.
    Delay(usize),
    /// The oldest segment in order will arrive twice, the second time late.
    Duplicate(usize),
    /// The oldest segment in order is lost.
    Lose(usize),
    /// The end sends what it owes (where it receives in batches).
    Transmit(usize),
    /// The end's clock moves on to its next deadline.
    Timer(usize),
    /// The program reads an octet.
    Read(usize),
    /// The program has nothing more to write.
    Close(usize),
}

impl Step {
    pub(super) const ALL: [Step; 18] = {
        use Step::*;
        [
            Deliver(0),
            Deliver(1),
            DeliverLate(0),
            DeliverLate(1),
            Delay(0),
            Delay(1),
            Duplicate(0),
            Duplicate(1),
            Lose(0),
            Lose(1),
            Transmit(0),
            Transmit(1),
            Timer(0),
            Timer(1),
            Read(0),
            Read(1),
            Close(0),
            Close(1),
        ]
    };
}

/// The sequence variables that only move forward.
#[derive(Clone, Copy)]
struct Variables {
    snd_una: SeqNum,
    snd_nxt: SeqNum,
    rcv_nxt: SeqNum,
    rcv_adv: SeqNum,
}

impl Variables {
    fn of(connection: &Connection) -> Variables {
        Variables {
            snd_una: connection.snd_una,
            snd_nxt: connection.snd_nxt,
            rcv_nxt: connection.rcv_nxt,
            rcv_adv: connection.rcv_adv,
        }
    }

    /// Checks that these may come after `before`, and agree with the storage.
    fn follow(
        self,
        before: Option<Variables>,
        connection: &Connection,
        host: &Host,
    ) -> Result<(), Fault> {
        let forward = before.is_none_or(|before| {
            self.snd_una.ge(before.snd_una)
                && self.snd_nxt.ge(before.snd_nxt)
                // Before the peer's SYN there is nothing to receive.
                && (before.rcv_nxt == SeqNum(0) || self.rcv_nxt.ge(before.rcv_nxt))
                && (before.rcv_nxt == SeqNum(0) || self.rcv_adv.ge(before.rcv_adv))
        });
        #[cfg(feature = "fast-retransmit")]
        let sent = (connection.records.live(&host.records).last())
            .map_or(self.snd_una, |record| record.end);
        #[cfg(not(feature = "fast-retransmit"))]
        let (sent, _) = (connection.data_end().max(self.snd_una), host);
        let in_step = !connection.state().is_synchronized()
            || connection.flight() == 0
            || sent == connection.data_end().max(self.snd_una);
        let counted = connection.sacked.saturating_add(connection.lost) <= connection.flight();
        if forward && self.snd_nxt.ge(self.snd_una) && in_step && counted {
            return Ok(());
        }
        Err(format!(
            "variables out of step (forward {forward}, records {in_step}, counts {counted}): \
             {connection:?}"
        ))
    }
}

/// Everything a step needs to know.
pub(super) struct Model {
    pub(super) rules: Rules,
    pub(super) tunables: Tunables,
}

impl Model {
    pub(super) fn new(rules: Rules) -> Model {
        let tunables = rules.tunables();
        Model { rules, tunables }
    }

    fn env(&self, host: &Host) -> Env<'_> {
        Env::at(host.clock, &self.tunables)
    }

    /// The first state: one end has just been told to connect, or both.
    pub(super) fn start(&self) -> Result<World, Fault> {
        let host = |i: usize| {
            let mut host = Host {
                life: Life::Listening,
                rx: [0xaa; RING],
                tx: [0xaa; RING],
                records: [Record::EMPTY; 3],
                ranges: [Range::EMPTY; 2],
                clock: Instant::from_micros(10_000_000),
                written: 0,
                read: 0,
                closed: false,
                got_fin: false,
                edge: ISS[1 - i],
                pending: false,
            };
            if i == 0 || self.rules.simultaneous {
                let connection = Connection::connect(&self.rules.params(i), &self.env(&host));
                host.life = Life::Live(connection);
            }
            host
        };
        let mut world = World {
            hosts: [host(0), host(1)],
            queue: [Vec::new(), Vec::new()],
            late: [Vec::new(), Vec::new()],
            budget: self.rules.budget,
        };
        for i in 0..2 {
            self.transmit(&mut world, i)?;
        }
        Ok(world)
    }

    /// Whether both ends have closed cleanly, with everything said and read.
    pub(super) fn is_done(&self, world: &World) -> bool {
        let quiet = world
            .queue
            .iter()
            .chain(world.late.iter())
            .all(Vec::is_empty);
        quiet
            && (0..2).all(|i| {
                let host = &world.hosts[i];
                host.read == self.rules.data[1 - i]
                    && matches!(host.life, Life::TimeWait(_) | Life::Gone)
            })
    }

    /// Does `step` where it is possible, and looks at what became of both ends; `Ok(false)` where
    /// it is not.
    pub(super) fn apply(&self, world: &mut World, step: Step) -> Result<bool, Fault> {
        let before = [0, 1].map(|i| match &world.hosts[i].life {
            Life::Live(connection) => Some(Variables::of(connection)),
            Life::Listening | Life::HalfOpen(..) | Life::TimeWait(_) | Life::Gone => None,
        });
        if !self.step(world, step)? {
            return Ok(false);
        }
        for (host, before) in world.hosts.iter().zip(before) {
            if let Life::Live(connection) = &host.life {
                Variables::of(connection).follow(before, connection, host)?;
            }
        }
        Ok(true)
    }

    fn step(&self, world: &mut World, step: Step) -> Result<bool, Fault> {
        match step {
            Step::Deliver(to) => {
                if world.queue[to].is_empty() {
                    return Ok(false);
                }
                let packet = world.queue[to].remove(0);
                self.arrive(world, to, &packet)?;
            }
            Step::DeliverLate(to) => {
                if world.late[to].is_empty() {
                    return Ok(false);
                }
                let packet = world.late[to].remove(0);
                self.arrive(world, to, &packet)?;
            }
            Step::Delay(to) => {
                if world.budget.delays == 0 || world.queue[to].is_empty() {
                    return Ok(false);
                }
                world.budget.delays -= 1;
                let packet = world.queue[to].remove(0);
                world.late[to].push(packet);
            }
            Step::Duplicate(to) => {
                if world.budget.duplicates == 0 || world.queue[to].is_empty() {
                    return Ok(false);
                }
                world.budget.duplicates -= 1;
                let packet = world.queue[to][0];
                world.late[to].push(packet);
            }
            Step::Lose(to) => {
                if world.budget.losses == 0 || world.queue[to].is_empty() {
                    return Ok(false);
                }
                world.budget.losses -= 1;
                world.queue[to].remove(0);
            }
            Step::Transmit(i) => {
                if !take(&mut world.hosts[i].pending) {
                    return Ok(false);
                }
                self.transmit(world, i)?;
            }
            Step::Timer(i) => return self.timer(world, i),
            Step::Read(i) => return self.read(world, i),
            Step::Close(i) => return self.close(world, i),
        }
        Ok(true)
    }

    fn arrive(&self, world: &mut World, to: usize, packet: &Packet) -> Result<(), Fault> {
        self.deliver(world, to, packet)?;
        if self.rules.batches {
            world.hosts[to].pending = true;
            Ok(())
        } else {
            self.transmit(world, to)
        }
    }

    fn timer(&self, world: &mut World, i: usize) -> Result<bool, Fault> {
        let busy = world.queue.iter().any(|queue| !queue.is_empty());
        let host = &mut world.hosts[i];
        let env = Env::at(host.clock, &self.tunables);
        let (at, patient) = match &host.life {
            Life::Live(connection) => match connection.deadline(&env) {
                Some(at) => (
                    at,
                    env.moment(env.until(connection.ack_deadline)) == Some(at),
                ),
                None => return Ok(false),
            },
            Life::HalfOpen(_, at) => (*at, false),
            Life::Listening | Life::TimeWait(_) | Life::Gone => return Ok(false),
        };
        if busy && !patient {
            if world.budget.early_timers == 0 {
                return Ok(false);
            }
            world.budget.early_timers -= 1;
        }
        host.clock = host.clock.max(at);
        if let Life::HalfOpen(entry, at) = &mut host.life {
            entry.count_retry();
            *at = host.clock.plus_micros(1_000 * u64::from(RTO));
            let p = self.rules.params(i);
            let env = Env::at(host.clock, &self.tunables);
            let reply = entry.syn_ack(&env, p.ts_offset, p.mss, p.rcv_buf);
            self.reply(world, i, &reply)?;
            return Ok(true);
        }
        let env = Env::at(host.clock, &self.tunables);
        if let Life::Live(connection) = &host.life {
            let io = io!(host, self.rules.window);
            if !matches!(connection.next(&env, &io), Next::Fire(_)) {
                return Err(format!(
                    "a deadline passed and nothing happened: {connection:?}"
                ));
            }
        }
        self.transmit(world, i)?;
        Ok(true)
    }

    fn read(&self, world: &mut World, i: usize) -> Result<bool, Fault> {
        if !self.read_octet(world, i)? {
            return Ok(false);
        }
        self.transmit(world, i)?;
        Ok(true)
    }

    pub(super) fn read_octet(&self, world: &mut World, i: usize) -> Result<bool, Fault> {
        let host = &mut world.hosts[i];
        let Life::Live(connection) = &mut host.life else {
            return Ok(false);
        };
        let mut octet_read = [0];
        let n = connection.read(&mut io!(host, self.rules.window), &mut octet_read);
        if n == 0 {
            return Ok(false);
        }
        let wanted = octet(1 - i, u32::from(host.read));
        if octet_read[0] != wanted || host.read >= self.rules.data[1 - i] {
            return Err(format!(
                "end {i} read {octet_read:?} as octet {}, not {wanted}",
                host.read
            ));
        }
        host.read += 1;
        Ok(true)
    }

    fn close(&self, world: &mut World, i: usize) -> Result<bool, Fault> {
        let host = &mut world.hosts[i];
        let Life::Live(connection) = &mut host.life else {
            return Ok(false);
        };
        if host.closed || host.written < self.rules.data[i] {
            return Ok(false);
        }
        host.closed = true;
        connection.shutdown_write();
        self.transmit(world, i)?;
        Ok(true)
    }
}
