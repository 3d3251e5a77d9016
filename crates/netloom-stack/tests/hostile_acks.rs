//! Streams of acknowledgments that no honest receiver sends (attack classes 11, 13 and 17), against a
//! sender with as much in flight, in as small pieces, as one can be made to have. What they make it
//! send and hold is bounded; what one costs, docs/robustness.md says, in instructions:
//!
//! ```text
//! cargo test --release -p netloom-stack --test hostile_acks --no-run   # names the program
//! valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*suffer*' PROGRAM --exact selective
//! ```
//!
//! The sum over [`PACKETS`] is what one costs, with its making and the sender's answer; `honest` is
//! the measure.
#![cfg(all(feature = "tcp", feature = "udp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6", feature = "alloc"))]
mod common;

use common::Random;
use common::trace::{IRS, Net, Packet, V4, tcp};
use netloom_stack::TcpHandle;

/// Hostile packets of a stream.
const PACKETS: u32 = 2_000;
/// What the peer says its largest segment is; taken for the least that is sensible.
const MSS: u32 = 48;
/// Segments in flight at the start of a stream: more than a sender keeps records of.
const FLIGHT: u32 = 33_000;

/// A sender with a window of tiny segments in flight, and what its peer knows of it.
struct Victim {
    net: Net,
    handle: TcpHandle,
    port: u16,
    seq: u32,
    /// The first octet in flight.
    una: u32,
}

impl Victim {
    fn new() -> Victim {
        let mut net = Net::with(V4, |tunables| tunables.tcp_wmem = 4 << 20);
        let listener = net.listen(common::trace::PORT);
        net.send(tcp("S").mss(1).sack_ok().wscale(7));
        let syn_ack = net.expect(tcp("S.").ack(IRS + 1));
        let una = syn_ack.tcp.seq.wrapping_add(1);
        net.send(tcp(".").seq(IRS + 1).ack(una));
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        let port = syn_ack.tcp.src_port;
        let mut victim = Victim {
            net,
            handle,
            port,
            seq: IRS + 1,
            una,
        };
        victim.fill();
        // Its window is opened honestly, eight segments at a time.
        while victim.flight() < FLIGHT * MSS {
            victim.una = victim.una.wrapping_add(8 * MSS);
            let ack = victim.ack(victim.una);
            victim.net.send(ack);
            victim.fill();
        }
        assert_eq!(victim.info().snd_mss, MSS as u16);
        victim.net.out.clear();
        victim
    }

    /// There is always more to send.
    fn fill(&mut self) {
        while let Ok(1..) = self.net.stack.tcp_write(self.handle, &[7; 4_096]) {}
        self.net.pump();
        self.net.out.clear();
        self.net.raw.clear();
    }

    fn info(&mut self) -> netloom_stack::TcpInfo {
        self.net.stack.tcp_info(self.handle).unwrap()
    }

    fn flight(&mut self) -> u32 {
        self.info().unacked
    }

    fn ack(&self, ack: u32) -> common::trace::Tcp {
        tcp(".").seq(self.seq).ack(ack).port(self.port)
    }

    /// An acknowledgment of nothing new with reports of segments, by their numbers in flight.
    fn sack(&self, segments: &[u32]) -> common::trace::Tcp {
        let mut options = vec![1, 1, 5, 2 + 8 * segments.len() as u8];
        for segment in segments {
            let left = self.una.wrapping_add(segment * MSS);
            options.extend(left.to_be_bytes());
            options.extend(left.wrapping_add(MSS).to_be_bytes());
        }
        self.ack(self.una).raw_options(&options)
    }

    /// Sends the stream, and says how many octets and frames it called forth.
    #[inline(never)]
    fn suffer(&mut self, mut next: impl FnMut(&Victim, u32) -> common::trace::Tcp) -> (u32, u32) {
        let before = self.info().cwnd;
        let (mut octets, mut frames) = (0, 0);
        for n in 0..PACKETS {
            let packet = next(self, n);
            self.net.send(packet);
            for sent in self.net.out.drain(..) {
                frames += 1;
                if let Packet::Tcp(segment) = sent {
                    octets += segment.data.len() as u32;
                }
            }
            self.net.raw.clear();
        }
        assert!(
            self.info().cwnd <= before + PACKETS * MSS,
            "{:?}",
            self.info()
        );
        self.net.balance();
        (octets, frames)
    }
}

/// For comparison: a segment more each time.
#[test]
fn honest() {
    let mut victim = Victim::new();
    let (octets, _) = victim.suffer(|victim, n| victim.ack(victim.una.wrapping_add((n + 1) * MSS)));
    assert!(octets <= 2 * PACKETS * MSS);
}

/// Class 13: every packet reports four segments anywhere.
#[test]
fn selective() {
    let mut victim = Victim::new();
    let mut random = Random(1);
    let (octets, frames) = victim.suffer(|victim, _| {
        let mut segment = || random.below(FLIGHT as usize) as u32;
        victim.sack(&[segment(), segment(), segment(), segment()])
    });
    // No more leaves than is said to have arrived.
    assert!(octets <= 4 * PACKETS * MSS, "{octets}");
    assert!(frames <= 4 * PACKETS, "{frames}");
}

/// Class 13: the same report again and again.
#[test]
fn repeated() {
    let mut victim = Victim::new();
    let (_, frames) = victim.suffer(|victim, _| victim.sack(&[8_000, 6_000, 4_000, 2_000]));
    // What is reported once lets out what it reports, what is lost is sent again once.
    assert!(frames <= 2 * FLIGHT, "{frames}");
}

/// Class 17: what was not sent is acknowledged; class 11: the answers are limited.
#[test]
fn optimistic() {
    let mut victim = Victim::new();
    let (octets, frames) = victim.suffer(|victim, n| {
        let beyond = victim.una.wrapping_add((1 << 22) + n);
        victim.ack(beyond)
    });
    assert_eq!(octets, 0);
    assert!(frames <= 10, "{frames}");
}

/// Class 17: an octet more each time.
#[test]
fn divided() {
    let mut victim = Victim::new();
    let (octets, _) = victim.suffer(|victim, n| victim.ack(victim.una.wrapping_add(n + 1)));
    // As much as is acknowledged, and as much again for a window in slow start.
    assert!(octets <= 2 * PACKETS + 2 * MSS, "{octets}");
}

/// Class 12 and 17: nothing new, again and again.
#[test]
fn duplicate() {
    let mut victim = Victim::new();
    let (octets, _) = victim.suffer(|victim, _| victim.ack(victim.una));
    assert_eq!(octets, 0, "with SACK in use a duplicate reports nothing");
}

/// Class 14, the other way round: single octets out of order, to a receiver that keeps as many ranges
/// as it may.
#[test]
fn scattered() {
    let mut victim = Victim::new();
    let piece = |victim: &Victim, at: u32| {
        tcp("P.")
            .seq(victim.seq.wrapping_add(at))
            .ack(victim.una)
            .port(victim.port)
            .data(&[1])
    };
    for n in 0..5_000 {
        let segment = piece(&victim, 2 + 2 * n);
        victim.net.send(segment);
        victim.net.out.clear();
        victim.net.raw.clear();
    }
    let mut random = Random(1);
    let (octets, frames) =
        victim.suffer(|victim, _| piece(victim, 1 + random.below(10_000) as u32));
    // Each is answered, with what is missing.
    assert_eq!(octets, 0);
    assert!(frames <= PACKETS, "{frames}");
}
