use super::{LOST, Record, RecordTable, SACKED};
use crate::SeqNum;
use std::vec;
use std::vec::Vec;

fn record(end: u32) -> Record {
    Record {
        end: SeqNum(end),
        sent: end,
        mss: 10,
        ..Record::EMPTY
    }
}

fn ends(table: &RecordTable, memory: &[Record]) -> Vec<u32> {
    table
        .live(memory)
        .iter()
        .map(|record| record.end.0)
        .collect()
}

#[test]
fn can_begin_and_be_cut_anywhere() {
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
        assert_eq!(
            table.live(&memory)[1],
            Record {
                end: SeqNum(40),
                ..record(60)
            }
        );
        assert!(table.cut(&mut memory, 0, SeqNum(10)));
        assert_eq!(ends(&table, &memory), [10, 30, 40, 60, 90]);
        assert!(!table.cut(&mut memory, 0, SeqNum(5)), "full");
        table.drop_front(1);
        assert_eq!(ends(&table, &memory), [30, 40, 60, 90]);
        let mut larger = vec![Record::EMPTY; 9];
        table.relocate(&memory, &mut larger);
        assert_eq!(ends(&table, &larger), [30, 40, 60, 90]);
    }
}

#[test]
fn goes_round_its_memory_in_one_piece() {
    let mut memory = vec![Record::EMPTY; 4];
    let mut table = RecordTable::EMPTY;
    for end in 0..20 {
        if end >= 3 {
            table.drop_front(1);
        }
        table.push(&mut memory, record(end));
        let first = end.saturating_sub(2);
        assert_eq!(ends(&table, &memory), (first..=end).collect::<Vec<_>>());
    }
    table.drop_front(3);
    assert_eq!((table.head, table.len()), (0, 0));
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
        table.live_mut(&mut memory)[1].mark(mark);
        assert!(!table.has_room(&memory));
        table.live_mut(&mut memory)[1].unmark(mark);
    }
    assert!(!RecordTable::EMPTY.has_room(&[]));
}

#[test]
fn a_full_table_is_not_moved_for_each_newcomer() {
    let mut memory = [Record::EMPTY; 128];
    let mut table = RecordTable::EMPTY;
    let mut end = SeqNum(0);
    let mut push = |table: &mut RecordTable, memory: &mut [Record]| {
        end = end.plus(100);
        let record = Record {
            end,
            retransmissions: 1,
            ..Record::EMPTY
        };
        table.push(memory, record);
    };
    while !table.is_full(&memory) {
        push(&mut table, &mut memory);
    }
    assert_eq!(table.len(), 112);
    let mut moved = 0;
    for _ in 0..1_600 {
        let before = table.head;
        table.drop_front(1);
        push(&mut table, &mut memory);
        assert_eq!(table.len(), 112);
        moved += u32::from(table.head < before);
    }
    assert!((90..=110).contains(&moved), "{moved}");
}

#[test]
fn only_the_end_of_a_merged_record_has_a_time() {
    let mut memory = vec![Record::EMPTY; 3];
    let mut table = RecordTable::EMPTY;
    table.push(&mut memory, record(10));
    table.push(&mut memory, record(20));
    table.push(&mut memory, record(30));
    table.push(&mut memory, record(60));
    table.drop_front(2);
    let timed = |table: &RecordTable, memory: &[Record]| -> Vec<bool> {
        table.live(memory).iter().map(Record::is_timed).collect()
    };
    assert_eq!(timed(&table, &memory), [true]);
    assert!(table.cut(&mut memory, 0, SeqNum(40)));
    assert!(table.cut(&mut memory, 1, SeqNum(50)));
    assert_eq!(ends(&table, &memory), [40, 50, 60]);
    assert_eq!(timed(&table, &memory), [false, false, true]);
    table.live_mut(&mut memory)[0].set_sent(90);
    table.drop_front(1);
    assert_eq!(timed(&table, &memory), [false, true]);
    // What was sent in one piece has its time in every part of it.
    let mut table = RecordTable::EMPTY;
    table.push(&mut memory, record(30));
    assert!(table.cut(&mut memory, 0, SeqNum(20)));
    assert_eq!(timed(&table, &memory), [true, true]);
}

#[test]
fn what_is_sent_again_has_a_time_again() {
    let mut memory = vec![Record::EMPTY; 2];
    let mut table = RecordTable::EMPTY;
    for end in [10, 20, 30] {
        table.push(&mut memory, record(end));
    }
    table.drop_front(1);
    assert!(table.cut(&mut memory, 0, SeqNum(15)));
    let first = &mut table.live_mut(&mut memory)[0];
    assert!(!first.is_timed());
    first.set_sent(90);
    assert!(first.is_timed() && first.sent == 90);
}
