//! The same seed gives the same bytes at the same times; another seed gives others.

mod common;

use std::hash::{DefaultHasher, Hash, Hasher};

use common::Scenario;

fn hash_of_capture(seed: u64) -> u64 {
    let world = Scenario::from_seed(seed).check();
    let capture = world.pcapng();
    assert!(capture.len() > 300);
    let mut hasher = DefaultHasher::new();
    (capture, world.now()).hash(&mut hasher);
    hasher.finish()
}

#[test]
fn the_same_seed_gives_the_same_capture() {
    for seed in 0..20 {
        assert_eq!(hash_of_capture(seed), hash_of_capture(seed), "seed {seed}");
    }
}

#[test]
fn another_seed_gives_another_capture() {
    assert_ne!(hash_of_capture(1), hash_of_capture(2));
}

/// Impairments of one direction leave the fates of the other alone, and so does looking on.
#[test]
fn observing_changes_nothing() {
    use netloom_sim::{Capture, Link, Sim, TcpListener, TcpStream, ms};
    use std::net::SocketAddr;
    let run = |observe: bool| {
        let mut world = Sim::with_seed(3);
        let (a, b) = world.link(Link::new().delay(ms(5)).loss(0.05));
        if observe {
            world.observe(|seen| Some(seen.to_string()));
            world.capture(Capture::Host(b));
        }
        let at = SocketAddr::new(world.ipv6(a), 80);
        world.spawn(a, async {
            let (stream, _) = TcpListener::bind(80)?.accept().await?;
            stream.read_to_end().await
        });
        world.spawn(b, async move {
            let stream = TcpStream::connect(at).await?;
            stream.write_all(&[7; 50_000]).await
        });
        world.run_until_idle().unwrap();
        (world.now(), world.link_stats(world.link_between(a, b)))
    };
    assert_eq!(run(false), run(true));
}
