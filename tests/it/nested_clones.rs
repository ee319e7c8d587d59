//! Clones of one layer on one path: the outermost looks up, and must not blur what an inner one tells apart.

use axum::body::Body;
use http::uri::Scheme;
use http::{HeaderName, Request};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy, KeyParts, Partition, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Inner, TestLayer, request, response};

type Change = fn(TestLayer) -> TestLayer;

/// The answers to these requests, one after the other, behind two clones of one layer. Each tells whose
/// cookie and host it was made for.
async fn answers(
    inner: Change,
    outer: Change,
    requests: impl IntoIterator<Item = Request<Body>>,
) -> Vec<Got> {
    let store = MemoryStore::with_bytes_max(1 << 20);
    let layer = CacheLayer::with_clock(store, ManualClock::new()).outcome_in_extensions();
    let service = Inner::new(|request, call| {
        let fields = request.headers();
        let body = format!("{call} for {:?} at {:?}", fields.get("cookie"), fields.get("host"));
        response(&[("cache-control", "max-age=60")], body)
    });
    let service = outer(layer.clone()).layer(inner(layer).layer(service));
    let mut answers = Vec::new();
    for request in requests {
        answers.push(Got::read(service.clone().oneshot(request).await.unwrap()).await);
    }
    answers
}

fn plain(layer: TestLayer) -> TestLayer {
    layer
}

fn reason(got: &Got) -> Option<Reason> {
    got.outcome.unwrap().reason()
}

fn bypassing(layer: TestLayer) -> TestLayer {
    layer.policy(CachePolicy::shared().bypass_on_cookie())
}

#[tokio::test]
async fn an_inner_clone_that_bypasses_cookies_keeps_their_answers_out() {
    let asked = [&[("cookie", "session=alice")][..], &[], &[]];
    let asked = asked.map(|fields| request("GET", "/x", fields));
    let got = answers(bypassing, plain, asked).await;
    assert_eq!(reason(&got[0]), Some(Reason::Cookie));
    assert!(!got[1].is_hit() && !got[1].body.contains("alice"), "{}", got[1].body);
    assert!(got[2].is_hit(), "what nobody's cookie brought is stored");
}

#[tokio::test]
async fn the_hosts_of_an_inner_clone_bound_what_is_stored() {
    let hosts: Change = |layer| layer.hosts(["good.test"]);
    for host in ["a.test", "evil.test"] {
        let asked = [(); 2].map(|()| request("GET", "/x", &[("host", host)]));
        for got in answers(hosts, plain, asked).await {
            assert!(!got.is_hit() && !got.outcome.unwrap().is_stored(), "{host}: {got:?}");
        }
    }
}

/// Ways to tell requests apart otherwise than by default.
const TELLING: [(&str, Change); 5] = [
    ("scope", |layer| layer.scope("inner")),
    ("scheme", |layer| layer.scheme(Scheme::HTTPS)),
    ("hosts", |layer| layer.hosts(["a.test"])),
    ("key", |layer| layer.key(|head| KeyParts::from(head).part(b"part".as_slice()))),
    ("partition", |layer| {
        layer.partition_by(Partition::header(HeaderName::from_static("x-tenant")))
    }),
];

#[tokio::test]
async fn nothing_is_stored_where_two_clones_tell_requests_apart_differently() {
    for (what, change) in TELLING {
        for (inner, outer) in [(change, plain as Change), (plain, change)] {
            let asked = [(); 2].map(|()| request("GET", "/x", &[("x-tenant", "a")]));
            for got in answers(inner, outer, asked).await {
                assert_eq!(reason(&got), Some(Reason::NestedCache), "{what}");
                assert!(!got.is_hit() && !got.outcome.unwrap().is_stored(), "{what}");
            }
        }
    }
}

/// A key function is the same only where both clones were made after it was set.
#[tokio::test]
async fn clones_that_tell_requests_apart_alike_store() {
    for (what, change) in TELLING.into_iter().filter(|(what, _)| *what != "key") {
        let asked = [(); 2].map(|()| request("GET", "/x", &[("x-tenant", "a")]));
        let got = answers(change, change, asked).await;
        assert!(got[0].outcome.unwrap().is_stored() && got[1].is_hit(), "{what}: {got:?}");
    }
    let store = MemoryStore::with_bytes_max(1 << 20);
    let layer = CacheLayer::with_clock(store, ManualClock::new())
        .outcome_in_extensions()
        .key(|head| KeyParts::from(head).part(b"part".as_slice()));
    let service = Inner::new(|_, _| response(&[("cache-control", "max-age=60")], "page"));
    let service = layer.layer(layer.clone().layer(service));
    for is_hit in [false, true] {
        let got = service.clone().oneshot(request("GET", "/x", &[])).await.unwrap();
        assert_eq!(Got::read(got).await.is_hit(), is_hit);
    }
}
