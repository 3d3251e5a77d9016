//! The groups whose datagrams this host takes (RFC 1112 §7, RFC 4291 §2.7).
//!
//! Membership is this host's own affair here: no report is sent (IGMP, MLD), so routers, and
//! switches that listen to reports, do not learn of it.

use alloc::vec::Vec;

use netloom_wire::Addr;

use crate::counters::{DropReason, Layer};
use crate::error::Error;
use crate::event::IfaceId;
use crate::stack::Stack;
use crate::udp::queue::Meta;

/// Groups joined at once at most, on all interfaces.
const MOST: usize = 1024;

/// Groups by interface, with how often each was joined.
pub(crate) struct Groups(Vec<(u8, Addr, u32)>);

impl Groups {
    pub(crate) const NONE: Groups = Groups(Vec::new());

    fn position(&self, iface: u8, group: &Addr) -> Option<usize> {
        self.0
            .iter()
            .position(|(on, addr, _)| *on == iface && addr == group)
    }

    pub(crate) fn contains(&self, iface: u8, group: &Addr) -> bool {
        !self.0.is_empty() && self.position(iface, group).is_some()
    }
}

impl Stack {
    /// Takes datagrams for a multicast group that arrive on an interface, until
    /// [`leave_group`](Stack::leave_group) was called as often. Says whether the group is new on
    /// the interface, whose device is to let its frames pass then
    /// ([`Driver::set_multicast`](netloom_driver::Driver::set_multicast)).
    ///
    /// No report is sent: who forwards groups only where somebody has reported them does not
    /// learn of it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for what is no group; [`Error::NoSuchInterface`];
    /// [`Error::CapacityExhausted`] beyond 1,024 groups.
    pub fn join_group(&mut self, iface: IfaceId, group: impl Into<Addr>) -> Result<bool, Error> {
        let group = group.into();
        self.interface(iface.0).ok_or(Error::NoSuchInterface)?;
        if !group.is_multicast() {
            return Err(Error::InvalidArgument);
        }
        let groups = &mut self.udp.groups;
        let known = groups.position(iface.0, &group);
        if let Some((_, _, joined)) = known.and_then(|at| groups.0.get_mut(at)) {
            *joined = joined.saturating_add(1);
            return Ok(false);
        }
        if groups.0.len() >= MOST {
            return Err(Error::CapacityExhausted);
        }
        groups.0.push((iface.0, group, 1));
        self.recent.forget();
        Ok(true)
    }

    /// Undoes one [`join_group`](Stack::join_group). Says whether it was the last of the group's
    /// on the interface.
    ///
    /// # Errors
    /// [`Error::AddressNotAvailable`] if the group was not joined there.
    pub fn leave_group(&mut self, iface: IfaceId, group: impl Into<Addr>) -> Result<bool, Error> {
        let groups = &mut self.udp.groups;
        let at = groups
            .position(iface.0, &group.into())
            .ok_or(Error::AddressNotAvailable)?;
        if let Some((_, _, joined)) = groups.0.get_mut(at).filter(|(_, _, joined)| *joined > 1) {
            *joined = joined.saturating_sub(1);
            return Ok(false);
        }
        groups.0.swap_remove(at);
        self.recent.forget();
        Ok(true)
    }

    /// The groups joined on an interface.
    pub fn groups(&self, iface: IfaceId) -> impl Iterator<Item = Addr> + '_ {
        let all = self.udp.groups.0.iter();
        all.filter(move |(on, _, _)| *on == iface.0)
            .map(|(_, group, _)| *group)
    }

    /// Hands a datagram that was sent to a group to the member on this host, if there is one.
    pub(crate) fn udp_to_own_member(&mut self, sent: &Meta, from_port: u16, data: &[u8]) {
        let Meta { remote, iface, .. } = *sent;
        if !self.udp.groups.contains(iface, &remote) {
            return;
        }
        let found = self.find_udp((remote, sent.remote_port), (sent.local, from_port), iface);
        if found.is_none() {
            return;
        }
        let meta = Meta {
            remote: sent.local,
            remote_port: from_port,
            local: remote,
            ..*sent
        };
        self.counters.receive(Layer::Udp);
        self.udp_memory(found.index());
        let Some(slot) = self.tables.udp.get_mut(found.index()) else {
            return self.counters.discard(DropReason::UdpNoSocket);
        };
        match slot.rx.push(&mut slot.rx_memory, &meta, &[], data) {
            Ok(()) => {
                self.counters.deliver(Layer::Udp);
                self.news(found);
            }
            Err(_) => self.counters.discard(DropReason::UdpQueueFull),
        }
    }
}
