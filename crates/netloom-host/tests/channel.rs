//! Conversations as channels.
#![cfg(all(target_os = "linux", feature = "channel"))]

mod lossy;

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use lossy::lossy_pair;
use netloom_host::device::LinkEnd;
use netloom_host::net::channel::{
    Address, Bus, BusEvent, Bytes, ChannelConfig, ChannelListener, ChannelMessage, Endpoint,
    PortAllocator, Presence, TcpChannel, block_on,
};
use netloom_host::net::{Net, Reason};
use netloom_stack::CloseReason;

const PATIENCE: Duration = Duration::from_secs(60);

fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").address("fd00::1/64").start();
    let b = b.address("10.0.0.2/24").address("fd00::2/64").start();
    (a.unwrap(), b.unwrap())
}

/// Who comes waits for as long as this test may take to claim him.
fn listen(net: &Net, at: &str) -> ChannelListener {
    let config = ChannelConfig {
        relay_peer_wait_time: PATIENCE,
        ..ChannelConfig::default()
    };
    net.channel_listen_with(at, config).unwrap()
}

async fn connected(a: &Net, b: &Net) -> (TcpChannel, TcpChannel) {
    let mut peers = listen(b, "10.0.0.2:0");
    let here = a.channel_connect(peers.local_addr()).await.unwrap();
    (here, peers.next().await.unwrap())
}

/// So many octets of a channel, however they are cut.
async fn hear(channel: &mut (impl Stream<Item = Bytes> + Unpin), length: usize) -> Vec<u8> {
    let mut heard = Vec::new();
    while heard.len() < length {
        heard.extend_from_slice(&channel.next().await.expect("more is to come"));
    }
    heard
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn four_megabytes_each_way_at_once() {
    let (a, b) = pair();
    let data: Vec<u8> = (0..4 << 20).map(|i: u32| (i % 251) as u8).collect();
    block_on(async {
        let (here, there) = connected(&a, &b).await;
        let talk = |channel: TcpChannel| {
            let data = Bytes::from(data.clone());
            async move {
                let (mut sender, mut receiver) = channel.split();
                let say = async move {
                    // Several pieces, and an empty one, which says nothing.
                    for part in data.chunks(100_000) {
                        sender.send(Bytes::copy_from_slice(part)).await.unwrap();
                        sender.send(Bytes::new()).await.unwrap();
                    }
                    sender.close().await.unwrap();
                };
                let listen = async {
                    let mut heard = Vec::new();
                    while let Some(part) = receiver.next().await {
                        assert!(!part.is_empty() && part.len() <= 64 << 10);
                        heard.extend_from_slice(&part);
                    }
                    heard
                };
                futures_util::join!(say, listen).1
            }
        };
        let (first, second) = futures_util::join!(talk(here), talk(there));
        assert!(first == data && second == data);
    });
}

#[test]
fn dropping_the_sender_says_goodbye_and_the_stream_ends_with_the_others() {
    let (a, b) = pair();
    block_on(async {
        let (here, mut there) = connected(&a, &b).await;
        let (mut sender, mut receiver) = here.split();
        sender.send(Bytes::from("bye")).await.unwrap();
        drop(sender);
        assert_eq!(there.next().await.unwrap(), "bye");
        for _ in 0..3 {
            assert_eq!(there.next().await, None);
        }
        // The other direction is still open, and this half still hears.
        there.send(Bytes::from("still here")).await.unwrap();
        assert_eq!(hear(&mut receiver, 10).await, b"still here");
        assert_eq!(there.close_reason(), None);
        there.close().await.unwrap();
        assert_eq!(receiver.next().await, None);
        eventually("never over", || there.close_reason().is_some());
        assert_eq!(there.close_reason(), Some(CloseReason::Finished));
        let error = there.send(Bytes::from("late")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_reset_ends_the_stream_and_tells_why() {
    let (a, b) = pair();
    block_on(async {
        let (here, mut there) = connected(&a, &b).await;
        here.stream().abort().unwrap();
        assert_eq!(there.next().await, None);
        assert_eq!(there.close_reason(), Some(CloseReason::PeerReset));
        let error = there.send(Bytes::from("x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_sender_waits_for_who_hears_nothing() {
    let (a, b) = pair();
    block_on(async {
        let (mut here, mut there) = connected(&a, &b).await;
        let large = Bytes::from(vec![7; 64 << 20]);
        let mut sending = pin!(here.send(large.clone()).fuse());
        // It is never done while nobody reads, however often it is asked.
        for _ in 0..50 {
            assert!((&mut sending).now_or_never().is_none());
            thread::sleep(Duration::from_millis(2));
        }
        let listen = hear(&mut there, large.len());
        let (sent, heard) = futures_util::join!(sending, listen);
        sent.unwrap();
        assert!(heard == large);
    });
}

#[test]
fn connecting_fails_as_it_does_elsewhere() {
    let (a, b) = pair();
    block_on(async {
        let error = a.channel_connect("10.0.0.2:81").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = a.channel_connect("nonsense").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let peers = b.channel_listen(6667).unwrap();
        assert_eq!(
            peers.local_addr(),
            "[::]:6667".parse::<SocketAddr>().unwrap()
        );
        let error = b.channel_listen(6667).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(a.channel_connect("[fd00::2]:6667").await.is_ok());
        // Dropping the listener refuses newcomers.
        drop(peers);
        let error = a.channel_connect("10.0.0.2:6667").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn dropping_the_listener_leaves_who_was_taken_up_and_turns_away_who_waits() {
    let (a, b) = pair();
    block_on(async {
        let mut peers = listen(&b, "10.0.0.2:80");
        let mut taken = a.channel_connect("10.0.0.2:80").await.unwrap();
        let mut there = peers.next().await.unwrap();
        let mut waits = a.channel_connect("10.0.0.2:80").await.unwrap();
        // It has come to wait.
        eventually("it never came", || b.usage().connections == 2);
        drop(peers);
        assert_eq!(waits.next().await, None);
        assert_eq!(waits.close_reason(), Some(CloseReason::PeerReset));
        there.send(Bytes::from("on")).await.unwrap();
        assert_eq!(hear(&mut taken, 2).await, b"on");
    });
}

#[test]
fn who_is_not_claimed_in_time_is_turned_away() {
    let (a, b) = pair();
    b.with_stack(|stack| stack.remember_dead(8));
    block_on(async {
        let config = ChannelConfig {
            relay_peer_wait_time: Duration::from_millis(500),
            ..ChannelConfig::default()
        };
        let mut peers = b.channel_listen_with("10.0.0.2:80", config).unwrap();
        // Nobody claims it, and nobody calls the listener's stack.
        match a.channel_connect("10.0.0.2:80").await {
            Ok(mut here) => {
                assert_eq!(here.next().await, None);
                assert_eq!(here.close_reason(), Some(CloseReason::PeerReset));
            }
            // Looked at late: it was open, and is over.
            Err(error) => assert_eq!(error.reason(), &Reason::Closed(CloseReason::PeerReset)),
        }
        let reason = |b: &Net| b.with_stack(|s| s.inspect().dead().next().map(|d| d.reason));
        assert_eq!(reason(&b), Some(CloseReason::PeerNeverAppeared));
        assert_eq!(b.usage().connections, 0);
        // Others are served as before. If we are late, they are turned away too: then another.
        for _ in 0..20 {
            let Ok(mut here) = a.channel_connect("10.0.0.2:80").await else {
                continue;
            };
            futures_util::select! {
                there = peers.next().fuse() => {
                    assert_eq!(here.local_addr(), there.unwrap().peer_addr());
                    return;
                }
                said = here.next().fuse() => assert_eq!(said, None),
            }
        }
        panic!("nobody is served any more");
    });
    assert_eq!(
        ChannelConfig::default().relay_peer_wait_time,
        Duration::from_secs(5)
    );
}

#[test]
fn few_wait_and_more_come_in_as_those_are_claimed() {
    let (a, b) = pair();
    block_on(async {
        let config = ChannelConfig {
            backlog: 3,
            relay_peer_wait_time: PATIENCE,
        };
        let mut peers = b.channel_listen_with("10.0.0.2:80", config).unwrap();
        let mut come = Vec::new();
        for _ in 0..6 {
            come.push(a.channel_connect("10.0.0.2:80").await.unwrap());
        }
        let mut order = Vec::new();
        for _ in 0..6 {
            order.push(peers.next().await.unwrap().peer_addr());
        }
        let due: Vec<_> = come.iter().map(TcpChannel::local_addr).collect();
        assert_eq!(order, due);
    });
}

#[test]
fn presence_is_told_once_each_way() {
    let (a, b) = pair();
    block_on(async {
        let mut peers = listen(&b, "10.0.0.2:80");
        let mut presence = peers.presence();
        let here = a.channel_connect("10.0.0.2:80").await.unwrap();
        let mut there = peers.next().await.unwrap();
        let (peer, local) = (there.peer_addr(), there.local_addr());
        assert_eq!(
            presence.next().await,
            Some(Presence::Appeared { peer, local })
        );
        assert!(
            presence.next().now_or_never().is_none(),
            "nothing else has happened"
        );
        drop(here);
        assert_eq!(there.next().await, None);
        let Some(Presence::Departed {
            peer: who, reason, ..
        }) = presence.next().await
        else {
            panic!("nobody departed");
        };
        assert_eq!((who, reason), (peer, None));
        drop(there);
        let _second = a.channel_connect("10.0.0.2:80").await.unwrap();
        drop(peers.next().await.unwrap());
        // Told late, but in order.
        assert!(matches!(
            presence.next().await,
            Some(Presence::Appeared { .. })
        ));
        assert!(matches!(
            presence.next().await,
            Some(Presence::Departed { .. })
        ));
        drop(peers);
        assert_eq!(presence.next().await, None);
    });
}

#[test]
fn presence_that_nobody_takes_is_bounded() {
    let (a, b) = pair();
    block_on(async {
        let mut peers = listen(&b, "10.0.0.2:80");
        let mut presence = peers.presence();
        for _ in 0..2500 {
            let here = a.channel_connect("10.0.0.2:80").await.unwrap();
            drop(peers.next().await.unwrap());
            drop(here);
        }
        assert_eq!(presence.next().await, Some(Presence::Missed(5000 - 4096)));
        assert!(matches!(
            presence.next().await,
            Some(Presence::Appeared { .. })
        ));
    });
}

#[test]
fn a_future_for_each_conversation() {
    let (a, b) = pair();
    let mut serve = b
        .channel_serve("10.0.0.2:0", |mut channel: TcpChannel| async move {
            while let Some(said) = channel.next().await {
                if channel.send(said).await.is_err() {
                    return;
                }
            }
        })
        .unwrap();
    let at = serve.local_addr();
    block_on(async {
        let clients = async {
            let mut all = FuturesUnordered::new();
            for n in 0..50_u8 {
                let a = &a;
                all.push(async move {
                    let mut channel = a.channel_connect(at).await.unwrap();
                    channel.send(Bytes::from(vec![n; 10_000])).await.unwrap();
                    assert_eq!(hear(&mut channel, 10_000).await, vec![n; 10_000]);
                });
            }
            while all.next().await.is_some() {}
        };
        futures_util::select! {
            () = (&mut serve).fuse() => panic!("it ended"),
            () = clients.fuse() => {}
        }
    });
    drop(serve);
    let refused = block_on(a.channel_connect(at)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn a_bus_carries_every_conversation() {
    let (a, b) = pair();
    let (mut left, mut right) = (Bus::new(&a), Bus::new(&b));
    let listener = right.listen("10.0.0.2:0").unwrap();
    block_on(async {
        let to = SocketAddr::from(([10, 0, 0, 2], listener.port));
        let (first, peer) = left.connect(to).await.unwrap();
        let (second, _) = left.connect(to).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(peer.0, to);
        let mut came = Vec::new();
        for _ in 0..2 {
            let Some(BusEvent::Appeared { here, peer }) = right.next().await else {
                panic!("nobody came");
            };
            assert_eq!(here, Endpoint::from(listener));
            came.push(peer);
        }
        let message = ChannelMessage {
            source: second.into(),
            destination: peer.into(),
            subpacket: Bytes::from("ping"),
        };
        left.send(message.clone()).await.unwrap();
        let Some(BusEvent::Message(heard)) = right.next().await else {
            panic!("nothing was said");
        };
        assert_eq!(
            (heard.source, heard.destination),
            (came[1].into(), listener.into())
        );
        right.send(heard.reply("pong")).await.unwrap();
        assert_eq!(
            left.next().await,
            Some(BusEvent::Message(message.reply("pong")))
        );
        // Only the other side can be spoken to.
        let wrong = left.send(message.reply("x")).await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::InvalidInput);
        left.finish(first, peer);
        let Some(BusEvent::Departed { peer: gone, .. }) = right.next().await else {
            panic!("nobody departed");
        };
        assert_eq!(gone, came[0]);
        right.finish(listener, gone);
        let Some(BusEvent::Departed { here, .. }) = left.next().await else {
            panic!("the other end was not told");
        };
        assert_eq!(here, first.into());
        // What is said to who has gone is dropped.
        let late = ChannelMessage {
            source: first.into(),
            ..message
        };
        left.send(late).await.unwrap();
        assert_eq!((left.len(), right.len()), (1, 1));
        left.close().await.unwrap();
        let Some(BusEvent::Departed { peer: gone, .. }) = right.next().await else {
            panic!("nobody departed");
        };
        right.finish(listener, gone);
        assert!(right.is_empty());
        assert!(matches!(left.next().await, Some(BusEvent::Departed { .. })));
        assert_eq!(left.next().await, None);
    });
}

/// A bus with one conversation, which another stack's channel began: the bus, this side's end of it,
/// the other's, and the channel.
async fn conversation(a: &Net, b: &Net) -> (Bus, Endpoint, Address, TcpChannel) {
    let mut bus = Bus::new(b);
    let listener = bus.listen("10.0.0.2:0").unwrap();
    let to = SocketAddr::from(([10, 0, 0, 2], listener.port));
    let channel = a.channel_connect(to).await.unwrap();
    let Some(BusEvent::Appeared { here, peer }) = bus.next().await else {
        panic!("nobody came");
    };
    (bus, here, peer, channel)
}

/// Everything until the other side's goodbye.
async fn hear_all(channel: &mut TcpChannel) -> Vec<u8> {
    let mut heard = Vec::new();
    while let Some(said) = channel.next().await {
        heard.extend_from_slice(&said);
    }
    heard
}

fn message(source: Endpoint, peer: Address, subpacket: Bytes) -> ChannelMessage {
    ChannelMessage {
        source,
        destination: peer.into(),
        subpacket,
    }
}

/// More than all buffers between a bus and who listens to it: so many messages of 32 KiB.
const MANY: u32 = 800;

fn nth(n: u32) -> Bytes {
    Bytes::from(n.to_be_bytes().repeat(8192))
}

fn assert_all_of(heard: Vec<u8>) {
    assert_eq!(heard.len(), MANY as usize * 32_768);
    assert!(heard.into_iter().eq((0..MANY).flat_map(nth)));
}

#[test]
fn a_bus_says_goodbye_behind_what_was_fed() {
    let (a, b) = pair();
    block_on(async {
        let (mut bus, here, peer, mut channel) = conversation(&a, &b).await;
        bus.feed(message(here, peer, Bytes::from("the last say")))
            .await
            .unwrap();
        bus.finish(here, peer);
        // It counts no more, and takes nothing more.
        assert!(bus.is_empty());
        bus.feed(message(here, peer, Bytes::from("too late")))
            .await
            .unwrap();
        SinkExt::flush(&mut bus).await.unwrap();
        assert_eq!(hear_all(&mut channel).await, b"the last say");
        // What the other side still says is told.
        channel.send(Bytes::from("and?")).await.unwrap();
        let Some(BusEvent::Message(heard)) = bus.next().await else {
            panic!("nothing was said");
        };
        assert_eq!(heard.subpacket, Bytes::from("and?"));
    });
}

#[test]
fn a_bus_says_goodbye_behind_more_than_fits_anywhere() {
    let (a, b) = pair();
    block_on(async {
        let (mut bus, here, peer, mut channel) = conversation(&a, &b).await;
        for n in 0..MANY {
            bus.feed(message(here, peer, nth(n))).await.unwrap();
        }
        bus.finish(here, peer);
        let (flushed, heard) =
            futures_util::join!(SinkExt::flush(&mut bus), hear_all(&mut channel));
        flushed.unwrap();
        assert_all_of(heard);
    });
}

#[test]
fn a_bus_answers_who_has_said_goodbye_and_reads_on() {
    let (a, b) = pair();
    block_on(async {
        let (mut bus, here, peer, mut channel) = conversation(&a, &b).await;
        channel.send(Bytes::from("why?")).await.unwrap();
        channel.close().await.unwrap();
        let Some(BusEvent::Message(question)) = bus.next().await else {
            panic!("nothing was said");
        };
        let Some(BusEvent::Departed { reason, .. }) = bus.next().await else {
            panic!("nobody departed");
        };
        assert_eq!(reason, None);
        assert_eq!(bus.len(), 1);
        bus.send(question.reply("because ")).await.unwrap();
        bus.send(question.reply("of that")).await.unwrap();
        bus.finish(here, peer);
        assert_eq!(hear_all(&mut channel).await, b"because of that");
        assert!(bus.is_empty());
    });
}

#[test]
fn a_goodbye_loses_nothing_that_a_bus_had_taken() {
    let (a, b) = pair();
    block_on(async {
        let (mut bus, here, peer, mut channel) = conversation(&a, &b).await;
        for n in 0..MANY {
            bus.feed(message(here, peer, nth(n))).await.unwrap();
        }
        channel.close().await.unwrap();
        let Some(BusEvent::Departed { reason, .. }) = bus.next().await else {
            panic!("nobody departed");
        };
        assert_eq!(reason, None);
        bus.finish(here, peer);
        let (flushed, heard) =
            futures_util::join!(SinkExt::flush(&mut bus), hear_all(&mut channel));
        flushed.unwrap();
        assert_all_of(heard);
    });
}

#[test]
fn the_stream_of_a_bus_does_not_end_before_all_is_said() {
    let (a, b) = pair();
    block_on(async {
        let mut bus = Bus::new(&a);
        let mut peers = listen(&b, "10.0.0.2:0");
        let (handle, peer) = bus.connect(peers.local_addr()).await.unwrap();
        let mut channel = peers.next().await.unwrap();
        for n in 0..MANY {
            bus.feed(message(handle.into(), peer, nth(n)))
                .await
                .unwrap();
        }
        bus.finish(handle, peer);
        channel.close().await.unwrap();
        // Nothing but the stream is asked, and the bus is dropped at its end.
        let listens = async move {
            let departed = bus.next().await;
            assert!(matches!(departed, Some(BusEvent::Departed { .. })));
            assert_eq!(bus.next().await, None);
        };
        let ((), heard) = futures_util::join!(listens, hear_all(&mut channel));
        assert_all_of(heard);
    });
}

#[test]
fn the_slowest_sets_the_pace_of_a_bus_in_bounded_memory() {
    let (a, b) = pair();
    let mut bus = Bus::new(&b);
    let listener = bus.listen("10.0.0.2:0").unwrap();
    block_on(async {
        let to = SocketAddr::from(([10, 0, 0, 2], listener.port));
        let mut slow = a.channel_connect(to).await.unwrap();
        let Some(BusEvent::Appeared { here, peer }) = bus.next().await else {
            panic!("nobody came");
        };
        let message = |n: u32| ChannelMessage {
            source: here,
            destination: peer.into(),
            subpacket: Bytes::from(n.to_be_bytes().repeat(8192)),
        };
        let mut taken = 0;
        poll_fn(|cx: &mut Context<'_>| {
            while let Poll::Ready(ready) = Pin::new(&mut bus).poll_ready(cx) {
                ready.unwrap();
                Pin::new(&mut bus).start_send(message(taken)).unwrap();
                taken += 1;
                assert!(taken < 100_000, "it takes without end");
            }
            Poll::Ready(())
        })
        .await;
        let listen = hear(&mut slow, taken as usize * 32_768);
        let (flushed, heard) = futures_util::join!(SinkExt::flush(&mut bus), listen);
        flushed.unwrap();
        let due = (0..taken).flat_map(|n| n.to_be_bytes().repeat(8192));
        assert!(heard.into_iter().eq(due));
    });
}

#[test]
fn a_bus_that_waits_for_nobody_resets_who_does_not_read() {
    const BEHIND: usize = 1 << 20;
    let (a, b) = pair();
    block_on(async {
        let (mut bus, here, good, mut listening) = conversation(&a, &b).await;
        bus.reset_slow(BEHIND);
        let to = SocketAddr::from(([10, 0, 0, 2], listening.peer_addr().port()));
        let mut deaf = a.channel_connect(to).await.unwrap();
        let Some(BusEvent::Appeared { peer: slow, .. }) = bus.next().await else {
            panic!("nobody came");
        };
        let mut said = 0;
        let reason = loop {
            // Neither waits, however little is taken of it.
            for peer in [slow, good] {
                let sent = bus.feed(message(here, peer, nth(said)));
                sent.now_or_never().expect("it waits").unwrap();
            }
            said += 1;
            assert!(said < 100_000, "it is never reset");
            let heard = async { (hear(&mut listening, 32_768).await, None) };
            let departed = async { (Vec::new(), bus.next().await) };
            let (octets, event) = futures_util::select_biased! {
                heard = heard.fuse() => heard,
                departed = departed.fuse() => departed,
            };
            match event {
                None => assert!(octets.into_iter().eq(nth(said - 1))),
                Some(BusEvent::Departed { peer, reason, .. }) => {
                    assert_eq!(peer, slow);
                    break reason;
                }
                event => panic!("{event:?}"),
            }
        };
        assert_eq!(reason, Some(CloseReason::Aborted));
        assert_eq!(bus.len(), 1);
        eventually("it was not told", || {
            deaf.close_reason() == Some(CloseReason::PeerReset)
        });
        while deaf.next().await.is_some() {}
        // The other conversation has not even noticed.
        bus.send(message(here, good, Bytes::from("still here")))
            .await
            .unwrap();
        bus.finish(here, good);
        assert!(hear_all(&mut listening).await.ends_with(b"still here"));
    });
}

#[test]
fn ports_of_listeners_and_connections_are_not_given_out() {
    let (a, b) = pair();
    for (name, value) in [
        ("ip_local_port_first", 50_000),
        ("ip_local_port_last", 50_009),
    ] {
        a.set_tunable(name, value).unwrap();
    }
    let ports = PortAllocator::new(&a);
    let _listener = a.tcp_listen("10.0.0.1:50003").unwrap();
    let server = b.tcp_listen("10.0.0.2:80").unwrap();
    let from = "10.0.0.1:50005".parse().unwrap();
    let connection = a.tcp_connect_from(from, "10.0.0.2:80").unwrap();
    assert_eq!(ports.used(), BTreeSet::from([50_003, 50_005]));
    let mut given = Vec::new();
    let mut numbers = BTreeSet::new();
    while let Ok(port) = ports.clone().allocate() {
        assert!(numbers.insert(port.number()));
        given.push(port);
    }
    let due: BTreeSet<u16> = (50_000..=50_009)
        .filter(|p| ![50_003, 50_005].contains(p))
        .collect();
    assert_eq!(numbers, due);
    assert_eq!(
        ports.allocate().unwrap_err().kind(),
        ErrorKind::AddrNotAvailable
    );
    // One that is given back, and one whose connection is in TIME-WAIT here.
    let last = given.pop().unwrap().number();
    drop(connection);
    drop(server.accept().unwrap());
    eventually("never in TIME-WAIT", || a.usage().time_wait == 1);
    assert_eq!(ports.allocate().unwrap().number(), last);
    for taken in [50_003, 50_005, given[0].number()] {
        assert_eq!(
            ports.reserve(taken).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );
    }
    assert_eq!(
        ports.reserve(0).unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    assert_eq!(ports.reserve(81).unwrap().number(), 81);
}

#[test]
fn the_end_of_the_other_stack_is_a_goodbye() {
    let (a, b) = pair();
    block_on(async {
        let (here, there) = connected(&a, &b).await;
        drop((a, here));
        let mut there = there;
        // The link is gone, but the goodbye has come before.
        assert_eq!(there.next().await, None);
    });
}

/// A chat room: whoever comes hears all who come, speak and go after him.
/// How many are in it, it says in `present`.
async fn chat(mut bus: Bus, present: Arc<AtomicUsize>) {
    let mut members = BTreeSet::new();
    while let Some(event) = bus.next().await {
        let (about, text) = match event {
            BusEvent::Appeared { here, peer } => {
                members.insert((here, peer));
                present.store(members.len(), Ordering::Relaxed);
                (peer, format!("{} appeared\n", peer.0))
            }
            BusEvent::Departed { here, peer, .. } => {
                members.remove(&(here, peer));
                bus.finish(here, peer);
                (peer, format!("{} departed\n", peer.0))
            }
            BusEvent::Message(message) => {
                let Endpoint::Address(peer) = message.source else {
                    panic!("heard of itself");
                };
                let said = String::from_utf8(message.subpacket.to_vec()).unwrap();
                (peer, said)
            }
        };
        for &(source, peer) in members.iter().filter(|(_, peer)| *peer != about) {
            let message = ChannelMessage {
                source,
                destination: peer.into(),
                subpacket: Bytes::from(text.clone()),
            };
            bus.feed(message).await.unwrap();
        }
    }
}

#[test]
fn a_chat_of_200_with_presence_under_5_percent_loss() {
    const CLIENTS: usize = 200;
    let (a, b, loss) = lossy_pair(4, |builder| builder);
    loss.set(50_000);
    let mut bus = Bus::new(&b);
    bus.listen("10.0.0.2:6667").unwrap();
    let present = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&present);
    let room = thread::spawn(move || block_on(chat(bus, counted)));
    let (names, speech) = block_on(async {
        let mut joining = FuturesUnordered::new();
        for _ in 0..CLIENTS {
            joining.push(a.channel_connect("10.0.0.2:6667"));
        }
        let mut members = Vec::new();
        while let Some(joined) = joining.next().await {
            members.push(joined.unwrap());
        }
        let names: BTreeSet<String> = members.iter().map(|m| m.local_addr().to_string()).collect();
        assert_eq!(names.len(), CLIENTS);
        // Who comes into the room hears what is said after that: they speak once all are in it. That
        // all are connected is not enough.
        eventually("they never came", || {
            present.load(Ordering::Relaxed) == CLIENTS
        });
        let mut talking = FuturesUnordered::new();
        for mut member in members {
            talking.push(async move {
                let name = member.local_addr().to_string();
                member
                    .send(Bytes::from(format!("{name} says hello\n")))
                    .await
                    .unwrap();
                let mut heard = Vec::new();
                while heard
                    .split(|&c| c == b'\n')
                    .filter(|l| l.ends_with(b"hello"))
                    .count()
                    < CLIENTS - 1
                {
                    heard.extend_from_slice(&member.next().await.expect("the room is open"));
                }
                (name, String::from_utf8(heard).unwrap(), member)
            });
        }
        let mut speech = Vec::new();
        let mut open = Vec::new();
        while let Some((name, heard, member)) = talking.next().await {
            speech.push((name, heard));
            open.push(member);
        }
        // All but one go, and the last one hears of all of them. They say goodbye and read on until
        // it is answered: a reset, which tells a peer of what was not read, may be lost for ever.
        let mut last = open.pop().unwrap();
        let mut leaving: FuturesUnordered<_> = open
            .into_iter()
            .map(|mut member| async move {
                member.close().await.unwrap();
                while member.next().await.is_some() {}
            })
            .collect();
        let mut departures = Vec::new();
        let gone = |all: &[u8]| {
            all.split(|&c| c == b'\n')
                .filter(|l| l.ends_with(b"departed"))
                .count()
        };
        let all_leave = async { while leaving.next().await.is_some() {} };
        let hears = async {
            while gone(&departures) < CLIENTS - 1 {
                departures.extend_from_slice(&last.next().await.expect("the room is open"));
            }
        };
        futures_util::join!(all_leave, hears);
        (names, speech)
    });
    for (name, heard) in &speech {
        let lines: Vec<_> = heard.lines().collect();
        let spoke: BTreeSet<String> = lines
            .iter()
            .filter_map(|line| line.strip_suffix(" says hello").map(str::to_owned))
            .collect();
        let mut due = names.clone();
        due.remove(name);
        assert_eq!(spoke, due, "{name}");
        // Nothing twice.
        assert_eq!(
            lines.len(),
            lines.iter().collect::<BTreeSet<_>>().len(),
            "{name}"
        );
    }
    assert!(
        a.counters().tcp_segments_retransmitted > 0,
        "nothing was lost"
    );
    drop((room, a, b));
}
