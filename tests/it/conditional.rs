//! Conditional requests on dynamic responses: `ConditionalLayer`, `EtagLayer` and `Preconditions`, alone and with what lies
//! around them.

mod composing;
mod corners;
mod framing;
mod gathering;
mod lists;
mod neighbours;
mod parts;
mod random;
mod refreshing;
mod steps;
mod tagging;
mod users;
mod versions;
mod wire;
mod writes;

use std::convert::Infallible;

use axum::body::Body;
use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower::{Layer, Service, ServiceExt as _};
use tower_keep::cache::{CacheHandle, CacheLayer};
use tower_keep::conditional::{ConditionalLayer, Current, EtagLayer};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, request};

const ETAG: (&str, &str) = ("etag", "\"1\"");
const FRESH: (&str, &str) = ("cache-control", "max-age=60");
/// When the manual clock starts: Sun, 13 Sep 2020 12:26:40 GMT.
const STARTS: &str = "Sun, 13 Sep 2020 12:26:40 GMT";

type Boxed = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
type Clocked<L> = fn(ManualClock) -> L;

/// Some layers around a scripted service, on a manual clock.
struct Stack {
    clock: ManualClock,
    inner: Inner,
    service: Boxed,
    cache: Option<CacheHandle>,
}

fn boxed<S, B>(service: S) -> Boxed
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: http_body::Body<Data = bytes::Bytes, Error: Into<tower_keep::BoxError>> + Send + 'static,
{
    let boxed: fn(Response<B>) -> Response<Body> = |response| response.map(Body::new);
    BoxCloneSyncService::new(service.map_response(boxed))
}

impl Stack {
    /// The service alone.
    fn new(
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner::new(answer);
        Self { clock: ManualClock::new(), service: boxed(inner.clone()), inner, cache: None }
    }

    /// With a `ConditionalLayer` around it.
    fn conditional(self) -> Self {
        self.with(ConditionalLayer::with_clock)
    }

    /// With an `EtagLayer` around it.
    fn tagged(self) -> Self {
        self.with(EtagLayer::with_clock)
    }

    /// With a layer that is made of the clock.
    fn with<L, B>(mut self, layer: Clocked<L>) -> Self
    where
        L: Layer<Boxed>,
        L::Service: Service<Request<Body>, Response = Response<B>, Error = Infallible, Future: Send>
            + Clone
            + Send
            + Sync
            + 'static,
        B: http_body::Body<Data = bytes::Bytes, Error: Into<tower_keep::BoxError>> + Send + 'static,
    {
        self.service = boxed(layer(self.clock.clone()).layer(self.service));
        self
    }

    /// With a cache around it.
    fn cached(mut self) -> Self {
        let store = MemoryStore::with_bytes_max(64 << 20);
        let layer = CacheLayer::with_clock(store, self.clock.clone()).outcome_in_extensions();
        self.service = boxed(layer.layer(self.service));
        self.cache = Some(layer.handle());
        self
    }

    /// With a cache around it, or not.
    fn maybe_cached(self, is_cached: bool) -> Self {
        if is_cached { self.cached() } else { self }
    }

    async fn start(&self, request: Request<Body>) -> Response<Body> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Got {
        Got::read(self.start(request).await).await
    }

    async fn get(&self, fields: &[(&str, &str)]) -> Got {
        self.send(request("GET", "/", fields)).await
    }

    /// The status of a GET with these fields.
    async fn status(&self, fields: &[(&str, &str)]) -> u16 {
        self.get(fields).await.status.as_u16()
    }

    async fn tag(&self, fields: &[(&str, &str)]) -> Option<String> {
        self.get(fields).await.field("etag").map(str::to_owned)
    }
}

/// Seven, always.
fn seven(clock: ManualClock) -> EtagLayer<ManualClock> {
    EtagLayer::with_clock(clock).by_version(|_| Some(Current::tagged(7)))
}
