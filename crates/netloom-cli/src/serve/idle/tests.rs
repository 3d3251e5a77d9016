use std::net::TcpStream;
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(60);

fn parked(listener: &std::net::TcpListener, deadline: Instant) -> Parked<TcpStream> {
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    Parked {
        peer: stream.peer_addr().unwrap(),
        connection: Timed::new(stream, LONG),
        stage: Stage::Request,
        deadline,
    }
}

#[test]
fn each_is_given_back_once_by_token_or_by_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let now = Instant::now();
    let mut idle = Idle::default();
    assert!(idle.first_deadline().is_none() && idle.take_longest(9, |_| true).is_none());
    let late = idle.park(parked(&listener, now + LONG));
    let early = idle.park(parked(&listener, now));
    // Two at the same time are two.
    let twin = idle.park(parked(&listener, now));
    assert!(0 < late && late < early && early < twin);
    assert_eq!(idle.first_deadline(), Some(now));
    assert!(idle.take(twin).is_some() && idle.take(twin).is_none());
    assert!(idle.take_expired(now - Duration::from_nanos(1)).is_none());
    assert_eq!(idle.take_expired(now).unwrap().deadline, now);
    assert!(idle.take(early).is_none(), "its time was over");
    assert!(idle.take_expired(now).is_none());
    assert!(idle.take(late).is_some());
    assert!(idle.first_deadline().is_none());
}

#[test]
fn who_has_waited_longest_goes_first_whatever_his_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let now = Instant::now();
    let mut idle = Idle::default();
    for after in [3, 1, 2] {
        idle.park(parked(&listener, now + after * LONG));
    }
    let after = |parked: Option<Parked<_>>| parked.map(|parked| parked.deadline - now);
    let not_first = |parked: &Parked<_>| parked.deadline != now + 3 * LONG;
    assert_eq!(after(idle.take_longest(1, not_first)), None);
    assert_eq!(after(idle.take_longest(2, not_first)), Some(LONG));
    assert_eq!(after(idle.take_longest(2, |_| true)), Some(3 * LONG));
    assert_eq!(idle.first_deadline(), Some(now + 2 * LONG));
    assert_eq!(after(idle.take_longest(2, |_| true)), Some(2 * LONG));
}
