use std::collections::VecDeque;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn meta(n: u8) -> Meta {
    Meta {
        local: Addr::v4([10, 0, 0, 2]),
        iface: n,
        hop_limit: 64,
        tos: 0x2e << 2 | 1,
        ..Meta::new(Addr::v4([10, 0, 0, n]), 5_000 + u16::from(n))
    }
}

fn whole((first, second): Pieces<'_>) -> Vec<u8> {
    [first, second].concat()
}

#[test]
fn what_is_pushed_comes_out_whole_and_in_order() {
    let mut memory = [0; 64];
    let mut queue = DatagramQueue::EMPTY;
    queue.push(&mut memory, &meta(1), b"he", b"llo").unwrap();
    queue.push(&mut memory, &meta(2), b"", b"").unwrap();
    assert_eq!((queue.count(), queue.bytes()), (2, 16 + 5 + 16));
    let (first, data) = queue.front(&memory).unwrap();
    assert_eq!(first, Meta { len: 5, ..meta(1) });
    assert_eq!(whole(data), b"hello");
    assert!(queue.pop(&memory));
    let (second, data) = queue.front(&memory).unwrap();
    assert_eq!((second, whole(data)), (meta(2), vec![]));
    assert!(queue.pop(&memory));
    assert!(!queue.pop(&memory));
    assert!(queue.is_empty());
    assert_eq!(queue.front(&memory), None);
}

#[test]
fn the_newcomer_is_dropped() {
    let mut memory = [0; 40];
    let mut queue = DatagramQueue::EMPTY;
    queue.push(&mut memory, &meta(1), b"", &[1; 20]).unwrap();
    assert_eq!(
        queue.push(&mut memory, &meta(2), b"", b""),
        Err(PushError::Full)
    );
    let mut buffer = [0; 64];
    assert_eq!(
        queue.recv_into(&memory, &mut buffer).unwrap().meta,
        Meta { len: 20, ..meta(1) }
    );
    queue.push(&mut memory, &meta(2), b"", &[2; 24]).unwrap();
    assert_eq!(queue.bytes(), 40, "to the last byte");
}

#[test]
fn what_never_fits_is_told_apart() {
    let mut memory = vec![0; 100_000];
    let mut queue = DatagramQueue::EMPTY;
    let data = vec![7; 65_536];
    assert_eq!(
        queue.push(&mut memory, &meta(1), b"", &data),
        Err(PushError::TooLong)
    );
    assert_eq!(queue.push(&mut memory, &meta(1), b"", &data[1..]), Ok(()));
    assert_eq!(
        queue.push(&mut memory, &meta(1), b"", &data[1..]),
        Err(PushError::Full)
    );
    let mut small = [0; 30];
    let mut queue = DatagramQueue::EMPTY;
    assert_eq!(
        queue.push(&mut small, &meta(1), &[0; 8], &[0; 7]),
        Err(PushError::TooLong)
    );
    assert_eq!(
        queue.push(&mut [], &meta(1), b"", b""),
        Err(PushError::TooLong)
    );
    assert!(queue.is_empty());
}

#[test]
fn a_short_buffer_truncates_and_says_so() {
    let mut memory = [0; 64];
    let mut queue = DatagramQueue::EMPTY;
    queue.push(&mut memory, &meta(1), b"", b"datagram").unwrap();
    let mut buffer = [0; 4];
    let peeked = queue.peek_into(&memory, &mut buffer).unwrap();
    let received = queue.recv_into(&memory, &mut buffer).unwrap();
    assert_eq!(received, peeked);
    assert_eq!(
        (received.copied, received.truncated, received.meta.len),
        (4, true, 8)
    );
    assert_eq!(&buffer, b"data");
    assert!(queue.is_empty(), "the rest is gone");
    queue.push(&mut memory, &meta(1), b"", b"data").unwrap();
    assert!(!queue.recv_into(&memory, &mut buffer).unwrap().truncated);
}

#[test]
fn bad_data_found_while_copying_leaves_no_trace() {
    let mut memory = [0; 64];
    let mut queue = DatagramQueue::EMPTY;
    queue.push(&mut memory, &meta(1), b"", b"good").unwrap();
    let rejected = queue.push_with(&mut memory, &meta(2), 3, |first, _| {
        first.fill(9);
        false
    });
    assert_eq!(rejected, Err(PushError::Rejected));
    assert_eq!(queue.count(), 1);
    queue.push(&mut memory, &meta(3), b"", b"next").unwrap();
    queue.pop(&memory);
    let (meta3, data) = queue.front(&memory).unwrap();
    assert_eq!((meta3.iface, whole(data)), (3, b"next".to_vec()));
}

#[test]
fn the_header_is_as_small_as_it_is_said_to_be() {
    let mut memory = [0; 128];
    let size = |meta: &Meta| {
        let mut queue = DatagramQueue::EMPTY;
        queue.push(&mut memory, meta, b"", b"").unwrap();
        queue.bytes()
    };
    let v4 = Meta::new(Addr::v4([10, 0, 0, 1]), 53);
    let local = Meta {
        local: Addr::v4([10, 0, 0, 2]),
        ..v4
    };
    assert_eq!([v4, local].map(|meta| meta.remote_port), [53, 53]);
    let mut size = size;
    assert_eq!((size(&v4), size(&local)), (12, 16));
    #[cfg(feature = "ipv6")]
    {
        let v6 = Meta::new(Addr::v6([0x20; 16]), 53);
        let local = Meta {
            local: Addr::v6([0x21; 16]),
            ..v6
        };
        assert_eq!((size(&v6), size(&local)), (24, 40));
    }
}

fn any_meta() -> impl Strategy<Value = Meta> {
    let fields = any::<(bool, [u8; 16], [u8; 16], bool, u16, u8, u8, u8)>();
    fields.prop_map(
        |(v6, remote, local, has_local, remote_port, iface, hop_limit, tos)| {
            #[cfg(feature = "ipv6")]
            let addr = |octets: [u8; 16]| if v6 { Addr::v6(octets) } else { short(octets) };
            #[cfg(not(feature = "ipv6"))]
            let addr = |octets| {
                let _ = v6;
                short(octets)
            };
            let local = if has_local {
                addr(local)
            } else {
                Addr::UNSPECIFIED
            };
            Meta {
                remote: addr(remote),
                remote_port,
                local,
                iface,
                hop_limit,
                tos,
                len: 0,
            }
        },
    )
}

fn short([a, b, c, d, ..]: [u8; 16]) -> Addr {
    Addr::v4([a, b, c, d])
}

#[derive(Debug, Clone)]
enum Step {
    Push(Meta, Vec<u8>, usize),
    Pop,
    Receive(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let data = prop::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        3 => (any_meta(), data, any::<prop::sample::Index>())
            .prop_map(|(meta, data, at)| {
                let at = at.index(data.len() + 1);
                Step::Push(meta, data, at)
            }),
        1 => Just(Step::Pop),
        1 => (0..100_usize).prop_map(Step::Receive),
    ]
}

proptest! {
    /// Against a queue of the standard library, in rings of every small size, so that headers
    /// and data wrap at every place.
    #[test]
    fn behaves_as_a_queue(capacity in 0..300_usize, steps in prop::collection::vec(step(), 0..100)) {
        let mut memory = vec![0xaa; capacity];
        let mut queue = DatagramQueue::EMPTY;
        let mut model: VecDeque<(Meta, Vec<u8>, usize)> = VecDeque::new();
        for step in steps {
            match step {
                Step::Push(meta, data, at) => {
                    let meta = Meta { len: data.len() as u16, ..meta };
                    let addr = if meta.remote.is_v4() { 4 } else { 16 };
                    let locals = if meta.local.is_unspecified() { 0 } else { addr };
                    let size = 8 + addr + locals + data.len();
                    let used: usize = model.iter().map(|record| record.2).sum();
                    let expected = if size > capacity {
                        Err(PushError::TooLong)
                    } else if used + size > capacity {
                        Err(PushError::Full)
                    } else {
                        Ok(())
                    };
                    let (head, payload) = data.split_at(at);
                    prop_assert_eq!(queue.push(&mut memory, &meta, head, payload), expected);
                    if expected.is_ok() {
                        let local = if locals == 0 { Addr::UNSPECIFIED } else { meta.local };
                        model.push_back((Meta { local, ..meta }, data, size));
                    }
                }
                Step::Pop => {
                    prop_assert_eq!(queue.pop(&memory), model.pop_front().is_some());
                }
                Step::Receive(len) => {
                    let mut buffer = vec![0; len];
                    let received = queue.recv_into(&memory, &mut buffer);
                    let expected = model.pop_front();
                    prop_assert_eq!(received.is_some(), expected.is_some());
                    if let (Some(received), Some((meta, data, _))) = (received, expected) {
                        prop_assert_eq!(received.meta, meta);
                        prop_assert_eq!(received.copied, data.len().min(len));
                        prop_assert_eq!(received.truncated, data.len() > len);
                        prop_assert_eq!(&buffer[..received.copied], &data[..received.copied]);
                    }
                }
            }
            prop_assert_eq!(queue.count(), model.len());
            prop_assert_eq!(queue.bytes(), model.iter().map(|record| record.2).sum::<usize>());
            let front = queue.front(&memory).map(|(meta, data)| (meta, whole(data)));
            prop_assert_eq!(front, model.front().map(|(meta, data, _)| (*meta, data.clone())));
        }
    }

    /// Whatever the bytes and the state are, nothing panics.
    #[test]
    fn nonsense_does_no_harm(
        memory in prop::collection::vec(any::<u8>(), 0..100),
        head in 0..200_u32,
        used in 0..200_u32,
        count in 0..4_u32,
    ) {
        let mut memory = memory;
        let mut queue = DatagramQueue { head, used, count };
        let _ = queue.push(&mut memory, &meta(1), b"ab", b"cd");
        let _ = queue.front(&memory);
        for _ in 0..5 {
            let _ = queue.recv_into(&memory, &mut [0; 10]);
        }
    }
}
