//! Whatever is planted wrong in a script that passes is noticed.

use super::{after_accept, verdict};

/// A conversation with something of everything.
const RIGHT: &str = "\
--tcp_ts_tick_usecs=1000
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 setsockopt(3, IPPROTO_IP, IP_TOS, [0x20], 4) = 0
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 10:10(0) win 65535 <mss 1000,sackOK,TS val 500 ecr 0,nop,wscale 7>
+0 > [ttl 64] S. 20:20(0) ack 11 win 65535 <mss 1460,sackOK,TS val 100 ecr 500,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 1000 <nop,nop,TS val 600 ecr 100>
+0 accept(3, ..., ...) = 4
+.01 write(4, ..., 500) = 500
+0 > [tos 0x20] P. 1:501(500) ack 1 <nop,nop,TS val 210 ecr 600>
+.5 > [tos 0x20] P. 1:501(500) ack 1 <nop,nop,TS val 510 ecr 600>
+.1 < . 101:201(100) ack 501 win 1000 <nop,nop,TS val 700 ecr 510>
+0 > . 501:501(0) ack 1 <nop,nop,TS val 610 ecr 600,nop,nop,sack 101:201>
+0 < P. 1:101(100) ack 501 win 1000 <nop,nop,TS val 700 ecr 510>
+0 > . 501:501(0) ack 201 <...>
+0 read(4, ..., 1000) = 200
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLOUT}], 1, 0) = 1
+0 read(4, ..., 1000) = -1 EAGAIN
";

/// `RIGHT` with the times and results that hold here.
fn right() -> String {
    RIGHT
        .replace(
            "+0 accept(3, ..., ...) = 4",
            "+0 accept4(3, ..., ..., SOCK_NONBLOCK) = 4",
        )
        .replace("+.5 > [tos", "+.3 > [tos")
}

/// A part of the script, what takes its place, and a part of what must be said.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "> [ttl 64] S. 20",
        "> [ttl 63] S. 20",
        "TTL: 63 expected, 64 came",
    ),
    (
        "> [ttl 64] S. 20",
        "> [ttl 64] S 20",
        "flags: S expected, S. came",
    ),
    (
        "S. 20:20(0) ack 11 win",
        "S. 20:20(0) ack 12 win",
        "ack: 12 expected, 11 came",
    ),
    (
        "win 65535 <mss 1460",
        "win 65534 <mss 1460",
        "win: 65534 expected, 65535 came",
    ),
    (
        "<mss 1460,sackOK",
        "<mss 1461,sackOK",
        "options: <mss 1461,sackOK,",
    ),
    (
        "ecr 500,nop,wscale 8",
        "ecr 501,nop,wscale 8",
        "ecr 501,nop,wscale 8> expected",
    ),
    (
        "<mss 1460,sackOK,TS val 100 ecr 500,nop,wscale 8>",
        "<mss 1460>",
        "options: <mss 1460> expected",
    ),
    (
        "P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "P. 2:502(500) ack 1 <nop,nop,TS val 210",
        "seq: 2 expected, 1 came",
    ),
    (
        "P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "P. 1:500(499) ack 1 <nop,nop,TS val 210",
        "length: 499 expected, 500 came",
    ),
    (
        "TS val 210 ecr",
        "TS val 230 ecr",
        "TS val: 230 expected, 210 came",
    ),
    (
        "[tos 0x20] P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "[ect0] P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "ECN: ect0 expected, noecn came",
    ),
    (
        "[tos 0x20] P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "[tos 0x21] P. 1:501(500) ack 1 <nop,nop,TS val 210",
        "TOS: 33 expected, 32 came",
    ),
    (
        "ack 1 <nop,nop,TS val 510",
        "ack 1 urg 3 <nop,nop,TS val 510",
        "urg: 3 expected, 0 came",
    ),
    (
        "+.3 > [tos",
        "+.31 > [tos",
        "time: it came 0.010000 s too early (tolerance 0.004000 s)",
    ),
    ("+.3 > [tos", "+.29 > [tos", "no packet came"),
    ("+.3 > [tos", "+.1~+.2 > [tos", "no packet came"),
    ("sack 101:201", "sack 101:200", "sack 101:200> expected"),
    (
        "read(4, ..., 1000) = 200",
        "read(4, ..., 1000) = 199",
        "`read` returned 200, expected 199",
    ),
    (
        "read(4, ..., 1000) = 200",
        "read(4, \"hello\", 1000) = 200",
        "expected, ",
    ),
    (
        "revents=POLLOUT",
        "revents=POLLIN",
        "revents of 4: 0x1 expected, 0x4 came",
    ),
    (
        "= -1 EAGAIN",
        "= -1 EPIPE",
        "`read` returned -1 EAGAIN, expected -1 EPIPE",
    ),
    (
        "= -1 EAGAIN",
        "= 0",
        "`read` returned -1 EAGAIN, expected 0",
    ),
    (
        "+0 > . 501:501(0) ack 201 <...>\n",
        "",
        "a packet was sent that the script does not expect",
    ),
];

#[test]
fn every_planted_error_is_noticed() {
    assert_eq!(verdict(&right()), Ok(()));
    for (part, instead, told) in PLANTED {
        let wrong = right().replacen(part, instead, 1);
        assert_ne!(wrong, right(), "{part}");
        let verdict = verdict(&wrong).expect_err(instead);
        assert!(verdict.contains(told), "{instead}: {verdict}");
    }
}

#[test]
fn a_message_shows_both_packets_and_the_time() {
    let told = after_accept("+0 write(4, ..., 10) = 10\n+.2 > P. 1:12(11) ack 1 win 100\n");
    assert_eq!(
        told.unwrap_err(),
        "\
9:1: length: 11 expected, 10 came; win: 100 expected, 65535 came; time: it came 0.200000 s too early (tolerance 0.004000 s)
  expected: 0.300000 > P. 1:12(11) ack 1 win 100
      came: 0.100000 > P. 1:11(10) ack 1 win 65535"
    );
    let told = after_accept("+.1 > . 1:1(0) ack 1\n");
    assert_eq!(
        told.unwrap_err(),
        "\
8:1: no packet came
  expected: 0.200000 > . 1:1(0) ack 1
      came: nothing; no timer is armed"
    );
}

#[test]
fn an_assertion_says_what_the_names_were() {
    let told = after_accept("+0 %{ assert tcpi_snd_cwnd == 9 and True, 'ten is right' }%\n");
    assert_eq!(
        told.unwrap_err(),
        "8:7: this does not hold: tcpi_snd_cwnd == 9 and True\n  tcpi_snd_cwnd = 10\n  ten is right"
    );
    let told = after_accept("+0 %{ assert tcpi_snd_cwnd // 0 == 1 }%\n");
    assert_eq!(
        told.unwrap_err(),
        "8:14: this divides by zero, or its result is too large"
    );
    assert_eq!(
        verdict("0 %{ assert tcpi_rtt == 0 }%").unwrap_err(),
        "1:13: `tcpi_rtt` has no value: there is no connection"
    );
}

#[test]
fn udp_and_icmp_are_compared() {
    let udp = "\
0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 connect(3, ..., ...) = 0
+0 write(3, ..., 10) = 10
+0 > udp (10)
";
    assert_eq!(verdict(udp), Ok(()));
    let told = verdict(&udp.replace("> udp (10)", "> udp (11)")).unwrap_err();
    assert!(told.contains("length: 11 expected, 10 came"), "{told}");
    let echo = "0 < icmp echo_request id 7\n+0 > icmp echo_reply id 7\n";
    assert_eq!(verdict(echo), Ok(()));
    let told = verdict(&echo.replace("reply id 7", "reply id 8")).unwrap_err();
    assert!(told.contains("id: 8 expected, 7 came"), "{told}");
    let told = verdict(&echo.replace("echo_reply", "time_exceeded")).unwrap_err();
    assert!(told.contains("ICMP type: 11 expected, 0 came"), "{told}");
    let closed = "0 < udp (10)\n+0 > icmp unreachable port_unreachable [udp (10)]\n";
    assert_eq!(verdict(closed), Ok(()));
}

#[test]
fn two_connections_are_kept_apart_by_their_ports() {
    let second = "\
+0 listen(3, 2) = 0
+0 < 41000 > 8080 S 700:700(0) win 500 <mss 1000>
+0 > 8080 > 41000 S. 300:300(0) ack 701 <mss 1460>
+0 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+0 < 41000 > 8080 . 1:1(0) ack 1 win 500
+0 accept(3, ..., ...) = 5
+0 write(5, ..., 5) = 5
+0 > 8080 > 41000 P. 1:6(5) ack 1
";
    assert_eq!(after_accept(second), Ok(()));
    let told = after_accept(&second.replace("+0 > . 1:1(0)", "+0 > 8080 > 41000 . 1:1(0)"));
    let told = told.unwrap_err();
    assert!(
        told.contains("destination port: 41000 expected, 40000 came"),
        "{told}"
    );
}

#[test]
fn numbers_count_from_the_first_syns() {
    let script = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 700:700(0) win 65535 <mss 1460>
+0 > S. 300:300(0) ack 701 <mss 1460>
+.1 < . 1:1(0) ack 1 win 65535
+0 accept(3, ..., ...) = 4
+0 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+0 < S 700:700(0) win 65535
+0 > . 1:1(0) ack 11
+0 < R 11:11(0) win 0
+1 < S 1000000:1000000(0) win 65535 <mss 1460>
+0 > S. 275300:275300(0) ack 1000001 <mss 1460>
+.1 < . 999301:999301(0) ack 275001 win 65535
+0 accept(3, ..., ...) = 5
+0 write(5, ..., 10) = 10
+0 > P. 275001:275011(10) ack 999301
";
    let told = verdict(script);
    assert_eq!(told, Ok(()));
    let wrong = script.replace("S. 275300:275300", "S. 275301:275301");
    let told = verdict(&wrong).unwrap_err();
    assert!(told.contains("seq: 275301 expected, 275300 came"), "{told}");
}

#[test]
fn what_is_echoed_was_sent() {
    let script = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 65535 <mss 1460,sackOK,TS val 7 ecr 0>
+0 > S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 100 ecr 7>
+.1 < . 1:1(0) ack 1 win 65535 <nop,nop,TS val 8 ecr 150>
+0 accept(3, ..., ...) = 4
";
    assert_eq!(
        verdict(script),
        Err("6:1: `ecr 150` echoes a timestamp that netloom is not said to have sent".to_owned())
    );
    assert_eq!(verdict(&script.replace("ecr 150", "ecr 100")), Ok(()));
    assert_eq!(verdict(&format!("--tcp_ts_ecr_scaled\n{script}")), Ok(()));
}

#[test]
fn what_follows_a_packet_counts_from_when_it_came() {
    // Both segments come 3 ms before they are to; together that were more than the tolerance.
    let script = "\
+0 write(4, ..., 2920) = 2920
+.003 > . 1:1461(1460) ack 1
+.003 > P. 1461:2921(1460) ack 1
+1 > . 1:1461(1460) ack 1
";
    assert_eq!(after_accept(script), Ok(()));
}

#[test]
fn icmp_messages_are_those_of_the_version() {
    let closed = "--ip_version=ipv6\n0 < udp (10)\n+0 > icmp unreachable NAME [udp (10)]\n";
    for (name, told) in [
        ("port_unreachable", Ok(())),
        ("code_4", Ok(())),
        ("no_route", Err("ICMP code: 0 expected, 4 came")),
        ("code_3", Err("ICMP code: 3 expected, 4 came")),
    ] {
        let verdict = verdict(&closed.replace("NAME", name));
        match told {
            Ok(()) => assert_eq!(verdict, Ok(()), "{name}"),
            Err(told) => assert!(verdict.unwrap_err().contains(told), "{name}"),
        }
    }
    assert_eq!(
        verdict("0 < type_8\n").unwrap_err(),
        "1:5: `type_8` is no TCP flags: they are F S R P . U E W A, or `-` for none"
    );
    assert_eq!(
        verdict("0 < icmp type_8 code_0 id 7\n+0 > icmp echo_reply id 7\n"),
        Ok(())
    );
}
