//! Writes of which it is not certain what they were about or whether they were carried out: what they may
//! have made unusable is dropped (RFC 9111 §4.4).

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use axum::body::Body;
use http::{Method, Request};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy, KeyParts, SteeringField};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Harness, TestLayer, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");

/// RFC 9110 §7.8: a service may ignore the offer and carry the write out.
#[tokio::test]
async fn no_connection_field_keeps_a_write_from_dropping_what_is_stored() {
    for fields in [
        &[("connection", "upgrade, http2-settings"), ("upgrade", "h2c"), ("http2-settings", "AA")]
            [..],
        &[("connection", "upgrade"), ("upgrade", "websocket")],
        &[("upgrade", "h2c")],
        &[("connection", "cookie"), ("cookie", "a=1")],
        &[("connection", "host")],
        &[("connection", "close"), ("te", "trailers")],
    ] {
        let cache = Harness::always(CachePolicy::shared(), 200, &[FRESH]);
        cache.get("/x", &[]).await;
        cache.send(request("PUT", "/x", fields)).await;
        assert!(!cache.get("/x", &[]).await.is_hit(), "{fields:?}");
    }
}

fn written(method: Method, target: &str, fields: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(Body::empty()).unwrap()
}

/// Targets and fields that name `a.test` and `b.test`.
const UNCERTAIN: [(&str, &[(&str, &str)]); 6] = [
    ("http://a.test/x", &[("host", "b.test")]),
    ("http://b.test/x", &[("host", "A.TEST:80")]),
    ("/x", &[("host", "a.test"), ("host", "b.test")]),
    ("/x", &[("host", "a.test"), ("host", "b.test"), ("host", "a b")]),
    ("http://a.test/x", &[("host", "b.test"), ("host", "b.test")]),
    ("http://user@b.test/x", &[("host", "a.test"), ("host", "b.test")]),
];

async fn drops_a_and_b(cache: &Harness, target: &str, fields: &[(&str, &str)]) {
    let hosts = ["a.test", "b.test", "c.test"];
    for host in hosts {
        cache.get("/x", &[("host", host)]).await;
        assert!(cache.get("/x", &[("host", host)]).await.is_hit());
    }
    cache.send(written(Method::PUT, target, fields)).await;
    for host in hosts {
        let is_kept = cache.get("/x", &[("host", host)]).await.is_hit();
        assert_eq!(is_kept, host == "c.test", "{target} {fields:?}: {host}");
    }
}

#[tokio::test]
async fn a_write_whose_authority_is_not_certain_drops_all_that_it_may_be_about() {
    for (target, fields) in UNCERTAIN {
        let cache = Harness::always(CachePolicy::shared(), 200, &[FRESH]);
        drops_a_and_b(&cache, target, fields).await;
    }
    let trusting = |layer: TestLayer| {
        layer.key(|head| KeyParts::from(head).trusted(SteeringField::XForwardedHost))
    };
    let cache = Harness::with(trusting, |_, _| response(&[FRESH], "page"));
    let forwarded =
        [("host", "inside"), ("x-forwarded-host", "a.test"), ("x-forwarded-host", "b.test")];
    drops_a_and_b(&cache, "/x", &forwarded).await;
}

/// RFC 9110 §9.3.3: whose GET it would answer is not certain either.
#[tokio::test]
async fn a_post_whose_authority_is_not_certain_fills_no_get() {
    for location in ["/x", "http://a.test/x", "http://b.test/x"] {
        for (target, fields) in UNCERTAIN {
            let fill = [FRESH, ("content-location", location)];
            let cache = Harness::always(CachePolicy::shared().post_fills_get(), 200, &fill);
            let post = cache.send(written(Method::POST, target, fields)).await;
            assert!(!post.outcome.unwrap().is_stored(), "{target} {fields:?}");
            assert!(cache.store.is_empty(), "{target} {fields:?}");
        }
    }
}

fn layer() -> TestLayer {
    CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), ManualClock::new())
}

#[tokio::test]
async fn a_write_that_failed_on_its_way_drops_its_target() {
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        let service = layer().layer(tower::service_fn(|request: Request<Body>| async move {
            match *request.method() {
                Method::GET => Ok(response(&[FRESH], "page")),
                _ => Err(std::io::Error::other("timed out after the write")),
            }
        }));
        let get = async |path| {
            let got = service.clone().oneshot(request("GET", path, &[])).await.unwrap();
            Got::read(got).await.is_hit()
        };
        for path in ["/x", "/y"] {
            get(path).await;
        }
        let failed = service.clone().oneshot(request(method, "/x", &[])).await;
        assert_eq!(failed.unwrap_err().to_string(), "timed out after the write");
        assert_eq!((get("/x").await, get("/y").await), (false, true), "{method}");
    }
}

/// The service had the request, so nobody knows how far it came.
#[tokio::test]
async fn a_write_whose_client_left_drops_its_target() {
    for method in ["PUT", "POST", "DELETE", "PATCH"] {
        let service = layer().layer(tower::service_fn(|request: Request<Body>| async move {
            match *request.method() {
                Method::GET => Ok(response(&[FRESH], "page")),
                _ => std::future::pending::<Result<_, std::convert::Infallible>>().await,
            }
        }));
        let get = async |path| {
            let got = service.clone().oneshot(request("GET", path, &[])).await.unwrap();
            Got::read(got).await.is_hit()
        };
        for path in ["/x", "/y"] {
            get(path).await;
        }
        {
            let mut write = pin!(service.clone().oneshot(request(method, "/x", &[])));
            let poll = poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await;
            assert!(poll.is_pending());
            assert!(get("/x").await, "{method}: it is not over yet");
        }
        assert_eq!((get("/x").await, get("/y").await), (false, true), "{method}");
    }
}

#[tokio::test]
async fn a_write_in_which_the_service_panicked_drops_its_target() {
    let service = layer().layer(tower::service_fn(|request: Request<Body>| async move {
        assert_eq!(request.method(), Method::GET, "half of it is written");
        Ok::<_, std::convert::Infallible>(response(&[FRESH], "page"))
    }));
    let get = async || {
        let got = service.clone().oneshot(request("GET", "/x", &[])).await.unwrap();
        Got::read(got).await.is_hit()
    };
    get().await;
    assert!(get().await);
    let write = service.clone().oneshot(request("PUT", "/x", &[]));
    assert!(tokio::spawn(async move { write.await.map(drop) }).await.unwrap_err().is_panic());
    assert!(!get().await);
}
