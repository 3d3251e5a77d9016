//! DHCP for IPv4 messages (RFC 2131 §2), and the BOOTP header they stand in.
//!
//! A message is a header of 236 bytes, a magic cookie, and options. Options may go on in the
//! header's `file` and `sname` fields (option overload, RFC 2132 §9.3), and one option may be split
//! into several that belong together (RFC 3396). [`Dhcpv4View::option`] puts all that together
//! without copying; [`Dhcpv4Writer`] makes use of both where a message would grow too long.
//!
//! ```
//! use netloom_wire::dhcpv4::{Dhcpv4Repr, Dhcpv4View, Hardware, MessageType, code};
//!
//! let mut buffer = [0; 576];
//! let header = Dhcpv4Repr {
//!     xid: 7,
//!     hardware: Hardware::ethernet([2, 0, 0, 0, 0, 1]),
//!     ..Dhcpv4Repr::request()
//! };
//! let mut options = header.emit(&mut buffer)?;
//! options.message_type(MessageType::Discover);
//! options.put(code::HOST_NAME, b"loom");
//! let len = options.finish()?;
//!
//! let view = Dhcpv4View::new(&buffer[..len])?;
//! assert_eq!(view.message_type(), Some(MessageType::Discover));
//! # Ok::<(), netloom_wire::WireError>(())
//! ```

mod options;
mod values;
mod writer;

use core::net::Ipv4Addr;

use crate::WireError;
use crate::bytes::Fields;

pub use options::{Dhcpv4Options, OptionBytes};
pub use values::{Addresses, ClasslessRoute, ClasslessRoutes, Fqdn};
pub use writer::Dhcpv4Writer;

/// The port servers and relay agents listen at (RFC 2131 §4.1).
pub const SERVER_PORT: u16 = 67;
/// The port clients listen at.
pub const CLIENT_PORT: u16 = 68;

/// Bytes of the header before the magic cookie.
pub const HEADER_LEN: usize = 236;
/// Header and magic cookie: the shortest message that can be one of DHCP.
pub const MIN_LEN: usize = HEADER_LEN + 4;
/// What a message is padded to: some relays and servers drop shorter ones, as BOOTP had a vendor
/// area of 64 bytes (RFC 1542 §2.1, §3).
pub const PADDED_LEN: usize = 300;
/// The longest message everybody accepts, in bytes: a datagram of 576 without its headers
/// (RFC 2131 §2).
pub const MAX_LEN: usize = 576 - 28;

/// 99, 130, 83, 99 (RFC 2131 §3).
const MAGIC: [u8; 4] = [99, 130, 83, 99];
/// Where `sname` and `file` lie.
const SNAME: usize = 44;
const SNAME_LEN: usize = 64;
const FILE: usize = SNAME + SNAME_LEN;
const FILE_LEN: usize = 128;
/// The leftmost bit of the flags (RFC 2131 §2, figure 2).
const BROADCAST: u16 = 0x8000;

/// Option codes (RFC 2132 and as noted).
pub mod code {
    /// Fills; without length or data.
    pub const PAD: u8 = 0;
    /// The subnet's mask.
    pub const SUBNET_MASK: u8 = 1;
    /// Routers on the client's subnet, best first.
    pub const ROUTER: u8 = 3;
    /// Recursive DNS servers, best first.
    pub const DNS_SERVER: u8 = 6;
    /// The client's name.
    pub const HOST_NAME: u8 = 12;
    /// The domain the client is in.
    pub const DOMAIN_NAME: u8 = 15;
    /// The MTU of the interface.
    pub const INTERFACE_MTU: u8 = 26;
    /// The broadcast address of the subnet.
    pub const BROADCAST_ADDRESS: u8 = 28;
    /// Routes by destination, without masks.
    pub const STATIC_ROUTE: u8 = 33;
    /// NTP servers, best first.
    pub const NTP_SERVER: u8 = 42;
    /// The address the client asks for.
    pub const REQUESTED_ADDRESS: u8 = 50;
    /// Seconds of the lease.
    pub const LEASE_TIME: u8 = 51;
    /// `file`, `sname` or both hold options.
    pub const OVERLOAD: u8 = 52;
    /// What kind of message it is.
    pub const MESSAGE_TYPE: u8 = 53;
    /// The server's address, by which servers are told apart.
    pub const SERVER_IDENTIFIER: u8 = 54;
    /// The options the client wants, in its order.
    pub const PARAMETER_REQUEST_LIST: u8 = 55;
    /// Text: why the server says no, or the client declines.
    pub const MESSAGE: u8 = 56;
    /// The longest message the client takes, its IP and UDP headers counted.
    pub const MAX_MESSAGE_SIZE: u8 = 57;
    /// Seconds until the client renews (T1).
    pub const RENEWAL_TIME: u8 = 58;
    /// Seconds until the client asks anybody (T2).
    pub const REBINDING_TIME: u8 = 59;
    /// What kind of client it is.
    pub const VENDOR_CLASS: u8 = 60;
    /// Who the client is.
    pub const CLIENT_IDENTIFIER: u8 = 61;
    /// The client's full name, and who tells DNS (RFC 4702).
    pub const CLIENT_FQDN: u8 = 81;
    /// What a relay agent adds (RFC 3046).
    pub const RELAY_AGENT: u8 = 82;
    /// Routes with masks (RFC 3442).
    pub const CLASSLESS_ROUTES: u8 = 121;
    /// Ends the options of a field; without length or data.
    pub const END: u8 = 255;
}

/// What kind of message it is (RFC 2132 §9.6).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// A client looks for servers.
    Discover,
    /// A server offers an address.
    Offer,
    /// A client asks for an address, or for more time.
    Request,
    /// A client says that somebody uses the address it got.
    Decline,
    /// A server gives what was asked for.
    Ack,
    /// A server says no: the client's address is wrong.
    Nak,
    /// A client gives its address back.
    Release,
    /// A client that has an address asks for all else.
    Inform,
    /// Another message type.
    Other(u8),
}

impl From<u8> for MessageType {
    fn from(code: u8) -> Self {
        match code {
            1 => Self::Discover,
            2 => Self::Offer,
            3 => Self::Request,
            4 => Self::Decline,
            5 => Self::Ack,
            6 => Self::Nak,
            7 => Self::Release,
            8 => Self::Inform,
            code => Self::Other(code),
        }
    }
}

impl From<MessageType> for u8 {
    fn from(kind: MessageType) -> Self {
        match kind {
            MessageType::Discover => 1,
            MessageType::Offer => 2,
            MessageType::Request => 3,
            MessageType::Decline => 4,
            MessageType::Ack => 5,
            MessageType::Nak => 6,
            MessageType::Release => 7,
            MessageType::Inform => 8,
            MessageType::Other(code) => code,
        }
    }
}

impl core::fmt::Display for MessageType {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Discover => f.write_str("DISCOVER"),
            Self::Offer => f.write_str("OFFER"),
            Self::Request => f.write_str("REQUEST"),
            Self::Decline => f.write_str("DECLINE"),
            Self::Ack => f.write_str("ACK"),
            Self::Nak => f.write_str("NAK"),
            Self::Release => f.write_str("RELEASE"),
            Self::Inform => f.write_str("INFORM"),
            Self::Other(code) => write!(f, "type {code}"),
        }
    }
}

/// Who speaks: the `op` field.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// BOOTREQUEST: a client.
    Request,
    /// BOOTREPLY: a server.
    Reply,
    /// Neither.
    Other(u8),
}

/// A link-layer address as DHCP has it: type, length, and 16 bytes.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hardware {
    /// `htype`, an ARP hardware type: 1 is Ethernet.
    pub htype: u8,
    /// `hlen`: bytes of `chaddr` that count, at most 16.
    pub hlen: u8,
    /// `chaddr`.
    pub chaddr: [u8; 16],
}

impl Hardware {
    /// An Ethernet address.
    #[must_use]
    pub const fn ethernet(mac: [u8; 6]) -> Self {
        let [a, b, c, d, e, f] = mac;
        Self {
            htype: 1,
            hlen: 6,
            chaddr: [a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// The bytes that count.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.chaddr.get(..usize::from(self.hlen)).unwrap_or(&[])
    }

    /// The Ethernet address, if it is one.
    #[must_use]
    pub fn mac(&self) -> Option<crate::MacAddr> {
        let mac = *self.chaddr.first_chunk::<6>()?;
        (self.htype == 1 && self.hlen == 6).then_some(crate::MacAddr(mac))
    }
}

impl core::fmt::Debug for Hardware {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}/", self.htype)?;
        for (n, byte) in self.as_bytes().iter().enumerate() {
            if n > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A message whose lengths are checked: header, cookie, and every option in every field that holds
/// options.
#[derive(Copy, Clone, Debug)]
pub struct Dhcpv4View<'a> {
    header: &'a [u8; HEADER_LEN],
    options: &'a [u8],
    overload: u8,
}

impl<'a> Dhcpv4View<'a> {
    /// Checks a UDP payload. Options that end with their field, without an end option, are
    /// accepted; an option that runs over the end of its field is not, wherever it stands.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated) below 240 bytes,
    /// [`BadProtocol`](WireError::BadProtocol) without the magic cookie (BOOTP),
    /// [`BadHeaderLength`](WireError::BadHeaderLength) for a hardware address longer than its
    /// field, [`BadOption`](WireError::BadOption) for an option that does not fit, and for an
    /// overload option that says something else than 1, 2 or 3.
    pub fn new(message: &'a [u8]) -> Result<Self, WireError> {
        let (header, rest) = message
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(WireError::Truncated)?;
        let (magic, options) = rest.split_first_chunk::<4>().ok_or(WireError::Truncated)?;
        if *magic != MAGIC {
            return Err(WireError::BadProtocol);
        }
        if header.u8_at::<2>() > 16 {
            return Err(WireError::BadHeaderLength);
        }
        let mut view = Self {
            header,
            options,
            overload: 0,
        };
        // Only the options field itself may say that there is more.
        let mut overload = view.option(code::OVERLOAD);
        if let Some(value) = overload.as_mut().and_then(Iterator::next) {
            let more = overload.is_some_and(|mut bytes| bytes.next().is_some());
            if more || !(1..=3).contains(&value) {
                return Err(WireError::BadOption);
            }
            view.overload = value;
        } else if overload.is_some() {
            return Err(WireError::BadOption);
        }
        view.options().check()?;
        Ok(view)
    }

    /// Whether a client or a server speaks.
    #[must_use]
    pub fn op(&self) -> Op {
        match self.header.u8_at::<0>() {
            1 => Op::Request,
            2 => Op::Reply,
            other => Op::Other(other),
        }
    }

    /// The client's link-layer address.
    #[must_use]
    pub fn hardware(&self) -> Hardware {
        let hlen = self.header.u8_at::<2>();
        let mut chaddr = *self.header.array_at::<28, 16>();
        for byte in chaddr.iter_mut().skip(usize::from(hlen)) {
            *byte = 0;
        }
        Hardware {
            htype: self.header.u8_at::<1>(),
            hlen,
            chaddr,
        }
    }

    /// Relay agents passed.
    #[must_use]
    pub fn hops(&self) -> u8 {
        self.header.u8_at::<3>()
    }

    /// The transaction, chosen by the client.
    #[must_use]
    pub fn xid(&self) -> u32 {
        self.header.u32_at::<4>()
    }

    /// Seconds since the client began to ask.
    #[must_use]
    pub fn secs(&self) -> u16 {
        self.header.u16_at::<8>()
    }

    /// Whether the client wants replies broadcast.
    #[must_use]
    pub fn broadcast(&self) -> bool {
        self.header.u16_at::<10>() & BROADCAST != 0
    }

    /// The address the client has and answers ARP for.
    #[must_use]
    pub fn ciaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(*self.header.array_at::<12, 4>())
    }

    /// The address the client is given.
    #[must_use]
    pub fn yiaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(*self.header.array_at::<16, 4>())
    }

    /// The server for what comes after DHCP (TFTP): not the DHCP server.
    #[must_use]
    pub fn siaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(*self.header.array_at::<20, 4>())
    }

    /// The relay agent that took the message in; unspecified if there was none.
    #[must_use]
    pub fn giaddr(&self) -> Ipv4Addr {
        Ipv4Addr::from(*self.header.array_at::<24, 4>())
    }

    /// The server's name: up to the first NUL; nothing if the field holds options.
    #[must_use]
    pub fn sname(&self) -> &'a [u8] {
        if self.overload & 2 != 0 {
            return &[];
        }
        text(self.header.array_at::<SNAME, SNAME_LEN>())
    }

    /// The boot file: up to the first NUL; nothing if the field holds options.
    #[must_use]
    pub fn file(&self) -> &'a [u8] {
        if self.overload & 1 != 0 {
            return &[];
        }
        text(self.header.array_at::<FILE, FILE_LEN>())
    }

    /// Every option, one by one as they stand, in the order of RFC 3396 §5: those of the options
    /// field, of `file`, of `sname`. An option that was split comes in its pieces.
    #[must_use]
    pub fn options(&self) -> Dhcpv4Options<'a> {
        //= https://www.rfc-editor.org/rfc/rfc3396#section-5
        //# The aggregate option buffer is made up of the optional parameters
        //# field, the file field, and the sname field, in that order.
        let file: &'a [u8] = match self.overload & 1 {
            0 => &[],
            _ => self.header.array_at::<FILE, FILE_LEN>(),
        };
        let sname: &'a [u8] = match self.overload & 2 {
            0 => &[],
            _ => self.header.array_at::<SNAME, SNAME_LEN>(),
        };
        Dhcpv4Options::new([self.options, file, sname])
    }

    /// The bytes of an option, the pieces it was split into put together (RFC 3396 §7); `None` if
    /// there is none. [`OptionBytes`] reads what they mean.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<OptionBytes<'a>> {
        OptionBytes::of(self.options(), code)
    }

    /// What kind of message it is; `None` without the option, or with one of another length.
    #[must_use]
    pub fn message_type(&self) -> Option<MessageType> {
        self.option(code::MESSAGE_TYPE)?.u8().map(MessageType::from)
    }

    /// The server identifier; `None` without one.
    #[must_use]
    pub fn server_identifier(&self) -> Option<Ipv4Addr> {
        self.option(code::SERVER_IDENTIFIER)?.addr()
    }

    /// The address the client asks for; `None` if it does not.
    #[must_use]
    pub fn requested_address(&self) -> Option<Ipv4Addr> {
        self.option(code::REQUESTED_ADDRESS)?.addr()
    }
}

/// A text in a field of fixed length.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or(&[])
}

/// The header of a message.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dhcpv4Repr {
    /// A client speaks, else a server.
    pub request: bool,
    /// Relay agents passed.
    pub hops: u8,
    /// The transaction, chosen by the client.
    pub xid: u32,
    /// Seconds since the client began to ask.
    pub secs: u16,
    /// Whether the client wants replies broadcast.
    pub broadcast: bool,
    /// The address the client has and answers ARP for.
    pub ciaddr: Ipv4Addr,
    /// The address the client is given.
    pub yiaddr: Ipv4Addr,
    /// The server for what comes after DHCP.
    pub siaddr: Ipv4Addr,
    /// The relay agent.
    pub giaddr: Ipv4Addr,
    /// The client's link-layer address.
    pub hardware: Hardware,
}

impl Dhcpv4Repr {
    const EMPTY: Dhcpv4Repr = Dhcpv4Repr {
        request: true,
        hops: 0,
        xid: 0,
        secs: 0,
        broadcast: false,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        hardware: Hardware {
            htype: 1,
            hlen: 6,
            chaddr: [0; 16],
        },
    };

    /// A client's message with all else zero.
    #[must_use]
    pub const fn request() -> Self {
        Self::EMPTY
    }

    /// A server's reply to a message: what RFC 2131 table 3 has it take over, all else zero.
    #[must_use]
    pub fn reply_to(view: &Dhcpv4View<'_>) -> Self {
        Self {
            request: false,
            xid: view.xid(),
            broadcast: view.broadcast(),
            giaddr: view.giaddr(),
            hardware: view.hardware(),
            ..Self::EMPTY
        }
    }

    /// The header of a received message.
    #[must_use]
    pub fn parse(view: &Dhcpv4View<'_>) -> Self {
        Self {
            request: view.op() == Op::Request,
            hops: view.hops(),
            xid: view.xid(),
            secs: view.secs(),
            broadcast: view.broadcast(),
            ciaddr: view.ciaddr(),
            yiaddr: view.yiaddr(),
            siaddr: view.siaddr(),
            giaddr: view.giaddr(),
            hardware: view.hardware(),
        }
    }

    /// Writes header and cookie; returns where the options go. The message may become as long as
    /// `buf`.
    ///
    /// # Errors
    /// [`BufferTooSmall`](WireError::BufferTooSmall) below [`PADDED_LEN`] bytes;
    /// [`BadHeaderLength`](WireError::BadHeaderLength) for a hardware address of more than 16.
    pub fn emit<'b>(&self, buf: &'b mut [u8]) -> Result<Dhcpv4Writer<'b>, WireError> {
        if buf.len() < PADDED_LEN {
            return Err(WireError::BufferTooSmall);
        }
        if self.hardware.hlen > 16 {
            return Err(WireError::BadHeaderLength);
        }
        let (header, rest) = buf
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(WireError::BufferTooSmall)?;
        let (magic, options) = rest
            .split_first_chunk_mut::<4>()
            .ok_or(WireError::BufferTooSmall)?;
        *header = [0; HEADER_LEN];
        *magic = MAGIC;
        header.put::<0, 4>([
            if self.request { 1 } else { 2 },
            self.hardware.htype,
            self.hardware.hlen,
            self.hops,
        ]);
        header.put_u32::<4>(self.xid);
        header.put_u16::<8>(self.secs);
        header.put_u16::<10>(if self.broadcast { BROADCAST } else { 0 });
        header.put::<12, 4>(self.ciaddr.octets());
        header.put::<16, 4>(self.yiaddr.octets());
        header.put::<20, 4>(self.siaddr.octets());
        header.put::<24, 4>(self.giaddr.octets());
        header.put::<28, 16>(self.hardware.chaddr);
        Ok(Dhcpv4Writer::new(header, options))
    }
}

#[cfg(test)]
mod tests;
