//! Linux's files of `/proc/net`: written of a stack, so that the real `ss`, `arp`, `route` and
//! `nstat` read it, and read from anywhere.
//!
//! The formats are those of Linux's `tcp4_seq_show`, `tcp6_seq_show`, `udp4_seq_show`,
//! `udp6_seq_show`, `arp_seq_show`, `fib_route_seq_show`, `snmp_seq_show` and `netstat_seq_show`. An
//! address there is a memory dump of words in the order of the machine that wrote them; times are
//! hundredths of a second.
//!
//! ```
//! use netloom_host::control::proc_net::{ByteOrder, read};
//!
//! let rows = read(" 3: 00000000:0FBC 00000000:0000 0A 00000000:00000065 00:00000000 00000000 0 0 18898",
//!     ByteOrder::LITTLE)?;
//! assert_eq!(rows[0].socket.local.to_string(), "0.0.0.0:4028");
//! assert_eq!(rows[0].socket.recv_queue, 0x65);
//! # Ok::<(), netloom_host::control::proc_net::Malformed>(())
//! ```

mod tables;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::message::{Protocol, Socket, SocketState, Timer, TimerKind};
pub use tables::{Tables, write_all};

/// The order of bytes in the words of addresses: that of the machine that wrote the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteOrder {
    big: bool,
}

impl ByteOrder {
    /// Of x86, ARM as Linux runs it, RISC-V.
    pub const LITTLE: ByteOrder = ByteOrder { big: false };
    /// Of s390x, and many routers' MIPS and PowerPC.
    pub const BIG: ByteOrder = ByteOrder { big: true };
    /// Of this machine.
    pub const NATIVE: ByteOrder = ByteOrder {
        big: cfg!(target_endian = "big"),
    };

    fn word_to_bytes(self, word: u32) -> [u8; 4] {
        if self.big {
            word.to_be_bytes()
        } else {
            word.to_le_bytes()
        }
    }

    fn bytes_to_word(self, bytes: [u8; 4]) -> u32 {
        if self.big {
            u32::from_be_bytes(bytes)
        } else {
            u32::from_le_bytes(bytes)
        }
    }
}

/// A row of `tcp`, `tcp6`, `udp` or `udp6`.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its number in the file (`sl`).
    pub number: u64,
    /// What it says.
    pub socket: Socket,
}

/// A line that is not one of these files'.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Which, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Malformed {}

/// Reads `tcp`, `tcp6`, `udp` or `udp6`, or parts of one: the header says which protocol it is, and
/// without one it is TCP.
///
/// # Errors
/// The first line that is not of such a file.
pub fn read(text: &str, order: ByteOrder) -> Result<Vec<Row>, Malformed> {
    let mut protocol = Protocol::Tcp;
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let trimmed = line.trim();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed.starts_with("sl ") {
            protocol = if trimmed.contains("drops") {
                Protocol::Udp
            } else {
                Protocol::Tcp
            };
            continue;
        }
        let row = row(trimmed, protocol, order).map_err(|what| Malformed {
            line: line_number,
            what,
        })?;
        rows.push(row);
    }
    Ok(rows)
}

fn row(line: &str, protocol: Protocol, order: ByteOrder) -> Result<Row, &'static str> {
    let mut words = line.split_whitespace();
    let mut next = |what| words.next().ok_or(what);
    let number = next("it is empty")?;
    let number = number
        .strip_suffix(':')
        .and_then(|number| number.parse().ok())
        .ok_or("it does not begin with a number and a colon")?;
    let local = end(next("the local address is missing")?, order)?;
    let remote = end(next("the remote address is missing")?, order)?;
    let state = hex(next("the state is missing")?)
        .and_then(|state| u8::try_from(state).ok())
        .and_then(SocketState::of_number)
        .ok_or("the state is not one of Linux's")?;
    let (send_queue, recv_queue) = pair(next("the queues are missing")?)
        .ok_or("the queues are not two hexadecimal numbers with a colon between")?;
    let (kind, ticks) = pair(next("the timer is missing")?)
        .ok_or("the timer is not two hexadecimal numbers with a colon between")?;
    let again = hex(next("the retransmissions are missing")?)
        .ok_or("the retransmissions are not a hexadecimal number")?;
    let mut decimal = |missing, wrong| next(missing)?.parse::<u64>().map_err(|_| wrong);
    let uid = decimal("the user is missing", "the user is not a number")?;
    let probes = decimal("the timeout is missing", "the timeout is not a number")?;
    let inode = decimal("the inode is missing", "the inode is not a number")?;
    let kind = u8::try_from(kind).ok().and_then(TimerKind::of_number);
    let timer = kind.map(|kind| {
        let tries = if kind == TimerKind::Retransmit {
            again
        } else {
            probes
        };
        Timer {
            kind,
            // It may be overdue, which Linux prints as a negative number.
            left_ms: i64::from_ne_bytes(ticks.to_ne_bytes())
                .max(0)
                .unsigned_abs()
                * 10,
            tries: u32::try_from(tries).unwrap_or(u32::MAX),
        }
    });
    Ok(Row {
        number,
        socket: Socket {
            protocol,
            state,
            local,
            remote,
            recv_queue,
            send_queue,
            timer,
            v6_only: false,
            uid: u32::try_from(uid).map_err(|_| "the user is not a number")?,
            inode,
            detail: None,
        },
    })
}

fn hex(text: &str) -> Option<u64> {
    // `from_str_radix` would take a sign.
    let digits = text.bytes().all(|c| c.is_ascii_hexdigit());
    digits.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn pair(text: &str) -> Option<(u64, u64)> {
    let (a, b) = text.split_once(':')?;
    // A number of more than 16 digits is none; times end the multiplication above safely.
    Some((hex(a)?, hex(b)?)).filter(|(_, b)| *b <= u64::MAX / 16 || *b > u64::MAX / 2)
}

/// An address and a port.
fn end(text: &str, order: ByteOrder) -> Result<SocketAddr, &'static str> {
    let wrong = "an address is not 8 or 32 hexadecimal digits, a colon and a port";
    let (addr, port) = text.split_once(':').ok_or(wrong)?;
    let port = hex(port)
        .and_then(|port| u16::try_from(port).ok())
        .ok_or(wrong)?;
    let word = |at: usize| -> Option<[u8; 4]> {
        let word = hex(addr.get(at..at + 8)?)?;
        Some(order.word_to_bytes(u32::try_from(word).ok()?))
    };
    let ip = match addr.len() {
        8 => IpAddr::from(word(0).ok_or(wrong)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, four) in bytes.chunks_exact_mut(4).enumerate() {
                four.copy_from_slice(&word(index * 8).ok_or(wrong)?);
            }
            IpAddr::from(bytes)
        }
        _ => return Err(wrong),
    };
    Ok(SocketAddr::new(ip, port))
}

fn v4_word(addr: Ipv4Addr, order: ByteOrder) -> u32 {
    order.bytes_to_word(addr.octets())
}

fn written_end(end: SocketAddr, order: ByteOrder) -> String {
    match end.ip() {
        IpAddr::V4(addr) => format!("{:08X}:{:04X}", v4_word(addr, order), end.port()),
        IpAddr::V6(addr) => format!("{}:{:04X}", v6_words(addr, order), end.port()),
    }
}

fn v6_words(addr: Ipv6Addr, order: ByteOrder) -> String {
    let words = addr.octets();
    let words = words.chunks_exact(4).map(|four| {
        let four = four.try_into().unwrap_or_default();
        format!("{:08X}", order.bytes_to_word(four))
    });
    words.collect()
}

/// Writes a row as the kernel does, padded and with its newline.
fn written_row(number: usize, socket: &Socket, order: ByteOrder) -> String {
    let (kind, ticks, again, probes) = match socket.timer {
        None => (0, 0, 0, 0),
        Some(Timer {
            kind,
            left_ms,
            tries,
        }) => {
            let retransmits = kind == TimerKind::Retransmit;
            let (again, probes) = if retransmits { (tries, 0) } else { (0, tries) };
            // Linux rounds up too: a timer that runs is not over.
            (kind as u8, left_ms.div_ceil(10), again, probes)
        }
    };
    let start = format!(
        "{} {} {:02X} {:08X}:{:08X} {kind:02X}:{ticks:08X} {again:08X} {:5} {probes:8} {}",
        written_end(socket.local, order),
        written_end(socket.remote, order),
        socket.state as u8,
        socket.send_queue,
        socket.recv_queue,
        socket.uid,
        socket.inode,
    );
    let v4 = socket.local.is_ipv4();
    match socket.protocol {
        Protocol::Udp => {
            let line = format!("{number:5}: {start} 2 0000000000000000 0");
            if v4 {
                format!("{line:<127}\n")
            } else {
                format!("{line}\n")
            }
        }
        Protocol::Tcp => {
            let line = format!("{number:4}: {start} 1 0000000000000000{}", tcp_tail(socket));
            if v4 {
                format!("{line:<149}\n")
            } else {
                format!("{line}\n")
            }
        }
    }
}

/// What only connections and listeners have: RTO, ATO, quick ACKs, and in segments the congestion
/// window and the threshold, -1 while that was never reached.
fn tcp_tail(socket: &Socket) -> String {
    match &socket.detail {
        Some(detail) => {
            let mss = detail.mss.max(1);
            let ssthresh = if detail.ssthresh >= u32::MAX / 2 {
                -1
            } else {
                i64::from(detail.ssthresh / mss)
            };
            let (rto, cwnd) = (detail.rto / 10_000, detail.cwnd / mss);
            format!(" {rto} 0 0 {cwnd} {ssthresh}")
        }
        None if socket.state == SocketState::Listen => " 100 0 0 10 0".to_owned(),
        None => String::new(),
    }
}
