//! Which local port a connection gets that does not ask for one (RFC 6056).

use core::ops::RangeInclusive;

#[cfg(test)]
mod tests;

/// Counters that separate the ports of different peers (TABLE_LENGTH in RFC 6056, where 10 are
/// found to be an improvement). A power of two.
pub const TABLE_LENGTH: usize = 16;

/// The double-hash port selection algorithm of RFC 6056, section 3.3.4.
///
/// Towards one peer ports are used one after the other, so that each is reused as late as possible;
/// where that sequence stands for another peer cannot be told without the key of the hashes.
///
/// The hashes are the caller's: both over (local address, remote address, remote port), under two
/// different secret keys.
#[derive(Debug, Clone)]
pub struct PortAllocator {
    first: u16,
    last: u16,
    /// `table` of the RFC: how far each separate sequence has come.
    table: [u16; TABLE_LENGTH],
}

impl PortAllocator {
    /// Ports 32768 to 60999, as in Linux.
    pub const EMPTY: PortAllocator = PortAllocator {
        //= https://www.rfc-editor.org/rfc/rfc6056#section-3.2
        //# As a result, port numbers that may be needed for
        //# providing a particular service at the local host SHOULD NOT be
        //# included in the pool of port numbers available for ephemeral port
        //# randomization.
        //= https://www.rfc-editor.org/rfc/rfc6056#section-3.2
        //# Ephemeral port selection algorithms SHOULD use the largest possible
        //# port range, since this reduces the chances of an off-path attacker of
        //# guessing the selected port numbers.
        first: 32768,
        last: 60999,
        table: [0; TABLE_LENGTH],
    };

    /// Takes ports out of `range`. Port 0 is never used; an empty range has no port.
    pub const fn new(range: RangeInclusive<u16>) -> PortAllocator {
        let mut allocator = PortAllocator::EMPTY;
        allocator.set_range(range);
        allocator
    }

    /// Changes the range.
    pub const fn set_range(&mut self, range: RangeInclusive<u16>) {
        self.first = if *range.start() == 0 {
            1
        } else {
            *range.start()
        };
        self.last = *range.end();
    }

    /// The ports there are to choose from.
    pub const fn range(&self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// Starts every sequence at a random place, which `random` provides.
    pub fn randomize(&mut self, mut random: impl FnMut() -> u32) {
        for counter in &mut self.table {
            *counter = random() as u16;
        }
    }

    /// The next port towards a peer that is not `in_use`; `None` if all are. Every port of the
    /// range is tried at most once.
    ///
    /// `offset_hash` is F of the RFC and says where the peer's sequence starts, `table_hash` is G
    /// and says which counter it shares.
    pub fn pick(
        &mut self,
        offset_hash: u32,
        table_hash: u32,
        mut in_use: impl FnMut(u16) -> bool,
    ) -> Option<u16> {
        let num_ephemeral = (u32::from(self.last) + 1).checked_sub(u32::from(self.first))?;
        let counter = self.table.get_mut(table_hash as usize % TABLE_LENGTH)?;
        //= https://www.rfc-editor.org/rfc/rfc6056#section-3.3
        //# Ephemeral port selection algorithms SHOULD obfuscate the selection of
        //# their ephemeral ports, since this helps to mitigate a number of
        //# attacks that depend on the attacker's ability to guess or know the
        //# five-tuple that identifies the transport-protocol instance to be
        //# attacked.
        //= https://www.rfc-editor.org/rfc/rfc6056#section-5
        //# Systems that support numerous applications resulting in
        //# large lists of unavailable ports, or that use the IANA Registered
        //# Ports without modification, MUST NOT use Algorithm 1.
        let start = offset_hash
            .wrapping_add(u32::from(*counter))
            .checked_rem(num_ephemeral)?;
        //= https://www.rfc-editor.org/rfc/rfc6056#section-3.3.4
        //# The array "table[]" assures that successive transport-protocol
        //# instances with the same remote endpoint will use increasing ephemeral
        //# port numbers.
        let ports = (start..num_ephemeral).chain(0..start);
        for position in ports {
            *counter = counter.wrapping_add(1);
            let port = (u32::from(self.first) + position) as u16;
            if !in_use(port) {
                return Some(port);
            }
        }
        None
    }
}

impl Default for PortAllocator {
    fn default() -> PortAllocator {
        PortAllocator::EMPTY
    }
}
