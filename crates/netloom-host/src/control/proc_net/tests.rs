use super::*;
use crate::control::message::{Detail, Interface, Neighbor, Route};

/// The three rows of the notes, as they stand there.
const NOTES: &str = "\
27: EE0010AC:0FBC 530010AC:C5EA 01 00000000:00000000 00:00000000 00000000  0 0 1009512 1 e5550ac0 20 0 0 10 -1
66: EE0010AC:BCDA 040010AC:0D05 01 00000000:00000000 02:00000018 00000000  0 0  246262 2 e5406040 20 4 30 10 -1
 3: 00000000:0FBC 00000000:0000 0A 00000000:00000065 02:00000001 00000000  0 0   18898 2 e3949040 100 0 0 10 0
";

#[test]
fn the_notes_three_rows() {
    let rows = read(NOTES, ByteOrder::LITTLE).unwrap();
    let [a, b, c] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    assert_eq!((a.number, b.number, c.number), (27, 66, 3));
    assert_eq!(a.socket.local.to_string(), "172.16.0.238:4028");
    assert_eq!(a.socket.remote.to_string(), "172.16.0.83:50666");
    assert_eq!(a.socket.state, SocketState::Established);
    assert_eq!((a.socket.inode, a.socket.timer), (1_009_512, None));
    assert_eq!(b.socket.local.to_string(), "172.16.0.238:48346");
    assert_eq!(b.socket.remote.to_string(), "172.16.0.4:3333");
    assert_eq!(b.socket.state, SocketState::Established);
    let timer = b.socket.timer.unwrap();
    assert_eq!((timer.kind, timer.left_ms), (TimerKind::Keepalive, 240));
    assert_eq!(c.socket.local.to_string(), "0.0.0.0:4028");
    assert_eq!(c.socket.state, SocketState::Listen);
    assert_eq!(c.socket.recv_queue, 101, "connections wait to be accepted");
}

#[test]
fn a_file_of_a_big_endian_machine() {
    let row = "0: AC1000EE:0FBC FE800000000000000000000000000001:0001 01 0:0 0:0 0 0 0 1";
    assert!(read(row, ByteOrder::BIG).is_ok());
    let rows = read(row, ByteOrder::BIG).unwrap();
    assert_eq!(rows[0].socket.local.to_string(), "172.16.0.238:4028");
    assert_eq!(rows[0].socket.remote.to_string(), "[fe80::1]:1");
}

#[test]
fn an_overdue_timer_is_due() {
    let row = "0: 00000000:0000 00000000:0000 01 0:0 01:FFFFFFFFFFFFFFFF 00000003 0 7 1";
    let timer = read(row, ByteOrder::LITTLE).unwrap()[0]
        .socket
        .timer
        .unwrap();
    assert_eq!((timer.left_ms, timer.tries), (0, 3));
}

#[test]
fn what_is_no_such_file_is_told_by_line() {
    let good = NOTES.lines().next().unwrap();
    assert!(read(good, ByteOrder::LITTLE).is_ok());
    for (from, to) in [
        ("27:", "27"),
        ("27:", "x:"),
        ("EE0010AC:0FBC", "EE0010A:0FBC"),
        ("EE0010AC:0FBC", "EE0010AC"),
        ("EE0010AC:0FBC", "EE0010AC:10000"),
        ("EE0010AC:0FBC", "+E0010AC:0FBC"),
        ("EE0010AC:0FBC", "ä0010AC:0FBC"),
        (" 01 ", " 00 "),
        (" 01 ", " 0E "),
        (" 00000000:00000000", " 00000000"),
        ("00:00000000 ", "00:3FFFFFFFFFFFFFFF "),
        ("00:00000000 ", "00:1FFFFFFFFFFFFFFFFFFF "),
        ("1009512", "inode"),
        ("  0 0 1009512", "  4294967296 0 1009512"),
    ] {
        assert!(good.contains(from), "{from}");
        let text = format!("{NOTES}\n{}", good.replacen(from, to, 1));
        let error = read(&text, ByteOrder::LITTLE).unwrap_err();
        assert_eq!(error.line, 5, "{to}");
    }
    // Cut anywhere it is an error or a shorter row, never a panic.
    for length in 0..good.len() {
        let _ = read(&good[..length], ByteOrder::LITTLE);
    }
    assert_eq!(read("", ByteOrder::LITTLE).unwrap(), []);
    assert_eq!(
        read("nonsense", ByteOrder::LITTLE).unwrap_err().to_string(),
        "line 1: it does not begin with a number and a colon"
    );
}

fn socket(protocol: Protocol, state: SocketState, local: &str, remote: &str) -> Socket {
    Socket {
        protocol,
        state,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
        recv_queue: 5,
        send_queue: 7,
        timer: None,
        v6_only: false,
        uid: 0,
        inode: 9,
        detail: None,
    }
}

fn tables() -> Tables {
    let timer = |kind, left_ms, tries| {
        Some(Timer {
            kind,
            left_ms,
            tries,
        })
    };
    let open = Socket {
        timer: timer(TimerKind::Retransmit, 205, 2),
        detail: Some(Detail {
            rto: 200_000,
            mss: 1448,
            cwnd: 14_480,
            ssthresh: u32::MAX,
            ..Detail::default()
        }),
        ..socket(
            Protocol::Tcp,
            SocketState::Established,
            "10.0.0.1:80",
            "10.0.0.2:5000",
        )
    };
    let closing = Socket {
        timer: timer(TimerKind::TimeWait, 59_990, 0),
        ..socket(
            Protocol::Tcp,
            SocketState::TimeWait,
            "[fd00::1]:80",
            "[fd00::2]:5000",
        )
    };
    Tables {
        sockets: vec![
            open,
            socket(
                Protocol::Tcp,
                SocketState::Listen,
                "0.0.0.0:80",
                "0.0.0.0:0",
            ),
            closing,
            socket(
                Protocol::Udp,
                SocketState::Closed,
                "0.0.0.0:53",
                "0.0.0.0:0",
            ),
            socket(
                Protocol::Udp,
                SocketState::Established,
                "[fd00::1]:53",
                "[fd00::2]:9",
            ),
        ],
        interfaces: vec![Interface {
            id: 0,
            name: "netloom0".to_owned(),
            mac: None,
            mtu: 1500,
            addresses: Vec::new(),
        }],
        neighbors: vec![Neighbor {
            addr: "10.0.0.2".parse().unwrap(),
            interface: 0,
            mac: Some([2, 0, 0, 0, 0, 0xab]),
            state: "REACHABLE".to_owned(),
            router: false,
        }],
        routes: vec![Route {
            dst: "0.0.0.0".parse().unwrap(),
            prefix: 0,
            via: Some("10.0.0.9".parse().unwrap()),
            interface: 0,
            metric: 3,
        }],
        numbers: [
            ("tcp.received".to_owned(), 12),
            ("ip_default_ttl".to_owned(), 64),
        ]
        .into(),
    }
}

#[test]
fn what_is_written_is_read_again() {
    for order in [ByteOrder::LITTLE, ByteOrder::BIG] {
        let files = tables().files(order);
        let mut read_again: Vec<Socket> = Vec::new();
        for (name, text) in &files[..4] {
            let rows = read(text, order).unwrap();
            assert!(
                rows.iter()
                    .all(|row| row.socket.local.is_ipv6() == name.ends_with('6'))
            );
            read_again.extend(rows.into_iter().map(|row| row.socket));
        }
        let mut due = tables().sockets;
        due.swap(0, 1); // listeners come first
        due[1].detail = None;
        due[1].timer.as_mut().unwrap().left_ms = 210;
        assert_eq!(read_again, due);
    }
}

#[test]
fn rows_are_as_the_kernel_writes_them() {
    let files = tables().files(ByteOrder::LITTLE);
    let file = |name| &files.iter().find(|(n, _)| *n == name).unwrap().1;
    let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    let lines: Vec<_> = file("tcp").lines().collect();
    assert_eq!(lines[0], format!("{tcp:<149}"));
    let row = "   1: 0100000A:0050 0200000A:1388 01 00000007:00000005 01:00000015 00000002     0        0 9 1 0000000000000000 20 0 0 10 -1";
    assert_eq!(lines[2], format!("{row:<149}"));
    let arp = "10.0.0.2         0x1         0x2         02:00:00:00:00:ab     *        netloom0";
    assert_eq!(file("arp").lines().nth(1), Some(arp));
    let route = "netloom0\t00000000\t0900000A\t0003\t0\t0\t3\t00000000\t0\t0\t0";
    assert_eq!(
        file("route").lines().nth(1),
        Some(format!("{route:<127}").as_str())
    );
    assert!(file("snmp").contains("Ip: 2 64 0 "));
    let tcp = "Tcp: 4 0 0 0 0 0 0 0 1 12 0 0 0 0 0\n";
    assert!(file("snmp").contains(tcp), "{}", file("snmp"));
    for name in ["snmp", "netstat"] {
        for pair in file(name).lines().collect::<Vec<_>>().chunks(2) {
            let columns = |line: &str| line.split(' ').count();
            assert_eq!(columns(pair[0]), columns(pair[1]));
        }
    }
}

/// What the kernel here has written is understood.
#[cfg(target_os = "linux")]
#[test]
fn this_machines_own_files() {
    for name in ["tcp", "tcp6", "udp", "udp6"] {
        let Ok(text) = std::fs::read_to_string(format!("/proc/self/net/{name}")) else {
            eprintln!("skipped: this_machines_own_files: no /proc/self/net/{name}");
            continue;
        };
        let rows = read(&text, ByteOrder::NATIVE).unwrap();
        assert_eq!(rows.len(), text.lines().count() - 1, "{name}");
        let protocol = if name.starts_with("tcp") {
            Protocol::Tcp
        } else {
            Protocol::Udp
        };
        assert!(rows.iter().all(|row| row.socket.protocol == protocol));
    }
}
