//! Hosts, switches and channels on one clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::task::Waker;

use netloom_driver::impair::Dice;
use netloom_driver::{Direction, Instant, RxMeta};
use netloom_wire::{Addr, Cidr};

use crate::capture::Recorder;
use crate::channel::{Channel, Port};
use crate::context::{HostId, Wait};
use crate::executor::Submitted;
use crate::failure::Cause;
use crate::host::{Host, HostSetup};
use crate::link::{Link, LinkId};
use crate::switch::{Egress, Switch};

/// What a channel leads from or to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Node {
    Host { host: HostId, port: usize },
    Switch { switch: usize, port: usize },
}

pub(crate) struct Network {
    now: Instant,
    seeds: Dice,
    pub(crate) hosts: Vec<Host>,
    pub(crate) channels: Vec<Channel>,
    switches: Vec<Switch>,
    /// Links and switches so far: each is a subnet.
    subnets: u16,
    /// The two channels of each link.
    pub(crate) links: Vec<[usize; 2]>,
    sleepers: BinaryHeap<Reverse<(Instant, u64)>>,
    sleeping: HashMap<u64, Waker>,
    next_sleeper: u64,
    pub(crate) recorder: Recorder,
    pub(crate) submitted: Vec<Submitted>,
    tasks: usize,
    waits: HashMap<usize, Vec<Wait>>,
    pub(crate) failed_program: Option<Cause>,
}

impl Network {
    pub(crate) fn new(seed: u64, start: Instant) -> Network {
        Network {
            now: start,
            seeds: Dice::new(seed),
            hosts: Vec::new(),
            channels: Vec::new(),
            switches: Vec::new(),
            subnets: 0,
            links: Vec::new(),
            sleepers: BinaryHeap::new(),
            sleeping: HashMap::new(),
            next_sleeper: 0,
            recorder: Recorder::new(),
            submitted: Vec::new(),
            tasks: 0,
            waits: HashMap::new(),
            failed_program: None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    pub(crate) fn add_host(&mut self, setup: HostSetup) -> HostId {
        let id = HostId(self.hosts.len());
        let mut seed = [0; 32];
        for part in seed.chunks_mut(8) {
            part.copy_from_slice(&self.seeds.next_u64().to_le_bytes());
        }
        self.hosts.push(Host::new(id, setup, seed));
        id
    }

    /// 10.x.y.n/24 and fd00::s:n/64... of the next subnet, for its member n.
    fn cidrs(&self, member: usize) -> [Cidr; 2] {
        let [high, low] = self.subnets.to_be_bytes();
        let n = u8::try_from(member).expect("at most 254 hosts on a switch");
        let mut v6 = [0; 16];
        v6[0] = 0xfd;
        v6[6..8].copy_from_slice(&[high, low]);
        v6[15] = n;
        [
            Cidr {
                addr: Addr::v4([10, high, low, n]),
                prefix: 24,
            },
            Cidr {
                addr: Addr::v6(v6),
                prefix: 64,
            },
        ]
    }

    pub(crate) fn connect(&mut self, a: HostId, b: HostId, config: &Link) -> LinkId {
        let cidrs = [self.cidrs(1), self.cidrs(2)];
        self.subnets += 1;
        let node = |network: &Network, host: HostId| Node::Host {
            host,
            port: network.hosts[host.0].ports.len(),
        };
        let ends = (node(self, a), node(self, b));
        let link = self.add_channels(ends, config);
        let [forward, backward] = self.links[link.0];
        self.attach(a, forward, config, &cidrs[0]);
        self.attach(b, backward, config, &cidrs[1]);
        link
    }

    pub(crate) fn switch(&mut self, members: &[HostId], config: &Link) -> Vec<LinkId> {
        let switch = self.switches.len();
        self.switches.push(Switch::new(config.medium));
        let mut links = Vec::new();
        for (port, host) in members.iter().enumerate() {
            let cidrs = self.cidrs(port + 1);
            let member = Node::Host {
                host: *host,
                port: self.hosts[host.0].ports.len(),
            };
            let link = self.add_channels((member, Node::Switch { switch, port }), config);
            let [forward, backward] = self.links[link.0];
            self.switches[switch].ports.push(backward);
            for cidr in &cidrs {
                self.switches[switch].add_address(cidr.addr, port);
            }
            self.attach(*host, forward, config, &cidrs);
            links.push(link);
        }
        self.subnets += 1;
        links
    }

    fn add_channels(&mut self, (a, b): (Node, Node), config: &Link) -> LinkId {
        let link = LinkId(self.links.len());
        let first = self.channels.len();
        for (ends, direction) in [((a, b), Direction::Outbound), ((b, a), Direction::Inbound)] {
            let seed = self.seeds.next_u64();
            self.channels
                .push(Channel::new(link, ends, config, direction, seed));
        }
        self.links.push([first, first + 1]);
        link
    }

    fn attach(&mut self, host: HostId, channel: usize, config: &Link, cidrs: &[Cidr]) {
        let port = self.hosts[host.0].ports.len();
        self.hosts[host.0].attach(config.medium, config.mtu, channel, cidrs);
        self.recorder.add_interface(host, port, config.medium);
    }

    pub(crate) fn set_link(&mut self, link: LinkId, up: bool) {
        for channel in self.links[link.0] {
            self.channels[channel].wire.set_up(up);
        }
    }

    // Time.

    /// When something happens next.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        let hosts = self.hosts.iter().filter_map(Host::deadline);
        let arrivals = self
            .channels
            .iter()
            .filter_map(|channel| channel.wire.next_due());
        let room = self
            .hosts
            .iter()
            .filter(|host| host.blocked)
            .flat_map(|host| &host.ports)
            .filter_map(|(_, channel)| self.channels[*channel].wire.next_departure());
        let sleeper = self.sleepers.peek().map(|Reverse((at, _))| *at);
        hosts.chain(arrivals).chain(room).chain(sleeper).min()
    }

    pub(crate) fn advance(&mut self, to: Instant) {
        self.now = self.now.max(to);
        for host in &mut self.hosts {
            // A device that was full may have room now.
            host.dirty |= std::mem::take(&mut host.blocked);
        }
    }

    pub(crate) fn wake_at(&mut self, at: Instant, waker: &Waker) {
        self.sleepers.push(Reverse((at, self.next_sleeper)));
        self.sleeping.insert(self.next_sleeper, waker.clone());
        self.next_sleeper += 1;
    }

    /// Wakes programs whose sleep is over.
    pub(crate) fn wake_sleepers(&mut self) {
        while let Some(Reverse((at, id))) = self.sleepers.peek().copied() {
            if at > self.now {
                return;
            }
            self.sleepers.pop();
            if let Some(waker) = self.sleeping.remove(&id) {
                waker.wake();
            }
        }
    }

    // What happens at one instant.

    /// Delivers every frame that has arrived; says whether there was any.
    pub(crate) fn arrive(&mut self) -> bool {
        let mut any = false;
        for index in 0..self.channels.len() {
            while let Some(frame) = self.channels[index].wire.arrive(self.now) {
                any = true;
                match self.channels[index].to {
                    Node::Host { host, port } => self.deliver(host, port, index, &frame),
                    Node::Switch { switch, port } => self.forward(switch, port, frame),
                }
            }
        }
        any
    }

    fn deliver(&mut self, id: HostId, port: usize, channel: usize, frame: &[u8]) {
        let medium = self.channels[channel].wire.medium;
        self.recorder.received(self.now, (id, port), medium, frame);
        let host = &mut self.hosts[id.0];
        host.dirty = true;
        let (clock, (iface, _)) = (host.clock(self.now), host.ports[port]);
        host.stack()
            .receive(clock, iface, frame, &RxMeta::default());
    }

    fn forward(&mut self, switch: usize, from: usize, frame: Vec<u8>) {
        match self.switches[switch].forward(from, &frame) {
            Egress::None => {}
            Egress::Port(port) => {
                let out = self.switches[switch].ports[port];
                self.channels[out].offer(self.now, frame);
            }
            Egress::Others => {
                let ports = self.switches[switch].ports.clone();
                for (port, out) in ports.into_iter().enumerate() {
                    if port != from {
                        self.channels[out].offer(self.now, frame.clone());
                    }
                }
            }
        }
    }

    /// Lets every stack with something to do transmit, and hands its news to programs; says
    /// whether there was any.
    pub(crate) fn turn(&mut self) -> bool {
        let mut any = false;
        for host in &mut self.hosts {
            let due = host.deadline().is_some_and(|due| due <= self.now);
            if !host.is_attached() || !(host.dirty || due) {
                continue;
            }
            any = true;
            host.dirty = false;
            let clock = host.clock(self.now);
            for (iface, channel) in host.ports.clone() {
                let mut port = Port {
                    channel: &mut self.channels[channel],
                    recorder: &mut self.recorder,
                    now: self.now,
                };
                let sent = host.stack().transmit(clock, iface, &mut port);
                host.blocked |= sent.blocked;
            }
            host.deliver_news();
        }
        any
    }

    /// Checks that no packet was lost unseen.
    pub(crate) fn check(&self) -> Result<(), Cause> {
        for host in self.hosts.iter().filter(|host| host.is_attached()) {
            if let Err(imbalance) = host.stack_ref().counters().balance() {
                return Err(Cause::HostImbalance {
                    host: host.id,
                    imbalance,
                });
            }
        }
        match self
            .channels
            .iter()
            .find(|channel| !channel.wire.is_balanced())
        {
            Some(channel) => Err(Cause::LinkImbalance {
                link: channel.link,
                stats: Box::new(channel.wire.stats()),
                in_flight: channel.wire.in_flight(),
            }),
            None => Ok(()),
        }
    }

    // Programs.

    pub(crate) fn next_task(&mut self) -> usize {
        self.tasks += 1;
        self.tasks - 1
    }

    /// A program is polled: what it waits for will be told anew.
    pub(crate) fn runs(&mut self, task: usize) {
        self.waits.entry(task).or_default().clear();
    }

    pub(crate) fn waits_for(&mut self, task: usize, wait: Wait) {
        self.waits.entry(task).or_default().push(wait);
    }

    pub(crate) fn program_failed(&mut self, host: HostId, task: usize, error: String) {
        self.failed_program
            .get_or_insert(Cause::Program { host, task, error });
    }

    /// What a program waits for, in words.
    pub(crate) fn describe_waits(&mut self, host: HostId, task: usize) -> String {
        let waits = self.waits.get(&task).cloned().unwrap_or_default();
        let host = &mut self.hosts[host.0];
        let words: Vec<String> = waits.iter().map(|wait| describe(host, wait)).collect();
        if words.is_empty() {
            return "for something outside of this world".to_string();
        }
        words.join("; ")
    }
}

fn address(socket: Result<SocketAddr, netloom_stack::Error>) -> String {
    socket.map_or_else(|error| error.to_string(), |at| at.to_string())
}

fn describe(host: &mut Host, wait: &Wait) -> String {
    if !host.is_attached() {
        return format!("{wait:?}");
    }
    let stack = host.stack();
    let (verb, tcp) = match *wait {
        Wait::Time(at) => return format!("until {} us", at.as_micros()),
        Wait::Program(task) => return format!("for program {task} to end"),
        Wait::Accept(listener) => {
            let at = address(stack.tcp_listener_addr(listener));
            return format!("for a connection to accept on {at}");
        }
        Wait::Receive(udp) => {
            let at = address(stack.udp_local_addr(udp));
            return format!("for a datagram on {at}");
        }
        Wait::Send(udp) => {
            let from = address(stack.udp_local_addr(udp));
            return format!("to send a datagram from {from}");
        }
        Wait::Connect(tcp) => ("to be connected", tcp),
        Wait::Read(tcp) => ("for data", tcp),
        Wait::Write(tcp) => ("for room to write", tcp),
        Wait::End(tcp) => ("for the end", tcp),
    };
    match (
        stack.tcp_local_addr(tcp),
        stack.tcp_peer_addr(tcp),
        stack.tcp_info(tcp),
    ) {
        (Ok(local), Ok(peer), Ok(info)) => format!(
            "{verb} on {local} > {peer}: {}, {} unacked of a window of {}, {} unsent, {} unread, \
             cwnd {}, backed off {} times, {} probes",
            info.state,
            info.unacked,
            info.snd_wnd,
            info.unsent,
            info.unread,
            info.cwnd,
            info.backoff,
            info.probes
        ),
        _ => format!("{verb} on a connection that is gone"),
    }
}
