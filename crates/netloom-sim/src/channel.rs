//! A direction of a world's link: a wire, and what it joins.

use netloom_driver::{Direction, FrameSink, Full, Instant, TxCaps, TxMeta};

use crate::capture::{Recorder, Verdict};
use crate::link::{Link, LinkId};
use crate::network::Node;
use crate::wire::Wire;

/// Decides for each frame, by its number on this direction from 0 and its bytes, whether it is
/// lost.
pub(crate) type Filter = Box<dyn FnMut(u64, &[u8]) -> bool>;

pub(crate) struct Channel {
    pub(crate) link: LinkId,
    pub(crate) from: Node,
    pub(crate) to: Node,
    pub(crate) wire: Wire,
    filter: Option<Filter>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("from", &self.from)
            .field("to", &self.to)
            .field("wire", &self.wire)
            .finish_non_exhaustive()
    }
}

impl Channel {
    pub(crate) fn new(
        link: LinkId,
        (from, to): (Node, Node),
        config: &Link,
        direction: Direction,
        seed: u64,
    ) -> Channel {
        Channel {
            link,
            from,
            to,
            wire: Wire::new(config, direction, seed),
            filter: None,
        }
    }

    pub(crate) fn set_filter(&mut self, filter: Filter) {
        self.filter = Some(filter);
    }

    /// Takes a frame from the sender.
    pub(crate) fn offer(&mut self, now: Instant, frame: Vec<u8>) -> Verdict {
        match &mut self.filter {
            Some(filter) => self.wire.offer_unless(now, frame, filter),
            None => self.wire.offer(now, frame),
        }
    }
}

/// A host's end of a channel, as its stack sees it.
pub(crate) struct Port<'a> {
    pub(crate) channel: &'a mut Channel,
    pub(crate) recorder: &'a mut Recorder,
    pub(crate) now: Instant,
}

impl FrameSink for Port<'_> {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.channel.wire.mtu)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        if !self.channel.wire.has_room(self.now) {
            return Err(Full);
        }
        // Bytes the stack forgets to write would be seen by the receiver.
        let mut frame = vec![0xa5; len];
        fill(&mut frame);
        let mark = self.recorder.wants_sent(self.channel.from);
        let copy = mark.then(|| frame.clone());
        let verdict = self.channel.offer(self.now, frame);
        if let Some(frame) = copy {
            self.recorder.sent(self.now, self.channel, &frame, verdict);
        }
        Ok(())
    }
}
