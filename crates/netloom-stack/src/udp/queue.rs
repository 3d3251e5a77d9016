//! A queue of datagrams in one ring of bytes.
//!
//! A UDP socket has one for what arrived and one for what is to be sent. Datagrams and what is
//! known of each lie one after the other in the socket's own memory, whatever their sizes: many
//! small ones or few large ones, without an allocation and without a fixed number of either.
//! When there is no room the newcomer is dropped, as every kernel does: what was queued has been
//! promised to the reader.
//!
//! ```text
//! one record:  what | iface | hop limit | tos | length | port | remote address | [local address] | data
//!               1      1         1         1      2       2        4 or 16          4 or 16
//! ```
//!
//! The local address is left out when it is unspecified, as it can be for a socket that is bound
//! to one: 12 or 24 bytes a datagram, else 16 or 40.

use netloom_wire::Addr;

/// What is known of a datagram beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// The address of the other end: the source of what arrived, the destination of what is to
    /// be sent.
    pub remote: Addr,
    /// The port of the other end.
    pub remote_port: u16,
    /// The address at this end, or [`Addr::UNSPECIFIED`] if the socket knows it. Of the same
    /// version as `remote`.
    pub local: Addr,
    /// The interface it arrived on or is to leave by.
    pub iface: u8,
    /// The TTL or hop limit in its header.
    pub hop_limit: u8,
    /// DSCP and ECN: the type of service, or traffic class.
    pub tos: u8,
    /// Length of the data in bytes; set by the queue.
    pub len: u16,
}

impl Meta {
    /// A datagram to or from `remote`; all else 0.
    pub const fn new(remote: Addr, remote_port: u16) -> Meta {
        Meta {
            remote,
            remote_port,
            local: Addr::UNSPECIFIED,
            iface: 0,
            hop_limit: 0,
            tos: 0,
            len: 0,
        }
    }
}

/// A datagram's data, in one or two pieces: the ring may wrap within it.
pub type Pieces<'m> = (&'m [u8], &'m [u8]);

/// Why a datagram was not queued. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// There is no room before others have left.
    Full,
    /// It would not fit if the queue were empty, or is longer than a datagram can be.
    TooLong,
    /// The data was found bad while it was copied.
    Rejected,
}

impl core::fmt::Display for PushError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            PushError::Full => "the datagram queue is full",
            PushError::TooLong => "the datagram is longer than the queue",
            PushError::Rejected => "the datagram's data is bad",
        })
    }
}

impl core::error::Error for PushError {}

/// A datagram that was received into a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// What is known of it; `meta.len` is its true length.
    pub meta: Meta,
    /// How many bytes were copied.
    pub copied: usize,
    /// The buffer was shorter than the datagram, whose rest is gone.
    pub truncated: bool,
}

const LOCAL: u8 = 1;
const IPV6: u8 = 2;
const FIXED: usize = 8;
const LONGEST: usize = FIXED + 16 + 16;

/// The header of a record, as bytes.
struct Record {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Record {
    fn encode(meta: &Meta, len: u16) -> Record {
        let v4 = meta.remote.is_v4();
        let has_local = !meta.local.is_unspecified();
        let what = if v4 { 0 } else { IPV6 } | if has_local { LOCAL } else { 0 };
        let [len_high, len_low] = len.to_be_bytes();
        let [port_high, port_low] = meta.remote_port.to_be_bytes();
        let mut record = Record {
            bytes: [0; LONGEST],
            len: 0,
        };
        record.append(&[
            what,
            meta.iface,
            meta.hop_limit,
            meta.tos,
            len_high,
            len_low,
            port_high,
            port_low,
        ]);
        record.append_addr(&meta.remote, v4);
        if has_local {
            record.append_addr(&meta.local, v4);
        }
        record
    }

    fn append_addr(&mut self, addr: &Addr, v4: bool) {
        let octets = addr.octets16();
        let skip = if v4 { 12 } else { 0 };
        self.append(octets.get(skip..).unwrap_or_default());
    }

    fn append(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
            self.len = end;
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

fn header_len(what: u8) -> usize {
    let addr = if what & IPV6 != 0 { 16 } else { 4 };
    FIXED + addr + if what & LOCAL != 0 { addr } else { 0 }
}

/// The queue's state. The bytes are kept by its owner and given to every call: always the same
/// slice while anything is queued. All-zero is an empty queue.
#[derive(Debug, Clone, Copy)]
pub struct DatagramQueue {
    head: u32,
    used: u32,
    count: u32,
}

impl DatagramQueue {
    /// Nothing queued; all-zero bytes.
    pub const EMPTY: DatagramQueue = DatagramQueue {
        head: 0,
        used: 0,
        count: 0,
    };

    /// How many datagrams are queued.
    pub fn count(&self) -> usize {
        self.count as usize
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many bytes of the ring are taken, the records' headers included.
    pub fn bytes(&self) -> usize {
        self.used as usize
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::EMPTY;
    }

    /// Appends a datagram whose data is `head` followed by `payload`.
    ///
    /// # Errors
    /// [`PushError::Full`] or [`PushError::TooLong`]; the queue is as it was.
    pub fn push(
        &mut self,
        memory: &mut [u8],
        meta: &Meta,
        head: &[u8],
        payload: &[u8],
    ) -> Result<(), PushError> {
        let len = head.len().saturating_add(payload.len());
        self.push_with(memory, meta, len, |first, second| {
            let rest = fill(first, second, 0, head);
            fill(first, second, rest, payload);
            true
        })
    }

    /// Appends a datagram of `len` bytes that `copy` writes, in one or two pieces (the ring
    /// may wrap), so that a checksum can be verified while copying. If `copy` returns false the
    /// datagram is not queued.
    ///
    /// # Errors
    /// As [`push`](Self::push), and [`PushError::Rejected`] if `copy` returned false.
    pub fn push_with(
        &mut self,
        memory: &mut [u8],
        meta: &Meta,
        len: usize,
        copy: impl FnOnce(&mut [u8], &mut [u8]) -> bool,
    ) -> Result<(), PushError> {
        let len16 = u16::try_from(len).map_err(|_| PushError::TooLong)?;
        let record = Record::encode(meta, len16);
        let total = record.len + len;
        if total > memory.len() || u32::try_from(memory.len()).is_err() {
            return Err(PushError::TooLong);
        }
        if total > memory.len().saturating_sub(self.used as usize) {
            return Err(PushError::Full);
        }
        let start = wrapped(self.head as usize + self.used as usize, memory.len());
        let (first, second) = span_mut(memory, start, record.len);
        fill(first, second, 0, record.as_slice());
        let start = wrapped(start + record.len, memory.len());
        let (first, second) = span_mut(memory, start, len);
        if !copy(first, second) {
            return Err(PushError::Rejected);
        }
        self.used += total as u32;
        self.count += 1;
        Ok(())
    }

    /// The oldest datagram, its data in one or two pieces.
    pub fn front<'m>(&self, memory: &'m [u8]) -> Option<(Meta, Pieces<'m>)> {
        let (meta, header) = self.decode(memory)?;
        let start = wrapped(self.head as usize + header, memory.len());
        Some((meta, span(memory, start, usize::from(meta.len))))
    }

    /// Drops the oldest datagram; false if there is none.
    pub fn pop(&mut self, memory: &[u8]) -> bool {
        let Some((meta, header)) = self.decode(memory) else {
            return false;
        };
        let total = header + usize::from(meta.len);
        self.count = self.count.saturating_sub(1);
        self.used = self.used.saturating_sub(total as u32);
        self.head = wrapped(self.head as usize + total, memory.len()) as u32;
        true
    }

    /// Takes the oldest datagram and copies as much of it as fits into `buffer`.
    pub fn recv_into(&mut self, memory: &[u8], buffer: &mut [u8]) -> Option<Received> {
        let received = self.peek_into(memory, buffer)?;
        self.pop(memory);
        Some(received)
    }

    /// [`recv_into`](Self::recv_into) that leaves the datagram where it is.
    pub fn peek_into(&self, memory: &[u8], buffer: &mut [u8]) -> Option<Received> {
        let (meta, (first, second)) = self.front(memory)?;
        let copied = fill(buffer, &mut [], 0, first);
        let copied = fill(buffer, &mut [], copied, second);
        Some(Received {
            meta,
            copied,
            truncated: copied < usize::from(meta.len),
        })
    }

    /// The record at the head, and the length of its header.
    fn decode(&self, memory: &[u8]) -> Option<(Meta, usize)> {
        if self.count == 0 {
            return None;
        }
        let mut bytes = [0; LONGEST];
        let (first, second) = span(memory, self.head as usize, LONGEST.min(self.used as usize));
        let copied = fill(&mut bytes, &mut [], 0, first);
        fill(&mut bytes, &mut [], copied, second);
        let [
            what,
            iface,
            hop_limit,
            tos,
            len_high,
            len_low,
            port_high,
            port_low,
            addresses @ ..,
        ] = bytes;
        let (remote, local) = match what & IPV6 {
            0 => {
                let [a, b, c, d, e, f, g, h, ..] = addresses;
                (Addr::v4([a, b, c, d]), Addr::v4([e, f, g, h]))
            }
            _ => wide(&addresses),
        };
        let local = if what & LOCAL != 0 {
            local
        } else {
            Addr::UNSPECIFIED
        };
        let meta = Meta {
            remote,
            remote_port: u16::from_be_bytes([port_high, port_low]),
            local,
            iface,
            hop_limit,
            tos,
            len: u16::from_be_bytes([len_high, len_low]),
        };
        Some((meta, header_len(what)))
    }
}

#[cfg(feature = "ipv6")]
fn wide(addresses: &[u8; 32]) -> (Addr, Addr) {
    let at = |start: usize| {
        let octets = addresses.get(start..).and_then(<[u8]>::first_chunk);
        Addr::v6(octets.copied().unwrap_or_default())
    };
    (at(0), at(16))
}

/// Never written without IPv6.
#[cfg(not(feature = "ipv6"))]
fn wide(_: &[u8; 32]) -> (Addr, Addr) {
    (Addr::UNSPECIFIED, Addr::UNSPECIFIED)
}

/// `position` in a ring of `capacity`, of which it is less than two.
fn wrapped(position: usize, capacity: usize) -> usize {
    if position >= capacity {
        position - capacity
    } else {
        position
    }
}

/// `len` bytes of the ring from `start` on, in two pieces. `len` is at most the ring's length.
fn span(memory: &[u8], start: usize, len: usize) -> (&[u8], &[u8]) {
    let (before, after) = memory.split_at_checked(start).unwrap_or_default();
    match after.get(..len) {
        Some(whole) => (whole, &[]),
        None => {
            let rest = len - after.len();
            (after, before.get(..rest).unwrap_or_default())
        }
    }
}

/// [`span`], to be written.
fn span_mut(memory: &mut [u8], start: usize, len: usize) -> (&mut [u8], &mut [u8]) {
    let (before, after) = memory.split_at_mut_checked(start).unwrap_or_default();
    if len <= after.len() {
        return (after.get_mut(..len).unwrap_or_default(), &mut []);
    }
    let rest = len - after.len();
    (after, before.get_mut(..rest).unwrap_or_default())
}

/// Writes `bytes` into two pieces that are one, from `at` on, as much as fits. Returns where it
/// stopped.
fn fill(first: &mut [u8], second: &mut [u8], at: usize, bytes: &[u8]) -> usize {
    let mut at = at;
    let mut bytes = bytes;
    let split = first.len();
    if let Some(place) = first.get_mut(at..) {
        let (now, later) = bytes.split_at(place.len().min(bytes.len()));
        if let Some(place) = place.get_mut(..now.len()) {
            place.copy_from_slice(now);
        }
        at += now.len();
        bytes = later;
    }
    if let Some(place) = at.checked_sub(split).and_then(|at| second.get_mut(at..)) {
        let count = place.len().min(bytes.len());
        for (to, from) in place.iter_mut().zip(bytes) {
            *to = *from;
        }
        at += count;
    }
    at
}

#[cfg(test)]
mod tests;
