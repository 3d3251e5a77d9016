use std::boxed::Box;
use std::vec::Vec;

use super::*;

fn table(capacity: usize) -> AddressTable {
    let addresses: Vec<_> = (0..capacity).map(|_| InterfaceAddress::EMPTY).collect();
    AddressTable::lent(Box::leak(addresses.into_boxed_slice()))
}

fn a(text: &str) -> Addr {
    text.parse().unwrap()
}

fn on(iface: u8, cidr: &str) -> InterfaceAddress {
    InterfaceAddress::new(iface, cidr.parse().unwrap())
}

#[test]
fn addresses_are_added_replaced_and_removed() {
    let mut table = table(2);
    table.add(on(0, "10.0.0.2/24")).unwrap();
    table.add(on(1, "10.1.0.2/24")).unwrap();
    assert_eq!(table.add(on(1, "10.1.0.3/24")), Err(AddressError::Full));
    let deprecated = InterfaceAddress {
        state: AddressState::Deprecated,
        ..on(0, "10.0.0.2/24")
    };
    table.add(deprecated).unwrap();
    assert_eq!(table.len(), 2);
    assert_eq!(table.get(0, &a("10.0.0.2")), Some(&deprecated));
    assert_eq!(table.remove(0, &a("10.0.0.2")), Some(deprecated));
    assert_eq!(table.remove(0, &a("10.0.0.2")), None);
    assert_eq!(table.addresses(), [on(1, "10.1.0.2/24")]);
}

#[test]
fn only_a_hosts_address_is_taken() {
    let mut table = table(4);
    for bad in [
        "0.0.0.0/8",
        "224.0.0.1/4",
        "255.255.255.255/32",
        "10.0.0.255/24",
    ] {
        assert_eq!(
            table.add(on(0, bad)),
            Err(AddressError::NotUnicast),
            "{bad}"
        );
    }
    for good in ["10.0.0.255/31", "10.0.0.255/32", "127.0.0.1/8"] {
        assert_eq!(table.add(on(0, good)), Ok(()), "{good}");
    }
}

#[test]
fn an_address_is_local_on_every_interface() {
    let mut table = table(4);
    table.add(on(0, "10.0.0.2/24")).unwrap();
    table.add(on(1, "169.254.1.1/16")).unwrap();
    assert!(table.contains(0, &a("10.0.0.2")));
    assert!(!table.contains(1, &a("10.0.0.2")));
    assert!(table.is_local(&a("10.0.0.2")));
    assert!(table.is_local_on(1, &a("10.0.0.2")));
    assert!(
        !table.is_local_on(0, &a("169.254.1.1")),
        "link-local means this link"
    );
    assert!(table.is_local_on(1, &a("169.254.1.1")));
    assert!(!table.is_local(&a("10.0.0.3")));
}

//= https://www.rfc-editor.org/rfc/rfc4862#section-5.4
//= type=test
//# An address on which the Duplicate Address Detection procedure is
//# applied is said to be tentative until the procedure has completed
//# successfully.
#[test]
fn a_tentative_address_is_not_assigned() {
    let mut table = table(1);
    let tentative = InterfaceAddress {
        state: AddressState::Tentative,
        ..on(0, "10.0.0.2/24")
    };
    table.add(tentative).unwrap();
    assert!(!table.is_local(&a("10.0.0.2")));
    assert!(!table.contains(0, &a("10.0.0.2")));
    table.get_mut(0, &a("10.0.0.2")).unwrap().state = AddressState::Preferred;
    assert!(table.is_local(&a("10.0.0.2")));
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.6
//= type=test
//# recognize and accept any of these non-standard broadcast
//# addresses as the destination address of an incoming datagram.
#[test]
fn broadcast_addresses_are_recognised() {
    let mut table = table(4);
    table.add(on(0, "10.0.0.2/24")).unwrap();
    table.add(on(1, "10.1.0.0/31")).unwrap();
    table.add(on(2, "10.2.0.1/32")).unwrap();
    for (iface, addr, broadcast) in [
        (0, "255.255.255.255", true),
        (0, "10.0.0.255", true),
        (0, "10.0.0.0", true),
        (0, "10.0.0.2", false),
        (0, "10.0.1.255", false),
        (1, "10.0.0.255", false),
        (1, "10.1.0.0", false),
        (1, "10.1.0.1", false),
        (2, "10.2.0.1", false),
    ] {
        assert_eq!(
            table.is_broadcast_for(iface, &a(addr)),
            broadcast,
            "{addr} on {iface}"
        );
    }
}

#[test]
fn a_silent_address_is_accepted_but_not_answered_for() {
    let shared = InterfaceAddress {
        silent: true,
        ..on(0, "10.0.0.9/32")
    };
    assert!(shared.is_assigned());
    assert!(!shared.is_answered());
    assert!(on(0, "10.0.0.9/32").is_answered());
}

#[cfg(feature = "ipv6")]
#[test]
fn the_solicited_node_group_of_every_address_is_joined() {
    let mut table = table(2);
    let tentative = InterfaceAddress {
        state: AddressState::Tentative,
        ..on(0, "fe80::1:2:3/64")
    };
    table.add(tentative).unwrap();
    assert!(table.joins_solicited_node(0, &a("ff02::1:ff02:3")));
    assert!(!table.joins_solicited_node(1, &a("ff02::1:ff02:3")));
    assert!(!table.joins_solicited_node(0, &a("ff02::1:ff02:4")));
}
