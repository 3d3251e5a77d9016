use std::io;

use super::{DeviceError, TunFlags, attach_error, open_error};

fn os(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

#[test]
fn missing_rights_name_the_file_its_owner_and_the_way_out() {
    let error = open_error(os(libc::EACCES));
    assert!(matches!(error, DeviceError::PermissionDenied { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("cannot open /dev/net/tun: Permission denied"),
        "{text}"
    );
    let advice = ": run as root, or have root create the device for you with `ip tuntap add`";
    assert!(text.ends_with(advice), "{text}");
    if std::fs::exists("/dev/net/tun").unwrap_or(false) {
        assert!(
            text.contains("(mode 0") && text.contains(", owner "),
            "{text}"
        );
    }
}

#[test]
fn a_kernel_without_the_driver_is_named() {
    for code in [libc::ENOENT, libc::ENODEV, libc::ENXIO] {
        let text = open_error(os(code)).to_string();
        assert_eq!(text, "this kernel has no /dev/net/tun (the TUN/TAP driver)");
    }
}

#[test]
fn einval_blames_the_interface_only_if_there_is_one() {
    let error = attach_error("lo", TunFlags::TAP, true, os(libc::EINVAL));
    assert_eq!(error.to_string(), "lo is not a TAP interface");
    let error = attach_error("new0", TunFlags::TAP, false, os(libc::EINVAL));
    assert!(matches!(error, DeviceError::Os { .. }));
    let error = attach_error("t0", TunFlags::TUN, true, os(libc::EBUSY));
    assert_eq!(
        error.to_string(),
        "the interface t0 is in use by another program"
    );
    let error = attach_error("t0", TunFlags::TUN, false, os(libc::EPERM));
    assert!(error.to_string().contains("CAP_NET_ADMIN"));
}
