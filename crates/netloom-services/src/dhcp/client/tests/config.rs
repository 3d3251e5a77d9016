//! What comes with an address: applied, changed, withdrawn.

use std::net::Ipv4Addr;
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use netloom_stack::route::RouteOrigin;
use netloom_wire::dhcpv4::{MessageType, code};
use netloom_wire::{Addr, Cidr};

use super::super::*;
use super::bench::{Bench, IF, OFFERED, OTHER, Reply, SERVER};
use crate::dhcp::ConflictCheck;

fn request() -> Request<'static> {
    Request {
        conflict_check: ConflictCheck::None,
        ..Request::default()
    }
}

/// The routes that were told, as text.
fn told(bench: &Bench) -> Vec<std::string::String> {
    let told = |route: &&netloom_stack::route::Route| route.origin == RouteOrigin::Dhcp;
    let text = |route: &netloom_stack::route::Route| match route.via {
        Some(via) => std::format!("{} via {via}", route.dst),
        None => route.dst.to_string(),
    };
    bench.stack.routes().iter().filter(told).map(text).collect()
}

#[test]
fn routers_become_default_routes_in_their_order() {
    let reply = Reply::default().with(code::ROUTER, &[10, 0, 0, 1, 10, 0, 0, 2]);
    let mut bench = Bench::bound(request(), &reply);
    assert_eq!(
        told(&bench),
        ["0.0.0.0/0 via 10.0.0.1", "0.0.0.0/0 via 10.0.0.2"]
    );
    bench.client.stop(&mut bench.stack);
    assert_eq!(told(&bench), [""; 0]);
    assert!(!bench.stack.is_local(OFFERED));
    bench.turn();
    assert_eq!(bench.event(), Some(Event::Lost(Loss::Stopped)));
}

//= https://www.rfc-editor.org/rfc/rfc3442
//= type=test
//# If the DHCP server returns both a Classless Static Routes option and
//# a Router option, the DHCP client MUST ignore the Router option.
//= https://www.rfc-editor.org/rfc/rfc3442
//= type=test
//# Similarly, if the DHCP server returns both a Classless Static Routes
//# option and a Static Routes option, the DHCP client MUST ignore the
//# Static Routes option.
#[test]
fn classless_routes_take_the_place_of_routers() {
    let reply = Reply::default()
        .with(
            code::CLASSLESS_ROUTES,
            &[
                24, 192, 168, 5, 0, 0, 0, 0, // on the link
                0, 10, 0, 0, 3, // by default
                16, 172, 16, 192, 168, 5, 1, // through a router of the first
                8, 11, 203, 0, 113, 9, // through one that is nowhere else
            ],
        )
        .with(code::STATIC_ROUTE, &[1, 2, 3, 4, 10, 0, 0, 1]);
    let mut bench = Bench::bound(request(), &reply);
    let mut routes = told(&bench);
    routes.sort();
    assert_eq!(
        routes,
        [
            "0.0.0.0/0 via 10.0.0.3",
            "11.0.0.0/8 via 203.0.113.9",
            "172.16.0.0/16 via 192.168.5.1",
            "192.168.5.0/24",
            "203.0.113.9/32",
        ]
    );
    bench.client.stop(&mut bench.stack);
    assert_eq!(told(&bench), [""; 0]);
}

/// As clouds do: an address without a network, and a router outside it.
#[test]
fn a_router_off_the_network_is_reached() {
    let reply = Reply::default().with(code::SUBNET_MASK, &[255; 4]);
    let bench = Bench::bound(request(), &reply);
    assert_eq!(told(&bench), ["10.0.0.1/32", "0.0.0.0/0 via 10.0.0.1"]);
    assert_eq!(bench.client.lease().unwrap().address.prefix, 32);
}

#[test]
fn a_route_by_hand_goes_before_one_that_was_told_and_stays() {
    let mut bench = Bench::heap(request());
    bench
        .stack
        .add_gateway(IF, Addr::v4([10, 0, 0, 200]))
        .unwrap();
    bench.bind(&Reply::default());
    let first = bench
        .stack
        .routes()
        .iter()
        .find(|r| r.is_default())
        .unwrap();
    assert_eq!(first.via, Some(Addr::v4([10, 0, 0, 200])));
    bench.client.stop(&mut bench.stack);
    let left: Vec<_> = bench
        .stack
        .routes()
        .iter()
        .filter(|r| r.is_default())
        .collect();
    assert_eq!(left.len(), 1);
}

#[test]
fn a_route_by_hand_through_the_same_router_stays_too() {
    let mut bench = Bench::heap(request());
    bench.stack.add_gateway(IF, SERVER).unwrap();
    bench.bind(&Reply::default());
    bench.client.stop(&mut bench.stack);
    let routes = bench.stack.routes().iter();
    let left: Vec<_> = routes.filter(|route| route.is_default()).collect();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].via, left[0].metric), (Some(SERVER.into()), 0));
}

#[test]
fn an_address_by_hand_stays_when_the_same_was_leased() {
    let mut bench = Bench::heap(request());
    let own: Cidr = "10.0.0.50/24".parse().unwrap();
    bench.stack.add_address(IF, own).unwrap();
    bench.bind(&Reply::default());
    bench.client.stop(&mut bench.stack);
    assert!(bench.stack.is_local(OFFERED));
}

#[test]
fn without_a_mask_the_class_of_the_address_counts() {
    for (address, prefix) in [
        ([10, 0, 0, 50], 8),
        ([172, 16, 0, 50], 16),
        ([192, 168, 0, 50], 24),
    ] {
        let reply = Reply {
            address: address.into(),
            without: vec![code::SUBNET_MASK, code::ROUTER],
            ..Reply::default()
        };
        let bench = Bench::bound(request(), &reply);
        assert_eq!(bench.client.lease().unwrap().address.prefix, prefix);
    }
}

#[test]
fn servers_names_and_mtu_can_be_read_and_the_mtu_is_set() {
    let reply = Reply::default()
        .with(code::DNS_SERVER, &[10, 0, 0, 53, 0, 0, 0, 0, 10, 0, 0, 54])
        .with(code::NTP_SERVER, &[10, 0, 0, 123])
        .with(code::DOMAIN_NAME, b"example.org\0")
        .with(code::HOST_NAME, b"loom-7")
        .with(code::INTERFACE_MTU, &1400u16.to_be_bytes());
    let mut bench = Bench::bound(request(), &reply);
    let lease = bench.client.lease().unwrap();
    let dns = [Ipv4Addr::new(10, 0, 0, 53), Ipv4Addr::new(10, 0, 0, 54)];
    assert_eq!(lease.dns[..], dns);
    assert_eq!(lease.ntp[..], [Ipv4Addr::new(10, 0, 0, 123)]);
    assert_eq!(lease.domain.as_str(), "example.org");
    assert_eq!(lease.hostname.as_str(), "loom-7");
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1400));
    bench.client.stop(&mut bench.stack);
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1500));
}

#[test]
fn values_that_can_only_do_harm_are_passed_over() {
    let reply = Reply::default()
        .with(code::INTERFACE_MTU, &68u16.to_be_bytes())
        .with(code::DOMAIN_NAME, b"x; rm -rf /")
        .with(code::HOST_NAME, b"$(reboot)")
        .with(
            code::DNS_SERVER,
            &[127, 0, 0, 1, 224, 0, 0, 251, 255, 255, 255, 255],
        )
        .with(code::ROUTER, &[0, 0, 0, 0, 255, 255, 255, 255]);
    let bench = Bench::bound(request(), &reply);
    let lease = bench.client.lease().unwrap();
    assert_eq!(lease.mtu, None);
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1500));
    assert!(lease.domain.is_empty() && lease.hostname.is_empty() && lease.dns.is_empty());
    assert_eq!(told(&bench), [""; 0]);
    // More than the device has is not to be had.
    let reply = Reply::default().with(code::INTERFACE_MTU, &9000u16.to_be_bytes());
    let bench = Bench::bound(request(), &reply);
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1500));
}

#[test]
fn what_changes_with_a_renewal_is_changed_and_no_more() {
    let mut bench = Bench::bound(request(), &Reply::default());
    bench.stack.add_neighbor(IF, SERVER, OTHER).unwrap();
    let listener = bench.stack.udp_bind((OFFERED, 7777).into_socket()).unwrap();
    let t1 = bench.client.lease().unwrap().renew_at;
    bench.run_until(t1);
    let renew = bench.expect(MessageType::Request);
    let reply = Reply::default()
        .with(code::ROUTER, &[10, 0, 0, 2])
        .with(code::INTERFACE_MTU, &1300u16.to_be_bytes());
    bench.say(&reply.ack(&renew), true);
    let changed = Event::Changed {
        server: SERVER,
        seconds: 3600,
    };
    assert_eq!(bench.event(), Some(changed));
    assert_eq!(told(&bench), ["0.0.0.0/0 via 10.0.0.2"]);
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1300));
    assert!(bench.stack.udp_readiness(listener).is_ok());
    let t1 = bench.client.lease().unwrap().renew_at;
    bench.run_until(t1);
    let renew = bench.expect(MessageType::Request);
    bench.say(&Reply::default().ack(&renew), true);
    assert_eq!(bench.stack.interface_mtu(IF), Ok(1500));
}

trait IntoSocket {
    fn into_socket(self) -> std::net::SocketAddr;
}

impl IntoSocket for (Ipv4Addr, u16) {
    fn into_socket(self) -> std::net::SocketAddr {
        self.into()
    }
}

#[test]
fn a_full_name_is_sent_in_place_of_the_host_name() {
    let mut bench = Bench::heap(Request {
        fqdn: "loom.example.org",
        hostname: "loom",
        vendor_class: "netloom",
        client_id: ClientId::new(&[0, b'x', b'y']),
        ..Request::default()
    });
    let discover = bench.expect(MessageType::Discover);
    assert_eq!(discover.option(code::HOST_NAME), None);
    let view = discover.view();
    let name = view.option(code::CLIENT_FQDN).unwrap().fqdn().unwrap();
    assert_eq!(name.text(&mut [0; 64]), Some("loom.example.org"));
    assert_eq!(
        discover.option(code::VENDOR_CLASS),
        Some(b"netloom".to_vec())
    );
    assert_eq!(
        discover.option(code::CLIENT_IDENTIFIER),
        Some(b"\0xy".to_vec())
    );
}
