//! `layer`, `route_layer`, `nest` and `merge`.

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, MatchedPath, Path, Request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Extension, Router};
use http::StatusCode;
use tower::ServiceExt;
use tower_keep::cache::{CacheLayer, CachePolicy, DefaultFreshness, KeyParts, Purge};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::{Calls, MINUTE, ask, cache, forward, is_stored, named, send};
use crate::support::{Got, request};

#[tokio::test]
async fn a_layer_on_the_router_caches_its_routes_and_its_fallback() {
    let calls = Calls::default();
    let fallback = || async { (StatusCode::NOT_FOUND, MINUTE, "nothing here") };
    let app = Router::new()
        .route("/a", named("a"))
        .route("/b/{id}", named("b"))
        .fallback(fallback)
        .layer(cache())
        .with_state(calls.clone());
    for path in ["/a", "/a?x=1", "/b/1", "/b/2", "/missing"] {
        is_stored(&app, path).await;
    }
    assert_eq!(calls.count(), 4);
}

#[tokio::test]
async fn a_route_layer_caches_its_routes_and_not_its_fallback() {
    let fallback = || async { (StatusCode::NOT_FOUND, MINUTE, "nothing here") };
    let app = Router::new()
        .route("/a", named("a"))
        .route_layer(cache())
        .fallback(fallback)
        .with_state(Calls::default());
    is_stored(&app, "/a").await;
    for _ in 0..2 {
        let missing = ask(&app, "/missing").await;
        assert!(missing.outcome.is_none() && missing.status == 404);
    }
}

#[tokio::test]
async fn a_layer_on_a_method_router_caches_its_get_and_sees_its_writes() {
    let calls = Calls::default();
    let app = Router::new()
        .route("/a", named("a").layer(cache()))
        .route("/b", named("b"))
        .with_state(calls);
    is_stored(&app, "/a").await;
    send(&app, request("PUT", "/a", &[])).await;
    is_stored(&app, "/a").await;
    assert!(ask(&app, "/b").await.outcome.is_none());
}

/// axum answers HEAD from the GET handler; so does the cache.
#[tokio::test]
async fn head_of_a_cached_route_is_answered_from_its_get() {
    let app = Router::new().route("/a", named("a")).layer(cache()).with_state(Calls::default());
    let get = ask(&app, "/a").await;
    let head = send(&app, request("HEAD", "/a", &[])).await;
    assert!(head.is_hit() && head.body.is_empty());
    assert_eq!(head.field("content-length"), Some(get.body.len().to_string().as_str()));
}

#[tokio::test]
async fn nested_routers_that_share_a_cache_never_share_a_path() {
    let target = cache().key(tower_keep::axum::target);
    let scoped = cache();
    for (a, b) in [(target.clone(), target), (scoped.clone().scope("a"), scoped.scope("b"))] {
        let users = |name, layer| {
            Router::new().route("/users", named(name)).route("/", named(name)).layer(layer)
        };
        let app = Router::new()
            .nest("/a", users("a", a))
            .nest("/b", users("b", b))
            .with_state(Calls::default());
        for path in ["/a/users", "/b/users", "/a/users?x=1", "/b/users?x=1", "/a", "/b"] {
            is_stored(&app, path).await;
        }
        for path in ["/a/users", "/b/users"] {
            assert!(ask(&app, path).await.body.contains(path), "{path}");
        }
    }
}

#[tokio::test]
async fn a_write_in_one_nested_router_leaves_the_other_alone() {
    let target = cache().key(tower_keep::axum::target);
    let scoped = cache();
    for (a, b) in [(target.clone(), target), (scoped.clone().scope("a"), scoped.scope("b"))] {
        let users = |name, layer| Router::new().route("/users", named(name)).layer(layer);
        let app = Router::new()
            .nest("/a", users("a", a))
            .nest("/b", users("b", b))
            .with_state(Calls::default());
        is_stored(&app, "/a/users").await;
        is_stored(&app, "/b/users").await;
        send(&app, request("PUT", "/a/users", &[])).await;
        assert!(!ask(&app, "/a/users").await.is_hit());
        assert!(ask(&app, "/b/users").await.is_hit());
    }
}

#[tokio::test]
async fn deeply_nested_routers_and_services_keep_their_whole_target() {
    let layer = cache().key(tower_keep::axum::target);
    let calls = Calls::default();
    let leaf = |name| Router::new().route("/{id}", named(name)).layer(layer.clone());
    let service = leaf("service").with_state(calls.clone());
    let app = Router::new()
        .nest("/v1", Router::new().nest("/users", leaf("users")).nest("/shops", leaf("shops")))
        .nest("/v2", Router::new().nest("/users", leaf("users")))
        .nest("/{tenant}", Router::new().nest("/users", leaf("tenant")))
        .nest_service("/service", service)
        .with_state(calls);
    for path in [
        "/v1/users/7",
        "/v1/shops/7",
        "/v2/users/7",
        "/acme/users/7",
        "/other/users/7",
        "/service/7",
    ] {
        is_stored(&app, path).await;
    }
    layer.handle().purge(Purge::url("http://a.test/v1/users/7".parse().unwrap())).await.unwrap();
    assert!(!ask(&app, "/v1/users/7").await.is_hit());
    assert!(ask(&app, "/v2/users/7").await.is_hit());
}

#[tokio::test]
async fn the_original_target_is_the_key_byte_for_byte() {
    let layer = cache().key(tower_keep::axum::target);
    let app = Router::new()
        .nest("/a", Router::new().route("/{*rest}", named("a")).layer(layer))
        .with_state(Calls::default());
    for path in ["/a/b%2fc", "/a/b/c", "/a/b%2Fc", "/a//b/c", "/a/b/c?", "/a/b/c?x", "/a/../a/b/c"]
    {
        is_stored(&app, path).await;
    }
}

/// `target` only replaces the target: host and steering fields count as ever.
#[tokio::test]
async fn the_original_target_leaves_the_rest_of_the_key_as_it_is() {
    let layer = cache().key(tower_keep::axum::target);
    let app = Router::new()
        .nest("/a", Router::new().route("/x", named("a")).layer(layer))
        .with_state(Calls::default());
    ask(&app, "/a/x").await;
    for field in [("host", "b.test"), ("x-forwarded-host", "b.test"), ("x-original-url", "/a/x")] {
        assert!(!send(&app, request("GET", "/a/x", &[field])).await.is_hit(), "{field:?}");
    }
}

#[tokio::test]
async fn merged_routers_have_each_their_own_policy_and_one_store() {
    let layer = cache();
    let calls = Calls::default();
    let silent = |calls: &Calls| {
        let calls = calls.clone();
        get(move || async move { format!("{}", calls.next()) })
    };
    let fresh = |secs| {
        let freshness = DefaultFreshness::fixed(Duration::from_secs(secs));
        layer.clone().policy(CachePolicy::shared().default_freshness(freshness))
    };
    let app: Router = Router::new()
        .route("/none", silent(&calls))
        .layer(layer.clone())
        .merge(Router::new().route("/ten", silent(&calls)).layer(fresh(10)))
        .merge(Router::new().route("/hour", silent(&calls)).layer(fresh(3600)));
    for _ in 0..2 {
        assert_eq!(ask(&app, "/none").await.outcome.unwrap().freshness_left_secs(), None);
    }
    for (path, secs) in [("/ten", 10), ("/hour", 3600)] {
        is_stored(&app, path).await;
        assert_eq!(ask(&app, path).await.outcome.unwrap().freshness_left_secs(), Some(secs));
    }
    assert_eq!((layer.handle().stats().hits, layer.handle().stats().misses), (4, 4));
}

/// What servers, routers and layers have attached is there for the handler, whatever the cache did.
#[tokio::test]
async fn extensions_reach_the_handler_on_every_way_through() {
    async fn handler(
        path: MatchedPath,
        ConnectInfo(peer): ConnectInfo<SocketAddr>,
        Extension(user): Extension<&'static str>,
        Path(id): Path<u32>,
        request: Request,
    ) -> impl IntoResponse {
        let fields = [("cache-control", "max-age=60"), ("etag", "\"1\"")];
        let validates = request.headers().contains_key("if-none-match");
        let seen = format!("{} {peer} {user} {id}", path.as_str());
        assert_eq!(seen, "/users/{id} 192.0.2.1:7 alice 7");
        match validates {
            true => (StatusCode::NOT_MODIFIED, fields, Extension("unchanged"), String::new()),
            false => (StatusCode::OK, fields, Extension("said"), seen),
        }
    }
    let clock = ManualClock::new();
    let timed = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
    for is_route in [true, false] {
        let layer = timed.clone().scope(if is_route { "route" } else { "router" });
        let route = Router::new().route("/users/{id}", get(handler).merge(post(handler)));
        let app = if is_route { route.route_layer(layer) } else { route.layer(layer) };
        let app: Router = app.layer(Extension("alice"));
        let ask = async |method: &str, fields: &[(&str, &str)]| {
            let mut request = request(method, "/users/7", fields);
            let peer = SocketAddr::from(([192, 0, 2, 1], 7));
            request.extensions_mut().insert(ConnectInfo(peer));
            app.clone().oneshot(request).await.unwrap()
        };
        let miss = ask("GET", &[]).await;
        assert_eq!(miss.extensions().get(), Some(&"said"), "the response keeps its own too");
        Got::read(miss).await;
        clock.advance(Duration::from_secs(61));
        assert_eq!(ask("GET", &[]).await.status(), 200, "validated");
        assert_eq!(ask("GET", &[("x-http-method-override", "X")]).await.status(), 200, "bypassed");
        assert_eq!(ask("POST", &[]).await.status(), 200, "written");
    }
}

/// MatchedPath is there for key functions, where the layer is below the router.
#[tokio::test]
async fn a_key_function_sees_the_matched_path() {
    let layer = cache().key(|head| {
        let path = head.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned());
        KeyParts::from(head).target(path.unwrap_or_default())
    });
    let app = Router::new()
        .route("/users/{id}", named("user"))
        .route_layer(layer)
        .with_state(Calls::default());
    is_stored(&app, "/users/7").await;
    let other = ask(&app, "/users/8").await;
    assert!(other.is_hit() && forward(&other).is_none(), "one entry for each route");
}
