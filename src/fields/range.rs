//! `Range` and `Content-Range` for ranges of bytes (RFC 9110 §14).

use std::iter;
use std::ops::Range;

use http::HeaderMap;
use http::header::{HeaderValue, RANGE};

use crate::fields::list::{trim_end, trim_start};

/// What a request asks of a representation whose length is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ranged {
    /// All of it: there is no range, or ranges that may be ignored (RFC 9110 §14.2).
    Whole,
    /// These bytes: at least one range, none of them empty, all inside, and each behind the one before.
    Parts(Vec<Range<u64>>),
    /// Nothing that it has (RFC 9110 §15.5.17).
    Unsatisfiable,
}

/// Reads the Range field against a complete representation of `length` bytes.
///
/// Ignored are more than `ranges_max` ranges, and ranges that overlap or do not ascend, which RFC 9110 §14.2
/// lets a server do and §17.15 tells why. Of a field that asks for more, no more than that is read.
pub(crate) fn resolve(headers: &HeaderMap, length: u64, ranges_max: usize) -> Ranged {
    let mut lines = headers.get_all(RANGE).iter();
    match (lines.next(), lines.next()) {
        (Some(line), None) => all(line.as_bytes(), length, ranges_max).unwrap_or(Ranged::Whole),
        _ => Ranged::Whole,
    }
}

/// `bytes first-last/length`, for a 206.
pub(crate) fn content_range(range: &Range<u64>, length: u64) -> HeaderValue {
    let (first, last) = (range.start, range.end.saturating_sub(1));
    value(format!("bytes {first}-{last}/{length}"))
}

/// `bytes */length`, for a 416.
pub(crate) fn unsatisfied(length: u64) -> HeaderValue {
    value(format!("bytes */{length}"))
}

/// `None` where the field is to be ignored.
fn all(field: &[u8], length: u64, ranges_max: usize) -> Option<Ranged> {
    let mut count = 0usize;
    let mut parts: Vec<Range<u64>> = Vec::new();
    for member in members(byte_set(field)?) {
        count = count.saturating_add(1);
        if count > ranges_max {
            return None;
        }
        let spec = Spec::parse(member)?;
        if length == 0 && matches!(spec, Spec::Suffix(1..)) {
            // RFC 9110 §14.1.2: this is satisfiable, by all that there is; but no Content-Range can say so (§14.4).
            return None;
        }
        let Some(range) = spec.resolve(length) else {
            // RFC 9110 §14.1.2: the set is satisfiable if one of its ranges is.
            continue;
        };
        if parts.last().is_some_and(|before| range.start < before.end) {
            return None;
        }
        parts.push(range);
    }
    match (count, parts.is_empty()) {
        // RFC 9110 §5.6.1.2: empty members are none, and one is needed.
        (0, _) => None,
        (_, true) => Some(Ranged::Unsatisfiable),
        (_, false) => Some(Ranged::Parts(parts)),
    }
}

/// What follows `bytes=`; `None` for another unit (RFC 9110 §14.1).
fn byte_set(field: &[u8]) -> Option<&[u8]> {
    let equals = field.iter().position(|byte| *byte == b'=')?;
    let (unit, rest) = field.split_at_checked(equals)?;
    unit.eq_ignore_ascii_case(b"bytes").then(|| rest.strip_prefix(b"="))?
}

/// RFC 9110 §5.6.1.2: white space may stand beside a comma, and nowhere else; members may be empty.
fn members(set: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = set.split(|byte| *byte == b',').peekable();
    let mut is_behind_comma = false;
    iter::from_fn(move || {
        let mut member = rest.next()?;
        if is_behind_comma {
            member = trim_start(member);
        }
        if rest.peek().is_some() {
            member = trim_end(member);
        }
        is_behind_comma = true;
        Some(member)
    })
    .filter(|member| !member.is_empty())
}

/// One range as it is asked for (RFC 9110 §14.1.2).
enum Spec {
    From { first: u64, last: Option<u64> },
    Suffix(u64),
}

impl Spec {
    /// `None` for whatever is malformed.
    fn parse(member: &[u8]) -> Option<Self> {
        let dash = member.iter().position(|byte| *byte == b'-')?;
        let (first, rest) = member.split_at_checked(dash)?;
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

    /// `None` where there is nothing of it.
    fn resolve(self, length: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From { first, last: None } => first..length,
            Self::From { first, last: Some(last) } => first..last.saturating_add(1).min(length),
            // A suffix longer than the representation is all of it.
            Self::Suffix(count) => length.saturating_sub(count)..length,
        };
        (!range.is_empty()).then_some(range)
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
mod tests;
