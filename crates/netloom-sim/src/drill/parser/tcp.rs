//! A TCP segment and its options.

use super::{Kind, Parser};
use crate::drill::ast::{Direction, Tcp, TcpOption};
use crate::drill::error::SyntaxError;
use crate::drill::{flags, live};

/// Bytes of data that fit an IP packet beside any headers a script can write.
const LONGEST_DATA: u16 = 65_000;

impl Parser<'_> {
    pub(super) fn tcp(&mut self, direction: Direction) -> Result<Tcp, SyntaxError> {
        let ports = self.ports()?;
        let flags = self.flags()?;
        let (seq, len) = self.sequence()?;
        let mut tcp = Tcp {
            ports,
            flags,
            seq,
            len,
            ack: None,
            window: None,
            urgent: None,
            options: Some(Vec::new()),
        };
        if self.eat_word("ack") {
            tcp.ack = Some(self.number32("an acknowledgment number")?);
        }
        if self.eat_word("win") {
            tcp.window = Some(self.integer("a window")?);
        } else if direction == Direction::In {
            return self.fail("`win`: a segment that arrives says its window");
        }
        if self.eat_word("urg") {
            tcp.urgent = Some(self.integer("an urgent pointer")?);
        }
        if self.is("<") && !self.token().starts_line {
            tcp.options = self.tcp_options()?;
        }
        Ok(tcp)
    }

    /// `S`, `.`, `P.`, `SEW`, `-`
    fn flags(&mut self) -> Result<u16, SyntaxError> {
        let at = self.at();
        let mut text = String::new();
        while text.is_empty() || self.token().joined {
            match self.kind() {
                Kind::Word(word) => text.push_str(word),
                Kind::Sign(".") => text.push('.'),
                Kind::Sign("-") if text.is_empty() => text.push('-'),
                _ => break,
            }
            self.bump();
        }
        if text.is_empty() {
            return self.fail("TCP flags (`S`, `.`, `P.`, ...), `udp` or `icmp`");
        }
        flags::parse(&text).ok_or_else(|| {
            SyntaxError::new(
                at,
                format!("`{text}` is no TCP flags: they are F S R P . U E W A, or `-` for none"),
            )
        })
    }

    /// `first:last(length)`
    pub(super) fn sequence(&mut self) -> Result<(u32, u16), SyntaxError> {
        let at = self.at();
        let first: u32 = self.number32("a sequence number")?;
        self.expect(":")?;
        let last: u32 = self.number32("a sequence number")?;
        self.expect("(")?;
        let len = self.data_len()?;
        self.expect(")")?;
        if first.checked_add(u32::from(len)) != Some(last) {
            return Err(SyntaxError::new(
                at,
                format!("{first}:{last} is not {len} bytes long"),
            ));
        }
        Ok((first, len))
    }

    /// Bytes of data that fit a packet with all its headers.
    pub(super) fn data_len(&mut self) -> Result<u16, SyntaxError> {
        let at = self.at();
        let len = self.integer("a length of data")?;
        if len > LONGEST_DATA {
            return Err(SyntaxError::new(
                at,
                format!("{len} bytes do not fit a packet: {LONGEST_DATA} do"),
            ));
        }
        Ok(len)
    }

    /// A number of 32 bits.
    fn number32(&mut self, what: &str) -> Result<u32, SyntaxError> {
        self.integer(what)
    }

    /// The list between `<` and `>`; `None` is `<...>`.
    fn tcp_options(&mut self) -> Result<Option<Vec<TcpOption>>, SyntaxError> {
        let at = self.at();
        self.expect("<")?;
        let mut options = Vec::new();
        if let Kind::Ellipsis = self.kind() {
            self.bump();
            self.expect(">")?;
            return Ok(None);
        }
        while !self.eat(">") {
            options.push(self.tcp_option()?);
            if !self.is(">") {
                self.expect(",")?;
            }
        }
        let len = live::options::len(&options);
        if len > 40 || len % 4 != 0 {
            return Err(SyntaxError::new(
                at,
                format!(
                    "these options take {len} bytes: pad them with nop or eol to a multiple of 4, \
                     40 at most"
                ),
            ));
        }
        Ok(Some(options))
    }

    fn tcp_option(&mut self) -> Result<TcpOption, SyntaxError> {
        let at = self.at();
        Ok(match self.word("a TCP option")? {
            "eol" => TcpOption::Eol,
            "nop" => TcpOption::Nop,
            "mss" => TcpOption::Mss(self.integer("a segment size")?),
            "wscale" => TcpOption::WindowScale(self.integer("a window scale")?),
            "sackOK" => TcpOption::SackPermitted,
            "sack" => TcpOption::Sack(self.sack_blocks()?),
            "TS" => self.timestamps()?,
            "md5" => {
                self.eat_word("valid");
                TcpOption::Md5(self.md5()?)
            }
            "FO" => TcpOption::FastOpen {
                experimental: false,
                cookie: self.bytes()?,
            },
            "FOEXP" => TcpOption::FastOpen {
                experimental: true,
                cookie: self.bytes()?,
            },
            "exp" => TcpOption::Other {
                kind: 254,
                data: self.bytes()?,
            },
            "kind" => TcpOption::Other {
                kind: self.integer("the kind of an option")?,
                data: self.bytes()?,
            },
            word => {
                return Err(SyntaxError::new(at, format!("`{word}` is no TCP option")));
            }
        })
    }

    fn sack_blocks(&mut self) -> Result<Vec<(u32, u32)>, SyntaxError> {
        let mut blocks = Vec::new();
        while let Kind::Integer(..) = self.kind() {
            let left = self.number32("the left edge of a block")?;
            self.expect(":")?;
            blocks.push((left, self.number32("the right edge of a block")?));
        }
        if blocks.is_empty() {
            return self.fail("a block (`1001:2001`)");
        }
        Ok(blocks)
    }

    fn timestamps(&mut self) -> Result<TcpOption, SyntaxError> {
        if !self.eat_word("val") {
            return self.fail("`val`");
        }
        let val = self.number32("a timestamp")?;
        if !self.eat_word("ecr") {
            return self.fail("`ecr`");
        }
        let ecr = self.number32("a timestamp")?;
        Ok(TcpOption::Timestamps { val, ecr })
    }

    fn md5(&mut self) -> Result<Option<[u8; 16]>, SyntaxError> {
        let at = self.at();
        let bytes = self.bytes()?;
        if bytes.is_empty() {
            return Ok(None);
        }
        match bytes.try_into() {
            Ok(digest) => Ok(Some(digest)),
            Err(_) => Err(SyntaxError::new(at, "a signature has 16 bytes")),
        }
    }

    /// Bytes in hexadecimal, two digits each; none if nothing like that follows.
    fn bytes(&mut self) -> Result<Vec<u8>, SyntaxError> {
        let at = self.at();
        let mut text = String::new();
        while let Kind::Word(word) | Kind::Integer(_, word) = self.kind() {
            text.push_str(word.strip_prefix("0x").unwrap_or(word));
            self.bump();
        }
        let pairs = text.as_bytes().chunks(2);
        let parsed: Option<Vec<u8>> = pairs
            .map(|pair| {
                let pair = std::str::from_utf8(pair).ok()?;
                let whole = pair.len() == 2;
                whole.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
            })
            .collect();
        parsed.ok_or_else(|| SyntaxError::new(at, format!("`{text}` is not bytes in hexadecimal")))
    }
}
