//! What was made for one session reaches no other, on whichever way round.

use std::io;

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, CachePolicy, Reason};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Harness, TestLayer, answered, date_at, request, response};

type Fields<'a> = &'a [(&'a str, &'a str)];

const ALICE: (&str, &str) = ("cookie", "session=alice");
const BOB: (&str, &str) = ("cookie", "session=bob");

/// An inbox for each session, whose validators are alike; every condition finds them unchanged.
fn inbox(policy: CachePolicy, fields: Fields<'_>) -> Harness {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Harness::with(
        |layer| layer.policy(policy),
        move |request, _| {
            let asked = request.headers();
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            if asked.contains_key("if-none-match") || asked.contains_key("if-modified-since") {
                return answered(304, &fields, "");
            }
            let whose = asked.get("cookie").map_or("nobody", |whose| whose.to_str().unwrap());
            response(&fields, format!("inbox of {whose}"))
        },
    )
}

/// A validator that two sessions share says nothing of whose page it is: only a word of the origin does.
#[tokio::test]
async fn a_page_for_a_cookie_is_not_kept_to_be_validated_for_another() {
    let old = date_at(-1000);
    for policy in [CachePolicy::shared(), CachePolicy::rfc9111()] {
        for control in ["no-cache", "max-age=0", "no-cache=\"x-a\"", "max-age=60, no-cache"] {
            for validator in [("etag", "\"1\""), ("last-modified", &*old)] {
                let fields = [("cache-control", control), validator];
                let cache = inbox(policy.clone(), &fields);
                let alice = cache.get("/me", &[ALICE]).await;
                assert_eq!(alice.reason(), Some(Reason::RequestCookie), "{fields:?}");
                assert!(cache.store.is_empty(), "{fields:?}");
                for other in [&[BOB][..], &[]] {
                    let got = cache.get("/me", other).await;
                    assert!(!got.body.contains("alice"), "{fields:?}: {}", got.body);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_page_for_a_cookie_that_the_origin_calls_public_is_kept_to_be_validated() {
    let fields = [("cache-control", "public, max-age=0"), ("etag", "\"1\"")];
    let cache = inbox(CachePolicy::shared(), &fields);
    cache.get("/", &[ALICE]).await;
    let got = cache.get("/", &[BOB]).await;
    assert_eq!((got.status.as_u16(), got.body.as_str()), (200, "inbox of session=alice"));
}

/// The answer to a POST takes the same way into the store as any other.
#[tokio::test]
async fn a_post_with_a_cookie_fills_no_get_where_the_policy_bypasses_cookies() {
    let policy = CachePolicy::shared().post_fills_get();
    for (policy, is_filled) in [(policy.clone().bypass_on_cookie(), false), (policy, true)] {
        let fields = [("cache-control", "max-age=60"), ("content-location", "/x")];
        let cache = inbox(policy, &fields);
        let post = cache.send(request("POST", "/x", &[ALICE])).await;
        assert_eq!(post.outcome.unwrap().is_stored(), is_filled);
        let got = cache.get("/x", &[]).await;
        assert_eq!(got.body.contains("alice"), is_filled, "{}", got.body);
    }
}

/// A session that is prolonged by the way is prolonged, and for nobody else: by a 304 or the 200 to HEAD, and
/// whatever is made of the stored response for the client.
#[tokio::test]
async fn what_a_validation_brings_for_one_client_reaches_that_one_and_no_other() {
    let control = "max-age=60, private=\"x-user\"";
    let asked: [Fields<'_>; 3] = [&[], &[("if-none-match", "\"1\"")], &[("range", "bytes=0-1")]];
    for (method, status) in [("GET", 304), ("HEAD", 304), ("HEAD", 200)] {
        for asked in asked {
            let cache = Harness::new(move |request, _| {
                let fields = [("cache-control", control), ("etag", "\"1\"")];
                let own = [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("x-user", "alice")];
                match request.headers().contains_key("if-none-match") {
                    true => answered(status, &[&fields[..], &own].concat(), ""),
                    false => response(&fields, "page"),
                }
            });
            cache.get("/", &[]).await;
            cache.advance(61);
            let alice = cache.send(request(method, "/", &[asked, &[ALICE]].concat())).await;
            let cookies: Vec<_> = alice.headers.get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2"], "{method} {status} {asked:?}");
            assert_eq!(alice.field("x-user"), Some("alice"), "{method} {status} {asked:?}");
            let other = cache.get("/", &[]).await;
            assert!(other.is_hit(), "{method} {status} {asked:?}");
            assert_eq!((other.field("set-cookie"), other.field("x-user")), (None, None));
        }
    }
}

/// Answers sessions so, and is unreachable for everybody else.
async fn disconnected(
    layer: TestLayer,
    answer: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> io::Result<Got> {
    let service = layer.layer(tower::service_fn(move |request: Request<Body>| {
        let is_known = request.headers().contains_key("cookie");
        let answer = is_known.then(&answer).ok_or_else(|| io::Error::other("unreachable"));
        async move { answer }
    }));
    Got::read(service.clone().oneshot(request("GET", "/", &[ALICE])).await.unwrap()).await;
    Ok(Got::read(service.oneshot(request("GET", "/", &[])).await?).await)
}

#[tokio::test]
async fn what_a_session_was_told_does_not_stand_in_for_a_service_that_is_gone() {
    for status in [200, 401, 403, 404, 500] {
        for control in ["no-cache=\"x-a\"", "max-age=0", "max-age=60, no-cache=\"x-a\""] {
            let layer =
                CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), ManualClock::new());
            let fields = [("cache-control", control), ("etag", "\"1\"")];
            let got = disconnected(layer.policy(CachePolicy::rfc9111()), move || {
                answered(status, &fields, "not you, alice")
            });
            assert!(got.await.is_err(), "{status} {control}");
        }
    }
}
