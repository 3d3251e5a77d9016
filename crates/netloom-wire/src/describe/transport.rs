//! TCP and UDP.

use core::fmt::{self, Formatter};
use core::net::IpAddr;

use super::service;
use crate::{TcpFlags, TcpOption, TcpView, UdpView, WireError, protocol};

/// Source and destination. As IP addresses, so that each version prints in its own form.
#[derive(Copy, Clone)]
pub(super) struct Ends {
    pub(super) src: IpAddr,
    pub(super) dst: IpAddr,
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.src, self.dst)
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A TCP segment or UDP datagram. After extension headers `ends` were written already.
pub(super) fn ported(
    f: &mut Formatter<'_>,
    ends: Option<&Ends>,
    protocol: u8,
    transport: &[u8],
) -> fmt::Result {
    let is_tcp = protocol == protocol::TCP;
    let Some(&[a, b, c, d]) = transport.first_chunk() else {
        if let Some(ends) = ends {
            write!(f, "{ends}: ")?;
        }
        return f.write_str(if is_tcp { "[|tcp]" } else { "[|udp]" });
    };
    let (src_port, dst_port) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match ends {
        Some(Ends { src, dst }) => write!(f, "{src}.{src_port} > {dst}.{dst_port}: ")?,
        None => write!(f, "{src_port} > {dst_port}: ")?,
    }
    if is_tcp {
        tcp(f, transport)
    } else {
        udp(f, transport)
    }
}

/// `UDP, length 5`, or what a service says. A length field that does not fit is told, the missing bytes are not: a
/// fragment's come later.
fn udp(f: &mut Formatter<'_>, datagram: &[u8]) -> fmt::Result {
    match UdpView::new(datagram) {
        Ok(udp) => {
            let (ports, payload) = ([udp.src_port(), udp.dst_port()], udp.payload());
            let known = service::message(f, ports, payload);
            known.unwrap_or_else(|| write!(f, "UDP, length {}", payload.len()))
        }
        Err(WireError::BadTotalLength) => {
            let claimed = datagram.get(4..6).and_then(|field| field.try_into().ok());
            let claimed = claimed.map_or(0, u16::from_be_bytes);
            match claimed.checked_sub(8) {
                Some(claimed) => {
                    write!(
                        f,
                        "UDP, bad length {claimed} > {}",
                        datagram.len().saturating_sub(8)
                    )
                }
                None => write!(f, "UDP, bad length field {claimed}"),
            }
        }
        Err(_) => write!(f, "truncated-udp {}", datagram.len()),
    }
}

/// `Flags [S], seq 1, win 64240, options [mss 1460], length 0`.
fn tcp(f: &mut Formatter<'_>, segment: &[u8]) -> fmt::Result {
    let tcp = match TcpView::new(segment) {
        Ok(tcp) => tcp,
        Err(WireError::BadHeaderLength) => {
            let claimed = segment.get(12).map_or(0, |byte| byte >> 4) * 4;
            let (direction, bound) = if claimed < 20 {
                ("short, <", 20)
            } else {
                ("long, >", segment.len())
            };
            return write!(f, "[bad hdr length {claimed} - too {direction} {bound}]");
        }
        Err(_) => return f.write_str(" [|tcp]"),
    };
    let (flags, seq, len) = (tcp.flags(), tcp.seq(), tcp.payload().len());
    write!(f, "Flags [{flags}]")?;
    if len > 0 {
        write!(f, ", seq {seq}:{}", seq.wrapping_add(len as u32))?;
    } else if flags.intersects(TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST) {
        write!(f, ", seq {seq}")?;
    }
    if flags.ack() {
        write!(f, ", ack {}", tcp.ack())?;
    }
    write!(f, ", win {}", tcp.window())?;
    if flags.contains(TcpFlags::URG) {
        write!(f, ", urg {}", tcp.urgent())?;
    }
    if !tcp.options_bytes().is_empty() {
        f.write_str(", options [")?;
        for (index, option) in tcp.options().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match option {
                Ok(option) => tcp_option(f, &option)?,
                Err(_) => return f.write_str("[bad opt]"),
            }
        }
        f.write_str("]")?;
    }
    write!(f, ", length {len}")
}

fn tcp_option(f: &mut Formatter<'_>, option: &TcpOption<'_>) -> fmt::Result {
    match option {
        TcpOption::End => f.write_str("eol"),
        TcpOption::Nop => f.write_str("nop"),
        TcpOption::MaxSegmentSize(mss) => write!(f, "mss {mss}"),
        TcpOption::WindowScale(shift) => write!(f, "wscale {shift}"),
        TcpOption::SackPermitted => f.write_str("sackOK"),
        TcpOption::Sack(blocks) => {
            write!(f, "sack {} ", blocks.len())?;
            blocks
                .iter()
                .try_for_each(|(left, right)| write!(f, "{{{left}:{right}}}"))
        }
        TcpOption::Timestamps(times) => write!(f, "TS val {} ecr {}", times.value, times.echo),
        TcpOption::UserTimeout(timeout) => {
            write!(f, "uto 0x{:x} {}", timeout.bits(), timeout.seconds())
        }
        // The two blanks are tcpdump's.
        TcpOption::FastOpen(cookie) if cookie.as_slice().is_empty() => {
            f.write_str("tfo  cookiereq")
        }
        TcpOption::FastOpen(cookie) => write!(f, "tfo  cookie {}", Hex(cookie.as_slice())),
        TcpOption::Unknown { kind, data: [] } => write!(f, "unknown-{kind}"),
        TcpOption::Unknown { kind, data } => write!(f, "unknown-{kind} 0x{}", Hex(data)),
    }
}
