//! TCP's flags as letters.

/// Each flag's bit and letter, in the order they are written.
const LETTERS: [(u16, char); 9] = [
    (0x002, 'S'),
    (0x001, 'F'),
    (0x004, 'R'),
    (0x008, 'P'),
    (0x020, 'U'),
    (0x040, 'E'),
    (0x080, 'W'),
    (0x100, 'A'),
    (0x010, '.'),
];

pub(crate) const SYN: u16 = 0x002;
pub(crate) const RST: u16 = 0x004;
pub(crate) const ACK: u16 = 0x010;

/// The flags of letters; `-` is none.
pub(crate) fn parse(text: &str) -> Option<u16> {
    if text == "-" {
        return Some(0);
    }
    text.chars().try_fold(0, |flags, letter| {
        let (bit, _) = LETTERS.iter().find(|(_, known)| *known == letter)?;
        (flags & bit == 0).then_some(flags | bit)
    })
}

/// The letters of flags.
pub(crate) fn show(flags: u16) -> String {
    let letters: String = LETTERS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, letter)| letter)
        .collect();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters
    }
}
