//! The language: what is understood, and what each mistake is answered with.

use super::{after_accept, verdict};

/// Scripts that mean nothing, and what is said of each.
const MISTAKES: &[(&str, &str)] = &[
    (
        "0 `rm -rf /`",
        "1:3: a script cannot run a shell: `rm` is not `sysctl NAME=VALUE`",
    ),
    (
        "`sysctl -a`",
        "1:1: a script can only set with sysctl: `-a` is not `NAME=VALUE`",
    ),
    (
        "0 `sysctl -q",
        "1:3: this command has no end: ``` is missing",
    ),
    (
        "0 %{ assert 1 == 1",
        "1:3: this code block has no end: `}%` is missing",
    ),
    (
        "0 %{ import os }%",
        "1:6: a code block can only `assert`: comparisons, `and`, `or`, `not`, arithmetic and the names of tcp_info",
    ),
    (
        "0 %{\nassert open == 1 }%",
        "2:8: `open` is not known in a code block",
    ),
    (
        "0 %{ assert eval(1) }%",
        "1:13: a code block cannot call `eval`",
    ),
    ("0 %{ assert [1] }%", "1:13: a code block has only numbers"),
    (
        "0 %{ assert 1.5 > 1 }%",
        "1:13: only whole numbers have a value here",
    ),
    (
        "0 %{ assert 1 < 2 < 3 }%",
        "1:13: comparisons are put together with `and`",
    ),
    (
        "0 %{ assert 1 1 }%",
        "1:15: expected an operator or the end of the statement, found `1`",
    ),
    (
        "--code_command=sh",
        "1:1: `--code_command` would run a program or read a file: a script cannot",
    ),
    (
        "--init_scripts=a.sh",
        "1:1: `--init_scripts` would run a program or read a file: a script cannot",
    ),
    ("--colour=red", "1:1: the option `--colour` is not known"),
    (
        "--ip_version=ipx",
        "1:1: ip_version=ipx: expected `ipv4` or `ipv6`",
    ),
    ("--mtu=a", "1:1: mtu=a: expected a whole number in range"),
    (
        "--local_ip=fd00::1",
        "1:1: local_ip=fd00::1: expected an address of the script's version of IP",
    ),
    (
        "--netmask_ip=255.0.255.0",
        "1:1: netmask_ip=255.0.255.0: expected an IPv4 netmask",
    ),
    (
        "// netloom: tcp_magic=1\n0 %{ }%",
        "1:1: `tcp_magic` is no tunable of netloom",
    ),
    (
        "// netloom: tcp_congestion_control=vegas\n0 %{ }%",
        "1:1: tcp_congestion_control=vegas: no such congestion control; there are: reno cubic bbr",
    ),
    (
        "// netloom: profile=vegas\n0 %{ }%",
        "1:1: profile=vegas: expected `profile=default` or `profile=rfc5681`",
    ),
    (
        "// netloom: only=ipx\n0 %{ }%",
        "1:1: only=ipx: expected `only=ipv4` or `only=ipv6`",
    ),
    (
        "// netloom: no=kernel\n0 %{ }%",
        "1:1: no=kernel: expected `no=wrap` or `no=packetdrill`",
    ),
    (
        "// netloom: tcp_sack=2\n0 %{ }%",
        "1:1: tcp_sack=2: the value is out of the tunable's range",
    ),
    (
        "close(3) = 0",
        "1:1: expected a time (`0.1`, `+0.1`, `0.1~0.2`, `+0.1~+0.2` or `*`), found `close`",
    ),
    (
        "0.1234567 < S 0:0(0)",
        "1:1: times go no finer than a microsecond",
    ),
    ("99999999999 < S 0:0(0)", "1:1: this time is out of range"),
    (
        "0.1~+0.2 > S 0:0(0)",
        "1:4: both ends of a range of times are relative (`+0.1~+0.2`), or neither is",
    ),
    (
        "0.2~0.1 > S 0:0(0)",
        "1:4: this range ends before it begins",
    ),
    (
        "0 = 3",
        "1:3: expected `<`, `>`, a call or a code block, found `=`",
    ),
    (
        "0 < SX 0:0(0)",
        "1:5: `SX` is no TCP flags: they are F S R P . U E W A, or `-` for none",
    ),
    (
        "0 < SS 0:0(0)",
        "1:5: `SS` is no TCP flags: they are F S R P . U E W A, or `-` for none",
    ),
    (
        "0 < 1:1(0)",
        "1:5: expected TCP flags (`S`, `.`, `P.`, ...), `udp` or `icmp`, found `1`",
    ),
    ("0 < . 1:3(1)", "1:7: 1:3 is not 1 bytes long"),
    (
        "0 < . 1:65002(65001)",
        "1:15: 65001 bytes do not fit a packet: 65000 do",
    ),
    (
        "0 < . -1:1(2)",
        "1:7: expected a sequence number, found `-`",
    ),
    (
        "0 < . 4294967295:1(2) win 1",
        "1:7: 4294967295:1 is not 2 bytes long",
    ),
    (
        "0 < . 1:1(0) ack 1",
        "1:19: expected `win`: a segment that arrives says its window, found the end",
    ),
    (
        "0 < . 4294967296:1(0)",
        "1:7: 4294967296 is out of range for a sequence number",
    ),
    (
        "0 < S 0:0(0) win 65536",
        "1:18: 65536 is out of range for a window",
    ),
    (
        "0 < S 0:0(0) win 1 <mss 1460,nop>",
        "1:20: these options take 5 bytes: pad them with nop or eol to a multiple of 4, 40 at most",
    ),
    (
        "0 < S 0:0(0) win 1 <mmss 1>",
        "1:21: `mmss` is no TCP option",
    ),
    (
        "0 < S 0:0(0) win 1 <TS 1 ecr 2,nop,nop>",
        "1:24: expected `val`, found `1`",
    ),
    (
        "0 < S 0:0(0) win 1 <sack,nop,nop>",
        "1:25: expected a block (`1001:2001`), found `,`",
    ),
    (
        "0 < S 0:0(0) win 1 <FO abc>",
        "1:24: `abc` is not bytes in hexadecimal",
    ),
    (
        "0 < S 0:0(0) win 1 <md5 00>",
        "1:25: a signature has 16 bytes",
    ),
    (
        "0 < [ect2] S 0:0(0)",
        "1:6: `ect2` is no field of an IP header",
    ),
    ("0 < icmp sad", "1:10: `sad` is no ICMP message"),
    (
        "0 < icmp unreachable ttl_exceeded",
        "1:22: expected a code of `unreachable`, found `ttl_exceeded`",
    ),
    (
        "--ip_version=ipv6\n0 < icmp unreachable host_unreachable",
        "2:1: `icmp unreachable host_unreachable` does not exist over IPv6: say `// netloom: only=` where it does",
    ),
    (
        "--ip_version=ipv6\n0 < icmp source_quench",
        "2:1: `icmp source_quench` does not exist over IPv6: say `// netloom: only=` where it does",
    ),
    ("0 < icmp type_256", "1:10: `type_256` is no ICMP message"),
    (
        "0 < ipv4 1.2.3 > 1.2.3.4: S 0:0(0)",
        "1:10: expected an IPv4 address, found `1.2.3`",
    ),
    (
        "0 < mpls (label 1048576, tc 0, ttl 1): S 0:0(0)",
        "1:11: a label has 20 bits and a traffic class 3",
    ),
    ("0 close 3", "1:9: expected `(` after `close`, found `3`"),
    ("0 close(3", "1:10: expected `,`, found the end"),
    ("0 close(3) 0", "1:12: expected `=`, found `0`"),
    (
        "0 write(4, \"abc, 3) = 3",
        "1:12: this string has no end: `\"` is missing",
    ),
    (
        "0 close(\u{20ac}) = 0",
        "1:9: `\u{20ac}` means nothing in a script",
    ),
    (
        "/* 0 close(3) = 0",
        "1:1: this comment has no end: `*/` is missing",
    ),
    (
        "0 open(\"/etc/passwd\") = 3",
        "1:3: the call `open` is not known",
    ),
    (
        "0 socket(..., SOCK_STREAM) = 3",
        "1:3: `socket` takes 3 arguments, here are 2",
    ),
    (
        "0 socket(..., SOCK_STRAM, 0) = 3",
        "1:15: the name `SOCK_STRAM` is not known",
    ),
    (
        "0 close(3) = -1 EWRONG (wrong)",
        "1:3: `EWRONG` is no error of the socket API",
    ),
];

#[test]
fn every_mistake_names_its_line_and_column() {
    for (script, expected) in MISTAKES {
        assert_eq!(verdict(script), Err((*expected).to_owned()), "{script}");
    }
}

#[test]
fn an_expression_has_bounds() {
    for script in [
        format!(
            "0 close({}1{}) = 0",
            "(".repeat(100_000),
            ")".repeat(100_000)
        ),
        format!("0 close({}1) = 0", "-".repeat(100_000)),
        format!("0 close(1{}) = 0", "|1".repeat(100_000)),
        format!("0 %{{ assert {} 1 }}%", "not ".repeat(100_000)),
        format!("0 close({}", "[".repeat(100_000)),
        format!("0 close({}", "{".repeat(100_000)),
    ] {
        let told = verdict(&script).unwrap_err();
        assert!(told.contains("expected a"), "{told}");
    }
}

#[test]
fn every_form_of_the_language_is_understood() {
    let script = "\
// netloom: tcp_sack=1 tcp_ecn=0 seed=7
--ip_version=ipv4
--local_ip=192.168.0.1
--netmask_ip=255.255.0.0
--gateway_ip=192.168.0.9
--remote_ip=192.0.2.1
--bind_port=9000
--tolerance_usecs=4000
`sysctl -q net.ipv4.tcp_timestamps=0
sysctl -q net.core.unknown=1`
# a comment at the beginning of a line
/* and one
   of two lines */
0.000 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+.0 setsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 getsockopt(3, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, [8]) = 0
+0 setsockopt(3, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0
+0 bind(3, {sa_family = AF_INET, sin_port = htons(9000), sin_addr = inet_addr(\"192.168.0.1\")}, ...) = 0
+0 getsockname(3, {sa_family = AF_INET, sin_port = htons(9000), sin_addr = INADDR_LOOPBACK}, ...) = -1 EFAULT
";
    // Loopback is not what the socket is bound to: the last line must fail, and say so.
    assert_eq!(
        verdict(script),
        Err("19:4: `getsockname` returned 0, expected -1 EFAULT".to_owned())
    );
    let script = "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 fcntl(3, F_GETFL) = 0x2 (flags O_RDWR)
+0 bind(3, ..., ...) = 0
+0 listen(3, 0x1) = 0
+0 < [ect0] 40000 > 8080 SEW 0:0(0) win 65535 <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 0>
*  > [noecn] 8080 > 40000 SE. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 1,nop,wscale 8>
0.1 < (ttl 64) . 1:1(0) ack 1 win 65535 <nop,nop,TS val 2 ecr 100>
0.1~0.2 accept4(3, ..., ..., SOCK_NONBLOCK) = 4
+0 fcntl(4, F_GETFL) = 0x802
+0 read(4, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)
+0 setsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], 4) = 0
+0 write(4, \"abc\"..., 7) = 7
+0 > P. 1:8(7) ack 1 <...>
+0 sendmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 10}, {\"xyz\", 3}], msg_flags=0}, 0) = 13
+0~+.3 > P. 8:21(13) ack 1 <...>
+.1 < P. 1:11(10) ack 21 win 65535 <nop,nop,TS val 3 ecr 100>
+0 > . 21:21(0) ack 11 <...>
+0 poll([{fd=4, events=POLLIN|POLLOUT, revents=POLLIN|POLLOUT}], 1, 0) = 1
+0 epoll_create(1) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0 ioctl(4, SIOCINQ, [10]) = 0
+0 recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 5}, {..., 20}], msg_flags=0}, 0) = 10
+0 %{ assert tcpi_state == TCP_ESTABLISHED and not tcpi_unacked > 0, tcpi_state
assert 7 // 2 == 3 and -7 // 2 == -4 and -7 % 2 == 1; assert (1 << 4 | 2) == 18 or False }%
+0 `sysctl -q net.ipv4.tcp_sack=0`
+0...0.100 usleep(100000) = 0
+.1 close(4) = 0
+0 > F. 21:21(0) ack 11 <...>
`sysctl -q net.ipv4.tcp_sack=1`
";
    let told = verdict(script);
    assert_eq!(told, Ok(()));
}

#[test]
fn a_defined_name_stands_for_its_value() {
    let script = "\
--define=WINDOW=9
--define=OPTIONS=mss 1460,sackOK,nop,nop
0 < S 0:0(0) win WINDOW <OPTIONS>
+0 > R. 0:0(0) ack 1
";
    assert_eq!(verdict(script), Ok(()));
    for wrong in ["--define=A", "--define=A=", "--define==1", "--define=A=`x`"] {
        assert_eq!(
            verdict(wrong),
            Err("1:1: expected `--define=NAME=VALUE`".to_owned())
        );
    }
}

#[test]
fn a_call_that_waits_is_said_to() {
    assert_eq!(
        after_accept("+0 read(4, ..., 10) = 1\n"),
        Err(
            "8:4: `read` has to wait: say until when (`0.1...0.2 read(...)`), or make the socket \
             O_NONBLOCK"
                .to_owned()
        )
    );
    let waits = "\
+0...0.2 read(4, ..., 100) = 10
+.2 < P. 1:11(10) ack 1 win 9
+0 > . 1:1(0) ack 11
";
    assert_eq!(after_accept(waits), Ok(()));
    assert_eq!(
        after_accept("+0...0.2 read(4, ..., 100) = 10\n+.1 < P. 1:11(10) ack 1 win 9\n"),
        Err(
            "8:10: `read` was to return at 0.300000, and returned at 0.200000: 0.100000 s too \
             early"
                .to_owned()
        )
    );
    assert_eq!(
        after_accept("+0...0.2 read(4, ..., 100) = 10\n+.1 close(3) = 0\n"),
        Err("8:10: `read` was to return at 0.300000, and still waits".to_owned())
    );
    assert_eq!(
        after_accept("+0...0.5 poll([{fd=4, events=POLLIN}], 1, 500) = 0\n"),
        Ok(())
    );
}

#[test]
fn a_call_that_waits_for_room_takes_the_rest_later() {
    let script = "\
+0 setsockopt(4, SOL_SOCKET, SO_SNDBUF, [1000], 4) = 0
+0...0.1 write(4, ..., 1500) = 1500
+0 > P. 1:1001(1000) ack 1
+.1 < . 1:1(0) ack 1001 win 65535
+0 > P. 1001:1501(500) ack 1
";
    assert_eq!(after_accept(script), Ok(()));
}

#[test]
fn packets_in_packets_arrive_and_are_dropped() {
    let script = "\
0 < ipv4 [ttl 3] 192.0.2.9 > 192.168.0.1: gre flags [key present], key = 0x7: S 0:0(0) win 9
+0 < ipv4 192.0.2.9 > 192.168.0.1: mpls (label 7, tc 1, [S], ttl 9): S 0:0(0) win 9
+0 < gre: S 0:0(0) win 9
+0 %{ }%
";
    // What is inside must never be taken for a packet of its own: nothing answers the SYN.
    let told = verdict(script);
    let answered = told.as_ref().is_err_and(|text| text.contains("> R"));
    assert!(!answered, "{told:?}");
}
