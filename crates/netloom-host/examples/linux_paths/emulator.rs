//! The link, in real time: frames go in and come out of the same wires that a simulated world has.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant as Clock};

use netloom_driver::{Direction, Driver, Instant, TxMeta};
use netloom_host::device::{Device, Tun, Waiter};
use netloom_sim::{Bottleneck, Wire};

use crate::ours::Ours;

/// How long it sleeps at most, so as to hear that it is to stop.
const LONGEST: Duration = Duration::from_millis(20);

/// Two kernels, perhaps senders of ours beside the first, and what joins them.
pub(crate) struct Emulator {
    start: Clock,
    forward: Wire,
    backward: Wire,
    /// The sending kernel and the receiving one.
    ends: [Tun; 2],
    ours: Option<Ours>,
    /// Ours are heard before the kernel, the next time: who comes first finds room in the queue.
    ours_first: bool,
    late: Lateness,
}

/// What came of a run.
pub(crate) struct Done {
    /// Packets that never arrived.
    pub(crate) lost: u64,
    /// How late frames were delivered, in microseconds: the 99th percentile.
    pub(crate) late: usize,
}

impl Emulator {
    /// The link of a path with what it joins. Acknowledgments take up to `jitter` longer.
    pub(crate) fn new(
        path: &Bottleneck,
        jitter: Duration,
        ends: [Tun; 2],
        ours: Option<Ours>,
    ) -> Emulator {
        let link = path.link().backward(|backward| backward.jitter(jitter));
        Emulator {
            start: Clock::now(),
            forward: Wire::new(&link, Direction::Outbound, path.seed),
            backward: Wire::new(&link, Direction::Inbound, path.seed),
            ends,
            ours,
            ours_first: false,
            late: Lateness::default(),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_micros(self.start.elapsed().as_micros() as u64 + 1)
    }

    /// Moves frames until told to stop.
    pub(crate) fn run(mut self, stop: &AtomicBool) -> io::Result<Done> {
        let mut waiter = Waiter::new()?;
        while !stop.load(Ordering::Relaxed) {
            let now = self.now();
            self.take_in(now);
            self.hand_out();
            let due = [
                self.forward.next_due(),
                self.backward.next_due(),
                self.ours.as_ref().and_then(|ours| ours.deadline()),
            ];
            let next = due.into_iter().flatten().fold(now + LONGEST, Instant::min);
            let wait = next.saturating_duration_since(self.now());
            if !wait.is_zero() {
                let [a, b] = &self.ends;
                waiter.wait(&[a as &dyn Device, b], Some(wait))?;
            }
        }
        let forward = self.forward.stats();
        Ok(Done {
            lost: forward.lost + forward.queue_full,
            late: self.late.percentile(99),
        })
    }

    /// What the ends have sent goes onto the wires.
    fn take_in(&mut self, now: Instant) {
        self.ours_first = !self.ours_first;
        let [a, b] = &mut self.ends;
        let mut ours = self.ours.as_mut();
        if let Some(ours) = ours.take_if(|_| self.ours_first) {
            ours.transmit(now, &mut self.forward);
        }
        a.receive(&mut |frame, _| {
            self.forward.offer(now, frame.to_vec());
        });
        if let Some(ours) = ours {
            ours.transmit(now, &mut self.forward);
        }
        b.receive(&mut |frame, _| {
            self.backward.offer(now, frame.to_vec());
        });
    }

    /// What has arrived goes to the ends.
    fn hand_out(&mut self) {
        let now = self.now();
        let [a, b] = &mut self.ends;
        while let Some(frame) = next(&mut self.forward, now, &mut self.late) {
            give(b, &frame);
        }
        b.sink().flush();
        while let Some(frame) = next(&mut self.backward, now, &mut self.late) {
            match &mut self.ours {
                Some(ours) if is_for(&frame, ours.address()) => ours.receive(now, &frame),
                _ => give(a, &frame),
            }
        }
        a.sink().flush();
    }
}

fn next(wire: &mut Wire, now: Instant, late: &mut Lateness) -> Option<Vec<u8>> {
    let due = wire.next_due()?;
    let frame = wire.arrive(now)?;
    late.add(now.saturating_duration_since(due));
    Some(frame)
}

fn give(end: &mut Tun, frame: &[u8]) {
    // A full device is a loss like any other, and none of ours: it would show in the counts.
    let _ = end
        .sink()
        .frame(frame.len(), &TxMeta::default(), &mut |out| {
            out.copy_from_slice(frame);
        });
}

fn is_for(frame: &[u8], address: Ipv4Addr) -> bool {
    frame.get(16..20) == Some(address.octets().as_slice())
}

/// How late frames were, by microsecond.
struct Lateness(Vec<u64>);

impl Default for Lateness {
    fn default() -> Lateness {
        Lateness(vec![0; 10_000])
    }
}

impl Lateness {
    fn add(&mut self, late: Duration) {
        let at = (late.as_micros() as usize).min(self.0.len() - 1);
        self.0[at] += 1;
    }

    fn percentile(&self, part: u64) -> usize {
        let all: u64 = self.0.iter().sum();
        let mut seen = 0;
        for (micros, count) in self.0.iter().enumerate() {
            seen += count;
            if seen * 100 >= all * part {
                return micros;
            }
        }
        self.0.len()
    }
}

/// The address of an end.
pub(crate) fn station(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 90, 0, n)
}

/// The same as any address.
pub(crate) fn address(n: u8) -> IpAddr {
    station(n).into()
}
