//! Fetches of one resource that overtake each other, and puts that come late: nothing goes back in time.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderName, Request, Response};
use tokio::sync::Notify;
use tower::{Layer, ServiceExt};
use tower_keep::cache::{CacheLayer, Partition};
use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError};
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Harness, Inner, TestLayer, answered, request, response};

const FRESH: (&str, &str) = ("cache-control", "max-age=60");
const ETAG: (&str, &str) = ("etag", "\"1\"");

type Change = fn(TestLayer, Partition) -> TestLayer;

/// RFC 9111 §4: of several responses the most recent one is used.
#[tokio::test]
async fn of_two_fetches_the_one_that_began_later_stays() {
    let tenant = || Partition::header(HeaderName::from_static("x-tenant"));
    let changes: [(&str, Change); 2] =
        [("shared", |layer, _| layer), ("partitioned", TestLayer::partition_by)];
    for vary in [&[][..], &[("vary", "x-tenant")]] {
        for (what, change) in changes {
            let cache = Harness::with(
                |layer| change(layer, tenant()).without_collapsing(),
                move |_, call| response(&[&[FRESH], vary].concat(), format!("call {call}")),
            );
            let asked = [("x-tenant", "a")];
            let slow = cache.start(request("GET", "/", &asked)).await;
            cache.advance(5);
            assert_eq!(cache.get("/", &asked).await.body, "call 1");
            assert_eq!(Got::read(slow).await.body, "call 0", "its own client gets it");
            let hit = cache.get("/", &asked).await;
            assert_eq!((hit.is_hit(), hit.body.as_str()), (true, "call 1"), "{what} {vary:?}");
        }
    }
}

/// Answers call by call; the second call waits until it is let go.
fn gated(
    gate: Arc<Notify>,
    answer: impl Fn(usize) -> Response<Body> + Clone + Send + 'static,
) -> impl tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send {
    let calls = Arc::new(AtomicUsize::new(0));
    tower::service_fn(move |_: Request<Body>| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let (gate, answer) = (gate.clone(), answer.clone());
        async move {
            if call == 1 {
                gate.notified().await;
            }
            Ok(answer(call))
        }
    })
}

/// RFC 9111 §4.3.4: it speaks of the response that was asked about, which is no longer there.
#[tokio::test]
async fn a_304_for_what_was_replaced_meanwhile_changes_nothing() {
    let (clock, gate) = (ManualClock::new(), Arc::new(Notify::new()));
    let layer = CacheLayer::with_clock(MemoryStore::with_bytes_max(1 << 20), clock.clone());
    let layer = layer.without_collapsing();
    let service = layer.layer(gated(gate.clone(), |call| match call {
        0 => response(&[FRESH, ETAG], "old"),
        1 => answered(304, &[FRESH, ETAG], ""),
        _ => response(&[FRESH, ("etag", "\"2\"")], "new"),
    }));
    let get =
        async || Got::read(service.clone().oneshot(request("GET", "/", &[])).await.unwrap()).await;
    get().await;
    clock.advance(Duration::from_secs(61));
    let mut slow = pin!(get());
    assert!(poll_fn(|cx| Poll::Ready(slow.as_mut().poll(cx))).await.is_pending());
    clock.advance(Duration::from_secs(2));
    assert_eq!(get().await.body, "new");
    gate.notify_one();
    assert_eq!(slow.await.body, "old", "its own client gets what was validated");
    let hit = get().await;
    assert_eq!((hit.is_hit(), hit.body.as_str(), hit.field("etag")), (true, "new", Some("\"2\"")));
}

/// A store out of this process: what it was told to put it puts, whatever becomes of who told it.
#[derive(Clone, Default)]
struct Remote {
    kept: Arc<Mutex<HashMap<CacheKey, Entry>>>,
    is_slow: Arc<AtomicBool>,
}

const ARRIVES: Duration = Duration::from_millis(30);
const ACKNOWLEDGES: Duration = Duration::from_secs(1);

impl Store for Remote {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    async fn put(&self, key: &CacheKey, entry: Entry, _: Duration) -> Result<(), StoreError> {
        let (kept, key) = (self.kept.clone(), key.clone());
        if !self.is_slow.load(Ordering::Relaxed) {
            kept.lock().unwrap().insert(key, entry);
            return Ok(());
        }
        let sent = tokio::spawn(async move {
            tokio::time::sleep(ARRIVES).await;
            kept.lock().unwrap().insert(key, entry);
            tokio::time::sleep(ACKNOWLEDGES).await;
        });
        sent.await.unwrap();
        Ok(())
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.kept.lock().unwrap().remove(key);
        Ok(())
    }
}

/// The time is paused: it goes on only where all wait for it.
#[tokio::test(start_paused = true)]
async fn a_put_that_was_not_acknowledged_in_time_does_not_survive_a_write() {
    let store = Remote::default();
    let inner = Inner::new(|_, call| response(&[FRESH], format!("call {call}")));
    let service = CacheLayer::new(store.clone()).layer(inner);
    let send = async |method| {
        Got::read(service.clone().oneshot(request(method, "/", &[])).await.unwrap()).await
    };
    store.is_slow.store(true, Ordering::Relaxed);
    send("GET").await;
    tokio::time::sleep(ARRIVES / 3).await;
    send("PUT").await;
    tokio::time::sleep(ACKNOWLEDGES).await;
    let got = send("GET").await;
    assert!(!got.is_hit(), "from before the write: {}", got.body);
}
