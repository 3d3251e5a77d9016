//! What a script says, as it says it: sequence numbers, times and names are the script's own.

use super::error::Position;

/// A parsed script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// `--name=value` lines, in order.
    pub options: Vec<ScriptOption>,
    /// `// netloom: name=value` comments ahead of the first event, in order.
    pub directives: Vec<ScriptOption>,
    /// What happens, in order.
    pub events: Vec<Event>,
}

/// A name and a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptOption {
    /// Where it stands.
    pub at: Position,
    /// The name, without dashes.
    pub name: String,
    /// The value; empty if there is none.
    pub value: String,
}

/// Something that happens, or must happen, at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where it stands.
    pub at: Position,
    /// When.
    pub when: When,
    /// What.
    pub action: Action,
}

/// When an event happens. Times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after the script began.
    Absolute(u64),
    /// So long after the event before.
    Relative(u64),
    /// Between two times after the script began.
    AbsoluteRange(u64, u64),
    /// Between two times after the event before.
    RelativeRange(u64, u64),
    /// Whenever.
    Any,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A packet arrives, or must be sent.
    Packet(Packet),
    /// A program calls the socket API.
    Call(Call),
    /// Assertions hold.
    Code(Vec<Statement>),
    /// Settings change (the one command line a script may have).
    Sysctl(Vec<ScriptOption>),
}

/// Which way a packet goes, seen from the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `<`: it arrives.
    In,
    /// `>`: it must be sent.
    Out,
}

/// A packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Which way.
    pub direction: Direction,
    /// Headers around it, outermost first.
    pub encapsulations: Vec<Encapsulation>,
    /// What is said of its IP header.
    pub ip: IpFields,
    /// What it carries.
    pub payload: Payload,
}

/// A header around the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encapsulation {
    /// An IPv4 header: what is said of it, source and destination.
    Ipv4(IpFields, std::net::Ipv4Addr, std::net::Ipv4Addr),
    /// An IPv6 header: what is said of it, source and destination.
    Ipv6(IpFields, std::net::Ipv6Addr, std::net::Ipv6Addr),
    /// A GRE header (RFC 2784), with its flags, checksum, key and sequence number if named.
    Gre(Gre),
    /// A stack of MPLS labels, outermost first.
    Mpls(Vec<MplsLabel>),
}

/// A GRE header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gre {
    /// Checksum and offset.
    pub sum: Option<u16>,
    /// Key (RFC 2890).
    pub key: Option<u32>,
    /// Sequence number (RFC 2890).
    pub seq: Option<u32>,
}

/// An entry of an MPLS label stack (RFC 3032).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MplsLabel {
    /// 20 bits.
    pub label: u32,
    /// Traffic class, 3 bits.
    pub tc: u8,
    /// Bottom of stack.
    pub bottom: bool,
    /// Time to live.
    pub ttl: u8,
}

/// What is said of an IP header. `None` leaves a field alone: not compared on the way out, the
/// usual value on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IpFields {
    /// The ECN codepoint.
    pub ecn: Option<Ecn>,
    /// The whole Type of Service or Traffic Class byte.
    pub tos: Option<u8>,
    /// Time to live or hop limit.
    pub ttl: Option<u8>,
    /// Flow label, for IPv6.
    pub flow_label: Option<u32>,
}

/// What is said of the ECN codepoint (RFC 3168 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// This one, 0 to 3.
    Codepoint(u8),
    /// ECT(0) or ECT(1); ECT(0) on the way in.
    EitherEct,
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A TCP segment.
    Tcp(Tcp),
    /// A UDP datagram with so many bytes of data.
    Udp {
        /// Bytes of data.
        len: u16,
        /// The ports, if the script says them.
        ports: Option<Ports>,
    },
    /// An ICMP message.
    Icmp(Icmp),
}

/// The source and destination port as the script says them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// Source.
    pub src: u16,
    /// Destination.
    pub dst: u16,
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// The ports, if the script says them.
    pub ports: Option<Ports>,
    /// The flags byte, CWR as 0x80 to FIN as 1, and AE (RFC 3168's NS) as 0x100.
    pub flags: u16,
    /// First sequence number.
    pub seq: u32,
    /// Bytes of data.
    pub len: u16,
    /// Acknowledgment number, if ACK is set or it is written.
    pub ack: Option<u32>,
    /// The window field.
    pub window: Option<u16>,
    /// The urgent pointer.
    pub urgent: Option<u16>,
    /// Options; `None` on `<...>`: any.
    pub options: Option<Vec<TcpOption>>,
}

/// A TCP option, with the script's numbers in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TcpOption {
    /// End of the list.
    Eol,
    /// No operation.
    Nop,
    /// Maximum segment size.
    Mss(u16),
    /// Window scale.
    WindowScale(u8),
    /// SACK permitted.
    SackPermitted,
    /// Selective acknowledgments: left and right edges.
    Sack(Vec<(u32, u32)>),
    /// Timestamps.
    Timestamps {
        /// TSval.
        val: u32,
        /// TSecr.
        ecr: u32,
    },
    /// A TCP MD5 signature (RFC 2385): its 16 bytes, or any.
    Md5(Option<[u8; 16]>),
    /// A Fast Open cookie (RFC 7413), as option 34 or, `experimental`, as 254 with the magic
    /// number 0xF989.
    FastOpen {
        /// In the experimental form.
        experimental: bool,
        /// The cookie.
        cookie: Vec<u8>,
    },
    /// Any other option, byte for byte: its kind, and what follows its length.
    Other {
        /// The kind.
        kind: u8,
        /// What follows the length.
        data: Vec<u8>,
    },
}

/// An ICMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// Where its name stands.
    pub at: Position,
    /// Its name as written.
    pub name: String,
    /// Type and code in both versions: a script runs over either.
    pub numbers: Numbers,
    /// The MTU, for those that have one.
    pub mtu: Option<u32>,
    /// Identifier of an echo.
    pub id: Option<u16>,
    /// The packet an error quotes.
    pub quoted: Option<Quoted>,
}

/// Type and code of an ICMP message in each version that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Type and code of ICMP (RFC 792).
    pub v4: Option<(u8, u8)>,
    /// Type and code of ICMPv6 (RFC 4443).
    pub v6: Option<(u8, u8)>,
}

/// The packet that an ICMP error quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoted {
    /// A segment of the connection, by first sequence number and length of its data.
    Tcp {
        /// The ports (of the quoted packet), if the script says them.
        ports: Option<Ports>,
        /// First sequence number.
        seq: u32,
        /// Bytes of data.
        len: u16,
    },
    /// A datagram of the socket, by length.
    Udp {
        /// Bytes of data.
        len: u16,
    },
    /// A packet of some other protocol, by length.
    Raw {
        /// Bytes after the IP header.
        len: u16,
    },
}

/// A call of the socket API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Where its name stands.
    pub at: Position,
    /// The function.
    pub name: String,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// When it returns, if it blocks: relative to the same moment as the event's own time.
    pub until: Option<u64>,
    /// What it returns.
    pub result: Expr,
    /// The name of the error it fails with.
    pub errno: Option<String>,
}

/// An expression, in the C-like form of the language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    /// `...`: whatever fits.
    Ellipsis,
    /// A number.
    Integer(i64),
    /// A string.
    String(String),
    /// `"abc"...`: a string again and again, for as long as it takes.
    Repeated(String),
    /// A name from the C headers.
    Name(String),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `{name = value, value}`.
    Struct(Vec<Field>),
    /// `name(a, b)`.
    Call(String, Vec<Expr>),
    /// `-a`, `~a` or `!a`.
    Unary(Unary, Box<Expr>),
    /// `a + b` and its like.
    Binary(Binary, Box<Expr>, Box<Expr>),
}

/// A part of a `{...}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty if it goes by its place.
    pub name: String,
    /// A length in brackets after the name: `msg_iov(2)`.
    pub length: Option<Expr>,
    /// Its value.
    pub value: Expr,
}

/// An operator with one operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unary {
    /// `-`
    Negate,
    /// `~`
    Invert,
    /// `not`, `!`
    Not,
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binary {
    /// `|`
    BitOr,
    /// `&`
    BitAnd,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/` and `//`: rounded down, as in Python.
    Divide,
    /// `%`
    Remainder,
    /// `<<`
    ShiftLeft,
    /// `>>`
    ShiftRight,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `and`
    And,
    /// `or`
    Or,
}

impl Binary {
    /// Whether it compares two numbers.
    pub(crate) fn compares(self) -> bool {
        use Binary::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        matches!(
            self,
            Equal | NotEqual | Less | LessOrEqual | Greater | GreaterOrEqual
        )
    }
}

/// A statement of a code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Where it begins.
    pub at: Position,
    /// What must be true.
    pub condition: Expr,
    /// What to say if it is not.
    pub message: Option<Expr>,
    /// The condition as written.
    pub text: String,
}
