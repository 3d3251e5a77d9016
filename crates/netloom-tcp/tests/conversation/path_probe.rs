//! Probes of the path's MTU (RFC 8899) that are lost: with something else, or unseen.

use netloom_tcp::{Next, PlanKind};

use crate::script::*;

/// Segments of 1000 octets, eight of them, then a probe of 1460 and two more in flight.
fn probing(at: &dyn Fn(&mut Setup), sack: bool) -> Host {
    let mut h = Host::client(Setup::with(|s| {
        at(s);
        s.peer_mss = Some(1460);
        s.peer_sack = sack;
        s.tunables.mtu_probing = 2;
        s.tunables.base_mss = 1000;
    }));
    h.write(30_000);
    assert_eq!(h.emit_all().len(), 10);
    recv!(h, ".", ack: 2001);
    let probe = sends!(h, ".", seq: 10_001, len: 1460);
    assert_eq!(probe.kind, Some(PlanKind::PathProbe));
    assert_eq!(h.emit_all().len(), 2);
    h
}

conversation! {
    a_probe_lost_with_other_data_raises_nothing(at) {
        for sack in [false, true] {
            let mut h = probing(at, sack);
            for i in 1..=3 {
                let block = (3001, 3001 + 1000 * i);
                recv!(h, ".", ack: 2001, sack: if sack { vec![block] } else { vec![] });
                h.emit_all();
            }
            // The probe is missing too.
            recv!(h, ".", ack: 10_001);
            let again = h.emit_all();
            if !sack {
                assert_eq!((again[0].seq, again[0].len), (10_001, 1000));
            }
            for una in [11_461, 13_461] {
                recv!(h, ".", ack: una);
                assert_eq!(h.info().snd_mss, 1000, "{sack} {una}");
                h.emit_all();
            }
        }
    }

    a_probe_that_a_closed_window_refused_raises_nothing(at) {
        let mut h = probing(at, false);
        recv!(h, ".", ack: 2001, win: 0);
        h.sleep_until_deadline();
        let probe = h.emit();
        assert_eq!(probe.kind, Some(PlanKind::WindowProbe));
        recv!(h, ".", ack: 2001, win: 60_000);
        for seg in h.emit_all() {
            assert!(seg.len <= 1000, "{seg:?}");
        }
        recv!(h, ".", ack: 13_461);
        assert_eq!(h.info().snd_mss, 1000);
    }

    without_a_record_of_its_own_no_probe_is_sent(at) {
        let mut h = Host::client(Setup::with(|s| {
            at(s);
            s.peer_mss = Some(1460);
            s.records = 1;
            s.tunables.mtu_probing = 2;
            s.tunables.base_mss = 1000;
        }));
        h.write(30_000);
        let mut una = 1;
        while una < 30_001 {
            assert!(matches!(h.next(), Next::Send(_)));
            for seg in h.emit_all() {
                // Where nothing else is in flight there is room for a record.
                assert!(seg.kind == Some(PlanKind::Data) || seg.seq == una, "{seg:?}");
                una = seg.seq + seg.len;
            }
            // All but the last segment: the record stays.
            una -= 500;
            recv!(h, ".", ack: una);
            if una > 20_000 {
                break;
            }
        }
    }
}
