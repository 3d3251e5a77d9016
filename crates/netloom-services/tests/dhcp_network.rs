//! Clients and a server of ours, all on one wire, on a virtual clock.
#![cfg(all(feature = "dhcp-client", feature = "dhcp-server"))]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use netloom_services::dhcp::{
    Client, ConflictCheck, Event, LeaseTime, MemoryStore, Pending, Pool, Request, Server,
    ServerConfig, ServerEvent, State, Store,
};
use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::wire::MacAddr;
use netloom_stack::wire::dhcpv4::Hardware;
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack};

const IF: IfaceId = IfaceId::FIRST;

struct Host {
    stack: Stack,
    client: Client,
    events: Vec<Event>,
}

struct World {
    now: Instant,
    server_stack: Stack,
    server: Server<'static, MemoryStore<256>>,
    hosts: Vec<Host>,
    happened: Vec<ServerEvent>,
}

const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn mac(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 1, (n >> 8) as u8, n as u8])
}

fn station(hardware: &Hardware) -> MacAddr {
    hardware.mac().unwrap()
}

fn limits() -> Limits {
    Limits {
        connections: 8,
        half_open: 8,
        time_wait: 8,
        listeners: 4,
        udp: 4,
        loopback: 0,
        packets: 1 << 16,
        ..Limits::default()
    }
}

fn pools(count: u8, seconds: u32) -> &'static [Pool<'static>] {
    let pool = Pool {
        network: "10.0.0.0/16".parse().unwrap(),
        first: Ipv4Addr::new(10, 0, 1, 1),
        last: Ipv4Addr::new(10, 0, 1, count),
        lease_time: LeaseTime::of(seconds),
        options: &[(3, &[10, 0, 0, 1])],
    };
    vec![pool].leak()
}

impl World {
    fn new(hosts: usize, config: ServerConfig<'static>, places: usize) -> World {
        let setup = Config::ethernet(SERVER_MAC).address("10.0.0.1/16".parse().unwrap());
        let mut server_stack = Stack::with_heap(setup, Limits::default(), Seed::from([1; 32]));
        let pending = vec![Pending::FREE; places].leak();
        let store = MemoryStore::new();
        let server = Server::new(&mut server_stack, IF, config, store, pending, 1 << 30).unwrap();
        let mut world = World {
            now: Instant::from_secs(1),
            server_stack,
            server,
            hosts: Vec::new(),
            happened: Vec::new(),
        };
        for n in 0..hosts {
            let mut seed = [7; 32];
            seed[..8].copy_from_slice(&(n as u64).to_be_bytes());
            let mut stack = Stack::with_heap(Config::ethernet(mac(n)), limits(), Seed::from(seed));
            let mut client = Client::new(&mut stack).unwrap();
            client.begin(Request {
                conflict_check: ConflictCheck::Quick,
                ..Request::default()
            });
            world.hosts.push(Host {
                stack,
                client,
                events: Vec::new(),
            });
        }
        world
    }

    /// Runs until nothing happens before `end`.
    fn run_until(&mut self, end: Instant) {
        // Everybody is looked at once; afterwards only who has something to do.
        let mut busy: BTreeSet<usize> = (0..=self.hosts.len()).collect();
        loop {
            let mut frames = FrameQueue::default();
            for index in std::mem::take(&mut busy) {
                if index == self.hosts.len() {
                    self.server_stack.advance(self.now);
                    while let Some(event) = self.server.poll(&mut self.server_stack) {
                        self.happened.push(event);
                    }
                    let _ = self.server_stack.transmit(self.now, IF, &mut frames);
                    while self.server_stack.poll_event().is_some() {}
                } else {
                    let host = &mut self.hosts[index];
                    host.stack.advance(self.now);
                    while let Some(event) = host.client.poll(&mut host.stack) {
                        host.events.push(event);
                    }
                    let _ = host.stack.transmit(self.now, IF, &mut frames);
                    while host.stack.poll_event().is_some() {}
                }
            }
            for frame in frames.frames {
                self.carry(&frame, &mut busy);
            }
            if !busy.is_empty() {
                continue;
            }
            let due = |stack: &Stack| stack.next_deadline().unwrap_or(Instant::FAR_FUTURE);
            let mut next = due(&self.server_stack);
            for host in &self.hosts {
                next = next.min(due(&host.stack));
            }
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            busy = (0..self.hosts.len())
                .filter(|n| due(&self.hosts[*n].stack) <= self.now)
                .collect();
            if due(&self.server_stack) <= self.now {
                busy.insert(self.hosts.len());
            }
        }
    }

    fn run_for(&mut self, secs: u64) {
        self.run_until(self.now.plus_micros(secs * 1_000_000));
    }

    /// A frame to all, or to whom it is for.
    fn carry(&mut self, frame: &[u8], busy: &mut BTreeSet<usize>) {
        let to = MacAddr(frame[..6].try_into().unwrap());
        let from = MacAddr(frame[6..12].try_into().unwrap());
        let meta = RxMeta::default();
        if from != SERVER_MAC && (to == SERVER_MAC || to.is_multicast()) {
            self.server_stack.receive(self.now, IF, frame, &meta);
            busy.insert(self.hosts.len());
        }
        for (n, host) in self.hosts.iter_mut().enumerate() {
            let mac = mac(n);
            if from != mac && (to == mac || to.is_multicast()) {
                host.stack.receive(self.now, IF, frame, &meta);
                busy.insert(n);
            }
        }
    }

    fn addresses(&self) -> Vec<Ipv4Addr> {
        let bound = |host: &Host| host.client.lease().map(|lease| lease.ip());
        self.hosts.iter().filter_map(bound).collect()
    }
}

/// 250 clients at once, and a pool of 200.
#[test]
fn of_250_clients_200_get_an_address_each_and_50_none() {
    let config = ServerConfig {
        pools: pools(200, 3600),
        ..ServerConfig::default()
    };
    let mut world = World::new(250, config, 256);
    world.run_for(60);
    let addresses = world.addresses();
    assert_eq!(addresses.len(), 200);
    let distinct: BTreeSet<_> = addresses.iter().collect();
    assert_eq!(distinct.len(), 200, "an address is two clients'");
    assert!(
        distinct
            .iter()
            .all(|a| a.octets()[..3] == [10, 0, 1] && a.octets()[3] <= 200)
    );
    // Who got none is who was told no, and nobody else was; none of them was offered anything.
    let (mut told_no, mut offered, mut leased) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in &world.happened {
        match event {
            ServerEvent::Exhausted { for_whom } => told_no.insert(station(for_whom)),
            ServerEvent::Offered { to, .. } => offered.insert(station(to)),
            ServerEvent::Leased { to, .. } => leased.insert(station(to)),
            _ => panic!("{event}"),
        };
    }
    let (mut with, mut without) = (BTreeSet::new(), BTreeSet::new());
    for (n, host) in world.hosts.iter().enumerate() {
        let nothing_came = host.events.contains(&Event::TimedOut);
        if host.client.lease().is_some() {
            assert!(!nothing_came, "{:?}", host.events);
            with.insert(mac(n));
        } else {
            assert!(nothing_came, "{:?}", host.events);
            assert_eq!(host.client.state(), State::Selecting);
            without.insert(mac(n));
        }
    }
    assert_eq!((with.len(), without.len()), (200, 50));
    assert_eq!(told_no, without);
    assert_eq!((&offered, &leased), (&with, &with));
    let mut kept = 0;
    world.server.store().for_each(&mut |_| kept += 1);
    assert_eq!(kept, 200);
    for host in &world.hosts {
        let conflict =
            |event: &Event| matches!(event, Event::Conflict { .. } | Event::Refused { .. });
        assert!(!host.events.iter().any(conflict));
    }

    // An hour later all 200 have been renewed, and nobody else got one.
    world.run_for(3600);
    assert_eq!(world.addresses(), addresses);
    // One leaves: one of the fifty gets its address.
    let host = world
        .hosts
        .iter_mut()
        .find(|h| h.client.lease().is_some())
        .unwrap();
    let given_back = host.client.lease().unwrap().ip();
    host.client.release(&mut host.stack);
    world.run_for(70);
    assert_eq!(world.addresses().len(), 200);
    assert!(world.addresses().contains(&given_back));
}

/// With fewer places than clients who ask at once, all are served in the end.
#[test]
fn with_few_places_all_are_served_in_their_turn() {
    let config = ServerConfig {
        pools: pools(100, 3600),
        conflict_check: Duration::from_millis(100),
        ..ServerConfig::default()
    };
    let mut world = World::new(60, config, 8);
    world.run_for(200);
    let distinct: BTreeSet<_> = world.addresses().into_iter().collect();
    assert_eq!(distinct.len(), 60);
}

/// A station with an address by hand in the middle of the pool is never robbed of it.
#[test]
fn a_station_in_the_pool_keeps_its_address() {
    let config = ServerConfig {
        pools: pools(3, 60),
        ..ServerConfig::default()
    };
    let mut world = World::new(3, config, 8);
    let squatter = &mut world.hosts[2];
    squatter.client.stop(&mut squatter.stack);
    squatter
        .stack
        .add_address(IF, "10.0.1.2/16".parse().unwrap())
        .unwrap();
    world.run_for(300);
    let given = world.addresses();
    assert_eq!(given.len(), 2);
    assert!(!given.contains(&Ipv4Addr::new(10, 0, 1, 2)));
}

/// Without the server's look it is the client that finds out, and declines.
#[test]
fn what_the_server_does_not_look_for_the_client_finds() {
    let config = ServerConfig {
        pools: pools(2, 600),
        conflict_check: Duration::ZERO,
        ..ServerConfig::default()
    };
    let mut world = World::new(2, config, 8);
    let squatter = &mut world.hosts[1];
    squatter.client.stop(&mut squatter.stack);
    for last in [1, 2] {
        let taken = format!("10.0.1.{last}/16").parse().unwrap();
        squatter.stack.add_address(IF, taken).unwrap();
    }
    world.run_for(60);
    let declined = world
        .happened
        .iter()
        .filter(|event| matches!(event, ServerEvent::Declined { .. }));
    assert_eq!(declined.count(), 2);
    assert!(world.addresses().is_empty());
}
