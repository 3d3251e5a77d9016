//! `l..`: l3l4kit.

use crate::common::trace::{IF, PEER_PORT, PORT, Packet, every, tcp};
use crate::{open, reason, shut};
use netloom_stack::{CloseReason, Error};

#[test]
fn l01_a_partial_write_is_told_and_nothing_is_sent_twice() {
    every(|mut net| {
        let mut conn = open(&mut net);
        net.stack.tcp_set_send_buffer(conn.handle, 3_000).unwrap();
        let data: Vec<u8> = (0..20_000_u32).map(|i| ((i * 7) >> 3) as u8).collect();
        let (mut written, mut got) = (0, Vec::new());
        while got.len() < data.len() {
            match net.stack.tcp_write(conn.handle, &data[written..]) {
                Ok(n) => written += n,
                Err(error) => assert!(written == data.len() || error == Error::WouldBlock),
            }
            net.pump();
            while let Some(Packet::Tcp(segment)) = net.pop() {
                assert_eq!(segment.tcp.seq, conn.ack.wrapping_add(got.len() as u32));
                got.extend_from_slice(&segment.data);
            }
            net.send(conn.tcp(".").ack(conn.ack.wrapping_add(got.len() as u32)));
        }
        conn.ack = conn.ack.wrapping_add(got.len() as u32);
        assert!(got == data);
    });
}

#[test]
fn l02_a_burst_leaves_in_the_order_it_was_made() {
    every(|mut net| {
        net.listen(81);
        for port in 0..3 {
            net.queue_segment(tcp("S").peer_port(PEER_PORT + port));
        }
        net.pump();
        for port in 0..3 {
            net.expect(tcp("R.").peer_port(PEER_PORT + port));
        }
    });
}

#[test]
fn l03_the_retransmission_timer_is_armed_by_sending() {
    every(|mut net| {
        let conn = open(&mut net);
        assert_eq!(net.stack.next_deadline(), None);
        net.stack.tcp_write(conn.handle, b"data").unwrap();
        assert_eq!(net.stack.next_deadline(), Some(net.now), "owed now");
        net.pump();
        let due = net.stack.next_deadline().unwrap();
        assert!(due > net.now && due.micros_since(net.now) <= 1_000_000);
    });
}

#[test]
fn l04_what_lies_across_the_end_of_the_ring_is_readable_at_once() {
    every(|mut net| {
        let mut conn = open(&mut net);
        let mut count = 0_u8;
        for len in [7_000, 5_000, 6_000, 7_900, 3_000] {
            let data: Vec<u8> = (0..len)
                .map(|_| {
                    count = count.wrapping_add(13);
                    count
                })
                .collect();
            for piece in data.chunks(1_000) {
                net.send(conn.tcp("P.").data(piece));
                conn.seq += piece.len() as u32;
            }
            net.out.clear();
            let mut buffer = vec![0; 8_192];
            let n = net.stack.tcp_read(conn.handle, &mut buffer).unwrap();
            assert_eq!(n, len, "in one call");
            assert!(buffer[..n] == data[..]);
            net.pump();
            net.out.clear();
        }
    });
}

#[test]
fn l06_half_closed_and_ended_are_told_apart_by_readiness() {
    every(|mut net| {
        let mut conn = open(&mut net);
        while net.stack.poll_event().is_some() {}
        net.send(conn.tcp("F."));
        conn.seq += 1;
        let event = net.stack.poll_event();
        let Some(netloom_stack::Event::Tcp(handle, ready)) = event else {
            panic!("{event:?}")
        };
        assert_eq!(handle, conn.handle);
        assert!(ready.peer_finished && ready.readable && ready.writable && !ready.closed);
        net.out.clear();
        net.send(conn.tcp("R"));
        let event = net.stack.poll_event();
        let Some(netloom_stack::Event::Tcp(_, ready)) = event else {
            panic!("{event:?}")
        };
        assert!(ready.closed);
        assert_eq!(net.stack.poll_event(), None, "one event for one change");
    });
}

#[test]
fn l07_the_ways_a_connection_ends_are_told_apart() {
    every(|mut net| {
        let listener = net.listen(PORT);
        // FIN.
        let mut finished = net.accepted(listener, PEER_PORT);
        shut(&mut net, &mut finished);
        finished.ack = finished.ack.wrapping_add(1);
        net.send(finished.tcp("F."));
        net.out.clear();
        assert_eq!(reason(&net, &finished), Some(CloseReason::Finished));
        // RST.
        let reset = net.accepted(listener, PEER_PORT + 1);
        net.out.clear();
        net.send(reset.tcp("R"));
        assert_eq!(reason(&net, &reset), Some(CloseReason::PeerReset));
        // Time.
        let timed = net.accepted(listener, PEER_PORT + 2);
        net.write(&timed, b"unheard");
        net.pass_s(400);
        assert_eq!(
            reason(&net, &timed),
            Some(CloseReason::RetransmissionTimedOut)
        );
        // Own abort.
        net.out.clear();
        let aborted = net.accepted(listener, PEER_PORT + 3);
        net.stack.tcp_abort(aborted.handle).unwrap();
        net.pump();
        assert!(net.segment().tcp.flags.rst());
        assert_eq!(reason(&net, &aborted), Some(CloseReason::Aborted));
        assert_eq!(
            net.stack.tcp_write(aborted.handle, b"x"),
            Err(Error::Closed(CloseReason::Aborted))
        );
    });
}

#[test]
fn l08_a_full_device_loses_nothing() {
    every(|mut net| {
        let conn = open(&mut net);
        net.stack.tcp_write(conn.handle, &[9; 8_000]).unwrap();
        net.queue.room = 2;
        let sent = net.stack.transmit(net.now, IF, &mut net.queue);
        assert!(sent.blocked && sent.frames == 2);
        assert_ne!(
            net.stack.next_deadline(),
            Some(net.now),
            "a full device is no deadline"
        );
        net.queue.room = usize::MAX;
        net.pump();
        let mut got = 0;
        while let Some(Packet::Tcp(segment)) = net.pop() {
            assert_eq!(segment.tcp.seq, conn.ack.wrapping_add(got));
            got += segment.data.len() as u32;
        }
        assert_eq!(got, 8_000);
    });
}
