//! What was made for one user is never served to another.

mod cookies;
mod invalidation;
mod partitions;

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tower_keep::cache::{
    CacheHint, CacheOutcome, CachePolicy, DefaultFreshness, Forward, Reason, SetCookie,
};

use crate::support::{Got, Harness, TestLayer, answered, request, response};

const ALICE: (&str, &str) = ("authorization", "Bearer alice");
const BOB: (&str, &str) = ("authorization", "Bearer bob");
const LAST_MODIFIED: (&str, &str) = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");

/// A cache over a service that answers with whom it was asked by, under these fields.
fn greeting(
    change: impl FnOnce(TestLayer) -> TestLayer,
    fields: &'static [(&'static str, &'static str)],
) -> Harness {
    Harness::with(change, move |request, _| response(fields, asker(request)))
}

/// The credentials, the cookie and the tenant of a request.
fn asker(request: &Request<Body>) -> String {
    ["authorization", "cookie", "x-tenant"]
        .map(|name| {
            let lines: Vec<_> = request.headers().get_all(name).iter().collect();
            format!("{name}: {lines:?}")
        })
        .join("\n")
}

fn reason(got: &Got) -> Option<Reason> {
    got.outcome.as_ref().and_then(CacheOutcome::reason)
}

fn policies() -> [CachePolicy; 3] {
    let fixed = DefaultFreshness::fixed(Duration::from_secs(60));
    [CachePolicy::shared(), CachePolicy::shared().default_freshness(fixed), CachePolicy::rfc9111()]
}

/// RFC 9111 §3.5: these words do not let the answer to a request with Authorization be shared.
#[tokio::test]
async fn c01_an_answer_to_credentials_is_not_shared_without_the_origins_word() {
    let said: [&'static [(&'static str, &'static str)]; 12] = [
        &[],
        &[LAST_MODIFIED],
        &[("cache-control", "max-age=60")],
        &[("cache-control", "max-age=60, proxy-revalidate")],
        &[("cache-control", "max-age=60, immutable")],
        &[("cache-control", "max-age=60, no-transform, stale-while-revalidate=60")],
        &[("cache-control", "max-age=60, public=\"no\"x")],
        &[("cache-control", "max-age=60, x-public, must-understand")],
        &[("cache-control", "private, max-age=60, s-maxage=60, public, must-revalidate")],
        &[("cache-control", "no-store, max-age=60, s-maxage=60, public")],
        &[("expires", "Sun, 06 Nov 2094 08:49:37 GMT")],
        // RFC 9213 §2.2: then Cache-Control says nothing.
        &[("cdn-cache-control", "max-age=60"), ("cache-control", "public, s-maxage=60")],
    ];
    for fields in said {
        for (at, policy) in policies().into_iter().enumerate() {
            let cache = greeting(|layer| layer.policy(policy), fields);
            cache.get("/me", &[ALICE]).await;
            assert!(cache.store.is_empty(), "{fields:?} {at}");
            let bob = cache.get("/me", &[BOB]).await;
            let anonymous = cache.get("/me", &[]).await;
            assert_eq!(cache.inner.calls(), 3, "{fields:?} {at}");
            assert!(!bob.body.contains("alice") && !anonymous.body.contains("alice"));
        }
    }
}

#[tokio::test]
async fn c01_any_authorization_counts() {
    for credentials in ["Bearer alice", "Basic YWxpY2U6", "Negotiate x", "alice", ""] {
        let cache = greeting(|layer| layer, &[("cache-control", "max-age=60")]);
        let got = cache.get("/me", &[("authorization", credentials)]).await;
        assert_eq!(reason(&got), Some(Reason::Authorization), "{credentials}");
        assert!(cache.store.is_empty(), "{credentials}");
    }
}

#[tokio::test]
async fn c01_no_kind_of_request_gets_what_was_made_for_alice() {
    for method in ["GET", "HEAD"] {
        for fields in [
            &[][..],
            &[("if-none-match", "*")],
            &[("if-none-match", "\"1\"")],
            &[("range", "bytes=0-3")],
            &[("cache-control", "max-stale")],
            &[("cache-control", "only-if-cached")],
        ] {
            let said = &[("cache-control", "max-age=60"), ("etag", "\"1\"")];
            let cache = greeting(|layer| layer, said);
            cache.get("/me", &[ALICE]).await;
            let got = cache.send(request(method, "/me", fields)).await;
            let is_refused = got.status == 504 && fields[0].1 == "only-if-cached";
            assert!(is_refused || cache.inner.calls() == 2, "{method} {fields:?}");
            assert!(!got.body.contains("alice"), "{method} {fields:?}");
        }
    }
}

/// RFC 9111 §3.5, §5.2.2.2, §5.2.2.9, §5.2.2.10: the origin's own word.
#[tokio::test]
async fn c01_the_origins_word_shares_an_answer_to_credentials() {
    for said in [
        "public, max-age=60",
        "PUBLIC, max-age=60",
        "s-maxage=60",
        "max-age=60, must-revalidate",
        "max-age=60, s-maxage=30",
    ] {
        let cache =
            Harness::new(move |request, _| response(&[("cache-control", said)], asker(request)));
        cache.get("/me", &[ALICE]).await;
        for fields in [&[BOB][..], &[]] {
            let got = cache.get("/me", fields).await;
            assert!(got.is_hit() && got.body.contains("alice"), "{said}");
        }
    }
    let targeted = greeting(|layer| layer, &[("cdn-cache-control", "public, max-age=60")]);
    targeted.get("/me", &[ALICE]).await;
    assert!(targeted.get("/me", &[BOB]).await.is_hit());
}

#[tokio::test]
async fn c01_a_hint_of_freshness_does_not_share_and_one_that_says_public_does() {
    for (hint, is_shared) in [
        (CacheHint::fresh_for(Duration::from_secs(60)), false),
        (CacheHint::fresh_for(Duration::from_secs(60)).public(), true),
    ] {
        let cache = Harness::new(move |request, _| {
            let mut response = response(&[], asker(request));
            response.extensions_mut().insert(hint.clone());
            response
        });
        cache.get("/me", &[ALICE]).await;
        assert_eq!(cache.get("/me", &[BOB]).await.is_hit(), is_shared);
    }
}

/// A service that greets each asker, and finds what has the tag `"1"` unchanged, in Alice's own words.
fn revalidating(request: &Request<Body>, call: usize) -> Response<Body> {
    let fields = [("cache-control", "max-age=60"), ("etag", "\"1\"")];
    match request.headers().get("authorization") {
        Some(_) if request.headers().contains_key("if-none-match") => {
            let fields = [fields[0], fields[1], ("x-user", "alice")];
            answered(304, &fields, "")
        }
        _ if request.headers().contains_key("if-none-match") => answered(304, &fields, ""),
        _ => response(&fields, format!("{call} {}", asker(request))),
    }
}

#[tokio::test]
async fn c01_what_alice_validated_does_not_become_everybodys() {
    let cache = Harness::new(revalidating);
    cache.get("/me", &[]).await;
    cache.advance(61);
    let alice = cache.get("/me", &[ALICE]).await;
    assert_eq!(alice.field("x-user"), Some("alice"));
    assert_eq!(reason(&alice), Some(Reason::Authorization));
    let anonymous = cache.get("/me", &[]).await;
    assert_eq!(cache.inner.calls(), 3, "her answer freshened nothing");
    assert_eq!(anonymous.field("x-user"), None);
}

#[tokio::test]
async fn c01_what_replaces_a_stale_response_for_alice_is_hers() {
    let cache = greeting(|layer| layer, &[("cache-control", "max-age=60"), ("etag", "\"1\"")]);
    cache.get("/me", &[]).await;
    cache.advance(61);
    assert!(cache.get("/me", &[ALICE]).await.body.contains("alice"));
    let after = cache.get("/me", &[("cache-control", "max-stale")]).await;
    assert!(!after.body.contains("alice"));
}

#[tokio::test]
async fn c01_a_post_with_credentials_fills_nothing() {
    let fields = &[("cache-control", "max-age=60"), ("content-location", "/me")];
    let cache = greeting(|layer| layer.policy(CachePolicy::rfc9111()), fields);
    cache.send(request("POST", "/me", &[ALICE])).await;
    let got = cache.get("/me", &[]).await;
    assert!(!got.is_hit() && !got.body.contains("alice"));
}

/// A challenge or a refusal, as an authenticating layer behind the cache gives it.
fn refusal(status: u16, fields: &'static [(&'static str, &'static str)]) -> [Harness; 3] {
    policies().map(|policy| {
        Harness::with(
            |layer| layer.policy(policy),
            move |request, _| match request.headers().contains_key("authorization") {
                true => response(&[("cache-control", "no-store")], "welcome"),
                false => answered(status, fields, "who are you?"),
            },
        )
    })
}

#[tokio::test]
async fn c04_a_refusal_is_not_stored_unless_it_says_for_how_long() {
    for status in [401, 403, 407] {
        let silent: [&'static [(&'static str, &'static str)]; 4] = [
            &[("www-authenticate", "Bearer")],
            &[LAST_MODIFIED],
            &[("cache-control", "private, max-age=60")],
            &[("cache-control", "no-store")],
        ];
        for fields in silent {
            for cache in refusal(status, fields) {
                cache.get("/me", &[]).await;
                assert!(cache.store.is_empty(), "{status} {fields:?}");
                assert_eq!(cache.get("/me", &[ALICE]).await.body, "welcome");
            }
        }
        for cache in refusal(status, &[("cache-control", "max-age=60")]) {
            cache.get("/me", &[]).await;
            let got = cache.get("/me", &[]).await;
            assert!(got.is_hit() && got.status == status, "its own word counts");
        }
    }
}

#[tokio::test]
async fn c04_the_answer_to_a_login_is_not_stored() {
    for status in [200, 201, 303, 401] {
        for policy in [policies().into_iter().next().unwrap(), CachePolicy::rfc9111()] {
            let cache = Harness::with(
                |layer| layer.policy(policy.set_cookie(SetCookie::StoredAndReplayed)),
                move |request, call| {
                    let fields = [("cache-control", "max-age=60"), ("set-cookie", "session=alice")];
                    match request.method().as_str() {
                        "POST" => answered(status, &fields, "session of alice"),
                        _ => response(&[], format!("form {call}")),
                    }
                },
            );
            let login = cache.send(request("POST", "/login", &[])).await;
            assert_eq!(login.outcome.and_then(|outcome| outcome.forward()), Some(Forward::Method));
            assert!(cache.store.is_empty(), "{status}");
            assert_eq!(cache.get("/login", &[]).await.body, "form 1");
            let again = cache.send(request("POST", "/login", &[])).await;
            assert!(
                !again.is_hit() && cache.inner.calls() == 3,
                "a POST is never answered from here"
            );
        }
    }
}
