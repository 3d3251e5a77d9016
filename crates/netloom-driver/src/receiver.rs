//! Frames read into several pieces of memory.

use crate::RxMeta;

/// Takes frames in, and says beforehand where their ends are wanted: a stack that can guess whose
/// text comes next spares the copy to where it belongs.
pub trait Receiver {
    /// Where the end of the next frame is wanted. Asked before each frame.
    fn place(&mut self) -> Place<'_>;

    /// A whole frame.
    fn frame(&mut self, frame: &[u8], meta: &RxMeta);

    /// A frame of which `apart` bytes, at least one, stand in the pieces of the last
    /// [`place`](Receiver::place), from the beginning of the first on: those from its
    /// [`head_len`](Place::head_len) on. What `frame`, which has the whole frame's length, has in
    /// their stead means nothing.
    fn frame_apart(&mut self, frame: &mut [u8], meta: &RxMeta, apart: usize);
}

/// Where the end of a frame is wanted.
#[derive(Debug, Default)]
pub struct Place<'a> {
    /// How many bytes of the frame come before it.
    pub head_len: usize,
    /// What follows goes here, one piece after the other, as far as they go. Both are empty: the
    /// frame is wanted whole.
    pub pieces: (&'a mut [u8], &'a mut [u8]),
}
