//! The device goes while a transfer is under way: the program says so and ends.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const NETLOOM: &str = env!("CARGO_BIN_EXE_netloom");

/// How long the program may take to end. Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// More than any transfer here moves before it is cut; it takes no room.
const SIZE: u64 = 1 << 40;

/// What must have come before the device is removed.
const BEGUN: u64 = 8 << 20;

/// A pair of interfaces in a fresh namespace: `kernel0` with the kernel's address, and `netloom0`.
const CABLE: &str = "ip link add kernel0 type veth peer name netloom0 && \
    ip addr add 10.71.0.1/24 dev kernel0 && ip link set kernel0 up && ip link set netloom0 up && ";

/// A program that ends with the value.
struct Program(Child);

impl Program {
    /// Starts what a shell runs in a network namespace of its own.
    fn in_new_namespace(script: &str) -> Program {
        Program::start(Command::new("unshare").args(["-n", "sh", "-c", script]))
    }

    fn start(command: &mut Command) -> Program {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Program(command.spawn().expect("the program starts"))
    }

    /// A command in this program's namespace.
    fn beside(&self, command: &[&str]) -> Command {
        let mut nsenter = Command::new("nsenter");
        let pid = self.0.id().to_string();
        nsenter.args(["-n", "-t", &pid]).args(command);
        nsenter
    }

    fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().expect("it is taken once")
    }

    /// Waits for the line that says where it serves.
    fn serves(&mut self) {
        let mut line = String::new();
        BufReader::new(self.stdout()).read_line(&mut line).unwrap();
        assert!(line.contains("http://"), "{line}");
    }

    /// How it ended, and what it complained of.
    fn ended(&mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it goes on without the device");
            thread::sleep(Duration::from_millis(20));
        };
        let mut told = String::new();
        let stderr = self.0.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut told).unwrap();
        (status.code(), told)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether namespaces and interfaces can be made here; says why not.
fn is_possible(test: &str) -> bool {
    let tried = Command::new("unshare")
        .args(["-n", "sh", "-c", &format!("{CABLE} curl --version")])
        .output();
    let reason = match (tried, File::options().write(true).open("/dev/net/tun")) {
        (Err(error), _) => format!("cannot run unshare: {error}"),
        (_, Err(error)) => format!("cannot open /dev/net/tun: {error}"),
        (Ok(output), _) if !output.status.success() => {
            String::from_utf8_lossy(&output.stderr).trim().to_owned()
        }
        (Ok(_), Ok(_)) => return true,
    };
    let _ = writeln!(io::stderr(), "skipped: {test}: {reason}");
    false
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = File::create(folder.path().join("large")).unwrap();
    file.set_len(SIZE).unwrap();
    folder
}

/// Takes the beginning of a transfer, removes the device, and goes on taking.
fn cut(mut transfer: ChildStdout, namespace: &Program) {
    let mut begun = transfer.by_ref().take(BEGUN);
    assert_eq!(io::copy(&mut begun, &mut io::sink()).unwrap(), BEGUN);
    thread::spawn(move || io::copy(&mut transfer, &mut io::sink()));
    let removal = namespace
        .beside(&["ip", "link", "del", "netloom0"])
        .output();
    assert!(removal.as_ref().unwrap().status.success(), "{removal:?}");
}

/// Whether what it told is one line, which says what happened.
fn is_one_line(told: &str) -> bool {
    told.lines().count() == 1 && told.contains("was removed")
}

fn serve_ends(options: &str, cable: &str, folder: &Path) {
    let folder = folder.display();
    let script = format!("{cable} exec {NETLOOM} serve {options} {folder}");
    let mut server = Program::in_new_namespace(&script);
    server.serves();
    let url = "http://10.71.0.2/large";
    let mut client = Program::start(&mut server.beside(&["curl", "-sS", url]));
    cut(client.stdout(), &server);
    let (code, told) = server.ended();
    assert!(code == Some(1) && is_one_line(&told), "{code:?} {told}");
}

fn get_ends(options: &str, cable: &str, folder: &Path) {
    let script = format!(
        "{cable} exec {NETLOOM} serve --listen 0.0.0.0:8080 {}",
        folder.display()
    );
    let mut server = Program::in_new_namespace(&script);
    server.serves();
    let url = "http://10.71.0.1:8080/large";
    let mut get = server.beside(&[NETLOOM, "get"]);
    get.args(options.split_whitespace()).arg(url);
    let mut client = Program::start(&mut get);
    cut(client.stdout(), &server);
    let (code, told) = client.ended();
    assert!(code == Some(1) && is_one_line(&told), "{code:?} {told}");
    // What had come was whole up to there, which the line says how to use.
    assert!(told.contains("--continue"), "{told}");
}

#[test]
fn serve_on_a_tap_that_is_removed() {
    if is_possible("serve_on_a_tap_that_is_removed") {
        serve_ends("--tap", "", folder().path());
    }
}

#[test]
fn serve_on_an_interface_that_is_removed() {
    if is_possible("serve_on_an_interface_that_is_removed") {
        let options = "--interface netloom0 --address 10.71.0.2/24";
        serve_ends(options, CABLE, folder().path());
    }
}

#[test]
fn get_on_a_tap_that_is_removed() {
    if is_possible("get_on_a_tap_that_is_removed") {
        get_ends("--tap", "", folder().path());
    }
}

#[test]
fn get_on_an_interface_that_is_removed() {
    if is_possible("get_on_an_interface_that_is_removed") {
        let options = "--interface netloom0 --address 10.71.0.2/24";
        get_ends(options, CABLE, folder().path());
    }
}
