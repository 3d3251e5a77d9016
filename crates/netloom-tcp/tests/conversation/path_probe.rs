//! Probes of the path's MTU (RFC 8899): their sizes, and those that are lost, with something else,
//! unseen, or because the path says so.

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

/// A path with a round trip of 100 ms, and the peer at its end.
struct Path {
    /// What is to be acknowledged next, and what is beyond it.
    next: u32,
    beyond: Vec<(u32, u32)>,
    /// The probes so far: their payload, and when they were sent.
    probes: Vec<(u32, u64)>,
}

impl Path {
    fn new() -> Path {
        Path {
            next: 1,
            beyond: Vec::new(),
            probes: Vec::new(),
        }
    }

    fn sizes(&self) -> Vec<u32> {
        self.probes.iter().map(|probe| probe.0).collect()
    }

    /// What the host sends now.
    fn take(&mut self, h: &mut Host) -> Vec<Seg> {
        let all = h.emit_all();
        let most = u32::from(h.info().snd_mss);
        for seg in &all {
            if seg.kind == Some(PlanKind::PathProbe) {
                self.probes.push((seg.len, h.now));
            } else {
                assert!(seg.len <= most, "{most}: {seg:?}");
            }
        }
        all
    }

    /// A segment arrives; what answers it.
    fn arrives(&mut self, h: &Host, seg: &Seg) -> Seg {
        let range = (seg.seq, seg.seq + seg.len);
        self.beyond.retain(|other| *other != range);
        self.beyond.push(range);
        while let Some(at) = (self.beyond.iter()).position(|other| other.0 <= self.next) {
            self.next = self.next.max(self.beyond.remove(at).1);
        }
        let sack = self.beyond.iter().rev().take(3).copied().collect();
        Seg {
            ack: self.next,
            sack: if h.setup.peer_sack { sack } else { Vec::new() },
            ts: seg.ts.map(|(value, _)| (7_001, value)),
            ..Seg::default()
        }
    }

    /// Data goes over it for so many round trips, but for what it loses.
    fn carry(&mut self, h: &mut Host, trips: u32, mut loses: impl FnMut(&Seg) -> bool) {
        let mut flight = Vec::new();
        for _ in 0..trips {
            let queued = h.info().unacked + h.info().unsent;
            h.write(60_000u32.saturating_sub(queued));
            flight.extend(self.take(h));
            h.sleep(millis(100));
            for seg in std::mem::take(&mut flight) {
                if !loses(&seg) {
                    let ack = self.arrives(h, &seg);
                    h.recv(ack);
                    flight.extend(self.take(h));
                }
            }
        }
        // What is left comes through, and there is nothing more.
        while h.info().unacked + h.info().unsent > 0 {
            flight.extend(self.take(h));
            h.sleep(millis(100));
            for seg in std::mem::take(&mut flight) {
                if seg.kind != Some(PlanKind::PathProbe) {
                    let ack = self.arrives(h, &seg);
                    h.recv(ack);
                    flight.extend(self.take(h));
                }
            }
        }
    }
}

/// A host that searches from 1000 octets on.
fn searching(at: &dyn Fn(&mut Setup), change: impl FnOnce(&mut Setup)) -> Host {
    Host::client(Setup::with(|s| {
        at(s);
        s.peer_mss = Some(1460);
        s.tunables.mtu_probing = 2;
        s.tunables.base_mss = 1000;
        change(s);
    }))
}

conversation! {
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# A PL MUST NOT send a datagram (other than a probe
    //# packet) with a size at the PL that is larger than the current
    //# PLPMTU.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.3.2
    //= type=test
    //# Implementations SHOULD select the set of probe packet sizes to
    //# maximize the gain in PLPMTU from each search step.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //= type=test
    //# To avoid excessive load, the interval between individual probe
    //# packets MUST be at least one RTT, and the interval between rounds of
    //# probing is determined by the PMTU_RAISE_TIMER.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# When the
    //# transmission of probe packets is not controlled by the congestion
    //# controller, the interval between probe packets MUST be at least
    //# one RTT.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Loss of a probe packet SHOULD NOT be treated as an
    //# indication of congestion and SHOULD NOT trigger a congestion
    //# control reaction [RFC4821] because this could result in
    //# unnecessary reduction of the sending rate.
    a_search_tries_all_then_halves_what_is_left(at) {
        for sack in [false, true] {
            let mut h = searching(at, |s| s.peer_sack = sack);
            let mut path = Path::new();
            path.carry(&mut h, 100, |seg| seg.len > 1300);
            let expected = [
                1460, 1460, 1460, 1230, 1345, 1345, 1345, 1287, 1316, 1316, 1316, 1301, 1301, 1301,
                1294,
            ];
            assert_eq!(path.sizes(), expected, "{sack}");
            for pair in path.probes.windows(2) {
                assert!(pair[1].1 - pair[0].1 >= millis(100), "{sack} {pair:?}");
            }
            assert_eq!(h.info().snd_mss, 1294);
            assert_eq!(h.info().ssthresh, u32::MAX, "{sack}");
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
    //= type=test
    //# When an acknowledged PL is used, this timer MUST
    //# NOT be used.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.2
    //= type=test
    //# When used with an
    //# acknowledged PL (e.g., SCTP), DPLPMTUD SHOULD NOT continue to
    //# generate PLPMTU probes in this state.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-5.1.1
    //= type=test
    //# The PMTU_RAISE_TIMER is configured to the period a
    //# sender will continue to use the current PLPMTU, after which it
    //# reenters the Search Phase.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# It is RECOMMENDED that methods are robust to path
    //# changes that could have occurred since the path characteristics
    //# were last confirmed and to the possibility of inconsistent path
    //# information being received.
    a_search_that_is_over_begins_again_after_ten_minutes(at) {
        let mut h = searching(at, |_| {});
        let mut path = Path::new();
        path.carry(&mut h, 100, |seg| seg.len > 1300);
        let done = path.probes.len();
        assert_eq!(h.deadline(), None);
        h.sleep(seconds(500));
        path.carry(&mut h, 100, |_| false);
        assert_eq!(path.probes.len(), done, "{:?}", path.sizes());
        assert_eq!(h.deadline(), None);
        h.sleep(seconds(100));
        path.carry(&mut h, 100, |_| false);
        assert_eq!(path.sizes()[done..], [1460]);
        assert_eq!(h.info().snd_mss, 1460);
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# A DPLPMTUD sender is RECOMMENDED to utilize
    //# information about the maximum size of packet that can be
    //# transmitted by the sender on the local link (e.g., the local link
    //# MTU).
    no_probe_is_larger_than_the_link_or_the_peer_takes(at) {
        for (link, peer, probed) in [(1200, 1460, 1200), (1460, 1100, 1100)] {
            let mut h = searching(at, |s| {
                s.path_mss = link;
                s.peer_mss = Some(peer);
            });
            let mut path = Path::new();
            path.carry(&mut h, 20, |_| false);
            assert_eq!(path.sizes(), [probed]);
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-5
    //= type=test
    //# A PL MUST
    //# adjust the MPS indicated by DPLPMTUD to account for any additional
    //# overhead introduced by the PL.
    options_come_off_what_was_found(at) {
        let mut h = searching(at, |s| s.peer_ts = true);
        assert_eq!(h.info().snd_mss, 1000);
        let mut path = Path::new();
        path.carry(&mut h, 20, |_| false);
        assert_eq!(path.sizes(), [1448]);
        assert_eq!(h.info().snd_mss, 1448);
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# The PL is REQUIRED to be
    //# robust in the case where probe packets are lost due to other
    //# reasons (including link transmission error, congestion).
    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //= type=test
    //# The
    //# design of a PLPMTUD implementation SHOULD consider how to mitigate
    //# the effects of varying path information.
    two_probes_lost_tell_nothing_yet(at) {
        let mut h = searching(at, |_| {});
        let mut path = Path::new();
        let mut lost = 0;
        path.carry(&mut h, 50, |seg| {
            let loses = seg.len > 1000 && lost < 2;
            lost += u32::from(loses);
            loses
        });
        assert_eq!(path.sizes(), [1460; 3]);
        assert_eq!(h.info().snd_mss, 1460);
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# The PL is REQUIRED to be
    //# robust in the case where probe packets are lost due to other
    //# reasons (including link transmission error, congestion).
    probes_lost_in_congestion_tell_nothing_of_their_size(at) {
        let mut h = searching(at, |s| {
            s.peer_sack = true;
            s.tunables.recovery = true;
        });
        let mut path = Path::new();
        let (mut probes, mut behind) = (0, None);
        path.carry(&mut h, 200, |seg| {
            if seg.kind == Some(PlanKind::PathProbe) && probes < 3 {
                probes += 1;
                behind = Some(seg.seq + seg.len);
                return true;
            }
            behind.take_if(|seq| *seq == seg.seq).is_some()
        });
        assert_eq!(path.sizes(), [1460; 4]);
        assert_eq!(h.info().snd_mss, 1460);
        assert_ne!(h.info().ssthresh, u32::MAX);
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# A method is REQUIRED to be robust to the
    //# possibility that a flow encounters reordering or that the traffic
    //# (including probe packets) is divided over more than one network
    //# path.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# The feedback mechanism is REQUIRED
    //# to be robust to the possibility that packets could be
    //# significantly delayed or duplicated along a network path.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-4.1
    //= type=test
    //# Probe messages sent by a PL MUST contain enough information to
    //# uniquely identify the probe within the Maximum Segment Lifetime
    //# (e.g., including a unique identifier from the PL or the DPLPMTUD
    //# implementation), while being robust to reordering and replay of probe
    //# response and PTB messages.
    a_probe_that_is_late_raises_nothing_and_costs_nothing(at) {
        let mut h = probing(at, false);
        // Old acknowledgments are not of the probe.
        for una in [1001, 2001, 1001] {
            recv!(h, ".", ack: una);
            assert_eq!(h.info().snd_mss, 1000);
        }
        recv!(h, ".", ack: 10_001);
        h.emit_all();
        let before = h.info();
        for _ in 0..3 {
            recv!(h, ".", ack: 10_001);
        }
        sends!(h, ".", seq: 10_001, len: 1000);
        sends!(h, ".", seq: 11_001, len: 460);
        // It arrives nevertheless; that cannot be told from what was sent again.
        recv!(h, ".", ack: 13_461);
        assert_eq!(h.info().snd_mss, 1000);
        assert!(h.info().cwnd >= before.cwnd, "{:?}", h.info());
        assert_eq!(h.info().ssthresh, before.ssthresh);
        let una = h.info().snd_nxt.0.wrapping_sub(h.setup.iss);
        recv!(h, ".", ack: una);
        let all = h.emit_all();
        let probe = all.iter().find(|seg| seg.kind == Some(PlanKind::PathProbe)).unwrap();
        assert_eq!(probe.len, 1460);
        recv!(h, ".", ack: probe.seq);
        recv!(h, ".", ack: una);
        assert_eq!(h.info().snd_mss, 1000);
        recv!(h, ".", ack: probe.seq + 1460);
        assert_eq!(h.info().snd_mss, 1460);
    }

    // A router near by answers sooner than the peer.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-8
    //= type=test
    //# To avoid excessive load, the interval between individual probe
    //# packets MUST be at least one RTT, and the interval between rounds of
    //# probing is determined by the PMTU_RAISE_TIMER.
    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# Loss of a probe packet SHOULD NOT be treated as an
    //# indication of congestion and SHOULD NOT trigger a congestion
    //# control reaction [RFC4821] because this could result in
    //# unnecessary reduction of the sending rate.
    a_probe_that_is_said_to_be_too_big_is_sent_again_and_costs_nothing(at) {
        for sack in [false, true] {
            let mut h = probing(at, sack);
            let before = h.info();
            with!(&mut h, |c, _env, io| c.set_path_mss(&mut io, 1400));
            sends!(h, ".", seq: 10_001, len: 1000);
            sends!(h, ".", seq: 11_001, len: 460);
            for seg in h.emit_all() {
                assert_ne!(seg.kind, Some(PlanKind::PathProbe), "{sack} {seg:?}");
            }
            assert_eq!(h.info().snd_mss, 1000);
            // All arrives but the probe, and then what was sent again.
            recv!(h, ".", ack: 10_001);
            for i in 1..=2 {
                let block = (11_461, 11_461 + 1000 * i);
                recv!(h, ".", ack: 10_001, sack: if sack { vec![block] } else { vec![] });
                for seg in h.emit_all() {
                    assert_ne!(seg.kind, Some(PlanKind::PathProbe), "{sack} {seg:?}");
                }
            }
            recv!(h, ".", ack: 11_001);
            recv!(h, ".", ack: 13_461);
            assert!(h.info().cwnd >= before.cwnd, "{sack} {:?}", h.info());
            assert_eq!(h.info().ssthresh, before.ssthresh, "{sack}");
            sends!(h, ".", len: 1400, kind: Some(PlanKind::PathProbe));
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc8899#section-3
    //= type=test
    //# The PL is REQUIRED to be
    //# robust in the case where probe packets are lost due to other
    //# reasons (including link transmission error, congestion).
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
