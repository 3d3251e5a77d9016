//! Which of its addresses a host sends from, when the program did not say.
//!
//! IPv6: the eight rules of RFC 6724 §5, over the policy table of its §2.1. IPv4: what RFC 1122
//! §3.3.4.3 suggests: an address in the subnet of the next hop, else any of the outgoing
//! interface, else any.
//!
//! Both are a maximum over the candidates, never a sort; among equals the address that was
//! added first wins, so that the choice is stable.

use netloom_wire::{Addr, Cidr};

use crate::address::{AddressState, InterfaceAddress};

/// What is asked of the selection.
#[derive(Debug, Clone, Copy)]
pub struct SourceQuery<'a> {
    /// Where the packet goes.
    pub dst: &'a Addr,
    /// The interface it leaves by.
    pub out_iface: u8,
    /// The neighbour it is given to: the gateway, or `dst` itself.
    pub next_hop: &'a Addr,
    /// Prefer public addresses over temporary ones: the reverse of rule 7, for programs that
    /// want to be found (RFC 5014 `IPV6_PREFER_SRC_PUBLIC`).
    pub prefer_public: bool,
}

impl<'a> SourceQuery<'a> {
    /// The question for a packet to `dst` that leaves by `out_iface` through `next_hop`.
    pub fn new(dst: &'a Addr, out_iface: u8, next_hop: &'a Addr) -> Self {
        Self {
            dst,
            out_iface,
            next_hop,
            prefer_public: false,
        }
    }
}

/// A row of the policy table (RFC 6724 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The addresses it is for; IPv4 ones are looked up as `::ffff:0:0/96`.
    pub prefix: [u8; 16],
    /// How many bits of `prefix` count.
    pub bits: u8,
    /// Destinations of higher precedence are tried first.
    pub precedence: u8,
    /// A source with the destination's label is preferred.
    pub label: u8,
}

const fn policy(head: [u16; 2], mapped: u16, last: u16, bits: u8, rest: [u8; 2]) -> Policy {
    let [a, b] = head[0].to_be_bytes();
    let [c, d] = head[1].to_be_bytes();
    let [e, f] = mapped.to_be_bytes();
    let [g, h] = last.to_be_bytes();
    Policy {
        prefix: [a, b, c, d, 0, 0, 0, 0, 0, 0, e, f, 0, 0, g, h],
        bits,
        precedence: rest[0],
        label: rest[1],
    }
}

//= https://www.rfc-editor.org/rfc/rfc6724#section-2.1
//# If an implementation is not configurable or has not been configured,
//# then it SHOULD operate according to the algorithms specified here in
//# conjunction with the following default policy table:
/// The default policy table, longest prefix first.
pub const DEFAULT_POLICIES: [Policy; 9] = [
    policy([0, 0], 0, 1, 128, [50, 0]),     // ::1/128
    policy([0, 0], 0xffff, 0, 96, [35, 4]), // ::ffff:0:0/96
    policy([0, 0], 0, 0, 96, [1, 3]),       // ::/96
    policy([0x2001, 0], 0, 0, 32, [5, 5]),  // 2001::/32
    policy([0x2002, 0], 0, 0, 16, [30, 2]), // 2002::/16
    policy([0x3ffe, 0], 0, 0, 16, [1, 12]), // 3ffe::/16
    policy([0xfec0, 0], 0, 0, 10, [1, 11]), // fec0::/10
    policy([0xfc00, 0], 0, 0, 7, [3, 13]),  // fc00::/7
    policy([0, 0], 0, 0, 0, [40, 1]),       // ::/0
];

/// The row for an address: the longest prefix that covers it.
pub fn policy_of<'a>(policies: &'a [Policy], addr: &Addr) -> Option<&'a Policy> {
    let octets = addr.octets16();
    policies
        .iter()
        .filter(|policy| common_bits(&policy.prefix, &octets) >= policy.bits)
        .max_by_key(|policy| policy.bits)
}

fn common_bits(a: &[u8; 16], b: &[u8; 16]) -> u8 {
    (u128::from_be_bytes(*a) ^ u128::from_be_bytes(*b)).leading_zeros() as u8
}

/// The scope of an address, as RFC 6724 §3.1 compares them: link-local 2, site-local 5,
/// global 14; of a multicast address its own.
pub fn scope(addr: &Addr) -> u8 {
    const LINK_LOCAL: u8 = 2;
    const SITE_LOCAL: u8 = 5;
    const GLOBAL: u8 = 14;
    let [first, second, ..] = addr.octets16();
    match () {
        () if addr.is_v6() && addr.is_multicast() => second & 0x0f,
        //= https://www.rfc-editor.org/rfc/rfc6724#section-3.4
        //# The loopback address MUST be treated as having link-local scope
        //# (Section 4 of [RFC4007]) and "preferred" (in the RFC 4862 sense)
        //# configuration status.
        () if addr.is_link_local() || addr.is_loopback() => LINK_LOCAL,
        () if addr.is_v6() && first == 0xfe && second & 0xc0 == 0xc0 => SITE_LOCAL,
        () => GLOBAL,
    }
}

/// Chooses the source for a packet with the default policy table. `None` if no candidate may
/// be used.
pub fn select_source<'a>(
    query: &SourceQuery<'_>,
    candidates: impl Iterator<Item = &'a InterfaceAddress>,
) -> Option<Addr> {
    select_source_with(query, candidates, &DEFAULT_POLICIES)
}

/// [`select_source`] with another policy table.
pub fn select_source_with<'a>(
    query: &SourceQuery<'_>,
    candidates: impl Iterator<Item = &'a InterfaceAddress>,
    policies: &[Policy],
) -> Option<Addr> {
    if !cfg!(feature = "routes") {
        // One address, or the one that shares a network with the next hop.
        let mut chosen = None;
        for candidate in candidates {
            if candidate.iface == query.out_iface && candidate.is_assigned() {
                let near = candidate.cidr.contains(query.next_hop);
                if near || chosen.is_none() {
                    chosen = Some(*candidate.addr());
                }
            }
        }
        return chosen;
    }
    let version = query.dst.is_v4();
    let label_of = |addr| policy_of(policies, addr).map(|policy| policy.label);
    // IPv4 knows no labels; and where there is only IPv4, the table is not even linked.
    let label = if version { None } else { label_of(query.dst) };
    let mut best: Option<(Rank, Addr)> = None;
    for candidate in candidates {
        if candidate.addr().is_v4() != version || !is_candidate(query, candidate) {
            continue;
        }
        let rank = if version {
            rank_v4(query, candidate)
        } else {
            rank_v6(query, candidate, label_of(candidate.addr()) == label)
        };
        // Strictly better only: the first of equals stays.
        if best.is_none_or(|(best, _)| rank > best) {
            best = Some((rank, *candidate.addr()));
        }
    }
    best.map(|(_, addr)| addr)
}

/// Whether an address is in CandidateSource(D) (RFC 6724 §4).
fn is_candidate(query: &SourceQuery<'_>, candidate: &InterfaceAddress) -> bool {
    let elsewhere = candidate.iface != query.out_iface;
    //= https://www.rfc-editor.org/rfc/rfc6724#section-4
    //# For all multicast and link-local destination addresses, the set of
    //# candidate source addresses MUST only include addresses assigned to
    //# interfaces belonging to the same link as the outgoing interface.
    let confined = query.dst.is_link_local() || (query.dst.is_v6() && query.dst.is_multicast());
    // A link-local or loopback address means nothing on another interface.
    let only_there = candidate.addr().is_link_local()
        || (candidate.addr().is_loopback() && candidate.addr() != query.dst);
    candidate.is_assigned() && !(elsewhere && (confined || only_there))
}

/// How good a candidate is: the first rule that differs decides, and more is better.
type Rank = u64;

/// The rules of RFC 6724 §5. Rule 4 (home addresses) is void: this is no mobile node.
fn rank_v6(query: &SourceQuery<'_>, candidate: &InterfaceAddress, label_matches: bool) -> Rank {
    let addr = candidate.addr();
    u64::from_be_bytes([
        // Rule 1: Prefer same address.
        u8::from(addr == query.dst),
        // Rule 2: Prefer appropriate scope.
        scope_rank(addr, query.dst),
        // Rule 3: Avoid deprecated addresses; and optimistic ones (RFC 4429 §3.2).
        match candidate.state {
            AddressState::Preferred => 2,
            AddressState::Deprecated => 1,
            AddressState::Optimistic | AddressState::Tentative => 0,
        },
        // Rule 5: Prefer outgoing interface.
        u8::from(candidate.iface == query.out_iface),
        // Rule 5.5: Prefer addresses in a prefix advertised by the next-hop.
        u8::from(candidate.advertised_by == *query.next_hop),
        // Rule 6: Prefer matching label.
        u8::from(label_matches),
        // Rule 7: Prefer temporary addresses.
        u8::from(candidate.temporary != query.prefer_public),
        // Rule 8: Use longest matching prefix.
        common_prefix_len(&candidate.cidr, query.dst),
    ])
}

/// RFC 1122 §3.3.4.3, its route tables having been consulted for the next hop already.
fn rank_v4(query: &SourceQuery<'_>, candidate: &InterfaceAddress) -> Rank {
    let addr = candidate.addr();
    u64::from_be_bytes([
        u8::from(addr == query.dst),
        u8::from(candidate.iface == query.out_iface && candidate.cidr.contains(query.next_hop)),
        u8::from(candidate.iface == query.out_iface),
        scope_rank(addr, query.dst),
        u8::from(candidate.state == AddressState::Preferred),
        u8::from(candidate.cidr.contains(query.next_hop)),
        common_prefix_len(&candidate.cidr, query.dst),
        0,
    ])
}

/// Rule 2 as a number: of the scopes that reach the destination the smallest is best, then of
/// those that do not the largest.
fn scope_rank(source: &Addr, dst: &Addr) -> u8 {
    let (source, dst) = (scope(source), scope(dst));
    if source < dst { source } else { 0xff - source }
}

/// CommonPrefixLen(S, D) (RFC 6724 §2.2): up to the length of S's prefix.
fn common_prefix_len(source: &Cidr, dst: &Addr) -> u8 {
    source.addr.common_prefix(dst).min(source.prefix)
}

#[cfg(test)]
mod tests;
