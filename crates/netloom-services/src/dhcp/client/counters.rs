//! What a client sent, and what became of what it got.

/// Nothing is counted: the feature `counters` is off.
#[cfg(not(feature = "counters"))]
#[derive(Debug)]
pub(super) struct ClientCounters;

#[cfg(not(feature = "counters"))]
impl ClientCounters {
    pub(super) const ZERO: ClientCounters = ClientCounters;
}

/// Counters of a client; they wrap. Every message that arrives is counted once: as taken, or
/// dropped for one reason.
#[cfg(feature = "counters")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientCounters {
    /// DISCOVERs sent.
    pub discovers: u32,
    /// REQUESTs sent: for an offer, for an address remembered, for more time.
    pub requests: u32,
    /// DECLINEs sent: another station has the address.
    pub declines: u32,
    /// RELEASEs sent.
    pub releases: u32,
    /// INFORMs sent.
    pub informs: u32,
    /// Messages of any kind that the stack did not take, or that did not fit.
    pub unsent: u32,
    /// OFFERs taken into account: the first, and each that was better than those before.
    pub offers: u32,
    /// ACKs taken.
    pub acks: u32,
    /// NAKs heeded.
    pub naks: u32,
    /// Dropped: longer than what is read.
    pub cut: u32,
    /// Dropped: no message of DHCP, or one that does not say what kind it is.
    pub malformed: u32,
    /// Dropped: another transaction.
    pub wrong_xid: u32,
    /// Dropped: for another interface.
    pub wrong_hardware: u32,
    /// Dropped: for another client's identifier.
    pub wrong_id: u32,
    /// Dropped: what clients say, or what is not waited for in the client's state.
    pub unexpected: u32,
    /// Dropped: an ACK for another address than was asked for, an ACK or NAK of a server that was
    /// not asked.
    pub foreign: u32,
    /// Dropped: without a server, an address or a lease that could be used.
    pub unusable: u32,
    /// Dropped: OFFERs no better than the best so far.
    pub passed_over: u32,
}

#[cfg(feature = "counters")]
impl ClientCounters {
    pub(super) const ZERO: ClientCounters = ClientCounters {
        discovers: 0,
        requests: 0,
        declines: 0,
        releases: 0,
        informs: 0,
        unsent: 0,
        offers: 0,
        acks: 0,
        naks: 0,
        cut: 0,
        malformed: 0,
        wrong_xid: 0,
        wrong_hardware: 0,
        wrong_id: 0,
        unexpected: 0,
        foreign: 0,
        unusable: 0,
        passed_over: 0,
    };

    /// Messages sent.
    #[must_use]
    pub const fn sent(&self) -> u32 {
        self.discovers
            .wrapping_add(self.requests)
            .wrapping_add(self.declines)
            .wrapping_add(self.releases)
            .wrapping_add(self.informs)
    }

    /// Messages taken.
    #[must_use]
    pub const fn taken(&self) -> u32 {
        self.offers.wrapping_add(self.acks).wrapping_add(self.naks)
    }

    /// Messages dropped, for whatever reason.
    #[must_use]
    pub const fn dropped(&self) -> u32 {
        self.cut
            .wrapping_add(self.malformed)
            .wrapping_add(self.wrong_xid)
            .wrapping_add(self.wrong_hardware)
            .wrapping_add(self.wrong_id)
            .wrapping_add(self.unexpected)
            .wrapping_add(self.foreign)
            .wrapping_add(self.unusable)
            .wrapping_add(self.passed_over)
    }
}
