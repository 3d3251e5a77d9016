//! Ports that nobody uses.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::Net;
use super::super::error::to_io;
use crate::sys;

/// Finds local TCP ports that nobody uses: no listener, no connection, be it in its handshake or in
/// TIME-WAIT, and nobody else who has one from this allocator.
///
/// Programs need it for ports that they must name before they use them. Whoever just connects need
/// not care: the stack chooses (RFC 6056). Clones share what is given out; the stack itself, and
/// other allocators, do not know of it until it is used.
#[derive(Debug, Clone)]
#[doc(alias = "port allocator")]
pub struct PortAllocator {
    net: Net,
    given_out: Arc<Mutex<BTreeSet<u16>>>,
}

/// A port that is given out to nobody else until this is dropped.
#[derive(Debug)]
#[must_use = "the port is free again when this is dropped"]
pub struct Port {
    number: u16,
    given_out: Arc<Mutex<BTreeSet<u16>>>,
}

impl Port {
    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }
}

fn lock(given_out: &Mutex<BTreeSet<u16>>) -> MutexGuard<'_, BTreeSet<u16>> {
    // Nothing panics while it is locked.
    given_out.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Port {
    fn drop(&mut self) {
        lock(&self.given_out).remove(&self.number);
    }
}

impl PortAllocator {
    /// An allocator of a stack's ports.
    pub fn new(net: &Net) -> PortAllocator {
        PortAllocator {
            net: net.clone(),
            given_out: Arc::default(),
        }
    }

    /// The ports in use: those of listeners and connections, and those that were given out. Looks
    /// at every connection.
    pub fn used(&self) -> BTreeSet<u16> {
        let mut used = self.net.with_stack(|stack| {
            let seen = stack.inspect();
            let connections = seen.connections(0).map(|(_, c)| c.local.port());
            let half_open = seen.half_open(0).map(|(_, e)| e.local.port());
            let time_wait = seen.time_wait(0).map(|(_, e)| e.local.port());
            let listeners = seen.listeners(0).map(|(_, l)| l.local.port());
            let entries = half_open.chain(time_wait);
            connections
                .chain(entries)
                .chain(listeners)
                .collect::<BTreeSet<_>>()
        });
        used.extend(lock(&self.given_out).iter());
        used
    }

    /// Gives out a port that nobody uses, a random one of those that the tunables
    /// `ip_local_port_first` and `ip_local_port_last` say.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrNotAvailable`] when all are in use.
    pub fn allocate(&self) -> io::Result<Port> {
        let tunable = |name: &str| self.net.tunable(name).map_or(0, |tunable| tunable.value);
        let first = tunable("ip_local_port_first").max(1);
        let count = (tunable("ip_local_port_last") + 1).saturating_sub(first);
        let used = self.used();
        let mut random = [0; 8];
        sys::random_bytes(&mut random)?;
        let start = u64::from_ne_bytes(random).checked_rem(count).unwrap_or(0);
        let ports = (start..count).chain(0..start).map(|n| first + n);
        for port in ports.filter_map(|port| u16::try_from(port).ok()) {
            // Another thread may have been given it since.
            if !used.contains(&port) && lock(&self.given_out).insert(port) {
                return Ok(self.given(port));
            }
        }
        Err(to_io(netloom_stack::Error::PortsExhausted))
    }

    /// Gives out this port.
    ///
    /// # Errors
    /// [`io::ErrorKind::AddrInUse`] if it is in use; [`io::ErrorKind::InvalidInput`] for 0.
    pub fn reserve(&self, port: u16) -> io::Result<Port> {
        if port == 0 {
            return Err(super::super::error::invalid("0 is no port"));
        }
        if self.used().contains(&port) || !lock(&self.given_out).insert(port) {
            return Err(to_io(netloom_stack::Error::AddressInUse));
        }
        Ok(self.given(port))
    }

    fn given(&self, number: u16) -> Port {
        Port {
            number,
            given_out: Arc::clone(&self.given_out),
        }
    }
}
