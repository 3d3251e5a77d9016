//! How long to wait before a message is sent again.

use netloom_stack::Stack;

use crate::dhcp::SECOND;
use crate::dhcp::acd::between;

/// The delays of RFC 2131 §4.1, each with a second more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff {
    /// Messages sent.
    sent: u8,
}

impl Backoff {
    pub(super) const START: Backoff = Backoff { sent: 0 };

    /// Counts a message, and says how many microseconds to wait for an answer.
    pub(super) fn next(&mut self, stack: &mut Stack) -> u64 {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# For example, in a 10Mb/sec Ethernet
        //# internetwork, the delay before the first retransmission SHOULD be 4
        //# seconds randomized by the value of a uniform random number chosen
        //# from the range -1 to +1.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# The retransmission delay SHOULD be doubled with
        //# subsequent retransmissions up to a maximum of 64 seconds.
        let delay = (4 * SECOND) << self.sent.min(4);
        self.sent = self.sent.saturating_add(1);
        between(
            stack,
            delay.saturating_sub(SECOND),
            delay.saturating_add(SECOND),
        )
    }

    /// How many messages were sent.
    pub(super) fn sent(&self) -> u8 {
        self.sent
    }
}
