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
    assert!(idle.first_deadline().is_none() && idle.take_first(None).is_none());
    let late = idle.park(parked(&listener, now + LONG));
    let early = idle.park(parked(&listener, now));
    // Two at the same time are two.
    let twin = idle.park(parked(&listener, now));
    assert!(late != early && early != twin && late > 0);
    assert_eq!(idle.first_deadline(), Some(now));
    assert!(idle.take(twin).is_some() && idle.take(twin).is_none());
    assert!(
        idle.take_first(Some(now - Duration::from_nanos(1)))
            .is_none()
    );
    assert_eq!(idle.take_first(Some(now)).unwrap().deadline, now);
    assert!(idle.take(early).is_none(), "its time was over");
    assert!(idle.take_first(Some(now)).is_none());
    assert_eq!(idle.take_first(None).unwrap().deadline, now + LONG);
    assert!(idle.first_deadline().is_none() && idle.take(late).is_none());
}
