//! `m..`: minimart-netstack.

use crate::common::trace::{IRS, Net, PEER_MAC, PORT, Packet, every, every_ethernet, tcp};
use crate::{dropped, open, reason, state};
use netloom_stack::{CloseReason, DropReason, Layer, State};

#[test]
fn m01_a_reset_must_match_exactly() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
    //= type=test
    //# 3)  If the RST bit is set and the sequence number does not
    //# exactly match the next expected sequence value, yet is
    //# within the current receive window, TCP endpoints MUST send
    //# an acknowledgment (challenge ACK):
    every(|mut net| {
        let conn = open(&mut net);
        net.send(conn.tcp("R").seq(conn.seq + 1));
        net.expect(conn.reply("."));
        net.pass_ms(600);
        net.send(conn.tcp("R").seq(conn.seq + 1_000));
        net.expect(conn.reply("."));
        // Outside the window: silence.
        for seq in [conn.seq - 1, conn.seq.wrapping_add(1 << 30)] {
            net.pass_ms(600);
            net.send(conn.tcp("R").seq(seq));
            net.silent();
        }
        assert_eq!(state(&net, &conn), State::Established);
        net.send(conn.tcp("R"));
        assert_eq!(reason(&net, &conn), Some(CloseReason::PeerReset));
        net.silent();
    });
}

#[test]
fn m02_old_acknowledgments_are_ignored_and_future_ones_answered() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.write(&conn, b"data");
        net.out.clear();
        conn.ack = conn.ack.wrapping_add(4);
        net.send(conn.tcp("."));
        net.send(conn.tcp(".").ack(conn.ack.wrapping_sub(4)));
        net.silent();
        for ack in [1, 1_000, 1 << 30] {
            net.pass_ms(600);
            net.send(conn.tcp(".").ack(conn.ack.wrapping_add(ack)));
            net.expect(conn.reply("."));
        }
        net.pass_ms(600);
        net.send(
            conn.tcp("P.")
                .ack(conn.ack.wrapping_sub(1 << 30))
                .data(b"x"),
        );
        net.expect(conn.reply("."));
        assert_eq!(net.stack.tcp_readable(conn.handle), Ok(0), "RFC 5961 §5");
    });
}

#[test]
fn m03_a_fin_counts_where_it_is_due_and_once() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.send(conn.tcp("F.").seq(conn.seq + 4));
        net.expect(conn.reply("."));
        assert_eq!(state(&net, &conn), State::Established);
        net.send(conn.tcp("P.").data(b"data"));
        let ack = net.segment();
        // A FIN that waited for its data may be taken now, or when it is repeated.
        if ack.tcp.ack == conn.seq + 4 {
            net.send(conn.tcp("F.").seq(conn.seq + 4));
            net.expect(conn.reply(".").ack(conn.seq + 5));
        }
        conn.seq += 5;
        assert_eq!(state(&net, &conn), State::CloseWait);
        net.pass_ms(600);
        net.send(conn.tcp("F.").seq(conn.seq - 1));
        net.expect(conn.reply("."));
        assert_eq!(state(&net, &conn), State::CloseWait);
        assert_eq!(net.read(&conn), b"data");
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
//= type=test
//# Segments with higher beginning sequence numbers SHOULD be held for
//# later processing (SHLD-31).
#[test]
fn m04_out_of_order_and_overlapping_segments_are_kept_and_trimmed() {
    every(|mut net| {
        let mut conn = open(&mut net);
        let data: Vec<u8> = (0..100).collect();
        let piece = |net: &mut Net, from: usize, to: usize| {
            let seq = conn.seq + from as u32;
            net.send(conn.tcp("P.").seq(seq).data(&data[from..to]));
            net.segment().tcp.ack - conn.seq
        };
        assert_eq!(piece(&mut net, 40, 60), 0);
        assert_eq!(piece(&mut net, 20, 50), 0);
        assert_eq!(piece(&mut net, 0, 30), 60);
        assert_eq!(piece(&mut net, 10, 70), 70, "the front is trimmed");
        assert_eq!(piece(&mut net, 70, 100), 100);
        conn.seq += 100;
        assert_eq!(net.read(&conn), data);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The TCP checksum is never optional.  The sender MUST generate it
//# (MUST-2) and the receiver MUST check it (MUST-3).
#[test]
fn m05_checksums_are_verified() {
    every(|mut net| {
        let conn = open(&mut net);
        net.send(conn.tcp("P.").data(b"data").corrupt());
        net.silent();
        assert_eq!(dropped(&net, DropReason::TcpChecksum), 1);
        assert_eq!(net.stack.tcp_readable(conn.handle), Ok(0));
        let good = net.packet_of(&conn.tcp("P.").data(b"data"));
        for at in 0..good.len() {
            // IPv6 protects neither traffic class, flow label nor hop limit.
            if net.v6() && matches!(at, 1..=3 | 7) {
                continue;
            }
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            net.ip(&bad);
        }
        net.out.clear();
        assert_eq!(net.stack.tcp_readable(conn.handle), Ok(0));
        assert_eq!(state(&net, &conn), State::Established);
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
//= type=test
//# If an MSS Option is not received at connection setup, TCP
//# implementations MUST assume a default send MSS of 536 (576 - 40) for
//# IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
#[test]
fn m06_the_mss_follows_the_option_and_options_are_agreed() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
    //= type=test
    //# where MMS_R is the maximum size for a transport-layer message that
    //# can be received (and reassembled at the IP layer) (MUST-67).
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.3
    //= type=test
    //# As a result, when the effective MTU of an interface varies packet-to-
    //# packet, TCP implementations SHOULD use the smallest effective MTU of
    //# the interface to calculate the value to advertise in the MSS Option
    //# (SHLD-6).
    for (offered, v4, v6) in [
        (None, 536, 1_220),
        (Some(1_460), 1_460, 1_440),
        (Some(400), 400, 400),
        (Some(9_000), 1_460, 1_440),
    ] {
        every(|mut net| {
            let listener = net.listen(PORT);
            let mut syn = tcp("S");
            if let Some(mss) = offered {
                syn = syn.mss(mss);
            }
            net.send(syn);
            let syn_ack = net.expect(tcp("S."));
            let own = net.pick(1_460, 1_440);
            assert_eq!(syn_ack.tcp.options.mss, Some(own));
            assert_eq!(syn_ack.tcp.options.window_scale, None, "not offered");
            assert_eq!(syn_ack.tcp.options.timestamps, None);
            assert!(!syn_ack.tcp.options.sack_permitted);
            let ack = syn_ack.tcp.seq.wrapping_add(1);
            net.send(tcp(".").seq(IRS + 1).ack(ack));
            let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
            net.stack.tcp_write(handle, &[5; 8_000]).unwrap();
            net.pump();
            let segment = net.segment();
            assert_eq!(segment.data.len(), net.pick(v4, v6));
            assert_eq!(segment.tcp.options.mss, None, "MUST-65");
        });
    }
}

#[test]
fn m07_the_window_is_taken_from_the_newest_segment_only() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.send(conn.tcp("P.").data(b"new").win(2_920));
        net.out.clear();
        let old = conn.seq;
        conn.seq += 3;
        // An old segment, by its sequence number, with a larger window: not to be believed.
        net.send(conn.tcp(".").seq(old - 1).win(60_000));
        net.out.clear();
        net.write(&conn, &[1; 8_000]);
        let mut sent = 0;
        while let Some(Packet::Tcp(segment)) = net.pop() {
            sent += segment.data.len();
        }
        // Whole segments of it.
        assert!((2_880..=2_920).contains(&sent), "{sent}");
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.5.2
//= type=test
//# otherwise, the reset has
//# sequence number zero and the ACK field is set to the sum of the
//# sequence number and segment length of the incoming segment.
#[test]
fn m08_a_reset_acknowledges_the_data_too() {
    every(|mut net| {
        net.send(tcp("").seq(500).data(b"0123456789"));
        net.expect(tcp("R.").seq(0).ack(510));
        net.send(tcp("SF").seq(500).data(b"0123456789"));
        net.expect(tcp("R.").seq(0).ack(512));
        net.send(tcp("P.").seq(500).ack(77).data(b"0123456789"));
        let reset = net.expect(tcp("R").seq(77));
        assert_eq!(reset.tcp.ack, 0);
    });
}

#[test]
fn m10_a_fin_of_the_peer_leaves_the_other_direction_open() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.send(conn.tcp("F."));
        conn.seq += 1;
        net.expect(conn.reply("."));
        net.pass_s(300);
        net.write(&conn, b"still here");
        net.expect(conn.reply("P.").data(b"still here"));
        assert_eq!(state(&net, &conn), State::CloseWait);
    });
}

#[test]
fn m13_the_syn_that_opens_is_answered_at_once() {
    every(|mut net| {
        net.listen(PORT);
        let before = net.now;
        net.send(tcp("S"));
        net.expect(tcp("S."));
        assert_eq!(net.now, before);
    });
}

#[test]
fn m14_packets_for_nobody_leave_nothing_behind() {
    every(|mut net| {
        net.listen(81);
        for port in 1..2_000 {
            net.send(tcp(".").peer_port(port).ack(1));
            net.expect(tcp("R").peer_port(port));
            net.send(tcp("S").peer_port(port));
            net.expect(tcp("R.").peer_port(port));
        }
        assert_eq!(net.stack.next_deadline(), None);
        assert_eq!(net.stack.counters().held(Layer::Output), 0);
    });
}

#[test]
fn m15_packets_that_wait_for_resolution_keep_their_order() {
    every_ethernet(|mut net| {
        net.alive.clear();
        let socket = net.stack.udp_bind(5_000).unwrap();
        let to = net.peer_at(9);
        for n in 0..4_u8 {
            net.stack.udp_send_to(socket, &[n; 8], to).unwrap();
        }
        net.pump();
        // One question, however many wait.
        assert!(net.pop().is_some());
        net.silent();
        let (peer, us) = (net.peer, net.us);
        let reply = if net.v6() {
            crate::common::trace::advertisement(peer, us, PEER_MAC, true, true)
        } else {
            let arp = crate::common::trace::arp_request(us, peer).reply(PEER_MAC);
            crate::common::trace::arp_frame(crate::common::trace::OUR_MAC, PEER_MAC, &arp)
        };
        net.frame(&reply);
        net.pump();
        for n in 0..4_u8 {
            assert_eq!(net.datagram().data, [n; 8]);
        }
        net.silent();
    });
}
