//! An inner service that returns an error (RFC 9111 §4.2.4: disconnected).

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer, Service, ServiceExt};
use tower_keep::cache::{CacheHint, CacheLayer, CachePolicy, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::{ETAG, SAFE};
use crate::support::{Got, TestLayer, request, response};

/// Answers with a page until its cable is cut.
#[derive(Clone)]
struct Remote {
    fields: Arc<[(String, String)]>,
    hint: Option<CacheHint>,
    is_cut: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

/// The error of a service that cannot be reached.
#[derive(Debug, PartialEq)]
struct Unreachable;

impl Service<Request<Body>> for Remote {
    type Response = Response<Body>;
    type Error = Unreachable;
    type Future = Ready<Result<Response<Body>, Unreachable>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Unreachable>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if self.is_cut.load(Ordering::Relaxed) {
            return ready(Err(Unreachable));
        }
        let fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut page = response(&fields, "page");
        if let Some(hint) = self.hint.clone() {
            page.extensions_mut().insert(hint);
        }
        ready(Ok(page))
    }
}

struct Line {
    remote: Remote,
    clock: ManualClock,
    layer: TestLayer,
}

impl Line {
    /// A page with these fields, stored, so old by now, and then the cable cut.
    async fn cut(policy: CachePolicy, fields: &[(&str, &str)], age: u64) -> Self {
        Self::cut_with(policy, None, fields, age).await
    }

    async fn cut_with(
        policy: CachePolicy,
        hint: Option<CacheHint>,
        fields: &[(&str, &str)],
        age: u64,
    ) -> Self {
        let fields = fields.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let remote = Remote {
            fields: fields.collect(),
            hint,
            is_cut: Arc::default(),
            calls: Arc::default(),
        };
        let clock = ManualClock::new();
        let store = MemoryStore::with_bytes_max(1 << 20);
        let layer = CacheLayer::with_clock(store, clock.clone()).policy(policy);
        let line = Self { remote, clock, layer };
        assert_eq!(line.get(&[]).await.unwrap().body, "page");
        line.clock.advance(Duration::from_secs(age));
        line.remote.is_cut.store(true, Ordering::Relaxed);
        line
    }

    async fn get(&self, fields: &[(&str, &str)]) -> Result<Got, Unreachable> {
        let service = self.layer.layer(self.remote.clone());
        match service.oneshot(request("GET", "/", fields)).await {
            Ok(response) => Ok(Got::read(response).await),
            Err(error) => Err(error),
        }
    }

    async fn is_served(&self) -> bool {
        self.get(&[]).await.is_ok_and(|got| got.body == "page")
    }
}

fn control(control: &str) -> [(&str, &str); 2] {
    [("cache-control", control), ETAG]
}

const HOUR: CachePolicy = SAFE.stale_on_disconnect(Duration::from_secs(3600));

#[tokio::test]
async fn an_inner_error_passes_unchanged_by_default() {
    for fields in [&control("max-age=60")[..], &[("cache-control", "max-age=60")]] {
        let line = Line::cut(SAFE, fields, 70).await;
        assert_eq!(line.get(&[]).await.unwrap_err(), Unreachable);
        assert_eq!(line.get(&[("cache-control", "no-cache")]).await.unwrap_err(), Unreachable);
        assert_eq!(line.remote.calls.load(Ordering::Relaxed), 3);
    }
}

#[tokio::test]
async fn a_stale_response_stands_in_for_a_disconnected_service_by_policy() {
    for fields in [&control("max-age=60")[..], &[("cache-control", "max-age=60")]] {
        let line = Line::cut(HOUR, fields, 70).await;
        let got = line.get(&[]).await.unwrap();
        assert_eq!((got.body.as_str(), got.field("age")), ("page", Some("70")));
        assert_eq!((got.reason(), got.left()), (Some(Reason::StaleIfError), Some(-10)));
        assert_eq!(
            got.field("cache-status"),
            Some("tower-keep; fwd=stale; ttl=-10; detail=stale-if-error")
        );
        assert_eq!(line.layer.handle().stats().served_stale, 1);
        line.remote.is_cut.store(false, Ordering::Relaxed);
        assert_eq!(line.get(&[]).await.unwrap().reason(), None, "and no longer than it is");
    }
    let rfc = Line::cut(CachePolicy::rfc9111(), &control("max-age=60"), 60 + 86_400).await;
    assert!(rfc.is_served().await);
    rfc.clock.advance(Duration::from_secs(1));
    assert!(!rfc.is_served().await);
}

#[tokio::test]
async fn stale_on_disconnect_ends() {
    let line = Line::cut(HOUR, &control("max-age=60"), 3660).await;
    assert!(line.is_served().await);
    line.clock.advance(Duration::from_secs(1));
    assert_eq!(line.get(&[]).await.unwrap_err(), Unreachable);
}

/// Not even a fresh one, to a request that wants it younger.
#[tokio::test]
async fn without_the_policy_no_age_is_young_enough_to_stand_in() {
    let asked = [("cache-control", "max-age=5")];
    let line = Line::cut(SAFE, &control("max-age=60"), 10).await;
    assert_eq!(line.get(&asked).await.unwrap_err(), Unreachable);
    let line = Line::cut(HOUR, &control("max-age=60"), 10).await;
    assert_eq!(line.get(&asked).await.unwrap().body, "page");
}

/// RFC 9111 §4.2.4, §5.2.2.2, §5.2.2.4, §5.2.2.8, §5.2.2.10.
#[tokio::test]
async fn stale_on_disconnect_gets_nothing_where_the_response_forbids_it() {
    for said in [
        "max-age=60, must-revalidate",
        "max-age=60, proxy-revalidate",
        "max-age=60, no-cache",
        "max-age=60, no-cache=\"etag\"",
        "s-maxage=60",
        "s-maxage=60, max-age=600",
        "max-age=60, must-revalidate, stale-if-error=3600",
        "max-age=60, must-revalidate, stale-while-revalidate=3600",
        "max-age=60, no-cache, stale-if-error=3600",
    ] {
        for policy in [HOUR, CachePolicy::rfc9111(), SAFE] {
            let line = Line::cut(policy, &control(said), 70).await;
            assert_eq!(line.get(&[]).await.unwrap_err(), Unreachable, "{said}");
            let asked = [("cache-control", "stale-if-error=3600, max-stale")];
            assert_eq!(line.get(&asked).await.unwrap_err(), Unreachable, "{said}");
        }
    }
    let targeted = [("cdn-cache-control", "max-age=60, must-revalidate"), ETAG];
    assert!(!Line::cut(HOUR, &targeted, 70).await.is_served().await);
}

/// A hint gives the freshness only: what the fields forbid stays forbidden.
#[tokio::test]
async fn a_hint_does_not_loosen_must_revalidate() {
    let hint = CacheHint::fresh_for(Duration::from_secs(60))
        .stale_if_error(Duration::from_secs(3600))
        .stale_while_revalidate(Duration::from_secs(3600));
    let loose = Line::cut_with(SAFE, Some(hint.clone()), &control("public"), 70).await;
    assert!(loose.is_served().await);
    for said in ["must-revalidate", "proxy-revalidate", "no-cache"] {
        let line = Line::cut_with(HOUR, Some(hint.clone()), &control(said), 70).await;
        assert!(!line.is_served().await, "{said}");
    }
}

#[tokio::test]
async fn a_request_for_the_newest_gets_the_inner_error() {
    let line = Line::cut(HOUR, &control("max-age=60, stale-if-error=3600"), 70).await;
    for fields in [("cache-control", "no-cache"), ("pragma", "no-cache")] {
        assert_eq!(line.get(&[fields]).await.unwrap_err(), Unreachable, "{fields:?}");
    }
    assert!(line.is_served().await);
}

#[tokio::test]
async fn stale_if_error_counts_for_a_disconnected_service_too() {
    for (said, asked) in [
        ("max-age=60, stale-if-error=30", ""),
        ("max-age=60, stale-while-revalidate=30", ""),
        ("s-maxage=60, stale-if-error=30", ""),
        ("max-age=60", "stale-if-error=30"),
    ] {
        let line = Line::cut(SAFE, &control(said), 90).await;
        let asked = [("cache-control", asked)];
        assert_eq!(line.get(&asked).await.unwrap().body, "page", "{said}");
        line.clock.advance(Duration::from_secs(1));
        assert_eq!(line.get(&asked).await.unwrap_err(), Unreachable, "{said}");
    }
}

#[tokio::test]
async fn a_fresh_response_asks_no_disconnected_service() {
    let line = Line::cut(SAFE, &control("max-age=60, must-revalidate"), 59).await;
    assert!(line.get(&[]).await.unwrap().is_hit());
}
