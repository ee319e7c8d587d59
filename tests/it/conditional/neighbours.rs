//! The layers among each other and beside a cache, where one could undo what another does.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Request};
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::conditional::{ConditionalLayer, EtagLayer};

use super::{FRESH, Stack, boxed, seven};
use crate::support::{request, response};

#[tokio::test]
async fn nested_twice_is_as_once() {
    let once = || Stack::new(|_, _| response(&[FRESH], "0123456789")).tagged().conditional();
    for (name, stack) in [
        ("twice", once().tagged().conditional()),
        ("under a cache", once().cached()),
        ("cache inside", once().cached().conditional()),
        ("twice under a cache", once().tagged().conditional().cached()),
    ] {
        let tag = once().tag(&[]).await.unwrap();
        for round in 0..2 {
            for (fields, status) in [
                (&[("if-none-match", &*tag)][..], 304),
                (&[], 200),
                (&[("range", "bytes=0-1")], 206),
                (&[("range", "bytes=0-1,4-5")], 206),
                (&[("range", "bytes=0-1"), ("if-range", &tag)], 206),
                (&[("range", "bytes=0-1"), ("if-range", "\"old\"")], 200),
                (&[("range", "bytes=0-1"), ("if-none-match", &tag)], 304),
            ] {
                assert_eq!(stack.status(fields).await, status, "{name} {round} {fields:?}");
            }
        }
    }
}

/// Who leads a flight with a precondition that fails leaves no 412 to those who follow.
#[tokio::test]
async fn a_412_and_a_416_are_for_their_client_alone() {
    let stack = Stack::new(|_, _| {
        let mut response = response(&[FRESH], "0123456789");
        let hint = tower_keep::cache::CacheHint::fresh_for(Duration::from_secs(60));
        response.extensions_mut().insert(hint);
        response
    })
    .tagged()
    .conditional()
    .cached();
    for fields in [("if-match", "\"no\""), ("range", "bytes=90-"), ("if-none-match", "*")] {
        let _ = stack.get(&[fields]).await;
        assert_eq!(stack.status(&[]).await, 200, "{fields:?}");
    }
}

/// A version function and a cache with a purge tag: the 304 that has no hint keeps the tag of what is stored.
#[tokio::test]
async fn a_304_by_version_keeps_the_purge_tags() {
    let stack = Stack::new(|_, call| {
        let mut response = response(&[FRESH], format!("page {call}"));
        let hint = tower_keep::cache::CacheHint::fresh_for(Duration::from_secs(60)).tag("t");
        response.extensions_mut().insert(hint);
        response
    })
    .with(seven)
    .conditional()
    .cached();
    assert_eq!(stack.get(&[]).await.body, "page 0");
    stack.clock.advance(Duration::from_secs(61));
    assert_eq!(stack.get(&[]).await.body, "page 0");
    assert_eq!(stack.inner.calls(), 1);
    stack.cache.as_ref().unwrap().purge(tower_keep::cache::Purge::tag("t")).await.unwrap();
    assert_eq!(stack.get(&[]).await.body, "page 1");
}

/// The docs say of `by_version` outside `ConditionalLayer` (table): "tag, but never a 304".
#[tokio::test]
async fn by_version_outside_answers_itself() {
    let stack = Stack::new(|_, _| response(&[], "page")).conditional().with(seven);
    assert_eq!(stack.status(&[("if-none-match", "\"7\"")]).await, 304);
}

/// A leader whose precondition fails, and followers without one.
#[tokio::test]
async fn followers_of_a_leader_with_a_failing_precondition_get_the_page() {
    for fields in [("if-match", "\"no\""), ("range", "bytes=90-"), ("range", "bytes=0-1,4-5")] {
        let inner = service_fn(async |_: Request<Body>| {
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            Ok::<_, std::convert::Infallible>(response(&[FRESH], "0123456789"))
        });
        let layer = tower_keep::cache::CacheLayer::new(
            tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
        );
        let service =
            boxed(layer.layer(ConditionalLayer::new().layer(EtagLayer::new().layer(inner))));
        let send = |fields: &[(&str, &str)]| {
            let sent = service.clone().oneshot(request("GET", "/", fields));
            async move { crate::support::Got::read(sent.await.unwrap()).await }
        };
        let (_, one, other) = tokio::join!(send(&[fields]), send(&[]), send(&[]));
        for got in [one, other] {
            assert_eq!((got.status.as_u16(), &*got.body), (200, "0123456789"), "{fields:?}");
        }
    }
}

#[tokio::test]
async fn a_head_leaves_the_stored_get_as_it_is() {
    for by_version in [false, true] {
        let stack = Stack::new(|request, _| {
            let body = if request.method() == "HEAD" { "" } else { "page" };
            response(&[FRESH, ("content-length", "4")], body)
        });
        let stack = if by_version { stack.with(seven) } else { stack.tagged() };
        let stack = stack.conditional().cached();
        assert_eq!(stack.get(&[]).await.body, "page");
        stack.clock.advance(Duration::from_secs(61));
        let head = stack.send(request("HEAD", "/", &[])).await;
        assert_eq!((head.status.as_u16(), head.field("content-length")), (200, Some("4")));
        assert_eq!(stack.get(&[]).await.body, "page");
    }
}

/// RFC 9213: what the origin tells the cache in a targeted field of the new 200 does not come through the 304.
#[tokio::test]
async fn a_304_carries_the_targeted_field_that_forbids_to_store() {
    let stack = Stack::new(|_, call| match call {
        0 => response(&[("cdn-cache-control", "max-age=60")], "page"),
        _ => response(&[("cdn-cache-control", "no-store")], "page"),
    })
    .tagged()
    .conditional();
    let cached = |stack: Stack| {
        let layer = tower_keep::cache::CacheLayer::with_clock(
            tower_keep::store::MemoryStore::with_bytes_max(1 << 20),
            stack.clock.clone(),
        )
        .policy(
            tower_keep::cache::CachePolicy::shared()
                .targeted_fields([HeaderName::from_static("cdn-cache-control")]),
        );
        Stack { service: boxed(layer.layer(stack.service)), ..stack }
    };
    let stack = cached(stack);
    stack.get(&[]).await;
    stack.clock.advance(Duration::from_secs(61));
    for _ in 0..3 {
        stack.get(&[]).await;
    }
    assert_eq!(stack.inner.calls(), 4, "stored on although the origin says no-store");
}
