//! Received text: in order, out of order, twice, too much; URG and FIN.

use netloom_tcp::{Discard, News, State};
use proptest::prelude::*;

use crate::script::*;

conversation! {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
    //= type=test
    //# Segments with higher
    //# beginning sequence numbers SHOULD be held for later
    //# processing (SHLD-31).
    shld_31_out_of_order_segments_are_held(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.2
        //= type=test
        //# A TCP receiver SHOULD send an immediate duplicate ACK when an out-
        //# of-order segment arrives.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# Out-of-order data segments SHOULD be acknowledged immediately, in
        //# order to accelerate loss recovery.
        //= https://www.rfc-editor.org/rfc/rfc6582#section-5
        //= type=test
        //# [RFC5681] specifies that "Out-of-order data segments SHOULD be
        //# acknowledged immediately, in order to accelerate loss recovery".
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, ".", seq: 1001, len: 1000);
        assert!(!h.last.readable());
        sends!(h, ".", ack: 1, len: 0);
        recv!(h, ".", seq: 2001, len: 1000);
        sends!(h, ".", ack: 1);
        recv!(h, ".", seq: 1, len: 1000);
        assert!(h.last.readable());
        sends!(h, ".", ack: 3001);
        h.quiet();
        h.read(3000);
    }

    must_59_drain_then_acknowledge(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# o  In general, the processing of received segments MUST be
        //# implemented to aggregate ACK segments whenever possible
        //# (MUST-58).
        let mut h = Host::client(Setup::with(|s| at(s)));
        for i in 0..10 {
            recv!(h, ".", seq: 1 + i * 1000, len: 1000);
        }
        sends!(h, ".", ack: 10_001);
        h.quiet();
    }

    one_duplicate_ack_for_each_segment_without_sack(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
        //= type=test
        //# o  A TCP implementation MAY send an ACK segment acknowledging
        //# RCV.NXT when a valid segment arrives that is in the window
        //# but not at the left window edge (MAY-13).
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# To trigger the fast retransmit
        //# algorithm, the receiver SHOULD send an immediate duplicate ACK when
        //# it receives a data segment above a gap in the sequence space.
        //= https://www.rfc-editor.org/rfc/rfc5681#section-4.2
        //= type=test
        //# A TCP receiver MUST NOT generate more than one ACK for every incoming
        //# segment, other than to update the offered window as the receiving
        //# application consumes new data (see [RFC813] and page 42 of [RFC793]).
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# If the data receiver has not received a
        //# SACK-Permitted option for a given connection, it MUST NOT send SACK
        //# options on that connection.
        let mut h = Host::client(Setup::with(|s| at(s)));
        for i in 1..5 {
            recv!(h, ".", seq: 1 + i * 1000, len: 1000);
        }
        for _ in 1..5 {
            sends!(h, ".", seq: 1, ack: 1, len: 0, win: 20_000, sack: vec![]);
        }
        h.quiet();
        // A merged frame of three counts three times.
        recv!(h, ".", seq: 6001, len: 3000, count: 3);
        assert_eq!(h.emit_all().len(), 3);
    }

    sack_reports_the_latest_range_first(at) {
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# If the data receiver generates SACK
        //# options under any circumstance, it SHOULD generate them under all
        //# permitted circumstances.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# If sent at all, SACK options SHOULD be included in all ACKs which do
        //# not ACK the highest sequence number in the data receiver's queue.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# The
        //# receiver SHOULD send an ACK for every valid segment that arrives
        //# containing new data, and each of these "duplicate" ACKs SHOULD bear a
        //# SACK option.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# * The first SACK block (i.e., the one immediately following the
        //# kind and length fields in the option) MUST specify the contiguous
        //# block of data containing the segment which triggered this ACK,
        //# unless that segment advanced the Acknowledgment Number field in
        //# the header.
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# * The SACK option SHOULD be filled out by repeating the most
        //# recently reported SACK blocks (based on first SACK blocks in
        //# previous SACK options) that are not subsets of a SACK block
        //# already included in the SACK option being constructed.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
        }));
        recv!(h, ".", seq: 2001, len: 1000);
        sends!(h, ".", ack: 1, sack: vec![(2001, 3001)]);
        recv!(h, ".", seq: 6001, len: 1000);
        sends!(h, ".", ack: 1, sack: vec![(6001, 7001), (2001, 3001)]);
        recv!(h, ".", seq: 4001, len: 1000);
        sends!(h, ".", sack: vec![(4001, 5001), (6001, 7001), (2001, 3001)]);
        recv!(h, ".", seq: 3001, len: 1000);
        sends!(h, ".", sack: vec![(2001, 5001), (6001, 7001)]);
        recv!(h, ".", seq: 10_001, len: 10);
        recv!(h, ".", seq: 12_001, len: 10);
        recv!(h, ".", seq: 14_001, len: 10);
        let seg = h.emit();
        assert_eq!(
            seg.sack,
            [(14_001, 14_011), (12_001, 12_011), (10_001, 10_011), (2001, 5001)]
        );
        recv!(h, ".", seq: 1, len: 2000);
        sends!(h, ".", ack: 5001, sack: vec![
            (14_001, 14_011), (12_001, 12_011), (10_001, 10_011), (6001, 7001)
        ]);
        h.read(5000);
    }

    sack_leaves_room_for_timestamps(at) {
        //= https://www.rfc-editor.org/rfc/rfc2018#section-4
        //= type=test
        //# * The data receiver SHOULD include as many distinct SACK blocks as
        //# possible in the SACK option.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
            s.peer_ts = true;
        }));
        for i in [2, 4, 6, 8, 10] {
            recv!(h, ".", seq: 1 + i * 1000, len: 1000, ts: Some((7_100, 0)));
        }
        let seg = h.emit();
        assert_eq!(seg.sack, [(10_001, 11_001), (8001, 9001), (6001, 7001)]);
        // On data segments they make the text shorter.
        h.write(5000);
        let seg = h.emit();
        assert_eq!((seg.sack.len(), seg.len), (3, 1000 - 12 - 28));
    }

    d_sack_reports_duplicates_first(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
        }));
        recv!(h, ".", seq: 1, len: 1000);
        recv!(h, ".", seq: 1001, len: 1000);
        sends!(h, ".", ack: 2001, sack: vec![]);
        // RFC 2883 §4.1.1: a duplicate below the cumulative acknowledgment.
        recv!(h, ".", seq: 1001, len: 1000);
        sends!(h, ".", ack: 2001, sack: vec![(1001, 2001)]);
        h.quiet();
        // §4.1.2: with a range beyond a gap.
        recv!(h, ".", seq: 3001, len: 1000);
        sends!(h, ".", ack: 2001, sack: vec![(3001, 4001)]);
        recv!(h, ".", seq: 1001, len: 1000);
        sends!(h, ".", ack: 2001, sack: vec![(1001, 2001), (3001, 4001)]);
        // §4.1.3: a duplicate of the range itself.
        recv!(h, ".", seq: 3001, len: 500);
        sends!(h, ".", ack: 2001, sack: vec![(3001, 3501), (3001, 4001)]);
        recv!(h, ".", seq: 4001, len: 100);
        sends!(h, ".", ack: 2001, sack: vec![(3001, 4101)]);
    }

    a_full_list_of_ranges_drops_the_newcomer_and_keeps_its_word(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.ranges = 2;
            s.peer_sack = true;
        }));
        recv!(h, ".", seq: 2001, len: 100);
        recv!(h, ".", seq: 4001, len: 100);
        let out = recv!(h, ".", seq: 6001, len: 100);
        assert_eq!(out.discard, Some(Discard::RangesFull));
        sends!(h, ".", ack: 1, sack: vec![(4001, 4101), (2001, 2101)]);
        // One that touches a range still fits.
        assert_eq!(recv!(h, ".", seq: 4101, len: 100).discard, None);
        recv!(h, ".", seq: 1, len: 2000);
        sends!(h, ".", ack: 2101, sack: vec![(4001, 4201)]);
        h.read(2100);
    }

    without_ranges_only_order_counts(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.ranges = 0;
        }));
        let out = recv!(h, ".", seq: 1001, len: 1000);
        assert_eq!(out.discard, Some(Discard::RangesFull));
        sends!(h, ".", ack: 1);
        recv!(h, ".", seq: 1, len: 1000);
        h.read(1000);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.4
    //= type=test
    //# If a segment's
    //# contents straddle the boundary between old and new, only the
    //# new parts are processed.
    overlaps_are_trimmed(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, ".", seq: 1, len: 100);
        recv!(h, ".", seq: 51, len: 100);
        sends!(h, ".", ack: 151);
        recv!(h, ".", seq: 301, len: 100);
        recv!(h, ".", seq: 101, len: 250);
        h.read(400);
        sends!(h, ".", ack: 401);
    }

    text_beyond_the_window_is_cut(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1500;
        }));
        recv!(h, ".", seq: 1, len: 1000);
        let out = recv!(h, ".", seq: 1001, len: 1000);
        assert_eq!(out.discard, Some(Discard::WindowFull));
        assert_eq!(h.c.readable_bytes(), 1500);
        sends!(h, ".", ack: 1501, win: 0);
        let out = recv!(h, ".", seq: 1501, len: 1000);
        assert_eq!(out.discard, Some(Discard::WindowFull));
        sends!(h, ".", ack: 1501, win: 0);
        let out = recv!(h, ".", seq: 9000, len: 1000);
        assert_eq!(out.discard, Some(Discard::OutOfWindow));
        sends!(h, ".", ack: 1501, win: 0);
        h.read(1500);
        sends!(h, ".", ack: 1501, win: 1500);
    }

    no_memory_is_not_a_loss_of_order(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let memory = std::mem::take(&mut h.rx);
        let out = recv!(h, ".", seq: 1, len: 1000);
        assert_eq!(out.discard, Some(Discard::NoMemory));
        sends!(h, ".", ack: 1);
        h.rx = memory;
        recv!(h, ".", seq: 1, len: 1000);
        h.read(1000);
    }

    rx_need_asks_only_for_what_is_acceptable(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let need = |h: &Host, seg: Seg| h.build(&seg, |segment| h.c.rx_need(segment));
        assert_eq!(need(&h, Seg { len: 100, ..Seg::default() }), 100);
        assert_eq!(need(&h, Seg { seq: 1001, len: 100, ..Seg::default() }), 1100);
        assert_eq!(need(&h, Seg { seq: 19_951, len: 100, ..Seg::default() }), 20_000);
        assert_eq!(need(&h, Seg { seq: 30_000, len: 100, ..Seg::default() }), 0);
        assert_eq!(need(&h, Seg { len: 100, ack: 2, ..Seg::default() }), 0);
        assert_eq!(need(&h, Seg { len: 100, flags: "P".into(), ..Seg::default() }), 0);
        assert_eq!(need(&h, Seg { len: 100, flags: "R.".into(), ..Seg::default() }), 0);
        assert_eq!(need(&h, Seg::default()), 0);
        recv!(h, ".", seq: 1, len: 100);
        assert_eq!(need(&h, Seg { len: 150, ..Seg::default() }), 150);
        assert_eq!(need(&h, Seg { len: 100, ..Seg::default() }), 0);
    }

    fin_beyond_a_gap_waits(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "FP.", seq: 1001, len: 1000);
        assert!(!h.last.peer_finished());
        assert_eq!(h.state(), State::Established);
        sends!(h, ".", ack: 1);
        recv!(h, ".", seq: 1, len: 1000);
        assert!(h.last.peer_finished());
        sends!(h, ".", ack: 2002);
        h.read(2000);
        assert!(h.c.peer_finished());
        // Again, it changes nothing.
        let out = recv!(h, "FP.", seq: 1001, len: 1000);
        assert_eq!(out.discard, Some(Discard::Duplicate));
        sends!(h, ".", ack: 2002);
        assert_eq!(h.state(), State::CloseWait);
    }

    text_after_the_fin_is_ignored(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "F.", seq: 101);
        sends!(h, ".", ack: 1);
        let out = recv!(h, ".", seq: 201, len: 10);
        assert_eq!(out.discard, Some(Discard::AfterFin));
        recv!(h, ".", seq: 1, len: 100);
        sends!(h, ".", ack: 102);
        let out = recv!(h, ".", seq: 102, len: 10);
        assert_eq!(out.discard, Some(Discard::AfterFin));
        h.read(100);
        assert!(h.c.peer_finished());
    }

    fin_at_a_closed_window_is_taken(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1000;
        }));
        recv!(h, ".", seq: 1, len: 1000);
        h.sleep(millis(40));
        sends!(h, ".", ack: 1001, win: 0);
        recv!(h, "F.", seq: 1001);
        assert_eq!(h.state(), State::CloseWait);
        sends!(h, ".", ack: 1002, win: 0);
    }

    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
    //= type=test
    //# A TCP implementation MUST (MUST-32) inform the application layer
    //# asynchronously whenever it receives an urgent pointer and there was
    //# previously no pending urgent data, or whenever the urgent pointer
    //# advances in the data stream.
    must_30_31_32_33_urgent_data(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //= type=test
        //# However, TCP implementations MUST still include support for the
        //# urgent mechanism (MUST-30).
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //= type=test
        //# A TCP implementation MUST support a sequence of urgent data of any
        //# length (MUST-31) [19].
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //= type=test
        //# The TCP implementation MUST (MUST-33)
        //# provide a way for the application to learn how much urgent data
        //# remains to be read from the connection, or at least to determine
        //# whether more urgent data remains to be read [19].
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, "PU.", seq: 1, len: 100, urg: 50);
        assert!(h.last.urgent());
        assert_eq!(h.c.urgent_bytes(), 50);
        recv!(h, "PU.", seq: 101, len: 10, urg: 5);
        assert!(h.last.urgent(), "the pointer advanced");
        assert_eq!(h.c.urgent_bytes(), 105);
        recv!(h, "PU.", seq: 111, len: 10, urg: 0);
        assert!(h.last.urgent());
        recv!(h, "PU.", seq: 121, len: 10, urg: 0);
        recv!(h, "P.", seq: 131, len: 10);
        assert!(!h.last.urgent(), "the pointer did not advance");
        h.read(140);
        assert_eq!(h.c.urgent_bytes(), 0);
    }

    must_31_urgent_data_of_any_length(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //= type=test
        //# A TCP implementation MUST support a sequence of urgent data of any
        //# length (MUST-31) [19].
        let mut h = Host::client(Setup::with(|s| at(s)));
        // The pointer says how far it goes at most, and goes on from there: 70,000 octets.
        for (sent, ahead) in [(0, 65_535), (20_000, 50_000), (40_000, 30_000), (60_000, 10_000)] {
            recv!(h, "PU.", seq: 1 + sent, len: 20_000.min(ahead), urg: ahead as u16);
            assert_eq!(h.c.urgent_bytes() as u32, ahead, "at {sent}");
            h.emit_all();
            h.read(20_000.min(ahead));
            h.emit_all();
        }
        assert_eq!(h.c.urgent_bytes(), 0);
    }

    must_62_urgent_pointer_is_after_the_data(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.5
        //= type=test
        //# The urgent pointer MUST point to the sequence number of the octet
        //# following the urgent data (MUST-62).
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(10);
        h.c.mark_urgent();
        sends!(h, "P.U", seq: 1, len: 10, urg: 10);
        h.write(10);
        recv!(h, ".", ack: 11);
        sends!(h, "P.", seq: 11, len: 10, urg: 0);
    }

    must_66_rst_and_urg_at_a_closed_window(at) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.4
        //= type=test
        //# A TCP receiver MUST process the RST and URG
        //# fields of all incoming segments, even when the receive window is zero
        //# (MUST-66).
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1000;
        }));
        recv!(h, ".", seq: 1, len: 1000);
        h.sleep(millis(40));
        sends!(h, ".", ack: 1001, win: 0);
        recv!(h, "U.", seq: 1001, urg: 10);
        assert!(h.last.urgent());
        recv!(h, "R", seq: 1001);
        assert_eq!(h.state(), State::Closed);
    }

    read_side_calls(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1000;
        }));
        recv!(h, ".", seq: 1, len: 900);
        h.read(800);
        recv!(h, ".", seq: 901, len: 100);
        let (a, b) = with!(&mut h, |c, _env, io| {
            let (a, b) = c.rx_slices(&io);
            (a.to_vec(), b.to_vec())
        });
        assert_eq!(a.len() + b.len(), 200);
        let mut out = [0; 50];
        let n = with!(&mut h, |c, _env, io| c.peek(&io, 175, &mut out));
        assert_eq!((n, out[0]), (25, pattern(976)));
        with!(&mut h, |c, _env, io| c.consume(&io, 100));
        h.read += 100;
        h.read(100);
        assert_eq!(h.c.rx_extent(), 0);
    }

    the_receive_ring_moves_with_what_is_out_of_order(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.rx = 1000;
        }));
        recv!(h, ".", seq: 1, len: 700);
        h.read(700);
        sends!(h, ".", ack: 701);
        recv!(h, ".", seq: 701, len: 100);
        recv!(h, ".", seq: 901, len: 400);
        assert_eq!(h.c.rx_extent(), 600);
        let from = std::mem::replace(&mut h.rx, vec![0x55; 5000]);
        h.c.move_rx(&from, &mut h.rx);
        recv!(h, ".", seq: 801, len: 100);
        h.read(600);
    }

    news_is_given_once(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        recv!(h, ".", seq: 1, len: 10);
        assert!(h.last.news.contains(News::READABLE));
        recv!(h, ".", seq: 1, len: 10);
        assert!(!h.last.news.contains(News::READABLE));
    }
}

proptest! {
    /// Any order, any overlap: what is delivered is the stream.
    #[test]
    fn reassembly_is_the_stream(
        pieces in prop::collection::vec((0u32..3000, 1u32..700), 1..60),
        ranges in 0usize..8,
        rx in 1usize..4000,
        iss in any::<u32>(),
    ) {
        let mut h = Host::client(Setup::with(|s| {
            s.rx = rx;
            s.ranges = ranges;
            s.irs = iss;
            s.peer_sack = true;
        }));
        for &(from, len) in &pieces {
            recv!(h, "P.", seq: 1 + from, len: len);
            let n = h.c.readable_bytes() as u32;
            h.read(n);
            h.emit_all();
        }
        // Then in order, to the end.
        while h.read < 4000 {
            let at = 1 + h.read;
            let room = h.info().rcv_wnd.min(500);
            prop_assert!(room > 0);
            recv!(h, "P.", seq: at, len: room);
            let n = h.c.readable_bytes() as u32;
            prop_assert!(n > 0);
            h.read(n);
            h.emit_all();
        }
    }
}
