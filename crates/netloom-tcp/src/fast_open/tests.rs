use crate::{Connection, SeqNum, State};

#[test]
fn what_was_confirmed_stays_so() {
    let iss = SeqNum(7_000);
    let mut conn = Connection::EMPTY;
    conn.state = State::Established;
    conn.iss = iss;
    (conn.snd_una, conn.snd_nxt, conn.snd_wl2) = (iss.plus(1), iss.plus(1), iss);
    assert!(conn.is_unconfirmed());
    // Four GiB later an acknowledgment may have the number of the SYN.
    (conn.snd_una, conn.snd_nxt, conn.snd_wl2) = (iss, iss, iss);
    assert!(!conn.is_unconfirmed());
}
