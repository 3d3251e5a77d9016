use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::*;

fn pair() -> (TcpStream, Timed<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, Timed::new(listener.accept().unwrap().0))
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn input_moves_up_and_fills() {
    let (mut client, mut server) = pair();
    let mut input = Input::new(4);
    client.write_all(b"abcdef").unwrap();
    drop(client);
    while input.unread().len() < 4 {
        input.fill(&mut server, LONG).unwrap();
    }
    assert_eq!(input.unread(), b"abcd");
    input.consume(3);
    while input.unread().len() < 3 {
        input.fill(&mut server, LONG).unwrap();
    }
    assert_eq!(input.unread(), b"def");
    input.consume(99);
    assert_eq!(input.unread(), b"");
    assert_eq!(input.fill(&mut server, LONG).unwrap(), 0);
}

#[test]
fn a_file_that_shrank_is_an_error() {
    let (_client, mut server) = pair();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let mut output = Output::new(4, LONG);
    let mut push = |last| output.push_file(&file, ByteRange { first: 2, last }, &mut server);
    assert!(push(9).is_ok());
    assert_eq!(push(10).unwrap_err().kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn output_leaves_in_order() {
    use std::io::Read;
    let (mut client, mut server) = pair();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let mut output = Output::new(4, LONG);
    output.push(b"head of more than four", &mut server).unwrap();
    output
        .push_file(&file, ByteRange { first: 3, last: 8 }, &mut server)
        .unwrap();
    output.push(b"!", &mut server).unwrap();
    output.flush(&mut server).unwrap();
    drop(server);
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "head of more than four345678!");
}
