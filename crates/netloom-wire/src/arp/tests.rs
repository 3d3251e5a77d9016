//! Round trips, and packets for other networks.

use std::vec;

use super::*;

const REQUEST: ArpRepr = ArpRepr {
    operation: ArpOperation::Request,
    sender_mac: MacAddr([2, 0, 0, 0, 0, 1]),
    sender_ip: Addr::v4([10, 0, 0, 1]),
    target_mac: MacAddr::UNSPECIFIED,
    target_ip: Addr::v4([10, 0, 0, 2]),
};

#[test]
fn packets_round_trip() {
    for operation in [
        ArpOperation::Request,
        ArpOperation::Reply,
        ArpOperation::Other(9),
    ] {
        let repr = ArpRepr {
            operation,
            ..REQUEST
        };
        // Padding after the packet is no part of it.
        let mut buf = vec![0xee; 46];
        assert_eq!(repr.emit(&mut buf).unwrap().len(), 46 - LEN);
        assert_eq!(ArpRepr::parse(&ArpView::new(&buf).unwrap()), repr);
        for len in 0..LEN {
            assert_eq!(ArpView::new(&buf[..len]).unwrap_err(), WireError::Truncated);
            assert_eq!(
                repr.emit(&mut buf[..len]).unwrap_err(),
                WireError::BufferTooSmall
            );
        }
    }
}

// RFC 826: "?Do I have the hardware type in ar$hrd?"
#[test]
fn other_hardware_protocols_and_address_lengths_are_refused() {
    let mut buf = [0; LEN];
    REQUEST.emit(&mut buf).unwrap();
    for at in 0..6 {
        let mut bad = buf;
        bad[at] ^= 1;
        assert_eq!(
            ArpView::new(&bad).unwrap_err(),
            WireError::BadHardwareType,
            "byte {at}"
        );
    }
}

// RFC 826: "Swap hardware and protocol fields, putting the local hardware and protocol addresses in
// the sender fields."
#[test]
fn replies_go_back_to_the_sender() {
    let mac = MacAddr([2, 0, 0, 0, 0, 2]);
    let reply = REQUEST.reply(mac);
    assert_eq!(reply.operation, ArpOperation::Reply);
    assert_eq!(
        (reply.sender_mac, reply.sender_ip),
        (mac, REQUEST.target_ip)
    );
    assert_eq!(
        (reply.target_mac, reply.target_ip),
        (REQUEST.sender_mac, REQUEST.sender_ip)
    );
}

#[cfg(feature = "ipv6")]
#[test]
fn ipv6_addresses_cannot_be_written() {
    let repr = ArpRepr {
        target_ip: Addr::V6_LOCALHOST,
        ..REQUEST
    };
    assert_eq!(repr.emit(&mut [0; LEN]).unwrap_err(), WireError::BadAddress);
}
