//! What was decided can be read: by code, in Cache-Status and in counts. (In traces: `tests/tracing.rs`.)

use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{Forward, Reason};

use crate::support::{Harness, request, response};

/// By path: what the response says of its caching.
fn by_path() -> Harness {
    Harness::new(|request, _| {
        let said = match request.uri().path() {
            "/secret" => "no-store",
            "/stale" => "max-age=1",
            _ => "max-age=60",
        };
        response(&[("cache-control", said), ("etag", "\"a\"")], "body")
    })
}

#[tokio::test]
async fn cache_status_tells_hits_misses_and_reasons() {
    let cache = by_path();
    let status = async |method: &str, path: &str, fields: &[(&str, &str)]| {
        let got = cache.send(request(method, path, fields)).await;
        got.field("cache-status").unwrap().to_owned()
    };
    assert_eq!(status("GET", "/a", &[]).await, "tower-keep; fwd=uri-miss; ttl=60; stored");
    assert_eq!(status("GET", "/a", &[]).await, "tower-keep; hit; ttl=60");
    let reload = [("cache-control", "no-cache")];
    assert_eq!(status("GET", "/a", &reload).await, "tower-keep; fwd=request; ttl=60; stored");
    assert_eq!(status("GET", "/secret", &[]).await, "tower-keep; fwd=uri-miss; detail=no-store");
    assert_eq!(status("POST", "/a", &[]).await, "tower-keep; fwd=method; detail=method");
    let upgrade = [("upgrade", "websocket")];
    assert_eq!(status("GET", "/a", &upgrade).await, "tower-keep; fwd=bypass; detail=upgrade");
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(status("GET", "/new", &only).await, "tower-keep; detail=only-if-cached");
    status("GET", "/stale", &[]).await;
    cache.advance(5);
    assert_eq!(status("GET", "/stale", &[]).await, "tower-keep; fwd=stale; ttl=1; stored");
    let stale = [("cache-control", "max-stale=100")];
    cache.advance(5);
    assert_eq!(status("GET", "/stale", &stale).await, "tower-keep; hit; ttl=-4; detail=request");
}

#[tokio::test]
async fn the_outcome_is_told_by_the_body_and_where_asked_for_by_the_extensions() {
    let cache = by_path();
    let miss = cache.get("/a", &[]).await.outcome.unwrap();
    assert!(!miss.is_hit() && miss.is_stored());
    assert_eq!((miss.forward(), miss.freshness_left_secs()), (Some(Forward::UriMiss), Some(60)));
    let hit = cache.get("/a", &[]).await.outcome.unwrap();
    assert!(hit.is_hit() && !hit.is_stored());
    let secret = cache.get("/secret", &[]).await.outcome.unwrap();
    assert_eq!((secret.is_stored(), secret.reason()), (false, Some(Reason::NoStore)));
    for (asked, layer) in
        [(false, cache.layer.clone()), (true, cache.layer.clone().outcome_in_extensions())]
    {
        let service = layer.layer(cache.inner.clone());
        for (method, path) in [("GET", "/a"), ("GET", "/secret"), ("PUT", "/b"), ("TRACE", "/")] {
            let response = service.clone().oneshot(request(method, path, &[])).await.unwrap();
            let told = asked.then(|| response.body().outcome());
            assert_eq!(response.extensions().get().copied(), told, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_handle_counts_what_was_done() {
    let cache = by_path();
    for path in ["/a", "/a", "/secret", "/b"] {
        cache.get(path, &[]).await;
    }
    cache.send(request("PUT", "/a", &[])).await;
    let stats = cache.layer.handle().stats();
    assert_eq!((stats.hits, stats.misses, stats.stored, stats.not_stored), (1, 3, 2, 1));
    assert_eq!((stats.bypassed, stats.invalidations), (1, 1));
}
