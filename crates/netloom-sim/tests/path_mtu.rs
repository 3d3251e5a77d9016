//! Paths that carry less than their first link, and do not say so.

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use netloom_sim::{
    Capture, Direction, HostId, HostSetup, Link, Sim, TcpListener, TcpStream, ms, secs, sleep,
};
use netloom_stack::TcpInfo;

/// Bytes of an IP packet that arrives.
const CARRIES: usize = 1400;

fn host(probing: &'static str) -> HostSetup {
    HostSetup::heap().tune(|tunables| tunables.set_named("tcp_mtu_probing", probing).unwrap())
}

/// A world of two hosts over a path of 1500 bytes that swallows packets of more than `carries`.
fn world(probing: &'static str, carries: &Rc<Cell<usize>>) -> (Sim, HostId, HostId) {
    let mut world = Sim::with_seed(1);
    world.capture(Capture::Off);
    let link = Link::new().ip().delay(ms(10));
    let (client, server) = world.link_with(host(probing), host(probing), link);
    let link = world.link_between(client, server);
    for direction in [Direction::Outbound, Direction::Inbound] {
        let carries = carries.clone();
        world.lose_if(link, direction, move |_, packet| {
            packet.len() > carries.get()
        });
    }
    (world, client, server)
}

/// Sends so many octets to a server that counts them; returns what was known of the connection
/// at the end.
async fn send(stream: &TcpStream, octets: usize) -> TcpInfo {
    stream.write_all(&vec![0x5a; octets]).await.unwrap();
    while stream.info().unwrap().unacked > 0 || stream.info().unwrap().unsent > 0 {
        sleep(ms(10)).await;
    }
    stream.info().unwrap()
}

fn serve(world: &mut Sim, server: HostId) -> Rc<Cell<usize>> {
    let read = Rc::new(Cell::new(0));
    let count = read.clone();
    world.spawn_background(server, async move {
        let stream = TcpListener::bind(80).unwrap().accept().await.unwrap().0;
        let mut buffer = vec![0; 65_536];
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            assert!(buffer[..n].iter().all(|octet| *octet == 0x5a));
            count.set(count.get() + n);
        }
    });
    read
}

/// A transfer of 2 MB over a path that carries less than it should; returns what was known of it
/// at the end.
fn transfer(probing: &'static str, v6: bool) -> TcpInfo {
    const OCTETS: usize = 2_000_000;
    let carries = Rc::new(Cell::new(CARRIES));
    let (mut world, client, server) = world(probing, &carries);
    let read = serve(&mut world, server);
    let at: IpAddr = if v6 {
        world.ipv6(server)
    } else {
        world.ipv4(server)
    };
    let task = world.spawn(client, async move {
        let stream = TcpStream::connect(SocketAddr::new(at, 80)).await?;
        Ok::<_, netloom_sim::Error>(send(&stream, OCTETS).await)
    });
    world.time_limit(secs(200));
    world.run_until_idle().unwrap();
    assert_eq!(read.get(), OCTETS);
    task.take().unwrap().unwrap()
}

/// What a segment with timestamps may carry, less the threshold at which a search ends.
fn found(v6: bool) -> std::ops::RangeInclusive<u16> {
    let most = CARRIES as u16 - if v6 { 72 } else { 52 };
    most - 8..=most
}

#[test]
fn a_black_hole_is_found_by_timeouts() {
    for v6 in [false, true] {
        let info = transfer("1", v6);
        assert!(found(v6).contains(&info.snd_mss), "{v6}: {info:?}");
    }
}

#[test]
fn a_search_from_the_beginning_costs_no_timeout_and_no_window() {
    for v6 in [false, true] {
        let info = transfer("2", v6);
        assert!(found(v6).contains(&info.snd_mss), "{v6}: {info:?}");
        assert_eq!(info.ssthresh, u32::MAX, "{v6}: {info:?}");
        // Three probes of each of a few sizes, in two pieces each.
        assert!(info.total_retransmissions < 60, "{v6}: {info:?}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc8899#section-3
//= type=test
//# Such methods MUST be robust to the wide variety of underlying
//# network forwarding behaviors.
#[test]
fn the_next_connection_knows_what_the_one_before_has_found() {
    let carries = Rc::new(Cell::new(CARRIES));
    let (mut world, client, server) = world("1", &carries);
    world.spawn_background(server, async move {
        let listener = TcpListener::bind(80).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            stream.read_to_end().await.unwrap();
        }
    });
    let at = SocketAddr::new(world.ipv4(server), 80);
    let task = world.spawn(client, async move {
        let mut told = Vec::new();
        // The third goes another way, which carries less than was found.
        for carried in [CARRIES, CARRIES, CARRIES - 100, CARRIES - 100] {
            carries.set(carried);
            let stream = TcpStream::connect(at).await?;
            told.push(send(&stream, 2_000_000).await);
            stream.finish()?;
            stream.closed().await?;
        }
        Ok::<_, netloom_sim::Error>(told)
    });
    world.time_limit(secs(120));
    world.run_until_idle().unwrap();
    let told = task.take().unwrap().unwrap();
    for pair in told.chunks(2) {
        assert!(pair[0].total_retransmissions > 0, "{:?}", pair[0]);
        assert_eq!(pair[1].total_retransmissions, 0, "{:?}", pair[1]);
        assert_eq!(pair[1].snd_mss, pair[0].snd_mss);
    }
    assert!(found(false).contains(&told[0].snd_mss), "{:?}", told[0]);
    assert!(told[2].snd_mss <= told[0].snd_mss - 100, "{:?}", told[2]);
}

#[test]
fn after_ten_minutes_more_is_tried() {
    let carries = Rc::new(Cell::new(CARRIES));
    let (mut world, client, server) = world("2", &carries);
    let read = serve(&mut world, server);
    let at = SocketAddr::new(world.ipv4(server), 80);
    let task = world.spawn(client, async move {
        let stream = TcpStream::connect(at).await?;
        // Many windows: a probe is sent in one at most.
        for _ in 0..60 {
            send(&stream, 50_000).await;
        }
        let before = stream.info()?;
        // The path is repaired; nobody says so.
        carries.set(1500);
        sleep(secs(300)).await;
        let meanwhile = send(&stream, 1_000_000).await;
        sleep(secs(301)).await;
        let after = send(&stream, 1_000_000).await;
        Ok::<_, netloom_sim::Error>([before, meanwhile, after].map(|info| info.snd_mss))
    });
    world.time_limit(secs(1_000));
    world.run_until_idle().unwrap();
    assert_eq!(read.get(), 5_000_000);
    let [before, meanwhile, after] = task.take().unwrap().unwrap();
    assert!(found(false).contains(&before), "{before}");
    assert_eq!(meanwhile, before);
    assert_eq!(after, 1448);
}
