use std::boxed::Box;

use netloom_driver::{FrameQueue, Instant, RxMeta};

use super::On;
use crate::list::{Kind, Ref};
use crate::{Config, IfaceId, Seed, Stack, Storage};

/// Half of what can be counted.
const HALF: u32 = 1 << 31;

fn stack(n: u8) -> Stack {
    let config = Config::ip().address(std::format!("10.0.0.{n}/24").parse().unwrap());
    let storage = Box::leak(Box::new(Storage::<4, 1, 0, 2048, 2048>::new()));
    Stack::new(config, storage, Seed::from([n; 32]))
}

#[test]
fn entries_are_freed_however_much_was_put_on_lists_before() {
    for turn in [
        0,
        HALF - 2,
        HALF - 1,
        HALF,
        u32::MAX - 2,
        u32::MAX - 1,
        u32::MAX,
    ] {
        let (mut client, mut server) = (stack(1), stack(2));
        let mut now = Instant::from_secs(1);
        server.turn = turn;
        server.tcp_listen(80).unwrap();
        for _ in 0..2 {
            client.tcp_connect("10.0.0.2:80".parse().unwrap()).unwrap();
        }
        let mut wire = FrameQueue::default();
        let _ = client.transmit(now, IfaceId::FIRST, &mut wire);
        for packet in wire.frames {
            server.receive(now, IfaceId::FIRST, &packet, &RxMeta::default());
        }
        assert_eq!(server.usage().half_open, 2);
        while let Some(due) = server.next_deadline() {
            now = due.max(now.plus_micros(1));
            assert!(now < Instant::from_secs(600), "never given up");
            let mut wire = FrameQueue::default();
            let _ = server.transmit(now, IfaceId::FIRST, &mut wire);
        }
        assert_eq!(server.usage().half_open, 0);
    }
}

#[test]
fn who_came_first_is_first_when_the_count_wraps_too() {
    for turn in [1, HALF, u32::MAX - 3, u32::MAX - 2, u32::MAX - 1, u32::MAX] {
        let mut stack = stack(1);
        stack.turn = turn;
        let on = On::owing(0);
        let item = |index| Ref::new(Kind::Connection, index);
        for index in [2, 0, 3] {
            assert!(stack.put(on, item(index)));
        }
        stack.put_first(on, item(1));
        for index in [1, 2] {
            assert_eq!(stack.take_first(on), Some(item(index)));
        }
        assert!(stack.put(on, item(1)));
        for index in [0, 3, 1] {
            assert_eq!(stack.take_first(on), Some(item(index)));
        }
        assert_eq!(stack.take_first(on), None);
    }
}
