//! A million flows in memory: what they take, what a frame on one of them costs, and how fast flows
//! open and close. `cargo run --release -p netloom-stack --example flows [FLOWS]`.
//!
//! Packets are made before the clock starts; one thread; no device.

use std::hint::black_box;
use std::time::Instant as Clock;

use netloom_stack::Seed;
use netloom_stack::driver::{FrameSink, Full, Instant, TxCaps, TxMeta};
use netloom_stack::flow::{FlowConfig, FlowHandler, FlowId, Flows, Taken};
use netloom_stack::wire::checksum;
use netloom_stack::{CloseReason, wire::Addr};

/// Takes everything and keeps nothing.
#[derive(Default)]
struct Sink {
    bytes: usize,
    finished: Vec<FlowId>,
    closed: usize,
}

impl FlowHandler for Sink {
    fn data(&mut self, _: FlowId, data: &[u8]) -> Taken {
        self.bytes += data.len();
        Taken::all(data)
    }
    fn peer_finished(&mut self, id: FlowId) {
        self.finished.push(id);
    }
    fn closed(&mut self, _: FlowId, _: CloseReason) {
        self.closed += 1;
    }
}

/// Notes the sequence number of what is sent; or nothing.
#[derive(Default)]
struct Out {
    keep: bool,
    seqs: Vec<(u32, u16, u32)>,
    buffer: Vec<u8>,
}

impl FrameSink for Out {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(1500)
    }
    fn frame(
        &mut self,
        len: usize,
        _: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        self.buffer.resize(len.max(self.buffer.len()), 0);
        let frame = &mut self.buffer[..len];
        fill(frame);
        if self.keep && frame[33] & 2 != 0 {
            let to = u32::from_be_bytes(frame[16..20].try_into().unwrap());
            let port = u16::from_be_bytes(frame[22..24].try_into().unwrap());
            let seq = u32::from_be_bytes(frame[24..28].try_into().unwrap());
            self.seqs.push((to, port, seq));
        }
        Ok(())
    }
}

/// The n-th client.
fn client(n: u32) -> (u32, u16) {
    (0x0a00_0001 + n / 50_000, 1024 + (n % 50_000) as u16)
}

const SERVER: [u8; 4] = [203, 0, 113, 9];

fn packet((src, port): (u32, u16), flags: u8, seq: u32, ack: u32, data: usize) -> Vec<u8> {
    let mut packet = vec![0; 40 + data];
    let total = packet.len() as u16;
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&src.to_be_bytes());
    packet[16..20].copy_from_slice(&SERVER);
    let sum = checksum::Sum::new().add(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet[20..22].copy_from_slice(&port.to_be_bytes());
    packet[22..24].copy_from_slice(&80_u16.to_be_bytes());
    packet[24..28].copy_from_slice(&seq.to_be_bytes());
    packet[28..32].copy_from_slice(&ack.to_be_bytes());
    packet[32] = 5 << 4;
    packet[33] = flags;
    packet[34..36].copy_from_slice(&60_000_u16.to_be_bytes());
    let (from, to) = (Addr::v4(src.to_be_bytes()), Addr::v4(SERVER));
    let len = (20 + data) as u32;
    let sum = checksum::pseudo_header(&from, &to, 6, len)
        .add(&packet[20..])
        .finish();
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
        .unwrap_or(0)
}

struct World {
    now: Instant,
    flows: Flows,
    seen: Sink,
    out: Out,
}

impl World {
    fn give(&mut self, packets: &[Vec<u8>]) {
        for packet in packets {
            self.flows.packet_in(self.now, packet, &mut self.seen);
        }
        self.now = self.now.plus_micros(10);
        let _ = self
            .flows
            .packets_out(self.now, &mut self.out, &mut self.seen);
    }

    /// Opens flows; returns the sequence numbers this side begins with.
    fn open(&mut self, from: u32, count: u32) -> Vec<u32> {
        let mut seqs = vec![0; count as usize];
        for batch in (from..from + count).collect::<Vec<_>>().chunks(1000) {
            self.out.keep = true;
            let syns: Vec<_> = batch
                .iter()
                .map(|n| packet(client(*n), 2, 100, 0, 0))
                .collect();
            self.give(&syns);
            self.out.keep = false;
            for (to, port, seq) in self.out.seqs.drain(..) {
                let n = (to - 0x0a00_0001) * 50_000 + u32::from(port) - 1024;
                seqs[(n - from) as usize] = seq;
            }
            let acks: Vec<_> = batch
                .iter()
                .map(|n| {
                    let seq = seqs[(n - from) as usize];
                    packet(client(*n), 0x10, 101, seq.wrapping_add(1), 0)
                })
                .collect();
            self.give(&acks);
        }
        seqs
    }

    /// Nanoseconds for a frame of 100 bytes on one of the first `flows`, taken at random, its
    /// acknowledgment included.
    fn frame_cost(&mut self, seqs: &[u32], next: &mut [u32], flows: u32, rounds: u32) -> f64 {
        let mut picked = 1_u32;
        let mut frames = Vec::new();
        for _ in 0..rounds {
            picked = picked.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let n = ((u64::from(picked) * u64::from(flows)) >> 32) as u32;
            let seq = &mut next[n as usize];
            let ack = seqs[n as usize].wrapping_add(1);
            frames.push(packet(client(n), 0x10, *seq, ack, 100));
            *seq += 100;
        }
        let clock = Clock::now();
        for frames in frames.chunks(32) {
            self.give(frames);
        }
        clock.elapsed().as_nanos() as f64 / f64::from(rounds)
    }
}

fn main() {
    let count: u32 = std::env::args()
        .nth(1)
        .map_or(1 << 20, |n| n.parse().expect("a number of flows"));
    let world = || World {
        now: Instant::from_secs(1),
        flows: Flows::with_heap(
            FlowConfig::default()
                .memory_budget(2 << 30)
                .flows(count + 100_000),
            Seed::from([5; 32]),
        ),
        seen: Sink::default(),
        out: Out::default(),
    };
    let mut one = world();
    let seqs = one.open(0, 1);
    let alone = one.frame_cost(&seqs, &mut [101], 1, 200_000);
    drop(one);

    let mut many = world();
    let before = resident();
    let seqs = many.open(0, count);
    let after = resident();
    assert_eq!(many.flows.len(), count as usize, "all of them are open");
    println!(
        "{count} flows: {} MB resident, {} bytes a flow; {} MB counted",
        after / 1000,
        (after - before) * 1024 / count as usize,
        many.flows.memory_in_use() / 1_000_000
    );
    let mut next = vec![101; count as usize];
    println!("a frame of 100 bytes: {alone:.0} ns with one flow");
    for flows in [1, 100, 10_000, count] {
        let cost = many.frame_cost(&seqs, &mut next, flows, 200_000);
        let times = cost / alone;
        println!(
            "  on one of {flows} that are busy, beside {count}: {cost:.0} ns, {times:.2} times"
        );
    }

    // Opening and closing beside them: SYN, ACK, data, FIN, ACK of our FIN; and what answers.
    let turns = 200_000.min(count);
    let mut spent = std::time::Duration::ZERO;
    for batch in (0..turns).collect::<Vec<_>>().chunks(500) {
        let ids: Vec<u32> = batch.iter().map(|n| count + n).collect();
        many.out.keep = true;
        let syns: Vec<_> = ids
            .iter()
            .map(|n| packet(client(*n), 2, 100, 0, 0))
            .collect();
        let clock = Clock::now();
        many.give(&syns);
        spent += clock.elapsed();
        many.out.keep = false;
        let mut begun: Vec<_> = many.out.seqs.drain(..).collect();
        begun.sort_unstable();
        let ours = |n: &u32| {
            let (to, port) = client(*n);
            let at = begun.binary_search_by_key(&(to, port), |(to, port, _)| (*to, *port));
            begun[at.expect("answered")].2.wrapping_add(1)
        };
        let rest: Vec<Vec<u8>> = ids
            .iter()
            .flat_map(|n| {
                let (who, ack) = (client(*n), ours(n));
                [
                    packet(who, 0x10, 101, ack, 0),
                    packet(who, 0x18, 101, ack, 100),
                    packet(who, 0x11, 201, ack, 0),
                ]
            })
            .collect();
        let last: Vec<_> = ids
            .iter()
            .map(|n| packet(client(*n), 0x10, 202, ours(n).wrapping_add(1), 0))
            .collect();
        let clock = Clock::now();
        many.give(&rest);
        for id in std::mem::take(&mut many.seen.finished) {
            let _ = many.flows.finish(many.now, id);
        }
        many.give(&[]);
        many.give(&last);
        spent += clock.elapsed();
    }
    assert_eq!(many.seen.closed, turns as usize, "each was closed in order");
    println!(
        "open, 100 bytes, close: {:.0} a second",
        f64::from(turns) / spent.as_secs_f64()
    );
    black_box(many.seen.bytes);
}
