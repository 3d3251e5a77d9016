use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn after(time: Duration) -> Instant {
    Instant::now() + time
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
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
        fn set_nonblocking(&self, _: bool) -> io::Result<()> {
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
        assert!(timed.begin_to_close());
        let mut octets = usize::MAX;
        assert!(timed.linger(&mut [0; 4096], after(LONG), &mut octets));
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
    // The end of the stream never comes.
    let mut octets = 1000;
    assert!(Timed::new(server, LONG).linger(&mut [0; 100], after(LONG), &mut octets));
    assert_eq!(octets, 0);
    let (_client, server) = pair();
    assert!(Timed::new(server, LONG).linger(&mut [0; 100], Instant::now(), &mut octets));
}

/// Counts who waits, and who has; the next who asks whether he is needed is, if that is set.
#[derive(Debug, Default)]
struct Counting(AtomicUsize, AtomicUsize, AtomicBool);

impl Attendant for Counting {
    fn begins_to_wait(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn has_waited(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
    fn is_needed(&self) -> bool {
        self.2.swap(false, Ordering::SeqCst)
    }
}

#[test]
fn an_attendant_is_told_of_waits_and_waits_for_what_comes_first() {
    let (mut client, server) = pair();
    let attendant = Arc::new(Counting::default());
    let counted = || {
        let Counting(begun, ended, _) = &*attendant;
        (begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst))
    };
    let attended: Arc<dyn Attendant> = attendant.clone();
    let mut timed = Timed::attended(server, LONG, LONG, attended).unwrap();
    timed.set_patience(Patience::Message {
        first: LONG,
        all: LONG,
        begun: None,
    });
    // Nothing has come, and nobody waits for it here.
    let nothing = timed.receive(&mut [0; 8]);
    assert!(matches!(nothing, Err(StreamError::WouldBlock)) && timed.begun().is_none());
    assert!(!timed.linger(&mut [0; 8], after(LONG), &mut 1));
    assert_eq!(counted(), (0, 0));
    client.write_all(b"a").unwrap();
    while timed.receive(&mut [0; 8]).is_err() {
        thread::yield_now();
    }
    assert!(timed.begun().is_some());
    // The rest of the message is waited for.
    let writing = thread::spawn({
        let attendant = Arc::clone(&attendant);
        move || {
            while attendant.0.load(Ordering::SeqCst) == 0 {
                thread::yield_now();
            }
            client.write_all(b"bc").unwrap();
            client
        }
    });
    assert!(timed.receive(&mut [0; 8]).unwrap() > 0);
    assert_eq!(counted(), (1, 1));
    let client = writing.join().unwrap();
    // So is room.
    let reading = thread::spawn(move || {
        while attendant.0.load(Ordering::SeqCst) == 1 {
            thread::yield_now();
        }
        io::copy(&mut &client, &mut io::sink()).unwrap()
    });
    let large = vec![0; 64 << 20];
    timed.write_all(&large, LONG).unwrap();
    drop(timed);
    assert_eq!(reading.join().unwrap(), large.len() as u64);
}

#[test]
fn a_wait_ends_when_its_thread_is_needed() {
    let (mut client, server) = pair();
    let attendant = Arc::new(Counting::default());
    let counted = || {
        let Counting(begun, ended, _) = &*attendant;
        (begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst))
    };
    let attended: Arc<dyn Attendant> = attendant.clone();
    let short = Duration::from_millis(10);
    let mut timed = Timed::attended(server, LONG, short, attended).unwrap();
    let begun = Instant::now();
    let message = Patience::Rest { begun, all: LONG };
    // Nothing comes. Whoever was needed serves already: he is not counted again.
    timed.set_patience(message);
    attendant.2.store(true, Ordering::SeqCst);
    let read = timed.receive(&mut [0; 8]);
    assert!(matches!(read, Err(StreamError::WouldBlock)), "{read:?}");
    assert_eq!(counted(), (1, 0));
    // Nothing is taken, while the thread is apart. It is so no longer.
    timed.go_apart();
    attendant.2.store(true, Ordering::SeqCst);
    let large = vec![0; 64 << 20];
    let error = timed.write_all(&large, LONG).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    timed.rejoin();
    assert_eq!(counted(), (2, 0));
    // Whoever is not needed waits on, for longer than that.
    let writing = thread::spawn(move || {
        thread::sleep(5 * short);
        client.write_all(b"a").unwrap();
        client
    });
    timed.set_patience(message);
    assert_eq!(timed.receive(&mut [0; 8]).unwrap(), 1);
    assert_eq!(counted(), (3, 1));
    drop(writing.join().unwrap());
}
