//! What the bytes of some options mean: addresses, routes, names.

use core::net::Ipv4Addr;

use super::OptionBytes;
use crate::Addr;
use crate::cidr::Cidr;

/// Addresses of four bytes each.
#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    bytes: OptionBytes<'a>,
    left: usize,
}

impl<'a> Addresses<'a> {
    pub(super) fn new(bytes: OptionBytes<'a>) -> Self {
        let len = bytes.len();
        let left = if len % 4 == 0 { len / 4 } else { 0 };
        Self { bytes, left }
    }
}

impl Iterator for Addresses<'_> {
    type Item = Ipv4Addr;

    fn next(&mut self) -> Option<Ipv4Addr> {
        self.left = self.left.checked_sub(1)?;
        self.bytes.take_array::<4>().map(Ipv4Addr::from)
    }
}

/// One classless route.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClasslessRoute {
    /// Destinations it is for; host bits are zero.
    pub dst: Cidr,
    /// The router; unspecified if the destinations are on the link (RFC 3442, "Local Subnet
    /// Routes").
    pub router: Ipv4Addr,
}

/// Classless routes, one by one. One that makes no sense (a prefix longer than 32, bytes that are
/// missing) ends them: nothing after it can be believed.
#[derive(Clone, Debug)]
pub struct ClasslessRoutes<'a> {
    bytes: OptionBytes<'a>,
}

impl<'a> ClasslessRoutes<'a> {
    pub(super) const fn new(bytes: OptionBytes<'a>) -> Self {
        Self { bytes }
    }

    fn end(&mut self) -> Option<ClasslessRoute> {
        while self.bytes.next().is_some() {}
        None
    }
}

impl Iterator for ClasslessRoutes<'_> {
    type Item = ClasslessRoute;

    fn next(&mut self) -> Option<ClasslessRoute> {
        let prefix = self.bytes.next()?;
        if prefix > 32 {
            return self.end();
        }
        //= https://www.rfc-editor.org/rfc/rfc3442
        //# The significant portion of the subnet number is simply all of the
        //# octets of the subnet number where the corresponding octet in the
        //# subnet mask is non-zero.
        let mut network = [0; 4];
        for place in network.iter_mut().take(usize::from(prefix).div_ceil(8)) {
            *place = self.bytes.next()?;
        }
        let router = self.bytes.take_array::<4>()?;
        let cidr = Cidr {
            addr: Addr::v4(network),
            prefix,
        };
        //= https://www.rfc-editor.org/rfc/rfc3442
        //# After deriving a subnet number and subnet mask from each destination
        //# descriptor, the DHCP client MUST zero any bits in the subnet number
        //# where the corresponding bit in the mask is zero.
        Some(ClasslessRoute {
            dst: Cidr {
                addr: cidr.network(),
                prefix,
            },
            router: router.into(),
        })
    }
}

/// The client's full name, and who updates DNS (RFC 4702 §2).
#[derive(Clone, Debug)]
pub struct Fqdn<'a> {
    /// The flags: [`SERVER`](Fqdn::SERVER), [`OVERRIDE`](Fqdn::OVERRIDE),
    /// [`ENCODED`](Fqdn::ENCODED), [`NO_UPDATE`](Fqdn::NO_UPDATE).
    pub flags: u8,
    /// The name as it stands: labels with their lengths if encoded, else ASCII.
    pub name: OptionBytes<'a>,
}

impl<'a> Fqdn<'a> {
    /// S: the server updates the A record.
    pub const SERVER: u8 = 1;
    /// O: the server has overridden what the client wanted.
    pub const OVERRIDE: u8 = 2;
    /// E: the name is in DNS's encoding, not in ASCII, which is obsolete.
    pub const ENCODED: u8 = 4;
    /// N: the server updates nothing.
    pub const NO_UPDATE: u8 = 8;

    pub(super) fn new(mut bytes: OptionBytes<'a>) -> Option<Self> {
        // The two result codes mean nothing any more.
        let [flags, _, _] = bytes.take_array()?;
        Some(Self { flags, name: bytes })
    }

    /// Writes the name with dots into `buf`; returns it, or `None` if it does not fit or is none.
    /// A name that ends without its root label is partial (§2.3) and may be completed.
    pub fn text<'b>(&self, buf: &'b mut [u8]) -> Option<&'b str> {
        let mut name = self.name.clone();
        let mut len: usize = 0;
        let mut put = |byte: u8| -> Option<()> {
            *buf.get_mut(len)? = byte;
            len = len.wrapping_add(1);
            Some(())
        };
        if self.flags & Self::ENCODED == 0 {
            for byte in name {
                put(byte)?;
            }
        } else {
            let mut first = true;
            while let Some(label) = name.next().filter(|label| *label != 0) {
                // Compression has no place here: there is nothing to point to.
                if label > 63 {
                    return None;
                }
                if !core::mem::take(&mut first) {
                    put(b'.')?;
                }
                for _ in 0..label {
                    put(name.next()?)?;
                }
            }
        }
        core::str::from_utf8(buf.get(..len)?).ok()
    }
}
