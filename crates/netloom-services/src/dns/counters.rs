//! What happened to queries and replies.

/// Counters of a resolver; they wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Messages sent over UDP.
    pub sent: u32,
    /// Of these, those that repeated a question to the same or another server because no good
    /// answer had come.
    pub retries: u32,
    /// Questions asked again over TCP.
    pub tcp: u32,
    /// Questions answered from memory: the cache, static hosts, special names.
    pub from_memory: u32,
    /// Replies taken.
    pub taken: u32,
    /// Queries that nobody answered in time.
    pub timeouts: u32,
    /// Replies that told of a server's failure (SERVFAIL, REFUSED, ...).
    pub server_failures: u32,
    /// ICMP errors and failed connections.
    pub unreachable: u32,
    /// Dropped: from another address or port than was asked.
    pub wrong_address: u32,
    /// Dropped: another id.
    pub wrong_id: u32,
    /// Dropped: another question.
    pub wrong_question: u32,
    /// Dropped: the question in other letters than were sent.
    pub wrong_case: u32,
    /// Dropped: no message of DNS.
    pub malformed: u32,
}

impl Counters {
    /// Replies that may have been forged, and were dropped.
    #[must_use]
    pub const fn spoofed(&self) -> u32 {
        self.wrong_address
            .wrapping_add(self.wrong_id)
            .wrapping_add(self.wrong_question)
            .wrapping_add(self.wrong_case)
    }
}

/// One more.
pub(super) fn count(counter: &mut u32) {
    *counter = counter.wrapping_add(1);
}
