use netloom_driver::Instant;

use crate::recovery::tests::Side;
use crate::{Env, PlanKind, Tunables};

#[test]
fn a_short_segment_of_long_ago_holds_nothing_back() {
    let tunables = Tunables::DEFAULT;
    let env = Env::at(Instant::from_secs(5), &tunables);
    // Sent so many octets ago, and then only full-sized ones.
    for ago in [0x8000_0001, 0xc000_0000, 0xffff_0000] {
        let mut side = Side::new(&env, false, true, false);
        side.c.snd_sml = side.c.snd_una.minus(ago);
        side.write(100);
        let sent = side.send(&env, 9);
        assert_eq!(sent.len(), 1, "{ago:#x}");
        assert_eq!((sent[0].kind, sent[0].len), (PlanKind::Data, 100));
        // Now there is a short one in flight.
        side.write(100);
        assert_eq!(side.send(&env, 9), []);
    }
}
