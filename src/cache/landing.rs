//! What becomes of a response that others may use: they read it while it comes, and then it is stored.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::Body as HttpBody;

use crate::cache::collapse::{Body, Head, Lead, Reader, Shared, Sink};
use crate::cache::core::Core;
use crate::cache::entry::{EntryMeta, StoredResponse};
use crate::cache::filing::Began;
use crate::cache::flow::{Filing, Landing, What};
use crate::cache::key::HashedKey;
use crate::cache::layer::Config;
use crate::cache::mark::Position;
use crate::cache::source::source;
use crate::clock::Clock;
use crate::error::BoxError;
use crate::fields::{list, number};
use crate::rules::reason::Reason;
use crate::rules::stored_fields::storable_fields;
use crate::store::Store;

/// What a flight notes when it begins, by which others tell whether what it brings can be of use to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    /// Where in the order of purges.
    pub(crate) position: Position,
    /// How many purges had not reached the ledger.
    pub(crate) doubts: u64,
    /// How many flights of this key are in the air before it, which others did not join.
    pub(crate) turned_down: u8,
}

/// What requests have in common that may wait for each other.
pub(crate) type FlightKey = Arc<HashedKey>;

impl Head for Landing {
    type Begun = Begun;

    fn shared(&self, trailers: &HeaderMap) -> HeaderMap {
        storable_fields(trailers, &self.left_out)
    }
}

/// A flight that is over when this is dropped, with something in the store.
pub(crate) struct Flown<St, C> {
    core: Arc<Core<St, C>>,
    key: FlightKey,
    flight: Arc<Shared<Landing>>,
}

impl<St, C> Flown<St, C> {
    pub(crate) fn new(
        core: &Arc<Core<St, C>>,
        key: FlightKey,
        flight: Arc<Shared<Landing>>,
    ) -> Self {
        Self { core: core.clone(), key, flight }
    }
}

impl<St, C> Drop for Flown<St, C> {
    fn drop(&mut self) {
        self.core.flights.remove(&self.key, &self.flight, true);
    }
}

/// The body of a response that is to be stored, or that others wait for, as its leader reads it.
pub(crate) fn landing<B, St: Store, C: Clock>(
    core: &Arc<Core<St, C>>,
    config: &Config,
    lead: Option<Lead<FlightKey, Landing>>,
    (mut meta, filing): (Box<EntryMeta>, Filing),
    length: Option<u64>,
    response: Response<B>,
    began: Began,
) -> Response<Reader<Landing>>
where
    B: HttpBody + Send + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    core.names.share(&mut meta.lines);
    let awaits_trailers = parts.headers.contains_key(header::TRAILER);
    let trailer = shared_trailer(&parts.headers, &filing.left_out);
    // RFC 9110 §15.3.5: a length says nothing of a 204, which has no content.
    let length = length.filter(|_| meta.status != StatusCode::NO_CONTENT);
    if let Some(length) = length {
        meta.lines.set_length(number::value(length));
    }
    let exact = body.size_hint().exact();
    let head = Arc::new(Landing {
        vary: filing.vary.clone(),
        values: filing.values.clone(),
        is_new: true,
        left_out: filing.left_out.clone(),
        what: What::Coming { meta, length, trailer },
    });
    let key = lead.as_ref().map(|lead| lead.key().clone());
    let sink = Filling { core: core.clone(), key, filing, began };
    let body = Body {
        source: source(body),
        sink: Box::new(sink),
        length,
        bytes_max: body_bytes_max(core, config),
        awaits_trailers,
        exact,
    };
    let reader = match lead {
        Some(lead) => lead.streams(head, body),
        None => {
            let now = core.clock.now().ticks;
            let flight = Shared::new(core.clone(), core.begun(), false, now);
            flight.streams(head, body)
        }
    };
    Response::from_parts(parts, reader)
}

pub(crate) fn body_bytes_max<St: Store, C>(core: &Core<St, C>, config: &Config) -> u64 {
    config.body_bytes_max.min(core.store.entry_bytes_max())
}

/// What becomes of a body once it is whole.
struct Filling<St, C> {
    core: Arc<Core<St, C>>,
    /// Of the flight, where others may have joined it.
    key: Option<FlightKey>,
    filing: Filing,
    began: Began,
}

impl<St: Store, C: Clock> Sink<Landing> for Filling<St, C> {
    fn complete(
        self: Box<Self>,
        flight: &Arc<Shared<Landing>>,
        head: Arc<Landing>,
        body: Bytes,
        trailers: Option<HeaderMap>,
    ) {
        let Self { core, key, filing, began } = *self;
        if filing.retention.is_none() {
            // It was for those who waited for it, some of whom may not have seen it yet.
            flight.is_now(head, Some(body));
            if let Some(key) = &key {
                core.flights.remove(key, flight, false);
            }
            return core.not_stored(Some(Reason::NothingToReuse));
        }
        let meta = match Arc::try_unwrap(head) {
            Ok(Landing { what: What::Coming { meta, .. }, .. }) => *meta,
            Ok(Landing { what: What::Stored(stored), .. }) => stored.meta.copied(),
            // Others are just making their answers of it.
            Err(shared) => shared.meta().copied(),
        };
        let response = assembled(&core, meta, &filing, body, trailers);
        let flown = key.map(|key| {
            let (vary, values) = (filing.vary.clone(), filing.values.clone());
            let left_out = filing.left_out.clone();
            let what = What::Stored(response.clone());
            flight.is_now(Arc::new(Landing { vary, values, is_new: true, left_out, what }), None);
            Flown::new(&core, key, flight.clone())
        });
        core.file_soon(filing, response, began, flown);
    }

    fn abandon(self: Box<Self>, flight: &Arc<Shared<Landing>>, reason: Reason) {
        if let Some(key) = &self.key {
            self.core.flights.remove(key, flight, false);
        }
        self.core.not_stored(Some(reason));
    }
}

/// The names of the trailers that are for those who did not ask for them.
fn shared_trailer(headers: &HeaderMap, left_out: &[HeaderName]) -> Option<HeaderValue> {
    let is_shared =
        |name: &&[u8]| HeaderName::from_bytes(name).is_ok_and(|name| !left_out.contains(&name));
    let names: Vec<&[u8]> = list::members(headers, header::TRAILER).filter(is_shared).collect();
    let names = names.join(&b", "[..]);
    HeaderValue::from_bytes(&names).ok().filter(|names| !names.is_empty())
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
