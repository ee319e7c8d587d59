//! C01 to C03 with a `JwtLayer`: a cache outside it, and one inside.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use serde_json::json;
use tower::{Layer as _, ServiceExt as _};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{JwtLayer, RequireScope};
use tower_keep::cache::{CacheLayer, CachePolicy, DefaultFreshness};
use tower_keep::head::Principal;
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use super::guarded::{Answer, PUBLIC, asker, read};
use super::tokens::{bearer, claims, claims_with, signers, verifier};
use crate::support::{Harness, Inner, TestLayer, request, response};

pub type Auth = JwtLayer<ManualClock>;
pub type Said = &'static [(&'static str, &'static str)];

/// A cache and a layer that authenticates, in front of a service that greets.
pub struct Both {
    pub clock: ManualClock,
    pub store: MemoryStore,
    pub inner: Inner,
    pub cache: TestLayer,
    pub auth: Auth,
    is_cache_outside: bool,
}

impl Both {
    pub fn cache_outside(said: Said) -> Self {
        Self::new(true, said)
    }

    pub fn cache_inside(said: Said) -> Self {
        Self::new(false, said)
    }

    pub fn new(is_cache_outside: bool, said: Said) -> Self {
        let (clock, store) = (ManualClock::new(), MemoryStore::with_bytes_max(1 << 20));
        let greet = move |request: &Request<Body>, call| response(said, greeting(request, call));
        Self {
            cache: CacheLayer::with_clock(store.clone(), clock.clone()),
            auth: JwtLayer::with_clock(verifier(), signers().keys(&PUBLIC), clock.clone()),
            inner: Inner::new(greet),
            clock,
            store,
            is_cache_outside,
        }
    }

    pub fn cached(mut self, change: impl FnOnce(TestLayer) -> TestLayer) -> Self {
        self.cache = change(self.cache);
        self
    }

    pub fn guarded(mut self, change: impl FnOnce(Auth) -> Auth) -> Self {
        self.auth = change(self.auth);
        self
    }

    pub fn answered(
        mut self,
        answer: impl Fn(&Request<Body>, usize) -> Response<Body> + Send + Sync + 'static,
    ) -> Self {
        self.inner = Inner::new(answer);
        self
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (cache, auth, inner) = (&self.cache, &self.auth, self.inner.clone());
        match self.is_cache_outside {
            true => read(cache.layer(auth.layer(inner)).oneshot(request).await.unwrap()).await,
            false => read(auth.layer(cache.layer(inner)).oneshot(request).await.unwrap()).await,
        }
    }

    pub async fn get(&self, fields: &[(&str, &str)]) -> Answer {
        self.send(request("GET", "/me", fields)).await
    }

    /// As this user, with a token as `Authorization`.
    pub async fn by(&self, who: &str) -> Answer {
        self.get(&[("authorization", &bearer(who))]).await
    }

    pub fn calls(&self) -> usize {
        self.inner.calls()
    }
}

fn greeting(request: &Request<Body>, call: usize) -> String {
    format!("hello {}, call {call}", asker(request))
}

pub fn is_hit(answer: &Answer) -> bool {
    answer.field("cache-status").is_some_and(|status| status.contains("; hit"))
}

pub fn policies() -> [CachePolicy; 3] {
    let fixed = DefaultFreshness::fixed(Duration::from_secs(60));
    [CachePolicy::shared(), CachePolicy::shared().default_freshness(fixed), CachePolicy::rfc9111()]
}

const SILENT: [Said; 5] = [
    &[],
    &[("cache-control", "max-age=60")],
    &[("cache-control", "max-age=60, stale-while-revalidate=60, immutable")],
    &[("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")],
    &[("expires", "Sun, 06 Nov 2094 08:49:37 GMT")],
];

/// RFC 9111 §3.5: her answer is hers, on whichever side of the layer the cache is.
#[tokio::test]
async fn c01_an_answer_to_a_token_is_nobody_elses_without_the_origins_word() {
    for said in SILENT {
        for policy in policies() {
            for both in [Both::cache_outside(said), Both::cache_inside(said)] {
                let both = both.cached(|layer| layer.policy(policy.clone()));
                let both = both.guarded(JwtLayer::optional);
                let alice = both.by("alice").await;
                assert!(alice.body.contains("alice") && both.store.is_empty(), "{said:?}");
                let (bob, nobody) = (both.by("bob").await, both.get(&[]).await);
                assert_eq!(both.calls(), 3, "{said:?}");
                assert!(bob.body.contains("bob") && nobody.body.contains("nobody"), "{said:?}");
            }
        }
    }
}

#[tokio::test]
async fn c01_a_cache_outside_does_not_let_anybody_in() {
    for said in SILENT {
        let both = Both::cache_outside(said);
        both.by("alice").await;
        for fields in [&[][..], &[("authorization", "Bearer a.b.c")]] {
            let refused = both.get(fields).await;
            assert_eq!((refused.status.as_u16(), both.calls()), (401, 1), "{said:?}");
        }
    }
}

/// What a cache outside does where the origin says that all may have it: it asks nobody who he is.
#[tokio::test]
async fn c02_a_cache_outside_shares_by_the_origins_word_whoever_asks() {
    for said in ["public, max-age=600", "s-maxage=600", "max-age=600, must-revalidate"] {
        let both = Both::cache_outside(&[]).answered(move |request, call| {
            response(&[("cache-control", said)], greeting(request, call))
        });
        assert!(both.by("alice").await.body.contains("alice"));
        // Bob's token has expired by now, nobody has none, and the last is no token.
        both.clock.advance(Duration::from_secs(300));
        let bobs = bearer("bob");
        for fields in
            [&[("authorization", bobs.as_str())][..], &[], &[("authorization", "Bearer a")]]
        {
            let shared = both.get(fields).await;
            assert!(is_hit(&shared) && shared.body.contains("alice"), "{said}");
        }
        assert_eq!(both.calls(), 1);
    }
}

/// Further in, whoever gets as far as the cache has shown a good token.
#[tokio::test]
async fn c02_a_cache_inside_answers_good_tokens_alone() {
    let both = Both::cache_inside(&[("cache-control", "public, max-age=600")]);
    both.by("alice").await;
    assert!(is_hit(&both.by("bob").await));
    both.clock.advance(Duration::from_secs(300));
    let expired = bearer("bob");
    for fields in [&[][..], &[("authorization", &*expired)], &[("authorization", "Bearer a")]] {
        let refused = both.get(fields).await;
        assert_eq!(refused.status, 401);
        assert!(!refused.body.contains("alice"));
    }
    assert_eq!(both.calls(), 1);
}

/// What a scope grants is asked outside the cache, or a hit is for all.
#[tokio::test]
async fn c02_a_scope_is_asked_for_outside_the_cache() {
    let both = Both::cache_inside(&[("cache-control", "public, max-age=60")]);
    let reader = bearer("alice");
    let admin = signers().token(Es256, &claims_with(json!({"scope": "admin"})));
    let admin = format!("Bearer {admin}");
    let needs = RequireScope::new("admin");
    let outside = both.auth.layer(needs.layer(both.cache.layer(both.inner.clone())));
    for (line, status) in [(&admin, 200), (&reader, 403), (&admin, 200)] {
        let sent = request("GET", "/me", &[("authorization", line)]);
        assert_eq!(outside.clone().oneshot(sent).await.unwrap().status(), status);
    }
    assert_eq!(both.calls(), 1);
}

/// What a token grants may be for its bearer alone, also where it is about nobody.
#[tokio::test]
async fn c03_a_token_without_a_subject_says_too_that_somebody_asks() {
    let token = signers().token(Es256, &claims_with(json!({"sub": null})));
    let cookie = format!("sid={token}");
    for said in [&[("cache-control", "max-age=60")][..], &[]] {
        let fixed = DefaultFreshness::fixed(Duration::from_secs(60));
        let layer = JwtLayer::with_clock(
            verifier().or_plain_jwt(),
            signers().keys(&PUBLIC),
            ManualClock::new(),
        );
        let both = Both::cache_inside(said)
            .cached(|cache| cache.policy(CachePolicy::shared().default_freshness(fixed)))
            .guarded(|_| layer.or_cookie("sid").optional());
        assert_eq!(both.get(&[("cookie", &cookie)]).await.status, 200);
        assert!(both.store.is_empty(), "{said:?}");
    }
}

/// A cookie says who asks as `Authorization` does.
#[tokio::test]
async fn c03_a_principal_counts_as_credentials() {
    let token = signers().token(Es256, &claims("alice"));
    let alice = format!("sid={token}");
    for said in SILENT {
        for policy in policies() {
            let both = Both::cache_inside(said).cached(|layer| layer.policy(policy.clone()));
            let both = both.guarded(|auth| auth.or_cookie("sid").optional());
            assert!(both.get(&[("cookie", &alice)]).await.body.contains("alice"));
            assert!(both.store.is_empty(), "{said:?}");
            assert!(both.get(&[]).await.body.contains("nobody"), "{said:?}");
        }
    }
    let shared = Both::cache_inside(&[("cache-control", "public, max-age=60")])
        .guarded(|auth| auth.or_cookie("sid").optional());
    shared.get(&[("cookie", &alice)]).await;
    assert!(is_hit(&shared.get(&[]).await), "by the origin's word");
}

/// Whoever has found out who asks, and however.
#[tokio::test]
async fn c03_a_principal_of_another_layer_counts_too() {
    for (said, is_stored) in [("max-age=60", false), ("public, max-age=60", true)] {
        let cache = Harness::new(move |_, _| response(&[("cache-control", said)], "x"));
        let mut sent = request("GET", "/me", &[]);
        sent.extensions_mut().insert(Principal::new("sessions", "alice"));
        cache.send(sent).await;
        assert_eq!(cache.get("/me", &[]).await.is_hit(), is_stored, "{said}");
    }
}
