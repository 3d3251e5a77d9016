use super::*;

fn a(text: &str) -> Addr {
    text.parse().unwrap()
}

fn on(iface: u8, cidr: &str) -> InterfaceAddress {
    InterfaceAddress::new(iface, cidr.parse().unwrap())
}

/// Chooses for a packet that leaves by interface 0 through `next_hop`, in both orders of the
/// candidates, which must not matter.
fn choose(dst: &str, next_hop: &str, candidates: &[InterfaceAddress]) -> Option<Addr> {
    let (dst, next_hop) = (a(dst), a(next_hop));
    let query = SourceQuery::new(&dst, 0, &next_hop);
    let forwards = select_source(&query, candidates.iter());
    let backwards = select_source(&query, candidates.iter().rev());
    assert_eq!(forwards, backwards, "the order of the candidates mattered");
    forwards
}

#[cfg(feature = "ipv6")]
mod ipv6 {
    use super::*;

    fn deprecated(address: InterfaceAddress) -> InterfaceAddress {
        InterfaceAddress {
            state: AddressState::Deprecated,
            ..address
        }
    }

    fn temporary(address: InterfaceAddress) -> InterfaceAddress {
        InterfaceAddress {
            temporary: true,
            ..address
        }
    }

    /// RFC 6724 §10.1, all but the example of home addresses.
    #[test]
    fn the_rfcs_examples() {
        let examples: [(&str, [InterfaceAddress; 2], &str); 7] = [
            (
                "2001:db8:1::1",
                [on(0, "2001:db8:3::1/64"), on(0, "fe80::1/64")],
                // The RFC prints 2001:db8::1 (erratum): it is no candidate.
                "2001:db8:3::1",
            ),
            (
                "ff05::1",
                [on(0, "2001:db8:3::1/64"), on(0, "fe80::1/64")],
                "2001:db8:3::1",
            ),
            (
                "2001:db8:1::1",
                [
                    deprecated(on(0, "2001:db8:1::1/64")),
                    on(0, "2001:db8:2::1/64"),
                ],
                "2001:db8:1::1",
            ),
            (
                "fe80::1",
                [deprecated(on(0, "fe80::2/64")), on(0, "2001:db8:1::1/64")],
                "fe80::2",
            ),
            (
                "2001:db8:1::1",
                [on(0, "2001:db8:1::2/64"), on(0, "2001:db8:3::2/64")],
                "2001:db8:1::2",
            ),
            (
                "2002:c633:6401::1",
                [
                    temporary(on(0, "2002:c633:6401::d5e3:7953:13eb:22e8/64")),
                    on(0, "2001:db8:1::2/64"),
                ],
                "2002:c633:6401::d5e3:7953:13eb:22e8",
            ),
            (
                "2001:db8:1::d5e3:0:0:1",
                [
                    on(0, "2001:db8:1::2/64"),
                    temporary(on(0, "2001:db8:1::d5e3:7953:13eb:22e8/64")),
                ],
                "2001:db8:1::d5e3:7953:13eb:22e8",
            ),
        ];
        for (dst, candidates, expected) in examples {
            assert_eq!(
                choose(dst, "fe80::99", &candidates),
                Some(a(expected)),
                "to {dst}"
            );
        }
    }

    #[test]
    fn a_label_outranks_a_temporary_address() {
        // Rule 6 before rule 7: a ULA destination gets the ULA source.
        let ula = on(0, "fd00::1/64");
        let global = temporary(on(0, "2001:db8::1/64"));
        assert_eq!(
            choose("fd00:1::9", "fe80::99", &[ula, global]),
            Some(a("fd00::1"))
        );
        assert_eq!(
            choose("2001:db8:9::9", "fe80::99", &[ula, global]),
            Some(a("2001:db8::1"))
        );
    }

    #[test]
    fn the_outgoing_interface_is_preferred() {
        let here = on(0, "2001:db8:1::1/64");
        let there = on(1, "2001:db8:9::1/64");
        assert_eq!(
            choose("2001:db8:9::9", "fe80::99", &[here, there]),
            Some(*here.addr())
        );
        // But not at the price of the scope (rule 2 before rule 5).
        let here = on(0, "fe80::1/64");
        assert_eq!(
            choose("2001:db8:9::9", "fe80::99", &[here, there]),
            Some(*there.addr())
        );
    }

    #[test]
    fn the_prefix_of_the_chosen_router_is_preferred() {
        let mut first = on(0, "2001:db8:1::1/64");
        let mut second = on(0, "2001:db8:2::1/64");
        first.advertised_by = a("fe80::a");
        second.advertised_by = a("fe80::b");
        let dst = "2001:db9::9";
        assert_eq!(
            choose(dst, "fe80::a", &[first, second]),
            Some(*first.addr())
        );
        assert_eq!(
            choose(dst, "fe80::b", &[first, second]),
            Some(*second.addr())
        );
    }

    //= https://www.rfc-editor.org/rfc/rfc6724#section-4
    //= type=test
    //# For all multicast and link-local destination addresses, the set of
    //# candidate source addresses MUST only include addresses assigned to
    //# interfaces belonging to the same link as the outgoing interface.
    #[test]
    fn the_scope_of_a_link_is_kept() {
        let there = [on(1, "2001:db8::1/64"), on(1, "fe80::1/64")];
        assert_eq!(choose("ff02::1", "ff02::1", &there), None);
        assert_eq!(choose("fe80::9", "fe80::9", &there), None);
        assert_eq!(
            choose("2001:db8::9", "fe80::9", &there),
            Some(a("2001:db8::1"))
        );
    }

    #[test]
    fn what_is_not_assigned_is_no_candidate() {
        let mut address = on(0, "2001:db8::1/64");
        address.state = AddressState::Tentative;
        assert_eq!(choose("2001:db8::9", "2001:db8::9", &[address]), None);
        address.state = AddressState::Optimistic;
        let old = deprecated(on(0, "2001:db8::2/64"));
        assert_eq!(
            choose("2001:db8::9", "2001:db8::9", &[address]),
            Some(*address.addr())
        );
        assert_eq!(
            choose("2001:db8::9", "2001:db8::9", &[address, old]),
            Some(*old.addr())
        );
    }

    //= https://www.rfc-editor.org/rfc/rfc6724#section-5
    //= type=test
    //# Implementations MUST provide a mechanism allowing an application to
    //# reverse the sense of this preference and prefer public addresses over
    //# temporary addresses (e.g., via appropriate API extensions such as
    //# [RFC5014]).
    #[test]
    fn a_program_may_prefer_public_addresses() {
        let candidates = [temporary(on(0, "2001:db8::1/64")), on(0, "2001:db8::2/64")];
        let dst = a("2001:db8::9");
        let mut query = SourceQuery::new(&dst, 0, &dst);
        assert_eq!(
            select_source(&query, candidates.iter()),
            Some(a("2001:db8::1"))
        );
        query.prefer_public = true;
        assert_eq!(
            select_source(&query, candidates.iter()),
            Some(a("2001:db8::2"))
        );
    }

    #[test]
    fn versions_do_not_mix() {
        let candidates = [on(0, "10.0.0.2/24"), on(0, "2001:db8::1/64")];
        assert_eq!(
            choose("2001:db8::9", "fe80::1", &candidates),
            Some(a("2001:db8::1"))
        );
        assert_eq!(
            choose("10.0.0.9", "10.0.0.9", &candidates),
            Some(a("10.0.0.2"))
        );
    }

    #[test]
    fn the_policy_table_is_the_rfcs() {
        for (addr, precedence, label) in [
            ("::1", 50, 0),
            ("2001:db8::1", 40, 1),
            ("10.0.0.1", 35, 4),
            ("2002::1", 30, 2),
            ("2001::1", 5, 5),
            ("fd00::1", 3, 13),
            ("::a00:1", 1, 3),
            ("fec0::1", 1, 11),
            ("3ffe::1", 1, 12),
        ] {
            let policy = policy_of(&DEFAULT_POLICIES, &a(addr)).unwrap();
            assert_eq!(
                (policy.precedence, policy.label),
                (precedence, label),
                "{addr}"
            );
        }
    }

    #[test]
    fn scopes() {
        for (addr, expected) in [
            ("fe80::1", 2),
            ("::1", 2),
            ("fec0::1", 5),
            ("fd00::1", 14),
            ("2001:db8::1", 14),
            ("ff02::1", 2),
            ("ff05::1", 5),
            ("ff0e::1", 14),
        ] {
            assert_eq!(scope(&a(addr)), expected, "{addr}");
        }
    }

    /// The order of two scopes by rule 2, word for word, against the number it was made.
    #[test]
    fn rule_2_word_for_word() {
        let addrs = ["fe80::1", "fec0::1", "2001:db8::1"].map(a);
        let dsts = [
            "ff01::1", "ff02::1", "ff04::1", "ff05::1", "ff08::1", "ff0e::1",
        ]
        .map(a);
        for dst in &dsts {
            for sa in &addrs {
                for sb in &addrs {
                    let prefer_sa = match scope(sa).cmp(&scope(sb)) {
                        core::cmp::Ordering::Less => scope(sa) >= scope(dst),
                        core::cmp::Ordering::Greater => scope(sb) < scope(dst),
                        core::cmp::Ordering::Equal => continue,
                    };
                    let greater = scope_rank(sa, dst) > scope_rank(sb, dst);
                    assert_eq!(greater, prefer_sa, "{sa} against {sb} to {dst}");
                }
            }
        }
    }
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn ipv4_prefers_the_subnet_of_the_next_hop() {
    let first = on(0, "10.0.0.2/24");
    let second = on(0, "192.168.0.2/24");
    let other = on(1, "172.16.0.2/24");
    let all = [first, second, other];
    assert_eq!(choose("1.1.1.1", "192.168.0.1", &all), Some(*second.addr()));
    assert_eq!(choose("10.0.0.9", "10.0.0.9", &all), Some(*first.addr()));
    // In the subnet of another interface, but the packet leaves by this one.
    assert_eq!(
        choose("172.16.0.9", "10.0.0.1", &[first, other]),
        Some(*first.addr())
    );
    // None on this interface: another's, rather than none.
    assert_eq!(choose("1.1.1.1", "10.9.9.9", &[other]), Some(*other.addr()));
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn among_equals_the_first_wins() {
    let candidates = [on(0, "10.0.0.2/24"), on(0, "10.0.0.3/24")];
    let dst = a("10.0.0.9");
    let query = SourceQuery::new(&dst, 0, &dst);
    assert_eq!(
        select_source(&query, candidates.iter()),
        Some(a("10.0.0.2"))
    );
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn ipv4_link_local_and_loopback_stay_where_they_mean_something() {
    let loopback = on(1, "127.0.0.1/8");
    let link_local = on(1, "169.254.0.2/16");
    assert_eq!(choose("1.1.1.1", "10.0.0.1", &[loopback, link_local]), None);
    let here = on(0, "169.254.0.2/16");
    let global = on(0, "10.0.0.2/24");
    assert_eq!(
        choose("1.1.1.1", "10.9.9.9", &[here, global]),
        Some(*global.addr())
    );
    assert_eq!(
        choose("169.254.9.9", "169.254.9.9", &[here, global]),
        Some(*here.addr())
    );
    // To itself, from itself.
    assert_eq!(
        choose("10.0.0.2", "10.0.0.2", &[here, global]),
        Some(*global.addr())
    );
}
