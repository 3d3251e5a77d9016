//! Packets of those who mean no good.

use netloom_stack::driver::Instant;
use netloom_stack::flow::{FlowConfig, FlowId, FlowProtocol, FlowTuple, Open, Refusal};
use netloom_stack::{CloseReason, Error};

use crate::common::packets::{addr, ip_packet, udp_packet};
use crate::common::{Profile, Random};
use crate::world::{Recorder, World, everywhere, flows};

/// A SYN from a port of a client's.
fn syn(src: &str, dst: &str, port: u16, seq: u32) -> Vec<u8> {
    use netloom_stack::wire::checksum;
    let (src, dst) = (addr(src), addr(dst));
    let mut tcp = vec![0; 20];
    tcp[0..2].copy_from_slice(&port.to_be_bytes());
    tcp[2..4].copy_from_slice(&80_u16.to_be_bytes());
    tcp[4..8].copy_from_slice(&seq.to_be_bytes());
    tcp[12] = 5 << 4;
    tcp[13] = 2;
    tcp[14..16].copy_from_slice(&1000_u16.to_be_bytes());
    let sum = checksum::pseudo_header(&src, &dst, 6, 20)
        .add(&tcp)
        .finish();
    tcp[16..18].copy_from_slice(&sum.to_be_bytes());
    ip_packet(src, dst, 6, 64, 0, &tcp)
}

#[test]
fn flows_opened_without_end_stay_bounded() {
    for profile in [Profile::Heap, Profile::Lent] {
        for answer in [Open::Accept, Open::Hold] {
            let mut flows = flows(profile, FlowConfig::default().memory_budget(4 << 20));
            let mut seen = Recorder::new();
            seen.answer = answer;
            let mut now = Instant::from_secs(1);
            let mut most = 0;
            for n in 0..40_000_u32 {
                let src = format!("10.{}.{}.{}", n >> 14 & 255, n >> 7 & 127, 1 + (n & 127));
                let packet = syn(&src, "203.0.113.9", 1000, n);
                flows.packet_in(now, &packet, &mut seen);
                if n % 64 == 0 {
                    let mut sink = crate::common::Queue::new();
                    let _ = flows.packets_out(now, &mut sink, &mut seen);
                }
                now = now.plus_micros(10);
                most = most.max(flows.memory_in_use());
            }
            if profile == Profile::Heap {
                assert!(most <= 4 << 20, "{most}");
            }
            assert!(flows.len() <= 40_000);
            flows.stack().counters().balance().unwrap();
            // An honest client gets in while the flood lasts, if what floods is answered.
            let mut sink = crate::common::Queue::new();
            let _ = flows.packets_out(now, &mut sink, &mut seen);
            let before = seen.openings.len();
            let honest = syn("10.200.0.1", "203.0.113.9", 1000, 5);
            // Twice: where there are a handful of places, the first makes room for the second.
            flows.packet_in(now, &honest, &mut seen);
            flows.packet_in(now, &honest, &mut seen);
            if answer == Open::Accept {
                assert_eq!(seen.openings.len(), before + 1);
            }
            // Each that was taken ends with a reason, and nothing is left.
            for _ in 0..100 {
                now = now.plus_micros(1_000_000);
                let mut sink = crate::common::Queue::new();
                let _ = flows.packets_out(now, &mut sink, &mut seen);
            }
            assert_eq!(flows.len(), 0);
            assert_eq!(seen.closed.len(), seen.openings.len());
            assert!(flows.next_deadline().is_none());
        }
    }
}

#[test]
fn addresses_that_cannot_be_open_nothing() {
    let mut flows = flows(Profile::Heap, FlowConfig::default());
    let mut seen = Recorder::new();
    let now = Instant::from_secs(1);
    for (src, dst) in [
        ("127.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "127.0.0.1"),
        ("224.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "224.0.0.1"),
        ("10.0.0.1", "255.255.255.255"),
        ("0.0.0.0", "203.0.113.9"),
        ("10.0.0.1", "0.0.0.0"),
        ("250.0.0.1", "203.0.113.9"),
        ("::1", "2001:db8::9"),
        ("fd00::1", "::1"),
        ("fd00::1", "ff02::1"),
        ("ff02::1", "2001:db8::9"),
    ] {
        flows.packet_in(now, &syn(src, dst, 1000, 1), &mut seen);
        let datagram = udp_packet((addr(src), 5), (addr(dst), 53), b"x");
        flows.packet_in(now, &datagram, &mut seen);
        let mut sink = crate::common::Queue::new();
        let _ = flows.packets_out(now, &mut sink, &mut seen);
        assert!(sink.frames.is_empty(), "{src} > {dst} is answered");
    }
    assert!(seen.openings.is_empty() && flows.is_empty());
    flows.stack().counters().balance().unwrap();
}

#[test]
fn any_bytes_do_no_harm() {
    let mut random = Random(77);
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, _) = world.open(far);
        world.client.tcp_write(handle, &[7; 3000]).unwrap();
        let _ = world
            .client
            .transmit(world.now, crate::world::IF, &mut world.to_flows);
        let packets: Vec<Vec<u8>> = world.to_flows.frames.drain(..).collect();
        let meta = netloom_stack::driver::RxMeta {
            checksum: netloom_stack::driver::RxChecksum::Verified,
            ..Default::default()
        };
        for _ in 0..20_000 {
            let mut packet = packets[random.below(packets.len())].clone();
            for _ in 0..1 + random.below(4) {
                let at = random.below(packet.len().min(80));
                packet[at] = random.next() as u8;
            }
            packet.truncate(random.below(packet.len() + 1).max(random.below(60)));
            world.seen.answer = match random.below(4) {
                0 => Open::Hold,
                1 => Open::Refuse(Refusal::Rst),
                _ => Open::Accept,
            };
            world
                .flows
                .packet_in_with(world.now, &packet, &meta, &mut world.seen);
            if random.below(16) == 0 {
                let mut sink = crate::common::Queue::new();
                let _ = world
                    .flows
                    .packets_out(world.now, &mut sink, &mut world.seen);
                world.now = world.now.plus_micros(random.next() % 3_000_000);
            }
            world.flows.stack().counters().balance().unwrap();
        }
    });
}

#[test]
fn ids_that_are_over_are_nobodys() {
    everywhere(|profile, far| {
        let mut world = World::new(profile);
        let (handle, id) = world.open(far);
        world.client.tcp_abort(handle).unwrap();
        world.settle();
        let (_, next) = world.open(far);
        assert_ne!(id, next);
        assert_eq!(id.index(), next.index(), "the place is used again");
        let now = world.now;
        let stale = Err(Error::StaleHandle);
        assert_eq!(world.flows.accept(now, id), stale);
        assert_eq!(world.flows.refuse(now, id, Refusal::Rst), stale);
        assert_eq!(world.flows.finish(now, id), stale);
        assert_eq!(world.flows.abort(now, id), stale);
        assert_eq!(world.flows.credit(now, id, 1), stale);
        assert_eq!(world.flows.echo_reply(now, id, 1, b""), stale);
        assert!(world.flows.state(id).is_err() && world.flows.tuple(id).is_err());
        assert!(world.flows.data_in(now, id, b"x").is_err());
        assert!(world.flows.state(next).is_ok());
    });
}

#[test]
fn aborting_ends_whatever_it_is() {
    everywhere(|profile, far| {
        for answer in [Open::Accept, Open::Hold] {
            let mut world = World::new(profile);
            world.seen.answer = answer;
            let handle = world.connect(far);
            let id = world.seen.id();
            world.flows.abort(world.now, id).unwrap();
            world.settle();
            assert_eq!(world.seen.closed, [(id, CloseReason::Aborted)]);
            assert!(world.client.tcp_close_reason(handle).unwrap().is_some());
            assert!(world.flows.is_empty());
        }
    });
}

#[test]
fn opening_towards_nobody_is_an_error() {
    let mut world = World::new(Profile::Heap);
    let tuple = |local: &str, remote: &str| FlowTuple {
        protocol: FlowProtocol::Tcp,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
    };
    let mut open = |local, remote| -> Result<FlowId, Error> {
        world.flows.open(world.now, &tuple(local, remote))
    };
    let invalid = Err(Error::InvalidRemote);
    assert_eq!(open("203.0.113.9:1", "224.0.0.1:1"), invalid);
    assert_eq!(open("203.0.113.9:1", "10.0.0.1:0"), invalid);
    let not_available = Err(Error::AddressNotAvailable);
    assert_eq!(open("224.0.0.1:1", "10.0.0.1:1"), not_available);
    assert_eq!(open("[2001:db8::9]:1", "10.0.0.1:1"), not_available);
    assert!(world.flows.is_empty());
}
