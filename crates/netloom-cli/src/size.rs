//! Sizes and times as options take them.

use std::time::Duration;

/// A number of octets: `1500`, `64K`, `256M`, `1G`, in powers of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let mistake = || "it is a number of octets: 1500, 64K, 256M, 1G".to_owned();
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = digits
        .parse()
        .ok()
        .filter(|_| is_number)
        .ok_or_else(mistake)?;
    number.checked_mul(1 << shift).ok_or_else(mistake)
}

/// The longest time an option takes, 136 years: more could not be added to the time of day.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// A time in seconds above zero, with or without a fraction: `1`, `0.2`.
pub(crate) fn parse_seconds(text: &str) -> Result<Duration, String> {
    let mistake = || {
        let longest = LONGEST.as_secs();
        format!("it is a number of seconds above 0, and at most {longest}: 1, 0.2")
    };
    let seconds: f64 = text.parse().map_err(|_| mistake())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|time| !time.is_zero() && *time <= LONGEST)
        .ok_or_else(mistake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        assert_eq!(parse_size("1500"), Ok(1500));
        assert_eq!(parse_size("64K"), Ok(65_536));
        assert_eq!(parse_size("1g"), Ok(1 << 30));
        for bad in ["", "K", "+1", "1.5M", "-1", "1T", "99999999999999999G", "ü"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_seconds("0.2"), Ok(Duration::from_millis(200)));
        let longest = Duration::from_secs(u32::MAX.into());
        assert_eq!(parse_seconds("4294967295"), Ok(longest));
        for bad in [
            "",
            "0",
            "-1",
            "x",
            "inf",
            "NaN",
            "4294967295.5",
            "1e19",
            "1e30",
        ] {
            assert!(parse_seconds(bad).is_err(), "{bad}");
        }
    }
}
