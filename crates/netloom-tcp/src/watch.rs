//! What is looked at on a connection that is paced, or whose path is modelled: beside the path that
//! all others take, so that they pay one test of a flag.

use crate::SeqNum;
use crate::congestion::{Ack, CongestionControl, Lost};
use crate::delivery::{RateSample, in_flight_at};
use crate::flags::Flags;
use crate::records::{APP_LIMITED, LOST, NOTED, SACKED};
use crate::recovery::Before;
use crate::recovery::Phase;
use crate::{Connection, Env, Io, Plan, Segment};

impl Connection {
    /// An acceptable acknowledgment is about to be taken in.
    #[inline]
    pub(crate) fn watch_ack_begin(&mut self, io: &mut Io<'_>, segment: &Segment<'_>) {
        if self.flags.has(Flags::WATCHED) {
            self.begin_rate_sample(io, segment);
        }
    }

    /// It has been.
    #[inline]
    pub(crate) fn watch_ack_end(&mut self, env: &Env<'_>, io: &mut Io<'_>, before: &Before) {
        if self.flags.has(Flags::WATCHED) {
            self.update_on_ack(env, io, before);
        }
    }

    /// A plan with payload was recorded.
    #[inline]
    pub(crate) fn watch_sent(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        if self.flags.has(Flags::WATCHED) {
            self.update_on_sent(env, io, plan);
        }
    }

    /// A timer has done what it does.
    #[inline]
    pub(crate) fn watch_timer(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        if self.flags.has(Flags::WATCHED) && self.lends_model(env, io) {
            self.note_losses(env, io);
            let ack = self.model_ack(env, io, 0, None);
            if let Some((state, window, _)) = self.congestion.model(io) {
                state.on_timeout(window, &ack);
            }
        }
    }

    /// Whether the path is modelled. If nothing was lent for it, the default takes over.
    fn lends_model(&mut self, env: &Env<'_>, io: &mut Io<'_>) -> bool {
        if !self.congestion.is_model() {
            return false;
        }
        if io.path.is_none() {
            self.congestion.switch(CongestionControl::WITHOUT_MODEL);
            self.flags.clear(Flags::WATCHED);
            return false;
        }
        let start = (self.rtt.srtt(), self.delivered, self.iss.0 ^ self.ts_offset);
        if let Some((state, window, pacer)) = self.congestion.model(io) {
            state.begin(window, pacer, env.micros(), start);
        }
        true
    }

    /// The first octet of data.
    fn first_octet(&self) -> SeqNum {
        self.iss.plus(1)
    }

    /// What an event is for the model.
    fn model_ack(
        &self,
        env: &Env<'_>,
        io: &Io<'_>,
        newly_acked: u32,
        rs: Option<RateSample>,
    ) -> Ack {
        let mss = u32::from(self.mss);
        Ack {
            now: env.micros(),
            mss,
            quantum: io.path.as_ref().map_or(mss, |path| path.pacer.quantum(mss)),
            delivered: self.delivered,
            inflight: self.pipe(),
            newly_acked,
            srtt: self.rtt.srtt(),
            sack: self.flags.has(Flags::SACK),
            in_recovery: match self.phase {
                Phase::Recovery | Phase::Loss | Phase::Probation | Phase::Trial | Phase::Resent => {
                    true
                }
                Phase::Open | Phase::Reduced => false,
            },
            rs,
        }
    }

    #[cold]
    fn begin_rate_sample(&mut self, io: &mut Io<'_>, segment: &Segment<'_>) {
        // CheckIfApplicationLimited.
        let limited = self.unsent() == 0 && self.lost == 0 && self.pipe() < self.cwnd();
        let (delivered, pipe, table) = (self.delivered, self.pipe(), self.records);
        let una = self.snd_una;
        let Some((state, ..)) = self.congestion.model(io) else {
            return;
        };
        if limited {
            state.delivery.mark_app_limited(delivered, pipe);
        }
        if segment.ack.gt(una) {
            let records: &[crate::Record] = io.records;
            let Some(path) = &mut io.path else {
                return;
            };
            for record in table.live(records) {
                if record.end.gt(segment.ack) {
                    break;
                }
                if !record.is(SACKED) {
                    path.bbr.delivery.on_delivered(record);
                }
            }
        }
    }

    /// A record is reported to have arrived out of order.
    #[inline]
    pub(crate) fn watch_sacked(&mut self, io: &mut Io<'_>, record: &crate::Record) {
        if self.flags.has(Flags::WATCHED) && self.congestion.is_model() {
            if let Some(path) = &mut io.path {
                path.bbr.delivery.on_delivered(record);
            }
        }
    }

    #[cold]
    fn update_on_ack(&mut self, env: &Env<'_>, io: &mut Io<'_>, before: &Before) {
        if !self.lends_model(env, io) {
            self.pace_by_window(env, io);
            return;
        }
        self.note_losses(env, io);
        let newly_acked = self.delivered.wrapping_sub(before.delivered());
        let (delivered, first) = (self.delivered, self.first_octet());
        let Some((state, ..)) = self.congestion.model(io) else {
            return;
        };
        let rs = state.rate_sample(env.micros(), delivered, newly_acked, first);
        let ack = self.model_ack(env, io, newly_acked, rs);
        if let Some((state, window, pacer)) = self.congestion.model(io) {
            state.on_ack(window, pacer, &ack);
        }
    }

    #[cold]
    fn update_on_sent(&mut self, env: &Env<'_>, io: &mut Io<'_>, plan: &Plan) {
        if self.lends_model(env, io) {
            let end = plan.seq.plus(plan.len);
            let pipe_before = self.pipe().saturating_sub(plan.len);
            let ack = self.model_ack(env, io, 0, None);
            if let Some((state, window, pacer)) = self.congestion.model(io) {
                state.on_sent(window, pacer, &ack, pipe_before);
                let limited = state.delivery.is_app_limited();
                let records = self.records.live_mut(io.records);
                let at = records.partition_point(|record| record.end.lt(end));
                if let Some(record) = records.get_mut(at) {
                    record.unmark(APP_LIMITED | NOTED);
                    record.delivered = self.delivered;
                    if limited {
                        record.mark(APP_LIMITED);
                    }
                }
            }
        }
        if io.path.as_ref().is_some_and(|path| path.pacer.is_new()) {
            // The first flight is paced too, if the handshake has told a round trip.
            self.pace_by_window(env, io);
        }
        self.departed(env, io, plan.len);
    }

    /// Tells the model of every record that is newly taken as lost.
    fn note_losses(&mut self, env: &Env<'_>, io: &mut Io<'_>) {
        if self.lost == 0 {
            return;
        }
        let ack = self.model_ack(env, io, 0, None);
        let (table, first) = (self.records, self.first_octet());
        let mut start = self.snd_una;
        let mut adjacent = false;
        for i in 0..table.len() {
            let Some(record) = table.live_mut(io.records).get_mut(i) else {
                break;
            };
            let size = record.end.saturating_since(start);
            start = record.end;
            if !record.is(LOST) || record.is(NOTED) {
                adjacent = record.is(LOST);
                continue;
            }
            record.mark(NOTED);
            let record = *record;
            let Some((state, window, _)) = self.congestion.model(io) else {
                return;
            };
            state.delivery.lost = state.delivery.lost.wrapping_add(size);
            let tx_in_flight = if record.retransmissions > 0 {
                // Where it lies says nothing of when it was sent.
                ack.inflight.saturating_add(size)
            } else {
                in_flight_at(record.end, record.delivered, first)
            };
            let lost = Lost {
                size,
                tx_in_flight,
                lost: state.delivery.lost_since(&record).unwrap_or(size),
                is_app_limited: record.is(APP_LIMITED),
                adjacent,
            };
            state.on_lost(window, &ack, &lost);
            adjacent = true;
        }
    }
}
