//! Links, neighbours, IP and ICMP: what is taken, what is answered, and to whom.
#![cfg(all(feature = "udp", feature = "tcp", feature = "ethernet"))]
#![cfg(all(feature = "ipv4", feature = "ipv6", feature = "alloc"))]
mod common;

use common::trace::{IF, Link, Net, OUR_MAC, PEER_MAC, PEER_PORT, PORT, Packet, addr, cidr};
use common::trace::{advertisement, arp_frame, arp_request, ethernet, every, every_ethernet};
use common::trace::{icmp_packet, ip_packet, nd_packet, tcp, udp_packet};
use netloom_stack::driver::RxMeta;
use netloom_stack::tcp::How;
use netloom_stack::wire::protocol;
use netloom_stack::wire::{Addr, ArpOperation, EtherType, Frame, MacAddr, NdpMessage, NdpOption};
use netloom_stack::{CloseReason, DropReason, Error, Keepalive, State};

fn dropped(net: &Net, reason: DropReason) -> usize {
    net.stack.counters().dropped(reason)
}

/// The peer pings; what comes back.
fn ping(net: &mut Net, data: &[u8]) {
    let (kind, peer) = (net.pick(8, 128), net.peer);
    net.send_icmp(peer, kind, 0, [1, 2, 3, 4], data);
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
//= type=test
//# Every host MUST implement an ICMP Echo server function that
//# receives Echo Requests and sends corresponding Echo Replies.
#[test]
fn echo_requests_are_answered_with_the_same_data() {
    every(|mut net| {
        for len in [0, 1, 56, 123, 124, 125, 400] {
            let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
            ping(&mut net, &data);
            let reply = net.icmp();
            assert_eq!((reply.kind, reply.code), (net.pick(0, 129), 0));
            assert_eq!(reply.rest, [1, 2, 3, 4]);
            //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
            //= type=test
            //# Data received in an ICMP Echo Request MUST be entirely
            //# included in the resulting Echo Reply.
            assert_eq!(reply.body, data);
            //= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.6
            //= type=test
            //# The IP source address in an ICMP Echo Reply MUST be the same
            //# as the specific-destination address (defined in Section
            //# 3.2.1.3) of the corresponding ICMP Echo Request message.
            assert_eq!((reply.ip.src, reply.ip.dst), (net.us, net.peer));
        }
        net.silent();
        net.stack.set_tunable("icmp_echo_ignore_all", 1).unwrap();
        ping(&mut net, b"quiet");
        net.silent();
    });
}

#[test]
fn an_echo_request_is_answered_where_it_stands() {
    every(|mut net| {
        for len in [0, 1, 56, 1472] {
            let data: Vec<u8> = (0..len).map(|n| n as u8).collect();
            let (kind, reply) = (net.pick(8, 128), net.pick(0, 129));
            let request = icmp_packet(net.peer, net.us, 9, kind, 0, [1, 2, 3, 4], &data);
            let answer = icmp_packet(net.us, net.peer, 64, reply, 0, [1, 2, 3, 4], &data);
            let mut frame = net.frame_of(OUR_MAC, &request);
            let meta = RxMeta::default();
            let size = net.stack.receive_answering(net.now, IF, &mut frame, &meta);
            let link = net.setup.link_len();
            if link > 0 {
                assert_eq!(frame[..6], PEER_MAC.0);
                assert_eq!(frame[6..12], OUR_MAC.0);
            }
            // All but the identification and flags of IPv4, which the tests' packets leave out.
            let headers = net.pick(20, 40);
            assert_eq!(frame[link + headers..size], answer[headers..]);
            assert_eq!(frame[link..size].len(), answer.len());
            if net.v6() {
                assert_eq!(frame[link..size], answer);
            } else {
                let header = Frame::new(&frame[link..size]).ipv4().unwrap();
                assert!(header.checksum_valid());
                assert_eq!((header.src(), header.dst()), (net.us, net.peer));
                assert_eq!(header.ttl(), 64);
            }
            net.balance();
            net.silent();
        }
        // What is no echo request is not answered there.
        let unknown = icmp_packet(net.peer, net.us, 9, 77, 0, [0; 4], b"");
        let mut frame = net.frame_of(OUR_MAC, &unknown);
        let before = frame.clone();
        let meta = RxMeta::default();
        assert_eq!(
            net.stack.receive_answering(net.now, IF, &mut frame, &meta),
            0
        );
        assert_eq!(frame, before);
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.7
//= type=test
//# A host MUST NOT discard a datagram just because it was received
//# with TTL less than 2.
#[test]
fn a_hop_limit_of_one_or_zero_is_enough() {
    every(|mut net| {
        for hops in [0, 1] {
            let kind = net.pick(8, 128);
            let packet = icmp_packet(net.peer, net.us, hops, kind, 0, [0; 4], b"near");
            net.ip(&packet);
            net.pump();
            assert_eq!(net.icmp().body, b"near");
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.1
//= type=test
//# A datagram whose version number is not 4 MUST be silently
//# discarded.
//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.2
//= type=test
//# A host MUST verify the IP header checksum on every received
//# datagram and silently discard every datagram that has a bad
//# checksum.
#[test]
fn broken_headers_are_dropped_in_silence_and_counted() {
    every(|mut net| {
        let kind = net.pick(8, 128);
        let good = icmp_packet(net.peer, net.us, 64, kind, 0, [0; 4], b"data");
        for version in [0, 3, 5, 7, 15] {
            let mut bad = good.clone();
            bad[0] = version << 4 | bad[0] & 15;
            net.ip(&bad);
        }
        let mut checksum = good.clone();
        if !net.v6() {
            checksum[10] ^= 1;
            net.ip(&checksum);
            assert_eq!(dropped(&net, DropReason::IpChecksum), 1);
        }
        for len in 0..good.len() {
            net.ip(&good[..len]);
        }
        net.silent();
        assert_eq!(dropped(&net, DropReason::IpMalformed), 5 + good.len());
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.3
//= type=test
//# A host MUST silently discard an incoming datagram that is not
//# destined for the host.
#[test]
fn what_is_for_others_is_dropped_in_silence() {
    every(|mut net| {
        let other = net.pick(addr("10.0.0.77"), addr("fd00::77"));
        let packet = udp_packet((net.peer, 9), (other, 9), b"not yours");
        net.ip(&packet);
        net.send(tcp("S").to(other));
        net.silent();
        assert_eq!(dropped(&net, DropReason::IpNotForUs), 2);
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.1.8
//= type=test
//# The IP and transport layer MUST each interpret those IP options that
//# they understand and silently ignore the others.
#[test]
fn unknown_options_and_headers_are_passed_over_or_reported() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2
    //= type=test
    //# When received options are passed up to TCP from the IP layer, a TCP
    //# implementation MUST ignore options that it does not understand (MUST-
    //# 50).
    every(|mut net| {
        let kind = net.pick(8, 128);
        let plain = icmp_packet(net.peer, net.us, 64, kind, 0, [0; 4], b"data");
        if net.v6() {
            // A hop-by-hop header with an option that may be skipped.
            let message = &plain[40..];
            let mut payload = vec![58, 0, 0x1e, 4, 1, 2, 3, 4];
            payload.extend_from_slice(message);
            let packet = ip_packet(net.peer, net.us, 0, 64, 0, &payload);
            net.ip(&packet);
            net.pump();
            assert_eq!(net.icmp().body, b"data");
            // One that may not: parameter problem, code 2, where it stands.
            payload[2] = 0x9e;
            let packet = ip_packet(net.peer, net.us, 0, 64, 0, &payload);
            net.ip(&packet);
            net.pump();
            let problem = net.icmp();
            assert_eq!((problem.kind, problem.code), (4, 2));
            assert_eq!(problem.rest, 42_u32.to_be_bytes());
        } else {
            let mut packet = vec![0; 24 + plain.len() - 20];
            let mut repr = netloom_stack::wire::Ipv4Repr::new(net.peer, net.us, 1, 0);
            repr.payload_len = (plain.len() - 20) as u16;
            repr.emit_with_options(&[0x9e, 4, 1, 2], &mut packet)
                .unwrap()
                .copy_from_slice(&plain[20..]);
            net.ip(&packet);
            net.pump();
            assert_eq!(net.icmp().body, b"data");
        }
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2.1
//= type=test
//# A host SHOULD generate Destination Unreachable messages with
//# code:
#[test]
fn an_unknown_protocol_is_reported() {
    every(|mut net| {
        let packet = ip_packet(net.peer, net.us, 200, 64, 0, b"what is this");
        net.ip(&packet);
        net.pump();
        let error = net.icmp();
        assert_eq!((error.kind, error.code), net.pick((3, 2), (4, 1)));
        assert_eq!(error.rest, net.pick(0_u32, 6).to_be_bytes());
        assert_eq!(error.body, packet);
        assert_eq!(error.ip.tos, 0);
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-3.2.2
//= type=test
//# An ICMP error message MUST NOT be sent as the result of
//# receiving:
#[test]
fn errors_are_never_about_errors_groups_or_fragments() {
    every(|mut net| {
        // An ICMP error whose destination option, or protocol, is the problem.
        let (peer, us) = (net.peer, net.us);
        let nonsense = udp_packet((us, 1), (peer, 2), b"");
        net.icmp_about(net.pick((3, 3), (1, 4)), 0, &nonsense);
        net.icmp_about((net.pick(200, 100), 0), 0, &nonsense);
        let group = net.pick(addr("224.0.0.1"), addr("ff02::1"));
        let packet = ip_packet(peer, group, net.pick(200, 17), 64, 0, &[0; 8]);
        net.ip(&packet);
        if net.setup.link == Link::Ethernet {
            let packet = udp_packet((peer, 9), (us, 9), b"in a broadcast frame");
            net.ip_to(MacAddr::BROADCAST, &packet);
        }
        if !net.v6() {
            let mut fragment = ip_packet(peer, us, 200, 64, 0, &[0; 16]);
            fragment[6..8].copy_from_slice(&[0x00, 0x10]);
            fragment[10..12].fill(0);
            let sum = netloom_stack::wire::Sum::new()
                .add(&fragment[..20])
                .finish();
            fragment[10..12].copy_from_slice(&sum.to_be_bytes());
            net.ip(&fragment);
            assert_eq!(dropped(&net, DropReason::Fragment), 1);
        }
        net.silent();
        assert_eq!(net.stack.counters().icmp_errors_sent, 0);
    });
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
//= type=test
//# Finally, in order to limit the bandwidth and forwarding costs
//# incurred by originating ICMPv6 error messages, an IPv6 node MUST
//# limit the rate of ICMPv6 error messages it originates.
#[test]
fn errors_are_limited_in_rate() {
    every(|mut net| {
        for _ in 0..1_000 {
            net.send_udp(9, 6_000, b"closed");
        }
        let sent = net.out.len();
        assert!((20..=101).contains(&sent), "{sent} at once");
        assert_eq!(dropped(&net, DropReason::RateLimited), 1_000 - sent);
        net.out.clear();
        // Back after a while; echoes were never limited.
        net.pass_s(1);
        net.send_udp(9, 6_000, b"closed");
        ping(&mut net, b"echo");
        assert_eq!(net.out.len(), 2);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
//= type=test
//# Since these Unreachable messages indicate soft error conditions, a TCP
//# implementation MUST NOT abort the connection (MUST-56), and it SHOULD
//# make the information available to the application (SHLD-25).
#[test]
fn soft_icmp_errors_are_told_and_end_nothing() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.8
    //= type=test
    //# There MUST be a mechanism for reporting soft TCP error conditions to
    //# the application (MUST-47).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.8
    //= type=test
    //# However, the conditions that are reported
    //# asynchronously to the application MUST include:
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
    //= type=test
    //# TCP implementations MUST act on an ICMP error message passed up from
    //# the IP layer, directing it to the connection that created the error
    //# (MUST-54).
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        net.write(&conn, b"in flight");
        net.out.clear();
        let quoted = net.raw.last().unwrap()[net.setup.link_len()..].to_vec();
        let soft: &[(u8, u8)] = if net.v6() {
            &[(1, 0), (1, 2), (1, 3), (3, 0), (3, 1), (4, 0)]
        } else {
            &[(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0)]
        };
        for kind in soft {
            net.icmp_about(*kind, 0, &quoted);
            assert_eq!(net.stack.tcp_take_soft_error(conn.handle), Ok(true));
            assert_eq!(net.stack.tcp_take_soft_error(conn.handle), Ok(false));
            assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Established));
        }
        // A sequence number that is not in flight: forged (RFC 5927 §4.1).
        let mut forged = quoted.clone();
        let at = net.pick(24, 44);
        forged[at] ^= 0x40;
        net.icmp_about(soft[0], 0, &forged);
        assert_eq!(net.stack.tcp_take_soft_error(conn.handle), Ok(false));
        assert!(dropped(&net, DropReason::IcmpUnsolicited) >= 1);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
        //= type=test
        //# TCP implementations MUST silently discard any received ICMP
        //# Source Quench messages (MUST-55).
        net.icmp_about((4, net.pick(0, 3)), 0, &forged);
        net.silent();
    });
}

#[test]
fn hard_icmp_errors_end_an_attempt_to_connect() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2.2
    //= type=test
    //# These are hard error conditions, so TCP implementations SHOULD
    //# abort the connection (SHLD-26).
    every(|mut net| {
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        net.expect(tcp("S"));
        let quoted = net.raw.last().unwrap()[net.setup.link_len()..].to_vec();
        net.icmp_about(net.pick((3, 0), (1, 0)), 0, &quoted);
        assert_eq!(net.stack.tcp_state(handle), Ok(State::SynSent), "soft");
        net.icmp_about(net.pick((3, 3), (1, 4)), 0, &quoted);
        assert_eq!(
            net.stack.tcp_close_reason(handle),
            Ok(Some(CloseReason::PortUnreachable))
        );
        net.silent();
    });
}

#[test]
fn a_packet_too_big_makes_segments_smaller_and_repeats_them() {
    //= https://www.rfc-editor.org/rfc/rfc7323#section-5.7
    //= type=test
    //# Setting the DF bit implies the use of Path MTU Discovery as described
    //# in [RFC1191], [RFC1981], and [RFC4821]; thus, any TCP implementation
    //# that implements PAWS MUST also implement Path MTU Discovery.
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        net.write(&conn, &[7; 2_000]);
        let first = net.segment();
        net.out.clear();
        let quoted = net.packet_of(&conn.reply("P.").data(&first.data));
        let mut quoted = quoted;
        // It is the stack's own packet: the ends are the other way around.
        quoted = {
            let (src, dst) = (net.us, net.peer);
            let body = quoted[net.pick(20, 40)..].to_vec();
            let mut body = body;
            body.swap(0, 2);
            body.swap(1, 3);
            ip_packet(src, dst, 6, 64, 0, &body)
        };
        net.icmp_about(net.pick((3, 4), (2, 0)), 1_280, &quoted);
        net.pass_s(2);
        let again = net.segment();
        assert_eq!(again.tcp.seq, conn.ack);
        assert!(
            again.data.len() <= 1_280 - net.pick(40, 60),
            "{}",
            again.data.len()
        );
    });
}

#[test]
fn ttl_and_dscp_are_the_applications() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
    //= type=test
    //# The application layer MUST be able to specify the Differentiated
    //# Services field for segments that are sent on a connection (MUST-48).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
    //= type=test
    //# It is not required, but the
    //# application SHOULD be able to change the Differentiated Services
    //# field during the connection lifetime (SHLD-21).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.9
    //= type=test
    //# TCP implementations
    //# SHOULD pass the current Differentiated Services field value without
    //# change to the IP layer, when it sends segments on the connection
    //# (SHLD-22).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.2
    //= type=test
    //# Time to Live (TTL):  The TTL value used to send TCP segments MUST be
    //# configurable (MUST-49).
    every(|mut net| {
        let listener = net.listen(PORT);
        let conn = net.accepted(listener, PEER_PORT);
        net.stack.tcp_set_ttl(conn.handle, 3).unwrap();
        net.stack.tcp_set_dscp(conn.handle, 46).unwrap();
        net.write(&conn, b"marked");
        let segment = net.segment();
        assert_eq!((segment.ip.ttl, segment.ip.tos >> 2), (3, 46));
        assert_eq!(
            net.stack.tcp_set_ttl(conn.handle, 0),
            Err(Error::InvalidArgument)
        );
        assert_eq!(
            net.stack.tcp_set_dscp(conn.handle, 64),
            Err(Error::InvalidArgument)
        );
        net.stack.set_tunable("ip_default_ttl", 9).unwrap();
        net.send(tcp("S").port(81));
        assert_eq!(net.segment().ip.ttl, 9);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.1
//= type=test
//# A TCP implementation MUST reject as an error a local OPEN call for an
//# invalid remote IP address (e.g., a broadcast or multicast address)
//# (MUST-46).
#[test]
fn nobody_connects_to_groups() {
    every(|mut net| {
        let bad: &[&str] = if net.v6() {
            &["ff02::1", "::", "ff0e::1"]
        } else {
            &["224.0.0.1", "255.255.255.255", "10.0.0.255", "0.0.0.0"]
        };
        for remote in bad {
            let at = net.socket(addr(remote), 80);
            assert_eq!(net.stack.tcp_connect(at), Err(Error::InvalidRemote));
        }
        let no_port = net.peer_at(0);
        assert_eq!(net.stack.tcp_connect(no_port), Err(Error::InvalidRemote));
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# For example, if the TCP endpoint is processing a series of queued
//# segments, it MUST process them all before sending any ACK segments
//# (MUST-59).
#[test]
fn a_burst_is_acknowledged_once() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let mut conn = net.accepted(listener, PEER_PORT);
        for _ in 0..5 {
            net.queue_segment(conn.tcp("P.").data(&[1; 1_000]));
            conn.seq += 1_000;
        }
        net.pump();
        net.expect(conn.reply("."));
        net.silent();
    });
}

#[test]
fn a_removed_address_ends_its_connections() {
    every(|mut net| {
        let listener = net.listen(PORT);
        let mut conn = net.accepted(listener, PEER_PORT);
        let mut waiting = net.accepted(listener, PEER_PORT + 1);
        net.stack.tcp_shutdown(waiting.handle, How::Write).unwrap();
        net.pump();
        net.out.clear();
        waiting.ack = waiting.ack.wrapping_add(1);
        net.send(waiting.tcp("F."));
        net.send(tcp("S").peer_port(3));
        net.out.clear();
        net.stack.remove_address(IF, net.us).unwrap();
        assert_eq!(
            net.stack.tcp_close_reason(conn.handle),
            Ok(Some(CloseReason::AddressRemoved))
        );
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        net.silent();
        assert_eq!(net.stack.next_deadline(), None, "no TIME-WAIT either");
        conn.seq += 0;
        net.send(conn.tcp("."));
        net.silent();
        assert_eq!(
            net.stack.remove_address(IF, net.us),
            Err(Error::AddressNotAvailable)
        );
        // And back.
        let again = cidr(net.pick("10.0.0.1/24", "fd00::1/64"));
        net.stack.add_address(IF, again).unwrap();
        net.accepted(listener, PEER_PORT);
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.2.1
//= type=test
//# A mechanism to prevent ARP flooding (repeatedly sending an
//# ARP Request for the same IP address, at a high rate) MUST be
//# included.
#[test]
fn a_silent_neighbour_is_asked_once_a_second_and_given_up() {
    every_ethernet(|mut net| {
        net.alive.clear();
        let handle = net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        for asked in 1..=3 {
            for _ in 0..95 {
                net.pass_ms(10);
                assert_eq!(net.out.len(), asked, "{:?}", net.out);
            }
            net.pass_ms(60);
        }
        assert_eq!(
            net.stack.tcp_close_reason(handle),
            Ok(Some(CloseReason::NextHopUnresolved))
        );
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.2.1
//= type=test
//# An implementation of the Address Resolution Protocol (ARP)
//# [LINK:2] MUST provide a mechanism to flush out-of-date cache
//# entries.
#[test]
fn a_neighbour_that_changed_its_station_is_found_again() {
    every_ethernet(|mut net| {
        let conn = net.connected();
        let moved = MacAddr([2, 0, 0, 0, 0, 0x99]);
        net.alive[0].1 = moved;
        net.alive[1].1 = moved;
        // Unheard data; the old station gets it until asking it directly was in vain.
        net.write(&conn, b"where are you");
        net.pass_s(60);
        let mut last = None;
        while let Some(packet) = net.pop() {
            if let Packet::Tcp(segment) = packet {
                last = segment.ip.mac;
            }
        }
        assert_eq!(last, Some(moved));
        assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::Established));
    });
}

// RFC 826: "If the pair <protocol type, sender protocol address> is already in my translation table,
// update the sender hardware address field of the entry with the new information in the packet and
// set Merge_flag to true."
#[test]
fn a_neighbour_that_says_where_it_is_now_is_sent_there_at_once() {
    every_ethernet(|mut net| {
        let conn = net.connected();
        let moved = MacAddr([2, 0, 0, 0, 0, 0x99]);
        net.stack.tcp_set_nodelay(conn.handle, true).unwrap();
        // Twice, so that whatever is remembered of the first segment serves the second one.
        for _ in 0..2 {
            net.write(&conn, b"before");
            assert_eq!(net.segment().ip.mac, Some(PEER_MAC));
        }
        let (peer, us) = (net.peer, net.us);
        if net.v6() {
            net.frame(&advertisement(peer, us, moved, true, true));
        } else {
            let mut news = arp_request(peer, us);
            news.sender_mac = moved;
            net.frame(&arp_frame(MacAddr::BROADCAST, moved, &news));
        }
        net.write(&conn, b"after");
        let to = std::iter::from_fn(|| net.pop()).find_map(|packet| match packet {
            Packet::Tcp(segment) => Some(segment.ip.mac),
            _ => None,
        });
        assert_eq!(to, Some(Some(moved)));
    });
}

// RFC 826: "Swap hardware and protocol fields, putting the local hardware and protocol addresses in
// the sender fields."
#[test]
fn questions_for_our_addresses_are_answered_others_not() {
    every_ethernet(|mut net| {
        let (peer, us) = (net.peer, net.us);
        if net.v6() {
            let solicit = |target: Addr, hops| {
                let message = NdpMessage::NeighborSolicitation { target };
                let options = [NdpOption::SourceLinkLayerAddress(PEER_MAC)];
                nd_packet(peer, us.solicited_node(), hops, &message, &options)
            };
            let group = MacAddr::from_ipv6_multicast(us.solicited_node().octets16());
            net.ip_to(group, &solicit(us, 255));
            net.pump();
            let advertisement = net.icmp();
            assert_eq!((advertisement.kind, advertisement.ip.ttl), (136, 255));
            assert_eq!(
                (advertisement.ip.dst, advertisement.ip.mac),
                (peer, Some(PEER_MAC))
            );
            assert_eq!(advertisement.rest[0] & 0xe0, 0x60, "solicited, override");
            net.ip_to(group, &solicit(addr("fd00::77"), 255));
            net.silent();
            //= https://www.rfc-editor.org/rfc/rfc4861#section-7.1.1
            //= type=test
            //# - The IP Hop Limit field has a value of 255, i.e., the packet
            //# could not possibly have been forwarded by a router.
            net.ip_to(group, &solicit(us, 254));
            net.silent();
            assert_eq!(dropped(&net, DropReason::NdInvalid), 1);
        } else {
            let question = arp_request(peer, us);
            net.frame(&arp_frame(MacAddr::BROADCAST, PEER_MAC, &question));
            net.pump();
            let Some(Packet::Arp { dst, arp }) = net.pop() else {
                panic!("a reply was due")
            };
            assert_eq!((dst, arp), (PEER_MAC, question.reply(OUR_MAC)));
            let other = arp_request(peer, addr("10.0.0.77"));
            net.frame(&arp_frame(MacAddr::BROADCAST, PEER_MAC, &other));
            // A probe is answered, and teaches nothing.
            let probe = arp_request(Addr::V4_UNSPECIFIED, us);
            net.silent();
            net.frame(&arp_frame(MacAddr::BROADCAST, PEER_MAC, &probe));
            net.pump();
            assert!(matches!(net.pop(), Some(Packet::Arp { .. })));
            assert_eq!(net.stack.neighbors().count(), 1);
        }
    });
}

#[test]
fn nobody_takes_our_address_or_teaches_what_was_not_asked() {
    every_ethernet(|mut net| {
        let thief = MacAddr([2, 0, 0, 0, 0, 0x66]);
        let (peer, us) = (net.peer, net.us);
        if net.v6() {
            net.frame(&advertisement(peer, us, thief, true, true));
        } else {
            let reply = arp_request(us, peer).reply(thief);
            let mut reply = reply;
            reply.target_ip = addr("10.0.0.50");
            net.frame(&arp_frame(MacAddr::BROADCAST, thief, &reply));
            let ours = netloom_stack::wire::ArpRepr {
                operation: ArpOperation::Reply,
                sender_mac: thief,
                ..arp_request(us, us)
            };
            net.frame(&arp_frame(MacAddr::BROADCAST, thief, &ours));
            assert_eq!(dropped(&net, DropReason::ArpBadSender), 1);
        }
        assert_eq!(net.stack.neighbors().count(), 0);
        net.silent();
    });
}

//= https://www.rfc-editor.org/rfc/rfc1122#section-2.3.3
//= type=test
//# MUST be able to send and receive packets using RFC-894 encapsulation;
#[test]
fn frames_of_other_kinds_are_counted_and_dropped() {
    every_ethernet(|mut net| {
        net.frame(&ethernet(OUR_MAC, PEER_MAC, EtherType(0x88cc), &[0; 50]));
        assert_eq!(dropped(&net, DropReason::UnknownEthertype), 1);
        net.frame(&ethernet(PEER_MAC, PEER_MAC, EtherType::IPV4, &[0; 50]));
        assert_eq!(dropped(&net, DropReason::NotForUs), 1);
        net.frame(&ethernet(OUR_MAC, PEER_MAC, EtherType::ARP, &[0; 50]));
        assert_eq!(dropped(&net, DropReason::ArpMalformed), 1);
        // An IP packet in a padded frame is taken without its padding.
        let kind = net.pick(8, 128);
        let mut padded = icmp_packet(net.peer, net.us, 64, kind, 0, [0; 4], b"x");
        padded.resize(80, 0xee);
        net.ip(&padded);
        net.pump();
        assert_eq!(net.icmp().body, b"x");
    });
}

/// Whether the stack repeats what it wrote, once its neighbour is back.
fn is_repeated(net: &mut Net, data: &[u8]) -> bool {
    net.out.clear();
    net.alive.push((net.peer, PEER_MAC));
    net.pass_s(60);
    net.out
        .iter()
        .any(|packet| matches!(packet, Packet::Tcp(segment) if segment.data.starts_with(data)))
}

#[test]
fn a_timer_that_is_due_as_the_neighbour_fails_is_not_lost() {
    every_ethernet(|mut net| {
        let conn = net.connected();
        net.write(&conn, b"in flight");
        net.alive.clear();
        net.stack.flush_neighbors(IF);
        // Waits for the neighbour, longer than the first is waited for.
        net.write(&conn, b"behind");
        net.pass_s(4);
        assert!(net.stack.next_deadline().is_some(), "it goes on");
        assert!(is_repeated(&mut net, b"in flight"));
    });
}

#[test]
fn keep_alives_end_a_connection_whose_neighbour_is_gone() {
    every_ethernet(|mut net| {
        let conn = net.connected();
        let keepalive = Keepalive {
            idle: 1_000_000,
            interval: 1_000_000,
            // Enough of them that the neighbour is forgotten meanwhile.
            count: 200,
        };
        net.stack
            .tcp_set_keepalive(conn.handle, Some(keepalive))
            .unwrap();
        net.pump();
        net.alive.clear();
        net.pass_s(1_000);
        assert_eq!(
            net.stack.tcp_close_reason(conn.handle),
            Ok(Some(CloseReason::KeepAliveTimedOut))
        );
    });
}

//= https://www.rfc-editor.org/rfc/rfc6980#section-5
//= type=test
//# Nodes MUST silently ignore the following Neighbor Discovery and
//# SEcure Neighbor Discovery messages if the packets carrying them
//# include an IPv6 Fragmentation Header:
#[test]
fn neighbour_discovery_behind_a_fragment_header_is_ignored() {
    every_ethernet(|mut net| {
        if !net.v6() {
            return;
        }
        let (peer, us) = (net.peer, net.us);
        let options = [NdpOption::SourceLinkLayerAddress(PEER_MAC)];
        let solicit = NdpMessage::NeighborSolicitation { target: us };
        let plain = nd_packet(peer, us, 255, &solicit, &options);
        // A whole packet all the same: its fragment is the only one.
        let mut payload = vec![protocol::ICMPV6, 0, 0, 0, 1, 2, 3, 4];
        payload.extend_from_slice(&plain[40..]);
        net.ip(&ip_packet(peer, us, protocol::FRAGMENT, 255, 0, &payload));
        net.silent();
        assert_eq!(dropped(&net, DropReason::NdInvalid), 1);
        assert_eq!(net.stack.neighbors().count(), 0);
        net.ip(&plain);
        net.pump();
        assert_eq!(net.icmp().kind, 136);
    });
}

//= https://www.rfc-editor.org/rfc/rfc4443#section-2.4
//= type=test
//# (e) An ICMPv6 error message MUST NOT be originated as a result of
//# receiving the following:
#[test]
fn an_error_behind_a_header_that_is_refused_is_not_answered() {
    every(|mut net| {
        if !net.v6() {
            return;
        }
        let (peer, us) = (net.peer, net.us);
        // An option that the receiver has to report if it does not know it.
        let refused = [protocol::ICMPV6, 0, 0x9e, 4, 0, 0, 0, 0];
        for (kind, answered) in [(1, false), (4, false), (137, false), (128, true)] {
            let message = icmp_packet(peer, us, 64, kind, 0, [0; 4], &[0; 48]);
            let payload = [&refused, &message[40..]].concat();
            let first = protocol::DESTINATION_OPTIONS;
            net.ip(&ip_packet(peer, us, first, 64, 0, &payload));
            // The same behind another header.
            let payload = [&[first, 0, 1, 4, 0, 0, 0, 0][..], &payload].concat();
            net.ip(&ip_packet(peer, us, protocol::HOP_BY_HOP, 64, 0, &payload));
            net.pump();
            assert_eq!(net.out.len(), if answered { 2 } else { 0 }, "type {kind}");
        }
    });
}
