//! Requests with content, answers without any, and fields that belong to one connection.

use axum::body::Body;
use futures_util::stream;
use http::header::{CONTENT_LENGTH, HeaderMap};
use http::{Request, StatusCode};
use http_body::Body as _;
use tower_keep::cache::Reason;

use super::{RFC, SAFE};
use crate::support::{Harness, answered, request, response};

/// GETs whose content may decide the answer, however they say that they have some.
fn fat(method: &str) -> Vec<Request<Body>> {
    let with = |body: Body, fields: &[(&str, &str)]| {
        let (parts, _) = request(method, "/", fields).into_parts();
        Request::from_parts(parts, body)
    };
    let pieces = || stream::iter([Ok::<_, std::io::Error>("id="), Ok("7")]);
    let none = || stream::iter([Ok::<_, std::io::Error>("")]);
    vec![
        with(Body::from("id=7"), &[]),
        with(Body::from("id=7"), &[("content-length", "4")]),
        with(Body::from("id=7"), &[("content-length", "0")]),
        with(Body::from_stream(pieces()), &[]),
        with(Body::from_stream(none()), &[]),
        // Content that something further out has taken already.
        with(Body::empty(), &[("content-length", "4")]),
        with(Body::empty(), &[("content-length", "x")]),
        with(Body::empty(), &[("transfer-encoding", "chunked")]),
    ]
}

/// Answers by the request's content, as some frameworks do.
fn fooled() -> Harness {
    Harness::with(
        |layer| layer.policy(RFC),
        |request, _| {
            let is_plain = request.body().is_end_stream()
                && !request.headers().contains_key("transfer-encoding")
                && request.headers().get_all(CONTENT_LENGTH).iter().all(|length| length == "0");
            response(&[("cache-control", "max-age=60")], if is_plain { "plain" } else { "evil" })
        },
    )
}

#[tokio::test]
async fn c13_a_get_with_content_is_not_stored() {
    for method in ["GET", "HEAD"] {
        for (at, poison) in fat(method).into_iter().enumerate() {
            let cache = fooled();
            let got = cache.send(poison).await;
            assert_eq!(got.reason(), Some(Reason::RequestBody), "{method} {at}");
            assert!(cache.store.is_empty());
            assert_eq!(cache.get("/", &[]).await.body, "plain", "{method} {at}");
        }
    }
}

#[tokio::test]
async fn c13_a_get_with_content_is_not_answered_from_the_store() {
    for (at, poison) in fat("GET").into_iter().enumerate() {
        let cache = fooled();
        cache.get("/", &[]).await;
        assert_eq!(cache.send(poison).await.body, "evil", "{at}");
        let hit = cache.get("/", &[]).await;
        assert_eq!((hit.body.as_str(), hit.is_hit()), ("plain", true), "{at}");
    }
}

#[tokio::test]
async fn c13_a_get_whose_content_is_declared_empty_is_a_plain_one() {
    let cache = fooled();
    cache.get("/", &[("content-length", "0")]).await;
    assert!(cache.get("/", &[]).await.is_hit());
    assert!(cache.get("/", &[("content-length", "0")]).await.is_hit());
}

#[tokio::test]
async fn c13_any_line_of_content_length_declares_content() {
    for (one, other) in [("0", "4"), ("4", "0")] {
        let fat = [("content-length", one), ("content-length", other)];
        let cache = fooled();
        assert_eq!(cache.get("/", &fat).await.body, "evil");
        assert_eq!(cache.get("/", &[]).await.body, "plain");
    }
}

#[tokio::test]
async fn c22_head_never_fills_get() {
    for policy in [SAFE, RFC] {
        for status in [200, 404] {
            let cache = Harness::with(
                |layer| layer.policy(policy.clone()),
                move |request, _| {
                    let body = if request.method() == "HEAD" { "" } else { "whole" };
                    let fresh = "public, max-age=60, s-maxage=60";
                    let fields =
                        [("cache-control", fresh), ("content-length", "5"), ("etag", "\"1\"")];
                    answered(status, &fields, body)
                },
            );
            let head = cache.send(request("HEAD", "/", &[])).await;
            assert_eq!(
                (head.reason(), head.field("content-length")),
                (Some(Reason::Head), Some("5"))
            );
            assert!(cache.store.is_empty());
            let get = cache.get("/", &[]).await;
            assert_eq!((get.body.as_str(), get.is_hit()), ("whole", false));
            assert_eq!(cache.get("/", &[]).await.body, "whole");
        }
    }
}

#[tokio::test]
async fn c22_head_is_answered_from_get() {
    let cache = Harness::new(|_, _| {
        response(
            &[("cache-control", "max-age=60"), ("content-type", "a/b"), ("x-own", "1")],
            "whole",
        )
    });
    cache.get("/", &[]).await;
    cache.advance(7);
    for fields in [&[][..], &[("range", "bytes=0-1")]] {
        let head = cache.send(request("HEAD", "/", fields)).await;
        assert!(head.is_hit());
        assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
        assert_eq!(head.headers, cache.get("/", &[]).await.headers);
        assert_eq!(head.field("content-length"), Some("5"));
    }
    assert_eq!(cache.inner.calls(), 1);
}

const HOP_BY_HOP: [(&str, &str); 16] = [
    ("connection", "x-hop, keep-alive"),
    ("Connection", " X-Other-Hop,, close"),
    ("x-hop", "1"),
    ("x-hop", "2"),
    ("x-other-hop", "1"),
    ("keep-alive", "timeout=5"),
    ("proxy-authenticate", "Basic"),
    ("proxy-authentication-info", "x"),
    ("proxy-authorization", "Basic x"),
    ("proxy-connection", "close"),
    ("te", "trailers"),
    ("trailer", "x-sum"),
    ("transfer-encoding", "chunked"),
    ("upgrade", "h2c"),
    ("Proxy-Connection", "keep-alive"),
    ("x-last", "end to end"),
];

fn assert_end_to_end(headers: &HeaderMap) {
    for (name, _) in HOP_BY_HOP.iter().filter(|(name, _)| *name != "x-last") {
        assert!(!headers.contains_key(*name), "{name}");
    }
    assert_eq!(headers["x-last"], "end to end");
}

#[tokio::test]
async fn c33_hop_by_hop_fields_are_neither_stored_nor_replayed() {
    let fields = [&HOP_BY_HOP[..], &[("cache-control", "max-age=60")]].concat();
    let cache = Harness::always(SAFE, 200, &fields);
    cache.get("/", &[]).await;
    for method in ["GET", "HEAD"] {
        let hit = cache.send(request(method, "/", &[])).await;
        assert!(hit.is_hit());
        assert_end_to_end(&hit.headers);
    }
}

#[tokio::test]
async fn c33_a_304_brings_no_hop_by_hop_fields_into_the_store() {
    let cache = Harness::new(|_, call| {
        let basic = [("cache-control", "max-age=60"), ("etag", "\"1\""), ("x-last", "end to end")];
        match call {
            0 => response(&basic, "page"),
            _ => answered(304, &[&HOP_BY_HOP[..], &basic].concat(), ""),
        }
    });
    cache.get("/", &[]).await;
    cache.advance(61);
    let validated = cache.get("/", &[]).await;
    assert_eq!((validated.status, validated.body.as_str()), (StatusCode::OK, "page"));
    assert_end_to_end(&validated.headers);
    let hit = cache.get("/", &[]).await;
    assert!(hit.is_hit());
    assert_end_to_end(&hit.headers);
}

/// What Connection names is gone for good, were it the validator or the directives themselves.
#[tokio::test]
async fn c33_a_field_named_by_connection_counts_for_nothing_once_stored() {
    let fields = [("connection", "ETag, Cache-Control"), ("etag", "\"1\"")];
    let fields = [&fields[..], &[("cache-control", "max-age=60")]].concat();
    let cache = Harness::always(SAFE, 200, &fields);
    cache.get("/", &[]).await;
    let hit = cache.get("/", &[("if-none-match", "\"1\"")]).await;
    assert!(hit.is_hit());
    assert_eq!(hit.status, 200, "no validator is left to compare with");
    assert_eq!((hit.field("etag"), hit.field("cache-control")), (None, None));
}
