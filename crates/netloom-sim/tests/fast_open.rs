//! TCP Fast Open (RFC 7413) between two stacks: cookies asked for, given, used, refused and changed,
//! and what happens where SYNs with data get lost.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use netloom_sim::{
    Capture, Direction, HostId, HostSetup, Link, Sim, TcpListener, TcpStream, ms, secs, sleep,
};
use netloom_stack::tcp::ListenOptions;

/// A round trip.
const RTT: Duration = ms(100);

struct World {
    sim: Sim,
    client: HostId,
    server: HostId,
    /// Every packet from client to server: flags, octets of text, octets of options.
    sent: Rc<RefCell<Vec<(u8, usize, usize)>>>,
}

fn host(fastopen: &'static str) -> HostSetup {
    HostSetup::heap().tune(|tunables| tunables.set_named("tcp_fastopen", fastopen).unwrap())
}

/// A client and a server that answers each request of one piece with as many octets.
fn world(client: &'static str, server: &'static str, pending: u16) -> World {
    let mut sim = Sim::with_seed(3);
    sim.capture(Capture::Off);
    let link = Link::new().ip().delay(RTT / 2);
    let (client, server) = sim.link_with(host(client), host(server), link);
    let sent = Rc::new(RefCell::new(Vec::new()));
    let seen = sent.clone();
    let link = sim.link_between(client, server);
    sim.lose_if(link, Direction::Outbound, move |_, packet| {
        let head = usize::from(packet[32] >> 4) * 4;
        let text = packet.len() - 20 - head;
        seen.borrow_mut().push((packet[33], text, head - 20));
        false
    });
    sim.spawn_background(server, async move {
        let options = ListenOptions {
            fast_open: pending,
            ..ListenOptions::default()
        };
        let listener = TcpListener::bind_with(80, options).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            netloom_sim::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                    stream.write_all(&buffer[..n]).await.unwrap();
                }
            });
        }
    });
    World {
        sim,
        client,
        server,
        sent,
    }
}

impl World {
    /// Requests of 1000 octets one after another, each on a connection of its own and a time after
    /// the one before; tells how long each answer took.
    fn requests(&mut self, number: usize, pause: Duration) -> Vec<Duration> {
        let at = SocketAddr::new(self.sim.ipv4(self.server), 80);
        let task = self.sim.spawn(self.client, async move {
            let mut times = Vec::new();
            for _ in 0..number {
                let begun = netloom_sim::now();
                let request: Vec<u8> = (0..1000).map(|i| i as u8).collect();
                let (stream, taken) = TcpStream::connect_with_data(at, &request)?;
                assert_eq!(taken, 1000);
                let mut answer = [0; 1000];
                stream.read_exact(&mut answer).await?;
                assert_eq!(answer.to_vec(), request);
                times.push(netloom_sim::now().saturating_duration_since(begun));
                stream.finish()?;
                drop(stream);
                sleep(pause).await;
            }
            Ok::<_, netloom_sim::Error>(times)
        });
        self.sim.time_limit(secs(100_000));
        self.sim.run_until_idle().unwrap();
        task.take().unwrap().unwrap()
    }

    /// SYNs without ACK: octets of text and of options.
    fn syns(&self) -> Vec<(usize, usize)> {
        let sent = self.sent.borrow();
        let syns = sent.iter().filter(|(flags, _, _)| flags & 0x12 == 0x02);
        syns.map(|(_, text, options)| (*text, *options)).collect()
    }
}

/// Octets of the options of an ordinary SYN; of one that asks for a cookie; of one that has one of
/// eight octets.
const PLAIN: usize = 20;
const ASKS: usize = 24;
const HAS: usize = 32;

#[test]
fn a_cookie_is_asked_for_given_and_used() {
    let mut world = world("1", "2", 8);
    let times = world.requests(3, secs(1));
    assert_eq!(world.syns(), [(0, ASKS), (1000, HAS), (1000, HAS)]);
    // Two round trips, then one.
    assert!(times[0] >= 2 * RTT, "{times:?}");
    for time in &times[1..] {
        assert!(*time < RTT + ms(10), "{times:?}");
    }
    assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 2);
}

#[test]
fn it_is_off_unless_both_sides_say_so() {
    for (client, server, pending, options) in [
        ("0", "2", 8, PLAIN),
        ("1", "0", 8, ASKS),
        ("1", "2", 0, ASKS),
        ("2", "1", 8, PLAIN),
    ] {
        let mut world = world(client, server, pending);
        let times = world.requests(2, secs(1));
        // One that asked in vain does not ask again soon.
        assert_eq!(world.syns(), [(0, options), (0, PLAIN)]);
        assert!(times.iter().all(|time| *time >= 2 * RTT));
        assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 0);
    }
}

#[test]
fn cookies_are_taken_for_an_hour_after_their_key_has_changed() {
    let mut world = world("1", "2", 8);
    // The third comes with a cookie of the key before, and gets a new one with it.
    let times = world.requests(4, secs(2_400));
    assert_eq!(world.syns()[0], (0, ASKS));
    assert_eq!(&world.syns()[1..], &[(1000, HAS); 3]);
    assert!(
        times[1..].iter().all(|time| *time < RTT + ms(10)),
        "{times:?}"
    );
    assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 3);
}

#[test]
fn a_cookie_that_is_too_old_is_exchanged_for_a_new_one() {
    let mut world = world("1", "2", 8);
    let times = world.requests(3, secs(10_000));
    // The data of the second SYN is not taken, and follows at once when that is known.
    assert_eq!(world.syns(), [(0, ASKS), (1000, HAS), (1000, HAS)]);
    assert!(
        times[1] >= 2 * RTT && times[1] < 2 * RTT + ms(10),
        "{times:?}"
    );
    assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 0);
}

#[test]
fn where_syns_with_data_are_lost_they_are_not_sent_again() {
    let mut world = world("1", "2", 8);
    let link = world.sim.link_between(world.client, world.server);
    let sent = world.sent.clone();
    world
        .sim
        .lose_if(link, Direction::Outbound, move |_, packet| {
            let head = usize::from(packet[32] >> 4) * 4;
            let text = packet.len() - 20 - head;
            sent.borrow_mut().push((packet[33], text, head - 20));
            packet[33] & 0x12 == 0x02 && text > 0
        });
    let times = world.requests(3, secs(1));
    // The second is repeated without data and option after a second; the third does not try.
    assert_eq!(
        world.syns(),
        [(0, ASKS), (1000, HAS), (0, PLAIN), (0, PLAIN)]
    );
    assert!(times[1] >= secs(1) + 2 * RTT, "{times:?}");
    assert!(times[2] < 2 * RTT + ms(10), "{times:?}");
}

#[test]
fn a_syn_ack_that_is_lost_is_repeated_and_data_comes_once() {
    let mut world = world("1", "2", 8);
    let link = world.sim.link_between(world.client, world.server);
    let lost = Rc::new(Cell::new(0));
    let count = lost.clone();
    world
        .sim
        .lose_if(link, Direction::Inbound, move |_, packet| {
            // The SYN-ACK of the second connection, once, and all that follows for half a second is
            // the answer, which nobody takes before.
            let syn_ack = packet[33] & 0x12 == 0x12;
            if syn_ack {
                count.set(count.get() + 1);
            }
            syn_ack && count.get() == 2
        });
    let times = world.requests(2, secs(1));
    assert!(lost.get() >= 3);
    assert!(times[1] < secs(3), "{times:?}");
    assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 1);
}

#[test]
fn more_than_a_listener_allows_are_ordinary_opens() {
    let mut world = world("1", "2", 1);
    // A first one for the cookie.
    world.requests(1, secs(1));
    let at = SocketAddr::new(world.sim.ipv4(world.server), 80);
    let task = world.sim.spawn(world.client, async move {
        let mut streams = Vec::new();
        for _ in 0..3 {
            streams.push(TcpStream::connect_with_data(at, &[7; 100])?.0);
        }
        for stream in &streams {
            let mut answer = [0; 100];
            stream.read_exact(&mut answer).await?;
        }
        Ok::<_, netloom_sim::Error>(())
    });
    world.sim.run_until_idle().unwrap();
    task.take().unwrap().unwrap();
    assert_eq!(world.sim.counters(world.server).tcp_fast_opens, 1);
}
