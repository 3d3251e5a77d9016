//! Storage that has not been used yet must stay in `.bss`: every `EMPTY` is all zero bytes.

use netloom_tcp::{Connection, HalfOpen, Range, Record, TimeWaitState};

fn is_zero<T>(value: &T) -> bool {
    let start = std::ptr::from_ref(value).cast::<u8>();
    // SAFETY: the pointer covers the value; the values are statics, whose padding the compiler
    // writes out as zero.
    (0..size_of::<T>()).all(|i| unsafe { *start.add(i) } == 0)
}

#[test]
fn every_empty_value_is_all_zero() {
    static CONNECTION: Connection = Connection::EMPTY;
    static HALF_OPEN: HalfOpen = HalfOpen::EMPTY;
    static TIME_WAIT: TimeWaitState = TimeWaitState::EMPTY;
    static RECORD: Record = Record::EMPTY;
    static RANGE: Range = Range::EMPTY;
    assert!(is_zero(&CONNECTION));
    assert!(is_zero(&HALF_OPEN));
    assert!(is_zero(&TIME_WAIT));
    assert!(is_zero(&RECORD));
    assert!(is_zero(&RANGE));
}

#[test]
fn sizes_are_what_the_architecture_says() {
    assert!(
        size_of::<Connection>() <= 316,
        "{}",
        size_of::<Connection>()
    );
    assert_eq!(size_of::<Record>(), 16);
    assert!(size_of::<HalfOpen>() <= 24);
    assert!(size_of::<TimeWaitState>() <= 20);
}
