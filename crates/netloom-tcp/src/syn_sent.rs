//! SEGMENT ARRIVES in SYN-SENT (RFC 9293 §3.10.7.3).

use netloom_wire::TcpFlags;
use netloom_wire::hint::cold_path;

use crate::flags::Flags;
use crate::listen::SynOffer;
use crate::receive::without_syn;
use crate::{CloseReason, Connection, Discard, Env, Io, News, Segment, State};

/// What a SYN-ACK without text may say beside its own.
const SAYS_MORE: TcpFlags = TcpFlags::FIN.with(TcpFlags::URG);

impl Connection {
    pub(crate) fn receive_in_syn_sent(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'_>,
    ) {
        // First: ACK.
        let acked = segment.has(TcpFlags::ACK);
        if acked && (segment.ack.le(self.iss) || segment.ack.gt(self.snd_nxt)) {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
            //# If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless
            //# the RST bit is set, if so drop the segment and return)
            self.discard(Discard::BadAck);
            self.report(News::RESET);
            return;
        }
        // Second: RST.
        if segment.has(TcpFlags::RST) {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
            //# If the ACK was acceptable, then signal to the user "error:
            //# connection reset", drop the segment, enter CLOSED state,
            //# delete TCB, and return.  Otherwise (no ACK), drop the
            //# segment and return.
            if acked {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
                //# A TCP
                //# implementation that supports the mitigation described in RFC
                //# 5961 SHOULD first check that the sequence number exactly
                //# matches RCV.NXT prior to executing the action in the next
                //# paragraph.
                //= https://www.rfc-editor.org/rfc/rfc5961#section-3.2
                //# In all
                //# other cases the receiver MUST silently discard the segment.
                self.end(CloseReason::Refused);
            } else {
                self.discard(Discard::BadRst);
            }
            return;
        }
        // Fourth: SYN. Fifth: neither.
        if !segment.has(TcpFlags::SYN) {
            cold_path();
            self.discard(Discard::NotSyn);
            return;
        }
        self.heard(env);
        let offer = SynOffer::of(segment);
        self.synchronize_receiver(offer.irs);
        self.flags
            .put(Flags::SACK, self.flags.has(Flags::SACK) && offer.sack);
        self.flags.put(
            Flags::TIMESTAMPS,
            self.flags.has(Flags::TIMESTAMPS) && offer.timestamps.is_some(),
        );
        #[cfg(feature = "rack")]
        self.agree_on_ecn(segment);
        self.ts_recent = offer.timestamps.unwrap_or(0);
        self.agree(offer.mss, offer.window_scale, env.tunables);
        self.last_ack_sent = self.rcv_nxt;
        // The window of a SYN is never scaled.
        self.snd_wnd = u32::from(segment.window);
        self.max_snd_wnd = self.snd_wnd;
        self.snd_wl1 = segment.seq;
        self.snd_wl2 = if acked { segment.ack } else { self.iss };

        if !acked {
            cold_path();
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.5
            //# A TCP implementation MUST support simultaneous open attempts (MUST-
            //# 10).
            self.state = State::SynReceived;
            self.flags.set(Flags::SYN_OWED);
            #[cfg(feature = "fastopen")]
            {
                // Both sides' SYNs met: the text of ours is sent again when they are acknowledged.
                self.snd_nxt = self.iss.plus(1);
            }
            return;
        }
        let echo = segment.timestamps.map(|timestamps| timestamps.echo);
        self.measure_handshake(env, echo);
        self.flags.clear(Flags::SYN_OWED);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
        //# Data or controls that were queued for
        //# transmission MAY be included.
        self.establish(env);
        #[cfg(feature = "fastopen")]
        self.take_syn_text_ack(io, segment.ack);
        self.ack_deadline = 0;
        self.flags.set(Flags::ACK_NOW);
        //= https://www.rfc-editor.org/rfc/rfc9293#section-3.10.7.3
        //# If there are other controls or text
        //# in the segment, then continue processing at the sixth step
        //# under Section 3.10.7.4 where the URG bit is checked; otherwise,
        //# return.
        if segment.payload.is_empty() && !segment.flags.intersects(SAYS_MORE) {
            return;
        }
        cold_path();
        let rest = without_syn(segment);
        self.receive_urgent(&rest);
        self.receive_text(env, io, &rest);
        self.receive_fin(env, &rest);
    }
}
