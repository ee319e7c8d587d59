//! Which responses may be stored (RFC 9111 §3).

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::cache::entry::{Checked, EntryMeta, Staleness};
use crate::cache::lines::Lines;
use crate::fields::cache_control::Qualified;
use crate::fields::vary::{Vary, VaryList};
use crate::fields::{date, etag};
use crate::head::ResponseHead;
use crate::rules::freshness::{Exchange, Lifetime, Word, initial_age, is_cacheable_by_default};
use crate::rules::policy::{CachePolicy, Class, SetCookie};
use crate::rules::reason::Reason;
use crate::rules::request::{Demand, EARLY_DATA, RequestFacts};
use crate::rules::stored_fields::{connection_names, storable_lines};
use crate::rules::tags::tags_of;
use crate::time::DeltaSeconds;

/// Whether a response is stored, and what is kept of its head.
#[derive(Debug)]
pub(crate) enum Storable {
    Yes(Box<Kept>),
    No(Reason),
}

/// What is kept of a response's head.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) meta: EntryMeta,
    /// `None` where it is of no use by the time that it is there: who waited for it may have it all the same.
    pub(crate) retention: Option<Retention>,
    /// Fields that must not be stored, as trailers neither.
    pub(crate) left_out: Vec<HeaderName>,
    pub(crate) tags: Vec<Box<str>>,
}

/// How long a store may keep the bytes: the rest of the freshness, the longest stale window, and a grace
/// in which the response can still be validated. Permission to drop, nothing else.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Retention(pub(crate) Duration);

impl CachePolicy {
    pub(crate) fn storable(
        &self,
        request: &RequestFacts,
        response: ResponseHead<'_>,
        at: Exchange,
    ) -> Storable {
        let kept = has_storable_status(request, response.status)
            .and_then(|()| self.kept(request, response, at));
        match kept {
            Ok(kept) => Storable::Yes(Box::new(kept)),
            Err(reason) => Storable::No(reason),
        }
    }

    /// The rest of the rules, for a response whose status may be stored: also one that is stored already.
    pub(crate) fn kept(
        &self,
        request: &RequestFacts,
        response: ResponseHead<'_>,
        at: Exchange,
    ) -> Result<Kept, Reason> {
        // RFC 9111 §5.2.1.5: no part of the request or of any response to it.
        if request.demand.directives.no_store {
            return Err(Reason::RequestNoStore);
        }
        if self.bypass_on_cookie && request.demand.has_cookie {
            return Err(Reason::Cookie);
        }
        if response.headers.len() > FIELDS_MAX {
            return Err(Reason::TooLarge);
        }
        // A stream of events or messages has no end that could be waited for.
        if is_endless(response.headers) {
            return Err(Reason::EventStream);
        }
        let word = Word::read(self, response, at.response_time.wall);
        let left_out = self.permitted(request, &word, response)?;
        let vary = match Vary::read(response.headers) {
            Vary::Names(list) => list,
            Vary::Any => return Err(Reason::VaryAny),
            Vary::TooWide => return Err(Reason::VaryTooWide),
        };
        let lifetime = self.granted(request, &word, response)?;
        let tags = tags_of(self, word.hint, response)?;
        let meta = meta_of(self.class, &word, lifetime, vary, response, at, &left_out);
        let retention = match self.retention(&meta) {
            Ok(retention) => Some(retention),
            // It was fresh when it was made.
            Err(_) if meta.lifetime > meta.age_on_the_way() && !meta.staleness.no_cache => None,
            Err(reason) => return Err(reason),
        };
        Ok(Kept { meta, retention, left_out, tags })
    }

    /// Everything that forbids storing, whatever the freshness; and the fields that must stay out.
    fn permitted(
        &self,
        request: &RequestFacts,
        word: &Word<'_>,
        response: ResponseHead<'_>,
    ) -> Result<Vec<HeaderName>, Reason> {
        let directives = &word.directives;
        if word.is_forbidden_by_hint() {
            return Err(Reason::NoStore);
        }
        // RFC 9111 §5.2.2.3: who understands the status ignores the no-store beside must-understand.
        if directives.must_understand {
            if !is_understood(response.status) {
                return Err(Reason::MustUnderstand);
            }
        } else if directives.no_store {
            return Err(Reason::NoStore);
        }
        let is_shared = self.class == Class::Shared;
        // RFC 9111 §5.2.2.7: for a shared cache; a private one may store it.
        if is_shared && directives.private == Qualified::Whole {
            return Err(Reason::Private);
        }
        // RFC 9111 §3.5.
        let sharing =
            directives.public || directives.must_revalidate || directives.s_maxage.is_some();
        if is_shared && request.demand.has_authorization && !sharing {
            return Err(Reason::Authorization);
        }
        let mut left_out = word.left_out(self.class);
        left_out.extend(self.tags_from.clone());
        left_out.extend(connection_names(response.headers));
        if response.headers.contains_key(header::SET_COOKIE) {
            match self.set_cookie {
                SetCookie::StoredWithoutCookies => {}
                SetCookie::StoredAndReplayed if word.explicit(self.class).is_some() => {}
                _ => return Err(Reason::SetCookie),
            }
        }
        if self.set_cookie != SetCookie::StoredAndReplayed {
            left_out.push(header::SET_COOKIE);
        }
        Ok(left_out)
    }

    /// RFC 9111 §3, last item: freshness, explicit or by the policy's default, or a status that is
    /// cacheable by default together with a word that lets it be kept and validated.
    fn granted(
        &self,
        request: &RequestFacts,
        word: &Word<'_>,
        response: ResponseHead<'_>,
    ) -> Result<Lifetime, Reason> {
        let directives = &word.directives;
        let is_public = directives.public;
        let no_cache = directives.no_cache != Qualified::Absent;
        let is_own = self.class == Class::Private && directives.private != Qualified::Absent;
        let lifetime = match self.lifetime(word, response.status, request.spread) {
            Some(lifetime) => lifetime,
            // No freshness, but the origin spoke of caches: worth keeping for its validator.
            None if is_public
                || (no_cache || is_own) && is_cacheable_by_default(response.status) =>
            {
                Lifetime { length: Duration::ZERO, is_explicit: false }
            }
            None => return Err(Reason::NoFreshness),
        };
        let Demand { has_cookie, has_authorization, .. } = request.demand;
        if self.class == Class::Private {
            return Ok(lifetime);
        }
        if has_authorization && !lifetime.is_explicit {
            return Err(Reason::Authorization);
        }
        // A request for somebody with a session, on whose answer nobody said that it is good for others:
        // not even its validator may be asked about on behalf of another.
        let is_fresh = !lifetime.length.is_zero() && !no_cache;
        if has_cookie && !(lifetime.is_explicit && (is_public || is_fresh)) {
            return Err(Reason::RequestCookie);
        }
        Ok(lifetime)
    }

    /// For how long the stored response can be of any use; an error where it is of none.
    pub(crate) fn retention(&self, meta: &EntryMeta) -> Result<Retention, Reason> {
        let staleness = meta.staleness;
        let windows = [
            staleness.while_revalidate.as_duration(),
            staleness.if_error.as_duration(),
            if staleness.forbidden { Duration::ZERO } else { self.stale_on_disconnect },
            if meta.has_validator() { REVALIDATION_GRACE } else { Duration::ZERO },
        ];
        let window = windows.into_iter().max().unwrap_or_default();
        let left = meta.lifetime.saturating_sub(meta.initial_age);
        let is_fresh = !left.is_zero() && !staleness.no_cache;
        match is_fresh || !window.is_zero() {
            true => Ok(Retention(left.saturating_add(window))),
            false => Err(Reason::NothingToReuse),
        }
    }
}

/// The head that is stored: fields that may be kept, and all that a hit needs to know, read once.
fn meta_of(
    class: Class,
    word: &Word<'_>,
    lifetime: Lifetime,
    vary: VaryList,
    response: ResponseHead<'_>,
    at: Exchange,
    left_out: &[HeaderName],
) -> EntryMeta {
    let mut lines = storable_lines(response.headers, left_out);
    // RFC 9110 §6.6.1: a recipient with a clock adds the time of receipt.
    let has_date = lines.iter().any(|(name, _)| **name == header::DATE);
    let date = word.date();
    let added = (!has_date).then(|| date::format(date));
    lines.extend(added.as_ref().map(|date| (&header::DATE, date)));
    let has_etag = lines.iter().any(|(name, _)| **name == header::ETAG);
    if response.status != StatusCode::NO_CONTENT {
        // RFC 9110 §8.6: set when the body is there, whatever the inner service said.
        lines.push((&header::CONTENT_LENGTH, &NO_LENGTH));
    }
    let directives = &word.directives;
    let is_shared = class == Class::Shared;
    let asks_anew = directives.must_revalidate || is_shared && directives.proxy_revalidate;
    let window = |length: DeltaSeconds| if asks_anew { DeltaSeconds::ZERO } else { length };
    EntryMeta {
        id: EntryMeta::next_id(),
        status: response.status,
        has_etag: has_etag && etag::of(response.headers).is_some(),
        lines: Lines::copied(&lines),
        lifetime: lifetime.length,
        initial_age: initial_age(response.headers, date, at),
        requested: at.request_time,
        received: at.response_time,
        began: at.began,
        checked: Checked::default(),
        tags: Box::default(),
        date,
        last_modified: word.last_modified(),
        vary,
        staleness: Staleness {
            no_cache: directives.no_cache == Qualified::Whole,
            // RFC 9111 §5.2.2.10: s-maxage forbids stale use too. But an origin that gives a stale window
            // beside its s-maxage has said what it wants, so the windows stay.
            forbidden: asks_anew || is_shared && directives.s_maxage.is_some(),
            while_revalidate: window(word.stale_while_revalidate()),
            if_error: window(word.stale_if_error()),
        },
        immutable: directives.immutable,
        is_explicit: lifetime.is_explicit,
        is_hinted: word.is_hinted(),
        is_local: true,
        residence_seen: AtomicU64::new(0),
    }
}

/// RFC 9111 §3: a final status; and neither a part (206) nor the news that nothing changed (304). What a
/// condition, a Range or an Expect of this one request caused is no answer to others, though they have
/// the same key: a 412, a 417, and to a request with a Range all but a 200.
fn has_storable_status(request: &RequestFacts, status: StatusCode) -> Result<(), Reason> {
    let has = |name: &HeaderName| request.headers.contains_key(name);
    let by_request = match status.as_u16() {
        206 | 304 => true,
        412 => CONDITIONS.iter().any(has),
        417 => has(&header::EXPECT),
        // RFC 8470 §5.2.
        425 => has(&EARLY_DATA),
        _ => false,
    };
    let in_part = has(&header::RANGE) && status != StatusCode::OK;
    if status.is_informational() || by_request || in_part { Err(Reason::Status) } else { Ok(()) }
}

/// The statuses whose caching rules this cache follows: those of RFC 9110 §15 and its companions.
fn is_understood(status: StatusCode) -> bool {
    status.canonical_reason().is_some()
}

fn is_endless(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let starts = |prefix: &[u8]| {
        kind.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"text/event-stream")
        || starts(b"application/grpc")
        || starts(b"multipart/x-mixed-replace")
}

static CONDITIONS: [HeaderName; 3] =
    [header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::IF_RANGE];
static NO_LENGTH: HeaderValue = HeaderValue::from_static("");
/// A response with more field lines than this is not stored: with two that a cache may add, they are as many
/// as bytes of an entry can say.
const FIELDS_MAX: usize = 510;
/// How long a stale response with a validator is worth keeping for a 304.
const REVALIDATION_GRACE: Duration = Duration::from_secs(60 * 60);
