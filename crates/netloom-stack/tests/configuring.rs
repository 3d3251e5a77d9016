//! What a protocol that configures an interface needs of the stack: claims on addresses heard,
//! datagrams for an address that is not there yet, neighbours known beforehand, the MTU.
#![cfg(all(feature = "acd", feature = "udp", feature = "ipv4", feature = "ipv6"))]
mod common;

use common::{IF, Profile, Queue, stack};
use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::udp::{UdpBind, UdpMessage};
use netloom_stack::wire::{
    Addr, ArpOperation, ArpRepr, EtherType, EthernetRepr, Frame, Ipv4Repr, MacAddr, Sum, UdpRepr,
    protocol, udp,
};
use netloom_stack::{ArpClaim, DropReason, Error, Event, IfaceId, Stack};

const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const THEM: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const THIRD: MacAddr = MacAddr([2, 0, 0, 0, 0, 8]);

fn v4(last: u8) -> Addr {
    Addr::v4([10, 0, 0, last])
}

fn ethernet(dst: MacAddr, src: MacAddr, ethertype: EtherType, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 14 + body.len()];
    let repr = EthernetRepr {
        dst,
        src,
        ethertype,
        vlan: None,
    };
    repr.emit(&mut frame).unwrap().copy_from_slice(body);
    frame
}

fn arp(operation: ArpOperation, mac: MacAddr, sender: Addr, target: Addr) -> Vec<u8> {
    let mut body = [0; 28];
    let repr = ArpRepr {
        operation,
        sender_mac: mac,
        sender_ip: sender,
        target_mac: MacAddr::UNSPECIFIED,
        target_ip: target,
    };
    repr.emit(&mut body).unwrap();
    ethernet(MacAddr::BROADCAST, mac, EtherType::ARP, &body)
}

fn datagram(to: MacAddr, dst: Addr, port: u16, data: &[u8]) -> Vec<u8> {
    let src = v4(9);
    let mut packet = vec![0; 28 + data.len()];
    let ip = Ipv4Repr::new(src, dst, protocol::UDP, 8 + data.len() as u16);
    let body = ip.emit(&mut packet).unwrap();
    let repr = UdpRepr {
        src_port: 67,
        dst_port: port,
        payload_len: data.len() as u16,
    };
    repr.emit(body).unwrap().copy_from_slice(data);
    let sum = repr.checksum(&src, &dst, Sum::new().add(data));
    udp::set_checksum(body, sum);
    ethernet(to, THEM, EtherType::IPV4, &packet)
}

fn each(test: impl Fn(Stack)) {
    for profile in [Profile::Heap, Profile::Lent] {
        test(stack(profile, true, 1));
    }
}

fn hear(stack: &mut Stack, frame: &[u8]) {
    stack.receive(Instant::from_secs(1), IF, frame, &RxMeta::default());
    stack.counters().balance().unwrap();
}

fn claimed(stack: &mut Stack) -> Option<Event> {
    std::iter::from_fn(|| stack.poll_event()).last()
}

//= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
//= type=test
//# If during this period, from the beginning of the probing process
//# until ANNOUNCE_WAIT seconds after the last probe packet is sent, the
//# host receives any ARP packet (Request *or* Reply) on the interface
//# where the probe is being performed, where the packet's 'sender IP
//# address' is the address being probed for, then the host MUST treat
//# this address as being in use by some other host, and should indicate
//# to the configuring agent (human operator, DHCP server, etc.) that the
//# proposed address is not acceptable.
#[test]
fn a_watched_address_that_somebody_uses_is_told() {
    each(|mut stack| {
        let probed = v4(77);
        stack.arp_watch(IF, probed).unwrap();
        stack.arp_watch(IF, probed).unwrap();
        for operation in [ArpOperation::Request, ArpOperation::Reply] {
            hear(&mut stack, &arp(operation, THEM, probed, v4(1)));
            assert_eq!(claimed(&mut stack), Some(Event::AddressClaimed(IF, probed)));
            assert_eq!(claimed(&mut stack), None, "told once");
            let claim = ArpClaim {
                mac: THEM,
                probe: false,
            };
            assert_eq!(stack.arp_claim_heard(IF, probed), Some(claim));
            assert_eq!(stack.arp_claim_heard(IF, probed), None);
        }
        // Others' addresses, and what this interface itself said, are no claims.
        hear(
            &mut stack,
            &arp(ArpOperation::Request, THEM, v4(78), probed),
        );
        hear(&mut stack, &arp(ArpOperation::Request, US, probed, probed));
        assert_eq!(stack.arp_claim_heard(IF, probed), None);
        stack.arp_unwatch(IF, probed);
        hear(&mut stack, &arp(ArpOperation::Reply, THEM, probed, v4(1)));
        assert_eq!(claimed(&mut stack), None);
        assert_eq!(stack.arp_claim_heard(IF, probed), None);
    });
}

//= https://www.rfc-editor.org/rfc/rfc5227#section-2.1.1
//= type=test
//# In addition, if during this period the host receives any ARP Probe
//# where the packet's 'target IP address' is the address being probed
//# for, and the packet's 'sender hardware address' is not the hardware
//# address of any of the host's interfaces, then the host SHOULD
//# similarly treat this as an address conflict and signal an error to
//# the configuring agent as above.
#[test]
fn a_probe_for_a_watched_address_is_told_apart() {
    each(|mut stack| {
        let probed = v4(77);
        stack.arp_watch(IF, probed).unwrap();
        let probe = |mac| arp(ArpOperation::Request, mac, Addr::V4_UNSPECIFIED, probed);
        hear(&mut stack, &probe(US));
        assert_eq!(stack.arp_claim_heard(IF, probed), None);
        hear(&mut stack, &probe(THEM));
        let claim = ArpClaim {
            mac: THEM,
            probe: true,
        };
        assert_eq!(stack.arp_claim_heard(IF, probed), Some(claim));
        // A use counts more than a probe that follows it.
        hear(&mut stack, &arp(ArpOperation::Reply, THIRD, probed, v4(1)));
        hear(&mut stack, &probe(THEM));
        let claim = ArpClaim {
            mac: THIRD,
            probe: false,
        };
        assert_eq!(stack.arp_claim_heard(IF, probed), Some(claim));
    });
}

#[test]
fn every_address_that_is_claimed_is_told() {
    each(|mut stack| {
        for n in [77, 78, 79] {
            stack.arp_watch(IF, v4(n)).unwrap();
        }
        for n in [78, 79] {
            hear(&mut stack, &arp(ArpOperation::Reply, THEM, v4(n), v4(1)));
        }
        let told = |stack: &mut Stack| -> Vec<_> {
            std::iter::from_fn(|| stack.poll_event())
                .filter(|event| matches!(event, Event::AddressClaimed(..)))
                .collect()
        };
        let due = |n| Event::AddressClaimed(IF, v4(n));
        assert_eq!(told(&mut stack), [due(78), due(79)]);
        // What nobody has taken yet is not told again with what is new.
        hear(&mut stack, &arp(ArpOperation::Reply, THEM, v4(77), v4(1)));
        assert_eq!(told(&mut stack), [due(77)]);
        for n in [77, 78, 79] {
            assert!(stack.arp_claim_heard(IF, v4(n)).is_some());
        }
        assert_eq!(told(&mut stack), []);
    });
}

#[test]
fn an_address_of_this_stack_can_be_watched_too() {
    each(|mut stack| {
        stack.arp_watch(IF, v4(1)).unwrap();
        hear(&mut stack, &arp(ArpOperation::Request, THEM, v4(1), v4(1)));
        assert_eq!(stack.counters().dropped(DropReason::ArpBadSender), 1);
        assert!(stack.arp_claim_heard(IF, v4(1)).is_some());
    });
}

#[test]
fn watches_are_bounded_and_checked() {
    each(|mut stack| {
        for wrong in [
            Addr::V4_UNSPECIFIED,
            Addr::V4_BROADCAST,
            "fd00::5".parse().unwrap(),
        ] {
            assert_eq!(stack.arp_watch(IF, wrong), Err(Error::InvalidArgument));
        }
        let full = (2..200)
            .find(|n| stack.arp_watch(IF, v4(*n)).is_err())
            .unwrap();
        assert!(full == 6 || full == 66, "{full}");
        assert_eq!(stack.arp_watch(IF, v4(200)), Err(Error::CapacityExhausted));
        stack.arp_unwatch(IF, v4(3));
        stack.arp_watch(IF, v4(200)).unwrap();
    });
    let mut bare = stack(Profile::Heap, false, 1);
    assert_eq!(bare.arp_watch(IF, v4(7)), Err(Error::NoSuchInterface));
    assert_eq!(bare.mac(IF), None);
}

/// An echo reply from `src` that carries what `request` does, one bit of it changed by `flip`.
fn echo_reply(request: &[u8], src: Addr, flip: u8) -> Vec<u8> {
    let asked = Frame::new(request).ethernet().unwrap().ipv4().unwrap();
    let mut message = asked.payload().to_vec();
    message[0] = 0;
    message[7] ^= flip;
    message[2..4].fill(0);
    let sum = Sum::new().add(&message).finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0; 20 + message.len()];
    let ip = Ipv4Repr::new(src, asked.src(), protocol::ICMP, message.len() as u16);
    ip.emit(&mut packet).unwrap().copy_from_slice(&message);
    ethernet(US, THEM, EtherType::IPV4, &packet)
}

fn echo_requests(stack: &mut Stack) -> Vec<Vec<u8>> {
    let mut out = Queue::new();
    let _ = stack.transmit(Instant::from_secs(1), IF, &mut out);
    let is_ip = |f: &Vec<u8>| Frame::new(f).ethernet().unwrap().ethertype() == EtherType::IPV4;
    out.frames.into_iter().filter(is_ip).collect()
}

#[test]
fn a_host_that_answers_an_echo_probe_is_told() {
    each(|mut stack| {
        let probed = v4(77);
        stack.seed_neighbor(IF, probed, THEM).unwrap();
        stack.echo_probe(IF, probed).unwrap();
        stack.echo_probe(IF, probed).unwrap();
        let asked = echo_requests(&mut stack);
        assert_eq!((asked.len(), &asked[0][34..]), (2, &asked[1][34..]));
        let ip = Frame::new(&asked[0]).ethernet().unwrap().ipv4().unwrap();
        assert_eq!((ip.src(), ip.dst()), (v4(1), probed));
        // Another host, and a reply to something else, are none.
        hear(&mut stack, &echo_reply(&asked[0], v4(9), 0));
        hear(&mut stack, &echo_reply(&asked[0], probed, 1));
        assert!(!stack.echo_probe_answered(IF, probed));
        assert_eq!(claimed(&mut stack), None);
        hear(&mut stack, &echo_reply(&asked[0], probed, 0));
        assert_eq!(claimed(&mut stack), Some(Event::AddressClaimed(IF, probed)));
        assert!(stack.echo_probe_answered(IF, probed));
        assert!(!stack.echo_probe_answered(IF, probed), "told once");
        assert_eq!(stack.arp_claim_heard(IF, probed), None);
        stack.arp_unwatch(IF, probed);
        hear(&mut stack, &echo_reply(&asked[0], probed, 0));
        assert!(!stack.echo_probe_answered(IF, probed));
        // Anew, with another number.
        stack.echo_probe(IF, probed).unwrap();
        assert_ne!(&echo_requests(&mut stack)[0][34..], &asked[0][34..]);
        hear(&mut stack, &echo_reply(&asked[0], probed, 0));
        assert!(!stack.echo_probe_answered(IF, probed));
    });
}

#[test]
fn echo_probes_are_bounded_and_checked() {
    each(|mut stack| {
        for wrong in [
            Addr::V4_UNSPECIFIED,
            Addr::V4_BROADCAST,
            "fd00::5".parse().unwrap(),
        ] {
            assert_eq!(stack.echo_probe(IF, wrong), Err(Error::InvalidArgument));
        }
        let far = Addr::v4([192, 0, 2, 1]);
        assert_eq!(stack.echo_probe(IF, far), Err(Error::NoRoute));
        let room = (2..200)
            .take_while(|n| stack.arp_watch(IF, v4(*n)).is_ok())
            .count();
        assert!(room == 4 || room == 64, "{room}: nothing far was watched");
        assert_eq!(stack.echo_probe(IF, v4(200)), Err(Error::CapacityExhausted));
    });
    // It needs no Ethernet.
    let mut bare = stack(Profile::Heap, false, 1);
    bare.echo_probe(IF, v4(77)).unwrap();
}

#[test]
fn a_socket_takes_what_is_for_an_address_not_there_yet() {
    each(|mut stack| {
        let offered = v4(50);
        let socket = stack.udp_bind(UdpBind::from(68).on(IF)).unwrap();
        hear(&mut stack, &datagram(US, offered, 68, b"early"));
        assert_eq!(stack.counters().dropped(DropReason::IpNotForUs), 1);
        stack.udp_accept_unaddressed(socket, true).unwrap();
        hear(&mut stack, &datagram(US, offered, 68, b"offer"));
        let mut buffer = [0; 16];
        let received = stack.udp_recv(socket, &mut buffer).unwrap();
        assert_eq!(&buffer[..usize::from(received.meta.len)], b"offer");
        // Another port, a frame for a group, a group's address: as before, and nothing is said.
        let before = stack.counters().dropped(DropReason::IpNotForUs);
        hear(&mut stack, &datagram(US, offered, 69, b"x"));
        hear(&mut stack, &datagram(MacAddr::BROADCAST, offered, 68, b"x"));
        hear(
            &mut stack,
            &datagram(US, Addr::v4([224, 0, 0, 9]), 68, b"x"),
        );
        assert_eq!(stack.counters().dropped(DropReason::IpNotForUs), before + 3);
        let mut out = Queue::new();
        let _ = stack.transmit(Instant::from_secs(1), IF, &mut out);
        assert!(
            out.frames
                .iter()
                .all(|f| Frame::new(f).ethernet().unwrap().ethertype() != EtherType::IPV4)
        );
        stack.udp_accept_unaddressed(socket, false).unwrap();
        hear(&mut stack, &datagram(US, offered, 68, b"late"));
        assert_eq!(stack.udp_recv(socket, &mut buffer), Err(Error::WouldBlock));
        let elsewhere = stack.udp_bind(70).unwrap();
        assert_eq!(
            stack.udp_accept_unaddressed(elsewhere, true),
            Err(Error::InvalidArgument)
        );
    });
}

#[test]
fn a_closed_socket_takes_nothing_for_others() {
    each(|mut stack| {
        for _ in 0..2 {
            let socket = stack.udp_bind(UdpBind::from(68).on(IF)).unwrap();
            stack.udp_accept_unaddressed(socket, true).unwrap();
            stack.udp_close(socket).unwrap();
        }
        let _other = stack.udp_bind(UdpBind::from(68).on(IF)).unwrap();
        hear(&mut stack, &datagram(US, v4(50), 68, b"x"));
        assert_eq!(stack.counters().dropped(DropReason::IpNotForUs), 1);
    });
}

#[test]
fn a_neighbour_known_beforehand_is_not_asked_for() {
    each(|mut stack| {
        let client = v4(60);
        stack.seed_neighbor(IF, client, THEM).unwrap();
        let socket = stack.udp_bind(67).unwrap();
        let to = std::net::SocketAddr::new(client.into(), 68);
        let message = UdpMessage {
            to: Some(to),
            from: None,
        };
        stack.udp_send_message(socket, &message, b"offer").unwrap();
        let mut out = Queue::new();
        let _ = stack.transmit(Instant::from_secs(1), IF, &mut out);
        let sent: Vec<_> = out
            .frames
            .iter()
            .filter(|f| Frame::new(f).ethernet().unwrap().ethertype() == EtherType::IPV4)
            .collect();
        assert_eq!(sent.len(), 1);
        assert_eq!(Frame::new(sent[0]).ethernet().unwrap().dst(), THEM);
        let far = Addr::v4([192, 0, 2, 1]);
        assert_eq!(stack.seed_neighbor(IF, far, THEM), Err(Error::NoRoute));
        let group = MacAddr::BROADCAST;
        assert_eq!(
            stack.seed_neighbor(IF, client, group),
            Err(Error::InvalidArgument)
        );
        assert_eq!(stack.mac(IF), Some(US));
    });
}

#[test]
fn the_mtu_of_an_interface_can_be_changed() {
    each(|mut stack| {
        assert_eq!(stack.interface_mtu(IF), Ok(1500));
        assert_eq!(stack.set_interface_mtu(IF, 67), Err(Error::InvalidArgument));
        stack.set_interface_mtu(IF, 600).unwrap();
        assert_eq!(stack.interface_mtu(IF), Ok(600));
        let socket = stack.udp_bind(70).unwrap();
        let to = std::net::SocketAddr::new(v4(2).into(), 7);
        assert_eq!(
            stack.udp_send_to(socket, &[0; 573], to),
            Err(Error::MessageTooLong)
        );
        stack.udp_send_to(socket, &[0; 572], to).unwrap();
    });
}

#[test]
fn random_numbers_follow_from_the_seed_and_differ() {
    let numbers = |n| {
        let mut stack = stack(Profile::Heap, true, n);
        [stack.random_u32(), stack.random_u32()]
    };
    assert_eq!(numbers(1), numbers(1));
    assert_ne!(numbers(1), numbers(2));
    assert_ne!(numbers(1)[0], numbers(1)[1]);
}

/// A second route decides at once, whatever was found before.
#[test]
fn a_new_route_is_used_by_the_next_datagram() {
    let mut stack = stack(Profile::Heap, true, 1);
    let far = Addr::v4([192, 0, 2, 1]);
    let _ = IfaceId::FIRST;
    stack.add_neighbor(IF, v4(9), THEM).unwrap();
    stack.add_neighbor(IF, v4(8), THIRD).unwrap();
    stack.add_gateway(IF, v4(9)).unwrap();
    let socket = stack.udp_bind(70).unwrap();
    let to = std::net::SocketAddr::new(far.into(), 7);
    let sent_to = |stack: &mut Stack| {
        stack.udp_send_to(socket, b"x", to).unwrap();
        let mut out = Queue::new();
        let _ = stack.transmit(Instant::from_secs(1), IF, &mut out);
        let last = out.frames.back().unwrap().clone();
        Frame::new(&last).ethernet().unwrap().dst()
    };
    assert_eq!(sent_to(&mut stack), THEM);
    let net = netloom_stack::wire::Cidr::new(far, 24).unwrap();
    stack
        .add_route(netloom_stack::route::Route::via(net, v4(8), 0))
        .unwrap();
    assert_eq!(sent_to(&mut stack), THIRD);
}
