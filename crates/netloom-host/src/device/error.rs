//! Why a device could not be made or configured, in words that say what to do.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a device could not be made, configured or used.
///
/// Converts into [`io::Error`] with the matching [`io::ErrorKind`], named at each variant.
#[derive(Debug)]
#[non_exhaustive]
pub enum DeviceError {
    /// The caller lacks a right ([`io::ErrorKind::PermissionDenied`]).
    PermissionDenied {
        /// What was tried: "open /dev/net/tun".
        action: String,
        /// What stands in the way and what would help.
        hint: String,
    },
    /// There is no interface of this name ([`io::ErrorKind::NotFound`]).
    NoSuchDevice {
        /// The name that was asked for.
        name: String,
    },
    /// Another program holds the interface ([`io::ErrorKind::ResourceBusy`]).
    Busy {
        /// The interface.
        name: String,
    },
    /// No interface can have this name ([`io::ErrorKind::InvalidInput`]).
    InvalidName {
        /// The name that was asked for.
        name: String,
    },
    /// The interface or descriptor exists and is something else
    /// ([`io::ErrorKind::InvalidInput`]).
    WrongKind {
        /// The interface or descriptor.
        name: String,
        /// What it would have to be.
        expected: &'static str,
    },
    /// An argument is out of range ([`io::ErrorKind::InvalidInput`]).
    InvalidArgument {
        /// What is wrong with it.
        reason: String,
    },
    /// The kernel lacks the feature ([`io::ErrorKind::Unsupported`]).
    Unsupported {
        /// What is missing.
        what: String,
    },
    /// The interface was removed while in use ([`io::ErrorKind::NotConnected`]).
    Removed {
        /// The interface.
        name: String,
    },
    /// The kernel refused for another reason (its own kind).
    Os {
        /// What was tried.
        action: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl DeviceError {
    /// The kind of the [`io::Error`] this becomes.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            DeviceError::PermissionDenied { .. } => io::ErrorKind::PermissionDenied,
            DeviceError::NoSuchDevice { .. } => io::ErrorKind::NotFound,
            DeviceError::Busy { .. } => io::ErrorKind::ResourceBusy,
            DeviceError::InvalidName { .. }
            | DeviceError::WrongKind { .. }
            | DeviceError::InvalidArgument { .. } => io::ErrorKind::InvalidInput,
            DeviceError::Unsupported { .. } => io::ErrorKind::Unsupported,
            DeviceError::Removed { .. } => io::ErrorKind::NotConnected,
            DeviceError::Os { source, .. } => source.kind(),
        }
    }

    /// What the kernel said when asked about the interface `name`, as one of the variants that
    /// explain it where there is one.
    pub(crate) fn about(name: &str, action: &str, source: io::Error) -> DeviceError {
        let name = name.to_owned();
        match source.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => DeviceError::NoSuchDevice { name },
            Some(libc::EBUSY) => DeviceError::Busy { name },
            Some(libc::EPERM) => DeviceError::PermissionDenied {
                action: format!("{action} {name}"),
                hint: "it needs the capability CAP_NET_ADMIN: run as root, or inside a user and \
                       network namespace of your own (`unshare -rn`)"
                    .to_owned(),
            },
            _ => DeviceError::Os {
                action: format!("{action} {name}"),
                source,
            },
        }
    }
}

impl fmt::Display for DeviceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceError::PermissionDenied { action, hint } => {
                write!(f, "cannot {action}: Permission denied {hint}")
            }
            DeviceError::NoSuchDevice { name } => write!(f, "there is no interface {name}"),
            DeviceError::Busy { name } => {
                write!(f, "the interface {name} is in use by another program")
            }
            DeviceError::InvalidName { name } => write!(
                f,
                "{name:?} cannot name an interface: 1 to 15 bytes, no spaces, no '/', no ':'"
            ),
            DeviceError::WrongKind { name, expected } => write!(f, "{name} is not {expected}"),
            DeviceError::InvalidArgument { reason } => f.write_str(reason),
            DeviceError::Unsupported { what } => write!(f, "this kernel has no {what}"),
            DeviceError::Removed { name } => {
                write!(f, "the interface {name} was removed while in use")
            }
            DeviceError::Os { action, source } => write!(f, "cannot {action}: {source}"),
        }
    }
}

impl Error for DeviceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            DeviceError::Os { source, .. } => Some(source),
            DeviceError::PermissionDenied { .. }
            | DeviceError::NoSuchDevice { .. }
            | DeviceError::Busy { .. }
            | DeviceError::InvalidName { .. }
            | DeviceError::WrongKind { .. }
            | DeviceError::InvalidArgument { .. }
            | DeviceError::Unsupported { .. }
            | DeviceError::Removed { .. } => None,
        }
    }
}

impl From<DeviceError> for io::Error {
    fn from(error: DeviceError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

#[cfg(test)]
mod tests;
