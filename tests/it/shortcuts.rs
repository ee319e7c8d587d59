//! The shortest way to a hit, and a store that answers late: neither changes what is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tower::{Layer as _, ServiceExt as _};
use tower_keep::cache::CacheLayer;
use tower_keep::store::{CacheKey, Entry, MemoryStore, Store, StoreError};
use tower_keep::test_util::ManualClock;

use crate::support::{Got, Harness, Inner, answered, request, response};

type Fields<'a> = &'a [(&'a str, &'a str)];

fn page(request: &Request<Body>, call: usize) -> Response<Body> {
    let validated = format!("validated {}", request.headers().contains_key("if-none-match"));
    let minutes = ("cache-control", "max-age=100");
    let etag = ("etag", "\"e\"");
    match request.uri().path() {
        "/204" => answered(204, &[minutes, etag], ""),
        "/404" => answered(404, &[minutes, etag], "no"),
        "/301" => answered(301, &[minutes, ("location", "/x")], "moved"),
        "/immutable" => {
            response(&[("cache-control", "max-age=100, immutable"), ("etag", "W/\"e\"")], validated)
        }
        "/date" => response(
            &[("cache-control", "max-age=100, must-revalidate"), ("last-modified", MODIFIED)],
            validated,
        ),
        "/aged" => response(&[minutes, ("age", "7"), ("cache-status", "inner; hit")], "aged"),
        "/no-cache" => response(&[("cache-control", "no-cache, max-age=100"), etag], "validated"),
        _ => response(&[minutes, etag, ("vary", "x-v")], format!("varies {call}")),
    }
}

const MODIFIED: &str = "Sun, 13 Sep 2020 12:26:00 GMT";
const PATHS: [&str; 8] =
    ["/204", "/404", "/301", "/immutable", "/date", "/aged", "/no-cache", "/varies"];
const ASKED: [Fields<'static>; 24] = [
    &[],
    &[("if-none-match", "\"e\"")],
    &[("if-none-match", "*")],
    &[("if-none-match", "W/\"e\", \"x\"")],
    &[("if-none-match", "\"x\"")],
    &[("if-modified-since", "Sun, 13 Sep 2020 12:26:40 GMT")],
    &[("if-modified-since", "bad")],
    &[("range", "bytes=0-0")],
    &[("range", "bytes=99-")],
    &[("if-range", "\"e\""), ("range", "bytes=0-0")],
    &[("cache-control", "only-if-cached")],
    &[("cache-control", "no-cache")],
    &[("cache-control", "max-age=5")],
    &[("cache-control", "min-fresh=50")],
    &[("cache-control", "max-stale=20")],
    &[("pragma", "no-cache")],
    &[("cookie", "a=b")],
    &[("authorization", "x")],
    &[("x-forwarded-host", "evil.test")],
    &[("x-v", "1")],
    &[("connection", "x-a"), ("x-a", "1")],
    &[("if-match", "\"e\"")],
    &[("host", "A.TEST:80")],
    &[("content-length", "0")],
];

/// A layer that puts its outcome into the extensions goes the long way, by every rule.
#[tokio::test]
async fn the_shortest_way_to_a_hit_serves_what_the_long_one_does() {
    let short = Harness::new(page);
    let long = Harness::with(|layer| layer.outcome_in_extensions(), page);
    let mut hits = 0;
    for secs in [0, 3, 57, 45, 200] {
        short.advance(secs);
        long.advance(secs);
        for path in PATHS {
            for (method, fields) in
                ["GET", "HEAD"].iter().flat_map(|method| ASKED.map(|fields| (*method, fields)))
            {
                let one = short.send(request(method, path, fields)).await;
                let two = long.send(request(method, path, fields)).await;
                let what = format!("{method} {path} {fields:?} after {secs}");
                assert_eq!(one.status, two.status, "{what}");
                assert_eq!(one.body, two.body, "{what}");
                assert_eq!(sorted(&one), sorted(&two), "{what}");
                assert_eq!(one.outcome, two.outcome, "{what}");
                hits += usize::from(one.is_hit());
            }
        }
    }
    assert_eq!(short.inner.calls(), long.inner.calls());
    assert!(hits > 500, "{hits}");
}

fn sorted(got: &Got) -> Vec<(String, String)> {
    let lines = got.headers.iter();
    let mut lines: Vec<_> =
        lines.map(|(name, value)| (name.to_string(), format!("{value:?}"))).collect();
    lines.sort();
    lines
}

/// Each put takes its own time.
#[derive(Clone)]
struct Waiting {
    store: MemoryStore,
    puts: Arc<AtomicUsize>,
    millis: [u64; 2],
}

impl Store for Waiting {
    async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, StoreError> {
        self.store.get(key).await
    }

    async fn put(&self, key: &CacheKey, entry: Entry, long: Duration) -> Result<(), StoreError> {
        let millis = self.millis[self.puts.fetch_add(1, Ordering::Relaxed) % 2];
        tokio::time::sleep(Duration::from_millis(millis)).await;
        self.store.put(key, entry, long).await
    }

    async fn remove(&self, key: &CacheKey) -> Result<(), StoreError> {
        self.store.remove(key).await
    }
}

/// RFC 9111 §4: of several responses the most recent one is used, whichever is put first.
#[tokio::test(start_paused = true)]
async fn an_older_fetch_never_takes_the_place_of_a_newer_one_in_a_store_that_waits() {
    for millis in [[30, 5], [5, 30]] {
        for is_older_first in [true, false] {
            let store = MemoryStore::with_bytes_max(1 << 20);
            let (clock, puts) = (ManualClock::new(), Arc::default());
            let layer = CacheLayer::with_clock(Waiting { store, puts, millis }, clock.clone());
            let layer = layer.without_collapsing();
            let service = layer.layer(Inner::new(|_, call| {
                response(&[("cache-control", "max-age=60")], format!("call {call}"))
            }));
            let send = || service.clone().oneshot(request("GET", "/", &[]));
            let older = send().await.unwrap();
            clock.advance(Duration::from_millis(2));
            let newer = send().await.unwrap();
            let both = if is_older_first { [older, newer] } else { [newer, older] };
            for response in both {
                Got::read(response).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let got = Got::read(send().await.unwrap()).await;
            assert_ne!(got.body, "call 0", "{millis:?} {is_older_first}");
        }
    }
}
