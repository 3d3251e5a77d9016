use std::boxed::Box;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn table(capacity: usize) -> RouteTable {
    let routes: Vec<Route> = (0..capacity).map(|_| Route::EMPTY).collect();
    RouteTable::lent(Box::leak(routes.into_boxed_slice()))
}

fn a(text: &str) -> Addr {
    text.parse().unwrap()
}

fn c(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn hit(table: &RouteTable, dst: &str) -> Option<(u8, Addr)> {
    table
        .lookup(&a(dst), None)
        .map(|hit| (hit.iface, hit.next_hop))
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn the_longest_prefix_wins() {
    let mut table = table(8);
    table.add(Route::default_via(a("10.0.0.1"), 0)).unwrap();
    table.add(Route::on_link(c("10.0.0.7/24"), 0)).unwrap();
    table
        .add(Route::via(c("10.9.0.0/16"), a("10.0.0.9"), 0))
        .unwrap();
    table
        .add(Route::via(c("10.9.8.0/24"), a("10.0.0.8"), 0))
        .unwrap();
    assert_eq!(hit(&table, "10.0.0.33"), Some((0, a("10.0.0.33"))));
    assert_eq!(hit(&table, "10.9.8.1"), Some((0, a("10.0.0.8"))));
    assert_eq!(hit(&table, "10.9.1.1"), Some((0, a("10.0.0.9"))));
    assert_eq!(hit(&table, "1.1.1.1"), Some((0, a("10.0.0.1"))));
    assert!(table.lookup(&a("1.1.1.1"), None).unwrap().gateway);
    assert!(!table.lookup(&a("10.0.0.33"), None).unwrap().gateway);
    assert!(table.is_on_link(0, &a("10.0.0.33")));
    assert!(!table.is_on_link(0, &a("10.9.8.1")));
    // The host part of what was added does not matter.
    assert_eq!(table.routes()[0].dst, c("10.0.0.0/24"));
}

#[test]
fn without_a_route_there_is_none() {
    let mut table = table(2);
    assert_eq!(hit(&table, "10.0.0.1"), None);
    table.add(Route::on_link(c("10.0.0.0/24"), 0)).unwrap();
    assert_eq!(hit(&table, "10.0.1.1"), None);
    assert_eq!(RouteTable::empty().add(Route::EMPTY), Err(RoutesFull));
}

#[cfg(feature = "ipv6")]
#[test]
fn each_version_has_its_own_default_route() {
    let mut table = table(4);
    table.add(Route::default_via(a("10.0.0.1"), 1)).unwrap();
    assert_eq!(hit(&table, "2001:db8::1"), None);
    table.add(Route::default_via(a("fe80::1"), 2)).unwrap();
    assert_eq!(hit(&table, "2001:db8::1"), Some((2, a("fe80::1"))));
    assert_eq!(hit(&table, "1.1.1.1"), Some((1, a("10.0.0.1"))));
    assert_eq!(table.len(), 2);
}

#[cfg(feature = "ipv6")]
#[test]
fn a_link_local_destination_is_sought_on_its_interface() {
    let mut table = table(4);
    table.add(Route::on_link(c("fe80::/64"), 0)).unwrap();
    table.add(Route::on_link(c("fe80::/64"), 1)).unwrap();
    assert_eq!(table.len(), 2);
    let hit = table.lookup(&a("fe80::5"), Some(1)).unwrap();
    assert_eq!((hit.iface, hit.next_hop), (1, a("fe80::5")));
    assert_eq!(table.lookup(&a("fe80::5"), Some(2)), None);
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-5.2
//= type=test
//# For multicast packets, the next-hop is always the (multicast)
//# destination address and is considered to be on-link.
#[test]
#[cfg_attr(
    not(all(
        feature = "routes",
        any(feature = "udp", feature = "ipv6", feature = "icmp-errors")
    )),
    ignore = "nothing is sent to groups"
)]
fn multicast_and_broadcast_have_no_gateway() {
    let mut table = table(4);
    table.add(Route::default_via(a("10.0.0.1"), 3)).unwrap();
    for dst in ["224.0.0.251", "255.255.255.255"] {
        let hit = table.lookup(&a(dst), Some(1)).unwrap();
        assert_eq!(
            hit,
            RouteHit {
                iface: 1,
                next_hop: a(dst),
                gateway: false
            }
        );
        let hit = table.lookup(&a(dst), None).unwrap();
        assert_eq!(
            hit,
            RouteHit {
                iface: 3,
                next_hop: a(dst),
                gateway: false
            }
        );
    }
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn the_least_metric_wins_and_replaces_only_itself() {
    let mut table = table(3);
    let cheap = Route {
        metric: 5,
        ..Route::default_via(a("10.0.0.1"), 0)
    };
    let dear = Route {
        metric: 9,
        ..Route::default_via(a("10.1.0.1"), 1)
    };
    table.add(dear).unwrap();
    table.add(cheap).unwrap();
    assert_eq!(hit(&table, "1.1.1.1"), Some((0, a("10.0.0.1"))));
    let before = table.generation();
    table
        .add(Route {
            via: Some(a("10.0.0.2")),
            ..cheap
        })
        .unwrap();
    assert_eq!(hit(&table, "1.1.1.1"), Some((0, a("10.0.0.2"))));
    assert_ne!(table.generation(), before);
    assert_eq!(table.len(), 2);
    assert!(!table.remove(cheap.dst, Some(a("10.0.0.1")), 0));
    assert!(table.remove(cheap.dst, Some(a("10.0.0.2")), 0));
    assert_eq!(hit(&table, "1.1.1.1"), Some((1, a("10.1.0.1"))));
    assert!(table.retain(|route| route.iface != 1));
    assert!(table.is_empty());
}

#[cfg(feature = "routes")]
#[test]
fn one_of_several_ways_through_a_gateway_is_removed() {
    let mut table = table(3);
    let cheap = Route::default_via(a("10.0.0.1"), 0);
    let dear = Route { metric: 9, ..cheap };
    table.add(cheap).unwrap();
    table.add(dear).unwrap();
    assert!(table.remove_exact(&dear));
    assert!(!table.remove_exact(&dear));
    assert_eq!(table.routes(), [cheap]);
    table.add(dear).unwrap();
    assert!(table.remove(cheap.dst, cheap.via, 0));
    assert!(table.is_empty());
}

#[test]
#[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
fn a_dead_gateway_gives_way_to_an_equal_route_only() {
    let mut table = table(4);
    table.add(Route::default_via(a("10.0.0.1"), 0)).unwrap();
    table
        .add(Route {
            metric: 7,
            ..Route::default_via(a("10.0.0.2"), 0)
        })
        .unwrap();
    table
        .add(Route::via(c("172.16.0.0/12"), a("10.0.0.3"), 0))
        .unwrap();
    assert!(table.set_gateway_reachable(0, &a("10.0.0.1"), false));
    assert!(!table.set_gateway_reachable(0, &a("10.0.0.1"), false));
    assert_eq!(hit(&table, "1.1.1.1"), Some((0, a("10.0.0.2"))));
    // All dead: the first, rather than none.
    table.set_gateway_reachable(0, &a("10.0.0.2"), false);
    assert_eq!(hit(&table, "1.1.1.1"), Some((0, a("10.0.0.1"))));
    table.set_gateway_reachable(0, &a("10.0.0.1"), true);
    // The default route is no better gateway for another prefix.
    table.set_gateway_reachable(0, &a("10.0.0.3"), false);
    assert_eq!(hit(&table, "172.16.1.1"), Some((0, a("10.0.0.3"))));
}

//= https://www.rfc-editor.org/rfc/rfc3021#section-2.1
//= type=test
//# In a point-to-point link with
//# a 31-bit subnet mask, the two addresses above MUST be interpreted as
//# host addresses.
#[test]
fn a_slash_31_has_two_hosts_and_no_broadcast() {
    let mut table = table(4);
    table.add(Route::on_link(c("10.0.0.0/31"), 0)).unwrap();
    table.add(Route::on_link(c("10.1.0.0/24"), 0)).unwrap();
    assert_eq!(hit(&table, "10.0.0.0"), Some((0, a("10.0.0.0"))));
    assert_eq!(hit(&table, "10.0.0.1"), Some((0, a("10.0.0.1"))));
    assert!(!table.is_directed_broadcast(0, &a("10.0.0.1")));
    assert!(table.is_directed_broadcast(0, &a("10.1.0.255")));
    assert!(!table.is_directed_broadcast(1, &a("10.1.0.255")));
}

/// A route of few bits, so that prefixes overlap and repeat.
fn route() -> impl Strategy<Value = Route> {
    let addr = (any::<bool>(), any::<u8>(), 0..=12_u8);
    (addr, 0..3_u8, 0..3_u16, any::<bool>(), any::<bool>()).prop_map(
        |((v4, bits, prefix), iface, metric, gateway, unreachable)| {
            let v4 = v4 || cfg!(not(feature = "ipv6"));
            let dst = Cidr {
                addr: address(v4, bits),
                prefix,
            };
            Route {
                dst: Cidr {
                    addr: dst.network(),
                    prefix,
                },
                via: gateway.then(|| address(v4, iface)),
                iface,
                metric,
                origin: RouteOrigin::Static,
                unreachable,
            }
        },
    )
}

#[cfg(feature = "ipv6")]
fn address(v4: bool, bits: u8) -> Addr {
    if v4 {
        Addr::v4([bits, bits, 1, 1])
    } else {
        Addr::v6([bits, bits, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    }
}

#[cfg(not(feature = "ipv6"))]
fn address(_: bool, bits: u8) -> Addr {
    Addr::v4([bits, bits, 1, 1])
}

/// What the documentation says, without any order: every matching route, the longest prefix of
/// them, of those the reachable ones if there are any, of those the least metric.
fn naive(routes: &[Route], dst: &Addr, iface: Option<u8>) -> Vec<Route> {
    let fits =
        |route: &&Route| route.dst.contains(dst) && iface.is_none_or(|iface| iface == route.iface);
    let mut best: Vec<Route> = routes.iter().filter(fits).copied().collect();
    let longest = best.iter().map(|route| route.dst.prefix).max();
    best.retain(|route| Some(route.dst.prefix) == longest);
    if best.iter().any(|route| !route.unreachable) {
        best.retain(|route| !route.unreachable);
    }
    let least = best.iter().map(|route| route.metric).min();
    best.retain(|route| Some(route.metric) == least);
    best
}

proptest! {
    #[test]
    #[cfg_attr(not(feature = "routes"), ignore = "chooses among routes")]
    fn lookup_is_what_a_naive_search_finds(
        changes in prop::collection::vec((route(), any::<bool>()), 1..40),
        queries in prop::collection::vec((any::<bool>(), any::<u8>(), prop::option::of(0..3_u8)), 1..20),
    ) {
        let mut table = table(16);
        let mut model: Vec<Route> = Vec::new();
        for (route, add) in changes {
            if add {
                let same = |known: &&mut Route| {
                    known.dst == route.dst && known.metric == route.metric && known.iface == route.iface
                };
                let known = model.iter_mut().find(same);
                let full = known.is_none() && table.len() == 16;
                prop_assert_eq!(table.add(route), if full { Err(RoutesFull) } else { Ok(()) });
                match known {
                    Some(known) => *known = route,
                    None if full => {}
                    None => model.push(route),
                }
            } else {
                let gone = |known: &Route| {
                    known.dst == route.dst && known.via == route.via && known.iface == route.iface
                };
                let had = model.iter().any(gone);
                model.retain(|known| !gone(known));
                prop_assert_eq!(table.remove(route.dst, route.via, route.iface), had);
            }
            prop_assert_eq!(table.len(), model.len());
        }
        for (v4, bits, iface) in queries {
            let dst = address(v4, bits & 0x7f);
            let best = naive(&model, &dst, iface);
            match table.lookup(&dst, iface) {
                None => prop_assert!(best.is_empty()),
                Some(hit) => prop_assert!(
                    best.iter().any(|route| route.iface == hit.iface
                        && route.via.unwrap_or(dst) == hit.next_hop
                        && route.via.is_some() == hit.gateway),
                    "{hit:?} is none of {best:?}"
                ),
            }
        }
    }
}
