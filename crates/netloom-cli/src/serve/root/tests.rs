use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, mknodat};
use tempfile::TempDir;

use super::super::path::Target;
use super::*;

/// A folder `www` with a file and a folder in it, beside a file `secret`.
fn tree() -> (TempDir, Root) {
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(outside.path().join("www/sub/deep")).unwrap();
    fs::write(outside.path().join("www/file"), "inside").unwrap();
    fs::write(outside.path().join("www/sub/deep/file"), "deep inside").unwrap();
    fs::write(outside.path().join("secret"), "outside").unwrap();
    let root = Root::open(&outside.path().join("www")).unwrap();
    (outside, root)
}

/// The contents of what the target names, `/` for a folder, or the status of the refusal.
fn find(root: &Root, target: &str) -> Result<String, u16> {
    let target = Target::parse(target.as_bytes()).map_err(|r| r.status.code())?;
    match root.find(&target.path).map_err(|r| r.status.code())? {
        Found::File(file, metadata) => {
            let mut text = vec![0; 1000];
            let len = file.read_at(0, &mut text).unwrap();
            text.truncate(len);
            assert_eq!(metadata.len(), len as u64);
            Ok(String::from_utf8(text).unwrap())
        }
        Found::Folder(_) => Ok("/".into()),
    }
}

#[test]
fn files_and_folders() {
    let (_outside, root) = tree();
    for (target, expected) in [
        ("/", Ok("/")),
        ("/file", Ok("inside")),
        ("/sub", Ok("/")),
        ("/sub/deep/file", Ok("deep inside")),
        ("/nothing", Err(404)),
        ("/nothing/file", Err(404)),
        ("/file/file", Err(404)),
        ("/sub/secret", Err(404)),
    ] {
        assert_eq!(find(&root, target), expected.map(String::from), "{target}");
    }
    assert_eq!(find(&root, &format!("/{}", "n".repeat(300))), Err(404));
}

#[test]
fn links_work_only_inside() {
    let (outside, root) = tree();
    let www = outside.path().join("www");
    for (to, link) in [
        ("file", "same"),
        ("sub", "folder"),
        ("../www/file", "out-and-in"),
        ("../secret", "out"),
        ("..", "up"),
        ("/etc/passwd", "away"),
        ("/", "top"),
        ("/dev/null", "device"),
        ("loop", "loop"),
        ("nothing", "dangling"),
        ("out", "chain"),
    ] {
        symlink(to, www.join(link)).unwrap();
    }
    symlink(www.join("sub/deep"), www.join("absolute")).unwrap();
    symlink("../../file", www.join("sub/deep/up")).unwrap();
    for (target, expected) in [
        ("/same", Ok("inside")),
        ("/folder", Ok("/")),
        ("/folder/deep/file", Ok("deep inside")),
        ("/absolute/file", Ok("deep inside")),
        ("/absolute/up", Ok("inside")),
        ("/out-and-in", Ok("inside")),
        ("/out", Err(403)),
        ("/up", Err(403)),
        ("/up/secret", Err(403)),
        ("/up/www/file", Ok("inside")),
        ("/away", Err(403)),
        ("/top/etc/passwd", Err(403)),
        ("/device", Err(403)),
        ("/chain", Err(403)),
        ("/loop", Err(404)),
        ("/dangling", Err(404)),
        ("/up/nothing", Err(404)),
    ] {
        assert_eq!(find(&root, target), expected.map(String::from), "{target}");
    }
}

/// A folder whose name begins like the served one's is another folder.
#[test]
fn a_sibling_with_a_longer_name_is_outside() {
    let (outside, root) = tree();
    fs::create_dir(outside.path().join("www2")).unwrap();
    fs::write(outside.path().join("www2/file"), "outside").unwrap();
    symlink("../www2/file", outside.path().join("www/sibling")).unwrap();
    assert_eq!(find(&root, "/sibling"), Err(403));
}

#[test]
fn special_files_are_refused_without_opening_them() {
    let (outside, root) = tree();
    let www = outside.path().join("www");
    // Opening it for reading would wait for a writer.
    mknodat(
        CWD,
        www.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    let _socket = UnixListener::bind(www.join("socket")).unwrap();
    symlink("fifo", www.join("link")).unwrap();
    for target in ["/fifo", "/socket", "/link", "/fifo/x"] {
        assert_eq!(find(&root, target), Err(403), "{target}");
    }
}

/// What was looked at is something else when it is opened: a link is not followed, a fifo neither
/// blocks nor is served.
#[test]
fn what_was_a_file_or_a_folder_a_moment_ago() {
    let (outside, root) = tree();
    let www = outside.path().join("www");
    mknodat(
        CWD,
        www.join("fifo"),
        FileType::Fifo,
        Mode::from_raw_mode(0o644),
        0,
    )
    .unwrap();
    symlink("file", www.join("link")).unwrap();
    let code = |name: &str| match open_file(&root.folder, name.as_bytes()) {
        Ok(_) => Ok(()),
        Err(Stop::Link) => Err(0),
        Err(Stop::Refused(refusal)) => Err(refusal.status.code()),
    };
    assert_eq!(code("file"), Ok(()));
    assert_eq!(code("fifo"), Err(403));
    assert_eq!(code("sub"), Err(403));
    assert_eq!(code("link"), Err(0));
    symlink("sub", www.join("folder-link")).unwrap();
    assert!(open_folder(&root.folder, b"sub").is_ok());
    for name in ["folder-link", "link", "file", "fifo"] {
        assert!(
            open_folder(&root.folder, name.as_bytes()).is_err(),
            "{name}"
        );
    }
}

/// Somebody swaps a folder for a link out of the served folder while requests come in.
#[test]
fn no_race_leads_out() {
    let (outside, root) = tree();
    let (www, stop) = (outside.path().join("www"), AtomicBool::new(false));
    fs::create_dir(outside.path().join("evil")).unwrap();
    fs::write(outside.path().join("evil/file"), "outside").unwrap();
    fs::create_dir(www.join("a")).unwrap();
    fs::write(www.join("a/file"), "inside").unwrap();
    symlink("../evil", www.join("b")).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in [("a", "c"), ("b", "a"), ("a", "b"), ("c", "a")] {
                    fs::rename(www.join(from), www.join(to)).unwrap();
                }
            }
        });
        let leads_out = (0..20_000).any(|_| find(&root, "/a/file").as_deref() == Ok("outside"));
        stop.store(true, Ordering::Relaxed);
        assert!(!leads_out);
    });
}

#[test]
fn what_may_not_be_read() {
    let (outside, root) = tree();
    let file = outside.path().join("www/file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    match File::open(&file) {
        Err(_) => assert_eq!(find(&root, "/file"), Err(403)),
        Ok(_) => eprintln!("SKIPPED: this user may read everything"),
    }
}

#[test]
fn what_the_system_says_and_what_the_client_hears() {
    for (errno, code) in [
        (Errno::NOENT, 404),
        (Errno::NOTDIR, 404),
        (Errno::NAMETOOLONG, 404),
        (Errno::LOOP, 404),
        (Errno::ACCESS, 403),
        (Errno::PERM, 403),
        (Errno::MFILE, 503),
        (Errno::NFILE, 503),
        (Errno::IO, 500),
    ] {
        assert_eq!(refuse(errno.into()).status.code(), code, "{errno}");
    }
}

#[test]
fn what_cannot_be_served() {
    let (outside, _) = tree();
    let kind = |name: &str| Root::open(&outside.path().join(name)).unwrap_err().kind();
    assert_eq!(kind("nothing"), io::ErrorKind::NotFound);
    assert_eq!(kind("secret"), io::ErrorKind::NotADirectory);
}
