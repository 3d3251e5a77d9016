//! A stack that finds its address by itself, from a server of ours on the other end of a cable.
#![cfg(target_os = "linux")]
mod common;

use std::net::Ipv4Addr;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use common::{Need, eventually, in_namespace, veth_pair};
use netloom_host::device::PacketSocket;
use netloom_host::dhcp::{
    ConflictCheck, Event, Fallback, LeaseTime, Loss, MemoryStore, Pool, ServerConfig, ServerEvent,
};
use netloom_host::net::{Dhcp, Net};

const PATIENCE: Duration = common::PATIENCE;

fn config(seconds: u32) -> ServerConfig<'static> {
    let pool = Pool {
        network: "10.7.0.0/24".parse().unwrap(),
        first: Ipv4Addr::new(10, 7, 0, 100),
        last: Ipv4Addr::new(10, 7, 0, 109),
        lease_time: LeaseTime::of(seconds),
        options: &[
            (3, &[10, 7, 0, 1]),
            (6, &[10, 7, 0, 1]),
            (15, b"test"),
            (26, &[5, 0]),
        ],
    };
    ServerConfig {
        pools: vec![pool].leak(),
        conflict_check: Duration::from_millis(50),
        ..ServerConfig::default()
    }
}

fn wishes() -> Dhcp {
    Dhcp {
        conflict_check: ConflictCheck::Quick,
        hostname: "loom".to_owned(),
        timeout: PATIENCE,
        ..Dhcp::default()
    }
}

fn server(end: &str, seconds: u32) -> Net {
    let net = PacketSocket::open(end)
        .unwrap()
        .address("10.7.0.1/24")
        .start()
        .unwrap();
    net.dhcp_serve(config(seconds), MemoryStore::<16>::new(), 8)
        .unwrap();
    net
}

/// Answers questions for addresses of version 4 with one, others with none; tells which names it
/// is asked about.
fn name_server(net: &Net) -> Receiver<Vec<u8>> {
    let socket = net.udp_bind("10.7.0.1:53").unwrap();
    let (tell, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((_, from)) = socket.recv_from(&mut query) {
            let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap() + 1;
            let is_v4 = query[end + 1] == 1;
            let mut reply = query[..end + 4].to_vec();
            reply[2..4].copy_from_slice(&[0x81, 0x80]);
            reply[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_v4), 0, 0, 0, 0]);
            if is_v4 {
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 7, 0, 99]);
            }
            let _ = tell.send(query[12..end].to_ascii_lowercase());
            let _ = socket.send_to(&reply, from);
        }
    });
    asked
}

#[test]
fn a_lease_says_whom_to_ask_about_names() {
    let body = || {
        let (a, b) = veth_pair("dhcp-names");
        let serving = server(&a, 600);
        let names = name_server(&serving);
        let net = Net::builder(PacketSocket::open(&b).unwrap())
            .dhcp_with(wishes())
            .start()
            .unwrap();
        let found = net.lookup_host("printer").unwrap();
        assert_eq!(found, [Ipv4Addr::new(10, 7, 0, 99)]);
        assert_eq!(names.recv().unwrap(), b"\x07printer\x04test\0");
        let sent = net.dns_counters().unwrap().sent;
        net.dhcp_release().unwrap();
        // Nobody is left to be asked, and what was said before is forgotten.
        assert!(net.lookup_host("printer.test.").is_err());
        assert_eq!(net.dns_counters().unwrap().sent, sent);
    };
    in_namespace("dhcp and names", &[Need::Program("ip")], body);
}

#[test]
fn servers_a_program_names_are_asked_whatever_a_lease_says() {
    let body = || {
        let (a, b) = veth_pair("dhcp-named");
        let serving = server(&a, 600);
        let names = name_server(&serving);
        let net = Net::builder(PacketSocket::open(&b).unwrap())
            .dhcp_with(Dhcp {
                timeout: Duration::ZERO,
                ..wishes()
            })
            .start()
            .unwrap();
        let elsewhere = "10.7.0.1:53".parse().unwrap();
        net.set_dns_servers(&[elsewhere]).unwrap();
        eventually("no lease", || net.dhcp_lease().is_some());
        assert!(net.lookup_host("printer").is_ok());
        // The domain of the lease was not put behind it.
        assert_eq!(names.recv().unwrap(), b"\x07printer\0");
    };
    in_namespace("dhcp and names", &[Need::Program("ip")], body);
}

#[test]
fn a_stack_finds_its_address_uses_it_renews_it_and_gives_it_back() {
    let body = || {
        let (a, b) = veth_pair("dhcp");
        // Renewed after 8 s, which leaves as long again for the answer.
        let serving = server(&a, 16);
        let net = Net::builder(PacketSocket::open(&b).unwrap())
            .dhcp_with(wishes())
            .start()
            .unwrap();
        let lease = net.dhcp_lease().unwrap();
        assert_eq!(lease.server, Ipv4Addr::new(10, 7, 0, 1));
        assert_eq!(lease.dns[..], [Ipv4Addr::new(10, 7, 0, 1)]);
        assert_eq!(lease.mtu, Some(1280));
        assert!(matches!(
            net.dhcp_event(PATIENCE),
            Ok(Some(Event::Acquired { .. }))
        ));

        // The address is good for what addresses are for.
        let echo = std::thread::spawn({
            let listener = serving.tcp_listen("10.7.0.1:7").unwrap();
            move || {
                let (mut stream, from) = listener.accept().unwrap();
                let copied = std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
                (copied, from.ip())
            }
        });
        let mut stream = net.tcp_connect("10.7.0.1:7").unwrap();
        std::io::Write::write_all(&mut stream, b"hello").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert_eq!(answer, "hello");
        assert_eq!(echo.join().unwrap(), (5, lease.ip().into()));
        drop(stream);

        // It is renewed without anybody asking for it.
        for _ in 0..2 {
            let renewed = net.dhcp_event(PATIENCE).unwrap();
            assert!(
                matches!(renewed, Some(Event::Renewed { .. })),
                "{renewed:?}"
            );
        }
        net.dhcp_release().unwrap();
        let lost = loop {
            let event = net.dhcp_event(PATIENCE).unwrap();
            // It may have been renewed once more.
            if !matches!(event, Some(Event::Renewed { .. })) {
                break event;
            }
        };
        assert_eq!(lost, Some(Event::Lost(Loss::Released)));
        let got = net.dhcp_counters().unwrap();
        assert!(got.offers >= 1 && got.acks >= 3, "{got:?}");
        assert_eq!((got.releases, got.naks, got.unsent), (1, 0, 0), "{got:?}");
        assert_eq!(net.dhcp_lease(), None);
        assert!(!net.with_stack(|stack| stack.is_local(lease.ip())));
        let mut given_back = false;
        eventually("the server never heard of it", || {
            let event = serving
                .dhcp_server_event(Duration::from_millis(10))
                .unwrap();
            given_back |= matches!(event, Some(ServerEvent::Released { .. }));
            given_back
        });
        let said = serving.dhcp_server_counters().unwrap();
        assert!(said.offers >= 1 && said.acks >= got.acks, "{said:?}");
        assert_eq!((said.releases, said.naks), (1, 0), "{said:?}");
    };
    in_namespace("dhcp", &[Need::Program("ip")], body);
}

#[test]
fn without_a_server_the_start_fails_or_falls_back() {
    let body = || {
        let (_a, b) = veth_pair("dhcp");
        let dhcp = Dhcp {
            timeout: Duration::from_millis(300),
            ..wishes()
        };
        let started = Net::builder(PacketSocket::open(&b).unwrap())
            .dhcp_with(dhcp)
            .start();
        assert_eq!(started.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        let dhcp = Dhcp {
            fallback: Fallback::LinkLocal,
            fallback_after: Duration::from_millis(100),
            ..wishes()
        };
        let net = Net::builder(PacketSocket::open(&b).unwrap())
            .dhcp_with(dhcp)
            .start()
            .unwrap();
        assert_eq!(net.dhcp_lease(), None);
        let event = net.dhcp_event(PATIENCE).unwrap().unwrap();
        let Event::FallbackInUse(address) = event else {
            panic!("{event}");
        };
        assert!(net.with_stack(|stack| stack.is_local(address.addr)));
        assert!(address.addr.is_link_local());
    };
    in_namespace("dhcp without a server", &[Need::Program("ip")], body);
}

#[test]
fn what_was_not_begun_is_told() {
    let body = || {
        let (a, _b) = veth_pair("dhcp");
        let net = server(&a, 60);
        let kind = |error: std::io::Error| error.kind();
        let none = std::io::ErrorKind::NotFound;
        assert_eq!(net.dhcp_event(Duration::ZERO).map_err(kind), Err(none));
        assert_eq!(net.dhcp_release().map_err(kind), Err(none));
        assert_eq!(net.dhcp_counters(), None);
        assert_eq!(net.dhcp_server_counters(), Some(Default::default()));
        let second = net.dhcp_serve(config(60), MemoryStore::<16>::new(), 8);
        assert_eq!(second.map_err(kind), Err(std::io::ErrorKind::AlreadyExists));
        assert_eq!(
            net.dhcp_server_event(Duration::ZERO).map_err(kind),
            Ok(None)
        );
    };
    in_namespace("dhcp not begun", &[Need::Program("ip")], body);
}
