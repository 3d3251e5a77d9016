//! What a connection that is paced remembers of its path.

use crate::TcpInfo;
use crate::congestion::BbrState;
use crate::pacing::Pacer;

/// What a connection that is paced, or whose path is modelled, remembers beside the rest: some 700
/// bytes with BBR. It is lent to each call in [`Io`](crate::Io), so that other connections
/// do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathState {
    pub(crate) pacer: Pacer,
    pub(crate) bbr: BbrState,
}

impl PathState {
    /// Nothing is known yet.
    pub const EMPTY: PathState = PathState {
        pacer: Pacer::EMPTY,
        bbr: BbrState::EMPTY,
    };

    /// Adds what is known here to what is known of the connection.
    pub fn tell(&self, info: &mut TcpInfo) {
        info.pacing_rate = self.pacing_rate().unwrap_or(0);
        info.max_pacing_rate = self.max_pacing_rate();
        info.bbr = self.bbr.info();
    }
}

impl Default for PathState {
    fn default() -> PathState {
        PathState::EMPTY
    }
}
