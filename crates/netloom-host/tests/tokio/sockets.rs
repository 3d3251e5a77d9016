use std::cell::Cell;
use std::io::{self, ErrorKind, IoSlice};
use std::rc::Rc;
use std::time::Duration;

use netloom_host::tokio::TcpStream;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};

use crate::{pair, pattern, soon};

const ADDRESSES: [(&str, &str); 2] = [("10.0.0.2:0", "10.0.0.2"), ("[fd00::2]:0", "fd00::2")];

async fn connected(at: &str) -> (TcpStream, TcpStream) {
    let (left, right) = pair();
    let listener = right.tcp_listen(at).await.unwrap();
    let to = listener.local_addr().unwrap();
    let (client, accepted) =
        soon(async { tokio::join!(left.tcp_connect(to), listener.accept()) }).await;
    let (server, peer) = accepted.unwrap();
    let client = client.unwrap();
    assert_eq!(client.local_addr().unwrap(), peer);
    assert_eq!(client.peer_addr().unwrap(), to);
    (client, server)
}

#[tokio::test]
async fn streams_carry_bytes_both_ways() {
    for (at, _) in ADDRESSES {
        let (client, server) = connected(at).await;
        let sent = pattern(3_000_000);
        let (mut from_client, mut to_server) = client.into_split();
        let (mut from_server, mut to_client) = server.into_split();
        let (up, down) = (sent.clone(), sent.clone());
        let writers = [
            tokio::spawn(async move { to_server.write_all(&up).await }),
            tokio::spawn(async move { to_client.write_all(&down).await }),
        ];
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let read = soon(async {
            tokio::try_join!(
                from_client.read_to_end(&mut left),
                from_server.read_to_end(&mut right)
            )
        })
        .await;
        read.unwrap();
        for writer in writers {
            writer.await.unwrap().unwrap();
        }
        assert!(left == sent && right == sent);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_connections_on_several_threads() {
    let (left, right) = pair();
    let listener = right.tcp_listen("10.0.0.2:80").await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await?;
                writer.shutdown().await
            });
        }
    });
    let mut clients = Vec::new();
    for n in 0..100_usize {
        let left = left.clone();
        clients.push(tokio::spawn(async move {
            let mut stream = left.tcp_connect("10.0.0.2:80").await?;
            let sent = pattern(1000 + n * 100);
            stream.write_all(&sent).await?;
            stream.shutdown().await?;
            let mut got = Vec::new();
            stream.read_to_end(&mut got).await?;
            assert_eq!(got, sent);
            Ok::<_, io::Error>(())
        }));
    }
    for client in clients {
        soon(client).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn of_several_addresses_and_a_names_the_first_that_answers_is_taken() {
    let runtime = tokio::runtime::Handle::current();
    let (left, right) = netloom_host::device::LinkEnd::pair(1500).unwrap();
    let left = left
        .address("10.0.0.1/24")
        .address("fd00::1/64")
        .host("other.test", "fd00::9")
        .host("other.test", "10.0.0.2");
    let left = left.start_on(&runtime).unwrap().tokio();
    let right = right.address("10.0.0.2/24").start_on(&runtime).unwrap();
    let listener = right.tokio().tcp_listen("10.0.0.2:80").await.unwrap();
    let at: std::net::SocketAddr = "10.0.0.2:80".parse().unwrap();
    let addresses = ["10.0.0.2:9".parse().unwrap(), at];
    let (named, several) = soon(async {
        let named = left.tcp_connect("other.test:80").await;
        (named, left.tcp_connect(addresses.as_slice()).await)
    })
    .await;
    for stream in [named.unwrap(), several.unwrap()] {
        assert_eq!(stream.peer_addr().unwrap(), at);
        let (mut accepted, _) = soon(listener.accept()).await.unwrap();
        accepted.write_all(b"it").await.unwrap();
        drop(accepted);
        let mut text = String::new();
        let mut stream = stream;
        soon(stream.read_to_string(&mut text)).await.unwrap();
        assert_eq!(text, "it");
    }
    // A future that is dropped gives its attempts up.
    let silent: Vec<_> = ["10.0.0.7:1", "10.0.0.8:1"]
        .map(|at| at.parse().unwrap())
        .into();
    let waiting = left.tcp_connect(silent.as_slice());
    tokio::select! {
        biased;
        _ = waiting => panic!("nobody is there"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(left.net().usage().udp, 0);
}

#[tokio::test]
async fn a_refused_connection_says_so() {
    let (left, _right) = pair();
    let error = soon(left.tcp_connect("10.0.0.2:9")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = left.tcp_connect("a name").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn trying_never_waits() {
    let (client, server) = connected("10.0.0.2:0").await;
    let mut buffer = [0; 64];
    let empty = client.try_read(&mut buffer).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    let mut written = 0;
    let full = loop {
        match client.try_write(&[7; 10_000]) {
            Ok(n) => written += n,
            Err(error) => break error,
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    // Readiness follows.
    let mut read = 0;
    let mut buffer = vec![0; 1 << 16];
    while read < written {
        soon(server.readable()).await.unwrap();
        match server.try_read(&mut buffer) {
            Ok(n) => read += n,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    soon(client.writable()).await.unwrap();
    assert!(client.try_write(b"more").is_ok());
    let mut one = [0; 1];
    assert_eq!(soon(server.peek(&mut one)).await.unwrap(), 1);
    assert_eq!(server.try_read(&mut buffer).unwrap(), 4);
    let ready = soon(client.ready(Interest::READABLE | Interest::WRITABLE))
        .await
        .unwrap();
    assert!(ready.is_writable() && !ready.is_readable());
    drop(server);
    let ready = soon(client.ready(Interest::READABLE)).await.unwrap();
    assert!(ready.is_readable() && ready.is_read_closed());
}

#[tokio::test]
async fn vectored_writes_and_halves() {
    let (client, mut server) = connected("10.0.0.2:0").await;
    assert!(client.is_write_vectored());
    let (read, mut write) = client.into_split();
    let parts = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(write.write_vectored(&parts).await.unwrap(), 7);
    let mut buffer = [0; 7];
    soon(server.read_exact(&mut buffer)).await.unwrap();
    assert_eq!(&buffer, b"one two");
    let client = read.reunite(write).unwrap();
    let (_read, write) = client.into_split();
    drop(write);
    assert_eq!(soon(server.read(&mut buffer)).await.unwrap(), 0, "finished");
    let (first, _server) = connected("10.0.0.2:0").await;
    let (second, _server) = connected("10.0.0.2:0").await;
    let (read, _write) = first.into_split();
    let (_read, write) = second.into_split();
    assert!(read.reunite(write).is_err());
}

#[tokio::test]
async fn a_cancelled_read_loses_nothing() {
    let (mut client, mut server) = connected("10.0.0.2:0").await;
    let sent = pattern(200_000);
    let expected = sent.clone();
    let writer = tokio::spawn(async move {
        for piece in sent.chunks(700) {
            client.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        client
    });
    let mut got = Vec::new();
    let mut buffer = [0; 333];
    soon(async {
        while got.len() < expected.len() {
            tokio::select! {
                biased;
                () = tokio::time::sleep(Duration::from_micros(50)) => {}
                n = server.read(&mut buffer) => got.extend_from_slice(&buffer[..n.unwrap()]),
            }
        }
    })
    .await;
    assert_eq!(got, expected);
    drop(writer.await.unwrap());
}

#[tokio::test]
async fn datagrams() {
    for (at, host) in ADDRESSES {
        let (left, right) = pair();
        let server = right.udp_bind(at).await.unwrap();
        let to = server.local_addr().unwrap();
        let client = left
            .udp_bind(if host.contains(':') {
                "[::]:0"
            } else {
                "0.0.0.0:0"
            })
            .await
            .unwrap();
        client.connect(to).await.unwrap();
        assert_eq!(client.send(b"ping").await.unwrap(), 4);
        let mut buffer = [0; 16];
        let (n, from) = soon(server.peek_from(&mut buffer)).await.unwrap();
        assert_eq!(n, 4);
        soon(server.readable()).await.unwrap();
        assert_eq!(server.try_recv_from(&mut buffer).unwrap(), (4, from));
        let empty = server.try_recv(&mut buffer).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::WouldBlock);
        server.send_to(b"pong!", from).await.unwrap();
        assert_eq!(soon(client.recv(&mut buffer)).await.unwrap(), 5);
        soon(client.writable()).await.unwrap();
        drop(server);
        client.try_send(b"gone?").unwrap();
        let error = soon(client.recv(&mut buffer)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
}

#[tokio::test]
async fn blocking_sockets_go_on_beside() {
    let (left, right) = pair();
    let listener = right.tcp_listen("10.0.0.2:80").await.unwrap();
    let net = left.net().clone();
    let blocking = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = net.tcp_connect("10.0.0.2:80")?;
        stream.write_all(b"hello")?;
        let mut buffer = [0; 5];
        stream.read_exact(&mut buffer)?;
        Ok::<_, io::Error>(buffer)
    });
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    let mut buffer = [0; 5];
    soon(stream.read_exact(&mut buffer)).await.unwrap();
    stream.write_all(&buffer).await.unwrap();
    assert_eq!(&soon(blocking).await.unwrap().unwrap(), b"hello");
}

#[test]
fn the_end_of_the_runtime_is_told_to_all() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let net = runtime.block_on(async { pair() }).0;
    let blocking = net.net().udp_bind("10.0.0.1:7").unwrap();
    drop(runtime);
    let error = blocking.recv_from(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConnected);
}

/// Counts how often a future is polled.
async fn counted<T>(polls: Rc<Cell<usize>>, future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        polls.set(polls.get() + 1);
        future.as_mut().poll(cx)
    })
    .await
}

#[tokio::test]
async fn many_tasks_wait_for_one_socket_and_sleep() {
    const TASKS: usize = 100;
    let (_left, right) = pair();
    let socket = Rc::new(right.udp_bind("10.0.0.2:9").await.unwrap());
    let polls = Rc::<Cell<usize>>::default();
    let tasks = tokio::task::LocalSet::new();
    for _ in 0..TASKS {
        let (socket, polls) = (Rc::clone(&socket), Rc::clone(&polls));
        tasks.spawn_local(counted(polls, async move { socket.readable().await }));
    }
    let turns = async {
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        polls.get()
    };
    let before = tasks.run_until(turns).await;
    assert!(before >= TASKS);
    let turns = async {
        for _ in 0..300 {
            tokio::task::yield_now().await;
        }
        polls.get()
    };
    assert_eq!(tasks.run_until(turns).await, before, "they wake each other");
}

/// The runtime has gone before it ever ran the driver: whoever waits is told.
#[test]
fn a_runtime_that_never_ran_ends_its_stacks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (end, _other) = netloom_host::device::LinkEnd::pair(1500).unwrap();
    let net = end
        .address("10.0.0.1/24")
        .start_on(runtime.handle())
        .unwrap();
    let socket = net.udp_bind("10.0.0.1:9").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    drop(runtime);
    let error = socket.recv(&mut [0; 1]).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "nobody has told it");
}

#[tokio::test]
async fn peeking_tells_of_a_closed_port() {
    let (left, _right) = pair();
    let socket = left.udp_bind("10.0.0.1:0").await.unwrap();
    socket.connect("10.0.0.2:9").await.unwrap();
    socket.send(b"anybody there?").await.unwrap();
    let error = soon(socket.peek_from(&mut [0; 4])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}
