use super::InterfaceName;

#[test]
fn takes_what_the_kernel_takes() {
    for name in ["a", "netloom0", "tap%d", "fifteen-bytes-x", "é0"] {
        assert_eq!(InterfaceName::new(name).unwrap().as_str(), name);
    }
}

#[test]
fn refuses_what_the_kernel_refuses() {
    for name in [
        "",
        ".",
        "..",
        "a/b",
        "a b",
        "a:0",
        "a\tb",
        "a\x0bb",
        "a\0b",
        "sixteen-bytes-xx",
    ] {
        assert!(InterfaceName::new(name).is_err(), "{name:?}");
    }
}

#[test]
fn a_kernel_name_that_is_not_utf8_is_cut_for_display_and_kept_for_the_kernel() {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(b"ab\xff1");
    let name = InterfaceName::from_kernel(bytes);
    assert_eq!(name.as_str(), "ab");
    assert_eq!(name.as_bytes_with_nul(), &bytes);
}

#[test]
fn a_kernel_name_without_nul_cannot_run_over() {
    assert_eq!(
        InterfaceName::from_kernel([b'x'; 16]).as_str(),
        "x".repeat(15)
    );
}
