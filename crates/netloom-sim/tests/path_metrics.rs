//! What a connection learns of its path, the next one to the same host begins with (RFC 9040).

use std::net::SocketAddr;

use netloom_sim::{
    Capture, Direction, HostId, HostSetup, Link, Sim, TcpListener, TcpStream, ms, secs, sleep,
};
use netloom_stack::TcpInfo;

fn serve(world: &mut Sim, server: HostId) {
    world.spawn_background(server, async move {
        let listener = TcpListener::bind(80).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            stream.read_to_end().await.unwrap();
        }
    });
}

/// Connects so many times, one after another, sends something, and tells what was known of each
/// connection when it was open and when it had sent.
fn connections(
    world: &mut Sim,
    client: HostId,
    server: HostId,
    number: usize,
) -> Vec<[TcpInfo; 2]> {
    serve(world, server);
    let at = SocketAddr::new(world.ipv4(server), 80);
    let task = world.spawn(client, async move {
        let mut told = Vec::new();
        for _ in 0..number {
            let stream = TcpStream::connect(at).await?;
            let open = stream.info()?;
            stream.write_all(&[1; 100_000]).await?;
            while stream.info()?.unacked + stream.info()?.unsent > 0 {
                sleep(ms(1)).await;
            }
            told.push([open, stream.info()?]);
            stream.finish()?;
            stream.closed().await?;
        }
        Ok::<_, netloom_sim::Error>(told)
    });
    world.time_limit(secs(600));
    world.run_until_idle().unwrap();
    task.take().unwrap().unwrap()
}

fn host(tunables: &'static [(&'static str, &'static str)]) -> HostSetup {
    HostSetup::heap().tune(|set| {
        for (name, value) in tunables {
            set.set_named(name, value).unwrap();
        }
    })
}

fn world(tunables: &'static [(&'static str, &'static str)]) -> (Sim, HostId, HostId) {
    let mut world = Sim::with_seed(5);
    world.capture(Capture::Off);
    let link = Link::new().ip().delay(ms(40));
    let (client, server) = world.link_with(host(tunables), host(&[]), link);
    (world, client, server)
}

#[test]
fn round_trip_times_are_known_from_the_connection_before() {
    let (mut world, client, server) = world(&[]);
    let told = connections(&mut world, client, server, 2);
    // 80 ms alone: half of it is the variation.
    assert!(
        (39_000..=42_000).contains(&told[0][0].rttvar),
        "{:?}",
        told[0][0]
    );
    // The next one knows that it is less.
    assert!(told[1][0].rttvar < 25_000, "{:?}", told[1][0]);
    assert!((79_000..=85_000).contains(&told[1][0].srtt));
}

#[test]
fn nothing_is_kept_if_a_program_says_so() {
    let (mut world, client, server) = world(&[("tcp_no_metrics_save", "1")]);
    let told = connections(&mut world, client, server, 2);
    assert_eq!(told[1][0].rttvar, told[0][0].rttvar);
}

#[test]
fn a_threshold_is_kept_only_if_a_program_says_so() {
    for (tunables, kept) in [
        (&[] as &[_], false),
        (&[("tcp_no_ssthresh_metrics_save", "0")], true),
    ] {
        let (mut world, client, server) = world(tunables);
        let link = world.link_between(client, server);
        // A packet of the first connection is lost.
        world.lose_if(link, Direction::Outbound, |number, _| number == 20);
        let told = connections(&mut world, client, server, 2);
        let found = told[0][1].ssthresh;
        assert!(found < u32::MAX);
        let begun_with = told[1][0].ssthresh;
        assert_eq!(begun_with, if kept { found } else { u32::MAX });
    }
}

#[test]
fn ecn_is_not_asked_for_again_where_such_syns_are_lost() {
    let (mut world, client, server) = world(&[("tcp_ecn", "1")]);
    let link = world.link_between(client, server);
    let asked = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = asked.clone();
    world.lose_if(link, Direction::Outbound, move |_, packet| {
        // SYN with ECE and CWR, after an IPv4 header of 20 bytes.
        let asks = packet[33] & 0xd2 == 0xc2;
        count.set(count.get() + u32::from(asks));
        asks
    });
    let told = connections(&mut world, client, server, 3);
    assert_eq!(told.len(), 3);
    assert_eq!(asked.get(), 1, "SYNs that asked for it");
}
