use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::*;

fn pair() -> (TcpStream, Timed<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let server = listener.accept().unwrap().0;
    (client, Timed::new(server, Duration::from_secs(60)))
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let (_client, connection) = pair();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let file = Source::File(file);
    let mut buffer = [0; 4];
    let output = Output::with_buffer(&mut buffer);
    let mut wire = Wire { connection, output };
    let mut push = |last| wire.push_file(&file, ByteRange { first: 2, last });
    assert!(push(9).is_ok());
    assert_eq!(push(10).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn output_leaves_in_order() {
    let (mut client, connection) = pair();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let file = Source::File(file);
    let mut buffer = [0; 4];
    let output = Output::with_buffer(&mut buffer);
    let mut wire = Wire { connection, output };
    wire.push(b"head of more than four").unwrap();
    let range = ByteRange { first: 3, last: 8 };
    wire.push_file(&file, range).unwrap();
    wire.push(b"!").unwrap();
    wire.flush().unwrap();
    drop(wire);
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "head of more than four345678!");
}
