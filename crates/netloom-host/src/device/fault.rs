//! What an error of the kernel means for a device that was working.

use std::io;

use super::DeviceError;

/// Why a device will never carry another frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The interface was removed.
    Removed,
    /// The kernel reports this error number, which no retry is known to cure.
    Failed(i32),
}

impl Fault {
    /// As an error about the interface `name`.
    pub(super) fn describe(self, name: &str) -> DeviceError {
        match self {
            Fault::Removed => DeviceError::Removed {
                name: name.to_owned(),
            },
            Fault::Failed(code) => DeviceError::Os {
                action: format!("receive from {name}"),
                source: io::Error::from_raw_os_error(code),
            },
        }
    }
}

/// What a failed read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadFailure {
    /// Nothing is waiting.
    Empty,
    /// A signal came first: read again.
    Interrupted,
    /// It may pass: the interface is down, or memory is short.
    Passing,
    /// It will not pass. Unknown errors are here too, because a descriptor that stays in error
    /// would keep its reader awake for ever.
    Fatal(Fault),
}

impl ReadFailure {
    pub(super) fn of(error: &io::Error) -> ReadFailure {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => ReadFailure::Empty,
            Some(libc::EINTR) => ReadFailure::Interrupted,
            Some(libc::ENETDOWN | libc::EIO | libc::ENOBUFS | libc::ENOMEM) => ReadFailure::Passing,
            // EBADFD: what a tun descriptor says once its interface is gone.
            Some(libc::EBADFD | libc::ENODEV | libc::ENXIO) => ReadFailure::Fatal(Fault::Removed),
            code => ReadFailure::Fatal(Fault::Failed(code.unwrap_or(libc::EIO))),
        }
    }
}

/// What a failed write means for the frame and the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteFailure {
    /// Not taken; poll(2) will tell when to try again.
    WouldBlock,
    /// A signal came first: write again.
    Interrupted,
    /// A queue or memory is full; poll(2) cannot tell when to try again.
    NoBuffers,
    /// Longer than the interface allows: our MTU is out of date.
    TooLong,
    /// The device is gone.
    Removed,
    /// The interface is down, or the kernel refuses this frame.
    Refused,
}

impl WriteFailure {
    pub(super) fn of(error: &io::Error) -> WriteFailure {
        match error.raw_os_error() {
            Some(libc::EAGAIN) => WriteFailure::WouldBlock,
            Some(libc::EINTR) => WriteFailure::Interrupted,
            Some(libc::ENOBUFS | libc::ENOMEM) => WriteFailure::NoBuffers,
            Some(libc::EMSGSIZE) => WriteFailure::TooLong,
            Some(libc::EBADFD | libc::ENODEV | libc::ENXIO) => WriteFailure::Removed,
            _ => WriteFailure::Refused,
        }
    }
}
