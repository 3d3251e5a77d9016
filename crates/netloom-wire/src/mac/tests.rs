//! Text, classes and multicast mappings of hardware addresses.

use std::string::ToString;

use super::*;

#[test]
fn text_round_trips() {
    let mac = MacAddr([0x02, 0x00, 0x5e, 0xff, 0x0a, 0x01]);
    assert_eq!(mac.to_string(), "02:00:5e:ff:0a:01");
    assert_eq!("02:00:5e:ff:0a:01".parse(), Ok(mac));
    assert_eq!("02-00-5E-FF-0A-01".parse(), Ok(mac));
    for bad in [
        "",
        "02:00:5e:ff:0a",
        "02:00:5e:ff:0a:01:02",
        "2:0:5e:ff:a:1",
        "+2:00:5e:ff:0a:01",
    ] {
        assert_eq!(bad.parse::<MacAddr>(), Err(ParseError), "{bad}");
    }
}

#[test]
fn classes() {
    assert!(MacAddr::BROADCAST.is_multicast() && MacAddr::BROADCAST.is_broadcast());
    assert!(!MacAddr::UNSPECIFIED.is_unicast() && !MacAddr::UNSPECIFIED.is_multicast());
    assert!(MacAddr([2, 0, 0, 0, 0, 1]).is_unicast() && MacAddr([2, 0, 0, 0, 0, 1]).is_local());
    assert!(MacAddr([1, 0, 0x5e, 0, 0, 1]).is_multicast());
}

//= https://www.rfc-editor.org/rfc/rfc1112#section-6.4
//= type=test
//# An IP host group address is mapped to an Ethernet multicast address
//# by placing the low-order 23-bits of the IP address into the low-order
//# 23 bits of the Ethernet multicast address 01-00-5E-00-00-00 (hex).
#[test]
fn ipv4_groups_keep_23_bits() {
    assert_eq!(
        MacAddr::from_ipv4_multicast([239, 0xff, 2, 3]),
        MacAddr([0x01, 0x00, 0x5e, 0x7f, 2, 3])
    );
}

#[test]
fn ipv6_groups_keep_32_bits() {
    let group = [
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xaa, 0xbb, 0xcc,
    ];
    assert_eq!(
        MacAddr::from_ipv6_multicast(group),
        MacAddr([0x33, 0x33, 0xff, 0xaa, 0xbb, 0xcc])
    );
}

#[test]
fn interface_identifiers_are_modified_eui_64() {
    // The example of RFC 2464 §4.
    let mac = MacAddr([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
    assert_eq!(
        mac.interface_identifier(),
        [0x36, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde]
    );
}
