//! A cache outside that refreshes what both layers inside have answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Request;
use tower_http::compression::CompressionLayer;

use super::Stack;
use crate::scripted::scripted;
use crate::scripted::{Step, fresh};
use crate::support::{request, response};

const GZIP: (&str, &str) = ("accept-encoding", "gzip");

fn counted(
    state: &Arc<AtomicUsize>,
) -> impl Fn(&Request<axum::body::Body>, usize) -> http::Response<axum::body::Body>
+ Send
+ Sync
+ 'static
+ use<> {
    let state = state.clone();
    move |_, _| {
        let text = format!("page {}. ", state.load(Ordering::Relaxed)).repeat(40);
        let control = "max-age=60, stale-while-revalidate=60";
        response(&[("cache-control", control), ("content-type", "text/plain")], text)
    }
}

/// What is untagged (a digest inside of which compression streams) has nothing by which a HEAD could tell that it is still
/// the same: the old content is not fresh again by it.
#[tokio::test]
async fn a_head_that_says_nothing_leaves_old_content_old() {
    let state = Arc::new(AtomicUsize::new(0));
    let stack = Stack::new(counted(&state))
        .with(|_| CompressionLayer::new())
        .tagged()
        .conditional()
        .cached();
    let old = stack.get(&[GZIP]).await;
    assert_eq!(old.field("etag"), None);
    state.store(1, Ordering::Relaxed);
    stack.clock.advance(Duration::from_secs(121));
    assert_eq!(stack.send(request("HEAD", "/", &[GZIP])).await.status, 200);
    stack.clock.advance(Duration::from_secs(1));
    let new = stack.get(&[GZIP]).await;
    assert_ne!(new.body, old.body, "122 seconds old, of a minute: {:?}", new.headers);
}

/// The same of the cache alone, over any handler that streams.
#[tokio::test]
async fn a_head_of_a_stream_leaves_old_content_old() {
    let stack = Stack::new(|_, call| match call {
        0 => fresh(&[], scripted(&[Step::Data("old")])),
        _ => fresh(&[], scripted(&[Step::Data("changed")])),
    })
    .cached();
    assert_eq!(stack.get(&[]).await.body, "old");
    stack.clock.advance(Duration::from_secs(61));
    assert_eq!(stack.send(request("HEAD", "/", &[])).await.status, 200);
    assert_eq!(stack.get(&[]).await.body, "changed");
}

/// A refresh has only what the key has; the tag it gets may be of the other form.
#[tokio::test]
async fn a_refresh_in_the_background_ends_in_a_304_or_in_the_new_content() {
    for fields in [&[][..], &[GZIP], &[("accept-encoding", "identity")]] {
        let state = Arc::new(AtomicUsize::new(0));
        let stack = Stack::new(counted(&state))
            .tagged()
            .with(|_| CompressionLayer::new())
            .conditional()
            .cached();
        let first = stack.get(fields).await;
        for round in 1..=3 {
            stack.clock.advance(Duration::from_secs(61));
            // Stale, and the refresh begins.
            assert_eq!(stack.get(fields).await.body, first.body);
            stack.cache.as_ref().unwrap().drain(Duration::from_secs(60)).await.unwrap();
            let again = stack.get(fields).await;
            assert_eq!((&again.body, again.field("age")), (&first.body, Some("0")), "{fields:?}");
            assert_eq!(again.field("etag"), first.field("etag"));
            assert_eq!(stack.cache.as_ref().unwrap().stats().misses, 1, "{round}");
        }
        state.store(1, Ordering::Relaxed);
        stack.clock.advance(Duration::from_secs(61));
        assert_eq!(stack.get(fields).await.body, first.body);
        stack.cache.as_ref().unwrap().drain(Duration::from_secs(60)).await.unwrap();
        let new = stack.get(fields).await;
        assert_ne!(new.body, first.body);
        assert_ne!(new.field("etag"), first.field("etag"));
        assert_eq!(new.field("etag").unwrap().starts_with("W/"), fields == [GZIP]);
    }
}

#[tokio::test]
async fn an_answer_with_trailers_to_a_post_passes_untouched() {
    for is_cached in [false, true] {
        let stack = Stack::new(|_, _| {
            let steps = [Step::Data("\0\0\0\0\x05hello"), Step::Trailer("grpc-status", "0")];
            fresh(&[("content-type", "application/grpc")], scripted(&steps))
        })
        .tagged()
        .conditional()
        .maybe_cached(is_cached);
        let sent = [("te", "trailers"), ("if-none-match", "*"), ("range", "bytes=0-1")];
        let got = stack.send(request("POST", "/", &sent)).await;
        assert_eq!((got.status.as_u16(), got.body.len()), (200, 10));
        assert_eq!(got.trailers.unwrap()["grpc-status"], "0");
        assert!(!got.headers.contains_key("etag"));
        let seen = stack.inner.seen();
        assert!(sent.iter().all(|(name, value)| seen[0].headers[*name] == *value));
    }
}
