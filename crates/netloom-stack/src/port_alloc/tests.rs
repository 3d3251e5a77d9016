use super::*;
use proptest::prelude::*;
use std::collections::HashSet;
use std::vec::Vec;

#[test]
fn the_default_range_is_linuxs() {
    //= https://www.rfc-editor.org/rfc/rfc6056#section-3.2
    //= type=test
    //# As a result, port numbers that may be needed for
    //# providing a particular service at the local host SHOULD NOT be
    //# included in the pool of port numbers available for ephemeral port
    //# randomization.
    assert_eq!(PortAllocator::default().range(), 32768..=60999);
}

#[test]
fn port_0_is_never_chosen_and_an_empty_range_has_no_port() {
    let mut all = PortAllocator::new(0..=1);
    assert_eq!(all.pick(0, 0, |_| false), Some(1));
    assert_eq!(all.pick(0, 0, |port| port == 1), None);
    #[expect(
        clippy::reversed_empty_ranges,
        reason = "what a wrong configuration would hold"
    )]
    let mut none = PortAllocator::new(2000..=1999);
    assert_eq!(none.pick(0, 0, |_| false), None);
    assert_eq!(PortAllocator::new(0..=0).pick(0, 0, |_| false), None);
    assert_eq!(
        PortAllocator::new(65535..=65535).pick(9, 9, |_| false),
        Some(65535)
    );
}

#[test]
fn ports_to_one_peer_follow_each_other() {
    //= https://www.rfc-editor.org/rfc/rfc6056#section-5
    //= type=test
    //# Systems that support numerous applications resulting in
    //# large lists of unavailable ports, or that use the IANA Registered
    //# Ports without modification, MUST NOT use Algorithm 1.
    //= https://www.rfc-editor.org/rfc/rfc6056#section-3.3.4
    //= type=test
    //# The array "table[]" assures that successive transport-protocol
    //# instances with the same remote endpoint will use increasing ephemeral
    //# port numbers.
    let mut ports = PortAllocator::new(1000..=1999);
    let picked: Vec<u16> = (0..4)
        .filter_map(|_| ports.pick(500, 3, |_| false))
        .collect();
    assert_eq!(picked, [1500, 1501, 1502, 1503]);
}

#[test]
fn another_peers_ports_do_not_show_how_many_were_opened() {
    let mut ports = PortAllocator::new(1000..=1999);
    let before = ports.pick(17, 1, |_| false).unwrap();
    for _ in 0..100 {
        ports.pick(500, 2, |_| false);
    }
    assert_eq!(ports.pick(17, 1, |_| false), Some(before + 1));
}

#[test]
fn every_port_is_reused_as_late_as_possible() {
    let mut ports = PortAllocator::new(40000..=40999);
    let picked: HashSet<u16> = (0..1000)
        .filter_map(|_| ports.pick(0xDEAD_BEEF, 5, |_| false))
        .collect();
    assert_eq!(picked, (40000..=40999).collect());
}

#[test]
fn an_exhausted_range_tries_each_port_once() {
    let mut ports = PortAllocator::new(1024..=65535);
    ports.randomize(|| 0xABCD);
    let mut tried = HashSet::new();
    assert_eq!(
        ports.pick(u32::MAX, 7, |port| {
            assert!(tried.insert(port));
            true
        }),
        None
    );
    assert_eq!(tried.len(), 65535 - 1024 + 1);
}

#[test]
fn peers_are_spread_over_the_whole_range() {
    //= https://www.rfc-editor.org/rfc/rfc6056#section-3.2
    //= type=test
    //# Ephemeral port selection algorithms SHOULD use the largest possible
    //# port range, since this reduces the chances of an off-path attacker of
    //# guessing the selected port numbers.
    let mut ports = PortAllocator::EMPTY;
    let mut counts = [0i32; 16];
    let key = crate::rand::SipHash13::new(1, 2);
    for peer in 0..16_000u32 {
        let hash = key.hash_words(&[peer]);
        let port = ports
            .pick(hash as u32, (hash >> 32) as u32, |_| false)
            .unwrap();
        counts[usize::from(port - 32768) * 16 / 28232] += 1;
    }
    // Six standard deviations: sqrt(16000 / 16) = 32.
    assert!(
        counts.iter().all(|count| (count - 1000).abs() < 190),
        "{counts:?}"
    );
}

proptest! {
    /// A port that is free is found, whatever else is in use, and no other is returned.
    #[test]
    fn a_free_port_is_found(
        first in 1u16..60_000, len in 1u16..300, free in any::<prop::sample::Index>(),
        offset: u32, table: u32, start: u32,
    ) {
        let mut ports = PortAllocator::new(first..=first + len - 1);
        ports.randomize(|| start);
        let free = first + free.index(len.into()) as u16;
        prop_assert_eq!(ports.pick(offset, table, |port| port != free), Some(free));
        prop_assert_eq!(ports.pick(offset, table, |_| true), None);
    }
}
