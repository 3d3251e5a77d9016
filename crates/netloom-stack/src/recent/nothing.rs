//! On lent memory, where addresses and routes are a handful, no answer is remembered.

use netloom_wire::Addr;

use super::Epoch;
use crate::output::LinkHeader;

/// Nothing.
pub(crate) struct Recent;

impl Recent {
    pub(crate) const NONE: Recent = Recent;

    #[inline]
    pub(crate) fn addresses(&self, _: &Addr, _: &Addr, _: u8) -> Option<bool> {
        None
    }

    #[inline]
    pub(crate) fn note_addresses(&mut self, _: &Addr, _: &Addr, _: u8, _: bool) {}

    #[inline]
    pub(crate) fn route(&self, _: &Addr) -> Option<(u8, Addr)> {
        None
    }

    #[inline]
    pub(crate) fn leads_to(&self, _: &Addr, _: u8) -> bool {
        false
    }

    #[inline]
    pub(crate) fn note_route(&mut self, _: &Addr, _: u8, _: &Addr) {}

    #[cfg(all(feature = "tcp", feature = "active-open"))]
    pub(crate) fn source(&self, _: &Addr, _: u8) -> Option<Addr> {
        None
    }

    #[cfg(all(feature = "tcp", feature = "active-open"))]
    pub(crate) fn note_source(&mut self, _: &Addr, _: u8, _: &Addr) {}

    #[inline]
    pub(crate) fn link(&self, _: &Addr, _: u8, _: Epoch) -> Option<LinkHeader> {
        None
    }

    #[inline]
    pub(crate) fn note_link(&mut self, _: &Addr, _: u8, _: LinkHeader, _: Epoch) {}

    #[inline]
    pub(crate) fn confirms_again(&mut self, _: &Addr, _: u8, _: Epoch) -> bool {
        false
    }

    #[inline]
    pub(crate) fn forget(&mut self) {}
}
