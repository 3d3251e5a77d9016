//! The world as a test holds it.

use std::cell::{Ref, RefCell, RefMut};
use std::future::Future;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use netloom_driver::{Direction, Instant};
use netloom_stack::{Counters, Stack};
use netloom_wire::Cidr;

use crate::capture::{Capture, Seen};
use crate::channel::Channel;
use crate::context::HostId;
use crate::executor::{Executor, Task, TaskResult, submit};
use crate::failure::{Cause, Failure, Waiting};
use crate::host::HostSetup;
use crate::link::{Link, LinkId};
use crate::network::{Network, Node};
use crate::wire::ChannelStats;

/// Turns at one instant before it counts as a livelock. A burst of a million frames at once is
/// two turns; programs that wake each other without end are one turn each.
const TURNS_AT_ONCE: usize = 10_000;
/// Polls in one turn.
const POLLS_A_TURN: usize = 1_000;

/// A world: hosts, links, programs and a clock.
///
/// When a run fails, or a test panics while it holds a world, the seed is printed and the
/// captured packets are written to `failure.pcapng` ([`Sim::failure_file`]).
pub struct Sim {
    // Programs hold sockets of the network: they go first.
    executor: Executor,
    network: Rc<RefCell<Network>>,
    seed: u64,
    limit: Instant,
    failure_file: Option<PathBuf>,
    failed: bool,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

impl Sim {
    /// When every world begins: one second after the clock's origin.
    pub const START: Instant = Instant::from_secs(1);

    /// An empty world. The same program in a world with the same seed does the same.
    pub fn with_seed(seed: u64) -> Sim {
        Sim {
            executor: Executor::default(),
            network: Rc::new(RefCell::new(Network::new(seed, Sim::START))),
            seed,
            limit: Sim::START + Duration::from_secs(24 * 3600),
            failure_file: Some(PathBuf::from("failure.pcapng")),
            failed: false,
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    // Building.

    /// Adds a host. It comes to life with its first link, which decides its first interface.
    pub fn add_host(&mut self, setup: HostSetup) -> HostId {
        self.network.borrow_mut().add_host(setup)
    }

    /// Two new hosts on the heap and a link between them.
    ///
    /// The link is a subnet of its own: the first one is 10.0.0.0/24 and fd00::/64, the next
    /// 10.0.1.0/24 and fd00:0:0:1::/64; the first host on it has the address 1, the second 2.
    pub fn link(&mut self, link: Link) -> (HostId, HostId) {
        self.link_with(HostSetup::heap(), HostSetup::heap(), link)
    }

    /// Two new hosts and a link between them.
    pub fn link_with(&mut self, a: HostSetup, b: HostSetup, link: Link) -> (HostId, HostId) {
        let (a, b) = (self.add_host(a), self.add_host(b));
        self.connect(a, b, link);
        (a, b)
    }

    /// A link between two hosts.
    ///
    /// # Panics
    /// If a host has no room for another interface or its addresses.
    pub fn connect(&mut self, a: HostId, b: HostId, link: Link) -> LinkId {
        self.network.borrow_mut().connect(a, b, &link)
    }

    /// A switch that joins hosts, each by a link like this one, in one subnet. On Ethernet it
    /// learns stations and floods what it does not know; on bare IP it knows the addresses.
    ///
    /// # Panics
    /// For more than 254 hosts, or if one has no room for another interface or its addresses.
    pub fn switch(&mut self, hosts: &[HostId], link: Link) -> Vec<LinkId> {
        self.network.borrow_mut().switch(hosts, &link)
    }

    /// A host's first IPv4 address.
    ///
    /// # Panics
    /// If the host is on no link.
    pub fn ipv4(&self, host: HostId) -> IpAddr {
        let address = self.network.borrow().hosts[host.0].address(false);
        address.expect("the host is on a link")
    }

    /// A host's first IPv6 address.
    ///
    /// # Panics
    /// If the host is on no link.
    pub fn ipv6(&self, host: HostId) -> IpAddr {
        let address = self.network.borrow().hosts[host.0].address(true);
        address.expect("the host is on a link")
    }

    /// All addresses a host was given, in the order of its links.
    pub fn addresses(&self, host: HostId) -> Vec<Cidr> {
        self.network.borrow().hosts[host.0].addresses.clone()
    }

    /// Every host, in the order in which they were added.
    pub fn hosts(&self) -> Vec<HostId> {
        let network = self.network.borrow();
        network.hosts.iter().map(|host| host.id).collect()
    }

    // Links.

    /// Takes a link down (what is on it is lost) or up.
    pub fn set_link(&mut self, link: LinkId, up: bool) {
        self.network.borrow_mut().set_link(link, up);
    }

    /// Loses chosen frames: `lose` is asked for every frame that leaves the first host of the
    /// link ([`Direction::Outbound`]) or comes back to it ([`Direction::Inbound`]), with its
    /// number in that direction, from 0, and its bytes.
    pub fn lose_if(
        &mut self,
        link: LinkId,
        direction: Direction,
        lose: impl FnMut(u64, &[u8]) -> bool + 'static,
    ) {
        let mut network = self.network.borrow_mut();
        let [forward, backward] = network.links[link.0];
        let channel = match direction {
            Direction::Outbound => forward,
            Direction::Inbound => backward,
        };
        network.channels[channel].set_filter(Box::new(lose));
    }

    /// What became of the frames of a link: from the first host to the second, and back.
    pub fn link_stats(&self, link: LinkId) -> (ChannelStats, ChannelStats) {
        let network = self.network.borrow();
        let [forward, backward] = network.links[link.0];
        (
            network.channels[forward].wire.stats(),
            network.channels[backward].wire.stats(),
        )
    }

    /// The first link that joins two hosts, given in the order in which they were joined.
    ///
    /// # Panics
    /// If there is none.
    pub fn link_between(&self, a: HostId, b: HostId) -> LinkId {
        let network = self.network.borrow();
        let joins = |channel: &Channel| {
            matches!((channel.from, channel.to),
                (Node::Host { host: from, .. }, Node::Host { host: to, .. })
                    if (from, to) == (a, b))
        };
        let link = network
            .links
            .iter()
            .position(|[forward, _]| joins(&network.channels[*forward]));
        LinkId(link.expect("the hosts are joined by a link"))
    }

    // Looking on.

    /// What is captured: every frame once, as sent, unless something else is asked for.
    pub fn capture(&mut self, what: Capture) {
        self.network.borrow_mut().recorder.what = what;
    }

    /// Looks at every frame that a host sends or receives. What `look` returns becomes the
    /// frame's comment in the capture.
    pub fn observe(&mut self, look: impl FnMut(&Seen<'_>) -> Option<String> + 'static) {
        self.network.borrow_mut().recorder.observer = Some(Box::new(look));
    }

    /// The capture so far: a pcapng file. It grows to 256 MiB at most.
    pub fn pcapng(&self) -> Vec<u8> {
        self.network.borrow().recorder.bytes().to_vec()
    }

    /// Where the capture goes when a run fails; `None`: nowhere. At first `failure.pcapng` in
    /// the current folder.
    pub fn failure_file(&mut self, path: Option<PathBuf>) {
        self.failure_file = path;
    }

    // Stacks by hand.

    /// A host's stack.
    ///
    /// # Panics
    /// If the host is on no link.
    pub fn stack(&self, host: HostId) -> Ref<'_, Stack> {
        Ref::map(self.network.borrow(), |network| {
            network.hosts[host.0].stack_ref()
        })
    }

    /// A host's stack, to be used by hand; it transmits in the next [`step`](Sim::step), which
    /// also takes its events.
    ///
    /// # Panics
    /// If the host is on no link.
    pub fn stack_mut(&mut self, host: HostId) -> RefMut<'_, Stack> {
        RefMut::map(self.network.borrow_mut(), |network| {
            let now = network.now();
            network.hosts[host.0].use_stack(now)
        })
    }

    /// What happened to every packet of a host.
    ///
    /// # Panics
    /// If the host is on no link.
    pub fn counters(&self, host: HostId) -> Counters {
        self.stack(host).counters().clone()
    }

    // Running.

    /// Runs a program on a host: any future. It is polled from the next step on. A program that
    /// returns an error fails the run.
    pub fn spawn<F>(&mut self, host: HostId, program: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: TaskResult + 'static,
    {
        submit(&self.network, host, program, false)
    }

    /// Runs a program that nobody waits for: a server that never ends.
    pub fn spawn_background<F>(&mut self, host: HostId, program: F) -> Task<F::Output>
    where
        F: Future + 'static,
        F::Output: TaskResult + 'static,
    {
        submit(&self.network, host, program, true)
    }

    /// The world's clock.
    pub fn now(&self) -> Instant {
        self.network.borrow().now()
    }

    /// How long a run may take on the world's clock, from its start. 24 hours at first.
    pub fn time_limit(&mut self, limit: Duration) {
        self.limit = Sim::START + limit;
    }

    /// Does everything there is to do now, then moves on to the next event and does what it
    /// brings. `false`: there is no next event.
    ///
    /// # Errors
    /// A program failed, a count does not add up, time stands still, or the time limit is
    /// reached.
    pub fn step(&mut self) -> Result<bool, Failure> {
        self.settle()?;
        let next = self.network.borrow().next_event();
        match next {
            None => Ok(false),
            Some(next) if next > self.limit => Err(self.fail(Cause::TimeLimit)),
            Some(next) => {
                self.network.borrow_mut().advance(next);
                self.settle()?;
                Ok(true)
            }
        }
    }

    /// Steps until nothing more happens: programs have ended, connections are gone, TIME-WAIT
    /// included.
    ///
    /// # Errors
    /// As [`step`](Sim::step); [`Cause::Stalled`] if programs still wait then.
    pub fn run_until_idle(&mut self) -> Result<(), Failure> {
        while self.step()? {}
        if self.executor.pending().next().is_some() {
            return Err(self.fail(Cause::Stalled));
        }
        Ok(())
    }

    /// Steps until every program that was [spawned](Sim::spawn) has ended; what the stacks still
    /// do is left undone.
    ///
    /// # Errors
    /// As [`run_until_idle`](Sim::run_until_idle).
    pub fn run_programs(&mut self) -> Result<(), Failure> {
        self.settle()?;
        while self.executor.pending().next().is_some() {
            if !self.step()? {
                return Err(self.fail(Cause::Stalled));
            }
        }
        Ok(())
    }

    /// Steps until `at`, and moves the clock there.
    ///
    /// # Errors
    /// As [`step`](Sim::step).
    pub fn run_until(&mut self, at: Instant) -> Result<(), Failure> {
        self.settle()?;
        loop {
            let next = self.network.borrow().next_event();
            if next.is_none_or(|next| next > at) {
                break;
            }
            self.step()?;
        }
        self.network.borrow_mut().advance(at);
        self.settle()
    }

    /// Lets a time pass.
    ///
    /// # Errors
    /// As [`step`](Sim::step).
    pub fn run_for(&mut self, time: Duration) -> Result<(), Failure> {
        self.run_until(self.now() + time)
    }

    /// Does everything that happens at this instant.
    fn settle(&mut self) -> Result<(), Failure> {
        for _ in 0..TURNS_AT_ONCE {
            self.network.borrow_mut().wake_sleepers();
            let ran = self.executor.run(&self.network, POLLS_A_TURN);
            let mut network = self.network.borrow_mut();
            let arrived = network.arrive();
            let turned = network.turn();
            let cause = network.failed_program.take().or(network.check().err());
            drop(network);
            if let Some(cause) = cause {
                return Err(self.fail(cause));
            }
            if !(ran || arrived || turned) {
                return Ok(());
            }
        }
        Err(self.fail(Cause::Livelock))
    }

    fn fail(&mut self, cause: Cause) -> Failure {
        self.failed = true;
        let pending: Vec<_> = self.executor.pending().collect();
        let waiting = pending
            .into_iter()
            .map(|(host, task)| Waiting {
                host,
                task,
                what: self.network.borrow_mut().describe_waits(host, task),
            })
            .collect();
        let failure = Failure {
            seed: self.seed,
            at: self.now(),
            cause,
            waiting,
            capture: self.write_capture(),
        };
        eprintln!("{failure}");
        failure
    }

    fn write_capture(&self) -> Option<PathBuf> {
        let path = self.failure_file.clone()?;
        let network = self.network.try_borrow().ok()?;
        std::fs::write(&path, network.recorder.bytes()).ok()?;
        Some(path)
    }
}

impl Drop for Sim {
    /// A test that panics while it holds a world tells which seed it was.
    fn drop(&mut self) {
        if std::thread::panicking() && !self.failed {
            let capture = self.write_capture();
            let shown = capture.as_deref().map(|path| path.display().to_string());
            eprintln!(
                "seed {}: a panic; the packets are in {}",
                self.seed,
                shown.as_deref().unwrap_or("no file")
            );
        }
    }
}
