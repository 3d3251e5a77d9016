//! Each option, padded and not, known and not.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn emit(option: &NdpOption<'_>) -> Vec<u8> {
    let mut bytes = vec![0xee; option.len()];
    let mut out = Writer::new(&mut bytes);
    option.write(&mut out).unwrap();
    assert!(out.finish().unwrap().is_empty());
    bytes
}

#[test]
fn every_option_round_trips() {
    let servers = [[0xfe; 16], [0x20; 16]].concat();
    let options = [
        NdpOption::SourceLinkLayerAddress(MAC),
        NdpOption::TargetLinkLayerAddress(MAC),
        NdpOption::PrefixInformation(PrefixInformation {
            prefix_len: 64,
            on_link: true,
            autonomous: false,
            valid_lifetime: u32::MAX,
            preferred_lifetime: 1,
            prefix: "2001:db8::".parse().unwrap(),
        }),
        NdpOption::RedirectedHeader(&[0x60; 48]),
        NdpOption::Mtu(1500),
        NdpOption::RecursiveDnsServers(RecursiveDnsServers::new(1200, &servers).unwrap()),
        NdpOption::Unknown {
            kind: 200,
            data: &[7; 14],
        },
        // Ethernet addresses have six bytes; some link's has more.
        NdpOption::Unknown {
            kind: kind::SOURCE_LINK_LAYER_ADDRESS,
            data: &[7; 14],
        },
    ];
    for option in options {
        let bytes = emit(&option);
        assert_eq!(bytes.len() % 8, 0);
        assert_eq!(usize::from(bytes[1]) * 8, bytes.len());
        assert_eq!(NdpOptions::new(&bytes).collect::<Vec<_>>(), [Ok(option)]);
    }
}

#[test]
fn options_are_padded_with_zeros() {
    let bytes = emit(&NdpOption::RedirectedHeader(&[0xff; 41]));
    assert_eq!((bytes.len(), &bytes[49..]), (56, &[0; 7][..]));
    let bytes = emit(&NdpOption::Unknown { kind: 9, data: &[] });
    assert_eq!(bytes, [9, 1, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn options_longer_than_their_length_field_are_not_written() {
    let mut buf = vec![0; 3000];
    let option = NdpOption::RedirectedHeader(&[0; 2033]);
    assert_eq!(
        option.write(&mut Writer::new(&mut buf)),
        Err(WireError::BadOption)
    );
}

#[test]
fn dns_servers_are_whole_addresses() {
    assert_eq!(RecursiveDnsServers::new(1, &[]), None);
    assert_eq!(RecursiveDnsServers::new(1, &[0; 17]), None);
    let servers = RecursiveDnsServers::new(1, &[0xfe; 32]).unwrap();
    assert_eq!(
        servers.addresses().collect::<Vec<_>>(),
        [Addr::v6([0xfe; 16]); 2]
    );
    // An even length leaves half an address.
    let bytes = emit(&NdpOption::Unknown {
        kind: kind::RDNSS,
        data: &[0; 14],
    });
    assert!(matches!(
        NdpOptions::new(&bytes).next(),
        Some(Ok(NdpOption::Unknown {
            kind: kind::RDNSS,
            ..
        }))
    ));
}

#[test]
fn every_type_and_length_cut_off_everywhere() {
    for kind in [0, 1, 2, 3, 4, 5, 25, 31, 255] {
        for len in 0..=255_u8 {
            let mut bytes = [0; 64];
            (bytes[0], bytes[1]) = (kind, len);
            for cut in 0..=bytes.len() {
                let first = NdpOptions::new(&bytes[..cut]).next();
                match first {
                    None => assert_eq!(cut, 0),
                    Some(Ok(_)) => assert!(len > 0 && usize::from(len) * 8 <= cut),
                    Some(Err(_)) => assert!(cut < 2 || len == 0 || usize::from(len) * 8 > cut),
                }
                assert!(NdpOptions::new(&bytes[..cut]).count() <= 8);
            }
        }
    }
}

proptest! {
    #[test]
    fn any_options_are_written_again_as_they_were(
        bytes in prop::collection::vec((any::<u8>(), 1..5_u8, any::<[u8; 38]>()), 0..5),
    ) {
        let bytes: Vec<u8> = bytes
            .into_iter()
            .flat_map(|(kind, len, data)| {
                let mut option = vec![kind, len];
                option.extend(&data[..usize::from(len) * 8 - 2]);
                option
            })
            .collect();
        let mut again = Vec::new();
        for option in NdpOptions::new(&bytes) {
            let option = option.unwrap();
            // Reserved fields are not kept, so the bytes may differ; the meaning does not.
            let written = emit(&option);
            prop_assert_eq!(NdpOptions::new(&written).next(), Some(Ok(option)));
            again.extend(written);
        }
        prop_assert_eq!(again.len(), bytes.len());
    }
}
