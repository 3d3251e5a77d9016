//! A client and a server on two stacks, with a clock each and a path between them.

use core::time::Duration;
use std::boxed::Box;
use std::collections::HashSet;
use std::vec;
use std::vec::Vec;

use netloom_stack::driver::{FrameQueue, Instant, RxMeta};
use netloom_stack::{Config, IfaceId, Limits, Seed, Stack};
use netloom_wire::ntp::{NtpMode, NtpRepr, NtpView};

use super::*;

const IF: IfaceId = IfaceId::FIRST;

type Change = Box<dyn FnMut(u32, &mut Vec<Vec<u8>>)>;

struct World {
    now: Instant,
    /// What the clocks show at the origin of `now`.
    server_zero: Duration,
    client_zero: Duration,
    clock: ReferenceClock,
    client: Stack,
    server: Stack,
    ntp: Client,
    ntpd: Server<4>,
    /// There and back, of the n-th exchange, in microseconds.
    path: Box<dyn FnMut(u32) -> (u64, u64)>,
    /// What becomes of the replies to the n-th request.
    change: Change,
    requests: Vec<NtpRepr>,
    sent_at: Vec<Instant>,
    updates: Vec<Update>,
}

/// In 2026.
const TODAY: Duration = Duration::from_secs(1_790_000_000);

impl World {
    fn new() -> World {
        let stack = |address: &str, seed| {
            let config = Config::ip().address(address.parse().unwrap());
            Stack::with_heap(config, Limits::default(), Seed::for_tests(seed))
        };
        let (mut client, mut server) = (stack("10.0.0.1/24", 1), stack("10.0.0.2/24", 2));
        let now = Instant::from_secs(1);
        client.advance(now);
        server.advance(now);
        let ntpd = Server::new(&mut server, PORT, ServerLimits::default()).unwrap();
        let config = ClientConfig::new("10.0.0.2:123".parse().unwrap());
        World {
            now,
            server_zero: TODAY,
            client_zero: TODAY,
            clock: ReferenceClock {
                stratum: 1,
                reference_id: ReferenceId(*b"GPS\0"),
                ..ReferenceClock::local()
            },
            client,
            server,
            ntp: Client::new(config, Seed::for_tests(3)),
            ntpd,
            path: Box::new(|_| (1000, 1000)),
            change: Box::new(|_, _| {}),
            requests: Vec::new(),
            sent_at: Vec::new(),
            updates: Vec::new(),
        }
    }

    fn time(&self, zero: Duration) -> Duration {
        zero + Duration::from_micros(self.now.as_micros())
    }

    fn poll(&mut self) {
        while self.client.poll_event().is_some() {}
        let time = self.time(self.client_zero);
        while let Some(update) = self.ntp.poll(&mut self.client, time) {
            self.updates.push(update);
        }
    }

    /// One exchange, or what passes for it: the client's request, the path, the server's reply,
    /// the path back.
    fn turn(&mut self) {
        self.poll();
        let mut wire = FrameQueue::default();
        let _ = self.client.transmit(self.now, IF, &mut wire);
        if wire.frames.is_empty() {
            self.now = self.client.next_deadline().expect("something will happen");
            self.client.advance(self.now);
            let _ = self.client.transmit(self.now, IF, &mut wire);
            assert!(wire.frames.is_empty());
            return;
        }
        let number = self.requests.len() as u32;
        let (there, back) = (self.path)(number);
        self.sent_at.push(self.now);
        self.now = self.now.plus_micros(there);
        for frame in wire.frames {
            let request = NtpView::new(&frame[28..]).unwrap();
            self.requests.push(NtpRepr::parse(&request));
            self.server
                .receive(self.now, IF, &frame, &RxMeta::default());
        }
        let time = self.time(self.server_zero);
        self.ntpd.poll(&mut self.server, time, &self.clock);
        let mut wire = FrameQueue::default();
        let _ = self.server.transmit(self.now, IF, &mut wire);
        let replies: Vec<_> = wire.frames.into_iter().collect();
        let mut payloads: Vec<_> = replies.iter().map(|f| f[28..].to_vec()).collect();
        (self.change)(number, &mut payloads);
        self.now = self.now.plus_micros(back);
        for payload in payloads {
            // The head of a reply, with the sum of what it carries now: none.
            let mut frame = [&replies[0][..28], &payload].concat();
            let total = frame.len() as u16;
            frame[2..4].copy_from_slice(&total.to_be_bytes());
            frame[24..26].copy_from_slice(&(total - 20).to_be_bytes());
            frame[26..28].fill(0);
            frame[10..12].fill(0);
            let sum = netloom_wire::Sum::new().add(&frame[..20]).finish();
            frame[10..12].copy_from_slice(&sum.to_be_bytes());
            self.client
                .receive(self.now, IF, &frame, &RxMeta::default());
        }
        self.poll();
    }

    fn run(&mut self, exchanges: usize) {
        for _ in 0..10_000 {
            if self.requests.len() >= exchanges {
                return;
            }
            self.turn();
        }
        panic!("{} exchanges only", self.requests.len());
    }

    fn estimate(&self) -> Estimate {
        self.ntp.estimate(self.now).expect("there is a sample")
    }

    /// The truth: how far the client's clock is behind the server's, in nanoseconds.
    fn truth(&self) -> i64 {
        self.server_zero.as_nanos() as i64 - self.client_zero.as_nanos() as i64
    }

    fn off_by(&self) -> u64 {
        self.truth().abs_diff(self.estimate().offset)
    }
}

//= https://www.rfc-editor.org/rfc/rfc5905#section-8
//= type=test
//# theta = T(B) - T(A) = 1/2 * [(T2-T1) + (T3-T4)]
#[test]
fn the_offset_is_found() {
    for behind in [0, 1, 3_250_000_000, 86_400_000_000_000_u64] {
        for ahead in [false, true] {
            let mut world = World::new();
            let by = Duration::from_nanos(behind);
            world.client_zero = if ahead { TODAY + by } else { TODAY - by };
            world.run(4);
            let estimate = world.estimate();
            assert!(world.off_by() <= 1, "{behind} {}", estimate.offset);
            assert!(estimate.delay.abs_diff(2_000_000) <= 1);
            assert!(world.off_by() <= estimate.error() && estimate.error() < 2_000_000);
            assert_eq!((estimate.stratum, estimate.samples), (1, 4));
            assert_eq!(estimate.leap, LeapIndicator::None);
            assert!(world.ntp.burst_is_over());
            let (own, theirs) = (world.time(world.client_zero), world.time(world.server_zero));
            let right = estimate.corrected(own);
            assert!(right.abs_diff(theirs) <= Duration::from_nanos(1));
        }
    }
}

#[test]
fn a_burst_and_then_a_minute() {
    let mut world = World::new();
    world.run(6);
    let at: Vec<_> = world
        .sent_at
        .iter()
        .map(|at| at.as_micros() / 1_000_000)
        .collect();
    assert_eq!(at[..4], [1, 3, 5, 7]);
    for (earlier, later) in [(3, 4), (4, 5)] {
        assert!((64..=68).contains(&(at[later] - at[earlier])), "{at:?}");
    }
    // While all goes well, less and less often.
    world.run(60);
    assert_eq!(world.ntp.poll_exponent(), 10);
    let last = world.sent_at[59].micros_since(world.sent_at[58]) / 1_000_000;
    assert!((1024..=1088).contains(&last));
    assert_eq!(world.ntp.counters().taken, 60);
    // With eight samples the server is fit for use.
    assert!(world.estimate().root_distance() < 1_000_000_000);
}

#[test]
fn the_exchange_with_the_least_delay_is_believed() {
    let mut world = World::new();
    world.client_zero = TODAY - Duration::from_secs(1);
    // Replies that come late make the client seem ahead; the third does not.
    world.path = Box::new(|n| if n == 2 { (500, 500) } else { (500, 90_500) });
    world.run(4);
    assert!(world.off_by() <= 1);
    assert_eq!(world.estimate().delay.div_ceil(1_000_000), 1);
    // The others are 45 ms off, and that shows.
    assert!(world.estimate().jitter.abs_diff(45_000_000) < 10);
}

#[test]
fn a_lopsided_path_makes_an_error_that_is_owned_up_to() {
    for path in [(0, 50_000), (50_000, 0), (20_000, 1_000)] {
        let mut world = World::new();
        world.path = Box::new(move |_| path);
        world.run(4);
        let wrong = world.off_by();
        assert!(
            wrong > 9_000_000 && wrong <= world.estimate().error(),
            "{wrong}"
        );
    }
}

/// 7 February 2036, 06:28:16 UTC: the seconds begin at zero again.
#[test]
fn the_rollover_of_2036_is_passed() {
    const ROLLOVER: u64 = 2_085_978_496;
    for (client, server) in [(-5, 3), (5, -3), (-2, -2), (1, 1), (-1, 600_000_000)] {
        let mut world = World::new();
        let at = |seconds: i64| Duration::from_secs(ROLLOVER.checked_add_signed(seconds).unwrap());
        world.client_zero = at(client);
        world.server_zero = at(server);
        world.run(4);
        assert!(
            world.off_by() <= 1,
            "{client} {server}: {:?}",
            world.estimate()
        );
        assert_eq!(world.ntp.counters().taken, 4);
        let right = world.estimate().corrected(world.time(world.client_zero));
        let truth = world.time(world.server_zero);
        assert!(right.abs_diff(truth) <= Duration::from_nanos(1));
    }
}

#[test]
fn it_is_small() {
    let (client, server) = (size_of::<Client>(), size_of::<Server<8>>());
    std::println!("Client: {client} bytes, Server<8>: {server} bytes");
    assert!(client < 700 && server < 600);
}

#[test]
fn requests_tell_nothing_and_replies_must_have_seen_them() {
    let mut world = World::new();
    world.run(50);
    let nonces: HashSet<_> = world.requests.iter().map(|r| r.transmit).collect();
    assert_eq!(nonces.len(), 50);
    let upper: HashSet<_> = nonces.iter().map(|nonce| nonce.0 >> 48).collect();
    assert!(upper.len() > 40, "the time shows: {upper:?}");
    for request in &world.requests {
        let plain = NtpRepr::request(request.transmit);
        assert_eq!(*request, plain);
    }
}

/// Replies with one thing wrong; each world gets only those.
fn with_replies(change: impl Fn(&mut NtpRepr) + 'static) -> World {
    let mut world = World::new();
    world.change = Box::new(move |_, replies| {
        for reply in replies {
            let mut repr = NtpRepr::parse(&NtpView::new(reply).unwrap());
            change(&mut repr);
            repr.emit(reply).unwrap();
        }
    });
    world.run(4);
    world
}

#[test]
fn a_reply_to_another_request_is_bogus() {
    let world = with_replies(|reply| reply.origin.0 ^= 1);
    assert_eq!(world.ntp.counters().bogus, 4);
    let world = with_replies(|reply| reply.origin = NtpTimestamp(0));
    assert_eq!(world.ntp.counters().bogus, 4);
    assert!(world.ntp.estimate(world.now).is_none());
}

#[test]
fn a_reply_that_comes_twice_is_taken_once() {
    let mut world = World::new();
    world.change = Box::new(|_, replies| {
        let copy = replies[0].clone();
        replies.push(copy);
    });
    world.run(4);
    assert_eq!(
        (world.ntp.counters().taken, world.ntp.counters().bogus),
        (4, 4)
    );
    // And the reply to an earlier request is not one to a later.
    let mut world = World::new();
    let mut kept = Vec::new();
    world.change = Box::new(move |_, replies| {
        kept.push(replies[0].clone());
        replies[0] = kept[0].clone();
    });
    world.run(4);
    assert_eq!(
        (world.ntp.counters().taken, world.ntp.counters().bogus),
        (1, 3)
    );
}

#[test]
fn a_server_without_the_time_is_not_believed() {
    let changes: [fn(&mut NtpRepr); 5] = [
        |reply| reply.leap = LeapIndicator::Unsynchronized,
        |reply| reply.stratum = 16,
        |reply| reply.stratum = 255,
        |reply| reply.root_dispersion = NtpShort(16 << 16),
        |reply| reply.root_delay = NtpShort(32 << 16),
    ];
    for change in changes {
        let world = with_replies(change);
        assert_eq!(world.ntp.counters().unsynchronized, 4);
        assert_eq!(
            world
                .updates
                .iter()
                .filter(|u| **u == Update::Unsynchronized)
                .count(),
            4
        );
        assert!(world.ntp.estimate(world.now).is_none());
    }
}

#[test]
fn times_that_contradict_each_other_are_not_believed() {
    let changes: [fn(&mut NtpRepr); 6] = [
        |reply| reply.receive = NtpTimestamp(0),
        |reply| reply.transmit = NtpTimestamp(0),
        |reply| reply.transmit.0 = reply.receive.0 - 100,
        |reply| reply.reference.0 = reply.transmit.0 + (1 << 32),
        |reply| reply.mode = NtpMode::Client,
        |reply| reply.mode = NtpMode::Broadcast,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let world = with_replies(change);
        assert_eq!(world.ntp.counters().invalid, 4, "{number}");
        assert!(world.ntp.estimate(world.now).is_none());
    }
    // What is no message is not one.
    let mut world = World::new();
    world.change = Box::new(|n, replies| replies[0].truncate(n as usize * 15));
    world.run(4);
    assert_eq!(world.ntp.counters().invalid, 4);
}

#[test]
fn an_exchange_during_which_the_clock_was_set_is_discarded() {
    for by in [-1, 1] {
        let mut world = World::new();
        world.poll();
        let second = Duration::from_secs(1);
        let mut wire = FrameQueue::default();
        let _ = world.client.transmit(world.now, IF, &mut wire);
        world.now = world.now.plus_micros(1000);
        let time = world.time(world.server_zero);
        world
            .server
            .receive(world.now, IF, &wire.frames[0], &RxMeta::default());
        world.ntpd.poll(&mut world.server, time, &world.clock);
        let mut wire = FrameQueue::default();
        let _ = world.server.transmit(world.now, IF, &mut wire);
        world.client_zero = if by < 0 {
            TODAY - second
        } else {
            TODAY + second
        };
        world
            .client
            .receive(world.now, IF, &wire.frames[0], &RxMeta::default());
        world.poll();
        assert_eq!(world.ntp.counters().stepped, 1);
        world.run(3);
        assert!(world.off_by() <= 1);
    }
}

#[test]
fn a_lost_reply_is_made_up_for_by_the_next() {
    let mut world = World::new();
    world.change = Box::new(|n, replies| {
        if n < 3 {
            replies.clear();
        }
    });
    world.run(4);
    assert_eq!(
        (world.ntp.counters().lost, world.ntp.counters().taken),
        (3, 1)
    );
    assert!(world.off_by() <= 1);
    assert!(world.estimate().root_distance() > 1_000_000_000);
}

#[test]
fn a_server_that_is_away_is_asked_less_and_less() {
    let mut world = World::new();
    world.change = Box::new(|n, replies| {
        if n >= 4 {
            replies.clear();
        }
    });
    world.run(12);
    let early = world.estimate();
    world.run(24);
    assert_eq!(world.ntp.poll_exponent(), 10);
    // What was known grows old, and is at last forgotten.
    assert_eq!(early.samples, 3);
    assert!(world.ntp.estimate(world.now).is_none());
}

fn kissing(kiss: ReferenceId, wrong_origin: bool) -> World {
    let mut world = World::new();
    world.change = Box::new(move |_, replies| {
        let mut repr = NtpRepr::parse(&NtpView::new(&replies[0]).unwrap());
        repr.stratum = 0;
        repr.leap = LeapIndicator::Unsynchronized;
        repr.reference_id = kiss;
        repr.origin.0 ^= u64::from(wrong_origin);
        let mut message = vec![0; 48];
        repr.emit(&mut message).unwrap();
        // Before the true reply, or instead of it.
        if wrong_origin {
            replies.insert(0, message);
        } else {
            replies[0] = message;
        }
    });
    world
}

//= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
//= type=test
//# b.  For kiss code RATE, the client MUST immediately reduce its
//# polling interval to that server and continue to reduce it each
//# time it receives a RATE kiss code.
#[test]
fn a_server_that_wants_to_be_asked_less_often_is() {
    let mut world = kissing(ReferenceId::RATE, false);
    world.run(4);
    let gaps: Vec<_> = world
        .sent_at
        .windows(2)
        .map(|two| two[1].micros_since(two[0]) / 1_000_000)
        .collect();
    // The burst is over with the first kiss.
    for (gap, poll) in gaps.iter().zip([128, 256, 512]) {
        assert!((poll..=poll + poll / 16).contains(gap), "{gaps:?}");
    }
    assert!(world.updates.iter().all(|update| *update == Update::Slower));
    // It goes on, as far as there are numbers for it.
    world.run(20);
    assert_eq!(world.ntp.poll_exponent(), 17);
}

//= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
//= type=test
//# a.  For kiss codes DENY and RSTR, the client MUST demobilize any
//# associations to that server and stop sending packets to that
//# server;
#[test]
fn a_server_that_wants_to_be_asked_no_more_is_not() {
    for kiss in [ReferenceId::DENY, ReferenceId::RSTR] {
        let mut world = kissing(kiss, false);
        world.run(1);
        assert_eq!(world.updates, [Update::Refused(kiss)]);
        assert_eq!(world.ntp.refused(), Some(kiss));
        for _ in 0..10 {
            world.now = world.now.plus_micros(1_000_000_000);
            world.client.advance(world.now);
            world.poll();
            let mut wire = FrameQueue::default();
            let _ = world.client.transmit(world.now, IF, &mut wire);
            assert!(wire.frames.is_empty());
        }
        assert_eq!(world.client.usage().udp, 0);
    }
}

/// RFC 5905 §7.4 does not say so, but everybody could stop everybody otherwise.
#[test]
fn a_forged_kiss_stops_nobody() {
    for kiss in [ReferenceId::DENY, ReferenceId::RSTR, ReferenceId::RATE] {
        let mut world = kissing(kiss, true);
        world.run(4);
        let counters = world.ntp.counters();
        assert_eq!((counters.bogus, counters.taken, counters.kisses), (4, 4, 0));
    }
}

//= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
//= type=test
//# d.  Other than the above conditions, KoD packets have no protocol
//# significance and are discarded after inspection.
//= https://www.rfc-editor.org/rfc/rfc5905#section-7.4
//= type=test
//# c.  Kiss codes beginning with the ASCII character "X" are for
//# unregistered experimentation and development and MUST be ignored
//# if not recognized.
#[test]
fn other_kisses_are_discarded() {
    for kiss in [*b"XNOT", *b"INIT", *b"STEP", [0; 4], [192, 0, 2, 1]] {
        let mut world = kissing(ReferenceId(kiss), false);
        world.run(4);
        assert_eq!(world.ntp.counters().kisses, 4);
        assert_eq!(world.ntp.poll_exponent(), 6);
        assert!(world.ntp.estimate(world.now).is_none());
    }
}

#[test]
fn a_server_nobody_is_at_is_told_of() {
    let mut world = World::new();
    let config = ClientConfig::new("192.0.2.1:123".parse().unwrap());
    world.ntp = Client::new(config, Seed::for_tests(3));
    world.poll();
    let no_route = netloom_stack::Error::NoRoute;
    assert_eq!(world.updates, [Update::Lost(Some(no_route))]);
    // It is tried again in its time.
    assert!(world.client.next_deadline().is_some());
}

/// Sends a datagram to the server from 10.0.0.1 and returns what it says.
fn ask(world: &mut World, message: &[u8]) -> Option<NtpRepr> {
    let socket = world.client.udp_bind(0).unwrap();
    let to = "10.0.0.2:123".parse().unwrap();
    world.client.udp_send_to(socket, message, to).unwrap();
    let mut wire = FrameQueue::default();
    let _ = world.client.transmit(world.now, IF, &mut wire);
    for frame in wire.frames {
        world
            .server
            .receive(world.now, IF, &frame, &RxMeta::default());
    }
    let time = world.time(world.server_zero);
    world.ntpd.poll(&mut world.server, time, &world.clock);
    let mut wire = FrameQueue::default();
    let _ = world.server.transmit(world.now, IF, &mut wire);
    for frame in wire.frames {
        world
            .client
            .receive(world.now, IF, &frame, &RxMeta::default());
    }
    let mut buffer = [0; 600];
    let got = world.client.udp_recv(socket, &mut buffer);
    world.client.udp_close(socket).unwrap();
    let got = got.ok()?;
    assert_eq!(got.copied, 48);
    Some(NtpRepr::parse(&NtpView::new(&buffer).unwrap()))
}

fn request(version: u8, mode: NtpMode) -> [u8; 48] {
    let repr = NtpRepr {
        version,
        mode,
        poll: 4,
        ..NtpRepr::request(NtpTimestamp(0x1234_5678_9abc_def0))
    };
    let mut message = [0; 48];
    repr.emit(&mut message).unwrap();
    message
}

#[test]
fn the_server_answers_clients_of_every_version() {
    let mut world = World::new();
    world.clock.reference_time = Some(TODAY - Duration::from_secs(1000));
    world.clock.root_delay = 3_000_000;
    for version in 1..=4 {
        let reply = ask(&mut world, &request(version, NtpMode::Client)).unwrap();
        assert_eq!((reply.version, reply.mode), (version, NtpMode::Server));
        assert_eq!(reply.origin, NtpTimestamp(0x1234_5678_9abc_def0));
        let time = NtpTimestamp::from_unix(world.time(TODAY));
        assert_eq!((reply.receive, reply.transmit), (time, time));
        assert_eq!((reply.stratum, reply.poll, reply.precision), (1, 4, -20));
        assert_eq!(reply.reference_id, ReferenceId(*b"GPS\0"));
        assert_eq!(reply.root_delay.as_nanos().div_ceil(20_000), 151);
        // 1001 s after it was set it may be off by 15 ms.
        assert_eq!(reply.root_dispersion.as_nanos() / 1_000_000, 15);
    }
    // With what others put behind the header.
    let long = [&request(4, NtpMode::Client)[..], &[0xff; 500]].concat();
    assert!(ask(&mut world, &long).is_some());
}

#[test]
fn the_server_answers_nothing_else() {
    let mut world = World::new();
    for mode in [0, 1, 2, 4, 5, 6, 7] {
        let mut message = request(4, NtpMode::Client);
        message[0] = message[0] & !7 | mode;
        assert_eq!(ask(&mut world, &message), None);
    }
    for version in [0, 5, 6, 7] {
        let mut message = request(4, NtpMode::Client);
        message[0] = version << 3 | 3;
        assert_eq!(ask(&mut world, &message), None);
    }
    for len in 0..48 {
        assert_eq!(ask(&mut world, &request(4, NtpMode::Client)[..len]), None);
    }
    assert_eq!(world.ntpd.counters().invalid, 7 + 4 + 48);
    assert_eq!(world.ntpd.counters().answered, 0);
}

#[test]
fn a_clock_that_is_not_set_says_so() {
    for (stratum, leap) in [
        (0, LeapIndicator::None),
        (16, LeapIndicator::None),
        (1, LeapIndicator::Unsynchronized),
    ] {
        let mut world = World::new();
        world.clock.stratum = stratum;
        world.clock.leap = leap;
        let reply = ask(&mut world, &request(4, NtpMode::Client)).unwrap();
        assert_eq!(
            (reply.stratum, reply.leap),
            (0, LeapIndicator::Unsynchronized)
        );
        world.run(4);
        assert!(world.ntp.estimate(world.now).is_none());
    }
}

#[test]
fn who_asks_too_often_is_kissed_once_and_then_ignored() {
    let mut world = World::new();
    let mut kisses = 0;
    for number in 0..40 {
        let reply = ask(&mut world, &request(4, NtpMode::Client));
        match reply {
            Some(reply) if reply.kiss() == Some(ReferenceId::RATE) => {
                assert_eq!(number, 16);
                // Nothing can be learned from it.
                assert_eq!(
                    (reply.receive, reply.transmit),
                    (reply.origin, reply.origin)
                );
                kisses += 1;
            }
            Some(_) => assert!(number < 16),
            None => assert!(number > 16),
        }
    }
    let counters = *world.ntpd.counters();
    assert_eq!(
        (counters.answered, counters.kissed, counters.limited),
        (16, 1, 23)
    );
    assert_eq!(kisses, 1);
    // A second later there is another.
    world.now = world.now.plus_micros(1_000_000);
    world.server.advance(world.now);
    let reply = ask(&mut world, &request(4, NtpMode::Client)).unwrap();
    assert_eq!(reply.kiss(), None);
}

//= https://www.rfc-editor.org/rfc/rfc5905#section-10
//= type=test
//# If the first tuple epoch t_0 is not
//# later than the last valid sample epoch tp, the routine exits without
//# affecting the current peer variables.
#[test]
fn the_filter_is_that_of_rfc_5905() {
    let sample = |offset, delay, at| Sample {
        offset,
        delay,
        dispersion: 1000,
        at: Instant::from_secs(at),
    };
    let mut filter = ClockFilter::new();
    let first = filter.add(sample(10, 500, 1)).unwrap();
    assert_eq!((first.best.offset, first.jitter), (10, 0));
    // Seven places are empty: 16 s/4 + 16 s/8 + ... + half of the first's own.
    let empty: u64 = (2..=8).map(|place| 16_000_000_000 >> place).sum();
    assert_eq!(first.dispersion, 500 + empty);
    // A worse one is not believed, and changes nothing by itself.
    assert_eq!(filter.add(sample(50, 600, 2)), None);
    assert_eq!(
        filter.filtered(Instant::from_secs(2)).unwrap().best.offset,
        10
    );
    // A better one is.
    let third = filter.add(sample(20, 400, 3)).unwrap();
    assert_eq!(third.best.offset, 20);
    // sqrt((10^2 + 30^2) / 2)
    assert_eq!(third.jitter, 22);
    // After eight more the old ones are gone.
    for at in 4..12 {
        let _ = filter.add(sample(1000, 900, at));
    }
    let last = filter.filtered(Instant::from_secs(11)).unwrap();
    assert_eq!(
        (last.best.offset, last.jitter, filter.samples().count()),
        (1000, 0, 8)
    );
    assert_eq!(last.best.at, Instant::from_secs(11));
    // 15 parts in a million: 1.3 s a day.
    let tomorrow = filter.filtered(Instant::from_secs(11 + 86_400)).unwrap();
    assert_eq!((tomorrow.dispersion - last.dispersion) / 10_000_000, 129);
}

proptest::proptest! {
    /// Whatever a server says, nothing breaks, and what is believed is within its error of it.
    #[test]
    fn any_reply_is_taken_or_dropped(octets in proptest::collection::vec(0_u8.., 0..90), keep in 0_u8..64) {
        let mut world = World::new();
        world.change = Box::new(move |_, replies| {
            let mut reply = octets.clone();
            for (place, right) in reply.iter_mut().zip(&replies[0]).take(usize::from(keep)) {
                *place = *right;
            }
            replies[0] = reply;
        });
        world.run(4);
        if let Some(estimate) = world.ntp.estimate(world.now) {
            let _ = (estimate.error(), estimate.root_distance());
            let _ = estimate.corrected(TODAY);
        }
    }
}
