//! From a request target to a path below the served folder (RFC 9112 §3.2, RFC 3986 §3.3).
//!
//! Nothing that leaves this module can name anything above the folder: there are no `..`, no
//! empty and no absolute paths, and no NUL in it. What symbolic links do is the business of
//! [`root`](super::root).

use std::io::Write as _;

use netloom_services::http::{self, BadPercent, Encoded, Method, PercentEncoded, Refusal, Status};

#[cfg(test)]
mod tests;

/// What a request target asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target<'b> {
    pub(crate) path: RelativePath,
    /// The target ended in a slash, so it names a folder.
    pub(crate) is_folder: bool,
    /// What followed `?`, as it was sent.
    pub(crate) query: Option<&'b [u8]>,
}

/// A path below the served folder: names joined by single slashes; empty for the folder itself.
///
/// No name is empty, `.` or `..`, and none holds `/` or NUL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RelativePath(Vec<u8>);

impl<'b> Target<'b> {
    /// Parses a request target in origin-form or absolute-form.
    pub(crate) fn parse(target: &'b [u8]) -> Result<Self, Refusal> {
        let target = http::Target::parse(Method::Get, target)?;
        let path = target.path();
        let is_folder = path.ends_with(b"/");
        Ok(Self {
            path: RelativePath::decode(path)?,
            is_folder,
            query: target.query(),
        })
    }

    /// The target of the same resource with a slash at its end, for a `Location` field.
    ///
    /// It starts with exactly one slash: a second one would make it a reference to another host.
    pub(crate) fn with_slash(&self) -> Vec<u8> {
        let mut location = self.path.encode();
        location.push(b'/');
        if let Some(query) = self.query {
            location.push(b'?');
            location.extend(query);
        }
        location
    }
}

impl RelativePath {
    /// Decodes an absolute path. Empty segments and `.` are left out, as in a path of the system.
    fn decode(path: &[u8]) -> Result<Self, Refusal> {
        let mut decoded = Vec::with_capacity(path.len());
        for segment in path.split(|&b| b == b'/') {
            let start = decoded.len();
            if start > 0 {
                decoded.push(b'/');
            }
            let name = decoded.len();
            percent_decode(segment, &mut decoded)?;
            match &decoded[name..] {
                b"" | b"." => decoded.truncate(start),
                // A client resolves these before it sends them (RFC 3986 §5.2.4).
                b".." => return Err(Refusal::bad("the request target holds `..`")),
                name if name.contains(&0) => {
                    return Err(Refusal::bad("the request target holds a NUL"));
                }
                // An encoded slash belongs to a name, and no file can have such a name.
                name if name.contains(&b'/') => {
                    return Err(Refusal::new(
                        Status::NOT_FOUND,
                        "no file has a slash in its name",
                    ));
                }
                _ => {}
            }
        }
        Ok(Self(decoded))
    }

    /// The path as bytes, to be opened relative to the folder.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The names from the folder down.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|&b| b == b'/').filter(|name| !name.is_empty())
    }

    /// The last name; empty for the folder itself.
    pub(crate) fn file_name(&self) -> &[u8] {
        self.names().last().unwrap_or_default()
    }

    /// The path of the folder that the last name stands in.
    pub(crate) fn parent(&self) -> Self {
        let end = self.0.iter().rposition(|&b| b == b'/').unwrap_or(0);
        Self(self.0[..end].to_vec())
    }

    /// The path of the entry `name` in this folder.
    pub(crate) fn join(&self, name: &str) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend(name.as_bytes());
        Self(path)
    }

    /// The path as it stands in a target: every name behind a slash, percent-encoded.
    fn encode(&self) -> Vec<u8> {
        let mut encoded = Vec::with_capacity(self.0.len() + 1);
        for name in self.names() {
            // Writing to a vector does not fail.
            let _ = write!(encoded, "/{}", PercentEncoded(name));
        }
        encoded
    }
}

fn percent_decode(segment: &[u8], into: &mut Vec<u8>) -> Result<(), Refusal> {
    for byte in Encoded::new(segment).decoded() {
        into.push(
            byte.map_err(|BadPercent| {
                Refusal::bad("a `%` in the request target has no two digits")
            })?,
        );
    }
    Ok(())
}
