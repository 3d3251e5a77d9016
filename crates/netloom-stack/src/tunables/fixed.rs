//! Tunables that are constants, but for what a program must be able to choose.

use core::ops::Deref;

use super::Tunables;
use crate::neighbor::NeighborTunables;

/// What a program sets, in the place of all [`Tunables`]; the rest are what they are by default,
/// and take neither memory nor code to fetch them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// TTL and hop limit of packets sent.
    // RFC 9293 MUST-49 and RFC 1122 section 3.2.1.7 want it to be configurable.
    pub ip_default_ttl: u8,
}

impl Settings {
    pub(crate) const DEFAULT: Settings = Settings {
        ip_default_ttl: Tunables::DEFAULT.ip_default_ttl,
    };
}

impl Deref for Settings {
    type Target = Tunables;

    #[inline(always)]
    fn deref(&self) -> &Tunables {
        &Tunables::DEFAULT
    }
}

/// The settings of the neighbour cache: their defaults.
pub(crate) struct NeighborSettings;

impl NeighborSettings {
    pub(crate) const DEFAULT: NeighborSettings = NeighborSettings;
}

impl Deref for NeighborSettings {
    type Target = NeighborTunables;

    #[inline(always)]
    fn deref(&self) -> &NeighborTunables {
        // As the tunables of the same names say.
        const SETTINGS: NeighborTunables = NeighborTunables {
            reachable_time: Tunables::DEFAULT.neigh_base_reachable_time_ms,
            retrans_timer: Tunables::DEFAULT.neigh_retrans_time_ms,
            max_multicast_solicit: Tunables::DEFAULT.neigh_mcast_solicit,
            ..NeighborTunables::DEFAULT
        };
        &SETTINGS
    }
}
