//! A device that tells of every frame in a line, as tcpdump writes it.

#[cfg(test)]
mod tests;

use core::fmt;

use netloom_wire::describe;

use crate::{Direction, Driver, FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

/// What the device's frames begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Ethernet II frames.
    Ethernet,
    /// IP packets of either version.
    Ip,
}

/// A frame that describes itself: `{}` is one line, `{:#}` begins with the link layer, if there
/// is one.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Which way the frame goes.
    pub direction: Direction,
    /// Its bytes.
    pub frame: &'a [u8],
    framing: Framing,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.framing {
            Framing::Ethernet => fmt::Display::fmt(&describe::Ethernet(self.frame), f),
            Framing::Ip => fmt::Display::fmt(&describe::Ip(self.frame), f),
        }
    }
}

/// A device that calls `F` with a [`Line`] for every frame, both ways. Nothing is formatted that
/// `F` does not format.
#[derive(Debug)]
pub struct Narrate<D, F> {
    device: D,
    /// What the device's sink said when it was last lent, which takes `&mut`.
    caps: TxCaps,
    framing: Framing,
    tell: F,
}

impl<D: Driver, F: FnMut(&Line<'_>)> Narrate<D, F> {
    /// Wraps a device.
    pub fn new(mut device: D, framing: Framing, tell: F) -> Narrate<D, F> {
        Narrate {
            caps: device.sink().caps(),
            device,
            framing,
            tell,
        }
    }

    /// The device.
    pub fn get_ref(&self) -> &D {
        &self.device
    }

    /// The device, to change it.
    pub fn get_mut(&mut self) -> &mut D {
        &mut self.device
    }

    /// Takes the wrapper off.
    pub fn into_inner(self) -> D {
        self.device
    }
}

impl<D: Driver, F: FnMut(&Line<'_>)> FrameSink for Narrate<D, F> {
    fn caps(&self) -> TxCaps {
        self.caps
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let (framing, tell) = (self.framing, &mut self.tell);
        self.device.sink().frame(len, meta, &mut |out| {
            fill(out);
            tell(&Line {
                direction: Direction::Outbound,
                frame: out,
                framing,
            });
        })
    }

    fn flush(&mut self) {
        self.device.sink().flush();
    }
}

impl<D: Driver, F: FnMut(&Line<'_>)> Driver for Narrate<D, F> {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        let (framing, tell) = (self.framing, &mut self.tell);
        self.device.receive(&mut |frame, meta| {
            tell(&Line {
                direction: Direction::Inbound,
                frame,
                framing,
            });
            each(frame, meta);
        })
    }

    fn receive_answering(
        &mut self,
        each: &mut dyn FnMut(&mut [u8], &RxMeta) -> usize,
    ) -> Option<usize> {
        let (framing, tell) = (self.framing, &mut self.tell);
        self.device.receive_answering(&mut |frame, meta| {
            tell(&Line {
                direction: Direction::Inbound,
                frame,
                framing,
            });
            let len = each(frame, meta);
            if let Some(answer @ [_, ..]) = frame.get(..len) {
                tell(&Line {
                    direction: Direction::Outbound,
                    frame: answer,
                    framing,
                });
            }
            len
        })
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self.caps = self.device.sink().caps();
        self
    }

    fn link(&self) -> LinkState {
        self.device.link()
    }

    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        self.device.set_multicast(groups);
    }
}
