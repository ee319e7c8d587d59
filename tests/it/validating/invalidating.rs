//! What a write makes unusable (RFC 9111 §4.4).

use axum::body::Body;
use http::Request;
use tower_keep::cache::{Forward, Reason};

use super::{ETAG, FRESH, Fields};
use crate::support::{Harness, answered, request, response};

/// What a write is answered with: status and fields.
fn written(status: u16, fields: Fields<'_>) -> Harness {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Harness::new(move |request, call| match request.method().as_str() {
        "GET" | "HEAD" => response(&[FRESH, ETAG], format!("call {call}")),
        _ => {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            answered(status, &fields, "written")
        }
    })
}

/// Whether a page at `/dir/x?q` survives a request to the same target.
async fn survives(cache: &Harness, write: Request<Body>) -> bool {
    cache.get("/dir/x?q", &[]).await;
    let got = cache.send(write).await;
    assert_eq!((got.body.as_str(), got.is_hit()), ("written", false));
    cache.get("/dir/x?q", &[]).await.is_hit()
}

#[tokio::test]
async fn c23_a_write_is_never_answered_from_the_store_and_drops_what_is_stored() {
    for method in ["POST", "PUT", "DELETE", "PATCH", "FROB", "get", "MOVE", "LOCK", "PURGE", "BAN"]
    {
        let cache = written(200, &[FRESH]);
        for fields in [&[][..], &[("cache-control", "only-if-cached, max-stale")]] {
            let write = request(method, "/dir/x?q", fields);
            assert!(!survives(&cache, write).await, "{method}");
        }
        let got = cache.send(request(method, "/dir/x?q", &[])).await;
        assert_eq!((got.forward(), got.reason()), (Some(Forward::Method), Some(Reason::Method)));
        assert!(!cache.get("/dir/x?q", &[]).await.body.contains("written"), "nor is it stored");
    }
}

#[tokio::test]
async fn c23_safe_methods_drop_nothing_and_are_not_answered_either() {
    for method in ["OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"] {
        let cache = written(200, &[FRESH]);
        assert!(survives(&cache, request(method, "/dir/x?q", &[])).await, "{method}");
    }
    let connect = written(200, &[]);
    assert!(survives(&connect, request("CONNECT", "a.test:80", &[])).await);
}

#[tokio::test]
async fn c23_success_drops_and_an_error_does_not() {
    for status in 200..600 {
        let cache = written(status, &[]);
        let kept = survives(&cache, request("POST", "/dir/x?q", &[])).await;
        assert_eq!(kept, status >= 400, "{status}");
    }
}

#[tokio::test]
async fn c23_a_write_drops_its_own_target_only() {
    let cache = written(200, &[]);
    for path in ["/dir/x", "/dir/x?q", "/dir/x?q2", "/dir/X?q", "/dir/"] {
        cache.get(path, &[]).await;
    }
    cache.get("/dir/x?q", &[("host", "b.test")]).await;
    cache.send(request("PUT", "/dir/x?q", &[])).await;
    for path in ["/dir/x", "/dir/x?q2", "/dir/X?q", "/dir/"] {
        assert!(cache.get(path, &[]).await.is_hit(), "{path}");
    }
    assert!(cache.get("/dir/x?q", &[("host", "b.test")]).await.is_hit());
    assert!(!cache.get("/dir/x?q", &[]).await.is_hit());
}

#[tokio::test]
async fn c23_location_and_content_location_of_the_same_origin_are_dropped_too() {
    for (reference, target) in [
        ("/other", "/other"),
        ("http://a.test/other?x", "/other?x"),
        ("HTTP://A.TEST:80/other", "/other"),
        ("//a.test/other", "/other"),
        ("other", "/dir/other"),
        ("./other", "/dir/other"),
        ("../other", "/other"),
        ("../../../other", "/other"),
        ("?other", "/dir/x?other"),
        ("/other#part", "/other"),
        ("http://a.test", "/"),
        ("", "/dir/x?q"),
    ] {
        for name in ["location", "Content-Location"] {
            for (status, is_dropped) in [(201, true), (303, true), (404, false), (500, false)] {
                let cache = written(status, &[(name, reference)]);
                cache.get(target, &[]).await;
                cache.send(request("POST", "/dir/x?q", &[])).await;
                let kept = cache.get(target, &[]).await.is_hit();
                assert_eq!(kept, !is_dropped, "{status} {name}: {reference}");
            }
        }
    }
    let both = written(200, &[("location", "/one"), ("content-location", "/two")]);
    for path in ["/one", "/two"] {
        both.get(path, &[]).await;
    }
    both.send(request("POST", "/dir/x?q", &[])).await;
    for path in ["/one", "/two"] {
        assert!(!both.get(path, &[]).await.is_hit(), "{path}");
    }
}

/// Else one origin could keep another's responses from being cached.
#[tokio::test]
async fn c23_another_origins_responses_are_left_alone() {
    for reference in [
        "http://b.test/other",
        "//b.test/other",
        "http://a.test:81/other",
        "https://a.test/other",
        "http://a.test.evil/other",
        "http://a.test@b.test/other",
        "ftp://a.test/other",
        "http://b.test:80/other",
        "urn:other",
        "http:///other",
        "http://[::1/other",
    ] {
        for name in ["location", "content-location"] {
            let cache = written(200, &[(name, reference)]);
            for host in ["a.test", "b.test"] {
                cache.get("/other", &[("host", host)]).await;
            }
            cache.send(request("POST", "/dir/x?q", &[])).await;
            for host in ["a.test", "b.test"] {
                let kept = cache.get("/other", &[("host", host)]).await.is_hit();
                assert!(kept, "{host} {name}: {reference}");
            }
        }
    }
}

#[tokio::test]
async fn c23_a_write_drops_all_variants() {
    let cache = Harness::new(|request, _| match request.method().as_str() {
        "GET" => response(&[FRESH, ("vary", "x")], "page"),
        _ => answered(204, &[], ""),
    });
    for x in ["1", "2", "3"] {
        cache.get("/", &[("x", x)]).await;
    }
    cache.send(request("DELETE", "/", &[("x", "1")])).await;
    for x in ["1", "2", "3"] {
        assert!(!cache.get("/", &[("x", x)]).await.is_hit(), "{x}");
    }
}

/// What a client adds to a write to make a cache look away.
#[tokio::test]
async fn c23_no_field_keeps_a_write_from_dropping_what_is_stored() {
    for fields in [
        &[("content-length", "3")][..],
        &[("if-match", "\"1\"")],
        &[("if-none-match", "*")],
        &[("range", "bytes=0-1")],
        &[("cookie", "a=1")],
        &[("authorization", "x")],
        &[("cache-control", "no-store, no-cache")],
        &[("x-http-method-override", "GET")],
        &[("x-method-override", "HEAD")],
        &[("expect", "100-continue")],
        &[("host", "A.TEST:80")],
    ] {
        let cache = written(200, &[]);
        let write = request("POST", "/dir/x?q", fields);
        assert!(!survives(&cache, write).await, "{fields:?}");
    }
}

/// An Upgrade that the service does not take up (RFC 9110 §7.8) leaves a write a write.
#[tokio::test]
async fn c23_an_upgrade_field_does_not_keep_a_write_from_dropping_what_is_stored() {
    let upgrade = [("connection", "upgrade"), ("upgrade", "h2c")];
    let cache = written(200, &[]);
    assert!(!survives(&cache, request("POST", "/dir/x?q", &upgrade)).await);
}

#[tokio::test]
async fn c23_an_absolute_target_is_the_same_resource() {
    let cache = written(200, &[]);
    let write = request("PUT", "http://a.test/dir/x?q", &[]);
    assert!(!survives(&cache, write).await);
}
