use super::Rate;

#[test]
fn a_rate_is_octets_by_time() {
    // 1250 octets in 100 µs are 100 Mbit/s.
    let rate = Rate::of(1250, 100);
    assert_eq!(rate.to_per_second(), 12_500_000);
    assert_eq!(rate, Rate::per_second(12_500_000));
    assert_eq!(rate.over(1_000), 12_500);
    assert_eq!(rate.percent(277), Rate::of(277 * 125, 1_000));
}

#[test]
fn what_a_division_leaves_is_owed() {
    // 1448 octets at 100 Mbit/s are 115.84 µs: after 25 of them exactly 2896.
    let rate = Rate::per_second(12_500_000);
    let (mut micros, mut owed) = (0, 0);
    for _ in 0..25 {
        let (more, rest) = rate.time(1448, owed);
        assert!(more == 115 || more == 116);
        (micros, owed) = (micros + more, rest);
    }
    assert_eq!((micros, owed), (2896, 0));
}

#[test]
fn the_extremes_saturate() {
    assert_eq!(Rate::of(u32::MAX, 0), Rate::MAX);
    assert_eq!(Rate::MAX.over(u32::MAX), u32::MAX);
    assert_eq!(Rate::MAX.percent(277), Rate::MAX);
    assert_eq!(Rate::per_second(u64::MAX), Rate::MAX);
    assert_eq!(Rate::per_second(0), Rate::per_second(15));
    assert_eq!(Rate::ZERO.time(1448, 7), (0, 0));
    assert_eq!(Rate::per_second(15).time(u32::MAX, 0), (u32::MAX, 0));
}
