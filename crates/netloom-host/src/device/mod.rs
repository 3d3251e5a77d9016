//! Network devices of a Linux host.
//!
//! Each is a [`Driver`] over a descriptor that never blocks, and a
//! [`Device`], by which a runtime learns when to call the driver again. [`Waiter`] sleeps until
//! then.
//!
//! # When the kernel takes no frame
//!
//! A [`FrameSink`](netloom_driver::FrameSink) must know that there is room *before* it lets the
//! stack write, but a descriptor tells only when it is written to. Each device therefore owns
//! memory for one frame. A frame the kernel would not take yet stays there, counts as sent, and
//! goes out before the next one; until it has, the sink is
//! [`Full`](netloom_driver::Full). `receive` and `flush` try it again, and
//! [`Device::interest`] says when that is worth while, so nothing spins and nothing is lost or
//! reordered.
//!
//! A device that is down or has been removed is like a cable that leads nowhere: it takes frames
//! and drops them, counted in [`Counters::tx_dropped`]. The stack's timers go on, and connections
//! end for the reasons they would end on a wire.

mod batch;
mod counters;
mod eagerness;
mod error;
mod fault;
mod kernel_end;
mod link;
mod name;
mod netlink;
mod offload;
mod packet;
mod recording;
mod replay;
mod scatter;
mod tap;
mod tun;
mod tuntap;
mod tx_slot;
mod veth;
mod vnet;
mod wait;
mod watch;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use netloom_driver::Driver;

pub use counters::Counters;
pub use eagerness::Eagerness;
pub use error::DeviceError;
pub use kernel_end::KernelEnd;
pub use link::LinkEnd;
pub(crate) use name::InterfaceName;
pub use offload::Offload;
pub use packet::PacketSocket;
pub use recording::Recording;
pub use replay::{Pace, Replay};
pub use tap::Tap;
pub use tun::Tun;
pub use veth::create_veth_pair;
pub use wait::{Readiness, Waiter, Waker};

/// Frames handed over by one call of `receive` at most: a flooded device must leave time for
/// timers and for other devices.
pub(crate) const BATCH: usize = 64;

/// Room for a received frame, in bytes: the largest IP packet, behind an Ethernet header and two
/// VLAN tags.
const RX_CAPACITY: usize = 65_535 + 14 + 2 * 4;

/// What a frame of a device begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Medium {
    /// An Ethernet header.
    Ethernet {
        /// The address the stack should use here.
        mac: [u8; 6],
    },
    /// An IP header: there is no link layer.
    Ip,
}

impl Medium {
    /// Bytes of link header in front of an IP packet, VLAN tags not counted.
    pub const fn header_len(self) -> usize {
        match self {
            Medium::Ethernet { .. } => 14,
            Medium::Ip => 0,
        }
    }
}

/// What a device waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interest {
    /// A frame may arrive. False once the device has failed for good: then its descriptor must
    /// not be polled at all, as it would report its error for ever.
    pub readable: bool,
    /// A frame waits for the descriptor to become writable.
    pub writable: bool,
    /// A frame waits for this time, because the kernel was short of memory or queue, which
    /// poll(2) cannot tell.
    pub retry_at: Option<Instant>,
}

/// What a runtime must know of a device on this host, beside how to drive it.
///
/// The descriptor ([`AsFd`]) serves to wait on by other means than [`Waiter`], epoll for example:
/// wait for what [`Device::interest`] says, then call
/// [`receive`](Driver::receive).
pub trait Device: Driver + AsFd + Send {
    /// The interface's name when the device was made.
    fn name(&self) -> &str;

    /// What a frame begins with.
    fn medium(&self) -> Medium;

    /// The largest IP packet in bytes, as last read from the interface.
    fn mtu(&self) -> u16;

    /// A second descriptor to wait for: readable when something about the interface, or another
    /// one of its network namespace, has changed. Whoever waits for it calls
    /// [`Device::refresh`] then. `None` if changes are not announced: the device was made from
    /// a descriptor that may belong to another namespace, or has no interface.
    fn changes(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Looks at what may have changed: the MTU, which [`TxCaps`](netloom_driver::TxCaps) tells
    /// the stack from then on, and whether the interface still exists. Silences
    /// [`Device::changes`] until there is more.
    ///
    /// # Errors
    /// What the kernel says; [`DeviceError::Removed`] when the interface is gone, which
    /// [`Device::fault`] says from then on.
    fn refresh(&mut self) -> Result<(), DeviceError>;

    /// What to wait for before driving the device again.
    fn interest(&self) -> Interest;

    /// Why the device will never carry another frame; `None` while it may.
    fn fault(&self) -> Option<DeviceError>;

    /// What has passed and what was lost since the device was made.
    fn counters(&mut self) -> Counters;
}
