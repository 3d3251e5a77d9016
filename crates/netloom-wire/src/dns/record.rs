//! Resource records and their data (RFC 1035 §§3.3, 4.1.3; RFC 2782, 3596, 6891).

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::WireError;
use crate::bytes::Fields;
use crate::dns::NameView;

/// The type of a record.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

macro_rules! types {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)+) => {
        impl RecordType {
            $($(#[$doc])* pub const $name: RecordType = RecordType($number);)+

            /// The type's name, if it is one of these.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)+
                    _ => None,
                }
            }
        }

        /// By its name in either case, or as `TYPE65` (RFC 3597 §5).
        impl FromStr for RecordType {
            type Err = WireError;

            fn from_str(text: &str) -> Result<Self, WireError> {
                $(if text.eq_ignore_ascii_case(stringify!($name)) {
                    return Ok(Self::$name);
                })+
                text.get(..4)
                    .filter(|head| head.eq_ignore_ascii_case("TYPE"))
                    .and_then(|_| text.get(4..)?.parse().ok())
                    .map(RecordType)
                    .ok_or(WireError::BadCode)
            }
        }
    };
}

types! {
    /// An IPv4 address.
    A = 1;
    /// A name server of the zone.
    NS = 2;
    /// The name this one is another name for.
    CNAME = 5;
    /// The start of a zone.
    SOA = 6;
    /// The name of an address.
    PTR = 12;
    /// A mail server.
    MX = 15;
    /// Text.
    TXT = 16;
    /// An IPv6 address (RFC 3596).
    AAAA = 28;
    /// Where a service is (RFC 2782).
    SRV = 33;
    /// What a sender says about itself: no record (RFC 6891).
    OPT = 41;
    /// Everything there is.
    ANY = 255;
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// A resource record.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Whose it is.
    pub name: NameView<'a>,
    /// Its type.
    pub kind: RecordType,
    /// Its class; of an OPT record something else.
    pub class: u16,
    /// Seconds it may be kept; of an OPT record something else.
    //= https://www.rfc-editor.org/rfc/rfc1035#section-3.2.1
    //# TTL             a 32 bit signed integer that specifies the time interval
    //# that the resource record may be cached before the source
    //# of the information should again be consulted.
    pub ttl: u32,
    /// Its data.
    pub data: Rdata<'a>,
}

/// TYPE, CLASS, TTL, RDLENGTH.
const FIXED: usize = 10;

impl<'a> Record<'a> {
    /// The record at an offset of a message, and where it ends.
    pub(super) fn parse(message: &'a [u8], at: usize) -> Result<(Self, usize), WireError> {
        let (name, at) = NameView::parse(message, at)?;
        let fixed: &[u8; FIXED] = message
            .get(at..)
            .and_then(<[u8]>::first_chunk)
            .ok_or(WireError::Truncated)?;
        let kind = RecordType(fixed.u16_at::<0>());
        let class = fixed.u16_at::<2>();
        let at = at + FIXED;
        let end = at + usize::from(fixed.u16_at::<8>());
        let data = if kind == RecordType::OPT {
            let options = message.get(at..end).ok_or(WireError::Truncated)?;
            Rdata::Opt(Edns::parse(class, fixed.u32_at::<4>(), options)?)
        } else {
            Rdata::parse(message, at, end, kind)?
        };
        //= https://www.rfc-editor.org/rfc/rfc1035#section-3.2.1
        //# Zero
        //# values are interpreted to mean that the RR can only be
        //# used for the transaction in progress, and should not be
        //# cached.
        let ttl = fixed.u32_at::<4>();
        let record = Self {
            name,
            kind,
            class,
            ttl,
            data,
        };
        Ok((record, end))
    }
}

/// The data of a record.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Rdata<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name this one is another name for.
    Cname(NameView<'a>),
    /// A name server.
    Ns(NameView<'a>),
    /// The name of an address.
    Ptr(NameView<'a>),
    /// A mail server.
    Mx(Mx<'a>),
    /// Where a service is.
    Srv(Srv<'a>),
    /// Text.
    Txt(Txt<'a>),
    /// The start of a zone.
    Soa(Soa<'a>),
    /// What the sender says about itself.
    Opt(Edns<'a>),
    /// Any other type, or one of the above in a class other than the Internet's that has data of
    /// its own.
    Other(&'a [u8]),
}

impl<'a> Rdata<'a> {
    /// The data of a record of a type that lies in `message[at..end]`; names in it may point
    /// further back.
    ///
    /// # Errors
    /// [`Truncated`](WireError::Truncated); [`BadName`](WireError::BadName);
    /// [`BadTotalLength`](WireError::BadTotalLength) if the data does not fill its length.
    pub fn parse(
        message: &'a [u8],
        at: usize,
        end: usize,
        kind: RecordType,
    ) -> Result<Self, WireError> {
        let data = message.get(at..end).ok_or(WireError::Truncated)?;
        // Names may not reach beyond the record's own data.
        let within = message.get(..end).ok_or(WireError::Truncated)?;
        let name = |at| match NameView::parse(within, at) {
            Ok((name, next)) => Ok((name, next)),
            Err(WireError::Truncated) => Err(WireError::BadTotalLength),
            Err(error) => Err(error),
        };
        let last_name = |at| match name(at)? {
            (name, next) if next == end => Ok(name),
            _ => Err(WireError::BadTotalLength),
        };
        Ok(match kind {
            RecordType::A => {
                let octets: [u8; 4] = data.try_into().map_err(|_| WireError::BadTotalLength)?;
                Self::A(octets.into())
            }
            RecordType::AAAA => {
                let octets: [u8; 16] = data.try_into().map_err(|_| WireError::BadTotalLength)?;
                Self::Aaaa(octets.into())
            }
            RecordType::CNAME => Self::Cname(last_name(at)?),
            RecordType::NS => Self::Ns(last_name(at)?),
            RecordType::PTR => Self::Ptr(last_name(at)?),
            RecordType::MX => {
                let fixed: &[u8; 2] = data.first_chunk().ok_or(WireError::BadTotalLength)?;
                Self::Mx(Mx {
                    preference: fixed.u16_at::<0>(),
                    exchange: last_name(at + 2)?,
                })
            }
            RecordType::SRV => {
                let fixed: &[u8; 6] = data.first_chunk().ok_or(WireError::BadTotalLength)?;
                Self::Srv(Srv {
                    priority: fixed.u16_at::<0>(),
                    weight: fixed.u16_at::<2>(),
                    port: fixed.u16_at::<4>(),
                    target: last_name(at + 6)?,
                })
            }
            RecordType::TXT => Self::Txt(Txt::new(data)?),
            RecordType::SOA => {
                let (primary, next) = name(at)?;
                let (mailbox, next) = name(next)?;
                let numbers: &[u8; 20] = within
                    .get(next..)
                    .and_then(|rest| rest.try_into().ok())
                    .ok_or(WireError::BadTotalLength)?;
                Self::Soa(Soa {
                    primary,
                    mailbox,
                    serial: numbers.u32_at::<0>(),
                    refresh: numbers.u32_at::<4>(),
                    retry: numbers.u32_at::<8>(),
                    expire: numbers.u32_at::<12>(),
                    minimum: numbers.u32_at::<16>(),
                })
            }
            _ => Self::Other(data),
        })
    }
}

/// In the presentation format of master files.
impl fmt::Display for Rdata<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::A(addr) => write!(f, "{addr}"),
            Self::Aaaa(addr) => write!(f, "{addr}"),
            Self::Cname(name) | Self::Ns(name) | Self::Ptr(name) => write!(f, "{name}"),
            Self::Mx(mx) => write!(f, "{} {}", mx.preference, mx.exchange),
            Self::Srv(srv) => write!(
                f,
                "{} {} {} {}",
                srv.priority, srv.weight, srv.port, srv.target
            ),
            Self::Txt(txt) => {
                for (index, text) in txt.strings().enumerate() {
                    if index > 0 {
                        f.write_str(" ")?;
                    }
                    f.write_str("\"")?;
                    for &octet in text {
                        match octet {
                            b'"' | b'\\' => write!(f, "\\{}", octet as char)?,
                            0x20..=0x7e => write!(f, "{}", octet as char)?,
                            _ => write!(f, "\\{octet:03}")?,
                        }
                    }
                    f.write_str("\"")?;
                }
                Ok(())
            }
            Self::Soa(soa) => write!(
                f,
                "{} {} {} {} {} {} {}",
                soa.primary,
                soa.mailbox,
                soa.serial,
                soa.refresh,
                soa.retry,
                soa.expire,
                soa.minimum
            ),
            Self::Opt(edns) => write!(f, "version {} payload {}", edns.version, edns.payload),
            Self::Other(data) => {
                // RFC 3597 §5.
                write!(f, "\\# {}", data.len())?;
                data.iter().enumerate().try_for_each(|(index, octet)| {
                    write!(f, "{}{octet:02x}", if index == 0 { " " } else { "" })
                })
            }
        }
    }
}

/// A mail server (RFC 1035 §3.3.9).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Mx<'a> {
    /// The lowest is tried first.
    pub preference: u16,
    /// The server.
    pub exchange: NameView<'a>,
}

/// Where a service is (RFC 2782).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Srv<'a> {
    /// The lowest is tried first.
    pub priority: u16,
    /// Shares among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; the root if there is no such service.
    pub target: NameView<'a>,
}

/// Text: strings of up to 255 octets (RFC 1035 §3.3.14).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Txt<'a> {
    data: &'a [u8],
}

impl<'a> Txt<'a> {
    /// From strings with their length octets, at least one.
    ///
    /// # Errors
    /// [`BadTotalLength`](WireError::BadTotalLength) if the last string is cut or there is none.
    pub fn new(data: &'a [u8]) -> Result<Self, WireError> {
        let mut rest = data;
        if rest.is_empty() {
            return Err(WireError::BadTotalLength);
        }
        while let Some((&len, tail)) = rest.split_first() {
            rest = tail
                .get(usize::from(len)..)
                .ok_or(WireError::BadTotalLength)?;
        }
        Ok(Self { data })
    }

    /// The strings.
    pub fn strings(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.data;
        core::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            let (string, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some(string)
        })
    }

    /// The strings with their length octets.
    #[must_use]
    pub const fn as_octets(&self) -> &'a [u8] {
        self.data
    }
}

/// The start of a zone (RFC 1035 §3.3.13).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Soa<'a> {
    /// The primary name server.
    pub primary: NameView<'a>,
    /// Whom to write to.
    pub mailbox: NameView<'a>,
    /// The zone's version.
    pub serial: u32,
    /// Seconds between refreshes.
    pub refresh: u32,
    /// Seconds before a failed refresh is repeated.
    pub retry: u32,
    /// Seconds after which an unrefreshed zone is no longer served.
    pub expire: u32,
    /// Seconds a negative answer may be kept (RFC 2308 §4).
    pub minimum: u32,
}

/// What a sender says about itself (RFC 6891 §6.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Edns<'a> {
    /// Octets of the longest UDP message the sender takes; at least 512.
    pub payload: u16,
    /// The upper eight bits of the response code.
    pub extended_rcode: u8,
    /// The version of EDNS.
    pub version: u8,
    /// DO: records for checking authenticity are wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// Options, each code, length and value.
    options: &'a [u8],
}

const DO: u32 = 0x8000;

impl<'a> Edns<'a> {
    /// Version 0, without options.
    #[must_use]
    pub const fn new(payload: u16) -> Self {
        Self {
            payload,
            extended_rcode: 0,
            version: 0,
            dnssec_ok: false,
            options: &[],
        }
    }

    fn parse(class: u16, ttl: u32, options: &'a [u8]) -> Result<Self, WireError> {
        let edns = Self {
            //= https://www.rfc-editor.org/rfc/rfc6891#section-6.2.3
            //# Values lower than 512 MUST be treated as equal to 512.
            payload: class.max(512),
            extended_rcode: (ttl >> 24) as u8,
            version: (ttl >> 16) as u8,
            dnssec_ok: ttl & DO != 0,
            options,
        };
        let mut rest = options;
        while !rest.is_empty() {
            let (head, tail) = rest.split_first_chunk::<4>().ok_or(WireError::BadOption)?;
            rest = tail
                .get(usize::from(head.u16_at::<2>())..)
                .ok_or(WireError::BadOption)?;
        }
        Ok(edns)
    }

    /// The options: code and value.
    pub fn options(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.options;
        core::iter::from_fn(move || {
            let (head, tail) = rest.split_first_chunk::<4>()?;
            let (value, tail) = tail.split_at_checked(usize::from(head.u16_at::<2>()))?;
            rest = tail;
            Some((head.u16_at::<0>(), value))
        })
    }

    /// The options as on the wire.
    pub(super) const fn options_octets(&self) -> &'a [u8] {
        self.options
    }

    /// The field other records have their TTL in.
    pub(super) fn ttl(&self) -> u32 {
        u32::from(self.extended_rcode) << 24
            | u32::from(self.version) << 16
            | if self.dnssec_ok { DO } else { 0 }
    }
}
