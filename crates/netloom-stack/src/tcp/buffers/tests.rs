use super::{BufferPool, Buffers, Habit};
use netloom_tcp::Connection;

/// Makes the receive ring grow in steps of 1000 bytes, as segments do; returns its first length
/// and its last.
fn fill(pool: &mut BufferPool, buffers: &mut Buffers, bytes: usize) -> (usize, usize) {
    let mut conn = Connection::EMPTY;
    assert!(pool.ensure_rx(&mut conn, buffers, 1000.min(bytes)));
    let first = buffers.rx_len();
    for need in (1000..=bytes).step_by(1000) {
        assert!(pool.ensure_rx(&mut conn, buffers, need));
    }
    (first, buffers.rx_len())
}

#[test]
fn a_ring_that_had_to_grow_begins_with_that_length_the_next_time() {
    let mut pool = BufferPool::heap(1 << 20);
    let mut buffers = Buffers::EMPTY;
    assert_eq!(fill(&mut pool, &mut buffers, 60_000), (1024, 65_536));
    pool.reclaim_all(&mut buffers);
    assert_eq!(fill(&mut pool, &mut buffers, 60_000), (65_536, 65_536));
}

#[test]
fn a_habit_wears_off() {
    let mut pool = BufferPool::heap(1 << 20);
    let mut buffers = Buffers::EMPTY;
    let _ = fill(&mut pool, &mut buffers, 60_000);
    let mut lengths = std::vec::Vec::new();
    for _ in 0..8 * (usize::from(Habit::PATIENCE) + 1) {
        pool.reclaim_all(&mut buffers);
        lengths.push(fill(&mut pool, &mut buffers, 1).0);
    }
    assert_eq!(lengths[0], 65_536);
    assert_eq!(
        lengths.last(),
        Some(&fill(&mut pool, &mut { Buffers::EMPTY }, 1).0)
    );
    assert!(lengths.is_sorted_by(|a, b| a >= b));
}

#[test]
fn under_pressure_nobody_gets_more_than_is_needed() {
    let mut pool = BufferPool::heap(100_000);
    let mut buffers = Buffers::EMPTY;
    assert_eq!(fill(&mut pool, &mut buffers, 30_000).1, 32_768);
    pool.reclaim_all(&mut buffers);
    let mut other = Buffers::EMPTY;
    assert_eq!(fill(&mut pool, &mut other, 60_000).1, 65_536);
    assert_eq!(fill(&mut pool, &mut buffers, 1000).0, 1024);
}
