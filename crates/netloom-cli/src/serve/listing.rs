//! The page that lists a folder without an `index.html`.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};

use super::path::RelativePath;
use super::root;
use netloom_services::http::{HttpDate, PercentEncoded, Refusal};

#[cfg(test)]
mod tests;

/// Entries read from one folder, so that a folder bounds the memory a request takes. A page with
/// fewer than the folder has says so.
const MAX_ENTRIES: usize = 10_000;

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Vec<u8>,
    kind: Kind,
    modified: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    /// With its size in octets.
    File(u64),
    /// Not looked through: what it leads to may lie outside the served folder.
    Link,
}

/// The HTML page that lists `folder`, which is what `path` names.
pub(crate) fn page(folder: &OwnedFd, path: &RelativePath) -> Result<Vec<u8>, Refusal> {
    let (mut entries, is_complete) = read(folder).map_err(|errno| root::refuse(errno.into()))?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(render(path, &entries, is_complete).into_bytes())
}

/// The entries of `folder` that can be served, and whether those are all.
fn read(folder: &OwnedFd) -> rustix::io::Result<(Vec<Entry>, bool)> {
    let handle = root::reopen(folder, OFlags::RDONLY)?;
    let mut entries = Vec::new();
    for item in Dir::new(handle)? {
        let item = item?;
        let name = item.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        if entries.len() == MAX_ENTRIES {
            return Ok((entries, false));
        }
        // It may have gone since.
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Folder,
            FileType::RegularFile => Kind::File(u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Symlink => Kind::Link,
            FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => continue,
        };
        let modified = u64::try_from(stat.st_mtime)
            .ok()
            .map(|s| UNIX_EPOCH + Duration::from_secs(s));
        entries.push(Entry {
            name: name.to_vec(),
            kind,
            modified,
        });
    }
    Ok((entries, true))
}

fn render(path: &RelativePath, entries: &[Entry], is_complete: bool) -> String {
    let mut title = String::from("/");
    for name in path.names() {
        escape(name, &mut title);
        title.push('/');
    }
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>td{{padding:0 1em 0 0}}td+td{{text-align:right}}</style>\n\
         <h1>{title}</h1>\n<table>\n"
    );
    if !path.as_bytes().is_empty() {
        page.push_str("<tr><td><a href=\"../\">../</a><td><td>\n");
    }
    for entry in entries {
        render_row(entry, &mut page);
    }
    page.push_str("</table>\n");
    if !is_complete {
        page.push_str("<p>There are more entries than this page can hold.</p>\n");
    }
    page.push_str("</html>\n");
    page
}

fn render_row(entry: &Entry, page: &mut String) {
    let slash = match entry.kind {
        Kind::Folder => "/",
        Kind::File(_) | Kind::Link => "",
    };
    // Writing to a string does not fail.
    let _ = write!(
        page,
        "<tr><td><a href=\"{}{slash}\">",
        PercentEncoded(&entry.name)
    );
    escape(&entry.name, page);
    page.push_str(slash);
    page.push_str("</a><td>");
    if let Kind::File(size) = entry.kind {
        page.push_str(&size.to_string());
    }
    page.push_str("<td>");
    // After the year 9999 there is no HTTP-date.
    if let Some(modified) = entry.modified.and_then(HttpDate::from_system) {
        let _ = write!(page, "{modified}");
    }
    page.push('\n');
}

/// Appends `text` as HTML that reads as that text, inside an element or a quoted attribute. What
/// is no UTF-8 shows as U+FFFD.
fn escape(text: &[u8], into: &mut String) {
    for character in String::from_utf8_lossy(text).chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            c if c.is_control() => into.push(char::REPLACEMENT_CHARACTER),
            c => into.push(c),
        }
    }
}
