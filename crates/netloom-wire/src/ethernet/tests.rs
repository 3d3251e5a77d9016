//! Frames with no tag, one, two and too many.

use std::vec::Vec;

use super::*;

const DST: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const SRC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn frame(after_addresses: &[u8]) -> Vec<u8> {
    [&DST.0[..], &SRC.0, after_addresses].concat()
}

#[test]
fn plain_frames() {
    let bytes = frame(&[0x08, 0x00, 1, 2, 3]);
    let view = EthernetView::new(&bytes).unwrap();
    assert_eq!((view.dst(), view.src()), (DST, SRC));
    assert_eq!((view.ethertype(), view.header_len()), (EtherType::IPV4, 14));
    assert_eq!((view.vlan(), view.service_vlan()), (None, None));
    assert_eq!(view.payload(), [1, 2, 3]);
    for len in 0..14 {
        assert_eq!(
            EthernetView::new(&bytes[..len]).unwrap_err(),
            WireError::Truncated
        );
    }
}

#[test]
fn one_tag() {
    let bytes = frame(&[0x81, 0x00, 0x70, 0x05, 0x86, 0xdd, 9]);
    let view = EthernetView::new(&bytes).unwrap();
    let tag = view.vlan().unwrap();
    assert_eq!((tag.id, tag.priority, tag.drop_eligible), (5, 3, true));
    assert_eq!((view.ethertype(), view.header_len()), (EtherType::IPV6, 18));
    assert_eq!((view.payload(), view.service_vlan()), (&[9][..], None));
    let untagged = EthernetView::untagged(&bytes).unwrap();
    assert!(untagged.ethertype().is_tag() && untagged.vlan().is_none());
    assert_eq!(
        (untagged.header_len(), untagged.payload()),
        (14, &bytes[14..])
    );
    assert!(EthernetView::untagged(&bytes[..13]).is_err());
    for len in 14..18 {
        assert_eq!(
            EthernetView::new(&bytes[..len]).unwrap_err(),
            WireError::Truncated
        );
    }
}

#[test]
fn two_tags_and_no_third() {
    let bytes = frame(&[0x88, 0xa8, 0, 9, 0x81, 0x00, 0, 7, 0x08, 0x06, 1]);
    let view = EthernetView::new(&bytes).unwrap();
    assert_eq!(view.vlan().map(|tag| tag.id), Some(7));
    assert_eq!(
        view.service_vlan().map(|tag| (tag.id, tag.kind)),
        Some((9, EtherType::SERVICE_VLAN))
    );
    assert_eq!(
        (view.ethertype(), view.header_len(), view.payload()),
        (EtherType::ARP, 22, &[1][..])
    );
    let third = frame(&[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 0x81, 0, 0, 8, 8, 6, 1]);
    assert_eq!(
        EthernetView::new(&third).unwrap_err(),
        WireError::TooManyHeaders
    );
}

#[test]
fn headers_round_trip() {
    let tag = VlanTag {
        priority: 5,
        drop_eligible: true,
        ..VlanTag::new(0xabc)
    };
    for vlan in [None, Some(tag)] {
        let repr = EthernetRepr {
            dst: DST,
            src: SRC,
            ethertype: EtherType(0x88cc),
            vlan,
        };
        let mut buf = [0xee; 20];
        let rest = repr.emit(&mut buf).unwrap().len();
        assert_eq!(rest, 20 - repr.header_len());
        let view = EthernetView::new(&buf).unwrap();
        assert_eq!(EthernetRepr::parse(&view), repr);
        for len in 0..repr.header_len() {
            assert_eq!(
                repr.emit(&mut buf[..len]).unwrap_err(),
                WireError::BufferTooSmall
            );
        }
    }
}

#[test]
fn every_tag_round_trips() {
    for tci in 0..=u16::MAX {
        assert_eq!(VlanTag::from_tci(EtherType::VLAN, tci).tci(), tci);
    }
}

#[test]
fn chains_ask_for_the_type_that_is_there() {
    let bytes = frame(&[0x12, 0x34, 0x45]);
    let view = EthernetView::new(&bytes).unwrap();
    assert_eq!(view.ip().unwrap_err(), WireError::BadProtocol);
    #[cfg(feature = "ipv4")]
    assert_eq!(view.ipv4().unwrap_err(), WireError::BadProtocol);
    #[cfg(feature = "ipv4")]
    assert_eq!(view.arp().unwrap_err(), WireError::BadProtocol);
    #[cfg(feature = "ipv6")]
    assert_eq!(view.ipv6().unwrap_err(), WireError::BadProtocol);
    assert!(!EtherType(0x5ff).is_type() && EtherType(0x600).is_type());
}
