use std::io;

use super::DeviceError;

fn os(code: i32) -> DeviceError {
    DeviceError::about("eth7", "configure", io::Error::from_raw_os_error(code))
}

#[test]
fn kernel_errors_become_the_variant_that_explains_them() {
    assert!(matches!(os(libc::ENODEV), DeviceError::NoSuchDevice { name } if name == "eth7"));
    assert!(matches!(os(libc::ENXIO), DeviceError::NoSuchDevice { .. }));
    assert!(matches!(os(libc::EBUSY), DeviceError::Busy { .. }));
    assert!(matches!(
        os(libc::EPERM),
        DeviceError::PermissionDenied { .. }
    ));
    assert!(matches!(os(libc::EMSGSIZE), DeviceError::Os { .. }));
}

#[test]
fn the_kind_survives_the_conversion_to_io_error() {
    for (code, kind) in [
        (libc::ENODEV, io::ErrorKind::NotFound),
        (libc::EBUSY, io::ErrorKind::ResourceBusy),
        (libc::EPERM, io::ErrorKind::PermissionDenied),
        (libc::EINVAL, io::ErrorKind::InvalidInput),
    ] {
        let error = io::Error::from(os(code));
        assert_eq!(error.kind(), kind);
        let inner = error.into_inner().expect("the error is kept inside");
        assert!(inner.downcast::<DeviceError>().is_ok());
    }
}

#[test]
fn messages_say_what_to_do() {
    let text = os(libc::EPERM).to_string();
    assert!(
        text.starts_with("cannot configure eth7: Permission denied"),
        "{text}"
    );
    assert!(text.contains("run as root"), "{text}");
    assert_eq!(os(libc::ENODEV).to_string(), "there is no interface eth7");
}
