//! A client's own preconditions, answered from a stored response (RFC 9111 §4.3.2, RFC 9110 §13).

use http::header::{self, HeaderMap};

use crate::cache::entry::EntryMeta;
use crate::fields::date::{self, Dated};
use crate::fields::etag::{self, EntityTag, Precondition};
use crate::time::Timestamp;

/// Whether the client holds the stored response already, so that a 304 will do.
///
/// RFC 9110 §13.2.2: If-None-Match comes first and silences If-Modified-Since; §13.2.1: neither counts
/// where the answer without it would be no success.
pub(crate) fn is_not_modified(request: &HeaderMap, stored: &EntryMeta, now: Timestamp) -> bool {
    if !stored.status.is_success() {
        return false;
    }
    match etag::none_match(request, stored.etag()) {
        Precondition::True => false,
        Precondition::False => true,
        Precondition::Absent => match date::sole(request, header::IF_MODIFIED_SINCE, now) {
            // RFC 9111 §4.3.2: without a Last-Modified, the Date stands for it.
            Dated::At(since) => {
                stored.last_modified.unwrap_or(stored.date).as_secs() <= since.as_secs()
            }
            Dated::Absent | Dated::Invalid => false,
        },
    }
}

/// RFC 9110 §13.1.5: whether a Range may be honoured, which If-Range makes depend on the client holding
/// the very same bytes.
pub(crate) fn range_counts(request: &HeaderMap, stored: &EntryMeta, now: Timestamp) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let value = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return false,
    };
    if let Some(tag) = EntityTag::parse(value) {
        return stored.etag().is_some_and(|stored| stored.strong_eq(&tag));
    }
    // RFC 9110 §8.8.2.2: a date is a strong validator only where nothing could have changed within it.
    let is_strong = |modified: Timestamp| stored.date.since(modified).as_secs() >= 1;
    match (date::parse(value, now), stored.last_modified) {
        (Some(date), Some(modified)) => date.as_secs() == modified.as_secs() && is_strong(modified),
        _ => false,
    }
}
