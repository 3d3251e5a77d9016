//! A transfer both ways between two hosts, checked byte by byte, in every shape.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use netloom_driver::impair::Dice;
use netloom_sim::{
    CloseReason, Error, Failure, HostId, HostSetup, Link, LinkId, Medium, Sim, TcpListener,
    TcpStream, join, kbit, mbit, ms, sleep, spawn, us,
};

/// Which memory a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Heap,
    /// Buffers of 8 KiB.
    Lent,
    /// Buffers of 2 KiB.
    Small,
}

pub const PROFILES: [Profile; 3] = [Profile::Heap, Profile::Lent, Profile::Small];

impl Profile {
    pub fn setup(self) -> HostSetup {
        let setup = match self {
            Profile::Heap => HostSetup::heap(),
            Profile::Lent => HostSetup::lent::<4, 1, 0, 8192, 8192>(),
            Profile::Small => HostSetup::lent::<4, 1, 0, 2048, 2048>(),
        };
        // A link that loses much may lose every solicitation: three are too few to tell a bad
        // link from an absent neighbour.
        setup.tune(|tunables| tunables.neigh_mcast_solicit = 20)
    }
}

/// What one end does.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    pub profile: Profile,
    /// Bytes it sends.
    pub bytes: usize,
    /// Bytes it reads at once at most.
    pub read: usize,
    /// How long it waits before it reads at all.
    pub slow_start: Duration,
    /// How long it waits after every read.
    pub pause: Duration,
}

impl Side {
    pub fn new(profile: Profile, bytes: usize) -> Side {
        Side {
            profile,
            bytes,
            read: 4096,
            slow_start: Duration::ZERO,
            pause: Duration::ZERO,
        }
    }
}

/// A client and a server on a link.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub seed: u64,
    pub link: Link,
    pub v6: bool,
    pub client: Side,
    pub server: Side,
    /// How many connections there are at once.
    pub connections: usize,
    /// How far before the wrap both ISNs lie, if they are to lie there; for one connection.
    pub isn_before_wrap: Option<u32>,
}

/// What a transfer came to.
pub struct Finished {
    pub world: Sim,
    /// How every connection ended, at both ends.
    pub reasons: Vec<CloseReason>,
}

/// The bytes a side sends: endless, the same for the same seed.
pub struct Stream {
    dice: Dice,
    word: [u8; 8],
    at: usize,
}

impl Stream {
    pub fn new(seed: u64) -> Stream {
        Stream {
            dice: Dice::new(seed),
            word: [0; 8],
            at: 8,
        }
    }

    pub fn next_byte(&mut self) -> u8 {
        if self.at == 8 {
            self.word = self.dice.next_u64().to_le_bytes();
            self.at = 0;
        }
        self.at += 1;
        self.word[self.at - 1]
    }

    pub fn take(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next_byte()).collect()
    }
}

/// Where tests leave captures.
pub fn failure_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

async fn send(stream: &TcpStream, seed: u64, bytes: usize) -> Result<(), Error> {
    let (mut source, mut dice) = (Stream::new(seed), Dice::new(!seed));
    let mut left = bytes;
    while left > 0 {
        let n = left.min(1 + dice.below(20_000) as usize);
        stream.write_all(&source.take(n)).await?;
        left -= n;
    }
    stream.finish()
}

async fn receive(stream: &TcpStream, seed: u64, bytes: usize, side: Side) -> Result<(), Error> {
    let mut expected = Stream::new(seed);
    let mut buffer = vec![0; side.read];
    let mut got = 0;
    sleep(side.slow_start).await;
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            break;
        }
        for (i, byte) in buffer[..n].iter().enumerate() {
            assert_eq!(*byte, expected.next_byte(), "byte {} is wrong", got + i);
        }
        got += n;
        if side.pause > Duration::ZERO {
            sleep(side.pause).await;
        }
    }
    assert_eq!(got, bytes, "the stream ended elsewhere");
    Ok(())
}

impl Scenario {
    pub fn new(seed: u64, link: Link) -> Scenario {
        Scenario {
            seed,
            link,
            v6: false,
            client: Side::new(Profile::Heap, 100_000),
            server: Side::new(Profile::Heap, 50_000),
            connections: 1,
            isn_before_wrap: None,
        }
    }

    /// A scenario that mixes everything, drawn from a seed.
    pub fn from_seed(seed: u64) -> Scenario {
        let mut dice = Dice::new(seed);
        let mut link = Link::new().medium(if dice.chance(500_000) {
            Medium::Ethernet
        } else {
            Medium::Ip
        });
        let v6 = dice.chance(500_000);
        link = link.mtu(1280 + dice.below(221) as u16);
        link = link.forward(|path| impair(path, &mut dice));
        link = link.backward(|path| impair(path, &mut dice));
        let (client, server) = (side(&mut dice), side(&mut dice));
        let connections = 1 + dice.below(8).saturating_sub(4) as usize;
        let wrap = connections == 1 && dice.chance(300_000);
        Scenario {
            seed,
            link,
            v6,
            client,
            server,
            connections,
            isn_before_wrap: wrap.then(|| dice.below(100_000)),
        }
    }

    fn world(&self, clocks_ahead: [Duration; 2]) -> (Sim, HostId, HostId) {
        let mut world = Sim::with_seed(self.seed);
        let [a, b] = clocks_ahead;
        let server = self.server.profile.setup();
        let (client, server) = world.link_with(
            self.client.profile.setup().clock_ahead(a),
            server.clock_ahead(b),
            self.link.clone(),
        );
        world.failure_file(Some(failure_file(&format!("seed-{}.pcapng", self.seed))));
        (world, client, server)
    }

    /// The link between the two hosts.
    pub fn link(&self, world: &Sim) -> LinkId {
        let [client, server] = [0, 1].map(|n| world.hosts()[n]);
        world.link_between(client, server)
    }

    fn server_addr(&self, world: &Sim, server: HostId) -> SocketAddr {
        let ip = if self.v6 {
            world.ipv6(server)
        } else {
            world.ipv4(server)
        };
        SocketAddr::new(ip, 80)
    }

    /// How far the hosts' clocks must be ahead to have the ISNs `before` the wrap. An ISN is a
    /// 4 µs clock and a secret of the addresses (RFC 6528), and nothing else that is sent or done
    /// before it depends on the clock: a world in which only the handshake happens tells the
    /// secret.
    fn clocks(&self, before: u32) -> Result<[Duration; 2], Failure> {
        let (mut world, client, server) = self.world([Duration::ZERO; 2]);
        let at = self.server_addr(&world, server);
        let isn = |stream: &TcpStream| Ok::<_, Error>(stream.info()?.snd_nxt.minus(1).0);
        let server_isn = world.spawn(server, async move {
            let (stream, _) = TcpListener::bind(80)?.accept().await?;
            isn(&stream)
        });
        let client_isn = world.spawn(client, async move {
            let stream = TcpStream::connect(at).await?;
            let isn = isn(&stream)?;
            // The server has the connection once it hears an acknowledgment, which may be lost:
            // closing says it again until it is heard.
            stream.close();
            Ok::<_, Error>(isn)
        });
        world.run_programs()?;
        let ahead = |isn: Option<Result<u32, Error>>| {
            let isn = isn
                .and_then(Result::ok)
                .expect("the handshake was complete");
            let ticks = 0_u32.wrapping_sub(before).wrapping_sub(isn);
            us(u64::from(ticks) * 4)
        };
        Ok([ahead(client_isn.take()), ahead(server_isn.take())])
    }

    /// Both streams of a connection from the view of one end, to the end of everything. What is
    /// sent is told by the client's port, which both ends know.
    async fn end(
        self: Rc<Self>,
        stream: TcpStream,
        client: bool,
        reasons: Rc<RefCell<Vec<CloseReason>>>,
    ) -> Result<(), Error> {
        let isn = stream.info()?.snd_nxt.minus(1).0;
        if let Some(before) = self.isn_before_wrap {
            assert_eq!(isn, 0_u32.wrapping_sub(before), "the ISN is elsewhere");
        }
        let (here, there, port) = if client {
            (self.client, self.server, stream.local_addr()?.port())
        } else {
            (self.server, self.client, stream.peer_addr()?.port())
        };
        let contents = self.seed << 17 | u64::from(port) << 1;
        let (up, down) = (contents, contents | 1);
        let (mine, theirs) = if client { (up, down) } else { (down, up) };
        let (sent, got) = join(
            send(&stream, mine, here.bytes),
            receive(&stream, theirs, there.bytes, here),
        )
        .await;
        sent.and(got)?;
        let reason = stream.closed().await?;
        reasons.borrow_mut().push(reason);
        Ok(())
    }

    /// Runs the transfer to the end of everything, TIME-WAIT included.
    pub fn run(&self) -> Result<Finished, Failure> {
        let clocks = match self.isn_before_wrap {
            Some(before) => self.clocks(before)?,
            None => [Duration::ZERO; 2],
        };
        let (mut world, client, server) = self.world(clocks);
        let at = self.server_addr(&world, server);
        let reasons = Rc::new(RefCell::new(Vec::new()));
        let (scenario, ended) = (Rc::new(self.clone()), reasons.clone());
        world.spawn(server, async move {
            let listener = TcpListener::bind(80)?;
            let mut ends = Vec::new();
            for _ in 0..scenario.connections {
                let (stream, _) = listener.accept().await?;
                ends.push(spawn(scenario.clone().end(stream, false, ended.clone())));
            }
            for end in ends {
                end.await?;
            }
            Ok::<_, Error>(())
        });
        for _ in 0..self.connections {
            let (scenario, ended) = (Rc::new(self.clone()), reasons.clone());
            world.spawn(client, async move {
                let stream = TcpStream::connect(at).await?;
                scenario.end(stream, true, ended).await
            });
        }
        world.run_until_idle()?;
        let reasons = reasons.take();
        Ok(Finished { world, reasons })
    }

    /// [`run`](Scenario::run), and both ends must say that they closed in order.
    pub fn check(&self) -> Sim {
        let finished = match self.run() {
            Ok(finished) => finished,
            Err(failure) => panic!("{failure}\n{self:#?}"),
        };
        assert_eq!(
            finished.reasons,
            vec![CloseReason::Finished; 2 * self.connections],
            "seed {}: {self:#?}",
            self.seed
        );
        finished.world
    }
}

fn side(dice: &mut Dice) -> Side {
    let profile = PROFILES[dice.below(3) as usize];
    let bytes = match dice.below(10) {
        0 => 0,
        1 => 1,
        2 => 1 + dice.below(2_000) as usize,
        _ => 20_000 + dice.below(100_000) as usize,
    };
    let slow = dice.chance(200_000);
    Side {
        profile,
        bytes,
        read: 1 + dice.below(10_000) as usize,
        slow_start: if slow {
            ms(u64::from(dice.below(5_000)))
        } else {
            Duration::ZERO
        },
        pause: if dice.chance(100_000) {
            us(u64::from(dice.below(20_000)))
        } else {
            Duration::ZERO
        },
    }
}

/// Each impairment alone is there in about a third of all paths.
fn impair(path: netloom_sim::Path, dice: &mut Dice) -> netloom_sim::Path {
    let part = |dice: &mut Dice, max: u32| {
        if dice.chance(330_000) {
            f64::from(dice.below(max)) / 1e6
        } else {
            0.0
        }
    };
    let mut path = path
        .delay(us(u64::from(dice.below(100_000))))
        .loss(part(dice, 150_000))
        .duplicate(part(dice, 100_000))
        .corrupt(part(dice, 50_000))
        .reorder(part(dice, 200_000))
        .reorder_by(1 + dice.below(10) as u16, us(u64::from(dice.below(50_000))));
    if dice.chance(330_000) {
        path = path.jitter(us(u64::from(dice.below(50_000))));
    }
    if dice.chance(500_000) {
        let rate = if dice.chance(300_000) {
            kbit(100 + u64::from(dice.below(900)))
        } else {
            mbit(1 + u64::from(dice.below(100)))
        };
        path = path.rate(rate).queue(5 + dice.below(100) as usize);
        if dice.chance(300_000) {
            path = path.device_ring(1 + dice.below(8) as usize);
        }
    }
    if dice.chance(100_000) {
        let from = Sim::START + us(u64::from(dice.below(5_000_000)));
        path = path.outage(from, from + us(u64::from(dice.below(3_000_000))));
    }
    path
}
