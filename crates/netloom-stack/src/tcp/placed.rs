//! Text that a device reads to where it belongs: a transfer's next super-segment is spared the copy
//! from the frame into the receive ring.
//!
//! After a large piece of text more of the same connection's usually comes, behind headers of the
//! same length. So a device that can read a frame into several pieces is told, before it reads,
//! where in the ring the next text would go. Then the frame is looked at. If it is what was guessed,
//! it passes all layers as any frame does, and only the copy is left out; if not, what was read into
//! the ring is put back into the frame. Memory behind what is live in a ring means nothing, so a
//! wrong guess costs time and changes nothing.

use netloom_driver::{Place, Receiver, RxChecksum, RxMeta};
#[cfg(feature = "ipv4")]
use netloom_wire::Ipv4View;
#[cfg(feature = "ipv6")]
use netloom_wire::Ipv6View;
use netloom_wire::{Addr, TcpView, protocol};

use netloom_tcp::{Io, Segment};

use crate::event::IfaceId;
use crate::stack::Stack;
use crate::tcp::Flags;
use crate::tuple::Tuple;

/// Text from which on a frame is worth guessing about: for less the second piece of memory costs
/// what the copy does.
const LARGE: usize = 16 << 10;

/// Frames in a row without so much text, after which no more is guessed.
const PATIENCE: u8 = 3;

/// The most text of one frame: behind the shortest headers of the longest packet.
const MOST: usize = 65_535 - 40;

/// What is known of text that may be, or was, read to where it belongs.
#[derive(Clone, Copy, Default)]
pub(super) struct Placed {
    /// Whose text is guessed to come next.
    next: Option<Guess>,
    /// Whose text, of the frame that is being taken in, stands in its ring.
    standing: Option<u32>,
    /// Who has just been given a large piece of text, and how large.
    given: Option<(u32, usize)>,
    /// Who may have been given memory for text that has not come.
    lent: Option<u32>,
}

/// The text that comes next.
#[derive(Clone, Copy)]
struct Guess {
    /// Its connection.
    index: u32,
    /// Bytes of headers before it.
    head_len: usize,
    /// Frames in a row that had no large piece of text.
    small: u8,
}

impl Guess {
    /// The guess after a frame without a large piece of text, such as the end of what a program
    /// wrote at a time.
    fn after_small(self) -> Option<Guess> {
        let small = self.small.saturating_add(1);
        (small <= PATIENCE).then_some(Guess { small, ..self })
    }
}

impl Placed {
    pub(super) const NONE: Placed = Placed {
        next: None,
        standing: None,
        given: None,
        lent: None,
    };

    /// A connection is about to be given a segment.
    #[inline]
    pub(super) fn mark(&mut self, index: u32, segment: &Segment<'_>, io: &mut Io<'_>) {
        io.placed = self.standing == Some(index);
        let len = segment.payload.len();
        if len >= LARGE {
            self.given = Some((index, len));
        }
    }
}

/// Takes in the frames of one interface.
pub(crate) struct Taking<'s> {
    stack: &'s mut Stack,
    iface: u8,
    /// For whose text a place was made that no frame has come for yet.
    asked: Option<Guess>,
}

impl<'s> Taking<'s> {
    pub(crate) fn new(stack: &'s mut Stack, iface: IfaceId) -> Taking<'s> {
        let iface = iface.0;
        Taking {
            stack,
            iface,
            asked: None,
        }
    }

    fn take(&mut self, frame: &[u8], meta: &RxMeta) {
        // What came another way is not this device's.
        self.stack.tcp.placed.given = None;
        self.stack.input(self.iface, frame, meta, None);
        let placed = &mut self.stack.tcp.placed;
        placed.next = match placed.given.take() {
            // Of what nobody has summed up no guess comes true.
            Some((index, len)) if is_verified(meta) => Some(Guess {
                index,
                head_len: frame.len().saturating_sub(len),
                small: 0,
            }),
            _ => placed.next.and_then(Guess::after_small),
        };
        if placed.lent != placed.next.map(|guess| guess.index) {
            self.stack.give_back_lent();
        }
    }
}

impl Receiver for Taking<'_> {
    #[inline]
    fn place(&mut self) -> Place<'_> {
        let Some(guess) = self.stack.tcp.placed.next else {
            return Place::default();
        };
        let pieces = self.stack.place_for(guess);
        self.asked = pieces.as_ref().map(|_| guess);
        Place {
            head_len: guess.head_len,
            pieces: pieces.unwrap_or_default(),
        }
    }

    #[inline]
    fn frame(&mut self, frame: &[u8], meta: &RxMeta) {
        self.asked = None;
        self.take(frame, meta);
    }

    fn frame_apart(&mut self, frame: &mut [u8], meta: &RxMeta, apart: usize) {
        let mut meta = *meta;
        if let Some(guess) = self.asked.take() {
            if self
                .stack
                .is_guessed(self.iface, guess, frame, &meta, apart)
            {
                self.stack.tcp.placed.standing = Some(guess.index);
                // One segment, said in the way it is said of merged ones: those go through the
                // layers, while the fast path would take the text from the frame.
                if meta.gso_size == 0 {
                    meta.gso_size = u16::try_from(apart).unwrap_or(u16::MAX);
                }
            } else {
                self.stack.put_back(guess, frame, apart);
            }
        }
        self.take(frame, &meta);
        self.stack.tcp.placed.standing = None;
    }
}

impl Drop for Taking<'_> {
    /// The device had nothing more: whoever waits does not hold memory meanwhile.
    fn drop(&mut self) {
        self.stack.give_back_lent();
    }
}

/// Whether a frame's checksum needs no looking at.
fn is_verified(meta: &RxMeta) -> bool {
    matches!(meta.checksum, RxChecksum::Verified | RxChecksum::Partial(_))
}

impl Stack {
    /// Takes back the memory that was found on a guess, unless text has come into it.
    fn give_back_lent(&mut self) {
        let Some(index) = self.tcp.placed.lent.take() else {
            return;
        };
        if let Some(slot) = self.tables.connections.get_mut(index) {
            let buffers = &mut self.tcp.buffers;
            buffers.give_back_unused(&slot.conn, &mut slot.buffers);
        }
    }

    /// Where the text goes that is guessed to come next, if it may come and there is memory for it.
    fn place_for(&mut self, guess: Guess) -> Option<(&mut [u8], &mut [u8])> {
        let slot = self.tables.connections.get_mut(guess.index)?;
        let most = (slot.conn.placeable() as usize).min(MOST);
        let need = slot.conn.readable_bytes().saturating_add(most);
        let buffers = &mut self.tcp.buffers;
        // What is short is not taken on a guess.
        if most < LARGE || (need > slot.buffers.rx_len() && buffers.under_pressure()) {
            return None;
        }
        self.tcp.placed.lent = Some(guess.index);
        if !buffers.ensure_rx(&mut slot.conn, &mut slot.buffers, need) {
            return None;
        }
        Some(slot.conn.rx_space(slot.buffers.io().rx, most))
    }

    /// Whether a frame, all but its headers of which stand in the ring, is what was guessed: then
    /// no layer looks at its text, and its connection takes it in where it stands.
    fn is_guessed(
        &mut self,
        iface: u8,
        guess: Guess,
        frame: &[u8],
        meta: &RxMeta,
        apart: usize,
    ) -> bool {
        // Nobody could sum up what is not there.
        if !is_verified(meta) {
            return false;
        }
        let Some((tuple, view, head_len)) = self.segment_of(iface, frame) else {
            return false;
        };
        let Some(slot) = self.tables.connections.get_mut(guess.index) else {
            return false;
        };
        let Ok(segment) = Segment::parse(&view, 1) else {
            return false;
        };
        head_len == guess.head_len
            && segment.payload.len() == apart
            && slot.flags.has(Flags::INDEXED)
            && slot.tuple == tuple
            && slot.conn.belongs_next(slot.buffers.io().rx, &segment)
    }

    /// The segment of a frame, whose it is, and how many bytes come before its text.
    fn segment_of<'f>(&self, iface: u8, frame: &'f [u8]) -> Option<(Tuple, TcpView<'f>, usize)> {
        let interface = self.interface(iface)?;
        #[cfg(feature = "ethernet")]
        let packet = if interface.ethernet {
            crate::link::ethernet_view(frame).ok()?.payload()
        } else {
            frame
        };
        #[cfg(not(feature = "ethernet"))]
        let packet = frame;
        let _ = interface;
        let (src, dst, whole, payload) = addressed(packet)?;
        let view = TcpView::new(payload).ok()?;
        let tuple = Tuple::new((dst, view.dst_port()), (src, view.src_port()), iface);
        let before = frame.len().checked_sub(packet.len())?;
        let headers = whole.checked_sub(view.payload().len())?;
        Some((tuple, view, before.checked_add(headers)?))
    }

    /// Puts `apart` bytes that were read into a ring back where they would stand in their frame.
    fn put_back(&mut self, guess: Guess, frame: &mut [u8], apart: usize) {
        let Some(slot) = self.tables.connections.get_mut(guess.index) else {
            return;
        };
        let (first, second) = slot.conn.rx_space(slot.buffers.io().rx, apart);
        let to = frame.get_mut(guess.head_len..).unwrap_or_default();
        for (to, from) in to.iter_mut().zip(first.iter().chain(second.iter())) {
            *to = *from;
        }
    }
}

/// Source, destination and length of an IP packet, and the TCP segment it carries, if no header
/// comes between.
fn addressed(packet: &[u8]) -> Option<(Addr, Addr, usize, &[u8])> {
    match packet.first()? >> 4 {
        #[cfg(feature = "ipv4")]
        4 => {
            let view = Ipv4View::new(packet).ok()?;
            let tcp = view.protocol() == protocol::TCP && !view.is_fragment();
            let whole = usize::from(view.total_len());
            tcp.then(|| (view.src(), view.dst(), whole, view.payload()))
        }
        #[cfg(feature = "ipv6")]
        6 => {
            let view = Ipv6View::new(packet).ok()?;
            let tcp = view.next_header() == protocol::TCP;
            let whole = netloom_wire::ipv6::HEADER_LEN + usize::from(view.payload_len());
            tcp.then(|| (view.src(), view.dst(), whole, view.payload()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
