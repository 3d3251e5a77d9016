use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

/// Items of two kinds, eight of each.
#[derive(Default)]
struct Items {
    connections: [Links; 8],
    packets: [Links; 8],
}

impl Nodes for Items {
    fn links(&mut self, r: Ref) -> Option<&mut Links> {
        match r.kind()? {
            Kind::Connection => self.connections.get_mut(r.index() as usize),
            Kind::Packet => self.packets.get_mut(r.index() as usize),
            Kind::HalfOpen | Kind::TimeWait | Kind::Udp | Kind::Listener | Kind::Echo => None,
        }
    }
}

fn item(number: u8) -> Ref {
    let kind = if number % 2 == 0 {
        Kind::Connection
    } else {
        Kind::Packet
    };
    Ref::new(kind, u32::from(number / 2))
}

/// The members from front to back, with every link checked.
fn members(list: &List, items: &mut Items) -> VecDeque<Ref> {
    let mut found = VecDeque::new();
    let mut at = list.front();
    let mut before = Ref::NONE;
    while at.is_some() {
        found.push_back(at);
        assert!(found.len() <= 16, "the list is a loop");
        let links = *items.links(at).unwrap();
        assert!(links.is_linked());
        assert_eq!(links.prev, before);
        before = at;
        at = links.next();
    }
    assert_eq!(list.back(), before);
    found
}

#[test]
fn sizes_and_zeroes() {
    assert_eq!(size_of::<Links>(), 12);
    assert_eq!(size_of::<List>(), 8);
    assert_eq!(size_of::<Ref>(), 4);
    assert_eq!(
        (Links::default(), List::default()),
        (Links::EMPTY, List::EMPTY)
    );
    assert_eq!(Ref::default(), Ref::NONE);
}

#[test]
fn a_ref_keeps_kind_and_index() {
    for bits in 0..16 {
        let Some(kind) = Kind::from_bits(bits) else {
            continue;
        };
        assert_eq!(kind as u32, bits);
        let r = Ref::new(kind, Ref::MAX_INDEX);
        assert_eq!((r.kind(), r.index()), (Some(kind), Ref::MAX_INDEX));
        assert!(Ref::new(kind, 0).is_some());
        // An index too large is cut off and does not become another kind.
        assert_eq!(Ref::new(kind, u32::MAX).kind(), Some(kind));
    }
    assert_eq!((Ref::NONE.kind(), Ref::NONE.is_none()), (None, true));
    assert_eq!(
        std::format!("{:?} {:?}", item(5), Ref::NONE),
        "Packet(2) none"
    );
}

#[test]
fn what_is_on_a_list_is_not_put_on_another() {
    let mut items = Items::default();
    let (mut a, mut b) = (List::EMPTY, List::EMPTY);
    assert!(a.push_back(&mut items, item(0)));
    assert!(!a.push_back(&mut items, item(0)));
    assert!(!b.push_front(&mut items, item(0)));
    // The ends of a are not b's to remove.
    assert!(a.push_back(&mut items, item(1)));
    assert!(!b.remove(&mut items, item(0)) && !b.remove(&mut items, item(1)));
    assert!(a.remove(&mut items, item(1)));
    assert_eq!((members(&a, &mut items).len(), b.is_empty()), (1, true));
    assert!(a.remove(&mut items, item(0)) && !a.remove(&mut items, item(0)));
    assert!(b.push_back(&mut items, item(0)));
}

#[test]
fn a_member_whose_links_are_at_hand_begins_a_list() {
    let mut items = Items::default();
    let (mut list, mut other) = (List::EMPTY, List::EMPTY);
    let first = Ref::new(Kind::Connection, 0);
    items.connections[0].tag = 7;
    assert!(list.begin_with(&mut items.connections[0], first, 5));
    assert_eq!(members(&list, &mut items), [first]);
    assert_eq!(items.connections[0].list(), 5);
    assert_eq!(items.connections[0].tag, 7);
    // On a list already: it stays there.
    assert!(other.begin_with(&mut items.connections[0], first, 6));
    assert!(other.is_empty());
    assert_eq!(items.connections[0].list(), 5);
    // Another member has to be linked: that is for `push_back_as`.
    let second = Ref::new(Kind::Connection, 1);
    assert!(!list.begin_with(&mut items.connections[1], second, 5));
    assert!(!items.connections[1].is_linked());
    assert!(list.push_back_as(&mut items, second, 5));
    assert_eq!(members(&list, &mut items), [first, second]);
    assert!(!other.begin_with(&mut items.connections[2], Ref::NONE, 6));
    assert!(other.is_empty() && !items.connections[2].is_linked());
}

#[test]
fn what_does_not_exist_is_ignored() {
    let mut items = Items::default();
    let mut list = List::EMPTY;
    for r in [
        Ref::NONE,
        Ref::new(Kind::Connection, 8),
        Ref::new(Kind::Udp, 0),
    ] {
        assert!(!list.push_back(&mut items, r) && !list.push_front(&mut items, r));
        assert!(!list.remove(&mut items, r));
    }
    assert_eq!(list.pop_front(&mut items), None);
}

#[test]
fn an_item_freed_on_its_list_ends_the_list_and_does_not_loop() {
    let mut items = Items::default();
    let mut list = List::EMPTY;
    for number in 0..4 {
        list.push_back(&mut items, item(number));
    }
    *items.links(item(1)).unwrap() = Links::EMPTY;
    let mut popped = 0;
    while list.pop_front(&mut items).is_some() {
        popped += 1;
    }
    assert!(popped <= 4 && list.is_empty());
}

#[test]
fn the_owners_mark_stays_while_the_item_is_on_a_list() {
    let mut items = Items::default();
    let mut list = List::EMPTY;
    items.links(item(3)).unwrap().tag = 9;
    list.push_back(&mut items, item(3));
    items.links(item(3)).unwrap().set_list(7);
    list.push_front(&mut items, item(2));
    assert_eq!(items.links(item(3)).unwrap().list(), 7);
    list.remove(&mut items, item(3));
    let left = items.links(item(3)).unwrap();
    assert_eq!((left.is_linked(), left.list(), left.tag), (false, 0, 9));
    left.set_list(7);
    assert_eq!(left.list(), 0, "what is on no list is on none");
}

#[test]
fn nodes_may_be_a_trait_object() {
    let mut items = Items::default();
    let nodes: &mut dyn Nodes = &mut items;
    let mut list = List::EMPTY;
    assert!(list.push_back(nodes, item(0)));
    assert_eq!(list.pop_front(nodes), Some(item(0)));
}

proptest! {
    #[test]
    fn two_lists_behave_like_deques(
        operations in prop::collection::vec((0u8..6, any::<bool>(), 0u8..16), 0..200),
    ) {
        let mut items = Items::default();
        let mut lists = [List::EMPTY; 2];
        let mut models: [VecDeque<Ref>; 2] = Default::default();
        for (what, second, number) in operations {
            let which = usize::from(second);
            let r = item(number);
            let free = !models.iter().any(|model| model.contains(&r));
            let (list, model) = (&mut lists[which], &mut models[which]);
            match what {
                0 | 1 => {
                    prop_assert_eq!(list.push_back(&mut items, r), free);
                    if free { model.push_back(r) }
                }
                2 => {
                    prop_assert_eq!(list.push_front(&mut items, r), free);
                    if free { model.push_front(r) }
                }
                3 => prop_assert_eq!(list.pop_front(&mut items), model.pop_front()),
                4 => {
                    // The middle of the other list is the caller's to tell apart, by `Links::list`.
                    let Some(at) = model.iter().position(|other| *other == r) else { continue };
                    prop_assert!(list.remove(&mut items, r));
                    model.remove(at);
                }
                _ => {
                    let [first, other] = &mut lists;
                    first.append(&mut items, other);
                    let moved = std::mem::take(&mut models[1]);
                    models[0].extend(moved);
                }
            }
            for (list, model) in lists.iter().zip(&models) {
                prop_assert_eq!(&members(list, &mut items), model);
            }
        }
    }
}
