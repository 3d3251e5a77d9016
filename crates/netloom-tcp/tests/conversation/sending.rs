//! When data goes out: Nagle, silly windows, super-segments, PSH, the congestion window.

use netloom_tcp::{Next, PlanKind};

use crate::script::*;

conversation! {
    bulk_goes_in_full_segments_with_psh_on_the_last(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
        //= type=test
        //# If
        //# PUSH flags are not implemented, then the sending TCP peer: (1) MUST
        //# NOT buffer data indefinitely (MUST-60), and (2) MUST set the PSH bit
        //# in the last buffered segment (i.e., when there is no more queued data
        //# to be sent) (MUST-61).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
        //= type=test
        //# The transmitter SHOULD collapse successive bits when it
        //# packetizes data, to send the largest possible segment (SHLD-27).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
        //= type=test
        //# However, a TCP implementation SHOULD send
        //# a maximum-sized segment whenever possible (SHLD-28) to improve
        //# performance (see Section 3.8.6.2.1).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(2500);
        sends!(h, ".", seq: 1, len: 1000);
        sends!(h, ".", seq: 1001, len: 1000);
        sends!(h, "P.", seq: 2001, len: 500);
        h.quiet();
    }

    must_17_nagle(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.9.1.2
        //= type=test
        //# When an application
        //# issues a series of SEND calls without setting the PUSH flag, the TCP
        //# implementation MAY aggregate the data internally without sending it
        //# (MAY-16).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
        //= type=test
        //# A TCP implementation SHOULD implement the Nagle algorithm to coalesce
        //# short segments (SHLD-7).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        sends!(h, "P.", seq: 1, len: 10);
        h.write(10);
        h.quiet();
        h.write(990);
        sends!(h, "P.", seq: 11, len: 1000);
        h.write(5);
        h.quiet();
        recv!(h, ".", ack: 1011);
        sends!(h, "P.", seq: 1011, len: 5);
        h.write(5);
        h.quiet();
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.4
        //= type=test
        //# However, there MUST be a way for an application
        //# to disable the Nagle algorithm on an individual connection (MUST-17).
        h.c.set_nodelay(true);
        sends!(h, "P.", seq: 1016, len: 5);
    }

    nagle_lets_fin_go(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        sends!(h, "P.", seq: 1, len: 10);
        h.write(10);
        h.c.shutdown_write();
        sends!(h, "FP.", seq: 11, len: 10);
    }

    must_38_no_silly_windows(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.2.1
        //= type=test
        //# A TCP implementation MUST include a SWS avoidance algorithm in the
        //# sender (MUST-38).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 4000;
        }));
        h.write(5000);
        assert_eq!(h.emit_all().len(), 4);
        recv!(h, ".", ack: 4001, win: 0);
        recv!(h, ".", ack: 4001, win: 500);
        h.quiet();
        recv!(h, ".", ack: 4001, win: 999);
        h.quiet();
        recv!(h, ".", ack: 4001, win: 1000);
        sends!(h, "P.", seq: 4001, len: 1000);
    }

    half_the_largest_window_is_worth_sending(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 600;
        }));
        h.write(2000);
        sends!(h, ".", seq: 1, len: 600);
        recv!(h, ".", ack: 601, win: 299);
        h.quiet();
        recv!(h, ".", ack: 601, win: 300);
        sends!(h, ".", seq: 601, len: 300);
    }

    a_small_window_is_used_after_a_timeout(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 4000;
        }));
        h.write(6000);
        h.emit_all();
        recv!(h, ".", ack: 4001, win: 100);
        h.quiet();
        h.sleep_until_deadline();
        sends!(h, ".", seq: 4001, len: 100);
        h.quiet();
    }

    must_1_window_is_unsigned(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
        //= type=test
        //# It is RECOMMENDED that implementations will
        //# reserve 32-bit fields for the send and receive window sizes in the
        //# connection record and do all window computations with 32 bits (REC-
        //# 1).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 0xffff;
            s.tunables.initial_window = 200;
        }));
        h.write(80_000);
        let sent: u32 = h.emit_all().iter().map(|seg| seg.len).sum();
        assert_eq!(sent, 65_000);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
    //= type=test
    //# However, a sending TCP peer MUST
    //# be robust against window shrinking, which may cause the "usable
    //# window" (see Section 3.8.6.2.1) to become negative (MUST-34).
    must_34_shrinking_window(at) {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# Implementations MUST ensure that they handle a shrinking
        //# window, as specified in Section 4.2.2.16 of [RFC1122].
        //= https://www.rfc-editor.org/rfc/rfc7323#section-2.4
        //= type=test
        //# 3)  The initial transmission MUST be within the window announced by
        //# the most recent <ACK>.
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6
        //= type=test
        //# If this happens, the sender SHOULD NOT send new data (SHLD-15), but
        //# SHOULD retransmit normally the old unacknowledged data between
        //# SND.UNA and SND.UNA+SND.WND (SHLD-16).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_window = 8000;
        }));
        h.write(20_000);
        assert_eq!(h.emit_all().len(), 8);
        recv!(h, ".", ack: 1001, win: 2000);
        h.quiet();
        // Retransmissions stay within what is left of it.
        h.sleep_until_deadline();
        sends!(h, ".", seq: 1001, len: 1000);
        recv!(h, ".", ack: 3001, win: 2000);
        let again = h.emit_all();
        assert!(!again.is_empty());
        assert!(again.iter().all(|seg| seg.seq + seg.len <= 5001), "{again:?}");
    }

    initial_window_of_ten(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-2
        //= type=test
        //# At any given time, a TCP MUST NOT send
        //# data with a sequence number higher than the sum of the highest
        //# acknowledged sequence number and the minimum of cwnd and rwnd.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# As specified in [RFC3390], the SYN/ACK and the acknowledgment of the
        //# SYN/ACK MUST NOT increase the size of the congestion window.
        let mut h = Host::client(Setup::with(|s| at(s)));
        assert_eq!(h.info().cwnd, 10_000, "neither SYN nor its acknowledgment adds to it");
        h.write(50_000);
        assert_eq!(h.emit_all().len(), 10);
        // Slow start counts octets, two segments for an acknowledgment at most.
        recv!(h, ".", ack: 2001);
        assert_eq!(h.emit_all().len(), 4);
        recv!(h, ".", ack: 10_001);
        assert_eq!(h.info().cwnd, 14_000);
    }

    ack_division_gains_nothing(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# Note that during congestion avoidance, cwnd MUST NOT be
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3
        //= type=test
        //# In some situations, it may be
        //# beneficial for a TCP sender to be more conservative than the
        //# algorithms allow; however, a TCP MUST NOT be more aggressive than the
        //# following algorithms allow (that is, MUST NOT send data when the
        //# value of cwnd computed by the following algorithms would not allow
        //# the data to be sent).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(50_000);
        h.emit_all();
        for i in 1..=1000 {
            recv!(h, ".", ack: 1 + i);
        }
        assert_eq!(h.info().cwnd, 11_000);
    }

    congestion_avoidance_opens_by_a_segment_a_window(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# The slow start and congestion avoidance algorithms MUST be used by a
        //# TCP sender to control the amount of outstanding data being injected
        //# into the network.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# * SHOULD increment cwnd per equation (2) once per RTT
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# * MUST NOT increment cwnd by more than SMSS bytes
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# The RECOMMENDED way to increase cwnd during congestion avoidance is
        //# to count the number of bytes that have been acknowledged by ACKs for
        //# new data.
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(90_000);
        h.emit_all();
        h.sleep_until_deadline();
        assert_eq!(h.emit_all().len(), 1);
        assert_eq!((h.info().cwnd, h.info().ssthresh), (1000, 5000));
        recv!(h, ".", ack: 10_001);
        let mut una = 10_001;
        while h.info().cwnd < 5000 {
            h.emit_all();
            una += 1000;
            recv!(h, ".", ack: una);
        }
        assert_eq!(h.info().cwnd, 5000);
        for _ in 0..5 {
            h.emit_all();
            una += 1000;
            recv!(h, ".", ack: una);
        }
        assert_eq!(h.info().cwnd, 6000);
    }

    idle_restarts_from_the_initial_window(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.1
        //= type=test
        //# Therefore, a TCP SHOULD set cwnd to no more than RW before beginning
        //# transmission if the TCP has not sent data in an interval exceeding
        //# the retransmission timeout.
        let mut h = Host::client(Setup::with(|s| at(s)));
        let mut una = 1;
        for _ in 0..8 {
            h.write(h.setup.peer_window as u32 / 8);
            h.emit_all();
            una = 1 + h.written;
            recv!(h, ".", ack: una);
        }
        for _ in 0..3 {
            h.write(20_000);
            for seg in h.emit_all() {
                una = seg.seq + seg.len;
            }
            recv!(h, ".", ack: una);
            for seg in h.emit_all() {
                una = seg.seq + seg.len;
            }
            recv!(h, ".", ack: una);
        }
        assert!(h.info().cwnd > 12_000, "{}", h.info().cwnd);
        assert_eq!(h.info().unsent, 0);
        h.sleep(seconds(30));
        h.write(30_000);
        assert_eq!(h.emit_all().len(), 10);
    }

    super_segments(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.gso = 5500;
            s.records = 4;
        }));
        h.write(6300);
        let seg = sends!(h, ".", seq: 1, len: 5000);
        assert_eq!(seg.seg_mss, 1000);
        sends!(h, "P.", seq: 5001, len: 1300);
        assert_eq!(h.c.record_count(), 2);
        recv!(h, ".", ack: 3001);
        assert_eq!(h.c.record_count(), 2);
        recv!(h, ".", ack: 6301);
        assert_eq!(h.c.record_count(), 0);
    }

    super_segments_are_deferred_rather_than_shrunk(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.gso = 4000;
        }));
        h.write(50_000);
        sends!(h, ".", seq: 1, len: 4000);
        sends!(h, ".", seq: 4001, len: 4000);
        // 2 000 octets are left of the window, less than a third: wait.
        h.quiet();
        recv!(h, ".", ack: 2001);
        sends!(h, ".", seq: 8001, len: 4000);
        // But the end of a write goes.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.gso = 4000;
        }));
        h.write(9_500);
        h.emit_all();
        assert_eq!(h.info().unsent, 0);
    }

    no_records_no_sending(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.records = 0;
        }));
        h.write(10);
        h.quiet();
        h.records = vec![netloom_tcp::Record::EMPTY; 2];
        sends!(h, "P.", seq: 1, len: 10);
    }

    a_full_table_merges_only_into_plain_records(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.records = 2;
            s.peer_sack = true;
        }));
        h.write(9_000);
        assert_eq!(h.emit_all().len(), 9);
        assert_eq!(h.c.record_count(), 2);
        recv!(h, ".", ack: 1, sack: vec![(1001, 9001)]);
        h.write(1000);
        assert!(!matches!(h.next(), Next::Send(plan) if plan.kind == PlanKind::Data));
    }

    records_move_as_a_ring(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.records = 3;
            s.peer_sack = true;
        }));
        h.write(3000);
        h.emit_all();
        recv!(h, ".", ack: 2001);
        h.write(2000);
        h.emit_all();
        let from = std::mem::replace(&mut h.records, vec![netloom_tcp::Record::EMPTY; 8]);
        h.c.move_records(&from, &mut h.records);
        recv!(h, ".", ack: 4001);
        assert_eq!(h.c.record_count(), 1);
        recv!(h, ".", ack: 5001);
        assert_eq!(h.c.record_count(), 0);
    }

    tx_space_is_filled_in_place(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        with!(&mut h, |c, _env, io| {
            let space = c.tx_space(&mut io);
            assert_eq!(space.len(), 100_000);
            for (i, octet) in space.iter_mut().take(30).enumerate() {
                *octet = pattern(1 + i as u32);
            }
            c.tx_commit(&io, 30);
            assert_eq!(c.unsent_bytes(), 30);
        });
        sends!(h, "P.", seq: 1, len: 30);
        assert_eq!((h.c.unsent_bytes(), h.c.unacked_bytes(), h.c.tx_extent()), (0, 30, 30));
    }

    a_smaller_path_resends_what_was_too_large(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(3000);
        h.emit_all();
        let cwnd = h.info().cwnd;
        with!(&mut h, |c, _env, io| c.set_path_mss(&mut io, 600));
        let again = h.emit_all();
        assert_eq!(again.iter().map(|seg| seg.len).sum::<u32>(), 3000);
        assert!(again.iter().all(|seg| seg.len <= 600));
        assert_eq!(h.info().cwnd, cwnd);
    }
}
