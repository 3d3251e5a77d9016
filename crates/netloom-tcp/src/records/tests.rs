use super::{LOST, Record, RecordTable, SACKED};
use crate::SeqNum;
use netloom_driver::Instant;
use std::vec;
use std::vec::Vec;

fn record(end: u32) -> Record {
    Record::new(SeqNum(end), 10, Instant::from_micros(u64::from(end)), 0)
}

fn ends(table: &RecordTable, memory: &[Record]) -> Vec<u32> {
    (0..table.len())
        .map(|i| table.get(memory, i).unwrap().end.0)
        .collect()
}

#[test]
fn is_a_ring_that_can_be_cut_anywhere() {
    for offset in 0..5 {
        let mut memory = vec![Record::EMPTY; 5];
        let mut table = RecordTable {
            head: offset,
            len: 0,
        };
        for end in [30, 60, 90] {
            table.push(&mut memory, record(end));
        }
        assert!(table.cut(&mut memory, 1, SeqNum(40)));
        assert_eq!(ends(&table, &memory), [30, 40, 60, 90]);
        assert!(table.cut(&mut memory, 0, SeqNum(10)));
        assert_eq!(ends(&table, &memory), [10, 30, 40, 60, 90]);
        assert!(!table.cut(&mut memory, 0, SeqNum(5)), "full");
        assert_eq!(table.start(&memory, 0, SeqNum(3)), SeqNum(3));
        assert_eq!(table.start(&memory, 3, SeqNum(3)), SeqNum(40));
        table.pop_front(&memory);
        assert_eq!(ends(&table, &memory), [30, 40, 60, 90]);
        let mut larger = vec![Record::EMPTY; 9];
        table.relocate(&memory, &mut larger);
        assert_eq!(ends(&table, &larger), [30, 40, 60, 90]);
    }
}

#[test]
fn a_full_table_takes_more_only_into_a_plain_record() {
    let mut memory = vec![Record::EMPTY; 2];
    let mut table = RecordTable::EMPTY;
    table.push(&mut memory, record(10));
    table.push(&mut memory, record(20));
    assert!(table.has_room(&memory));
    table.push(&mut memory, record(30));
    assert_eq!(ends(&table, &memory), [10, 30]);
    for mark in [SACKED, LOST] {
        table.get_mut(&mut memory, 1).unwrap().mark(mark);
        assert!(!table.has_room(&memory));
        table.get_mut(&mut memory, 1).unwrap().unmark(mark);
    }
    assert!(!RecordTable::EMPTY.has_room(&[]));
}

#[test]
fn ages_across_the_32_bit_wrap_of_microseconds() {
    let sent = Instant::from_micros(0xffff_fff0);
    let record = Record::new(SeqNum(1), 1, sent, 0);
    assert_eq!(record.age(sent.plus_micros(0x20)), 0x20);
    assert_eq!(record.age(sent.plus_micros(5_000_000_000)), 5_000_000_000);
}
