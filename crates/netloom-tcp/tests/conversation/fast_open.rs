//! A passive fast open (RFC 7413), from the SYN on.

use netloom_tcp::{Connection, Discard, Segment};

use crate::script::*;

/// ESTABLISHED, but unconfirmed: the SYN-ACK and the first window are still to be sent.
fn fast_server(setup: Setup) -> Host {
    let mut h = Host::blank(&setup);
    let (params, entry, syn) = (h.params(), h.half_open(), h.peer_syn());
    let mut c = Connection::EMPTY;
    let out = Host::blank(&setup).build(&syn, |segment: &Segment<'_>| {
        with!(&mut h, |_c, env, io| c
            .open_fast_from(&env, &mut io, &params, &entry, segment, None))
    });
    h.c = c;
    h.take(out);
    h
}

conversation! {
    a_loss_of_the_first_segment_reduces_the_window(at) {
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //= type=test
        //# ssthresh MUST be reduced in response to congestion.
        let mut h = fast_server(Setup::with(|s| {
            at(s);
            s.peer_sack = true;
            s.tunables.recovery = true;
        }));
        h.write(30_000);
        let sent = h.emit_all();
        assert_eq!((sent.len(), sent[0].flags.as_str()), (11, "S."));
        h.sleep(millis(100));
        recv!(h, ".", seq: 1, ack: 1, sack: vec![(1001, 4001)]);
        assert_eq!(h.info().ssthresh, 5000);
        sends!(h, ".", seq: 1, len: 1000);
        h.emit_all();
        h.sleep(millis(100));
        let nxt = h.info().snd_nxt.0.wrapping_sub(h.setup.iss);
        recv!(h, ".", seq: 1, ack: nxt);
        assert_eq!(h.info().cwnd, 5000);
    }

    a_syn_ack_lost_twice_leaves_one_segment(at) {
        //= https://www.rfc-editor.org/rfc/rfc6928#section-2
        //= type=test
        //# For this reason, it is RECOMMENDED that implementations refrain from
        //# resetting the initial window to 1 segment, unless there have been
        //# more than one SYN or SYN/ACK retransmissions or true loss detection
        //# has been made.
        for (lost, segments) in [(0, 10), (1, 10), (2, 1), (3, 1)] {
            let mut h = fast_server(Setup::with(|s| at(s)));
            h.write(30_000);
            assert_eq!(h.emit_all().len(), 11);
            for _ in 0..lost {
                h.sleep_until_deadline();
                sends!(h, "S.", seq: 0);
                h.quiet();
            }
            h.sleep(millis(100));
            recv!(h, ".", seq: 1, ack: 1);
            assert!(h.last.established());
            assert_eq!(h.info().cwnd, segments * 1000, "{lost}");
            let again = h.emit_all();
            let expected = if lost == 0 { 0 } else { segments as usize };
            assert_eq!(again.len(), expected, "{lost} {again:?}");
        }
    }

    what_acknowledges_no_syn_ack_confirms_nothing(at) {
        let mut h = fast_server(Setup::with(|s| at(s)));
        for ack in [0, 0u32.wrapping_sub(1000)] {
            let out = recv!(h, ".", seq: 1, ack: ack);
            assert!(!out.established(), "{ack}");
            assert_eq!(out.discard, Some(Discard::BadAck));
        }
        sends!(h, "S.", seq: 0, ack: 1);
        let out = recv!(h, ".", seq: 1, ack: 1);
        assert!(out.established());
    }
}
