//! More bugs of the systems before this one, each by its number as in `known_bugs.rs`: those that
//! are about memory, rings and handles rather than about single segments.
#![cfg(all(
    feature = "alloc",
    feature = "tcp",
    feature = "udp",
    feature = "ethernet",
    feature = "ipv4",
    feature = "ipv6"
))]
mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::Range;

use common::trace::{Conn, IF, IRS, Link, Net, PEER_PORT, PORT, Packet, addr, every, tcp};
use common::{Pair, Profile, Random};
use netloom_stack::driver::{FrameSink, Full, Instant, RxMeta, TxCaps, TxMeta};
use netloom_stack::tcp::How;
use netloom_stack::wire::{Frame, WireError};
use netloom_stack::{CloseReason, Error, Stack, State, TcpHandle, UdpHandle};

/// The system's allocator, keeping each thread's account.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator as it is; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        HELD.set(HELD.get() + layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get() - layout.size() as isize);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls for memory while `work` runs.
fn calls<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = CALLS.get();
    let value = work();
    (CALLS.get() - before, value)
}

/// A device that takes every frame and keeps none, in memory of its own.
struct Void([u8; 1_600]);

impl FrameSink for Void {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(1500)
    }
    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        fill(&mut self.0[..len]);
        Ok(())
    }
}

/// A connection that a peer opened.
fn open(net: &mut Net) -> Conn {
    let listener = net.listen(PORT);
    net.accepted(listener, PEER_PORT)
}

/// Where `part` lies in `whole`, which must hold it: it was lent, not copied.
#[track_caller]
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
    let end = start.checked_add(part.len()).expect("in front of it");
    assert!(end <= whole.len(), "somewhere else");
    start..end
}

#[test]
fn s03_views_lend_the_bytes_of_the_frame() {
    every(|net| {
        let ip_at = net.setup.link_len();
        let tcp_at = ip_at + net.pick(20, 40);
        let segment = tcp("P.").mss(1460).ts(1, 2).data(b"hello");
        let frame = net.frame_of(common::trace::OUR_MAC, &net.packet_of(&segment));
        let parse = |bytes| {
            let (count, view) = calls(|| match net.setup.link {
                Link::Ip => Frame::new(bytes).ip()?.tcp(),
                Link::Ethernet => {
                    let payload = Frame::new(bytes).ethernet()?.payload();
                    Frame::new(payload).ip()?.tcp()
                }
            });
            assert_eq!(count, 0, "a view takes no memory");
            view
        };
        let view = parse(&frame).unwrap();
        let header_end = tcp_at + 20 + view.options_bytes().len();
        assert_eq!(place(&frame, view.options_bytes()), tcp_at + 20..header_end);
        assert_eq!(place(&frame, view.payload()), header_end..frame.len());
        // The options are walked where they lie.
        let (count, walked) = calls(|| view.options().filter(|option| option.is_ok()).count());
        assert!(count == 0 && walked >= 2, "{walked} options");
        // The length is proven when the view is made: a cut frame makes none at all.
        for len in 0..frame.len() {
            let cut = parse(&frame[..len]);
            let known = matches!(
                cut,
                Err(WireError::Truncated | WireError::BadTotalLength | WireError::BadHeaderLength)
            );
            assert!(known, "{len} bytes: {cut:?}");
        }
    });
}

#[test]
fn s03_reading_lends_both_halves_of_the_ring() {
    every(|mut net| {
        let mut conn = open(&mut net);
        let mut model = VecDeque::new();
        let mut random = Random(3);
        for round in 0.. {
            assert!(round < 100, "the ring never came round");
            let data: Vec<u8> = (0..1_000).map(|_| random.next() as u8).collect();
            for _ in 0..3 {
                net.send(conn.tcp("P.").data(&data));
                conn.seq += 1_000;
                model.extend(&data);
            }
            net.pass_ms(50);
            net.out.clear();
            // Taking nothing leaves everything, where it was.
            let mut look = |model: &VecDeque<u8>, take: usize| {
                let mut seen = None;
                let (count, n) = calls(|| {
                    net.stack.tcp_read_with(conn.handle, |first, second| {
                        seen = Some((first.as_ptr_range(), second.as_ptr_range()));
                        let lent = first.iter().chain(second);
                        assert!(lent.eq(model), "other bytes than arrived");
                        take
                    })
                });
                assert_eq!((count, n), (0, Ok(take)), "reading takes no memory");
                seen.unwrap()
            };
            let (first, second) = look(&model, 0);
            assert_eq!(look(&model, 0), (first.clone(), second.clone()));
            let both = !first.is_empty() && !second.is_empty();
            if both {
                // The ring goes on at its beginning, in front of the first half.
                assert!(second.end <= first.start);
                // Seven bytes on, it is the same memory less seven bytes.
                look(&model, 7);
                model.drain(..7);
                let (rest, same) = look(&model, 0);
                assert_eq!(
                    (rest.start as usize, rest.end),
                    (first.start as usize + 7, first.end)
                );
                assert_eq!(same, second);
                break;
            }
            // Something always stays, lest the ring begin anew.
            let take = model.len() - 1_000;
            look(&model, take);
            model.drain(..take);
            net.pump();
            net.out.clear();
        }
    });
}

/// One direction of a connection, as it should be.
#[derive(Default)]
struct Stream {
    /// Written and not read yet.
    under_way: VecDeque<u8>,
    written: usize,
    read: usize,
}

impl Stream {
    /// Writes up to `len` bytes in one of the two ways.
    fn write(&mut self, stack: &mut Stack, handle: TcpHandle, len: usize, random: &mut Random) {
        let data: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        let written = if random.below(2) == 0 {
            stack.tcp_write(handle, &data)
        } else {
            stack.tcp_write_with(handle, len, |space| {
                let n = random.below(space.len() + 1);
                space[..n].copy_from_slice(&data[..n]);
                n
            })
        };
        match written {
            Ok(n) => {
                self.under_way.extend(&data[..n]);
                self.written += n;
            }
            Err(error) => assert_eq!(error, Error::WouldBlock),
        }
    }

    /// Reads up to `len` bytes in one of the two ways, after a look ahead.
    fn read(&mut self, stack: &mut Stack, handle: TcpHandle, len: usize, random: &mut Random) {
        let mut buffer = vec![0; len];
        let offset = random.below(len);
        let ready = stack.tcp_readable(handle).unwrap();
        // Beyond what has arrived there is nothing, whether or not more will come.
        if let Ok(n @ 1..) = stack.tcp_peek(handle, offset, &mut buffer) {
            assert_eq!(n, len.min(ready.saturating_sub(offset)));
            assert!(
                buffer[..n]
                    .iter()
                    .eq(self.under_way.range(offset..offset + n))
            );
        }
        let read = if random.below(2) == 0 {
            stack.tcp_read(handle, &mut buffer)
        } else {
            stack.tcp_read_with(handle, |first, second| {
                let n = len.min(first.len() + second.len());
                for (to, from) in buffer.iter_mut().zip(first.iter().chain(second)) {
                    *to = *from;
                }
                n
            })
        };
        match read {
            Ok(n) => {
                assert_eq!(n, len.min(ready));
                let due: Vec<u8> = self.under_way.drain(..n).collect();
                assert!(buffer[..n] == due, "corrupt after {} bytes", self.read);
                self.read += n;
            }
            Err(error) => assert_eq!((error, ready), (Error::WouldBlock, 0)),
        }
    }
}

/// Carries what both stacks owe over a wire that now and then swaps, repeats and loses frames.
fn carry(pair: &mut Pair, random: &mut Random) {
    let _ = pair.a.transmit(pair.now, IF, &mut pair.to_b);
    let _ = pair.b.transmit(pair.now, IF, &mut pair.to_a);
    for (stack, queue) in [(&mut pair.a, &mut pair.to_a), (&mut pair.b, &mut pair.to_b)] {
        for at in 1..queue.frames.len() {
            if random.below(20) == 0 {
                queue.frames.swap(at - 1, at);
            }
        }
        for frame in std::mem::take(&mut queue.frames) {
            let copies = match random.below(50) {
                0 => 0,
                1 => 2,
                _ => 1,
            };
            for _ in 0..copies {
                stack.receive(pair.now, IF, &frame, &RxMeta::default());
            }
        }
        stack.counters().balance().unwrap();
    }
}

#[test]
fn s21_the_rings_hold_what_a_queue_would() {
    /// Bytes each ring may hold, and carries in the end.
    const RING: usize = 4_096;
    const TOTAL: usize = 200 * RING;
    for (seed, profile) in [Profile::Heap, Profile::Lent]
        .into_iter()
        .cycle()
        .take(8)
        .enumerate()
    {
        println!("--- seed {seed}, {profile:?}");
        let mut random = Random(seed as u64);
        let mut pair = Pair::new(profile, seed % 4 < 2);
        let at = addr(if seed < 4 { "10.0.0.2" } else { "fd00::2" });
        let listener = pair.b.tcp_listen(PORT).unwrap();
        let a = pair
            .a
            .tcp_connect(std::net::SocketAddr::new(at.into(), PORT))
            .unwrap();
        pair.pass(1_000_000);
        let b = pair.b.tcp_accept(listener).unwrap().unwrap();
        for (stack, handle) in [(&mut pair.a, a), (&mut pair.b, b)] {
            stack.tcp_set_send_buffer(handle, RING as u32).unwrap();
            stack.tcp_set_receive_buffer(handle, RING as u32).unwrap();
        }
        let (mut there, mut back) = (Stream::default(), Stream::default());
        let end = pair.now.plus_micros(2_000_000_000);
        while there.read.min(back.read) < TOTAL {
            // From single bytes to all there is.
            let mut len = || {
                let bits = 1 + random.below(13);
                1 + random.below(1 << bits)
            };
            let lens = [len(), len(), len(), len()];
            there.write(&mut pair.a, a, lens[0], &mut random);
            back.write(&mut pair.b, b, lens[1], &mut random);
            carry(&mut pair, &mut random);
            there.read(&mut pair.b, b, lens[2], &mut random);
            back.read(&mut pair.a, a, lens[3], &mut random);
            pair.now = pair.now.plus_micros(random.next() % 20_000);
            assert!(pair.now < end, "stuck at {} and {}", there.read, back.read);
        }
        // What is under way arrives, and then the end.
        pair.a.tcp_shutdown(a, How::Write).unwrap();
        pair.b.tcp_shutdown(b, How::Write).unwrap();
        while !(there.under_way.is_empty() && back.under_way.is_empty()) {
            carry(&mut pair, &mut random);
            there.read_rest(&mut pair.b, b, &mut random);
            back.read_rest(&mut pair.a, a, &mut random);
            pair.now = pair.now.plus_micros(20_000);
            assert!(pair.now < end, "the rest never arrives");
        }
        assert_eq!((there.read, back.read), (there.written, back.written));
    }
}

impl Stream {
    fn read_rest(&mut self, stack: &mut Stack, handle: TcpHandle, random: &mut Random) {
        if stack.tcp_readable(handle).unwrap() > 0 {
            self.read(stack, handle, 1_000, random);
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.8.6.1
//= type=test
//# The sending TCP peer must regularly transmit at least one octet of
//# new data (if available), or retransmit to the receiving TCP peer even
//# if the send window is zero, in order to "probe" the window.
#[test]
fn m09_a_lost_window_update_stalls_nothing() {
    every(|mut net| {
        let mut conn = open(&mut net);
        // Without data there is nothing to probe for.
        net.send(conn.tcp(".").win(0));
        net.pass_s(300);
        net.silent();
        net.send(conn.tcp(".").win(3));
        // The window fills in the middle of what was written, and FIN waits behind it.
        net.write(&conn, b"0123456789");
        net.stack.tcp_shutdown(conn.handle, How::Write).unwrap();
        let mut got = Vec::new();
        let mut window = 3;
        for _ in 0..20 {
            if net.out.is_empty() {
                net.pass_s(61);
            }
            let begin = conn.ack;
            assert!(!net.out.is_empty(), "never probed");
            let mut fin = false;
            while let Some(Packet::Tcp(segment)) = net.pop() {
                let skip = begin
                    .wrapping_add(got.len() as u32)
                    .wrapping_sub(segment.tcp.seq);
                // A probe may be of old data, or of one new octet, which counts only if there
                // is room for it.
                assert!(segment.data.len() <= 3.max(window) + 1, "beyond the window");
                if let Some(new) = segment.data.get(skip as usize..) {
                    let new = &new[..new.len().min(window)];
                    got.extend_from_slice(new);
                    window -= new.len();
                }
                fin |= segment.tcp.flags.fin() && got.len() == 10;
            }
            let acked = begin.wrapping_add(got.len() as u32);
            if fin {
                net.send(conn.tcp(".").ack(acked.wrapping_add(1)));
                break;
            }
            net.send(conn.tcp(".").ack(acked).win(window as u16));
            if window == 0 {
                // Its update is lost: only the answer to the next probe tells of it.
                window = 4;
                net.pass_s(61);
            }
        }
        assert_eq!(got, b"0123456789");
        conn.ack = conn.ack.wrapping_add(11);
        assert_eq!(net.stack.tcp_state(conn.handle), Ok(State::FinWait2));
    });
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The content of the header beyond the End of
//# Option List Option MUST be header padding of zeros (MUST-69).
/// Walks over a header's options as RFC 9293 §3.1 has them; says which kinds are there.
fn option_kinds(mut options: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    loop {
        match options {
            [] => return kinds,
            [0, padding @ ..] => {
                assert!(padding.iter().all(|&b| b == 0), "padding {padding:?}");
                return kinds;
            }
            [1, rest @ ..] => options = rest,
            [kind, len, ..] => {
                let (len, due) = (
                    usize::from(*len),
                    match kind {
                        2 => 4,
                        3 => 3,
                        4 => 2,
                        5 => (usize::from(*len) - 2) / 8 * 8 + 2,
                        8 => 10,
                        other => panic!("option {other}"),
                    },
                );
                assert!(
                    len == due && len <= options.len(),
                    "option {kind} of {len} bytes"
                );
                kinds.push(*kind);
                options = &options[len..];
            }
            [kind] => panic!("option {kind} without its length"),
        }
    }
}

//= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
//= type=test
//# The TCP header (even one including options) is an
//# integer multiple of 32 bits long.
#[test]
fn m11_the_options_that_a_header_counts_are_there() {
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //= type=test
    //# A TCP implementation MUST be able to receive a TCP Option in any
    //# segment (MUST-5).
    /// The kinds of options and the length of the data of every segment since `from`. An octet
    /// that was counted and not written is 0xaa, which the harness fills memory with.
    fn headers(net: &mut Net, from: usize) -> Vec<(Vec<u8>, usize)> {
        let at = net.setup.link_len() + net.pick(20, 40);
        let proto_at = net.setup.link_len() + net.pick(9, 6);
        let tcp = net.raw[from..].iter().filter(|frame| frame[proto_at] == 6);
        tcp.map(|frame| {
            let len = usize::from(frame[at + 12] >> 4) * 4;
            assert!((20..=60).contains(&len) && at + len <= frame.len());
            let kinds = option_kinds(&frame[at + 20..at + len]);
            (kinds, frame.len() - at - len)
        })
        .collect()
    }
    every(|mut net| {
        let listener = net.listen(PORT);
        for offer in 0..8_u16 {
            let peer_port = PEER_PORT + offer;
            let (scale, sack, stamps) = (offer & 1 != 0, offer & 2 != 0, offer & 4 != 0);
            let from = net.raw.len();
            let mut syn = tcp("S").peer_port(peer_port).mss(1460);
            syn = if scale { syn.wscale(7) } else { syn };
            syn = if sack { syn.sack_ok() } else { syn };
            syn = if stamps { syn.ts(50, 0) } else { syn };
            net.send(syn);
            let syn_ack = net.expect(tcp("S.").peer_port(peer_port));
            let echo = syn_ack.tcp.options.timestamps.map(|t| t.value);
            let ack = syn_ack.tcp.seq.wrapping_add(1);
            let due = |flags: &str, seq: u32| {
                let segment = tcp(flags).seq(seq).ack(ack).peer_port(peer_port);
                match echo {
                    Some(echo) => segment.ts(51, echo),
                    None => segment,
                }
            };
            net.send(due(".", IRS + 1));
            let handle = net.stack.tcp_accept(listener).unwrap().unwrap();
            // Two gaps: as many blocks as there are.
            net.send(due("P.", IRS + 11).data(b"later"));
            net.send(due("P.", IRS + 31).data(b"later still"));
            net.stack.tcp_write(handle, b"seven b").unwrap();
            net.pump();
            net.stack.tcp_abort(handle).unwrap();
            net.pump();
            net.stack.tcp_close(handle).unwrap();
            net.out.clear();
            let headers = headers(&mut net, from);
            let (mut lens, mut blocks) = (Vec::new(), 0);
            for (at, (kinds, len)) in headers.iter().enumerate() {
                let syn = at == 0;
                assert_eq!(kinds.contains(&2), syn, "MSS in {kinds:?}");
                assert_eq!(kinds.contains(&3), syn && scale, "{kinds:?}");
                assert_eq!(kinds.contains(&4), syn && sack, "{kinds:?}");
                let last = at + 1 == headers.len();
                assert!(kinds.contains(&8) == stamps || last, "{kinds:?}");
                blocks += usize::from(kinds.contains(&5));
                lens.push(*len);
            }
            assert_eq!(blocks > 0, sack, "{headers:?}");
            assert_eq!(
                lens.iter().sum::<usize>(),
                7,
                "data where it is due: {lens:?}"
            );
        }
        // The side that opens.
        let from = net.raw.len();
        net.stack.tcp_connect(net.peer_at(PEER_PORT)).unwrap();
        net.pump();
        let (kinds, len) = headers(&mut net, from).remove(0);
        assert_eq!(len, 0);
        assert!(
            [2, 3, 4, 8].iter().all(|kind| kinds.contains(kind)),
            "{kinds:?}"
        );
    });
}

#[test]
fn m12_connections_that_nobody_accepts_end_with_the_listener() {
    every(|mut net| {
        let listener = net.listen_with(PORT, 3);
        let mut acks = Vec::new();
        for peer_port in 1..=3 {
            net.send(tcp("S").peer_port(peer_port));
            let syn_ack = net.expect(tcp("S.").peer_port(peer_port));
            let ack = syn_ack.tcp.seq.wrapping_add(1);
            net.send(
                tcp("P.")
                    .seq(IRS + 1)
                    .ack(ack)
                    .peer_port(peer_port)
                    .data(b"hello?"),
            );
            net.pass_s(1);
            net.out.clear();
            acks.push(ack);
        }
        // An hour in which nobody claims them: they stay, and no others are taken in.
        for _ in 0..60 {
            net.pass_s(60);
            net.send(tcp("S").peer_port(4));
        }
        net.out.clear();
        let backlog = net.stack.tcp_backlog(listener).unwrap();
        assert_eq!((backlog.to_accept, backlog.half_open), (3, 0));
        // One peer gives up: its place is free.
        net.send(tcp("R").seq(IRS + 7).peer_port(1));
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().to_accept, 2);
        // Somebody comes at last: it is whole.
        let late = net.stack.tcp_accept(listener).unwrap().unwrap();
        assert_eq!(net.stack.tcp_peer_addr(late).unwrap().port(), 2);
        let mut buffer = [0; 8];
        assert_eq!(net.stack.tcp_read(late, &mut buffer), Ok(6));
        net.pass_s(1);
        net.out.clear();
        // The listener goes, and whom nobody accepted is told.
        net.stack.tcp_close_listener(listener).unwrap();
        net.pump();
        let reset = net.segment();
        assert!(reset.tcp.flags.rst());
        assert_eq!((reset.tcp.dst_port, reset.tcp.seq), (3, acks[2]));
        net.silent();
        assert_eq!(net.stack.tcp_accept(listener), Err(Error::StaleHandle));
        assert_eq!(net.stack.tcp_backlog(listener), Err(Error::StaleHandle));
        assert_eq!(
            net.stack.tcp_close_listener(listener),
            Err(Error::StaleHandle)
        );
        assert_eq!(net.stack.tcp_state(late), Ok(State::Established));
        net.stack.tcp_abort(late).unwrap();
        net.pump();
        let reason = net.stack.tcp_close_reason(late);
        assert_eq!(reason, Ok(Some(CloseReason::Aborted)));
        net.stack.tcp_close(late).unwrap();
        net.out.clear();
        // Nothing of them is left, and the port is free. (On Ethernet the peer's station is
        // confirmed once more.)
        net.pass_s(60);
        net.out.clear();
        assert_eq!(net.stack.buffers_in_use(), 0);
        assert_eq!(net.stack.next_deadline(), None);
        let listener = net.listen(PORT);
        net.accepted(listener, PEER_PORT);
    });
}

#[test]
fn l05_an_unknown_tuple_takes_no_memory_before_it_is_validated() {
    every(|mut net| {
        // The neighbour is known, and the first time is over.
        let listener = net.listen_with(PORT, 32);
        let conn = net.accepted(listener, PEER_PORT);
        net.stack.tcp_abort(conn.handle).unwrap();
        net.stack.tcp_close(conn.handle).unwrap();
        net.pump();
        net.out.clear();
        let mut void = Void([0; 1_600]);
        let mut arrive = |net: &mut Net, segment| {
            let packet = net.packet_of(&segment);
            let frame = net.frame_of(common::trace::OUR_MAC, &packet);
            let before = HELD.get();
            net.stack.receive(net.now, IF, &frame, &RxMeta::default());
            let _ = net.stack.transmit(net.now, IF, &mut void);
            let held = HELD.get() - before;
            net.balance();
            held
        };
        let strays = ["P.", ".", "F.", "S.", "R", "R.", "", "SF", "SR"];
        for (at, flags) in strays.into_iter().cycle().take(900).enumerate() {
            let port = if at % 2 == 0 { PORT } else { 81 };
            let data: &[u8] = if flags.contains('P') {
                &[1; 1_000]
            } else {
                &[]
            };
            let segment = tcp(flags).seq(5).ack(at as u32).port(port).data(data);
            let held = arrive(&mut net, segment.peer_port(1_000 + at as u16));
            // The first answer has the room for answers made.
            assert!(held <= 0 || at < 36, "{flags} keeps {held} bytes");
        }
        let backlog = net.stack.tcp_backlog(listener).unwrap();
        assert_eq!((backlog.to_accept, backlog.half_open), (0, 0));
        assert_eq!(net.stack.buffers_in_use(), 0);
        // A flood of SYNs holds entries of some 64 bytes, no more than the backlog of them.
        let mut held = 0;
        for port in 0..1_000 {
            held += arrive(&mut net, tcp("S").mss(1460).peer_port(2_000 + port));
            let half_open = net.stack.tcp_backlog(listener).unwrap().half_open;
            assert!((1..=32).contains(&half_open), "{half_open}");
        }
        assert!(held <= 32 * 1_024, "{held} bytes");
        assert_eq!(net.stack.buffers_in_use(), 0);
        // Five retransmissions later they are gone, not hours later.
        let half_open = usize::from(net.stack.tcp_backlog(listener).unwrap().half_open);
        net.pass_s(64);
        assert_eq!(net.stack.tcp_backlog(listener).unwrap().half_open, 0);
        assert_eq!(net.stack.counters().tcp_half_open_timed_out, half_open);
        assert_eq!(net.stack.next_deadline(), None);
        net.out.clear();
        net.accepted(listener, PEER_PORT);
    });
}

#[test]
fn l09_an_idle_udp_socket_stays_and_a_closed_one_is_an_error() {
    every(|mut net| {
        let socket = net.stack.udp_bind(5_000).unwrap();
        let peer = net.peer_at(9);
        net.stack.udp_send_to(socket, b"first", peer).unwrap();
        net.pump();
        net.datagram();
        // Nobody evicts it.
        net.pass_s(10 * 86_400);
        net.out.clear();
        net.send_udp(9, 5_000, b"late");
        let mut buffer = [0; 16];
        assert_eq!(net.stack.udp_recv(socket, &mut buffer).unwrap().copied, 4);
        // Closed with something in either queue, news to tell and a time to be woken.
        net.send_udp(9, 5_000, b"unread");
        net.stack.udp_send_to(socket, b"unsent", peer).unwrap();
        let soon = net.now.plus_micros(1_000_000);
        net.stack.udp_wake_at(socket, Some(soon)).unwrap();
        net.stack.udp_close(socket).unwrap();
        all_stale(&mut net.stack, socket, peer, net.now);
        net.pass_s(2);
        assert_eq!(net.stack.poll_event(), None, "of a closed socket");
        net.out.clear();
        // Its place may be another's: the old handle is none of the new.
        let other = net.stack.udp_bind(5_000).unwrap();
        assert_ne!(socket, other);
        all_stale(&mut net.stack, socket, peer, net.now);
        net.send_udp(9, 5_000, b"new");
        assert_eq!(net.stack.udp_recv(other, &mut buffer).unwrap().copied, 3);
        // News for a socket that has gone since is news for nobody.
        net.stack.udp_connect(other, peer).unwrap();
        net.stack.udp_send(other, b"anybody?").unwrap();
        net.pump();
        let quoted = net.raw.last().unwrap()[net.setup.link_len()..].to_vec();
        net.stack.udp_close(other).unwrap();
        let unreachable = net.pick((3, 3), (1, 4));
        net.icmp_about(unreachable, 0, &quoted);
        assert_eq!(net.stack.poll_event(), None);
    });
}

/// Every call with the handle says that it is stale.
fn all_stale(stack: &mut Stack, socket: UdpHandle, peer: std::net::SocketAddr, now: Instant) {
    let stale = Err(Error::StaleHandle);
    let mut buffer = [0; 4];
    assert_eq!(stack.udp_send(socket, b"x"), stale);
    assert_eq!(stack.udp_send_to(socket, b"x", peer), stale);
    assert_eq!(stack.udp_connect(socket, peer), stale);
    assert_eq!(stack.udp_recv(socket, &mut buffer).map(drop), stale);
    assert_eq!(stack.udp_peek(socket, &mut buffer).map(drop), stale);
    assert_eq!(stack.udp_take_error(socket).map(drop), stale);
    assert_eq!(stack.udp_readiness(socket).map(drop), stale);
    assert_eq!(stack.udp_local_addr(socket).map(drop), stale);
    assert_eq!(stack.udp_peer_addr(socket).map(drop), stale);
    assert_eq!(stack.udp_set_broadcast(socket, true), stale);
    assert_eq!(stack.udp_set_ttl(socket, 3), stale);
    assert_eq!(stack.udp_set_tos(socket, 3), stale);
    assert_eq!(stack.udp_wake_at(socket, Some(now)), stale);
    assert_eq!(stack.udp_close(socket), stale);
}

#[test]
fn l09_no_order_of_calls_brings_the_tables_out_of_step() {
    every(|mut net| {
        let mut random = Random(9);
        let mut live: Vec<UdpHandle> = Vec::new();
        let mut gone: Vec<UdpHandle> = Vec::new();
        let mut buffer = [0; 32];
        for _ in 0..2_000 {
            let peer = net.peer_at(1 + random.below(4) as u16);
            let port = 5_000 + random.below(4) as u16;
            if let (Some(&stale), 0) = (gone.last(), random.below(8)) {
                all_stale(&mut net.stack, stale, peer, net.now);
            }
            if live.is_empty() || random.below(4) == 0 {
                if let Ok(socket) = net.stack.udp_bind(port) {
                    assert!(!live.contains(&socket) && !gone.contains(&socket));
                    live.push(socket);
                }
                continue;
            }
            let at = random.below(live.len());
            let socket = live[at];
            let result = match random.below(8) {
                0 => {
                    gone.push(live.swap_remove(at));
                    net.stack.udp_close(socket)
                }
                1 => net.stack.udp_connect(socket, peer),
                2 => net.stack.udp_send_to(socket, b"data", peer),
                3 => net.stack.udp_send(socket, b"data"),
                4 => net.stack.udp_recv(socket, &mut buffer).map(drop),
                5 => {
                    let at = net.now.plus_micros(random.next() % 1_000);
                    net.stack.udp_wake_at(socket, Some(at))
                }
                6 => {
                    net.send_udp(peer.port(), port, b"news");
                    Ok(())
                }
                _ => {
                    net.pass(random.next() % 2_000);
                    Ok(())
                }
            };
            assert_ne!(result, Err(Error::StaleHandle), "of a socket that is open");
            if random.below(3) == 0 {
                while let Some(event) = net.stack.poll_event() {
                    let netloom_stack::Event::Udp(handle, _) = event else {
                        panic!("{event:?}")
                    };
                    assert!(live.contains(&handle), "news of a closed socket");
                }
                net.pump();
                net.out.clear();
            }
        }
        for socket in live {
            net.stack.udp_close(socket).unwrap();
        }
        net.pass_s(60);
        assert_eq!(net.stack.poll_event(), None);
    });
}
