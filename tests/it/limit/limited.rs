//! A service behind a limit, on a manual clock.

use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::limit::{
    LimitBy, LimitRefusal, LimitStore, MemoryLimitStore, QuotaError, Quotas, RateLimit,
    RateLimitLayer,
};
use tower_keep::test_util::ManualClock;

use crate::support::{Inner, request, response};

pub type TestLimit<St = MemoryLimitStore> = RateLimitLayer<St, ManualClock>;

pub struct Limited<St: LimitStore = MemoryLimitStore> {
    pub clock: ManualClock,
    pub inner: Inner,
    pub layer: TestLimit<St>,
    pub service: RateLimit<Inner, St, ManualClock>,
}

/// A response with its body read to the end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
    pub refusal: Option<LimitRefusal>,
}

/// By the field `x-key`.
pub fn by_field() -> LimitBy {
    LimitBy::with(|head, parts| {
        parts.part(head.headers.get("x-key")?.as_bytes());
        Some(())
    })
}

impl Limited {
    /// By the field `x-key`, over a service that answers 200.
    pub fn new(quotas: impl TryInto<Quotas, Error: Into<QuotaError>>) -> Self {
        Self::with(quotas, |layer| layer)
    }
}

impl<St: LimitStore> Limited<St> {
    /// With a layer that is changed first.
    pub fn with(
        quotas: impl TryInto<Quotas, Error: Into<QuotaError>>,
        change: impl FnOnce(TestLimit) -> TestLimit<St>,
    ) -> Self {
        Self::over(quotas, change, Inner::new(|_, _| response(&[], "done")))
    }

    /// Over another service.
    pub fn over(
        quotas: impl TryInto<Quotas, Error: Into<QuotaError>>,
        change: impl FnOnce(TestLimit) -> TestLimit<St>,
        inner: Inner,
    ) -> Self {
        let clock = ManualClock::new();
        let layer = RateLimitLayer::with_clock(quotas, by_field(), clock.clone()).unwrap();
        let layer = change(layer);
        let service = layer.layer(inner.clone());
        Self { clock, inner, layer, service }
    }

    /// The answer, which must be there at once.
    pub fn send(&self, request: Request<Body>) -> Answer {
        self.start(request).now_or_never().expect("a body that waits for nothing")
    }

    async fn start(&self, request: Request<Body>) -> Answer {
        let response = self.service.clone().oneshot(request).await.unwrap();
        read(response).await
    }

    /// Whether a GET of this key is let through.
    pub fn admits(&self, key: &str) -> bool {
        self.status(key) == 200
    }

    pub fn status(&self, key: &str) -> u16 {
        self.send(request("GET", "/", &[("x-key", key)])).status.as_u16()
    }

    /// How many in a row are let through; at most a thousand.
    pub fn admitted(&self, key: &str) -> usize {
        (0..1_000).take_while(|_| self.admits(key)).count()
    }

    pub fn advance(&self, millis: u64) {
        self.clock.advance(Duration::from_millis(millis));
    }
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub async fn read<B>(response: Response<B>) -> Answer
where
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        refusal: parts.extensions.get().cloned(),
    }
}
