//! A running instance seen by `ss`, `stat` and `sysctl`, and by the system's own ss.
#![cfg(target_os = "linux")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use common::Running;

/// How long to wait for what must come. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// `netloom serve` without rights: two instances, link0 and link1, in a runtime folder of its own.
///
/// Root's instances are found in other folders too, so these are named by process or by socket:
/// whatever else runs on this machine is not meant.
struct World {
    runtime: tempfile::TempDir,
    serve: Running,
    process: String,
    link1: String,
}

impl World {
    fn new() -> World {
        let runtime = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_netloom"));
        command
            .args(["serve", "--port", "0"])
            .env("XDG_RUNTIME_DIR", runtime.path())
            .arg(runtime.path());
        let serve = Running::started(command);
        let mut world = World {
            process: serve.id().to_string(),
            link1: String::new(),
            serve,
            runtime,
        };
        world.link1 = world.socket_of("link1");
        world
    }

    /// The socket of the instance with this device.
    fn socket_of(&self, device: &str) -> String {
        let folder = fs::read_dir(self.runtime.path().join("netloom")).unwrap();
        let paths = folder.map(|entry| entry.unwrap().path().to_str().unwrap().to_owned());
        let is_its = |path: &String| {
            let json = self.ok(&["stat", "--json", "-I", path]);
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            json[0]["instance"]["device"] == device
        };
        paths.into_iter().find(is_its).expect("it has a socket")
    }

    fn link1(&self) -> &str {
        &self.link1
    }

    /// Both instances.
    fn process(&self) -> &str {
        &self.process
    }

    fn netloom(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_netloom"))
            .args(args)
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .output()
            .unwrap()
    }

    fn ok(&self, args: &[&str]) -> String {
        let output = self.netloom(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, args: &[&str], code: i32, says: &str) {
        let output = self.netloom(args);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
        assert!(
            errors.contains(says) && errors.lines().count() == 1,
            "{errors}"
        );
    }

    /// A client that has had an answer and keeps its connection.
    fn client(&self) -> TcpStream {
        let mut client = TcpStream::connect(&self.serve.address).unwrap();
        client
            .write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        client
    }
}

/// Rows as sets of words, whatever the widths of columns.
fn rows(text: &str) -> BTreeSet<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines()
        .map(words)
        .filter(|row| !row.is_empty())
        .collect()
}

/// What the system's own ss lists of what was written into a folder, if there is one.
fn systems_ss(folder: &str, args: &[&str]) -> Option<String> {
    let ss = Command::new("ss")
        .args(args)
        .env("PROC_ROOT", folder)
        .output();
    let Ok(ss) = ss else {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: comparing with ss: there is none"
        );
        return None;
    };
    assert!(ss.status.success(), "{ss:?}");
    Some(String::from_utf8(ss.stdout).unwrap())
}

/// Rows without what passes while one looks: how long timers have left.
fn timeless(text: &str) -> BTreeSet<String> {
    let row = |row: String| match row.split_once("timer:(") {
        Some((row, timer)) => {
            let parts: Vec<_> = timer.trim_end_matches(')').split(',').collect();
            assert_eq!(parts.len(), 3, "{timer}");
            format!("{row}{} {}", parts[0], parts[2])
        }
        None => row,
    };
    rows(text).into_iter().map(row).collect()
}

#[test]
fn timers_are_listed_as_the_systems_ss_lists_them() {
    let world = World::new();
    // More than every buffer on the way together can grow to.
    let big = fs::File::create(world.runtime.path().join("big")).unwrap();
    big.set_len(256 << 20).unwrap();
    // One that is idle, one that reads nothing of much, and one whose connection is in TIME-WAIT
    // because the server closed it.
    let _idle = world.client();
    let mut stalled = TcpStream::connect(&world.serve.address).unwrap();
    stalled
        .write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let mut closed = TcpStream::connect(&world.serve.address).unwrap();
    closed.write_all(b"HEAD / HTTP/1.0\r\n\r\n").unwrap();
    closed.read_to_end(&mut Vec::new()).unwrap();
    drop(closed);
    let live = || world.ok(&["ss", "-I", world.link1(), "-tanoH"]);
    let begun = Instant::now();
    while !(live().contains("(persist,") && live().contains("(timewait,")) {
        assert!(begun.elapsed() < PATIENCE, "{}", live());
        std::thread::yield_now();
    }

    let proc = world.runtime.path().join("proc");
    let folder = proc.to_str().unwrap();
    // It is looked at anew until nothing but time has passed between two looks.
    let (listed, theirs) = loop {
        let before = timeless(&live());
        world.ok(&["ss", "-I", world.link1(), "--proc", folder]);
        let Some(theirs) = systems_ss(folder, &["-tano"]) else {
            return;
        };
        let after = timeless(&live());
        if before == after {
            break (before, theirs);
        }
        assert!(begun.elapsed() < PATIENCE, "{before:?} {after:?}");
    };
    let (header, theirs) = theirs.split_once('\n').unwrap();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let ours = world.ok(&["ss", "-I", world.link1(), "-tano"]);
    assert_eq!(words(header), words(ours.lines().next().unwrap()));
    assert_eq!(timeless(theirs), listed);
    let kinds = |kind: &str| listed.iter().filter(|row| row.contains(kind)).count();
    assert_eq!((kinds("persist"), kinds("timewait")), (1, 1), "{listed:?}");
    // The same moment: the same times.
    let file = format!("{folder}/net/tcp");
    let ours = world.ok(&["ss", "-tanoH", "--read", &file]);
    assert_eq!(rows(&ours), rows(theirs));
}

#[test]
fn sockets_are_listed_as_the_systems_ss_lists_them() {
    let world = World::new();
    let clients: Vec<_> = (0..5).map(|_| world.client()).collect();
    let proc = world.runtime.path().join("proc");
    let folder = proc.to_str().unwrap();
    let live = |option| rows(&world.ok(&["ss", "-I", world.link1(), option]));
    let options = ["-tanH", "-tlnH", "-tnH", "-uanH", "-4tanH", "-6tanH"];
    // It is looked at anew until nothing has changed between two looks.
    let begun = Instant::now();
    let listed = loop {
        let before = options.map(live);
        assert_eq!(world.ok(&["ss", "-I", world.link1(), "--proc", folder]), "");
        let after = options.map(live);
        if before == after {
            break before;
        }
        assert!(begun.elapsed() < PATIENCE, "{before:?} {after:?}");
    };
    for (option, ours) in options.iter().zip(&listed) {
        let Some(theirs) = systems_ss(folder, &[option]) else {
            return;
        };
        assert_eq!(*ours, rows(&theirs), "{option}");
    }
    let open = world.ok(&["ss", "-I", world.link1(), "-tnH"]);
    assert_eq!(open.lines().count(), clients.len(), "{open}");
    assert!(open.lines().all(|row| row.starts_with("ESTAB")), "{open}");
    let more = world.ok(&["ss", "-I", world.link1(), "-tni"]);
    assert!(
        more.contains("mss:1448") && more.contains("cwnd:"),
        "{more}"
    );
    // What it wrote it decodes as it lists it.
    let file = format!("{folder}/net/tcp");
    let read = world.ok(&["ss", "-tanH", "--read", &file]);
    assert_eq!(rows(&read), listed[4]);
    for name in [
        "tcp", "tcp6", "udp", "udp6", "arp", "route", "snmp", "netstat",
    ] {
        assert!(
            !fs::read_to_string(proc.join("net").join(name))
                .unwrap()
                .is_empty()
        );
    }
    let snmp = fs::read_to_string(proc.join("net/snmp")).unwrap();
    let arp = fs::read_to_string(proc.join("net/arp")).unwrap();
    assert!(
        arp.contains("02:00:00:00:00:01") && arp.contains("link1"),
        "{arp}"
    );
    let values: Vec<_> = snmp.lines().filter(|l| l.starts_with("Tcp: 4")).collect();
    assert_eq!(values[0].split(' ').nth(9), Some("5"), "CurrEstab: {snmp}");
}

#[test]
fn nstat_reads_what_is_written() {
    let world = World::new();
    let _client = world.client();
    let proc = world.runtime.path().join("proc");
    world.ok(&["ss", "-I", world.link1(), "--proc", proc.to_str().unwrap()]);
    let net = |name: &str| proc.join("net").join(name);
    let nstat = Command::new("nstat")
        .args(["-a", "-s", "-z"])
        .env("PROC_NET_SNMP", net("snmp"))
        .env("PROC_NET_NETSTAT", net("netstat"))
        .env("PROC_NET_SNMP6", "/dev/null")
        .env("PROC_NET_SCTP_SNMP", "/dev/null")
        .env("NSTAT_HISTORY", world.runtime.path().join("history"))
        .output();
    let Ok(nstat) = nstat else {
        let _ = writeln!(std::io::stderr(), "skipped: nstat_reads: there is no nstat");
        return;
    };
    let text = String::from_utf8_lossy(&nstat.stdout).into_owned();
    let value = |name: &str| {
        let row = text
            .lines()
            .find(|l| l.split_whitespace().next() == Some(name));
        row.and_then(|row| row.split_whitespace().nth(1).map(str::to_owned))
    };
    assert_eq!(value("TcpPassiveOpens").as_deref(), Some("1"), "{nstat:?}");
    assert_eq!(value("TcpExtSyncookiesSent").as_deref(), Some("0"));
}

#[test]
fn the_dead_are_listed_with_their_reasons() {
    let world = World::new();
    drop(world.client());
    // The relay has passed the end on once the other instance has seen it.
    let mut dead = String::new();
    for _ in 0..2000 {
        dead = world.ok(&["ss", "-n", "--closed", "-I", world.link1(), "-H"]);
        if !dead.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(dead.lines().count(), 1, "{dead}");
    assert!(dead.contains("Finished"), "{dead}");
    let json = world.ok(&["ss", "--closed", "--json", "-I", world.process()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
}

#[test]
fn counters_and_tunables_are_read_and_set() {
    let world = World::new();
    let _client = world.client();
    let opens = world.ok(&["stat", "-I", world.link1(), "tcp.passive_opens"]);
    assert_eq!(opens, "tcp.passive_opens 1\n");
    let all = world.ok(&["stat", "-a", "-I", world.link1(), "drop."]);
    assert!(
        all.lines().count() > 40 && all.contains("drop.tcp-checksum"),
        "{all}"
    );
    world.fails(&["stat", "-I", world.link1(), "no.such"], 1, "no counter");
    let both = world.ok(&["stat", "-I", world.process()]);
    assert!(
        both.contains("link0 (netloom, process ") && both.contains("link1 ("),
        "{both}"
    );
    let json = world.ok(&["stat", "--json", "-I", world.process()]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["counters"]["tcp.passive_opens"], 1);

    let ttl = |args: &[&str]| world.ok(&[&["sysctl", "-I", world.link1()], args].concat());
    assert_eq!(ttl(&["ip_default_ttl"]), "ip_default_ttl = 64\n");
    assert_eq!(
        ttl(&["ip_default_ttl=7", "tcp_sack"]),
        "ip_default_ttl = 7\ntcp_sack = 1\n"
    );
    assert_eq!(ttl(&["-n", "ip_default_ttl"]), "7\n");
    assert!(ttl(&["-d", "ip_default_ttl"]).contains("# 1 to 255: "));
    assert!(ttl(&[]).lines().count() > 20);
    let one = ["-I", world.link1()];
    let fails = |args: &[&str], code, says| {
        world.fails(&[&["sysctl"], &one[..], args].concat(), code, says);
    };
    fails(&["ip_default_ttl=0"], 1, "ip_default_ttl");
    fails(&["no_such=1"], 1, "no_such");
    fails(&["no_such"], 1, " ip_default_ttl ");
    fails(&["ip_default_ttl=many"], 1, "not a number from 1 to 255");
    fails(
        &["tcp_congestion_control=vegas"],
        1,
        "there are: reno cubic bbr",
    );
    assert_eq!(
        ttl(&["tcp_congestion_control=bbr"]),
        "tcp_congestion_control = bbr\n"
    );
    assert!(ttl(&["-d", "tcp_congestion_control"]).contains("bbr  # reno, cubic, bbr: "));
    let both = ["sysctl", "-I", world.process(), "ip_default_ttl=9"];
    world.fails(&both, 1, "several instances");
    // By device, whosever else there may be.
    let named = world.ok(&["stat", "--json", "-I", "link1"]);
    let named: serde_json::Value = serde_json::from_str(&named).unwrap();
    let named: Vec<_> = named.as_array().unwrap().iter().collect();
    assert!(named.iter().all(|one| one["instance"]["device"] == "link1"));
    let ours = |one: &&serde_json::Value| one["instance"]["pid"] == world.serve.id();
    assert_eq!(named.into_iter().filter(ours).count(), 1);
    world.fails(&["ss", "-I", "eth7"], 1, "no instance `eth7`");
}

#[test]
fn without_an_instance_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let run = |args: &[&str], path: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netloom"));
        // Nobody's, wherever else instances may run: by path.
        command.args(args).arg("-I").arg(path);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let missing = folder.path().join("no.sock");
    for command in ["ss", "stat", "sysctl"] {
        let said = run(&[command], &missing);
        assert!(
            said.starts_with("netloom: cannot ask `") && said.lines().count() == 1,
            "{said}"
        );
    }
    let left = folder.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    // A program that another test is just starting holds the listener until it runs.
    let begun = Instant::now();
    while !run(&["ss"], &left).contains("nobody is behind it") {
        assert!(begun.elapsed() < PATIENCE, "{}", run(&["ss"], &left));
    }
}

#[test]
fn files_of_the_kernels_own_are_decoded() {
    let ss = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_netloom"))
            .arg("ss")
            .args(args)
            .output();
        output.unwrap()
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    let output = ss(&["-tlnH", "--read", "/proc/self/net/tcp"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().any(|row| row.contains(&at)), "{text}");
    let output = ss(&["--read", "/proc/self/net/snmp"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 1"));
}
