//! `only-if-cached` (RFC 9111 §5.2.1.7).

use tower_keep::cache::Reason;

use super::{SAFE, aged};
use crate::support::{Got, Harness, request, response};

const ONLY: (&str, &str) = ("cache-control", "only-if-cached");

fn assert_refused(got: &Got) {
    assert_eq!((got.status.as_u16(), got.body.as_str()), (504, ""));
    assert_eq!(got.reason(), Some(Reason::OnlyIfCached));
    assert_eq!(got.field("cache-control"), Some("no-store"), "no cache further out keeps it");
}

#[tokio::test]
async fn only_if_cached_gets_504_where_nothing_fit_is_stored() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=60")]);
    for method in ["GET", "HEAD"] {
        assert_refused(&cache.send(request(method, "/", &[ONLY])).await);
    }
    assert_eq!(cache.inner.calls(), 0);
    assert!(cache.store.is_empty());
    assert_eq!(cache.layer.handle().stats().refused, 2);
    assert_eq!(cache.get("/", &[]).await.body, "call 0", "the 504 is nobody else's answer");
}

#[tokio::test]
async fn only_if_cached_is_served_what_is_fit() {
    for (age, asked, is_fit) in [
        (10, "only-if-cached", true),
        (10, "Only-If-Cached, max-age=10", true),
        (70, "only-if-cached, max-stale", true),
        (70, "only-if-cached, max-stale=9", false),
        // RFC 5861 §3: what may be served while it is validated is fit.
        (70, "only-if-cached", true),
        (121, "only-if-cached", false),
        (121, "only-if-cached, stale-if-error=60", false),
        (10, "only-if-cached, max-age=9", false),
        (10, "only-if-cached, min-fresh=51", false),
        (10, "only-if-cached, no-cache", false),
    ] {
        let cache = aged(SAFE, "max-age=60, stale-while-revalidate=60", age, 200).await;
        let got = cache.get("/", &[("cache-control", asked)]).await;
        match is_fit {
            true => assert!(got.is_hit() && got.body == "page", "{asked}"),
            false => assert_refused(&got),
        }
        assert_eq!(cache.inner.calls(), 1, "{asked}");
        cache.get("/", &[]).await;
    }
    let each_time = aged(SAFE, "max-age=60, no-cache", 10, 200).await;
    assert_refused(&each_time.get("/", &[ONLY]).await);
}

#[tokio::test]
async fn only_if_cached_gets_504_for_another_variant() {
    let cache = Harness::always(SAFE, 200, &[("cache-control", "max-age=60"), ("vary", "x")]);
    cache.get("/", &[("x", "1")]).await;
    assert!(cache.get("/", &[("x", "1"), ONLY]).await.is_hit());
    for other in [&[("x", "2"), ONLY][..], &[ONLY]] {
        assert_refused(&cache.get("/", other).await);
    }
}

#[tokio::test]
async fn only_if_cached_with_an_argument_is_another_directive() {
    let cache = Harness::new(|_, _| response(&[], "inner"));
    for control in ["only-if-cached=1", "only-if-cached=\"\"", "xonly-if-cached"] {
        assert_eq!(cache.get("/", &[("cache-control", control)]).await.body, "inner", "{control}");
    }
}

/// RFC 9211 §2.1: a hit is a response that was obtained from the cache.
#[tokio::test]
async fn the_refusal_is_no_hit() {
    let cache = Harness::always(SAFE, 200, &[]);
    let refused = cache.get("/", &[ONLY]).await;
    assert!(!refused.field("cache-status").unwrap().contains("hit"));
    assert!(!refused.is_hit());
}
