//! What a handler declares to have changed is purged before its response is sent.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::{Request, Response, StatusCode};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::{CacheHint, CacheLayer, CachePolicy, Purge, PurgesTag};

use super::{AnyLayer, FRESH, Fields, Hit, Miss, Shop, page};
use crate::support::{Got, request, response};

/// Pages carry their path as a tag; what is sent to `/change` declares these.
fn changing(
    change: impl FnOnce(AnyLayer) -> AnyLayer,
    status: u16,
    declared: Option<PurgesTag>,
) -> Shop {
    Shop::with(change, move |request, call| answer(request, call, status, declared.clone()))
}

fn answer(
    request: &Request<Body>,
    call: usize,
    status: u16,
    declared: Option<PurgesTag>,
) -> Response<Body> {
    let path = request.uri().path();
    if path == "/change" {
        let mut response = Response::new(Body::from("changed"));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response.extensions_mut().extend(
            declared
                .map(|declared| {
                    let mut extensions = http::Extensions::new();
                    extensions.insert(declared);
                    extensions
                })
                .unwrap_or_default(),
        );
        return response;
    }
    page(request, call, &[("cache-groups", &format!("\"{path}\""))])
}

const PATHS: [&str; 3] = ["/a", "/b", "/c"];

fn declared() -> PurgesTag {
    PurgesTag::new("/a").and("/c").and("nothing")
}

#[tokio::test]
async fn whatever_the_method_and_status_what_is_declared_is_purged() {
    let none: Fields<'_> = &[];
    for (method, fields) in [
        ("POST", none),
        ("PUT", none),
        ("DELETE", none),
        ("BREW", none),
        ("GET", none),
        ("HEAD", none),
        ("OPTIONS", none),
        ("TRACE", none),
        ("GET", &[("cache-control", "no-store")]),
        ("GET", &[("cookie", "a=1")]),
        ("GET", &[("if-match", "\"1\"")]),
        ("GET", &[("host", "a.test"), ("host", "b.test")]),
        ("GET", &[("upgrade", "websocket"), ("connection", "upgrade")]),
    ] {
        for status in [200, 204, 404, 500] {
            let policy = CachePolicy::shared().bypass_on_cookie();
            let shop = changing(|layer| layer.policy(policy), status, Some(declared()));
            shop.warm(&PATHS).await;
            shop.send(method, "/change", fields).await;
            assert_eq!(shop.each(&PATHS).await, [Miss, Hit, Miss], "{method} {status} {fields:?}");
        }
    }
}

#[tokio::test]
async fn who_declares_nothing_purges_nothing() {
    for method in ["POST", "GET", "OPTIONS"] {
        let shop = changing(|layer| layer, 200, None);
        shop.warm(&PATHS).await;
        shop.send(method, "/change", &[]).await;
        assert_eq!(shop.each(&PATHS).await, [Hit; 3], "{method}");
        assert_eq!(shop.layer.handle().stats().invalidations, u64::from(method == "POST"));
    }
}

/// Nobody else gets to see it before.
#[tokio::test]
async fn it_is_done_when_the_head_of_the_answer_is_there() {
    for method in ["POST", "GET", "OPTIONS"] {
        let shop = changing(|layer| layer, 200, Some(declared()));
        shop.warm(&PATHS).await;
        let answer = shop.start(request(method, "/change", &[])).await;
        assert_eq!(shop.each(&PATHS).await, [Miss, Hit, Miss], "{method}");
        drop(answer);
    }
}

/// Also by the 304 that validates what is stored.
#[tokio::test]
async fn a_304_declares_too() {
    let shop = Shop::new(|request, call| {
        let mut response = page(request, call, &[("cache-groups", "\"t\"")]);
        if response.status() == StatusCode::NOT_MODIFIED {
            response.extensions_mut().insert(PurgesTag::new("t"));
        }
        response
    });
    shop.warm(&["/a", "/b"]).await;
    shop.get("/a", &[("cache-control", "no-cache")]).await;
    assert_eq!(shop.next("/b", &[]).await, Miss);
}

/// What a hit is made of is declared no more.
#[tokio::test]
async fn a_hit_declares_nothing() {
    let shop = Shop::new(|request, call| {
        let mut response = page(request, call, &[("cache-groups", "\"t\"")]);
        if request.uri().path() == "/declares" {
            response.headers_mut().remove("cache-groups");
            response.extensions_mut().insert(PurgesTag::new("t"));
        }
        response
    });
    shop.warm(&["/declares", "/b"]).await;
    shop.get("/declares", &[]).await;
    assert_eq!(shop.each(&["/declares", "/b"]).await, [Hit, Hit]);
}

/// A tag that nothing can carry is no reason to leave the others.
#[tokio::test]
async fn a_tag_that_nothing_carries_leaves_the_others_purged() {
    for strange in [String::new(), "x".repeat(300), "\u{0}\u{e4}".to_owned()] {
        let declared = PurgesTag::new(strange).and("/b");
        let shop = changing(|layer| layer, 200, Some(declared));
        shop.warm(&PATHS).await;
        shop.send("POST", "/change", &[]).await;
        assert_eq!(shop.each(&PATHS).await, [Hit, Miss, Hit]);
    }
}

#[tokio::test]
async fn it_is_purged_in_the_scope_of_the_layer() {
    for method in ["POST", "GET", "OPTIONS"] {
        let shop = changing(|layer| layer, 200, Some(declared()));
        let other = shop.layer.clone().scope("other").layer(shop.inner.clone());
        let is_hit = async || {
            let response = other.clone().oneshot(request("GET", "/a", &[])).await.unwrap();
            Got::read(response).await.is_hit()
        };
        shop.warm(&PATHS).await;
        is_hit().await;
        shop.send(method, "/change", &[]).await;
        assert!(is_hit().await, "{method}");
        other.clone().oneshot(request(method, "/change", &[])).await.unwrap();
        assert!(!is_hit().await, "{method}");
    }
}

/// The inner clone passes it on, and a cache of its own further in purges its own.
#[tokio::test]
async fn it_passes_through_nested_clones_and_other_caches() {
    for method in ["POST", "GET", "OPTIONS"] {
        let outer = changing(|layer| layer, 200, Some(declared()));
        let inner = CacheLayer::with_clock(super::memory(), outer.clock.clone());
        let nested = outer.layer.layer(inner.layer(outer.layer.layer(outer.inner.clone())));
        let send = async |method, path| {
            let response = nested.clone().oneshot(request(method, path, &[])).await.unwrap();
            let status = response.headers().get_all("cache-status").iter().count();
            Got::read(response.map(Body::new)).await;
            status
        };
        for path in PATHS {
            send("GET", path).await;
        }
        assert_eq!((outer.inner.calls(), send("GET", "/a").await), (3, 2), "a hit of the outer");
        send(method, "/change").await;
        let calls = outer.inner.calls();
        for path in PATHS {
            send("GET", path).await;
        }
        assert_eq!(outer.inner.calls() - calls, 2, "{method}: gone from both");
    }
}

/// In the order of axum's response parts, each beside the others.
#[tokio::test]
async fn a_handler_declares_by_as_many_response_parts_as_it_likes() {
    let layer: AnyLayer = CacheLayer::with_clock(super::memory(), Default::default());
    let tagged = |tag: &'static str| {
        get(move || async move { (CacheHint::fresh_for(Duration::from_secs(60)).tag(tag), "page") })
    };
    let change =
        || async { (PurgesTag::new("a"), PurgesTag::new("b").and("c"), StatusCode::NO_CONTENT) };
    let extension = || async { (Extension(PurgesTag::new("d")), "changed") };
    let app: Router = Router::new()
        .route("/a", tagged("a"))
        .route("/b", tagged("b"))
        .route("/c", tagged("c"))
        .route("/d", tagged("d"))
        .route("/change", post(change).get(change))
        .route("/extension", post(extension))
        .layer(layer.clone());
    let send = async |method, path| {
        let response = app.clone().oneshot(request(method, path, &[])).await.unwrap();
        let status = response.headers()["cache-status"].to_str().unwrap().contains("; hit");
        Got::read(response).await;
        status
    };
    for (method, path, purged) in [
        ("POST", "/change", &["/a", "/b", "/c"][..]),
        ("GET", "/change", &["/a", "/b", "/c"]),
        ("POST", "/extension", &["/d"]),
    ] {
        for path in ["/a", "/b", "/c", "/d"] {
            send("GET", path).await;
            assert!(send("GET", path).await);
        }
        send(method, path).await;
        for page in ["/a", "/b", "/c", "/d"] {
            assert_eq!(send("GET", page).await, !purged.contains(&page), "{method} {path}: {page}");
        }
    }
}

/// A fill on its way is overtaken as by any purge.
#[tokio::test]
async fn what_is_on_its_way_is_overtaken_by_what_is_declared() {
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let waiting = gate.clone();
    let layer: AnyLayer = CacheLayer::with_clock(super::memory(), Default::default());
    let service = layer.layer(tower::service_fn(move |request: Request<Body>| {
        let gate = waiting.clone();
        async move {
            let mut answer = response(&[FRESH, ("cache-groups", "\"t\"")], "old");
            match request.method().as_str() {
                "GET" => gate.acquire().await.unwrap().forget(),
                _ => drop(answer.extensions_mut().insert(PurgesTag::new("t"))),
            }
            Ok::<_, Infallible>(answer)
        }
    }));
    let slow = tokio::spawn(service.clone().oneshot(request("GET", "/", &[])));
    super::settled().await;
    service.clone().oneshot(request("OPTIONS", "/other", &[])).await.unwrap();
    gate.add_permits(2);
    assert_eq!(Got::read(slow.await.unwrap().unwrap()).await.body, "old");
    let next = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
    assert!(!Got::read(next).await.is_hit());
    // And what is gone once can be had again.
    let next = service.clone().oneshot(request("GET", "/", &[])).await.unwrap();
    assert!(Got::read(next).await.is_hit());
    layer.handle().purge(Purge::tag("t")).await.unwrap();
}
