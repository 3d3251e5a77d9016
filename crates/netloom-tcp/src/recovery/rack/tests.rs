//! The reordering window.

use netloom_driver::Instant;

use super::Marks;
use crate::{Connection, Env, Io, OpenParams, Tunables};

#[test]
fn the_reordering_window_is_no_longer_than_srtt() {
    //= https://www.rfc-editor.org/rfc/rfc8985#section-3.3.2
    //= type=test
    //# 3.  The RACK reordering window MUST be bounded, and this bound SHOULD
    //# be SRTT.
    let tunables = Tunables::default();
    let env = Env::at(Instant::from_secs(1), &tunables);
    let mut c = Connection::connect(&OpenParams::default(), &env);
    c.marks.set(Marks::REORDERING_SEEN);
    c.rtt.sample(100_000, 0);
    let io = Io::new(&mut [], &mut [], &mut [], &mut []);
    let mut window = |more| {
        c.rack.reo_wnd_more = more;
        c.reordering_window(&env, &io)
    };
    assert_eq!(window(0), 25_000);
    assert_eq!(window(3), 100_000);
    assert_eq!(window(4), 100_000);
    assert_eq!(window(u8::MAX), 100_000);
}
