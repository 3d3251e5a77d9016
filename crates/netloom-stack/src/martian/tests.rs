use std::boxed::Box;

use super::*;
use crate::address::InterfaceAddress;

fn a(text: &str) -> Addr {
    text.parse().unwrap()
}

/// Interface 0: 10.0.0.2/24; interface 1: 10.1.0.0/31; both with an IPv6 address.
fn addresses() -> AddressTable {
    let mut table = AddressTable::lent(Box::leak(Box::new([InterfaceAddress::EMPTY; 8])));
    let all: &[(u8, &str)] = &[
        (0, "10.0.0.2/24"),
        (1, "10.1.0.0/31"),
        (0, "169.254.0.2/16"),
    ];
    for (iface, cidr) in all {
        table
            .add(InterfaceAddress::new(*iface, cidr.parse().unwrap()))
            .unwrap();
    }
    #[cfg(feature = "ipv6")]
    for (iface, cidr) in [(0, "2001:db8::2/64"), (0, "fe80::2/64"), (1, "fe80::9/64")] {
        table
            .add(InterfaceAddress::new(iface, cidr.parse().unwrap()))
            .unwrap();
    }
    table
}

fn arrives(src: &str, dst: &str, iface: u8, loopback: bool) -> Result<(), Martian> {
    let (src, dst) = (a(src), a(dst));
    let packet = Arrival {
        src: &src,
        dst: &dst,
        // What an IPv6 header holds is never written as dotted quads here.
        ipv6: src.is_v6() && dst.is_v6(),
        iface,
        loopback,
    };
    check(&packet, &addresses())
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//= type=test
//# A host MUST silently discard an incoming datagram containing
//# an IP source address that is invalid by the rules of this
//# section.
#[test]
fn ipv4_sources() {
    use Martian::*;
    for (src, expected) in [
        ("10.0.0.9", Ok(())),
        ("8.8.8.8", Ok(())),
        ("224.0.0.1", Err(MulticastSource)),
        ("239.255.255.250", Err(MulticastSource)),
        ("255.255.255.255", Err(BroadcastSource)),
        ("10.0.0.255", Err(BroadcastSource)),
        ("10.0.0.0", Err(BroadcastSource)),
        ("10.9.0.255", Ok(())), // a host, for all this host can know
        ("127.0.0.1", Err(LoopbackSource)),
        ("127.255.255.254", Err(LoopbackSource)),
        ("0.0.0.0", Err(UnspecifiedSource)),
        ("0.1.2.3", Err(NetworkZeroSource)),
        ("240.0.0.1", Err(ReservedSource)),
        ("255.255.255.254", Err(ReservedSource)),
        ("10.0.0.2", Err(OwnSource)),
        ("10.1.0.0", Err(OwnSource)),
        ("10.1.0.1", Ok(())),
    ] {
        assert_eq!(arrives(src, "10.0.0.2", 0, false), expected, "from {src}");
    }
    // A /31 has no broadcast address (RFC 3021).
    assert_eq!(arrives("10.1.0.1", "10.1.0.0", 1, false), Ok(()));
}

#[test]
fn ipv4_destinations() {
    use Martian::*;
    for (dst, expected) in [
        ("10.0.0.2", Ok(())),
        ("10.0.0.255", Ok(())),
        ("255.255.255.255", Ok(())),
        ("224.0.0.1", Ok(())),
        ("8.8.8.8", Ok(())), // not this host's, but not impossible
        ("0.0.0.0", Err(UnspecifiedDestination)),
        ("0.1.2.3", Err(UnspecifiedDestination)),
        ("127.0.0.1", Err(LoopbackDestination)),
        ("240.0.0.1", Err(ReservedDestination)),
        ("255.255.255.254", Err(ReservedDestination)),
    ] {
        assert_eq!(arrives("10.0.0.9", dst, 0, false), expected, "to {dst}");
    }
}

/// Attack class 25: a packet that claims to come from where it goes.
#[test]
fn a_land_attack_ends_here() {
    assert_eq!(
        arrives("10.0.0.2", "10.0.0.2", 0, false),
        Err(Martian::OwnSource)
    );
    // Through the other door.
    assert_eq!(
        arrives("10.0.0.2", "10.0.0.2", 1, false),
        Err(Martian::OwnSource)
    );
    assert_eq!(
        arrives("127.0.0.1", "127.0.0.1", 0, false),
        Err(Martian::LoopbackDestination)
    );
    // On the loopback interface it is how a host talks to itself.
    assert_eq!(arrives("10.0.0.2", "10.0.0.2", 0, true), Ok(()));
    assert_eq!(arrives("127.0.0.1", "127.0.0.1", 0, true), Ok(()));
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//= type=test
//# This host on this network.  MUST NOT be sent, except as
//# a source address as part of an initialization procedure
//# by which the host learns its own IP address.
#[test]
fn a_host_without_an_address_may_ask_for_one() {
    assert_eq!(
        arrives("0.0.0.0", "255.255.255.255", 0, false),
        Ok(()),
        "DHCP"
    );
    assert_eq!(arrives("0.0.0.0", "224.0.0.1", 0, false), Ok(()), "IGMP");
    let nowhere_else = Err(Martian::UnspecifiedSource);
    assert_eq!(arrives("0.0.0.0", "10.0.0.2", 0, false), nowhere_else);
    assert_eq!(arrives("0.0.0.0", "10.0.0.255", 0, false), nowhere_else);
    assert_eq!(arrives("0.0.0.0", "239.1.1.1", 0, false), nowhere_else);
    assert_eq!(arrives("0.0.0.0", "127.0.0.1", 0, true), nowhere_else);
}

#[test]
fn loopback_does_not_excuse_everything() {
    for src in ["224.0.0.1", "255.255.255.255", "0.1.2.3", "240.0.0.1"] {
        assert!(arrives(src, "127.0.0.1", 0, true).is_err(), "from {src}");
    }
    for dst in ["0.0.0.0", "0.1.2.3", "240.0.0.1"] {
        assert!(arrives("127.0.0.1", dst, 0, true).is_err(), "to {dst}");
    }
}

#[cfg(feature = "ipv6")]
mod ipv6 {
    use super::*;

    #[test]
    fn sources() {
        use Martian::*;
        for (src, expected) in [
            ("2001:db8::9", Ok(())),
            ("fe80::1", Ok(())),
            ("fe80::9", Ok(())), // another interface's: a stranger here
            ("fe80::2", Err(OwnSource)),
            ("2001:db8::2", Err(OwnSource)),
            ("ff02::1", Err(MulticastSource)),
            ("::", Err(UnspecifiedSource)),
            ("::1", Err(LoopbackSource)),
        ] {
            assert_eq!(
                arrives(src, "2001:db8::2", 0, false),
                expected,
                "from {src}"
            );
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc4291#section-2.5.3
    //= type=test
    //# A packet
    //# received on an interface with a destination address of loopback must
    //# be dropped.
    #[test]
    fn destinations() {
        use Martian::*;
        for (dst, expected) in [
            ("2001:db8::2", Ok(())),
            ("ff02::1", Ok(())),
            ("ff0e::1", Ok(())),
            ("ff00::1", Err(MulticastScope)),
            ("ff10::1", Err(MulticastScope)),
            ("ff01::1", Err(MulticastScope)),
            ("::", Err(UnspecifiedDestination)),
            ("::1", Err(LoopbackDestination)),
        ] {
            assert_eq!(arrives("2001:db8::9", dst, 0, false), expected, "to {dst}");
        }
        assert_eq!(arrives("::1", "::1", 0, true), Ok(()));
        assert_eq!(arrives("::1", "ff01::1", 0, true), Ok(()));
    }

    #[test]
    fn an_unspecified_source_speaks_to_groups_only() {
        assert_eq!(arrives("::", "ff02::1:ff00:2", 0, false), Ok(()), "DAD");
        assert_eq!(
            arrives("::", "ff02::2", 0, false),
            Ok(()),
            "router solicitation"
        );
        assert_eq!(
            arrives("::", "2001:db8::2", 0, false),
            Err(Martian::UnspecifiedSource)
        );
    }

    #[test]
    fn mapped_addresses_do_not_travel() {
        let travels = |src: &str, dst: &str| {
            let (src, dst) = (a(src), a(dst));
            let packet = Arrival {
                src: &src,
                dst: &dst,
                ipv6: true,
                iface: 0,
                loopback: false,
            };
            check(&packet, &addresses())
        };
        assert_eq!(
            travels("::ffff:10.0.0.9", "2001:db8::2"),
            Err(Martian::MappedSource)
        );
        assert_eq!(
            travels("2001:db8::9", "::ffff:10.0.0.2"),
            Err(Martian::MappedDestination)
        );
        // Not even as an unspecified IPv4 address.
        assert_eq!(
            travels("::ffff:0.0.0.0", "ff02::1"),
            Err(Martian::UnspecifiedSource)
        );
        assert_eq!(
            travels("::ffff:0.0.0.0", "2001:db8::2"),
            Err(Martian::UnspecifiedSource)
        );
    }
}
