//! Parts of a complete response, for a request with a Range (RFC 9110 §14, §15.3.7, §15.5.17).

use std::iter;
use std::ops::Range;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::fields::number;
use crate::fields::range::{Ranged, content_range, resolve, unsatisfied};
use crate::rules::parts::{Part, Parts};

/// Which bytes go with a head.
#[derive(Debug)]
pub(crate) enum Content {
    /// The whole body.
    Whole,
    /// These bytes of it.
    Parts(Parts),
    Empty,
}

/// What a layer has to say about ranges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    ranges_max: usize,
    boundary: fn() -> [u8; 16],
}

impl Terms {
    /// `boundary` draws what nobody can foretell, anew for each answer with several parts: who knew what stands between
    /// the parts could write a part into the content (RFC 2046 §5.1.1).
    pub(crate) const fn new(boundary: fn() -> [u8; 16]) -> Self {
        Self { ranges_max: RANGES_MAX, boundary }
    }

    /// More ranges than that are ignored.
    pub(crate) fn ranges_max(self, ranges_max: usize) -> Self {
        Self { ranges_max: ranges_max.min(RANGES_MOST), ..self }
    }

    /// Whether any range is.
    pub(crate) fn are_answered(&self) -> bool {
        self.ranges_max > 0
    }
}

/// Turns the head of a complete 200, whose body has `length` bytes, into the head of the answer to the Range of this
/// request. Whether that counts (RFC 9110 §13.2.2, §14.2) was asked before.
pub(crate) fn partial(
    request: &HeaderMap,
    status: &mut StatusCode,
    headers: &mut HeaderMap,
    length: u64,
    terms: &Terms,
) -> Content {
    let ranges = match resolve(request, length, terms.ranges_max) {
        Ranged::Whole => return Content::Whole,
        Ranged::Unsatisfiable => {
            *status = StatusCode::RANGE_NOT_SATISFIABLE;
            *headers = unsatisfiable(headers, length);
            return Content::Empty;
        }
        Ranged::Parts(ranges) => ranges,
    };
    if headers.try_reserve(FIELDS).is_err() {
        // A map that is full has no room for what a part must say.
        return Content::Whole;
    }
    *status = StatusCode::PARTIAL_CONTENT;
    // A part has no trailers.
    headers.remove(header::TRAILER);
    // RFC 9530 §2: a digest of what is sent, which is no longer the whole.
    headers.remove(CONTENT_DIGEST);
    let parts = match &*ranges {
        // RFC 9110 §15.3.7.2: no multipart for a single range, nor, where we may choose, for the one that is left.
        [range] => {
            headers.insert(header::CONTENT_RANGE, content_range(range, length));
            Parts::single(range.clone())
        }
        ranges => multipart(ranges, headers, length, (terms.boundary)()),
    };
    headers.insert(header::CONTENT_LENGTH, number::value(parts.length()));
    Content::Parts(parts)
}

/// RFC 9110 §14.6, §15.3.7.2.
fn multipart(
    ranges: &[Range<u64>],
    headers: &mut HeaderMap,
    length: u64,
    boundary: [u8; 16],
) -> Parts {
    let boundary = format!("{:032x}", u128::from_be_bytes(boundary));
    let kind = HeaderValue::try_from(format!("multipart/byteranges; boundary={boundary}"));
    // ASCII always: the fallback is never reached.
    let kind = kind.unwrap_or_else(|_| HeaderValue::from_static("multipart/byteranges"));
    let mut lines = Vec::new();
    for own in headers.get_all(header::CONTENT_TYPE) {
        lines.extend([b"Content-Type: ", own.as_bytes(), b"\r\n"].concat());
    }
    let lead = |(before, range): (&str, &Range<u64>)| {
        let delimiter = format!("{before}--{boundary}\r\n");
        let content_range = content_range(range, length);
        let lead = [
            delimiter.as_bytes(),
            &lines,
            b"Content-Range: ",
            content_range.as_bytes(),
            b"\r\n\r\n",
        ];
        Part { lead: lead.concat().into(), range: range.clone() }
    };
    // RFC 2046 §5.1.1: the line end before a delimiter belongs to it.
    let before = iter::once("").chain(iter::repeat("\r\n"));
    let parts = Parts::new(before.zip(ranges).map(lead), format!("\r\n--{boundary}--\r\n").into());
    headers.insert(header::CONTENT_TYPE, kind);
    // Each part says for itself which it is.
    headers.remove(header::CONTENT_RANGE);
    parts
}

/// RFC 9110 §15.5.17.
fn unsatisfiable(headers: &HeaderMap, length: u64) -> HeaderMap {
    let mut kept = HeaderMap::with_capacity(4);
    kept.insert(header::CONTENT_RANGE, unsatisfied(length));
    kept.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    kept.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for date in headers.get_all(header::DATE) {
        kept.append(header::DATE, date.clone());
    }
    kept
}

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// Those that a part has besides.
const FIELDS: usize = 2;
/// So many ranges are answered where nothing else is said, and so many at the most.
const RANGES_MAX: usize = 8;
const RANGES_MOST: usize = 64;

#[cfg(test)]
mod tests;
