use std::io::ErrorKind;

use netloom::{LinkEnd, TcpListener as Listening};

use super::*;

/// A relay, and the netloom listener it carries connections to.
fn relay() -> (SocketAddr, Listening) {
    let (left, right) = LinkEnd::pair(1500).unwrap();
    let client = left.address("10.71.0.1/24").start().unwrap();
    let server = right.address("10.71.0.2/24").start().unwrap();
    let listener = server.tcp_listen("10.71.0.2:80").unwrap();
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = kernel.local_addr().unwrap();
    thread::spawn(move || run(&kernel, &client, "10.71.0.2:80".parse().unwrap()));
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
