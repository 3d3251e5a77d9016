//! Groups: between two stacks, on one, and with the kernel over a TAP interface.
#![cfg(target_os = "linux")]

mod common;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Need, PATIENCE, in_namespace, run};
use netloom_driver::{Driver, FrameSink, LinkState, RxMeta};
use netloom_host::device::{Counters, Device, DeviceError, Interest, LinkEnd, Medium, Tap};
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

/// A device that remembers which groups it was told of.
#[derive(Debug)]
struct Told {
    device: LinkEnd,
    groups: Arc<Mutex<Vec<[u8; 6]>>>,
}

impl Driver for Told {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        self.device.receive(each)
    }
    fn sink(&mut self) -> &mut dyn FrameSink {
        self.device.sink()
    }
    fn link(&self) -> LinkState {
        self.device.link()
    }
    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        *self.groups.lock().unwrap() = groups.to_vec();
    }
}

impl AsFd for Told {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }
}

impl Device for Told {
    fn name(&self) -> &str {
        self.device.name()
    }
    fn medium(&self) -> Medium {
        self.device.medium()
    }
    fn mtu(&self) -> u16 {
        self.device.mtu()
    }
    fn refresh(&mut self) -> Result<(), DeviceError> {
        self.device.refresh()
    }
    fn interest(&self) -> Interest {
        self.device.interest()
    }
    fn fault(&self) -> Option<DeviceError> {
        self.device.fault()
    }
    fn counters(&mut self) -> Counters {
        self.device.counters()
    }
}

/// A NIC that lets only what it was told of pass must hear who asks for its addresses.
#[test]
fn the_device_knows_the_groups_of_the_stacks_own_addresses() {
    let (device, _far) = LinkEnd::pair(1500).unwrap();
    let groups = Arc::<Mutex<Vec<[u8; 6]>>>::default();
    let told = Told {
        device,
        groups: Arc::clone(&groups),
    };
    let net = Net::builder(told).address("fd00::12:3456/64");
    let net = net.start().unwrap();
    let knows = |group: [u8; 6]| groups.lock().unwrap().contains(&group);
    // All nodes; the solicited-node groups of its address and of the link-local one it has made.
    assert!(knows([0x33, 0x33, 0, 0, 0, 1]));
    assert!(knows([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
    assert!(knows([0x33, 0x33, 0xff, 0, 0, 1]));
    let first = netloom_stack::IfaceId::FIRST;
    let later = "fd00::65:4321/64".parse().unwrap();
    net.with_stack(|stack| stack.add_address(first, later))
        .unwrap();
    assert!(knows([0x33, 0x33, 0xff, 0x65, 0x43, 0x21]));
    assert!(knows([0x33, 0x33, 0xff, 0x12, 0x34, 0x56]));
}
