//! What TAP and TUN interfaces have in common: everything but the link header.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use netloom_driver::{FrameSink, Full, LinkState, RxMeta, TxCaps, TxMeta};

use super::fault::{Fault, ReadFailure, WriteFailure};
use super::tx_slot::{Offered, TxSlot};
use super::{BATCH, Counters, DeviceError, Interest, InterfaceName, KernelEnd, RX_CAPACITY};
use crate::sys::{self, PollFd, TUN_DEVICE, TunFlags};

/// Bytes of `virtio_net_hdr` in front of each frame: none while no offload is switched on.
const VNET_HEADER_LEN: usize = 0;

/// One end of a TUN or TAP interface, the other end of which is the kernel's.
#[derive(Debug)]
pub(super) struct TunTap {
    file: File,
    name: InterfaceName,
    mtu: u16,
    /// Asks about interfaces in the namespace the interface is in; none where that is unknown.
    control: Option<OwnedFd>,
    rx: Box<[u8]>,
    tx: TxSlot,
    fault: Option<Fault>,
    counters: Counters,
}

impl TunTap {
    /// Creates an interface, or attaches to an existing persistent one.
    pub(super) fn create(name: &str, flags: TunFlags) -> Result<TunTap, DeviceError> {
        let asked = InterfaceName::new(name)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(TUN_DEVICE)
            .map_err(open_error)?;
        let control = sys::control_socket().map_err(|source| DeviceError::Os {
            action: "make a control socket".to_owned(),
            source,
        })?;
        let name = sys::tun_attach(file.as_fd(), &asked, flags).map_err(|error| {
            let exists = sys::interface_index(control.as_fd(), &asked).is_ok();
            attach_error(name, flags, exists, error)
        })?;
        let mtu = read_mtu(control.as_fd(), &name)?;
        Ok(TunTap::new(file, name, mtu, Some(control)))
    }

    /// Takes over a descriptor that is attached to an interface already, perhaps of another
    /// network namespace.
    pub(super) fn from_owned_fd(
        fd: OwnedFd,
        flags: TunFlags,
        mtu: u16,
    ) -> Result<TunTap, DeviceError> {
        let wrong = || DeviceError::WrongKind {
            name: "the descriptor".to_owned(),
            expected: kind(flags),
        };
        let (name, present) = sys::tun_attached(fd.as_fd()).map_err(|_| wrong())?;
        if !present.same_framing(flags) {
            return Err(wrong());
        }
        sys::set_nonblocking(fd.as_fd()).map_err(|source| DeviceError::Os {
            action: format!("make the descriptor of {} non-blocking", name.as_str()),
            source,
        })?;
        Ok(TunTap::new(File::from(fd), name, mtu, None))
    }

    fn new(file: File, name: InterfaceName, mtu: u16, control: Option<OwnedFd>) -> TunTap {
        TunTap {
            file,
            name,
            mtu,
            control,
            rx: vec![0; VNET_HEADER_LEN + RX_CAPACITY].into_boxed_slice(),
            tx: TxSlot::new(VNET_HEADER_LEN),
            fault: None,
            counters: Counters::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn mtu(&self) -> u16 {
        self.mtu
    }

    pub(super) fn refresh_mtu(&mut self) -> Result<u16, DeviceError> {
        if let Some(control) = &self.control {
            // The interface may have been renamed since.
            let (name, _) = sys::tun_attached(self.file.as_fd()).map_err(|_| self.gone())?;
            self.mtu = read_mtu(control.as_fd(), &name)?;
        }
        Ok(self.mtu)
    }

    pub(super) fn kernel_end(&self) -> Result<KernelEnd, DeviceError> {
        let (name, _) = sys::tun_attached(self.file.as_fd()).map_err(|_| self.gone())?;
        KernelEnd::of(name.as_str())
    }

    fn gone(&self) -> DeviceError {
        Fault::Removed.describe(self.name())
    }

    pub(super) fn interest(&self) -> Interest {
        if self.fault.is_some() {
            return Interest::default();
        }
        Interest {
            readable: true,
            writable: self.tx.wants_writable(),
            retry_at: self.tx.retry_at(),
        }
    }

    pub(super) fn fault(&self) -> Option<DeviceError> {
        self.fault.map(|fault| fault.describe(self.name()))
    }

    pub(super) fn counters(&self) -> Counters {
        let tx = self.tx.counts();
        Counters {
            tx_frames: tx.sent,
            tx_dropped: tx.dropped,
            tx_deferred: tx.deferred,
            ..self.counters
        }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The kernel calls a tun descriptor writable exactly while the interface is up, as its send
    /// buffer has no practical bound; this holds across namespaces, where no name is of use.
    pub(super) fn link(&self) -> LinkState {
        let mut entry = [PollFd::new(self.file.as_fd(), false, true)];
        let up = self.fault.is_none()
            && sys::poll(&mut entry, Some(Duration::ZERO)).is_ok()
            && entry[0].is_writable()
            && !entry[0].is_error();
        if up { LinkState::Up } else { LinkState::Down }
    }

    pub(super) fn receive(&mut self, each: &mut dyn FnMut(&[u8], &RxMeta)) -> usize {
        self.retry_waiting();
        let mut count = 0;
        for _ in 0..BATCH {
            if self.fault.is_some() {
                break;
            }
            // The kernel finishes every checksum before it hands a frame to a reader that has
            // not offered to do so; those of forwarded packets nobody has verified yet.
            match self.file.read(&mut self.rx) {
                Ok(len) => {
                    let frame = self.rx.get(VNET_HEADER_LEN..len).unwrap_or_default();
                    self.counters.rx_frames += 1;
                    count += 1;
                    each(frame, &RxMeta::default());
                }
                Err(error) => match ReadFailure::of(&error) {
                    ReadFailure::Empty => break,
                    ReadFailure::Interrupted => {}
                    ReadFailure::Passing => {
                        self.counters.rx_errors += 1;
                        break;
                    }
                    ReadFailure::Fatal(fault) => {
                        self.counters.rx_errors += 1;
                        self.fail(fault);
                    }
                },
            }
        }
        count
    }

    fn fail(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
        self.tx.abandon();
    }

    fn retry_waiting(&mut self) {
        let TunTap {
            file, tx, fault, ..
        } = self;
        // Whether it still waits shows in `interest`.
        let _ = tx.retry(&mut |bytes| offer(file, fault, bytes));
    }
}

/// Gives one frame, behind its header, to the kernel.
fn offer(mut file: &File, fault: &mut Option<Fault>, bytes: &[u8]) -> Offered {
    if fault.is_some() {
        return Offered::Dropped;
    }
    loop {
        let Err(error) = file.write(bytes) else {
            return Offered::Sent;
        };
        match WriteFailure::of(&error) {
            WriteFailure::Interrupted => {}
            WriteFailure::WouldBlock => return Offered::WouldBlock,
            WriteFailure::NoBuffers => return Offered::NoBuffers,
            // A tun interface has no limit of its own: an over-long frame is a refused one.
            WriteFailure::TooLong | WriteFailure::Refused => return Offered::Dropped,
            WriteFailure::Removed => {
                *fault = Some(Fault::Removed);
                return Offered::Dropped;
            }
        }
    }
}

impl FrameSink for TunTap {
    fn caps(&self) -> TxCaps {
        TxCaps::plain(self.mtu)
    }

    fn frame(
        &mut self,
        len: usize,
        _meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), Full> {
        let TunTap {
            file, tx, fault, ..
        } = self;
        tx.send(len, fill, &mut |bytes| offer(file, fault, bytes))
    }

    fn flush(&mut self) {
        self.retry_waiting();
    }
}

fn read_mtu(control: BorrowedFd<'_>, name: &InterfaceName) -> Result<u16, DeviceError> {
    sys::interface_mtu(control, name)
        .map_err(|error| DeviceError::about(name.as_str(), "read the MTU of", error))
}

fn kind(flags: TunFlags) -> &'static str {
    if flags == TunFlags::TAP {
        "a TAP interface without offloads"
    } else {
        "a TUN interface without offloads"
    }
}

fn open_error(error: io::Error) -> DeviceError {
    let action = format!("open {TUN_DEVICE}");
    match error.raw_os_error() {
        Some(libc::EACCES | libc::EPERM) => {
            let who = std::fs::metadata(TUN_DEVICE).map_or_else(
                |_| String::new(),
                |meta| {
                    let owner = match meta.uid() {
                        0 => "root".to_owned(),
                        uid => format!("uid {uid}"),
                    };
                    format!("(mode {:04o}, owner {owner})", meta.mode() & 0o7777)
                },
            );
            DeviceError::PermissionDenied {
                action,
                hint: format!(
                    "{who}: run as root, or have root create the device for you with `ip tuntap add`"
                ),
            }
        }
        Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => DeviceError::Unsupported {
            what: format!("{TUN_DEVICE} (the TUN/TAP driver)"),
        },
        _ => DeviceError::Os {
            action,
            source: error,
        },
    }
}

fn attach_error(name: &str, flags: TunFlags, exists: bool, error: io::Error) -> DeviceError {
    match error.raw_os_error() {
        // Of all the meanings of EINVAL, this is the one a user can do something about.
        Some(libc::EINVAL) if exists => DeviceError::WrongKind {
            name: name.to_owned(),
            expected: kind(flags),
        },
        _ => DeviceError::about(name, "create the interface", error),
    }
}

/// Implements the device traits for a newtype over [`TunTap`] with a method `medium`.
macro_rules! delegate_to_tuntap {
    ($device:ty) => {
        impl ::netloom_driver::Driver for $device {
            fn receive(&mut self, each: &mut dyn FnMut(&[u8], &::netloom_driver::RxMeta)) -> usize {
                self.tuntap.receive(each)
            }
            fn sink(&mut self) -> &mut dyn ::netloom_driver::FrameSink {
                &mut self.tuntap
            }
            fn link(&self) -> ::netloom_driver::LinkState {
                self.tuntap.link()
            }
        }

        impl ::std::os::fd::AsFd for $device {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                self.tuntap.as_fd()
            }
        }

        impl ::std::os::fd::AsRawFd for $device {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                self.tuntap.as_fd().as_raw_fd()
            }
        }

        impl $crate::device::Device for $device {
            fn name(&self) -> &str {
                self.tuntap.name()
            }
            fn medium(&self) -> $crate::device::Medium {
                self.medium()
            }
            fn mtu(&self) -> u16 {
                self.tuntap.mtu()
            }
            fn refresh_mtu(&mut self) -> Result<u16, $crate::device::DeviceError> {
                self.tuntap.refresh_mtu()
            }
            fn interest(&self) -> $crate::device::Interest {
                self.tuntap.interest()
            }
            fn fault(&self) -> Option<$crate::device::DeviceError> {
                self.tuntap.fault()
            }
            fn counters(&mut self) -> $crate::device::Counters {
                self.tuntap.counters()
            }
        }
    };
}
pub(super) use delegate_to_tuntap;

#[cfg(test)]
mod tests;
