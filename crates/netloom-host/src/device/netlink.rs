//! Routing netlink: one request, one answer.

use std::fs::File;
use std::io::{self, Read, Write};

use crate::sys;

const HEADER_LEN: usize = 16;
/// An acknowledgement repeats the request's header behind the error number, and nothing more of it
/// (`NETLINK_CAP_ACK`).
const ACKNOWLEDGEMENT_LEN: usize = HEADER_LEN + 4 + HEADER_LEN;

/// A request under construction: header, body, attributes.
#[derive(Debug)]
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// A request of a message type (`RTM_*`) with its fixed body, to be acknowledged.
    pub(super) fn new(kind: u16, flags: u16, body: &[u8]) -> Request {
        let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut bytes = vec![0; HEADER_LEN];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        let mut request = Request { bytes };
        request.append(body);
        request
    }

    /// What is nested in an attribute: a fixed body, and attributes of its own.
    pub(super) fn part(body: &[u8]) -> Request {
        let mut part = Request { bytes: Vec::new() };
        part.append(body);
        part
    }

    /// The bytes of a [`Request::part`], the value of an attribute.
    pub(super) fn into_part(self) -> Vec<u8> {
        self.bytes
    }

    /// Adds an attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        // Values here are some dozens of bytes long.
        let len = (4 + value.len()) as u16;
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.append(value);
        self
    }

    /// Appends bytes and pads to the alignment of all parts, 4.
    fn append(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// The kernel's refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The error.
    pub(super) error: io::Error,
    /// The kernel's explanation, where it gives one.
    pub(super) message: Option<String>,
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Refusal {
        Refusal {
            error,
            message: None,
        }
    }
}

/// A conversation with the kernel about the interfaces of one network namespace.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: File,
    sequence: u32,
}

impl Netlink {
    /// Opens one in the calling thread's namespace.
    pub(super) fn open() -> io::Result<Netlink> {
        Ok(Netlink {
            socket: File::from(sys::netlink_socket()?),
            sequence: 0,
        })
    }

    /// Makes the request and waits for the kernel's acknowledgement, which comes at once. Returns
    /// the body of the message before it, where the request was a question.
    pub(super) fn execute(&mut self, request: Request) -> Result<Option<Vec<u8>>, Refusal> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.write_all(&request.finish(self.sequence))?;
        let mut buffer = [0; 4096];
        let mut reply = None;
        loop {
            let len = match self.socket.read(&mut buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            match read_message(&buffer[..len], self.sequence) {
                Some(Message::Acknowledged) => return Ok(reply),
                Some(Message::Refused(refusal)) => return Err(refusal),
                Some(Message::Reply(body)) => reply = Some(body.to_vec()),
                None => {}
            }
        }
    }
}

/// What the kernel sends about a request.
#[derive(Debug)]
enum Message<'a> {
    Acknowledged,
    Refused(Refusal),
    /// The body of any other message.
    Reply(&'a [u8]),
}

/// The message in `bytes`, if it is about request `sequence`.
fn read_message(bytes: &[u8], sequence: u32) -> Option<Message<'_>> {
    let kind = u16_at(bytes, 4)?;
    if u32_at(bytes, 8)? != sequence {
        return None;
    }
    if kind != libc::NLMSG_ERROR as u16 {
        return bytes.get(HEADER_LEN..).map(Message::Reply);
    }
    let code = u32_at(bytes, HEADER_LEN)? as i32;
    if code == 0 {
        return Some(Message::Acknowledged);
    }
    let error = io::Error::from_raw_os_error(code.saturating_neg());
    let message = explanation(bytes.get(ACKNOWLEDGEMENT_LEN..).unwrap_or_default());
    Some(Message::Refused(Refusal { error, message }))
}

/// The text among an acknowledgement's attributes.
fn explanation(mut attributes: &[u8]) -> Option<String> {
    const NLMSGERR_ATTR_MSG: u16 = 1;
    loop {
        let len = usize::from(u16_at(attributes, 0)?);
        let value = attributes.get(4..len)?;
        if u16_at(attributes, 2)? == NLMSGERR_ATTR_MSG {
            let text = value.split(|&b| b == 0).next()?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
        attributes = attributes.get(len.next_multiple_of(4)..)?;
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u16::from_ne_bytes(*b))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|b| u32::from_ne_bytes(*b))
}

#[cfg(test)]
mod tests;
