//! Classes of attack and failure, with their bounds.

use netloom_tcp::{Discard, State, Tunables};

use crate::script::*;

/// What connections have by default.
fn modern(setup: &mut Setup) {
    let default = Tunables::default();
    setup.tunables.congestion_control = default.congestion_control;
    setup.tunables.recovery = true;
    setup.tunables.early_retrans = true;
    setup.tunables.frto = true;
}

conversation! {
    class_8_no_urgent_pointer_does_harm(at) {
        for urg in [0, 1, 2, 9, 10, 11, 1000, 0x7fff, 0x8000, 0xfffe, 0xffff] {
            let mut h = Host::client(Setup::with(|s| at(s)));
            let mut plain = Host::client(Setup::with(|s| at(s)));
            for len in [10, 0, 1] {
                let seq = 1 + h.c.readable_bytes() as u32;
                recv!(h, "PU.", seq: seq, len: len, urg: urg);
                recv!(plain, "P.", seq: seq, len: len);
            }
            assert_eq!(h.info(), plain.info());
            assert_eq!(h.emit_all(), plain.emit_all());
            h.read(11);
        }
    }

    class_11_blind_injection(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        for seq in [0u32, 2, 100, 19_999, 20_002, 100_000, 0x8000_0000] {
            for flags in ["R", "S", "R.", "S."] {
                h.recv(Seg { flags: flags.into(), seq, ..Seg::default() });
                assert_eq!(h.state(), State::Established, "{flags} at {seq}");
            }
        }
        h.recv(Seg { flags: "R".into(), seq: 1, ..Seg::default() });
        assert_eq!(h.state(), State::Closed);
    }

    class_13_tiny_mss_is_clamped(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_mss = Some(1);
            s.peer_sack = true;
            s.peer_ts = true;
        }));
        assert_eq!(h.info().snd_mss, 36);
        h.write(10_000);
        h.emit_all();
        // Every second segment is reported: the table stays bounded, and so does the work.
        let info = h.info();
        for i in 0..info.unacked / 72 {
            recv!(h, ".", ack: 1, sack: vec![(37 + i * 72, 73 + i * 72)], ts: Some((7_100, 0)));
            assert!(h.c.record_count() <= h.records.len());
        }
        h.emit_all();
        recv!(h, ".", ack: 1 + info.unacked, ts: Some((7_200, 0)));
        assert_eq!(h.c.record_count(), 0);
    }

    class_13_holes_by_time_are_bounded(at) {
        // RACK, CUBIC and all that goes with them: every second octet range is reported, a piece at
        // a time. Records stay within their table, and each report sends no more than it tells of.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            modern(s);
            s.peer_mss = Some(1);
            s.peer_sack = true;
        }));
        h.write(20_000);
        h.emit_all();
        let info = h.info();
        let mss = u32::from(info.snd_mss);
        let mut sent = 0;
        for i in 0..info.unacked / (2 * mss) {
            let left = 1 + mss + 2 * mss * i;
            recv!(h, ".", ack: 1, sack: vec![(left, left + mss)]);
            assert!(h.c.record_count() <= h.records.len());
            let before = h.info();
            h.emit_all();
            let after = h.info();
            sent += after.unacked - before.unacked;
            assert!(after.cwnd <= info.cwnd, "{after:?}");
        }
        assert!(sent <= info.unacked);
    }

    class_14_out_of_order_octets_are_bounded(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        let mut refused = 0;
        for i in 0..9_000 {
            let out = recv!(h, ".", seq: 3 + i * 2, len: 1);
            refused += u32::from(out.discard == Some(Discard::RangesFull));
            assert!(h.c.range_count() <= 16);
        }
        assert_eq!(refused, 9_000 - 16);
        assert!(h.emit_all().len() <= 32, "duplicate acknowledgments are bounded");
        recv!(h, ".", seq: 1, len: 34);
        h.read(34);
    }

    class_17_divided_acks_gain_nothing(at) {
        // A segment acknowledged an octet at a time opens the window by that segment and no more.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            modern(s);
            s.peer_sack = true;
        }));
        h.write(40_000);
        h.emit_all();
        let before = h.info().cwnd;
        for octet in 2..=1_001 {
            recv!(h, ".", ack: octet);
        }
        assert_eq!(h.info().cwnd, before + 1_000);
    }

    class_17_false_duplicates_restore_no_more_than_was_taken(at) {
        // A peer that reports duplicates that never were gets back the window before the reduction,
        // and not a segment more, however often it says so.
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            modern(s);
            s.peer_sack = true;
        }));
        h.write(40_000);
        h.emit_all();
        let before = h.info().cwnd;
        recv!(h, ".", ack: 1, sack: vec![(1_001, 4_001)]);
        h.emit_all();
        for _ in 0..50 {
            recv!(h, ".", ack: 1, sack: vec![(1, 1_001), (1_001, 4_001)]);
            recv!(h, ".", ack: 4_001, sack: vec![(1, 1_001)]);
            h.emit_all();
        }
        assert!(h.info().cwnd <= before + 4_000, "{:?}", h.info());
    }

    class_17_optimistic_acks(at) {
        let mut h = Host::client(Setup::with(|s| at(s)));
        h.write(50_000);
        h.emit_all();
        let cwnd = h.info().cwnd;
        for ack in [10_002, 20_000, 60_000] {
            let out = recv!(h, ".", ack: ack);
            assert_eq!(out.discard, Some(Discard::BadAck));
        }
        assert_eq!((h.info().cwnd, h.info().unacked), (cwnd, 10_000));
    }
}

/// Two of ours, both with closed windows, data to send, and probes that cross: not one segment
/// more than the timers ask for.
#[test]
fn class_12_no_ack_storm_between_two_closed_windows() {
    let setup = |swap: bool| {
        Setup::with(|s| {
            s.rx = 1000;
            s.peer_window = 1000;
            if swap {
                (s.iss, s.irs) = (s.irs, s.iss);
            }
        })
    };
    let mut sides = [Host::client(setup(false)), Host::client(setup(true))];
    for host in &mut sides {
        host.write(3000);
    }
    let mut packets = 0;
    for second in 0..600 {
        // Everything that can be sent is exchanged until both are silent.
        let mut rounds = 0;
        loop {
            let sent: Vec<Vec<Seg>> = sides.iter_mut().map(Host::emit_all).collect();
            if sent.iter().all(Vec::is_empty) {
                break;
            }
            rounds += 1;
            assert!(rounds < 20, "they never stop, in second {second}");
            for (from, segments) in sent.into_iter().enumerate() {
                for seg in segments {
                    packets += 1;
                    sides[1 - from].recv(seg);
                }
            }
        }
        for host in &mut sides {
            host.sleep(seconds(1));
        }
    }
    assert!(packets < 80, "{packets} packets in ten minutes");
    // And both get on as soon as there is room.
    for host in &mut sides {
        host.read(1000);
    }
    for _ in 0..400 {
        for from in 0..2 {
            for seg in sides[from].emit_all() {
                sides[1 - from].recv(seg);
            }
            let n = sides[from].c.readable_bytes() as u32;
            sides[from].read(n);
            sides[from].sleep(seconds(1));
        }
    }
    assert_eq!((sides[0].read, sides[1].read), (3000, 3000));
}
