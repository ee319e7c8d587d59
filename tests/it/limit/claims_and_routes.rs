//! Keys by what a token says, and by the route that was matched.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::Verifier;
use tower_keep::limit::{LimitBy, LimitKey};
use tower_keep::time::Timestamp;

use super::support::key;
use crate::auth::tokens::{AUDIENCE, NOW, claims, signers};

/// The key of a request with a token that has these claims besides.
fn by_claim(name: &str, more: &Value) -> Option<LimitKey> {
    let mut claims = claims("alice");
    let members = more.as_object().unwrap().clone();
    claims.as_object_mut().unwrap().extend(members);
    let token = signers().token(Es256, &claims);
    let verifier = Verifier::new(claims["iss"].as_str().unwrap(), AUDIENCE);
    let now = Timestamp::from_secs(NOW as i64);
    let verified = verifier.verify(token.as_bytes(), &signers().keys(&[Es256]), now).unwrap();
    let mut request = http::Request::new(());
    request.extensions_mut().insert(verified);
    key(&LimitBy::claim(name), &request)
}

#[test]
fn claims_are_told_apart_by_name_issuer_kind_and_value() {
    let all = [
        ("tenant", json!({"tenant": "1"})),
        ("tenant", json!({"tenant": 1})),
        ("tenant", json!({"tenant": "2"})),
        ("tenant", json!({"tenant": ""})),
        ("tenant", json!({"tenant": true})),
        ("tenant", json!({"tenant": "true"})),
        ("tenant", json!({"tenant": [1]})),
        ("tenant", json!({"tenant": "[1]"})),
        ("tenant", json!({"tenant": "1", "iss": "https://other.example"})),
        ("plan", json!({"plan": "1"})),
    ];
    for (index, (name, one)) in all.iter().enumerate() {
        let first = by_claim(name, one);
        assert!(first.is_some());
        let mut another = one.clone();
        another["sub"] = json!("somebody else");
        assert_eq!(first, by_claim(name, &another), "all of a tenant together: {one}");
        for (name, other) in &all[index + 1..] {
            assert_ne!(first, by_claim(name, other), "{one} {other}");
        }
    }
}

#[test]
fn without_a_token_or_the_claim_there_is_no_key() {
    assert_eq!(by_claim("tenant", &json!({})), None);
    assert_eq!(by_claim("tenant", &json!({"tenant": null})), None);
    assert_eq!(key(&LimitBy::claim("tenant"), &http::Request::new(())), None);
    assert_eq!(format!("{:?}", LimitBy::claim("tenant")), "LimitBy::claim(tenant)");
}

type Seen = Arc<Mutex<Vec<Option<LimitKey>>>>;

async fn note(
    Extension(seen): Extension<Seen>,
    request: Request,
    next: Next,
) -> axum::response::Response {
    let found = LimitBy::route().key_of((&request).into(), &[7; 16]);
    seen.lock().unwrap().push(found);
    next.run(request).await
}

#[tokio::test]
async fn routes_are_told_apart_as_they_were_written_down_and_methods_are_not() {
    let seen = Seen::default();
    let inner = Router::new().route("/users/{id}", get(async || "").post(async || ""));
    let app: Router = Router::new()
        .route("/users/{id}", get(async || "").post(async || ""))
        .route("/users/me", get(async || ""))
        .nest("/v2", inner)
        .layer(from_fn(note))
        .layer(Extension(seen.clone()));
    for (method, path) in [
        ("GET", "/users/1"),
        ("GET", "/users/2?x=y"),
        ("POST", "/users/1"),
        ("GET", "/users/me"),
        ("GET", "/v2/users/1"),
        ("GET", "/nowhere"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap();
    }
    let seen = seen.lock().unwrap();
    let [one, two, posted, me, nested, nowhere] = seen[..] else { panic!("{}", seen.len()) };
    assert!(one.is_some() && one == two && one == posted);
    assert!(me.is_some() && nested.is_some());
    assert!(one != me && one != nested && me != nested);
    assert_eq!(nowhere, None);
    assert_eq!(format!("{:?}", LimitBy::route()), "LimitBy::route()");
}
