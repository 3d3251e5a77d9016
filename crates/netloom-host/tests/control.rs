//! A running stack, asked about over its socket.
#![cfg(all(target_os = "linux", feature = "control"))]

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netloom_host::control::{
    Ask, Client, Control, Line, Protocol, Socket, SocketState, TimerKind, VERSION, instances,
};
use netloom_host::device::LinkEnd;
use netloom_host::net::{Keepalive, Net};

const PATIENCE: Duration = Duration::from_secs(20);

/// A path nobody else uses.
fn path(test: &str) -> PathBuf {
    std::env::temp_dir().join(format!("netloom-{}-{test}.sock", std::process::id()))
}

fn pair(test: &str) -> (Net, Net, PathBuf) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let path = path(test);
    let a = a.address("10.0.0.1/24").address("fd00::1/64");
    let a = a.control(Control::At(path.clone())).start().unwrap();
    let b = b
        .address("10.0.0.2/24")
        .address("fd00::2/64")
        .start()
        .unwrap();
    (a, b, path)
}

fn sockets(client: &mut Client) -> Vec<Socket> {
    let pick = |line| match line {
        Line::Socket(socket) => Some(*socket),
        _ => None,
    };
    client.gather(Ask::Sockets, pick).unwrap()
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn every_socket_is_listed() {
    let (a, b, path) = pair("sockets");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listener = a.tcp_listen("[::]:80").unwrap();
    let _one = a.tcp_listen("10.0.0.1:81").unwrap();
    let _udp = a.udp_bind("0.0.0.0:53").unwrap();
    let mut peer = b.tcp_connect("10.0.0.1:80").unwrap();
    let (accepted, from) = listener.accept().unwrap();
    peer.write_all(b"unread").unwrap();
    let keepalive = Keepalive {
        idle: Duration::from_secs(100),
        interval: Duration::from_secs(5),
        count: 3,
    };
    accepted.set_keepalive(Some(keepalive)).unwrap();
    let _waits = b.tcp_connect("[fd00::1]:80").unwrap();
    let mut client = Client::connect(&path).unwrap();
    let instance = client.instance().unwrap();
    assert_eq!(
        (instance.pid, instance.device.as_str()),
        (std::process::id(), "link0")
    );
    let is_open = |s: &Socket| s.state == SocketState::Established && s.local.is_ipv4();
    // The peer's connect returns before its last ACK has come: the queue of the listener is waited
    // for as the data is.
    let waits = |s: &Socket| s.state == SocketState::Listen && s.recv_queue == 1;
    eventually("the data or the second connection never came", || {
        let all = sockets(&mut client);
        all.iter().any(|s| is_open(s) && s.recv_queue == 6) && all.iter().any(waits)
    });
    let all = sockets(&mut client);
    let find = |local: &str, remote: &str| {
        let found = |s: &&Socket| s.local.to_string() == local && s.remote.to_string() == remote;
        all.iter()
            .find(found)
            .unwrap_or_else(|| panic!("{local} {remote} in {all:?}"))
    };
    let everywhere = find("[::]:80", "[::]:0");
    assert_eq!(everywhere.state, SocketState::Listen);
    assert_eq!((everywhere.recv_queue, everywhere.send_queue), (1, 4096));
    assert_eq!(find("10.0.0.1:81", "0.0.0.0:0").recv_queue, 0);
    let udp = find("0.0.0.0:53", "0.0.0.0:0");
    assert_eq!(
        (udp.protocol, udp.state),
        (Protocol::Udp, SocketState::Closed)
    );
    let open = find("10.0.0.1:80", &from.to_string());
    let timer = open.timer.unwrap();
    assert_eq!(timer.kind, TimerKind::Keepalive);
    assert!(timer.left_ms > 70_000 && timer.left_ms <= 100_000);
    let detail = open.detail.as_ref().unwrap();
    assert!(detail.mss > 1000 && detail.cwnd > detail.mss && detail.sack);
    // Numbers of their own for what the program holds, none for what it does not.
    let mut inodes: Vec<_> = all.iter().map(|s| s.inode).filter(|&i| i > 0).collect();
    assert_eq!(inodes.len(), all.len() - 1);
    inodes.dedup();
    assert_eq!(inodes.len(), all.len() - 1);
}

#[test]
fn many_sockets_come_in_pages() {
    let (a, b, path) = pair("pages");
    let listener = a.tcp_listen("10.0.0.1:80").unwrap();
    let mut open = Vec::new();
    for _ in 0..600 {
        open.push((
            b.tcp_connect("10.0.0.1:80").unwrap(),
            listener.accept().unwrap().0,
        ));
    }
    let mut client = Client::connect(&path).unwrap();
    let mut locals: Vec<_> = sockets(&mut client).iter().map(|s| s.remote).collect();
    assert_eq!(locals.len(), 601);
    locals.sort();
    locals.dedup();
    assert_eq!(locals.len(), 601, "one of them came twice");
}

#[test]
fn the_dead_are_told_with_their_reasons() {
    let (a, _b, path) = pair("dead");
    for port in [1, 2] {
        a.tcp_connect(("10.0.0.2", port)).unwrap_err();
    }
    let mut client = Client::connect(&path).unwrap();
    let pick = |line| match line {
        Line::Closed(closed) => Some(closed),
        _ => None,
    };
    let dead = client.gather(Ask::Closed, pick).unwrap();
    let ports: Vec<_> = dead.iter().map(|d| d.remote.port()).collect();
    assert_eq!(ports, [2, 1]);
    assert!(
        dead.iter()
            .all(|d| d.reason == "Refused" && !d.message.is_empty())
    );
    assert!(dead.iter().all(|d| d.ago_ms < 20_000));
}

#[test]
fn counters_routes_neighbors_and_interfaces_are_told() {
    let (a, b, path) = pair("counters");
    let _listener = b.tcp_listen("10.0.0.2:80").unwrap();
    let _open = a.tcp_connect("10.0.0.2:80").unwrap();
    let mut client = Client::connect(&path).unwrap();
    let mut names = Vec::new();
    let mut counts = std::collections::HashMap::new();
    client
        .ask(Ask::Counters, |line| {
            if let Line::Counter(counter) = line {
                counts.insert(counter.name.clone(), counter.value);
                names.push(counter.name);
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(names.len(), counts.len(), "two have one name");
    assert_eq!(
        (counts["tcp.active_opens"], counts["now.connections"]),
        (1, 1)
    );
    assert!(counts["device.tx_frames"] > 0 && counts["drop.tcp-checksum"] == 0);
    let interfaces = client.gather(Ask::Interfaces, |line| match line {
        Line::Interface(interface) => Some(interface),
        _ => None,
    });
    let interfaces = interfaces.unwrap();
    assert_eq!(
        (interfaces[0].name.as_str(), interfaces[0].mtu),
        ("link0", 1500)
    );
    let own = ("10.0.0.1".parse().unwrap(), 24);
    assert!(interfaces[0].addresses.contains(&own));
    assert_eq!(interfaces[1].name, "lo");
    let neighbors = client.gather(Ask::Neighbors, |line| match line {
        Line::Neighbor(neighbor) => Some(neighbor),
        _ => None,
    });
    let neighbors = neighbors.unwrap();
    let other = neighbors
        .iter()
        .find(|n| n.addr.to_string() == "10.0.0.2")
        .unwrap();
    assert_eq!(other.mac, Some([2, 0, 0, 0, 0, 2]));
    assert_eq!(other.state, "REACHABLE");
    let routes = client.gather(Ask::Routes, |line| match line {
        Line::Route(route) => Some(route),
        _ => None,
    });
    let link = |r: &netloom_host::control::Route| r.dst.to_string() == "10.0.0.0" && r.prefix == 24;
    assert!(routes.unwrap().iter().any(|r| link(r) && r.via.is_none()));
}

#[test]
fn tunables_are_read_and_set() {
    let (a, _b, path) = pair("tunables");
    let mut client = Client::connect(&path).unwrap();
    let pick = |line| match line {
        Line::Tunable(tunable) => Some(tunable),
        _ => None,
    };
    let all = client.gather(Ask::Tunables, pick).unwrap();
    let ttl = all.iter().find(|t| t.name == "ip_default_ttl").unwrap();
    assert_eq!((ttl.value, ttl.min, ttl.max), (64, 1, 255));
    let mut set = |name: &str, value: &str| {
        let (name, value) = (name.to_owned(), value.to_owned());
        client.gather(Ask::SetTunable { name, value }, pick)
    };
    assert_eq!(set("ip_default_ttl", "7").unwrap()[0].value, 7);
    assert_eq!(a.tunable("ip_default_ttl").unwrap().value, 7);
    assert_eq!(
        set("tcp_congestion_control", "bbr").unwrap()[0].said(),
        "bbr"
    );
    let bbr = a.tunable("tcp_congestion_control").unwrap().value;
    // What there is instead is said.
    for (name, value, instead) in [
        ("ip_default_ttl", "0", "from 1 to 255"),
        ("ip_default_ttl", "256", "from 1 to 255"),
        ("ip_default_ttl", "many", "from 1 to 255"),
        ("tcp_congestion_control", "vegas", "reno cubic bbr"),
        ("no_such", "1", " ip_default_ttl "),
    ] {
        let error = set(name, value).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(instead), "{error}");
    }
    assert_eq!(a.tunable("ip_default_ttl").unwrap().value, 7);
    assert_eq!(a.tunable("tcp_congestion_control").unwrap().value, bbr);
}

/// One line said, all that is answered up to the end or an error.
fn say(path: &Path, text: &[u8]) -> Vec<String> {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whoever says too much is answered before he has ended, and the rest is not taken.
    let _ = stream.write_all(text);
    let mut lines = Vec::new();
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap();
        let last = line == "\"end\"" || line.starts_with("{\"error\"");
        lines.push(line);
        if last {
            break;
        }
    }
    lines
}

#[test]
fn nonsense_is_answered_with_an_error_and_harms_nobody() {
    let (_a, _b, path) = pair("nonsense");
    let is_error = |lines: &[String], what: &str| {
        assert!(lines.len() == 1 && lines[0].contains(what), "{lines:?}");
    };
    is_error(&say(&path, b"hello\n"), "not a question");
    is_error(&say(&path, b"\xff\xfe\n"), "not a question");
    is_error(
        &say(&path, b"{\"version\":1,\"ask\":\"colour\"}\n"),
        "not a question",
    );
    is_error(
        &say(&path, b"{\"version\":2,\"ask\":\"colour\"}\n"),
        "version 1",
    );
    is_error(
        &say(&path, b"{\"version\":2,\"ask\":\"sockets\"}\n"),
        "version 1",
    );
    is_error(&say(&path, &vec![b'['; 1 << 16]), "too long");
    assert_eq!(VERSION, 1);
    let answer = say(&path, b"{\"version\":1,\"ask\":\"sockets\"}\n");
    assert_eq!(answer, ["\"end\""]);
}

#[test]
fn more_than_a_few_clients_are_turned_away_and_silent_ones_are_in_nobodys_way() {
    let (_a, _b, path) = pair("busy");
    let silent: Vec<_> = (0..7)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    let mut client = Client::connect(&path).unwrap();
    assert!(client.instance().is_ok());
    let refused = Client::connect(&path).unwrap().instance().unwrap_err();
    assert!(refused.to_string().contains("too many"), "{refused}");
    drop(silent);
    eventually("their places are never free", || {
        Client::connect(&path).is_ok_and(|mut c| c.instance().is_ok())
    });
}

#[test]
fn what_an_instance_says_before_it_closes_is_heard_though_the_question_cannot_be_asked() {
    let path = path("curt");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut client = Client::connect(&path).unwrap();
    let (mut curt, _) = listener.accept().unwrap();
    curt.write_all(b"{\"error\":\"too many are asking at once\"}\n")
        .unwrap();
    drop(curt);
    let refused = client.instance().unwrap_err();
    assert!(refused.to_string().contains("too many"), "{refused}");
    // Whoever asks again is not told of pipes.
    let gone = client.instance().unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::UnexpectedEof);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn an_instance_that_ends_takes_its_socket_with_it() {
    let (a, b, path) = pair("end");
    let mut client = Client::connect(&path).unwrap();
    assert!(client.instance().is_ok());
    assert_eq!(a.control_path(), Some(path.as_path()));
    assert_eq!(b.control_path(), None);
    // A client that holds on does not keep the stack running.
    drop(a);
    assert!(!path.exists());
    let error = client.instance().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
}

#[test]
fn instances_are_found_and_what_is_left_of_dead_ones_is_removed() {
    // The folder of this user's, whichever that is here.
    let (a, _b) = LinkEnd::pair(1500).unwrap();
    let a = a
        .address("10.0.0.1/24")
        .control(Control::IfPossible)
        .start()
        .unwrap();
    let Some(path) = a.control_path().map(Path::to_owned) else {
        eprintln!("skipped: instances_are_found: no folder can be made here");
        return;
    };
    let left_over = path.with_file_name(format!("{}-left-over.sock", std::process::id()));
    drop(std::os::unix::net::UnixListener::bind(&left_over).unwrap());
    let no_socket = path.with_file_name(format!("{}-notes.sock", std::process::id()));
    std::fs::write(&no_socket, "kept").unwrap();
    // A program that another test is just starting holds the listener until it runs: so long it
    // seems to live.
    let mut found = Vec::new();
    eventually("what a dead one left was never removed", || {
        found = instances().unwrap();
        assert!(found.contains(&path));
        !left_over.exists()
    });
    assert!(no_socket.exists() && !found.contains(&no_socket));
    std::fs::remove_file(no_socket).unwrap();
    drop(a);
    assert!(!instances().unwrap().contains(&path));
    // Where a living one is, no other can be.
    let (c, _d) = LinkEnd::pair(1500).unwrap();
    let taken = self::path("taken");
    let first = c.address("10.0.0.1/24").control(Control::At(taken.clone()));
    let _first = first.start().unwrap();
    let (e, _f) = LinkEnd::pair(1500).unwrap();
    let second = e.address("10.0.0.1/24").control(Control::At(taken)).start();
    assert_eq!(second.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let path = path("file");
    std::fs::write(&path, "kept").unwrap();
    let (a, _b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").control(Control::At(path.clone()));
    assert_eq!(a.start().unwrap_err().kind(), ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    std::fs::remove_file(&path).unwrap();
    // What is left of a dead instance is not in the way.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    // A program that another test is just starting holds the listener until it runs.
    let mut started = None;
    eventually("a dead instance is in the way", || {
        let (a, b) = LinkEnd::pair(1500).unwrap();
        let a = a.address("10.0.0.1/24").control(Control::At(path.clone()));
        started = a.start().ok().map(|a| (a, b));
        started.is_some()
    });
    assert!(Client::connect(&path).unwrap().instance().is_ok());
}

/// Ends what looks at it, also when a test panics.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Who looks for instances while one begins does not take it for dead.
#[test]
fn an_instance_that_begins_is_not_taken_for_a_dead_one() {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stops = SetWhenDropped(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = instances();
            }
        });
        let begun = (0..500).all(|_| {
            let (a, _b) = LinkEnd::pair(1500).unwrap();
            let a = a.address("10.0.0.1/24").control(Control::IfPossible);
            let a = a.start().unwrap();
            a.control_path().is_none_or(Path::exists)
        });
        assert!(begun, "its socket was removed");
    });
}

/// What [`another_user_is_turned_away`] runs as another user.
#[test]
fn as_another_user() {
    let Some(path) = std::env::var_os("NETLOOM_TEST_ASK") else {
        return;
    };
    let asked = Client::connect(path).and_then(|mut client| client.instance());
    println!("asked: {:?}", asked.map(drop).map_err(|error| error.kind()));
}

/// Whatever the mode of its socket is, or was for a moment.
#[test]
fn another_user_is_turned_away() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: another_user_is_turned_away: only root can be another user");
        return;
    }
    let (_a, _b, path) = pair("other");
    let everybody = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions(&path, everybody).unwrap();
    let this = std::env::current_exe().unwrap();
    // Others may not reach where it was built.
    let copy = std::env::temp_dir().join(format!("netloom-{}-other", std::process::id()));
    std::fs::copy(this, &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = std::process::Command::new(&copy)
        .args(["--exact", "as_another_user", "--nocapture"])
        .env("NETLOOM_TEST_ASK", &path)
        .current_dir("/")
        .uid(65_534)
        .gid(65_534)
        .output();
    std::fs::remove_file(copy).unwrap();
    let said = ran.unwrap();
    let said = String::from_utf8_lossy(&said.stdout);
    assert!(said.contains("asked: Err(UnexpectedEof)"), "{said}");
    assert!(Client::connect(&path).unwrap().instance().is_ok());
}
