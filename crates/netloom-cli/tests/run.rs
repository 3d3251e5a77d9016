//! `netloom run` as an ordinary user, and `netloom ping` against the kernel.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};

/// `nobody`'s numbers.
const ID: &str = "65534";

fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// The program in a folder everybody may enter, beside a file to serve.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // By a process of its own: what another test starts meanwhile would hold a file of this one's
    // that is open for writing, and such a program cannot be run.
    let copied = Command::new("cp")
        .args(["-p", env!("CARGO_BIN_EXE_netloom")])
        .arg(folder.path().join("netloom"))
        .status();
    assert!(copied.unwrap().success());
    fs::write(folder.path().join("small"), "small").unwrap();
    folder
}

/// `netloom run --` in that folder as nobody.
fn run_command(folder: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid", ID, "--regid", ID, "--clear-groups"])
        .arg(folder.join("netloom"))
        .args(["run", "--"])
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .current_dir(folder);
    command
}

/// The same with a command, if that is possible here.
fn run(test: &str, folder: &Path, command: &[&str]) -> Option<Output> {
    let possible = run_command(folder).arg("true").output();
    if !possible.is_ok_and(|output| output.status.success()) {
        // Where such a user may, only netloom can be wrong.
        let plain = Command::new("setpriv")
            .args(["--reuid", ID, "--regid", ID, "--clear-groups"])
            .args(["unshare", "-Urn", "true"])
            .output();
        assert!(
            !plain.is_ok_and(|output| output.status.success()),
            "nobody may make a namespace, but not by netloom"
        );
        skip(test, "nobody may not make a namespace here");
        return None;
    }
    Some(run_command(folder).args(command).output().unwrap())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_command_reaches_netloom_and_the_host_behind_it() {
    let test = "a_command_reaches_netloom_and_the_host_behind_it";
    let folder = folder();
    for url in ["http://10.71.0.2/small", "http://[fd71::2]/small"] {
        let Some(output) = run(test, folder.path(), &["curl", "-sSg", url]) else {
            return;
        };
        if output.status.code() == Some(127) {
            return skip(test, "there is no curl");
        }
        assert_eq!(text(&output.stdout), "small", "{output:?}");
    }
    // The host itself, by a socket of its own.
    for (at, seen_at) in [("127.0.0.1:0", "10.71.0.3"), ("[::1]:0", "[fd71::3]")] {
        let Ok(listener) = TcpListener::bind(at) else {
            skip(test, &format!("there is no {at} here"));
            continue;
        };
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).unwrap();
            let answer = b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nhost";
            stream.write_all(answer).unwrap();
        });
        let url = format!("http://{seen_at}:{port}/");
        let output = run(test, folder.path(), &["curl", "-sSg", "-m", "20", &url]).unwrap();
        assert_eq!(text(&output.stdout), "host", "{output:?}");
        server.join().unwrap();
        // Nobody listens there any more.
        let output = run(test, folder.path(), &["curl", "-sg", "-m", "20", &url]).unwrap();
        assert_eq!(output.status.code(), Some(7), "{output:?}");
    }
    // A closed port of netloom's own.
    let closed = ["curl", "-s", "-m", "20", "http://10.71.0.2:81/"];
    let output = run(test, folder.path(), &closed).unwrap();
    assert_eq!(output.status.code(), Some(7));
}

/// Why a connection was refused can be asked of the instance, as of any other.
#[test]
fn a_refused_connection_is_listed_and_counted_with_its_reason() {
    let test = "a_refused_connection_is_listed_and_counted_with_its_reason";
    let folder = folder();
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let port = port.unwrap().port();
    let script = format!(
        "curl -sS http://10.71.0.3:{port}/
        ./netloom ss -n --closed && ./netloom stat tcp.flows_refused"
    );
    let Some(output) = run(test, folder.path(), &["sh", "-c", &script]) else {
        return;
    };
    if text(&output.stderr).contains("not found") {
        return skip(test, "there is no curl");
    }
    let told = text(&output.stdout);
    let line = told
        .lines()
        .find(|l| l.contains(&format!("10.71.0.3:{port}")));
    let line = line.unwrap_or_else(|| panic!("{output:?}"));
    assert!(
        line.starts_with("tcp ") && line.contains("Refused: the flow was refused"),
        "{line}"
    );
    assert!(told.contains("tcp.flows_refused 1"), "{told}");
}

#[test]
fn the_command_runs_as_the_user_and_its_exit_code_is_passed_on() {
    let test = "the_command_runs_as_the_user_and_its_exit_code_is_passed_on";
    let folder = folder();
    let Some(output) = run(test, folder.path(), &["sh", "-c", "id -u; id -g; exit 7"]) else {
        return;
    };
    assert_eq!(text(&output.stdout), "65534\n65534\n");
    assert_eq!(output.status.code(), Some(7));
    let code = |command: &[&str]| run(test, folder.path(), command).unwrap().status.code();
    assert_eq!(code(&["sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["netloom-no-such-command"]), Some(127));
    assert_eq!(code(&["/"]), Some(126));
}

#[test]
fn where_there_can_be_no_namespace_it_says_so() {
    let test = "where_there_can_be_no_namespace_it_says_so";
    let folder = folder();
    // The setting is each namespace's own: in a new one it can be changed without the host's.
    let here = |script: &str| {
        Command::new("unshare")
            .args(["-Ur", "sh", "-c", script, "sh"])
            .arg(folder.path().join("netloom"))
            .current_dir(folder.path())
            .output()
    };
    let forbid = "echo 0 >/proc/sys/user/max_user_namespaces";
    // Root of that namespace needs no other one: whoever has no rights does.
    let without_rights = "setpriv --bounding-set -all --inh-caps -all";
    let possible = here(&format!("{forbid} && {without_rights} true"));
    if !possible.is_ok_and(|output| output.status.success()) {
        return skip(test, "there is no namespace to forbid them in");
    }
    let run = format!("{forbid}; exec {without_rights} \"$1\" run -- touch ran");
    let output = here(&run).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    let expected = "this system allows no user namespaces: as root, run \
                    `sysctl -w user.max_user_namespaces=10000`";
    assert!(errors.contains(expected), "{errors}");
    assert!(!folder.path().join("ran").exists());
}

/// A stand-in for a stub resolver: knows netloom.test, by UDP and TCP.
fn answer(question: &[u8]) -> Vec<u8> {
    let name = b"\x07netloom\x04test\0";
    let asked = question.get(12..12 + name.len()) == Some(name);
    let a = question.get(12 + name.len()..12 + name.len() + 4) == Some(&[0, 1, 0, 1]);
    let found = asked && a;
    let end = 12 + question[12..].iter().position(|&c| c == 0).unwrap() + 5;
    let mut answer = question[..end].to_vec();
    // A response with recursion; no such name unless it is the one.
    answer[2..12].copy_from_slice(&[
        0x81,
        if asked { 0x80 } else { 0x83 },
        0,
        1,
        0,
        u8::from(found),
        0,
        0,
        0,
        0,
    ]);
    if found {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    }
    answer
}

fn resolve_at(at: &str) {
    let udp = UdpSocket::bind((at, 53)).unwrap();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((len, from)) = udp.recv_from(&mut question) {
            let _ = udp.send_to(&answer(&question[..len]), from);
        }
    });
    let tcp = TcpListener::bind((at, 53)).unwrap();
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let mut len = [0; 2];
            while stream.read_exact(&mut len).is_ok() {
                let mut question = vec![0; u16::from_be_bytes(len).into()];
                stream.read_exact(&mut question).unwrap();
                let answer = answer(&question);
                let mut message = (answer.len() as u16).to_be_bytes().to_vec();
                message.extend_from_slice(&answer);
                stream.write_all(&message).unwrap();
            }
        }
    });
}

#[test]
fn names_are_looked_up_where_the_host_does() {
    let test = "names_are_looked_up_where_the_host_does";
    let folder = folder();
    if run(test, folder.path(), &["true"]).is_none() {
        return;
    }
    // This thread, and what it starts, are another host, with a resolv.conf of its own.
    if unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).is_err() {
        return skip(test, "there can be no other host");
    }
    let sh = |script: &str| {
        let done = Command::new("sh").args(["-ec", script]).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    sh("mount --make-rprivate /; ip link set lo up");
    if Path::new("/run/nscd").exists() {
        // It looks names up outside of all namespaces.
        sh("mount -t tmpfs none /run/nscd");
    }
    let conf = folder.path().join("resolv.conf");
    fs::write(&conf, "").unwrap();
    sh(&format!("mount --bind {} /etc/resolv.conf", conf.display()));
    for at in ["127.0.0.1", "127.0.0.53", "127.1.2.3", "::1"] {
        resolve_at(at);
    }
    for servers in [
        // systemd-resolved's, dnsmasq's, unbound's.
        "# a stub\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch test\n",
        "nameserver 127.0.0.53\noptions use-vc\nsearch test",
        "nameserver 127.0.0.1\nsearch test\n",
        "nameserver\t::1\nsearch test\n",
        "nameserver 127.1.2.3\nnameserver 127.0.0.53\nsearch test\n",
        // Nobody is at the first: the others are asked.
        "nameserver 127.0.0.54\nnameserver 127.0.0.53\nnameserver 127.1.2.3\nsearch test\n",
        // The host itself, if none is named.
        "search test\n",
    ] {
        fs::write(&conf, servers).unwrap();
        // The second by the search list.
        for name in ["netloom.test", "netloom"] {
            let command = ["getent", "ahostsv4", name];
            let output = run(test, folder.path(), &command).unwrap();
            assert_eq!(output.status.code(), Some(0), "{servers:?}: {output:?}");
            assert!(text(&output.stdout).contains("192.0.2.7"), "{output:?}");
        }
        let unknown = run(test, folder.path(), &["getent", "ahostsv4", "unknown.test"]);
        assert_eq!(unknown.unwrap().status.code(), Some(2));
        // The host's file is as it was.
        assert_eq!(fs::read_to_string(&conf).unwrap(), servers);
    }
    // Whoever is no loopback address is asked as outside.
    let far = "nameserver 192.0.2.53\n";
    fs::write(&conf, far).unwrap();
    let seen = run(test, folder.path(), &["cat", "/etc/resolv.conf"]).unwrap();
    assert_eq!(text(&seen.stdout), far);
}

#[test]
fn signals_are_passed_on() {
    let test = "signals_are_passed_on";
    let folder = folder();
    if run(test, folder.path(), &["true"]).is_none() {
        return;
    }
    let started = folder.path().join("started");
    fs::write(&started, "").unwrap();
    fs::set_permissions(&started, fs::Permissions::from_mode(0o666)).unwrap();
    let script = "trap 'exit 3' TERM; echo yes >started; sleep 20 & wait";
    let mut child = run_command(folder.path())
        .args(["sh", "-c", script])
        .spawn()
        .unwrap();
    let began = Instant::now();
    while fs::read(&started).unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it never starts");
        thread::sleep(Duration::from_millis(10));
    }
    let kill = Command::new("kill").arg(child.id().to_string()).status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn the_kernel_answers_pings() {
    let test = "the_kernel_answers_pings";
    let possible = Command::new("unshare").args(["-n", "true"]).status();
    let tun = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    if !possible.is_ok_and(|status| status.success()) || tun.is_err() {
        return skip(test, "it needs a namespace and /dev/net/tun");
    }
    let ping = |arguments: &[&str]| {
        let output = Command::new("unshare")
            .args(["-n", env!("CARGO_BIN_EXE_netloom"), "ping", "-i", "0.01"])
            .args(arguments)
            .output()
            .unwrap();
        (output.status.code(), text(&output.stdout))
    };
    for address in ["10.71.0.1", "fd71::1"] {
        for device in ["--tap", "--tun"] {
            let (code, report) = ping(&[device, "-c", "5", "-s", "1000", address]);
            assert_eq!(code, Some(0), "{report}");
            assert_eq!(report.matches("1008 bytes from").count(), 5, "{report}");
            assert!(report.contains("5 received, 0% packet loss"), "{report}");
        }
    }
    let (code, report) = ping(&["--tap", "-c", "1", "-W", "20", "10.71.0.77"]);
    assert_eq!(code, Some(1));
    assert!(report.contains("Destination Host Unreachable"), "{report}");
}
