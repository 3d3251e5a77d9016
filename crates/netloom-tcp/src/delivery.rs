//! Delivery rate estimation (draft-ietf-ccwg-bbr-06 §4.1, before that
//! draft-cheng-iccrg-delivery-rate-estimation): how fast the network delivered the last flight.
//!
//! The draft keeps with each packet what was known of deliveries when it was sent. Here a record of
//! what was sent keeps only how much had been delivered by then, which it has anyway. The rest was
//! the same for everything that was sent between two acknowledgments, so it is kept once, as a
//! [`Checkpoint`], found again by that number. Checkpoints lie a tenth of a round trip apart or
//! more; what is sent between is measured from the one before, which is as true and a little longer.
//! What was in flight when a record was sent follows from its place in the sequence space.

use crate::rate::Rate;
use crate::records::Record;
use crate::{SeqNum, recovery};

/// How many checkpoints there are: three round trips' worth.
const CHECKPOINTS: usize = 32;

/// The part of a round trip that checkpoints lie apart.
const APART: u32 = 10;

/// What was known of deliveries at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Checkpoint {
    /// C.delivered: octets.
    delivered: u32,
    /// C.delivered_time: when the last of them was, in microseconds.
    delivered_time: u32,
    /// C.first_send_time: when the one delivered last was sent.
    first_send_time: u32,
    /// C.lost: octets taken as lost so far.
    lost: u32,
}

impl Checkpoint {
    const EMPTY: Checkpoint = Checkpoint {
        delivered: 0,
        delivered_time: 0,
        first_send_time: 0,
        lost: 0,
    };
}

/// The record sent last among those an acknowledgment is the first to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Newest {
    sent: u32,
    end: SeqNum,
    delivered: u32,
    app_limited: bool,
    /// It was sent again: what was in flight does not follow from its place.
    again: bool,
}

/// The estimator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeliveryRate {
    /// C.delivered_time and C.first_send_time.
    delivered_time: u32,
    first_send_time: u32,
    /// C.lost: octets ever taken as lost, wrapping.
    pub(crate) lost: u32,
    /// C.app_limited: until more than so much is delivered, samples say what the application
    /// sent and not what the network can do. Meaningful if `is_app_limited`.
    app_limited: u32,
    is_app_limited: bool,
    /// Where the oldest checkpoint is, and how many there are.
    head: u8,
    len: u8,
    checkpoints: [Checkpoint; CHECKPOINTS],
    newest: Option<Newest>,
}

/// RS: what an acknowledgment tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateSample {
    /// RS.delivery_rate; zero: none that can be relied on.
    pub(crate) delivery_rate: Rate,
    /// RS.is_app_limited.
    pub(crate) is_app_limited: bool,
    /// RS.delivered: what was delivered since the newest record was sent, in octets.
    pub(crate) delivered: u32,
    /// RS.prior_delivered: what had been delivered when it was.
    pub(crate) prior_delivered: u32,
    /// RS.tx_in_flight: what was in flight when it was, itself included; `None`: it was sent again.
    pub(crate) tx_in_flight: Option<u32>,
    /// RS.lost: what was taken as lost since.
    pub(crate) lost: u32,
    /// RS.rtt, in microseconds; `None`: it was sent again.
    pub(crate) rtt: Option<u32>,
}

/// Octets in flight when a record was sent for the first time, itself included: all that had been
/// sent by then is up to its end, and what of it had been delivered it knows. `first` is the
/// connection's first octet.
pub(crate) fn in_flight_at(record_end: SeqNum, delivered: u32, first: SeqNum) -> u32 {
    let sent = record_end.0.wrapping_sub(first.0);
    match sent.wrapping_sub(delivered) {
        // A peer that had reported what it then forgot: it was counted twice.
        negative if negative as i32 <= 0 => 0,
        in_flight => in_flight,
    }
}

impl DeliveryRate {
    pub(crate) const EMPTY: DeliveryRate = DeliveryRate {
        delivered_time: 0,
        first_send_time: 0,
        lost: 0,
        app_limited: 0,
        is_app_limited: false,
        head: 0,
        len: 0,
        checkpoints: [Checkpoint::EMPTY; CHECKPOINTS],
        newest: None,
    };

    fn place(&self, i: u8) -> usize {
        usize::from(self.head.wrapping_add(i)) % CHECKPOINTS
    }

    fn last(&self) -> Option<&Checkpoint> {
        let i = self.len.checked_sub(1)?;
        self.checkpoints.get(self.place(i))
    }

    fn push(&mut self, checkpoint: Checkpoint) {
        if usize::from(self.len) >= CHECKPOINTS {
            self.head = (self.place(1)) as u8;
            self.len = self.len.saturating_sub(1);
        }
        let at = self.place(self.len);
        if let Some(place) = self.checkpoints.get_mut(at) {
            *place = checkpoint;
            self.len = self.len.saturating_add(1);
        }
    }

    /// The newest checkpoint at which no more than `delivered` had been.
    fn checkpoint_before(&self, delivered: u32) -> Option<&Checkpoint> {
        (0..self.len)
            .rev()
            .filter_map(|i| self.checkpoints.get(self.place(i)))
            .find(|checkpoint| delivered.wrapping_sub(checkpoint.delivered) as i32 >= 0)
    }

    /// OnPacketSent: something was sent, with `pipe_before` octets in flight before it and
    /// `delivered` octets delivered of the connection.
    pub(crate) fn on_sent(&mut self, now: u32, delivered: u32, pipe_before: u32, srtt: u32) {
        if pipe_before == 0 {
            self.first_send_time = now;
            self.delivered_time = now;
            self.len = 0;
        }
        let due = match self.last() {
            None => true,
            Some(last) => {
                last.delivered != delivered
                    && self.delivered_time.wrapping_sub(last.delivered_time) >= srtt / APART
            }
        };
        if due {
            self.push(Checkpoint {
                delivered,
                delivered_time: self.delivered_time,
                first_send_time: self.first_send_time,
                lost: self.lost,
            });
        }
    }

    /// Whether what is sent now is limited by the application.
    pub(crate) fn is_app_limited(&self) -> bool {
        self.is_app_limited
    }

    /// MarkConnectionAppLimited: until all that is in flight is delivered.
    pub(crate) fn mark_app_limited(&mut self, delivered: u32, pipe: u32) {
        self.app_limited = delivered.wrapping_add(pipe);
        self.is_app_limited = true;
    }

    /// UpdateRateSample: `record` is reported to have arrived, for the first time.
    pub(crate) fn on_delivered(&mut self, record: &Record) {
        if !record.is_timed() {
            return;
        }
        let newer = self.newest.is_none_or(|newest| {
            recovery::sent_after(record.sent, record.end, newest.sent, newest.end)
        });
        if newer {
            self.newest = Some(Newest {
                sent: record.sent,
                end: record.end,
                delivered: record.delivered,
                app_limited: record.is(crate::records::APP_LIMITED),
                again: record.retransmissions > 0,
            });
        }
    }

    /// GenerateRateSample: the acknowledgment is taken in, and `delivered` octets have been
    /// delivered in all, more than before it if `more`.
    pub(crate) fn sample(
        &mut self,
        now: u32,
        delivered: u32,
        more: bool,
        min_rtt: u32,
        first: SeqNum,
    ) -> Option<RateSample> {
        if more {
            self.delivered_time = now;
        }
        // The bubble is gone.
        if self.is_app_limited && (delivered.wrapping_sub(self.app_limited) as i32) > 0 {
            self.is_app_limited = false;
        }
        let newest = self.newest.take()?;
        self.first_send_time = newest.sent;
        let mut sample = RateSample {
            delivery_rate: Rate::ZERO,
            is_app_limited: newest.app_limited,
            delivered: delivered.wrapping_sub(newest.delivered),
            prior_delivered: newest.delivered,
            tx_in_flight: (!newest.again)
                .then(|| in_flight_at(newest.end, newest.delivered, first)),
            lost: 0,
            rtt: (!newest.again).then(|| now.wrapping_sub(newest.sent).max(1)),
        };
        let Some(from) = self.checkpoint_before(newest.delivered) else {
            return Some(sample);
        };
        let send_elapsed = newest.sent.wrapping_sub(from.first_send_time);
        let ack_elapsed = now.wrapping_sub(from.delivered_time);
        // What was sent before what had been delivered already took no time.
        let send_elapsed = if send_elapsed as i32 > 0 {
            send_elapsed
        } else {
            0
        };
        let interval = send_elapsed.max(ack_elapsed);
        sample.lost = self.lost.wrapping_sub(from.lost);
        // The round trip that this acknowledgment measured is one of those seen.
        let min_rtt = sample.rtt.map_or(min_rtt, |rtt| rtt.min(min_rtt));
        if interval >= min_rtt.max(1) {
            sample.delivery_rate = Rate::of(delivered.wrapping_sub(from.delivered), interval);
        }
        Some(sample)
    }

    /// RS.lost for a record that is taken as lost: what was since it was sent.
    pub(crate) fn lost_since(&self, record: &Record) -> Option<u32> {
        let from = self.checkpoint_before(record.delivered)?;
        Some(self.lost.wrapping_sub(from.lost))
    }
}

#[cfg(test)]
mod tests;
