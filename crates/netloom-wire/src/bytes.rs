//! Fields of fixed-size headers, and a cursor for what has no fixed size.

/// Big-endian fields of a header of `N` bytes. Offsets are const parameters checked when
/// compiled, so that an accessor is one load: no bounds check, and nothing that can panic.
pub(crate) trait Fields {
    /// The `LEN` bytes at `AT`.
    fn array_at<const AT: usize, const LEN: usize>(&self) -> &[u8; LEN];

    /// Writes `field` at `AT`.
    fn put<const AT: usize, const LEN: usize>(&mut self, field: [u8; LEN]);

    /// The byte at `AT`.
    #[inline(always)]
    fn u8_at<const AT: usize>(&self) -> u8 {
        let [byte] = *self.array_at::<AT, 1>();
        byte
    }

    /// The 16-bit field at `AT`.
    #[inline(always)]
    fn u16_at<const AT: usize>(&self) -> u16 {
        u16::from_be_bytes(*self.array_at::<AT, 2>())
    }

    /// The 32-bit field at `AT`.
    #[inline(always)]
    fn u32_at<const AT: usize>(&self) -> u32 {
        u32::from_be_bytes(*self.array_at::<AT, 4>())
    }

    /// Writes a 16-bit field at `AT`.
    #[inline(always)]
    fn put_u16<const AT: usize>(&mut self, value: u16) {
        self.put::<AT, 2>(value.to_be_bytes());
    }

    /// Writes a 32-bit field at `AT`.
    #[inline(always)]
    fn put_u32<const AT: usize>(&mut self, value: u32) {
        self.put::<AT, 4>(value.to_be_bytes());
    }
}

impl<const N: usize> Fields for [u8; N] {
    #[inline(always)]
    fn array_at<const AT: usize, const LEN: usize>(&self) -> &[u8; LEN] {
        const { assert!(AT + LEN <= N, "the field lies outside the header") }
        match self.get(AT..).and_then(|tail| tail.first_chunk()) {
            Some(field) => field,
            // The assertion rules this out; a constant keeps the panic machinery out too.
            None => const { &[0; LEN] },
        }
    }

    #[inline(always)]
    fn put<const AT: usize, const LEN: usize>(&mut self, field: [u8; LEN]) {
        const { assert!(AT + LEN <= N, "the field lies outside the header") }
        if let Some(place) = self.get_mut(AT..).and_then(|tail| tail.first_chunk_mut()) {
            *place = field;
        }
    }
}

/// Copies as much of `src` as fits: `copy_from_slice` without a way to panic.
#[inline(always)]
pub(crate) fn copy(dst: &mut [u8], src: &[u8]) {
    for (place, byte) in dst.iter_mut().zip(src) {
        *place = *byte;
    }
}

/// A cursor over an output buffer that counts what did not fit instead of panicking.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    rest: &'b mut [u8],
    short: bool,
}

impl<'b> Writer<'b> {
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        Self {
            rest: buf,
            short: false,
        }
    }

    /// Appends `bytes`, or remembers that they did not fit.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let rest = core::mem::take(&mut self.rest);
        match rest.split_at_mut_checked(bytes.len()) {
            Some((place, rest)) => {
                copy(place, bytes);
                self.rest = rest;
            }
            None => self.short = true,
        }
    }

    /// Appends a big-endian 16-bit number.
    pub(crate) fn put_u16(&mut self, value: u16) {
        self.put(&value.to_be_bytes());
    }

    /// Appends a big-endian 32-bit number.
    pub(crate) fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    /// What is left of the buffer, or [`BufferTooSmall`](crate::WireError::BufferTooSmall).
    pub(crate) fn finish(self) -> Result<&'b mut [u8], crate::WireError> {
        if self.short {
            Err(crate::WireError::BufferTooSmall)
        } else {
            Ok(self.rest)
        }
    }
}
