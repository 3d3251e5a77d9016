//! The same two stacks, once with the fast path and once without, do the same.

use core::net::SocketAddr;
use std::collections::VecDeque;
use std::format;
use std::vec;
use std::vec::Vec;

use netloom_driver::{FrameQueue, Instant, RxMeta, TxCaps};
use netloom_wire::MacAddr;
use proptest::prelude::*;

use crate::tcp::How;
use crate::{
    Config, Event, IfaceId, InterfaceConfig, Limits, ListenerHandle, Seed, Stack, TcpHandle,
};

const IFACE: IfaceId = IfaceId::FIRST;

/// Two stacks with two connections between them, and one that comes and goes.
struct World {
    now: u64,
    stacks: [Stack; 2],
    wires: [FrameQueue; 2],
    conns: [[TcpHandle; 2]; 3],
    listener: ListenerHandle,
}

#[derive(Debug, Clone)]
enum Op {
    Write(usize, usize, usize),
    Read(usize, usize, usize),
    /// Lets a side send, into a device with room for so many frames.
    Send(usize, usize),
    /// Hands the oldest frame from a side to the other.
    Deliver(usize, usize),
    /// Breaks a byte of the oldest frame from a side.
    Break(usize, usize, u8),
    Lose(usize),
    Repeat(usize),
    /// The second frame overtakes the first.
    Overtake(usize),
    Events(usize),
    Sleep(u64),
    Shut(usize, usize),
    Close(usize, usize),
    /// Begins the third connection, once more.
    Connect,
    Accept,
    Mtu(usize, u16),
}

fn op() -> impl Strategy<Value = Op> {
    let side = || 0usize..2;
    // Mostly the first connection: the second is there to be another.
    let conn = || prop_oneof![6 => Just(0usize), 1 => Just(1usize), 1 => Just(2usize)];
    let len = || prop_oneof![2 => Just(1usize), 1 => 1usize..100, 1 => 1usize..6000];
    prop_oneof![
        8 => (side(), conn(), len()).prop_map(|(s, c, n)| Op::Write(s, c, n)),
        8 => (side(), conn(), len()).prop_map(|(s, c, n)| Op::Read(s, c, n)),
        12 => (side(), prop_oneof![5 => Just(64usize), 1 => 0usize..4])
            .prop_map(|(s, n)| Op::Send(s, n)),
        16 => (side(), prop_oneof![1usize..3, Just(64usize)]).prop_map(|(s, n)| Op::Deliver(s, n)),
        1 => (side(), 0usize..120, 1u8..=255).prop_map(|(s, at, by)| Op::Break(s, at, by)),
        1 => side().prop_map(Op::Lose),
        1 => side().prop_map(Op::Repeat),
        1 => side().prop_map(Op::Overtake),
        4 => side().prop_map(Op::Events),
        4 => prop_oneof![30 => 1u64..2_000, 10 => 1u64..600_000, 1 => 1u64..70_000_000]
            .prop_map(Op::Sleep),
        1 => (side(), 1usize..3).prop_map(|(s, c)| Op::Shut(s, c)),
        2 => (side(), 1usize..3).prop_map(|(s, c)| Op::Close(s, c)),
        2 => Just(Op::Connect),
        3 => Just(Op::Accept),
        1 => (side(), 576u16..1500).prop_map(|(s, mtu)| Op::Mtu(s, mtu)),
    ]
}

impl World {
    fn new(ethernet: bool, long_way: bool) -> World {
        let stack = |n: u8| {
            let interface = if ethernet {
                InterfaceConfig::ethernet(MacAddr([2, 0, 0, 0, 0, n]))
            } else {
                InterfaceConfig::ip()
            };
            let cidr = format!("10.0.0.{n}/24").parse().unwrap();
            let mut config = Config::new(interface).address(cidr);
            config.tunables.tcp_rmem = 8192;
            config.tunables.tcp_wmem = 8192;
            let mut stack = Stack::with_heap(config, Limits::default(), Seed::from([n; 32]));
            stack.long_way = long_way;
            stack
        };
        let wire = || FrameQueue {
            frames: VecDeque::new(),
            room: 64,
            caps: TxCaps::plain(1500),
        };
        let none = TcpHandle {
            index: 0,
            generation: 0,
        };
        let mut stacks = [stack(1), stack(2)];
        let listener = stacks[1].tcp_listen(80).unwrap();
        let mut world = World {
            now: 1_000_000,
            stacks,
            wires: [wire(), wire()],
            conns: [[none; 2]; 3],
            listener,
        };
        for i in 0..2 {
            world.conns[i] = world.open();
        }
        world
    }

    fn open(&mut self) -> [TcpHandle; 2] {
        let client = self.stacks[0].tcp_connect(SocketAddr::from(([10, 0, 0, 2], 80)));
        for _ in 0..4 {
            for side in [0, 1] {
                self.send(side, 64);
                self.deliver(side, 64);
            }
        }
        let server = self.stacks[1].tcp_accept(self.listener).unwrap();
        [client.unwrap(), server.expect("the handshake is complete")]
    }

    fn send(&mut self, side: usize, room: usize) -> (usize, bool) {
        let now = Instant::from_micros(self.now);
        self.wires[side].room = self.wires[side].frames.len().saturating_add(room);
        let sent = self.stacks[side].transmit(now, IFACE, &mut self.wires[side]);
        (sent.frames, sent.blocked)
    }

    fn deliver(&mut self, from: usize, most: usize) {
        let now = Instant::from_micros(self.now);
        for _ in 0..most {
            let Some(frame) = self.wires[from].frames.pop_front() else {
                return;
            };
            self.stacks[1 - from].receive(now, IFACE, &frame, &RxMeta::default());
        }
    }

    fn events(&mut self, side: usize) -> Vec<Event> {
        std::iter::from_fn(|| self.stacks[side].poll_event()).collect()
    }

    /// Does something, and says what came of it.
    fn act(&mut self, op: &Op) -> std::string::String {
        match *op {
            Op::Write(side, conn, len) => {
                let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
                format!(
                    "{:?}",
                    self.stacks[side].tcp_write(self.conns[conn][side], &data)
                )
            }
            Op::Read(side, conn, len) => {
                let mut data = vec![0; len];
                let read = self.stacks[side].tcp_read(self.conns[conn][side], &mut data);
                format!("{read:?} {data:?}")
            }
            Op::Send(side, room) => format!("{:?}", self.send(side, room)),
            Op::Deliver(from, most) => {
                self.deliver(from, most);
                std::string::String::new()
            }
            Op::Break(from, at, by) => {
                if let Some(byte) = self.wires[from]
                    .frames
                    .front_mut()
                    .and_then(|frame| frame.get_mut(at))
                {
                    *byte ^= by;
                }
                std::string::String::new()
            }
            Op::Lose(from) => format!("{:?}", self.wires[from].frames.pop_front()),
            Op::Repeat(from) => {
                let again = self.wires[from].frames.front().cloned();
                self.wires[from].frames.extend(again);
                std::string::String::new()
            }
            Op::Overtake(from) => {
                if self.wires[from].frames.len() > 1 {
                    self.wires[from].frames.swap(0, 1);
                }
                std::string::String::new()
            }
            Op::Events(side) => format!("{:?}", self.events(side)),
            Op::Sleep(micros) => {
                self.now += micros;
                std::string::String::new()
            }
            Op::Shut(side, conn) => {
                let done = self.stacks[side].tcp_shutdown(self.conns[conn][side], How::Write);
                format!("{done:?}")
            }
            Op::Close(side, conn) => {
                format!("{:?}", self.stacks[side].tcp_close(self.conns[conn][side]))
            }
            Op::Connect => {
                let made = self.stacks[0].tcp_connect(SocketAddr::from(([10, 0, 0, 2], 80)));
                if let Ok(handle) = made {
                    self.conns[2][0] = handle;
                }
                format!("{made:?}")
            }
            Op::Accept => {
                let accepted = self.stacks[1].tcp_accept(self.listener);
                if let Ok(Some(handle)) = accepted {
                    self.conns[2][1] = handle;
                }
                format!("{accepted:?}")
            }
            Op::Mtu(side, mtu) => {
                self.wires[side].caps.mtu = mtu;
                std::string::String::new()
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn the_fast_path_does_what_the_layers_do(
        ethernet in any::<bool>(),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut fast = World::new(ethernet, false);
        let mut long = World::new(ethernet, true);
        for op in &ops {
            prop_assert_eq!(fast.act(op), long.act(op));
            for side in [0, 1] {
                prop_assert_eq!(&fast.wires[side].frames, &long.wires[side].frames);
                let (a, b) = (&fast.stacks[side], &long.stacks[side]);
                // All but which way it went.
                let mut counters = a.counters().clone();
                counters.tcp_unpredicted_received = b.counters().tcp_unpredicted_received;
                counters.tcp_unpredicted_sent = b.counters().tcp_unpredicted_sent;
                prop_assert_eq!(&counters, b.counters());
                prop_assert_eq!(a.next_deadline(), b.next_deadline());
                prop_assert_eq!(a.buffers_in_use(), b.buffers_in_use());
                let entries = |stack: &Stack| {
                    let tables = &stack.tables;
                    (tables.connections.len(), tables.half_open.len(), tables.time_wait.len())
                };
                prop_assert_eq!(entries(a), entries(b));
                for index in 0..a.tables.connections.high_water() {
                    let conns = [a, b].map(|stack| stack.tables.connections.get(index));
                    let [Some(a), Some(b)] = conns else { continue };
                    prop_assert_eq!(&a.conn, &b.conn);
                    prop_assert_eq!(a.wake_at, b.wake_at);
                    prop_assert_eq!(a.timer, b.timer);
                    prop_assert_eq!(a.links.is_linked(), b.links.is_linked());
                    prop_assert_eq!(a.news.is_linked(), b.news.is_linked());
                }
            }
        }
    }
}
