//! What many do at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::limit::{Quota, RateLimitLayer};
use tower_keep::test_util::ManualClock;

use super::limited::by_field;
use crate::support::request;

/// Through the layer, on threads, while the time goes on: what is let through is what the quota says to the last request.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn r09_64_tasks_on_one_key_are_let_through_exactly_as_often_as_the_quota_says() {
    for (quota, expected) in [
        (Quota::per_second(100).burst(20), 20 + 1_000),
        (Quota::per_second(30).burst(7), 7 + 300),
        (Quota::per_second(7), 7 + 70),
    ] {
        let clock = ManualClock::new();
        let layer = RateLimitLayer::with_clock(quota, by_field(), clock.clone()).unwrap();
        let admitted = Arc::new(AtomicUsize::new(0));
        let count = admitted.clone();
        let service = layer.layer(service_fn(move |_| {
            let count = count.clone();
            async move {
                count.fetch_add(1, Ordering::Relaxed);
                Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty()))
            }
        }));
        // Ten seconds in steps of 5 ms, each of which all tasks have seen before the next.
        for step in 0..=2_000 {
            let tasks: Vec<_> = (0..if step % 50 == 0 { 64 } else { 3 })
                .map(|_| {
                    let service = service.clone();
                    tokio::spawn(async move {
                        for _ in 0..2 {
                            let request = request("GET", "/", &[("x-key", "one")]);
                            service.clone().oneshot(request).await.unwrap();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            if step < 2_000 {
                clock.advance(Duration::from_millis(5));
            }
        }
        assert_eq!(admitted.load(Ordering::Relaxed), expected, "{quota:?}");
    }
}
