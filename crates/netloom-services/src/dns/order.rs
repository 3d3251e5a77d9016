//! Destination addresses in the order of RFC 6724 §6, as RFC 8305 §4 interleaves them.

use core::net::{IpAddr, SocketAddr};

use netloom_stack::Stack;
use netloom_stack::address_selection::{
    DEFAULT_POLICIES, SourceQuery, policy_of, scope, select_source,
};
use netloom_wire::Addr;

/// What destinations are compared by; less is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Rule 1: nothing leads there, or there is no source for it.
    unusable: bool,
    /// Rule 2: the source has another scope.
    other_scope: bool,
    /// Rule 5: the source has another label.
    other_label: bool,
    /// Rule 6: precedence, highest first.
    precedence: u8,
    /// Rule 8: the smaller scope.
    scope: u8,
    /// Rule 9: the bits in common with the source, most first; of IPv6 only, because in IPv4 they
    /// say nothing about distance.
    distance: u8,
}

const UNUSABLE: Rank = Rank {
    unusable: true,
    other_scope: true,
    other_label: true,
    precedence: u8::MAX,
    scope: u8::MAX,
    distance: u8::MAX,
};

/// Puts destinations into the order in which to try them: sorted by RFC 6724 §6, then the versions
/// of IP in turn, beginning with that of the best. Equals stay in the order they were in.
pub fn sort_destinations(stack: &Stack, destinations: &mut [SocketAddr]) {
    // Insertion: there are few, it is stable, and needs no memory.
    for end in 1..destinations.len() {
        for at in (1..=end).rev() {
            let Some([left, right]) = destinations.get_mut(at - 1..=at) else {
                break;
            };
            if rank(stack, left.ip()) <= rank(stack, right.ip()) {
                break;
            }
            core::mem::swap(left, right);
        }
    }
    interleave(destinations);
}

/// Puts the versions of IP in turn, beginning with that of the first, each in the order it had: one
/// version that leads nowhere holds nobody up for long.
//= https://www.rfc-editor.org/rfc/rfc8305#section-4
//# Next, the client SHOULD modify the ordered list to interleave address
//# families.
pub fn interleave(destinations: &mut [SocketAddr]) {
    let mut rest = destinations;
    while let [first, others @ ..] = rest {
        let v4 = first.is_ipv4();
        // The next of the other version comes forward, those between move back by one.
        match others.iter().position(|other| other.is_ipv4() != v4) {
            Some(at) => {
                if let Some(moved) = others.get_mut(..=at) {
                    moved.rotate_right(1);
                }
            }
            None => return,
        }
        rest = others;
    }
}

fn rank(stack: &Stack, dst: IpAddr) -> Rank {
    let Some(dst) = addr_of(dst) else {
        return UNUSABLE;
    };
    let routes = stack
        .routes()
        .iter()
        .filter(|route| route.dst.contains(&dst));
    let Some(route) = routes.max_by_key(|route| route.dst.prefix) else {
        return UNUSABLE;
    };
    let next_hop = route.via.unwrap_or(dst);
    let query = SourceQuery::new(&dst, route.iface, &next_hop);
    let Some(src) = select_source(&query, stack.addresses().iter()) else {
        return UNUSABLE;
    };
    let policy = |addr| policy_of(&DEFAULT_POLICIES, addr);
    Rank {
        unusable: false,
        other_scope: scope(&src) != scope(&dst),
        other_label: policy(&src).map(|p| p.label) != policy(&dst).map(|p| p.label),
        precedence: u8::MAX - policy(&dst).map_or(0, |p| p.precedence),
        scope: scope(&dst),
        distance: if dst.is_v4() {
            0
        } else {
            128 - common_bits(&src, &dst)
        },
    }
}

/// Bits in common at the beginning, at most the 64 of the prefix (RFC 6724 §2.2).
fn common_bits(a: &Addr, b: &Addr) -> u8 {
    let bits = u128::from_be_bytes(a.octets16()) ^ u128::from_be_bytes(b.octets16());
    u8::try_from(bits.leading_zeros().min(64)).unwrap_or(64)
}

/// The address as the stack has it, if it knows its version.
fn addr_of(addr: IpAddr) -> Option<Addr> {
    match addr {
        IpAddr::V4(addr) => Some(Addr::v4(addr.octets())),
        #[cfg(feature = "ipv6")]
        IpAddr::V6(addr) => Some(Addr::from(addr)),
        #[cfg(not(feature = "ipv6"))]
        IpAddr::V6(_) => None,
    }
}
