//! Round trips, and each validity check of RFC 4861.

use std::vec;
use std::vec::Vec;

use super::*;
use crate::MacAddr;

fn addr(text: &str) -> Addr {
    text.parse().unwrap()
}

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn emit(message: &NdpMessage, options: &[NdpOption<'_>]) -> Vec<u8> {
    let (src, dst) = (addr("fe80::1"), addr("fe80::2"));
    let mut bytes = vec![0xee; message.len_with(options)];
    assert!(
        message
            .emit(options, &src, &dst, &mut bytes)
            .unwrap()
            .is_empty()
    );
    assert!(Icmpv6View::new(&bytes).unwrap().checksum_valid(&src, &dst));
    #[cfg(feature = "alloc")]
    assert_eq!(message.to_vec(options, &src, &dst).as_ref(), Ok(&bytes));
    let mut short = vec![0; bytes.len() - 1];
    assert_eq!(
        message.emit(options, &src, &dst, &mut short).unwrap_err(),
        WireError::BufferTooSmall
    );
    bytes
}

fn parse(bytes: &[u8]) -> Result<NdpView<'_>, WireError> {
    NdpView::new(&Icmpv6View::new(bytes).unwrap())
}

fn messages() -> [NdpMessage; 5] {
    let target = addr("fe80::99");
    [
        NdpMessage::RouterSolicitation,
        NdpMessage::RouterAdvertisement(RouterAdvertisement {
            hop_limit: 64,
            managed: true,
            other_config: false,
            more_flags: 0x08,
            router_lifetime: 1800,
            reachable_time: 30_000,
            retrans_timer: 1_000,
        }),
        NdpMessage::NeighborSolicitation { target },
        NdpMessage::NeighborAdvertisement {
            router: false,
            solicited: true,
            override_cached: true,
            target,
        },
        NdpMessage::Redirect {
            target,
            destination: addr("2001:db8::1"),
        },
    ]
}

#[test]
fn every_message_round_trips_with_its_options() {
    let options = [NdpOption::SourceLinkLayerAddress(MAC), NdpOption::Mtu(1500)];
    for message in messages() {
        let bytes = emit(&message, &options);
        let view = parse(&bytes).unwrap();
        assert_eq!(view.message(), message);
        assert_eq!(view.options().collect::<Vec<_>>(), options.map(Ok));
        assert!(
            parse(&emit(&message, &[]))
                .unwrap()
                .options()
                .next()
                .is_none()
        );
    }
}

#[test]
fn every_flag_has_its_bit() {
    for bits in 0..8_u8 {
        let message = NdpMessage::NeighborAdvertisement {
            router: bits & 4 != 0,
            solicited: bits & 2 != 0,
            override_cached: bits & 1 != 0,
            target: addr("fe80::1"),
        };
        let bytes = emit(&message, &[]);
        assert_eq!(bytes[4], bits << 5);
        assert_eq!(parse(&bytes).unwrap().message(), message);
    }
}

#[test]
fn messages_shorter_than_their_fixed_part_are_truncated() {
    for message in messages() {
        let bytes = emit(&message, &[]);
        for len in 8..message.fixed_len() {
            assert_eq!(parse(&bytes[..len]).unwrap_err(), WireError::Truncated);
        }
    }
}

#[test]
fn other_types_and_codes_are_refused() {
    let mut bytes = emit(&messages()[2], &[]);
    bytes[1] = 1;
    assert_eq!(parse(&bytes).unwrap_err(), WireError::BadCode);
    bytes[0] = 128;
    assert_eq!(parse(&bytes).unwrap_err(), WireError::BadProtocol);
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-4.6
//= type=test
//# The value 0 is invalid.  Nodes MUST
//# silently discard an ND packet that contains an
//# option with length zero.
#[test]
fn options_of_length_zero_or_past_the_end_are_refused() {
    for message in messages() {
        let good = emit(
            &message,
            &[NdpOption::Mtu(1500), NdpOption::SourceLinkLayerAddress(MAC)],
        );
        for at in [message.fixed_len() + 1, message.fixed_len() + 9] {
            for len in [0, 3, 255] {
                let mut bad = good.clone();
                bad[at] = len;
                assert_eq!(parse(&bad).unwrap_err(), WireError::BadOption, "{at} {len}");
            }
        }
    }
}

fn check(
    message: &NdpMessage,
    options: &[NdpOption<'_>],
    src: &str,
    dst: &str,
    hop_limit: u8,
) -> Result<(), WireError> {
    parse(&emit(message, options))
        .unwrap()
        .check(&addr(src), &addr(dst), hop_limit)
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
//= type=test
//# - The IP Hop Limit field has a value of 255, i.e., the packet
//# could not possibly have been forwarded by a router.
#[test]
fn every_message_is_from_the_link() {
    for message in messages() {
        assert_eq!(check(&message, &[], "fe80::1", "fe80::2", 255), Ok(()));
        for hop_limit in [0, 1, 64, 254] {
            assert_eq!(
                check(&message, &[], "fe80::1", "fe80::2", hop_limit),
                Err(WireError::BadHopLimit)
            );
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-6.1.2
//= type=test
//# - IP Source Address is a link-local address.
#[test]
fn routers_speak_from_link_local_addresses() {
    for message in [messages()[1], messages()[4]] {
        assert_eq!(
            check(&message, &[], "fd00::1", "fe80::2", 255),
            Err(WireError::BadAddress)
        );
        assert_eq!(
            check(&message, &[], "::", "fe80::2", 255),
            Err(WireError::BadAddress)
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
//= type=test
//# - Target Address is not a multicast address.
#[test]
fn targets_are_unicast() {
    for text in ["ff02::1", "::ffff:10.0.0.1"] {
        let target = addr(text);
        let solicitation = NdpMessage::NeighborSolicitation { target };
        let advertisement = NdpMessage::NeighborAdvertisement {
            router: false,
            solicited: false,
            override_cached: false,
            target,
        };
        for message in [solicitation, advertisement] {
            let result = check(&message, &[], "fe80::1", "fe80::2", 255);
            assert_eq!(result, Err(WireError::BadAddress), "{text}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
//= type=test
//# - If the IP source address is the unspecified address, the IP
//# destination address is a solicited-node multicast address.
#[test]
fn detecting_duplicates_goes_to_the_solicited_node() {
    let message = messages()[2];
    assert_eq!(check(&message, &[], "::", "ff02::1:ff00:99", 255), Ok(()));
    for dst in ["ff02::1", "fe80::99"] {
        assert_eq!(
            check(&message, &[], "::", dst, 255),
            Err(WireError::BadAddress)
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
//= type=test
//# - If the IP source address is the unspecified address, there is no
//# source link-layer address option in the message.
#[test]
fn nobody_has_no_link_layer_address() {
    let options = [NdpOption::Mtu(1500), NdpOption::SourceLinkLayerAddress(MAC)];
    for message in [messages()[0], messages()[2]] {
        let dst = "ff02::1:ff00:99";
        assert_eq!(
            check(&message, &options, "::", dst, 255),
            Err(WireError::BadOption)
        );
        assert_eq!(check(&message, &options, "fe80::1", dst, 255), Ok(()));
        assert_eq!(check(&message, &options[..1], "::", dst, 255), Ok(()));
    }
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.2
//= type=test
//# - If the IP Destination Address is a multicast address the
//# Solicited flag is zero.
#[test]
fn nobody_solicits_for_a_group() {
    let message = messages()[3];
    assert_eq!(
        check(&message, &[], "fe80::1", "ff02::1", 255),
        Err(WireError::BadCode)
    );
}

//= https://www.rfc-editor.org/rfc/rfc4861#section-8.1
//= type=test
//# - The ICMP Target Address is either a link-local address (when
//# redirected to a router) or the same as the ICMP Destination
//# Address (when redirected to the on-link destination).
#[test]
fn redirects_lead_to_a_router_or_to_the_destination() {
    let redirect = |target, destination| {
        let message = NdpMessage::Redirect {
            target: addr(target),
            destination: addr(destination),
        };
        check(&message, &[], "fe80::1", "fe80::2", 255)
    };
    assert_eq!(redirect("fe80::9", "2001:db8::1"), Ok(()));
    assert_eq!(redirect("2001:db8::1", "2001:db8::1"), Ok(()));
    assert_eq!(
        redirect("2001:db8::2", "2001:db8::1"),
        Err(WireError::BadAddress)
    );
    assert_eq!(redirect("fe80::9", "ff0e::1"), Err(WireError::BadAddress));
}
