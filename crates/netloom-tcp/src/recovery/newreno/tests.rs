use netloom_driver::Instant;
#[cfg(feature = "rack")]
use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::recovery::Phase;
use crate::recovery::tests::Side;
use crate::{Env, PlanKind, Timer, Tunables};

/// RFC 6582 §3.2 compares with the last recovery, which may be gigabytes ago.
#[test]
fn a_recovery_of_long_ago_prevents_none() {
    let tunables = Tunables::DEFAULT;
    for watched in [false, true] {
        let mut now = 5_000_000;
        let env = |now| Env::at(Instant::from_micros(now), &tunables);
        let mut side = Side::new(&env(now), false, false, false);
        side.c.flags.put(Flags::WATCHED, watched);
        side.write(1000);
        assert_eq!(side.send(&env(now), 9).len(), 2);
        now += 2_000_000;
        let (c, mut io) = side.io();
        let _ = c.fire(&env(now), &mut io, Timer::Retransmit);
        side.send(&env(now), 9);
        let nxt = side.c.snd_nxt;
        let _ = side.acknowledge(&env(now), nxt);
        assert_eq!(side.c.phase, Phase::Open);
        assert!(side.c.flags.has(Flags::RECOVERED));
        // Acknowledged beyond it; then two GiB and more.
        side.write(500);
        assert_eq!(side.send(&env(now), 9).len(), 1);
        let nxt = side.c.snd_nxt;
        let _ = side.acknowledge(&env(now), nxt);
        side.c.recover = side.c.recover.minus(0x9000_0000);
        side.write(3000);
        assert!(side.send(&env(now), 9).len() > 1);
        let una = side.c.snd_una;
        for _ in 0..3 {
            let _ = side.acknowledge(&env(now), una);
        }
        let sent = side.send(&env(now), 9);
        assert_eq!(side.c.phase, Phase::Recovery, "{watched}");
        assert_eq!((sent[0].kind, sent[0].seq), (PlanKind::Retransmission, una));
    }
}

/// The reduction that a mark asks for moves `recover`: that is no recovery's then.
#[cfg(feature = "rack")]
#[test]
fn a_mark_after_a_recovery_prevents_none() {
    let tunables = Tunables {
        ecn: 1,
        ..Tunables::default()
    };
    let env = Env::at(Instant::from_secs(5), &tunables);
    let mut side = Side::new(&env, false, false, true);
    // As a recovery leaves it.
    side.c.recover = side.c.snd_una;
    side.c.flags.set(Flags::RECOVERED);
    side.write(3000);
    assert_eq!(side.send(&env, 9).len(), 6);
    let una = side.c.snd_una.plus(500);
    let _ = side.acknowledge_with(&env, una, TcpFlags::ECE);
    assert_eq!(side.c.phase, Phase::Reduced);
    for _ in 0..3 {
        let _ = side.acknowledge(&env, una);
    }
    let sent = side.send(&env, 9);
    assert_eq!((sent[0].kind, sent[0].seq), (PlanKind::Retransmission, una));
}
