//! Whatever is left of the file: what was answered for is there.

use super::*;

/// A folder of the test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("netloom-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("leases")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn binding(last: u8, expires: u64) -> Binding {
    Binding {
        address: Ipv4Addr::new(10, 0, 0, last),
        client: ClientKey::from_bytes(&[1, 255, last]).unwrap(),
        hardware: Hardware::ethernet([2, 0, 0, 0, 0, last]),
        state: BindingState::Leased,
        expires,
    }
}

fn all(store: &FileStore) -> Vec<Binding> {
    let mut all = Vec::new();
    store.for_each(&mut |binding| all.push(*binding));
    all.sort_by_key(|binding| binding.address);
    all
}

#[test]
fn what_was_put_is_there_when_the_file_is_opened_again() {
    let folder = Folder::new("again");
    let mut store = FileStore::open(folder.file()).unwrap();
    let quarantined = Binding {
        client: ClientKey::NOBODY,
        state: BindingState::Quarantined,
        expires: u64::MAX,
        ..binding(3, 0)
    };
    let released = Binding {
        state: BindingState::Released,
        ..binding(2, 50)
    };
    for put in [
        &binding(1, 100),
        &binding(2, 50),
        &quarantined,
        &released,
        &binding(1, 200),
    ] {
        store.put(put, 0).unwrap();
    }
    let before = all(&store);
    assert_eq!(before, [binding(1, 200), released, quarantined]);
    // As after kill -9: nothing is done in the end.
    std::mem::forget(store.file.try_clone().unwrap());
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    assert_eq!((all(&store), store.skipped()), (before, 0));
    let network = "10.0.0.0/24".parse().unwrap();
    let client = binding(1, 0).client;
    assert_eq!(store.by_client(&client, &network), Some(binding(1, 200)));
    let elsewhere = "10.0.1.0/24".parse().unwrap();
    assert_eq!(store.by_client(&client, &elsewhere), None);
}

#[test]
fn an_address_that_changes_hands_is_no_longer_the_firsts() {
    let folder = Folder::new("hands");
    let mut store = FileStore::open(folder.file()).unwrap();
    store.put(&binding(1, 100), 0).unwrap();
    let second = Binding {
        client: binding(2, 0).client,
        ..binding(1, 300)
    };
    store.put(&second, 0).unwrap();
    let network = "10.0.0.0/24".parse().unwrap();
    assert_eq!(store.by_client(&binding(1, 0).client, &network), None);
    assert_eq!(store.by_client(&second.client, &network), Some(second));
}

/// Cut anywhere, as a crash does: all lines but the last are there, and the next is good again.
#[test]
fn a_file_cut_anywhere_says_all_but_its_last_line() {
    let folder = Folder::new("cut");
    let path = folder.file();
    let lines: Vec<String> = (1..=2).map(|n| text_of(&binding(n, 100))).collect();
    let text = lines.concat();
    for cut in 0..=text.len() {
        std::fs::write(&path, &text[..cut]).unwrap();
        let mut store = FileStore::open(&path).unwrap();
        let whole = text[..cut].matches('\n').count();
        // A line that lacks nothing but its end is whole too.
        let ends = lines.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at - 1)
        });
        let whole = whole + usize::from(ends.into_iter().any(|end| end == cut));
        assert_eq!(store.len(), whole, "{cut}");
        assert!(store.skipped() <= 1);
        store.put(&binding(9, 900), 0).unwrap();
        drop(store);
        let store = FileStore::open(&path).unwrap();
        assert_eq!((store.len(), store.skipped()), (whole + 1, 0));
    }
}

#[test]
fn a_line_that_was_changed_is_passed_over() {
    let line = text_of(&binding(1, 100));
    let line = line.trim_end();
    assert_eq!(parse(line.as_bytes()), Some(binding(1, 100)));
    for at in 0..line.len() {
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert_eq!(parse(&bytes), None, "{at}");
    }
}

#[test]
fn a_file_that_has_grown_is_written_anew() {
    let folder = Folder::new("grown");
    let mut store = FileStore::open(folder.file()).unwrap();
    let long_ago = binding(9, 5);
    store.put(&long_ago, 0).unwrap();
    let now = MEMORY + 10;
    for n in 0..2000 {
        store.put(&binding(1, now + n), now).unwrap();
    }
    let text = std::fs::read_to_string(folder.file()).unwrap();
    assert!(text.lines().count() <= SLACK + 2);
    assert_eq!(all(&store), [binding(1, now + 1999)]);
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    assert_eq!(all(&store), [binding(1, now + 1999)]);
}

#[test]
fn a_line_after_one_that_failed_stands_alone() {
    let folder = Folder::new("torn");
    let mut store = FileStore::open(folder.file()).unwrap();
    // A write that ended half way, as on a full disk.
    store.file.write_all(b"10.0.0.7 leas").unwrap();
    store.torn = true;
    store.put(&binding(1, 100), 0).unwrap();
    drop(store);
    let store = FileStore::open(folder.file()).unwrap();
    assert_eq!((all(&store), store.skipped()), (vec![binding(1, 100)], 1));
}

#[test]
fn what_cannot_be_written_is_not_kept() {
    let folder = Folder::new("full");
    let mut store = FileStore::open(folder.file()).unwrap();
    // Open for reading alone: every write fails.
    store.file = File::open(folder.file()).unwrap();
    assert_eq!(store.put(&binding(1, 100), 0), Err(StoreError::Failed));
    assert!(store.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_is_one_servers() {
    let folder = Folder::new("lock");
    let store = FileStore::open(folder.file()).unwrap();
    let second = FileStore::open(folder.file());
    assert_eq!(second.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(store);
    assert!(FileStore::open(folder.file()).is_ok());
}
