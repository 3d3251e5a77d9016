use super::*;

#[test]
fn types_by_extension() {
    for (name, expected) in [
        ("a.html", "text/html; charset=utf-8"),
        ("A.HTML", "text/html; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("a.7z", "application/x-7z-compressed"),
        ("a.zst", "application/zstd"),
        ("a.", UNKNOWN),
        ("a", UNKNOWN),
        ("", UNKNOWN),
        (".html", UNKNOWN),
        ("a.htmlx", UNKNOWN),
    ] {
        assert_eq!(content_type(name.as_bytes()), expected, "{name}");
    }
}

#[test]
fn the_table_is_sorted() {
    assert!(TYPES.is_sorted_by(|a, b| a.0 < b.0));
    assert!(
        TYPES
            .iter()
            .all(|(extension, _)| *extension == extension.to_ascii_lowercase())
    );
}
