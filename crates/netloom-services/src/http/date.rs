//! HTTP-dates (RFC 9110 §5.6.7), without a clock: what "now" is, the caller says.

use core::fmt;

#[cfg(test)]
mod tests;

/// A time as a `Date` field tells it: whole seconds since the beginning of 1970, UTC, without leap
/// seconds; up to the end of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate(u64);

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG_DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const DAY: u64 = 86_400;

/// The first second of the year 10000, which no HTTP-date can tell.
const END: u64 = 253_402_300_800;

/// Date and time of a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Civil {
    year: u64,
    /// 1 to 12.
    month: u64,
    /// 1 to 31.
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl HttpDate {
    /// So many seconds after the beginning of 1970; `None` after the year 9999.
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Option<Self> {
        if seconds < END {
            Some(Self(seconds))
        } else {
            None
        }
    }

    /// Seconds since the beginning of 1970.
    #[must_use]
    pub const fn unix(self) -> u64 {
        self.0
    }

    //= https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
    //# A recipient that parses a timestamp value in an HTTP field MUST
    //# accept all three HTTP-date formats.
    /// Reads an HTTP-date in any of its three forms; dates before 1970 are none. `now` decides
    /// which century two digits of a year mean.
    #[must_use]
    pub fn parse(value: &[u8], now: Option<HttpDate>) -> Option<Self> {
        let text = core::str::from_utf8(value).ok()?;
        match text.split_once(", ") {
            Some((day, rest)) if DAYS.contains(&day) => imf_fixdate(rest),
            Some((day, rest)) if LONG_DAYS.contains(&day) => rfc850_date(rest, now),
            Some(_) => None,
            None => asctime_date(text),
        }
    }

    #[cfg(feature = "std")]
    /// The second in which `time` lies; `None` before 1970 and after 9999.
    #[must_use]
    pub fn from_system(time: std::time::SystemTime) -> Option<Self> {
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        Self::from_unix(since.as_secs())
    }
}

impl fmt::Display for HttpDate {
    /// In the preferred form: `Sun, 06 Nov 1994 08:49:37 GMT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = Civil::of(self.0);
        // The first of January 1970 was a Thursday.
        let weekday = (self.0 / DAY).wrapping_add(3) % 7;
        let name = |names: &[&'static str], at: u64| {
            usize::try_from(at)
                .ok()
                .and_then(|at| names.get(at).copied())
        };
        let weekday = name(&DAYS, weekday).unwrap_or_default();
        let month = name(&MONTHS, month.wrapping_sub(1)).unwrap_or_default();
        // Every response has one or two of these, and formatting number by number is slow.
        let mut text = *b"day, dd mon yyyy hh:mm:ss GMT";
        let mut put = |at: usize, what: &[u8]| {
            if let Some(place) = text.get_mut(at..at.saturating_add(what.len())) {
                place.copy_from_slice(what);
            }
        };
        put(0, weekday.as_bytes());
        put(5, &two_digits(day));
        put(8, month.as_bytes());
        put(12, &two_digits(year / 100));
        put(14, &two_digits(year % 100));
        put(17, &two_digits(hour));
        put(20, &two_digits(minute));
        put(23, &two_digits(second));
        f.write_str(core::str::from_utf8(&text).unwrap_or_default())
    }
}

/// A number below 100 in decimal.
fn two_digits(number: u64) -> [u8; 2] {
    let digit = |digit: u64| b'0'.wrapping_add((digit % 10) as u8);
    [digit(number / 10), digit(number)]
}

impl Civil {
    fn of(seconds: u64) -> Self {
        // Days since the first of March of the year 0, in eras of 400 years (Hinnant's algorithm).
        let days = (seconds / DAY).wrapping_add(719_468);
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = day_of_era
            .wrapping_sub(day_of_era / 1460)
            .wrapping_add(day_of_era / 36_524)
            .wrapping_sub(day_of_era / 146_096)
            / 365;
        let before = year_of_era
            .wrapping_mul(365)
            .wrapping_add(year_of_era / 4)
            .wrapping_sub(year_of_era / 100);
        let day_of_year = day_of_era.wrapping_sub(before);
        let shifted = day_of_year.wrapping_mul(5).wrapping_add(2) / 153;
        let day = day_of_year
            .wrapping_sub(shifted.wrapping_mul(153).wrapping_add(2) / 5)
            .wrapping_add(1);
        let month = if shifted < 10 {
            shifted.wrapping_add(3)
        } else {
            shifted.wrapping_sub(9)
        };
        let year = year_of_era
            .wrapping_add(era.wrapping_mul(400))
            .wrapping_add(u64::from(month <= 2));
        let second = seconds % DAY;
        Self {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    /// Seconds since 1970; `None` for what is no date, or one before.
    fn unix(self) -> Option<HttpDate> {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days_of_month = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return None,
        };
        // A leap second is told as the one after it.
        if !(1..=days_of_month).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let shifted_year = year.checked_sub(u64::from(month <= 2))?;
        let (era, year_of_era) = (shifted_year / 400, shifted_year % 400);
        let shifted_month = if month > 2 { month - 3 } else { month + 9 };
        let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        HttpDate::from_unix(days * DAY + hour * 3600 + minute * 60 + second)
    }
}

/// `06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(text: &str) -> Option<HttpDate> {
    let mut parts = text.split(' ');
    let civil = Civil {
        day: digits(parts.next()?, 2)?,
        month: month(parts.next()?)?,
        year: digits(parts.next()?, 4)?,
        ..time(parts.next()?)?
    };
    (parts.next() == Some("GMT") && parts.next().is_none())
        .then(|| civil.unix())
        .flatten()
}

/// `06-Nov-94 08:49:37 GMT`
//= https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
//# Recipients of a timestamp value in rfc850-date format, which uses a
//# two-digit year, MUST interpret a timestamp that appears to be more
//# than 50 years in the future as representing the most recent year in
//# the past that had the same last two digits.
fn rfc850_date(text: &str, now: Option<HttpDate>) -> Option<HttpDate> {
    let mut parts = text.split(' ');
    let mut date = parts.next()?.split('-');
    let (day, month) = (digits(date.next()?, 2)?, month(date.next()?)?);
    let two_digits = digits(date.next()?, 2)?;
    let time = time(parts.next()?)?;
    if date.next().is_some() || parts.next() != Some("GMT") || parts.next().is_some() {
        return None;
    }
    // Without a clock: what is on the web was not there before 1970.
    let this_year = now.map_or(2019, |now| Civil::of(now.0).year);
    // The last year with these digits that is no more than 50 years ahead.
    let ahead = (two_digits + 100 - this_year % 100) % 100;
    let year = if ahead <= 50 {
        this_year + ahead
    } else {
        (this_year + ahead).checked_sub(100)?
    };
    Civil {
        year,
        month,
        day,
        ..time
    }
    .unix()
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(text: &str) -> Option<HttpDate> {
    let (weekday, rest) = text.split_once(' ')?;
    let (month_name, rest) = rest.split_once(' ')?;
    let (day, rest) = rest.split_at_checked(2)?;
    let (clock, year) = rest.strip_prefix(' ')?.split_once(' ')?;
    if !DAYS.contains(&weekday) {
        return None;
    }
    let day = match day.strip_prefix(' ') {
        Some(digit) => digits(digit, 1)?,
        None => digits(day, 2)?,
    };
    Civil {
        month: month(month_name)?,
        day,
        year: digits(year, 4)?,
        ..time(clock)?
    }
    .unix()
}

/// `08:49:37`, on no day.
fn time(text: &str) -> Option<Civil> {
    let mut parts = text.split(':');
    let mut next = || digits(parts.next()?, 2);
    let (hour, minute, second) = (next()?, next()?, next()?);
    parts.next().is_none().then_some(Civil {
        year: 0,
        month: 0,
        day: 0,
        hour,
        minute,
        second,
    })
}

fn month(name: &str) -> Option<u64> {
    let at = MONTHS.iter().position(|&month| month == name)?;
    u64::try_from(at).ok()?.checked_add(1)
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<u64> {
    let is_number = text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
