use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{PollFd, event_fd, poll, random_bytes, send_queue};
use crate::device::Waiter;

#[test]
fn random_bytes_fills_all_of_it() {
    // Each byte is non-zero in one of 64 draws but for a chance of 2^-512.
    let mut seen = [0; 32];
    for _ in 0..64 {
        let mut bytes = [0; 32];
        random_bytes(&mut bytes).unwrap();
        seen.iter_mut().zip(bytes).for_each(|(s, b)| *s |= b);
    }
    assert!(seen.iter().all(|&s| s != 0));
}

#[test]
fn an_ignored_entry_reports_nothing() {
    let event = event_fd().unwrap();
    let mut entries = [PollFd::IGNORED, PollFd::new(event.as_fd(), false, true)];
    assert_eq!(poll(&mut entries, None).unwrap(), 1);
    assert!(!entries[0].is_ready());
    assert!(entries[1].is_writable() && !entries[1].is_error());
}

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Signals interrupt a bare poll(2); a [`Waiter`] sleeps on until it is woken.
#[test]
fn signals_do_not_end_a_sleep() {
    let handler = count_signal as extern "C" fn(libc::c_int);
    // SAFETY: all-zero is a valid sigaction, to which a handler is added that only increments
    // an atomic, which is async-signal-safe.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as usize;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()),
            0
        );
    }
    let (tell, told) = mpsc::channel();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let mut waiter = Waiter::new().unwrap();
            // SAFETY: pthread_self has no requirements.
            tell.send((unsafe { libc::pthread_self() }, waiter.waker()))
                .unwrap();
            let bare = poll(&mut [PollFd::IGNORED], Some(Duration::from_secs(60)));
            assert_eq!(bare.unwrap_err().kind(), io::ErrorKind::Interrupted);
            let before = SIGNALS.load(Ordering::SeqCst);
            stop.store(true, Ordering::SeqCst);
            let woken = waiter.wait(&[], None).unwrap().woken;
            assert!(SIGNALS.load(Ordering::SeqCst) >= before + 10);
            woken
        });
        let (target, waker) = told.recv().unwrap();
        let signal = || {
            // SAFETY: the thread is joined only after it has been woken below.
            assert_eq!(unsafe { libc::pthread_kill(target, libc::SIGUSR1) }, 0);
            thread::sleep(Duration::from_millis(1));
        };
        while !stop.load(Ordering::SeqCst) {
            signal();
        }
        let enough = SIGNALS.load(Ordering::SeqCst) + 10;
        while SIGNALS.load(Ordering::SeqCst) < enough {
            signal();
        }
        waker.wake();
        assert!(sleeper.join().unwrap());
    });
}

#[test]
fn the_send_queue_is_what_is_not_acknowledged() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    assert_eq!(send_queue(server.as_fd()).unwrap(), 0);
    server.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(len) = io::Write::write(&mut server, &[0; 65536]) {
        written += len;
    }
    let queued = send_queue(server.as_fd()).unwrap();
    assert!(0 < queued && queued < written);
    io::Read::read_exact(&mut client, &mut vec![0; written]).unwrap();
    // The last acknowledgment may take its time.
    while send_queue(server.as_fd()).unwrap() > 0 {
        thread::yield_now();
    }
    let unconnected = event_fd().unwrap();
    assert!(send_queue(unconnected.as_fd()).is_err());
}
