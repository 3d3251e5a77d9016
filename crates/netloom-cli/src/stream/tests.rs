use std::net::TcpListener;
use std::thread;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, Listener::accept(&listener).unwrap().0)
}

#[test]
fn small_writes_leave_at_once() {
    assert!(pair().1.nodelay().unwrap());
}

#[test]
fn a_read_ends_with_its_time() {
    let (_client, server) = pair();
    let error = Timed::new(server, LONG)
        .read(&mut [0; 8], Duration::ZERO)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

/// A client that takes ever so little is as slow as one that takes nothing.
#[test]
fn a_write_ends_with_its_time_however_it_is_taken() {
    struct Trickle;
    impl Read for Trickle {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }
    }
    impl Write for Trickle {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(2));
            Ok(bytes.len().min(1))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Connection for Trickle {
        fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
        fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            assert!(timeout.is_some_and(|timeout| !timeout.is_zero()));
            Ok(())
        }
        fn shutdown_write(&self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut timed = Timed::new(Trickle, LONG);
    let error = timed
        .write_all(&[0; 1000], Duration::from_millis(20))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(timed.write_all(&[0; 3], Duration::from_secs(1000)).is_ok());
}

/// A client that is still sending when the server is done sees the response, not a reset.
#[test]
fn closing_in_stages_does_not_reset() {
    //= https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    //= type=test
    //# To avoid the TCP reset problem, servers typically close a connection
    //# in stages.
    let (mut client, server) = pair();
    let serving = thread::spawn(move || {
        let mut timed = Timed::new(server, LONG);
        timed.read(&mut [0; 1], Duration::from_secs(60)).unwrap();
        timed
            .write_all(b"response", Duration::from_secs(60))
            .unwrap();
        timed.linger(&mut [0; 4096], Duration::from_secs(60), usize::MAX);
    });
    for _ in 0..64 {
        client.write_all(&[0; 65536]).unwrap();
    }
    let mut response = String::new();
    client.read_to_string(&mut response).unwrap();
    assert_eq!(response, "response");
    drop(client);
    serving.join().unwrap();
}

#[test]
fn lingering_has_bounds() {
    let (mut client, server) = pair();
    client.write_all(&[0; 1000]).unwrap();
    // Neither the octets nor the end of the stream ever come.
    Timed::new(server, LONG).linger(&mut [0; 100], Duration::from_secs(3600), 1000);
    let (_client, server) = pair();
    Timed::new(server, LONG).linger(&mut [0; 100], Duration::ZERO, 1000);
}
