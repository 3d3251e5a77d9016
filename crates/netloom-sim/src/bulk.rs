//! Bulk transfers over one bottleneck, measured: goodput, retransmissions, and what of each flow's
//! window and round trip became when.
//!
//! Every octet that arrives is compared with what was sent, and the stream has no period: what is
//! lost, repeated or moved is found.
//!
//! ```
//! use netloom_sim::{Bottleneck, Bulk, mbit, ms, secs};
//!
//! let path = Bottleneck { loss: 0.01, ..Bottleneck::new(mbit(10), ms(20)) };
//! let report = Bulk::octets(path, "cubic", 1_000_000, secs(60)).run();
//! assert!(report.is_intact() && report.flows[0].finished.is_some());
//! ```

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use netloom_driver::Direction;

use crate::capture::{Capture, Seen};
use crate::context::{HostId, now, sleep, spawn};
use crate::host::HostSetup;
use crate::link::Link;
use crate::sim::Sim;
use crate::tcp::{TcpListener, TcpStream};
use crate::units::{Rate, ms};
use crate::wire::ChannelStats;

/// Octets of the largest packet of a bottleneck.
const MTU: usize = 1500;
/// Where the receivers listen.
const PORT: u16 = 80;

/// A path with one narrow place: every packet from the senders passes a queue and a transmitter,
/// and is lost or overtaken as the dice fall. Acknowledgments come back without queue or loss, half
/// a round trip later.
#[derive(Debug, Clone, PartialEq)]
pub struct Bottleneck {
    /// How fast packets leave the queue.
    pub rate: Rate,
    /// The round trip without any queue.
    pub rtt: Duration,
    /// The part of packets that is lost by chance, 0 to 1.
    pub loss: f64,
    /// The part of packets that later ones overtake, 0 to 1.
    pub reorder: f64,
    /// By how many.
    pub reorder_by: u16,
    /// How long such a packet waits for them at most.
    pub reorder_wait: Duration,
    /// The queue, in products of `rate` and `rtt`; it has room for two packets at least.
    pub buffer: f64,
    /// What the fates of packets are drawn from.
    pub seed: u64,
}

impl Bottleneck {
    /// A path that neither loses nor reorders, with a queue of one bandwidth-delay product.
    pub fn new(rate: Rate, rtt: Duration) -> Bottleneck {
        Bottleneck {
            rate,
            rtt,
            loss: 0.0,
            reorder: 0.0,
            reorder_by: 1,
            reorder_wait: ms(20),
            buffer: 1.0,
            seed: 1,
        }
    }

    /// The product of rate and round trip, in octets.
    pub fn bdp(&self) -> f64 {
        self.rate.0 as f64 / 8.0 * self.rtt.as_secs_f64()
    }

    /// The queue, in octets.
    pub fn queue(&self) -> usize {
        ((self.bdp() * self.buffer) as usize).max(2 * MTU)
    }

    /// The link from the senders' host to the receivers', of bare IP packets.
    pub fn link(&self) -> Link {
        Link::new()
            .ip()
            .mtu(MTU as u16)
            .delay(self.rtt / 2)
            .forward(|forward| {
                forward
                    .rate(self.rate)
                    .queue(usize::MAX)
                    .queue_bytes(self.queue())
                    .loss(self.loss)
                    .reorder(self.reorder)
                    .reorder_by(self.reorder_by, self.reorder_wait)
                    .seed(self.seed)
            })
    }
}

/// One transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    /// The sender's congestion control, by name.
    pub congestion: &'static str,
    /// When it connects, counted from the start of the run.
    pub start: Duration,
    /// How much it sends; `None`: until the run ends.
    pub octets: Option<u64>,
}

/// Transfers over a bottleneck.
#[derive(Debug, Clone, PartialEq)]
pub struct Bulk {
    /// What they share.
    pub path: Bottleneck,
    /// The transfers.
    pub flows: Vec<Flow>,
    /// When the run ends, unless all that was to be sent has arrived before.
    pub time: Duration,
    /// Tunables of both hosts, by name, beside those that follow from the path: buffers that hold
    /// twice what fits the path and its queue.
    pub tunables: Vec<(&'static str, String)>,
    /// How often a [`Sample`] is taken of each flow.
    pub sample: Duration,
    /// Whether the senders' host is captured.
    pub capture: bool,
}

/// A flow at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// Octets that have arrived.
    pub received: u64,
    /// The sender's congestion window, in octets; 0 before it is connected.
    pub cwnd: u32,
    /// The sender's slow-start threshold, in octets.
    pub ssthresh: u32,
    /// The sender's smoothed round trip, in microseconds.
    pub srtt: u32,
    /// Segments sent again so far.
    pub retransmissions: u32,
}

/// What came of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowReport {
    /// Octets that arrived in order.
    pub received: u64,
    /// Whether they are what was sent.
    pub intact: bool,
    /// When the last of its octets and the end of the stream had arrived, counted from its start.
    pub finished: Option<Duration>,
    /// Segments sent again.
    pub retransmissions: u32,
    /// The flow as time went on.
    pub samples: Vec<Sample>,
}

impl FlowReport {
    /// How often ssthresh had fallen from one sample to the next, after a time.
    pub fn reductions_after(&self, from: Duration) -> usize {
        let pairs = self.samples.windows(2);
        pairs
            .filter(|pair| pair[1].at > from && pair[1].ssthresh < pair[0].ssthresh)
            .count()
    }

    /// Bits a second of payload between two moments of the run, by the nearest samples.
    pub fn goodput_between(&self, from: Duration, to: Duration) -> f64 {
        let at = |moment: Duration| {
            let index = self.samples.partition_point(|sample| sample.at < moment);
            self.samples.get(index).or(self.samples.last())
        };
        let (Some(first), Some(last)) = (at(from), at(to)) else {
            return 0.0;
        };
        let time = last.at.saturating_sub(first.at).as_secs_f64();
        if time == 0.0 {
            return 0.0;
        }
        (last.received - first.received) as f64 * 8.0 / time
    }
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BulkReport {
    /// Each flow, in the order they were given.
    pub flows: Vec<FlowReport>,
    /// What became of the packets towards the receivers.
    pub forward: ChannelStats,
    /// How long it took.
    pub time: Duration,
    /// The capture, if one was asked for.
    pub pcapng: Option<Vec<u8>>,
}

impl BulkReport {
    /// Whether everything that arrived is what was sent.
    pub fn is_intact(&self) -> bool {
        self.flows.iter().all(|flow| flow.intact)
    }

    /// Bits a second of payload, all flows together, over the whole run.
    pub fn goodput(&self) -> f64 {
        let received: u64 = self.flows.iter().map(|flow| flow.received).sum();
        received as f64 * 8.0 / self.time.as_secs_f64()
    }

    /// Segments sent again.
    pub fn retransmissions(&self) -> u64 {
        let all = self.flows.iter();
        all.map(|flow| u64::from(flow.retransmissions)).sum()
    }

    /// Packets that never arrived, by chance or for want of room.
    pub fn lost(&self) -> u64 {
        self.forward.lost + self.forward.queue_full
    }

    /// Segments sent again that had not been lost: every lost one is sent again once.
    pub fn spurious(&self) -> u64 {
        self.retransmissions().saturating_sub(self.lost())
    }
}

impl Bulk {
    /// One flow that sends for a time.
    pub fn timed(path: Bottleneck, congestion: &'static str, time: Duration) -> Bulk {
        Bulk {
            path,
            flows: vec![Flow {
                congestion,
                start: Duration::ZERO,
                octets: None,
            }],
            time,
            tunables: Vec::new(),
            sample: ms(100),
            capture: false,
        }
    }

    /// One flow of so many octets, given a time.
    pub fn octets(path: Bottleneck, congestion: &'static str, octets: u64, time: Duration) -> Bulk {
        let mut bulk = Bulk::timed(path, congestion, time);
        bulk.flows[0].octets = Some(octets);
        bulk
    }

    fn host(&self) -> HostSetup {
        let buffer = (self.path.bdp() as u64 + self.path.queue() as u64) * 2;
        let buffer = buffer.clamp(1 << 20, 1 << 29).to_string();
        HostSetup::heap().tune(|tunables| {
            for name in ["tcp_wmem", "tcp_rmem"] {
                tunables.set_named(name, &buffer).expect("a buffer's size");
            }
            // What the path is said to need, and no more.
            for name in ["tcp_wmem_max", "tcp_rmem_max"] {
                tunables.set_named(name, "0").expect("nothing grows");
            }
            for (name, value) in &self.tunables {
                tunables.set_named(name, value).expect("a tunable");
            }
        })
    }

    /// Runs it. The same transfers do the same every time.
    ///
    /// # Panics
    /// If a tunable or a congestion control does not exist, or if the world fails.
    pub fn run(&self) -> BulkReport {
        let mut world = Sim::with_seed(self.path.seed);
        world.failure_file(None);
        let (sender, receiver) = world.link_with(self.host(), self.host(), self.path.link());
        let link = world.link_between(sender, receiver);
        let flows: Vec<Rc<Live>> = self
            .flows
            .iter()
            .enumerate()
            .map(|(number, flow)| Rc::new(Live::new(number as u64, flow)))
            .collect();
        world.capture(Capture::Off);
        if self.capture {
            world.capture(Capture::Host(sender));
            let first = flows[0].clone();
            let mut told = (0, 0);
            world.observe(move |seen| judgement(&first, seen, &mut told));
        }
        self.spawn(&mut world, (sender, receiver), &flows);
        let end = Sim::START + self.time;
        world.time_limit(self.time + ms(1));
        while world.now() < end && !flows.iter().all(|flow| flow.finished.get().is_some()) {
            if !world.step().expect("the world goes on") {
                break;
            }
        }
        let time = world.now().saturating_duration_since(Sim::START);
        BulkReport {
            flows: flows.iter().map(|flow| flow.report(time)).collect(),
            forward: world.link_stats(link).0,
            time,
            pcapng: self.capture.then(|| world.pcapng()),
        }
    }

    fn spawn(&self, world: &mut Sim, (sender, receiver): (HostId, HostId), flows: &[Rc<Live>]) {
        let to = SocketAddr::new(world.ipv4(receiver), PORT);
        let expected: Vec<Rc<Live>> = flows.to_vec();
        world.spawn_background(receiver, async move {
            let listener = TcpListener::bind(PORT).expect("the port is free");
            while let Ok((stream, from)) = listener.accept().await {
                let flow = expected.iter().find(|flow| flow.port.get() == from.port());
                let flow = flow.expect("nobody else connects").clone();
                spawn(async move { flow.receive(stream).await });
            }
        });
        for flow in flows {
            let flow = flow.clone();
            world.spawn_background(sender, async move {
                sleep(flow.what.start).await;
                flow.send(to).await;
            });
        }
        let (every, all, time) = (self.sample, flows.to_vec(), self.time);
        world.spawn_background(sender, async move {
            let mut at = Duration::ZERO;
            while at <= time {
                for flow in &all {
                    flow.take_sample(at);
                }
                sleep(every).await;
                at += every;
            }
        });
    }
}

/// A flow at work.
struct Live {
    what: Flow,
    /// Tells its octets from other flows'.
    number: u64,
    stream: RefCell<Option<Rc<TcpStream>>>,
    /// The port it comes from.
    port: Cell<u16>,
    received: Cell<u64>,
    intact: Cell<bool>,
    finished: Cell<Option<Duration>>,
    samples: RefCell<Vec<Sample>>,
}

impl Live {
    fn new(number: u64, what: &Flow) -> Live {
        Live {
            what: what.clone(),
            number,
            stream: RefCell::new(None),
            port: Cell::new(0),
            received: Cell::new(0),
            intact: Cell::new(true),
            finished: Cell::new(None),
            samples: RefCell::new(Vec::new()),
        }
    }

    async fn send(&self, to: SocketAddr) {
        // The listener must know whose connection it is before it is complete.
        let port = 20_000 + self.number as u16;
        self.port.set(port);
        let any = SocketAddr::new([0, 0, 0, 0].into(), port);
        let stream = TcpStream::connect_from(any, to).await;
        let stream = Rc::new(stream.expect("a bad path is not a closed port"));
        stream
            .set_congestion(self.what.congestion)
            .expect("the congestion control exists");
        *self.stream.borrow_mut() = Some(stream.clone());
        let mut content = Content::new(self.number);
        let mut left = self.what.octets.unwrap_or(u64::MAX);
        let mut chunk = [0; 1 << 14];
        while left > 0 {
            let some = &mut chunk[..left.min(1 << 14) as usize];
            content.fill(some);
            stream.write_all(some).await.expect("the receiver reads on");
            left -= some.len() as u64;
        }
        stream.finish().expect("nothing else has finished it");
    }

    /// Takes everything in. The stream is kept open at its end, so that the sender keeps its
    /// connection and can be asked about it.
    async fn receive(&self, stream: TcpStream) {
        let mut content = Content::new(self.number);
        let (mut buffer, mut expected) = (vec![0; 1 << 16], vec![0; 1 << 16]);
        loop {
            let n = stream
                .read(&mut buffer)
                .await
                .expect("the sender ends in order");
            if n == 0 {
                break;
            }
            content.fill(&mut expected[..n]);
            self.intact
                .set(self.intact.get() && buffer[..n] == expected[..n]);
            self.received.set(self.received.get() + n as u64);
        }
        let complete = self.what.octets == Some(self.received.get());
        self.intact.set(self.intact.get() && complete);
        let since = now().saturating_duration_since(Sim::START);
        self.finished.set(Some(since - self.what.start));
        std::future::pending::<()>().await;
        drop(stream);
    }

    fn sample(&self, at: Duration) -> Sample {
        let received = self.received.get();
        let info = self.stream.borrow().as_ref().and_then(|s| s.info().ok());
        info.map_or(
            Sample {
                at,
                received,
                ..Sample::default()
            },
            |info| Sample {
                at,
                received,
                cwnd: info.cwnd,
                ssthresh: info.ssthresh,
                srtt: info.srtt,
                retransmissions: info.total_retransmissions,
            },
        )
    }

    fn take_sample(&self, at: Duration) {
        let sample = self.sample(at);
        self.samples.borrow_mut().push(sample);
    }

    fn report(&self, time: Duration) -> FlowReport {
        let last = self.sample(time);
        let mut samples = self.samples.take();
        samples.push(last);
        FlowReport {
            received: last.received,
            intact: self.intact.get(),
            finished: self.finished.get(),
            retransmissions: last.retransmissions,
            samples,
        }
    }
}

/// What the first flow's sender thinks of the path, as a remark on its segments, if that is news.
fn judgement(flow: &Live, seen: &Seen<'_>, told: &mut (u32, u32)) -> Option<String> {
    if seen.direction != Direction::Outbound {
        return None;
    }
    let last = *flow.samples.borrow().last()?;
    let now = (last.cwnd, last.srtt);
    if last.cwnd == 0 || now == *told {
        return None;
    }
    *told = now;
    Some(format!("cwnd {}, srtt {} us", last.cwnd, last.srtt))
}

/// A stream without a period: the words of a SplitMix64 generator.
struct Content {
    state: netloom_driver::impair::Dice,
    word: [u8; 8],
    used: usize,
}

impl Content {
    fn new(seed: u64) -> Content {
        Content {
            state: netloom_driver::impair::Dice::new(seed),
            word: [0; 8],
            used: 8,
        }
    }

    /// The next octets of the stream.
    fn fill(&mut self, out: &mut [u8]) {
        let rest = out.len().min(8 - self.used);
        let (begun, out) = out.split_at_mut(rest);
        begun.copy_from_slice(&self.word[self.used..self.used + rest]);
        self.used += rest;
        let mut words = out.chunks_exact_mut(8);
        for word in &mut words {
            word.copy_from_slice(&self.state.next_u64().to_le_bytes());
        }
        let end = words.into_remainder();
        if !end.is_empty() {
            self.word = self.state.next_u64().to_le_bytes();
            self.used = end.len();
            end.copy_from_slice(&self.word[..end.len()]);
        }
    }
}

/// Jain's index of fairness: the square of the sum over the number times the sum of squares; 1 is
/// equal shares, 1/n is everything to one of n. 0 if there is nothing to share.
pub fn fairness(shares: &[f64]) -> f64 {
    let sum: f64 = shares.iter().sum();
    let squares: f64 = shares.iter().map(|share| share * share).sum();
    if squares == 0.0 {
        return 0.0;
    }
    sum * sum / (shares.len() as f64 * squares)
}

#[cfg(test)]
mod tests;
