use super::*;
use proptest::prelude::*;
use std::boxed::Box;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

/// Owners of timers, with the truth about their deadlines.
struct Owners {
    links: Vec<TimerLinks>,
    deadlines: Vec<Option<u64>>,
    /// How often `expire` handed out something.
    handed_out: u64,
}

impl TimerNodes for Owners {
    fn timer(&mut self, index: u32) -> Option<&mut TimerLinks> {
        self.links.get_mut(index as usize)
    }
}

impl Owners {
    fn new(count: usize) -> Owners {
        Owners {
            links: vec![TimerLinks::EMPTY; count],
            deadlines: vec![None; count],
            handed_out: 0,
        }
    }

    fn arm(&mut self, wheel: &mut Wheel, index: u32, deadline: u64) {
        self.deadlines[index as usize] = Some(deadline);
        wheel.arm(self, index, Instant::from_micros(deadline));
    }

    /// What a stack does: act on what is due, arm again what is not. Returns who was due.
    fn run(&mut self, wheel: &mut Wheel, now: u64) -> BTreeSet<u32> {
        let mut due = BTreeSet::new();
        while let Some(index) = wheel.expire(self, Instant::from_micros(now)) {
            self.handed_out += 1;
            match self.deadlines[index as usize] {
                Some(deadline) if deadline <= now => {
                    self.deadlines[index as usize] = None;
                    due.insert(index);
                }
                Some(deadline) => wheel.arm(self, index, Instant::from_micros(deadline)),
                None => {}
            }
        }
        due
    }

    fn earliest(&self) -> Option<u64> {
        self.deadlines.iter().flatten().min().copied()
    }
}

fn wheel() -> Wheel {
    Wheel::new(Mem::Lent(Box::leak(
        vec![0; WHEEL_HEADS].into_boxed_slice(),
    )))
}

#[test]
fn sizes_and_zeroes() {
    assert_eq!(size_of::<TimerLinks>(), 12);
    assert_eq!(TimerLinks::default(), TimerLinks::EMPTY);
    const { assert!(WHEEL_HEADS * 4 <= 2048) };
}

#[test]
fn a_wheel_without_memory_does_nothing() {
    let mut wheel = Wheel::none();
    let mut owners = Owners::new(1);
    owners.arm(&mut wheel, 0, 5);
    assert!(!wheel.is_usable() && !owners.links[0].is_armed());
    assert_eq!(wheel.next_deadline(), None);
    assert_eq!(wheel.expire(&mut owners, Instant::FAR_FUTURE), None);
}

#[test]
fn each_timer_fires_at_its_own_microsecond() {
    let mut wheel = wheel();
    let mut owners = Owners::new(40);
    // Around every border of a tick, a level and the wheel itself.
    let borders = (0..=7).flat_map(|level| {
        let border = 1u64 << (4 + 6 * level);
        [border - 1, border, border + 1, border + 17]
    });
    let deadlines: Vec<u64> = borders.collect();
    for (index, deadline) in deadlines.iter().enumerate() {
        owners.arm(&mut wheel, index as u32, *deadline);
    }
    let mut wakes = 0;
    while let Some(at) = wheel.next_deadline() {
        let now = at.as_micros();
        assert!(now <= owners.earliest().unwrap());
        for index in owners.run(&mut wheel, now) {
            assert_eq!(deadlines[index as usize], now);
        }
        assert!(
            wheel
                .next_deadline()
                .is_none_or(|next| next.as_micros() > now)
        );
        wakes += 1;
    }
    assert_eq!(owners.earliest(), None);
    assert!(
        owners.handed_out <= 9 * deadlines.len() as u64,
        "{}",
        owners.handed_out
    );
    assert!(wakes <= 9 * deadlines.len());
}

#[test]
fn a_deadline_moved_further_away_does_not_touch_the_wheel() {
    let mut wheel = wheel();
    let mut owners = Owners::new(1);
    owners.arm(&mut wheel, 0, 200_000);
    let before = owners.links[0];
    let next = wheel.next_deadline();
    for later in 200_001..210_000 {
        owners.arm(&mut wheel, 0, later);
        assert_eq!(owners.links[0], before);
    }
    assert_eq!(wheel.next_deadline(), next);
    // A nearer one does, and is kept.
    owners.arm(&mut wheel, 0, 100);
    assert!(wheel.next_deadline().unwrap() <= Instant::from_micros(100));
    assert!(owners.run(&mut wheel, 99).is_empty());
    assert_eq!(owners.run(&mut wheel, 100).len(), 1);
}

#[test]
fn a_deadline_beyond_the_span_is_kept() {
    let mut wheel = wheel();
    let mut owners = Owners::new(1);
    // From the last tick of the wheel's span, and from an ordinary one.
    for origin in [(1 << 46) - 1, (1 << 46) + 5] {
        let deadline = origin + (3 << 46) + 7;
        owners.run(&mut wheel, origin);
        owners.arm(&mut wheel, 0, deadline);
        assert!(owners.run(&mut wheel, deadline - 1).is_empty());
        assert_eq!(owners.run(&mut wheel, deadline).len(), 1);
        wheel = self::wheel();
    }
}

#[test]
fn forever_is_not_a_deadline() {
    let mut wheel = wheel();
    let mut owners = Owners::new(1);
    wheel.arm(&mut owners, 0, Instant::FAR_FUTURE);
    assert!(!owners.links[0].is_armed());
    wheel.arm(&mut owners, 0, Instant::from_secs(1));
    wheel.arm(&mut owners, 0, Instant::FAR_FUTURE);
    assert!(owners.links[0].is_armed());
}

#[test]
fn what_is_always_due_does_not_keep_expire_from_ending() {
    let mut wheel = wheel();
    let mut owners = Owners::new(3);
    for now in [0, 5, 16, 100_000] {
        for index in 0..3 {
            wheel.arm(&mut owners, index, Instant::from_micros(now));
        }
        let mut calls = 0;
        while let Some(index) = wheel.expire(&mut owners, Instant::from_micros(now)) {
            wheel.arm(&mut owners, index, Instant::from_micros(now));
            calls += 1;
            assert!(calls <= 6);
        }
        assert_eq!(wheel.next_deadline(), Some(Instant::from_micros(now + 1)));
    }
}

#[test]
fn what_is_armed_for_now_between_two_calls_is_due_now() {
    let mut wheel = wheel();
    let mut owners = Owners::new(2);
    let now = 1_000_003;
    assert!(owners.run(&mut wheel, now).is_empty());
    owners.arm(&mut wheel, 1, now);
    owners.arm(&mut wheel, 0, now - 900);
    assert_eq!(wheel.next_deadline(), Some(Instant::from_micros(now - 900)));
    assert_eq!(owners.run(&mut wheel, now).len(), 2);
}

#[test]
fn a_caller_may_stop_in_the_middle() {
    let mut wheel = wheel();
    let mut owners = Owners::new(4);
    for index in 0..4 {
        owners.arm(&mut wheel, index, 5_000);
    }
    let now = Instant::from_micros(5_000);
    while let Some(next) = wheel.next_deadline().filter(|next| *next < now) {
        owners.run(&mut wheel, next.as_micros());
    }
    assert!(wheel.expire(&mut owners, now).is_some());
    // The rest is still due, and says so.
    assert!(wheel.next_deadline().unwrap() <= now);
    wheel.disarm(&mut owners, 0);
    assert!(owners.run(&mut wheel, 5_000).len() >= 2);
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn disarming_the_last_leaves_no_deadline() {
    let mut wheel = wheel();
    let mut owners = Owners::new(3);
    for (index, deadline) in [(0, 3), (1, 77_777), (2, 1 << 63)] {
        owners.arm(&mut wheel, index, deadline);
    }
    for index in 0..3 {
        assert!(wheel.next_deadline().is_some());
        wheel.disarm(&mut owners, index);
        wheel.disarm(&mut owners, index);
    }
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn an_item_freed_while_armed_does_not_make_the_wheel_loop() {
    let mut wheel = wheel();
    let mut owners = Owners::new(3);
    for index in 0..3 {
        owners.arm(&mut wheel, index, 1_000);
    }
    owners.links[1] = TimerLinks::EMPTY;
    let mut calls = 0;
    while wheel.expire(&mut owners, Instant::from_secs(1)).is_some() {
        calls += 1;
        assert!(calls <= 3);
    }
    assert_eq!(wheel.next_deadline(), None);
}

#[test]
fn time_that_runs_backwards_does_no_harm() {
    let mut wheel = wheel();
    let mut owners = Owners::new(1);
    owners.run(&mut wheel, 1 << 40);
    owners.arm(&mut wheel, 0, (1 << 40) + 50);
    assert!(owners.run(&mut wheel, 0).is_empty());
    assert_eq!(owners.run(&mut wheel, (1 << 40) + 50).len(), 1);
}

/// A step of a model test.
#[derive(Debug, Clone)]
enum Step {
    /// Arm an item for so many µs from now.
    Arm(u32, u64),
    Disarm(u32),
    /// Go on by so many µs.
    Pass(u64),
    /// Go on to the next deadline the wheel names.
    Sleep,
}

/// Microseconds of every magnitude, up to a month.
fn micros() -> impl Strategy<Value = u64> {
    (0u32..42, any::<u64>()).prop_map(|(bits, number)| number & ((1 << bits) - 1))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u32..20, micros()).prop_map(|(index, delay)| Step::Arm(index, delay)),
        1 => (0u32..20).prop_map(Step::Disarm),
        1 => micros().prop_map(Step::Pass),
        3 => Just(Step::Sleep),
    ]
}

proptest! {
    /// Never late; at exactly its time if the program wakes when the wheel says; never stuck.
    #[test]
    fn the_wheel_agrees_with_a_sorted_list(
        origin in prop_oneof![
            Just(0),
            micros(),
            // Shortly before the wheel's whole span is over.
            (0u64..2000).prop_map(|before| (1 << 46) - before),
        ],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut wheel = wheel();
        let mut owners = Owners::new(20);
        let mut now = origin;
        owners.run(&mut wheel, now);
        for step in steps {
            match step {
                Step::Arm(index, delay) => owners.arm(&mut wheel, index, now + delay),
                Step::Disarm(index) => {
                    owners.deadlines[index as usize] = None;
                    wheel.disarm(&mut owners, index);
                    prop_assert!(!owners.links[index as usize].is_armed());
                }
                Step::Pass(time) => now += time,
                Step::Sleep => {
                    let Some(next) = wheel.next_deadline() else { continue };
                    now = now.max(next.as_micros());
                }
            }
            if let Some(earliest) = owners.earliest() {
                prop_assert!(wheel.next_deadline().unwrap().as_micros() <= earliest);
            }
            let expected: BTreeSet<u32> = (0..20)
                .filter(|index| owners.deadlines[*index as usize].is_some_and(|at| at <= now))
                .collect();
            prop_assert_eq!(owners.run(&mut wheel, now), expected);
            prop_assert!(wheel.next_deadline().is_none_or(|next| next.as_micros() > now));
        }
    }

    /// An item is handed out a bounded number of times, however far away its deadline is.
    #[test]
    fn a_timer_is_handed_out_nine_times_at_most(origin in micros(), delay in micros()) {
        let mut wheel = wheel();
        let mut owners = Owners::new(1);
        owners.run(&mut wheel, origin);
        owners.arm(&mut wheel, 0, origin + delay);
        while let Some(next) = wheel.next_deadline() {
            owners.run(&mut wheel, next.as_micros());
        }
        prop_assert_eq!(owners.deadlines[0], None);
        prop_assert!(owners.handed_out <= 9, "{}", owners.handed_out);
    }
}

/// A deadline that moves on to where the same slot comes round again, while time jumps there too, as
/// when a machine wakes up: a round without end.
#[test]
fn an_item_that_goes_back_into_the_slot_being_emptied_waits() {
    // Level 2, digit 60: once, and one turn of the level later.
    let turn = 64 * 64 * 64 * 16;
    let first = 60 * 64 * 64 * 16;
    let mut wheel = wheel();
    let mut owners = Owners::new(1);
    owners.arm(&mut wheel, 0, first);
    let later = first + turn + 7;
    owners.deadlines[0] = Some(later);
    let jumped = first + turn - 1000;
    for round in 0..10 {
        let Some(index) = wheel.expire(&mut owners, Instant::from_micros(jumped)) else {
            break;
        };
        assert!(round < 9, "it is handed out without end");
        wheel.arm(&mut owners, index, Instant::from_micros(later));
    }
    let next = wheel.next_deadline().expect("it is armed");
    assert!(next > Instant::from_micros(jumped) && next <= Instant::from_micros(later));
    assert!(owners.run(&mut wheel, later - 1).is_empty());
    assert_eq!(
        owners
            .run(&mut wheel, later)
            .into_iter()
            .collect::<Vec<_>>(),
        [0]
    );
}
