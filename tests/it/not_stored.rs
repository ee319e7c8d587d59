//! Responses, and parts of them, that no word of freshness brings into the store.

use std::convert::Infallible;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use http_body_util::StreamBody;
use tower_keep::cache::{CachePolicy, Reason};

use crate::support::{Harness, request, response};

type Fields<'a> = &'a [(&'a str, &'a str)];

/// RFC 9111 §5.2.2.4, §5.2.2.7, RFC 9110 §7.6.1: a trailer section is no way around them.
#[tokio::test]
async fn a_field_that_must_stay_out_is_not_stored_as_a_trailer_either() {
    for said in [
        &[("cache-control", "max-age=60, private=\"x-user\"")][..],
        &[("cache-control", "max-age=60, no-cache=\"X-User\"")],
        &[("cache-control", "max-age=60"), ("connection", "x-user")],
    ] {
        let cache = Harness::new(move |_, _| {
            let mut trailers = HeaderMap::new();
            for name in ["x-user", "x-sum"] {
                trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("alice"));
            }
            let frames = [Frame::data(Bytes::from_static(b"page")), Frame::trailers(trailers)];
            let frames = stream::iter(frames.map(Ok::<_, Infallible>));
            response(said, "").map(|_| Body::new(StreamBody::new(frames)))
        });
        let first = cache.get("/", &[]).await.trailers.unwrap();
        assert!(first.contains_key("x-user"), "it was made for this client");
        let hit = cache.get("/", &[]).await;
        let trailers = hit.trailers.clone().unwrap();
        assert!(hit.is_hit() && trailers.contains_key("x-sum"), "{said:?}");
        assert!(!trailers.contains_key("x-user"), "{said:?}");
    }
}

/// RFC 9111 §3, last item, lists what grants storing; `no-cache` is not in it, nor any validator.
#[tokio::test]
async fn no_cache_does_not_make_a_status_storable_that_is_not_cacheable_by_default() {
    for policy in [CachePolicy::shared(), CachePolicy::rfc9111()] {
        for control in ["no-cache", "no-cache=\"x-a\"", "no-cache, must-revalidate"] {
            for status in [201, 302, 307, 400, 401, 403, 422, 429, 500, 502, 503, 504] {
                let fields = [("cache-control", control), ("etag", "\"1\"")];
                let cache = Harness::always(policy.clone(), status, &fields);
                let got = cache.get("/", &[]).await;
                assert_eq!(got.reason(), Some(Reason::NoFreshness), "{status} {control}");
                assert!(cache.store.is_empty(), "{status} {control}");
            }
            let fields = [("cache-control", control), ("etag", "\"1\"")];
            let cache = Harness::always(policy.clone(), 200, &fields);
            assert!(cache.get("/", &[]).await.outcome.unwrap().is_stored(), "{control}");
        }
    }
}

/// RFC 9110 §9.3.3: explicit freshness, so that what is only kept to be validated will not do.
#[tokio::test]
async fn a_post_fills_no_get_without_explicit_freshness() {
    let fills: [Fields<'_>; 4] = [
        &[("cache-control", "no-cache")],
        &[("cache-control", "public")],
        &[("cache-control", "no-cache=\"x-a\"")],
        &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
    ];
    for said in fills {
        for policy in [CachePolicy::shared().post_fills_get(), CachePolicy::rfc9111()] {
            let fields = [said, &[("etag", "\"1\""), ("content-location", "/x")]].concat();
            let cache = Harness::always(policy, 200, &fields);
            let post = cache.send(request("POST", "/x", &[])).await;
            assert!(!post.outcome.unwrap().is_stored(), "{said:?}");
            assert!(cache.store.is_empty(), "{said:?}");
        }
    }
}
