use std::format;
use std::string::ToString;

use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT
const EXAMPLE: HttpDate = HttpDate(784_111_777);

fn parse(text: &str) -> Option<HttpDate> {
    HttpDate::parse(text.as_bytes(), None)
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
//= type=test
//# A recipient that parses a timestamp value in an HTTP field MUST
//# accept all three HTTP-date formats.
#[test]
fn the_three_forms_of_one_time() {
    for text in [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ] {
        assert_eq!(parse(text), Some(EXAMPLE), "{text}");
    }
    assert_eq!(EXAMPLE.to_string(), "Sun, 06 Nov 1994 08:49:37 GMT");
}

#[test]
fn the_ends_of_time() {
    let show = |seconds| HttpDate::from_unix(seconds).unwrap().to_string();
    assert_eq!(show(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(show(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
    assert_eq!(show(4_107_542_400), "Mon, 01 Mar 2100 00:00:00 GMT");
    assert_eq!(show(END - 1), "Fri, 31 Dec 9999 23:59:59 GMT");
    assert_eq!(HttpDate::from_unix(END), None);
    assert_eq!(parse("Wed, 31 Dec 1969 23:59:59 GMT"), None);
    assert_eq!(parse("Thu, 29 Feb 2001 00:00:00 GMT"), None);
    // A leap second is the first of the next minute.
    let leap = parse("Sat, 31 Dec 2016 23:59:60 GMT").unwrap();
    assert_eq!(leap.to_string(), "Sun, 01 Jan 2017 00:00:00 GMT");
}

//= https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7
//= type=test
//# Recipients of a timestamp value in rfc850-date format, which uses a
//# two-digit year, MUST interpret a timestamp that appears to be more
//# than 50 years in the future as representing the most recent year in
//# the past that had the same last two digits.
#[test]
fn two_digits_of_a_year() {
    let year = |digits: &str, now: &str| {
        let text = format!("Sunday, 01-Jan-{digits} 00:00:00 GMT");
        let now = parse(&format!("Sun, 01 Jan {now} 00:00:00 GMT"));
        let date = HttpDate::parse(text.as_bytes(), now);
        date.map(|date| date.to_string()[12..16].parse::<u32>().unwrap())
    };
    assert_eq!(year("26", "2026"), Some(2026));
    assert_eq!(year("27", "2026"), Some(2027));
    assert_eq!(year("76", "2026"), Some(2076), "50 years ahead");
    assert_eq!(year("77", "2026"), Some(1977), "51 years ahead");
    assert_eq!(year("25", "2026"), Some(2025));
    assert_eq!(year("05", "2095"), Some(2105));
    assert_eq!(year("69", "1970"), None, "before 1970");
}

#[test]
fn what_is_no_date() {
    for bad in [
        "",
        "yesterday",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Xxx, 06 Nov 1994 08:49:37 GMT",
        "Sun, +6 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06-Nov-94-1 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  6 08:49 1994",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_shown_is_read_again(seconds in 0..END) {
        let date = HttpDate(seconds);
        prop_assert_eq!(parse(&date.to_string()), Some(date));
    }

    #[test]
    fn no_octets_make_it_panic(
        value in prop::collection::vec(any::<u8>(), 0..40),
        text in "(Sun|Sunday)?,? ?[0-9A-Za-z: -]{0,30}",
        now in 0..END,
    ) {
        let now = HttpDate::from_unix(now);
        let _ = HttpDate::parse(&value, now);
        let _ = HttpDate::parse(text.as_bytes(), now);
    }
}
