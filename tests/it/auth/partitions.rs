//! C02, C03: a cache inside a `JwtLayer` that is divided by who asks.

use std::time::Duration;

use http::HeaderName;
use serde_json::{Value, json};
use tower_keep::auth::Algorithm::Es256;
use tower_keep::auth::{Verified, Verifier};
use tower_keep::cache::Partition;
use tower_keep::head::Principal;

use super::caches::{Both, Said, is_hit};
use super::guarded::PUBLIC;
use super::tokens::{AUDIENCE, bearer, claims, claims_with, others, signers};
use crate::support::request;

const MAX_AGE: Said = &[("cache-control", "max-age=60")];
const SHARED: Said = &[("cache-control", "public, max-age=60")];
const PRIVATE: Said = &[("cache-control", "private, max-age=60")];

fn by_principal(said: Said) -> Both {
    Both::cache_inside(said).cached(|layer| layer.partition_by(Partition::principal()))
}

fn line(changes: Value) -> String {
    format!("Bearer {}", signers().token(Es256, &claims_with(changes)))
}

#[tokio::test]
async fn c02_whoever_asks_has_his_own_answers() {
    for said in [SHARED, MAX_AGE] {
        let both = by_principal(said).guarded(|auth| auth.optional());
        for (who, call) in [("alice", 0), ("bob", 1), ("Alice", 2), ("alice ", 3)] {
            let first = both.by(who).await;
            assert_eq!((first.body, both.calls()), (format!("hello {who}, call {call}"), call + 1));
        }
        let nobody = both.get(&[]).await;
        assert_eq!((&*nobody.body, both.calls()), ("hello nobody, call 4", 5));
        for (who, call) in [("alice", 0), ("bob", 1), ("Alice", 2), ("alice ", 3)] {
            let second = both.by(who).await;
            assert!(is_hit(&second), "{who}");
            assert_eq!(second.body, format!("hello {who}, call {call}"));
        }
        assert!(is_hit(&both.get(&[]).await), "and so has nobody");
        assert_eq!(both.calls(), 5);
    }
}

/// RFC 9111 §3.5 is about other users. Whatever else may not be stored is not stored.
#[tokio::test]
async fn c03_one_users_own_answers_need_no_word_that_they_may_be_shared() {
    let said: [(Said, bool); 8] = [
        (MAX_AGE, true),
        (SHARED, true),
        (&[("cache-control", "s-maxage=60")], true),
        (&[], false),
        (PRIVATE, false),
        (&[("cache-control", "no-store, max-age=60")], false),
        (&[("cache-control", "max-age=60"), ("set-cookie", "a=b")], false),
        (&[("cache-control", "max-age=60"), ("vary", "*")], false),
    ];
    for (said, is_stored) in said {
        let both = by_principal(said);
        both.by("alice").await;
        assert_eq!(is_hit(&both.by("alice").await), is_stored, "{said:?}");
    }
}

/// Another token of hers is hers as well, and the same name at another issuer is somebody else.
#[tokio::test]
async fn c02_a_partition_is_of_issuer_and_subject() {
    let both = by_principal(MAX_AGE).guarded(|auth| {
        let other = Verifier::new("https://other.example", AUDIENCE);
        auth.or(other, others().keys(&PUBLIC))
    });
    let alice = line(json!({}));
    both.get(&[("authorization", &alice)]).await;
    let renewed = line(json!({"jti": "2", "scope": "write"}));
    assert!(is_hit(&both.get(&[("authorization", &renewed)]).await));
    let elsewhere = others().token(Es256, &claims_with(json!({"iss": "https://other.example"})));
    let elsewhere = format!("Bearer {elsewhere}");
    let theirs = both.get(&[("authorization", &elsewhere)]).await;
    assert!(!is_hit(&theirs));
    assert!(is_hit(&both.get(&[("authorization", &elsewhere)]).await));
    assert_eq!(both.calls(), 2);
}

/// A cookie says who asks, and `Authorization` something else besides: who knows for whom the answer is.
#[tokio::test]
async fn c03_other_credentials_beside_the_token_need_the_origins_word() {
    let token = signers().token(Es256, &claims("alice"));
    let cookie = format!("sid={token}");
    for (said, is_stored) in [(MAX_AGE, false), (SHARED, true)] {
        let both = by_principal(said).guarded(|auth| auth.or_cookie("sid"));
        for other in ["Basic YWxpY2U6", "Negotiate a", "Bearerx a", ""] {
            let fields = [("cookie", cookie.as_str()), ("authorization", other)];
            both.send(request("GET", &format!("/{}", other.len()), &fields)).await;
            let again = both.send(request("GET", &format!("/{}", other.len()), &fields)).await;
            assert_eq!(is_hit(&again), is_stored, "{other:?} {said:?}");
        }
    }
    // The cookie alone is as good as a token.
    let both = by_principal(MAX_AGE).guarded(|auth| auth.or_cookie("sid"));
    both.get(&[("cookie", &cookie)]).await;
    assert!(is_hit(&both.get(&[("cookie", &cookie)]).await));
    assert!(is_hit(&both.by("alice").await), "she is who she is");
    assert!(!is_hit(&both.by("bob").await));
}

/// Who cannot be told from others has no part of his own.
#[tokio::test]
async fn c03_a_cache_outside_knows_no_principal() {
    let both =
        Both::cache_outside(MAX_AGE).cached(|layer| layer.partition_by(Partition::principal()));
    for _ in 0..2 {
        assert!(!is_hit(&both.by("alice").await));
    }
    assert!(both.store.is_empty() && both.calls() == 2);
    let private =
        Both::cache_outside(SHARED).cached(|layer| layer.private_by(Partition::principal()));
    for _ in 0..2 {
        assert!(!is_hit(&private.by("alice").await));
    }
    assert!(private.store.is_empty());
}

#[tokio::test]
async fn c03_a_private_cache_inside_is_one_users_own() {
    for said in [PRIVATE, MAX_AGE, SHARED] {
        let both = Both::cache_inside(said)
            .cached(|layer| layer.private_by(Partition::principal()))
            .guarded(|auth| auth.optional());
        both.by("alice").await;
        assert!(is_hit(&both.by("alice").await), "{said:?}");
        assert!(!is_hit(&both.by("bob").await) && !is_hit(&both.get(&[]).await));
        assert!(!is_hit(&both.get(&[]).await), "nobody has none");
        assert!(both.by("bob").await.body.contains("bob"));
        assert_eq!(both.calls(), 4);
    }
}

/// Who has the same tenant shares, and so the origin has to say that they may.
#[tokio::test]
async fn c02_a_claim_divides_a_cache_among_groups() {
    let by_tenant = |said| {
        Both::cache_inside(said)
            .cached(|layer| layer.partition_by(Partition::claim("tenant")))
            .guarded(|auth| auth.optional())
    };
    let lines = [
        line(json!({"tenant": "acme"})),
        line(json!({"tenant": "acme", "sub": "bob"})),
        line(json!({"tenant": "Acme"})),
        line(json!({"tenant": "1"})),
        line(json!({"tenant": 1})),
        line(json!({"tenant": true})),
        line(json!({"tenant": "true"})),
        line(json!({"tenant": ["acme"]})),
        line(json!({"tenant": "[\"acme\"]"})),
        line(json!({"tenant": {"a": 1}})),
        line(json!({"tenant": ""})),
        line(json!({})),
    ];
    let both = by_tenant(SHARED);
    for (at, line) in lines.iter().enumerate() {
        let got = both.get(&[("authorization", line)]).await;
        assert_eq!(is_hit(&got), at == 1, "{at}: {got:?}");
    }
    for (at, line) in lines.iter().enumerate() {
        let got = both.get(&[("authorization", line)]).await;
        let call = at.saturating_sub(1);
        assert!(is_hit(&got) && got.body.ends_with(&format!("call {call}")), "{at}: {got:?}");
    }
    // Without the claim, with null, and without a token: no group, which is one.
    let null = line(json!({"tenant": null}));
    for fields in [&[][..], &[("authorization", &*null)]] {
        assert!(is_hit(&both.get(fields).await));
    }
    let silent = by_tenant(MAX_AGE);
    for _ in 0..2 {
        let got = silent.get(&[("authorization", &lines[0])]).await;
        assert!(!is_hit(&got), "RFC 9111 §3.5");
    }
    assert!(silent.store.is_empty());
}

#[tokio::test]
async fn c02_a_tenant_of_one_issuer_is_none_of_anothers() {
    let both = Both::cache_inside(SHARED)
        .cached(|layer| layer.partition_by(Partition::claim("tenant")))
        .guarded(|auth| {
            let other = Verifier::new("https://other.example", AUDIENCE);
            auth.or(other, others().keys(&PUBLIC))
        });
    let ours = line(json!({"tenant": "acme"}));
    let theirs = others()
        .token(Es256, &claims_with(json!({"tenant": "acme", "iss": "https://other.example"})));
    let theirs = format!("Bearer {theirs}");
    for (line, expected) in [(&ours, false), (&theirs, false), (&ours, true), (&theirs, true)] {
        assert_eq!(is_hit(&both.get(&[("authorization", line)]).await), expected);
    }
}

/// A field that a client sends in place of a claim divides nothing.
#[tokio::test]
async fn c03_no_field_stands_in_for_who_asks() {
    let both = by_principal(MAX_AGE)
        .guarded(|auth| auth.optional().forward_claim("sub", HeaderName::from_static("x-user")));
    let alice = bearer("alice");
    both.by("alice").await;
    for fields in [
        &[("x-user", "alice")][..],
        &[("x-user", "alice"), ("authorization", &bearer("bob"))],
        &[("x-principal", "alice"), ("cookie", &alice)],
    ] {
        let got = both.get(fields).await;
        assert!(got.status == 200 && !got.body.contains("alice"), "{fields:?}");
    }
}

/// Who a shared entry is refreshed for is nobody in particular.
#[tokio::test]
async fn c03_a_refresh_of_a_shared_entry_lends_no_identity() {
    let said: Said = &[("cache-control", "public, max-age=10, stale-while-revalidate=600")];
    for is_hers in [false, true] {
        let both = Both::cache_inside(said).guarded(|auth| {
            auth.or_cookie("sid").forward_claim("sub", HeaderName::from_static("x-user"))
        });
        let both = both.cached(|layer| match is_hers {
            false => layer,
            true => layer.partition_by(Partition::principal()),
        });
        both.by("alice").await;
        both.clock.advance(Duration::from_secs(20));
        let asker = if is_hers { "alice" } else { "bob" };
        let line = bearer(asker);
        let stale = both.get(&[("authorization", &line), ("cookie", "theme=dark")]).await;
        assert!(is_hit(&stale) && stale.body.contains("alice"), "{stale:?}");
        both.cache.handle().drain(Duration::from_secs(60)).await.unwrap();
        let seen = both.inner.seen();
        assert_eq!(seen.len(), 2);
        let lent = &seen[1];
        let principal = lent.extensions.get::<Principal>().map(Principal::subject);
        let verified = lent.extensions.get::<Verified>().and_then(Verified::subject);
        if is_hers {
            // Hers alone, and in her name.
            assert_eq!((principal, verified), (Some("alice"), Some("alice")));
            continue;
        }
        assert_eq!((principal, verified), (None, None));
        for name in ["authorization", "cookie", "x-user"] {
            assert!(!lent.headers.contains_key(name), "{name}");
        }
    }
}
