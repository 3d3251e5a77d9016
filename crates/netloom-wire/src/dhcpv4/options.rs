//! Options one by one, and the bytes of one option wherever its pieces stand.

use core::net::Ipv4Addr;

use super::code;
use super::values::{Addresses, ClasslessRoutes, Fqdn};
use crate::WireError;

/// The options of a message as they stand, one by one: code and data. Pads are left out; the end
/// option ends the field it stands in. Each item takes at least two bytes of the message.
#[derive(Clone, Debug)]
pub struct Dhcpv4Options<'a> {
    fields: [&'a [u8]; 3],
    /// The field read now.
    at: u8,
}

impl<'a> Dhcpv4Options<'a> {
    pub(super) const fn new(fields: [&'a [u8]; 3]) -> Self {
        Self { fields, at: 0 }
    }

    /// The next option, or what is wrong with it.
    fn step(&mut self) -> Option<Result<(u8, &'a [u8]), WireError>> {
        while let Some(field) = self.fields.get_mut(usize::from(self.at)) {
            match field.split_first() {
                None | Some((&code::END, _)) => self.at = self.at.wrapping_add(1),
                Some((&code::PAD, rest)) => *field = rest,
                Some((&code, rest)) => {
                    let option = rest
                        .split_first()
                        .and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
                    let Some((data, rest)) = option else {
                        self.at = u8::MAX;
                        return Some(Err(WireError::BadOption));
                    };
                    *field = rest;
                    return Some(Ok((code, data)));
                }
            }
        }
        None
    }

    /// Whether every option fits its field.
    pub(super) fn check(mut self) -> Result<(), WireError> {
        while let Some(option) = self.step() {
            option?;
        }
        Ok(())
    }
}

impl<'a> Iterator for Dhcpv4Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // A view has checked that nothing is wrong.
        self.step()?.ok()
    }
}

impl core::iter::FusedIterator for Dhcpv4Options<'_> {}

/// The bytes of one option, its pieces put together; and what they mean.
#[derive(Clone, Debug)]
pub struct OptionBytes<'a> {
    code: u8,
    piece: &'a [u8],
    rest: Dhcpv4Options<'a>,
}

impl<'a> OptionBytes<'a> {
    /// The option with this code; `None` if there is no piece of it.
    pub(super) fn of(mut options: Dhcpv4Options<'a>, code: u8) -> Option<Self> {
        let (_, piece) = options.find(|(known, _)| *known == code)?;
        Some(Self {
            code,
            piece,
            rest: options,
        })
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        let same = |(known, piece): (u8, &[u8])| (known == self.code).then_some(piece.len());
        let more: usize = self.rest.clone().filter_map(same).sum();
        self.piece.len().saturating_add(more)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the bytes into `buf`; returns them, or `None` if they do not fit.
    pub fn copy_to<'b>(&self, buf: &'b mut [u8]) -> Option<&'b [u8]> {
        let place = buf.get_mut(..self.len())?;
        for (to, from) in place.iter_mut().zip(self.clone()) {
            *to = from;
        }
        Some(place)
    }

    /// Whether the bytes are these.
    #[must_use]
    pub fn is(&self, bytes: &[u8]) -> bool {
        self.clone().eq(bytes.iter().copied())
    }

    /// The next `N` bytes; `None` if there are fewer, which are gone then.
    pub(super) fn take_array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut array = [0; N];
        for place in &mut array {
            *place = self.next()?;
        }
        Some(array)
    }

    /// All bytes, if there are `N`.
    fn array<const N: usize>(&self) -> Option<[u8; N]> {
        (self.len() == N)
            .then(|| self.clone().take_array())
            .flatten()
    }

    /// One byte; `None` for another length.
    #[must_use]
    pub fn u8(&self) -> Option<u8> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    /// A number of two bytes; `None` for another length.
    #[must_use]
    pub fn u16(&self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of four bytes; `None` for another length.
    #[must_use]
    pub fn u32(&self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// One address; `None` for another length.
    #[must_use]
    pub fn addr(&self) -> Option<Ipv4Addr> {
        self.array().map(|octets: [u8; 4]| octets.into())
    }

    /// A list of addresses; nothing if the length is no multiple of 4.
    #[must_use]
    pub fn addrs(&self) -> Addresses<'a> {
        Addresses::new(self.clone())
    }

    /// Classless static routes (RFC 3442).
    #[must_use]
    pub fn classless_routes(&self) -> ClasslessRoutes<'a> {
        ClasslessRoutes::new(self.clone())
    }

    /// The client's full name (RFC 4702 §2); `None` below 3 bytes.
    #[must_use]
    pub fn fqdn(&self) -> Option<Fqdn<'a>> {
        Fqdn::new(self.clone())
    }
}

impl Iterator for OptionBytes<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            if let Some((byte, rest)) = self.piece.split_first() {
                self.piece = rest;
                return Some(*byte);
            }
            let code = self.code;
            (_, self.piece) = self.rest.find(|(known, _)| *known == code)?;
        }
    }
}
