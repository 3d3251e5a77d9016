//! The frames of an existing interface, through a packet socket.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use netloom_driver::{Driver, FrameSink, Full, LinkState, RxChecksum, RxMeta, TxCaps, TxMeta};

use super::batch::Batch;
use super::fault::{Fault, ReadFailure, WriteFailure};
use super::tx_slot::{Offered, TxSlot};
use super::vnet;
use super::watch::LinkWatch;
use super::{Counters, Device, DeviceError, Interest, InterfaceName, Medium, Offload, RX_CAPACITY};
use crate::sys::{self, VlanTag};

/// Bytes of a VLAN tag.
const TAG_LEN: u16 = 4;

/// A raw `AF_PACKET` socket on one interface.
///
/// The kernel goes on using the interface: it sees the same frames, and unless it is kept from it
/// answers them too. Give the stack addresses the kernel does not have there.
///
/// # What arrives
/// All frames the interface receives, whatever protocol; not those this host sends. A VLAN tag
/// the kernel has taken out is put back. A local sender (the other end of a veth pair, a
/// container) may leave checksums unfinished, and may send super-segments of up to 64 KiB that
/// real hardware would have cut; a network card may merge what it received. [`RxMeta`] tells of
/// each, whatever [`PacketSocket::offload`] says, which is about what is sent.
///
/// # Removal
/// When the interface is removed, [`Device::fault`] says so and the link is down. An interface
/// that is merely set down keeps its socket, and frames flow again once it is up.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    index: i32,
    name: InterfaceName,
    medium: Medium,
    mtu: u16,
    watch: Option<LinkWatch>,
    offload: Offload,
    promiscuous: bool,
    groups: Vec<[u8; 6]>,
    rx: Box<[u8]>,
    batch: Batch,
    tx: TxSlot,
    fault: Option<Fault>,
    counters: Counters,
}

impl PacketSocket {
    /// Opens a packet socket on the interface `name`.
    ///
    /// # Errors
    /// [`DeviceError::PermissionDenied`] without `CAP_NET_RAW`; [`DeviceError::NoSuchDevice`];
    /// [`DeviceError::InvalidName`]; [`DeviceError::WrongKind`] if its frames are neither
    /// Ethernet nor bare IP.
    pub fn open(name: &str) -> Result<PacketSocket, DeviceError> {
        let name = InterfaceName::new(name)?;
        let fd = sys::packet_socket().map_err(open_error)?;
        let index = sys::interface_index(fd.as_fd(), &name)
            .map_err(|error| DeviceError::about(name.as_str(), "find", error))?;
        let watch = LinkWatch::open().ok();
        let mut socket = PacketSocket::new(fd, index)?;
        socket.watch = watch;
        Ok(socket)
    }

    /// Takes over a raw packet socket that is bound to an interface, made by somebody with the
    /// rights and passed on, perhaps out of another network namespace. No rights are needed.
    ///
    /// # Errors
    /// [`DeviceError::WrongKind`] if the descriptor is anything else; [`DeviceError::Removed`] if
    /// the interface no longer exists.
    pub fn from_owned_fd(fd: OwnedFd) -> Result<PacketSocket, DeviceError> {
        let name = || "the descriptor".to_owned();
        let expected = "a raw packet socket bound to an interface";
        if !sys::is_raw_packet_socket(fd.as_fd()).unwrap_or(false) {
            return Err(DeviceError::WrongKind {
                name: name(),
                expected,
            });
        }
        match sys::packet_binding(fd.as_fd()) {
            Ok(-1) => Err(DeviceError::Removed {
                name: format!("of {}", name()),
            }),
            Ok(index) if index > 0 => PacketSocket::new(fd, index),
            Ok(_) | Err(_) => Err(DeviceError::WrongKind {
                name: name(),
                expected,
            }),
        }
    }

    fn new(fd: OwnedFd, index: i32) -> Result<PacketSocket, DeviceError> {
        // The socket answers for its own namespace, which need not be this thread's.
        let name = sys::interface_name(fd.as_fd(), index)
            .map_err(|error| DeviceError::about(&format!("#{index}"), "find", error))?;
        let about = |action, error| DeviceError::about(name.as_str(), action, error);
        let medium = medium(fd.as_fd(), &name)?;
        let mtu = sys::interface_mtu(fd.as_fd(), &name)
            .map_err(|error| about("read the MTU of", error))?;
        sys::set_packet_options(fd.as_fd())
            .and_then(|()| sys::bind_packet(fd.as_fd(), index))
            .map_err(|error| about("listen to", error))?;
        Ok(PacketSocket {
            fd,
            index,
            name,
            medium,
            mtu,
            watch: None,
            offload: Offload::default(),
            promiscuous: false,
            groups: Vec::new(),
            rx: vec![0; vnet::HEADER_LEN + RX_CAPACITY].into_boxed_slice(),
            batch: Batch::default(),
            tx: TxSlot::new(),
            fault: None,
            counters: Counters::default(),
        })
    }

    /// The same socket with a MAC of the stack's own instead of the interface's. The interface
    /// becomes promiscuous: see [`PacketSocket::set_promiscuous`].
    ///
    /// # Errors
    /// [`DeviceError::InvalidArgument`] for a multicast or all-zero address;
    /// [`DeviceError::WrongKind`] for an interface without link-layer addresses; as
    /// [`PacketSocket::set_promiscuous`].
    pub fn with_mac(mut self, mac: [u8; 6]) -> Result<PacketSocket, DeviceError> {
        if mac[0] & 1 != 0 || mac == [0; 6] {
            let reason = format!("{mac:02x?} is not the address of a station");
            return Err(DeviceError::InvalidArgument { reason });
        }
        if self.medium == Medium::Ip {
            return Err(DeviceError::WrongKind {
                name: self.name.as_str().to_owned(),
                expected: "an Ethernet interface",
            });
        }
        self.set_promiscuous(true)?;
        self.medium = Medium::Ethernet { mac };
        Ok(self)
    }

    /// Whether the interface receives frames to every address, rather than its own, broadcast,
    /// and the multicast groups asked for. Off at first; undone when the socket is closed. Needed
    /// where the stack has another MAC than the interface.
    ///
    /// # Errors
    /// What the kernel says, such as [`DeviceError::NoSuchDevice`].
    pub fn set_promiscuous(&mut self, on: bool) -> Result<(), DeviceError> {
        // The kernel counts memberships: a second one would have to be dropped twice.
        if on != self.promiscuous {
            let change = if on {
                sys::add_membership
            } else {
                sys::drop_membership
            };
            change(self.fd.as_fd(), self.index, None)
                .map_err(|error| DeviceError::about(self.name(), "make promiscuous", error))?;
            self.promiscuous = on;
        }
        Ok(())
    }

    /// The same device with less of the stack's work left to the kernel: as made, it leaves
    /// checksums and segmentation to it, and the kernel to the network card, where that can.
    #[must_use]
    pub fn with_offload(mut self, offload: Offload) -> PacketSocket {
        self.offload = offload;
        self
    }

    /// What of the stack's work the kernel takes over, for frames sent.
    pub fn offload(&self) -> Offload {
        self.offload
    }

    fn is_removed(&self) -> bool {
        sys::packet_binding(self.fd.as_fd()).is_ok_and(|index| index != self.index)
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.tx.abandon();
    }

    fn retry_waiting(&mut self) {
        let (tx, mut port) = self.split();
        // Whether it still waits shows in `interest`.
        let _ = tx.retry(&mut |bytes| port.offer(&[IoSlice::new(bytes)]));
    }

    fn split(&mut self) -> (&mut TxSlot, Port<'_>) {
        let PacketSocket {
            fd,
            index,
            mtu,
            fault,
            tx,
            ..
        } = self;
        (
            tx,
            Port {
                fd: (*fd).as_fd(),
                index: *index,
                mtu,
                fault,
            },
        )
    }
}

/// What sending a frame reads and changes.
struct Port<'a> {
    fd: BorrowedFd<'a>,
    index: i32,
    mtu: &'a mut u16,
    fault: &'a mut Option<Fault>,
}

impl Port<'_> {
    /// Gives one frame in pieces to the kernel, which takes all of it or nothing.
    fn offer(&mut self, frame: &[IoSlice<'_>]) -> Offered {
        if self.fault.is_some() {
            return Offered::Dropped;
        }
        loop {
            let Err(error) = sys::send_packet(self.fd, frame) else {
                return Offered::Sent;
            };
            match WriteFailure::of(&error) {
                WriteFailure::Interrupted => {}
                WriteFailure::WouldBlock => return Offered::WouldBlock,
                WriteFailure::NoBuffers => return Offered::NoBuffers,
                WriteFailure::TooLong => {
                    // The frame is lost as it would be on the wire; the next turn knows better.
                    *self.mtu = current_mtu(self.fd, self.index).unwrap_or(*self.mtu);
                    return Offered::Dropped;
                }
                WriteFailure::Refused => return Offered::Dropped,
                WriteFailure::Removed => {
                    *self.fault = Some(Fault::Removed);
                    return Offered::Dropped;
                }
            }
        }
    }
}

impl Driver for PacketSocket {
    fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        self.retry_waiting();
        let mut count = 0;
        self.batch.begin();
        while self.fault.is_none() && self.batch.wants_more() {
            match sys::receive_packet(self.fd.as_fd(), &mut self.rx) {
                Ok(received) => {
                    self.batch.took(received.len);
                    if received.outgoing {
                        continue;
                    }
                    if received.truncated {
                        self.counters.rx_dropped += 1;
                        continue;
                    }
                    let stored = self.rx.get_mut(..received.len).unwrap_or_default();
                    let Some((frame, meta)) = unpack(stored, received.vlan) else {
                        self.counters.rx_dropped += 1;
                        continue;
                    };
                    self.counters.rx_frames += 1;
                    count += 1;
                    each(frame, &meta);
                }
                // A super-segment of a kind the header has no word for: the kernel drops it.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                    self.batch.took(0);
                    self.counters.rx_dropped += 1;
                }
                Err(error) => match ReadFailure::of(&error) {
                    ReadFailure::Empty => break,
                    ReadFailure::Interrupted => {}
                    ReadFailure::Passing => {
                        self.counters.rx_errors += 1;
                        // A removed interface is first reported as down.
                        if self.is_removed() {
                            self.fail(Fault::Removed);
                        }
                        break;
                    }
                    ReadFailure::Fatal(fault) => {
                        self.counters.rx_errors += 1;
                        self.fail(fault);
                    }
                },
            }
        }
        self.batch.end();
        count
    }

    fn sink(&mut self) -> &mut dyn FrameSink {
        self
    }

    fn link(&self) -> LinkState {
        let running = !self.is_removed()
            && sys::interface_name(self.fd.as_fd(), self.index)
                .and_then(|name| sys::interface_is_running(self.fd.as_fd(), &name))
                .unwrap_or(false);
        if running && self.fault.is_none() {
            LinkState::Up
        } else {
            LinkState::Down
        }
    }

    fn set_multicast(&mut self, groups: &[[u8; 6]]) {
        let fd = self.fd.as_fd();
        let index = self.index;
        // A membership the kernel refuses is not remembered, so the next call tries it again.
        self.groups.retain(|&group| {
            groups.contains(&group) || sys::drop_membership(fd, index, Some(group)).is_err()
        });
        for &group in groups {
            if !self.groups.contains(&group) && sys::add_membership(fd, index, Some(group)).is_ok()
            {
                self.groups.push(group);
            }
        }
    }
}

impl FrameSink for PacketSocket {
    fn caps(&self) -> TxCaps {
        TxCaps {
            mtu: self.mtu,
            checksum: self.offload.checksum(),
            gso_max: self.offload.gso_max(),
        }
    }

    fn frame(
        &mut self,
        len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let header = vnet::encode(meta);
        let (tx, mut port) = self.split();
        tx.send(&header, len, fill, &mut |bytes| {
            port.offer(&[IoSlice::new(bytes)])
        })
    }

    fn gather(
        &mut self,
        head_len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
        payload: (&[u8], &[u8]),
    ) -> Result<(), Full> {
        let header = vnet::encode(meta);
        let (tx, mut port) = self.split();
        tx.gather(&header, head_len, fill, payload, &mut |pieces| {
            port.offer(&pieces.map(IoSlice::new))
        })
    }

    fn flush(&mut self) {
        self.retry_waiting();
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl Device for PacketSocket {
    fn name(&self) -> &str {
        self.name.as_str()
    }

    fn medium(&self) -> Medium {
        self.medium
    }

    fn mtu(&self) -> u16 {
        self.mtu
    }

    fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(LinkWatch::as_fd)
    }

    fn refresh(&mut self) -> Result<(), DeviceError> {
        // What comes after this is news.
        if let Some(watch) = &mut self.watch {
            watch.forget();
        }
        if self.is_removed() {
            self.fail(Fault::Removed);
            return Err(Fault::Removed.describe(self.name()));
        }
        self.mtu = current_mtu(self.fd.as_fd(), self.index)
            .map_err(|error| DeviceError::about(self.name(), "read the MTU of", error))?;
        Ok(())
    }

    fn interest(&self) -> Interest {
        if self.fault.is_some() {
            return Interest::default();
        }
        Interest {
            readable: true,
            writable: self.tx.wants_writable(),
            retry_at: self.tx.retry_at(),
        }
    }

    /// An interface that is first set down and later removed reports only the former. The latter
    /// is announced and found by [`Device::refresh`]; where it is not announced the kernel is
    /// asked each time.
    fn fault(&self) -> Option<DeviceError> {
        let removed = || (self.watch.is_none() && self.is_removed()).then_some(Fault::Removed);
        self.fault
            .or_else(removed)
            .map(|fault| fault.describe(self.name()))
    }

    fn counters(&mut self) -> Counters {
        // The kernel forgets its count when it is read.
        self.counters.rx_overruns += u64::from(sys::packet_drops(self.fd.as_fd()).unwrap_or(0));
        let tx = self.tx.counts();
        Counters {
            tx_frames: tx.sent,
            tx_dropped: tx.dropped,
            tx_deferred: tx.deferred,
            ..self.counters
        }
    }
}

fn current_mtu(fd: BorrowedFd<'_>, index: i32) -> io::Result<u16> {
    let name = sys::interface_name(fd, index)?;
    sys::interface_mtu(fd, &name)
}

/// The frame in what was received, with `tag` put back behind its two addresses if the kernel has
/// taken one out, and what the header in front says of it.
fn unpack(bytes: &mut [u8], tag: Option<VlanTag>) -> Option<(&[u8], RxMeta)> {
    const ADDRESSES: usize = 12;
    let mut start = vnet::HEADER_LEN;
    let mut meta = vnet::decode(bytes.first_chunk()?);
    if let Some(VlanTag { tpid, tci }) = tag.filter(|_| bytes.len() >= start + ADDRESSES) {
        let addresses = start..start + ADDRESSES;
        start -= usize::from(TAG_LEN);
        bytes.copy_within(addresses, start);
        let tag = start + ADDRESSES;
        bytes[tag..tag + 2].copy_from_slice(&tpid.to_be_bytes());
        bytes[tag + 2..tag + 4].copy_from_slice(&tci.to_be_bytes());
        if let RxChecksum::Partial(checksum) = &mut meta.checksum {
            checksum.start = checksum.start.saturating_add(TAG_LEN);
        }
    }
    Some((&bytes[start..], meta))
}

fn medium(fd: BorrowedFd<'_>, name: &InterfaceName) -> Result<Medium, DeviceError> {
    let (hardware, mac) = sys::interface_hardware(fd, name)
        .map_err(|error| DeviceError::about(name.as_str(), "read the address of", error))?;
    match hardware {
        // The loopback interface carries Ethernet headers, with addresses of zeros.
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Ok(Medium::Ethernet { mac }),
        libc::ARPHRD_NONE => Ok(Medium::Ip),
        _ => Err(DeviceError::WrongKind {
            name: name.as_str().to_owned(),
            expected: "an interface that carries Ethernet frames or bare IP packets",
        }),
    }
}

fn open_error(error: io::Error) -> DeviceError {
    let action = "open a packet socket".to_owned();
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => DeviceError::PermissionDenied {
            action,
            hint:
                "(it needs the capability CAP_NET_RAW): run as root, or inside a user and network \
                   namespace of your own (`unshare -rn`)"
                    .to_owned(),
        },
        Some(libc::EAFNOSUPPORT) => DeviceError::Unsupported {
            what: "packet sockets (AF_PACKET)".to_owned(),
        },
        _ => DeviceError::Os {
            action,
            source: error,
        },
    }
}

#[cfg(test)]
mod tests;
