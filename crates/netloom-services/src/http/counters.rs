//! What a server did with connections and requests.

use super::status::{Class, Status};

/// Nothing is counted: the feature `counters` is off.
#[cfg(not(feature = "counters"))]
#[derive(Debug)]
pub(super) struct Counters;

#[cfg(not(feature = "counters"))]
impl Counters {
    pub(super) const ZERO: Counters = Counters;
}

/// Counters of a server; they wrap. Those of connections are 0 in a [`Session`](super::Session)'s.
#[cfg(feature = "counters")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Connections taken.
    pub connections: u32,
    /// Connections reset at once: all places were taken.
    pub no_room: u32,
    /// Connections reset: the client took too long to begin a request, to take a response or to close
    /// its side.
    pub timed_out: u32,
    /// Connections that were reset by the client, or because it went on sending after the end.
    pub failed: u32,
    /// Requests given to the handler.
    pub requests: u32,
    /// 100 (Continue) sent.
    pub continues: u32,
    /// Responses of class 2xx.
    pub successes: u32,
    /// Responses of class 3xx.
    pub redirections: u32,
    /// Responses of class 4xx, refusals included.
    pub client_errors: u32,
    /// Responses of class 5xx, refusals included.
    pub server_errors: u32,
    /// Responses of any other class.
    pub others: u32,
    /// Requests without a response: not even an error fits the send buffer.
    pub unanswered: u32,
    /// Refused before the handler saw them: outside the grammar (400).
    pub bad: u32,
    /// Refused: not there in time (408).
    pub late: u32,
    /// Refused: content, target or head too large (413, 414, 431).
    pub large: u32,
    /// Refused: a method, a transfer coding or a version that is not known (501, 505).
    pub unsupported: u32,
    /// Refused for any other reason (417).
    pub refused: u32,
}

#[cfg(feature = "counters")]
impl Counters {
    pub(super) const ZERO: Counters = Counters {
        connections: 0,
        no_room: 0,
        timed_out: 0,
        failed: 0,
        requests: 0,
        continues: 0,
        successes: 0,
        redirections: 0,
        client_errors: 0,
        server_errors: 0,
        others: 0,
        unanswered: 0,
        bad: 0,
        late: 0,
        large: 0,
        unsupported: 0,
        refused: 0,
    };

    /// Requests refused before the handler saw them.
    #[must_use]
    pub const fn refusals(&self) -> u32 {
        self.bad
            .wrapping_add(self.late)
            .wrapping_add(self.large)
            .wrapping_add(self.unsupported)
            .wrapping_add(self.refused)
    }

    /// Those of both.
    pub(super) const fn plus(&self, other: &Counters) -> Counters {
        Counters {
            connections: self.connections.wrapping_add(other.connections),
            no_room: self.no_room.wrapping_add(other.no_room),
            timed_out: self.timed_out.wrapping_add(other.timed_out),
            failed: self.failed.wrapping_add(other.failed),
            requests: self.requests.wrapping_add(other.requests),
            continues: self.continues.wrapping_add(other.continues),
            successes: self.successes.wrapping_add(other.successes),
            redirections: self.redirections.wrapping_add(other.redirections),
            client_errors: self.client_errors.wrapping_add(other.client_errors),
            server_errors: self.server_errors.wrapping_add(other.server_errors),
            others: self.others.wrapping_add(other.others),
            unanswered: self.unanswered.wrapping_add(other.unanswered),
            bad: self.bad.wrapping_add(other.bad),
            late: self.late.wrapping_add(other.late),
            large: self.large.wrapping_add(other.large),
            unsupported: self.unsupported.wrapping_add(other.unsupported),
            refused: self.refused.wrapping_add(other.refused),
        }
    }
}

impl Counters {
    /// A response with this status is sent.
    pub(super) fn response(&mut self, status: Status) {
        match status.class() {
            Class::Success => count!(self, successes),
            Class::Redirection => count!(self, redirections),
            Class::ClientError => count!(self, client_errors),
            Class::ServerError => count!(self, server_errors),
            Class::Informational | Class::Other => count!(self, others),
        }
    }

    /// A request is refused with this status.
    pub(super) fn refusal(&mut self, status: Status) {
        match status {
            Status::BAD_REQUEST => count!(self, bad),
            Status::REQUEST_TIMEOUT => count!(self, late),
            Status::CONTENT_TOO_LARGE
            | Status::URI_TOO_LONG
            | Status::REQUEST_HEADER_FIELDS_TOO_LARGE => count!(self, large),
            Status::NOT_IMPLEMENTED | Status::HTTP_VERSION_NOT_SUPPORTED => {
                count!(self, unsupported);
            }
            _ => count!(self, refused),
        }
    }
}
