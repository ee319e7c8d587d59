//! What many requests can do to one URL whose responses vary (RFC 9111 §4.1).

mod encodings;
mod languages;
mod selecting;

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy};
use tower_keep::store::Store;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, request};

/// The policy with the safe defaults.
const SAFE: CachePolicy = CachePolicy::shared();
/// The policy that does all that the RFC allows.
const RFC: CachePolicy = CachePolicy::rfc9111();
const FRESH: (&str, &str) = ("cache-control", "max-age=60");

type Fields<'a> = &'a [(&'a str, &'a str)];

/// A cache over any store.
struct Crowded<St> {
    clock: ManualClock,
    inner: Inner,
    layer: CacheLayer<St, ManualClock>,
}

impl<St: Store> Crowded<St> {
    fn over(
        store: St,
        policy: CachePolicy,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        let clock = ManualClock::new();
        let layer = CacheLayer::with_clock(store, clock.clone()).policy(policy);
        Self { clock, inner: Inner::new(answer), layer }
    }

    async fn get(&self, path: &str, fields: Fields<'_>) -> Got {
        self.send(request("GET", path, fields)).await
    }

    async fn send(&self, request: Request<Body>) -> Got {
        let service = self.layer.layer(self.inner.clone());
        Got::read(service.oneshot(request).await.unwrap()).await
    }

    /// Whether the inner service was left alone.
    async fn is_hit(&self, path: &str, fields: Fields<'_>) -> bool {
        let before = self.inner.calls();
        self.get(path, fields).await;
        self.inner.calls() == before
    }
}
