//! The transfer as a picture, with words around it: one file that a browser shows as it is.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::plot;

/// What stands around the picture.
const HEAD: &str = "\
<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>netloom demo</title>
<style>
body { font-family: sans-serif; max-width: 1220px; margin: 2em auto; padding: 0 1em; color: #222; }
svg { max-width: 100%; height: auto; }
</style>
<h1>10 MB over a path that loses</h1>
<p>Two netloom stacks on a virtual path. Each blue stroke is a segment, as high as its octets; the
green line is what has been acknowledged, and the grey one how far the receiver lets the sender go.
Red crosses are segments that the path lost; orange strokes are the same octets sent again. Below:
how much is under way, how much congestion control allows, and what a round trip takes.</p>
<p>The same from any capture: <code>netloom plot demo.pcapng</code>.</p>
";

/// Draws the connection of a capture.
///
/// # Errors
///
/// The file cannot be written.
pub(super) fn write(path: &Path, capture: &[u8]) -> Result<(), Failure> {
    let picture = plot::picture(capture)
        .map_err(|error| Failure::new(format!("the capture cannot be read back: {error}")))?
        .ok_or_else(|| Failure::new("no connection was captured"))?;
    fs::write(path, format!("{HEAD}{picture}</html>\n")).map_err(|error| {
        Failure::new(format!(
            "cannot write `{}`: {error}: name another place with --html",
            path.display()
        ))
    })
}
