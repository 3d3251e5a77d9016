//! Many threads on one stack, whoever polls the device; and signals.
#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::device::LinkEnd;
use netloom_host::net::{Net, Polling, TcpListener, TcpStream, UdpSocket};
use nix::sys::pthread::pthread_kill;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Two stacks whose devices are polled like this.
fn pair(polling: Polling) -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").polling(polling).start();
    let b = b.address("10.0.0.2/24").polling(polling).start();
    (a.unwrap(), b.unwrap())
}

/// Echoes every connection on a thread of its own, until the listener's stack ends.
fn echo(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.into_incoming() {
            let Ok(stream) = stream else { return };
            thread::spawn(move || std::io::copy(&mut &stream, &mut &stream));
        }
    });
}

/// One message there and back.
fn converse(stream: &mut TcpStream, len: usize) {
    let sent = vec![len as u8; len];
    stream.write_all(&sent).unwrap();
    let mut received = vec![0; len];
    stream.read_exact(&mut received).unwrap();
    assert!(received == sent);
}

/// The role of polling the device passes from thread to thread and back all the time: a wake that
/// is lost is a conversation that stands still.
#[test]
fn the_role_passes_from_thread_to_thread() {
    for polling in [Polling::Adaptive, Polling::Thread] {
        let (a, b) = pair(polling);
        echo(b.tcp_listen("10.0.0.2:7").unwrap());
        // Our own address: nothing of this passes the device.
        echo(a.tcp_listen("10.0.0.1:7").unwrap());
        let connect = |to: &str| {
            let stream = a.tcp_connect(to).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            stream
        };
        // One alone, several at once, one alone again, with pauses in which the role falls back.
        for (threads, rounds) in [(1, 300), (2, 300), (8, 100), (1, 300), (3, 100)] {
            thread::scope(|scope| {
                for number in 0..threads {
                    let connect = &connect;
                    scope.spawn(move || {
                        let to = ["10.0.0.2:7", "10.0.0.1:7"][number % 3 / 2];
                        let mut stream = connect(to);
                        for round in 0..rounds {
                            converse(&mut stream, 1 + (round * 37 + number) % 3000);
                            if round % 50 == 49 {
                                thread::sleep(Duration::from_millis(round as u64 % 7));
                            }
                        }
                    });
                }
            });
        }
    }
}

/// Who gave the role up to the driver thread, and finds nothing to do, sleeps only after the thread
/// knows: here one thread writes to the end of the window and another reads, on both stacks.
#[test]
fn a_transfer_beside_a_reader_never_stands_still() {
    let sent = vec![7; 1_200_000];
    for _ in 0..40 {
        let (a, b) = pair(Polling::Adaptive);
        let listener = b.tcp_listen("10.0.0.2:9").unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                let near = patient(a.tcp_connect("10.0.0.2:9").unwrap());
                thread::scope(|scope| {
                    scope.spawn(|| {
                        for part in sent.chunks(65_536) {
                            (&near).write_all(part).unwrap();
                        }
                        near.shutdown(Shutdown::Write).unwrap();
                    });
                    // Waits for the end of the other direction all the time.
                    assert_eq!((&near).read(&mut [0; 1]).unwrap(), 0);
                });
            });
            let far = patient(listener.accept().unwrap().0);
            let mut received = Vec::new();
            (&far).read_to_end(&mut received).unwrap();
            assert!(received == sent);
            far.shutdown(Shutdown::Write).unwrap();
        });
    }
}

/// A stream whose calls fail rather than wait for ever.
fn patient(stream: TcpStream) -> TcpStream {
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream.set_write_timeout(patience).unwrap();
    stream
}

/// Ends what looks at it, also when a test panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whoever is not the one that converses must not wait until he comes back.
#[test]
fn a_busy_conversation_starves_nobody() {
    let (a, b) = pair(Polling::Adaptive);
    echo(b.tcp_listen("10.0.0.2:7").unwrap());
    let stop = AtomicBool::new(false);
    let mut busy = a.tcp_connect("10.0.0.2:7").unwrap();
    let mut rare = a.tcp_connect("10.0.0.2:7").unwrap();
    thread::scope(|scope| {
        let _stops = SetWhenDropped(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                converse(&mut busy, 10);
                // It computes for a while, and polls nothing meanwhile.
                thread::sleep(Duration::from_millis(5));
            }
        });
        let start = Instant::now();
        for _ in 0..20 {
            converse(&mut rare, 10);
            thread::sleep(Duration::from_millis(3));
        }
        // Generous: other tests take the processors too.
        assert!(start.elapsed() < Duration::from_secs(60));
    });
}

/// Nobody is blocked in a call: what arrives is acknowledged all the same.
#[test]
fn a_program_that_does_something_else_still_acknowledges() {
    let (a, b) = pair(Polling::Adaptive);
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
    let (mut server, _) = listener.accept().unwrap();
    for _ in 0..20 {
        // Each has had the role, and leaves it vacant.
        client.write_all(b"ping").unwrap();
        server.read_exact(&mut [0; 4]).unwrap();
        server.write_all(b"pong").unwrap();
        client.read_exact(&mut [0; 4]).unwrap();
        let start = Instant::now();
        while server.tcp_info().unwrap().unacked > 0 {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "never acknowledged"
            );
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Threads may come, block, and go while others close what they wait for.
#[test]
fn closing_ends_who_waits() {
    let (a, b) = pair(Polling::Adaptive);
    let listener = b.tcp_listen("10.0.0.2:80").unwrap();
    for _ in 0..50 {
        let client = a.tcp_connect("10.0.0.2:80").unwrap();
        let (server, _) = listener.accept().unwrap();
        let waiting = client.try_clone().unwrap();
        let reader = thread::spawn(move || (&waiting).read(&mut [0]));
        drop(server);
        assert_eq!(reader.join().unwrap().unwrap(), 0);
        drop(client);
    }
}

extern "C" fn nothing(_: libc::c_int) {}

/// A signal ends no call, whether its thread waits at the device or for the driver thread.
#[test]
fn signals_are_harmless() {
    // Without SA_RESTART, so that every system call under way is interrupted.
    let action = SigAction::new(
        SigHandler::Handler(nothing),
        SaFlags::empty(),
        SigSet::empty(),
    );
    // SAFETY: the handler does nothing.
    #[expect(unsafe_code, reason = "there is no other way to have a signal caught")]
    unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    for polling in [Polling::Adaptive, Polling::Thread] {
        let (a, b) = pair(polling);
        let listener = b.tcp_listen("10.0.0.2:80").unwrap();
        let mut client = a.tcp_connect("10.0.0.2:80").unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let read = Arc::new(AtomicUsize::new(0));
        let (sender, done) = mpsc::channel();
        let counter = Arc::clone(&read);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 100];
            loop {
                match client.read(&mut buffer) {
                    Ok(0) => break sender.send(Ok(())),
                    Ok(n) => drop(counter.fetch_add(n, Ordering::Relaxed)),
                    Err(error) => break sender.send(Err(error)),
                }
            }
        });
        let number = reader.as_pthread_t();
        for _ in 0..100 {
            server.write_all(&[1; 10]).unwrap();
            for _ in 0..5 {
                pthread_kill(number, Signal::SIGUSR1).unwrap();
                thread::sleep(Duration::from_micros(100));
            }
        }
        drop(server);
        done.recv().unwrap().unwrap();
        assert_eq!(read.load(Ordering::Relaxed), 1000);
        let _ = reader.join().unwrap();
    }
}

/// Waits for a datagram when it is dropped, and tells what came of it.
struct WaitsAtTheEnd {
    socket: UdpSocket,
    told: mpsc::Sender<ErrorKind>,
}

impl Drop for WaitsAtTheEnd {
    fn drop(&mut self) {
        if let Err(error) = self.socket.recv(&mut [0; 1]) {
            let _ = self.told.send(error.kind());
        }
    }
}

/// What is dropped while a panic unwinds may wait at the device like anybody else, and the stack
/// goes on after.
#[test]
fn a_panic_elsewhere_ends_nothing_at_the_device() {
    // They stay: what stands still would have the test do so too.
    let (a, _b) = Box::leak(Box::new(pair(Polling::Adaptive)));
    let socket = a.udp_bind("10.0.0.1:9").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(30)))
        .unwrap();
    let other = socket.try_clone().unwrap();
    let (told, outcome) = mpsc::channel();
    let panicking = thread::spawn(move || {
        let _waits = WaitsAtTheEnd { socket, told };
        panic!("on purpose: what is dropped now waits");
    });
    let limit = Duration::from_secs(20);
    assert_eq!(outcome.recv_timeout(limit), Ok(ErrorKind::WouldBlock));
    assert!(panicking.join().is_err());
    let again = other.recv(&mut [0; 1]).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::WouldBlock);
}
