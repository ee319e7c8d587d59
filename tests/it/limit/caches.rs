//! A limit and a cache around one another.

use futures_util::FutureExt as _;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_keep::cache::CacheLayer;
use tower_keep::limit::{Quota, RateLimitLayer};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::limited::{Answer, TestLimit, by_field, read};
use crate::support::{Inner, TestLayer, request, response};

fn layers() -> (TestLayer, TestLimit, Inner, ManualClock) {
    let clock = ManualClock::new();
    let cache = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
    let limit =
        RateLimitLayer::with_clock(Quota::per_minute(2), by_field(), clock.clone()).unwrap();
    let inner = Inner::new(|_, _| response(&[("cache-control", "max-age=60")], "made"));
    (cache, limit, inner, clock)
}

fn get<S, B>(service: &S, path: &str) -> Answer
where
    S: Service<http::Request<axum::body::Body>, Response = http::Response<B>> + Clone,
    S::Error: std::fmt::Debug,
    B: http_body::Body<Data = bytes::Bytes>,
    B::Error: std::fmt::Debug,
{
    let request = request("GET", path, &[("x-key", "a")]);
    let answer = async { read(service.clone().oneshot(request).await.unwrap()).await };
    answer.now_or_never().expect("nothing is waited for")
}

#[test]
fn c05_inside_a_cache_a_refusal_is_never_stored_and_a_hit_is_not_counted() {
    let (cache, limit, inner, _clock) = layers();
    let service = cache.layer(limit.layer(inner.clone()));
    assert_eq!(get(&service, "/1").status, 200);
    // A hit is not asked for further in, however often.
    assert!((0..9).all(|_| get(&service, "/1").status == 200));
    assert_eq!(get(&service, "/2").status, 200);
    for _ in 0..3 {
        let answer = get(&service, "/3");
        assert_eq!(
            (answer.status.as_u16(), answer.field("cache-control")),
            (429, Some("no-store"))
        );
    }
    assert_eq!(inner.calls(), 2);
    // What was refused was not stored: another key gets it.
    let other = request("GET", "/3", &[("x-key", "b")]);
    let other = async { read(service.clone().oneshot(other).await.unwrap()).await };
    assert_eq!(other.now_or_never().unwrap().status, 200);
}

#[test]
fn c05_outside_a_cache_hits_are_counted() {
    let (cache, limit, inner, _clock) = layers();
    let service = limit.layer(cache.layer(inner.clone()));
    assert_eq!([0; 3].map(|_| get(&service, "/1").status.as_u16()), [200, 200, 429]);
    assert_eq!(inner.calls(), 1);
}

#[test]
fn c05_outside_a_cache_hits_are_not_counted_where_that_is_said() {
    let (cache, limit, inner, _clock) = layers();
    let limit = limit.without_cache_hits();
    let service = limit.layer(cache.outcome_in_extensions().layer(inner.clone()));
    assert!((0..9).all(|_| get(&service, "/1").status == 200));
    assert_eq!(get(&service, "/2").status, 200);
    assert_eq!(get(&service, "/3").status, 429, "two were made");
    assert_eq!(get(&service, "/1").status, 429, "a hit must be let in first");
    assert_eq!(inner.calls(), 2);
}

/// What one client is told of what it has left is nobody else's business.
#[test]
fn c05_no_copy_has_the_fields_of_a_limit() {
    use tower_keep::limit::RateLimitFields;
    let (cache, limit, inner, clock) = layers();
    let inside = limit.clone().fields(RateLimitFields::Both);
    let service = cache.layer(inside.layer(inner.clone()));
    for _ in 0..2 {
        let answer = get(&service, "/1");
        let names: Vec<_> =
            answer.headers.keys().filter(|name| name.as_str().contains("ratelimit")).collect();
        assert!(names.is_empty(), "{names:?}");
    }
    // Outside, a stored response that has such fields of its own has ours when it is sent.
    let inner = Inner::new(|_, _| {
        let fields = [
            ("cache-control", "max-age=60"),
            ("ratelimit", "\"old\";r=1;t=9"),
            ("ratelimit-policy", "\"old\";q=1;w=9"),
            ("x-ratelimit-remaining", "1"),
        ];
        response(&fields, "made")
    });
    let outside = RateLimitLayer::with_clock(Quota::per_minute(20), by_field(), clock).unwrap();
    let outside = outside.fields(RateLimitFields::Both);
    let service = outside.layer(cache.layer(inner));
    for left in ["19", "18"] {
        let answer = get(&service, "/2");
        assert_eq!(answer.field("x-ratelimit-remaining"), Some(left));
        let line = answer.field("ratelimit").unwrap();
        assert!(line.contains(&format!("r={left}")) && !line.contains("old"), "{line}");
        assert!(!answer.field("ratelimit-policy").unwrap().contains("old"));
    }
}
