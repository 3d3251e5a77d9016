//! Fixed fields of fixed-size headers. Offsets are const parameters checked when compiled, so
//! that an accessor is one load: it has no bounds check and nothing that can panic.

/// The `LEN` bytes at `AT`.
#[inline(always)]
pub(crate) fn array_at<const AT: usize, const LEN: usize, const N: usize>(
    bytes: &[u8; N],
) -> &[u8; LEN] {
    const { assert!(AT + LEN <= N, "the field lies outside the header") }
    match bytes.get(AT..).and_then(|tail| tail.first_chunk()) {
        Some(field) => field,
        // The assertion above rules this out; a constant here keeps the panic machinery out too.
        None => const { &[0; LEN] },
    }
}

/// The byte at `AT`.
#[inline(always)]
pub(crate) fn u8_at<const AT: usize, const N: usize>(bytes: &[u8; N]) -> u8 {
    let [byte] = *array_at::<AT, 1, N>(bytes);
    byte
}

/// The big-endian 16-bit field at `AT`.
#[inline(always)]
pub(crate) fn u16_at<const AT: usize, const N: usize>(bytes: &[u8; N]) -> u16 {
    u16::from_be_bytes(*array_at::<AT, 2, N>(bytes))
}

/// The big-endian 32-bit field at `AT`.
#[inline(always)]
pub(crate) fn u32_at<const AT: usize, const N: usize>(bytes: &[u8; N]) -> u32 {
    u32::from_be_bytes(*array_at::<AT, 4, N>(bytes))
}

/// Writes `field` at `AT`.
#[inline(always)]
pub(crate) fn put<const AT: usize, const LEN: usize, const N: usize>(
    bytes: &mut [u8; N],
    field: [u8; LEN],
) {
    const { assert!(AT + LEN <= N, "the field lies outside the header") }
    if let Some(place) = bytes.get_mut(AT..).and_then(|tail| tail.first_chunk_mut()) {
        *place = field;
    }
}

/// Writes a big-endian 16-bit field at `AT`.
#[inline(always)]
pub(crate) fn put_u16<const AT: usize, const N: usize>(bytes: &mut [u8; N], value: u16) {
    put::<AT, 2, N>(bytes, value.to_be_bytes());
}

/// Writes a big-endian 32-bit field at `AT`.
#[inline(always)]
pub(crate) fn put_u32<const AT: usize, const N: usize>(bytes: &mut [u8; N], value: u32) {
    put::<AT, 4, N>(bytes, value.to_be_bytes());
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
                place.copy_from_slice(bytes);
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
