//! Buffers grow to what the path needs, and no further.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use netloom_sim::{
    Capture, HostSetup, Link, Sim, TcpListener, TcpStream, mbit, ms, secs, sleep, spawn,
};
use netloom_stack::Limits;

/// What is written at a time.
const PIECE: usize = 64 << 10;

/// How far a transfer has come.
#[derive(Clone, Default)]
struct Progress {
    /// Octets the receiver has read.
    read: Rc<Cell<u64>>,
    /// What the receiver's window may promise.
    window: Rc<Cell<u32>>,
}

/// A transfer without end from `client` to `server`.
fn transfer(
    world: &mut Sim,
    client: netloom_sim::HostId,
    server: netloom_sim::HostId,
    port: u16,
) -> Progress {
    let progress = Progress::default();
    let to = SocketAddr::new(world.ipv4(server), port);
    let told = progress.clone();
    world.spawn_background(server, async move {
        let listener = TcpListener::bind(port).unwrap();
        let stream = listener.accept().await.unwrap().0;
        let mut buffer = vec![0; PIECE];
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            told.read.set(told.read.get() + n as u64);
            told.window.set(stream.settings().unwrap().receive_buffer);
        }
    });
    world.spawn_background(client, async move {
        let stream = TcpStream::connect(to).await.unwrap();
        let text = vec![0x5a; PIECE];
        while stream.write_all(&text).await.is_ok() {}
    });
    progress
}

/// A link of `rate` Mbit/s over which a round trip takes `rtt` milliseconds, with a queue of as
/// much as it holds.
fn link(rate: u64, rtt: u64) -> Link {
    let holds = rate * 1_000_000 / 8 * rtt / 1_000;
    Link::new().ip().delay(ms(rtt / 2)).forward(|forward| {
        forward
            .rate(mbit(rate))
            .queue(1 << 20)
            .queue_bytes(holds as usize)
    })
}

#[test]
fn a_gigabit_over_66_ms_is_filled_as_stacks_are() {
    let mut world = Sim::with_seed(1);
    world.capture(Capture::Off);
    let (client, server) = world.link_with(HostSetup::heap(), HostSetup::heap(), link(1_000, 66));
    let progress = transfer(&mut world, client, server, 80);
    world.run_for(secs(3)).unwrap();
    let before = progress.read.get();
    world.run_for(secs(1)).unwrap();
    let rate = (progress.read.get() - before) as f64 * 8.0 / 1e6;
    // 1448 octets of a packet of 1500 are text.
    assert!(
        rate > 940.0,
        "{rate} Mbit/s, window {}",
        progress.window.get()
    );
    // The link holds 8.25 MB.
    assert!(
        progress.window.get() > 8_250_000,
        "{}",
        progress.window.get()
    );
}

#[test]
fn a_slow_path_leaves_buffers_as_they_were() {
    let mut world = Sim::with_seed(2);
    world.capture(Capture::Off);
    let (client, server) = world.link_with(HostSetup::heap(), HostSetup::heap(), link(2, 40));
    let progress = transfer(&mut world, client, server, 80);
    world.run_for(secs(20)).unwrap();
    assert!(progress.read.get() > 4_000_000);
    let begun_with = netloom_stack::Tunables::default().tcp_rmem;
    assert_eq!(progress.window.get(), begun_with);
    // What is read at once takes next to no memory.
    let used = world.stack(server).usage().buffers;
    assert!(used <= 64 << 10, "{used} bytes");
}

#[test]
fn what_a_program_has_set_stays() {
    let mut world = Sim::with_seed(3);
    world.capture(Capture::Off);
    let (client, server) = world.link_with(HostSetup::heap(), HostSetup::heap(), link(1_000, 66));
    let to = SocketAddr::new(world.ipv4(server), 80);
    let read = Rc::new(Cell::new(0u64));
    let count = read.clone();
    world.spawn_background(server, async move {
        let listener = TcpListener::bind(80).unwrap();
        let stream = listener.accept().await.unwrap().0;
        stream.set_receive_buffer(1 << 20).unwrap();
        let mut buffer = vec![0; PIECE];
        while let Ok(n @ 1..) = stream.read(&mut buffer).await {
            count.set(count.get() + n as u64);
            assert_eq!(stream.settings().unwrap().receive_buffer, 1 << 20);
        }
    });
    world.spawn_background(client, async move {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_send_buffer(1 << 19).unwrap();
        let text = vec![0x5a; PIECE];
        while stream.write_all(&text).await.is_ok() {
            assert_eq!(stream.settings().unwrap().send_buffer, 1 << 19);
        }
    });
    world.run_for(secs(3)).unwrap();
    // Half a MiB a round trip is the most there can be.
    assert!(
        (10_000_000..=25_000_000).contains(&read.get()),
        "{}",
        read.get()
    );
}

#[test]
fn when_memory_is_short_nothing_grows_and_what_has_grown_shrinks() {
    let mut world = Sim::with_seed(4);
    world.capture(Capture::Off);
    let limits = Limits {
        buffers: 8 << 20,
        ..Limits::default()
    };
    let (client, server) = world.link_with(
        HostSetup::heap(),
        HostSetup::heap_with(limits),
        link(200, 66),
    );
    let progress = transfer(&mut world, client, server, 80);
    world.run_for(secs(4)).unwrap();
    let grown = progress.window.get();
    assert!(grown > 2 << 20, "{grown}");

    // Another program does not read: its ring takes more than half of what there is.
    let to = SocketAddr::new(world.ipv4(server), 81);
    world.spawn_background(server, async move {
        let listener = TcpListener::bind(81).unwrap();
        let stream = listener.accept().await.unwrap().0;
        stream.set_receive_buffer(5 << 20).unwrap();
        sleep(secs(1_000)).await;
        drop(stream);
    });
    world.spawn_background(client, async move {
        let stream = TcpStream::connect(to).await.unwrap();
        spawn(async move { while stream.write_all(&[1; PIECE]).await.is_ok() {} });
    });
    world.run_for(secs(20)).unwrap();
    let used = world.stack(server).usage().buffers;
    assert!(used > 4 << 20, "{used} bytes");
    let begun_with = netloom_stack::Tunables::default().tcp_rmem;
    assert!(
        progress.window.get() <= begun_with,
        "{} of {grown}",
        progress.window.get()
    );
    let before = progress.read.get();
    world.run_for(secs(1)).unwrap();
    assert!(progress.read.get() > before + 1_000_000);
}
