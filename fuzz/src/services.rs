//! The resolver and NTP on whatever replies: nothing panics, nothing goes on for ever, nothing is
//! left behind.

use core::time::Duration;

use netloom_services::dns::{Config, RecordType, Resolver};
use netloom_services::ntp::{
    Client, ClientConfig, LeapIndicator, ReferenceClock, Server, ServerLimits,
};
use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::{Config as StackConfig, IfaceId, Limits, Seed, Stack};
use netloom_wire::{Addr, Ipv4Repr, Sum, UdpRepr, UdpView, protocol};

const IF: IfaceId = IfaceId::FIRST;
const OWN: [u8; 4] = [10, 0, 0, 1];
const PEER: [u8; 4] = [10, 0, 0, 2];

fn stack() -> Stack {
    let config = StackConfig::ip().address("10.0.0.1/24".parse().expect("it is one"));
    let mut stack = Stack::with_heap(config, Limits::default(), Seed::for_tests(1));
    stack.advance(Instant::from_secs(1));
    stack
}

/// A datagram of the peer's, with its sums.
fn datagram(ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let (src, dst) = (Addr::v4(PEER), Addr::v4(OWN));
    let len = payload.len() as u16;
    let mut packet = vec![0; 28 + payload.len()];
    let rest = Ipv4Repr::new(src, dst, protocol::UDP, len + 8)
        .emit(&mut packet)
        .expect("it fits");
    let udp = UdpRepr {
        src_port: ports.0,
        dst_port: ports.1,
        payload_len: len,
    };
    udp.emit(rest).expect("it fits").copy_from_slice(payload);
    let sum = udp.checksum(&src, &dst, Sum::new().add(payload));
    netloom_wire::udp::set_checksum(rest, sum);
    packet
}

/// Pieces of the input, each with its length before it.
struct Pieces<'d>(&'d [u8]);

impl<'d> Pieces<'d> {
    fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn next(&mut self) -> &'d [u8] {
        let len = usize::from(self.octet()).min(self.0.len());
        let (piece, rest) = self.0.split_at(len);
        self.0 = rest;
        piece
    }
}

/// Runs what the first octet says.
pub fn run(data: &[u8]) {
    let mut pieces = Pieces(data);
    match pieces.octet() % 4 {
        0 | 1 => dns(pieces),
        2 => ntp_client(pieces),
        _ => ntp_server(pieces),
    }
}

fn dns(mut pieces: Pieces<'_>) {
    let mut stack = stack();
    let server = "10.0.0.2:53".parse().expect("it is one");
    let search = "lan".parse().expect("it is one");
    let config = Config::new()
        .server(server)
        .search(&search)
        .expect("it fits");
    let mut dns = Resolver::<2, 128, 300, 600>::new(config, Seed::for_tests(2));
    let kinds = [
        RecordType::A,
        RecordType::AAAA,
        RecordType::TXT,
        RecordType::SRV,
        RecordType::ANY,
    ];
    let mut queries = Vec::new();
    for _ in 0..3 {
        let kind = kinds[usize::from(pieces.octet()) % kinds.len()];
        let name = match pieces.octet() % 3 {
            0 => "www.example.org",
            1 => "host",
            _ => core::str::from_utf8(pieces.next()).unwrap_or("x"),
        };
        queries.extend(dns.begin(&mut stack, name, kind));
    }
    let mut now = stack.now();
    for _ in 0..400 {
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(now, IF, &mut wire);
        while stack.poll_event().is_some() {}
        for frame in &wire.frames {
            if frame[9] != protocol::UDP {
                continue;
            }
            let query = UdpView::new(&frame[20..]).expect("what is sent is whole");
            // The query itself, changed here and there, with an answer of the input's behind it.
            let mut reply = query.payload().to_vec();
            let how = pieces.octet();
            if how & 1 == 0 {
                reply.truncate(12 + reply[12..].iter().position(|o| *o == 0).unwrap_or(0) + 5);
                reply[10..12].fill(0);
            }
            reply[2] |= 0x80;
            if how & 2 == 0 {
                let head = pieces.next();
                for (place, octet) in reply.iter_mut().skip(2).zip(head) {
                    *place = *octet;
                }
            } else {
                reply[3] = how >> 4;
                reply[7] = pieces.octet() % 4;
                reply[9] = pieces.octet() % 2;
            }
            reply.extend(pieces.next());
            let frame = datagram((53, query.src_port()), &reply);
            stack.receive(now, IF, &frame, &RxMeta::default());
        }
        dns.poll(&mut stack);
        queries.retain(|query| {
            let Some(result) = dns.answer(*query) else {
                return true;
            };
            if let Ok(answer) = result {
                assert!(answer.records().count() > 0, "an answer without records");
                let _ = (
                    answer.canonical_name().to_string(),
                    answer.addresses().count(),
                );
                for record in answer.records() {
                    let _ = record.data.to_string();
                }
            }
            dns.end(&mut stack, *query);
            false
        });
        if queries.is_empty() {
            break;
        }
        if !stack.has_any_work() {
            now = stack.next_deadline().map_or(now, |due| due.max(now));
        }
    }
    assert!(queries.is_empty(), "a query that never ends");
    assert_eq!(stack.usage().udp, 0, "a socket was left");
}

/// In 2026.
const TODAY: Duration = Duration::from_secs(1_790_000_000);

fn ntp_client(mut pieces: Pieces<'_>) {
    let mut stack = stack();
    let config = ClientConfig::new("10.0.0.2:123".parse().expect("it is one"));
    let mut ntp = Client::new(config, Seed::for_tests(3));
    let mut now = stack.now();
    for _ in 0..30 {
        let time = TODAY + Duration::from_micros(now.as_micros());
        while ntp.poll(&mut stack, time).is_some() {}
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(now, IF, &mut wire);
        while stack.poll_event().is_some() {}
        for frame in &wire.frames {
            let request = UdpView::new(&frame[20..]).expect("what is sent is whole");
            let mut reply = pieces.next().to_vec();
            if pieces.octet() & 1 == 0 && reply.len() >= 48 {
                reply[0] = reply[0] & !0x3f | 0x24;
                reply[24..32].copy_from_slice(&request.payload()[40..48]);
            }
            let frame = datagram((123, request.src_port()), &reply);
            stack.receive(now, IF, &frame, &RxMeta::default());
        }
        while ntp.poll(&mut stack, time).is_some() {}
        if let Some(estimate) = ntp.estimate(now) {
            let _ = (estimate.error(), estimate.root_distance());
            let _ = estimate.corrected(TODAY);
        }
        now = stack.next_deadline().map_or(now, |due| due.max(now));
    }
}

fn ntp_server(mut pieces: Pieces<'_>) {
    let mut stack = stack();
    let mut ntpd = Server::<2>::new(&mut stack, 123, ServerLimits::default()).expect("a socket");
    let clock = ReferenceClock {
        leap: LeapIndicator::None,
        ..ReferenceClock::local()
    };
    let now = stack.now();
    while !pieces.0.is_empty() {
        let request = pieces.next();
        let frame = datagram((4000, 123), request);
        stack.receive(now, IF, &frame, &RxMeta::default());
        ntpd.poll(&mut stack, TODAY, &clock);
        let mut wire = FrameQueue::default();
        let _ = stack.transmit(now, IF, &mut wire);
        for reply in &wire.frames {
            assert!(
                reply.len() - 28 <= request.len(),
                "more is sent than was asked"
            );
        }
    }
}
