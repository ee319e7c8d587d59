//! What a request asks of a stored response's age (RFC 9111 §5.2.1); and that it takes nothing from others.

use tower_keep::cache::{Forward, Reason};

use super::{ETAG, SAFE, aged, is_page};
use crate::support::{Harness, answered, request, response};

#[tokio::test]
async fn no_cache_asks_the_inner_service_though_the_response_is_fresh() {
    for fields in [
        &[("cache-control", "no-cache")][..],
        &[("cache-control", "NO-CACHE")],
        &[("cache-control", "no-cache=\"x\"")],
        &[("cache-control", "max-stale"), ("cache-control", "no-cache")],
        &[("pragma", "no-cache")],
        &[("pragma", "x, No-Cache")],
    ] {
        let cache = aged(SAFE, "max-age=60", 1, 200).await;
        let got = cache.get("/", fields).await;
        assert_eq!(
            (got.body.as_str(), got.forward()),
            ("inner", Some(Forward::Request)),
            "{fields:?}"
        );
        assert_eq!(cache.inner.seen()[1].headers["if-none-match"], "\"1\"", "{fields:?}");
    }
}

/// RFC 9111 §5.4.
#[tokio::test]
async fn pragma_counts_only_where_there_is_no_cache_control() {
    for (pragma, control, is_hit) in [
        ("no-cache", Some(""), true),
        ("no-cache", Some("max-age=10"), true),
        ("no-cache", Some("foo"), true),
        ("nocache", None, true),
        ("x-no-cache", None, true),
        ("no-store", None, true),
        ("no-cache", None, false),
    ] {
        let cache = aged(SAFE, "max-age=60", 1, 200).await;
        let mut fields = vec![("pragma", pragma)];
        fields.extend(control.map(|control| ("cache-control", control)));
        assert_eq!(cache.get("/", &fields).await.is_hit(), is_hit, "{fields:?}");
    }
    let response =
        Harness::always(SAFE, 200, &[("cache-control", "max-age=60"), ("pragma", "no-cache")]);
    response.get("/", &[]).await;
    assert!(response.get("/", &[]).await.is_hit(), "in a response it means nothing");
}

#[tokio::test]
async fn max_age_bounds_the_age_that_a_request_accepts() {
    for (asked, is_hit) in [
        ("max-age=10", true),
        ("max-age=11", true),
        ("max-age=9", false),
        ("max-age=0", false),
        ("max-age=99999999999999999999", true),
        ("max-age=60, max-age=9", false),
        // One that cannot be read is taken for the strictest.
        ("max-age=x", false),
        ("max-age", false),
        ("max-age=-1", false),
        ("max-age=9, max-stale", false),
        ("max-age=\"10\"", true),
        ("foo", true),
    ] {
        let cache = aged(SAFE, "max-age=60", 10, 200).await;
        let got = cache.get("/", &[("cache-control", asked)]).await;
        assert_eq!(got.is_hit(), is_hit, "{asked}");
        assert_eq!(got.forward().is_none(), is_hit);
        assert!(is_hit || got.forward() == Some(Forward::Request));
    }
}

#[tokio::test]
async fn min_fresh_asks_for_freshness_that_is_left() {
    for (asked, is_hit) in [
        ("min-fresh=0", true),
        ("min-fresh=50", true),
        ("min-fresh=51", false),
        ("min-fresh=99999999999999999999", false),
        ("min-fresh=1, min-fresh=51", false),
        ("min-fresh=51", false),
        ("min-fresh=x", false),
        ("min-fresh", false),
        ("min-fresh=\"50\"", true),
    ] {
        let cache = aged(SAFE, "max-age=60", 10, 200).await;
        assert_eq!(cache.get("/", &[("cache-control", asked)]).await.is_hit(), is_hit, "{asked}");
    }
    let stale = aged(SAFE, "max-age=60", 70, 200).await;
    let got = stale.get("/", &[("cache-control", "min-fresh=1, max-stale=60")]).await;
    assert!(!got.is_hit(), "what is stale has no freshness left");
}

#[tokio::test]
async fn max_stale_accepts_a_stale_response_so_far() {
    for (asked, is_hit) in [
        ("max-stale", true),
        ("Max-Stale", true),
        ("max-stale=10", true),
        ("max-stale=\"11\"", true),
        ("max-stale=9", false),
        ("max-stale=0", false),
        ("max-stale=x", false),
        ("max-stale=", false),
        ("max-stale=-1", false),
        ("max-stale, max-stale=9", false),
        ("max-stale=99999999999999999999", true),
        ("max-stale, max-age=80", true),
        ("max-stale, max-age=60", false),
        ("max-stale, no-cache", false),
        ("min-fresh=0, max-stale", true),
        ("", false),
    ] {
        let cache = aged(SAFE, "max-age=60", 70, 200).await;
        let got = cache.get("/", &[("cache-control", asked)]).await;
        assert_eq!(got.is_hit(), is_hit, "{asked}");
        if is_hit {
            assert_eq!((got.field("age"), got.left()), (Some("70"), Some(-10)));
            assert_eq!(got.reason(), Some(Reason::Request));
        }
    }
}

/// RFC 9111 §5.2.2.2, §5.2.2.4, §5.2.2.8, §5.2.2.10.
#[tokio::test]
async fn max_stale_gets_nothing_where_the_response_forbids_it() {
    for control in [
        "max-age=60, must-revalidate",
        "max-age=60, Proxy-Revalidate",
        "max-age=60, must-revalidate=x",
        "s-maxage=60",
        "max-age=60, no-cache",
        "max-age=60, no-cache=\"\"",
    ] {
        let cache = aged(SAFE, control, 70, 200).await;
        assert!(!cache.get("/", &[("cache-control", "max-stale")]).await.is_hit(), "{control}");
    }
}

#[tokio::test]
async fn a_request_with_no_store_may_be_answered_from_the_store() {
    let cache = aged(SAFE, "max-age=60", 1, 200).await;
    assert!(is_page(&cache, "no-store").await);
    assert_eq!(cache.inner.calls(), 1);
}

/// Nor does a validation on its behalf: what the 304 says of the stored response is not stored.
#[tokio::test]
async fn a_request_with_no_store_freshens_nothing() {
    let cache = Harness::new(|_, call| match call {
        0 => response(&[("cache-control", "max-age=60"), ETAG], "page"),
        _ => answered(304, &[ETAG, ("x-new", "1")], ""),
    });
    cache.get("/", &[]).await;
    cache.advance(70);
    for _ in 0..2 {
        let got = cache.get("/", &[("cache-control", "no-store")]).await;
        assert_eq!((got.body.as_str(), got.reason()), ("page", Some(Reason::RequestNoStore)));
    }
    assert_eq!(cache.inner.calls(), 3);
    let next = cache.get("/", &[]).await;
    assert_eq!((next.forward(), cache.inner.calls()), (Some(Forward::Stale), 4));
}

/// No client can take away what the others are served.
#[tokio::test]
async fn no_request_directive_removes_what_other_clients_are_served() {
    for asked in [
        &[("cache-control", "no-cache")][..],
        &[("cache-control", "no-store")],
        &[("cache-control", "no-cache, no-store")],
        &[("cache-control", "max-age=0")],
        &[("cache-control", "max-age=0, no-store, must-revalidate, private")],
        &[("cache-control", "min-fresh=99999")],
        &[("cache-control", "only-if-cached, no-cache")],
        &[("cache-control", "max-stale=0, stale-if-error=0")],
        &[("pragma", "no-cache")],
        &[("cache-control", "no-cache, no-store"), ("authorization", "x"), ("cookie", "a=1")],
        &[("cache-control", "no-cache"), ("range", "bytes=0-1")],
        &[("cache-control", "no-cache"), ("if-none-match", "\"7\", *")],
    ] {
        for (inner, fields) in [
            (500, &[][..]),
            (503, &[("cache-control", "no-store")]),
            (403, &[]),
            (404, &[("cache-control", "private")]),
            (206, &[("cache-control", "max-age=60"), ("content-range", "bytes 0-1/4")]),
            (200, &[("cache-control", "no-store")]),
            (200, &[("cache-control", "max-age=60"), ("set-cookie", "a=1")]),
            (200, &[("cache-control", "max-age=60"), ("vary", "*")]),
        ] {
            let cache = Harness::new(move |_, call| match call {
                0 => response(&[("cache-control", "max-age=60"), ETAG], "page"),
                _ => answered(inner, fields, "inner"),
            });
            cache.get("/", &[]).await;
            for method in ["GET", "HEAD"] {
                if method == "HEAD" && inner == 200 {
                    // RFC 9111 §4.3.5 has its say: this one is another test's.
                    continue;
                }
                cache.send(request(method, "/", asked)).await;
                let other = cache.get("/", &[]).await;
                assert!(other.is_hit(), "{method} {asked:?} {inner} {fields:?}");
                assert_eq!(other.body, "page");
            }
        }
    }
}
