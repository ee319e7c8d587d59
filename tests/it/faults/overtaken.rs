//! A response that was on its way while its resource was written or purged is not stored.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{HeaderName, Method, Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::Semaphore;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::{CacheLayer, Partition, Purge};
use tower_keep::store::MemoryStore;

use super::{Mode, Op, Rig, settled};
use crate::scripted::Step::{self, Data};
use crate::scripted::{fresh, paused};
use crate::support::{Got, Harness, TestLayer, answered, request, response};

/// A request and its answer, and whether what `GET /` gets meanwhile is then outdated.
type Meanwhile = (&'static str, &'static str, u16, Fields, bool);
type Fields = &'static [(&'static str, &'static str)];

const MEANWHILE: [Meanwhile; 13] = [
    ("PUT", "/", 204, &[], true),
    ("POST", "/", 200, &[], true),
    ("PATCH", "/", 303, &[], true),
    ("DELETE", "/", 204, &[], true),
    ("BREW", "/", 200, &[], true),
    ("POST", "/other", 201, &[("location", "/")], true),
    ("POST", "/other", 200, &[("content-location", "http://a.test/")], true),
    ("PUT", "/other", 204, &[], false),
    ("PUT", "/", 500, &[], false),
    ("PUT", "/", 404, &[], false),
    ("OPTIONS", "/", 200, &[], false),
    ("GET", "/other", 200, &[], false),
    ("POST", "/other", 201, &[("location", "http://b.test/")], false),
];

type Sender = tokio::sync::mpsc::UnboundedSender<Step>;

/// Answers the first GET of `/` with a body in the test's hands, other methods with a status and fields.
fn in_hand(
    change: impl FnOnce(TestLayer) -> TestLayer,
    vary: &'static str,
    status: u16,
    fields: Fields,
) -> (Harness, Sender) {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let cache = Harness::with(change, move |request, call| {
        match (request.method(), body.lock().unwrap().take()) {
            (&Method::GET, Some(body)) => fresh(&[("vary", vary)], body),
            (&Method::GET, None) => fresh(&[("vary", vary)], format!("call {call}").into()),
            _ => answered(status, fields, ""),
        }
    });
    (cache, script)
}

#[tokio::test]
async fn a_fill_that_a_write_overtook_is_not_stored() {
    let tenant = Partition::header(HeaderName::from_static("x-tenant"));
    for vary in ["", "accept"] {
        for is_divided in [false, true] {
            for (method, path, status, fields, is_overtaken) in MEANWHILE {
                let tenant = tenant.clone();
                let divide = |layer: TestLayer| {
                    if is_divided { layer.partition_by(tenant) } else { layer }
                };
                let (cache, script) = in_hand(divide, vary, status, fields);
                let what = format!("{method} {path} {status} {vary:?} {is_divided}");
                let one = [("x-tenant", "one")];
                let mut body = cache.start(request("GET", "/", &one)).await.into_body();
                script.send(Data("ol")).unwrap();
                body.frame().await.unwrap().unwrap();
                cache.send(request(method, path, &[("x-tenant", "two")])).await;
                script.send(Data("d")).unwrap();
                drop(script);
                assert_eq!(body.collect().await.unwrap().to_bytes(), "d");
                let got = cache.get("/", &one).await;
                assert_eq!(got.is_hit(), !is_overtaken, "{what}");
                assert_eq!(got.body == "old", !is_overtaken, "{what}");
            }
        }
    }
}

#[tokio::test]
async fn a_fill_that_a_purge_overtook_is_not_stored() {
    for (url, is_overtaken) in [
        ("http://a.test/", true),
        ("HTTP://A.TEST:80/", true),
        ("http://a.test/?", false),
        ("http://a.test/other", false),
        ("http://b.test/", false),
    ] {
        let (cache, script) = in_hand(|layer| layer, "", 200, &[]);
        let body = cache.start(request("GET", "/", &[])).await.into_body();
        cache.layer.handle().purge(Purge::url(url.parse().unwrap())).await.unwrap();
        script.send(Data("old")).unwrap();
        drop(script);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "old");
        assert_eq!(cache.get("/", &[]).await.is_hit(), !is_overtaken, "{url}");
    }
}

/// What began after the write is stored again, though an older fill is still on its way.
#[tokio::test]
async fn a_fill_that_began_after_the_write_is_stored() {
    let (cache, script) = in_hand(|layer| layer, "", 204, &[]);
    let old = cache.start(request("GET", "/", &[])).await.into_body();
    cache.send(request("PUT", "/", &[])).await;
    assert_eq!(cache.get("/", &[]).await.body, "call 2");
    script.send(Data("old")).unwrap();
    drop(script);
    old.collect().await.unwrap();
    let hit = cache.get("/", &[]).await;
    assert_eq!((hit.is_hit(), hit.body.as_str()), (true, "call 2"));
}

/// Between the call of the inner service and its answer, also where that is a 304.
#[tokio::test]
async fn an_answer_that_a_write_overtook_is_not_stored() {
    for is_validation in [false, true] {
        let gate = Arc::new(Semaphore::new(usize::from(is_validation)));
        let inner = {
            let gate = gate.clone();
            service_fn(move |request: Request<Body>| {
                let gate = gate.clone();
                async move {
                    if *request.method() == Method::GET {
                        gate.acquire().await.unwrap().forget();
                    }
                    Ok::<_, std::convert::Infallible>(tagged(&request))
                }
            })
        };
        let store = MemoryStore::with_bytes_max(1 << 20);
        let service = CacheLayer::new(store.clone()).layer(inner);
        let send =
            |method, fields| tokio::spawn(service.clone().oneshot(request(method, "/", fields)));
        if is_validation {
            Got::read(send("GET", &[]).await.unwrap().unwrap()).await;
            assert!(!store.is_empty());
        }
        let waiting = send("GET", &[("cache-control", "no-cache")]);
        settled().await;
        Got::read(send("PUT", &[]).await.unwrap().unwrap()).await;
        gate.add_permits(1);
        assert_eq!(Got::read(waiting.await.unwrap().unwrap()).await.body, "abc");
        assert!(store.is_empty(), "{is_validation}");
    }
}

fn tagged(request: &Request<Body>) -> Response<Body> {
    let fields = [("cache-control", "max-age=60"), ("etag", "\"a\"")];
    match request.headers().contains_key("if-none-match") {
        true => answered(304, &fields, ""),
        false => response(&fields, "abc"),
    }
}

/// Each step of a slow store, in turn: the write or purge comes while the store is at it.
#[tokio::test(start_paused = true)]
async fn a_put_that_a_write_overtook_is_never_served() {
    for vary in ["", "accept"] {
        for works in 0..=usize::from(!vary.is_empty()) {
            for is_purge in [false, true] {
                let rig = Rig::new(move |_, call| {
                    fresh(&[("vary", vary)], format!("call {call}").into())
                });
                let gate = Arc::new(Semaphore::new(0));
                let mut modes = vec![Mode::Works; works];
                modes.extend([Mode::When(gate.clone()), Mode::Works]);
                rig.store.set(Op::Put, &modes);
                rig.get("/").await;
                match is_purge {
                    true => {
                        let url = "http://a.test/".parse().unwrap();
                        rig.layer.handle().purge(Purge::url(url)).await.unwrap();
                    }
                    false => drop(rig.send("PUT", "/", &[]).await),
                }
                gate.add_permits(1);
                settled().await;
                let next = rig.get("/").await;
                assert!(!next.is_hit(), "{vary:?} {works} {is_purge}");
                assert_ne!(next.body, "call 0", "{vary:?} {works} {is_purge}");
                assert_eq!(rig.stats().stored, 1, "{vary:?} {works} {is_purge}");
            }
        }
    }
}
