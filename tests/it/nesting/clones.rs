//! Several layers on one path: clones of one cache, and different caches.

use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::{HeaderName, Request, header};
use tower_keep::cache::{
    CacheHint, CachePolicy, DefaultFreshness, KeyParts, Partition, Purge, Reason, RequestDirective,
};

use super::{Calls, MINUTE, ask, cache, forward, is_stored, named, send};
use crate::support::{Got, TestLayer, request};

fn fresh_for(secs: u64) -> CachePolicy {
    let freshness = DefaultFreshness::fixed(Duration::from_secs(secs));
    CachePolicy::shared().default_freshness(freshness)
}

/// A route that says nothing of freshness, under these layers, the innermost first.
fn silent(layers: impl IntoIterator<Item = TestLayer>) -> Router {
    let calls = Calls::default();
    let mut app =
        Router::new().route("/x", get(move || async move { format!("{}", calls.next()) }));
    for layer in layers {
        app = app.layer(layer);
    }
    app
}

fn members(got: &Got) -> Vec<&str> {
    let lines = got.headers.get_all("cache-status").iter();
    lines.map(|line| line.to_str().unwrap()).collect()
}

fn left(got: &Got) -> Option<i64> {
    got.outcome.as_ref().and_then(|outcome| outcome.freshness_left_secs())
}

#[tokio::test]
async fn two_clones_on_one_path_look_up_once() {
    let layer = cache();
    let calls = Calls::default();
    let app = Router::new()
        .route("/x", named("x"))
        .layer(layer.clone())
        .layer(layer.clone())
        .with_state(calls.clone());
    let miss = ask(&app, "/x").await;
    assert_eq!(members(&miss).len(), 1, "one cache, one member of Cache-Status");
    assert_eq!(forward(&miss).unwrap().as_str(), "uri-miss");
    let hit = ask(&app, "/x").await;
    assert!(hit.is_hit() && members(&hit).len() == 1);
    let stats = layer.handle().stats();
    assert_eq!((stats.hits, stats.misses, stats.stored, stats.bypassed), (1, 1, 1, 0));
    assert_eq!(calls.count(), 1);
    send(&app, request("PUT", "/x", &[])).await;
    let stats = layer.handle().stats();
    assert_eq!((stats.invalidations, stats.bypassed), (1, 1), "a write is seen once too");
    assert!(!ask(&app, "/x").await.is_hit());
}

#[tokio::test]
async fn the_innermost_clones_policy_judges_the_response() {
    let layer = cache();
    for (layers, freshness) in [
        (vec![fresh_for(10), fresh_for(20)], Some(10)),
        (vec![fresh_for(10), CachePolicy::shared()], Some(10)),
        (vec![CachePolicy::shared(), fresh_for(20)], None),
        (vec![fresh_for(10), fresh_for(20), fresh_for(30)], Some(10)),
        (vec![fresh_for(100).freshness_max(Duration::from_secs(5)), fresh_for(30)], Some(5)),
    ] {
        let scope = format!("{freshness:?} {}", layers.len());
        let layer = layer.clone().scope(scope);
        let app = silent(layers.into_iter().map(|policy| layer.clone().policy(policy)));
        assert_eq!(left(&ask(&app, "/x").await), freshness);
        assert_eq!(ask(&app, "/x").await.is_hit(), freshness.is_some());
    }
}

/// Which requests are looked up is decided before anybody knows of a clone further in.
#[tokio::test]
async fn the_outermost_clones_policy_judges_the_request() {
    let deaf = fresh_for(60).ignore_request(RequestDirective::NoCache);
    for (inner, outer, is_hit) in
        [(deaf.clone(), fresh_for(60), false), (fresh_for(60), deaf, true)]
    {
        let layer = cache();
        let app = silent([layer.clone().policy(inner), layer.policy(outer)]);
        ask(&app, "/x").await;
        let reload = request("GET", "/x", &[("cache-control", "no-cache")]);
        assert_eq!(send(&app, reload).await.is_hit(), is_hit);
    }
}

/// Clones further out and further in of a nested router: the outer one sees the whole target.
#[tokio::test]
async fn clones_inside_and_outside_a_nested_router_share_nothing_wrongly() {
    let layer = cache();
    let users = |name| Router::new().route("/users", named(name)).layer(layer.clone());
    let app = Router::new()
        .nest("/a", users("a"))
        .nest("/b", users("b"))
        .route("/users", named("top"))
        .layer(layer.clone())
        .with_state(Calls::default());
    for path in ["/a/users", "/b/users", "/users"] {
        is_stored(&app, path).await;
    }
    assert_eq!(layer.handle().stats().misses, 3);
}

fn private_handler() -> Router {
    let answer = |request: Request<Body>| async move {
        (MINUTE, format!("{:?}", request.headers().get("x-user")))
    };
    Router::new().route("/me", get(answer))
}

async fn as_user(app: &Router, user: &str) -> Got {
    send(app, request("GET", "/me", &[("x-user", user)])).await
}

/// What an inner clone divides must not be shared because an outer one does not.
#[tokio::test]
async fn an_inner_clones_partition_is_not_lost_under_an_outer_one() {
    let plain = |layer: TestLayer| layer;
    let by_user = |layer: TestLayer| layer.partition_by(by("x-user"));
    let of_user = |layer: TestLayer| layer.private_by(by("x-user"));
    let by_other = |layer: TestLayer| layer.partition_by(by("x-other"));
    let of_other = |layer: TestLayer| layer.private_by(by("x-other"));
    let user_part = |layer: TestLayer| {
        layer.key(|head| {
            let user = head.headers.get("x-user").map(|user| user.as_bytes().to_vec());
            user.into_iter().fold(KeyParts::from(head), |key, user| key.part(user))
        })
    };
    type Change<'a> = &'a dyn Fn(TestLayer) -> TestLayer;
    let cases: [(&str, Change<'_>, Change<'_>); 8] = [
        ("partitioned in a plain one", &by_user, &plain),
        ("private in a plain one", &of_user, &plain),
        ("partitioned in one of another partition", &by_user, &by_other),
        ("private in a partitioned one", &of_user, &by_other),
        ("private in a private one of another partition", &of_user, &of_other),
        ("plain in a partitioned one", &plain, &by_user),
        ("with a part in its key in a plain one", &user_part, &plain),
        ("with a part in its key in a partitioned one", &user_part, &by_other),
    ];
    for (what, inner, outer) in cases {
        let layer = cache();
        let app = private_handler().layer(inner(layer.clone())).layer(outer(layer));
        for (name, other) in [("alice", "x"), ("bob", "x")] {
            let request = request("GET", "/me", &[("x-user", name), ("x-other", other)]);
            let got = send(&app, request).await;
            assert!(got.body.contains(name), "{what}: {name} got {}", got.body);
        }
    }
}

fn by(name: &'static str) -> Partition {
    Partition::header(HeaderName::from_static(name))
}

#[tokio::test]
async fn a_private_clone_inside_a_shared_one_stores_nothing() {
    let layer = cache();
    let private = layer.clone().private_by(Partition::header(header::AUTHORIZATION));
    let app = private_handler().layer(private).layer(layer);
    for _ in 0..2 {
        let got = as_user(&app, "alice").await;
        assert_eq!(got.outcome.unwrap().reason(), Some(Reason::Private));
    }
}

#[tokio::test]
async fn two_different_caches_on_one_path_are_two_caches() {
    let (inner, outer) = (cache().cache_status("near"), cache().cache_status("far"));
    let calls = Calls::default();
    let app = Router::new()
        .route("/x", named("x"))
        .layer(inner.clone())
        .layer(outer.clone())
        .with_state(calls.clone());
    let miss = ask(&app, "/x").await;
    let names: Vec<_> = members(&miss).iter().map(|member| member.split(';').next()).collect();
    assert_eq!(
        names,
        [Some("near"), Some("far")],
        "RFC 9211 §2: the one closest to the client last"
    );
    assert!(ask(&app, "/x").await.is_hit());
    let counted = |layer: &TestLayer| {
        let stats = layer.handle().stats();
        (stats.hits, stats.misses, stats.stored)
    };
    assert_eq!((counted(&inner), counted(&outer)), ((0, 1, 1), (1, 1, 1)));
    outer.handle().purge(Purge::url("http://a.test/x".parse().unwrap())).await.unwrap();
    ask(&app, "/x").await;
    assert_eq!((inner.handle().stats().hits, calls.count()), (1, 1), "the inner one still has it");
    send(&app, request("PUT", "/x", &[])).await;
    assert!(!ask(&app, "/x").await.is_hit());
    assert_eq!(calls.count(), 3, "a write passes both, and both drop what they have");
}

/// A policy is a word between clones of one cache: another cache must not take it for its own.
#[tokio::test]
async fn a_policy_does_not_reach_a_different_cache() {
    for (is_outside, is_lax) in [(true, false), (true, true), (false, false), (false, true)] {
        let (lax, strict) = (CachePolicy::rfc9111(), CachePolicy::shared());
        let (one, two) = match is_lax {
            true => (cache().policy(strict), cache().policy(lax)),
            false => (cache().policy(lax), cache().policy(strict)),
        };
        let layers = match is_outside {
            true => [one.clone(), one.clone(), two.clone()],
            false => [one.clone(), two.clone(), one.clone()],
        };
        let answer = || async { (MINUTE, [("set-cookie", "session=alice")], "page") };
        let mut app: Router = Router::new().route("/x", get(answer));
        for layer in layers {
            app = app.layer(layer);
        }
        ask(&app, "/x").await;
        let stored = |layer: &TestLayer| layer.handle().stats().stored;
        assert_eq!(stored(&two), u64::from(is_lax), "only the lax ones store a Set-Cookie");
        assert_eq!(stored(&one), u64::from(!is_lax), "only the lax ones store a Set-Cookie");
    }
}

/// A handler's hint is for every cache in front of it.
#[tokio::test]
async fn a_hint_reaches_each_cache() {
    let (inner, outer) = (cache(), cache());
    let hint = CacheHint::fresh_for(Duration::from_secs(30));
    let app: Router = Router::new()
        .route("/x", get(move || async move { (Extension(hint), "x") }))
        .layer(inner.clone())
        .layer(outer.clone());
    assert_eq!(left(&ask(&app, "/x").await), Some(30));
    assert_eq!((inner.handle().stats().stored, outer.handle().stats().stored), (1, 1));
}
