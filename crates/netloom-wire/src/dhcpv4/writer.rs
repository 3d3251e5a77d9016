//! Options written into a message, into its header too when its own field is full.

use core::net::Ipv4Addr;

use super::values::{ClasslessRoute, Fqdn};
use super::{FILE, FILE_LEN, HEADER_LEN, MIN_LEN, MessageType, PADDED_LEN, SNAME, SNAME_LEN, code};
use crate::WireError;
use crate::bytes::copy;

/// The longest piece of an option.
const PIECE: usize = 255;
/// What a field keeps free for its end option; the first one for the overload option too.
const END_LEN: usize = 1;
const OVERLOAD_LEN: usize = 3;

/// Writes options behind a header. What finds no room is remembered: [`finish`](Self::finish)
/// fails, unless it was [allowed](Self::put_if_room) to be left out.
#[derive(Debug)]
pub struct Dhcpv4Writer<'b> {
    header: &'b mut [u8; HEADER_LEN],
    options: &'b mut [u8],
    /// Bytes written into the options field, `file` and `sname`.
    used: [usize; 3],
    short: bool,
}

impl<'b> Dhcpv4Writer<'b> {
    pub(super) fn new(header: &'b mut [u8; HEADER_LEN], options: &'b mut [u8]) -> Self {
        Self {
            header,
            options,
            used: [0; 3],
            short: false,
        }
    }

    /// What is free in a field.
    fn field(&mut self, field: usize) -> &mut [u8] {
        let (all, kept): (&mut [u8], usize) = match field {
            0 => (self.options, END_LEN + OVERLOAD_LEN),
            1 => (
                self.header
                    .get_mut(FILE..FILE + FILE_LEN)
                    .unwrap_or_default(),
                END_LEN,
            ),
            _ => (
                self.header
                    .get_mut(SNAME..SNAME + SNAME_LEN)
                    .unwrap_or_default(),
                END_LEN,
            ),
        };
        let used = self.used.get(field).copied().unwrap_or(0);
        let end = all.len().saturating_sub(kept);
        all.get_mut(used..end).unwrap_or_default()
    }

    /// Writes a piece into the first field from `from` on that has room; says which.
    fn piece(&mut self, from: usize, code: u8, data: &[u8]) -> Option<usize> {
        let len = u8::try_from(data.len()).ok()?;
        for field in from..self.used.len() {
            let place = self.field(field);
            if let Some(([c, l], place)) = place.split_first_chunk_mut::<2>() {
                if let Some(place) = place.get_mut(..data.len()) {
                    (*c, *l) = (code, len);
                    copy(place, data);
                    if let Some(used) = self.used.get_mut(field) {
                        *used = used.saturating_add(data.len()).saturating_add(2);
                    }
                    return Some(field);
                }
            }
        }
        None
    }

    /// Adds an option if there is room for all of it, and says whether there was. More than 255
    /// bytes are split (RFC 3396 §6).
    pub fn put_if_room(&mut self, code: u8, data: &[u8]) -> bool {
        let before = self.used;
        let mut field = 0;
        let mut rest = data;
        loop {
            let (piece, after) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
            //= https://www.rfc-editor.org/rfc/rfc3396#section-6
            //# split portions of the option MUST be stored in the aggregate option
            //# buffer in sequential order
            match self.piece(field, code, piece) {
                Some(at) => field = at,
                None => {
                    self.used = before;
                    // A header field without options means something else: nothing may stay.
                    for field in 1..self.used.len() {
                        self.field(field).fill(0);
                    }
                    return false;
                }
            }
            if after.is_empty() {
                return true;
            }
            rest = after;
        }
    }

    /// Adds an option.
    pub fn put(&mut self, code: u8, data: &[u8]) {
        self.short |= !self.put_if_room(code, data);
    }

    /// Adds the message type.
    pub fn message_type(&mut self, kind: MessageType) {
        self.put(code::MESSAGE_TYPE, &[kind.into()]);
    }

    /// Adds a number of four bytes.
    pub fn put_u32(&mut self, code: u8, value: u32) {
        self.put(code, &value.to_be_bytes());
    }

    /// Adds a number of two bytes.
    pub fn put_u16(&mut self, code: u8, value: u16) {
        self.put(code, &value.to_be_bytes());
    }

    /// Adds one address.
    pub fn put_addr(&mut self, code: u8, addr: Ipv4Addr) {
        self.put(code, &addr.octets());
    }

    /// Adds a client's full name in DNS's encoding (RFC 4702 §2). A name with a dot at its end, or
    /// inside, is complete; one without is partial (§2.3). `false` if it is no name: empty labels
    /// or ones of more than 63 bytes, 253 bytes or more in all.
    pub fn put_fqdn(&mut self, flags: u8, name: &str) -> bool {
        let mut data = [0; 3 + 255];
        let (head, mut rest) = match data.split_first_chunk_mut::<3>() {
            Some(split) => split,
            None => return false,
        };
        *head = [flags | Fqdn::ENCODED, 0, 0];
        let complete = name.contains('.');
        let bare = name.strip_suffix('.').unwrap_or(name);
        let mut len: usize = 3;
        for label in bare.split('.') {
            let size = label.len();
            let fits = u8::try_from(size).ok().filter(|n| (1..=63).contains(n));
            let (Some(size_byte), true) = (fits, len.saturating_add(size) < 256) else {
                return false;
            };
            let Some((place, after)) = rest.split_at_mut_checked(size.saturating_add(1)) else {
                return false;
            };
            if let Some((first, text)) = place.split_first_mut() {
                *first = size_byte;
                copy(text, label.as_bytes());
            }
            rest = after;
            len = len.saturating_add(size).saturating_add(1);
        }
        // The root label's byte is zero already.
        len = len.saturating_add(usize::from(complete));
        let data = data.get(..len).unwrap_or_default();
        self.put(code::CLIENT_FQDN, data);
        true
    }

    /// Writes the end of each field and pads the message to [`PADDED_LEN`] bytes; returns its
    /// length.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall) if an option found no room.
    pub fn finish(self) -> Result<usize, WireError> {
        if self.short {
            return Err(WireError::BufferTooSmall);
        }
        let [mut used, file, sname] = self.used;
        let overload = u8::from(file > 0) | u8::from(sname > 0) << 1;
        let end: &[u8] = &[code::OVERLOAD, 1, overload, code::END];
        let end = if overload == 0 {
            end.get(OVERLOAD_LEN..).unwrap_or_default()
        } else {
            end
        };
        copy(self.options.get_mut(used..).unwrap_or_default(), end);
        used = used.saturating_add(end.len());
        if file > 0 {
            if let Some(place) = self.header.get_mut(FILE.saturating_add(file)) {
                *place = code::END;
            }
        }
        if sname > 0 {
            if let Some(place) = self.header.get_mut(SNAME.saturating_add(sname)) {
                *place = code::END;
            }
        }
        let len = PADDED_LEN.max(MIN_LEN.saturating_add(used));
        let padding = self.options.get_mut(used..len.saturating_sub(MIN_LEN));
        padding.unwrap_or_default().fill(code::PAD);
        Ok(len)
    }
}

impl ClasslessRoute {
    /// Appends the route's encoding to `buf` at `at`; returns where it ends, `None` if it does not
    /// fit.
    pub fn emit(&self, buf: &mut [u8], at: usize) -> Option<usize> {
        let octets = self.dst.network().v4_octets()?;
        let significant = usize::from(self.dst.prefix.min(32)).div_ceil(8);
        let end = at.checked_add(5)?.checked_add(significant)?;
        let place = buf.get_mut(at..end)?;
        let (prefix, place) = place.split_first_mut()?;
        *prefix = self.dst.prefix.min(32);
        let (network, router) = place.split_at_mut_checked(significant)?;
        copy(network, &octets);
        copy(router, &self.router.octets());
        Some(end)
    }
}
