//! A cache in front of a scripted inner service, driven by a manual clock.

use std::any::Any;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt};
use tower_keep::cache::{Cache, CacheBody, CacheLayer, CacheOutcome, CachePolicy, Forward, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

pub type TestLayer = CacheLayer<MemoryStore, ManualClock>;

type Answer = dyn Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync;

/// Answers each request by the function, and remembers all that came.
#[derive(Clone)]
pub struct Inner {
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<http::request::Parts>>>,
}

impl Inner {
    /// `answer` gets the request and how many calls were before it.
    pub fn new(
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), seen: Arc::default() }
    }

    /// How often it was called.
    pub fn calls(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// The requests that it got.
    pub fn seen(&self) -> Vec<http::request::Parts> {
        self.seen.lock().unwrap().clone()
    }
}

impl Service<Request<Body>> for Inner {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let before = self.calls();
        let response = (self.answer)(&request, before);
        self.seen.lock().unwrap().push(request.into_parts().0);
        std::future::ready(Ok(response))
    }
}

/// A cache over an [`Inner`].
pub struct Harness {
    pub clock: ManualClock,
    pub store: MemoryStore,
    pub inner: Inner,
    pub layer: TestLayer,
    service: Cache<Inner, MemoryStore, ManualClock>,
}

/// A response with its body read to the end.
#[derive(Debug)]
pub struct Got {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub trailers: Option<HeaderMap>,
    pub outcome: Option<CacheOutcome>,
}

impl Harness {
    /// With the safe defaults, over the inner service that answers by the function.
    pub fn new(
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        Self::with(|layer| layer, answer)
    }

    /// With a layer that is changed first.
    pub fn with(
        change: impl FnOnce(TestLayer) -> TestLayer,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let (clock, store) = (ManualClock::new(), MemoryStore::with_bytes_max(64 << 20));
        let layer = change(CacheLayer::with_clock(store.clone(), clock.clone()));
        let inner = Inner::new(answer);
        let service = layer.layer(inner.clone());
        Self { clock, store, inner, layer, service }
    }

    /// The same over a clone of the layer that is changed.
    pub fn change(&mut self, change: impl FnOnce(TestLayer) -> TestLayer) {
        self.layer = change(self.layer.clone());
        self.service = self.layer.layer(self.inner.clone());
    }

    /// Sends a request and reads the whole response.
    pub async fn send(&self, request: Request<Body>) -> Got {
        Got::read(self.start(request).await).await
    }

    /// Sends a request; the body is not read yet.
    pub async fn start(&self, request: Request<Body>) -> Response<CacheBody<Body>> {
        self.service.clone().oneshot(request).await.unwrap()
    }

    /// GET of a path at `a.test`, with these fields.
    pub async fn get(&self, path: &str, fields: &[(&str, &str)]) -> Got {
        self.send(request("GET", path, fields)).await
    }

    pub fn advance(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }
}

impl Got {
    pub async fn read<B>(response: Response<B>) -> Self
    where
        B: http_body::Body<Data = bytes::Bytes> + 'static,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        // A router has put the cache's body into a box.
        let cached: Option<&CacheBody<Body>> = (&body as &dyn Any).downcast_ref();
        let outcome = cached.map(CacheBody::outcome).or(parts.extensions.get().copied());
        let body = body.collect().await.unwrap();
        let trailers = body.trailers().cloned();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body.to_bytes()).into_owned(),
            trailers,
            outcome,
        }
    }

    /// The value of a field, if there is one.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn is_hit(&self) -> bool {
        self.outcome.as_ref().is_some_and(CacheOutcome::is_hit)
    }
}

/// A request to `http://a.test`, as a server would hand it on: origin-form and Host.
pub fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        request = request.header("host", "a.test");
    }
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// A 200 with these fields and this body.
pub fn response(fields: &[(&str, &str)], body: impl Into<String>) -> Response<Body> {
    answered(200, fields, body)
}

/// A response with this status, these fields and this body.
pub fn answered(status: u16, fields: &[(&str, &str)], body: impl Into<String>) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(*name, *value);
    }
    response.body(Body::from(body.into())).unwrap()
}

impl Harness {
    /// With this policy, over a service that always answers so; bodies count the calls.
    pub fn always(policy: CachePolicy, status: u16, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self::with(
            |layer| layer.policy(policy),
            move |_, call| {
                let fields: Vec<_> =
                    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                answered(status, &fields, format!("call {call}"))
            },
        )
    }
}

impl Got {
    pub fn forward(&self) -> Option<Forward> {
        self.outcome.as_ref().and_then(CacheOutcome::forward)
    }

    pub fn reason(&self) -> Option<Reason> {
        self.outcome.as_ref().and_then(CacheOutcome::reason)
    }

    /// What Cache-Status calls `ttl`.
    pub fn left(&self) -> Option<i64> {
        self.outcome.as_ref().and_then(CacheOutcome::freshness_left_secs)
    }
}

/// An HTTP date so many seconds from where the manual clock starts.
pub fn date_at(secs: i64) -> String {
    let at = 1_600_000_000_u64.saturating_add_signed(secs);
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(at))
}
