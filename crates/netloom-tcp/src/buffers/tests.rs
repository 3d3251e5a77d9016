use netloom_driver::Instant;
use netloom_wire::TcpFlags;

use crate::recovery::tests::Side;
use crate::{Env, Segment, Tunables};

#[test]
fn urgent_data_is_over_when_it_is_acknowledged() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_secs(5), &tunables);
    let mut side = Side::new(&env, false, true, false);
    side.c.set_nodelay(true);
    side.write(100);
    side.c.mark_urgent();
    side.write(100);
    let sent = side.send(&env, 9);
    assert!(sent[0].flags.contains(TcpFlags::URG));
    // Not by a part of it.
    let una = side.c.snd_una;
    let _ = side.acknowledge(&env, una.plus(50));
    side.write(100);
    assert_eq!(side.send(&env, 9).len(), 1);
    let nxt = side.c.snd_nxt;
    let _ = side.acknowledge(&env, nxt);
    // Two GiB later SND.UP would lie ahead again.
    let far = side.c.snd_up.plus(0x9000_0000);
    (side.c.snd_una, side.c.snd_nxt, side.c.snd_wl2) = (far, far, far);
    side.write(100);
    let sent = side.send(&env, 9);
    assert!(!sent[0].flags.contains(TcpFlags::URG), "{sent:?}");
}

#[cfg(target_pointer_width = "64")]
#[test]
fn after_urgent_data_the_fast_path_is_taken_again() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_secs(5), &tunables);
    let mut side = Side::new(&env, false, true, false);
    side.write(100);
    side.c.mark_urgent();
    assert_eq!(side.send(&env, 9).len(), 1);
    let nxt = side.c.snd_nxt;
    let _ = side.acknowledge(&env, nxt);
    side.write(100);
    assert!(side.send_plain(&env).is_some());
}

#[test]
fn urgent_data_is_over_when_it_is_read() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_secs(5), &tunables);
    for shut in [false, true] {
        let mut side = Side::new(&env, false, true, false);
        if shut {
            side.c.shutdown_read();
        }
        let segment = Segment {
            seq: side.c.rcv_nxt,
            ack: side.c.snd_nxt,
            flags: TcpFlags::ACK | TcpFlags::URG,
            window: 30_000,
            urgent: 50,
            timestamps: None,
            options: &[],
            payload: &[7; 100],
            count: 1,
            ce: false,
        };
        assert!(side.receive(&env, &segment).urgent());
        if !shut {
            assert_eq!(side.c.urgent_bytes(), 50);
            let (c, mut io) = side.io();
            assert_eq!(c.read(&mut io, &mut [0; 40]), 40);
            assert_eq!(c.urgent_bytes(), 10);
            assert_eq!(c.read(&mut io, &mut [0; 60]), 60);
        }
        assert_eq!(side.c.urgent_bytes(), 0);
        // More comes.
        let segment = Segment {
            seq: side.c.rcv_nxt,
            flags: TcpFlags::ACK,
            urgent: 0,
            ..segment
        };
        let _ = side.receive(&env, &segment);
        // Two GiB later RCV.UP would lie ahead again.
        side.c.rcv_nxt = side.c.rcv_nxt.plus(0x9000_0000);
        assert_eq!(side.c.urgent_bytes(), 0, "{shut}");
    }
}
