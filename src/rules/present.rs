//! How a stored response is presented to one client: whole, in part, or as the news that nothing changed
//! (RFC 9111 §4, §4.3.2; RFC 9110 §14, §15.4.5).

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::lines::Lines;
use crate::fields::number;
use crate::rules::partial::{Content, Terms, partial};
use crate::rules::precondition::{is_not_modified, range_counts};
use crate::time::{DeltaSeconds, Timestamp};

/// A head to send, and which bytes of the stored body go with it.
#[derive(Debug)]
pub(crate) struct Presented {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

/// The answer to a request with these fields. `age` is left out where it is `None`: the answer is new.
pub(crate) fn present(
    stored: &StoredResponse,
    request: &HeaderMap,
    is_head: bool,
    age: Option<Duration>,
    now: Timestamp,
    terms: &Terms,
) -> Presented {
    let meta = &stored.meta;
    let mut presented = if is_not_modified(request, meta, now) {
        let headers = not_modified(&meta.lines);
        Presented { status: StatusCode::NOT_MODIFIED, headers, content: Content::Empty }
    } else {
        whole(stored)
    };
    // RFC 9110 §14.2: a Range is for a GET that would be answered with a 200.
    let counts = || {
        request.contains_key(header::RANGE)
            && range_counts(request, meta.validators(), meta.date, now)
    };
    if presented.status == StatusCode::OK && !is_head && counts() {
        let Presented { status, headers, content } = &mut presented;
        *content = partial(request, status, headers, stored.body.len() as u64, terms);
    }
    if is_head {
        presented.content = Content::Empty;
    }
    if let Some(age) = age {
        // RFC 9111 §5.1: whole seconds, rounded down.
        let age = DeltaSeconds::from_duration(age).as_secs();
        presented.headers.insert(header::AGE, number::value(u64::from(age)));
    }
    presented
}

/// The head of the answer to a request with these fields, of a response whose body is still coming: the status,
/// the fields, and whether the body goes with them. A Range may be ignored (RFC 9110 §14.2).
pub(crate) fn present_coming(
    coming: &Coming<'_>,
    request: &HeaderMap,
    age: Duration,
    now: Timestamp,
) -> (StatusCode, HeaderMap, bool) {
    let Coming { meta, length, trailer } = coming;
    let is_whole = !is_not_modified(request, meta, now);
    let mut headers = match is_whole {
        true => meta.lines.to_map(),
        false => not_modified(&meta.lines),
    };
    if is_whole && length.is_none() {
        // Not known before the end.
        headers.remove(header::CONTENT_LENGTH);
    }
    if let Some(trailer) = trailer.filter(|_| is_whole) {
        headers.insert(header::TRAILER, trailer.clone());
    }
    // RFC 9111 §5.1: whole seconds, rounded down.
    let age = DeltaSeconds::from_duration(age).as_secs();
    headers.insert(header::AGE, number::value(u64::from(age)));
    let status = if is_whole { meta.status } else { StatusCode::NOT_MODIFIED };
    (status, headers, is_whole)
}

/// A response whose body is still coming.
pub(crate) struct Coming<'a> {
    pub(crate) meta: &'a EntryMeta,
    pub(crate) length: Option<u64>,
    pub(crate) trailer: Option<&'a HeaderValue>,
}

fn whole(stored: &StoredResponse) -> Presented {
    let mut headers = stored.meta.lines.to_map();
    if let Some(trailers) = &stored.trailers {
        // RFC 9110 §6.6.2. A length would leave no room for trailers in HTTP/1.1.
        headers.remove(header::CONTENT_LENGTH);
        let names: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            headers.insert(header::TRAILER, names);
        }
    }
    Presented { status: stored.meta.status, headers, content: Content::Whole }
}

/// RFC 9110 §15.4.5: what a client needs to update what it holds, and nothing of what it has already.
pub(crate) fn not_modified(stored: &Lines) -> HeaderMap {
    guides(stored.iter(), stored.get(&header::ETAG).is_some())
}

/// The fields of a 304, out of those of the response that it stands for.
pub(crate) fn guides<'a>(
    fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>,
    has_etag: bool,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(GUIDES.len() + 2);
    let modified = (!has_etag).then_some(&header::LAST_MODIFIED);
    for (name, value) in fields {
        if GUIDES.contains(name) || modified == Some(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}

static GUIDES: [HeaderName; 6] = [
    header::CACHE_CONTROL,
    header::CONTENT_LOCATION,
    header::DATE,
    header::ETAG,
    header::EXPIRES,
    header::VARY,
];
