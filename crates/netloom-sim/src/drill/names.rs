//! The names of the C headers that scripts use, with Linux's values (the generic ABI).

/// Names of constants.
const CONSTANTS: &[(&str, i64)] = &[
    ("AF_INET", AF_INET as i64),
    ("AF_INET6", AF_INET6 as i64),
    ("PF_INET", AF_INET as i64),
    ("PF_INET6", AF_INET6 as i64),
    ("SOCK_STREAM", SOCK_STREAM as i64),
    ("SOCK_DGRAM", SOCK_DGRAM as i64),
    ("SOCK_NONBLOCK", SOCK_NONBLOCK as i64),
    ("SOCK_CLOEXEC", 0o2_000_000),
    ("IPPROTO_IP", 0),
    ("IPPROTO_ICMP", 1),
    ("IPPROTO_TCP", IPPROTO_TCP as i64),
    ("IPPROTO_UDP", IPPROTO_UDP as i64),
    ("IPPROTO_IPV6", IPPROTO_IPV6 as i64),
    ("SOL_IP", 0),
    ("SOL_SOCKET", SOL_SOCKET as i64),
    ("SOL_TCP", IPPROTO_TCP as i64),
    ("SOL_UDP", IPPROTO_UDP as i64),
    ("SOL_IPV6", IPPROTO_IPV6 as i64),
    ("INADDR_ANY", 0),
    ("INADDR_LOOPBACK", 0x7f00_0001),
    ("SO_REUSEADDR", SO_REUSEADDR as i64),
    ("SO_TYPE", SO_TYPE as i64),
    ("SO_ERROR", SO_ERROR as i64),
    ("SO_BROADCAST", SO_BROADCAST as i64),
    ("SO_SNDBUF", SO_SNDBUF as i64),
    ("SO_RCVBUF", SO_RCVBUF as i64),
    ("SO_KEEPALIVE", SO_KEEPALIVE as i64),
    ("SO_OOBINLINE", 10),
    ("SO_LINGER", SO_LINGER as i64),
    ("SO_REUSEPORT", SO_REUSEPORT as i64),
    ("SO_RCVLOWAT", 18),
    ("SO_RCVTIMEO", 20),
    ("SO_SNDTIMEO", 21),
    ("SO_TIMESTAMP", 29),
    ("SO_ACCEPTCONN", SO_ACCEPTCONN as i64),
    ("SO_PROTOCOL", SO_PROTOCOL as i64),
    ("SO_DOMAIN", SO_DOMAIN as i64),
    ("SO_MAX_PACING_RATE", SO_MAX_PACING_RATE as i64),
    ("SO_MEMINFO", 55),
    ("TCP_NODELAY", TCP_NODELAY as i64),
    ("TCP_MAXSEG", TCP_MAXSEG as i64),
    ("TCP_CORK", 3),
    ("TCP_KEEPIDLE", TCP_KEEPIDLE as i64),
    ("TCP_KEEPINTVL", TCP_KEEPINTVL as i64),
    ("TCP_KEEPCNT", TCP_KEEPCNT as i64),
    ("TCP_SYNCNT", 7),
    ("TCP_LINGER2", 8),
    ("TCP_DEFER_ACCEPT", 9),
    ("TCP_WINDOW_CLAMP", 10),
    ("TCP_INFO", TCP_INFO as i64),
    ("TCP_QUICKACK", 12),
    ("TCP_CONGESTION", TCP_CONGESTION as i64),
    ("TCP_MD5SIG", 14),
    ("TCP_USER_TIMEOUT", TCP_USER_TIMEOUT as i64),
    ("TCP_FASTOPEN", TCP_FASTOPEN as i64),
    ("TCP_TIMESTAMP", 24),
    ("TCP_NOTSENT_LOWAT", 25),
    ("TCP_CC_INFO", TCP_CC_INFO as i64),
    ("TCP_FASTOPEN_CONNECT", 30),
    ("TCP_INQ", 36),
    ("IP_TOS", IP_TOS as i64),
    ("IP_TTL", IP_TTL as i64),
    ("IP_MTU_DISCOVER", 10),
    ("IP_RECVERR", IP_RECVERR as i64),
    ("IP_MTU", 14),
    ("IP_PMTUDISC_DONT", 0),
    ("IP_PMTUDISC_WANT", 1),
    ("IP_PMTUDISC_DO", 2),
    ("IPV6_UNICAST_HOPS", IPV6_UNICAST_HOPS as i64),
    ("IPV6_V6ONLY", 26),
    ("IPV6_TCLASS", IPV6_TCLASS as i64),
    ("SHUT_RD", 0),
    ("SHUT_WR", 1),
    ("SHUT_RDWR", 2),
    ("F_GETFL", F_GETFL as i64),
    ("F_SETFL", F_SETFL as i64),
    ("O_RDONLY", 0),
    ("O_WRONLY", 1),
    ("O_RDWR", O_RDWR as i64),
    ("O_NONBLOCK", O_NONBLOCK as i64),
    ("FIONREAD", SIOCINQ as i64),
    ("SIOCINQ", SIOCINQ as i64),
    ("SIOCOUTQ", SIOCOUTQ as i64),
    ("TIOCOUTQ", SIOCOUTQ as i64),
    ("SIOCOUTQNSD", SIOCOUTQNSD as i64),
    ("FIONBIO", FIONBIO as i64),
    ("MSG_OOB", MSG_OOB as i64),
    ("MSG_PEEK", MSG_PEEK as i64),
    ("MSG_TRUNC", MSG_TRUNC as i64),
    ("MSG_CTRUNC", 8),
    ("MSG_DONTWAIT", MSG_DONTWAIT as i64),
    ("MSG_EOR", 0x80),
    ("MSG_WAITALL", MSG_WAITALL as i64),
    ("MSG_NOSIGNAL", MSG_NOSIGNAL as i64),
    ("MSG_MORE", MSG_MORE as i64),
    ("MSG_ERRQUEUE", 0x2000),
    ("MSG_ZEROCOPY", 0x0400_0000),
    ("MSG_FASTOPEN", MSG_FASTOPEN as i64),
    ("POLLIN", POLLIN as i64),
    ("POLLPRI", POLLPRI as i64),
    ("POLLOUT", POLLOUT as i64),
    ("POLLERR", POLLERR as i64),
    ("POLLHUP", POLLHUP as i64),
    ("POLLNVAL", POLLNVAL as i64),
    ("POLLRDNORM", POLLRDNORM as i64),
    ("POLLWRNORM", POLLWRNORM as i64),
    ("POLLRDHUP", POLLRDHUP as i64),
    ("EPOLLIN", POLLIN as i64),
    ("EPOLLPRI", POLLPRI as i64),
    ("EPOLLOUT", POLLOUT as i64),
    ("EPOLLERR", POLLERR as i64),
    ("EPOLLHUP", POLLHUP as i64),
    ("EPOLLRDHUP", POLLRDHUP as i64),
    ("EPOLLONESHOT", EPOLLONESHOT as i64),
    ("EPOLLET", EPOLLET as i64),
    ("EPOLL_CTL_ADD", EPOLL_CTL_ADD as i64),
    ("EPOLL_CTL_DEL", EPOLL_CTL_DEL as i64),
    ("EPOLL_CTL_MOD", EPOLL_CTL_MOD as i64),
    ("NULL", 0),
    ("TCP_ESTABLISHED", 1),
    ("TCP_SYN_SENT", 2),
    ("TCP_SYN_RECV", 3),
    ("TCP_FIN_WAIT1", 4),
    ("TCP_FIN_WAIT2", 5),
    ("TCP_TIME_WAIT", 6),
    ("TCP_CLOSE", 7),
    ("TCP_CLOSE_WAIT", 8),
    ("TCP_LAST_ACK", 9),
    ("TCP_LISTEN", 10),
    ("TCP_CLOSING", 11),
    ("TCPI_OPT_TIMESTAMPS", 1),
    ("TCPI_OPT_SACK", 2),
    ("TCPI_OPT_WSCALE", 4),
    ("TCPI_OPT_ECN", 8),
    ("TCP_CA_Open", 0),
    ("TCP_CA_Disorder", 1),
    ("TCP_CA_CWR", 2),
    ("TCP_CA_Recovery", 3),
    ("TCP_CA_Loss", 4),
];

macro_rules! constants {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)+) => {
        $($(#[$doc])* #[allow(missing_docs)] pub const $name: i32 = $value;)+
    };
}

constants! {
    AF_INET = 2;
    AF_INET6 = 10;
    SOCK_STREAM = 1;
    SOCK_DGRAM = 2;
    SOCK_NONBLOCK = 0o4_000;
    IPPROTO_IP = 0;
    IPPROTO_TCP = 6;
    IPPROTO_UDP = 17;
    IPPROTO_IPV6 = 41;
    SOL_SOCKET = 1;
    SO_REUSEADDR = 2;
    SO_TYPE = 3;
    SO_ERROR = 4;
    SO_BROADCAST = 6;
    SO_SNDBUF = 7;
    SO_RCVBUF = 8;
    SO_KEEPALIVE = 9;
    SO_LINGER = 13;
    SO_REUSEPORT = 15;
    SO_ACCEPTCONN = 30;
    SO_PROTOCOL = 38;
    SO_DOMAIN = 39;
    SO_MAX_PACING_RATE = 47;
    TCP_NODELAY = 1;
    TCP_MAXSEG = 2;
    TCP_KEEPIDLE = 4;
    TCP_KEEPINTVL = 5;
    TCP_KEEPCNT = 6;
    TCP_INFO = 11;
    TCP_CC_INFO = 26;
    TCP_CONGESTION = 13;
    TCP_USER_TIMEOUT = 18;
    TCP_FASTOPEN = 23;
    IP_TOS = 1;
    IP_TTL = 2;
    IP_RECVERR = 11;
    IPV6_UNICAST_HOPS = 16;
    IPV6_RECVERR = 25;
    IPV6_TCLASS = 67;
    F_GETFL = 3;
    F_SETFL = 4;
    O_RDWR = 2;
    O_NONBLOCK = 0o4_000;
    SIOCINQ = 0x541b;
    SIOCOUTQ = 0x5411;
    SIOCOUTQNSD = 0x894b;
    FIONBIO = 0x5421;
    MSG_OOB = 1;
    MSG_PEEK = 2;
    MSG_TRUNC = 0x20;
    MSG_DONTWAIT = 0x40;
    MSG_WAITALL = 0x100;
    MSG_NOSIGNAL = 0x4000;
    MSG_MORE = 0x8000;
    MSG_FASTOPEN = 0x2000_0000;
    POLLIN = 1;
    POLLPRI = 2;
    POLLOUT = 4;
    POLLERR = 8;
    POLLHUP = 0x10;
    POLLNVAL = 0x20;
    POLLRDNORM = 0x40;
    POLLWRNORM = 0x100;
    POLLRDHUP = 0x2000;
    EPOLL_CTL_ADD = 1;
    EPOLL_CTL_DEL = 2;
    EPOLL_CTL_MOD = 3;
}

/// `EPOLLONESHOT`.
pub const EPOLLONESHOT: u32 = 1 << 30;
/// `EPOLLET`.
pub const EPOLLET: u32 = 1 << 31;

/// The value of a name.
pub(crate) fn value_of(name: &str) -> Option<i64> {
    let found = CONSTANTS.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

/// Whether a code block knows a name: a constant, or a field of `tcp_info`.
pub(crate) fn is_code_name(name: &str) -> bool {
    matches!(name, "True" | "False") || value_of(name).is_some() || super::tcp_info::is_field(name)
}
