//! Calls that make, change and end sockets.

use std::net::SocketAddr;

use super::{Attempt, Outcome, Returned, arguments};
use crate::drill::ast::{Call, Expr, ExprKind};
use crate::drill::errno::Errno;
use crate::drill::error::Mismatch;
use crate::drill::flow::Transport;
use crate::drill::names::{AF_INET, AF_INET6, SO_LINGER, SO_TYPE, SOCK_DGRAM, SOL_SOCKET};
use crate::drill::runner::Runner;
use crate::drill::subject::Fd;
use crate::drill::values;

impl Runner<'_, '_> {
    pub(super) fn socket(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [domain, kind, protocol] = self.args(call)?;
        let of_run = if self.settings.is_v6() {
            AF_INET6
        } else {
            AF_INET
        };
        let domain = match domain.kind {
            ExprKind::Ellipsis => of_run,
            _ => match values::int(domain)? {
                // A script runs over both versions whichever it names.
                AF_INET | AF_INET6 => of_run,
                other => other,
            },
        };
        let (kind, protocol) = (values::int(kind)?, values::int(protocol)?);
        let made = self.subject.socket(domain, kind, protocol);
        Ok(made.map(|fd| self.new_fd(call, fd)).into())
    }

    pub(super) fn bind(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, at, _len] = self.args(call)?;
        let fd = self.fd(fd)?;
        let at = values::address(at, self.settings, values::Default::Local)?;
        let bound = self.subject.bind(fd, at);
        if bound.is_ok() {
            self.local_port = at.port();
            if self.is_datagram(fd) {
                self.new_current(Transport::Udp);
            }
        }
        Ok(bound.map(|()| 0).into())
    }

    fn is_datagram(&mut self, fd: Fd) -> bool {
        let kind = self.subject.getsockopt(fd, SOL_SOCKET, SO_TYPE);
        kind.is_ok_and(|kind| kind == SOCK_DGRAM.to_ne_bytes())
    }

    pub(super) fn listen(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, backlog] = self.args(call)?;
        let (fd, backlog) = (self.fd(fd)?, values::int(backlog)?);
        let listening = self.subject.listen(fd, backlog);
        if listening.is_ok() {
            self.fresh = true;
        }
        Ok(listening.map(|()| 0).into())
    }

    pub(super) fn accept(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let (fd, peer, flags) = match call.args.as_slice() {
            [fd, peer, _] => (fd, peer, 0),
            [fd, peer, _, flags] => (fd, peer, values::int(flags)?),
            _ => return arguments(call, "3 or 4"),
        };
        let fd = self.fd(fd)?;
        match self.subject.accept(fd, flags) {
            Ok((accepted, from)) => {
                let wrong = match &peer.kind {
                    ExprKind::Struct(_) => {
                        let expected =
                            values::address(peer, self.settings, values::Default::Remote)?;
                        (expected != from).then(|| format!("{expected} expected, {from} came"))
                    }
                    _ => None,
                };
                Ok(Outcome::Returned(Returned {
                    value: Ok(self.new_fd(call, accepted)),
                    wrong,
                }))
            }
            Err(Errno::EAGAIN) if self.waits(fd, 0) => Ok(Outcome::Waits {
                timeout: None,
                progress: 0,
            }),
            Err(error) => Ok(Err(error).into()),
        }
    }

    pub(super) fn connect(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [fd, to, _len] = self.args(call)?;
        let fd = self.fd(fd)?;
        let to = values::address(to, self.settings, values::Default::Remote)?;
        let result = self.subject.connect(fd, to);
        match result {
            // A stream's first answer, whether it then waits or not.
            Err(Errno::EINPROGRESS) => self.connecting(fd, to, Transport::Tcp),
            Ok(()) if attempt.first && self.is_datagram(fd) => {
                self.connecting(fd, to, Transport::Udp);
            }
            Ok(()) | Err(_) => {}
        }
        match result {
            Err(Errno::EINPROGRESS | Errno::EALREADY) if self.waits(fd, 0) => Ok(Outcome::Waits {
                timeout: None,
                progress: 0,
            }),
            other => Ok(other.map(|()| 0).into()),
        }
    }

    /// Packets without ports belong to what was opened last.
    pub(super) fn connecting(&mut self, fd: Fd, to: SocketAddr, transport: Transport) {
        let Ok(local) = self.subject.local_addr(fd) else {
            return;
        };
        let local = SocketAddr::new(self.settings.local_ip, local.port());
        let index = self.open_flow(transport, local, to);
        self.flows[index].reopen();
        self.current = Some(index);
        self.fresh = false;
    }

    pub(super) fn close(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [number] = self.args(call)?;
        let fd = self.fd(number)?;
        let closed = self.subject.close(fd);
        if closed.is_ok() {
            self.files.remove(&values::integer(number)?);
        }
        Ok(closed.map(|()| 0).into())
    }

    pub(super) fn shutdown(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, how] = self.args(call)?;
        let (fd, how) = (self.fd(fd)?, values::int(how)?);
        Ok(self.subject.shutdown(fd, how).map(|()| 0).into())
    }

    pub(super) fn fcntl(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let (fd, command, argument) = match call.args.as_slice() {
            [fd, command] => (fd, command, 0),
            [fd, command, argument] => (fd, command, values::int(argument)?),
            _ => return arguments(call, "2 or 3"),
        };
        let (fd, command) = (self.fd(fd)?, values::int(command)?);
        Ok(self
            .subject
            .fcntl(fd, command, argument)
            .map(i64::from)
            .into())
    }

    pub(super) fn ioctl(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, request, argument] = self.args(call)?;
        let (fd, request) = (self.fd(fd)?, values::int(request)?);
        let expected = match &argument.kind {
            ExprKind::Ellipsis => None,
            ExprKind::List(items) => match items.as_slice() {
                [item] if matches!(item.kind, ExprKind::Ellipsis) => None,
                [item] => Some(values::int(item)?),
                _ => return values::wrong(argument, "`[number]`"),
            },
            _ => Some(values::int(argument)?),
        };
        let mut value = expected.unwrap_or(0);
        let done = self.subject.ioctl(fd, request, &mut value);
        let wrong = expected.filter(|expected| *expected != value && done.is_ok());
        Ok(Outcome::Returned(Returned {
            value: done.map(|()| 0),
            wrong: wrong.map(|expected| format!("{expected} expected, {value} came")),
        }))
    }

    pub(super) fn setsockopt(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, level, name, value, _len] = self.args(call)?;
        let fd = self.fd(fd)?;
        let (level, name) = (values::int(level)?, values::int(name)?);
        let bytes = option_bytes(value)?;
        let (level, name) = self.in_version(level, name);
        Ok(self
            .subject
            .setsockopt(fd, level, name, &bytes)
            .map(|()| 0)
            .into())
    }

    pub(super) fn getsockopt(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, level, name, expected, _len] = self.args(call)?;
        let fd = self.fd(fd)?;
        let (level, name) = (values::int(level)?, values::int(name)?);
        let (level, name) = self.in_version(level, name);
        let value = match self.subject.getsockopt(fd, level, name) {
            Ok(value) => value,
            Err(error) => return Ok(Err(error).into()),
        };
        let anything = match &expected.kind {
            ExprKind::Ellipsis => true,
            ExprKind::List(items) => {
                matches!(items.as_slice(), [one] if matches!(one.kind, ExprKind::Ellipsis))
            }
            _ => false,
        };
        let wrong = if anything {
            None
        } else {
            let expected = option_bytes(expected)?;
            (value.get(..expected.len()) != Some(&expected[..])).then(|| {
                let shown = show_option(level, name, &value);
                format!(
                    "{} expected, {shown} came",
                    show_option(level, name, &expected)
                )
            })
        };
        Ok(Outcome::Returned(Returned {
            value: Ok(0),
            wrong,
        }))
    }

    /// An option of IPv4 stands for that of IPv6 with the same meaning.
    fn in_version(&self, level: i32, name: i32) -> (i32, i32) {
        use crate::drill::names::{
            IP_RECVERR, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR, IPV6_TCLASS,
            IPV6_UNICAST_HOPS,
        };
        match (level, name) {
            (IPPROTO_IP, IP_TOS) if self.settings.is_v6() => (IPPROTO_IPV6, IPV6_TCLASS),
            (IPPROTO_IP, IP_TTL) if self.settings.is_v6() => (IPPROTO_IPV6, IPV6_UNICAST_HOPS),
            (IPPROTO_IP, IP_RECVERR) if self.settings.is_v6() => (IPPROTO_IPV6, IPV6_RECVERR),
            other => other,
        }
    }

    pub(super) fn name_of(&mut self, call: &Call) -> Result<Outcome, Mismatch> {
        let [fd, expected, _len] = self.args(call)?;
        let fd = self.fd(fd)?;
        let (found, default) = if call.name == "getsockname" {
            (self.subject.local_addr(fd), values::Default::Local)
        } else {
            (self.subject.peer_addr(fd), values::Default::Remote)
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return Ok(Err(error).into()),
        };
        let wrong = match expected.kind {
            ExprKind::Ellipsis => None,
            _ => {
                let expected = values::address(expected, self.settings, default)?;
                (expected != found).then(|| format!("{expected} expected, {found} came"))
            }
        };
        Ok(Outcome::Returned(Returned {
            value: Ok(0),
            wrong,
        }))
    }
}

/// An option's value as C has it in memory: `[1]`, `1`, `{onoff=1, linger=5}`, `"cubic"`.
fn option_bytes(expr: &Expr) -> Result<Vec<u8>, Mismatch> {
    match &expr.kind {
        ExprKind::String(text) => Ok(text.clone().into_bytes()),
        ExprKind::List(items) => {
            let parts: Result<Vec<Vec<u8>>, Mismatch> = items.iter().map(option_bytes).collect();
            Ok(parts?.concat())
        }
        ExprKind::Struct(fields) => {
            let parts: Result<Vec<Vec<u8>>, Mismatch> = fields
                .iter()
                .map(|field| option_bytes(&field.value))
                .collect();
            Ok(parts?.concat())
        }
        _ => Ok(values::int(expr)?.to_ne_bytes().to_vec()),
    }
}

/// An option's value for a message.
fn show_option(level: i32, name: i32, bytes: &[u8]) -> String {
    let words: Vec<String> = bytes
        .chunks_exact(4)
        .map(|word| i32::from_ne_bytes([word[0], word[1], word[2], word[3]]).to_string())
        .collect();
    match (level, name) {
        (SOL_SOCKET, SO_LINGER) => format!("{{{}}}", words.join(", ")),
        _ if words.len() == 1 => words.concat(),
        _ => format!("{bytes:?}"),
    }
}
