use super::*;

/// How many sleeps go by until a look is due.
fn sleeps(eagerness: &mut Eagerness) -> u32 {
    (0..).take_while(|_| !eagerness.is_due()).count() as u32
}

#[test]
fn what_finds_something_is_done_every_time() {
    let mut eagerness = Eagerness::new();
    for _ in 0..5 {
        assert_eq!(sleeps(&mut eagerness), 0);
        eagerness.looked(true);
    }
}

#[test]
fn what_is_in_vain_becomes_rare_but_never_ends() {
    let mut eagerness = Eagerness::new();
    for row in [0, 1, 3, 7, 15, 31, 63, 63, 63] {
        assert_eq!(sleeps(&mut eagerness), row);
        eagerness.looked(false);
    }
    sleeps(&mut eagerness);
    eagerness.looked(true);
    assert_eq!(sleeps(&mut eagerness), 0);
}
