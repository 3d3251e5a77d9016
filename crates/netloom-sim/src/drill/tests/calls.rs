//! The calls of the socket API over netloom: results, errors and readiness as BSD sockets have
//! them.

use super::{after_accept, verdict};

/// Conversations that must pass after a connection was accepted as descriptor 4.
const CONVERSATIONS: &[(&str, &str)] = &[
    (
        "peeking leaves the data where it is",
        "\
+0 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+0 recv(4, ..., 5, MSG_PEEK) = 5
+0 recv(4, ..., 20, MSG_PEEK|MSG_DONTWAIT) = 10
+0 recv(4, ..., 20, 0) = 10
+0 recv(4, ..., 20, MSG_DONTWAIT) = -1 EAGAIN
+0 recv(4, ..., 20, MSG_OOB) = -1 EINVAL
",
    ),
    (
        "MSG_WAITALL waits for all of it",
        "\
+0...0.1 recv(4, ..., 20, MSG_WAITALL) = 20
+0 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+.1 < P. 11:21(10) ack 1 win 65535
+0 > . 1:1(0) ack 21
",
    ),
    (
        "vectors and messages",
        "\
+0 writev(4, [{..., 100}, {\"abc\", 3}, {..., 7}], 3) = 110
+0 > P. 1:111(110) ack 1
+0 sendmsg(4, {msg_name(...)=NULL, msg_iov(1)=[{..., 10}], msg_flags=0, msg_control=[]}, 0) = 10
+.1 < P. 1:31(30) ack 111 win 65535
+0 > P. 111:121(10) ack 31
+0 readv(4, [{..., 10}, {..., 15}], 2) = 25
+0 recvfrom(4, ..., 100, 0, ..., ...) = 5
",
    ),
    (
        "the end of the stream, and after it",
        "\
+0 < F. 1:1(0) ack 1 win 65535
+0 > . 1:1(0) ack 2
+0 poll([{fd=4, events=POLLIN|POLLRDHUP|POLLOUT, revents=POLLIN|POLLRDHUP|POLLOUT}], 1, 0) = 1
+0 read(4, ..., 10) = 0
+0 read(4, ..., 10) = 0
+0 shutdown(4, SHUT_WR) = 0
+0 > F. 1:1(0) ack 2
+0 write(4, ..., 10) = -1 EPIPE
+.1 < . 2:2(0) ack 2 win 65535
+0 shutdown(4, SHUT_RDWR) = -1 ENOTCONN
+0 close(4) = 0
+0 close(4) = -1 EBADF
",
    ),
    (
        "a reset is told once",
        "\
+0 < R. 1:1(0) ack 1 win 0
+0 poll([{fd=4, events=0, revents=POLLERR|POLLHUP}], 1, 0) = 1
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [104], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0
+0 read(4, ..., 10) = 0
+0 write(4, ..., 10) = -1 EPIPE
",
    ),
    (
        "a reset ends a read that waits",
        "\
+0...0.1 read(4, ..., 10) = -1 ECONNRESET (Connection reset by peer)
+.1 < R. 1:1(0) ack 1 win 0
",
    ),
    (
        "levels, edges and single shots of epoll",
        "\
+0 epoll_create1(0) = 5
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN|EPOLLET, u64=77}) = 0
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST
+0 epoll_wait(5, ..., 1, 0) = 0
+0 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+0 epoll_wait(5, {events=EPOLLIN, u64=77}, 1, 0) = 1
+0 epoll_wait(5, ..., 1, 0) = 0
+0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN, fd=4}) = 0
+0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
+0 epoll_wait(5, [{events=EPOLLIN, fd=4}], 1, 0) = 1
+0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLONESHOT, fd=4}) = 0
+0 epoll_wait(5, ..., 1, 0) = 1
+0 epoll_wait(5, ..., 1, 0) = 0
+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, ...) = 0
+0 epoll_ctl(5, EPOLL_CTL_DEL, 4, ...) = -1 ENOENT
+0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
+0 epoll_wait(5, ..., 1, -1) = 1
+0 recv(5, ..., 1, 0) = -1 ENOTSOCK
+0 read(4, ..., 10) = 10
+0...0.1 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, -1) = 1
+.1 < P. 11:21(10) ack 1 win 65535
+0 > . 1:1(0) ack 21
",
    ),
    (
        "poll waits for what comes, or for its time",
        "\
+0...0.1 poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 1000) = 1
+.1 < P. 1:11(10) ack 1 win 65535
+0 > . 1:1(0) ack 11
+0...0.25 poll([{fd=4, events=POLLPRI, revents=0}], 1, 250) = 0
+0.25 poll([{fd=4, events=0, revents=0}, {fd=9, events=0, revents=POLLNVAL}], 2, -1) = 1
",
    ),
    (
        "ends and options can be asked for",
        "\
+0 getsockname(4, {sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr(\"192.168.0.1\")}, ...) = 0
+0 getpeername(4, {sa_family = AF_INET, sin_port = htons(40000), sin_addr = inet_addr(\"192.0.2.1\")}, ...) = 0
+0 getpeername(3, ..., ...) = -1 ENOTCONN
+0 getsockopt(4, IPPROTO_TCP, TCP_MAXSEG, [1460], [4]) = 0
+0 getsockopt(4, SOL_SOCKET, SO_TYPE, [SOCK_STREAM], [4]) = 0
+0 getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, [1], [4]) = 0
+0 setsockopt(4, IPPROTO_TCP, TCP_KEEPIDLE, [60], 4) = 0
+0 setsockopt(4, SOL_SOCKET, SO_KEEPALIVE, [1], 4) = 0
+0 getsockopt(4, IPPROTO_TCP, TCP_KEEPIDLE, [60], [4]) = 0
+60 > . 0:0(0) ack 1
+0 < . 1:1(0) ack 1 win 65535
+0 setsockopt(4, IPPROTO_TCP, 9999, [1], 4) = -1 ENOPROTOOPT
+0 ioctl(4, 0x1234, [0]) = -1 ENOTTY
",
    ),
    (
        "closing with a linger time of zero resets",
        "\
+0 setsockopt(4, SOL_SOCKET, SO_LINGER, {onoff=1, linger=0}, 8) = 0
+0 close(4) = 0
+0 > R. 1:1(0) ack 1
",
    ),
    (
        "queues are counted",
        "\
+0 write(4, ..., 100) = 100
+0 > P. 1:101(100) ack 1
+0 write(4, ..., 50) = 50
+0 ioctl(4, SIOCOUTQ, [150]) = 0
+0 ioctl(4, SIOCOUTQNSD, [50]) = 0
+.1 < . 1:1(0) ack 101 win 65535
+0 > P. 101:151(50) ack 1
+0 ioctl(4, SIOCOUTQ, [50]) = 0
+0 ioctl(4, SIOCOUTQNSD, [0]) = 0
",
    ),
];

#[test]
fn conversations_pass() {
    for (what, script) in CONVERSATIONS {
        assert_eq!(after_accept(script), Ok(()), "{what}");
    }
}

/// Calls on sockets without a connection.
const WITHOUT_CONNECTION: &[(&str, &str)] = &[
    (
        "a stream that was never opened",
        "\
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 read(3, ..., 1) = -1 ENOTCONN
+0 write(3, ..., 1) = -1 EPIPE
+0 shutdown(3, SHUT_WR) = -1 ENOTCONN
+0 accept(3, ..., ...) = -1 EINVAL
+0 bind(3, {sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr(\"10.9.9.9\")}, ...) = -1 EADDRNOTAVAIL
+0 bind(3, ..., ...) = 0
+0 bind(3, ..., ...) = -1 EINVAL
+0 socket(..., SOCK_STREAM, IPPROTO_UDP) = -1 EPROTONOSUPPORT
+0 socket(44, SOCK_STREAM, 0) = -1 EAFNOSUPPORT
",
    ),
    (
        "two listeners at one port",
        "\
0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, 0) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 socket(..., SOCK_STREAM, 0) = 4
+0 bind(4, ..., ...) = 0
+0 listen(4, 1) = -1 EADDRINUSE
+0 accept(3, ..., ...) = -1 EAGAIN
+0 poll([{fd=3, events=POLLIN, revents=0}], 1, 0) = 0
+0 connect(3, ..., ...) = -1 EISCONN
",
    ),
    (
        "datagrams keep their bounds",
        "\
0 socket(..., SOCK_DGRAM|SOCK_NONBLOCK, IPPROTO_UDP) = 3
+0 bind(3, ..., ...) = 0
+0 recv(3, ..., 10, 0) = -1 EAGAIN
+0 < udp (100)
+0 < udp (0)
+0 < udp (50)
+0 poll([{fd=3, events=POLLIN, revents=POLLIN}], 1, 0) = 1
+0 recv(3, ..., 10, MSG_PEEK) = 10
+0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 10}], msg_flags=MSG_TRUNC}, 0) = 10
+0 recv(3, ..., 10, 0) = 0
+0 recv(3, ..., 10, MSG_TRUNC) = 50
+0 write(3, ..., 10) = -1 EDESTADDRREQ
+0 sendto(3, ..., 10, 0, {sa_family = AF_INET, sin_port = htons(53), sin_addr = inet_addr(\"192.0.2.1\")}, ...) = 10
+0 > udp 8080 > 53 (10)
+0 sendto(3, ..., 60000, 0, ..., ...) = -1 EMSGSIZE
",
    ),
    (
        "data with the SYN, and listeners that take it",
        "\
// netloom: tcp_fastopen=1
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 getsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [0], [4]) = 0
+0 setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [5], 4) = 0
+0 getsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [5], [4]) = 0
+0 setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [-1], 4) = -1 EINVAL
+0 send(3, ..., 1000, MSG_FASTOPEN) = -1 EDESTADDRREQ
+0 sendto(3, \"of the script's\", 15, MSG_FASTOPEN, ..., ...) = 15
+0 sendto(3, ..., 1000, MSG_FASTOPEN, ..., ...) = -1 EISCONN
+0 > S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 8,nop,nop,FO>
+.1 < S. 0:0(0) ack 1 win 65535 <mss 1460,FO 0123456789abcdef,nop,nop>
+0 > P. 1:16(15) ack 1
+0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 4
+0 sendto(4, ..., 10, MSG_FASTOPEN, ..., ...) = -1 EOPNOTSUPP
",
    ),
    (
        "a handshake that times out",
        "\
// netloom: tcp_syn_retries=1
0 socket(..., SOCK_STREAM, 0) = 3
+0...3 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)
+0 > S 0:0(0) <...>
+1 > S 0:0(0) <...>
",
    ),
];

#[test]
fn sockets_without_a_connection_answer_as_they_do_elsewhere() {
    for (what, script) in WITHOUT_CONNECTION {
        assert_eq!(verdict(script), Ok(()), "{what}");
    }
}
