//! What unit tests of one open connection begin with.

use netloom_driver::Instant;
use netloom_wire::TcpFlags;
use std::vec;
use std::vec::Vec;

use crate::{
    Connection, Env, HalfOpen, Io, OpenParams, Range, Segment, SeqNum, State, SynOffer, Tunables,
};

/// A connection with its memory, without a record of what it sends.
pub(crate) struct Bench {
    pub(crate) conn: Connection,
    pub(crate) rx: Vec<u8>,
    pub(crate) tx: Vec<u8>,
    pub(crate) ranges: [Range; 4],
    pub(crate) tunables: Tunables,
    pub(crate) now: Instant,
}

impl Bench {
    /// Is open, no octet sent or received, with a window of `rcv_buf` octets and a ring as long. The
    /// peer takes segments of 100 octets and no option, and offers a window of `snd_wnd`.
    pub(crate) fn open(iss: SeqNum, irs: SeqNum, rcv_buf: u32, snd_wnd: u16) -> Bench {
        let tunables = Tunables::DEFAULT;
        let now = Instant::from_secs(1);
        let offer = SynOffer {
            irs,
            mss: Some(100),
            window_scale: None,
            sack: false,
            timestamps: None,
            ecn: false,
            window: snd_wnd,
        };
        let params = OpenParams {
            iss,
            rcv_buf,
            ..OpenParams::default()
        };
        let half = HalfOpen::new(iss, &offer, &tunables);
        let conn = Connection::from_half_open(&params, &half, &Env::at(now, &tunables));
        let mut bench = Bench {
            conn,
            rx: vec![0; rcv_buf as usize],
            tx: vec![0; 2_000],
            ranges: [Range::EMPTY; 4],
            tunables,
            now,
        };
        let mut ack = segment(irs.plus(1), iss.plus(1), TcpFlags::ACK, &[]);
        ack.window = snd_wnd;
        let _ = bench.with(|conn, env, io| conn.receive(env, io, &ack));
        assert_eq!(bench.conn.state(), State::Established);
        bench
    }

    pub(crate) fn with<T>(
        &mut self,
        call: impl FnOnce(&mut Connection, &Env<'_>, &mut Io<'_>) -> T,
    ) -> T {
        let env = Env::at(self.now, &self.tunables);
        let mut io = Io::new(&mut self.rx, &mut self.tx, &mut [], &mut self.ranges);
        call(&mut self.conn, &env, &mut io)
    }
}

/// A segment with a window of 1000 octets and nothing but what is named.
pub(crate) fn segment(seq: SeqNum, ack: SeqNum, flags: TcpFlags, payload: &[u8]) -> Segment<'_> {
    Segment {
        seq,
        ack,
        flags,
        window: 1000,
        urgent: 0,
        timestamps: None,
        options: &[],
        payload,
        count: 1,
        ce: false,
    }
}
