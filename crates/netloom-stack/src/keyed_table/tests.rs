use std::boxed::Box;
use std::collections::{HashMap, VecDeque};
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

struct Thing {
    links: TableLinks,
    iface: u8,
    addr: Addr,
    weight: u8,
}

impl Keyed for Thing {
    const EMPTY: Self = Thing {
        links: TableLinks::EMPTY,
        iface: 0,
        addr: Addr::UNSPECIFIED,
        weight: 0,
    };
    fn key(&self) -> (u8, &Addr) {
        (self.iface, &self.addr)
    }
    fn set_key(&mut self, iface: u8, addr: &Addr) {
        self.iface = iface;
        self.addr = *addr;
    }
    fn links(&self) -> &TableLinks {
        &self.links
    }
    fn links_mut(&mut self) -> &mut TableLinks {
        &mut self.links
    }
}

fn table(capacity: usize) -> KeyedTable<Thing> {
    let items: Vec<Thing> = (0..capacity).map(|_| Thing::EMPTY).collect();
    KeyedTable::lent(Box::leak(items.into_boxed_slice()))
}

fn order_of(table: &KeyedTable<Thing>, order: &Order) -> Vec<u16> {
    let mut found = Vec::new();
    let mut next = order.front();
    while let Some(index) = next {
        found.push(index);
        assert!(found.len() <= table.capacity(), "the order is a circle");
        next = table.after(index);
    }
    assert_eq!(found.len(), order.len());
    assert_eq!(order.tail, found.last().map_or(0, |last| last + 1));
    found
}

#[derive(Debug, Clone)]
enum Step {
    Insert(u8, u8),
    Remove(u8, u8),
    Find(u8, u8),
    MoveToBack(u8, u8),
    Sort(u8, u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    // Few keys, so that they come again.
    let key = (0..2_u8, 0..20_u8);
    prop_oneof![
        4 => key.clone().prop_map(|(i, a)| Step::Insert(i, a)),
        2 => key.clone().prop_map(|(i, a)| Step::Remove(i, a)),
        2 => key.clone().prop_map(|(i, a)| Step::Find(i, a)),
        1 => key.clone().prop_map(|(i, a)| Step::MoveToBack(i, a)),
        1 => (key, 0..5_u8).prop_map(|((i, a), w)| Step::Sort(i, a, w)),
    ]
}

#[cfg(feature = "ipv6")]
fn addr(number: u8) -> Addr {
    if number % 2 == 0 {
        Addr::v4([10, 0, 0, number])
    } else {
        let mut octets = [0xfe; 16];
        octets[15] = number;
        Addr::v6(octets)
    }
}

#[cfg(not(feature = "ipv6"))]
fn addr(number: u8) -> Addr {
    Addr::v4([10, 0, 0, number])
}

proptest! {
    /// Against a map and a queue of the standard library, in a table so small that buckets are
    /// shared and slots are reused.
    #[test]
    fn behaves_as_a_map_and_a_queue(
        capacity in 1..12_usize,
        key in any::<(u64, u64)>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut table = table(capacity);
        table.set_hash_key(WordHash::new(key.0, key.1));
        let mut order = Order::EMPTY;
        let mut map: HashMap<(u8, u8), (u16, ItemId)> = HashMap::new();
        let mut queue: VecDeque<u16> = VecDeque::new();
        let mut dead: Vec<ItemId> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(i, a) if !map.contains_key(&(i, a)) => {
                    match table.insert(i, &addr(a)) {
                        Some(index) => {
                            prop_assert!(map.len() < capacity);
                            table.push_back(&mut order, index);
                            queue.push_back(index);
                            map.insert((i, a), (index, table.id(index)));
                        }
                        None => prop_assert_eq!(map.len(), capacity),
                    }
                }
                Step::Remove(i, a) => {
                    if let Some((index, id)) = map.remove(&(i, a)) {
                        table.unlink(&mut order, index);
                        table.remove(index);
                        queue.retain(|other| *other != index);
                        dead.push(id);
                    }
                }
                Step::Insert(i, a) | Step::Find(i, a) => {
                    let known = map.get(&(i, a)).map(|known| known.0);
                    prop_assert_eq!(table.lookup(i, &addr(a)), known);
                    prop_assert_eq!(table.find(i, &addr(a)), known);
                }
                Step::MoveToBack(i, a) => {
                    if let Some((index, _)) = map.get(&(i, a)) {
                        table.unlink(&mut order, *index);
                        table.push_back(&mut order, *index);
                        queue.retain(|other| other != index);
                        queue.push_back(*index);
                    }
                }
                Step::Sort(i, a, weight) => {
                    if let Some((index, _)) = map.get(&(i, a)) {
                        table.unlink(&mut order, *index);
                        queue.retain(|other| other != index);
                        table.get_mut(*index).unwrap().weight = weight;
                        table.insert_sorted(&mut order, *index, |thing| thing.weight);
                        // Where it must stand: behind the last that is no heavier.
                        let at = queue
                            .iter()
                            .rposition(|other| table.get(*other).unwrap().weight <= weight)
                            .map_or(0, |before| before + 1);
                        queue.insert(at, *index);
                    }
                }
            }
            prop_assert_eq!(table.len(), map.len());
            prop_assert_eq!(order_of(&table, &order), Vec::from(queue.clone()));
            for (index, id) in map.values() {
                prop_assert_eq!(table.index(*id), Some(*index));
            }
            for id in &dead {
                prop_assert_eq!(table.index(*id), None, "an id outlived its item");
            }
        }
    }
}

#[test]
fn without_memory_nothing_fits() {
    let mut table: KeyedTable<Thing> = KeyedTable::empty();
    assert_eq!(table.insert(0, &addr(1)), None);
    assert_eq!(table.find(0, &addr(1)), None);
    assert_eq!(table.capacity(), 0);
}

#[test]
fn every_address_of_a_large_table_is_found() {
    let mut table = table(4096);
    table.set_hash_key(WordHash::new(1, 2));
    for n in 0..4096_u16 {
        let [high, low] = n.to_be_bytes();
        assert!(table.insert(0, &Addr::v4([10, 0, high, low])).is_some());
    }
    let mut longest = 0;
    for bucket in 0..4096 {
        let mut length = 0;
        let mut link = table.get(bucket).unwrap().links().bucket;
        while let Some(index) = link.checked_sub(1) {
            length += 1;
            link = table.get(index).unwrap().links().chain;
        }
        longest = longest.max(length);
    }
    // A random function leaves about 7 in the fullest of 4096 buckets.
    assert!(longest <= 12, "{longest} in one bucket");
    for n in 0..4096_u16 {
        let [high, low] = n.to_be_bytes();
        let index = table.find(0, &Addr::v4([10, 0, high, low])).unwrap();
        assert_eq!(table.get(index).unwrap().addr, Addr::v4([10, 0, high, low]));
    }
}

#[test]
fn the_key_cannot_change_under_items() {
    let mut table = table(8);
    table.insert(0, &addr(2));
    table.set_hash_key(WordHash::new(3, 4));
    assert!(table.find(0, &addr(2)).is_some());
}

#[test]
fn a_removed_item_is_not_found_by_its_empty_slot() {
    let mut table = table(2);
    let index = table.insert(0, &addr(2)).unwrap();
    assert_eq!(table.find(0, &addr(2)), Some(index));
    table.remove(index);
    assert_eq!(table.find(0, &addr(2)), None);
    assert_eq!(table.find(0, &Addr::UNSPECIFIED), None);
}
