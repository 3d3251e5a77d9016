use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use netloom::LinkEnd;

use super::super::carry;
use super::super::tests::{PATIENCE, PATIENT, connect_with_little_room, file};
use super::*;

/// Limits under which whoever has nothing to move is silent for too long at once.
const STRICT: Limits = Limits {
    room: Duration::ZERO,
    going: Duration::ZERO,
    linger: Duration::ZERO,
    idle: Duration::ZERO,
    ..PATIENT
};

/// Left by the reader in the middle of all: more than its own kernel takes.
const LAST: usize = 512 * 1024;

#[test]
fn whoever_has_something_to_read_yet_is_not_ended() {
    let (left, right) = LinkEnd::pair(1500).unwrap();
    let near = left.address("10.71.0.1/24").start().unwrap();
    let far = right.address("10.71.0.2/24").start().unwrap();
    let netloom = far.tcp_listen("10.71.0.2:80").unwrap();
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = connect_with_little_room(kernel.local_addr().unwrap());
    let table = Arc::new(Table::default());
    let listed = table.add(kernel.accept().unwrap().0);
    let carried = Arc::clone(&listed.carried);
    let carrying = thread::spawn(move || carry(&listed, &near, "10.71.0.2:80".parse().unwrap()));
    let (mut server, _) = netloom.accept().unwrap();

    let sent = file();
    let mut received = vec![0; sent.len()];
    let (most, last) = received.split_at_mut(sent.len() - LAST);
    thread::scope(|scope| {
        scope.spawn(|| {
            server.write_all(&sent).unwrap();
            server.shutdown(Shutdown::Write).unwrap();
        });
        client.read_exact(most).unwrap();
    });
    let deadline = Instant::now() + PATIENCE;
    while !lock(&carried.progress).is_answered {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }

    // The server and the relay are done; the kernel has the rest for a client that does not read.
    let first = *carried.look();
    assert!(first.queued > 0 && first.held == 0);
    table.end_idle(&STRICT);
    table.make_room(&STRICT);
    assert!(carried.look().given_up.is_none());

    // It reads slowly: that is as good as speaking.
    let (piece, last) = last.split_at_mut(LAST / 2);
    client.read_exact(piece).unwrap();
    let deadline = Instant::now() + PATIENCE;
    while carried.look().moved == first.moved {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    table.make_room(&Limits {
        stuck: PATIENCE,
        ..STRICT
    });
    client.read_exact(last).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert!(received == sent);

    // It has all: now it has no reason to stay.
    let deadline = Instant::now() + PATIENCE;
    while lock(&carried.progress).given_up.is_none() {
        assert!(Instant::now() < deadline);
        table.end_idle(&STRICT);
    }
    carrying.join().unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn whoever_stopped_reading_makes_room_if_nobody_else_can() {
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let table = Arc::new(Table::default());
    let add = || {
        let client = connect_with_little_room(kernel.local_addr().unwrap());
        (client, table.add(kernel.accept().unwrap().0))
    };
    let (_deaf, stuck) = add();
    let (_mute, silent) = add();
    stuck.kernel.set_nonblocking(true).unwrap();
    while (&stuck.kernel).write(&[1; 65536]).is_ok() {}
    let limits = Limits {
        stuck: Duration::ZERO,
        ..STRICT
    };
    let given_up = || [&stuck, &silent].map(|c| lock(&c.progress).given_up.is_some());
    table.end_idle(&Limits {
        idle: Duration::from_secs(3600),
        ..limits
    });
    assert_eq!(given_up(), [false, false]);
    table.make_room(&limits);
    assert_eq!(given_up(), [false, true]);
    table.make_room(&limits);
    assert_eq!(given_up(), [true, true]);
}

/// A client of a listener's, and its connection in the table.
fn client_in(table: &Arc<Table>, kernel: &TcpListener) -> (TcpStream, Listed) {
    let client = TcpStream::connect(kernel.local_addr().unwrap()).unwrap();
    (client, table.add(kernel.accept().unwrap().0))
}

#[test]
fn whoever_asked_waits_longer_than_the_silent() {
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let table = Arc::new(Table::default());
    let add = || client_in(&table, &kernel);
    // An upload that is complete, say, which its server brings to a slow disk.
    let (_client, asked) = add();
    asked.took(End::Client);
    asked.gave();
    let (_mute, silent) = add();
    let given_up = || [&asked, &silent].map(|c| lock(&c.progress).given_up.is_some());
    table.make_room(&STRICT);
    assert_eq!(given_up(), [false, true]);
    table.make_room(&STRICT);
    assert_eq!(given_up(), [false, true]);
    // Nothing but an answer ends that, or too long a time.
    asked.took(End::Server);
    asked.gave();
    table.make_room(&STRICT);
    assert_eq!(given_up(), [true, true]);
}

#[test]
fn one_makes_room_for_one() {
    let kernel = TcpListener::bind("127.0.0.1:0").unwrap();
    let table = Arc::new(Table::default());
    let add = || client_in(&table, &kernel);
    let silent = [add(), add(), add()];
    let limits = Limits {
        going: PATIENCE,
        ..STRICT
    };
    for _ in 0..3 {
        table.make_room(&limits);
    }
    let ended = silent
        .iter()
        .filter(|(_, c)| lock(&c.progress).given_up.is_some());
    assert_eq!(ended.count(), 1);
}

#[test]
fn an_octet_now_and_then_is_no_reading() {
    let begun = Instant::now();
    let after = |seconds| begun + Duration::from_secs(seconds);
    let mut progress = Progress::new(begun);
    progress.note_queued(1_000_000, after(1));
    for octet in 1..1000 {
        progress.note_queued(1_000_000 - octet, after(1 + octet as u64));
    }
    assert_eq!(progress.moved, begun);
    // 64 KiB of them are.
    progress.note_queued(1_000_000 - ENOUGH, after(2000));
    assert_eq!(progress.moved, after(2000));
    // And so is the last of them.
    progress.note_queued(1, after(3000));
    progress.note_queued(0, after(4000));
    assert_eq!(progress.moved, after(4000));
}
