//! Names that are nobody's to ask (RFC 6761, 7686).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netloom_wire::dns::{Name, RecordType};

/// What is known of a name without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Special {
    /// This address.
    Address(IpAddr),
    /// The name exists, but has no such record.
    NoData,
    /// There is no such name.
    NoName,
}

/// What is known of a name and type by what they are.
pub(super) fn special(name: &Name, kind: RecordType) -> Option<Special> {
    let last = name.view().labels().last()?;
    //= https://www.rfc-editor.org/rfc/rfc6761#section-6.3
    //# Name resolution APIs and libraries SHOULD recognize localhost
    //# names as special and SHOULD always return the IP loopback address
    //# for address queries and negative responses for all other query
    //# types.
    if last.eq_ignore_ascii_case(b"localhost") {
        return Some(match kind {
            RecordType::A => Special::Address(Ipv4Addr::LOCALHOST.into()),
            RecordType::AAAA => Special::Address(Ipv6Addr::LOCALHOST.into()),
            _ => Special::NoData,
        });
    }
    //= https://www.rfc-editor.org/rfc/rfc6761#section-6.4
    //# Name resolution APIs and libraries SHOULD recognize "invalid"
    //# names as special and SHOULD always return immediate negative
    //# responses.
    // RFC 7686 §2 has the same of "onion", which must not leak.
    (last.eq_ignore_ascii_case(b"invalid") || last.eq_ignore_ascii_case(b"onion"))
        .then_some(Special::NoName)
}

/// What is known of an address in the place of a name.
pub(super) fn numeric(text: &str, kind: RecordType) -> Option<Special> {
    let addr: IpAddr = text.parse().ok()?;
    let own = if addr.is_ipv4() {
        RecordType::A
    } else {
        RecordType::AAAA
    };
    Some(if kind == own {
        Special::Address(addr)
    } else {
        Special::NoData
    })
}
