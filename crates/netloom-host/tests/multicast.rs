//! Groups: between two stacks, on one, and with the kernel over a TAP interface.
#![cfg(target_os = "linux")]

mod common;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use common::{Need, PATIENCE, in_namespace, run};
use netloom_host::device::{LinkEnd, Tap};
use netloom_host::net::{Net, UdpSocket};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0x71, 3);
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
/// How long to wait for what must not come.
const SHORT: Duration = Duration::from_millis(30);

fn pair() -> (Net, Net) {
    let (a, b) = LinkEnd::pair(1500).unwrap();
    let a = a.address("10.0.0.1/24").start();
    let b = b.address("10.0.0.2/24").start();
    (a.unwrap(), b.unwrap())
}

fn hears(socket: &UdpSocket, wait: Duration) -> bool {
    socket.set_read_timeout(Some(wait)).unwrap();
    match socket.recv_from(&mut [0; 16]) {
        Ok((len, _)) => len == 5,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

#[test]
fn members_hear_and_others_do_not() {
    let (a, b) = pair();
    let sender = a.udp_bind("10.0.0.1:0").unwrap();
    let member = b.udp_bind("0.0.0.0:5000").unwrap();
    let to = (GROUP, 5000);
    sender.send_to(b"hello", to).unwrap();
    assert!(!hears(&member, SHORT));
    member.join_multicast_v4(&GROUP, &ANY).unwrap();
    sender.send_to(b"hello", to).unwrap();
    assert!(hears(&member, PATIENCE));
    member.leave_multicast_v4(&GROUP, &ANY).unwrap();
    sender.send_to(b"hello", to).unwrap();
    assert!(!hears(&member, SHORT));
    // A membership ends with its socket, and others' go on.
    let other = b.udp_bind("0.0.0.0:5001").unwrap();
    member.join_multicast_v4(&GROUP, &ANY).unwrap();
    other.join_multicast_v4(&GROUP, &ANY).unwrap();
    drop(other);
    sender.send_to(b"hello", to).unwrap();
    assert!(hears(&member, PATIENCE));
    drop(member);
    assert_eq!(
        b.with_stack(|stack| stack.groups(netloom_stack::IfaceId::FIRST).count()),
        0
    );
}

#[test]
fn the_own_host_hears_if_it_may() {
    let (a, _b) = pair();
    let sender = a.udp_bind("0.0.0.0:0").unwrap();
    let member = a.udp_bind("0.0.0.0:5000").unwrap();
    member.join_multicast_v4(&GROUP, &ANY).unwrap();
    sender.send_to(b"hello", (GROUP, 5000)).unwrap();
    assert!(hears(&member, PATIENCE));
    let carried = a.device_counters().tx_frames;
    sender.set_multicast_ttl_v4(0).unwrap();
    sender.send_to(b"hello", (GROUP, 5000)).unwrap();
    assert!(hears(&member, PATIENCE));
    assert_eq!(a.device_counters().tx_frames, carried, "it may not leave");
    sender.set_multicast_loop_v4(false).unwrap();
    sender.send_to(b"hello", (GROUP, 5000)).unwrap();
    assert!(!hears(&member, SHORT));
    a.counters().balance().unwrap();
}

#[test]
fn with_the_kernel() {
    in_namespace("with_the_kernel", &[Need::Tun, Need::Program("ip")], || {
        let net = Tap::create("group0")
            .unwrap()
            .address("10.71.0.2/24")
            .kernel_address("10.71.0.1/24")
            .start()
            .unwrap();
        run("ip route add 239.0.0.0/8 dev group0");
        let ours = net.udp_bind("0.0.0.0:5000").unwrap();
        ours.join_multicast_v4(&GROUP, &"10.71.0.2".parse().unwrap())
            .unwrap();
        let theirs = std::net::UdpSocket::bind("0.0.0.0:5000").unwrap();
        theirs.set_read_timeout(Some(PATIENCE)).unwrap();
        theirs
            .join_multicast_v4(&GROUP, &"10.71.0.1".parse().unwrap())
            .unwrap();
        theirs.set_multicast_loop_v4(false).unwrap();
        theirs.send_to(b"hello", (GROUP, 5000)).unwrap();
        assert!(hears(&ours, PATIENCE));
        ours.set_multicast_loop_v4(false).unwrap();
        ours.send_to(b"hello", (GROUP, 5000)).unwrap();
        let (len, from) = theirs.recv_from(&mut [0; 16]).unwrap();
        assert_eq!((len, from.to_string().as_str()), (5, "10.71.0.2:5000"));
    });
}

#[test]
fn groups_of_ipv6() {
    let (a, b) = pair();
    let sender = a.udp_bind("[::]:0").unwrap();
    let member = b.udp_bind("[::]:5000").unwrap();
    member.join_multicast_v6(&GROUP_V6, 0).unwrap();
    sender.send_to(b"hello", (GROUP_V6, 5000)).unwrap();
    assert!(hears(&member, PATIENCE));
    member.leave_multicast_v6(&GROUP_V6, 1).unwrap();
    let unknown = member.join_multicast_v6(&GROUP_V6, 7).unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound);
}
