use std::io::ErrorKind;
use std::time::Instant;

use netloom::{LinkEnd, TcpListener as Listening};

use super::*;

/// How long to wait for what must come. Only a failing test waits this long.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A relay, and the netloom listener it carries connections to.
fn relay() -> (SocketAddr, Listening) {
    relay_within(LIMITS)
}

fn relay_within(limits: Limits) -> (SocketAddr, Listening) {
    let (left, right) = LinkEnd::pair(1500).unwrap();
    let client = left.address("10.71.0.1/24").start().unwrap();
    let server = right.address("10.71.0.2/24").start().unwrap();
    let listener = server.tcp_listen("10.71.0.2:80").unwrap();
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = kernel.local_addr().unwrap();
    thread::spawn(move || run_within(&limits, &kernel, &client, "10.71.0.2:80".parse().unwrap()));
    (address, listener)
}

#[test]
fn bytes_and_ends_go_both_ways() {
    let (address, listener) = relay();
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let sent: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = &client;
            client.write_all(&sent).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        });
        let mut received = Vec::new();
        server.read_to_end(&mut received).unwrap();
        assert!(received == sent);
    });
    // The other direction is still open.
    server.write_all(b"after the end").unwrap();
    drop(server);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "after the end");
}

#[test]
fn a_reset_of_the_server_reaches_the_client() {
    let (address, listener) = relay();
    let mut client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    server.abort().unwrap();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_reset_of_the_client_reaches_the_server() {
    let (address, listener) = relay();
    let client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    reset(&client);
    drop(client);
    let error = server.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_refusal_reaches_the_client() {
    let (address, listener) = relay();
    drop(listener);
    let mut client = TcpStream::connect(address).unwrap();
    let error = client.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Limits under which nobody is given up but as the test says.
pub(super) const PATIENT: Limits = Limits {
    connections: 2048,
    room: Duration::from_secs(3600),
    stuck: Duration::from_secs(3600),
    going: Duration::from_secs(1),
    linger: Duration::from_secs(3600),
    idle: Duration::from_secs(3600),
    watch: Duration::from_millis(10),
};

/// Says what whoever says something has said.
fn answer_whoever_speaks(listener: Listening) {
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                let mut word = [0; 5];
                if stream.read_exact(&mut word).is_ok() {
                    let _ = stream.write_all(&word);
                }
            });
        }
    });
}

#[test]
fn silent_clients_make_room_for_one_that_speaks() {
    let (address, listener) = relay_within(Limits {
        connections: 4,
        room: Duration::from_millis(50),
        ..PATIENT
    });
    answer_whoever_speaks(listener);
    let silent: Vec<_> = (0..12)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello");
    drop(silent);
}

#[test]
fn clients_that_do_not_listen_make_room_for_one_that_does() {
    let (address, listener) = relay_within(Limits {
        connections: 2,
        stuck: Duration::from_millis(50),
        ..PATIENT
    });
    // Sends more than a client takes that never reads.
    thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || while stream.write_all(&[1; 65536]).is_ok() {});
        }
    });
    let deaf: Vec<_> = (0..6)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.read_exact(&mut [0; 5]).unwrap();
    drop(deaf);
}

#[test]
fn a_client_ends_soon_after_its_server_did() {
    let (address, listener) = relay_within(Limits {
        linger: Duration::from_millis(50),
        ..PATIENT
    });
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.write_all(b"the end").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    // The server sees that it is over, though the client says nothing more.
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let error = server.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // For the client all is in order.
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "the end");
}

/// Longer than all buffers between a server and its client.
pub(super) fn file() -> Vec<u8> {
    (0..6_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A client with little room, so that the kernel has much for it.
pub(super) fn connect_with_little_room(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(64 * 1024).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

#[test]
fn a_slow_reader_gets_all_while_silent_clients_make_room() {
    const LAST: usize = 512 * 1024;
    let short = Duration::from_secs(1);
    let (address, listener) = relay_within(Limits {
        connections: 4,
        room: short,
        linger: short,
        ..PATIENT
    });
    let sent = file();
    let mut slow = connect_with_little_room(address);
    // One that has asked is not silent, however long the server takes to begin.
    slow.write_all(b"?").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.read_exact(&mut [0; 1]).unwrap();
    answer_whoever_speaks(listener);
    thread::scope(|scope| {
        scope.spawn(|| {
            server.write_all(&sent).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        let reader = scope.spawn(|| {
            let mut received = vec![0; sent.len()];
            let (most, last) = received.split_at_mut(sent.len() - LAST);
            slow.read_exact(most).unwrap();
            // The server is done, and the client takes longer than any may that is silent.
            thread::sleep(3 * short);
            slow.read_exact(last).unwrap();
            assert_eq!(slow.read(&mut [0; 1]).unwrap(), 0, "an end in order");
            received
        });
        // More say nothing than may be carried, and still somebody who speaks is heard.
        let silent: Vec<_> = (0..8)
            .map(|_| TcpStream::connect(address).unwrap())
            .collect();
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        assert!(reader.join().unwrap() == sent);
        drop(silent);
    });
}

#[test]
fn a_silent_connection_ends() {
    let (address, listener) = relay_within(Limits {
        idle: Duration::from_secs(3),
        ..PATIENT
    });
    let mut client = TcpStream::connect(address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    // Not while something moves.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        client.write_all(b"x").unwrap();
        server.read_exact(&mut [0; 1]).unwrap();
    }
    let error = server.read(&mut [0; 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(ends(&mut client));
}

/// Whether a connection ends, in order or not, rather than say nothing more.
fn ends(stream: &mut TcpStream) -> bool {
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}
