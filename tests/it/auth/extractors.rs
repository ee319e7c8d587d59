//! What a token says, as arguments of axum's handlers.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use serde_json::{Value, json};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, RefusalKind, RequireScope, RequireToken, Verified};
use tower_keep::axum::Claims;
use tower_keep::test_util::ManualClock;

use super::guarded::{Answer, PUBLIC, answer};
use super::tokens::{bearer, claims_with, signers, verifier};
use crate::support::request;

#[derive(serde::Deserialize)]
struct User {
    sub: String,
    tenant: u32,
}

type Auth = JwtLayer<ManualClock>;

fn layer() -> Auth {
    JwtLayer::with_clock(verifier(), signers().keys(&PUBLIC), ManualClock::new())
}

/// Routes with each of the arguments, behind a layer or not.
fn app(auth: Option<Auth>) -> Router {
    let app = Router::new()
        .route(
            "/claims",
            get(async |Claims(user): Claims<User>| format!("{} {}", user.sub, user.tenant)),
        )
        .route("/claims/any", get(async |Claims(all): Claims<Value>| all["sub"].to_string()))
        .route(
            "/claims/maybe",
            get(async |user: Option<Claims<User>>| {
                user.map_or("nobody".into(), |Claims(user)| user.sub)
            }),
        )
        .route("/verified", get(async |verified: Verified| verified.issuer().to_owned()))
        .route(
            "/verified/maybe",
            get(async |verified: Option<Verified>| verified.is_some().to_string()),
        );
    match auth {
        Some(auth) => app.layer(auth),
        None => app,
    }
}

fn ask(app: &Router, path: &str, line: Option<&str>) -> Answer {
    let fields: Vec<_> = line.map(|line| ("authorization", line)).into_iter().collect();
    let sent: Request<Body> = request("GET", path, &fields);
    answer(app.clone(), sent)
}

fn line(changes: Value) -> String {
    format!("Bearer {}", signers().token(Es256, &claims_with(changes)))
}

#[test]
fn claims_come_as_a_type_of_the_handlers() {
    let good = line(json!({"tenant": 7}));
    for auth in [layer(), layer().optional()] {
        let app = app(Some(auth));
        for (path, body) in [
            ("/claims", "alice 7"),
            ("/claims/any", "\"alice\""),
            ("/claims/maybe", "alice"),
            ("/verified", "https://login.example"),
            ("/verified/maybe", "true"),
        ] {
            let got = ask(&app, path, Some(&good));
            assert_eq!((got.status.as_u16(), &*got.body), (200, body), "{path}");
        }
    }
}

/// A good token of another shape is not a bad one: whoever sends it is known, and may not do this.
#[test]
fn claims_of_another_shape_are_forbidden() {
    let app = app(Some(layer()));
    for changes in
        [json!({}), json!({"tenant": "7"}), json!({"tenant": -1}), json!({"tenant": null})]
    {
        let other = line(changes);
        for path in ["/claims", "/claims/maybe"] {
            let got = ask(&app, path, Some(&other));
            assert_eq!(
                (got.status.as_u16(), got.kind()),
                (403, Some(RefusalKind::Forbidden)),
                "{path}"
            );
            assert_eq!(got.field("cache-control"), Some("no-store"));
            assert_eq!(got.field("content-type"), Some("application/problem+json"));
            assert_eq!(got.field("www-authenticate"), None);
            assert!(
                got.body.contains("\"status\":403") && !got.body.contains("tenant"),
                "{}",
                got.body
            );
        }
        assert_eq!(ask(&app, "/claims/any", Some(&other)).status, 200);
    }
}

#[test]
fn without_a_token_there_are_no_claims() {
    let good = line(json!({"tenant": 7}));
    // Where a token is optional and none is sent; and where there is no layer, whatever is sent.
    let both = [
        (app(Some(layer().optional())), None),
        (app(None), None),
        (app(None), Some(good.as_str())),
    ];
    for (app, line) in both {
        for path in ["/claims", "/claims/any", "/verified"] {
            let got = ask(&app, path, line);
            assert_eq!(
                (got.status.as_u16(), got.kind()),
                (401, Some(RefusalKind::NoToken)),
                "{path}"
            );
            assert_eq!(got.field("www-authenticate"), Some("Bearer realm=\"api\""));
            assert_eq!(got.field("cache-control"), Some("no-store"));
        }
        for (path, body) in [("/claims/maybe", "nobody"), ("/verified/maybe", "false")] {
            let got = ask(&app, path, line);
            assert_eq!((got.status.as_u16(), &*got.body), (200, body), "{path}");
        }
    }
    let app = app(Some(layer().optional()));
    assert_eq!(
        ask(&app, "/claims/maybe", Some("Bearer a.b.c")).status,
        401,
        "one that is sent is good"
    );
}

/// Layers on a router, on one of its routes, and on one that is nested.
#[test]
fn routers_take_the_layers_as_they_are() {
    let who = get(async |verified: Option<Verified>| {
        verified.as_ref().and_then(Verified::subject).unwrap_or("nobody").to_owned()
    });
    let nested = Router::new()
        .route("/me", who.clone().layer(RequireToken::new()))
        .route("/admin", who.clone().route_layer(RequireScope::new("admin")));
    let app: Router = Router::new()
        .route("/", who)
        .nest("/nested", nested)
        .layer(layer().optional().forward_claim("sub", http::HeaderName::from_static("x-user")));
    let alice = bearer("alice");
    for (path, line, status) in [
        ("/", None, 200),
        ("/", Some(&*alice), 200),
        ("/nested/me", None, 401),
        ("/nested/me", Some(&alice), 200),
        ("/nested/admin", None, 401),
        ("/nested/admin", Some(&alice), 403),
        ("/nested/none", Some(&alice), 404),
        ("/nested/none", Some("Bearer a.b.c"), 401),
    ] {
        assert_eq!(ask(&app, path, line).status, status, "{path} {line:?}");
    }
}
