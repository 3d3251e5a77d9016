//! A packet: what is around it, its IP header, what it carries.

use super::{Kind, Parser};
use crate::drill::ast::{
    Direction, Ecn, Encapsulation, Gre, Icmp, IpFields, MplsLabel, Numbers, Packet, Payload, Ports,
    Quoted,
};
use crate::drill::error::SyntaxError;
use crate::drill::icmp_names;

impl Parser<'_> {
    /// What follows `<` or `>`.
    pub(super) fn packet(&mut self, direction: Direction) -> Result<Packet, SyntaxError> {
        let mut encapsulations = Vec::new();
        while let Some(header) = self.encapsulation()? {
            encapsulations.push(header);
        }
        let ip = self.ip_fields()?;
        let payload = if self.eat_word("udp") {
            let ports = self.ports()?;
            self.expect("(")?;
            let len = self.data_len()?;
            self.expect(")")?;
            Payload::Udp { len, ports }
        } else if self.is_word("icmp") || self.is_word("icmpv6") {
            self.bump();
            Payload::Icmp(self.icmp()?)
        } else {
            Payload::Tcp(self.tcp(direction)?)
        };
        Ok(Packet {
            direction,
            encapsulations,
            ip,
            payload,
        })
    }

    fn encapsulation(&mut self) -> Result<Option<Encapsulation>, SyntaxError> {
        let Kind::Word(word) = self.kind() else {
            return Ok(None);
        };
        let header = match word.as_str() {
            "ipv4" => {
                self.bump();
                let ip = self.ip_fields()?;
                let src = self.address("an IPv4 address")?;
                let dst = self.destination("an IPv4 address")?;
                Encapsulation::Ipv4(ip, src, dst)
            }
            "ipv6" => {
                self.bump();
                let ip = self.ip_fields()?;
                let src = self.address("an IPv6 address")?;
                let dst = self.destination("an IPv6 address")?;
                Encapsulation::Ipv6(ip, src, dst)
            }
            "gre" => {
                self.bump();
                Encapsulation::Gre(self.gre()?)
            }
            "mpls" => {
                self.bump();
                Encapsulation::Mpls(self.mpls()?)
            }
            _ => return Ok(None),
        };
        self.expect(":")?;
        Ok(Some(header))
    }

    fn destination<A: std::str::FromStr>(&mut self, what: &str) -> Result<A, SyntaxError> {
        self.expect(">")?;
        self.address(what)
    }

    /// An address: the tokens that stand together without a blank.
    fn address<A: std::str::FromStr>(&mut self, what: &str) -> Result<A, SyntaxError> {
        let at = self.at();
        let mut text = String::new();
        while text.is_empty() || self.token().joined {
            match self.kind() {
                Kind::Integer(_, written) | Kind::Decimal(_, written) => text.push_str(written),
                Kind::Word(word) => text.push_str(word),
                Kind::Sign(sign @ (":" | ".")) => {
                    // The colon that ends the header is followed by a blank.
                    if *sign == ":" && !self.next_is_joined() {
                        break;
                    }
                    text.push_str(sign);
                }
                _ => break,
            }
            self.bump();
        }
        text.parse()
            .map_err(|_| SyntaxError::new(at, format!("expected {what}, found `{text}`")))
    }

    fn next_is_joined(&self) -> bool {
        self.tokens
            .get(self.next + 1)
            .is_some_and(|token| token.joined && token.kind != Kind::End)
    }

    fn gre(&mut self) -> Result<Gre, SyntaxError> {
        let mut gre = Gre::default();
        while !self.is(":") {
            if self.eat_word("sum") {
                gre.sum = Some(self.integer("a checksum")?);
                // The offset that follows is reserved (RFC 2784).
                if self.eat_word("off") {
                    self.integer::<u16>("an offset")?;
                }
            } else if self.eat_word("flags") {
                self.gre_flags(&mut gre)?;
            } else if self.eat_word("key") {
                self.eat("=");
                gre.key = Some(self.integer("a key")?);
            } else if self.eat_word("seq") {
                gre.seq = Some(self.integer("a sequence number")?);
            } else if !self.eat(",") {
                return self.fail("`flags`, `sum`, `key`, `seq` or `:`");
            }
        }
        Ok(gre)
    }

    /// `[checksum present, key present, sequence present]`, `[none]` or the bits: the fields
    /// that are there, zero unless their values follow.
    fn gre_flags(&mut self, gre: &mut Gre) -> Result<(), SyntaxError> {
        if !self.eat("[") {
            let bits: u16 = self.integer("the flags of a GRE header")?;
            gre.sum = (bits & 0x8000 != 0).then_some(0);
            gre.key = (bits & 0x2000 != 0).then_some(0);
            gre.seq = (bits & 0x1000 != 0).then_some(0);
            return Ok(());
        }
        while !self.eat("]") {
            let at = self.at();
            match self.word("`checksum`, `key`, `sequence` or `none`")? {
                "checksum" => gre.sum = Some(0),
                "key" => gre.key = Some(0),
                "sequence" => gre.seq = Some(0),
                "none" => {}
                word => {
                    return Err(SyntaxError::new(at, format!("`{word}` is no flag of GRE")));
                }
            }
            self.eat_word("present");
            self.eat(",");
        }
        Ok(())
    }

    fn mpls(&mut self) -> Result<Vec<MplsLabel>, SyntaxError> {
        let mut stack = Vec::new();
        while self.eat("(") {
            let at = self.at();
            let mut entry = MplsLabel {
                label: 0,
                tc: 0,
                bottom: false,
                ttl: 0,
            };
            while !self.eat(")") {
                if self.eat_word("label") {
                    entry.label = self.integer("a label")?;
                } else if self.eat_word("tc") {
                    entry.tc = self.integer("a traffic class")?;
                } else if self.eat_word("ttl") {
                    entry.ttl = self.integer("a time to live")?;
                } else if self.is("[") {
                    self.bump();
                    if !self.eat_word("S") {
                        return self.fail("`S`");
                    }
                    self.expect("]")?;
                    entry.bottom = true;
                } else if !self.eat(",") {
                    return self.fail("`label`, `tc`, `[S]`, `ttl` or `)`");
                }
            }
            if entry.label >> 20 != 0 || entry.tc > 7 {
                return Err(SyntaxError::new(
                    at,
                    "a label has 20 bits and a traffic class 3",
                ));
            }
            stack.push(entry);
            self.eat(",");
        }
        if stack.is_empty() {
            return self.fail("`(label N, tc N, [S], ttl N)`");
        }
        Ok(stack)
    }

    /// `[ect0, ttl 64, tos 0x10, flowlabel 0x1]`
    fn ip_fields(&mut self) -> Result<IpFields, SyntaxError> {
        let mut ip = IpFields::default();
        let close = if self.eat("[") {
            "]"
        } else if self.eat("(") {
            ")"
        } else {
            return Ok(ip);
        };
        while !self.eat(close) {
            let at = self.at();
            match self.word("`ect0`, `ect1`, `ce`, `noecn`, `tos`, `ttl` or `flowlabel`")? {
                "noecn" => ip.ecn = Some(Ecn::Codepoint(0)),
                "ect1" => ip.ecn = Some(Ecn::Codepoint(1)),
                "ect0" => ip.ecn = Some(Ecn::Codepoint(2)),
                "ce" => ip.ecn = Some(Ecn::Codepoint(3)),
                "ect01" => ip.ecn = Some(Ecn::EitherEct),
                "tos" | "tclass" => ip.tos = Some(self.integer("a TOS byte")?),
                "ttl" | "hlim" => ip.ttl = Some(self.integer("a time to live")?),
                "flowlabel" => ip.flow_label = Some(self.integer("a flow label")?),
                word => {
                    return Err(SyntaxError::new(
                        at,
                        format!("`{word}` is no field of an IP header"),
                    ));
                }
            }
            if !self.is(close) {
                self.expect(",")?;
            }
        }
        Ok(ip)
    }

    /// `40000 > 8080`, if it stands here.
    pub(super) fn ports(&mut self) -> Result<Option<Ports>, SyntaxError> {
        if !matches!(
            (self.kind(), self.ahead(1)),
            (Kind::Integer(..), Kind::Sign(">"))
        ) {
            return Ok(None);
        }
        let src = self.integer("a port")?;
        self.expect(">")?;
        let dst = self.integer("a port")?;
        Ok(Some(Ports { src, dst }))
    }

    fn icmp(&mut self) -> Result<Icmp, SyntaxError> {
        let at = self.at();
        let (name, numbers) = self.icmp_name()?;
        let mut icmp = Icmp {
            at,
            name,
            numbers,
            mtu: None,
            id: None,
            quoted: None,
        };
        loop {
            if self.eat_word("mtu") {
                icmp.mtu = Some(self.integer("an MTU")?);
            } else if self.eat_word("id") {
                icmp.id = Some(self.integer("an identifier")?);
            } else if self.eat("[") {
                icmp.quoted = Some(self.quoted()?);
                self.expect("]")?;
            } else {
                return Ok(icmp);
            }
        }
    }

    /// `unreachable port_unreachable`, `type_3 code_1`; a code that is not written is 0.
    fn icmp_name(&mut self) -> Result<(String, Numbers), SyntaxError> {
        let at = self.at();
        let word = self.word("the name of an ICMP message")?.to_owned();
        let Some(kind) = icmp_names::kind(&word) else {
            return Err(SyntaxError::new(at, format!("`{word}` is no ICMP message")));
        };
        let written = match self.kind() {
            Kind::Word(code) if code != "mtu" && code != "id" => Some(code.clone()),
            _ => None,
        };
        let Some(written) = written else {
            return Ok((word, icmp_names::numbers(kind, (Some(0), Some(0)))));
        };
        let Some(code) = icmp_names::code(&word, &written) else {
            return self.fail(&format!("a code of `{word}`"));
        };
        self.bump();
        Ok((format!("{word} {written}"), icmp_names::numbers(kind, code)))
    }

    fn quoted(&mut self) -> Result<Quoted, SyntaxError> {
        if self.eat_word("udp") {
            self.expect("(")?;
            let len = self.data_len()?;
            self.expect(")")?;
            return Ok(Quoted::Udp { len });
        }
        if self.eat_word("raw") {
            self.expect("(")?;
            let len = self.data_len()?;
            self.expect(")")?;
            return Ok(Quoted::Raw { len });
        }
        let ports = self.ports()?;
        let (seq, len) = self.sequence()?;
        Ok(Quoted::Tcp { ports, seq, len })
    }
}
