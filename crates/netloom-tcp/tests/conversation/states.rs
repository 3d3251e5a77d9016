//! Every state and every kind of segment: no panic, a legal successor, a legal answer.

use netloom_tcp::{Next, State};
use proptest::prelude::*;

use crate::script::*;

/// A host in `state`, with something sent and something received where that makes sense.
fn in_state(state: State, ts: bool, sack: bool, iss: u32) -> Host {
    let setup = Setup::with(|s| {
        s.peer_ts = ts;
        s.peer_sack = sack;
        s.iss = iss;
        s.tx = 5000;
        s.rx = 3000;
    });
    let stamp = |n: u32| ts.then_some((7_000 + n, 0));
    let mut h = if state == State::SynSent || state == State::SynReceived {
        let mut h = Host::connecting(setup);
        h.emit();
        if state == State::SynReceived {
            h.recv(h.peer_syn());
            h.emit();
        }
        return h;
    } else {
        Host::client(setup)
    };
    h.write(2000);
    h.emit_all();
    let fin = |h: &mut Host, ack: u32| {
        h.recv(Seg {
            flags: "F.".into(),
            ack,
            ts: stamp(1),
            ..Seg::default()
        });
    };
    match state {
        State::Closed => {
            h.recv(Seg {
                flags: "R".into(),
                ..Seg::default()
            });
        }
        State::FinWait1 | State::FinWait2 | State::Closing | State::TimeWait => {
            h.c.shutdown_write();
            h.emit_all();
            match state {
                State::FinWait2 => {
                    h.recv(Seg {
                        ack: 2002,
                        ts: stamp(1),
                        ..Seg::default()
                    });
                }
                State::Closing => fin(&mut h, 1),
                State::TimeWait => fin(&mut h, 2002),
                _ => {}
            }
        }
        State::CloseWait => fin(&mut h, 1),
        State::LastAck => {
            fin(&mut h, 1);
            h.c.shutdown_write();
            h.emit_all();
        }
        State::Listen | State::SynSent | State::SynReceived | State::Established => {}
    }
    assert_eq!(h.state(), state);
    h
}

const STATES: [State; 10] = [
    State::Closed,
    State::SynSent,
    State::SynReceived,
    State::Established,
    State::FinWait1,
    State::FinWait2,
    State::CloseWait,
    State::Closing,
    State::LastAck,
    State::TimeWait,
];

/// RFC 9293 figure 5, closed under several steps at once, and CLOSED from anywhere.
fn may_follow(from: State, to: State) -> bool {
    use State::*;
    let successors: &[State] = match from {
        Closed => &[],
        Listen => &[SynReceived, SynSent],
        SynSent => &[SynReceived, Established, CloseWait],
        SynReceived => &[Established, CloseWait],
        Established => &[CloseWait],
        FinWait1 => &[FinWait2, Closing, TimeWait],
        FinWait2 => &[TimeWait],
        CloseWait => &[],
        Closing => &[TimeWait],
        LastAck => &[],
        TimeWait => &[],
    };
    to == Closed || to == from || successors.contains(&to)
}

fn segment() -> impl Strategy<Value = Seg> {
    (
        (
            prop::sample::subsequence(vec!['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'], 0..=5),
            prop_oneof![8 => 0u32..3200, 1 => any::<u32>()],
            prop_oneof![8 => 0u32..2100, 1 => any::<u32>()],
        ),
        any::<u16>(),
        prop_oneof![Just(0u32), 1u32..1500],
        any::<u16>(),
        prop::option::of((6_990u32..7_020, any::<u32>())),
        prop::collection::vec((0u32..2100, 0u32..2100), 0..4),
        (
            prop::option::of(any::<u16>()),
            prop::option::of(any::<u8>()),
            any::<bool>(),
        ),
    )
        .prop_map(
            |((flags, seq, ack), win, len, urg, ts, sack, (mss, ws, sackok))| Seg {
                flags: flags.into_iter().collect(),
                seq,
                ack,
                win,
                len,
                urg,
                ts,
                sack,
                mss,
                ws,
                sackok,
                ..Seg::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..Default::default() })]
    #[test]
    fn anything_in_any_state(
        state in prop::sample::select(&STATES[..]),
        ts in any::<bool>(),
        sack in any::<bool>(),
        iss in prop_oneof![Just(100u32), 0xffff_f000u32..=u32::MAX],
        segments in prop::collection::vec(segment(), 1..12),
        naps in prop::collection::vec(0u64..400_000, 12),
    ) {
        let mut h = in_state(state, ts, sack, iss);
        for (seg, nap) in segments.into_iter().zip(naps) {
            if h.c.close_reason().is_some() {
                break;
            }
            let before = h.state();
            let edge = {
                let info = h.info();
                info.rcv_nxt + info.rcv_wnd
            };
            let need = h.build(&seg, |segment| h.c.rx_need(segment));
            prop_assert!(need <= 3000);
            let reset_came = seg.flags.contains('R');
            let out = h.recv(seg.clone());
            prop_assert!(may_follow(before, h.state()), "{before} to {} by {seg:?}", h.state());
            if let Some(reply) = out.reset {
                prop_assert!(!reset_came, "a RST answered by {reply:?}");
            }
            if before.is_synchronized() && h.state().is_synchronized() {
                let info = h.info();
                let after = info.rcv_nxt + info.rcv_wnd;
                prop_assert!(after.ge(edge), "the window moved left by {seg:?}");
            }
            if !h.c.owes_frame() {
                let next = h.next();
                prop_assert!(!matches!(next, Next::Send(_)), "{next:?} was not announced");
            }
            h.emit_all();
            h.sleep(nap);
            h.emit_all();
            let n = h.c.readable_bytes() as u32;
            let mut sink = vec![0; n as usize];
            with!(&mut h, |c, _env, io| c.read(&mut io, &mut sink));
        }
    }
}
