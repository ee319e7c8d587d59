//! HTTP dates (RFC 9110 §5.6.7): the form that is written, and all three that are read.

use std::time::{Duration, UNIX_EPOCH};

use http::header::{HeaderMap, HeaderName, HeaderValue};
use httpdate::HttpDate;

use super::calendar::Civil;
use super::list;
use crate::time::Timestamp;

/// What a field that holds a single date says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dated {
    Absent,
    /// Not a date, or more than one line.
    Invalid,
    At(Timestamp),
}

/// Reads a date in any of the three forms; `now` tells the century of the one with two digits.
///
/// Names are read without case, everything else must be exact. The name of the day must be one, but
/// need not be the right one: no recipient needs it.
pub(crate) fn parse(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    imf_fixdate(value).or_else(|| rfc850_date(value, now)).or_else(|| asctime_date(value))
}

/// Writes an IMF-fixdate, to the second; what is before 1970 or after 9999 becomes the nearest in it.
pub(crate) fn format(at: Timestamp) -> HeaderValue {
    let secs = u64::try_from(at.as_secs()).unwrap_or(0).min(LATEST_SECS);
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(secs));
    HeaderValue::try_from(date.to_string()).unwrap_or_else(|_| HeaderValue::from_static(EPOCH))
}

/// Reads a field that must not have more than one line.
pub(crate) fn sole(headers: &HeaderMap, name: HeaderName, now: Timestamp) -> Dated {
    let mut lines = headers.get_all(name).iter();
    match (lines.next(), lines.next()) {
        (None, _) => Dated::Absent,
        (Some(line), None) => {
            parse(list::trim(line.as_bytes()), now).map_or(Dated::Invalid, Dated::At)
        }
        (Some(_), Some(_)) => Dated::Invalid,
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn imf_fixdate(value: &[u8]) -> Option<Timestamp> {
    let mut scan = Scan(value);
    scan.short_day()?;
    scan.exactly(b", ")?;
    let day = scan.digits(2)?;
    scan.exactly(b" ")?;
    let month = scan.month()?;
    scan.exactly(b" ")?;
    let year = scan.digits(4)?;
    scan.exactly(b" ")?;
    let second = scan.time_of_day()?;
    scan.word(b" GMT")?;
    scan.end()?;
    Civil { year, month, day, second }.timestamp()
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`
fn rfc850_date(value: &[u8], now: Timestamp) -> Option<Timestamp> {
    let mut scan = Scan(value);
    scan.short_day().and_then(|day| scan.word(LONG_DAYS_REST.get(day)?))?;
    scan.exactly(b", ")?;
    let day = scan.digits(2)?;
    scan.exactly(b"-")?;
    let month = scan.month()?;
    scan.exactly(b"-")?;
    let year = scan.digits(2)?;
    scan.exactly(b" ")?;
    let second = scan.time_of_day()?;
    scan.word(b" GMT")?;
    scan.end()?;
    Civil { year, month, day, second }.in_century_of(now).timestamp()
}

/// `Sun Nov  6 08:49:37 1994`
fn asctime_date(value: &[u8]) -> Option<Timestamp> {
    let mut scan = Scan(value);
    scan.short_day()?;
    scan.exactly(b" ")?;
    let month = scan.month()?;
    scan.exactly(b" ")?;
    let day = match scan.exactly(b" ") {
        Some(()) => scan.digits(1)?,
        None => scan.digits(2)?,
    };
    scan.exactly(b" ")?;
    let second = scan.time_of_day()?;
    scan.exactly(b" ")?;
    let year = scan.digits(4)?;
    scan.end()?;
    Civil { year, month, day, second }.timestamp()
}

/// What is left to read.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn exactly(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// The same without case.
    fn word(&mut self, expected: &[u8]) -> Option<()> {
        let (word, rest) = self.0.split_at_checked(expected.len())?;
        self.0 = rest;
        word.eq_ignore_ascii_case(expected).then_some(())
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0'))
        })
    }

    /// The position of a three-letter name in a list of them.
    fn name(&mut self, names: &[&[u8]]) -> Option<usize> {
        let (name, rest) = self.0.split_at_checked(3)?;
        self.0 = rest;
        names.iter().position(|known| known.eq_ignore_ascii_case(name))
    }

    fn short_day(&mut self) -> Option<usize> {
        self.name(&DAYS)
    }

    /// 1 to 12.
    fn month(&mut self) -> Option<usize> {
        self.name(&MONTHS).map(|at| at + 1)
    }

    /// `hh:mm:ss` as seconds since midnight. The sixtieth second is a leap second.
    fn time_of_day(&mut self) -> Option<i64> {
        let hour = self.digits(2)?;
        self.exactly(b":")?;
        let minute = self.digits(2)?;
        self.exactly(b":")?;
        let second = self.digits(2)?;
        (hour < 24 && minute < 60 && second <= 60).then_some((hour * 60 + minute) * 60 + second)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

const DAYS: [&[u8]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const LONG_DAYS_REST: [&[u8]; 7] = [b"day", b"sday", b"nesday", b"rsday", b"day", b"urday", b"day"];
const MONTHS: [&[u8]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];
/// The last second of the year 9999, the last that four digits can name.
const LATEST_SECS: u64 = 253_402_300_799;
const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::EXPIRES;
    use proptest::prelude::*;

    /// 2026-11-21 00:00:00
    const NOW: Timestamp = Timestamp::from_secs(1_795_219_200);
    const EXAMPLE: Option<Timestamp> = Some(Timestamp::from_secs(784_111_777));

    fn read(value: &str) -> Option<Timestamp> {
        parse(value.as_bytes(), NOW)
    }

    fn year(value: &str, now: Timestamp) -> Option<i64> {
        parse(value.as_bytes(), now).map(|at| Civil::of(at).year)
    }

    #[test]
    fn all_three_forms_are_read() {
        for value in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun Nov 06 08:49:37 1994",
            "sUN, 06 nOV 1994 08:49:37 gmt",
            "mon, 06 Nov 1994 08:49:37 GMT",
            "WEDNESDAY, 06-NOV-94 08:49:37 GMT",
        ] {
            assert_eq!(read(value), EXAMPLE, "{value}");
        }
    }

    #[test]
    fn anything_inexact_is_no_date() {
        let values = "\
            |0|-1|Sun|Sun, 06 Nov 94 08:49:37 GMT|Sun, 06 Nov 1994 08:49:37 UTC|\
            Sun, 06-Nov-1994 08:49:37 GMT|Sun, 06 Nov 1994 08.49.37 GMT|Sun, 06 Nov 1994 08:49:37|\
            Sun, 06 Nov 1994 8:49:37 GMT|Sun,  06 Nov 1994 08:49:37 GMT|\
            Sun, 06 Nov 1994  08:49:37 GMT|Sun, 6 Nov 1994 08:49:37 GMT|\
            Sun, 06 Nov 1994 08:49:37 GMT | Sun, 06 Nov 1994 08:49:37 GMT|\
            Sun, 06 Nov 1994 08:49:37  GMT|Sun, 06 Nov 1994 08:49:37 +0000|\
            Sun 06 Nov 1994 08:49:37 GMT|Xxx, 06 Nov 1994 08:49:37 GMT|\
            Sun, 06 Xxx 1994 08:49:37 GMT|Sunday, 06 Nov 1994 08:49:37 GMT|\
            Sun, 06-Nov-94 08:49:37 GMT|Sunny, 06-Nov-94 08:49:37 GMT|\
            Sunday, 06-Nov-1994 08:49:37 GMT|Sun Nov 6 08:49:37 1994|Sun Nov  6 08:49:37 94|\
            Sun Nov  6 08:49:37 1994 GMT|Sun, 06 Nov 1994 24:00:00 GMT|\
            Sun, 06 Nov 1994 08:60:37 GMT|Sun, 06 Nov 1994 08:49:61 GMT|\
            Sun, 00 Nov 1994 08:49:37 GMT|Sun, 31 Nov 1994 08:49:37 GMT|\
            Sun, 29 Feb 1995 08:49:37 GMT|Sun, 29 Feb 1900 08:49:37 GMT|\
            Sun, +6 Nov 1994 08:49:37 GMT";
        for value in values.split('|') {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn the_calendar_is_kept_from_year_0_to_9999() {
        let secs = |value| read(value).map(Timestamp::as_secs);
        assert_eq!(secs("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(secs("Wed, 31 Dec 1969 23:59:59 GMT"), Some(-1));
        assert_eq!(secs("Tue, 29 Feb 2000 00:00:00 GMT"), Some(951_782_400));
        assert_eq!(secs("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
        assert_eq!(secs("Sat, 01 Jan 0000 00:00:00 GMT"), Some(-62_167_219_200));
        assert_eq!(secs("Sat, 31 Dec 2016 23:59:60 GMT"), Some(1_483_228_800));
    }

    #[test]
    fn two_digit_years_more_than_50_years_ahead_are_in_the_past() {
        assert_eq!(year("Friday, 20-Nov-76 00:00:00 GMT", NOW), Some(2076));
        assert_eq!(year("Friday, 21-Nov-76 00:00:00 GMT", NOW), Some(2076));
        assert_eq!(year("Friday, 21-Nov-76 00:00:01 GMT", NOW), Some(1976));
        assert_eq!(year("Friday, 01-Jan-77 00:00:00 GMT", NOW), Some(1977));
        assert_eq!(year("Friday, 01-Jan-00 00:00:00 GMT", NOW), Some(2000));
        let late = read("Thu, 01 Jan 2099 00:00:00 GMT").unwrap();
        assert_eq!(year("Friday, 01-Jan-05 00:00:00 GMT", late), Some(2105));
        assert_eq!(year("Friday, 29-Feb-00 00:00:00 GMT", late), None);
        for now in [i64::MIN, i64::MAX] {
            year("Friday, 01-Jan-05 00:00:00 GMT", Timestamp::from_millis(now));
        }
    }

    #[test]
    fn what_is_written_stays_within_four_digit_years() {
        assert_eq!(format(Timestamp::from_millis(i64::MIN)), EPOCH);
        assert_eq!(format(Timestamp::from_secs(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(format(Timestamp::from_millis(i64::MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn a_second_line_makes_a_date_invalid() {
        let mut headers = HeaderMap::new();
        assert_eq!(sole(&headers, EXPIRES, NOW), Dated::Absent);
        headers.append(EXPIRES, format(NOW));
        assert_eq!(sole(&headers, EXPIRES, NOW), Dated::At(NOW));
        headers.append(EXPIRES, format(NOW));
        assert_eq!(sole(&headers, EXPIRES, NOW), Dated::Invalid);
        headers.insert(EXPIRES, HeaderValue::from_static("0"));
        assert_eq!(sole(&headers, EXPIRES, NOW), Dated::Invalid);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(secs in 0..=LATEST_SECS as i64, millis in 0..1000i64) {
            let at = Timestamp::from_millis(secs * 1000 + millis);
            prop_assert_eq!(parse(format(at).as_bytes(), NOW), Some(Timestamp::from_secs(secs)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(value: Vec<u8>, now: i64) {
            prop_assert_eq!(parse(&value, Timestamp::from_millis(now)), None);
        }

        #[test]
        fn a_date_with_one_byte_changed_never_panics(at in 0usize..30, byte: u8, now: i64) {
            for value in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"] {
                let mut value = value.as_bytes().to_vec();
                if let Some(changed) = value.get_mut(at) {
                    *changed = byte;
                }
                parse(&value, Timestamp::from_millis(now));
            }
        }
    }
}
