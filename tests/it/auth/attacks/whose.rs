//! Whose answer is served to whom, where more than one layer knows who asks.

use std::time::Duration;

use http::HeaderName;
use tower_keep::auth::Algorithm::Es256;
use tower_keep::cache::{KeyParts, Partition};
use tower_keep::head::Principal;

use crate::auth::caches::{Both, Said, is_hit};
use crate::auth::tokens::{bearer, claims, signers};
use crate::support::{Harness, request, response};

const MAX_AGE: Said = &[("cache-control", "max-age=60")];

fn cookie(who: &str) -> String {
    format!("sid={}", signers().token(Es256, &claims(who)))
}

/// A token in a cookie is a credential as one in `Authorization` is, also for a cache that stands outside.
#[tokio::test]
async fn c01_a_cache_outside_keeps_what_a_cookie_opened_from_others() {
    for said in [MAX_AGE, &[("cache-control", "max-age=60, stale-while-revalidate=60")]] {
        let both = Both::cache_outside(said).guarded(|auth| auth.or_cookie("sid"));
        let alice = both.get(&[("cookie", &cookie("alice"))]).await;
        assert!(alice.body.contains("alice"));
        let bob = both.get(&[("cookie", &cookie("bob"))]).await;
        assert!(bob.body.contains("bob"), "{bob:?}");
        let nobody = both.get(&[]).await;
        assert_eq!(nobody.status, 401, "{nobody:?}");
        assert!(both.store.is_empty());
    }
    let shared = Both::cache_outside(&[("cache-control", "public, max-age=60")])
        .guarded(|auth| auth.or_cookie("sid"));
    shared.get(&[("cookie", &cookie("alice"))]).await;
    assert!(is_hit(&shared.get(&[("cookie", &cookie("bob"))]).await), "by the origin's word");
}

/// A connection says that a frontend asks, the bearer token for which user: the frontend is nobody's user.
#[tokio::test]
async fn c03_a_principal_that_no_token_made_does_not_answer_for_a_bearer_token() {
    for (said, is_stored) in [("max-age=60", false), ("public, max-age=60", true)] {
        let cache = Harness::with(
            |layer| layer.partition_by(Partition::principal()),
            move |request, _| {
                let user = request.headers()["authorization"].to_str().unwrap().to_owned();
                response(&[("cache-control", said)], user)
            },
        );
        let by = |user: &'static str| {
            let mut sent = request("GET", "/me", &[("authorization", user)]);
            sent.extensions_mut().insert(Principal::new("mtls", "frontend"));
            cache.send(sent)
        };
        by("Bearer alice").await;
        let bob = by("Bearer bob").await;
        assert_eq!(bob.is_hit(), is_stored, "{said}");
        assert_eq!(bob.body.contains("alice"), is_stored, "{said}");
    }
}

/// A refresh for everybody goes without what a token said, in fields as in extensions.
#[tokio::test]
async fn c03_a_refresh_of_a_shared_entry_lends_no_forwarded_claim() {
    let said: Said = &[("cache-control", "public, max-age=10, stale-while-revalidate=600")];
    let both = Both::cache_inside(said)
        .guarded(|auth| auth.forward_claim("sub", HeaderName::from_static("x-user")))
        .cached(|layer| {
            layer.key(|head| {
                let edition = head.headers.get("x-edition").map_or(&b""[..], |it| it.as_bytes());
                KeyParts::from(head).part(edition)
            })
        });
    let by = |who: &str| {
        let line = bearer(who);
        both.send(request("GET", "/me", &[("authorization", &line), ("x-edition", "1")]))
    };
    by("alice").await;
    both.clock.advance(Duration::from_secs(20));
    assert!(is_hit(&by("bob").await));
    both.cache.handle().drain(Duration::from_secs(60)).await.unwrap();
    let seen = both.inner.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].headers["x-edition"], "1");
    for name in ["authorization", "x-user"] {
        assert!(!seen[1].headers.contains_key(name), "{name}");
    }
}
