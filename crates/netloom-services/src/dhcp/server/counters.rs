//! What a server was asked, what it said, and what it said nothing to.

/// Nothing is counted: the feature `counters` is off.
#[cfg(not(feature = "counters"))]
#[derive(Debug)]
pub(super) struct ServerCounters;

#[cfg(not(feature = "counters"))]
impl ServerCounters {
    pub(super) const ZERO: ServerCounters = ServerCounters;
}

/// Counters of a server; they wrap.
///
/// Every message that arrives is counted once among those got (`discovers` to `informs`) or those
/// not understood (`cut`, `malformed`, `unexpected`). What was got and not answered is counted a
/// second time, under the reason.
#[cfg(feature = "counters")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerCounters {
    /// DISCOVERs got.
    pub discovers: u32,
    /// REQUESTs got.
    pub requests: u32,
    /// DECLINEs got.
    pub declines: u32,
    /// RELEASEs got.
    pub releases: u32,
    /// INFORMs got.
    pub informs: u32,
    /// Of all these, those that came through a relay agent.
    pub relayed: u32,
    /// OFFERs sent.
    pub offers: u32,
    /// ACKs sent.
    pub acks: u32,
    /// NAKs sent.
    pub naks: u32,
    /// Replies that the stack did not take, or that did not fit.
    pub unsent: u32,
    /// Dropped: longer than what is read.
    pub cut: u32,
    /// Dropped: no message of DHCP, or one that does not say what kind it is.
    pub malformed: u32,
    /// Dropped: what servers say, and kinds of message nobody knows.
    pub unexpected: u32,
    /// No answer: a REQUEST or DECLINE that names no address.
    pub incomplete: u32,
    /// No answer: there is no pool for the network the client is in.
    pub no_network: u32,
    /// No answer: a REQUEST or DECLINE of what another server offered.
    pub other_server: u32,
    /// No answer: a REQUEST, DECLINE or RELEASE of an address the client does not have from here.
    pub unknown: u32,
    /// No answer yet: a DISCOVER again while its address is looked at.
    pub repeated: u32,
    /// No answer: all [`Pending`](super::Pending) places are taken.
    pub no_place: u32,
    /// No answer: no address is left.
    pub exhausted: u32,
    /// No answer, or nothing kept in mind: the store failed.
    pub store_failed: u32,
}

#[cfg(feature = "counters")]
impl ServerCounters {
    pub(super) const ZERO: ServerCounters = ServerCounters {
        discovers: 0,
        requests: 0,
        declines: 0,
        releases: 0,
        informs: 0,
        relayed: 0,
        offers: 0,
        acks: 0,
        naks: 0,
        unsent: 0,
        cut: 0,
        malformed: 0,
        unexpected: 0,
        incomplete: 0,
        no_network: 0,
        other_server: 0,
        unknown: 0,
        repeated: 0,
        no_place: 0,
        exhausted: 0,
        store_failed: 0,
    };

    /// Messages got that a client may send.
    #[must_use]
    pub const fn got(&self) -> u32 {
        self.discovers
            .wrapping_add(self.requests)
            .wrapping_add(self.declines)
            .wrapping_add(self.releases)
            .wrapping_add(self.informs)
    }

    /// Replies sent.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.offers.wrapping_add(self.acks).wrapping_add(self.naks)
    }

    /// Messages that were not understood.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.cut
            .wrapping_add(self.malformed)
            .wrapping_add(self.unexpected)
    }
}
