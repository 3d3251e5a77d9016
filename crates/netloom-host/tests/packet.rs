//! Packet sockets on veth pairs, against the real kernel.
#![cfg(target_os = "linux")]

mod common;

use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc;
use std::time::Duration;

use common::Need::Program;
use common::{
    announced, carries, eventually, experimental_frame, in_namespace, pseudo_header, receive_until,
    run, send, sum, veth_pair,
};
use netloom_driver::{Driver, LinkState, PartialChecksum, RxChecksum};
use netloom_host::device::{Device, DeviceError, Interest, Medium, PacketSocket, Waiter};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt,
};

const IP: &[common::Need] = &[Program("ip")];
const IP_AND_TC: &[common::Need] = &[Program("ip"), Program("tc")];

fn open_pair(name: &str) -> (PacketSocket, PacketSocket) {
    let (a, b) = veth_pair(name);
    (
        PacketSocket::open(&a).unwrap(),
        PacketSocket::open(&b).unwrap(),
    )
}

fn mac(device: &dyn Device) -> [u8; 6] {
    match device.medium() {
        Medium::Ethernet { mac } => mac,
        other => panic!("{other:?}"),
    }
}

/// Receives the next frame whose type is none of the kernel's own chatter.
fn receive_experimental(device: &mut dyn Device) -> Vec<u8> {
    receive_until(device, |frame, _| {
        (frame[12..14] == [0x88, 0xb5]).then(|| frame.to_vec())
    })
}

#[test]
fn frames_cross_and_come_back() {
    in_namespace("frames_cross_and_come_back", IP, || {
        let (mut a, mut b) = open_pair("nlp");
        assert_eq!((a.name(), a.mtu(), a.link()), ("nlp0", 1500, LinkState::Up));
        let mut beside_a = PacketSocket::open(a.name()).unwrap();
        let frame = experimental_frame(mac(&a), mac(&b), b"there");
        assert!(send(&mut a, &frame));
        assert_eq!(receive_experimental(&mut b), frame);
        let echo = experimental_frame(mac(&b), mac(&a), b"and back");
        assert!(send(&mut b, &echo));
        assert_eq!(receive_experimental(&mut a), echo);
        // The first frame it sees is the echo: not what this host sent.
        assert_eq!(receive_experimental(&mut beside_a), echo);
        assert_eq!((a.counters().tx_frames, a.counters().rx_overruns), (1, 0));
    });
}

#[test]
fn a_local_senders_checksum_is_told_to_be_partial() {
    in_namespace("a_local_senders_checksum_is_told_to_be_partial", IP, || {
        let (a, b) = veth_pair("nlp");
        run(&format!("ip address add 10.72.0.1/24 dev {a}"));
        run(&format!(
            "ip neigh add 10.72.0.2 lladdr 02:00:00:00:00:02 dev {a}"
        ));
        let mut device = PacketSocket::open(&b).unwrap();
        let sender = UdpSocket::bind("10.72.0.1:0").unwrap();
        sender.send_to(b"odd", "10.72.0.2:9").unwrap();
        let (mut frame, checksum) = receive_until(&mut device, |frame, meta| {
            (frame[12..14] == [8, 0]).then(|| (frame.to_vec(), meta.checksum))
        });
        let RxChecksum::Partial(PartialChecksum { start, offset }) = checksum else {
            panic!("{checksum:?}");
        };
        assert_eq!((start, offset), (34, 6));
        // Finished as the contract says, it is right.
        let (start, field) = (usize::from(start), usize::from(start + offset));
        let finished = !(sum(&frame[start..], 0) as u16);
        frame[field..field + 2].copy_from_slice(&finished.to_be_bytes());
        assert_eq!(
            sum(&frame[34..], pseudo_header(&frame[26..34], 17, 11)),
            0xffff
        );
    });
}

#[test]
fn vlan_tags_arrive_as_they_were_sent() {
    in_namespace("vlan_tags_arrive_as_they_were_sent", IP, || {
        let (mut a, mut b) = open_pair("nlp");
        let addresses = [mac(&b), mac(&a)].concat();
        for tags in [
            [0x81, 0x00, 0x20, 0x07].as_slice(),
            &[0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x00, 0x06],
        ] {
            let mut frame = [&addresses, tags, &[0x88, 0xb5], b"tagged"].concat();
            frame.resize(64, 0);
            assert!(send(&mut a, &frame));
            let arrived = receive_until(&mut b, |frame, _| {
                (frame[12..14] == tags[..2]).then(|| frame.to_vec())
            });
            assert_eq!(arrived, frame);
        }
    });
}

#[test]
fn a_removed_interface_is_a_fault_and_no_spin() {
    in_namespace("a_removed_interface_is_a_fault_and_no_spin", IP, || {
        let (mut a, mut b) = open_pair("nlp");
        run("ip link delete nlp0");
        let mut waiter = Waiter::new().unwrap();
        assert!(
            waiter
                .wait(&[&a, &b], Some(common::PATIENCE))
                .unwrap()
                .devices
                > 0
        );
        for device in [&mut a, &mut b] {
            eventually("the removal was never noticed", || {
                device.receive(&mut |_, _| {});
                matches!(device.fault(), Some(DeviceError::Removed { .. }))
            });
            assert_eq!(device.link(), LinkState::Down);
            assert!(send(device, &[0; 60]));
            assert_eq!(device.interest(), Interest::default());
            let counters = device.counters();
            assert_eq!((counters.tx_frames, counters.tx_dropped), (0, 1));
        }
        let ready = waiter
            .wait(&[&a, &b], Some(Duration::from_millis(5)))
            .unwrap();
        assert_eq!(ready.devices, 0);
    });
}

#[test]
fn an_interface_set_down_and_up_again_carries_on() {
    in_namespace("an_interface_set_down_and_up_again_carries_on", IP, || {
        let (mut a, mut b) = open_pair("nlp");
        run("ip link set nlp1 down");
        assert_eq!(b.link(), LinkState::Down);
        eventually("the loss of the carrier was never noticed", || {
            a.link() == LinkState::Down
        });
        let mut waiter = Waiter::new().unwrap();
        waiter.wait(&[&b], Some(common::PATIENCE)).unwrap();
        b.receive(&mut |_, _| {});
        assert!(b.fault().is_none());
        // The kernel reports it once; after that there is nothing to wake for.
        let ready = waiter.wait(&[&b], Some(Duration::from_millis(5))).unwrap();
        assert_eq!(ready.devices, 0);
        assert!(send(&mut b, &[0; 60]));
        assert_eq!(b.counters().tx_dropped, 1);
        run("ip link set nlp1 name renamed");
        run("ip link set renamed up");
        carries("renamed");
        carries("nlp0");
        assert_eq!((a.link(), b.link()), (LinkState::Up, LinkState::Up));
        b.refresh().unwrap();
        assert_eq!(b.mtu(), 1500);
        let frame = experimental_frame(mac(&a), mac(&b), b"again");
        assert!(send(&mut a, &frame));
        assert_eq!(receive_experimental(&mut b), frame);
    });
}

#[test]
fn a_frame_too_long_teaches_the_mtu() {
    in_namespace("a_frame_too_long_teaches_the_mtu", IP, || {
        let (mut a, _b) = open_pair("nlp");
        run("ip link set nlp0 mtu 1000");
        assert_eq!(a.sink().caps().mtu, 1500);
        assert!(send(
            &mut a,
            &experimental_frame([2; 6], [2; 6], &[0; 1500])
        ));
        assert_eq!(a.counters().tx_dropped, 1);
        assert_eq!(a.sink().caps().mtu, 1000);
        run("ip link set nlp0 mtu 1300");
        assert!(announced(&a));
        a.refresh().unwrap();
        assert!(!announced(&a));
        assert_eq!(a.mtu(), 1300);
        run("ip link set nlp1 down");
        eventually("the loss of the carrier was never announced", || {
            announced(&a)
        });
        eventually("the loss of the carrier was never noticed", || {
            a.link() == LinkState::Down
        });
        run("ip link delete nlp0");
        assert!(announced(&a));
        assert!(matches!(a.refresh(), Err(DeviceError::Removed { .. })));
        assert!(matches!(a.fault(), Some(DeviceError::Removed { .. })));
    });
}

#[test]
fn a_socket_from_another_namespace_works() {
    in_namespace("a_socket_from_another_namespace_works", IP, || {
        let (mut a, b) = open_pair("nlp");
        run("ip link set nlp1 mtu 1234");
        let (give, given) = mpsc::channel::<OwnedFd>();
        let (tell, told) = mpsc::channel();
        give.send(b.as_fd().try_clone_to_owned().unwrap()).unwrap();
        let (from, to) = (mac(&a), mac(&b));
        let elsewhere = std::thread::spawn(move || {
            in_namespace(
                "a_socket_from_another_namespace_works (inner)",
                &[],
                move || {
                    let mut device = PacketSocket::from_owned_fd(given.recv().unwrap()).unwrap();
                    assert_eq!((device.name(), device.mtu()), ("nlp1", 1234));
                    assert_eq!((mac(&device), device.link()), (to, LinkState::Up));
                    tell.send(()).unwrap();
                    let frame = receive_experimental(&mut device);
                    assert!(frame.ends_with(&[0]) && frame[14..].starts_with(b"outside"));
                },
            );
        });
        told.recv().unwrap();
        assert!(send(&mut a, &experimental_frame(from, to, b"outside")));
        elsewhere.join().unwrap();
    });
}

#[test]
fn what_is_no_bound_packet_socket_is_refused() {
    in_namespace("what_is_no_bound_packet_socket_is_refused", IP, || {
        run("ip link set lo up");
        // Its bound address, read as a packet socket's, names an interface.
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let kind = |kind| {
            let all = SockProtocol::EthAll;
            socket(AddressFamily::Packet, kind, SockFlag::empty(), all).unwrap()
        };
        for fd in [
            udp.into(),
            file.into(),
            kind(SockType::Datagram),
            kind(SockType::Raw),
        ] {
            let error = PacketSocket::from_owned_fd(fd).unwrap_err();
            assert!(matches!(error, DeviceError::WrongKind { .. }), "{error}");
        }
        let (_a, b) = open_pair("nlp");
        let copy = b.as_fd().try_clone_to_owned().unwrap();
        run("ip link delete nlp0");
        let error = PacketSocket::from_owned_fd(copy).unwrap_err();
        assert!(matches!(error, DeviceError::Removed { .. }), "{error}");
        let error = PacketSocket::open("nlp0").unwrap_err();
        assert_eq!(error.to_string(), "there is no interface nlp0");
    });
}

#[test]
fn memberships_come_and_go() {
    in_namespace("memberships_come_and_go", IP, || {
        let (mut a, _b) = open_pair("nlp");
        let promiscuous = || run("ip -d link show nlp0").contains("promiscuity 1");
        let groups = || run("ip maddress show dev nlp0");
        a.set_promiscuous(true).unwrap();
        a.set_promiscuous(true).unwrap();
        assert!(promiscuous());
        a.set_promiscuous(false).unwrap();
        assert!(!promiscuous());
        let (first, second) = ([1, 0, 0x5e, 1, 2, 3], [1, 0, 0x5e, 4, 5, 6]);
        a.set_multicast(&[first, second]);
        a.set_multicast(&[second, second]);
        assert!(!groups().contains("01:00:5e:01:02:03"));
        assert!(groups().contains("01:00:5e:04:05:06"));
        a.set_multicast(&[]);
        assert!(!groups().contains("01:00:5e:04:05:06"));
    });
}

/// The socket's send buffer is full while the interface's queue holds its frames: the kernel says
/// EAGAIN. Nothing may be lost or change places.
#[test]
fn a_slow_interface_holds_frames_back_and_loses_none() {
    in_namespace(
        "a_slow_interface_holds_frames_back_and_loses_none",
        IP_AND_TC,
        || {
            let (mut a, mut b) = open_pair("nlp");
            run("tc qdisc add dev nlp0 root tbf rate 20mbit burst 2000 limit 1000000");
            setsockopt(&a, sockopt::SndBuf, &8_000).unwrap();
            let mut waiter = Waiter::new().unwrap();
            let (mut sent, mut blocked, mut arrived) = (0_u8, 0, Vec::new());
            while arrived.len() < 100 {
                while sent < 100 && send(&mut a, &experimental_frame([2; 6], [4; 6], &[sent; 1400]))
                {
                    sent += 1;
                }
                blocked += u32::from(a.interest().writable);
                let ready = waiter.wait(&[&a, &b], Some(common::PATIENCE)).unwrap();
                assert!(ready.devices > 0, "a frame was lost");
                a.receive(&mut |_, _| {});
                b.receive(&mut |frame, _| {
                    if frame[12..14] == [0x88, 0xb5] {
                        arrived.push(frame[14]);
                    }
                });
            }
            assert!(arrived.iter().copied().eq(0..100));
            assert!(blocked > 0, "the test has not tested anything");
            let counters = a.counters();
            assert_eq!((counters.tx_frames, counters.tx_dropped), (100, 0));
            assert!(counters.tx_deferred > 0);
            assert_eq!(a.interest().retry_at, None);
        },
    );
}

/// The interface's queue is full: the kernel says ENOBUFS, and poll(2) that all is well.
#[test]
fn a_full_queue_is_retried_later_and_in_the_end_dropped() {
    in_namespace(
        "a_full_queue_is_retried_later_and_in_the_end_dropped",
        IP_AND_TC,
        || {
            let (mut a, _b) = open_pair("nlp");
            // A frame goes every 11 s, and one or two wait.
            run("tc qdisc add dev nlp0 root tbf rate 1kbit burst 2000 limit 3000");
            let mut waiter = Waiter::new().unwrap();
            let (mut taken, mut full) = (0, 0);
            while a.counters().tx_dropped < 3 {
                if send(&mut a, &experimental_frame([2; 6], [4; 6], &[0; 1400])) {
                    taken += 1;
                } else {
                    full += 1;
                    assert!(a.interest().retry_at.is_some() && !a.interest().writable);
                    waiter.wait(&[&a], Some(common::PATIENCE)).unwrap();
                }
            }
            assert!(full > 0);
            let waiting = u64::from(a.interest().retry_at.is_some());
            let counters = a.counters();
            assert_eq!(counters.tx_frames + counters.tx_dropped + waiting, taken);
        },
    );
}
