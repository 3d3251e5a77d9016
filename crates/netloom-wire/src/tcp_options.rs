//! TCP options: a walk over the bytes, and the parsed set a connection works with.

use crate::WireError;
use crate::bytes::{Fields, copy};
use crate::checksum::Sum;

/// The bytes a header has for options: 60 less 20.
pub const MAX_LEN: usize = 40;
/// The largest shift of a window (RFC 7323 §2.3).
pub const MAX_WINDOW_SCALE: u8 = 14;

/// Option kinds (IANA "TCP Option Kind Numbers").
pub mod kind {
    /// End of option list (RFC 9293 §3.1).
    pub const END: u8 = 0;
    /// No operation (RFC 9293 §3.1).
    pub const NOP: u8 = 1;
    /// Maximum segment size (RFC 9293 §3.7.1).
    pub const MSS: u8 = 2;
    /// Window scale (RFC 7323 §2).
    pub const WINDOW_SCALE: u8 = 3;
    /// SACK-permitted (RFC 2018 §2).
    pub const SACK_PERMITTED: u8 = 4;
    /// SACK (RFC 2018 §3).
    pub const SACK: u8 = 5;
    /// Timestamps (RFC 7323 §3).
    pub const TIMESTAMPS: u8 = 8;
    /// User timeout (RFC 5482).
    pub const USER_TIMEOUT: u8 = 28;
    /// TCP Fast Open cookie (RFC 7413 §4.1.1).
    //= https://www.rfc-editor.org/rfc/rfc7413#section-9
    //# Current and new
    //# implementations SHOULD use option (34).
    pub const FAST_OPEN: u8 = 34;
}

/// The timestamps option (RFC 7323 §3.2).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timestamps {
    /// TSval: the sender's clock.
    pub value: u32,
    /// TSecr: the last TSval the sender got. RFC 7323 §3.2: it counts only in segments with ACK.
    pub echo: u32,
}

impl Timestamps {
    /// From the data of a timestamps option.
    #[inline]
    fn read(data: &[u8]) -> Result<Self, WireError> {
        //= https://www.rfc-editor.org/rfc/rfc7323#section-3.2
        //# The Timestamps option carries two four-byte timestamp fields.
        let data = exact::<8>(data)?;
        Ok(Self {
            value: data.u32_at::<0>(),
            echo: data.u32_at::<4>(),
        })
    }
}

/// Up to four SACK blocks, each a `(left, right)` edge: bytes `left..right` arrived
/// (RFC 2018 §3). The first is the one that reports newest data.
#[derive(Copy, Clone, Default)]
pub struct SackBlocks {
    blocks: [(u32, u32); Self::MAX],
    len: u8,
}

impl SackBlocks {
    /// Blocks that fit 40 bytes of options.
    //= https://www.rfc-editor.org/rfc/rfc2018#section-3
    //# A SACK option that specifies n blocks will have a length of 8*n+2
    //# bytes, so the 40 bytes available for TCP options can specify a
    //# maximum of 4 blocks.
    pub const MAX: usize = 4;

    /// No block: no SACK option.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            blocks: [(0, 0); Self::MAX],
            len: 0,
        }
    }

    /// Appends a block; `false`, and nothing is done, if there are four already.
    #[inline]
    pub fn push(&mut self, left: u32, right: u32) -> bool {
        match self.blocks.get_mut(usize::from(self.len)) {
            Some(place) => {
                *place = (left, right);
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// The blocks, newest first.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[(u32, u32)] {
        self.blocks.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// The blocks, newest first.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.as_slice().iter().copied()
    }

    /// How many blocks, 0..=4.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no block.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps the first `max` blocks.
    #[inline]
    pub fn truncate(&mut self, max: usize) {
        if max < self.len() {
            self.len = max as u8;
        }
    }

    /// Takes the blocks from the data of a SACK option.
    //= https://www.rfc-editor.org/rfc/rfc2018#section-3
    //# Each contiguous block of data queued at the data receiver is defined
    //# in the SACK option by two 32-bit unsigned integers in network byte
    //# order:
    fn read(&mut self, data: &[u8]) -> Result<(), WireError> {
        self.len = 0;
        let mut rest = data;
        while let Some((block, after)) = rest.split_first_chunk::<8>() {
            if !self.push(block.u32_at::<0>(), block.u32_at::<4>()) {
                return Err(WireError::BadOption);
            }
            rest = after;
        }
        if rest.is_empty() && !data.is_empty() {
            Ok(())
        } else {
            Err(WireError::BadOption)
        }
    }
}

impl PartialEq for SackBlocks {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for SackBlocks {}

impl core::fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// The user timeout option (RFC 5482 §2): 15 bits of seconds or minutes, kept as on the wire.
#[derive(Copy, Clone, PartialEq, Eq, Hash)]
pub struct UserTimeout(u16);

impl UserTimeout {
    const MINUTES: u16 = 0x8000;

    /// From the 16 bits of the wire.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// The 16 bits of the wire: granularity, then the time.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Seconds where they fit (at most 32767), else minutes, rounded up (at most 32767).
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        if seconds < Self::MINUTES as u32 {
            return Self(seconds as u16);
        }
        let minutes = seconds / 60 + (seconds % 60 != 0) as u32;
        let minutes = if minutes < Self::MINUTES as u32 {
            minutes
        } else {
            0x7fff
        };
        Self(Self::MINUTES | minutes as u16)
    }

    /// The time in seconds, at most 1 966 020. Zero is reserved: RFC 5482 §3.4 ignores it.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        let time = (self.0 & !Self::MINUTES) as u32;
        if self.0 & Self::MINUTES == 0 {
            time
        } else {
            time * 60
        }
    }
}

impl core::fmt::Debug for UserTimeout {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}s", self.seconds())
    }
}

/// A Fast Open cookie of 4..=16 bytes, an even number (RFC 7413 §4.1.1); empty, it asks for one.
#[derive(Copy, Clone, Default)]
pub struct FastOpenCookie {
    bytes: [u8; Self::MAX_LEN],
    len: u8,
}

impl FastOpenCookie {
    /// The longest cookie.
    pub const MAX_LEN: usize = 16;
    /// The request for a cookie.
    pub const REQUEST: Self = Self {
        bytes: [0; Self::MAX_LEN],
        len: 0,
    };

    /// A cookie; `None` if its length is not 0, or even and 4..=16.
    //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
    //# The number MUST be even.
    #[must_use]
    pub fn new(cookie: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX_LEN];
        if cookie.len() % 2 != 0 || cookie.len() == 2 {
            return None;
        }
        copy(bytes.get_mut(..cookie.len())?, cookie);
        Some(Self {
            bytes,
            len: cookie.len() as u8,
        })
    }

    /// The cookie; empty in a request.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl PartialEq for FastOpenCookie {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for FastOpenCookie {}

impl core::fmt::Debug for FastOpenCookie {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

/// One TCP option as it stands in a header.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TcpOption<'a> {
    /// End of option list: the last item there is.
    End,
    /// Padding between options.
    Nop,
    /// Maximum segment size, in bytes of payload.
    MaxSegmentSize(u16),
    /// Window scale, the shift as sent: see [`MAX_WINDOW_SCALE`].
    WindowScale(u8),
    /// SACK may be sent.
    SackPermitted,
    /// What arrived out of order.
    Sack(SackBlocks),
    /// Timestamps.
    Timestamps(Timestamps),
    /// User timeout.
    UserTimeout(UserTimeout),
    /// Fast Open cookie, or the request for one.
    FastOpen(FastOpenCookie),
    /// Any other kind, or a Fast Open cookie of a length RFC 7413 has us ignore.
    Unknown {
        /// The option's kind.
        kind: u8,
        /// What follows kind and length.
        data: &'a [u8],
    },
}

impl<'a> TcpOption<'a> {
    /// An option other than END and NOP, from its data.
    fn parse(kind: u8, data: &'a [u8]) -> Result<Self, WireError> {
        let unknown = Self::Unknown { kind, data };
        Ok(match kind {
            kind::MSS => Self::MaxSegmentSize(exact::<2>(data)?.u16_at::<0>()),
            kind::WINDOW_SCALE => Self::WindowScale(exact::<1>(data)?.u8_at::<0>()),
            kind::SACK_PERMITTED => exact::<0>(data).map(|_| Self::SackPermitted)?,
            kind::SACK => {
                let mut blocks = SackBlocks::new();
                blocks.read(data)?;
                Self::Sack(blocks)
            }
            kind::TIMESTAMPS => Self::Timestamps(Timestamps::read(data)?),
            kind::USER_TIMEOUT => {
                Self::UserTimeout(UserTimeout::from_bits(exact::<2>(data)?.u16_at::<0>()))
            }
            //= https://www.rfc-editor.org/rfc/rfc7413#section-4.1.1
            //# Options with invalid Length values or without the SYN flag set MUST
            //# be ignored.
            kind::FAST_OPEN => FastOpenCookie::new(data).map_or(unknown, Self::FastOpen),
            _ => unknown,
        })
    }
}

/// The data of an option that has `N` bytes of it.
#[inline]
fn exact<const N: usize>(data: &[u8]) -> Result<&[u8; N], WireError> {
    data.try_into().map_err(|_| WireError::BadOption)
}

/// Kind and data of the option at the front, and what follows it. END and NOP have no data.
#[inline]
fn split(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), WireError> {
    let (&kind, rest) = bytes.split_first().ok_or(WireError::BadOption)?;
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //# All TCP Options except End of Option List Option (EOL) and
    //# No-Operation (NOP) MUST have length fields, including all future
    //# options (MUST-68).
    match kind {
        kind::END => return Ok((kind, &[], &[])),
        kind::NOP => return Ok((kind, &[], rest)),
        _ => {}
    }
    //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
    //# TCP implementations MUST be prepared to handle
    //# an illegal option length (e.g., zero); a suggested procedure is to
    //# reset the connection and log the error cause (MUST-7).
    let (&len, rest) = rest.split_first().ok_or(WireError::BadOption)?;
    let (data, rest) = usize::from(len)
        .checked_sub(2)
        .and_then(|len| rest.split_at_checked(len))
        .ok_or(WireError::BadOption)?;
    Ok((kind, data, rest))
}

/// The data of the last option of `kind` among the options of a header; `None` if there is none.
///
/// # Errors
/// [`BadOption`](WireError::BadOption) as [`TcpOptions::parse`], whichever option it is in: what
/// was looked through once without an error needs no other check.
pub fn find(mut options: &[u8], kind: u8) -> Result<Option<&[u8]>, WireError> {
    let mut found = None;
    while !options.is_empty() {
        let (this, data, rest) = split(options)?;
        options = rest;
        check_len(this, data.len())?;
        if this == kind && this > kind::NOP {
            found = Some(data);
        }
    }
    Ok(found)
}

/// Whether an option of `kind` may have `len` bytes of data.
#[inline]
fn check_len(kind: u8, len: usize) -> Result<(), WireError> {
    let right = match kind {
        kind::MSS | kind::USER_TIMEOUT => len == 2,
        kind::WINDOW_SCALE => len == 1,
        kind::SACK_PERMITTED => len == 0,
        //= https://www.rfc-editor.org/rfc/rfc2018#section-3
        //# A SACK option that specifies n blocks will have a length of 8*n+2
        //# bytes, so the 40 bytes available for TCP options can specify a
        //# maximum of 4 blocks.
        kind::SACK => len % 8 == 0 && 0 < len && len <= 8 * SackBlocks::MAX,
        kind::TIMESTAMPS => len == 8,
        _ => true,
    };
    if right {
        Ok(())
    } else {
        Err(WireError::BadOption)
    }
}

/// The options of a header, one by one. An error is the last item.
#[derive(Clone, Debug)]
pub struct TcpOptionIter<'a> {
    rest: &'a [u8],
}

impl<'a> TcpOptionIter<'a> {
    /// Options from the bytes after the fixed header.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for TcpOptionIter<'a> {
    type Item = Result<TcpOption<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let option = split(self.rest).and_then(|(kind, data, rest)| {
            self.rest = rest;
            match kind {
                kind::END => Ok(TcpOption::End),
                kind::NOP => Ok(TcpOption::Nop),
                _ => TcpOption::parse(kind, data),
            }
        });
        if option.is_err() {
            self.rest = &[];
        }
        Some(option)
    }
}

impl core::iter::FusedIterator for TcpOptionIter<'_> {}

/// The options a connection works with. `Default` is none.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct TcpOptions {
    /// Maximum segment size the sender takes, in bytes of payload. On SYNs only.
    pub mss: Option<u16>,
    /// Shift of the sender's windows, 0..=14. On SYNs only.
    pub window_scale: Option<u8>,
    /// SACK may be sent to the sender. On SYNs only.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// What the sender got out of order.
    pub sack: SackBlocks,
    /// How long the sender waits for acknowledgments.
    pub user_timeout: Option<UserTimeout>,
    /// Fast Open cookie, or the request for one. On SYNs only.
    pub fast_open: Option<FastOpenCookie>,
}

impl TcpOptions {
    /// Parses the options of a header. Unknown ones are skipped (MUST-6); of two of a kind the
    /// last counts.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption) for a length that is zero, too short, too long, or
    /// wrong for its kind.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, WireError> {
        let mut options = Self::default();
        options.read(bytes)?;
        Ok(options)
    }

    /// Takes each option in turn. It goes without [`TcpOption`], whose larger kinds cost copies.
    fn read(&mut self, mut bytes: &[u8]) -> Result<(), WireError> {
        while !bytes.is_empty() {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.2
            //# There is
            //# no guarantee that senders will use this option, so receivers MUST
            //# be prepared to process options even if they do not begin on a word
            //# boundary (MUST-64).
            let (kind, data, rest) = split(bytes)?;
            bytes = rest;
            match kind {
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
                //# A given TCP implementation can support any currently defined
                //# options, but the following options MUST be supported (MUST-4 --
                //# note Maximum Segment Size Option support is also part of MUST-14 in
                //# Section 3.7.1):
                kind::MSS => self.mss = Some(exact::<2>(data)?.u16_at::<0>()),
                //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
                //# If a Window Scale option is received with a shift.cnt value larger than
                //# 14, the TCP SHOULD log the error but MUST use 14 instead of the
                //# specified value.
                kind::WINDOW_SCALE => {
                    let shift = exact::<1>(data)?.u8_at::<0>();
                    self.window_scale = Some(shift.min(MAX_WINDOW_SCALE));
                }
                kind::SACK_PERMITTED => {
                    exact::<0>(data)?;
                    self.sack_permitted = true;
                }
                kind::SACK => self.sack.read(data)?,
                kind::TIMESTAMPS => self.timestamps = Some(Timestamps::read(data)?),
                kind::USER_TIMEOUT => {
                    let bits = exact::<2>(data)?.u16_at::<0>();
                    self.user_timeout = Some(UserTimeout::from_bits(bits));
                }
                // Of an invalid length it is ignored, as any unknown option.
                kind::FAST_OPEN => self.fast_open = FastOpenCookie::new(data).or(self.fast_open),
                //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
                //# A TCP implementation MUST (MUST-6) ignore without error any TCP
                //# Option it does not implement, assuming that the option has a length
                //# field.
                _ => {}
            }
        }
        Ok(())
    }

    /// Bytes the options take in a header, padding included: a multiple of 4. Above
    /// [`MAX_LEN`] they cannot be written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        let timestamps_alone = self.timestamps.is_some() && !self.sack_permitted;
        let mut len = usize::from(self.mss.is_some()) * 4
            + usize::from(self.window_scale.is_some()) * 4
            + usize::from(self.timestamps.is_some()) * 10
            + usize::from(timestamps_alone) * 2
            + usize::from(self.sack_permitted) * if self.timestamps.is_some() { 2 } else { 4 }
            + usize::from(self.user_timeout.is_some()) * 4;
        if !self.sack.is_empty() {
            len += 4 + 8 * self.sack.len();
        }
        if let Some(cookie) = &self.fast_open {
            len += (2 + cookie.as_slice().len()).next_multiple_of(4);
        }
        len
    }

    /// Whether there is no option.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes [`len`](Self::len) bytes, in the order Linux uses: `mss, sackOK, TS, nop, wscale`
    /// on a SYN, `nop, nop, TS, nop, nop, sack` after it; user timeout and Fast Open come last.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall); [`BadOption`](WireError::BadOption) above
    /// [`MAX_LEN`].
    pub fn emit(&self, buf: &mut [u8]) -> Result<(), WireError> {
        self.words()?.emit(buf).map(|_| ())
    }

    /// The options as they are written.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption) above [`MAX_LEN`].
    pub fn words(&self) -> Result<TcpOptionWords, WireError> {
        if self.len() > MAX_LEN {
            return Err(WireError::BadOption);
        }
        let mut words = TcpOptionWords::new();
        if let Some(mss) = self.mss {
            words.push_mss(mss);
        }
        words.push_timestamps(self.sack_permitted, self.timestamps);
        if let Some(shift) = self.window_scale {
            words.push_window_scale(shift);
        }
        if !self.sack.is_empty() {
            words.push_sack(self.sack.len() as u8);
            for (left, right) in self.sack.iter() {
                words.push(left);
                words.push(right);
            }
        }
        if let Some(timeout) = self.user_timeout {
            words.push_bytes([kind::USER_TIMEOUT, 4], timeout.bits().to_be_bytes());
        }
        if let Some(cookie) = &self.fast_open {
            // An even number of bytes, so that the cookie begins in the second half of a word.
            let mut halves = cookie.as_slice().chunks_exact(2);
            let mut half = || match halves.next() {
                Some(&[a, b]) => [a, b],
                Some(_) | None => [kind::NOP; 2],
            };
            words.push_bytes([kind::FAST_OPEN, 2 + cookie.len], half());
            for _ in 0..cookie.len.saturating_sub(2).div_ceil(4) {
                let first = half();
                words.push_bytes(first, half());
            }
        }
        Ok(words)
    }
}

/// Options as they are written: whole 32-bit words, each option padded in front with NOPs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct TcpOptionWords {
    words: [u32; MAX_LEN / 4],
    len: u8,
}

impl Default for TcpOptionWords {
    fn default() -> Self {
        Self::new()
    }
}

impl TcpOptionWords {
    /// No option.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            //= https://www.rfc-editor.org/rfc/rfc9293#section-3.1
            //# The content of the header beyond the End of
            //# Option List Option MUST be header padding of zeros (MUST-69).
            words: [0; MAX_LEN / 4],
            len: 0,
        }
    }

    /// Bytes the options take: a multiple of 4, at most [`MAX_LEN`].
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        (self.len as usize) << 2
    }

    /// Whether there is no option.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        self.words.get(..usize::from(self.len)).unwrap_or(&[])
    }

    /// Appends four bytes, the highest first. What is beyond [`MAX_LEN`] is left out.
    #[inline]
    pub fn push(&mut self, word: u32) {
        if let Some(place) = self.words.get_mut(usize::from(self.len)) {
            *place = word;
            self.len += 1;
        }
    }

    fn push_bytes(&mut self, [a, b]: [u8; 2], [c, d]: [u8; 2]) {
        self.push(u32::from_be_bytes([a, b, c, d]));
    }

    /// Appends a maximum segment size, in bytes of payload.
    #[inline]
    pub fn push_mss(&mut self, mss: u16) {
        self.push(u32::from_be_bytes([kind::MSS, 4, 0, 0]) | u32::from(mss));
    }

    /// Appends SACK-permitted, timestamps, or both in one piece.
    // Always inlined: where neither is ever sent nothing is left of it.
    #[inline(always)]
    pub fn push_timestamps(&mut self, sack_permitted: bool, timestamps: Option<Timestamps>) {
        let Some(timestamps) = timestamps else {
            if sack_permitted {
                self.push(
                    const { u32::from_be_bytes([kind::NOP, kind::NOP, kind::SACK_PERMITTED, 2]) },
                );
            }
            return;
        };
        // RFC 7323 appendix A: how nearly every segment's options begin.
        self.push(if sack_permitted {
            SACK_PERMITTED_TIMESTAMPS
        } else {
            NOP_NOP_TIMESTAMPS
        });
        self.push(timestamps.value);
        self.push(timestamps.echo);
    }

    /// Appends a window scale.
    #[inline]
    pub fn push_window_scale(&mut self, shift: u8) {
        self.push(u32::from_be_bytes([kind::NOP, kind::WINDOW_SCALE, 3, 0]) | u32::from(shift));
    }

    /// Appends the head of a SACK option; both edges of each of its `blocks` are to be pushed
    /// after it.
    #[inline]
    pub fn push_sack(&mut self, blocks: u8) {
        let len = u32::from(blocks) * 8 + 2;
        self.push(u32::from_be_bytes([kind::NOP, kind::NOP, kind::SACK, 0]) | len);
    }

    /// Appends a Fast Open option (RFC 7413 §4.1.1) with NOPs in front of it. Says whether there was
    /// room; if not, nothing is appended.
    pub fn push_fast_open(&mut self, cookie: &FastOpenCookie) -> bool {
        let cookie = cookie.as_slice();
        let len = cookie.len().saturating_add(2);
        let padded = len.div_ceil(4).saturating_mul(4);
        if self.len().saturating_add(padded) > MAX_LEN {
            return false;
        }
        let mut bytes = [kind::NOP; FastOpenCookie::MAX_LEN + 4];
        let skipped = padded.saturating_sub(len);
        let option = bytes.get_mut(skipped..padded).unwrap_or_default();
        if let Some((head, place)) = option.split_first_chunk_mut::<2>() {
            *head = [kind::FAST_OPEN, len as u8];
            place.copy_from_slice(cookie);
        }
        for word in bytes.chunks_exact(4).take(padded / 4) {
            self.push(u32::from_be_bytes(word.try_into().unwrap_or_default()));
        }
        true
    }

    /// Writes [`len`](Self::len) bytes; returns their sum.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall).
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> Result<Sum, WireError> {
        let buf = buf.get_mut(..self.len()).ok_or(WireError::BufferTooSmall)?;
        let mut total = 0;
        // Timestamps alone, as nearly always: on small machines the loop does.
        if cfg!(target_pointer_width = "64") {
            if let (Ok(place), [first, second, third, ..]) =
                (<&mut [u8; 12]>::try_from(&mut *buf), &self.words)
            {
                place.put_u32::<0>(*first);
                place.put_u32::<4>(*second);
                place.put_u32::<8>(*third);
                total = u64::from(*first) + u64::from(*second) + u64::from(*third);
                return Ok(Sum::of_words(total));
            }
        }
        for (place, word) in buf.chunks_exact_mut(4).zip(&self.words) {
            if let Some(place) = place.first_chunk_mut() {
                *place = word.to_be_bytes();
            }
            total += u64::from(*word);
        }
        if !cfg!(target_pointer_width = "64") {
            return Ok(Sum::new().add(buf));
        }
        Ok(Sum::of_words(total))
    }
}

/// How nearly every segment of an established connection begins.
pub(crate) const NOP_NOP_TIMESTAMPS: u32 =
    u32::from_be_bytes([kind::NOP, kind::NOP, kind::TIMESTAMPS, 10]);
/// How the timestamps of nearly every SYN begin.
const SACK_PERMITTED_TIMESTAMPS: u32 =
    u32::from_be_bytes([kind::SACK_PERMITTED, 2, kind::TIMESTAMPS, 10]);

impl Timestamps {
    /// The timestamps among the options of a header, if there are any; checks all of them.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption) as [`TcpOptions::parse`].
    #[inline]
    pub fn find(options: &[u8]) -> Result<Option<Self>, WireError> {
        // The layout RFC 7323 appendix A recommends is recognised with one compare.
        if let Ok(options) = <&[u8; 12]>::try_from(options) {
            if options.u32_at::<0>() == NOP_NOP_TIMESTAMPS {
                return Ok(Some(Self {
                    value: options.u32_at::<4>(),
                    echo: options.u32_at::<8>(),
                }));
            }
        }
        if let Some(syn) = customary_syn(options) {
            return Ok(Some(Self {
                value: syn.u32_at::<8>(),
                echo: syn.u32_at::<12>(),
            }));
        }
        find(options, kind::TIMESTAMPS)?.map(Self::read).transpose()
    }
}

/// What a SYN offers among its options, timestamps aside: see [`Timestamps::find`].
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct SynOptions {
    /// Maximum segment size the sender takes, in bytes of payload.
    pub mss: Option<u16>,
    /// Shift of the sender's windows, 0..=14.
    pub window_scale: Option<u8>,
    /// SACK may be sent to the sender.
    pub sack_permitted: bool,
}

impl SynOptions {
    /// From the options of a header, in one walk. Of two of a kind the last counts.
    ///
    /// # Errors
    /// [`BadOption`](WireError::BadOption) as [`TcpOptions::parse`].
    pub fn find(mut options: &[u8]) -> Result<Self, WireError> {
        if let Some(syn) = customary_syn(options) {
            return Ok(Self {
                mss: Some(syn.u16_at::<2>()),
                window_scale: Some(syn.u8_at::<19>().min(MAX_WINDOW_SCALE)),
                sack_permitted: true,
            });
        }
        let mut found = Self::default();
        while !options.is_empty() {
            let (kind, data, rest) = split(options)?;
            options = rest;
            check_len(kind, data.len())?;
            match (kind, data) {
                (kind::MSS, &[high, low]) => found.mss = Some(u16::from_be_bytes([high, low])),
                //= https://www.rfc-editor.org/rfc/rfc7323#section-2.3
                //# If a Window Scale option is received with a shift.cnt
                //# value larger than 14, the TCP SHOULD log the error but MUST use 14
                //# instead of the specified value.
                (kind::WINDOW_SCALE, &[shift]) => {
                    found.window_scale = Some(shift.min(MAX_WINDOW_SCALE));
                }
                (kind::SACK_PERMITTED, _) => found.sack_permitted = true,
                _ => {}
            }
        }
        Ok(found)
    }
}

/// The options of a SYN if they are laid out as nearly all are, by Linux as by
/// [`TcpOptions::words`]: `mss, sackOK, TS, nop, wscale`. Recognised with three compares; on small
/// machines the walk does.
#[inline]
pub(crate) fn customary_syn(options: &[u8]) -> Option<&[u8; 20]> {
    if !cfg!(target_pointer_width = "64") {
        return None;
    }
    let options = <&[u8; 20]>::try_from(options).ok()?;
    let customary = options.u16_at::<0>() == const { u16::from_be_bytes([kind::MSS, 4]) }
        && options.u32_at::<4>() == SACK_PERMITTED_TIMESTAMPS
        && options.u32_at::<16>() >> 8
            == const { u32::from_be_bytes([0, kind::NOP, kind::WINDOW_SCALE, 3]) };
    customary.then_some(options)
}

#[cfg(test)]
mod tests;
