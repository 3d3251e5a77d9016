//! TAP and TUN against the real kernel.
#![cfg(target_os = "linux")]

mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use common::Need::{Program, Tun as TunDevice};
use common::{announced, eventually, in_namespace, pseudo_header, receive_until, run, send, sum};
use netloom_driver::{Driver, LinkState};
use netloom_host::device::{Device, DeviceError, Interest, Medium, Offload, Tap, Tun, Waiter};

const KERNEL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 71, 0, 1));
const KERNEL6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd71, 0, 0, 0, 0, 0, 0, 1));

fn udp_socket(address: IpAddr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).expect("the address is usable at once");
    socket.set_read_timeout(Some(common::PATIENCE)).unwrap();
    socket
}

#[test]
fn tap_resolves_and_carries_a_datagram() {
    in_namespace("tap_resolves_and_carries_a_datagram", &[TunDevice], || {
        let mut tap = Tap::create("nlt%d")
            .and_then(|tap| tap.with_offload(Offload::None))
            .unwrap();
        assert_eq!(tap.name(), "nlt0");
        assert_eq!(tap.mac()[0] & 3, 2, "a local station's address");
        let kernel_mac = [2, 0, 0, 0, 0, 1];
        tap.kernel_end()
            .unwrap()
            .mac(kernel_mac)
            .unwrap()
            .address(KERNEL, 24)
            .unwrap()
            .up()
            .unwrap();

        let socket = udp_socket(KERNEL);
        socket.send_to(b"hello", "10.71.0.2:9").unwrap();
        let request = receive_until(&mut tap, |frame, _| {
            (frame[12..14] == [8, 6] && frame[38..42] == [10, 71, 0, 2]).then(|| frame.to_vec())
        });
        assert_eq!(request[..6], [0xff; 6]);
        assert_eq!(request[22..28], kernel_mac);

        let mac = tap.mac();
        let mut reply = request.clone();
        reply[..6].copy_from_slice(&kernel_mac);
        reply[6..12].copy_from_slice(&mac);
        reply[21] = 2;
        reply[22..28].copy_from_slice(&mac);
        reply[28..32].copy_from_slice(&[10, 71, 0, 2]);
        reply[32..38].copy_from_slice(&kernel_mac);
        reply[38..42].copy_from_slice(&[10, 71, 0, 1]);
        assert!(send(&mut tap, &reply));

        let frame = receive_until(&mut tap, |frame, _| {
            (frame[12..14] == [8, 0] && frame[23] == 17).then(|| frame.to_vec())
        });
        assert_eq!(frame[..6], mac);
        assert_eq!(&frame[42..], b"hello");
        // Not offered to finish checksums, so the kernel must have.
        assert_eq!(
            sum(&frame[34..], pseudo_header(&frame[26..34], 17, 13)),
            0xffff
        );
        let counters = tap.counters();
        assert_eq!(
            (counters.tx_frames, counters.tx_dropped, counters.rx_errors),
            (1, 0, 0)
        );
        assert!(counters.rx_frames >= 2);
    });
}

/// Turns a UDP packet round: addresses and ports change places, so its checksum stays right.
fn turn_round(packet: &mut [u8]) {
    let (addresses, half) = if packet[0] >> 4 == 4 {
        (12, 4)
    } else {
        (8, 16)
    };
    let (from, to) = packet[addresses..addresses + 2 * half].split_at_mut(half);
    from.swap_with_slice(to);
    let udp = addresses + 2 * half;
    let (from, to) = packet[udp..udp + 4].split_at_mut(2);
    from.swap_with_slice(to);
}

#[test]
fn tun_carries_both_versions_both_ways() {
    in_namespace("tun_carries_both_versions_both_ways", &[TunDevice], || {
        let mut tun = Tun::create("nlt0")
            .and_then(|tun| tun.with_offload(Offload::None))
            .unwrap();
        assert_eq!(tun.medium(), Medium::Ip);
        let mut kernel = tun.kernel_end().unwrap();
        kernel
            .address(KERNEL, 24)
            .unwrap()
            .address(KERNEL6, 64)
            .unwrap()
            .up()
            .unwrap();
        // Again: what is there already is no error.
        kernel
            .address(KERNEL, 24)
            .unwrap()
            .address(KERNEL6, 64)
            .unwrap()
            .up()
            .unwrap();
        for (address, peer) in [(KERNEL, "10.71.0.2:9"), (KERNEL6, "[fd71::2]:9")] {
            let socket = udp_socket(address);
            socket.send_to(b"over and back", peer).unwrap();
            let mut packet = receive_until(&mut tun, |packet, _| {
                let udp = packet[0] >> 4 == 4 && packet[9] == 17
                    || packet[0] >> 4 == 6 && packet[6] == 17;
                udp.then(|| packet.to_vec())
            });
            turn_round(&mut packet);
            assert!(send(&mut tun, &packet));
            let mut buffer = [0; 64];
            let (len, from) = socket.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], b"over and back");
            assert_eq!(from, peer.parse().unwrap());
        }
    });
}

/// The kernel enters the route by which it delivers to a new IPv6 address in its own time, so each
/// order of the two calls is tried often.
#[test]
fn an_ipv6_listener_is_reachable_at_once() {
    in_namespace(
        "an_ipv6_listener_is_reachable_at_once",
        &[TunDevice],
        || {
            for turn in 0..100 {
                // A network of its own, as the interface before may linger: see
                // `an_interface_ends_with_its_device`.
                let kernel_address = Ipv6Addr::new(0xfd71, 0, 0, turn, 0, 0, 0, 1);
                let mut tun = Tun::create("nlt%d").unwrap();
                let mut kernel = tun.kernel_end().unwrap();
                if turn % 2 == 0 {
                    kernel
                        .address(kernel_address.into(), 64)
                        .unwrap()
                        .up()
                        .unwrap();
                } else {
                    kernel
                        .up()
                        .unwrap()
                        .address(kernel_address.into(), 64)
                        .unwrap();
                }
                let socket = udp_socket(kernel_address.into());
                let port = socket.local_addr().unwrap().port();
                // A UDP packet without payload.
                let mut packet = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
                packet.extend(Ipv6Addr::new(0xfd71, 0, 0, turn, 0, 0, 0, 2).octets());
                packet.extend(kernel_address.octets());
                packet.extend([[0, 9], port.to_be_bytes(), [0, 8], [0, 0]].concat());
                let checksum = !sum(&packet[40..], pseudo_header(&packet[8..40], 17, 8)) as u16;
                packet[46..].copy_from_slice(&checksum.to_be_bytes());
                assert!(send(&mut tun, &packet));
                assert_eq!(socket.recv_from(&mut [0]).expect("it arrives").0, 0);
            }
        },
    );
}

/// Where `/proc` is read-only the interface's own switch cannot be set: the address alone must do.
#[test]
fn an_ipv6_address_is_never_tentative() {
    let needs = [TunDevice, Program("ip")];
    in_namespace("an_ipv6_address_is_never_tentative", &needs, || {
        let tun = Tun::create("nlt0").unwrap();
        tun.kernel_end().unwrap().address(KERNEL6, 64).unwrap();
        run("ip link set nlt0 up");
        udp_socket(KERNEL6);
        let listed = run("ip -6 address show dev nlt0");
        let line = listed
            .lines()
            .find(|l| l.contains("fd71::1/64"))
            .expect("it is there");
        assert!(
            line.contains("nodad") && !line.contains("tentative"),
            "{line}"
        );
    });
}

#[test]
fn no_duplicate_address_detection_delays_the_kernel() {
    in_namespace(
        "no_duplicate_address_detection_delays_the_kernel",
        &[TunDevice],
        || {
            let mut tap = Tap::create("nlt0").unwrap();
            tap.kernel_end()
                .unwrap()
                .address(KERNEL6, 64)
                .unwrap()
                .up()
                .unwrap();
            // The kernel gives itself the link-local address some time after the interface is up,
            // and ends its being tentative later still.
            eventually("no usable link-local address", || {
                let addresses = std::fs::read_to_string("/proc/thread-self/net/if_inet6").unwrap();
                addresses.lines().any(|line| {
                    let flags = line
                        .split_whitespace()
                        .nth(4)
                        .expect("the flags are the fifth word");
                    let flags = u32::from_str_radix(flags, 16).expect("a hexadecimal number");
                    line.starts_with("fe80") && flags & 0x40 == 0
                })
            });
            let mut probes = 0;
            while tap.receive(&mut |frame, _| {
                // A neighbour solicitation from the unspecified address is a probe.
                let solicitation = frame[12..14] == [0x86, 0xdd] && frame[54] == 135;
                probes += u32::from(solicitation && frame[22..38] == [0; 16]);
            }) > 0
            {}
            assert_eq!(probes, 0);
        },
    );
}

#[test]
fn the_mtu_follows_the_interface() {
    in_namespace("the_mtu_follows_the_interface", &[TunDevice], || {
        let mut tap = Tap::create("nlt0").unwrap();
        assert_eq!((tap.mtu(), tap.sink().caps().mtu), (1500, 1500));
        tap.kernel_end().unwrap().mtu(1400).unwrap();
        assert!(announced(&tap));
        tap.refresh().unwrap();
        assert!(!announced(&tap));
        assert_eq!(tap.mtu(), 1400);
        assert_eq!(tap.sink().caps().mtu, 1400);
        let error = tap.kernel_end().unwrap().mtu(65_535).unwrap_err();
        assert!(matches!(error, DeviceError::Os { .. }));
        assert!(
            error
                .to_string()
                .contains("mtu greater than device maximum"),
            "{error}"
        );
    });
}

#[test]
fn arguments_no_station_can_have_are_refused() {
    in_namespace(
        "arguments_no_station_can_have_are_refused",
        &[TunDevice],
        || {
            let tap = Tap::create("nlt0").unwrap();
            let mut kernel = tap.kernel_end().unwrap();
            for (address, prefix_len) in [
                ("10.0.0.1", 33),
                ("fd00::1", 129),
                ("0.0.0.0", 24),
                ("224.0.0.1", 24),
                ("ff02::1", 64),
            ] {
                let result = kernel.address(address.parse().unwrap(), prefix_len);
                assert!(
                    matches!(result, Err(DeviceError::InvalidArgument { .. })),
                    "{address}"
                );
            }
            assert!(kernel.mac([1, 0, 0, 0, 0, 1]).is_err());
            assert!(tap.with_mac([0xff; 6]).is_err());
        },
    );
}

#[test]
fn an_interface_that_is_down_takes_frames_and_counts_them() {
    in_namespace(
        "an_interface_that_is_down_takes_frames_and_counts_them",
        &[TunDevice],
        || {
            let mut tap = Tap::create("nlt0").unwrap();
            assert_eq!(tap.link(), LinkState::Down);
            assert!(send(&mut tap, &[0; 60]));
            assert_eq!(tap.counters().tx_dropped, 1);
            assert!(tap.fault().is_none());
            tap.kernel_end().unwrap().up().unwrap();
            assert_eq!(tap.link(), LinkState::Up);
            assert!(send(&mut tap, &[0; 60]));
            assert_eq!(tap.counters().tx_frames, 1);
            tap.kernel_end().unwrap().down().unwrap();
            assert_eq!(tap.link(), LinkState::Down);
        },
    );
}

#[test]
fn a_removed_interface_is_a_fault_and_no_spin() {
    let needs = [TunDevice, Program("ip")];
    in_namespace("a_removed_interface_is_a_fault_and_no_spin", &needs, || {
        let mut tap = Tap::create("nlt0").unwrap();
        tap.kernel_end().unwrap().up().unwrap();
        run("ip link delete nlt0");
        let mut waiter = Waiter::new().unwrap();
        while tap.fault().is_none() {
            assert_eq!(
                waiter
                    .wait(&[&tap], Some(common::PATIENCE))
                    .unwrap()
                    .devices,
                1
            );
            tap.receive(&mut |_, _| {});
        }
        assert!(matches!(tap.fault(), Some(DeviceError::Removed { name }) if name == "nlt0"));
        assert_eq!(tap.link(), LinkState::Down);
        assert_eq!(tap.interest(), Interest::default());
        assert_eq!(tap.receive(&mut |_, _| {}), 0);
        // The descriptor is in error for ever, and the waiter sleeps all the same.
        let ready = waiter
            .wait(&[&tap], Some(Duration::from_millis(5)))
            .unwrap();
        assert_eq!(ready.devices, 0);
        assert!(send(&mut tap, &[0; 60]));
        assert_eq!(tap.counters().tx_dropped, 1);
        assert!(matches!(tap.kernel_end(), Err(DeviceError::Removed { .. })));
        assert!(matches!(tap.refresh(), Err(DeviceError::Removed { .. })));
    });
}

#[test]
fn removal_is_found_by_sending_too() {
    let needs = [TunDevice, Program("ip")];
    in_namespace("removal_is_found_by_sending_too", &needs, || {
        let mut tun = Tun::create("nlt0").unwrap();
        tun.kernel_end().unwrap().up().unwrap();
        run("ip link delete nlt0");
        assert!(send(&mut tun, &[0x45; 20]));
        assert!(matches!(tun.fault(), Some(DeviceError::Removed { .. })));
        assert_eq!(tun.counters().tx_dropped, 1);
    });
}

#[test]
fn an_interface_in_use_or_of_another_kind_says_so() {
    in_namespace(
        "an_interface_in_use_or_of_another_kind_says_so",
        &[TunDevice],
        || {
            let _tap = Tap::create("nlt0").unwrap();
            assert!(
                matches!(Tap::create("nlt0"), Err(DeviceError::Busy { name }) if name == "nlt0")
            );
            assert!(matches!(
                Tun::create("nlt0"),
                Err(DeviceError::WrongKind { .. })
            ));
            assert!(matches!(
                Tap::create("lo"),
                Err(DeviceError::WrongKind { .. })
            ));
            assert!(matches!(
                Tap::create("a/b"),
                Err(DeviceError::InvalidName { .. })
            ));
        },
    );
}

#[test]
fn an_interface_ends_with_its_device() {
    in_namespace("an_interface_ends_with_its_device", &[TunDevice], || {
        drop(Tap::create("nlt0").unwrap());
        // Not at once, if a program that another test starts has inherited the descriptor and not
        // come to closing it yet.
        eventually("the interface outlived its device", || {
            Tun::create("nlt0").is_ok()
        });
    });
}

#[test]
fn a_flood_comes_in_batches() {
    in_namespace("a_flood_comes_in_batches", &[TunDevice], || {
        let mut tun = Tun::create("nlt0").unwrap();
        tun.kernel_end()
            .unwrap()
            .address(KERNEL, 24)
            .unwrap()
            .up()
            .unwrap();
        let socket = udp_socket(KERNEL);
        for number in 0..200_u8 {
            socket.send_to(&[number], "10.71.0.2:9").unwrap();
        }
        let mut numbers = Vec::new();
        let mut batches = 0;
        while numbers.len() < 200 {
            let count = tun.receive(&mut |packet, _| {
                if packet[0] >> 4 == 4 && packet[9] == 17 {
                    numbers.push(packet[28]);
                }
            });
            assert!((1..=64).contains(&count), "{count} frames");
            batches += 1;
        }
        assert!(batches >= 4);
        assert!(numbers.iter().copied().eq(0..200));
    });
}

#[test]
fn a_received_descriptor_works_and_a_wrong_one_is_refused() {
    in_namespace(
        "a_received_descriptor_works_and_a_wrong_one_is_refused",
        &[TunDevice],
        || {
            let tap = Tap::create("nlt0").unwrap();
            tap.kernel_end()
                .unwrap()
                .address(KERNEL, 24)
                .unwrap()
                .up()
                .unwrap();
            let copy = || tap.as_fd().try_clone_to_owned().unwrap();
            assert!(matches!(
                Tun::from_owned_fd(copy(), 1500),
                Err(DeviceError::WrongKind { .. })
            ));
            let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
            assert!(matches!(
                Tap::from_owned_fd(null, 1500),
                Err(DeviceError::WrongKind { .. })
            ));
            let mut received = Tap::from_owned_fd(copy(), 1300).unwrap();
            assert_eq!((received.name(), received.mtu()), ("nlt0", 1300));
            assert_eq!(received.link(), LinkState::Up);
            udp_socket(KERNEL).send_to(b"x", "10.71.0.2:9").unwrap();
            receive_until(&mut received, |frame, _| {
                (frame[12..14] == [8, 6]).then_some(())
            });
        },
    );
}
