use super::SeqNum;

#[test]
fn compares_by_the_shorter_way_round() {
    let a = SeqNum(0xffff_fff0);
    let b = a + 0x20;
    assert_eq!(b, SeqNum(0x10));
    assert!(a.lt(b) && a.le(b) && b.gt(a) && b.ge(a));
    assert!(a.le(a) && a.ge(a) && !a.lt(a) && !a.gt(a));
    assert_eq!(b.distance(a), 0x20);
    assert_eq!(a.distance(b), -0x20);
    assert_eq!(b.since(a), 0x20);
    assert_eq!(a.saturating_since(b), 0);
    assert_eq!(a.max(b), b);
    assert_eq!(a.min(b), a);
    assert_eq!(b - 0x20, a);
}

#[test]
fn the_far_half_of_the_circle_is_before() {
    let a = SeqNum(5);
    assert!((a + 0x7fff_ffff).gt(a));
    assert!((a + 0x8000_0001).lt(a));
}
