//! Places in the inner service, layers in each other, and answers that are built anew on their way.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{HeaderName, Request, Response, header};
use tower::limit::ConcurrencyLimit;
use tower::{Layer as _, Service as _, ServiceExt as _};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, Refreshed, RequireScope};
use tower_keep::cache::{CacheLayer, KeyParts, Partition};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::auth::caches::{Auth, Said};
use crate::auth::guarded::{Guarded, PUBLIC, asker, read};
use crate::auth::scripted_keys::Script;
use crate::auth::tokens::{bearer, claims, signers, verifier};
use crate::support::{Inner, TestLayer, request, response};

const MAX_AGE: Said = &[("cache-control", "max-age=60")];

fn cookie(name: &str, who: &str) -> String {
    format!("{name}={}", signers().token(Es256, &claims(who)))
}

fn auth(clock: &ManualClock) -> Auth {
    JwtLayer::with_clock(verifier(), signers().keys(&PUBLIC), clock.clone())
}

fn cache(clock: &ManualClock) -> TestLayer {
    CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone())
}

/// A service that is called itself, and not by its clones, as a buffer does: nobody else comes by to free its place.
#[tokio::test]
async fn k04_who_has_waited_for_keys_does_not_wait_for_the_next_request() {
    let keys = Script::asking(None);
    let layer = JwtLayer::with_clock(verifier(), keys.clone(), ManualClock::new());
    let inner = Inner::new(|request, _| response(&[], asker(request)));
    let mut service = layer.layer(ConcurrencyLimit::new(inner, 1));
    let sent = request("GET", "/", &[("authorization", &bearer("alice"))]);
    let mut waiting = Box::pin(service.ready().await.unwrap().call(sent));
    assert!((&mut waiting).now_or_never().is_none());
    keys.answer(Refreshed::Current(signers().keys(&PUBLIC)));
    let answered = waiting.now_or_never().expect("its place is free").unwrap();
    assert_eq!(read(answered).await.body, "alice");
}

/// Of two layers that pass claims on, the inner one does not let what the outer one has said be lent.
#[tokio::test]
async fn c03_a_refresh_lends_no_claim_of_any_of_two_layers() {
    let clock = ManualClock::new();
    let said: Said = &[("cache-control", "public, max-age=10, stale-while-revalidate=600")];
    let inner = Inner::new(|request, _| response(said, asker(request)));
    let cache = cache(&clock).key(|head| {
        let edition = head.headers.get("x-edition").map_or(&b""[..], |it| it.as_bytes());
        KeyParts::from(head).part(edition)
    });
    let fields = ["x-user", "x-client"].map(HeaderName::from_static);
    let [outer, within] = [("sub", &fields[0]), ("client_id", &fields[1])]
        .map(|(claim, field)| auth(&clock).forward_claim(claim, field.clone()));
    let service = outer.layer(within.layer(cache.layer(inner.clone())));
    for who in ["alice", "bob"] {
        let line = bearer(who);
        let sent = request("GET", "/me", &[("authorization", &line), ("x-edition", "1")]);
        read(service.clone().oneshot(sent).await.unwrap()).await;
        clock.advance(Duration::from_secs(20));
    }
    cache.handle().drain(Duration::from_secs(60)).await.unwrap();
    let seen = inner.seen();
    assert_eq!(seen.len(), 2);
    for field in &fields {
        assert!(seen[0].headers.contains_key(field), "{field}");
        assert!(!seen[1].headers.contains_key(field), "{field}");
    }
}

/// The inner layer finds nobody, and what the outer one has found is still in a field.
#[tokio::test]
async fn c01_a_claim_that_an_outer_layer_has_passed_on_keeps_an_answer_from_others() {
    let clock = ManualClock::new();
    let inner = Inner::new(|request, _| {
        let user = request.headers().get("x-user").map_or("nobody", |it| it.to_str().unwrap());
        response(MAX_AGE, user.to_owned())
    });
    let user = HeaderName::from_static("x-user");
    let outer = auth(&clock).or_cookie("sid").optional().forward_claim("sub", user);
    let within = auth(&clock).or_cookie("partner").optional();
    let service = outer.layer(within.layer(cache(&clock).layer(inner)));
    let get = async |fields: &[(&str, &str)]| {
        read(service.clone().oneshot(request("GET", "/me", fields)).await.unwrap()).await.body
    };
    assert_eq!(get(&[("cookie", &cookie("sid", "alice"))]).await, "alice");
    assert_eq!(get(&[("cookie", &cookie("sid", "bob"))]).await, "bob");
    assert_eq!(get(&[]).await, "nobody");
}

/// A middleware that makes a response of its own of what came knows nothing of our extensions.
#[tokio::test]
async fn c01_an_answer_that_is_built_anew_on_its_way_out_is_still_hers() {
    let clock = ManualClock::new();
    let inner = Inner::new(|request, _| response(MAX_AGE, asker(request)));
    let anew = tower::util::MapResponseLayer::new(|came: Response<_>| {
        let (head, body) = came.into_parts();
        let mut anew = Response::new(body);
        *anew.headers_mut() = head.headers;
        anew
    });
    let guarded = auth(&clock).or_cookie("sid").layer(inner);
    let service = cache(&clock).layer(anew.layer(guarded));
    for who in ["alice", "bob"] {
        let sent = request("GET", "/me", &[("cookie", &cookie("sid", who))]);
        assert_eq!(read(service.clone().oneshot(sent).await.unwrap()).await.body, who);
    }
}

/// A cache of one user's gives what it holds to her alone; one that stands in front of it knows that no more from the layer within.
#[tokio::test]
async fn c01_what_a_private_cache_gives_to_her_no_shared_one_in_front_keeps() {
    let clock = ManualClock::new();
    let inner = Inner::new(|request, _| response(MAX_AGE, asker(request)));
    let hers = cache(&clock).private_by(Partition::header(header::COOKIE));
    let guarded = auth(&clock).or_cookie("sid").layer(inner.clone());
    let service = cache(&clock).layer(hers.layer(guarded));
    let alice = cookie("sid", "alice");
    let bob = cookie("sid", "bob");
    for (cookie, who) in [(&alice, "alice"), (&alice, "alice"), (&bob, "bob")] {
        let sent = request("GET", "/me", &[("cookie", cookie)]);
        assert_eq!(read(service.clone().oneshot(sent).await.unwrap()).await.body, who);
    }
}

/// Who waits for another's answer gets it only if it may be kept for him.
#[tokio::test]
async fn c01_nobody_who_waits_for_her_answer_gets_it() {
    let clock = ManualClock::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let inner = tower::service_fn(move |request: Request<Body>| {
        let call = counted.fetch_add(1, Ordering::Relaxed);
        async move {
            // The others come and wait meanwhile.
            for _ in 0..16 - call {
                tokio::task::yield_now().await;
            }
            Ok::<_, Infallible>(response(MAX_AGE, asker(&request)))
        }
    });
    let service = cache(&clock).layer(auth(&clock).or_cookie("sid").layer(inner));
    let get = async |who: &str| {
        let sent = request("GET", "/me", &[("cookie", &cookie("sid", who))]);
        read(service.clone().oneshot(sent).await.unwrap()).await.body
    };
    let (alice, bob, carol) = tokio::join!(get("alice"), get("bob"), get("carol"));
    assert_eq!([alice, bob, carol], ["alice", "bob", "carol"]);
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

/// A call of gRPC is a POST. Whoever asks "may this pass?" does so with GET and the client's fields, and looks at the status.
#[test]
fn no_client_turns_a_refusal_into_a_200_but_by_a_call_of_grpc() {
    let guarded = Guarded::new();
    let scope = guarded.layer.layer(RequireScope::new("admin").layer(guarded.inner.clone()));
    let line = bearer("alice");
    for kind in ["application/grpc", "application/grpc-web+proto", "Application/GRPC;v=1"] {
        for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
            let refused = guarded.send(request(method, "/", &[("content-type", kind)]));
            assert_eq!((refused.status.as_u16(), refused.field("grpc-status")), (401, None));
            let fields = [("content-type", kind), ("authorization", line.as_str())];
            let sent = request(method, "/", &fields);
            let refused = scope.clone().oneshot(sent).now_or_never().unwrap().unwrap();
            assert_eq!(refused.status(), 403, "{method} {kind}");
        }
    }
}
