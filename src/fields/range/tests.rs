use super::*;
use proptest::prelude::*;

fn of(range: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
    headers
}

fn asked(range: &str, length: u64) -> Ranged {
    resolve(&of(range), length, 8)
}

/// Each by its first and last byte.
fn parts<const N: usize>(parts: [(u64, u64); N]) -> Ranged {
    Ranged::Parts(parts.into_iter().map(|(first, last)| first..last + 1).collect())
}

fn part(first: u64, last: u64) -> Ranged {
    parts([(first, last)])
}

#[test]
fn one_range_is_a_part() {
    assert_eq!(asked("bytes=0-0", 10), part(0, 0));
    assert_eq!(asked("Bytes=2-5", 10), part(2, 5));
    assert_eq!(asked("bytes=9-", 10), part(9, 9));
    assert_eq!(asked("bytes=-3", 10), part(7, 9));
}

#[test]
fn a_range_is_cut_to_what_there_is() {
    assert_eq!(asked("bytes=5-10", 10), part(5, 9));
    assert_eq!(asked("bytes=-11", 10), part(0, 9));
    assert_eq!(asked("bytes=5-99999999999999999999999", 10), part(5, 9));
    assert_eq!(asked("bytes=-99999999999999999999999", 10), part(0, 9));
    assert_eq!(asked("bytes=0-18446744073709551615", u64::MAX), part(0, u64::MAX - 1));
}

#[test]
fn a_range_behind_the_end_is_unsatisfiable() {
    for range in [
        "bytes=10-",
        "bytes=10-20",
        "bytes=-0",
        "bytes=99999999999999999999999-",
        "bytes=10-,-0,99-100",
        "bytes=30-40,20-30,10-",
    ] {
        assert_eq!(asked(range, 10), Ranged::Unsatisfiable, "{range}");
    }
    assert_eq!(asked("bytes=0-", 0), Ranged::Unsatisfiable);
    assert_eq!(asked("bytes=-0", 0), Ranged::Unsatisfiable);
    assert_eq!(asked("bytes=-1", 0), Ranged::Whole);
    assert_eq!(asked("bytes=0-,-1", 0), Ranged::Whole);
    assert_eq!(asked("bytes=99999999999999999999999-", u64::MAX), Ranged::Unsatisfiable);
}

#[test]
fn several_ranges_are_parts_if_each_begins_behind_the_one_before() {
    assert_eq!(asked("bytes=0-1,3-4", 10), parts([(0, 1), (3, 4)]));
    assert_eq!(asked("bytes=0-0,1-1,2-8,-1", 10), parts([(0, 0), (1, 1), (2, 8), (9, 9)]));
    for range in [
        "bytes=0-1,1-2",
        "bytes=0-0,0-0",
        "bytes=0-,0-,0-",
        "bytes=3-4,0-1",
        "bytes=0-1,4-5,2-3",
        // They overlap once they are held against the length.
        "bytes=0-5,-5",
        "bytes=5-20,9-30",
    ] {
        assert_eq!(asked(range, 10), Ranged::Whole, "{range}");
    }
}

#[test]
fn ranges_behind_the_end_are_left_out() {
    assert_eq!(asked("bytes=0-1,10-,-0,3-4,20-30", 10), parts([(0, 1), (3, 4)]));
    assert_eq!(asked("bytes=99-,0-1", 10), part(0, 1));
    assert_eq!(asked("bytes=-0,5-9,10-", 10), part(5, 9));
}

/// RFC 9110 §5.6.1.2.
#[test]
fn lists_may_have_empty_members_and_white_space_at_their_commas() {
    for range in [
        "bytes=0-1, ",
        "bytes=0-1,",
        "bytes=,0-1",
        "bytes= ,0-1",
        "bytes=,,\t,0-1 , ,",
        "bytes=, 0-1",
        "bytes=0-1\t,",
    ] {
        assert_eq!(asked(range, 10), part(0, 1), "{range}");
    }
    assert_eq!(asked("bytes=0-1 ,\t 3-4", 10), parts([(0, 1), (3, 4)]));
}

#[test]
fn what_cannot_be_read_is_ignored() {
    for range in [
        "",
        "bytes",
        "bytes=",
        "bytes=,",
        "bytes= , ,\t",
        "bytes=-",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=1-b",
        "bytes=1",
        "bytes= 0-1",
        "bytes=0-1 ",
        "bytes=\t0-1,3-4",
        "bytes=0-1,3-4 ",
        "bytes =0-1",
        "bytes=0 -1",
        "bytes=0- 1,3-4",
        "bytes=--1",
        "bytes=1--2",
        "bytes=+1-2",
        "items=0-1",
        "0-1",
        "bytes:0-1",
        "bytes=0-1;x",
        "bytes=0-1;3-4",
        "bytes=0-1 3-4",
        "bytes=\"0-1\"",
        "bytes=\"0-1,3-4\"",
        // One that is malformed spoils all, also behind the end and after it.
        "bytes=0-1,x",
        "bytes=x,0-1",
        "bytes=0-1,5-4",
        "bytes=20-,x",
        "bytes=20-19,0-1",
    ] {
        assert_eq!(asked(range, 10), Ranged::Whole, "{range}");
    }
    let mut headers = HeaderMap::new();
    assert_eq!(resolve(&headers, 10, 8), Ranged::Whole);
    headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
    headers.append(RANGE, HeaderValue::from_static("bytes=3-4"));
    assert_eq!(resolve(&headers, 10, 8), Ranged::Whole);
}

#[test]
fn more_ranges_than_the_most_are_ignored() {
    let three = of("bytes=0-0,2-2,4-4");
    assert_eq!(resolve(&three, 10, 3), parts([(0, 0), (2, 2), (4, 4)]));
    assert_eq!(resolve(&three, 10, 2), Ranged::Whole);
    // Those behind the end count too.
    assert_eq!(resolve(&of("bytes=0-0,20-,30-"), 10, 2), Ranged::Whole);
    assert_eq!(resolve(&of("bytes=20-,30-,40-"), 10, 2), Ranged::Whole);
    // Empty ones do not.
    assert_eq!(resolve(&of("bytes=,,0-0,,2-2,,"), 10, 2), parts([(0, 0), (2, 2)]));
    for range in ["bytes=0-1", "bytes=10-", "bytes="] {
        assert_eq!(resolve(&of(range), 10, 0), Ranged::Whole, "{range}");
    }
}

#[test]
fn content_range_is_written() {
    assert_eq!(content_range(&(0..10), 10), "bytes 0-9/10");
    assert_eq!(content_range(&(3..4), u64::MAX), "bytes 3-3/18446744073709551615");
    assert_eq!(unsatisfied(u64::MAX), "bytes */18446744073709551615");
}

proptest! {
    #[test]
    fn parts_lie_inside_and_ascend(
        tail in "([0-9]{0,2}-[0-9]{0,2}[, ]{0,2}){0,6}|[0-9-]{0,30}",
        length in prop_oneof![0..120u64, any::<u64>()],
        ranges_max in 0..6usize,
    ) {
        if let Ranged::Parts(parts) = resolve(&of(&format!("bytes={tail}")), length, ranges_max) {
            prop_assert!(!parts.is_empty() && parts.len() <= ranges_max);
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
            prop_assert!(parts.iter().zip(parts.iter().skip(1)).all(|(a, b)| a.end <= b.start));
        }
    }

    /// What is asked for byte by byte, by a reader of its own.
    #[test]
    fn parts_are_the_bytes_that_were_asked_for(
        asked_for in prop::collection::vec((0..40u64, 0..5u64), 1..5),
        length in 0..40u64,
    ) {
        let texts: Vec<_> =
            asked_for.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
        let wanted: Vec<Vec<u64>> = asked_for
            .iter()
            .map(|(first, more)| (*first..=first + more).filter(|at| *at < length).collect())
            .filter(|bytes: &Vec<u64>| !bytes.is_empty())
            .collect();
        let expected = match wanted.concat() {
            none if none.is_empty() => None,
            bytes if bytes.is_sorted_by(|a, b| a < b) => Some(wanted),
            _ => Some(Vec::new()),
        };
        let got = match resolve(&of(&format!("bytes={}", texts.join(","))), length, 8) {
            Ranged::Whole => Some(Vec::new()),
            Ranged::Parts(parts) => Some(parts.into_iter().map(Iterator::collect).collect()),
            Ranged::Unsatisfiable => None,
        };
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(value: Vec<u8>, length: u64) {
        let is_bytes = value.get(..6).is_some_and(|unit| unit.eq_ignore_ascii_case(b"bytes="));
        prop_assert!(is_bytes || all(&value, length, 8).is_none());
        all(&[b"bytes=", &value[..]].concat(), length, 8);
    }
}
