//! IPv4 options (RFC 791 §3.1, RFC 1122 §3.2.1.8).

use crate::WireError;

/// One IPv4 option.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4Option<'a> {
    /// Copied flag, class and number.
    pub kind: u8,
    /// What follows kind and length.
    pub data: &'a [u8],
}

impl Ipv4Option<'_> {
    /// End of option list.
    pub const END: u8 = 0;
    /// No operation.
    pub const NOP: u8 = 1;
    /// Record route.
    pub const RECORD_ROUTE: u8 = 7;
    /// Internet timestamp.
    pub const TIMESTAMP: u8 = 68;
    /// Loose source and record route.
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    /// Strict source and record route.
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    /// Router alert (RFC 2113): IGMP sends it.
    pub const ROUTER_ALERT: u8 = 148;

    /// Whether fragments after the first carry the option too.
    #[must_use]
    pub const fn is_copied(&self) -> bool {
        self.kind & 0x80 != 0
    }

    /// Whether this is a source route, loose or strict.
    #[must_use]
    pub const fn is_source_route(&self) -> bool {
        matches!(
            self.kind,
            Self::LOOSE_SOURCE_ROUTE | Self::STRICT_SOURCE_ROUTE
        )
    }
}

/// The options of a header, one by one; padding is skipped. An error is the last item.
#[derive(Clone, Debug)]
pub struct Ipv4Options<'a> {
    rest: &'a [u8],
}

impl<'a> Ipv4Options<'a> {
    /// Options from the bytes after the fixed header.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Ipv4Options<'a> {
    type Item = Result<Ipv4Option<'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&kind, rest) = self.rest.split_first()?;
            match kind {
                Ipv4Option::END => {
                    self.rest = &[];
                    return None;
                }
                Ipv4Option::NOP => self.rest = rest,
                _ => {
                    // The length counts kind and length themselves.
                    let option = rest
                        .first()
                        .and_then(|len| rest.split_at_checked(usize::from(*len).checked_sub(1)?));
                    let Some(([_, data @ ..], rest)) = option else {
                        self.rest = &[];
                        return Some(Err(WireError::BadOption));
                    };
                    self.rest = rest;
                    return Some(Ok(Ipv4Option { kind, data }));
                }
            }
        }
    }
}

impl core::iter::FusedIterator for Ipv4Options<'_> {}
