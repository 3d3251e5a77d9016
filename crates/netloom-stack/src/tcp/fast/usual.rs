//! Segments in whose headers are as usual, and whose connection opens or closes.

use netloom_driver::RxMeta;
use netloom_tcp::{Segment, SeqNum};
use netloom_wire::TcpFlags;
use netloom_wire::hint::cold_path;
use netloom_wire::plain::PlainView;
use netloom_wire::plain::syn::SynView;

use crate::counters::{DropReason, Layer};
use crate::demux::TCP;
use crate::list::{Kind, Ref};
use crate::stack::Stack;
use crate::tcp::fast::{is_intact, is_verified, segment};
use crate::tcp::input::BEYOND_LISTS;
use crate::tuple::Tuple;

impl Stack {
    /// A plain segment of a connection that is not undisturbed. False: it is broken.
    #[cold]
    #[inline(never)]
    pub(super) fn connection_input_usual(
        &mut self,
        index: u32,
        view: PlainView<'_>,
        meta: &RxMeta,
    ) -> bool {
        if !is_usual_intact(&view, meta) {
            cold_path();
            return false;
        }
        let Some(slot) = self.tables.connections.get_mut(index) else {
            cold_path();
            return false;
        };
        let segment = segment(&view);
        let env = self.clock.env(&self.tunables.tcp, 0);
        let Some(outcome) = slot.conn.receive_bare(&env, &segment) else {
            cold_path();
            let taken = self.connection_input(index, &segment);
            self.count_usual(taken);
            return true;
        };
        if outcome.news.intersects(BEYOND_LISTS) {
            let (iface, listed) = (slot.iface, slot.links.is_linked());
            self.taken_in_by(index, iface, listed, &outcome);
        } else {
            let left = slot.list(index, outcome.news, &mut self.events, &mut self.interfaces);
            self.finish_listing(index, left);
        }
        self.count_usual(Ok(()));
        true
    }

    /// A plain segment that belongs to no connection but to `found`. False: that is no SYN entry, or the
    /// segment is broken.
    #[cold]
    #[inline(never)]
    pub(super) fn half_open_input_usual(
        &mut self,
        iface: u8,
        found: Ref,
        view: PlainView<'_>,
        meta: &RxMeta,
    ) -> bool {
        if found.kind() != Some(Kind::HalfOpen) || !is_usual_intact(&view, meta) {
            cold_path();
            return false;
        }
        let taken = self.half_open_input(found.index(), iface, &segment(&view));
        self.count_usual(taken);
        true
    }

    /// Takes in a packet if it is a SYN or SYN-ACK with the usual headers. False: it is not, or it is
    /// broken; nothing has changed.
    #[cold]
    #[inline(never)]
    pub(super) fn syn_input_usual(&mut self, iface: u8, packet: &[u8], meta: &RxMeta) -> bool {
        let Some(view) = SynView::new(packet) else {
            cold_path();
            return false;
        };
        let (local, remote, ports) = (view.dst(), view.src(), view.ports());
        let known = self.recent.addresses(&remote, &local, iface);
        if known != Some(true) || meta.gso_size != 0 {
            cold_path();
            return false;
        }
        if !view.header_intact() || !(is_verified(meta) || view.segment_intact()) {
            cold_path();
            return false;
        }
        #[cfg(feature = "flows")]
        if self.is_flows(iface, &local) {
            cold_path();
            return false;
        }
        let segment = Segment {
            seq: SeqNum(view.seq()),
            ack: SeqNum(view.ack()),
            flags: view.flags(),
            window: view.window(),
            urgent: view.urgent(),
            timestamps: cfg!(feature = "timestamps").then(|| view.timestamps()),
            options: view.options_bytes(),
            payload: &[],
            count: 1,
            ce: view.ecn() == 3,
        };
        if let Some(index) = self.last_connection_of(&local, &remote, ports) {
            let taken = self.connection_input(index, &segment);
            self.count_usual(taken);
            return true;
        }
        let tuple = Tuple::new((local, (ports >> 16) as u16), (remote, ports as u16), iface);
        let found = self.demux.find(&self.keys, &self.tables, TCP, &tuple);
        let taken = match found.kind() {
            Some(Kind::Connection) => self.connection_input(found.index(), &segment),
            None if segment.flags == TcpFlags::SYN => match self.find_listener(&tuple, iface) {
                Some(listener) => self.listener_takes(listener, &tuple, iface, &segment, None),
                None => {
                    cold_path();
                    return false;
                }
            },
            Some(_) | None => {
                cold_path();
                return false;
            }
        };
        self.count_usual(taken);
        true
    }

    /// Counts a segment that was dealt with.
    #[inline(always)]
    fn count_usual(&mut self, taken: Result<(), DropReason>) {
        self.counters.receive(Layer::Ip);
        self.counters.deliver(Layer::Ip);
        self.counters.receive(Layer::Tcp);
        match taken {
            Ok(()) => self.counters.deliver(Layer::Tcp),
            Err(reason) => {
                cold_path();
                self.counters.discard(reason);
            }
        }
    }
}

/// [`is_intact`] for segments that mostly have no text: their headers have one length, and the sum is a
/// few additions.
#[inline(always)]
fn is_usual_intact(view: &PlainView<'_>, meta: &RxMeta) -> bool {
    if view.payload().is_empty() {
        return is_intact(view, meta);
    }
    cold_path();
    is_intact_with_text(view, meta)
}

#[inline(never)]
fn is_intact_with_text(view: &PlainView<'_>, meta: &RxMeta) -> bool {
    is_intact(view, meta)
}
