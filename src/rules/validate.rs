//! Validation of a stored response with the inner service (RFC 9111 §4.3.1, §4.3.3 to §4.3.5).

use http::header::{self, HeaderMap, HeaderValue};
use http::{Extensions, StatusCode};

use crate::cache::entry::EntryMeta;
use crate::cache::hint::CacheHint;
use crate::cache::lines::Lines;
use crate::fields::{date, etag};
use crate::head::ResponseHead;
use crate::rules::freshness::{Exchange, Word};
use crate::rules::policy::{CachePolicy, SetCookie};
use crate::rules::reason::Reason;
use crate::rules::request::RequestFacts;
use crate::rules::storable::Kept;
use crate::rules::stored_fields::{updated_fields, withheld};

/// The validators of a stored response, for a request inwards.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditional {
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

/// What the answer to a conditional request says of the stored response.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Validated {
    /// It is the current one.
    Current,
    /// The 304 speaks of another response than the one that was asked about: ask again, without conditions.
    Mismatched,
    /// A full response (or an error) that takes its place or passes by.
    Replaced,
}

impl Conditional {
    /// `None` where the stored response has nothing to be validated by.
    pub(crate) fn of(stored: &EntryMeta) -> Option<Self> {
        let etag = stored.etag().and_then(|_| stored.field(&header::ETAG)).cloned();
        let last_modified =
            stored.last_modified.and_then(|_| stored.field(&header::LAST_MODIFIED)).cloned();
        (etag.is_some() || last_modified.is_some()).then_some(Self { etag, last_modified })
    }

    /// Puts the stored validators in the place of the client's own: what the client holds is compared with
    /// the outcome (RFC 9111 §4.3.2).
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        clear_conditions(headers);
        if let Some(etag) = &self.etag {
            headers.insert(header::IF_NONE_MATCH, etag.clone());
        }
        if let Some(last_modified) = &self.last_modified {
            headers.insert(header::IF_MODIFIED_SINCE, last_modified.clone());
        }
    }
}

/// A stored head after a 304.
#[derive(Debug)]
pub(crate) struct Freshened {
    /// What takes the place of the old one; or what answers this request, and why it may not be stored.
    pub(crate) verdict: Result<Box<Kept>, (Box<EntryMeta>, Reason)>,
    /// Fields of the 304 that no later client gets: a cookie is for the client whose request it answered.
    pub(crate) for_this_client: HeaderMap,
}

/// Removes the conditions that a cache may answer by itself.
pub(crate) fn clear_conditions(headers: &mut HeaderMap) {
    headers.remove(header::IF_NONE_MATCH);
    headers.remove(header::IF_MODIFIED_SINCE);
}

/// RFC 9111 §4.3.3, §4.3.4: a 304 counts for the stored response unless a validator in it names another.
pub(crate) fn validated(stored: &EntryMeta, answer: ResponseHead<'_>, at: Exchange) -> Validated {
    if answer.status != StatusCode::NOT_MODIFIED {
        return Validated::Replaced;
    }
    let modified = date::sole(answer.headers, header::LAST_MODIFIED, at.response_time.wall);
    let same_date = stored.last_modified.is_some_and(|stored| modified == date::Dated::At(stored));
    let has_etag = answer.headers.contains_key(header::ETAG);
    let same_etag = match (stored.etag(), etag::of(answer.headers)) {
        (Some(stored), Some(new)) if new.is_weak() => stored.weak_eq(&new),
        (Some(stored), Some(new)) => stored.strong_eq(&new),
        // A tag where there was none selects nothing that is stored, and one that is none says nothing.
        _ if has_etag => false,
        // Without any validator it can only mean the one response that was asked about.
        _ => same_date || modified == date::Dated::Absent,
    };
    if same_etag { Validated::Current } else { Validated::Mismatched }
}

impl CachePolicy {
    /// RFC 9111 §3.2, §4.3.4: the stored head with the fields of a 304 (or of a HEAD's 200), judged anew.
    pub(crate) fn freshen(
        &self,
        stored: &EntryMeta,
        request: &RequestFacts,
        update: ResponseHead<'_>,
        at: Exchange,
    ) -> Freshened {
        let mut left_out = Word::read(self, update, at.response_time.wall).left_out(self.class);
        if self.set_cookie != SetCookie::StoredAndReplayed {
            left_out.push(header::SET_COOKIE);
        }
        let for_this_client = withheld(update.headers, &left_out);
        // For nobody.
        left_out.extend(self.tags_from.clone());
        let mut headers = updated_fields(&stored.lines, update.headers, &left_out);
        if !update.headers.contains_key(header::DATE) {
            headers.insert(header::DATE, date::format(at.response_time.wall));
        }
        let merged = headers.clone();
        // Read with the rest, but stored in no case.
        for name in [Some(&header::AGE), self.tags_from.as_ref()].into_iter().flatten() {
            for line in update.headers.get_all(name) {
                headers.append(name, line.clone());
            }
        }
        let extensions = Self::hints(stored, update.extensions);
        let response =
            ResponseHead { status: stored.status, headers: &headers, extensions: &extensions };
        let verdict = match self.kept(request, response, at) {
            Ok(kept) => Ok(Box::new(kept)),
            Err(reason) => {
                Err((Box::new(stored.once(Lines::copied_from(&merged), at.response_time)), reason))
            }
        };
        Freshened { verdict, for_this_client }
    }

    /// The hint that came with the 304, or else the one that the stored response came with.
    fn hints(stored: &EntryMeta, update: &Extensions) -> Extensions {
        let mut extensions = Extensions::new();
        let kept = stored.is_hinted.then(|| {
            let staleness = stored.staleness;
            CacheHint::fresh_for(stored.lifetime)
                .stale_while_revalidate(staleness.while_revalidate.as_duration())
                .stale_if_error(staleness.if_error.as_duration())
        });
        if let Some(hint) = update.get::<CacheHint>().cloned().or(kept) {
            extensions.insert(hint);
        }
        extensions
    }
}

/// What a 200 to HEAD tells of the stored response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByHead {
    /// It is of the same representation.
    Same,
    /// It is not.
    Other,
    /// It says nothing by which one could tell: what is stored is neither refreshed nor dropped.
    Unknown,
}

/// RFC 9111 §4.3.5. If the stored validators were `asked` about, a 200 says that they are not current, unless one in it agrees.
pub(crate) fn by_head(
    stored: &EntryMeta,
    body_bytes: u64,
    asked: bool,
    answer: ResponseHead<'_>,
    at: Exchange,
) -> ByHead {
    let headers = answer.headers;
    let length =
        headers.get(header::CONTENT_LENGTH).map(|length| length.to_str().ok()?.parse().ok());
    let etag =
        headers.contains_key(header::ETAG).then(|| match (stored.etag(), etag::of(headers)) {
            (Some(stored), Some(new)) if new.is_weak() => stored.weak_eq(&new),
            (Some(stored), Some(new)) => stored.strong_eq(&new),
            _ => false,
        });
    let modified = match date::sole(headers, header::LAST_MODIFIED, at.response_time.wall) {
        date::Dated::Absent => None,
        date::Dated::At(modified) => Some(stored.last_modified == Some(modified)),
        date::Dated::Invalid => Some(false),
    };
    let same_length = length.is_none_or(|length: Option<u64>| length == Some(body_bytes));
    let same_validators = match (etag, modified) {
        (None, None) => !asked,
        (etag, modified) => etag.unwrap_or(true) && modified.unwrap_or(true),
    };
    let says_nothing = length.is_none() && etag.is_none() && modified.is_none();
    match stored.status == answer.status && same_length && same_validators {
        true if says_nothing => ByHead::Unknown,
        true => ByHead::Same,
        false => ByHead::Other,
    }
}
