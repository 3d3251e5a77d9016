//! One request and its answer after the other, on one connection as long as that lasts.

use std::io;
use std::time::{Duration, Instant};

use netloom_services::http::{
    Client, ContentRange, HeadError, Method, ReadError, Response, Status, Url, UrlError,
};

use crate::stream::{Connection, Patience, Timed};

#[cfg(test)]
mod tests;

/// Octets received at once; a head is no longer.
const INPUT_BUFFER: usize = 256 * 1024;

/// Octets of a request at most, and of the URL of a redirection.
const OUTPUT_BUFFER: usize = 64 * 1024;

/// The content of a redirection that is read away for the sake of its connection.
const MAX_DISCARDED: u64 = 64 * 1024;

/// The memory for [`Exchanges::new`].
pub(super) fn buffers() -> (Vec<u8>, Vec<u8>) {
    (vec![0; INPUT_BUFFER], vec![0; OUTPUT_BUFFER])
}

/// Why there is no complete answer.
#[derive(Debug)]
pub(super) enum ClientError {
    /// What was received is no HTTP: what is wrong with it.
    Protocol(&'static str),
    /// The connection ended within the answer.
    Ended,
    /// The server said nothing for too long.
    TimedOut,
    /// The connection failed.
    Lost(io::Error),
    /// What was received could not be put where it belongs.
    Sink(io::Error),
    /// The request cannot be sent.
    Request(HeadError),
}

impl From<ReadError<io::Error>> for ClientError {
    fn from(error: ReadError<io::Error>) -> Self {
        match error {
            ReadError::WouldBlock => Self::TimedOut,
            ReadError::Ended | ReadError::Truncated => Self::Ended,
            ReadError::Refused(refusal) => Self::Protocol(refusal.why),
            ReadError::Failed(error) if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            ReadError::Failed(error) => Self::Lost(error),
        }
    }
}

/// What an answer's head says, as far as it is needed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: Status,
    /// The reason phrase, without control characters.
    pub(super) reason: String,
    /// Where it leads, if it is a redirection.
    pub(super) location: Option<String>,
    /// What its content is of the whole.
    pub(super) range: Option<ContentRange>,
}

impl Answer {
    fn of(response: &Response<'_>) -> Self {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let is_shown = |c: &char| !c.is_control();
        let leads_on = matches!(response.status().code(), 301 | 302 | 303 | 307 | 308);
        let location = response.single("Location").filter(|_| leads_on);
        let range = response.single("Content-Range");
        Self {
            status: response.status(),
            reason: text(response.reason()).chars().filter(is_shown).collect(),
            location: location.map(text),
            range: range.and_then(ContentRange::parse),
        }
    }
}

/// A client, and its connection while there is one.
#[derive(Debug)]
pub(super) struct Exchanges<'b, C> {
    client: Client<'b>,
    connection: Option<Timed<C>>,
    /// How long the server may take to answer, and how long it may be silent within its content.
    timeout: Duration,
}

impl<'b, C: Connection> Exchanges<'b, C> {
    pub(super) fn new(rx: &'b mut [u8], tx: &'b mut [u8], timeout: Duration) -> Self {
        Self {
            client: Client::with_buffers(rx, tx),
            connection: None,
            timeout,
        }
    }

    /// Asks for a URL, from the octet `first` on if that is not zero, and receives the head of the
    /// answer. If there is no connection, `connect` makes one.
    ///
    /// # Errors
    ///
    /// That of `connect`; inside, why there is no answer.
    pub(super) fn get<E>(
        &mut self,
        url: &Url<'_>,
        first: u64,
        connect: impl Fn() -> Result<C, E>,
    ) -> Result<Result<Answer, ClientError>, E> {
        loop {
            let connection = match &mut self.connection {
                Some(connection) => connection,
                None => {
                    self.client.connected();
                    self.connection.insert(Timed::new(connect()?, self.timeout))
                }
            };
            if let Err(error) = write_request(&mut self.client, url, first) {
                return Ok(Err(ClientError::Request(error)));
            }
            connection.set_patience(Patience::Rest {
                begun: Instant::now(),
                all: self.timeout,
            });
            let error = match self.client.receive(connection) {
                Ok(response) => return Ok(Ok(Answer::of(&response))),
                Err(error) => error,
            };
            // The server may have closed a connection that it had kept.
            let is_closed = matches!(error, ReadError::Ended | ReadError::Failed(_));
            if !(is_closed && self.client.may_retry()) {
                return Ok(Err(error.into()));
            }
            self.connection = None;
        }
    }

    /// Receives the content of the answer, a piece at a time.
    pub(super) fn content(
        &mut self,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ClientError> {
        let Some(connection) = &mut self.connection else {
            return Err(ClientError::Ended);
        };
        connection.set_patience(Patience::Each(self.timeout));
        while let Some(piece) = self.client.read_body(connection)? {
            each(piece).map_err(ClientError::Sink)?;
        }
        Ok(())
    }

    /// The URL the answer to `url` leads to. The connection is kept if it can serve that too.
    pub(super) fn redirected(&mut self, url: &Url<'_>) -> Result<String, UrlError> {
        let mut buffer = vec![0; OUTPUT_BUFFER];
        let redirect = self.client.redirect(url, &mut buffer);
        let redirect = redirect.ok_or(UrlError::Host)??;
        // What is not read of its content costs only the connection.
        let is_read = self.client.limit_body(MAX_DISCARDED).is_ok();
        let is_read = is_read && self.content(|_| Ok(())).is_ok();
        if !(self.client.finish() && is_read && redirect.is_same_origin) {
            self.connection = None;
        }
        Ok(redirect.url.to_string())
    }
}

fn write_request(client: &mut Client<'_>, url: &Url<'_>, first: u64) -> Result<(), HeadError> {
    let mut head = client
        .request(Method::Get, url)
        .field("User-Agent", concat!("netloom/", env!("CARGO_PKG_VERSION")))
        .field("Accept", "*/*");
    if first > 0 {
        head = head.field("Range", format_args!("bytes={first}-"));
    }
    head.finish()
}
