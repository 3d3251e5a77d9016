//! Attack class 12: two stacks of our own with both windows closed must not keep each other busy.

mod common;

use common::{PROFILES, Profile};
use netloom_sim::{Error, Link, Sim, TcpListener, TcpStream, join, ms, secs, sleep};
use std::net::SocketAddr;

const BYTES: usize = 3 << 20;
const SILENCE: u64 = 600;

async fn end(stream: TcpStream) -> Result<(), Error> {
    // Nobody reads for ten minutes: both windows close with data waiting behind them.
    let writes = async {
        stream.write_all(&vec![0x5a; BYTES]).await?;
        stream.finish()
    };
    let reads = async {
        sleep(secs(SILENCE)).await;
        stream.read_to_end().await
    };
    let (written, read) = join(writes, reads).await;
    written?;
    assert_eq!(read?.len(), BYTES);
    stream.closed().await.map(drop)
}

fn packets_while_both_windows_are_closed(profile: Profile) -> u64 {
    let mut world = Sim::with_seed(12);
    world.failure_file(Some(common::failure_file("zero-windows.pcapng")));
    world.capture(netloom_sim::Capture::Off);
    let (a, b) = world.link_with(profile.setup(), profile.setup(), Link::new().delay(ms(10)));
    let at = SocketAddr::new(world.ipv4(a), 80);
    world.spawn(a, async move {
        end(TcpListener::bind(80)?.accept().await?.0).await
    });
    world.spawn(b, async move { end(TcpStream::connect(at).await?).await });
    // The buffers are full by then.
    world.run_for(secs(10)).unwrap();
    let link = world.link_between(a, b);
    let count = |world: &Sim| {
        let (forward, backward) = world.link_stats(link);
        forward.offered + backward.offered
    };
    let before = count(&world);
    world.run_for(secs(SILENCE - 20)).unwrap();
    let packets = count(&world) - before;
    // And it was a real standstill: everything arrives once somebody reads.
    world.run_until_idle().unwrap();
    packets
}

/// Each side probes with a timeout that doubles up to a minute or two, and each probe has one
/// answer; neighbours are confirmed now and then. That is a few dozen packets in ten minutes; a
/// storm is millions.
#[test]
fn class_12_both_windows_closed_is_quiet() {
    for profile in PROFILES {
        let packets = packets_while_both_windows_are_closed(profile);
        assert!(
            (4..=120).contains(&packets),
            "{profile:?}: {packets} packets"
        );
    }
}
