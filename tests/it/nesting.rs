//! The layer among axum routers: wherever it is put, one look-up, and no path taken for another.

mod clones;
mod late;
mod routers;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use http::Request;
use tower::ServiceExt;
use tower_keep::cache::{CacheLayer, CacheOutcome, Forward};
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::support::{Got, TestLayer, request};

const MINUTE: [(&str, &str); 1] = [("cache-control", "max-age=60")];

fn cache() -> TestLayer {
    CacheLayer::with_clock(MemoryStore::with_bytes_max(64 << 20), ManualClock::new())
        .outcome_in_extensions()
}

/// Counts the calls of a handler.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicUsize>);

impl Calls {
    fn next(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

async fn send(app: &Router, request: Request<Body>) -> Got {
    Got::read(app.clone().oneshot(request).await.unwrap()).await
}

async fn ask(app: &Router, path: &str) -> Got {
    send(app, request("GET", path, &[])).await
}

/// Answers with its name, the target as it arrived and a count, fresh for a minute; also to PUT.
fn named(name: &'static str) -> MethodRouter<Calls> {
    let answer = move |State(calls): State<Calls>, OriginalUri(uri): OriginalUri| async move {
        (MINUTE, format!("{name} {uri} {}", calls.next())).into_response()
    };
    get(answer).put(answer)
}

fn forward(got: &Got) -> Option<Forward> {
    got.outcome.as_ref().and_then(CacheOutcome::forward)
}

/// The same answer twice, the second time from the store.
async fn is_stored(app: &Router, path: &str) {
    let first = ask(app, path).await;
    assert!(!first.is_hit(), "{path} was taken for another path");
    let second = ask(app, path).await;
    assert!(second.is_hit(), "{path}");
    assert_eq!(first.body, second.body, "{path}");
}
