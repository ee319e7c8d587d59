//! C04 with a `JwtLayer`: what refuses, and what lets in, is not stored.

use serde_json::json;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, RequireScope};
use tower_keep::cache::SetCookie;
use tower_keep::test_util::ManualClock;

use super::caches::{Both, is_hit, policies};
use super::scripted_keys::Script;
use super::tokens::{NOW, bearer, claims_with, signers, verifier};
use crate::support::{Inner, answered, request, response};

#[tokio::test]
async fn c04_no_refusal_is_stored() {
    for policy in policies() {
        let eager = policy.set_cookie(SetCookie::StoredAndReplayed);
        let both = Both::cache_outside(&[("cache-control", "no-store")])
            .cached(|layer| layer.policy(eager))
            .guarded(|auth| auth.or_cookie("sid"));
        let expired = signers().token(Es256, &claims_with(json!({"exp": NOW})));
        let expired = format!("Bearer {expired}");
        let refused: [(&[(&str, &str)], u16); 6] = [
            (&[], 401),
            (&[("authorization", "Basic a")], 401),
            (&[("authorization", &expired)], 401),
            (&[("cookie", "sid=a.b.c")], 401),
            (&[("authorization", "Bearer")], 400),
            // It is no POST, and so no call.
            (&[("content-type", "application/grpc")], 401),
        ];
        for (fields, status) in refused {
            for method in ["GET", "HEAD", "GET"] {
                let answer = both.send(request(method, "/me", fields)).await;
                assert_eq!(
                    (answer.status.as_u16(), is_hit(&answer)),
                    (status, false),
                    "{fields:?}"
                );
                assert!(both.store.is_empty(), "{fields:?}");
            }
        }
        assert_eq!(both.calls(), 0);
        assert!(both.by("alice").await.body.contains("alice"), "nobody else's refusal is hers");
    }
}

#[tokio::test]
async fn c04_nor_is_one_for_want_of_scope_or_keys() {
    let line = bearer("alice");
    let sent = || request("GET", "/me", &[("authorization", &line)]);
    let inner = Inner::new(|_, _| response(&[], "x"));
    for policy in policies() {
        let both = Both::cache_outside(&[]).cached(|layer| layer.policy(policy.clone()));
        let small =
            both.cache.layer(both.auth.layer(RequireScope::new("admin").layer(inner.clone())));
        let keys = Script::fixed(None);
        let auth = JwtLayer::with_clock(verifier(), keys, ManualClock::new());
        let keyless = both.cache.layer(auth.layer(inner.clone()));
        for _ in 0..2 {
            assert_eq!(small.clone().oneshot(sent()).await.unwrap().status(), 403);
            assert_eq!(keyless.clone().oneshot(sent()).await.unwrap().status(), 503);
            assert!(both.store.is_empty());
        }
    }
    assert_eq!(inner.calls(), 0);
}

/// The answer to a login is for whoever has logged in.
#[tokio::test]
async fn c04_a_login_is_not_stored() {
    for is_outside in [true, false] {
        for (status, said) in
            [(200, "public, max-age=60"), (303, "max-age=60"), (401, "max-age=60")]
        {
            let both = Both::new(is_outside, &[]).guarded(JwtLayer::optional);
            let both = both.answered(move |_, call| {
                let fields = [("cache-control", said), ("set-cookie", "sid=alice")];
                answered(status, &fields, format!("session {call}"))
            });
            for call in 0..2 {
                let login = both.send(request("POST", "/login", &[])).await;
                assert_eq!(login.body, format!("session {call}"));
                assert!(both.store.is_empty(), "{status} {said}");
            }
        }
    }
}
