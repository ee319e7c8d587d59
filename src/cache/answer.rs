//! The responses that a cache returns: stored ones, refusals, and the inner service's own on their way
//! into the store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body;

use crate::cache::body::CacheBody;
use crate::cache::collapse::{Lead, Reader};
use crate::cache::core::Core;
use crate::cache::filing::Began;
use crate::cache::finish::Finish;
use crate::cache::flow::{Following, Glanced, Landing, Relay, Serving};
use crate::cache::heads;
use crate::cache::landing::{FlightKey, body_bytes_max, landing};
use crate::cache::layer::Config;
use crate::cache::outcome::{CacheOutcome, Forward};
use crate::clock::Clock;
use crate::error::BoxError;
use crate::fields::number;
use crate::rules::partial::Content;
use crate::rules::present::{Coming, present, present_coming};
use crate::rules::reason::Reason;
use crate::rules::request::Demand;
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
        (None, Some(Reason::StaleWhileRevalidate)) => core.stats.served_meanwhile(),
        (None, Some(Reason::StaleIfError)) => core.stats.served_stale(),
        (None, _) => core.stats.hit(),
        (Some(_), _) if outcome.is_collapsed() => core.stats.collapsed(),
        (Some(_), Some(Reason::StaleIfError)) => core.stats.served_stale(),
        (Some(_), _) => core.stats.revalidated(),
    }
    let (now, terms) = (core.clock.now().wall, &finish.config().ranges);
    let presented = present(&stored, request, demand.is_head, age, now, terms);
    let body = match presented.content {
        Content::Whole => CacheBody::ready(stored.body.clone(), stored.trailers.clone(), outcome),
        Content::Parts(parts) => CacheBody::parts(parts, stored.body.clone(), outcome),
        Content::Empty => CacheBody::ready(Bytes::new(), None, outcome),
    };
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

/// The response of a flight, as this client gets it, with its body that is still coming.
pub(crate) fn followed<B: Body, St: Store, C: Clock>(
    core: &Core<St, C>,
    following: Following,
    landing: &Landing,
    reader: Reader<Landing>,
    request: &HeaderMap,
    finish: &Finish,
) -> Response<CacheBody<B>> {
    core.stats.collapsed();
    let Following { age, outcome } = following;
    let (meta, length, trailer) = (landing.meta(), landing.length(), landing.trailer());
    let coming = Coming { meta, length, trailer };
    let (status, headers, is_whole) = present_coming(&coming, request, age, core.clock.now().wall);
    let body = match is_whole {
        true => CacheBody::reading(reader, outcome),
        false => CacheBody::ready(Bytes::new(), None, outcome),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    finish.apply(response)
}

/// The inner service has failed a short while ago, and is spared until then.
pub(crate) fn backed_off<B: Body, St: Store, C: Clock>(
    core: &Core<St, C>,
    outcome: CacheOutcome,
    left: Duration,
    finish: &Finish,
) -> Response<CacheBody<B>> {
    core.stats.backed_off();
    let mut response = Response::new(CacheBody::ready(Bytes::new(), None, outcome));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // RFC 9110 §10.2.3: whole seconds; not sooner than it may be of use.
    let secs = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    headers.insert(header::RETRY_AFTER, number::value(secs.max(1)));
    finish.apply(response)
}

/// The inner response, which others may read too, and which may be stored.
pub(crate) fn relayed<B, St: Store, C: Clock>(
    core: &Arc<Core<St, C>>,
    config: &Config,
    finish: &Finish,
    relay: Relay,
    response: Response<B>,
    lead: Option<Lead<FlightKey, Landing>>,
    began: Began,
) -> Response<CacheBody<B>>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let Relay { mut outcome, filing } = relay;
    let filing = filing.and_then(|filing| match room(core, config, &response) {
        Ok(length) => Some((filing, length)),
        Err(reason) => {
            outcome = outcome.not_stored(reason);
            None
        }
    });
    // A write is no look-up that missed.
    if outcome.forward() != Some(Forward::Method) {
        core.stats.miss();
        if filing.is_none() {
            core.not_stored(outcome.reason());
        }
    }
    finish.apply(match filing {
        Some((filing, length)) => landing(core, config, lead, filing, length, response, began)
            .map(|reader| CacheBody::reading(reader, outcome)),
        None => {
            if let Some(lead) = lead {
                // Those who wait need not wait for the body: nobody keeps it.
                lead.unusable(false);
            }
            response.map(|body| CacheBody::passing(body, outcome))
        }
    })
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
        (Some(line), None) => Some(number::read(line.as_bytes()).ok_or(Reason::Length)?),
        (Some(_), Some(_)) => return Err(Reason::Length),
    };
    let least = length.unwrap_or_else(|| response.body().size_hint().lower());
    if least > body_bytes_max(core, config) { Err(Reason::TooLarge) } else { Ok(length) }
}
