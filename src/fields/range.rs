//! `Range` and `Content-Range` for a single range of bytes (RFC 9110 §14).

use http::HeaderMap;
use http::header::{HeaderValue, RANGE};

/// What a request asks of a representation whose length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ranged {
    /// All of it: there is no range, or one that may be ignored (RFC 9110 §14.2).
    Whole,
    /// The bytes from `first` to `last`, both included, both inside.
    Part { first: u64, last: u64 },
    /// Nothing that it has (RFC 9110 §15.5.17).
    Unsatisfiable,
}

/// Reads the Range field against a complete representation of `length` bytes.
pub(crate) fn resolve(headers: &HeaderMap, length: u64) -> Ranged {
    let mut lines = headers.get_all(RANGE).iter();
    let (Some(line), None) = (lines.next(), lines.next()) else {
        return Ranged::Whole;
    };
    match Spec::parse(line.as_bytes()) {
        Some(spec) => spec.resolve(length),
        None => Ranged::Whole,
    }
}

/// `bytes first-last/length`, for a 206.
pub(crate) fn content_range(first: u64, last: u64, length: u64) -> HeaderValue {
    value(format!("bytes {first}-{last}/{length}"))
}

/// `bytes */length`, for a 416.
pub(crate) fn unsatisfied(length: u64) -> HeaderValue {
    value(format!("bytes */{length}"))
}

/// One range as it is asked for (RFC 9110 §14.1.2).
enum Spec {
    From { first: u64, last: Option<u64> },
    Suffix(u64),
}

impl Spec {
    /// `None` for another unit, for several ranges, and for whatever is malformed.
    fn parse(value: &[u8]) -> Option<Self> {
        let equals = value.iter().position(|byte| *byte == b'=')?;
        let (unit, rest) = value.split_at_checked(equals)?;
        if !unit.eq_ignore_ascii_case(b"bytes") {
            return None;
        }
        let spec = rest.strip_prefix(b"=")?;
        let dash = spec.iter().position(|byte| *byte == b'-')?;
        let (first, rest) = spec.split_at_checked(dash)?;
        let last = rest.strip_prefix(b"-")?;
        match (first, last) {
            ([], suffix) => Some(Self::Suffix(number(suffix)?)),
            (first, []) => Some(Self::From { first: number(first)?, last: None }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                // RFC 9110 §14.1.1: an int-range that ends before it begins is invalid.
                (first <= last).then_some(Self::From { first, last: Some(last) })
            }
        }
    }

    fn resolve(self, length: u64) -> Ranged {
        let Some(end) = length.checked_sub(1) else {
            return Ranged::Unsatisfiable;
        };
        match self {
            Self::From { first, .. } if first > end => Ranged::Unsatisfiable,
            Self::From { first, last } => {
                Ranged::Part { first, last: last.map_or(end, |last| last.min(end)) }
            }
            Self::Suffix(0) => Ranged::Unsatisfiable,
            // A suffix longer than the representation is all of it.
            Self::Suffix(count) => Ranged::Part { first: length.saturating_sub(count), last: end },
        }
    }
}

/// `1*DIGIT`; what is too large saturates, as it lies beyond every representation.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits.iter().fold(0u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        }),
    )
}

fn value(text: String) -> HeaderValue {
    // ASCII always: the fallback is never reached.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("bytes */*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(range: &str, length: u64) -> Ranged {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
        resolve(&headers, length)
    }

    fn part(first: u64, last: u64) -> Ranged {
        Ranged::Part { first, last }
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
        for range in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(asked(range, 10), Ranged::Unsatisfiable, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), Ranged::Unsatisfiable);
        assert_eq!(asked("bytes=-1", 0), Ranged::Unsatisfiable);
        assert_eq!(asked("bytes=99999999999999999999999-", u64::MAX), Ranged::Unsatisfiable);
    }

    #[test]
    fn what_cannot_be_read_is_ignored() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=1-b",
            "bytes=1",
            "bytes=0-1,3-4",
            "bytes=0-1, ",
            "bytes= 0-1",
            "bytes =0-1",
            "bytes=0 -1",
            "bytes=--1",
            "bytes=1--2",
            "bytes=+1-2",
            "items=0-1",
            "0-1",
            "bytes:0-1",
            "bytes=0-1;x",
        ] {
            assert_eq!(asked(range, 10), Ranged::Whole, "{range}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(resolve(&headers, 10), Ranged::Whole);
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        headers.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        assert_eq!(resolve(&headers, 10), Ranged::Whole);
    }

    #[test]
    fn content_range_is_written() {
        assert_eq!(content_range(0, 9, 10), "bytes 0-9/10");
        assert_eq!(unsatisfied(u64::MAX), "bytes */18446744073709551615");
    }

    proptest! {
        #[test]
        fn a_part_lies_inside(tail in "[0-9-]{0,30}", length: u64) {
            if let Ranged::Part { first, last } = asked(&format!("bytes={tail}"), length) {
                prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(value: Vec<u8>, length: u64) {
            prop_assert!(Spec::parse(&value).is_none());
            let value = [b"bytes=", &value[..]].concat();
            if let Some(spec) = Spec::parse(&value) {
                spec.resolve(length);
            }
        }
    }
}
