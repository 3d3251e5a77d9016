//! Opening: actively, or from a SYN entry; what the options of the two SYNs agree on; and the
//! moment of becoming ESTABLISHED.

use netloom_driver::Instant;

use crate::congestion::{Congestion, initial_window};
use crate::flags::Flags;
use crate::rtt::backed_off;
use crate::syn_received::syn_window;
use crate::{Connection, Env, HalfOpen, News, OpenParams, Outcome, State, Tunables};

impl Connection {
    /// An active open: CLOSED to SYN-SENT. The SYN is what [`Connection::next`] says first.
    pub fn connect(params: &OpenParams, env: &Env<'_>) -> Connection {
        let mut connection = Connection::open(params, env);
        let Tunables {
            timestamps,
            sack,
            window_scaling,
            ..
        } = *env.tunables;
        connection.state = State::SynSent;
        connection.flags.set(Flags::ACTIVE.with(Flags::SYN_OWED));
        connection.flags.put(Flags::TIMESTAMPS, timestamps);
        connection.flags.put(Flags::SACK, sack);
        connection.flags.put(Flags::SCALING, window_scaling);
        connection
    }

    /// A passive open whose SYN-ACK was sent from a SYN entry or a cookie, in SYN-RECEIVED. Give
    /// it the segment that completed the handshake next. `params` must be those the SYN-ACK was
    /// made with.
    pub fn from_half_open(params: &OpenParams, entry: &HalfOpen, env: &Env<'_>) -> Connection {
        let mut connection = Connection::open(params, env);
        connection.state = State::SynReceived;
        connection.flags.put(Flags::TIMESTAMPS, entry.timestamps());
        connection.flags.put(Flags::SACK, entry.sack());
        connection
            .flags
            .put(Flags::SCALING, entry.window_scale().is_some());
        connection
            .flags
            .put(Flags::SYN_REPEATED, entry.retries() > 0);
        connection.iss = entry.iss;
        connection.synchronize_receiver(entry.irs);
        connection.last_ack_sent = connection.rcv_nxt;
        connection.agree(entry.peer_mss(), entry.window_scale(), env.tunables);
        connection.ts_recent = entry.ts_recent;
        connection.synchronize_sender();
        connection.snd_nxt = connection.iss.plus(1);
        connection.retries = entry.retries();
        connection.una_since = env.now;
        connection.arm_retransmission(env);
        connection
    }

    fn open(params: &OpenParams, env: &Env<'_>) -> Connection {
        let OpenParams {
            iss,
            ts_offset,
            mss,
            path_mss,
            rcv_buf,
            is_v6,
            nodelay,
        } = *params;
        let mut connection = Connection {
            iss,
            ts_offset,
            our_mss: mss,
            path_mss,
            rcv_buf,
            rcv_wscale: env.tunables.window_scale(rcv_buf),
            last_received_ms: env.now_ms,
            ..Connection::EMPTY
        };
        connection.flags.put(Flags::V6, is_v6);
        connection
            .flags
            .put(Flags::NODELAY, nodelay || !env.tunables.nagle);
        connection.synchronize_sender();
        connection
    }

    fn synchronize_sender(&mut self) {
        self.snd_una = self.iss;
        self.snd_nxt = self.iss;
        self.snd_sml = self.iss;
        self.recover = self.iss;
        self.rtx_nxt = self.iss;
    }

    /// RCV.NXT and the window our SYN or SYN-ACK offered, once IRS is known.
    pub(crate) fn synchronize_receiver(&mut self, irs: crate::SeqNum) {
        self.irs = irs;
        self.rcv_nxt = irs.plus(1);
        self.rcv_adv = self.rcv_nxt.plus(u32::from(syn_window(self.rcv_buf)));
        self.rcv_mss = self.our_mss.min(536);
    }

    /// Settles what both SYNs offered. The flags hold what we offered and the peer accepted.
    pub(crate) fn agree(&mut self, mss: Option<u16>, scale: Option<u8>, tunables: &Tunables) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //# If an MSS Option is not received at connection setup, TCP
        //# implementations MUST assume a default send MSS of 536 (576 - 40) for
        //# IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
        let default = if self.flags.has(Flags::V6) { 1220 } else { 536 };
        self.peer_mss = mss.unwrap_or(default).max(tunables.min_snd_mss);
        self.path_mss = self.path_mss.max(tunables.min_snd_mss);
        self.update_mss();
        match scale {
            Some(scale) if self.flags.has(Flags::SCALING) => self.snd_wscale = scale,
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
            //# otherwise, it MUST set both
            //# Snd.Wind.Shift and Rcv.Wind.Shift to zero.
            Some(_) | None => {
                self.flags.clear(Flags::SCALING);
                self.snd_wscale = 0;
                self.rcv_wscale = 0;
            }
        }
    }

    /// Our SYN is acknowledged and the peer's is known.
    pub(crate) fn establish(&mut self, env: &Env<'_>, out: &mut Outcome) {
        self.state = if self.flags.has(Flags::FIN_QUEUED) {
            State::FinWait1
        } else {
            State::Established
        };
        self.snd_una = self.iss.plus(1);
        //= https://www.rfc-editor.org/rfc/rfc6928#section-2
        //# For this reason, it is RECOMMENDED that implementations refrain from
        //# resetting the initial window to 1 segment, unless there have been
        //# more than one SYN or SYN/ACK retransmissions or true loss detection
        //# has been made.
        let segments = if self.retries > 1 {
            1
        } else {
            env.tunables.initial_window
        };
        self.congestion = Congestion::new(initial_window(segments, self.mss));
        self.quick_acks = env.tunables.quick_acks;
        self.retries = 0;
        self.backoff = 0;
        self.una_since = Instant::ZERO;
        self.rtx_deadline = Instant::ZERO;
        out.news
            .insert(News::ESTABLISHED | News::WRITABLE | News::PATH_CONFIRMED);
    }

    /// The retransmission timeout as it is now.
    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn rto(&self, env: &Env<'_>) -> u32 {
        let rto = self.rtt.rto(env.tunables, self.is_after_repeated_syn());
        backed_off(rto, self.backoff, env.tunables.rto_max)
    }

    fn is_after_repeated_syn(&self) -> bool {
        self.flags.has(Flags::SYN_REPEATED) && self.state.is_synchronized()
    }

    #[cfg_attr(target_pointer_width = "64", inline)]
    #[cfg_attr(not(target_pointer_width = "64"), inline(never))]
    pub(crate) fn arm_retransmission(&mut self, env: &Env<'_>) {
        self.rtx_deadline = env.now.plus_micros(u64::from(self.rto(env)));
    }
}
