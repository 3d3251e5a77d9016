//! Frames read into several pieces of memory: the end of one goes to where its receiver wants it.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};

use netloom_driver::{Place, Receiver, RxMeta};

/// A receiver of whole frames.
pub(super) struct Whole<'a>(pub(super) &'a mut dyn FnMut(&[u8], &RxMeta));

impl Receiver for Whole<'_> {
    fn place(&mut self) -> Place<'_> {
        Place::default()
    }

    fn frame(&mut self, frame: &[u8], meta: &RxMeta) {
        (self.0)(frame, meta);
    }

    fn frame_apart(&mut self, _: &mut [u8], _: &RxMeta, _: usize) {
        // No frame comes in pieces where no place was named.
    }
}

/// Reads one frame behind `header` bytes of the device's own: what `place` wants into its pieces,
/// the rest into `memory`, each byte where it would be if all of it were there. Returns the bytes
/// read, and how many of them stand in the pieces.
pub(super) fn read(
    mut file: &File,
    memory: &mut [u8],
    header: usize,
    place: Place<'_>,
) -> io::Result<(usize, usize)> {
    let begins = header.saturating_add(place.head_len);
    let room = memory.len().saturating_sub(begins);
    let (first, second) = place.pieces;
    let first_len = first.len().min(room);
    let second_len = second.len().min(room - first_len);
    let wanted = first_len + second_len;
    if wanted == 0 {
        return Ok((file.read(memory)?, 0));
    }
    let (before, rest) = memory.split_at_mut(begins);
    let after = &mut rest[wanted..];
    let (first, second) = (&mut first[..first_len], &mut second[..second_len]);
    let pieces = &mut [before, first, second, after].map(IoSliceMut::new);
    let len = file.read_vectored(pieces)?;
    Ok((len, len.saturating_sub(begins).min(wanted)))
}

#[cfg(test)]
mod tests;
