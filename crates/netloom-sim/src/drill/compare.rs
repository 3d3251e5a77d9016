//! A packet that was sent beside the one the script expects.

use super::ast::{self, Ecn, Encapsulation, Icmp, Packet, Payload, Quoted, Tcp, TcpOption};
use super::describe::{self, script_option};
use super::flags;
use super::flow::Flow;
use super::live::{self, Body, Outer, protocol};

/// What differs, in words; nothing if the packet is the expected one.
pub(crate) fn differences(expected: &Packet, sent: &live::Packet, flow: &Flow) -> Vec<String> {
    let mut found = Differences(Vec::new());
    found.encapsulations(&expected.encapsulations, &sent.outer);
    found.ip(&expected.ip, &sent.ip, flow);
    match (&expected.payload, &sent.body) {
        (Payload::Tcp(tcp), Body::Tcp(live)) => found.tcp(tcp, live, flow),
        (Payload::Udp { len, .. }, Body::Udp(udp)) => {
            found.field("source port", flow.local.port(), udp.src_port);
            found.field("destination port", flow.remote.port(), udp.dst_port);
            found.field("length", usize::from(*len), udp.data.len());
        }
        (Payload::Icmp(icmp), Body::Icmp(live)) => found.icmp(icmp, live, sent.ip.is_v6(), flow),
        (Payload::Tcp(_) | Payload::Udp { .. } | Payload::Icmp(_), _) => {
            found.0.push("another protocol came".to_owned());
        }
    }
    found.0
}

struct Differences(Vec<String>);

impl Differences {
    fn field<T: PartialEq + std::fmt::Display>(&mut self, name: &str, expected: T, sent: T) {
        if expected != sent {
            self.0
                .push(format!("{name}: {expected} expected, {sent} came"));
        }
    }

    fn optional<T: PartialEq + std::fmt::Display>(
        &mut self,
        name: &str,
        expected: Option<T>,
        sent: T,
    ) {
        if let Some(expected) = expected {
            self.field(name, expected, sent);
        }
    }

    fn encapsulations(&mut self, expected: &[Encapsulation], sent: &[Outer]) {
        let same = |(expected, sent): (&Encapsulation, &Outer)| match (expected, sent) {
            (Encapsulation::Ipv4(fields, src, dst), Outer::Ip(ip)) => {
                ip.src == *src && ip.dst == *dst && fields_fit(fields, ip)
            }
            (Encapsulation::Ipv6(fields, src, dst), Outer::Ip(ip)) => {
                ip.src == *src && ip.dst == *dst && fields_fit(fields, ip)
            }
            (Encapsulation::Gre(gre), Outer::Gre(sent)) => gre == sent,
            (Encapsulation::Mpls(stack), Outer::Mpls(sent)) => stack == sent,
            (
                Encapsulation::Ipv4(..)
                | Encapsulation::Ipv6(..)
                | Encapsulation::Gre(_)
                | Encapsulation::Mpls(_),
                _,
            ) => false,
        };
        let all = expected.len() == sent.len() && expected.iter().zip(sent).all(same);
        if !all {
            self.0
                .push("the headers around the packet differ".to_owned());
        }
    }

    fn ip(&mut self, expected: &ast::IpFields, sent: &live::Ip, flow: &Flow) {
        self.field("source", flow.local.ip(), sent.src);
        self.field("destination", flow.remote.ip(), sent.dst);
        match expected.ecn {
            None => {}
            Some(Ecn::EitherEct) if matches!(sent.tos & 3, 1 | 2) => {}
            Some(Ecn::EitherEct) => self.field("ECN", "ect01", describe::ecn_name(sent.tos)),
            Some(Ecn::Codepoint(ecn)) => {
                self.field("ECN", describe::ecn_name(ecn), describe::ecn_name(sent.tos));
            }
        }
        self.optional("TOS", expected.tos, sent.tos);
        self.optional("TTL", expected.ttl, sent.ttl);
        self.optional("flow label", expected.flow_label, sent.flow_label);
    }

    fn tcp(&mut self, expected: &Tcp, sent: &live::Tcp, flow: &Flow) {
        let acked = sent.flags & flags::ACK != 0;
        let ack = if acked {
            flow.remote_to_script(sent.ack, sent.flags)
        } else {
            sent.ack
        };
        self.field("source port", flow.local.port(), sent.src_port);
        self.field("destination port", flow.remote.port(), sent.dst_port);
        self.field(
            "flags",
            flags::show(expected.flags),
            flags::show(sent.flags),
        );
        self.field(
            "seq",
            expected.seq,
            flow.local_to_script(sent.seq, sent.flags),
        );
        self.field("length", usize::from(expected.len), sent.data.len());
        self.field("ack", expected.ack.unwrap_or(0), ack);
        self.optional("win", expected.window, sent.window);
        self.field("urg", expected.urgent.unwrap_or(0), sent.urgent);
        if let Some(options) = &expected.options {
            self.options(options, sent, flow);
        }
        if let Some(place) = flow.wrong_byte(sent) {
            self.0.push(format!(
                "the data is not what was written: byte {place} of the stream differs"
            ));
        }
    }

    fn options(&mut self, expected: &[TcpOption], sent: &live::Tcp, flow: &Flow) {
        let same = |(expected, sent): (&TcpOption, &TcpOption)| {
            match (expected, script_option(sent, flow)) {
                // The value was mapped when it was first seen; its time is checked apart.
                (TcpOption::Timestamps { ecr, .. }, TcpOption::Timestamps { ecr: sent, .. }) => {
                    *ecr == sent
                }
                (TcpOption::Md5(None), TcpOption::Md5(_)) => true,
                (expected, sent) => *expected == sent,
            }
        };
        let all =
            expected.len() == sent.options.len() && expected.iter().zip(&sent.options).all(same);
        if !all {
            let sent: Vec<_> = sent
                .options
                .iter()
                .map(|o| script_option(o, flow))
                .collect();
            self.0.push(format!(
                "options: <{}> expected, <{}> came",
                describe::options(expected),
                describe::options(&sent)
            ));
        }
    }

    fn icmp(&mut self, expected: &Icmp, sent: &live::Icmp, v6: bool, flow: &Flow) {
        let numbers = if v6 {
            expected.numbers.v6
        } else {
            expected.numbers.v4
        };
        if let Some((kind, code)) = numbers {
            self.field("ICMP type", kind, sent.kind);
            self.field("ICMP code", code, sent.code);
        }
        let [a, b, c, d] = sent.rest;
        self.optional("MTU", expected.mtu, u32::from_be_bytes([a, b, c, d]));
        self.optional("id", expected.id, u16::from_be_bytes([a, b]));
        let Some(quoted) = expected.quoted else {
            return;
        };
        let Some(packet) = live::read_quoted(&sent.data) else {
            self.0.push("the message quotes no packet".to_owned());
            return;
        };
        self.field("quoted source", flow.remote.ip(), packet.src);
        self.field("quoted destination", flow.local.ip(), packet.dst);
        self.field("quoted source port", flow.remote.port(), packet.src_port);
        self.field(
            "quoted destination port",
            flow.local.port(),
            packet.dst_port,
        );
        let number = match quoted {
            Quoted::Tcp { seq, .. } => {
                self.field(
                    "quoted seq",
                    seq,
                    flow.remote_to_script(packet.seq, flags::ACK),
                );
                protocol::TCP
            }
            Quoted::Udp { .. } => protocol::UDP,
            Quoted::Raw { .. } => packet.protocol,
        };
        self.field("quoted protocol", number, packet.protocol);
    }
}

/// Whether what is said of an outer IP header holds.
fn fields_fit(fields: &ast::IpFields, ip: &live::Ip) -> bool {
    let ecn = match fields.ecn {
        None => true,
        Some(Ecn::Codepoint(ecn)) => ip.tos & 3 == ecn,
        Some(Ecn::EitherEct) => matches!(ip.tos & 3, 1 | 2),
    };
    ecn && fields.tos.is_none_or(|tos| tos == ip.tos)
        && fields.ttl.is_none_or(|ttl| ttl == ip.ttl)
        && fields.flow_label.is_none_or(|label| label == ip.flow_label)
}
