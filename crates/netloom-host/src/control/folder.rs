//! Where the sockets of instances are.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::sys;

/// The folders in which instances of this user may be, the best first: `$XDG_RUNTIME_DIR/netloom`,
/// `/run/netloom` for root, a folder of the user's own among the temporary files.
pub(super) fn candidates() -> Vec<PathBuf> {
    let user = sys::effective_user();
    let runtime = env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let mut folders = Vec::new();
    if let Some(dir) = runtime.map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        folders.push(dir.join("netloom"));
    }
    if user == 0 {
        folders.push(PathBuf::from("/run/netloom"));
    }
    folders.push(env::temp_dir().join(format!("netloom-{user}")));
    folders
}

/// A folder that only this user can look into, made if need be.
pub(super) fn private() -> io::Result<PathBuf> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for folder in candidates() {
        match make(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    check(folder)
}

/// Somebody else may have made it first, where everybody may make folders: it must be a folder,
/// not a link to one, this user's, and closed to others.
pub(super) fn check(folder: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    let closed = found.mode() & 0o077 == 0;
    if found.is_dir() && found.uid() == sys::effective_user() && closed {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} is not a folder of this user's alone", folder.display()),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_that_others_can_reach_is_refused() {
        let base = env::temp_dir().join(format!("netloom-folder-test-{}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&base).unwrap();
        let (good, link, file) = (base.join("good"), base.join("link"), base.join("file"));
        make(&good).unwrap();
        assert_eq!(fs::metadata(&good).unwrap().mode() & 0o777, 0o700);
        make(&good).unwrap();
        symlink(&good, &link).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        for wrong in [&link, &file] {
            let error = make(wrong).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
        for mode in [0o701, 0o770, 0o755] {
            fs::set_permissions(&good, fs::Permissions::from_mode(mode)).unwrap();
            assert!(make(&good).is_err(), "{mode:o}");
        }
        assert!(make(&base.join("no/such")).is_err());
        fs::remove_dir_all(&base).unwrap();
    }
}
