//! What TAP and TUN interfaces have in common: everything but the link header.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::Duration;

use netloom_driver::{FrameSink, Full, LinkState, Receiver, RxMeta, TxCaps, TxMeta};

use super::batch::Batch;
use super::fault::{Fault, ReadFailure, WriteFailure};
use super::scatter;
use super::tx_slot::{Offered, TxSlot};
use super::vnet;
use super::watch::LinkWatch;
use super::{Counters, DeviceError, Interest, InterfaceName, KernelEnd, Offload, RX_CAPACITY};
use crate::sys::{self, PollFd, TUN_DEVICE, TunFlags};

/// One end of a TUN or TAP interface, the other end of which is the kernel's.
#[derive(Debug)]
pub(super) struct TunTap {
    file: File,
    name: InterfaceName,
    mtu: u16,
    /// Asks about interfaces in the namespace the interface is in; none where that is unknown.
    control: Option<OwnedFd>,
    watch: Option<LinkWatch>,
    /// A `virtio_net_hdr` stands in front of each frame.
    vnet_header: bool,
    offload: Offload,
    rx: Box<[u8]>,
    batch: Batch,
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
        let watch = LinkWatch::open().ok();
        let name = sys::tun_attach(file.as_fd(), &asked, flags).map_err(|error| {
            let exists = sys::interface_index(control.as_fd(), &asked).is_ok();
            attach_error(name, flags, exists, error)
        })?;
        let mtu = read_mtu(control.as_fd(), &name)?;
        let mut tuntap = TunTap::new(file, name, flags, mtu)?;
        tuntap.control = Some(control);
        tuntap.watch = watch;
        Ok(tuntap)
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
        TunTap::new(File::from(fd), name, present, mtu)
    }

    /// Asks for as much offload as the kernel has.
    fn new(
        file: File,
        name: InterfaceName,
        flags: TunFlags,
        mtu: u16,
    ) -> Result<TunTap, DeviceError> {
        let mut tuntap = TunTap {
            file,
            name,
            mtu,
            control: None,
            watch: None,
            vnet_header: flags.vnet_header(),
            offload: Offload::None,
            rx: vec![0; vnet::HEADER_LEN + RX_CAPACITY].into_boxed_slice(),
            batch: Batch::default(),
            tx: TxSlot::new(),
            fault: None,
            counters: Counters::default(),
        };
        if tuntap.vnet_header {
            // Whoever had a persistent interface before may have chosen another length.
            sys::tun_set_vnet_header(tuntap.file.as_fd(), vnet::HEADER_LEN)
                .map_err(|error| tuntap.about_offload(error))?;
            let best = [Offload::Segmentation, Offload::Checksum];
            if !best
                .iter()
                .any(|&offload| tuntap.set_offload(offload).is_ok())
            {
                tuntap.set_offload(Offload::None)?;
            }
        }
        Ok(tuntap)
    }

    fn about_offload(&self, error: io::Error) -> DeviceError {
        DeviceError::about(self.name(), "set the offloads of", error)
    }

    pub(super) fn offload(&self) -> Offload {
        self.offload
    }

    pub(super) fn set_offload(&mut self, offload: Offload) -> Result<(), DeviceError> {
        if self.vnet_header {
            sys::tun_set_offload(self.file.as_fd(), offload)
                .map_err(|error| self.about_offload(error))?;
        } else if offload != Offload::None {
            return Err(DeviceError::WrongKind {
                name: self.name().to_owned(),
                expected: "a descriptor opened with IFF_VNET_HDR, as offloads need it",
            });
        }
        self.offload = offload;
        Ok(())
    }

    /// Bytes in front of each frame.
    fn header_len(&self) -> usize {
        if self.vnet_header {
            vnet::HEADER_LEN
        } else {
            0
        }
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_str()
    }

    pub(super) fn mtu(&self) -> u16 {
        self.mtu
    }

    pub(super) fn changes(&self) -> Option<BorrowedFd<'_>> {
        self.watch.as_ref().map(LinkWatch::as_fd)
    }

    pub(super) fn refresh(&mut self) -> Result<(), DeviceError> {
        // What comes after this is news.
        if let Some(watch) = &mut self.watch {
            watch.forget();
        }
        // The interface may have been renamed since.
        let Ok((name, _)) = sys::tun_attached(self.file.as_fd()) else {
            self.fail(Fault::Removed);
            return Err(self.gone());
        };
        if let Some(control) = &self.control {
            self.mtu = read_mtu(control.as_fd(), &name)?;
        }
        Ok(())
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
        self.receive_into(&mut scatter::Whole(each))
    }

    pub(super) fn receive_into(&mut self, receiver: &mut dyn Receiver) -> usize {
        self.retry_waiting();
        let header = self.header_len();
        let mut count = 0;
        self.batch.begin();
        while self.fault.is_none() && self.batch.wants_more() {
            match scatter::read(&self.file, &mut self.rx, header, receiver.place()) {
                Ok((len, apart)) => {
                    self.batch.took(len);
                    // Without its own header the kernel finishes every checksum; those of
                    // forwarded packets nobody has verified yet.
                    let (meta, frame) = if self.vnet_header {
                        match self
                            .rx
                            .get_mut(..len)
                            .and_then(<[u8]>::split_first_chunk_mut)
                        {
                            Some((header, frame)) => (vnet::decode(header), frame),
                            None => (RxMeta::default(), [].as_mut_slice()),
                        }
                    } else {
                        let frame = self.rx.get_mut(..len).unwrap_or_default();
                        (RxMeta::default(), frame)
                    };
                    if frame.is_empty() {
                        self.counters.rx_dropped += 1;
                        continue;
                    }
                    self.counters.rx_frames += 1;
                    count += 1;
                    if apart > 0 {
                        receiver.frame_apart(frame, &meta, apart);
                    } else {
                        receiver.frame(frame, &meta);
                    }
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
        self.batch.end();
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
fn offer(file: &File, fault: &mut Option<Fault>, bytes: &[u8]) -> Offered {
    offer_pieces(file, fault, &[IoSlice::new(bytes)])
}

/// Gives one frame in pieces to the kernel, which takes all of it or nothing.
fn offer_pieces(mut file: &File, fault: &mut Option<Fault>, pieces: &[IoSlice<'_>]) -> Offered {
    if fault.is_some() {
        return Offered::Dropped;
    }
    loop {
        let written = match pieces {
            // A plain write(2) is less work for the kernel.
            [whole, rest @ ..] if rest.iter().all(|piece| piece.is_empty()) => file.write(whole),
            _ => file.write_vectored(pieces),
        };
        let Err(error) = written else {
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
        let header = &header[..self.header_len()];
        let TunTap {
            file, tx, fault, ..
        } = self;
        tx.send(header, len, fill, &mut |bytes| offer(file, fault, bytes))
    }

    fn gather(
        &mut self,
        head_len: usize,
        meta: &TxMeta,
        fill: &mut dyn FnMut(&mut [u8]),
        payload: (&[u8], &[u8]),
    ) -> Result<(), Full> {
        let header = vnet::encode(meta);
        let header = &header[..self.header_len()];
        let TunTap {
            file, tx, fault, ..
        } = self;
        tx.gather(header, head_len, fill, payload, &mut |pieces| {
            offer_pieces(file, fault, &pieces.map(IoSlice::new))
        })
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
        "a TAP interface"
    } else {
        "a TUN interface"
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
            fn receive_into(&mut self, receiver: &mut dyn ::netloom_driver::Receiver) -> usize {
                self.tuntap.receive_into(receiver)
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
            fn changes(&self) -> Option<::std::os::fd::BorrowedFd<'_>> {
                self.tuntap.changes()
            }
            fn refresh(&mut self) -> Result<(), $crate::device::DeviceError> {
                self.tuntap.refresh()
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
