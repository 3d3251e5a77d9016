//! Text that is handed on from where it lies: the receive ring is not written.
//!
//! Who hands received text on at once, as a proxy does, needs no copy of it. The text of a segment
//! that continues the stream, while nothing unread lies before it, is taken in without the ring and
//! lent to the caller, who keeps ([`Connection::keep`]) or gives back ([`Connection::retract`])
//! what could not be handed on.

use netloom_wire::TcpFlags;

use crate::flags::Flags;
use crate::{Connection, Discard, Env, Io, Outcome, Segment, SeqNum};

impl Connection {
    /// Whether the text of a segment could be lent: it has some that is in order, the user reads,
    /// and nothing lies unread, beyond a gap or beyond the window.
    #[inline]
    pub fn lends(&self, segment: &Segment<'_>) -> bool {
        const AGAINST: Flags = Flags::READ_SHUT.with(Flags::ORPHAN).with(Flags::FIN_AHEAD);
        !segment.payload.is_empty()
            && self.rx.len == 0
            && self.range_count == 0
            && segment.seq.le(self.rcv_nxt)
            && (segment.seq + segment.payload.len() as u32).le(self.rcv_adv)
            && self.is_receiving()
            && !self.flags.any(AGAINST)
    }

    /// [`Connection::receive`] of a segment of which [`Connection::lends`] says so: its new text
    /// is acknowledged as if it had been read, and returned. Empty if none was acceptable.
    ///
    /// The user is not told of text that is lent ([`News::READABLE`](crate::News::READABLE)); the
    /// caller has it.
    pub fn receive_lent<'s>(
        &mut self,
        env: &Env<'_>,
        io: &mut Io<'_>,
        segment: &Segment<'s>,
    ) -> (Outcome, &'s [u8]) {
        let from = self.rcv_nxt;
        // A user who reads no more has his text acknowledged and not stored: the same here, but
        // for what becomes of it.
        self.flags.set(Flags::READ_SHUT);
        let mut outcome = self.receive(env, io, segment);
        self.flags.clear(Flags::READ_SHUT);
        let fin = u32::from(self.flags.has(Flags::FIN_RECEIVED));
        let len = self.rcv_nxt.since(from).saturating_sub(fin) as usize;
        let old = from.saturating_since(segment.seq) as usize;
        let text = segment.payload.get(old..).unwrap_or_default();
        let text = text.get(..len).unwrap_or_default();
        if outcome.discard == Some(Discard::ReadShutDown) {
            outcome.discard = None;
        }
        (outcome, text)
    }

    /// Keeps the last octets of text that was lent, to be read later. Says whether the ring had
    /// room for all of them; if not, nothing is kept.
    #[must_use]
    pub fn keep(&mut self, io: &mut Io<'_>, text: &[u8]) -> bool {
        if text.len() > self.rx.room(io.rx.len()) {
            return false;
        }
        let placed = self.rx.place(io.rx, self.rx.len as usize, text);
        self.rx.len = self.rx.len.saturating_add(placed as u32);
        true
    }

    /// Gives back the last `n` octets of text that was lent by the last call, before anything
    /// was sent since: they count as never received, and the peer sends them again. Not after a
    /// FIN that followed them.
    pub fn retract(&mut self, n: usize) {
        if self.flags.has(Flags::FIN_RECEIVED) {
            return;
        }
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        let known: SeqNum = self.last_ack_sent;
        let most = self.rcv_nxt.saturating_since(known);
        self.rcv_nxt = self.rcv_nxt.minus(n.min(most));
        self.flags.set(Flags::ACK_NOW);
    }

    /// Whether a segment that is lent has a FIN that would take effect with it: text before it
    /// cannot be [retracted](Connection::retract).
    pub fn ends_with(segment: &Segment<'_>) -> bool {
        segment.has(TcpFlags::FIN)
    }

    /// Milliseconds since a segment was last received, or data sent, whichever is less.
    pub fn idle_ms(&self, env: &Env<'_>) -> u32 {
        let received = env.now_ms.wrapping_sub(self.last_received_ms);
        if self.last_sent_ms == 0 {
            return received;
        }
        received.min(env.now_ms.wrapping_sub(self.last_sent_ms))
    }
}

#[cfg(test)]
mod tests;
