//! The responses that a cache returns: stored ones, refusals, and the inner service's own on their way
//! into the store.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;

use crate::cache::body::CacheBody;
use crate::cache::core::Core;
use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::filing::Began;
use crate::cache::fill::{Fill, Sink};
use crate::cache::finish::Finish;
use crate::cache::flow::{Filing, Glanced, Relay, Serving};
use crate::cache::heads;
use crate::cache::layer::Config;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::clock::Clock;
use crate::fields::number;
use crate::rules::present::{Content, present};
use crate::rules::reason::Reason;
use crate::rules::request::Demand;
use crate::rules::stored_fields::storable_fields;
use crate::store::Store;
use crate::time::DeltaSeconds;

/// A stored response, as this client gets it.
pub(crate) fn served<B: Body, St: Store, C: Clock>(
    core: &Core<St, C>,
    serving: Serving,
    request: &HeaderMap,
    demand: &Demand,
    finish: &Finish,
) -> Response<CacheBody<B>> {
    let Serving { stored, age, outcome, for_this_client } = serving;
    match (outcome.forward(), outcome.reason()) {
        (None, _) => core.stats.hit(),
        (Some(_), Some(Reason::StaleIfError)) => core.stats.served_stale(),
        (Some(_), _) => core.stats.revalidated(),
    }
    let presented = present(&stored, request, demand.is_head, age, core.clock.now().wall);
    let (data, trailers) = match presented.content {
        Content::Whole => (stored.body.clone(), stored.trailers.clone()),
        Content::Part(range) => (stored.body.slice(range), None),
        Content::Empty => (Bytes::new(), None),
    };
    let body = CacheBody::ready(data, trailers, outcome);
    let mut response = Response::new(body);
    *response.status_mut() = presented.status;
    *response.headers_mut() = presented.headers;
    for (name, value) in &for_this_client {
        let _ = response.headers_mut().try_append(name, value.clone());
    }
    finish.apply(response)
}

/// A fresh response, to a client that wants all of it: what [`served`] does, in fewer steps.
pub(crate) fn hit<B: Body, St, C>(
    core: &Core<St, C>,
    config: &Config,
    glanced: Glanced<'_>,
) -> Response<CacheBody<B>> {
    let Glanced { stored, is_not_modified, age, outcome } = glanced;
    core.stats.hit();
    // RFC 9111 §5.1: whole seconds, rounded down.
    let age = DeltaSeconds::from_duration(age).as_secs();
    let headers = heads::fresh(&stored.meta, is_not_modified, age, config.status_name.as_ref());
    let (status, body) = match is_not_modified {
        false => (stored.meta.status, stored.body.clone()),
        true => (StatusCode::NOT_MODIFIED, Bytes::new()),
    };
    let mut response = Response::new(CacheBody::ready(body, None, outcome));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// RFC 9111 §5.2.1.7: nothing fit to use is stored, and the client wants nothing else.
pub(crate) fn refused<B: Body, St, C>(
    core: &Core<St, C>,
    outcome: CacheOutcome,
    finish: &Finish,
) -> Response<CacheBody<B>> {
    core.stats.refused();
    let mut response = Response::new(CacheBody::ready(Bytes::new(), None, outcome));
    *response.status_mut() = StatusCode::GATEWAY_TIMEOUT;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    finish.apply(response)
}

/// The inner response, gathered on its way if it is to be stored.
pub(crate) fn relayed<B: Body, St: Store, C: Clock>(
    core: &Arc<Core<St, C>>,
    config: &Config,
    finish: &Finish,
    relay: Relay,
    response: Response<B>,
    began: Began,
) -> Response<CacheBody<B>> {
    let Relay { mut outcome, filing } = relay;
    let fill = filing.and_then(|(meta, filing)| match room(core, config, &response) {
        Ok(length) => {
            let sink = Filling { core: core.clone(), meta, filing, began };
            let awaits_trailers = response.headers().contains_key(header::TRAILER);
            Some(Fill::new(length, body_bytes_max(core, config), awaits_trailers, Box::new(sink)))
        }
        Err(reason) => {
            outcome = outcome.not_stored(reason);
            None
        }
    });
    // A write is no look-up that missed.
    if outcome.forward() != Some(Forward::Method) {
        core.stats.miss();
        if fill.is_none() {
            core.not_stored(outcome.reason());
        }
    }
    let response = response.map(|body| match fill {
        Some(fill) => CacheBody::filling(body, fill, outcome),
        None => CacheBody::passing(body, outcome),
    });
    finish.apply(response)
}

/// The Content-Length, where there is one; or why the body cannot be stored, which is known from its head.
fn room<B: Body, St: Store, C>(
    core: &Core<St, C>,
    config: &Config,
    response: &Response<B>,
) -> Result<Option<u64>, Reason> {
    let mut lines = response.headers().get_all(header::CONTENT_LENGTH).iter();
    let length = match (lines.next(), lines.next()) {
        (None, _) => None,
        // RFC 9110 §8.6: a length that is no number, or several, is a framing error.
        (Some(line), None) => Some(digits(line.as_bytes()).ok_or(Reason::Length)?),
        (Some(_), Some(_)) => return Err(Reason::Length),
    };
    let least = length.unwrap_or_else(|| response.body().size_hint().lower());
    if least > body_bytes_max(core, config) { Err(Reason::TooLarge) } else { Ok(length) }
}

/// `1*DIGIT`, and nothing that only some parsers take for it.
fn digits(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_number)?.parse().ok()
}

pub(crate) fn body_bytes_max<St: Store, C>(core: &Core<St, C>, config: &Config) -> u64 {
    config.body_bytes_max.min(core.store.entry_bytes_max())
}

/// What becomes of a body once it is whole.
struct Filling<St, C> {
    core: Arc<Core<St, C>>,
    meta: Box<EntryMeta>,
    filing: Filing,
    began: Began,
}

impl<St: Store, C: Clock> Sink for Filling<St, C> {
    fn complete(self: Box<Self>, body: Bytes, trailers: Option<HeaderMap>) {
        let Self { core, meta, filing, began } = *self;
        let response = assembled(&core, *meta, &filing, body, trailers);
        core.file_soon(filing, response, began);
    }

    fn abandon(self: Box<Self>, reason: Reason) {
        self.core.not_stored(Some(reason));
    }
}

/// The whole of a stored response, from its head and a body that is there.
pub(crate) fn assembled<St, C>(
    core: &Core<St, C>,
    mut meta: EntryMeta,
    filing: &Filing,
    mut body: Bytes,
    trailers: Option<HeaderMap>,
) -> Arc<StoredResponse> {
    if meta.status == StatusCode::NO_CONTENT {
        // RFC 9110 §15.3.5: it has neither content nor a length, whatever the inner service made.
        body = Bytes::new();
    } else {
        // RFC 9110 §8.6: from the stored body, whatever the inner service said.
        meta.lines.set_length(number::value(body.len() as u64));
    }
    // RFC 9111 §3.1 holds for trailers too.
    let trailers = trailers.map(|trailers| storable_fields(&trailers, &filing.left_out));
    let trailers = trailers.filter(|trailers| !trailers.is_empty()).map(Box::new);
    core.names.share(&mut meta.lines);
    Arc::new(StoredResponse { meta, body, trailers })
}
