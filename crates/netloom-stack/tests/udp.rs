//! UDP sockets: who gets a datagram, where it goes, and what is told when it does not arrive.
#![cfg(all(feature = "udp", feature = "tcp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6", feature = "alloc"))]
mod common;

use common::trace::{IF, Link, Net, PEER_MAC, Packet, addr, cidr, every, every_ethernet};
use common::trace::{OUR_MAC, udp_packet};
use netloom_stack::udp::{UdpBind, UdpMessage};
use netloom_stack::wire::{Addr, MacAddr};
use netloom_stack::{Config, DropReason, Error, Event, InterfaceConfig, Limits, Seed, Stack};

fn recv(net: &mut Net, socket: netloom_stack::UdpHandle) -> Result<Vec<u8>, Error> {
    let mut buffer = [0; 2_000];
    let received = net.stack.udp_recv(socket, &mut buffer)?;
    Ok(buffer[..received.copied].to_vec())
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
//= type=test
//# When a UDP datagram is received, its specific-destination
//# address MUST be passed up to the application layer.
#[test]
fn a_datagram_arrives_with_everything_said_of_it() {
    //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
    //= type=test
    //# An application MAY optionally be able to
    //# control whether a UDP checksum will be generated, but it
    //# MUST default to checksumming on.
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        net.send_udp(9, 5_000, b"hello");
        let ready = net.stack.poll_event();
        let Some(Event::Udp(handle, ready)) = ready else {
            panic!("{ready:?}")
        };
        assert!(handle == socket && ready.readable && ready.writable);
        let mut buffer = [0; 3];
        let peeked = net.stack.udp_peek(socket, &mut buffer).unwrap();
        let got = net.stack.udp_recv(socket, &mut buffer).unwrap();
        assert_eq!(peeked, got);
        assert_eq!((&buffer, got.copied, got.truncated), (b"hel", 3, true));
        assert_eq!((got.meta.remote, got.meta.remote_port), (net.peer, 9));
        assert_eq!((got.meta.local, got.meta.hop_limit), (net.us, 64));
        assert_eq!(got.meta.len, 5);
        assert_eq!(recv(&mut net, socket), Err(Error::WouldBlock));
        // An empty datagram is one.
        net.send_udp(9, 5_000, b"");
        assert_eq!(recv(&mut net, socket), Ok(vec![]));
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.1
//= type=test
//# If a datagram arrives addressed to a UDP port for which
//# there is no pending LISTEN call, UDP SHOULD send an ICMP
//# Port Unreachable message.
#[test]
fn a_closed_port_is_told() {
    every(|mut net| {
        net.send_udp(9, 6_000, b"anybody?");
        let error = net.icmp();
        assert_eq!((error.kind, error.code), net.pick((3, 3), (1, 4)));
        assert_eq!((error.ip.src, error.ip.dst), (net.us, net.peer));
        let sent = udp_packet((net.peer, 9), (net.us, 6_000), b"anybody?");
        assert!(error.body == sent || error.body[..] == sent[..error.body.len()]);
        net.silent();
    });
}

#[test]
fn connected_before_bound_before_all() {
    every(|mut net| {
        let all = net.stack.udp_bind(5_000).unwrap();
        let bound = net.stack.udp_bind(net.socket(net.us, 5_000)).unwrap();
        net.send_udp(9, 5_000, b"1");
        assert_eq!(recv(&mut net, bound), Ok(b"1".to_vec()));
        net.stack.udp_connect(bound, net.peer_at(9)).unwrap();
        net.send_udp(9, 5_000, b"2");
        assert_eq!(recv(&mut net, bound), Ok(b"2".to_vec()));
        // From elsewhere: not the connected one's.
        net.send_udp(10, 5_000, b"3");
        assert_eq!(recv(&mut net, bound), Err(Error::WouldBlock));
        assert_eq!(recv(&mut net, all), Ok(b"3".to_vec()));
        net.stack.udp_send(bound, b"reply").unwrap();
        net.pump();
        let reply = net.datagram();
        assert_eq!((reply.ip.src, reply.src_port), (net.us, 5_000));
        assert_eq!((reply.ip.dst, reply.dst_port), (net.peer, 9));
        assert_eq!(net.stack.udp_bind(5_000), Err(Error::AddressInUse));
    });
}

// RFC 768: "An all zero transmitted checksum value means that the transmitter generated no
// checksum"
#[test]
fn a_checksum_of_zero_is_none_in_ipv4_and_wrong_in_ipv6() {
    //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
    //= type=test
    //# A host MUST implement the facility to generate and validate
    //# UDP checksums.
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let mut packet = udp_packet((net.peer, 9), (net.us, 5_000), b"unsummed");
        let at = net.pick(26, 46);
        packet[at..at + 2].fill(0);
        net.ip(&packet);
        net.silent();
        assert_eq!(recv(&mut net, socket).is_ok(), !net.v6(), "RFC 8200 §8.1");
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.4
        //= type=test
        //# If a UDP datagram is received with a checksum that is non-
        //# zero and invalid, UDP MUST silently discard the datagram.
        packet[at] = 1;
        net.ip(&packet);
        net.silent();
        assert_eq!(recv(&mut net, socket), Err(Error::WouldBlock));
        let bad = net.stack.counters().dropped(DropReason::UdpChecksum);
        assert_eq!(bad, net.pick(1, 2));
    });
}

#[test]
fn a_full_queue_drops_the_newcomer_and_counts_it() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let mut sent = 0_u32;
        while net.stack.counters().dropped(DropReason::UdpQueueFull) == 0 {
            net.send_udp(9, 5_000, &sent.to_be_bytes().repeat(200));
            sent += 1;
            assert!(sent < 10_000);
        }
        for n in 0..sent - 1 {
            assert_eq!(recv(&mut net, socket).unwrap()[..4], n.to_be_bytes());
        }
        assert_eq!(recv(&mut net, socket), Err(Error::WouldBlock));
        net.silent();
    });
}

#[test]
fn a_send_queue_that_is_full_says_when_it_no_longer_is() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let to = net.peer_at(9);
        // The neighbour is known.
        net.stack.udp_send_to(socket, b"x", to).unwrap();
        net.pump();
        net.out.clear();
        let mut queued = 0;
        while net.stack.udp_send_to(socket, &[0; 1_000], to) != Err(Error::WouldBlock) {
            queued += 1;
        }
        assert!(queued > 2 && !net.stack.udp_readiness(socket).unwrap().writable);
        while net.stack.poll_event().is_some() {}
        net.pump();
        assert_eq!(net.out.len(), queued);
        assert!(matches!(net.stack.poll_event(), Some(Event::Udp(..))));
        assert!(net.stack.udp_readiness(socket).unwrap().writable);
        //= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.3
        //= type=test
        //# A host MUST implement a mechanism to allow the transport layer to
        //# learn MMS_S, the maximum transport-layer message size that may be sent
        //# for a given {source, destination, TOS} triplet
        let limit = 1_500 - net.pick(28, 48);
        assert!(net.stack.udp_send_to(socket, &vec![0; limit], to).is_ok());
        assert_eq!(
            net.stack.udp_send_to(socket, &vec![0; limit + 1], to),
            Err(Error::MessageTooLong)
        );
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.3
//= type=test
//# UDP MUST pass to the application layer all ICMP error
//# messages that it receives from the IP layer.
//= https://www.rfc-editor.org/rfc/rfc8899#section-4.6.1
//= type=test
//# The PL MUST check the protocol information in the quoted packet
//# carried in an ICMP PTB message payload to validate the message
//# originated from the sending node.
#[test]
fn icmp_errors_reach_the_socket_they_are_about_and_no_other() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let other = net.stack.udp_bind(5_001).unwrap();
        net.stack.udp_connect(socket, net.peer_at(9)).unwrap();
        net.stack.udp_send(socket, b"hello").unwrap();
        net.pump();
        net.datagram();
        let quoted = udp_packet((net.us, 5_000), (net.peer, 9), b"hello");
        net.icmp_about(net.pick((3, 3), (1, 4)), 0, &quoted);
        assert!(net.stack.udp_readiness(socket).unwrap().error);
        assert_eq!(recv(&mut net, socket), Err(Error::PortUnreachable));
        assert_eq!(recv(&mut net, socket), Err(Error::WouldBlock), "once");
        assert_eq!(net.stack.udp_take_error(other), Ok(None));
        net.icmp_about(net.pick((3, 0), (1, 0)), 0, &quoted);
        assert_eq!(
            net.stack.udp_send(socket, b"x"),
            Err(Error::NetworkUnreachable)
        );
        // About somebody else's datagram, from a port we have.
        let stranger = net.pick(addr("10.0.0.77"), addr("fd00::77"));
        let forged = udp_packet((stranger, 5_001), (net.peer, 9), b"hello");
        net.icmp_about(net.pick((3, 3), (1, 4)), 0, &forged);
        assert_eq!(net.stack.udp_take_error(other), Ok(None));
        net.silent();
    });
}

#[test]
fn a_path_that_carries_less_is_remembered() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        net.stack.udp_connect(socket, net.peer_at(9)).unwrap();
        net.stack.udp_send(socket, &[0; 1_400]).unwrap();
        net.pump();
        net.datagram();
        let quoted = udp_packet((net.us, 5_000), (net.peer, 9), &[0; 1_400]);
        net.icmp_about(net.pick((3, 4), (2, 0)), 1_300, &quoted);
        assert_eq!(
            net.stack.udp_send(socket, &[0; 1_400]),
            Err(Error::MessageTooLong)
        );
        let fits = 1_300 - net.pick(28, 48);
        net.stack.udp_send(socket, &vec![0; fits]).unwrap();
        net.pump();
        assert_eq!(net.datagram().data.len(), fits);
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
//= type=test
//# An application program MUST be able to specify the IP source
//# address to be used for sending a UDP datagram or to leave it
//# unspecified (in which case the networking software will choose
//# an appropriate source address).
#[test]
fn the_source_is_chosen_or_given_and_always_our_own() {
    //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.5
    //= type=test
    //# There SHOULD be a
    //# way to communicate the chosen source address up to the
    //# application layer (e.g, so that the application can later
    //# receive a reply datagram only from the corresponding
    //# interface).
    every(|mut net| {
        let second = net.pick("10.0.0.3/24", "fd00::3/64");
        net.stack.add_address(IF, cidr(second)).unwrap();
        let second = cidr(second).addr;
        let socket = net.stack.udp_bind(5_000).unwrap();
        let message = |from: Addr| UdpMessage {
            to: Some(net.peer_at(9)),
            from: Some(from.into()),
        };
        let (chosen, foreign) = (message(second), message(net.peer));
        net.stack.udp_send_message(socket, &chosen, b"x").unwrap();
        net.pump();
        assert_eq!(net.datagram().ip.src, second);
        assert_eq!(
            net.stack.udp_send_message(socket, &foreign, b"x"),
            Err(Error::AddressNotAvailable)
        );
        //= https://www.rfc-editor.org/rfc/rfc1122#section-4.1.3.6
        //= type=test
        //# When a host sends a UDP datagram, the source address MUST be
        //# (one of) the IP address(es) of the host.
        let bound = net.stack.udp_bind(net.socket(second, 5_001)).unwrap();
        net.stack
            .udp_send_to(bound, b"queued", net.peer_at(9))
            .unwrap();
        net.stack.remove_address(IF, second).unwrap();
        net.silent();
        assert_eq!(net.stack.counters().dropped(DropReason::SourceGone), 1);
        assert_eq!(
            net.stack.udp_send_to(bound, b"more", net.peer_at(9)),
            Err(Error::AddressNotAvailable)
        );
        let foreign = net.socket(net.peer, 7);
        assert_eq!(net.stack.udp_bind(foreign), Err(Error::AddressNotAvailable));
    });
}

#[test]
fn options_of_a_socket_are_those_of_its_datagrams() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        net.stack.udp_set_ttl(socket, 7).unwrap();
        net.stack.udp_set_tos(socket, 0xb8).unwrap();
        assert_eq!(
            net.stack.udp_set_ttl(socket, 0),
            Err(Error::InvalidArgument)
        );
        net.stack.udp_send_to(socket, b"x", net.peer_at(9)).unwrap();
        net.pump();
        let datagram = net.datagram();
        assert_eq!((datagram.ip.ttl, datagram.ip.tos), (7, 0xb8));
    });
}

#[test]
fn broadcasts_are_sent_when_allowed_and_received() {
    every(|mut net| {
        if net.v6() {
            return;
        }
        let socket = net.stack.udp_bind(5_000).unwrap();
        for to in ["255.255.255.255", "10.0.0.255"] {
            let at = net.socket(addr(to), 9);
            net.stack.udp_set_broadcast(socket, false).unwrap();
            assert_eq!(
                net.stack.udp_send_to(socket, b"x", at),
                Err(Error::BroadcastForbidden)
            );
            assert_eq!(
                net.stack.udp_connect(socket, at),
                Err(Error::BroadcastForbidden)
            );
            net.stack.udp_set_broadcast(socket, true).unwrap();
            net.stack.udp_send_to(socket, b"x", at).unwrap();
            net.pump();
            let datagram = net.datagram();
            assert_eq!(datagram.ip.dst, addr(to));
            if net.setup.link == Link::Ethernet {
                assert_eq!(datagram.ip.mac, Some(MacAddr::BROADCAST));
            }
            //= https://www.rfc-editor.org/rfc/rfc1122#section-3.3.6
            //= type=test
            //# A host MUST recognize any of these forms in the destination address of
            //# an incoming datagram.
            let packet = udp_packet((net.peer, 9), (addr(to), 5_000), b"all");
            net.ip_to(MacAddr::BROADCAST, &packet);
            assert_eq!(recv(&mut net, socket), Ok(b"all".to_vec()));
            let packet = udp_packet((net.peer, 9), (addr(to), 6_000), b"all");
            net.ip_to(MacAddr::BROADCAST, &packet);
            net.silent();
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//= type=test
//# This host on this network.  MUST NOT be sent, except as
//# a source address as part of an initialization procedure
//# by which the host learns its own IP address.
#[test]
fn a_host_without_an_address_can_ask_for_one() {
    every_ethernet(|mut net| {
        let config = Config::new(InterfaceConfig::ethernet(OUR_MAC));
        net.stack = Stack::with_heap(config, Limits::default(), Seed::from([1; 32]));
        net.now = netloom_stack::driver::Instant::from_secs(1);
        let socket = net.stack.udp_bind(UdpBind::from(68).on(IF)).unwrap();
        net.stack.udp_set_broadcast(socket, true).unwrap();
        let server = net.socket(addr("255.255.255.255"), 67);
        net.stack.udp_send_to(socket, b"discover", server).unwrap();
        net.pump();
        let discover = net.datagram();
        assert_eq!(discover.ip.src, Addr::V4_UNSPECIFIED);
        assert_eq!(discover.ip.mac, Some(MacAddr::BROADCAST));
        let from = (addr("10.0.0.254"), 67);
        let offer = udp_packet(from, (addr("255.255.255.255"), 68), b"offer");
        net.v4_frame(MacAddr::BROADCAST, &offer);
        assert_eq!(recv(&mut net, socket), Ok(b"offer".to_vec()));
        // A probe of the offered address, before it is used.
        net.stack.arp_probe(IF, addr("10.0.0.5")).unwrap();
        net.pump();
        let Some(Packet::Arp { dst, arp }) = net.pop() else {
            panic!("a probe was due")
        };
        assert_eq!(dst, MacAddr::BROADCAST);
        assert_eq!(arp.sender_ip, Addr::V4_UNSPECIFIED);
        assert_eq!(
            (arp.target_ip, arp.target_mac),
            (addr("10.0.0.5"), MacAddr::UNSPECIFIED)
        );
        assert_eq!(arp.sender_mac, OUR_MAC);
        // Unicast without an address is not possible.
        let to = net.socket(addr("10.0.0.254"), 67);
        assert!(net.stack.udp_send_to(socket, b"x", to).is_err());
    });
}

#[test]
fn a_service_is_woken_when_it_asked_to_be() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let at = net.now.plus_micros(2_500_000);
        net.stack.udp_wake_at(socket, Some(at)).unwrap();
        let due = net.stack.next_deadline().unwrap();
        assert!(due <= at);
        net.pass_ms(2_400);
        assert_eq!(net.stack.poll_event(), None);
        net.pass_ms(200);
        let Some(Event::Udp(handle, ready)) = net.stack.poll_event() else {
            panic!("not woken")
        };
        assert!(handle == socket && ready.woken);
        assert_eq!(net.stack.next_deadline(), None);
        net.stack
            .udp_wake_at(socket, Some(net.now.plus_micros(10)))
            .unwrap();
        net.stack.udp_wake_at(socket, None).unwrap();
        net.pass_s(1);
        assert_eq!(net.stack.poll_event(), None, "taken back");
    });
}

#[test]
fn a_neighbour_that_never_answers_is_reported_and_stalls_nobody_else() {
    every_ethernet(|mut net| {
        let dead = net.pick(addr("10.0.0.66"), addr("fd00::66"));
        let socket = net.stack.udp_bind(5_000).unwrap();
        let (to_dead, to_peer) = (net.socket(dead, 9), net.peer_at(9));
        net.stack.udp_send_to(socket, b"lost", to_dead).unwrap();
        net.stack.udp_send_to(socket, b"arrives", to_peer).unwrap();
        net.pump();
        let data: Vec<_> = net
            .out
            .drain(..)
            .filter_map(|packet| match packet {
                Packet::Udp(datagram) => Some(datagram.data),
                _ => None,
            })
            .collect();
        assert_eq!(data, [b"arrives"], "the living do not wait for the dead");
        net.pass_s(5);
        assert_eq!(
            net.stack.udp_take_error(socket),
            Ok(Some(Error::HostUnreachable))
        );
        assert!(net.stack.counters().dropped(DropReason::NeighborFailed) >= 1);
        let asked = net
            .out
            .iter()
            .filter(|packet| !matches!(packet, Packet::Udp(_)))
            .count();
        assert!((2..=3).contains(&asked), "{asked}");
    });
}

#[test]
fn what_waits_for_a_neighbour_is_bounded() {
    every_ethernet(|mut net| {
        net.alive.clear();
        let socket = net.stack.udp_bind(5_000).unwrap();
        let to = net.peer_at(9);
        for n in 0..200_u8 {
            let _ = net.stack.udp_send_to(socket, &[n; 20], to);
            net.pump();
        }
        net.out.clear();
        net.alive.push((net.peer, PEER_MAC));
        net.pass_s(2);
        // In order, and the first of them.
        let mut last = None;
        while let Some(Packet::Udp(datagram)) = net.pop() {
            assert!(last < Some(datagram.data[0]));
            last = Some(datagram.data[0]);
        }
        assert!(last.is_some());
    });
}

#[test]
fn a_writer_that_waits_hears_of_the_room_a_lost_datagram_leaves() {
    // One datagram fills the queue, and is longer than what may wait for a neighbour beside it.
    let storage = netloom_stack::Storage::<1, 1, 2, 2048, 2048>::new();
    let config =
        Config::new(InterfaceConfig::ethernet(OUR_MAC)).address("10.0.0.1/24".parse().unwrap());
    let mut stack = Stack::new(config, Box::leak(Box::new(storage)), Seed::from([7; 32]));
    let mut now = netloom_stack::driver::Instant::from_secs(1);
    let mut wire = common::Queue::new();
    let dead = "10.0.0.66:9".parse().unwrap();
    let socket = stack.udp_bind(2).unwrap();
    stack.udp_send_to(socket, &[0; 1_400], dead).unwrap();
    let _ = stack.transmit(now, IF, &mut wire);
    assert_eq!(
        stack.udp_send_to(socket, &[0; 1_400], dead),
        Err(Error::WouldBlock)
    );
    assert!(!stack.udp_readiness(socket).unwrap().writable);
    while std::iter::from_fn(|| stack.poll_event()).next().is_some() {}
    for _ in 0..50 {
        now = now.plus_micros(100_000);
        let _ = stack.transmit(now, IF, &mut wire);
    }
    let told = std::iter::from_fn(|| stack.poll_event())
        .filter_map(|event| match event {
            Event::Udp(handle, ready) if handle == socket => Some(ready),
            _ => None,
        })
        .last()
        .unwrap();
    assert!(told.error && told.writable, "{told:?}");
    stack.counters().balance().unwrap();
}

/// A socket bound to an address, or to all, of one version has nothing to send the other from.
#[test]
fn a_socket_of_one_version_does_not_speak_with_the_other() {
    every(|mut net| {
        let other = net.pick("fd00::3/64", "10.0.0.3/24");
        net.stack.add_address(IF, cidr(other)).unwrap();
        let there = net.pick("[fd00::2]:9", "10.0.0.2:9").parse().unwrap();
        let everywhere = addr(net.pick("0.0.0.0", "::"));
        for (port, local) in [(5_000, net.us), (5_001, everywhere)] {
            let bound = net.stack.udp_bind(net.socket(local, port)).unwrap();
            let refused = Err(Error::AddressNotAvailable);
            assert_eq!(net.stack.udp_send_to(bound, b"x", there), refused);
            assert_eq!(net.stack.udp_connect(bound, there), refused);
            assert_eq!(net.stack.udp_peer_addr(bound), Err(Error::NotConnected));
            net.stack.udp_send_to(bound, b"x", net.peer_at(9)).unwrap();
            net.stack.udp_connect(bound, net.peer_at(9)).unwrap();
            assert_eq!(net.stack.udp_send_to(bound, b"x", there), refused);
        }
        let both = net.stack.udp_bind(5_002).unwrap();
        let mut message = UdpMessage {
            to: Some(there),
            from: Some(net.us.into()),
        };
        assert_eq!(
            net.stack.udp_send_message(both, &message, b"x"),
            Err(Error::AddressNotAvailable)
        );
        message.from = Some(cidr(other).addr.into());
        net.stack.udp_send_message(both, &message, b"x").unwrap();
        net.stack.udp_send_to(both, b"x", there).unwrap();
        net.stack.udp_send_to(both, b"x", net.peer_at(9)).unwrap();
        net.stack.udp_connect(both, there).unwrap();
    });
}
