//! `netloom serve` as curl sees it.
#![cfg(target_os = "linux")]

mod common;

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use common::Running;

/// What curl wrote to its standard output and error; `None`, aloud, where there is no curl.
fn curl(running: &Running, args: &[&str], paths: &[&str]) -> Option<(Vec<u8>, String)> {
    let urls = paths
        .iter()
        .map(|path| format!("http://{}{path}", running.address));
    let output = match Command::new("curl")
        .args(["-sS", "-g"])
        .args(args)
        .args(urls)
        .output()
    {
        Ok(output) => output,
        Err(error) => {
            eprintln!("SKIPPED: curl: {error}");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args:?}: {errors}");
    Some((output.stdout, errors))
}

/// A folder with `file`, an hour old, and its content, no two parts of which are the same.
fn serve() -> (tempfile::TempDir, Running, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0_u32..150_000).flat_map(u32::to_be_bytes).collect();
    let path = folder.path().join("file");
    fs::write(&path, &content).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(hour_ago)
        .unwrap();
    let running = Running::serving(folder.path());
    (folder, running, content)
}

#[test]
fn whole_files_and_ranges() {
    let (_folder, running, content) = serve();
    let end = content.len();
    for (range, expected) in [
        (None, 0..end),
        (Some("0-0"), 0..1),
        (Some("100000-299999"), 100_000..300_000),
        (Some("500000-"), 500_000..end),
        (Some("-7"), end - 7..end),
        (Some("599990-999999999999"), 599_990..end),
    ] {
        let args = range.map_or(vec![], |range| vec!["-r", range]);
        let Some((received, _)) = curl(&running, &args, &["/file"]) else {
            return;
        };
        assert!(received == content[expected], "{range:?}");
    }
    let code = ["-o", "/dev/null", "-w", "%{http_code}", "-r", "600000-"];
    let Some((received, _)) = curl(&running, &code, &["/file"]) else {
        return;
    };
    assert_eq!(received, b"416");
}

#[test]
fn resuming_a_download() {
    let (folder, running, content) = serve();
    let partial = folder.path().join("partial");
    fs::write(&partial, &content[..123_456]).unwrap();
    let args = ["-C", "-", "-o", partial.to_str().unwrap()];
    if curl(&running, &args, &["/file"]).is_some() {
        assert!(fs::read(&partial).unwrap() == content);
    }
}

#[test]
fn one_connection_for_many_requests() {
    let (_folder, running, content) = serve();
    let Some((received, log)) = curl(&running, &["-v"], &["/file", "/file"]) else {
        return;
    };
    assert_eq!(received.len(), 2 * content.len());
    assert!(
        log.contains("Re-using existing connection") || log.contains("Reusing existing"),
        "{log}"
    );
}

#[test]
fn head_and_conditions() {
    let (folder, running, content) = serve();
    let Some((head, _)) = curl(&running, &["-I"], &["/file"]) else {
        return;
    };
    let head = String::from_utf8(head).unwrap();
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", content.len())),
        "{head}"
    );
    let etags = folder.path().join("etags");
    let etags = etags.to_str().unwrap();
    let code = ["-o", "/dev/null", "-w", "%{http_code}"];
    let ask = |more: &[&str]| {
        curl(&running, &[&code, more].concat(), &["/file"])
            .unwrap()
            .0
    };
    assert_eq!(ask(&["--etag-save", etags]), b"200");
    assert_eq!(ask(&["--etag-compare", etags]), b"304");
    assert_eq!(ask(&["-z", "1 Jan 2100"]), b"304");
    assert_eq!(ask(&["-z", "1 Jan 2000"]), b"200");
}

#[test]
fn folders_are_followed_to_their_slash() {
    let (folder, running, _) = serve();
    fs::create_dir(folder.path().join("a b")).unwrap();
    fs::write(folder.path().join("a b/<x>"), "").unwrap();
    let Some((page, _)) = curl(&running, &["-L"], &["/a%20b"]) else {
        return;
    };
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("<a href=\"%3Cx%3E\">&lt;x&gt;</a>"), "{page}");
}

#[test]
fn bodies_are_no_obstacle() {
    let (_folder, running, content) = serve();
    for args in [
        &["-X", "GET", "--data", "abc"][..],
        &[
            "-X",
            "GET",
            "--data",
            "abc",
            "-H",
            "Transfer-Encoding: chunked",
        ],
        &["-X", "GET", "--data", "abc", "-H", "Expect: 100-continue"],
        &["--http1.0"],
    ] {
        let Some((received, _)) = curl(&running, args, &["/file"]) else {
            return;
        };
        assert!(received == content, "{args:?}");
    }
}
