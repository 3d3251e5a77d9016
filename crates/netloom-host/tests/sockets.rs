//! Sockets between two stacks on a link in memory.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::LinkEnd;
use netloom_host::net::{Error, Keepalive, Net, Reason, TcpListener, TcpStream};
use netloom_stack::CloseReason;
use netloom_stack::icmp::EchoError;

/// Two stacks, 10.0.0.1 and fd00::1, 10.0.0.2 and fd00::2.
fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").address("fd00::1/64").start();
    let b = b.address("10.0.0.2/24").address("fd00::2/64").start();
    (a.unwrap(), b.unwrap())
}

/// A connection between the stacks of a pair, which it keeps running.
fn connected() -> (TcpStream, TcpStream) {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let client = a.tcp_connect("10.0.0.2:80").unwrap();
    (client, listener.accept().unwrap().0)
}

/// Bytes no two parts of which are the same.
fn pattern(len: usize) -> Vec<u8> {
    (0..len.div_ceil(4) as u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .take(len)
        .collect()
}

/// Sends back what comes on every connection, for ever.
fn echo(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || std::io::copy(&mut stream.try_clone().unwrap(), &mut stream));
        }
    });
}

#[test]
fn four_megabytes_there_and_back_over_both_versions() {
    for (listen, connect) in [
        ("10.0.0.2:7", "10.0.0.2:7"),
        ("[fd00::2]:7", "[fd00::2]:7"),
        ("[::]:7", "10.0.0.2:7"),
        ("[::]:7", "[fd00::2]:7"),
    ] {
        let (a, b) = pair();
        echo(b.tcp_listen(listen).unwrap());
        let stream = a.tcp_connect(connect).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), connect.parse().unwrap());
        let sent = pattern(4 << 20);
        let received = thread::scope(|scope| {
            scope.spawn(|| {
                (&stream).write_all(&sent).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
            });
            let mut received = Vec::new();
            (&stream).read_to_end(&mut received).unwrap();
            received
        });
        assert!(received == sent, "{connect}");
    }
}

#[test]
fn both_ends_agree_on_their_addresses() {
    let (a, b) = pair();
    let listener = b.tcp_listen("0.0.0.0:0").unwrap();
    let at = listener.local_addr().unwrap();
    assert!(at.ip().is_unspecified() && at.port() != 0);
    let from: SocketAddr = "10.0.0.1:5000".parse().unwrap();
    let client = a.tcp_connect_from(from, ("10.0.0.2", at.port())).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(client.local_addr().unwrap(), from);
    assert_eq!(peer, from);
    assert_eq!(server.peer_addr().unwrap(), from);
    assert_eq!(server.local_addr().unwrap(), client.peer_addr().unwrap());
}

#[test]
fn a_stack_talks_to_itself() {
    let (a, _b) = pair();
    for address in ["10.0.0.1:7", "127.0.0.1:8", "[fd00::1]:9", "[::1]:10"] {
        echo(a.tcp_listen(address).unwrap());
        let mut stream = a.tcp_connect(address).unwrap();
        stream.write_all(&pattern(100_000)).unwrap();
        let mut received = vec![0; 100_000];
        stream.read_exact(&mut received).unwrap();
        assert!(received == pattern(100_000), "{address}");
    }
}

#[test]
fn connecting_fails_as_it_does_elsewhere() {
    let (a, _b) = pair();
    let refused = a.tcp_connect("10.0.0.2:81").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let reason = Reason::Closed(CloseReason::Refused);
    assert_eq!(Error::of(&refused).map(Error::reason), Some(&reason));
    let nowhere = a.tcp_connect("192.0.2.1:80").unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NetworkUnreachable);
    // However late we look again, that nobody is there has not been found out before.
    a.set_tunable("neigh_retrans_time_ms", 60_000).unwrap();
    let late = a
        .tcp_connect_timeout(&"10.0.0.98:80".parse().unwrap(), Duration::from_millis(20))
        .unwrap_err();
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    a.set_tunable("neigh_retrans_time_ms", 1000).unwrap();
    let silent = a.tcp_connect("10.0.0.99:80").unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::HostUnreachable);
    for wrong in ["localhost:80", "224.0.0.1:80", "10.0.0.2:0"] {
        let error = a.tcp_connect(wrong).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{wrong}");
    }
    let zero = a.tcp_connect_timeout(&"10.0.0.2:80".parse().unwrap(), Duration::ZERO);
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn of_several_addresses_the_first_that_answers_is_taken() {
    let (a, b) = pair();
    let _listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let both: [SocketAddr; 2] = ["10.0.0.2:81", "10.0.0.2:80"].map(|a| a.parse().unwrap());
    let stream = a.tcp_connect(both.as_slice()).unwrap();
    assert_eq!(stream.peer_addr().unwrap(), both[1]);
}

#[test]
fn listening_fails_as_it_does_elsewhere() {
    let (a, _b) = pair();
    let _first = a.tcp_listen("0.0.0.0:80").unwrap();
    let again = a.tcp_listen("0.0.0.0:80").unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AddrInUse);
    let both = a.tcp_listen("[::]:80").unwrap_err();
    assert_eq!(both.kind(), ErrorKind::AddrInUse);
    let foreign = a.tcp_listen("10.0.0.2:80").unwrap_err();
    assert_eq!(foreign.kind(), ErrorKind::AddrNotAvailable);
}

#[test]
fn a_read_times_out_and_the_connection_goes_on() {
    let (mut client, mut server) = connected();
    let time = Duration::from_millis(30);
    client.set_read_timeout(Some(time)).unwrap();
    assert_eq!(client.read_timeout().unwrap(), Some(time));
    let start = Instant::now();
    let error = client.read(&mut [0; 8]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(start.elapsed() >= time);
    client.set_read_timeout(None).unwrap();
    server.write_all(b"late").unwrap();
    let mut buffer = [0; 4];
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"late");
    let zero = client.set_read_timeout(Some(Duration::ZERO));
    assert_eq!(zero.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_write_that_nobody_reads_times_out() {
    let (mut client, server) = connected();
    client
        .set_write_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let error = loop {
        if let Err(error) = client.write(&[0; 65536]) {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    // It goes on as soon as somebody reads.
    thread::scope(|scope| {
        scope.spawn(|| std::io::copy(&mut &server, &mut std::io::sink()).unwrap());
        client.set_write_timeout(None).unwrap();
        client.write_all(&[0; 1 << 20]).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
    });
}

#[test]
fn nonblocking_calls_say_so() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    client.set_nonblocking(true).unwrap();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    let full = loop {
        if let Err(error) = client.write(&[0; 65536]) {
            break error;
        }
    };
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
}

#[test]
fn peeking_leaves_the_bytes() {
    let (mut client, mut server) = connected();
    server.write_all(b"twice").unwrap();
    let mut buffer = [0; 8];
    while client.peek(&mut buffer).unwrap() < 5 {}
    assert_eq!(&buffer[..5], b"twice");
    assert_eq!(client.read(&mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"twice");
}

#[test]
fn clones_are_one_connection_and_the_last_closes_it() {
    let (client, mut server) = connected();
    let clone = client.try_clone().unwrap();
    drop(client);
    (&clone).write_all(b"still open").unwrap();
    drop(clone);
    let mut received = String::new();
    server.read_to_string(&mut received).unwrap();
    assert_eq!(received, "still open");
}

#[test]
fn half_closed_connections_carry_the_other_direction() {
    let (mut client, mut server) = connected();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        client.write(b"x").unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut question = String::new();
    server.read_to_string(&mut question).unwrap();
    server.write_all(b"answer").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
    assert_eq!(client.take_error().unwrap().map(|e| e.kind()), None);
}

#[test]
fn shutting_down_reading_ends_a_blocked_read() {
    let (client, _server) = connected();
    thread::scope(|scope| {
        let reader = scope.spawn(|| (&client).read(&mut [0; 1]));
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap().unwrap(), 0);
    });
}

#[test]
fn a_reset_ends_blocked_calls_and_is_told_once() {
    let (mut client, server) = connected();
    thread::scope(|scope| {
        let reader = scope.spawn(|| (&server).read(&mut [0; 1]));
        client.abort().unwrap();
        let error = reader.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
    assert_eq!(server.close_reason(), Some(CloseReason::PeerReset));
    let told = server.take_error().unwrap().map(|error| error.kind());
    assert_eq!(told, Some(ErrorKind::ConnectionReset));
    assert!(server.take_error().unwrap().is_none());
    assert_eq!(
        client.write(b"x").unwrap_err().kind(),
        ErrorKind::ConnectionAborted
    );
}

#[test]
fn dropping_with_unread_data_resets() {
    let (mut client, mut server) = connected();
    client.write_all(b"never read").unwrap();
    server.peek(&mut [0; 1]).unwrap();
    // The client hears of it while it waits for an answer.
    server.write_all(b"").unwrap();
    drop(server);
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn several_buffers_in_one_call() {
    let (mut client, mut server) = connected();
    let parts = [
        IoSlice::new(b"one "),
        IoSlice::new(b""),
        IoSlice::new(b"two"),
    ];
    assert_eq!(client.write_vectored(&parts).unwrap(), 7);
    while server.peek(&mut [0; 8]).unwrap() < 7 {}
    let (mut first, mut second) = ([0; 3], [0; 8]);
    let mut buffers = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(server.read_vectored(&mut buffers).unwrap(), 7);
    assert_eq!((&first, &second[..4]), (b"one", &b" two"[..]));
}

#[test]
fn what_was_written_arrives_although_everything_is_dropped() {
    let sent = pattern(300_000);
    // The last handle waits 900 ms for what was written to be taken. A machine that has other
    // things to do for so long cuts it: then once more.
    let arrives = || {
        let (a, b) = pair();
        let listener = b.tcp_listen("10.0.0.2:80").unwrap();
        let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
        client.write_all(&sent).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        drop((a, client));
        server
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut received = Vec::new();
        let ended = server.read_to_end(&mut received);
        // Whatever came is right.
        assert!(sent.starts_with(&received));
        ended.is_ok() && received == sent
    };
    assert!((0..3).any(|_| arrives()));
}

#[test]
fn a_stack_without_handles_ends_although_a_peer_is_silent() {
    let (a, b) = pair();
    let _listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    // More than the other side takes while nobody reads: it can never be delivered.
    client.set_nonblocking(true).unwrap();
    while client.write(&[0; 65536]).is_ok() {}
    drop((a, client));
}

#[test]
fn connections_go_to_whoever_accepts() {
    let (a, b) = pair();
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let (sender, accepted) = mpsc::channel();
    for _ in 0..4 {
        let (listener, sender) = (listener.try_clone().unwrap(), sender.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                // Nobody accepts with this thread again until the stream is dropped elsewhere.
                sender.send(stream.unwrap()).unwrap();
            }
        });
    }
    let clients: Vec<_> = (0..100)
        .map(|_| a.tcp_connect("10.0.0.2:80").unwrap())
        .collect();
    let mut peers: Vec<_> = (0..100)
        .map(|_| accepted.recv().unwrap().peer_addr().unwrap())
        .collect();
    let mut expected: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
    peers.sort_unstable();
    expected.sort_unstable();
    assert_eq!(peers, expected);
}

#[test]
fn three_hundred_connections_at_once() {
    let (a, b) = pair();
    echo(b.tcp_listen("10.0.0.2:7").unwrap());
    thread::scope(|scope| {
        for i in 0..300_usize {
            let a = &a;
            scope.spawn(move || {
                let mut stream = a.tcp_connect("10.0.0.2:7").unwrap();
                for round in 0..10 {
                    let sent = pattern(1000 + i * 7 + round);
                    stream.write_all(&sent).unwrap();
                    let mut received = vec![0; sent.len()];
                    stream.read_exact(&mut received).unwrap();
                    assert!(received == sent);
                }
            });
        }
    });
}

#[test]
fn options_are_checked() {
    let (client, _server) = connected();
    client.set_nodelay(true).unwrap();
    client.set_ttl(1).unwrap();
    for ttl in [0, 256] {
        assert_eq!(
            client.set_ttl(ttl).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    }
    let mut keepalive = Keepalive {
        idle: Duration::from_secs(30),
        interval: Duration::from_secs(5),
        count: 3,
    };
    client.set_keepalive(Some(keepalive)).unwrap();
    keepalive.count = 1;
    let error = client.set_keepalive(Some(keepalive)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    // It says what the limits are, as it does for connections to come.
    let socket = pair().0.tcp_socket().unwrap();
    let before = socket.keepalive(Some(keepalive)).unwrap_err();
    assert_eq!(error.to_string(), before.to_string());
    assert!(error.to_string().contains("2 probes"), "{error}");
    client.set_linger(Some(Duration::from_secs(1))).unwrap();
    client
        .set_user_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let info = client.tcp_info().unwrap();
    assert!(
        info.sack && info.timestamps && info.snd_mss == 1448,
        "{info:?}"
    );
}

#[test]
fn tunables_have_names() {
    let (a, _b) = pair();
    assert_eq!(a.tunable("ip_default_ttl").unwrap().value, 64);
    a.set_tunable("ip_default_ttl", 32).unwrap();
    assert_eq!(a.tunable("ip_default_ttl").unwrap().value, 32);
    let out = a.set_tunable("ip_default_ttl", 256).unwrap_err();
    assert_eq!(out.kind(), ErrorKind::InvalidInput);
    let unknown = a.set_tunable("no_such_thing", 1).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}

#[test]
fn a_builder_tells_what_was_wrong() {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let error = a.address("10.0.0.1").address("ten").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("`ten`"), "{error}");
    let error = b.address("224.0.0.1/8").start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn datagrams_with_their_senders() {
    for (bind, to, from) in [
        ("0.0.0.0:53", "10.0.0.2:53", "10.0.0.1:5000"),
        ("[::]:53", "10.0.0.2:53", "10.0.0.1:5000"),
        ("[::]:53", "[fd00::2]:53", "[fd00::1]:5000"),
    ] {
        let (a, b) = pair();
        let server = b.udp_bind(bind).unwrap();
        let client = a.udp_bind(from).unwrap();
        assert_eq!(client.send_to(b"question", to).unwrap(), 8);
        let mut buffer = [0; 16];
        let peeked = server.peek_from(&mut buffer).unwrap();
        assert_eq!(peeked, (8, from.parse().unwrap()));
        let (len, peer) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(
            (&buffer[..len], peer),
            (&b"question"[..], from.parse().unwrap())
        );
        client.connect(to).unwrap();
        assert_eq!(client.peer_addr().unwrap(), to.parse().unwrap());
        server.send_to(b"answer", peer).unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 6);
        client.send(b"!").unwrap();
        assert_eq!(server.recv(&mut buffer).unwrap(), 1);
    }
}

#[test]
fn datagrams_fail_as_they_do_elsewhere() {
    let (a, b) = pair();
    let socket = a.udp_bind("10.0.0.1:0").unwrap();
    assert_ne!(socket.local_addr().unwrap().port(), 0);
    socket
        .set_read_timeout(Some(Duration::from_millis(20)))
        .unwrap();
    let none = socket.recv_from(&mut [0; 1]).unwrap_err();
    assert_eq!(none.kind(), ErrorKind::WouldBlock);
    let unconnected = socket.send(b"x").unwrap_err();
    assert_eq!(unconnected.kind(), ErrorKind::NotConnected);
    let long = socket.send_to(&[0; 1473], "10.0.0.2:9").unwrap_err();
    assert_eq!(long.kind(), ErrorKind::InvalidInput);
    assert_eq!(socket.send_to(&[0; 1472], "10.0.0.2:8").unwrap(), 1472);
    let broadcast = socket.send_to(b"x", "10.0.0.255:9").unwrap_err();
    assert_eq!(broadcast.kind(), ErrorKind::PermissionDenied);
    let everybody = b.udp_bind("0.0.0.0:9").unwrap();
    socket.set_broadcast(true).unwrap();
    socket.send_to(b"x", "10.0.0.255:9").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(everybody.recv(&mut buffer).unwrap(), 1);
    let nowhere = socket.send_to(b"x", "192.0.2.1:9").unwrap_err();
    assert_eq!(nowhere.kind(), ErrorKind::NetworkUnreachable);
    socket.set_read_timeout(None).unwrap();
    socket.connect("10.0.0.2:1").unwrap();
    socket.send(b"anybody there?").unwrap();
    let refused = socket.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let reason = Reason::Stack(netloom_stack::Error::PortUnreachable);
    assert_eq!(Error::of(&refused).map(Error::reason), Some(&reason));
}

/// More than the queue holds: the sender waits for room instead of losing datagrams. What overflows
/// is the receiver's queue, and what comes through comes in order.
#[test]
fn a_sender_waits_for_room() {
    let (a, b) = pair();
    let server = b.udp_bind("10.0.0.2:9").unwrap();
    let client = a.udp_bind("10.0.0.1:0").unwrap();
    client.connect("10.0.0.2:9").unwrap();
    thread::scope(|scope| {
        // Dropped when the receiver is done, or has failed.
        let (_receiving, is_over) = mpsc::channel::<()>();
        let client = &client;
        scope.spawn(move || {
            for i in 0..1000_u32 {
                client
                    .send(&[i.to_le_bytes().as_slice(), &[0; 1000]].concat())
                    .unwrap();
            }
            // The queue may have no room for any one of these, but it has when it was emptied.
            let pause = Duration::from_millis(1);
            while is_over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                client.send(b"end").unwrap();
            }
        });
        let mut buffer = [0; 2000];
        let mut last = None;
        server
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        while let len @ 4.. = server.recv(&mut buffer).unwrap() {
            let number = u32::from_le_bytes(buffer[..4].try_into().unwrap());
            assert!(last < Some(number) && len == 1004);
            last = Some(number);
        }
    });
}

/// ICMP's answer about somebody else comes first on this link, which keeps order.
#[test]
fn an_unconnected_socket_does_not_fail_for_one_peer_that_is_gone() {
    let (a, b) = pair();
    let server = b.udp_bind("10.0.0.2:9").unwrap();
    let socket = a.udp_bind("10.0.0.1:0").unwrap();
    socket.send_to(b"nobody is there", "10.0.0.2:8").unwrap();
    socket.send_to(b"question", "10.0.0.2:9").unwrap();
    let mut buffer = [0; 16];
    let (_, peer) = server.recv_from(&mut buffer).unwrap();
    server.send_to(b"answer", peer).unwrap();
    assert_eq!(socket.recv_from(&mut buffer).unwrap().0, 6);
}

/// Nothing else is under way that would wake the driver for it.
#[test]
fn a_call_that_makes_something_due_wakes_the_sleeping_driver() {
    let (a, _b) = pair();
    thread::sleep(Duration::from_millis(50));
    let silent = a.tcp_connect("10.0.0.99:80").unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::HostUnreachable);
}

#[test]
fn echoes_are_answered_and_silence_is_told() {
    let (a, _b) = pair();
    let echo = a.echo_open().unwrap();
    echo.set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    for (sequence, to) in (0..).zip(["10.0.0.2", "fd00::2", "10.0.0.1"]) {
        let to = to.parse().unwrap();
        let data = pattern(100 + usize::from(sequence));
        let sent = echo.send_to(to, sequence, None, &data).unwrap();
        let mut received = [0; 200];
        let reply = echo.recv(&mut received).unwrap();
        assert_eq!(
            (reply.from, reply.sequence, reply.error),
            (to, sequence, None)
        );
        assert_eq!(received[..reply.len], data);
        let round_trip = reply.at.duration_since(sent);
        assert!(round_trip < Duration::from_secs(10), "{round_trip:?}");
    }
    let nobody = "10.0.0.77".parse().unwrap();
    echo.send_to(nobody, 7, Some(1), b"").unwrap();
    let reply = echo.recv(&mut []).unwrap();
    assert_eq!(reply.error, Some(EchoError::HostUnreachable));
    assert_eq!(reply.from, "10.0.0.1".parse::<std::net::IpAddr>().unwrap());
    echo.set_read_timeout(Some(Duration::from_millis(10)))
        .unwrap();
    assert_eq!(
        echo.recv(&mut []).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    let too_long = echo.send_to("10.0.0.2".parse().unwrap(), 8, None, &[0; 1473]);
    assert_eq!(too_long.unwrap_err().kind(), ErrorKind::InvalidInput);
}
