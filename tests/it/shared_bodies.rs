//! Bodies that several requests read, and what is left of them for the last.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Body;
use futures_util::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use tower::{Layer as _, ServiceExt as _, service_fn};
use tower_keep::cache::CacheLayer;
use tower_keep::store::MemoryStore;
use tower_keep::test_util::ManualClock;

use crate::scripted::Step::{Data, Pending};
use crate::scripted::{fresh, paused, read, scripted};
use crate::support::{Harness, request, response};

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Its lifetime went by on the way, so that nothing is kept; its leader has read all of it before the other looks.
#[test]
fn who_waited_for_a_response_that_nobody_keeps_has_it_after_its_leader_is_done() {
    let clock = ManualClock::new();
    let cache = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
    let (answer, awaited) = oneshot::channel::<Response<Body>>();
    let awaited = Arc::new(Mutex::new(Some(awaited)));
    let service = cache.layer(service_fn(move |_: Request<Body>| {
        awaited.lock().unwrap().take().expect("called twice")
    }));
    let mut leader = Box::pin(service.clone().oneshot(request("GET", "/", &[])));
    let mut follower = Box::pin(service.oneshot(request("GET", "/", &[])));
    assert!(poll(&mut leader).is_pending() && poll(&mut follower).is_pending());
    clock.advance(Duration::from_secs(1));
    answer.send(response(&[("cache-control", "max-age=1")], "page")).unwrap();
    let Poll::Ready(Ok(led)) = poll(&mut leader) else { panic!("no answer") };
    assert_eq!(led.into_body().collect().now_or_never().unwrap().unwrap().to_bytes(), "page");
    let Poll::Ready(Ok(followed)) = poll(&mut follower) else { panic!("left behind") };
    assert!(followed.body().outcome().is_collapsed());
    assert_eq!(followed.into_body().collect().now_or_never().unwrap().unwrap().to_bytes(), "page");
    assert_eq!(cache.handle().stats().flights, 0);
}

/// No memory is left for it, so that one reader has the inner body to itself.
#[tokio::test]
async fn a_short_body_that_outgrows_what_is_kept_ends_in_an_error() {
    let steps = [Data("abc"), Pending, Data("def")];
    let cache = Harness::with(
        |layer| layer.in_flight_bytes_max(2),
        move |_, _| fresh(&[("content-length", "9")], scripted(&steps)),
    );
    let got = read(cache.start(request("GET", "/", &[])).await.into_body()).await;
    assert_eq!((&*got.text(), got.error.is_some()), ("abcdef", true));
    assert!(cache.store.is_empty());
}

/// The same for one who followed, when the leader has left.
#[tokio::test]
async fn a_short_body_that_one_follower_is_left_with_ends_in_an_error() {
    let (script, body, _) = paused();
    let body = Mutex::new(Some(body));
    let cache = Harness::with(
        |layer| layer.in_flight_bytes_max(2),
        move |_, _| {
            fresh(&[("content-length", "9")], body.lock().unwrap().take().unwrap_or(Body::empty()))
        },
    );
    let leader = cache.start(request("GET", "/", &[])).await;
    let follower = cache.start(request("GET", "/", &[])).await;
    assert!(follower.body().outcome().is_collapsed());
    for data in ["abc", "def"] {
        script.send(Data(data)).unwrap();
    }
    let mut leader = leader.into_body();
    leader.frame().await.unwrap().unwrap();
    drop((leader, script));
    let got = read(follower.into_body()).await;
    assert_eq!((&*got.text(), got.error.is_some()), ("abcdef", true));
}
