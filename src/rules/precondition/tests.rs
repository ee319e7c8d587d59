use http::HeaderValue;
use http::header::HeaderName;
use proptest::prelude::*;

use super::Evaluated::{Failed, Perform};
use super::*;

/// 2026-11-21 00:00:00
const NOW: Timestamp = Timestamp::from_secs(1_795_219_200);
/// Sun, 06 Nov 1994 08:49:37 GMT
const MODIFIED: Timestamp = Timestamp::from_secs(784_111_777);
const AT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_str(value).unwrap();
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

/// Where only a date tells that it is held.
const NOT_MODIFIED: Evaluated = Evaluated::NotModified { is_held_strongly: false };
const HELD: Evaluated = Evaluated::NotModified { is_held_strongly: true };

/// A resource with both validators.
fn both() -> Validators<'static> {
    Validators { etag: EntityTag::parse(b"\"1\""), last_modified: Some(MODIFIED) }
}

fn read(lines: &[(&'static str, &str)]) -> Evaluated {
    evaluate(true, &fields(lines), Some(both()), NOW)
}

fn write(lines: &[(&'static str, &str)]) -> Evaluated {
    evaluate(false, &fields(lines), Some(both()), NOW)
}

/// RFC 9110 §13.2.2, with each field true, false or absent: the answers of its steps, one after the other.
#[test]
fn the_order_of_the_steps_is_kept_for_every_combination() {
    let tags = [None, Some("\"1\""), Some("\"2\"")];
    let dates = [None, Some(AT), Some(BEFORE), Some("no date")];
    let mut tried = 0;
    for (is_read, if_match, none_match, unmodified, modified) in combinations(tags, dates) {
        let lines: Vec<(&'static str, &str)> = [
            ("if-match", if_match),
            ("if-none-match", none_match),
            ("if-unmodified-since", unmodified),
            ("if-modified-since", modified),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
        let expected = match (if_match, unmodified) {
            (Some("\"2\""), _) | (None, Some(BEFORE)) => Failed,
            _ => match (none_match, modified) {
                (Some("\"1\""), _) if is_read => HELD,
                (Some("\"1\""), _) => Failed,
                (None, Some(AT)) if is_read => NOT_MODIFIED,
                _ => Perform,
            },
        };
        let evaluated = evaluate(is_read, &fields(&lines), Some(both()), NOW);
        assert_eq!(evaluated, expected, "read: {is_read}, {lines:?}");
        tried += 1;
    }
    assert_eq!(tried, 2 * 3 * 3 * 4 * 4);
}

type Combination<'a> = (bool, Option<&'a str>, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn combinations<'a>(
    tags: [Option<&'a str>; 3],
    dates: [Option<&'a str>; 4],
) -> impl Iterator<Item = Combination<'a>> {
    [true, false].into_iter().flat_map(move |is_read| {
        tags.into_iter().flat_map(move |one| {
            tags.into_iter().flat_map(move |other| {
                dates.into_iter().flat_map(move |unmodified| {
                    dates
                        .into_iter()
                        .map(move |modified| (is_read, one, other, unmodified, modified))
                })
            })
        })
    })
}

#[test]
fn step_1_if_match_fails_for_reads_and_writes() {
    for lines in
        [&[("if-match", "\"2\"")][..], &[("if-match", "W/\"1\"")], &[("if-match", "garbage")]]
    {
        assert_eq!((read(lines), write(lines)), (Failed, Failed), "{lines:?}");
    }
    for lines in [&[("if-match", "*")][..], &[("if-match", "\"2\", \"1\"")]] {
        assert_eq!((read(lines), write(lines)), (Perform, Perform), "{lines:?}");
    }
}

#[test]
fn step_2_if_unmodified_since_counts_without_if_match_only() {
    assert_eq!(write(&[("if-unmodified-since", BEFORE)]), Failed);
    assert_eq!(read(&[("if-unmodified-since", BEFORE)]), Failed);
    for date in [AT, AFTER] {
        assert_eq!(write(&[("if-unmodified-since", date)]), Perform);
    }
    assert_eq!(write(&[("if-match", "\"1\""), ("if-unmodified-since", BEFORE)]), Perform);
}

#[test]
fn step_3_if_none_match_is_304_for_reads_and_412_for_writes() {
    for lines in [&[("if-none-match", "*")][..], &[("if-none-match", "W/\"1\"")]] {
        assert_eq!((read(lines), write(lines)), (NOT_MODIFIED, Failed), "{lines:?}");
    }
    assert_eq!(write(&[("if-none-match", "\"2\"")]), Perform);
}

#[test]
fn step_4_if_modified_since_counts_for_reads_without_if_none_match() {
    for (date, expected) in [(BEFORE, Perform), (AT, NOT_MODIFIED), (AFTER, NOT_MODIFIED)] {
        assert_eq!(read(&[("if-modified-since", date)]), expected, "{date}");
        assert_eq!(write(&[("if-modified-since", date)]), Perform, "{date}");
    }
    assert_eq!(read(&[("if-none-match", "\"2\""), ("if-modified-since", AFTER)]), Perform);
}

/// RFC 9110 §13.1.1 and §13.1.2 for a resource that is not there: no list matches it.
#[test]
fn what_is_not_there_matches_nothing() {
    let absent = |lines: &[(&'static str, &str)]| evaluate(false, &fields(lines), None, NOW);
    assert_eq!(absent(&[("if-match", "*")]), Failed);
    assert_eq!(absent(&[("if-match", "\"1\"")]), Failed);
    assert_eq!(absent(&[("if-none-match", "*")]), Perform);
    assert_eq!(absent(&[("if-none-match", "\"1\"")]), Perform);
    assert_eq!(absent(&[("if-unmodified-since", BEFORE)]), Perform);
}

/// RFC 9110 §13.1.3, §13.1.4: without a date to compare with, and where the field has several, they are ignored.
#[test]
fn dates_that_cannot_be_compared_are_ignored() {
    let undated = Validators { last_modified: None, ..both() };
    for name in ["if-modified-since", "if-unmodified-since"] {
        let evaluated = evaluate(true, &fields(&[(name, AFTER)]), Some(undated), NOW);
        assert_eq!(evaluated, Perform, "{name} without Last-Modified");
        assert_eq!(read(&[(name, AT), (name, AT)]), Perform, "{name} twice");
        for bad in ["", "0", "Sun, 06 Nov 1994 08:49:36", "1994-11-06T08:49:36Z", "\"1\""] {
            assert_eq!(read(&[(name, bad)]), Perform, "{name}: {bad}");
        }
    }
}

#[test]
fn all_three_formats_and_dates_before_1970_and_with_two_digit_years_are_compared() {
    for date in [AT, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
        assert_eq!(read(&[("if-modified-since", date)]), NOT_MODIFIED, "{date}");
        assert_eq!(read(&[("if-unmodified-since", date)]), Perform, "{date}");
    }
    let old = Validators { etag: None, last_modified: Some(Timestamp::from_secs(-86_400)) };
    for (date, expected) in [
        ("Wed, 31 Dec 1969 00:00:00 GMT", NOT_MODIFIED),
        ("Tue, 30 Dec 1969 23:59:59 GMT", Perform),
        ("Thu, 01 Jan 1970 00:00:00 GMT", NOT_MODIFIED),
        ("Mon, 01 Jan 1601 00:00:00 GMT", Perform),
        // 1976 and 2076: which one, the clock says.
        ("Thursday, 01-Jan-70 00:00:00 GMT", NOT_MODIFIED),
        ("Saturday, 01-Jan-77 00:00:00 GMT", NOT_MODIFIED),
    ] {
        let evaluated = evaluate(true, &fields(&[("if-modified-since", date)]), Some(old), NOW);
        assert_eq!(evaluated, expected, "{date}");
    }
    // 77 is 1977 in 2026, before 1994, and 2077 in 2030.
    let seventy_seven = fields(&[("if-modified-since", "Saturday, 01-Jan-77 00:00:00 GMT")]);
    assert_eq!(evaluate(true, &seventy_seven, Some(both()), NOW), Perform);
    let later = Timestamp::from_secs(1_893_456_000);
    assert_eq!(evaluate(true, &seventy_seven, Some(both()), later), NOT_MODIFIED);
}

proptest! {
    #[test]
    fn arbitrary_fields_never_panic(
        values in prop::collection::vec(prop::collection::vec(0x20_u8..=0xff, 0..40), 4),
        is_read: bool,
        is_there: bool,
    ) {
        let names = ["if-match", "if-none-match", "if-unmodified-since", "if-modified-since"];
        let mut headers = HeaderMap::new();
        for (name, value) in names.into_iter().zip(&values) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        evaluate(is_read, &headers, is_there.then(both), NOW);
    }
}
