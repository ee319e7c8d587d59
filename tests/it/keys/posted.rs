//! A POST of which the answer may stand for a GET: only for the GET that it would be itself.

use axum::body::Body;
use http::Request;
use tower_keep::cache::{CachePolicy, Reason};

use super::copy;
use crate::support::{Harness, TestLayer, request, response};

fn filling(layer: TestLayer) -> TestLayer {
    layer.policy(CachePolicy::shared().post_fills_get())
}

fn of_one_host(layer: TestLayer) -> TestLayer {
    filling(layer).hosts(["a.test"])
}

/// What a plain GET gets after this POST.
async fn after(change: fn(TestLayer) -> TestLayer, post: Request<Body>) -> String {
    let cache = Harness::with(change, |request, _| {
        let fields = [("cache-control", "max-age=60"), ("content-location", "/page")];
        response(&fields, request.method().as_str())
    });
    let get = request("GET", "/page", &[]);
    cache.send(copy(&post)).await;
    let got = cache.send(copy(&get)).await;
    assert_eq!(got.is_hit(), got.body == "POST");
    // What may lie there for who asks as the POST did is not what a plain GET gets either.
    cache.send(post).await;
    assert_eq!(cache.send(get).await.body, got.body);
    got.body
}

#[tokio::test]
async fn a_plain_post_fills_the_get_of_its_target() {
    for change in [filling, of_one_host] {
        assert_eq!(after(change, request("POST", "/page", &[])).await, "POST");
        let absolute = request("POST", "http://a.test/page", &[]);
        assert_eq!(after(change, absolute).await, "POST");
    }
}

/// Services take the host, the path or the scheme from some of these.
#[tokio::test]
async fn a_post_with_a_steering_field_fills_no_plain_get() {
    for (name, value) in [
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-port", "6666"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-uri", "/evil"),
        ("x-original-url", "/evil"),
        ("x-original-host", "evil.test"),
        ("x-rewrite-url", "/evil"),
        ("x-host", "evil.test"),
        ("x-http-host-override", "evil.test"),
        ("front-end-https", "on"),
        ("forwarded", "host=evil.test"),
    ] {
        for change in [filling, of_one_host] {
            let post = request("POST", "/page", &[(name, value)]);
            assert_eq!(after(change, post).await, "GET", "{name}");
        }
    }
}

/// It may not be a POST at all to the service.
#[tokio::test]
async fn a_post_with_a_method_override_fills_no_get() {
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        for method in ["DELETE", "GET", "PUT"] {
            let post = request("POST", "/page", &[(name, method)]);
            assert_eq!(after(filling, post).await, "GET", "{name} {method}");
        }
    }
}

#[tokio::test]
async fn a_post_to_another_host_or_scheme_fills_no_get() {
    for (target, host) in [
        ("/page", "b.test"),
        ("/page", "a.test:81"),
        ("/page", "user@a.test"),
        ("/page", ""),
        ("http://b.test/page", "a.test"),
        ("http://a.test:81/page", "a.test"),
        ("https://a.test/page", "a.test"),
        ("ftp://a.test/page", "a.test"),
    ] {
        for change in [filling, of_one_host] {
            let post = request("POST", target, &[("host", host)]);
            assert_eq!(after(change, post).await, "GET", "{target} {host}");
        }
    }
}

/// Not even a GET of that host: it is none of those that the layer stores for.
#[tokio::test]
async fn a_post_to_a_host_that_is_not_listed_fills_nothing() {
    let cache = Harness::with(of_one_host, |request, _| {
        let fields = [("cache-control", "max-age=60"), ("content-location", "/page")];
        response(&fields, request.method().as_str())
    });
    let other = [("host", "b.test")];
    cache.send(request("POST", "/page", &other)).await;
    let got = cache.get("/page", &other).await;
    assert_eq!((got.body.as_str(), got.reason()), ("GET", Some(Reason::Host)));
    assert!(cache.store.is_empty());
}
