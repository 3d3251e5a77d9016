//! `netloom dhcp` where nobody answers it, and where `netloom dhcpd` does.
#![cfg(target_os = "linux")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A cable in a network namespace of its own, with nobody at its other end.
const CABLE: &str = "ip link add kernel0 type veth peer name netloom0 && \
    ip link set kernel0 up && ip link set netloom0 up";

/// A program that ends with the value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn in_new_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-n", "sh", "-c", script, env!("CARGO_BIN_EXE_netloom")]);
    command
}

/// Whether namespaces and interfaces can be made here; says why not.
fn is_possible(test: &str) -> bool {
    let reason = match in_new_namespace(CABLE).output() {
        Err(error) => format!("cannot run unshare: {error}"),
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    };
    let _ = writeln!(io::stderr(), "skipped: {test}: {reason}");
    false
}

#[test]
fn interrupted_before_there_is_an_address_is_a_failure() {
    if !is_possible("interrupted_before_there_is_an_address_is_a_failure") {
        return;
    }
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let script =
            format!("{CABLE} && exec \"$0\" dhcp -v --stats --interface netloom0 --timeout 600");
        let mut command = in_new_namespace(&script);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Program(command.spawn().expect("the program starts"));
        let mut errors = BufReader::new(program.0.stderr.take().unwrap());
        // It tells of packets: by then it holds signals back.
        let mut told = String::new();
        errors.read_line(&mut told).unwrap();
        let pid = Pid::from_raw(program.0.id().cast_signed());
        kill(pid, signal).unwrap();
        errors.read_to_string(&mut told).unwrap();
        assert_eq!(program.0.wait().unwrap().code(), Some(3), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.starts_with("netloom: interrupted before"), "{told}");
        // It says what it sent, and that nobody answered.
        let mut said = String::new();
        let mut output = program.0.stdout.take().unwrap();
        output.read_to_string(&mut said).unwrap();
        let last = said.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("; sent ") && last.contains("; took 0 offers, 0 acks, 0 naks;"),
            "{said}"
        );
    }
}

/// From a pool of more addresses than a fixed table would hold.
#[test]
fn client_and_server_say_what_became_of_messages() {
    if !is_possible("client_and_server_say_what_became_of_messages") {
        return;
    }
    let script = format!(
        "{CABLE}
        \"$0\" dhcpd --stats --quiet --interface kernel0 --address 10.7.0.1/16 --no-check \
            --pool 10.7.1.0-10.7.20.255 &
        server=$!
        \"$0\" dhcp --stats --quick --interface netloom0 --timeout 60
        code=$?
        kill $server
        wait $server || exit 9
        exit $code"
    );
    let output = in_new_namespace(&script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let line = |start| said.lines().find(|line| line.starts_with(start));
    let client = line("; sent ").expect(&said);
    assert!(
        client.contains(" 1 acks, 0 naks; dropped 0 malformed,"),
        "{said}"
    );
    let server = line("; got ").expect(&said);
    assert!(
        !server.contains(" 0 acks") && server.contains(" 0 naks; 0 dropped; not answered: "),
        "{said}"
    );
}
