//! Membership and the ends of networks.

use std::string::ToString;

use super::*;

fn cidr(text: &str) -> Cidr {
    text.parse().unwrap()
}

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

#[test]
fn text_round_trips() {
    for text in ["10.0.0.2/24", "0.0.0.0/0", "10.0.0.2/32"] {
        assert_eq!(cidr(text).to_string(), text);
    }
    assert_eq!(cidr("10.0.0.2"), cidr("10.0.0.2/32"));
    for bad in [
        "10.0.0.2/33",
        "10.0.0.2/",
        "10.0.0.2/-1",
        "10.0.0.2/+1",
        "/24",
        "10.0.0/8",
    ] {
        assert_eq!(bad.parse::<Cidr>(), Err(ParseError), "{bad}");
    }
}

#[test]
fn every_ipv4_prefix_agrees_with_a_mask() {
    let base = u32::from_be_bytes([10, 20, 30, 40]);
    for prefix in 0..=32 {
        let mask = u32::MAX.checked_shl(32 - prefix).unwrap_or(0);
        let net = Cidr::new(Addr::v4(base.to_be_bytes()), prefix as u8).unwrap();
        assert_eq!(net.netmask(), Addr::v4(mask.to_be_bytes()));
        assert_eq!(net.network(), Addr::v4((base & mask).to_be_bytes()));
        let broadcast = (prefix < 31).then(|| Addr::v4((base | !mask).to_be_bytes()));
        assert_eq!(net.broadcast(), broadcast);
        for bit in 0..32 {
            let other = base ^ (1 << bit);
            assert_eq!(
                net.contains(&Addr::v4(other.to_be_bytes())),
                other & mask == base & mask
            );
        }
    }
    assert_eq!(Cidr::new(addr("10.0.0.1"), 33), None);
    // A prefix nobody checked counts as the longest.
    let odd = Cidr {
        addr: addr("10.0.0.1"),
        prefix: 200,
    };
    assert!(odd.contains(&addr("10.0.0.1")) && !odd.contains(&addr("10.0.0.0")));
    assert_eq!(odd.network(), addr("10.0.0.1"));
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_networks() {
    let net = cidr("2001:db8:0:8000::1/49");
    assert_eq!(net.network(), addr("2001:db8:0:8000::"));
    assert_eq!(net.netmask(), addr("ffff:ffff:ffff:8000::"));
    assert!(net.contains(&addr("2001:db8:0:ffff::")) && !net.contains(&addr("2001:db8::")));
    assert_eq!(net.broadcast(), None);
    assert!(cidr("::/0").contains(&addr("fe80::1")) && !cidr("::/0").contains(&addr("10.0.0.1")));
    assert!(!cidr("0.0.0.0/0").contains(&addr("::")));
    assert_eq!(
        Cidr::new(addr("::1"), 128).map(|net| net.netmask()),
        Some(cidr("::1/128").netmask())
    );
    assert!("::1/129".parse::<Cidr>().is_err());
}
