//! The names of ICMP messages, which are packetdrill's, and their numbers in either version.

use super::ast::Numbers;

/// A type of message: its name, and its number in IPv4 and IPv6.
type Kind = (&'static str, Option<u8>, Option<u8>);

const KINDS: [Kind; 14] = [
    ("unreachable", Some(3), Some(1)),
    ("packet_too_big", None, Some(2)),
    ("time_exceeded", Some(11), Some(3)),
    ("parameter_problem", Some(12), Some(4)),
    ("echo_request", Some(8), Some(128)),
    ("echo_reply", Some(0), Some(129)),
    ("source_quench", Some(4), None),
    ("redirect", Some(5), None),
    ("timestamp_request", Some(13), None),
    ("timestamp_reply", Some(14), None),
    ("information_request", Some(15), None),
    ("information_reply", Some(16), None),
    ("address_mask_request", Some(17), None),
    ("address_mask_reply", Some(18), None),
];

/// A code: the name of its type and its own, and its number in IPv4 and IPv6.
type Code = (&'static str, &'static str, Option<u8>, Option<u8>);

const CODES: [Code; 25] = [
    ("unreachable", "net_unreachable", Some(0), Some(0)),
    ("unreachable", "host_unreachable", Some(1), None),
    ("unreachable", "protocol_unreachable", Some(2), None),
    ("unreachable", "port_unreachable", Some(3), Some(4)),
    ("unreachable", "frag_needed", Some(4), None),
    ("unreachable", "source_route_failed", Some(5), None),
    ("unreachable", "net_unknown", Some(6), None),
    ("unreachable", "host_unknown", Some(7), None),
    ("unreachable", "source_host_isolated", Some(8), None),
    ("unreachable", "net_prohibited", Some(9), None),
    ("unreachable", "host_prohibited", Some(10), None),
    ("unreachable", "net_unreachable_for_tos", Some(11), None),
    ("unreachable", "host_unreachable_for_tos", Some(12), None),
    ("unreachable", "packet_filtered", Some(13), None),
    ("unreachable", "precedence_violation", Some(14), None),
    ("unreachable", "precedence_cutoff", Some(15), None),
    ("unreachable", "no_route", None, Some(0)),
    ("unreachable", "admin_prohibited", None, Some(1)),
    ("unreachable", "not_neighbour", None, Some(2)),
    ("unreachable", "address_unreachable", None, Some(3)),
    ("time_exceeded", "exceeded_hop_limit", None, Some(0)),
    ("time_exceeded", "exceeded_frag_time", None, Some(1)),
    ("parameter_problem", "header_field", None, Some(0)),
    ("parameter_problem", "unknown_next_header", None, Some(1)),
    ("parameter_problem", "unknown_option", None, Some(2)),
];

/// The number in a word like `type_3` or `code_1`.
fn numbered(word: &str, prefix: &str) -> Option<u8> {
    word.strip_prefix(prefix)?.parse().ok()
}

/// The numbers of a type by its name or as `type_3`, if it is one.
pub(crate) fn kind(word: &str) -> Option<(Option<u8>, Option<u8>)> {
    if let Some(number) = numbered(word, "type_") {
        return Some((Some(number), Some(number)));
    }
    let named = KINDS.iter().find(|(name, ..)| *name == word);
    named.map(|(_, v4, v6)| (*v4, *v6))
}

/// The numbers of a code of a type by its name or as `code_1`, if it is one.
pub(crate) fn code(kind: &str, word: &str) -> Option<(Option<u8>, Option<u8>)> {
    if let Some(number) = numbered(word, "code_") {
        return Some((Some(number), Some(number)));
    }
    let named = CODES
        .iter()
        .find(|(of, name, ..)| *of == kind && *name == word);
    named.map(|(_, _, v4, v6)| (*v4, *v6))
}

/// A message by its type and code: nothing in a version that lacks either.
pub(crate) fn numbers(kind: (Option<u8>, Option<u8>), code: (Option<u8>, Option<u8>)) -> Numbers {
    Numbers {
        v4: kind.0.zip(code.0),
        v6: kind.1.zip(code.1),
    }
}

/// The name of a message by its numbers.
pub(crate) fn name_of(v6: bool, kind: u8, code: u8) -> String {
    let of = |v4: Option<u8>, v6_number: Option<u8>| if v6 { v6_number } else { v4 };
    let Some((name, ..)) = KINDS.iter().find(|row| of(row.1, row.2) == Some(kind)) else {
        return format!("type_{kind} code_{code}");
    };
    let named = CODES
        .iter()
        .find(|row| row.0 == *name && of(row.2, row.3) == Some(code));
    match named {
        Some(row) => format!("{name} {}", row.1),
        None if code == 0 => (*name).to_owned(),
        None => format!("{name} code_{code}"),
    }
}
