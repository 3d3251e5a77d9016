//! The canonical form of a state: equal where no future can differ.
//!
//! Times are taken relative to the end's own clock, and left out where the rules make them
//! immaterial: the retransmission timeout is a constant, so neither SRTT nor back-off nor the age
//! of a record has an effect. Variables whose flag says that they mean nothing are left out. Text
//! is left out because it is checked against its sequence number on every way in and out. Every
//! field is named, so that a new one must be thought about here.

use core::hash::{Hash, Hasher};

use netloom_driver::Instant;
use netloom_wire::TcpOptionWords;

use super::world::{Host, Life, World};
use crate::flags::Flags;
#[cfg(feature = "fast-retransmit")]
use crate::records::{LOST, SACKED};
use crate::syn_received::answer_turn;
use crate::{Connection, Env, HalfOpen, TimeWaitState, Tunables, ranges};

/// A hash of 64 bits: two words multiplied and folded, for each word that goes in.
#[derive(Default)]
pub(super) struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ self.0.rotate_left(23);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        let mut last = Mixer(self.0);
        last.mix(0x8ebc_6af0_9c88_c6e3);
        last.mix(0x5896_36e1_42b5_7ab1);
        last.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }
    fn write_u16(&mut self, n: u16) {
        self.mix(u64::from(n));
    }
    fn write_u32(&mut self, n: u32) {
        self.mix(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.mix(n);
    }
    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.mix(n as u64);
    }
}

/// The fingerprint of `world`.
pub(super) fn fingerprint(world: &World) -> u64 {
    let World {
        hosts,
        queue,
        late,
        budget,
    } = world;
    let mut to = Mixer::default();
    for host in hosts {
        hash_host(host, &mut to);
    }
    queue.hash(&mut to);
    late.hash(&mut to);
    budget.hash(&mut to);
    to.finish()
}

fn hash_host(host: &Host, to: &mut Mixer) {
    let Host {
        life,
        clock,
        written,
        read,
        closed,
        got_fin,
        edge,
        pending,
        .. // Storage: `hash_connection` takes from it what is live.
    } = host;
    (written, read, closed, got_fin, edge, pending).hash(to);
    let tunables = Tunables::DEFAULT;
    let env = Env::at(*clock, &tunables);
    match life {
        Life::Listening => 0u8.hash(to),
        Life::HalfOpen(entry, at) => {
            1u8.hash(to);
            ahead(*at, *clock).hash(to);
            hash_entry(entry, &env, to);
        }
        Life::Live(connection) => {
            2u8.hash(to);
            hash_connection(connection, host, &env, to);
        }
        Life::TimeWait(state) => {
            3u8.hash(to);
            hash_time_wait(state, &env, to);
        }
        Life::Gone => 4u8.hash(to),
    }
}

/// How far ahead a moment is.
fn ahead(moment: Instant, now: Instant) -> u64 {
    moment.as_micros().saturating_sub(now.as_micros())
}

fn hash_entry(entry: &HalfOpen, env: &Env<'_>, to: &mut Mixer) {
    let HalfOpen {
        iss,
        irs,
        ts_recent,
        mss,
        bits,
    } = *entry;
    // An entry's clock only moves by whole seconds: which half second it is does not matter,
    // only whether an answer was given in this one.
    let answered = HalfOpen {
        bits: bits & 0x0fff,
        ..*entry
    };
    let turn = answer_turn(env).map(|turn| turn as u16 & 0xf == bits >> 12);
    (iss, irs, ts_recent, mss, answered.bits, turn).hash(to);
}

fn hash_time_wait(state: &TimeWaitState, env: &Env<'_>, to: &mut Mixer) {
    let TimeWaitState {
        snd_nxt,
        rcv_nxt,
        ts_recent,
        window,
        timestamps,
        answered,
    } = *state;
    let turn = answer_turn(env).map(|turn| (turn & 0x7f) as u8 + 1 == answered);
    (snd_nxt, rcv_nxt, ts_recent, window, timestamps, turn).hash(to);
}

fn hash_connection(connection: &Connection, host: &Host, env: &Env<'_>, to: &mut Mixer) {
    let Connection {
        state,
        phase,
        snd_wscale,
        rcv_wscale,
        flags,
        rcv_nxt,
        rcv_adv,
        last_ack_sent,
        ts_recent,
        rcv_buf,
        rx,
        snd_una,
        snd_nxt,
        snd_wnd,
        snd_wl1,
        snd_wl2,
        max_snd_wnd,
        tx,
        records,
        range_count,
        mss,
        congestion,
        #[cfg(any(feature = "cubic", feature = "rack"))]
        prior_cwnd,
        #[cfg(feature = "rack")]
            prior_ssthresh: _, // RACK, probes and F-RTO are off.
        #[cfg(feature = "rack")]
            prr: _,
        #[cfg(feature = "rack")]
            rack: _,
        #[cfg(feature = "rack")]
            reo_wnd_persist: _,
        #[cfg(feature = "rack")]
        marks,
        #[cfg(not(feature = "fast-retransmit"))]
        timed,
        sacked,
        lost,
        rcv_mss,
        dup_acks_owed,
        quick_acks,
        delivered: _,
        last_received_ms: _, // No timestamps, no keep-alives, no half-closed timeout.
        snd_sml,
        rtx_deadline,
        ack_deadline,
        una_since, // No user timeout: only whether something is waited for.
        rtt: _,
        last_sent_ms,
        keepalive_deadline,
        close_deadline,
        user_timeout,
        keepalive_idle,
        keepalive_interval,
        linger,
        xmit_ts: _,
        ts_offset,
        iss,
        irs,
        recover,
        rtx_nxt,
        rcv_fin,
        rcv_high,
        rcv_up,
        snd_up,
        dsack,
        dsack_len,
        #[cfg(feature = "rack")]
            undo_from: _,
        challenged_ms,
        total_retransmissions: _,
        peer_mss,
        path_mss,
        our_mss,
        dup_acks,
        retries,
        backoff,
        probes,
        keepalive_count,
        close_reason,
        soft_error_seen,
        #[cfg(feature = "plpmtud")]
            search: _, // Switched off.
        outcome: _, // Empty between calls.
        // What is measured here is said to the caller, who alone acts upon it.
        #[cfg(feature = "autotune")]
            round_ms: _,
        #[cfg(feature = "autotune")]
            round_read: _,
    } = *connection;
    (state, phase as u8, snd_wscale, rcv_wscale, flags).hash(to);
    (rcv_nxt, rcv_adv, last_ack_sent, ts_recent, rcv_buf).hash(to);
    (snd_una, snd_nxt, snd_wnd, snd_wl1, snd_wl2, max_snd_wnd).hash(to);
    (rx.head, rx.len, tx.head, tx.len).hash(to);
    (mss, sacked, lost, rcv_mss, dup_acks_owed, quick_acks).hash(to);
    congestion.hash(to);
    #[cfg(any(feature = "cubic", feature = "rack"))]
    prior_cwnd.hash(to);
    #[cfg(feature = "rack")]
    marks.hash(to);
    (snd_sml, una_since != 0).hash(to);
    for deadline in [
        rtx_deadline,
        ack_deadline,
        keepalive_deadline,
        close_deadline,
    ] {
        env.until(deadline).hash(to);
    }
    // Whether a timeout has passed since: more makes no difference.
    env.now_ms.wrapping_sub(last_sent_ms).min(1_001).hash(to);
    if flags.has(Flags::CHALLENGED) {
        env.now_ms.wrapping_sub(challenged_ms).min(500).hash(to);
    }
    (user_timeout, keepalive_idle, keepalive_interval, linger).hash(to);
    (ts_offset, iss, irs, recover, rtx_nxt, rcv_up).hash(to);
    if flags.has(Flags::URGENT_OUT) {
        snd_up.hash(to);
    }
    if flags.has(Flags::FIN_AHEAD) {
        rcv_fin.hash(to);
    }
    if flags.has(Flags::DSACK) {
        (dsack, dsack_len).hash(to);
    }
    if range_count > 0 {
        rcv_high.hash(to);
    }
    (peer_mss, path_mss, our_mss, dup_acks.min(3), retries.min(3)).hash(to);
    (backoff > 0, probes, keepalive_count, close_reason).hash(to);
    soft_error_seen.hash(to);

    records.len().hash(to);
    #[cfg(not(feature = "fast-retransmit"))]
    timed.max(snd_una).hash(to);
    #[cfg(feature = "fast-retransmit")]
    for record in records.live(&host.records) {
        let marks = (record.is(LOST), record.is(SACKED));
        (record.end, record.mss, marks, record.retransmissions > 0).hash(to);
    }
    let mut blocks = TcpOptionWords::new();
    ranges::report(&host.ranges, &mut blocks, range_count as u8);
    blocks.as_slice().hash(to);
}
