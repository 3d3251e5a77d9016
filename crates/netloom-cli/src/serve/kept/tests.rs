use std::fs;
use std::time::Duration;

use rustix::fs::stat;
use tempfile::TempDir;

use super::*;

/// Long enough after everything that happens here.
fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

/// Before anything that happens here was read: it counts, however slow the machine is.
fn just_now() -> Instant {
    Instant::now().checked_sub(60 * LIFE).unwrap()
}

fn text(source: &Source) -> Vec<u8> {
    let mut room = vec![0; 100_000];
    let count = source.read_at(0, &mut room).unwrap();
    room.truncate(count);
    room
}

/// What is found of a file that is opened and kept at a time.
fn keep(kept: &KeptFiles, folder: &TempDir, name: &str, now: SystemTime) -> Source {
    let file = File::open(folder.path().join(name)).unwrap();
    let metadata = file.metadata().unwrap();
    kept.keep(file, &metadata, now)
}

/// What is found of it, as soon as it was read.
fn find(kept: &KeptFiles, folder: &TempDir, name: &str) -> Option<Vec<u8>> {
    let found = kept.find(&stat(folder.path().join(name)).unwrap(), just_now());
    found.map(|(source, _)| text(&source))
}

#[test]
fn a_kept_file_counts_while_it_is_the_same() {
    let (kept, folder) = (KeptFiles::default(), tempfile::tempdir().unwrap());
    let path = folder.path().join("a");
    fs::write(&path, "old").unwrap();
    assert_eq!(find(&kept, &folder, "a"), None);
    assert_eq!(text(&keep(&kept, &folder, "a", later())), b"old");
    assert_eq!(find(&kept, &folder, "a").unwrap(), b"old");
    // Any part of it can be read.
    let (source, metadata) = kept.find(&stat(&path).unwrap(), just_now()).unwrap();
    let mut room = [0; 8];
    assert_eq!(metadata.len(), 3);
    assert_eq!(source.read_at(1, &mut room).unwrap(), 2);
    assert_eq!(&room[..2], b"ld");
    assert_eq!(source.read_at(3, &mut room).unwrap(), 0);
    assert_eq!(source.read_at(u64::MAX, &mut room).unwrap(), 0);
    // Another time of modification, size or file is another version.
    let old = stat(&path).unwrap();
    let set = |time| {
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(time)
    };
    set(later()).unwrap();
    assert_eq!(find(&kept, &folder, "a"), None);
    let again = keep(&kept, &folder, "a", later() + Duration::from_secs(60));
    assert_eq!(text(&again), b"old");
    assert!(find(&kept, &folder, "a").is_some());
    assert!(kept.find(&old, just_now()).is_none());
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("other"), "new").unwrap();
    fs::write(&path, "new").unwrap();
    assert_ne!(find(&kept, &folder, "a").as_deref(), Some(&b"old"[..]));
}

#[test]
fn nothing_counts_for_long() {
    let (kept, folder) = (KeptFiles::default(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("a"), "a").unwrap();
    let before = Instant::now();
    keep(&kept, &folder, "a", later());
    let stat = stat(folder.path().join("a")).unwrap();
    assert!(kept.find(&stat, before + LIFE).is_some());
    let after = Instant::now() + LIFE + Duration::from_millis(1);
    assert!(kept.find(&stat, after).is_none());
}

#[test]
fn rights_that_change_are_looked_at_again() {
    use std::os::unix::fs::PermissionsExt;
    let (kept, folder) = (KeptFiles::default(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("a"), "a").unwrap();
    keep(&kept, &folder, "a", later());
    assert!(find(&kept, &folder, "a").is_some());
    fs::set_permissions(folder.path().join("a"), fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(find(&kept, &folder, "a"), None);
}

#[test]
fn what_is_large_or_has_just_changed_is_not_kept() {
    let (kept, folder) = (KeptFiles::default(), tempfile::tempdir().unwrap());
    fs::write(folder.path().join("new"), "new").unwrap();
    let source = keep(&kept, &folder, "new", SystemTime::now());
    assert!(matches!(source, Source::File(_)) && text(&source) == b"new");
    assert_eq!(find(&kept, &folder, "new"), None);
    let large = vec![7; LARGEST as usize + 1];
    fs::write(folder.path().join("large"), &large).unwrap();
    let source = keep(&kept, &folder, "large", later());
    assert!(matches!(source, Source::File(_)) && text(&source) == large);
    assert_eq!(find(&kept, &folder, "large"), None);
    fs::write(folder.path().join("largest"), &large[1..]).unwrap();
    let source = keep(&kept, &folder, "largest", later());
    assert!(matches!(source, Source::Kept(_)) && text(&source) == large[1..]);
}

#[test]
fn there_is_a_bound_on_all_that_is_kept() {
    let (kept, folder) = (KeptFiles::default(), tempfile::tempdir().unwrap());
    let large = vec![7; LARGEST as usize];
    for number in 0..2 * MOST / large.len() {
        let name = number.to_string();
        fs::write(folder.path().join(&name), &large).unwrap();
        keep(&kept, &folder, &name, later());
        // Twice is once.
        keep(&kept, &folder, &name, later());
        let files = kept.files();
        let cost: usize = files
            .files
            .values()
            .map(|kept| kept.octets.len() + ENTRY)
            .sum();
        assert_eq!(files.cost, cost);
        assert!(cost <= MOST + large.len() + ENTRY);
    }
}
