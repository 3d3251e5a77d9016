//! A client with a stack of its own, and flows that answer for the rest of the world.

use std::collections::{HashMap, HashSet};

use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::flow::{
    FlowConfig, FlowHandler, FlowId, FlowProtocol, FlowStorage, FlowTuple, Flows, Open, Taken,
};
use netloom_stack::{
    CloseReason, Config, Error, IfaceId, Limits, Seed, Stack, TcpHandle, Tunables,
};

use crate::common::{Profile, Queue, Random};

pub const IF: IfaceId = IfaceId::FIRST;

/// Somewhere that exists for neither side, in both versions.
pub const FAR: [&str; 2] = ["203.0.113.9:80", "[2001:db8::9]:80"];

/// Every pair of a memory profile and an IP version.
pub fn everywhere(mut test: impl FnMut(Profile, &str)) {
    for profile in [Profile::Heap, Profile::Lent] {
        for far in FAR {
            test(profile, far);
        }
    }
}

/// A handler that writes down what it is told, and does as it is told.
pub struct Recorder {
    pub answer: Open,
    /// Bytes it takes of each flow in all.
    pub appetite: usize,
    /// Flows of which it takes nothing, however hungry it is.
    pub spurned: HashSet<FlowId>,
    /// Whether it gives credit at once.
    pub credits: bool,
    pub openings: Vec<(FlowId, FlowTuple)>,
    pub data: HashMap<FlowId, Vec<u8>>,
    /// Where the last data lay.
    pub last: (usize, usize),
    pub echoes: Vec<(FlowId, u16, Vec<u8>)>,
    pub writable: Vec<(FlowId, usize)>,
    pub finished: Vec<FlowId>,
    pub errors: Vec<(FlowId, Error)>,
    pub closed: Vec<(FlowId, CloseReason)>,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder {
            answer: Open::Accept,
            appetite: usize::MAX,
            spurned: HashSet::new(),
            credits: true,
            openings: Vec::new(),
            data: HashMap::new(),
            last: (0, 0),
            echoes: Vec::new(),
            writable: Vec::new(),
            finished: Vec::new(),
            errors: Vec::new(),
            closed: Vec::new(),
        }
    }

    /// The only flow there ever was.
    pub fn id(&self) -> FlowId {
        assert_eq!(self.openings.len(), 1, "{:?}", self.openings);
        self.openings[0].0
    }

    pub fn bytes(&self, id: FlowId) -> &[u8] {
        self.data.get(&id).map_or(&[], |data| data)
    }
}

impl FlowHandler for Recorder {
    fn opening(&mut self, id: FlowId, tuple: &FlowTuple) -> Open {
        self.openings.push((id, *tuple));
        self.answer
    }
    fn data(&mut self, id: FlowId, data: &[u8]) -> Taken {
        let known = self.data.entry(id).or_default();
        let appetite = if self.spurned.contains(&id) {
            0
        } else {
            self.appetite
        };
        let bytes = data.len().min(appetite.saturating_sub(known.len()));
        known.extend_from_slice(&data[..bytes]);
        self.last = (data.as_ptr() as usize, data.len());
        let credit = if self.credits { bytes } else { 0 };
        Taken { bytes, credit }
    }
    fn echo(&mut self, id: FlowId, sequence: u16, data: &[u8]) {
        self.echoes.push((id, sequence, data.to_vec()));
    }
    fn writable(&mut self, id: FlowId, room: usize) {
        self.writable.push((id, room));
    }
    fn peer_finished(&mut self, id: FlowId) {
        self.finished.push(id);
    }
    fn error(&mut self, id: FlowId, error: Error) {
        self.errors.push((id, error));
    }
    fn closed(&mut self, id: FlowId, why: CloseReason) {
        assert!(
            !self.closed.iter().any(|(known, _)| *known == id),
            "a flow ends once"
        );
        self.closed.push((id, why));
    }
}

/// What happens to packets on the way.
#[derive(Clone, Copy)]
pub struct Weather {
    pub loss: u64,
    pub repeat: u64,
    pub swap: u64,
}

pub const FAIR: Weather = Weather {
    loss: 0,
    repeat: 0,
    swap: 0,
};

pub struct World {
    pub now: Instant,
    pub client: Stack,
    pub flows: Flows,
    pub seen: Recorder,
    pub to_client: Queue,
    pub to_flows: Queue,
    pub weather: Weather,
    pub random: Random,
}

pub fn flows(profile: Profile, config: FlowConfig) -> Flows {
    let seed = Seed::from([9; 32]);
    match profile {
        Profile::Heap => Flows::with_heap(config, seed),
        Profile::Lent => {
            let storage = Box::leak(Box::new(FlowStorage::<8, 4, 4, 8192, 8192>::new()));
            Flows::new(config, storage, seed)
        }
    }
}

pub fn client(tunables: Tunables) -> Stack {
    let mut config = Config::ip()
        .address("10.0.0.1/24".parse().unwrap())
        .address("fd00::1/64".parse().unwrap())
        .gateway("10.0.0.254".parse().unwrap())
        .gateway("fd00::fe".parse().unwrap());
    config.tunables = tunables;
    Stack::with_heap(config, Limits::default(), Seed::from([3; 32]))
}

impl World {
    pub fn new(profile: Profile) -> World {
        World::with(profile, FlowConfig::default())
    }

    pub fn with(profile: Profile, config: FlowConfig) -> World {
        World {
            now: Instant::from_secs(1),
            client: client(Tunables::default()),
            flows: flows(profile, config),
            seen: Recorder::new(),
            to_client: Queue::new(),
            to_flows: Queue::new(),
            weather: FAIR,
            random: Random(1),
        }
    }

    fn spoiled(&mut self, packets: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
        let mut out: Vec<Vec<u8>> = Vec::new();
        for packet in packets {
            if self.random.next() % 100 < self.weather.loss {
                continue;
            }
            if self.random.next() % 100 < self.weather.repeat {
                out.push(packet.clone());
            }
            out.push(packet);
            let n = out.len();
            if n > 1 && self.random.next() % 100 < self.weather.swap {
                out.swap(n - 1, n - 2);
            }
        }
        out
    }

    /// Carries packets until nothing moves.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let _ = self.client.transmit(self.now, IF, &mut self.to_flows);
            let _ = self
                .flows
                .packets_out(self.now, &mut self.to_client, &mut self.seen);
            if self.to_client.frames.is_empty() && self.to_flows.frames.is_empty() {
                return;
            }
            let there = std::mem::take(&mut self.to_flows.frames);
            for packet in self.spoiled(there) {
                self.flows.packet_in(self.now, &packet, &mut self.seen);
                self.flows.stack().counters().balance().unwrap();
            }
            let back = std::mem::take(&mut self.to_client.frames);
            for packet in self.spoiled(back) {
                self.client
                    .receive(self.now, IF, &packet, &RxMeta::default());
            }
        }
        panic!("it never settles");
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, seconds: f64) {
        let end = self.now.plus_micros((seconds * 1e6) as u64);
        self.settle();
        while self.now < end {
            let next = [self.client.next_deadline(), self.flows.next_deadline()]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(end);
            self.now = next.max(self.now.plus_micros(1)).min(end);
            self.settle();
        }
    }

    /// Begins to connect.
    pub fn connect(&mut self, far: &str) -> TcpHandle {
        let handle = self.client.tcp_connect(far.parse().unwrap()).unwrap();
        self.settle();
        handle
    }

    /// A connection that is open, and its flow.
    pub fn open(&mut self, far: &str) -> (TcpHandle, FlowId) {
        let handle = self.connect(far);
        assert!(self.client.tcp_readiness(handle).unwrap().connected);
        let (id, tuple) = *self.seen.openings.last().unwrap();
        assert_eq!(tuple.protocol, FlowProtocol::Tcp);
        assert_eq!(tuple.destination(), far.parse().unwrap());
        (handle, id)
    }

    /// Everything the client can read.
    pub fn read(&mut self, handle: TcpHandle) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(n) = self.client.tcp_read(handle, &mut buffer) {
            if n == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..n]);
        }
        all
    }
}

/// Bytes that tell their place.
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + n / 251) as u8).collect()
}
