//! Calls that move data. `...` for a buffer stands for data whose every byte is known: what was
//! read is compared with what arrived, and what is sent with what was written.

use std::net::SocketAddr;

use super::{Attempt, Outcome, Returned, arguments};
use crate::drill::ast::{Call, Expr, ExprKind, Field};
use crate::drill::errno::Errno;
use crate::drill::error::Mismatch;
use crate::drill::flow::{Transport, local_byte, remote_byte};
use crate::drill::names::{MSG_FASTOPEN, MSG_PEEK, MSG_TRUNC, MSG_WAITALL};
use crate::drill::runner::Runner;
use crate::drill::subject::Fd;
use crate::drill::values;

/// The longest buffer a script may name.
const LONGEST: usize = 1 << 26;

/// A buffer of a script: its length, and what must be in it if the script says so.
struct Buffer<'c> {
    len: usize,
    text: Text<'c>,
}

/// What is in a buffer.
#[derive(Clone, Copy)]
enum Text<'c> {
    /// `...`: what stands at this place of the stream.
    Stream,
    /// A string, then zeros.
    Once(&'c str),
    /// A string again and again.
    Repeated(&'c str),
}

impl Text<'_> {
    /// The bytes of a string, as many as fit; `None` for the stream's.
    fn bytes(self, len: usize) -> Option<Vec<u8>> {
        match self {
            Text::Stream => None,
            Text::Once(text) => {
                let bytes = text.bytes().chain(std::iter::repeat(0));
                Some(bytes.take(len).collect())
            }
            Text::Repeated(text) => Some(text.bytes().cycle().take(len).collect()),
        }
    }
}

impl Runner<'_, '_> {
    /// `read(fd, buffer, len)`, `recv(.., flags)`, `recvfrom(.., flags, from, fromlen)`
    pub(super) fn receive(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let (fd, buffer, len, flags, from) = match (call.name.as_str(), call.args.as_slice()) {
            ("read", [fd, buffer, len]) => (fd, buffer, len, 0, None),
            ("recv", [fd, buffer, len, flags]) => (fd, buffer, len, values::int(flags)?, None),
            ("recvfrom", [fd, buffer, len, flags, from, _]) => {
                (fd, buffer, len, values::int(flags)?, Some(from))
            }
            ("read", _) => return arguments(call, "3"),
            ("recv", _) => return arguments(call, "4"),
            _ => return arguments(call, "6"),
        };
        let buffers = [self.buffer(buffer, len)?];
        let fd = self.fd(fd)?;
        self.receive_into(fd, &buffers, flags, from, attempt)
    }

    pub(super) fn readv(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [fd, vector, _count] = self.args(call)?;
        let buffers = self.buffers(vector)?;
        let fd = self.fd(fd)?;
        self.receive_into(fd, &buffers, 0, None, attempt)
    }

    pub(super) fn recvmsg(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [fd, message, flags] = self.args(call)?;
        let fields = values::fields(message, "a `{msg_iov(1)=[{..., 1000}], ...}`")?;
        let Some(vector) = values::field(fields, "msg_iov", usize::MAX) else {
            return values::wrong(message, "`msg_iov`");
        };
        no_control(fields)?;
        let from = values::field(fields, "msg_name", usize::MAX);
        let from = from.filter(|from| !matches!(from.kind, ExprKind::Ellipsis));
        let buffers = self.buffers(vector)?;
        let expected_flags = match values::field(fields, "msg_flags", usize::MAX) {
            Some(flags) => values::int(flags)?,
            None => 0,
        };
        let (fd, flags) = (self.fd(fd)?, values::int(flags)?);
        let outcome = self.receive_into(fd, &buffers, flags, from, attempt)?;
        let room: usize = buffers.iter().map(|buffer| buffer.len).sum();
        match outcome {
            Outcome::Returned(Returned {
                value: Ok(len),
                wrong: None,
            }) if expected_flags & MSG_TRUNC != 0 && usize::try_from(len) != Ok(room) => {
                Ok(Outcome::Returned(Returned {
                    value: Ok(len),
                    wrong: Some("MSG_TRUNC expected, the datagram fitted".to_owned()),
                }))
            }
            other => Ok(other),
        }
    }

    fn receive_into(
        &mut self,
        fd: Fd,
        buffers: &[Buffer<'_>],
        flags: i32,
        from: Option<&Expr>,
        attempt: Attempt,
    ) -> Result<Outcome, Mismatch> {
        let room: usize = buffers.iter().map(|buffer| buffer.len).sum();
        let mut data = vec![0; room];
        // With MSG_WAITALL what was read before is gone from the stack.
        let got = attempt.progress.min(room);
        let received = match self.subject.receive(fd, &mut data[got..], flags) {
            Ok(received) => received,
            Err(Errno::EAGAIN) if self.waits(fd, flags) => {
                return Ok(Outcome::Waits {
                    timeout: None,
                    progress: got,
                });
            }
            Err(error) => return Ok(Err(error).into()),
        };
        let brought = &data[got..got + received.len];
        let wrong = self.wrong_data(fd, brought, buffers, flags, received.from);
        let total = got + received.len;
        if flags & MSG_WAITALL != 0 && received.len > 0 && total < room && wrong.is_none() {
            return Ok(Outcome::Waits {
                timeout: None,
                progress: total,
            });
        }
        let wrong = match (wrong, from, received.from) {
            (None, Some(expected), Some(came)) => {
                let address = values::address(expected, self.settings, values::Default::Remote)?;
                (address != came && !matches!(expected.kind, ExprKind::Ellipsis))
                    .then(|| format!("from {address} expected, from {came} came"))
            }
            (wrong, _, _) => wrong,
        };
        let value = if flags & MSG_TRUNC != 0 {
            received.full_len
        } else {
            total
        };
        Ok(Outcome::Returned(Returned {
            value: Ok(value as i64),
            wrong,
        }))
    }

    /// What is wrong with data that was read, if anything is.
    fn wrong_data(
        &mut self,
        fd: Fd,
        data: &[u8],
        buffers: &[Buffer<'_>],
        flags: i32,
        from: Option<SocketAddr>,
    ) -> Option<String> {
        let mut place = 0;
        if from.is_none() {
            if let Some(index) = self.flow_of_fd(fd) {
                let flow = &mut self.flows[index];
                place = flow.read;
                if flags & MSG_PEEK == 0 {
                    flow.read += data.len();
                }
            }
        }
        if let [Buffer { text, .. }] = buffers {
            if let Some(expected) = text.bytes(data.len()) {
                return (data != expected).then(|| {
                    let expected = String::from_utf8_lossy(&expected);
                    let came = String::from_utf8_lossy(data);
                    format!("{expected:?} expected, {came:?} came")
                });
            }
        }
        let mut bytes = data.iter().enumerate();
        let wrong = bytes.find(|(i, byte)| **byte != remote_byte(place + i));
        wrong.map(|(i, _)| format!("byte {} of the stream is not what arrived", place + i))
    }

    /// `write(fd, buffer, len)`, `send(.., flags)`, `sendto(.., flags, to, tolen)`
    pub(super) fn send(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let (fd, buffer, len, flags, to) = match (call.name.as_str(), call.args.as_slice()) {
            ("write", [fd, buffer, len]) => (fd, buffer, len, 0, None),
            ("send", [fd, buffer, len, flags]) => (fd, buffer, len, values::int(flags)?, None),
            ("sendto", [fd, buffer, len, flags, to, _]) => {
                (fd, buffer, len, values::int(flags)?, Some(to))
            }
            ("write", _) => return arguments(call, "3"),
            ("send", _) => return arguments(call, "4"),
            _ => return arguments(call, "6"),
        };
        let buffers = [self.buffer(buffer, len)?];
        let fd = self.fd(fd)?;
        let to = self.destination(to)?;
        self.send_from(fd, &buffers, flags, to, attempt)
    }

    pub(super) fn writev(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [fd, vector, _count] = self.args(call)?;
        let buffers = self.buffers(vector)?;
        let fd = self.fd(fd)?;
        self.send_from(fd, &buffers, 0, None, attempt)
    }

    pub(super) fn sendmsg(&mut self, call: &Call, attempt: Attempt) -> Result<Outcome, Mismatch> {
        let [fd, message, flags] = self.args(call)?;
        let fields = values::fields(message, "a `{msg_iov(1)=[{..., 1000}], ...}`")?;
        let Some(vector) = values::field(fields, "msg_iov", usize::MAX) else {
            return values::wrong(message, "`msg_iov`");
        };
        no_control(fields)?;
        let buffers = self.buffers(vector)?;
        let (fd, flags) = (self.fd(fd)?, values::int(flags)?);
        let to = self.destination(values::field(fields, "msg_name", usize::MAX))?;
        self.send_from(fd, &buffers, flags, to, attempt)
    }

    /// Where a message goes: nowhere in particular if nothing or NULL is said.
    fn destination(&mut self, to: Option<&Expr>) -> Result<Option<SocketAddr>, Mismatch> {
        match to {
            None => Ok(None),
            Some(to) => match &to.kind {
                ExprKind::Name(name) if name == "NULL" => Ok(None),
                ExprKind::Integer(0) => Ok(None),
                _ => values::address(to, self.settings, values::Default::Remote).map(Some),
            },
        }
    }

    fn send_from(
        &mut self,
        fd: Fd,
        buffers: &[Buffer<'_>],
        flags: i32,
        to: Option<SocketAddr>,
        attempt: Attempt,
    ) -> Result<Outcome, Mismatch> {
        let flow = self.flow_of_fd(fd);
        let done = attempt.progress;
        // What was taken before has been counted into the flow.
        let place = flow.map_or(0, |index| self.flows[index].written.len())
            - done.min(flow.map_or(0, |index| self.flows[index].written.len()));
        let data = contents(buffers, place);
        let rest = data.get(done..).unwrap_or_default();
        // The bytes are noted first: they may leave during the call.
        let before = flow.map(|index| self.flows[index].written.len());
        if let Some(index) = flow {
            self.flows[index].written.extend_from_slice(rest);
        }
        let sent = self.subject.send(fd, rest, flags, to);
        if let (Some(index), Some(before)) = (flow, before) {
            let taken = *sent.as_ref().unwrap_or(&0);
            self.flows[index].written.truncate(before + taken);
        }
        match (&sent, to) {
            (Ok(taken), Some(to)) if flags & MSG_FASTOPEN != 0 => {
                self.connecting(fd, to, Transport::Tcp);
                if let Some(index) = self.flow_of_fd(fd) {
                    self.flows[index].written = rest.get(..*taken).unwrap_or_default().to_vec();
                }
            }
            (Ok(_), Some(to)) => self.datagram_to(fd, to),
            (Ok(_) | Err(_), _) => {}
        }
        match sent {
            Ok(taken) if done + taken < data.len() && self.waits(fd, flags) => Ok(Outcome::Waits {
                timeout: None,
                progress: done + taken,
            }),
            Ok(taken) => Ok(Ok((done + taken) as i64).into()),
            Err(Errno::EAGAIN) if self.waits(fd, flags) => Ok(Outcome::Waits {
                timeout: None,
                progress: done,
            }),
            // A part that was taken is told rather than the error.
            Err(_) if done > 0 => Ok(Ok(done as i64).into()),
            Err(error) => Ok(Err(error).into()),
        }
    }

    /// Datagrams without ports belong to whom the last one was sent to.
    fn datagram_to(&mut self, fd: Fd, to: SocketAddr) {
        if let Ok(local) = self.subject.local_addr(fd) {
            let local = SocketAddr::new(self.settings.local_ip, local.port());
            self.current = Some(self.open_flow(Transport::Udp, local, to));
        }
    }

    /// The connection behind a descriptor.
    fn flow_of_fd(&mut self, fd: Fd) -> Option<usize> {
        let local = self.subject.local_addr(fd).ok()?;
        let remote = self.subject.peer_addr(fd).ok()?;
        self.find_flow(Transport::Tcp, local, remote)
    }

    fn buffer<'c>(&self, buffer: &'c Expr, len: &Expr) -> Result<Buffer<'c>, Mismatch> {
        let len_value = values::length(len)?;
        if len_value > LONGEST {
            return values::wrong(len, "a shorter buffer");
        }
        let text = match &buffer.kind {
            ExprKind::Ellipsis => Ok(Text::Stream),
            ExprKind::String(text) => Ok(Text::Once(text)),
            ExprKind::Repeated(text) => Ok(Text::Repeated(text)),
            _ => values::wrong(buffer, "`...` or a string"),
        }?;
        Ok(Buffer {
            len: len_value,
            text,
        })
    }

    /// `[{..., 1000}, {"abc", 3}]`
    fn buffers<'c>(&self, vector: &'c Expr) -> Result<Vec<Buffer<'c>>, Mismatch> {
        let what = "a list of `{..., length}`";
        let items = values::list(vector, what)?;
        let buffers = items.iter().map(|item| {
            let fields = values::fields(item, what)?;
            let base = values::field(fields, "iov_base", 0);
            let len = values::field(fields, "iov_len", 1);
            match (base, len) {
                (Some(base), Some(len)) => self.buffer(base, len),
                _ => values::wrong(item, what),
            }
        });
        let buffers: Vec<Buffer<'c>> = buffers.collect::<Result<_, _>>()?;
        if buffers.iter().map(|buffer| buffer.len).sum::<usize>() > LONGEST {
            return values::wrong(vector, "shorter buffers");
        }
        Ok(buffers)
    }
}

/// netloom neither takes nor brings control messages.
fn no_control(fields: &[Field]) -> Result<(), Mismatch> {
    match values::field(fields, "msg_control", usize::MAX) {
        Some(control) => match &control.kind {
            ExprKind::List(items) if items.is_empty() => Ok(()),
            ExprKind::Ellipsis => Ok(()),
            _ => values::wrong(control, "no control messages: netloom has none"),
        },
        None => Ok(()),
    }
}

/// What buffers hold, `...` being the bytes that stand at this place of the stream.
fn contents(buffers: &[Buffer<'_>], mut place: usize) -> Vec<u8> {
    let mut data = Vec::new();
    for buffer in buffers {
        match buffer.text.bytes(buffer.len) {
            Some(bytes) => data.extend(bytes),
            None => data.extend((place..place + buffer.len).map(local_byte)),
        }
        place += buffer.len;
    }
    data
}
