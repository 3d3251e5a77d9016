use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, Mode, mknodat};

use super::super::path::Target;
use super::super::root::{Found, Root};
use super::*;

fn list(folder: &Path) -> String {
    let root = Root::open(folder).unwrap();
    let Ok(Found::Folder(handle)) = root.find(&RelativePath::default()) else {
        panic!()
    };
    String::from_utf8(page(&handle, &RelativePath::default()).unwrap()).unwrap()
}

#[test]
fn entries_are_sorted_escaped_and_linked() {
    let folder = tempfile::tempdir().unwrap();
    let name = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    fs::write(name(b"b"), "123").unwrap();
    fs::write(name(b"<script>&\"'"), "").unwrap();
    fs::write(name(b"javascript:alert(1)"), "").unwrap();
    fs::write(name(b"a b%3f?#"), "").unwrap();
    fs::write(name(b"\xff\n"), "").unwrap();
    fs::create_dir(name(b"c")).unwrap();
    symlink("/etc", name(b"link")).unwrap();
    mknodat(
        CWD,
        name(b"fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let page = list(folder.path());
    let rows: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("<tr>"))
        .collect();
    let starts = [
        r#"<tr><td><a href="%3Cscript%3E%26%22%27">&lt;script&gt;&amp;&quot;&#39;</a><td>0<td>"#,
        r#"<tr><td><a href="a%20b%253f%3F%23">a b%3f?#</a><td>0<td>"#,
        r#"<tr><td><a href="b">b</a><td>3<td>"#,
        r#"<tr><td><a href="c/">c/</a><td><td>"#,
        r#"<tr><td><a href="javascript%3Aalert%281%29">javascript:alert(1)</a><td>0<td>"#,
        r#"<tr><td><a href="link">link</a><td><td>"#,
        "<tr><td><a href=\"%FF%0A\">\u{fffd}\u{fffd}</a><td>0<td>",
    ];
    assert_eq!(rows.len(), starts.len(), "{page}");
    for (row, start) in rows.iter().zip(starts) {
        assert!(
            row.starts_with(start) && row.ends_with(" GMT"),
            "{row}\n{start}"
        );
    }
}

#[test]
fn the_title_is_the_path() {
    let path = Target::parse(b"/a/%3Cb%3E/").unwrap().path;
    let page = render(&path, &[], true);
    assert!(page.contains("<title>/a/&lt;b&gt;/</title>"), "{page}");
    assert!(page.contains("<a href=\"../\">"), "{page}");
    assert!(!render(&RelativePath::default(), &[], true).contains("../"));
}

#[test]
fn a_page_is_bounded_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..=MAX_ENTRIES {
        fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    let page = list(folder.path());
    assert_eq!(page.matches("<tr>").count(), MAX_ENTRIES);
    assert!(page.contains("more entries"));
    fs::remove_file(folder.path().join("0")).unwrap();
    assert!(!list(folder.path()).contains("more entries"));
}

#[test]
fn a_date_beyond_all_dates_is_left_out() {
    let mut row = String::new();
    let modified = Some(UNIX_EPOCH + Duration::from_secs(i64::MAX as u64));
    render_row(
        &Entry {
            name: b"a".to_vec(),
            kind: Kind::File(1),
            modified,
        },
        &mut row,
    );
    assert_eq!(row, "<tr><td><a href=\"a\">a</a><td>1<td>\n");
}
