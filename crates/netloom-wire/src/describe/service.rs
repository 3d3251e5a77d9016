//! What UDP carries between the ports of DNS, DHCP and NTP.

use core::fmt::{self, Formatter};

#[cfg(feature = "ipv4")]
use crate::dhcpv4::{Dhcpv4View, MessageType, Op};
use crate::dns::{DnsView, NameView, Rdata, Section};
use crate::ntp::{NtpMode, NtpView};

const DNS: u16 = 53;
#[cfg(feature = "ipv4")]
const DHCP: [u16; 2] = [67, 68];
const NTP: u16 = 123;

/// A payload, if it is a message of these services; `None` if it is none.
pub(super) fn message(
    f: &mut Formatter<'_>,
    ports: [u16; 2],
    payload: &[u8],
) -> Option<fmt::Result> {
    if ports.contains(&DNS) {
        let message = DnsView::new(payload).ok()?;
        return Some(dns(f, &message, payload.len()));
    }
    #[cfg(feature = "ipv4")]
    if ports.iter().all(|port| DHCP.contains(port)) {
        let message = Dhcpv4View::new(payload).ok()?;
        return Some(dhcp(f, &message, payload.len()));
    }
    if ports.contains(&NTP) {
        let message = NtpView::new(payload).ok()?;
        return Some(ntp(f, &message, payload.len()));
    }
    None
}

/// A name with its final dot.
struct Full<'n>(NameView<'n>);

impl fmt::Display for Full<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dot = if self.0.is_root() { "" } else { "." };
        write!(f, "{}{dot}", self.0)
    }
}

/// `4660+ A? example.org. (29)`, `4660 1/0/0 A 192.0.2.7 (45)`.
fn dns(f: &mut Formatter<'_>, message: &DnsView<'_>, len: usize) -> fmt::Result {
    let header = message.header();
    let set = |is_set: bool, mark: &'static str| if is_set { mark } else { "" };
    write!(f, "{}", header.id)?;
    match header.opcode {
        0 => {}
        1 => f.write_str(" inv_q")?,
        2 => f.write_str(" stat")?,
        4 => f.write_str(" notify")?,
        5 => f.write_str(" update")?,
        opcode => write!(f, " op{opcode}")?,
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    let counts = sections.map(|section| message.records(section).count());
    if header.response {
        match header.rcode {
            0 => {}
            1 => f.write_str(" FormErr")?,
            2 => f.write_str(" ServFail")?,
            3 => f.write_str(" NXDomain")?,
            4 => f.write_str(" NotImp")?,
            5 => f.write_str(" Refused")?,
            rcode => write!(f, " Resp{rcode}")?,
        }
        f.write_str(set(header.authoritative, "*"))?;
        f.write_str(set(!header.recursion_available, "-"))?;
        f.write_str(set(header.truncated, "|"))?;
        f.write_str(set(header.authentic_data, "$"))?;
        if message.question_count() != 1 {
            write!(f, " [{}q]", message.question_count())?;
        }
        let [answers, authorities, additional] = counts;
        write!(f, " {answers}/{authorities}/{additional}")?;
        for (number, record) in message.answers().enumerate() {
            f.write_str(set(number > 0, ","))?;
            write!(f, " {}", record.kind)?;
            match record.data {
                Rdata::A(addr) => write!(f, " {addr}")?,
                Rdata::Aaaa(addr) => write!(f, " {addr}")?,
                Rdata::Cname(name) | Rdata::Ns(name) | Rdata::Ptr(name) => {
                    write!(f, " {}", Full(name))?
                }
                Rdata::Mx(mx) => write!(f, " {} {}", Full(mx.exchange), mx.preference)?,
                Rdata::Txt(text) => {
                    for string in text.strings() {
                        write!(f, " \"{}\"", string.escape_ascii())?;
                    }
                }
                _ => {}
            }
        }
    } else {
        f.write_str(set(header.recursion_desired, "+"))?;
        f.write_str(set(header.checking_disabled, "%"))?;
        for (count, what) in counts.into_iter().zip(["a", "n", "au"]) {
            if count > 0 {
                write!(f, " [{count}{what}]")?;
            }
        }
        if let Some(question) = message.question() {
            write!(f, " {}? {}", question.kind, Full(question.name))?;
        }
    }
    write!(f, " ({len})")
}

/// `BOOTP/DHCP, Request from 02:00:00:00:00:01, length 300`, and what kind of message it is, which
/// tcpdump tells only when asked for more.
#[cfg(feature = "ipv4")]
fn dhcp(f: &mut Formatter<'_>, message: &Dhcpv4View<'_>, len: usize) -> fmt::Result {
    f.write_str("BOOTP/DHCP, ")?;
    if message.op() == Op::Request {
        f.write_str("Request")?;
        if let Some(mac) = message.hardware().mac() {
            write!(f, " from {mac}")?;
        }
    } else {
        f.write_str("Reply")?;
    }
    write!(f, ", length {len}")?;
    let Some(kind) = message.message_type() else {
        return Ok(());
    };
    write!(f, ", {kind}")?;
    match kind {
        MessageType::Offer | MessageType::Ack => write!(f, " {}", message.yiaddr()),
        MessageType::Request | MessageType::Decline => {
            let address = message.requested_address().unwrap_or(message.ciaddr());
            write!(f, " {address}")
        }
        _ => Ok(()),
    }
}

/// `NTPv4, Client, length 48`.
fn ntp(f: &mut Formatter<'_>, message: &NtpView<'_>, len: usize) -> fmt::Result {
    let mode = match message.mode() {
        NtpMode::Reserved | NtpMode::Private => "Reserved",
        NtpMode::SymmetricActive => "Symmetric Active",
        NtpMode::SymmetricPassive => "Symmetric Passive",
        NtpMode::Client => "Client",
        NtpMode::Server => "Server",
        NtpMode::Broadcast => "Broadcast",
        NtpMode::Control => "Control Message",
    };
    write!(f, "NTPv{}, {mode}, length {len}", message.version())
}
