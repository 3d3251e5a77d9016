//! Packets as a script would write them.

use std::fmt::Write as _;

use super::ast::{self, Ecn, Encapsulation, Payload, Quoted, TcpOption};
use super::flags;
use super::flow::Flow;
use super::icmp_names;
use super::live::{self, Body, protocol};

/// A time of a script, in seconds.
pub(crate) fn time(micros: u64) -> String {
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// A packet of the script.
pub(crate) fn expected(packet: &ast::Packet) -> String {
    let mut text = String::new();
    for outer in &packet.encapsulations {
        text.push_str(&match outer {
            Encapsulation::Ipv4(ip, src, dst) => format!("ipv4 {}{src} > {dst}: ", ip_fields(ip)),
            Encapsulation::Ipv6(ip, src, dst) => format!("ipv6 {}{src} > {dst}: ", ip_fields(ip)),
            Encapsulation::Gre(_) => "gre: ".to_owned(),
            Encapsulation::Mpls(_) => "mpls: ".to_owned(),
        });
    }
    text.push_str(&ip_fields(&packet.ip));
    match &packet.payload {
        Payload::Tcp(tcp) => {
            if let Some(ports) = tcp.ports {
                let _ = write!(text, "{} > {} ", ports.src, ports.dst);
            }
            let segment = Segment {
                flags: tcp.flags,
                seq: tcp.seq,
                len: tcp.len.into(),
                ack: tcp.ack,
                window: tcp.window,
                urgent: tcp.urgent,
                options: tcp.options.as_deref(),
            };
            text.push_str(&segment.show());
        }
        Payload::Udp { len, .. } => {
            let _ = write!(text, "udp ({len})");
        }
        Payload::Icmp(icmp) => {
            let _ = write!(text, "icmp {}", icmp.name);
            if let Some(mtu) = icmp.mtu {
                let _ = write!(text, " mtu {mtu}");
            }
            if let Some(id) = icmp.id {
                let _ = write!(text, " id {id}");
            }
            match icmp.quoted {
                Some(Quoted::Tcp { seq, len, .. }) => {
                    let last = seq.wrapping_add(len.into());
                    let _ = write!(text, " [{seq}:{last}({len})]");
                }
                Some(Quoted::Udp { len }) => {
                    let _ = write!(text, " [udp ({len})]");
                }
                Some(Quoted::Raw { len }) => {
                    let _ = write!(text, " [raw ({len})]");
                }
                None => {}
            }
        }
    }
    text
}

fn ip_fields(ip: &ast::IpFields) -> String {
    let mut fields = Vec::new();
    if let Some(ecn) = ip.ecn {
        fields.push(match ecn {
            Ecn::Codepoint(ecn) => ecn_name(ecn).to_owned(),
            Ecn::EitherEct => "ect01".to_owned(),
        });
    }
    if let Some(tos) = ip.tos {
        fields.push(format!("tos {tos:#x}"));
    }
    if let Some(ttl) = ip.ttl {
        fields.push(format!("ttl {ttl}"));
    }
    if let Some(label) = ip.flow_label {
        fields.push(format!("flowlabel {label:#x}"));
    }
    if fields.is_empty() {
        String::new()
    } else {
        format!("[{}] ", fields.join(", "))
    }
}

/// The name of an ECN codepoint (RFC 3168 §5).
pub(crate) fn ecn_name(ecn: u8) -> &'static str {
    match ecn & 3 {
        0 => "noecn",
        1 => "ect1",
        2 => "ect0",
        _ => "ce",
    }
}

/// A packet of the wire, in the numbers of its flow.
pub(crate) fn sent(packet: &live::Packet, flow: Option<&Flow>) -> String {
    let mut text = String::new();
    match &packet.body {
        Body::Tcp(tcp) => {
            if flow.is_none() {
                let _ = write!(
                    text,
                    "{} > {} {} > {} ",
                    packet.ip.src, packet.ip.dst, tcp.src_port, tcp.dst_port
                );
            }
            text.push_str(&segment(tcp, flow));
        }
        Body::Udp(udp) => {
            if flow.is_none() {
                let _ = write!(text, "{} > {} ", udp.src_port, udp.dst_port);
            }
            let _ = write!(text, "udp ({})", udp.data.len());
        }
        Body::Icmp(icmp) => {
            let v6 = packet.ip.is_v6();
            let name = icmp_names::name_of(v6, icmp.kind, icmp.code);
            let _ = write!(text, "icmp {name}");
            if let Some(quoted) = live::read_quoted(&icmp.data) {
                let seq = flow.map_or(quoted.seq, |flow| {
                    flow.remote_to_script(quoted.seq, flags::ACK)
                });
                if quoted.protocol == protocol::TCP {
                    let _ = write!(text, " [{seq}:...]");
                }
            }
        }
        Body::Other { protocol, data } => {
            let _ = write!(text, "protocol {protocol} ({})", data.len());
        }
    }
    text
}

fn segment(tcp: &live::Tcp, flow: Option<&Flow>) -> String {
    let (seq, ack, options) = match flow {
        Some(flow) => (
            flow.local_to_script(tcp.seq, tcp.flags),
            flow.remote_to_script(tcp.ack, tcp.flags),
            tcp.options
                .iter()
                .map(|option| script_option(option, flow))
                .collect(),
        ),
        None => (tcp.seq, tcp.ack, tcp.options.clone()),
    };
    let segment = Segment {
        flags: tcp.flags,
        seq,
        len: tcp.data.len(),
        ack: (tcp.flags & flags::ACK != 0).then_some(ack),
        window: Some(tcp.window),
        urgent: (tcp.urgent != 0).then_some(tcp.urgent),
        options: Some(&options),
    };
    segment.show()
}

/// An option of a segment of the stack, in the script's numbers.
pub(crate) fn script_option(option: &TcpOption, flow: &Flow) -> TcpOption {
    match option {
        TcpOption::Sack(blocks) => {
            let edges = |&(left, right): &(u32, u32)| {
                (
                    flow.remote_to_script(left, flags::ACK),
                    flow.remote_to_script(right, flags::ACK),
                )
            };
            TcpOption::Sack(blocks.iter().map(edges).collect())
        }
        TcpOption::Timestamps { val, ecr } => TcpOption::Timestamps {
            val: flow.timestamp_to_script(*val),
            ecr: *ecr,
        },
        other => other.clone(),
    }
}

struct Segment<'a> {
    flags: u16,
    seq: u32,
    len: usize,
    ack: Option<u32>,
    window: Option<u16>,
    urgent: Option<u16>,
    options: Option<&'a [TcpOption]>,
}

impl Segment<'_> {
    fn show(&self) -> String {
        let last = self.seq.wrapping_add(self.len as u32);
        let mut text = format!(
            "{} {}:{last}({})",
            flags::show(self.flags),
            self.seq,
            self.len
        );
        if let Some(ack) = self.ack {
            let _ = write!(text, " ack {ack}");
        }
        if let Some(window) = self.window {
            let _ = write!(text, " win {window}");
        }
        if let Some(urgent) = self.urgent {
            let _ = write!(text, " urg {urgent}");
        }
        match self.options {
            None => text.push_str(" <...>"),
            Some([]) => {}
            Some(list) => {
                let _ = write!(text, " <{}>", options(list));
            }
        }
        text
    }
}

/// Options as a script lists them.
pub(crate) fn options(list: &[TcpOption]) -> String {
    let names: Vec<String> = list.iter().map(option).collect();
    names.join(",")
}

fn option(option: &TcpOption) -> String {
    match option {
        TcpOption::Eol => "eol".to_owned(),
        TcpOption::Nop => "nop".to_owned(),
        TcpOption::Mss(mss) => format!("mss {mss}"),
        TcpOption::WindowScale(shift) => format!("wscale {shift}"),
        TcpOption::SackPermitted => "sackOK".to_owned(),
        TcpOption::Sack(blocks) => {
            let blocks: Vec<String> = blocks.iter().map(|(l, r)| format!("{l}:{r}")).collect();
            format!("sack {}", blocks.join(" "))
        }
        TcpOption::Timestamps { val, ecr } => format!("TS val {val} ecr {ecr}"),
        TcpOption::Md5(None) => "md5".to_owned(),
        TcpOption::Md5(Some(digest)) => format!("md5 {}", hex(digest)),
        TcpOption::FastOpen {
            experimental,
            cookie,
        } => {
            let name = if *experimental { "FOEXP" } else { "FO" };
            format!("{name} {}", hex(cookie))
        }
        TcpOption::Other { kind, data } => format!("kind {kind} {}", hex(data)),
    }
    .trim_end()
    .to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Operators as they are written.
pub(crate) mod operator {
    use crate::drill::ast::{Binary, Unary};

    pub(crate) fn unary(operator: Unary) -> &'static str {
        match operator {
            Unary::Negate => "-",
            Unary::Invert => "~",
            Unary::Not => "not",
        }
    }

    pub(crate) fn binary(operator: Binary) -> &'static str {
        match operator {
            Binary::BitOr => "|",
            Binary::BitAnd => "&",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "//",
            Binary::Remainder => "%",
            Binary::ShiftLeft => "<<",
            Binary::ShiftRight => ">>",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::And => "and",
            Binary::Or => "or",
        }
    }
}
