//! The world itself: counts, failures that say what happened, switches, devices, programs.

mod common;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use common::failure_file;
use netloom_sim::{
    Capture, Cause, CloseReason, Direction, Elapsed, Error, HostSetup, Link, Sim, TcpListener,
    TcpStream, UdpSocket, Verdict, mbit, ms, now, secs, set_link, sleep, spawn, timeout, us,
};
use netloom_stack::{DropReason, Layer};

fn world(seed: u64) -> Sim {
    let mut world = Sim::with_seed(seed);
    world.failure_file(Some(failure_file(&format!("world-{seed}.pcapng"))));
    world
}

#[test]
fn every_frame_is_accounted_for() {
    let mut world = world(1);
    let link = Link::new()
        .rate(mbit(2))
        .delay(ms(10))
        .queue(5)
        .loss(0.05)
        .duplicate(0.1)
        .corrupt(0.05)
        .reorder(0.1);
    let (a, b) = world.link(link);
    let at = SocketAddr::new(world.ipv4(a), 80);
    world.spawn(a, async {
        let (stream, _) = TcpListener::bind(80)?.accept().await?;
        stream.read_to_end().await
    });
    world.spawn(b, async move {
        let stream = TcpStream::connect(at).await?;
        stream.write_all(&[1; 100_000]).await
    });
    world.run_until_idle().unwrap();
    let (up, down) = world.link_stats(world.link_between(a, b));
    for (stats, sender, receiver) in [(up, a, b), (down, b, a)] {
        let sent = world.counters(sender).delivered(Layer::Output) as u64;
        let received = world.counters(receiver).received(Layer::Link) as u64;
        assert_eq!(stats.delivered, received);
        assert_eq!(
            stats.offered + stats.duplicated,
            received + stats.lost + stats.queue_full
        );
        // ARP and ND are frames that no layer above the link hands over.
        assert!(sent > 0 && sent <= stats.offered);
    }
    assert!(down.queue_full > 0 && down.lost > 0 && down.duplicated > 0);
    let counters = world.counters(a);
    assert!(counters.dropped(DropReason::TcpDuplicate) > 0);
    assert_eq!(counters.balance(), Ok(()));
}

#[test]
fn a_world_that_stalls_says_what_everybody_waits_for() {
    let mut world = world(2);
    let (a, b) = world.link(Link::new().delay(ms(1)));
    let at = SocketAddr::new(world.ipv4(a), 80);
    world.spawn(a, async {
        let listener = TcpListener::bind(80)?;
        let (_first, _) = listener.accept().await?;
        listener.accept().await.map(drop)
    });
    world.spawn(b, async move {
        let stream = TcpStream::connect(at).await?;
        stream.read(&mut [0]).await.map(drop)
    });
    let failure = world.run_until_idle().unwrap_err();
    assert_eq!(failure.cause, Cause::Stalled);
    assert_eq!((failure.seed, failure.waiting.len()), (2, 2));
    assert!(failure.waiting[0].what.contains("to accept on [::]:80"));
    assert!(failure.waiting[1].what.contains("for data on 10.0.0.2:"));
    assert!(failure.waiting[1].what.contains("ESTABLISHED"));
    let capture = failure.capture.expect("it was written");
    assert_eq!(std::fs::read(capture).unwrap(), world.pcapng());
}

#[test]
fn an_error_of_a_program_fails_the_run() {
    let mut world = world(3);
    let (a, b) = world.link(Link::new().delay(ms(1)));
    let at = SocketAddr::new(world.ipv4(a), 81);
    world.spawn(b, async move { TcpStream::connect(at).await.map(drop) });
    let failure = world.run_until_idle().unwrap_err();
    let error = "the peer refused the connection".to_string();
    assert_eq!(
        failure.cause,
        Cause::Program {
            host: b,
            task: 0,
            error
        }
    );
}

#[test]
fn programs_that_wake_each_other_for_ever_are_a_livelock() {
    let mut world = world(4);
    let (a, _) = world.link(Link::new());
    world.spawn(a, async {
        loop {
            netloom_sim::yield_now().await;
            if now() > Sim::START + secs(1) {
                break;
            }
        }
    });
    let failure = world.step().unwrap_err();
    assert_eq!(failure.cause, Cause::Livelock);
    assert_eq!(failure.at, Sim::START);
}

#[test]
fn a_run_ends_at_its_time_limit() {
    let mut world = world(5);
    let (a, _) = world.link(Link::new());
    world.time_limit(secs(60));
    world.spawn(a, async {
        loop {
            sleep(secs(7)).await;
        }
        #[expect(unreachable_code, reason = "gives the program a type")]
        ()
    });
    let failure = world.run_until_idle().unwrap_err();
    assert_eq!(failure.cause, Cause::TimeLimit);
    assert!(failure.waiting[0].what.starts_with("until 64000000 us"));
    assert!(failure.at <= Sim::START + secs(60));
}

#[test]
fn a_switch_joins_many_hosts() {
    for ip in [false, true] {
        let mut world = world(6);
        let hosts: Vec<_> = (0..5).map(|_| world.add_host(HostSetup::heap())).collect();
        let link = Link::new().rate(mbit(10)).delay(ms(2)).loss(0.01);
        let link = if ip { link.ip() } else { link };
        let links = world.switch(&hosts, link);
        let server = SocketAddr::new(world.ipv6(hosts[0]), 7);
        world.spawn(hosts[0], async {
            let listener = TcpListener::bind(7)?;
            let mut serving = Vec::new();
            for _ in 0..4 {
                let (stream, _) = listener.accept().await?;
                serving.push(spawn(async move {
                    let all = stream.read_to_end().await?;
                    stream.write_all(&all).await?;
                    stream.finish()?;
                    stream.closed().await
                }));
            }
            for task in serving {
                assert_eq!(task.await?, CloseReason::Finished);
            }
            Ok::<_, Error>(())
        });
        for (i, host) in hosts.iter().enumerate().skip(1) {
            world.spawn(*host, async move {
                let stream = TcpStream::connect(server).await?;
                stream.write_all(&vec![i as u8; 30_000]).await?;
                stream.finish()?;
                assert_eq!(stream.read_to_end().await?, vec![i as u8; 30_000]);
                Ok::<_, Error>(())
            });
        }
        world.run_until_idle().unwrap();
        // Once stations are known, nobody gets the others' frames.
        let (_, to_idle_host) = world.link_stats(links[1]);
        let (_, to_server) = world.link_stats(links[0]);
        assert!(to_idle_host.offered < to_server.offered);
    }
}

#[test]
fn a_host_on_two_links_uses_the_right_one() {
    let mut world = world(7);
    let (a, b) = world.link(Link::new().delay(ms(1)));
    let c = world.add_host(HostSetup::lent::<2, 1, 1, 2048, 2048>());
    let second = world.connect(b, c, Link::new().ip().delay(ms(1)));
    let at = SocketAddr::new(world.ipv4(c), 9);
    assert_eq!(at.ip().to_string(), "10.0.1.2");
    world.spawn(c, async {
        let (stream, from) = TcpListener::bind(9)?.accept().await?;
        assert_eq!(from.ip().to_string(), "10.0.1.1");
        stream.read_to_end().await
    });
    world.spawn(b, async move {
        TcpStream::connect(at).await?.write_all(b"over there").await
    });
    world.run_until_idle().unwrap();
    assert!(world.link_stats(second).0.delivered > 0);
    assert_eq!(world.link_stats(world.link_between(a, b)).0.offered, 0);
}

#[test]
fn datagrams_and_timeouts() {
    let mut world = world(8);
    let (a, b) = world.link(Link::new().delay(ms(5)));
    let link = world.link_between(a, b);
    let at = SocketAddr::new(world.ipv6(a), 53);
    world.spawn_background(a, async {
        let socket = UdpSocket::bind(53)?;
        let mut buffer = [0; 100];
        loop {
            let (n, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..n], from).await?;
        }
        #[expect(unreachable_code, reason = "gives the program a type")]
        Ok::<(), Error>(())
    });
    world.spawn(b, async move {
        let socket = UdpSocket::bind(0)?;
        let mut buffer = [0; 100];
        socket.send_to(b"who?", at).await?;
        let (n, from) = timeout(secs(5), socket.recv_from(&mut buffer))
            .await
            .unwrap()?;
        assert_eq!((&buffer[..n], from), (&b"who?"[..], at));
        set_link(link, false);
        let asked = now();
        socket.send_to(b"who?", at).await?;
        let answer = timeout(secs(5), socket.recv_from(&mut buffer)).await;
        assert_eq!(answer, Err(Elapsed));
        assert_eq!(now(), asked + secs(5));
        set_link(link, true);
        socket.connect(at)?;
        socket.send(b"again").await?;
        let (n, _) = socket.recv_from(&mut buffer).await?;
        assert_eq!(n, 5);
        Ok::<_, Error>(())
    });
    world.run_until_idle().unwrap();
    assert_eq!(world.link_stats(link).1.down, 1);
}

#[test]
fn chosen_frames_are_lost_and_seen_to_be() {
    let mut world = world(9);
    let (a, b) = world.link(Link::new().ip().delay(ms(5)));
    let link = world.link_between(a, b);
    // The third packet of the client, its first with data, and the server's SYN-ACK.
    world.lose_if(link, Direction::Inbound, |number, _| number == 3);
    world.lose_if(link, Direction::Outbound, |number, _| number == 0);
    let lines = Rc::new(RefCell::new(Vec::new()));
    let seen = lines.clone();
    world.observe(move |frame| {
        let lost = frame.verdict == Verdict::Lost;
        seen.borrow_mut()
            .push((lost, frame.direction, frame.to_string()));
        lost.then(|| "gone".to_string())
    });
    world.capture(Capture::Host(b));
    let at = SocketAddr::new(world.ipv4(a), 80);
    world.spawn(a, async {
        let (stream, _) = TcpListener::bind(80)?.accept().await?;
        assert_eq!(stream.read_to_end().await?, b"hello");
        Ok::<_, Error>(())
    });
    world.spawn(b, async move {
        TcpStream::connect(at).await?.write_all(b"hello").await
    });
    world.run_until_idle().unwrap();
    let lines = lines.borrow();
    let lost: Vec<_> = lines.iter().filter(|(lost, _, _)| *lost).collect();
    assert_eq!(lost.len(), 2, "{lines:#?}");
    assert!(lost[0].2.contains("Flags [S.]"), "{}", lost[0].2);
    assert!(lines.iter().any(|(_, way, _)| *way == Direction::Inbound));
    let capture = world.pcapng();
    assert!(capture.windows(11).any(|w| w == b"gone (lost)"));
}

#[test]
fn a_full_device_keeps_frames_in_the_stack() {
    let mut world = world(10);
    let (a, b) = world.link(Link::new().rate(mbit(1)).device_ring(2).delay(ms(5)));
    let at = SocketAddr::new(world.ipv4(a), 80);
    world.spawn(a, async {
        let (stream, _) = TcpListener::bind(80)?.accept().await?;
        stream.read_to_end().await
    });
    world.spawn(b, async move {
        TcpStream::connect(at).await?.write_all(&[3; 200_000]).await
    });
    world.run_until_idle().unwrap();
    let (_, back) = world.link_stats(world.link_between(a, b));
    assert_eq!((back.queue_full, back.lost), (0, 0));
    assert_eq!(world.counters(b).tcp_segments_retransmitted, 0);
}

#[test]
fn a_link_takes_the_time_its_rate_and_delay_say() {
    let mut world = world(11);
    let (a, b) = world.link(Link::new().ip().rate(mbit(1)).delay(ms(10)));
    let at = SocketAddr::new(world.ipv4(a), 5);
    let arrived = world.spawn(a, async {
        let socket = UdpSocket::bind(5)?;
        socket.recv_from(&mut [0; 2_000]).await?;
        Ok::<_, Error>(now())
    });
    world.spawn(b, async move {
        let socket = UdpSocket::bind(0)?;
        socket.send_to(&[0; 972], at).await?;
        // A datagram leaves at the end of the instant in which it was sent.
        sleep(us(1)).await;
        Ok::<_, Error>(())
    });
    world.run_until_idle().unwrap();
    // 20 + 8 + 972 bytes are 8 ms at 1 Mbit/s.
    assert_eq!(arrived.take(), Some(Ok(Sim::START + ms(18))));
}

#[test]
fn stacks_are_held_by_hand() {
    let mut world = world(12);
    let (a, b) = world.link(Link::new().delay(us(100)));
    let at = SocketAddr::new(world.ipv4(a), 80);
    let listener = world.stack_mut(a).tcp_listen(80).unwrap();
    let client = world.stack_mut(b).tcp_connect(at).unwrap();
    while world.stack(b).tcp_state(client) != Ok(netloom_stack::State::Established) {
        assert!(world.step().unwrap());
    }
    world.run_for(ms(1)).unwrap();
    let server = world.stack_mut(a).tcp_accept(listener).unwrap().unwrap();
    world.stack_mut(a).tcp_write(server, b"by hand").unwrap();
    world.run_for(ms(1)).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(world.stack_mut(b).tcp_read(client, &mut buffer), Ok(7));
    assert_eq!(world.now(), Sim::START + us(400) + ms(2));
}

/// A flipped bit anywhere is noticed, or harmless: no datagram arrives that was not sent.
#[test]
fn corrupted_datagrams_never_arrive() {
    for v6 in [false, true] {
        let mut world = world(13);
        let (a, b) = world.link(Link::new().ip().corrupt(0.5).rate(mbit(10)));
        let ip = if v6 { world.ipv6(a) } else { world.ipv4(a) };
        let at = SocketAddr::new(ip, 5);
        let received = Rc::new(RefCell::new(0_u64));
        let count = received.clone();
        world.spawn_background(a, async move {
            let socket = UdpSocket::bind(5)?;
            let mut buffer = [0; 200];
            loop {
                let (n, _) = socket.recv_from(&mut buffer).await?;
                assert_eq!(n, 100);
                assert!(buffer[..n].iter().all(|byte| *byte == buffer[0]));
                *count.borrow_mut() += 1;
            }
            #[expect(unreachable_code, reason = "gives the program a type")]
            Ok::<(), Error>(())
        });
        world.spawn(b, async move {
            let socket = UdpSocket::bind(0)?;
            for n in 0..1_000_u32 {
                socket.send_to(&[n as u8; 100], at).await?;
                sleep(us(200)).await;
            }
            Ok::<_, Error>(())
        });
        world.run_until_idle().unwrap();
        let (_, stats) = world.link_stats(world.link_between(a, b));
        let received = *received.borrow();
        // Some bits are nobody's concern (hop limit, flow label): those datagrams arrive.
        assert!(received >= stats.offered - stats.corrupted);
        assert!(
            received < stats.offered - stats.corrupted * 3 / 4,
            "{received} of {stats:?}"
        );
    }
}

/// Nothing but room in the device makes the rest leave: nobody answers a datagram.
#[test]
fn a_device_with_room_again_is_used_at_once() {
    let mut world = world(14);
    let (a, b) = world.link(Link::new().ip().rate(mbit(1)).device_ring(2));
    let at = SocketAddr::new(world.ipv4(a), 5);
    let arrived = world.spawn(a, async {
        let socket = UdpSocket::bind(5)?;
        for _ in 0..10 {
            socket.recv_from(&mut [0; 2_000]).await?;
        }
        Ok::<_, Error>(now())
    });
    world.spawn(b, async move {
        let socket = UdpSocket::bind(0)?;
        for _ in 0..10 {
            socket.send_to(&[0; 972], at).await?;
        }
        sleep(secs(1)).await;
        Ok::<_, Error>(())
    });
    world.run_until_idle().unwrap();
    // Ten times 8 ms, without a gap.
    assert_eq!(arrived.take(), Some(Ok(Sim::START + ms(80))));
}
