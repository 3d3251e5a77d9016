//! No script, however broken, does more than fail.

use std::path::{Path, PathBuf};

use super::ACCEPTED;
use crate::drill::{RunOptions, Script};

/// A generator of test data: xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }
}

fn scripts_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts_under(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "pkt") {
            found.push(path);
        }
    }
}

/// What is put into scripts at random places.
const PIECES: [&str; 24] = [
    "0",
    "1",
    "65535",
    "4294967295",
    "+",
    "*",
    "...",
    "(",
    ")",
    "[",
    "<",
    ">",
    "{",
    "}",
    "\"",
    "`",
    "%{",
    "}%",
    "S.",
    "ack 5",
    "win 0",
    "\u{20ac}",
    "\n",
    "~",
];

#[test]
fn a_changed_script_never_panics() {
    let mut paths = Vec::new();
    scripts_under(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts"),
        &mut paths,
    );
    paths.sort();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut ran, mut passed) = (0, 0);
    for round in 0..3_000 {
        let path = &paths[random.below(paths.len())];
        let mut text: Vec<char> = std::fs::read_to_string(path).unwrap().chars().collect();
        for _ in 0..=round % 4 {
            let at = random.below(text.len());
            match random.below(4) {
                0 => drop(text.remove(at)),
                1 => text[at] = char::from(b' ' + random.below(95) as u8),
                2 => {
                    let to = (at + random.below(60)).min(text.len());
                    text.drain(at..to);
                }
                _ => {
                    let piece = PIECES[random.below(PIECES.len())];
                    text.splice(at..at, piece.chars());
                }
            }
            if text.is_empty() {
                break;
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(script) = Script::parse(&text) {
            ran += 1;
            passed += usize::from(script.run(&RunOptions::default()).is_ok());
        }
    }
    // Most changes are noticed, and not all make a script unreadable.
    assert!(ran > 300, "{ran} ran");
    assert!(passed < ran, "{passed} of {ran} passed");
}

#[test]
fn every_beginning_of_a_script_is_answered() {
    let text = format!("{ACCEPTED}+0 %{{ assert tcpi_rtt == 0, 'no' }}%\n+0 < udp (5)\n");
    for end in 0..text.len() {
        if let Ok(script) = Script::parse(&text[..end]) {
            let _ = script.run(&RunOptions::default());
        }
    }
}
