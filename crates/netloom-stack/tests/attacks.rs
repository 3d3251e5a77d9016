//! Classes of attack and failure, each with the bound that it is held to. They are numbered as
//! in the project's list of attack classes.
#![cfg(all(feature = "tcp", feature = "udp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6", feature = "alloc"))]
mod common;

use common::trace::{Conn, IF, IRS, Link, Net, OUR_MAC, PEER_MAC, PEER_PORT, PORT, Packet, Setup};
use common::trace::{V4, V6, addr, every, every_ethernet, icmp_packet, ip_packet, tcp, udp_packet};
use common::{Pair, Profile, Random};
use netloom_stack::driver::RxMeta;
use netloom_stack::tcp::How;
use netloom_stack::wire::{Addr, EtherType, MacAddr, protocol};
use netloom_stack::{
    Config, DropReason, Error, InterfaceConfig, Layer, Limits, Seed, Stack, State,
};

fn open(net: &mut Net) -> Conn {
    let listener = net.listen(PORT);
    net.accepted(listener, PEER_PORT)
}

#[test]
fn class_01_no_length_field_makes_a_byte_readable_that_did_not_arrive() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let socket = net.stack.udp_bind(5_000).unwrap();
        let good = udp_packet((net.peer, 9), (net.us, 5_000), b"0123456789abcdef");
        let at = net.pick(2, 4);
        let header = net.pick(20, 40);
        let mut buffer = [0; 256];
        for field in 0..=(good.len() as u16 + 20) {
            for len in 0..=good.len() + 8 {
                let mut packet = good.clone();
                packet.resize(len, 0xee);
                if let Some(place) = packet.get_mut(at..at + 2) {
                    place.copy_from_slice(&field.to_be_bytes());
                }
                if let (false, Some(header)) = (net.v6(), packet.get_mut(..20)) {
                    header[10..12].fill(0);
                    let sum = netloom_stack::wire::Sum::new().add(header).finish();
                    header[10..12].copy_from_slice(&sum.to_be_bytes());
                }
                net.stack.receive(net.now, IF, &packet, &RxMeta::VERIFIED);
                if let Ok(received) = net.stack.udp_recv(socket, &mut buffer) {
                    let total = usize::from(field) + net.pick(0, 40);
                    assert!(total <= len && received.copied <= total - header - 8);
                    assert!(!buffer[..received.copied].contains(&0xee));
                }
            }
        }
        net.out.clear();
        net.balance();
    }
}

#[test]
fn class_06_every_option_kind_and_length_is_survived() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let conn = open(&mut net);
        for kind in 0..=255 {
            for len in 0..=255 {
                // At the very end of the header, and with bytes behind it.
                for options in [&[1, 1, kind, len][..], &[kind, len, 0, 0, 0, 0, 0, 0]] {
                    net.queue_segment(conn.tcp(".").raw_options(options));
                    net.queue_segment(tcp("S").peer_port(7).port(81).raw_options(options));
                    net.pump();
                    assert!(net.out.len() <= 2);
                    net.out.clear();
                }
            }
        }
        assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Established));
        net.send(conn.tcp("P.").data(b"ok"));
        assert_eq!(net.read(&conn), b"ok");
    }
}

#[test]
fn class_07_a_data_offset_outside_the_segment_is_dropped() {
    every(|mut net| {
        let conn = open(&mut net);
        let header = net.pick(20, 40);
        for offset in 0..16_u8 {
            for len in 0..60 {
                let mut packet = net.packet_of(&conn.tcp("P.").data(&[1; 40]));
                packet[header + 12] = offset << 4;
                let segment = packet[header..header + len].to_vec();
                let (src, dst) = (net.peer, net.us);
                let packet = ip_packet(src, dst, protocol::TCP, 64, 0, &segment);
                let before = net.stack.counters().dropped(DropReason::TcpMalformed);
                let frame = net.frame_of(OUR_MAC, &packet);
                net.stack.receive(net.now, IF, &frame, &RxMeta::VERIFIED);
                let bad = offset < 5 || usize::from(offset) * 4 > len;
                let dropped = net.stack.counters().dropped(DropReason::TcpMalformed) - before;
                assert!(!bad || dropped == 1, "offset {offset} of {len} bytes");
                let _ = net.read(&conn);
                // Go back to where the connection was.
                net.out.clear();
                if !bad && usize::from(offset) * 4 < len {
                    return;
                }
            }
        }
    });
}

#[test]
fn class_08_no_urgent_pointer_touches_the_data() {
    every(|mut net| {
        let mut conn = open(&mut net);
        for urg in (0..=u16::MAX).step_by(251).chain([1, 2, 3, 4, 5, u16::MAX]) {
            net.send(conn.tcp("P.U").urg(urg).data(b"data"));
            conn.seq += 4;
            assert_eq!(net.read(&conn), b"data");
            net.send(conn.tcp("U.").urg(urg));
            net.out.clear();
        }
        net.send(conn.tcp("P.").urg(9).data(b"unset"));
        assert_eq!(net.read(&conn), b"unset");
        assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Established));
    });
}

/// The ISNs of SYN-ACKs to many tuples at one instant, by the low 14 bits of the peer's port.
fn isns(setup: Setup, seed: u8, tune: impl FnOnce(&mut netloom_stack::Tunables)) -> Vec<u32> {
    let mut config = Config::new(InterfaceConfig::ip())
        .address("10.0.0.1/24".parse().unwrap())
        .address("fd00::1/64".parse().unwrap());
    tune(&mut config.tunables);
    let mut net = Net::new(setup);
    net.stack = Stack::with_heap(config, Limits::default(), Seed::from([seed; 32]));
    net.listen_with(PORT, 1);
    (0..1 << 14)
        .map(|n| {
            net.send(tcp("S").peer_port(0x8000 | n));
            let isn = net.segment().tcp.seq;
            net.send(tcp("R").seq(IRS + 1).peer_port(0x8000 | n));
            net.out.clear();
            isn
        })
        .collect()
}

/// That `bits` of the numbers look random: each bit is set half of the time, alone, in the
/// difference of neighbours, and in the sum that is zero for anything linear.
fn assert_unpredictable(numbers: &[u32], bits: core::ops::Range<u32>) {
    let n = numbers.len();
    let neighbours = |i: usize| numbers[i] ^ numbers[i ^ 1];
    let linear = |i: usize| {
        let (a, b) = (i, (i * 7 + 3) % n);
        let (c, d) = ((i * 5 + 11) % n, a ^ b ^ ((i * 5 + 11) % n));
        numbers[a] ^ numbers[b] ^ numbers[c] ^ numbers[d]
    };
    // Six standard deviations of a fair coin thrown n times.
    let slack = 3.0 * (n as f64).sqrt();
    for bit in bits {
        for (name, of) in [
            ("itself", &(|i| numbers[i]) as &dyn Fn(usize) -> u32),
            ("its neighbours", &neighbours),
            ("a linear sum", &linear),
        ] {
            // Sums in which two terms cancel say nothing.
            let values: Vec<u32> = (0..n).map(of).filter(|v| *v != 0).collect();
            assert!(values.len() > n * 9 / 10, "{name} is mostly zero");
            let ones = values.iter().filter(|v| **v >> bit & 1 == 1).count() as f64;
            let off = (ones - values.len() as f64 / 2.0).abs();
            assert!(off < slack, "bit {bit} of {name}: {ones} of {n}");
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# F() MUST NOT be computable from the outside (MUST-9),
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# SHOULD
//# generate its initial sequence numbers with the expression:
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# where M is the 4 microsecond timer, and F() is a pseudorandom
//# function (PRF) of the connection's identifying parameters ("localip,
//# localport, remoteip, remoteport") and a secret key ("secretkey")
//# (SHLD-1).
#[test]
fn class_09_sequence_numbers_are_unpredictable_across_tuples_and_restarts() {
    //= https://www.rfc-editor.org/rfc/rfc6528#section-3
    //= type=test
    //# TCP SHOULD generate its Initial Sequence Numbers with the expression:
    //= https://www.rfc-editor.org/rfc/rfc6528#section-3
    //= type=test
    //# F() MUST NOT be computable from
    //# the outside, or an attacker could still guess at sequence numbers
    //# from the ISN used for some other connection.
    for setup in [V4, V6] {
        let first = isns(setup, 1, |_| {});
        assert_unpredictable(&first, 0..32);
        // Another secret after a restart: nothing learned before helps.
        let second = isns(setup, 2, |_| {});
        let both: Vec<u32> = first.iter().zip(&second).map(|(a, b)| a ^ b).collect();
        assert_unpredictable(&both, 0..32);
        assert!(
            first == isns(setup, 1, |_| {}),
            "the same seed, the same numbers"
        );
    }
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# A TCP implementation MUST use the above type of "clock" for clock-
//# driven selection of initial sequence numbers (MUST-8),
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# SHOULD
//# generate its initial sequence numbers with the expression:
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.4.1
//= type=test
//# where M is the 4 microsecond timer, and F() is a pseudorandom
//# function (PRF) of the connection's identifying parameters ("localip,
//# localport, remoteip, remoteport") and a secret key ("secretkey")
//# (SHLD-1).
#[test]
fn class_09_the_clock_component_advances_every_four_microseconds() {
    every(|mut net| {
        net.listen(PORT);
        let mut isn = |micros: u64| {
            net.pass(micros);
            net.send(tcp("S"));
            let isn = net.segment().tcp.seq;
            net.send(tcp("R").seq(IRS + 1));
            isn
        };
        let first = isn(0);
        assert_eq!(isn(4_000).wrapping_sub(first), 1_000);
        assert_eq!(isn(1_000_000).wrapping_sub(first), 251_000);
    });
}

#[test]
fn class_09_timestamps_tell_nothing_of_other_connections() {
    //= https://www.rfc-editor.org/rfc/rfc7323#section-7
    //= type=test
    //# It is therefore RECOMMENDED to generate a
    //# random, per-connection offset to be used with the clock source when
    //# generating the Timestamps option value (see Section 5.4).
    //= https://www.rfc-editor.org/rfc/rfc7323#section-7.1
    //= type=test
    //# It is therefore RECOMMENDED to generate a random, per-
    //# connection offset to be used with the clock source when generating
    //# the Timestamps option value (see Section 5.4).
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        net.listen(PORT);
        let values: Vec<u32> = (0..1 << 12)
            .map(|n| {
                let peer = 0x8000 | n;
                net.send(tcp("S").peer_port(peer).ts(1, 0));
                let value = net.segment().tcp.options.timestamps.unwrap().value;
                net.send(tcp("R").seq(IRS + 1).peer_port(peer));
                net.out.clear();
                value
            })
            .collect();
        assert_unpredictable(&values, 0..32);
    }
}

#[test]
fn class_09_syn_cookies_are_unpredictable_too() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        net.listen_with(PORT, 1);
        net.send(tcp("S").peer_port(1));
        net.out.clear();
        let cookies: Vec<u32> = (0..1 << 13)
            .map(|n| {
                net.send(tcp("S").peer_port(0x8000 | n));
                net.segment().tcp.seq
            })
            .collect();
        assert_eq!(net.stack.counters().tcp_syn_cookies_sent, 1 << 13);
        // The low eight bits are the time and the MSS, as anybody may know.
        assert_unpredictable(&cookies, 8..32);
    }
}

//= https://www.rfc-editor.org/rfc/rfc6056#section-3.3
//= type=test
//# Ephemeral port selection algorithms SHOULD obfuscate the selection of
//# their ephemeral ports, since this helps to mitigate a number of
//# attacks that depend on the attacker's ability to guess or know the
//# five-tuple that identifies the transport-protocol instance to be
//# attacked.
#[test]
fn class_10_ports_towards_one_peer_tell_nothing_of_those_towards_another() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let mut ports = Vec::new();
        for peer in 1..=4_096_u16 {
            let to = net.socket(net.peer, peer);
            let handle = net.stack.tcp_connect(to).unwrap();
            ports.push(u32::from(net.stack.tcp_local_addr(handle).unwrap().port()));
            net.stack.tcp_abort(handle).unwrap();
            net.stack.tcp_close(handle).unwrap();
        }
        assert!(ports.iter().all(|port| (32_768..=60_999).contains(port)));
        // The range is no power of two: its low bits are fair, the high ones cannot be.
        assert_unpredictable(&ports, 0..10);
    }
}

#[test]
fn class_10_udp_ports_are_unpredictable() {
    for setup in [V4, V6] {
        let mut net = Net::new(setup);
        let ports: Vec<u32> = (0..4_096)
            .map(|_| {
                let socket = net.stack.udp_bind(0).unwrap();
                let port = net.stack.udp_local_addr(socket).unwrap().port();
                net.stack.udp_close(socket).unwrap();
                u32::from(port)
            })
            .collect();
        assert_unpredictable(&ports, 0..10);
    }
}

//= https://www.rfc-editor.org/rfc/rfc6864#section-4.1
//= type=test
//# Originating sources MAY set the IPv4 ID field of atomic datagrams to
//# any value.
#[test]
fn class_10_the_identification_counts_nothing() {
    every(|mut net| {
        let conn = open(&mut net);
        let socket = net.stack.udp_bind(5_000).unwrap();
        for n in 0..20 {
            net.write(&conn, b"x");
            net.stack.udp_send_to(socket, b"y", net.peer_at(9)).unwrap();
            net.send_udp(9, 6_000 + n, b"closed");
        }
        while let Some(packet) = net.pop() {
            let ident = match &packet {
                Packet::Tcp(segment) => segment.ip.ident,
                Packet::Udp(datagram) => datagram.ip.ident,
                Packet::Icmp(icmp) => icmp.ip.ident,
                Packet::Arp { .. } => 0,
            };
            assert_eq!(ident, 0, "{packet:?}");
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc5961#section-7
//= type=test
//# An implementation SHOULD include an ACK throttling mechanism to be
//# conservative.
#[test]
fn class_11_challenges_are_limited_per_connection_not_globally() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let a = net.accepted(listener, PEER_PORT);
        let b = net.accepted(listener, PEER_PORT + 1);
        for _ in 0..500 {
            net.send(a.tcp("R").seq(a.seq + 9));
        }
        net.expect(a.reply("."));
        net.silent();
        // What happened to the one tells nothing about the other (CVE-2016-5696).
        net.send(b.tcp("R").seq(b.seq + 9));
        net.expect(b.reply("."));
    });
}

#[test]
fn class_12_two_stacks_with_closed_windows_do_not_storm() {
    for profile in [Profile::Heap, Profile::Lent] {
        for to in ["10.0.0.2", "fd00::2"] {
            let mut pair = Pair::new(profile, false);
            let listener = pair.b.tcp_listen(80).unwrap();
            let to = std::net::SocketAddr::new(to.parse().unwrap(), 80);
            let a = pair.a.tcp_connect(to).unwrap();
            pair.settle();
            let b = pair.b.tcp_accept(listener).unwrap().unwrap();
            // Both write until nothing more fits, neither reads.
            for _ in 0..1_000 {
                let one = pair.a.tcp_write(a, &[1; 4_096]);
                let other = pair.b.tcp_write(b, &[2; 4_096]);
                pair.pass(100_000);
                if one.is_err() && other.is_err() {
                    break;
                }
            }
            pair.pass(10_000_000);
            // Ten minutes of probes in both directions, each answered once.
            let mut carried = 0;
            let end = pair.now.plus_micros(600_000_000);
            while pair.now < end {
                carried += pair.step(10_000_000);
            }
            assert!(carried <= 80, "{carried} packets in ten minutes");
            assert_eq!(pair.a.tcp_state(a), Ok(State::Established));
        }
    }
}

#[test]
fn class_14_single_octets_out_of_order_cost_a_bounded_list() {
    every(|mut net| {
        let mut conn = open(&mut net);
        let mut random = Random(3);
        for _ in 0..20_000 {
            let offset = 1 + random.below(5_000) as u32;
            let byte = (offset % 251) as u8;
            net.queue_segment(conn.tcp("P.").seq(conn.seq + offset).data(&[byte]));
        }
        net.pump();
        assert!(net.out.len() <= 20_000);
        net.out.clear();
        assert!(net.stack.counters().dropped(DropReason::TcpRangesFull) > 10_000);
        // Nothing was lost by it: what is repeated in order arrives.
        let data: Vec<u8> = (0..5_001_u32).map(|n| (n % 251) as u8).collect();
        for piece in data.chunks(1_000) {
            net.send(conn.tcp("P.").data(piece));
            conn.seq += piece.len() as u32;
        }
        assert!(net.read(&conn) == data);
    });
}

#[test]
fn class_15_a_flood_of_syns_takes_a_bounded_queue_and_honest_clients_get_through() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 2);
        let mut random = Random(1);
        for n in 0..50_000_u32 {
            let from = random.next().to_be_bytes();
            let from = net.pick(
                Addr::v4([192, 0, 2, from[0]]),
                addr(&format!("2001:db8::{:x}", from[0])),
            );
            let port = random.next() as u16;
            net.queue_segment(tcp("S").seq(n).from(from).peer_port(port).mss(1_460));
            if n % 16 == 0 {
                net.pump();
                net.out.clear();
            }
            assert!(net.stack.tcp_backlog(listener).unwrap().half_open <= 2);
        }
        net.pump();
        net.out.clear();
        let counters = net.stack.counters();
        assert!(counters.tcp_syn_cookies_sent + counters.dropped_by(Layer::Output) > 49_000);
        // An honest client: its cookie comes back with the request.
        net.send(tcp("S").mss(500));
        let syn_ack = net.expect(tcp("S.").ack(IRS + 1));
        let ack = syn_ack.tcp.seq.wrapping_add(1);
        net.send(tcp("P.").seq(IRS + 1).ack(ack).data(b"request"));
        let handle = net.stack.tcp_accept(listener).unwrap().expect("accepted");
        assert_eq!(net.stack.tcp_readable(handle), Ok(7));
        assert_eq!(net.stack.counters().tcp_syn_cookies_accepted, 1);
        // Its MSS was remembered, rounded down.
        net.out.clear();
        net.stack.tcp_write(handle, &[0; 3_000]).unwrap();
        net.pump();
        let len = net.segment().data.len();
        assert!((216..=500).contains(&len), "{len}");
        // The flood over, everything is given up by itself.
        net.out.clear();
        net.stack.tcp_abort(handle).unwrap();
        net.stack.tcp_close(handle).unwrap();
        net.pass_s(200);
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
    });
}

#[test]
fn class_15_only_a_fresh_cookie_of_the_same_tuple_opens_a_connection() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 1);
        net.send(tcp("S").peer_port(1));
        net.out.clear();
        net.send(tcp("S").mss(1_460));
        let cookie = net.expect(tcp("S.")).tcp.seq;
        let ack = cookie.wrapping_add(1);
        // Another port, another number, none at all. Nothing is said while cookies are out: it
        // could be a segment that overtook its cookie.
        net.send(tcp(".").seq(IRS + 1).ack(ack).peer_port(PEER_PORT + 1));
        for wrong in [0, 1, ack.wrapping_add(1), ack ^ 1 << 20] {
            net.send(tcp(".").seq(IRS + 1).ack(wrong));
        }
        net.send(tcp(".").seq(IRS + 101).ack(ack));
        net.silent();
        assert_eq!(net.stack.tcp_accept(listener), Ok(None));
        // Too late.
        net.pass_s(300);
        net.out.clear();
        net.send(tcp(".").seq(IRS + 1).ack(ack));
        net.expect(tcp("R").seq(ack));
        assert_eq!(net.stack.tcp_accept(listener), Ok(None));
        assert_eq!(net.stack.counters().tcp_syn_cookies_accepted, 0);
    });
}

#[test]
fn class_16_time_wait_is_capped_and_the_oldest_gives_way() {
    let setup = Setup {
        profile: Profile::Lent,
        ..V4
    };
    for setup in [setup, Setup { v6: true, ..setup }] {
        let mut net = Net::new(setup);
        let listener = net.listen(PORT);
        let mut conns = Vec::new();
        for n in 0..40 {
            let mut conn = net.accepted(listener, PEER_PORT + n);
            net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
            net.pump();
            net.out.clear();
            conn.ack = conn.ack.wrapping_add(1);
            net.send(conn.tcp("F."));
            conn.seq += 1;
            net.expect(conn.reply("."));
            net.stack.tcp_close(conn.handle).unwrap();
            conns.push(conn);
        }
        // Eight connections have room for sixteen entries.
        assert_eq!(net.stack.counters().tcp_time_wait_evicted, 24);
        net.send(conns[0].tcp("F.").seq(IRS + 1));
        net.expect(tcp("R"));
        net.send(conns[39].tcp("F.").seq(IRS + 1));
        net.expect(conns[39].reply("."));
        net.pass_s(61);
        assert_eq!(net.stack.next_deadline(), None);
    }
}

#[test]
fn class_16_fin_wait_2_without_an_owner_ends() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.stack.tcp_close(conn.handle).unwrap();
        net.pump();
        net.expect(conn.reply("F."));
        conn.ack = conn.ack.wrapping_add(1);
        net.send(conn.tcp("."));
        net.pass_s(61);
        net.out.clear();
        net.send(conn.tcp("."));
        net.expect(tcp("R").seq(conn.ack));
    });
}

#[test]
fn class_16_orphans_with_closed_windows_are_bounded_in_number_and_time() {
    every(|net| {
        let mut net = Net::with(net.setup, |tunables| tunables.tcp_max_orphans = 2);
        let listener = net.listen(PORT);
        let mut resets = 0;
        for n in 0..6 {
            let conn = net.accepted(listener, PEER_PORT + n);
            net.send(conn.tcp(".").win(0));
            net.stack.tcp_write(conn.handle, b"never taken").unwrap();
            net.stack.tcp_close(conn.handle).unwrap();
            net.pump();
            while let Some(Packet::Tcp(segment)) = net.pop() {
                resets += usize::from(segment.tcp.flags.rst());
            }
        }
        assert_eq!(resets, 4, "two may finish on their own");
        // A silent peer does not keep them for good.
        net.pass_s(3_600);
        net.out.clear();
        assert_eq!(net.stack.next_deadline(), None);
        net.accepted(listener, PEER_PORT + 100);
    });
}

#[test]
fn class_21_a_scan_through_the_host_leaves_used_neighbours_alone() {
    every_ethernet(|mut net| {
        let conn = open(&mut net);
        let socket = net.stack.udp_bind(5_000).unwrap();
        for n in 1..=200 {
            let to = net.pick(
                addr(&format!("10.0.0.{n}")),
                addr(&format!("fd00::1:{n:x}")),
            );
            if to == net.us || to == net.peer {
                continue;
            }
            let _ = net.stack.udp_send_to(socket, b"scan", net.socket(to, 9));
            net.pump();
        }
        net.out.clear();
        // Requests from two hundred stations that do not exist.
        for n in 0..200_u8 {
            let mac = MacAddr([2, 0, 0, 1, 0, n]);
            if !net.v6() {
                let arp = netloom_stack::wire::ArpRepr {
                    sender_mac: mac,
                    ..common::trace::arp_request(Addr::v4([10, 0, 0, n]), net.us)
                };
                let frame = common::trace::arp_frame(MacAddr::BROADCAST, mac, &arp);
                if n != 9 && n != 1 {
                    net.frame(&frame);
                }
            }
            net.pump();
        }
        net.out.clear();
        net.write(&conn, b"still known");
        let segment = net.expect(conn.reply("P.").data(b"still known"));
        assert_eq!(segment.ip.mac, Some(PEER_MAC));
    });
}

/// Everything a stack sends in an exchange that uses all kinds of packets.
fn transcript(setup: Setup, poison: u8) -> Vec<Vec<u8>> {
    let mut net = Net::new(setup);
    net.queue.poison = poison;
    let listener = net.listen(PORT);
    net.send(tcp("S").mss(1_460).sack_ok().ts(9, 0).wscale(7));
    net.out.clear();
    let mut conn = net.accepted(listener, PEER_PORT + 1);
    net.write(&conn, &[7; 3_333]);
    net.send(conn.tcp("P.").seq(conn.seq + 10).data(b"hole"));
    net.send(conn.tcp("P.").data(b"0123456789"));
    conn.seq += 14;
    net.send(tcp("S").peer_port(5).port(6));
    net.send_udp(9, 6_000, b"nobody here");
    let socket = net.stack.udp_bind(5_000).unwrap();
    for len in 0..40 {
        net.stack
            .udp_send_to(socket, &[1; 40][..len], net.peer_at(9))
            .unwrap();
        net.pump();
    }
    let kind = net.pick(8, 128);
    for len in [0, 1, 55, 124, 125, 300] {
        let packet = icmp_packet(net.peer, net.us, 64, kind, 0, [0, 1, 0, 2], &vec![3; len]);
        net.ip(&packet);
        net.pump();
    }
    let garbage = ip_packet(net.peer, net.us, 200, 64, 0, &[1, 2, 3]);
    net.ip(&garbage);
    net.stack.tcp_close(conn.handle).unwrap();
    net.pass_s(30);
    net.raw
}

#[test]
fn class_22_every_byte_of_every_frame_is_written() {
    every(|net| {
        let one = transcript(net.setup, 0xaa);
        let other = transcript(net.setup, 0x55);
        assert!(one.len() > 50);
        assert!(one == other, "frames show what was in the device's memory");
    });
}

#[test]
fn class_22_recycled_memory_shows_nothing_of_its_past() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let secret = [0xaa; 1_000];
        // A connection, a datagram and an echo full of secrets, both ways.
        let mut conn = net.accepted(listener, PEER_PORT);
        for _ in 0..4 {
            net.send(conn.tcp("P.").data(&secret));
            conn.seq += 1_000;
            net.write(&conn, &secret);
        }
        net.stack.tcp_abort(conn.handle).unwrap();
        net.stack.tcp_close(conn.handle).unwrap();
        let socket = net.stack.udp_bind(5_000).unwrap();
        net.stack
            .udp_send_to(socket, &secret, net.peer_at(9))
            .unwrap();
        net.send_udp(9, 5_000, &secret);
        net.stack.udp_close(socket).unwrap();
        let kind = net.pick(8, 128);
        net.send_icmp(net.peer, kind, 0, [0; 4], &secret[..300]);
        net.pump();
        net.raw.clear();
        net.out.clear();
        net.queue.poison = 0;
        // Others use the same memory.
        let conn = net.accepted(listener, PEER_PORT + 1);
        net.send(conn.tcp("P.").seq(conn.seq + 100).data(b"ahead"));
        net.write(&conn, b"harmless");
        let mut buffer = [0; 64];
        assert!(net.stack.tcp_read(conn.handle, &mut buffer).is_err());
        let socket = net.stack.udp_bind(5_000).unwrap();
        net.stack
            .udp_send_to(socket, b"harmless", net.peer_at(9))
            .unwrap();
        net.send_udp(9, 6_000, b"nobody here");
        net.send_icmp(net.peer, kind, 0, [0; 4], b"ping");
        net.send(tcp("S").port(81));
        assert!(net.raw.len() >= 6);
        for frame in &net.raw {
            assert!(!frame.windows(3).any(|w| w == [0xaa; 3]), "{frame:02x?}");
        }
    });
}

/// A connection whose sequence numbers are about to wrap in both directions.
fn about_to_wrap(net: &mut Net, before: u32) -> Conn {
    let irs = 0_u32.wrapping_sub(before);
    let listener = net.listen(PORT);
    // Where the clock must stand for the ISN that is wanted.
    net.send(tcp("S").seq(irs));
    let isn = net.segment().tcp.seq;
    net.send(tcp("R").seq(irs.wrapping_add(1)));
    let ticks = irs.wrapping_sub(isn);
    net.pass(u64::from(ticks) * 4);
    net.send(tcp("S").seq(irs).mss(1_460));
    let syn_ack = net.expect(tcp("S.").seq(irs));
    let (seq, ack) = (irs.wrapping_add(1), syn_ack.tcp.seq.wrapping_add(1));
    net.send(tcp(".").seq(seq).ack(ack));
    let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
    Conn {
        peer_port: PEER_PORT,
        port: PORT,
        seq,
        ack,
        handle,
    }
}

#[test]
fn class_23_sequence_numbers_wrap_anywhere_in_an_exchange() {
    for before in [0, 1, 2, 5, 16, 1_000, 3_000] {
        every(|mut net| {
            let mut conn = about_to_wrap(&mut net, before);
            // Data, out of order, both ways.
            let data: Vec<u8> = (0..4_000).map(|n| n as u8).collect();
            for (from, to) in [(2_000, 3_000), (1_000, 2_000), (0, 1_000), (3_000, 4_000)] {
                let seq = conn.seq.wrapping_add(from as u32);
                net.send(conn.tcp("P.").seq(seq).data(&data[from..to]));
            }
            conn.seq = conn.seq.wrapping_add(4_000);
            net.pass_ms(100);
            net.out.clear();
            assert!(net.read(&conn) == data);
            net.write(&conn, &data);
            let mut got = Vec::new();
            while let Some(Packet::Tcp(segment)) = net.pop() {
                let at = segment.tcp.seq.wrapping_sub(conn.ack) as usize;
                if !segment.data.is_empty() {
                    assert_eq!(at, got.len());
                    got.extend_from_slice(&segment.data);
                }
            }
            assert!(got == data);
            // The loss of all of it, repaired by time.
            net.pass_ms(1_500);
            assert_eq!(net.segment().tcp.seq, conn.ack);
            conn.ack = conn.ack.wrapping_add(4_000);
            net.send(conn.tcp("."));
            net.out.clear();
            // Challenges and the end.
            net.send(conn.tcp("R").seq(conn.seq.wrapping_add(7)));
            net.expect(conn.reply("."));
            net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
            net.pump();
            net.expect(conn.reply("F."));
            conn.ack = conn.ack.wrapping_add(1);
            net.send(conn.tcp("F."));
            conn.seq = conn.seq.wrapping_add(1);
            net.expect(conn.reply("."));
            assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Closed));
        });
    }
}

#[test]
fn class_24_a_closed_handle_is_an_error_and_never_somebody_elses() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let mut old = Vec::new();
        for n in 0..50 {
            let conn = net.accepted(listener, PEER_PORT + n);
            for stale in &old {
                assert_eq!(net.stack.tcp_close(*stale), Err(Error::StaleHandle));
                assert_eq!(net.stack.tcp_state(*stale), Err(Error::StaleHandle));
                assert_eq!(
                    net.stack.tcp_read(*stale, &mut [0; 4]),
                    Err(Error::StaleHandle)
                );
            }
            net.stack.tcp_abort(conn.handle).unwrap();
            net.stack.tcp_close(conn.handle).unwrap();
            net.pump();
            net.out.clear();
            old.push(conn.handle);
        }
        let mut sockets = Vec::new();
        for _ in 0..50 {
            let socket = net.stack.udp_bind(5_000).unwrap();
            for stale in &sockets {
                assert_eq!(net.stack.udp_close(*stale), Err(Error::StaleHandle));
            }
            net.stack.udp_close(socket).unwrap();
            sockets.push(socket);
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.3
//= type=test
//# An incoming SYN with an invalid source address MUST be ignored
//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.3
//= type=test
//# A TCP implementation MUST silently discard an incoming SYN segment
#[test]
fn class_25_land_martians_and_groups_are_met_with_silence() {
    every(|mut net| {
        net.listen(PORT);
        let (bad_sources, bad_destinations): (&[&str], &[&str]) = if net.v6() {
            (
                &["::", "::1", "ff02::1", "fd00::1", "ff0e::5"],
                &["ff02::1", "::1", "::", "ff02::1:ff00:1", "fd00::2"],
            )
        } else {
            (
                &[
                    "0.0.0.0",
                    "127.0.0.1",
                    "224.0.0.1",
                    "10.0.0.1",
                    "10.0.0.255",
                    "255.255.255.255",
                    "240.0.0.1",
                ],
                &[
                    "10.0.0.255",
                    "255.255.255.255",
                    "224.0.0.1",
                    "127.0.0.1",
                    "0.0.0.0",
                    "10.0.0.2",
                ],
            )
        };
        for src in bad_sources {
            for flags in ["S", "S.", ".", "P."] {
                net.send(tcp(flags).from(addr(src)));
                net.send(tcp(flags).from(addr(src)).port(81));
            }
            let packet = udp_packet((addr(src), 9), (net.us, 9), b"?");
            net.ip(&packet);
            let kind = net.pick(8, 128);
            net.send_icmp(addr(src), kind, 0, [0; 4], b"ping");
        }
        for dst in bad_destinations {
            for flags in ["S", "."] {
                net.send(tcp(flags).to(addr(dst)));
                net.send(tcp(flags).to(addr(dst)).port(81));
            }
            let packet = udp_packet((net.peer, 9), (addr(dst), 9), b"?");
            net.ip(&packet);
        }
        // A land attack in every detail: both ends the same.
        net.send(tcp("S").from(net.us).peer_port(PORT));
        net.silent();
        assert_eq!(net.stack.next_deadline(), None, "no state");
    });
    every_ethernet(|mut net| {
        // To this host's address, but in a frame to everybody.
        net.listen(PORT);
        let packet = net.packet_of(&tcp("S"));
        net.ip_to(MacAddr::BROADCAST, &packet);
        let closed = net.packet_of(&tcp("S").port(81));
        net.ip_to(MacAddr([0x33, 0x33, 0, 0, 0, 1]), &closed);
        let datagram = udp_packet((net.peer, 9), (net.us, 9), b"?");
        net.ip_to(MacAddr::BROADCAST, &datagram);
        net.silent();
        // And frames that are no frames.
        net.frame(&[]);
        net.frame(&[0; 13]);
        net.frame(&common::trace::ethernet(
            OUR_MAC,
            MacAddr::BROADCAST,
            EtherType::IPV4,
            &packet,
        ));
        net.frame(&common::trace::ethernet(
            MacAddr([2, 0, 0, 0, 0, 7]),
            PEER_MAC,
            EtherType::IPV4,
            &packet,
        ));
        net.silent();
    });
}

#[test]
fn class_26_nothing_that_arrives_or_is_asked_for_breaks_a_stack() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let setup = Setup {
            profile: [Profile::Heap, Profile::Lent][random.below(2)],
            link: [Link::Ip, Link::Ethernet][random.below(2)],
            v6: random.below(2) == 1,
        };
        println!("seed {seed} {setup:?}");
        let mut net = Net::new(setup);
        net.any_source = true;
        let mut listeners = vec![net.listen(PORT)];
        let mut handles = Vec::new();
        let mut sockets = Vec::new();
        let mut seen: Vec<Vec<u8>> = Vec::new();
        for _ in 0..3_000 {
            match random.below(16) {
                0 => {
                    if let Ok(handle) = net.stack.tcp_connect(net.peer_at(PEER_PORT)) {
                        handles.push(handle);
                    }
                }
                1 => {
                    for listener in &listeners {
                        if let Ok(Some(handle)) = net.stack.tcp_accept(*listener) {
                            handles.push(handle);
                        }
                    }
                }
                2 if !handles.is_empty() => {
                    let handle = handles.swap_remove(random.below(handles.len()));
                    let _ = net.stack.tcp_close(handle);
                }
                3..=5 if !handles.is_empty() => {
                    let handle = handles[random.below(handles.len())];
                    let _ = match random.below(5) {
                        0 => net.stack.tcp_write(handle, &[1; 2_000]).map(drop),
                        1 => net.stack.tcp_read(handle, &mut [0; 700]).map(drop),
                        2 => net.stack.tcp_shutdown(handle, How::Write),
                        3 => net.stack.tcp_shutdown(handle, How::Both),
                        _ => net.stack.tcp_abort(handle),
                    };
                }
                6 => match net.stack.udp_bind(random.below(3) as u16 * 5_000) {
                    Ok(socket) => sockets.push(socket),
                    Err(_) if sockets.is_empty() => {}
                    Err(_) => {
                        let socket = sockets.swap_remove(random.below(sockets.len()));
                        net.stack.udp_close(socket).unwrap();
                    }
                },
                7 if !sockets.is_empty() => {
                    let socket = sockets[random.below(sockets.len())];
                    let to = net.peer_at(9);
                    let _ = net.stack.udp_send_to(socket, &[2; 300], to);
                }
                8 => {
                    let listener = listeners.pop();
                    if let Some(listener) = listener {
                        net.stack.tcp_close_listener(listener).unwrap();
                    }
                    listeners.extend(net.stack.tcp_listen(PORT));
                }
                9 => {
                    let ours = net.pick("10.0.0.1/24", "fd00::1/64");
                    let cidr = common::trace::cidr(ours);
                    if random.below(4) == 0 {
                        let _ = net.stack.remove_address(IF, cidr.addr);
                    }
                    let _ = net.stack.add_address(IF, cidr);
                }
                10 => {
                    net.now = net.now.plus_micros(random.next() >> 40);
                }
                11 => net.queue.room = random.below(4),
                // What the stack itself sent, turned around and damaged.
                _ if !seen.is_empty() => {
                    let mut packet = seen[random.below(seen.len())].clone();
                    mirror(&mut packet, setup.link);
                    for _ in 0..random.below(4) {
                        let at = random.below(packet.len());
                        packet[at] = random.next() as u8;
                    }
                    let len = packet.len() - random.below(8).saturating_sub(5).min(packet.len());
                    net.stack
                        .receive(net.now, IF, &packet[..len], &RxMeta::VERIFIED);
                }
                _ => {
                    let flags = ["S", ".", "R", "F.", "S.", "P.", "SF", ""][random.below(8)];
                    let segment = tcp(flags)
                        .seq(IRS + random.below(3) as u32)
                        .ack(random.next() as u32)
                        .peer_port(PEER_PORT + random.below(4) as u16);
                    net.queue_segment(segment);
                }
            }
            let _ = net.stack.transmit(net.now, IF, &mut net.queue);
            net.balance();
            for frame in std::mem::take(&mut net.queue.frames) {
                seen.push(frame);
                if seen.len() > 64 {
                    seen.remove(0);
                }
            }
            while net.stack.poll_event().is_some() {}
        }
        // Everything closed, everything ends.
        net.queue.room = usize::MAX;
        for handle in handles {
            let _ = net.stack.tcp_close(handle);
        }
        for listener in listeners {
            net.stack.tcp_close_listener(listener).unwrap();
        }
        for socket in sockets {
            net.stack.udp_close(socket).unwrap();
        }
        net.pass_s(2_000);
        net.out.clear();
        assert_eq!(net.stack.next_deadline(), None, "something never ends");
        assert_eq!(net.stack.counters().held(Layer::Output), 0);
    }
}

/// Swaps the ends of a packet that a stack sent, so that it can be given back to it.
fn mirror(packet: &mut [u8], link: Link) {
    let ip = match link {
        Link::Ip => 0,
        Link::Ethernet => {
            for n in 0..6 {
                packet.swap(n, n + 6);
            }
            14
        }
    };
    let Some(version) = packet.get(ip).map(|b| b >> 4) else {
        return;
    };
    let (src, len, transport) = if version == 4 {
        (ip + 12, 4, ip + 20)
    } else {
        (ip + 8, 16, ip + 40)
    };
    if packet.len() >= transport + 4 {
        for n in 0..len {
            packet.swap(src + n, src + len + n);
        }
        packet.swap(transport, transport + 2);
        packet.swap(transport + 1, transport + 3);
    }
}
