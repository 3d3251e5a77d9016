//! Both versions in one type, and the classes of addresses.

use std::string::ToString;

use super::*;

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

#[test]
fn all_zero_bytes_are_unspecified() {
    assert!(Addr::UNSPECIFIED.as_bytes().iter().all(|byte| *byte == 0));
    assert_eq!(Addr::default(), Addr::UNSPECIFIED);
    assert!(Addr::UNSPECIFIED.is_unspecified() && Addr::V4_UNSPECIFIED.is_unspecified());
}

#[test]
fn ipv4_round_trips_through_text_octets_and_std() {
    let a = addr("10.1.2.3");
    assert!(a.is_v4() && !a.is_v6());
    assert_eq!(a.v4_octets(), Some([10, 1, 2, 3]));
    assert_eq!(
        a.octets16(),
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3]
    );
    assert_eq!(a.to_string(), "10.1.2.3");
    assert_eq!(IpAddr::from(a), "10.1.2.3".parse::<IpAddr>().unwrap());
    assert_eq!(Addr::from(Ipv4Addr::new(10, 1, 2, 3)), a);
    assert!("10.1.2".parse::<Addr>().is_err() && "".parse::<Addr>().is_err());
}

#[test]
fn ipv4_classes() {
    assert!(addr("127.3.2.1").is_loopback() && !addr("126.0.0.1").is_loopback());
    assert!(addr("224.0.0.1").is_multicast() && addr("239.255.255.255").is_multicast());
    assert!(!addr("240.0.0.1").is_multicast() && !addr("223.255.255.255").is_multicast());
    assert!(Addr::V4_BROADCAST.is_broadcast() && !Addr::V4_BROADCAST.is_unicast());
    assert!(addr("169.254.1.1").is_link_local() && !addr("169.253.1.1").is_link_local());
    assert!(addr("10.0.0.1").is_unicast());
    assert!(!addr("224.0.0.1").is_unicast() && !addr("0.0.0.0").is_unicast());
}

#[cfg(feature = "ipv6")]
mod v6 {
    use super::*;

    #[test]
    fn round_trips_through_text_octets_and_std() {
        let a = addr("2001:db8::1");
        assert!(a.is_v6() && a.v4_octets().is_none());
        assert_eq!(a.to_string(), "2001:db8::1");
        assert_eq!(a.v6_octets().map(Addr::v6), Some(a));
        assert_eq!(IpAddr::from(a), "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(Addr::from("2001:db8::1".parse::<Ipv6Addr>().unwrap()), a);
        // The unspecified address is IPv6: a host without an address sends from it.
        assert!(Addr::UNSPECIFIED.is_v6() && Addr::UNSPECIFIED != Addr::V4_UNSPECIFIED);
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        assert_eq!(addr("::ffff:10.1.2.3"), addr("10.1.2.3"));
        assert!(addr("::fffe:10.1.2.3").is_v6() && addr("1::ffff:10.1.2.3").is_v6());
    }

    #[test]
    fn classes() {
        assert!(addr("::1").is_loopback() && !addr("::2").is_loopback());
        assert!(addr("ff02::1").is_multicast() && !addr("fe02::1").is_multicast());
        assert!(addr("fe80::1").is_link_local() && addr("febf::1").is_link_local());
        assert!(!addr("fec0::1").is_link_local() && !addr("fe80::1").is_broadcast());
        assert!(addr("fd00::1").is_unicast() && !addr("::").is_unicast());
        // Bytes that would be multicast or link-local in IPv4 mean nothing in IPv6.
        assert!(!addr("2001::e000:1").is_multicast() && !addr("2001::a9fe:1").is_link_local());
        assert!(!addr("2001::7f00:1").is_loopback());
    }

    #[test]
    fn common_prefixes_count_in_the_version_of_both() {
        assert_eq!(addr("10.0.0.1").common_prefix(&addr("10.0.0.1")), 32);
        assert_eq!(addr("10.0.0.0").common_prefix(&addr("10.0.0.255")), 24);
        assert_eq!(addr("0.0.0.0").common_prefix(&addr("128.0.0.0")), 0);
        assert_eq!(addr("fd00::1").common_prefix(&addr("fd00::1")), 128);
        assert_eq!(
            addr("2001:db8::").common_prefix(&addr("2001:db8:0:1::")),
            63
        );
        assert_eq!(addr("::").common_prefix(&addr("0.0.0.0")), 0);
    }

    //= https://www.rfc-editor.org/rfc/rfc4291#section-2.7.1
    //= type=test
    //# A Solicited-Node multicast address is formed by taking the
    //# low-order 24 bits of an address (unicast or anycast) and appending
    //# those bits to the prefix FF02:0:0:0:0:1:FF00::/104
    #[test]
    fn solicited_node_addresses() {
        let node = addr("4037::01:800:200e:8c6c").solicited_node();
        assert_eq!(node, addr("ff02::1:ff0e:8c6c"));
        assert!(node.is_solicited_node() && !addr("ff02::1").is_solicited_node());
    }
}
