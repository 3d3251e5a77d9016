//! Several interfaces, routes, loopback, tunables.
#![cfg(all(feature = "udp", feature = "tcp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6", feature = "alloc"))]
mod common;

use common::trace::{IF, IRS, Net, PEER_PORT, PORT, V4, V6, addr, cidr, every, tcp};
use common::{Profile, Queue, stack};
use netloom_stack::driver::{Instant, RxMeta};
use netloom_stack::route::Route;
use netloom_stack::wire::{Ipv4View, Ipv6View};
use netloom_stack::{Error, InterfaceConfig, State};

/// Sends what an interface owes; the sources and destinations, as text.
fn ends(net: &mut Net, iface: netloom_stack::IfaceId) -> Vec<(String, String)> {
    let mut queue = Queue::new();
    let _ = net.stack.transmit(net.now, iface, &mut queue);
    let text = |addr: netloom_stack::wire::Addr| addr.to_string();
    queue
        .frames
        .iter()
        .map(|frame| match Ipv4View::new(frame) {
            Ok(view) => (text(view.src()), text(view.dst())),
            Err(_) => {
                let view = Ipv6View::new(frame).unwrap();
                (text(view.src()), text(view.dst()))
            }
        })
        .collect()
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
//= type=test
//# If an application on a multihomed host does not specify the local IP
//# address when actively opening a TCP connection, then the TCP
//# implementation MUST ask the IP layer to select a local IP address
//# before sending the (first) SYN (MUST-44).
#[test]
fn each_destination_leaves_by_its_interface_from_its_address() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
    //= type=test
    //# At all other times, a previous segment has either been sent or
    //# received on this connection, and TCP implementations MUST use the
    //# same local address that was used in those previous segments (MUST-
    //# 45).
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let second = net.stack.add_interface(InterfaceConfig::ip()).unwrap();
        let own = cidr(net.pick("172.16.0.1/16", "2001:db8:2::1/64"));
        net.stack.add_address(second, own).unwrap();
        let there = addr(net.pick("172.16.3.4", "2001:db8:2::4"));
        let far = addr(net.pick("192.0.2.1", "2001:db8:9::1"));
        let (there_at, far_at) = (net.socket(there, 80), net.socket(far, 80));
        net.stack.tcp_connect(there_at).unwrap();
        net.stack.tcp_connect(far_at).unwrap();
        assert_eq!(
            ends(&mut net, second),
            [(own.addr.to_string(), there.to_string())]
        );
        let us = net.us.to_string();
        assert_eq!(ends(&mut net, IF), [(us, far.to_string())]);
        // A longer prefix wins over the default route, and its removal brings that back.
        let prefix = cidr(net.pick("192.0.2.0/24", "2001:db8:9::/64"));
        let router = addr(net.pick("172.16.0.254", "2001:db8:2::fe"));
        let route = Route::via(prefix, router, second.index() as u8);
        net.stack.add_route(route).unwrap();
        let socket = net.stack.udp_bind(0).unwrap();
        let at = net.socket(far, 9);
        net.stack.udp_send_to(socket, b"x", at).unwrap();
        assert_eq!(
            ends(&mut net, second),
            [(own.addr.to_string(), far.to_string())]
        );
        assert!(net.stack.remove_route(prefix, Some(router), second));
        net.stack.udp_send_to(socket, b"x", at).unwrap();
        assert!(ends(&mut net, second).is_empty());
        assert_eq!(ends(&mut net, IF).len(), 1);
        net.balance();
    }
}

/// The weak end system model of RFC 1122 §3.3.4.2, for addresses that are not link-local.
#[test]
fn an_address_is_the_hosts_whatever_interface_it_is_asked_on() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let second = net.stack.add_interface(InterfaceConfig::ip()).unwrap();
        let own = cidr(net.pick("172.16.0.1/16", "2001:db8:2::1/64"));
        net.stack.add_address(second, own).unwrap();
        net.listen(PORT);
        for iface in [IF, second] {
            let packet = net.packet_of(&tcp("S").to(own.addr));
            net.stack
                .receive(net.now, iface, &packet, &RxMeta::default());
            // Its answer leaves by the route to the peer.
            net.pump();
            net.expect(tcp("S.").to(own.addr));
        }
        // A link-local address is another host's on another link.
        let local = cidr("fe80::1/64");
        net.stack.add_address(second, local).unwrap();
        let packet = net.packet_of(&tcp("S").from(addr("fe80::9")).to(local.addr));
        net.stack.receive(net.now, IF, &packet, &RxMeta::default());
        net.silent();
    }
}

#[test]
fn without_a_route_nothing_is_sent() {
    every(|mut net| {
        let far = addr(net.pick("192.0.2.1", "2001:db8::1"));
        let gateway = addr(net.pick("10.0.0.254", "fd00::fe"));
        let all = cidr(net.pick("0.0.0.0/0", "::/0"));
        assert!(net.stack.remove_route(all, Some(gateway), IF));
        let to = net.socket(far, 80);
        assert_eq!(net.stack.tcp_connect(to), Err(Error::NoRoute));
        let socket = net.stack.udp_bind(0).unwrap();
        assert_eq!(net.stack.udp_send_to(socket, b"x", to), Err(Error::NoRoute));
        // On the link it works without any router.
        net.stack.tcp_connect(net.peer_at(80)).unwrap();
        net.pump();
        net.expect(tcp("S").peer_port(80));
    });
}

#[test]
fn a_stack_speaks_to_itself() {
    for (own, loopback) in [("10.0.0.1", "127.0.0.1"), ("fd00::1", "::1")] {
        for to in [own, loopback] {
            let mut stack = stack(Profile::Heap, false, 1);
            let now = Instant::from_secs(1);
            let mut wire = Queue::new();
            let listener = stack.tcp_listen(80).unwrap();
            let to = std::net::SocketAddr::new(to.parse().unwrap(), 80);
            let client = stack.tcp_connect(to).unwrap();
            let _ = stack.transmit(now, IF, &mut wire);
            let server = stack.tcp_accept(listener).unwrap().unwrap();
            let data: Vec<u8> = (0..300_000_u32).map(|n| (n >> 3) as u8).collect();
            let (mut sent, mut got) = (0, Vec::new());
            let mut buffer = vec![0; 65_536];
            let mut turns = 0;
            while got.len() < data.len() {
                sent += stack.tcp_write(client, &data[sent..]).unwrap_or(0);
                let _ = stack.transmit(now, IF, &mut wire);
                while let Ok(n @ 1..) = stack.tcp_read(server, &mut buffer) {
                    got.extend_from_slice(&buffer[..n]);
                }
                turns += 1;
                assert!(turns < 1_000, "{} of {}", got.len(), data.len());
            }
            assert!(got == data);
            assert!(wire.frames.is_empty(), "nothing leaves the host");
            stack.counters().balance().unwrap();
            // A connection of a port to itself is a simultaneous open, or refused; no more.
            if let Ok(own) = stack.tcp_connect_from(
                std::net::SocketAddr::new(to.ip(), 5_555),
                std::net::SocketAddr::new(to.ip(), 5_555),
            ) {
                let _ = stack.transmit(now, IF, &mut wire);
                let state = stack.tcp_state(own).unwrap();
                assert!(matches!(state, State::Established | State::Closed));
            }
            assert!(wire.frames.is_empty());
        }
    }
}

#[test]
fn tunables_are_listed_read_and_set_by_name_and_stay_in_range() {
    let mut stack = stack(Profile::Heap, false, 1);
    let all: Vec<_> = stack.tunables().iter().collect();
    assert!(all.len() >= 14);
    for tunable in &all {
        assert!(!tunable.doc.is_empty());
        assert!(
            (tunable.min..=tunable.max).contains(&tunable.value),
            "{tunable:?}"
        );
        stack.set_tunable(tunable.name, tunable.min).unwrap();
        assert_eq!(
            stack.tunables().get(tunable.name).unwrap().value,
            tunable.min
        );
        stack.set_tunable(tunable.name, tunable.value).unwrap();
        if let Some(beyond) = tunable.max.checked_add(1) {
            assert_eq!(
                stack.set_tunable(tunable.name, beyond),
                Err(Error::OutOfRange)
            );
        }
        assert_eq!(stack.tunables().get(tunable.name), Some(*tunable));
    }
    let mut names: Vec<_> = all.iter().map(|tunable| tunable.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all.len());
    assert_eq!(stack.set_tunable("no_such", 1), Err(Error::NoSuchTunable));
}

#[test]
fn a_link_local_peer_is_known_by_its_interface() {
    let mut net = Net::new(V6);
    let second = net.stack.add_interface(InterfaceConfig::ip()).unwrap();
    for iface in [IF, second] {
        net.stack.add_address(iface, cidr("fe80::1/64")).unwrap();
    }
    let listener = net.listen(PORT);
    // The same tuple on two links is two connections.
    let syn = net.packet_of(&tcp("S").from(addr("fe80::9")).to(addr("fe80::1")));
    for iface in [IF, second] {
        net.stack.receive(net.now, iface, &syn, &RxMeta::default());
    }
    assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 2);
    assert_eq!(ends(&mut net, IF).len(), 1);
    assert_eq!(ends(&mut net, second).len(), 1);
    let scope = second.index() as u32 + 1;
    let scoped = std::net::SocketAddrV6::new("fe80::9".parse().unwrap(), PEER_PORT, 0, scope);
    net.stack.tcp_connect(scoped.into()).unwrap();
    assert!(ends(&mut net, IF).is_empty());
    assert_eq!(ends(&mut net, second).len(), 1);
    net.balance();
}

#[test]
fn a_handshake_goes_on_by_the_interface_its_peer_is_at() {
    for setup in [V4, V6] {
        // The default route leads by the first interface.
        let mut net = Net::new(setup);
        let second = net
            .stack
            .add_interface(InterfaceConfig::ip().mtu(1400))
            .unwrap();
        let own = cidr(net.pick("172.16.0.1/16", "2001:db8:2::1/64"));
        net.stack.add_address(second, own).unwrap();
        let there = addr(net.pick("172.16.3.4", "2001:db8:2::4"));
        let listener = net.listen(PORT);
        let arrives = |net: &mut Net, flags, ack| {
            let segment = tcp(flags).ack(ack).from(there).to(own.addr);
            let segment = match flags {
                "S" => segment,
                _ => segment.seq(IRS + 1),
            };
            let packet = net.packet_of(&segment);
            let meta = RxMeta::default();
            net.stack.receive(net.now, second, &packet, &meta);
        };
        let due = [(own.addr.to_string(), there.to_string())];
        arrives(&mut net, "S", 0);
        assert_eq!(ends(&mut net, second), due);
        // The peer repeats its SYN; an ACK acknowledges nothing of ours; no answer comes.
        arrives(&mut net, "S", 0);
        assert!(ends(&mut net, IF).is_empty());
        assert_eq!(ends(&mut net, second), due);
        arrives(&mut net, ".", 1);
        assert!(ends(&mut net, IF).is_empty());
        assert_eq!(ends(&mut net, second), due);
        net.now = net.stack.next_deadline().unwrap();
        assert!(ends(&mut net, IF).is_empty());
        let mut queue = Queue::new();
        let _ = net.stack.transmit(net.now, second, &mut queue);
        assert_eq!(queue.frames.len(), 1);
        let at = net.pick(24, 44);
        let iss = u32::from_be_bytes(queue.frames[0][at..at + 4].try_into().unwrap());
        arrives(&mut net, ".", iss.wrapping_add(1));
        let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
        let info = net.stack.tcp_info(handle).unwrap();
        assert_eq!(usize::from(info.advmss), 1400 - net.pick(40, 60));
        net.balance();
    }
}
