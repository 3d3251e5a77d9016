use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use netloom_host::net::{Builder, Net as Blocking};
use netloom_host::tokio::{
    Flow, FlowConfig, FlowListener, FlowTimeouts, Net, PacketDevice, packet_channel,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};

use crate::{pattern, soon};

const FAR: [&str; 2] = ["203.0.113.9:80", "[2001:db8::9]:80"];

/// Two devices joined back to back.
fn cable() -> (PacketDevice, PacketDevice) {
    let (left, to_left, mut from_left) = packet_channel(1500, 64).unwrap();
    let (right, to_right, mut from_right) = packet_channel(1500, 64).unwrap();
    tokio::spawn(async move {
        while let Some(packet) = from_left.recv().await {
            if to_right.send(packet).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(packet) = from_right.recv().await {
            if to_left.send(packet).await.is_err() {
                break;
            }
        }
    });
    (left, right)
}

/// A client with a stack of its own, and a listener for all it sends.
fn world(config: FlowConfig) -> (Net, FlowListener) {
    let (near, far) = cable();
    let builder: Builder = Blocking::builder(near)
        .address("10.0.0.1/24")
        .address("fd00::1/64")
        .gateway("10.0.0.254")
        .gateway("fd00::fe");
    let client = builder
        .start_on(&tokio::runtime::Handle::current())
        .unwrap();
    (client.tokio(), FlowListener::new(far, config).unwrap())
}

#[cfg(feature = "control")]
#[tokio::test]
async fn flows_are_seen_by_who_asks() {
    use netloom_host::control::{Ask, Client, Control, Line, Socket, SocketState};

    let path = std::env::temp_dir().join(format!("netloom-{}-flows.sock", std::process::id()));
    let (near, far) = cable();
    let client = Blocking::builder(near)
        .address("10.0.0.1/24")
        .gateway("10.0.0.254")
        .start_on(&tokio::runtime::Handle::current())
        .unwrap()
        .tokio();
    let control = Control::At(path.clone());
    let mut flows = FlowListener::with_control(far, FlowConfig::default(), &control).unwrap();
    let (connected, accepted) = soon(async {
        tokio::join!(client.tcp_connect(FAR[0]), async {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            syn.accept().await.unwrap()
        })
    })
    .await;
    let connected = connected.unwrap();
    let ends = (
        connected.peer_addr().unwrap(),
        connected.local_addr().unwrap(),
    );
    /// What a program beside sees: the sockets, and the reasons of the dead.
    async fn ask(path: std::path::PathBuf) -> (Vec<Socket>, Vec<String>, u64) {
        let asked = tokio::task::spawn_blocking(move || {
            let mut client = Client::connect(&path).unwrap();
            let sockets = client.gather(Ask::Sockets, |line| match line {
                Line::Socket(socket) => Some(*socket),
                _ => None,
            });
            let closed = client.gather(Ask::Closed, |line| match line {
                Line::Closed(closed) => Some(closed.reason),
                _ => None,
            });
            let count = client.gather(Ask::Counters, |line| match line {
                Line::Counter(counter) if counter.name == "now.connections" => Some(counter.value),
                _ => None,
            });
            (sockets.unwrap(), closed.unwrap(), count.unwrap()[0])
        });
        soon(asked).await.unwrap()
    }
    let (sockets, closed, count) = ask(path.clone()).await;
    assert_eq!((sockets.len(), closed.len(), count), (1, 0, 1));
    assert_eq!((sockets[0].local, sockets[0].remote), ends);
    assert_eq!(sockets[0].state, SocketState::Established);
    // It is tuned as well, and tells of the dead.
    let set = path.clone();
    let set = tokio::task::spawn_blocking(move || {
        let (name, value) = ("ip_default_ttl".to_owned(), 7);
        Client::connect(&set)?.gather(
            Ask::SetTunable {
                name,
                value: value.to_string(),
            },
            Some,
        )
    });
    soon(set).await.unwrap().unwrap();
    accepted.abort().unwrap();
    drop(accepted);
    let (sockets, closed, _) = ask(path.clone()).await;
    assert!(sockets.is_empty(), "{sockets:?}");
    assert_eq!(closed.len(), 1);
    drop(flows);
    assert!(!path.exists());
}

/// Sends back whatever comes.
fn serve(mut flows: FlowListener) -> tokio::task::JoinHandle<FlowListener> {
    tokio::spawn(async move {
        for _ in 0..2 {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            tokio::spawn(async move {
                let mut stream = syn.accept().await?;
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await?;
                writer.shutdown().await
            });
        }
        flows
    })
}

#[tokio::test]
async fn an_accepted_flow_is_a_stream() {
    let (client, flows) = world(FlowConfig::default());
    let serving = serve(flows);
    for far in FAR {
        let mut stream = soon(client.tcp_connect(far)).await.unwrap();
        let sent = pattern(1_000_000);
        let (mut reader, mut writer) = stream.split();
        let mut got = Vec::new();
        let (written, read) = soon(async {
            tokio::join!(
                async {
                    writer.write_all(&sent).await?;
                    writer.shutdown().await
                },
                reader.read_to_end(&mut got)
            )
        })
        .await;
        written.unwrap();
        read.unwrap();
        assert_eq!(got, sent);
    }
    let flows = soon(serving).await.unwrap();
    soon(async {
        while flows.flow_count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    flows.counters().balance().unwrap();
}

#[tokio::test]
async fn a_flow_is_refused_as_its_other_half_was() {
    for (kind, expected) in [
        (ErrorKind::ConnectionRefused, ErrorKind::ConnectionRefused),
        (ErrorKind::PermissionDenied, ErrorKind::HostUnreachable),
        // Too many open files, say.
        (ErrorKind::Other, ErrorKind::ConnectionRefused),
    ] {
        let (client, mut flows) = world(FlowConfig::default());
        let (outcome, ()) = soon(async {
            tokio::join!(
                async { client.tcp_connect(FAR[0]).await.unwrap_err() },
                async {
                    let Some(Flow::Tcp(syn)) = flows.accept().await else {
                        panic!("a connection")
                    };
                    let far: SocketAddr = FAR[0].parse().unwrap();
                    assert_eq!(syn.destination(), far);
                    syn.refuse_like(&kind.into());
                }
            )
        })
        .await;
        assert_eq!(outcome.kind(), expected);
        assert_eq!(flows.flow_count(), 0);
        assert_eq!(flows.counters().tcp_flows_refused, 1);
    }
}

#[tokio::test]
async fn a_flow_nobody_decides_upon_is_refused() {
    let timeouts = FlowTimeouts {
        hold: Duration::from_millis(200),
        ..FlowTimeouts::default()
    };
    let (client, mut flows) = world(FlowConfig::default().timeouts(timeouts));
    // Never taken.
    let error = soon(client.tcp_connect(FAR[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // Dropped.
    let (error, ()) = soon(async {
        tokio::join!(
            async { client.tcp_connect(FAR[1]).await.unwrap_err() },
            async {
                let Some(Flow::Tcp(syn)) = flows.accept().await else {
                    panic!("a connection")
                };
                assert_eq!(syn.destination(), FAR[1].parse().unwrap());
                drop(syn);
            }
        )
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // Kept, and decided upon too late.
    let (_, late) = soon(async {
        tokio::join!(client.tcp_connect(FAR[0]), async {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            tokio::time::sleep(Duration::from_millis(500)).await;
            syn.accept().await
        })
    })
    .await;
    assert!(late.is_err());
    assert_eq!(flows.flow_count(), 0);
}

#[tokio::test]
async fn a_listener_that_is_gone_refuses_newcomers() {
    let (client, mut flows) = world(FlowConfig::default());
    let (stream, kept) = soon(async {
        tokio::join!(client.tcp_connect(FAR[0]), async {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            syn.accept().await
        })
    })
    .await;
    let (mut stream, mut kept) = (stream.unwrap(), kept.unwrap());
    drop(flows);
    let error = soon(client.tcp_connect(FAR[0])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // What was open goes on.
    stream.write_all(b"still").await.unwrap();
    let mut buffer = [0; 5];
    soon(kept.read_exact(&mut buffer)).await.unwrap();
    assert_eq!(&buffer, b"still");
}

#[tokio::test]
async fn a_reader_that_is_slow_holds_the_writer_back() {
    const BUDGET: usize = 4 << 20;
    let (client, mut flows) = world(FlowConfig::default().memory_budget(BUDGET));
    let (stream, kept) = soon(async {
        tokio::join!(client.tcp_connect(FAR[0]), async {
            let Some(Flow::Tcp(syn)) = flows.accept().await else {
                panic!("a connection")
            };
            syn.accept().await
        })
    })
    .await;
    let (mut stream, mut kept) = (stream.unwrap(), kept.unwrap());
    let sent = pattern(12_000_000);
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        stream.write_all(&sent).await?;
        stream.shutdown().await?;
        Ok::<_, io::Error>(stream)
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!writer.is_finished(), "it is held back");
    assert!(flows.memory_in_use() <= BUDGET);
    let mut got = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = soon(kept.read(&mut buffer)).await.unwrap();
        if n == 0 {
            break;
        }
        got.extend_from_slice(&buffer[..n]);
        assert!(flows.memory_in_use() <= BUDGET);
    }
    assert!(got == expected);
    drop(soon(writer).await.unwrap().unwrap());
}

#[tokio::test]
async fn streams_are_copied_between_two_stacks() {
    // A proxy: what comes on one link goes out by another.
    let (client, mut flows) = world(FlowConfig::default());
    let (near, far) = crate::pair();
    let listener = far.tcp_listen("10.0.0.2:80").await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await?;
            all.reverse();
            stream.write_all(&all).await?;
            stream.shutdown().await?;
        }
        Ok::<_, io::Error>(())
    });
    tokio::spawn(async move {
        while let Some(flow) = flows.accept().await {
            let Flow::Tcp(syn) = flow else { continue };
            let near = near.clone();
            tokio::spawn(async move {
                match near.tcp_connect("10.0.0.2:80").await {
                    Ok(mut up) => {
                        copy_bidirectional(&mut syn.accept().await?, &mut up).await?;
                    }
                    Err(error) => syn.refuse_like(&error),
                }
                Ok::<_, io::Error>(())
            });
        }
    });
    for far in FAR {
        let mut stream = soon(client.tcp_connect(far)).await.unwrap();
        let mut sent = pattern(500_000);
        soon(stream.write_all(&sent)).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut got = Vec::new();
        soon(stream.read_to_end(&mut got)).await.unwrap();
        sent.reverse();
        assert_eq!(got, sent);
    }
}

#[tokio::test]
async fn datagrams_are_flows() {
    let timeouts = FlowTimeouts {
        udp_idle: Duration::from_secs(2),
        ..FlowTimeouts::default()
    };
    let (client, mut flows) = world(FlowConfig::default().timeouts(timeouts));
    for (refused, far) in FAR.into_iter().enumerate() {
        let far: SocketAddr = far.parse().unwrap();
        let at = if far.is_ipv4() {
            "10.0.0.1:5000"
        } else {
            "[fd00::1]:5000"
        };
        let socket = client.udp_bind(at).await.unwrap();
        socket.connect(far).await.unwrap();
        socket.send(b"one").await.unwrap();
        socket.send(b"two").await.unwrap();
        let Some(Flow::Udp(flow)) = soon(flows.accept()).await else {
            panic!("datagrams")
        };
        assert_eq!(flow.destination(), far);
        assert_eq!(flow.source(), at.parse().unwrap());
        let mut buffer = [0; 16];
        for expected in [b"one", b"two"] {
            let n = soon(flow.recv(&mut buffer)).await.unwrap();
            assert_eq!(&buffer[..n], expected);
        }
        flow.send(b"back").await.unwrap();
        assert_eq!(soon(socket.recv(&mut buffer)).await.unwrap(), 4);
        let long = flow.send(&[0; 2000]).await.unwrap_err();
        assert_eq!(long.kind(), ErrorKind::InvalidInput);
        flow.report(&ErrorKind::ConnectionRefused.into());
        let error = soon(socket.recv(&mut buffer)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // Nobody speaks: its time is over, for good.
        for _ in 0..2 {
            let error = soon(flow.recv(&mut buffer)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
        }
        socket.send(b"again").await.unwrap();
        let Some(Flow::Udp(next)) = soon(flows.accept()).await else {
            panic!("datagrams")
        };
        drop(flow);
        assert_eq!(flows.counters().udp_flows_refused, refused);
        next.refuse_like(&ErrorKind::HostUnreachable.into());
        assert_eq!(flows.counters().udp_flows_refused, refused + 1);
        let error = soon(socket.recv(&mut buffer)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostUnreachable);
        assert_eq!(flows.flow_count(), 0);
    }
}

#[tokio::test]
async fn echoes_are_flows() {
    let (client, mut flows) = world(FlowConfig::default());
    for far in FAR {
        let far: SocketAddr = far.parse().unwrap();
        let ping = client.net().echo_open().unwrap();
        ping.send_to(far.ip(), 7, None, b"data").unwrap();
        let Some(Flow::Echo(flow)) = soon(flows.accept()).await else {
            panic!("an echo")
        };
        assert_eq!(flow.destination().ip(), far.ip());
        let mut buffer = [0; 16];
        let (sequence, n) = soon(flow.recv(&mut buffer)).await.unwrap();
        assert_eq!((sequence, &buffer[..n]), (7, &b"data"[..]));
        flow.reply(sequence, &buffer[..n]).unwrap();
        let reply = tokio::task::spawn_blocking(move || {
            let mut buffer = [0; 16];
            let reply = ping.recv(&mut buffer);
            (ping, reply)
        });
        let (_ping, reply) = soon(reply).await.unwrap();
        let reply = reply.unwrap();
        assert_eq!((reply.sequence, reply.error), (7, None));
        assert_eq!(reply.from, far.ip());
    }
}

#[tokio::test]
async fn a_source_that_ends_ends_the_listener() {
    let (device, sender, _receiver) = packet_channel(1500, 4).unwrap();
    let mut flows = FlowListener::new(device, FlowConfig::default()).unwrap();
    sender.send(vec![0; 10]).await.unwrap();
    let other = sender.clone();
    drop(sender);
    drop(other);
    assert!(soon(flows.accept()).await.is_none());
    assert!(soon(flows.accept()).await.is_none());
}

#[tokio::test]
async fn only_bare_packets_are_flows() {
    let (ethernet, _other) = netloom_host::device::LinkEnd::pair(1500).unwrap();
    let error = FlowListener::new(ethernet, FlowConfig::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(packet_channel(10, 4).is_err() && packet_channel(1500, 0).is_err());
}

/// However the end of a flow is found out, it is found out by all who use it.
#[tokio::test]
async fn the_end_of_a_flow_is_told_to_all_its_users() {
    let timeouts = FlowTimeouts {
        udp_idle: Duration::from_millis(100),
        ..FlowTimeouts::default()
    };
    for receives in [true, false] {
        let (client, mut flows) = world(FlowConfig::default().timeouts(timeouts));
        let socket = client.udp_bind("10.0.0.1:5000").await.unwrap();
        socket.send_to(b"one", FAR[0]).await.unwrap();
        let Some(Flow::Udp(flow)) = soon(flows.accept()).await else {
            panic!("datagrams")
        };
        assert_eq!(soon(flow.recv(&mut [0; 16])).await.unwrap(), 3);
        let over = soon(async {
            loop {
                // Sending would keep it alive: its time passes first.
                tokio::time::sleep(Duration::from_millis(150)).await;
                let tried = if receives {
                    flow.try_recv(&mut [0; 16])
                } else {
                    flow.try_send(b"back")
                };
                match tried {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => break error.kind(),
                    Ok(_) => {}
                }
            }
        });
        assert_eq!(over.await, ErrorKind::TimedOut);
        let error = soon(flow.recv(&mut [0; 16])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let error = flow.try_send(b"again").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}
