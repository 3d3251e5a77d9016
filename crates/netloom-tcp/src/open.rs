//! Opening: actively, or from a SYN entry; what the options of the two SYNs agree on; and the
//! moment of becoming ESTABLISHED.

use netloom_wire::hint::cold_path;

use crate::congestion::{Congestion, initial_window};
use crate::flags::Flags;
#[cfg(feature = "rack")]
use crate::recovery::Marks;
use crate::rtt::backed_off;
use crate::syn_received::syn_window;
use crate::{
    Connection, Env, HalfOpen, News, OpenParams, SeqNum, State, TunablesRef, WINDOW_SCALE,
};

impl Connection {
    /// An active open: CLOSED to SYN-SENT. The SYN is what [`Connection::next`] says first.
    #[cfg(feature = "active-open")]
    pub fn connect(params: &OpenParams, env: &Env<'_>) -> Connection {
        let mut connection = Connection::EMPTY;
        connection.open_actively(params, env);
        connection
    }

    /// [`connect`](Connection::connect) of a connection that is [`EMPTY`](Connection::EMPTY), where
    /// it lies.
    #[cfg(feature = "active-open")]
    pub fn open_actively(&mut self, params: &OpenParams, env: &Env<'_>) {
        self.open(params, env, params.iss);
        let crate::Tunables {
            timestamps,
            sack,
            window_scaling,
            ..
        } = *env.tunables;
        self.state = State::SynSent;
        self.flags.set(Flags::ACTIVE.with(Flags::SYN_OWED));
        self.flags.put(Flags::TIMESTAMPS, timestamps);
        self.flags.put(Flags::SACK, sack);
        self.flags.put(Flags::SCALING, window_scaling);
        #[cfg(feature = "rack")]
        if env.tunables.ecn == 1 {
            cold_path();
            self.marks.set(Marks::ECN);
        }
    }

    /// A passive open whose SYN-ACK was sent from a SYN entry or a cookie, in SYN-RECEIVED. Give
    /// it the segment that completed the handshake next. `params` must be those the SYN-ACK was
    /// made with.
    pub fn from_half_open(params: &OpenParams, entry: &HalfOpen, env: &Env<'_>) -> Connection {
        let mut connection = Connection::EMPTY;
        connection.open_passively(params, entry, env);
        connection
    }

    /// [`from_half_open`](Connection::from_half_open) of a connection that is
    /// [`EMPTY`](Connection::EMPTY), where it lies.
    pub fn open_passively(&mut self, params: &OpenParams, entry: &HalfOpen, env: &Env<'_>) {
        self.open(params, env, entry.iss);
        self.state = State::SynReceived;
        self.flags.put(Flags::TIMESTAMPS, entry.timestamps());
        self.flags.put(Flags::SACK, entry.sack());
        self.flags
            .put(Flags::SCALING, entry.window_scale().is_some());
        self.flags.put(Flags::SYN_REPEATED, entry.retries() > 0);
        #[cfg(feature = "rack")]
        if entry.ecn() {
            cold_path();
            self.marks.set(Marks::ECN);
        }
        self.synchronize_receiver(entry.irs);
        self.last_ack_sent = self.rcv_nxt;
        self.agree(entry.peer_mss(), entry.window_scale(), env.tunables);
        self.ts_recent = entry.ts_recent;
        self.snd_nxt = self.iss.plus(1);
        self.retries = entry.retries();
        self.una_since = env.now_ms.max(1);
        self.arm_retransmission(env);
    }

    /// What both ways of opening an empty connection have in common.
    fn open(&mut self, params: &OpenParams, env: &Env<'_>, iss: SeqNum) {
        self.iss = iss;
        self.ts_offset = params.ts_offset;
        self.our_mss = params.mss;
        self.path_mss = params.path_mss;
        self.rcv_buf = params.rcv_buf;
        if WINDOW_SCALE {
            self.rcv_wscale = env.tunables.window_scale(params.rcv_buf);
        }
        self.last_received_ms = env.now_ms;
        #[cfg(feature = "autotune")]
        {
            self.round_ms = env.now_ms;
        }
        #[cfg(any(feature = "cubic", feature = "bbr"))]
        self.congestion.switch(env.tunables.congestion_control);
        self.flags.put(Flags::V6, params.is_v6);
        self.flags
            .put(Flags::NODELAY, params.nodelay || !env.tunables.nagle);
        self.synchronize_sender();
    }

    fn synchronize_sender(&mut self) {
        self.snd_una = self.iss;
        self.snd_nxt = self.iss;
        self.snd_sml = self.iss;
        self.recover = self.iss;
        self.rtx_nxt = self.iss;
        #[cfg(not(feature = "fast-retransmit"))]
        {
            self.timed = self.iss;
        }
    }

    /// RCV.NXT and the window our SYN or SYN-ACK offered, once IRS is known.
    pub(crate) fn synchronize_receiver(&mut self, irs: SeqNum) {
        self.irs = irs;
        self.rcv_nxt = irs.plus(1);
        self.rcv_adv = self.rcv_nxt.plus(u32::from(syn_window(self.rcv_buf)));
        self.rcv_mss = self.our_mss.min(536);
        #[cfg(feature = "autotune")]
        {
            self.round_read = self.rcv_nxt;
        }
    }

    /// Settles what both SYNs offered. The flags hold what we offered and the peer accepted.
    pub(crate) fn agree(&mut self, mss: Option<u16>, scale: Option<u8>, tunables: TunablesRef<'_>) {
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.7.1
        //# If an MSS Option is not received at connection setup, TCP
        //# implementations MUST assume a default send MSS of 536 (576 - 40) for
        //# IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
        let default = if self.flags.has(Flags::V6) { 1220 } else { 536 };
        self.peer_mss = mss.unwrap_or(default).max(tunables.min_snd_mss);
        self.path_mss = self.path_mss.max(tunables.min_snd_mss);
        self.update_mss();
        match scale {
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.2
            //# This option is an offer, not a promise; both sides MUST send Window
            //# Scale options in their <SYN> segments to enable window scaling in
            //# either direction.
            Some(scale) if self.flags.has(Flags::SCALING) => self.snd_wscale = scale,
            //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
            //# otherwise, it MUST set both
            //# Snd.Wind.Shift and Rcv.Wind.Shift to zero.
            Some(_) | None => {
                cold_path();
                self.flags.clear(Flags::SCALING);
                self.snd_wscale = 0;
                self.rcv_wscale = 0;
            }
        }
    }

    /// Our SYN is acknowledged and the peer's is known.
    pub(crate) fn establish(&mut self, env: &Env<'_>) {
        self.state = if self.flags.has(Flags::FIN_QUEUED) {
            State::FinWait1
        } else {
            State::Established
        };
        self.snd_una = self.iss.plus(1);
        // A SYN-ACK that could not be sent before has nothing to say any more.
        self.flags.clear(Flags::SYN_OWED);
        #[cfg(feature = "plpmtud")]
        self.begin_path_search(env);
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
        //= https://www.rfc-editor.org/rfc/rfc5681#section-3.1
        //# As specified in [RFC3390], the SYN/ACK and the acknowledgment of the
        //# SYN/ACK MUST NOT increase the size of the congestion window.
        self.congestion = Congestion::new(
            self.congestion.algorithm(),
            initial_window(segments, self.mss),
        );
        #[cfg(feature = "bbr")]
        self.begin_pacing(Some(env.tunables));
        self.quick_acks = env.tunables.quick_acks;
        self.retries = 0;
        self.backoff = 0;
        self.una_since = 0;
        self.rtx_deadline = 0;
        self.report(News::ESTABLISHED | News::WRITABLE | News::PATH_CONFIRMED);
    }

    /// The retransmission timeout as it is now, in milliseconds.
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
    //= https://www.rfc-editor.org/rfc/rfc6298#section-1
    //# However, a TCP MUST NOT be more aggressive than the following
    //# algorithms allow.
    pub(crate) fn arm_retransmission(&mut self, env: &Env<'_>) {
        self.rtx_deadline = env.after(self.rto(env));
        #[cfg(feature = "rack")]
        self.marks.clear(Marks::TIMERS);
    }
}
