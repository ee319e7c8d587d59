//! Preconditions, in the order in which they count (RFC 9110 §13.2.2; RFC 9111 §4.3.2 for a stored response).

use http::header::{self, HeaderMap};

use crate::cache::entry::EntryMeta;
use crate::fields::date::{self, Dated};
use crate::fields::etag::{self, EntityTag, Held, Precondition};
use crate::fields::validators::Validators;
use crate::time::Timestamp;

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evaluated {
    /// The method is performed.
    Perform,
    /// The client of a GET or HEAD holds the response already: 304. Its tag as it is, if it has a strong one.
    NotModified { is_held_strongly: bool },
    /// The client meant another state of the resource: 412.
    Failed,
}

/// RFC 9110 §13.2.2, steps 1 to 4. `selected` are the validators of the response that would
/// be given if nothing stood in its way; `None` where the resource has no current representation. `is_read` tells
/// a GET or HEAD.
///
/// §13.2.1: only where the answer without preconditions would be a success.
pub(crate) fn evaluate(
    is_read: bool,
    request: &HeaderMap,
    selected: Option<Validators<'_>>,
    now: Timestamp,
) -> Evaluated {
    // Step 1, and where there is no If-Match, step 2.
    let holds = match if_match(request, selected) {
        Precondition::Absent => is_unmodified_since(request, selected, now),
        answer => answer,
    };
    if holds == Precondition::False {
        return Evaluated::Failed;
    }
    let Some(selected) = selected else {
        // §13.1.2: whatever If-None-Match lists, nothing is there that could match it.
        return Evaluated::Perform;
    };
    what_is_held(is_read, request, selected, now)
}

/// RFC 9110 §13.2.2, steps 3 and 4.
fn what_is_held(
    is_read: bool,
    request: &HeaderMap,
    selected: Validators<'_>,
    now: Timestamp,
) -> Evaluated {
    let held = etag::held(request, selected.etag);
    match held.into() {
        Precondition::False if is_read => {
            Evaluated::NotModified { is_held_strongly: held == Held::Strongly }
        }
        Precondition::False => Evaluated::Failed,
        // Step 4.
        Precondition::Absent
            if is_read && !is_modified_since(request, selected.last_modified, now) =>
        {
            Evaluated::NotModified { is_held_strongly: false }
        }
        Precondition::Absent | Precondition::True => Evaluated::Perform,
    }
}

/// RFC 9110 §13.1.1.
fn if_match(request: &HeaderMap, selected: Option<Validators<'_>>) -> Precondition {
    match selected {
        Some(selected) => etag::matches(request, selected.etag),
        None if request.contains_key(header::IF_MATCH) => Precondition::False,
        None => Precondition::Absent,
    }
}

/// RFC 9110 §13.1.4: a field that is no date, or that stands there twice, is ignored; so is one for a resource of which
/// nobody knows when it was modified.
pub(crate) fn is_unmodified_since(
    request: &HeaderMap,
    selected: Option<Validators<'_>>,
    now: Timestamp,
) -> Precondition {
    let Some(modified) = selected.and_then(|selected| selected.last_modified) else {
        return Precondition::Absent;
    };
    match date::sole(request, header::IF_UNMODIFIED_SINCE, now) {
        Dated::At(since) if modified.as_secs() <= since.as_secs() => Precondition::True,
        Dated::At(_) => Precondition::False,
        Dated::Absent | Dated::Invalid => Precondition::Absent,
    }
}

/// RFC 9110 §13.1.3: `false` only where the field is one date, and nothing was modified after it.
fn is_modified_since(request: &HeaderMap, modified: Option<Timestamp>, now: Timestamp) -> bool {
    match (date::sole(request, header::IF_MODIFIED_SINCE, now), modified) {
        (Dated::At(since), Some(modified)) => modified.as_secs() > since.as_secs(),
        (Dated::At(_) | Dated::Absent | Dated::Invalid, _) => true,
    }
}

/// Whether the client holds the stored response already, so that a 304 will do.
///
/// RFC 9111 §4.3.2: of the preconditions a cache evaluates only those two that a GET is made conditional by.
pub(crate) fn is_not_modified(request: &HeaderMap, stored: &EntryMeta, now: Timestamp) -> bool {
    if !stored.status.is_success() {
        return false;
    }
    // RFC 9111 §4.3.2: without a Last-Modified, the Date stands for it.
    let last_modified = Some(stored.last_modified.unwrap_or(stored.date));
    let selected = Validators { etag: stored.etag(), last_modified };
    what_is_held(true, request, selected, now) != Evaluated::Perform
}

/// RFC 9110 §13.1.5, §13.2.2 step 5: whether a Range may be honoured, which If-Range makes depend on the client holding
/// the very same bytes. `date` is the response's own.
pub(crate) fn range_counts(
    request: &HeaderMap,
    selected: Validators<'_>,
    date: Timestamp,
    now: Timestamp,
) -> bool {
    let mut lines = request.get_all(header::IF_RANGE).iter();
    let value = match (lines.next(), lines.next()) {
        (None, _) => return true,
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return false,
    };
    if let Some(tag) = EntityTag::parse(value) {
        return selected.etag.is_some_and(|current| current.strong_eq(&tag));
    }
    // RFC 9110 §8.8.2.2: a date is a strong validator only where nothing could have changed within it.
    let is_strong = |modified: Timestamp| date.since(modified).as_secs() >= 1;
    match (date::parse(value, now), selected.last_modified) {
        (Some(date), Some(modified)) => date.as_secs() == modified.as_secs() && is_strong(modified),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
