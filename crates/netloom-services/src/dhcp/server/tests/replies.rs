//! What replies say, and the way they go: RFC 2131 §4.1 and table 3, RFC 3046, RFC 6842.

use std::net::Ipv4Addr;
use std::vec;
use std::vec::Vec;

use netloom_wire::dhcpv4::{Dhcpv4View, MessageType, code};
use netloom_wire::{Addr, MacAddr};

use super::super::*;
use super::bench::{Asked, Bench, OWN, config, far_pool, ip, mac, pool};

#[test]
fn an_offer_says_what_table_3_has() {
    let mut bench = Bench::new(config(vec![pool()]));
    let offer = bench.one(
        &Asked::discover(1)
            .with(code::CLIENT_IDENTIFIER, &[255, 1, 2])
            .with(code::PARAMETER_REQUEST_LIST, &[6, 3, 3, 1, 51, 99]),
    );
    let view = offer.view();
    assert_eq!((view.xid(), view.secs(), view.hops()), (0x101, 0, 0));
    assert!(view.ciaddr().is_unspecified() && view.siaddr().is_unspecified());
    assert!(view.giaddr().is_unspecified());
    assert_eq!(view.hardware().mac(), Some(mac(1)));
    assert_eq!(view.server_identifier(), Some(OWN));
    assert_eq!(
        offer.option(code::SUBNET_MASK),
        Some(vec![255, 255, 255, 0])
    );
    assert_eq!(offer.option(code::ROUTER), Some(vec![10, 0, 0, 1]));
    assert_eq!(offer.option(code::DNS_SERVER).unwrap().len(), 8);
    assert_eq!(offer.option(code::DOMAIN_NAME), None, "not asked for");
    // In the client's order, each once.
    let order: Vec<u8> = view.options().map(|(code, _)| code).collect();
    let place = |code| order.iter().position(|c| *c == code).unwrap();
    assert!(place(code::DNS_SERVER) < place(code::ROUTER));
    assert_eq!(order.iter().filter(|c| **c == code::ROUTER).count(), 1);
    //= https://www.rfc-editor.org/rfc/rfc6842#section-3
    //= type=test
    //# If the 'client identifier' option is present in a message received
    //# from a client, the server MUST return the 'client identifier' option,
    //# unaltered, in its response message.
    assert_eq!(offer.option(code::CLIENT_IDENTIFIER), Some(vec![255, 1, 2]));
    // Who asks for nothing gets all.
    let offer = bench.one(&Asked::discover(2));
    assert_eq!(
        offer.option(code::DOMAIN_NAME),
        Some(b"example.org".to_vec())
    );
    assert_eq!(offer.option(code::CLIENT_IDENTIFIER), None);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# If the broadcast bit is not set and 'giaddr' is zero and
//# 'ciaddr' is zero, then the server unicasts DHCPOFFER and DHCPACK
//# messages to the client's hardware address and 'yiaddr' address.
#[test]
fn a_reply_goes_to_the_address_it_gives_or_to_all() {
    let mut bench = Bench::new(config(vec![pool()]));
    let offer = bench.one(&Asked::discover(1));
    let address = offer.view().yiaddr();
    assert_eq!(
        (offer.dst, offer.to, offer.port),
        (address.into(), mac(1), 68)
    );
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //= type=test
    //# If 'giaddr' is zero and 'ciaddr' is zero, and the broadcast bit is
    //# set, then the server broadcasts DHCPOFFER and DHCPACK messages to
    //# 0xffffffff.
    let mut asked = Asked::discover(1);
    asked.header.broadcast = true;
    let offer = bench.one(&asked);
    assert_eq!(
        (offer.dst, offer.to),
        (Addr::V4_BROADCAST, MacAddr::BROADCAST)
    );
    assert!(offer.view().broadcast());
    // What is no Ethernet cannot be reached but so.
    let mut asked = Asked::discover(2);
    asked.header.hardware.htype = 6;
    assert_eq!(bench.one(&asked).dst, Addr::V4_BROADCAST);
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //= type=test
    //# If the 'giaddr'
    //# field is zero and the 'ciaddr' field is nonzero, then the server
    //# unicasts DHCPOFFER and DHCPACK messages to the address in 'ciaddr'.
    bench.one(&Asked::selecting(1, address));
    let ack = bench.one(&Asked::renewing(1, address));
    assert_eq!((ack.dst, ack.to, ack.port), (address.into(), mac(1), 68));
    assert_eq!(ack.view().ciaddr(), address);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# If the 'giaddr' field in a DHCP message from a client is non-zero,
//# the server sends any return messages to the 'DHCP server' port on the
//# BOOTP relay agent whose address appears in 'giaddr'.
#[test]
fn through_a_relay_agent_the_far_network_is_served() {
    let mut bench = Bench::new(config(vec![pool(), far_pool()]));
    let circuit = [1, 4, b'p', b'o', b'r', b't'];
    let asked = Asked::discover(1)
        .relayed()
        .with(code::RELAY_AGENT, &circuit);
    let offer = bench.one(&asked);
    let relay = Ipv4Addr::new(10, 9, 0, 1);
    assert_eq!(
        (offer.dst, offer.to, offer.port),
        (relay.into(), mac(9), 67)
    );
    let view = offer.view();
    assert_eq!(view.giaddr(), relay);
    assert_eq!(view.yiaddr().octets()[..3], [10, 9, 0]);
    assert_eq!(offer.option(code::ROUTER), Some(vec![10, 9, 0, 1]));
    //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
    //= type=test
    //# DHCP servers claiming to support the Relay Agent Information option
    //# SHALL echo the entire contents of the Relay Agent Information option
    //# in all replies.
    assert_eq!(offer.option(code::RELAY_AGENT), Some(circuit.to_vec()));
    let ack = bench.one(&Asked::selecting(1, view.yiaddr()).relayed());
    assert_eq!((ack.kind(), ack.port), (MessageType::Ack, 67));
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
    //= type=test
    //# If 'giaddr' is set in the DHCPREQUEST message, the client is on a
    //# different subnet.  The server MUST set the broadcast bit in the
    //# DHCPNAK, so that the relay agent will broadcast the DHCPNAK to the
    //# client, because the client may not have a correct network address
    //# or subnet mask, and the client may not be answering ARP requests.
    let nak = bench.one(
        &Asked::rebooting(1, ip(100))
            .relayed()
            .with(code::RELAY_AGENT, &circuit),
    );
    assert_eq!(
        (nak.kind(), nak.dst, nak.port),
        (MessageType::Nak, relay.into(), 67)
    );
    assert!(nak.view().broadcast());
    assert_eq!(nak.option(code::RELAY_AGENT), Some(circuit.to_vec()));
    // It renews without the relay agent.
    let ack = bench.one(&Asked::renewing(1, view.yiaddr()));
    assert_eq!(
        (ack.kind(), ack.dst),
        (MessageType::Ack, view.yiaddr().into())
    );
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
//= type=test
//# The server responds to a DHCPINFORM message by sending a DHCPACK
//# message directly to the address given in the 'ciaddr' field of the
//# DHCPINFORM message.
#[test]
fn inform_is_answered_without_an_address() {
    let mut bench = Bench::new(config(vec![pool()]));
    bench
        .stack
        .add_neighbor(super::bench::IF, ip(77), mac(1))
        .unwrap();
    let mut inform = Asked::new(1, MessageType::Inform);
    inform.src = ip(77);
    for ciaddr in [ip(77), Ipv4Addr::UNSPECIFIED] {
        inform.header.ciaddr = ciaddr;
        let ack = bench.one(&inform);
        assert_eq!(
            (ack.kind(), ack.dst, ack.port),
            (MessageType::Ack, ip(77).into(), 68)
        );
        assert!(ack.view().yiaddr().is_unspecified());
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.5
        //= type=test
        //# The server MUST NOT send a lease
        //# expiration time to the client and SHOULD NOT fill in 'yiaddr'.
        assert_eq!(ack.option(code::LEASE_TIME), None);
        assert_eq!(ack.option(code::ROUTER), Some(vec![10, 0, 0, 1]));
    }
    let mut bindings = 0;
    bench.server.store().for_each(&mut |_| bindings += 1);
    assert_eq!(bindings, 0);
    bench.assert_counters(ServerCounters {
        informs: 2,
        acks: 2,
        ..ServerCounters::ZERO
    });
}

/// Without an address there is none to say who replies.
#[test]
fn what_cannot_be_sent_is_counted_as_such() {
    let mut bench = Bench::new(config(vec![pool()]));
    bench.stack.remove_address(super::bench::IF, OWN).unwrap();
    for kind in [MessageType::Request, MessageType::Inform] {
        let mut asked = Asked::new(1, kind);
        asked.header.ciaddr = ip(200);
        bench.none(&asked);
    }
    bench.assert_counters(ServerCounters {
        requests: 1,
        informs: 1,
        unsent: 2,
        ..ServerCounters::ZERO
    });
}

/// Nor can what finds no room in the socket's queue.
#[test]
fn replies_that_find_no_room_are_counted_as_such() {
    let mut bench = Bench::lent(config(vec![pool()]));
    let address = bench.lease(1);
    for _ in 0..6 {
        let frame = Asked::renewing(1, address).frame();
        let meta = netloom_stack::driver::RxMeta::default();
        bench
            .stack
            .receive(bench.now, super::bench::IF, &frame, &meta);
        while bench.server.poll(&mut bench.stack).is_some() {}
    }
    let counters = *bench.server.counters();
    assert!(counters.unsent > 0, "{counters:?}");
    assert_eq!(counters.acks + counters.unsent, 7);
    bench.turn();
    assert_eq!(1 + bench.sent.len() as u32, counters.acks);
}

#[test]
fn a_reply_is_as_long_as_the_client_takes() {
    let long: &'static [u8] = vec![b'x'; 200].leak();
    let options: Vec<(u8, &'static [u8])> = (200..206).map(|code| (code, long)).collect();
    let many = Pool {
        options: options.leak(),
        ..pool()
    };
    let mut bench = Bench::new(config(vec![many]));
    let told = |offer: &super::bench::Sent| {
        let view = Dhcpv4View::new(&offer.bytes).unwrap();
        (200..206)
            .filter(|code| view.option(*code).is_some())
            .count()
    };
    // 548 bytes take one in the options field; what is longer than file takes no other.
    let offer = bench.one(&Asked::discover(1));
    assert!(offer.bytes.len() <= 548);
    assert_eq!(told(&offer), 1);
    for (size, count) in [(576_u16, 1), (1000, 3), (1500, 5), (u16::MAX, 5), (3, 1)] {
        let asked = Asked::discover(1).with(code::MAX_MESSAGE_SIZE, &size.to_be_bytes());
        let offer = bench.one(&asked);
        assert_eq!(told(&offer), count, "{size}");
        assert!(offer.bytes.len() + 28 <= usize::from(size.clamp(576, 1500)));
    }
}

#[test]
fn what_finds_no_room_goes_into_the_header() {
    let options: &'static [(u8, &'static [u8])] = vec![
        (200, &*vec![1; 250].leak()),
        (201, &*vec![2; 100].leak()),
        (202, &*vec![3; 60].leak()),
    ]
    .leak();
    let many = Pool { options, ..pool() };
    let mut bench = Bench::new(config(vec![many]));
    let offer = bench.one(&Asked::discover(1));
    assert_eq!(offer.option(code::OVERLOAD), Some(vec![3]));
    for (code, data) in options {
        assert_eq!(offer.option(*code).as_deref(), Some(*data));
    }
}
