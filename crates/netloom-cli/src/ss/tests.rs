use super::services::Services;
use super::table::{time, timer};
use super::*;
use netloom::control::{Timer, TimerKind};

const NOTES: &str = "\
27: EE0010AC:0FBC 530010AC:C5EA 01 00000000:00000000 00:00000000 00000000  0 0 1009512 1 e5550ac0 20 0 0 10 -1
66: EE0010AC:BCDA 040010AC:0D05 01 00000000:00000000 02:00000018 00000000  0 0  246262 2 e5406040 20 4 30 10 -1
 3: 00000000:0FBC 00000000:0000 0A 00000000:00000065 02:00000001 00000000  0 0   18898 2 e3949040 100 0 0 10 0
";

fn args(all: bool, listening: bool) -> SsArgs {
    SsArgs {
        all,
        listening,
        tcp: true,
        numeric: true,
        options: true,
        extended: true,
        ..SsArgs::default()
    }
}

fn decoded(args: &SsArgs) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tcp");
    fs::write(&file, NOTES).unwrap();
    args.decode(&file).unwrap()
}

#[test]
fn the_notes_three_rows_as_a_table() {
    assert_eq!(
        decoded(&args(true, false)),
        "\
State  Recv-Q Send-Q Local Address:Port Peer Address:Port Process
ESTAB  0      0      172.16.0.238:4028  172.16.0.83:50666 ino:1009512
ESTAB  0      0      172.16.0.238:48346 172.16.0.4:3333   timer:(keepalive,240ms,0) ino:246262
LISTEN 101    0      0.0.0.0:4028       0.0.0.0:*         timer:(keepalive,010ms,0) ino:18898
"
    );
}

#[test]
fn what_listens_and_what_is_connected_are_told_apart() {
    let states = |args: &SsArgs| -> Vec<String> {
        let text = decoded(args);
        let rows = text.lines().skip(1);
        rows.map(|row| row.split(' ').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(states(&args(false, true)), ["LISTEN"]);
    assert_eq!(states(&args(false, false)), ["ESTAB", "ESTAB"]);
    let udp = SsArgs {
        udp: true,
        tcp: false,
        ..args(true, false)
    };
    assert!(states(&udp).is_empty());
    let v6 = SsArgs {
        ipv6: true,
        ..args(true, false)
    };
    assert!(states(&v6).is_empty());
}

#[test]
fn times_are_as_ss_writes_them() {
    for (millis, text) in [
        (0, ""),
        (7, "007ms"),
        (240, "240ms"),
        (1500, "1.500ms"),
        (9000, "9sec"),
        (10_900, "10sec"),
        (82_000, "1min22sec"),
        (599_000, "9min59sec"),
        (659_000, "10min"),
        (7_200_000, "120min"),
    ] {
        assert_eq!(time(millis), text, "{millis}");
    }
}

#[test]
fn a_timer_is_as_exact_as_in_proc() {
    for (left_ms, text) in [
        (0, "timer:(on,,2)"),
        (1, "timer:(on,010ms,2)"),
        (534, "timer:(on,540ms,2)"),
        (540, "timer:(on,540ms,2)"),
        (999, "timer:(on,1sec,2)"),
    ] {
        let (kind, tries) = (TimerKind::Retransmit, 2);
        let shown = timer(Timer {
            kind,
            left_ms,
            tries,
        });
        assert_eq!(shown, text);
    }
}

#[test]
fn ports_have_the_systems_names() {
    let services =
        Services::parse("# none\nhttp\t80/tcp www # web\nhttp 80/udp\nweb 80/tcp\nx y\nz 1/sctp\n");
    assert_eq!(services.name(Protocol::Tcp, 80), "http");
    assert_eq!(services.name(Protocol::Udp, 81), "81");
    assert_eq!(services.name(Protocol::Tcp, 0), "*");
    assert_eq!(Services::default().name(Protocol::Tcp, 80), "80");
}
