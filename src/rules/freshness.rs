//! How long a response is fresh and how old it was when it came (RFC 9111 §4.2).

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName};

use crate::cache::hint::CacheHint;
use crate::cache::mark::Position;
use crate::fields::cache_control::ResponseDirectives;
use crate::fields::date::{self, Dated};
use crate::fields::{list, targeted};
use crate::head::ResponseHead;
use crate::rules::policy::{CachePolicy, Class, DefaultFreshness};
use crate::rules::stored_fields::{left_out_by, obeyable};
use crate::time::{DeltaSeconds, Moment, Timestamp};

/// When a request went inwards and when its response came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    /// Where in the order of purges it was when the request went inwards.
    pub(crate) began: Position,
    pub(crate) request_time: Moment,
    pub(crate) response_time: Moment,
}

/// What a response says of its own caching, of all who may say it the one that counts: the handler's
/// hint, then a targeted field, then Cache-Control and Expires.
#[derive(Clone, Debug)]
pub(crate) struct Word<'a> {
    pub(crate) directives: ResponseDirectives,
    pub(crate) hint: Option<&'a CacheHint>,
    headers: &'a HeaderMap,
    /// A targeted field is what counts.
    is_targeted: bool,
    now: Timestamp,
}

/// RFC 9111 §4.2.1, with whose word it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Lifetime {
    pub(crate) length: Duration,
    pub(crate) is_explicit: bool,
}

impl<'a> Word<'a> {
    pub(crate) fn read(policy: &CachePolicy, response: ResponseHead<'a>, now: Timestamp) -> Self {
        let headers = response.headers;
        // RFC 9213 §2.2: a valid targeted field silences Cache-Control and Expires.
        let targeted = targeted::read(headers, policy.targets());
        let is_targeted = targeted.is_some();
        let mut directives = targeted.unwrap_or_else(|| ResponseDirectives::read(headers));
        let hint = response.extensions.get::<CacheHint>();
        directives.public |= hint.is_some_and(|hint| hint.public);
        directives.no_cache = obeyable(directives.no_cache);
        directives.private = obeyable(directives.private);
        Self { directives, hint, headers, is_targeted, now }
    }

    /// RFC 9110 §6.6.1: without a Date that can be read, the time of receipt stands for it.
    pub(crate) fn date(&self) -> Timestamp {
        at(self.dated(header::DATE)).unwrap_or(self.now)
    }

    pub(crate) fn last_modified(&self) -> Option<Timestamp> {
        at(self.dated(header::LAST_MODIFIED))
    }

    // Read when they are asked for: most responses that are not stored are so by their directives.
    fn dated(&self, name: HeaderName) -> Dated {
        date::sole(self.headers, name, self.now)
    }

    /// RFC 9111 §4.2.1: `s-maxage` in a shared cache, then `max-age`, then Expires less Date.
    pub(crate) fn explicit(&self, class: Class) -> Option<Duration> {
        if let Some(length) = self.hint.and_then(|hint| hint.fresh_for) {
            return Some(length);
        }
        let shared = self.directives.s_maxage.filter(|_| class == Class::Shared);
        if let Some(length) = shared.or(self.directives.max_age) {
            return Some(length.as_duration());
        }
        if self.is_targeted {
            return None;
        }
        match self.dated(header::EXPIRES) {
            Dated::Absent => None,
            // RFC 9111 §5.3: an invalid date is in the past.
            Dated::Invalid => Some(Duration::ZERO),
            Dated::At(expires) => Some(expires.since(self.date())),
        }
    }

    /// The fields that qualified directives keep out of the store.
    pub(crate) fn left_out(&self, class: Class) -> Vec<HeaderName> {
        left_out_by(&self.directives, class == Class::Shared)
    }

    /// Whether the handler's hint forbids storing, whatever the fields say.
    pub(crate) fn is_forbidden_by_hint(&self) -> bool {
        self.hint.is_some_and(|hint| hint.no_store)
    }

    /// Whether the freshness is the handler's hint, which no field tells of.
    pub(crate) fn is_hinted(&self) -> bool {
        self.hint.is_some_and(|hint| hint.fresh_for.is_some())
    }

    pub(crate) fn stale_while_revalidate(&self) -> DeltaSeconds {
        let hinted =
            self.hint.and_then(|hint| hint.while_revalidate).map(DeltaSeconds::from_duration);
        hinted.or(self.directives.stale_while_revalidate).unwrap_or_default()
    }

    pub(crate) fn stale_if_error(&self) -> DeltaSeconds {
        let hinted = self.hint.and_then(|hint| hint.if_error).map(DeltaSeconds::from_duration);
        hinted.or(self.directives.stale_if_error).unwrap_or_default()
    }
}

impl CachePolicy {
    /// How long the response is fresh; `None` where nothing says so. `spread` is what jitter is drawn from.
    pub(crate) fn lifetime(
        &self,
        word: &Word<'_>,
        status: StatusCode,
        spread: u64,
    ) -> Option<Lifetime> {
        let lifetime = match word.explicit(self.class) {
            Some(length) => Lifetime { length, is_explicit: true },
            None => {
                let default = self.default_freshness.as_ref()?;
                Lifetime { length: default.length(word, status, spread)?, is_explicit: false }
            }
        };
        let longest = self.freshness_max.min(DeltaSeconds::MAX.as_duration());
        Some(Lifetime { length: lifetime.length.min(longest), ..lifetime })
    }
}

impl DefaultFreshness {
    fn length(&self, word: &Word<'_>, status: StatusCode, spread: u64) -> Option<Duration> {
        let public = word.directives.public && self.any_status_if_public;
        if !(public || is_cacheable_by_default(status)) {
            return None;
        }
        let since = word.last_modified().map(|modified| word.date().since(modified));
        let fraction = since.map_or(Duration::ZERO, |since| scaled(since, self.fraction));
        let length = self.fixed.max(fraction).max(self.min).min(self.max);
        let drawn = (spread >> 11) as f64 / (1u64 << 53) as f64;
        let length = length.saturating_sub(scaled(
            length.min(DeltaSeconds::MAX.as_duration()),
            self.jitter * drawn,
        ));
        (!length.is_zero()).then_some(length)
    }
}

/// RFC 9111 §4.2.3: `corrected_initial_age`.
pub(crate) fn initial_age(headers: &HeaderMap, date: Timestamp, at: Exchange) -> Duration {
    let apparent_age = at.response_time.wall.since(date);
    // RFC 9111 §5.1: the first member of a list counts; what is no number is as if absent.
    let age_value = list::members(headers, header::AGE).next().and_then(DeltaSeconds::parse);
    let response_delay = at.response_time.ticks.since(at.request_time.ticks);
    let corrected_age_value =
        age_value.unwrap_or_default().as_duration().saturating_add(response_delay);
    apparent_age.max(corrected_age_value)
}

/// RFC 9110 §15.1, less those that tell of one request's faults (414) or have nothing to keep (204, 206)
/// and the server errors (501): they are stored by explicit freshness only.
pub(crate) fn is_cacheable_by_default(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 203 | 300 | 301 | 308 | 404 | 405 | 410)
}

fn at(dated: Dated) -> Option<Timestamp> {
    match dated {
        Dated::At(at) => Some(at),
        Dated::Absent | Dated::Invalid => None,
    }
}

/// `length` times `fraction`; nothing where the fraction is no number.
fn scaled(length: Duration, fraction: f64) -> Duration {
    // `as` saturates and turns NaN into zero, where `Duration::mul_f64` would panic.
    Duration::from_millis((length.as_millis() as f64 * fraction) as u64)
}
